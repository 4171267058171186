//! Elections (§5.2, §5.4.1), with the pre-vote and the leader stickiness of the thesis (§9.6,
//! §4.2.3) and a quorum check by the leader.

use core::time::Duration;

use crate::entry::Payload;
use crate::message::Body;
use crate::persistence::{Held, RestsOn};
use crate::progress::Progress;
use crate::quorum::VoteResult;
use crate::raft::Raft;
use crate::read_index::Reads;
use crate::role::{Campaign, Follower, Leader, Role};
use crate::sleep::Sleep;
use crate::table::Table;
use crate::types::{EntryId, Instant, NodeId, Term};

impl Raft {
    /// Follows in `term`, with no leader known yet. A vote given in the same term stays given.
    pub(crate) fn become_follower(&mut self, term: Term) {
        let vote = self
            .hard_state
            .vote
            .filter(|_| term == self.hard_state.term);
        self.set_hard_state(term, vote);
        self.receiving = None;
        if let Role::Follower(Follower {
            leader: Some((_, heard)),
            ..
        }) = self.role
        {
            self.pledged = heard;
        }
        let deadline = match &self.role {
            // Hearing of a term is no reason to wait longer for a leader.
            Role::Follower(follower) if follower.asleep.is_none() => follower.deadline,
            Role::PreCandidate(campaign) | Role::Candidate(campaign) => campaign.deadline,
            Role::Follower(_) | Role::Leader(_) => self.random_deadline(),
        };
        self.role = Role::Follower(Follower::new(None, deadline));
        self.push_role_changed();
    }

    /// The leader of the current term spoke. There is only one, so whoever else ran gives up.
    pub(crate) fn hear_leader(&mut self, from: NodeId) {
        assert!(!self.is_leader(), "two leaders in {}", self.hard_state.term);
        let known = self.leader() == Some(from);
        let deadline = self.random_deadline();
        self.role = Role::Follower(Follower::new(Some((from, self.now)), deadline));
        if !known {
            self.push_role_changed();
        }
    }

    /// The connection to the leader was lost: it has ended, or perhaps not.
    pub(crate) fn lose_leader(&mut self, peer: NodeId) {
        if self.leader() != Some(peer) || self.is_leader() {
            return;
        }
        self.rouse();
        if !self.config.lease_reads {
            self.become_follower(self.hard_state.term);
            self.hurry(Duration::ZERO, peer);
        }
    }

    /// A peer can be reached from now on. Where nobody is known to lead, one who does would say so within a heartbeat interval;
    /// so a leader that sleeps does: the peer may be one that knows of none, and cannot ask.
    pub(crate) fn handle_reachable(&mut self) {
        if self.leader().is_none() {
            self.hurry(self.config.heartbeat_interval, self.config.id);
        } else if self.is_leader() {
            self.rouse();
        }
    }

    /// Campaigns as soon as this, or a little later for each voter before this one that is not `gone`, so that one of them is
    /// ahead. It asks sooner, and is granted no more: who hears a leader refuses, and where a leader may read by what others
    /// said, nothing is sooner.
    fn hurry(&mut self, wait: Duration, gone: NodeId) {
        if self.config.lease_reads {
            return;
        }
        let own = self.config.id;
        let voters = self.other_voters().into_iter();
        let ahead = voters.filter(|&id| id < own && id != gone).count();
        let step = self.config.heartbeat_interval / 4;
        let wait = wait + step.saturating_mul(ahead.try_into().unwrap_or(u32::MAX));
        let soon = self.now.after(wait);
        if let Role::Follower(Follower { deadline, .. })
        | Role::PreCandidate(Campaign { deadline, .. }) = &mut self.role
        {
            *deadline = soon.min(*deadline);
        }
    }

    /// Another was told that it could win: it has a heartbeat interval for that, before this one asks itself. Of two that ask at
    /// the same time the one with the higher id gives way, or they would divide the votes.
    fn make_way(&mut self, from: NodeId) {
        let earliest = self.now.after(self.config.heartbeat_interval);
        match &mut self.role {
            Role::Follower(follower) => follower.deadline = earliest.max(follower.deadline),
            Role::PreCandidate(campaign) if from < self.config.id => {
                let deadline = earliest.max(campaign.deadline);
                self.role = Role::Follower(Follower::new(None, deadline));
                self.push_role_changed();
            }
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => {}
        }
    }

    /// Whether a leader other than the asker was heard so recently that no one should run.
    pub(crate) fn is_leader_fresh(&self, asker: NodeId) -> bool {
        // It may have confirmed a leader that relies on its word, before it went down or before it
        // heard of a later term, in which perhaps nobody leads.
        if self.config.lease_reads && self.now < self.pledged.after(self.config.election_timeout) {
            return true;
        }
        match &self.role {
            Role::Leader(_) => self.now < self.quorum_deadline(),
            Role::Follower(Follower {
                leader: Some((leader, heard)),
                ..
            }) => *leader != asker && self.now < heard.after(self.config.election_timeout),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
        }
    }

    /// When a leader that hears nothing more has been without a quorum for an election timeout.
    pub(crate) fn quorum_deadline(&self) -> Instant {
        let Role::Leader(leader) = &self.role else {
            return Instant::NEVER;
        };
        let heard = |id| {
            leader
                .progress
                .get(id)
                .map_or(self.now, |progress| progress.last_heard)
        };
        let contact = self.membership.current().reached(heard).unwrap_or(self.now);
        contact.after(self.config.election_timeout)
    }

