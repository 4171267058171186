//! A cluster in one queue: the shipped nodes, their disks and clocks, the network between them, and
//! the checker that looks after every step. What clients do and which faults come is decided above.

mod arrival;
mod beats;
mod drive;
mod faults;
pub(crate) mod filmed;
mod members;

use std::collections::VecDeque;

use bytes::Bytes;
use quorate_raft::{Instant, Message, NodeId, Raft};
use quorate_rsm::codec;
use quorate_rsm::{ClientId, Input, NodeConfig, NodeStatus, Output, Reply, Request, StateMachine};

use crate::by_node::ByNode;
use crate::checker::Violation;
use crate::checker::membership::Membership;
use crate::checker::sleep::Sleep;
use crate::checker::state::State;
use crate::checker::store::OwnAnswer;
use crate::clock::{DRIFT_EVERY, Drift};
use crate::disk::{Disk, DiskProfile, Medium};
use crate::fault::{Counts, FaultKind};
use crate::film::Film;
use crate::machine::Applied;
use crate::network::{Address, Link, Network, Payload};
use crate::observer::Observer;
use crate::process::{ClockProfile, Process, founders, snapshot_bytes};
use crate::queue::Queue;
use crate::streams::Streams;
use crate::trace::{self, Trace};

use beats::Hosts;

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// All chance comes from it.
    pub seed: u64,
    /// How many nodes; all vote.
    pub voters: u64,
    /// The number of the first; the others follow. Small.
    pub first: u64,
    /// Settings of every node; the id is replaced.
    pub node: NodeConfig,
    /// Other settings, with which a node may come back from a crash.
    pub others: Vec<NodeConfig>,
    /// How links behave.
    pub link: Link,
    /// How disks behave.
    pub disk: DiskProfile,
    /// What is on them.
    pub medium: Medium,
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
            first: 1,
            node: NodeConfig::new(NodeId(0)),
            others: Vec::new(),
            link: Link::FAIR,
            disk: DiskProfile::FAIR,
            medium: Medium::Records,
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

/// A frame on its way.
#[derive(Debug)]
struct Delivery {
    from: Address,
    to: Address,
    frame: Bytes,
    /// In its link's queue, if that is bounded.
    place: Option<u64>,
    /// Of the node it is for, when it was sent.
    run: u64,
    /// It is a duplicate.
    again: bool,
    /// In a film: the number of its first message, and how many there are.
    flights: (u64, u64),
}

#[derive(Debug)]
enum Event {
    Deliver(Delivery),
    /// A frame that must be refused.
    Spoiled {
        from: NodeId,
        to: NodeId,
        frame: Bytes,
    },
    /// A slow node is ready for the next event.
    Ready {
        node: NodeId,
        run: u64,
    },
    /// Hosts hear of each other.
    Beat,
    /// A clock's rate may change.
    Drift {
        node: NodeId,
        run: u64,
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
    },
    Wake(u64),
    /// What was here was taken out.
    Gone,
}

/// The frames' group.
const GROUP: u32 = 0;

/// Entries by which a snapshot may be late, because the last one was large or is being written.
const SNAPSHOT_SLACK: u64 = 1_000;

/// What an entry counts at least, against the size of a snapshot.
const ENTRY_BYTES: u64 = 128;

/// Entries that may be applied in the time of one round of writes.
const ENTRIES_PER_ROUND: u64 = 100;

/// A simulated cluster of nodes with machine `M`.
pub struct Cluster<M: StateMachine> {
    config: ClusterConfig,
    voters: Vec<NodeId>,
    queue: Queue<Event>,
    processes: ByNode<Process<M>>,
    /// What came for nodes that are paused or busy, in order.
    waiting: ByNode<VecDeque<Event>>,
    membership: Membership,
    sleep: Sleep,
    hosts: Hosts,
    counts: Counts,
    /// Requests of clients that nodes took.
    taken: u64,
    // Buffers that are used again.
    outputs: Vec<Output>,
    sends: Vec<(NodeId, Vec<Message>)>,
    spare: Vec<Vec<Message>>,
    applied: Vec<Applied>,
    frame: Vec<u8>,
    /// What nodes answered from their own states, until somebody looks at it.
    own_answers: Vec<OwnAnswer>,
    /// Who leads, as a node said last, until somebody looks at it.
    told_leader: Option<NodeId>,
    steps: u64,
    starts: u64,
    ends: u64,
    restores: u64,
    /// The network: rules go here.
    pub network: Network,
    /// The checker.
    pub state: State,
    /// What happened.
    pub trace: Trace,
    /// What was sent between nodes.
    pub traffic: Traffic,
    /// Which situations came up.
    pub observer: Observer,
    /// What those who watch are told.
    pub(crate) film: Option<Box<Film>>,
}

