//! Why the coordinator refused something. Nothing changed then.

use core::fmt;

use quorate_rsm::wire::{Reader, Writer};

use super::{COUNTERS_MAX, JOBS_MAX, JobId, SPLITS_MAX, SPLITS_TOTAL_MAX};

/// Why a command or query was refused. Every replica gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorError {
    /// The bytes are no command, or no query. The sender runs other code: update it.
    Malformed,
    /// There is no such job, or it was forgotten.
    UnknownJob {
        /// Which.
        job: JobId,
    },
    /// The job is started: its map tasks are what they are.
    JobStarted {
        /// Which.
        job: JobId,
    },
    /// The job is over.
    JobOver {
        /// Which.
        job: JobId,
    },
    /// The job is not started: nobody can have an attempt.
    NotStarted {
        /// Which.
        job: JobId,
    },
    /// The job is not over. Cancel it first.
    NotOver {
        /// Which.
        job: JobId,
    },
    /// A number of the job is beyond its bounds ([`Spec`](super::Spec)).
    BadSpec,
    /// The split ends before it starts; or it is not what is there already; or those before it are not
    /// there.
    BadSplit {
        /// Its index.
        index: u32,
    },
    /// So many jobs are not over: [`JOBS_MAX`].
    TooManyJobs,
    /// More than [`SPLITS_MAX`] in a job, or [`SPLITS_TOTAL_MAX`] in all that are not over. Make them
    /// larger.
    TooManySplits,
    /// The job's tasks have more than [`COUNTERS_MAX`] names for their counters.
    TooManyCounters,
    /// There is no such task.
    UnknownTask {
        /// Its index.
        index: u32,
    },
    /// There was no such attempt, or it was another worker's, or it has failed.
    UnknownAttempt {
        /// Which.
        attempt: u32,
    },
    /// The sizes are not as many as there are partitions; of a task that does not map, not one.
    BadOutcome,
}

impl CoordinatorError {
    /// The name that never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::UnknownJob { .. } => "UNKNOWN_JOB",
            Self::JobStarted { .. } => "JOB_STARTED",
            Self::JobOver { .. } => "JOB_OVER",
            Self::NotStarted { .. } => "NOT_STARTED",
            Self::NotOver { .. } => "NOT_OVER",
            Self::BadSpec => "BAD_SPEC",
            Self::BadSplit { .. } => "BAD_SPLIT",
            Self::TooManyJobs => "TOO_MANY_JOBS",
            Self::TooManySplits => "TOO_MANY_SPLITS",
            Self::TooManyCounters => "TOO_MANY_COUNTERS",
            Self::UnknownTask { .. } => "UNKNOWN_TASK",
            Self::UnknownAttempt { .. } => "UNKNOWN_ATTEMPT",
            Self::BadOutcome => "BAD_OUTCOME",
        }
    }

    /// Its number, and the number of what it names; 0 where it names nothing.
    fn numbers(self) -> (u8, u64) {
        match self {
            Self::Malformed => (1, 0),
            Self::UnknownJob { job } => (2, job.0),
            Self::JobStarted { job } => (3, job.0),
            Self::JobOver { job } => (4, job.0),
            Self::NotStarted { job } => (5, job.0),
            Self::NotOver { job } => (6, job.0),
            Self::BadSpec => (7, 0),
            Self::BadSplit { index } => (8, index.into()),
            Self::TooManyJobs => (9, 0),
            Self::TooManySplits => (10, 0),
            Self::TooManyCounters => (11, 0),
            Self::UnknownTask { index } => (12, index.into()),
            Self::UnknownAttempt { attempt } => (13, attempt.into()),
            Self::BadOutcome => (14, 0),
        }
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        let (number, named) = self.numbers();
        writer.byte(number);
        writer.number(named);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let (number, named) = (reader.byte(), reader.number());
        let (job, index) = (JobId(named), named as u32);
        let error = match number {
            2 => Self::UnknownJob { job },
            3 => Self::JobStarted { job },
            4 => Self::JobOver { job },
            5 => Self::NotStarted { job },
            6 => Self::NotOver { job },
            7 => Self::BadSpec,
            8 => Self::BadSplit { index },
            9 => Self::TooManyJobs,
            10 => Self::TooManySplits,
            11 => Self::TooManyCounters,
            12 => Self::UnknownTask { index },
            13 => Self::UnknownAttempt { attempt: index },
            14 => Self::BadOutcome,
            _ => Self::Malformed,
        };
        if error.numbers() != (number, named) {
            reader.refuse("no error of the coordinator");
        }
        error
    }
}

impl fmt::Display for CoordinatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the bytes are no command or query of the coordinator"),
            Self::UnknownJob { job } => write!(f, "there is no job {}", job.0),
            Self::JobStarted { job } => write!(f, "job {} is started", job.0),
            Self::JobOver { job } => write!(f, "job {} is over", job.0),
            Self::NotStarted { job } => write!(f, "job {} is not started", job.0),
            Self::NotOver { job } => write!(f, "job {} is not over", job.0),
            Self::BadSpec => write!(f, "a number of the job is beyond its bounds"),
            Self::BadSplit { index } => write!(f, "split {index} cannot be"),
            Self::TooManyJobs => write!(f, "{JOBS_MAX} jobs are not over"),
            Self::TooManySplits => write!(
                f,
                "there can be {SPLITS_MAX} splits in a job, and {SPLITS_TOTAL_MAX} in all"
            ),
            Self::TooManyCounters => write!(f, "a job has {COUNTERS_MAX} counters at most"),
            Self::UnknownTask { index } => write!(f, "there is no task {index}"),
            Self::UnknownAttempt { attempt } => write!(f, "there is no attempt {attempt}"),
            Self::BadOutcome => write!(f, "there must be a size for each partition"),
        }
    }
}

impl core::error::Error for CoordinatorError {}
