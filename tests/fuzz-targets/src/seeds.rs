//! Inputs to begin with, from a real cluster: three nodes, a fourth that joins, and their frames, records and snapshots.
//! What the fuzzer finds from there on is kept in the corpus.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Command, KeyRange, Kv, Projection, Query};
use quorate_raft::{Change, ConfState, Instant, Message, NodeId, Random, StorageId};
use quorate_rsm::codec::{
    decode_messages, encode_groups, encode_messages, encode_replies, encode_requests,
};
use quorate_rsm::storage::{Ident, LoadedGroup, Round, seal_round};
use quorate_rsm::{
    ClientId, Input, Node, NodeConfig, Output, ReadAt, Reply, Request, RequestBody, RequestId,
    SessionId,
};

use crate::envelope::{masked, payload};
use crate::records::put_record;
use crate::source::put_bytes;
use crate::{commands, deltas, node};

const CLIENT: ClientId = ClientId(1);
const STEP: Duration = Duration::from_millis(25);
/// Random inputs for each target that takes choices rather than frames.
const RANDOM: u64 = 24;

/// Inputs by target.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut cluster = Cluster::new();
    cluster.live();
    let mut seeds = Vec::new();
    seeds.extend(
        cluster
            .messages
            .iter()
            .cloned()
            .map(|frame| ("messages", frame)),
    );
    seeds.extend(cluster.messages[..24].chunks(3).map(several));
    seeds.extend(
        cluster
            .requests
            .iter()
            .cloned()
            .map(|frame| ("requests", frame)),
    );
    for member in &cluster.members {
        seeds.push(("records", records(&member.records)));
        seeds.extend(files(&member.rounds).map(|file| ("segments", file)));
        seeds.extend(snapshots(member).map(|snapshot| ("snapshots", snapshot)));
        seeds.push(("deltas", difference(member)));
    }
    for target in [
        "commands",
        "snapshots",
        "deltas",
        "controller",
        "coordinator",
        "shards",
        "runs",
        "raft",
        "node",
    ] {
        for seed in 0..RANDOM {
            let mut random = Random::new(seed);
            let len = 64 + random.below(1_000);
            seeds.push((target, (0..len).map(|_| random.next_u64() as u8).collect()));
        }
    }
    seeds
}

/// What three groups say in one frame.
fn several(frames: &[Vec<u8>]) -> (&'static str, Vec<u8>) {
    let mut said = Vec::new();
    for (frame, group) in frames.iter().zip([0, 7, 70_000]) {
        let decoded = decode_messages(&Bytes::copy_from_slice(frame));
        let (.., messages) = decoded.expect("it was just made");
        said.extend(messages.into_iter().map(|message| (group, message)));
    }
    ("messages", encode_groups(9, &said))
}

struct Member {
    node: Node<Kv>,
    group: LoadedGroup,
    records: BTreeMap<String, Vec<u8>>,
    rounds: Vec<Round>,
}

struct Cluster {
    now: Instant,
    members: Vec<Member>,
    mail: Vec<Message>,
    messages: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
}

