//! A leader's work on the membership: one step at a time, each when the one before is committed.

use std::sync::Arc;

use crate::entry::Payload;
use crate::membership::{Change, MembershipError};
use crate::message::Body;
use crate::progress::{Mode, Progress};
use crate::quorum::ConfState;
use crate::raft::Raft;
use crate::role::Role;
use crate::table::Table;
use crate::types::{EntryId, Instant, NodeId, StorageId, Term, micros};

impl Raft {
    /// Begins a change of the membership. It is decided when [`crate::Output::Apply`] gives the
    /// entry back under this id, and done when a committed configuration is neither joint nor has
    /// anyone joining; the leader, or the next one, takes the steps between by itself.
    ///
    /// # Errors
    /// This node does not lead, or the change makes no sense or has to wait. Nothing was appended.
    pub fn propose_membership(
        &mut self,
        now: Instant,
        changes: &[Change],
    ) -> Result<EntryId, MembershipError> {
        let hint = self.leader();
        self.now = self.now.max(now);
        let Role::Leader(leader) = &self.role else {
            return Err(MembershipError::NotLeader { hint });
        };
        // Before the first commit of the term, an earlier leader's change may still be open.
        if self.commit < leader.noop {
            return Err(MembershipError::NotReady);
        }
        if self.commit < self.membership.index() || leader.transfer.is_some() {
            return Err(MembershipError::Pending);
        }
        let own = self.config.id;
        let rebinds = |change: &Change| matches!(change, Change::Rebind { id, .. } if *id == own);
        if changes.iter().any(rebinds) {
            return Err(MembershipError::AlreadyMember(own));
        }
        let next = self.membership.current().change(changes)?;
        Ok(self.append_membership(next))
    }

    /// Takes the next step, if the last one is committed.
    pub(crate) fn advance_membership(&mut self) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let conf_state = self.membership.current();
        let settled = self.commit >= self.membership.index();
        // A joint configuration is left even while leadership moves: the target waits for it.
        if !settled || self.commit < leader.noop {
            return;
        }
        let next = if conf_state.is_joint() {
            Some(conf_state.leave())
        } else if !conf_state.is_voter(self.config.id) {
            return self.resign();
        } else if leader.transfer.is_some() {
            None
        } else if !conf_state.joining.is_empty() && self.have_caught_up(&conf_state.joining) {
            Some(conf_state.promote())
        } else {
            let change = self.lost_storage().filter(|_| self.config.auto_rebind);
            change.and_then(|change| conf_state.change(&[change]).ok())
        };
        if let Some(next) = next {
            self.append_membership(next);
        }
    }

    fn have_caught_up(&self, joining: &[NodeId]) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        joining.iter().all(|&id| {
            (leader.progress.get(id)).is_some_and(|progress| {
                let heard = self.now < progress.last_heard.after(self.config.election_timeout);
                heard && progress.caught_up && matches!(progress.mode, Mode::Replicate(_))
            })
        })
    }

    /// A member that is silent under its own storage and answers under another one.
    fn lost_storage(&self) -> Option<Change> {
        let Role::Leader(leader) = &self.role else {
            return None;
        };
        let patience = self.config.election_timeout;
        leader.progress.iter().find_map(|(id, progress)| {
            let (storage, heard) = progress.stranger?;
            let silent = self.now >= progress.last_heard.after(patience);
            let recent = self.now < heard.after(patience);
            (silent && recent).then_some(Change::Rebind { id, storage })
        })
    }

    /// An answered heartbeat that counts for nobody: the member of this name has another storage.
    ///
    /// It must be an answer to a late round. What a storage said that was lost long ago may still be on
    /// its way, and a member must never be bound to that again: acknowledgements of it may be, too. A
    /// member is bound to another storage when it has been silent for an election timeout at least,
    /// so its last word from the former one is older than the rounds of that time.
    pub(crate) fn note_stranger(&mut self, from: NodeId, storage: StorageId, round: u64) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let timeout = micros(self.config.election_timeout);
        let rounds = timeout / micros(self.config.heartbeat_interval).max(1);
        if round > 0 && round + rounds > leader.reads.round() && leader.progress.has(from) {
            self.rouse();
            let now = self.now;
            self.with_progress(from, |progress| progress.stranger = Some((storage, now)));
            self.flush_due = true;
        }
    }

    fn append_membership(&mut self, next: ConfState) -> EntryId {
        let next = Arc::new(next);
        let id = self.append_own(Payload::Membership(next.clone()));
        self.bid_farewell(&next);
        self.membership.push(id.index, next);
        self.follow_members();
        self.maybe_commit();
        self.confirm_reads();
        id
    }

    /// Those that go are told so, once, and ask for votes until they know that it is committed.
    fn bid_farewell(&mut self, next: &ConfState) {
        let members = next.members();
        let mut gone = self.membership.current().members();
        gone.retain(|id| *id != self.config.id && !members.contains(id));
        for peer in gone {
            let Role::Leader(leader) = &self.role else {
                return;
            };
            let Some(progress) = leader.progress.get(peer) else {
                continue;
            };
            let (next, last) = (progress.next, self.log.last().index);
            if matches!(progress.mode, Mode::Replicate(_))
                && let Some(term) = self.log.term_at(next.prev())
            {
                let entries = self.log.slice(next, last, self.config.max_append_bytes);
                let (prev, commit) = (EntryId::new(term, next.prev()), self.commit);
                let body = Body::AppendEntries {
                    prev,
                    commit,
                    entries,
                };
                self.send(peer, body);
            }
        }
    }

    /// One that is no member wants votes. If it has what took it out, it learns here that this is
    /// committed, and asks no more.
    pub(crate) fn tell_removed(&mut self, from: NodeId, asked_for: Term) {
        let (index, commit) = (self.membership.index(), self.commit);
        let index = index.max(self.log.start().index);
        // The answer of one in a later term would end this leadership.
        let is_behind = asked_for <= self.hard_state.term.next();
        if self.is_leader()
            && is_behind
            && !self.membership.current().is_member(from)
            && commit >= index
            && let Some(term) = self.log.term_at(index)
        {
            let body = Body::AppendEntries {
                prev: EntryId::new(term, index),
                commit,
                entries: Vec::new(),
            };
            self.send(from, body);
        }
    }

    /// Makes the leader's view of its followers one of the members in force. Who has another
    /// storage begins anew.
    fn follow_members(&mut self) {
        let (own, now, next) = (self.config.id, self.now, self.log.last().index);
        let conf_state = self.membership.current();
        let before = self.membership.before();
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let mut known = core::mem::take(&mut leader.progress);
        let view = |id: NodeId| {
            let same = conf_state.storages.get(id) == before.storages.get(id);
            let progress = known.remove(id).filter(|_| same);
            (id, progress.unwrap_or_else(|| Progress::new(next, now)))
        };
        let others = conf_state.members().into_iter().filter(|&id| id != own);
        leader.progress = others.map(view).collect::<Table<_, _>>();
        leader.transfer = leader
            .transfer
            .take()
            .filter(|transfer| conf_state.is_voter(transfer.to));
    }

    /// A leader that is no longer a member has done its last work. The follower that has most goes
    /// on at once.
    fn resign(&mut self) {
        let conf_state = self.membership.current();
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let best = (leader.progress.iter())
            .filter(|(id, _)| conf_state.is_voter(*id))
            .max_by_key(|(_, progress)| progress.matched);
        if let Some((id, _)) = best {
            self.send(id, Body::TimeoutNow);
        }
        self.become_follower(self.hard_state.term);
    }
}
