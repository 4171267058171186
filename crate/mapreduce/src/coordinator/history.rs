//! What happened in a job, event by event.

use quorate_rsm::wire::{Reader, Writer};

use super::blocks::Blocks;
use super::spec::{put_option, take_option, take_worker};
use super::{AttemptId, Phase, WorkerId};

/// So many of the last events of a job can be asked for.
pub const HISTORY_MAX: u64 = 10_000;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in log time.
    pub time_ms: u64,
    /// What.
    pub what: What,
    /// To which attempt.
    pub attempt: Option<AttemptId>,
    /// By whose worker, or who said it; 0 where nobody did.
    pub worker: WorkerId,
    /// What [`What`] says of it.
    pub detail: u64,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The job is in another phase. Detail: which, as a number.
    Phase,
    /// A worker took up an attempt.
    Given,
    /// A worker took up a second attempt, beside a slow one.
    Backup,
    /// A worker took up a search for a poisonous record. Detail: the offset at which it begins.
    Probe,
    /// The attempt won. Detail: bytes stored.
    Won,
    /// Another attempt at the task has won while this one was under way. Detail: which.
    Beaten,
    /// The search ended well: nothing there is poisonous.
    Probed,
    /// Nothing was heard of the attempt in time.
    Expired,
    /// The worker died on the attempt, or came for another.
    Died,
    /// The worker left, or gave the attempt up without blame.
    Left,
    /// The attempt failed. Detail: 1 + the offset of the record, or 0.
    Failed,
    /// A record is poisonous: later attempts skip it. Detail: its offset.
    Skipped,
    /// What the attempt won with is gone, the worker says.
    Gone,
}

impl What {
    const ALL: [Self; 13] = [
        Self::Phase,
        Self::Given,
        Self::Backup,
        Self::Probe,
        Self::Won,
        Self::Beaten,
        Self::Probed,
        Self::Expired,
        Self::Died,
        Self::Left,
        Self::Failed,
        Self::Skipped,
        Self::Gone,
    ];
}

impl Event {
    pub(super) fn phase(time_ms: u64, phase: Phase) -> Self {
        Self {
            time_ms,
            what: What::Phase,
            attempt: None,
            worker: WorkerId(0),
            detail: phase as u64,
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.time_ms);
        writer.byte(self.what as u8);
        put_option(writer, self.attempt, |writer, attempt| {
            attempt.encode(writer);
        });
        writer.number(self.worker.0);
        writer.number(self.detail);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let (time_ms, what) = (reader.number(), reader.byte());
        let what = What::ALL.get(usize::from(what)).copied();
        Self {
            time_ms,
            what: what.unwrap_or_else(|| {
                reader.refuse("no event of a job");
                What::Phase
            }),
            attempt: take_option(reader, AttemptId::decode),
            worker: take_worker(reader),
            detail: reader.number(),
        }
    }
}

/// The last events of a job. What is older goes in blocks: between [`HISTORY_MAX`] and one block more
/// are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The position of the first that is kept.
    first: u64,
    events: Blocks<Event>,
}

impl History {
    /// How many there were in all.
    pub(super) fn end(&self) -> u64 {
        self.first + self.kept()
    }

    pub(super) fn kept(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push(event);
        while self.kept() >= HISTORY_MAX + Blocks::<Event>::SIZE as u64 {
            self.first += self.events.drop_block() as u64;
        }
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.first = self.end();
        self.events = Blocks::default();
    }

    /// Those from `after` on, at most `limit`, with the position of the first.
    pub(super) fn read(&self, after: u64, limit: usize) -> (u64, Vec<Event>) {
        let first = after.clamp(self.first, self.end());
        let events = self.events.from((first - self.first) as usize);
        (first, events.take(limit).copied().collect())
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.first);
        writer.number(self.kept());
        self.events.iter().for_each(|event| event.encode(writer));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let first = reader.number();
        let events: Blocks<Event> = reader.list(5, Event::decode).into_iter().collect();
        let history = Self { first, events };
        let is_short = history.kept() < HISTORY_MAX + Blocks::<Event>::SIZE as u64;
        if !is_short || first.checked_add(history.kept()).is_none() {
            reader.refuse("the history is too long");
        }
        history
    }
}
