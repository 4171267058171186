//! Clients of the key-value store: the shipped client, what it asks, and what it was told.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Outcome,
    ReadAt, Reply, Request,
};

use crate::checker::Violation;
use crate::checker::linearizability::{Action, Answer, End, Operation};
use crate::checker::store::Store;
use crate::machine::tagged;
use crate::streams::{between, exponential, weighted};

/// What clients did, in the order in which it happened.
#[derive(Debug, Default)]
pub struct History {
    /// Calls and answers so far.
    events: u64,
    calls: Vec<Recorded>,
    store: Store,
    /// When commands took effect first, by tag.
    executed: BTreeMap<u64, u64>,
    /// Commands whose client was told that they never take effect.
    never: Vec<u64>,
    /// How many calls ended with an answer.
    pub answered: u64,
    /// How many without one.
    pub failed: u64,
}

/// What was asked of the store.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A change.
    Write(kv::Command),
    /// A question.
    Read(kv::Query),
}

impl Wish {
    /// The call of a client; a command gets the name `tag`.
    #[must_use]
    pub fn call(self, tag: u64) -> Call {
        match self {
            Self::Write(command) => Call::Write(tagged(tag, &command.encode())),
            Self::Read(query) => Call::Read(query.encode()),
        }
    }
}

#[derive(Debug)]
struct Recorded {
    wish: Wish,
    /// What it means for single keys.
    operations: Vec<Operation>,
    /// It took no effect: it is no part of what must be explained.
    void: bool,
    /// It ended without an answer.
    failed: bool,
    /// The latest revision that any client knew of when it began.
    since: u64,
}

impl History {
    /// What must be explained. A call without an answer either took effect, and it is known when,
    /// or it did not, and explains nothing.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (tag, recorded) in (1..).zip(&self.calls) {
            let executed = self.executed.get(&tag);
            for operation in &recorded.operations {
                let mut operation = operation.clone();
                operation.hint = executed.copied().unwrap_or(u64::MAX);
                let explains = match (&operation.end, executed) {
                    (End::Unknown, Some(at)) => {
                        operation.end = End::Executed(*at);
                        true
                    }
                    (End::Unknown, None) => false,
                    (End::Answered(..) | End::Executed(_), _) => true,
                };
                if explains && !recorded.void {
                    operations.push(operation);
                }
            }
        }
        operations
    }

    /// The command `tag` took effect for the first time. Whether its call had ended before.
    pub fn note_executed(&mut self, tag: u64) -> bool {
        let at = self.tick();
        self.executed.insert(tag, at);
        if let Some(Wish::Write(command)) = self.calls.get(tag as usize - 1).map(|call| &call.wish)
        {
            self.store.execute(tag, command);
        }
        let call = self.calls.get(tag as usize - 1);
        call.is_some_and(|call| call.failed)
    }

    /// Commands that must not have been executed.
    #[must_use]
    pub fn never(&self) -> &[u64] {
        &self.never
    }

    /// Begins a call; its number, which is also the command's tag.
    fn call(&mut self, wish: Wish, actions: Vec<(u64, Action)>) -> u64 {
        let called = self.tick();
        let operation = |(key, action)| Operation {
            key,
            action,
            called,
            end: End::Unknown,
            hint: 0,
        };
        self.calls.push(Recorded {
            wish,
            operations: actions.into_iter().map(operation).collect(),
            void: false,
            failed: false,
            since: self.store.told(),
        });
        self.calls.len() as u64
    }

    fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    fn answer(&mut self, tag: u64, reply: kv::Reply) -> Result<(), Violation> {
        let at = self.tick();
        self.answered += 1;
        let recorded = &mut self.calls[tag as usize - 1];
        match &recorded.wish {
            Wish::Write(_) => self.store.check_write(tag, &reply)?,
            Wish::Read(query) => self.store.check_read(query, recorded.since, &reply)?,
        }
        match (&mut recorded.operations[..], answer(reply)) {
            ([operation], Some(answer)) => operation.end = End::Answered(at, answer),
            // What a range gave says nothing about one key.
            (operations, _) => operations
                .iter_mut()
                .for_each(|o| o.end = End::Executed(at)),
        }
        Ok(())
    }

    fn fail(&mut self, tag: u64, outcome: Outcome) {
        self.failed += 1;
        let recorded = &mut self.calls[tag as usize - 1];
        recorded.failed = true;
        let reads = matches!(recorded.wish, Wish::Read(_));
        recorded.void = reads || outcome == Outcome::NotApplied;
        if recorded.void && !reads {
            self.never.push(tag);
        }
    }
}

