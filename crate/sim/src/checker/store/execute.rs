//! What commands do, without any cleverness: as `docs/kv.md` says.

use bytes::Bytes;
use quorate_kv::{
    Code, Command, Compare, Expected, KeyRange, KeyValue, Meta, Op, RangeOptions, Relation, Reply,
    Target, Txn,
};

use super::Seen;
use super::answer::{scan, scan_with};
use super::past::Draft;
use super::retention::Retention;
use crate::checker::lease::{Leases, Terms};
use crate::situation::Situation;

/// What a command finds and changes beside the keys.
pub(super) struct Context<'a> {
    pub(super) leases: &'a mut Leases,
    pub(super) retention: &'a mut Retention,
    pub(super) seen: &'a mut Seen,
    pub(super) time_ms: u64,
    /// When its client asked for it, in virtual time.
    pub(super) asked: u64,
    /// The moment that it makes.
    pub(super) moment: usize,
}

impl Context<'_> {
    pub(super) fn run(&mut self, draft: &mut Draft<'_>, command: &Command) -> Result<Reply, Code> {
        Ok(match command {
            Command::Put { key, value } => Reply::Written {
                meta: put(draft, key, value.clone(), 0)?,
            },
            Command::Append { key, value } => {
                let old = draft.get(key).cloned();
                let head = old.as_ref().map_or(&b""[..], |old| &old.value);
                let whole = [head, value].concat().into();
                let meta = put(draft, key, whole, lease_of(old.as_ref()))?;
                Reply::Written { meta }
            }
            Command::Increment { key, by } => increment(draft, key, *by)?,
            Command::CompareAndSwap { key, expected, new } => {
                check(key)?;
                let current = draft.get(key).cloned();
                if !is_expected(current.as_ref(), expected) {
                    let revision = draft.now();
                    return Ok(Reply::Mismatch { current, revision });
                }
                match new {
                    Some(value) => Reply::Written {
                        meta: put(draft, key, value.clone(), 0)?,
                    },
                    None => removed(draft, &KeyRange::single(key.clone()))?,
                }
            }
            Command::Delete { key } => {
                check(key)?;
                removed(draft, &KeyRange::single(key.clone()))?
            }
            Command::DeleteRange { range } => removed(draft, range)?,
            Command::RemoveRange { range } => Reply::Removed {
                records: draft.remove(range)?,
                revision: draft.now(),
            },
            Command::PutWith {
                key,
                value,
                lease,
                previous,
            } => {
                check(key)?;
                let old = draft.get(key).cloned();
                let (old_value, old_lease) = match &old {
                    Some(old) => (Some(old.value.clone()), Some(old.meta.lease)),
                    None => (None, None),
                };
                let value = value.clone().or(old_value).ok_or(Code::KeyNotFound)?;
                let kept = lease.or(old_lease).ok_or(Code::KeyNotFound)?;
                if lease.is_some_and(|lease| lease != 0) {
                    self.terms(kept)?;
                }
                let meta = draft.put(key, value, kept)?;
                let previous = old.filter(|_| *previous);
                Reply::Put { meta, previous }
            }
            Command::Txn(txn) => self.transact(draft, txn)?,
            Command::LeaseGrant { id, ttl_ms } => self.grant(*id, *ttl_ms)?,
            Command::LeaseKeepAlive { id } => {
                let ttl_ms = self.terms(*id)?.ttl_ms;
                self.extend(*id, ttl_ms)
            }
            Command::LeaseRevoke { id } => {
                self.terms(*id)?;
                end(draft, *id)?;
                self.leases.set(self.moment, *id, None);
                Reply::Deleted {
                    count: draft.made(),
                    revision: draft.now(),
                }
            }
            Command::Compact { revision } => {
                if *revision <= self.retention.compacted {
                    return Err(Code::Compacted);
                }
                if *revision > draft.revision() {
                    return Err(Code::FutureRevision);
                }
                self.retention.compacted = *revision;
                self.retention.reply(draft.revision())
            }
            // What a world has of the past never takes as many bytes as are kept at first.
            Command::SetRetention {
                revisions,
                ms,
                bytes: _,
            } => {
                let revision = draft.revision();
                self.retention.set(*revisions, *ms, self.time_ms, revision);
                self.retention.reply(draft.revision())
            }
        })
    }

    fn transact(&mut self, draft: &mut Draft<'_>, txn: &Txn) -> Result<Reply, Code> {
        let succeeded = txn.compares.iter().all(|compare| holds(draft, compare));
        let ops = if succeeded { &txn.then } else { &txn.otherwise };
        self.seen.note_if(!succeeded, Situation::TxnElse);
        let mut replies = Vec::new();
        for op in ops {
            replies.push(match op {
                Op::Do(command) => self.run(draft, command)?,
                Op::Ask(query) => self.ask(draft, query)?,
            });
        }
        let revision = draft.now();
        Ok(Reply::Txn {
            succeeded,
            replies,
            revision,
        })
    }

    fn ask(&self, draft: &Draft<'_>, query: &quorate_kv::Query) -> Result<Reply, Code> {
        use quorate_kv::Query;
        let revision = draft.now();
        match query {
            Query::Get { key } => {
                check(key)?;
                let record = draft.get(key).cloned();
                Ok(Reply::Got { record, revision })
            }
            Query::Range {
                range,
                limit,
                projection,
            } => Ok(scan(draft.range(range), revision, *limit, *projection)),
            Query::RangeWith { range, options } => {
                let RangeOptions { at, .. } = *options;
                self.retention.check(at, draft.revision())?;
                let records = match at {
                    0 => draft.range(range),
                    at => draft.range_at(range, at),
                };
                Ok(scan_with(records, revision, options))
            }
            Query::Changes(_) | Query::Lease { .. } | Query::Leases { .. } => {
                unreachable!("not in a transaction")
            }
        }
    }

    fn grant(&mut self, id: u64, ttl_ms: u64) -> Result<Reply, Code> {
        if ttl_ms == 0 {
            return Err(Code::BadLease);
        }
        if self.leases.live.contains_key(&id) {
            return Err(Code::LeaseExists);
        }
        if id != 0 {
            return Ok(self.extend(id, ttl_ms));
        }
        let mut chosen = self.leases.last + 1;
        while self.leases.live.contains_key(&chosen) {
            chosen += 1;
        }
        self.leases.last = chosen;
        Ok(self.extend(chosen, ttl_ms))
    }

    /// The terms of a lease; one whose deadline has come counts as ended.
    fn terms(&self, id: u64) -> Result<Terms, Code> {
        let terms = self.leases.live.get(&id).copied();
        terms
            .filter(|terms| terms.deadline_ms > self.time_ms)
            .ok_or(Code::LeaseNotFound)
    }

    fn extend(&mut self, id: u64, ttl_ms: u64) -> Reply {
        let terms = Terms {
            ttl_ms,
            deadline_ms: self.time_ms + ttl_ms,
            asked: self.asked,
        };
        self.leases.set(self.moment, id, Some(terms));
        Reply::Lease {
            id,
            ttl_ms,
            left_ms: ttl_ms,
            keys: Vec::new(),
            next: None,
        }
    }
}

