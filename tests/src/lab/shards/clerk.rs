//! Clerks: shipped clients of a sharded store, each with what it has open.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{Call, CallError, CallId, ClientId, Reply};
use quorate_shard::{CONTROLLER, GroupId, ShardClient, ShardClientConfig, ShardId, ShardOutput};
use quorate_sim::checker::linearizability::{Action, Answer, Versioned};
use quorate_sim::workload::{Wish, wish};

use crate::lab::clerk::end_call;
use crate::lab::control::SHARDS;
use crate::lab::shards::{ShardLab, Wake, connection};
use crate::lab::worker::{Form, Keys, Worker};
use crate::lab::{Failure, TIME_MAX};

/// Names a clerk of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClerkId(pub(super) usize);

/// The connection of the first.
const FIRST: u64 = 1;
/// A call may take as long as a test.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client, and what it has open.
pub(super) struct Clerk {
    client: ShardClient,
    armed: Instant,
    open: BTreeMap<CallId, Open>,
    job: Option<Job>,
}

#[derive(Clone, Copy)]
enum Open {
    /// In the history, by its tag.
    Call(u64),
    /// Of which the history knows nothing.
    Asked(usize),
}

/// The work of a clerk, and its pause between two calls.
struct Job {
    worker: Worker,
    pause: u64,
    resting: bool,
}

/// What was asked beside the history, and how it ended.
#[derive(Default)]
pub(super) struct Asked {
    result: Option<Result<Bytes, CallError>>,
}

impl ClerkId {
    /// Its name on connections.
    #[must_use]
    pub fn client(self) -> ClientId {
        connection(FIRST, self.0)
    }
}

impl ShardLab {
    /// A new clerk.
    pub fn clerk(&mut self) -> ClerkId {
        let config = ShardClientConfig::new(self.store.nodes(CONTROLLER), SHARDS);
        self.clerks.push(Clerk {
            client: ShardClient::new(config, self.random.next_u64()),
            armed: Instant::NEVER,
            open: BTreeMap::new(),
            job: None,
        });
        ClerkId(self.clerks.len() - 1)
    }

