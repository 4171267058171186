//! A job: its tasks are given out, and come back.

mod blame;
mod give;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::blocks::Blocks;
use super::history::{Event, History, What};
use super::table::Table;
use super::task::{Attempt, State, Task, Winner};
use super::{
    AT_WORK_MAX, AtWork, AttemptId, COUNTERS_MAX, CoordinatorError, Input, JobFailure, JobId, Kind,
    Outcome, Phase, Progress, Reply, Result, SPLITS_MAX, Spec, Split, Status, Summary, Tally,
    TaskId, WorkerId,
};

pub(super) use blame::End;
pub(super) use give::WAIT_MS_MAX;

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) spec: Spec,
    pub(super) phase: Phase,
    pub(super) submitted_ms: u64,
    pub(super) started_ms: Option<u64>,
    pub(super) over_ms: Option<u64>,
    pub(super) failure: Option<Box<JobFailure>>,
    pub(super) maps: Tally,
    pub(super) reduces: Tally,
    pub(super) input: Input,
    /// Sums of what winners counted, in the order in which the names came.
    pub(super) counters: Vec<(String, u64)>,
    /// Records that winners skipped.
    pub(super) skipped: u64,
    /// Records that are poisonous.
    pub(super) poisonous: u32,
    pub(super) history: History,
    /// Of a completed job: the attempt that won each partition, and what it stored.
    pub(super) outputs: Vec<(u32, u64)>,
    // What follows is empty once the job is over.
    pub(super) splits: Blocks<Split>,
    pub(super) tables: [Table; 3],
    /// Live attempts by the end of their lease,
    pub(super) leases: BTreeSet<(u64, AttemptId)>,
    /// and by worker.
    pub(super) held: BTreeSet<(WorkerId, AttemptId)>,
}

/// What a worker says of an attempt is about one of these.
enum Claim {
    /// The job is over.
    Over,
    /// The task is completed.
    Completed(Arc<Winner>),
    /// The attempt was begun, and is not known any more.
    Forgotten,
    /// It can win, or be renewed.
    Known(Attempt),
}

impl Job {
    pub(super) fn new(id: JobId, spec: Spec, now_ms: u64) -> Self {
        let partitions = spec.partitions;
        let mut job = Self {
            id,
            spec,
            phase: Phase::Waiting,
            submitted_ms: now_ms,
            started_ms: None,
            over_ms: None,
            failure: None,
            maps: Tally::default(),
            reduces: Tally {
                total: partitions,
                ..Tally::default()
            },
            input: Input::default(),
            counters: Vec::new(),
            skipped: 0,
            poisonous: 0,
            history: History::default(),
            outputs: Vec::new(),
            splits: Blocks::default(),
            tables: Default::default(),
            leases: BTreeSet::new(),
            held: BTreeSet::new(),
        };
        job.history.push(Event::phase(now_ms, job.phase));
        job
    }

    /// Adds splits, of which at most `room` may be new.
    pub(super) fn add_splits(&mut self, first: u32, splits: &[Split], room: usize) -> Result {
        let job = self.id;
        if self.phase.is_over() {
            return Err(CoordinatorError::JobOver { job });
        }
        let known = self.splits.len();
        if first as usize > known {
            return Err(CoordinatorError::BadSplit { index: first });
        }
        for (index, split) in (first..).zip(splits) {
            let there = self.splits.get(index as usize);
            if there.is_some_and(|there| there != split) || split.start > split.end {
                return Err(CoordinatorError::BadSplit { index });
            }
        }
        let new = splits.get(known.saturating_sub(first as usize)..);
        let new = new.unwrap_or_default();
        if !new.is_empty() && self.phase != Phase::Waiting {
            return Err(CoordinatorError::JobStarted { job });
        }
        if known + new.len() > SPLITS_MAX || new.len() > room {
            return Err(CoordinatorError::TooManySplits);
        }
        for split in new {
            self.splits.push(*split);
            self.input.bytes = self.input.bytes.wrapping_add(split.bytes());
        }
        self.maps.total = self.splits.len() as u32;
        let count = self.maps.total;
        Ok(Reply::Splits { count })
    }

