//! What can be done to the coordinator, and asked of it.

use bytes::Bytes;
use quorate_rsm::wire::{Malformed, Reader, Writer};

use super::spec::{put_option, take_flag, take_job, take_option, take_u32, take_worker};
use super::{AttemptId, JobId, Spec, Split, WorkerId};

/// Longest name of a counter, and longest code of a failure, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Longest message of a failure, in bytes: room for 1,000 characters.
pub const MESSAGE_BYTES_MAX: usize = 4_000;

/// Most counters of an attempt.
pub const ATTEMPT_COUNTERS_MAX: usize = 16;

/// Something to be done. Whoever cannot tell whether it was done says it again: what is done already
/// changes nothing, and is answered by what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new job, without map tasks. Reply: `Submitted`.
    Submit {
        /// How it is to be carried out.
        spec: Spec,
    },
    /// More map tasks, before the job is started. Reply: `Splits`.
    AddSplits {
        /// Of which job.
        job: JobId,
        /// The index of the first one: at most as many as there are. What is there already must be the
        /// same.
        first: u32,
        /// A map task for each.
        splits: Vec<Split>,
    },
    /// All map tasks are there. Reply: `Phase`.
    Start {
        /// Of which job.
        job: JobId,
    },
    /// The job is not wanted any more. Reply: `Phase`.
    Cancel {
        /// Which.
        job: JobId,
    },
    /// A job that is over need not be remembered. Reply: `Done`.
    Forget {
        /// Which.
        job: JobId,
    },
    /// A worker wants a task. What it still had is taken for ended: it died on it, and came again. Reply:
    /// `Map`, `Reduce` or `Publish`; `Wait` if there is none now, `Over` if the job that it names is
    /// over.
    Ask {
        /// Who.
        worker: WorkerId,
        /// Of this job; else of any, the oldest first.
        job: Option<JobId>,
    },
    /// A worker is at work on an attempt. Reply: `Continue`, `Stop` or `Over`; `Won` where it has won.
    Renew {
        /// Who.
        worker: WorkerId,
        /// Of which job.
        job: JobId,
        /// At what.
        attempt: AttemptId,
        /// How far.
        progress: Progress,
    },
    /// An attempt has ended well, and what it made is stored. Reply: `Won`, `Lost`, `Probed`, `Stop` or
    /// `Over`.
    Complete {
        /// Who.
        worker: WorkerId,
        /// Of which job.
        job: JobId,
        /// What.
        attempt: AttemptId,
        /// What came of it.
        outcome: Outcome,
    },
    /// An attempt has failed. Reply: `Phase`.
    Fail {
        /// Who.
        worker: WorkerId,
        /// Of which job.
        job: JobId,
        /// What.
        attempt: AttemptId,
        /// Why.
        failure: Failure,
    },
    /// What an attempt won with cannot be read any more: its task is to be done again. What the worker had
    /// of the job ends without blame. Reply: `Phase`.
    Lost {
        /// Who found it.
        worker: WorkerId,
        /// Of which job.
        job: JobId,
        /// Whose files: of a map task, or of a reduce task.
        attempt: AttemptId,
    },
    /// A worker is gone, and all that it had ends. Reply: `Done`.
    Left {
        /// Who.
        worker: WorkerId,
        /// Whether it died on what it had, by all that is known: that counts as a failure.
        died: bool,
    },
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records, or groups, that are done.
    pub records: u64,
    /// Bytes of input that are done.
    pub bytes: u64,
    /// The offset of the record in hand, in the whole input; of a reduce task, the index of the group.
    pub at: u64,
    /// The offset of the record after it; `at` + 1 where that is not known.
    pub next: u64,
}

/// What came of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes that were stored: of a map task, for each partition; of another, one number. Of a probe:
    /// nothing.
    pub sizes: Vec<u64>,
    /// Counters by ascending name.
    pub counters: Vec<(String, u64)>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The offset of the record that it failed at, in the whole input; of a reduce task, the index of the
    /// group. None if it was not because of a record.
    pub offset: Option<u64>,
    /// What went wrong, in a word that never changes. At most [`NAME_BYTES_MAX`].
    pub code: String,
    /// What went wrong, for a person. At most [`MESSAGE_BYTES_MAX`].
    pub message: String,
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// How far a job is. Reply: `Status`.
    Status {
        /// Which.
        job: JobId,
    },
    /// All jobs, shortly. Reply: `Jobs`.
    Jobs,
    /// What happened in a job. As a query that waits it is answered when there is something new. Reply:
    /// `Events`.
    Events {
        /// Which.
        job: JobId,
        /// How many the asker has seen: the position of the first that it wants.
        after: u64,
        /// Not more than this, nor than [`EVENTS_MAX`](super::EVENTS_MAX).
        limit: u32,
    },
    /// What was submitted. Reply: `Spec`.
    Spec {
        /// As which job.
        job: JobId,
    },
    /// Whether to ask for a task. As a query that waits it is answered when there is one that nobody
    /// carries out, or the job is over. Reply: `Ready`.
    Ready {
        /// Of this job, or of any.
        job: Option<JobId>,
    },
    /// Whose outputs count. Reply: `Outputs`.
    Outputs {
        /// Of which job.
        job: JobId,
    },
}

