//! One node and what it stands on: a disk that outlives it, a clock, and the run under way.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{ConfState, Instant, NodeId, PersistBatch, Random, Restored, StorageId};
use quorate_rsm::storage::{self, Ident, Layout, LoadedGroup, Round};
use quorate_rsm::{ClientId, Node, NodeConfig, RequestId, StateMachine};

use crate::checker::Violation;
use crate::clock::{Clock, Drift};
use crate::disk::{Disk, DiskProfile, Medium};
use crate::machine::Probe;
use crate::streams::{Concern, Streams, between};

/// The name of the simulated cluster, in storage.
const CLUSTER: &str = "sim";
/// Its id.
const CLUSTER_ID: u64 = 0x51;
/// The only group.
const GROUP: u32 = 0;

/// What is violated when a disk reads otherwise than it was written, and the node notices.
pub const READABLE: &str = "Stored records can be read";

/// The storage that a node began with.
#[must_use]
pub fn storage_of(id: NodeId) -> StorageId {
    StorageId(id.0 << 32 | 1)
}

/// The membership of a cluster that begins with these voters.
#[must_use]
pub fn founders(voters: &[NodeId]) -> ConfState {
    ConfState {
        storages: voters.iter().map(|&id| (id, storage_of(id))).collect(),
        ..ConfState::new(voters.iter().copied())
    }
}

/// How the clocks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockProfile {
    /// Largest drift, in millionths.
    pub drift_ppm: u64,
    /// How it changes.
    pub drift: Drift,
    /// How timers fire.
    pub timers: Timers,
}

impl ClockProfile {
    /// A good clock.
    pub const FAIR: Self = Self {
        drift_ppm: 100,
        drift: Drift::Linear,
        timers: Timers::FAIR,
    };
}

/// How timers fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Up to this much too late, in microseconds.
    pub late_max: u64,
    /// At multiples of this only, in microseconds: what is due in between comes together.
    pub grain: u64,
}

impl Timers {
    /// Good timers.
    pub const FAIR: Self = Self {
        late_max: 1_000,
        grain: 1,
    };
}

/// One node, running or not.
pub struct Process<M: StateMachine> {
    id: NodeId,
    /// What survives a crash.
    pub disk: Disk,
    clock_random: Random,
    node_random: Random,
    /// How often it was started.
    pub run: u64,
    /// The run under way.
    pub(crate) running: Option<Running<M>>,
    /// It does nothing, and what comes waits.
    pub(crate) paused: bool,
    /// Neither does its clock.
    pub(crate) frozen: bool,
    /// How long each event keeps it busy, if it is slow, in microseconds.
    pub(crate) slow: Option<u64>,
    /// Until when it is busy.
    pub(crate) busy_until: u64,
    /// A leader's snapshot has replaced its state, and is not durable yet.
    pub(crate) restoring: bool,
    /// It crashes after so many effects.
    pub(crate) crash_after: Option<u64>,
    /// Its timers now, where they are not those of all.
    pub(crate) timers: Option<Timers>,
    /// How many times its software was upgraded.
    pub(crate) version: u8,
    /// Its settings from the next start on.
    pub(crate) settings: NodeConfig,
    /// What it found on its disk cannot be repaired: it never starts again.
    pub(crate) lost: bool,
    /// The storage that it has now.
    pub(crate) storage: StorageId,
    /// With whom its storage says that the cluster was founded.
    founders: ConfState,
}

/// One run.
pub(crate) struct Running<M: StateMachine> {
    pub(crate) node: Node<Probe<M>>,
    pub(crate) clock: Clock,
    drift_ppm: i64,
    layout: Layout,
    /// The earliest timer that will still fire.
    pub(crate) armed: Instant,
    /// The round under way.
    writing: Option<PersistBatch>,
    /// Requests without an answer.
    pub(crate) asked: BTreeMap<(ClientId, RequestId), Asked>,
}

/// What a request is, as far as its answer can be checked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A command with a name.
    Command(u64),
    /// A query that the node answers from its own state.
    Own {
        query: Bytes,
        /// When there is something to say, or at this time by its own clock.
        until: Option<Instant>,
    },
    Other,
}

impl<M: StateMachine> Running<M> {
    /// The round under way.
    pub(crate) fn writing(&self) -> Option<&PersistBatch> {
        self.writing.as_ref()
    }

    /// Whether there is one.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }
}

impl<M: StateMachine + Default> Process<M> {
    pub(crate) fn new(
        id: NodeId,
        streams: &Streams,
        profile: DiskProfile,
        medium: Medium,
        mut settings: NodeConfig,
        founders: ConfState,
    ) -> Self {
        settings.raft.id = id;
        settings.raft.storage = storage_of(id);
        Self {
            id,
            disk: Disk::new(streams.stream(Concern::Disk, id.0), profile, medium),
            clock_random: streams.stream(Concern::Clock, id.0),
            node_random: streams.stream(Concern::Node, id.0),
            run: 0,
            running: None,
            paused: false,
            frozen: false,
            slow: None,
            busy_until: 0,
            restoring: false,
            crash_after: None,
            timers: None,
            version: 0,
            settings,
            lost: false,
            storage: storage_of(id),
            founders,
        }
    }

