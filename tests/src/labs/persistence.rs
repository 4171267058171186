//! Persistence (labs 2C, 3C).

use quorate_sim::rules::LongReordering;

use crate::lab::{ELECTION, Failure, Lab, MS, Report, SECOND};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "2C/3C",
        name: "Persist1",
        run: persist1,
    },
    Scenario {
        lab: "2C/3C",
        name: "Persist2",
        run: persist2,
    },
    Scenario {
        lab: "2C/3C",
        name: "Persist3",
        run: persist3,
    },
    Scenario {
        lab: "2C/3C",
        name: "Figure8",
        run: figure8,
    },
    Scenario {
        lab: "2C/3C",
        name: "UnreliableAgree",
        run: unreliable_agree,
    },
    Scenario {
        lab: "2C/3C",
        name: "Figure8Unreliable",
        run: figure8_unreliable,
    },
    Scenario {
        lab: "2C/3C",
        name: "ReliableChurn",
        run: reliable_churn,
    },
    Scenario {
        lab: "2C/3C",
        name: "UnreliableChurn",
        run: unreliable_churn,
    },
];

fn persist1(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, true)?;
    for id in lab.nodes() {
        lab.crash(id)?;
    }
    for id in lab.nodes() {
        lab.restart(id)?;
    }
    lab.one(3, true)?;
    let leader = lab.check_one_leader()?;
    lab.restart(leader)?;
    lab.one(3, true)?;
    let leader = lab.check_one_leader()?;
    lab.crash(leader)?;
    lab.one(2, true)?;
    lab.restart(leader)?;
    if !lab.wait(10 * SECOND, |lab| lab.count_executed(4) == 3)? {
        return Err(lab.fail("the returned leader does not catch up"));
    }
    let leader = lab.check_one_leader()?;
    let away = lab.after(leader, 1);
    lab.crash(away)?;
    lab.one(2, true)?;
    lab.restart(away)?;
    lab.one(3, true)?;
    lab.finish()
}

fn persist2(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    for _ in 0..5 {
        lab.one(5, true)?;
        let leader = lab.check_one_leader()?;
        let [a, b, c, d] = [1, 2, 3, 4].map(|steps| lab.after(leader, steps));
        lab.crash(a)?;
        lab.crash(b)?;
        lab.one(3, true)?;
        for id in [leader, c, d] {
            lab.crash(id)?;
        }
        lab.restart(a)?;
        lab.restart(b)?;
        lab.sleep(ELECTION)?;
        lab.restart(c)?;
        lab.one(3, true)?;
        lab.restart(d)?;
        lab.restart(leader)?;
    }
    lab.one(5, true)?;
    lab.finish()
}

/// A partitioned leader, a follower that crashes, and a leader that restarts.
fn persist3(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    lab.one(3, true)?;
    let leader = lab.check_one_leader()?;
    let [a, b] = [1, 2].map(|steps| lab.after(leader, steps));
    lab.disconnect(b);
    lab.one(2, true)?;
    lab.crash(leader)?;
    lab.crash(a)?;
    lab.connect(b);
    lab.restart(leader)?;
    lab.one(2, true)?;
    lab.restart(a)?;
    lab.one(3, true)?;
    lab.finish()
}

/// Leaders crash at odd moments, and their entries come back: only those of the present term are
/// committed by counting.
fn figure8(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.one(1, true)?;
    let mut running = 5;
    for _ in 0..1_000 {
        let mut leader = None;
        for id in lab.nodes() {
            if lab.start_any(id)?.is_some() {
                leader = Some(id);
            }
        }
        odd_pause(&mut lab)?;
        if let Some(leader) = leader {
            lab.crash(leader)?;
            running -= 1;
        }
        if running < 3 {
            let id = lab.any();
            if !lab.cluster.is_running(id) {
                lab.restart(id)?;
                running += 1;
            }
        }
    }
    for id in lab.nodes() {
        if !lab.cluster.is_running(id) {
            lab.restart(id)?;
        }
    }
    lab.one(5, true)?;
    lab.finish()
}

/// Mostly a few milliseconds, at times half an election timeout.
fn odd_pause(lab: &mut Lab) -> Result<(), Failure> {
    let pause = if lab.random.below(1_000) < 100 {
        lab.random.below(ELECTION / 2)
    } else {
        lab.random.below(13 * MS)
    };
    lab.sleep(pause)
}

