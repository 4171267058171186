//! Who breaks things: faults that begin at random times, each with a [`Plan`] of what is done when.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::{NodeId, Random};
use quorate_rsm::StateMachine;

use crate::checker::Violation;
use crate::cluster::Cluster;
use crate::disk::DiskProfile;
use crate::fault::{Counts, FaultKind};
use crate::plan::{Action, NamedRule, Plan};
use crate::process::Timers;
use crate::rules::{
    Clog, ClogLinks, Cut, Filter, Flap, Isolate, LateRequests, LoseReplies, MessageKind,
};
use crate::streams::{between, exponential, magnitude, weighted};
use crate::topology::{self, Links};
use crate::trace;

/// Mean time of a write on a slow disk, in microseconds.
const SLOW_WRITE_MEAN: u64 = 200_000;

/// Most faults last at most about this long, in microseconds: what a clog holds is not let go
/// earlier.
const LASTS_MAX: u64 = 4_000_000;

const SECOND: u64 = 1_000_000;

/// The faults under way.
#[derive(Debug)]
pub struct Nemesis {
    random: Random,
    kinds: Vec<FaultKind>,
    mean: u64,
    /// How long an election takes to time out, in microseconds.
    election: u64,
    plans: BTreeMap<u64, Plan>,
    next: u64,
    mute: BTreeSet<u64>,
    /// How often each kind began.
    pub counts: Counts,
}

/// What a plan is drawn from.
struct Scene {
    nodes: Vec<NodeId>,
    /// Any of them.
    node: NodeId,
    /// The latest leader, or any.
    leader: NodeId,
    now: u64,
    /// When the fault ends.
    end: u64,
}

impl Nemesis {
    /// Draws from `kinds`, on average one in `mean` microseconds. Faults whose number is in `mute`
    /// are drawn, and not carried out.
    #[must_use]
    pub fn new(
        random: Random,
        kinds: Vec<FaultKind>,
        mean: u64,
        election: u64,
        mute: BTreeSet<u64>,
    ) -> Self {
        Self {
            random,
            kinds,
            mean,
            election,
            plans: BTreeMap::new(),
            next: 0,
            mute,
            counts: Counts::new(),
        }
    }

    /// How long until the next fault.
    pub fn pause(&mut self) -> u64 {
        exponential(&mut self.random, self.mean)
    }