impl<M: StateMachine + Default> Cluster<M> {
    /// A cluster of which no node runs yet.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let streams = Streams::new(config.seed);
        let voters: Vec<NodeId> = (config.first..config.first + config.voters)
            .map(NodeId)
            .collect();
        let process = |&id| {
            let settings = config.node.clone();
            let founders = founders(&voters);
            let process =
                Process::new(id, &streams, config.disk, config.medium, settings, founders);
            (id, process)
        };
        let mut queue = Queue::new();
        if config.node.raft.quiesce_after.is_some() {
            queue.push(0, Event::Beat);
        }
        Self {
            queue,
            processes: voters.iter().map(process).collect(),
            waiting: ByNode::new(),
            membership: Membership::new(founders(&voters)),
            sleep: Sleep::default(),
            hosts: Hosts::new(),
            counts: Counts::new(),
            taken: 0,
            outputs: Vec::new(),
            sends: Vec::new(),
            spare: Vec::new(),
            applied: Vec::new(),
            frame: Vec::new(),
            own_answers: Vec::new(),
            told_leader: None,
            steps: 0,
            starts: 0,
            ends: 0,
            restores: 0,
            network: Network::new(streams, config.link),
            state: State::new(&voters),
            trace: Trace::new(config.trace),
            traffic: Traffic::default(),
            observer: Observer::new(&voters),
            film: None,
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

    /// How often a node's run ended.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.ends
    }

    /// How often a machine was replaced by a leader's snapshot.
    #[must_use]
    pub fn restores(&self) -> u64 {
        self.restores
    }

