//! A client driven by hand: a test plays the nodes that it asks.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{Instant, NodeId};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientInput, ClientOutput, Reply, Request,
    RequestBody, RequestError, RequestId,
};

pub(crate) const DEADLINE: Instant = Instant(60_000_000);
pub(crate) const SILENCE: RequestError = RequestError::NotLeader { hint: None };

pub(crate) fn hint(node: NodeId) -> RequestError {
    RequestError::NotLeader { hint: Some(node) }
}

/// A client, the clock, and all that came out of the client.
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    pub(crate) done: BTreeMap<CallId, Result<Bytes, CallError>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: NodeId,
    pub(crate) id: RequestId,
    pub(crate) body: RequestBody,
}

impl Sent {
    /// Session, sequence, and up to where answers have come.
    pub(crate) fn numbers(&self) -> (u64, u64, u64) {
        match &self.body {
            RequestBody::Write {
                session,
                sequence,
                acknowledged,
                ..
            } => (session.0, *sequence, *acknowledged),
            other => panic!("a write, not {other:?}"),
        }
    }
}

impl Caller {
    /// Of nodes 1 to `nodes`.
    pub(crate) fn new(nodes: u64, seed: u64, change: impl FnOnce(&mut ClientConfig)) -> Self {
        let mut config = ClientConfig::new((1..=nodes).map(NodeId).collect());
        change(&mut config);
        Self {
            client: Client::new(config, seed),
            now: Instant(0),
            sent: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    /// With session 7, in which nothing was written; and the node that opened it.
    pub(crate) fn in_session(nodes: u64, change: impl FnOnce(&mut ClientConfig)) -> (Self, NodeId) {
        let mut caller = Self::new(nodes, 1, change);
        let call = caller.write();
        let opening = caller.one();
        assert_eq!(opening.body, RequestBody::OpenSession);
        caller.input(ClientInput::Cancel { call });
        caller.done.clear();
        caller.open(&opening, 7);
        (caller, opening.to)
    }

    pub(crate) fn open(&mut self, opening: &Sent, session: u64) {
        self.answer(opening, Ok(Bytes::copy_from_slice(&session.to_le_bytes())));
    }

    pub(crate) fn input(&mut self, input: ClientInput) {
        self.client.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => {
                    assert!(!requests.is_empty());
                    let sent = |Request { id, body }| Sent { to, id, body };
                    self.sent.extend(requests.into_iter().map(sent));
                }
                ClientOutput::Done { call, result } => {
                    assert!(self.done.insert(call, result).is_none(), "a call ends once");
                }
            }
        }
    }

    pub(crate) fn answer(&mut self, sent: &Sent, result: Result<Bytes, RequestError>) {
        let (id, from) = (sent.id, sent.to);
        let reply = Reply { id, result };
        self.input(ClientInput::Reply { from, reply });
    }

    pub(crate) fn accept(&mut self, sent: &Sent) {
        self.answer(sent, Ok(Bytes::new()));
    }

    pub(crate) fn refuse(&mut self, sent: &Sent, error: RequestError) {
        self.answer(sent, Err(error));
    }

    pub(crate) fn down(&mut self, node: NodeId) {
        self.input(ClientInput::NodeDown { node });
    }

    pub(crate) fn up(&mut self, node: NodeId) {
        self.input(ClientInput::NodeUp { node });
    }

    pub(crate) fn at(&mut self, now: Instant) {
        self.now = now;
        self.input(ClientInput::TimerFired);
    }

    pub(crate) fn begin(&mut self, call: Call) -> CallId {
        let call = self.client.call(self.now, call, DEADLINE);
        self.drain();
        call.expect("there is room")
    }

    pub(crate) fn write(&mut self) -> CallId {
        self.begin(Call::Write(Bytes::from_static(b"w")))
    }

    pub(crate) fn read(&mut self) -> CallId {
        self.begin(Call::Read(Bytes::from_static(b"r")))
    }

    /// What was sent since this was last asked.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        core::mem::take(&mut self.sent)
    }

    pub(crate) fn one(&mut self) -> Sent {
        let sent = self.sent();
        let [one] = &sent[..] else {
            panic!("one request, not {sent:?}")
        };
        one.clone()
    }

    /// What is sent when the pause is over; and how long that was.
    pub(crate) fn one_after_pause(&mut self) -> (Sent, Duration) {
        assert!(self.sent.is_empty(), "not before the pause is over");
        let end = self.client.next_timeout();
        let pause = end.since(self.now);
        self.at(Instant(end.0 - 1));
        assert!(self.sent.is_empty(), "nor a moment before");
        self.at(end);
        (self.one(), pause)
    }
}
