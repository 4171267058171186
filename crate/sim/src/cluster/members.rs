//! What a nemesis does to the membership, and to what members have on their disks.

use std::sync::Arc;

use quorate_raft::{Change, ConfState, NodeId};
use quorate_rsm::StateMachine;

use super::Cluster;
use crate::checker::Violation;
use crate::process::Process;
use crate::situation::Situation;
use crate::trace;

impl<M: StateMachine + Default> Cluster<M> {
    /// Whether all nodes run and vote and none is spoiled: one of them can be spared.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let sound = |process: &Process<M>| !process.lost && !process.disk.is_rotten();
        self.processes.values().all(sound) && self.all_vote()
    }

    /// Whether all nodes vote, each with the storage that is recorded, all run that are not lost,
    /// and nothing is under way that could change that.
    #[must_use]
    pub fn all_vote(&self) -> bool {
        self.survivors().all(|id| {
            let Some(raft) = self.raft(id) else {
                return false;
            };
            let status = raft.status();
            let conf_state = &status.conf_state;
            conf_state.voters == self.voters
                && !conf_state.is_joint()
                && status.conf_index <= status.commit
                && self
                    .voters
                    .iter()
                    .all(|id| conf_state.knows(*id, self.processes[*id].storage))
        })
    }

    /// A node crashes, and its storage is gone: it comes back with a new one that knows of nothing.
    /// Only if the cluster can spare it. Whether it did.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn evict(&mut self, id: NodeId) -> Result<bool, Violation> {
        if self.voters.len() < 3 || !self.is_whole() {
            return Ok(false);
        }
        self.crash(id)?;
        let (profile, medium) = (self.config.disk, self.config.medium);
        let process = self.process_mut(id);
        process.wipe(profile, medium);
        let storage = process.storage;
        self.state.wiped(id, storage);
        self.observer.note(Situation::StorageLost);
        let now = self.now();
        self.trace.event(now, &id, trace::Event::Halt, 2, || {
            format!("its storage is gone; the next is {storage}")
        });
        Ok(true)
    }

    /// Asks the latest leader for a change of the membership. Whether it began.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn change_members(&mut self, changes: &[Change]) -> Result<bool, Violation> {
        let Some(&leader) = self.leaders().last() else {
            return Ok(false);
        };
        let now = self.now();
        let Some(running) = self.process_mut(leader).running.as_mut() else {
            return Ok(false);
        };
        let local = running.clock.local(now);
        let begun = running.node.change_membership(local, changes).is_ok();
        self.trace.event(
            now,
            &leader,
            trace::Event::Members,
            u64::from(begun),
            || {
                format!(
                    "asked for {changes:?}: {}",
                    if begun { "begun" } else { "refused" }
                )
            },
        );
        self.drain(leader)?;
        Ok(begun)
    }

    /// Asks the latest leader to hand over. Whether it began.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn transfer_leadership(&mut self, to: NodeId) -> Result<bool, Violation> {
        let Some(&leader) = self.leaders().last() else {
            return Ok(false);
        };
        let now = self.now();
        let Some(running) = self.process_mut(leader).running.as_mut() else {
            return Ok(false);
        };
        let local = running.clock.local(now);
        let begun = running.node.transfer_leadership(local, to).is_ok() && leader != to;
        self.drain(leader)?;
        Ok(begun)
    }

    /// Takes a node out, if the cluster can spare it. Whether that began.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn remove_member(&mut self, id: NodeId) -> Result<bool, Violation> {
        Ok(self.is_whole() && self.change_members(&[Change::Remove { id }])?)
    }

    /// Takes a node's vote, if the cluster can spare it. Whether that began.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn demote_member(&mut self, id: NodeId) -> Result<bool, Violation> {
        Ok(self.is_whole() && self.change_members(&[Change::Demote { id }])?)
    }

    /// Gives every node its vote back that has none: whoever is out, or a learner.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn restore_members(&mut self) -> Result<(), Violation> {
        let Some(conf_state) = self.leaders().last().and_then(|id| self.members_at(*id)) else {
            return Ok(());
        };
        let missing = self.voters.iter().filter(|id| !conf_state.is_voter(**id));
        let change = |&id: &NodeId| match conf_state.learners.contains(&id) {
            true => Change::Promote { id },
            false => Change::AddVoter {
                id,
                storage: self.processes[id].storage,
            },
        };
        let changes: Vec<Change> = missing.map(change).collect();
        if !changes.is_empty() && conf_state.joining.is_empty() {
            self.change_members(&changes)?;
        }
        Ok(())
    }

    fn members_at(&self, id: NodeId) -> Option<Arc<ConfState>> {
        self.raft(id).map(|raft| raft.status().conf_state)
    }
}
