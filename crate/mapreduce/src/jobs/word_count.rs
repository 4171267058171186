//! Word count: how often each word occurs.

use std::io::Write;

use super::Job;
use super::words::{Word, words};
use crate::data::{Counter, DataError, Pair, Record, sum};

/// Counts words. The output has a line for each, `word\tcount`, in their order.
#[derive(Debug, Default)]
pub struct WordCount {
    fold: bool,
    folded: Vec<u8>,
    count: u64,
}

impl WordCount {
    /// Whether ASCII letters count without their case, as small ones; default no.
    #[must_use]
    pub fn new(fold: bool) -> Self {
        Self {
            fold,
            ..Self::default()
        }
    }
}

/// Adds the words of a text, each with a 1.
pub(super) fn count_words(
    text: &[u8],
    folded: Option<&mut Vec<u8>>,
    counter: &mut Counter,
) -> Result<(), DataError> {
    let text = match folded {
        None => text,
        Some(folded) => {
            folded.clear();
            folded.extend_from_slice(text);
            folded.make_ascii_lowercase();
            folded
        }
    };
    words(text, |word| match word {
        Word::Short { prefix, len } => {
            counter.add_short(prefix, len, 1);
            Ok(())
        }
        Word::Long(bytes) => counter.add(bytes, 1),
    })
}

impl Job for WordCount {
    type Sink = Counter;

    fn sink(&self, partitions: u32, budget: usize) -> Counter {
        Counter::new(partitions, budget, None)
    }

    fn map(&mut self, record: Record<'_>, sink: &mut Counter) -> Result<(), DataError> {
        let folded = self.fold.then_some(&mut self.folded);
        count_words(record.bytes, folded, sink)
    }

    fn begin(&mut self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
        self.count = 0;
    }

    fn value(&mut self, pair: &Pair<'_>, _out: &mut Vec<u8>) -> Result<(), DataError> {
        self.count = self.count.saturating_add(sum(pair.value)?);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // Cannot fail: it is memory.
        let _ = writeln!(out, "\t{}", self.count);
    }
}
