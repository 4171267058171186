//! A cluster in one queue: the shipped nodes, their disks and clocks, the network between them, and
//! the checker that looks after every step. What clients do and which faults come is decided above.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{InputError, Instant, Message, NodeId, Raft};
use quorate_rsm::codec;
use quorate_rsm::{
    ClientId, Input, NodeConfig, NodeStatus, Output, Reply, Request, RequestBody, StateMachine,
};

use crate::checker::Violation;
use crate::checker::state::State;
use crate::describe::describe;
use crate::digest::Digest;
use crate::disk::{Disk, DiskProfile};
use crate::network::{Address, Link, Network, Packet, Payload};
use crate::process::{ClockProfile, Process, snapshot_bytes};
use crate::queue::Queue;
use crate::rules::is_response;
use crate::streams::Streams;
use crate::trace::{self, Trace};

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// All chance comes from it.
    pub seed: u64,
    /// How many nodes, numbered from one; all vote.
    pub voters: u64,
    /// Settings of every node; the id is replaced.
    pub node: NodeConfig,
    /// How links behave.
    pub link: Link,
    /// How disks behave.
    pub disk: DiskProfile,
    /// How clocks behave.
    pub clock: ClockProfile,
    /// Every message travels alone, rather than all of a drain together.
    pub split_frames: bool,
    /// Keep the lines of the trace.
    pub trace: bool,
}

impl ClusterConfig {
    /// A cluster of `voters` in a fair world.
    #[must_use]
    pub fn fair(seed: u64, voters: u64) -> Self {
        Self {
            seed,
            voters,
            node: NodeConfig::new(NodeId(0)),
            link: Link::FAIR,
            disk: DiskProfile::FAIR,
            clock: ClockProfile::FAIR,
            split_frames: false,
            trace: false,
        }
    }
}

/// What nodes sent each other, whether it arrived or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Messages that are no answers.
    pub requests: u64,
    /// Messages that are answers.
    pub responses: u64,
    /// Bytes of the frames.
    pub bytes: u64,
}

/// What one step was, as far as it concerns those above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Something between the nodes.
    Internal,
    /// A time asked for with [`Cluster::wake_at`] has come.
    Wake(u64),
    /// Answers reached a client.
    Replies {
        /// Which one.
        client: ClientId,
        /// Of which node.
        from: NodeId,
        /// The answers.
        replies: Vec<Reply>,
    },
}

#[derive(Debug)]
enum Event {
    Deliver {
        from: Address,
        to: Address,
        frame: Bytes,
    },
    Timer {
        node: NodeId,
        run: u64,
        local: Instant,
    },
    Written {
        node: NodeId,
        run: u64,
        seq: u64,
        fails: bool,
    },
    Wake(u64),
}

/// The frames' cluster number.
const CLUSTER: u64 = 7;
/// The frames' group.
const GROUP: u32 = 0;
/// So many steps of a node lie between two full comparisons of its log.
const STEPS_PER_FULL_CHECK: u64 = 512;

/// A simulated cluster of nodes with machine `M`.
pub struct Cluster<M: StateMachine> {
    config: ClusterConfig,
    voters: Vec<NodeId>,
    queue: Queue<Event>,
    processes: BTreeMap<NodeId, Process<M>>,
    /// What arrived for nodes that are paused, in order.
    waiting: Vec<(NodeId, Event)>,
    steps: u64,
    starts: u64,
    restores: u64,
    /// The network: rules go here.
    pub network: Network,
    /// The checker.
    pub state: State,
    /// What happened.
    pub trace: Trace,
    /// What was sent between nodes.
    pub traffic: Traffic,
}

