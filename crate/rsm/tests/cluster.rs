//! Three nodes, their clients and an obedient network, driven by hand: what a reader should see
//! first. Faults are the simulator's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{Body, Index, Instant, Message, NodeId, PersistBatch, Restored, RoleKind};
use quorate_rsm::{
    ApplyContext, BadSnapshot, Call, CallError, CallId, Client, ClientConfig, ClientId,
    ClientInput, ClientOutput, HaltCause, Input, MachineRestore, MachineSnapshot, Node, NodeConfig,
    Outcome, Output, Reply, Request, RequestBody, RequestError, RequestId, SessionId, StateMachine,
};

/// Appends every command to a text; answers with its length. With a second field, that text takes the
/// place of the command "drift": what no machine may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tape(Vec<u8>, Option<&'static str>);

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

const CLIENT: ClientId = ClientId(1);

struct Cluster {
    now: Instant,
    nodes: BTreeMap<NodeId, Node<Tape>>,
    mail: VecDeque<Message>,
    writes: VecDeque<(NodeId, PersistBatch)>,
    /// Cut off from the others.
    isolated: Option<NodeId>,
    /// No message arrives any more.
    silent: bool,
    client: Client,
    done: BTreeMap<CallId, Result<Bytes, CallError>>,
    replies: Vec<Reply>,
    /// Who said that which node's state is not that of the others.
    diverged: Vec<(NodeId, NodeId, Index)>,
    halted: BTreeMap<NodeId, HaltCause>,
    /// Who told a leader of which state, by index, format and hash.
    digests: BTreeMap<(u64, u64, u64), BTreeSet<NodeId>>,
}

impl Cluster {
    fn new(change: impl Fn(&mut NodeConfig)) -> Self {
        Self::with_machines(change, |_| Tape::default())
    }

    fn with_machines(change: impl Fn(&mut NodeConfig), machine: impl Fn(NodeId) -> Tape) -> Self {
        let ids = [1, 2, 3].map(NodeId);
        let conf_state = quorate_rsm::raft::ConfState::new(ids);
        let node = |id: NodeId| {
            let mut config = NodeConfig::new(id);
            change(&mut config);
            let restored = Restored::fresh(conf_state.clone());
            let node = Node::new(config, restored, &[], machine(id), Instant(0), id.0);
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
            digests: BTreeMap::new(),
        }
    }

    fn input(&mut self, id: NodeId, input: Input) {
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
                Output::RoleChanged { .. }
                | Output::MembershipChanged { .. }
                | Output::Restored { .. } => {}
            }
        }
    }

    /// Everything that can happen without time passing; writes are done one by one.
    fn settle(&mut self) {
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

    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        loop {
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

    fn leader(&mut self) -> NodeId {
        for _ in 0..20 {
            let leads = |(id, node): (&NodeId, &Node<Tape>)| {
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

    fn call(&mut self, call: Call) -> CallId {
        let deadline = self.now.after(Duration::from_secs(10));
        self.client
            .call(self.now, call, deadline)
            .expect("there is room for a call")
    }

    fn write(&mut self, command: &'static str) -> Result<Bytes, CallError> {
        let call = self.call(Call::Write(Bytes::from_static(command.as_bytes())));
        self.pass(Duration::from_secs(11));
        self.done
            .remove(&call)
            .expect("every call ends by its deadline")
    }

    fn read(&mut self) -> Result<Bytes, CallError> {
        let call = self.call(Call::Read(Bytes::new()));
        self.pass(Duration::from_secs(11));
        self.done
            .remove(&call)
            .expect("every call ends by its deadline")
    }

    fn tapes(&self) -> Vec<String> {
        let text = |node: &Node<Tape>| String::from_utf8_lossy(&node.machine().0).into_owned();
        self.nodes.values().map(text).collect()
    }
}

#[test]
fn write_is_applied_everywhere_and_read_back() {
    let mut cluster = Cluster::new(|_| {});
    assert_eq!(cluster.write("ab"), Ok(Bytes::from_static(b"2")));
    assert_eq!(cluster.write("c"), Ok(Bytes::from_static(b"3")));
    assert_eq!(cluster.read(), Ok(Bytes::from_static(b"abc")));
    assert_eq!(cluster.tapes(), ["abc"; 3]);
}

#[test]
fn calls_made_together_travel_together() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("-").expect("a first write");
    let calls: Vec<_> = (0..256)
        .map(|_| cluster.call(Call::Write(Bytes::from_static(b"x"))))
        .collect();
    while let Some(output) = cluster.client.poll_output() {
        let ClientOutput::Send { to, requests } = output else {
            panic!("nothing can be done yet")
        };
        assert_eq!(requests.len(), 256);
        let node = cluster.nodes.get_mut(&to).expect("a known node");
        for request in requests {
            node.handle(
                cluster.now,
                Input::Request {
                    client: CLIENT,
                    request,
                },
            )
            .expect("taken");
        }
        cluster.input(to, Input::TimerFired);
    }
    assert_eq!(
        (cluster.mail.len(), cluster.writes.len()),
        (2, 1),
        "one append to each follower, one round of writes"
    );
    cluster.settle();
    assert!(calls.iter().all(|call| cluster.done.contains_key(call)));
}

#[test]
fn isolated_leader_answers_what_waits_and_the_client_gets_through_elsewhere() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    let old = cluster.leader();
    cluster.isolated = Some(old);
    assert_eq!(
        cluster.write("b"),
        Ok(Bytes::from_static(b"2")),
        "applied once, by the new leader"
    );
    assert_ne!(cluster.leader(), old);
    assert_eq!(
        cluster.nodes[&old].status().waiting,
        0,
        "nothing hangs on the old leader"
    );
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.tapes(), ["ab"; 3]);
}

#[test]
fn lagging_follower_gets_a_snapshot_in_chunks_with_the_sessions() {
    let mut cluster = Cluster::new(|config| {
        config.snapshot_entries = 5;
        config.keep_entries = 0;
        config.snapshot_chunk_bytes = 3;
    });
    let leader = cluster.leader();
    let lagging = *cluster
        .nodes
        .keys()
        .find(|id| **id != leader)
        .expect("three nodes");
    cluster.isolated = Some(lagging);
    for _ in 0..12 {
        cluster.write("four").expect("two of three decide");
    }
    assert!(
        cluster.nodes[&leader].raft().log_start().index.0 > 0,
        "the log was compacted"
    );
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(3));
    assert_eq!(cluster.tapes(), vec!["four".repeat(12); 3]);
    let sessions: Vec<_> = cluster
        .nodes
        .values()
        .map(|node| node.status().sessions)
        .collect();
    assert_eq!(sessions, [1; 3]);
}

