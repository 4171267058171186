//! What one node does with requests: what it takes, what it refuses, and whom it answers. Alone, or a
//! follower of a leader that the test plays.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{
    AppendOutcome, Body, Change, ConfState, Entry, EntryId, Index, Instant, MembershipError,
    Message, NodeId, Payload, PersistBatch, Restored, StateDigest, StorageId, Term, TransferError,
};
use quorate_rsm::{
    ApplyContext, BadSnapshot, ClientId, Input, MachineRestore, MachineSnapshot, Node, NodeConfig,
    Output, ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId, StateMachine,
};

/// Appends every command to a text, and answers with it; answers a query with the query and the text.
#[derive(Clone, Debug, Default)]
struct Text(Vec<u8>);

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

const ME: NodeId = NodeId(1);
const LEADER: NodeId = NodeId(2);
const CLIENT: ClientId = ClientId(7);

struct Host {
    node: Node<Text>,
    now: Instant,
    writing: Option<PersistBatch>,
    replies: Vec<(ClientId, Reply)>,
    said: Vec<Message>,
    memberships: Vec<(Index, Arc<ConfState>)>,
    asked: u64,
}

impl Host {
    fn open(members: u64, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let conf_state = ConfState::new((1..=members).map(NodeId));
        Self::restart(Restored::fresh(conf_state), change)
    }

    fn restart(restored: Restored, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig::new(ME);
        change(&mut config);
        let node = Node::new(config, restored, &[], Text::default(), Instant(0), 1);
        Self {
            node: node.expect("a sound state"),
            now: Instant(0),
            writing: None,
            replies: Vec::new(),
            said: Vec::new(),
            memberships: Vec::new(),
            asked: 0,
        }
    }

    /// Leads a cluster of itself.
    fn leading(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut host = Self::open(1, change);
        host.campaign();
        host
    }

    fn campaign(&mut self) {
        self.now = self.node.next_timeout();
        self.input(Input::TimerFired);
        self.settle();
        assert!(self.node.raft().is_leader());
    }

    /// One of three, and heard of the leader.
    fn following(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut host = Self::open(3, change);
        host.hear(EntryId::default(), vec![]);
        assert_eq!(host.node.raft().leader(), Some(LEADER));
        host
    }

    /// The leader of term 5 has these entries behind `prev`, and all of them are committed.
    fn hear(&mut self, prev: EntryId, entries: Vec<Payload>) {
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
        self.input(Input::Message(Message {
            from: LEADER,
            to: ME,
            storage: StorageId(0),
            term: Term(5),
            body: Body::AppendEntries {
                prev,
                commit,
                entries,
            },
        }));
        self.settle();
    }

    fn input(&mut self, input: Input) {
        let taken = self.node.handle(self.now, input);
        taken.expect("the law of use is kept");
        self.drain();
    }

    fn drain(&mut self) {
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
                other => assert!(matches!(other, Output::RoleChanged { .. }), "{other:?}"),
            }
        }
    }

    fn settle(&mut self) {
        while let Some(batch) = self.writing.take() {
            self.input(Input::Persisted { seq: batch.seq });
        }
    }

    fn ask(&mut self, client: ClientId, body: RequestBody) -> RequestId {
        self.asked += 1;
        let id = RequestId(self.asked);
        let request = Request { id, body };
        self.input(Input::Request { client, request });
        id
    }

    fn read(&mut self, query: &'static str, at: ReadAt) -> RequestId {
        let query = Bytes::from_static(query.as_bytes());
        self.ask(CLIENT, RequestBody::Read { query, at })
    }

    /// All answers since this was last asked.
    fn answers(&mut self) -> Vec<(RequestId, Result<Bytes, RequestError>)> {
        let replies = core::mem::take(&mut self.replies);
        let answer = |(client, Reply { id, result })| {
            assert_eq!(client, CLIENT);
            (id, result)
        };
        replies.into_iter().map(answer).collect()
    }

    fn result(&mut self) -> Result<Bytes, RequestError> {
        self.settle();
        let mut answers = self.answers();
        let (_, result) = answers.pop().expect("an answer");
        assert!(answers.is_empty());
        result
    }

    fn open_session(&mut self) -> SessionId {
        self.ask(CLIENT, RequestBody::OpenSession);
        let id = self.result().expect("a session");
        SessionId(u64::from_le_bytes(id[..].try_into().expect("eight bytes")))
    }
}

