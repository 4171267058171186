//! One seed, one world of a sharded store: a controller, groups, movers and clients, while groups join
//! and leave, shards move, and workers crash, are cut off, and stand still.
//!
//! After every step no shard is served by two groups; at the end each is served by one, nothing is left of
//! it elsewhere, and one store per key explains what clients saw. What all of it runs on is a
//! [`ShardCluster`].

mod cluster;
mod trouble;
mod user;

use core::fmt;
use core::time::Duration;

use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Call, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Reply};
use quorate_shard::{
    CONTROLLER, ControllerCommand, ControllerReply, GroupId, GroupInfo, MoverConfig, Outgoing,
    ShardId, ShardStore,
};

use crate::checker::Violation;
use crate::checker::linearizability::{self, Verdict};
use crate::cluster::{Cluster, ClusterConfig};
use crate::machine::tagged;
use crate::shape::Shape;
use crate::streams::{Concern, Streams, between, chance, exponential, weighted};
use crate::world::Failure;

pub use cluster::{Group, Placement, ShardCluster, ShardClusterConfig, ShardEvent, mover_of};
use trouble::Trouble;
pub use user::History;
use user::User;

/// What such a world is before its first event.
#[derive(Clone, Debug)]
pub struct ShardShape {
    /// Settings of every group's cluster; the seed is replaced.
    pub cluster: ClusterConfig,
    /// Workers: each group has a node on all of them.
    pub workers: u64,
    /// Groups that may join.
    pub groups: u32,
    /// Shards.
    pub shards: u32,
    /// Users.
    pub users: u64,
    /// Keys that they share.
    pub keys: u64,
    /// Mean pause of a user between two calls, in microseconds.
    pub think_mean: u64,
    /// Mean time between two changes of the configuration, in microseconds.
    pub change_mean: u64,
    /// Mean time between two faults, in microseconds; zero for none.
    pub fault_mean: u64,
    /// Of a thousand steps of migrations, how many crash a worker that leads giver or taker.
    pub step_crash_permille: u64,
    /// Bytes of a piece of a shard.
    pub chunk_bytes: u32,
    /// How long faults come, in microseconds.
    pub torment: u64,
}

impl ShardShape {
    /// The world of `seed`, with faults for `torment`.
    #[must_use]
    pub fn draw(seed: u64, torment: Duration) -> Self {
        let mut random = Streams::new(seed).stream(Concern::Shape, 1);
        let random = &mut random;
        let mut cluster = Shape::draw(seed, torment).cluster;
        cluster.voters = 3;
        cluster.seed = seed;
        // Elsewhere: here the groups are the matter.
        cluster.clock.drift_ppm = cluster.clock.drift_ppm.min(1_000);
        cluster.link.loss_permille = cluster.link.loss_permille.min(100);
        cluster.node.raft.lease_reads = false;
        // A group that takes a second for an entry is not done in any time.
        let raft = &mut cluster.node.raft;
        raft.max_append_bytes = raft.max_append_bytes.max(1_000);
        raft.max_inflight_messages = raft.max_inflight_messages.max(8);
        raft.max_inflight_bytes = raft.max_inflight_bytes.max(2_000);
        let second = 1_000_000;
        Self {
            cluster,
            workers: 3,
            groups: weighted(random, &[(2, 2), (3, 3), (1, 5)]),
            shards: weighted(random, &[(1, 1), (3, 4), (2, 10), (1, 32)]),
            users: between(random, 2, 4),
            keys: weighted(random, &[(1, 2), (3, 6), (1, 20)]),
            think_mean: weighted(random, &[(2, 10_000), (1, 100_000)]),
            change_mean: weighted(
                random,
                &[(1, second / 20), (2, second / 2), (1, 3 * second)],
            ),
            fault_mean: weighted(random, &[(1, 0), (2, second / 2), (1, 2 * second)]),
            step_crash_permille: weighted(random, &[(2, 0), (2, 50), (1, 300)]),
            chunk_bytes: weighted(random, &[(1, 40), (2, 200), (1, 4_096)]),
            torment: torment.as_micros() as u64,
        }
    }
}

/// What a world was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSummary {
    /// Virtual time, in microseconds.
    pub time: u64,
    /// Calls that ended with an answer.
    pub answered: u64,
    /// Calls in all.
    pub calls: u64,
    /// The last configuration.
    pub configurations: u64,
    /// Shards that arrived.
    pub moves: u64,
    /// Workers that crashed.
    pub crashes: u64,
    /// Of these, in a step of a migration.
    pub step_crashes: u64,
}

