//! Log time: advances with a leader's monotonic clock from where the log stands when it is elected.
//! So it never falls, does not depend on any wall clock, and stands still without a leader.

use core::time::Duration;

use quorate_raft::Instant;

/// The log time of a node.
#[derive(Debug)]
pub(crate) struct LogClock {
    /// Of the last applied command.
    pub(crate) applied_ms: u64,
    /// Since when this node leads, and what log time it was then.
    pub(crate) leading: Option<(Instant, u64)>,
}

impl LogClock {
    /// What a command proposed now is stamped with.
    pub(crate) fn read(&self, now: Instant) -> u64 {
        let led = |(since, base): (Instant, u64)| {
            let passed = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
            base.saturating_add(passed)
        };
        self.leading.map_or(0, led).max(self.applied_ms)
    }

    /// The first moment at which this leader reads `time_ms` or more; never while it does not lead.
    pub(crate) fn when(&self, time_ms: u64) -> Instant {
        match self.leading {
            None => Instant::NEVER,
            Some(_) if time_ms <= self.applied_ms => Instant::default(),
            Some((since, base)) => since.after(Duration::from_millis(time_ms - base)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_of_a_log_time_is_the_first_one_that_reads_it() {
        let clock = LogClock {
            applied_ms: 1_200,
            leading: Some((Instant(5_000_300), 1_000)),
        };
        for time_ms in [1_201, 1_202, 5_000] {
            let moment = clock.when(time_ms);
            assert_eq!(clock.read(moment), time_ms);
            assert_eq!(clock.read(Instant(moment.0 - 1)), time_ms - 1);
        }
        assert_eq!(clock.when(1_200), Instant(0));
        assert_eq!(clock.when(u64::MAX), Instant::NEVER);
        let following = LogClock {
            leading: None,
            ..clock
        };
        assert_eq!(following.when(7), Instant::NEVER);
    }
}
