//! What the key-value store must answer: a second, dumber store, which executes the same commands
//! and ticks in the same order and keeps every state that ever was.
//!
//! A write must be answered as this one answered it. A read must show one moment, the state after one
//! command or tick, and none older than any client knew of when the read began. A node that answers
//! from its own state ([`quorate_rsm::ReadAt::Local`] and `Watch`) may lag by any amount, but from one
//! answer to the next of one run it never goes back; across a restart it may, for it applies its log
//! again from its snapshot on. What a client is told that way is known to it like any other answer.

mod answer;
mod execute;
mod past;
mod retention;
#[cfg(test)]
mod tests;

use core::fmt;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Changes, Code, Command, KeyRange, KeyValue, Query, RangeOptions, Reply, Watch};
use quorate_raft::NodeId;

use crate::by_node::ByNode;
use crate::checker::Violation;
use crate::checker::lease::{self, Clocks, Leases};
use crate::film::words;
use crate::situation::Situation;

use execute::Context;
pub use past::{Draft, Past};
use retention::Retention;

/// How many leases end before one command, at most; and none further after so many keys.
const ENDS_MAX: usize = 16;
const ENDED_KEYS_MAX: u64 = 256;
/// Of how many old revisions the whole state is looked at in the end.
const REVISIONS_LOOKED_AT: u64 = 16;

/// The store.
#[derive(Debug)]
pub struct Store {
    past: Past,
    /// After each command and tick; the first is before all of them.
    moments: Vec<Moment>,
    leases: Leases,
    retention: Retention,
    clocks: Clocks,
    /// By the command's name, with the moment that it made.
    replies: BTreeMap<u64, (usize, Reply)>,
    /// The latest moment that a client knows of.
    told: usize,
    /// The run of a node, and the latest moment that it is known to have come to.
    shown: ByNode<(u64, usize)>,
    /// What came up.
    pub seen: Seen,
}

/// A state, beside the keys and leases.
#[derive(Clone, Copy, Debug)]
struct Moment {
    time_ms: u64,
    revision: u64,
    compacted: u64,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} at {} ms", self.revision, self.time_ms)
    }
}

/// An answer, and what it should have been.
fn otherwise(reply: &Reply, expected: Option<&Reply>) -> String {
    let (told, expected) = (words::reply(reply), expected.map(words::reply));
    match expected {
        // Short words leave out what belongs to a record beside its value.
        Some(expected) if expected == told => format!("{reply:?}, which is not of this moment"),
        Some(expected) => format!("\"{told}\", not \"{expected}\""),
        None => format!("\"{told}\", and was never executed"),
    }
}

/// What a node answered from its own state.
#[derive(Clone, Debug)]
pub struct OwnAnswer {
    /// Which node.
    pub node: NodeId,
    /// In which of its runs.
    pub run: u64,
    /// To what.
    pub query: Bytes,
    /// What.
    pub reply: Bytes,
    /// Whether it was to wait for news, and waited less than it must if there are none.
    pub hurried: bool,
}

impl Store {
    /// An empty store, in a world with such clocks.
    #[must_use]
    pub fn new(clocks: Clocks) -> Self {
        Self {
            past: Past::default(),
            moments: vec![Moment {
                time_ms: 0,
                revision: 0,
                compacted: 0,
            }],
            leases: Leases::default(),
            retention: Retention::default(),
            clocks,
            replies: BTreeMap::new(),
            told: 0,
            shown: ByNode::new(),
            seen: Seen::default(),
        }
    }

