//! From a world that fails to a smaller one that fails in the same way: things are taken away one
//! after another, and stay away when the failure stays.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::reduce::{Reduction, Setting};
use crate::shape::Shape;

/// Rounds over everything; mostly the second finds nothing more.
const ROUNDS_MAX: usize = 4;

/// Shrinks the world of `seed`, which fails when `start` is taken away from it. `fails` says whether
/// it still fails in the same way when something is taken away, and of how many faults then.
#[must_use]
pub fn shrink(
    seed: u64,
    start: &Reduction,
    torment: Duration,
    drawn: u64,
    fails: impl FnMut(&Reduction) -> bool,
) -> Reduction {
    let mut shrinker = Shrinker {
        best: start.clone(),
        seed,
        torment,
        fails,
    };
    // Less time makes every later step shorter; kinds go before single faults, which are many.
    shrinker.shorten();
    shrinker.drop_kinds();
    shrinker.drop_faults(drawn);
    for _ in 0..ROUNDS_MAX {
        let before = shrinker.best.clone();
        shrinker.fewer_clients();
        shrinker.fewer_nodes();
        shrinker.make_plain();
        shrinker.shorten();
        shrinker.drop_faults(drawn);
        if shrinker.best == before {
            break;
        }
    }
    shrinker.keep_kinds();
    shrinker.best
}

struct Shrinker<F> {
    /// The smallest yet.
    best: Reduction,
    seed: u64,
    torment: Duration,
    fails: F,
}

impl<F: FnMut(&Reduction) -> bool> Shrinker<F> {
    fn shape(&self) -> Shape {
        self.best.draw(self.seed, self.torment)
    }

    /// Keeps a change if the failure stays.
    fn attempt(&mut self, change: impl FnOnce(&mut Reduction)) -> bool {
        let mut next = self.best.clone();
        change(&mut next);
        if next == self.best || !(self.fails)(&next) {
            return false;
        }
        self.best = next;
        true
    }

    /// Halves the time while that works, then takes smaller and smaller parts of it away.
    fn shorten(&mut self) {
        let mut part = 2;
        while part <= 16 {
            let now = self.best.torment.unwrap_or(self.torment);
            let next = now - now / part;
            // In milliseconds, so that the command stays readable.
            let next = Duration::from_millis(next.as_millis() as u64);
            if next.is_zero() || !self.attempt(|r| r.torment = Some(next)) {
                part *= 2;
            }
        }
    }

    fn drop_kinds(&mut self) {
        for kind in self.shape().faults {
            self.attempt(|r| {
                r.without.insert(kind);
            });
        }
    }

    /// Kinds that no longer matter, since the faults that are left are of others, come back.
    fn keep_kinds(&mut self) {
        for kind in self.best.without.clone() {
            let is_none = self.best.faults.as_ref().is_some_and(BTreeSet::is_empty);
            if is_none {
                self.attempt(|r| {
                    r.without.remove(&kind);
                });
            }
        }
    }

    /// Leaves out all faults, halves, quarters and at last single ones.
    fn drop_faults(&mut self, drawn: u64) {
        let all = (1..=drawn).collect();
        let mut kept = self.best.faults.clone().unwrap_or(all);
        let mut size = kept.len().max(1);
        loop {
            let numbers: Vec<u64> = kept.iter().copied().collect();
            for piece in numbers.chunks(size) {
                let mut fewer = kept.clone();
                piece.iter().for_each(|number| {
                    fewer.remove(number);
                });
                if self.attempt(|r| r.faults = Some(fewer.clone())) {
                    kept = fewer;
                }
            }
            if size == 1 || kept.is_empty() {
                return;
            }
            size = (size / 2).min(kept.len()).max(1);
        }
    }

    fn fewer_clients(&mut self) {
        for clients in 1..self.shape().clients {
            if self.attempt(|r| r.clients = Some(clients)) {
                return;
            }
        }
    }

    fn fewer_nodes(&mut self) {
        for nodes in 1..self.shape().cluster.voters {
            if self.attempt(|r| r.nodes = Some(nodes)) {
                return;
            }
        }
    }

    fn make_plain(&mut self) {
        for &setting in Setting::ALL {
            self.attempt(|r| {
                r.plain.insert(setting);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;

    const TORMENT: Duration = Duration::from_secs(20);

    fn kept(reduction: &Reduction, number: u64) -> bool {
        let faults = reduction.faults.as_ref();
        faults.is_none_or(|faults| faults.contains(&number))
    }

    /// A world from which much can be taken away.
    fn large() -> (u64, Shape) {
        let worlds = (1..).map(|seed| (seed, Shape::draw(seed, TORMENT)));
        let is_large = |shape: &Shape| shape.clients > 2 && shape.cluster.voters > 3;
        let mut large = worlds.filter(|(_, shape)| is_large(shape) && shape.faults.len() > 2);
        large.next().expect("many worlds are large")
    }

    #[test]
    fn everything_that_does_not_matter_is_taken_away() {
        let (seed, full) = large();
        let kind = full.faults[1];
        let mut tries = 0;
        // It takes two faults, two clients, three nodes, a kind of fault, a link and three seconds.
        let fails = |r: &Reduction| {
            tries += 1;
            let shape = r.draw(seed, TORMENT);
            shape.torment >= 3_000_000
                && shape.clients >= 2
                && shape.cluster.voters >= 3
                && shape.faults.contains(&kind)
                && !r.plain.contains(&Setting::Link)
                && kept(r, 5)
                && kept(r, 30)
        };
        let small = shrink(seed, &Reduction::default(), TORMENT, 40, fails);
        assert_eq!(small.faults, Some(BTreeSet::from([5, 30])));
        assert_eq!((small.clients, small.nodes), (Some(2), Some(3)));
        let mut without: BTreeSet<FaultKind> = full.faults.into_iter().collect();
        without.remove(&kind);
        assert_eq!(small.without, without);
        let mut plain: BTreeSet<Setting> = Setting::ALL.iter().copied().collect();
        plain.remove(&Setting::Link);
        assert_eq!(small.plain, plain);
        let left = small.torment.unwrap();
        assert!(
            left >= Duration::from_secs(3) && left < Duration::from_millis(3_300),
            "{left:?}"
        );
        assert!(tries < 200, "{tries}");
    }

    #[test]
    fn failure_that_needs_no_fault_is_shown_without_any() {
        let (seed, _) = large();
        let small = shrink(seed, &Reduction::default(), TORMENT, 40, |_| true);
        assert_eq!(small.faults, Some(BTreeSet::new()));
        assert_eq!(small.without, BTreeSet::new());
        assert_eq!((small.clients, small.nodes), (Some(1), Some(1)));
    }
}
