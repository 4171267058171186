//! Changes of the membership: joint configurations, learners, lost storages (§6, thesis §4).

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{
    Body, Change, ConfState, Config, Entry, EntryId, Index, Input, MembershipError, Message,
    NodeId, Output, Payload, ProgressMode, Restored, RoleKind, SnapshotMeta, StorageId, Term,
};

use crate::host::{Host, accepted, heartbeat, id, rejected, request_vote, stored};

fn ids(list: &[u64]) -> Vec<NodeId> {
    list.iter().copied().map(NodeId).collect()
}

fn storage(node: u64) -> StorageId {
    StorageId(node * 100)
}

/// Voters with their storages.
fn bound(voters: &[u64]) -> ConfState {
    ConfState {
        storages: voters
            .iter()
            .map(|&node| (NodeId(node), storage(node)))
            .collect(),
        ..ConfState::new(ids(voters))
    }
}

fn config() -> Config {
    Config {
        storage: storage(1),
        ..Config::new(NodeId(1))
    }
}

/// Node 1 of a new cluster whose members have storages.
fn node(voters: &[u64]) -> Host {
    Host::with(config(), Restored::fresh(bound(voters)))
}

/// What a member says from its own storage.
fn say(host: &mut Host, from: u64, body: Body) {
    say_from(host, from, storage(from), body);
}

fn say_from(host: &mut Host, from: u64, storage: StorageId, body: Body) {
    let term = host.raft.term();
    host.input(Input::Message(Message {
        from: NodeId(from),
        to: NodeId(1),
        storage,
        term,
        body,
    }));
}

/// Leads in the next term by the votes of `peers`, who then have all of its log.
fn lead(voters: &[u64]) -> Host {
    let mut host = node(voters);
    win(&mut host, &voters[1..]);
    host
}

fn win(host: &mut Host, peers: &[u64]) {
    host.time_out();
    for (granted, step) in [(true, 1), (true, 0)] {
        for &peer in peers {
            let term = Term(host.raft.term().0 + step);
            let body = match step {
                1 => Body::PreVoteResponse { granted },
                _ => Body::RequestVoteResponse { granted },
            };
            host.input(Input::Message(Message {
                from: NodeId(peer),
                to: NodeId(1),
                storage: storage(peer),
                term,
                body,
            }));
            if host.role().0 != RoleKind::PreCandidate && step == 1 {
                break;
            }
        }
    }
    assert!(host.raft.is_leader());
    follow(host, peers);
    host.forget();
}

/// `peers` have all there is, and say so.
fn follow(host: &mut Host, peers: &[u64]) {
    for &peer in peers {
        let last = host.raft.status().last.index.0;
        say(host, peer, accepted(last));
    }
}

fn change(host: &mut Host, changes: &[Change]) -> Result<EntryId, MembershipError> {
    let result = host.raft.propose_membership(host.now, changes);
    host.input(Input::TimerFired);
    result
}

fn add(node: u64) -> Change {
    Change::AddVoter {
        id: NodeId(node),
        storage: storage(node),
    }
}

fn remove(node: u64) -> Change {
    Change::Remove { id: NodeId(node) }
}

fn voters(host: &Host) -> (Vec<NodeId>, Vec<NodeId>) {
    let conf_state = host.raft.status().conf_state;
    (
        conf_state.voters.clone(),
        conf_state.voters_outgoing.clone(),
    )
}

fn membership(at: EntryId, conf_state: ConfState) -> Entry {
    Entry {
        id: at,
        payload: Payload::Membership(Arc::new(conf_state)),
    }
}

#[test]
fn new_voter_is_a_learner_until_it_has_caught_up_and_then_votes_through_a_joint_configuration() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[add(4)]).expect("the change is fit");
    follow(&mut host, &[2]);
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
    host.propose(10);
    say(&mut host, 4, rejected(2, EntryId::ZERO));
    say(&mut host, 4, accepted(0));
    follow(&mut host, &[2]);
    assert_eq!(
        voters(&host),
        (ids(&[1, 2, 3]), vec![]),
        "it has nothing yet"
    );
    follow(&mut host, &[4]);
    assert_eq!(voters(&host), (ids(&[1, 2, 3, 4]), ids(&[1, 2, 3])));
    // Committed by both halves, it is left by itself.
    follow(&mut host, &[2, 3, 4]);
    assert_eq!(voters(&host), (ids(&[1, 2, 3, 4]), vec![]));
}