impl ShardSummary {
    /// Adds another world's.
    pub fn add(&mut self, other: &Self) {
        let Self {
            time,
            answered,
            calls,
            configurations,
            moves,
            crashes,
            step_crashes,
        } = other;
        self.time += time;
        self.answered += answered;
        self.calls += calls;
        self.configurations += configurations;
        self.moves += moves;
        self.crashes += crashes;
        self.step_crashes += step_crashes;
    }
}

impl fmt::Display for ShardSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            time,
            answered,
            calls,
            configurations,
            moves,
            crashes,
            step_crashes,
        } = self;
        let seconds = time / 1_000_000;
        write!(
            f,
            "{seconds} s, {answered} of {calls} calls answered, {configurations} configurations, {moves} moves, \
             {crashes} crashes, {step_crashes} of them at a step of a migration"
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    User(usize),
    NextCall(usize),
    Admin,
    Change,
    Fault,
    Undo(u64),
}

/// Without faults something of what is open must get on in this time, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// Who makes configurations. The users are numbered from 1.
const ADMIN: ClientId = ClientId(900);

/// A world under way.
pub struct ShardWorld {
    shape: ShardShape,
    random: Random,
    cluster: ShardCluster<Wake>,
    users: Vec<User>,
    /// Makes configurations.
    admin: Client,
    admin_busy: bool,
    history: History,
    names: u64,
    trouble: Trouble,
    calm: bool,
    summary: ShardSummary,
}

impl fmt::Debug for ShardWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardWorld")
            .field("now", &self.cluster.now())
            .finish_non_exhaustive()
    }
}

impl ShardWorld {
    /// The world of `shape`, before its first event.
    #[must_use]
    pub fn new(shape: ShardShape) -> Self {
        let seed = shape.cluster.seed;
        let streams = Streams::new(seed);
        let mut mover = MoverConfig::new(Vec::new());
        mover.chunk_bytes = shape.chunk_bytes;
        mover.small_bytes = 300;
        mover.copies = 3;
        mover.timeout = Duration::from_secs(2);
        let cluster = ShardCluster::new(ShardClusterConfig {
            cluster: shape.cluster.clone(),
            nodes: shape.workers,
            groups: shape.groups,
            placement: Placement::Together,
            mover,
        });
        let workers = cluster.workers();
        let user = |number| {
            let random = streams.stream(Concern::Workload, number);
            let id = ClientId(number);
            User::new(id, workers.clone(), shape.shards, shape.keys, random)
        };
        let users = (1..=shape.users).map(user).collect();
        let mut random = streams.stream(Concern::Nemesis, 1);
        Self {
            cluster,
            users,
            admin: Client::new(ClientConfig::new(workers), random.next_u64()),
            admin_busy: false,
            history: History::default(),
            names: 0,
            trouble: Trouble::default(),
            calm: false,
            summary: ShardSummary::default(),
            random,
            shape,
        }
    }

    /// Lives the world to its end.
    ///
    /// # Errors
    /// What went wrong first.
    pub fn run(&mut self) -> Result<ShardSummary, Failure> {
        for worker in self.workers() {
            self.start(worker)?;
        }
        let create = ControllerCommand::Create {
            shards: self.shape.shards,
        };
        self.decide(&create)?;
        for user in 0..self.users.len() {
            self.plan_call(user);
        }
        self.plan(self.shape.change_mean / 10, Wake::Change);
        if self.shape.fault_mean > 0 {
            self.plan(self.shape.fault_mean, Wake::Fault);
        }
        self.run_until(self.shape.torment)?;
        self.calm_down()?;
        self.settle()?;
        self.read_all()?;
        self.judge()
    }

    fn workers(&self) -> Vec<NodeId> {
        self.cluster.workers()
    }

    /// Starts a worker: a node of every group, and a mover.
    fn start(&mut self, worker: NodeId) -> Result<(), Violation> {
        let seed = self.random.next_u64();
        self.cluster.start(worker, seed)
    }

    /// Ends a worker without farewell.
    fn crash(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.summary.crashes += 1;
        self.cluster.crash(worker)
    }

    fn run_until(&mut self, end: u64) -> Result<(), Failure> {
        while self.cluster.next_at().is_some_and(|at| at <= end) {
            self.step()?;
        }
        self.cluster.pass_to(end);
        Ok(())
    }

