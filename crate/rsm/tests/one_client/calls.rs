//! How calls are numbered, when they are sent, and what a client tells of one that ends without an
//! answer.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_rsm::raft::{Instant, NodeId};
use quorate_rsm::{Call, CallError, ClientInput, Outcome, RequestBody, RequestError, SessionId};

use crate::caller::{Caller, DEADLINE, SILENCE, Sent};

#[test]
fn sequence_numbers_count_up_and_acknowledge_what_has_been_answered_without_a_gap() {
    let (mut caller, _) = Caller::in_session(1, |_| {});
    let mut open = Vec::new();
    for sequence in 1..=3 {
        caller.write();
        open.push(caller.one());
        assert_eq!(open[sequence as usize - 1].numbers(), (7, sequence, 0));
    }
    let names: BTreeSet<_> = open.iter().map(|sent| sent.id).collect();
    assert_eq!(names.len(), 3);
    for (answered, next) in [(1, (7, 4, 0)), (0, (7, 5, 2)), (2, (7, 6, 3))] {
        caller.accept(&open[answered]);
        caller.write();
        assert_eq!(caller.one().numbers(), next);
    }
    assert_eq!(caller.done.len(), 3);
}

#[test]
fn writes_beyond_the_window_wait_for_the_oldest() {
    let (mut caller, _) = Caller::in_session(1, |config| config.window = 2);
    for _ in 0..4 {
        caller.write();
    }
    let open = caller.sent();
    let sequences: Vec<_> = open.iter().map(Sent::numbers).collect();
    assert_eq!(sequences, [(7, 1, 0), (7, 2, 0)]);
    caller.accept(&open[1]);
    assert!(caller.sent().is_empty(), "the oldest has no answer");
    // Reads have no numbers, and wait for none.
    caller.read();
    assert_eq!(caller.sent().len(), 1);
    caller.accept(&open[0]);
    let sequences: Vec<_> = caller.sent().iter().map(Sent::numbers).collect();
    assert_eq!(sequences, [(7, 3, 2), (7, 4, 2)]);
}

#[test]
fn calls_may_fill_the_bytes_of_the_window_to_the_last_one() {
    let (mut caller, _) = Caller::in_session(1, |config| config.window_bytes = 3);
    for _ in 0..4 {
        caller.write();
    }
    assert_eq!(caller.sent().len(), 3, "of one byte each");
}

#[test]
fn reads_need_no_session_and_do_not_wait_for_one() {
    let mut caller = Caller::new(1, 1, |_| {});
    let read = caller.read();
    let asked = caller.one();
    assert!(matches!(asked.body, RequestBody::Read { .. }));
    caller.answer(&asked, Ok(Bytes::from_static(b"text")));
    assert_eq!(caller.done[&read], Ok(Bytes::from_static(b"text")));
    caller.write();
    let opening = caller.one();
    assert_eq!(opening.body, RequestBody::OpenSession);
    caller.write();
    caller.read();
    assert!(matches!(caller.one().body, RequestBody::Read { .. }));
    assert_eq!(caller.client.pending(), 3, "its own call does not count");
    caller.open(&opening, 7);
    assert_eq!(caller.sent().len(), 2);
    assert_eq!(caller.client.pending(), 3);
}

#[test]
fn an_answer_that_is_no_session_is_asked_for_again() {
    let mut caller = Caller::new(1, 1, |_| {});
    caller.write();
    let opening = caller.one();
    caller.answer(&opening, Ok(Bytes::from_static(b"short")));
    let opening = caller.one();
    assert_eq!(opening.body, RequestBody::OpenSession);
    caller.open(&opening, 9);
    assert_eq!(caller.one().numbers(), (9, 1, 0));
}

