//! Partial connectivity: networks in which some nodes reach each other and some do not, for good. Nine
//! of them are known to stop one consensus or another for ever, or to make it elect without end.
//!
//! A cluster settles, the links are cut, and they stay cut. A command is proposed every few
//! milliseconds to whoever leads. The world is live if, some seconds later, there is a commit in nearly
//! every fifth of a second; its terms must then stay as they are.

use core::fmt;
use core::time::Duration;

use quorate_raft::{NodeId, RoleKind};
use quorate_rsm::{ClientId, NodeConfig, Request, RequestBody, RequestId};

use crate::checker::Violation;
use crate::cluster::{Cluster, ClusterConfig, Occurrence};
use crate::machine::Journal;
use crate::rules::Cut;

/// Who cannot reach whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A star around one follower: the old leader loses its quorum.
    QuorumLoss,
    /// The same, with the old leader gone, and a node in the middle whose log is stale.
    ConstrainedElection,
    /// Three nodes in a line, the leader at an end.
    ChainOfThree,
    /// Five nodes in a line, the leader at an end.
    ChainOfFive,
    /// Three nodes, of which any two do not reach each other.
    OneEdge,
    /// Five nodes; 4 and 2, 5 and 3 do not reach each other.
    TwoEdges,
    /// The leader hears, and is not heard.
    DumbLeader,
    /// The leader is heard, and hears nothing.
    DeafLeader,
    /// A follower is heard, and hears nothing.
    DeafFollower,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::QuorumLoss,
        Self::ConstrainedElection,
        Self::ChainOfThree,
        Self::ChainOfFive,
        Self::OneEdge,
        Self::TwoEdges,
        Self::DumbLeader,
        Self::DeafLeader,
        Self::DeafFollower,
    ];

    fn nodes(self) -> u64 {
        match self {
            Self::ChainOfThree | Self::OneEdge => 3,
            _ => 5,
        }
    }

    /// Cuts the links, once and for all. `order` begins with the leader.
    fn cut(self, cluster: &mut Cluster<Journal>, order: &[NodeId], seed: u64) {
        let leader = order[0];
        let all = pairs(order);
        let from_leader = order[1..].iter().map(|&id| (leader, id));
        let cut = match self {
            Self::QuorumLoss | Self::ConstrainedElection => {
                let middle = order[1];
                let apart = all.into_iter().filter(|&(a, b)| a != middle && b != middle);
                Cut::both_ways(apart)
            }
            Self::ChainOfThree | Self::ChainOfFive => {
                let neighbors = |a, b| order.windows(2).any(|two| two == [a, b] || two == [b, a]);
                Cut::both_ways(all.into_iter().filter(|&(a, b)| !neighbors(a, b)))
            }
            Self::OneEdge => Cut::both_ways([all[seed as usize % all.len()]]),
            Self::TwoEdges => Cut::both_ways([(4, 2), (5, 3)].map(|(a, b)| (NodeId(a), NodeId(b)))),
            Self::DumbLeader => Cut::one_way(from_leader),
            Self::DeafLeader => Cut::one_way(from_leader.map(|(a, b)| (b, a))),
            Self::DeafFollower => {
                let deaf = order[1];
                let others = order.iter().filter(|&&id| id != deaf);
                Cut::one_way(others.map(|&id| (id, deaf)))
            }
        };
        cluster.network.add(cut);
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QuorumLoss => "quorum loss: a star around a follower",
            Self::ConstrainedElection => "constrained election: the middle's log is stale",
            Self::ChainOfThree => "line of 3, leader at an end",
            Self::ChainOfFive => "line of 5, leader at an end",
            Self::OneEdge => "3 nodes, one edge cut",
            Self::TwoEdges => "5 nodes, edges 4–2 and 5–3 cut",
            Self::DumbLeader => "leader hears and is not heard",
            Self::DeafLeader => "leader is heard and hears nothing",
            Self::DeafFollower => "follower is heard and hears nothing",
        })
    }
}

/// When what happens, in microseconds of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The links are cut.
    pub cut: u64,
    /// From now on the world must be live.
    pub settled: u64,
    /// The end.
    pub end: u64,
}

impl Times {
    /// A minute, of which fifteen seconds are for settling.
    pub const MINUTE: Self = Self {
        cut: 5_000_000,
        settled: 15_000_000,
        end: 60_000_000,
    };
}

/// Commits are looked for in windows of this length, in microseconds.
const WINDOW: u64 = 200_000;
/// Between two proposals.
const PROPOSE_EVERY: u64 = 20_000;
/// Before the cut, the middle node of a constrained election does not hear the leader for so long.
const STALE: u64 = 1_000_000;
/// In a thousand windows, more than this have a commit where a world is live.
const LIVE_PERMILLE: u64 = 950;

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Of a thousand windows after settling, in how many there was a commit.
    pub permille: u64,
    /// The longest time without a commit since the cut, in microseconds.
    pub pause: u64,
    /// By how much the highest term grew between the cut and settling.
    pub terms_before: u64,
    /// And after.
    pub terms_after: u64,
    /// How often another led in the newest term, after settling.
    pub changes_after: u64,
}

impl Outcome {
    /// Whether there was a commit in nearly every window.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.permille > LIVE_PERMILLE
    }
}

