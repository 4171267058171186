//! Clerks: shipped clients of a cluster under a lab's tester, each with what it has open.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Reply,
    StateMachine,
};
use quorate_sim::checker::linearizability::{Action, Answer, Versioned};
use quorate_sim::network::{Address, Rule};
use quorate_sim::workload::wish;

use crate::lab::history::History;
use crate::lab::worker::{Form, Keys, Worker};
use crate::lab::{Failure, Lab, TIME_MAX};

/// A call may take as long as a test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Names a clerk of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClerkId(usize);

/// Clients before the clerks: nobody, and the tester itself.
const FIRST: u64 = 2;

impl ClerkId {
    /// Its name on connections.
    #[must_use]
    pub fn client(self) -> ClientId {
        ClientId(FIRST + self.0 as u64)
    }

    fn of(client: ClientId) -> Self {
        Self((client.0 - FIRST) as usize)
    }
}

/// A client, and what it has open.
pub(super) struct Clerk {
    client: Client,
    /// The earliest timer that will still fire.
    armed: Instant,
    open: BTreeMap<CallId, u64>,
    worker: Option<Worker>,
}

/// A clerk does not reach these nodes.
struct Beyond {
    client: ClientId,
    nodes: Vec<NodeId>,
}

impl Rule for Beyond {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        match (from, to) {
            (Address::Client(client), Address::Node(node))
            | (Address::Node(node), Address::Client(client)) => {
                client == self.client && self.nodes.contains(&node)
            }
            _ => false,
        }
    }
}

impl<M: StateMachine + Default> Lab<M> {
    /// A new clerk, which reaches all nodes.
    pub fn clerk(&mut self) -> ClerkId {
        let config = ClientConfig::new(self.nodes());
        self.clerks.push(Clerk {
            client: Client::new(config, self.random.next_u64()),
            armed: Instant::NEVER,
            open: BTreeMap::new(),
            worker: None,
        });
        ClerkId(self.clerks.len() - 1)
    }

    /// A new clerk, which reaches `nodes` alone until the partition ends.
    pub fn clerk_to(&mut self, nodes: &[NodeId]) -> ClerkId {
        let clerk = self.clerk();
        let beyond = self.nodes().into_iter().filter(|id| !nodes.contains(id));
        let rule = Beyond {
            client: clerk.client(),
            nodes: beyond.collect(),
        };
        let rule = self.cluster.network.add(rule);
        self.partitions.push(rule);
        clerk
    }

