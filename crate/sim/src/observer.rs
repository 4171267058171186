//! Who notes [situations](crate::situation): it looks at statuses before and after each step, at
//! what arrives and what is sent, and never into a node.

use quorate_raft::{
    AppendOutcome, Body, EntryId, Index, Message, NodeId, ProgressMode, Restored, RoleKind, Status,
    Term,
};
use quorate_rsm::{Output, ReadAt, Reply, RequestBody, RequestError};

use crate::by_node::ByNode;
use crate::situation::{Sightings, Situation};

/// What it knows, and what it has seen.
#[derive(Debug)]
pub struct Observer {
    nodes: ByNode<Observed>,
    voters: usize,
    committed: Index,
    last_leader: Option<NodeId>,
    /// Of each command, by its name, the node it was last sent to.
    asked: Vec<Option<NodeId>>,
    sightings: Sightings,
    /// A place for the next status.
    spare: Option<Box<Status>>,
}

/// One node.
#[derive(Debug, Default)]
struct Observed {
    /// After its last step, if it runs.
    status: Option<Box<Status>>,
    writing: bool,
    /// The first entry of its leadership.
    first_own: Index,
    /// Sender, snapshot and number of the last chunk that came.
    chunk: Option<(NodeId, EntryId, u32)>,
    /// What arrived for the step to come.
    heard: Vec<Heard>,
}

/// What arrived, as far as the answer to it is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    StalePreVote,
    Vote {
        from: NodeId,
        stale: bool,
        given: bool,
    },
    Entries,
}

impl Observer {
    /// Nothing is seen yet.
    #[must_use]
    pub fn new(voters: &[NodeId]) -> Self {
        Self {
            nodes: voters.iter().map(|&id| (id, Observed::default())).collect(),
            voters: voters.len(),
            committed: Index(0),
            last_leader: None,
            asked: Vec::new(),
            sightings: Sightings::default(),
            spare: None,
        }
    }

    /// What was seen.
    #[must_use]
    pub fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Notes what was seen by another.
    pub fn note(&mut self, situation: Situation) {
        self.sightings.note(situation);
    }

    fn note_if(&mut self, condition: bool, situation: Situation) {
        if condition {
            self.sightings.note(situation);
        }
    }

    /// A node starts with this.
    pub fn started(&mut self, id: NodeId, restored: &Restored, torn: bool) {
        let last = restored.entries.last().map_or(restored.log_start, |e| e.id);
        self.note_if(
            restored.hard_state.vote.is_some(),
            Situation::RestartWithVote,
        );
        self.note_if(
            restored.snapshot.last.index.0 > 0,
            Situation::RestartFromSnapshot,
        );
        self.note_if(
            last.index > self.committed,
            Situation::RestartWithUncommitted,
        );
        self.note_if(torn, Situation::RestartAfterTornWrite);
        let sleepers = self.others(id).any(|other| other.asleep);
        self.note_if(sleepers, Situation::RestartedWhileOthersSlept);
        self.nodes.insert(id, Observed::default());
    }

    /// A node's run ended.
    pub fn crashed(&mut self, id: NodeId) {
        self.nodes.insert(id, Observed::default());
    }

    /// A node goes on after a pause.
    pub fn resumed(&mut self, id: NodeId) {
        if let Some(term) = self.leads(id) {
            self.note(Situation::LeaderResumes);
            self.note_if(self.leads_beyond(id, term), Situation::DeposedLeaderResumes);
        }
    }