#[test]
fn learner_gets_a_vote_when_it_is_asked_for() {
    let learner = Change::AddLearner {
        id: NodeId(4),
        storage: storage(4),
    };
    let promote = Change::Promote { id: NodeId(4) };
    let learning = bound(&[1, 2, 3]).change(&[learner]).expect("it is new");
    assert_eq!(
        (&learning.learners, &learning.joining),
        (&ids(&[4]), &vec![])
    );
    let joining = learning.change(&[promote]).expect("a learner");
    assert_eq!(joining.joining, ids(&[4]));
    assert_eq!(joining.promote().leave(), bound(&[1, 2, 3, 4]));
}

#[test]
fn configuration_that_contradicts_itself_is_not_sound() {
    let sound = || ConfState {
        voters_outgoing: ids(&[1, 2, 3]),
        learners: ids(&[4]),
        learners_next: ids(&[3]),
        joining: ids(&[3, 4]),
        leaving: ids(&[2]),
        storages_next: [(NodeId(3), storage(9))].into_iter().collect(),
        ..bound(&[1, 2])
    };
    assert!(sound().is_sound() && ConfState::default().is_sound());
    let breaks: [&dyn Fn(&mut ConfState); 14] = [
        &|conf| conf.voters = ids(&[1, 2, 2]),
        &|conf| conf.voters = ids(&[2, 1]),
        &|conf| conf.voters_outgoing = ids(&[3, 2, 1]),
        &|conf| conf.learners = ids(&[0, 4]),
        &|conf| conf.learners = (4..=64).map(NodeId).collect(),
        &|conf| conf.learners = ids(&[1, 4]),
        &|conf| conf.learners = ids(&[3, 4]),
        &|conf| conf.learners_next = ids(&[3, 9]),
        &|conf| conf.learners_next = ids(&[2, 3]),
        &|conf| conf.leaving = ids(&[3]),
        &|conf| conf.joining = ids(&[2, 4]),
        &|conf| conf.storages = [(NodeId(9), storage(9))].into_iter().collect(),
        &|conf| conf.storages_next = [(NodeId(2), storage(9))].into_iter().collect(),
        &|conf| (conf.voters, conf.leaving) = (vec![], vec![]),
    ];
    for (number, broken) in breaks.into_iter().enumerate() {
        let mut conf = sound();
        broken(&mut conf);
        assert!(!conf.is_sound(), "{number}: {conf:?}");
    }
    let mut most = sound();
    most.learners = (4..=63).map(NodeId).collect();
    assert!(most.is_sound());
}

#[test]
fn learner_that_has_a_part_of_the_log_is_not_promoted() {
    let mut host = lead(&[1, 2, 3]);
    for _ in 0..5 {
        host.propose(10);
    }
    follow(&mut host, &[2]);
    change(&mut host, &[add(4)]).expect("the change is fit");
    follow(&mut host, &[2]);
    let before = host.raft.status().last.index.0 - 1;
    say(&mut host, 4, rejected(before, EntryId::ZERO));
    say(&mut host, 4, accepted(3));
    assert_eq!(host.progress(4).2, ProgressMode::Replicate);
    assert_eq!(voters(&host).1, vec![]);
    follow(&mut host, &[4]);
    assert_eq!(voters(&host).1, ids(&[1, 2, 3]));
}

#[test]
fn lost_storage_of_a_learner_is_replaced_at_once_and_of_a_stranger_not_at_all() {
    let rebind = |id| Change::Rebind {
        id: NodeId(id),
        storage: storage(9),
    };
    let learner = Change::AddLearner {
        id: NodeId(4),
        storage: storage(4),
    };
    let conf_state = bound(&[1, 2, 3]).change(&[learner]).expect("it is new");
    let other = conf_state.change(&[rebind(4)]).expect("a learner");
    assert!(!other.is_joint() && other.knows(NodeId(4), storage(9)));
    assert!(!other.knows(NodeId(4), storage(4)));
    let unknown = Err(MembershipError::UnknownMember(NodeId(5)));
    assert_eq!(conf_state.change(&[rebind(5)]), unknown);
}

