//! What the store answers.

use bytes::Bytes;

use crate::error::{Code, Malformed};
use crate::range::take_option;
use crate::record::{KeyValue, Meta, Record};
use crate::txn::TXN_DEPTH_MAX;
use crate::wire::{Reader, put_bytes, put_signed, put_varint};

/// The answer to a command or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A value was stored, by the revision `meta.mod_revision`.
    Written {
        /// The key's numbers now.
        meta: Meta,
    },
    /// An integer was stored, by the revision `meta.mod_revision`.
    Incremented {
        /// The new value.
        value: i64,
        /// The key's numbers now.
        meta: Meta,
    },
    /// Keys were removed.
    Deleted {
        /// How many. If none, no revision was made.
        count: u64,
        /// The store's revision now.
        revision: u64,
    },
    /// A compare-and-swap found the key otherwise, and changed nothing.
    Mismatch {
        /// How it is.
        current: Option<KeyValue>,
        /// The store's revision.
        revision: u64,
    },
    /// The key asked for.
    Got {
        /// Its record, if it exists.
        record: Option<KeyValue>,
        /// The store's revision.
        revision: u64,
    },
    /// The keys of a range, all as of one revision.
    Range {
        /// In key order.
        records: Vec<KeyValue>,
        /// How many keys the range has, whether they came or not.
        count: u64,
        /// The first key left out, by the limit or by [`RANGE_BYTES_MAX`](crate::RANGE_BYTES_MAX).
        /// Ask again from there. Always none if only a count was asked for.
        next: Option<Bytes>,
        /// The store's revision. If it differs between two pages, the store changed in between.
        revision: u64,
    },
    /// A value, a lease, or both were stored, by the revision `meta.mod_revision`.
    Put {
        /// The key's numbers now.
        meta: Meta,
        /// The record that was there, if it was asked for and existed.
        previous: Option<KeyValue>,
    },
    /// Keys were removed, and come back.
    Removed {
        /// What they were, in key order. If none, no revision was made.
        records: Vec<KeyValue>,
        /// The store's revision now.
        revision: u64,
    },
    /// A transaction was executed.
    Txn {
        /// Whether its conditions held.
        succeeded: bool,
        /// What each operation of the branch taken answered.
        replies: Vec<Self>,
        /// The store's revision now.
        revision: u64,
    },
    /// A lease lives.
    Lease {
        /// Its name.
        id: u64,
        /// How long it lives after a sign of life, in milliseconds.
        ttl_ms: u64,
        /// How long it still lives, as of the last command, in milliseconds.
        left_ms: u64,
        /// Its keys, if asked for.
        keys: Vec<Bytes>,
        /// The first key left out, by the reply's size.
        next: Option<Bytes>,
    },
    /// The leases there are.
    Leases {
        /// Their names, rising.
        ids: Vec<u64>,
        /// The first one left out, or 0.
        next: u64,
    },
    /// What is kept: answers a compaction, and a question for changes that are gone.
    Compacted {
        /// The oldest revision that can be read. Changes are kept from the next one on.
        compacted: u64,
        /// The store's revision.
        revision: u64,
    },
    /// What revisions did.
    Changes {
        /// By revision, then by key. All of one revision come together, unless it alone exceeds the
        /// limit.
        events: Vec<Event>,
        /// Ask again from this revision.
        next: u64,
        /// And from this key of it, if the reply ends within a revision.
        key: Option<Bytes>,
        /// The store's revision.
        revision: u64,
    },
    /// It failed, and changed nothing.
    Failed(Code),
}

/// What a revision did to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it removed the key. The record has then an empty value, and of its numbers only
    /// `mod_revision`, the revision that removed it.
    pub deleted: bool,
    /// The record that was made.
    pub record: KeyValue,
    /// The record that was there, if a watch that the event is for asked for it, and it existed.
    pub previous: Option<KeyValue>,
}

const FAILED: u8 = 0;
const WRITTEN: u8 = 1;
const INCREMENTED: u8 = 2;
const DELETED: u8 = 3;
const MISMATCH: u8 = 4;
const GOT: u8 = 5;
const RANGE: u8 = 6;
const PUT: u8 = 7;
const REMOVED: u8 = 8;
const TXN: u8 = 9;
const LEASE: u8 = 10;
const LEASES: u8 = 11;
const COMPACTED: u8 = 12;
const CHANGES: u8 = 13;

