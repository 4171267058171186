//! What a client keeps and sends is bounded in bytes, nothing is held up for ever, and a read goes
//! where it belongs.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::collections::VecDeque;

use bytes::Bytes;
use quorate_rsm::raft::{Instant, NodeId};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientInput, ClientOutput, ReadAt, Reply,
    Request, RequestBody, RequestError, RequestId,
};

const LEADER: NodeId = NodeId(1);
const DEADLINE: Instant = Instant(60_000_000);

/// A client with an open session whose window holds `window` bytes, and which keeps 10,000.
fn client(window_bytes: usize) -> Client {
    let config = ClientConfig {
        max_pending_bytes: 10_000,
        window_bytes,
        ..ClientConfig::new(vec![LEADER])
    };
    let mut client = Client::new(config, 1);
    write(&mut client, 0).expect("there is room");
    let opening = sent(&mut client);
    assert!(matches!(opening[0].body, RequestBody::OpenSession));
    reply(&mut client, opening[0].id, &7_u64.to_le_bytes());
    let first = sent(&mut client);
    reply(&mut client, first[0].id, b"");
    assert!(sent(&mut client).is_empty());
    client
}

fn write(client: &mut Client, bytes: usize) -> Result<CallId, CallError> {
    let body = Bytes::from(vec![0; bytes]);
    client.call(Instant(0), Call::Write(body), DEADLINE)
}

fn reply(client: &mut Client, id: RequestId, data: &[u8]) {
    let result = Ok(Bytes::copy_from_slice(data));
    let (from, reply) = (LEADER, Reply { id, result });
    client.handle(Instant(0), ClientInput::Reply { from, reply });
}

/// All requests that the client wants sent.
fn sent(client: &mut Client) -> Vec<Request> {
    core::iter::from_fn(|| client.poll_output())
        .filter_map(|output| match output {
            ClientOutput::Send { requests, .. } => Some(requests),
            ClientOutput::Done { .. } => None,
        })
        .flatten()
        .collect()
}

fn sizes(requests: &[Request]) -> Vec<usize> {
    let size = |request: &Request| match &request.body {
        RequestBody::Write { command, .. } => command.len(),
        _ => 0,
    };
    requests.iter().map(size).collect()
}

#[test]
fn writes_beyond_the_bytes_of_the_window_wait_for_answers() {
    let mut client = client(1_000);
    for _ in 0..5 {
        write(&mut client, 400).expect("there is room");
    }
    let mut open: VecDeque<_> = sent(&mut client).into();
    assert_eq!(open.len(), 2);
    for left in [3, 2, 1, 0, 0] {
        let first = open.pop_front().expect("as many were sent");
        reply(&mut client, first.id, b"");
        open.extend(sent(&mut client));
        assert_eq!(open.len(), (left + 1).min(2).min(client.pending()));
    }
    assert_eq!(client.pending(), 0);
}

#[test]
fn write_larger_than_the_window_goes_alone_and_is_not_overtaken() {
    let mut client = client(1_000);
    for bytes in [10, 2_000, 10] {
        write(&mut client, bytes).expect("there is room");
    }
    let small = sent(&mut client);
    assert_eq!(sizes(&small), [10]);
    reply(&mut client, small[0].id, b"");
    let large = sent(&mut client);
    assert_eq!(sizes(&large), [2_000]);
    reply(&mut client, large[0].id, b"");
    assert_eq!(sizes(&sent(&mut client)), [10]);
}

#[test]
fn lost_node_frees_the_window() {
    let mut client = client(1_000);
    for _ in 0..2 {
        write(&mut client, 800).expect("there is room");
    }
    assert_eq!(sizes(&sent(&mut client)), [800]);
    let node = LEADER;
    client.handle(Instant(0), ClientInput::NodeDown { node });
    client.handle(Instant(0), ClientInput::NodeUp { node });
    let again = sent(&mut client);
    assert_eq!(sizes(&again), [800]);
    reply(&mut client, again[0].id, b"");
    assert_eq!(sizes(&sent(&mut client)), [800]);
}

