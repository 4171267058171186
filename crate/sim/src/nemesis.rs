//! Who breaks things: faults that begin at random times, last a while, and end.

use std::collections::BTreeMap;

use quorate_raft::{NodeId, Random};
use quorate_rsm::StateMachine;

use crate::checker::Violation;
use crate::cluster::Cluster;
use crate::network::RuleId;
use crate::process::READABLE;
use crate::rules::{Clog, Cut, Filter, Isolate, LateRequests, Partition};
use crate::streams::{between, exponential};
use crate::trace;

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// One node crashes, and comes back later.
    Crash,
    /// The leader does.
    CrashLeader,
    /// All nodes do, at once.
    CrashAll,
    /// One node freezes.
    Pause,
    /// The nodes fall into two groups.
    Partition,
    /// One node, mostly the leader, is cut off, from clients too.
    Isolate,
    /// Some directed links are cut.
    OneWay,
    /// The nodes stand in a line: each reaches its neighbors only.
    Chain,
    /// One node reaches all and the rest only it, or the other way around.
    Star,
    /// A node's packets are held and then come in a burst.
    Clog,
    /// What clients ask of a node comes late.
    LateRequests,
    /// One kind of message is lost.
    Filter,
    /// A disk is slow.
    SlowDisk,
    /// A disk's next write fails: the node stops, and is started again later.
    FailDisk,
    /// One node crashes; when it comes back, its disk is misread once, by one bit.
    Misread,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Crash,
        Self::CrashLeader,
        Self::CrashAll,
        Self::Pause,
        Self::Partition,
        Self::Isolate,
        Self::OneWay,
        Self::Chain,
        Self::Star,
        Self::Clog,
        Self::LateRequests,
        Self::Filter,
        Self::SlowDisk,
        Self::FailDisk,
        Self::Misread,
    ];
}

/// Mean time of a write on a slow disk, in microseconds.
const SLOW_WRITE_MEAN: u64 = 200_000;

/// A fault lasts at most about this long, in microseconds: what a clog holds is not let go earlier.
const LASTS_MAX: u64 = 4_000_000;

/// How a fault ends.
#[derive(Clone, Debug)]
enum End {
    Start(Vec<NodeId>),
    Resume(NodeId),
    Remove(RuleId),
    FairDisk(NodeId),
    Misread(NodeId),
}

/// The faults under way.
#[derive(Debug)]
pub struct Nemesis {
    random: Random,
    kinds: Vec<FaultKind>,
    mean: u64,
    ends: BTreeMap<u64, End>,
    next: u64,
    /// How often each kind began.
    pub counts: BTreeMap<FaultKind, u64>,
}

impl Nemesis {
    /// Draws from `kinds`, on average one in `mean` microseconds.
    #[must_use]
    pub fn new(random: Random, kinds: Vec<FaultKind>, mean: u64) -> Self {
        Self {
            random,
            kinds,
            mean,
            ends: BTreeMap::new(),
            next: 0,
            counts: BTreeMap::new(),
        }
    }

    /// How long until the next fault.
    pub fn pause(&mut self) -> u64 {
        exponential(&mut self.random, self.mean)
    }