impl Reply {
    /// Reads what the machine answered; shares the buffer.
    ///
    /// # Errors
    /// If the bytes are no reply.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        Self::decode_within(data, 0)
    }

    fn decode_within(data: &Bytes, depth: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let reply = match reader.byte() {
            FAILED => Self::Failed(Code::from_number(reader.byte())?),
            WRITTEN => Self::Written {
                meta: Meta::decode(&mut reader),
            },
            INCREMENTED => Self::Incremented {
                value: reader.signed(),
                meta: Meta::decode(&mut reader),
            },
            DELETED => Self::Deleted {
                count: reader.varint(),
                revision: reader.varint(),
            },
            MISMATCH => Self::Mismatch {
                revision: reader.varint(),
                current: take_record(data, &mut reader),
            },
            GOT => Self::Got {
                revision: reader.varint(),
                record: take_record(data, &mut reader),
            },
            RANGE => Self::Range {
                revision: reader.varint(),
                count: reader.varint(),
                next: take_option(data, &mut reader),
                records: take_records(data, &mut reader),
            },
            PUT => Self::Put {
                meta: Meta::decode(&mut reader),
                previous: take_record(data, &mut reader),
            },
            REMOVED => Self::Removed {
                revision: reader.varint(),
                records: take_records(data, &mut reader),
            },
            TXN if depth < TXN_DEPTH_MAX => Self::Txn {
                succeeded: reader.flag(),
                revision: reader.varint(),
                replies: take_all(&mut reader, |reader| reader.shared(data))
                    .iter()
                    .map(|reply| Self::decode_within(reply, depth + 1))
                    .collect::<Result<_, _>>()?,
            },
            LEASE => Self::Lease {
                id: reader.varint(),
                ttl_ms: reader.varint(),
                left_ms: reader.varint(),
                next: take_option(data, &mut reader),
                keys: take_all(&mut reader, |reader| reader.shared(data)),
            },
            LEASES => Self::Leases {
                next: reader.varint(),
                ids: take_all(&mut reader, Reader::varint),
            },
            COMPACTED => Self::Compacted {
                compacted: reader.varint(),
                revision: reader.varint(),
            },
            CHANGES => Self::Changes {
                revision: reader.varint(),
                next: reader.varint(),
                key: take_option(data, &mut reader),
                events: take_all(&mut reader, |reader| Event::decode(data, reader)),
            },
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(reply)
    }
}

fn take_record(data: &Bytes, reader: &mut Reader<'_>) -> Option<KeyValue> {
    reader.flag().then(|| KeyValue::decode(data, reader))
}

/// The records fill the rest, so that no number of them can be claimed that is not there.
fn take_records(data: &Bytes, reader: &mut Reader<'_>) -> Vec<KeyValue> {
    take_all(reader, |reader| KeyValue::decode(data, reader))
}

fn take_all<'a, T>(reader: &mut Reader<'a>, mut take: impl FnMut(&mut Reader<'a>) -> T) -> Vec<T> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        all.push(take(reader));
    }
    all
}

impl Event {
    fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        Self {
            deleted: reader.flag(),
            record: KeyValue::decode(data, reader),
            previous: take_record(data, reader),
        }
    }
}

// The machine encodes straight from its records: a value is copied once.

pub(crate) fn failed(code: Code) -> Bytes {
    vec![FAILED, code.number()].into()
}

pub(crate) fn written(meta: Meta) -> Bytes {
    let mut out = Vec::with_capacity(32);
    out.push(WRITTEN);
    meta.encode(&mut out);
    out.into()
}

pub(crate) fn incremented(value: i64, meta: Meta) -> Bytes {
    let mut out = vec![INCREMENTED];
    put_signed(&mut out, value);
    meta.encode(&mut out);
    out.into()
}

pub(crate) fn deleted(count: u64, revision: u64) -> Bytes {
    let mut out = vec![DELETED];
    put_varint(&mut out, count);
    put_varint(&mut out, revision);
    out.into()
}

pub(crate) fn mismatch(current: Option<&Record>, revision: u64) -> Bytes {
    one_record(MISMATCH, current, revision)
}

pub(crate) fn got(record: Option<&Record>, revision: u64) -> Bytes {
    one_record(GOT, record, revision)
}