/// The keys of a lease go.
pub(super) fn end(draft: &mut Draft<'_>, id: u64) -> Result<(), Code> {
    for record in draft.range(&KeyRange::all()) {
        if record.meta.lease == id {
            draft.remove(&KeyRange::single(record.key))?;
        }
    }
    Ok(())
}

fn check(key: &[u8]) -> Result<(), Code> {
    if key.is_empty() {
        return Err(Code::EmptyKey);
    }
    Ok(())
}

fn lease_of(record: Option<&KeyValue>) -> u64 {
    record.map_or(0, |record| record.meta.lease)
}

fn put(draft: &mut Draft<'_>, key: &Bytes, value: Bytes, lease: u64) -> Result<Meta, Code> {
    check(key)?;
    draft.put(key, value, lease)
}

fn removed(draft: &mut Draft<'_>, range: &KeyRange) -> Result<Reply, Code> {
    let count = draft.remove(range)?.len() as u64;
    let revision = draft.now();
    Ok(Reply::Deleted { count, revision })
}

fn increment(draft: &mut Draft<'_>, key: &Bytes, by: i64) -> Result<Reply, Code> {
    check(key)?;
    let old = draft.get(key).cloned();
    let text = old.as_ref().map_or(&b"0"[..], |old| &old.value);
    let number = core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    // "007" and "+7" are text that happens to look like a number.
    let number = number.filter(|number| number.to_string().as_bytes() == text);
    let number = number.ok_or(Code::NotAnInteger)?;
    let value = number.checked_add(by).ok_or(Code::Overflow)?;
    let meta = draft.put(key, value.to_string().into(), lease_of(old.as_ref()))?;
    Ok(Reply::Incremented { value, meta })
}

fn is_expected(current: Option<&KeyValue>, expected: &Expected) -> bool {
    match (expected, current) {
        (Expected::Absent, current) => current.is_none(),
        (Expected::Value(value), Some(current)) => current.value == *value,
        (Expected::Revision(at), Some(current)) => current.meta.mod_revision == *at,
        (Expected::Value(_) | Expected::Revision(_), None) => false,
    }
}

fn holds(draft: &Draft<'_>, compare: &Compare) -> bool {
    let records = draft.range(&compare.range);
    let fits = |meta: Meta, value: &[u8]| {
        let ordering = match &compare.target {
            Target::Version(to) => meta.version.cmp(to),
            Target::CreateRevision(to) => meta.create_revision.cmp(to),
            Target::ModRevision(to) => meta.mod_revision.cmp(to),
            Target::Lease(to) => meta.lease.cmp(to),
            Target::Value(to) => value.cmp(to),
        };
        match compare.relation {
            Relation::Equal => ordering.is_eq(),
            Relation::NotEqual => ordering.is_ne(),
            Relation::Greater => ordering.is_gt(),
            Relation::Less => ordering.is_lt(),
        }
    };
    if records.is_empty() {
        let none = Meta {
            create_revision: 0,
            mod_revision: 0,
            version: 0,
            lease: 0,
        };
        return !matches!(compare.target, Target::Value(_)) && fits(none, &[]);
    }
    records
        .iter()
        .all(|record| fits(record.meta, &record.value))
}
