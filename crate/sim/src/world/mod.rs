//! One seed, one world: a cluster, its clients, and a nemesis, from the first event to the verdict.
//!
//! First the clients work while faults come and go. Then the faults stop, and the world must become
//! live within a bound: one leader, every call answered, every node with the same state. Then it
//! must stay so. At last all that clients saw is explained by one linearizable store.

mod course;
mod end;
mod filmed;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use quorate_kv::Kv;
use quorate_raft::{NodeId, Raft, Random, Status};

use crate::checker::Violation;
use crate::cluster::{Cluster, Occurrence};
use crate::fault::Counts;
use crate::nemesis::Nemesis;
use crate::network::{Address, RuleId};
use crate::rules::Tampered;
use crate::shape::Shape;
use crate::situation::{Sightings, Situation};
use crate::streams::{Concern, Streams, chance, exponential, weighted};
use crate::trace;
use crate::workload::{Habits, History, Task, User};
use course::Course;

/// Why a world failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something happened that never may.
    Safety(Violation),
    /// Something did not happen in time.
    Liveness(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safety(violation) => write!(f, "safety: {violation}"),
            Self::Liveness(what) => write!(f, "liveness: {what}"),
        }
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self::Safety(violation)
    }
}

/// What a world was, for the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hash of the trace.
    pub hash: u64,
    /// Events in it.
    pub events: u64,
    /// Virtual time, in microseconds.
    pub time: u64,
    /// Calls that ended with an answer.
    pub answered: u64,
    /// Calls that ended without one.
    pub failed: u64,
    /// Commands executed.
    pub commands: u64,
    /// The highest term.
    pub terms: u64,
    /// From the last fault to agreement, in microseconds.
    pub recovery: u64,
    /// Faults that came, by kind.
    pub faults: Counts,
    /// Faults that were drawn: they are numbered from one.
    pub drawn: u64,
    /// Situations that came up.
    pub sightings: Sightings,
    /// Starts of nodes, the first included.
    pub starts: u64,
    /// Times a machine was replaced by a leader's snapshot.
    pub restores: u64,
    /// Parts of rounds that were found at the end of a file, and dropped.
    pub torn: u64,
    /// Frames lost, dropped by a rule, or delivered twice.
    pub network: crate::network::Counters,
}

#[derive(Clone, Copy, Debug)]
enum Wake {
    Client(usize),
    NextCall(usize),
    Fault,
    GoOn(u64),
    Look,
    Hint { user: usize, node: NodeId },
}

/// Users have smaller numbers.
const USERS_MAX: u64 = 1 << 16;

impl Wake {
    /// The name under which the cluster wakes the world.
    fn token(self) -> u64 {
        let (kind, value) = match self {
            Self::Client(user) => (0, user as u64),
            Self::NextCall(user) => (1, user as u64),
            Self::Fault => (2, 0),
            Self::GoOn(number) => (3, number),
            Self::Look => (4, 0),
            Self::Hint { user, node } => (5, node.0 * USERS_MAX + user as u64),
        };
        value << 3 | kind
    }

    /// What was meant by a name.
    fn of(token: u64) -> Self {
        let value = token >> 3;
        match token & 7 {
            0 => Self::Client(value as usize),
            1 => Self::NextCall(value as usize),
            2 => Self::Fault,
            3 => Self::GoOn(value),
            4 => Self::Look,
            _ => Self::Hint {
                user: (value % USERS_MAX) as usize,
                node: NodeId(value / USERS_MAX),
            },
        }
    }
}

/// How often a world looks whether it is live yet, in microseconds.
const LOOK_EVERY: u64 = 20_000;

/// Steps of nodes in a world with at most half an hour of faults. Most have a hundredth: a timer that
/// fires without end is found.
const STEPS_MAX: u64 = 3_000_000;
/// And for each further second.
const STEPS_PER_SECOND: u64 = 10_000;

