//! What a lab scenario needs: a cluster in a simulated world, nodes that leave and return, and the
//! questions the labs' testers ask. Commands come from clerks ([`clerk`]), or are given to a node on
//! the spot ([`spot`]).
//!
//! Times are virtual. The nodes have the shipped default timeouts.

pub mod clerk;
pub mod control;
pub mod forgetful;
pub mod history;
pub mod mapreduce;
pub mod report;
pub mod shards;
pub mod spot;
pub mod store;
pub mod worker;

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{NodeId, Raft, Random, Term};
use quorate_rsm::{SessionId, StateMachine};
use quorate_sim::cluster::{Cluster, ClusterConfig, Occurrence};
use quorate_sim::machine::Journal;
use quorate_sim::network::RuleId;
use quorate_sim::rules::{Cut, Partition, Unreliable};

use crate::lab::clerk::Clerk;
use crate::lab::control::Order;
use crate::lab::history::History;
use crate::lab::report::{Agreement, Limit};

pub use crate::lab::report::{Failure, Report};

/// One second of virtual time.
pub const SECOND: u64 = 1_000_000;
/// One millisecond of virtual time.
pub const MS: u64 = 1_000;
/// What the labs call the election timeout: elections are over well within it.
pub const ELECTION: u64 = SECOND;
/// No test may take longer.
pub const TIME_MAX: u64 = 120 * SECOND;

/// A cluster under a lab's tester.
pub struct Lab<M: StateMachine = Journal> {
    /// The world.
    pub cluster: Cluster<M>,
    /// Chance of the scenario itself.
    pub random: Random,
    /// What clerks asked and were told.
    pub history: History,
    away: BTreeMap<NodeId, RuleId>,
    unreliable: Option<RuleId>,
    partitions: Vec<RuleId>,
    clerks: Vec<Clerk>,
    /// What was asked of a machine that is no store.
    orders: Vec<Order>,
    session: Option<SessionId>,
    /// Commands begun on the spot; also the number of the last one.
    begun: u64,
    agreement: Agreement,
    limits: Vec<Limit>,
}

impl Lab {
    /// A running cluster of `nodes`.
    pub fn new(seed: u64, nodes: u64) -> Result<Self, Failure> {
        Self::with(ClusterConfig::fair(seed, nodes))
    }

    /// A running cluster that takes a snapshot every ten commands, as in the labs on snapshots.
    pub fn with_snapshots(seed: u64, nodes: u64) -> Result<Self, Failure> {
        let mut config = ClusterConfig::fair(seed, nodes);
        config.node.snapshot_entries = 10;
        config.node.keep_entries = 0;
        Self::with(config)
    }
}

impl<M: StateMachine + Default> Lab<M> {
    fn with(config: ClusterConfig) -> Result<Self, Failure> {
        let random = Random::stream(config.seed, 1 << 60);
        let mut lab = Self {
            cluster: Cluster::new(config),
            random,
            history: History::default(),
            away: BTreeMap::new(),
            unreliable: None,
            partitions: Vec::new(),
            clerks: Vec::new(),
            orders: Vec::new(),
            session: None,
            begun: 0,
            agreement: Agreement::default(),
            limits: Vec::new(),
        };
        for id in lab.nodes() {
            lab.cluster.start(id)?;
        }
        Ok(lab)
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.cluster.voters().to_vec()
    }

    /// The node `steps` after `id`, around the circle.
    #[must_use]
    pub fn after(&self, id: NodeId, steps: u64) -> NodeId {
        let count = self.cluster.voters().len() as u64;
        NodeId((id.0 - 1 + steps) % count + 1)
    }

    /// A random node.
    pub fn any(&mut self) -> NodeId {
        NodeId(self.random.below(self.cluster.voters().len() as u64) + 1)
    }

    /// Makes the network between the nodes as the labs' unreliable one, or fair again.
    pub fn set_unreliable(&mut self, unreliable: bool) {
        if let Some(rule) = self.unreliable.take() {
            self.cluster.network.remove(rule);
        }
        if unreliable {
            self.unreliable = Some(self.cluster.network.add(Unreliable));
        }
    }

    /// Cuts a node off from the others.
    pub fn disconnect(&mut self, id: NodeId) {
        if !self.away.contains_key(&id) {
            let others = self.nodes().into_iter().filter(|&other| other != id);
            let rule = self
                .cluster
                .network
                .add(Cut::both_ways(others.map(|other| (id, other))));
            self.away.insert(id, rule);
        }
    }

    /// Undoes [`Lab::disconnect`].
    pub fn connect(&mut self, id: NodeId) {
        if let Some(rule) = self.away.remove(&id) {
            self.cluster.network.remove(rule);
        }
    }

    /// Parts the nodes: nothing passes between the two sides. Whatever was parted before is healed.
    pub fn partition(&mut self, sides: [&[NodeId]; 2]) {
        self.heal();
        let rule = self.cluster.network.add(Partition::new(sides));
        self.partitions.push(rule);
    }

    /// Undoes [`Lab::partition`], and lets every clerk reach every node.
    pub fn heal(&mut self) {
        for rule in core::mem::take(&mut self.partitions) {
            self.cluster.network.remove(rule);
        }
    }

    /// Whether a node runs and is not cut off.
    #[must_use]
    pub fn is_connected(&self, id: NodeId) -> bool {
        self.cluster.is_running(id) && !self.away.contains_key(&id)
    }

