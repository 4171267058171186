//! What clients asked and were told, in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_kv as kv;
use quorate_rsm::Outcome;

use super::{Wish, answer, taker};
use crate::checker::Violation;
use crate::checker::exclusion::Exclusion;
use crate::checker::lease::Clocks;
use crate::checker::linearizability::{Action, End, Operation};
use crate::checker::store::Store;
use crate::checker::taken::Taken;
use crate::machine::Applied;

/// What clients did, in the order in which it happened.
#[derive(Debug)]
pub struct History {
    /// Calls and answers so far.
    events: u64,
    calls: Vec<Recorded>,
    /// What the store must be like.
    pub store: Store,
    /// Who holds the lock.
    pub lock: Exclusion,
    /// Who took what.
    pub taken: Taken,
    /// When commands took effect first, by tag.
    executed: BTreeMap<u64, u64>,
    /// Commands whose client was told that they never take effect.
    never: Vec<u64>,
    /// How many calls ended with an answer.
    pub answered: u64,
    /// How many without one.
    pub failed: u64,
    /// Whether answers are kept until they are taken, for a film.
    pub keeps_answers: bool,
    /// Those, by call.
    kept: BTreeMap<u64, kv::Reply>,
    /// The call whose end broke a property.
    pub broke: Option<u64>,
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
    /// The latest moment that any client knew of when it began.
    since: usize,
    /// When it began, in virtual time.
    asked: u64,
}

impl History {
    /// Nothing was asked yet, in a world with such clocks.
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        Self {
            events: 0,
            calls: Vec::new(),
            store: Store::new(clocks),
            lock: Exclusion::new(clocks.are_true),
            taken: Taken::default(),
            executed: BTreeMap::new(),
            never: Vec::new(),
            answered: 0,
            failed: 0,
            keeps_answers: false,
            kept: BTreeMap::new(),
            broke: None,
        }
    }

    /// What was asked.
    #[must_use]
    pub fn wish(&self, tag: u64) -> &Wish {
        &self.calls[tag as usize - 1].wish
    }

    /// Takes the answer to a call, if it was kept.
    pub fn take_answer(&mut self, tag: u64) -> Option<kv::Reply> {
        self.kept.remove(&tag)
    }

    /// The calls whose answers are kept.
    #[must_use]
    pub fn answers_kept(&self) -> Vec<u64> {
        self.kept.keys().copied().collect()
    }

    /// Whether a call that ended without an answer is known to have had no effect.
    #[must_use]
    pub fn is_void(&self, tag: u64) -> bool {
        self.calls[tag as usize - 1].void
    }

    /// What must be explained. A call without an answer either took effect, and it is known when,
    /// or it did not, and explains nothing.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let operations = self.tagged_operations();
        operations
            .into_iter()
            .map(|(_, operation)| operation)
            .collect()
    }

    /// The same, each with the number of its call.
    #[must_use]
    pub fn tagged_operations(&self) -> Vec<(u64, Operation)> {
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
                    operations.push((tag, operation));
                }
            }
        }
        operations
    }

    /// A command or tick took effect for the first time, by virtual time `now`. Whether its call had
    /// ended before.
    ///
    /// # Errors
    /// It did what it must not.
    pub fn note_executed(&mut self, applied: &Applied, now: u64) -> Result<bool, Violation> {
        let at = self.tick();
        let Some(tag) = applied.tag else {
            self.store.tick(applied.time_ms, now)?;
            return Ok(false);
        };
        self.executed.insert(tag, at);
        let Some(call) = self.calls.get(tag as usize - 1) else {
            return Ok(false);
        };
        if let Wish::Write(command) = &call.wish {
            let times = (call.asked, now);
            self.store.execute(tag, applied.time_ms, times, command)?;
        }
        Ok(call.failed)
    }

    /// Commands that must not have been executed.
    #[must_use]
    pub fn never(&self) -> &[u64] {
        &self.never
    }

    /// What can only be said when all calls have ended, and nobody is about to do anything.
    ///
    /// # Errors
    /// Something is lost.
    pub fn check_end(&mut self) -> Result<(), Violation> {
        let Self { lock, store, .. } = self;
        lock.arrive(u64::MAX, &mut store.seen)?;
        let queue = taker::queue();
        let items = |records: &mut dyn Iterator<Item = &kv::KeyValue>| -> BTreeSet<u64> {
            records.filter_map(taker::item).collect()
        };
        let ever = items(&mut self.store.ever(&queue));
        let left = items(&mut self.store.now(&queue));
        self.taken.check(&ever, &left)
    }

    /// Begins a call; its number, which is also the command's tag.
    pub(super) fn call(&mut self, now: u64, wish: Wish, actions: Vec<(u64, Action)>) -> u64 {
        let called = self.tick();
        let operation = |(key, action)| Operation {
            key,
            action,
            called,
            end: End::Unknown,
            hint: 0,
        };
        let since = match &wish {
            Wish::Write(_) | Wish::Read(_) => self.store.told(),
            Wish::Ask { .. } => 0,
        };
        self.calls.push(Recorded {
            wish,
            operations: actions.into_iter().map(operation).collect(),
            void: false,
            failed: false,
            since,
            asked: now,
        });
        self.calls.len() as u64
    }

    fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    pub(super) fn answer(&mut self, tag: u64, bytes: &Bytes) -> Result<kv::Reply, Violation> {
        let Ok(reply) = kv::Reply::decode(bytes) else {
            let seen = format!("call {tag} was answered {bytes:?}");
            return Err(Violation::new("Replies survive their encoding", seen));
        };
        let at = self.tick();
        self.answered += 1;
        if self.keeps_answers {
            self.kept.insert(tag, reply.clone());
        }
        let recorded = &mut self.calls[tag as usize - 1];
        match (&mut recorded.operations[..], answer(&reply)) {
            ([operation], Some(answer)) => operation.end = End::Answered(at, answer),
            // What a range gave says nothing about one key.
            (operations, _) => operations
                .iter_mut()
                .for_each(|o| o.end = End::Executed(at)),
        }
        match &recorded.wish {
            Wish::Write(_) => self.store.check_write(tag, &reply)?,
            Wish::Read(query) | Wish::Ask { query, .. } => {
                self.store.check_read(query, recorded.since, &reply)?;
            }
        }
        Ok(reply)
    }

    pub(super) fn fail(&mut self, tag: u64, outcome: Outcome) {
        self.failed += 1;
        let recorded = &mut self.calls[tag as usize - 1];
        recorded.failed = true;
        let reads = !matches!(recorded.wish, Wish::Write(_));
        recorded.void = reads || outcome == Outcome::NotApplied;
        if recorded.void && !reads {
            self.never.push(tag);
        }
    }
}
