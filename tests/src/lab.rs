//! What a lab scenario needs: a cluster of journals in a simulated world, nodes that leave and return,
//! commands given to a node on the spot, and the questions the labs' testers ask.
//!
//! Times are virtual. The nodes have the shipped default timeouts.

use core::fmt;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{Index, NodeId, Raft, Random, Term};
use quorate_rsm::{ClientId, Request, RequestBody, RequestId, SessionId};
use quorate_sim::checker::Violation;
use quorate_sim::cluster::{Cluster, ClusterConfig, Occurrence, Traffic};
use quorate_sim::machine::{Journal, tagged};
use quorate_sim::network::RuleId;
use quorate_sim::rules::{Cut, Unreliable};

/// Why a scenario failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self(violation.to_string())
    }
}

impl From<&str> for Failure {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One second of virtual time.
pub const SECOND: u64 = 1_000_000;
/// One millisecond of virtual time.
pub const MS: u64 = 1_000;
/// What the labs call the election timeout: elections are over well within it.
pub const ELECTION: u64 = SECOND;

/// What a scenario cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Virtual time in microseconds.
    pub time: u64,
    /// Nodes.
    pub nodes: u64,
    /// What they sent each other.
    pub traffic: Traffic,
    /// Commands executed.
    pub commands: u64,
}

/// A cluster under a lab's tester.
pub struct Lab {
    /// The world.
    pub cluster: Cluster<Journal>,
    /// Chance of the scenario itself.
    pub random: Random,
    away: BTreeMap<NodeId, RuleId>,
    session: Option<SessionId>,
    /// Commands begun; also the number of the last one.
    begun: u64,
    unreliable: Option<RuleId>,
}

/// The tester's own connection.
const TESTER: ClientId = ClientId(1);

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

    fn with(config: ClusterConfig) -> Result<Self, Failure> {
        let random = Random::stream(config.seed, 1 << 60);
        let mut lab = Self {
            cluster: Cluster::new(config),
            random,
            away: BTreeMap::new(),
            session: None,
            begun: 0,
            unreliable: None,
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

    /// Whether a node runs and is not cut off.
    #[must_use]
    pub fn is_connected(&self, id: NodeId) -> bool {
        self.cluster.is_running(id) && !self.away.contains_key(&id)
    }

    /// Ends a node's run without farewell.
    pub fn crash(&mut self, id: NodeId) -> Result<(), Failure> {
        Ok(self.cluster.crash(id)?)
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
        self.cluster.wake_at(end, 0);
        loop {
            if done(self) {
                return Ok(true);
            }
            if self.cluster.now() >= end {
                return Ok(false);
            }
            if let Some(Occurrence::Replies { replies, .. }) = self.cluster.step()? {
                for reply in replies {
                    let opened = reply
                        .result
                        .ok()
                        .and_then(|data| <[u8; 8]>::try_from(&data[..]).ok());
                    if let (RequestId(0), Some(id), None) = (reply.id, opened, self.session) {
                        self.session = Some(SessionId(u64::from_le_bytes(id)));
                    }
                }
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

    /// Gives a command to `id` if it believes that it leads; the command's number.
    pub fn start(&mut self, id: NodeId, value: &[u8]) -> Result<Option<u64>, Failure> {
        let session = self.session()?;
        if !self.cluster.raft(id).is_some_and(Raft::is_leader) {
            return Ok(None);
        }
        self.begun += 1;
        let (sequence, tag) = (self.begun, self.begun);
        let command = tagged(tag, value);
        let body = RequestBody::Write {
            session,
            sequence,
            acknowledged: sequence - 1,
            command,
        };
        let request = Request {
            id: RequestId(sequence),
            body,
        };
        self.cluster.request(id, TESTER, request)?;
        Ok(Some(tag))
    }

    /// Gives a random command to `id`, as [`Lab::start`].
    pub fn start_any(&mut self, id: NodeId) -> Result<Option<u64>, Failure> {
        let value = self.random.next_u64().to_string();
        self.start(id, value.as_bytes())
    }

    /// On how many running nodes the tester's command number `tag` was executed.
    #[must_use]
    pub fn count_executed(&self, tag: u64) -> usize {
        let applied = self.cluster.state.applied();
        let Some(index) = applied.index_of(tag) else {
            return 0;
        };
        let executed =
            |id: &&NodeId| self.cluster.is_running(**id) && applied.reached(**id) >= index;
        self.cluster.voters().iter().filter(executed).count()
    }

    /// Gets a random command executed on `expected` nodes within ten seconds; its index.
    pub fn one(&mut self, expected: usize, retry: bool) -> Result<Index, Failure> {
        let value = self.random.next_u64().to_string();
        self.agree(value.as_bytes(), expected, retry)
    }

    /// Gets a command executed on `expected` nodes within ten seconds; its index. An attempt that
    /// takes more than two is repeated, if it may be.
    pub fn agree(&mut self, value: &[u8], expected: usize, retry: bool) -> Result<Index, Failure> {
        let end = self.cluster.now() + 10 * SECOND;
        while self.cluster.now() < end {
            let mut tag = None;
            for id in self.nodes() {
                if tag.is_none() && self.is_connected(id) {
                    tag = self.start(id, value)?;
                }
            }
            let Some(tag) = tag else {
                self.sleep(50 * MS)?;
                continue;
            };
            if self.wait(2 * SECOND, |lab| lab.count_executed(tag) >= expected)? {
                let index = self.cluster.state.applied().index_of(tag);
                return Ok(index.expect("what is executed has an index"));
            }
            if !retry {
                return Err(self.fail(&format!(
                    "command {tag} was not executed on {expected} nodes"
                )));
            }
        }
        Err(self.fail("no agreement within ten seconds"))
    }

    /// Whether the command `tag` was ever executed.
    #[must_use]
    pub fn was_executed(&self, tag: u64) -> bool {
        self.cluster.state.applied().index_of(tag).is_some()
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
        if self.cluster.now() > 120 * SECOND {
            return Err(self.fail("more than 120 s"));
        }
        let (time, traffic) = (self.cluster.now(), self.cluster.traffic);
        self.sleep(SECOND)?;
        self.cluster.check_all()?;
        let running = self.nodes().into_iter().filter(|id| self.is_connected(*id));
        let mut journals: Vec<_> = running.filter_map(|id| self.cluster.machine(id)).collect();
        journals.dedup();
        if journals.len() > 1 {
            return Err(self.fail("journals differ"));
        }
        let commands = self.cluster.state.applied().len() as u64;
        Ok(Report {
            time,
            nodes: self.cluster.voters().len() as u64,
            traffic,
            commands,
        })
    }

    /// A failure with its virtual time.
    #[must_use]
    pub fn fail(&self, what: &str) -> Failure {
        Failure(format!("at {} ms: {what}", self.cluster.now() / MS))
    }

    /// The tester's session, opened with the first command.
    pub fn session(&mut self) -> Result<SessionId, Failure> {
        let end = self.cluster.now() + 10 * SECOND;
        while self.cluster.now() < end {
            if let Some(session) = self.session {
                return Ok(session);
            }
            if let Some(leader) = self.leader() {
                let request = Request {
                    id: RequestId(0),
                    body: RequestBody::OpenSession,
                };
                self.cluster.request(leader, TESTER, request)?;
            }
            self.wait(100 * MS, |lab| lab.session.is_some())?;
        }
        Err(self.fail("no session within ten seconds"))
    }

    /// A value of `len` random bytes.
    pub fn random_bytes(&mut self, len: usize) -> Bytes {
        (0..len).map(|_| self.random.below(256) as u8).collect()
    }
}