/// What one client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Keys to choose from.
    pub keys: u64,
    /// How long a call may take.
    pub timeout: Duration,
    /// Mean pause between two calls, in microseconds.
    pub think_mean: u64,
    /// How many times longer one client in four pauses.
    pub calm: u64,
    /// Who answers reads.
    pub read_at: ReadAt,
    /// Bytes that values are filled up to, once in a while.
    pub value_bytes: u64,
}

/// One client and its user.
#[derive(Debug)]
pub struct User {
    /// Its name on connections.
    pub id: ClientId,
    client: Client,
    random: Random,
    habits: Habits,
    open: BTreeMap<CallId, u64>,
    /// The earliest timer that will still fire.
    armed: Instant,
}

/// What a user wants from the world.
#[derive(Debug, Default)]
pub struct Wants {
    /// Requests to send.
    pub sends: Vec<(NodeId, Vec<Request>)>,
    /// Wake the client at this time.
    pub timer: Option<u64>,
    /// The calls that ended: tag, and whether with an answer.
    pub ended: Vec<(u64, bool)>,
}

impl User {
    /// A user of `nodes` who has asked nothing yet.
    #[must_use]
    pub fn new(id: ClientId, nodes: &[NodeId], mut habits: Habits, mut random: Random) -> Self {
        // Some ask seldom, and know little of what went on meanwhile.
        habits.think_mean *= weighted(&mut random, &[(3, 1), (1, habits.calm)]);
        let mut config = ClientConfig::new(nodes.to_vec());
        config.attempt_timeout =
            Duration::from_millis(weighted(&mut random, &[(1, 200), (2, 1_000)]));
        config.window = weighted(&mut random, &[(1, 1), (3, 512)]);
        config.read_at = habits.read_at;
        let client = Client::new(config, random.next_u64());
        Self {
            id,
            client,
            random,
            habits,
            open: BTreeMap::new(),
            armed: Instant::NEVER,
        }
    }

    /// Calls that have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How long the user pauses before the next call.
    pub fn pause(&mut self) -> u64 {
        exponential(&mut self.random, self.habits.think_mean)
    }

    /// Begins a random call; its tag.
    pub fn call(&mut self, now: u64, history: &mut History) -> u64 {
        let (wish, actions) = self.draw();
        self.begin(now, wish, actions, self.habits.timeout, history)
    }

    /// Begins a call that must succeed within `timeout`; its tag.
    pub fn call_put(&mut self, now: u64, timeout: Duration, history: &mut History) -> u64 {
        let key = self.random.below(self.habits.keys);
        let action = Action::Put(Bytes::from_static(b"1"));
        self.begin(
            now,
            wish(key, &action),
            vec![(key, action)],
            timeout,
            history,
        )
    }

    /// A node answered.
    pub fn reply(&mut self, now: u64, from: NodeId, reply: Reply) {
        self.client
            .handle(Instant(now), ClientInput::Reply { from, reply });
    }

    /// A node went or came.
    pub fn notice(&mut self, now: u64, node: NodeId, up: bool) {
        let input = if up {
            ClientInput::NodeUp { node }
        } else {
            ClientInput::NodeDown { node }
        };
        self.client.handle(Instant(now), input);
    }

    /// The timer fired that was asked for.
    pub fn timer(&mut self, now: u64) {
        self.armed = Instant::NEVER;
        self.client.handle(Instant(now), ClientInput::TimerFired);
    }

