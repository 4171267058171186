//! What clients and nodes say to each other.

use core::fmt;

use bytes::Bytes;
use quorate_raft::NodeId;

/// A connection of a client to this node, named by the host; never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A client's name for one request on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A client's exactly-once identity: the index of the entry that opened it, so no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Comes back in the reply.
    pub id: RequestId,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// Open a session; the reply is its id as eight little-endian bytes.
    OpenSession,
    /// End a session; the reply is empty.
    CloseSession {
        /// Which one.
        session: SessionId,
    },
    /// Execute a command exactly once per (session, sequence); the reply is the machine's.
    Write {
        /// The session.
        session: SessionId,
        /// The command's number in the session, from 1. A retry repeats it.
        sequence: u64,
        /// Every sequence up to this one was answered: its reply can be forgotten.
        acknowledged: u64,
        /// The command, opaque here.
        command: Bytes,
    },
    /// Execute a command as often as it is committed, which after a retry may be more than once: for
    /// machines that keep sessions of their own, and for commands that do nothing a second time.
    Propose {
        /// The command, opaque here.
        command: Bytes,
    },
    /// Answer a query, from a state as new as `at` says.
    Read {
        /// The query, opaque here.
        query: Bytes,
        /// By whom, and when.
        at: ReadAt,
    },
}

/// Who answers a read, and from which state. The first three ways are linearizable: the state is at
/// least as new as any answer given before the read was asked. The others answer from what the node
/// has applied, which may lag, and by any amount if the node is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadAt {
    /// The leader, once a quorum has confirmed that it still leads.
    #[default]
    Leader,
    /// The node that is asked, once the leader has told it what the answer must see.
    Here,
    /// The leader, without asking anyone while it holds a lease; else as `Leader`. Rests on clocks: see
    /// [`quorate_raft::Raft::lease_read`].
    Lease,
    /// The node that is asked, leader or not, at once and from its own state: a state that was, or
    /// is, everyone's.
    Local,
    /// The node that is asked, leader or not, from its own state once that has something to say
    /// ([`StateMachine::poll`](crate::StateMachine::poll)), or has had nothing to say for
    /// [`NodeConfig::park_timeout`](crate::NodeConfig::park_timeout).
    Watch,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request's.
    pub id: RequestId,
    /// The machine's reply, or why there is none.
    pub result: Result<Bytes, RequestError>,
}

/// Why a node did not answer a request. Each says whether the request can have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Not taken. Ask the leader.
    NotLeader {
        /// The leader, if this node knows one.
        hint: Option<NodeId>,
    },
    /// Taken, but leadership went before it committed: it may or may not take effect. Ask again
    /// with the same session and sequence.
    LeadershipLost {
        /// The leader, if this node knows one.
        hint: Option<NodeId>,
    },
    /// Not taken: too much is waiting. Try again later.
    Overloaded,
    /// The session is unknown: it expired, was closed, or was displaced by newer ones. Whether an
    /// earlier attempt took effect is no longer known; this one did not.
    SessionExpired,
    /// Not taken: the command is too large.
    TooLarge {
        /// The limit in bytes.
        limit: u32,
    },
    /// Not taken: the sequence is too far ahead of what the client acknowledged.
    WindowExceeded,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader; try {node}"),
            Self::NotLeader { hint: None } => write!(f, "not the leader"),
            Self::LeadershipLost { .. } => write!(f, "leadership was lost before the commit"),
            Self::Overloaded => write!(f, "too many requests are waiting"),
            Self::SessionExpired => write!(f, "the session is unknown or has expired"),
            Self::TooLarge { limit } => write!(f, "the command exceeds {limit} bytes"),
            Self::WindowExceeded => write!(f, "too many unacknowledged commands in the session"),
        }
    }
}

impl core::error::Error for RequestError {}
