//! A run: sorted pairs, a section for each partition, and an index.
//!
//! ```text
//!   ┌─────────┬─────────┬───┬───────┬──────────────────────────────────────────────┐
//!   │ section │ section │ … │ index │ length of the index (u32), CRC-32 of that    │
//!   └─────────┴─────────┴───┴───────┴──────────────────────────────────────────────┘
//! ```
//! A section is one or more blocks of pairs, in the order of their keys. A pair is written as the number of
//! bytes it shares with the key before it in its block, the number of other bytes of its key, that of
//! its value (as LEB128), and these bytes. The index, a block, says how many partitions there are, and of each that has pairs
//! where its section is.

use bytes::Bytes;
use quorate_rsm::wire::{Reader, Writer};

use super::block::{BLOCK_BYTES, Kind, Place, checksum, seal, unseal};
use super::{DataError, PAIR_BYTES_MAX};

/// The most partitions.
pub const PARTITIONS_MAX: u32 = 1024;
/// The end of a run has so many bytes, which say how long its index is.
pub const TRAILER_BYTES: usize = 8;

/// The pairs of one partition in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Which.
    pub partition: u32,
    /// Where in the run they begin.
    pub offset: u64,
    /// How many bytes they are there.
    pub bytes: u64,
    /// How many there are.
    pub pairs: u64,
}

/// Where the sections of a run are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// How many partitions there are, also those without pairs.
    pub partitions: u32,
    /// Of those with pairs, in order.
    pub sections: Vec<Section>,
}

impl Index {
    /// How many bytes before the trailer, which is given, the index begins.
    ///
    /// # Errors
    /// A damaged one.
    pub fn bytes(trailer: &[u8]) -> Result<usize, DataError> {
        let &[l0, l1, l2, l3, ref sum @ ..] = trailer else {
            return Err(DataError::Cut);
        };
        let len = [l0, l1, l2, l3];
        if *sum != checksum([&len, &[]]).to_le_bytes() {
            return Err(DataError::Damaged("the trailer"));
        }
        Ok(u32::from_le_bytes(len) as usize)
    }

