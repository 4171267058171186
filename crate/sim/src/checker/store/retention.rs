//! What of the past can be read: by the number of revisions, by age, and by hand.

use std::collections::VecDeque;

use quorate_kv::{Code, RETENTION_REVISIONS, Reply};

/// How many old times a command forgets at least.
const FORGETS: u64 = 16;

/// What of the past can be read.
#[derive(Debug)]
pub(super) struct Retention {
    /// So many of the last revisions; 0 is any number.
    revisions: u64,
    /// So many milliseconds; 0 is any age.
    ms: u64,
    pub(super) compacted: u64,
    /// Log times, and the last revision of each; only where ages matter.
    times: VecDeque<(u64, u64)>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            revisions: RETENTION_REVISIONS,
            ms: 0,
            compacted: 0,
            times: VecDeque::new(),
        }
    }
}

impl Retention {
    /// It becomes another one.
    pub(super) fn set(&mut self, revisions: u64, ms: u64, time_ms: u64, revision: u64) {
        (self.revisions, self.ms) = (revisions, ms);
        self.keep_revisions(revision);
        // What was made while ages did not matter counts as made now.
        if revision > self.compacted {
            self.note(time_ms, revision);
        }
    }

    pub(super) fn note(&mut self, time_ms: u64, revision: u64) {
        if self.ms > 0 {
            self.times.pop_back_if(|(time, _)| *time == time_ms);
            self.times.push_back((time_ms, revision));
        }
    }

    pub(super) fn keep_revisions(&mut self, revision: u64) {
        if self.revisions > 0 {
            self.compacted = self.compacted.max(revision.saturating_sub(self.revisions));
        }
    }

    /// Times are looked at by pieces, the more the more keys changed.
    pub(super) fn keep(&mut self, now_ms: u64, revision: u64, made: u64) {
        self.keep_revisions(revision);
        for _ in 0..FORGETS.max(2 * made) {
            let Some(&(time, last)) = self.times.front() else {
                break;
            };
            if self.ms > 0 && time + self.ms < now_ms {
                self.compacted = self.compacted.max(last);
            }
            if self.ms > 0 && last > self.compacted {
                break;
            }
            self.times.pop_front();
        }
    }

    pub(super) fn check(&self, at: u64, revision: u64) -> Result<(), Code> {
        check_revision(at, self.compacted, revision)
    }

    pub(super) fn reply(&self, revision: u64) -> Reply {
        Reply::Compacted {
            compacted: self.compacted,
            revision,
        }
    }
}

/// Whether a state of the past can be read; 0 is that of now.
pub(super) fn check_revision(at: u64, compacted: u64, revision: u64) -> Result<(), Code> {
    match at {
        0 => Ok(()),
        at if at < compacted => Err(Code::Compacted),
        at if at > revision => Err(Code::FutureRevision),
        _ => Ok(()),
    }
}