    pub(super) fn start(&mut self, now_ms: u64) -> Reply {
        if self.phase == Phase::Waiting {
            self.started_ms = Some(now_ms);
            let sizes = [self.maps.total, self.spec.partitions, 1];
            self.tables = sizes.map(|size| (0..size).map(|_| Task::default()).collect());
            self.advance(now_ms);
        }
        self.told()
    }

    pub(super) fn cancel(&mut self, now_ms: u64) -> Reply {
        if !self.phase.is_over() {
            self.end(now_ms, Phase::Cancelled);
        }
        self.told()
    }

    pub(super) fn told(&self) -> Reply {
        Reply::Phase { phase: self.phase }
    }

    pub(super) fn renew(
        &mut self,
        now_ms: u64,
        worker: WorkerId,
        id: AttemptId,
        progress: Progress,
    ) -> Result {
        match self.claim(worker, id)? {
            Claim::Over => Ok(Reply::Over { phase: self.phase }),
            Claim::Forgotten => Ok(Reply::Stop { winner: None }),
            Claim::Completed(winner) if winner.attempt == id.attempt => Ok(Reply::Won),
            Claim::Completed(winner) => Ok(Reply::Stop {
                winner: Some(winner.attempt),
            }),
            Claim::Known(_) if !self.is_needed(id.task.kind) => Ok(Reply::Stop { winner: None }),
            Claim::Known(known) => {
                // Also where it was given up: it lives, and may be the first to be done.
                if let Some(until_ms) = known.until_ms {
                    self.leases.remove(&(until_ms, id));
                }
                let until_ms = now_ms.saturating_add(self.spec.lease_ms);
                self.leases.insert((until_ms, id));
                self.held.insert((worker, id));
                let attempts = self.task_mut(id.task).attempts_mut();
                if let Some(attempt) = attempts.iter_mut().find(|it| it.number == id.attempt) {
                    attempt.until_ms = Some(until_ms);
                    attempt.progress = progress;
                }
                self.table_mut(id.task.kind).note_idle(id.task.index);
                let lease_ms = self.spec.lease_ms;
                Ok(Reply::Continue { lease_ms })
            }
        }
    }

    pub(super) fn complete(
        &mut self,
        now_ms: u64,
        worker: WorkerId,
        id: AttemptId,
        outcome: Outcome,
    ) -> Result {
        let attempt = match self.claim(worker, id)? {
            Claim::Over => return Ok(Reply::Over { phase: self.phase }),
            Claim::Forgotten => return Ok(Reply::Stop { winner: None }),
            Claim::Completed(winner) if winner.attempt == id.attempt => return Ok(Reply::Won),
            Claim::Completed(winner) => {
                let winner = winner.attempt;
                return Ok(Reply::Lost { winner });
            }
            Claim::Known(attempt) => attempt,
        };
        if let Some(probe) = attempt.probe {
            self.give_up(id);
            self.task_mut(id.task).trouble().probe_passed(probe);
            self.note(now_ms, What::Probed, id, worker, 0);
            return Ok(Reply::Probed);
        }
        let expected = match id.task.kind {
            Kind::Map => self.spec.partitions as usize,
            Kind::Reduce | Kind::Publish => 1,
        };
        if outcome.sizes.len() != expected {
            return Err(CoordinatorError::BadOutcome);
        }
        let counters = self.place_counters(outcome.counters)?;
        let sizes = &outcome.sizes;
        let winner = Winner {
            attempt: id.attempt,
            worker,
            took_ms: now_ms.saturating_sub(attempt.since_ms),
            skipped: attempt.skipped,
            bytes: sizes.iter().fold(0, |sum, size| sum.wrapping_add(*size)),
            partitions: match id.task.kind {
                Kind::Map => bits(sizes),
                Kind::Reduce | Kind::Publish => Box::default(),
            },
            counters,
        };
        self.win(now_ms, id, winner);
        Ok(Reply::Won)
    }

