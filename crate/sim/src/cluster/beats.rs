//! What hosts say of themselves where groups sleep: one beat to each peer, however many groups there are, so that a
//! host can tell its nodes which peers are gone and which come.
//!
//! Beats are no packets here: one comes wherever the network does not cut the way.

use std::collections::BTreeMap;

use quorate_raft::NodeId;
use quorate_rsm::{Input, StateMachine};

use super::{Cluster, Event};
use crate::checker::Violation;
use crate::network::Address;
use crate::situation::Situation;

/// What each host knows of each peer.
pub(super) type Beats = BTreeMap<(NodeId, NodeId), Contact>;

/// What a host knows of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    /// The host's run.
    own: u64,
    /// The latest run that a beat came from, and when; none as long as it is not connected.
    heard: Option<(u64, u64)>,
}

impl<M: StateMachine + Default> Cluster<M> {
    /// Beats come, or have been missing for too long.
    pub(super) fn beat(&mut self) -> Result<(), Violation> {
        let raft = &self.config.node.raft;
        let (interval, patience) = (raft.heartbeat_interval, raft.election_timeout);
        let next = self.now() + interval.as_micros() as u64;
        self.queue.push(next, Event::Beat);
        for to in self.voters.clone() {
            for from in self.voters.clone() {
                if from != to && self.is_running(to) && !self.is_paused(to) {
                    self.listen(to, from, patience.as_micros() as u64)?;
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, to: NodeId, from: NodeId, patience: u64) -> Result<(), Violation> {
        let (now, own, run) = (self.now(), self.processes[to].run, self.processes[from].run);
        let (a, b) = (Address::Node(from), Address::Node(to));
        let speaks = self.is_running(from) && !self.is_paused(from);
        let comes = speaks && !self.network.is_cut(now, a, b);
        let known = self.beats.get(&(to, from)).filter(|known| known.own == own);
        let before = known.and_then(|known| known.heard);
        let heard = match before {
            _ if comes => Some((run, now)),
            Some((_, at)) if now - at < patience => before,
            Some(_) | None => None,
        };
        self.beats.insert((to, from), Contact { own, heard });
        let (before, after) = (before.map(|(run, _)| run), heard.map(|(run, _)| run));
        if before.is_some() && before != after {
            self.lose_sight(to, from)?;
        }
        if after.is_some() && before != after {
            self.handle(to, [Input::Reachable])?;
        }
        Ok(())
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
