//! Revisions, transactions, leases, watches and compaction, against a store that keeps a copy of
//! everything that ever was.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod random;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_kv::{
    Changes, Code, Command, Compare, Event, KeyRange, KeyValue, Kv, Meta, Op, Order, Projection,
    Query, RangeOptions, Relation, Reply, Target, Watch,
};
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};

use random::Random;

type State = BTreeMap<Bytes, KeyValue>;

/// What `docs/kv.md` says, without any cleverness.
#[derive(Clone)]
struct Model {
    /// By revision.
    states: Vec<State>,
    compacted: u64,
    keep: u64,
    now_ms: u64,
    last_lease: u64,
    /// Time to live and deadline.
    leases: BTreeMap<u64, (u64, u64)>,
    /// What the command changed so far.
    draft: State,
    changed: BTreeSet<Bytes>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            states: vec![State::new()],
            compacted: 0,
            keep: 10_000,
            now_ms: 0,
            last_lease: 0,
            leases: BTreeMap::new(),
            draft: State::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl Model {
    fn revision(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn now(&self) -> u64 {
        self.revision() + u64::from(!self.changed.is_empty())
    }

    fn apply(&mut self, time_ms: u64, command: &Command) -> Reply {
        self.now_ms = time_ms;
        while let Some((_, id)) = self.leases.iter().map(|(id, lease)| (lease.1, *id)).min() {
            if self.leases[&id].1 > time_ms {
                break;
            }
            self.end(id);
            self.commit();
        }
        let before = self.clone();
        let reply = self.run(command).unwrap_or_else(|code| {
            *self = before;
            Reply::Failed(code)
        });
        self.commit();
        reply
    }

    fn commit(&mut self) {
        if !std::mem::take(&mut self.changed).is_empty() {
            self.states.push(self.draft.clone());
        }
        if self.keep > 0 {
            self.compacted = self
                .compacted
                .max(self.revision().saturating_sub(self.keep));
        }
    }

    fn end(&mut self, id: u64) {
        self.leases.remove(&id);
        let keys: Vec<Bytes> = self.draft.keys().cloned().collect();
        for key in keys {
            if self.draft[&key].meta.lease == id {
                self.draft.remove(&key);
                self.changed.insert(key);
            }
        }
    }

    fn change(&mut self, key: &Bytes) -> Result<(), Code> {
        if self.changed.insert(key.clone()) {
            Ok(())
        } else {
            Err(Code::DuplicateKey)
        }
    }

    fn write(&mut self, key: &Bytes, value: Bytes, lease: u64) -> Result<Meta, Code> {
        self.change(key)?;
        let next = self.revision() + 1;
        let old = self.draft.get(key).map(|old| old.meta);
        let meta = Meta {
            create_revision: old.map_or(next, |old| old.create_revision),
            mod_revision: next,
            version: old.map_or(1, |old| old.version + 1),
            lease,
        };
        let key = key.clone();
        self.draft
            .insert(key.clone(), KeyValue { key, value, meta });
        Ok(meta)
    }

    fn remove(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Code> {
        let gone: Vec<KeyValue> = within(&self.draft, range).cloned().collect();
        for record in &gone {
            self.change(&record.key)?;
            self.draft.remove(&record.key);
        }
        Ok(gone)
    }

    fn run(&mut self, command: &Command) -> Result<Reply, Code> {
        Ok(match command {
            Command::Put { key, value } => Reply::Written {
                meta: self.write(key, value.clone(), 0)?,
            },
            Command::Append { key, value } => {
                let old = self.draft.get(key).cloned();
                let head = old.as_ref().map_or(&b""[..], |old| &old.value);
                let lease = old.as_ref().map_or(0, |old| old.meta.lease);
                let meta = self.write(key, [head, value].concat().into(), lease)?;
                Reply::Written { meta }
            }
            Command::Increment { key, by } => {
                let old = self.draft.get(key).cloned();
                let text = old.as_ref().map_or(&b"0"[..], |old| &old.value);
                let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                let value = number.map_or(Err(Code::NotAnInteger), |old: i64| Ok(old + by))?;
                let lease = old.map_or(0, |old| old.meta.lease);
                let meta = self.write(key, value.to_string().into(), lease)?;
                Reply::Incremented { value, meta }
            }
            Command::PutWith {
                key,
                value,
                lease,
                previous,
            } => {
                let old = self.draft.get(key).cloned();
                let kept = || old.as_ref().ok_or(Code::KeyNotFound);
                let (value, lease) = (
                    value
                        .clone()
                        .map_or_else(|| Ok(kept()?.value.clone()), Ok)?,
                    lease.map_or_else(|| Ok(kept()?.meta.lease), Ok)?,
                );
                if lease != 0 && !self.leases.contains_key(&lease) {
                    return Err(Code::LeaseNotFound);
                }
                let meta = self.write(key, value, lease)?;
                let previous = old.filter(|_| *previous);
                Reply::Put { meta, previous }
            }
            Command::DeleteRange { range } => Reply::Deleted {
                count: self.remove(range)?.len() as u64,
                revision: self.now(),
            },
            Command::RemoveRange { range } => Reply::Removed {
                records: self.remove(range)?,
                revision: self.now(),
            },
            Command::Txn(txn) => {
                let succeeded = txn.compares.iter().all(|compare| self.holds(compare));
                let mut replies = Vec::new();
                for op in if succeeded { &txn.then } else { &txn.otherwise } {
                    replies.push(match op {
                        Op::Do(command) => self.run(command)?,
                        Op::Ask(query) => self.ask(query)?,
                    });
                }
                Reply::Txn {
                    succeeded,
                    replies,
                    revision: self.now(),
                }
            }
            Command::LeaseGrant { id, ttl_ms } => {
                let mut id = *id;
                if id == 0 {
                    id = self.last_lease + 1;
                    while self.leases.contains_key(&id) {
                        id += 1;
                    }
                    self.last_lease = id;
                } else if self.leases.contains_key(&id) {
                    return Err(Code::LeaseExists);
                }
                self.leases.insert(id, (*ttl_ms, self.now_ms + ttl_ms));
                self.lease(id, None)?
            }
            Command::LeaseKeepAlive { id } => {
                let lease = self.leases.get_mut(id).ok_or(Code::LeaseNotFound)?;
                lease.1 = self.now_ms + lease.0;
                self.lease(*id, None)?
            }
            Command::LeaseRevoke { id } => {
                self.lease(*id, None)?;
                self.end(*id);
                Reply::Deleted {
                    count: self.changed.len() as u64,
                    revision: self.now(),
                }
            }
            Command::Compact { revision } => {
                if *revision <= self.compacted {
                    return Err(Code::Compacted);
                }
                if *revision > self.revision() {
                    return Err(Code::FutureRevision);
                }
                self.compacted = *revision;
                self.kept()
            }
            Command::SetRetention { revisions, .. } => {
                self.keep = *revisions;
                self.commit();
                self.kept()
            }
            Command::Delete { .. } | Command::CompareAndSwap { .. } => {
                unreachable!("model.rs has these")
            }
        })
    }

    fn kept(&self) -> Reply {
        Reply::Compacted {
            compacted: self.compacted,
            revision: self.revision(),
        }
    }

    fn lease(&self, id: u64, from: Option<&Bytes>) -> Result<Reply, Code> {
        let (ttl_ms, deadline_ms) = *self.leases.get(&id).ok_or(Code::LeaseNotFound)?;
        let hangs = |record: &&KeyValue| {
            record.meta.lease == id && from.is_some_and(|from| record.key >= *from)
        };
        let keys = self.draft.values().filter(hangs);
        Ok(Reply::Lease {
            id,
            ttl_ms,
            left_ms: deadline_ms - self.now_ms,
            keys: keys.map(|record| record.key.clone()).collect(),
            next: None,
        })
    }

    fn holds(&self, compare: &Compare) -> bool {
        let fits = |record: &KeyValue| {
            let meta = record.meta;
            let ordering = match &compare.target {
                Target::Version(to) => meta.version.cmp(to),
                Target::CreateRevision(to) => meta.create_revision.cmp(to),
                Target::ModRevision(to) => meta.mod_revision.cmp(to),
                Target::Lease(to) => meta.lease.cmp(to),
                Target::Value(to) => record.value.cmp(to),
            };
            match compare.relation {
                Relation::Equal => ordering.is_eq(),
                Relation::NotEqual => ordering.is_ne(),
                Relation::Greater => ordering.is_gt(),
                Relation::Less => ordering.is_lt(),
            }
        };
        if within(&self.draft, &compare.range).next().is_some() {
            return within(&self.draft, &compare.range).all(fits);
        }
        !matches!(compare.target, Target::Value(_)) && fits(&removed(Bytes::new(), 0))
    }

    fn ask(&self, query: &Query) -> Result<Reply, Code> {
        match query {
            Query::RangeWith { range, options } => self.range(range, options),
            Query::Changes(ask) => Ok(self.changes(ask)),
            Query::Lease { id, keys } => self.lease(*id, keys.as_ref()),
            Query::Leases { start } => Ok(Reply::Leases {
                ids: self.leases.range(start..).map(|(id, _)| *id).collect(),
                next: 0,
            }),
            Query::Get { .. } | Query::Range { .. } => unreachable!("model.rs has these"),
        }
    }

    fn range(&self, range: &KeyRange, options: &RangeOptions) -> Result<Reply, Code> {
        let state = match options.at {
            0 => &self.draft,
            at if at < self.compacted => return Err(Code::Compacted),
            at if at > self.revision() => return Err(Code::FutureRevision),
            at => &self.states[at as usize],
        };
        let mut records: Vec<KeyValue> = within(state, range).cloned().collect();
        let count = records.len() as u64;
        let most = |bound| if bound == 0 { u64::MAX } else { bound };
        records.retain(|KeyValue { meta, .. }| {
            (options.min_mod..=most(options.max_mod)).contains(&meta.mod_revision)
                && (options.min_create..=most(options.max_create)).contains(&meta.create_revision)
        });
        let number = |record: &KeyValue| match options.order {
            Order::Key | Order::Value => 0,
            Order::CreateRevision => record.meta.create_revision,
            Order::ModRevision => record.meta.mod_revision,
            Order::Version => record.meta.version,
        };
        records.sort_by(|a, b| {
            let ordering = match options.order {
                Order::Key => a.key.cmp(&b.key),
                Order::Value => a.value.cmp(&b.value),
                _ => number(a).cmp(&number(b)),
            };
            if options.descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        let mut next = None;
        if options.projection == Projection::Count {
            records.clear();
        }
        if records.len() as u64 > most(options.limit) {
            next = Some(records[options.limit as usize].key.clone());
            records.truncate(options.limit as usize);
        }
        if options.projection == Projection::Keys {
            for record in &mut records {
                record.value = Bytes::new();
            }
        }
        Ok(Reply::Range {
            records,
            count,
            next,
            revision: self.now(),
        })
    }

    /// What a revision did, by key.
    fn events(&self, revision: u64, ask: &Changes) -> Vec<Event> {
        let (old, new) = (
            &self.states[revision as usize - 1],
            &self.states[revision as usize],
        );
        let keys: BTreeSet<&Bytes> = old.keys().chain(new.keys()).collect();
        let mut events = Vec::new();
        for key in keys {
            if old.get(key) == new.get(key) {
                continue;
            }
            let deleted = !new.contains_key(key);
            let wants = |watch: &Watch| {
                let refused = if deleted {
                    watch.no_delete
                } else {
                    watch.no_put
                };
                watch.range.contains(key) && !refused
            };
            let watches = ask.watches.iter().filter(|watch| wants(watch));
            let watches: Vec<&Watch> = watches.collect();
            if watches.is_empty() {
                continue;
            }
            let previous = watches.iter().any(|watch| watch.previous);
            events.push(Event {
                deleted,
                record: match new.get(key) {
                    Some(record) => record.clone(),
                    None => removed(key.clone(), revision),
                },
                previous: old.get(key).filter(|_| previous).cloned(),
            });
        }
        events
    }

    /// All events from a revision on; there are few enough for one reply if no limit was given.
    fn changes(&self, ask: &Changes) -> Reply {
        if ask.from > 0 && ask.from <= self.compacted {
            return self.kept();
        }
        let now = self.revision();
        let mut events = Vec::new();
        let mut next = ask.from.max(now + 1);
        let mut key = None;
        let from = if ask.from == 0 { now + 1 } else { ask.from };
        // The first revision of any change, which alone may be divided.
        for revision in from..=now {
            let mut more = self.events(revision, ask);
            if ask.limit > 0 && (events.len() + more.len()) as u64 > ask.limit {
                next = revision;
                if revision == from {
                    key = Some(more[ask.limit as usize].record.key.clone());
                    more.truncate(ask.limit as usize);
                    events.extend(more);
                }
                break;
            }
            events.extend(more);
        }
        Reply::Changes {
            events,
            next,
            key,
            revision: now,
        }
    }
}

fn within<'a>(state: &'a State, range: &'a KeyRange) -> impl Iterator<Item = &'a KeyValue> {
    state.values().filter(|record| range.contains(&record.key))
}

/// A record of which only its last revision is known.
fn removed(key: Bytes, mod_revision: u64) -> KeyValue {
    let meta = Meta {
        create_revision: 0,
        mod_revision,
        version: 0,
        lease: 0,
    };
    KeyValue {
        key,
        value: Bytes::new(),
        meta,
    }
}

fn context(time_ms: u64) -> ApplyContext {
    ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms,
    }
}

fn stream(kv: &Kv) -> Bytes {
    kv.snapshot().chunk(0, usize::MAX).0
}

fn transferred(kv: &Kv, size: usize) -> Kv {
    let mut restore = Kv::restore();
    let mut snapshot = kv.snapshot();
    for number in 0.. {
        let (chunk, last) = snapshot.chunk(number, size);
        restore.chunk(&chunk).expect("it was cut from a store");
        if last {
            break;
        }
    }
    let restored = restore.finish().expect("it was cut from a store");
    assert_eq!(stream(&restored), stream(kv));
    restored
}

#[test]
fn every_reply_is_the_models() {
    for seed in 1..=6 {
        let mut random = Random(seed);
        let (mut kv, mut other, mut model) = (Kv::new(), Kv::new(), Model::default());
        let mut time_ms = 0;
        for at in 0..1_200 {
            time_ms += random.below(20);
            let command = random.command(model.revision());
            let expected = model.apply(time_ms, &command);
            let encoded = command.encode();
            let reply = kv.apply(&context(time_ms), &encoded);
            let told = format!("seed {seed}, {at}: {command:?}");
            assert_eq!(Reply::decode(&reply), Ok(expected), "{told}");
            assert_eq!(other.apply(&context(time_ms), &encoded), reply, "{told}");
            assert_eq!(kv.digest(), other.digest(), "{told}");
            assert_eq!(kv.revision(), model.revision(), "{told}");
            assert!(kv.iter().eq(model.draft.values().cloned()), "{told}");
            let due_ms = model.leases.values().map(|lease| lease.1).min();
            assert_eq!(kv.due_ms(), due_ms, "{told}");

            let query = random.query(model.revision());
            let expected = model.ask(&query).unwrap_or_else(Reply::Failed);
            let reply = Reply::decode(&kv.query(&query.encode()));
            assert_eq!(reply.as_ref(), Ok(&expected), "{told}, {query:?}");
            let silent = matches!((&query, &expected), (Query::Changes(ask), Reply::Changes { events, .. })
                if events.is_empty() && ask.from > 0);
            assert_eq!(kv.poll(&query.encode()).is_none(), silent, "{query:?}");
            if random.below(20) == 0 {
                kv = transferred(&kv, 1 + random.below(3000) as usize);
            }
        }
        assert!(model.compacted > 0 && model.revision() > 300);
    }
}

#[test]
fn watches_miss_nothing_and_repeat_nothing_whatever_the_limit() {
    let mut random = Random(9);
    let (mut kv, mut model) = (Kv::new(), Model::default());
    for _ in 0..300 {
        let command = random.change(0);
        model.apply(0, &command);
        kv.apply(&context(0), &command.encode());
    }
    let mut ask = Changes {
        watches: vec![Watch {
            previous: true,
            ..Watch::default()
        }],
        from: 1,
        ..Changes::default()
    };
    let Reply::Changes { events: all, .. } = model.changes(&ask) else {
        panic!("nothing is compacted");
    };
    for (limit, bytes) in [(1, 0), (2, 0), (7, 0), (0, 1), (0, 100)] {
        (ask.from, ask.key, ask.limit, ask.bytes) = (1, None, limit, bytes);
        let mut seen = Vec::new();
        while ask.from <= model.revision() {
            let reply = Reply::decode(&kv.query(&Query::Changes(ask.clone()).encode()));
            if bytes == 0 && ask.key.is_none() {
                assert_eq!(reply.as_ref(), Ok(&model.changes(&ask)));
            }
            let Ok(Reply::Changes {
                events, next, key, ..
            }) = reply
            else {
                panic!("nothing is compacted");
            };
            assert!(!events.is_empty());
            seen.extend(events);
            (ask.from, ask.key) = (next, key);
        }
        assert_eq!(seen, all, "{limit}, {bytes}");
    }
}

#[test]
fn what_is_compacted_leaves_the_memory() {
    let mut kv = Kv::new();
    let put = |key: &'static [u8]| Command::Put {
        key: key.into(),
        value: vec![b'v'; 100].into(),
    };
    for time_ms in 1..=2_000 {
        kv.apply(&context(time_ms), &put(b"a").encode());
    }
    assert!(stream(&kv).len() > 200_000);
    let retention = Command::SetRetention {
        revisions: 10,
        ms: 0,
        bytes: 0,
    };
    kv.apply(&context(2_000), &retention.encode());
    assert_eq!(kv.compacted(), 1_990);
    (0..200).for_each(|_| kv.tick(&context(2_000)));
    assert!(stream(&kv).len() < 2_000, "{}", stream(&kv).len());

    let retention = Command::SetRetention {
        revisions: 0,
        ms: 50,
        bytes: 0,
    };
    kv.apply(&context(2_000), &retention.encode());
    for time_ms in 2_001..=2_100 {
        kv.apply(&context(time_ms), &put(b"b").encode());
    }
    assert_eq!(kv.compacted(), 2_000 + 49);
}

#[test]
fn the_past_takes_no_more_bytes_than_may_be() {
    let mut kv = Kv::new();
    let put = |len: usize| Command::Put {
        key: Bytes::from_static(b"a"),
        value: vec![b'v'; len].into(),
    };
    for time_ms in 1..=2_000 {
        kv.apply(&context(time_ms), &put(10).encode());
    }
    assert_eq!(kv.compacted(), 0, "small ones are kept");
    for time_ms in 2_001..=2_100 {
        kv.apply(&context(time_ms), &put(1 << 20).encode());
        assert!(stream(&kv).len() < 18 << 20, "{}", stream(&kv).len());
    }
    let kept = kv.revision() - kv.compacted();
    assert!((15..=17).contains(&kept), "{kept} are kept");

    let retention = Command::SetRetention {
        revisions: 0,
        ms: 0,
        bytes: 3 << 20,
    };
    kv.apply(&context(2_101), &retention.encode());
    assert!(stream(&kv).len() < 5 << 20, "{}", stream(&kv).len());
    assert_eq!(kv.revision() - kv.compacted(), 2);
}

#[test]
fn a_lease_ends_when_its_time_has_come_and_never_before() {
    let mut kv = Kv::new();
    for id in 1..=40 {
        let grant = Command::LeaseGrant { id, ttl_ms: 100 };
        kv.apply(&context(id), &grant.encode());
        let put = Command::PutWith {
            key: id.to_string().into(),
            value: Some(Bytes::new()),
            lease: Some(id),
            previous: false,
        };
        kv.apply(&context(id), &put.encode());
    }
    kv.tick(&context(100));
    assert_eq!((kv.len(), kv.due_ms()), (40, Some(101)));
    kv.tick(&context(101));
    assert_eq!((kv.len(), kv.due_ms(), kv.revision()), (39, Some(102), 41));
    // A bounded piece for each; what is due counts as ended meanwhile.
    kv.tick(&context(1_000));
    assert_eq!((kv.len(), kv.revision()), (23, 57));
    let alive = Command::LeaseKeepAlive { id: 40 };
    let reply = Reply::decode(&kv.apply(&context(1_000), &alive.encode()));
    assert_eq!(reply, Ok(Reply::Failed(Code::LeaseNotFound)));
    kv.tick(&context(1_000));
    assert_eq!((kv.len(), kv.due_ms(), kv.revision()), (0, None, 80));
}