const SUBMIT: u8 = 1;
const ADD_SPLITS: u8 = 2;
const START: u8 = 3;
const CANCEL: u8 = 4;
const FORGET: u8 = 5;
const ASK: u8 = 6;
const RENEW: u8 = 7;
const COMPLETE: u8 = 8;
const FAIL: u8 = 9;
const LOST: u8 = 10;
const LEFT: u8 = 11;

/// Apart from the commands' tags, so that neither is taken for the other.
const STATUS: u8 = 0x41;
const JOBS: u8 = 0x42;
const EVENTS: u8 = 0x43;
const SPEC: u8 = 0x44;
const READY: u8 = 0x45;
const OUTPUTS: u8 = 0x46;

impl Command {
    /// The bytes that go into the log.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let writer = &mut Writer::new();
        let of_job = |writer: &mut Writer, tag, job: &JobId| {
            writer.byte(tag);
            writer.number(job.0);
        };
        let of_attempt = |writer: &mut Writer, tag, worker: &WorkerId, job: &JobId, attempt| {
            writer.byte(tag);
            writer.number(worker.0);
            writer.number(job.0);
            AttemptId::encode(attempt, writer);
        };
        match self {
            Self::Submit { spec } => {
                writer.byte(SUBMIT);
                spec.encode(writer);
            }
            Self::AddSplits { job, first, splits } => {
                of_job(writer, ADD_SPLITS, job);
                writer.number((*first).into());
                writer.number(splits.len() as u64);
                splits.iter().for_each(|split| split.encode(writer));
            }
            Self::Start { job } => of_job(writer, START, job),
            Self::Cancel { job } => of_job(writer, CANCEL, job),
            Self::Forget { job } => of_job(writer, FORGET, job),
            Self::Ask { worker, job } => {
                writer.byte(ASK);
                writer.number(worker.0);
                put_option(writer, *job, |writer, job| writer.number(job.0));
            }
            Self::Renew {
                worker,
                job,
                attempt,
                progress,
            } => {
                of_attempt(writer, RENEW, worker, job, *attempt);
                progress.encode(writer);
            }
            Self::Complete {
                worker,
                job,
                attempt,
                outcome,
            } => {
                of_attempt(writer, COMPLETE, worker, job, *attempt);
                outcome.encode(writer);
            }
            Self::Fail {
                worker,
                job,
                attempt,
                failure,
            } => {
                of_attempt(writer, FAIL, worker, job, *attempt);
                failure.encode(writer);
            }
            Self::Lost {
                worker,
                job,
                attempt,
            } => of_attempt(writer, LOST, worker, job, *attempt),
            Self::Left { worker, died } => {
                writer.byte(LEFT);
                writer.number(worker.0);
                writer.byte((*died).into());
            }
        }
        core::mem::take(writer).finish().into()
    }

    /// Reads what [`Command::encode`] wrote. Whether it can be done is another question.
    ///
    /// # Errors
    /// The bytes are no command.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let command = match reader.byte() {
            SUBMIT => Self::Submit {
                spec: Spec::decode(reader),
            },
            ADD_SPLITS => Self::AddSplits {
                job: take_job(reader),
                first: take_u32(reader),
                splits: reader.list(3, Split::decode),
            },
            START => Self::Start {
                job: take_job(reader),
            },
            CANCEL => Self::Cancel {
                job: take_job(reader),
            },
            FORGET => Self::Forget {
                job: take_job(reader),
            },
            ASK => Self::Ask {
                worker: take_worker(reader),
                job: take_option(reader, take_job),
            },
            RENEW => Self::Renew {
                worker: take_worker(reader),
                job: take_job(reader),
                attempt: AttemptId::decode(reader),
                progress: Progress::decode(reader),
            },
            COMPLETE => Self::Complete {
                worker: take_worker(reader),
                job: take_job(reader),
                attempt: AttemptId::decode(reader),
                outcome: Outcome::decode(reader),
            },
            FAIL => Self::Fail {
                worker: take_worker(reader),
                job: take_job(reader),
                attempt: AttemptId::decode(reader),
                failure: Failure::decode(reader),
            },
            LOST => Self::Lost {
                worker: take_worker(reader),
                job: take_job(reader),
                attempt: AttemptId::decode(reader),
            },
            LEFT => Self::Left {
                worker: take_worker(reader),
                died: take_flag(reader),
            },
            _ => return Err(Malformed("no command of the coordinator")),
        };
        reader.end()?;
        Ok(command)
    }
}

