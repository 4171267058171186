//! A node's clock: it counts from an origin of the node's own, a little too fast or too slow, may
//! stand still, and may jump forward. It never goes back: it is monotonic, and nodes have no other.

use quorate_raft::{Instant, Random};

use crate::streams::{between, chance};

/// Microseconds of virtual time in which a true clock shows as many.
const TRUE_RATE: u64 = 1_000_000;

/// Virtual time as one run of one node sees it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Virtual time of the last change.
    since: u64,
    /// What the clock showed then.
    shown: u64,
    /// Microseconds it shows for every million that pass.
    rate: u64,
    stopped: Option<Stopped>,
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
struct Stopped {
    at: u64,
    /// How fast it was.
    rate: u64,
}

impl Clock {
    /// A clock that shows `origin` at virtual time `started`, and gains `drift_ppm` microseconds in
    /// a million (loses, if negative).
    #[must_use]
    pub fn new(started: u64, origin: u64, drift_ppm: i64) -> Self {
        Self {
            since: started,
            shown: origin,
            rate: TRUE_RATE.saturating_add_signed(drift_ppm),
            stopped: None,
        }
    }

    /// What it shows at virtual time `at`.
    #[must_use]
    pub fn local(&self, at: u64) -> Instant {
        let passed = u128::from(at.saturating_sub(self.since)) * u128::from(self.rate);
        Instant(self.shown + (passed / u128::from(TRUE_RATE)) as u64)
    }

    /// The first virtual time at which it shows `local` or more; `None` if that never comes.
    #[must_use]
    pub fn global(&self, local: Instant) -> Option<u64> {
        if local == Instant::NEVER || self.rate == 0 {
            return None;
        }
        let shown = u128::from(local.0.saturating_sub(self.shown)) * u128::from(TRUE_RATE);
        Some(self.since + shown.div_ceil(u128::from(self.rate)) as u64)
    }

    /// From `now` on it gains `drift_ppm`; one that stands still goes on standing.
    pub fn set_drift(&mut self, now: u64, drift_ppm: i64) {
        let rate = TRUE_RATE.saturating_add_signed(drift_ppm);
        match &mut self.stopped {
            Some(stopped) => stopped.rate = rate,
            None => self.set_rate(now, rate),
        }
    }

    /// It stands still.
    pub fn stop(&mut self, now: u64) {
        if self.stopped.is_none() {
            let rate = self.rate;
            self.set_rate(now, 0);
            self.stopped = Some(Stopped { at: now, rate });
        }
    }

    /// It goes on: from where it stood, or from where it would be if it had not stood.
    pub fn go(&mut self, now: u64, catch_up: bool) {
        let Some(Stopped { at, rate }) = self.stopped.take() else {
            return;
        };
        self.set_rate(now, rate);
        if catch_up {
            self.shown += now - at;
        }
    }

    /// It jumps forward.
    pub fn jump(&mut self, now: u64, by: u64) {
        self.set_rate(now, self.rate);
        self.shown += by;
    }

    fn set_rate(&mut self, now: u64, rate: u64) {
        self.shown = self.local(now).0;
        self.since = now;
        self.rate = rate;
    }
}

/// How the rate of a clock changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Not at all.
    Linear,
    /// Too fast and too slow by turns.
    Periodic,
    /// Once in a while.
    Step,
    /// All the time.
    Noisy,
}

/// How often a drift is looked at, in microseconds.
pub const DRIFT_EVERY: u64 = 250_000;

impl Drift {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Linear, Self::Periodic, Self::Step, Self::Noisy];

    /// The drift after one that was `before`, in millionths, at most `max`; `None` if it stays.
    pub fn next(self, before: i64, max: u64, random: &mut Random) -> Option<i64> {
        let any = |random: &mut Random| between(random, 0, 2 * max) as i64 - max as i64;
        match self {
            Self::Linear => None,
            Self::Periodic => chance(random, 250).then_some(-before),
            Self::Step => chance(random, 50).then(|| any(random)),
            Self::Noisy => Some(any(random)),
        }
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

    #[test]
    fn a_clock_that_stood_still_goes_on_from_there_or_catches_up() {
        for catch_up in [false, true] {
            let mut clock = Clock::new(0, 0, 0);
            clock.stop(1_000);
            assert_eq!(clock.local(5_000), Instant(1_000));
            assert_eq!(clock.global(Instant(1_001)), None);
            clock.set_drift(5_000, 100_000);
            clock.go(6_000, catch_up);
            let from = if catch_up { 6_000 } else { 1_000 };
            assert_eq!(clock.local(6_000), Instant(from));
            assert_eq!(clock.local(7_000), Instant(from + 1_100));
        }
    }

    #[test]
    fn no_change_takes_a_clock_back() {
        let (mut clock, mut random) = (Clock::new(0, 7, -100_000), Random::new(1));
        let (mut before, mut drift) = (Instant(0), 0);
        for now in (0..1_000_000).step_by(997) {
            match random.below(6) {
                0 => clock.stop(now),
                1 => clock.go(now, random.below(2) == 0),
                2 => clock.jump(now, random.below(5_000)),
                kind => {
                    let profile = Drift::ALL[kind as usize - 2];
                    drift = profile.next(drift, 100_000, &mut random).unwrap_or(drift);
                    clock.set_drift(now, drift);
                }
            }
            assert!(clock.local(now) >= before);
            before = clock.local(now);
        }
    }
}
