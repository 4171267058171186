use bytes::Bytes;
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, StateMachine};

use super::Kv;
use crate::command::{Command, Expected};
use crate::error::Code;
use crate::limits::{COMMAND_BYTES_MAX, KEY_BYTES_MAX, RANGE_BYTES_MAX, VALUE_BYTES_MAX};
use crate::query::{Projection, Query};
use crate::range::KeyRange;
use crate::record::{KeyValue, Meta};
use crate::reply::Reply;
use crate::testing::Random;

const CONTEXT: ApplyContext = ApplyContext {
    index: Index(1),
    term: Term(1),
    time_ms: 0,
};

fn run(kv: &mut Kv, command: &Command) -> Reply {
    let encoded = command.encode();
    assert!(
        encoded.len() <= COMMAND_BYTES_MAX + 1,
        "one byte more than can succeed"
    );
    Reply::decode(&kv.apply(&CONTEXT, &encoded)).expect("the machine answers replies")
}

fn ask(kv: &Kv, query: &Query) -> Reply {
    Reply::decode(&kv.query(&query.encode())).expect("the machine answers replies")
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str, value: &str) -> Command {
    Command::Put {
        key: bytes(key),
        value: bytes(value),
    }
}

fn increment(key: &str, by: i64) -> Command {
    Command::Increment {
        key: bytes(key),
        by,
    }
}

fn swap(key: &str, expected: Expected, new: Option<&str>) -> Command {
    Command::CompareAndSwap {
        key: bytes(key),
        expected,
        new: new.map(bytes),
    }
}

#[test]
fn leases_and_bytes_are_counted() {
    let mut kv = Kv::new();
    let mut bytes_before = kv.bytes();
    for lease in 1..=3 {
        let grant = Command::LeaseGrant {
            id: lease,
            ttl_ms: 1_000,
        };
        run(&mut kv, &grant);
        run(&mut kv, &put("key", "value"));
        assert_eq!(kv.lease_count(), lease);
        assert!(kv.bytes() > bytes_before);
        bytes_before = kv.bytes();
    }
    run(&mut kv, &Command::LeaseRevoke { id: 2 });
    assert_eq!(kv.lease_count(), 2);
}

fn meta(create_revision: u64, mod_revision: u64, version: u64) -> Meta {
    Meta {
        create_revision,
        mod_revision,
        version,
        lease: 0,
    }
}

fn written(create_revision: u64, mod_revision: u64, version: u64) -> Reply {
    Reply::Written {
        meta: meta(create_revision, mod_revision, version),
    }
}

fn value(kv: &Kv, key: &str) -> Option<Bytes> {
    kv.get(key.as_bytes()).map(|record| record.value)
}

/// Runs a command that must fail, and must change nothing.
fn fails(kv: &mut Kv, command: &Command) -> Code {
    let before = (kv.digest(), kv.revision());
    let Reply::Failed(code) = run(kv, command) else {
        panic!("it succeeded");
    };
    assert_eq!((kv.digest(), kv.revision()), before);
    code
}

fn range(kv: &Kv, range: KeyRange, limit: u64, projection: Projection) -> Reply {
    ask(
        kv,
        &Query::Range {
            range,
            limit,
            projection,
        },
    )
}

#[test]
fn every_change_makes_one_revision() {
    let mut kv = Kv::new();
    assert_eq!(run(&mut kv, &put("a", "1")), written(1, 1, 1));
    assert_eq!(run(&mut kv, &put("b", "1")), written(2, 2, 1));
    assert_eq!(run(&mut kv, &put("a", "2")), written(1, 3, 2));
    // The same value again is a change as well.
    assert_eq!(run(&mut kv, &put("a", "2")), written(1, 4, 3));
    let deleted = Reply::Deleted {
        count: 1,
        revision: 5,
    };
    assert_eq!(run(&mut kv, &Command::Delete { key: bytes("a") }), deleted);
    let nothing = Reply::Deleted {
        count: 0,
        revision: 5,
    };
    assert_eq!(run(&mut kv, &Command::Delete { key: bytes("a") }), nothing);
    // A key that comes back is a new one.
    assert_eq!(run(&mut kv, &put("a", "3")), written(6, 6, 1));
    assert_eq!((kv.revision(), kv.len()), (6, 2));
}

