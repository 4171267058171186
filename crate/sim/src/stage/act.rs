//! What whoever watches a world can do to it.

use core::fmt;

use bytes::Bytes;
use quorate_kv::{Command, Expected, Query};
use quorate_raft::NodeId;

use crate::checker::linearizability::Action;
use crate::digest::Digest;
use crate::workload::Wish;

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
    /// A group gets its part of the shards.
    Join(u32),
    /// A group gives up its shards.
    Leave(u32),
    /// The job is handed in.
    Submit,
    /// A worker ends without a word.
    Kill(u64),
    /// Another worker comes.
    Hire,
    /// A worker takes ten times as long from now on.
    Tire(u64),
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
            Self::Restore
            | Self::Heal
            | Self::Lose(_)
            | Self::Deliver(_)
            | Self::Call(_)
            | Self::Join(_)
            | Self::Leave(_)
            | Self::Submit
            | Self::Kill(_)
            | Self::Hire
            | Self::Tire(_) => Vec::new(),
        }
    }

    /// Whether trying it changes something even where it cannot be done: a node reads its disk, or a leader is asked.
    pub(crate) fn is_known_when_tried(&self) -> bool {
        matches!(
            self,
            Self::Start(_) | Self::Transfer(_) | Self::Remove(_) | Self::Demote(_)
        )
    }

    /// A fingerprint.
    #[must_use]
    pub fn digest(&self) -> u64 {
        Digest::of(self.to_string().as_bytes())
    }
}

impl Asked {
    /// What is asked of the store, and what that means for the key.
    pub(crate) fn wish(&self) -> (Wish, Action) {
        let key = Bytes::from(self.key.clone());
        let value = || Bytes::from(self.value.clone().unwrap_or_default());
        let expected = self.expected.clone().map(Bytes::from);
        match self.op {
            Op::Get => (Wish::Read(Query::Get { key }), Action::Get),
            Op::Put => {
                let value = value();
                (
                    Wish::Write(Command::Put {
                        key,
                        value: value.clone(),
                    }),
                    Action::Put(value),
                )
            }
            Op::Append => {
                let value = value();
                (
                    Wish::Write(Command::Append {
                        key,
                        value: value.clone(),
                    }),
                    Action::Append(value),
                )
            }
            Op::Increment => {
                let by = self
                    .value
                    .as_deref()
                    .and_then(|by| by.parse().ok())
                    .unwrap_or(1);
                (
                    Wish::Write(Command::Increment { key, by }),
                    Action::Increment(by),
                )
            }
            Op::Delete => (Wish::Write(Command::Delete { key }), Action::Delete),
            Op::Cas => {
                let new = self.value.clone().map(Bytes::from);
                let action = Action::Swap {
                    expected: expected.clone(),
                    new: new.clone(),
                };
                let expected = expected.map_or(Expected::Absent, Expected::Value);
                (
                    Wish::Write(Command::CompareAndSwap { key, expected, new }),
                    action,
                )
            }
        }
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
            Self::Join(group) => write!(f, "group {group} joins"),
            Self::Leave(group) => write!(f, "group {group} leaves"),
            Self::Submit => write!(f, "submit the job"),
            Self::Kill(worker) => write!(f, "kill worker {worker}"),
            Self::Hire => write!(f, "a worker comes"),
            Self::Tire(worker) => write!(f, "worker {worker} grows slow"),
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
