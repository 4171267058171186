//! What the layer above compares between nodes. Raft carries it, and does not look inside.

use crate::message::Body;
use crate::raft::Raft;
use crate::types::{Index, NodeId};

/// What an application's state comes to at one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateDigest {
    /// The state is that after this entry.
    pub index: Index,
    /// How the state was written down; digests of different formats say nothing of each other.
    pub format: u64,
    /// A hash of it.
    pub hash: u64,
}

impl Raft {
    /// Sends a digest in the current term. It may be lost, as any message. The receiver gives it out
    /// as [`crate::Output::Digest`] if it is of that term, too, and the membership knows the sender.
    pub fn send_digest(&mut self, to: NodeId, digest: StateDigest) {
        if !self.halted && to != self.config.id {
            self.send(to, Body::Digest(digest));
        }
    }
}
