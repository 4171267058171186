//! What the checker remembers beside the nodes: who led, who voted for whom, and what was committed.
//! It is part of the world's state, for nothing that was ever promised may be forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_raft::{ConfState, Entry, EntryId, Index, NodeId, Term};

use crate::law::{Law, Situation, Violation};
use crate::process::{Effects, Process, apply};

/// What has happened so far.
#[derive(Clone, Debug, Default, Hash)]
pub struct History {
    /// Who led first in a term.
    leaders: Vec<(Term, NodeId)>,
    /// Votes given: in which term, by whom, to whom.
    votes: Vec<(Term, NodeId, NodeId)>,
    committed: Vec<Committed>,
    /// What came of steps, and cannot be seen in the nodes.
    shown: BTreeSet<Situation>,
}

/// An entry that a node called committed.
#[derive(Clone, Debug, Hash)]
pub struct Committed {
    /// The entry.
    pub entry: Entry,
    /// In which term that was.
    pub by: Term,
    /// The membership that decided it.
    conf_state: Arc<ConfState>,
    /// A machine that has applied it and all before.
    machine: u64,
}

impl History {
    /// What is committed, from index one on.
    #[must_use]
    pub fn committed(&self) -> &[Committed] {
        &self.committed
    }

    /// Whether a step brought this about.
    #[must_use]
    pub fn shows(&self, situation: Situation) -> bool {
        self.shown.contains(&situation)
    }

    /// Looks at what a step did to `nodes[at]`.
    ///
    /// # Errors
    /// It broke a law.
    pub fn look(
        self: &mut Arc<Self>,
        nodes: &[Arc<Process>],
        at: usize,
        before: &Process,
        effects: &Effects,
    ) -> Result<(), Violation> {
        let node = &*nodes[at];
        let id = NodeId(at as u64 + 1);
        self.record_shown(effects);
        for message in &effects.sent {
            if let quorate_raft::Body::RequestVoteResponse { granted: true } = message.body {
                self.record_vote(message.term, id, message.to)?;
            }
        }
        if let Some(term) = node.leads().filter(|_| before.leads() != node.leads()) {
            self.look_at_leader(node, id, term)?;
        }
        if node.raft().commit().0 > 0 {
            self.look_at_commit(nodes, before, node, id)?;
        }
        self.look_at_applied(before, node, id, effects)?;
        if effects.wrote {
            self.look_at_disks(nodes)?;
        }
        if node.log() == before.log() && !effects.wrote {
            return Ok(());
        }
        look_at_logs(nodes, at)?;
        look_at_followers(nodes)
    }

    fn record_shown(self: &mut Arc<Self>, effects: &Effects) {
        let installed = effects.installed.map(|_| Situation::Installed);
        let after_second = |(_, committed): &(_, Index)| {
            let last = self.committed.get((committed.0 as usize).checked_sub(1)?)?;
            (last.by != self.committed[0].by).then_some(Situation::AnsweredAfterSecond)
        };
        let answered = effects.answered.iter();
        let shown = (answered.clone().filter_map(after_second))
            .chain(answered.map(|(how, _)| *how))
            .chain(installed);
        let new: Vec<_> = shown.filter(|situation| !self.shows(*situation)).collect();
        if !new.is_empty() {
            Arc::make_mut(self).shown.extend(new);
        }
    }

    fn record_vote(
        self: &mut Arc<Self>,
        term: Term,
        by: NodeId,
        to: NodeId,
    ) -> Result<(), Violation> {
        let known = self
            .votes
            .iter()
            .find(|(t, voter, _)| (*t, *voter) == (term, by));
        match known {
            Some((_, _, earlier)) if *earlier == to => Ok(()),
            Some((_, _, earlier)) => {
                let seen = format!("{by} voted in {term} for {earlier}, and now for {to}");
                Err(Violation::new(Law::OneVote, seen))
            }
            None => {
                let votes = &mut Arc::make_mut(self).votes;
                votes.push((term, by, to));
                votes.sort_unstable();
                Ok(())
            }
        }
    }

