//! What arrives at a node: the gate that every host has, what passes it, and what must not.

use bytes::Bytes;
use quorate_raft::{Message, NodeId};
use quorate_rsm::{Input, StateMachine, codec};

use super::{Cluster, Delivery, Event, Occurrence};
use crate::checker::Violation;
use crate::describe::describe;
use crate::digest::Digest;
use crate::fault::FaultKind;
use crate::film::End;
use crate::network::Address;
use crate::situation::Situation;
use crate::trace;

/// The frames' cluster number.
pub(super) const CLUSTER: u64 = 7;

/// One frame in so many is decoded once more, damaged.
const FRAMES_PER_DAMAGE: u64 = 128;

/// What is put behind a frame that is too long.
const OVERSIZE_BYTES: usize = 1 << 20;

impl<M: StateMachine + Default> Cluster<M> {
    pub(super) fn deliver(&mut self, mut delivery: Delivery) -> Result<Occurrence, Violation> {
        let (now, from, to) = (self.now(), delivery.from, delivery.to);
        let digest = Digest::of(&delivery.frame);
        self.damage(digest, &delivery.frame);
        let place = delivery.place.take();
        let dropped = place.is_some_and(|place| !self.network.arrives(from, to, place));
        let lost = dropped
            || delivery.again && !self.network.repeats()
            || self.network.is_cut(now, from, to)
            || matches!(to, Address::Node(id) if !self.is_running(id));
        let event = if lost {
            trace::Event::Lose
        } else {
            trace::Event::Deliver
        };
        self.trace
            .event(now, &to, event, digest, || describe(from, &delivery.frame));
        if let Some(film) = &mut self.film {
            let waits = |id: NodeId| {
                let process = &self.processes[id];
                let waiting = self
                    .waiting
                    .get(id)
                    .is_some_and(|events| !events.is_empty());
                process.paused || process.slow.is_some() && (waiting || process.busy_until > now)
            };
            let end = match to {
                _ if lost => End::Lost,
                Address::Node(id) if waits(id) => End::Waits,
                _ => End::Taken,
            };
            film.landed(now, delivery.flights, end);
        }
        if lost {
            return Ok(Occurrence::Internal);
        }
        if let Address::Node(id) = to {
            if let Some(event) = self.admit(id, Event::Deliver(delivery)) {
                self.perform(event)?;
            }
            return Ok(Occurrence::Internal);
        }
        match (from, to) {
            (Address::Node(from), Address::Client(client)) => {
                let decoded = codec::decode_replies(&delivery.frame);
                let (_, replies) = decoded.map_err(broken_frame)?;
                Ok(Occurrence::Replies {
                    client,
                    from,
                    replies,
                })
            }
            (..) => unreachable!("clients do not talk to each other"),
        }
    }

    /// A node takes what has come.
    pub(super) fn take(&mut self, delivery: Delivery) -> Result<(), Violation> {
        let Delivery {
            from,
            to,
            frame,
            run,
            ..
        } = delivery;
        let Address::Node(id) = to else {
            unreachable!("only nodes wait")
        };
        match from {
            Address::Node(peer) => {
                let (version, own) = (frame[0], self.processes[id].version);
                let frame = with_version(&frame, version.wrapping_sub(own));
                if version.wrapping_sub(own) != codec::FRAME_VERSION {
                    self.observer.note(Situation::OtherVersionRefused);
                    return match gate(peer, id, &frame) {
                        None => Ok(()),
                        Some(_) => Err(taken(peer, id, FaultKind::Upgrade)),
                    };
                }
                let messages = gate(peer, id, &frame).ok_or_else(|| {
                    let seen = format!("{id} refuses a frame of {peer}");
                    Violation::new("Frames survive their encoding", seen)
                })?;
                if self.processes[id].run != run {
                    self.count(FaultKind::FromBeforeRestart);
                }
                for message in &messages {
                    self.observer.delivered(message);
                }
                self.hear(id, peer, None)?;
                self.handle(id, messages.into_iter().map(Input::Message))
            }
            Address::Client(client) => {
                let (_, requests) = codec::decode_requests(&frame).map_err(broken_frame)?;
                self.take_requests(id, client, requests)
            }
        }
    }

