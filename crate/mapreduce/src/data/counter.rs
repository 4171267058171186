//! Numbers added up by key: what a word count combines before anything is written, in a hash table
//! without an allocation, and for short keys without a comparison of strings.
//!
//! The hash is fixed, since what a task spills must not depend on chance: an input made for it can be slow,
//! though no more wrong than any other.

use super::source::prefix;
use super::{DataError, PAIR_BYTES_MAX, Pair, Sink, by_hash};

/// Adds up numbers by key.
#[derive(Debug)]
pub struct Counter {
    partitions: u32,
    budget: usize,
    /// Indices of entries, plus one; 0 where there is none. As many as a power of two, at most half of
    /// them in use.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// Keys that are longer than their prefix, one after another.
    arena: Vec<u8>,
    /// What is written in place of the sum, if anything.
    value: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first eight bytes of the key, as a number that is ordered as they are.
    prefix: u64,
    sum: u64,
    at: u32,
    len: u32,
    /// Until the entries are sorted: the rest of the hash. From then on the partition.
    tag: u32,
}

const SHORT_BYTES: usize = size_of::<u64>();
const ENTRY_BYTES: usize = size_of::<Entry>();
/// Room for so many entries is there from the beginning.
const ENTRIES_MIN: usize = 1 << 10;
/// As few as the slots and the arena can number.
const BUDGET_MAX: usize = 2 << 30;

impl Counter {
    /// One for so many partitions, which is full at so many bytes. It may take one record beyond that,
    /// and as much again while its memory grows. With a `value`, all spilled pairs have that one, and
    /// not their sum.
    #[must_use]
    pub fn new(partitions: u32, budget: usize, value: Option<Vec<u8>>) -> Self {
        Self {
            partitions,
            budget: budget.min(BUDGET_MAX),
            slots: vec![0; 2 * ENTRIES_MIN],
            entries: Vec::with_capacity(ENTRIES_MIN),
            arena: Vec::new(),
            value,
        }
    }