    /// Election Safety and Leader Completeness, when a node comes to lead.
    fn look_at_leader(
        self: &mut Arc<Self>,
        node: &Process,
        id: NodeId,
        term: Term,
    ) -> Result<(), Violation> {
        self.record_vote(term, id, id)?;
        let stored = node.disk().hard_state();
        if (stored.term, stored.vote) != (term, Some(id)) {
            let seen = format!("{id} leads {term} with {stored:?} on disk");
            return Err(Violation::new(Law::PromisesDurable, seen));
        }
        match self.leaders.iter().find(|(t, _)| *t == term) {
            Some((_, other)) => {
                let seen = format!("{other} led {term}, and now {id}");
                return Err(Violation::new(Law::ElectionSafety, seen));
            }
            None => {
                let leaders = &mut Arc::make_mut(self).leaders;
                leaders.push((term, id));
                leaders.sort_unstable();
            }
        }
        let mut earlier = self.committed.iter().filter(|known| known.by < term);
        earlier.try_for_each(|known| has(node, id, term, known.entry.id))
    }

    /// State Machine Safety, as far as a commit index says what will be applied.
    fn look_at_commit(
        self: &mut Arc<Self>,
        nodes: &[Arc<Process>],
        before: &Process,
        node: &Process,
        id: NodeId,
    ) -> Result<(), Violation> {
        let raft = node.raft();
        let commit = raft.commit();
        for entry in node.log() {
            if entry.id.index > commit {
                break;
            }
            let at = entry.id.index.0 as usize - 1;
            match self.committed.get(at) {
                Some(known) if known.entry == *entry => {}
                Some(known) => {
                    let seen = format!("{id} commits {entry:?} over {:?}", known.entry);
                    return Err(Violation::new(Law::StateMachineSafety, seen));
                }
                None => self.record_committed(nodes, before, node, id, entry)?,
            }
        }
        if commit.0 as usize > self.committed.len() {
            let seen = format!("{id} commits {commit}, and knows nothing of it");
            return Err(Violation::new(Law::StateMachineSafety, seen));
        }
        Ok(())
    }

    fn record_committed(
        self: &mut Arc<Self>,
        nodes: &[Arc<Process>],
        before: &Process,
        node: &Process,
        id: NodeId,
        entry: &Entry,
    ) -> Result<(), Violation> {
        let entry_id = entry.id;
        let status = node.raft().status();
        let last_term = node.entry(status.commit).map(|last| last.id.term);
        // A leader that is no member any more resigns as it commits.
        let leads = [before.leads(), node.leads()].contains(&Some(status.term));
        if !leads || last_term != Some(status.term) {
            let seen = format!(
                "{id}, {:?} in {}, is first to commit {entry_id}",
                status.role, status.term
            );
            return Err(Violation::new(Law::OwnTermCommits, seen));
        }
        check_durable(nodes, &status.conf_state, entry_id)?;
        for other in nodes {
            if let Some(term) = other.leads().filter(|term| *term > status.term) {
                has(other, other.raft().status().id, term, entry_id)?;
            }
        }
        let machine = self.committed.last().map_or(0, |known| known.machine);
        Arc::make_mut(self).committed.push(Committed {
            machine: apply(machine, entry),
            entry: entry.clone(),
            conf_state: status.conf_state,
            by: status.term,
        });
        Ok(())
    }

    /// State Machine Safety.
    fn look_at_applied(
        &self,
        before: &Process,
        node: &Process,
        id: NodeId,
        effects: &Effects,
    ) -> Result<(), Violation> {
        if effects.applied.is_empty()
            && effects.installed.is_none()
            && before.machine() == node.machine()
        {
            return Ok(());
        }
        let applied = node.raft().applied().index;
        let expected = match applied.0 {
            0 => Some(0),
            index => self
                .committed
                .get(index as usize - 1)
                .map(|known| known.machine),
        };
        if expected == Some(node.machine()) {
            return Ok(());
        }
        let seen = format!("{id} has applied other things than what is committed up to {applied}");
        Err(Violation::new(Law::StateMachineSafety, seen))
    }

