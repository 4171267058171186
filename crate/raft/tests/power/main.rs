//! Relaxed writes: clusters on one machine whose power is cut. Each node loses another number of its last rounds, and yet all
//! have one history, of which the rest is a beginning.

use std::time::Duration;

use bytes::Bytes;
use quorate_raft::{
    ConfState, Config, Entry, EntryId, Index, Input, Instant, Message, NodeId, Output, Payload,
    PersistBatch, Raft, Random, Restored, RoleKind,
};

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

/// Of a node, at most.
const ROUNDS_LOST: usize = 12;

/// What a machine has applied: each entry's id, and its command.
type Applied = Vec<(EntryId, Bytes)>;

/// A node's records.
#[derive(Clone)]
struct Stored {
    restored: Restored,
    /// The machine as of the snapshot.
    machine: Applied,
}

struct Node {
    raft: Option<Raft>,
    /// As they were after each round since the power was last cut; the last is the latest.
    disk: Vec<Stored>,
    writing: Option<PersistBatch>,
    applied: Applied,
    /// Machines that this node's chunks are of, by index.
    images: Vec<(Index, Applied)>,
    receiving: Vec<u8>,
}

struct Cluster {
    nodes: Vec<Node>,
    wire: Vec<Message>,
    /// Committed entries that a machine has applied, or that a snapshot on a disk has.
    truth: Applied,
    /// All machines that snapshots were taken of: a chunk names one by its place.
    images: Vec<Applied>,
    now: Instant,
    random: Random,
    proposed: u64,
}

impl Cluster {
    fn new(size: u64, seed: u64) -> Self {
        let voters = ConfState::new((1..=size).map(NodeId));
        let stored = Stored {
            restored: Restored::fresh(voters),
            machine: Vec::new(),
        };
        let node = |_| Node {
            raft: None,
            disk: vec![stored.clone()],
            writing: None,
            applied: Vec::new(),
            images: Vec::new(),
            receiving: Vec::new(),
        };
        let mut cluster = Self {
            nodes: (0..size).map(node).collect(),
            wire: Vec::new(),
            truth: Vec::new(),
            images: Vec::new(),
            now: Instant(1_000_000),
            random: Random::new(seed),
            proposed: 0,
        };
        (0..cluster.nodes.len()).for_each(|at| cluster.start(at));
        cluster
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }

    fn start(&mut self, at: usize) {
        let config = Config {
            relaxed: true,
            max_append_bytes: 24,
            ..Config::new(NodeId(at as u64 + 1))
        };
        let seed = self.random.next_u64();
        let node = &mut self.nodes[at];
        let Stored { restored, machine } = node.disk.last().expect("there is a first").clone();
        node.images = vec![(restored.snapshot.last.index, machine.clone())];
        node.applied = machine;
        node.writing = None;
        node.raft = Some(Raft::new(config, restored, self.now, seed).expect("it was stored so"));
        self.drain(at);
    }

    /// A node's run ends. The round under way is kept or lost.
    fn crash(&mut self, at: usize) {
        let kept = self.below(2) == 0;
        let node = &mut self.nodes[at];
        node.raft = None;
        if let Some(batch) = node.writing.take().filter(|_| kept) {
            node.store(&batch);
        }
        self.wire.retain(|message| message.to.0 as usize != at + 1);
    }

    /// All runs end, and of each disk some of the last rounds are gone.
    fn cut_power(&mut self) {
        self.wire.clear();
        for at in 0..self.nodes.len() {
            self.crash(at);
            let lost = self.below(ROUNDS_LOST + 1);
            let disk = &mut self.nodes[at].disk;
            disk.truncate(disk.len().saturating_sub(lost).max(1));
            let last = disk.pop().expect("one is left");
            *disk = vec![last];
        }
        // What is in a snapshot must be what all agree on from now on, and what else was there may be gone.
        self.truth.clear();
        for node in &self.nodes {
            let machine = &node.disk[0].machine;
            let common = machine.len().min(self.truth.len());
            assert_eq!(
                machine[..common],
                self.truth[..common],
                "snapshots tell one history"
            );
            if machine.len() > self.truth.len() {
                self.truth.clone_from(machine);
            }
        }
        (0..self.nodes.len()).for_each(|at| self.start(at));
    }

