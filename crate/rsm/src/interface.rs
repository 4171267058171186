//! What a node takes from its host and gives to it: settings, events, effects.

use core::time::Duration;
use std::sync::Arc;

use quorate_raft::{
    ConfState, Config, EntryId, Index, Message, NodeId, PersistBatch, RoleKind, Status, Term,
};

use crate::request::{ClientId, Reply, Request};
use crate::session::SessionLimits;

/// Settings of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Raft's own.
    pub raft: Config,
    /// A leader has all nodes take a snapshot after this many entries, or more if the last one was
    /// larger than they are; a node that hears of none takes one after twice as many. Default 10,000.
    pub snapshot_entries: u64,
    /// Or after this many bytes of commands, or as many as the last one had. Default 16 MiB.
    pub snapshot_bytes: u64,
    /// Keep up to this many entries behind a snapshot, for slow followers. Default 1,000.
    pub keep_entries: u64,
    /// But no more than this many bytes of them. Default 4 MiB.
    pub keep_bytes: usize,
    /// Size of a snapshot's chunks. Default 256 KiB.
    pub snapshot_chunk_bytes: usize,
    /// Requests waiting for an answer before further ones are refused. Default 65,536.
    pub max_waiting: usize,
    /// A query that waits for the state to have something to say ([`ReadAt::Watch`]) is answered
    /// after this long in any case. Clients know it as `ClientConfig::park_timeout`. Default 5 s.
    ///
    /// [`ReadAt::Watch`]: crate::ReadAt::Watch
    pub park_timeout: Duration,
    /// Largest command. Default 2 MiB.
    pub max_command_bytes: usize,
    /// Bounds on sessions; the same on all nodes.
    pub sessions: SessionLimits,
}

impl NodeConfig {
    /// The defaults for node `id`.
    #[must_use]
    pub fn new(id: NodeId) -> Self {
        Self {
            raft: Config::new(id),
            snapshot_entries: 10_000,
            snapshot_bytes: 16 << 20,
            keep_entries: 1_000,
            keep_bytes: 4 << 20,
            snapshot_chunk_bytes: 256 << 10,
            max_waiting: 65_536,
            park_timeout: PARK_TIMEOUT,
            max_command_bytes: 2 << 20,
            sessions: SessionLimits::default(),
        }
    }
}

/// How long a query waits for the state to have something to say.
pub(crate) const PARK_TIMEOUT: Duration = Duration::from_secs(5);

/// An event for [`Node::handle`](crate::Node::handle).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message of another node.
    Message(Message),
    /// A request of a client.
    Request {
        /// Over which connection.
        client: ClientId,
        /// What it asks.
        request: Request,
    },
    /// A client's connection is gone; its answers are of no use.
    ClientGone {
        /// Which one.
        client: ClientId,
    },
    /// The round of writes `seq` is durable.
    Persisted {
        /// The batch's number.
        seq: u64,
    },
    /// The round of writes failed: the node halts.
    PersistFailed,
    /// The deadline of [`Node::next_timeout`](crate::Node::next_timeout) may have passed.
    TimerFired,
    /// The host found that its clock had stopped for a while, as that of a frozen tab may.
    ClockStopped,
    /// There is a connection to a peer, and was none.
    Reachable,
    /// The connection to a peer was lost, or its run is over. Where groups sleep
    /// ([`Config::quiesce_after`]) a host must say so.
    Unreachable {
        /// Which one.
        peer: NodeId,
    },
}

/// An effect from [`Node::poll_output`](crate::Node::poll_output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this round, then report it as `Persisted`.
    Persist(PersistBatch),
    /// Deliver this message, if possible.
    Send(Message),
    /// Deliver these answers, if the connection still exists.
    Reply {
        /// Over which connection.
        client: ClientId,
        /// All answers of this drain.
        replies: Vec<Reply>,
    },
    /// The role, term or known leader changed.
    RoleChanged {
        /// The role now.
        role: RoleKind,
        /// The term now.
        term: Term,
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// A change of the membership was committed, or one step of it.
    MembershipChanged {
        /// Where it stands in the log.
        index: Index,
        /// The membership.
        conf_state: Arc<ConfState>,
    },
    /// The machine was replaced by a leader's snapshot.
    Restored {
        /// What it covers.
        snapshot: EntryId,
    },
    /// Told by a leader: a node's state is not what a majority has, or where no majority agrees, not
    /// what the leader has. The node was told, and halts.
    Diverged {
        /// Which node; it may be this one.
        node: NodeId,
        /// The states were compared after this entry.
        index: Index,
    },
    /// The node has stopped for good, and says nothing more.
    Halted(HaltCause),
}

/// Why a node stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltCause {
    /// A write failed: nothing more can be promised.
    PersistFailed,
    /// A leader's snapshot could not be read.
    BadSnapshot(&'static str),
    /// A committed entry could not be read: a newer version of the software wrote it, or an older
    /// one's fault did.
    BadEntry(EntryId),
    /// This node's state after this entry is not that of the others: the machine is not
    /// deterministic, or the state was damaged.
    Diverged(Index),
}

/// Why a node could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The stored log, or the configuration.
    Corrupt(quorate_raft::CorruptState),
    /// The stored snapshot.
    BadSnapshot(&'static str),
}

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Corrupt(corrupt) => corrupt.fmt(f),
            Self::BadSnapshot(what) => write!(f, "the stored snapshot cannot be read: {what}"),
        }
    }
}

impl core::error::Error for OpenError {}

/// A picture of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Raft's part.
    pub raft: Status,
    /// Open sessions.
    pub sessions: usize,
    /// Requests that wait for an answer.
    pub waiting: usize,
    /// Those of them that read, and are void when the role changes.
    pub reads: usize,
    /// Those of them that wait for the machine to have something to say.
    pub parked: usize,
    /// Command bytes of the log in memory.
    pub log_bytes: usize,
    /// Log time of the last applied command.
    pub time_ms: u64,
}
