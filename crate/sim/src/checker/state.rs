//! The safety properties of the paper's figure 3, and what must hold with them, after every step.
//!
//! The checker keeps its own copy of every log, and of what is durable, from what it sees going by.
//! All checks are incremental: a step costs what it changed. Log Matching holds by induction: if
//! each (index, term) has one payload and one term before it, in all logs that ever were, then two
//! logs that share an entry share everything before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_raft::{
    ConfState, EntryId, Index, Message, NodeId, PersistBatch, Raft, Restored, RoleKind, Status,
    StorageId, Term,
};

use crate::by_node::ByNode;
use crate::checker::Violation;
use crate::checker::applied::AppliedLog;
use crate::checker::durable::Durable;
use crate::checker::membership::quorums_meet;
use crate::checker::mirror::{Mirror, Seen};
use crate::describe::{membership, names};
use crate::machine::Applied;
use crate::process::{founders, storage_of};

/// Everything the checker knows.
#[derive(Debug)]
pub struct State {
    /// Who decides, as of the last commit.
    conf_state: ConfState,
    /// The storage of each node; another one than recorded is no longer the member's.
    storages: ByNode<StorageId>,
    nodes: ByNode<NodeState>,
    durable: ByNode<Durable>,
    /// By index − 1, every entry that some log ever had there.
    entries: Vec<Vec<LogEntry>>,
    /// By index − 1.
    committed: Vec<Committed>,
    leaders: BTreeMap<Term, Leader>,
    votes: BTreeMap<(NodeId, StorageId, Term), NodeId>,
    applied: AppliedLog,
}

