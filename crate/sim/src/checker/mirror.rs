//! A checker's own copy of a log: terms and fingerprints, kept apart from the code under test.

use std::collections::VecDeque;

use quorate_raft::{Entry, EntryId, Index, Payload, Term};

use crate::digest::Digest;

/// What a checker remembers of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its term.
    pub term: Term,
    /// A fingerprint of its payload.
    pub digest: u64,
}

impl Seen {
    /// What to remember of `entry`.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let digest = match &entry.payload {
            Payload::Noop => 0,
            Payload::Command(data) => Digest::of(data),
            Payload::Membership(conf_state) => Digest::of(format!("{conf_state:?}").as_bytes()),
        };
        Self {
            term: entry.id.term,
            digest,
        }
    }
}

/// A log after a compacted prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    start: EntryId,
    entries: VecDeque<Seen>,
}

impl Mirror {
    /// An empty log that goes on after `start`.
    #[must_use]
    pub fn new(start: EntryId) -> Self {
        Self {
            start,
            entries: VecDeque::new(),
        }
    }

    /// The entry before the first one kept.
    #[must_use]
    pub fn start(&self) -> EntryId {
        self.start
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> EntryId {
        match self.entries.back() {
            Some(seen) => EntryId::new(seen.term, self.last_index()),
            None => self.start,
        }
    }

    fn last_index(&self) -> Index {
        Index(self.start.index.0 + self.entries.len() as u64)
    }

    /// The entry at `index`, if it is kept.
    #[must_use]
    pub fn get(&self, index: Index) -> Option<Seen> {
        let offset = index.0.checked_sub(self.start.index.0 + 1)?;
        self.entries.get(offset as usize).copied()
    }

    /// The term at `index`, if it is kept or the last one compacted.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.start.index {
            return Some(self.start.term);
        }
        self.get(index).map(|seen| seen.term)
    }

    /// Whether the log covers this entry: it is kept, or lies in the compacted prefix.
    #[must_use]
    pub fn covers(&self, index: Index, seen: Seen) -> bool {
        index <= self.start.index || self.get(index) == Some(seen)
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, seen: Seen) {
        self.entries.push_back(seen);
    }

    /// Removes everything at and above `first`.
    pub fn truncate_from(&mut self, first: Index) {
        let keep = first.0.saturating_sub(self.start.index.0 + 1);
        self.entries.truncate(keep as usize);
    }

    /// Forgets everything up to `start`, and all of it if it does not contain `start`.
    pub fn compact_to(&mut self, start: EntryId) {
        if start.index <= self.start.index {
            return;
        }
        if self.term_at(start.index) == Some(start.term) {
            self.entries
                .drain(..(start.index - self.start.index) as usize);
        } else {
            self.entries.clear();
        }
        self.start = start;
    }

    /// Forgets everything; the log goes on after `start`.
    pub fn reset(&mut self, start: EntryId) {
        *self = Self::new(start);
    }
}
