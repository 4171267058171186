//! Tasks are given out and come back; whoever is late, slow or gone.

use super::*;

/// Completes all map tasks of a job, of whose partitions those have something that `has` says.
fn mapped(world: &mut World, maps: u32, partitions: u32, has: fn(u32, u32) -> bool) {
    for index in 0..maps {
        world.given(1, map(index, 0));
        let size = |partition| u64::from(has(index, partition)) * 10;
        let sizes: Vec<u64> = (0..partitions).map(size).collect();
        assert_eq!(
            world.complete(1, map(index, 0), super::sizes(&sizes)),
            Reply::Won
        );
    }
}

#[test]
fn a_job_goes_through_all_its_phases() {
    let mut world = World::default();
    let spec = spec(2);
    let submitted = world.tell(Command::Submit { spec });
    assert_eq!(submitted, Reply::Submitted { job: ONE });
    assert_eq!(world.ask(1), Reply::Wait { ms: WAIT_MS_MAX });
    let (job, first) = (ONE, 0);
    let add = Command::AddSplits {
        job,
        first,
        splits: splits(3),
    };
    assert_eq!(world.tell(add.clone()), Reply::Splits { count: 3 });
    assert_eq!(world.idle(add), Reply::Splits { count: 3 });
    let start = Command::Start { job };
    let mapping = Reply::Phase {
        phase: Phase::Mapping,
    };
    assert_eq!(world.tell(start.clone()), mapping);
    assert_eq!(world.idle(start), mapping);

    mapped(&mut world, 3, 2, |index, partition| {
        index != 1 || partition == 1
    });
    assert_eq!(world.phase(), Phase::Reducing);
    for (partition, maps) in [(0, vec![(0, 0), (2, 0)]), (1, vec![(0, 0), (1, 0), (2, 0)])] {
        let Reply::Reduce(work) = world.given(1, reduce(partition, 0)) else {
            panic!("a partition is reduced")
        };
        assert_eq!(work.maps, maps);
        world.complete(1, reduce(partition, 0), sizes(&[7]));
    }
    let Reply::Publish(work) = world.given(1, publish(0)) else {
        panic!("outputs are published")
    };
    assert_eq!(work.outputs, [0, 0]);
    assert_eq!(world.ask(2), Reply::Wait { ms: WAIT_MS_MAX });
    assert_eq!(world.complete(1, publish(0), sizes(&[14])), Reply::Won);
    let status = world.status();
    assert_eq!(status.phase, Phase::Completed);
    assert_eq!((status.maps.bytes, status.reduces.bytes), (50, 14));
    let bytes = 300;
    assert_eq!(status.input, Input { bytes, read: bytes });
    let over = Reply::Over {
        phase: Phase::Completed,
    };
    let (worker, job) = (WorkerId(1), Some(ONE));
    assert_eq!(world.idle(Command::Ask { worker, job }), over);
    assert_eq!(world.complete(1, publish(0), sizes(&[14])), over);
}

#[test]
fn a_job_without_input_has_outputs_all_the_same() {
    let mut world = World::started(0, spec(1));
    let Reply::Reduce(work) = world.given(1, reduce(0, 0)) else {
        panic!("a partition is reduced")
    };
    assert!(work.maps.is_empty());
}

#[test]
fn the_first_attempt_that_completes_wins_and_no_other() {
    let mut world = World::started(1, spec(1));
    world.given(1, map(0, 0));
    world.pass(LEASE);
    world.given(2, map(0, 1));
    // The first one was given up, and is done before the second.
    assert_eq!(world.complete(1, map(0, 0), sizes(&[5])), Reply::Won);
    let lost = Reply::Lost { winner: 0 };
    assert_eq!(world.complete(2, map(0, 1), sizes(&[5])), lost);
    assert_eq!(world.complete(1, map(0, 0), sizes(&[5])), Reply::Won);
    let stop = Reply::Stop { winner: Some(0) };
    assert_eq!(world.renew(2, map(0, 1), 0, 0), stop);
    assert_eq!(world.renew(1, map(0, 0), 0, 0), Reply::Won);
    assert_eq!(world.status().maps.bytes, 5);
    assert_eq!(
        world.events(),
        [
            What::Phase,
            What::Phase,
            What::Given,
            What::Expired,
            What::Given,
            What::Won,
            What::Beaten,
            What::Phase,
        ]
    );
}

#[test]
fn a_lease_lasts_as_long_as_it_is_renewed() {
    let mut world = World::started(1, spec(1));
    world.given(1, map(0, 0));
    for _ in 0..5 {
        world.pass(LEASE - 1);
        let lease_ms = LEASE;
        assert_eq!(
            world.renew(1, map(0, 0), 0, 0),
            Reply::Continue { lease_ms }
        );
    }
    assert_eq!(world.ask(2), Reply::Wait { ms: WAIT_MS_MAX });
    world.pass(LEASE - 1);
    assert_eq!(world.ask(2), Reply::Wait { ms: WAIT_MS_MAX });
    world.pass(1);
    world.given(2, map(0, 1));
}

