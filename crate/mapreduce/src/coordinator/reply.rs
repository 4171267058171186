//! What the coordinator answers.

use bytes::Bytes;
use quorate_rsm::wire::{Malformed, Reader, Writer};

use super::command::{put_counters, take_counters};
use super::spec::{
    put_ascending, put_option, take_ascending, take_flag, take_job, take_option, take_u32,
    take_worker,
};
use super::{
    AttemptId, CoordinatorError, Event, Failure, JobId, Progress, Range, Spec, Split, WorkerId,
};

/// The answer to a command or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// There is a new job.
    Submitted {
        /// Its name.
        job: JobId,
    },
    /// The map tasks are there.
    Splits {
        /// How many there are.
        count: u32,
    },
    /// It was done, or need not be.
    Phase {
        /// Where the job is now.
        phase: Phase,
    },
    /// It was done, or need not be.
    Done,
    /// Map a split, or with `probe` a part of it.
    Map(MapWork),
    /// Reduce a partition.
    Reduce(ReduceWork),
    /// Publish all outputs.
    Publish(PublishWork),
    /// There is nothing to be done now.
    Wait {
        /// Ask again after so many milliseconds, or when [`Query::Ready`](super::Query::Ready) is
        /// answered.
        ms: u64,
    },
    /// The job is over. What is under way is for nothing.
    Over {
        /// How it ended.
        phase: Phase,
    },
    /// Go on.
    Continue {
        /// For so long, in milliseconds; then be heard again.
        lease_ms: u64,
    },
    /// The attempt is for nothing: delete what it made, and ask for another task.
    Stop {
        /// The attempt that won; none if this one has failed, or nobody needs the task now.
        winner: Option<u32>,
    },
    /// This attempt is the one whose files count.
    Won,
    /// Another one is: delete what this one made.
    Lost {
        /// Which.
        winner: u32,
    },
    /// The range holds no record that ends its worker. Nothing of it counts.
    Probed,
    /// How far a job is.
    Status(Box<Status>),
    /// All jobs, by id.
    Jobs(Vec<Summary>),
    /// What happened.
    Events {
        /// The position of the first of them. Beyond what was asked for, if what was there is not kept.
        first: u64,
        /// How many there were in all.
        end: u64,
        /// In order.
        events: Vec<Event>,
    },
    /// What was submitted.
    Spec(Spec),
    /// Whether there is something to ask for.
    Ready(bool),
    /// For each partition the attempt that won, and how many bytes it stored. Empty while not all are
    /// completed, and of a job that ended otherwise.
    Outputs(Vec<(u32, u64)>),
    /// It failed, and changed nothing.
    Failed(CoordinatorError),
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Map tasks are being added.
    Waiting,
    /// Map tasks are carried out.
    Mapping,
    /// Reduce tasks are.
    Reducing,
    /// Outputs are published.
    Publishing,
    /// All is done.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// An attempt at a map task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapWork {
    /// Of which job.
    pub job: JobId,
    /// Its name.
    pub attempt: AttemptId,
    /// What to map.
    pub split: Split,
    /// Only the records whose first byte lies here, and nothing is stored: does one of them end its worker?
    /// Say [`Progress::next`] before the first record, so that the last one that is left is known.
    pub probe: Option<Range>,
    /// Offsets of records to leave out, ascending.
    pub skip: Vec<u64>,
    /// For so long the worker need not be heard.
    pub lease_ms: u64,
}

/// An attempt at a reduce task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReduceWork {
    /// Of which job.
    pub job: JobId,
    /// Its name.
    pub attempt: AttemptId,
    /// The map tasks that have something for the partition, ascending, with the attempts that won.
    pub maps: Vec<(u32, u32)>,
    /// Indexes of groups to leave out, ascending.
    pub skip: Vec<u64>,
    /// For so long the worker need not be heard.
    pub lease_ms: u64,
}

