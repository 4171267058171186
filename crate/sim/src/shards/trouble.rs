//! The faults of a sharded world: workers that crash, are cut off, or stand still, and answers and
//! requests that are lost or late.

use std::collections::BTreeMap;

use quorate_raft::{NodeId, Random};
use quorate_shard::GroupId;

use super::places::Seen;
use super::{ADMIN, ShardWorld, Sight, Wake};
use crate::checker::Violation;
use crate::network::{Address, Packet, Rule, RuleId, Verdict};
use crate::rules::{Isolate, LateRequests, LoseReplies};
use crate::streams::{between, chance};
use crate::world::Failure;

/// Faults under way.
#[derive(Default)]
pub(super) struct Trouble {
    next: u64,
    open: BTreeMap<u64, Fault>,
}

enum Fault {
    Crashed(NodeId),
    Paused(NodeId),
    /// A rule in each group's network, the controller's first.
    Ruled(Vec<RuleId>),
}

/// Whatever they are told is lost, by all nodes, while everything else goes on.
#[derive(Clone, Copy)]
enum LoseAnswers {
    OfUsers,
    OfMovers,
}

impl Rule for LoseAnswers {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        let Address::Client(client) = packet.to else {
            return Verdict::Pass;
        };
        let is_lost = match self {
            Self::OfUsers => client < ADMIN,
            Self::OfMovers => client > ADMIN,
        };
        match is_lost {
            true => Verdict::Drop,
            false => Verdict::Pass,
        }
    }
}

impl Trouble {
    /// Whether a worker is not down or paused.
    fn may_crash(&self, worker: NodeId) -> bool {
        let mut faults = self.open.values();
        !faults.any(
            |fault| matches!(fault, Fault::Crashed(node) | Fault::Paused(node) if *node == worker),
        )
    }

    fn note(&mut self, fault: Fault) -> u64 {
        self.next += 1;
        self.open.insert(self.next, fault);
        self.next
    }
}

impl ShardWorld {
    /// Some fault, for a while.
    pub(super) fn fault(&mut self) -> Result<(), Failure> {
        let workers = self.workers();
        let worker = workers[self.random.below(workers.len() as u64) as usize];
        if !self.trouble.may_crash(worker) {
            return Ok(());
        }
        if self.random.below(8) == 0 {
            return self.all_down();
        }
        let long = between(&mut self.random, 50_000, 3_000_000);
        let until = self.store.now + long;
        let fault = match self.random.below(6) {
            0 => {
                self.crash(worker)?;
                Fault::Crashed(worker)
            }
            1 => {
                self.store.all().for_each(|it| it.pause_node(worker));
                Fault::Paused(worker)
            }
            2 => self.rule(Isolate(worker)),
            3 => self.rule(LoseReplies(worker)),
            4 => self.rule(LoseAnswers::OfUsers),
            _ => self.rule(LateRequests {
                node: worker,
                until,
            }),
        };
        let number = self.trouble.note(fault);
        self.store.plan_at(until, Wake::Undo(number));
        Ok(())
    }

    /// A migration took a step in a group: the worker that leads it, or another one, may crash just now,
    /// or another one leads, or answers are lost.
    pub(super) fn trouble_at_step(&mut self, group: GroupId) -> Result<(), Failure> {
        if self.calm || !chance(&mut self.random, self.shape.step_trouble_permille) {
            return Ok(());
        }
        let workers = self.workers();
        let other = workers[self.random.below(workers.len() as u64) as usize];
        let cluster = self.store.group(group);
        let leader = cluster.leaders().last().copied();
        let fault = match self.random.below(5) {
            0 => {
                if leader.is_some_and(|leader| !cluster.is_paused(leader)) {
                    cluster.transfer_leadership(other)?;
                }
                return Ok(());
            }
            1 => self.rule(LoseAnswers::OfUsers),
            2 => self.rule(LoseAnswers::OfMovers),
            _ => {
                let worker = leader.filter(|_| self.random.below(4) > 0).unwrap_or(other);
                if !self.trouble.may_crash(worker) {
                    return Ok(());
                }
                self.summary.step_crashes += 1;
                self.crash(worker)?;
                Fault::Crashed(worker)
            }
        };
        let number = self.trouble.note(fault);
        let long = between(&mut self.random, 10_000, 1_000_000);
        self.store
            .plan_at(self.store.now + long, Wake::Undo(number));
        Ok(())
    }

    /// Has a rule hold in every group.
    fn rule(&mut self, rule: impl Rule + Copy + 'static) -> Fault {
        let all = self.store.all();
        Fault::Ruled(all.map(|it| it.network().add(rule)).collect())
    }

    /// All workers crash, and come back one after another.
    fn all_down(&mut self) -> Result<(), Failure> {
        let moves = self.store.seen.values().any(Seen::moves);
        self.summary.note_if(moves, Sight::AllDown);
        for worker in self.workers() {
            if self.trouble.may_crash(worker) {
                self.crash(worker)?;
                let number = self.trouble.note(Fault::Crashed(worker));
                let long = between(&mut self.random, 50_000, 1_000_000);
                self.store
                    .plan_at(self.store.now + long, Wake::Undo(number));
            }
        }
        Ok(())
    }

    /// Ends a fault, if it has not ended.
    pub(super) fn undo(&mut self, number: u64) -> Result<(), Violation> {
        match self.trouble.open.remove(&number) {
            Some(Fault::Crashed(worker)) => self.start(worker)?,
            Some(Fault::Paused(worker)) => self.store.all().for_each(|it| it.resume_node(worker)),
            Some(Fault::Ruled(rules)) => {
                let all = self.store.all().zip(rules);
                all.for_each(|(it, rule)| it.network().remove(rule));
            }
            None => {}
        }
        Ok(())
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        for number in self.trouble.open.keys().copied().collect::<Vec<_>>() {
            self.undo(number)?;
        }
        Ok(())
    }
}
