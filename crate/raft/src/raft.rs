//! The node: its state, the term rule (§5.1), and the way from an input to the step it asks for.
//!
//! The steps themselves are in `election`, `replication`, `read_index` and `snapshot`.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::config::Config;
use crate::doubt::Doubt;
use crate::entry::{Entry, HardState, Payload, Restored, SnapshotMeta};
use crate::error::{CorruptState, InputError, ProposeError};
use crate::log::Log;
use crate::membership::Membership;
use crate::message::{AppendOutcome, Body, Message};
use crate::output::{Input, Output};
use crate::persistence::{Held, Persistence, RestsOn};
use crate::quorum::ConfState;
use crate::random::Random;
use crate::read_index::Forwarded;
use crate::role::{Follower, Role};
use crate::snapshot::Receiving;
use crate::status::{PeerStatus, Status};
use crate::types::{EntryId, Index, Instant, NodeId, Term};

/// One node of a Raft cluster. See the [crate] for the law of use.
#[derive(Clone, Debug, Hash)]
pub struct Raft {
    pub(crate) config: Config,
    /// The latest moment told.
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) hard_state: HardState,
    pub(crate) role: Role,
    pub(crate) log: Log,
    pub(crate) membership: Membership,
    /// Invariant: `applied <= commit <= log.last()`.
    pub(crate) commit: Index,
    pub(crate) applied: Index,
    pub(crate) persistence: Persistence,
    /// Whether nothing was committed yet in a term that began since this run did.
    pub(crate) doubt: Option<Doubt>,
    /// A follower's reads.
    pub(crate) forwarded: Forwarded,
    /// When this run began, or when a leader was heard that is no longer followed.
    pub(crate) pledged: Instant,
    /// A leader's snapshot, as far as it has come.
    pub(crate) receiving: Option<Receiving>,
    pub(crate) outputs: VecDeque<Output>,
    /// Something changed that may allow a leader to send.
    pub(crate) flush_due: bool,
    pub(crate) halted: bool,
}

impl Raft {
    /// A node with the state that `restored` holds. `seed` decides its timeouts: give every run of
    /// every node another one.
    ///
    /// # Errors
    /// The state cannot be that of a Raft node, or the settings make no sense.
    pub fn new(
        config: Config,
        restored: Restored,
        now: Instant,
        seed: u64,
    ) -> Result<Self, CorruptState> {
        config.validate().map_err(CorruptState::Config)?;
        check(&restored)?;
        let Restored {
            hard_state,
            commit,
            snapshot,
            log_start,
            entries,
        } = restored;
        let mut membership = Membership::new(snapshot.last.index, snapshot.conf_state.clone());
        for entry in &entries {
            if let Payload::Membership(conf_state) = &entry.payload
                && entry.id.index > snapshot.last.index
            {
                membership.push(entry.id.index, conf_state.clone());
            }
        }
        // What was committed may have gone with the end of the log.
        let commit = match config.relaxed {
            true => snapshot.last.index,
            false => commit.max(snapshot.last.index),
        };
        let mut raft = Self {
            doubt: config.relaxed.then(Doubt::default),
            config,
            now,
            random: Random::new(seed),
            hard_state,
            role: Role::Follower(Follower::new(None, now)),
            membership,
            commit,
            applied: snapshot.last.index,
            log: Log::new(log_start, entries, snapshot),
            persistence: Persistence::new(Index(0)),
            forwarded: Forwarded::new(seed),
            pledged: now,
            receiving: None,
            outputs: VecDeque::new(),
            flush_due: false,
            halted: false,
        };
        raft.persistence = Persistence::new(raft.log.last().index);
        let deadline = raft.random_deadline();
        raft.role = Role::Follower(Follower::new(None, deadline));
        Ok(raft)
    }