    /// How often a torn round was found at the end of a file.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.processes
            .values()
            .map(|process| process.disk.torn)
            .sum()
    }

    /// What came of itself, not from a nemesis, by kind.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        let network = &self.network;
        let [oldest, newest, random] = network.overflows;
        let disks = |count: fn(&Disk) -> u64| self.processes.values().map(|p| count(&p.disk)).sum();
        for (kind, count) in [
            (FaultKind::Loss, network.counters.lost),
            (FaultKind::Duplicate, network.counters.duplicated),
            (FaultKind::Replay, network.counters.replayed),
            (FaultKind::HeavyTail, network.counters.tails),
            (FaultKind::QueueOldest, oldest),
            (FaultKind::QueueNewest, newest),
            (FaultKind::QueueRandom, random),
            (FaultKind::RoundLost, disks(|disk| disk.lost)),
            (FaultKind::RoundKept, disks(|disk| disk.kept)),
            (FaultKind::TornRound, disks(|disk| disk.torn)),
        ] {
            counts.insert(kind, count);
        }
        counts.retain(|_, count| *count > 0);
        counts
    }

    fn count(&mut self, kind: FaultKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Settings that hold from the next start on.
    pub fn config_mut(&mut self) -> &mut ClusterConfig {
        &mut self.config
    }

    /// What the disk of a node holds.
    #[must_use]
    pub fn disk(&self, id: NodeId) -> &Disk {
        &self.processes[id].disk
    }

    /// The disk of a node.
    pub fn disk_mut(&mut self, id: NodeId) -> &mut Disk {
        &mut self.process_mut(id).disk
    }

    /// Whether a node runs; one that is paused does.
    #[must_use]
    pub fn is_running(&self, id: NodeId) -> bool {
        self.processes[id].running.is_some()
    }

    /// Whether a node is paused.
    #[must_use]
    pub fn is_paused(&self, id: NodeId) -> bool {
        self.processes[id].paused
    }

    /// A picture of a node that runs.
    #[must_use]
    pub fn status(&self, id: NodeId) -> Option<NodeStatus> {
        self.processes[id]
            .running
            .as_ref()
            .map(|running| running.node.status())
    }

    /// The core of a node that runs.
    #[must_use]
    pub fn raft(&self, id: NodeId) -> Option<&Raft> {
        self.processes[id]
            .running
            .as_ref()
            .map(|running| running.node.raft())
    }

    /// The machine of a node that runs.
    #[must_use]
    pub fn machine(&self, id: NodeId) -> Option<&M> {
        self.processes[id]
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

    /// Moves time forward to `at`, where nothing lies in between: of several clusters in one world, each
    /// waits for the others.
    pub fn pass_to(&mut self, at: u64) {
        self.queue.pass_to(at);
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
        let config = &self.config;
        let process = self.processes.get_mut(id).expect("a node of this cluster");
        let torn = process.disk.torn;
        let group = process.load()?;
        let last = group
            .restored
            .entries
            .last()
            .map_or(group.restored.log_start, |e| e.id);
        self.state.started(id, process.run + 1, &group.restored)?;
        self.observer
            .started(id, &group.restored, process.disk.torn > torn);
        process.start(group, config.clock, now)?;
        let run = process.run;
        self.starts += 1;
        if config.clock.drift != Drift::Linear {
            let drift = Event::Drift { node: id, run };
            self.queue.push(now + DRIFT_EVERY, drift);
        }
        if config.clock.drift_ppm > 0 {
            let kind = match config.clock.drift {
                Drift::Linear => FaultKind::DriftLinear,
                Drift::Periodic => FaultKind::DriftPeriodic,
                Drift::Step => FaultKind::DriftStep,
                Drift::Noisy => FaultKind::DriftNoisy,
            };
            self.count(kind);
        }
        self.trace
            .event(now, &id, trace::Event::Start, last.index.0, || {
                format!("run {run} log to {last}")
            });
        self.drain(id)
    }

    /// A client sends requests through the network.
    pub fn send_requests(&mut self, client: ClientId, to: NodeId, requests: Vec<Request>) {
        let frame = Bytes::from(codec::encode_requests(GROUP, &requests));
        let (from, to) = (Address::Client(client), Address::Node(to));
        self.transmit(from, to, Payload::Requests(requests), frame);
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
            self.handle(id, [Input::ClientGone { client }])?;
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
            Event::Gone => Occurrence::Internal,
            Event::Deliver(delivery) => return self.deliver(delivery).map(Some),
            Event::Spoiled { from, to, frame } => {
                self.refuse(from, to, &frame)?;
                Occurrence::Internal
            }
            Event::Ready { node, run } => return self.ready(node, run).map(Some),
            Event::Beat => {
                self.beat()?;
                Occurrence::Internal
            }
            Event::Drift { node, run } => {
                self.drift(node, run);
                Occurrence::Internal
            }
            Event::Timer { node, .. } | Event::Written { node, .. } => {
                if let Some(event) = self.admit(node, event) {
                    self.perform(event)?;
                }
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

    /// What nodes answered from their own states since this was asked last.
    pub fn take_own_answers(&mut self) -> Vec<OwnAnswer> {
        core::mem::take(&mut self.own_answers)
    }

    /// Who leads, as a node said last, if it was not taken before. That may be long ago, or never have been so.
    pub fn take_told_leader(&mut self) -> Option<NodeId> {
        self.told_leader.take()
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

    /// How many requests of clients nodes took.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether a node has yet to answer something.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        let mut running = self
            .processes
            .values()
            .filter_map(|process| process.running.as_ref());
        running.any(|running| !running.asked.is_empty())
    }

    /// Whether a round of writes is under way anywhere.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        let mut running = self.processes.values().filter_map(|p| p.running.as_ref());
        running.any(|running| running.is_writing())
    }

    /// In a quiet world every node has answered whatever it was asked, has compacted its log, and
    /// keeps nothing on its disk that it no longer needs.
    ///
    /// # Errors
    /// A request is left hanging, a log grows for ever, or a record is left behind.
    pub fn check_quiet(&self) -> Result<(), Violation> {
        for (id, process) in self.processes.iter() {
            let Some(running) = &process.running else {
                continue;
            };
            if let Some((client, request)) = running.asked.keys().next() {
                let seen = format!("{id} never answered {request:?} of {client:?}");
                return Err(Violation::new("Every request is answered", seen));
            }
            let raft = running.node.raft();
            let snapshot = raft.snapshot().last.index;
            let since = raft.applied().index - snapshot;
            // By the layout of storage: hexadecimal indices, so that keys sort as they do.
            let needed = format!("0000/snap/{:016x}/", snapshot.0);
            let chunks = process
                .disk
                .sizes("")
                .filter(|(key, _)| key.starts_with(&needed));
            let stored: usize = chunks.map(|(_, size)| size).sum();
            let chunks = snapshot_bytes(running.node.machine().machine());
            let next: usize = chunks.iter().map(Bytes::len).sum();
            // A snapshot waits until as much is written as the last was large, and takes a round of
            // writes for each chunk.
            let bytes = stored.max(next);
            let settings = &process.settings;
            let due = settings.snapshot_entries.max(bytes as u64 / ENTRY_BYTES);
            let rounds = (bytes / settings.snapshot_chunk_bytes) as u64;
            if since > 2 * due + SNAPSHOT_SLACK + ENTRIES_PER_ROUND * rounds {
                let seen = format!("{id} applied {since} entries after its snapshot {snapshot}");
                return Err(Violation::new("Logs are compacted", seen));
            }
            let left = |key: &&str| key.starts_with("0000/snap/") && **key < *needed;
            let mut keys = process.disk.sizes("").map(|(key, _)| key);
            if let Some(key) = keys.find(left) {
                let seen = format!("{id} keeps {key} beside its snapshot {snapshot}");
                return Err(Violation::new("Old snapshots are removed", seen));
            }
        }
        Ok(())
    }

    pub(super) fn process_mut(&mut self, id: NodeId) -> &mut Process<M> {
        self.processes.get_mut(id).expect("a node of this cluster")
    }
}