    /// The latest moment that a client knows of.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told
    }

    /// The latest revision that a client knows of.
    #[must_use]
    pub fn told_revision(&self) -> u64 {
        self.moments[self.told].revision
    }

    /// The latest revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.past.revision()
    }

    /// Every record that ever was in a range.
    pub fn ever(&self, range: &KeyRange) -> impl Iterator<Item = &KeyValue> {
        self.past.ever(range)
    }

    /// The records of a range as they are now.
    pub fn now(&self, range: &KeyRange) -> impl Iterator<Item = &KeyValue> {
        self.past.range(range, self.past.revision())
    }

    /// How many leases have not ended.
    #[must_use]
    pub fn open_leases(&self) -> usize {
        self.leases.live.len()
    }

    /// The longest time to live that any lease had, in milliseconds.
    #[must_use]
    pub fn longest_lease_ms(&self) -> u64 {
        self.leases.longest_ms()
    }

    /// The command `tag`, asked for at virtual time `asked`, takes effect for the first time, by
    /// virtual time `now`.
    ///
    /// # Errors
    /// A lease ends early.
    pub fn execute(
        &mut self,
        tag: u64,
        time_ms: u64,
        (asked, now): (u64, u64),
        command: &Command,
    ) -> Result<(), Violation> {
        let mut made = self.expire(time_ms, now)?;
        if made.leases > 0 {
            self.seen.note(Situation::LeaseEndedByCommand);
        }
        let mut draft = Draft::new(&self.past);
        let mut context = Context {
            leases: &mut self.leases,
            retention: &mut self.retention,
            seen: &mut self.seen,
            time_ms,
            asked,
            moment: self.moments.len(),
        };
        let (reply, changes) = match context.run(&mut draft, command) {
            Ok(reply) => (reply, draft.finish()),
            Err(code) => (Reply::Failed(code), BTreeMap::new()),
        };
        made.keys += self.commit(time_ms, changes);
        self.note_command(command, &reply);
        self.pass(time_ms, made.keys);
        self.replies.insert(tag, (self.moments.len() - 1, reply));
        Ok(())
    }

    /// A tick takes effect for the first time, by virtual time `now`.
    ///
    /// # Errors
    /// A lease ends early.
    pub fn tick(&mut self, time_ms: u64, now: u64) -> Result<(), Violation> {
        let made = self.expire(time_ms, now)?;
        self.seen.note(match made.leases {
            0 => Situation::TickFoundNothing,
            1 => Situation::LeaseEndedByTick,
            _ => Situation::LeasesEndedTogether,
        });
        self.pass(time_ms, made.keys);
        Ok(())
    }

    /// A client is told what the command `tag` did.
    ///
    /// # Errors
    /// It did something else.
    pub fn check_write(&mut self, tag: u64, reply: &Reply) -> Result<(), Violation> {
        let executed = self.replies.get(&tag);
        let Some((moment, _)) = executed.filter(|(_, expected)| expected == reply) else {
            let expected = executed.map(|(_, expected)| expected);
            let told = otherwise(reply, expected);
            let seen = format!("call {tag} was answered {told}");
            return Err(Violation::new("The store does what it was told", seen));
        };
        self.told = self.told.max(*moment);
        Ok(())
    }

    /// A client is told what it asked for when [`Store::told`] was `since`; zero, if it asked for
    /// any state that was.
    ///
    /// # Errors
    /// It is not so, or no longer.
    pub fn check_read(
        &mut self,
        query: &Query,
        since: usize,
        reply: &Reply,
    ) -> Result<(), Violation> {
        let moment = self.explain(query, since, reply, "Reads are not stale")?;
        self.seen
            .note_if(moment < self.told, Situation::OldStateRead);
        self.told = self.told.max(moment);
        self.note_query(query, reply);
        Ok(())
    }

    /// What a node answers from its own state in one step, to one client after another.
    ///
    /// # Errors
    /// That was never so, or is older than what it has shown in an earlier step.
    pub fn check_own(&mut self, answers: &[OwnAnswer]) -> Result<(), Violation> {
        let moments = answers.iter().map(|answer| self.explain_own(answer));
        let moments: Vec<usize> = moments.collect::<Result<_, _>>()?;
        for (&OwnAnswer { node, run, .. }, moment) in answers.iter().zip(moments) {
            let shown = self.shown(node, run).max(moment);
            self.shown.insert(node, (run, shown));
        }
        Ok(())
    }

    /// All that a node has in the end, which has executed everything: what it holds now, its leases,
    /// some of what it held before, and every change that is kept.
    ///
    /// # Errors
    /// Something is otherwise.
    pub fn check_whole(&mut self, ask: impl Fn(&Query) -> Bytes) -> Result<(), Violation> {
        let last = self.moments.len() - 1;
        let Moment {
            revision,
            compacted,
            ..
        } = self.moments[last];
        let whole = |at| Query::RangeWith {
            range: KeyRange::all(),
            options: RangeOptions {
                at,
                ..RangeOptions::default()
            },
        };
        let mut queries = vec![whole(0), Query::Leases { start: 0 }];
        let step = (revision - compacted) / REVISIONS_LOOKED_AT + 1;
        queries.extend(
            (compacted.max(1)..=revision)
                .step_by(step as usize)
                .map(whole),
        );
        let mut from = compacted + 1;
        while let Some(query) = queries.pop().or_else(|| self.changes_from(from)) {
            let reply = Reply::decode(&ask(&query));
            let reply = reply.map_err(|_| {
                let seen = format!("no answer to {}", words::query(&query));
                Violation::new("Replies survive their encoding", seen)
            })?;
            self.explain(&query, last, &reply, "A node never goes back")?;
            if let Reply::Changes { next, .. } = reply {
                from = next;
            }
        }
        Ok(())
    }

    /// The latest moment that a run of a node is known to have come to.
    fn shown(&self, node: NodeId, run: u64) -> usize {
        let shown = self.shown.get(node).filter(|(known, _)| *known == run);
        shown.map_or(0, |(_, moment)| *moment)
    }

    /// All changes from a revision on, if there are any.
    fn changes_from(&self, from: u64) -> Option<Query> {
        let watches = vec![Watch {
            previous: true,
            ..Watch::default()
        }];
        (from <= self.past.revision()).then(|| {
            Query::Changes(Changes {
                watches,
                from,
                ..Changes::default()
            })
        })
    }

    fn explain_own(&self, answer: &OwnAnswer) -> Result<usize, Violation> {
        let &OwnAnswer { node, run, .. } = answer;
        let decoded = (Query::decode(&answer.query), Reply::decode(&answer.reply));
        let (Ok(query), Ok(reply)) = decoded else {
            let seen = format!("{node} answered {:?}", answer.reply);
            return Err(Violation::new("Replies survive their encoding", seen));
        };
        let shown = self.shown(node, run);
        let moment = self.explain(&query, shown, &reply, "A node never goes back")?;
        if answer.hurried && is_silent(&query, &reply) {
            let query = words::query(&query);
            let seen = format!("{node} told {query} at once that there is nothing");
            return Err(Violation::new("A watch waits for news", seen));
        }
        Ok(moment)
    }

    /// The first moment from `since` on that a reply can be of.
    fn explain(
        &self,
        query: &Query,
        since: usize,
        reply: &Reply,
        stale: &'static str,
    ) -> Result<usize, Violation> {
        let fits = |since: usize| match query {
            Query::Changes(ask) => self.explain_changes(ask, since, reply),
            _ => self
                .moments_of(revision(reply), since)
                .find(|&moment| self.answer(moment, query).as_ref() == Some(reply)),
        };
        if let Some(moment) = fits(since) {
            return Ok(moment);
        }
        if let Some(older) = fits(0) {
            let (older, known) = (self.moments[older], self.moments[since]);
            let (query, reply) = (words::query(query), words::reply(reply));
            let seen =
                format!("{query} was answered \"{reply}\", as of {older}, when {known} was known");
            return Err(Violation::new(stale, seen));
        }
        let last = self.moments_of(revision(reply), 0).next_back();
        let expected = last.and_then(|moment| self.answer(moment, query));
        let told = otherwise(reply, expected.as_ref());
        let seen = format!("{} was answered {told}", words::query(query));
        Err(Violation::new(
            match query {
                Query::Changes(_) => "A watch tells exactly what happened",
                _ => "A read shows one state of the store",
            },
            seen,
        ))
    }

    pub(super) fn past(&self) -> &Past {
        &self.past
    }

    pub(super) fn compacted_at(&self, moment: usize) -> u64 {
        self.moments[moment].compacted
    }

    /// The moments from `since` on, of a revision if one is given.
    pub(super) fn moments_of(
        &self,
        revision: Option<u64>,
        since: usize,
    ) -> core::ops::Range<usize> {
        let Some(revision) = revision else {
            return since..self.moments.len();
        };
        let first = self.moments.partition_point(|m| m.revision < revision);
        let end = self.moments.partition_point(|m| m.revision <= revision);
        first.max(since)..end
    }

    /// Ends the leases that are due, by deadline then id, a bounded piece.
    fn expire(&mut self, time_ms: u64, now: u64) -> Result<Made, Violation> {
        let mut made = Made::default();
        while made.leases < ENDS_MAX && made.keys < ENDED_KEYS_MAX {
            let first = self.leases.first();
            let Some((id, terms)) = first.filter(|(_, terms)| terms.deadline_ms <= time_ms) else {
                break;
            };
            lease::check_end(self.clocks, id, terms, now)?;
            let mut draft = Draft::new(&self.past);
            execute::end(&mut draft, id).expect("nothing else is in this revision");
            let changes = draft.finish();
            if changes.len() > 1 {
                self.seen.note(Situation::LeaseTookKeys);
            }
            self.leases.set(self.moments.len(), id, None);
            made.keys += self.commit(time_ms, changes);
            made.leases += 1;
        }
        Ok(made)
    }

    fn commit(&mut self, time_ms: u64, changes: BTreeMap<Bytes, Option<KeyValue>>) -> u64 {
        let made = self.past.commit(changes);
        if made > 0 {
            self.retention.note(time_ms, self.past.revision());
        }
        made
    }

    /// A command or tick is over, which changed so many keys.
    fn pass(&mut self, time_ms: u64, made: u64) {
        let revision = self.past.revision();
        let before = self.retention.compacted;
        self.retention.keep(time_ms, revision, made);
        let compacted = self.retention.compacted;
        if compacted > before {
            self.seen.note(Situation::RetentionCompacted);
        }
        self.moments.push(Moment {
            time_ms,
            revision,
            compacted,
        });
    }

    fn note_command(&mut self, command: &Command, reply: &Reply) {
        let seen = &mut self.seen;
        match (command, reply) {
            (Command::Txn(_), Reply::Failed(_)) => seen.note(Situation::TxnFailed),
            (Command::LeaseKeepAlive { .. }, Reply::Failed(_)) => {
                seen.note(Situation::KeepAliveTooLate);
            }
            (Command::LeaseRevoke { .. }, Reply::Deleted { .. }) => {
                seen.note(Situation::LeaseRevoked);
            }
            (Command::Compact { .. }, Reply::Compacted { .. }) => seen.note(Situation::Compacted),
            (..) => {}
        }
    }

    fn note_query(&mut self, query: &Query, reply: &Reply) {
        let seen = &mut self.seen;
        match (query, reply) {
            (Query::RangeWith { options, .. }, Reply::Range { revision, .. }) => {
                seen.note_if((1..*revision).contains(&options.at), Situation::PastRead);
            }
            (_, Reply::Failed(Code::Compacted)) => seen.note(Situation::PastReadCompacted),
            (_, Reply::Changes { key: Some(_), .. }) => seen.note(Situation::RevisionDivided),
            (Query::Changes(_), reply) if is_silent(query, reply) => {
                seen.note(Situation::WatchWithoutNews);
            }
            (Query::Changes(_), Reply::Compacted { .. }) => {
                seen.note(Situation::WatchFoundCompacted);
            }
            (..) => {}
        }
    }
}

