//! Clients of the key-value store: the shipped client, and a user who is up to something with it.

pub(crate) mod draw;
mod history;
mod holder;
mod taker;
mod watcher;

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, ReadAt,
    Reply, Request,
};

use crate::checker::Violation;
use crate::checker::linearizability::{Action, Answer};
use crate::machine::tagged;
use crate::situation::Situation;
use crate::streams::{exponential, weighted};

pub use history::History;
use holder::Holder;
use taker::Taker;
use watcher::Watcher;

/// What was asked of the store.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A change.
    Write(kv::Command),
    /// A question.
    Read(kv::Query),
    /// A question to any node, which answers from its own state.
    Ask {
        /// What.
        query: kv::Query,
        /// At once, or when there is something to say.
        at: ReadAt,
    },
}

impl Wish {
    /// The call of a client; a command gets the name `tag`.
    #[must_use]
    pub fn call(self, tag: u64) -> Call {
        match self {
            Self::Write(command) => Call::Write(tagged(tag, &command.encode())),
            Self::Read(query) => Call::Read(query.encode()),
            Self::Ask { query, at } => Call::ReadAt {
                query: query.encode(),
                at,
            },
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
    /// How many calls of a thousand are of transactions, leases, or the past.
    pub other_permille: u64,
    /// Whether the past is compacted by hand, and by other rules than at first.
    pub compacts: bool,
    /// About how long leases live, in milliseconds.
    pub ttl_ms: u64,
    /// How long a node lets a watch wait.
    pub park_timeout: Duration,
    /// By how much clocks may drift, in millionths.
    pub drift_ppm: u64,
}

impl Habits {
    /// Of someone who asks for single keys, and seldom.
    pub const QUIET: Self = Self {
        keys: 1,
        timeout: Duration::from_secs(2),
        think_mean: 50_000,
        calm: 1,
        read_at: ReadAt::Leader,
        value_bytes: 0,
        other_permille: 0,
        compacts: false,
        ttl_ms: 1_000,
        park_timeout: Duration::from_secs(1),
        drift_ppm: 0,
    };
}

/// What a user is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Anything.
    Anything,
    /// Knowing what happens.
    Watch,
    /// Holding a lock.
    Hold,
    /// Giving to a queue, and taking from it.
    Queue,
    /// Single keys, one at a time: what can be followed by eye.
    Plain,
    /// What it is told.
    Told,
}

#[derive(Debug)]
enum Role {
    Caller,
    Plain,
    Told,
    Watcher(Watcher),
    Holder(Holder),
    Taker(Taker),
}

/// A watch may be asked of so many nodes, one after another, that are gone.
pub const WATCH_ATTEMPTS: u32 = 4;

/// Connections of one user are told apart by what is above.
const USER_BITS: u32 = 16;

/// One client and its user.
#[derive(Debug)]
pub struct User {
    /// Its name on connections.
    pub id: ClientId,
    config: ClientConfig,
    client: Client,
    random: Random,
    habits: Habits,
    role: Role,
    open: BTreeMap<CallId, u64>,
    /// The earliest timer that will still fire.
    armed: Instant,
    /// Who answered last.
    from: NodeId,
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
    /// The user `number` of `nodes`, who has asked nothing yet.
    #[must_use]
    pub fn new(
        number: u64,
        task: Task,
        nodes: &[NodeId],
        mut habits: Habits,
        mut random: Random,
    ) -> Self {
        match task {
            // Some ask seldom, and know little of what went on meanwhile.
            Task::Anything | Task::Queue => {
                habits.think_mean *= weighted(&mut random, &[(3, 1), (1, habits.calm)]);
            }
            Task::Watch | Task::Plain | Task::Told => {}
            // Several signs of life in the time of a lease.
            Task::Hold => habits.think_mean = habits.ttl_ms * 1_000 / 6,
        }
        let mut config = ClientConfig::new(nodes.to_vec());
        config.attempt_timeout =
            Duration::from_millis(weighted(&mut random, &[(1, 200), (2, 1_000)]));
        config.window = weighted(&mut random, &[(1, 1), (3, 512)]);
        config.read_at = habits.read_at;
        config.park_timeout = habits.park_timeout;
        let client = Client::new(config.clone(), random.next_u64());
        let role = match task {
            Task::Anything => Role::Caller,
            Task::Watch => Role::Watcher(Watcher::new(&mut random)),
            Task::Hold => {
                let (ttl_ms, drift_ppm) = (habits.ttl_ms, habits.drift_ppm);
                Role::Holder(Holder::new(number, ttl_ms, drift_ppm, &mut random))
            }
            Task::Queue => Role::Taker(Taker::new(number)),
            Task::Plain => Role::Plain,
            Task::Told => Role::Told,
        };
        Self {
            id: ClientId(number),
            config,
            client,
            random,
            habits,
            role,
            open: BTreeMap::new(),
            armed: Instant::NEVER,
            from: NodeId(0),
        }
    }

