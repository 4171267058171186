//! Numbers added up by key: what a word count combines before anything is written, in a hash table
//! without an allocation, and for keys of up to sixteen bytes without a comparison of strings.
//!
//! Most of the time goes into waiting for memory. So keys wait for each other: of many at once, first all
//! slots are fetched, then all entries, and the processor waits for them together.
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
    /// As many as a power of two, at most three quarters of them in use.
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    /// Keys that are longer than their prefix, one after another.
    arena: Vec<u8>,
    /// What is written in place of the sum, if anything.
    value: Option<Vec<u8>>,
    /// Keys that wait to be added; at most [`BATCH`].
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    entry: Entry,
    tag: u32,
    /// What is where it belongs.
    slot: Slot,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// A part of the hash: only where it is the same, the entry is looked at.
    tag: u32,
    /// Index of an entry, plus one; 0 where there is none.
    number: u32,
}

/// Half a cache line, since nearly every word needs another one.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first eight bytes of the key, as a number that is ordered as they are.
    prefix: u64,
    /// The last eight bytes of a longer key: of one with up to sixteen, nothing else needs to be compared.
    /// Once the entries are sorted, the partition.
    tail: u64,
    sum: u64,
    at: u32,
    len: u32,
}

const SHORT_BYTES: usize = size_of::<u64>();
/// Only of longer keys the arena is looked at.
const LONG_BYTES: usize = 2 * SHORT_BYTES;
/// So many keys wait for each other.
const BATCH: usize = 64;
const SLOT_BYTES: usize = size_of::<Slot>();
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
            slots: vec![Slot::default(); 2 * ENTRIES_MIN],
            entries: Vec::with_capacity(ENTRIES_MIN),
            arena: Vec::new(),
            value,
            waiting: Vec::with_capacity(BATCH),
        }
    }

    /// Adds a number to the sum of a key.
    ///
    /// # Errors
    /// The key is too long.
    pub fn add(&mut self, key: &[u8], number: u64) -> Result<(), DataError> {
        let Some(tail) = key.last_chunk().filter(|_| key.len() > SHORT_BYTES) else {
            self.add_short(prefix(key), key.len(), number);
            return Ok(());
        };
        if key.len() > PAIR_BYTES_MAX {
            let bytes = key.len();
            return Err(DataError::PairTooLong { bytes });
        }
        let entry = Entry {
            prefix: prefix(key),
            tail: u64::from_be_bytes(*tail),
            sum: number,
            at: 0,
            len: key.len() as u32,
        };
        let (words, _) = key[SHORT_BYTES..key.len() - 1].as_chunks();
        let hash = words
            .iter()
            .map(|word| u64::from_be_bytes(*word))
            .fold(mix(key.len() as u64, entry.prefix), mix);
        let tag = tag(mix(hash, entry.tail));
        match key.len() > LONG_BYTES {
            true => self.add_entry(entry, tag, key),
            false => self.wait(entry, tag),
        }
        Ok(())
    }

    /// The same for a key of at most eight bytes, which is its prefix: the bytes from the highest on, and
    /// zeros behind them.
    #[inline]
    pub fn add_short(&mut self, prefix: u64, len: usize, number: u64) {
        let entry = Entry {
            prefix,
            tail: 0,
            sum: number,
            at: 0,
            len: len as u32,
        };
        self.wait(entry, tag(mix(len as u64, prefix)));
    }

    #[inline]
    fn wait(&mut self, entry: Entry, tag: u32) {
        let slot = Slot::default();
        self.waiting.push(Waiting { entry, tag, slot });
        if self.waiting.len() == BATCH {
            self.add_waiting();
        }
    }

    fn add_waiting(&mut self) {
        let mut waiting = core::mem::take(&mut self.waiting);
        for it in &mut waiting {
            it.slot = self.slots[first_slot(it.tag, self.slots.len())];
        }
        for Waiting { entry, tag, slot } in waiting.drain(..) {
            // Entries stay where they are: what was fetched is right, though others have come since.
            match self.entries.get_mut(slot.entry()) {
                Some(there) if slot.tag == tag && there.is_like(&entry) => there.add(entry.sum),
                _ => {
                    let key = [
                        entry.prefix,
                        entry.tail << (8 * (LONG_BYTES as u32 - entry.len).min(7)),
                    ];
                    let bytes = key.map(u64::to_be_bytes).concat();
                    let len = entry.len as usize;
                    self.add_entry(
                        entry,
                        tag,
                        if len > SHORT_BYTES {
                            &bytes[..len]
                        } else {
                            &[]
                        },
                    );
                }
            }
        }
        self.waiting = waiting;
    }

    /// Adds to what is there, or puts it there; then `rest` is what the arena gets of it.
    fn add_entry(&mut self, mut new: Entry, tag: u32, rest: &[u8]) {
        let mut at = first_slot(tag, self.slots.len());
        loop {
            let slot = self.slots[at];
            let Some(entry) = self.entries.get_mut(slot.entry()) else {
                new.at = self.arena.len() as u32;
                self.arena.extend_from_slice(rest);
                self.insert(at, tag, new);
                return;
            };
            if slot.tag == tag
                && entry.is_like(&new)
                && (rest.len() <= LONG_BYTES
                    || self.arena[entry.at as usize..][..rest.len()] == *rest)
            {
                entry.add(new.sum);
                return;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn insert(&mut self, at: usize, tag: u32, entry: Entry) {
        self.entries.push(entry);
        let number = self.entries.len() as u32;
        self.slots[at] = Slot { tag, number };
        if 4 * self.entries.len() >= 3 * self.slots.len() {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = 2 * self.slots.len();
        let slots = core::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        for slot in slots.into_iter().filter(|slot| slot.number > 0) {
            let mut at = first_slot(slot.tag, len);
            while self.slots[at].number > 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = slot;
        }
    }

    /// What is kept, in bytes: what counts against the budget.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * ENTRY_BYTES + self.slots.len() * SLOT_BYTES
    }

    /// How much memory is in use, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.arena.capacity()
            + self.entries.capacity() * ENTRY_BYTES
            + self.slots.capacity() * SLOT_BYTES
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

impl Slot {
    /// The index of its entry; of none if there is none.
    #[inline]
    fn entry(self) -> usize {
        (self.number as usize).wrapping_sub(1)
    }
}

impl Entry {
    /// Whether the keys are the same, but for what is in the arena.
    #[inline]
    fn is_like(&self, other: &Self) -> bool {
        (self.prefix, self.tail, self.len) == (other.prefix, other.tail, other.len)
    }

    #[inline]
    fn add(&mut self, number: u64) {
        self.sum = self.sum.saturating_add(number);
    }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The highest bits of a hash: they depend on all of the key.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Where to look first.
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
        self.entries.is_empty() && self.waiting.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes() >= self.budget && !self.is_empty()
    }

    fn sort(&mut self) {
        self.add_waiting();
        for entry in &mut self.entries {
            let partition = by_hash(
                key(&self.arena, entry, &mut [0; SHORT_BYTES]),
                self.partitions,
            );
            entry.tail = partition.into();
        }
        let arena = &self.arena;
        self.entries.sort_unstable_by(|a, b| {
            (a.tail, a.prefix).cmp(&(b.tail, b.prefix)).then_with(|| {
                key(arena, a, &mut [0; SHORT_BYTES]).cmp(key(arena, b, &mut [0; SHORT_BYTES]))
            })
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
            partition: entry.tail as u32,
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
        self.waiting.clear();
        self.entries.clear();
        self.arena.clear();
        self.arena.shrink_to(self.budget);
        self.slots.fill(Slot::default());
    }
}

#[cfg(test)]
mod tests;
