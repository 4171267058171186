//! §8, thesis §6.4: reads without a log entry.

use quorate_raft::{Body, Config, EntryId, Index, Input, NodeId, Output, Raft, ReadError};

use crate::host::{Host, heartbeat, request_vote, stored};

fn confirm(host: &mut Host, peer: u64, round: u64) {
    let term = host.raft.term().0;
    host.hear(peer, term, Body::HeartbeatResponse { round });
}

#[test]
fn read_waits_for_a_quorum_to_confirm_the_leader_after_it() {
    let mut host = Host::new(5);
    host.lead_in_step();
    host.read(7);
    let beats: Vec<_> = (2..=5).map(|to| (to, 1, heartbeat(1, 1))).collect();
    assert_eq!((host.sent(), host.reads()), (beats, vec![]));
    confirm(&mut host, 2, 0);
    confirm(&mut host, 3, 0);
    confirm(&mut host, 4, 1);
    confirm(&mut host, 4, 1);
    assert_eq!(host.reads(), [], "two old answers, and one new one twice");
    confirm(&mut host, 5, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn read_waits_for_the_first_commit_of_the_term() {
    let mut host = Host::new(3);
    host.lead();
    host.read(7);
    confirm(&mut host, 2, 0);
    confirm(&mut host, 3, 0);
    confirm(&mut host, 2, 1);
    assert_eq!(
        (host.sent_to(3).contains(&heartbeat(0, 1)), host.reads()),
        (false, vec![])
    );
    host.accept(2, 1);
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn read_after_a_restart_sees_all_that_was_durable() {
    let mut restored = stored(3, 1, None, &[1, 1, 1]);
    restored.commit = Index(1);
    let mut host = Host::with(Config::new(NodeId(1)), restored);
    host.lead();
    host.read(7);
    for round in 0..=1 {
        confirm(&mut host, 2, round);
        confirm(&mut host, 3, round);
    }
    assert_eq!(host.reads(), [], "committed is 1, and there is more");
    host.accept(2, 4);
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(7, 4)]);
}

#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut host = Host::new(3);
    host.lead_in_step();
    for ctx in 1..=4 {
        host.read(ctx);
    }
    assert_eq!(host.sent_to(2), [heartbeat(1, 1)]);
    // What is committed meanwhile is in the index of the later ones.
    host.propose(10);
    host.accept(2, 2);
    host.forget();
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(1, 1)]);
    assert_eq!(host.sent_to(3), [heartbeat(1, 2)]);
    confirm(&mut host, 3, 2);
    let mut reads = host.reads();
    reads.sort_unstable();
    assert_eq!(reads, [(1, 1), (2, 2), (3, 2), (4, 2)]);
}

#[test]
fn read_is_answered_after_what_it_must_see_is_handed_out() {
    let mut host = Host::new(1);
    host.lead();
    host.propose(10);
    host.read(7);
    let kinds: Vec<&str> = host
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Output::Apply { .. } => Some("apply"),
            Output::ReadReady { .. } => Some("read"),
            _ => None,
        })
        .collect();
    assert_eq!((kinds, host.reads()), (vec!["apply", "read"], vec![(7, 2)]));
}

#[test]
fn waiting_reads_are_bounded() {
    let config = Config {
        max_pending_reads: 2,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead_in_step();
    host.read(1);
    host.read(2);
    assert_eq!(host.raft.read_index(host.now, 3), Err(ReadError::Dropped));
    confirm(&mut host, 2, 1);
    host.read(3);
}

#[test]
fn lost_leadership_voids_reads() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.read(7);
    host.hear(3, 2, heartbeat(1, 0));
    confirm(&mut host, 2, 1);
    host.hear(2, 1, Body::HeartbeatResponse { round: 1 });
    assert_eq!(host.reads(), []);
}

#[test]
fn unanswered_round_is_repeated_with_the_heartbeat() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.read(7);
    host.forget();
    host.time_out();
    // Either answer is good: both were given after the read came.
    assert_eq!(host.sent_to(2), [heartbeat(1, 2)]);
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}

