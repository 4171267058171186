//! A worker asks for a task.

use super::super::{MapWork, PublishWork, ReduceWork};
use super::*;

/// A worker is told to wait for so long at least, in milliseconds,
const WAIT_MS_MIN: u64 = 10;
/// and at most.
pub(in super::super) const WAIT_MS_MAX: u64 = 1_000;

impl Job {
    /// Whether there is a task that nobody carries out.
    pub(in super::super) fn is_ready(&self) -> bool {
        let kind = kind_of(self.phase);
        kind.is_some_and(|kind| self.table(kind).has_idle())
    }

    /// Gives out a task: one that is idle, those first that were begun before; else, where most are done,
    /// a slow one once more.
    ///
    /// # Errors
    /// There is none, for so many milliseconds.
    pub(in super::super) fn give(
        &mut self,
        now_ms: u64,
        worker: WorkerId,
    ) -> core::result::Result<Reply, u64> {
        let kind = kind_of(self.phase).ok_or(WAIT_MS_MAX)?;
        if let Some(index) = self.table_mut(kind).next_idle() {
            let task = TaskId { kind, index };
            return Ok(self.begin(now_ms, worker, task, What::Given));
        }
        let (slow_ms, task) = self.slowest(kind, worker).ok_or(WAIT_MS_MAX)?;
        if slow_ms >= now_ms {
            return Err((slow_ms - now_ms + 1).clamp(WAIT_MS_MIN, WAIT_MS_MAX));
        }
        Ok(self.begin(now_ms, worker, task, What::Backup))
    }

    /// The task that has been under way longest, by one attempt, and until when that is not too long.
    fn slowest(&self, kind: Kind, worker: WorkerId) -> Option<(u64, TaskId)> {
        if !self.spec.backup || kind == Kind::Publish {
            return None;
        }
        let slow_ms = self.table(kind).slow_ms()?;
        let live = self.leases.iter().filter(|(_, id)| id.task.kind == kind);
        let since = live.filter_map(|(_, id)| {
            let mut live = self.task(id.task).live();
            let (attempt, other) = (live.next()?, live.next());
            let is_alone = other.is_none() && attempt.probe.is_none();
            let is_slow = is_alone && attempt.worker != worker;
            is_slow.then_some((attempt.since_ms, id.task))
        });
        let (since_ms, task) = since.min()?;
        Some((since_ms.saturating_add(slow_ms), task))
    }

    fn begin(&mut self, now_ms: u64, worker: WorkerId, task: TaskId, what: What) -> Reply {
        let until_ms = now_ms.saturating_add(self.spec.lease_ms);
        let attempt = self.task_mut(task).begin(worker, now_ms, until_ms);
        let id = AttemptId::new(task, attempt.number);
        self.leases.insert((until_ms, id));
        self.held.insert((worker, id));
        match attempt.probe {
            Some(probe) => self.note(now_ms, What::Probe, id, worker, probe.start),
            None => self.note(now_ms, what, id, worker, 0),
        }
        self.work(id, attempt)
    }

    /// What is to be done for an attempt.
    fn work(&self, id: AttemptId, attempt: Attempt) -> Reply {
        let (job, lease_ms) = (self.id, self.spec.lease_ms);
        let skip = self.task(id.task).skip().to_vec();
        match id.task.kind {
            Kind::Map => Reply::Map(MapWork {
                job,
                attempt: id,
                split: self.split(id.task.index),
                probe: attempt.probe,
                skip,
                lease_ms,
            }),
            Kind::Reduce => {
                let maps = self.table(Kind::Map).iter();
                let winners = maps.filter_map(|(index, task)| Some((index, task.winner()?)));
                let has = winners.filter(|(_, winner)| winner.has(id.task.index));
                Reply::Reduce(ReduceWork {
                    job,
                    attempt: id,
                    maps: has.map(|(index, winner)| (index, winner.attempt)).collect(),
                    skip,
                    lease_ms,
                })
            }
            Kind::Publish => {
                let reduces = self.table(Kind::Reduce).iter();
                let winners = reduces.filter_map(|(_, task)| task.winner());
                Reply::Publish(PublishWork {
                    job,
                    attempt: id,
                    outputs: winners.map(|winner| winner.attempt).collect(),
                    lease_ms,
                })
            }
        }
    }

    pub(super) fn split(&self, index: u32) -> Split {
        let split = self.splits.get(index as usize);
        *split.expect("each map task has a split")
    }
}

/// What is carried out in a phase.
fn kind_of(phase: Phase) -> Option<Kind> {
    match phase {
        Phase::Mapping => Some(Kind::Map),
        Phase::Reducing => Some(Kind::Reduce),
        Phase::Publishing => Some(Kind::Publish),
        Phase::Waiting | Phase::Completed | Phase::Failed | Phase::Cancelled => None,
    }
}
