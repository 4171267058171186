//! One node with its store, sessions and clients, and a host that keeps the law of use.
//!
//! Besides what holds of Raft: every request is answered once, or waits.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::Kv;
use quorate_raft::{Config, Instant, NodeId};
use quorate_rsm::codec::{FRAME_VERSION, decode_replies, decode_requests, encode_replies};
use quorate_rsm::storage::LoadedGroup;
use quorate_rsm::{
    ClientId, Input, Node, NodeConfig, Output, ReadAt, Reply, Request, RequestBody, RequestId,
    SessionId, SessionLimits,
};

use crate::commands::{command, query};
use crate::disk::Disk;
use crate::peer::{OWN, STORAGE, change, message};
use crate::source::Source;

const STEPS_MAX: usize = 300;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut host = Host::new(1 + source.below(3));
    for _ in 0..STEPS_MAX {
        if source.is_empty() || host.halted {
            break;
        }
        host.step(&mut source);
    }
    host.restart(false);
}

struct Host {
    node: Node<Kv>,
    disk: Disk,
    now: Instant,
    runs: u64,
    /// Requests that were not answered, and of which client; none, if it is gone.
    open: BTreeMap<RequestId, Option<ClientId>>,
    next_request: u64,
    halted: bool,
    /// Inputs since the last drain.
    inputs: usize,
}

/// Small limits, so that they are reached.
pub(crate) fn config() -> NodeConfig {
    NodeConfig {
        raft: Config {
            storage: STORAGE,
            lease_reads: true,
            quiesce_after: Some(Duration::from_millis(400)),
            max_append_bytes: 256,
            max_inflight_messages: 2,
            max_uncommitted_bytes: 1 << 10,
            max_pending_reads: 4,
            max_apply_bytes: 128,
            ..Config::new(OWN)
        },
        snapshot_entries: 6,
        snapshot_bytes: 512,
        keep_entries: 2,
        keep_bytes: 128,
        snapshot_chunk_bytes: 64,
        max_waiting: 8,
        park_timeout: Duration::from_millis(300),
        max_command_bytes: 256,
        sessions: SessionLimits {
            max_sessions: 3,
            ttl_ms: 10_000,
            window: 4,
            window_bytes: 128,
            max_bytes: 256,
        },
    }
}

