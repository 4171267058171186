//! What is on a node's disk, as a checker's own model of it: what survives a crash is compared with
//! it, and no message may promise more.

use quorate_raft::{
    AppendOutcome, Body, EntryId, HardState, Index, Message, NodeId, PersistBatch, Restored,
    SnapshotOutcome, Term,
};

use crate::checker::Violation;
use crate::checker::mirror::{Mirror, Seen};
use crate::describe::{body, vote};

/// The durable state of one node.
#[derive(Debug)]
pub struct Durable {
    node: NodeId,
    hard_state: HardState,
    snapshot: EntryId,
    log: Mirror,
}

impl Durable {
    /// Of a node that has never run.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            hard_state: HardState::default(),
            snapshot: EntryId::ZERO,
            log: Mirror::new(EntryId::ZERO),
        }
    }

    /// The durable log.
    #[must_use]
    pub fn log(&self) -> &Mirror {
        &self.log
    }

    /// Whether the disk says so.
    #[must_use]
    pub fn has_voted(&self, term: Term, vote: NodeId) -> bool {
        self.hard_state
            == HardState {
                term,
                vote: Some(vote),
            }
    }

    /// A round is durable. `committed` is what is known to be committed at an index. Returns
    /// such entries that the round destroyed: a follower that a later leader has not reached yet
    /// may still follow an earlier one, and lose what others keep.
    ///
    /// # Errors
    /// The round breaks what an earlier one promised.
    pub fn write(
        &mut self,
        batch: &PersistBatch,
        committed: impl Fn(Index) -> Option<Seen>,
    ) -> Result<Vec<Index>, Violation> {
        if let Some(new) = batch.hard_state {
            self.write_hard_state(new)?;
        }
        // What the round may destroy: entries from where it writes or begins anew.
        let before = self.log.last().index;
        let mut suspects = Vec::new();
        let mut suspect = |log: &Mirror, first: Index| {
            let kept = (first.0.max(log.start().index.0 + 1)..=before.0).map(Index);
            suspects.extend(kept.filter_map(|index| Some((index, log.get(index)?))));
        };
        if let Some(manifest) = &batch.snapshot {
            if manifest.meta.last.index < self.snapshot.index {
                let seen = format!("{}: {} to {}", self.node, self.snapshot, manifest.meta.last);
                return Err(Violation::new("Snapshots never fall back", seen));
            }
            self.snapshot = manifest.meta.last;
            if manifest.clear_log {
                suspect(&self.log, Index(1));
                self.log.reset(manifest.log_start);
            } else {
                if self.log.term_at(manifest.log_start.index) != Some(manifest.log_start.term) {
                    suspect(&self.log, Index(1));
                }
                self.log.compact_to(manifest.log_start);
            }
        }
        if let Some(first) = batch.entries.first() {
            if first.id.index > self.log.last().index.next() {
                let seen = format!("{} wrote {} after {}", self.node, first.id, self.log.last());
                return Err(Violation::new("A durable log has no gaps", seen));
            }
            suspect(&self.log, first.id.index);
            self.log.truncate_from(first.id.index);
            for entry in &batch.entries {
                if entry.id.index > self.log.start().index {
                    self.log.push(Seen::of(entry));
                }
            }
        }
        let destroyed = |&(index, old): &(Index, Seen)| {
            committed(index) == Some(old) && !self.log.covers(index, old)
        };
        let destroyed = suspects.into_iter().filter(destroyed);
        Ok(destroyed.map(|(index, _)| index).collect())
    }

    fn write_hard_state(&mut self, new: HardState) -> Result<(), Violation> {
        let old = self.hard_state;
        let revoked = new.term == old.term && old.vote.is_some() && new.vote != old.vote;
        if new.term < old.term || revoked {
            let seen = format!("{} wrote {} over {}", self.node, vote(&new), vote(&old));
            return Err(Violation::new("Votes and terms are never taken back", seen));
        }
        self.hard_state = new;
        Ok(())
    }

    /// What a node reads when it starts is what was written.
    ///
    /// # Errors
    /// It is not.
    pub fn check_restored(&self, restored: &Restored) -> Result<(), Violation> {
        let same_log = restored.log_start == self.log.start()
            && restored.entries.last().map_or(restored.log_start, |e| e.id) == self.log.last()
            && restored
                .entries
                .iter()
                .all(|e| self.log.get(e.id.index) == Some(Seen::of(e)));
        let same = same_log
            && restored.hard_state == self.hard_state
            && restored.snapshot.last == self.snapshot;
        if same {
            return Ok(());
        }
        let last = restored
            .entries
            .last()
            .map_or(restored.log_start, |entry| entry.id);
        let seen = format!(
            "{} read {}, snapshot {}, log ({}, {last}], and had written {}, snapshot {}, log ({}, {}]",
            self.node,
            vote(&restored.hard_state),
            restored.snapshot.last,
            restored.log_start,
            vote(&self.hard_state),
            self.snapshot,
            self.log.start(),
            self.log.last(),
        );
        Err(Violation::new("A restart finds what was durable", seen))
    }

    /// Nothing is sent that rests on a write which a crash could still undo. `live` is the sender's
    /// term and log.
    ///
    /// # Errors
    /// The message says more than the disk.
    pub fn check_sent(
        &self,
        message: &Message,
        live: Option<(Term, &Mirror)>,
    ) -> Result<(), Violation> {
        let stored = self.hard_state;
        let holds = match &message.body {
            Body::RequestVoteResponse { granted: true } => {
                stored.term > message.term || self.has_voted(message.term, message.to)
            }
            Body::RequestVote { .. } => {
                stored.term > message.term || self.has_voted(message.term, message.from)
            }
            Body::AppendEntries { .. }
            | Body::Heartbeat { .. }
            | Body::Sleep { .. }
            | Body::InstallSnapshot { .. } => stored.term >= message.term,
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched })
            | Body::InstallSnapshotResponse {
                outcome: SnapshotOutcome::Installed { matched },
                ..
            } => {
                // What was acknowledged may be compacted since, on either side.
                let is_same = live.is_none_or(|(term, log)| {
                    term != message.term
                        || *matched <= self.log.start().index.max(log.start().index)
                        || self.log.term_at(*matched) == log.term_at(*matched)
                });
                stored.term >= message.term && self.log.last().index >= *matched && is_same
            }
            Body::PreVote { .. }
            | Body::PreVoteResponse { .. }
            | Body::RequestVoteResponse { granted: false }
            | Body::AppendEntriesResponse(AppendOutcome::Rejected { .. })
            | Body::HeartbeatResponse { .. }
            | Body::SleepResponse { .. }
            | Body::InstallSnapshotResponse { .. }
            | Body::TimeoutNow
            | Body::ReadIndex { .. }
            | Body::ReadIndexResponse { .. }
            | Body::Digest(_) => true,
        };
        let moved_on = live.is_some_and(|(term, _)| term > message.term);
        let is_acknowledgement = matches!(
            message.body,
            Body::AppendEntriesResponse(_) | Body::InstallSnapshotResponse { .. }
        );
        if holds || (moved_on && is_acknowledgement && stored.term >= message.term) {
            return Ok(());
        }
        let seen = format!(
            "{} says {} in {} with {} and a log to {} on disk",
            self.node,
            body(&message.body),
            message.term,
            vote(&stored),
            self.log.last()
        );
        Err(Violation::new(
            "Nothing is promised before it is durable",
            seen,
        ))
    }
}

/// Whom this message gives the sender's vote, if it does.
pub(crate) fn vote_given(message: &Message) -> Option<NodeId> {
    match message.body {
        Body::RequestVoteResponse { granted: true } => Some(message.to),
        Body::RequestVote { .. } => Some(message.from),
        _ => None,
    }
}

/// Whether only a leader says this.
pub(crate) fn claims_leadership(body: &Body) -> bool {
    matches!(
        body,
        Body::AppendEntries { .. } | Body::Heartbeat { .. } | Body::InstallSnapshot { .. }
    )
}