    /// Reads the disk as every host does.
    pub(crate) fn load(&mut self) -> Result<LoadedGroup, Violation> {
        let loaded = self.disk.read().and_then(storage::load);
        let mut loaded =
            loaded.map_err(|error| Violation::new(READABLE, format!("{}: {error:?}", self.id)))?;
        let ident = Ident {
            cluster: CLUSTER.to_owned(),
            node: self.id,
            storage: self.storage,
            cluster_id: CLUSTER_ID,
            founders: self.founders.clone(),
            machine: 0,
        };
        match loaded.ident {
            None => {
                let mut round = Round::default();
                ident.put(&mut round);
                self.disk.begin(round);
                self.disk.finish();
            }
            Some(found) if found == ident => {}
            Some(found) => {
                let seen = format!("{} found the identity {found:?}", self.id);
                return Err(Violation::new("A restart finds what was durable", seen));
            }
        }
        let fresh = || LoadedGroup::fresh(GROUP, &self.founders);
        Ok(loaded.groups.remove(GROUP).unwrap_or_else(fresh))
    }

    /// What is durable, as it was written: a look from outside, which changes nothing. `None` if it was never written.
    pub(crate) fn durable(&self) -> Option<Restored> {
        let mut loaded = storage::load(self.disk.written()).ok()?;
        let group = loaded.groups.remove(GROUP)?;
        Some(group.restored)
    }

    /// Its storage is gone: the next one has another name, and knows of no cluster.
    pub(crate) fn wipe(&mut self, profile: DiskProfile, medium: Medium) {
        assert!(self.running.is_none(), "{} is gone first", self.id);
        let random = Random::new(self.node_random.next_u64());
        self.disk = Disk::new(random, profile, medium);
        self.storage = StorageId(self.storage.0 + 1);
        self.settings.raft.storage = self.storage;
        self.founders = ConfState::default();
    }

    /// Begins a run at virtual time `now`.
    pub(crate) fn start(
        &mut self,
        group: LoadedGroup,
        profile: ClockProfile,
        now: u64,
    ) -> Result<(), Violation> {
        assert!(self.running.is_none(), "{} runs already", self.id);
        self.run += 1;
        let drift = between(&mut self.clock_random, 0, 2 * profile.drift_ppm) as i64;
        let drift_ppm = drift - profile.drift_ppm as i64;
        let origin = self.clock_random.below(1 << 40);
        let clock = Clock::new(now, origin, drift_ppm);
        let LoadedGroup {
            restored,
            chunks,
            layout,
        } = group;
        let seed = self.node_random.next_u64();
        let machine = Probe::default();
        let config = self.settings.clone();
        let node = Node::new(config, restored, chunks, machine, clock.local(now), seed);
        let node = node.map_err(|error| {
            Violation::new(
                "A restart finds what was durable",
                format!("{}: {error}", self.id),
            )
        })?;
        assert!(self.disk.lock(), "{} holds its lock alone", self.id);
        self.running = Some(Running {
            node,
            clock,
            drift_ppm,
            layout,
            armed: Instant::NEVER,
            writing: None,
            asked: BTreeMap::new(),
        });
        Ok(())
    }

    /// Begins a round of writes; how long it takes.
    pub(crate) fn write(&mut self, batch: PersistBatch) -> u64 {
        let running = self.running.as_mut().expect("a node that writes runs");
        let mut round = Round::default();
        running.layout.round(&batch, &mut round);
        running.writing = Some(batch);
        self.disk.begin(round)
    }

    /// The round under way is durable: what was in it.
    pub(crate) fn written(&mut self) -> PersistBatch {
        self.disk.finish();
        let running = self.running.as_mut().expect("a node that writes runs");
        running.writing.take().expect("a round is under way")
    }

    /// Ends the run: a round that the crash kept, if there was one.
    pub(crate) fn crash(&mut self) -> Option<PersistBatch> {
        (self.paused, self.frozen) = (false, false);
        (self.slow, self.crash_after) = (None, None);
        self.restoring = false;
        self.busy_until = 0;
        let writing = self.running.take()?.writing;
        self.disk.unlock();
        match self.disk.crash() {
            Some(true) => writing,
            Some(false) | None => None,
        }
    }

    /// A draw from the node's clock.
    pub(crate) fn draw(&mut self, below: u64) -> u64 {
        self.clock_random.below(below)
    }

    /// When the timer has to fire for the node's next deadline, if it is not armed for it already.
    pub(crate) fn arm(&mut self, profile: Timers) -> Option<u64> {
        let Timers { late_max, grain } = self.timers.unwrap_or(profile);
        let running = self.running.as_mut()?;
        let next = running.node.next_timeout();
        if next >= running.armed {
            return None;
        }
        let at = running.clock.global(next)?;
        running.armed = next;
        let at = at + between(&mut self.clock_random, 0, late_max);
        Some(at.next_multiple_of(grain))
    }

    /// The clock or the timers changed: what was armed fires at the wrong time.
    pub(crate) fn disarm(&mut self) {
        if let Some(running) = &mut self.running {
            running.armed = Instant::NEVER;
        }
    }

    /// The clock's rate may change. Whether it did.
    pub(crate) fn drift(&mut self, profile: ClockProfile, now: u64) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        let before = running.drift_ppm;
        let next = profile
            .drift
            .next(before, profile.drift_ppm, &mut self.clock_random);
        if let Some(next) = next {
            running.drift_ppm = next;
            running.clock.set_drift(now, next);
        }
        next.is_some()
    }
}

/// The state of a machine, as the bytes of its snapshot.
pub(crate) fn snapshot_bytes<M: StateMachine>(machine: &M) -> Vec<Bytes> {
    use quorate_rsm::MachineSnapshot;
    let mut snapshot = machine.snapshot();
    let mut chunks = Vec::new();
    for number in 0.. {
        let (data, done) = snapshot.chunk(number, 1 << 16);
        chunks.push(data);
        if done {
            break;
        }
    }
    chunks
}
