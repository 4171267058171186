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
