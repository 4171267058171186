//! The Raft groups of one worker: inputs go to one of them, outputs of all are gathered.
//!
//! All messages that one drain has for one peer travel in one frame per group, and so do all
//! answers for one client.

use bytes::Bytes;
use quorate_raft::{Instant, Message, NodeId, PersistBatch, Table};
use quorate_rsm::storage::Layout;
use quorate_rsm::{ClientId, HaltCause, Input, Node, Output, Reply, codec};

use crate::error::Failure;
use crate::event::{HostEvent, Progress};
use crate::machine::Machine;
use crate::probe::{Probe, Way};

/// Messages that there is room for between frames.
const INBOX_MAX: usize = 64;

/// One group's node, and where its records are.
pub struct Group {
    /// The node.
    pub node: Node<Machine>,
    /// Its records.
    pub layout: Layout,
    reported: Option<Progress>,
}

impl Group {
    /// A group that has said nothing yet.
    pub fn new(node: Node<Machine>, layout: Layout) -> Self {
        Self {
            node,
            layout,
            reported: None,
        }
    }
}

/// All groups of a worker.
pub struct Groups {
    members: Table<u32, Group>,
    cluster: u64,
    /// Empty, with room for the messages of a frame.
    inbox: Vec<Message>,
}

/// What one drain gave, ready to go out.
#[derive(Default)]
pub struct Drained {
    /// Frames to peers.
    pub to_peers: Vec<(NodeId, Vec<u8>)>,
    /// Frames to clients.
    pub to_clients: Vec<(ClientId, Vec<u8>)>,
    /// What must become durable.
    pub batches: Vec<(u32, PersistBatch)>,
    /// What the owner hears.
    pub events: Vec<HostEvent>,
}

impl Groups {
    /// `cluster` marks the frames to peers.
    pub fn new(members: Table<u32, Group>, cluster: u64) -> Self {
        Self {
            members,
            cluster,
            inbox: Vec::new(),
        }
    }

    /// The group `id`, if this worker takes part in it.
    pub fn group(&mut self, id: u32) -> Option<&mut Group> {
        self.members.get_mut(id)
    }

    /// Whether this worker takes part in the group `id`.
    pub fn has(&self, id: u32) -> bool {
        self.members.has(id)
    }