/// A world under way.
pub struct World {
    shape: Shape,
    cluster: Cluster<Kv>,
    users: Vec<User>,
    history: History,
    nemesis: Nemesis,
    /// Who hears of a leader, when, and of which.
    hints: Random,
    /// Commands whose execution the history knows.
    executed: usize,
    /// Nodes that run, as far as clients were told.
    noticed: Vec<NodeId>,
    /// The faults have stopped.
    calm: bool,
    /// Puts begun after that, one for each client, until one has an answer.
    proofs: BTreeMap<u64, usize>,
    /// From the last fault to agreement, in microseconds.
    recovery: Option<u64>,
    /// Steps and acts so far.
    events: u64,
    /// What is to come if it is lived to its end.
    course: Option<Course>,
    /// Keys that those who were told named, in order.
    named: Vec<String>,
    /// The links that somebody tampered with, and the rule that says so.
    tampered: (Tampered, Option<RuleId>),
    /// What was asked and could not be done.
    refused: Option<String>,
}

impl World {
    /// The world of `shape`, before its first event.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let streams = Streams::new(shape.cluster.seed);
        let cluster = Cluster::new(shape.cluster.clone());
        let habits = Habits {
            keys: shape.keys,
            timeout: shape.call_timeout,
            think_mean: shape.think_mean,
            calm: shape.calm,
            read_at: shape.read_at,
            value_bytes: shape.value_bytes,
            other_permille: shape.other_permille,
            compacts: shape.compacts,
            ttl_ms: shape.ttl_ms,
            park_timeout: shape.cluster.node.park_timeout,
            drift_ppm: shape.cluster.clock.drift_ppm,
        };
        let tasks = [
            (
                shape.clients,
                if shape.scene {
                    Task::Plain
                } else {
                    Task::Anything
                },
            ),
            (shape.watchers, Task::Watch),
            (shape.holders, Task::Hold),
            (shape.takers, Task::Queue),
            (shape.told, Task::Told),
        ];
        let tasks = tasks
            .into_iter()
            .flat_map(|(count, task)| (0..count).map(move |_| task));
        let user = |(number, task)| {
            let random = streams.stream(Concern::Workload, number);
            User::new(number, task, cluster.voters(), habits, random)
        };
        let users = (1..).zip(tasks).map(user).collect();
        let random = streams.stream(Concern::Nemesis, 0);
        let hints = streams.stream(Concern::Hints, 0);
        let election = micros(shape.cluster.node.raft.election_timeout);
        let (kinds, mute) = (shape.faults.clone(), shape.mute.clone());
        let nemesis = Nemesis::new(random, kinds, shape.fault_mean, election, mute);
        Self {
            cluster,
            users,
            nemesis,
            hints,
            history: History::new(shape.clocks()),
            executed: 0,
            noticed: Vec::new(),
            calm: false,
            proofs: BTreeMap::new(),
            recovery: None,
            events: 0,
            course: None,
            named: Vec::new(),
            tampered: (Tampered::default(), None),
            refused: None,
            shape,
        }
    }

    /// The lines of the trace so far, if they are kept.
    pub fn take_lines(&mut self) -> String {
        self.cluster.trace.take_lines()
    }

    /// Lives the world to its end.
    ///
    /// # Errors
    /// What went wrong first.
    pub fn run(&mut self) -> Result<Summary, Failure> {
        self.set_out()?;
        while self.is_under_way() {
            self.step()?;
            self.go_on()?;
        }
        Ok(Summary {
            recovery: self.recovery.unwrap_or_default(),
            ..self.summary()
        })
    }

    /// Starts the nodes, and plans what comes by itself.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        for id in self.cluster.voters().to_vec() {
            self.cluster.start(id)?;
        }
        self.noticed = self.running();
        let told = self.users.len() - self.shape.told as usize;
        for user in 0..told {
            let callers = self.callers();
            let pipeline = if callers.contains(&user) {
                self.shape.pipeline
            } else {
                1
            };
            (0..pipeline).for_each(|_| self.plan_call(user));
        }
        if !self.shape.faults.is_empty() {
            let pause = self.nemesis.pause();
            self.wake_in(pause, Wake::Fault);
        }
        self.cluster.tell();
        Ok(())
    }

    /// What the world was.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let trace = &self.cluster.trace;
        let terms = self
            .statuses()
            .into_iter()
            .flatten()
            .map(|status| status.term.0)
            .max();
        Summary {
            hash: trace.hash(),
            events: trace.events(),
            time: self.cluster.now(),
            answered: self.history.answered,
            failed: self.history.failed,
            commands: self.cluster.state.applied().len() as u64,
            terms: terms.unwrap_or_default(),
            faults: self.faults(),
            drawn: self.nemesis.drawn(),
            sightings: self.cluster.observer.sightings().clone(),
            starts: self.cluster.starts(),
            restores: self.cluster.restores(),
            torn: self.cluster.torn(),
            network: self.cluster.network.counters,
            ..Summary::default()
        }
    }

    fn faults(&self) -> Counts {
        let mut faults = self.cluster.counts();
        for (kind, count) in &self.nemesis.counts {
            *faults.entry(*kind).or_default() += count;
        }
        faults.retain(|_, count| *count > 0);
        faults
    }

    fn step(&mut self) -> Result<(), Failure> {
        let (steps, now) = (self.cluster.steps(), self.cluster.now());
        if steps > STEPS_MAX.max(self.shape.torment / 1_000_000 * STEPS_PER_SECOND) {
            return Err(Failure::Liveness(format!("{steps} steps in {now} µs")));
        }
        self.events += 1;
        self.cluster.at_event(self.events);
        let (starts, ends) = (self.cluster.starts(), self.cluster.ends());
        let occurrence = self.cluster.step()?;
        self.live_through(occurrence)?;
        if self.shape.notices && (starts, ends) != (self.cluster.starts(), self.cluster.ends()) {
            self.notify()?;
        }
        self.cluster.tell();
        Ok(())
    }

    /// What an event means to clients and checkers.
    fn live_through(&mut self, occurrence: Option<Occurrence>) -> Result<(), Failure> {
        match occurrence {
            Some(Occurrence::Wake(token)) => self.wake(Wake::of(token))?,
            Some(Occurrence::Replies {
                client,
                from,
                replies,
            }) => {
                let (now, user) = (self.cluster.now(), User::number(client) as usize - 1);
                // Not over a connection that is gone.
                if self.users[user].id == client {
                    replies
                        .into_iter()
                        .for_each(|reply| self.users[user].reply(now, from, reply));
                    self.drain(user)?;
                }
            }
            Some(Occurrence::Internal) | None => {}
        }
        let now = self.cluster.now();
        for applied in self.cluster.state.applied().news(self.executed) {
            if self.history.note_executed(applied, now)? {
                let observer = &mut self.cluster.observer;
                observer.note(Situation::ExecutedAfterItsDeadline);
            }
            self.executed += 1;
            if let Some(film) = &mut self.cluster.film {
                film.revised(now, self.history.store.revision());
                applied
                    .tag
                    .into_iter()
                    .for_each(|tag| film.executed(now, tag));
            }
        }
        let answers = self.cluster.take_own_answers();
        self.history.store.check_own(&answers)?;
        let observer = &mut self.cluster.observer;
        let seen = self.history.store.seen.take();
        seen.for_each(|situation| observer.note(situation));
        if let Some(leader) = self.cluster.take_told_leader() {
            self.spread(leader);
        }
        Ok(())
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Failure> {
        let now = self.cluster.now();
        match wake {
            Wake::Client(user) => {
                self.users[user].timer(now);
                self.drain(user)
            }
            Wake::NextCall(user) if !self.calm => self.call(user),
            Wake::Fault if !self.calm => {
                if let Some((at, number)) = self.nemesis.begin(&mut self.cluster)? {
                    self.wake_in(at - now, Wake::GoOn(number));
                }
                let pause = self.nemesis.pause();
                self.wake_in(pause, Wake::Fault);
                Ok(())
            }
            Wake::GoOn(number) => {
                if let Some(at) = self.nemesis.advance(&mut self.cluster, number)? {
                    self.wake_in(at - now, Wake::GoOn(number));
                }
                Ok(())
            }
            Wake::Hint { user, node } => {
                let leads = self.cluster.raft(node).is_some_and(Raft::is_leader);
                self.cluster.observer.note(match leads {
                    true => Situation::HeardOfLeader,
                    false => Situation::HeardOfWrongLeader,
                });
                self.trace_user(user, trace::Event::Hint, node.0, || node.to_string());
                self.users[user].hint(now, node);
                self.drain(user)
            }
            Wake::NextCall(_) | Wake::Fault | Wake::Look => Ok(()),
        }
    }

    /// A user makes its next call, or does something without one.
    fn call(&mut self, user: usize) -> Result<(), Failure> {
        let now = self.cluster.now();
        let Some(tag) = self.users[user].call(now, &mut self.history)? else {
            self.plan_call(user);
            return Ok(());
        };
        self.trace_call(user, trace::Event::Call, tag);
        self.film_call(user, tag);
        self.drain(user)
    }

    /// Does what a client wants, and plans its next call where one has ended.
    fn drain(&mut self, user: usize) -> Result<(), Failure> {
        let (now, id) = (self.cluster.now(), self.users[user].id);
        let wants = self.users[user].drain(now, &mut self.history);
        if wants.is_err() {
            self.film_untold();
        }
        let wants = wants?;
        for (to, requests) in wants.sends {
            self.cluster.send_requests(id, to, requests);
        }
        if let Some(at) = wants.timer {
            self.wake_in(at - self.cluster.now().min(at), Wake::Client(user));
        }
        for (tag, answered) in wants.ended {
            self.trace_call(user, trace::Event::Done, tag << 1 | u64::from(answered));
            if !answered {
                self.note_failed(tag);
            }
            self.film_end(tag, answered);
            if !self.calm {
                if !self.users[user].is_told() {
                    self.plan_call(user);
                }
            } else if self.proofs.remove(&tag).is_some() && !answered {
                self.prove(user);
                return self.drain(user);
            }
        }
        Ok(())
    }

    fn note_failed(&mut self, tag: u64) {
        let executed = self.cluster.state.applied().index_of(tag).is_some();
        let observer = &mut self.cluster.observer;
        if executed {
            observer.note(Situation::ExecutedUnheard);
        }
        if self.history.never().last() == Some(&tag) {
            observer.note(Situation::KnownNotApplied);
        }
    }

    fn plan_call(&mut self, user: usize) {
        let pause = self.users[user].pause();
        self.wake_in(pause, Wake::NextCall(user));
    }

    fn wake_in(&mut self, pause: u64, wake: Wake) {
        self.cluster
            .wake_at(self.cluster.now() + pause, wake.token());
    }

    fn running(&self) -> Vec<NodeId> {
        let voters = self.cluster.voters().iter().copied();
        voters.filter(|id| self.cluster.is_running(*id)).collect()
    }

    /// Tells the clients which nodes went or came.
    fn notify(&mut self) -> Result<(), Failure> {
        let (now, after) = (self.cluster.now(), self.running());
        let before = core::mem::replace(&mut self.noticed, after.clone());
        if before == after {
            return Ok(());
        }
        for user in 0..self.users.len() {
            for &id in self.cluster.voters() {
                let up = after.contains(&id);
                if up != before.contains(&id) {
                    self.users[user].notice(now, id, up);
                }
            }
            self.drain(user)?;
        }
        Ok(())
    }

    /// A node says who leads. Some clients hear of it, some of them late, and some hear of another.
    fn spread(&mut self, leader: NodeId) {
        let late_mean = micros(self.shape.cluster.node.raft.election_timeout) / 4;
        for user in 0..self.users.len() - self.shape.told as usize {
            let (random, voters) = (&mut self.hints, self.cluster.voters());
            if chance(random, self.shape.hints_permille) {
                let anyone = voters[random.below(voters.len() as u64) as usize];
                let node = weighted(random, &[(7, leader), (1, anyone)]);
                let late = exponential(random, late_mean);
                self.wake_in(late, Wake::Hint { user, node });
            }
        }
    }

    /// Those who call for anything.
    fn callers(&self) -> core::ops::Range<usize> {
        0..self.shape.clients as usize
    }

    fn statuses(&self) -> Vec<Option<Status>> {
        let status = |id| self.cluster.raft(id).map(|raft| raft.status());
        self.cluster.survivors().map(status).collect()
    }

    fn trace_call(&mut self, user: usize, event: trace::Event, value: u64) {
        self.trace_user(user, event, value, || match event {
            trace::Event::Done if value & 1 == 1 => format!("call {} answered", value >> 1),
            trace::Event::Done => format!("call {} failed", value >> 1),
            _ => format!("call {value}"),
        });
    }

    fn trace_user(
        &mut self,
        user: usize,
        event: trace::Event,
        value: u64,
        text: impl FnOnce() -> String,
    ) {
        let (now, id) = (self.cluster.now(), self.users[user].id);
        let trace = &mut self.cluster.trace;
        trace.event(now, &Address::Client(id), event, value, text);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
