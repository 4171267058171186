//! Inputs and outputs: everything that crosses the border of the core.

use bytes::Bytes;

use crate::digest::StateDigest;
use crate::entry::{PersistBatch, SnapshotChunk, SnapshotMeta};
use crate::message::Message;
use crate::types::{Index, NodeId, Term};

/// An event for [`crate::Raft::handle`]. Proposals and reads have verbs of their own, because they
/// answer at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message arrived.
    Message(Message),
    /// The round of writes `seq` is durable.
    Persisted {
        /// The batch's number.
        seq: u64,
    },
    /// The round of writes failed: the node halts and says nothing more.
    PersistFailed,
    /// The deadline of [`crate::Raft::next_timeout`] may have passed.
    TimerFired,
    /// A chunk of a snapshot of the own machine, to be stored.
    SnapshotChunk(SnapshotChunk),
    /// All chunks of the own snapshot were given: it may replace the log up to `compact_to`.
    SnapshotReady {
        /// Index the snapshot covers; at most the applied index.
        index: Index,
        /// How many chunks.
        chunks: u32,
        /// Drop the log up to here, at most `index`; what is kept serves slow followers.
        compact_to: Index,
    },
    /// A chunk that [`Output::SendSnapshot`] asked for, to be sent.
    SnapshotData {
        /// Which follower.
        to: NodeId,
        /// Index of the snapshot.
        snapshot: Index,
        /// Chunk number.
        number: u32,
        /// Whether it is the last.
        done: bool,
        /// Its bytes.
        data: Bytes,
    },
    /// The host found that its clock had stopped for a while, as that of a frozen tab may: whatever
    /// rests on time that has not passed is void.
    ClockStopped,
    /// The host has a connection to a peer, and had none. A leader that sleeps speaks to all: the peer may be one that knows of
    /// no leader, and cannot ask.
    Reachable,
    /// The host lost the connection to a peer, or knows that its run is over: pipelined appends are lost, and who followed it
    /// asks at once whether it could lead. A hint, which may be wrong; but where groups sleep ([`crate::Config::quiesce_after`])
    /// nobody else tells a follower that its leader has ended.
    Unreachable {
        /// Which one.
        peer: NodeId,
    },
}

/// An effect from [`crate::Raft::poll_output`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Write this round, then report it as `Persisted`.
    Persist(PersistBatch),
    /// Deliver this message, if possible.
    Send(Message),
    /// These entries are committed: apply them in order. [`crate::Raft::entry`] has each, until the host compacts it.
    Apply {
        /// The first of them.
        first: Index,
        /// The last of them.
        last: Index,
    },
    /// Give the chunk `number` of the snapshot at `snapshot` back as [`Input::SnapshotData`].
    SendSnapshot {
        /// For which follower.
        to: NodeId,
        /// Index of the snapshot.
        snapshot: Index,
        /// Chunk number.
        number: u32,
    },
    /// A chunk of a leader's snapshot arrived, in order; number zero starts a new one.
    ReceiveSnapshot(SnapshotChunk),
    /// The chunks received make this snapshot: it replaces the machine's state.
    Restore(SnapshotMeta),
    /// The read `ctx` may be answered from a machine that has applied `index`.
    ReadReady {
        /// The caller's name for the read.
        ctx: u64,
        /// The read index.
        index: Index,
    },
    /// A node of the membership sent this in the current term.
    Digest {
        /// Which node.
        from: NodeId,
        /// What it sent.
        digest: StateDigest,
    },
    /// The role, term or known leader changed. On leaving leadership every open read is void, and
    /// every open proposal has an unknown outcome.
    RoleChanged {
        /// The role now.
        role: RoleKind,
        /// The term now.
        term: Term,
        /// The leader, if known.
        leader: Option<NodeId>,
    },
}

/// The name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it could win.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}
