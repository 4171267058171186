//! What waits for a write, what does not, and what a failed one ends.

use quorate_raft::{
    Body, Config, HardState, Input, InputError, NodeId, ProposeError, RoleKind, Term,
};

use crate::host::{Host, accepted, heartbeat, id, rejected, request_vote, stored};

fn slow(voters: u64) -> Host {
    let mut host = Host::new(voters);
    host.prompt = false;
    host
}

fn hard_state(term: u64, vote: Option<u64>) -> Option<HardState> {
    Some(HardState {
        term: Term(term),
        vote: vote.map(NodeId),
    })
}

#[test]
fn vote_leaves_when_it_is_durable_with_its_term() {
    let mut host = slow(3);
    host.hear(2, 1, request_vote(id(0, 0)));
    assert_eq!(host.writing().hard_state, hard_state(1, Some(2)));
    assert!(host.sent().is_empty());
    host.write();
    let granted = Body::RequestVoteResponse { granted: true };
    assert_eq!(host.sent(), [(2, 1, granted)]);
}

#[test]
fn candidate_asks_and_counts_itself_when_its_term_is_durable() {
    let mut host = slow(3);
    host.time_out();
    host.hear(2, 1, Body::PreVoteResponse { granted: true });
    host.sent();
    assert_eq!(host.writing().hard_state, hard_state(1, Some(1)));
    host.hear(2, 1, Body::RequestVoteResponse { granted: true });
    assert_eq!(host.role(), (RoleKind::Candidate, 1), "one of three");
    assert!(host.sent().is_empty());
    host.write();
    assert_eq!(host.role(), (RoleKind::Leader, 1));
    assert_eq!(host.sent_to(3)[0], request_vote(id(0, 0)));
}

#[test]
fn own_vote_of_an_earlier_term_is_void() {
    let mut host = slow(3);
    host.time_out();
    host.hear(2, 1, Body::PreVoteResponse { granted: true });
    host.hear(3, 2, rejected(0, id(0, 0)));
    host.write();
    assert_eq!(host.role(), (RoleKind::Follower, 2));
    host.write();
    host.time_out();
    host.hear(2, 3, Body::PreVoteResponse { granted: true });
    assert_eq!(host.role(), (RoleKind::Candidate, 3));
    host.hear(2, 3, Body::RequestVoteResponse { granted: true });
    assert_eq!(host.role(), (RoleKind::Candidate, 3));
}

#[test]
fn append_is_acknowledged_when_it_is_durable() {
    let mut host = slow(3);
    host.append(2, 1, id(0, 0), 0, &[1, 1]);
    assert_eq!(host.writing().hard_state, hard_state(1, None));
    assert_eq!(host.writing().entries.len(), 2);
    assert!(host.sent().is_empty());
    host.write();
    assert_eq!(host.sent(), [(2, 1, accepted(2))]);
    // A rejection claims nothing.
    host.append(2, 1, id(1, 9), 0, &[1]);
    assert_eq!(host.sent(), [(2, 1, rejected(9, id(1, 2)))]);
}

#[test]
fn empty_append_vouches_only_for_what_is_durable() {
    let mut host = slow(3);
    host.append(2, 1, id(0, 0), 0, &[1]);
    host.append(2, 1, id(1, 1), 0, &[]);
    assert!(host.sent().is_empty());
    host.write();
    assert_eq!(host.sent(), [(2, 1, accepted(1))], "two answers in one");
}

#[test]
fn one_round_at_a_time_and_the_next_has_all_that_came() {
    let mut host = slow(3);
    host.append(2, 1, id(0, 0), 0, &[1]);
    let first = host.writing().seq;
    host.append(2, 1, id(1, 1), 0, &[1]);
    host.append(2, 1, id(1, 2), 1, &[1]);
    assert_eq!(host.writing().entries.len(), 1);
    host.write();
    assert_eq!(host.sent(), [(2, 1, accepted(1))]);
    let batch = host.writing();
    assert_eq!((batch.seq, batch.commit.0), (first + 1, 1));
    let indexes: Vec<u64> = batch.entries.iter().map(|entry| entry.id.index.0).collect();
    assert_eq!(indexes, [2, 3]);
    host.write();
    assert_eq!(host.sent(), [(2, 1, accepted(3))]);
    assert!(!host.is_writing(), "nothing changed");
}