#[test]
fn calls_beyond_the_number_kept_are_refused() {
    let mut caller = Caller::new(1, 1, |config| config.max_pending = 2);
    let calls = [caller.read(), caller.read()];
    assert_ne!(calls[0], calls[1]);
    let more = |caller: &mut Caller| {
        let call = Call::Read(Bytes::new());
        caller.client.call(caller.now, call, DEADLINE)
    };
    assert_eq!(more(&mut caller), Err(CallError::TooManyCalls));
    let first = caller.sent().remove(0);
    caller.accept(&first);
    assert!(more(&mut caller).is_ok());
    assert_eq!(more(&mut caller), Err(CallError::TooManyCalls));
}

#[test]
fn a_call_that_ends_without_an_answer_says_whether_it_may_have_taken_effect() {
    let cancelled = |caller: &mut Caller, call| {
        caller.input(ClientInput::Cancel { call });
        match caller.done.remove(&call) {
            Some(Err(CallError::Cancelled { outcome })) => outcome,
            other => panic!("cancelled, not {other:?}"),
        }
    };
    let ways: [(Option<RequestError>, Outcome); 6] = [
        (None, Outcome::Unknown),
        (Some(SILENCE), Outcome::NotApplied),
        (Some(RequestError::Overloaded), Outcome::NotApplied),
        (Some(RequestError::WindowExceeded), Outcome::NotApplied),
        (Some(RequestError::SessionExpired), Outcome::NotApplied),
        (
            Some(RequestError::LeadershipLost { hint: None }),
            Outcome::Unknown,
        ),
    ];
    for (refusal, outcome) in ways {
        let (mut caller, _) = Caller::in_session(1, |_| {});
        let write = caller.write();
        let asked = caller.one();
        if let Some(error) = refusal {
            caller.refuse(&asked, error);
        }
        assert_eq!(cancelled(&mut caller, write), outcome, "{refusal:?}");
    }
    let (mut caller, leader) = Caller::in_session(1, |_| {});
    let write = caller.write();
    caller.down(leader);
    assert_eq!(cancelled(&mut caller, write), Outcome::Unknown);
    let write = caller.write();
    assert_eq!(cancelled(&mut caller, write), Outcome::NotApplied, "unsent");
    caller.sent();
    caller.up(leader);
    let read = caller.read();
    caller.one();
    assert_eq!(cancelled(&mut caller, read), Outcome::NotApplied);
    caller.input(ClientInput::Cancel { call: write });
    assert!(caller.done.is_empty(), "it had ended");
}

#[test]
fn a_refusal_for_its_size_ends_a_call() {
    let (mut caller, _) = Caller::in_session(1, |_| {});
    let write = caller.write();
    let asked = caller.one();
    let too_large = |outcome| Err(CallError::TooLarge { limit: 3, outcome });
    caller.refuse(&asked, RequestError::TooLarge { limit: 3 });
    assert_eq!(caller.done[&write], too_large(Outcome::NotApplied));
    assert!(caller.sent().is_empty());

    // A leader with a larger limit took it, and nobody knows what became of it.
    let write = caller.write();
    let asked = caller.one();
    caller.refuse(&asked, RequestError::LeadershipLost { hint: None });
    let (asked, _) = caller.one_after_pause();
    caller.refuse(&asked, RequestError::TooLarge { limit: 3 });
    assert_eq!(caller.done[&write], too_large(Outcome::Unknown));
}

#[test]
fn writes_that_were_surely_not_applied_go_on_in_a_new_session() {
    let (mut caller, leader) = Caller::in_session(2, |_| {});
    let calls = [caller.write(), caller.write(), caller.write()];
    let old = caller.sent();
    // Of the first one it is unknown whether it took effect.
    caller.refuse(
        &old[0],
        RequestError::LeadershipLost {
            hint: Some(NodeId(3 - leader.0)),
        },
    );
    let moved = caller.one();
    assert_eq!(moved.numbers(), old[0].numbers(), "in the same session");
    caller.refuse(&moved, RequestError::SessionExpired);
    let outcome = Outcome::Unknown;
    let expired = Err(CallError::SessionExpired { outcome });
    assert_eq!(caller.done[&calls[0]], expired);

    caller.refuse(&old[1], RequestError::SessionExpired);
    let opening = caller.one();
    assert_eq!(opening.body, RequestBody::OpenSession);
    caller.open(&opening, 8);
    let first = caller.one();
    assert_eq!(first.numbers(), (8, 1, 0));
    // News of the old session says nothing of the new one.
    caller.refuse(&old[2], RequestError::SessionExpired);
    let second = caller.one();
    assert_eq!(second.numbers(), (8, 2, 0));
    caller.accept(&first);
    caller.accept(&second);
    assert_eq!(caller.done.len(), 3);
}