impl<M: StateMachine + Default> Cluster<M> {
    /// A cluster of which no node runs yet.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let streams = Streams::new(config.seed);
        let voters: Vec<NodeId> = (1..=config.voters).map(NodeId).collect();
        let process = |&id| (id, Process::new(id, &streams, config.disk));
        Self {
            queue: Queue::new(),
            processes: voters.iter().map(process).collect(),
            waiting: Vec::new(),
            steps: 0,
            starts: 0,
            restores: 0,
            network: Network::new(streams, config.link),
            state: State::new(&voters),
            trace: Trace::new(config.trace),
            traffic: Traffic::default(),
            voters,
            config,
        }
    }

    /// Virtual time in microseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.queue.now()
    }

    /// All nodes, running or not.
    #[must_use]
    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// How often the nodes were driven.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How often a node was started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// How often a machine was replaced by a leader's snapshot.
    #[must_use]
    pub fn restores(&self) -> u64 {
        self.restores
    }

    /// Settings that hold from the next start on.
    pub fn config_mut(&mut self) -> &mut ClusterConfig {
        &mut self.config
    }

    /// The disk of a node.
    pub fn disk_mut(&mut self, id: NodeId) -> &mut Disk {
        &mut self.process_mut(id).disk
    }

    /// Whether a node runs; one that is paused does.
    #[must_use]
    pub fn is_running(&self, id: NodeId) -> bool {
        self.processes[&id].running.is_some()
    }

    /// Whether a node is paused.
    #[must_use]
    pub fn is_paused(&self, id: NodeId) -> bool {
        self.processes[&id].paused
    }

    /// A picture of a node that runs.
    #[must_use]
    pub fn status(&self, id: NodeId) -> Option<NodeStatus> {
        self.processes[&id]
            .running
            .as_ref()
            .map(|running| running.node.status())
    }

    /// The core of a node that runs.
    #[must_use]
    pub fn raft(&self, id: NodeId) -> Option<&Raft> {
        self.processes[&id]
            .running
            .as_ref()
            .map(|running| running.node.raft())
    }

    /// The machine of a node that runs.
    #[must_use]
    pub fn machine(&self, id: NodeId) -> Option<&M> {
        self.processes[&id]
            .running
            .as_ref()
            .map(|running| running.node.machine().machine())
    }

    /// The state of a node's machine, as the bytes of its snapshot.
    #[must_use]
    pub fn machine_bytes(&self, id: NodeId) -> Option<Vec<Bytes>> {
        self.machine(id).map(snapshot_bytes)
    }

    /// The nodes that believe they lead.
    #[must_use]
    pub fn leaders(&self) -> Vec<NodeId> {
        let leads = |id: &NodeId| self.raft(*id).is_some_and(Raft::is_leader);
        self.voters.iter().copied().filter(leads).collect()
    }

    /// [`Occurrence::Wake`] comes with `token` at virtual time `at`.
    pub fn wake_at(&mut self, at: u64, token: u64) {
        self.queue.push(at, Event::Wake(token));
    }

    /// Starts a node with what its disk holds.
    ///
    /// # Errors
    /// It does not find there what was durable.
    pub fn start(&mut self, id: NodeId) -> Result<(), Violation> {
        let now = self.now();
        let (config, voters) = (&self.config, &self.voters);
        let process = self.processes.get_mut(&id).expect("a node of this cluster");
        let group = process.load(voters)?;
        let last = group
            .restored
            .entries
            .last()
            .map_or(group.restored.log_start, |e| e.id);
        self.state.started(id, process.run + 1, &group.restored)?;
        let mut node = config.node.clone();
        node.raft.id = id;
        process.start(node, group, config.clock, now)?;
        let run = process.run;
        self.starts += 1;
        self.trace
            .event(now, &id, trace::Event::Start, last.index.0, || {
                format!("run {run} log to {last}")
            });
        self.drain(id)
    }

    /// Ends a node's run without farewell. The round of writes under way is kept or lost.
    ///
    /// # Errors
    /// The round that was kept breaks a promise.
    pub fn crash(&mut self, id: NodeId) -> Result<(), Violation> {
        if !self.is_running(id) {
            return Ok(());
        }
        let kept = self.process_mut(id).crash();
        self.waiting.retain(|(node, _)| *node != id);
        let (now, value) = (self.now(), u64::from(kept.is_some()));
        self.trace.event(now, &id, trace::Event::Crash, value, || {
            if value == 1 {
                "with the round under way written".to_owned()
            } else {
                String::new()
            }
        });
        self.state.crashed(id);
        match kept {
            Some(batch) => self.state.persisted(id, &batch),
            None => Ok(()),
        }
    }

    /// Freezes a node: its clock goes on, and nothing else.
    pub fn pause(&mut self, id: NodeId) {
        let process = self.process_mut(id);
        process.paused = process.running.is_some();
    }

    /// Lets a frozen node go on: everything that came meanwhile comes now.
    pub fn resume(&mut self, id: NodeId) {
        self.process_mut(id).paused = false;
        let now = self.now();
        for (node, event) in core::mem::take(&mut self.waiting) {
            if node == id {
                self.queue.push(now, event);
            } else {
                self.waiting.push((node, event));
            }
        }
    }

    /// A client sends requests through the network.
    pub fn send_requests(&mut self, client: ClientId, to: NodeId, requests: Vec<Request>) {
        let frame = codec::encode_requests(GROUP, &requests);
        let (from, to) = (Address::Client(client), Address::Node(to));
        self.transmit(
            Packet {
                from,
                to,
                payload: Payload::Requests(requests),
            },
            frame,
        );
    }

    /// A request reaches a node at once, past the network, as if its user made it on the spot.
    ///
    /// # Errors
    /// What the node does breaks a property.
    pub fn request(
        &mut self,
        to: NodeId,
        client: ClientId,
        request: Request,
    ) -> Result<(), Violation> {
        self.take_requests(to, client, vec![request])
    }

    /// A client is gone.
    ///
    /// # Errors
    /// What a node does breaks a property.
    pub fn client_gone(&mut self, client: ClientId) -> Result<(), Violation> {
        for id in self.voters.clone() {
            self.handle(id, vec![Input::ClientGone { client }])?;
        }
        Ok(())
    }

    /// Does what comes next; `None` if nothing ever will.
    ///
    /// # Errors
    /// A property no longer holds.
    pub fn step(&mut self) -> Result<Option<Occurrence>, Violation> {
        let Some(event) = self.queue.pop() else {
            return Ok(None);
        };
        let occurrence = match event {
            Event::Wake(token) => Occurrence::Wake(token),
            Event::Deliver { from, to, frame } => return self.deliver(from, to, frame).map(Some),
            Event::Timer { node, .. } | Event::Written { node, .. } if self.is_paused(node) => {
                self.waiting.push((node, event));
                Occurrence::Internal
            }
            Event::Timer { node, run, local } => {
                self.fire(node, run, local)?;
                Occurrence::Internal
            }
            Event::Written {
                node,
                run,
                seq,
                fails,
            } => {
                self.written(node, run, seq, fails)?;
                Occurrence::Internal
            }
        };
        Ok(Some(occurrence))
    }

    /// When [`Cluster::step`] will have something to do.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        self.queue.next_at()
    }

    /// Compares all of every running node's log with what was seen of it.
    ///
    /// # Errors
    /// Something changed that no step showed.
    pub fn check_all(&self) -> Result<(), Violation> {
        self.voters
            .iter()
            .filter_map(|id| self.raft(*id))
            .try_for_each(|raft| self.state.check_all(raft))
    }

    fn process_mut(&mut self, id: NodeId) -> &mut Process<M> {
        self.processes.get_mut(&id).expect("a node of this cluster")
    }

    fn deliver(
        &mut self,
        from: Address,
        to: Address,
        frame: Bytes,
    ) -> Result<Occurrence, Violation> {
        let now = self.now();
        let digest = Digest::of(&frame);
        check_mangled(digest, &frame);
        let lost = self.network.is_cut(from, to)
            || matches!(to, Address::Node(id) if !self.is_running(id));
        let event = if lost {
            trace::Event::Lose
        } else {
            trace::Event::Deliver
        };
        self.trace
            .event(now, &to, event, digest, || describe(from, &frame));
        if lost {
            return Ok(Occurrence::Internal);
        }
        match (from, to) {
            (_, Address::Node(id)) if self.is_paused(id) => {
                self.waiting.push((id, Event::Deliver { from, to, frame }));
            }
            (Address::Node(_), Address::Node(id)) => {
                let (_, _, messages) = codec::decode_messages(&frame).map_err(broken_frame)?;
                self.handle(id, messages.into_iter().map(Input::Message).collect())?;
            }
            (Address::Client(client), Address::Node(id)) => {
                let (_, requests) = codec::decode_requests(&frame).map_err(broken_frame)?;
                self.take_requests(id, client, requests)?;
            }
            (Address::Node(from), Address::Client(client)) => {
                let (_, replies) = codec::decode_replies(&frame).map_err(broken_frame)?;
                return Ok(Occurrence::Replies {
                    client,
                    from,
                    replies,
                });
            }
            (Address::Client(_), Address::Client(_)) => unreachable!("clients do not talk"),
        }
        Ok(Occurrence::Internal)
    }

    fn take_requests(
        &mut self,
        id: NodeId,
        client: ClientId,
        requests: Vec<Request>,
    ) -> Result<(), Violation> {
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        for request in &requests {
            if let RequestBody::Write { command, .. } = &request.body
                && let Some(tag) = command.first_chunk::<8>()
            {
                running
                    .asked
                    .insert((client, request.id), u64::from_le_bytes(*tag));
            }
        }
        let input = |request| Input::Request { client, request };
        self.handle(id, requests.into_iter().map(input).collect())
    }

    fn fire(&mut self, id: NodeId, run: u64, local: Instant) -> Result<(), Violation> {
        let process = self.process_mut(id);
        if process.run != run {
            return Ok(());
        }
        let Some(running) = process.running.as_mut().filter(|r| r.armed == local) else {
            return Ok(());
        };
        running.armed = Instant::NEVER;
        let now = self.now();
        self.trace
            .event(now, &id, trace::Event::Timer, local.0, String::new);
        self.handle(id, vec![Input::TimerFired])
    }

    fn written(&mut self, id: NodeId, run: u64, seq: u64, fails: bool) -> Result<(), Violation> {
        let now = self.now();
        let process = self.process_mut(id);
        if process.run != run || process.running.is_none() {
            return Ok(());
        }
        if fails {
            self.trace
                .event(now, &id, trace::Event::Fail, seq, || format!("round {seq}"));
            return self.handle(id, vec![Input::PersistFailed]);
        }
        let batch = process.written();
        self.trace.event(now, &id, trace::Event::Durable, seq, || {
            format!("round {seq}")
        });
        self.state.persisted(id, &batch)?;
        self.handle(id, vec![Input::Persisted { seq }])
    }

    /// Hands events to a node that runs, and does what it asks.
    fn handle(&mut self, id: NodeId, inputs: Vec<Input>) -> Result<(), Violation> {
        let now = self.now();
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        let local = running.clock.local(now);
        for input in inputs {
            match running.node.handle(local, input) {
                Ok(()) | Err(InputError::Halted) => {}
                Err(error) => {
                    let seen = format!("{id} refused an input: {error:?}");
                    return Err(Violation::new("The law of use suffices", seen));
                }
            }
        }
        self.drain(id)
    }

    fn drain(&mut self, id: NodeId) -> Result<(), Violation> {
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        let mut outputs = Vec::new();
        while let Some(output) = running.node.poll_output() {
            outputs.push(output);
        }
        self.check(id, &outputs)?;
        let mut sends: BTreeMap<NodeId, Vec<Message>> = BTreeMap::new();
        let mut halted = false;
        for output in outputs {
            match output {
                Output::Persist(batch) => self.write(id, batch),
                Output::Send(message) if self.config.split_frames => {
                    self.send_messages(id, message.to, vec![message]);
                }
                Output::Send(message) => sends.entry(message.to).or_default().push(message),
                Output::Reply { client, replies } => self.send_replies(id, client, replies)?,
                Output::RoleChanged { role, term, leader } => {
                    let (now, value) = (self.now(), term.0 << 2 | role as u64);
                    self.trace.event(now, &id, trace::Event::Role, value, || {
                        let leader = leader.map_or("none".to_owned(), |leader| leader.to_string());
                        format!("{role:?} in {term}, leader {leader}")
                    });
                }
                Output::Restored { snapshot } => {
                    let (now, value) = (self.now(), snapshot.index.0);
                    self.trace
                        .event(now, &id, trace::Event::Restore, value, || {
                            snapshot.to_string()
                        });
                }
                Output::Halted(cause) => {
                    let now = self.now();
                    self.trace
                        .event(now, &id, trace::Event::Halt, 0, || format!("{cause:?}"));
                    halted = true;
                }
            }
        }
        for (to, messages) in sends {
            self.send_messages(id, to, messages);
        }
        if halted {
            return self.crash(id);
        }
        let profile = self.config.clock;
        let process = self.process_mut(id);
        if let Some(at) = process.arm(profile) {
            let (run, local) = (
                process.run,
                process.running.as_ref().expect("it runs").armed,
            );
            self.queue.push(
                at,
                Event::Timer {
                    node: id,
                    run,
                    local,
                },
            );
        }
        Ok(())
    }

    /// What the checker has to say of a step.
    fn check(&mut self, id: NodeId, outputs: &[Output]) -> Result<(), Violation> {
        self.steps += 1;
        let Some(running) = &self.processes[&id].running else {
            return Ok(());
        };
        let raft = running.node.raft();
        self.state.stepped(raft)?;
        if self.steps.is_multiple_of(STEPS_PER_FULL_CHECK) {
            self.state.check_all(raft)?;
        }
        for output in outputs {
            if let Output::Restored { snapshot } = output {
                self.state.restored(id, snapshot.index);
                self.restores += 1;
            }
        }
        self.state
            .executed(id, &running.node.machine().take_applied())?;
        for output in outputs {
            if let Output::Send(message) = output {
                self.state.sent(message)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, id: NodeId, batch: quorate_raft::PersistBatch) {
        let (now, seq) = (self.now(), batch.seq);
        self.trace.event(
            now,
            &id,
            trace::Event::Write,
            batch.entries.len() as u64,
            || {
                let last = batch
                    .entries
                    .last()
                    .map_or(String::new(), |e| format!(" to {}", e.id));
                let (entries, chunks) = (batch.entries.len(), batch.chunks.len());
                let vote = batch
                    .hard_state
                    .map_or(String::new(), |hard| format!(" {hard:?}"));
                let snapshot = batch
                    .snapshot
                    .as_ref()
                    .map_or(String::new(), |s| format!(" {s:?}"));
                format!("round {seq}: {entries} entries{last} {chunks} chunks{vote}{snapshot}")
            },
        );
        let process = self.process_mut(id);
        let (delay, fails) = process.write(batch);
        let run = process.run;
        self.queue.push(
            now + delay,
            Event::Written {
                node: id,
                run,
                seq,
                fails,
            },
        );
    }

    fn send_messages(&mut self, from: NodeId, to: NodeId, messages: Vec<Message>) {
        let frame = codec::encode_messages(CLUSTER, GROUP, &messages);
        let responses = messages.iter().filter(|m| is_response(&m.body)).count() as u64;
        self.traffic.frames += 1;
        self.traffic.responses += responses;
        self.traffic.requests += messages.len() as u64 - responses;
        self.traffic.bytes += frame.len() as u64;
        let (from, to) = (Address::Node(from), Address::Node(to));
        self.transmit(
            Packet {
                from,
                to,
                payload: Payload::Messages(messages),
            },
            frame,
        );
    }

    fn send_replies(
        &mut self,
        from: NodeId,
        to: ClientId,
        replies: Vec<Reply>,
    ) -> Result<(), Violation> {
        let running = self
            .process_mut(from)
            .running
            .as_mut()
            .expect("a node that answers runs");
        let mut done = Vec::new();
        for reply in &replies {
            if let Some(tag) = running.asked.remove(&(to, reply.id)) {
                done.extend(reply.result.is_ok().then_some(tag));
            }
        }
        done.into_iter()
            .try_for_each(|tag| self.state.acknowledged(tag))?;
        let frame = codec::encode_replies(GROUP, &replies);
        let (from, to) = (Address::Node(from), Address::Client(to));
        self.transmit(
            Packet {
                from,
                to,
                payload: Payload::Replies(replies),
            },
            frame,
        );
        Ok(())
    }

    fn transmit(&mut self, packet: Packet, frame: Vec<u8>) {
        let (now, frame) = (self.now(), Bytes::from(frame));
        let (from, to) = (packet.from, packet.to);
        let copies = self.network.send(now, &packet);
        if copies == [None, None] {
            let digest = Digest::of(&frame);
            self.trace.event(now, &to, trace::Event::Lose, digest, || {
                describe(from, &frame)
            });
        }
        for at in copies.into_iter().flatten() {
            self.queue.push(
                at,
                Event::Deliver {
                    from,
                    to,
                    frame: frame.clone(),
                },
            );
        }
    }
}

/// Some frames are decoded once more with a bit flipped or the end cut off: whatever comes out, it
/// must come without panic.
fn check_mangled(digest: u64, frame: &Bytes) {
    if !digest.is_multiple_of(32) || frame.is_empty() {
        return;
    }
    let at = (digest >> 8) as usize % frame.len();
    let mut bytes = frame.to_vec();
    if digest & 32 == 0 {
        bytes.truncate(at);
    } else {
        bytes[at] ^= 1 << (digest >> 5 & 7);
    }
    let bytes = Bytes::from(bytes);
    drop(codec::decode_messages(&bytes));
    drop(codec::decode_requests(&bytes));
    drop(codec::decode_replies(&bytes));
}

fn broken_frame(error: codec::FrameError) -> Violation {
    Violation::new("Frames survive their encoding", format!("{error:?}"))
}
