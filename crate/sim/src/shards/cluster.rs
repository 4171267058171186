//! The groups of a sharded store in one virtual time: their clusters, the controller's, and a mover on
//! every worker. What users do, which configurations are made, and which faults come is decided above.
//!
//! Each group is a [`Cluster`] of its own, with all that checks one. A worker is the node of its number in
//! every group that has such a node: it crashes, and is cut off, in all of them at once. After every step
//! no shard may be served by two groups.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use quorate_raft::{Instant, NodeId};
use quorate_rsm::{ClientId, Reply, Request, RequestBody};
use quorate_shard::{
    CONTROLLER, Controller, GroupId, Mover, MoverConfig, Outgoing, Place, Reply as StoreReply,
    ShardId, ShardStore,
};

use super::group::Group;
use super::places::{Seen, Step};
use crate::checker::Violation;
use crate::cluster::{Cluster, ClusterConfig, Occurrence};
use crate::machine::unnamed;
use crate::network::Network;

/// Which workers have a node of which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each worker has a node of every group, and of the controller's.
    Together,
    /// Each group has workers of its own: those of group 1 are numbered from 11, those of group 2 from
    /// 21. The controller's are numbered from 1.
    Apart,
}

/// What the groups of a sharded store are made of.
#[derive(Clone, Debug)]
pub struct ShardClusterConfig {
    /// Settings of every group's cluster; seed and nodes are replaced.
    pub cluster: ClusterConfig,
    /// Nodes of each group.
    pub nodes: u64,
    /// Groups beside the controller's.
    pub groups: u32,
    /// Where they are.
    pub placement: Placement,
    /// Settings of every mover; the controller's nodes are replaced.
    pub mover: MoverConfig,
}

/// What one step was, as far as it concerns those above.
#[derive(Debug)]
pub enum ShardEvent<W> {
    /// Something between nodes and movers.
    Internal,
    /// What was planned with [`ShardCluster::plan_at`].
    Wake(W),
    /// Answers reached a client.
    Replies {
        /// Of which group.
        group: GroupId,
        /// Which client.
        client: ClientId,
        /// Of which node.
        from: NodeId,
        /// The answers.
        replies: Vec<Reply>,
    },
}

/// The groups, the controller, and the movers. Those above plan wakes of kind `W`.
pub struct ShardCluster<W> {
    config: ShardClusterConfig,
    pub(super) now: u64,
    pub(super) controller: Cluster<Controller>,
    pub(super) groups: BTreeMap<GroupId, Cluster<ShardStore>>,
    movers: BTreeMap<NodeId, Moving>,
    wakes: BinaryHeap<Reverse<(u64, u64, Wake<W>)>>,
    order: u64,
    /// The group that was stepped last, until it was looked at.
    stepped: Option<GroupId>,
    /// Movers that were told something.
    touched: Vec<NodeId>,
    pub(super) seen: BTreeMap<GroupId, Seen>,
    /// Since when shards are served nowhere.
    pub(super) frozen: BTreeMap<ShardId, u64>,
    /// When a migration took its last step.
    pub last_step: u64,
    /// Of each shard that arrived, for how long it was served nowhere: from the freeze that its giver
    /// applied to the last piece that its taker did. In microseconds.
    pub pauses: Vec<u64>,
    /// Shards that arrived.
    pub moves: u64,
    /// Movers were told that a mark is lost.
    pub lost_marks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake<W> {
    Mover(NodeId, u64),
    Above(W),
}

struct Moving {
    mover: Mover,
    run: u64,
    armed: Instant,
    /// What it was told of each group: whether it is led here, and up to where it is applied.
    told: BTreeMap<GroupId, (bool, u64)>,
}

/// Where a mover's answers go: its connection is numbered by its run, and by the worker it is on.
pub(super) const MOVERS: u64 = 1_000;

/// The worker whose mover has this connection; clients have numbers below all of them.
#[must_use]
pub fn mover_of(client: ClientId) -> Option<NodeId> {
    (client.0 >= MOVERS).then_some(NodeId(client.0 % MOVERS))
}

impl<W: Copy + Ord> ShardCluster<W> {
    /// The groups, of which no worker runs yet.
    #[must_use]
    pub fn new(mut config: ShardClusterConfig) -> Self {
        let seed = config.cluster.seed;
        let settings = |group: u32| ClusterConfig {
            seed: seed ^ (u64::from(group) + 1) << 40,
            voters: config.nodes,
            first: match config.placement {
                Placement::Together => 1,
                Placement::Apart => 10 * u64::from(group) + 1,
            },
            ..config.cluster.clone()
        };
        let controller = Cluster::new(settings(0));
        let groups = (1..=config.groups).map(|id| (GroupId(id), Cluster::new(settings(id))));
        let groups = groups.collect();
        config.mover.controllers = controller.voters().to_vec();
        Self {
            controller,
            groups,
            movers: BTreeMap::new(),
            wakes: BinaryHeap::new(),
            order: 0,
            stepped: None,
            touched: Vec::new(),
            seen: BTreeMap::new(),
            frozen: BTreeMap::new(),
            last_step: 0,
            pauses: Vec::new(),
            moves: 0,
            lost_marks: 0,
            now: 0,
            config,
        }
    }

