//! The encoding by examples: what is in a log, or on its way from a node of another version, must be
//! read as it was meant. A line that is here never changes.

use core::fmt::Debug;

use bytes::Bytes;
use quorate_rsm::wire::Malformed;

use super::*;

const COMMANDS: [&str; 14] = [
    "01 08 90 4e 04 01 03 02 7b 7d",
    "02 ac 02 07 02 01 ac 02 d8 04 00 00 00",
    "03 ac 02",
    "04 ac 02",
    "05 ac 02",
    "06 05 00",
    "06 05 01 ac 02",
    "07 05 ac 02 00 07 02 09 63 8f 03 99 03",
    "08 05 ac 02 00 07 02 02 00 ac 02 02 01 61 01 01 62 ac 02",
    "08 05 ac 02 02 00 02 01 05 00",
    "09 05 ac 02 00 07 02 01 8f 03 06 54 48 52 4f 57 4e 02 6e 6f",
    "09 05 ac 02 01 ac 02 02 00 06 54 48 52 4f 57 4e 02 6e 6f",
    "0a 05 ac 02 00 07 02",
    "0b 05 01",
];

const QUERIES: [&str; 7] = [
    "41 ac 02",
    "42",
    "43 ac 02 ac 02 05",
    "44 ac 02",
    "45 00",
    "45 01 ac 02",
    "46 ac 02",
];

const REPLIES: [&str; 24] = [
    "01 ac 02",
    "02 ac 02",
    "03 01",
    "04",
    "05 ac 02 00 07 02 01 ac 02 d8 04 00 00 90 4e",
    "05 ac 02 00 07 02 01 ac 02 d8 04 01 ac 02 c2 03 03 00 b6 02 0a 90 4e",
    "06 ac 02 01 03 02 02 00 01 ac 02 00 01 04 90 4e",
    "07 ac 02 02 00 02 02 00 ac 02 90 4e",
    "08 e8 07",
    "09 06",
    "0a 90 4e",
    "0b 00",
    "0b 01 ac 02",
    "0c",
    "0d ac 02",
    "0e",
    "0f 05 a8 46 01 01 02 00 ac 02 02 e8 07 00 00 00 ac 02 07 01 02 01 61 01 01 62 ac 02 01 00 07 02 05 03 ac 02 01 09 63 8f 03 99 03 01 00 07 02 05 01 8f 03 06 54 48 52 4f 57 4e 02 6e 6f 0c",
    "10 01 ac 02 04 00 00 00 00 00 00",
    "11 01 ac 02 02 ac 02 01 01 00 07 02 05 00 ac 02 0c 00 05 ac 02",
    "12 08 90 4e 04 01 03 02 7b 7d",
    "13 01",
    "14 02 00 05 ac 02 00",
    "00 02 ac 02",
    "00 07 00",
];

/// Every error with its number and what it names.
const ERRORS: [&str; 14] = [
    "01 00", "02 07", "03 07", "04 07", "05 07", "06 07", "07 00", "08 07", "09 00", "0a 00",
    "0b 00", "0c 07", "0d 07", "0e 00",
];

const JOB: JobId = JobId(300);
const WORKER: WorkerId = WorkerId(5);

fn attempt(task: TaskId) -> AttemptId {
    let attempt = 2;
    AttemptId { task, attempt }
}

fn spec() -> Spec {
    Spec {
        partitions: 8,
        lease_ms: 10_000,
        attempts_max: 4,
        backup: true,
        skip_max: 3,
        description: Bytes::from_static(b"{}"),
    }
}

fn split() -> Split {
    Split {
        source: 1,
        start: 300,
        end: 600,
    }
}

fn progress() -> Progress {
    Progress {
        records: 9,
        bytes: 99,
        at: 399,
        next: 409,
    }
}

fn counters() -> Vec<(String, u64)> {
    vec![("a".to_owned(), 1), ("b".to_owned(), 300)]
}

fn failure(offset: Option<u64>) -> Failure {
    Failure {
        offset,
        code: "THROWN".to_owned(),
        message: "no".to_owned(),
    }
}