    /// Ends a node's run without farewell.
    pub fn crash(&mut self, id: NodeId) -> Result<(), Failure> {
        Ok(self.cluster.crash(id)?)
    }

    /// Ends the runs of all nodes.
    pub fn crash_all(&mut self) -> Result<(), Failure> {
        self.nodes().into_iter().try_for_each(|id| self.crash(id))
    }

    /// Starts all nodes.
    pub fn start_all(&mut self) -> Result<(), Failure> {
        self.nodes().into_iter().try_for_each(|id| self.restart(id))
    }

    /// Starts a node that does not run, or crashes it and starts it again.
    pub fn restart(&mut self, id: NodeId) -> Result<(), Failure> {
        self.crash(id)?;
        Ok(self.cluster.start(id)?)
    }

    /// Lets virtual time pass.
    pub fn sleep(&mut self, time: u64) -> Result<(), Failure> {
        self.wait(time, |_| false).map(|_| ())
    }

    /// Lets time pass until `done`, at most `limit`; whether it came.
    pub fn wait(&mut self, limit: u64, done: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        let end = self.cluster.now() + limit;
        self.cluster.wake_at(end, END);
        loop {
            if done(self) {
                return Ok(true);
            }
            if self.cluster.now() >= end {
                return Ok(false);
            }
            match self.cluster.step()? {
                Some(Occurrence::Replies {
                    client,
                    from,
                    replies,
                }) => {
                    if client == spot::TESTER {
                        self.take_spot_replies(replies)?;
                    } else {
                        self.take_replies(client, from, replies)?;
                    }
                }
                Some(Occurrence::Wake(END)) | Some(Occurrence::Internal) | None => {}
                Some(Occurrence::Wake(client)) => self.wake_clerk(client)?,
            }
            if !self.clerks.is_empty() {
                let applied = self.cluster.state.applied();
                let tags = |first| {
                    let news = applied.news(first).iter();
                    news.filter_map(|applied| applied.tag).collect()
                };
                self.history.note_executed(tags);
            }
        }
    }

    /// The connected leader, which there must be within ten looks of about half a second. Two in one
    /// term there may never be.
    pub fn check_one_leader(&mut self) -> Result<NodeId, Failure> {
        for _ in 0..10 {
            let pause = 450 * MS + self.random.below(100 * MS);
            self.sleep(pause)?;
            if let Some(leader) = self.leader() {
                return Ok(leader);
            }
        }
        Err(self.fail("no leader within ten looks"))
    }

    /// The connected leader of the highest term.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let leaders = self
            .cluster
            .leaders()
            .into_iter()
            .filter(|id| self.is_connected(*id));
        leaders.max_by_key(|id| self.cluster.raft(*id).map(Raft::term))
    }

    /// No connected node may lead.
    pub fn check_no_leader(&self) -> Result<(), Failure> {
        match self.leader() {
            Some(leader) => Err(self.fail(&format!("{leader} leads without a quorum"))),
            None => Ok(()),
        }
    }

    /// The term, which all connected nodes must agree on.
    pub fn check_terms(&self) -> Result<Term, Failure> {
        let connected = self.nodes().into_iter().filter(|id| self.is_connected(*id));
        let mut terms: Vec<Term> = connected
            .filter_map(|id| self.cluster.raft(id).map(Raft::term))
            .collect();
        terms.dedup();
        match terms[..] {
            [term] => Ok(term),
            _ => Err(self.fail(&format!("terms differ: {terms:?}"))),
        }
    }

    /// Bytes of the longest log kept.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        let bytes = |id: &NodeId| self.cluster.status(*id).map(|status| status.log_bytes);
        self.cluster
            .voters()
            .iter()
            .filter_map(bytes)
            .max()
            .unwrap_or_default()
    }

    /// What the scenario cost, if it ended in time and in one state.
    pub fn finish(mut self) -> Result<Report, Failure> {
        if self.cluster.now() > TIME_MAX {
            return Err(self.fail("more than 120 s"));
        }
        let (time, traffic) = (self.cluster.now(), self.cluster.traffic);
        self.sleep(SECOND)?;
        self.cluster.check_all()?;
        let running = self.nodes().into_iter().filter(|id| self.is_connected(*id));
        let mut states: Vec<_> = running
            .filter_map(|id| self.cluster.machine_bytes(id))
            .collect();
        states.dedup();
        if states.len() > 1 {
            return Err(self.fail("machines differ"));
        }
        self.history.judge().map_err(|what| self.fail(&what))?;
        self.agreement.join(self.history.agreement());
        let commands = self.cluster.state.applied().len() as u64;
        Ok(Report {
            time,
            nodes: self.cluster.voters().len() as u64,
            traffic,
            commands,
            agreement: self.agreement,
            limits: self.limits,
        })
    }

    /// A failure with its virtual time.
    #[must_use]
    pub fn fail(&self, what: &str) -> Failure {
        Failure(format!("at {} ms: {what}", self.cluster.now() / MS))
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

    /// A value of `len` random bytes.
    pub fn random_bytes(&mut self, len: usize) -> Bytes {
        (0..len).map(|_| self.random.below(256) as u8).collect()
    }
}

/// The token of a wait's end; those of clerks are greater.
const END: u64 = 0;
