//! The state as a stream of bytes, cut into chunks, and back: a format, the state, and a checksum. What
//! follows from the tasks is not written, but found out again.

use std::sync::Arc;

use bytes::Bytes;
use crc::{CRC_32_ISO_HDLC, Crc};
use quorate_rsm::wire::{Reader, Writer};
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot};

use super::command::{put_counters, take_counters_unsorted};
use super::job::Job;
use super::spec::{
    put_ascending, put_option, take_ascending, take_job, take_option, take_u32, take_worker,
};
use super::table::Table;
use super::task::{Attempt, KNOWN_MAX, State, Task, Trouble, Winner};
use super::{
    ATTEMPT_COUNTERS_MAX, AttemptId, COUNTERS_MAX, Coordinator, Input, JOBS_MAX, JobFailure, Kind,
    OVER_MAX, Phase, Progress, Range, SKIP_MAX, SPLITS_MAX, SPLITS_TOTAL_MAX, Spec, Split, Tally,
    TaskId,
};

const FORMAT: u8 = 1;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// More than any state takes: 400,000 map tasks with a split of 20 bytes, bits of 1,024 partitions, 16 counters
/// and a few attempts, and what jobs describe and remember.
const BYTES_MAX: usize = 512 << 20;

/// The coordinator as of one index.
#[derive(Debug)]
pub struct CoordinatorSnapshot {
    coordinator: Coordinator,
    /// Written with the first chunk.
    encoded: Option<Bytes>,
}

impl CoordinatorSnapshot {
    pub(super) fn new(coordinator: Coordinator) -> Self {
        Self {
            coordinator,
            encoded: None,
        }
    }
}

impl MachineSnapshot for CoordinatorSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let coordinator = &self.coordinator;
        let encoded = self.encoded.get_or_insert_with(|| encode(coordinator));
        let start = max_bytes
            .max(1)
            .saturating_mul(number as usize)
            .min(encoded.len());
        let end = start.saturating_add(max_bytes.max(1)).min(encoded.len());
        (encoded.slice(start..end), end == encoded.len())
    }

    fn format(&self) -> u32 {
        FORMAT.into()
    }
}

/// A coordinator in the making.
#[derive(Debug, Default)]
pub struct CoordinatorRestore(Vec<u8>);

