//! The end of a sharded world: faults stop, everything comes to rest, and what is left is judged.

use core::time::Duration;

use quorate_kv as kv;
use quorate_shard::{ShardId, ShardStore};

use super::calls::ask;
use super::{Failure, Role, ShardSummary, ShardWorld, Sight, User};
use crate::checker::Violation;
use crate::checker::linearizability::{self, Verdict};
use crate::cluster::Cluster;
use crate::situation::Situation;

/// Without faults something of what is open must get on in this time, in microseconds.
const PATIENCE: u64 = 60_000_000;

impl ShardWorld {
    /// The faults stop, and so do the changes.
    pub(super) fn calm_down(&mut self) -> Result<(), Failure> {
        self.calm = true;
        self.heal()?;
        Ok(())
    }

    /// Runs until every group is done with the last configuration, and every call has ended.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let began = self.store.now;
        loop {
            self.run_until(self.store.now + 50_000)?;
            let Some(open) = self.open_business() else {
                return Ok(());
            };
            let quiet = self.store.now - self.store.last_step.max(began);
            if quiet > PATIENCE {
                return Err(Failure::Liveness(format!(
                    "{quiet} µs without a step: {open}"
                )));
            }
        }
    }

    fn open_business(&self) -> Option<String> {
        let calls: usize = self.users.iter().map(User::open).sum();
        if calls > 0 || self.admin_busy {
            return Some(format!("{calls} calls are open"));
        }
        self.store.unsettled()
    }

    /// Every key is read once more by everyone.
    pub(super) fn read_all(&mut self) -> Result<(), Failure> {
        if !self.has_joined() {
            return Ok(());
        }
        let timeout = Duration::from_secs(60);
        let callers = self.users.iter().map(User::role);
        let callers = callers.filter(|role| matches!(role, Role::Caller)).count() as u64;
        let before = self.history.answered;
        for user in 0..self.users.len() {
            self.users[user].read_all(self.store.now, timeout, &mut self.history);
            self.drain_user(user)?;
        }
        self.settle()?;
        let (answered, all) = (self.history.answered - before, callers * self.shape.keys);
        if answered < all {
            let seen = format!("{answered} of the last {all} reads have an answer");
            return Err(Failure::Liveness(seen));
        }
        Ok(())
    }

    /// Whether there is a group to serve shards: once there is one, there always is.
    fn has_joined(&self) -> bool {
        let mut stores = self.store.groups.values().flat_map(stores);
        stores.any(|store| !store.configuration().groups.is_empty())
    }

    /// What the group that serves a shard says.
    fn ask(&self, shard: ShardId, query: &kv::Query) -> Option<kv::Reply> {
        let mut stores = self.store.groups.values().flat_map(stores);
        ask(stores.find(|store| store.serves(shard))?, shard, query)
    }

    pub(super) fn judge(&mut self) -> Result<ShardSummary, Failure> {
        let served = self.store.check_settled()?;
        let shards = self.shape.shards as usize;
        if self.has_joined() && served.len() != shards {
            let seen = format!("{} of {shards} shards are served", served.len());
            return Err(Violation::new("No shard is lost", seen).into());
        }
        for user in &self.users {
            match user.role() {
                Role::Caller => {}
                Role::Holder(_, holder) => {
                    holder.check_end()?;
                    self.summary.leases += holder.granted;
                }
                Role::Watcher(shard, watcher) => {
                    watcher.check_end(|query| self.ask(*shard, query))?;
                    self.summary.events += watcher.events.len() as u64;
                }
            }
        }
        let groups = self.store.groups().values();
        let seen = groups.map(|it| it.observer.sightings());
        for seen in seen.chain([self.store.controller().observer.sightings()]) {
            let (slept, lost) = (Situation::LeaderFellAsleep, Situation::WokenByUnreachable);
            self.summary
                .note_if(seen.count(slept) > 0, Sight::GroupSlept);
            self.summary
                .note_if(seen.count(lost) > 0, Sight::SleeperLostLeader);
        }
        self.summary.worlds = 1;
        self.summary.moves = self.store.moves;
        self.summary
            .note_many(self.store.lost_marks, Sight::MarkLost);
        self.summary.time = self.store.now;
        self.summary.answered = self.history.answered;
        self.summary.calls = self.history.operations().len() as u64;
        match linearizability::check(self.history.operations()) {
            Verdict::Linearizable => Ok(self.summary),
            Verdict::Illegal { key } => {
                let seen = format!("no order explains what clients saw of key {key}");
                Err(Violation::new("Linearizability", seen).into())
            }
            Verdict::Undecided { .. } => {
                self.summary.undecided = 1;
                Ok(self.summary)
            }
        }
    }
}

/// A group's state, as each of its nodes has it.
fn stores(cluster: &Cluster<ShardStore>) -> impl Iterator<Item = &ShardStore> {
    let nodes = cluster.voters().iter();
    nodes.filter_map(|id| cluster.machine(*id))
}
