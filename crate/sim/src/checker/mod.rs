//! What must be true, one family per file: [`state`], [`bounds`], [`membership`] and [`sleep`] after every step,
//! [`store`] with every answer, [`recovery`] when a node is lost, [`linearizability`] of what clients
//! saw, [`liveness`] when the faults have stopped.

pub mod applied;
pub mod bounds;
pub mod durable;
pub mod exclusion;
pub mod history;
pub mod json;
pub mod lease;
pub mod linearizability;
pub mod lines;
pub mod liveness;
pub mod membership;
pub mod mirror;
mod needs;
pub mod recovery;
pub mod sleep;
pub mod state;
pub mod store;
pub mod synthetic;
pub mod taken;
mod watch;

use core::fmt;

/// All that can be broken in the world of a cluster, by name.
pub const PROPERTIES: [&str; 50] = [
    "A durable log has no gaps",
    "A failed write halts the node",
    "A later holder has a greater token",
    "A lease never ends early",
    "A node never goes back",
    "A queue loses nothing",
    "A queue's item is taken once",
    "A restart finds what was durable",
    "A token protects what is locked",
    "A watch tells exactly what happened",
    "A watch waits for news",
    "Acknowledged means committed",
    "Calls fail only for a reason",
    "Commit and applied never fall",
    "Commit by counting own-term entries only",
    "Commit index is durable on a quorum",
    "Committed entries survive",
    "Election Safety",
    "Every call ends once",
    "Every request is answered",
    "Exactly once",
    "Frames survive their encoding",
    "Leader Append-Only",
    "Leader Completeness",
    "Linearizability",
    "Liveness",
    "Log Matching",
    "Log time never falls",
    "Logs are compacted",
    "Neighboring quorums intersect",
    "Not applied means never",
    "Nothing is promised before it is durable",
    "Old snapshots are removed",
    "One at a time holds a lock",
    "One storage has one writer",
    "One vote in a term",
    "Only what is committed is applied",
    "Queues and windows keep their bounds",
    "Reads are not stale",
    "Replies survive their encoding",
    "Snapshots never fall back",
    "State Machine Safety",
    "Stored records can be read",
    "Terms never fall",
    "The law of use suffices",
    "The store does what it was told",
    "Votes and terms are never taken back",
    "What is not for a node is refused",
    "Who sleeps has nothing to do",
    "applied ≤ commit ≤ last",
];

/// Those of them that are about any cluster, whatever its machine is.
pub const CLUSTER_PROPERTIES: [&str; 33] = [
    "A durable log has no gaps",
    "A failed write halts the node",
    "A restart finds what was durable",
    "Acknowledged means committed",
    "Commit and applied never fall",
    "Commit by counting own-term entries only",
    "Commit index is durable on a quorum",
    "Committed entries survive",
    "Election Safety",
    "Every request is answered",
    "Exactly once",
    "Frames survive their encoding",
    "Leader Append-Only",
    "Leader Completeness",
    "Log Matching",
    "Log time never falls",
    "Logs are compacted",
    "Neighboring quorums intersect",
    "Nothing is promised before it is durable",
    "Old snapshots are removed",
    "One storage has one writer",
    "One vote in a term",
    "Only what is committed is applied",
    "Queues and windows keep their bounds",
    "Snapshots never fall back",
    "State Machine Safety",
    "Stored records can be read",
    "Terms never fall",
    "The law of use suffices",
    "Votes and terms are never taken back",
    "What is not for a node is refused",
    "Who sleeps has nothing to do",
    "applied ≤ commit ≤ last",
];

/// What is checked beside those where shards move between groups.
pub const SHARD_PROPERTIES: [&str; 2] = ["A shard is served once", "Replies are the store's"];

/// And where a job is carried out.
pub const JOB_PROPERTIES: [&str; 2] = [
    "Replies are the coordinator's",
    "Winners have stored what they made",
];

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which property, as the paper or the documents name it.
    pub property: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    pub(crate) fn new(property: &'static str, seen: impl Into<String>) -> Self {
        Self {
            property,
            seen: seen.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.seen)
    }
}

impl core::error::Error for Violation {}
