//! A cluster of coordinators, and simulated workers that carry out the tasks of a job.
//!
//! A worker computes at once and takes its time for it. What it stores is in one place that all
//! reach, by the names of attempts; what is told to delete its files does. A run that a later task
//! needs and that nobody damaged must be there.

pub mod data;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use quorate_mapreduce::coordinator::{
    AttemptId, Command, Coordinator, Event, JobId, Kind, Phase, Query, Reply, Spec, Status, TaskId,
    What,
};
use quorate_raft::{NodeId, Random};
use quorate_rsm::{Call, ReadAt};
use quorate_sim::cluster::ClusterConfig;
use quorate_sim::machine::tagged;

use crate::lab::clerk::ClerkId;
use crate::lab::mapreduce::data::{Inputs, Pair, Results};
use crate::lab::mapreduce::worker::{JobWorker, Step};
use crate::lab::{Failure, Lab, MS, SECOND, TIME_MAX};

/// The lease of a task, in milliseconds, where the scenario says nothing else.
pub const LEASE_MS: u64 = 1_000;

impl Lab<Coordinator> {
    /// A running cluster of coordinators, which take snapshots every few commands.
    pub fn coordinators(seed: u64, nodes: u64) -> Result<Self, Failure> {
        let mut config = ClusterConfig::fair(seed, nodes);
        config.node.snapshot_entries = 8;
        config.node.keep_entries = 0;
        Self::with(config)
    }

    fn command(&mut self, clerk: ClerkId, command: &Command) -> Result<u64, Failure> {
        self.order(clerk, |tag| Call::Write(tagged(tag, &command.encode())))
    }

    fn question(&mut self, clerk: ClerkId, query: Query, at: ReadAt) -> Result<u64, Failure> {
        let query = query.encode();
        self.order(clerk, |_| Call::ReadAt { query, at })
    }

    fn replied(&self, tag: u64) -> Result<Option<Reply>, Failure> {
        let reply = self.told(tag).map(Reply::decode).transpose();
        match reply.map_err(|malformed| self.fail(malformed.0))? {
            Some(Reply::Failed(error)) => Err(self.fail(&error.to_string())),
            reply => Ok(reply),
        }
    }

    fn await_reply(&mut self, tag: u64) -> Result<Reply, Failure> {
        self.wait(TIME_MAX, |lab| lab.told(tag).is_some())?;
        let reply = self.replied(tag)?;
        reply.ok_or_else(|| self.fail("an order is not answered"))
    }

    fn ask(&mut self, clerk: ClerkId, query: Query) -> Result<Reply, Failure> {
        let tag = self.question(clerk, query, ReadAt::Leader)?;
        self.await_reply(tag)
    }
}

/// What goes wrong, each in so many of a hundred attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The worker dies on the way.
    pub deaths: u64,
    /// It is not heard of for longer than its lease, and then goes on.
    pub stalls: u64,
    /// The first worker takes three seconds longer, each time.
    pub slow: bool,
    /// It says twice that it is done.
    pub echoes: u64,
    /// What it won with is damaged.
    pub damage: u64,
    /// The leader ends at the first step of each kind.
    pub leaders: bool,
    /// All coordinators end after so many steps, and again and again.
    pub blackouts: Option<u64>,
}

/// A job, its workers, and what they stored.
pub struct Shop {
    /// What is to be done.
    pub inputs: Inputs,
    /// How.
    pub spec: Spec,
    /// What goes wrong.
    pub faults: Faults,
    /// How long a task takes, from and to, in milliseconds.
    pub pace_ms: [u64; 2],
    /// Whether every other worker that has nothing to do waits to be told, rather than ask again in time.
    pub watches: bool,
    /// How often each task was carried out to its end.
    pub executed: BTreeMap<TaskId, u32>,
    /// The most workers that were at tasks of a kind together.
    pub peak: [usize; 3],
    job: JobId,
    random: Random,
    boss: ClerkId,
    workers: Vec<JobWorker>,
    /// What map attempts stored, by partition.
    runs: BTreeMap<AttemptId, Vec<Vec<Pair>>>,
    /// What reduce attempts stored.
    outputs: BTreeMap<AttemptId, String>,
    damaged: BTreeSet<AttemptId>,
    published: BTreeMap<u32, String>,
    /// Who was told that it won.
    won: BTreeMap<TaskId, AttemptId>,
    /// Kinds of steps at which a leader has ended already.
    ended_at: BTreeSet<(Step, Option<Kind>)>,
    /// Who is down, and until when.
    down: Option<(NodeId, u64)>,
    steps: u64,
}

