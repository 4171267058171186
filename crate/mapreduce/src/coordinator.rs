//! The coordinator: a replicated state machine that gives out the tasks of jobs.
//!
//! A job is submitted with its splits, and started. Workers ask for tasks: a map task for each split, then
//! a reduce task for each partition, then one that publishes what those made. Who has a task has it
//! under a lease on log time. An attempt that is given up may still be the first to be done: of each
//! task exactly one attempt wins, the first that is admitted, and later tasks are told its number. So
//! it does not matter who ran what, when, or how often.
//!
//! What the coordinator does not do: it sees no record, and moves no data. It knows where a split
//! begins and ends, which attempts won, and how many bytes they stored.

mod blocks;
mod command;
mod error;
mod history;
mod job;
mod reply;
mod snapshot;
mod spec;
mod table;
mod task;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::{ApplyContext, StateMachine};

use job::{End, Job, WAIT_MS_MAX};

pub use command::{
    ATTEMPT_COUNTERS_MAX, Command, Failure, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, Outcome, Progress,
    Query,
};
pub use error::CoordinatorError;
pub use history::{Event, HISTORY_MAX, What};
pub use reply::{
    AtWork, Input, JobFailure, MapWork, Phase, PublishWork, ReduceWork, Reply, Status, Summary,
    Tally,
};
pub use snapshot::{CoordinatorRestore, CoordinatorSnapshot};
pub use spec::{
    ATTEMPTS_MAX, AttemptId, DESCRIPTION_BYTES_MAX, JobId, Kind, LEASE_MS_MAX, PARTITIONS_MAX,
    Range, SKIP_MAX, Spec, Split, TaskId, WorkerId,
};

/// Most jobs that are not over.
pub const JOBS_MAX: usize = 64;

/// So many of the last jobs that are over can be asked for.
pub const OVER_MAX: usize = 256;

/// So many events of jobs that are over are kept: those of the last ones.
pub const OVER_EVENTS_MAX: u64 = 100_000;

/// Most map tasks of a job,
pub const SPLITS_MAX: usize = 100_000;

/// and of all that are not over.
pub const SPLITS_TOTAL_MAX: usize = 400_000;

/// Most names of counters of a job.
pub const COUNTERS_MAX: usize = 256;

/// Most attempts that a status shows.
pub const AT_WORK_MAX: usize = 1_000;

/// Most events in an answer.
pub const EVENTS_MAX: u32 = 1_000;

/// The coordinator. Taking a snapshot copies a pointer for each job; a change beside it copies pointers of
/// the job's blocks of tasks, and one block.
#[derive(Clone, Debug, Default)]
pub struct Coordinator {
    /// Of the last job.
    submitted: u64,
    /// Log time of the last command that did not fail.
    time_ms: u64,
    running: BTreeMap<JobId, Arc<Job>>,
    /// In the order in which they ended.
    over: VecDeque<Arc<Job>>,
}

type Result<T = Reply> = core::result::Result<T, CoordinatorError>;

impl Coordinator {
    /// Executes a command at a log time.
    ///
    /// # Errors
    /// It cannot be done, and nothing changed.
    pub fn execute(&mut self, now_ms: u64, command: Command) -> Result {
        let reply = match command {
            Command::Submit { spec } => self.submit(now_ms, spec),
            Command::AddSplits { job, first, splits } => {
                let room = self.room();
                self.job(job)?.add_splits(first, &splits, room)
            }
            Command::Start { job } => Ok(self.job(job)?.start(now_ms)),
            Command::Cancel { job } => Ok(self.job(job)?.cancel(now_ms)),
            Command::Forget { job } => self.forget(job),
            Command::Ask { worker, job } => self.ask(now_ms, worker, job),
            Command::Renew {
                worker,
                job,
                attempt,
                progress,
            } => self.job(job)?.renew(now_ms, worker, attempt, progress),
            Command::Complete {
                worker,
                job,
                attempt,
                outcome,
            } => self.job(job)?.complete(now_ms, worker, attempt, outcome),
            Command::Fail {
                worker,
                job,
                attempt,
                failure,
            } => self.job(job)?.fail(now_ms, worker, attempt, failure),
            Command::Lost {
                worker,
                job,
                attempt,
            } => self.job(job)?.lose(now_ms, worker, attempt),
            Command::Left { worker, died } => {
                let end = if died { End::Died } else { End::Left };
                self.release(now_ms, worker, end, None);
                Ok(Reply::Done)
            }
        }?;
        self.time_ms = self.time_ms.max(now_ms);
        self.retire();
        Ok(reply)
    }

