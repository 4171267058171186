//! Leases: keys that go when nobody gives a sign of life.

use bytes::Bytes;
use quorate_rsm::ApplyContext;

use super::Kv;
use crate::error::Code;
use crate::limits::{NUMBER_MAX, RANGE_BYTES_MAX, TTL_MS_MAX};
use crate::reply;
use crate::system::{self, Terms};
use crate::tree::reclaim;
use crate::wire::put_bytes;

/// How many leases end before one command, at most.
const EXPIRE_LEASES: usize = 16;

/// When so many keys went before one command, no further lease ends. One lease's go together.
const EXPIRE_KEYS: u64 = 256;

/// How many leases a reply lists.
const LEASES_LISTED: usize = 1024;

impl Kv {
    /// Notes the time, and ends what is due, by deadline then id, a bounded piece. Says how many keys
    /// changed.
    pub(super) fn expire(&mut self, context: &ApplyContext) -> u64 {
        reclaim::free(reclaim::AT_COMMAND);
        self.numbers.time_ms = self.numbers.time_ms.max(context.time_ms);
        let mut made = 0;
        for _ in 0..EXPIRE_LEASES {
            match self.first_deadline() {
                Some((deadline_ms, id)) if deadline_ms <= self.numbers.time_ms => self.end(id),
                _ => break,
            }
            made += self.commit();
            if made >= EXPIRE_KEYS {
                break;
            }
        }
        made
    }

    pub(super) fn first_deadline(&self) -> Option<(u64, u64)> {
        let first = self.index.next(&system::DEADLINES)?;
        system::take_deadline(first.key())
    }

    pub(super) fn grant(&mut self, id: u64, ttl_ms: u64) -> Result<Bytes, Code> {
        if id > NUMBER_MAX || !(1..=TTL_MS_MAX).contains(&ttl_ms) {
            return Err(Code::BadLease);
        }
        let mut chosen = id;
        if id == 0 {
            chosen = self.numbers.last_lease + 1;
            while self.stored(chosen).is_some() {
                chosen += 1;
            }
            if chosen > NUMBER_MAX {
                return Err(Code::BadLease);
            }
            self.numbers.last_lease = chosen;
        } else if self.stored(id).is_some() {
            return Err(Code::LeaseExists);
        }
        Ok(self.extend(chosen, ttl_ms))
    }

    pub(super) fn keep_alive(&mut self, id: u64) -> Result<Bytes, Code> {
        let terms = self.terms(id)?;
        let old = system::deadline(terms.deadline_ms, id);
        self.index.remove(&old);
        Ok(self.extend(id, terms.ttl_ms))
    }

    fn extend(&mut self, id: u64, ttl_ms: u64) -> Bytes {
        let terms = Terms {
            ttl_ms,
            deadline_ms: self.numbers.time_ms.saturating_add(ttl_ms),
        };
        self.system.insert(system::lease_record(id, terms));
        let deadline = system::deadline(terms.deadline_ms, id);
        self.index.insert(system::mark(&deadline));
        reply::lease(id, ttl_ms, self.left(terms), None, &[])
    }

    pub(super) fn revoke(&mut self, id: u64) -> Result<Bytes, Code> {
        self.terms(id)?;
        self.end(id);
        Ok(reply::deleted(self.made, self.now()))
    }

    /// Removes a lease and its keys, by one revision.
    fn end(&mut self, id: u64) {
        let keys: Vec<Vec<u8>> = self.keys_of(id, &[]).map(<[u8]>::to_vec).collect();
        for key in keys {
            self.remove(&key);
        }
        if let Some(terms) = self.stored(id) {
            let deadline = system::deadline(terms.deadline_ms, id);
            self.index.remove(&deadline);
        }
        self.system.remove(&system::lease(id));
    }

    /// The terms of a lease that is not due: one whose turn to end is yet to come counts as ended.
    pub(super) fn terms(&self, id: u64) -> Result<Terms, Code> {
        self.stored(id)
            .filter(|terms| terms.deadline_ms > self.numbers.time_ms)
            .ok_or(Code::LeaseNotFound)
    }

    fn stored(&self, id: u64) -> Option<Terms> {
        let record = self.system.get(&system::lease(id))?;
        Terms::decode(record.value())
    }

    fn left(&self, terms: Terms) -> u64 {
        terms.deadline_ms - self.numbers.time_ms
    }

    pub(crate) fn keys_of(&self, id: u64, start: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.index
            .iter_from(&system::hanging(id, start))
            .map_while(move |record| {
                let (lease, key) = system::take_hanging(record.key())?;
                (lease == id).then_some(key)
            })
    }

    pub(super) fn lease(&self, id: u64, start: Option<&[u8]>) -> Result<Bytes, Code> {
        let terms = self.terms(id)?;
        let mut keys = Vec::new();
        let mut next = None;
        for key in start.into_iter().flat_map(|start| self.keys_of(id, start)) {
            if keys.len() + key.len() > RANGE_BYTES_MAX {
                next = Some(key);
                break;
            }
            put_bytes(&mut keys, key);
        }
        Ok(reply::lease(
            id,
            terms.ttl_ms,
            self.left(terms),
            next,
            &keys,
        ))
    }

    pub(super) fn leases(&self, start: u64) -> Bytes {
        let ids = self
            .system
            .iter_from(&system::lease(start))
            .map_while(|record| system::take_lease(record.key()));
        let mut ids: Vec<u64> = ids.take(LEASES_LISTED + 1).collect();
        let next = if ids.len() > LEASES_LISTED {
            ids.pop()
        } else {
            None
        };
        reply::leases(next.unwrap_or_default(), &ids)
    }
}
