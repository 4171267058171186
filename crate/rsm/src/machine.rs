//! What a state machine must do to be replicated.
//!
//! A machine is deterministic: the same commands in the same order give the same state and replies
//! on every node. It never reads a clock or draws a random number; [`ApplyContext`] carries both.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{ConfState, Index, Term};

/// A deterministic application.
pub trait StateMachine: Sized {
    /// A cheap handle on the state as of now, from which chunks are cut later.
    type Snapshot: MachineSnapshot;
    /// Builds a machine from chunks.
    type Restore: MachineRestore<Machine = Self>;

    /// Executes a committed command. A command that makes no sense gets an error *reply*: every
    /// replica gives the same one, and no state changes.
    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes;

    /// Answers a query from the state as of now, without changing it.
    fn query(&self, query: &Bytes) -> Bytes;

    /// Answers a query that waits: `None` until the state has something to say. Asked when the query
    /// comes, and again after each batch of applied entries, so it must find out quickly that there
    /// is nothing yet. Where that lasts too long, [`StateMachine::query`] answers instead.
    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        Some(self.query(query))
    }

    /// The log time from which on [`StateMachine::tick`] has something to do, in milliseconds; `None`
    /// where it has nothing. Asked often: it must cost next to nothing. Without it no ticks are
    /// written.
    fn due_ms(&self) -> Option<u64> {
        None
    }

    /// Does what is due at `context.time_ms`. Committed like a command, so it comes to the same on
    /// every node. It may come when nothing is due any more, because of what was committed before
    /// it; it may leave some of the work to the next one, which follows while
    /// [`StateMachine::due_ms`] is past, but not all.
    fn tick(&mut self, _context: &ApplyContext) {}

    /// The members changed, by an entry in its place among the commands. What a machine makes of it is
    /// part of its state. Of the members before the first change it is not told: a node that came later
    /// does not know them.
    fn membership_changed(&mut self, _members: &Arc<ConfState>) {}

    /// The state as of now. Must take far less than a millisecond, whatever the size: share, do
    /// not copy.
    fn snapshot(&self) -> Self::Snapshot;

    /// Starts to build a machine from the chunks of a snapshot.
    fn restore() -> Self::Restore;

    /// The same, for the place of this machine: where a machine stands on something that a snapshot
    /// does not carry, the next one stands on it, too.
    fn restore_in_place(&self) -> Self::Restore {
        Self::restore()
    }
}

/// What a machine may know beside its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyContext {
    /// Index of the entry.
    pub index: Index,
    /// Term of the entry.
    pub term: Term,
    /// Log time in milliseconds: the same on every replica, never falling, and standing still while
    /// there is no leader. It counts from the cluster's first leader, and is no wall clock.
    pub time_ms: u64,
}

/// A machine's state as of one index.
pub trait MachineSnapshot {
    /// The chunk `number`, counted from zero, of about `max_bytes`, and whether it is the last. Asked
    /// in order, though an earlier one may be asked again. A function of state, number and size
    /// alone. At least one chunk exists, and it may be empty.
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool);

    /// Which way of writing the state down this is: nodes compare their states by these bytes, and
    /// only where the format is the same. Another number for other bytes. Default 0.
    fn format(&self) -> u32 {
        0
    }
}

/// A machine being built.
pub trait MachineRestore {
    /// What comes out.
    type Machine;

    /// Takes the next chunk, in order.
    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot>;

    /// The machine, once all chunks were given.
    fn finish(self) -> Result<Self::Machine, BadSnapshot>;
}

/// The bytes are no snapshot of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSnapshot(pub &'static str);

impl fmt::Display for BadSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the snapshot cannot be read: {}", self.0)
    }
}

impl core::error::Error for BadSnapshot {}
