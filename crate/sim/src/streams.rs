//! Chance, one stream per concern, all from one seed: a draw in one never shifts another.

use quorate_raft::Random;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// The shape of the world: how many nodes, which settings.
    Shape,
    /// Delays, losses and duplicates, per sender.
    Network,
    /// Delays and failures of writes, and what a crash leaves, per node.
    Disk,
    /// Drift and late timers, per node.
    Clock,
    /// The seeds of the nodes' own timeouts, per node.
    Node,
    /// What clients ask, per client.
    Workload,
    /// Which faults come when.
    Nemesis,
    /// Which clients hear who leads, when, and whether that is so.
    Hints,
}

/// All streams of a world.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of the world `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of `concern` that belongs to `owner` (zero where there is only one).
    #[must_use]
    pub fn stream(&self, concern: Concern, owner: u64) -> Random {
        let label = (concern as u64) << 48 | owner;
        Random::stream(self.seed, label)
    }
}

/// A number that is exponentially distributed with mean `mean`, without floating point: −ln u is
/// read off the leading zeros of a uniform number and the bits behind them.
pub fn exponential(random: &mut Random, mean: u64) -> u64 {
    let uniform = random.next_u64() | 1;
    let zeros = uniform.leading_zeros();
    // −log2 u in 1/65536, linear between powers of two; ln 2 = 45426/65536.
    let mantissa = uniform.wrapping_shl(zeros + 1) >> 48;
    let log2 = (u128::from(zeros) << 16) + u128::from(0x1_0000 - mantissa);
    ((log2 * 45_426 * u128::from(mean)) >> 32) as u64
}

/// Whether something of probability `permille` in a thousand happens.
pub fn chance(random: &mut Random, permille: u64) -> bool {
    random.below(1_000) < permille
}

/// A number in `[low, high]`.
pub fn between(random: &mut Random, low: u64, high: u64) -> u64 {
    low + random.below(high.saturating_sub(low) + 1)
}

/// A number below `max` that may be of any order of magnitude, down to `max` halved so often.
pub fn magnitude(random: &mut Random, max: u64, halvings: u64) -> u64 {
    let halvings = random.below(halvings + 1);
    random.below((max >> halvings).max(1))
}

/// One of `items`, by weight.
pub fn weighted<T: Copy>(random: &mut Random, items: &[(u64, T)]) -> T {
    let mut left = random.below(items.iter().map(|(weight, _)| weight).sum());
    for &(weight, item) in items {
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return item,
        }
    }
    unreachable!("weights are not all zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_in_one_stream_never_shifts_another() {
        let streams = Streams::new(5);
        let expected = streams.stream(Concern::Disk, 2).next_u64();
        let mut network = streams.stream(Concern::Network, 2);
        assert_ne!(network.next_u64(), network.next_u64());
        assert_eq!(streams.stream(Concern::Disk, 2).next_u64(), expected);
        assert_ne!(streams.stream(Concern::Disk, 3).next_u64(), expected);
        assert_ne!(streams.stream(Concern::Network, 2).next_u64(), expected);
    }

    #[test]
    fn exponential_has_its_mean_and_a_tail() {
        let mut random = Random::new(1);
        let draws: Vec<u64> = (0..100_000)
            .map(|_| exponential(&mut random, 1_000))
            .collect();
        let mean = draws.iter().sum::<u64>() / 100_000;
        assert!((950..1_100).contains(&mean), "{mean}");
        let beyond_three_means = draws.iter().filter(|&&d| d > 3_000).count();
        assert!(
            (4_000..6_500).contains(&beyond_three_means),
            "{beyond_three_means}"
        );
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Random::new(1);
        let heads = (0..1_000)
            .filter(|_| weighted(&mut random, &[(1, false), (9, true)]))
            .count();
        assert!((850..950).contains(&heads), "{heads}");
    }
}
