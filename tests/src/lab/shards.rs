//! A sharded store under a lab's tester: groups of three servers each, a controller of three, and all of
//! them apart, so that a group can be shut down alone. Clerks are shipped clients ([`clerk`]); what makes
//! configurations are admins ([`admin`]).
//!
//! The testers' groups are numbered from 0 or from 100, these from 1: 0 is the controller.

pub mod admin;
pub mod clerk;

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_raft::{NodeId, Raft, Random};
use quorate_rsm::{ClientId, StateMachine};
use quorate_shard::{
    CONTROLLER, ControllerCommand, ControllerReply, GroupId, GroupInfo, MoverConfig, Place, Query,
    Reply, ShardId, ShardStore, shard_of,
};
use quorate_sim::cluster::{ClusterConfig, Traffic};
use quorate_sim::network::{Rule, RuleId};
use quorate_sim::rules::Unreliable;
use quorate_sim::shards::{Placement, ShardCluster, ShardClusterConfig, ShardEvent};

use crate::lab::control::SHARDS;
use crate::lab::history::History;
use crate::lab::report::{Agreement, Limit};
use crate::lab::{Failure, MS, Report, SECOND, TIME_MAX};

use admin::{Admin, AdminId, Order};
use clerk::{Asked, Clerk, ClerkId};

/// Servers of each group.
const SERVERS: u64 = 3;
/// As many keys as a scenario has at most.
const KEYS: u32 = 60;

/// What a lab plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A wait's end.
    End,
    /// A clerk's timer.
    Clerk(usize),
    /// The next call of a clerk at work.
    Work(usize),
    /// An admin's timer.
    Admin(usize),
}

/// A sharded store, and who asks it.
pub struct ShardLab {
    /// The groups, the controller, and their movers.
    pub store: ShardCluster<Wake>,
    /// Chance of the scenario itself.
    pub random: Random,
    /// What clerks asked and were told.
    pub history: History,
    keys: Vec<u64>,
    clerks: Vec<Clerk>,
    asked: Vec<Asked>,
    admins: Vec<Admin>,
    orders: Vec<Order>,
    unreliable: Vec<RuleId>,
    agreement: Agreement,
    limits: Vec<Limit>,
}

impl ShardLab {
    /// So many groups that run, none of which has joined. The log of a node may grow to about `state_max`
    /// bytes before a snapshot is taken; without a maximum none ever is.
    pub fn new(seed: u64, groups: u32, state_max: Option<u64>) -> Result<Self, Failure> {
        let mut cluster = ClusterConfig::fair(seed, SERVERS);
        cluster.node.snapshot_entries = u64::MAX;
        cluster.node.snapshot_bytes = u64::MAX;
        if let Some(bytes) = state_max {
            // As for a store that is not sharded.
            cluster.node.snapshot_bytes = (bytes / 2).max(1);
            cluster.node.keep_entries = 0;
        }
        let store = ShardCluster::new(ShardClusterConfig {
            cluster,
            nodes: SERVERS,
            groups,
            placement: Placement::Apart,
            mover: MoverConfig::new(Vec::new()),
        });
        let mut lab = Self {
            store,
            random: Random::stream(seed, 1 << 60),
            history: History::unseen(),
            keys: spread(),
            clerks: Vec::new(),
            asked: Vec::new(),
            admins: Vec::new(),
            orders: Vec::new(),
            unreliable: Vec::new(),
            agreement: Agreement::default(),
            limits: Vec::new(),
        };
        for worker in lab.store.workers() {
            lab.start_worker(worker)?;
        }
        let admin = lab.admin();
        let create = ControllerCommand::Create { shards: SHARDS };
        match lab.execute(admin, &create)? {
            ControllerReply::Unchanged { number: 0 } => Ok(lab),
            other => Err(lab.fail(&format!("the first command was answered {other:?}"))),
        }
    }

    /// Key number `number` of the scenario: those of ten are in ten shards, as with the testers, whose
    /// shards are first letters.
    #[must_use]
    pub fn key(&self, number: usize) -> u64 {
        self.keys[number]
    }

