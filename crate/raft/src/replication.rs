//! Log replication (§5.3) and commitment (§5.4.2).

use std::collections::VecDeque;

use crate::config::Config;
use crate::entry::{Entry, Payload};
use crate::log::Log;
use crate::message::{AppendOutcome, Body, Message};
use crate::output::Output;
use crate::persistence::RestsOn;
use crate::progress::{Mode, Progress, SnapshotTransfer};
use crate::raft::Raft;
use crate::role::Role;
use crate::table::Table;
use crate::types::{EntryId, Index, Instant, NodeId, Term, micros};

type Outputs = VecDeque<Output>;

/// What a leader's sending rests on, apart from the peer.
struct Sender<'a> {
    config: &'a Config,
    log: &'a Log,
    term: Term,
    commit: Index,
    now: Instant,
}

impl Sender<'_> {
    /// What to send to a peer next.
    fn next(&self, peer: NodeId, progress: &mut Progress) -> Option<Output> {
        let Config {
            max_inflight_messages,
            max_inflight_bytes,
            ..
        } = *self.config;
        let window_open = match &progress.mode {
            Mode::Snapshot(_) => return self.snapshot(peer, progress),
            Mode::Probe { sent: true } => return None,
            Mode::Probe { sent: false } => true,
            Mode::Replicate(inflights) => {
                !inflights.is_full(max_inflight_messages, max_inflight_bytes)
            }
        };
        let prev = progress.next.prev();
        let Some(term) = self.log.term_at(prev) else {
            return self.snapshot(peer, progress); // What it needs is compacted away.
        };
        let last = self.log.last().index;
        if window_open && (progress.next <= last || matches!(progress.mode, Mode::Probe { .. })) {
            let max_bytes = self.config.max_append_bytes;
            let entries = self.log.slice(progress.next, last, max_bytes);
            return Some(self.append(peer, progress, EntryId::new(term, prev), entries));
        }
        let commit = self.commit.min(progress.matched);
        (commit > progress.notified_commit).then(|| {
            progress.notified_commit = commit;
            let round = None;
            self.send(peer, Body::Heartbeat { commit, round })
        })
    }

    fn append(
        &self,
        peer: NodeId,
        progress: &mut Progress,
        prev: EntryId,
        entries: Vec<Entry>,
    ) -> Output {
        let commit = self.commit;
        let last = entries.last().map_or(prev.index, |entry| entry.id.index);
        match &mut progress.mode {
            Mode::Probe { sent } => *sent = true,
            Mode::Replicate(inflights) if !entries.is_empty() => {
                inflights.add(last, entries.iter().map(Entry::size_bytes).sum());
                progress.next = last.next();
            }
            Mode::Replicate(_) | Mode::Snapshot(_) => {}
        }
        progress.notified_commit = progress.notified_commit.max(commit.min(last));
        self.send(
            peer,
            Body::AppendEntries {
                prev,
                commit,
                entries,
            },
        )
    }

    fn snapshot(&self, peer: NodeId, progress: &mut Progress) -> Option<Output> {
        // One that does not answer gets no snapshot: it would fill queues for nothing.
        if self.now >= progress.last_heard.after(self.config.election_timeout) {
            return None;
        }
        if !matches!(progress.mode, Mode::Snapshot(_)) {
            let meta = self.log.snapshot.clone();
            progress.mode = Mode::Snapshot(SnapshotTransfer::new(meta));
        }
        let Mode::Snapshot(transfer) = &mut progress.mode else {
            return None;
        };
        core::mem::take(&mut transfer.due).then_some(Output::SendSnapshot {
            to: peer,
            snapshot: transfer.meta.last.index,
            number: transfer.number,
        })
    }

    fn send(&self, to: NodeId, body: Body) -> Output {
        Output::Send(Message {
            from: self.config.id,
            to,
            storage: self.config.storage,
            term: self.term,
            body,
        })
    }
}

impl Raft {
    /// Appends an entry of the own term to the leader's log.
    pub(crate) fn append_own(&mut self, payload: Payload) -> EntryId {
        let id = EntryId::new(self.hard_state.term, self.log.last().index.next());
        self.log.append(Entry { id, payload });
        self.flush_due = true;
        self.stir();
        id
    }

