//! What all worlds of a campaign were together.

use std::time::Duration;

use quorate_sim::census::Census;
use quorate_sim::digest::Digest;
use quorate_sim::world::Summary;

#[derive(Default)]
pub(crate) struct Total {
    pub(crate) seeds: u64,
    pub(crate) failed: u64,
    sum: Summary,
    slowest_recovery: u64,
    pub(crate) census: Census,
    /// What the threads were busy for.
    pub(crate) cpu: Duration,
}

impl Total {
    pub(crate) fn add(&mut self, seed: u64, summary: &Summary) {
        self.seeds += 1;
        self.slowest_recovery = self.slowest_recovery.max(summary.recovery);
        // The same whatever the order in which seeds end.
        let mut digest = Digest::new();
        digest.number(seed);
        digest.number(summary.hash);
        let sum = &mut self.sum;
        sum.hash = sum.hash.wrapping_add(digest.value());
        sum.events += summary.events;
        sum.time += summary.time;
        sum.answered += summary.answered;
        sum.failed += summary.failed;
        sum.commands += summary.commands;
        sum.terms += summary.terms;
        sum.starts += summary.starts;
        sum.restores += summary.restores;
        sum.torn += summary.torn;
        sum.network.lost += summary.network.lost;
        sum.network.dropped += summary.network.dropped;
        sum.network.duplicated += summary.network.duplicated;
        self.census.add(summary);
    }

    pub(crate) fn progress(&self, of: u64, passed: Duration) -> String {
        let (seeds, failed) = (self.seeds, self.failed);
        let seconds = passed.as_secs();
        format!("… {seeds} of {of} seeds, {failed} failed, {seconds} s")
    }

    pub(crate) fn text(&self) -> String {
        let (seeds, sum) = (self.seeds, &self.sum);
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let seconds = sum.time / 1_000_000;
        let speed = match self.cpu.as_millis() {
            0 => String::new(),
            busy => format!(
                " ({} of them in a second of processor time)",
                u128::from(sum.time / 1_000) / busy
            ),
        };
        format!(
            "{seeds} seeds passed{failed}: {seconds} simulated s{speed}, {} events, hash {:016x}\n\
             histories checked {seeds}, operations {}, of them {} without answer; commands {}\n\
             terms {}, starts {}, torn rounds {}, snapshots installed {}, slowest recovery {} ms\n\
             frames lost {}, dropped by a fault {}, repeated {}\n\
             {}",
            sum.events,
            sum.hash,
            sum.answered + sum.failed,
            sum.failed,
            sum.commands,
            sum.terms,
            sum.starts,
            sum.torn,
            sum.restores,
            self.slowest_recovery / 1_000,
            sum.network.lost,
            sum.network.dropped,
            sum.network.duplicated,
            self.census
        )
    }
}
