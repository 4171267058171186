//! A spill whose pairs are combined elsewhere: groups go out, fewer pairs come back.

use super::{Collector, DataError, Groups, Index, RunWriter, Sink, take_pair};

/// A spill that is being combined.
#[derive(Debug)]
pub struct Combining {
    writer: RunWriter,
    groups: Groups,
    next: usize,
}

impl Combining {
    /// Begins to spill.
    pub fn begin(collector: &mut Collector) -> Self {
        collector.sort();
        Self {
            writer: RunWriter::new(collector.partitions()),
            groups: Groups::default(),
            next: 0,
        }
    }

    /// The next values, about so many bytes of them; none when there are no more.
    pub fn groups(&mut self, collector: &Collector, max_bytes: usize) -> &Groups {
        self.groups.clear();
        let mut scratch = Vec::new();
        while self.groups.len() < max_bytes {
            let Some(pair) = collector.pair(self.next, &mut scratch) else {
                break;
            };
            self.groups.push(&pair);
            self.next += 1;
        }
        &self.groups
    }

    /// Whether all values were given.
    #[must_use]
    pub fn is_exhausted(&self, collector: &Collector) -> bool {
        self.next >= collector.pairs()
    }

    /// Takes what came of groups: a batch of pairs, in the order in which the groups were given.
    ///
    /// # Errors
    /// The bytes are no batch, or the order is another one.
    pub fn combined(&mut self, mut batch: &[u8], partitions: u32) -> Result<(), DataError> {
        while let Some((pair, rest)) = take_pair(batch, partitions)? {
            self.writer.push(pair.partition, pair.key, pair.value)?;
            batch = rest;
        }
        Ok(())
    }

    /// Takes finished blocks away; may be empty.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }

    /// Ends the run, and empties the collector. What is taken away then is the last of it.
    pub fn finish(&mut self, collector: &mut Collector) -> Index {
        collector.clear();
        self.writer.finish()
    }
}
