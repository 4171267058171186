//! Many pairs at once, for those who pay for each crossing: pairs that come in as one stretch of bytes, and
//! groups that go out as bytes and a table of lengths.

use super::{DataError, Pair, by_hash};

/// In place of a partition: by the hash of the key.
pub const BY_HASH: u32 = u32::MAX;
/// In place of a key's length: the key is that of the value before.
pub const SAME_KEY: u32 = u32::MAX;
/// Before key and value of a pair stand partition, length of the key and length of the value: three
/// little-endian numbers of 32 bits.
pub const PAIR_HEADER_BYTES: usize = 12;

/// The pair at the front of a batch, and what follows it; `None` at the end.
///
/// # Errors
/// The bytes are no batch.
pub fn take_pair(batch: &[u8], partitions: u32) -> Result<Option<(Pair<'_>, &[u8])>, DataError> {
    if batch.is_empty() {
        return Ok(None);
    }
    let wrong = DataError::Invalid("the bytes are no batch of pairs");
    let (header, rest) = batch
        .split_first_chunk::<PAIR_HEADER_BYTES>()
        .ok_or(wrong)?;
    let (numbers, _) = header.as_chunks();
    let [partition, key_len, value_len] = [0, 1, 2].map(|at| u32::from_le_bytes(numbers[at]));
    let (key, rest) = rest.split_at_checked(key_len as usize).ok_or(wrong)?;
    let (value, rest) = rest.split_at_checked(value_len as usize).ok_or(wrong)?;
    let partition = match partition {
        BY_HASH => by_hash(key, partitions),
        given => given,
    };
    Ok(Some((
        Pair {
            partition,
            key,
            value,
        },
        rest,
    )))
}

/// Values with their keys, to be handed out. A group may go on in the next batch.
#[derive(Debug, Default)]
pub struct Groups {
    bytes: Vec<u8>,
    table: Vec<u32>,
    /// The last pair's.
    partition: u32,
    key: Vec<u8>,
    has_begun: bool,
}

impl Groups {
    /// Appends a pair.
    pub fn push(&mut self, pair: &Pair<'_>) {
        let is_same = self.has_begun && self.partition == pair.partition && self.key == pair.key;
        let key_len = match is_same {
            true => SAME_KEY,
            false => pair.key.len() as u32,
        };
        self.table
            .extend([pair.partition, key_len, pair.value.len() as u32]);
        if !is_same {
            self.has_begun = true;
            self.partition = pair.partition;
            self.key.clear();
            self.key.extend_from_slice(pair.key);
            self.bytes.extend_from_slice(pair.key);
        }
        self.bytes.extend_from_slice(pair.value);
    }

    /// How many bytes are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + 4 * self.table.len()
    }

    /// Whether nothing is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What is here: keys and values, one after another, and for each value its partition, the length of
    /// its key or [`SAME_KEY`], and its own length.
    #[must_use]
    pub fn parts(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.table)
    }

    /// Begins the next batch. Whether a value goes on with the last key is still known.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.table.clear();
    }
}
