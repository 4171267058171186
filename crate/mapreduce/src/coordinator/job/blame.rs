//! An attempt ends badly: whose fault it was, and what that leads to.

use super::super::task::Verdict;
use super::super::{Failure, Range};
use super::*;

/// How an attempt that says nothing more has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum End {
    /// Nothing was heard of it in time.
    Expired,
    /// Its worker died on it, by all that is known.
    Died,
    /// Its worker went, or gave it up: that is nobody's fault.
    Left,
}

impl Job {
    /// Gives up the attempts of which nothing was heard.
    pub(in super::super) fn expire(&mut self, now_ms: u64) {
        while let Some((until_ms, id)) = self.leases.first().copied()
            && until_ms <= now_ms
        {
            self.abandon(now_ms, id, End::Expired);
        }
    }

    /// Ends all that a worker has.
    pub(in super::super) fn release(&mut self, now_ms: u64, worker: WorkerId, end: End) {
        let first = AttemptId::new(TaskId::map(0), 0);
        let last = AttemptId::new(TaskId::PUBLISH, u32::MAX);
        let held = self.held.range((worker, first)..=(worker, last));
        let held: Vec<AttemptId> = held.map(|(_, id)| *id).collect();
        for id in held {
            // An earlier one may have ended the job.
            if !self.phase.is_over() {
                self.abandon(now_ms, id, end);
            }
        }
    }

    pub(in super::super) fn has(&self, worker: WorkerId) -> bool {
        let first = AttemptId::new(TaskId::map(0), 0);
        let next = self.held.range((worker, first)..).next();
        next.is_some_and(|(holder, _)| *holder == worker)
    }

    fn abandon(&mut self, now_ms: u64, id: AttemptId, end: End) {
        let attempts = self.task(id.task).attempts();
        let attempt = attempts.iter().find(|it| it.number == id.attempt).copied();
        let attempt = attempt.expect("a live attempt is one of its task's");
        self.give_up(id);
        let (what, code, message) = match end {
            End::Left => return self.note(now_ms, What::Left, id, attempt.worker, 0),
            End::Expired => (
                What::Expired,
                "LEASE_EXPIRED",
                "nothing was heard of the worker in time",
            ),
            End::Died => (What::Died, "WORKER_DIED", "the worker died"),
        };
        self.note(now_ms, what, id, attempt.worker, 0);
        let split = (id.task.kind == Kind::Map).then(|| {
            let Split { start, end, .. } = self.split(id.task.index);
            Range { start, end }
        });
        let failure = Failure {
            offset: None,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        let blamed = JobFailure {
            attempt: id,
            worker: attempt.worker,
            failure,
        };
        let attempts_max = self.spec.attempts_max;
        let trouble = self.task_mut(id.task).trouble();
        match attempt.probe {
            Some(probe) => {
                let verdict = trouble.probe_died(probe, attempt.progress);
                self.judge(now_ms, verdict, blamed);
            }
            None => {
                trouble.died(attempt.progress, split, attempts_max);
                self.blame(now_ms, blamed);
            }
        }
    }

    /// A worker says that an attempt failed.
    pub(in super::super) fn fail(
        &mut self,
        now_ms: u64,
        worker: WorkerId,
        id: AttemptId,
        failure: Failure,
    ) -> Result {
        match self.claim(worker, id)? {
            Claim::Over | Claim::Completed(_) | Claim::Forgotten => return Ok(self.told()),
            Claim::Known(_) => {}
        }
        let offset = failure.offset.filter(|_| id.task.kind != Kind::Publish);
        self.give_up(id);
        self.task_mut(id.task).remove(id.attempt);
        let detail = offset.map_or(0, |offset| offset.saturating_add(1));
        self.note(now_ms, What::Failed, id, worker, detail);
        let blamed = JobFailure {
            attempt: id,
            worker,
            failure,
        };
        match offset {
            None => self.blame(now_ms, blamed),
            // It was begun before that was known.
            Some(offset) if self.task(id.task).skip().binary_search(&offset).is_ok() => {}
            Some(offset) => {
                let trouble = self.task_mut(id.task).trouble();
                match trouble.strike(offset) {
                    Verdict::Unknown => self.blame(now_ms, blamed),
                    verdict @ Verdict::Poisonous(_) => self.judge(now_ms, verdict, blamed),
                }
            }
        }
        Ok(self.told())
    }

    /// What an attempt won with is gone.
    pub(in super::super) fn lose(
        &mut self,
        now_ms: u64,
        worker: WorkerId,
        id: AttemptId,
    ) -> Result {
        let TaskId { kind, index } = id.task;
        if self.phase.is_over() {
            return Ok(self.told());
        }
        if self.phase == Phase::Waiting {
            return Err(CoordinatorError::NotStarted { job: self.id });
        }
        let task = self.table(kind).get(index);
        let task = task.filter(|_| kind != Kind::Publish);
        let task = task.ok_or(CoordinatorError::UnknownTask { index })?;
        if id.attempt >= task.given {
            let attempt = id.attempt;
            return Err(CoordinatorError::UnknownAttempt { attempt });
        }
        let winner = task.winner().filter(|it| it.attempt == id.attempt);
        let winner = winner.cloned().filter(|_| self.is_lost(kind));
        // What it was at cannot go on as it is.
        self.release(now_ms, worker, End::Left);
        let Some(winner) = winner else {
            return Ok(self.told());
        };
        self.count(&winner, id.task, u64::wrapping_sub);
        self.task_mut(id.task).state = State::default();
        let table = self.table_mut(kind);
        table.note_lost(winner.took_ms);
        table.note_idle(index);
        self.note(now_ms, What::Gone, id, worker, 0);
        self.advance(now_ms);
        let failure = Failure {
            offset: None,
            code: "OUTPUT_LOST".to_owned(),
            message: "what the attempt stored cannot be read".to_owned(),
        };
        let blamed = JobFailure {
            attempt: id,
            worker: winner.worker,
            failure,
        };
        self.blame(now_ms, blamed);
        Ok(self.told())
    }

    /// Whether it matters that files of such tasks are gone: runs until all is reduced.
    fn is_lost(&self, kind: Kind) -> bool {
        kind == Kind::Reduce || self.phase != Phase::Publishing
    }

    /// What follows if a record is poisonous: it is skipped, or the job fails.
    fn judge(&mut self, now_ms: u64, verdict: Verdict, mut blamed: JobFailure) {
        let Verdict::Poisonous(offset) = verdict else {
            return;
        };
        blamed.failure.offset = Some(offset);
        if self.poisonous >= self.spec.skip_max {
            return self.fall(now_ms, blamed);
        }
        self.poisonous += 1;
        let JobFailure {
            attempt, worker, ..
        } = blamed;
        self.note(now_ms, What::Skipped, attempt, worker, offset);
        let task = self.task_mut(attempt.task);
        task.trouble().skip(offset);
        task.failures = 0;
    }

    /// An attempt has failed: with the last one that may, so has the job.
    fn blame(&mut self, now_ms: u64, blamed: JobFailure) {
        let attempts_max = self.spec.attempts_max;
        let TaskId { kind, .. } = blamed.attempt.task;
        let is_needed = self.is_needed(kind);
        let task = self.task_mut(blamed.attempt.task);
        task.failures += 1;
        if task.failures >= attempts_max && is_needed {
            self.fall(now_ms, blamed);
        }
    }

    fn fall(&mut self, now_ms: u64, blamed: JobFailure) {
        self.failure = Some(Box::new(blamed));
        self.end(now_ms, Phase::Failed);
    }
}