    /// Virtual time in microseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The controller's cluster.
    #[must_use]
    pub fn controller(&self) -> &Cluster<Controller> {
        &self.controller
    }

    /// The cluster of each group.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<GroupId, Cluster<ShardStore>> {
        &self.groups
    }

    /// The nodes of a group, or of the controller.
    ///
    /// # Panics
    /// There is no such group.
    #[must_use]
    pub fn nodes(&self, group: GroupId) -> Vec<NodeId> {
        match group {
            CONTROLLER => self.controller.voters().to_vec(),
            _ => self.groups[&group].voters().to_vec(),
        }
    }

    /// All workers.
    #[must_use]
    pub fn workers(&self) -> Vec<NodeId> {
        let groups = self.groups.values().flat_map(Cluster::voters);
        let all: BTreeSet<NodeId> = self
            .controller
            .voters()
            .iter()
            .chain(groups)
            .copied()
            .collect();
        all.into_iter().collect()
    }

    /// Starts a worker: its nodes, and a mover with this seed.
    ///
    /// # Errors
    /// A node does not find what was durable.
    pub fn start(&mut self, worker: NodeId, seed: u64) -> Result<(), Violation> {
        self.each(worker, |group| group.restart_or_start(worker))?;
        self.order += 1;
        let moving = Moving {
            mover: Mover::new(self.config.mover.clone(), worker, seed),
            run: self.order,
            armed: Instant::NEVER,
            told: BTreeMap::new(),
        };
        self.movers.insert(worker, moving);
        Ok(())
    }

    /// Ends a worker without farewell.
    ///
    /// # Errors
    /// What a node left behind breaks a property.
    pub fn crash(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.movers.remove(&worker);
        self.each(worker, |group| group.crash_node(worker))
    }

    /// Whether a worker runs.
    #[must_use]
    pub fn is_running(&self, worker: NodeId) -> bool {
        self.movers.contains_key(&worker)
    }

    /// Does the same to every group that has a node on a worker, the controller first.
    ///
    /// # Errors
    /// What `what` finds.
    pub fn each(
        &mut self,
        worker: NodeId,
        mut what: impl FnMut(&mut dyn Group) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        for group in self.all() {
            if group.nodes().contains(&worker) {
                what(group)?;
            }
        }
        Ok(())
    }

