//! Snapshots: written while the machine goes on, damaged, and of what cannot be.

use super::*;

/// A coordinator with something of everything.
fn full() -> World {
    let all = Spec {
        backup: true,
        skip_max: 5,
        ..spec(3)
    };
    let mut world = World::started(3, all.clone());
    let counted = |name: &str| Outcome {
        sizes: vec![1, 0, 5],
        counters: vec![(name.to_owned(), 7)],
    };
    world.given(1, map(0, 0));
    world.fail(1, map(0, 0), Some(42));
    world.given(1, map(0, 1));
    world.fail(1, map(0, 1), Some(42));
    world.given(1, map(0, 2));
    world.complete(1, map(0, 2), counted("words"));
    for worker in 2..=3 {
        world.given(worker, map(1, worker as u32 - 2));
        world.renew(worker, map(1, worker as u32 - 2), 150, 160);
        world.left(worker, true);
    }
    world.given(4, map(1, 2));
    world.given(5, map(2, 0));
    world.pass(10);
    world.complete(5, map(2, 0), counted("lines"));
    world.begin(2, all.clone());
    let over = world.begin(1, all);
    world.tell(Command::Cancel { job: over });
    world
}

#[test]
fn chunks_of_any_size_bring_it_back() {
    let world = full();
    let whole = state(&world.coordinator);
    for size in [1, 7, 64, whole.len(), usize::MAX] {
        let mut snapshot = world.coordinator.snapshot();
        let mut restore = Coordinator::restore();
        for number in 0.. {
            let (chunk, done) = snapshot.chunk(number, size);
            restore.chunk(&chunk).expect("it is not too large");
            if done {
                break;
            }
        }
        assert_eq!(state(&restore.finish().expect("it is whole")), whole);
    }
}

#[test]
fn a_snapshot_stays_as_it_was_while_the_machine_goes_on() {
    let mut world = full();
    let mut snapshot = world.coordinator.snapshot();
    let before = state(&world.coordinator);
    world.complete(2, map(1, 0), sizes(&[1, 1, 1]));
    world.ask(7);
    world.tell(Command::Cancel { job: ONE });
    assert_ne!(state(&world.coordinator), before);
    assert_eq!(snapshot.chunk(0, usize::MAX), (before, true));
}

#[test]
fn what_no_command_touches_is_shared_with_the_snapshot() {
    let mut coordinator = World::started(2_000, spec(1)).coordinator;
    let other = coordinator.execute(0, Command::Submit { spec: spec(1) });
    assert!(other.is_ok());
    let snapshot = coordinator.clone();
    let (worker, job) = (WorkerId(1), Some(ONE));
    coordinator
        .execute(0, Command::Ask { worker, job })
        .expect("there is a task");
    let job = |it: &Coordinator, id| it.running[&JobId(id)].clone();
    assert!(Arc::ptr_eq(&job(&snapshot, 2), &job(&coordinator, 2)));
    let (before, after) = (job(&snapshot, 1), job(&coordinator, 1));
    let is_shared = |index: usize| {
        let split = |job: &Job| core::ptr::from_ref(job.splits.get(index).expect("it is there"));
        let task = |job: &Job| {
            let task = job.table(Kind::Map).get(index as u32);
            core::ptr::from_ref(task.expect("it is there"))
        };
        (
            split(&before) == split(&after),
            task(&before) == task(&after),
        )
    };
    assert_eq!(
        is_shared(0),
        (true, false),
        "the block of the task that was given"
    );
    assert_eq!(is_shared(255), (true, false));
    assert_eq!(is_shared(256), (true, true));
    assert_eq!(is_shared(1_999), (true, true));
}

/// Each state on the way is written down and read again ([`World::tell`]).
#[test]
fn attempts_that_ended_together_can_be_read_again() {
    let backup = Spec {
        backup: true,
        lease_ms: 100_000,
        ..spec(1)
    };
    let mut world = World::started(2, backup);
    world.given(9, map(0, 0));
    world.complete(9, map(0, 0), sizes(&[1]));
    for round in 0..10 {
        world.given(1, map(1, 2 * round));
        world.pass(1);
        world.given(2, map(1, 2 * round + 1));
        world.left(1, false);
        world.left(2, false);
    }
    let known = world.coordinator.running[&ONE].table(Kind::Map).get(1);
    assert_eq!(
        known.expect("it is there").attempts().len(),
        10,
        "the last ones"
    );
    assert_eq!(world.complete(1, map(1, 18), sizes(&[1])), Reply::Won);
}

#[test]
fn damage_is_noticed() {
    let whole = state(&full().coordinator);
    assert!(restored(&whole).is_ok());
    for len in 0..whole.len() {
        assert!(restored(&whole.slice(..len)).is_err(), "cut at {len}");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << bit;
            assert!(restored(&damaged.into()).is_err(), "bit {bit} of {at}");
        }
    }
    let mut longer = whole.to_vec();
    longer.push(0);
    assert!(restored(&longer.into()).is_err());
}

/// Whatever is behind a right checksum is refused, or comes out as it went in and can be worked with.
#[test]
fn nonsense_with_a_right_checksum_is_refused_or_harmless() {
    let whole = state(&full().coordinator);
    let body = &whole[..whole.len() - 4];
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let (mut refused, mut taken) = (0, 0);
    for at in 0..body.len() {
        for value in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
            let mut bytes = body.to_vec();
            bytes[at] = value;
            let sum = crc.checksum(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            let bytes = Bytes::from(bytes);
            let Ok(mut coordinator) = restored(&bytes) else {
                refused += 1;
                continue;
            };
            taken += 1;
            assert_eq!(state(&coordinator), bytes, "{value} at {at}");
            let now_ms = u64::MAX;
            for worker in (1..20).map(WorkerId) {
                for job in [None, Some(ONE)] {
                    let _ = coordinator.execute(now_ms, Command::Ask { worker, job });
                }
                let died = true;
                let _ = coordinator.execute(now_ms, Command::Left { worker, died });
            }
            let context = ApplyContext {
                index: Index(1),
                term: Term(1),
                time_ms: u64::MAX,
            };
            coordinator.tick(&context);
            let _ = coordinator.answer(Query::Status { job: ONE });
        }
    }
    assert!(refused > 1_000 && taken > 1_000, "{refused} {taken}");
}
