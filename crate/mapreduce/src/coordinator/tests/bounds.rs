//! What is refused, and how much is kept.

use super::*;

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut world = World::started(2, spec(3));
    let (job, worker) = (ONE, WorkerId(1));
    world.given(1, map(0, 0));
    let bad = |change: fn(&mut Spec)| {
        let mut spec = spec(1);
        change(&mut spec);
        (Command::Submit { spec }, CoordinatorError::BadSpec)
    };
    let long = |spec: &mut Spec| {
        spec.description = vec![0; DESCRIPTION_BYTES_MAX + 1].into();
    };
    let complete = |worker: u64, attempt, sizes: &[u64]| Command::Complete {
        worker: WorkerId(worker),
        job,
        attempt,
        outcome: super::sizes(sizes),
    };
    let unknown = CoordinatorError::UnknownAttempt { attempt: 0 };
    let add = |job, first, splits| Command::AddSplits { job, first, splits };
    let cases = [
        bad(|spec| spec.partitions = 0),
        bad(|spec| spec.partitions = PARTITIONS_MAX + 1),
        bad(|spec| spec.lease_ms = 0),
        bad(|spec| spec.lease_ms = LEASE_MS_MAX + 1),
        bad(|spec| spec.attempts_max = 0),
        bad(|spec| spec.attempts_max = ATTEMPTS_MAX + 1),
        bad(|spec| spec.skip_max = SKIP_MAX + 1),
        bad(long),
        (
            Command::Start { job: JobId(9) },
            CoordinatorError::UnknownJob { job: JobId(9) },
        ),
        (
            add(job, 2, splits(1)),
            CoordinatorError::BadSplit { index: 2 },
        ),
        (add(job, 3, vec![]), CoordinatorError::BadSplit { index: 3 }),
        (
            Command::AddSplits {
                job,
                first: 1,
                splits: splits(3).split_off(1),
            },
            CoordinatorError::JobStarted { job },
        ),
        (Command::Forget { job }, CoordinatorError::NotOver { job }),
        (complete(1, map(0, 0), &[1]), CoordinatorError::BadOutcome),
        (complete(2, map(0, 0), &[1, 2, 3]), unknown),
        (complete(1, map(1, 0), &[1, 2, 3]), unknown),
        (
            complete(1, map(2, 0), &[1, 2, 3]),
            CoordinatorError::UnknownTask { index: 2 },
        ),
        (
            Command::Lost {
                worker,
                job,
                attempt: publish(0),
            },
            CoordinatorError::UnknownTask { index: 0 },
        ),
        (
            Command::Lost {
                worker,
                job,
                attempt: map(1, 0),
            },
            unknown,
        ),
    ];
    for (command, error) in cases {
        // The second split of the first list is another than the one that is there.
        let what = format!("{command:?}");
        let refused = match &command {
            Command::AddSplits { first: 2, .. } => CoordinatorError::JobStarted { job },
            _ => error,
        };
        assert_eq!(world.try_tell(command), Err(refused), "{what}");
    }
}

#[test]
fn splits_come_in_order_and_stay_as_they_are() {
    let mut world = World::default();
    world.tell(Command::Submit { spec: spec(1) });
    let job = ONE;
    let add = |first, splits: &[Split]| Command::AddSplits {
        job,
        first,
        splits: splits.to_vec(),
    };
    let all = splits(5);
    assert_eq!(world.tell(add(0, &all[..2])), Reply::Splits { count: 2 });
    assert_eq!(world.tell(add(1, &all[1..4])), Reply::Splits { count: 4 });
    assert_eq!(world.idle(add(0, &all[..4])), Reply::Splits { count: 4 });
    let bad = |index| Err(CoordinatorError::BadSplit { index });
    assert_eq!(world.try_tell(add(5, &all[4..])), bad(5), "one is left out");
    assert_eq!(world.try_tell(add(1, &all[2..])), bad(1), "it is another");
    let backwards = Split {
        source: 0,
        start: 2,
        end: 1,
    };
    assert_eq!(world.try_tell(add(4, &[backwards])), bad(4));
    let (worker, attempt) = (WorkerId(1), map(0, 0));
    let early = Command::Lost {
        worker,
        job,
        attempt,
    };
    let not_started = CoordinatorError::NotStarted { job };
    assert_eq!(world.try_tell(early), Err(not_started));
    world.tell(Command::Cancel { job });
    let over = CoordinatorError::JobOver { job };
    assert_eq!(world.try_tell(add(4, &all[4..])), Err(over));
}

#[test]
fn so_many_jobs_can_be_under_way_and_so_many_are_remembered() {
    let mut coordinator = Coordinator::default();
    let submit = || Command::Submit { spec: spec(1) };
    for _ in 0..JOBS_MAX {
        coordinator.execute(0, submit()).expect("there is room");
    }
    let full = Err(CoordinatorError::TooManyJobs);
    assert_eq!(coordinator.execute(0, submit()), full);
    for job in 1..=(OVER_MAX as u64 + 10) {
        let job = JobId(job);
        coordinator
            .execute(0, Command::Cancel { job })
            .expect("it is there");
        coordinator.execute(0, submit()).expect("there is room");
    }
    let Ok(Reply::Jobs(jobs)) = coordinator.answer(Query::Jobs) else {
        panic!("jobs")
    };
    assert_eq!(jobs.len(), JOBS_MAX + OVER_MAX);
    assert_eq!(jobs[0].job, JobId(11), "the first ones are forgotten");
    assert_eq!(
        state(&restored(&state(&coordinator)).expect("its own")),
        state(&coordinator)
    );
}

