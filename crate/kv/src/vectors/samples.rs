//! The examples: each variant, with every option, and numbers at both ends.

use bytes::Bytes;

use crate::command::{Command, Expected};
use crate::error::Code;
use crate::limits::{NUMBER_MAX, TTL_MS_MAX};
use crate::query::{Changes, Order, Projection, Query, RangeOptions, Watch};
use crate::range::KeyRange;
use crate::record::{Meta, Record};
use crate::reply;
use crate::txn::{Compare, Op, Relation, Target, Txn};
use crate::wire::put_bytes;

/// A key like any, and one of more than ASCII.
const KEY: &[u8] = b"k";
const OTHER: &[u8] = "Schlüssel/🔑".as_bytes();
/// Bytes that are no text.
const BYTES: &[u8] = &[0x00, 0x7f, 0x80, 0xff];

fn key() -> Bytes {
    Bytes::from_static(KEY)
}

fn other() -> Bytes {
    Bytes::from_static(OTHER)
}

fn value() -> Bytes {
    Bytes::from_static(BYTES)
}

/// Longer than one byte of length says.
fn long() -> Bytes {
    vec![b'x'; 130].into()
}

fn put(key: Bytes, value: Bytes) -> Command {
    Command::Put { key, value }
}

pub(super) fn commands() -> Vec<(&'static str, Command)> {
    let mut all = vec![
        ("put", put(key(), value())),
        ("put, empty value", put(other(), Bytes::new())),
        ("put, long value", put(long(), long())),
        ("put, empty key", put(Bytes::new(), value())),
        ("delete", Command::Delete { key: other() }),
        (
            "append",
            Command::Append {
                key: key(),
                value: value(),
            },
        ),
    ];
    all.extend(ranges().map(|(name, range)| (name, Command::DeleteRange { range })));
    all.extend(ranges().map(|(name, range)| (name, Command::RemoveRange { range })));
    for (name, expected, new) in [
        ("swap, absent", Expected::Absent, Some(value())),
        ("swap, revision", Expected::Revision(1), Some(Bytes::new())),
        (
            "swap, largest revision",
            Expected::Revision(NUMBER_MAX),
            None,
        ),
        ("swap, value", Expected::Value(value()), Some(long())),
        ("swap, empty value", Expected::Value(Bytes::new()), None),
    ] {
        let key = key();
        all.push((name, Command::CompareAndSwap { key, expected, new }));
    }
    let largest = NUMBER_MAX.cast_signed();
    for by in [
        0,
        1,
        -1,
        63,
        64,
        -64,
        -65,
        largest,
        -largest,
        i64::MAX,
        i64::MIN,
    ] {
        all.push(("increment", Command::Increment { key: key(), by }));
    }
    for (name, value, lease, previous) in [
        ("put with all", Some(value()), Some(NUMBER_MAX), true),
        ("put with nothing kept", Some(Bytes::new()), Some(0), false),
        ("put, lease kept", Some(value()), None, true),
        ("put, value kept", None, Some(128), false),
        ("put, all kept", None, None, true),
    ] {
        all.push((
            name,
            Command::PutWith {
                key: other(),
                value,
                lease,
                previous,
            },
        ));
    }
    all.extend(txns().map(|(name, txn)| (name, Command::Txn(Box::new(txn)))));
    for (id, ttl_ms) in [(0, 1), (127, 128), (NUMBER_MAX, TTL_MS_MAX)] {
        all.push(("lease grant", Command::LeaseGrant { id, ttl_ms }));
    }
    for id in [1, 1 << 32, NUMBER_MAX] {
        all.push(("lease keep alive", Command::LeaseKeepAlive { id }));
        all.push(("lease revoke", Command::LeaseRevoke { id }));
        all.push(("compact", Command::Compact { revision: id }));
    }
    for (revisions, ms, bytes) in [
        (0, 0, 0),
        (10_000, 0, 1 << 24),
        (0, 3_600_000, 0),
        (NUMBER_MAX, NUMBER_MAX, NUMBER_MAX),
    ] {
        let retention = Command::SetRetention {
            revisions,
            ms,
            bytes,
        };
        all.push(("set retention", retention));
    }
    all
}

