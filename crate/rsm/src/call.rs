//! What a client takes and gives: its settings, the calls, and how they end.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use quorate_raft::NodeId;

use crate::interface::PARK_TIMEOUT;
use crate::request::{ReadAt, Reply, Request};

/// Settings of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The nodes to try first.
    pub nodes: Vec<NodeId>,
    /// Calls open at a time. Default 4,096.
    pub max_pending: usize,
    /// Bytes of the calls open at a time; one call may have more. Default 64 MiB.
    pub max_pending_bytes: usize,
    /// Writes under way at a time; more wait here. At most the nodes' session window. Default 512.
    pub window: u64,
    /// Bytes of calls under way at a time; one call may have more. What a leader cannot take within
    /// `attempt_timeout` would be sent again and again, and never get through. Default 4 MiB.
    pub window_bytes: usize,
    /// An attempt whose node answers nothing for this long, or this attempt for four times as long, is
    /// repeated elsewhere. Default 1 s.
    pub attempt_timeout: Duration,
    /// How long nodes let a query wait ([`ReadAt::Watch`]): an attempt at one has so much longer.
    /// Default 5 s.
    pub park_timeout: Duration,
    /// Shortest pause before another try when no leader is known. Default 10 ms.
    pub backoff_min: Duration,
    /// Who answers reads that do not say. Default: the leader.
    pub read_at: ReadAt,
    /// Longest such pause: how late a new leader may be noticed. Default 100 ms.
    pub backoff_max: Duration,
}

impl ClientConfig {
    /// The defaults for a cluster of `nodes`.
    #[must_use]
    pub fn new(nodes: Vec<NodeId>) -> Self {
        Self {
            nodes,
            max_pending: 4_096,
            max_pending_bytes: 64 << 20,
            window: 512,
            window_bytes: 4 << 20,
            attempt_timeout: Duration::from_secs(1),
            park_timeout: PARK_TIMEOUT,
            read_at: ReadAt::default(),
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(100),
        }
    }
}

/// The client's name for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Execute a command of the machine, once.
    Write(Bytes),
    /// Execute a command of the machine at least once, outside of the session: it is repeated until it is answered. For commands that do nothing
    /// a second time.
    Propose(Bytes),
    /// Answer a query of the machine, in the way of [`ClientConfig::read_at`].
    Read(Bytes),
    /// Answer a query of the machine, in this way. What any node can answer goes to the one that the
    /// client asks for everything.
    ReadAt {
        /// The query.
        query: Bytes,
        /// By whom, and from which state.
        at: ReadAt,
    },
}

/// An event for [`Client::handle`](crate::Client::handle).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientInput {
    /// A node answered.
    Reply {
        /// Which one.
        from: NodeId,
        /// Its answer.
        reply: Reply,
    },
    /// A node can be reached again, or is new. Those of the settings can at the start.
    NodeUp {
        /// Which one.
        node: NodeId,
    },
    /// A node is gone, and with it whatever it was asked.
    NodeDown {
        /// Which one.
        node: NodeId,
    },
    /// A node leads, by the word of somebody who sees them all: it is asked next, and at once. A hint, which may be wrong.
    Leads {
        /// Which one.
        node: NodeId,
    },
    /// The caller lost interest.
    Cancel {
        /// In this call.
        call: CallId,
    },
    /// The deadline of [`Client::next_timeout`](crate::Client::next_timeout) may have passed.
    TimerFired,
    /// End every call, and the session.
    Close,
}

/// An effect from [`Client::poll_output`](crate::Client::poll_output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Deliver these, if possible. Losing them is safe.
    Send {
        /// To this node.
        to: NodeId,
        /// In this order.
        requests: Vec<Request>,
    },
    /// A call has ended.
    Done {
        /// Which one.
        call: CallId,
        /// The machine's reply, or why there is none.
        result: Result<Bytes, CallError>,
    },
}

/// Whether a write that ended without an answer can have taken effect. A read has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did not, and never will.
    NotApplied,
    /// It may have, or may yet.
    Unknown,
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No answer in time: there may be no quorum.
    DeadlineExceeded {
        /// What became of it.
        outcome: Outcome,
    },
    /// The session ended between attempts, and with it the knowledge of what they did.
    SessionExpired {
        /// What became of it.
        outcome: Outcome,
    },
    /// A node finds the command too large. One with another limit may have taken it before.
    TooLarge {
        /// The limit in bytes.
        limit: u32,
        /// What became of it.
        outcome: Outcome,
    },
    /// Too many calls are open; this one was not begun.
    TooManyCalls,
    /// The caller lost interest.
    Cancelled {
        /// What became of it.
        outcome: Outcome,
    },
    /// The client was closed.
    Closed {
        /// What became of it.
        outcome: Outcome,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlineExceeded { .. } => write!(f, "no answer before the deadline"),
            Self::SessionExpired { .. } => write!(f, "the session ended between two attempts"),
            Self::TooLarge { limit, .. } => write!(f, "the command exceeds {limit} bytes"),
            Self::TooManyCalls => write!(f, "too many calls are open"),
            Self::Cancelled { .. } => write!(f, "cancelled"),
            Self::Closed { .. } => write!(f, "the client is closed"),
        }
    }
}

impl core::error::Error for CallError {}
