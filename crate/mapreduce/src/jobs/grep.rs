//! Grep: the records in which a literal occurs.

use memchr::memmem::Finder;

use super::Job;
use crate::data::{Collector, DataError, Pair, Record};

/// Finds records with a literal. The output has a line for each, in the order of sources and offsets; all of
/// a source are in one partition, which is its number modulo that of partitions.
#[derive(Debug)]
pub struct Grep {
    literal: Finder<'static>,
    source: u32,
    partition: u32,
}

impl Grep {
    /// `source` is the number of the input that a map task reads. A reduce task needs nothing of it.
    #[must_use]
    pub fn new(literal: &[u8], source: u32, partitions: u32) -> Self {
        Self {
            literal: Finder::new(literal).into_owned(),
            source,
            partition: source % partitions.max(1),
        }
    }
}

impl Job for Grep {
    type Sink = Collector;

    fn sink(&self, partitions: u32, budget: usize) -> Collector {
        Collector::new(partitions, budget)
    }

    fn map(&mut self, record: Record<'_>, sink: &mut Collector) -> Result<(), DataError> {
        if self.literal.find(record.bytes).is_none() {
            return Ok(());
        }
        let mut key = [0; 12];
        key[..4].copy_from_slice(&self.source.to_be_bytes());
        key[4..].copy_from_slice(&record.offset.to_be_bytes());
        sink.push(Pair {
            partition: self.partition,
            key: &key,
            value: record.bytes,
        })
    }

    fn begin(&mut self, _key: &[u8], _out: &mut Vec<u8>) {}

    fn value(&mut self, pair: &Pair<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
        out.extend_from_slice(pair.value);
        out.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}
