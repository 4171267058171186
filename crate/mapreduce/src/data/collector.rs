//! Pairs of any kind, kept as they come and sorted when they leave.

use super::source::prefix;
use super::{DataError, PAIR_BYTES_MAX, Pair, Sink};

/// Collects pairs. In the order of a spill, those with the same key stand as they came.
#[derive(Debug)]
pub struct Collector {
    partitions: u32,
    budget: usize,
    entries: Vec<Entry>,
    /// Keys and values, one after another.
    arena: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first bytes of the key: most comparisons need no more.
    prefix: u64,
    /// Where in the arena the key begins. Tells also what came first.
    at: u32,
    key_len: u32,
    value_len: u32,
    partition: u32,
}

/// What a pair costs besides its bytes.
const ENTRY_BYTES: usize = size_of::<Entry>();
/// Places in the arena are 32-bit numbers, also behind the longest pair.
const BUDGET_MAX: usize = (2 << 30) - 1;

impl Collector {
    /// One for so many partitions, which is full at so many bytes. It may take one pair, or one batch of
    /// them, beyond that, and as much again while its memory grows.
    #[must_use]
    pub fn new(partitions: u32, budget: usize) -> Self {
        Self {
            partitions,
            budget: budget.min(BUDGET_MAX),
            entries: Vec::new(),
            arena: Vec::new(),
        }
    }

    /// Takes a pair.
    ///
    /// # Errors
    /// It is too long, or there is no such partition.
    pub fn push(&mut self, pair: Pair<'_>) -> Result<(), DataError> {
        let bytes = pair.key.len() + pair.value.len();
        if bytes > PAIR_BYTES_MAX {
            return Err(DataError::PairTooLong { bytes });
        }
        let partition = pair.partition;
        if partition >= self.partitions {
            return Err(DataError::NoPartition { partition });
        }
        let at = u32::try_from(self.arena.len())
            .map_err(|_| DataError::Invalid("a full collector must be spilled"))?;
        self.entries.push(Entry {
            prefix: prefix(pair.key),
            at,
            key_len: pair.key.len() as u32,
            value_len: pair.value.len() as u32,
            partition,
        });
        self.arena.extend_from_slice(pair.key);
        self.arena.extend_from_slice(pair.value);
        Ok(())
    }

    /// What is kept, in bytes: what counts against the budget.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * ENTRY_BYTES
    }

    /// How many pairs are kept.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.entries.len()
    }

    /// How much memory is in use, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * ENTRY_BYTES
    }

    fn cut(&self, at: u32, len: u32) -> &[u8] {
        &self.arena[at as usize..][..len as usize]
    }
}

impl Sink for Collector {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes() >= self.budget && !self.is_empty()
    }

    fn sort(&mut self) {
        let mut entries = core::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            (a.partition, a.prefix)
                .cmp(&(b.partition, b.prefix))
                .then_with(|| self.cut(a.at, a.key_len).cmp(self.cut(b.at, b.key_len)))
                .then_with(|| a.at.cmp(&b.at))
                // Empty pairs stand where the next one does.
                .then_with(|| a.value_len.cmp(&b.value_len))
        });
        self.entries = entries;
    }

    fn pair<'a>(&'a self, place: usize, _scratch: &'a mut Vec<u8>) -> Option<Pair<'a>> {
        let entry = self.entries.get(place)?;
        Some(Pair {
            partition: entry.partition,
            key: self.cut(entry.at, entry.key_len),
            value: self.cut(entry.at + entry.key_len, entry.value_len),
        })
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
        // A pair that was far beyond the budget is not paid for ever.
        self.arena.shrink_to(self.budget);
    }
}

#[cfg(test)]
mod tests;
