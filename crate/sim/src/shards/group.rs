//! What is done to the cluster of a group, and asked of it, whatever its machine is.

use quorate_raft::NodeId;
use quorate_rsm::StateMachine;

use crate::checker::Violation;
use crate::cluster::{Cluster, Traffic};
use crate::network::Network;

/// A cluster, whatever its machine is.
pub trait Group {
    /// Its nodes.
    fn nodes(&self) -> &[NodeId];
    /// Moves its time forward.
    fn pass(&mut self, now: u64);
    /// Starts a node, whether it ran before or not.
    ///
    /// # Errors
    /// It does not find what was durable.
    fn restart_or_start(&mut self, worker: NodeId) -> Result<(), Violation>;
    /// Ends a node without farewell.
    ///
    /// # Errors
    /// What it left behind breaks a property.
    fn crash_node(&mut self, worker: NodeId) -> Result<(), Violation>;
    /// Its network.
    fn network(&mut self) -> &mut Network;
    /// Lets a node stand still.
    fn pause_node(&mut self, worker: NodeId);
    /// Lets it go on.
    fn resume_node(&mut self, worker: NodeId);
    /// What its nodes sent each other.
    fn traffic(&self) -> Traffic;
    /// How many commands and ticks it executed.
    fn commands(&self) -> u64;
}

impl<M: StateMachine + Default> Group for Cluster<M> {
    fn nodes(&self) -> &[NodeId] {
        self.voters()
    }

    fn pass(&mut self, now: u64) {
        self.pass_to(now);
    }

    fn restart_or_start(&mut self, worker: NodeId) -> Result<(), Violation> {
        match self.starts() < self.voters().len() as u64 {
            true => self.start(worker),
            false => self.restart(worker),
        }
    }

    fn crash_node(&mut self, worker: NodeId) -> Result<(), Violation> {
        self.crash(worker)
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn pause_node(&mut self, worker: NodeId) {
        self.pause(worker);
    }

    fn resume_node(&mut self, worker: NodeId) {
        self.resume(worker);
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn commands(&self) -> u64 {
        self.state.applied().len() as u64
    }
}
