//! The machine: commands in, replies out.

use bytes::Bytes;
use quorate_rsm::{ApplyContext, StateMachine};

use crate::command::{Command, Expected};
use crate::error::Code;
use crate::limits::{KEY_BYTES_MAX, RANGE_BYTES_MAX, VALUE_BYTES_MAX};
use crate::query::{Projection, Query};
use crate::range::KeyRange;
use crate::record::{KeyValue, Meta, Record, hash};
use crate::reply;
use crate::snapshot::{KvRestore, KvSnapshot};
use crate::tree::{Summary, Tree, reclaim};

/// The key-value store.
///
/// With n keys, an update of one key is O(log n) and the size of its value, and so is the removal or
/// the count of a range, however many keys it has. A clone and a snapshot are O(1) and share all
/// records; the first change of a key beside them copies the O(log n) nodes above it, not the
/// records. A large state that is dropped, by whatever way, is freed piece by piece by the calls that
/// come after, on the same thread.
#[derive(Clone, Default)]
pub struct Kv {
    live: Tree,
    revision: u64,
}

impl Kv {
    /// An empty store at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn from_parts(live: Tree, revision: u64) -> Self {
        Self { live, revision }
    }

    /// How many changes were made.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.live.total().count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.live.get(key).map(Record::key_value)
    }

    /// All records in key order.
    pub fn iter(&self) -> impl Iterator<Item = KeyValue> {
        self.live.iter_from(&[]).map(Record::key_value)
    }

    /// A hash of all keys, values and numbers, and of the revision: equal states have equal digests,
    /// however they came about, and different states almost surely have not. O(1).
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(self.live.total(), self.revision)
    }

    fn execute(&mut self, command: Command) -> Result<Bytes, Code> {
        match command {
            Command::Put { key, value } => {
                check_key(&key)?;
                let meta = self.write(&key, [&value, &[]])?;
                Ok(reply::written(meta))
            }
            Command::Append { key, value } => {
                check_key(&key)?;
                let old = self.live.get(&key).cloned();
                let head = old.as_ref().map_or(&[][..], Record::value);
                let meta = self.write(&key, [head, &value])?;
                Ok(reply::written(meta))
            }
            Command::Increment { key, by } => {
                check_key(&key)?;
                let old = self
                    .live
                    .get(&key)
                    .map_or(Ok(0), |record| integer(record.value()))?;
                let value = old.checked_add(by).ok_or(Code::Overflow)?;
                let meta = self.write(&key, [value.to_string().as_bytes(), &[]])?;
                Ok(reply::incremented(value, meta))
            }
            Command::CompareAndSwap { key, expected, new } => {
                check_key(&key)?;
                if let Some(value) = &new {
                    check_value(value.len())?;
                }
                let current = self.live.get(&key);
                if !is_expected(current, &expected) {
                    return Ok(reply::mismatch(current, self.revision));
                }
                match new {
                    Some(value) => Ok(reply::written(self.write(&key, [&value, &[]])?)),
                    None => Ok(self.delete(&key)),
                }
            }
            Command::Delete { key } => {
                check_key(&key)?;
                Ok(self.delete(&key))
            }
            Command::DeleteRange { range } => {
                range.check()?;
                let removed = self.live.remove_range(&range.start, range.end.as_deref());
                Ok(self.deleted(removed.total().count))
            }
        }
    }

    /// Stores a value, as the concatenation of two, under a new revision.
    fn write(&mut self, key: &[u8], value: [&[u8]; 2]) -> Result<Meta, Code> {
        check_value(value[0].len() + value[1].len())?;
        let revision = self.revision + 1;
        let meta = match self.live.get(key) {
            Some(old) => old.meta().changed(revision),
            None => Meta::created(revision),
        };
        self.live.insert(Record::new(key, meta, value));
        self.revision = revision;
        Ok(meta)
    }

    fn delete(&mut self, key: &[u8]) -> Bytes {
        let removed = self.live.remove(key);
        self.deleted(removed.iter().len() as u64)
    }

    fn deleted(&mut self, count: u64) -> Bytes {
        if count > 0 {
            self.revision += 1;
        }
        reply::deleted(count, self.revision)
    }

    fn answer(&self, query: Query) -> Result<Bytes, Code> {
        match query {
            Query::Get { key } => {
                check_key(&key)?;
                Ok(reply::got(self.live.get(&key), self.revision))
            }
            Query::Range {
                range,
                limit,
                projection,
            } => {
                range.check()?;
                Ok(self.range(&range, limit, projection))
            }
        }
    }

    fn range(&self, range: &KeyRange, limit: u64, projection: Projection) -> Bytes {
        let count = self.live.count(&range.start, range.end.as_deref());
        let (wanted, in_range) = match (projection, limit) {
            (Projection::Count, _) => (0, 0),
            (_, 0) => (count, count),
            (_, limit) => (limit, count),
        };
        let mut records = Vec::new();
        let mut next = None;
        for (taken, record) in (0..in_range).zip(self.live.iter_from(&range.start)) {
            let (head, tail) = match projection {
                Projection::Records | Projection::Count => (record.encoded(), &[][..]),
                Projection::Keys => (record.encoded_head(), EMPTY_VALUE),
            };
            let is_full = taken > 0 && records.len() + head.len() + tail.len() > RANGE_BYTES_MAX;
            if taken == wanted || is_full {
                next = Some(record.key());
                break;
            }
            records.extend_from_slice(head);
            records.extend_from_slice(tail);
        }
        reply::range(self.revision, count, next, &records)
    }
}