    /// Takes one event. Drain [`Raft::poll_output`] afterwards.
    ///
    /// # Errors
    /// The host broke the law of use, or the node has halted; nothing changed.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), InputError> {
        if self.halted {
            return Err(InputError::Halted);
        }
        self.now = self.now.max(now);
        match input {
            Input::Message(message) => self.handle_message(message),
            Input::Persisted { seq } => self.handle_persisted(seq)?,
            Input::PersistFailed => self.halt(),
            Input::TimerFired => self.handle_timer(),
            Input::SnapshotChunk(chunk) => self.persistence.push_chunk(chunk),
            Input::SnapshotReady {
                index,
                chunks,
                compact_to,
            } => {
                self.handle_snapshot_ready(index, chunks, compact_to)?;
            }
            Input::SnapshotData {
                to,
                snapshot,
                number,
                done,
                data,
            } => {
                self.send_chunk(to, snapshot, number, done, data);
            }
            Input::Reachable => self.handle_reachable(),
            Input::Unreachable { peer } => self.handle_unreachable(peer),
            Input::ClockStopped => {
                self.void_lease();
                self.rouse();
            }
        }
        Ok(())
    }

    /// Appends a command to the leader's log; it is decided when [`Output::Apply`] gives it back
    /// under the same id. Another entry at that index means that it was lost.
    ///
    /// # Errors
    /// This node does not lead, or too much is uncommitted. Nothing was appended.
    pub fn propose(&mut self, now: Instant, data: Bytes) -> Result<EntryId, ProposeError> {
        let hint = self.leader();
        self.now = self.now.max(now);
        let Role::Leader(leader) = &mut self.role else {
            return Err(ProposeError::NotLeader { hint });
        };
        let uncommitted = leader.uncommitted_bytes.saturating_add(data.len());
        if leader.uncommitted_bytes > 0 && uncommitted > self.config.max_uncommitted_bytes {
            return Err(ProposeError::Dropped);
        }
        if let Some(transfer) = &leader.transfer {
            return Err(ProposeError::Transferring { to: transfer.to });
        }
        leader.uncommitted_bytes = uncommitted;
        Ok(self.append_own(Payload::Command(data)))
    }

    /// The next effect; `None` when drained.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.halted {
            return self.outputs.pop_front();
        }
        if core::mem::take(&mut self.flush_due) {
            self.flush();
        }
        self.outputs
            .pop_front()
            .or_else(|| self.poll_apply())
            .or_else(|| self.poll_read())
            .or_else(|| self.poll_persist())
    }

    /// When [`Input::TimerFired`] is next due. A later or an earlier one does no harm.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        match &self.role {
            _ if self.halted => Instant::NEVER,
            Role::Leader(leader) => {
                let transfer = leader.transfer.as_ref();
                let transfer = transfer.map_or(Instant::NEVER, |transfer| transfer.deadline);
                let peers = match leader.progress.is_empty() || self.is_asleep() {
                    true => Instant::NEVER,
                    false => leader.heartbeat_deadline.min(self.quorum_deadline()),
                };
                peers.min(self.stall_deadline()).min(transfer)
            }
            // Who has no vote waits for a leader that it knows, and for nothing then.
            _ if self.leader().is_none() && !self.may_campaign() => Instant::NEVER,
            Role::Follower(follower) if follower.asleep.is_some() => Instant::NEVER,
            Role::Follower(follower) => follower.deadline,
            Role::PreCandidate(campaign) | Role::Candidate(campaign) => campaign.deadline,
        }
    }

    /// A picture of the node as of now.
    #[must_use]
    pub fn status(&self) -> Status {
        let peers = match &self.role {
            Role::Leader(leader) => leader
                .progress
                .iter()
                .map(|(id, progress)| PeerStatus {
                    id,
                    matched: progress.matched,
                    next: progress.next,
                    mode: progress.mode_name(),
                    inflight: progress.inflight(),
                    amnesiac: progress.amnesiac(),
                })
                .collect(),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => Vec::new(),
        };
        Status {
            id: self.config.id,
            term: self.hard_state.term,
            vote: self.hard_state.vote,
            role: self.role.kind(),
            leader: self.leader(),
            commit: self.commit,
            applied: self.applied,
            last: self.log.last(),
            persisted: self.persistence.persisted(),
            log_start: self.log.start(),
            snapshot: self.log.snapshot.last,
            storage: self.config.storage,
            conf_state: self.membership.current().clone(),
            conf_index: self.membership.index(),
            transferring: match &self.role {
                Role::Leader(leader) => leader.transfer.as_ref().map(|transfer| transfer.to),
                _ => None,
            },
            peers,
            halted: self.halted,
            asleep: self.is_asleep(),
        }
    }

    /// The leader of the current term, if known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leader(_) => Some(self.config.id),
            Role::Follower(follower) => follower.leader.map(|(id, _)| id),
            Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }

    /// Whether this node leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The current term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.hard_state.term
    }

    /// The membership in force.
    #[must_use]
    pub fn conf_state(&self) -> &ConfState {
        self.membership.current()
    }

    /// Commit index.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// The last entry handed out to be applied.
    #[must_use]
    pub fn applied(&self) -> EntryId {
        let term = self.log.term_at(self.applied);
        EntryId::new(
            term.expect("what is applied is kept or was compacted last"),
            self.applied,
        )
    }

    /// The last entry of the log.
    #[must_use]
    pub fn last(&self) -> EntryId {
        self.log.last()
    }

    /// Payload bytes of the log in memory.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.log.bytes()
    }

    /// The entry before the first one kept.
    #[must_use]
    pub fn log_start(&self) -> EntryId {
        self.log.start()
    }

    /// Where a log that ends a snapshot at `index` can begin, so that at most `entries` entries and
    /// about `bytes` payload bytes are kept before that end.
    #[must_use]
    pub fn tail_start(&self, index: Index, entries: u64, bytes: usize) -> Index {
        self.log.tail_start(index, entries, bytes)
    }

    /// The latest durable snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.log.snapshot
    }

    /// The entry at `index`, if it is kept in memory.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.log.get(index)
    }

    /// Entries kept in memory at and above `first`, for checkers and tools.
    pub fn entries_from(&self, first: Index) -> impl Iterator<Item = &Entry> {
        self.log.from(first)
    }

    /// The term rule of §5.1, and the two exceptions that keep it from being abused: a pre-vote
    /// moves no term, and a vote asked while a leader is fresh is not heard (thesis §4.2.3).
    fn handle_message(&mut self, message: Message) {
        let Message {
            from,
            to,
            storage,
            term,
            body,
        } = message;
        if to != self.config.id || from == self.config.id {
            return;
        }
        if body.is_answer() && !self.membership.current().knows(from, storage) {
            self.excuse(from, &body);
            if let (Body::HeartbeatResponse { round }, true) = (&body, term == self.hard_state.term)
            {
                self.note_stranger(from, storage, *round);
            }
            return;
        }
        if matches!(body, Body::PreVote { .. } | Body::RequestVote { .. }) {
            self.rouse();
        }
        match body {
            Body::PreVote { last } => return self.handle_pre_vote(from, term, last),
            Body::PreVoteResponse { granted } => {
                return self.handle_pre_vote_response(from, term, granted);
            }
            Body::RequestVote {
                transfer: false, ..
            } if self.is_leader_fresh(from) => return,
            // One that gives no vote learns no terms from those who ask: its leader may be behind.
            Body::RequestVote { .. } if !self.may_vote() => return,
            _ => {}
        }
        if term > self.hard_state.term {
            self.become_follower(term);
        }
        if term < self.hard_state.term {
            return self.handle_stale(from, &body);
        }
        match body {
            Body::RequestVote { last, .. } => self.handle_request_vote(from, last),
            Body::RequestVoteResponse { granted } => self.handle_vote_response(from, granted),
            Body::AppendEntries {
                prev,
                commit,
                entries,
            } => {
                self.hear_leader(from);
                self.handle_append(from, prev, commit, entries);
            }
            Body::AppendEntriesResponse(outcome) => self.handle_append_response(from, outcome),
            Body::Heartbeat {
                round: Some(round), ..
            }
            | Body::Sleep { round, .. }
                if self.has_slept_since(round) => {}
            Body::Heartbeat { commit, round } => {
                self.hear_leader(from);
                self.handle_heartbeat(from, commit, round);
            }
            Body::HeartbeatResponse { round } => self.handle_heartbeat_response(from, round),
            Body::Sleep { last, round } => {
                self.hear_leader(from);
                self.handle_sleep(from, last, round);
            }
            Body::SleepResponse { round } => self.handle_sleep_response(from, round),
            Body::InstallSnapshot {
                meta,
                number,
                done,
                data,
            } => {
                self.hear_leader(from);
                self.handle_install_snapshot(from, *meta, number, done, data);
            }
            Body::InstallSnapshotResponse { snapshot, outcome } => {
                self.handle_install_response(from, snapshot, outcome);
            }
            Body::TimeoutNow => self.handle_timeout_now(),
            Body::ReadIndex { ctx } => self.handle_read_index(from, ctx),
            Body::ReadIndexResponse { ctx, index } => {
                self.handle_read_index_response(from, ctx, index);
            }
            Body::Digest(digest) => self.outputs.push_back(Output::Digest { from, digest }),
            Body::PreVote { .. } | Body::PreVoteResponse { .. } => {}
        }
    }

    /// A message of an earlier term. One who asks learns the term from the answer, or a node that
    /// was cut off would never be heard and never come back; answers to old questions are void.
    fn handle_stale(&mut self, from: NodeId, body: &Body) {
        match body {
            Body::AppendEntries { .. }
            | Body::Heartbeat { .. }
            | Body::Sleep { .. }
            | Body::InstallSnapshot { .. } => {
                let body = Body::AppendEntriesResponse(AppendOutcome::STALE);
                self.send_when(RestsOn::HardState, from, body);
            }
            Body::RequestVote { .. } => {
                let body = Body::RequestVoteResponse { granted: false };
                self.send_when(RestsOn::HardState, from, body);
            }
            Body::PreVote { .. }
            | Body::PreVoteResponse { .. }
            | Body::RequestVoteResponse { .. }
            | Body::AppendEntriesResponse(_)
            | Body::HeartbeatResponse { .. }
            | Body::SleepResponse { .. }
            | Body::InstallSnapshotResponse { .. }
            | Body::TimeoutNow
            | Body::ReadIndex { .. }
            | Body::ReadIndexResponse { .. }
            | Body::Digest(_) => {}
        }
    }

    fn handle_timer(&mut self) {
        if self.now < self.next_timeout() {
            return;
        }
        match &self.role {
            Role::Follower(_) if !self.may_campaign() => self.become_follower(self.hard_state.term),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => self.pre_campaign(),
            // Without a quorum, or with a disk that takes nothing, another leads better.
            Role::Leader(_) if self.now >= self.quorum_deadline().min(self.stall_deadline()) => {
                self.become_follower(self.hard_state.term);
            }
            Role::Leader(leader) => {
                let beat = self.now >= leader.heartbeat_deadline;
                self.end_late_transfer();
                if beat && self.may_sleep() {
                    self.send_sleep();
                } else if beat {
                    self.send_heartbeats();
                }
            }
        }
    }

    /// When a leader's own write has been under way for an election timeout: its disk is stalled.
    fn stall_deadline(&self) -> Instant {
        let since = self.persistence.writing_since();
        since.map_or(Instant::NEVER, |since| {
            since.after(self.config.election_timeout)
        })
    }

    /// Whether this node runs for leader: it has a vote, or had one until a change that is not known to
    /// be committed. The others may need it to commit that: it may be alone in having it (thesis §4.2.2).
    pub(crate) fn may_campaign(&self) -> bool {
        let Config { id, storage, .. } = self.config;
        let had_vote = |conf: &ConfState| conf.is_voter(id) && conf.knows(id, storage);
        self.membership.current().knows(id, storage)
            && self.membership.since(self.commit).any(had_vote)
    }

    fn handle_persisted(&mut self, seq: u64) -> Result<(), InputError> {
        let mut done = self.persistence.handle_persisted(seq)?;
        if let Some(manifest) = done.manifest {
            self.handle_snapshot_durable(*manifest);
        }
        for held in done.released.drain(..) {
            self.release(held);
        }
        self.persistence.reuse(done.released);
        self.maybe_commit();
        Ok(())
    }

    /// A write failed: what was promised can no longer be kept, so nothing more is promised.
    fn halt(&mut self) {
        self.become_follower(self.hard_state.term);
        self.halted = true;
        self.outputs
            .retain(|output| matches!(output, Output::RoleChanged { .. }));
    }

    fn poll_apply(&mut self) -> Option<Output> {
        if self.applied >= self.commit {
            return None;
        }
        let first = self.applied.next();
        let max_bytes = self.config.max_apply_bytes;
        let count = self.log.count(first, self.commit, max_bytes);
        assert!(count > 0, "what is committed and not applied is kept");
        self.applied.0 += count as u64;
        Some(Output::Apply {
            first,
            last: self.applied,
        })
    }

    fn poll_persist(&mut self) -> Option<Output> {
        self.persistence
            .take_batch(self.now, self.hard_state, self.commit, &self.log)
            .map(Output::Persist)
    }

    /// Sends a message in the current term at once.
    pub(crate) fn send(&mut self, to: NodeId, body: Body) {
        let message = self.message(to, self.hard_state.term, body);
        self.outputs.push_back(Output::Send(message));
    }

    /// Sends a message in the current term when what it rests on is durable.
    pub(crate) fn send_when(&mut self, rests: RestsOn, to: NodeId, body: Body) {
        let message = self.message(to, self.hard_state.term, body);
        self.hold(Held::Send(message), rests);
    }

    pub(crate) fn message(&self, to: NodeId, term: Term, body: Body) -> Message {
        Message {
            from: self.config.id,
            to,
            storage: self.config.storage,
            term,
            body,
        }
    }

    pub(crate) fn hold(&mut self, effect: Held, rests: RestsOn) {
        if let Some(ready) = self.persistence.hold(effect, rests, &self.log) {
            self.release(ready);
        }
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Send(message) => self.outputs.push_back(Output::Send(message)),
            Held::SelfVote(term) => self.handle_self_vote(term),
        }
    }

    /// Moves term and vote; the only place that does.
    pub(crate) fn set_hard_state(&mut self, term: Term, vote: Option<NodeId>) {
        let new = HardState { term, vote };
        assert!(term >= self.hard_state.term, "terms never fall");
        if new != self.hard_state {
            self.hard_state = new;
            self.persistence.touch_hard_state();
        }
    }

    /// Moves the commit index forward; the only place that does.
    pub(crate) fn set_commit(&mut self, commit: Index) {
        assert!(
            commit <= self.log.last().index,
            "what is committed is in the log"
        );
        self.commit = self.commit.max(commit);
        if self.log.term_at(self.commit) == Some(self.hard_state.term) {
            self.doubt = None;
        }
    }

    /// The clock stood still for a while that nobody can tell.
    fn void_lease(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            leader.reads.void_lease();
        }
    }

    pub(crate) fn push_role_changed(&mut self) {
        self.forwarded.clear();
        let (role, term, leader) = (self.role.kind(), self.hard_state.term, self.leader());
        self.outputs
            .push_back(Output::RoleChanged { role, term, leader });
    }

    /// A random moment in `[t, 2t)` from now (§5.2).
    pub(crate) fn random_deadline(&mut self) -> Instant {
        let timeout = self.config.election_timeout;
        let jitter = self.random.below(crate::types::micros(timeout));
        Instant(self.now.after(timeout).0.saturating_add(jitter))
    }
}

