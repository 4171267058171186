//! Finds out that the clock stood still. A page or a machine that sleeps may stop the monotonic
//! clock with it, and then nothing that rests on time that has not passed can be trusted. The wall
//! clock goes on, so a gap between the two reveals it; a wall clock that is set forward looks the
//! same, and does no harm.

use quorate_raft::Instant;

/// A gap below this is the clocks' own doing, in milliseconds.
const GAP_MS: f64 = 50.0;

/// Two clocks, as of the last look.
#[derive(Debug)]
pub struct Freeze {
    monotonic: Instant,
    wall_ms: f64,
}

impl Freeze {
    /// Begins to watch.
    #[must_use]
    pub fn new(monotonic: Instant, wall_ms: f64) -> Self {
        Self { monotonic, wall_ms }
    }

    /// Whether the monotonic clock has stood still since the last look.
    pub fn look(&mut self, monotonic: Instant, wall_ms: f64) -> bool {
        let passed = monotonic.since(self.monotonic).as_secs_f64() * 1_000.0;
        let gap = wall_ms - self.wall_ms - passed;
        *self = Self { monotonic, wall_ms };
        gap > GAP_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[wasm_bindgen_test::wasm_bindgen_test]
    fn only_a_wall_clock_that_runs_ahead_tells_of_a_freeze() {
        let at = |ms: u64| Instant(ms * 1_000);
        let mut freeze = Freeze::new(at(1_000), 50_000.0);
        assert!(!freeze.look(at(1_100), 50_101.0), "both went on");
        assert!(
            !freeze.look(at(5_100), 50_102.0),
            "the wall clock was set back"
        );
        assert!(!freeze.look(at(5_200), 50_250.0), "a little ahead");
        assert!(freeze.look(at(5_210), 60_000.0), "ten seconds nobody saw");
        assert!(!freeze.look(at(5_220), 60_010.0), "told once");
    }
}
