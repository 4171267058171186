//! One seed, one world of a sharded store: a controller, groups, movers and clients, while groups join
//! and leave, shards move, and workers crash, are cut off, and stand still.
//!
//! Each group is a [`Cluster`] of its own, with all that checks one. A worker is the node of its
//! number in every group: it crashes, and is cut off, in all of them at once. After every step no
//! shard is served by two groups, and one that has just arrived is as it was frozen; at the end each is
//! served by one, nothing is left of it elsewhere, one store per key explains what clients saw, and leases
//! and watches have gone along with their shards.

mod admin;
mod calls;
mod cluster;
mod end;
mod holder;
mod places;
mod shape;
mod summary;
mod trouble;
mod user;
mod watcher;

use core::fmt;
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Client, ClientConfig, ClientId, ClientInput, Reply, Request, RequestBody};
use quorate_shard::{
    CONTROLLER, Controller, ControllerCommand, GroupId, Mover, MoverConfig, Outgoing, ShardStore,
};

use crate::checker::Violation;
use crate::cluster::{Cluster, ClusterConfig, Occurrence};
use crate::machine::unnamed;
use crate::streams::{Concern, Streams, exponential};
use crate::world::Failure;

use calls::Calls;
pub use cluster::{Placement, ShardCluster, ShardClusterConfig, ShardEvent, mover_of};
use places::Seen;
pub use shape::ShardShape;
pub use summary::{LONG, ShardSummary, Sight, TAUGHT};
use trouble::Trouble;
pub use user::History;
use user::{Drained, Role, User};

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
    calls: Calls,
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
            User::new(number, workers.clone(), &shape, random)
        };
        let users = 1..=shape.holders + shape.watchers + shape.users;
        let users = users.map(user).collect();
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
            calls: Calls::default(),
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
            let is_caller = matches!(self.users[user].role(), Role::Caller);
            for _ in 0..if is_caller { self.shape.pipeline } else { 1 } {
                self.plan_call(user);
            }
        }
        self.plan(self.shape.change_mean / 10, Wake::Change);
        if self.shape.fault_mean > 0 {
            self.plan(self.shape.fault_mean, Wake::Fault);
        }
        self.run_until(self.shape.torment)?;
        self.calm_down()?;
        self.settle()?;
        // Leases end.
        self.run_until(self.now + self.shape.ttl_ms * 2_000 + 3_000_000)?;
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
            if group != CONTROLLER {
                self.told(group, client, &reply)?;
            }
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
                if !self.admin_busy && self.behind() <= self.shape.behind {
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

    fn drain_user(&mut self, user: usize) -> Result<(), Failure> {
        let Drained {
            sends,
            ended,
            wake,
            lease_ended,
        } = self.users[user].drain(self.now, &mut self.history)?;
        let id = self.users[user].id;
        let has_moved = lease_ended.is_some_and(|shard| self.has_moved(shard));
        self.summary.note_if(has_moved, Sight::LeaseEndedElsewhere);
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
        if client.0 < MOVERS && group != CONTROLLER {
            requests.iter().for_each(|it| self.asked(client, it));
        }
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