    /// Begins a fault: when it ends, and the number to end it by.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn begin<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
    ) -> Result<(u64, u64), Violation> {
        let kind = self.kinds[self.random.below(self.kinds.len() as u64) as usize];
        let now = cluster.now();
        let mut lasts = between(&mut self.random, 1_000, 100_000)
            + exponential(&mut self.random, 1_000_000).min(LASTS_MAX);
        if kind == FaultKind::LateRequests {
            lasts = LASTS_MAX; // Until another leads.
        }
        *self.counts.entry(kind).or_default() += 1;
        let node = self.one(cluster.voters());
        let leader = cluster.leaders().last().copied().unwrap_or(node);
        let end = match kind {
            FaultKind::Crash => self.crash(cluster, vec![node])?,
            FaultKind::CrashLeader => self.crash(cluster, vec![leader])?,
            FaultKind::CrashAll => self.crash(cluster, cluster.voters().to_vec())?,
            FaultKind::Pause => {
                cluster.pause(node);
                End::Resume(node)
            }
            FaultKind::Partition => {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                for &id in cluster.voters() {
                    if self.random.below(2) == 0 {
                        left.push(id);
                    } else {
                        right.push(id);
                    }
                }
                End::Remove(cluster.network.add(Partition::new([&left, &right])))
            }
            FaultKind::Isolate => {
                let node = if self.random.below(3) > 0 {
                    leader
                } else {
                    node
                };
                End::Remove(cluster.network.add(Isolate(node)))
            }
            FaultKind::OneWay => {
                let mut links = links(cluster.voters());
                links.retain(|_| self.random.below(3) == 0);
                End::Remove(cluster.network.add(Cut::one_way(links)))
            }
            FaultKind::Chain => {
                let line = self.shuffled(cluster.voters());
                let neighbors = |a, b| line.windows(2).any(|pair| pair == [a, b] || pair == [b, a]);
                let cut = links(&line).into_iter().filter(|&(a, b)| !neighbors(a, b));
                End::Remove(cluster.network.add(Cut::one_way(cut)))
            }
            FaultKind::Star => {
                let ring = self.random.below(2) == 0;
                let touches = |(a, b): &(NodeId, NodeId)| (*a == node || *b == node) != ring;
                let cut = links(cluster.voters())
                    .into_iter()
                    .filter(|link| !touches(link));
                End::Remove(cluster.network.add(Cut::both_ways(cut)))
            }
            FaultKind::Clog => End::Remove(cluster.network.add(Clog {
                node,
                until: now + lasts,
            })),
            FaultKind::LateRequests => End::Remove(cluster.network.add(LateRequests {
                node,
                until: now + lasts,
            })),
            FaultKind::Filter => {
                let all = [
                    Filter::Votes,
                    Filter::AppendResponses,
                    Filter::Heartbeats,
                    Filter::Snapshots,
                ];
                End::Remove(cluster.network.add(all[self.random.below(4) as usize]))
            }
            FaultKind::SlowDisk => {
                let profile = &mut cluster.disk_mut(node).profile;
                profile.write_mean = SLOW_WRITE_MEAN;
                End::FairDisk(node)
            }
            FaultKind::FailDisk => {
                cluster.disk_mut(node).failing = true;
                End::Start(vec![node])
            }
            FaultKind::Misread => {
                self.crash(cluster, vec![node])?;
                End::Misread(node)
            }
        };
        self.next += 1;
        let number = self.next;
        cluster
            .trace
            .event(now, &"-", trace::Event::Fault, number, || {
                format!("{number} begins for {lasts} µs: {kind:?}, {end:?}")
            });
        self.ends.insert(number, end);
        Ok((now + lasts, number))
    }

    /// Ends the fault `number`; nothing happens if it has ended.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn end<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
        number: u64,
    ) -> Result<(), Violation> {
        let Some(end) = self.ends.remove(&number) else {
            return Ok(());
        };
        let now = cluster.now();
        cluster
            .trace
            .event(now, &"-", trace::Event::Fault, number, || {
                format!("{number} ends")
            });
        match end {
            End::Start(nodes) => nodes.into_iter().try_for_each(|id| {
                cluster.disk_mut(id).failing = false;
                if cluster.is_running(id) {
                    Ok(())
                } else {
                    cluster.start(id)
                }
            }),
            End::Resume(node) => {
                cluster.resume(node);
                Ok(())
            }
            End::Remove(rule) => {
                cluster.network.remove(rule);
                Ok(())
            }
            End::FairDisk(node) => {
                cluster.disk_mut(node).profile = crate::disk::DiskProfile::FAIR;
                Ok(())
            }
            End::Misread(node) if cluster.is_running(node) => Ok(()),
            End::Misread(node) => {
                cluster.disk_mut(node).misread();
                match cluster.start(node) {
                    Err(violation) if violation.property == READABLE => cluster.start(node),
                    Err(violation) => Err(violation),
                    Ok(()) => {
                        let seen = format!("{node} started from a disk with a flipped bit");
                        Err(Violation::new(READABLE, seen))
                    }
                }
            }
        }
    }

    /// Ends everything, and leaves a fair world in which all nodes run.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn stop<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
    ) -> Result<(), Violation> {
        let open: Vec<u64> = self.ends.keys().copied().collect();
        open.into_iter()
            .try_for_each(|number| self.end(cluster, number))?;
        cluster.network.heal();
        cluster.network.link = crate::network::Link::FAIR;
        cluster.config_mut().clock.late_max = crate::process::ClockProfile::FAIR.late_max;
        for id in cluster.voters().to_vec() {
            cluster.disk_mut(id).profile = crate::disk::DiskProfile::FAIR;
            cluster.disk_mut(id).failing = false;
            cluster.resume(id);
            if !cluster.is_running(id) {
                cluster.start(id)?;
            }
        }
        Ok(())
    }

    fn crash<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
        nodes: Vec<NodeId>,
    ) -> Result<End, Violation> {
        nodes.iter().try_for_each(|&id| cluster.crash(id))?;
        Ok(End::Start(nodes))
    }

    fn one(&mut self, nodes: &[NodeId]) -> NodeId {
        nodes[self.random.below(nodes.len() as u64) as usize]
    }

    fn shuffled(&mut self, nodes: &[NodeId]) -> Vec<NodeId> {
        let mut nodes = nodes.to_vec();
        for last in (1..nodes.len()).rev() {
            nodes.swap(last, self.random.below(last as u64 + 1) as usize);
        }
        nodes
    }
}

/// All directed links between nodes.
fn links(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let from = |&a| nodes.iter().filter(move |&&b| b != a).map(move |&b| (a, b));
    nodes.iter().flat_map(from).collect()
}
