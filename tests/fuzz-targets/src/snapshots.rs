//! Snapshots: the stream of a store, and the chunks of a node with its session table. What is
//! accepted comes out again as it went in, and a node that starts with it serves.

use core::time::Duration;

use bytes::Bytes;
use quorate_kv::Kv;
use quorate_raft::{ConfState, EntryId, Index, Instant, Restored, Term};
use quorate_rsm::{
    ApplyContext, ClientId, Input, MachineRestore, Node, Output, Request, RequestBody, RequestId,
    SessionId, StateMachine,
};

use crate::commands::{chunks, command};
use crate::node::config;
use crate::peer::OWN;
use crate::source::Source;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(3) {
        0 => run_store(&mut source),
        1 => run_node(&mut source),
        _ => run_records(&mut source),
    }
}

/// A stream, in chunks of one size.
fn run_store(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let stream = source.rest();
    let mut restore = Kv::restore();
    for chunk in stream.chunks(size) {
        if restore.chunk(&Bytes::copy_from_slice(chunk)).is_err() {
            return;
        }
    }
    if let Ok(kv) = restore.finish() {
        assert_eq!(chunks(&kv, size).concat(), stream);
        check_order(&kv);
    }
}

fn check_order(kv: &Kv) {
    let keys: Vec<_> = kv.iter().map(|record| record.key).collect();
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert!(keys.iter().all(|key| kv.get(key).is_some()));
}

/// The records of a real store, intact one by one, of which some changed places, came twice or are
/// gone: only the store itself is accepted. The digest is of sums, and does not know the order.
fn run_records(source: &mut Source<'_>) {
    let mut kv = Kv::new();
    for number in 1..=1 + source.below(12) {
        let context = ApplyContext {
            index: Index(number),
            term: Term(1),
            time_ms: number,
        };
        kv.apply(&context, &command(source));
    }
    let whole = chunks(&kv, 1 << 20).concat();
    let (header, records) = split(&whole);
    let mut changed = records.clone();
    for _ in 0..source.below(4) {
        if changed.is_empty() {
            break;
        }
        let len = changed.len() as u64;
        let (at, to) = (source.below(len) as usize, source.below(len) as usize);
        match source.below(3) {
            0 => changed.swap(at, to),
            1 => changed[to] = changed[at],
            _ => drop(changed.remove(at)),
        }
    }
    let stream = [header, &changed.concat()].concat();
    let mut restore = Kv::restore();
    let restored = restore
        .chunk(&Bytes::from(stream))
        .and_then(|()| restore.finish());
    assert_eq!(restored.is_ok(), changed == records);
}

/// The header of a store's stream, and its records, read a second time from `docs/kv.md`.
fn split(stream: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let mut at = 1;
    let number = |at: &mut usize| {
        let len = stream[*at..].iter().position(|byte| *byte < 0x80);
        let bytes = &stream[*at..=*at + len.expect("a number ends")];
        *at += bytes.len();
        let add = |number, byte: &u8| number << 7 | usize::from(byte & 0x7f);
        bytes.iter().rev().fold(0, add)
    };
    // Seven numbers of the store, two of each tree, and a revision; its key; the digest.
    for _ in 0..14 {
        number(&mut at);
    }
    at += number(&mut at) + 8;
    let (header, mut records) = (&stream[..at], Vec::new());
    while at < stream.len() {
        let start = at;
        at += number(&mut at);
        for _ in 0..4 {
            number(&mut at);
        }
        at += number(&mut at);
        records.push(&stream[start..at]);
    }
    (header, records)
}

/// The head, and what a client asks of the node; the rest is the machine's stream.
fn run_node(source: &mut Source<'_>) {
    let head = source.bytes();
    let requests: Vec<_> = (0..source.below(4)).map(|_| request(source)).collect();
    let parts = source.rest().chunks(64);
    let chunks: Vec<_> = core::iter::once(head)
        .chain(parts.map(Bytes::copy_from_slice))
        .collect();
    let last = EntryId::new(Term(1), Index(9));
    let mut restored = Restored::fresh(ConfState::new([OWN]));
    restored.snapshot.last = last;
    restored.log_start = last;
    restored.hard_state.term = last.term;
    let node = Node::new(config(), restored, chunks, Kv::new(), Instant(0), 1);
    if let Ok(node) = node {
        serve(node, requests);
    }
}

fn request(source: &mut Source<'_>) -> RequestBody {
    match source.below(4) {
        0 => RequestBody::OpenSession,
        _ => RequestBody::Write {
            session: SessionId(source.below(32)),
            sequence: source.near(4),
            acknowledged: source.near(4),
            command: command(source),
        },
    }
}

/// The only voter leads as soon as its timer says so, and answers everything.
fn serve(mut node: Node<Kv>, requests: Vec<RequestBody>) {
    let mut now = node.next_timeout();
    node.handle(now, Input::TimerFired).expect("a timer");
    let mut answers = drain(&mut node, now);
    assert!(node.raft().is_leader());
    let asked = requests.len();
    for (number, body) in requests.into_iter().enumerate() {
        let request = Request {
            id: RequestId(number as u64),
            body,
        };
        let client = ClientId(1);
        now = now.after(Duration::from_millis(2));
        node.handle(now, Input::Request { client, request })
            .expect("a request");
        answers += drain(&mut node, now);
    }
    assert_eq!(answers, asked);
}

/// Takes all outputs and makes every round durable at once; how many answers there were.
fn drain(node: &mut Node<Kv>, now: Instant) -> usize {
    let mut answers = 0;
    while let Some(output) = node.poll_output() {
        match output {
            Output::Persist(batch) => {
                let seq = batch.seq;
                node.handle(now, Input::Persisted { seq })
                    .expect("under way");
            }
            Output::Reply { replies, .. } => answers += replies.len(),
            Output::Halted(cause) => panic!("{cause:?}"),
            Output::Send(_)
            | Output::RoleChanged { .. }
            | Output::MembershipChanged { .. }
            | Output::Diverged { .. }
            | Output::Restored { .. } => {}
        }
    }
    answers
}
