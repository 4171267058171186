//! What the key-value store must answer: a second, dumber store, which executes the same commands
//! in the same order and keeps every state that ever was.
//!
//! A write must be answered as this one answered it. A read names the revision it saw: it must show
//! that state, and no older one than any client was told of before the read began. So reads of many
//! keys are checked as well as reads of one.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Code, Command, Expected, KeyRange, KeyValue, Meta, Projection, Query, Reply};

use crate::checker::Violation;

type State = BTreeMap<Bytes, KeyValue>;

/// The store.
#[derive(Debug)]
pub struct Store {
    /// By revision; never empty.
    states: Vec<State>,
    /// By the command's name.
    replies: BTreeMap<u64, Reply>,
    told: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            states: vec![State::new()],
            replies: BTreeMap::new(),
            told: 0,
        }
    }
}

impl Store {
    /// The latest revision that a client knows of.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told
    }

    /// The command `tag` takes effect.
    pub fn execute(&mut self, tag: u64, command: &Command) {
        let mut state = self.states[self.states.len() - 1].clone();
        let next = self.states.len() as u64;
        let reply = apply(&mut state, next, command);
        if state != self.states[self.states.len() - 1] {
            self.states.push(state);
        }
        self.replies.insert(tag, reply);
    }

    /// A client is told what the command `tag` did.
    ///
    /// # Errors
    /// It did something else.
    pub fn check_write(&mut self, tag: u64, reply: &Reply) -> Result<(), Violation> {
        let expected = self.replies.get(&tag);
        if expected != Some(reply) {
            let seen = format!("call {tag} was answered {reply:?}, not {expected:?}");
            return Err(Violation::new("The store does what it was told", seen));
        }
        self.tell(reply);
        Ok(())
    }

    /// A client is told what it asked for when [`Store::told`] was `since`.
    ///
    /// # Errors
    /// It is not so, or no longer.
    pub fn check_read(
        &mut self,
        query: &Query,
        since: u64,
        reply: &Reply,
    ) -> Result<(), Violation> {
        let revision = revision(reply);
        let state = revision.and_then(|revision| self.states.get(revision as usize));
        let expected = state
            .zip(revision)
            .map(|(state, at)| answer(state, at, query));
        if expected.as_ref() != Some(reply) {
            let seen = format!("{query:?} was answered {reply:?}, not {expected:?}");
            return Err(Violation::new("A read shows one state of the store", seen));
        }
        if revision < Some(since) {
            let seen = format!("{query:?} saw {revision:?}, when {since} was known");
            return Err(Violation::new("Reads are not stale", seen));
        }
        self.tell(reply);
        Ok(())
    }

    fn tell(&mut self, reply: &Reply) {
        self.told = self.told.max(revision(reply).unwrap_or_default());
    }
}

/// The store's revision when it answered, as far as the reply tells.
fn revision(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Written { meta } | Reply::Incremented { meta, .. } => Some(meta.mod_revision),
        Reply::Deleted { revision, .. }
        | Reply::Mismatch { revision, .. }
        | Reply::Got { revision, .. }
        | Reply::Removed { revision, .. }
        | Reply::Txn { revision, .. }
        | Reply::Compacted { revision, .. }
        | Reply::Changes { revision, .. }
        | Reply::Range { revision, .. } => Some(*revision),
        Reply::Put { meta, .. } => Some(meta.mod_revision),
        Reply::Lease { .. } | Reply::Leases { .. } | Reply::Failed(_) => None,
    }
}

/// Executes a command, which makes revision `next` if it changes anything.
fn apply(state: &mut State, next: u64, command: &Command) -> Reply {
    match command {
        Command::Put { key, value } => write(state, next, key, value.to_vec()),
        Command::Append { key, value } => {
            let mut whole = state
                .get(key)
                .map_or_else(Vec::new, |old| old.value.to_vec());
            whole.extend_from_slice(value);
            write(state, next, key, whole)
        }
        Command::Increment { key, by } => {
            let text = state.get(key).map_or(&b"0"[..], |old| &old.value);
            let number = core::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<i64>().ok());
            // "007" and "+7" are text that happens to look like a number.
            let Some(number) = number.filter(|number| number.to_string().as_bytes() == text) else {
                return Reply::Failed(Code::NotAnInteger);
            };
            let Some(value) = number.checked_add(*by) else {
                return Reply::Failed(Code::Overflow);
            };
            let meta = put(state, next, key, value.to_string().into_bytes());
            Reply::Incremented { value, meta }
        }
        Command::CompareAndSwap { key, expected, new } => {
            let current = state.get(key);
            let fits = match (expected, current) {
                (Expected::Absent, current) => current.is_none(),
                (Expected::Value(value), Some(current)) => current.value == *value,
                (Expected::Revision(at), Some(current)) => current.meta.mod_revision == *at,
                (Expected::Value(_) | Expected::Revision(_), None) => false,
            };
            match new {
                _ if !fits => Reply::Mismatch {
                    current: current.cloned(),
                    revision: next - 1,
                },
                Some(value) => write(state, next, key, value.to_vec()),
                None => remove(state, next, |other| other == key),
            }
        }
        Command::Delete { key } => remove(state, next, |other| other == key),
        Command::DeleteRange { range } => remove(state, next, |key| range.contains(key)),
        Command::PutWith { .. }
        | Command::RemoveRange { .. }
        | Command::Txn(_)
        | Command::LeaseGrant { .. }
        | Command::LeaseKeepAlive { .. }
        | Command::LeaseRevoke { .. }
        | Command::Compact { .. }
        | Command::SetRetention { .. } => unreachable!("the workload has no such command"),
    }
}

