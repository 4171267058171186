//! The hand that drives the node.

use std::time::Duration;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, Config, CorruptState, Entry, EntryId, HardState, Index, Input,
    InputError, Instant, Message, NodeId, Output, Payload, PersistBatch, ProgressMode, Raft,
    Restored, RoleKind, StorageId, Term,
};

/// What the node sent: to whom, in which term, what.
pub(crate) type Sent = (u64, u64, Body);

pub(crate) struct Host {
    pub(crate) raft: Raft,
    pub(crate) now: Instant,
    /// Writes are done at once.
    pub(crate) prompt: bool,
    writing: Option<PersistBatch>,
    sent: Vec<Sent>,
    /// Every other effect, oldest first.
    pub(crate) effects: Vec<Output>,
}

impl Host {
    /// A new node among `voters`.
    pub(crate) fn new(voters: u64) -> Self {
        Self::with(Config::new(NodeId(1)), stored(voters, 0, None, &[]))
    }

    pub(crate) fn with(config: Config, restored: Restored) -> Self {
        let now = Instant(5_000_000);
        let mut host = Self {
            raft: Raft::new(config, restored, now, 7).expect("the state is sound"),
            now,
            prompt: true,
            writing: None,
            sent: Vec::new(),
            effects: Vec::new(),
        };
        host.drain();
        host
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.try_input(input).expect("the law of use is kept");
    }

    pub(crate) fn try_input(&mut self, input: Input) -> Result<(), InputError> {
        let result = self.raft.handle(self.now, input);
        self.drain();
        result
    }

    pub(crate) fn hear(&mut self, from: u64, term: u64, body: Body) {
        self.input(Input::Message(Message {
            from: NodeId(from),
            to: self.raft.status().id,
            storage: StorageId(0),
            term: Term(term),
            body,
        }));
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.after(Duration::from_millis(ms));
    }

    /// Waits for the timer, however long.
    pub(crate) fn time_out(&mut self) {
        self.now = self.now.max(self.raft.next_timeout());
        self.input(Input::TimerFired);
    }

    pub(crate) fn propose(&mut self, bytes: usize) -> EntryId {
        let id = self.raft.propose(self.now, Bytes::from(vec![7; bytes]));
        self.drain();
        id.expect("the proposal is taken")
    }

    pub(crate) fn read(&mut self, ctx: u64) {
        self.raft
            .read_index(self.now, ctx)
            .expect("the read is taken");
        self.drain();
    }

    /// Becomes leader by everyone's votes, in the term after its own; its first entry is not
    /// acknowledged. What was said on the way is forgotten.
    pub(crate) fn lead(&mut self) {
        let peers: Vec<u64> = self.peers();
        self.time_out();
        let term = self.raft.term().0 + 1;
        for &peer in &peers {
            self.hear(peer, term, Body::PreVoteResponse { granted: true });
        }
        for &peer in &peers {
            self.hear(peer, term, Body::RequestVoteResponse { granted: true });
        }
        assert!(self.raft.is_leader());
        self.forget();
    }

    /// Leads, and all have all of its log.
    pub(crate) fn lead_in_step(&mut self) {
        self.lead();
        for peer in self.peers() {
            self.accept(peer, self.raft.status().last.index.0);
        }
        self.forget();
    }

    fn peers(&self) -> Vec<u64> {
        let members = self.raft.status().conf_state.members();
        members
            .iter()
            .map(|id| id.0)
            .filter(|&id| id != 1)
            .collect()
    }

    /// A peer says that its log matches up to `matched`.
    pub(crate) fn accept(&mut self, from: u64, matched: u64) {
        let outcome = AppendOutcome::Accepted {
            matched: Index(matched),
        };
        let term = self.raft.term().0;
        self.hear(from, term, Body::AppendEntriesResponse(outcome));
    }

    pub(crate) fn reject(&mut self, from: u64, prev: u64, hint: EntryId) {
        let outcome = AppendOutcome::Rejected {
            prev: Index(prev),
            hint,
        };
        let term = self.raft.term().0;
        self.hear(from, term, Body::AppendEntriesResponse(outcome));
    }

    /// The leader `from` appends entries of these terms after `prev`.
    pub(crate) fn append(&mut self, from: u64, term: u64, prev: EntryId, commit: u64, new: &[u64]) {
        let entries = entries(prev, new);
        let commit = Index(commit);
        self.hear(
            from,
            term,
            Body::AppendEntries {
                prev,
                commit,
                entries,
            },
        );
    }

    /// The round of writes under way.
    pub(crate) fn writing(&self) -> &PersistBatch {
        self.writing.as_ref().expect("a write is under way")
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The write under way is done.
    pub(crate) fn write(&mut self) {
        let seq = self.writing.take().expect("a write is under way").seq;
        self.input(Input::Persisted { seq });
    }

    /// What was sent since the last look.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        core::mem::take(&mut self.sent)
    }

