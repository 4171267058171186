//! What a node is doing, with the state that only exists while it does it.

use crate::output::RoleKind;
use crate::progress::Progress;
use crate::read_index::Reads;
use crate::sleep::Sleep;
use crate::table::Table;
use crate::transfer::Transfer;
use crate::types::{Index, Instant, NodeId};

#[derive(Clone, Debug, Hash)]
pub(crate) enum Role {
    Follower(Follower),
    PreCandidate(Campaign),
    Candidate(Campaign),
    Leader(Leader),
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Follower {
    /// The leader of this term and when it was last heard.
    pub(crate) leader: Option<(NodeId, Instant)>,
    /// When to campaign, unless it sleeps.
    pub(crate) deadline: Instant,
    /// The leader told it to sleep, in this round.
    pub(crate) asleep: Option<u64>,
}

/// A ballot under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Campaign {
    /// One vote each, so that a repeated answer counts once.
    pub(crate) votes: Table<NodeId, bool>,
    /// When to try again.
    pub(crate) deadline: Instant,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Leader {
    /// Every member but this node.
    pub(crate) progress: Table<NodeId, Progress>,
    pub(crate) heartbeat_deadline: Instant,
    /// Payload bytes of own-term entries that are not committed.
    pub(crate) uncommitted_bytes: usize,
    /// The entry that opened the term: reads wait for its commit.
    pub(crate) noop: Index,
    pub(crate) reads: Reads,
    /// Leadership is on its way to another node.
    pub(crate) transfer: Option<Transfer>,
    /// Someone was told to campaign in spite of this leader. It may do so at any time, so nothing
    /// that rests on being the only leader holds any more in this term.
    pub(crate) abdicated: bool,
    pub(crate) sleep: Sleep,
}

impl Follower {
    /// One that campaigns when the deadline has passed.
    pub(crate) fn new(leader: Option<(NodeId, Instant)>, deadline: Instant) -> Self {
        Self {
            leader,
            deadline,
            asleep: None,
        }
    }
}

impl Role {
    pub(crate) fn kind(&self) -> RoleKind {
        match self {
            Self::Follower(_) => RoleKind::Follower,
            Self::PreCandidate(_) => RoleKind::PreCandidate,
            Self::Candidate(_) => RoleKind::Candidate,
            Self::Leader(_) => RoleKind::Leader,
        }
    }
}