impl Cluster {
    fn new() -> Self {
        let voters: Vec<_> = (1..=3).map(NodeId).collect();
        let mut founders = ConfState::new(voters.iter().copied());
        for id in &voters {
            founders.storages.insert(*id, StorageId(id.0));
        }
        let member = |id: NodeId| {
            let founders = match founders.storages.has(id) {
                true => founders.clone(),
                false => ConfState::default(),
            };
            let group = LoadedGroup::fresh(0, &founders);
            let mut config = NodeConfig {
                snapshot_entries: 12,
                keep_entries: 3,
                ..node::config()
            };
            config.raft.id = id;
            config.raft.storage = StorageId(id.0);
            let restored = group.restored.clone();
            let node = Node::new(config, restored, [], Kv::new(), Instant(0), id.0);
            let mut round = Round::default();
            let ident = Ident {
                cluster: "shop".into(),
                node: id,
                storage: StorageId(id.0),
                cluster_id: 9,
                founders,
                machine: 0,
            };
            ident.put(&mut round);
            let mut member = Member {
                node: node.expect("a fresh node opens"),
                group,
                records: BTreeMap::new(),
                rounds: Vec::new(),
            };
            member.write(round);
            member
        };
        Self {
            now: Instant(0),
            members: (1..=4).map(NodeId).map(member).collect(),
            mail: Vec::new(),
            messages: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// An election; sessions, writes and reads; a follower that is cut off, and gets a snapshot.
    fn live(&mut self) {
        let mut asked = bodies().into_iter().enumerate();
        for step in 0..160 {
            let cut_off = (60..110).contains(&step);
            self.now = self.now.after(STEP);
            for at in 0..self.members.len() {
                self.input(at, Input::TimerFired);
            }
            if step > 40
                && let Some((number, body)) = asked.next()
            {
                self.ask(number, body);
            }
            if step == 130 {
                self.grow();
            }
            for message in core::mem::take(&mut self.mail) {
                let leads = |id: NodeId| self.members[id.0 as usize - 1].node.raft().is_leader();
                let silent = cut_off && !leads(NodeId(3));
                if !(silent && [message.to, message.from].contains(&NodeId(3))) {
                    self.input(message.to.0 as usize - 1, Input::Message(message));
                }
            }
        }
        let revision = |member: &Member| member.node.machine().revision();
        assert!(revision(&self.members[0]) > 10);
        assert!(
            self.members
                .iter()
                .all(|member| member.node.raft().snapshot().last.index.0 > 0)
        );
    }

    /// Whoever leads takes the fourth node in.
    fn grow(&mut self) {
        let (id, storage) = (NodeId(4), StorageId(4));
        for at in 0..self.members.len() {
            let change = [Change::AddVoter { id, storage }];
            let begun = self.members[at].node.change_membership(self.now, &change);
            assert!(begun.is_err() || self.members[at].node.raft().is_leader());
        }
    }

    fn ask(&mut self, number: usize, body: RequestBody) {
        let id = RequestId(number as u64);
        let request = Request { id, body };
        self.requests
            .push(encode_requests(0, core::slice::from_ref(&request)));
        for at in 0..self.members.len() {
            let request = request.clone();
            let client = CLIENT;
            self.input(at, Input::Request { client, request });
        }
    }

    fn input(&mut self, at: usize, input: Input) {
        self.members[at]
            .node
            .handle(self.now, input)
            .expect("the law of use is kept");
        let mut sent: Vec<Message> = Vec::new();
        while let Some(output) = self.members[at].node.poll_output() {
            match output {
                Output::Persist(batch) => {
                    let seq = batch.seq;
                    let mut round = Round::default();
                    self.members[at].group.layout.round(&batch, &mut round);
                    self.members[at].write(round);
                    let durable = Input::Persisted { seq };
                    self.members[at]
                        .node
                        .handle(self.now, durable)
                        .expect("under way");
                }
                Output::Send(message) => sent.push(message),
                Output::Reply { replies, .. } => self.answered(&replies),
                Output::RoleChanged { .. }
                | Output::MembershipChanged { .. }
                | Output::Diverged { .. }
                | Output::Restored { .. } => {}
                Output::Halted(cause) => panic!("{cause:?}"),
            }
        }
        if !sent.is_empty() {
            self.messages
                .push(encode_messages(0x0102_0304_0506_0708, 0, &sent));
        }
        self.mail.extend(sent);
    }

    fn answered(&mut self, replies: &[Reply]) {
        self.requests.push(encode_replies(0, replies));
    }
}

impl Member {
    fn write(&mut self, round: Round) {
        for (from, to) in &round.deletes {
            self.records.retain(|key, _| !(from..to).contains(&key));
        }
        self.records.extend(round.puts.iter().cloned());
        self.rounds.push(round);
    }
}

/// What a client asks, in a session that the third entry opens at the latest.
fn bodies() -> Vec<RequestBody> {
    let key = |n: u64| Bytes::from(format!("k{n}"));
    let mut bodies = vec![RequestBody::OpenSession, RequestBody::OpenSession];
    for n in 1..=28_u64 {
        let value = Bytes::from(vec![b'v'; n as usize]);
        let command = match n % 5 {
            0 => Command::Delete { key: key(n % 3) },
            1 => Command::Increment {
                key: Bytes::from_static(b"n"),
                by: 3,
            },
            2 => Command::Append { key: key(9), value },
            _ => Command::Put { key: key(n), value },
        };
        bodies.push(RequestBody::Write {
            session: SessionId(2 + n % 2),
            sequence: n.div_ceil(2),
            acknowledged: n.div_ceil(2).saturating_sub(2),
            command: command.encode(),
        });
    }
    let range = Query::Range {
        range: KeyRange::prefix(key(1)),
        limit: 3,
        projection: Projection::Records,
    };
    for query in [Query::Get { key: key(3) }, range] {
        let query = query.encode();
        let linearizable = [ReadAt::Leader, ReadAt::Here, ReadAt::Lease];
        for at in linearizable
            .into_iter()
            .chain([ReadAt::Local, ReadAt::Watch])
        {
            let query = query.clone();
            bodies.push(RequestBody::Read { query, at });
        }
    }
    let session = SessionId(2);
    bodies.push(RequestBody::CloseSession { session });
    bodies
}

fn records(records: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, record) in records {
        put_record(&mut out, key, record);
    }
    out
}

/// A file as it is, and its first rounds to be sealed anew.
fn files(rounds: &[Round]) -> impl Iterator<Item = Vec<u8>> {
    let sealed: Vec<_> = (1..)
        .zip(rounds)
        .map(|(n, round)| seal_round(n, round))
        .collect();
    let plain = [vec![0], sealed[..4].concat()].concat();
    let mut masks = vec![1, 3];
    for record in &sealed[1..4] {
        put_bytes(&mut masks, &masked(payload(record)));
    }
    [plain, masks].into_iter()
}

/// The store's stream, and the chunks of a node.
fn snapshots(member: &Member) -> impl Iterator<Item = Vec<u8>> {
    let stream = commands::chunks(member.node.machine(), 1 << 20).concat();
    let store = [vec![0, 16], stream].concat();
    let last = member
        .records
        .range("0000/snap/".to_owned().."0000/snap0".to_owned());
    let mut chunks = last.map(|(_, record)| payload(record));
    let mut node = vec![1];
    put_bytes(&mut node, chunks.next().unwrap_or_default());
    // One write: in the third session, with the fifth number.
    node.extend([1, 1, 3, 5, 4, 1, 0]);
    node.extend(chunks.flatten());
    [store, node].into_iter()
}

/// What makes the store of an empty one.
fn difference(member: &Member) -> Vec<u8> {
    let stream = deltas::stream(&Kv::new(), member.node.machine());
    [vec![0, 16], stream].concat()
}