#[test]
fn snapshots_are_taken_when_the_log_has_doubled_the_state_not_at_every_write() {
    let mut cluster = Cluster::new(|config| {
        config.snapshot_entries = u64::MAX;
        config.snapshot_bytes = 1;
    });
    let leader = cluster.leader();
    let mut taken = BTreeSet::new();
    for _ in 0..64 {
        cluster.write("sixteen letters.").expect("a quorum");
        taken.insert(cluster.nodes[&leader].raft().snapshot().last.index);
    }
    assert_eq!(cluster.tapes(), vec!["sixteen letters.".repeat(64); 3]);
    assert!((4..=12).contains(&taken.len()), "{taken:?}");
}

/// Three nodes that execute "drift" so, the leader first; and their ids in that order.
fn drifting(texts: [Option<&'static str>; 3]) -> (Cluster, [NodeId; 3]) {
    let change = |config: &mut NodeConfig| {
        config.snapshot_entries = 8;
        config.snapshot_chunk_bytes = 3;
    };
    // Who leads depends on the seeds alone.
    let leader = Cluster::new(change).leader();
    let ids = [0, 1, 2].map(|n| NodeId((leader.0 - 1 + n) % 3 + 1));
    let text = |id| {
        texts[ids
            .iter()
            .position(|other| *other == id)
            .expect("one of them")]
    };
    let mut cluster = Cluster::with_machines(change, |id| Tape(Vec::new(), text(id)));
    assert_eq!(cluster.leader(), leader);
    (cluster, ids)
}

fn diverged(cluster: &Cluster, id: NodeId) -> bool {
    matches!(cluster.halted.get(&id), Some(HaltCause::Diverged(index)) if index.0 > 0)
}

#[test]
fn the_follower_whose_state_differs_is_named_and_halts_and_the_others_go_on() {
    let (mut cluster, [leader, good, bad]) = drifting([None, None, Some("drown")]);
    cluster.write("drift").expect("a quorum");
    assert!(cluster.diverged.is_empty(), "not before they compare");
    for _ in 0..30 {
        cluster.write("x").expect("a quorum");
    }
    let [(teller, named, index)] = cluster.diverged[..] else {
        panic!("once: {:?}", cluster.diverged)
    };
    assert_eq!((teller, named), (leader, bad));
    assert_eq!(cluster.halted.get(&bad), Some(&HaltCause::Diverged(index)));
    assert!(!cluster.halted.contains_key(&good));
}

#[test]
fn the_leader_whose_state_differs_halts_itself_and_another_leads() {
    let (mut cluster, [bad, _, _]) = drifting([Some("drown"), None, None]);
    cluster.write("drift").expect("a quorum");
    for _ in 0..30 {
        cluster.write("x").expect("a quorum");
    }
    assert!(diverged(&cluster, bad));
    assert_eq!(cluster.halted.len(), 1);
    cluster.isolated = Some(bad);
    assert_ne!(cluster.leader(), bad);
    let text = cluster.read().expect("a quorum");
    assert!(text.starts_with(b"drift"), "{text:?}");
}

#[test]
fn where_no_two_states_are_equal_all_but_the_leader_halt() {
    let (mut cluster, [leader, second, third]) = drifting([None, Some("a"), Some("b")]);
    cluster.write("drift").expect("a quorum");
    for _ in 0..12 {
        let _ = cluster.write("x");
    }
    assert!(!cluster.halted.contains_key(&leader));
    assert!(diverged(&cluster, second) && diverged(&cluster, third));
    let told: BTreeSet<_> = cluster.diverged.iter().map(|(_, node, _)| *node).collect();
    assert_eq!(told, BTreeSet::from([second, third]));
}

#[test]
fn equal_states_are_compared_and_nobody_halts() {
    let (mut cluster, _) = drifting([None; 3]);
    for _ in 0..30 {
        cluster.write("drift").expect("a quorum");
    }
    assert!(cluster.halted.is_empty() && cluster.diverged.is_empty());
    assert!(cluster.digests.len() >= 3, "{:?}", cluster.digests);
    let mut told = cluster.digests.values();
    assert!(told.all(|nodes| nodes.len() == 2), "{:?}", cluster.digests);
    let mut states = cluster.digests.keys();
    assert!(
        states.all(|(_, format, _)| *format == 1),
        "nothing else is said"
    );
}

#[test]
fn repeated_write_applies_once_with_the_first_reply() {
    let mut cluster = Cluster::new(|_| {});
    let leader = cluster.leader();
    let ask = |cluster: &mut Cluster, id, body| {
        let request = Request {
            id: RequestId(id),
            body,
        };
        cluster.input(
            leader,
            Input::Request {
                client: ClientId(2),
                request,
            },
        );
        cluster.settle();
        cluster.replies.pop().expect("an answer").result
    };
    let session = ask(&mut cluster, 1, RequestBody::OpenSession).expect("a session");
    let session = SessionId(u64::from_le_bytes(
        session[..].try_into().expect("eight bytes"),
    ));
    let write = |sequence| RequestBody::Write {
        session,
        sequence,
        acknowledged: 0,
        command: Bytes::from_static(b"x"),
    };
    assert_eq!(ask(&mut cluster, 2, write(1)), Ok(Bytes::from_static(b"1")));
    assert_eq!(ask(&mut cluster, 3, write(2)), Ok(Bytes::from_static(b"2")));
    assert_eq!(ask(&mut cluster, 4, write(1)), Ok(Bytes::from_static(b"1")));
    assert_eq!(
        ask(&mut cluster, 5, RequestBody::CloseSession { session }),
        Ok(Bytes::new())
    );
    assert_eq!(
        ask(&mut cluster, 6, write(3)),
        Err(RequestError::SessionExpired)
    );
    assert_eq!(cluster.tapes(), ["xx"; 3]);
}

#[test]
fn without_a_quorum_calls_end_by_their_deadline_and_say_what_they_know() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    cluster.silent = true;
    let exceeded = |outcome| Err(CallError::DeadlineExceeded { outcome });
    assert_eq!(
        cluster.write("b"),
        exceeded(Outcome::Unknown),
        "the old leader had taken it"
    );
    assert_eq!(
        cluster.write("c"),
        exceeded(Outcome::NotApplied),
        "nobody took it"
    );
    assert_eq!(cluster.read(), exceeded(Outcome::NotApplied));
    cluster.silent = false;
    cluster.pass(Duration::from_secs(3));
    assert!(cluster.write("d").is_ok());
    let tapes = cluster.tapes();
    assert!(
        ["ad", "abd"].contains(&&*tapes[0]),
        "what is unknown happens once or never"
    );
    assert_eq!(tapes, vec![tapes[0].clone(); 3]);
}

