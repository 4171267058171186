//! The keys of the trees beside the live one. All trees order plain bytes, so what a tree is ordered
//! by is written so that the order of the bytes is the order meant; numbers are big-endian.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | past | user key (escaped), mod revision | what was stored; a deletion has version 0 |
//! | system | `L`, lease | its ttl and deadline |
//! | system | `T`, log time | the last revision made at that time |
//! | index | `C`, revision, user key | nothing: the revision changed the key |
//! | index | `D`, deadline, lease | nothing |
//! | index | `K`, lease, user key | nothing: the live key hangs on the lease |
//!
//! The index follows from the other trees; a snapshot leaves it out.

use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX, TTL_MS_MAX};
use crate::record::{Meta, Record};
use crate::wire::{Reader, put_varint};

const LEASE: u8 = b'L';
const TIME: u8 = b'T';
const CHANGE: u8 = b'C';
const DEADLINE: u8 = b'D';
const HANGING: u8 = b'K';

/// The longest key of any tree: each byte of a user key escaped, its end, and a revision.
pub(crate) const INNER_KEY_BYTES_MAX: usize = 2 * KEY_BYTES_MAX + 10;

/// No user key: of records whose key says all.
const NO_META: Meta = Meta {
    create_revision: 0,
    mod_revision: 0,
    version: 0,
    lease: 0,
};

/// The numbers of a deletion.
pub(crate) fn deletion(revision: u64) -> Meta {
    Meta {
        mod_revision: revision,
        ..NO_META
    }
}

/// Where `past` has the first version of a key.
pub(crate) fn versions_of(key: &[u8]) -> Vec<u8> {
    let mut out = escaped(key);
    out.extend_from_slice(&[0, 0]);
    out
}

/// Where `past` has a version of a key.
pub(crate) fn version_at(key: &[u8], revision: u64) -> Vec<u8> {
    let mut out = versions_of(key);
    out.extend_from_slice(&revision.to_be_bytes());
    out
}

/// Where `past` has the first key that is not below a bound.
pub(crate) fn escaped(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 10);
    for &byte in key {
        out.push(byte);
        if byte == 0 {
            out.push(u8::MAX);
        }
    }
    out
}

/// A record as `past` has it.
pub(crate) fn past(record: &Record) -> Record {
    let meta = record.meta();
    let key = version_at(record.key(), meta.mod_revision);
    Record::new(&key, meta, [record.value(), &[]])
}

/// The deletion of a key as `past` has it.
pub(crate) fn tombstone(key: &[u8], revision: u64) -> Record {
    let key = version_at(key, revision);
    Record::new(&key, deletion(revision), [&[], &[]])
}

/// The user key of a record in `past`, if it is well-formed.
pub(crate) fn user_key(inner: &[u8]) -> Option<Vec<u8>> {
    let (escaped, _) = inner.split_last_chunk::<8>()?;
    let escaped = escaped.strip_suffix(&[0, 0])?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        key.push(byte);
        if byte == 0 && bytes.next() != Some(&u8::MAX) {
            return None;
        }
    }
    Some(key)
}

fn tagged(tag: u8, number: u64, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(9 + rest.len());
    out.push(tag);
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(rest);
    out
}

