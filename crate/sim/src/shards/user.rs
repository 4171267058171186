//! A user of a sharded store, its client, and what it asked and was told.

use core::time::Duration;
use std::collections::BTreeMap;

use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Call, CallError, CallId, ClientId, Outcome};
use quorate_shard::{Outgoing, ShardClient, ShardClientConfig, ShardId, ShardOutput, shard_of};

use crate::checker::Violation;
use crate::checker::linearizability::{Action, End, Operation};
use crate::workload::{Wish, answer, wish};

/// What all users asked and were told.
#[derive(Debug, Default)]
pub struct History {
    /// Calls and answers so far.
    events: u64,
    operations: Vec<Operation>,
    /// Calls that ended with an answer.
    pub answered: u64,
}

impl History {
    /// What must be explained.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

/// One user.
pub(super) struct User {
    pub(super) id: ClientId,
    pub(super) client: ShardClient,
    random: Random,
    keys: u64,
    shards: u32,
    open: BTreeMap<CallId, usize>,
    armed: Instant,
    written: u64,
}

impl User {
    pub(super) fn new(
        id: ClientId,
        controllers: Vec<NodeId>,
        shards: u32,
        keys: u64,
        mut random: Random,
    ) -> Self {
        let mut config = ShardClientConfig::new(controllers, shards);
        config.client.attempt_timeout = Duration::from_millis(300);
        Self {
            id,
            client: ShardClient::new(config, random.next_u64()),
            random,
            keys,
            shards,
            open: BTreeMap::new(),
            armed: Instant::NEVER,
            written: 0,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// The shard of a key.
    fn shard(&self, key: u64) -> ShardId {
        shard_of(format!("key/{key}").as_bytes(), self.shards)
    }

    /// Begins some call.
    pub(super) fn call(&mut self, now: u64, timeout: Duration, history: &mut History) {
        let key = self.random.below(self.keys);
        let action = self.action();
        self.begin(now, key, action, timeout, history);
    }

    /// Begins a read of a key.
    pub(super) fn read(&mut self, now: u64, key: u64, timeout: Duration, history: &mut History) {
        self.begin(now, key, Action::Get, timeout, history);
    }

    fn action(&mut self) -> Action {
        self.written += 1;
        let value = format!("{}.{} ", self.id.0, self.written).into();
        match self.random.below(10) {
            0..=2 => Action::Get,
            3..=5 => Action::Append(value),
            6 | 7 => Action::Put(value),
            8 => Action::Swap {
                expected: None,
                new: Some(value),
            },
            _ => Action::Delete,
        }
    }

    fn begin(
        &mut self,
        now: u64,
        key: u64,
        action: Action,
        timeout: Duration,
        history: &mut History,
    ) {
        let call = match wish(key, &action) {
            Wish::Write(command) => Call::Write(command.encode()),
            Wish::Read(query) => Call::Read(query.encode()),
            Wish::Ask { query, at } => Call::ReadAt {
                query: query.encode(),
                at,
            },
        };
        let called = history.tick();
        let deadline = Instant(now).after(timeout);
        let shard = self.shard(key);
        let id = self.client.call(Instant(now), shard, call, deadline);
        self.open
            .insert(id.expect("few calls are open"), history.operations.len());
        history.operations.push(Operation {
            key,
            action,
            called,
            end: End::Unknown,
            hint: 0,
        });
    }

    /// What the client wants sent; and when it wants to be woken, if earlier than it was asked before.
    pub(super) fn drain(
        &mut self,
        history: &mut History,
    ) -> Result<(Vec<Outgoing>, usize, Option<u64>), Violation> {
        let (mut sends, mut ended) = (Vec::new(), 0);
        while let Some(output) = self.client.poll_output() {
            match output {
                ShardOutput::Send(outgoing) => sends.push(outgoing),
                ShardOutput::Done { call, result } => {
                    let Some(place) = self.open.remove(&call) else {
                        let seen = format!("c{}: {call:?} ended twice", self.id.0);
                        return Err(Violation::new("Every call ends once", seen));
                    };
                    ended += 1;
                    let at = history.tick();
                    let operation = &mut history.operations[place];
                    operation.end = match result {
                        Ok(bytes) => {
                            let reply = kv::Reply::decode(&bytes).ok();
                            let told = reply.as_ref().and_then(answer).ok_or_else(|| {
                                let seen = format!("c{}: no answer of a store", self.id.0);
                                Violation::new("Replies are the store's", seen)
                            })?;
                            history.answered += 1;
                            End::Answered(at, told)
                        }
                        Err(
                            CallError::DeadlineExceeded { outcome }
                            | CallError::SessionExpired { outcome },
                        ) => match outcome {
                            Outcome::Unknown => End::Unknown,
                            // Had it taken effect, nothing would explain what others see of it.
                            Outcome::NotApplied => {
                                operation.action = Action::Get;
                                End::Unknown
                            }
                        },
                        Err(error) => {
                            let seen = format!("c{}: a call ended with {error:?}", self.id.0);
                            return Err(Violation::new("Calls fail only for a reason", seen));
                        }
                    };
                }
            }
        }
        let next = self.client.next_timeout();
        let wake = (next < self.armed).then_some(next.0);
        if wake.is_some() {
            self.armed = next;
        }
        Ok((sends, ended, wake))
    }

    /// The timer fired.
    pub(super) fn timer(&mut self, now: u64) {
        self.armed = Instant::NEVER;
        self.client.timer(Instant(now));
    }
}
