//! A user of a sharded store, its client, and what it asked and was told.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Call, CallError, CallId, ClientId, Outcome};
use quorate_shard::{Outgoing, ShardClient, ShardClientConfig, ShardId, ShardOutput, shard_of};

use super::holder::Holder;
use super::shape::ShardShape;
use super::watcher::Watcher;
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
    shape: Habits,
    role: Role,
    /// And of a call that a checker of keys has to explain, its place in the history.
    open: BTreeMap<CallId, Option<usize>>,
    armed: Instant,
    written: u64,
}

/// What a user is up to.
pub(super) enum Role {
    /// Anything, with single keys.
    Caller,
    /// Keeping a lease in this shard.
    Holder(ShardId, Holder),
    /// Knowing what happens in it.
    Watcher(ShardId, Watcher),
}

struct Habits {
    keys: u64,
    shards: u32,
    value_bytes: usize,
}

/// What became of a user's calls.
#[derive(Default)]
pub(super) struct Drained {
    pub(super) sends: Vec<Outgoing>,
    /// Calls that ended.
    pub(super) ended: u64,
    /// When the client wants to be woken, if earlier than it was asked before.
    pub(super) wake: Option<u64>,
    /// A lease ended.
    pub(super) lease_ended: Option<ShardId>,
}

impl User {
    /// The user `number`: the first ones keep leases, then some watch, and all others call.
    pub(super) fn new(
        number: u64,
        controllers: Vec<NodeId>,
        shape: &ShardShape,
        mut random: Random,
    ) -> Self {
        let mut config = ShardClientConfig::new(controllers, shape.shards);
        config.client.attempt_timeout = Duration::from_millis(300);
        let key = random.below(shape.keys);
        let shard = shard_of_key(key, shape.shards);
        let role = if number <= shape.holders {
            let name = format!("{{{}}}held/{number}", name(key));
            Role::Holder(shard, Holder::new(name, shape.ttl_ms))
        } else if number <= shape.holders + shape.watchers {
            Role::Watcher(shard, Watcher::new())
        } else {
            Role::Caller
        };
        Self {
            id: ClientId(number),
            client: ShardClient::new(config, random.next_u64()),
            random,
            shape: Habits {
                keys: shape.keys,
                shards: shape.shards,
                value_bytes: shape.value_bytes,
            },
            role,
            open: BTreeMap::new(),
            armed: Instant::NEVER,
            written: 0,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    /// Begins some call.
    pub(super) fn call(&mut self, now: u64, timeout: Duration, history: &mut History) {
        let wish = match &mut self.role {
            Role::Caller => {
                let key = self.random.below(self.shape.keys);
                return self.ask_for(now, key, timeout, history);
            }
            Role::Holder(shard, holder) => (*shard, holder.next(now, &mut self.random)),
            Role::Watcher(shard, watcher) => (*shard, watcher.next()),
        };
        self.ask(now, wish, timeout);
    }

    /// Begins some call for this key.
    pub(super) fn ask_for(&mut self, now: u64, key: u64, timeout: Duration, history: &mut History) {
        let action = self.action(key);
        self.begin(now, key, action, timeout, history);
    }

    /// Asks once more for everything, when nobody writes any more.
    pub(super) fn read_all(&mut self, now: u64, timeout: Duration, history: &mut History) {
        match &mut self.role {
            Role::Caller => {
                for key in 0..self.shape.keys {
                    self.begin(now, key, Action::Get, timeout, history);
                }
            }
            Role::Holder(shard, holder) => {
                let wish = (*shard, holder.look(now));
                self.ask(now, wish, timeout);
            }
            Role::Watcher(..) => {}
        }
    }

    /// Every third key is a counter.
    fn action(&mut self, key: u64) -> Action {
        self.written += 1;
        let is_counter = key % 3 == 2;
        let choice = self.random.below(10);
        let mut value = format!("{}.{} ", self.id.0, self.written);
        match choice {
            0..=2 => Action::Get,
            3..=7 if is_counter => Action::Increment(1),
            3..=5 => Action::Append(value.into()),
            6 | 7 => {
                if self.random.below(4) == 0 {
                    value.extend(core::iter::repeat_n('.', self.shape.value_bytes));
                }
                Action::Put(value.into())
            }
            8 if !is_counter => Action::Swap {
                expected: None,
                new: Some(value.into()),
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
        let called = history.tick();
        let shard = shard_of_key(key, self.shape.shards);
        let id = self.ask(now, (shard, wish(key, &action)), timeout);
        self.open.insert(id, Some(history.operations.len()));
        history.operations.push(Operation {
            key,
            action,
            called,
            end: End::Unknown,
            hint: 0,
        });
    }

    fn ask(&mut self, now: u64, (shard, wish): (ShardId, Wish), timeout: Duration) -> CallId {
        let call = match wish {
            Wish::Write(command) => Call::Write(command.encode()),
            Wish::Read(query) => Call::Read(query.encode()),
            Wish::Ask { query, at } => Call::ReadAt {
                query: query.encode(),
                at,
            },
        };
        let deadline = Instant(now).after(timeout);
        let id = self.client.call(Instant(now), shard, call, deadline);
        let id = id.expect("few calls are open");
        self.open.insert(id, None);
        id
    }

    /// What came of the client since it was asked last.
    pub(super) fn drain(&mut self, now: u64, history: &mut History) -> Result<Drained, Violation> {
        let mut drained = Drained::default();
        while let Some(output) = self.client.poll_output() {
            match output {
                ShardOutput::Send(outgoing) => drained.sends.push(outgoing),
                ShardOutput::Done { call, result } => {
                    let Some(place) = self.open.remove(&call) else {
                        let seen = format!("c{}: {call:?} ended twice", self.id.0);
                        return Err(Violation::new("Every call ends once", seen));
                    };
                    drained.ended += 1;
                    let told = self.told(result)?;
                    match place {
                        Some(place) => self.explain(place, told, history)?,
                        None => self.answered(now, told, &mut drained)?,
                    }
                }
            }
        }
        let next = self.client.next_timeout();
        drained.wake = (next < self.armed).then_some(next.0);
        self.armed = self.armed.min(next);
        Ok(drained)
    }

    /// The store's reply, or what is known of a call without.
    fn told(
        &self,
        result: Result<Bytes, CallError>,
    ) -> Result<Result<kv::Reply, Outcome>, Violation> {
        match result {
            Ok(bytes) => match kv::Reply::decode(&bytes) {
                Ok(reply) => Ok(Ok(reply)),
                Err(_) => Err(self.no_answer()),
            },
            Err(CallError::DeadlineExceeded { outcome }) => Ok(Err(outcome)),
            // Sessions are few and live long: none ends in a world, wherever its shard goes.
            Err(error) => {
                let seen = format!("c{}: a call ended with {error:?}", self.id.0);
                Err(Violation::new("Calls fail only for a reason", seen))
            }
        }
    }

    fn no_answer(&self) -> Violation {
        let seen = format!("c{}: no answer of a store", self.id.0);
        Violation::new("Replies are the store's", seen)
    }

    /// A call with a single key ended.
    fn explain(
        &self,
        place: usize,
        told: Result<kv::Reply, Outcome>,
        history: &mut History,
    ) -> Result<(), Violation> {
        let at = history.tick();
        let operation = &mut history.operations[place];
        match told {
            Ok(reply) => {
                let told = answer(&reply).ok_or_else(|| self.no_answer())?;
                operation.end = End::Answered(at, told);
                history.answered += 1;
            }
            Err(Outcome::Unknown) => {}
            // Had it taken effect, nothing would explain what others see of it.
            Err(Outcome::NotApplied) => operation.action = Action::Get,
        }
        Ok(())
    }

    /// A call of a holder or a watcher ended.
    fn answered(
        &mut self,
        now: u64,
        told: Result<kv::Reply, Outcome>,
        drained: &mut Drained,
    ) -> Result<(), Violation> {
        let Ok(reply) = told else {
            return Ok(());
        };
        match &mut self.role {
            Role::Caller => {}
            Role::Holder(shard, holder) => {
                let is_over = holder.answered(now, &reply)?;
                drained.lease_ended = is_over.then_some(*shard);
            }
            Role::Watcher(_, watcher) => watcher.answered(reply)?,
        }
        Ok(())
    }

    /// The timer fired.
    pub(super) fn timer(&mut self, now: u64) {
        self.armed = Instant::NEVER;
        self.client.timer(Instant(now));
    }
}

/// Where a key is.
pub(super) fn shard_of_key(key: u64, shards: u32) -> ShardId {
    shard_of(name(key).as_bytes(), shards)
}

fn name(key: u64) -> String {
    format!("key/{key}")
}
