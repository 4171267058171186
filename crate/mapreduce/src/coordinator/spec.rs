//! What a job is, as it is submitted; the names of jobs, tasks, attempts and workers.

use bytes::Bytes;
use quorate_rsm::wire::{Reader, Writer};

/// Most partitions, and so reduce tasks, of a job.
pub const PARTITIONS_MAX: u32 = 1_024;

/// Longest lease, in milliseconds: a day.
pub const LEASE_MS_MAX: u64 = 86_400_000;

/// Most attempts of a task that may fail.
pub const ATTEMPTS_MAX: u32 = 100;

/// Most records of a job that may be skipped.
pub const SKIP_MAX: u32 = 10_000;

/// Longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 64 << 10;

/// Names a job; counted up from 1, and never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Names who carries out tasks, one at a time. Drawn by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Maps the records of a split.
    Map,
    /// Reduces a partition.
    Reduce,
    /// Publishes the outputs of all reduce tasks: there is one of it.
    Publish,
}

/// Names a task of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    /// What it does.
    pub kind: Kind,
    /// Which of its kind: the split, or the partition; 0 for the one that publishes.
    pub index: u32,
}

/// Names an attempt at a task. Its files are named by it, so that two attempts never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptId {
    /// At which task.
    pub task: TaskId,
    /// Counted up from 0 for each task.
    pub attempt: u32,
}

/// A part of an input: the records whose first byte lies in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Which input.
    pub source: u32,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Where it ends; exclusive.
    pub end: u64,
}

/// Records of a split: those whose first byte lies there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Where it starts, in bytes.
    pub start: u64,
    /// Where it ends; exclusive.
    pub end: u64,
}

/// How a job is to be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// How many reduce tasks there are: 1 to [`PARTITIONS_MAX`].
    pub partitions: u32,
    /// For so long a worker need not be heard, in milliseconds of log time: 1 to [`LEASE_MS_MAX`].
    pub lease_ms: u64,
    /// So many attempts at a task may fail: with the last of them, so does the job. 1 to
    /// [`ATTEMPTS_MAX`]; 4 is usual. When half of them, and two at least, have died at a map task without
    /// saying at which record, that is looked for, so 1 and 2 leave no room for it.
    pub attempts_max: u32,
    /// Whether the slowest tasks get a second attempt beside the first.
    pub backup: bool,
    /// So many poisonous records may be skipped, 0 to [`SKIP_MAX`]: one more, and the job fails.
    pub skip_max: u32,
    /// For whoever carries it out, or takes it up again: which module, which inputs, where to. At most
    /// [`DESCRIPTION_BYTES_MAX`].
    pub description: Bytes,
}

impl TaskId {
    /// The one that publishes.
    pub const PUBLISH: Self = Self {
        kind: Kind::Publish,
        index: 0,
    };

    /// The map task of a split.
    #[must_use]
    pub fn map(index: u32) -> Self {
        let kind = Kind::Map;
        Self { kind, index }
    }

    /// The reduce task of a partition.
    #[must_use]
    pub fn reduce(index: u32) -> Self {
        let kind = Kind::Reduce;
        Self { kind, index }
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        writer.byte(match self.kind {
            Kind::Map => 0,
            Kind::Reduce => 1,
            Kind::Publish => 2,
        });
        writer.number(self.index.into());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let (kind, index) = (reader.byte(), take_u32(reader));
        match (kind, index) {
            (0, index) => Self::map(index),
            (1, index) => Self::reduce(index),
            (2, 0) => Self::PUBLISH,
            _ => {
                reader.refuse("no kind of a task");
                Self::PUBLISH
            }
        }
    }
}

impl AttemptId {
    pub(super) fn encode(self, writer: &mut Writer) {
        self.task.encode(writer);
        writer.number(self.attempt.into());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            task: TaskId::decode(reader),
            attempt: take_u32(reader),
        }
    }
}

impl Split {
    pub(super) fn bytes(self) -> u64 {
        self.end.wrapping_sub(self.start)
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        writer.number(self.source.into());
        writer.number(self.start);
        writer.number(self.end);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            source: take_u32(reader),
            start: reader.number(),
            end: reader.number(),
        }
    }
}

impl Range {
    pub(super) fn encode(self, writer: &mut Writer) {
        writer.number(self.start);
        writer.number(self.end);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            start: reader.number(),
            end: reader.number(),
        }
    }
}

impl Spec {
    /// Whether such a job can be.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (1..=PARTITIONS_MAX).contains(&self.partitions)
            && (1..=LEASE_MS_MAX).contains(&self.lease_ms)
            && (1..=ATTEMPTS_MAX).contains(&self.attempts_max)
            && self.skip_max <= SKIP_MAX
            && self.description.len() <= DESCRIPTION_BYTES_MAX
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.partitions.into());
        writer.number(self.lease_ms);
        writer.number(self.attempts_max.into());
        writer.byte(self.backup.into());
        writer.number(self.skip_max.into());
        writer.bytes(&self.description);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            partitions: take_u32(reader),
            lease_ms: reader.number(),
            attempts_max: take_u32(reader),
            backup: take_flag(reader),
            skip_max: take_u32(reader),
            // A copy: it lives longer than what it came in.
            description: Bytes::copy_from_slice(reader.borrowed()),
        }
    }
}

pub(super) fn take_job(reader: &mut Reader<'_>) -> JobId {
    JobId(reader.number())
}

pub(super) fn take_worker(reader: &mut Reader<'_>) -> WorkerId {
    WorkerId(reader.number())
}

pub(super) fn take_u32(reader: &mut Reader<'_>) -> u32 {
    let number = reader.number();
    u32::try_from(number).unwrap_or_else(|_| reader.fail("a number exceeds 32 bits"))
}

pub(super) fn take_flag(reader: &mut Reader<'_>) -> bool {
    match reader.byte() {
        0 => false,
        1 => true,
        _ => reader.fail("a flag is neither 0 nor 1"),
    }
}

/// What is there or not, after a flag that says it.
pub(super) fn put_option<T>(
    writer: &mut Writer,
    value: Option<T>,
    put: impl FnOnce(&mut Writer, T),
) {
    writer.byte(value.is_some().into());
    if let Some(value) = value {
        put(writer, value);
    }
}

pub(super) fn take_option<'a, T>(
    reader: &mut Reader<'a>,
    take: impl FnOnce(&mut Reader<'a>) -> T,
) -> Option<T> {
    take_flag(reader).then(|| take(reader))
}

/// Numbers that ascend, the first as it is and each other by how much it is above the one before.
pub(super) fn put_ascending(writer: &mut Writer, numbers: &[u64]) {
    writer.number(numbers.len() as u64);
    let mut last = 0;
    for number in numbers {
        writer.number(number - last);
        last = *number;
    }
}

pub(super) fn take_ascending(reader: &mut Reader<'_>) -> Vec<u64> {
    let mut last: Option<u64> = None;
    reader.list(1, |reader| {
        let step = reader.number();
        let number = match last {
            None => Some(step),
            Some(last) => last.checked_add(step).filter(|_| step > 0),
        };
        let number = number.unwrap_or_else(|| reader.fail("a list of numbers does not ascend"));
        last = Some(number);
        number
    })
}
