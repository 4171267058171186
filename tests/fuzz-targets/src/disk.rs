//! The disk of a node under test: real records, and what they promise.
//!
//! Knows in plain numbers what is durable, and holds every message that leaves against it.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, HardState, Index, Message, NodeId, PersistBatch,
    SnapshotOutcome, Status, StorageId, Term,
};
use quorate_rsm::codec::{decode_messages, encode_messages};
use quorate_rsm::storage::{Ident, Layout, LoadedGroup, Round, load};

use crate::peer::{OWN, STORAGE};

const GROUP: u32 = 0;

pub(crate) struct Disk {
    records: BTreeMap<String, Bytes>,
    layout: Layout,
    founders: ConfState,
    writing: Option<PersistBatch>,
    /// The number of the last round of this run.
    seq: u64,
    hard_state: HardState,
    /// The last index that is durable.
    last: Index,
    /// Who got this node's vote.
    votes: BTreeMap<Term, NodeId>,
    /// The last term in which the log became shorter. A liar may cut what it let acknowledge.
    cut_in: Term,
    marks: Marks,
    /// The name of the last question to a leader.
    pub(crate) asked: u64,
}

/// What never falls within a run, and what is durable of it never.
#[derive(Clone, Copy, Default)]
struct Marks {
    term: Term,
    commit: Index,
    applied: Index,
    snapshot: Index,
    last: Index,
}

impl Disk {
    /// A new store in a cluster that so many found, each with the storage of its number.
    pub(crate) fn new(voters: u64) -> Self {
        let mut founders = ConfState::new((1..=voters).map(NodeId));
        for id in 1..=voters {
            founders.storages.insert(NodeId(id), StorageId(id));
        }
        let mut round = Round::default();
        let ident = Ident {
            cluster: "fuzz".into(),
            node: OWN,
            storage: STORAGE,
            cluster_id: 1,
            founders: founders.clone(),
            machine: 0,
        };
        ident.put(&mut round);
        let mut disk = Self {
            records: BTreeMap::new(),
            layout: Layout::new(GROUP),
            founders,
            writing: None,
            seq: 0,
            hard_state: HardState::default(),
            last: Index(0),
            votes: BTreeMap::new(),
            cut_in: Term(0),
            marks: Marks::default(),
            asked: 0,
        };
        disk.apply(round);
        disk
    }

    /// The node asks for a round of writes: the next one, and no second.
    pub(crate) fn begin(&mut self, batch: PersistBatch) {
        assert!(self.writing.is_none(), "one round of writes at a time");
        assert_eq!(batch.seq, self.seq + 1, "rounds are counted");
        self.seq = batch.seq;
        self.writing = Some(batch);
    }

    /// The round under way is durable: its number.
    pub(crate) fn finish(&mut self) -> Option<u64> {
        let batch = self.writing.take()?;
        let mut round = Round::default();
        self.layout.round(&batch, &mut round);
        self.apply(round);
        if let Some(hard_state) = batch.hard_state {
            assert!(hard_state.term >= self.hard_state.term);
            self.hard_state = hard_state;
        }
        if let Some(manifest) = batch.snapshot.filter(|manifest| manifest.clear_log) {
            self.last = manifest.log_start.index;
        }
        if let Some(last) = batch.entries.last() {
            self.last = last.id.index;
        }
        Some(batch.seq)
    }

    /// The node ends with the round under way lost, or kept; what the next run finds.
    pub(crate) fn restart(&mut self, keep: bool) -> LoadedGroup {
        if keep {
            self.finish();
        }
        self.writing = None;
        self.seq = 0;
        let records = self.records.iter().map(|(k, v)| (k.clone(), v.clone()));
        let loaded = load(records).expect("what was written can be read");
        let group = loaded.groups.into_iter().next().map(|(_, group)| group);
        let group = group.unwrap_or_else(|| LoadedGroup::fresh(GROUP, &self.founders));
        assert_eq!(group.restored.hard_state, self.hard_state);
        self.layout = group.layout.clone();
        // The machine starts from its snapshot, and what is committed is learned again.
        let snapshot = group.restored.snapshot.last.index;
        assert!(snapshot >= self.marks.snapshot, "a durable snapshot stays");
        self.marks.term = self.hard_state.term;
        self.marks.commit = snapshot;
        self.marks.applied = snapshot;
        self.marks.last = self.last;
        group
    }

    /// Nothing leaves that rests on what is not durable, and everything can be read at the other end.
    pub(crate) fn check_send(&mut self, message: &Message) {
        let Message {
            from,
            to,
            storage,
            term,
            body,
        } = message;
        assert_eq!((*from, *storage), (OWN, STORAGE));
        assert_ne!(*to, OWN);
        let hard_state = self.hard_state;
        match body {
            // The term asked for, and a grant of it, change nothing at the sender.
            Body::PreVote { .. } => assert!(*term <= hard_state.term.next()),
            // To a leader that told of the term: a question rests on nothing, and a digest on what is
            // committed.
            Body::PreVoteResponse { .. } | Body::ReadIndex { .. } | Body::Digest(_) => {}
            _ => assert!(
                *term <= hard_state.term,
                "a term is durable before it is told"
            ),
        }
        let durable_until = |matched: Index| {
            let vouched = *term == hard_state.term && *term != self.cut_in;
            assert!(!vouched || matched <= self.last, "{matched} is not durable");
        };
        match body {
            Body::ReadIndex { ctx } => self.asked = *ctx,
            Body::RequestVote { .. } => self.vote(*term, OWN),
            Body::RequestVoteResponse { granted: true } => self.vote(*term, *to),
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => {
                durable_until(*matched);
            }
            Body::InstallSnapshotResponse {
                outcome: SnapshotOutcome::Installed { matched },
                ..
            } => durable_until(*matched),
            _ => {}
        }
        let frame = Bytes::from(encode_messages(7, GROUP, core::slice::from_ref(message)));
        let (.., read) = decode_messages(&frame).expect("what is sent can be read");
        assert_eq!(read, core::slice::from_ref(message));
    }

    /// Terms, commit, applied and snapshot never fall, and stand in order.
    pub(crate) fn check_status(&mut self, status: &Status) {
        let before = self.marks;
        let Status {
            term,
            commit,
            applied,
            last,
            persisted,
            log_start,
            snapshot,
            ..
        } = status;
        assert!(*term >= before.term, "terms never fall");
        assert!(*commit >= before.commit, "commit never falls");
        assert!(*applied >= before.applied, "applied never falls");
        assert!(snapshot.index >= before.snapshot, "snapshots never fall");
        assert!(applied <= commit && *commit <= last.index);
        assert!(log_start.index <= *applied && *persisted <= last.index);
        if last.index < before.last {
            self.cut_in = *term;
        }
        self.marks = Marks {
            term: *term,
            commit: *commit,
            applied: *applied,
            snapshot: snapshot.index,
            last: last.index,
        };
    }

    /// One vote in a term, whatever crashes; and it is durable.
    fn vote(&mut self, term: Term, to: NodeId) {
        let HardState { term: stored, vote } = self.hard_state;
        assert!(stored > term || vote == Some(to), "a vote is durable first");
        let first = *self.votes.entry(term).or_insert(to);
        assert_eq!(first, to, "two votes in {term}");
    }

    fn apply(&mut self, round: Round) {
        for (from, to) in round.deletes {
            self.records
                .retain(|key, _| !(from.as_str()..to.as_str()).contains(&key.as_str()));
        }
        for (key, value) in round.puts {
            self.records.insert(key, value.into());
        }
    }
}