    /// Asks whether an election could be won, so that a node that cannot win moves no term.
    pub(crate) fn pre_campaign(&mut self) {
        let votes = Table::from_iter([(self.config.id, true)]);
        let deadline = self.random_deadline();
        self.role = Role::PreCandidate(Campaign { votes, deadline });
        self.push_role_changed();
        let (last, term) = (self.log.last(), self.hard_state.term.next());
        for peer in self.other_voters() {
            let message = self.message(peer, term, Body::PreVote { last });
            // What it says of this node's log must be true after a crash.
            self.hold(Held::Send(message), RestsOn::Log);
        }
        self.count_pre_votes();
    }

    /// Asks for votes in a new term (§5.2).
    fn campaign(&mut self, transfer: bool) {
        let term = self.hard_state.term.next();
        self.set_hard_state(term, Some(self.config.id));
        let deadline = self.random_deadline();
        self.role = Role::Candidate(Campaign {
            votes: Table::default(),
            deadline,
        });
        self.push_role_changed();
        let last = self.log.last();
        for peer in self.other_voters() {
            self.send_when(RestsOn::Log, peer, Body::RequestVote { last, transfer });
        }
        self.hold(Held::SelfVote(term), RestsOn::Log);
    }

    /// The leader asked this node to take over.
    pub(crate) fn handle_timeout_now(&mut self) {
        if matches!(self.role, Role::Follower(_)) && self.may_campaign() {
            self.campaign(true);
        }
    }

    /// A pre-vote request in `term`, which is the one the asker would run in.
    pub(crate) fn handle_pre_vote(&mut self, from: NodeId, term: Term, last: EntryId) {
        if !self.may_vote() {
            if self.config.relaxed {
                // From its new storage, which tells that the one that had a vote is gone.
                let body = Body::PreVoteResponse { granted: false };
                self.send_when(RestsOn::HardState, from, body);
            }
            return;
        }
        self.tell_removed(from, term);
        let granted =
            term > self.hard_state.term && last >= self.log.last() && !self.is_leader_fresh(from);
        let body = Body::PreVoteResponse { granted };
        if granted {
            self.make_way(from);
            let message = self.message(from, term, body);
            self.hold(Held::Send(message), RestsOn::HardState);
        } else {
            // In the own term: one who is behind learns it.
            self.send_when(RestsOn::HardState, from, body);
        }
    }

    /// A node that knows of no cluster, or is a member with another storage, may have forgotten a
    /// vote. A learner may vote: who asks it may know that it has become a voter.
    pub(crate) fn may_vote(&self) -> bool {
        let conf_state = self.membership.current();
        !conf_state.voters.is_empty() && conf_state.knows(self.config.id, self.config.storage)
    }

    pub(crate) fn handle_pre_vote_response(&mut self, from: NodeId, term: Term, granted: bool) {
        let current = self.hard_state.term;
        if !granted && term > current {
            return self.become_follower(term);
        }
        let Role::PreCandidate(campaign) = &mut self.role else {
            return;
        };
        if !granted || term == current.next() {
            campaign.votes.insert(from, granted);
            self.count_pre_votes();
        }
    }

    fn count_pre_votes(&mut self) {
        let Role::PreCandidate(campaign) = &self.role else {
            return;
        };
        match self.ballot(&campaign.votes) {
            VoteResult::Won => self.campaign(false),
            // Lost is no reason to hurry: the deadline of the campaign tries again.
            VoteResult::Lost | VoteResult::Pending => {}
        }
    }

    /// A vote request of the current term: first come, first served, if the log is as good.
    pub(crate) fn handle_request_vote(&mut self, from: NodeId, last: EntryId) {
        let repeated = self.hard_state.vote == Some(from);
        let free = self.hard_state.vote.is_none() && self.leader().is_none();
        let fit = free && last >= self.log.last();
        if fit {
            self.set_hard_state(self.hard_state.term, Some(from));
            let deadline = self.random_deadline();
            self.role = Role::Follower(Follower::new(None, deadline));
            self.push_role_changed();
        }
        let body = Body::RequestVoteResponse {
            granted: fit || repeated,
        };
        self.send_when(RestsOn::HardState, from, body);
    }

    pub(crate) fn handle_vote_response(&mut self, from: NodeId, granted: bool) {
        let Role::Candidate(campaign) = &mut self.role else {
            return;
        };
        campaign.votes.insert(from, granted);
        let Role::Candidate(campaign) = &self.role else {
            return;
        };
        match self.ballot(&campaign.votes) {
            VoteResult::Won => self.become_leader(),
            // A later attempt in a later term may do better; the deadline decides when.
            VoteResult::Lost | VoteResult::Pending => {}
        }
    }

    /// The own vote is durable, and only now counts.
    pub(crate) fn handle_self_vote(&mut self, term: Term) {
        if term == self.hard_state.term {
            self.handle_vote_response(self.config.id, true);
        }
    }

    fn become_leader(&mut self) {
        let next = self.log.last().index.next();
        let own = self.config.id;
        let others = self
            .membership
            .current()
            .members()
            .into_iter()
            .filter(|&id| id != own);
        self.role = Role::Leader(Leader {
            progress: others
                .map(|id| (id, Progress::new(next, self.now)))
                .collect(),
            heartbeat_deadline: self.next_heartbeat(),
            uncommitted_bytes: 0,
            noop: next,
            reads: Reads::default(),
            transfer: None,
            abdicated: false,
            sleep: Sleep::Awake { since: self.now },
        });
        self.receiving = None;
        self.push_role_changed();
        // §8: an entry of the own term, without which nothing older could be committed (§5.4.2).
        self.append_own(Payload::Noop);
    }

    fn other_voters(&self) -> Vec<NodeId> {
        let mut peers = self.membership.current().members();
        peers.retain(|&id| id != self.config.id && self.membership.current().is_voter(id));
        peers
    }
}
