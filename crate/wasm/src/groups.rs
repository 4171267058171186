//! The Raft groups of one worker: inputs go to one of them, outputs of all are gathered.
//!
//! All messages that one drain has for one peer travel in one frame, and all answers of a group for
//! one client in another. Nothing here goes through all groups because one of them has something to do:
//! see [`Schedule`].

use bytes::Bytes;
use quorate_raft::{Instant, Message, NodeId, PersistBatch, Table};
#[cfg(feature = "shards")]
use quorate_rsm::Request;
use quorate_rsm::storage::Layout;
use quorate_rsm::{ClientId, HaltCause, Input, Node, Output, Reply, codec};

use crate::error::Failure;
use crate::event::{HostEvent, Progress};
#[cfg(feature = "shards")]
use crate::hosting::{node_of, not_here};
use crate::machine::Machine;
use crate::probe::{Probe, Way};
use crate::schedule::{QUANTUM, Schedule, Slot};

/// Messages that there is room for between frames.
const INBOX_MAX: usize = 64;

/// One group's node, and where its records are.
pub struct Group {
    /// The node.
    pub node: Node<Machine>,
    /// Its records.
    pub layout: Layout,
    reported: Option<Progress>,
    /// It was served since it was last asked about its progress.
    is_moved: bool,
    slot: Slot,
}

impl Group {
    /// A group that has said nothing yet.
    pub fn new(node: Node<Machine>, layout: Layout) -> Self {
        Self {
            node,
            layout,
            reported: None,
            is_moved: false,
            slot: Slot::default(),
        }
    }
}

/// All groups of a worker.
pub struct Groups {
    members: Table<u32, Group>,
    schedule: Schedule,
    /// One was served since all were last asked about their progress.
    has_moved: bool,
    /// Those that were drained since they were last asked for; some more than once.
    #[cfg(feature = "shards")]
    served: Vec<u32>,
    /// Answers to requests to groups that are not here; none where these are not answered.
    #[cfg(feature = "shards")]
    refused: Option<Vec<(ClientId, u32, Vec<Reply>)>>,
    cluster: u64,
    failed: Option<Failure>,
    /// Empty, with room for the messages of a frame.
    inbox: Vec<(u32, Message)>,
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
    /// Answers of groups for movers.
    #[cfg(feature = "shards")]
    pub to_movers: Vec<(NodeId, u32, Vec<Reply>)>,
}

impl Groups {
    /// None yet. `cluster` marks the frames to peers.
    pub fn new(cluster: u64) -> Self {
        Self {
            members: Table::default(),
            schedule: Schedule::default(),
            has_moved: false,
            #[cfg(feature = "shards")]
            served: Vec::new(),
            #[cfg(feature = "shards")]
            refused: None,
            cluster,
            failed: None,
            inbox: Vec::new(),
        }
    }

    /// This worker takes part in a group from now on.
    pub fn add(&mut self, id: u32, mut group: Group) {
        self.schedule.touch(id, &mut group.slot);
        self.members.insert(id, group);
    }

    /// The group `id`, if this worker takes part in it, to have its node do something.
    pub fn group(&mut self, id: u32) -> Option<&mut Group> {
        let group = self.members.get_mut(id)?;
        self.schedule.touch(id, &mut group.slot);
        Some(group)
    }

    /// The group `id`, to be looked at.
    #[cfg(feature = "shards")]
    pub fn get(&self, id: u32) -> Option<&Group> {
        self.members.get(id)
    }

    /// This worker takes part in a group no more.
    #[cfg(feature = "shards")]
    pub fn remove(&mut self, id: u32) -> Option<Group> {
        self.members.remove(id)
    }