#[test]
fn a_write_of_an_old_session_frees_no_number_of_the_new_one() {
    let (mut caller, _) = Caller::in_session(1, |_| {});
    let calls = [caller.write(), caller.write()];
    let old = caller.sent();
    caller.refuse(&old[1], RequestError::SessionExpired);
    let opening = caller.one();
    caller.open(&opening, 8);
    assert_eq!(caller.one().numbers(), (8, 1, 0));
    caller.input(ClientInput::Cancel { call: calls[0] });
    caller.write();
    assert_eq!(caller.one().numbers(), (8, 2, 0), "1 has no answer");
    assert_eq!(caller.client.pending(), 2);
    assert!(!caller.done.contains_key(&calls[1]));
}

#[test]
fn deadlines_end_calls_whether_sent_or_not() {
    let (mut caller, leader) = Caller::in_session(1, |_| {});
    let short = Instant(1_500_000);
    let begin = |caller: &mut Caller, call| {
        let call = caller.client.call(caller.now, call, short);
        caller.drain();
        call.expect("there is room")
    };
    let sent = begin(&mut caller, Call::Write(Bytes::new()));
    caller.one();
    caller.down(leader);
    let unsent = begin(&mut caller, Call::Write(Bytes::new()));
    let read = begin(&mut caller, Call::Read(Bytes::new()));
    assert_eq!(caller.client.next_timeout(), short);
    caller.at(Instant(short.0 - 1));
    assert!(caller.done.is_empty());
    caller.at(short);
    let exceeded = |outcome| Err(CallError::DeadlineExceeded { outcome });
    assert_eq!(caller.done[&sent], exceeded(Outcome::Unknown));
    assert_eq!(caller.done[&unsent], exceeded(Outcome::NotApplied));
    assert_eq!(caller.done[&read], exceeded(Outcome::NotApplied));
    assert_eq!(caller.client.next_timeout(), Instant::NEVER);
}

#[test]
fn a_closed_client_ends_its_calls_and_its_session_and_takes_no_more() {
    let closed = |outcome| Err(CallError::Closed { outcome });
    let (mut caller, leader) = Caller::in_session(2, |_| {});
    let (write, read) = (caller.write(), caller.read());
    caller.sent();
    caller.input(ClientInput::Close);
    assert_eq!(caller.done[&write], closed(Outcome::Unknown));
    assert_eq!(caller.done[&read], closed(Outcome::NotApplied));
    let courtesy = caller.one();
    let session = SessionId(7);
    assert_eq!(courtesy.body, RequestBody::CloseSession { session });
    assert_eq!(courtesy.to, leader);
    let late = caller
        .client
        .call(caller.now, Call::Read(Bytes::new()), DEADLINE);
    assert_eq!(
        late,
        Err(CallError::Closed {
            outcome: Outcome::NotApplied
        })
    );
    assert_eq!(caller.client.pending(), 0);
    assert_eq!(caller.client.next_timeout(), Instant::NEVER);

    // One that has yet to open its session has none to end.
    let mut caller = Caller::new(1, 1, |_| {});
    let write = caller.write();
    let opening = caller.one();
    caller.input(ClientInput::Close);
    assert_eq!(caller.done[&write], closed(Outcome::NotApplied));
    assert_eq!(caller.done.len(), 1, "its own call is nobody's");
    caller.open(&opening, 9);
    assert!(caller.sent().is_empty());
    assert_eq!(caller.client.next_timeout(), Instant::NEVER);
}