fn write(session: SessionId, sequence: u64, text: &'static str) -> RequestBody {
    RequestBody::Write {
        session,
        sequence,
        acknowledged: sequence - 1,
        command: Bytes::from_static(text.as_bytes()),
    }
}

fn text(text: &'static str) -> Result<Bytes, RequestError> {
    Ok(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_follower_redirects_what_is_for_leaders_and_asks_for_the_rest() {
    let mut host = Host::following(|_| {});
    let redirected = Err(RequestError::NotLeader { hint: Some(LEADER) });
    for at in [ReadAt::Leader, ReadAt::Lease] {
        host.read("q", at);
        assert_eq!(host.result(), redirected);
    }
    host.ask(CLIENT, RequestBody::OpenSession);
    assert_eq!(host.result(), redirected);
    let asks = |message: &Message| matches!(message.body, Body::ReadIndex { .. });
    assert!(!host.said.iter().any(asks));
    host.read("q", ReadAt::Here);
    assert!(host.said.iter().any(asks) && host.replies.is_empty());
    assert_eq!(host.node.status().reads, 1);
}

#[test]
fn only_leaders_change_the_membership_and_hand_over() {
    let mut host = Host::following(|_| {});
    let (now, hint) = (host.now, Some(LEADER));
    let changed = host.node.change_membership(now, &[]);
    assert_eq!(changed, Err(MembershipError::NotLeader { hint }));
    let handed = host.node.transfer_leadership(now, LEADER);
    assert_eq!(handed, Err(TransferError::NotLeader { hint }));
}

#[test]
fn a_change_of_the_membership_is_told_at_the_index_it_was_promised_for() {
    let mut host = Host::leading(|_| {});
    host.open_session();
    let (id, storage) = (NodeId(2), StorageId(0));
    let learner = [Change::AddLearner { id, storage }];
    let index = host.node.change_membership(host.now, &learner);
    host.drain();
    host.settle();
    let (told, conf_state) = host.memberships.pop().expect("it was committed");
    assert_eq!(index, Ok(told));
    assert_eq!(conf_state.learners, [id]);
}

#[test]
fn reads_that_wait_are_answered_each_with_its_own() {
    let mut host = Host::open(1, |_| {});
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    // It leads once its term is durable, and knows what is committed once its first entry is.
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    let asked = ["a", "b", "c"].map(|query| (host.read(query, ReadAt::Leader), text(query)));
    let status = host.node.status();
    assert_eq!((status.waiting, status.reads), (3, 3));
    host.ask(CLIENT, RequestBody::OpenSession);
    assert_eq!(host.node.status().waiting, 4);
    assert!(host.replies.is_empty());
    host.settle();
    let mut answers = host.answers();
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers[..3], asked);
    let status = host.node.status();
    assert_eq!((status.waiting, status.reads), (0, 0));
}

#[test]
fn a_node_that_has_enough_waiting_takes_no_more() {
    let mut host = Host::open(1, |config| config.max_waiting = 3);
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    // Two wait for their entries, one for a quorum.
    host.ask(CLIENT, RequestBody::OpenSession);
    host.read("q", ReadAt::Leader);
    host.ask(CLIENT, RequestBody::OpenSession);
    assert!(host.replies.is_empty());
    for _ in 0..2 {
        host.read("q", ReadAt::Leader);
        host.ask(CLIENT, RequestBody::OpenSession);
        let refused = host.answers();
        assert_eq!(refused.len(), 2);
        let overloaded = Err(RequestError::Overloaded);
        assert!(refused.iter().all(|(_, result)| *result == overloaded));
    }
    host.settle();
    assert_eq!(host.answers().len(), 3);
    host.read("q", ReadAt::Leader);
    assert_eq!(host.result(), text("q"));
}

#[test]
fn who_is_gone_gets_no_answer_and_the_others_do() {
    let mut host = Host::open(1, |_| {});
    host.now = host.node.next_timeout();
    host.input(Input::TimerFired);
    let seq = host.writing.take().expect("a vote").seq;
    host.input(Input::Persisted { seq });
    let gone = ClientId(8);
    let read = || RequestBody::Read {
        query: Bytes::new(),
        at: ReadAt::Leader,
    };
    host.ask(gone, read());
    host.ask(CLIENT, read());
    host.input(Input::ClientGone { client: gone });
    assert_eq!(host.node.status().reads, 1);
    assert_eq!(host.result(), text(""));
}

#[test]
fn a_command_as_large_as_may_be_is_taken_and_a_larger_one_is_not() {
    let mut host = Host::leading(|config| config.max_command_bytes = 3);
    let session = host.open_session();
    host.ask(CLIENT, write(session, 1, "abc"));
    assert_eq!(host.result(), text("abc"));
    host.ask(CLIENT, write(session, 2, "defg"));
    assert_eq!(host.result(), Err(RequestError::TooLarge { limit: 3 }));
    host.ask(CLIENT, write(session, 2, "d"));
    assert_eq!(host.result(), text("abcd"));
}

#[test]
fn log_time_goes_on_while_a_node_leads_and_from_there_when_the_next_one_does() {
    let expiring = |config: &mut NodeConfig| config.sessions.ttl_ms = 1_000;
    let mut host = Host::leading(expiring);
    let began = host.now;
    let session = host.open_session();
    for (ms, sequence) in [(900, 1), (1_900, 2)] {
        host.now = began.after(Duration::from_millis(ms));
        host.ask(CLIENT, write(session, sequence, "x"));
        assert!(host.result().is_ok(), "it was heard of within a second");
        assert_eq!(host.node.status().time_ms, ms);
    }
    let mut restored = Restored::fresh(ConfState::new([ME]));
    restored.hard_state.term = host.node.raft().term();
    restored.commit = host.node.raft().commit();
    restored.entries = host.node.raft().entries_from(Index(1)).cloned().collect();
    // Its clock begins at zero, and log time does not.
    let mut host = Host::restart(restored, expiring);
    host.campaign();
    assert_eq!(host.node.status().time_ms, 1_900);
    let began = host.now;
    host.now = began.after(Duration::from_millis(1_000));
    host.ask(CLIENT, write(session, 3, "x"));
    assert_eq!(host.result(), text("xxx"));
    assert_eq!(host.node.status().time_ms, 2_900);
    host.now = began.after(Duration::from_millis(2_001));
    host.ask(CLIENT, write(session, 4, "x"));
    assert_eq!(host.result(), Err(RequestError::SessionExpired));
}

/// FNV-1a, in the words of its authors.
fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash: u64 = 14_695_981_039_346_656_037;
    for byte in bytes {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(1_099_511_628_211);
    }
    hash
}

