//! What kind of world a seed gives: each run draws its own cluster, settings, network and faults, so
//! that rare combinations come up by themselves.

use core::time::Duration;
use std::collections::BTreeSet;

use quorate_raft::{NodeId, Random};
use quorate_rsm::{NodeConfig, ReadAt};

use crate::checker::lease::Clocks;
use crate::clock::Drift;
use crate::cluster::ClusterConfig;
use crate::disk::{DiskProfile, Medium};
use crate::fault::FaultKind;
use crate::network::{Bound, Link, Loses};
use crate::process::{ClockProfile, Timers};
use crate::streams::{Concern, Streams, between, chance, magnitude, weighted};

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
    /// How many times longer one client in four pauses.
    pub calm: u64,
    /// Keys that clients share.
    pub keys: u64,
    /// Who answers reads.
    pub read_at: ReadAt,
    /// Bytes that values are filled up to, once in a while.
    pub value_bytes: u64,
    /// How many watch, hold a lock, and use a queue, beside those clients.
    pub watchers: u64,
    /// See there.
    pub holders: u64,
    /// See there.
    pub takers: u64,
    /// How many calls of a thousand are of transactions, leases, or the past.
    pub other_permille: u64,
    /// Whether the past is compacted by hand, and by other rules than at first.
    pub compacts: bool,
    /// About how long leases live, in milliseconds.
    pub ttl_ms: u64,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// Clients are told when a node goes or comes.
    pub notices: bool,
    /// In a thousand times that a node finds out who leads, how often one client is told.
    pub hints_permille: u64,
    /// The faults that may come.
    pub faults: Vec<FaultKind>,
    /// Mean time between two of them, in microseconds.
    pub fault_mean: u64,
    /// How long faults come, in microseconds.
    pub torment: u64,
    /// Faults, by their number, that are drawn and not carried out: what a shrinker leaves out.
    pub mute: BTreeSet<u64>,
    /// How many clients do only what they are told.
    pub told: u64,
    /// A world to look at: clients ask for single keys only, and somebody may tamper with clocks.
    pub scene: bool,
}

/// About how long an election takes to time out in a world that was slowed down, for each time that
/// faults come more rarely.
const SLOW_ELECTION: Duration = Duration::from_millis(10);

/// Faults after which a clock cannot be believed, whatever its drift.
const BROKEN_CLOCKS: [FaultKind; 3] = [
    FaultKind::StopClock,
    FaultKind::LeaderOutOfTime,
    FaultKind::JumpClock,
];

/// How many times longer leases live and watches wait in a world that was slowed down.
const PATIENCE: u32 = 20;

