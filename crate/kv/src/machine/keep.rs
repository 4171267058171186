//! What is kept of the past, and how the rest goes.

use bytes::Bytes;

use super::Kv;
use crate::error::Code;
use crate::record::Record;
use crate::reply;
use crate::system;
use crate::tree::Path;

/// How many old changes a command drops at least. It drops two for each one it makes, too, so that
/// none outlive their time for long.
const SWEEP: u64 = 16;

/// How many it drops at most where the past takes too many bytes: many small ones may have to go for
/// a large one.
const SWEEP_MAX: u64 = 1024;

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

    /// Begins to keep the past by other bounds. Without an age no times are noted, and what was made
    /// without counts as made now.
    pub(super) fn set_retention(&mut self, revisions: u64, ms: u64, bytes: u64) -> Bytes {
        self.numbers.keep_revisions = revisions;
        self.numbers.keep_ms = ms;
        self.numbers.keep_bytes = bytes;
        self.retain();
        if self.numbers.revision > self.numbers.compacted {
            self.note_time();
        }
        self.what_is_kept()
    }

    /// Notes when the last revision was made, if its age will matter.
    pub(super) fn note_time(&mut self) {
        let numbers = self.numbers;
        if numbers.keep_ms > 0 {
            let time = system::time_record(numbers.time_ms, numbers.revision);
            self.system.insert(time);
        }
    }

    /// Compacts by the retention, and drops some of what no kept revision shows. The last command
    /// changed so many keys.
    pub(super) fn keep(&mut self, made: u64) {
        self.retain();
        let pieces = SWEEP.max(made.saturating_mul(2));
        for _ in 0..pieces {
            let first = self.system.next(&system::TIMES);
            let Some((time_ms, revision)) = first.and_then(system::take_time) else {
                break;
            };
            let numbers = &mut self.numbers;
            let is_aged = numbers.keep_ms > 0;
            if is_aged && time_ms.saturating_add(numbers.keep_ms) < numbers.time_ms {
                numbers.compacted = numbers.compacted.max(revision);
            }
            if is_aged && revision > numbers.compacted {
                break;
            }
            self.system.remove(&system::time(time_ms));
        }
        for _ in 0..pieces {
            if !self.sweep() {
                break;
            }
        }
        for _ in 0..SWEEP_MAX {
            let keep_bytes = self.numbers.keep_bytes;
            let is_large = keep_bytes > 0 && self.past.total().bytes > keep_bytes;
            let Some(oldest) = self.log.first().filter(|_| is_large) else {
                break;
            };
            self.numbers.compacted = self.numbers.compacted.max(oldest.revision());
            self.sweep();
        }
    }

    /// Drops what the oldest compacted change ended. Whether there was one.
    fn sweep(&mut self) -> bool {
        if self.swept().is_none() {
            return false;
        }
        let oldest = self.log.take(Path::FIRST);
        self.drop_ended(&oldest);
        true
    }

    /// Drops the version of a key that a compacted change ended, and the change if it was a deletion.
    fn drop_ended(&mut self, change: &Record) {
        let place = change.place();
        let ended = self.past.find_below(place);
        if let Some((path, _)) = ended.filter(|(_, ended)| ended.key() == place.key) {
            self.past.take(path);
        }
        if change.is_deletion() {
            self.past.remove(place);
        }
    }

    /// The oldest compacted change that is still in memory.
    pub(crate) fn swept(&self) -> Option<&Record> {
        let oldest = self.log.first();
        oldest.filter(|record| record.revision() <= self.numbers.compacted)
    }
}
