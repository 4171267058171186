//! Three nodes and a client, joined by queues.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use quorate_kv::{Command, Kv};
use quorate_raft::{ConfState, Instant, Message, NodeId, Restored, Table};
use quorate_rsm::codec;
use quorate_rsm::storage::{Layout, Round};
use quorate_rsm::{
    Call, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Input, Node,
    NodeConfig, Output,
};

const CLUSTER: u64 = 7;
const GROUP: u32 = 0;
const CLIENT: ClientId = ClientId(1);
const NODES: u64 = 3;
/// No call comes near it: time stands still while puts are committed.
const DEADLINE: Instant = Instant(u64::MAX / 2);

/// Something on its way.
enum Mail {
    /// Messages for a node.
    Messages(NodeId, Bytes),
    /// Requests for a node.
    Requests(NodeId, Bytes),
    /// Replies of a node.
    Replies(NodeId, Bytes),
    /// A node's round of writes is done.
    Written(NodeId, u64),
}

struct Member {
    node: Node<Kv>,
    layout: Layout,
    rounds: u32,
}

/// Three nodes and a client.
pub struct Cluster {
    now: Instant,
    members: Vec<Member>,
    client: Client,
    mail: VecDeque<Mail>,
    /// Empty, with room for the messages of a frame.
    inbox: Vec<(u32, Message)>,
    /// When each open call began.
    open: Table<CallId, f64>,
    latencies: Vec<f64>,
    now_ms: fn() -> f64,
}

impl Cluster {
    /// A cluster that has a leader.
    ///
    /// # Panics
    /// If none is elected: the core is broken.
    #[must_use]
    pub fn elected() -> Self {
        let ids: Vec<_> = (1..=NODES).map(NodeId).collect();
        let member = |id: &NodeId| {
            let restored = Restored::fresh(ConfState::new(ids.iter().copied()));
            let node = Node::new(
                NodeConfig::new(*id),
                restored,
                [],
                Kv::new(),
                Instant(0),
                id.0,
            );
            Member {
                node: node.expect("a fresh node opens"),
                layout: Layout::new(GROUP),
                rounds: 0,
            }
        };
        let mut cluster = Self {
            now: Instant(0),
            members: ids.iter().map(member).collect(),
            client: Client::new(ClientConfig::new(ids.clone()), 1),
            mail: VecDeque::new(),
            inbox: Vec::new(),
            open: Table::default(),
            latencies: Vec::new(),
            now_ms: || 0.0,
        };
        for _ in 0..1_000 {
            if cluster
                .members
                .iter()
                .any(|member| member.node.raft().is_leader())
            {
                return cluster;
            }
            cluster.now = cluster.now.after(Duration::from_millis(10));
            for id in ids.iter().copied() {
                cluster.input(id, Input::TimerFired);
                cluster.drain(id);
            }
            cluster.deliver();
        }
        panic!("no leader after ten seconds");
    }

    /// Commits `count` puts, `in_flight` at a time; their latencies, and the rounds that the leader
    /// wrote for them.
    ///
    /// # Panics
    /// If a put fails or the cluster stands still: the core is broken.
    pub fn commit(
        &mut self,
        count: u32,
        in_flight: u32,
        value_bytes: u32,
        now_ms: fn() -> f64,
    ) -> (Vec<f64>, u32) {
        self.now_ms = now_ms;
        let value = Bytes::from(vec![7; value_bytes as usize]);
        let before = self.rounds();
        let (mut begun, mut idle) = (0, 0);
        while begun < count || !self.open.is_empty() {
            while begun < count && self.open.len() < in_flight as usize {
                // A thousand keys, so that the store stays as large as it is.
                let key = Bytes::from(format!("key/{:03}", begun % 1_000));
                let value = value.clone();
                let call = Call::Write(Command::Put { key, value }.encode());
                let call = self.client.call(self.now, call, DEADLINE);
                self.open.insert(call.expect("room for a call"), now_ms());
                begun += 1;
            }
            let before = self.latencies.len();
            self.drain_client();
            self.deliver();
            idle = if self.latencies.len() > before {
                0
            } else {
                idle + 1
            };
            assert!(idle < 100, "the cluster stands still");
            if idle > 0 {
                // A refusal makes the client wait; time is what it waits for.
                self.now = self.now.max(self.client.next_timeout());
                self.client.handle(self.now, ClientInput::TimerFired);
            }
        }
        let latencies = core::mem::take(&mut self.latencies);
        (latencies, self.rounds() - before)
    }

