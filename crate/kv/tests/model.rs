//! The store against a dumber one, with the real size of nodes.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Code, Command, Expected, KeyRange, KeyValue, Kv, Meta, Projection, Query, Reply};
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};

/// What `docs/kv.md` says, without any cleverness.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<Bytes, (Bytes, Meta)>,
    revision: u64,
}

impl Model {
    fn run(&mut self, command: &Command) -> Reply {
        match command {
            Command::Put { key, value } => self.write(key, value.clone()),
            Command::Append { key, value } => {
                let old = self.records.get(key).map(|(value, _)| value.to_vec());
                let new = [old.unwrap_or_default(), value.to_vec()].concat();
                self.write(key, new.into())
            }
            Command::Increment { key, by } => {
                let old = match self.records.get(key) {
                    None => 0,
                    Some((value, _)) => match str::from_utf8(value).map(str::parse::<i64>) {
                        Ok(Ok(number)) if number.to_string().as_bytes() == value => number,
                        _ => return Reply::Failed(Code::NotAnInteger),
                    },
                };
                let Some(value) = old.checked_add(*by) else {
                    return Reply::Failed(Code::Overflow);
                };
                match self.write(key, value.to_string().into()) {
                    Reply::Written { meta } => Reply::Incremented { value, meta },
                    other => other,
                }
            }
            Command::CompareAndSwap { key, expected, new } => {
                let current = self.record(key);
                let is_expected = match (expected, &current) {
                    (Expected::Absent, current) => current.is_none(),
                    (_, None) => false,
                    (Expected::Revision(revision), Some(now)) => *revision == now.meta.mod_revision,
                    (Expected::Value(value), Some(now)) => *value == now.value,
                };
                match new {
                    _ if !is_expected => Reply::Mismatch {
                        current,
                        revision: self.revision,
                    },
                    Some(value) => self.write(key, value.clone()),
                    None => self.delete(|other| other == key),
                }
            }
            Command::Delete { key } => self.delete(|other| other == key),
            Command::DeleteRange { range } => self.delete(|key| range.contains(key)),
            _ => unreachable!("history.rs has these"),
        }
    }

    fn write(&mut self, key: &Bytes, value: Bytes) -> Reply {
        self.revision += 1;
        let mut meta = Meta {
            create_revision: self.revision,
            mod_revision: self.revision,
            version: 1,
            lease: 0,
        };
        if let Some((_, old)) = self.records.get(key) {
            meta.create_revision = old.create_revision;
            meta.version = old.version + 1;
        }
        self.records.insert(key.clone(), (value, meta));
        Reply::Written { meta }
    }

    fn delete(&mut self, goes: impl Fn(&Bytes) -> bool) -> Reply {
        let before = self.records.len();
        self.records.retain(|key, _| !goes(key));
        let count = (before - self.records.len()) as u64;
        self.revision += u64::from(count > 0);
        Reply::Deleted {
            count,
            revision: self.revision,
        }
    }

    fn ask(&self, query: &Query) -> Reply {
        let revision = self.revision;
        match query {
            Query::Get { key } => Reply::Got {
                record: self.record(key),
                revision,
            },
            Query::Range {
                range,
                limit,
                projection,
            } => {
                let keys = self.records.keys().filter(|key| range.contains(key));
                let mut records: Vec<_> = keys.filter_map(|key| self.record(key)).collect();
                let count = records.len() as u64;
                let limit = if *limit == 0 { count } else { *limit };
                let next = records.get(limit as usize).map(|record| record.key.clone());
                records.truncate(limit as usize);
                if *projection == Projection::Keys {
                    records
                        .iter_mut()
                        .for_each(|record| record.value = Bytes::new());
                }
                let (records, next) = match projection {
                    Projection::Count => (Vec::new(), None),
                    Projection::Keys | Projection::Records => (records, next),
                };
                Reply::Range {
                    records,
                    count,
                    next,
                    revision,
                }
            }
            _ => unreachable!("history.rs has these"),
        }
    }

    fn record(&self, key: &Bytes) -> Option<KeyValue> {
        let (value, meta) = self.records.get(key)?;
        Some(KeyValue {
            key: key.clone(),
            value: value.clone(),
            meta: *meta,
        })
    }