    /// The number of the user behind a connection.
    #[must_use]
    pub fn number(id: ClientId) -> u64 {
        id.0 & ((1 << USER_BITS) - 1)
    }

    /// Whether its client wants nothing any more, not even a session.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.client.next_timeout() == Instant::NEVER
    }

    /// Whether it has something to do also when nobody asks for anything new: `revision` is the
    /// store's.
    #[must_use]
    pub fn is_busy(&self, revision: u64) -> bool {
        match &self.role {
            Role::Caller | Role::Plain | Role::Told | Role::Holder(_) => false,
            Role::Watcher(watcher) => !watcher.knows(revision),
            Role::Taker(taker) => !taker.is_settled(),
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

    /// Begins the call that comes next; its tag. A user may have nothing to ask.
    ///
    /// # Errors
    /// What it did without the store breaks a property.
    pub fn call(&mut self, now: u64, history: &mut History) -> Result<Option<u64>, Violation> {
        let random = &mut self.random;
        let (wish, actions) = match &mut self.role {
            Role::Caller => draw::draw(random, &self.habits, &history.store),
            Role::Plain => draw::plain(random, &self.habits),
            Role::Told => return Ok(None),
            Role::Watcher(watcher) => (watcher.next(random), Vec::new()),
            Role::Taker(taker) => (taker.next(random, history), Vec::new()),
            Role::Holder(holder) => match holder.next(now, random, history)? {
                Some(wish) => (wish, Vec::new()),
                None => return Ok(None),
            },
        };
        let mut timeout = self.habits.timeout;
        if let Role::Watcher(_) = self.role {
            timeout += WATCH_ATTEMPTS * self.habits.park_timeout;
        }
        Ok(Some(self.begin(now, wish, actions, timeout, history)))
    }

    /// Whether it does only what it is told.
    #[must_use]
    pub fn is_told(&self) -> bool {
        matches!(self.role, Role::Told)
    }

    /// Begins the call that it is told to make; its tag.
    pub fn call_told(
        &mut self,
        now: u64,
        wish: Wish,
        actions: Vec<(u64, Action)>,
        timeout: Duration,
        history: &mut History,
    ) -> u64 {
        self.begin(now, wish, actions, timeout, history)
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
        self.from = from;
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

    /// Somebody says that a node leads.
    pub fn hint(&mut self, now: u64, node: NodeId) {
        self.client
            .handle(Instant(now), ClientInput::Leads { node });
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
    pub fn drain(&mut self, now: u64, history: &mut History) -> Result<Wants, Violation> {
        let mut wants = Wants::default();
        let mut ended_watch = false;
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => wants.sends.push((to, requests)),
                ClientOutput::Done { call, result } => {
                    let Some(tag) = self.open.remove(&call) else {
                        let seen = format!("c{}: {call:?} ended twice", self.id.0);
                        return Err(Violation::new("Every call ends once", seen));
                    };
                    wants.ended.push((tag, result.is_ok()));
                    let recorded = self.record(now, tag, result, history);
                    if recorded.is_err() {
                        history.broke = Some(tag);
                    }
                    recorded?;
                    ended_watch |= matches!(self.role, Role::Watcher(_));
                }
            }
        }
        if ended_watch && self.random.below(8) == 0 {
            self.reconnect(history);
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
        let tag = history.call(now, wish.clone(), actions);
        let deadline = Instant(now).after(timeout);
        let id = self.client.call(Instant(now), wish.call(tag), deadline);
        self.open.insert(id.expect("few calls are open"), tag);
        tag
    }

    /// The same user over another connection, with another client. Nothing is open.
    fn reconnect(&mut self, history: &mut History) {
        self.id.0 += 1 << USER_BITS;
        self.client = Client::new(self.config.clone(), self.random.next_u64());
        history.store.seen.note(Situation::WatchReconnected);
    }

    fn record(
        &mut self,
        now: u64,
        tag: u64,
        result: Result<Bytes, CallError>,
        history: &mut History,
    ) -> Result<(), Violation> {
        let outcome = match result {
            Ok(bytes) => {
                let reply = history.answer(tag, &bytes)?;
                match &mut self.role {
                    Role::Caller | Role::Plain | Role::Told => {}
                    Role::Watcher(watcher) => {
                        watcher.answered(self.from, &reply, &mut history.store.seen);
                    }
                    Role::Holder(holder) => holder.answered(now, &reply, history)?,
                    Role::Taker(taker) => taker.answered(&reply, history)?,
                }
                return Ok(());
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
pub fn answer(reply: &kv::Reply) -> Option<Answer> {
    let versioned = |hit: &Option<kv::KeyValue>| {
        let hit = hit.as_ref();
        hit.map(|hit| (hit.value.clone(), hit.meta.version))
    };
    Some(match reply {
        kv::Reply::Written { meta } => Answer::Written(meta.version),
        kv::Reply::Incremented { value, meta } => Answer::Sum(*value, meta.version),
        kv::Reply::Deleted { count, .. } => Answer::Removed(*count),
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