#[test]
fn learner_that_is_slow_is_not_promoted() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[add(4)]).expect("the change is fit");
    follow(&mut host, &[2]);
    for _ in 0..5 {
        let seen = host.raft.status().last.index.0;
        host.propose(10);
        for _ in 0..8 {
            host.pass(50);
            say(&mut host, 2, heartbeat_answer());
            say(&mut host, 3, heartbeat_answer());
        }
        // Each round took 400 ms: more than an election timeout.
        say(&mut host, 4, accepted(seen));
        follow(&mut host, &[2]);
        assert_eq!(voters(&host).1, vec![]);
    }
    follow(&mut host, &[4]);
    host.propose(10);
    follow(&mut host, &[4]);
    assert_eq!(voters(&host).1, ids(&[1, 2, 3]), "a short round is enough");
}

fn heartbeat_answer() -> Body {
    Body::HeartbeatResponse { round: 0 }
}

/// The number of the heartbeat that comes next.
fn next_beat(host: &mut Host) -> u64 {
    host.forget();
    host.pass(60);
    host.input(Input::TimerFired);
    let rounds = host.sent().into_iter().filter_map(|(.., body)| match body {
        Body::Heartbeat { round, .. } => round,
        _ => None,
    });
    rounds.max().expect("a heartbeat is due")
}

#[test]
fn joint_configuration_decides_by_both_halves_and_is_left_when_committed() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[add(4), add(5), remove(2), remove(3)]).expect("the change is fit");
    follow(&mut host, &[2, 4, 5]);
    assert_eq!(voters(&host), (ids(&[1, 4, 5]), ids(&[1, 2, 3])));
    let (joint, commit) = (host.raft.status().last.index, host.raft.commit());
    follow(&mut host, &[4, 5]);
    assert_eq!(
        host.raft.commit(),
        commit,
        "the new half alone decides nothing"
    );
    assert_eq!(voters(&host).1, ids(&[1, 2, 3]));
    follow(&mut host, &[3]);
    assert!(host.raft.commit() >= joint);
    assert_eq!(voters(&host), (ids(&[1, 4, 5]), vec![]));
}

#[test]
fn joint_configuration_needs_both_halves_to_read_and_to_go_on_leading() {
    for (answering, leads) in [([4, 5], false), ([2, 3], false), ([2, 4], true)] {
        let mut host = lead(&[1, 2, 3]);
        change(&mut host, &[add(4), add(5), remove(2), remove(3)]).expect("the change is fit");
        follow(&mut host, &[2, 4, 5]);
        assert!(host.raft.status().conf_state.is_joint());
        host.read(7);
        for _ in 0..6 {
            host.pass(60);
            host.input(Input::TimerFired);
            for peer in answering {
                say(&mut host, peer, Body::HeartbeatResponse { round: 9 });
            }
        }
        assert_eq!(host.reads().len(), usize::from(leads), "{answering:?}");
        assert_eq!(host.raft.is_leader(), leads, "{answering:?}");
    }
}

#[test]
fn removed_member_is_told_and_then_left_alone() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[remove(3)]).expect("a voter");
    follow(&mut host, &[3]);
    host.forget();
    follow(&mut host, &[2]);
    assert_eq!(voters(&host), (ids(&[1, 2]), vec![]));
    let told = host.sent_to(3).into_iter().any(|body| match body {
        Body::AppendEntries { entries, .. } => entries
            .iter()
            .any(|entry| entry.payload == Payload::Membership(Arc::new(bound(&[1, 2])))),
        _ => false,
    });
    assert!(told);
    host.pass(60);
    host.input(Input::TimerFired);
    assert_eq!(host.sent_to(3), vec![]);
}

