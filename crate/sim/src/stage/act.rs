//! What whoever watches a world can do to it.

use core::fmt;

use quorate_raft::NodeId;

use crate::digest::Digest;

/// Something done between two events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The node crashes.
    Crash(NodeId),
    /// It starts again.
    Start(NodeId),
    /// It does nothing, while its clock goes on.
    Pause(NodeId),
    /// A paused node goes on.
    Resume(NodeId),
    /// It does nothing, and its clock stands.
    Freeze(NodeId),
    /// A frozen node goes on, and finds out.
    Thaw(NodeId),
    /// It crashes, and its storage is gone.
    Evict(NodeId),
    /// Its election timer fires.
    TimeOut(NodeId),
    /// The leader hands over to it.
    Transfer(NodeId),
    /// It leaves the membership.
    Remove(NodeId),
    /// It loses its vote.
    Demote(NodeId),
    /// All get their votes back.
    Restore,
    /// Nothing passes in one direction of a link.
    Cut {
        /// Who sends.
        from: NodeId,
        /// Who gets nothing.
        to: NodeId,
    },
    /// It passes again.
    Mend {
        /// Who sends.
        from: NodeId,
        /// Who receives.
        to: NodeId,
    },
    /// What passes in one direction takes longer.
    Slow {
        /// Who sends.
        from: NodeId,
        /// Who waits.
        to: NodeId,
        /// By so many milliseconds.
        ms: u64,
    },
    /// Some of what passes in one direction is lost.
    Lossy {
        /// Who sends.
        from: NodeId,
        /// Who lacks some.
        to: NodeId,
        /// Of a thousand frames.
        permille: u64,
    },
    /// All faults of the network end.
    Heal,
    /// A message under way is lost.
    Lose(u64),
    /// A message under way arrives now.
    Deliver(u64),
    /// A client asks for something.
    Call(Asked),
}

/// What a client is told to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which one, from 1 on.
    pub client: u64,
    /// What.
    pub op: Op,
    /// Of which key.
    pub key: String,
    /// The value of a put, append or swap, or how much is added.
    pub value: Option<String>,
    /// What a swap expects; none: that there is no such key.
    pub expected: Option<String>,
    /// How long the call may take.
    pub timeout_ms: u64,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The value.
    Get,
    /// To store one.
    Put,
    /// To add to its end.
    Append,
    /// To add to a number.
    Increment,
    /// To remove it.
    Delete,
    /// To store one if it is as expected.
    Cas,
}

/// An act at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedAct {
    /// Right after this event.
    pub after: u64,
    /// What is done.
    pub act: Act,
}

impl Act {
    /// The nodes that it names.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Crash(id)
            | Self::Start(id)
            | Self::Pause(id)
            | Self::Resume(id)
            | Self::Freeze(id)
            | Self::Thaw(id)
            | Self::Evict(id)
            | Self::TimeOut(id)
            | Self::Transfer(id)
            | Self::Remove(id)
            | Self::Demote(id) => vec![*id],
            Self::Cut { from, to }
            | Self::Mend { from, to }
            | Self::Slow { from, to, .. }
            | Self::Lossy { from, to, .. } => vec![*from, *to],
            Self::Restore | Self::Heal | Self::Lose(_) | Self::Deliver(_) | Self::Call(_) => {
                Vec::new()
            }
        }
    }

    /// A fingerprint.
    #[must_use]
    pub fn digest(&self) -> u64 {
        Digest::of(self.to_string().as_bytes())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(id) => write!(f, "crash {id}"),
            Self::Start(id) => write!(f, "start {id}"),
            Self::Pause(id) => write!(f, "pause {id}"),
            Self::Resume(id) => write!(f, "resume {id}"),
            Self::Freeze(id) => write!(f, "freeze {id}"),
            Self::Thaw(id) => write!(f, "thaw {id}"),
            Self::Evict(id) => write!(f, "evict {id}"),
            Self::TimeOut(id) => write!(f, "time out {id}"),
            Self::Transfer(id) => write!(f, "hand over to {id}"),
            Self::Remove(id) => write!(f, "remove {id}"),
            Self::Demote(id) => write!(f, "demote {id}"),
            Self::Restore => write!(f, "restore members"),
            Self::Cut { from, to } => write!(f, "cut {from} to {to}"),
            Self::Mend { from, to } => write!(f, "mend {from} to {to}"),
            Self::Slow { from, to, ms } => write!(f, "slow {from} to {to} by {ms} ms"),
            Self::Lossy { from, to, permille } => {
                write!(f, "lose {permille} of 1000 from {from} to {to}")
            }
            Self::Heal => write!(f, "heal the network"),
            Self::Lose(flight) => write!(f, "lose message {flight}"),
            Self::Deliver(flight) => write!(f, "deliver message {flight}"),
            Self::Call(asked) => write!(f, "client {} asks {asked}", asked.client),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.op, self.key)?;
        for given in [&self.expected, &self.value].into_iter().flatten() {
            write!(f, " {given:?}")?;
        }
        Ok(())
    }
}
