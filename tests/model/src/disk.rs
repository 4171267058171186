//! What is durable on one node: the plainest reading of what a round of writes says.

use bytes::Bytes;
use quorate_raft::{
    ConfState, Entry, EntryId, HardState, Index, PersistBatch, Restored, SnapshotMeta, Term,
};

use crate::law::{Law, Violation};

/// One node's storage.
#[derive(Clone, Debug, Hash)]
pub struct Disk {
    hard_state: HardState,
    commit: Index,
    snapshot: SnapshotMeta,
    log_start: EntryId,
    entries: Vec<Entry>,
    /// Of the latest snapshot, and of one that arrives; by index and number.
    chunks: Vec<(Index, u32, Bytes)>,
}

impl Disk {
    /// Of a node that has never run, in a cluster of `conf_state`.
    #[must_use]
    pub fn new(conf_state: ConfState) -> Self {
        let Restored {
            hard_state,
            commit,
            snapshot,
            log_start,
            entries,
        } = Restored::fresh(conf_state);
        Self {
            hard_state,
            commit,
            snapshot,
            log_start,
            entries,
            chunks: Vec::new(),
        }
    }

    /// What a node finds when it starts.
    #[must_use]
    pub fn restored(&self) -> Restored {
        Restored {
            hard_state: self.hard_state,
            commit: self.commit,
            snapshot: self.snapshot.clone(),
            log_start: self.log_start,
            entries: self.entries.clone(),
        }
    }

    /// Term and vote.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// The log.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The latest snapshot's end.
    #[must_use]
    pub fn snapshot(&self) -> EntryId {
        self.snapshot.last
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> EntryId {
        self.entries.last().map_or(self.log_start, |entry| entry.id)
    }

    /// The term at `index`, if it is kept or the last one compacted.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.log_start.index {
            return Some(self.log_start.term);
        }
        let found = self.entries.iter().find(|entry| entry.id.index == index);
        found.map(|entry| entry.id.term)
    }

    /// Whether entry `id` is kept, or compacted.
    #[must_use]
    pub fn covers(&self, id: EntryId) -> bool {
        id.index <= self.log_start.index || self.term_at(id.index) == Some(id.term)
    }

    /// The bytes of the latest snapshot.
    #[must_use]
    pub fn snapshot_bytes(&self) -> Vec<Bytes> {
        let index = self.snapshot.last.index;
        let of_it = self.chunks.iter().filter(|(of, _, _)| *of == index);
        of_it.map(|(_, _, data)| data.clone()).collect()
    }

    /// A round is durable.
    ///
    /// # Errors
    /// It takes back what an earlier one said, or leaves a gap.
    pub fn write(&mut self, batch: &PersistBatch) -> Result<(), Violation> {
        if let Some(new) = batch.hard_state {
            let old = self.hard_state;
            let revoked = new.term == old.term && old.vote.is_some() && new.vote != old.vote;
            if new.term < old.term || revoked {
                return taken_back(format!("{new:?} over {old:?}"));
            }
            self.hard_state = new;
        }
        self.commit = self.commit.max(batch.commit);
        for chunk in &batch.chunks {
            self.write_chunk(chunk.snapshot, chunk.number, &chunk.data);
        }
        if let Some(manifest) = &batch.snapshot {
            if manifest.meta.last.index < self.snapshot.last.index {
                let seen = format!("{} over {}", manifest.meta.last, self.snapshot.last);
                return taken_back(seen);
            }
            self.snapshot = manifest.meta.clone();
            let (log_start, end) = (manifest.log_start, manifest.meta.last.index);
            if manifest.clear_log {
                self.entries.clear();
            }
            self.entries
                .retain(|entry| entry.id.index > log_start.index);
            self.log_start = log_start;
            self.chunks.retain(|(of, _, _)| *of >= end);
        }
        if let Some(first) = batch.entries.first().map(|entry| entry.id.index) {
            self.entries.retain(|entry| entry.id.index < first);
            let kept = |entry: &&Entry| entry.id.index > self.log_start.index;
            self.entries
                .extend(batch.entries.iter().filter(kept).cloned());
        }
        Ok(())
    }

    fn write_chunk(&mut self, snapshot: Index, number: u32, data: &Bytes) {
        let place = (snapshot, number);
        self.chunks.retain(|(of, n, _)| (*of, *n) != place);
        self.chunks.push((snapshot, number, data.clone()));
        self.chunks.sort_by_key(|(of, n, _)| (*of, *n));
    }
}

fn taken_back(seen: String) -> Result<(), Violation> {
    Err(Violation::new(Law::NothingTakenBack, seen))
}