#[test]
fn write_that_was_overtaken_vouches_for_nothing_new() {
    let mut host = slow(3);
    host.append(2, 1, id(0, 0), 0, &[1, 1, 1]);
    host.append(3, 2, id(1, 1), 0, &[2, 2]);
    host.write();
    assert_eq!(host.raft.status().persisted.0, 1);
    // What it did hold is said in the term it was written in.
    assert_eq!(host.sent(), [(2, 1, accepted(3))]);
    let batch = host.writing();
    assert_eq!(batch.entries.first().map(|entry| entry.id), Some(id(2, 2)));
    host.write();
    assert_eq!(host.raft.status().persisted.0, 3);
    assert_eq!(host.sent(), [(3, 2, accepted(3))]);
}

#[test]
fn tail_that_was_cut_is_durable_no_longer() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 1, None, &[1, 1, 1, 1]));
    host.prompt = false;
    host.append(2, 2, id(1, 1), 0, &[2]);
    assert_eq!(host.raft.status().persisted.0, 1);
    host.write();
    assert_eq!(host.raft.status().persisted.0, 2);
    // It comes to lead, and what it appends where the old tail was is not written yet.
    host.prompt = true;
    host.pass(1_000);
    host.lead();
    host.accept(2, 3);
    host.prompt = false;
    host.propose(10);
    host.accept(2, 4);
    assert_eq!(host.raft.commit().0, 3, "one copy of three is durable");
    host.write();
    assert_eq!(host.raft.commit().0, 4);
}

#[test]
fn leader_sends_while_it_writes_and_counts_itself_when_it_is_done() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.prompt = false;
    host.propose(10);
    assert_eq!(host.appends_to(2), [(2, 2, 10)]);
    host.accept(2, 2);
    assert_eq!(host.raft.commit().0, 1, "one copy is durable");
    host.write();
    assert_eq!(host.raft.commit().0, 2);
    host.propose(10);
    host.accept(2, 3);
    host.accept(3, 3);
    assert_eq!(host.raft.commit().0, 3, "two others are a quorum too");
}

#[test]
fn deposed_leaders_write_counts_for_nothing_after() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.prompt = false;
    host.propose(10);
    host.forget();
    host.append(2, 2, id(1, 1), 1, &[2]);
    host.write();
    let status = host.raft.status();
    assert_eq!((status.persisted.0, status.commit.0), (1, 1));
    host.write();
    assert_eq!(
        (host.log(), host.sent_to(2)),
        (vec![1, 2], vec![accepted(2)])
    );
}

#[test]
fn heartbeat_of_a_new_term_is_answered_when_the_term_is_durable() {
    let mut host = slow(3);
    host.hear(2, 4, heartbeat(0, 3));
    host.hear(2, 4, heartbeat(0, 4));
    assert!(host.sent().is_empty());
    host.write();
    let answer = Body::HeartbeatResponse { round: 4 };
    assert_eq!(
        host.sent(),
        [(2, 4, answer)],
        "the later round includes the earlier"
    );
}

#[test]
fn failed_write_halts_the_node() {
    let mut host = slow(3);
    host.hear(2, 1, request_vote(id(0, 0)));
    host.input(Input::PersistFailed);
    assert!(host.raft.status().halted && host.sent().is_empty());
    assert_eq!(host.try_input(Input::TimerFired), Err(InputError::Halted));
    let data = bytes::Bytes::new();
    let refused = host.raft.propose(host.now, data);
    assert_eq!(refused, Err(ProposeError::NotLeader { hint: None }));
    assert_eq!(host.raft.next_timeout(), quorate_raft::Instant::NEVER);
}

#[test]
fn halted_leader_says_nothing_more() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.prompt = false;
    host.propose(10);
    host.forget();
    host.input(Input::PersistFailed);
    assert!(!host.raft.is_leader() && host.sent().is_empty());
}

#[test]
fn unexpected_completion_changes_nothing() {
    let mut host = slow(3);
    host.hear(2, 1, request_vote(id(0, 0)));
    for seq in [0, 2] {
        let error = InputError::UnexpectedPersisted {
            seq,
            expected: Some(1),
        };
        assert_eq!(host.try_input(Input::Persisted { seq }), Err(error));
    }
    assert!(host.sent().is_empty());
    host.write();
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn pre_vote_claims_only_what_is_durable() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 1, None, &[1]));
    host.prompt = false;
    host.append(2, 1, id(1, 1), 0, &[1]);
    host.time_out();
    assert!(host.sent().is_empty());
    host.write();
    assert!(host.sent_to(3).contains(&Body::PreVote { last: id(1, 2) }));
}
