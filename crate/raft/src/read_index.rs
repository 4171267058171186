//! Linearizable reads without a log entry (§8, thesis §6.4).
//!
//! A read takes the commit index, and waits until a quorum has confirmed that the leader still led
//! after that. Confirmations are heartbeats with a rising number, a round: one round answers all
//! reads that came before it began, and one is ridden on at a time.
//!
//! A follower asks its leader for the index, and answers from its own machine. Under a lease a leader
//! asks nobody: a quorum that confirmed a round elects no one for an election timeout after it heard
//! of it, so for three quarters of that after the round *began* this leader is the only one, however
//! clocks drift by up to a tenth. That needs clocks that do not stop, so it is for those who ask.

use std::collections::VecDeque;

use crate::error::ReadError;
use crate::message::Body;
use crate::output::Output;
use crate::raft::Raft;
use crate::random::Random;
use crate::role::Role;
use crate::types::{Index, Instant, NodeId, micros};

/// A leader's reads.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Reads {
    /// The latest round begun.
    round: u64,
    /// Rounds that are not confirmed, and when they began; oldest first.
    begun: VecDeque<(u64, Instant)>,
    /// When the latest confirmed round began.
    lease: Option<Instant>,
    /// Came before the leader had committed in its term, when its commit index is not yet the
    /// cluster's; or before the next round.
    waiting: Vec<Asker>,
    /// Ride on a round, with the index they took.
    riding: Vec<(Asker, Index)>,
    /// That round.
    riding_on: u64,
    confirmed: Vec<(Asker, Index)>,
}

/// Who wants to know, and under which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    Here(u64),
    Peer(NodeId, u64),
}

/// What a follower asks its leader. Void with the leader, the term and the role.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Forwarded {
    waiting: Vec<u64>,
    /// Asked for under this number, once more with each heartbeat.
    asked: Vec<u64>,
    number: u64,
    /// May be answered once the machine is there.
    known: Vec<(u64, Index)>,
}

impl Forwarded {
    /// Of a node that starts with `seed`. An answer to a question of an earlier run may still be on
    /// its way, in the same term and from the same leader, and knows nothing of what is committed
    /// by now: no run numbers its questions as another did.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            number: Random::stream(seed, FIRST_NUMBER).below(1 << 40),
            ..Self::default()
        }
    }

    /// Whether the leader has yet to answer.
    pub(crate) fn is_open(&self) -> bool {
        !self.waiting.is_empty() || !self.asked.is_empty()
    }

    /// Forgets everything but the numbers that were given.
    pub(crate) fn clear(&mut self) {
        let number = self.number;
        *self = Self {
            number,
            ..Self::default()
        };
    }
}

/// The stream of a node's seed from which its first number is drawn.
const FIRST_NUMBER: u64 = 1;

/// Rounds remembered at most; a leader that is not heard loses its leadership long before.
const ROUNDS_MAX: usize = 64;

impl Reads {
    /// Begins a round: its number.
    pub(crate) fn begin_round(&mut self, now: Instant) -> u64 {
        self.round += 1;
        if self.begun.len() == ROUNDS_MAX {
            self.begun.pop_front();
        }
        self.begun.push_back((self.round, now));
        self.round
    }

    /// The latest round.
    pub(crate) fn round(&self) -> u64 {
        self.round
    }

    pub(crate) fn pending(&self) -> usize {
        self.waiting.len() + self.riding.len() + self.confirmed.len()
    }

    fn has(&self, asker: Asker) -> bool {
        let taken = self.riding.iter().chain(&self.confirmed);
        self.waiting.contains(&asker) || taken.into_iter().any(|(other, _)| *other == asker)
    }

    /// Rounds began at other moments.
    #[cfg(feature = "model")]
    pub(crate) fn forget_time(&mut self, moment: impl Fn(Instant) -> Instant) {
        for (_, began) in &mut self.begun {
            *began = moment(*began);
        }
        self.lease = self.lease.map(moment);
    }

    /// Nothing that was confirmed so far says anything about now.
    pub(crate) fn void_lease(&mut self) {
        self.lease = None;
        self.begun.clear();
    }
}

impl Raft {
    /// Asks for a linearizable read; [`Output::ReadReady`] answers with `ctx`. A follower asks its
    /// leader. If that, the term or the role changes first, there is no answer:
    /// [`Output::RoleChanged`] voids all open reads.
    ///
    /// # Errors
    /// This node knows no leader, or too many reads wait.
    pub fn read_index(&mut self, now: Instant, ctx: u64) -> Result<(), ReadError> {
        self.now = self.now.max(now);
        let (limit, hint) = (self.config.max_pending_reads, self.leader());
        match &mut self.role {
            Role::Leader(leader) => {
                if leader.reads.pending() >= limit {
                    return Err(ReadError::Dropped);
                }
                leader.reads.waiting.push(Asker::Here(ctx));
            }
            Role::Follower(_) if hint.is_some() => {
                let Forwarded {
                    waiting,
                    asked,
                    known,
                    ..
                } = &mut self.forwarded;
                if waiting.len() + asked.len() + known.len() >= limit {
                    return Err(ReadError::Dropped);
                }
                waiting.push(ctx);
            }
            _ => return Err(ReadError::NotLeader { hint }),
        }
        self.flush_due = true;
        self.stir();
        Ok(())
    }