/// What the host read must be a state that this code could have written.
fn check(restored: &Restored) -> Result<(), CorruptState> {
    let Restored {
        hard_state,
        commit,
        snapshot,
        log_start,
        entries,
    } = restored;
    let mut prev = *log_start;
    for entry in entries {
        let (expected, found) = (prev.index.next(), entry.id.index);
        if found != expected {
            return Err(CorruptState::Gap { expected, found });
        }
        if entry.id.term < prev.term {
            return Err(CorruptState::Term { index: found });
        }
        prev = entry.id;
    }
    let index = snapshot.last.index;
    if prev.term > hard_state.term {
        return Err(CorruptState::Term { index: prev.index });
    }
    if index < log_start.index || index > prev.index {
        return Err(CorruptState::Snapshot { index });
    }
    let term = match (index - log_start.index) as usize {
        0 => log_start.term,
        offset => entries[offset - 1].id.term,
    };
    if term != snapshot.last.term {
        return Err(CorruptState::Snapshot { index });
    }
    if *commit > prev.index {
        return Err(CorruptState::Commit { index: *commit });
    }
    let conf_state = &snapshot.conf_state;
    if !conf_state.is_sound() || index.0 > 0 && conf_state.voters.is_empty() {
        return Err(CorruptState::Membership { index });
    }
    for entry in entries {
        if let Payload::Membership(conf_state) = &entry.payload
            && (!conf_state.is_sound() || conf_state.voters.is_empty())
        {
            return Err(CorruptState::Membership {
                index: entry.id.index,
            });
        }
    }
    Ok(())
}
