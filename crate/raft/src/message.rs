//! What nodes say to each other: the paper's calls and answers, spelled out.

use bytes::Bytes;

use crate::digest::StateDigest;
use crate::entry::{Entry, SnapshotMeta};
use crate::types::{EntryId, Index, NodeId, StorageId, Term};

/// One message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's storage: an answer counts only from the storage that the membership names.
    pub storage: StorageId,
    /// The sender's term. A pre-vote request and its grant carry the term asked for instead.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Would you vote for me? (thesis §9.6). Changes nothing at the receiver.
    PreVote {
        /// The asker's last entry.
        last: EntryId,
    },
    /// Answer to [`Body::PreVote`].
    PreVoteResponse {
        /// Whether it would.
        granted: bool,
    },
    /// §5.2.
    RequestVote {
        /// The candidate's last entry.
        last: EntryId,
        /// The leader asked for this election, so a fresh leader is no reason to refuse.
        transfer: bool,
    },
    /// Answer to [`Body::RequestVote`].
    RequestVoteResponse {
        /// Whether the vote was given.
        granted: bool,
    },
    /// §5.3.
    AppendEntries {
        /// The entry before `entries`.
        prev: EntryId,
        /// The leader's commit index.
        commit: Index,
        /// Consecutive entries; may be empty (a probe).
        entries: Vec<Entry>,
    },
    /// Answer to [`Body::AppendEntries`], sent when what it claims is durable.
    AppendEntriesResponse(AppendOutcome),
    /// I lead, and this is committed as far as you have it.
    Heartbeat {
        /// At most what the receiver is known to have.
        commit: Index,
        /// The read round to confirm. `None`: a commit notice that wants no answer.
        round: Option<u64>,
    },
    /// Answer to [`Body::Heartbeat`].
    HeartbeatResponse {
        /// The round of the heartbeat.
        round: u64,
    },
    /// §7, one chunk.
    InstallSnapshot {
        /// Which snapshot.
        meta: Box<SnapshotMeta>,
        /// The chunk's number, from zero.
        number: u32,
        /// Whether this is the last chunk.
        done: bool,
        /// Its bytes.
        data: Bytes,
    },
    /// Answer to [`Body::InstallSnapshot`].
    InstallSnapshotResponse {
        /// Index of the snapshot spoken of.
        snapshot: Index,
        /// Which chunk to send next; `None` once the log matches up to `matched`.
        outcome: SnapshotOutcome,
    },
    /// Campaign now, without waiting (thesis §3.10).
    TimeoutNow,
    /// What must a read see that came to me? Asked by a follower (thesis §6.4.1).
    ReadIndex {
        /// The asker's name for the question.
        ctx: u64,
    },
    /// Answer to [`Body::ReadIndex`], once the leader's leadership is confirmed.
    ReadIndexResponse {
        /// The question's name.
        ctx: u64,
        /// The read index.
        index: Index,
    },
    /// To a leader: what the sender's state comes to. From a leader: what it should.
    Digest(StateDigest),
    /// A heartbeat of a leader that has nothing to do: whoever has the same log need not expect another.
    Sleep {
        /// The leader's last entry: it is of this term, and committed.
        last: Index,
        /// The read round to confirm.
        round: u64,
    },
    /// Answer to [`Body::Sleep`]: the same is here, and no election will time out. Who has something
    /// else answers as to a heartbeat.
    SleepResponse {
        /// The round told.
        round: u64,
    },
}

impl Body {
    /// Whether it may count towards a quorum, and so must be of a storage that the membership knows.
    pub(crate) fn is_answer(&self) -> bool {
        match self {
            Self::PreVoteResponse { .. }
            | Self::RequestVoteResponse { .. }
            | Self::AppendEntriesResponse(_)
            | Self::HeartbeatResponse { .. }
            | Self::InstallSnapshotResponse { .. }
            | Self::SleepResponse { .. }
            | Self::Digest(_) => true,
            Self::PreVote { .. }
            | Self::RequestVote { .. }
            | Self::AppendEntries { .. }
            | Self::Heartbeat { .. }
            | Self::Sleep { .. }
            | Self::InstallSnapshot { .. }
            | Self::TimeoutNow
            | Self::ReadIndex { .. }
            | Self::ReadIndexResponse { .. } => false,
        }
    }
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppendOutcome {
    /// The log equals the leader's up to here, durably.
    Accepted {
        /// Last matching index.
        matched: Index,
    },
    /// `prev` is not in the log.
    Rejected {
        /// The refused `prev`.
        prev: Index,
        /// The latest own entry that could match: the leader looks no further up than this.
        hint: EntryId,
    },
}

/// What came of a snapshot chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotOutcome {
    /// Send this chunk next.
    Continue {
        /// Its number.
        next: u32,
    },
    /// The state up to `matched` is durable here.
    Installed {
        /// Last matching index.
        matched: Index,
    },
}
