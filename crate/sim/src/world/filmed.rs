//! A world that is watched, and to which something is done by whoever watches.

use core::time::Duration;

use quorate_kv::{Command, Query, Reply};
use quorate_raft::NodeId;

use super::{Failure, World};
use crate::cluster::filmed::client_number;
use crate::film::rows::Chunk;
use crate::film::words;
use crate::rules::{Tampered, Tampering};
use crate::stage::{Act, Asked, Watched, contradiction};
use crate::trace;
use crate::workload::{User, Wish};

/// Keys that were named have numbers from here on: those that are drawn have one digit.
const NAMED_KEYS: u64 = 1_000;

/// Calls that one client may have open.
const OPEN_MAX: usize = 100;

impl World {
    /// From now on there is a film.
    pub(crate) fn watch(&mut self) {
        self.cluster.watch();
        self.history.keeps_answers = true;
        let told_from = 1 + (self.users.len() as u64) - self.shape.told;
        if let Some(film) = &mut self.cluster.film {
            film.told_from = told_from;
        }
    }

    /// Steps and acts so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Does something. What cannot be done is a refusal; it leaves no trace if that was known before it was tried, and otherwise is an event.
    fn do_act(&mut self, act: &Act) -> Result<(), Failure> {
        self.events += 1;
        self.cluster.at_event(self.events);
        let now = self.cluster.now();
        let mark = self.cluster.trace.mark();
        let runs = matches!(act, Act::Start(id) if self.cluster.is_running(*id));
        let trace = &mut self.cluster.trace;
        trace.event(now, &"-", trace::Event::Act, act.digest(), || {
            act.to_string()
        });
        let (starts, ends) = (self.cluster.starts(), self.cluster.ends());
        self.refused = self.perform(act)?;
        if self.refused.is_some() && (runs || !act.is_known_when_tried()) {
            self.events -= 1;
            self.cluster.at_event(self.events);
            self.cluster.trace.take_back(mark);
            return Ok(());
        }
        if self.shape.notices && (starts, ends) != (self.cluster.starts(), self.cluster.ends()) {
            self.notify()?;
        }
        self.cluster.tell();
        Ok(())
    }

    /// A sentence if it cannot be done.
    fn perform(&mut self, act: &Act) -> Result<Option<String>, Failure> {
        let cluster = &mut self.cluster;
        let nodes = act.nodes();
        if let Some(id) = nodes.iter().find(|id| !cluster.voters().contains(id)) {
            return Ok(Some(format!("there is no {id} in this world")));
        }
        let running = |id: NodeId| cluster.is_running(id);
        let done = |done: bool, sentence: &str| (!done).then(|| sentence.to_owned());
        Ok(match act {
            Act::Crash(id) if !running(*id) => Some(format!("{id} does not run")),
            Act::Crash(id) => {
                cluster.crash(*id)?;
                None
            }
            Act::Start(id) if running(*id) => Some(format!("{id} runs already")),
            Act::Start(id) => {
                cluster.restart(*id)?;
                done(
                    cluster.is_running(*id),
                    "what it has stored cannot be read: it is lost",
                )
            }
            Act::Pause(id) | Act::Freeze(id) if !running(*id) || cluster.is_paused(*id) => {
                Some(format!("{id} does nothing that could stop"))
            }
            Act::Pause(id) => {
                cluster.pause(*id);
                None
            }
            Act::Freeze(id) => {
                cluster.freeze(*id);
                None
            }
            Act::Resume(id) | Act::Thaw(id) if !cluster.is_paused(*id) => {
                Some(format!("{id} does not stand still"))
            }
            Act::Resume(id) => {
                cluster.resume(*id);
                done(!cluster.is_paused(*id), "it is frozen, not paused")
            }
            Act::Thaw(id) => {
                cluster.thaw(*id, false)?;
                None
            }
            Act::Evict(id) => {
                let evicted = cluster.evict(*id)?;
                done(
                    evicted,
                    "one of three or more loses its disk only while all others are whole: or what was promised could be lost",
                )
            }
            Act::TimeOut(_) if self.shape.cluster.node.raft.lease_reads => {
                let sentence = "a timer fires early by a clock that jumps, and leases rest on clocks: choose other reads";
                Some(sentence.to_owned())
            }
            Act::TimeOut(id) => {
                let timed_out = !cluster.is_paused(*id) && cluster.time_out(*id);
                done(timed_out, "it has no election timer now")
            }
            Act::Transfer(id) => {
                let begun = cluster.transfer_leadership(*id)?;
                done(begun, "there is no leader that could hand over to it now")
            }
            Act::Remove(id) => {
                let begun = cluster.remove_member(*id)?;
                done(
                    begun,
                    "a member goes only while there is a leader and all nodes run and vote",
                )
            }
            Act::Demote(id) => {
                let begun = cluster.demote_member(*id)?;
                done(
                    begun,
                    "a vote is taken only while there is a leader and all nodes run and vote",
                )
            }
            Act::Restore => {
                cluster.restore_members()?;
                None
            }
            Act::Cut { from, to } => self.tamper(*from, *to, |link| link.cut = true),
            Act::Mend { from, to } => self.tamper(*from, *to, |link| link.cut = false),
            Act::Slow { from, to, ms } => {
                let delay = ms * 1_000;
                self.tamper(*from, *to, |link| link.delay = delay)
            }
            Act::Lossy { from, to, permille } => {
                self.tamper(*from, *to, |link| link.loss_permille = *permille)
            }
            Act::Heal => {
                cluster.network.heal();
                self.tampered = (Tampered::default(), None);
                self.tell_tampered();
                None
            }
            Act::Lose(flight) => done(
                cluster.lose_flight(*flight),
                "this message is not under way any more",
            ),
            Act::Deliver(flight) => match cluster.hasten(*flight)? {
                Some(occurrence) => {
                    self.live_through(Some(occurrence))?;
                    None
                }
                None => done(false, "this message is not under way any more"),
            },
            Act::Join(_) | Act::Leave(_) => Some("there are no groups in this world".to_owned()),
            Act::Submit | Act::Kill(_) | Act::Hire | Act::Tire(_) => {
                Some("there are no workers in this world".to_owned())
            }
            Act::Call(asked) if self.users[self.told(asked)].open() >= OPEN_MAX => {
                Some(format!("client {} has {OPEN_MAX} calls open", asked.client))
            }
            Act::Call(asked) => {
                self.call_told(asked)?;
                None
            }
        })
    }

