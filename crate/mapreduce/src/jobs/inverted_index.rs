//! Inverted index: in which documents each word occurs.

use super::Job;
use super::word_count::count_words;
use crate::data::{Counter, DataError, Pair, Record};

/// Finds the documents of words. The output has a line for each word, and behind it, after a tab each, the
/// names of its documents, in the order of the map tasks. Splits of one document stand side by side.
#[derive(Debug)]
pub struct InvertedIndex {
    fold: bool,
    folded: Vec<u8>,
    /// What a map task reads.
    document: Vec<u8>,
    /// The last one of the group.
    last: Option<Vec<u8>>,
}

impl InvertedIndex {
    /// `fold`: as in [`super::WordCount`]. `document` names what a map task reads; a reduce task needs
    /// none.
    #[must_use]
    pub fn new(fold: bool, document: Vec<u8>) -> Self {
        Self {
            fold,
            folded: Vec::new(),
            document,
            last: None,
        }
    }
}

impl Job for InvertedIndex {
    type Sink = Counter;

    fn sink(&self, partitions: u32, budget: usize) -> Counter {
        Counter::new(partitions, budget, Some(self.document.clone()))
    }

    fn map(&mut self, record: Record<'_>, sink: &mut Counter) -> Result<(), DataError> {
        let folded = self.fold.then_some(&mut self.folded);
        count_words(record.bytes, folded, sink)
    }

    fn begin(&mut self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
        self.last = None;
    }

    fn value(&mut self, pair: &Pair<'_>, out: &mut Vec<u8>) -> Result<(), DataError> {
        if self.last.as_deref() != Some(pair.value) {
            out.push(b'\t');
            out.extend_from_slice(pair.value);
            let last = self.last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(pair.value);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.push(b'\n');
    }
}