    /// The shard of a key.
    #[must_use]
    pub fn shard(&self, key: u64) -> ShardId {
        shard(key)
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.store.now()
    }

    fn start_worker(&mut self, worker: NodeId) -> Result<(), Failure> {
        let seed = self.random.next_u64();
        Ok(self.store.start(worker, seed)?)
    }

    /// The nodes of a group: 0 is the controller.
    #[must_use]
    pub fn servers(&self, group: u32) -> Vec<NodeId> {
        self.store.nodes(GroupId(group))
    }

    /// Ends the runs of all servers of a group.
    pub fn shutdown_group(&mut self, group: u32) -> Result<(), Failure> {
        let mut servers = self.servers(group).into_iter();
        servers.try_for_each(|server| self.shutdown(server))
    }

    /// Starts the servers of a group that do not run.
    pub fn start_group(&mut self, group: u32) -> Result<(), Failure> {
        let mut servers = self.servers(group).into_iter();
        servers.try_for_each(|server| self.start(server))
    }

    /// Ends a server's run.
    pub fn shutdown(&mut self, server: NodeId) -> Result<(), Failure> {
        Ok(self.store.crash(server)?)
    }

    /// Starts a server, if it does not run.
    pub fn start(&mut self, server: NodeId) -> Result<(), Failure> {
        match self.store.is_running(server) {
            true => Ok(()),
            false => self.start_worker(server),
        }
    }

    /// Who leads a group, as far as anyone believes it does.
    #[must_use]
    pub fn leader(&self, group: u32) -> Option<NodeId> {
        let cluster = &self.store.groups()[&GroupId(group)];
        let leaders = cluster.leaders().into_iter();
        leaders.max_by_key(|id| cluster.raft(*id).map(Raft::term))
    }

    /// Makes all networks as the labs' unreliable one, or fair again.
    pub fn set_unreliable(&mut self, unreliable: bool) {
        let mut rules = core::mem::take(&mut self.unreliable).into_iter();
        for group in self.store.all() {
            if let Some(rule) = rules.next() {
                group.network().remove(rule);
            }
            if unreliable {
                self.unreliable.push(group.network().add(Unreliable));
            }
        }
    }

    /// The latest configuration now has these groups beside those it had.
    pub fn join(&mut self, groups: &[u32]) -> Result<(), Failure> {
        let command = self.joining(groups);
        self.change(&command)
    }

    /// The command that makes groups join.
    #[must_use]
    pub fn joining(&self, groups: &[u32]) -> ControllerCommand {
        let info = |id: &u32| (GroupId(*id), GroupInfo::new(self.servers(*id)));
        ControllerCommand::Join {
            groups: groups.iter().map(info).collect(),
        }
    }

    /// The latest configuration is now without these groups.
    pub fn leave(&mut self, groups: &[u32]) -> Result<(), Failure> {
        self.change(&leaving(groups))
    }

    /// Lets virtual time pass.
    pub fn sleep(&mut self, time: u64) -> Result<(), Failure> {
        self.wait(time, |_| false).map(|_| ())
    }

    /// Lets a time pass that is less than `limit`.
    pub fn sleep_below(&mut self, limit: u64) -> Result<(), Failure> {
        let time = self.random.below(limit);
        self.sleep(time)
    }

    /// Lets time pass until `done`, at most `limit`; whether it came.
    pub fn wait(&mut self, limit: u64, done: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        let end = self.now() + limit;
        self.store.plan_at(end, Wake::End);
        loop {
            if done(self) {
                return Ok(true);
            }
            if self.now() >= end {
                return Ok(false);
            }
            self.step()?;
        }
    }

