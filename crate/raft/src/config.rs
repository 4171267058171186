//! What a node is told once, when it starts.

use core::time::Duration;

use crate::types::{NodeId, StorageId};

/// Settings of one node. All nodes of a cluster should use the same timeouts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// This node's storage.
    pub storage: StorageId,
    /// A follower that hears nothing campaigns after a random time in `[t, 2t)` (§5.2), and refuses
    /// votes for `t` after hearing from a leader. A leader that a quorum does not answer for `t`
    /// steps down. Default 300 ms.
    pub election_timeout: Duration,
    /// An idle leader sends a heartbeat this often. Default 60 ms; below half of the election timeout.
    pub heartbeat_interval: Duration,
    /// Payload bytes in one `AppendEntries`; one larger entry still travels alone. Default 256 KiB.
    pub max_append_bytes: usize,
    /// Unacknowledged `AppendEntries` to one follower. Default 8.
    pub max_inflight_messages: usize,
    /// Unacknowledged payload bytes to one follower. Default 4 MiB.
    pub max_inflight_bytes: usize,
    /// Payload bytes that a leader holds uncommitted before it answers `Dropped`; a proposal on an
    /// empty tail is always taken. Default 16 MiB.
    pub max_uncommitted_bytes: usize,
    /// Reads waiting for a quorum before further ones are refused. Default 65,536.
    pub max_pending_reads: usize,
    /// Payload bytes handed out in one `Output::Apply`. Default 1 MiB.
    pub max_apply_bytes: usize,
    /// Whether reads may rest on a lease: see [`crate::Raft::lease_read`]. The same on all nodes: one
    /// that starts gives no vote for an election timeout. Default false.
    pub lease_reads: bool,
    /// Whether writes are reported as durable before they are: a power cut may take the last rounds, of each node
    /// others. Then all voters of a cluster run on one machine, and a node that starts knows that what it finds may
    /// be older than what it said. The same on all nodes, and for a storage's whole life. Default false.
    pub relaxed: bool,
    /// Whether a leader gives a member that has lost its storage a new start by itself: without a
    /// vote until it has caught up. Default true.
    pub auto_rebind: bool,
    /// A group in which nothing was to do for this long goes to sleep: nobody says anything until there
    /// is, and no election times out. Then the host must say when a node is gone
    /// ([`crate::Input::Unreachable`]) or comes ([`crate::Input::Reachable`]): a sleeping follower
    /// does not find out by itself that its leader is. At least the election timeout. The same on all
    /// nodes: one without it never sleeps, and keeps its leader awake. Default none.
    pub quiesce_after: Option<Duration>,
    /// Whether heartbeats are due at multiples of their interval by the node's clock, so that those of
    /// all groups of a host come together and share frames. None comes later for it. Default false.
    pub align_heartbeats: bool,
}

impl Config {
    /// The defaults for node `id`.
    #[must_use]
    pub fn new(id: NodeId) -> Self {
        Self {
            id,
            storage: StorageId(0),
            lease_reads: false,
            relaxed: false,
            auto_rebind: true,
            quiesce_after: None,
            align_heartbeats: false,
            election_timeout: Duration::from_millis(300),
            heartbeat_interval: Duration::from_millis(60),
            max_append_bytes: 256 << 10,
            max_inflight_messages: 8,
            max_inflight_bytes: 4 << 20,
            max_uncommitted_bytes: 16 << 20,
            max_pending_reads: 1 << 16,
            max_apply_bytes: 1 << 20,
        }
    }

    /// Whether the numbers make sense together; the sentence says which one does not.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.id.0 == 0 {
            Err("node ids start at 1")
        } else if self.heartbeat_interval.is_zero() {
            Err("heartbeat_interval must be above zero")
        } else if self.heartbeat_interval * 2 > self.election_timeout {
            Err("election_timeout must be at least twice heartbeat_interval")
        } else if (self.quiesce_after).is_some_and(|quiet| quiet < self.election_timeout) {
            Err("quiesce_after must be at least election_timeout")
        } else if self.max_inflight_messages == 0 || self.max_inflight_bytes == 0 {
            Err("the inflight window must hold at least one message")
        } else if self.max_append_bytes == 0 || self.max_uncommitted_bytes == 0 {
            Err("byte limits must be above zero")
        } else if self.max_pending_reads == 0 || self.max_apply_bytes == 0 {
            Err("max_pending_reads and max_apply_bytes must be above zero")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_heartbeats_fit_an_election_timeout() {
        let mut config = Config::new(NodeId(1));
        config.heartbeat_interval = config.election_timeout / 2;
        assert_eq!(config.validate(), Ok(()));
        config.heartbeat_interval += Duration::from_nanos(1);
        assert!(config.validate().is_err());
    }

    #[test]
    fn nobody_sleeps_sooner_than_an_election_times_out() {
        let mut config = Config::new(NodeId(1));
        config.quiesce_after = Some(config.election_timeout);
        assert_eq!(config.validate(), Ok(()));
        config.election_timeout += Duration::from_nanos(1);
        assert!(config.validate().is_err());
    }
}