#[test]
fn get_answers_the_record_and_the_revision() {
    let mut kv = Kv::new();
    run(&mut kv, &put("a", "1"));
    run(&mut kv, &put("b", "2"));
    let record = KeyValue {
        key: bytes("a"),
        value: bytes("1"),
        meta: meta(1, 1, 1),
    };
    let got = ask(&kv, &Query::Get { key: bytes("a") });
    assert_eq!(
        got,
        Reply::Got {
            record: Some(record),
            revision: 2
        }
    );
    let got = ask(&kv, &Query::Get { key: bytes("c") });
    assert_eq!(
        got,
        Reply::Got {
            record: None,
            revision: 2
        }
    );
}

#[test]
fn a_range_is_deleted_by_one_revision() {
    let mut kv = Kv::new();
    for number in 0..100 {
        run(&mut kv, &put(&format!("{number:02}"), "v"));
    }
    let delete = |range| Command::DeleteRange { range };
    let deleted = |count, revision| Reply::Deleted { count, revision };
    assert_eq!(
        run(&mut kv, &delete(KeyRange::prefix("3"))),
        deleted(10, 101)
    );
    assert_eq!(
        run(&mut kv, &delete(KeyRange::prefix("3"))),
        deleted(0, 101)
    );
    assert_eq!(
        run(&mut kv, &delete(KeyRange::between("9", "1"))),
        deleted(0, 101)
    );
    assert_eq!(
        run(&mut kv, &delete(KeyRange::between("10", "12"))),
        deleted(2, 102)
    );
    assert_eq!(
        run(&mut kv, &delete(KeyRange::from("90"))),
        deleted(10, 103)
    );
    assert_eq!(kv.len(), 78);
    assert_eq!(run(&mut kv, &delete(KeyRange::all())), deleted(78, 104));
    assert!(kv.is_empty());
}

#[test]
fn append_creates_and_extends() {
    let mut kv = Kv::new();
    let append = |text: &str| Command::Append {
        key: bytes("log"),
        value: bytes(text),
    };
    assert_eq!(run(&mut kv, &append("x")), written(1, 1, 1));
    assert_eq!(run(&mut kv, &append("yz")), written(1, 2, 2));
    assert_eq!(run(&mut kv, &append("")), written(1, 3, 3));
    assert_eq!(value(&kv, "log"), Some(bytes("xyz")));
}

#[test]
fn swap_happens_only_as_expected() {
    let mut kv = Kv::new();
    let absent = Reply::Mismatch {
        current: None,
        revision: 0,
    };
    assert_eq!(
        run(&mut kv, &swap("k", Expected::Revision(0), Some("x"))),
        absent
    );
    assert_eq!(
        run(
            &mut kv,
            &swap("k", Expected::Value(Bytes::new()), Some("x"))
        ),
        absent
    );
    assert_eq!(
        run(&mut kv, &swap("k", Expected::Absent, Some("1"))),
        written(1, 1, 1)
    );
    run(&mut kv, &put("other", ""));

    let current = Reply::Mismatch {
        current: Some(KeyValue {
            key: bytes("k"),
            value: bytes("1"),
            meta: meta(1, 1, 1),
        }),
        revision: 2,
    };
    let before = kv.digest();
    for expected in [
        Expected::Absent,
        Expected::Revision(2),
        Expected::Value(bytes("2")),
    ] {
        assert_eq!(
            run(&mut kv, &swap("k", expected.clone(), Some("x"))),
            current
        );
        assert_eq!(run(&mut kv, &swap("k", expected, None)), current);
    }
    assert_eq!(kv.digest(), before);

    assert_eq!(
        run(&mut kv, &swap("k", Expected::Revision(1), Some("2"))),
        written(1, 3, 2)
    );
    let by_value = swap("k", Expected::Value(bytes("2")), Some("3"));
    assert_eq!(run(&mut kv, &by_value), written(1, 4, 3));
    let deleted = |count, revision| Reply::Deleted { count, revision };
    assert_eq!(
        run(&mut kv, &swap("k", Expected::Revision(4), None)),
        deleted(1, 5)
    );
    assert_eq!(
        run(&mut kv, &swap("k", Expected::Absent, None)),
        deleted(0, 5)
    );
}

