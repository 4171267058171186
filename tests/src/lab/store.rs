//! A cluster of the shipped store: how large its log and its snapshots are, and a counter in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Query, Reply};
use quorate_raft::NodeId;
use quorate_rsm::StateMachine;
use quorate_sim::checker::linearizability::{Action, Answer};
use quorate_sim::cluster::ClusterConfig;
use quorate_sim::machine::tagged;
use quorate_sim::workload::{Wish, wish};

use crate::lab::clerk::ClerkId;
use crate::lab::forgetful::Forgetful;
use crate::lab::{Failure, Lab, SECOND};

/// Storage has a snapshot's chunks under "0000/snap/" and its index, as sixteen digits.
const SNAPSHOT_KEY_LEN: usize = 26;
/// The key that counts.
pub const COUNTER: u64 = 0;

impl Lab<Forgetful> {
    /// A running cluster of `nodes` whose log may grow to about `state_max` bytes before a snapshot
    /// is taken; without a maximum none ever is.
    pub fn store(seed: u64, nodes: u64, state_max: Option<u64>) -> Result<Self, Failure> {
        let mut config = ClusterConfig::fair(seed, nodes);
        config.node.snapshot_entries = u64::MAX;
        config.node.snapshot_bytes = u64::MAX;
        if let Some(bytes) = state_max {
            // Nodes count the commands; what is stored has about as much around them.
            config.node.snapshot_bytes = bytes / 2;
            config.node.keep_entries = 0;
        }
        Self::with(config)
    }

    /// Bytes of the largest log on a disk, with all around the entries.
    #[must_use]
    pub fn stored_log(&self) -> u64 {
        let bytes = |id: &NodeId| self.stored(*id, "0000/log/").map(|(_, len)| len).sum();
        self.cluster.voters().iter().map(bytes).max().unwrap_or(0)
    }

    /// Bytes of the largest snapshot on a disk.
    #[must_use]
    pub fn stored_snapshot(&self) -> u64 {
        let bytes = |id: &NodeId| {
            // While the next one is written there are two.
            let mut sizes = BTreeMap::new();
            for (key, len) in self.stored(*id, "0000/snap/") {
                *sizes.entry(&key[..SNAPSHOT_KEY_LEN]).or_insert(0) += len;
            }
            sizes.into_values().max().unwrap_or(0)
        };
        self.cluster.voters().iter().map(bytes).max().unwrap_or(0)
    }

    fn stored<'a>(&'a self, id: NodeId, prefix: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        let sizes = self.cluster.disk(id).sizes(prefix);
        sizes.map(|(key, len)| (key, len as u64))
    }

    /// Gives a command to `id` on the spot, whether it leads or not; its tag.
    pub fn submit(&mut self, id: NodeId, key: u64, action: Action) -> Result<u64, Failure> {
        let session = self.session()?;
        let Wish::Write(command) = wish(key, &action) else {
            return Err(self.fail("only commands are submitted"));
        };
        let tag = self.history.begin(self.cluster.now(), key, action);
        self.give(id, session, tag, tagged(tag, &command.encode()))?;
        Ok(tag)
    }

    /// Counts one further, within ten seconds; the count.
    pub fn one_increment(&mut self, clerk: ClerkId) -> Result<u64, Failure> {
        let tag = self.begin(clerk, COUNTER, Action::Increment(1))?;
        match self.await_call(tag, 10 * SECOND)? {
            Answer::Sum(sum, _) => Ok(sum.unsigned_abs()),
            other => Err(self.fail(&format!("an increment was answered {other:?}"))),
        }
    }

    /// Counts one further: this must make it `expected`, on every node.
    pub fn count_to(&mut self, clerk: ClerkId, expected: u64) -> Result<(), Failure> {
        let count = self.one_increment(clerk)?;
        if count != expected {
            return Err(self.fail(&format!("counted to {count}, not {expected}")));
        }
        self.check_counter(expected, self.cluster.voters().len())
    }

    /// The counter must come to stand at `count` on `nodes` nodes within ten seconds.
    pub fn check_counter(&mut self, count: u64, nodes: usize) -> Result<(), Failure> {
        let text = Bytes::from(count.to_string());
        let stands = |lab: &Self| {
            let voters = lab.cluster.voters().iter();
            voters
                .filter(|id| lab.counter(**id).as_ref() == Some(&text))
                .count()
                >= nodes
        };
        if self.wait(10 * SECOND, stands)? {
            return Ok(());
        }
        Err(self.fail(&format!("{nodes} nodes do not come to stand at {count}")))
    }

    /// The counter in the machine of a node that runs.
    fn counter(&self, id: NodeId) -> Option<Bytes> {
        let Wish::Read(query) = wish(COUNTER, &Action::Get) else {
            return None;
        };
        self.value(id, &query)
    }

    fn value(&self, id: NodeId, query: &Query) -> Option<Bytes> {
        let reply = self.cluster.machine(id)?.query(&query.encode());
        match Reply::decode(&reply) {
            Ok(Reply::Got { record, .. }) => record.map(|record| record.value),
            _ => None,
        }
    }
}
