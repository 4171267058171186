//! One seed, one world of a sharded store: a controller, groups, movers and clients, while groups join
//! and leave, shards move, and workers crash, are cut off, and stand still.
//!
//! The groups, on the same workers, are a [`ShardCluster`]. A shard that has just arrived is as it was frozen; at the end each is
//! served by one, nothing is left of it elsewhere, one store per key explains what clients saw, and leases
//! and watches have gone along with their shards.

mod admin;
mod calls;
mod cluster;
mod end;
mod group;
mod holder;
mod places;
pub(crate) mod scene;
mod shape;
mod steps;
mod strand;
mod summary;
mod trouble;
mod user;
mod watcher;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Client, ClientConfig, ClientId, ClientInput, Reply};
use quorate_shard::{CONTROLLER, ControllerCommand, GroupId, MoverConfig, Outgoing};

use crate::checker::Violation;
use crate::streams::{Concern, Streams, exponential};
use crate::world::Failure;

use calls::Calls;
pub use cluster::{Placement, ShardCluster, ShardClusterConfig, ShardEvent, mover_of};
pub use group::Group;
pub use places::{Stand, Step, Turned};
pub use shape::ShardShape;
pub use strand::Stranding;
pub use summary::{LONG, ShardSummary, Sight, TAUGHT};
use trouble::Trouble;
pub use user::History;
use user::{Drained, Role, User};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    User(usize),
    NextCall(usize),
    Admin,
    Change,
    Fault,
    Undo(u64),
}

/// The connection of who makes configurations; users are below, movers beyond.
const ADMIN: ClientId = ClientId(900);

/// A world under way.
pub struct ShardWorld {
    shape: ShardShape,
    random: Random,
    store: ShardCluster<Wake>,
    users: Vec<User>,
    /// Makes configurations.
    admin: Client,
    admin_busy: bool,
    history: History,
    names: u64,
    trouble: Trouble,
    calls: Calls,
    /// Who led each group last.
    leaders: BTreeMap<GroupId, NodeId>,
    calm: bool,
    summary: ShardSummary,
}

impl fmt::Debug for ShardWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardWorld")
            .field("now", &self.store.now)
            .finish_non_exhaustive()
    }
}

impl ShardWorld {
    /// The world of `shape`, before its first event.
    #[must_use]
    pub fn new(shape: ShardShape) -> Self {
        let seed = shape.cluster.seed;
        let streams = Streams::new(seed);
        let mover = MoverConfig {
            chunk_bytes: shape.chunk_bytes,
            small_bytes: 300,
            copies: 3,
            timeout: Duration::from_secs(2),
            ..MoverConfig::new(Vec::new())
        };
        let store = ShardCluster::new(ShardClusterConfig {
            cluster: shape.cluster.clone(),
            nodes: shape.workers,
            groups: shape.groups,
            placement: Placement::Together,
            mover,
        });
        let workers = store.workers();
        let user = |number| {
            let random = streams.stream(Concern::Workload, number);
            User::new(number, workers.clone(), &shape, random)
        };
        let users = 1..=shape.holders + shape.watchers + shape.users;
        let users = users.map(user).collect();
        let mut random = streams.stream(Concern::Nemesis, 1);
        Self {
            store,
            users,
            admin: Client::new(ClientConfig::new(workers), random.next_u64()),
            admin_busy: false,
            history: History::default(),
            names: 0,
            trouble: Trouble::default(),
            calls: Calls::default(),
            leaders: BTreeMap::new(),
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
        self.strand()?;
        // Leases end.
        self.run_until(self.store.now + self.shape.ttl_ms * 2_000 + 3_000_000)?;
        self.read_all()?;
        self.judge()
    }

    fn workers(&self) -> Vec<NodeId> {
        self.store.workers()
    }

    fn start(&mut self, worker: NodeId) -> Result<(), Violation> {
        let seed = self.random.next_u64();
        self.store.start(worker, seed)
    }

    /// Ends a worker without farewell.
    fn crash(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.summary.crashes += 1;
        self.store.crash(worker)
    }

    fn run_until(&mut self, end: u64) -> Result<(), Failure> {
        while self.store.next_at().is_some_and(|at| at <= end) {
            self.step()?;
        }
        self.store.pass_to(end);
        Ok(())
    }

    /// Does what comes next in the whole world.
    fn step(&mut self) -> Result<(), Failure> {
        match self.store.advance()? {
            ShardEvent::Internal => {}
            ShardEvent::Wake(wake) => self.wake(wake)?,
            ShardEvent::Replies {
                group,
                client,
                from,
                replies,
            } => self.answered(group, client, from, replies)?,
        }
        if let Some(group) = self.store.stepped() {
            self.note_leader(group);
        }
        if let Some(step) = self.store.look()? {
            self.saw(&step)?;
        }
        self.store.carry();
        Ok(())
    }

    fn answered(
        &mut self,
        group: GroupId,
        client: ClientId,
        from: NodeId,
        replies: Vec<Reply>,
    ) -> Result<(), Failure> {
        let now = Instant(self.store.now);
        if client == ADMIN {
            for reply in replies {
                self.admin.handle(now, ClientInput::Reply { from, reply });
            }
            self.drain_admin();
            return Ok(());
        }
        let user = client.0 as usize - 1;
        for reply in replies {
            if group != CONTROLLER {
                self.told(group, client, &reply)?;
            }
            self.users[user].client.reply(now, group, from, reply);
        }
        self.drain_user(user)
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::User(user) => {
                self.users[user].timer(self.store.now);
                self.drain_user(user)?;
            }
            Wake::NextCall(user) if !self.calm => {
                let timeout = Duration::from_secs(3);
                self.users[user].call(self.store.now, timeout, &mut self.history);
                self.drain_user(user)?;
            }
            Wake::Admin => {
                self.admin
                    .handle(Instant(self.store.now), ClientInput::TimerFired);
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
        } = self.users[user].drain(self.store.now, &mut self.history)?;
        let id = self.users[user].id;
        let has_moved = lease_ended.is_some_and(|shard| self.has_moved(shard));
        self.summary.note_if(has_moved, Sight::LeaseEndedElsewhere);
        sends
            .into_iter()
            .for_each(|outgoing| self.send(id, outgoing));
        if let Some(at) = wake {
            self.store.plan_at(at, Wake::User(user));
        }
        for _ in 0..ended {
            self.plan_call(user);
        }
        Ok(())
    }

    /// Carries requests of a user to a group.
    fn send(&mut self, client: ClientId, outgoing: Outgoing) {
        if outgoing.group != CONTROLLER {
            let requests = outgoing.requests.iter();
            requests.for_each(|it| self.asked(client, it));
        }
        self.store.send(client, outgoing);
    }

    fn plan_call(&mut self, user: usize) {
        if !self.calm {
            self.plan(self.shape.think_mean, Wake::NextCall(user));
        }
    }

    fn plan(&mut self, mean: u64, wake: Wake) {
        let pause = exponential(&mut self.random, mean);
        self.store.plan_at(self.store.now + pause, wake);
    }
}