#[test]
fn increment_counts_in_decimal_text() {
    let mut kv = Kv::new();
    let incremented = |value, meta| Reply::Incremented { value, meta };
    assert_eq!(
        run(&mut kv, &increment("n", 5)),
        incremented(5, meta(1, 1, 1))
    );
    assert_eq!(
        run(&mut kv, &increment("n", -7)),
        incremented(-2, meta(1, 2, 2))
    );
    assert_eq!(value(&kv, "n"), Some(bytes("-2")));
    assert_eq!(
        run(&mut kv, &increment("n", 0)),
        incremented(-2, meta(1, 3, 3))
    );
    run(&mut kv, &put("n", "9223372036854775806"));
    assert_eq!(
        run(&mut kv, &increment("n", 1)),
        incremented(i64::MAX, meta(1, 5, 5))
    );
    assert_eq!(fails(&mut kv, &increment("n", 1)), Code::Overflow);
    run(&mut kv, &put("n", "-9223372036854775808"));
    assert_eq!(fails(&mut kv, &increment("n", -1)), Code::Overflow);
    assert_eq!(
        run(&mut kv, &increment("n", i64::MAX)),
        incremented(-1, meta(1, 7, 7))
    );
}

#[test]
fn increment_refuses_what_is_no_integer() {
    let mut kv = Kv::new();
    for text in [
        "",
        "-",
        "+1",
        "007",
        "-0",
        "00",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "\"1\"",
        "0x1",
        "one",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999",
    ] {
        run(&mut kv, &put("n", text));
        assert_eq!(
            fails(&mut kv, &increment("n", 1)),
            Code::NotAnInteger,
            "{text:?}"
        );
    }
    for text in ["0", "10", "-1", "-10"] {
        run(&mut kv, &put("n", text));
        assert!(
            matches!(run(&mut kv, &increment("n", 1)), Reply::Incremented { .. }),
            "{text}"
        );
    }
}

#[test]
fn keys_have_limits_everywhere() {
    let with_key = |key: Bytes| {
        [
            Command::Put {
                key: key.clone(),
                value: Bytes::new(),
            },
            Command::Delete { key: key.clone() },
            Command::Append {
                key: key.clone(),
                value: Bytes::new(),
            },
            Command::CompareAndSwap {
                key: key.clone(),
                expected: Expected::Absent,
                new: Some(Bytes::new()),
            },
            Command::Increment { key, by: 1 },
        ]
    };
    let key = |len| Bytes::from(vec![b'k'; len]);
    for command in with_key(key(0)) {
        assert_eq!(
            fails(&mut Kv::new(), &command),
            Code::EmptyKey,
            "{command:?}"
        );
    }
    for command in with_key(key(KEY_BYTES_MAX + 1)) {
        assert_eq!(fails(&mut Kv::new(), &command), Code::KeyTooLarge);
    }
    for command in with_key(key(KEY_BYTES_MAX)) {
        assert!(!matches!(run(&mut Kv::new(), &command), Reply::Failed(_)));
    }
    let get = |len| ask(&Kv::new(), &Query::Get { key: key(len) });
    assert_eq!(get(0), Reply::Failed(Code::EmptyKey));
    assert_eq!(get(KEY_BYTES_MAX + 1), Reply::Failed(Code::KeyTooLarge));
    assert!(matches!(get(KEY_BYTES_MAX), Reply::Got { .. }));
    // A range may begin just behind the longest key.
    for between in [KeyRange::from, |end| KeyRange::between(Bytes::new(), end)] {
        let query = |len| range(&Kv::new(), between(key(len)), 0, Projection::Records);
        assert_eq!(query(KEY_BYTES_MAX + 2), Reply::Failed(Code::KeyTooLarge));
        assert!(matches!(query(KEY_BYTES_MAX + 1), Reply::Range { .. }));
        let delete = |len| Command::DeleteRange {
            range: between(key(len)),
        };
        assert_eq!(
            fails(&mut Kv::new(), &delete(KEY_BYTES_MAX + 2)),
            Code::KeyTooLarge
        );
        assert!(matches!(
            run(&mut Kv::new(), &delete(KEY_BYTES_MAX + 1)),
            Reply::Deleted { .. }
        ));
    }
}