    fn submit(&mut self, now_ms: u64, spec: Spec) -> Result {
        if !spec.is_valid() {
            return Err(CoordinatorError::BadSpec);
        }
        if self.running.len() >= JOBS_MAX {
            return Err(CoordinatorError::TooManyJobs);
        }
        self.submitted += 1;
        let job = JobId(self.submitted);
        self.running
            .insert(job, Arc::new(Job::new(job, spec, now_ms)));
        Ok(Reply::Submitted { job })
    }

    /// How many splits there is still room for.
    fn room(&self) -> usize {
        let splits = self.running.values().map(|job| job.splits.len());
        SPLITS_TOTAL_MAX.saturating_sub(splits.sum())
    }

    fn forget(&mut self, job: JobId) -> Result {
        if self.running.contains_key(&job) {
            return Err(CoordinatorError::NotOver { job });
        }
        let place = self.over.iter().position(|it| it.id == job);
        let place = place.ok_or(CoordinatorError::UnknownJob { job })?;
        self.over.remove(place);
        Ok(Reply::Done)
    }

    fn ask(&mut self, now_ms: u64, worker: WorkerId, only: Option<JobId>) -> Result {
        if let Some(job) = only {
            let phase = self.find(job)?.phase;
            if phase.is_over() {
                return Ok(Reply::Over { phase });
            }
        }
        self.release(now_ms, worker, End::Died, only);
        let mut wait_ms = WAIT_MS_MAX;
        for (_, job) in self.chosen(only) {
            match Arc::make_mut(job).give(now_ms, worker) {
                Ok(work) => return Ok(work),
                Err(ms) => wait_ms = wait_ms.min(ms),
            }
        }
        // What the worker had may have ended the job.
        let over = only.map(|job| self.find(job)).transpose()?;
        match over.map(|job| job.phase).filter(|phase| phase.is_over()) {
            Some(phase) => Ok(Reply::Over { phase }),
            None => Ok(Reply::Wait { ms: wait_ms }),
        }
    }

    /// Ends what a worker has, of one job or of all.
    fn release(&mut self, now_ms: u64, worker: WorkerId, end: End, only: Option<JobId>) {
        for (_, job) in self.chosen(only) {
            if job.has(worker) {
                Arc::make_mut(job).release(now_ms, worker, end);
            }
        }
    }

    /// One job, or all, that are not over, the oldest first.
    fn chosen(&mut self, only: Option<JobId>) -> impl Iterator<Item = (&JobId, &mut Arc<Job>)> {
        let (first, last) = only.map_or((JobId(0), JobId(u64::MAX)), |job| (job, job));
        self.running.range_mut(first..=last)
    }

    fn find(&self, id: JobId) -> Result<&Job> {
        let over = || self.over.iter().find(|job| job.id == id);
        let job = self.running.get(&id).or_else(over);
        job.map(|job| &**job)
            .ok_or(CoordinatorError::UnknownJob { job: id })
    }

    /// A job, to be changed. One that is over is not.
    fn job(&mut self, id: JobId) -> Result<&mut Job> {
        let over = &mut self.over;
        let job = match self.running.get_mut(&id) {
            Some(job) => Some(job),
            None => over.iter_mut().find(|job| job.id == id),
        };
        job.map(Arc::make_mut)
            .ok_or(CoordinatorError::UnknownJob { job: id })
    }