    fn rounds(&self) -> u32 {
        let leader = self
            .members
            .iter()
            .find(|member| member.node.raft().is_leader());
        leader.map_or(0, |member| member.rounds)
    }

    /// Delivers everything, and what comes of it.
    fn deliver(&mut self) {
        while let Some(mail) = self.mail.pop_front() {
            match mail {
                Mail::Messages(to, frame) => {
                    let mut messages = core::mem::take(&mut self.inbox);
                    codec::decode_groups_in(&mut messages, &frame).expect("our own frame");
                    for (_, message) in messages.drain(..) {
                        self.input(to, Input::Message(message));
                    }
                    self.inbox = messages;
                    self.drain(to);
                }
                Mail::Requests(to, frame) => {
                    let (_, requests) = codec::decode_requests(&frame).expect("our own frame");
                    for request in requests {
                        self.input(
                            to,
                            Input::Request {
                                client: CLIENT,
                                request,
                            },
                        );
                    }
                    self.drain(to);
                }
                Mail::Replies(from, frame) => {
                    let (_, replies) = codec::decode_replies(&frame).expect("our own frame");
                    for reply in replies {
                        self.client
                            .handle(self.now, ClientInput::Reply { from, reply });
                    }
                    self.drain_client();
                }
                Mail::Written(id, seq) => {
                    self.input(id, Input::Persisted { seq });
                    self.drain(id);
                }
            }
        }
    }

    fn member(&mut self, id: NodeId) -> &mut Member {
        &mut self.members[id.0 as usize - 1]
    }

    fn input(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        self.member(id)
            .node
            .handle(now, input)
            .expect("the law of use is kept");
    }

    /// What a host does after inputs: one frame to each peer and client, one record for a round.
    fn drain(&mut self, id: NodeId) {
        let mut messages: Table<NodeId, Vec<Message>> = Table::default();
        while let Some(output) = self.member(id).node.poll_output() {
            match output {
                Output::Persist(batch) => {
                    let member = self.member(id);
                    let mut round = Round::default();
                    member.layout.round(&batch, &mut round);
                    member.rounds += 1;
                    self.mail.push_back(Mail::Written(id, batch.seq));
                }
                Output::Send(message) => messages.or_default(message.to).push(message),
                Output::Reply { replies, .. } => {
                    let frame = codec::encode_replies(GROUP, &replies).into();
                    self.mail.push_back(Mail::Replies(id, frame));
                }
                Output::RoleChanged { .. }
                | Output::MembershipChanged { .. }
                | Output::Diverged { .. }
                | Output::Restored { .. } => {}
                Output::Halted(cause) => panic!("a node halted: {cause:?}"),
            }
        }
        for (to, messages) in messages {
            let frame = codec::encode_messages(CLUSTER, GROUP, &messages).into();
            self.mail.push_back(Mail::Messages(to, frame));
        }
    }

    fn drain_client(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => {
                    let frame = codec::encode_requests(GROUP, &requests).into();
                    self.mail.push_back(Mail::Requests(to, frame));
                }
                ClientOutput::Done { call, result } => {
                    result.expect("a put succeeds");
                    let began = self.open.remove(call).expect("an open call");
                    self.latencies.push((self.now_ms)() - began);
                }
            }
        }
    }
}