#[test]
fn values_have_limits_everywhere() {
    let largest = Bytes::from(vec![b'v'; VALUE_BYTES_MAX]);
    let larger = Bytes::from(vec![b'v'; VALUE_BYTES_MAX + 1]);
    let key = Bytes::from(vec![b'k'; KEY_BYTES_MAX]);
    let put = |value: &Bytes| Command::Put {
        key: key.clone(),
        value: value.clone(),
    };
    let append = |value: &Bytes| Command::Append {
        key: key.clone(),
        value: value.clone(),
    };
    let swap = |new: &Bytes| Command::CompareAndSwap {
        key: key.clone(),
        expected: Expected::Value(largest.clone()),
        new: Some(new.clone()),
    };
    let mut kv = Kv::new();
    assert_eq!(fails(&mut kv, &put(&larger)), Code::ValueTooLarge);
    assert_eq!(fails(&mut kv, &append(&larger)), Code::ValueTooLarge);
    assert_eq!(fails(&mut kv, &swap(&larger)), Code::ValueTooLarge);
    assert_eq!(run(&mut kv, &put(&largest)), written(1, 1, 1));
    assert_eq!(run(&mut kv, &swap(&largest)), written(1, 2, 2));
    assert_eq!(
        fails(&mut kv, &append(&Bytes::from_static(b"v"))),
        Code::ValueTooLarge
    );
    assert_eq!(run(&mut kv, &append(&Bytes::new())), written(1, 3, 3));
}

#[test]
fn a_range_comes_in_order_with_its_count() {
    let mut kv = Kv::new();
    for number in (0..100).rev() {
        run(&mut kv, &put(&format!("{number:02}"), &number.to_string()));
    }
    let keys = |reply: Reply| {
        let Reply::Range {
            records,
            count,
            next,
            revision,
        } = reply
        else {
            panic!("not a range");
        };
        assert_eq!(revision, 100);
        let keys: Vec<String> = records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.key).into_owned())
            .collect();
        (keys.join(" "), count, next)
    };
    let two = |limit, projection| range(&kv, KeyRange::between("20", "25"), limit, projection);
    let next = |key| Some(bytes(key));
    let all = "20 21 22 23 24".to_string();
    assert_eq!(keys(two(0, Projection::Records)), (all.clone(), 5, None));
    assert_eq!(keys(two(5, Projection::Records)), (all.clone(), 5, None));
    assert_eq!(keys(two(6, Projection::Keys)), (all, 5, None));
    assert_eq!(
        keys(two(2, Projection::Keys)),
        ("20 21".into(), 5, next("22"))
    );
    assert_eq!(
        keys(two(1, Projection::Records)),
        ("20".into(), 5, next("21"))
    );
    assert_eq!(keys(two(0, Projection::Count)), (String::new(), 5, None));
    assert_eq!(keys(two(1, Projection::Count)), (String::new(), 5, None));
    let nothing = range(&kv, KeyRange::between("25", "20"), 0, Projection::Records);
    assert_eq!(keys(nothing), (String::new(), 0, None));

    let record = |projection| {
        let Reply::Range { records, .. } = two(1, projection) else {
            panic!("not a range");
        };
        records.into_iter().next().expect("one was asked for")
    };
    let whole = kv.get(b"20").expect("it was put");
    assert_eq!(record(Projection::Records), whole);
    let without_value = KeyValue {
        value: Bytes::new(),
        ..whole
    };
    assert_eq!(record(Projection::Keys), without_value);
}

