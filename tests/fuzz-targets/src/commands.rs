//! Commands and queries, well-formed or not, executed by a store; then its snapshot.
//!
//! Every answer can be read, the revision rises by one or stays, what fails changes nothing, and
//! the state comes back from a snapshot that is cut anywhere.

use bytes::Bytes;
use quorate_kv::{
    Changes, Command, Compare, Expected, KeyRange, Kv, Op, Order, Projection, Query, RangeOptions,
    Relation, Reply, Target, Txn, Watch,
};
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
    assert_eq!(past(&restored), past(kv));
    assert_eq!(chunks.concat(), self::chunks(&restored, 1 << 20).concat());
}

/// Every event that is kept, and the leases with their keys: what a snapshot has not, and its
/// receiver makes anew.
pub(crate) fn past(kv: &Kv) -> Vec<Bytes> {
    let mut ask = Changes {
        watches: vec![Watch {
            previous: true,
            ..Watch::default()
        }],
        from: kv.compacted() + 1,
        limit: 3,
        ..Changes::default()
    };
    let mut replies = Vec::new();
    while ask.from <= kv.revision() {
        let reply = kv.query(&Query::Changes(ask.clone()).encode());
        let Ok(Reply::Changes { next, key, .. }) = Reply::decode(&reply) else {
            panic!("they are kept");
        };
        assert!(next > ask.from || key > ask.key, "it leads on");
        (ask.from, ask.key) = (next, key);
        replies.push(reply);
    }
    let leases = kv.query(&Query::Leases { start: 0 }.encode());
    if let Ok(Reply::Leases { ids, .. }) = Reply::decode(&leases) {
        let keys = Some(Bytes::new());
        let lease = |id| {
            kv.query(
                &Query::Lease {
                    id,
                    keys: keys.clone(),
                }
                .encode(),
            )
        };
        replies.extend(ids.into_iter().map(lease));
    }
    replies
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
    let command = match source.below(16) {
        0 => return source.bytes(),
        1 => Command::LeaseGrant {
            id: source.below(5),
            ttl_ms: 1 + source.below(16),
        },
        2 => Command::LeaseKeepAlive {
            id: source.below(5),
        },
        3 => Command::LeaseRevoke {
            id: source.below(5),
        },
        4 => Command::Compact {
            revision: source.below(32),
        },
        5 => Command::SetRetention {
            revisions: source.below(16),
            ms: source.below(16),
            bytes: source.below(1024),
        },
        _ => change(source, 0),
    };
    command.encode()
}

/// What a transaction can have, too.
fn change(source: &mut Source<'_>, depth: usize) -> Command {
    match source.below(12) {
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
        6 => Command::RemoveRange {
            range: range(source),
        },
        7 | 8 => Command::PutWith {
            key: key(source),
            value: source.flag().then(|| source.bytes()),
            lease: source.flag().then(|| source.below(5)),
            previous: source.flag(),
        },
        9 | 10 if depth < 3 => Command::Txn(Box::new(txn(source, depth))),
        _ => Command::Put {
            key: key(source),
            value: source.bytes(),
        },
    }
}

fn txn(source: &mut Source<'_>, depth: usize) -> Txn {
    let compares = (0..source.below(3)).map(|_| compare(source)).collect();
    let mut ops = || {
        let count = source.below(4);
        let op = |_| match source.below(4) {
            0 => Op::Ask(question(source)),
            _ => Op::Do(change(source, depth + 1)),
        };
        (0..count).map(op).collect()
    };
    Txn {
        compares,
        then: ops(),
        otherwise: ops(),
    }
}

fn compare(source: &mut Source<'_>) -> Compare {
    Compare {
        range: range(source),
        relation: match source.below(4) {
            0 => Relation::Equal,
            1 => Relation::NotEqual,
            2 => Relation::Greater,
            _ => Relation::Less,
        },
        target: match source.below(5) {
            0 => Target::Version(source.below(4)),
            1 => Target::CreateRevision(source.below(16)),
            2 => Target::ModRevision(source.below(16)),
            3 => Target::Lease(source.below(5)),
            _ => Target::Value(source.bytes()),
        },
    }
}

/// A query, or any bytes.
pub(crate) fn query(source: &mut Source<'_>) -> Bytes {
    let query = match source.below(6) {
        0 => return source.bytes(),
        1 => Query::Changes(Changes {
            watches: (0..source.below(4)).map(|_| watch(source)).collect(),
            from: source.below(32),
            key: source.flag().then(|| key(source)),
            limit: source.below(6),
            bytes: source.near(0),
        }),
        2 => Query::Lease {
            id: source.below(5),
            keys: source.flag().then(|| key(source)),
        },
        3 => Query::Leases {
            start: source.below(5),
        },
        _ => question(source),
    };
    query.encode()
}

fn watch(source: &mut Source<'_>) -> Watch {
    let bits = source.byte();
    Watch {
        range: range(source),
        no_put: bits & 1 == 1,
        no_delete: bits & 2 == 2,
        previous: bits & 4 == 4,
    }
}

/// What a transaction can ask, too.
fn question(source: &mut Source<'_>) -> Query {
    match source.below(3) {
        0 => Query::Get { key: key(source) },
        1 => Query::Range {
            range: range(source),
            limit: source.below(6),
            projection: projection(source),
        },
        _ => Query::RangeWith {
            range: range(source),
            options: RangeOptions {
                at: source.below(24),
                limit: source.below(6),
                projection: projection(source),
                order: match source.below(5) {
                    0 => Order::Key,
                    1 => Order::CreateRevision,
                    2 => Order::ModRevision,
                    3 => Order::Version,
                    _ => Order::Value,
                },
                descending: source.flag(),
                min_mod: source.below(8),
                max_mod: source.below(24),
                min_create: source.below(8),
                max_create: source.below(24),
            },
        },
    }
}

fn projection(source: &mut Source<'_>) -> Projection {
    match source.below(3) {
        0 => Projection::Records,
        1 => Projection::Keys,
        _ => Projection::Count,
    }
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