    /// The same without asking anyone, if this node leads and holds a lease; else as
    /// [`Raft::read_index`]. Needs [`crate::Config::lease_reads`], and clocks that do not stop: a host
    /// that finds that its clock did says so with [`crate::Input::ClockStopped`].
    ///
    /// # Errors
    /// As [`Raft::read_index`].
    pub fn lease_read(&mut self, now: Instant, ctx: u64) -> Result<(), ReadError> {
        self.now = self.now.max(now);
        if self.holds_lease()
            && let Role::Leader(leader) = &mut self.role
            && leader.reads.pending() < self.config.max_pending_reads
        {
            let read = (Asker::Here(ctx), self.commit);
            leader.reads.confirmed.push(read);
            self.stir();
            return Ok(());
        }
        self.read_index(now, ctx)
    }

    /// Whether this node is the only leader, as far as clocks can tell.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        let lease = micros(self.config.election_timeout) / 4 * 3;
        self.config.lease_reads
            && !leader.abdicated
            && self.commit >= leader.noop
            && (leader.reads.lease).is_some_and(|since| self.now.0 < since.0.saturating_add(lease))
    }

    /// Begins a round for all that wait, unless one is under way or the term is too young. A
    /// follower asks for all that wait.
    pub(crate) fn start_read_round(&mut self) {
        let commit = self.commit;
        let Role::Leader(leader) = &mut self.role else {
            return self.ask_leader();
        };
        let reads = &mut leader.reads;
        if commit < leader.noop || !reads.riding.is_empty() || reads.waiting.is_empty() {
            return;
        }
        reads.riding_on = reads.round + 1;
        reads
            .riding
            .extend(reads.waiting.drain(..).map(|asker| (asker, commit)));
        self.send_heartbeats();
        self.confirm_reads();
    }

    fn ask_leader(&mut self) {
        let reads = &mut self.forwarded;
        if reads.asked.is_empty() && !reads.waiting.is_empty() {
            reads.asked = core::mem::take(&mut reads.waiting);
            reads.number += 1;
            self.repeat_question();
        }
    }

    /// The leader is there; what it was asked may be lost.
    pub(crate) fn repeat_question(&mut self) {
        if let Some(leader) = self.leader().filter(|_| !self.forwarded.asked.is_empty()) {
            let ctx = self.forwarded.number;
            self.send(leader, Body::ReadIndex { ctx });
        }
    }

    /// A follower asks what its reads must see.
    pub(crate) fn handle_read_index(&mut self, from: NodeId, ctx: u64) {
        let asker = Asker::Peer(from, ctx);
        if let Role::Leader(leader) = &mut self.role
            && leader.reads.pending() < self.config.max_pending_reads
            && !leader.reads.has(asker)
        {
            leader.reads.waiting.push(asker);
            self.flush_due = true;
            self.stir();
        }
    }

    pub(crate) fn handle_read_index_response(&mut self, from: NodeId, ctx: u64, index: Index) {
        let current = self.leader() == Some(from);
        let reads = &mut self.forwarded;
        if current && ctx == reads.number {
            let asked = core::mem::take(&mut reads.asked);
            reads
                .known
                .extend(asked.into_iter().map(|read| (read, index)));
            self.flush_due = true;
        }
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
        let Some(reached) = self.membership.current().reached(confirmed) else {
            return;
        };
        while let Some((_, began)) = reads.begun.pop_front_if(|(round, _)| *round <= reached) {
            reads.lease = Some(began);
        }
        if reached >= reads.riding_on {
            reads.confirmed.append(&mut reads.riding);
            self.flush_due |= !reads.waiting.is_empty();
        }
    }

    pub(crate) fn poll_read(&mut self) -> Option<Output> {
        let Role::Leader(leader) = &mut self.role else {
            let (known, applied) = (&mut self.forwarded.known, self.applied);
            let at = known.iter().position(|(_, index)| *index <= applied)?;
            let (ctx, index) = known.swap_remove(at);
            return Some(Output::ReadReady { ctx, index });
        };
        let (asker, index) = leader.reads.confirmed.pop()?;
        match asker {
            Asker::Here(ctx) => Some(Output::ReadReady { ctx, index }),
            Asker::Peer(to, ctx) => {
                let body = Body::ReadIndexResponse { ctx, index };
                let message = self.message(to, self.hard_state.term, body);
                Some(Output::Send(message))
            }
        }
    }
}