/// An attempt at publishing. One before may have done a part of it, or do it still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishWork {
    /// Of which job.
    pub job: JobId,
    /// Its name.
    pub attempt: AttemptId,
    /// The attempt that won, of each partition.
    pub outputs: Vec<u32>,
    /// For so long the worker need not be heard.
    pub lease_ms: u64,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it is.
    pub phase: Phase,
    /// Log time, as of the last command. All times are log times, in milliseconds.
    pub time_ms: u64,
    /// When it was submitted.
    pub submitted_ms: u64,
    /// When it was started.
    pub started_ms: Option<u64>,
    /// When it was over.
    pub over_ms: Option<u64>,
    /// Map tasks.
    pub maps: Tally,
    /// Reduce tasks.
    pub reduces: Tally,
    /// The input.
    pub input: Input,
    /// Records that winners skipped.
    pub skipped: u64,
    /// Sums of the winners' counters, by ascending name.
    pub counters: Vec<(String, u64)>,
    /// Attempts under way: the first [`AT_WORK_MAX`](super::AT_WORK_MAX), by task.
    pub at_work: Vec<AtWork>,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// How many events there were.
    pub events: u64,
}

/// Tasks of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub total: u32,
    /// How many are completed.
    pub completed: u32,
    /// What the winners stored.
    pub bytes: u64,
}

/// How much of the input is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// How many bytes all splits have.
    pub bytes: u64,
    /// How many those have whose map tasks are completed.
    pub read: u64,
}

/// An attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Its name.
    pub attempt: AttemptId,
    /// Whose it is.
    pub worker: WorkerId,
    /// Since when.
    pub since_ms: u64,
    /// When it is given up, if nothing is heard.
    pub until_ms: u64,
    /// Whether it is a probe.
    pub is_probe: bool,
    /// How far it said it is.
    pub progress: Progress,
}

/// Why a job failed: the attempt that was the last straw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Whose it was.
    pub worker: WorkerId,
    /// What became of it.
    pub failure: Failure,
}

/// A job, shortly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub job: JobId,
    /// Where it is.
    pub phase: Phase,
    /// Map tasks.
    pub maps: Tally,
    /// Reduce tasks.
    pub reduces: Tally,
}

const FAILED: u8 = 0;
const SUBMITTED: u8 = 1;
const SPLITS: u8 = 2;
const PHASE: u8 = 3;
const DONE: u8 = 4;
const MAP: u8 = 5;
const REDUCE: u8 = 6;
const PUBLISH: u8 = 7;
const WAIT: u8 = 8;
const OVER: u8 = 9;
const CONTINUE: u8 = 10;
const STOP: u8 = 11;
const WON: u8 = 12;
const LOST: u8 = 13;
const PROBED: u8 = 14;
const STATUS: u8 = 15;
const JOBS: u8 = 16;
const EVENTS: u8 = 17;
const SPEC: u8 = 18;
const READY: u8 = 19;
const OUTPUTS: u8 = 20;