/// One run of one node, as seen after its last step.
#[derive(Debug)]
struct NodeState {
    run: u64,
    term: Term,
    vote: Option<NodeId>,
    role: RoleKind,
    commit: Index,
    applied: Index,
    conf_state: Arc<ConfState>,
    log: Mirror,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogEntry {
    seen: Seen,
    previous: Term,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Committed {
    seen: Seen,
    /// The term of the leader that committed it.
    by: Term,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leader {
    node: NodeId,
    run: u64,
}

impl State {
    /// Nothing has happened yet in a cluster of `voters`.
    #[must_use]
    pub fn new(voters: &[NodeId]) -> Self {
        Self {
            conf_state: founders(voters),
            storages: voters.iter().map(|&id| (id, storage_of(id))).collect(),
            nodes: ByNode::new(),
            durable: voters.iter().map(|&id| (id, Durable::new(id))).collect(),
            entries: Vec::new(),
            committed: Vec::new(),
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            applied: AppliedLog::default(),
        }
    }

    /// A node's storage is gone, and with it whatever it had promised.
    pub fn wiped(&mut self, node: NodeId, storage: StorageId) {
        self.storages.insert(node, storage);
        self.durable.insert(node, Durable::new(node));
    }

    /// The last index that is known to be committed anywhere.
    #[must_use]
    pub fn committed(&self) -> Index {
        Index(self.committed.len() as u64)
    }

    /// Whether `node` has stored what is committed at `index`, as an entry or in a snapshot.
    #[must_use]
    pub fn has_stored(&self, node: NodeId, index: Index) -> bool {
        let committed = self.committed.get(index.0 as usize - 1);
        committed.is_some_and(|c| self.durable[node].log().covers(index, c.seen))
    }

    /// What the machines executed.
    #[must_use]
    pub fn applied(&self) -> &AppliedLog {
        &self.applied
    }

    /// A node begins its run number `run` with what it found on its disk.
    ///
    /// # Errors
    /// What was found is not what was durable.
    pub fn started(
        &mut self,
        node: NodeId,
        run: u64,
        restored: &Restored,
    ) -> Result<(), Violation> {
        let durable = self.durable.get_mut(node).expect("voters are known");
        durable.check_restored(restored)?;
        self.nodes.insert(
            node,
            NodeState {
                run,
                term: restored.hard_state.term,
                vote: restored.hard_state.vote,
                role: RoleKind::Follower,
                commit: restored.commit.max(restored.snapshot.last.index),
                applied: restored.snapshot.last.index,
                conf_state: Arc::default(),
                log: durable.log().clone(),
            },
        );
        self.applied.restored(node, restored.snapshot.last.index);
        if restored.commit > self.committed() {
            let seen = format!(
                "{node} stored commit {}, committed {}",
                restored.commit,
                self.committed()
            );
            return Err(Violation::new("Commit index is durable on a quorum", seen));
        }
        Ok(())
    }

    /// A node's run ended.
    pub fn crashed(&mut self, node: NodeId) {
        self.nodes.remove(node);
    }

    /// A round of writes became durable.
    ///
    /// # Errors
    /// It destroys what was promised.
    pub fn persisted(&mut self, node: NodeId, batch: &PersistBatch) -> Result<(), Violation> {
        let committed = |index: Index| {
            let committed = self.committed.get(index.0 as usize - 1);
            committed.map(|committed| committed.seen)
        };
        let durable = self.durable.get_mut(node).expect("voters are known");
        let destroyed = durable.write(batch, committed)?;
        destroyed
            .into_iter()
            .try_for_each(|index| self.check_durable_on_quorum(index))
    }

    /// A node was handed an event and drained.
    ///
    /// # Errors
    /// Some property no longer holds.
    pub fn stepped(&mut self, raft: &Raft) -> Result<(), Violation> {
        self.stepped_to(raft, &raft.status())
    }

    /// The same, where the status is at hand.
    ///
    /// # Errors
    /// Some property no longer holds.
    pub fn stepped_to(&mut self, raft: &Raft, status: &Status) -> Result<(), Violation> {
        let node = status.id;
        let before = self.nodes.get(node).expect("a node that steps has started");
        check_progress(before, status)?;
        let led = before.role == RoleKind::Leader
            && status.role == RoleKind::Leader
            && before.term == status.term;
        let (old_commit, old_role, old_term) = (before.commit, before.role, before.term);
        // A leader that is out steps down in the step in which it commits that.
        let committing = before.role == RoleKind::Leader && before.term == status.term;

        if (before.term, before.vote) != (status.term, status.vote) {
            self.check_vote(node, status.term, status.vote)?;
        }
        self.check_log(raft, status, led)?;
        let state = self.nodes.get_mut(node).expect("known");
        (state.term, state.vote, state.role) = (status.term, status.vote, status.role);
        (state.commit, state.applied) = (status.commit, status.applied);
        if status.commit > old_commit {
            self.check_commit(node, old_commit, status, committing)?;
        }
        let state = self.nodes.get_mut(node).expect("known");
        if !Arc::ptr_eq(&state.conf_state, &status.conf_state) {
            state.conf_state = status.conf_state.clone();
        }
        if status.role == RoleKind::Leader
            && (old_role != RoleKind::Leader || old_term != status.term)
        {
            self.check_new_leader(node, status.term)?;
        }
        Ok(())
    }

    /// What is found on a node's disk is what was written.
    ///
    /// # Errors
    /// It is not.
    pub fn check_stored(&self, node: NodeId, restored: &Restored) -> Result<(), Violation> {
        self.durable[node].check_restored(restored)
    }

    /// The machine of `node` executed commands.
    ///
    /// # Errors
    /// State Machine Safety or exactly-once no longer holds.
    pub fn executed(&mut self, node: NodeId, applied: &[Applied]) -> Result<(), Violation> {
        for applied in applied {
            let known = self
                .committed
                .get((applied.index.0 as usize).wrapping_sub(1));
            if known.is_none_or(|committed| committed.seen.term != applied.term) {
                let seen = format!("{node} executed {}/{}", applied.term, applied.index);
                return Err(Violation::new("Only what is committed is applied", seen));
            }
            self.applied.executed(node, applied)?;
        }
        Ok(())
    }

    /// The machine of `node` was replaced by the snapshot at `index`.
    pub fn restored(&mut self, node: NodeId, index: Index) {
        self.applied.restored(node, index);
    }

    /// A node lets a message go.
    ///
    /// # Errors
    /// It promises what is not durable, or votes twice.
    pub fn sent(&mut self, message: &Message) -> Result<(), Violation> {
        let node = message.from;
        if let Some(to) = crate::checker::durable::vote_given(message) {
            let place = (node, message.storage, message.term);
            let first = *self.votes.entry(place).or_insert(to);
            if first != to {
                let seen = format!("{node} voted for {first} and {to} in {}", message.term);
                return Err(Violation::new("One vote in a term", seen));
            }
        }
        if crate::checker::durable::claims_leadership(&message.body)
            && self
                .leaders
                .get(&message.term)
                .is_none_or(|leader| leader.node != node)
        {
            let seen = format!("{node} speaks as leader of {}", message.term);
            return Err(Violation::new("Election Safety", seen));
        }
        let log = self.nodes.get(node).map(|state| (state.term, &state.log));
        self.durable[node].check_sent(message, log)
    }

    /// A client was told that the command `tag` has been executed.
    ///
    /// # Errors
    /// It was not, or could still be lost.
    pub fn acknowledged(&self, tag: u64) -> Result<(), Violation> {
        let Some(index) = self.applied.index_of(tag) else {
            let seen = format!("command {tag} was acknowledged, and never executed");
            return Err(Violation::new("Acknowledged means committed", seen));
        };
        self.check_durable_on_quorum(index)
    }

    /// Compares everything again from the first entry kept, which [`State::stepped`] does only for
    /// what changed.
    ///
    /// # Errors
    /// A log differs from what was seen of it.
    pub fn check_all(&self, raft: &Raft) -> Result<(), Violation> {
        let status = raft.status();
        let state = self
            .nodes
            .get(status.id)
            .expect("a node that steps has started");
        for entry in raft.entries_from(Index(0)) {
            let seen = Seen::of(entry);
            let committed = self.committed.get(entry.id.index.0 as usize - 1);
            let differs = entry.id.index <= state.commit
                && committed.is_none_or(|committed| committed.seen != seen);
            if state.log.get(entry.id.index) != Some(seen) || differs {
                let seen = format!("{} changed {} silently", status.id, entry.id);
                return Err(Violation::new("Log Matching", seen));
            }
        }
        Ok(())
    }

    fn check_vote(
        &mut self,
        node: NodeId,
        term: Term,
        vote: Option<NodeId>,
    ) -> Result<(), Violation> {
        let Some(vote) = vote else {
            return Ok(());
        };
        let place = (node, self.storages[node], term);
        let first = *self.votes.entry(place).or_insert(vote);
        if first != vote && self.is_promised(node, term, first) {
            let seen = format!("{node} voted for {first} and {vote} in {term}");
            return Err(Violation::new("One vote in a term", seen));
        }
        // A vote that was neither durable nor told to anyone may be given again after a crash.
        self.votes.insert(place, vote);
        Ok(())
    }

    /// Whether a vote can have left the node: it is durable, or was replaced in the same run.
    fn is_promised(&self, node: NodeId, term: Term, vote: NodeId) -> bool {
        let same_run = self
            .nodes
            .get(node)
            .is_some_and(|state| state.term == term && state.vote == Some(vote));
        same_run || self.durable[node].has_voted(term, vote)
    }

    /// Log Matching and Leader Append-Only, and that what is committed is never cut.
    fn check_log(&mut self, raft: &Raft, status: &Status, led: bool) -> Result<(), Violation> {
        let node = status.id;
        let state = self.nodes.get_mut(node).expect("known");
        let unchanged = state.log.last() == status.last
            && state.log.start() == status.log_start
            && state.term == status.term;
        if unchanged {
            return Ok(());
        }
        let commit = state.commit;
        state.log.compact_to(status.log_start);
        let first = commit.max(status.log_start.index).next();
        let mut cut = None;
        let mut next = first;
        for entry in raft.entries_from(first) {
            if entry.id.index != next {
                let seen = format!("{node} has {} where {next} belongs", entry.id);
                return Err(Violation::new("Log Matching", seen));
            }
            next = next.next();
            match state.log.get(entry.id.index) {
                Some(seen) if seen.term == entry.id.term => continue,
                Some(_) => {
                    cut = Some(entry.id.index);
                    state.log.truncate_from(entry.id.index);
                }
                None => {}
            }
            let (id, seen) = (entry.id, Seen::of(entry));
            let previous = state.log.last();
            state.log.push(seen);
            check_matching(
                &mut self.entries,
                node,
                id,
                LogEntry {
                    seen,
                    previous: previous.term,
                },
            )?;
        }
        if state.log.last().index >= next {
            cut = Some(cut.map_or(next, |cut: Index| cut.min(next)));
            state.log.truncate_from(next);
        }
        match cut {
            Some(index) if led => {
                let seen = format!("{node} leads {} and cut its log at {index}", status.term);
                Err(Violation::new("Leader Append-Only", seen))
            }
            Some(index) if index <= commit => {
                let seen = format!("{node} cut its log at {index}, committed {commit}");
                Err(Violation::new("Leader Completeness", seen))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What became committed at `node` is what is committed everywhere.
    fn check_commit(
        &mut self,
        node: NodeId,
        old: Index,
        status: &Status,
        committing: bool,
    ) -> Result<(), Violation> {
        let leads = committing || status.role == RoleKind::Leader;
        let is_news = status.commit > self.committed();
        for index in (old.0 + 1..=status.commit.0).map(Index) {
            let log = &self.nodes[node].log;
            match (log.get(index), self.committed.get(index.0 as usize - 1)) {
                (Some(seen), Some(committed)) if seen != committed.seen => {
                    let seen = format!(
                        "{node} committed {}/{index}, others {}/{index}",
                        seen.term, committed.seen.term
                    );
                    return Err(Violation::new("State Machine Safety", seen));
                }
                (Some(_), Some(_)) => {}
                (None, Some(committed)) => {
                    let start = log.start();
                    if index == start.index && committed.seen.term != start.term {
                        let seen = format!("{node} took a snapshot that ends with {start}");
                        return Err(Violation::new("State Machine Safety", seen));
                    }
                }
                (None, None) => {
                    let seen =
                        format!("{node} took a snapshot with {index}, which is not committed");
                    return Err(Violation::new("State Machine Safety", seen));
                }
                (Some(seen), None) => {
                    self.committed.push(Committed {
                        seen,
                        by: status.term,
                    });
                    // In one step a leader commits, and goes on to another configuration.
                    let before = self.nodes[node].conf_state.clone();
                    if leads {
                        self.follow(&status.conf_state);
                    }
                    if let Err(violation) = self.check_durable_on_quorum(index) {
                        self.follow(&before);
                        self.check_durable_on_quorum(index).map_err(|_| violation)?;
                    }
                    self.check_later_leaders(index)?;
                }
            }
        }
        if is_news {
            self.check_committed_by_leader(node, status, leads)?;
        }
        Ok(())
    }

    /// A leader decides under this configuration: that is believed if it cannot decide against the
    /// one known.
    fn follow(&mut self, conf_state: &ConfState) {
        if self.conf_state != *conf_state && quorums_meet(&self.conf_state, conf_state) {
            self.conf_state.clone_from(conf_state);
        }
    }

    /// Only a leader commits first, and only with an entry of its own term (§5.4.2, figure 8).
    fn check_committed_by_leader(
        &self,
        node: NodeId,
        status: &Status,
        leads: bool,
    ) -> Result<(), Violation> {
        let last = self.committed.last().expect("something was committed");
        if leads && last.seen.term == status.term {
            return Ok(());
        }
        let (index, term) = (status.commit, last.seen.term);
        let seen = format!(
            "{node}, {:?} in {}, was first to commit {term}/{index}",
            status.role, status.term
        );
        Err(Violation::new(
            "Commit by counting own-term entries only",
            seen,
        ))
    }

    fn check_durable_on_quorum(&self, index: Index) -> Result<(), Violation> {
        let committed = self.committed.get(index.0 as usize - 1);
        // One that has lost its storage had it, as far as anyone can tell: it decides nothing now.
        let conf_state = &self.conf_state;
        let holds = |id: NodeId, seen| {
            let forgot = !conf_state.knows(id, self.storages[id]);
            forgot || self.durable[id].log().covers(index, seen)
        };
        match committed {
            Some(committed) if conf_state.reached(|id| holds(id, committed.seen)) == Some(true) => {
                Ok(())
            }
            Some(committed) => {
                let voters = conf_state.members().into_iter();
                let holders: Vec<_> = voters.filter(|id| holds(*id, committed.seen)).collect();
                let term = committed.seen.term;
                let (holders, members) = (names(&holders), membership(conf_state));
                let seen = format!("{term}/{index} is durable on {holders}, of {members}");
                Err(Violation::new("Commit index is durable on a quorum", seen))
            }
            None => {
                let seen = format!("entry {index} is not committed");
                Err(Violation::new("Acknowledged means committed", seen))
            }
        }
    }

    /// Election Safety and Leader Completeness, when a node comes to lead.
    fn check_new_leader(&mut self, node: NodeId, term: Term) -> Result<(), Violation> {
        let run = self.nodes[node].run;
        let leader = Leader { node, run };
        let first = *self.leaders.entry(term).or_insert(leader);
        if first != leader {
            let seen = format!("{} led {term}, and now {node}", first.node);
            return Err(Violation::new("Election Safety", seen));
        }
        let log = &self.nodes[node].log;
        for (index, committed) in (1..).map(Index).zip(&self.committed) {
            if committed.by < term && !log.covers(index, committed.seen) {
                let seen = format!(
                    "{node} leads {term} without {}/{index}",
                    committed.seen.term
                );
                return Err(Violation::new("Leader Completeness", seen));
            }
        }
        Ok(())
    }

    /// Leader Completeness, when an entry is committed by an earlier leader than one that leads.
    fn check_later_leaders(&self, index: Index) -> Result<(), Violation> {
        let committed = self.committed[index.0 as usize - 1];
        for (node, state) in self.nodes.iter() {
            let leads_later = state.role == RoleKind::Leader && state.term > committed.by;
            if leads_later && !state.log.covers(index, committed.seen) {
                let term = state.term;
                let seen = format!(
                    "{node} leads {term} without {}/{index}",
                    committed.seen.term
                );
                return Err(Violation::new("Leader Completeness", seen));
            }
        }
        Ok(())
    }
}

/// Nothing that must only grow has fallen.
fn check_progress(before: &NodeState, status: &Status) -> Result<(), Violation> {
    let node = status.id;
    let violation = |property, seen| Err(Violation::new(property, seen));
    if status.term < before.term {
        return violation(
            "Terms never fall",
            format!("{node}: {} to {}", before.term, status.term),
        );
    }
    if status.term == before.term && before.vote.is_some() && status.vote != before.vote {
        let voted = |vote: Option<NodeId>| vote.map_or("nobody".to_owned(), |id| id.to_string());
        let (before, after) = (voted(before.vote), voted(status.vote));
        let seen = format!(
            "{node} voted for {before} and for {after} in {}",
            status.term
        );
        return violation("One vote in a term", seen);
    }
    if status.commit < before.commit || status.applied < before.applied {
        let seen = format!(
            "{node}: commit {} applied {}",
            status.commit, status.applied
        );
        return violation("Commit and applied never fall", seen);
    }
    if status.applied > status.commit || status.commit > status.last.index {
        let seen = format!(
            "{node}: applied {} commit {} last {}",
            status.applied, status.commit, status.last
        );
        return violation("applied ≤ commit ≤ last", seen);
    }
    Ok(())
}

fn check_matching(
    entries: &mut Vec<Vec<LogEntry>>,
    node: NodeId,
    id: EntryId,
    entry: LogEntry,
) -> Result<(), Violation> {
    let at = id.index.0 as usize - 1;
    if entries.len() <= at {
        entries.resize(at + 1, Vec::new());
    }
    match entries[at].iter().find(|known| known.seen.term == id.term) {
        Some(known) if *known == entry => Ok(()),
        Some(known) => {
            let same = if known.previous == entry.previous {
                "payload"
            } else {
                "entry before it"
            };
            let seen = format!("{node} has {id} with another {same} than others");
            Err(Violation::new("Log Matching", seen))
        }
        None => {
            entries[at].push(entry);
            Ok(())
        }
    }
}
