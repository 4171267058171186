//! Sort: all records in the order of their bytes.

use super::Job;
use crate::data::{Collector, DataError, Pair, Record, by_range};

/// Sorts records. The output has a line for each; that of one partition goes on where that of the one before
/// has ended, for partitions are ranges.
#[derive(Debug)]
pub struct Sort {
    boundaries: Vec<Vec<u8>>,
}

impl Sort {
    /// `boundaries` part the partitions: see [`crate::data::boundaries`]. A reduce task needs none.
    #[must_use]
    pub fn new(boundaries: Vec<Vec<u8>>) -> Self {
        Self { boundaries }
    }
}

impl Job for Sort {
    type Sink = Collector;

    fn sink(&self, partitions: u32, budget: usize) -> Collector {
        Collector::new(partitions, budget)
    }

    fn map(&mut self, record: Record<'_>, sink: &mut Collector) -> Result<(), DataError> {
        sink.push(Pair {
            partition: by_range(record.bytes, &self.boundaries),
            key: record.bytes,
            value: &[],
        })
    }

    fn begin(&mut self, _key: &[u8], _out: &mut Vec<u8>) {}

    fn value(&mut self, pair: &Pair<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
        out.extend_from_slice(pair.key);
        out.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}
