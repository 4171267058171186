use quorate_raft::{Index, Term};
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot};

use super::*;

mod bounds;
mod poison;
mod sequences;
mod snapshots;
mod tasks;

const LEASE: u64 = 1_000;

/// A coordinator, and what time it is.
#[derive(Clone, Default)]
struct World {
    coordinator: Coordinator,
    now_ms: u64,
}

fn spec(partitions: u32) -> Spec {
    Spec {
        partitions,
        lease_ms: LEASE,
        attempts_max: 4,
        backup: false,
        skip_max: 0,
        description: Bytes::from_static(b"a job"),
    }
}

/// Splits of 100 bytes of one input.
fn splits(count: u32) -> Vec<Split> {
    let split = |index: u32| Split {
        source: 0,
        start: u64::from(index) * 100,
        end: u64::from(index + 1) * 100,
    };
    (0..count).map(split).collect()
}

fn map(index: u32, attempt: u32) -> AttemptId {
    AttemptId::new(TaskId::map(index), attempt)
}

fn reduce(index: u32, attempt: u32) -> AttemptId {
    AttemptId::new(TaskId::reduce(index), attempt)
}

fn publish(attempt: u32) -> AttemptId {
    AttemptId::new(TaskId::PUBLISH, attempt)
}

fn sizes(sizes: &[u64]) -> Outcome {
    Outcome {
        sizes: sizes.to_vec(),
        counters: Vec::new(),
    }
}

fn failed(offset: Option<u64>) -> Failure {
    Failure {
        offset,
        code: "THROWN".to_owned(),
        message: "it threw".to_owned(),
    }
}

/// The state, as the bytes of its snapshot.
fn state(coordinator: &Coordinator) -> Bytes {
    let (bytes, done) = coordinator.snapshot().chunk(0, usize::MAX);
    assert!(done);
    bytes
}

fn restored(bytes: &Bytes) -> core::result::Result<Coordinator, BadSnapshot> {
    let mut restore = Coordinator::restore();
    restore.chunk(bytes)?;
    restore.finish()
}

const ONE: JobId = JobId(1);

impl World {
    /// A world with a job that is started.
    fn started(maps: u32, spec: Spec) -> Self {
        let mut world = Self::default();
        world.begin(maps, spec);
        world
    }

    fn begin(&mut self, maps: u32, spec: Spec) -> JobId {
        let Reply::Submitted { job } = self.tell(Command::Submit { spec }) else {
            panic!("a job is submitted")
        };
        let (first, splits) = (0, splits(maps));
        let added = self.tell(Command::AddSplits { job, first, splits });
        assert_eq!(added, Reply::Splits { count: maps });
        self.tell(Command::Start { job });
        job
    }

    fn try_tell(&mut self, command: Command) -> Result {
        let before = state(&self.coordinator);
        let what = format!("{command:?}");
        let result = self.coordinator.execute(self.now_ms, command);
        let after = state(&self.coordinator);
        if result.is_err() {
            assert_eq!(after, before, "{what} failed, and changed something");
        }
        // Each state can be written down and read again, and goes on as it would have.
        let again = restored(&after).expect("its own snapshot");
        assert_eq!(state(&again), after);
        self.coordinator = again;
        result
    }

    fn tell(&mut self, command: Command) -> Reply {
        let what = format!("{command:?}");
        let reply = self.try_tell(command);
        reply.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Says what must change nothing.
    fn idle(&mut self, command: Command) -> Reply {
        let (what, before) = (format!("{command:?}"), self.coordinator.clone());
        let reply = self.tell(command);
        let mut after = self.coordinator.clone();
        after.time_ms = before.time_ms;
        assert_eq!(state(&after), state(&before), "{what}");
        reply
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let context = ApplyContext {
            index: Index(1),
            term: Term(1),
            time_ms: self.now_ms,
        };
        if self
            .coordinator
            .due_ms()
            .is_some_and(|due| due <= self.now_ms)
        {
            self.coordinator.tick(&context);
        }
        let due = self.coordinator.due_ms();
        assert!(due.is_none_or(|due| due > self.now_ms), "it is all done");
    }

    fn ask(&mut self, worker: u64) -> Reply {
        let (worker, job) = (WorkerId(worker), None);
        self.tell(Command::Ask { worker, job })
    }

    /// The worker must be given this attempt.
    fn given(&mut self, worker: u64, expected: AttemptId) -> Reply {
        let reply = self.ask(worker);
        assert_eq!(named(&reply), Some(expected), "{reply:?}");
        reply
    }

    fn complete(&mut self, worker: u64, attempt: AttemptId, outcome: Outcome) -> Reply {
        self.tell(Command::Complete {
            worker: WorkerId(worker),
            job: ONE,
            attempt,
            outcome,
        })
    }

    fn renew(&mut self, worker: u64, attempt: AttemptId, at: u64, next: u64) -> Reply {
        self.tell(Command::Renew {
            worker: WorkerId(worker),
            job: ONE,
            attempt,
            progress: Progress {
                at,
                next,
                ..Progress::default()
            },
        })
    }

    fn fail(&mut self, worker: u64, attempt: AttemptId, offset: Option<u64>) -> Phase {
        let command = Command::Fail {
            worker: WorkerId(worker),
            job: ONE,
            attempt,
            failure: failed(offset),
        };
        match self.tell(command) {
            Reply::Phase { phase } => phase,
            other => panic!("{other:?}"),
        }
    }

    fn lost(&mut self, worker: u64, attempt: AttemptId) -> Reply {
        let (worker, job) = (WorkerId(worker), ONE);
        self.tell(Command::Lost {
            worker,
            job,
            attempt,
        })
    }

    fn left(&mut self, worker: u64, died: bool) {
        let worker = WorkerId(worker);
        assert_eq!(self.tell(Command::Left { worker, died }), Reply::Done);
    }

    fn status(&self) -> Status {
        match self.coordinator.answer(Query::Status { job: ONE }) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("{other:?}"),
        }
    }

    fn phase(&self) -> Phase {
        self.status().phase
    }

    fn events(&self) -> Vec<What> {
        let (job, after, limit) = (ONE, 0, EVENTS_MAX);
        match self.coordinator.answer(Query::Events { job, after, limit }) {
            Ok(Reply::Events { events, .. }) => events.iter().map(|event| event.what).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// The attempt that an answer gives.
fn named(reply: &Reply) -> Option<AttemptId> {
    match reply {
        Reply::Map(work) => Some(work.attempt),
        Reply::Reduce(work) => Some(work.attempt),
        Reply::Publish(work) => Some(work.attempt),
        _ => None,
    }
}