#[test]
fn two_members_can_let_the_dead_one_go_only_by_both_halves() {
    let mut host = lead(&[1, 2]);
    assert_eq!(
        change(&mut host, &[remove(1), remove(2)]),
        Err(MembershipError::NoVoterLeft)
    );
    change(&mut host, &[remove(2)]).expect("a voter");
    assert_eq!(voters(&host).1, ids(&[1, 2]));
    host.propose(5);
    assert!(
        host.raft.commit() < host.raft.status().last.index,
        "the outgoing half decides too"
    );
    follow(&mut host, &[2]);
    // Alone now: what its own disk has is committed at once.
    assert_eq!(voters(&host), (ids(&[1]), vec![]));
    assert_eq!(host.raft.commit(), host.raft.status().last.index);
}

#[test]
fn smaller_quorum_decides_at_once_what_was_waiting() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[remove(3)]).expect("a voter");
    let joint = host.raft.status().last.index.0;
    for _ in 0..3 {
        host.propose(5);
    }
    host.read(7);
    say(&mut host, 2, Body::HeartbeatResponse { round: 9 });
    say(&mut host, 2, accepted(joint));
    follow(&mut host, &[2]);
    assert_eq!(host.raft.commit(), host.raft.status().last.index);
    assert_eq!(host.reads().len(), 1);
}

#[test]
fn removed_leader_leads_until_its_removal_is_committed_then_hands_over() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[remove(1)]).expect("a voter");
    follow(&mut host, &[2]);
    assert!(host.raft.is_leader() && voters(&host).1 == ids(&[1, 2, 3]));
    follow(&mut host, &[3]);
    assert_eq!(voters(&host), (ids(&[2, 3]), vec![]));
    // It does not count itself: one of two others is no majority.
    let last = host.raft.status().last.index;
    say(&mut host, 3, accepted(last.0));
    assert!(host.raft.is_leader() && host.raft.commit() < last);
    host.forget();
    say(&mut host, 2, accepted(last.0));
    assert_eq!((host.raft.commit(), host.raft.is_leader()), (last, false));
    let told = host
        .sent()
        .into_iter()
        .filter(|(.., body)| *body == Body::TimeoutNow);
    assert_eq!(told.count(), 1);
    assert_eq!(
        host.raft.next_timeout(),
        quorate_raft::Instant::NEVER,
        "it never runs again"
    );
}

#[test]
fn node_that_lost_its_vote_runs_until_that_is_committed() {
    let mut restored = Restored::fresh(bound(&[1, 2]));
    restored.hard_state.term = Term(1);
    let joint = bound(&[1, 2]).change(&[remove(1)]).expect("a voter");
    let left = joint.leave();
    restored.entries = vec![membership(id(1, 1), joint), membership(id(1, 2), left)];
    restored.commit = Index(1);
    let mut host = Host::with(config(), restored.clone());
    assert_eq!(voters(&host), (ids(&[2]), vec![]));
    win(&mut host, &[2]);
    follow(&mut host, &[2]);
    assert!(host.raft.commit() > Index(2) && !host.raft.is_leader());
    // Nor does it run where the commit is known.
    restored.commit = Index(2);
    let host = Host::with(config(), restored);
    assert_eq!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
}

#[test]
fn vote_that_another_storage_had_is_no_reason_to_run() {
    // Bound anew as a learner, and removed: by entries that are not known to be committed.
    let joint = bound(&[1, 2, 3]).change(&[remove(1)]).expect("a voter");
    let removed = joint.leave();
    let mut learner = removed.clone();
    learner.learners = ids(&[1]);
    learner.storages.insert(NodeId(1), storage(9));
    for last in [removed, learner] {
        let mut restored = Restored::fresh(bound(&[1, 2, 3]));
        restored.hard_state.term = Term(1);
        restored.entries = vec![
            membership(id(1, 1), joint.clone()),
            membership(id(1, 2), last),
        ];
        let mut config = config();
        config.storage = storage(9);
        let host = Host::with(config, restored);
        assert_eq!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
    }
}

