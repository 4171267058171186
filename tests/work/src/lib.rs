//! The core on the work that all peers get: nodes in one thread, a network that takes one round.
//!
//! In a round the leader proposes while fewer than `window` of its proposals are unapplied anywhere, each node
//! handles what its core gives out, and what was sent arrives. Storage is memory: a write is durable at once.

use bytes::Bytes;
use quorate_raft::{
    ConfState, Config, Index, Input, Instant, Message, NodeId, Output, Payload, Raft, Restored,
    SnapshotChunk, StorageId,
};
use quorate_rsm::codec;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Nodes.
    pub nodes: usize,
    /// Entries to apply on all nodes.
    pub entries: u64,
    /// Proposals that are not applied on all nodes yet, at most.
    pub window: u64,
    /// Bytes of an entry.
    pub size: usize,
    /// Whether messages are encoded and decoded.
    pub wire: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Ticks until a leader was elected; the least election timeout is ten.
    pub election_ticks: u64,
    /// Messages until it was, and its first entry applied everywhere.
    pub election_messages: u64,
    /// Rounds of the load.
    pub rounds: u64,
    /// Messages of the load; requests and answers count apart.
    pub messages: u64,
    /// Encoded bytes of the load.
    pub bytes: u64,
    /// Rounds from the last proposal to its application at the leader.
    pub leader_rounds: u64,
    /// The same, at all nodes.
    pub all_rounds: u64,
    /// Payload bytes applied, all nodes together.
    pub applied_bytes: u64,
}

/// How many entries are kept at least; the log is cut when twice as many can go.
const KEPT: u64 = 4096;
const TICK_MICROS: u64 = 30_000;
const SMALL: usize = 4096;
const CLUSTER: u64 = 0x5157;

struct Node {
    raft: Raft,
    commands: u64,
    applied_bytes: u64,
    compacted: u64,
    /// Its core was told something since it was asked.
    due: bool,
    /// Messages to each node, as they leave together.
    outbox: Vec<Vec<Message>>,
    /// Whom there are messages to.
    receivers: Vec<usize>,
}

enum Packet {
    Direct(Vec<Message>),
    Wire(Bytes),
}

/// Nodes, and the network between them.
pub struct Cluster {
    work: Work,
    nodes: Vec<Node>,
    now: Instant,
    network: Vec<(usize, Packet)>,
    buffer: Vec<u8>,
    inbox: Vec<(u32, Message)>,
    messages: u64,
    bytes: u64,
    leader: usize,
    proposed: u64,
    proposed_round: u64,
    payload: Vec<u8>,
    stats: Stats,
}

impl Cluster {
    /// Nodes that have never run.
    #[must_use]
    pub fn new(work: Work, seed: u64) -> Self {
        let ids = || (1..=work.nodes as u64).map(NodeId);
        let mut conf = ConfState::new(ids());
        conf.storages = ids().map(|id| (id, StorageId(id.0))).collect();
        let nodes = ids()
            .map(|id| {
                let config = Config {
                    storage: StorageId(id.0),
                    max_append_bytes: 1 << 20,
                    max_inflight_messages: 256,
                    ..Config::new(id)
                };
                let restored = Restored::fresh(conf.clone());
                let seed = seed.wrapping_mul(31).wrapping_add(id.0);
                Node {
                    raft: Raft::new(config, restored, Instant(0), seed).expect("a fresh node"),
                    commands: 0,
                    applied_bytes: 0,
                    compacted: 0,
                    due: false,
                    receivers: Vec::new(),
                    outbox: (0..=work.nodes).map(|_| Vec::new()).collect(),
                }
            })
            .collect();
        Self {
            work,
            nodes,
            now: Instant(0),
            network: Vec::new(),
            buffer: Vec::new(),
            inbox: Vec::new(),
            messages: 0,
            bytes: 0,
            leader: 0,
            proposed: 0,
            proposed_round: 0,
            payload: vec![0x5a; work.size],
            stats: Stats::default(),
        }
    }

    /// Handles all that the cores give out, until there is nothing more.
    fn drain(&mut self) {
        // Who heard nothing has nothing to say.
        for node in &mut self.nodes {
            if !core::mem::take(&mut node.due) {
                continue;
            }
            while let Some(output) = node.raft.poll_output() {
                match output {
                    Output::Persist(batch) => {
                        let persisted = Input::Persisted { seq: batch.seq };
                        node.raft
                            .handle(self.now, persisted)
                            .expect("one round at a time");
                    }
                    Output::Send(message) => {
                        self.messages += 1;
                        let to = message.to.0 as usize;
                        if node.outbox[to].is_empty() {
                            node.receivers.push(to);
                        }
                        node.outbox[to].push(message);
                    }
                    Output::Apply { first, last } => {
                        for index in first.0..=last.0 {
                            let entry = node.raft.entry(Index(index)).expect("it is kept");
                            if let Payload::Command(data) = &entry.payload {
                                node.commands += 1;
                                node.applied_bytes += data.len() as u64;
                            }
                        }
                    }
                    _ => {}
                }
            }
            for to in node.receivers.drain(..) {
                let messages = &mut node.outbox[to];
                let packet = if self.work.wire {
                    let buffer = core::mem::take(&mut self.buffer);
                    self.buffer = codec::encode_messages_in(buffer, CLUSTER, 1, messages);
                    messages.clear();
                    self.bytes += self.buffer.len() as u64;
                    // A small one is copied, and its buffer used again.
                    Packet::Wire(if self.buffer.len() < SMALL {
                        Bytes::copy_from_slice(&self.buffer)
                    } else {
                        core::mem::take(&mut self.buffer).into()
                    })
                } else {
                    Packet::Direct(core::mem::take(messages))
                };
                self.network.push((to - 1, packet));
            }
        }
    }