/// Kinds of faults in a world that has few.
const FEW_KINDS: u64 = 6;

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
            replay_permille: weighted(random, &[(1, 0), (1, 50), (1, 500)]),
            spoil_permille: weighted(random, &[(1, 0), (1, 5)]),
            queue: queue(random),
        };
        let disk = DiskProfile {
            write_min: random.below(2_000),
            write_mean: weighted(random, &[(2, 200), (2, 2_000), (1, election_ms * 100)]),
            kept_permille: 500,
        };
        let clock = ClockProfile {
            drift_ppm: weighted(random, &[(1, 0), (2, 1_000), (1, 100_000)]),
            drift: Drift::ALL[random.below(4) as usize],
            timers: Timers {
                late_max: weighted(random, &[(2, 1_000), (1, election_ms * 200)]),
                grain: weighted(random, &[(3, 1), (1, 4_000)]),
            },
        };
        let mut faults = faults(random);
        let mut node = node_config(random, election_ms);
        let read_at = [ReadAt::Leader, ReadAt::Leader, ReadAt::Here, ReadAt::Lease];
        let read_at = read_at[random.below(4) as usize];
        if read_at == ReadAt::Lease {
            // Leases rest on clocks: a node that goes on while its clock does not is no part of the
            // bargain, nor is a clock that jumps for no reason.
            node.raft.lease_reads = true;
            faults.retain(|kind| !BROKEN_CLOCKS.contains(kind));
            if faults.is_empty() {
                faults.push(FaultKind::Crash);
            }
        }
        let sessions_max = node.sessions.max_sessions as u64;
        // Many more than there may be sessions would displace one another for ever.
        let clients = weighted(random, &[(2, 1), (3, 3), (3, 6), (1, 16)]).min(sessions_max * 2);
        let mut room = sessions_max * 2 - clients;
        let mut some = |random: &mut Random, counts: &[(u64, u64)]| {
            let count = weighted(random, counts).min(room);
            room -= count;
            count
        };
        let others = (0..3).map(|_| other_config(random, &node)).collect();
        let mut shape = Self {
            cluster: ClusterConfig {
                seed,
                voters,
                first: 1,
                node,
                others,
                link,
                disk,
                medium: weighted(random, &[(1, Medium::Records), (1, Medium::File)]),
                clock,
                split_frames: random.below(2) == 0,
                trace: false,
            },
            clients,
            watchers: weighted(random, &[(1, 0), (2, 1), (1, 3)]),
            holders: some(random, &[(1, 0), (1, 2), (1, 3)]),
            takers: some(random, &[(1, 0), (1, 2), (1, 3)]),
            other_permille: weighted(random, &[(1, 0), (2, 300), (1, 700)]),
            compacts: random.below(2) == 0,
            ttl_ms: weighted(random, &[(1, 60), (2, 300), (1, 1_000)]),
            pipeline: weighted(random, &[(3, 1), (2, 3), (2, 8), (1, 40)]),
            think_mean: weighted(random, &[(1, 5_000), (2, 50_000), (1, 300_000)]),
            calm: weighted(random, &[(1, 1), (2, 10)]),
            keys: between(random, 1, 6),
            read_at,
            value_bytes: weighted(random, &[(4, 0), (1, 300), (1, 5_000)]),
            call_timeout: Duration::from_millis(weighted(
                random,
                &[(1, 300), (2, 2_000), (1, 8_000)],
            )),
            notices: random.below(2) == 0,
            faults,
            fault_mean: weighted(random, &[(1, 300_000), (2, 1_000_000), (1, 4_000_000)]),
            hints_permille: weighted(random, &[(2, 0), (1, 200), (1, 1_000)]),
            torment: u64::try_from(torment.as_micros()).unwrap_or(u64::MAX),
            mute: BTreeSet::new(),
            told: 0,
            scene: false,
        };
        shape.draw_sleep();
        shape
    }

    /// In some worlds idle groups sleep, and in most of those clients leave them time for that. Drawn
    /// apart: the others are as they were before anyone slept.
    fn draw_sleep(&mut self) {
        let mut random = Streams::new(self.cluster.seed).stream(Concern::Shape, 1);
        let align = chance(&mut random, 300);
        let times = weighted(&mut random, &[(6, 0), (2, 1), (1, 2), (1, 5)]);
        let quiet = (times > 0).then(|| self.cluster.node.raft.election_timeout * times);
        for node in self.nodes_mut() {
            node.raft.align_heartbeats = align;
            node.raft.quiesce_after = quiet;
        }
        let idle = weighted(&mut random, &[(1, 0), (1, 2), (2, 6)]);
        if let Some(quiet) = quiet.filter(|_| idle > 0) {
            let micros = u64::try_from(quiet.as_micros()).unwrap_or(u64::MAX);
            self.think_mean = self.think_mean.max(idle * micros);
            (self.clients, self.holders, self.takers) = (self.clients.min(2), 0, 0);
        }
    }

    /// The settings of all nodes, now and after a crash.
    fn nodes_mut(&mut self) -> impl Iterator<Item = &mut NodeConfig> {
        let cluster = &mut self.cluster;
        [&mut cluster.node].into_iter().chain(&mut cluster.others)
    }

    /// What clocks may do in it.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        Clocks {
            drift_ppm: self.cluster.clock.drift_ppm,
            are_true: !self.scene && !self.faults.iter().any(|kind| BROKEN_CLOCKS.contains(kind)),
        }
    }

    /// Calls and faults come `times` as rarely, and nodes take their time: hours of it are cheap, and
    /// bring about what needs hours, such as sessions that expire.
    pub fn slow_down(&mut self, times: u64) {
        self.think_mean = self.think_mean.saturating_mul(times);
        self.fault_mean = self.fault_mean.saturating_mul(times);
        self.pipeline = self.pipeline.min(3);
        let election_ms = SLOW_ELECTION.as_millis() * u128::from(times);
        for node in self.nodes_mut() {
            let raft = &mut node.raft;
            let factor = (election_ms / raft.election_timeout.as_millis().max(1)) as u32;
            raft.election_timeout *= factor.max(1);
            raft.heartbeat_interval *= factor.max(1);
            raft.quiesce_after = raft.quiesce_after.map(|quiet| quiet * factor.max(1));
            node.park_timeout *= PATIENCE;
        }
        self.ttl_ms *= u64::from(PATIENCE);
    }

    /// A world that is always the same but for its seed, to measure by: five nodes, ten clients
    /// with a hundred calls a second together, two that watch, two that lock, two with a queue, all
    /// faults and all checkers.
    #[must_use]
    pub fn bench(seed: u64, torment: Duration) -> Self {
        let mut link = Link::FAIR;
        link.tail_permille = 10;
        (link.loss_permille, link.duplicate_permille) = (10, 10);
        (link.replay_permille, link.spoil_permille) = (100, 1);
        link.queue = Some(Bound {
            packets: 256,
            loses: Loses::Random,
        });
        let clock = ClockProfile {
            drift_ppm: 1_000,
            drift: Drift::Noisy,
            ..ClockProfile::FAIR
        };
        let mut node = NodeConfig::new(NodeId(0));
        (node.snapshot_entries, node.keep_entries) = (500, 100);
        node.park_timeout = Duration::from_secs(1);
        let cluster = ClusterConfig {
            node,
            link,
            clock,
            medium: Medium::File,
            ..ClusterConfig::fair(seed, 5)
        };
        Self {
            cluster,
            clients: 10,
            watchers: 2,
            holders: 2,
            takers: 2,
            other_permille: 300,
            compacts: true,
            ttl_ms: 1_000,
            pipeline: 1,
            think_mean: 93_000,
            calm: 1,
            keys: 6,
            read_at: ReadAt::Leader,
            value_bytes: 0,
            call_timeout: Duration::from_secs(2),
            notices: true,
            hints_permille: 500,
            faults: FaultKind::planned().to_vec(),
            fault_mean: 2_000_000,
            torment: u64::try_from(torment.as_micros()).unwrap_or(u64::MAX),
            mute: BTreeSet::new(),
            told: 0,
            scene: false,
        }
    }
}

