//! Log time: advances with a leader's monotonic clock from where the log stands when it is elected.
//! So it never falls, does not depend on any wall clock, and stands still without a leader.

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
}
