//! The faults of a sharded world: workers that crash, are cut off, or stand still.

use std::collections::BTreeMap;

use quorate_raft::NodeId;

use super::{ShardWorld, Wake};
use crate::checker::Violation;
use crate::network::RuleId;
use crate::rules::Isolate;
use crate::streams::between;
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
    /// By a rule in each group's network, the controller's first.
    Isolated(NodeId, Vec<RuleId>),
}

impl Trouble {
    /// Whether a worker is not down or paused.
    pub(super) fn may_crash(&self, worker: NodeId) -> bool {
        let mut faults = self.open.values();
        !faults.any(
            |fault| matches!(fault, Fault::Crashed(node) | Fault::Paused(node) if *node == worker),
        )
    }

    /// Notes a crash; the name by which it is undone.
    pub(super) fn crashed(&mut self, worker: NodeId) -> u64 {
        self.note(Fault::Crashed(worker))
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
        let number = match self.random.below(3) {
            0 => {
                self.crash(worker)?;
                self.trouble.note(Fault::Crashed(worker))
            }
            1 => {
                self.cluster.each(worker, |group| {
                    group.pause_node(worker);
                    Ok(())
                })?;
                self.trouble.note(Fault::Paused(worker))
            }
            _ => {
                let mut rules = Vec::new();
                self.cluster.each(worker, |group| {
                    rules.push(group.network().add(Isolate(worker)));
                    Ok(())
                })?;
                self.trouble.note(Fault::Isolated(worker, rules))
            }
        };
        let long = between(&mut self.random, 50_000, 3_000_000);
        self.plan_at(self.cluster.now() + long, Wake::Undo(number));
        Ok(())
    }

    /// Ends a fault, if it has not ended.
    pub(super) fn undo(&mut self, number: u64) -> Result<(), Violation> {
        match self.trouble.open.remove(&number) {
            Some(Fault::Crashed(worker)) => self.start(worker),
            Some(Fault::Paused(worker)) => self.cluster.each(worker, |group| {
                group.resume_node(worker);
                Ok(())
            }),
            Some(Fault::Isolated(worker, rules)) => {
                let mut rules = rules.into_iter();
                self.cluster.each(worker, |group| {
                    rules
                        .next()
                        .into_iter()
                        .for_each(|rule| group.network().remove(rule));
                    Ok(())
                })
            }
            None => Ok(()),
        }
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        for number in self.trouble.open.keys().copied().collect::<Vec<_>>() {
            self.undo(number)?;
        }
        Ok(())
    }
}
