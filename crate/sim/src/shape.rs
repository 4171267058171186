//! What kind of world a seed gives: each run draws its own cluster, settings, network and faults, so
//! that rare combinations come up by themselves.

use core::time::Duration;

use quorate_raft::{NodeId, Random};
use quorate_rsm::NodeConfig;

use crate::cluster::ClusterConfig;
use crate::disk::{DiskProfile, Medium};
use crate::nemesis::FaultKind;
use crate::network::Link;
use crate::process::ClockProfile;
use crate::streams::{Concern, Streams, between, chance, weighted};

/// Everything that a world is before its first event.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The cluster.
    pub cluster: ClusterConfig,
    /// How many clients.
    pub clients: u64,
    /// Calls that one client has open at a time.
    pub pipeline: u64,
    /// Mean pause of a client between two calls, in microseconds.
    pub think_mean: u64,
    /// Keys that clients share.
    pub keys: u64,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// Clients are told when a node goes or comes.
    pub notices: bool,
    /// The faults that may come.
    pub faults: Vec<FaultKind>,
    /// Mean time between two of them, in microseconds.
    pub fault_mean: u64,
    /// How long faults come, in microseconds.
    pub torment: u64,
}

impl Shape {
    /// The world of `seed`, with faults for `torment`.
    #[must_use]
    pub fn draw(seed: u64, torment: Duration) -> Self {
        let mut random = Streams::new(seed).stream(Concern::Shape, 0);
        let random = &mut random;
        let voters = weighted(
            random,
            &[(5, 1), (5, 2), (35, 3), (10, 4), (30, 5), (5, 6), (10, 7)],
        );
        let election_ms = weighted(random, &[(1, 50), (1, 100), (2, 150), (3, 300), (1, 1_000)]);
        let delay_mean = between(random, 1, 1 + election_ms / 6) * 1_000;
        let link = Link {
            delay_min: random.below(1 + election_ms * 20),
            delay_mean,
            tail_permille: weighted(random, &[(1, 0), (2, 10)]),
            loss_permille: weighted(random, &[(2, 0), (3, 20), (2, 100), (1, 300)]),
            duplicate_permille: weighted(random, &[(2, 0), (2, 50), (1, 500)]),
            replay_permille: weighted(random, &[(1, 0), (1, 50)]),
        };
        let disk = DiskProfile {
            write_min: random.below(2_000),
            write_mean: weighted(random, &[(2, 200), (2, 2_000), (1, election_ms * 100)]),
            kept_permille: 500,
        };
        let clock = ClockProfile {
            drift_ppm: weighted(random, &[(1, 0), (2, 1_000), (1, 100_000)]),
            late_max: weighted(random, &[(2, 1_000), (1, election_ms * 200)]),
        };
        let mut faults: Vec<FaultKind> = FaultKind::ALL
            .into_iter()
            .filter(|_| chance(random, 600))
            .collect();
        if faults.is_empty() {
            faults.push(FaultKind::Crash);
        }
        Self {
            cluster: ClusterConfig {
                seed,
                voters,
                node: node_config(random, election_ms),
                link,
                disk,
                medium: weighted(random, &[(1, Medium::Records), (1, Medium::File)]),
                clock,
                split_frames: random.below(2) == 0,
                trace: false,
            },
            clients: between(random, 1, 6),
            pipeline: weighted(random, &[(3, 1), (2, 3), (2, 8), (1, 40)]),
            think_mean: weighted(random, &[(1, 5_000), (2, 50_000), (1, 300_000)]),
            keys: between(random, 1, 6),
            call_timeout: Duration::from_millis(weighted(
                random,
                &[(1, 300), (2, 2_000), (1, 8_000)],
            )),
            notices: random.below(2) == 0,
            faults,
            fault_mean: weighted(random, &[(1, 300_000), (2, 1_000_000), (1, 4_000_000)]),
            torment: u64::try_from(torment.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

fn node_config(random: &mut Random, election_ms: u64) -> NodeConfig {
    let mut node = NodeConfig::new(NodeId(0));
    node.raft.election_timeout = Duration::from_millis(election_ms);
    let heartbeat_us = election_ms * 1_000 / between(random, 3, 20);
    node.raft.heartbeat_interval = Duration::from_micros(heartbeat_us);
    node.raft.max_inflight_messages = weighted(random, &[(1, 1), (1, 2), (2, 8), (1, 256)]);
    node.raft.max_inflight_bytes = weighted(random, &[(1, 100), (1, 2_000), (2, 4 << 20)]);
    node.raft.max_append_bytes = weighted(random, &[(1, 1), (1, 64), (1, 1_000), (2, 256 << 10)]);
    node.raft.max_uncommitted_bytes = weighted(random, &[(1, 500), (3, 16 << 20)]);
    node.raft.max_apply_bytes = weighted(random, &[(1, 1), (1, 100), (2, 1 << 20)]);
    node.raft.max_pending_reads = weighted(random, &[(1, 2), (4, 1 << 16)]);
    node.snapshot_entries = weighted(random, &[(1, 1), (2, 10), (2, 100), (1, 1_000)]);
    node.snapshot_bytes = weighted(random, &[(1, 1_000), (3, 16 << 20)]);
    node.keep_entries = weighted(random, &[(2, 0), (1, 5), (2, 1_000)]);
    node.snapshot_chunk_bytes = weighted(random, &[(2, 100), (1, 1_000), (1, 256 << 10)]);
    node.max_waiting = weighted(random, &[(1, 4), (4, 65_536)]);
    node.sessions.max_sessions = weighted(random, &[(1, 3), (4, 4_096)]);
    node.sessions.ttl_ms = weighted(random, &[(1, 2_000), (4, 3_600_000)]);
    node
}