    /// A message reaches a node that takes it.
    pub fn delivered(&mut self, message: &Message) {
        let Some(node) = self.nodes.get_mut(message.to) else {
            return;
        };
        let Some(me) = &node.status else {
            return;
        };
        let (from, term) = (message.from, message.term);
        let is_late = term < me.term;
        let leads = me.role == RoleKind::Leader;
        let seen = &mut self.sightings;
        match &message.body {
            Body::PreVote { last } => {
                if is_older(*last, me.last) {
                    node.heard.push(Heard::StalePreVote);
                }
            }
            Body::RequestVote { last, .. } => {
                if is_late {
                    return seen.note(Situation::VoteAskedTooLate);
                }
                let vote = me.vote.filter(|_| term == me.term);
                if vote == Some(from) {
                    seen.note(Situation::VoteAskedTwice);
                }
                node.heard.push(Heard::Vote {
                    from,
                    stale: is_older(*last, me.last),
                    given: vote.is_some_and(|vote| vote != from),
                });
            }
            Body::RequestVoteResponse { granted } => {
                if is_late {
                    seen.note(Situation::VoteAfterItsTerm);
                } else if leads && *granted {
                    seen.note(Situation::VoteAfterWinning);
                }
            }
            Body::AppendEntries { prev, entries, .. } => {
                if is_late {
                    return seen.note(Situation::AppendAfterItsTerm);
                }
                let last = entries.last().map_or(*prev, |entry| entry.id);
                let situation = if prev.index > me.last.index {
                    Some(Situation::AppendBeyondTheLog)
                } else if entries.is_empty() {
                    None
                } else if last.index <= me.log_start.index {
                    Some(Situation::AppendBelowTheLog)
                } else if last.index <= me.commit {
                    Some(Situation::AppendBelowCommit)
                } else if last.index < me.last.index && last.term == me.last.term {
                    Some(Situation::AppendOfAPrefix)
                } else {
                    node.heard.push(Heard::Entries);
                    None
                };
                situation.into_iter().for_each(|s| seen.note(s));
            }
            Body::AppendEntriesResponse(outcome) => {
                let peer = me.peers.iter().find(|peer| peer.id == from);
                match (outcome, peer) {
                    _ if is_late => seen.note(Situation::AnswerAfterItsTerm),
                    (AppendOutcome::Accepted { matched }, Some(peer))
                        if *matched < peer.matched =>
                    {
                        seen.note(Situation::AcknowledgementOvertaken);
                    }
                    (AppendOutcome::Rejected { .. }, Some(peer))
                        if peer.mode == ProgressMode::Replicate =>
                    {
                        seen.note(Situation::RejectedWhilePipelining);
                    }
                    (..) => {}
                }
            }
            Body::Heartbeat { commit, .. } => {
                if !is_late && *commit > me.commit {
                    seen.note(Situation::CommitLearnedFromHeartbeat);
                }
            }
            Body::InstallSnapshot { meta, number, .. } => {
                let (last, number) = (meta.last, *number);
                if number == 2 {
                    seen.note(Situation::ManyChunks);
                }
                let situation = match node.chunk {
                    _ if is_late => None,
                    _ if last.index <= me.commit => Some(Situation::SnapshotOfWhatIsKnown),
                    None => (number > 0).then_some(Situation::ChunkWithoutBeginning),
                    Some((sender, snapshot, _)) if sender != from && snapshot == last => {
                        Some(Situation::SnapshotOfAnotherLeader)
                    }
                    Some((_, snapshot, _)) if snapshot != last => {
                        Some(Situation::SnapshotSuperseded)
                    }
                    Some((.., before)) => (number <= before).then_some(Situation::ChunkRepeated),
                };
                situation.into_iter().for_each(|s| seen.note(s));
                if !is_late {
                    node.chunk = Some((from, last, number));
                }
            }
            Body::PreVoteResponse { .. }
            | Body::HeartbeatResponse { .. }
            | Body::Sleep { .. }
            | Body::SleepResponse { .. }
            | Body::InstallSnapshotResponse { .. }
            | Body::TimeoutNow
            | Body::ReadIndex { .. }
            | Body::ReadIndexResponse { .. }
            | Body::Digest(_) => {}
        }
    }

    /// A node was handed events and drained. `committed` is what is committed anywhere.
    pub fn stepped(
        &mut self,
        status: Status,
        writing: bool,
        window: usize,
        outputs: &[Output],
        committed: Index,
    ) {
        self.committed = committed;
        let id = status.id;
        let status = match self.spare.take() {
            Some(mut place) => {
                *place = status;
                place
            }
            None => Box::new(status),
        };
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let heard = core::mem::take(&mut node.heard);
        let was_writing = core::mem::replace(&mut node.writing, writing);
        let before = node.status.take();
        self.note_outputs(before.as_deref(), &status, &heard, outputs);
        if let Some(before) = &before {
            if (before.role, before.term) != (status.role, status.term) {
                self.note_role(before, &status, was_writing);
            }
            self.note_log(before, &status, was_writing);
            let falls = !before.asleep && status.asleep && status.role == RoleKind::Leader;
            self.note_if(falls, Situation::LeaderFellAsleep);
            self.note_members(before, &status, outputs);
            if status.role == RoleKind::Leader {
                self.note_peers(before, &status, window);
            }
        }
        if let Some(node) = self.nodes.get_mut(id) {
            // The heard are kept for their buffer.
            node.heard = heard;
            node.heard.clear();
            node.status = Some(status);
            self.spare = before;
        }
    }