    /// The groups that were drained since they were last asked for.
    #[cfg(feature = "shards")]
    pub fn take_served(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.served)
    }

    /// Whether there is nothing to drain, and nothing to look at.
    #[cfg(feature = "shards")]
    pub fn is_idle(&self) -> bool {
        let refused = self.refused.as_ref();
        !self.schedule.is_ready() && self.served.is_empty() && refused.is_none_or(Vec::is_empty)
    }

    /// Where the records of the group `id` are.
    pub fn layout(&mut self, id: u32) -> Option<&mut Layout> {
        let group = self.members.get_mut(id)?;
        Some(&mut group.layout)
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
        if let Some(group) = self.group(group) {
            let _ = group.node.handle(now, input);
        }
    }

    /// Gives groups the messages of a frame of the peer `from`. Whether it was a frame of this
    /// cluster, from there and for `node`, and all its groups are here.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        from: NodeId,
        node: NodeId,
        frame: &Bytes,
        probe: Option<&Probe>,
    ) -> bool {
        let mut messages = core::mem::take(&mut self.inbox);
        let Ok(cluster) = codec::decode_groups_in(&mut messages, frame) else {
            return false;
        };
        let mut ours = messages
            .iter()
            .map(|(_, it)| it.from == from && it.to == node);
        if cluster != self.cluster || !ours.all(|ours| ours) {
            return false;
        }
        let mut are_here = true;
        for (group, message) in messages.drain(..) {
            if !self.has(group) {
                are_here = false;
                continue;
            }
            if let Some(probe) = probe {
                probe.message(Way::Received, from, &message);
            }
            self.handle(now, group, Input::Message(message));
        }
        if messages.capacity() <= INBOX_MAX {
            self.inbox = messages;
        }
        are_here
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
        #[cfg(feature = "shards")]
        if let Some(refused) = &mut self.refused
            && let Some((group, requests)) = &decoded
            && !self.members.has(*group)
        {
            let replies = requests.iter().map(|request| not_here(request.id));
            refused.push((client, *group, replies.collect()));
            return true;
        }
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

    /// Has requests to groups that are not here answered: they are somewhere else.
    #[cfg(feature = "shards")]
    pub fn refuse_others(&mut self) {
        self.refused = Some(Vec::new());
    }

    /// Gives a group the requests of the mover here.
    #[cfg(feature = "shards")]
    pub fn ask(&mut self, now: Instant, client: ClientId, group: u32, requests: Vec<Request>) {
        if let Some(refused) = self.refused.as_mut().filter(|_| !self.members.has(group)) {
            let replies = requests.iter().map(|request| not_here(request.id));
            return refused.push((client, group, replies.collect()));
        }
        for request in requests {
            self.handle(now, group, Input::Request { client, request });
        }
    }

    /// Gives every group an input.
    pub fn handle_all(&mut self, now: Instant, input: &Input) {
        for (id, group) in self.members.iter_mut() {
            self.schedule.touch(id, &mut group.slot);
            let _ = group.node.handle(now, input.clone());
        }
    }

    /// Gives an input that is about a peer to the groups that it may concern.
    #[cfg(not(feature = "shards"))]
    pub fn handle_about(&mut self, now: Instant, _peer: NodeId, input: &Input) {
        self.handle_all(now, input);
    }

    /// The same: to those that look for a leader, follow this one, or lead it. The others may sleep on.
    #[cfg(feature = "shards")]
    pub fn handle_about(&mut self, now: Instant, peer: NodeId, input: &Input) {
        for (id, group) in self.members.iter_mut() {
            let raft = group.node.raft();
            let concerned = match raft.is_leader() {
                true => raft.conf_state().is_member(peer),
                false => raft.leader().is_none_or(|leader| leader == peer),
            };
            if concerned {
                self.schedule.touch(id, &mut group.slot);
                let _ = group.node.handle(now, input.clone());
            }
        }
    }

    /// Tells the groups whose deadline has passed.
    pub fn handle_timers(&mut self, now: Instant) {
        let slots = self.members.iter().map(|(id, group)| (id, &group.slot));
        for group in self.schedule.due(now, slots) {
            self.handle(now, group, Input::TimerFired);
        }
    }

    /// The nearest deadline of all, or some time before it.
    pub fn next_timeout(&self) -> Instant {
        self.schedule.next()
    }

    /// Why a machine cannot go on: nothing that was drained since may leave.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.failed.take()
    }

    /// Takes the outputs of all groups that have some, as many as one turn may take.
    pub fn drain(&mut self, probe: Option<&Probe>) -> Drained {
        let mut drained = Drained::default();
        let mut messages: Table<NodeId, Vec<(u32, Message)>> = Table::default();
        self.schedule.turn(|schedule, id| {
            let Some(group) = self.members.get_mut(id) else {
                return 0;
            };
            let mut replies: Table<ClientId, Vec<Reply>> = Table::default();
            let mut taken = 0;
            while taken < QUANTUM
                && let Some(output) = group.node.poll_output()
            {
                taken += 1;
                match output {
                    Output::Send(message) => {
                        if let Some(probe) = probe {
                            probe.message(Way::Sent, message.to, &message);
                        }
                        messages.or_default(message.to).push((id, message));
                    }
                    Output::Reply {
                        client,
                        replies: more,
                    } => replies.or_default(client).extend(more),
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
            #[cfg(feature = "shards")]
            self.served.push(id);
            group.is_moved = true;
            self.has_moved = true;
            if self.failed.is_none() {
                self.failed = group.node.machine().failure();
            }
            for (to, replies) in replies {
                #[cfg(feature = "shards")]
                if let Some(node) = node_of(to) {
                    drained.to_movers.push((node, id, replies));
                    continue;
                }
                if let Some(probe) = probe {
                    probe.replies(&replies);
                }
                let frame = codec::encode_replies(id, &replies);
                drained.to_clients.push((to, frame));
            }
            if taken < QUANTUM {
                schedule.settle(&mut group.slot, group.node.next_timeout());
            }
            taken
        });
        for (to, messages) in messages {
            let frame = codec::encode_groups(self.cluster, &messages);
            drained.to_peers.push((to, frame));
        }
        #[cfg(feature = "shards")]
        for (client, group, replies) in self.refused.iter_mut().flat_map(|it| it.drain(..)) {
            match node_of(client) {
                Some(node) => drained.to_movers.push((node, group, replies)),
                None => {
                    let frame = codec::encode_replies(group, &replies);
                    drained.to_clients.push((client, frame));
                }
            }
        }
        drained
    }

    /// Whether a group was served since they were last asked about their progress.
    pub fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// The groups whose log has moved since they were last asked about.
    pub fn take_progress(&mut self) -> Vec<HostEvent> {
        let mut events = Vec::new();
        self.has_moved = false;
        for (id, group) in self.members.iter_mut() {
            if !core::mem::take(&mut group.is_moved) {
                continue;
            }
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