    fn step(&mut self) -> Result<(), Failure> {
        match self.store.advance()? {
            ShardEvent::Internal | ShardEvent::Wake(Wake::End) => {}
            ShardEvent::Wake(Wake::Clerk(clerk)) => self.wake_clerk(ClerkId(clerk))?,
            ShardEvent::Wake(Wake::Work(clerk)) => self.work(ClerkId(clerk))?,
            ShardEvent::Wake(Wake::Admin(admin)) => self.wake_admin(AdminId(admin))?,
            ShardEvent::Replies {
                group,
                client,
                from,
                replies,
            } => match admin::of(client) {
                Some(admin) => self.admin_told(admin, from, replies)?,
                None => self.clerk_told(client, group, from, replies)?,
            },
        }
        self.store.look()?;
        self.store.carry();
        Ok(())
    }

    /// Whether every server of these groups is done with the latest configuration, and serves what that
    /// says.
    pub fn await_settled(&mut self, limit: u64) -> Result<(), Failure> {
        let end = self.now() + limit;
        loop {
            let Some(open) = self.store.unsettled() else {
                return Ok(());
            };
            if self.now() >= end {
                return Err(self.fail(&open));
            }
            self.sleep(50 * MS)?;
        }
    }

    /// Whether the leader of a group serves a shard.
    #[must_use]
    pub fn serves(&self, group: u32, shard: ShardId) -> bool {
        let leader = self.leader(group);
        let store = leader.and_then(|id| self.store.groups()[&GroupId(group)].machine(id));
        store.is_some_and(|store| store.serves(shard))
    }

    /// How many shards a group still waits for, by its leader.
    #[must_use]
    pub fn arriving(&self, group: u32) -> usize {
        let leader = self.leader(group);
        let store = leader.and_then(|id| self.store.groups()[&GroupId(group)].machine(id));
        let places = store.into_iter().flat_map(|store| store.places());
        let arriving = places.filter(|(_, place)| matches!(place, Place::Arriving(_)));
        arriving.count()
    }

