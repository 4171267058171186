//! What storage may say, and what a node does with it.

use std::sync::Arc;

use quorate_raft::{
    AppendOutcome, Body, ConfState, Config, CorruptState, EntryId, Index, Instant, NodeId, Payload,
    Raft, Term,
};

use crate::host::{Host, compacted, entries, heartbeat, id, open, request_vote, stored};

#[test]
fn vote_and_term_outlive_the_run() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 4, Some(2), &[1]));
    host.hear(3, 4, request_vote(id(9, 9)));
    host.hear(2, 4, request_vote(id(9, 9)));
    let answer = |granted| Body::RequestVoteResponse { granted };
    assert_eq!(host.sent(), [(3, 4, answer(false)), (2, 4, answer(true))]);
}

#[test]
fn what_was_committed_is_handed_out_again_after_the_snapshot() {
    let mut restored = stored(3, 2, None, &[1, 1, 1, 2]);
    restored.snapshot.last = id(1, 2);
    restored.commit = Index(3);
    let host = Host::with(Config::new(NodeId(1)), restored);
    assert_eq!(host.applied(), [vec![3]]);
    assert_eq!(host.raft.status().persisted, Index(4));
}

#[test]
fn log_may_begin_before_the_snapshot_and_end_with_it() {
    let mut restored = compacted(3, id(2, 5));
    restored.log_start = id(1, 3);
    restored.entries = entries(id(1, 3), &[2, 2]);
    assert!(open(restored).is_ok());
    let mut host = Host::with(Config::new(NodeId(1)), compacted(3, id(2, 5)));
    host.time_out();
    let asks = Body::PreVote { last: id(2, 5) };
    assert_eq!(
        host.sent_to(2),
        [asks],
        "an empty log ends with the snapshot"
    );
    host.append(2, 3, id(2, 5), 5, &[3]);
    assert_eq!((host.log(), host.raft.commit()), (vec![3], Index(5)));
}

#[test]
fn state_that_cannot_be_a_nodes_is_refused() {
    let error = |change: &dyn Fn(&mut quorate_raft::Restored)| {
        let mut restored = compacted(3, id(1, 2));
        restored.hard_state.term = Term(2);
        restored.entries = entries(id(1, 2), &[1, 2]);
        change(&mut restored);
        open(restored).err()
    };
    assert_eq!(error(&|_| {}), None);
    let gap = CorruptState::Gap {
        expected: Index(3),
        found: Index(4),
    };
    assert_eq!(error(&|r| drop(r.entries.remove(0))), Some(gap));
    let term = |index| {
        Some(CorruptState::Term {
            index: Index(index),
        })
    };
    assert_eq!(error(&|r| r.entries[0].id.term = Term(0)), term(3));
    assert_eq!(error(&|r| r.entries[1].id.term = Term(3)), term(4));
    assert_eq!(error(&|r| r.hard_state.term = Term(1)), term(4));
    let snapshot = |index| {
        Some(CorruptState::Snapshot {
            index: Index(index),
        })
    };
    assert_eq!(error(&|r| r.snapshot.last = id(1, 1)), snapshot(1));
    assert_eq!(error(&|r| r.snapshot.last = id(2, 5)), snapshot(5));
    assert_eq!(error(&|r| r.snapshot.last = id(2, 3)), snapshot(3));
    let commit = Some(CorruptState::Commit { index: Index(5) });
    assert_eq!(error(&|r| r.commit = Index(5)), commit);
    let empty = error(&|r| Arc::make_mut(&mut r.snapshot.conf_state).voters.clear());
    let membership = |index| {
        Some(CorruptState::Membership {
            index: Index(index),
        })
    };
    assert_eq!(empty, membership(2));
    let twice = error(&|r| {
        let conf_state = Arc::make_mut(&mut r.snapshot.conf_state);
        conf_state.learners.push(NodeId(1));
    });
    assert_eq!(twice, membership(2), "a voter that is a learner");
    for (voters, learners) in [(&[][..], &[][..]), (&[1], &[1]), (&[], &[1])] {
        let ids = |list: &[u64]| list.iter().copied().map(NodeId).collect::<Vec<_>>();
        let conf_state = ConfState {
            learners: ids(learners),
            ..ConfState::new(ids(voters))
        };
        let payload = Payload::Membership(Arc::new(conf_state));
        let stored = error(&|r| r.entries[1].payload = payload.clone());
        assert_eq!(stored, membership(4), "{voters:?} {learners:?} in the log");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let open = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::new(NodeId(1));
        change(&mut config);
        Raft::new(config, stored(3, 0, None, &[]), Instant(0), 1)
    };
    assert!(open(&|_| {}).is_ok());
    let wrong: [&dyn Fn(&mut Config); 9] = [
        &|c| c.id = NodeId(0),
        &|c| c.heartbeat_interval = c.election_timeout,
        &|c| c.heartbeat_interval *= 0,
        &|c| c.max_inflight_messages = 0,
        &|c| c.max_inflight_bytes = 0,
        &|c| c.max_append_bytes = 0,
        &|c| c.max_uncommitted_bytes = 0,
        &|c| c.max_pending_reads = 0,
        &|c| c.max_apply_bytes = 0,
    ];
    for change in wrong {
        assert!(matches!(open(change), Err(CorruptState::Config(_))));
    }
}

#[test]
fn restarted_node_starts_without_a_leader_and_in_time() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 4, Some(1), &[1]));
    assert_eq!(host.raft.leader(), None);
    assert!(host.raft.next_timeout().since(host.now).as_millis() < 600);
    host.hear(2, 4, heartbeat(0, 0));
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
    host.append(2, 4, EntryId::ZERO, 0, &[1]);
    let answer = AppendOutcome::Accepted { matched: Index(1) };
    let sent = host.sent_to(2);
    assert_eq!(sent.last(), Some(&Body::AppendEntriesResponse(answer)));
}
