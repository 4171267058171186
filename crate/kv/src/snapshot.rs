//! The state as a stream of bytes, cut into chunks, and back.
//!
//! The stream is a header (format, numbers, and of three trees the number and bytes of their records,
//! where the dropping of old changes stands, and a digest), then the records of the trees in order:
//! `system`, `live`, `past`. Chunk k is its bytes from k times the size on: a function of content
//! alone, whatever the trees look like, exactly as large as asked for, and found in O(log n).

mod check;
mod delta;
mod patch;
mod restore;

use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineSnapshot};

use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::machine::{Kv, Numbers};
use crate::record::Record;
use crate::tree::{Place, Tree, reclaim};
use crate::wire::{ReadError, Reader, put_bytes, put_varint};

pub use delta::KvDelta;
pub use patch::KvPatch;
pub use restore::KvRestore;

/// The store as of one revision. A clone is a few pointers.
#[derive(Clone)]
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

    /// The digest of the state, with which the header ends.
    fn digest(&self) -> u64 {
        let digest = self.header.last_chunk();
        u64::from_le_bytes(*digest.expect("it was written"))
    }

    /// How many bytes its stream has.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a stream has a header at least"
    )]
    #[must_use]
    pub fn len(&self) -> u64 {
        stream_len(&self.header, &self.trees)
    }

    /// Appends `len` bytes of the stream from the byte `from` on, or as many as there are: at the end
    /// fewer, beyond it none. O(log n), and their number.
    pub fn write(&self, from: u64, len: usize, out: &mut Vec<u8>) {
        cut(&self.header, &self.trees, from, len, out);
    }
}

impl MachineSnapshot for KvSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let (size, stream_len) = (max_bytes.max(1), self.len());
        let start = u64::from(number).saturating_mul(size as u64);
        let start = start.min(stream_len);
        let mut out = Vec::new();
        self.write(start, size, &mut out);
        let end = start + out.len() as u64;
        (out.into(), end == stream_len)
    }

    fn format(&self) -> u32 {
        u32::from(FORMAT)
    }
}

/// How many bytes a header has with the records of some trees behind it.
fn stream_len(header: &[u8], trees: &[Tree]) -> u64 {
    let records: u64 = trees.iter().map(|tree| tree.total().bytes).sum();
    header.len() as u64 + records
}

/// Appends `len` of them, from the byte `from` on.
fn cut(header: &[u8], trees: &[Tree], from: u64, len: usize, out: &mut Vec<u8>) {
    reclaim::free(reclaim::AT_CHUNK);
    let mut left = stream_len(header, trees)
        .saturating_sub(from)
        .min(len as u64) as usize;
    out.reserve(left);
    // What is still to be passed by.
    let mut skip = from;
    take(header, &mut skip, &mut left, out);
    for tree in trees {
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
            take(record.encoded(), &mut skip, &mut left, out);
        }
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

    /// From where on the store has in mind what revisions changed.
    fn log_start(&self) -> Place<'_> {
        let (revision, key) = &self.swept;
        if (1..=self.numbers.compacted).contains(revision) {
            Place::new(key, *revision)
        } else {
            Place::new(&[], self.numbers.compacted + 1)
        }
    }

    /// Whether the store has in mind that a revision changed a key.
    fn is_logged(&self, change: Place<'_>) -> bool {
        let start = self.log_start();
        (change.revision, change.key) >= (start.revision, start.key)
    }

    /// Whether there are as many records as it says.
    fn check_totals(&self, kv: &Kv) -> Result<(), BadSnapshot> {
        for (at, tree) in kv.carried().iter().enumerate() {
            let total = tree.total();
            if (total.count, total.bytes) != (self.counts[at], self.bytes[at]) {
                return Err(BadSnapshot(
                    "the store has another number of records than it says",
                ));
            }
        }
        Ok(())
    }

    /// Whether it is the store that it speaks of.
    fn check_digest(&self, kv: &Kv) -> Result<(), BadSnapshot> {
        let swept = kv.swept().map(Record::place);
        if swept.map_or((0, &[][..]), |swept| (swept.revision, swept.key))
            != (self.swept.0, &self.swept.1[..])
        {
            return Err(BadSnapshot("the oldest change is another than it says"));
        }
        if kv.digest() != self.digest {
            return Err(BadSnapshot("the store's digest differs"));
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        self.bytes
            .iter()
            .fold(0, |sum, len| sum.saturating_add(*len))
    }
}

#[cfg(test)]
mod tests;
