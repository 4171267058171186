//! Entries, snapshots, and what must be durable: the things a log is made of.

use std::sync::Arc;

use bytes::Bytes;

use crate::quorum::ConfState;
use crate::types::{EntryId, Index, NodeId, Term};

/// One record of the replicated log (§5.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// What it says.
    pub payload: Payload,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// A new leader's first entry (§8). Has size zero, so no quota refuses it.
    Noop,
    /// A command for the state machine, opaque here.
    Command(Bytes),
    /// The membership from here on, in force as soon as it is in the log (§6). Has size zero.
    Membership(Arc<ConfState>),
}

impl Entry {
    /// Payload bytes, the unit of every byte limit in this crate.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match &self.payload {
            Payload::Noop | Payload::Membership(_) => 0,
            Payload::Command(data) => data.len(),
        }
    }
}

/// What §5 keeps on stable storage beside the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// Latest term seen.
    pub term: Term,
    /// The node voted for in `term`.
    pub vote: Option<NodeId>,
}

/// The state that replaces a log prefix (§7), named but not held: the bytes travel in chunks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotMeta {
    /// The last entry the snapshot covers. [`EntryId::ZERO`] for the start of a new cluster.
    pub last: EntryId,
    /// The membership as of `last`.
    pub conf_state: Arc<ConfState>,
}

/// One piece of a snapshot's bytes, numbered from zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotChunk {
    /// Index of the snapshot it belongs to.
    pub snapshot: Index,
    /// Its number.
    pub number: u32,
    /// The bytes.
    pub data: Bytes,
}

/// The record that makes a snapshot count: written after its last chunk, in the same or a later
/// round of writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotManifest {
    /// What it covers.
    pub meta: SnapshotMeta,
    /// How many chunks it has.
    pub chunks: u32,
    /// Where the log begins once this is durable: entries up to and including this one go.
    pub log_start: EntryId,
    /// Whether the log after `log_start` goes too (the snapshot came from a leader whose history
    /// the log does not share).
    pub clear_log: bool,
}

/// One round of writes, atomic and durable as a whole.
///
/// The host writes it and answers `Persisted { seq }` once. There is never a second one before that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PersistBatch {
    /// Counts rounds from 1.
    pub seq: u64,
    /// Replaces the stored hard state.
    pub hard_state: Option<HardState>,
    /// Commit index as known now. A hint for restart; it needs no write of its own.
    pub commit: Index,
    /// Replace everything stored at and above the first one's index.
    pub entries: Vec<Entry>,
    /// Pieces of a snapshot that is not yet complete.
    pub chunks: Vec<SnapshotChunk>,
    /// Completes a snapshot: older ones, and chunks of others, can go.
    pub snapshot: Option<Box<SnapshotManifest>>,
}

/// What the host found in storage when the node starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Restored {
    /// The last durable hard state; default for a new node.
    pub hard_state: HardState,
    /// Highest commit index that was stored.
    pub commit: Index,
    /// The latest complete snapshot; for a new cluster, id zero and the first membership.
    pub snapshot: SnapshotMeta,
    /// The entry before the first of `entries`.
    pub log_start: EntryId,
    /// The log, without gaps. It may begin before the snapshot's end, kept for slow followers.
    pub entries: Vec<Entry>,
}

impl Restored {
    /// A node that has never run, in a cluster of `conf_state`. With an empty one it knows of no
    /// cluster: it neither votes nor campaigns, and waits for a leader to whom it was added.
    #[must_use]
    pub fn fresh(conf_state: ConfState) -> Self {
        Self {
            hard_state: HardState::default(),
            commit: Index(0),
            snapshot: SnapshotMeta {
                last: EntryId::ZERO,
                conf_state: Arc::new(conf_state),
            },
            log_start: EntryId::ZERO,
            entries: Vec::new(),
        }
    }
}