/// The settings by which scenarios are compared: elections time out after 100 to 200 ms.
#[must_use]
pub fn settings() -> NodeConfig {
    let mut node = NodeConfig::new(NodeId(0));
    node.raft.election_timeout = Duration::from_millis(100);
    node.raft.heartbeat_interval = Duration::from_millis(20);
    node
}

/// Lives one world of `scenario`.
///
/// # Errors
/// A safety property no longer holds.
pub fn run(
    scenario: Scenario,
    seed: u64,
    times: Times,
    node: &NodeConfig,
) -> Result<Outcome, Violation> {
    let config = ClusterConfig {
        node: node.clone(),
        ..ClusterConfig::fair(seed, scenario.nodes())
    };
    let mut watch = Watch::new(Cluster::new(config))?;
    watch.pass(times.cut - STALE)?;
    // The leader first; a world that has none by now has none to cut off.
    let mut order = watch.cluster.voters().to_vec();
    let leader = watch.cluster.leaders().first().copied().unwrap_or(order[0]);
    order.retain(|&id| id != leader);
    let turn = seed as usize % order.len();
    order.rotate_left(turn);
    order.insert(0, leader);
    // The middle node misses what is written now, and will not hear of the old leader again.
    if scenario == Scenario::ConstrainedElection {
        watch
            .cluster
            .network
            .add(Cut::both_ways([(order[0], order[1])]));
    }
    watch.pass(times.cut)?;
    scenario.cut(&mut watch.cluster, &order, seed);

    let before = watch.highest_term();
    watch.last_commit = times.cut;
    watch.pause = 0;
    watch.pass(times.settled)?;
    let settled = watch.highest_term();
    (watch.windows, watch.changes) = ((0, 0), 0);
    watch.pass(times.end)?;
    watch.cluster.check_all()?;
    let (seen, all) = watch.windows;
    Ok(Outcome {
        permille: seen * 1_000 / all.max(1),
        pause: watch.pause.max(times.end - watch.last_commit),
        terms_before: settled - before,
        terms_after: watch.highest_term() - settled,
        changes_after: watch.changes,
    })
}

/// A cluster under load, and what is seen of it.
struct Watch {
    cluster: Cluster<Journal>,
    proposals: u64,
    committed: u64,
    last_commit: u64,
    pause: u64,
    /// Windows with a commit, and all.
    windows: (u64, u64),
    window_committed: u64,
    leader: Option<(u64, NodeId)>,
    changes: u64,
}

impl Watch {
    fn new(mut cluster: Cluster<Journal>) -> Result<Self, Violation> {
        for id in cluster.voters().to_vec() {
            cluster.start(id)?;
        }
        cluster.wake_at(PROPOSE_EVERY, 0);
        Ok(Self {
            cluster,
            proposals: 0,
            committed: 0,
            last_commit: 0,
            pause: 0,
            windows: (0, 0),
            window_committed: 0,
            leader: None,
            changes: 0,
        })
    }

    fn pass(&mut self, until: u64) -> Result<(), Violation> {
        while self.cluster.next_at().is_some_and(|at| at <= until) {
            let occurrence = self.cluster.step()?;
            self.note_commits();
            if let Some(Occurrence::Wake(_)) = occurrence {
                self.propose()?;
                self.note_leader();
                let now = self.cluster.now();
                if now.is_multiple_of(WINDOW) {
                    let seen = self.committed > self.window_committed;
                    self.windows = (self.windows.0 + u64::from(seen), self.windows.1 + 1);
                    self.window_committed = self.committed;
                }
                self.cluster.wake_at(now + PROPOSE_EVERY, 0);
            }
        }
        Ok(())
    }

    /// Every node that believes it leads gets a command.
    fn propose(&mut self) -> Result<(), Violation> {
        for id in self.cluster.leaders() {
            self.proposals += 1;
            let request = Request {
                id: RequestId(self.proposals),
                body: RequestBody::OpenSession,
            };
            self.cluster.request(id, ClientId(1), request)?;
        }
        Ok(())
    }

    fn note_commits(&mut self) {
        let committed = self.cluster.state.committed().0;
        if committed > self.committed {
            let now = self.cluster.now();
            self.pause = self.pause.max(now.saturating_sub(self.last_commit));
            (self.committed, self.last_commit) = (committed, now);
        }
    }

    fn note_leader(&mut self) {
        let statuses = self.statuses();
        let leaders = statuses.filter(|(_, role, _)| *role == RoleKind::Leader);
        let newest = leaders.map(|(term, _, id)| (term, id)).max();
        if newest.is_some() && newest != self.leader {
            self.leader = newest;
            self.changes += 1;
        }
    }

    fn highest_term(&self) -> u64 {
        let terms = self.statuses().map(|(term, _, _)| term);
        terms.max().unwrap_or_default()
    }

    fn statuses(&self) -> impl Iterator<Item = (u64, RoleKind, NodeId)> {
        let ids = self.cluster.voters().iter();
        let statuses = ids
            .filter_map(|id| self.cluster.raft(*id))
            .map(|raft| raft.status());
        statuses.map(|status| (status.term.0, status.role, status.id))
    }
}

/// All pairs, each once.
fn pairs(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let with_later = |(place, &a): (usize, &NodeId)| {
        let later: Vec<_> = nodes[place + 1..].iter().map(|&b| (a, b)).collect();
        later
    };
    nodes.iter().enumerate().flat_map(with_later).collect()
}