#[test]
fn leader_does_not_bind_itself_to_another_storage() {
    let mut host = lead(&[1, 2]);
    let (id, storage) = (NodeId(1), storage(9));
    let refused = Err(MembershipError::AlreadyMember(id));
    assert_eq!(
        change(&mut host, &[Change::Rebind { id, storage }]),
        refused
    );
}

#[test]
fn leader_tells_who_was_removed_that_this_is_committed() {
    let mut host = lead(&[1, 2, 3]);
    change(&mut host, &[remove(3)]).expect("a voter");
    follow(&mut host, &[2, 3]);
    let ask = |host: &mut Host, later| {
        host.forget();
        let last = id(1, 1);
        let term = host.raft.term().0 + later;
        host.hear(3, term, Body::PreVote { last });
        let notices = host.sent_to(3).into_iter().filter_map(|body| match body {
            Body::AppendEntries { prev, commit, .. } => Some((prev.index, commit)),
            _ => None,
        });
        notices.collect::<Vec<_>>()
    };
    assert_eq!(ask(&mut host, 1), [], "it is not committed");
    follow(&mut host, &[2]);
    let removal = host.raft.status().conf_index;
    assert_eq!(ask(&mut host, 1), [(removal, host.raft.commit())]);
    assert_eq!(
        ask(&mut host, 2),
        [],
        "its answer would end this leadership"
    );
}

#[test]
fn next_leader_leaves_the_joint_configuration() {
    let joint = bound(&[1, 2, 3]).change(&[remove(3)]).expect("a voter");
    let mut restored = Restored::fresh(bound(&[1, 2, 3]));
    restored.hard_state.term = Term(1);
    restored.entries = vec![membership(id(1, 1), joint)];
    let mut host = Host::with(config(), restored);
    assert_eq!(
        voters(&host),
        (ids(&[1, 2]), ids(&[1, 2, 3])),
        "in force after a restart"
    );
    win(&mut host, &[2, 3]);
    assert_eq!(voters(&host), (ids(&[1, 2]), vec![]));
}

#[test]
fn vote_needs_both_halves() {
    let joint = bound(&[1, 2, 3]).change(&[add(4), add(5), remove(2), remove(3)]);
    let mut restored = Restored::fresh(joint.expect("the change is fit").promote());
    restored.hard_state.term = Term(1);
    let mut host = Host::with(config(), restored);
    host.time_out();
    let grant = |host: &mut Host, from: u64| {
        let pre = host.role().0 == RoleKind::PreCandidate;
        let term = Term(host.raft.term().0 + u64::from(pre));
        let body = match pre {
            true => Body::PreVoteResponse { granted: true },
            false => Body::RequestVoteResponse { granted: true },
        };
        host.input(Input::Message(Message {
            from: NodeId(from),
            to: NodeId(1),
            storage: storage(from),
            term,
            body,
        }));
    };
    grant(&mut host, 4);
    grant(&mut host, 5);
    assert_eq!(host.role().0, RoleKind::PreCandidate);
    grant(&mut host, 3);
    assert_eq!(host.role().0, RoleKind::Candidate);
    grant(&mut host, 2);
    assert_eq!(host.role().0, RoleKind::Candidate);
    grant(&mut host, 4);
    assert_eq!(host.role().0, RoleKind::Leader);
}

#[test]
fn change_waits_for_the_one_before_and_for_the_first_commit_of_the_term() {
    let mut host = node(&[1, 2, 3]);
    assert_eq!(
        change(&mut host, &[add(4)]),
        Err(MembershipError::NotLeader { hint: None })
    );
    host.time_out();
    for body in [
        Body::PreVoteResponse { granted: true },
        Body::RequestVoteResponse { granted: true },
    ] {
        host.input(Input::Message(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: storage(2),
            term: Term(1),
            body,
        }));
    }
    assert!(host.raft.is_leader());
    assert_eq!(change(&mut host, &[add(4)]), Err(MembershipError::NotReady));
    follow(&mut host, &[2]);
    change(&mut host, &[remove(3)]).expect("a voter");
    for pending in [add(4), remove(2)] {
        assert_eq!(change(&mut host, &[pending]), Err(MembershipError::Pending));
    }
    follow(&mut host, &[2, 3]);
    assert_eq!(
        change(&mut host, &[add(4)]),
        Err(MembershipError::Pending),
        "not yet committed"
    );
    follow(&mut host, &[2]);
    assert!(change(&mut host, &[add(4)]).is_ok());
}