#[test]
fn at_a_checkpoint_a_follower_tells_what_its_state_comes_to() {
    let mut host = Host::following(|_| {});
    // A session at log time 1, "ab" written in it at 2, a checkpoint at 3.
    let commands: [&'static [u8]; 3] = [&[1, 1], &[3, 2, 1, 1, 1, b'a', b'b'], &[4, 3]];
    let entries = commands.map(|bytes| Payload::Command(Bytes::from_static(bytes)));
    host.hear(EntryId::default(), entries.to_vec());
    let told = host.said.iter().find_map(|message| match message.body {
        Body::Digest(digest) => Some((message.to, digest)),
        _ => None,
    });
    // Log time; one session, 1, active at 2, with everything up to 0 acknowledged and one reply:
    // that to 1, two bytes long. Then the machine.
    let state = [3, 1, 1, 2, 0, 1, 1, 2, b'a', b'b', b'a', b'b'];
    let digest = StateDigest {
        index: Index(3),
        format: 1,
        hash: hash_of(&state),
    };
    assert_eq!(told, Some((LEADER, digest)));
    let accepted = |message: &Message| match message.body {
        Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => Some(matched),
        _ => None,
    };
    assert_eq!(host.said.iter().filter_map(accepted).max(), Some(Index(3)));
}