#[test]
fn a_worker_that_was_given_up_and_is_heard_again_goes_on() {
    let mut world = World::started(1, spec(1));
    world.given(1, map(0, 0));
    world.pass(LEASE);
    let lease_ms = LEASE;
    assert_eq!(
        world.renew(1, map(0, 0), 0, 0),
        Reply::Continue { lease_ms }
    );
    assert_eq!(
        world.ask(2),
        Reply::Wait { ms: WAIT_MS_MAX },
        "it is not idle"
    );
    assert_eq!(world.complete(1, map(0, 0), sizes(&[5])), Reply::Won);
}

#[test]
fn tasks_that_were_begun_come_before_fresh_ones_and_old_jobs_before_new_ones() {
    let mut world = World::started(3, spec(1));
    world.begin(1, spec(1));
    world.given(1, map(0, 0));
    world.given(2, map(1, 0));
    world.left(2, false);
    world.left(1, false);
    world.given(3, map(0, 1));
    world.given(4, map(1, 1));
    world.given(5, map(2, 0));
    let Reply::Map(work) = world.ask(6) else {
        panic!("the second job has a task")
    };
    assert_eq!(work.job, JobId(2));
    let (worker, job) = (WorkerId(7), Some(ONE));
    let asked = world.tell(Command::Ask { worker, job });
    assert_eq!(asked, Reply::Wait { ms: WAIT_MS_MAX });
}

#[test]
fn a_worker_that_asks_again_has_died_on_what_it_had() {
    let mut world = World::started(2, spec(1));
    world.given(1, map(0, 0));
    world.given(1, map(0, 1));
    assert!(world.events().contains(&What::Died));
    world.complete(1, map(0, 1), sizes(&[1]));
    world.given(1, map(1, 0));
    let died = world
        .events()
        .into_iter()
        .filter(|what| *what == What::Died);
    assert_eq!(died.count(), 1, "who has completed a task has not died");
}

#[test]
fn the_slowest_task_gets_a_second_attempt_when_none_is_idle() {
    let backup = Spec {
        backup: true,
        lease_ms: 100_000,
        ..spec(1)
    };
    let mut world = World::started(4, backup);
    world.given(1, map(0, 0));
    world.pass(10);
    for worker in 2..=4 {
        world.given(worker, map(worker as u32 - 1, 0));
    }
    assert_eq!(
        world.ask(5),
        Reply::Wait { ms: WAIT_MS_MAX },
        "none is done"
    );
    world.pass(100);
    for worker in 3..=4 {
        world.complete(worker, map(worker as u32 - 1, 0), sizes(&[1]));
    }
    // They took 100 ms, so 150 is slow, which task 0 is in 41 ms.
    assert_eq!(world.ask(5), Reply::Wait { ms: 41 });
    world.pass(40);
    assert_eq!(world.ask(5), Reply::Wait { ms: 10 });
    world.pass(1);
    world.given(5, map(0, 1));
    world.pass(100);
    world.given(3, map(1, 1));
    assert_eq!(
        world.ask(4),
        Reply::Wait { ms: WAIT_MS_MAX },
        "two are enough"
    );
    assert_eq!(world.complete(5, map(0, 1), sizes(&[1])), Reply::Won);
    let lost = Reply::Lost { winner: 1 };
    assert_eq!(world.complete(1, map(0, 0), sizes(&[1])), lost);
}

#[test]
fn nobody_is_given_a_second_attempt_where_the_job_does_not_want_it() {
    let mut world = World::started(2, spec(1));
    world.given(1, map(0, 0));
    world.given(2, map(1, 0));
    world.pass(10);
    world.complete(2, map(1, 0), sizes(&[1]));
    world.pass(500);
    assert_eq!(world.ask(2), Reply::Wait { ms: WAIT_MS_MAX });
}

#[test]
fn a_run_that_is_gone_is_made_again_and_what_was_reduced_stays() {
    let mut world = World::started(2, spec(2));
    mapped(&mut world, 2, 2, |_, _| true);
    world.given(1, reduce(0, 0));
    world.complete(1, reduce(0, 0), sizes(&[1]));
    world.given(1, reduce(1, 0));
    let mapping = Reply::Phase {
        phase: Phase::Mapping,
    };
    assert_eq!(world.lost(1, map(1, 0)), mapping);
    assert_eq!(world.status().maps.completed, 1);
    let (bytes, read) = (200, 100);
    assert_eq!(world.status().input, Input { bytes, read });
    assert_eq!(world.lost(1, map(1, 0)), mapping, "once is enough");
    world.given(1, map(1, 1));
    assert_eq!(
        world.ask(2),
        Reply::Wait { ms: WAIT_MS_MAX },
        "reduces wait"
    );
    world.complete(1, map(1, 1), sizes(&[0, 5]));
    let Reply::Reduce(work) = world.given(2, reduce(1, 1)) else {
        panic!("a partition is reduced")
    };
    assert_eq!(work.maps, [(0, 0), (1, 1)]);
    world.complete(2, reduce(1, 1), sizes(&[1]));
    assert_eq!(world.phase(), Phase::Publishing);
    assert_eq!(world.status().maps.bytes, 25);
}