    /// Does what comes next in the whole world.
    fn step(&mut self) -> Result<(), Failure> {
        match self.cluster.advance()? {
            ShardEvent::Internal => {}
            ShardEvent::Wake(wake) => self.wake(wake)?,
            ShardEvent::Replies {
                group,
                client,
                from,
                replies,
            } => {
                for reply in replies {
                    self.answered(group, client, from, reply);
                }
                match client {
                    ADMIN => self.drain_admin(),
                    ClientId(id) => self.drain_user(id as usize - 1)?,
                }
            }
        }
        if let Some(group) = self.cluster.look()? {
            self.trouble_at_step(group)?;
        }
        self.cluster.carry();
        Ok(())
    }

    fn answered(&mut self, group: GroupId, client: ClientId, from: NodeId, reply: Reply) {
        let now = Instant(self.cluster.now());
        match client {
            ADMIN => self.admin.handle(now, ClientInput::Reply { from, reply }),
            ClientId(id) => {
                let user = &mut self.users[id as usize - 1];
                user.client.reply(now, group, from, reply);
            }
        }
    }

    /// A migration took a step: the worker that leads the group, or another one, may crash just now.
    fn trouble_at_step(&mut self, group: GroupId) -> Result<(), Failure> {
        if self.calm || !chance(&mut self.random, self.shape.step_crash_permille) {
            return Ok(());
        }
        let leaders = self.cluster.groups()[&group].leaders();
        if let Some(worker) = leaders.first().copied()
            && self.trouble.may_crash(worker)
        {
            self.summary.step_crashes += 1;
            self.crash(worker)?;
            let back = between(&mut self.random, 10_000, 1_000_000);
            let number = self.trouble.crashed(worker);
            self.plan_at(self.cluster.now() + back, Wake::Undo(number));
        }
        Ok(())
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::User(user) => {
                self.users[user].timer(self.cluster.now());
                self.drain_user(user)?;
            }
            Wake::NextCall(user) if !self.calm => {
                let timeout = Duration::from_secs(3);
                self.users[user].call(self.cluster.now(), timeout, &mut self.history);
                self.drain_user(user)?;
            }
            Wake::Admin => {
                self.admin
                    .handle(Instant(self.cluster.now()), ClientInput::TimerFired);
                self.drain_admin();
            }
            Wake::Change if !self.calm => {
                if !self.admin_busy {
                    let change = self.change();
                    self.decide(&change)?;
                }
                self.plan(self.shape.change_mean, Wake::Change);
            }
            Wake::Fault if !self.calm => {
                self.fault()?;
                self.plan(self.shape.fault_mean, Wake::Fault);
            }
            Wake::Undo(number) => self.undo(number)?,
            Wake::NextCall(_) | Wake::Change | Wake::Fault => {}
        }
        Ok(())
    }

    /// Some change of the configuration, mostly one that makes sense.
    fn change(&mut self) -> ControllerCommand {
        let machines = self.workers().into_iter();
        let machines = machines.filter_map(|id| self.cluster.controller().machine(id)?.latest());
        let latest = machines.max_by_key(|it| it.number).cloned();
        let joined = |group: GroupId| latest.as_ref().is_some_and(|it| it.groups.has(group));
        let all = (1..=self.shape.groups).map(GroupId);
        let sensible = !chance(&mut self.random, 100);
        let mut any = |groups: Vec<GroupId>| {
            let groups = match groups.is_empty() || !sensible {
                true => all.clone().collect(),
                false => groups,
            };
            groups[self.random.below(groups.len() as u64) as usize]
        };
        let inside: Vec<GroupId> = all.clone().filter(|it| joined(*it)).collect();
        let outside: Vec<GroupId> = all.clone().filter(|it| !joined(*it)).collect();
        let (enters, other) = (any(outside.clone()), any(inside.clone()));
        let shard = ShardId(self.random.below(u64::from(self.shape.shards)) as u32);
        let kind = self.random.below(10);
        if !outside.is_empty() && (inside.is_empty() || kind < 4) {
            ControllerCommand::Join {
                groups: vec![(enters, GroupInfo::new(self.workers()))],
            }
        } else if inside.len() > 1 && kind < 7 {
            ControllerCommand::Leave {
                groups: vec![other],
                discard: false,
            }
        } else {
            ControllerCommand::Move {
                shard,
                group: other,
            }
        }
    }

    fn decide(&mut self, command: &ControllerCommand) -> Result<(), Violation> {
        self.names += 1;
        let command = tagged(self.names, &command.encode());
        let deadline = Instant(self.cluster.now()).after(Duration::from_secs(5));
        let call = self
            .admin
            .call(Instant(self.cluster.now()), Call::Write(command), deadline);
        self.admin_busy = call.is_ok();
        self.drain_admin();
        Ok(())
    }

    fn drain_admin(&mut self) {
        let mut sends = Vec::new();
        while let Some(output) = self.admin.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => sends.push((to, requests)),
                ClientOutput::Done { result, .. } => {
                    self.admin_busy = false;
                    let reply = result.ok().and_then(|it| ControllerReply::decode(&it).ok());
                    if let Some(ControllerReply::Changed { number }) = reply {
                        self.summary.configurations = number;
                    }
                }
            }
        }
        for (to, requests) in sends {
            let group = CONTROLLER;
            let outgoing = Outgoing {
                group,
                to,
                requests,
            };
            self.cluster.send(ADMIN, outgoing);
        }
        let next = self.admin.next_timeout();
        if next != Instant::NEVER {
            self.plan_at(next.0.max(self.cluster.now() + 1_000), Wake::Admin);
        }
    }

    fn drain_user(&mut self, user: usize) -> Result<(), Failure> {
        let (sends, ended, wake) = self.users[user].drain(&mut self.history)?;
        let id = self.users[user].id;
        sends
            .into_iter()
            .for_each(|outgoing| self.cluster.send(id, outgoing));
        if let Some(at) = wake {
            self.plan_at(at, Wake::User(user));
        }
        for _ in 0..ended {
            self.plan_call(user);
        }
        Ok(())
    }

    fn plan_call(&mut self, user: usize) {
        if !self.calm {
            self.plan(self.shape.think_mean, Wake::NextCall(user));
        }
    }

    fn plan(&mut self, mean: u64, wake: Wake) {
        let pause = exponential(&mut self.random, mean);
        self.plan_at(self.cluster.now() + pause, wake);
    }

    fn plan_at(&mut self, at: u64, wake: Wake) {
        self.cluster.plan_at(at, wake);
    }

    /// The faults stop, and so do the changes.
    fn calm_down(&mut self) -> Result<(), Failure> {
        self.calm = true;
        self.heal()?;
        Ok(())
    }

    /// Runs until every group is done with the last configuration, and every call has ended.
    fn settle(&mut self) -> Result<(), Failure> {
        let began = self.cluster.now();
        loop {
            self.run_until(self.cluster.now() + 50_000)?;
            let Some(open) = self.open_business() else {
                return Ok(());
            };
            let quiet = self.cluster.now() - self.cluster.last_step.max(began);
            if quiet > PATIENCE {
                return Err(Failure::Liveness(format!(
                    "{quiet} µs without a step: {open}"
                )));
            }
        }
    }

    fn open_business(&self) -> Option<String> {
        let calls: usize = self.users.iter().map(User::open).sum();
        if calls > 0 || self.admin_busy {
            return Some(format!("{calls} calls are open"));
        }
        self.cluster.unsettled()
    }

    /// Every key is read once more by everyone.
    fn read_all(&mut self) -> Result<(), Failure> {
        let serves = |it: &Cluster<ShardStore>| {
            let mut machines = it.voters().iter().filter_map(|id| it.machine(*id));
            machines.any(|store| store.places().next().is_some())
        };
        if !self.cluster.groups().values().any(serves) {
            return Ok(()); // Nobody joined.
        }
        let timeout = Duration::from_secs(60);
        for user in 0..self.users.len() {
            for key in 0..self.shape.keys {
                self.users[user].read(self.cluster.now(), key, timeout, &mut self.history);
            }
            self.drain_user(user)?;
        }
        self.settle()
    }

    fn judge(&mut self) -> Result<ShardSummary, Failure> {
        let served = self.cluster.check_settled()?;
        self.summary.moves = self.cluster.moves;
        let shards = self.shape.shards as usize;
        if self.summary.moves > 0 && served.len() != shards {
            let seen = format!("{} of {shards} shards are served", served.len());
            return Err(Violation::new("No shard is lost", seen).into());
        }
        self.summary.time = self.cluster.now();
        self.summary.answered = self.history.answered;
        self.summary.calls = self.history.operations().len() as u64;
        match linearizability::check(self.history.operations()) {
            Verdict::Linearizable => Ok(self.summary),
            Verdict::Illegal { key } => {
                let seen = format!("no order explains what clients saw of key {key}");
                Err(Violation::new("Linearizability", seen).into())
            }
            Verdict::Undecided { key } => {
                let seen = format!("what clients saw of key {key} could not be explained in time");
                Err(Violation::new("Linearizability", seen).into())
            }
        }
    }
}
