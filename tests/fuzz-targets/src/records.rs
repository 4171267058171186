//! The records of a store: their bytes as they are, or payloads with right checksums. Either they
//! are refused, with a place, or a node opens with them, or says why not.

use bytes::Bytes;
use quorate_kv::Kv;
use quorate_raft::{Index, Instant};
use quorate_rsm::storage::{Loaded, StorageError, load};
use quorate_rsm::{Input, Node, NodeConfig, OpenError};

use crate::envelope::{Kind, payload, seal};
use crate::source::{Source, put_bytes, put_number};

/// Inputs that an opened node gets.
const STEPS: usize = 8;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut records: Vec<(String, Bytes)> = Vec::new();
    while !source.is_empty() {
        let (key, record) = record(&mut source);
        // A store has each key once, and none is empty.
        if !key.is_empty() && records.iter().all(|(other, _)| *other != key) {
            records.push((key, record));
        }
    }
    let forwards = load(records.iter().cloned());
    let backwards = load(records.into_iter().rev());
    match (forwards, backwards) {
        (Ok(forwards), Ok(backwards)) => {
            assert!(forwards == backwards, "records have no order");
            open(forwards);
        }
        (Err(StorageError { place, .. }), Err(_)) => assert!(!place.is_empty()),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("records have no order"),
    }
}

/// A record of a store in a form that mutates well.
pub(crate) fn put_record(out: &mut Vec<u8>, key: &str, record: &[u8]) {
    let kind = match key.split('/').nth(1) {
        None => 0,
        Some("hard") => 1,
        Some("log") => 2,
        Some("snap") => 3,
        Some(_) => 4,
    };
    out.push(kind);
    let numbers: Vec<_> = key.split('/').skip(2).collect();
    for number in numbers {
        out.push(u64::from_str_radix(number, 16).map_or(0, |number| number.min(0xef)) as u8);
    }
    // A seed's numbers fit into seven bits, and so does a payload of nothing else.
    let payload = payload(record);
    let is_numbers = matches!(kind, 1 | 4) && payload.iter().all(|byte| *byte < 0x80);
    out.push(u8::from(is_numbers));
    put_bytes(out, payload);
}

/// The other way round: the key, and the record with right checksums; or both as they come.
fn record(source: &mut Source<'_>) -> (String, Bytes) {
    let (kind, key) = match source.below(6) {
        0 => (Kind::Ident, "ident".to_owned()),
        1 => (Kind::Hard, "0000/hard".to_owned()),
        2 => (Kind::Log, format!("0000/log/{:016x}", number(source))),
        3 => {
            let (index, chunk) = (number(source), number(source));
            (Kind::Chunk, format!("0000/snap/{index:016x}/{chunk:08x}"))
        }
        4 => (Kind::Manifest, "0000/manifest".to_owned()),
        _ => {
            let key = String::from_utf8_lossy(&source.bytes()).into_owned();
            return (key, source.bytes());
        }
    };
    let payload = if source.flag() {
        numbers(source)
    } else {
        source.bytes().to_vec()
    };
    (key.clone(), seal(kind, key.as_bytes(), &payload).into())
}

/// A small number, or any.
fn number(source: &mut Source<'_>) -> u64 {
    match source.byte() {
        0xf0.. => source.number(),
        number => u64::from(number),
    }
}

/// So many numbers, small ones or any, as `docs/protocol.md` writes them: the others stay when one changes.
fn numbers(source: &mut Source<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..source.byte() {
        put_number(&mut payload, number(source));
    }
    payload
}

fn open(loaded: Loaded) {
    let Loaded { ident, groups } = loaded;
    let Some(ident) = ident else {
        return;
    };
    for (_, group) in groups {
        let mut config = NodeConfig::new(ident.node);
        config.raft.storage = ident.storage;
        let node = Node::new(
            config,
            group.restored,
            group.chunks,
            Kv::new(),
            Instant(0),
            1,
        );
        match node {
            Ok(node) => live(node),
            Err(OpenError::Corrupt(corrupt)) => assert!(!corrupt.to_string().is_empty()),
            Err(OpenError::BadSnapshot(what)) => assert!(!what.is_empty()),
        }
    }
}

/// What was stored was sound, so the node lives with it.
fn live(mut node: Node<Kv>) {
    for _ in 0..STEPS {
        let now = node.next_timeout();
        if now == Instant::NEVER {
            return;
        }
        if node.handle(now, Input::TimerFired).is_err() {
            return;
        }
        while let Some(output) = node.poll_output() {
            if let quorate_rsm::Output::Persist(batch) = output {
                let (now, seq) = (node.next_timeout(), batch.seq);
                let done = node.handle(now.min(Instant(1 << 60)), Input::Persisted { seq });
                assert!(done.is_ok() || node.raft().status().halted);
            }
        }
        assert!(node.raft().applied().index <= node.raft().commit());
        assert!(node.raft().commit() >= Index(0));
    }
}
