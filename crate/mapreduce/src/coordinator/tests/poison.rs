//! Records that end an attempt, or its worker.

use super::*;

fn skipping(skip_max: u32) -> Spec {
    Spec {
        skip_max,
        ..spec(1)
    }
}

fn work(reply: Reply) -> MapWork {
    match reply {
        Reply::Map(work) => work,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_that_fails_twice_is_skipped() {
    let mut world = World::started(1, skipping(1));
    world.given(1, map(0, 0));
    assert_eq!(world.fail(1, map(0, 0), Some(42)), Phase::Mapping);
    assert!(work(world.given(1, map(0, 1))).skip.is_empty());
    assert_eq!(world.fail(1, map(0, 1), Some(42)), Phase::Mapping);
    assert_eq!(work(world.given(1, map(0, 2))).skip, [42]);
    assert_eq!(world.status().skipped, 0);
    world.complete(1, map(0, 2), sizes(&[1]));
    assert_eq!(world.status().skipped, 1);
}

#[test]
fn one_more_than_may_be_skipped_fails_the_job() {
    let mut world = World::started(1, skipping(2));
    for offset in [10, 20, 30] {
        for _ in 0..2 {
            assert_eq!(world.phase(), Phase::Mapping);
            let attempt = named(&world.ask(1)).expect("there is a task");
            world.fail(1, attempt, Some(offset));
        }
    }
    let status = world.status();
    assert_eq!(status.phase, Phase::Failed);
    let failure = status.failure.expect("it failed");
    assert_eq!(failure.attempt, map(0, 5));
    assert_eq!(failure.failure, failed(Some(30)));
}

#[test]
fn an_attempt_that_was_begun_before_a_record_was_known_is_no_failure() {
    let backup = Spec {
        backup: true,
        attempts_max: 3,
        lease_ms: 100_000,
        ..skipping(1)
    };
    let mut world = World::started(2, backup);
    world.given(1, map(0, 0));
    world.given(2, map(1, 0));
    world.complete(2, map(1, 0), sizes(&[1]));
    world.pass(10);
    world.given(2, map(0, 1));
    world.fail(1, map(0, 0), Some(42));
    world.pass(10);
    world.given(1, map(0, 2));
    world.fail(1, map(0, 2), Some(42));
    world.given(1, map(0, 3));
    assert_eq!(world.fail(2, map(0, 1), Some(42)), Phase::Mapping);
    assert_eq!(world.complete(1, map(0, 3), sizes(&[1])), Reply::Won);
    assert_eq!(world.status().skipped, 1);
}

#[test]
fn so_many_attempts_may_fail_and_the_job_says_what_the_last_one_did() {
    for (what, code) in [(0, "THROWN"), (1, "LEASE_EXPIRED"), (2, "WORKER_DIED")] {
        // A split without a byte: no record of it can be looked for.
        let mut world = World::default();
        let spec = spec(1);
        world.tell(Command::Submit { spec });
        let (job, first) = (ONE, 0);
        let splits = vec![Split::default()];
        world.tell(Command::AddSplits { job, first, splits });
        world.tell(Command::Start { job });
        for attempt in 0..4 {
            assert_eq!(world.phase(), Phase::Mapping);
            world.given(1, map(0, attempt));
            match what {
                0 => drop(world.fail(1, map(0, attempt), None)),
                1 => world.pass(LEASE),
                _ => world.left(1, true),
            }
        }
        let failure = world.status().failure.expect("it failed");
        assert_eq!(failure.attempt, map(0, 3));
        assert_eq!(failure.failure.code, code);
    }
}

#[test]
fn who_leaves_fails_nothing() {
    let mut world = World::started(1, spec(1));
    for attempt in 0..20 {
        world.given(1, map(0, attempt));
        world.left(1, false);
    }
    assert_eq!(world.phase(), Phase::Mapping);
}

/// Where records begin in the split, each ending where the next begins.
const RECORDS: [u64; 9] = [0, 3, 17, 18, 40, 41, 70, 95, 100];

/// What a worker does with a task of which the record at `poison` kills it; how many workers died.
fn search(world: &mut World, poison: u64, says_where: bool, lasts: usize) -> u64 {
    let mut died = 0;
    for worker in 1..100 {
        let reply = world.ask(worker);
        let Reply::Map(work) = reply else {
            return died;
        };
        let range = work.probe.unwrap_or(Range { start: 0, end: 100 });
        let begins = RECORDS
            .windows(2)
            .filter(|it| (range.start..range.end).contains(&it[0]));
        let mut records = begins.filter(|it| !work.skip.contains(&it[0])).peekable();
        if let Some(first) = records
            .peek()
            .filter(|_| says_where && work.probe.is_some())
        {
            world.renew(worker, work.attempt, first[0], first[1]);
        }
        let dies = records.any(|it| it[0] == poison) && died < lasts as u64;
        if dies {
            died += 1;
            world.left(worker, true);
        } else if work.probe.is_some() {
            let probed = world.complete(worker, work.attempt, Outcome::default());
            assert_eq!(probed, Reply::Probed);
        } else {
            world.complete(worker, work.attempt, sizes(&[1]));
            return died;
        }
    }
    panic!("it never ends")
}

#[test]
fn a_record_that_kills_its_worker_is_found() {
    for poison in &RECORDS[..8] {
        for (says_where, deaths_max) in [(true, 9), (false, 10)] {
            let mut world = World::started(1, skipping(1));
            let died = search(&mut world, *poison, says_where, usize::MAX);
            assert!(died <= deaths_max, "{died} died of {poison}");
            let Reply::Events { events, .. } = world
                .coordinator
                .answer(Query::Events {
                    job: ONE,
                    after: 0,
                    limit: EVENTS_MAX,
                })
                .expect("the job is there")
            else {
                panic!("events")
            };
            let skipped = events.iter().filter(|event| event.what == What::Skipped);
            let skipped: Vec<u64> = skipped.map(|event| event.detail).collect();
            assert_eq!(skipped, [*poison]);
            assert_eq!(world.status().skipped, 1);
            assert_eq!(world.phase(), Phase::Reducing);
        }
    }
}

#[test]
fn a_record_that_kills_its_worker_and_may_not_be_skipped_is_named() {
    let mut world = World::started(1, spec(1));
    search(&mut world, 41, true, usize::MAX);
    let failure = world.status().failure.expect("it failed");
    assert_eq!(failure.failure.offset, Some(41));
    assert_eq!(failure.failure.code, "WORKER_DIED");
}

#[test]
fn what_a_worker_said_last_narrows_the_search() {
    let mut world = World::started(1, skipping(1));
    for (worker, at) in [(1, 41), (2, 18)] {
        let attempt = named(&world.ask(worker)).expect("there is a task");
        world.renew(worker, attempt, at, at + 1);
        world.left(worker, true);
    }
    let probe = work(world.ask(3)).probe;
    assert_eq!(probe, Some(Range { start: 41, end: 71 }));
    world.left(3, false);
    assert_eq!(
        work(world.ask(3)).probe,
        probe,
        "nobody's fault tells nothing"
    );
}

#[test]
fn workers_that_die_of_something_else_lead_to_no_record() {
    for deaths in 2..5 {
        let mut world = World::started(1, skipping(1));
        search(&mut world, 41, true, deaths);
        assert_eq!(world.phase(), Phase::Reducing, "{deaths}");
        assert!(!world.events().contains(&What::Skipped), "{deaths}");
    }
}

#[test]
fn a_probe_never_wins() {
    let mut world = World::started(1, skipping(1));
    for worker in 1..=2 {
        world.ask(worker);
        world.left(worker, true);
    }
    world.given(3, map(0, 2));
    assert_eq!(world.complete(3, map(0, 2), sizes(&[1])), Reply::Probed);
    assert_eq!(world.phase(), Phase::Mapping);
    world.given(3, map(0, 3));
    world.pass(LEASE);
    let stop = Reply::Stop { winner: None };
    assert_eq!(world.complete(3, map(0, 3), sizes(&[1])), stop);
    // Who was given up before the search began still wins.
    assert_eq!(world.complete(1, map(0, 0), sizes(&[1])), Reply::Won);
}

#[test]
fn a_group_that_fails_twice_is_skipped() {
    let mut world = World::started(0, skipping(1));
    for attempt in 0..2 {
        world.given(1, reduce(0, attempt));
        world.fail(1, reduce(0, attempt), Some(7));
    }
    let Reply::Reduce(work) = world.given(1, reduce(0, 2)) else {
        panic!("a partition is reduced")
    };
    assert_eq!(work.skip, [7]);
}
