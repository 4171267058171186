//! What can be refused, and with what evidence.

use core::fmt;

use crate::types::{Index, NodeId};

/// Why a proposal was not taken. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposeError {
    /// Ask the leader; `hint` is the last one heard from.
    NotLeader {
        /// Where to try.
        hint: Option<NodeId>,
    },
    /// Too many uncommitted bytes; try again after some have committed.
    Dropped,
    /// Leadership is being handed over.
    Transferring {
        /// To this node.
        to: NodeId,
    },
}

/// Why leadership was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// Ask the leader; `hint` is the last one heard from.
    NotLeader {
        /// Where to try.
        hint: Option<NodeId>,
    },
    /// The target has no vote, or is to lose it.
    NotVoter(NodeId),
    /// It is being handed over to this node already.
    Pending(NodeId),
}

/// Why a read was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Ask the leader; `hint` is the last one heard from.
    NotLeader {
        /// Where to try.
        hint: Option<NodeId>,
    },
    /// Too many reads are waiting already; try again later.
    Dropped,
}

/// Why an input other than a message was not accepted: the host broke the law of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// `Persisted` named a round that is not the one under way.
    UnexpectedPersisted {
        /// The number given.
        seq: u64,
        /// The one under way, if any.
        expected: Option<u64>,
    },
    /// A snapshot was reported that is not of the applied, or is older than the last.
    UnexpectedSnapshot {
        /// Index given.
        index: Index,
    },
    /// The node has halted after a failed write.
    Halted,
}

/// Why stored state cannot be a Raft node's state. The node must not start (fail-stop).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorruptState {
    /// The settings make no sense.
    Config(&'static str),
    /// An entry is missing or out of order.
    Gap {
        /// Index expected here.
        expected: Index,
        /// Index found.
        found: Index,
    },
    /// Terms fall along the log, or exceed the stored term.
    Term {
        /// Where.
        index: Index,
    },
    /// The snapshot does not touch the log.
    Snapshot {
        /// Its index.
        index: Index,
    },
    /// The stored commit index lies outside `[snapshot, last]`.
    Commit {
        /// The index.
        index: Index,
    },
    /// The membership has no voter, or contradicts itself.
    Membership {
        /// Where.
        index: Index,
    },
}

impl fmt::Display for CorruptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(what) => write!(f, "the configuration is wrong: {what}"),
            Self::Gap { expected, found } => {
                write!(
                    f,
                    "the stored log has entry {found} where {expected} belongs"
                )
            }
            Self::Term { index } => write!(f, "the term of stored entry {index} is out of order"),
            Self::Snapshot { index } => {
                write!(f, "the stored snapshot at {index} does not touch the log")
            }
            Self::Commit { index } => write!(f, "the stored commit index {index} is out of range"),
            Self::Membership { index } => {
                write!(f, "the stored membership at {index} makes no sense")
            }
        }
    }
}

impl core::error::Error for CorruptState {}