fn commands() -> [Command; 14] {
    let (job, worker) = (JOB, WORKER);
    let [map, reduce, publish] =
        [TaskId::map(7), TaskId::reduce(300), TaskId::PUBLISH].map(attempt);
    let fail = |attempt, offset| Command::Fail {
        worker,
        job,
        attempt,
        failure: failure(offset),
    };
    let complete = |attempt, sizes: &[u64], counters| Command::Complete {
        worker,
        job,
        attempt,
        outcome: Outcome {
            sizes: sizes.to_vec(),
            counters,
        },
    };
    [
        Command::Submit { spec: spec() },
        Command::AddSplits {
            job,
            first: 7,
            splits: vec![split(), Split::default()],
        },
        Command::Start { job },
        Command::Cancel { job },
        Command::Forget { job },
        Command::Ask { worker, job: None },
        Command::Ask {
            worker,
            job: Some(job),
        },
        Command::Renew {
            worker,
            job,
            attempt: map,
            progress: progress(),
        },
        complete(map, &[0, 300], counters()),
        complete(publish, &[5], Vec::new()),
        fail(map, Some(399)),
        fail(reduce, None),
        Command::Lost {
            worker,
            job,
            attempt: map,
        },
        Command::Left { worker, died: true },
    ]
}

fn queries() -> [Query; 7] {
    let (job, after, limit) = (JOB, 300, 5);
    [
        Query::Status { job },
        Query::Jobs,
        Query::Events { job, after, limit },
        Query::Spec { job },
        Query::Ready { job: None },
        Query::Ready { job: Some(job) },
        Query::Outputs { job },
    ]
}

fn status() -> Status {
    let tally = Tally {
        total: 300,
        completed: 2,
        bytes: 1_000,
    };
    Status {
        phase: Phase::Failed,
        time_ms: 9_000,
        submitted_ms: 1,
        started_ms: Some(2),
        over_ms: None,
        maps: tally,
        reduces: Tally::default(),
        input: Input {
            bytes: 300,
            read: 7,
        },
        skipped: 1,
        counters: counters(),
        at_work: vec![AtWork {
            attempt: attempt(TaskId::map(7)),
            worker: WORKER,
            since_ms: 3,
            until_ms: 300,
            is_probe: true,
            progress: progress(),
        }],
        failure: Some(JobFailure {
            attempt: attempt(TaskId::map(7)),
            worker: WORKER,
            failure: failure(Some(399)),
        }),
        events: 12,
    }
}

fn replies() -> [Reply; 24] {
    let job = JOB;
    let map = |probe, skip: &[u64]| {
        Reply::Map(MapWork {
            job,
            attempt: attempt(TaskId::map(7)),
            split: split(),
            probe,
            skip: skip.to_vec(),
            lease_ms: 10_000,
        })
    };
    let event = |attempt, detail| Event {
        time_ms: 300,
        what: if detail == 0 { What::Given } else { What::Gone },
        attempt,
        worker: WORKER,
        detail,
    };
    [
        Reply::Submitted { job },
        Reply::Splits { count: 300 },
        Reply::Phase {
            phase: Phase::Mapping,
        },
        Reply::Done,
        map(None, &[]),
        map(
            Some(Range {
                start: 300,
                end: 450,
            }),
            &[0, 310, 320],
        ),
        Reply::Reduce(ReduceWork {
            job,
            attempt: attempt(TaskId::reduce(3)),
            maps: vec![(0, 1), (300, 0)],
            skip: vec![4],
            lease_ms: 10_000,
        }),
        Reply::Publish(PublishWork {
            job,
            attempt: attempt(TaskId::PUBLISH),
            outputs: vec![0, 300],
            lease_ms: 10_000,
        }),
        Reply::Wait { ms: 1_000 },
        Reply::Over {
            phase: Phase::Cancelled,
        },
        Reply::Continue { lease_ms: 10_000 },
        Reply::Stop { winner: None },
        Reply::Stop { winner: Some(300) },
        Reply::Won,
        Reply::Lost { winner: 300 },
        Reply::Probed,
        Reply::Status(Box::new(status())),
        Reply::Jobs(vec![Summary {
            job,
            phase: Phase::Completed,
            maps: Tally::default(),
            reduces: Tally::default(),
        }]),
        Reply::Events {
            first: 1,
            end: 300,
            events: vec![event(Some(attempt(TaskId::map(7))), 0), event(None, 300)],
        },
        Reply::Spec(spec()),
        Reply::Ready(true),
        Reply::Outputs(vec![(0, 5), (300, 0)]),
        Reply::Failed(CoordinatorError::UnknownJob { job }),
        Reply::Failed(CoordinatorError::BadSpec),
    ]
}