impl Host {
    fn new(voters: u64) -> Self {
        let mut disk = Disk::new(voters);
        let group = disk.restart(false);
        Self {
            node: open(group, 0),
            disk,
            now: Instant(0),
            runs: 0,
            open: BTreeMap::new(),
            next_request: 1,
            halted: false,
            inputs: 0,
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(16) {
            0..=4 => {
                if let Some(message) = message(source, self.node.raft(), self.disk.asked) {
                    self.input(Input::Message(message));
                }
            }
            5 | 6 => {
                if let Some(seq) = self.disk.finish() {
                    self.input(Input::Persisted { seq });
                }
            }
            7 => {
                let next = self.node.next_timeout();
                if next < Instant::NEVER {
                    self.now = self.now.max(next);
                }
                self.input(Input::TimerFired);
            }
            8 => {
                self.now = self.now.after(Duration::from_millis(source.below(256)));
                self.input(Input::TimerFired);
            }
            9..=12 => {
                let client = ClientId(source.below(3));
                for request in self.requests(source) {
                    self.open.insert(request.id, Some(client));
                    self.input(Input::Request { client, request });
                }
            }
            13 => {
                let client = ClientId(source.below(3));
                for of in self.open.values_mut() {
                    *of = of.filter(|of| *of != client);
                }
                self.input(Input::ClientGone { client });
            }
            14 => match source.below(3) {
                0 => {
                    self.input(match NodeId(1 + source.below(4)) {
                        NodeId(1) => Input::Reachable,
                        peer => Input::Unreachable { peer },
                    });
                }
                1 => {
                    let change = change(source);
                    let begun = self.node.change_membership(self.now, &[change]);
                    assert!(begun.is_err() || self.node.raft().is_leader());
                }
                _ => {
                    let to = NodeId(1 + source.below(4));
                    let begun = self.node.transfer_leadership(self.now, to);
                    assert!(begun.is_err() || self.node.raft().is_leader());
                }
            },
            _ => match source.below(8) {
                0 => self.input(Input::PersistFailed),
                1 => self.input(Input::ClockStopped),
                keep => self.restart(keep % 2 == 0),
            },
        }
        if source.below(4) > 0 {
            self.drain();
        }
        self.disk.check_status(&self.node.raft().status());
    }

    fn input(&mut self, input: Input) {
        self.inputs += 1;
        let taken = self.node.handle(self.now, input);
        assert!(taken.is_ok() || self.node.raft().status().halted);
    }

    /// One request, or a frame of them; none has the name of another.
    fn requests(&mut self, source: &mut Source<'_>) -> Vec<Request> {
        let session = |source: &mut Source<'_>| SessionId(source.below(24));
        let body = match source.below(8) {
            0 => {
                let frame = [&[FRAME_VERSION, 2, 0][..], &source.bytes()].concat();
                let decoded = decode_requests(&Bytes::from(frame));
                let mut requests = decoded.map_or(Vec::new(), |(_, requests)| requests);
                for request in &mut requests {
                    request.id = self.next_id();
                }
                return requests;
            }
            1 => RequestBody::OpenSession,
            2 => RequestBody::CloseSession {
                session: session(source),
            },
            3 => RequestBody::Read {
                query: query(source),
                at: match source.below(5) {
                    0 => ReadAt::Leader,
                    1 => ReadAt::Here,
                    2 => ReadAt::Local,
                    3 => ReadAt::Watch,
                    _ => ReadAt::Lease,
                },
            },
            _ => RequestBody::Write {
                session: session(source),
                sequence: source.near(4),
                acknowledged: source.near(4),
                command: command(source),
            },
        };
        let id = self.next_id();
        vec![Request { id, body }]
    }

    fn next_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    fn restart(&mut self, keep: bool) {
        let group = self.disk.restart(keep);
        self.runs += 1;
        self.now = Instant(0);
        self.open.clear();
        self.halted = false;
        self.node = open(group, self.runs);
        self.disk.check_status(&self.node.raft().status());
    }

    /// Takes all outputs. Their number is bounded by what there is to say.
    fn drain(&mut self) {
        let status = self.node.raft().status();
        let log = (status.last.index - status.log_start.index) as usize;
        let peers = status.conf_state.members().len();
        let most = 4 * log + (8 + 2 * peers) * (1 + core::mem::take(&mut self.inputs));
        for _ in 0..most {
            let Some(output) = self.node.poll_output() else {
                self.check_drained();
                return;
            };
            self.take(output);
        }
        panic!("more than {most} outputs");
    }

    fn take(&mut self, output: Output) {
        let parting = matches!(output, Output::Reply { .. } | Output::RoleChanged { .. });
        assert!(
            !self.halted || parting,
            "a stopped node only answers what waits"
        );
        match output {
            Output::Persist(batch) => self.disk.begin(batch),
            Output::Send(message) => self.disk.check_send(&message),
            Output::Reply { client, replies } => self.answered(client, &replies),
            Output::Halted(_) => self.halted = true,
            Output::RoleChanged { .. }
            | Output::MembershipChanged { .. }
            | Output::Diverged { .. }
            | Output::Restored { .. } => {}
        }
    }

    fn answered(&mut self, client: ClientId, replies: &[Reply]) {
        for reply in replies {
            let asked = self.open.remove(&reply.id).expect("answered once");
            assert!(asked.is_none_or(|asked| asked == client), "to who asked");
        }
        let frame = Bytes::from(encode_replies(0, replies));
        let (_, read) = decode_replies(&frame).expect("what is answered can be read");
        assert_eq!(read, replies);
    }

    fn check_drained(&self) {
        let status = self.node.status();
        assert!(status.waiting <= config().max_waiting);
        assert!(status.sessions <= config().sessions.max_sessions);
        let waiting = self.open.values().flatten().count();
        assert!(
            waiting <= status.waiting,
            "every request is answered, or waits"
        );
    }
}

pub(crate) fn open(group: LoadedGroup, seed: u64) -> Node<Kv> {
    let LoadedGroup {
        restored, chunks, ..
    } = group;
    Node::new(config(), restored, chunks, Kv::new(), Instant(0), seed)
        .expect("what was written is sound")
}