/// A value's encoding, if it has no bytes.
const EMPTY_VALUE: &[u8] = &[0];

impl StateMachine for Kv {
    type Snapshot = KvSnapshot;
    type Restore = KvRestore;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        reclaim::free(reclaim::AT_COMMAND);
        Command::decode(command)
            .map_err(|_| Code::Malformed)
            .and_then(|command| self.execute(command))
            .unwrap_or_else(reply::failed)
    }

    fn query(&self, query: &Bytes) -> Bytes {
        Query::decode(query)
            .map_err(|_| Code::Malformed)
            .and_then(|query| self.answer(query))
            .unwrap_or_else(reply::failed)
    }

    fn snapshot(&self) -> KvSnapshot {
        KvSnapshot::new(self.live.clone(), self.revision)
    }

    fn restore() -> KvRestore {
        KvRestore::default()
    }
}

/// The digest of a state. The tree's part is a sum over its records, so it is known at any time.
pub(crate) fn digest(total: Summary, revision: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&total.hash.to_le_bytes());
    bytes[8..].copy_from_slice(&revision.to_le_bytes());
    hash(&bytes)
}

fn check_key(key: &[u8]) -> Result<(), Code> {
    match key.len() {
        0 => Err(Code::EmptyKey),
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(Code::KeyTooLarge),
    }
}

fn check_value(len: usize) -> Result<(), Code> {
    if len > VALUE_BYTES_MAX {
        Err(Code::ValueTooLarge)
    } else {
        Ok(())
    }
}

fn is_expected(current: Option<&Record>, expected: &Expected) -> bool {
    match expected {
        Expected::Absent => current.is_none(),
        Expected::Revision(revision) => {
            current.is_some_and(|record| record.meta().mod_revision == *revision)
        }
        Expected::Value(value) => current.is_some_and(|record| record.value() == &value[..]),
    }
}

/// The number that decimal text stands for, if it is written as JSON writes it: "007" and "+7" are
/// somebody's text, and adding to them would destroy it.
fn integer(text: &[u8]) -> Result<i64, Code> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text == digits,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let parse = || str::from_utf8(text).ok()?.parse().ok();
    canonical.then(parse).flatten().ok_or(Code::NotAnInteger)
}

#[cfg(test)]
mod tests;