    fn tamper(
        &mut self,
        from: NodeId,
        to: NodeId,
        change: impl FnOnce(&mut Tampering),
    ) -> Option<String> {
        if from == to {
            return Some("a link has two ends".to_owned());
        }
        let (tampered, rule) = &mut self.tampered;
        change(tampered.links.entry((from, to)).or_default());
        tampered
            .links
            .retain(|_, link| *link != Tampering::default());
        if let Some(rule) = rule.take() {
            self.cluster.network.remove(rule);
        }
        if !tampered.links.is_empty() {
            *rule = Some(self.cluster.network.add(tampered.clone()));
        }
        self.tell_tampered();
        None
    }

    fn tell_tampered(&mut self) {
        if let Some(film) = &mut self.cluster.film {
            film.tampered.clone_from(&self.tampered.0);
        }
    }

    /// The place of a client among the users.
    fn told(&self, asked: &Asked) -> usize {
        self.users.len() - self.shape.told as usize + asked.client as usize - 1
    }

    fn call_told(&mut self, asked: &Asked) -> Result<(), Failure> {
        let user = self.told(asked);
        let key = self.key_number(&asked.key);
        let (wish, action) = asked.wish();
        let timeout = Duration::from_millis(asked.timeout_ms);
        let now = self.cluster.now();
        let tag =
            self.users[user].call_told(now, wish, vec![(key, action)], timeout, &mut self.history);
        self.trace_call(user, trace::Event::Call, tag);
        self.film_call(user, tag);
        self.drain(user)
    }

    /// The number of a key: those that clients draw have theirs in their name.
    fn key_number(&mut self, key: &str) -> u64 {
        // As clients write it: one digit.
        let drawn = (0..10).find(|number| key == format!("key/{number}"));
        if let Some(number) = drawn {
            return number;
        }
        let known = self.named.iter().position(|named| named == key);
        let at = known.unwrap_or_else(|| {
            self.named.push(key.to_owned());
            self.named.len() - 1
        });
        NAMED_KEYS + at as u64
    }

    pub(super) fn film_call(&mut self, user: usize, tag: u64) {
        let now = self.cluster.now();
        let Some(film) = &mut self.cluster.film else {
            return;
        };
        let (key, text) = match self.history.wish(tag) {
            Wish::Write(command) => (key_of(command), words::command(command)),
            Wish::Read(query) | Wish::Ask { query, .. } => {
                let key = match query {
                    Query::Get { key } => words::text(key),
                    _ => String::new(),
                };
                (key, words::query(query))
            }
        };
        let client = client_number(User::number(self.users[user].id), film.told_from);
        film.called(now, tag, client, key, text);
    }

    pub(super) fn film_end(&mut self, tag: u64, answered: bool) {
        let now = self.cluster.now();
        let reply = self.history.take_answer(tag).filter(|_| answered);
        let Some(film) = &mut self.cluster.film else {
            return;
        };
        let reads = !matches!(self.history.wish(tag), Wish::Write(_));
        let state = match (answered, self.history.is_void(tag)) {
            (true, _) => "answered",
            (false, true) => "notApplied",
            (false, false) => "unknown",
        };
        let reply = reply.as_ref();
        let revision = reply.filter(|_| reads).and_then(revision);
        film.ended(now, tag, state, reply.map(words::reply), revision);
    }

    /// What a client was told when it broke a property.
    pub(super) fn film_untold(&mut self) {
        for tag in self.history.answers_kept() {
            self.film_end(tag, true);
        }
    }
}

impl Watched for World {
    fn events(&self) -> u64 {
        self.events
    }

    fn next_at(&self) -> Option<u64> {
        self.is_under_way()
            .then(|| self.cluster.next_at())
            .flatten()
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.step()?;
        self.go_on()
    }

    fn act(&mut self, act: &Act) -> Result<(), Failure> {
        self.do_act(act)
    }

    fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    fn take_chunk(&mut self) -> Chunk {
        self.cluster.tell();
        let hash = format!("{:016x}", self.cluster.trace.hash());
        let (at, count) = (self.cluster.now(), self.events);
        let film = self.cluster.film.as_mut();
        let mut chunk = film.map_or_else(Chunk::default, |film| core::mem::take(&mut film.chunk));
        (chunk.at, chunk.count, chunk.hash) = (at, count, hash);
        chunk
    }

    fn contradiction(&self) -> Option<Vec<u64>> {
        contradiction(self.history.tagged_operations())
    }

    fn broke(&self) -> Option<u64> {
        self.history.broke
    }
}

/// At which revision a read looked.
fn revision(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Got { revision, .. } | Reply::Range { revision, .. } => Some(*revision),
        _ => None,
    }
}

/// The key that a command is about; empty if there are several.
fn key_of(command: &Command) -> String {
    match command {
        Command::Put { key, .. }
        | Command::Append { key, .. }
        | Command::Delete { key }
        | Command::Increment { key, .. }
        | Command::CompareAndSwap { key, .. } => words::text(key),
        _ => String::new(),
    }
}