#[test]
fn cut_configuration_gives_way_to_the_one_before() {
    let mut host = node(&[1, 2, 3]);
    let joint = bound(&[1, 2, 3]).change(&[remove(1)]).expect("a voter");
    let append = |host: &mut Host, term: u64, prev: EntryId, entry: Entry| {
        let body = Body::AppendEntries {
            prev,
            commit: Index(0),
            entries: vec![entry],
        };
        host.input(Input::Message(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: storage(2),
            term: Term(term),
            body,
        }));
    };
    append(&mut host, 1, EntryId::ZERO, membership(id(1, 1), joint));
    assert_eq!(
        voters(&host).1,
        ids(&[1, 2, 3]),
        "in force as soon as it is in the log"
    );
    let noop = Entry {
        id: id(2, 1),
        payload: Payload::Noop,
    };
    append(&mut host, 2, EntryId::ZERO, noop);
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
}

#[test]
fn installed_snapshot_replaces_the_membership_whatever_the_log_said() {
    let mut restored = stored(3, 1, None, &[1]);
    restored.snapshot.conf_state = Arc::new(bound(&[1, 2, 3]));
    let other = bound(&[1, 2, 3])
        .change(&[remove(3)])
        .expect("a voter")
        .leave();
    restored.entries.push(membership(id(1, 2), other));
    let mut host = Host::with(config(), restored);
    assert_eq!(voters(&host).0, ids(&[1, 2]));
    host.input(Input::Message(Message {
        from: NodeId(2),
        to: NodeId(1),
        storage: storage(2),
        term: Term(3),
        body: Body::InstallSnapshot {
            meta: Box::new(SnapshotMeta {
                last: id(3, 1),
                conf_state: Arc::new(bound(&[1, 2, 3, 4])),
            }),
            number: 0,
            done: true,
            data: Bytes::new(),
        },
    }));
    assert_eq!(voters(&host), (ids(&[1, 2, 3, 4]), vec![]));
}

#[test]
fn node_that_a_snapshot_does_not_name_never_runs_and_an_outgoing_voter_does() {
    let without = bound(&[1, 2, 3]).change(&[remove(1)]).expect("a voter");
    for (conf_state, runs) in [(without.clone(), true), (without.leave(), false)] {
        let mut host = node(&[1, 2, 3]);
        let meta = SnapshotMeta {
            last: id(1, 9),
            conf_state: Arc::new(conf_state),
        };
        let body = Body::InstallSnapshot {
            meta: Box::new(meta),
            number: 0,
            done: true,
            data: Bytes::new(),
        };
        host.hear(2, 1, body);
        host.forget();
        host.hear(2, 1, Body::TimeoutNow);
        assert_eq!(host.role().0 == RoleKind::Candidate, runs);
        // Only the leader that it knows is waited for by who does not run.
        host.time_out();
        assert_eq!(host.role().0 == RoleKind::PreCandidate, runs);
        assert_eq!(host.raft.leader(), None);
        let timeout = host.raft.next_timeout();
        assert_eq!(timeout < quorate_raft::Instant::NEVER, runs);
    }
}

#[test]
fn snapshot_holds_the_membership_as_of_its_end() {
    let mut host = lead(&[1, 2, 3]);
    host.propose(5);
    follow(&mut host, &[2]);
    let index = host.raft.applied().index;
    change(&mut host, &[remove(3)]).expect("a voter");
    host.prompt = false;
    host.input(Input::SnapshotReady {
        index,
        chunks: 0,
        compact_to: index,
    });
    if host.writing().snapshot.is_none() {
        host.write();
    }
    let manifest = host
        .writing()
        .snapshot
        .as_ref()
        .map(|manifest| manifest.meta.clone());
    assert_eq!(
        manifest.map(|meta| meta.conf_state),
        Some(Arc::new(bound(&[1, 2, 3])))
    );
}

