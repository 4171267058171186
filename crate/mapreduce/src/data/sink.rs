//! Where pairs go until there are too many of them, and how they leave: sorted, as a run.

use super::{DataError, Index, RunWriter};

/// Blocks are taken away when they are so many bytes together.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// A key, a value, and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Which partition.
    pub partition: u32,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// Collects pairs up to a budget.
pub trait Sink {
    /// How many partitions there are.
    fn partitions(&self) -> u32;

    /// Whether there is nothing to spill.
    fn is_empty(&self) -> bool;

    /// Whether what is here has reached the budget, and should be spilled before more comes.
    fn is_full(&self) -> bool;

    /// Puts the pairs in their order.
    fn sort(&mut self);

    /// The pair at this place of the order. `scratch` is for a value that is not written down anywhere.
    fn pair<'a>(&'a self, place: usize, scratch: &'a mut Vec<u8>) -> Option<Pair<'a>>;

    /// Forgets all pairs.
    fn clear(&mut self);
}

/// The spill of a sink, being written.
#[derive(Debug)]
pub struct Drain {
    writer: RunWriter,
    scratch: Vec<u8>,
    next: usize,
    index: Option<Index>,
}

impl Drain {
    /// Begins to spill.
    pub fn begin(sink: &mut impl Sink) -> Self {
        sink.sort();
        Self {
            writer: RunWriter::new(sink.partitions()),
            scratch: Vec::new(),
            next: 0,
            index: None,
        }
    }

    /// The next chunk of the run; `None` when it is complete, and the sink empty again.
    ///
    /// # Errors
    /// None, but for pairs that the sink should not have taken.
    pub fn chunk(&mut self, sink: &mut impl Sink) -> Result<Option<Vec<u8>>, DataError> {
        if self.index.is_some() {
            return Ok(None);
        }
        while self.writer.waiting() < CHUNK_BYTES {
            let Some(pair) = sink.pair(self.next, &mut self.scratch) else {
                self.index = Some(self.writer.finish());
                sink.clear();
                break;
            };
            self.writer.push(pair.partition, pair.key, pair.value)?;
            self.next += 1;
        }
        Ok(Some(self.writer.take()))
    }

    /// Where the sections are, once the run is complete.
    #[must_use]
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }
}