/// The number under which a follower asked its leader, node 2.
fn question(host: &mut Host) -> u64 {
    match host.sent_to(2)[..] {
        [Body::ReadIndex { ctx }] => ctx,
        ref other => panic!("one question, not {other:?}"),
    }
}

#[test]
fn answer_to_a_question_of_an_earlier_run_is_void() {
    // The same node, leader and term, as a restart leaves them: only the seed is another.
    let ask = |seed| {
        let mut host = Host::new(3);
        let restored = stored(3, 1, None, &[1]);
        host.raft = Raft::new(Config::new(NodeId(1)), restored, host.now, seed).expect("sound");
        host.hear(2, 1, heartbeat(1, 1));
        host.forget();
        host.read(7);
        (question(&mut host), host)
    };
    let (earlier, _) = ask(1);
    let (now, mut host) = ask(2);
    let answer = |ctx| Body::ReadIndexResponse {
        ctx,
        index: Index(1),
    };
    host.hear(2, 1, answer(earlier));
    assert_eq!(host.reads(), [], "what it knew may be long ago");
    host.hear(2, 1, answer(now));
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn follower_asks_its_leader_and_answers_when_it_has_applied_that() {
    let mut host = Host::new(3);
    assert_eq!(
        host.raft.read_index(host.now, 1),
        Err(ReadError::NotLeader { hint: None })
    );
    host.append(2, 1, EntryId::ZERO, 0, &[1, 1]);
    host.forget();
    host.read(7);
    host.read(8);
    let first = question(&mut host);
    // A question or its answer may be lost; a heartbeat is an occasion to ask again.
    host.hear(2, 1, heartbeat(0, 1));
    assert!(host.sent_to(2).contains(&Body::ReadIndex { ctx: first }));
    let answer = |ctx, index| Body::ReadIndexResponse {
        ctx,
        index: Index(index),
    };
    host.hear(3, 1, answer(first, 1));
    host.hear(2, 1, answer(first + 8, 1));
    assert_eq!(host.reads(), [], "of no leader, and to no question");
    host.hear(2, 1, answer(first, 2));
    assert_eq!(host.reads(), [], "not applied");
    // What came after the question was put is the next one's.
    assert_eq!(question(&mut host), first + 1);
    host.hear(2, 1, heartbeat(2, 2));
    assert_eq!(host.reads(), [(7, 2)]);
    host.hear(2, 1, answer(first + 1, 2));
    assert_eq!(host.reads(), [(7, 2), (8, 2)]);
}

#[test]
fn followers_reads_are_void_with_their_leader_and_bounded() {
    let config = Config {
        max_pending_reads: 2,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.hear(2, 1, heartbeat(0, 1));
    host.forget();
    host.read(1);
    host.read(2);
    let first = question(&mut host);
    assert_eq!(host.raft.read_index(host.now, 3), Err(ReadError::Dropped));
    host.hear(3, 2, heartbeat(0, 1));
    let stale = Body::ReadIndexResponse {
        ctx: first,
        index: Index(0),
    };
    host.hear(2, 1, stale.clone());
    host.hear(3, 2, stale);
    assert_eq!(host.reads(), []);
    host.read(4);
    assert_eq!(
        host.sent_to(3).last(),
        Some(&Body::ReadIndex { ctx: first + 1 }),
        "a number of its own"
    );
}

#[test]
fn leader_answers_a_follower_once_a_quorum_has_confirmed_it() {
    let mut host = Host::new(3);
    host.lead_in_step();
    for _ in 0..2 {
        host.hear(3, 1, Body::ReadIndex { ctx: 5 });
    }
    assert_eq!(host.sent_to(3), [heartbeat(1, 1)]);
    confirm(&mut host, 2, 1);
    let answer = Body::ReadIndexResponse {
        ctx: 5,
        index: Index(1),
    };
    assert_eq!(host.sent_to(3), [answer], "once, though it asked twice");
}

/// Leads with leases, which its followers have confirmed.
fn leasing() -> Host {
    let config = Config {
        lease_reads: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.pass(1_000);
    host.lead_in_step();
    assert!(!host.raft.holds_lease(), "nobody has confirmed anything");
    host.time_out();
    confirm(&mut host, 2, 1);
    host.forget();
    host
}

fn lease_read(host: &mut Host, ctx: u64) -> bool {
    host.raft.lease_read(host.now, ctx).expect("it is taken");
    host.input(Input::TimerFired);
    host.reads().contains(&(ctx, 1))
}

#[test]
fn lease_is_as_old_as_the_heartbeat_that_was_confirmed_and_ends_before_others_may_vote() {
    let mut host = leasing();
    assert!(lease_read(&mut host, 7));
    // The election timeout is 300 ms; the lease is three quarters of it, from when the round began.
    host.pass(60);
    host.input(Input::TimerFired);
    host.pass(160);
    assert!(host.raft.holds_lease() && lease_read(&mut host, 8));
    host.pass(10);
    assert!(!lease_read(&mut host, 9), "it asks, as without a lease");
    // A late answer to the second round: that began 170 ms ago.
    confirm(&mut host, 3, 2);
    assert!(lease_read(&mut host, 10));
    host.pass(60);
    assert!(!lease_read(&mut host, 11));
}

#[test]
fn stopped_clock_voids_the_lease_and_all_that_began_before() {
    let mut host = leasing();
    host.time_out();
    host.input(Input::ClockStopped);
    assert!(!host.raft.holds_lease());
    confirm(&mut host, 2, 2);
    assert!(
        !host.raft.holds_lease(),
        "that round began before the clock stopped"
    );
    host.time_out();
    confirm(&mut host, 2, 3);
    assert!(host.raft.holds_lease());
}

#[test]
fn leader_that_told_another_to_campaign_has_no_lease_any_more() {
    let mut host = leasing();
    host.raft
        .transfer_leadership(host.now, NodeId(2))
        .expect("a voter");
    host.input(Input::TimerFired);
    assert!(!host.raft.holds_lease());
    host.raft
        .transfer_leadership(host.now, NodeId(1))
        .expect("it stays");
    host.time_out();
    confirm(&mut host, 2, 2);
    assert!(!host.raft.holds_lease(), "the other may still campaign");
}

#[test]
fn without_the_setting_there_is_no_lease() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.time_out();
    confirm(&mut host, 2, 1);
    assert!(!host.raft.holds_lease() && !lease_read(&mut host, 7));
}

#[test]
fn node_that_starts_gives_no_vote_while_a_lease_may_rest_on_its_word() {
    let config = Config {
        lease_reads: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 4, None, &[]));
    host.hear(2, 5, request_vote(EntryId::ZERO));
    host.hear(
        2,
        5,
        Body::PreVote {
            last: EntryId::ZERO,
        },
    );
    assert_eq!(host.sent_to(2), [Body::PreVoteResponse { granted: false }]);
    assert_eq!(host.role().1, 4);
    host.pass(300);
    host.hear(2, 5, request_vote(EntryId::ZERO));
    assert_eq!(
        host.sent_to(2),
        [Body::RequestVoteResponse { granted: true }]
    );
}

#[test]
fn node_that_hears_of_a_later_term_gives_no_vote_while_a_lease_may_rest_on_its_word() {
    let config = Config {
        lease_reads: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 1, None, &[]));
    host.pass(1_000);
    host.hear(2, 1, heartbeat(0, 1));
    assert_eq!(host.sent_to(2), [Body::HeartbeatResponse { round: 1 }]);
    // Node 3 ran in term 2, and won nothing: so it answers what this node asked before.
    host.hear(3, 2, Body::PreVoteResponse { granted: false });
    host.forget();
    host.hear(3, 2, request_vote(EntryId::ZERO));
    assert_eq!(host.sent(), []);
    host.pass(300);
    host.hear(3, 2, request_vote(EntryId::ZERO));
    assert_eq!(
        host.sent_to(3),
        [Body::RequestVoteResponse { granted: true }]
    );
}