    /// Sends everyone what they can take. Runs once per drain, so what was proposed together
    /// travels together.
    pub(crate) fn flush(&mut self) {
        if self.is_asleep() {
            return;
        }
        self.advance_membership();
        self.advance_transfer();
        self.start_read_round();
        let Some((sender, peers, outputs)) = self.sending() else {
            return;
        };
        for (peer, progress) in peers.iter_mut() {
            while let Some(output) = sender.next(peer, progress) {
                outputs.push_back(output);
            }
        }
    }

    /// What a leader needs to send: itself, its peers, and where it goes.
    fn sending(&mut self) -> Option<(Sender<'_>, &mut Table<NodeId, Progress>, &mut Outputs)> {
        let Role::Leader(leader) = &mut self.role else {
            return None;
        };
        let sender = Sender {
            config: &self.config,
            log: &self.log,
            term: self.hard_state.term,
            commit: self.commit,
            now: self.now,
        };
        Some((sender, &mut leader.progress, &mut self.outputs))
    }

    /// Tells everyone that this node leads, and what is committed of what they have.
    pub(crate) fn send_heartbeats(&mut self) {
        let (commit, now, next) = (self.commit, self.now, self.next_heartbeat());
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        leader.heartbeat_deadline = next;
        let round = Some(leader.reads.begin_round(now));
        let beats: Vec<_> = leader
            .progress
            .iter_mut()
            .map(|(peer, progress)| {
                progress.notified_commit = commit.min(progress.matched);
                (
                    peer,
                    Body::Heartbeat {
                        commit: progress.notified_commit,
                        round,
                    },
                )
            })
            .collect();
        for (peer, beat) in beats {
            self.send(peer, beat);
        }
    }

    /// When heartbeats that go out now are followed by the next.
    pub(crate) fn next_heartbeat(&self) -> Instant {
        let interval = self.config.heartbeat_interval;
        let latest = self.now.after(interval);
        match self.config.align_heartbeats {
            true => Instant(latest.0 - latest.0 % micros(interval).max(1)),
            false => latest,
        }
    }

    /// The consistency check of §5.3: takes the entries if the log has `prev`.
    pub(crate) fn handle_append(
        &mut self,
        from: NodeId,
        mut prev: EntryId,
        leader_commit: Index,
        mut entries: Vec<Entry>,
    ) {
        // What is committed here is in the leader's log too (leader completeness): skip it.
        if prev.index < self.commit {
            let known = self
                .log
                .term_at(self.commit)
                .expect("the commit index is kept");
            let skipped = entries.partition_point(|entry| entry.id.index <= self.commit);
            let last = entries[..skipped].last().map_or(prev, |entry| entry.id);
            let committed = EntryId::new(known, self.commit);
            assert!(
                last == committed || last.index < self.commit && last.term <= known,
                "the leader lacks what is committed"
            );
            prev = committed;
            entries.drain(..skipped);
        }
        if !self.log.contains(prev) {
            let hint = self.log.latest_possible_match(prev);
            let outcome = AppendOutcome::Rejected {
                prev: prev.index,
                hint,
            };
            return self.send_when(
                RestsOn::HardState,
                from,
                Body::AppendEntriesResponse(outcome),
            );
        }
        let matched = entries.last().map_or(prev.index, |entry| entry.id.index);
        for entry in entries {
            // A shorter or a repeated append says nothing about what follows: only a real
            // conflict cuts the log.
            if self.log.contains(entry.id) {
                continue;
            }
            if entry.id.index <= self.log.last().index {
                assert!(
                    entry.id.index > self.commit,
                    "a committed entry is never cut"
                );
                self.log.truncate_from(entry.id.index);
                self.membership.truncate(entry.id.index);
                self.persistence.handle_truncated(entry.id.index);
            }
            if let Payload::Membership(conf_state) = &entry.payload {
                self.membership.push(entry.id.index, conf_state.clone());
            }
            self.log.append(entry);
        }
        self.set_commit(leader_commit.min(matched));
        let body = Body::AppendEntriesResponse(AppendOutcome::Accepted { matched });
        self.send_when(RestsOn::Log, from, body);
    }

