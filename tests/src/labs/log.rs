//! Log (labs 2B, 3B).

use quorate_raft::{Index, NodeId, Raft};

use crate::lab::{ELECTION, Failure, Lab, MS, Report, SECOND};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "2B/3B",
        name: "BasicAgree",
        run: basic_agree,
    },
    Scenario {
        lab: "2B/3B",
        name: "RPCBytes",
        run: rpc_bytes,
    },
    Scenario {
        lab: "2B/3B",
        name: "FollowerFailure",
        run: follower_failure,
    },
    Scenario {
        lab: "2B/3B",
        name: "LeaderFailure",
        run: leader_failure,
    },
    Scenario {
        lab: "2B/3B",
        name: "FailAgree",
        run: fail_agree,
    },
    Scenario {
        lab: "2B/3B",
        name: "FailNoAgree",
        run: fail_no_agree,
    },
    Scenario {
        lab: "2B/3B",
        name: "ConcurrentStarts",
        run: concurrent_starts,
    },
    Scenario {
        lab: "2B/3B",
        name: "Rejoin",
        run: rejoin,
    },
    Scenario {
        lab: "2B/3B",
        name: "Backup",
        run: backup,
    },
    Scenario {
        lab: "2B/3B",
        name: "Count",
        run: count,
    },
];

fn basic_agree(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.session()?;
    let mut before = None;
    for _ in 0..3 {
        let executed = lab.cluster.state.applied().len();
        let index = lab.one(3, false)?;
        if before.is_some_and(|before: Index| before.next() != index) {
            return Err(lab.fail(&format!("command after {before:?} got index {index}")));
        }
        if lab.cluster.state.applied().len() != executed + 1 {
            return Err(lab.fail("something was executed that was not started"));
        }
        before = Some(index);
    }
    lab.finish()
}

/// Each command travels to each peer once.
fn rpc_bytes(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, false)?;
    let before = lab.cluster.traffic.bytes;
    let mut sent = 0;
    for _ in 0..10 {
        let value = lab.random_bytes(5_000);
        lab.agree(&value, 3, false)?;
        sent += value.len() as u64;
    }
    let bytes = lab.cluster.traffic.bytes - before;
    lab.at_most(
        "bytes sent for 10 commands of 5,000",
        bytes,
        3 * sent + 50_000,
    )?;
    lab.finish()
}

fn follower_failure(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, false)?;
    let leader = lab.check_one_leader()?;
    lab.disconnect(lab.after(leader, 1));
    lab.one(2, false)?;
    lab.sleep(ELECTION)?;
    lab.one(2, false)?;
    let leader = lab.check_one_leader()?;
    lab.disconnect(lab.after(leader, 1));
    lab.disconnect(lab.after(leader, 2));
    let doomed = lab.start_any(leader)?.ok_or("the leader took no command")?;
    lab.sleep(2 * ELECTION)?;
    if lab.count_executed(doomed) > 0 {
        return Err(lab.fail("executed without a majority"));
    }
    lab.finish()
}

fn leader_failure(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, false)?;
    let first = lab.check_one_leader()?;
    lab.disconnect(first);
    lab.one(2, true)?;
    lab.sleep(ELECTION)?;
    lab.one(2, false)?;
    let second = lab.check_one_leader()?;
    lab.disconnect(second);
    let mut doomed = Vec::new();
    for id in lab.nodes() {
        doomed.extend(lab.start_any(id)?);
    }
    lab.sleep(2 * ELECTION)?;
    if doomed.into_iter().any(|tag| lab.count_executed(tag) > 0) {
        return Err(lab.fail("executed without a majority"));
    }
    lab.finish()
}

fn fail_agree(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, false)?;
    let leader = lab.check_one_leader()?;
    let away = lab.after(leader, 1);
    lab.disconnect(away);
    lab.one(2, false)?;
    lab.one(2, false)?;
    lab.sleep(ELECTION)?;
    lab.one(2, false)?;
    lab.one(2, false)?;
    lab.connect(away);
    lab.one(3, true)?;
    lab.sleep(ELECTION)?;
    lab.one(3, true)?;
    lab.finish()
}

fn fail_no_agree(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.one(5, false)?;
    let leader = lab.check_one_leader()?;
    let away = [1, 2, 3].map(|steps| lab.after(leader, steps));
    away.into_iter().for_each(|id| lab.disconnect(id));
    let doomed = lab.start_any(leader)?.ok_or("the leader took no command")?;
    lab.sleep(2 * ELECTION)?;
    if lab.count_executed(doomed) > 0 {
        return Err(lab.fail("executed without a majority"));
    }
    away.into_iter().for_each(|id| lab.connect(id));
    let leader = lab.check_one_leader()?;
    lab.start_any(leader)?.ok_or("the leader took no command")?;
    lab.one(5, true)?;
    lab.finish()
}