fn errors() -> [CoordinatorError; 14] {
    let (job, index, attempt) = (JobId(7), 7, 7);
    [
        CoordinatorError::Malformed,
        CoordinatorError::UnknownJob { job },
        CoordinatorError::JobStarted { job },
        CoordinatorError::JobOver { job },
        CoordinatorError::NotStarted { job },
        CoordinatorError::NotOver { job },
        CoordinatorError::BadSpec,
        CoordinatorError::BadSplit { index },
        CoordinatorError::TooManyJobs,
        CoordinatorError::TooManySplits,
        CoordinatorError::TooManyCounters,
        CoordinatorError::UnknownTask { index },
        CoordinatorError::UnknownAttempt { attempt },
        CoordinatorError::BadOutcome,
    ]
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("the examples are ASCII");
        u8::from_str_radix(pair, 16).expect("the examples are hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

/// What one thing alone encodes to: every other byte string is no thing, or another one.
fn check<T: PartialEq + Debug>(
    hex: &str,
    thing: &T,
    decode: fn(&Bytes) -> core::result::Result<T, Malformed>,
    encode: fn(&T) -> Bytes,
) {
    let bytes = bytes(hex);
    assert_eq!(encode(thing), bytes, "{thing:?}");
    assert_eq!(decode(&bytes).as_ref(), Ok(thing));
    for len in 0..bytes.len() {
        assert!(
            decode(&bytes.slice(..len)).is_err(),
            "{thing:?} up to {len}"
        );
    }
    for at in 0..=bytes.len() {
        for value in 0..=u8::MAX {
            let mut changed = bytes.to_vec();
            match changed.get_mut(at) {
                Some(byte) => *byte = value,
                None => changed.push(value),
            }
            let changed = changed.into();
            if let Ok(other) = decode(&changed) {
                assert_eq!(encode(&other), changed, "{thing:?} with {value} at {at}");
            }
        }
    }
}

#[test]
fn the_encoding_is_that_of_the_examples() {
    for (hex, command) in COMMANDS.iter().zip(&commands()) {
        check(hex, command, Command::decode, Command::encode);
        assert!(Query::decode(&command.encode()).is_err());
    }
    for (hex, query) in QUERIES.iter().zip(&queries()) {
        check(hex, query, Query::decode, Query::encode);
        assert!(Command::decode(&query.encode()).is_err());
    }
    for (hex, reply) in REPLIES.iter().zip(&replies()) {
        check(hex, reply, Reply::decode, Reply::encode);
    }
    for (hex, error) in ERRORS.iter().zip(errors()) {
        let (hex, reply) = (format!("00 {hex}"), Reply::Failed(error));
        check(&hex, &reply, Reply::decode, Reply::encode);
    }
}

#[test]
fn codes_are_the_names_of_the_errors() {
    let codes = errors().map(CoordinatorError::code);
    let expected = "MALFORMED UNKNOWN_JOB JOB_STARTED JOB_OVER NOT_STARTED NOT_OVER BAD_SPEC BAD_SPLIT \
        TOO_MANY_JOBS TOO_MANY_SPLITS TOO_MANY_COUNTERS UNKNOWN_TASK UNKNOWN_ATTEMPT BAD_OUTCOME";
    assert_eq!(codes.join(" "), expected);
}