    pub(crate) fn handle_heartbeat(&mut self, from: NodeId, commit: Index, round: Option<u64>) {
        // The leader speaks only of what this log is known to share, but a log may have been lost.
        self.set_commit(commit.min(self.log.last().index));
        if let Some(round) = round {
            self.send_when(RestsOn::HardState, from, Body::HeartbeatResponse { round });
            self.repeat_question();
        }
    }

    pub(crate) fn handle_append_response(&mut self, from: NodeId, outcome: AppendOutcome) {
        let (log, now, timeout) = (&self.log, self.now, self.config.election_timeout);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(progress) = leader.progress.get_mut(from) else {
            return;
        };
        progress.last_heard = now;
        match outcome {
            AppendOutcome::Accepted { matched } => {
                assert!(
                    matched <= log.last().index,
                    "{from} acknowledged what was never sent"
                );
                progress.handle_accepted(matched);
                progress.catch_up(log.last().index, now, timeout);
                self.flush_due = true;
                // Most answers come when a faster majority has answered.
                if matched > self.commit {
                    self.maybe_commit();
                }
            }
            AppendOutcome::Rejected { prev, hint } => {
                self.flush_due |= progress.handle_rejected(prev, hint, log);
            }
        }
    }

    /// An answered heartbeat is a chance to find out what was lost on the way.
    pub(crate) fn handle_heartbeat_response(&mut self, from: NodeId, round: u64) {
        let (now, last, timeout) = (
            self.now,
            self.log.last().index,
            self.config.election_timeout,
        );
        let mut nudge = false;
        self.with_progress(from, |progress| {
            progress.last_heard = now;
            progress.catch_up(last, now, timeout);
            progress.confirmed_round = progress.confirmed_round.max(round);
            match &mut progress.mode {
                Mode::Probe { sent } => *sent = false,
                // Appends or their answers may be lost: an empty one behind them finds out.
                Mode::Replicate(_) => nudge = progress.matched < progress.next.prev(),
                Mode::Snapshot(transfer) => {
                    transfer.due |= core::mem::replace(&mut transfer.stalled, true);
                }
            }
        });
        if nudge {
            self.nudge(from);
        }
        self.repeat_transfer(from);
        self.flush_due = true;
        self.confirm_reads();
    }

    /// An append of nothing, after the last one sent.
    fn nudge(&mut self, peer: NodeId) {
        if let Some((sender, peers, outputs)) = self.sending()
            && let Some(progress) = peers.get_mut(peer)
            && let prev = progress.next.prev()
            && let Some(term) = sender.log.term_at(prev)
        {
            let prev = EntryId::new(term, prev);
            outputs.push_back(sender.append(peer, progress, prev, Vec::new()));
        }
    }

    /// The connection was lost, and with it whatever was on it.
    pub(crate) fn handle_unreachable(&mut self, peer: NodeId) {
        self.lose_leader(peer);
        self.with_progress(peer, |progress| {
            if matches!(progress.mode, Mode::Replicate(_)) {
                progress.become_probe();
            }
        });
        self.flush_due = true;
    }

    /// Commits what a quorum has durably, if it ends with an entry of the own term; everything
    /// before is committed with it (§5.4.2, figure 8).
    pub(crate) fn maybe_commit(&mut self) {
        let persisted = self.persistence.persisted();
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let matched = |id| {
            leader
                .progress
                .get(id)
                .map_or(persisted, |progress| progress.matched)
        };
        let Some(reached) = self.membership.current().reached(matched) else {
            return;
        };
        let term = self.hard_state.term;
        if reached <= self.commit || self.log.term_at(reached) != Some(term) {
            return;
        }
        let committed = self.log.bytes_of_term(self.commit, reached, term);
        leader.uncommitted_bytes = leader.uncommitted_bytes.saturating_sub(committed);
        self.set_commit(reached);
        self.flush_due = true;
    }

    pub(crate) fn with_progress(&mut self, peer: NodeId, change: impl FnOnce(&mut Progress)) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(progress) = leader.progress.get_mut(peer)
        {
            change(progress);
        }
    }
}