/// Commands started at once in one term are all executed, unless the term ends.
fn concurrent_starts(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    for _ in 0..5 {
        let leader = lab.check_one_leader()?;
        let term = lab.cluster.raft(leader).map(Raft::term);
        let mut tags = Vec::new();
        for _ in 0..5 {
            tags.extend(lab.start_any(leader)?);
        }
        let done = |lab: &Lab| tags.iter().all(|tag| lab.count_executed(*tag) == 3);
        let all = lab.wait(2 * SECOND, done)?;
        if lab.cluster.raft(leader).map(Raft::term) == term {
            if tags.len() < 5 || !all {
                return Err(lab.fail("a command started concurrently is missing"));
            }
            return lab.finish();
        }
    }
    Err(lab.fail("the term changed five times"))
}

fn rejoin(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, true)?;
    let first = lab.check_one_leader()?;
    lab.disconnect(first);
    let mut doomed = Vec::new();
    for _ in 0..3 {
        doomed.extend(lab.start_any(first)?);
    }
    lab.one(2, true)?;
    let second = lab.check_one_leader()?;
    lab.disconnect(second);
    lab.connect(first);
    lab.one(2, true)?;
    lab.connect(second);
    lab.one(3, true)?;
    if doomed.is_empty() || doomed.into_iter().any(|tag| lab.was_executed(tag)) {
        return Err(lab.fail("a partitioned leader's commands came to be executed"));
    }
    lab.finish()
}

/// A leader with a long wrong tail is brought up to date quickly.
fn backup(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.one(5, true)?;
    let first = lab.check_one_leader()?;
    let [second, a, b, c] = [1, 2, 3, 4].map(|steps| lab.after(first, steps));
    [a, b, c].into_iter().for_each(|id| lab.disconnect(id));
    start_many(&mut lab, first, 50)?;
    lab.sleep(ELECTION / 2)?;
    [first, second]
        .into_iter()
        .for_each(|id| lab.disconnect(id));
    [a, b, c].into_iter().for_each(|id| lab.connect(id));
    agree_many(&mut lab, 3)?;
    let leader = lab.check_one_leader()?;
    let other = if leader == a { b } else { a };
    lab.disconnect(other);
    start_many(&mut lab, leader, 50)?;
    lab.sleep(ELECTION / 2)?;
    lab.nodes().into_iter().for_each(|id| lab.disconnect(id));
    [first, second, other]
        .into_iter()
        .for_each(|id| lab.connect(id));
    agree_many(&mut lab, 3)?;
    lab.nodes().into_iter().for_each(|id| lab.connect(id));
    lab.one(5, true)?;
    lab.finish()
}

fn start_many(lab: &mut Lab, leader: NodeId, count: u64) -> Result<(), Failure> {
    (0..count).try_for_each(|_| lab.start_any(leader).map(|_| ()))
}

fn agree_many(lab: &mut Lab, expected: usize) -> Result<(), Failure> {
    (0..50).try_for_each(|_| lab.one(expected, true).map(|_| ()))
}

/// Neither elections nor commands nor idling cost more messages than they must.
fn count(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.wait(SECOND, |lab| lab.leader().is_some())?;
    let traffic = lab.cluster.traffic;
    let messages = traffic.requests + traffic.responses;
    if messages == 0 {
        return Err(lab.fail("a leader without an election"));
    }
    lab.at_most("messages to elect", messages, 30)?;
    lab.session()?;
    let leader = lab.check_one_leader()?;
    let (term, before) = (lab.check_terms()?, lab.cluster.traffic.requests);
    let mut tags = Vec::new();
    for _ in 0..=10 {
        tags.extend(lab.start_any(leader)?);
    }
    let done = |lab: &Lab| tags.iter().all(|tag| lab.count_executed(*tag) == 3);
    if tags.len() < 11 || !lab.wait(SECOND, done)? || lab.check_terms()? != term {
        return Err(lab.fail("eleven commands were not executed in one term"));
    }
    let requests = lab.cluster.traffic.requests - before;
    lab.at_most("requests for 10 entries", requests, (10 + 1 + 3) * 3)?;
    lab.sleep(200 * MS)?;
    let before = lab.cluster.traffic.requests;
    lab.sleep(SECOND)?;
    let requests = lab.cluster.traffic.requests - before;
    lab.at_most("requests in an idle second", requests, 3 * 20)?;
    lab.finish()
}