    /// A client asks a node for something; `executed` says whether the command has taken effect.
    pub fn asked(&mut self, id: NodeId, body: &RequestBody, tag: Option<u64>, executed: bool) {
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let before_first = node
            .status
            .as_ref()
            .is_some_and(|me| me.commit < node.first_own);
        let leads = self.leads(id);
        let deposed = leads.is_some_and(|term| self.leads_beyond(id, term));
        let own = |at: &ReadAt| matches!(at, ReadAt::Local | ReadAt::Watch);
        let wakes = !matches!(body, RequestBody::Read { at, .. } if own(at));
        let asleep = node.status.as_ref().is_some_and(|me| me.asleep);
        self.note_if(
            leads.is_some() && asleep && wakes,
            Situation::WokenByRequest,
        );
        match body {
            RequestBody::Read { .. } => {
                let waits = leads.is_some() && before_first;
                self.note_if(waits, Situation::ReadWaitsForFirstCommit);
                self.note_if(deposed, Situation::DeposedLeaderAskedToRead);
            }
            RequestBody::Write { .. } => {
                self.note_if(deposed, Situation::DeposedLeaderAskedToWrite);
                self.note_if(executed, Situation::RetriedAfterExecution);
                let at = tag.unwrap_or_default() as usize;
                if self.asked.len() <= at && at < 1 << 24 {
                    self.asked.resize(2 * at + 64, None);
                }
                if let Some(place) = self.asked.get_mut(at) {
                    let elsewhere = place.replace(id).is_some_and(|before| before != id);
                    self.note_if(elsewhere, Situation::RetriedElsewhere);
                }
            }
            RequestBody::OpenSession
            | RequestBody::CloseSession { .. }
            | RequestBody::Propose { .. } => {}
        }
    }

    /// A node answers a client.
    pub fn replied(&mut self, replies: &[Reply]) {
        self.note_if(replies.len() > 1, Situation::AnswersTogether);
        for reply in replies {
            self.note(match reply.result {
                Err(RequestError::NotLeader { hint: Some(_) }) => Situation::RedirectedWithHint,
                Err(RequestError::NotLeader { hint: None }) => Situation::RedirectedWithoutHint,
                Err(RequestError::LeadershipLost { .. }) => Situation::LeadershipLost,
                Err(RequestError::Overloaded) => Situation::Overloaded,
                Err(RequestError::SessionExpired) => Situation::SessionExpired,
                Err(RequestError::TooLarge { .. } | RequestError::WindowExceeded) | Ok(_) => {
                    continue;
                }
            });
        }
    }

    fn note_role(&mut self, before: &Status, after: &Status, was_writing: bool) {
        use RoleKind::{Candidate, Follower, Leader, PreCandidate};
        let same_term = before.term == after.term;
        self.note_if(after.term.0 >= before.term.0 + 3, Situation::TermsMissed);
        match (before.role, after.role) {
            (PreCandidate, Follower) if same_term => self.note(Situation::PreCandidateGaveWay),
            (Candidate, Follower) if same_term => self.note(Situation::CandidateGaveWay),
            (Candidate, Follower) => self.note(Situation::CandidateOvertaken),
            (Candidate, PreCandidate) => self.note(Situation::ElectionWithoutWinner),
            (Leader, Follower) => {
                self.note(if same_term {
                    Situation::LeaderWithoutQuorum
                } else {
                    Situation::LeaderDeposed
                });
                self.note_if(was_writing, Situation::LeaderDeposedWhileWriting);
            }
            (_, Candidate) => {
                let rival = |other: &Status| other.role == Candidate && other.term == after.term;
                let rivals = self.others(after.id).any(rival);
                self.note_if(rivals, Situation::TwoCandidates);
            }
            (_, Leader) => self.note_leader(after),
            (..) => {}
        }
    }

