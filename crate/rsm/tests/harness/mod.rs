//! Three nodes, their clients and an obedient network, driven by hand.
// Each test program uses its own part of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{Body, Index, Instant, Message, NodeId, PersistBatch, Restored, RoleKind};
use quorate_rsm::{
    ApplyContext, BadSnapshot, Call, CallError, CallId, Client, ClientConfig, ClientId,
    ClientInput, ClientOutput, HaltCause, Input, MachineRestore, MachineSnapshot, Node, NodeConfig,
    Output, Reply, Request, RequestBody, RequestId, StateMachine,
};

/// Appends every command to a text; answers with its length. With a second field, that text takes the
/// place of the command "drift": what no machine may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tape(pub(crate) Vec<u8>, pub(crate) Option<&'static str>);

impl StateMachine for Tape {
    type Snapshot = Self;
    type Restore = Self;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        match self.1 {
            Some(text) if command == "drift" => self.0.extend_from_slice(text.as_bytes()),
            _ => self.0.extend_from_slice(command),
        }
        Bytes::from(self.0.len().to_string())
    }

    fn query(&self, _: &Bytes) -> Bytes {
        Bytes::from(self.0.clone())
    }

    /// The text, once it is as long as the query says.
    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        let text = core::str::from_utf8(query).expect("a test asks with text");
        let length: usize = text.parse().expect("a test asks for a length");
        (self.0.len() >= length).then(|| self.query(query))
    }

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore() -> Self {
        Self::default()
    }
}

impl MachineSnapshot for Tape {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let start = (number as usize * max_bytes).min(self.0.len());
        let end = (start + max_bytes).min(self.0.len());
        (
            Bytes::copy_from_slice(&self.0[start..end]),
            end == self.0.len(),
        )
    }
}

impl MachineRestore for Tape {
    type Machine = Self;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        Ok(self)
    }
}

pub(crate) const CLIENT: ClientId = ClientId(1);

pub(crate) struct Cluster<M: StateMachine = Tape> {
    pub(crate) now: Instant,
    pub(crate) nodes: BTreeMap<NodeId, Node<M>>,
    pub(crate) mail: VecDeque<Message>,
    pub(crate) writes: VecDeque<(NodeId, PersistBatch)>,
    /// Cut off from the others.
    pub(crate) isolated: Option<NodeId>,
    /// No message arrives any more.
    pub(crate) silent: bool,
    pub(crate) client: Client,
    pub(crate) done: BTreeMap<CallId, Result<Bytes, CallError>>,
    pub(crate) replies: Vec<Reply>,
    /// Who said that which node's state is not that of the others.
    pub(crate) diverged: Vec<(NodeId, NodeId, Index)>,
    pub(crate) halted: BTreeMap<NodeId, HaltCause>,
    /// Whose state a leader's snapshot replaced.
    pub(crate) restored: BTreeSet<NodeId>,
    /// Who told a leader of which state, by index, format and hash.
    pub(crate) digests: BTreeMap<(u64, u64, u64), BTreeSet<NodeId>>,
}

impl Cluster {
    pub(crate) fn new(change: impl Fn(&mut NodeConfig)) -> Self {
        Self::with_machines(change, |_| Tape::default())
    }

    pub(crate) fn tapes(&self) -> Vec<String> {
        let text = |node: &Node<Tape>| String::from_utf8_lossy(&node.machine().0).into_owned();
        self.nodes.values().map(text).collect()
    }
}

impl<M: StateMachine> Cluster<M> {
    pub(crate) fn with_machines(
        change: impl Fn(&mut NodeConfig),
        machine: impl Fn(NodeId) -> M,
    ) -> Self {
        let ids = [1, 2, 3].map(NodeId);
        let conf_state = quorate_rsm::raft::ConfState::new(ids);
        let node = |id: NodeId| {
            let mut config = NodeConfig::new(id);
            change(&mut config);
            let restored = Restored::fresh(conf_state.clone());
            let node = Node::new(config, restored, [], machine(id), Instant(0), id.0);
            (id, node.expect("a fresh node"))
        };
        Self {
            now: Instant(0),
            nodes: ids.into_iter().map(node).collect(),
            mail: VecDeque::new(),
            writes: VecDeque::new(),
            isolated: None,
            silent: false,
            client: Client::new(ClientConfig::new(ids.to_vec()), 7),
            done: BTreeMap::new(),
            replies: Vec::new(),
            diverged: Vec::new(),
            halted: BTreeMap::new(),
            restored: BTreeSet::new(),
            digests: BTreeMap::new(),
        }
    }

