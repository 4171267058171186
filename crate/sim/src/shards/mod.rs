//! One seed, one world of a sharded store: a controller, groups, movers and clients, while groups join
//! and leave, shards move, and workers crash, are cut off, and stand still.
//!
//! Each group is a [`Cluster`] of its own, with all that checks one. A worker is the node of its
//! number in every group: it crashes, and is cut off, in all of them at once. After every step no
//! shard is served by two groups; at the end each is served by one, nothing is left of it elsewhere, and
//! one store per key explains what clients saw.

mod trouble;
mod user;

use core::fmt;
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{
    Call, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Reply, Request, RequestBody,
};
use quorate_shard::{
    CONTROLLER, Controller, ControllerCommand, ControllerReply, GroupId, GroupInfo, Mover,
    MoverConfig, Outgoing, Place, ShardId, ShardStore,
};

use crate::checker::Violation;
use crate::checker::linearizability::{self, Verdict};
use crate::cluster::{Cluster, ClusterConfig, Occurrence};
use crate::machine::{tagged, unnamed};
use crate::shape::Shape;
use crate::streams::{Concern, Streams, between, chance, exponential, weighted};
use crate::world::Failure;

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
    Mover(NodeId, u64),
    Admin,
    Change,
    Fault,
    Undo(u64),
}

/// Without faults something of what is open must get on in this time, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// Where an answer goes: connections are numbered by what they are of.
const MOVERS: u64 = 1_000;
const ADMIN: ClientId = ClientId(900);

/// A world under way.
pub struct ShardWorld {
    shape: ShardShape,
    now: u64,
    random: Random,
    controller: Cluster<Controller>,
    groups: BTreeMap<GroupId, Cluster<ShardStore>>,
    movers: BTreeMap<NodeId, Moving>,
    users: Vec<User>,
    /// Makes configurations.
    admin: Client,
    admin_busy: bool,
    history: History,
    wakes: BinaryHeap<Reverse<(u64, u64, Wake)>>,
    order: u64,
    names: u64,
    trouble: Trouble,
    /// Of each group, as its most advanced node has it: applied so far, and how its shards stand.
    seen: BTreeMap<GroupId, Seen>,
    calm: bool,
    /// When a migration took its last step.
    stepped: u64,
    summary: ShardSummary,
}

struct Moving {
    mover: Mover,
    run: u64,
    armed: Instant,
    /// What it was told of each group: whether it is led here, and up to where it is applied.
    told: BTreeMap<GroupId, (bool, u64)>,
}

#[derive(Default)]
struct Seen {
    applied: u64,
    places: BTreeMap<ShardId, Stand>,
}

/// How a shard stands, as far as steps are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Serving,
    Leaving,
    Frozen,
    Arriving(u32),
}

impl Stand {
    fn is_served(self) -> bool {
        matches!(self, Self::Serving | Self::Leaving)
    }
}