    fn note_leader(&mut self, after: &Status) {
        let old = self
            .others(after.id)
            .any(|other| other.role == RoleKind::Leader);
        let longer = self
            .others(after.id)
            .any(|other| other.last.index > after.last.index);
        self.note_if(old, Situation::TwoLeaders);
        self.note_if(longer, Situation::LeaderWithShorterLog);
        self.note_if(self.voters == 1, Situation::LeadsAlone);
        let again = self.last_leader.replace(after.id) == Some(after.id);
        self.note_if(again && self.voters > 1, Situation::LeadsAgain);
        let inherits = after.last.index.0 > self.committed.0 + 1;
        self.note_if(inherits, Situation::LeaderInheritsUncommitted);
        if let Some(node) = self.nodes.get_mut(after.id) {
            node.first_own = after.last.index;
        }
    }

    fn note_log(&mut self, before: &Status, after: &Status, was_writing: bool) {
        let cut = after.last.index < before.last.index
            || (after.last.index == before.last.index && after.last.term != before.last.term);
        if cut {
            self.note(Situation::TailCut);
            self.note_if(was_writing, Situation::WriteOvertaken);
        }
        if after.snapshot != before.snapshot && before.log_start.index < after.snapshot.index {
            self.note(Situation::SnapshotTaken);
            self.note_if(after.log_start == after.last, Situation::LogEmptied);
        }
        if after.commit == before.commit {
            return;
        }
        let committed = after.commit - before.commit;
        self.note_if(committed >= 50, Situation::ManyCommittedAtOnce);
        if after.role != RoleKind::Leader {
            return;
        }
        self.note_if(
            after.commit > after.persisted,
            Situation::CommittedBeforeOwnDisk,
        );
        let first = self.nodes.get(after.id).map_or(Index(0), |n| n.first_own);
        let inherited = before.commit < first && before.commit.next() < first;
        self.note_if(
            inherited && after.commit >= first,
            Situation::EarlierTermsCommitted,
        );
    }

    fn note_peers(&mut self, before: &Status, after: &Status, window: usize) {
        for (old, new) in before.peers.iter().zip(&after.peers) {
            if old.mode != new.mode {
                use ProgressMode::{Probe, Replicate, Snapshot};
                match (old.mode, new.mode) {
                    (Probe, Replicate) => self.note(Situation::ProbeFound),
                    (Replicate, Probe) => self.note(Situation::PipelineBroken),
                    (_, Snapshot) => self.note(Situation::SnapshotNeeded),
                    (..) => {}
                }
            }
            self.note_if(
                new.inflight >= window && old.inflight < window,
                Situation::WindowFull,
            );
            let behind = |last: EntryId, matched: Index| last.index.0 >= matched.0 + 100;
            self.note_if(
                behind(after.last, new.matched) && !behind(before.last, old.matched),
                Situation::FollowerFarBehind,
            );
        }
    }