    /// How many faults were drawn.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.next
    }

    /// Begins a fault: when it goes on, and the number to [`Nemesis::advance`] it by.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn begin<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
    ) -> Result<Option<(u64, u64)>, Violation> {
        let kind = self.kinds[self.random.below(self.kinds.len() as u64) as usize];
        let nodes = cluster.voters().to_vec();
        let node = nodes[self.random.below(nodes.len() as u64) as usize];
        let leader = cluster.leaders().last().copied().unwrap_or(node);
        let now = cluster.now();
        let lasts = between(&mut self.random, 1_000, 100_000)
            + exponential(&mut self.random, SECOND).min(LASTS_MAX);
        let plan = self.plan(
            kind,
            &Scene {
                nodes,
                node,
                leader,
                now,
                end: now + lasts,
            },
        );
        self.next += 1;
        let number = self.next;
        if self.mute.contains(&number) {
            return Ok(None);
        }
        // What needs a node to spare is counted when there is one; what crashes in a step, when it
        // does.
        let counts = match kind {
            FaultKind::Rot => cluster.rot(node),
            FaultKind::Evict | FaultKind::RemoveMember | FaultKind::DemoteMember => {
                cluster.is_whole() && (cluster.voters().len() > 2 || kind != FaultKind::Evict)
            }
            FaultKind::TransferLeadership => !cluster.leaders().is_empty() && node != leader,
            FaultKind::CrashMidStep => false,
            _ => true,
        };
        *self.counts.entry(kind).or_default() += u64::from(counts);
        cluster
            .trace
            .event(now, &"-", trace::Event::Fault, number, || {
                format!("{number} begins: {kind:?}")
            });
        self.plans.insert(number, plan);
        let next = self.advance(cluster, number)?;
        Ok(next.map(|at| (at, number)))
    }

    /// Goes on with the fault `number`; when it does again.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn advance<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
        number: u64,
    ) -> Result<Option<u64>, Violation> {
        let Some(plan) = self.plans.get_mut(&number) else {
            return Ok(None);
        };
        let next = plan.advance(cluster)?;
        if next.is_none() {
            self.plans.remove(&number);
        }
        Ok(next)
    }

    /// Ends everything, and leaves a fair world in which all nodes run that can.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn stop<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
    ) -> Result<(), Violation> {
        self.plans.clear();
        cluster.network.heal();
        cluster.network.link = crate::network::Link::FAIR;
        cluster.config_mut().clock.timers = Timers::FAIR;
        cluster.finish_upgrades()?;
        for id in cluster.voters().to_vec() {
            let disk = cluster.disk_mut(id);
            disk.profile = DiskProfile::FAIR;
            (disk.failing, disk.room, disk.stall) = (false, None, 0);
            cluster.spare(id);
            cluster.hurry_disk(id);
            cluster.slow(id, None);
            cluster.set_timers(id, None);
            cluster.thaw(id, true)?;
            cluster.restart(id)?;
        }
        Ok(())
    }

    fn plan(&mut self, kind: FaultKind, scene: &Scene) -> Plan {
        match kind {
            FaultKind::Crash
            | FaultKind::CrashLeader
            | FaultKind::CrashMinority
            | FaultKind::CrashAll
            | FaultKind::CrashLoop
            | FaultKind::CrashMidStep
            | FaultKind::RestartOtherwise
            | FaultKind::Upgrade
            | FaultKind::StartTwice
            | FaultKind::Misread
            | FaultKind::Rot => self.plan_crash(kind, scene),
            FaultKind::Pause
            | FaultKind::PauseLeader
            | FaultKind::Freeze
            | FaultKind::SlowNode
            | FaultKind::StopClock
            | FaultKind::LeaderOutOfTime
            | FaultKind::JumpClock
            | FaultKind::LateTimers
            | FaultKind::ThrottleTimers => self.plan_time(kind, scene),
            FaultKind::SlowDisk
            | FaultKind::StallDisk
            | FaultKind::FailDisk
            | FaultKind::FullDisk => self.plan_disk(kind, scene),
            FaultKind::Clog
            | FaultKind::ClogLink
            | FaultKind::Swizzle
            | FaultKind::LateRequests
            | FaultKind::Filter
            | FaultKind::LoseReplies
            | FaultKind::Disconnect => self.plan_traffic(kind, scene),
            FaultKind::Evict
            | FaultKind::RemoveMember
            | FaultKind::DemoteMember
            | FaultKind::TransferLeadership => plan_members(kind, scene),
            _ => {
                let rule = self.rule_of_cut(kind, scene);
                impose(Plan::new(kind), scene.now, rule).then(scene.end, Action::Lift)
            }
        }
    }

    fn plan_crash(&mut self, kind: FaultKind, scene: &Scene) -> Plan {
        let &Scene {
            node,
            leader,
            now,
            end,
            ..
        } = scene;
        let plan = Plan::new(kind);
        let nodes = match kind {
            FaultKind::CrashLeader => vec![leader],
            FaultKind::CrashAll => scene.nodes.clone(),
            FaultKind::CrashMinority => {
                let order = topology::shuffled(&scene.nodes, &mut self.random);
                order[..(order.len() - 1) / 2].to_vec()
            }
            FaultKind::CrashLoop => {
                // It gets a little further each time.
                let mut at = now + self.random.below(100_000);
                let mut plan = plan.then(now, Action::Crash(node));
                for _ in 0..between(&mut self.random, 2, 6) {
                    plan = plan.then(at, Action::Start(node));
                    at += self.random.below(20_000);
                    plan = plan.then(at, Action::Crash(node));
                    at += self.random.below(50_000);
                }
                return plan.then(at, Action::Start(node));
            }
            FaultKind::CrashMidStep => {
                let node = if self.random.below(2) == 0 {
                    leader
                } else {
                    node
                };
                let effects = self.random.below(8);
                return plan
                    .then(now, Action::CrashMidStep(node, effects))
                    .then(end, Action::Start(node));
            }
            FaultKind::StartTwice => {
                // While it runs, and, mostly, while it is paused.
                return plan
                    .then(now, Action::StartTwice(node))
                    .then(now, Action::Pause(node))
                    .then(now.midpoint(end), Action::StartTwice(node))
                    .then(end, Action::Resume(node));
            }
            FaultKind::RestartOtherwise => {
                let nth = self.random.next_u64();
                return plan
                    .then(now, Action::Crash(node))
                    .then(now, Action::ChangeSettings(node, nth))
                    .then(end, Action::Start(node));
            }
            FaultKind::Upgrade => {
                let order = topology::shuffled(&scene.nodes, &mut self.random);
                let step = (end - now) / order.len() as u64;
                return order.into_iter().zip(0..).fold(plan, |plan, (id, nth)| {
                    plan.then(now + nth * step, Action::Crash(id))
                        .then(now + nth * step, Action::Upgrade(id))
                        .then(now + (nth + 1) * step, Action::Start(id))
                });
            }
            FaultKind::Misread => {
                return plan
                    .then(now, Action::Crash(node))
                    .then(end, Action::StartMisread(node));
            }
            FaultKind::Rot => {
                // Latent, until a crash.
                return plan
                    .then(end, Action::Crash(node))
                    .then(end + 50_000, Action::Start(node));
            }
            _ => vec![node],
        };
        // Whether the others see that its run is over, and when.
        let seen = (self.random.below(2) == 0).then(|| now + self.random.below(10_000));
        let all = &scene.nodes;
        nodes.into_iter().fold(plan, |plan, id| {
            let plan = plan.then(now, Action::Crash(id));
            let others = all.iter().filter(|&&other| other != id);
            let told = seen
                .into_iter()
                .flat_map(|at| others.clone().map(move |&other| (at, other)));
            told.fold(plan, |plan, (at, other)| {
                plan.then(at, Action::Disconnect(id, other))
            })
            .then(end, Action::Start(id))
        })
    }

    fn plan_time(&mut self, kind: FaultKind, scene: &Scene) -> Plan {
        let &Scene {
            node,
            leader,
            now,
            end,
            ..
        } = scene;
        let plan = Plan::new(kind);
        // From a millisecond to two minutes, of any order of magnitude; or a little longer than it
        // takes others to elect a leader.
        let long = match self.random.below(3) {
            0 => self.election + self.random.below(4 * self.election),
            _ => 1_000 + magnitude(&mut self.random, 120 * SECOND, 15),
        };
        let long = now + long;
        match kind {
            FaultKind::Pause => plan
                .then(now, Action::Pause(node))
                .then(long, Action::Resume(node)),
            FaultKind::PauseLeader => plan
                .then(now, Action::Pause(leader))
                .then(long, Action::Resume(leader)),
            FaultKind::Freeze => {
                let node = if self.random.below(2) == 0 {
                    leader
                } else {
                    node
                };
                let catch_up = self.random.below(2) == 0;
                plan.then(now, Action::Freeze(node))
                    .then(long, Action::Thaw(node, catch_up))
            }
            FaultKind::SlowNode => {
                // An event takes some ten microseconds, times 2 to 100 and more.
                let busy = 20 + magnitude(&mut self.random, 10_000, 7);
                plan.then(now, Action::Slow(node, Some(busy)))
                    .then(end, Action::Slow(node, None))
            }
            FaultKind::StopClock => {
                let catch_up = self.random.below(2) == 0;
                plan.then(now, Action::StopClock(node))
                    .then(end, Action::StartClock(node, catch_up))
            }
            FaultKind::LeaderOutOfTime => {
                // Long enough for another to be elected, and for clients to find it.
                let end = now + 3 * self.election + self.random.below(4 * SECOND);
                let alone = topology::between_sides(&scene.nodes, |id| id == leader);
                impose(plan, now, Box::new(Cut::one_way(alone)))
                    .then(now, Action::StopClock(leader))
                    .then(end, Action::StartClock(leader, true))
                    .then(end, Action::Lift)
            }
            FaultKind::JumpClock => {
                let by = magnitude(&mut self.random, 60 * SECOND, 15);
                plan.then(now, Action::JumpClock(node, by))
            }
            FaultKind::LateTimers => {
                let timers = Timers {
                    late_max: (60 * SECOND) >> self.random.below(12),
                    grain: 1,
                };
                plan.then(now, Action::SetTimers(node, Some(timers)))
                    .then(end, Action::SetTimers(node, None))
            }
            _ => {
                let grain = weighted(
                    &mut self.random,
                    &[(1, 4_000), (3, SECOND), (1, 60 * SECOND)],
                );
                let timers = Timers { late_max: 0, grain };
                plan.then(now, Action::SetTimers(node, Some(timers)))
                    .then(end, Action::SetTimers(node, None))
            }
        }
    }

    fn plan_disk(&mut self, kind: FaultKind, scene: &Scene) -> Plan {
        let &Scene { node, now, end, .. } = scene;
        let plan = Plan::new(kind);
        match kind {
            FaultKind::SlowDisk => {
                let slow = DiskProfile {
                    write_mean: SLOW_WRITE_MEAN,
                    ..DiskProfile::FAIR
                };
                plan.then(now, Action::SetDisk(node, slow))
                    .then(end, Action::SetDisk(node, DiskProfile::FAIR))
            }
            FaultKind::StallDisk => {
                let by = SECOND + self.random.below(9 * SECOND);
                let node = if self.random.below(2) == 0 {
                    scene.leader
                } else {
                    node
                };
                plan.then(now, Action::StallDisk(node, by))
            }
            FaultKind::FailDisk => plan
                .then(now, Action::FailDisk(node))
                .then(end, Action::Start(node)),
            _ => {
                // It starts in vain until there is room.
                let room = self.random.below(20_000);
                let third = (end - now) / 3;
                plan.then(now, Action::SetRoom(node, Some(room)))
                    .then(now + third, Action::Start(node))
                    .then(now + 2 * third, Action::Start(node))
                    .then(end, Action::SetRoom(node, None))
                    .then(end, Action::Start(node))
            }
        }
    }

    fn plan_traffic(&mut self, kind: FaultKind, scene: &Scene) -> Plan {
        let &Scene {
            node,
            leader,
            now,
            end,
            ..
        } = scene;
        let plan = Plan::new(kind);
        let rule: Box<dyn NamedRule> = match kind {
            FaultKind::Clog => Box::new(Clog { node, until: end }),
            FaultKind::ClogLink => {
                let mut links = topology::all(&scene.nodes);
                links.retain(|_| self.random.below(4) == 0);
                Box::new(ClogLinks {
                    links: links.into_iter().collect(),
                    until: end,
                })
            }
            FaultKind::Swizzle => return self.swizzle(scene),
            FaultKind::LateRequests => {
                // Until another leads.
                let end = now + LASTS_MAX;
                let rule = LateRequests { node, until: end };
                return impose(plan, now, Box::new(rule)).then(end, Action::Lift);
            }
            FaultKind::Filter => {
                let kinds = MessageKind::ALL;
                let kind = kinds[self.random.below(kinds.len() as u64) as usize];
                let from = (self.random.below(2) == 0).then_some(node);
                Box::new(Filter { kind, from })
            }
            FaultKind::LoseReplies => Box::new(LoseReplies(leader)),
            _ => {
                let other = scene.nodes[self.random.below(scene.nodes.len() as u64) as usize];
                let cut = Box::new(Cut::both_ways([(leader, other)]));
                // What is on its way is lost with the connection.
                return impose(plan, now, cut)
                    .then(now, Action::Disconnect(leader, other))
                    .then(now + 1_000, Action::Lift);
            }
        };
        impose(plan, now, rule).then(end, Action::Lift)
    }

    /// Nodes are clogged one after another, and let go in another order.
    fn swizzle(&mut self, scene: &Scene) -> Plan {
        let mut plan = Plan::new(FaultKind::Swizzle);
        let order = topology::shuffled(&scene.nodes, &mut self.random);
        let count = between(&mut self.random, 1, order.len() as u64) as usize;
        let middle = scene.now.midpoint(scene.end);
        let (first, second) = (middle - scene.now, scene.end - middle);
        for &node in &order[..count] {
            let at = scene.now + self.random.below(first + 1);
            let until = middle + self.random.below(second + 1);
            let clog = Clog { node, until };
            plan = impose(plan, at, Box::new(clog));
        }
        plan.then(scene.end, Action::Lift)
    }

    /// What stands between nodes while links are cut.
    fn rule_of_cut(&mut self, kind: FaultKind, scene: &Scene) -> Box<dyn NamedRule> {
        let (nodes, leader) = (&scene.nodes, scene.leader);
        match kind {
            FaultKind::Isolate => {
                let of_leader = self.random.below(3) > 0;
                Box::new(Isolate(if of_leader { leader } else { scene.node }))
            }
            FaultKind::CutLeader => Box::new(Cut::one_way(topology::between_sides(nodes, |id| {
                id == leader
            }))),
            FaultKind::QuorumMinusOne => {
                let links = topology::quorum_minus_one(nodes, leader, &mut self.random);
                Box::new(Cut::one_way(links))
            }
            FaultKind::OneWayPartition => {
                let cut = self.any_shape(scene);
                let mut left = topology::shuffled(nodes, &mut self.random);
                left.truncate(nodes.len().div_ceil(2));
                let one_way = cut.into_iter().filter(|(from, to)| {
                    let rank = |id: &NodeId| (left.contains(id), id.0);
                    rank(from) < rank(to)
                });
                Box::new(Cut::one_way(one_way))
            }
            FaultKind::Flap => {
                // Around the election timeout, where it hurts most.
                let tenths = between(&mut self.random, 3, 30);
                let period = (self.election * tenths / 10).max(2);
                let cut = Cut::one_way(self.any_shape(scene));
                Box::new(Flap { cut, period })
            }
            _ => Box::new(Cut::one_way(self.shape(kind, scene))),
        }
    }

    fn any_shape(&mut self, scene: &Scene) -> Links {
        let kinds = [
            FaultKind::Partition,
            FaultKind::PartitionSize,
            FaultKind::OneWay,
            FaultKind::Chain,
            FaultKind::Star,
            FaultKind::Ring,
            FaultKind::Bridge,
        ];
        let kind = kinds[self.random.below(kinds.len() as u64) as usize];
        self.shape(kind, scene)
    }

    fn shape(&mut self, kind: FaultKind, scene: &Scene) -> Links {
        let (nodes, random) = (&scene.nodes, &mut self.random);
        match kind {
            FaultKind::Partition => topology::halves(nodes, random),
            FaultKind::PartitionSize => topology::sized(nodes, random),
            FaultKind::Chain => topology::chain(nodes, random),
            FaultKind::Star => topology::star(nodes, scene.node, random.below(2) == 0),
            FaultKind::Ring => topology::ring(nodes, random.below(2) == 0, random),
            FaultKind::Bridge => topology::bridge(nodes, random),
            _ => {
                let mut links = topology::all(nodes);
                links.retain(|_| random.below(3) == 0);
                links
            }
        }
    }
}

fn plan_members(kind: FaultKind, scene: &Scene) -> Plan {
    let &Scene { node, now, end, .. } = scene;
    let plan = Plan::new(kind);
    let begin = match kind {
        FaultKind::Evict => Action::Evict(node),
        FaultKind::RemoveMember => Action::Remove(node),
        FaultKind::DemoteMember => Action::Demote(node),
        _ => return plan.then(now, Action::Transfer(node)),
    };
    // Its storage gone, the cluster takes it back by itself.
    let again = end + (end - now);
    plan.then(now, begin)
        .then(end, Action::Start(node))
        .then(end, Action::RestoreMembers)
        .then(again, Action::RestoreMembers)
}

/// Puts a rule in force at a time.
fn impose(plan: Plan, at: u64, rule: Box<dyn NamedRule>) -> Plan {
    plan.then(at, Action::Impose(rule))
}