impl fmt::Debug for ShardWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardWorld")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl ShardWorld {
    /// The world of `shape`, before its first event.
    #[must_use]
    pub fn new(shape: ShardShape) -> Self {
        let seed = shape.cluster.seed;
        let streams = Streams::new(seed);
        let config = |group: u32| ClusterConfig {
            seed: seed ^ (u64::from(group) + 1) << 40,
            voters: shape.workers,
            ..shape.cluster.clone()
        };
        let controller = Cluster::new(config(0));
        let groups = (1..=shape.groups).map(|group| (GroupId(group), Cluster::new(config(group))));
        let groups = groups.collect();
        let workers: Vec<NodeId> = controller.voters().to_vec();
        let user = |number| {
            let random = streams.stream(Concern::Workload, number);
            let id = ClientId(number);
            User::new(id, workers.clone(), shape.shards, shape.keys, random)
        };
        let users = (1..=shape.users).map(user).collect();
        let mut random = streams.stream(Concern::Nemesis, 1);
        Self {
            controller,
            groups,
            movers: BTreeMap::new(),
            users,
            admin: Client::new(ClientConfig::new(workers), random.next_u64()),
            admin_busy: false,
            history: History::default(),
            wakes: BinaryHeap::new(),
            order: 0,
            names: 0,
            trouble: Trouble::default(),
            seen: BTreeMap::new(),
            calm: false,
            stepped: 0,
            summary: ShardSummary::default(),
            now: 0,
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
        self.controller.voters().to_vec()
    }

    /// Starts a worker: a node of every group, and a mover.
    fn start(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.each(|cluster| cluster.restart_or_start(worker))?;
        self.order += 1;
        let controllers = self.workers();
        let mut config = MoverConfig::new(controllers);
        config.chunk_bytes = self.shape.chunk_bytes;
        config.small_bytes = 300;
        config.copies = 3;
        config.timeout = Duration::from_secs(2);
        let mover = Mover::new(config, worker, self.random.next_u64());
        let moving = Moving {
            mover,
            run: self.order,
            armed: Instant::NEVER,
            told: BTreeMap::new(),
        };
        self.movers.insert(worker, moving);
        Ok(())
    }

    /// Ends a worker without farewell.
    fn crash(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.summary.crashes += 1;
        self.movers.remove(&worker);
        self.each(|cluster| cluster.crash_node(worker))
    }

    /// Does the same to every group, the controller's included.
    fn each(
        &mut self,
        mut what: impl FnMut(&mut dyn Group) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let now = self.now;
        let groups = self.groups.values_mut().map(|it| it as &mut dyn Group);
        let controller = core::iter::once(&mut self.controller as &mut dyn Group);
        for group in controller.chain(groups) {
            group.pass(now);
            what(group)?;
        }
        Ok(())
    }

    fn run_until(&mut self, end: u64) -> Result<(), Failure> {
        while self.next_at().is_some_and(|at| at <= end) {
            self.step()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn next_at(&self) -> Option<u64> {
        let groups = self.groups.values().filter_map(Cluster::next_at);
        let wake = self.wakes.peek().map(|Reverse((at, ..))| *at);
        groups.chain(self.controller.next_at()).chain(wake).min()
    }

    /// Does what comes next in the whole world.
    fn step(&mut self) -> Result<(), Failure> {
        let Some(at) = self.next_at() else {
            return Ok(());
        };
        self.now = self.now.max(at);
        if let Some(Reverse((due, _, wake))) = self.wakes.peek().copied()
            && due <= at
        {
            self.wakes.pop();
            return self.wake(wake);
        }
        if self.controller.next_at() == Some(at) {
            let occurrence = self.controller.step()?;
            self.controller.take_own_answers();
            return self.occurred(CONTROLLER, occurrence);
        }
        let group = self.groups.iter().find(|(_, it)| it.next_at() == Some(at));
        let Some(group) = group.map(|(group, _)| *group) else {
            return Ok(());
        };
        let cluster = self.groups.get_mut(&group).expect("it was just found");
        let occurrence = cluster.step()?;
        cluster.take_own_answers();
        self.occurred(group, occurrence)?;
        self.look(group)
    }

    fn occurred(&mut self, group: GroupId, it: Option<Occurrence>) -> Result<(), Failure> {
        let Some(Occurrence::Replies {
            client,
            from,
            replies,
        }) = it
        else {
            return Ok(());
        };
        for reply in replies {
            self.answered(group, client, from, reply);
        }
        match client {
            ADMIN => self.drain_admin(),
            ClientId(id) if id >= MOVERS => self.drain_mover(NodeId(id % MOVERS))?,
            ClientId(id) => self.drain_user(id as usize - 1)?,
        }
        Ok(())
    }

    fn answered(&mut self, group: GroupId, client: ClientId, from: NodeId, reply: Reply) {
        let now = Instant(self.now);
        match client {
            ADMIN => self.admin.handle(now, ClientInput::Reply { from, reply }),
            ClientId(id) if id >= MOVERS => {
                let moving = self.movers.get_mut(&NodeId(id % MOVERS));
                // Not of an earlier run.
                if let Some(moving) = moving.filter(|moving| moving.run == id / MOVERS) {
                    moving.mover.reply(now, group, from, reply);
                }
            }
            ClientId(id) => {
                let user = &mut self.users[id as usize - 1];
                user.client.reply(now, group, from, reply);
            }
        }
    }

    /// What a step of a group did: movers are told, and no shard may be served twice.
    fn look(&mut self, group: GroupId) -> Result<(), Failure> {
        let cluster = &self.groups[&group];
        let mut touched = Vec::new();
        for (worker, moving) in &mut self.movers {
            let raft = cluster.raft(*worker);
            let leads = raft.is_some_and(|raft| raft.is_leader());
            let applied = raft.map_or(0, |raft| raft.applied().index.0);
            let before = moving.told.insert(group, (leads, applied));
            if before != Some((leads, applied)) && (leads || before.is_some_and(|it| it.0)) {
                moving.mover.touch(Instant(self.now), group, leads);
                touched.push(*worker);
            }
        }
        self.note(group)?;
        touched
            .into_iter()
            .try_for_each(|it| self.drain_mover(it))?;
        Ok(())
    }

    /// Looks at a group as its most advanced node has it.
    fn note(&mut self, group: GroupId) -> Result<(), Failure> {
        let cluster = &self.groups[&group];
        let nodes = cluster.voters().iter();
        let nodes = nodes.filter_map(|id| Some((cluster.raft(*id)?.applied().index.0, *id)));
        let Some((applied, node)) = nodes.max() else {
            return Ok(());
        };
        let seen = self.seen.entry(group).or_default();
        if applied <= seen.applied {
            return Ok(());
        }
        seen.applied = applied;
        let store = cluster.machine(node).expect("it runs");
        let stand = |place| match place {
            Place::Serving => Stand::Serving,
            Place::Leaving(_) => Stand::Leaving,
            Place::Frozen(_) => Stand::Frozen,
            Place::Arriving(progress) => {
                let pieces = progress.copy.map_or(0, |copy| copy.3);
                Stand::Arriving(progress.copies << 16 | pieces)
            }
        };
        let places: BTreeMap<ShardId, Stand> = store
            .places()
            .map(|(id, place)| (id, stand(place)))
            .collect();
        let before = core::mem::replace(&mut seen.places, places);
        let now = self.seen[&group].places.clone();
        for (shard, stand) in &now {
            let was = before.get(shard);
            if was == Some(stand) {
                continue;
            }
            if *stand == Stand::Serving && matches!(was, Some(Stand::Arriving(_))) {
                self.summary.moves += 1;
            }
            let others = self.seen.iter().filter(|(other, _)| **other != group);
            let twice = others
                .filter(|(_, seen)| seen.places.get(shard).is_some_and(|it| it.is_served()))
                .map(|(other, _)| *other)
                .next();
            if let Some(other) = twice.filter(|_| stand.is_served()) {
                let seen = format!("{shard} is served by {group} and by {other}");
                return Err(Violation::new("A shard is served once", seen).into());
            }
        }
        if before != now {
            self.stepped = self.now;
            self.trouble_at_step(group)?;
        }
        Ok(())
    }

    /// A migration took a step: the worker that leads the group, or another one, may crash just now.
    fn trouble_at_step(&mut self, group: GroupId) -> Result<(), Failure> {
        if self.calm || !chance(&mut self.random, self.shape.step_crash_permille) {
            return Ok(());
        }
        let leaders = self.groups[&group].leaders();
        if let Some(worker) = leaders.first().copied()
            && self.trouble.may_crash(worker)
        {
            self.summary.step_crashes += 1;
            self.crash(worker)?;
            let back = between(&mut self.random, 10_000, 1_000_000);
            let number = self.trouble.crashed(worker);
            self.plan_at(self.now + back, Wake::Undo(number));
        }
        Ok(())
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::User(user) => {
                self.users[user].timer(self.now);
                self.drain_user(user)?;
            }
            Wake::NextCall(user) if !self.calm => {
                let timeout = Duration::from_secs(3);
                self.users[user].call(self.now, timeout, &mut self.history);
                self.drain_user(user)?;
            }
            Wake::Mover(worker, run) => {
                if let Some(moving) = self.movers.get_mut(&worker)
                    && moving.run == run
                {
                    moving.armed = Instant::NEVER;
                    moving.mover.timer(Instant(self.now));
                    self.drain_mover(worker)?;
                }
            }
            Wake::Admin => {
                self.admin
                    .handle(Instant(self.now), ClientInput::TimerFired);
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
        let machines = machines.filter_map(|id| self.controller.machine(id)?.latest());
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
        let deadline = Instant(self.now).after(Duration::from_secs(5));
        let call = self
            .admin
            .call(Instant(self.now), Call::Write(command), deadline);
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
            self.controller.pass_to(self.now);
            self.controller.send_requests(ADMIN, to, requests);
        }
        let next = self.admin.next_timeout();
        if next != Instant::NEVER {
            self.plan_at(next.0.max(self.now + 1_000), Wake::Admin);
        }
    }

    fn drain_user(&mut self, user: usize) -> Result<(), Failure> {
        let (sends, ended, wake) = self.users[user].drain(&mut self.history)?;
        let id = self.users[user].id;
        sends
            .into_iter()
            .for_each(|outgoing| self.send(id, outgoing));
        if let Some(at) = wake {
            self.plan_at(at, Wake::User(user));
        }
        for _ in 0..ended {
            self.plan_call(user);
        }
        Ok(())
    }

    fn drain_mover(&mut self, worker: NodeId) -> Result<(), Failure> {
        let Some(moving) = self.movers.get_mut(&worker) else {
            return Ok(());
        };
        let now = Instant(self.now);
        while let Some(group) = moving.mover.next_group() {
            let store = self.groups.get(&group).and_then(|it| it.machine(worker));
            if let Some(store) = store {
                moving.mover.look(now, group, store);
            }
        }
        let mut sends = Vec::new();
        while let Some(outgoing) = moving.mover.poll_output() {
            sends.push(outgoing);
        }
        let next = moving.mover.next_timeout();
        let (run, wakes) = (moving.run, next < moving.armed);
        if wakes {
            moving.armed = next;
            self.plan_at(next.0, Wake::Mover(worker, run));
        }
        let id = ClientId(run * MOVERS + worker.0);
        sends
            .into_iter()
            .for_each(|outgoing| self.send(id, outgoing));
        Ok(())
    }

    /// Carries requests to a group. What may be executed more than once has no name.
    fn send(&mut self, client: ClientId, outgoing: Outgoing) {
        let Outgoing {
            group,
            to,
            requests,
        } = outgoing;
        let name = |request: Request| match request.body {
            RequestBody::Propose { command } => Request {
                id: request.id,
                body: RequestBody::Propose {
                    command: unnamed(&command),
                },
            },
            _ => request,
        };
        let requests = requests.into_iter().map(name).collect();
        if group == CONTROLLER {
            self.controller.pass_to(self.now);
            self.controller.send_requests(client, to, requests);
        } else if let Some(cluster) = self.groups.get_mut(&group) {
            cluster.pass_to(self.now);
            cluster.send_requests(client, to, requests);
        }
    }

    fn plan_call(&mut self, user: usize) {
        if !self.calm {
            self.plan(self.shape.think_mean, Wake::NextCall(user));
        }
    }

    fn plan(&mut self, mean: u64, wake: Wake) {
        let pause = exponential(&mut self.random, mean);
        self.plan_at(self.now + pause, wake);
    }

    fn plan_at(&mut self, at: u64, wake: Wake) {
        self.order += 1;
        self.wakes
            .push(Reverse((at.max(self.now), self.order, wake)));
    }

    /// The faults stop, and so do the changes.
    fn calm_down(&mut self) -> Result<(), Failure> {
        self.calm = true;
        self.heal()?;
        Ok(())
    }

    /// Runs until every group is done with the last configuration, and every call has ended.
    fn settle(&mut self) -> Result<(), Failure> {
        let began = self.now;
        loop {
            self.run_until(self.now + 50_000)?;
            let Some(open) = self.open_business() else {
                return Ok(());
            };
            let quiet = self.now - self.stepped.max(began);
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
        let newest = |cluster: &Cluster<Controller>| {
            let machines = cluster
                .voters()
                .iter()
                .filter_map(|id| cluster.machine(*id));
            machines.filter_map(|it| Some(it.latest()?.number)).max()
        };
        let number = newest(&self.controller).unwrap_or(0);
        for (group, cluster) in &self.groups {
            for worker in cluster.voters() {
                let Some(store) = cluster.machine(*worker) else {
                    return Some(format!("{worker} does not run"));
                };
                let at = store.configuration().number;
                if !store.is_settled() || at < number {
                    let all = self.groups.iter().map(|(group, it)| describe(*group, it));
                    let all: String = all.collect();
                    return Some(format!(
                        "{group} on {worker} is not done; {number} is the last{all}"
                    ));
                }
            }
        }
        None
    }

    /// Every key is read once more by everyone.
    fn read_all(&mut self) -> Result<(), Failure> {
        let serves = |it: &Cluster<ShardStore>| {
            let mut machines = it.voters().iter().filter_map(|id| it.machine(*id));
            machines.any(|store| store.places().next().is_some())
        };
        if !self.groups.values().any(serves) {
            return Ok(()); // Nobody joined.
        }
        let timeout = Duration::from_secs(60);
        for user in 0..self.users.len() {
            for key in 0..self.shape.keys {
                self.users[user].read(self.now, key, timeout, &mut self.history);
            }
            self.drain_user(user)?;
        }
        self.settle()
    }

    fn judge(&mut self) -> Result<ShardSummary, Failure> {
        let mut served = BTreeSet::new();
        for (group, cluster) in &self.groups {
            cluster.check_all()?;
            for worker in cluster.voters() {
                let store = cluster.machine(*worker).expect("all run");
                for (shard, place) in store.places() {
                    if place != Place::Serving || store.configuration().owner(shard) != *group {
                        let seen = format!("{group} on {worker} keeps {shard}: {place:?}");
                        return Err(Violation::new("What left is deleted", seen).into());
                    }
                    served.insert(shard);
                }
            }
        }
        self.controller.check_all()?;
        let shards = self.shape.shards as usize;
        if self.summary.moves > 0 && served.len() != shards {
            let seen = format!("{} of {shards} shards are served", served.len());
            return Err(Violation::new("No shard is lost", seen).into());
        }
        self.summary.time = self.now;
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

/// Who leads a group, and what is open there.
fn describe(group: GroupId, cluster: &Cluster<ShardStore>) -> String {
    let leaders = cluster.leaders();
    let store = leaders.first().and_then(|id| cluster.machine(*id));
    let places = store.into_iter().flat_map(ShardStore::places);
    let open: Vec<_> = places
        .filter(|(_, place)| *place != Place::Serving)
        .collect();
    let number = store.map(|store| store.configuration().number);
    let nodes = cluster.voters().iter().filter_map(|id| cluster.raft(*id));
    let ends: Vec<_> = nodes
        .map(|raft| (raft.status().last, raft.applied().index))
        .collect();
    format!(
        "\n  {group}: led by {leaders:?}, last and applied {ends:?}, at configuration {number:?}, open: {open:?}"
    )
}

/// What is done to a cluster whatever its machine is.
trait Group {
    fn pass(&mut self, now: u64);
    fn restart_or_start(&mut self, worker: NodeId) -> Result<(), Violation>;
    fn crash_node(&mut self, worker: NodeId) -> Result<(), Violation>;
    fn network(&mut self) -> &mut crate::network::Network;
    fn pause_node(&mut self, worker: NodeId);
    fn resume_node(&mut self, worker: NodeId);
}

impl<M: quorate_rsm::StateMachine + Default> Group for Cluster<M> {
    fn pass(&mut self, now: u64) {
        self.pass_to(now);
    }

    fn restart_or_start(&mut self, worker: NodeId) -> Result<(), Violation> {
        match self.starts() < self.voters().len() as u64 {
            true => self.start(worker),
            false => self.restart(worker),
        }
    }

    fn crash_node(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.crash(worker)
    }

    fn network(&mut self) -> &mut crate::network::Network {
        &mut self.network
    }

    fn pause_node(&mut self, worker: NodeId) {
        self.pause(worker);
    }

    fn resume_node(&mut self, worker: NodeId) {
        self.resume(worker);
    }
}
