//! Linearizable reads without a log entry (§8, thesis §6.4).
//!
//! A read takes the commit index, and waits until a quorum has confirmed that the leader still led
//! after that. Confirmations are rounds of heartbeats with a rising number: a round answers all
//! reads that came before it began, and one round is under way at a time.

use crate::error::ReadError;
use crate::output::Output;
use crate::raft::Raft;
use crate::role::Role;
use crate::types::{Index, Instant};

#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The latest round begun.
    round: u64,
    /// Came before the leader had committed in its term, when its commit index is not yet the
    /// cluster's; or before the next round.
    waiting: Vec<u64>,
    /// Ride on `round`, with the index they took.
    riding: Vec<(u64, Index)>,
    confirmed: Vec<(u64, Index)>,
}

impl Reads {
    pub(crate) fn round(&self) -> u64 {
        self.round
    }

    fn pending(&self) -> usize {
        self.waiting.len() + self.riding.len() + self.confirmed.len()
    }
}

impl Raft {
    /// Asks for a linearizable read; [`Output::ReadReady`] answers with `ctx`. If leadership goes
    /// first there is no answer: [`Output::RoleChanged`] voids all open reads.
    ///
    /// # Errors
    /// This node does not lead, or too many reads wait.
    pub fn read_index(&mut self, now: Instant, ctx: u64) -> Result<(), ReadError> {
        let hint = self.leader();
        self.now = self.now.max(now);
        let Role::Leader(leader) = &mut self.role else {
            return Err(ReadError::NotLeader { hint });
        };
        if leader.reads.pending() >= self.config.max_pending_reads {
            return Err(ReadError::Dropped);
        }
        leader.reads.waiting.push(ctx);
        self.flush_due = true;
        Ok(())
    }

    /// Begins a round for all that wait, unless one is under way or the term is too young.
    pub(crate) fn start_read_round(&mut self) {
        let commit = self.commit;
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let reads = &mut leader.reads;
        if commit < leader.noop || !reads.riding.is_empty() || reads.waiting.is_empty() {
            return;
        }
        reads.round += 1;
        reads
            .riding
            .extend(reads.waiting.drain(..).map(|ctx| (ctx, commit)));
        self.send_heartbeats();
        self.confirm_reads();
    }

    /// Ends the round if a quorum has confirmed it.
    pub(crate) fn confirm_reads(&mut self) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let progress = &leader.progress;
        let confirmed = |id| {
            progress
                .get(id)
                .map_or(u64::MAX, |peer| peer.confirmed_round)
        };
        let reads = &mut leader.reads;
        if self
            .membership
            .current()
            .reached(confirmed)
            .is_some_and(|round| round >= reads.round)
        {
            reads.confirmed.append(&mut reads.riding);
            self.flush_due |= !reads.waiting.is_empty();
        }
    }

    pub(crate) fn poll_read(&mut self) -> Option<Output> {
        let Role::Leader(leader) = &mut self.role else {
            return None;
        };
        let (ctx, index) = leader.reads.confirmed.pop()?;
        Some(Output::ReadReady { ctx, index })
    }
}