    fn input(&mut self, at: usize, input: Input) {
        if let Some(raft) = &mut self.nodes[at].raft {
            raft.handle(self.now, input)
                .expect("the law of use is kept");
            self.drain(at);
        }
    }

    fn drain(&mut self, at: usize) {
        loop {
            let Node {
                raft: Some(raft),
                applied,
                ..
            } = &mut self.nodes[at]
            else {
                return;
            };
            let Some(output) = raft.poll_output() else {
                return;
            };
            match output {
                Output::Send(message) => self.wire.push(message),
                Output::Persist(batch) => self.nodes[at].writing = Some(batch),
                Output::Apply { first, last } => {
                    for index in first.0..=last.0 {
                        let entry = raft.entry(Index(index)).expect("it is kept");
                        let Payload::Command(command) = &entry.payload else {
                            applied.push((entry.id, Bytes::new()));
                            continue;
                        };
                        applied.push((entry.id, command.clone()));
                    }
                    for entry in &applied[first.0 as usize - 1..] {
                        let place = entry.0.index.0 as usize - 1;
                        match self.truth.get(place) {
                            Some(known) => assert_eq!(known, entry, "all apply the same"),
                            None => self.truth.push(entry.clone()),
                        }
                    }
                }
                Output::SendSnapshot {
                    to,
                    snapshot,
                    number,
                } => {
                    let node = &self.nodes[at];
                    let image = node.images.iter().find(|(index, _)| *index == snapshot);
                    let machine = image.expect("it was taken or restored").1.clone();
                    assert_eq!(machine.len() as u64, snapshot.0, "the snapshot in force");
                    self.images.push(machine);
                    let data = Bytes::from((self.images.len() - 1).to_le_bytes().to_vec());
                    let input = Input::SnapshotData {
                        to,
                        snapshot,
                        number,
                        done: true,
                        data,
                    };
                    self.input(at, input);
                }
                Output::ReceiveSnapshot(chunk) => self.nodes[at].receiving = chunk.data.to_vec(),
                Output::Restore(meta) => {
                    let machine = self.image(&self.nodes[at].receiving);
                    assert_eq!(machine.len() as u64, meta.last.index.0);
                    let common = machine.len().min(self.truth.len());
                    assert_eq!(
                        machine[..common],
                        self.truth[..common],
                        "a snapshot of one history"
                    );
                    self.nodes[at].applied.clone_from(&machine);
                    self.nodes[at].images.push((meta.last.index, machine));
                }
                Output::ReadReady { .. } | Output::Digest { .. } | Output::RoleChanged { .. } => {}
            }
        }
    }

    fn image(&self, data: &[u8]) -> Applied {
        let place = usize::from_le_bytes(data.try_into().expect("a place"));
        self.images[place].clone()
    }

    fn written(&mut self, at: usize) {
        if let Some(batch) = self.nodes[at].writing.take() {
            self.nodes[at].store(&batch);
            self.input(at, Input::Persisted { seq: batch.seq });
        }
    }

    fn propose(&mut self) {
        let leads = |node: &Node| node.raft.as_ref().is_some_and(Raft::is_leader);
        let leaders: Vec<usize> = (0..self.nodes.len())
            .filter(|&at| leads(&self.nodes[at]))
            .collect();
        if leaders.is_empty() {
            return;
        }
        let at = leaders[self.below(leaders.len())];
        self.proposed += 1;
        let command = Bytes::from(self.proposed.to_le_bytes().to_vec());
        let raft = self.nodes[at].raft.as_mut().expect("it runs");
        let _ = raft.propose(self.now, command);
        self.drain(at);
    }

    fn snapshot(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let Some(raft) = node.raft.as_ref().filter(|raft| raft.may_snapshot()) else {
            return;
        };
        let index = raft.applied().index;
        // One at a time.
        let durable = raft.snapshot().last.index;
        let taking = node
            .images
            .last()
            .is_some_and(|(index, _)| *index > durable);
        if index <= durable || taking {
            return;
        }
        node.images.push((index, node.applied.clone()));
        let input = Input::SnapshotReady {
            index,
            chunks: 1,
            compact_to: index,
        };
        // Refused while another one is under way.
        if let Some(raft) = &mut node.raft
            && raft.handle(self.now, input).is_ok()
        {
            self.drain(at);
        }
    }