#[test]
fn calls_beyond_the_bytes_kept_are_refused() {
    let mut client = client(1_000);
    write(&mut client, 9_000).expect("there is room");
    assert_eq!(write(&mut client, 1_001), Err(CallError::TooManyCalls));
    let call = write(&mut client, 1_000).expect("there is just enough room");
    assert_eq!(write(&mut client, 1), Err(CallError::TooManyCalls));
    client.handle(Instant(0), ClientInput::Cancel { call });
    write(&mut client, 1_000).expect("there is room again");
}

#[test]
fn one_call_may_be_larger_than_what_is_kept() {
    let mut client = client(1_000);
    write(&mut client, 20_000).expect("it is the only one");
    assert_eq!(write(&mut client, 1), Err(CallError::TooManyCalls));
    assert_eq!(sizes(&sent(&mut client)), [20_000]);
}

#[test]
fn node_that_answers_others_gets_more_time_but_not_for_ever() {
    let at = |ms: u64| Instant(ms * 1_000);
    let mut client = client(100_000);
    write(&mut client, 10).expect("there is room");
    let slow = sent(&mut client);
    assert_eq!(slow.len(), 1);
    // Another call is answered every 0.7 s; the first one never is.
    for step in 1..=5 {
        write(&mut client, 10).expect("there is room");
        let quick = sent(&mut client);
        assert_eq!(quick.len(), 1, "step {step}: only the new one was sent");
        let (from, result) = (LEADER, Ok(Bytes::new()));
        let id = quick[0].id;
        client.handle(
            at(step * 700),
            ClientInput::Reply {
                from,
                reply: Reply { id, result },
            },
        );
        client.handle(at(step * 700), ClientInput::TimerFired);
    }
    client.handle(client.next_timeout(), ClientInput::TimerFired);
    assert_eq!(client.next_timeout(), at(4_000));
    client.handle(at(3_999), ClientInput::TimerFired);
    assert!(sent(&mut client).is_empty());
    client.handle(at(4_000), ClientInput::TimerFired);
    assert_eq!(sent(&mut client).len(), 1);
}

#[test]
fn silent_node_is_given_up_after_one_timeout() {
    let mut client = client(100_000);
    write(&mut client, 10).expect("there is room");
    assert_eq!(sent(&mut client).len(), 1);
    assert_eq!(client.next_timeout(), Instant(1_000_000));
    client.handle(Instant(1_000_000), ClientInput::TimerFired);
    assert_eq!(sent(&mut client).len(), 1);
}

/// A read of any kind, as it was sent: the request's name and the node.
fn ask(client: &mut Client, at: ReadAt) -> (RequestId, NodeId) {
    let query = Bytes::new();
    let call = Call::ReadAt { query, at };
    client
        .call(Instant(0), call, DEADLINE)
        .expect("there is room");
    let Some(ClientOutput::Send { to, requests }) = client.poll_output() else {
        panic!("it is sent")
    };
    let [Request { id, body }] = &requests[..] else {
        panic!("alone")
    };
    assert!(matches!(body, RequestBody::Read { at: sent, .. } if *sent == at));
    (*id, to)
}

#[test]
fn each_read_says_how_and_those_that_do_not_are_read_as_the_client_reads() {
    for read_at in [ReadAt::Leader, ReadAt::Here] {
        let config = ClientConfig::new(vec![LEADER]);
        let mut client = Client::new(ClientConfig { read_at, ..config }, 1);
        let call = Call::Read(Bytes::new());
        client
            .call(Instant(0), call, DEADLINE)
            .expect("there is room");
        let first = sent(&mut client);
        assert!(matches!(first[0].body, RequestBody::Read { at, .. } if at == read_at));
        for at in [ReadAt::Lease, ReadAt::Local, ReadAt::Watch] {
            ask(&mut client, at);
        }
    }
}

#[test]
fn an_attempt_to_watch_lasts_as_long_as_nodes_let_it_wait() {
    let at = |ms: u64| Instant(ms * 1_000);
    let nodes = vec![NodeId(1), NodeId(2)];
    let mut client = Client::new(ClientConfig::new(nodes), 1);
    let (_, first) = ask(&mut client, ReadAt::Watch);
    assert_eq!(client.next_timeout(), at(6_000));
    client.handle(at(5_999), ClientInput::TimerFired);
    assert!(sent(&mut client).is_empty());
    client.handle(at(6_000), ClientInput::TimerFired);
    let again = client.poll_output();
    assert!(matches!(again, Some(ClientOutput::Send { to, .. }) if to != first));
}