    fn note_members(&mut self, before: &Status, me: &Status, outputs: &[Output]) {
        let (old, new) = (&before.conf_state, &me.conf_state);
        let leads = me.role == RoleKind::Leader;
        let (led, stays) = (before.role == RoleKind::Leader, before.term == me.term);
        let voteless = |status: &Status| !status.conf_state.is_voter(status.id);
        self.note_if(
            !old.is_joint() && new.is_joint(),
            Situation::JointConfiguration,
        );
        self.note_if(leads && !led && new.is_joint(), Situation::JointInherited);
        self.note_if(
            me.conf_index < before.conf_index,
            Situation::ConfigurationCut,
        );
        self.note_if(leads && voteless(me), Situation::LeaderWithoutVote);
        let resigns = led && stays && !leads && voteless(me);
        self.note_if(resigns, Situation::LeaderResigns);
        let promoted = old.learners.iter().any(|id| new.voters.contains(id));
        self.note_if(promoted, Situation::LearnerPromoted);
        let rebound = old.storages_next.is_empty() && !new.storages_next.is_empty();
        self.note_if(rebound, Situation::MemberRebound);
        let (old, new) = (before.transferring, me.transferring);
        self.note_if(old.is_none() && new.is_some(), Situation::TransferBegun);
        let given_up = old.is_some() && new.is_none() && leads && stays;
        self.note_if(given_up, Situation::TransferGivenUp);
        for output in outputs {
            match output {
                Output::Persist(batch) => {
                    let meta = batch.snapshot.as_ref().map(|manifest| &manifest.meta);
                    let joint = meta.is_some_and(|meta| meta.conf_state.is_joint());
                    self.note_if(joint, Situation::SnapshotWhileJoint);
                }
                Output::Send(message) => match &message.body {
                    Body::RequestVote { transfer: true, .. } => {
                        self.note(Situation::CampaignByTransfer);
                    }
                    Body::InstallSnapshot { .. } => {
                        let learns = me.conf_state.learners.contains(&message.to);
                        self.note_if(learns, Situation::SnapshotToLearner);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn note_outputs(
        &mut self,
        before: Option<&Status>,
        me: &Status,
        heard: &[Heard],
        outputs: &[Output],
    ) {
        let (mut answered_vote, mut answered_append) = (false, false);
        for output in outputs {
            match output {
                Output::Send(message) => match &message.body {
                    Body::PreVoteResponse { granted: false } => {
                        if me.leader.is_some() {
                            self.note(Situation::PreVoteRefusedWhileLed);
                        } else if heard.contains(&Heard::StalePreVote) {
                            self.note(Situation::PreVoteRefusedForStaleLog);
                        }
                    }
                    Body::RequestVoteResponse { granted } => {
                        answered_vote = true;
                        let asked = heard.iter().find_map(|heard| match heard {
                            Heard::Vote { from, stale, given } if *from == message.to => {
                                Some((*stale, *given))
                            }
                            _ => None,
                        });
                        if let (false, Some((stale, given))) = (granted, asked) {
                            self.note_if(stale, Situation::VoteRefusedForStaleLog);
                            self.note_if(given, Situation::VoteRefusedAlreadyGiven);
                        }
                    }
                    Body::AppendEntriesResponse(outcome) => {
                        answered_append = true;
                        if let AppendOutcome::Rejected { prev, hint } = outcome
                            && prev.0 > 0
                        {
                            self.note(Situation::AppendRejected);
                            self.note_if(hint.index.0 + 2 < prev.0, Situation::HintSkips);
                        }
                    }
                    Body::AppendEntries { entries, .. } => {
                        self.note_if(entries.is_empty(), Situation::EmptyAppend);
                        let first = entries.first().map(|entry| entry.id.term);
                        self.note_if(
                            first.is_some_and(|first| first < message.term),
                            Situation::EarlierTermsSent,
                        );
                    }
                    Body::PreVote { .. }
                    | Body::PreVoteResponse { granted: true }
                    | Body::RequestVote { .. }
                    | Body::Heartbeat { .. }
                    | Body::HeartbeatResponse { .. }
                    | Body::Sleep { .. }
                    | Body::SleepResponse { .. }
                    | Body::InstallSnapshot { .. }
                    | Body::InstallSnapshotResponse { .. }
                    | Body::TimeoutNow
                    | Body::ReadIndex { .. }
                    | Body::ReadIndexResponse { .. } => {}
                    Body::Digest(_) => self.note(Situation::StateReported),
                },
                Output::Restored { snapshot } => {
                    self.note(Situation::SnapshotInstalled);
                    let longer = before.is_some_and(|known| known.last.index > snapshot.index);
                    self.note_if(longer, Situation::SnapshotReplacesLongerLog);
                }
                Output::Persist(_)
                | Output::MembershipChanged { .. }
                | Output::Reply { .. }
                | Output::RoleChanged { .. }
                | Output::Diverged { .. }
                | Output::Halted(_) => {}
            }
        }
        for heard in heard {
            match heard {
                Heard::Vote { from, .. } if !answered_vote => {
                    let given = me.vote == Some(*from);
                    self.note(if given {
                        Situation::VoteWaitsForDisk
                    } else {
                        Situation::VoteNotHeard
                    });
                }
                Heard::Entries if !answered_append => self.note(Situation::AnswerWaitsForDisk),
                Heard::Vote { .. } | Heard::Entries | Heard::StalePreVote => {}
            }
        }
    }

    /// The term in which a node believes to lead.
    fn leads(&self, id: NodeId) -> Option<Term> {
        let status = self.nodes.get(id)?.status.as_ref()?;
        (status.role == RoleKind::Leader).then_some(status.term)
    }

    fn leads_beyond(&self, id: NodeId, term: Term) -> bool {
        self.others(id)
            .any(|other| other.role == RoleKind::Leader && other.term > term)
    }

    fn others(&self, id: NodeId) -> impl Iterator<Item = &Status> {
        let others = self.nodes.iter().filter(move |(other, _)| *other != id);
        others.filter_map(|(_, node)| node.status.as_deref())
    }
}

/// Whether a log that ends with `a` is older than one that ends with `b` (§5.4.1).
fn is_older(a: EntryId, b: EntryId) -> bool {
    (a.term, a.index) < (b.term, b.index)
}
