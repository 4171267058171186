//! What hosts say of themselves where groups sleep ([`quorate_raft::Beats`]), and what they tell their nodes of peers
//! that are gone, or come.
//!
//! Beats are no packets here: one comes wherever the network does not cut the way. Messages count as they do in hosts.

use std::collections::BTreeMap;

use quorate_raft::{Beats, Instant, NodeId, Sight};
use quorate_rsm::{Input, StateMachine};

use super::{Cluster, Event};
use crate::checker::Violation;
use crate::network::Address;
use crate::situation::Situation;

/// What the hosts know, each in its latest run.
pub(super) type Hosts = BTreeMap<NodeId, (u64, Beats)>;

impl<M: StateMachine + Default> Cluster<M> {
    /// Beats come, or have been missing for too long.
    pub(super) fn beat(&mut self) -> Result<(), Violation> {
        let interval = self.config.node.raft.heartbeat_interval;
        let next = self.now() + interval.as_micros() as u64;
        self.queue.push(next, Event::Beat);
        let (now, nodes) = (self.now(), self.voters.clone());
        let speaks = |it: &Self, id| it.is_running(id) && !it.is_paused(id);
        for to in nodes.clone() {
            if !speaks(self, to) {
                continue;
            }
            for from in nodes.iter().copied().filter(|from| *from != to) {
                let (a, b) = (Address::Node(from), Address::Node(to));
                if speaks(self, from) && !self.network.is_cut(now, a, b) {
                    self.hear(to, from, Some(self.processes[from].run))?;
                }
            }
            for from in self.host(to).turn(Instant(now)).into_iter().flatten() {
                self.lose_sight(to, from)?;
            }
        }
        Ok(())
    }

    /// A host hears a beat of a peer, or a message.
    pub(super) fn hear(
        &mut self,
        to: NodeId,
        from: NodeId,
        run: Option<u64>,
    ) -> Result<(), Violation> {
        if self.config.node.raft.quiesce_after.is_none() {
            return Ok(());
        }
        let host = self.host(to);
        let is_connected = host.peers().any(|peer| peer == from);
        if !is_connected {
            host.connect(from);
        }
        let sight = host.hear(from, run);
        if sight == Some(Sight::Replaced) {
            self.lose_sight(to, from)?;
        }
        if !is_connected || sight.is_some() {
            self.handle(to, [Input::Reachable])?;
        }
        Ok(())
    }

    /// What a node's host knows.
    fn host(&mut self, id: NodeId) -> &mut Beats {
        let (own, raft) = (self.processes[id].run, &self.config.node.raft);
        let fresh = || (own, Beats::new(raft));
        let (run, beats) = self.hosts.entry(id).or_insert_with(fresh);
        if *run != own {
            (*run, *beats) = fresh();
        }
        beats
    }

    /// A node is told that a peer is gone.
    pub(super) fn lose_sight(&mut self, id: NodeId, peer: NodeId) -> Result<(), Violation> {
        if let Some(running) = &self.processes[id].running {
            let raft = running.node.raft();
            let (follows, asleep) = (raft.leader() == Some(peer), raft.status().asleep);
            if follows {
                self.observer.note(Situation::LostSightOfLeader);
            }
            if follows && asleep {
                self.observer.note(Situation::WokenByUnreachable);
            }
        }
        self.handle(id, [Input::Unreachable { peer }])
    }
}
