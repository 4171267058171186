//! One node driven by hand: alone, or a follower of a leader that the test plays.

use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::raft::{
    Body, ConfState, Entry, EntryId, Index, Instant, Message, NodeId, Payload, PersistBatch,
    Restored, StorageId, Term,
};
use quorate_rsm::{
    ApplyContext, BadSnapshot, ClientId, HaltCause, Input, MachineRestore, MachineSnapshot, Node,
    NodeConfig, Output, ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId,
    StateMachine,
};

/// Appends every command to a text, and of a change of the members how many there are; answers with the
/// text. Answers a query with the query and the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text(pub(crate) Vec<u8>);

impl StateMachine for Text {
    type Snapshot = Self;
    type Restore = Self;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        self.0.extend_from_slice(command);
        Bytes::from(self.0.clone())
    }

    fn query(&self, query: &Bytes) -> Bytes {
        Bytes::from([query, &self.0[..]].concat())
    }

    fn membership_changed(&mut self, members: &Arc<ConfState>) {
        let members = members.members().len();
        self.0.extend_from_slice(format!("<{members}>").as_bytes());
    }

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore() -> Self {
        Self::default()
    }
}

impl MachineSnapshot for Text {
    fn chunk(&mut self, _: u32, _: usize) -> (Bytes, bool) {
        (Bytes::from(self.0.clone()), true)
    }

    fn format(&self) -> u32 {
        3
    }
}

impl MachineRestore for Text {
    type Machine = Self;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        Ok(self)
    }
}

pub(crate) const ME: NodeId = NodeId(1);
pub(crate) const LEADER: NodeId = NodeId(2);
pub(crate) const CLIENT: ClientId = ClientId(7);

pub(crate) struct Host {
    pub(crate) node: Node<Text>,
    pub(crate) now: Instant,
    pub(crate) writing: Option<PersistBatch>,
    pub(crate) replies: Vec<(ClientId, Reply)>,
    pub(crate) said: Vec<Message>,
    pub(crate) memberships: Vec<(Index, Arc<ConfState>)>,
    pub(crate) restored: Vec<EntryId>,
    pub(crate) diverged: Vec<(NodeId, Index)>,
    pub(crate) halted: Option<HaltCause>,
    pub(crate) asked: u64,
}

impl Host {
    pub(crate) fn open(members: u64, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let conf_state = ConfState::new((1..=members).map(NodeId));
        Self::restart(Restored::fresh(conf_state), change)
    }

    pub(crate) fn restart(restored: Restored, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig::new(ME);
        change(&mut config);
        let node = Node::new(config, restored, [], Text::default(), Instant(0), 1);
        Self {
            node: node.expect("a sound state"),
            now: Instant(0),
            writing: None,
            replies: Vec::new(),
            said: Vec::new(),
            memberships: Vec::new(),
            restored: Vec::new(),
            diverged: Vec::new(),
            halted: None,
            asked: 0,
        }
    }

    /// Leads a cluster of itself.
    pub(crate) fn leading(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut host = Self::open(1, change);
        host.campaign();
        host
    }

    pub(crate) fn campaign(&mut self) {
        self.now = self.node.next_timeout();
        self.input(Input::TimerFired);
        self.settle();
        assert!(self.node.raft().is_leader());
    }

    /// One of three, and heard of the leader.
    pub(crate) fn following(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut host = Self::open(3, change);
        host.hear(EntryId::default(), vec![]);
        assert_eq!(host.node.raft().leader(), Some(LEADER));
        host
    }

    /// The leader of term 5 has these entries behind `prev`, and all of them are committed.
    pub(crate) fn hear(&mut self, prev: EntryId, entries: Vec<Payload>) {
        let entry = |(payload, index)| Entry {
            id: EntryId::new(Term(5), Index(index)),
            payload,
        };
        let entries: Vec<_> = entries
            .into_iter()
            .zip(prev.index.0 + 1..)
            .map(entry)
            .collect();
        let commit = entries.last().map_or(prev, |entry| entry.id).index;
        let body = Body::AppendEntries {
            prev,
            commit,
            entries,
        };
        self.message(LEADER, body);
        self.settle();
    }

    /// `from` says this, in the leader's term.
    pub(crate) fn message(&mut self, from: NodeId, body: Body) {
        let raft = self.node.raft();
        let term = if raft.is_leader() {
            raft.term()
        } else {
            Term(5)
        };
        self.input(Input::Message(Message {
            from,
            to: ME,
            storage: StorageId(0),
            term,
            body,
        }));
    }

    pub(crate) fn input(&mut self, input: Input) {
        let taken = self.node.handle(self.now, input);
        taken.expect("the law of use is kept");
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Persist(batch) => self.writing = Some(batch),
                Output::Send(message) => self.said.push(message),
                Output::Reply { client, replies } => {
                    self.replies
                        .extend(replies.into_iter().map(|reply| (client, reply)));
                }
                Output::MembershipChanged { index, conf_state } => {
                    self.memberships.push((index, conf_state));
                }
                Output::Restored { snapshot } => self.restored.push(snapshot),
                Output::Diverged { node, index } => self.diverged.push((node, index)),
                Output::Halted(cause) => self.halted = Some(cause),
                Output::RoleChanged { .. } => {}
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        while let Some(batch) = self.writing.take() {
            self.input(Input::Persisted { seq: batch.seq });
        }
    }

    pub(crate) fn ask(&mut self, client: ClientId, body: RequestBody) -> RequestId {
        self.asked += 1;
        let id = RequestId(self.asked);
        let request = Request { id, body };
        self.input(Input::Request { client, request });
        id
    }

    pub(crate) fn read(&mut self, query: &'static str, at: ReadAt) -> RequestId {
        let query = Bytes::from_static(query.as_bytes());
        self.ask(CLIENT, RequestBody::Read { query, at })
    }

    /// All answers since this was last asked.
    pub(crate) fn answers(&mut self) -> Vec<(RequestId, Result<Bytes, RequestError>)> {
        let replies = core::mem::take(&mut self.replies);
        let answer = |(client, Reply { id, result })| {
            assert_eq!(client, CLIENT);
            (id, result)
        };
        replies.into_iter().map(answer).collect()
    }

    pub(crate) fn result(&mut self) -> Result<Bytes, RequestError> {
        self.settle();
        let mut answers = self.answers();
        let (_, result) = answers.pop().expect("an answer");
        assert!(answers.is_empty());
        result
    }

    pub(crate) fn open_session(&mut self) -> SessionId {
        self.ask(CLIENT, RequestBody::OpenSession);
        let id = self.result().expect("a session");
        SessionId(u64::from_le_bytes(id[..].try_into().expect("eight bytes")))
    }
}