impl Shop {
    /// A shop of `workers` workers, who have not begun.
    pub fn new(lab: &mut Lab<Coordinator>, workers: usize, inputs: Inputs) -> Self {
        let random = Random::new(lab.random.next_u64());
        let boss = lab.clerk();
        let mut shop = Self {
            spec: Spec {
                partitions: inputs.partitions,
                lease_ms: LEASE_MS,
                attempts_max: 10,
                ..Spec::default()
            },
            inputs,
            faults: Faults::default(),
            pace_ms: [20, 200],
            watches: true,
            executed: BTreeMap::new(),
            peak: [0; 3],
            job: JobId(0),
            random,
            boss,
            workers: Vec::new(),
            runs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            damaged: BTreeSet::new(),
            published: BTreeMap::new(),
            won: BTreeMap::new(),
            ended_at: BTreeSet::new(),
            down: None,
            steps: 0,
        };
        for number in 0..workers {
            let clerk = lab.clerk();
            shop.workers.push(JobWorker::new(number as u64, clerk));
        }
        shop
    }

    /// Submits the job, and works until every worker is told that it is over; how it ended.
    pub fn run(&mut self, lab: &mut Lab<Coordinator>) -> Result<Status, Failure> {
        self.submit(lab)?;
        while self.workers.iter().any(|worker| !worker.has_left()) {
            for place in 0..self.workers.len() {
                self.step(lab, place)?;
            }
            self.mend(lab)?;
            let now = lab.cluster.now();
            if now > TIME_MAX {
                return Err(lab.fail("the job takes more than 120 s"));
            }
            let wakes = self.workers.iter().filter_map(JobWorker::wakes_at);
            let next = wakes.chain(self.down.map(|(_, until)| until)).min();
            let limit = next.map_or(SECOND, |next| next.saturating_sub(now).max(1));
            let open: Vec<u64> = self.workers.iter().filter_map(JobWorker::open).collect();
            lab.wait(limit, |lab| open.iter().any(|tag| lab.told(*tag).is_some()))?;
        }
        if let Some((id, _)) = self.down.take() {
            lab.restart(id)?;
        }
        self.status(lab)
    }

    fn submit(&mut self, lab: &mut Lab<Coordinator>) -> Result<(), Failure> {
        let spec = self.spec.clone();
        let submit = Command::Submit { spec };
        let Reply::Submitted { job } = self.order(lab, Step::Submit, &submit)? else {
            return Err(lab.fail("the job is not submitted"));
        };
        self.job = job;
        let half = self.inputs.splits.len() / 2;
        for (first, splits) in [
            (0, &self.inputs.splits[..half]),
            (half as u32, &self.inputs.splits[half..]),
        ] {
            let splits = splits.to_vec();
            let add = Command::AddSplits { job, first, splits };
            let clerk = self.boss;
            let tag = lab.command(clerk, &add)?;
            let count = lab.await_reply(tag)?;
            if !matches!(count, Reply::Splits { .. }) {
                return Err(lab.fail(&format!("splits were answered {count:?}")));
            }
        }
        self.order(lab, Step::Start, &Command::Start { job })?;
        Ok(())
    }

    fn order(
        &mut self,
        lab: &mut Lab<Coordinator>,
        step: Step,
        command: &Command,
    ) -> Result<Reply, Failure> {
        let tag = lab.command(self.boss, command)?;
        self.disturb(lab, step, None)?;
        while lab.told(tag).is_none() {
            self.mend(lab)?;
            lab.wait(100 * MS, |lab| lab.told(tag).is_some())?;
        }
        lab.await_reply(tag)
    }