    /// Reads an index that begins at `offset` of its run.
    ///
    /// # Errors
    /// A damaged one, or one that is not whole.
    pub fn read(bytes: &[u8], offset: u64) -> Result<Self, DataError> {
        let damaged = DataError::Damaged("the index");
        let (place, payload) = unseal(bytes)?.ok_or(DataError::Cut)?;
        if place != INDEX_PLACE {
            return Err(damaged);
        }
        let payload = Bytes::copy_from_slice(payload);
        let mut reader = Reader::new(&payload);
        let partitions = reader.number();
        let sections = reader.list(3, |reader| {
            let partition = reader.number();
            let [bytes, pairs] = [reader.number(), reader.number()];
            (partition, bytes, pairs)
        });
        reader.end().map_err(|_| damaged)?;
        if !(1..=u64::from(PARTITIONS_MAX)).contains(&partitions) {
            return Err(damaged);
        }
        let mut index = Self {
            partitions: partitions as u32,
            sections: Vec::with_capacity(sections.len()),
        };
        let mut end = 0_u64;
        let mut next = 0;
        for (partition, bytes, pairs) in sections {
            if !(next..partitions).contains(&partition) {
                return Err(damaged);
            }
            next = partition + 1;
            index.sections.push(Section {
                partition: partition as u32,
                offset: end,
                bytes,
                pairs,
            });
            end = end.checked_add(bytes).ok_or(damaged)?;
        }
        if end == offset {
            Ok(index)
        } else {
            Err(damaged)
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::with_capacity(16 * self.sections.len() + 8);
        writer.number(self.partitions.into());
        writer.number(self.sections.len() as u64);
        for section in &self.sections {
            writer.number(section.partition.into());
            writer.number(section.bytes);
            writer.number(section.pairs);
        }
        let from = out.len();
        seal(INDEX_PLACE, &writer.finish(), out);
        let len = ((out.len() - from) as u32).to_le_bytes();
        out.extend_from_slice(&len);
        out.extend_from_slice(&checksum([&len, &[]]).to_le_bytes());
    }
}

const INDEX_PLACE: Place = Place {
    kind: Kind::Index,
    partition: u16::MAX,
    number: 0,
};

/// Writes a run.
#[derive(Debug)]
pub struct RunWriter {
    index: Index,
    /// Finished blocks, to be taken away.
    out: Vec<u8>,
    /// How many bytes were taken away.
    taken: u64,
    /// The block in hand.
    payload: Vec<u8>,
    /// How many blocks its section has before it.
    number: u32,
    /// The last pair's.
    partition: u32,
    key: Vec<u8>,
}

impl RunWriter {
    /// Begins one for so many partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self {
            index: Index {
                partitions,
                sections: Vec::new(),
            },
            out: Vec::new(),
            taken: 0,
            payload: Vec::with_capacity(BLOCK_BYTES + (BLOCK_BYTES >> 4)),
            number: 0,
            partition: 0,
            key: Vec::new(),
        }
    }

    /// Appends a pair. They come in the order of partitions, and in these of keys.
    ///
    /// # Errors
    /// They do not, or the pair is too long, or the partition is none.
    pub fn push(&mut self, partition: u32, key: &[u8], value: &[u8]) -> Result<(), DataError> {
        let bytes = key.len() + value.len();
        if bytes > PAIR_BYTES_MAX {
            return Err(DataError::PairTooLong { bytes });
        }
        if partition >= self.index.partitions {
            return Err(DataError::NoPartition { partition });
        }
        let shared = self.open(partition, key)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(&key[shared..]);
        // Each block can be read by itself.
        let shared = if self.payload.is_empty() { 0 } else { shared };
        for number in [shared, key.len() - shared, value.len()] {
            put_number(&mut self.payload, number);
        }
        self.payload.extend_from_slice(&key[shared..]);
        self.payload.extend_from_slice(value);
        if let Some(section) = self.index.sections.last_mut() {
            section.pairs += 1;
        }
        Ok(())
    }

    /// Makes the block in hand one that takes a pair of this partition. Returns how many bytes the key
    /// shares with the last one.
    fn open(&mut self, partition: u32, key: &[u8]) -> Result<usize, DataError> {
        let is_first = self.index.sections.is_empty();
        if !is_first && partition == self.partition {
            let shared = key
                .iter()
                .zip(&self.key)
                .take_while(|(a, b)| a == b)
                .count();
            if key[shared..] < self.key[shared..] {
                return Err(DataError::OutOfOrder);
            }
            // Only now is it known that the block is not the last of its section.
            if self.payload.len() >= BLOCK_BYTES {
                self.close(Kind::Pairs);
            }
            return Ok(shared);
        }
        if !is_first && partition < self.partition {
            return Err(DataError::OutOfOrder);
        }
        self.end_section();
        self.partition = partition;
        self.index.sections.push(Section {
            partition,
            offset: self.bytes(),
            bytes: 0,
            pairs: 0,
        });
        Ok(0)
    }

    fn close(&mut self, kind: Kind) {
        let place = Place {
            kind,
            partition: self.partition as u16,
            number: self.number,
        };
        seal(place, &self.payload, &mut self.out);
        self.payload.clear();
        self.payload.shrink_to(2 * BLOCK_BYTES);
        self.number += 1;
    }

    fn end_section(&mut self) {
        if !self.payload.is_empty() {
            self.close(Kind::LastPairs);
        }
        self.number = 0;
        let end = self.bytes();
        if let Some(section) = self.index.sections.last_mut() {
            section.bytes = end - section.offset;
        }
    }

    /// How many bytes the finished blocks have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    /// How many bytes wait to be taken away.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Takes what is finished away.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        core::mem::take(&mut self.out)
    }

    /// Writes the end; what waits then is the last of it.
    pub fn finish(&mut self) -> Index {
        self.end_section();
        self.index.write(&mut self.out);
        self.index.clone()
    }
}

/// As LEB128.
fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests;