#[test]
fn answers_from_another_storage_count_for_nobody() {
    let mut host = node(&[1, 2, 3]);
    host.time_out();
    for body in [
        Body::PreVoteResponse { granted: true },
        Body::RequestVoteResponse { granted: true },
    ] {
        host.input(Input::Message(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId(999),
            term: Term(1),
            body,
        }));
        assert_eq!(
            host.role(),
            (RoleKind::PreCandidate, 0),
            "a vote of one that forgot its votes"
        );
    }
    let mut host = lead(&[1, 2, 3]);
    let last = host.propose(5).index;
    say_from(&mut host, 2, StorageId(999), accepted(last.0));
    assert!(
        host.raft.commit() < last,
        "a copy of one that forgot its copies"
    );
    host.read(1);
    say_from(
        &mut host,
        2,
        StorageId(999),
        Body::HeartbeatResponse { round: 9 },
    );
    assert_eq!(host.reads(), vec![]);
    let status = host.raft.status();
    let amnesiac = status.peers.iter().find(|peer| peer.id == NodeId(2));
    assert_eq!(
        amnesiac.and_then(|peer| peer.amnesiac),
        None,
        "heard in the same instant"
    );
    host.pass(1);
    say_from(
        &mut host,
        2,
        StorageId(999),
        Body::HeartbeatResponse { round: 9 },
    );
    let status = host.raft.status();
    let amnesiac = status.peers.iter().find(|peer| peer.id == NodeId(2));
    assert_eq!(
        amnesiac.and_then(|peer| peer.amnesiac),
        Some(StorageId(999))
    );
}

#[test]
fn node_with_another_storage_than_recorded_neither_votes_nor_runs() {
    for conf_state in [bound(&[1, 2, 3]), ConfState::default()] {
        let config = Config {
            storage: StorageId(999),
            ..config()
        };
        let mut host = Host::with(config, Restored::fresh(conf_state));
        assert_eq!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
        host.hear(2, 1, Body::PreVote { last: id(0, 0) });
        host.hear(2, 1, request_vote(id(0, 0)));
        assert_eq!(host.sent(), vec![]);
        assert_eq!(
            host.role().1,
            0,
            "nor does it learn a term that its leader may not know"
        );
        host.hear(2, 1, Body::TimeoutNow);
        assert_eq!(host.role().0, RoleKind::Follower);
        // It hears a leader, and answers under its own name.
        host.hear(2, 1, heartbeat(0, 3));
        assert_eq!(host.sent_to(2), vec![Body::HeartbeatResponse { round: 3 }]);
    }
}

#[test]
fn learner_votes_if_asked_and_never_runs() {
    let conf_state = ConfState {
        learners: ids(&[1]),
        ..ConfState::new(ids(&[2, 3]))
    };
    let mut host = Host::with(Config::new(NodeId(1)), Restored::fresh(conf_state));
    assert_eq!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
    host.hear(2, 1, request_vote(id(0, 0)));
    assert_eq!(
        host.sent_to(2),
        vec![Body::RequestVoteResponse { granted: true }]
    );
}

#[test]
fn learner_runs_when_it_has_heard_of_its_vote_committed_or_not() {
    let mut learning = bound(&[1, 2, 3]);
    learning.voters = ids(&[2, 3]);
    learning.learners = ids(&[1]);
    let mut restored = Restored::fresh(learning);
    restored.hard_state.term = Term(1);
    restored.entries = vec![membership(id(1, 1), bound(&[1, 2, 3]))];
    let mut host = Host::with(config(), restored);
    assert_eq!(host.raft.commit(), Index(0));
    assert_ne!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
    win(&mut host, &[2, 3]);
}