fn take_tagged(tag: u8, inner: &[u8]) -> Option<(u64, &[u8])> {
    let rest = inner.strip_prefix(&[tag])?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// A record of which only the key matters.
pub(crate) fn mark(key: &[u8]) -> Record {
    Record::new(key, NO_META, [&[], &[]])
}

pub(crate) fn change(revision: u64, key: &[u8]) -> Vec<u8> {
    tagged(CHANGE, revision, key)
}

pub(crate) fn take_change(inner: &[u8]) -> Option<(u64, &[u8])> {
    take_tagged(CHANGE, inner)
}

pub(crate) fn hanging(lease: u64, key: &[u8]) -> Vec<u8> {
    tagged(HANGING, lease, key)
}

pub(crate) fn take_hanging(inner: &[u8]) -> Option<(u64, &[u8])> {
    take_tagged(HANGING, inner)
}

pub(crate) fn deadline(deadline_ms: u64, lease: u64) -> Vec<u8> {
    tagged(DEADLINE, deadline_ms, &lease.to_be_bytes())
}

pub(crate) fn take_deadline(inner: &[u8]) -> Option<(u64, u64)> {
    let (deadline_ms, lease) = take_tagged(DEADLINE, inner)?;
    Some((deadline_ms, u64::from_be_bytes(lease.try_into().ok()?)))
}

/// Where `index` has the first deadline.
pub(crate) fn deadlines() -> Vec<u8> {
    vec![DEADLINE]
}

/// Where `index` has the first change.
pub(crate) fn first_change() -> Vec<u8> {
    vec![CHANGE]
}

pub(crate) fn lease(id: u64) -> Vec<u8> {
    tagged(LEASE, id, &[])
}

pub(crate) fn take_lease(inner: &[u8]) -> Option<u64> {
    take_tagged(LEASE, inner).and_then(|(id, rest)| rest.is_empty().then_some(id))
}

/// A lease as `system` has it.
pub(crate) fn lease_record(id: u64, terms: Terms) -> Record {
    let mut value = Vec::new();
    put_varint(&mut value, terms.ttl_ms);
    put_varint(&mut value, terms.deadline_ms);
    Record::new(&lease(id), NO_META, [&value, &[]])
}

/// What was agreed for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) ttl_ms: u64,
    /// In log time.
    pub(crate) deadline_ms: u64,
}

impl Terms {
    /// From the record's value.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let terms = Self {
            ttl_ms: reader.varint().ok()?,
            deadline_ms: reader.varint().ok()?,
        };
        reader.finish().ok()?;
        (1..=TTL_MS_MAX).contains(&terms.ttl_ms).then_some(terms)
    }
}

/// Where `system` has the first time.
pub(crate) fn times() -> Vec<u8> {
    vec![TIME]
}

/// Which revision a time made last, as `system` has it.
pub(crate) fn time_record(time_ms: u64, revision: u64) -> Record {
    let mut value = Vec::new();
    put_varint(&mut value, revision);
    Record::new(&tagged(TIME, time_ms, &[]), NO_META, [&value, &[]])
}

/// The time and revision of such a record.
pub(crate) fn take_time(record: &Record) -> Option<(u64, u64)> {
    let (time_ms, rest) = take_tagged(TIME, record.key())?;
    let mut reader = Reader::new(record.value());
    let revision = reader.varint().ok()?;
    reader.finish().ok()?;
    (rest.is_empty() && (1..=NUMBER_MAX).contains(&revision)).then_some((time_ms, revision))
}

/// Whether these are the numbers of a record that is not the user's.
pub(crate) fn is_no_meta(meta: Meta) -> bool {
    meta == NO_META
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn past_is_in_the_order_of_keys_then_revisions() {
        let mut random = Random::new(3);
        let mut keys: Vec<(Vec<u8>, u64)> = (0..400)
            .map(|_| {
                let len = 1 + random.below(4);
                let key = (0..len)
                    .map(|_| [0, 1, 254, 255][random.below(4)])
                    .collect();
                (key, random.next() >> 12)
            })
            .collect();
        keys.sort();
        let inner: Vec<_> = keys.iter().map(|(key, at)| version_at(key, *at)).collect();
        assert!(inner.is_sorted());
        for ((key, at), inner) in keys.iter().zip(&inner) {
            assert_eq!(user_key(inner).as_ref(), Some(key));
            assert!(versions_of(key) <= *inner && escaped(key) <= *inner, "{at}");
        }
        assert_eq!(user_key(b"a\0b\0\0\0\0\0\0\0\0\0\x01"), None);
        assert_eq!(user_key(b"short"), None);
    }
}