fn write(state: &mut State, next: u64, key: &Bytes, value: Vec<u8>) -> Reply {
    Reply::Written {
        meta: put(state, next, key, value),
    }
}

fn put(state: &mut State, next: u64, key: &Bytes, value: Vec<u8>) -> Meta {
    let old = state.get(key).map(|old| old.meta);
    let meta = Meta {
        create_revision: old.map_or(next, |old| old.create_revision),
        mod_revision: next,
        version: old.map_or(0, |old| old.version) + 1,
        lease: 0,
    };
    let (key, value) = (key.clone(), Bytes::from(value));
    state.insert(key.clone(), KeyValue { key, value, meta });
    meta
}

fn remove(state: &mut State, next: u64, goes: impl Fn(&Bytes) -> bool) -> Reply {
    let before = state.len();
    state.retain(|key, _| !goes(key));
    let count = (before - state.len()) as u64;
    let revision = next - u64::from(count == 0);
    Reply::Deleted { count, revision }
}

fn answer(state: &State, revision: u64, query: &Query) -> Reply {
    match query {
        Query::Get { key } => Reply::Got {
            record: state.get(key).cloned(),
            revision,
        },
        Query::Range {
            range,
            limit,
            projection,
        } => scan(state, revision, range, *limit, *projection),
        Query::RangeWith { .. }
        | Query::Changes(_)
        | Query::Lease { .. }
        | Query::Leases { .. } => unreachable!("the workload has no such query"),
    }
}

fn scan(state: &State, revision: u64, range: &KeyRange, limit: u64, what: Projection) -> Reply {
    let mut records: Vec<KeyValue> = state
        .values()
        .filter(|record| range.contains(&record.key))
        .cloned()
        .collect();
    let count = records.len() as u64;
    let left_out = match limit {
        0 => Vec::new(),
        limit => records.split_off((limit.min(count)) as usize),
    };
    let mut next = left_out.into_iter().next().map(|record| record.key);
    match what {
        Projection::Records => {}
        Projection::Keys => records
            .iter_mut()
            .for_each(|record| record.value = Bytes::new()),
        Projection::Count => (records, next) = (Vec::new(), None),
    }
    Reply::Range {
        records,
        count,
        next,
        revision,
    }
}

#[cfg(test)]
mod tests {
    use quorate_kv::Kv;
    use quorate_raft::{Index, Random, Term};
    use quorate_rsm::{ApplyContext, StateMachine};

    use super::*;

    const CONTEXT: ApplyContext = ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms: 0,
    };

    fn key(number: u64) -> Bytes {
        Bytes::from(number.to_string())
    }

    fn put(number: u64) -> Command {
        let value = Bytes::from_static(b"v");
        Command::Put {
            key: key(number),
            value,
        }
    }

    fn command(random: &mut Random) -> Command {
        let (key, other) = (key(random.below(5)), key(random.below(5)));
        let value = Bytes::from(random.below(12).to_string());
        match random.below(9) {
            0 => Command::Put { key, value },
            1 => Command::Append { key, value },
            2 => Command::Increment {
                key,
                by: i64::MAX / 3,
            },
            3 => Command::Increment { key, by: -3 },
            4 => Command::Delete { key },
            5 => Command::DeleteRange {
                range: KeyRange::between(key, other),
            },
            kind => Command::CompareAndSwap {
                key,
                expected: match kind {
                    6 => Expected::Absent,
                    7 => Expected::Value(value.clone()),
                    _ => Expected::Revision(random.below(400)),
                },
                new: (random.below(2) == 0).then_some(value),
            },
        }
    }

    #[test]
    fn both_stores_do_the_same_and_say_the_same() {
        let (mut random, mut real, mut model) = (Random::new(1), Kv::new(), Store::default());
        for tag in 1..3_000 {
            let command = command(&mut random);
            model.execute(tag, &command);
            let reply = Reply::decode(&real.apply(&CONTEXT, &command.encode())).unwrap();
            model.check_write(tag, &reply).unwrap();
            let query = Query::Range {
                range: KeyRange::between(key(random.below(4)), key(random.below(6))),
                limit: random.below(4),
                projection: [Projection::Records, Projection::Keys, Projection::Count]
                    [random.below(3) as usize],
            };
            let reply = Reply::decode(&real.query(&query.encode())).unwrap();
            model.check_read(&query, model.told(), &reply).unwrap();
        }
        assert!(model.states.len() > 1_000, "{}", model.states.len());
    }

    #[test]
    fn what_was_not_so_is_found() {
        let mut store = Store::default();
        store.execute(1, &put(1));
        store.execute(2, &put(2));
        let first = store.replies[&1].clone();
        let property = |result: Result<(), Violation>| result.expect_err("must object").property;
        assert_eq!(
            property(store.check_write(2, &first)),
            "The store does what it was told"
        );
        assert_eq!(
            property(store.check_write(3, &first)),
            "The store does what it was told"
        );
        store.check_write(2, &store.replies[&2].clone()).unwrap();

        let query = Query::Get { key: key(2) };
        let (old, new) = (
            answer(&store.states[1], 1, &query),
            answer(&store.states[2], 2, &query),
        );
        assert_eq!(
            property(store.check_read(&query, store.told(), &old)),
            "Reads are not stale"
        );
        store.check_read(&query, 1, &old).unwrap();
        store.check_read(&query, store.told(), &new).unwrap();
        for revision in [1, 2, 3] {
            let mixed = Reply::Got {
                record: None,
                revision,
            };
            let result = store.check_read(&query, 0, &mixed);
            assert_eq!(result.is_ok(), revision == 1, "{revision}");
        }
    }
}