    /// A frame comes as something else than was sent, which the gate must not let pass.
    pub(super) fn refuse(
        &mut self,
        from: NodeId,
        to: NodeId,
        frame: &Bytes,
    ) -> Result<(), Violation> {
        let digest = Digest::of(frame);
        let frame = &with_version(frame, codec::FRAME_VERSION);
        let mut bytes = frame.to_vec();
        let mut receiver = to;
        let kind = match digest % 16 {
            0..5 => {
                bytes.truncate((digest >> 8) as usize % frame.len());
                FaultKind::CutFrame
            }
            5..9 => {
                // The first byte is the version.
                bytes[0] = bytes[0].wrapping_add(1 + (digest >> 8) as u8 % 255);
                FaultKind::OtherVersion
            }
            9..12 => {
                // Eight bytes behind version and kind name the cluster.
                bytes[2 + (digest >> 8) as usize % 8] ^= 1 << (digest >> 16 & 7);
                FaultKind::OtherCluster
            }
            12..15 => {
                let others = self.voters.iter().filter(|&&id| id != to && id != from);
                let others: Vec<NodeId> = others.copied().collect();
                let Some(other) = others.get((digest >> 8) as usize % others.len().max(1)) else {
                    return Ok(());
                };
                receiver = *other;
                FaultKind::OtherDestination
            }
            _ => {
                bytes.resize(bytes.len() + OVERSIZE_BYTES, 0);
                FaultKind::Oversize
            }
        };
        self.count(kind);
        let now = self.now();
        self.trace
            .event(now, &receiver, trace::Event::Refuse, kind as u64, || {
                format!("{from}; {kind:?}")
            });
        if gate(from, receiver, &Bytes::from(bytes)).is_some() {
            return Err(taken(from, receiver, kind));
        }
        if kind == FaultKind::OtherDestination {
            self.check_deaf(from, receiver, frame)?;
        }
        Ok(())
    }

    /// Even without the gate no message for another node is heard.
    fn check_deaf(&mut self, from: NodeId, id: NodeId, frame: &Bytes) -> Result<(), Violation> {
        let before = self.raft(id).map(quorate_raft::Raft::status);
        if before.is_none() || self.is_paused(id) {
            return Ok(());
        }
        let (_, _, messages) = codec::decode_messages(frame).map_err(broken_frame)?;
        self.handle(id, messages.into_iter().map(Input::Message))?;
        if self.raft(id).map(quorate_raft::Raft::status) == before {
            return Ok(());
        }
        let seen = format!("{id} heard what {from} told another");
        Err(Violation::new("What is not for a node is refused", seen))
    }

    /// Some frames are decoded once more with a bit flipped or the end cut off: whatever comes out,
    /// it must come without panic.
    fn damage(&mut self, digest: u64, frame: &Bytes) {
        if !digest.is_multiple_of(FRAMES_PER_DAMAGE) || frame.is_empty() {
            return;
        }
        self.count(FaultKind::FlippedBit);
        let at = (digest >> 8) as usize % frame.len();
        let mut bytes = frame.to_vec();
        bytes[at] ^= 1 << (digest >> 40 & 7);
        if digest >> 43 & 1 == 1 {
            bytes.truncate(bytes.len() - (digest >> 44) as usize % frame.len());
        }
        let bytes = Bytes::from(bytes);
        drop(codec::decode_messages(&bytes));
        drop(codec::decode_requests(&bytes));
        drop(codec::decode_replies(&bytes));
    }
}

/// What of a frame a host hands to its node: messages of the peer on this connection, for this node
/// of this cluster; otherwise nothing.
fn gate(from: NodeId, to: NodeId, frame: &Bytes) -> Option<Vec<Message>> {
    let (cluster, _, messages) = codec::decode_messages(frame).ok()?;
    let ours = messages
        .iter()
        .all(|message| message.from == from && message.to == to);
    (cluster == CLUSTER && ours).then_some(messages)
}

/// The frame as software of another version would have sent it.
fn with_version(frame: &Bytes, version: u8) -> Bytes {
    if frame[0] == version {
        return frame.clone();
    }
    let mut bytes = frame.to_vec();
    bytes[0] = version;
    Bytes::from(bytes)
}

fn taken(from: NodeId, receiver: NodeId, kind: FaultKind) -> Violation {
    let seen = format!("{receiver} takes a frame of {from} that is {kind:?}");
    Violation::new("What is not for a node is refused", seen)
}

fn broken_frame(error: codec::FrameError) -> Violation {
    Violation::new("Frames survive their encoding", format!("{error:?}"))
}