fn one_record(tag: u8, record: Option<&Record>, revision: u64) -> Bytes {
    let encoded = record.map_or(&[][..], Record::encoded);
    let mut out = Vec::with_capacity(encoded.len() + 12);
    out.push(tag);
    put_varint(&mut out, revision);
    out.push(u8::from(record.is_some()));
    out.extend_from_slice(encoded);
    out.into()
}

/// `records` are encoded already, one behind the other.
pub(crate) fn range(revision: u64, count: u64, next: Option<&[u8]>, records: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(records.len() + next.map_or(0, <[u8]>::len) + 32);
    out.push(RANGE);
    put_varint(&mut out, revision);
    put_varint(&mut out, count);
    out.push(u8::from(next.is_some()));
    if let Some(next) = next {
        put_bytes(&mut out, next);
    }
    out.extend_from_slice(records);
    out.into()
}

/// A reply of numbers.
fn numbers(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut out = vec![tag];
    for number in numbers {
        put_varint(&mut out, *number);
    }
    out
}

pub(crate) fn put(meta: Meta, previous: Option<&Record>) -> Bytes {
    let mut out = vec![PUT];
    meta.encode(&mut out);
    out.push(u8::from(previous.is_some()));
    out.extend_from_slice(previous.map_or(&[][..], Record::encoded));
    out.into()
}

/// `records` are encoded already, one behind the other.
pub(crate) fn removed(revision: u64, records: &[u8]) -> Bytes {
    let mut out = numbers(REMOVED, &[revision]);
    out.extend_from_slice(records);
    out.into()
}

/// `replies` are encoded already, each behind its length.
pub(crate) fn txn(succeeded: bool, revision: u64, replies: &[u8]) -> Bytes {
    let mut out = numbers(TXN, &[u64::from(succeeded), revision]);
    out.extend_from_slice(replies);
    out.into()
}

/// `keys` are encoded already, each behind its length.
pub(crate) fn lease(id: u64, ttl_ms: u64, left_ms: u64, next: Option<&[u8]>, keys: &[u8]) -> Bytes {
    let mut out = numbers(LEASE, &[id, ttl_ms, left_ms, u64::from(next.is_some())]);
    if let Some(next) = next {
        put_bytes(&mut out, next);
    }
    out.extend_from_slice(keys);
    out.into()
}

pub(crate) fn leases(next: u64, ids: &[u64]) -> Bytes {
    let mut out = numbers(LEASES, &[next]);
    for id in ids {
        put_varint(&mut out, *id);
    }
    out.into()
}

pub(crate) fn compacted(compacted: u64, revision: u64) -> Bytes {
    numbers(COMPACTED, &[compacted, revision]).into()
}