impl Reply {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.byte(self.tag());
        match self {
            Self::Done | Self::Won | Self::Probed => {}
            Self::Submitted { job } => writer.number(job.0),
            Self::Splits { count } => writer.number((*count).into()),
            Self::Phase { phase } | Self::Over { phase } => phase.encode(&mut writer),
            Self::Map(work) => work.encode(&mut writer),
            Self::Reduce(work) => work.encode(&mut writer),
            Self::Publish(work) => work.encode(&mut writer),
            Self::Wait { ms: number } | Self::Continue { lease_ms: number } => {
                writer.number(*number);
            }
            Self::Stop { winner } => {
                put_option(&mut writer, *winner, |writer, winner| {
                    writer.number(winner.into());
                });
            }
            Self::Lost { winner } => writer.number((*winner).into()),
            Self::Status(status) => status.encode(&mut writer),
            Self::Jobs(jobs) => {
                writer.number(jobs.len() as u64);
                jobs.iter().for_each(|job| job.encode(&mut writer));
            }
            Self::Events { first, end, events } => {
                writer.number(*first);
                writer.number(*end);
                writer.number(events.len() as u64);
                events.iter().for_each(|event| event.encode(&mut writer));
            }
            Self::Spec(spec) => spec.encode(&mut writer),
            Self::Ready(ready) => writer.byte((*ready).into()),
            Self::Outputs(outputs) => {
                writer.number(outputs.len() as u64);
                for (attempt, bytes) in outputs {
                    writer.number((*attempt).into());
                    writer.number(*bytes);
                }
            }
            Self::Failed(error) => error.encode(&mut writer),
        }
        writer.finish().into()
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Failed(_) => FAILED,
            Self::Submitted { .. } => SUBMITTED,
            Self::Splits { .. } => SPLITS,
            Self::Phase { .. } => PHASE,
            Self::Done => DONE,
            Self::Map(_) => MAP,
            Self::Reduce(_) => REDUCE,
            Self::Publish(_) => PUBLISH,
            Self::Wait { .. } => WAIT,
            Self::Over { .. } => OVER,
            Self::Continue { .. } => CONTINUE,
            Self::Stop { .. } => STOP,
            Self::Won => WON,
            Self::Lost { .. } => LOST,
            Self::Probed => PROBED,
            Self::Status(_) => STATUS,
            Self::Jobs(_) => JOBS,
            Self::Events { .. } => EVENTS,
            Self::Spec(_) => SPEC,
            Self::Ready(_) => READY,
            Self::Outputs(_) => OUTPUTS,
        }
    }

    /// Reads what [`Reply::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no reply.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let reply = match reader.byte() {
            FAILED => Self::Failed(CoordinatorError::decode(reader)),
            SUBMITTED => Self::Submitted {
                job: take_job(reader),
            },
            SPLITS => Self::Splits {
                count: take_u32(reader),
            },
            PHASE => Self::Phase {
                phase: Phase::decode(reader),
            },
            DONE => Self::Done,
            MAP => Self::Map(MapWork::decode(reader)),
            REDUCE => Self::Reduce(ReduceWork::decode(reader)),
            PUBLISH => Self::Publish(PublishWork::decode(reader)),
            WAIT => Self::Wait {
                ms: reader.number(),
            },
            OVER => Self::Over {
                phase: Phase::decode(reader),
            },
            CONTINUE => Self::Continue {
                lease_ms: reader.number(),
            },
            STOP => Self::Stop {
                winner: take_option(reader, take_u32),
            },
            WON => Self::Won,
            LOST => Self::Lost {
                winner: take_u32(reader),
            },
            PROBED => Self::Probed,
            STATUS => Self::Status(Box::new(Status::decode(reader))),
            JOBS => Self::Jobs(reader.list(8, Summary::decode)),
            EVENTS => Self::Events {
                first: reader.number(),
                end: reader.number(),
                events: reader.list(5, Event::decode),
            },
            SPEC => Self::Spec(Spec::decode(reader)),
            READY => Self::Ready(take_flag(reader)),
            OUTPUTS => Self::Outputs(reader.list(2, |reader| (take_u32(reader), reader.number()))),
            _ => return Err(Malformed("no reply of the coordinator")),
        };
        reader.end()?;
        Ok(reply)
    }
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Mapping,
        Self::Reducing,
        Self::Publishing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the job is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Waiting | Self::Mapping | Self::Reducing | Self::Publishing => false,
        }
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        writer.byte(self as u8);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let phase = Self::ALL.get(usize::from(reader.byte()));
        phase.copied().unwrap_or_else(|| {
            reader.refuse("no phase of a job");
            Self::Waiting
        })
    }
}

impl MapWork {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.job.0);
        self.attempt.encode(writer);
        self.split.encode(writer);
        put_option(writer, self.probe, |writer, probe| probe.encode(writer));
        put_ascending(writer, &self.skip);
        writer.number(self.lease_ms);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            job: take_job(reader),
            attempt: AttemptId::decode(reader),
            split: Split::decode(reader),
            probe: take_option(reader, Range::decode),
            skip: take_ascending(reader),
            lease_ms: reader.number(),
        }
    }
}