#[test]
fn failed_write_halts_the_node_and_the_others_go_on() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    let leader = cluster.leader();
    let node = cluster.nodes.get_mut(&leader).expect("a known node");
    node.handle(cluster.now, Input::PersistFailed)
        .expect("taken");
    let mut halted = false;
    while let Some(output) = node.poll_output() {
        halted |= output == Output::Halted(HaltCause::PersistFailed);
        assert!(!matches!(output, Output::Send(_) | Output::Persist(_)));
    }
    assert!(halted && node.handle(cluster.now, Input::TimerFired).is_err());
    cluster.isolated = Some(leader);
    let survivor = *cluster
        .nodes
        .keys()
        .find(|id| **id != leader)
        .expect("three nodes");
    for _ in 0..20 {
        // The halted node answers no timer, so the others are driven here.
        let next = cluster
            .nodes
            .values()
            .map(Node::next_timeout)
            .min()
            .expect("three nodes");
        cluster.now = cluster.now.max(next);
        for id in [1, 2, 3].map(NodeId).into_iter().filter(|id| *id != leader) {
            cluster.input(id, Input::TimerFired);
        }
        while let Some(message) = cluster.mail.pop_front() {
            if message.to != leader {
                cluster.input(message.to, Input::Message(message));
            }
            while let Some((id, batch)) = cluster.writes.pop_front() {
                cluster.input(id, Input::Persisted { seq: batch.seq });
            }
        }
    }
    assert!(
        cluster.nodes[&survivor]
            .status()
            .raft
            .leader
            .is_some_and(|id| id != leader)
    );
}

#[test]
fn oversized_command_and_full_queue_are_refused() {
    let mut cluster = Cluster::new(|config| {
        config.max_command_bytes = 3;
    });
    assert_eq!(cluster.write("four"), Err(CallError::TooLarge { limit: 3 }));
    assert_eq!(cluster.write("fit"), Ok(Bytes::from_static(b"3")));
}