/// `events` are encoded already, one behind the other.
pub(crate) fn changes(revision: u64, next: u64, key: Option<&[u8]>, events: &[u8]) -> Bytes {
    let mut out = numbers(CHANGES, &[revision, next, u64::from(key.is_some())]);
    if let Some(key) = key {
        put_bytes(&mut out, key);
    }
    out.extend_from_slice(events);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    const META: Meta = Meta {
        create_revision: 200,
        mod_revision: 300,
        version: 3,
        lease: 0,
    };

    fn record() -> Record {
        Record::new(b"key", META, [b"val", b"ue"])
    }

    fn key_value() -> KeyValue {
        KeyValue {
            key: Bytes::from_static(b"key"),
            value: Bytes::from_static(b"value"),
            meta: META,
        }
    }

    fn replies() -> Vec<(Bytes, Reply)> {
        let records = [record().encoded(), record().encoded()].concat();
        let revision = 400;
        let mut replies = vec![
            (written(META), Reply::Written { meta: META }),
            (
                incremented(-7, META),
                Reply::Incremented {
                    value: -7,
                    meta: META,
                },
            ),
            (deleted(2, revision), Reply::Deleted { count: 2, revision }),
            (
                mismatch(None, revision),
                Reply::Mismatch {
                    current: None,
                    revision,
                },
            ),
            (
                mismatch(Some(&record()), revision),
                Reply::Mismatch {
                    current: Some(key_value()),
                    revision,
                },
            ),
            (
                got(None, revision),
                Reply::Got {
                    record: None,
                    revision,
                },
            ),
            (
                got(Some(&record()), revision),
                Reply::Got {
                    record: Some(key_value()),
                    revision,
                },
            ),
            (
                range(revision, 9, Some(b"next"), &records),
                Reply::Range {
                    records: vec![key_value(), key_value()],
                    count: 9,
                    next: Some(Bytes::from_static(b"next")),
                    revision,
                },
            ),
            (
                range(revision, 9, None, &[]),
                Reply::Range {
                    records: Vec::new(),
                    count: 9,
                    next: None,
                    revision,
                },
            ),
        ];
        let (encoded, record) = (records.clone(), key_value());
        replies.extend([
            (
                put(META, Some(&super::tests::record())),
                Reply::Put {
                    meta: META,
                    previous: Some(record.clone()),
                },
            ),
            (
                removed(revision, &encoded),
                Reply::Removed {
                    records: vec![record.clone(), record.clone()],
                    revision,
                },
            ),
            (
                txn(true, revision, b"\x02\x00\x02\x03\x09\x01\x00"),
                Reply::Txn {
                    succeeded: true,
                    replies: vec![
                        Reply::Failed(Code::EmptyKey),
                        Reply::Txn {
                            succeeded: true,
                            replies: Vec::new(),
                            revision: 0,
                        },
                    ],
                    revision,
                },
            ),
            (
                lease(300, 2, 1, Some(b"next"), b"\x01k"),
                Reply::Lease {
                    id: 300,
                    ttl_ms: 2,
                    left_ms: 1,
                    keys: vec![Bytes::from_static(b"k")],
                    next: Some(Bytes::from_static(b"next")),
                },
            ),
            (
                leases(9, &[1, 300]),
                Reply::Leases {
                    ids: vec![1, 300],
                    next: 9,
                },
            ),
            (
                compacted(300, revision),
                Reply::Compacted {
                    compacted: 300,
                    revision,
                },
            ),
            (
                changes(
                    revision,
                    300,
                    None,
                    &[b"\x00", super::tests::record().encoded(), b"\x00"].concat(),
                ),
                Reply::Changes {
                    events: vec![Event {
                        deleted: false,
                        record,
                        previous: None,
                    }],
                    next: 300,
                    key: None,
                    revision,
                },
            ),
        ]);
        replies.extend(Code::ALL.map(|code| (failed(code), Reply::Failed(code))));
        replies
    }

    #[test]
    fn replies_survive_their_encoding() {
        for (bytes, reply) in replies() {
            assert_eq!(Reply::decode(&bytes), Ok(reply));
        }
    }

    #[test]
    fn a_reply_that_is_cut_short_or_too_long_is_refused() {
        for (bytes, reply) in replies() {
            for len in 0..bytes.len() {
                let cut = Reply::decode(&bytes.slice(..len));
                // A list fills the rest, and may be cut between two.
                let kind = std::mem::discriminant(&reply);
                if cut
                    .as_ref()
                    .is_ok_and(|cut| std::mem::discriminant(cut) == kind)
                {
                    assert!(matches!(bytes[0], RANGE | REMOVED..=LEASES | CHANGES));
                    continue;
                }
                assert_eq!(cut, Err(Malformed), "{reply:?} up to {len}");
            }
            let longer = [&bytes[..], b"\0"].concat().into();
            // 0 is a lease's id, and an empty key of a lease.
            if !matches!(bytes[0], LEASE | LEASES) {
                assert_eq!(Reply::decode(&longer), Err(Malformed), "{reply:?}");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_reply_or_none() {
        let mut random = Random::new(1);
        for (bytes, _) in replies() {
            for _ in 0..2_000 {
                let mut bytes = bytes.to_vec();
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
                let _ = Reply::decode(&bytes.into());
            }
        }
    }

    #[test]
    fn codes_keep_their_numbers_and_names() {
        let listed = Code::ALL.map(|code| (code.number(), code.name()));
        let expected = [
            (1, "MALFORMED"),
            (2, "EMPTY_KEY"),
            (3, "KEY_TOO_LARGE"),
            (4, "VALUE_TOO_LARGE"),
            (5, "NOT_AN_INTEGER"),
            (6, "OVERFLOW"),
            (7, "DUPLICATE_KEY"),
            (8, "COMPACTED"),
            (9, "FUTURE_REVISION"),
            (10, "KEY_NOT_FOUND"),
            (11, "TOO_MANY_OPERATIONS"),
            (12, "REPLY_TOO_LARGE"),
            (13, "LEASE_NOT_FOUND"),
            (14, "LEASE_EXISTS"),
            (15, "BAD_LEASE"),
        ];
        assert_eq!(listed, expected);
    }
}
