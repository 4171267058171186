//! An open call of a client: what it asks, until when, and the attempts made.

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};

use crate::request::{ReadAt, RequestId, SessionId};

#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: OpenKind,
    pub(super) deadline: Instant,
    /// The attempt under way.
    pub(super) attempt: Option<Attempt>,
    /// The latest attempts, for late answers.
    pub(super) requests: Vec<RequestId>,
    /// An attempt ended without saying whether it took effect.
    pub(super) uncertain: bool,
}

#[derive(Debug)]
pub(super) enum OpenKind {
    /// The client's own.
    OpenSession,
    Write {
        command: Bytes,
        number: Option<(SessionId, u64)>,
    },
    Propose {
        command: Bytes,
    },
    Read {
        query: Bytes,
        at: ReadAt,
    },
}

impl OpenKind {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::OpenSession => 0,
            Self::Write { command: body, .. }
            | Self::Propose { command: body }
            | Self::Read { query: body, .. } => body.len(),
        }
    }

    /// Who answers it, if it is a read.
    fn at(&self) -> Option<ReadAt> {
        match self {
            Self::Read { at, .. } => Some(*at),
            Self::OpenSession | Self::Write { .. } | Self::Propose { .. } => None,
        }
    }

    /// Whether its node may let it wait.
    pub(super) fn is_watch(&self) -> bool {
        self.at() == Some(ReadAt::Watch)
    }

    /// Whether any node answers it: its answer does not tell who leads.
    pub(super) fn is_for_any_node(&self) -> bool {
        matches!(self.at(), Some(ReadAt::Local | ReadAt::Watch))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) request: RequestId,
    pub(super) to: NodeId,
    pub(super) began: Instant,
    pub(super) expires: Instant,
}
