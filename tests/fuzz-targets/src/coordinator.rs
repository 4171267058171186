//! Commands and queries of the coordinator of MapReduce, well-formed or not; then its snapshot.
//!
//! Every answer can be read, what fails changes nothing, no attempt is given twice, of a task one attempt
//! wins unless what it stored is lost, and what is decoded is encoded to the same again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crc::{CRC_32_ISO_HDLC, Crc};
use quorate_mapreduce::coordinator::{
    AttemptId, Command, Coordinator, Failure, JobId, Kind, Outcome, Progress, Query, Reply, Spec,
    Split, TaskId, WorkerId,
};
use quorate_raft::{Index, Term};
use quorate_rsm::{ApplyContext, StateMachine};

use crate::shards::{restore, stream};
use crate::source::Source;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(8) {
        0 => run_snapshot(&mut source),
        1 => run_codecs(&Bytes::copy_from_slice(source.rest())),
        _ => run_commands(&mut source),
    }
}

/// Any bytes, as everything that they may be.
fn run_codecs(data: &Bytes) {
    if let Ok(command) = Command::decode(data) {
        assert_eq!(command.encode(), data);
    }
    if let Ok(query) = Query::decode(data) {
        assert_eq!(query.encode(), data);
    }
    if let Ok(reply) = Reply::decode(data) {
        assert_eq!(reply.encode(), data);
    }
}

/// A stream, as it is or with a right checksum, in chunks of one size.
fn run_snapshot(source: &mut Source<'_>) {
    let (size, seals) = (1 + usize::from(source.byte()), source.flag());
    let mut bytes = source.rest().to_vec();
    if seals {
        let sum = CRC.checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
    }
    if let Some(mut coordinator) = restore::<Coordinator>(&bytes, size) {
        assert_eq!(stream(&coordinator), bytes, "it comes out as it went in");
        // It can be worked with.
        for worker in 1..8 {
            let (worker, job) = (WorkerId(worker), None);
            apply(
                &mut coordinator,
                1 << 40,
                &Command::Ask { worker, job }.encode(),
            );
        }
        coordinator.tick(&context(u64::MAX));
        check_snapshot(&coordinator, size);
    }
}

fn context(time_ms: u64) -> ApplyContext {
    ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms,
    }
}

fn apply(coordinator: &mut Coordinator, now_ms: u64, command: &Bytes) -> Reply {
    let before = stream(coordinator);
    let reply = Reply::decode(&coordinator.apply(&context(now_ms), command));
    let reply = reply.expect("a reply can be read");
    if matches!(reply, Reply::Failed(_)) {
        assert_eq!(stream(coordinator), before);
    }
    reply
}

fn run_commands(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let mut coordinator = Coordinator::default();
    let mut now_ms = 0;
    let mut given = BTreeSet::new();
    let mut held = Vec::new();
    let mut won = BTreeMap::new();
    while !source.is_empty() {
        match source.below(6) {
            0 => drop(Reply::decode(&coordinator.query(&query(source))).expect("a reply")),
            1 => {
                now_ms += source.below(1_000);
                if coordinator.due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
                    coordinator.tick(&context(now_ms));
                }
                assert!(coordinator.due_ms().is_none_or(|due_ms| due_ms > now_ms));
            }
            _ => {
                let command = command(source, &held);
                let reply = apply(&mut coordinator, now_ms, &command);
                if let (Ok(Command::Ask { worker, .. }), Some((job, attempt))) =
                    (Command::decode(&command), attempt_of(&reply))
                {
                    assert!(given.insert((job, attempt)), "{attempt:?} is given twice");
                    held.push((worker, job, attempt));
                }
                match (Command::decode(&command), reply) {
                    (Ok(Command::Complete { job, attempt, .. }), Reply::Won) => {
                        let winner = won.insert((job, attempt.task), attempt.attempt);
                        assert!(winner.is_none_or(|winner| winner == attempt.attempt));
                    }
                    (Ok(Command::Lost { job, attempt, .. }), _) => {
                        won.remove(&(job, attempt.task));
                    }
                    _ => {}
                }
            }
        }
    }
    check_snapshot(&coordinator, size);
}