    /// Every group at this time, the controller first.
    pub fn all(&mut self) -> impl Iterator<Item = &mut dyn Group> {
        let now = self.now;
        let groups = self.groups.values_mut().map(|it| it as &mut dyn Group);
        let controller = core::iter::once(&mut self.controller as &mut dyn Group);
        let mut all: Vec<_> = controller.chain(groups).collect();
        all.iter_mut().for_each(|group| group.pass(now));
        all.into_iter()
    }

    /// The cluster of a group at this time.
    ///
    /// # Panics
    /// There is no such group.
    pub fn group(&mut self, group: GroupId) -> &mut Cluster<ShardStore> {
        let cluster = self.groups.get_mut(&group);
        let cluster = cluster.expect("a group of this store");
        cluster.pass_to(self.now);
        cluster
    }

    /// The network of a group, or of the controller.
    ///
    /// # Panics
    /// There is no such group.
    pub fn network(&mut self, group: GroupId) -> &mut Network {
        match group {
            CONTROLLER => &mut self.controller.network,
            _ => &mut self.group(group).network,
        }
    }

    /// When [`ShardCluster::advance`] will have something to do.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        let groups = self.groups.values().filter_map(Cluster::next_at);
        let wake = self.wakes.peek().map(|Reverse((at, ..))| *at);
        groups.chain(self.controller.next_at()).chain(wake).min()
    }

    /// Lets time pass to `at`, where nothing lies in between.
    pub fn pass_to(&mut self, at: u64) {
        self.now = self.now.max(at);
    }

    /// `wake` comes at virtual time `at`.
    pub fn plan_at(&mut self, at: u64, wake: W) {
        self.plan(at, Wake::Above(wake));
    }

    fn plan(&mut self, at: u64, wake: Wake<W>) {
        self.order += 1;
        self.wakes
            .push(Reverse((at.max(self.now), self.order, wake)));
    }

    /// Does what comes next. To be followed by [`ShardCluster::look`], and [`ShardCluster::carry`].
    ///
    /// # Errors
    /// A property no longer holds.
    pub fn advance(&mut self) -> Result<ShardEvent<W>, Violation> {
        self.stepped = None;
        let Some(at) = self.next_at() else {
            return Ok(ShardEvent::Internal);
        };
        self.now = self.now.max(at);
        if let Some(Reverse((due, _, wake))) = self.wakes.peek().copied()
            && due <= at
        {
            self.wakes.pop();
            return Ok(self.wake(wake));
        }
        if self.controller.next_at() == Some(at) {
            let occurrence = self.controller.step()?;
            self.controller.take_own_answers();
            return Ok(self.occurred(CONTROLLER, occurrence));
        }
        let group = self.groups.iter().find(|(_, it)| it.next_at() == Some(at));
        let Some(group) = group.map(|(group, _)| *group) else {
            return Ok(ShardEvent::Internal);
        };
        let cluster = self.groups.get_mut(&group).expect("it was just found");
        let occurrence = cluster.step()?;
        cluster.take_own_answers();
        self.stepped = Some(group);
        Ok(self.occurred(group, occurrence))
    }

    fn wake(&mut self, wake: Wake<W>) -> ShardEvent<W> {
        match wake {
            Wake::Above(wake) => return ShardEvent::Wake(wake),
            Wake::Mover(worker, run) => {
                if let Some(moving) = self.movers.get_mut(&worker)
                    && moving.run == run
                {
                    moving.armed = Instant::NEVER;
                    moving.mover.timer(Instant(self.now));
                    self.drain_mover(worker);
                }
            }
        }
        ShardEvent::Internal
    }

    fn occurred(&mut self, group: GroupId, it: Option<Occurrence>) -> ShardEvent<W> {
        let Some(Occurrence::Replies {
            client,
            from,
            replies,
        }) = it
        else {
            return ShardEvent::Internal;
        };
        let Some(worker) = mover_of(client) else {
            return ShardEvent::Replies {
                group,
                client,
                from,
                replies,
            };
        };
        let lost = replies
            .iter()
            .filter(|it| group != CONTROLLER && is_lost(it));
        self.lost_marks += lost.count() as u64;
        let (now, moving) = (Instant(self.now), self.movers.get_mut(&worker));
        // Not of an earlier run.
        if let Some(moving) = moving.filter(|moving| moving.run == client.0 / MOVERS) {
            for reply in replies {
                moving.mover.reply(now, group, from, reply);
            }
        }
        self.drain_mover(worker);
        ShardEvent::Internal
    }

    /// The group that was stepped, until it is looked at.
    #[must_use]
    pub fn stepped(&self) -> Option<GroupId> {
        self.stepped
    }

    /// What the last step did to a group: movers will be told, and no shard may be served twice. What
    /// there is to see, if something was applied.
    ///
    /// # Errors
    /// A shard is served twice.
    pub fn look(&mut self) -> Result<Option<Step>, Violation> {
        let Some(group) = self.stepped.take() else {
            return Ok(None);
        };
        let cluster = &self.groups[&group];
        for (worker, moving) in &mut self.movers {
            let raft = cluster.voters().contains(worker);
            let raft = raft.then(|| cluster.raft(*worker)).flatten();
            let leads = raft.is_some_and(|raft| raft.is_leader());
            let applied = raft.map_or(0, |raft| raft.applied().index.0);
            let before = moving.told.insert(group, (leads, applied));
            if before != Some((leads, applied)) && (leads || before.is_some_and(|it| it.0)) {
                moving.mover.touch(Instant(self.now), group, leads);
                self.touched.push(*worker);
            }
        }
        self.note(group)
    }

    /// Lets the movers that were told something do what they want.
    pub fn carry(&mut self) {
        for worker in core::mem::take(&mut self.touched) {
            self.drain_mover(worker);
        }
    }

    fn drain_mover(&mut self, worker: NodeId) {
        let Some(moving) = self.movers.get_mut(&worker) else {
            return;
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
            self.plan(next.0, Wake::Mover(worker, run));
        }
        let id = ClientId(run * MOVERS + worker.0);
        sends
            .into_iter()
            .for_each(|outgoing| self.send(id, outgoing));
    }

    /// Carries requests of a client to a group, or to the controller. What may be executed more than
    /// once has no name.
    pub fn send(&mut self, client: ClientId, outgoing: Outgoing) {
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

    /// The number of the latest configuration that a node of the controller knows.
    #[must_use]
    pub fn latest(&self) -> u64 {
        let nodes = self.controller.voters().iter();
        let machines = nodes.filter_map(|id| self.controller.machine(*id));
        let numbers = machines.filter_map(|it| Some(it.latest()?.number));
        numbers.max().unwrap_or(0)
    }

    /// Who is not done with the latest configuration, if anyone is; all workers shall run.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        let number = self.latest();
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

    /// When all are settled nothing is left of a shard where it was. The shards that are served.
    ///
    /// # Errors
    /// Something is left, or a node's log is not what was seen of it.
    ///
    /// # Panics
    /// A worker does not run.
    pub fn check_settled(&self) -> Result<BTreeSet<ShardId>, Violation> {
        let mut served = BTreeSet::new();
        for (group, cluster) in &self.groups {
            cluster.check_all()?;
            for worker in cluster.voters() {
                let store = cluster.machine(*worker).expect("all run");
                for (shard, place) in store.places() {
                    if place != Place::Serving || store.configuration().owner(shard) != *group {
                        let seen = format!("{group} on {worker} keeps {shard}: {place:?}");
                        return Err(Violation::new("What left is deleted", seen));
                    }
                    served.insert(shard);
                }
            }
        }
        self.controller.check_all()?;
        Ok(served)
    }
}

/// Whether a mark is not held where a mover asked for it.
fn is_lost(reply: &Reply) -> bool {
    let told = reply.result.as_ref().ok().map(StoreReply::decode);
    matches!(told, Some(Ok(StoreReply::MarkLost)))
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