    /// Adds a number to the sum of a key.
    ///
    /// # Errors
    /// The key is too long.
    pub fn add(&mut self, key: &[u8], number: u64) -> Result<(), DataError> {
        if key.len() <= SHORT_BYTES {
            self.add_short(prefix(key), key.len(), number);
            return Ok(());
        }
        if key.len() > PAIR_BYTES_MAX {
            let bytes = key.len();
            return Err(DataError::PairTooLong { bytes });
        }
        let (words, rest) = key.as_chunks();
        let hash = words
            .iter()
            .map(|word| u64::from_be_bytes(*word))
            .chain([prefix(rest)])
            .fold(key.len() as u64, mix);
        let (head, len) = (prefix(key), key.len() as u32);
        let (mut slot, tag) = self.place(hash);
        loop {
            let Some(entry) = self.at(slot) else {
                let at = self.arena.len() as u32;
                self.arena.extend_from_slice(key);
                self.insert(
                    slot,
                    Entry {
                        prefix: head,
                        sum: number,
                        at,
                        len,
                        tag,
                    },
                );
                return Ok(());
            };
            if (entry.prefix, entry.len, entry.tag) == (head, len, tag)
                && self.arena[entry.at as usize..][..key.len()] == *key
            {
                self.bump(slot, number);
                return Ok(());
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The same for a key of at most eight bytes, which is its prefix: the bytes from the highest on, and
    /// zeros behind them.
    #[inline]
    pub fn add_short(&mut self, prefix: u64, len: usize, number: u64) {
        let (mut slot, tag) = self.place(mix(len as u64, prefix));
        loop {
            let Some(entry) = self.at(slot) else {
                let len = len as u32;
                self.insert(
                    slot,
                    Entry {
                        prefix,
                        sum: number,
                        at: 0,
                        len,
                        tag,
                    },
                );
                return;
            };
            if entry.prefix == prefix && entry.len as usize == len {
                self.bump(slot, number);
                return;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// Where to look first, and what is kept of the hash to find that place again.
    #[inline]
    fn place(&self, hash: u64) -> (usize, u32) {
        let tag = (hash >> 32) as u32;
        (first_slot(tag, self.slots.len()), tag)
    }

    #[inline]
    fn at(&self, slot: usize) -> Option<&Entry> {
        self.entries
            .get((self.slots[slot] as usize).wrapping_sub(1))
    }

    #[inline]
    fn bump(&mut self, slot: usize, number: u64) {
        let entry = &mut self.entries[self.slots[slot] as usize - 1];
        entry.sum = entry.sum.saturating_add(number);
    }

    fn insert(&mut self, slot: usize, entry: Entry) {
        self.entries.push(entry);
        self.slots[slot] = self.entries.len() as u32;
        if 2 * self.entries.len() >= self.slots.len() {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = 2 * self.slots.len();
        self.slots = Vec::new();
        self.slots.resize(len, 0);
        for (number, entry) in (1..).zip(&self.entries) {
            let mut slot = first_slot(entry.tag, len);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = number;
        }
    }

    /// What is kept, in bytes: what counts against the budget.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * ENTRY_BYTES + self.slots.len() * size_of::<u32>()
    }

    /// How much memory is in use, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.arena.capacity()
            + self.entries.capacity() * ENTRY_BYTES
            + self.slots.capacity() * size_of::<u32>()
    }
}

/// The number that a spilled sum stands for.
///
/// # Errors
/// It is none.
pub fn sum(value: &[u8]) -> Result<u64, DataError> {
    let mut bytes = [0; SHORT_BYTES];
    bytes
        .get_mut(..value.len())
        .ok_or(DataError::Damaged("a sum"))?
        .copy_from_slice(value);
    Ok(u64::from_le_bytes(bytes))
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// From the highest bits of the hash: they depend on all of the key. At most 2^32 slots.
#[inline]
fn first_slot(tag: u32, slots: usize) -> usize {
    ((u64::from(tag) * slots as u64) >> 32) as usize
}

/// The key of an entry; a short one is written to `scratch`.
fn key<'a>(arena: &'a [u8], entry: &Entry, scratch: &'a mut [u8; SHORT_BYTES]) -> &'a [u8] {
    let len = entry.len as usize;
    if len > SHORT_BYTES {
        return &arena[entry.at as usize..][..len];
    }
    *scratch = entry.prefix.to_be_bytes();
    &scratch[..len]
}

impl Sink for Counter {
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
        for entry in &mut self.entries {
            entry.tag = by_hash(key(&self.arena, entry, &mut [0; 8]), self.partitions);
        }
        let arena = &self.arena;
        self.entries.sort_unstable_by(|a, b| {
            (a.tag, a.prefix)
                .cmp(&(b.tag, b.prefix))
                .then_with(|| key(arena, a, &mut [0; 8]).cmp(key(arena, b, &mut [0; 8])))
        });
    }

    fn pair<'a>(&'a self, place: usize, scratch: &'a mut Vec<u8>) -> Option<Pair<'a>> {
        let entry = self.entries.get(place)?;
        // First the key, if it is short, then the sum.
        scratch.clear();
        scratch.extend_from_slice(&entry.prefix.to_be_bytes());
        scratch.extend_from_slice(&entry.sum.to_le_bytes());
        let (short, sum) = scratch.split_at(SHORT_BYTES);
        let len = entry.len as usize;
        Some(Pair {
            partition: entry.tag,
            key: match len {
                0..=SHORT_BYTES => &short[..len],
                _ => &self.arena[entry.at as usize..][..len],
            },
            value: match &self.value {
                Some(value) => value,
                // Little-endian without its zeros: most sums are small.
                None => &sum[..SHORT_BYTES - (entry.sum.leading_zeros() / 8) as usize],
            },
        })
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
        self.arena.shrink_to(self.budget);
        self.slots.fill(0);
    }
}

#[cfg(test)]
mod tests;