#[test]
fn a_large_range_comes_in_pages_of_bounded_size() {
    let mut kv = Kv::new();
    let key = |number: usize| bytes(&format!("{number:03}"));
    let sizes = [
        300_000,
        0,
        900_000,
        VALUE_BYTES_MAX,
        VALUE_BYTES_MAX,
        40_000,
        400_000,
        700_000,
    ];
    for (number, &size) in sizes.iter().enumerate() {
        let value = vec![b'v'; size].into();
        run(
            &mut kv,
            &Command::Put {
                key: key(number),
                value,
            },
        );
    }
    let mut start = Bytes::new();
    let mut pages = Vec::new();
    let mut seen = 0;
    loop {
        let query = Query::Range {
            range: KeyRange::from(start),
            limit: 0,
            projection: Projection::Records,
        };
        let encoded = kv.query(&query.encode());
        let Ok(Reply::Range {
            records,
            count,
            next,
            ..
        }) = Reply::decode(&encoded)
        else {
            panic!("not a range");
        };
        assert!(encoded.len() <= RANGE_BYTES_MAX + 2 * KEY_BYTES_MAX || records.len() == 1);
        assert_eq!(count as usize, sizes.len() - seen);
        for record in &records {
            assert_eq!((&record.key, record.value.len()), (&key(seen), sizes[seen]));
            seen += 1;
        }
        pages.push(records.len());
        assert!(
            !records.is_empty(),
            "a page without records makes no progress"
        );
        let Some(next) = next else {
            break;
        };
        start = next;
    }
    assert_eq!(seen, sizes.len());
    assert_eq!(pages, [2, 1, 1, 1, 2, 1]);
}

#[test]
fn arbitrary_bytes_are_answered_and_change_nothing_unless_they_are_a_command() {
    let mut random = Random::new(3);
    let mut kv = Kv::new();
    for _ in 0..50_000 {
        let len = random.below(12);
        let mut command = random.bytes(len);
        if let Some(tag) = command.first_mut() {
            *tag %= 9;
        }
        let command = Bytes::from(command);
        let before = kv.digest();
        let reply = Reply::decode(&kv.apply(&CONTEXT, &command)).expect("a reply");
        if Command::decode(&command).is_err() {
            assert_eq!(reply, Reply::Failed(Code::Malformed));
            assert_eq!(kv.digest(), before);
        }
        Reply::decode(&kv.query(&command)).expect("a reply");
    }
    assert!(kv.revision() > 0, "some were commands");
    let query = Query::Get { key: bytes("k") }.encode();
    let reply = Reply::decode(&kv.apply(&CONTEXT, &query));
    assert_eq!(reply, Ok(Reply::Failed(Code::Malformed)));
}

#[test]
fn the_digest_is_of_the_state_and_not_of_what_was_compacted() {
    let mut kv = Kv::new();
    let empty = kv.digest();
    run(&mut kv, &put("a", "1"));
    let one = kv.digest();
    assert_ne!(one, empty);
    let clone = kv.clone();
    run(&mut kv, &put("a", "2"));
    let mut other = Kv::new();
    run(&mut other, &put("a", "2"));
    assert_ne!(kv.digest(), other.digest(), "versions differ");
    run(&mut other, &put("b", "1"));
    run(&mut kv, &Command::Delete { key: bytes("a") });
    run(
        &mut other,
        &Command::DeleteRange {
            range: KeyRange::all(),
        },
    );
    assert_ne!(kv.digest(), other.digest(), "their past differs");
    for kv in [&mut kv, &mut other] {
        run(kv, &Command::Compact { revision: 3 });
    }
    assert_eq!(kv.digest(), other.digest(), "both are empty at revision 3");
    assert_ne!(kv.digest(), empty, "revisions differ");
    assert_eq!(clone.digest(), one);
}
