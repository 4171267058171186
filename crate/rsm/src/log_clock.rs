//! Log time: advances with a leader's monotonic clock from where the log stands when it is elected,
//! or from a later time that an entry of an earlier leader turns out to have. So it never falls,
//! does not depend on any wall clock, and stands still only without a leader.

use core::time::Duration;

use quorate_raft::Instant;

/// The log time of a node.
#[derive(Debug)]
pub(crate) struct LogClock {
    /// Of the last applied command.
    pub(crate) applied_ms: u64,
    /// A moment since this node leads, and what log time it was then.
    pub(crate) leading: Option<(Instant, u64)>,
}

impl LogClock {
    /// A command stamped with `time_ms` is applied.
    pub(crate) fn apply(&mut self, now: Instant, time_ms: u64) {
        if self.leading.is_some() && time_ms > self.read(now) {
            self.leading = Some((now, time_ms));
        }
        self.applied_ms = self.applied_ms.max(time_ms);
    }

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

    /// A clock that jumped while an earlier leader's last entries were written is ahead of what the
    /// next one starts from; it must not wait until its own time gets there.
    #[test]
    fn a_leader_goes_on_from_the_latest_entry_it_inherits() {
        let mut clock = LogClock {
            applied_ms: 1_000,
            leading: Some((Instant(5_000_000), 1_000)),
        };
        // What it has passed, or reads at this moment, moves nothing, not even by a part of a millisecond.
        clock.apply(Instant(5_010_000), 1_005);
        clock.apply(Instant(5_012_900), 1_012);
        assert_eq!(clock.read(Instant(5_013_000)), 1_013);
        clock.apply(Instant(5_030_000), 20_000);
        assert_eq!(clock.read(Instant(5_030_000)), 20_000);
        assert_eq!(clock.read(Instant(5_040_000)), 20_010);
        assert_eq!(clock.when(20_300), Instant(5_330_000));
        clock.apply(Instant(5_040_000), 1_100);
        assert_eq!(
            (clock.applied_ms, clock.read(Instant(5_050_000))),
            (20_000, 20_020)
        );
    }

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
