//! Time for the machine: what is due by the clock is done by the log.
//!
//! A machine reads no clock. When log time reaches what it waits for, the leader writes a tick, and
//! every node executes that like a command. So time passes also when nobody writes, never early, and
//! costs nothing while nothing is due.

use quorate_raft::{Index, Instant};

use super::Node;
use crate::command::{Command, Kind};
use crate::machine::StateMachine;

/// A leadership's ticks.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    /// The latest one, applied or not.
    latest: Index,
    /// None before this: one was refused.
    not_before: Instant,
}

impl<M: StateMachine> Node<M> {
    /// When this node is to write a tick: not while it does not lead, nor while one is not applied.
    pub(super) fn next_tick(&self) -> Instant {
        let is_open = self.ticks.latest > self.raft.applied().index;
        match self.machine.due_ms() {
            Some(due_ms) if !is_open => self.clock.when(due_ms).max(self.ticks.not_before),
            _ => Instant::NEVER,
        }
    }

    pub(super) fn maybe_tick(&mut self) {
        if self.now < self.next_tick() {
            return;
        }
        let tick = Command {
            time_ms: self.clock.read(self.now),
            kind: Kind::Tick,
        };
        match self.raft.propose(self.now, tick.encode()) {
            Ok(entry) => self.ticks.latest = entry.index,
            // Too much is under way, or leadership moves: both are over soon.
            Err(_) => {
                let pause = self.config.raft.heartbeat_interval;
                self.ticks.not_before = self.now.after(pause);
            }
        }
    }
}