    /// Puts away the jobs that are over by now, and forgets the oldest of those.
    fn retire(&mut self) {
        let retired = self.running.extract_if(.., |_, job| job.phase.is_over());
        let before = self.over.len();
        self.over.extend(retired.map(|(_, job)| job));
        if self.over.len() == before {
            return;
        }
        while self.over.len() > OVER_MAX {
            self.over.pop_front();
        }
        let mut events = 0;
        for job in self.over.iter_mut().rev() {
            events += job.history.kept();
            if events > OVER_EVENTS_MAX && job.history.kept() > 0 {
                events -= job.history.kept();
                Arc::make_mut(job).history.clear();
            }
        }
    }

    /// Answers a query.
    ///
    /// # Errors
    /// It cannot be answered.
    pub fn answer(&self, query: Query) -> Result {
        match query {
            Query::Status { job } => {
                let status = self.find(job)?.status(self.time_ms);
                Ok(Reply::Status(Box::new(status)))
            }
            Query::Jobs => {
                let jobs = self.running.values().chain(&self.over);
                let mut jobs: Vec<Summary> = jobs.map(|job| job.summary()).collect();
                jobs.sort_unstable_by_key(|summary| summary.job);
                Ok(Reply::Jobs(jobs))
            }
            Query::Events { job, after, limit } => {
                let history = &self.find(job)?.history;
                let limit = limit.min(EVENTS_MAX);
                let (first, events) = history.read(after, limit as usize);
                let end = history.end();
                Ok(Reply::Events { first, end, events })
            }
            Query::Spec { job } => Ok(Reply::Spec(self.find(job)?.spec.clone())),
            Query::Ready { job } => Ok(Reply::Ready(self.is_ready(job)?)),
            Query::Outputs { job } => Ok(Reply::Outputs(self.find(job)?.outputs())),
        }
    }

    /// Whether there is something to ask for: a task, or how a job ended.
    fn is_ready(&self, only: Option<JobId>) -> Result<bool> {
        let Some(id) = only else {
            return Ok(self.running.values().any(|job| job.is_ready()));
        };
        let job = self.find(id)?;
        Ok(job.is_ready() || job.phase.is_over())
    }

    /// Whether a query that waits has something to say.
    fn has_answer(&self, query: Query) -> bool {
        match query {
            Query::Status { .. } | Query::Jobs | Query::Spec { .. } | Query::Outputs { .. } => true,
            Query::Events { job, after, .. } => self
                .find(job)
                .map_or(true, |job| job.phase.is_over() || job.history.end() > after),
            Query::Ready { job } => self.is_ready(job).unwrap_or(true),
        }
    }
}

impl StateMachine for Coordinator {
    type Snapshot = CoordinatorSnapshot;
    type Restore = CoordinatorRestore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        let reply = Command::decode(command)
            .map_err(|_| CoordinatorError::Malformed)
            .and_then(|command| self.execute(context.time_ms, command));
        reply.unwrap_or_else(Reply::Failed).encode()
    }

    fn query(&self, query: &Bytes) -> Bytes {
        let reply = Query::decode(query)
            .map_err(|_| CoordinatorError::Malformed)
            .and_then(|query| self.answer(query));
        reply.unwrap_or_else(Reply::Failed).encode()
    }

    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        let waits = Query::decode(query).is_ok_and(|query| !self.has_answer(query));
        (!waits).then(|| self.query(query))
    }

    fn due_ms(&self) -> Option<u64> {
        let due = self.running.values().filter_map(|job| job.due_ms());
        due.min()
    }

    fn tick(&mut self, context: &ApplyContext) {
        let now_ms = context.time_ms;
        for job in self.running.values_mut() {
            if job.due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
                Arc::make_mut(job).expire(now_ms);
            }
        }
        self.time_ms = self.time_ms.max(now_ms);
        self.retire();
    }

    fn snapshot(&self) -> CoordinatorSnapshot {
        CoordinatorSnapshot::new(self.clone())
    }

    fn restore() -> CoordinatorRestore {
        CoordinatorRestore::default()
    }
}
