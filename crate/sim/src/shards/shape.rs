//! What a world of a sharded store is before its first event.

use core::time::Duration;

use super::Stranding;
use crate::cluster::ClusterConfig;
use crate::shape::Shape;
use crate::streams::{Concern, Streams, between, weighted};

/// What such a world is before its first event.
#[derive(Clone, Debug)]
pub struct ShardShape {
    /// Settings of every group's cluster; the seed is replaced.
    pub cluster: ClusterConfig,
    /// Workers: each group has a node on all of them.
    pub workers: u64,
    /// Groups that may join.
    pub groups: u32,
    /// Shards.
    pub shards: u32,
    /// Users that call, hold a lease, and watch.
    pub users: u64,
    /// See there.
    pub holders: u64,
    /// See there.
    pub watchers: u64,
    /// Calls that one has open at a time.
    pub pipeline: u64,
    /// Bytes that values are filled up with, once in a while.
    pub value_bytes: usize,
    /// How long leases live, in milliseconds.
    pub ttl_ms: u64,
    /// Keys that they share.
    pub keys: u64,
    /// Mean pause of a user between two calls, in microseconds.
    pub think_mean: u64,
    /// Mean time between two changes of the configuration, in microseconds.
    pub change_mean: u64,
    /// No configuration is made while a group is behind by more than so many.
    pub behind: u64,
    /// Mean time between two faults, in microseconds; zero for none.
    pub fault_mean: u64,
    /// Of a thousand steps of migrations, how many make trouble: mostly a crash of the worker that leads
    /// the giver or the taker.
    pub step_trouble_permille: u64,
    /// Bytes of a piece of a shard.
    pub chunk_bytes: u32,
    /// How long faults come, in microseconds.
    pub torment: u64,
    /// Why a group can take no shards when they are over, for a while; none if it can.
    pub stranding: Option<Stranding>,
}

impl ShardShape {
    /// The world of `seed`, with faults for `torment`.
    #[must_use]
    pub fn draw(seed: u64, torment: Duration) -> Self {
        let mut random = Streams::new(seed).stream(Concern::Shape, 1);
        let random = &mut random;
        let mut cluster = Shape::draw(seed, torment).cluster;
        cluster.voters = 3;
        cluster.seed = seed;
        // Elsewhere: here the groups are the matter.
        cluster.clock.drift_ppm = cluster.clock.drift_ppm.min(1_000);
        cluster.link.loss_permille = cluster.link.loss_permille.min(100);
        cluster.node.raft.lease_reads = false;
        // A group that takes a second for an entry is not done in any time.
        if let Some(queue) = &mut cluster.link.queue {
            queue.packets = queue.packets.max(16);
        }
        let raft = &mut cluster.node.raft;
        raft.max_append_bytes = raft.max_append_bytes.max(1_000);
        raft.max_inflight_messages = raft.max_inflight_messages.max(8);
        raft.max_inflight_bytes = raft.max_inflight_bytes.max(2_000);
        let second = 1_000_000;
        Self {
            cluster,
            workers: 3,
            groups: weighted(random, &[(2, 2), (3, 3), (1, 5)]),
            shards: weighted(random, &[(1, 1), (3, 4), (2, 10), (1, 32)]),
            users: between(random, 2, 4),
            holders: weighted(random, &[(1, 0), (1, 1), (1, 2)]),
            watchers: weighted(random, &[(1, 0), (1, 1), (1, 2)]),
            pipeline: weighted(random, &[(2, 1), (1, 3)]),
            value_bytes: weighted(random, &[(2, 0), (1, 400)]),
            ttl_ms: weighted(random, &[(1, 200), (2, 600), (1, 2_000)]),
            keys: weighted(random, &[(1, 2), (3, 6), (1, 20)]),
            think_mean: weighted(random, &[(1, 3_000), (2, 10_000), (1, 100_000)]),
            change_mean: weighted(
                random,
                &[(2, second / 20), (2, second / 2), (1, 3 * second)],
            ),
            behind: weighted(random, &[(3, 1), (1, 5), (1, 100)]),
            fault_mean: weighted(random, &[(1, 0), (2, second / 2), (1, 2 * second)]),
            step_trouble_permille: weighted(random, &[(1, 0), (2, 50), (2, 200)]),
            chunk_bytes: weighted(random, &[(1, 40), (2, 200), (1, 4_096)]),
            torment: torment.as_micros() as u64,
            stranding: weighted(
                random,
                &[
                    (2, None),
                    (2, Some(Stranding::Leaderless)),
                    (1, Some(Stranding::Silent)),
                ],
            ),
        }
    }
}