/// Which faults may come: a few, or about half of all, or all.
fn faults(random: &mut Random) -> Vec<FaultKind> {
    let all = FaultKind::planned();
    let permille = weighted(
        random,
        &[
            (2, FEW_KINDS * 1_000 / all.len() as u64),
            (3, 500),
            (1, 1_000),
        ],
    );
    let mut faults = all.to_vec();
    faults.retain(|_| chance(random, permille));
    if faults.is_empty() {
        faults.push(FaultKind::Crash);
    }
    faults
}

fn queue(random: &mut Random) -> Option<Bound> {
    let packets = 2 + magnitude(random, 256, 6) as usize;
    let loses = [Loses::Oldest, Loses::Newest, Loses::Random][random.below(3) as usize];
    chance(random, 400).then_some(Bound { packets, loses })
}

/// Settings that one node may have while the others have `node`: all but those that must be equal.
fn other_config(random: &mut Random, node: &NodeConfig) -> NodeConfig {
    let election_ms = node.raft.election_timeout.as_millis() as u64;
    let mut other = node_config(random, election_ms);
    other.sessions = node.sessions;
    other.park_timeout = node.park_timeout;
    other.raft.heartbeat_interval = node.raft.heartbeat_interval;
    other
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
    node.park_timeout = Duration::from_millis(weighted(random, &[(1, 60), (2, 400), (1, 1_500)]));
    node.sessions.max_sessions = weighted(random, &[(1, 3), (4, 4_096)]);
    node.sessions.ttl_ms = weighted(random, &[(1, 2_000), (4, 3_600_000)]);
    node
}