    /// A step has begun: what is to happen to the coordinators happens now.
    fn disturb(
        &mut self,
        lab: &mut Lab<Coordinator>,
        step: Step,
        kind: Option<Kind>,
    ) -> Result<(), Failure> {
        self.steps += 1;
        if let Some(steps) = self.faults.blackouts
            && self.steps.is_multiple_of(steps)
        {
            lab.crash_all()?;
            let pause = self.random.below(SECOND);
            lab.sleep(pause)?;
            lab.start_all()?;
        }
        if self.faults.leaders
            && self.down.is_none()
            && !self.ended_at.contains(&(step, kind))
            && let Some(leader) = lab.leader()
        {
            self.ended_at.insert((step, kind));
            // Before the order has arrived, while it is replicated, or when it is answered.
            let pause = self.random.below(8 * MS);
            lab.sleep(pause)?;
            lab.crash(leader)?;
            let until = lab.cluster.now() + self.random.below(SECOND);
            self.down = Some((leader, until));
        }
        Ok(())
    }

    /// Starts again who was down long enough.
    fn mend(&mut self, lab: &mut Lab<Coordinator>) -> Result<(), Failure> {
        if let Some((id, _)) = self.down.filter(|(_, until)| *until <= lab.cluster.now()) {
            self.down = None;
            lab.restart(id)?;
        }
        Ok(())
    }

    /// Whether anything was published.
    #[must_use]
    pub fn has_published(&self) -> bool {
        !self.published.is_empty()
    }

    /// At how many kinds of steps a leader ended.
    #[must_use]
    pub fn leaders_ended(&self) -> usize {
        self.ended_at.len()
    }

    /// How far the job is.
    pub fn status(&self, lab: &mut Lab<Coordinator>) -> Result<Status, Failure> {
        match lab.ask(self.boss, Query::Status { job: self.job })? {
            Reply::Status(status) => Ok(*status),
            other => Err(lab.fail(&format!("the status is {other:?}"))),
        }
    }

    /// All that happened.
    pub fn events(&self, lab: &mut Lab<Coordinator>) -> Result<Vec<Event>, Failure> {
        let (job, mut all) = (self.job, Vec::new());
        loop {
            let (after, limit) = (all.len() as u64, 100);
            match lab.ask(self.boss, Query::Events { job, after, limit })? {
                Reply::Events { first, end, events } if first == after => {
                    all.extend(events);
                    if all.len() as u64 == end {
                        return Ok(all);
                    }
                }
                other => return Err(lab.fail(&format!("events are {other:?}"))),
            }
        }
    }

    /// The outputs must be those of a sequential run, each published once, and every task must have
    /// exactly one winner, of which everything is counted once.
    pub fn check(&self, lab: &mut Lab<Coordinator>, status: &Status) -> Result<(), Failure> {
        if status.phase != Phase::Completed {
            return Err(lab.fail(&format!("the job ended as {status:?}")));
        }
        let Results {
            outputs,
            pairs,
            keys,
        } = self.inputs.sequential();
        if !self.published.values().eq(&outputs) {
            return Err(lab.fail("the outputs are not those of a sequential run"));
        }
        let expected = [("keys", keys), ("pairs", pairs)];
        let counted = status.counters.iter();
        if !counted
            .map(|(name, value)| (&name[..], *value))
            .eq(expected)
        {
            let seen = &status.counters;
            return Err(lab.fail(&format!("counters are {seen:?}, not {expected:?}")));
        }
        let skipped = self.inputs.poison.len() + usize::from(self.inputs.bad_key.is_some());
        if status.skipped != skipped as u64 {
            return Err(lab.fail(&format!("{} of {skipped} are skipped", status.skipped)));
        }
        let tasks = self.inputs.splits.len() + self.inputs.partitions as usize + 1;
        if self.won.len() != tasks {
            return Err(lab.fail(&format!("winners of {tasks} tasks are {:?}", self.won)));
        }
        let mut winners: BTreeMap<TaskId, Vec<u32>> = BTreeMap::new();
        for event in self.events(lab)? {
            let Some(AttemptId { task, attempt }) = event.attempt else {
                continue;
            };
            match event.what {
                What::Won => winners.entry(task).or_default().push(attempt),
                What::Gone => winners.entry(task).or_default().retain(|it| *it != attempt),
                _ => {}
            }
        }
        if winners.len() != tasks || winners.values().any(|winners| winners.len() != 1) {
            return Err(lab.fail(&format!("winners of {tasks} tasks are {winners:?}")));
        }
        Ok(())
    }
}