/// What ended before a command.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    leases: usize,
    keys: u64,
}

/// Whether a reply says nothing that was not known.
fn is_silent(query: &Query, reply: &Reply) -> bool {
    match (query, reply) {
        (
            Query::Changes(ask),
            Reply::Changes {
                events,
                next,
                revision,
                ..
            },
        ) => ask.from > 0 && events.is_empty() && next > revision,
        (..) => false,
    }
}

/// The store's revision when it answered, as far as the reply tells.
fn revision(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Written { meta } | Reply::Incremented { meta, .. } | Reply::Put { meta, .. } => {
            Some(meta.mod_revision)
        }
        Reply::Deleted { revision, .. }
        | Reply::Mismatch { revision, .. }
        | Reply::Got { revision, .. }
        | Reply::Removed { revision, .. }
        | Reply::Txn { revision, .. }
        | Reply::Compacted { revision, .. }
        | Reply::Changes { revision, .. }
        | Reply::Range { revision, .. } => Some(*revision),
        Reply::Lease { .. } | Reply::Leases { .. } | Reply::Failed(_) => None,
    }
}

/// Situations that came up, until somebody takes them.
#[derive(Debug, Default)]
pub struct Seen(Vec<Situation>);

impl Seen {
    /// Notes one.
    pub fn note(&mut self, situation: Situation) {
        self.0.push(situation);
    }

    /// Notes one, if it is so.
    pub fn note_if(&mut self, condition: bool, situation: Situation) {
        if condition {
            self.note(situation);
        }
    }

    /// Those that came up since this was asked last.
    pub fn take(&mut self) -> impl Iterator<Item = Situation> + '_ {
        self.0.drain(..)
    }
}