impl ReduceWork {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.job.0);
        self.attempt.encode(writer);
        writer.number(self.maps.len() as u64);
        for (index, attempt) in &self.maps {
            writer.number((*index).into());
            writer.number((*attempt).into());
        }
        put_ascending(writer, &self.skip);
        writer.number(self.lease_ms);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            job: take_job(reader),
            attempt: AttemptId::decode(reader),
            maps: reader.list(2, |reader| (take_u32(reader), take_u32(reader))),
            skip: take_ascending(reader),
            lease_ms: reader.number(),
        }
    }
}

impl PublishWork {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.job.0);
        self.attempt.encode(writer);
        writer.number(self.outputs.len() as u64);
        for attempt in &self.outputs {
            writer.number((*attempt).into());
        }
        writer.number(self.lease_ms);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            job: take_job(reader),
            attempt: AttemptId::decode(reader),
            outputs: reader.list(1, take_u32),
            lease_ms: reader.number(),
        }
    }
}

impl Status {
    fn encode(&self, writer: &mut Writer) {
        self.phase.encode(writer);
        writer.number(self.time_ms);
        writer.number(self.submitted_ms);
        put_option(writer, self.started_ms, Writer::number);
        put_option(writer, self.over_ms, Writer::number);
        self.maps.encode(writer);
        self.reduces.encode(writer);
        self.input.encode(writer);
        writer.number(self.skipped);
        put_counters(writer, self.counters.iter());
        writer.number(self.at_work.len() as u64);
        self.at_work.iter().for_each(|work| work.encode(writer));
        put_option(writer, self.failure.as_ref(), |writer, failure| {
            failure.encode(writer);
        });
        writer.number(self.events);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            phase: Phase::decode(reader),
            time_ms: reader.number(),
            submitted_ms: reader.number(),
            started_ms: take_option(reader, Reader::number),
            over_ms: take_option(reader, Reader::number),
            maps: Tally::decode(reader),
            reduces: Tally::decode(reader),
            input: Input::decode(reader),
            skipped: reader.number(),
            counters: take_counters(reader),
            at_work: reader.list(11, AtWork::decode),
            failure: take_option(reader, JobFailure::decode),
            events: reader.number(),
        }
    }
}

impl Tally {
    pub(super) fn encode(self, writer: &mut Writer) {
        writer.number(self.total.into());
        writer.number(self.completed.into());
        writer.number(self.bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            total: take_u32(reader),
            completed: take_u32(reader),
            bytes: reader.number(),
        }
    }
}

impl Input {
    pub(super) fn encode(self, writer: &mut Writer) {
        writer.number(self.bytes);
        writer.number(self.read);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            bytes: reader.number(),
            read: reader.number(),
        }
    }
}

impl AtWork {
    fn encode(&self, writer: &mut Writer) {
        self.attempt.encode(writer);
        writer.number(self.worker.0);
        writer.number(self.since_ms);
        writer.number(self.until_ms);
        writer.byte(self.is_probe.into());
        self.progress.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            attempt: AttemptId::decode(reader),
            worker: take_worker(reader),
            since_ms: reader.number(),
            until_ms: reader.number(),
            is_probe: take_flag(reader),
            progress: Progress::decode(reader),
        }
    }
}

impl JobFailure {
    pub(super) fn encode(&self, writer: &mut Writer) {
        self.attempt.encode(writer);
        writer.number(self.worker.0);
        self.failure.encode(writer);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            attempt: AttemptId::decode(reader),
            worker: take_worker(reader),
            failure: Failure::decode(reader),
        }
    }
}

impl Summary {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.job.0);
        self.phase.encode(writer);
        self.maps.encode(writer);
        self.reduces.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            job: take_job(reader),
            phase: Phase::decode(reader),
            maps: Tally::decode(reader),
            reduces: Tally::decode(reader),
        }
    }
}
