//! What is durable, what is on its way, and who waits for it.
//!
//! There is one round of writes at a time; whatever changes meanwhile goes into the next. Anything
//! whose truth rests on a write is held here until the round with that write is durable.
//!
//! ```text
//!   log:   …………… persisted ………… handed out ………… last
//!                          └ round under way ┘└ unstable ┘
//! ```

use core::mem::discriminant;

use crate::entry::{HardState, PersistBatch, SnapshotChunk, SnapshotManifest};
use crate::error::InputError;
use crate::log::Log;
use crate::message::{AppendOutcome, Body, Message};
use crate::types::{Index, Instant, Term};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Persistence {
    /// Last durable index. Invariant: `persisted < unstable_first`.
    persisted: Index,
    /// First index not yet handed out in a round.
    unstable_first: Index,
    hard_dirty: bool,
    chunks: Vec<SnapshotChunk>,
    manifest: Option<Box<SnapshotManifest>>,
    /// The number of the round under way or done last.
    seq: u64,
    round: Option<Round>,
    /// Held for the next round.
    held: Vec<Held>,
}

/// The round under way.
#[derive(Clone, Debug, Hash)]
struct Round {
    since: Instant,
    /// Last index that is durable when it is done; lowered when the log is cut meanwhile, so that
    /// its end never vouches for entries that came later at the same place.
    last: Index,
    hard_state: bool,
    log: bool,
    manifest: Option<Box<SnapshotManifest>>,
    held: Vec<Held>,
}

/// An effect that waits for durability.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    Send(Message),
    /// The own vote of this term.
    SelfVote(Term),
}

/// What an effect rests on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestsOn {
    /// Term and vote.
    HardState,
    /// Term, vote, and the log to its end.
    Log,
    /// Also on the snapshot chunks received.
    Chunks,
}

/// A finished round.
pub(crate) struct Done {
    pub(crate) released: Vec<Held>,
    pub(crate) manifest: Option<Box<SnapshotManifest>>,
}

impl Persistence {
    /// Everything up to `last` was read from storage.
    pub(crate) fn new(last: Index) -> Self {
        Self {
            persisted: last,
            unstable_first: last.next(),
            hard_dirty: false,
            chunks: Vec::new(),
            manifest: None,
            seq: 0,
            round: None,
            held: Vec::new(),
        }
    }

    /// Since when the round under way is.
    pub(crate) fn writing_since(&self) -> Option<Instant> {
        self.round.as_ref().map(|round| round.since)
    }

    /// Rounds are counted anew, and the one under way began at another moment.
    #[cfg(feature = "model")]
    pub(crate) fn forget_round(&mut self, moment: impl Fn(Instant) -> Instant) {
        self.seq = u64::from(self.round.is_some());
        if let Some(round) = &mut self.round {
            round.since = moment(round.since);
        }
    }

    pub(crate) fn persisted(&self) -> Index {
        self.persisted
    }

    /// Term or vote changed.
    pub(crate) fn touch_hard_state(&mut self) {
        self.hard_dirty = true;
    }

    pub(crate) fn push_chunk(&mut self, chunk: SnapshotChunk) {
        self.chunks.push(chunk);
    }

    /// A snapshot is complete. One that is not yet handed out is replaced.
    pub(crate) fn push_manifest(&mut self, manifest: SnapshotManifest) {
        self.manifest = Some(Box::new(manifest));
    }

    /// Whether the manifest of an own snapshot at `index` may follow those that are not durable: it
    /// must not take the place of one that clears the stored log, nor of a later one.
    pub(crate) fn can_snapshot(&self, index: Index) -> bool {
        let under_way = self
            .round
            .as_ref()
            .and_then(|round| round.manifest.as_ref());
        self.manifest
            .iter()
            .chain(under_way)
            .all(|manifest| !manifest.clear_log && manifest.meta.last.index < index)
    }

    /// The log was cut at `first`: what was durable there is so no longer.
    pub(crate) fn handle_truncated(&mut self, first: Index) {
        self.unstable_first = self.unstable_first.min(first);
        self.persisted = self.persisted.min(first.prev());
        if let Some(round) = &mut self.round {
            round.last = round.last.min(first.prev());
        }
    }

    /// The log was replaced by a snapshot that ends at `index`, not yet durable.
    pub(crate) fn handle_reset(&mut self, index: Index, commit: Index) {
        self.persisted = self.persisted.min(commit);
        self.unstable_first = index.next();
        if let Some(round) = &mut self.round {
            round.last = round.last.min(commit);
        }
    }