    /// All groups, by id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        self.members.iter()
    }

    /// Gives one group an input. A halted node refuses, and has said so by an event before.
    pub fn handle(&mut self, now: Instant, group: u32, input: Input) {
        if let Some(group) = self.members.get_mut(group) {
            let _ = group.node.handle(now, input);
        }
    }

    /// Gives a group the messages of a frame of the peer `from`. Whether it was a frame of this
    /// cluster, from there and for `node`.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        from: NodeId,
        node: NodeId,
        frame: &Bytes,
        probe: Option<&Probe>,
    ) -> bool {
        let mut messages = core::mem::take(&mut self.inbox);
        let Ok((cluster, group)) = codec::decode_messages_in(&mut messages, frame) else {
            return false;
        };
        let mut ours = messages.iter().map(|it| it.from == from && it.to == node);
        if cluster != self.cluster || !self.has(group) || !ours.all(|ours| ours) {
            return false;
        }
        for message in messages.drain(..) {
            if let Some(probe) = probe {
                probe.message(Way::Received, from, &message);
            }
            self.handle(now, group, Input::Message(message));
        }
        if messages.capacity() <= INBOX_MAX {
            self.inbox = messages;
        }
        true
    }

    /// Gives a group the requests of a frame of a client. Whether it was one.
    pub fn handle_client(
        &mut self,
        now: Instant,
        client: ClientId,
        frame: &Bytes,
        probe: Option<&Probe>,
    ) -> bool {
        let decoded = codec::decode_requests(frame).ok();
        let Some((group, requests)) = decoded.filter(|(group, _)| self.has(*group)) else {
            return false;
        };
        if let Some(probe) = probe {
            probe.requests(&requests);
        }
        for request in requests {
            self.handle(now, group, Input::Request { client, request });
        }
        true
    }

    /// Gives every group an input.
    pub fn handle_all(&mut self, now: Instant, input: &Input) {
        for (_, group) in self.members.iter_mut() {
            let _ = group.node.handle(now, input.clone());
        }
    }

    /// Tells the groups whose deadline has passed.
    pub fn handle_timers(&mut self, now: Instant) {
        for (_, group) in self.members.iter_mut() {
            if group.node.next_timeout() <= now {
                let _ = group.node.handle(now, Input::TimerFired);
            }
        }
    }

    /// The nearest deadline of all.
    pub fn next_timeout(&self) -> Instant {
        let deadlines = self
            .members
            .iter()
            .map(|(_, group)| group.node.next_timeout());
        deadlines.min().unwrap_or(Instant::NEVER)
    }

    /// Why a machine cannot go on: nothing that was drained since may leave.
    pub fn failure(&self) -> Option<Failure> {
        let mut groups = self.members.iter();
        groups.find_map(|(_, group)| group.node.machine().failure())
    }

    /// Takes all outputs of all groups.
    pub fn drain(&mut self, probe: Option<&Probe>) -> Drained {
        let mut drained = Drained::default();
        for (id, group) in self.members.iter_mut() {
            let mut messages: Table<NodeId, Vec<Message>> = Table::default();
            let mut replies: Table<ClientId, Vec<Reply>> = Table::default();
            while let Some(output) = group.node.poll_output() {
                match output {
                    Output::Send(message) => {
                        if let Some(probe) = probe {
                            probe.message(Way::Sent, message.to, &message);
                        }
                        messages.or_default(message.to).push(message);
                    }
                    Output::Reply {
                        client,
                        replies: more,
                    } => {
                        replies.or_default(client).extend(more);
                    }
                    Output::Persist(batch) => drained.batches.push((id, batch)),
                    Output::RoleChanged { role, term, leader } => {
                        if let Some(probe) = probe {
                            probe.role(role, term, leader);
                        }
                        drained.events.push(HostEvent::role(id, role, term, leader));
                    }
                    Output::MembershipChanged { index, conf_state } => {
                        drained
                            .events
                            .push(HostEvent::membership(id, index, &conf_state));
                    }
                    Output::Restored { snapshot } => {
                        drained.events.push(HostEvent::restored(id, snapshot));
                    }
                    // The one that differs says so itself, as it halts.
                    Output::Diverged { .. } => {}
                    Output::Halted(cause) => drained.events.extend(
                        halt_failure(cause).map(|failure| HostEvent::halted(Some(id), &failure)),
                    ),
                }
            }
            for (to, messages) in messages {
                let frame = codec::encode_messages(self.cluster, id, &messages);
                drained.to_peers.push((to, frame));
            }
            for (to, replies) in replies {
                if let Some(probe) = probe {
                    probe.replies(&replies);
                }
                drained
                    .to_clients
                    .push((to, codec::encode_replies(id, &replies)));
            }
        }
        drained
    }

    /// The groups whose log has moved since they were last asked about.
    pub fn take_progress(&mut self) -> Vec<HostEvent> {
        let mut events = Vec::new();
        for (id, group) in self.members.iter_mut() {
            let raft = group.node.status().raft;
            let progress = Progress {
                term: raft.term,
                commit: raft.commit,
                applied: raft.applied,
                last: raft.last.index,
            };
            if group.reported.replace(progress) != Some(progress) {
                events.push(HostEvent::progress(id, &progress));
            }
        }
        events
    }
}

/// What a group's end is called; a failed write ends all groups, and is told once by the host.
fn halt_failure(cause: HaltCause) -> Option<Failure> {
    match cause {
        HaltCause::PersistFailed => None,
        HaltCause::BadSnapshot(what) => {
            let message = format!("a leader's snapshot could not be read: {what}");
            Some(Failure::new("BAD_SNAPSHOT", message))
        }
        HaltCause::BadEntry(entry) => {
            let message = "a committed entry could not be read; is this node's software older?";
            Some(Failure::new("BAD_ENTRY", message).at(entry.to_string()))
        }
        HaltCause::Diverged(index) => {
            let message = format!(
                "after entry {index} this node's state is not that of the others: its state machine \
                 is not deterministic, or its state was damaged"
            );
            Some(Failure::new("DIVERGED", message).at(index.to_string()))
        }
    }
}
