//! Sections of one partition, made one: for when there are more than can be merged at once.

use super::sink::CHUNK_BYTES;
use super::{DataError, Index, Merge, RunWriter, Step};

/// What is wanted of whoever feeds a merge and takes its output away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes of this section, counted from 0.
    Need(usize),
    /// That the output is taken away.
    Output,
    /// The same, and nothing after that.
    Done,
}

/// Writes what is merged as a run with one section.
#[derive(Debug)]
pub struct Compaction {
    merge: Merge,
    writer: RunWriter,
    index: Option<Index>,
}

impl Compaction {
    /// One for a run of so many partitions.
    #[must_use]
    pub fn new(merge: Merge, partitions: u32) -> Self {
        Self {
            merge,
            writer: RunWriter::new(partitions),
            index: None,
        }
    }

    /// Takes the next bytes of a section: see [`Merge::feed`].
    ///
    /// # Errors
    /// As there.
    pub fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), DataError> {
        self.merge.feed(section, bytes)
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// A section is damaged; the compaction is of no use then.
    pub fn run(&mut self) -> Result<Progress, DataError> {
        while self.writer.waiting() < CHUNK_BYTES {
            if self.index.is_some() {
                return Ok(Progress::Done);
            }
            match self.merge.step()? {
                Step::Need(section) => return Ok(Progress::Need(section)),
                Step::Pair(pair) => self.writer.push(pair.partition, pair.key, pair.value)?,
                Step::End => self.index = Some(self.writer.finish()),
            }
        }
        Ok(Progress::Output)
    }

    /// Takes finished blocks away; may be empty.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }

    /// Where the section is, once the run is complete.
    #[must_use]
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }
}