    fn deliver(&mut self) {
        if !self.wire.is_empty() {
            let nth = self.below(self.wire.len());
            let message = self.wire.swap_remove(nth);
            self.input(message.to.0 as usize - 1, Input::Message(message));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.after(Duration::from_millis(ms));
        for at in 0..self.nodes.len() {
            self.input(at, Input::TimerFired);
        }
    }

    /// Everything goes well until all have applied what the leader has.
    fn settle(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].raft.is_none() {
                self.start(at);
            }
        }
        for _ in 0..2_000 {
            while !self.wire.is_empty() || self.nodes.iter().any(|node| node.writing.is_some()) {
                for message in core::mem::take(&mut self.wire) {
                    self.input(message.to.0 as usize - 1, Input::Message(message));
                }
                (0..self.nodes.len()).for_each(|at| self.written(at));
            }
            let done = |node: &Node| node.applied.len() == self.truth.len();
            let status = |node: &Node| node.raft.as_ref().expect("all run").status();
            let leads = |node: &Node| {
                status(node).role == RoleKind::Leader
                    && status(node).commit == status(node).last.index
            };
            if self.nodes.iter().all(done) && self.nodes.iter().any(leads) {
                return;
            }
            self.pass(20);
        }
        panic!("it does not come to rest");
    }

    fn step(&mut self) {
        let at = self.below(self.nodes.len());
        match self.below(100) {
            0..=49 => self.deliver(),
            50..=69 => self.written(at),
            70..=77 => self.propose(),
            78..=81 => self.snapshot(at),
            82..=83 => drop(self.wire.pop()),
            84..=92 => {
                let ms = 1 + self.below(120) as u64;
                self.pass(ms);
            }
            93 => self.crash(at),
            _ if self.nodes[at].raft.is_none() => self.start(at),
            _ => {}
        }
    }
}

impl Node {
    /// A round is stored, whole.
    fn store(&mut self, batch: &PersistBatch) {
        let mut stored = self.disk.last().expect("one").clone();
        let Stored { restored, machine } = &mut stored;
        if let Some(hard_state) = batch.hard_state {
            restored.hard_state = hard_state;
        }
        if let Some(manifest) = &batch.snapshot {
            let (_, image) = self
                .images
                .iter()
                .rfind(|(index, _)| *index == manifest.meta.last.index)
                .expect("taken or received");
            machine.clone_from(image);
            restored.snapshot = manifest.meta.clone();
            restored.log_start = manifest.log_start;
            restored
                .entries
                .retain(|entry| entry.id.index > manifest.log_start.index && !manifest.clear_log);
        }
        if let Some(first) = batch.entries.first() {
            restored
                .entries
                .retain(|entry| entry.id.index < first.id.index);
            restored.entries.extend(
                batch
                    .entries
                    .iter()
                    .filter(|entry| entry.id.index > restored.log_start.index)
                    .cloned(),
            );
        }
        restored.commit = batch.commit.min(
            restored
                .entries
                .last()
                .map_or(restored.log_start, |entry: &Entry| entry.id)
                .index,
        );
        self.disk.push(stored);
    }
}

/// Runs worlds in which the power is cut now and then.
fn cut(size: u64, seeds: core::ops::Range<u64>) {
    for seed in seeds {
        let mut cluster = Cluster::new(size, seed);
        for _ in 0..6 {
            if cluster.below(2) == 0 {
                cluster.settle();
            }
            let steps = 100 + cluster.below(1_500);
            (0..steps).for_each(|_| cluster.step());
            cluster.cut_power();
        }
        cluster.settle();
        let (first, others) = cluster.nodes.split_first().expect("some");
        assert!(
            others.iter().all(|node| node.applied == first.applied),
            "seed {seed}"
        );
    }
}

#[test]
fn power_cuts_leave_one_history() {
    cut(3, 1..1_000);
    cut(5, 1..500);
}