#[test]
fn so_many_splits_can_be_in_a_job_and_in_all() {
    let mut coordinator = Coordinator::default();
    let mut add = |job: u64, first: usize, count: usize| {
        let (job, first, splits) = (JobId(job), first as u32, vec![Split::default(); count]);
        coordinator.execute(0, Command::AddSplits { job, first, splits })
    };
    let unknown = CoordinatorError::UnknownJob { job: ONE };
    assert_eq!(add(1, 0, 1), Err(unknown));
    for job in 1..=5 {
        coordinator
            .execute(0, Command::Submit { spec: spec(1) })
            .expect("there is room");
        let mut add = |first: usize, count: usize| {
            let (job, first, splits) = (JobId(job), first as u32, vec![Split::default(); count]);
            coordinator.execute(0, Command::AddSplits { job, first, splits })
        };
        let full = Err(CoordinatorError::TooManySplits);
        if job == 5 {
            assert_eq!(add(0, 1), full);
        } else {
            assert_eq!(add(0, SPLITS_MAX + 1), full);
            assert!(add(0, SPLITS_MAX).is_ok());
            assert_eq!(add(SPLITS_MAX, 1), full);
        }
    }
}

#[test]
fn a_job_has_so_many_counters() {
    let mut world = World::started(20, spec(1));
    let mut complete = |index: u32, first: usize, count: usize| {
        world.given(1, map(index, 0));
        let name = |number| (format!("{number:04}"), 1);
        world.try_tell(Command::Complete {
            worker: WorkerId(1),
            job: ONE,
            attempt: map(index, 0),
            outcome: Outcome {
                sizes: vec![1],
                counters: (first..first + count).map(name).collect(),
            },
        })
    };
    for index in 0..16 {
        let first = index as usize * ATTEMPT_COUNTERS_MAX;
        assert_eq!(complete(index, first, ATTEMPT_COUNTERS_MAX), Ok(Reply::Won));
    }
    assert_eq!(complete(16, COUNTERS_MAX - 1, 1), Ok(Reply::Won));
    let many = CoordinatorError::TooManyCounters;
    assert_eq!(complete(17, COUNTERS_MAX, 1), Err(many));
}

#[test]
fn the_last_events_are_kept_and_a_reader_sees_what_it_missed() {
    let mut coordinator = Coordinator::default();
    let mut tell = |command| coordinator.execute(0, command).expect("it can be done");
    let (job, worker) = (ONE, WorkerId(1));
    tell(Command::Submit { spec: spec(1) });
    tell(Command::AddSplits {
        job,
        first: 0,
        splits: splits(1),
    });
    tell(Command::Start { job });
    let rounds = HISTORY_MAX;
    for _ in 0..rounds {
        tell(Command::Ask { worker, job: None });
        let died = false;
        tell(Command::Left { worker, died });
    }
    let read = |coordinator: &Coordinator, after| {
        let limit = u32::MAX;
        match coordinator.answer(Query::Events { job, after, limit }) {
            Ok(Reply::Events { first, end, events }) => (first, end, events.len() as u64),
            other => panic!("{other:?}"),
        }
    };
    let (first, end, count) = read(&coordinator, 0);
    assert_eq!(end, 2 + 2 * rounds);
    assert_eq!(count, u64::from(EVENTS_MAX));
    assert!((HISTORY_MAX..HISTORY_MAX + 256).contains(&(end - first)));
    assert_eq!(read(&coordinator, end - 7), (end - 7, end, 7));
    assert_eq!(read(&coordinator, end + 7), (end, end, 0));
    let again = restored(&state(&coordinator)).expect("its own snapshot");
    assert_eq!(read(&again, 0), (first, end, count));
}

#[test]
fn jobs_that_are_over_keep_so_many_events_together() {
    let mut coordinator = Coordinator::default();
    let worker = WorkerId(1);
    for number in 1..=12 {
        let job = JobId(number);
        let mut tell = |command| coordinator.execute(0, command).expect("it can be done");
        tell(Command::Submit { spec: spec(1) });
        tell(Command::AddSplits {
            job,
            first: 0,
            splits: splits(1),
        });
        tell(Command::Start { job });
        for _ in 0..HISTORY_MAX / 2 {
            tell(Command::Ask { worker, job: None });
            let died = false;
            tell(Command::Left { worker, died });
        }
        tell(Command::Cancel { job });
    }
    let kept = |job| {
        let job = JobId(job);
        let (after, limit) = (0, 1);
        match coordinator.answer(Query::Events { job, after, limit }) {
            Ok(Reply::Events { first, end, .. }) => end - first,
            other => panic!("{other:?}"),
        }
    };
    let all: Vec<u64> = (1..=12).map(kept).collect();
    assert!(all.iter().sum::<u64>() <= OVER_EVENTS_MAX, "{all:?}");
    assert!(all.is_sorted(), "those of the first jobs go first: {all:?}");
    assert!(all[11] >= HISTORY_MAX);
}
