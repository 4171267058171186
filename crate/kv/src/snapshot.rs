//! The state as a stream of bytes, cut into chunks, and back.
//!
//! The stream is a header (format, numbers, and of three trees the number and bytes of their records,
//! where the dropping of old changes stands, and a digest), then the records of the trees in order:
//! `system`, `live`, `past`. Chunk k is its bytes from k times the size on: a function of content
//! alone, whatever the trees look like, exactly as large as asked for, and found in O(log n).

mod restore;

use bytes::Bytes;
use quorate_rsm::MachineSnapshot;

use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::machine::{Kv, Numbers};
use crate::record::Record;
use crate::tree::{Place, Tree, reclaim};
use crate::wire::{ReadError, Reader, put_bytes, put_varint};

pub use restore::KvRestore;

/// The store as of one revision.
pub struct KvSnapshot {
    trees: [Tree; TREES],
    header: Vec<u8>,
}

const FORMAT: u8 = 2;
const TREES: usize = 3;

impl KvSnapshot {
    pub(crate) fn new(kv: &Kv) -> Self {
        let trees = kv.carried().map(Tree::clone);
        let mut header = vec![FORMAT];
        for number in kv.numbers.list() {
            put_varint(&mut header, number);
        }
        for tree in &trees {
            put_varint(&mut header, tree.total().count);
            put_varint(&mut header, tree.total().bytes);
        }
        let swept = kv.swept().map(Record::place);
        let swept = swept.unwrap_or(Place::new(&[], 0));
        put_varint(&mut header, swept.revision);
        put_bytes(&mut header, swept.key);
        header.extend_from_slice(&kv.digest().to_le_bytes());
        Self { trees, header }
    }
}

impl MachineSnapshot for KvSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        reclaim::free(reclaim::AT_CHUNK);
        let size = max_bytes.max(1) as u64;
        let records: u64 = self.trees.iter().map(|tree| tree.total().bytes).sum();
        let stream_len = self.header.len() as u64 + records;
        let start = u64::from(number).saturating_mul(size).min(stream_len);
        let end = start.saturating_add(size).min(stream_len);

        let mut out = Vec::with_capacity((end - start) as usize);
        let mut left = (end - start) as usize;
        // What is still to be passed by.
        let mut skip = start;
        take(&self.header, &mut skip, &mut left, &mut out);
        for tree in &self.trees {
            if left == 0 {
                break;
            }
            let len = tree.total().bytes;
            if skip >= len {
                skip -= len;
                continue;
            }
            let (records, within) = tree.iter_at(skip);
            skip = within as u64;
            for record in records {
                if left == 0 {
                    break;
                }
                take(record.encoded(), &mut skip, &mut left, &mut out);
            }
        }
        (out.into(), end == stream_len)
    }

    fn format(&self) -> u32 {
        u32::from(FORMAT)
    }
}

/// Copies what of the bytes is wanted.
fn take(bytes: &[u8], skip: &mut u64, left: &mut usize, out: &mut Vec<u8>) {
    let passed = (*skip).min(bytes.len() as u64);
    *skip -= passed;
    let bytes = &bytes[passed as usize..];
    let bytes = &bytes[..bytes.len().min(*left)];
    out.extend_from_slice(bytes);
    *left -= bytes.len();
}

/// What a stream says of itself before the records.
struct Header {
    numbers: Numbers,
    counts: [u64; TREES],
    bytes: [u64; TREES],
    /// The revision and the key of the oldest compacted change that is still in memory; 0 and none,
    /// if there is none.
    swept: (u64, Vec<u8>),
    digest: u64,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<(Self, usize), ReadError> {
        let mut reader = Reader::new(bytes);
        if reader.byte() != FORMAT {
            reader.refuse(ReadError::Bad);
        }
        let numbers = Numbers {
            revision: reader.varint(),
            compacted: reader.varint(),
            keep_revisions: reader.varint(),
            keep_ms: reader.varint(),
            keep_bytes: reader.varint(),
            time_ms: reader.varint(),
            last_lease: reader.varint(),
        };
        let is_possible = numbers.revision <= NUMBER_MAX
            && numbers.compacted <= numbers.revision
            && numbers.last_lease <= NUMBER_MAX;
        if !is_possible {
            reader.refuse(ReadError::Bad);
        }
        let (mut counts, mut lengths) = ([0; TREES], [0; TREES]);
        for (count, len) in counts.iter_mut().zip(&mut lengths) {
            (*count, *len) = (reader.varint(), reader.varint());
        }
        let header = Self {
            numbers,
            counts,
            bytes: lengths,
            swept: (reader.varint(), reader.bytes_up_to(KEY_BYTES_MAX).to_vec()),
            digest: reader.fixed(),
        };
        Ok((header, bytes.len() - reader.rest()?.len()))
    }

    /// Whether the store has in mind that a revision changed a key.
    fn is_logged(&self, change: Place<'_>) -> bool {
        let (revision, key) = &self.swept;
        let is_unswept = *revision > 0 && (change.revision, change.key) >= (*revision, &key[..]);
        change.revision > self.numbers.compacted || is_unswept
    }

    fn total(&self) -> u64 {
        self.bytes
            .iter()
            .fold(0, |sum, len| sum.saturating_add(*len))
    }
}

#[cfg(test)]
mod tests;
