//! Commands and queries, well-formed or not, executed by a store; then its snapshot.
//!
//! Every answer can be read, the revision rises by one or stays, what fails changes nothing, and
//! the state comes back from a snapshot that is cut anywhere.

use bytes::Bytes;
use quorate_kv::{Command, Expected, KeyRange, Kv, Projection, Query, Reply};
use quorate_raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};

use crate::source::Source;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let size = 1 + usize::from(source.byte());
    let mut kv = Kv::new();
    let mut index = Index(0);
    while !source.is_empty() {
        if source.below(4) == 0 {
            let query = query(&mut source);
            let reply = Reply::decode(&kv.query(&query)).expect("a reply can be read");
            assert!(matches!(
                reply,
                Reply::Got { .. }
                    | Reply::Range { .. }
                    | Reply::Lease { .. }
                    | Reply::Leases { .. }
                    | Reply::Compacted { .. }
                    | Reply::Changes { .. }
                    | Reply::Failed(_)
            ));
        } else {
            index = index.next();
            apply(&mut kv, index, &command(&mut source));
        }
    }
    check_snapshot(&kv, size);
}

fn apply(kv: &mut Kv, index: Index, command: &Bytes) {
    let context = ApplyContext {
        index,
        term: Term(1),
        time_ms: index.0,
    };
    // What time alone does is done before, so that the rest is the command's.
    let mut before = None;
    while before != Some(kv.digest()) {
        before = Some(kv.digest());
        kv.tick(&context);
    }
    let (revision, digest) = (kv.revision(), kv.digest());
    let reply = Reply::decode(&kv.apply(&context, command)).expect("a reply can be read");
    match reply {
        Reply::Failed(_) | Reply::Mismatch { .. } => {
            assert_eq!((kv.revision(), kv.digest()), (revision, digest));
        }
        Reply::Written { meta } | Reply::Incremented { meta, .. } => {
            assert_eq!(meta.mod_revision, revision + 1);
            assert_eq!(kv.revision(), revision + 1);
        }
        Reply::Deleted {
            count,
            revision: to,
        } => {
            assert_eq!(
                (to, kv.revision()),
                (kv.revision(), revision + u64::from(count > 0))
            );
        }
        Reply::Put { meta, .. } => {
            assert_eq!(
                (meta.mod_revision, kv.revision()),
                (revision + 1, revision + 1)
            );
        }
        Reply::Removed {
            records,
            revision: to,
        } => {
            assert_eq!(
                (to, kv.revision()),
                (kv.revision(), revision + u64::from(!records.is_empty()))
            );
        }
        Reply::Txn { revision: to, .. } => {
            assert_eq!(to, kv.revision());
            assert!(to == revision || to == revision + 1);
        }
        Reply::Lease { .. } | Reply::Compacted { .. } => assert_eq!(kv.revision(), revision),
        Reply::Got { .. } | Reply::Range { .. } | Reply::Leases { .. } | Reply::Changes { .. } => {
            panic!("a command is no query")
        }
    }
}

/// Chunks of `size` make the store again, and the same stream whatever the size.
fn check_snapshot(kv: &Kv, size: usize) {
    let chunks = chunks(kv, size);
    let mut restore = Kv::restore();
    for chunk in &chunks {
        restore.chunk(chunk).expect("its own chunk");
    }
    let restored = restore.finish().expect("its own snapshot");
    assert_eq!(
        (restored.len(), restored.revision(), restored.digest()),
        (kv.len(), kv.revision(), kv.digest())
    );
    assert!(restored.iter().eq(kv.iter()));
    assert_eq!(chunks.concat(), self::chunks(&restored, 1 << 20).concat());
}

/// All chunks of a store's snapshot.
pub(crate) fn chunks(kv: &Kv, size: usize) -> Vec<Bytes> {
    let mut snapshot = kv.snapshot();
    let mut chunks = Vec::new();
    loop {
        let (chunk, done) = snapshot.chunk(chunks.len() as u32, size);
        assert!(chunk.len() <= size);
        chunks.push(chunk);
        if done {
            return chunks;
        }
    }
}

/// A command, or any bytes.
pub(crate) fn command(source: &mut Source<'_>) -> Bytes {
    let command = match source.below(8) {
        0 => return source.bytes(),
        1 => Command::Delete { key: key(source) },
        2 => Command::DeleteRange {
            range: range(source),
        },
        3 => Command::Append {
            key: key(source),
            value: source.bytes(),
        },
        4 => Command::Increment {
            key: key(source),
            by: source.number().cast_signed(),
        },
        5 => Command::CompareAndSwap {
            key: key(source),
            expected: match source.below(3) {
                0 => Expected::Absent,
                1 => Expected::Revision(source.below(16)),
                _ => Expected::Value(source.bytes()),
            },
            new: source.flag().then(|| source.bytes()),
        },
        _ => Command::Put {
            key: key(source),
            value: source.bytes(),
        },
    };
    command.encode()
}

/// A query, or any bytes.
pub(crate) fn query(source: &mut Source<'_>) -> Bytes {
    let query = match source.below(3) {
        0 => return source.bytes(),
        1 => Query::Get { key: key(source) },
        _ => Query::Range {
            range: range(source),
            limit: source.below(6),
            projection: match source.below(3) {
                0 => Projection::Records,
                1 => Projection::Keys,
                _ => Projection::Count,
            },
        },
    };
    query.encode()
}

/// One of a few, so that commands meet; or any.
fn key(source: &mut Source<'_>) -> Bytes {
    match source.byte() {
        0xff => source.bytes(),
        byte => Bytes::from(vec![b'a' + byte % 16; 1 + usize::from(byte / 128)]),
    }
}

fn range(source: &mut Source<'_>) -> KeyRange {
    match source.below(4) {
        0 => KeyRange::all(),
        1 => KeyRange::prefix(key(source)),
        2 => KeyRange::from(key(source)),
        _ => KeyRange::between(key(source), key(source)),
    }
}
