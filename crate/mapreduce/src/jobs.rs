//! Jobs that come with the package.
//!
//! A [`Job`] says what is done with a record and with a group; what combines is its [`Sink`]: one that adds up
//! by key spills each key once. [`MapTask`] and [`ReduceTask`] do the rest, chunk by chunk.
//!
//! A word, here, is a run of ASCII letters and of bytes from 0x80 on: text in UTF-8 is cut at spaces, digits
//! and ASCII punctuation only.

mod grep;
mod inverted_index;
mod map_task;
mod reduce_task;
mod sort;
mod word_count;
mod words;

pub use grep::Grep;
pub use inverted_index::InvertedIndex;
pub use map_task::{MapSide, MapTask};
pub use reduce_task::{ReduceSide, ReduceTask};
pub use sort::Sort;
pub use word_count::WordCount;

use crate::data::{DataError, Pair, Record, Sink};

/// What is done with records and groups.
pub trait Job {
    /// Where the pairs go.
    type Sink: Sink;

    /// An empty one, for so many partitions, which is full at so many bytes.
    fn sink(&self, partitions: u32, budget: usize) -> Self::Sink;

    /// Emits the pairs of a record.
    ///
    /// # Errors
    /// A pair is too long.
    fn map(&mut self, record: Record<'_>, sink: &mut Self::Sink) -> Result<(), DataError>;

    /// A group begins: appends to the output what stands before its values.
    fn begin(&mut self, key: &[u8], out: &mut Vec<u8>);

    /// Takes the next value of the group.
    ///
    /// # Errors
    /// It is none that [`Job::map`] emits.
    fn value(&mut self, pair: &Pair<'_>, out: &mut Vec<u8>) -> Result<(), DataError>;

    /// The group has ended: appends what stands behind its values.
    fn end(&mut self, out: &mut Vec<u8>);
}

#[cfg(test)]
mod tests;
