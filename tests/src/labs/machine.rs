//! Replicated state machine (lab 4A): a counter in the shipped store.
//!
//! The testers submit to a node in their own process. Here a clerk counts, which is the shipped
//! client, and only commands that are to fail are given to a node on the spot. A leader without a
//! majority here gives up and says so, where the testers' only finds out when the partition ends.

use core::time::Duration;

use quorate_sim::checker::linearizability::Action;

use crate::lab::clerk::ClerkId;
use crate::lab::forgetful::Forgetful;
use crate::lab::store::COUNTER;
use crate::lab::{Failure, Lab, MS, Report, SECOND};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "4A",
        name: "Basic",
        run: basic,
    },
    Scenario {
        lab: "4A",
        name: "Concurrent",
        run: concurrent,
    },
    Scenario {
        lab: "4A",
        name: "LeaderFailure",
        run: leader_failure,
    },
    Scenario {
        lab: "4A",
        name: "LeaderPartition",
        run: leader_partition,
    },
    Scenario {
        lab: "4A",
        name: "RestartReplay",
        run: restart_replay,
    },
    Scenario {
        lab: "4A",
        name: "Shutdown",
        run: shutdown,
    },
    Scenario {
        lab: "4A",
        name: "RestartSubmit",
        run: restart_submit,
    },
    Scenario {
        lab: "4A",
        name: "Snapshot",
        run: snapshot,
    },
];

/// A key that holds nothing: to delete it is a command that changes nothing.
const NOTHING: u64 = 1;
/// Nulls and decrements at a time.
const MANY: u64 = 100;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn basic(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = lab.clerk();
    for count in 1..=10 {
        lab.count_to(clerk, count)?;
    }
    lab.finish()
}

/// Fifty increments at once.
fn concurrent(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = lab.clerk();
    let mut tags = Vec::new();
    for _ in 0..50 {
        tags.push(lab.begin_within(clerk, COUNTER, Action::Increment(1), PATIENCE)?);
    }
    for tag in tags {
        lab.await_call(tag, 10 * SECOND)?;
    }
    lab.check_counter(50, 3)?;
    lab.finish()
}

fn leader_failure(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = lab.clerk();
    lab.count_to(clerk, 1)?;
    let leader = lab.check_one_leader()?;
    lab.disconnect(leader);
    let count = lab.one_increment(clerk)?;
    lab.check_counter(count, 2)?;
    lab.connect(leader);
    lab.check_counter(count, 3)?;
    lab.finish()
}

/// What a leader without a majority takes is never executed, and is answered all the same.
fn leader_partition(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = lab.clerk();
    lab.count_to(clerk, 1)?;
    lab.session()?;
    let leader = lab.check_one_leader()?;
    let others = [lab.after(leader, 1), lab.after(leader, 2)];
    lab.partition([&[leader], &others]);
    let mut doomed = Vec::new();
    for _ in 0..MANY {
        doomed.push(lab.submit(leader, COUNTER, Action::Increment(-1))?);
    }
    lab.sleep(10 * MS)?;
    if doomed.iter().any(|tag| lab.history.has_ended(*tag)) {
        return Err(lab.fail("a leader gave up before it could know of a partition"));
    }
    let majority = lab.clerk_to(&others);
    let count = lab.one_increment(majority)?;
    lab.sleep(SECOND)?;
    if doomed.iter().any(|tag| lab.history.answer(*tag).is_some()) {
        return Err(lab.fail("a command was answered without a majority"));
    }
    lab.heal();
    let healed = lab.cluster.now();
    let ended = |lab: &Lab<_>| doomed.iter().all(|tag| lab.history.has_ended(*tag));
    if !lab.wait(SECOND, ended)? {
        return Err(lab.fail("commands were not answered within a second of the healing"));
    }
    let time = (lab.cluster.now() - healed) / MS;
    lab.at_most("ms from healing to the last answer", time, 1_000)?;
    lab.check_counter(count, 3)?;
    if doomed.iter().any(|tag| lab.history.was_executed(*tag)) {
        return Err(lab.fail("a command took effect without a majority"));
    }
    lab.finish()
}

/// A hundred increments are there after all nodes went and came.
fn count_and_restart(lab: &mut Lab<Forgetful>) -> Result<ClerkId, Failure> {
    let clerk = lab.clerk();
    for count in 1..=100 {
        lab.count_to(clerk, count)?;
    }
    lab.crash_all()?;
    lab.sleep(SECOND)?;
    lab.start_all()?;
    let count = lab.one_increment(clerk)?;
    if count != 101 {
        return Err(lab.fail(&format!("counted to {count} after 100")));
    }
    lab.sleep(SECOND)?;
    Ok(clerk)
}

fn restart_replay(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    count_and_restart(&mut lab)?;
    lab.check_counter(101, 3)?;
    lab.finish()
}

/// Nulls that are under way when all nodes end are answered, in one way or another.
fn shut_down_under_load(lab: &mut Lab<Forgetful>, clerk: ClerkId) -> Result<(), Failure> {
    let mut tags = Vec::new();
    for _ in 0..MANY {
        tags.push(lab.begin_within(clerk, NOTHING, Action::Delete, PATIENCE)?);
    }
    // The testers wait 20 ms; here all would be answered by then.
    let pause = lab.random.below(20 * MS);
    lab.sleep(pause)?;
    let down = lab.cluster.now();
    lab.crash_all()?;
    let ended = |lab: &Lab<_>| tags.iter().all(|tag| lab.history.has_ended(*tag));
    if !lab.wait(11 * SECOND, ended)? {
        return Err(lab.fail("a call does not end when all nodes have"));
    }
    let time = (lab.cluster.now() - down) / MS;
    lab.at_most("ms from shutdown to the last answer", time, 11_000)
}

fn shutdown(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = lab.clerk();
    lab.count_to(clerk, 1)?;
    shut_down_under_load(&mut lab, clerk)?;
    lab.finish()
}

/// Commands after a restart are not taken for those before it.
fn restart_submit(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let clerk = count_and_restart(&mut lab)?;
    shut_down_under_load(&mut lab, clerk)?;
    lab.start_all()?;
    lab.count_to(clerk, 102)?;
    lab.finish()
}

fn snapshot(seed: u64) -> Result<Report, Failure> {
    const STATE_MAX: u64 = 1_000;
    let mut lab = Lab::store(seed, 3, Some(STATE_MAX))?;
    let clerk = lab.clerk();
    for _ in 0..100 {
        lab.one_increment(clerk)?;
        lab.at_most("bytes of log", lab.stored_log(), 2 * STATE_MAX)?;
    }
    lab.check_counter(100, 3)?;
    if lab.stored_snapshot() == 0 {
        return Err(lab.fail("no snapshot was taken"));
    }
    lab.crash_all()?;
    lab.start_all()?;
    lab.count_to(clerk, 101)?;
    lab.finish()
}