    fn is(&self, kv: &Kv) -> bool {
        kv.revision() == self.revision
            && kv
                .iter()
                .eq(self.records.keys().filter_map(|key| self.record(key)))
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) % end
    }

    fn key(&mut self, keys: u64) -> Bytes {
        // Squared, so that some keys are met often and most seldom.
        let number = self.below(keys) * self.below(keys) / keys;
        format!("{number:x}").into()
    }

    fn value(&mut self) -> Bytes {
        match self.below(4) {
            0 => self.below(1000).to_string().into(),
            1 => Bytes::from_static(b"9223372036854775807"),
            _ => vec![b'v'; self.below(30) as usize].into(),
        }
    }

    fn range(&mut self, keys: u64) -> KeyRange {
        match self.below(3) {
            0 => KeyRange::prefix(self.key(keys)),
            1 => KeyRange::from(self.key(keys)),
            _ => KeyRange::between(self.key(keys), self.key(keys)),
        }
    }

    fn command(&mut self, keys: u64, model: &Model) -> Command {
        let key = self.key(keys);
        match self.below(100) {
            0 if self.below(10) == 0 => Command::DeleteRange {
                range: self.range(keys),
            },
            0..15 => Command::Delete { key },
            15..25 => Command::Append {
                key,
                value: self.value(),
            },
            25..35 => Command::Increment {
                key,
                by: self.below(100) as i64 - 50,
            },
            35..55 => {
                let current = model.records.get(&key);
                let expected = match (self.below(4), current) {
                    (0, Some((_, meta))) => Expected::Revision(meta.mod_revision),
                    (1, Some((value, _))) => Expected::Value(value.clone()),
                    (2, _) => Expected::Revision(self.below(1000)),
                    _ => Expected::Absent,
                };
                let new = (self.below(4) > 0).then(|| self.value());
                Command::CompareAndSwap { key, expected, new }
            }
            _ => Command::Put {
                key,
                value: self.value(),
            },
        }
    }

    fn query(&mut self, keys: u64) -> Query {
        match self.below(3) {
            0 => Query::Get {
                key: self.key(keys),
            },
            _ => Query::Range {
                range: self.range(keys),
                limit: self.below(50),
                projection: [Projection::Records, Projection::Keys, Projection::Count]
                    [self.below(3) as usize],
            },
        }
    }
}

const CONTEXT: ApplyContext = ApplyContext {
    index: Index(1),
    term: Term(1),
    time_ms: 0,
};

/// Through chunks of a size, and back; both must cut the same ones.
fn transferred(kv: &Kv, max_bytes: usize) -> Kv {
    let chunks = chunks(kv, max_bytes);
    let mut restore = Kv::restore();
    for chunk in &chunks {
        restore.chunk(chunk).expect("it was cut from a store");
    }
    let restored = restore.finish().expect("it was cut from a store");
    assert_eq!(self::chunks(&restored, max_bytes), chunks);
    assert_eq!(restored.digest(), kv.digest());
    restored
}

fn chunks(kv: &Kv, max_bytes: usize) -> Vec<Bytes> {
    let mut snapshot = kv.snapshot();
    let mut chunks = Vec::new();
    loop {
        let (chunk, last) = snapshot.chunk(chunks.len() as u32, max_bytes);
        chunks.push(chunk);
        if last {
            return chunks;
        }
    }
}

#[test]
fn every_reply_is_the_models() {
    // From few keys that change often to more than two levels of nodes hold.
    let runs = [
        (1, 20, 3_000, 0),
        (2, 500, 6_000, 50),
        (3, 20_000, 20_000, 1_500),
    ];
    for (seed, keys, commands, least) in runs {
        let mut random = Random(seed);
        let (mut kv, mut model) = (Kv::new(), Model::default());
        let mut kept = Vec::new();
        let mut most = 0;
        for at in 0..commands {
            let command = random.command(keys, &model);
            let reply = Reply::decode(&kv.apply(&CONTEXT, &command.encode()));
            assert_eq!(
                reply,
                Ok(model.run(&command)),
                "seed {seed}, {at}: {command:?}"
            );
            most = most.max(kv.len());
            if at % 50 == 0 {
                let query = random.query(keys);
                let reply = Reply::decode(&kv.query(&query.encode()));
                assert_eq!(reply, Ok(model.ask(&query)), "seed {seed}, {at}: {query:?}");
            }
            if at % 1_000 == 500 {
                assert!(model.is(&kv));
                kept.push((kv.clone(), model.clone()));
                if at % 2_000 == 500 {
                    kv = transferred(&kv, 1 + random.below(5_000) as usize);
                }
            }
        }
        assert!(model.is(&kv) && most > least, "never more than {most} keys");
        for (kv, model) in &kept {
            assert!(model.is(kv), "a clone changed");
        }
    }
}

#[test]
fn replicas_that_restart_from_snapshots_stay_the_same() {
    let mut random = Random(11);
    let model = Model::default();
    let mut replicas = [Kv::new(), Kv::new(), Kv::new()];
    for at in 0..6_000 {
        let command = random.command(2_000, &model).encode();
        let replies = replicas.each_mut().map(|kv| kv.apply(&CONTEXT, &command));
        assert!(replies.iter().all(|reply| *reply == replies[0]));
        if at % 500 == 250 {
            replicas[1] = transferred(&replicas[1], 777);
        }
        if at % 700 == 350 {
            replicas[2] = transferred(&replicas[0], 10_000);
        }
        let digests = replicas.each_ref().map(Kv::digest);
        assert!(digests.iter().all(|digest| *digest == digests[0]));
    }
    assert_eq!(chunks(&replicas[0], 1000), chunks(&replicas[1], 1000));
    assert_eq!(chunks(&replicas[0], 1000), chunks(&replicas[2], 1000));
}
