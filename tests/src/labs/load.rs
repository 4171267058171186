//! Clerks at work on the store for three rounds while the network and the nodes get into trouble: most
//! scenarios of the labs on the store are this one, with other numbers.

use crate::lab::forgetful::Forgetful;
use quorate_sim::checker::linearizability::{Action, Answer};

use crate::lab::clerk::ClerkId;
use crate::lab::worker::{Form, Keys, Worker};
use crate::lab::{ELECTION, Failure, Lab, MS, Report, SECOND};

/// What disturbs the work.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clerks at work.
    pub clerks: u64,
    /// Nodes.
    pub nodes: u64,
    /// Requests are late, requests and answers get lost.
    pub unreliable: bool,
    /// All nodes crash and start again in every round.
    pub crash: bool,
    /// The nodes are parted at random about once a second.
    pub partitions: bool,
    /// To what the log may grow before a snapshot; without it none is taken.
    pub state_max: Option<u64>,
    /// Clerks share many keys, rather than each one of its own or all the same.
    pub many_keys: bool,
}

/// One clerk, five nodes, no trouble, no snapshots.
pub const CALM: Load = Load {
    clerks: 1,
    nodes: 5,
    unreliable: false,
    crash: false,
    partitions: false,
    state_max: None,
    many_keys: false,
};

/// Rounds of work.
const ROUNDS: u64 = 3;
/// Keys of the tester of 2025, where keys are many. Those before it had one for each clerk.
const KEYS: u64 = 100;
/// The log may be so many times larger than the maximum that is set.
const EXCESS: u64 = 8;

impl Load {
    /// Lets clerks work.
    pub fn run(self, seed: u64) -> Result<Report, Failure> {
        let mut lab = Lab::store(seed, self.nodes, self.state_max)?;
        lab.set_unreliable(self.unreliable);
        let judge = lab.clerk();
        // Without trouble as long as the tester of 2025 lets them work, else as those before.
        let calm = !self.unreliable && !self.partitions;
        let work = if calm { SECOND } else { 5 * SECOND };
        let mut puts = vec![0; KEYS as usize];
        for _ in 0..ROUNDS {
            let mut clerks = Vec::new();
            for number in 0..self.clerks {
                clerks.push(lab.hire(number, self.form(), self.keys(number))?);
            }
            if self.partitions {
                lab.sleep(SECOND)?;
                part(&mut lab, work)?;
                lab.heal();
                lab.sleep(ELECTION)?;
            } else {
                lab.sleep(work)?;
            }
            if self.crash {
                lab.crash_all()?;
                lab.sleep(ELECTION)?;
                lab.start_all()?;
            }
            let workers = lab.dismiss(&clerks, 20 * SECOND)?;
            for worker in &workers {
                for (key, count) in worker.puts() {
                    puts[*key as usize] += count;
                }
            }
            self.check_keys(&mut lab, judge, &workers, &puts)?;
            self.check_sizes(&mut lab)?;
        }
        if lab.history.agreement().count < 10 * self.clerks {
            return Err(lab.fail("the clerks got nothing done"));
        }
        if self.state_max.is_some() && lab.stored_snapshot() == 0 {
            return Err(lab.fail("no snapshot was taken"));
        }
        lab.finish()
    }

    /// What is put shall be small where the log is bounded: it may grow as large as the last snapshot.
    fn form(self) -> Form {
        match self.state_max {
            None => Form::Appends,
            Some(_) => Form::Versions,
        }
    }

    fn keys(self, number: u64) -> Keys {
        match (self.form(), self.many_keys) {
            (Form::Appends, false) => Keys::One(number),
            (Form::Appends, true) => Keys::Any(self.clerks),
            (Form::Versions, false) => Keys::One(0),
            (Form::Versions, true) => Keys::Any(KEYS),
        }
    }

    /// Nothing that a worker was told is missing, and nothing is there twice.
    fn check_keys(
        self,
        lab: &mut Lab<Forgetful>,
        judge: ClerkId,
        workers: &[Worker],
        puts: &[u64],
    ) -> Result<(), Failure> {
        for (key, worker) in (0..).zip(workers) {
            if let Some(own) = worker.own() {
                lab.check_get(judge, key, &String::from_utf8_lossy(own))?;
            }
        }
        if self.form() == Form::Appends {
            return Ok(());
        }
        // All at once: one after another they would take long where much is lost.
        let mut tags = Vec::new();
        for key in 0..puts.len() as u64 {
            tags.push(lab.begin(judge, key, Action::Get)?);
        }
        for (tag, puts) in tags.into_iter().zip(puts) {
            let found = match lab.await_call(tag, 20 * SECOND)? {
                Answer::Value(value) => value.map_or(0, |(_, version)| version),
                other => return Err(lab.fail(&format!("a read was answered {other:?}"))),
            };
            if found != *puts {
                return Err(lab.fail(&format!("a key has version {found} of {puts} puts")));
            }
        }
        Ok(())
    }

    fn check_sizes(self, lab: &mut Lab<Forgetful>) -> Result<(), Failure> {
        match self.state_max {
            None => lab.at_most("bytes of snapshot", lab.stored_snapshot(), 0),
            Some(most) => lab.at_most("bytes of log", lab.stored_log(), EXCESS * most),
        }
    }
}

/// Parts the nodes at random, again and again.
fn part(lab: &mut Lab<Forgetful>, time: u64) -> Result<(), Failure> {
    let end = lab.cluster.now() + time;
    while lab.cluster.now() < end {
        let nodes = lab.nodes();
        let (one, other): (Vec<_>, Vec<_>) =
            nodes.into_iter().partition(|_| lab.random.below(2) == 0);
        lab.partition([&one, &other]);
        let pause = ELECTION + lab.random.below(200 * MS);
        lab.sleep(pause)?;
    }
    Ok(())
}

/// A thousand commands of one clerk, one after another.
pub fn speed(seed: u64, state_max: Option<u64>) -> Result<Report, Failure> {
    const OPERATIONS: u64 = 1_000;
    /// Three in a heartbeat interval of 100 ms.
    const MICROS_MAX: u64 = 100_000 / 3;
    let mut lab = Lab::store(seed, 3, state_max)?;
    let clerk = lab.clerk();
    lab.get(clerk, 0)?;
    let began = lab.cluster.now();
    let mut expected = String::new();
    for number in 0..OPERATIONS {
        let value = format!("x 0 {number} y");
        expected.push_str(&value);
        lab.call(clerk, 0, Action::Append(value.into()))?;
    }
    let time = lab.cluster.now() - began;
    lab.check_get(clerk, 0, &expected)?;
    if state_max.is_some() && lab.stored_snapshot() == 0 {
        return Err(lab.fail("no snapshot was taken"));
    }
    lab.at_most("µs for an operation", time / OPERATIONS, MICROS_MAX)?;
    lab.finish()
}