    /// Begins a call; its tag.
    pub fn begin(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<u64, Failure> {
        self.begin_within(clerk, key, action, PATIENCE)
    }

    /// Begins a call that takes no longer than `timeout`; its tag.
    pub fn begin_within(
        &mut self,
        clerk: ClerkId,
        key: u64,
        action: Action,
        timeout: Duration,
    ) -> Result<u64, Failure> {
        let tag = self.enqueue(clerk, key, action, timeout)?;
        self.drain_clerk(clerk)?;
        Ok(tag)
    }

    fn enqueue(
        &mut self,
        clerk: ClerkId,
        key: u64,
        action: Action,
        timeout: Duration,
    ) -> Result<u64, Failure> {
        let now = self.cluster.now();
        let wish = wish(key, &action);
        let tag = self.history.begin(now, key, action);
        self.hand(clerk, tag, wish.call(tag), timeout)?;
        Ok(tag)
    }

    /// Gives a call to a clerk's client.
    fn hand(
        &mut self,
        clerk: ClerkId,
        tag: u64,
        call: Call,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let now = Instant(self.cluster.now());
        let Clerk { client, open, .. } = &mut self.clerks[clerk.0];
        match client.call(now, call, now.after(timeout)) {
            Ok(call) => open.insert(call, tag),
            Err(error) => return Err(self.fail(&error.to_string())),
        };
        Ok(())
    }

    /// Begins a call of which the history knows nothing.
    pub(super) fn begin_order(
        &mut self,
        clerk: ClerkId,
        tag: u64,
        call: Call,
    ) -> Result<(), Failure> {
        self.hand(clerk, tag, call, PATIENCE)?;
        self.drain_clerk(clerk)
    }

    /// Waits for the end of a call, at most `limit`; what it was told.
    pub fn await_call(&mut self, tag: u64, limit: u64) -> Result<Answer, Failure> {
        self.wait(limit, |lab| lab.history.has_ended(tag))?;
        match self.history.answer(tag) {
            Some(answer) => Ok(answer.clone()),
            None => Err(self.fail(&format!("call {tag} was not answered"))),
        }
    }

    /// Makes a call and waits for its answer.
    pub fn call(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<Answer, Failure> {
        let tag = self.begin(clerk, key, action)?;
        self.await_call(tag, TIME_MAX)
    }

    /// Reads a key.
    pub fn get(&mut self, clerk: ClerkId, key: u64) -> Result<Option<Versioned>, Failure> {
        match self.call(clerk, key, Action::Get)? {
            Answer::Value(value) => Ok(value),
            other => Err(self.fail(&format!("a read was answered {other:?}"))),
        }
    }

    /// A key must hold this value.
    pub fn check_get(&mut self, clerk: ClerkId, key: u64, value: &str) -> Result<(), Failure> {
        match self.get(clerk, key)? {
            Some((found, _)) if found == value.as_bytes() => Ok(()),
            found => Err(self.fail(&format!("key {key} holds {found:?}, not {value}"))),
        }
    }

    /// Stores a value.
    pub fn put(&mut self, clerk: ClerkId, key: u64, value: &str) -> Result<(), Failure> {
        let action = Action::Put(Bytes::copy_from_slice(value.as_bytes()));
        match self.call(clerk, key, action)? {
            Answer::Written(_) => Ok(()),
            other => Err(self.fail(&format!("a put was answered {other:?}"))),
        }
    }

    /// Sets a new clerk to work.
    pub fn hire(&mut self, number: u64, form: Form, keys: Keys) -> Result<ClerkId, Failure> {
        let clerk = self.clerk();
        let random = Random::new(self.random.next_u64());
        self.clerks[clerk.0].worker = Some(Worker::new(number, form, keys, random));
        self.drain_clerk(clerk)?;
        Ok(clerk)
    }

    /// Lets workers end what they have open, within `limit`; what became of them.
    pub fn dismiss(&mut self, clerks: &[ClerkId], limit: u64) -> Result<Vec<Worker>, Failure> {
        for clerk in clerks {
            self.worker_mut(*clerk).stop();
        }
        let idle = |lab: &Self| {
            clerks
                .iter()
                .all(|clerk| lab.clerks[clerk.0].open.is_empty())
        };
        if !self.wait(limit, idle)? {
            return Err(self.fail("a worker's call does not end"));
        }
        let worker = |clerk: &ClerkId| self.clerks[clerk.0].worker.take().expect("it works");
        Ok(clerks.iter().map(worker).collect())
    }

    fn worker_mut(&mut self, clerk: ClerkId) -> &mut Worker {
        let worker = self.clerks[clerk.0].worker.as_mut();
        worker.expect("this clerk works")
    }

    pub(super) fn take_replies(
        &mut self,
        client: ClientId,
        from: NodeId,
        replies: Vec<Reply>,
    ) -> Result<(), Failure> {
        let (clerk, now) = (ClerkId::of(client), Instant(self.cluster.now()));
        for reply in replies {
            let input = ClientInput::Reply { from, reply };
            self.clerks[clerk.0].client.handle(now, input);
        }
        self.drain_clerk(clerk)
    }

    /// A timer of the client whose name is the token.
    pub(super) fn wake_clerk(&mut self, token: u64) -> Result<(), Failure> {
        let (clerk, now) = (ClerkId::of(ClientId(token)), Instant(self.cluster.now()));
        self.clerks[clerk.0].armed = Instant::NEVER;
        self.clerks[clerk.0]
            .client
            .handle(now, ClientInput::TimerFired);
        self.drain_clerk(clerk)
    }

    /// Does what a client wants. A worker whose call has ended begins the next.
    fn drain_clerk(&mut self, clerk: ClerkId) -> Result<(), Failure> {
        loop {
            while let Some(output) = self.clerks[clerk.0].client.poll_output() {
                match output {
                    ClientOutput::Send { to, requests } => {
                        self.cluster.send_requests(clerk.client(), to, requests);
                    }
                    ClientOutput::Done { call, result } => {
                        let tag = self.clerks[clerk.0].open.remove(&call);
                        let tag = tag.ok_or("a call ended twice")?;
                        let ended = match self.end_order(tag, &result) {
                            Some(ended) => ended,
                            None => {
                                let now = self.cluster.now();
                                let worker = self.clerks[clerk.0].worker.as_mut();
                                end_call(&mut self.history, worker, now, tag, &result)
                            }
                        };
                        ended.map_err(|what| self.fail(&what))?;
                    }
                }
            }
            let Clerk { open, worker, .. } = &mut self.clerks[clerk.0];
            let idle = worker.as_mut().filter(|_| open.is_empty());
            let Some((key, action)) = idle.and_then(Worker::ask) else {
                break;
            };
            self.enqueue(clerk, key, action, PATIENCE)?;
        }
        let Clerk { client, armed, .. } = &mut self.clerks[clerk.0];
        let next = client.next_timeout();
        if next < *armed {
            *armed = next;
            let at = next.0.max(self.cluster.now());
            self.cluster.wake_at(at, clerk.client().0);
        }
        Ok(())
    }
}

/// Notes in the history how the call `tag` ended, and tells who works for it.
pub(super) fn end_call(
    history: &mut History,
    worker: Option<&mut Worker>,
    now: u64,
    tag: u64,
    result: &Result<Bytes, CallError>,
) -> Result<(), String> {
    let result = match result {
        Ok(reply) => Ok(reply),
        Err(
            CallError::DeadlineExceeded { outcome }
            | CallError::SessionExpired { outcome }
            | CallError::Cancelled { outcome }
            | CallError::Closed { outcome },
        ) => Err(*outcome),
        Err(error) => return Err(format!("call {tag} ended with {error:?}")),
    };
    history.end(now, tag, result)?;
    let Some(worker) = worker else {
        return Ok(());
    };
    let Some(answer) = history.answer(tag) else {
        return Err(format!("a worker's call {tag} was not answered"));
    };
    let (key, action) = history.asked(tag);
    worker.take(key, action, answer)
}
