//! Chance from a seed: SplitMix64, a full-period generator of 64-bit numbers with 64 bits of state.
//!
//! Good enough for timeouts and simulated faults; never for secrets.

/// A deterministic source of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Equal seeds give equal sequences.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent source for the concern `label`: draws from one never shift another.
    #[must_use]
    pub fn stream(seed: u64, label: u64) -> Self {
        let mut mixed = Self::new(seed ^ mix(label.wrapping_add(1)));
        Self::new(mixed.next_u64())
    }

    /// The next number, uniform over all of `u64`.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `[0, bound)`, uniform but for a bias below `bound / 2^64`; zero for a bound of
    /// zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        let mut random = Random::new(1);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[random.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn numbers_are_those_of_split_mix_64() {
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
        assert_eq!(Random::stream(9, 4).next_u64(), 11_292_203_798_527_509_130);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let mut a = Random::stream(9, 0);
        let mut b = Random::stream(9, 1);
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(Random::stream(9, 0), Random::stream(9, 0));
    }
}
