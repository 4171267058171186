//! Records that are not the user's: those of leases, and of times. Numbers in keys are big-endian, so
//! that the order of the keys is theirs.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | system | `L`, lease | its ttl and deadline |
//! | system | `T`, log time | the last revision made at that time; only where an age bounds the past |
//! | index | `D`, deadline, lease | nothing |
//! | index | `K`, lease, user key | nothing: the live key hangs on the lease |

use crate::limits::{NUMBER_MAX, TTL_MS_MAX};
use crate::record::{Meta, Record};
use crate::wire::{Reader, put_varint};

const LEASE: u8 = b'L';
const TIME: u8 = b'T';
const DEADLINE: u8 = b'D';
const HANGING: u8 = b'K';

/// No user key: of records whose key says all.
const NO_META: Meta = Meta {
    create_revision: 0,
    mod_revision: 0,
    version: 0,
    lease: 0,
};

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
pub(crate) const DEADLINES: [u8; 1] = [DEADLINE];
/// From the first lease to behind the last one.
pub(crate) const LEASES: [[u8; 1]; 2] = [[LEASE], [LEASE + 1]];

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
            ttl_ms: reader.varint(),
            deadline_ms: reader.varint(),
        };
        reader.finish().ok()?;
        (1..=TTL_MS_MAX).contains(&terms.ttl_ms).then_some(terms)
    }
}

/// Where `system` has the first time.
pub(crate) const TIMES: [u8; 1] = [TIME];

/// Where `system` has a time.
pub(crate) fn time(time_ms: u64) -> Vec<u8> {
    tagged(TIME, time_ms, &[])
}

/// Which revision a time made last, as `system` has it.
pub(crate) fn time_record(time_ms: u64, revision: u64) -> Record {
    let mut value = Vec::new();
    put_varint(&mut value, revision);
    Record::new(&time(time_ms), NO_META, [&value, &[]])
}

/// The time and revision of such a record.
pub(crate) fn take_time(record: &Record) -> Option<(u64, u64)> {
    let (time_ms, rest) = take_tagged(TIME, record.key())?;
    let mut reader = Reader::new(record.value());
    let revision = reader.varint();
    reader.finish().ok()?;
    (rest.is_empty() && (1..=NUMBER_MAX).contains(&revision)).then_some((time_ms, revision))
}

/// Whether these are the numbers of a record that is not the user's.
pub(crate) fn is_no_meta(meta: Meta) -> bool {
    meta == NO_META
}
