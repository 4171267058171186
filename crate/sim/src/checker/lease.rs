//! The second store's leases. By log time they end exactly when they must; what log time is worth is
//! checked against virtual time: no lease ends before its time to live has truly passed since its
//! last sign of life was asked for, whoever led meanwhile, as long as clocks keep what is stated of
//! them. That none is forgotten is checked at the end of a world, where all of them must end.

use std::collections::BTreeMap;

use crate::checker::Violation;

/// What clocks are like in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The largest drift, in millionths.
    pub drift_ppm: u64,
    /// None jumps, or stands still while its node goes on.
    pub are_true: bool,
}

/// What was agreed for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long it lives after a sign of life, in milliseconds.
    pub ttl_ms: u64,
    /// In log time.
    pub deadline_ms: u64,
    /// When its last sign of life was asked for, in virtual time.
    pub asked: u64,
}

/// All leases that ever were.
#[derive(Debug, Default)]
pub struct Leases {
    /// Those that have not ended.
    pub live: BTreeMap<u64, Terms>,
    /// The last id that the store chose.
    pub last: u64,
    /// The terms from a moment on, by id.
    ever: BTreeMap<u64, Vec<(usize, Option<Terms>)>>,
    /// The ids from a moment on.
    ids: Vec<(usize, Vec<u64>)>,
    /// The longest time to live that any had.
    longest_ms: u64,
}

impl Leases {
    /// The lease that ends next.
    #[must_use]
    pub fn first(&self) -> Option<(u64, Terms)> {
        let leases = self.live.iter().map(|(&id, &terms)| (id, terms));
        leases.min_by_key(|(id, terms)| (terms.deadline_ms, *id))
    }

    /// A lease has these terms from `moment` on; without any it has ended.
    pub fn set(&mut self, moment: usize, id: u64, terms: Option<Terms>) {
        let before = match terms {
            Some(terms) => {
                self.longest_ms = self.longest_ms.max(terms.ttl_ms);
                self.live.insert(id, terms)
            }
            None => self.live.remove(&id),
        };
        if before.is_some() != terms.is_some() {
            self.ids.push((moment, self.live.keys().copied().collect()));
        }
        self.ever.entry(id).or_default().push((moment, terms));
    }

    /// The terms of a lease at `moment`.
    #[must_use]
    pub fn at(&self, moment: usize, id: u64) -> Option<Terms> {
        let ever = self.ever.get(&id)?;
        let after = ever.partition_point(|(since, _)| *since <= moment);
        ever[..after].last()?.1
    }

    /// The leases that there were at `moment`, from one on.
    #[must_use]
    pub fn all_at(&self, moment: usize, start: u64) -> Vec<u64> {
        let after = self.ids.partition_point(|(since, _)| *since <= moment);
        let ids = self.ids[..after].last().map_or(&[][..], |(_, ids)| ids);
        ids.iter().copied().filter(|id| *id >= start).collect()
    }

    /// The longest time to live that any lease had, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> u64 {
        self.longest_ms
    }
}

/// A lease ends by itself at virtual time `now`.
///
/// # Errors
/// That is early.
pub fn check_end(clocks: Clocks, id: u64, terms: Terms, now: u64) -> Result<(), Violation> {
    // Log time is cut to milliseconds, and runs as fast as the fastest clock at most.
    let least = (terms.ttl_ms - 1) * 1_000 * 1_000_000 / (1_000_000 + clocks.drift_ppm);
    let passed = now - terms.asked;
    if clocks.are_true && passed < least {
        let ttl_ms = terms.ttl_ms;
        let seen = format!("lease {id} of {ttl_ms} ms ended after {passed} µs");
        return Err(Violation::new("A lease never ends early", seen));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_end_is_found_where_clocks_are_true() {
        let terms = Terms {
            ttl_ms: 1_101,
            deadline_ms: 5_000,
            asked: 7_000_000,
        };
        let end = |are_true, passed: u64| {
            let clocks = Clocks {
                drift_ppm: 100_000,
                are_true,
            };
            check_end(clocks, 1, terms, 7_000_000 + passed)
        };
        assert_eq!(end(true, 1_000_000), Ok(()));
        assert!(end(true, 999_999).is_err());
        assert_eq!(end(false, 1), Ok(()));
    }

    #[test]
    fn terms_are_known_of_every_moment() {
        let mut leases = Leases::default();
        let terms = |deadline_ms| Terms {
            ttl_ms: 10,
            deadline_ms,
            asked: 0,
        };
        leases.set(1, 7, Some(terms(30)));
        leases.set(2, 5, Some(terms(30)));
        assert_eq!(leases.first(), Some((5, terms(30))));
        leases.set(3, 7, Some(terms(20)));
        leases.set(5, 7, None);
        assert_eq!(leases.at(0, 7), None);
        assert_eq!(leases.at(2, 7), Some(terms(30)));
        assert_eq!(leases.at(4, 7), Some(terms(20)));
        assert_eq!(
            (leases.all_at(4, 0), leases.all_at(5, 0)),
            (vec![5, 7], vec![5])
        );
        assert_eq!(
            (leases.first().map(|(id, _)| id), leases.longest_ms()),
            (Some(5), 10)
        );
    }
}