#[test]
fn member_that_lost_its_storage_starts_again_as_a_learner_and_gets_its_vote_back() {
    let mut host = lead(&[1, 2, 3]);
    let stranger = StorageId(999);
    let beat = |host: &mut Host| {
        let round = next_beat(host);
        say(host, 3, Body::HeartbeatResponse { round });
        say_from(host, 2, stranger, Body::HeartbeatResponse { round });
    };
    // Silent for less than an election timeout, it may yet answer under its own storage.
    for _ in 0..4 {
        beat(&mut host);
        assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
    }
    beat(&mut host);
    assert_eq!(voters(&host), (ids(&[1, 3]), ids(&[1, 2, 3])));
    follow(&mut host, &[3]);
    let status = host.raft.status();
    assert_eq!(status.conf_state.learners, ids(&[2]));
    assert!(status.conf_state.knows(NodeId(2), stranger));
    follow(&mut host, &[3]);
    assert_eq!(
        host.progress(2).0,
        0,
        "what the lost storage had does not count"
    );
    let last = host.raft.status().last.index.0;
    say_from(&mut host, 2, stranger, rejected(last, EntryId::ZERO));
    say_from(&mut host, 2, stranger, accepted(last));
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), ids(&[1, 3])));
    follow(&mut host, &[3]);
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
    assert_eq!(host.progress(2).2, ProgressMode::Replicate);
}

#[test]
fn late_word_from_a_former_storage_moves_nothing_while_the_member_answers() {
    let mut host = lead(&[1, 2, 3]);
    for _ in 0..20 {
        let round = next_beat(&mut host);
        say_from(
            &mut host,
            2,
            StorageId(999),
            Body::HeartbeatResponse { round },
        );
        say(&mut host, 2, heartbeat_answer());
        say(&mut host, 3, heartbeat_answer());
    }
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
}

#[test]
fn member_is_never_bound_to_a_storage_whose_last_words_are_still_on_their_way() {
    let mut host = lead(&[1, 2, 3]);
    for _ in 0..20 {
        let round = next_beat(&mut host);
        say(&mut host, 3, Body::HeartbeatResponse { round });
        // Five rounds make an election timeout: what answers an older one is a ghost. So is what
        // answers another leader, or says how far a log matched.
        let ghost = round.saturating_sub(5);
        say_from(
            &mut host,
            2,
            StorageId(999),
            Body::HeartbeatResponse { round: ghost },
        );
        say_from(&mut host, 2, StorageId(999), accepted(1));
        host.input(Input::Message(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId(999),
            term: Term(host.raft.term().0 - 1),
            body: Body::HeartbeatResponse { round },
        }));
    }
    assert_eq!(voters(&host), (ids(&[1, 2, 3]), vec![]));
}

#[test]
fn node_that_knows_of_no_cluster_learns_of_it_from_a_leader() {
    let mut host = Host::with(config(), Restored::fresh(ConfState::default()));
    let conf_state = bound(&[2, 3]).change(&[add(1)]).expect("it is new");
    let command = Entry {
        id: id(1, 1),
        payload: Payload::Command(Bytes::from_static(b"early")),
    };
    let body = Body::AppendEntries {
        prev: EntryId::ZERO,
        commit: Index(1),
        entries: vec![command, membership(id(1, 2), conf_state)],
    };
    host.hear(2, 1, body);
    assert_eq!(host.sent_to(2), vec![accepted(2)]);
    assert_eq!(host.raft.status().conf_state.learners, ids(&[1]));
    // What it applied before it was a member, it cannot describe in a snapshot.
    let early = Input::SnapshotReady {
        index: Index(1),
        chunks: 0,
        compact_to: Index(0),
    };
    assert!(host.try_input(early).is_err());
    host.hear(3, 2, request_vote(id(1, 2)));
    assert_eq!(host.sent_to(3), vec![], "its leader is fresh");
    host.pass(1_000);
    host.hear(3, 2, request_vote(id(1, 2)));
    assert_eq!(
        host.sent_to(3),
        vec![Body::RequestVoteResponse { granted: true }]
    );
}

#[test]
fn committed_change_is_handed_out_like_any_entry() {
    let mut host = lead(&[1, 2, 3]);
    let at = change(&mut host, &[add(4)]).expect("the change is fit");
    follow(&mut host, &[2]);
    let applied = host.effects.iter().any(|effect| match effect {
        Output::Apply { first, last } => (*first..=*last).contains(&at.index),
        _ => false,
    });
    assert!(applied);
}