#[test]
fn an_output_that_is_gone_is_made_again() {
    let mut world = World::started(1, spec(2));
    mapped(&mut world, 1, 2, |_, _| true);
    for partition in 0..2 {
        world.given(1, reduce(partition, 0));
        world.complete(1, reduce(partition, 0), sizes(&[1]));
    }
    world.given(1, publish(0));
    world.lost(1, reduce(1, 0));
    assert_eq!(world.phase(), Phase::Reducing);
    world.given(1, reduce(1, 1));
    world.complete(1, reduce(1, 1), sizes(&[1]));
    let Reply::Publish(work) = world.given(1, publish(1)) else {
        panic!("outputs are published")
    };
    assert_eq!(work.outputs, [0, 1]);
}

#[test]
fn a_run_that_goes_when_all_is_reduced_is_no_loss() {
    let mut world = World::started(1, spec(1));
    mapped(&mut world, 1, 1, |_, _| true);
    world.given(1, reduce(0, 0));
    world.complete(1, reduce(0, 0), sizes(&[1]));
    world.lost(1, map(0, 0));
    assert_eq!(world.phase(), Phase::Publishing);
}

#[test]
fn a_task_whose_output_goes_again_and_again_fails_the_job() {
    let mut world = World::started(1, spec(1));
    for attempt in 0..4 {
        assert_eq!(world.phase(), Phase::Mapping);
        world.given(1, map(0, attempt));
        world.complete(1, map(0, attempt), sizes(&[1]));
        world.lost(2, map(0, attempt));
    }
    let failure = world.status().failure.expect("it failed");
    assert_eq!(failure.failure.code, "OUTPUT_LOST");
}

#[test]
fn counters_are_those_of_winners() {
    let mut world = World::started(2, spec(1));
    let counted = |pairs: &[(&str, u64)]| Outcome {
        sizes: vec![1],
        counters: pairs
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect(),
    };
    world.given(1, map(0, 0));
    world.pass(LEASE);
    world.given(2, map(0, 1));
    world.complete(2, map(0, 1), counted(&[("words", 3)]));
    world.complete(1, map(0, 0), counted(&[("words", 100)]));
    world.given(1, map(1, 0));
    world.complete(1, map(1, 0), counted(&[("lines", 2), ("words", 4)]));
    let expected = |lines, words| vec![("lines".to_owned(), lines), ("words".to_owned(), words)];
    assert_eq!(world.status().counters, expected(2, 7));
    world.lost(1, map(1, 0));
    assert_eq!(world.status().counters, expected(0, 3));
}

#[test]
fn a_cancelled_job_stops_its_workers() {
    let mut world = World::started(1, spec(1));
    world.given(1, map(0, 0));
    let (job, phase) = (ONE, Phase::Cancelled);
    assert_eq!(world.tell(Command::Cancel { job }), Reply::Phase { phase });
    assert_eq!(world.idle(Command::Cancel { job }), Reply::Phase { phase });
    assert_eq!(world.renew(1, map(0, 0), 0, 0), Reply::Over { phase });
    assert_eq!(
        world.complete(1, map(0, 0), sizes(&[1])),
        Reply::Over { phase }
    );
    assert_eq!(world.coordinator.due_ms(), None);
    assert_eq!(world.tell(Command::Forget { job }), Reply::Done);
    let unknown = CoordinatorError::UnknownJob { job };
    assert_eq!(world.try_tell(Command::Forget { job }), Err(unknown));
}

#[test]
fn queries_that_wait_are_answered_when_there_is_something() {
    let mut world = World::started(1, spec(1));
    let ready = Query::Ready { job: Some(ONE) }.encode();
    let told = |world: &World, query: &Bytes| {
        let reply = world.coordinator.poll(query);
        reply.map(|reply| Reply::decode(&reply).expect("a reply"))
    };
    assert_eq!(told(&world, &ready), Some(Reply::Ready(true)));
    world.given(1, map(0, 0));
    assert_eq!(told(&world, &ready), None);
    assert_eq!(told(&world, &Query::Ready { job: None }.encode()), None);
    let after = world.status().events;
    let (job, limit) = (ONE, 10);
    let events = Query::Events { job, after, limit }.encode();
    assert_eq!(told(&world, &events), None);
    world.pass(LEASE);
    assert_eq!(told(&world, &ready), Some(Reply::Ready(true)));
    assert!(
        matches!(told(&world, &events), Some(Reply::Events { events, .. }) if events.len() == 1)
    );
    world.tell(Command::Cancel { job });
    assert_eq!(told(&world, &ready), Some(Reply::Ready(true)));
}
