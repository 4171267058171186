//! Each code has a command or a query that fails with it, alone and within transactions, and what
//! fails leaves no trace.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use bytes::Bytes;
use quorate_kv::{
    Changes, Code, Command, Compare, Expected, KEY_BYTES_MAX, KeyRange, Kv, Op, Projection, Query,
    RangeOptions, Relation, Reply, TTL_MS_MAX, TXN_OPS_MAX, Target, Txn, VALUE_BYTES_MAX, Watch,
};
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};

const CONTEXT: ApplyContext = ApplyContext {
    index: Index(1),
    term: Term(1),
    time_ms: 1_000,
};

enum Asked {
    Do(Command),
    Ask(Query),
    Bytes(&'static [u8]),
}

use Asked::{Ask, Do};

fn key(key: &'static str) -> Bytes {
    Bytes::from_static(key.as_bytes())
}

fn bytes(len: usize) -> Bytes {
    vec![b'x'; len].into()
}

fn put(key: Bytes, value: Bytes) -> Command {
    Command::Put { key, value }
}

fn put_with(key: Bytes, value: Option<Bytes>, lease: Option<u64>) -> Command {
    Command::PutWith {
        key,
        value,
        lease,
        previous: true,
    }
}

fn txn(then: Vec<Op>) -> Command {
    Command::Txn(Box::new(Txn {
        then,
        ..Txn::default()
    }))
}

/// Keys with a past, of any kind; at revision 12, and compacted at 4.
fn store() -> Kv {
    let mut kv = Kv::new();
    let largest = || bytes(VALUE_BYTES_MAX);
    for command in [
        Command::LeaseGrant { id: 7, ttl_ms: 500 },
        put(key("a"), key("1")),
        put(key("a"), key("2")),
        put(key("gone"), key("x")),
        Command::Delete { key: key("gone") },
        Command::Compact { revision: 4 },
        put(key("text"), key("007")),
        put(key("most"), key("9223372036854775807")),
        put(key("big/1"), largest()),
        put(key("big/2"), largest()),
        put(key("big/3"), largest()),
        put_with(key("hangs"), Some(key("x")), Some(7)),
        put_with(key("hangs"), Some(key("y")), None),
        put(key("a"), key("3")),
    ] {
        let reply = Reply::decode(&kv.apply(&CONTEXT, &command.encode()));
        assert!(!matches!(reply, Ok(Reply::Failed(_))), "{command:?}");
    }
    assert_eq!((kv.revision(), kv.compacted()), (12, 4));
    kv
}

/// No arm is left out, so that a code without a case does not compile.
fn cases(code: Code) -> Vec<Asked> {
    let long_key = || bytes(KEY_BYTES_MAX + 1);
    let long_range = || KeyRange::between(key("a"), bytes(KEY_BYTES_MAX + 2));
    let long_value = || bytes(VALUE_BYTES_MAX + 1);
    let swap = |key, expected, new| Command::CompareAndSwap { key, expected, new };
    let increment = |key, by| Command::Increment { key, by };
    let at = |at| Query::RangeWith {
        range: KeyRange::all(),
        options: RangeOptions {
            at,
            ..RangeOptions::default()
        },
    };
    let all = || Query::Range {
        range: KeyRange::prefix("big/"),
        limit: 1,
        projection: Projection::Records,
    };
    let compare = |range, target| {
        Do(Command::Txn(Box::new(Txn {
            compares: vec![Compare {
                range,
                relation: Relation::Equal,
                target,
            }],
            ..Txn::default()
        })))
    };
    match code {
        Code::Malformed => vec![
            Asked::Bytes(b""),
            Asked::Bytes(b"\x01\x01a"),
            Asked::Bytes(b"\xff"),
        ],
        Code::EmptyKey => vec![
            Do(put(key(""), key("v"))),
            Do(put_with(key(""), Some(key("v")), Some(0))),
            Do(Command::Delete { key: key("") }),
            Do(Command::Append {
                key: key(""),
                value: key("v"),
            }),
            Do(increment(key(""), 1)),
            Do(swap(key(""), Expected::Absent, None)),
            Ask(Query::Get { key: key("") }),
        ],
        Code::KeyTooLarge => vec![
            Do(put(long_key(), key("v"))),
            Do(put_with(long_key(), Some(key("v")), Some(0))),
            Do(Command::Delete { key: long_key() }),
            Do(Command::DeleteRange {
                range: long_range(),
            }),
            Do(Command::RemoveRange {
                range: long_range(),
            }),
            compare(long_range(), Target::Version(0)),
            Ask(Query::Get { key: long_key() }),
            Ask(Query::RangeWith {
                range: long_range(),
                options: RangeOptions::default(),
            }),
            Ask(Query::Changes(Changes {
                watches: vec![Watch {
                    range: long_range(),
                    ..Watch::default()
                }],
                ..Changes::default()
            })),
        ],
        Code::ValueTooLarge => vec![
            Do(put(key("a"), long_value())),
            Do(put_with(key("a"), Some(long_value()), None)),
            Do(Command::Append {
                key: key("big/1"),
                value: key("v"),
            }),
            Do(swap(key("a"), Expected::Absent, Some(long_value()))),
            compare(KeyRange::all(), Target::Value(long_value())),
        ],
        Code::NotAnInteger => vec![Do(increment(key("text"), 1))],
        Code::Overflow => vec![Do(increment(key("most"), 1))],
        Code::DuplicateKey => vec![
            Do(txn(vec![
                Op::Do(put(key("a"), key("4"))),
                Op::Do(put(key("a"), key("5"))),
            ])),
            Do(txn(vec![
                Op::Do(Command::Delete { key: key("hangs") }),
                Op::Do(put(key("hangs"), key("z"))),
            ])),
            Do(txn(vec![
                Op::Do(put(key("hangs"), key("z"))),
                Op::Do(Command::DeleteRange {
                    range: KeyRange::prefix("h"),
                }),
            ])),
            Do(txn(vec![
                Op::Do(put(key("new"), key("z"))),
                Op::Do(txn(vec![Op::Do(Command::RemoveRange {
                    range: KeyRange::single("new"),
                })])),
            ])),
        ],
        Code::Compacted => vec![
            Do(Command::Compact { revision: 4 }),
            Do(Command::Compact { revision: 0 }),
            Ask(at(3)),
        ],
        Code::FutureRevision => vec![Do(Command::Compact { revision: 13 }), Ask(at(13))],
        Code::KeyNotFound => vec![
            Do(put_with(key("gone"), None, Some(0))),
            Do(put_with(key("gone"), Some(key("x")), None)),
        ],
        Code::TooManyOperations => vec![
            Do(txn(vec![
                Op::Do(Command::Delete { key: key("x") });
                TXN_OPS_MAX + 1
            ])),
            Do(txn(vec![Op::Do(txn(vec![
                Op::Ask(Query::Get {
                    key: key("x")
                });
                TXN_OPS_MAX
            ]))])),
            Do(Command::Txn(Box::new(Txn {
                compares: vec![
                    Compare {
                        range: KeyRange::all(),
                        relation: Relation::Equal,
                        target: Target::Version(0),
                    };
                    TXN_OPS_MAX + 1
                ],
                ..Txn::default()
            }))),
        ],
        Code::ReplyTooLarge => vec![
            Do(Command::RemoveRange {
                range: KeyRange::prefix("big/"),
            }),
            Do(txn(vec![
                Op::Do(put(key("a"), key("4"))),
                Op::Ask(all()),
                Op::Ask(all()),
                Op::Ask(all()),
            ])),
        ],
        Code::LeaseNotFound => vec![
            Do(Command::LeaseKeepAlive { id: 8 }),
            Do(Command::LeaseRevoke { id: 8 }),
            Do(put_with(key("a"), Some(key("x")), Some(8))),
            Ask(Query::Lease { id: 8, keys: None }),
        ],
        Code::LeaseExists => vec![Do(Command::LeaseGrant { id: 7, ttl_ms: 1 })],
        Code::BadLease => vec![
            Do(Command::LeaseGrant { id: 1, ttl_ms: 0 }),
            Do(Command::LeaseGrant {
                id: 0,
                ttl_ms: TTL_MS_MAX + 1,
            }),
            Do(Command::LeaseGrant {
                id: 1 << 53,
                ttl_ms: 1,
            }),
        ],
    }
}

/// All that can be seen of a store: its snapshot, what its revisions did, and a lease's keys.
fn seen(kv: &Kv) -> Vec<Bytes> {
    let changes = Query::Changes(Changes {
        watches: vec![Watch {
            previous: true,
            ..Watch::default()
        }],
        from: kv.compacted() + 1,
        ..Changes::default()
    });
    let lease = Query::Lease {
        id: 7,
        keys: Some(Bytes::new()),
    };
    vec![
        kv.snapshot().chunk(0, usize::MAX).0,
        kv.query(&changes.encode()),
        kv.query(&lease.encode()),
    ]
}

fn restored(kv: &Kv) -> Kv {
    let mut restore = Kv::restore();
    let (stream, _) = kv.snapshot().chunk(0, usize::MAX);
    restore.chunk(&stream).expect("it was cut from a store");
    restore.finish().expect("it was cut from a store")
}

fn fails(kv: &mut Kv, command: &Bytes, code: Code) {
    let reply = Reply::decode(&kv.apply(&CONTEXT, command));
    assert_eq!(reply, Ok(Reply::Failed(code)));
}

#[test]
fn what_fails_says_why_and_changes_nothing() {
    let whole = store();
    let before = seen(&whole);
    assert_eq!(seen(&restored(&whole)), before);
    for code in Code::ALL {
        let mut kv = whole.clone();
        for asked in cases(code) {
            match asked {
                Do(command) => fails(&mut kv, &command.encode(), code),
                Asked::Bytes(bytes) => {
                    fails(&mut kv, &Bytes::from_static(bytes), code);
                    let reply = Reply::decode(&kv.query(&Bytes::from_static(bytes)));
                    assert_eq!(reply, Ok(Reply::Failed(code)));
                }
                Ask(query) => {
                    let reply = Reply::decode(&kv.query(&query.encode()));
                    assert_eq!(reply, Ok(Reply::Failed(code)), "{query:?}");
                }
            }
            assert_eq!(kv.digest(), whole.digest(), "{code}");
        }
        assert_eq!(seen(&kv), before, "{code}");
    }
}

/// Changes of every kind come first, and go again.
#[test]
fn a_transaction_that_fails_at_its_end_changes_nothing() {
    let whole = store();
    let before = seen(&whole);
    let changes = || {
        vec![
            Op::Do(put(key("a"), key("4"))),
            Op::Do(put(key("new"), key("4"))),
            Op::Do(put_with(key("new/hangs"), Some(key("4")), Some(7))),
            Op::Do(put_with(key("hangs"), None, Some(0))),
            Op::Do(Command::DeleteRange {
                range: KeyRange::prefix("big/"),
            }),
            Op::Do(Command::Delete { key: key("most") }),
            Op::Do(put(key("gone"), key("again"))),
        ]
    };
    let mut tried = 0;
    for code in Code::ALL {
        for asked in cases(code) {
            let last = match asked {
                Do(command) => Op::Do(command),
                Ask(query) => Op::Ask(query),
                Asked::Bytes(_) => continue,
            };
            // What a transaction cannot have does not decode, and what met these changes fails otherwise.
            let mut ops = changes();
            ops.push(last);
            for command in [txn(ops.clone()), txn(vec![Op::Do(txn(ops))])] {
                let mut kv = whole.clone();
                let reply = Reply::decode(&kv.apply(&CONTEXT, &command.encode()));
                if let Ok(Reply::Failed(_)) = reply {
                    tried += usize::from(reply == Ok(Reply::Failed(code)));
                    assert_eq!(kv.digest(), whole.digest(), "{code}");
                    assert_eq!(seen(&kv), before, "{code}");
                }
            }
        }
    }
    assert!(tried > 40, "only {tried} failed as they do alone");
    // Without what fails, they are done, all by one revision.
    let mut kv = whole.clone();
    kv.apply(&CONTEXT, &txn(changes()).encode());
    assert_eq!(kv.revision(), whole.revision() + 1);
    assert_eq!(seen(&restored(&kv)), seen(&kv));
}

#[test]
fn a_transaction_may_have_as_many_operations_as_it_says() {
    let mut kv = store();
    let keys = (0..TXN_OPS_MAX).map(key_of);
    let puts = keys.map(|key| Op::Do(put(key, Bytes::new()))).collect();
    let reply = Reply::decode(&kv.apply(&CONTEXT, &txn(puts).encode()));
    let Ok(Reply::Txn { replies, .. }) = reply else {
        panic!("it is not too large");
    };
    assert_eq!((replies.len(), kv.revision()), (TXN_OPS_MAX, 13));
    // One of them is the transaction within.
    let within = vec![Op::Ask(Query::Get { key: key("a") }); TXN_OPS_MAX - 1];
    let reply = Reply::decode(&kv.apply(&CONTEXT, &txn(vec![Op::Do(txn(within))]).encode()));
    assert!(matches!(reply, Ok(Reply::Txn { .. })));
}

fn key_of(number: usize) -> Bytes {
    format!("{number:06}").into()
}

#[test]
fn a_lease_that_is_due_is_none_though_its_keys_wait() {
    let mut kv = Kv::new();
    for id in 1..=4 {
        kv.apply(&CONTEXT, &Command::LeaseGrant { id, ttl_ms: 10 }.encode());
        for number in 0..200 {
            let key = format!("{id}/{number}").into();
            let put = put_with(key, Some(Bytes::new()), Some(id));
            kv.apply(&CONTEXT, &put.encode());
        }
    }
    let late = ApplyContext {
        time_ms: 1_010,
        ..CONTEXT
    };
    // Two leases bring it to 400 keys, which is enough for one command.
    kv.tick(&late);
    assert_eq!((kv.len(), kv.revision()), (400, 802));
    let reply = kv.query(&Query::Lease { id: 4, keys: None }.encode());
    assert_eq!(
        Reply::decode(&reply),
        Ok(Reply::Failed(Code::LeaseNotFound))
    );
    let listed = kv.query(&Query::Leases { start: 0 }.encode());
    let (ids, next) = (vec![3, 4], 0);
    assert_eq!(Reply::decode(&listed), Ok(Reply::Leases { ids, next }));
    kv.tick(&late);
    assert!(kv.is_empty());
}

fn read(kv: &Kv, at: u64) -> Reply {
    let query = Query::RangeWith {
        range: KeyRange::all(),
        options: RangeOptions {
            at,
            ..RangeOptions::default()
        },
    };
    Reply::decode(&kv.query(&query.encode())).expect("a reply")
}

#[test]
fn retention_by_number_keeps_exactly_so_many() {
    let mut kv = Kv::new();
    let keep = Command::SetRetention {
        revisions: 10,
        ms: 0,
        bytes: 0,
    };
    kv.apply(&CONTEXT, &keep.encode());
    for number in 1..=100 {
        kv.apply(&CONTEXT, &put(key("a"), key_of(number)).encode());
        let oldest = (number as u64).saturating_sub(10);
        assert_eq!(kv.compacted(), oldest);
        for at in (1..=number as u64).filter(|at| *at >= oldest) {
            let Reply::Range { records, .. } = read(&kv, at) else {
                panic!("revision {at} of {number} is kept");
            };
            assert_eq!(records[0].value, key_of(at as usize));
        }
        if oldest > 1 {
            assert_eq!(read(&kv, oldest - 1), Reply::Failed(Code::Compacted));
        }
        let changes = |from| {
            let query = Query::Changes(Changes {
                watches: vec![Watch::default()],
                from,
                ..Changes::default()
            });
            Reply::decode(&kv.query(&query.encode())).expect("a reply")
        };
        if oldest > 0 {
            assert!(matches!(changes(oldest), Reply::Compacted { .. }));
        }
        let Reply::Changes { events, .. } = changes(oldest + 1) else {
            panic!("they are kept");
        };
        assert_eq!(events.len(), number.min(10));
    }
}

#[test]
fn retention_by_age_counts_from_when_it_was_asked_for() {
    let mut kv = Kv::new();
    let at = |time_ms| ApplyContext { time_ms, ..CONTEXT };
    let set = |ms| {
        Command::SetRetention {
            revisions: 0,
            ms,
            bytes: 0,
        }
        .encode()
    };
    kv.apply(&at(0), &set(0));
    for time_ms in 1..=100 {
        kv.apply(&at(time_ms), &put(key("a"), key("x")).encode());
    }
    kv.apply(&at(200), &set(50));
    assert_eq!(kv.compacted(), 0);
    kv.tick(&at(250));
    assert_eq!(kv.compacted(), 0, "they are 50 ms old since they are aged");
    let restored = restored(&kv);
    for mut kv in [kv, restored] {
        kv.tick(&at(251));
        assert_eq!(kv.compacted(), 100);
        kv.apply(&at(300), &put(key("a"), key("x")).encode());
        kv.apply(&at(301), &put(key("a"), key("x")).encode());
        kv.tick(&at(350));
        assert_eq!(kv.compacted(), 100);
        kv.tick(&at(351));
        assert_eq!(kv.compacted(), 101);
        // Without an age they are kept, however old.
        kv.apply(&at(351), &set(0));
        kv.tick(&at(1_000_000));
        assert_eq!(kv.compacted(), 101);
    }
}

#[test]
fn compaction_leaves_clones_and_snapshots_alone_and_takes_its_time() {
    let mut kv = Kv::new();
    for number in 0..1_000 {
        let value = bytes(100);
        kv.apply(&CONTEXT, &put(key_of(number % 3), value).encode());
    }
    let clone = kv.clone();
    let mut snapshot = kv.snapshot();
    let (before, _) = snapshot.chunk(0, usize::MAX);
    let then = read(&clone, 500);
    kv.apply(&CONTEXT, &Command::Compact { revision: 1_000 }.encode());
    assert_eq!(read(&kv, 500), Reply::Failed(Code::Compacted));
    let mut ticks = 0;
    let mut len = kv.snapshot().chunk(0, usize::MAX).0.len();
    loop {
        kv.tick(&CONTEXT);
        let now = kv.snapshot().chunk(0, usize::MAX).0.len();
        assert!(len - now < 17 * 130, "{} bytes at once", len - now);
        if now == len {
            break;
        }
        (len, ticks) = (now, ticks + 1);
    }
    assert!(
        (1_000 / 16..=1_000 / 16 + 1).contains(&(ticks + 1)),
        "{ticks}"
    );
    assert!(len < 500, "three records are left");
    assert_eq!(read(&clone, 500), then);
    assert_eq!(snapshot.chunk(0, usize::MAX).0, before);
}