    pub(crate) fn input(&mut self, id: NodeId, input: Input) {
        if self.halted.contains_key(&id) {
            return;
        }
        let node = self.nodes.get_mut(&id).expect("a known node");
        node.handle(self.now, input)
            .expect("the law of use is kept");
        while let Some(output) = self.nodes.get_mut(&id).and_then(Node::poll_output) {
            match output {
                Output::Persist(batch) => self.writes.push_back((id, batch)),
                Output::Send(message) => {
                    if let Body::Digest(state) = message.body {
                        let state = (state.index.0, state.format, state.hash);
                        self.digests.entry(state).or_default().insert(id);
                    }
                    self.mail.push_back(message);
                }
                Output::Reply {
                    client: CLIENT,
                    replies,
                } => {
                    for reply in replies {
                        let input = ClientInput::Reply { from: id, reply };
                        self.client.handle(self.now, input);
                    }
                }
                Output::Reply { replies, .. } => self.replies.extend(replies),
                Output::Diverged { node, index } => self.diverged.push((id, node, index)),
                Output::Halted(cause) => {
                    self.halted.insert(id, cause);
                }
                Output::Restored { .. } => {
                    self.restored.insert(id);
                }
                Output::RoleChanged { .. } | Output::MembershipChanged { .. } => {}
            }
        }
    }

    /// Everything that can happen without time passing; writes are done one by one.
    pub(crate) fn settle(&mut self) {
        loop {
            if let Some(message) = self.mail.pop_front() {
                if !self.silent
                    && self
                        .isolated
                        .is_none_or(|cut| cut != message.from && cut != message.to)
                {
                    self.input(message.to, Input::Message(message));
                }
            } else if let Some((id, batch)) = self.writes.pop_front() {
                self.input(id, Input::Persisted { seq: batch.seq });
            } else if let Some(output) = self.client.poll_output() {
                match output {
                    ClientOutput::Send { to, requests } => {
                        for request in requests {
                            self.input(
                                to,
                                Input::Request {
                                    client: CLIENT,
                                    request,
                                },
                            );
                        }
                    }
                    ClientOutput::Done { call, result } => {
                        assert!(self.done.insert(call, result).is_none(), "a call ends once");
                    }
                }
            } else {
                return;
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        for round in 0.. {
            assert!(round < 100_000, "a timer is due for ever");
            self.settle();
            let timers = self.nodes.values().map(Node::next_timeout);
            let next = timers
                .chain([self.client.next_timeout()])
                .min()
                .unwrap_or(end);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.client.handle(self.now, ClientInput::TimerFired);
            for id in [1, 2, 3].map(NodeId) {
                self.input(id, Input::TimerFired);
            }
        }
        self.now = end;
    }

    /// Has a request of another client's come in; its answer is among the replies.
    pub(crate) fn request(&mut self, to: NodeId, client: u64, id: u64, body: RequestBody) {
        assert_ne!(ClientId(client), CLIENT, "that one keeps its own numbers");
        let request = Request {
            id: RequestId(id),
            body,
        };
        let client = ClientId(client);
        self.input(to, Input::Request { client, request });
    }

    /// A write, from which on no time passes.
    pub(crate) fn write_now(&mut self, command: &'static str) {
        self.leader();
        let call = self.call(Call::Write(Bytes::from_static(command.as_bytes())));
        self.settle();
        while !self.done.contains_key(&call) {
            self.pass(Duration::from_millis(1)); // The client may have to find the leader.
        }
        let result = self.done.remove(&call).expect("it has ended");
        result.expect("there is a quorum");
    }

    /// Some node that does not lead.
    pub(crate) fn follower(&mut self) -> NodeId {
        let leader = self.leader();
        let mut others = self.nodes.keys().filter(|id| **id != leader);
        *others.next().expect("three nodes")
    }

    pub(crate) fn leader(&mut self) -> NodeId {
        for _ in 0..20 {
            let leads = |(id, node): (&NodeId, &Node<M>)| {
                (node.status().raft.role == RoleKind::Leader && self.isolated != Some(*id))
                    .then_some(*id)
            };
            if let Some(id) = self.nodes.iter().find_map(leads) {
                return id;
            }
            self.pass(Duration::from_millis(500));
        }
        panic!("no leader within ten seconds");
    }

    pub(crate) fn call(&mut self, call: Call) -> CallId {
        let deadline = self.now.after(Duration::from_secs(10));
        self.client
            .call(self.now, call, deadline)
            .expect("there is room for a call")
    }

    pub(crate) fn write(&mut self, command: &'static str) -> Result<Bytes, CallError> {
        let call = self.call(Call::Write(Bytes::from_static(command.as_bytes())));
        self.pass(Duration::from_secs(11));
        self.done
            .remove(&call)
            .expect("every call ends by its deadline")
    }

    pub(crate) fn read(&mut self) -> Result<Bytes, CallError> {
        let call = self.call(Call::Read(Bytes::new()));
        self.pass(Duration::from_secs(11));
        self.done
            .remove(&call)
            .expect("every call ends by its deadline")
    }
}
