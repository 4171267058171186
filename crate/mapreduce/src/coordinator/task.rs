//! A task: its attempts, the one that won, and the search for a record that ends its workers.
//!
//! Where a worker says at which record it failed, that record is poisonous if it fails a second time.
//! Where workers of a map task die or fall silent, nobody knows at which record: after some of them, parts
//! of its split are tried, each half of what is left, until one record is left. Such a part is a probe.
//! One that ends well has no poisonous record in it; one that dies has it. Workers die of much else: so a
//! job that may fail often looks late.

use std::sync::Arc;

use super::{AttemptId, Progress, Range, TaskId, WorkerId};

/// After so many deaths without a record's offset it is looked for, at the earliest.
const DEATHS_MIN: u32 = 2;

/// So many attempts that ended, and could still win, are remembered when another begins: the last ones.
const ENDED_MAX: usize = 8;

/// Most attempts that are known: beside those that ended, the one that begins, and the slow one that it
/// stands beside.
pub(super) const KNOWN_MAX: usize = ENDED_MAX + 2;

#[derive(Clone, Debug, Default)]
pub(super) struct Task {
    /// How many attempts were begun: the number of the next.
    pub(super) given: u32,
    /// How many of them failed since a record was last skipped.
    pub(super) failures: u32,
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) state: State,
}

#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nobody has won. Idle if none of the attempts is live, else in progress. By number.
    Open(Vec<Attempt>),
    Completed(Arc<Winner>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) worker: WorkerId,
    pub(super) since_ms: u64,
    /// When its lease is over. None: it was given up, and wins all the same if it completes before
    /// another. Never none of a probe.
    pub(super) until_ms: Option<u64>,
    /// How many records it skips.
    pub(super) skipped: u32,
    /// What it tries, if it is a probe: it never wins.
    pub(super) probe: Option<Range>,
    pub(super) progress: Progress,
}

#[derive(Clone, Debug)]
pub(super) struct Winner {
    pub(super) attempt: u32,
    pub(super) worker: WorkerId,
    pub(super) took_ms: u64,
    pub(super) skipped: u32,
    pub(super) bytes: u64,
    /// Of a map task: a bit for each partition that it has something for.
    pub(super) partitions: Box<[u8]>,
    /// Places of counters in the job, and their values.
    pub(super) counters: Box<[(u16, u64)]>,
}

/// What is known of records that are poisonous, or may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Attempts in a row that ended without saying where.
    pub(super) deaths: u32,
    /// The furthest record that one of them had in hand.
    pub(super) at: u64,
    /// A record that an attempt failed at once.
    pub(super) suspect: Option<u64>,
    /// Where the record must be that is looked for. Not empty.
    pub(super) range: Option<Range>,
    /// Records that are skipped, ascending.
    pub(super) skip: Vec<u64>,
}

/// What an attempt's end tells of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, or nothing yet.
    Unknown,
    /// This one is poisonous.
    Poisonous(u64),
}

impl Default for State {
    fn default() -> Self {
        Self::Open(Vec::new())
    }
}

impl Winner {
    pub(super) fn has(&self, partition: u32) -> bool {
        let byte = self.partitions.get(partition as usize / 8);
        byte.is_some_and(|byte| byte >> (partition % 8) & 1 == 1)
    }
}

impl Attempt {
    pub(super) fn is_live(&self) -> bool {
        self.until_ms.is_some()
    }
}

impl Task {
    pub(super) fn winner(&self) -> Option<&Arc<Winner>> {
        match &self.state {
            State::Completed(winner) => Some(winner),
            State::Open(_) => None,
        }
    }

    pub(super) fn attempts(&self) -> &[Attempt] {
        match &self.state {
            State::Open(attempts) => attempts,
            State::Completed(_) => &[],
        }
    }

