//! A running node of a sharded store: what its mover asks and is told, over the links.

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Input, codec};

use super::{Effects, State};
use crate::hosting::mover_of;

/// Turns of mover and groups for one event; what is left then waits for the next, which comes at once.
const TURNS: usize = 16;

impl State {
    /// A peer is gone, or is there: the mover here asks others, or it again.
    pub(super) fn notice_peer(&mut self, now: Instant, id: NodeId, is_there: bool) {
        if let Some(hosting) = &mut self.hosting {
            hosting.notice(now, id, is_there);
        }
    }

    /// A peer's mover waits for no more answers.
    pub(super) fn forget_mover(&mut self, now: Instant, id: NodeId) {
        let client = mover_of(id);
        self.groups.handle_all(now, &Input::ClientGone { client });
    }

    /// Takes what a peer's mover asks, or an answer for ours. Whether the frame is one of these.
    pub(super) fn is_of_movers(&mut self, now: Instant, from: NodeId, frame: &Bytes) -> bool {
        let Some(hosting) = &mut self.hosting else {
            return false;
        };
        if let Ok((group, replies)) = codec::decode_replies(frame) {
            hosting.replies(now, from, group, replies);
            return true;
        }
        let client = mover_of(from);
        self.groups.handle_client(now, client, frame, None)
    }

    /// Has the mover and the groups take turns, until neither has anything to do.
    pub(super) fn drain_hosting(&mut self, now: Instant, effects: &mut Effects) {
        self.beat(now, effects);
        let Some(mut hosting) = self.hosting.take() else {
            return;
        };
        hosting.is_behind = true;
        for _ in 0..TURNS {
            for (node, group, replies) in core::mem::take(&mut effects.to_movers) {
                if node == self.identity.node {
                    hosting.replies(now, node, group, replies);
                } else {
                    let frame = codec::encode_replies(group, &replies);
                    self.send_to_peer(now, node, frame, &mut effects.frames);
                }
            }
            let (groups, writer) = (&mut self.groups, &mut self.writer);
            let events = hosting.look(now, groups, writer, &mut self.random);
            effects.events.extend(events);
            while let Some(outgoing) = hosting.poll_output() {
                let (to, group, requests) = (outgoing.to, outgoing.group.0, outgoing.requests);
                if to == self.identity.node {
                    self.groups.ask(now, mover_of(to), group, requests);
                } else if self.links.get(to).is_some_and(|link| link.port.is_some()) {
                    let frame = codec::encode_requests(group, &requests);
                    self.send_to_peer(now, to, frame, &mut effects.frames);
                } else {
                    hosting.notice(now, to, false);
                }
            }
            if self.groups.is_idle() {
                hosting.is_behind = false;
                break;
            }
            self.drain_groups(now, effects);
        }
        hosting.settle();
        self.hosting = Some(hosting);
    }
}