    /// What is committed stays durable on a quorum.
    fn look_at_disks(&self, nodes: &[Arc<Process>]) -> Result<(), Violation> {
        self.committed
            .iter()
            .try_for_each(|known| check_durable(nodes, &known.conf_state, known.entry.id))
    }
}

fn check_durable(
    nodes: &[Arc<Process>],
    conf_state: &ConfState,
    id: EntryId,
) -> Result<(), Violation> {
    let holds = |node: NodeId| nodes[node.0 as usize - 1].disk().covers(id);
    // Counted here once more, for the core's own count may be wrong.
    let majority = |voters: &[NodeId]| {
        let count = voters.iter().filter(|node| holds(**node)).count();
        voters.is_empty() || count > voters.len() / 2
    };
    if majority(&conf_state.voters) && majority(&conf_state.voters_outgoing) {
        return Ok(());
    }
    let holders: Vec<NodeId> = conf_state
        .members()
        .into_iter()
        .filter(|node| holds(*node))
        .collect();
    let seen = format!("{id} is committed and durable on {holders:?} alone");
    Err(Violation::new(Law::DurableOnQuorum, seen))
}

/// Leader Completeness: the leader has this entry, or a snapshot that covers it.
fn has(node: &Process, id: NodeId, term: Term, entry: EntryId) -> Result<(), Violation> {
    let raft = node.raft();
    let compacted = entry.index <= raft.log_start().index;
    if compacted || node.entry(entry.index).map(|found| found.id) == Some(entry) {
        return Ok(());
    }
    let seen = format!("{id} leads {term} without {entry}");
    Err(Violation::new(Law::LeaderCompleteness, seen))
}

/// Log Matching: of the log of one node with all others', in memory and on disk.
fn look_at_logs(nodes: &[Arc<Process>], at: usize) -> Result<(), Violation> {
    let logs = |node: usize| [nodes[node].log(), nodes[node].disk().entries()];
    let own = logs(at);
    for other in (0..nodes.len()).filter(|other| *other != at) {
        let others = logs(other);
        for (a, b) in others.iter().flat_map(|b| own.map(|a| (a, *b))) {
            if !match_up(a, b) {
                let seen = format!("n{} has {a:?}, n{} has {b:?}", at + 1, other + 1);
                return Err(Violation::new(Law::LogMatching, seen));
            }
        }
    }
    Ok(())
}

/// In the leader's term its followers have what it believes they have.
fn look_at_followers(nodes: &[Arc<Process>]) -> Result<(), Violation> {
    for leader in nodes.iter().filter(|node| node.leads().is_some()) {
        let status = leader.raft().status();
        for peer in &status.peers {
            let follower = &nodes[peer.id.0 as usize - 1];
            let raft = follower.raft();
            let expected = leader.entry(peer.matched).map(|entry| entry.id);
            let found = follower.entry(peer.matched).map(|entry| entry.id);
            let compacted = peer.matched <= raft.log_start().index;
            if raft.term() == status.term && !compacted && expected.is_some() && found != expected {
                let seen = format!("{} no longer has {expected:?}", peer.id);
                return Err(Violation::new(Law::AcknowledgedKept, seen));
            }
        }
    }
    Ok(())
}

/// Whether two logs are equal up to the last entry that they share.
fn match_up(a: &[Entry], b: &[Entry]) -> bool {
    let (Some(first_a), Some(first_b)) = (a.first(), b.first()) else {
        return true;
    };
    let first = first_a.id.index.max(first_b.id.index);
    let a = &a[((first - first_a.id.index) as usize).min(a.len())..];
    let b = &b[((first - first_b.id.index) as usize).min(b.len())..];
    let shared = a.iter().zip(b).rposition(|(a, b)| a.id == b.id);
    shared.is_none_or(|last| a[..=last] == b[..=last])
}
