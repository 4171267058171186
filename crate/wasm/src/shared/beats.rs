//! A running node of a sharded store: whether its peers are there, though its groups may sleep. See
//! [`quorate_raft::Beats`].

use bytes::Bytes;
use quorate_raft::{Instant, NodeId, Sight};
use quorate_rsm::codec;

use super::{Effects, State};

impl State {
    /// The way to a peer was there, or is there now, or both.
    pub(super) fn turn_link(&mut self, now: Instant, id: NodeId, was: bool, is: bool) {
        let Some(hosting) = &mut self.hosting else {
            return;
        };
        match is {
            true => hosting.beats.connect(id),
            false => hosting.beats.disconnect(id),
        }
        if was {
            self.forget_mover(now, id);
        }
    }

    /// Takes what a peer of a sharded store says, if this is a node of one. Whether it was something that
    /// those say.
    pub(super) fn is_of_host(&mut self, now: Instant, from: NodeId, frame: &Bytes) -> Option<bool> {
        self.hosting.as_ref()?;
        let run = match codec::decode_beat(frame) {
            Ok((cluster, sender, run)) => {
                if cluster != self.identity.cluster_id || sender != from {
                    return Some(false);
                }
                Some(run)
            }
            Err(_) if self.is_of_movers(now, from, frame) => None,
            Err(_) if self.is_of_groups(now, from, frame) => None,
            Err(_) => return Some(false),
        };
        match self.hosting.as_mut()?.beats.hear(from, run) {
            None => {}
            Some(Sight::Found) => self.find_peer(now, from),
            Some(Sight::Replaced) => {
                self.lose_peer(now, from);
                self.forget_mover(now, from);
                self.find_peer(now, from);
            }
        }
        Some(true)
    }

    /// Sends beats, when they are due, and takes note of who is gone.
    pub(super) fn beat(&mut self, now: Instant, effects: &mut Effects) {
        let Some(hosting) = &mut self.hosting else {
            return;
        };
        let Some(gone) = hosting.beats.turn(now) else {
            return;
        };
        let peers: Vec<NodeId> = hosting.beats.peers().collect();
        let beat = codec::encode_beat(self.identity.cluster_id, self.identity.node, hosting.run);
        for id in peers {
            self.send_to_peer(now, id, beat.clone(), &mut effects.frames);
        }
        for id in gone {
            self.lose_peer(now, id);
        }
    }
}