fn ranges() -> [(&'static str, KeyRange); 5] {
    [
        ("all keys", KeyRange::all()),
        ("keys of a prefix", KeyRange::prefix(other())),
        ("keys between", KeyRange::between(key(), long())),
        ("keys from", KeyRange::from(value())),
        ("one key", KeyRange::single(key())),
    ]
}

fn txns() -> impl Iterator<Item = (&'static str, Txn)> {
    let targets = [
        Target::Version(0),
        Target::CreateRevision(1),
        Target::ModRevision(NUMBER_MAX),
        Target::Lease(128),
        Target::Value(value()),
        Target::Value(Bytes::new()),
    ];
    let relations = [
        Relation::Equal,
        Relation::NotEqual,
        Relation::Greater,
        Relation::Less,
        Relation::Equal,
        Relation::NotEqual,
    ];
    let compare = |((relation, target), (_, range))| Compare {
        range,
        relation,
        target,
    };
    let compares = relations
        .into_iter()
        .zip(targets)
        .zip(ranges().into_iter().cycle())
        .map(compare);
    let within = Txn {
        then: vec![Op::Do(Command::Txn(Box::default()))],
        ..Txn::default()
    };
    // Every command that a transaction may have.
    let does = commands_of_txn().into_iter().map(Op::Do);
    let asks = queries().into_iter().map(|(_, query)| query);
    let asks = asks.filter(|query| {
        matches!(
            query,
            Query::Get { .. } | Query::Range { .. } | Query::RangeWith { .. }
        )
    });
    [
        ("transaction of nothing", Txn::default()),
        (
            "transaction of conditions",
            Txn {
                compares: compares.collect(),
                ..Txn::default()
            },
        ),
        (
            "transaction of changes, else of queries",
            Txn {
                then: does.collect(),
                otherwise: asks.map(Op::Ask).collect(),
                ..Txn::default()
            },
        ),
        (
            "transactions in a transaction",
            Txn {
                otherwise: vec![Op::Do(Command::Txn(Box::new(within)))],
                ..Txn::default()
            },
        ),
    ]
    .into_iter()
}

fn commands_of_txn() -> Vec<Command> {
    vec![
        put(key(), value()),
        Command::Delete { key: other() },
        Command::DeleteRange {
            range: KeyRange::prefix(key()),
        },
        Command::Append {
            key: value(),
            value: value(),
        },
        Command::CompareAndSwap {
            key: long(),
            expected: Expected::Absent,
            new: None,
        },
        Command::Increment { key: key(), by: -1 },
        Command::PutWith {
            key: key(),
            value: None,
            lease: Some(7),
            previous: true,
        },
        Command::RemoveRange {
            range: KeyRange::from(other()),
        },
    ]
}

pub(super) fn queries() -> Vec<(&'static str, Query)> {
    let mut all = vec![
        ("get", Query::Get { key: key() }),
        ("get, no text", Query::Get { key: value() }),
    ];
    let projections = [Projection::Records, Projection::Keys, Projection::Count];
    for ((name, range), projection) in ranges().into_iter().zip(projections.into_iter().cycle()) {
        let limit = [0, 1, NUMBER_MAX][projection as usize];
        all.push((
            name,
            Query::Range {
                range,
                limit,
                projection,
            },
        ));
    }
    let plain = RangeOptions::default();
    let full = RangeOptions {
        at: NUMBER_MAX,
        limit: 1,
        projection: Projection::Keys,
        order: Order::CreateRevision,
        descending: true,
        min_mod: 127,
        max_mod: 128,
        min_create: 16_383,
        max_create: 16_384,
    };
    let ordered = |order| RangeOptions { order, ..plain };
    for (name, options) in [
        ("range without options", plain),
        ("range with every option", full),
        ("range by revision", ordered(Order::ModRevision)),
        ("range by version", ordered(Order::Version)),
        ("range by value", ordered(Order::Value)),
        (
            "count of the past",
            RangeOptions {
                at: 5,
                projection: Projection::Count,
                ..plain
            },
        ),
    ] {
        let range = KeyRange::prefix(other());
        all.push((name, Query::RangeWith { range, options }));
    }
    let watch = |(name, no_put, no_delete, previous): (&str, _, _, _)| Watch {
        range: KeyRange::prefix(Bytes::copy_from_slice(name.as_bytes())),
        no_put,
        no_delete,
        previous,
    };
    let watches = [
        ("", false, false, false),
        ("a", true, false, false),
        ("b", false, true, false),
        ("c", false, false, true),
    ];
    for (name, changes) in [
        ("changes of nothing, from now", Changes::default()),
        (
            "changes of several watches",
            Changes {
                watches: watches.map(watch).into(),
                from: 1,
                key: None,
                limit: 100,
                bytes: 65_536,
            },
        ),
        (
            "changes from within a revision",
            Changes {
                watches: vec![Watch::default()],
                from: NUMBER_MAX,
                key: Some(other()),
                limit: NUMBER_MAX,
                bytes: NUMBER_MAX,
            },
        ),
    ] {
        all.push((name, Query::Changes(changes)));
    }
    for keys in [None, Some(Bytes::new()), Some(other())] {
        all.push((
            "lease",
            Query::Lease {
                id: NUMBER_MAX,
                keys,
            },
        ));
    }
    for start in [0, 129, NUMBER_MAX] {
        all.push(("leases", Query::Leases { start }));
    }
    all
}

/// As the machine writes them.
pub(super) fn replies() -> Vec<(String, Bytes)> {
    let small = Meta::created(1);
    let large = Meta {
        create_revision: 2,
        mod_revision: NUMBER_MAX,
        version: NUMBER_MAX - 1,
        lease: NUMBER_MAX,
    };
    let one = Record::new(KEY, small, [BYTES, &[]]);
    let two = Record::new(OTHER, large, [&[], &[]]);
    let records = [one.encoded(), two.encoded()].concat();
    let listed = |replies: &[Bytes]| {
        let mut out = Vec::new();
        replies.iter().for_each(|reply| put_bytes(&mut out, reply));
        out
    };
    let mut keys = Vec::new();
    for key in [KEY, OTHER] {
        put_bytes(&mut keys, key);
    }
    let events = {
        let gone = Record::new(OTHER, Meta::deleted(NUMBER_MAX), [&[], &[]]);
        let mut out = [&[0], one.encoded(), &[0]].concat();
        out.extend([&[0], two.encoded(), &[1], one.encoded()].concat());
        out.extend([&[1], gone.encoded(), &[1], two.encoded()].concat());
        out
    };
    let max = NUMBER_MAX;
    let within = reply::txn(true, 4, &listed(&[reply::got(None, 4)]));
    let done = listed(&[reply::put(small, None), reply::deleted(1, 5), within]);
    let mut all = vec![
        ("written", reply::written(small)),
        ("written, largest numbers", reply::written(large)),
        ("incremented", reply::incremented(0, small)),
        ("incremented, negative", reply::incremented(-65, small)),
        ("incremented, least", reply::incremented(i64::MIN, large)),
        ("incremented, greatest", reply::incremented(i64::MAX, large)),
        ("deleted nothing", reply::deleted(0, 0)),
        ("deleted", reply::deleted(300, max)),
        ("mismatch, absent", reply::mismatch(None, 0)),
        ("mismatch", reply::mismatch(Some(&one), 128)),
        ("got nothing", reply::got(None, max)),
        ("got", reply::got(Some(&two), max)),
        ("range of nothing", reply::range(0, 0, None, &[])),
        ("range", reply::range(128, 2, None, &records)),
        ("range, cut", reply::range(max, max, Some(OTHER), &records)),
        ("put", reply::put(small, None)),
        ("put, with previous", reply::put(large, Some(&one))),
        ("removed nothing", reply::removed(1, &[])),
        ("removed", reply::removed(max, &records)),
        ("transaction of nothing", reply::txn(false, 0, &[])),
        ("transaction", reply::txn(true, 5, &done)),
        ("lease", reply::lease(1, 2, 1, None, &[])),
        (
            "lease with keys",
            reply::lease(max, TTL_MS_MAX, 128, Some(BYTES), &keys),
        ),
        ("no leases", reply::leases(0, &[])),
        ("leases", reply::leases(300, &[1, 127, 128, max])),
        ("compacted", reply::compacted(0, 0)),
        ("compacted, largest", reply::compacted(max, max)),
        ("no changes", reply::changes(0, 1, None, &[])),
        ("changes", reply::changes(max - 1, max, None, &events)),
        ("changes, cut", reply::changes(9, 9, Some(OTHER), &events)),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect::<Vec<_>>();
    all.extend(Code::ALL.map(|code| (format!("failed: {code}"), reply::failed(code))));
    all
}

/// Bytes that no store answers.
pub(super) fn no_replies() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("nothing", b""),
        ("a tag that no reply has", b"\x0e"),
        ("a command's tag", b"\x41\x01k"),
        ("a code that is none", b"\x00\x00"),
        ("a code that is none yet", b"\x00\x10"),
        ("meta that is cut short", b"\x01\x01\x00\x01"),
        ("something behind the meta", b"\x01\x01\x00\x01\x00\x00"),
        ("a number in a longer form", b"\x03\x80\x00\x01"),
        (
            "a number above 64 bits",
            b"\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01",
        ),
        ("a number without an end", b"\x03\xff"),
        ("an option that is neither", b"\x05\x01\x02"),
        ("a record that is not there", b"\x05\x01\x01"),
        ("a key that is cut short", b"\x05\x01\x01\x05k"),
        (
            "a value that is cut short",
            b"\x05\x01\x01\x01k\x01\x00\x01\x00\x09v",
        ),
        (
            "a length above all sizes",
            b"\x05\x01\x01\xff\xff\xff\xff\xff\xff\xff\x0fk",
        ),
        ("a flag that is neither", b"\x09\x02\x01"),
        (
            "a reply in a transaction that is none",
            b"\x09\x01\x01\x02\x00\x00",
        ),
        (
            "an event without its previous record",
            b"\x0d\x01\x02\x00\x00\x01k\x01\x00\x01\x00\x00",
        ),
    ]
}
