//! What one node does with requests: what it takes, what it refuses, and whom it answers.

use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{
    Body, Change, ConfState, Index, MembershipError, Message, NodeId, Restored, StorageId,
    TransferError,
};
use quorate_rsm::{ClientId, Input, NodeConfig, ReadAt, RequestBody, RequestError, SessionId};

use crate::host::{CLIENT, Host, LEADER, ME};

fn write(session: SessionId, sequence: u64, text: &'static str) -> RequestBody {
    RequestBody::Write {
        session,
        sequence,
        acknowledged: sequence - 1,
        command: Bytes::from_static(text.as_bytes()),
    }
}

fn text(text: &'static str) -> Result<Bytes, RequestError> {
    Ok(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_follower_redirects_what_is_for_leaders_and_asks_for_the_rest() {
    let mut host = Host::following(|_| {});
    let redirected = Err(RequestError::NotLeader { hint: Some(LEADER) });
    for at in [ReadAt::Leader, ReadAt::Lease] {
        host.read("q", at);
        assert_eq!(host.result(), redirected);
    }
    host.ask(CLIENT, RequestBody::OpenSession);
    assert_eq!(host.result(), redirected);
    let asks = |message: &Message| matches!(message.body, Body::ReadIndex { .. });
    assert!(!host.said.iter().any(asks));
    host.read("q", ReadAt::Here);
    assert!(host.said.iter().any(asks) && host.replies.is_empty());
    assert_eq!(host.node.status().reads, 1);
}

#[test]
fn only_leaders_change_the_membership_and_hand_over() {
    let mut host = Host::following(|_| {});
    let (now, hint) = (host.now, Some(LEADER));
    let changed = host.node.change_membership(now, &[]);
    assert_eq!(changed, Err(MembershipError::NotLeader { hint }));
    let handed = host.node.transfer_leadership(now, LEADER);
    assert_eq!(handed, Err(TransferError::NotLeader { hint }));
}

#[test]
fn a_change_of_the_membership_is_told_at_the_index_it_was_promised_for() {
    let mut host = Host::leading(|_| {});
    host.open_session();
    let (id, storage) = (NodeId(2), StorageId(0));
    let learner = [Change::AddLearner { id, storage }];
    let index = host.node.change_membership(host.now, &learner);
    host.drain();
    host.settle();
    let (told, conf_state) = host.memberships.pop().expect("it was committed");
    assert_eq!(index, Ok(told));
    assert_eq!(conf_state.learners, [id]);
}

#[test]
fn a_machine_is_told_of_the_members_in_their_place_among_the_commands() {
    let mut host = Host::leading(|_| {});
    let command = |text| RequestBody::Propose {
        command: Bytes::from_static(text),
    };
    host.ask(CLIENT, command(b"a"));
    let (id, storage) = (NodeId(2), StorageId(0));
    let learner = [Change::AddLearner { id, storage }];
    assert!(host.node.change_membership(host.now, &learner).is_ok());
    host.drain();
    host.ask(CLIENT, command(b"b"));
    host.settle();
    host.read(":", ReadAt::Here);
    let answers = host.answers().into_iter().map(|(_, answer)| answer);
    let expected = ["a", "a<2>b", ":a<2>b"].map(text);
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

#[test]
fn reads_that_wait_are_answered_each_with_its_own() {
    let mut host = Host::open(1, |_| {});
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    // It leads once its term is durable, and knows what is committed once its first entry is.
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    let asked = ["a", "b", "c"].map(|query| (host.read(query, ReadAt::Leader), text(query)));
    let status = host.node.status();
    assert_eq!((status.waiting, status.reads), (3, 3));
    host.ask(CLIENT, RequestBody::OpenSession);
    assert_eq!(host.node.status().waiting, 4);
    assert!(host.replies.is_empty());
    host.settle();
    let mut answers = host.answers();
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers[..3], asked);
    let status = host.node.status();
    assert_eq!((status.waiting, status.reads), (0, 0));
}

#[test]
fn a_node_that_has_enough_waiting_takes_no_more() {
    let mut host = Host::open(1, |config| config.max_waiting = 3);
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    // Two wait for their entries, one for a quorum.
    host.ask(CLIENT, RequestBody::OpenSession);
    host.read("q", ReadAt::Leader);
    host.ask(CLIENT, RequestBody::OpenSession);
    assert!(host.replies.is_empty());
    for _ in 0..2 {
        host.read("q", ReadAt::Leader);
        host.ask(CLIENT, RequestBody::OpenSession);
        let refused = host.answers();
        assert_eq!(refused.len(), 2);
        let overloaded = Err(RequestError::Overloaded);
        assert!(refused.iter().all(|(_, result)| *result == overloaded));
    }
    host.settle();
    assert_eq!(host.answers().len(), 3);
    host.read("q", ReadAt::Leader);
    assert_eq!(host.result(), text("q"));
}

#[test]
fn who_is_gone_gets_no_answer_and_the_others_do() {
    let mut host = Host::open(1, |_| {});
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    let gone = ClientId(8);
    let read = || RequestBody::Read {
        query: Bytes::new(),
        at: ReadAt::Leader,
    };
    host.ask(gone, read());
    host.ask(CLIENT, read());
    host.input(Input::ClientGone { client: gone });
    assert_eq!(host.node.status().reads, 1);
    assert_eq!(host.result(), text(""));
}

#[test]
fn a_command_as_large_as_may_be_is_taken_and_a_larger_one_is_not() {
    let mut host = Host::leading(|config| config.max_command_bytes = 3);
    let session = host.open_session();
    host.ask(CLIENT, write(session, 1, "abc"));
    assert_eq!(host.result(), text("abc"));
    host.ask(CLIENT, write(session, 2, "defg"));
    assert_eq!(host.result(), Err(RequestError::TooLarge { limit: 3 }));
    host.ask(CLIENT, write(session, 2, "d"));
    assert_eq!(host.result(), text("abcd"));
}

#[test]
fn log_time_goes_on_while_a_node_leads_and_from_there_when_the_next_one_does() {
    let expiring = |config: &mut NodeConfig| config.sessions.ttl_ms = 1_000;
    let mut host = Host::leading(expiring);
    let began = host.now;
    let session = host.open_session();
    for (ms, sequence) in [(900, 1), (1_900, 2)] {
        host.now = began.after(Duration::from_millis(ms));
        host.ask(CLIENT, write(session, sequence, "x"));
        assert!(host.result().is_ok(), "it was heard of within a second");
        assert_eq!(host.node.status().time_ms, ms);
    }
    let mut restored = Restored::fresh(ConfState::new([ME]));
    restored.hard_state.term = host.node.raft().term();
    restored.commit = host.node.raft().commit();
    restored.entries = host.node.raft().entries_from(Index(1)).cloned().collect();
    // Its clock begins at zero, and log time does not.
    let mut host = Host::restart(restored, expiring);
    host.campaign();
    assert_eq!(host.node.status().time_ms, 1_900);
    let began = host.now;
    host.now = began.after(Duration::from_millis(1_000));
    host.ask(CLIENT, write(session, 3, "x"));
    assert_eq!(host.result(), text("xxx"));
    assert_eq!(host.node.status().time_ms, 2_900);
    host.now = began.after(Duration::from_millis(2_001));
    host.ask(CLIENT, write(session, 4, "x"));
    assert_eq!(host.result(), Err(RequestError::SessionExpired));
}
