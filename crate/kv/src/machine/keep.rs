//! What is kept of the past, and how the rest goes.

use bytes::Bytes;

use super::Kv;
use crate::error::Code;
use crate::history;
use crate::reply;

/// How many old changes a command drops at least. It drops two for each one it makes, too, so that
/// none outlive their time for long.
const SWEEP: u64 = 16;

impl Kv {
    pub(super) fn compact(&mut self, revision: u64) -> Result<Bytes, Code> {
        if revision <= self.numbers.compacted {
            return Err(Code::Compacted);
        }
        if revision > self.numbers.revision {
            return Err(Code::FutureRevision);
        }
        self.numbers.compacted = revision;
        Ok(self.what_is_kept())
    }

    pub(super) fn what_is_kept(&self) -> Bytes {
        reply::compacted(self.numbers.compacted, self.numbers.revision)
    }

    /// Compacts what exceeds the number of revisions.
    pub(super) fn retain(&mut self) {
        let numbers = &mut self.numbers;
        if numbers.keep_revisions > 0 {
            let oldest = numbers.revision.saturating_sub(numbers.keep_revisions);
            numbers.compacted = numbers.compacted.max(oldest);
        }
    }

    /// Compacts by the retention, and drops some of what no kept revision shows. The last command
    /// changed so many keys.
    pub(super) fn keep(&mut self, made: u64) {
        self.retain();
        let pieces = SWEEP.max(made.saturating_mul(2));
        for _ in 0..pieces {
            let first = self.system.iter_from(&history::times()).next();
            let Some((time_ms, revision)) = first.and_then(history::take_time) else {
                break;
            };
            let numbers = &mut self.numbers;
            let is_old =
                numbers.keep_ms > 0 && time_ms.saturating_add(numbers.keep_ms) < numbers.time_ms;
            if revision > numbers.compacted && !is_old {
                break;
            }
            numbers.compacted = numbers.compacted.max(revision);
            let key = first.map(|record| record.key().to_vec());
            self.system.remove(&key.unwrap_or_default());
        }
        for _ in 0..pieces {
            let oldest = self.swept();
            let Some((revision, key)) = history::take_change(&oldest) else {
                break;
            };
            self.drop_ended(revision, key);
            self.index.remove(&oldest);
        }
    }

    /// Drops the version of a key that a compacted change ended, and the change if it was a deletion.
    fn drop_ended(&mut self, revision: u64, key: &[u8]) {
        let change = history::version_at(key, revision);
        let ended = self.past.below(&change).map(|record| record.key().to_vec());
        if let Some(ended) = ended.filter(|ended| ended.starts_with(&history::versions_of(key))) {
            self.past.remove(&ended);
        }
        let made = self.past.get(&change);
        if made.is_some_and(|record| record.meta().version == 0) {
            self.past.remove(&change);
        }
    }

    /// Where the index has the oldest compacted change; empty if all of them were dropped.
    pub(crate) fn swept(&self) -> Vec<u8> {
        self.index
            .iter_from(&history::first_change())
            .next()
            .map(crate::record::Record::key)
            .filter(|key| {
                history::take_change(key)
                    .is_some_and(|(revision, _)| revision <= self.numbers.compacted)
            })
            .map_or_else(Vec::new, <[u8]>::to_vec)
    }
}