    /// Begins a call; its tag.
    pub fn begin_call(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<u64, Failure> {
        let tag = self.enqueue(clerk, key, action)?;
        self.drain_clerk(clerk)?;
        Ok(tag)
    }

    fn enqueue(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<u64, Failure> {
        let call = match wish(key, &action) {
            Wish::Write(command) => Call::Write(command.encode()),
            Wish::Read(query) => Call::Read(query.encode()),
            Wish::Ask { query, at } => Call::ReadAt {
                query: query.encode(),
                at,
            },
        };
        let tag = self.history.begin(self.now(), key, action);
        self.hand(clerk, self.shard(key), call, Open::Call(tag))?;
        Ok(tag)
    }

    fn hand(
        &mut self,
        clerk: ClerkId,
        shard: ShardId,
        call: Call,
        what: Open,
    ) -> Result<(), Failure> {
        let now = Instant(self.now());
        let Clerk { client, open, .. } = &mut self.clerks[clerk.0];
        match client.call(now, shard, call, now.after(PATIENCE)) {
            Ok(call) => drop(open.insert(call, what)),
            Err(error) => return Err(self.fail(&error.to_string())),
        }
        Ok(())
    }

    /// Asks a shard for something that is in no history; its number.
    pub fn ask(&mut self, clerk: ClerkId, shard: ShardId, call: Call) -> Result<usize, Failure> {
        self.asked.push(Asked::default());
        let number = self.asked.len() - 1;
        self.hand(clerk, shard, call, Open::Asked(number))?;
        self.drain_clerk(clerk)?;
        Ok(number)
    }

    /// What was told to [`ShardLab::ask`], if anything.
    pub fn told(&self, number: usize) -> Result<Option<kv::Reply>, Failure> {
        match &self.asked[number].result {
            None => Ok(None),
            Some(Ok(bytes)) => match kv::Reply::decode(bytes) {
                Ok(reply) => Ok(Some(reply)),
                Err(_) => Err(self.fail("what was told is no reply of a store")),
            },
            Some(Err(error)) => Err(self.fail(&format!("a question ended: {error}"))),
        }
    }

    /// Has a shard execute a command that is in no history; its reply.
    pub fn execute_in(
        &mut self,
        clerk: ClerkId,
        shard: ShardId,
        command: &kv::Command,
    ) -> Result<kv::Reply, Failure> {
        let number = self.ask(clerk, shard, Call::Write(command.encode()))?;
        self.wait(TIME_MAX, |lab| lab.asked[number].result.is_some())?;
        let told = self.told(number)?;
        told.ok_or_else(|| self.fail("a command is not answered"))
    }

    /// Waits for the end of a call, at most `limit`; what it was told.
    pub fn await_call(&mut self, tag: u64, limit: u64) -> Result<Answer, Failure> {
        self.wait(limit, |lab| lab.history.has_ended(tag))?;
        match self.history.answer(tag) {
            Some(answer) => Ok(answer.clone()),
            None => {
                let (key, action) = self.history.asked(tag);
                let (shard, what) = (self.shard(key), format!("{action:?}"));
                Err(self.fail(&format!("{what} of key {key} in {shard} was not answered")))
            }
        }
    }

    /// Makes a call and waits for its answer.
    pub fn call(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<Answer, Failure> {
        let tag = self.begin_call(clerk, key, action)?;
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
    pub fn check(&mut self, clerk: ClerkId, key: u64, value: &str) -> Result<(), Failure> {
        match self.get(clerk, key)? {
            Some((found, _)) if found == value.as_bytes() => Ok(()),
            found => Err(self.fail(&format!("key {key} holds {found:?}, not {value}"))),
        }
    }

    /// Stores a value.
    pub fn put(&mut self, clerk: ClerkId, key: u64, value: &str) -> Result<(), Failure> {
        self.write(
            clerk,
            key,
            Action::Put(Bytes::copy_from_slice(value.as_bytes())),
        )
    }

    /// Appends to a value.
    pub fn append(&mut self, clerk: ClerkId, key: u64, value: &str) -> Result<(), Failure> {
        self.write(
            clerk,
            key,
            Action::Append(Bytes::copy_from_slice(value.as_bytes())),
        )
    }

    fn write(&mut self, clerk: ClerkId, key: u64, action: Action) -> Result<(), Failure> {
        match self.call(clerk, key, action)? {
            Answer::Written(_) => Ok(()),
            other => Err(self.fail(&format!("a write was answered {other:?}"))),
        }
    }

    /// Sets a new clerk to work, with a pause after each answer.
    pub fn hire(&mut self, number: u64, keys: Keys, pause: u64) -> Result<ClerkId, Failure> {
        let clerk = self.clerk();
        let random = Random::new(self.random.next_u64());
        self.clerks[clerk.0].job = Some(Job {
            worker: Worker::new(number, Form::Appends, keys, random),
            pause,
            resting: true,
        });
        self.work(clerk)?;
        Ok(clerk)
    }

    /// Lets workers end what they have open, within `limit`; what became of them.
    pub fn dismiss(&mut self, clerks: &[ClerkId], limit: u64) -> Result<Vec<Worker>, Failure> {
        for clerk in clerks {
            let job = self.clerks[clerk.0].job.as_mut();
            job.expect("this clerk works").worker.stop();
        }
        let idle = |lab: &Self| {
            clerks
                .iter()
                .all(|clerk| lab.clerks[clerk.0].open.is_empty())
        };
        if !self.wait(limit, idle)? {
            return Err(self.fail("a worker's call does not end"));
        }
        let worker = |clerk: &ClerkId| self.clerks[clerk.0].job.take().expect("it works").worker;
        Ok(clerks.iter().map(worker).collect())
    }

    pub(super) fn clerk_told(
        &mut self,
        client: ClientId,
        group: GroupId,
        from: NodeId,
        replies: Vec<Reply>,
    ) -> Result<(), Failure> {
        let (clerk, now) = (ClerkId((client.0 - FIRST) as usize), Instant(self.now()));
        for reply in replies {
            self.clerks[clerk.0].client.reply(now, group, from, reply);
        }
        self.drain_clerk(clerk)
    }

    pub(super) fn wake_clerk(&mut self, clerk: ClerkId) -> Result<(), Failure> {
        let now = Instant(self.now());
        let Clerk { client, armed, .. } = &mut self.clerks[clerk.0];
        *armed = Instant::NEVER;
        client.timer(now);
        self.drain_clerk(clerk)
    }

    /// A clerk at work begins its next call.
    pub(super) fn work(&mut self, clerk: ClerkId) -> Result<(), Failure> {
        let Some(job) = &mut self.clerks[clerk.0].job else {
            return Ok(());
        };
        let Some((key, action)) = job.worker.ask() else {
            return Ok(());
        };
        job.resting = false;
        self.enqueue(clerk, key, action)?;
        self.drain_clerk(clerk)
    }

    /// Does what a client wants. A worker whose call has ended rests.
    fn drain_clerk(&mut self, clerk: ClerkId) -> Result<(), Failure> {
        while let Some(output) = self.clerks[clerk.0].client.poll_output() {
            match output {
                ShardOutput::Send(outgoing) => self.store.send(clerk.client(), outgoing),
                ShardOutput::Done { call, result } => {
                    let now = self.now();
                    let Clerk { open, job, .. } = &mut self.clerks[clerk.0];
                    match open.remove(&call).ok_or("a call ended twice")? {
                        Open::Asked(number) => self.asked[number].result = Some(result),
                        Open::Call(tag) => {
                            let worker = job.as_mut().map(|job| &mut job.worker);
                            end_call(&mut self.history, worker, now, tag, &result)
                                .map_err(|what| self.fail(&what))?;
                        }
                    }
                }
            }
        }
        let now = self.now();
        let Clerk {
            client,
            armed,
            open,
            job,
        } = &mut self.clerks[clerk.0];
        if let Some(job) = job.as_mut().filter(|job| open.is_empty() && !job.resting) {
            job.resting = true;
            self.store.plan_at(now + job.pause, Wake::Work(clerk.0));
        }
        let next = client.next_timeout();
        if next < *armed {
            *armed = next;
            self.store.plan_at(next.0, Wake::Clerk(clerk.0));
        }
        Ok(())
    }
}
