//! A picture of a node, for pages, tests and checkers. Made on request; nothing reads it back.

use std::sync::Arc;

use crate::output::RoleKind;
use crate::quorum::ConfState;
use crate::types::{EntryId, Index, NodeId, StorageId, Term};

/// Everything a picture of the node needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// Current term.
    pub term: Term,
    /// Vote in the current term.
    pub vote: Option<NodeId>,
    /// Role.
    pub role: RoleKind,
    /// The leader of the current term, if known.
    pub leader: Option<NodeId>,
    /// Commit index.
    pub commit: Index,
    /// Applied index.
    pub applied: Index,
    /// Last entry of the log.
    pub last: EntryId,
    /// Last durable index.
    pub persisted: Index,
    /// The entry before the first one kept.
    pub log_start: EntryId,
    /// The latest durable snapshot.
    pub snapshot: EntryId,
    /// This node's storage.
    pub storage: StorageId,
    /// Membership in force.
    pub conf_state: Arc<ConfState>,
    /// Where it stands in the log; zero for the first one.
    pub conf_index: Index,
    /// To whom this leader is handing over.
    pub transferring: Option<NodeId>,
    /// A leader's view of the others; empty elsewhere.
    pub peers: Vec<PeerStatus>,
    /// Whether a write failed and the node has stopped.
    pub halted: bool,
    /// Whether it says nothing, and lets no election time out, until there is something to do.
    pub asleep: bool,
}

/// A leader's view of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Which one.
    pub id: NodeId,
    /// Known to match, durably.
    pub matched: Index,
    /// Next index to send.
    pub next: Index,
    /// How entries are sent to it.
    pub mode: ProgressMode,
    /// Unacknowledged appends.
    pub inflight: usize,
    /// It answers with a storage that is not the one recorded: it is amnesiac.
    pub amnesiac: Option<StorageId>,
}

/// The name of a progress state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// Looking for the last common entry, one message at a time.
    Probe,
    /// Pipelining.
    Replicate,
    /// Sending a snapshot.
    Snapshot,
}
