//! A user who keeps a key alive by a lease, and lets go now and then: the key stays as long as signs of
//! life say, and no longer, wherever its shard goes.

use bytes::Bytes;
use quorate_kv::{Command, Query, Reply};
use quorate_raft::Random;

use crate::checker::Violation;
use crate::workload::Wish;

/// Where a holder stands.
pub(super) struct Holder {
    /// What its keys begin with. Each lease has a key of its own, which the store cannot hang on
    /// another lease by a call that is late.
    name: String,
    ttl_ms: u64,
    /// The lease, and the latest time, in microseconds, before which a sign of life was given.
    lease: Option<(u64, u64)>,
    /// The key hangs on the lease.
    has_key: bool,
    /// Leases so far.
    pub(super) granted: u64,
    /// What is asked, and since when.
    asked: (What, u64),
}

#[derive(Clone, Copy)]
enum What {
    Grant,
    Put,
    Beat,
    Look,
}

/// By how much less a lease may live: clocks drift, and log time is counted in milliseconds.
const DRIFT_PERCENT: u64 = 2;
const GRAIN: u64 = 5_000;

impl Holder {
    /// Of keys that begin so.
    pub(super) fn new(name: String, ttl_ms: u64) -> Self {
        Self {
            name,
            ttl_ms,
            lease: None,
            has_key: false,
            granted: 0,
            asked: (What::Look, 0),
        }
    }

    /// Whether it holds a lease, as far as it knows.
    pub(super) fn holds(&self) -> bool {
        self.has_key
    }

    fn key(&self) -> Bytes {
        Bytes::from(format!("{}/{}", self.name, self.granted))
    }

    /// The next call.
    pub(super) fn next(&mut self, now: u64, random: &mut Random) -> Wish {
        let (what, command) = match self.lease {
            None => {
                let ttl_ms = self.ttl_ms;
                (What::Grant, Command::LeaseGrant { id: 0, ttl_ms })
            }
            Some((id, _)) if !self.has_key => {
                let put = Command::PutWith {
                    key: self.key(),
                    value: Some(Bytes::from_static(b"held")),
                    lease: Some(id),
                    previous: false,
                };
                (What::Put, put)
            }
            Some((id, _)) if random.below(3) > 0 => (What::Beat, Command::LeaseKeepAlive { id }),
            Some(_) => return self.look(now),
        };
        self.asked = (what, now);
        Wish::Write(command)
    }

    /// Asks whether the key is there.
    pub(super) fn look(&mut self, now: u64) -> Wish {
        self.asked = (What::Look, now);
        Wish::Read(Query::Get { key: self.key() })
    }

    /// What the store says. Whether the lease has ended.
    pub(super) fn answered(&mut self, now: u64, reply: &Reply) -> Result<bool, Violation> {
        let (what, since) = self.asked;
        match (what, reply) {
            (What::Grant, Reply::Lease { id, .. }) => {
                self.lease = Some((*id, since));
                self.granted += 1;
            }
            (What::Beat, Reply::Lease { id, .. }) => self.lease = Some((*id, since)),
            (What::Put, Reply::Put { .. }) => self.has_key = true,
            (What::Look, Reply::Got { record, .. }) if record.is_some() => {}
            (What::Look, Reply::Got { .. }) | (What::Put | What::Beat, Reply::Failed(_)) => {
                return self.ended(now);
            }
            (_, other) => {
                let seen = format!("a holder of {} was told {other:?}", self.name);
                return Err(Violation::new("Replies are the store's", seen));
            }
        }
        Ok(false)
    }

    /// The lease is gone: it must have had its time.
    fn ended(&mut self, now: u64) -> Result<bool, Violation> {
        let ended = self.lease.take();
        self.has_key = false;
        let Some((id, since)) = ended else {
            return Ok(false);
        };
        let least = self.ttl_ms * 10 * (100 - DRIFT_PERCENT);
        if now + GRAIN < since + least {
            let seen = format!(
                "lease {id} of {} ended after {} µs, not {} ms",
                self.key().escape_ascii(),
                now - since,
                self.ttl_ms
            );
            return Err(Violation::new("A lease lives its time", seen));
        }
        Ok(true)
    }

    /// All signs of life are long over.
    pub(super) fn check_end(&self) -> Result<(), Violation> {
        match self.lease {
            Some((id, since)) if self.has_key => {
                let key = self.key();
                let seen = format!(
                    "{} hangs on lease {id} since {since} µs",
                    key.escape_ascii()
                );
                Err(Violation::new("A lease ends", seen))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_kv::Code;

    /// Has a lease of 100 ms since the time 1,000 µs, with its key.
    fn holder(random: &mut Random) -> Holder {
        let mut holder = Holder::new("held".to_owned(), 100);
        holder.next(1_000, random);
        let lease = Reply::Lease {
            id: 7,
            ttl_ms: 100,
            left_ms: 100,
            keys: Vec::new(),
            next: None,
        };
        assert_eq!(holder.answered(2_000, &lease), Ok(false));
        holder.has_key = true;
        holder
    }

    #[test]
    fn a_lease_that_ends_too_early_or_never_is_objected_to() {
        let random = &mut Random::new(1);
        let gone = Reply::Got {
            record: None,
            revision: 3,
        };
        let mut early = holder(random);
        early.look(90_000);
        assert!(early.answered(91_000, &gone).is_err());
        let mut failed = holder(random);
        failed.asked = (What::Beat, 90_000);
        let reply = Reply::Failed(Code::LeaseNotFound);
        assert!(failed.answered(91_000, &reply).is_err());
        let mut late = holder(random);
        late.look(101_000);
        assert_eq!(late.answered(102_000, &gone), Ok(true));
        assert_eq!(late.check_end(), Ok(()));
        assert!(holder(random).check_end().is_err());
    }
}