    /// Holds `effect` until what it rests on is durable; gives it back if it already is.
    pub(crate) fn hold(&mut self, effect: Held, rests: RestsOn, log: &Log) -> Option<Held> {
        if self.is_pending(rests, log) {
            keep(&mut self.held, effect);
            return None;
        }
        let Some(round) = self.round.as_mut().filter(|round| match rests {
            RestsOn::HardState => round.hard_state,
            RestsOn::Log | RestsOn::Chunks => round.hard_state || round.log,
        }) else {
            return Some(effect);
        };
        keep(&mut round.held, effect);
        None
    }

    /// The next round, if something changed and none is under way.
    pub(crate) fn take_batch(
        &mut self,
        now: Instant,
        hard_state: HardState,
        commit: Index,
        log: &Log,
    ) -> Option<PersistBatch> {
        if self.round.is_some() || !self.is_pending(RestsOn::Chunks, log) {
            return None;
        }
        self.seq += 1;
        let last = log.last().index;
        let batch = PersistBatch {
            seq: self.seq,
            hard_state: self.hard_dirty.then_some(hard_state),
            commit,
            entries: log.slice(self.unstable_first, last, usize::MAX),
            chunks: core::mem::take(&mut self.chunks),
            snapshot: self.manifest.take(),
        };
        self.round = Some(Round {
            since: now,
            last,
            hard_state: self.hard_dirty,
            log: !batch.entries.is_empty() || !batch.chunks.is_empty() || batch.snapshot.is_some(),
            manifest: batch.snapshot.clone(),
            held: core::mem::take(&mut self.held),
        });
        self.hard_dirty = false;
        self.unstable_first = last.next();
        Some(batch)
    }

    /// Round `seq` is durable.
    pub(crate) fn handle_persisted(&mut self, seq: u64) -> Result<Done, InputError> {
        match self.round.take() {
            Some(round) if seq == self.seq => {
                self.persisted = self.persisted.max(round.last);
                Ok(Done {
                    released: round.held,
                    manifest: round.manifest,
                })
            }
            other => {
                let expected = other.as_ref().map(|_| self.seq);
                self.round = other;
                Err(InputError::UnexpectedPersisted { seq, expected })
            }
        }
    }

    /// Takes the room of what was released for what is held next: a round needs none of its own.
    pub(crate) fn reuse(&mut self, released: Vec<Held>) {
        if self.held.is_empty() {
            self.held = released;
        }
    }

    /// Whether what an effect rests on is not even handed out.
    fn is_pending(&self, rests: RestsOn, log: &Log) -> bool {
        let log_pending = self.unstable_first <= log.last().index || self.manifest.is_some();
        match rests {
            RestsOn::HardState => self.hard_dirty,
            RestsOn::Log => self.hard_dirty || log_pending,
            RestsOn::Chunks => self.hard_dirty || log_pending || !self.chunks.is_empty(),
        }
    }
}

/// Keeps `effect` in place of an earlier one of its kind to the same peer, so what is held is
/// bounded however long a write takes. Any message may be lost, so the earlier one may; but of
/// acknowledgements in one term the greatest stays, and a burst of appends is answered once.
fn keep(held: &mut Vec<Held>, effect: Held) {
    match held.iter_mut().find(|held| held.is_like(&effect)) {
        Some(earlier) if earlier.claim() > effect.claim() => {}
        Some(earlier) => *earlier = effect,
        None => held.push(effect),
    }
}

