//! Worlds to look at: what they are made of.

use core::time::Duration;
use std::collections::BTreeSet;

use quorate_raft::NodeId;
use quorate_rsm::{NodeConfig, ReadAt};

use crate::clock::Drift;
use crate::cluster::ClusterConfig;
use crate::disk::DiskProfile;
use crate::fault::FaultKind;
use crate::network::Link;
use crate::process::{ClockProfile, Timers};
use crate::shape::Shape;
use crate::shards::scene as shards;

/// What a world is made of. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// All chance comes from it.
    pub seed: u64,
    /// Of what kind it is.
    pub kind: Kind,
}

/// The kinds of worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As a hunt draws it.
    Campaign {
        /// How long faults come.
        torment: u64,
    },
    /// A fair world in which little happens by itself.
    Scene(Scene),
    /// The same with a store of shards: each of its groups has so many nodes.
    Shards(Scene),
    /// The same with the coordinator of a MapReduce job, and its workers.
    Job(Scene),
}

/// A fair world. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// How many nodes.
    pub nodes: u64,
    /// How many clients call by themselves.
    pub clients: u64,
    /// Their mean pause.
    pub think: u64,
    /// Election timeout.
    pub election: u64,
    /// Between heartbeats.
    pub heartbeat: u64,
    /// Of a message, at least; and as much on top, on average.
    pub delay: u64,
    /// Of a thousand messages so many are lost.
    pub loss_permille: u64,
    /// Of a write to a disk.
    pub disk: u64,
    /// After so many entries there is a snapshot.
    pub snapshot_entries: u64,
    /// One message carries so many entries at most.
    pub batch: u64,
    /// Mean time between faults that come by themselves; 0: none come.
    pub faults: u64,
    /// Who answers reads.
    pub reads: ReadAt,
}

/// No campaign has more nodes.
const CAMPAIGN_NODES_MAX: u64 = 7;

/// How many clients do only what they are told.
pub const TOLD: u64 = 9;

/// So many entries are as many as fit.
const BATCH_MAX: u64 = 1_000;

/// About as large are the entries of a scene.
const ENTRY_BYTES: usize = 24;

/// Keys that clients share in a scene.
const KEYS: u64 = 3;

/// Faults that are understood when they are seen.
const FAULTS: [FaultKind; 12] = [
    FaultKind::Crash,
    FaultKind::CrashLeader,
    FaultKind::CrashMinority,
    FaultKind::Pause,
    FaultKind::PauseLeader,
    FaultKind::Partition,
    FaultKind::Isolate,
    FaultKind::CutLeader,
    FaultKind::OneWay,
    FaultKind::Clog,
    FaultKind::StallDisk,
    FaultKind::TransferLeadership,
];

impl Spec {
    /// The numbers of its nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<u64> {
        match &self.kind {
            // Of which it has some.
            Kind::Campaign { .. } => (1..=CAMPAIGN_NODES_MAX).collect(),
            Kind::Scene(scene) | Kind::Job(scene) => (1..=scene.nodes).collect(),
            Kind::Shards(scene) => shards::nodes(scene.nodes),
        }
    }
}

/// The shape of the campaign of a seed, with faults for so many milliseconds.
pub(super) fn campaign(seed: u64, torment: u64) -> Shape {
    Shape {
        told: TOLD,
        ..Shape::draw(seed, Duration::from_millis(torment))
    }
}

impl Scene {
    /// The cluster of such a world.
    pub(super) fn cluster(&self, seed: u64) -> ClusterConfig {
        let mut node = NodeConfig::new(NodeId(0));
        node.raft.election_timeout = Duration::from_millis(self.election);
        node.raft.heartbeat_interval = Duration::from_millis(self.heartbeat);
        node.snapshot_entries = self.snapshot_entries;
        // The smallest messages have one entry.
        if self.batch < BATCH_MAX {
            node.raft.max_append_bytes = (self.batch as usize - 1) * ENTRY_BYTES + 1;
        }
        node.keep_entries = self.snapshot_entries / 4;
        node.raft.lease_reads = self.reads == ReadAt::Lease;
        ClusterConfig {
            node,
            link: Link {
                delay_min: self.delay * 1_000,
                delay_mean: self.delay * 500,
                loss_permille: self.loss_permille,
                ..Link::FAIR
            },
            disk: DiskProfile {
                write_min: self.disk * 500,
                write_mean: self.disk * 500,
                ..DiskProfile::FAIR
            },
            clock: ClockProfile {
                drift_ppm: 0,
                drift: Drift::Linear,
                timers: Timers::FAIR,
            },
            ..ClusterConfig::fair(seed, self.nodes)
        }
    }

    /// The shape of such a world.
    pub(super) fn shape(&self, seed: u64) -> Shape {
        Shape {
            cluster: self.cluster(seed),
            clients: self.clients,
            pipeline: 1,
            think_mean: self.think * 1_000,
            calm: 1,
            keys: KEYS,
            read_at: self.reads,
            value_bytes: 0,
            watchers: 0,
            holders: 0,
            takers: 0,
            other_permille: 0,
            compacts: false,
            ttl_ms: 1_000,
            call_timeout: Duration::from_secs(3),
            notices: true,
            hints_permille: 1_000,
            faults: if self.faults == 0 {
                Vec::new()
            } else {
                FAULTS.to_vec()
            },
            fault_mean: self.faults.max(1) * 1_000,
            torment: u64::MAX,
            mute: BTreeSet::new(),
            told: TOLD,
            scene: true,
        }
    }
}