    pub(super) fn attempts_mut(&mut self) -> &mut [Attempt] {
        match &mut self.state {
            State::Open(attempts) => attempts,
            State::Completed(_) => &mut [],
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts().iter().filter(|attempt| attempt.is_live())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.winner().is_none() && self.live().next().is_none()
    }

    /// Begins an attempt, which is a probe where a record is looked for.
    pub(super) fn begin(&mut self, worker: WorkerId, now_ms: u64, until_ms: u64) -> Attempt {
        let attempt = Attempt {
            number: self.given,
            worker,
            since_ms: now_ms,
            until_ms: Some(until_ms),
            skipped: self.skip().len() as u32,
            probe: self.trouble.as_ref().and_then(|trouble| trouble.probe()),
            progress: Progress::default(),
        };
        self.given += 1;
        if let State::Open(attempts) = &mut self.state {
            let ended = attempts.iter().filter(|it| !it.is_live()).count();
            let mut surplus = ended.saturating_sub(ENDED_MAX);
            attempts.retain(|it| {
                let is_kept = it.is_live() || surplus == 0;
                surplus -= usize::from(!is_kept);
                is_kept
            });
            attempts.push(attempt);
        }
        attempt
    }

    /// Ends a live attempt, which can still win unless it is a probe.
    pub(super) fn give_up(&mut self, number: u32) {
        let attempts = self.attempts_mut();
        let found = attempts.iter_mut().find(|it| it.number == number);
        if let Some(attempt) = found {
            if attempt.probe.is_some() {
                self.remove(number);
            } else {
                attempt.until_ms = None;
            }
        }
    }

    /// Ends an attempt for good.
    pub(super) fn remove(&mut self, number: u32) {
        if let State::Open(attempts) = &mut self.state {
            attempts.retain(|it| it.number != number);
        }
    }

    pub(super) fn skip(&self) -> &[u64] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.skip)
    }

    pub(super) fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

impl Trouble {
    /// What the next attempt is to try.
    fn probe(&self) -> Option<Range> {
        let Range { start, end } = self.range?;
        let half = start + (end - start).div_ceil(2);
        Some(Range { start, end: half })
    }

    /// A record failed an attempt.
    pub(super) fn strike(&mut self, offset: u64) -> Verdict {
        if self.suspect.replace(offset) == Some(offset) {
            return Verdict::Poisonous(offset);
        }
        if let Some(range) = &mut self.range
            && (range.start..range.end).contains(&offset)
        {
            *range = one(offset);
        }
        Verdict::Unknown
    }

    /// An attempt at the whole of a task has died, or fell silent, with a record in hand. `split` is
    /// none where nothing can be looked for. That begins when half of the attempts that may fail have.
    pub(super) fn died(&mut self, progress: Progress, split: Option<Range>, attempts_max: u32) {
        self.deaths += 1;
        let Some(split) = split else { return };
        if (split.start..split.end).contains(&progress.at) {
            self.at = self.at.max(progress.at);
        }
        let start = split.start.max(self.at);
        let enough = DEATHS_MIN.max(attempts_max / 2);
        if self.deaths >= enough && self.range.is_none() && start < split.end {
            let end = split.end;
            self.suspect = None;
            self.range = Some(Range { start, end });
        }
    }

    /// A probe has died, or fell silent, with a record in hand.
    pub(super) fn probe_died(&mut self, probe: Range, progress: Progress) -> Verdict {
        let Some(range) = &mut self.range else {
            return Verdict::Unknown;
        };
        let is_in = |at| (range.start..range.end.min(probe.end)).contains(&at);
        let said = is_in(progress.at) && progress.next > progress.at;
        range.end = range.end.min(probe.end).max(range.start + 1);
        if said {
            range.start = progress.at;
        }
        let Range { start, end } = *range;
        if end - start > 1 && !(said && progress.next >= end) {
            return Verdict::Unknown;
        }
        *range = one(start);
        self.strike(start)
    }

    /// A probe has ended well.
    pub(super) fn probe_passed(&mut self, probe: Range) {
        let left = self.range.and_then(|range| {
            let start = range.start.max(probe.end);
            let end = range.end;
            (start < end).then_some(Range { start, end })
        });
        self.range = left;
        if left.is_none() {
            // Workers died of something else.
            self.calm();
        }
    }

    /// A record is poisonous, and is skipped from now on.
    pub(super) fn skip(&mut self, offset: u64) {
        if let Err(place) = self.skip.binary_search(&offset) {
            self.skip.insert(place, offset);
        }
        self.calm();
    }

    /// Nothing is suspected.
    pub(super) fn calm(&mut self) {
        let skip = core::mem::take(&mut self.skip);
        *self = Self {
            skip,
            ..Self::default()
        };
    }
}

/// The record that begins here.
fn one(offset: u64) -> Range {
    Range {
        start: offset,
        end: offset.saturating_add(1),
    }
}

impl AttemptId {
    pub(super) fn new(task: TaskId, attempt: u32) -> Self {
        Self { task, attempt }
    }
}
