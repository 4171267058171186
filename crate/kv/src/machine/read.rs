//! Answers about keys, of now and of the past.

use std::borrow::Cow;
use std::cmp::Ordering;

use bytes::Bytes;

use super::{Kv, check_key};
use crate::error::Code;
use crate::history;
use crate::limits::RANGE_BYTES_MAX;
use crate::query::{Order, Projection, Query, RangeOptions};
use crate::range::KeyRange;
use crate::record::Record;
use crate::reply;

/// A value's encoding, if it has no bytes.
const EMPTY_VALUE: &[u8] = &[0];

/// A record of any time, and the user's key.
struct Found<'a> {
    key: Cow<'a, [u8]>,
    record: &'a Record,
}

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
        found.retain(|Found { record, .. }| {
            let meta = record.meta();
            is_between(meta.mod_revision, options.min_mod, options.max_mod)
                && is_between(meta.create_revision, options.min_create, options.max_create)
        });
        let order = |a: &Found<'_>, b: &Found<'_>| {
            let ordering = compare(options.order, a, b);
            if options.descending {
                ordering.reverse()
            } else {
                ordering
            }
        };
        found.sort_by(|a, b| order(a, b).then_with(|| a.key.cmp(&b.key)));
        let mut records = Vec::new();
        let mut next = None;
        for (taken, Found { key, record }) in (0..).zip(&found) {
            let start = records.len();
            let is_full = options.limit > 0 && taken == options.limit;
            if !is_full {
                let value = match options.projection {
                    Projection::Records => record.value(),
                    Projection::Keys | Projection::Count => &[],
                };
                reply::put_record(&mut records, key, record.meta(), value);
            }
            if is_full || (taken > 0 && records.len() > RANGE_BYTES_MAX) {
                records.truncate(start);
                next = Some(&key[..]);
                break;
            }
        }
        Ok(reply::range(self.now(), count, next, &records))
    }

    /// The records of a range as of a revision, in key order; 0 is now.
    fn found(&self, range: &KeyRange, at: u64) -> Result<Vec<Found<'_>>, Code> {
        let mut found = Vec::new();
        if at == 0 {
            found.extend(self.in_range(range).map(|record| Found {
                key: Cow::Borrowed(record.key()),
                record,
            }));
            return Ok(found);
        }
        if at < self.numbers.compacted {
            return Err(Code::Compacted);
        }
        if at > self.numbers.revision {
            return Err(Code::FutureRevision);
        }
        let mut live = self.in_range(range).peekable();
        let mut from = history::escaped(&range.start);
        loop {
            let past = self.past.iter_from(&from).next();
            let past = past.and_then(|record| history::user_key(record.key()));
            let past = past.filter(|key| range.contains(key));
            let key = match (live.peek(), past) {
                (None, None) => return Ok(found),
                (Some(live), Some(past)) if *past <= *live.key() => Cow::Owned(past),
                (Some(live), _) => Cow::Borrowed(live.key()),
                (None, Some(past)) => Cow::Owned(past),
            };
            live.next_if(|record| *record.key() == *key);
            from = history::version_at(&key, u64::MAX);
            if let Some(record) = self.version(&key, at) {
                found.push(Found { key, record });
            }
        }
    }

    /// The record of a key as of a revision that is not compacted.
    pub(super) fn version(&self, key: &[u8], at: u64) -> Option<&Record> {
        let live = self.live.get(key);
        if let Some(live) = live.filter(|record| record.meta().mod_revision <= at) {
            return Some(live);
        }
        let versions = history::versions_of(key);
        self.past
            .below(&history::version_at(key, at + 1))
            .filter(|record| record.key().starts_with(&versions) && record.meta().version > 0)
    }
}

fn compare(order: Order, a: &Found<'_>, b: &Found<'_>) -> Ordering {
    let (one, other) = (a.record.meta(), b.record.meta());
    match order {
        Order::Key => a.key.cmp(&b.key),
        Order::CreateRevision => one.create_revision.cmp(&other.create_revision),
        Order::ModRevision => one.mod_revision.cmp(&other.mod_revision),
        Order::Version => one.version.cmp(&other.version),
        Order::Value => a.record.value().cmp(b.record.value()),
    }
}
