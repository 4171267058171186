//! Answers about keys, of now and of the past.

use std::cmp::Ordering;

use bytes::Bytes;

use super::{Kv, check_key};
use crate::error::Code;
use crate::limits::RANGE_BYTES_MAX;
use crate::query::{Order, Projection, Query, RangeOptions};
use crate::range::KeyRange;
use crate::record::Record;
use crate::reply;
use crate::tree::Place;

/// A value's encoding, if it has no bytes.
const EMPTY_VALUE: &[u8] = &[0];

impl Kv {
    pub(super) fn answer(&self, query: Query) -> Result<Bytes, Code> {
        match query {
            Query::Get { key } => {
                check_key(&key)?;
                Ok(reply::got(self.live.get(&key), self.now()))
            }
            Query::Range {
                range,
                limit,
                projection,
            } => {
                range.check()?;
                Ok(self.range(&range, limit, projection))
            }
            Query::RangeWith { range, options } => {
                range.check()?;
                self.range_with(&range, options)
            }
            Query::Changes(ask) => Ok(self.changes(&ask)?.0),
            Query::Lease { id, keys } => self.lease(id, keys.as_deref()),
            Query::Leases { start } => Ok(self.leases(start)),
        }
    }

    /// The records of a range as they are now.
    pub(super) fn in_range(&self, range: &KeyRange) -> impl Iterator<Item = &Record> {
        self.live
            .iter_from(&range.start)
            .take_while(|record| range.contains(record.key()))
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
            let (head, tail) = parts(record, projection);
            let is_full = taken > 0 && records.len() + head.len() + tail.len() > RANGE_BYTES_MAX;
            if taken == wanted || is_full {
                next = Some(record.key());
                break;
            }
            records.extend_from_slice(head);
            records.extend_from_slice(tail);
        }
        reply::range(self.now(), count, next, &records)
    }

    fn range_with(&self, range: &KeyRange, options: RangeOptions) -> Result<Bytes, Code> {
        let plain = RangeOptions {
            limit: options.limit,
            projection: options.projection,
            ..RangeOptions::default()
        };
        if options == plain {
            return Ok(self.range(range, options.limit, options.projection));
        }
        let mut found = self.found(range, options.at)?;
        let count = found.len() as u64;
        if options.projection == Projection::Count {
            return Ok(reply::range(self.now(), count, None, &[]));
        }
        let is_between = |value, least, most| value >= least && (most == 0 || value <= most);
        found.retain(|record| {
            let meta = record.meta();
            is_between(meta.mod_revision, options.min_mod, options.max_mod)
                && is_between(meta.create_revision, options.min_create, options.max_create)
        });
        // In key order they are, and equal ones stay in it.
        let found = sort(found, &|a, b| match options.descending {
            false => compare(options.order, a, b),
            true => compare(options.order, b, a),
        });
        let mut records = Vec::new();
        let mut next = None;
        for (taken, record) in (0..).zip(found) {
            let (head, tail) = parts(record, options.projection);
            let is_full = taken > 0 && records.len() + head.len() + tail.len() > RANGE_BYTES_MAX;
            if is_full || (options.limit > 0 && taken == options.limit) {
                next = Some(record.key());
                break;
            }
            records.extend_from_slice(head);
            records.extend_from_slice(tail);
        }
        Ok(reply::range(self.now(), count, next, &records))
    }

    /// The records of a range as of a revision, in key order; 0 is now.
    fn found(&self, range: &KeyRange, at: u64) -> Result<Vec<&Record>, Code> {
        if at == 0 {
            return Ok(self.in_range(range).collect());
        }
        if at < self.numbers.compacted {
            return Err(Code::Compacted);
        }
        if at > self.numbers.revision {
            return Err(Code::FutureRevision);
        }
        let mut found = Vec::new();
        let mut live = self.in_range(range).map(Record::key).peekable();
        let mut from = Place::from(&range.start);
        loop {
            let past = self.past.next(from).map(Record::key);
            let past = past.filter(|key| range.contains(key));
            let Some(key) = live.peek().copied().into_iter().chain(past).min() else {
                return Ok(found);
            };
            live.next_if_eq(&key);
            from = Place::new(key, u64::MAX);
            found.extend(self.version(key, at));
        }
    }

    /// The record of a key as of a revision that is not compacted.
    pub(super) fn version(&self, key: &[u8], at: u64) -> Option<&Record> {
        let live = self.live.get(key);
        if let Some(live) = live.filter(|record| record.revision() <= at) {
            return Some(live);
        }
        self.past
            .below(Place::new(key, at + 1))
            .filter(|record| record.key() == key && !record.is_deletion())
    }
}

/// Sorts by merging; equal ones stay as they are. The sort of the standard library is five kilobytes,
/// which every visitor downloads, and not much quicker where each comparison reads two records.
fn sort<'a>(
    mut records: Vec<&'a Record>,
    compare: &impl Fn(&Record, &Record) -> Ordering,
) -> Vec<&'a Record> {
    if records.is_sorted_by(|a, b| compare(a, b).is_le()) {
        return records;
    }
    let later = sort(records.split_off(records.len() / 2), compare);
    let sorted = sort(records, compare);
    let mut merged = Vec::with_capacity(sorted.len() + later.len());
    let mut later = later.into_iter().peekable();
    for record in sorted {
        while let Some(earlier) = later.next_if(|other| compare(other, record).is_lt()) {
            merged.push(earlier);
        }
        merged.push(record);
    }
    merged.extend(later);
    merged
}

/// What of a record comes back.
fn parts(record: &Record, projection: Projection) -> (&[u8], &[u8]) {
    match projection {
        Projection::Records | Projection::Count => (record.encoded(), &[]),
        Projection::Keys => (record.encoded_head(), EMPTY_VALUE),
    }
}

fn compare(order: Order, a: &Record, b: &Record) -> Ordering {
    let (one, other) = (a.meta(), b.meta());
    match order {
        Order::Key => a.key().cmp(b.key()),
        Order::CreateRevision => one.create_revision.cmp(&other.create_revision),
        Order::ModRevision => one.mod_revision.cmp(&other.mod_revision),
        Order::Version => one.version.cmp(&other.version),
        Order::Value => a.value().cmp(b.value()),
    }
}
