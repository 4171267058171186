//! A worker of the scene: it asks for a task, makes a plan of what it will do when, and follows it.

use std::collections::VecDeque;

use quorate_mapreduce::coordinator::{
    AttemptId, Command, Outcome, Progress, Reply, TaskId, WorkerId,
};

use super::text::{self, Words};
use super::{JobScene, LEASE_MS, LINES, PARTITIONS, Wake};
use crate::checker::Violation;
use crate::film::board::WorkerBoard;
use crate::streams::between;

/// A task takes so many milliseconds, from and to; one that is slow ten times as long.
const TASK_MS: [u64; 2] = [300, 700];
const SLOW: u64 = 10;

/// One worker.
pub(super) struct Worker {
    id: u64,
    state: State,
    is_slow: bool,
    /// What it is at.
    attempt: Option<AttemptId>,
    plan: VecDeque<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Working,
    Dead,
    Home,
}

/// Something that is done so many milliseconds after what was before it.
struct Step {
    after_ms: u64,
    what: What,
}

enum What {
    Renew(u64),
    Complete(Vec<Words>),
    Publish(Words),
}

impl Worker {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            state: State::Waiting,
            is_slow: false,
            attempt: None,
            plan: VecDeque::new(),
        }
    }

    /// Whether it may still do something.
    pub(super) fn lives(&self) -> bool {
        matches!(self.state, State::Waiting | State::Working)
    }

    pub(super) fn die(&mut self) {
        self.state = State::Dead;
        self.plan.clear();
    }

    pub(super) fn tire(&mut self) {
        self.is_slow = true;
    }

    pub(super) fn board(&self) -> WorkerBoard {
        WorkerBoard {
            id: self.id,
            state: match self.state {
                State::Waiting => "waiting",
                State::Working => "working",
                State::Dead => "dead",
                State::Home => "home",
            },
            slow: self.is_slow,
        }
    }
}

/// A task that takes so long, heard of now and then, and what ends it.
fn plan(ms: u64, end: What) -> VecDeque<Step> {
    let signs = ms / (LEASE_MS / 3);
    let renew = (1..=signs).map(|sign| Step {
        after_ms: LEASE_MS / 3,
        what: What::Renew(sign),
    });
    let rest = Step {
        after_ms: ms - signs * (LEASE_MS / 3),
        what: end,
    };
    renew.chain([rest]).collect()
}

impl JobScene {
    /// Lets a worker do what it is time for.
    pub(super) fn work(&mut self, id: u64) -> Result<(), Violation> {
        let (Some(job), Some(worker)) = (self.job, self.workers.get_mut(&id)) else {
            return Ok(());
        };
        if !worker.lives() {
            return Ok(());
        }
        let name = WorkerId(id);
        let (Some(step), Some(attempt)) = (worker.plan.pop_front(), worker.attempt) else {
            worker.state = State::Waiting;
            let ask = Command::Ask {
                worker: name,
                job: Some(job),
            };
            return self.order(id, &ask);
        };
        match step.what {
            What::Renew(records) => {
                let progress = Progress {
                    records,
                    ..Progress::default()
                };
                self.order(
                    id,
                    &Command::Renew {
                        worker: name,
                        job,
                        attempt,
                        progress,
                    },
                )
            }
            What::Complete(words) => {
                let sizes = words.iter().map(|part| part.len() as u64).collect();
                self.stored.insert(attempt, words);
                self.complete(id, attempt, sizes)
            }
            What::Publish(words) => {
                self.published = words;
                self.complete(id, attempt, vec![1])
            }
        }
    }

    fn complete(&mut self, id: u64, attempt: AttemptId, sizes: Vec<u64>) -> Result<(), Violation> {
        let Some(job) = self.job else { return Ok(()) };
        let outcome = Outcome {
            sizes,
            counters: Vec::new(),
        };
        self.order(
            id,
            &Command::Complete {
                worker: WorkerId(id),
                job,
                attempt,
                outcome,
            },
        )
    }

    /// A worker was answered.
    pub(super) fn told(&mut self, id: u64, reply: Reply) -> Result<(), Violation> {
        let begins = match reply {
            Reply::Map(work) => {
                let line = LINES[work.split.source as usize];
                let words = text::map(line, PARTITIONS);
                Some((work.attempt, What::Complete(words)))
            }
            Reply::Reduce(work) => {
                let mut sum = Words::new();
                for (index, attempt) in work.maps {
                    let task = TaskId::map(index);
                    let parts = self.found(AttemptId { task, attempt })?;
                    text::add(&mut sum, &parts[work.attempt.task.index as usize]);
                }
                Some((work.attempt, What::Complete(vec![sum])))
            }
            Reply::Publish(work) => {
                let mut all = Words::new();
                for (index, attempt) in (0..).zip(work.outputs) {
                    let task = TaskId::reduce(index);
                    let parts = self.found(AttemptId { task, attempt })?;
                    parts.iter().for_each(|part| text::add(&mut all, part));
                }
                Some((work.attempt, What::Publish(all)))
            }
            Reply::Wait { ms } => {
                self.rest(id, ms);
                None
            }
            Reply::Over { .. } => {
                if let Some(worker) = self.workers.get_mut(&id).filter(|it| it.lives()) {
                    worker.state = State::Home;
                }
                None
            }
            // It goes on, or is done with this attempt.
            Reply::Continue { .. } => {
                self.go_on(id);
                None
            }
            _ => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.plan.clear();
                }
                self.rest(id, 0);
                None
            }
        };
        if let Some((attempt, end)) = begins {
            let ms = between(&mut self.random, TASK_MS[0], TASK_MS[1]);
            if let Some(worker) = self.workers.get_mut(&id).filter(|it| it.lives()) {
                worker.state = State::Working;
                worker.attempt = Some(attempt);
                worker.plan = plan(if worker.is_slow { ms * SLOW } else { ms }, end);
            }
            self.go_on(id);
        }
        Ok(())
    }

    /// What the winner of a task stored is there, or the coordinator named a wrong one.
    fn found(&self, attempt: AttemptId) -> Result<&Vec<Words>, Violation> {
        self.stored.get(&attempt).ok_or_else(|| {
            let seen = "an attempt is said to have won that stored nothing".to_owned();
            Violation::new("Winners have stored what they made", seen)
        })
    }

    /// Waits for the next thing of a worker's plan.
    fn go_on(&mut self, id: u64) {
        let next = self.workers.get(&id).and_then(|worker| worker.plan.front());
        let after_ms = next.map_or(0, |step| step.after_ms);
        self.wake_at(after_ms, Wake::Plan(id));
    }

    fn rest(&mut self, id: u64, ms: u64) {
        if let Some(worker) = self.workers.get_mut(&id).filter(|it| it.lives()) {
            (worker.state, worker.attempt) = (State::Waiting, None);
        }
        self.wake_at(ms, Wake::Plan(id));
    }
}
