//! A leader's view of one follower, and how it sends to it.
//!
//! ```text
//!            accepted                    prev compacted away
//!   ┌───────┐ ──────▶ ┌───────────┐ ◀──┐ ┌──────────┐
//!   │ probe │         │ replicate │    └─│ snapshot │
//!   └───────┘ ◀────── └───────────┘      └──────────┘
//!            rejected, unreachable        installed ▶ probe
//! ```
//! Probe sends one append and waits, to find the last common entry. Replicate pipelines within a
//! window. Snapshot sends one chunk at a time.

use core::time::Duration;
use std::collections::VecDeque;

use crate::entry::SnapshotMeta;
use crate::log::Log;
use crate::message::AppendOutcome;
use crate::status::ProgressMode;
use crate::types::{EntryId, Index, Instant, StorageId};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Progress {
    /// Known to equal our log up to here, durably.
    pub(crate) matched: Index,
    /// What to send next. Invariant: `matched < next`.
    pub(crate) next: Index,
    pub(crate) mode: Mode,
    /// When it last answered in this term, or the leader woke.
    pub(crate) last_heard: Instant,
    /// The latest read round it confirmed.
    pub(crate) confirmed_round: u64,
    /// The commit index it was last told, as far as it could use it.
    pub(crate) notified_commit: Index,
    /// Where the log ended when a round of catching up began, and when that was (thesis §4.2.1).
    pub(crate) round: (Index, Instant),
    /// The last round took less than an election timeout.
    pub(crate) caught_up: bool,
    /// An answer came from another storage than the member's, and when.
    pub(crate) stranger: Option<(StorageId, Instant)>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum Mode {
    Probe { sent: bool },
    Replicate(Inflights),
    Snapshot(SnapshotTransfer),
}

/// Chunks under way, one at a time.
#[derive(Clone, Debug, Hash)]
pub(crate) struct SnapshotTransfer {
    pub(crate) meta: SnapshotMeta,
    pub(crate) number: u32,
    /// The chunk is to be asked of the machine.
    pub(crate) due: bool,
    /// A heartbeat was answered since the last progress.
    pub(crate) stalled: bool,
}

impl SnapshotTransfer {
    pub(crate) fn new(meta: SnapshotMeta) -> Self {
        Self {
            meta,
            number: 0,
            due: true,
            stalled: false,
        }
    }
}

impl Progress {
    pub(crate) fn new(next: Index, now: Instant) -> Self {
        Self {
            matched: Index(0),
            next,
            mode: Mode::Probe { sent: false },
            last_heard: now,
            confirmed_round: 0,
            notified_commit: Index(0),
            round: (next.prev(), now),
            caught_up: false,
            stranger: None,
        }
    }

    pub(crate) fn become_probe(&mut self) {
        self.next = self.matched.next();
        self.mode = Mode::Probe { sent: false };
    }

    /// The follower's log is known to match up to `matched`; whether that was news.
    pub(crate) fn handle_accepted(&mut self, matched: Index) -> bool {
        let news = matched > self.matched;
        if news {
            self.matched = matched;
            self.next = self.next.max(matched.next());
        }
        match &mut self.mode {
            // The follower answered what was probed, or more.
            Mode::Probe { .. } if matched >= self.next.prev() => {
                self.next = self.matched.next();
                self.mode = Mode::Replicate(Inflights::default());
            }
            Mode::Probe { .. } => {}
            Mode::Replicate(inflights) => inflights.free_to(matched),
            Mode::Snapshot(transfer) if matched >= transfer.meta.last.index => self.become_probe(),
            Mode::Snapshot(_) => {}
        }
        news
    }

    /// Ends a round of catching up if the follower has all that the log had when it began, and
    /// begins the next: it has caught up when a round takes less than an election timeout, because
    /// then it will not hold up those that wait for it for longer than that (thesis §4.2.1).
    pub(crate) fn catch_up(&mut self, last: Index, now: Instant, timeout: Duration) {
        let (goal, since) = self.round;
        if self.matched >= goal && self.matched.0 > 0 {
            self.caught_up = now < since.after(timeout);
            self.round = (last, now);
        }
    }

    /// The follower does not have `prev`. `hint` says where it could agree. Whether there is reason
    /// to send again.
    pub(crate) fn handle_rejected(&mut self, prev: Index, hint: EntryId, log: &Log) -> bool {
        match &mut self.mode {
            // What was acknowledged cannot be missing: a late answer.
            Mode::Replicate(_) if prev <= self.matched => false,
            Mode::Replicate(_) => {
                self.become_probe();
                true
            }
            // Not the answer to the outstanding probe.
            Mode::Probe { .. } if prev != self.next.prev() => false,
            Mode::Probe { sent } => {
                *sent = false;
                let common = log.latest_possible_match(hint).index;
                self.next = common.min(prev.prev()).max(self.matched).next();
                true
            }
            Mode::Snapshot(_) => false,
        }
    }

    /// The storage it answers with, if that is not its own.
    pub(crate) fn amnesiac(&self) -> Option<StorageId> {
        let later = self.stranger.filter(|(_, heard)| *heard > self.last_heard);
        later.map(|(storage, _)| storage)
    }

    /// Answers came at other moments, and a window wider than the greatest is as wide.
    #[cfg(feature = "model")]
    pub(crate) fn forget_time(&mut self, moment: impl Fn(Instant) -> Instant, max_messages: usize) {
        self.last_heard = moment(self.last_heard);
        self.round.1 = moment(self.round.1);
        self.stranger = self.stranger.map(|(id, heard)| (id, moment(heard)));
        if let Mode::Replicate(inflights) = &mut self.mode {
            inflights.open = inflights.open.min(max_messages);
        }
    }

    pub(crate) fn mode_name(&self) -> ProgressMode {
        match self.mode {
            Mode::Probe { .. } => ProgressMode::Probe,
            Mode::Replicate(_) => ProgressMode::Replicate,
            Mode::Snapshot(_) => ProgressMode::Snapshot,
        }
    }

    pub(crate) fn inflight(&self) -> usize {
        match &self.mode {
            Mode::Probe { sent } => usize::from(*sent),
            Mode::Replicate(inflights) => inflights.sent.len(),
            Mode::Snapshot(_) => 1,
        }
    }
}

impl AppendOutcome {
    /// The answer of a node that must only teach its term.
    pub(crate) const STALE: Self = Self::Rejected {
        prev: Index(0),
        hint: EntryId::ZERO,
    };
}

/// Unacknowledged appends, oldest first: a window in messages and in bytes.
///
/// It opens with what is acknowledged. A rejection closes it again: where messages overtake one
/// another, all that was sent behind the gap is sent once more, so that shall be little.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Inflights {
    /// Last index and payload bytes of each.
    sent: VecDeque<(Index, usize)>,
    bytes: usize,
    /// How many messages may be under way so far.
    open: usize,
}