impl Progress {
    pub(super) fn encode(self, writer: &mut Writer) {
        for number in [self.records, self.bytes, self.at, self.next] {
            writer.number(number);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            records: reader.number(),
            bytes: reader.number(),
            at: reader.number(),
            next: reader.number(),
        }
    }
}

impl Outcome {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.sizes.len() as u64);
        self.sizes.iter().for_each(|size| writer.number(*size));
        put_counters(writer, self.counters.iter());
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        let outcome = Self {
            sizes: reader.list(1, Reader::number),
            counters: take_counters(reader),
        };
        if outcome.counters.len() > ATTEMPT_COUNTERS_MAX {
            return reader.fail("an attempt has too many counters");
        }
        outcome
    }
}

impl Failure {
    pub(super) fn encode(&self, writer: &mut Writer) {
        put_option(writer, self.offset, Writer::number);
        writer.bytes(self.code.as_bytes());
        writer.bytes(self.message.as_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let failure = Self {
            offset: take_option(reader, Reader::number),
            code: reader.text(),
            message: reader.text(),
        };
        if failure.code.len() > NAME_BYTES_MAX || failure.message.len() > MESSAGE_BYTES_MAX {
            reader.refuse("the words of a failure are too long");
        }
        failure
    }
}

impl Query {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Status { job } => {
                writer.byte(STATUS);
                writer.number(job.0);
            }
            Self::Jobs => writer.byte(JOBS),
            Self::Events { job, after, limit } => {
                writer.byte(EVENTS);
                writer.number(job.0);
                writer.number(*after);
                writer.number((*limit).into());
            }
            Self::Spec { job } => {
                writer.byte(SPEC);
                writer.number(job.0);
            }
            Self::Outputs { job } => {
                writer.byte(OUTPUTS);
                writer.number(job.0);
            }
            Self::Ready { job } => {
                writer.byte(READY);
                put_option(&mut writer, *job, |writer, job| writer.number(job.0));
            }
        }
        writer.finish().into()
    }

    /// Reads what [`Query::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no query.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let query = match reader.byte() {
            STATUS => Self::Status {
                job: take_job(reader),
            },
            JOBS => Self::Jobs,
            EVENTS => Self::Events {
                job: take_job(reader),
                after: reader.number(),
                limit: take_u32(reader),
            },
            SPEC => Self::Spec {
                job: take_job(reader),
            },
            READY => Self::Ready {
                job: take_option(reader, take_job),
            },
            OUTPUTS => Self::Outputs {
                job: take_job(reader),
            },
            _ => return Err(Malformed("no query of the coordinator")),
        };
        reader.end()?;
        Ok(query)
    }
}

pub(super) fn put_counters<'a>(
    writer: &mut Writer,
    counters: impl ExactSizeIterator<Item = &'a (String, u64)>,
) {
    writer.number(counters.len() as u64);
    for (name, value) in counters {
        writer.bytes(name.as_bytes());
        writer.number(*value);
    }
}

pub(super) fn take_counters(reader: &mut Reader<'_>) -> Vec<(String, u64)> {
    let counters = take_counters_unsorted(reader);
    if !counters.is_sorted_by(|one, next| one.0 < next.0) {
        return reader.fail("counters are not in the order of their names");
    }
    counters
}

pub(super) fn take_counters_unsorted(reader: &mut Reader<'_>) -> Vec<(String, u64)> {
    let counters = reader.list(2, |reader| (reader.text(), reader.number()));
    let is_named = |(name, _): &(String, u64)| (1..=NAME_BYTES_MAX).contains(&name.len());
    if !counters.iter().all(is_named) {
        return reader.fail("the name of a counter is empty, or too long");
    }
    counters
}