fn unreliable_agree(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.session()?;
    lab.set_unreliable(true);
    for _ in 1..50 {
        for _ in 0..4 {
            if let Some(leader) = lab.leader() {
                lab.start_any(leader)?;
            }
        }
        lab.one(1, true)?;
    }
    lab.set_unreliable(false);
    lab.one(5, true)?;
    lab.finish()
}

fn figure8_unreliable(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.session()?;
    lab.set_unreliable(true);
    lab.one(1, true)?;
    let mut connected = 5;
    for round in 0..1_000 {
        if round == 200 {
            lab.cluster.network.add(LongReordering);
        }
        let mut leader = None;
        for id in lab.nodes() {
            if lab.start_any(id)?.is_some() && lab.is_connected(id) {
                leader = Some(id);
            }
        }
        odd_pause(&mut lab)?;
        if let Some(leader) = leader.filter(|_| lab.random.below(1_000) < 500) {
            lab.disconnect(leader);
            connected -= 1;
        }
        if connected < 3 {
            let id = lab.any();
            if !lab.is_connected(id) {
                lab.connect(id);
                connected += 1;
            }
        }
    }
    lab.nodes().into_iter().for_each(|id| lab.connect(id));
    lab.one(5, true)?;
    lab.finish()
}

fn reliable_churn(seed: u64) -> Result<Report, Failure> {
    churn(Lab::new(seed, 5)?)
}

fn unreliable_churn(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 5)?;
    lab.session()?;
    lab.set_unreliable(true);
    churn(lab)
}

/// One of three clients that start commands wherever they are taken.
#[derive(Clone, Default)]
struct Churner {
    /// The command waited for, and until when.
    waits: Option<(u64, u64)>,
    /// When to act again.
    next_at: u64,
    /// Commands seen executed.
    seen: Vec<u64>,
}

/// Nodes come and go while three clients work; whatever a client saw executed stays in the log.
fn churn(mut lab: Lab) -> Result<Report, Failure> {
    lab.session()?;
    let mut clients = vec![Churner::default(); 3];
    for _ in 0..20 {
        if lab.random.below(1_000) < 200 {
            let id = lab.any();
            lab.disconnect(id);
        }
        if lab.random.below(1_000) < 500 {
            let id = lab.any();
            if !lab.cluster.is_running(id) {
                lab.restart(id)?;
            }
            lab.connect(id);
        }
        if lab.random.below(1_000) < 200 {
            let id = lab.any();
            lab.crash(id)?;
        }
        // Time for a leader to do something, not always for an election.
        let end = lab.cluster.now() + ELECTION * 7 / 10;
        while lab.cluster.now() < end {
            for (number, client) in clients.iter_mut().enumerate() {
                act(&mut lab, client, number as u64)?;
            }
            lab.sleep(5 * MS)?;
        }
    }
    lab.sleep(ELECTION)?;
    lab.set_unreliable(false);
    for id in lab.nodes() {
        if !lab.cluster.is_running(id) {
            lab.restart(id)?;
        }
        lab.connect(id);
    }
    lab.one(5, true)?;
    let seen: Vec<u64> = clients.into_iter().flat_map(|client| client.seen).collect();
    if seen.is_empty() {
        return Err(lab.fail("no client saw a command executed"));
    }
    if let Some(lost) = seen.iter().find(|tag| lab.count_executed(**tag) < 5) {
        return Err(lab.fail(&format!("command {lost} was seen executed, and is lost")));
    }
    lab.finish()
}

fn act(lab: &mut Lab, client: &mut Churner, number: u64) -> Result<(), Failure> {
    let now = lab.cluster.now();
    if now < client.next_at {
        return Ok(());
    }
    if let Some((tag, until)) = client.waits {
        if lab.count_executed(tag) > 0 {
            client.seen.push(tag);
        } else if now < until {
            return Ok(());
        }
        client.waits = None;
    }
    let mut tag = None;
    for id in lab.nodes() {
        tag = lab.start_any(id)?.or(tag);
    }
    match tag {
        Some(tag) => client.waits = Some((tag, now + 380 * MS)),
        None => client.next_at = now + (79 + number * 17) * MS,
    }
    Ok(())
}