/// The window of a follower that has just been found to agree, in messages.
const FIRST_WINDOW: usize = 8;

impl Default for Inflights {
    fn default() -> Self {
        Self {
            sent: VecDeque::new(),
            bytes: 0,
            open: FIRST_WINDOW,
        }
    }
}

impl Inflights {
    pub(crate) fn is_full(&self, max_messages: usize, max_bytes: usize) -> bool {
        self.sent.len() >= max_messages.min(self.open) || self.bytes >= max_bytes
    }

    pub(crate) fn add(&mut self, last: Index, bytes: usize) {
        self.sent.push_back((last, bytes));
        self.bytes += bytes;
    }

    /// Everything up to `matched` arrived.
    pub(crate) fn free_to(&mut self, matched: Index) {
        while let Some((_, bytes)) = self.sent.pop_front_if(|(last, _)| *last <= matched) {
            self.bytes -= bytes;
            // Twice as wide with every round trip.
            self.open = self.open.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entry::{Entry, Payload};
    use crate::types::Term;

    fn log(terms: &[u64]) -> Log {
        let id = |(i, &t)| EntryId::new(Term(t), Index(i as u64 + 1));
        let entries = terms.iter().enumerate().map(|e| Entry {
            id: id(e),
            payload: Payload::Noop,
        });
        let snapshot = SnapshotMeta {
            last: EntryId::ZERO,
            conf_state: Arc::default(),
        };
        Log::new(EntryId::ZERO, entries.collect(), snapshot)
    }

    fn probing(next: u64) -> Progress {
        Progress::new(Index(next), Instant(0))
    }

    #[test]
    fn window_is_bounded_in_messages_and_bytes_and_counts_back_to_zero() {
        let mut window = Inflights::default();
        window.add(Index(1), 10);
        window.add(Index(3), 20);
        assert!(window.is_full(2, 100) && window.is_full(3, 30) && !window.is_full(3, 31));
        window.free_to(Index(2));
        assert_eq!((window.sent.len(), window.bytes), (1, 20));
        window.free_to(Index(9));
        assert_eq!((window.sent.len(), window.bytes), (0, 0));
    }

    #[test]
    fn window_opens_with_acknowledgements_and_is_narrow_again_after_a_rejection() {
        let width = |progress: &Progress| match &progress.mode {
            Mode::Replicate(inflights) => inflights.open,
            Mode::Probe { .. } | Mode::Snapshot(_) => 0,
        };
        let mut progress = probing(2);
        progress.handle_accepted(Index(1));
        for index in 2..=101 {
            let Mode::Replicate(inflights) = &mut progress.mode else {
                panic!("it agreed");
            };
            assert_eq!(
                inflights.is_full(256, 1_000),
                index - 2 >= FIRST_WINDOW as u64
            );
            inflights.add(Index(index), 1);
            progress.next = Index(index + 1);
        }
        progress.handle_accepted(Index(101));
        assert_eq!(width(&progress), FIRST_WINDOW + 100);
        assert!(progress.handle_rejected(Index(150), EntryId::ZERO, &log(&[1; 200])));
        progress.handle_accepted(Index(101));
        assert_eq!(width(&progress), FIRST_WINDOW);
    }

    #[test]
    fn probe_becomes_replicate_only_by_the_answer_it_waits_for() {
        let mut progress = probing(10);
        progress.handle_accepted(Index(3));
        assert_eq!(progress.mode_name(), ProgressMode::Probe);
        progress.handle_accepted(Index(9));
        assert_eq!(
            (progress.mode_name(), progress.next),
            (ProgressMode::Replicate, Index(10))
        );
    }

    #[test]
    fn rejection_goes_back_a_term_at_a_time_on_both_sides() {
        let log = log(&[1, 1, 1, 4, 4, 4, 4, 4, 4]);
        let mut progress = probing(10);
        // The follower says: below your 9, mine of term ≤ 4 ends at 7, in term 2.
        assert!(progress.handle_rejected(Index(9), EntryId::new(Term(2), Index(7)), &log));
        assert_eq!(progress.next, Index(4));
    }

    #[test]
    fn stale_rejections_change_nothing() {
        let log = log(&[1, 1, 1, 1]);
        let mut progress = probing(4);
        assert!(!progress.handle_rejected(Index(2), EntryId::ZERO, &log));
        progress.handle_accepted(Index(3));
        assert!(!progress.handle_rejected(Index(3), EntryId::ZERO, &log));
        assert_eq!((progress.matched, progress.next), (Index(3), Index(4)));
        // A gap after what matched sends the leader back to what matched, not to the hint.
        assert!(progress.handle_rejected(Index(5), EntryId::ZERO, &log));
        assert_eq!(
            (progress.mode_name(), progress.next),
            (ProgressMode::Probe, Index(4))
        );
    }

    #[test]
    fn hint_never_becomes_a_match() {
        let log = log(&[1, 1, 1, 1]);
        let mut progress = probing(5);
        progress.handle_rejected(Index(4), EntryId::new(Term(1), Index(3)), &log);
        assert_eq!((progress.matched, progress.next), (Index(0), Index(4)));
    }

    #[test]
    fn acknowledged_snapshot_or_more_ends_the_transfer() {
        let mut progress = probing(1);
        let meta = SnapshotMeta {
            last: EntryId::new(Term(1), Index(5)),
            conf_state: Arc::default(),
        };
        progress.mode = Mode::Snapshot(SnapshotTransfer::new(meta));
        progress.handle_accepted(Index(4));
        assert_eq!(progress.mode_name(), ProgressMode::Snapshot);
        progress.handle_accepted(Index(6));
        assert_eq!(
            (progress.mode_name(), progress.next),
            (ProgressMode::Probe, Index(7))
        );
    }
}