    fn win(&mut self, now_ms: u64, id: AttemptId, winner: Winner) {
        let others: Vec<Attempt> = self.task(id.task).live().copied().collect();
        self.note(now_ms, What::Won, id, winner.worker, winner.bytes);
        for other in others {
            let other_id = AttemptId::new(id.task, other.number);
            self.give_up(other_id);
            if other.number != id.attempt {
                let detail = id.attempt.into();
                self.note(now_ms, What::Beaten, other_id, other.worker, detail);
            }
        }
        self.count(&winner, id.task, u64::wrapping_add);
        let took_ms = winner.took_ms;
        let task = self.task_mut(id.task);
        task.state = State::Completed(Arc::new(winner));
        if let Some(trouble) = &mut task.trouble {
            trouble.calm();
        }
        let table = self.table_mut(id.task.kind);
        table.note_idle(id.task.index);
        table.note_completed(took_ms);
        self.advance(now_ms);
    }

    /// Adds what a winner counted, or takes it back.
    fn count(&mut self, winner: &Winner, task: TaskId, add: fn(u64, u64) -> u64) {
        let completed = match task.kind {
            Kind::Map => {
                let split = self.splits.get(task.index as usize);
                self.input.read = add(self.input.read, split.map_or(0, |it| it.bytes()));
                Some(&mut self.maps)
            }
            Kind::Reduce => Some(&mut self.reduces),
            Kind::Publish => None,
        };
        if let Some(tally) = completed {
            tally.completed = add(tally.completed.into(), 1) as u32;
            tally.bytes = add(tally.bytes, winner.bytes);
        }
        self.skipped = add(self.skipped, winner.skipped.into());
        for (place, value) in &winner.counters {
            if let Some((_, sum)) = self.counters.get_mut(usize::from(*place)) {
                *sum = add(*sum, *value);
            }
        }
    }

    /// The places of counters in the job, where new ones get one.
    fn place_counters(&mut self, counters: Vec<(String, u64)>) -> Result<Box<[(u16, u64)]>> {
        let place =
            |known: &[(String, u64)], name: &str| known.iter().position(|(known, _)| known == name);
        let is_new = |(name, _): &&(String, u64)| place(&self.counters, name).is_none();
        let new = counters.iter().filter(is_new).count();
        if self.counters.len() + new > COUNTERS_MAX {
            return Err(CoordinatorError::TooManyCounters);
        }
        let mut placed = Vec::with_capacity(counters.len());
        for (name, value) in counters {
            let at = place(&self.counters, &name).unwrap_or(self.counters.len());
            if at == self.counters.len() {
                self.counters.push((name, 0));
            }
            placed.push((at as u16, value));
        }
        Ok(placed.into())
    }

    /// What `worker` means by the attempt.
    fn claim(&self, worker: WorkerId, id: AttemptId) -> Result<Claim> {
        let (index, attempt) = (id.task.index, id.attempt);
        if self.phase.is_over() {
            return Ok(Claim::Over);
        }
        if self.phase == Phase::Waiting {
            return Err(CoordinatorError::NotStarted { job: self.id });
        }
        let task = self.table(id.task.kind).get(index);
        let task = task.ok_or(CoordinatorError::UnknownTask { index })?;
        if attempt >= task.given {
            return Err(CoordinatorError::UnknownAttempt { attempt });
        }
        let unless_other = |owner: WorkerId, claim| match owner == worker {
            true => Ok(claim),
            false => Err(CoordinatorError::UnknownAttempt { attempt }),
        };
        if let Some(winner) = task.winner() {
            let claim = Claim::Completed(winner.clone());
            return match winner.attempt == attempt {
                true => unless_other(winner.worker, claim),
                false => Ok(claim),
            };
        }
        match task.attempts().iter().find(|it| it.number == attempt) {
            Some(known) => unless_other(known.worker, Claim::Known(*known)),
            None => Ok(Claim::Forgotten),
        }
    }

    /// Whether tasks of this kind are still of use: runs are not, once all is reduced.
    fn is_needed(&self, kind: Kind) -> bool {
        self.phase != Phase::Publishing || kind == Kind::Publish
    }

    /// Goes on to the phase that the tasks are in.
    fn advance(&mut self, now_ms: u64) {
        let [maps, reduces, publish] = &self.tables;
        let phase = if publish.is_done() {
            Phase::Completed
        } else if reduces.is_done() {
            Phase::Publishing
        } else if maps.is_done() {
            Phase::Reducing
        } else {
            Phase::Mapping
        };
        if phase == Phase::Completed {
            self.end(now_ms, phase);
        } else if phase != self.phase {
            self.phase = phase;
            self.history.push(Event::phase(now_ms, phase));
        }
    }