#[test]
fn who_answers_what_any_node_can_is_not_taken_for_the_leader() {
    let nodes = vec![NodeId(1), NodeId(2)];
    for (at, moves) in [
        (ReadAt::Watch, false),
        (ReadAt::Local, false),
        (ReadAt::Leader, true),
    ] {
        let mut client = Client::new(ClientConfig::new(nodes.clone()), 1);
        let (id, first) = ask(&mut client, at);
        // A read shows that the client goes elsewhere, and it stays there.
        let (other, _) = ask(&mut client, ReadAt::Leader);
        let hint = nodes.iter().find(|node| **node != first).copied();
        let refused = Err(RequestError::NotLeader { hint });
        let refusal = Reply {
            id: other,
            result: refused,
        };
        let (from, reply) = (first, refusal);
        client.handle(Instant(0), ClientInput::Reply { from, reply });
        assert_eq!(sent(&mut client).len(), 1);
        let result = Ok(Bytes::new());
        let reply = Reply { id, result };
        client.handle(Instant(0), ClientInput::Reply { from, reply });
        assert!(sent(&mut client).is_empty());
        let (_, next) = ask(&mut client, ReadAt::Leader);
        assert_eq!(next == first, moves, "{at:?}");
    }
}

#[test]
fn call_whose_timeout_is_that_of_an_attempt_ends_when_the_attempt_is_lost() {
    let mut client = client(1_000);
    let deadline = Instant(0).after(ClientConfig::new(vec![LEADER]).attempt_timeout);
    let call = Call::Write(Bytes::from_static(b"x"));
    client
        .call(Instant(0), call, deadline)
        .expect("there is room");
    assert_eq!(sent(&mut client).len(), 1);
    client.handle(Instant(1), ClientInput::NodeDown { node: LEADER });
    assert_eq!(client.next_timeout(), deadline);
    client.handle(deadline, ClientInput::TimerFired);
    assert_eq!(client.pending(), 0);
}

#[test]
fn node_that_is_silent_until_a_call_ends_is_not_asked_the_next() {
    for answers in [true, false] {
        let nodes = (1..=3).map(NodeId).collect();
        let mut client = Client::new(ClientConfig::new(nodes), 1);
        let deadline = Instant(300_000);
        let mut ask = |now| {
            let call = Call::Read(Bytes::new());
            let deadline = Instant(now + deadline.0);
            let call = client.call(Instant(now), call, deadline);
            call.expect("there is room");
            let Some(ClientOutput::Send { to, requests }) = client.poll_output() else {
                panic!("it is sent")
            };
            if answers {
                // To another call, of long ago.
                let reply = Reply {
                    id: RequestId(requests[0].id.0 + 100),
                    result: Ok(Bytes::new()),
                };
                let late = Instant(now + 1);
                client.handle(late, ClientInput::Reply { from: to, reply });
            }
            client.handle(deadline, ClientInput::TimerFired);
            while client.poll_output().is_some() {}
            to
        };
        let first = ask(0);
        assert_eq!(ask(deadline.0) == first, answers);
    }
}

/// What a client remembers of a call does not grow with how long it lasts.
#[test]
fn late_answers_are_taken_of_the_latest_attempts() {
    for (attempts, is_taken) in [(1, true), (64, true), (65, false)] {
        let mut client = Client::new(ClientConfig::new(vec![LEADER]), 1);
        write(&mut client, 0).expect("there is room");
        let (from, mut now) = (LEADER, Instant(0));
        let first = sent(&mut client)[0].id;
        let mut latest = first;
        for _ in 1..attempts {
            let result = Err(RequestError::NotLeader { hint: None });
            let reply = Reply { id: latest, result };
            client.handle(now, ClientInput::Reply { from, reply });
            now = client.next_timeout();
            client.handle(now, ClientInput::TimerFired);
            latest = sent(&mut client)[0].id;
        }
        reply(&mut client, first, &7_u64.to_le_bytes());
        let is_open = matches!(
            sent(&mut client)[..],
            [Request {
                body: RequestBody::Write { .. },
                ..
            }]
        );
        assert_eq!(is_open, is_taken, "after {attempts} attempts");
    }
}