    /// Takes what the client wants, and notes what it was told.
    ///
    /// # Errors
    /// A call ended as none may.
    pub fn drain(&mut self, history: &mut History) -> Result<Wants, Violation> {
        let mut wants = Wants::default();
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => wants.sends.push((to, requests)),
                ClientOutput::Done { call, result } => {
                    let Some(tag) = self.open.remove(&call) else {
                        let seen = format!("c{}: {call:?} ended twice", self.id.0);
                        return Err(Violation::new("Every call ends once", seen));
                    };
                    wants.ended.push((tag, result.is_ok()));
                    self.record(tag, result, history)?;
                }
            }
        }
        let next = self.client.next_timeout();
        if next < self.armed {
            self.armed = next;
            wants.timer = Some(next.0);
        }
        Ok(wants)
    }

    fn begin(
        &mut self,
        now: u64,
        wish: Wish,
        actions: Vec<(u64, Action)>,
        timeout: Duration,
        history: &mut History,
    ) -> u64 {
        let tag = history.call(wish.clone(), actions);
        let deadline = Instant(now).after(timeout);
        let id = self.client.call(Instant(now), wish.call(tag), deadline);
        self.open.insert(id.expect("few calls are open"), tag);
        tag
    }

    fn record(
        &mut self,
        tag: u64,
        result: Result<Bytes, CallError>,
        history: &mut History,
    ) -> Result<(), Violation> {
        let outcome = match result {
            Ok(bytes) => {
                let Ok(reply) = kv::Reply::decode(&bytes) else {
                    let seen = format!("call {tag} was answered {bytes:?}");
                    return Err(Violation::new("Replies survive their encoding", seen));
                };
                return history.answer(tag, reply);
            }
            Err(
                CallError::DeadlineExceeded { outcome } | CallError::SessionExpired { outcome },
            ) => outcome,
            Err(error) => {
                let seen = format!("call {tag} ended with {error:?}");
                return Err(Violation::new("Calls fail only for a reason", seen));
            }
        };
        history.fail(tag, outcome);
        Ok(())
    }

    /// A random wish, and what it means for single keys.
    fn draw(&mut self) -> (Wish, Vec<(u64, Action)>) {
        let random = &mut self.random;
        let fill = self.habits.value_bytes;
        let digits = |random: &mut Random| {
            let mut text = between(random, 1, 99).to_string();
            if fill > 0 && random.below(4) == 0 {
                let len = random.below(fill) as usize;
                text.extend(core::iter::repeat_n('0', len));
            }
            Bytes::from(text)
        };
        let key = random.below(self.habits.keys);
        let end = random.below(self.habits.keys + 1);
        let action = match weighted(
            random,
            &[
                (30, 0),
                (15, 1),
                (20, 2),
                (10, 3),
                (10, 4),
                (5, 5),
                (10, 6),
                (3, 7),
            ],
        ) {
            0 => Action::Get,
            1 => Action::Put(digits(random)),
            2 => Action::Append(digits(random)),
            3 => {
                let expected = (random.below(2) == 0).then(|| Bytes::from_static(b"1"));
                let new = (random.below(4) > 0).then(|| Bytes::from_static(b"1"));
                Action::Swap { expected, new }
            }
            4 => Action::Increment(between(random, 1, 9) as i64),
            5 => Action::Delete,
            6 => {
                let projections = [
                    kv::Projection::Records,
                    kv::Projection::Keys,
                    kv::Projection::Count,
                ];
                let query = kv::Query::Range {
                    range: kv::KeyRange::between(name(key), name(end)),
                    limit: random.below(4),
                    projection: projections[random.below(3) as usize],
                };
                return (Wish::Read(query), Vec::new());
            }
            _ => {
                let range = kv::KeyRange::between(name(key), name(end));
                let actions = (key..end).map(|key| (key, Action::Delete)).collect();
                return (Wish::Write(kv::Command::DeleteRange { range }), actions);
            }
        };
        (wish(key, &action), vec![(key, action)])
    }
}

/// Keys have one digit, so that their order is that of their numbers.
fn name(key: u64) -> Bytes {
    Bytes::from(format!("key/{key}"))
}

/// What `action` on the key number `key` asks of the store.
#[must_use]
pub fn wish(key: u64, action: &Action) -> Wish {
    let key = name(key);
    Wish::Write(match action.clone() {
        Action::Get => return Wish::Read(kv::Query::Get { key }),
        Action::Put(value) => kv::Command::Put { key, value },
        Action::Append(value) => kv::Command::Append { key, value },
        Action::Swap { expected, new } => {
            let expected = expected.map_or(kv::Expected::Absent, kv::Expected::Value);
            kv::Command::CompareAndSwap { key, expected, new }
        }
        Action::Increment(by) => kv::Command::Increment { key, by },
        Action::Delete => kv::Command::Delete { key },
    })
}

/// What a reply says of one key; `None` if it speaks of many.
#[must_use]
pub fn answer(reply: kv::Reply) -> Option<Answer> {
    let versioned = |hit: Option<kv::KeyValue>| hit.map(|hit| (hit.value, hit.meta.version));
    Some(match reply {
        kv::Reply::Written { meta } => Answer::Written(meta.version),
        kv::Reply::Incremented { value, meta } => Answer::Sum(value, meta.version),
        kv::Reply::Deleted { count, .. } => Answer::Removed(count),
        kv::Reply::Mismatch { current, .. } => Answer::Mismatch(versioned(current)),
        kv::Reply::Got { record, .. } => Answer::Value(versioned(record)),
        kv::Reply::Failed(_) => Answer::Refused,
        kv::Reply::Range { .. }
        | kv::Reply::Put { .. }
        | kv::Reply::Removed { .. }
        | kv::Reply::Txn { .. }
        | kv::Reply::Lease { .. }
        | kv::Reply::Leases { .. }
        | kv::Reply::Compacted { .. }
        | kv::Reply::Changes { .. } => return None,
    })
}