impl Held {
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Send(a), Self::Send(b)) => {
                a.to == b.to && discriminant(&a.body) == discriminant(&b.body)
            }
            (Self::SelfVote(_), Self::SelfVote(_)) => true,
            (Self::Send(_), Self::SelfVote(_)) | (Self::SelfVote(_), Self::Send(_)) => false,
        }
    }

    /// In which term, and up to where the log is said to match.
    fn claim(&self) -> (Term, Index) {
        match self {
            Self::Send(Message {
                term,
                body: Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }),
                ..
            }) => (*term, *matched),
            Self::Send(Message { term, .. }) | Self::SelfVote(term) => (*term, Index(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::entry::{Entry, Payload, SnapshotMeta};
    use crate::types::{EntryId, NodeId, StorageId};

    fn empty_log() -> Log {
        let snapshot = SnapshotMeta {
            last: EntryId::ZERO,
            conf_state: Arc::default(),
        };
        Log::new(EntryId::ZERO, Vec::new(), snapshot)
    }

    fn append(log: &mut Log, term: u64) {
        let id = EntryId::new(Term(term), log.last().index.next());
        log.append(Entry {
            id,
            payload: Payload::Command(Bytes::new()),
        });
    }

    fn take(persistence: &mut Persistence, log: &Log) -> Option<PersistBatch> {
        persistence.take_batch(Instant(0), HardState::default(), Index(0), log)
    }

    fn acknowledge(term: u64, matched: u64) -> Held {
        Held::Send(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId(0),
            term: Term(term),
            body: Body::AppendEntriesResponse(AppendOutcome::Accepted {
                matched: Index(matched),
            }),
        })
    }

    #[test]
    fn one_round_at_a_time_and_the_next_takes_all_that_came_meanwhile() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        append(&mut log, 1);
        assert_eq!(
            take(&mut persistence, &log).map(|b| b.entries.len()),
            Some(1)
        );
        append(&mut log, 1);
        append(&mut log, 1);
        assert_eq!(take(&mut persistence, &log), None);
        assert!(persistence.handle_persisted(1).is_ok());
        assert_eq!(persistence.persisted(), Index(1));
        let second = take(&mut persistence, &log).map(|b| (b.seq, b.entries.len()));
        assert_eq!(second, Some((2, 2)));
        assert!(take(&mut persistence, &log).is_none());
    }

    #[test]
    fn completion_of_an_overwritten_write_vouches_for_nothing_new() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        (0..3).for_each(|_| append(&mut log, 1));
        take(&mut persistence, &log);
        log.truncate_from(Index(2));
        persistence.handle_truncated(Index(2));
        append(&mut log, 2);
        append(&mut log, 2);
        assert!(persistence.handle_persisted(1).is_ok());
        assert_eq!(persistence.persisted(), Index(1));
        assert_eq!(
            take(&mut persistence, &log).map(|b| b.entries.len()),
            Some(2)
        );
    }

    #[test]
    fn effects_wait_for_what_they_rest_on_and_no_longer() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        append(&mut log, 1);
        take(&mut persistence, &log);
        // Only the log is under way: a vote may go, an acknowledgement may not.
        let vote = Held::SelfVote(Term(1));
        assert!(persistence.hold(vote, RestsOn::HardState, &log).is_some());
        assert!(
            persistence
                .hold(acknowledge(1, 1), RestsOn::Log, &log)
                .is_none()
        );
        // A change of term comes: it goes into round 2, and so does what rests on it.
        persistence.touch_hard_state();
        assert!(
            persistence
                .hold(Held::SelfVote(Term(2)), RestsOn::HardState, &log)
                .is_none()
        );
        let done = persistence.handle_persisted(1).map(|done| done.released);
        assert_eq!(done, Ok(vec![acknowledge(1, 1)]));
        assert!(take(&mut persistence, &log).is_some_and(|b| b.hard_state.is_some()));
        let done = persistence.handle_persisted(2).map(|done| done.released);
        assert_eq!(done, Ok(vec![Held::SelfVote(Term(2))]));
    }

    #[test]
    fn acknowledgements_held_together_are_one() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        append(&mut log, 1);
        for (term, matched, kept) in [(1, 1, (1, 1)), (1, 3, (1, 3)), (1, 2, (1, 3))] {
            persistence.hold(acknowledge(term, matched), RestsOn::Log, &log);
            assert_eq!(persistence.held, [acknowledge(kept.0, kept.1)]);
        }
        persistence.hold(acknowledge(2, 1), RestsOn::Log, &log);
        assert_eq!(persistence.held, [acknowledge(2, 1)]);
    }

    #[test]
    fn what_a_slow_write_holds_is_one_of_a_kind_for_each_peer() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        append(&mut log, 1);
        take(&mut persistence, &log);
        for under_way in [true, false] {
            if !under_way {
                append(&mut log, 1);
            }
            for n in 0..1_000 {
                let to = NodeId(2 + n % 2);
                let bodies = [
                    Body::HeartbeatResponse { round: n },
                    Body::RequestVoteResponse { granted: n > 500 },
                ];
                for body in bodies {
                    let (from, term) = (NodeId(1), Term(n));
                    let message = Message {
                        from,
                        to,
                        storage: StorageId(0),
                        term,
                        body,
                    };
                    persistence.hold(Held::Send(message), RestsOn::Log, &log);
                }
                persistence.hold(Held::SelfVote(Term(n)), RestsOn::Log, &log);
            }
        }
        assert_eq!(persistence.held.len(), 5);
        assert!(persistence.held.contains(&Held::SelfVote(Term(999))));
        assert_eq!(persistence.round.map(|round| round.held.len()), Some(5));
    }

    #[test]
    fn unexpected_completion_is_refused() {
        let (mut log, mut persistence) = (empty_log(), Persistence::new(Index(0)));
        assert!(persistence.handle_persisted(1).is_err());
        append(&mut log, 1);
        take(&mut persistence, &log);
        assert!(persistence.handle_persisted(2).is_err());
        assert!(persistence.handle_persisted(1).is_ok());
        assert!(persistence.handle_persisted(1).is_err());
    }
}
