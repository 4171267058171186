//! The steps that the world can take, and how they read in a path.

use core::fmt;
use std::sync::Arc;

use quorate_raft::{AppendOutcome, Body, Entry, Message, NodeId, Payload, SnapshotOutcome};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A message arrives.
    Deliver(Arc<Message>),
    /// A message arrives, and a copy of it stays under way.
    Duplicate(Arc<Message>),
    /// The election timer of a node that does not lead fires.
    Timeout(NodeId),
    /// A node is told to campaign now.
    Campaign(NodeId),
    /// A leader's heartbeat is due.
    Heartbeat(NodeId),
    /// A leader has heard nothing for an election timeout, and its timer fires.
    Silence(NodeId),
    /// An election timeout passes on this node's clock, and no timer fires.
    Lapse(NodeId),
    /// Half an election timeout passes for all.
    Tick,
    /// The same for all but this node, whose clock stood still. It is told.
    Freeze(NodeId),
    /// The round of writes under way is durable.
    Persisted(NodeId),
    /// The node crashes, loses the round of writes under way, and starts again.
    Crash(NodeId),
    /// The node crashes after its round of writes became durable and before it was told, and starts
    /// again.
    CrashAfterWrite(NodeId),
    /// A client proposes a command to this leader.
    Propose(NodeId),
    /// A client asks this node for a read.
    Read(NodeId),
    /// This leader is asked for the next change of the membership.
    Change(NodeId),
    /// This leader is asked to hand leadership over.
    Transfer(NodeId, NodeId),
    /// The node makes a snapshot of what it has applied, and drops the log up to there.
    Snapshot(NodeId),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(message) => write!(f, "{}", Line(message)),
            Self::Duplicate(message) => write!(f, "{}, of which a copy stays", Line(message)),
            Self::Timeout(node) => write!(f, "{node}: the election timer fires"),
            Self::Campaign(node) => write!(f, "{node}: told to campaign now"),
            Self::Heartbeat(node) => write!(f, "{node}: a heartbeat is due"),
            Self::Silence(node) => write!(f, "{node}: no answers for an election timeout"),
            Self::Lapse(node) => write!(f, "{node}: an election timeout passes"),
            Self::Tick => write!(f, "half an election timeout passes"),
            Self::Freeze(node) => write!(f, "half an election timeout passes, but not on {node}"),
            Self::Persisted(node) => write!(f, "{node}: the write is durable"),
            Self::Crash(node) => write!(f, "{node}: crashes and starts again"),
            Self::CrashAfterWrite(node) => {
                write!(f, "{node}: the write is durable, crashes and starts again")
            }
            Self::Propose(node) => write!(f, "{node}: a client proposes"),
            Self::Read(node) => write!(f, "{node}: a client asks for a read"),
            Self::Change(node) => write!(f, "{node}: asked to change the membership"),
            Self::Transfer(node, to) => write!(f, "{node}: asked to hand over to {to}"),
            Self::Snapshot(node) => write!(f, "{node}: makes a snapshot"),
        }
    }
}

impl Action {
    /// The node that the step happens to; `None`: to all.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Tick => None,
            Self::Deliver(message) | Self::Duplicate(message) => Some(message.to),
            Self::Timeout(node)
            | Self::Campaign(node)
            | Self::Heartbeat(node)
            | Self::Silence(node)
            | Self::Lapse(node)
            | Self::Freeze(node)
            | Self::Persisted(node)
            | Self::Crash(node)
            | Self::CrashAfterWrite(node)
            | Self::Propose(node)
            | Self::Read(node)
            | Self::Change(node)
            | Self::Transfer(node, _)
            | Self::Snapshot(node) => Some(*node),
        }
    }
}

/// A message on one line.
pub struct Line<'a>(pub &'a Message);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message {
            from,
            to,
            term,
            body,
            storage: _,
        } = self.0;
        write!(f, "{from} ▶ {to} {term} ")?;
        match body {
            Body::PreVote { last } => write!(f, "PreVote last {last}"),
            Body::PreVoteResponse { granted } => write!(f, "PreVoteResponse {}", word(*granted)),
            Body::RequestVote { last, .. } => write!(f, "RequestVote last {last}"),
            Body::RequestVoteResponse { granted } => {
                write!(f, "RequestVoteResponse {}", word(*granted))
            }
            Body::AppendEntries {
                prev,
                commit,
                entries,
            } => {
                write!(
                    f,
                    "AppendEntries prev {prev} commit {commit} {}",
                    Entries(entries)
                )
            }
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => {
                write!(f, "AppendEntriesResponse matched {matched}")
            }
            Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint }) => {
                write!(f, "AppendEntriesResponse rejected {prev} hint {hint}")
            }
            Body::Heartbeat { commit, round } => match round {
                Some(round) => write!(f, "Heartbeat commit {commit} round {round}"),
                None => write!(f, "Heartbeat commit {commit}"),
            },
            Body::HeartbeatResponse { round } => write!(f, "HeartbeatResponse round {round}"),
            Body::InstallSnapshot {
                meta, number, done, ..
            } => {
                let end = if *done { ", the last" } else { "" };
                write!(f, "InstallSnapshot {} chunk {number}{end}", meta.last)
            }
            Body::InstallSnapshotResponse { snapshot, outcome } => match outcome {
                SnapshotOutcome::Continue { next } => {
                    write!(f, "InstallSnapshotResponse {snapshot} next {next}")
                }
                SnapshotOutcome::Installed { matched } => {
                    write!(f, "InstallSnapshotResponse {snapshot} matched {matched}")
                }
            },
            Body::ReadIndex { ctx } => write!(f, "ReadIndex {ctx}"),
            Body::ReadIndexResponse { ctx, index } => {
                write!(f, "ReadIndexResponse {ctx} index {index}")
            }
            Body::Digest(digest) => write!(f, "{digest:?}"),
            Body::Sleep { last, round } => write!(f, "Sleep last {last} round {round}"),
            Body::SleepResponse { round } => write!(f, "SleepResponse round {round}"),
            Body::TimeoutNow => write!(f, "TimeoutNow"),
        }
    }
}

fn word(granted: bool) -> &'static str {
    if granted { "granted" } else { "refused" }
}

/// Entries on one line; `·` marks one that opens a term, `‖` a joint membership, `*` another one, a
/// letter a command.
pub struct Entries<'a>(pub &'a [Entry]);

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (at, entry) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            let mark = match &entry.payload {
                Payload::Noop => '·',
                Payload::Membership(conf_state) if conf_state.is_joint() => '‖',
                Payload::Membership(_) => '*',
                Payload::Command(data) => char::from(b'a' + data.first().copied().unwrap_or(25)),
            };
            write!(f, "{space}{}{mark}", entry.id)?;
        }
        write!(f, "]")
    }
}
