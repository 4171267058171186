//! The entries that a node keeps in memory: a contiguous run after a compacted prefix (§5.3, §7).
//!
//! Knows positions and terms. What of it is durable is `persistence`'s to know, what is committed
//! `raft`'s.

use std::collections::VecDeque;

use crate::entry::{Entry, SnapshotMeta};
use crate::types::{EntryId, Index, Term};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Log {
    /// The entry before the first one kept. Its term is known, its payload gone.
    start: EntryId,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The latest durable snapshot: state at least as new as `start`.
    pub(crate) snapshot: SnapshotMeta,
}

impl Log {
    pub(crate) fn new(start: EntryId, entries: Vec<Entry>, snapshot: SnapshotMeta) -> Self {
        let bytes = entries.iter().map(Entry::size_bytes).sum();
        Self {
            start,
            entries: entries.into(),
            bytes,
            snapshot,
        }
    }

    pub(crate) fn start(&self) -> EntryId {
        self.start
    }

    #[inline]
    pub(crate) fn last(&self) -> EntryId {
        self.entries.back().map_or(self.start, |entry| entry.id)
    }

    /// Payload bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The term of the entry at `index`, if it is kept or is the last compacted one.
    pub(crate) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.start.index {
            return Some(self.start.term);
        }
        self.get(index).map(|entry| entry.id.term)
    }

    pub(crate) fn contains(&self, id: EntryId) -> bool {
        self.term_at(id.index) == Some(id.term)
    }

    /// The entries from `first` to `last_max` inclusive, until `max_bytes` of payload are passed. At
    /// least one, if there is one.
    pub(crate) fn slice(&self, first: Index, last_max: Index, max_bytes: usize) -> Vec<Entry> {
        match (self.count(first, last_max, max_bytes), self.offset(first)) {
            (1, Some(offset)) => vec![self.entries[offset].clone()],
            (count, Some(offset)) => {
                let range = self.entries.range(offset..offset + count);
                range.cloned().collect()
            }
            (_, None) => Vec::new(),
        }
    }

    /// How many entries that is.
    pub(crate) fn count(&self, first: Index, last_max: Index, max_bytes: usize) -> usize {
        let end = last_max.min(self.last().index);
        let Some(offset) = self.offset(first).filter(|_| first <= end) else {
            return 0;
        };
        let candidates = (end - first) as usize + 1;
        if candidates == 1 || self.bytes <= max_bytes {
            return candidates;
        }
        let mut bytes = 0;
        self.entries
            .range(offset..offset + candidates)
            .take_while(|entry| {
                let fits = bytes == 0 || bytes + entry.size_bytes() <= max_bytes;
                bytes += entry.size_bytes();
                fits
            })
            .count()
    }

    /// The entries at and above `first`.
    pub(crate) fn from(&self, first: Index) -> impl Iterator<Item = &Entry> {
        let before = first - self.start.index.next();
        self.entries
            .range((before as usize).min(self.entries.len())..)
    }

    /// Payload bytes of the entries of `term` in `(after, upto]`.
    pub(crate) fn bytes_of_term(&self, after: Index, upto: Index, term: Term) -> usize {
        let Some(offset) = self.offset(after.next()).filter(|_| after < upto) else {
            return 0;
        };
        let count = ((upto - after) as usize).min(self.entries.len() - offset);
        self.entries
            .range(offset..offset + count)
            .filter(|entry| entry.id.term == term)
            .map(Entry::size_bytes)
            .sum()
    }

    /// The latest entry at or below `id.index` whose term is at most `id.term`: where a log that
    /// ends with `id` could still agree with this one. Skips a whole term at a time (end of §5.3).
    pub(crate) fn latest_possible_match(&self, id: EntryId) -> EntryId {
        if id.index < self.start.index {
            return id; // Nothing is known so far back, so nothing speaks against it.
        }
        let kept = ((id.index - self.start.index) as usize).min(self.entries.len());
        // Terms never fall along a log, so the entries that qualify are a prefix.
        let (front, back) = self.entries.as_slices();
        let count = if front.get(..kept).is_none() && back[0].id.term <= id.term {
            let in_back = &back[..kept - front.len()];
            front.len() + in_back.partition_point(|entry| entry.id.term <= id.term)
        } else {
            front[..kept.min(front.len())].partition_point(|entry| entry.id.term <= id.term)
        };
        if count == 0 {
            self.start
        } else {
            self.entries[count - 1].id
        }
    }

    /// The index before the earliest entry of a tail that ends with `index` and has at most
    /// `entries` entries and `bytes` payload bytes.
    pub(crate) fn tail_start(&self, index: Index, entries: u64, bytes: usize) -> Index {
        let (mut at, mut left) = (index, bytes);
        while index - at < entries
            && let Some(entry) = self.get(at)
            && let Some(rest) = left.checked_sub(entry.size_bytes())
        {
            left = rest;
            at = at.prev();
        }
        at
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        assert_eq!(
            entry.id.index,
            self.last().index.next(),
            "the log has no gaps"
        );
        self.bytes += entry.size_bytes();
        self.entries.push_back(entry);
    }

    /// Removes everything at and above `index`.
    pub(crate) fn truncate_from(&mut self, index: Index) {
        let keep = (index - self.start.index.next()) as usize;
        let removed: usize = self.entries.range(keep..).map(Entry::size_bytes).sum();
        self.bytes -= removed;
        self.entries.truncate(keep);
    }

    /// Forgets everything at and below `index`, which must be kept or already gone.
    pub(crate) fn compact(&mut self, index: Index) {
        let count = ((index - self.start.index) as usize).min(self.entries.len());
        for entry in self.entries.drain(..count) {
            self.bytes -= entry.size_bytes();
            self.start = entry.id;
        }
    }

    /// Forgets everything; the log goes on after `start`.
    pub(crate) fn reset(&mut self, start: EntryId) {
        self.start = start;
        self.entries.clear();
        self.bytes = 0;
    }

    pub(crate) fn get(&self, index: Index) -> Option<&Entry> {
        self.entries.get(self.offset(index)?)
    }

    #[inline]
    fn offset(&self, index: Index) -> Option<usize> {
        let offset = index.0.checked_sub(self.start.index.0 + 1)?;
        usize::try_from(offset)
            .ok()
            .filter(|&offset| offset < self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::entry::Payload;

    fn entry(term: u64, index: u64) -> Entry {
        let payload = Payload::Command(Bytes::from(vec![0; 10]));
        Entry {
            id: EntryId::new(Term(term), Index(index)),
            payload,
        }
    }

    /// A log that starts after `start` and has one entry of each given term.
    fn log(start: EntryId, terms: &[u64]) -> Log {
        let snapshot = SnapshotMeta {
            last: start,
            conf_state: Arc::default(),
        };
        let first = start.index.0 + 1;
        let entries = terms
            .iter()
            .zip(first..)
            .map(|(&term, index)| entry(term, index))
            .collect();
        Log::new(start, entries, snapshot)
    }

    fn id(term: u64, index: u64) -> EntryId {
        EntryId::new(Term(term), Index(index))
    }

    #[test]
    fn term_is_known_from_the_compacted_entry_to_the_last() {
        let log = log(id(2, 5), &[3, 3]);
        let terms: Vec<_> = (4..=8)
            .map(|i| log.term_at(Index(i)).map(|t| t.0))
            .collect();
        assert_eq!(terms, [None, Some(2), Some(3), Some(3), None]);
        assert_eq!(log.last(), id(3, 7));
    }

    #[test]
    fn last_of_a_fully_compacted_log_is_the_snapshot_end() {
        let mut log = log(EntryId::ZERO, &[1, 1, 2]);
        log.compact(Index(3));
        assert_eq!(
            (log.last(), log.start(), log.bytes()),
            (id(2, 3), id(2, 3), 0)
        );
        log.append(entry(2, 4));
        assert_eq!(log.last(), id(2, 4));
    }

    #[test]
    fn slice_is_limited_by_bytes_but_never_empty() {
        let log = log(EntryId::ZERO, &[1; 5]);
        let lens = |max| log.slice(Index(2), Index(9), max).len();
        assert_eq!(
            [lens(0), lens(10), lens(19), lens(20), lens(1_000)],
            [1, 1, 1, 2, 4]
        );
        assert_eq!(log.slice(Index(2), Index(3), 1_000).len(), 2);
        assert!(log.slice(Index(6), Index(9), 1_000).is_empty());
        assert!(log.slice(Index(3), Index(2), 1_000).is_empty());
    }

    #[test]
    fn latest_possible_match_skips_whole_terms() {
        let mut log = log(id(1, 2), &[2, 2, 4, 4, 4, 6]);
        let at = |log: &Log, term, index| log.latest_possible_match(id(term, index));
        assert_eq!(at(&log, 6, 8), id(6, 8));
        assert_eq!(at(&log, 5, 8), id(4, 7));
        assert_eq!(at(&log, 5, 100), id(4, 7));
        assert_eq!(at(&log, 3, 6), id(2, 4));
        assert_eq!(at(&log, 4, 6), id(4, 6));
        assert_eq!(at(&log, 1, 8), id(1, 2));
        assert_eq!(at(&log, 9, 1), id(9, 1));
        // The same with a ring that wraps around.
        log.compact(Index(5));
        for index in 9..16 {
            log.append(entry(6 + (index - 9) / 3, index));
        }
        for term in 3..=9 {
            for index in 5..=17 {
                let slow = (6..=15)
                    .filter(|&i| i <= index)
                    .filter_map(|i| log.term_at(Index(i)).map(|t| EntryId::new(t, Index(i))))
                    .rfind(|entry| entry.term.0 <= term)
                    .unwrap_or(log.start());
                assert_eq!(at(&log, term, index), slow, "{term}/{index}");
            }
        }
    }

    #[test]
    fn tail_is_limited_by_entries_and_bytes_and_the_start() {
        let log = log(id(1, 2), &[1; 6]);
        let start = |entries, bytes| log.tail_start(Index(7), entries, bytes).0;
        assert_eq!(
            [start(0, 99), start(2, 99), start(9, 35), start(9, 999)],
            [7, 5, 4, 2]
        );
    }

    #[test]
    fn truncate_and_bytes_agree() {
        let mut log = log(EntryId::ZERO, &[1, 1, 2, 2]);
        log.truncate_from(Index(3));
        assert_eq!((log.last(), log.bytes()), (id(1, 2), 20));
        assert_eq!(log.bytes_of_term(Index(0), Index(2), Term(1)), 20);
        assert_eq!(log.bytes_of_term(Index(1), Index(9), Term(1)), 10);
        assert_eq!(log.bytes_of_term(Index(0), Index(2), Term(2)), 0);
    }
}