fn attempt_of(reply: &Reply) -> Option<(JobId, AttemptId)> {
    match reply {
        Reply::Map(work) => Some((work.job, work.attempt)),
        Reply::Reduce(work) => Some((work.job, work.attempt)),
        Reply::Publish(work) => Some((work.job, work.attempt)),
        _ => None,
    }
}

/// Chunks of `size` make the same again.
fn check_snapshot(coordinator: &Coordinator, size: usize) {
    let whole = stream(coordinator);
    let restored = restore::<Coordinator>(&whole, size).expect("its own snapshot");
    assert_eq!(stream(&restored), whole);
}

/// Who has what of which job.
type Held = (WorkerId, JobId, AttemptId);

/// A command, or any bytes.
fn command(source: &mut Source<'_>, held: &[Held]) -> Bytes {
    let (job, worker) = (JobId(1 + source.below(3)), WorkerId(source.below(4)));
    let any = (worker, job, attempt(source));
    // Mostly of one of the last.
    let back = source.below(8) as usize;
    let (holder, held_of, attempt) = *held.iter().rev().nth(back).unwrap_or(&any);
    let command = match source.below(24) {
        0 => return source.bytes(),
        1 => Command::Submit { spec: spec(source) },
        2 => Command::AddSplits {
            job,
            first: few(source, 2) as u32,
            splits: (0..source.below(4)).map(|_| split(source)).collect(),
        },
        3 => Command::Start { job },
        4 if source.below(4) == 0 => Command::Cancel { job },
        5 if source.below(4) == 0 => Command::Forget { job },
        4..=10 => Command::Ask {
            worker,
            job: source.flag().then_some(job),
        },
        11 | 12 => Command::Renew {
            worker: holder,
            job: held_of,
            attempt,
            progress: Progress {
                records: source.near(4),
                bytes: source.near(4),
                at: few(source, 80),
                next: few(source, 80),
            },
        },
        13..=18 => Command::Complete {
            worker: holder,
            job: held_of,
            attempt,
            outcome: outcome(source),
        },
        19 | 20 => Command::Fail {
            worker: holder,
            job: held_of,
            attempt,
            failure: Failure {
                offset: source.flag().then(|| source.below(4)),
                code: "THROWN".to_owned(),
                message: String::new(),
            },
        },
        21 => Command::Lost {
            worker: holder,
            job: held_of,
            attempt,
        },
        _ => Command::Left {
            worker,
            died: source.flag(),
        },
    };
    command.encode()
}

fn spec(source: &mut Source<'_>) -> Spec {
    Spec {
        partitions: 1 + source.below(3) as u32,
        lease_ms: few(source, 2_000),
        attempts_max: few(source, 8) as u32,
        backup: source.flag(),
        skip_max: few(source, 3) as u32,
        description: source.bytes(),
    }
}

/// A number below `end`, or now and then another.
fn few(source: &mut Source<'_>, end: u64) -> u64 {
    match source.below(16) {
        0 => source.near(end),
        _ => source.below(end),
    }
}

fn split(source: &mut Source<'_>) -> Split {
    let start = source.below(3) * 20;
    Split {
        source: source.below(2) as u32,
        start,
        end: few(source, 60).saturating_add(start),
    }
}

fn attempt(source: &mut Source<'_>) -> AttemptId {
    let task = match source.below(4) {
        0 | 1 => TaskId::map(source.below(4) as u32),
        2 => TaskId::reduce(source.below(3) as u32),
        _ => TaskId {
            kind: Kind::Publish,
            index: 0,
        },
    };
    AttemptId {
        task,
        attempt: source.below(4) as u32,
    }
}

fn outcome(source: &mut Source<'_>) -> Outcome {
    let counters = (0..source.below(3)).map(|number| (format!("counter{number}"), source.number()));
    let counters = counters.collect();
    Outcome {
        sizes: (0..1 + source.below(3)).map(|_| source.number()).collect(),
        counters,
    }
}

/// A query, or any bytes.
fn query(source: &mut Source<'_>) -> Bytes {
    let job = JobId(1 + source.below(3));
    let query = match source.below(6) {
        0 => return source.bytes(),
        1 => Query::Status { job },
        2 => Query::Jobs,
        3 => Query::Events {
            job,
            after: source.near(4),
            limit: source.near(4) as u32,
        },
        4 => Query::Spec { job },
        _ => Query::Ready {
            job: source.flag().then_some(job),
        },
    };
    query.encode()
}