impl MachineRestore for CoordinatorRestore {
    type Machine = Coordinator;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        if self.0.len() + data.len() > BYTES_MAX {
            return Err(BadSnapshot("the coordinator is larger than one can be"));
        }
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Coordinator, BadSnapshot> {
        let Some((bytes, sum)) = self.0.split_last_chunk() else {
            return Err(BadSnapshot("the coordinator is cut short"));
        };
        if CRC.checksum(bytes) != u32::from_le_bytes(*sum) {
            return Err(BadSnapshot("the coordinator's checksum differs"));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        let mut reader = Reader::new(&bytes);
        if reader.byte() != FORMAT {
            reader.refuse("the coordinator has another format");
        }
        let coordinator = decode(&mut reader);
        reader.end().map_err(|why| BadSnapshot(why.0))?;
        Ok(coordinator)
    }
}

fn encode(coordinator: &Coordinator) -> Bytes {
    let mut writer = Writer::new();
    writer.byte(FORMAT);
    writer.number(coordinator.submitted);
    writer.number(coordinator.time_ms);
    writer.number(coordinator.running.len() as u64);
    for job in coordinator.running.values() {
        put_job(&mut writer, job);
        put_tasks(&mut writer, job);
    }
    writer.number(coordinator.over.len() as u64);
    for job in &coordinator.over {
        put_job(&mut writer, job);
    }
    let mut bytes = writer.finish();
    let sum = CRC.checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.into()
}

fn decode(reader: &mut Reader<'_>) -> Coordinator {
    let (submitted, time_ms) = (reader.number(), reader.number());
    let running = reader.list(1, |reader| {
        let mut job = take_job_head(reader);
        take_tasks(reader, &mut job);
        if job.phase.is_over() {
            reader.refuse("a job is over, and is not");
        }
        job
    });
    let over = reader.list(1, take_job_head);
    let splits: usize = running.iter().map(|job| job.splits.len()).sum();
    let mut ids: Vec<_> = running.iter().chain(&over).map(|job| job.id).collect();
    let is_valid = running.is_sorted_by(|one, next| one.id < next.id)
        && running.len() <= JOBS_MAX
        && over.len() <= OVER_MAX
        && over.iter().all(|job| job.phase.is_over())
        && splits <= SPLITS_TOTAL_MAX;
    ids.sort_unstable();
    if !is_valid
        || !ids.is_sorted_by(|one, next| one < next)
        || ids.iter().any(|id| id.0 == 0 || id.0 > submitted)
    {
        reader.refuse("the jobs cannot be");
    }
    Coordinator {
        submitted,
        time_ms,
        running: running
            .into_iter()
            .map(|job| (job.id, Arc::new(job)))
            .collect(),
        over: over.into_iter().map(Arc::new).collect(),
    }
}

/// What there is of a job also when it is over.
fn put_job(writer: &mut Writer, job: &Job) {
    writer.number(job.id.0);
    job.spec.encode(writer);
    job.phase.encode(writer);
    writer.number(job.submitted_ms);
    put_option(writer, job.started_ms, Writer::number);
    put_option(writer, job.over_ms, Writer::number);
    put_option(writer, job.failure.as_ref(), |writer, failure| {
        failure.encode(writer);
    });
    job.maps.encode(writer);
    job.reduces.encode(writer);
    job.input.encode(writer);
    put_counters(writer, job.counters.iter());
    writer.number(job.skipped);
    writer.number(job.poisonous.into());
    job.history.encode(writer);
    writer.number(job.outputs.len() as u64);
    for (attempt, bytes) in &job.outputs {
        writer.number((*attempt).into());
        writer.number(*bytes);
    }
}

fn take_job_head(reader: &mut Reader<'_>) -> Job {
    let (id, spec) = (take_job(reader), Spec::decode(reader));
    let is_valid = spec.is_valid();
    let mut job = Job::new(id, spec, 0);
    job.phase = Phase::decode(reader);
    job.submitted_ms = reader.number();
    job.started_ms = take_option(reader, Reader::number);
    job.over_ms = take_option(reader, Reader::number);
    job.failure = take_option(reader, |reader| Box::new(JobFailure::decode(reader)));
    job.maps = Tally::decode(reader);
    job.reduces = Tally::decode(reader);
    job.input = Input::decode(reader);
    job.counters = take_counters_unsorted(reader);
    job.skipped = reader.number();
    job.poisonous = take_u32(reader);
    job.history = super::history::History::decode(reader);
    job.outputs = reader.list(2, |reader| (take_u32(reader), reader.number()));
    let names = &job.counters;
    let is_twice = |at: usize| names[..at].iter().any(|(name, _)| *name == names[at].0);
    let is_all = job.outputs.is_empty() || job.outputs.len() == job.spec.partitions as usize;
    if !is_valid || !is_all || names.len() > COUNTERS_MAX || (0..names.len()).any(is_twice) {
        reader.refuse("a job cannot be");
    }
    job
}

fn put_tasks(writer: &mut Writer, job: &Job) {
    writer.number(job.splits.len() as u64);
    job.splits.iter().for_each(|split| split.encode(writer));
    if job.phase == Phase::Waiting {
        return;
    }
    for table in &job.tables {
        table.iter().for_each(|(_, task)| put_task(writer, task));
    }
}

fn take_tasks(reader: &mut Reader<'_>, job: &mut Job) {
    let splits = reader.list(3, Split::decode);
    if splits.len() > SPLITS_MAX || splits.iter().any(|split| split.start > split.end) {
        return reader.refuse("the splits of a job cannot be");
    }
    let sizes = [splits.len(), job.spec.partitions as usize, 1];
    job.splits = splits.into_iter().collect();
    if job.phase == Phase::Waiting {
        if input(job) != job.input {
            reader.refuse("the splits of a job are not what it says of them");
        }
        return;
    }
    for (kind, size) in [Kind::Map, Kind::Reduce, Kind::Publish]
        .into_iter()
        .zip(sizes)
    {
        let mut tasks = Vec::new();
        for index in 0..size as u32 {
            tasks.push(take_task(reader, job, TaskId { kind, index }));
            // A number of tasks that is not there costs nothing.
            if reader.check().is_err() {
                return;
            }
        }
        job.tables[kind as usize] = tasks.into_iter().collect();
    }
    index(job);
    if !is_consistent(job) {
        reader.refuse("the tasks of a job are not what it says of them");
    }
}

/// Finds out which attempts are live.
fn index(job: &mut Job) {
    for (kind, table) in [Kind::Map, Kind::Reduce, Kind::Publish]
        .into_iter()
        .zip(&job.tables)
    {
        for (index, task) in table.iter() {
            for attempt in task.live() {
                let id = AttemptId::new(TaskId { kind, index }, attempt.number);
                job.held.insert((attempt.worker, id));
                job.leases.extend(attempt.until_ms.map(|ms| (ms, id)));
            }
        }
    }
}

/// How much of its input a job has read.
fn input(job: &Job) -> Input {
    let tasks = &job.tables[Kind::Map as usize];
    let mut input = Input::default();
    for (split, index) in job.splits.iter().zip(0..) {
        let bytes = split.bytes();
        input.bytes = input.bytes.wrapping_add(bytes);
        if tasks.get(index).is_some_and(|task| task.winner().is_some()) {
            input.read = input.read.wrapping_add(bytes);
        }
    }
    input
}

fn is_consistent(job: &Job) -> bool {
    let tally = |table: &Table| {
        let winners = table.iter().filter_map(|(_, task)| task.winner());
        Tally {
            total: table.len(),
            completed: table.completed(),
            bytes: winners.fold(0, |sum, winner| sum.wrapping_add(winner.bytes)),
        }
    };
    let [maps, reduces, publish] = &job.tables;
    let unbegun = |table: &Table| {
        let begun = table.iter().map(|(_, task)| task.given > 0);
        begun.is_sorted_by(|one, next| one >= next)
    };
    let phase = if reduces.is_done() {
        Phase::Publishing
    } else if maps.is_done() {
        Phase::Reducing
    } else {
        Phase::Mapping
    };
    tally(maps) == job.maps
        && tally(reduces) == job.reduces
        && input(job) == job.input
        && job.tables.iter().all(unbegun)
        && !publish.is_done()
        && phase == job.phase
}

const OPEN: u8 = 0;
const COMPLETED: u8 = 1;

fn put_task(writer: &mut Writer, task: &Task) {
    writer.number(task.given.into());
    writer.number(task.failures.into());
    put_option(writer, task.trouble.as_ref(), |writer, trouble| {
        writer.number(trouble.deaths.into());
        writer.number(trouble.at);
        put_option(writer, trouble.suspect, Writer::number);
        put_option(writer, trouble.range, |writer, range| range.encode(writer));
        put_ascending(writer, &trouble.skip);
    });
    match &task.state {
        State::Open(attempts) => {
            writer.byte(OPEN);
            writer.number(attempts.len() as u64);
            for attempt in attempts {
                writer.number(attempt.number.into());
                writer.number(attempt.worker.0);
                writer.number(attempt.since_ms);
                put_option(writer, attempt.until_ms, Writer::number);
                writer.number(attempt.skipped.into());
                put_option(writer, attempt.probe, |writer, probe| probe.encode(writer));
                attempt.progress.encode(writer);
            }
        }
        State::Completed(winner) => {
            writer.byte(COMPLETED);
            writer.number(winner.attempt.into());
            writer.number(winner.worker.0);
            writer.number(winner.took_ms);
            writer.number(winner.skipped.into());
            writer.number(winner.bytes);
            writer.raw(&winner.partitions);
            writer.number(winner.counters.len() as u64);
            for (place, value) in &winner.counters {
                writer.number((*place).into());
                writer.number(*value);
            }
        }
    }
}

fn take_task(reader: &mut Reader<'_>, job: &Job, id: TaskId) -> Task {
    let (given, failures) = (take_u32(reader), take_u32(reader));
    let trouble = take_option(reader, |reader| Trouble {
        deaths: take_u32(reader),
        at: reader.number(),
        suspect: take_option(reader, Reader::number),
        range: take_option(reader, Range::decode),
        skip: take_ascending(reader),
    });
    let state = match reader.byte() {
        OPEN => State::Open(reader.list(9, take_attempt)),
        COMPLETED => State::Completed(Arc::new(take_winner(reader, job, id.kind))),
        _ => reader.fail("no state of a task"),
    };
    let task = Task {
        given,
        failures,
        trouble: trouble.map(Box::new),
        state,
    };
    if !is_possible(&task) {
        reader.refuse("a task cannot be");
    }
    task
}

fn is_possible(task: &Task) -> bool {
    let attempts = task.attempts();
    let is_probe_live = |it: &Attempt| {
        it.is_live() && it.probe.is_some_and(|probe| probe.start < probe.end) || it.probe.is_none()
    };
    let is_trouble = |trouble: &Trouble| {
        trouble.skip.len() <= SKIP_MAX as usize
            && trouble.range.is_none_or(|range| range.start < range.end)
    };
    attempts.is_sorted_by(|one, next| one.number < next.number)
        && attempts
            .iter()
            .all(|it| it.number < task.given && is_probe_live(it))
        && attempts.len() <= KNOWN_MAX
        && task.winner().is_none_or(|it| it.attempt < task.given)
        && task.trouble.as_deref().is_none_or(is_trouble)
}

fn take_attempt(reader: &mut Reader<'_>) -> Attempt {
    Attempt {
        number: take_u32(reader),
        worker: take_worker(reader),
        since_ms: reader.number(),
        until_ms: take_option(reader, Reader::number),
        skipped: take_u32(reader),
        probe: take_option(reader, Range::decode),
        progress: Progress::decode(reader),
    }
}

fn take_winner(reader: &mut Reader<'_>, job: &Job, kind: Kind) -> Winner {
    let bytes = match kind {
        Kind::Map => job.spec.partitions.div_ceil(8) as usize,
        Kind::Reduce | Kind::Publish => 0,
    };
    let winner = Winner {
        attempt: take_u32(reader),
        worker: take_worker(reader),
        took_ms: reader.number(),
        skipped: take_u32(reader),
        bytes: reader.number(),
        partitions: Box::from(&reader.take(bytes)[..]),
        counters: reader.list(2, take_counter).into(),
    };
    let is_known = |(place, _): &(u16, u64)| usize::from(*place) < job.counters.len();
    if winner.counters.len() > ATTEMPT_COUNTERS_MAX || !winner.counters.iter().all(is_known) {
        reader.refuse("a task has counters that its job has not");
    }
    winner
}

fn take_counter(reader: &mut Reader<'_>) -> (u16, u64) {
    let (place, value) = (reader.number(), reader.number());
    // A place that is none is refused below.
    (u16::try_from(place).unwrap_or(u16::MAX), value)
}
