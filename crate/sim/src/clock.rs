//! A node's clock: it counts from an origin of the node's own, a little too fast or too slow.

use quorate_raft::Instant;

/// Virtual time as one run of one node sees it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Virtual time when the run began.
    started: u64,
    /// What the clock showed then.
    origin: u64,
    /// Microseconds it shows for every million that pass.
    rate: u64,
}

impl Clock {
    /// A clock that shows `origin` at virtual time `started`, and gains `drift_ppm` microseconds in
    /// a million (loses, if negative).
    #[must_use]
    pub fn new(started: u64, origin: u64, drift_ppm: i64) -> Self {
        Self {
            started,
            origin,
            rate: 1_000_000_u64.saturating_add_signed(drift_ppm),
        }
    }

    /// What it shows at virtual time `at`.
    #[must_use]
    pub fn local(&self, at: u64) -> Instant {
        let passed = u128::from(at.saturating_sub(self.started)) * u128::from(self.rate);
        Instant(self.origin + (passed / 1_000_000) as u64)
    }

    /// The first virtual time at which it shows `local` or more; `None` if that never comes.
    #[must_use]
    pub fn global(&self, local: Instant) -> Option<u64> {
        if local == Instant::NEVER {
            return None;
        }
        let shown = u128::from(local.0.saturating_sub(self.origin)) * 1_000_000;
        Some(self.started + shown.div_ceil(u128::from(self.rate)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_for_a_local_time_finds_that_time_reached() {
        for drift in [-100_000, -1, 0, 1, 77_777, 100_000] {
            let clock = Clock::new(5_000, 123, drift);
            for local in [123, 124, 1_000, 999_999, 12_345_678] {
                let at = clock.global(Instant(local)).unwrap();
                assert!(clock.local(at).0 >= local);
                assert!(at == 5_000 || clock.local(at - 1).0 < local);
            }
        }
        assert_eq!(Clock::new(0, 0, 5).global(Instant::NEVER), None);
    }
}
