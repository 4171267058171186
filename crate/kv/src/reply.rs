//! What the store answers.

use bytes::Bytes;

use crate::error::{Code, Malformed};
use crate::range::take_option;
use crate::record::{KeyValue, Meta, Record};
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
    /// It failed, and changed nothing.
    Failed(Code),
}

const FAILED: u8 = 0;
const WRITTEN: u8 = 1;
const INCREMENTED: u8 = 2;
const DELETED: u8 = 3;
const MISMATCH: u8 = 4;
const GOT: u8 = 5;
const RANGE: u8 = 6;

impl Reply {
    /// Reads what the machine answered; shares the buffer.
    ///
    /// # Errors
    /// If the bytes are no reply.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let reply = match reader.byte()? {
            FAILED => Self::Failed(Code::from_number(reader.byte()?)?),
            WRITTEN => Self::Written {
                meta: Meta::decode(&mut reader)?,
            },
            INCREMENTED => Self::Incremented {
                value: reader.signed()?,
                meta: Meta::decode(&mut reader)?,
            },
            DELETED => Self::Deleted {
                count: reader.varint()?,
                revision: reader.varint()?,
            },
            MISMATCH => Self::Mismatch {
                revision: reader.varint()?,
                current: take_record(data, &mut reader)?,
            },
            GOT => Self::Got {
                revision: reader.varint()?,
                record: take_record(data, &mut reader)?,
            },
            RANGE => Self::Range {
                revision: reader.varint()?,
                count: reader.varint()?,
                next: take_option(data, &mut reader)?,
                records: take_records(data, &mut reader)?,
            },
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(reply)
    }
}

fn take_record(data: &Bytes, reader: &mut Reader<'_>) -> Result<Option<KeyValue>, Malformed> {
    match reader.byte()? {
        0 => Ok(None),
        1 => Ok(Some(KeyValue::decode(data, reader)?)),
        _ => Err(Malformed),
    }
}

/// The records fill the rest, so that no number of them can be claimed that is not there.
fn take_records(data: &Bytes, reader: &mut Reader<'_>) -> Result<Vec<KeyValue>, Malformed> {
    let mut records = Vec::new();
    while !reader.rest().is_empty() {
        records.push(KeyValue::decode(data, reader)?);
    }
    Ok(records)
}

// The machine encodes straight from its records: a value is copied once.

pub(crate) fn failed(code: Code) -> Bytes {
    vec![FAILED, code.number()].into()
}

pub(crate) fn written(meta: Meta) -> Bytes {
    let mut out = vec![WRITTEN];
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
                // A range's records fill its rest, and may be cut between two.
                if matches!(
                    (&cut, &reply),
                    (Ok(Reply::Range { .. }), Reply::Range { .. })
                ) {
                    continue;
                }
                assert_eq!(cut, Err(Malformed), "{reply:?} up to {len}");
            }
            let longer = [&bytes[..], b"\0"].concat().into();
            assert_eq!(Reply::decode(&longer), Err(Malformed), "{reply:?}");
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
        ];
        assert_eq!(listed, expected);
    }
}
