//! What a query must be answered in one state.

use core::cmp::Ordering;

use bytes::Bytes;
use quorate_kv::{Code, KeyRange, KeyValue, Order, Projection, Query, RangeOptions, Reply};

use super::Store;
use super::retention::check_revision;

impl Store {
    /// The answer to a query at a moment; `None` for changes, which may come in any portions.
    pub(super) fn answer(&self, moment: usize, query: &Query) -> Option<Reply> {
        let now = self.moments[moment];
        Some(match query {
            Query::Get { key } if key.is_empty() => Reply::Failed(Code::EmptyKey),
            Query::Get { key } => Reply::Got {
                record: self.past.at(key, now.revision).cloned(),
                revision: now.revision,
            },
            Query::Range {
                range,
                limit,
                projection,
            } => {
                let records = self.records(range, now.revision);
                scan(records, now.revision, *limit, *projection)
            }
            Query::RangeWith { range, options } => {
                match check_revision(options.at, now.compacted, now.revision) {
                    Err(code) => Reply::Failed(code),
                    Ok(()) => {
                        let at = if options.at == 0 {
                            now.revision
                        } else {
                            options.at
                        };
                        scan_with(self.records(range, at), now.revision, options)
                    }
                }
            }
            Query::Lease { id, keys } => {
                let terms = self.leases.at(moment, *id);
                let Some(terms) = terms.filter(|terms| terms.deadline_ms > now.time_ms) else {
                    return Some(Reply::Failed(Code::LeaseNotFound));
                };
                let all = KeyRange::from(keys.clone().unwrap_or_default());
                let hangs = |record: &&KeyValue| record.meta.lease == *id && keys.is_some();
                let records = self.past.range(&all, now.revision).filter(hangs);
                Reply::Lease {
                    id: *id,
                    ttl_ms: terms.ttl_ms,
                    left_ms: terms.deadline_ms - now.time_ms,
                    keys: records.map(|record| record.key.clone()).collect(),
                    next: None,
                }
            }
            Query::Leases { start } => Reply::Leases {
                ids: self.leases.all_at(moment, *start),
                next: 0,
            },
            Query::Changes(_) => return None,
        })
    }

    fn records(&self, range: &KeyRange, revision: u64) -> Vec<KeyValue> {
        self.past.range(range, revision).cloned().collect()
    }
}

/// What of a range's records comes back.
pub(super) fn scan(records: Vec<KeyValue>, revision: u64, limit: u64, what: Projection) -> Reply {
    let count = records.len() as u64;
    part(records, count, revision, limit, what)
}

/// And how.
pub(super) fn scan_with(
    mut records: Vec<KeyValue>,
    revision: u64,
    options: &RangeOptions,
) -> Reply {
    let count = records.len() as u64;
    let most = |bound| if bound == 0 { u64::MAX } else { bound };
    records.retain(|KeyValue { meta, .. }| {
        (options.min_mod..=most(options.max_mod)).contains(&meta.mod_revision)
            && (options.min_create..=most(options.max_create)).contains(&meta.create_revision)
    });
    records.sort_by(|a, b| {
        let ordering = compare(options.order, a, b);
        if options.descending {
            ordering.reverse()
        } else {
            ordering
        }
    });
    part(records, count, revision, options.limit, options.projection)
}

fn compare(order: Order, a: &KeyValue, b: &KeyValue) -> Ordering {
    match order {
        Order::Key => a.key.cmp(&b.key),
        Order::Value => a.value.cmp(&b.value),
        Order::CreateRevision => a.meta.create_revision.cmp(&b.meta.create_revision),
        Order::ModRevision => a.meta.mod_revision.cmp(&b.meta.mod_revision),
        Order::Version => a.meta.version.cmp(&b.meta.version),
    }
}

fn part(
    mut records: Vec<KeyValue>,
    count: u64,
    revision: u64,
    limit: u64,
    what: Projection,
) -> Reply {
    let mut next = None;
    if limit > 0 && records.len() as u64 > limit {
        next = Some(records[limit as usize].key.clone());
        records.truncate(limit as usize);
    }
    match what {
        Projection::Records => {}
        Projection::Keys => records
            .iter_mut()
            .for_each(|record| record.value = Bytes::new()),
        Projection::Count => (records, next) = (Vec::new(), None),
    }
    Reply::Range {
        records,
        count,
        next,
        revision,
    }
}