    /// What the leader of a group answers from its own state, of a shard that it serves.
    #[must_use]
    pub fn answer_of(&self, group: u32, query: &Query) -> Option<Bytes> {
        let cluster = &self.store.groups()[&GroupId(group)];
        let reply = cluster.machine(self.leader(group)?)?.query(&query.encode());
        match Reply::decode(&reply) {
            Ok(Reply::Done(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Bytes on the disks of a group's servers: of all, and of the one with most.
    #[must_use]
    pub fn stored(&self, group: u32) -> (u64, u64) {
        let cluster = &self.store.groups()[&GroupId(group)];
        let disk = |id: &NodeId| cluster.disk(*id).sizes("").map(|(_, len)| len as u64).sum();
        let disks: Vec<u64> = cluster.voters().iter().map(disk).collect();
        (disks.iter().sum(), disks.into_iter().max().unwrap_or(0))
    }

    /// Bytes that the leaders of the groups hold in their stores, whatever becomes of them.
    #[must_use]
    pub fn held(&self) -> u64 {
        let groups = self.store.groups().iter();
        let machines = groups.filter_map(|(id, it)| it.machine(self.leader(id.0)?));
        machines.map(ShardStore::bytes).sum()
    }

    /// Puts a rule in the network of a group.
    pub fn add(&mut self, group: u32, rule: impl Rule + 'static) -> RuleId {
        self.store.network(GroupId(group)).add(rule)
    }

    /// Takes it out.
    pub fn remove(&mut self, group: u32, rule: RuleId) {
        self.store.network(GroupId(group)).remove(rule);
    }

    /// Begins to give a shard to a group.
    pub fn begin_move(&mut self, admin: AdminId, shard: ShardId, to: u32) -> Result<(), Failure> {
        let group = GroupId(to);
        self.begin(admin, &ControllerCommand::Move { shard, group })
            .map(drop)
    }

    /// Gives a shard to a group, and waits until it is there.
    pub fn move_to(&mut self, shard: ShardId, group: u32) -> Result<(), Failure> {
        let group_id = GroupId(group);
        self.change(&ControllerCommand::Move {
            shard,
            group: group_id,
        })?;
        match self.wait(20 * SECOND, |lab| lab.serves(group, shard))? {
            true => Ok(()),
            false => Err(self.fail(&format!("{shard} does not come to {group_id}"))),
        }
    }

    /// What moving cost: for no longer than `allowed` milliseconds a shard was served nowhere.
    pub fn check_pauses(&mut self, allowed: u64) -> Result<(), Failure> {
        let longest = self.store.pauses.iter().max().copied().unwrap_or(0);
        self.at_most(
            "ms that a moving shard was served nowhere",
            longest.div_ceil(MS),
            allowed,
        )
    }

    /// What a tester limits: `seen` may not exceed `allowed`.
    pub fn at_most(&mut self, what: &'static str, seen: u64, allowed: u64) -> Result<(), Failure> {
        let limit = Limit {
            what,
            seen,
            allowed,
        };
        limit.note(&mut self.limits);
        if seen > allowed {
            return Err(self.fail(&limit.to_string()));
        }
        Ok(())
    }

    /// A failure with its virtual time.
    #[must_use]
    pub fn fail(&self, what: &str) -> Failure {
        Failure(format!("at {} ms: {what}", self.now() / MS))
    }

    /// What the scenario cost, if it ended in time, and if all servers, once they run and reach each
    /// other, come to be done: each shard is served by the group that shall, nothing is left of it
    /// elsewhere, and the servers of a group have one state.
    pub fn finish(mut self) -> Result<Report, Failure> {
        if self.now() > TIME_MAX {
            return Err(self.fail("more than 120 s"));
        }
        let time = self.now();
        let (mut traffic, mut commands) = (Traffic::default(), 0);
        for group in self.store.all() {
            let sent = group.traffic();
            traffic.frames += sent.frames;
            traffic.requests += sent.requests;
            traffic.responses += sent.responses;
            traffic.bytes += sent.bytes;
            commands += group.commands();
        }
        self.set_unreliable(false);
        for worker in self.store.workers() {
            self.start(worker)?;
        }
        self.await_settled(60 * SECOND)?;
        self.sleep(SECOND)?;
        let served = self.store.check_settled()?;
        let admin = self.admin();
        let latest = self.query(admin, None)?;
        let owned = latest.shards.iter().filter(|owner| **owner != CONTROLLER);
        if served.len() != owned.count() {
            return Err(self.fail(&format!("{served:?} are served: {latest:?}")));
        }
        for (group, cluster) in self.store.groups() {
            let servers = cluster.voters().iter();
            let states: BTreeSet<_> = servers
                .filter_map(|id| cluster.machine_bytes(*id))
                .collect();
            if states.len() > 1 {
                return Err(self.fail(&format!("the servers of {group} differ")));
            }
        }
        self.history.judge().map_err(|what| self.fail(&what))?;
        self.agreement.join(self.history.agreement());
        Ok(Report {
            time,
            nodes: self.store.workers().len() as u64,
            traffic,
            commands,
            agreement: self.agreement,
            limits: self.limits,
        })
    }
}

/// The command that makes groups leave; one must be left.
#[must_use]
pub fn leaving(groups: &[u32]) -> ControllerCommand {
    ControllerCommand::Leave {
        groups: groups.iter().copied().map(GroupId).collect(),
        discard: false,
    }
}

fn shard(key: u64) -> ShardId {
    shard_of(format!("key/{key}").as_bytes(), SHARDS)
}

/// Keys of which the first ten are in all shards, and so are the next.
fn spread() -> Vec<u64> {
    let mut keys = Vec::new();
    for number in 0..KEYS {
        let wanted = ShardId(number % SHARDS);
        let fits = |key: &u64| shard(*key) == wanted && !keys.contains(key);
        let key = (0..).find(fits);
        keys.push(key.expect("a hash comes to every shard"));
    }
    keys
}

/// The connection of clerk or admin number `number`; a mover's is beyond them.
fn connection(first: u64, number: usize) -> ClientId {
    ClientId(first + number as u64)
}