    /// What was sent to `peer` since the last look at anyone; the rest is forgotten.
    pub(crate) fn sent_to(&mut self, peer: u64) -> Vec<Body> {
        self.sent()
            .into_iter()
            .filter(|(to, ..)| *to == peer)
            .map(|(.., body)| body)
            .collect()
    }

    /// First and last index and payload bytes of every append sent to `peer`.
    pub(crate) fn appends_to(&mut self, peer: u64) -> Vec<(u64, u64, usize)> {
        let shape = |body: Body| match body {
            Body::AppendEntries { prev, entries, .. } => {
                let last = prev.index.0 + entries.len() as u64;
                let bytes = entries.iter().map(Entry::size_bytes).sum();
                Some((prev.index.0 + 1, last, bytes))
            }
            _ => None,
        };
        self.sent_to(peer).into_iter().filter_map(shape).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.effects.clear();
    }

    pub(crate) fn role(&self) -> (RoleKind, u64) {
        let status = self.raft.status();
        (status.role, status.term.0)
    }

    /// Matched, next and mode of a peer.
    pub(crate) fn progress(&self, peer: u64) -> (u64, u64, ProgressMode) {
        let status = self.raft.status();
        let peer = status.peers.iter().find(|status| status.id.0 == peer);
        let peer = peer.expect("a member");
        (peer.matched.0, peer.next.0, peer.mode)
    }

    /// Terms of the log, from the first entry kept.
    pub(crate) fn log(&self) -> Vec<u64> {
        let entries = self.raft.entries_from(Index(0));
        entries.map(|entry| entry.id.term.0).collect()
    }

    /// Indexes handed out to be applied, one list each time.
    pub(crate) fn applied(&self) -> Vec<Vec<u64>> {
        let indexes = |output: &Output| match output {
            Output::Apply { first, last } => Some((first.0..=last.0).collect()),
            _ => None,
        };
        self.effects.iter().filter_map(indexes).collect()
    }

    /// Reads answered, in order: name and index.
    pub(crate) fn reads(&self) -> Vec<(u64, u64)> {
        let read = |output: &Output| match output {
            Output::ReadReady { ctx, index } => Some((*ctx, index.0)),
            _ => None,
        };
        self.effects.iter().filter_map(read).collect()
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.raft.poll_output() {
            match output {
                Output::Send(message) => {
                    assert_eq!(message.from, self.raft.status().id);
                    self.sent.push((message.to.0, message.term.0, message.body));
                }
                Output::Persist(batch) => {
                    assert!(self.writing.is_none(), "one round of writes at a time");
                    let seq = batch.seq;
                    self.writing = Some(batch).filter(|_| !self.prompt);
                    if self.prompt {
                        self.raft
                            .handle(self.now, Input::Persisted { seq })
                            .expect("it is the round under way");
                    }
                }
                other => self.effects.push(other),
            }
        }
    }
}

/// A node's storage, in a cluster of `voters`, with entries of these terms.
pub(crate) fn stored(voters: u64, term: u64, vote: Option<u64>, terms: &[u64]) -> Restored {
    Restored {
        hard_state: HardState {
            term: Term(term),
            vote: vote.map(NodeId),
        },
        entries: entries(EntryId::ZERO, terms),
        ..Restored::fresh(ConfState::new((1..=voters).map(NodeId)))
    }
}

/// Storage whose snapshot covers everything up to `end`, and nothing else.
pub(crate) fn compacted(voters: u64, end: EntryId) -> Restored {
    let mut restored = stored(voters, end.term.0, None, &[]);
    restored.snapshot.last = end;
    restored.log_start = end;
    restored
}

pub(crate) fn open(restored: Restored) -> Result<Raft, CorruptState> {
    Raft::new(Config::new(NodeId(1)), restored, Instant(0), 7)
}

pub(crate) fn id(term: u64, index: u64) -> EntryId {
    EntryId::new(Term(term), Index(index))
}

/// Entries of these terms, after `prev`.
pub(crate) fn entries(prev: EntryId, terms: &[u64]) -> Vec<Entry> {
    let numbered = terms.iter().zip(prev.index.0 + 1..);
    numbered
        .map(|(&term, index)| Entry {
            id: id(term, index),
            payload: Payload::Command(Bytes::from(format!("{term}/{index}"))),
        })
        .collect()
}

pub(crate) fn accepted(matched: u64) -> Body {
    Body::AppendEntriesResponse(AppendOutcome::Accepted {
        matched: Index(matched),
    })
}

pub(crate) fn rejected(prev: u64, hint: EntryId) -> Body {
    Body::AppendEntriesResponse(AppendOutcome::Rejected {
        prev: Index(prev),
        hint,
    })
}

pub(crate) fn heartbeat(commit: u64, round: u64) -> Body {
    Body::Heartbeat {
        commit: Index(commit),
        round: Some(round),
    }
}

/// A commit index that wants no answer.
pub(crate) fn notice(commit: u64) -> Body {
    Body::Heartbeat {
        commit: Index(commit),
        round: None,
    }
}

pub(crate) fn request_vote(last: EntryId) -> Body {
    Body::RequestVote {
        last,
        transfer: false,
    }
}