    fn deliver(&mut self) {
        for (to, packet) in self.network.drain(..) {
            match packet {
                Packet::Direct(messages) => {
                    self.inbox.extend(messages.into_iter().map(|it| (1, it)))
                }
                Packet::Wire(frame) => {
                    codec::decode_groups_in(&mut self.inbox, &frame).expect("own frames");
                }
            }
            let node = &mut self.nodes[to];
            node.due = true;
            for (_, message) in self.inbox.drain(..) {
                let input = Input::Message(message);
                node.raft.handle(self.now, input).expect("nodes run");
            }
        }
    }

    fn settle(&mut self) {
        loop {
            self.drain();
            if self.network.is_empty() {
                return;
            }
            self.deliver();
        }
    }

    /// One tick passes everywhere, and then what comes of it.
    pub fn tick(&mut self) {
        self.now = Instant(self.now.0 + TICK_MICROS);
        for node in &mut self.nodes {
            if self.now >= node.raft.next_timeout() {
                node.due = true;
                node.raft
                    .handle(self.now, Input::TimerFired)
                    .expect("nodes run");
            }
        }
        self.settle();
    }

    /// Waits for a leader.
    pub fn elect(&mut self) {
        loop {
            self.stats.election_ticks += 1;
            self.tick();
            if let Some(leader) = self.nodes.iter().position(|node| node.raft.is_leader()) {
                self.leader = leader;
                break;
            }
        }
        self.stats.election_messages = self.messages;
        (self.messages, self.bytes) = (0, 0);
    }

    /// One round; false when every entry is applied on every node.
    pub fn round(&mut self) -> bool {
        let fewest = |nodes: &[Node]| nodes.iter().map(|node| node.commands).min().unwrap_or(0);
        let done = fewest(&self.nodes);
        if done >= self.work.entries {
            return false;
        }
        while self.proposed < self.work.entries && self.proposed - done < self.work.window {
            let data = Bytes::from(self.payload.clone());
            let leader = &mut self.nodes[self.leader];
            leader.raft.propose(self.now, data).expect("it leads");
            leader.due = true;
            self.proposed += 1;
            self.proposed_round = self.stats.rounds;
            (self.stats.leader_rounds, self.stats.all_rounds) = (0, 0);
        }
        self.drain();
        let since = self.stats.rounds - self.proposed_round;
        if self.stats.leader_rounds == 0 && self.nodes[self.leader].commands == self.proposed {
            self.stats.leader_rounds = since;
        }
        if self.stats.all_rounds == 0 && fewest(&self.nodes) == self.proposed {
            self.stats.all_rounds = since;
        }
        self.deliver();
        self.stats.rounds += 1;
        self.compact();
        true
    }

    fn compact(&mut self) {
        let all = self.nodes.iter().map(|node| node.raft.applied().index.0);
        let low = all.min().unwrap_or(0);
        for node in &mut self.nodes {
            if low <= node.compacted + 2 * KEPT {
                continue;
            }
            node.compacted = low - KEPT;
            node.due = true;
            let snapshot = Index(low);
            let chunk = SnapshotChunk {
                snapshot,
                number: 0,
                data: Bytes::from_static(b"state"),
            };
            let ready = Input::SnapshotReady {
                index: snapshot,
                chunks: 1,
                compact_to: Index(node.compacted),
            };
            for input in [Input::SnapshotChunk(chunk), ready] {
                node.raft.handle(self.now, input).expect("it is applied");
            }
        }
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> Stats {
        let applied = self.nodes.iter().map(|node| node.applied_bytes);
        Stats {
            messages: self.messages,
            bytes: self.bytes,
            applied_bytes: applied.sum(),
            ..self.stats
        }
    }
}

/// All of the work.
#[must_use]
pub fn run(work: Work, seed: u64) -> Stats {
    let mut cluster = Cluster::new(work, seed);
    cluster.elect();
    while cluster.round() {}
    cluster.finish()
}

/// An election among nodes that start at the same moment: its ticks, and its messages.
#[must_use]
pub fn election(nodes: usize, seed: u64) -> (u64, u64) {
    let mut cluster = Cluster::new(
        Work {
            nodes,
            entries: 0,
            window: 1,
            size: 16,
            wire: true,
        },
        seed,
    );
    cluster.elect();
    let Stats {
        election_ticks,
        election_messages,
        ..
    } = cluster.stats;
    (election_ticks, election_messages)
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use core::cell::Cell;

    use super::{Stats, Work, run};

    thread_local!(static LAST: Cell<Stats> = const { Cell::new(Stats {
        election_ticks: 0, election_messages: 0, rounds: 0, messages: 0,
        bytes: 0, leader_rounds: 0, all_rounds: 0, applied_bytes: 0,
    }) });

    /// Runs it.
    #[unsafe(no_mangle)]
    pub extern "C" fn bench(
        nodes: u32,
        entries: u32,
        window: u32,
        size: u32,
        wire: u32,
        _batch: u32,
    ) -> u32 {
        let work = Work {
            nodes: nodes as usize,
            entries: u64::from(entries),
            window: u64::from(window),
            size: size as usize,
            wire: wire != 0,
        };
        LAST.set(run(work, 7));
        0
    }

    /// One figure of the last run, in the order of `Stats`.
    #[unsafe(no_mangle)]
    pub extern "C" fn stat(at: u32) -> f64 {
        let s = LAST.get();
        [
            s.election_ticks,
            s.election_messages,
            s.rounds,
            s.messages,
            s.bytes,
            s.leader_rounds,
            s.all_rounds,
            s.applied_bytes,
        ][at as usize] as f64
    }
}