    /// The job is over, and its tasks with it.
    pub(super) fn end(&mut self, now_ms: u64, phase: Phase) {
        self.outputs = match phase {
            Phase::Completed => self.outputs(),
            _ => Vec::new(),
        };
        self.phase = phase;
        self.over_ms = Some(now_ms);
        self.splits = Blocks::default();
        self.tables = Default::default();
        self.leases.clear();
        self.held.clear();
        self.history.push(Event::phase(now_ms, phase));
    }

    /// The attempts that won the partitions, and what they stored; none while not all are completed.
    pub(super) fn outputs(&self) -> Vec<(u32, u64)> {
        match self.phase {
            Phase::Publishing => {
                let winners = self.table(Kind::Reduce).iter();
                let winners = winners.filter_map(|(_, task)| task.winner());
                winners.map(|it| (it.attempt, it.bytes)).collect()
            }
            _ => self.outputs.clone(),
        }
    }

    /// An attempt is not live any more.
    fn give_up(&mut self, id: AttemptId) {
        let attempts = self.task(id.task).attempts();
        let Some(attempt) = attempts.iter().find(|it| it.number == id.attempt) else {
            return;
        };
        let (worker, until_ms) = (attempt.worker, attempt.until_ms);
        if let Some(until_ms) = until_ms {
            self.leases.remove(&(until_ms, id));
        }
        self.held.remove(&(worker, id));
        self.task_mut(id.task).give_up(id.attempt);
        self.table_mut(id.task.kind).note_idle(id.task.index);
    }

    fn note(&mut self, time_ms: u64, what: What, id: AttemptId, worker: WorkerId, detail: u64) {
        self.history.push(Event {
            time_ms,
            what,
            attempt: Some(id),
            worker,
            detail,
        });
    }

    pub(super) fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind as usize]
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Table {
        &mut self.tables[kind as usize]
    }

    fn task(&self, id: TaskId) -> &Task {
        let task = self.table(id.kind).get(id.index);
        task.expect("whoever names a task has looked whether there is one")
    }

    fn task_mut(&mut self, id: TaskId) -> &mut Task {
        let task = self.table_mut(id.kind).get_mut(id.index);
        task.expect("whoever names a task has looked whether there is one")
    }

    pub(super) fn due_ms(&self) -> Option<u64> {
        self.leases.first().map(|(until_ms, _)| *until_ms)
    }

    pub(super) fn status(&self, time_ms: u64) -> Status {
        let mut counters = self.counters.clone();
        counters.sort_unstable();
        let mut live: Vec<AttemptId> = self.leases.iter().map(|(_, id)| *id).collect();
        live.sort_unstable();
        let at_work = live.into_iter().take(AT_WORK_MAX);
        Status {
            phase: self.phase,
            time_ms,
            submitted_ms: self.submitted_ms,
            started_ms: self.started_ms,
            over_ms: self.over_ms,
            maps: self.maps,
            reduces: self.reduces,
            input: self.input,
            skipped: self.skipped,
            counters,
            at_work: at_work.filter_map(|id| self.at_work(id)).collect(),
            failure: self.failure.as_deref().cloned(),
            events: self.history.end(),
        }
    }

    fn at_work(&self, id: AttemptId) -> Option<AtWork> {
        let attempts = self.task(id.task).attempts();
        let attempt = attempts.iter().find(|it| it.number == id.attempt)?;
        Some(AtWork {
            attempt: id,
            worker: attempt.worker,
            since_ms: attempt.since_ms,
            until_ms: attempt.until_ms?,
            is_probe: attempt.probe.is_some(),
            progress: attempt.progress,
        })
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            job: self.id,
            phase: self.phase,
            maps: self.maps,
            reduces: self.reduces,
        }
    }
}

/// A bit for each size that is not 0.
fn bits(sizes: &[u64]) -> Box<[u8]> {
    let byte = |sizes: &[u64]| {
        let bits = sizes.iter().zip(0..).filter(|(size, _)| **size > 0);
        bits.fold(0, |byte, (_, bit)| byte | 1 << bit)
    };
    sizes.chunks(8).map(byte).collect()
}
