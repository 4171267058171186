use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, StateMachine};

use super::KvPatch;
use crate::command::Command;
use crate::machine::Kv;
use crate::range::KeyRange;
use crate::record::{Meta, Record};
use crate::snapshot::delta::{KvDelta, LISTS, List, place};
use crate::testing::Random;
use crate::tree::{By, Place, Tree};

/// Few keys and leases, so that they meet.
fn command(random: &mut Random, revision: u64) -> Command {
    let key = Bytes::from(vec![b"abcd"[random.below(4)]; 1 + random.below(2)]);
    let id = 1 + random.below(4) as u64;
    match random.below(24) {
        0..3 => Command::LeaseGrant { id, ttl_ms: 90 },
        3 => Command::LeaseKeepAlive { id },
        4 => Command::LeaseRevoke { id },
        5 => Command::DeleteRange {
            range: KeyRange::prefix(key),
        },
        6..9 => Command::Delete { key },
        9 => Command::Compact {
            revision: revision.saturating_sub(random.below(6) as u64),
        },
        10 => Command::SetRetention {
            revisions: [0, 9][random.below(2)],
            ms: [0, 50][random.below(2)],
            bytes: 0,
        },
        11..16 => Command::PutWith {
            key,
            value: Some(Bytes::new()),
            lease: Some(id),
            previous: false,
        },
        _ => Command::Put {
            key,
            value: Bytes::new(),
        },
    }
}

fn live(kv: &mut Kv, random: &mut Random, commands: usize) {
    for _ in 0..commands {
        let time_ms = kv.numbers.time_ms + random.below(9) as u64;
        let command = command(random, kv.revision());
        kv.apply(&context(time_ms), &command.encode());
    }
}

fn context(time_ms: u64) -> ApplyContext {
    ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms,
    }
}

fn put(key: &'static [u8]) -> Command {
    Command::Put {
        key: Bytes::from_static(key),
        value: Bytes::new(),
    }
}

fn store(commands: &[Command]) -> Kv {
    let mut kv = Kv::new();
    for command in commands {
        kv.apply(&context(0), &command.encode());
    }
    kv
}

fn stream(delta: &KvDelta) -> Bytes {
    let mut out = Vec::new();
    delta.write(0, usize::MAX, &mut out);
    out.into()
}

fn patched(base: &Kv, stream: &Bytes) -> Result<Kv, BadSnapshot> {
    let mut patch = KvPatch::new(base.clone());
    patch.chunk(stream)?;
    patch.finish()
}

fn restored(kv: &Kv) -> Result<Kv, BadSnapshot> {
    let snapshot = kv.snapshot();
    let mut out = Vec::new();
    snapshot.write(0, usize::MAX, &mut out);
    let mut restore = Kv::restore();
    restore.chunk(&out.into())?;
    restore.finish()
}

/// Every tree, those that no snapshot has among them.
fn trees(kv: &Kv) -> [Vec<Record>; 5] {
    [&kv.system, &kv.live, &kv.past, &kv.log, &kv.index].map(|tree| tree.iter().cloned().collect())
}

#[test]
fn what_a_patch_leaves_is_what_a_restoration_makes() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut kv = Kv::new();
        for _ in 0..8 {
            let base = kv.clone();
            let commands = [0, 1, 4, 30][random.below(4)];
            live(&mut kv, &mut random, commands);
            let delta = KvDelta::between(&base.snapshot(), &kv.snapshot());
            let patched = patched(&base, &stream(&delta)).expect("it is whole");
            let whole = restored(&kv).expect("it is whole");
            assert_eq!(trees(&patched), trees(&whole), "{seed}");
            assert_eq!(patched.numbers, whole.numbers);
        }
    }
}

/// Lists that say what a store never did.
fn forge(random: &mut Random, base: &Kv, now: &Kv, lists: &mut [Vec<Record>; LISTS]) {
    let all: Vec<Record> = lists.iter().flatten().cloned().collect();
    let known: Vec<Record> = trees(base).concat();
    let (from, to) = (random.below(LISTS), random.below(LISTS));
    let drawn = |random: &mut Random, records: &[Record]| {
        (!records.is_empty()).then(|| records[random.below(records.len())].clone())
    };
    match random.below(6) {
        0 => {
            if !lists[from].is_empty() {
                let at = random.below(lists[from].len());
                lists[from].remove(at);
            }
        }
        // All that became of a key, or its end.
        1 => {
            if let Some(record) = drawn(random, &all) {
                let from = record.revision().saturating_sub(random.below(2) as u64);
                let goes = |other: &Record| other.key() == record.key() && other.revision() >= from;
                lists
                    .iter_mut()
                    .for_each(|list| list.retain(|other| !goes(other)));
            }
        }
        2 => lists[to].extend(drawn(random, &all)),
        3 => lists[to].extend(drawn(random, &known).map(|record| place(&record))),
        4 => lists[to].extend(drawn(random, &known)),
        _ => {
            if let Some(record) = drawn(random, &all) {
                let meta = record.meta();
                let near = |random: &mut Random, number: u64| {
                    (number + 2).saturating_sub(random.below(4) as u64)
                };
                let meta = match random.below(5) {
                    0 => Meta {
                        create_revision: near(random, meta.create_revision),
                        ..meta
                    },
                    1 => Meta {
                        mod_revision: near(random, meta.mod_revision),
                        ..meta
                    },
                    2 => Meta {
                        version: near(random, meta.version),
                        ..meta
                    },
                    3 => Meta {
                        lease: random.below(5) as u64,
                        ..meta
                    },
                    _ => Meta::created(now.revision()),
                };
                let is_written = meta.mod_revision >= meta.create_revision;
                lists[to].extend(
                    is_written.then(|| Record::new(record.key(), meta, [record.value(), &[]])),
                );
            }
        }
    }
}

/// What comes of lists if nobody looks: a state, whether one can be so or not.
fn applied(random: &mut Random, base: &Kv, now: &Kv, lists: &[Vec<Record>; LISTS]) -> Kv {
    let mut kv = base.clone();
    kv.numbers = now.numbers;
    let mut start = now.log.first().map_or((0, Vec::new()), |first| {
        (first.revision(), first.key().to_vec())
    });
    if random.below(4) == 0 {
        let compacted = now.numbers.compacted + random.below(4) as u64;
        kv.numbers.compacted = compacted.min(now.revision());
    }
    if random.below(4) == 0 {
        start = (start.0 + random.below(3) as u64, Vec::new());
    }
    for list in List::ALL {
        for record in &lists[list as usize] {
            match list {
                List::ToPast => drop(
                    kv.live
                        .get(record.key())
                        .cloned()
                        .map(|live| kv.past.insert(live)),
                ),
                List::SystemAdded => drop(kv.system.insert(record.clone())),
                List::PastRemoved => drop(kv.past.remove(record.place())),
                List::PastAdded => drop(kv.past.insert(record.clone())),
                List::LiveRemoved => drop(kv.live.remove(record.key())),
                List::LiveAdded => drop(kv.live.insert(record.clone())),
                List::SystemRemoved => drop(kv.system.remove(record.key())),
            }
        }
    }
    kv.log = Tree::new(By::Revision);
    for record in kv.live.iter().chain(kv.past.iter()) {
        let is_kept = (record.revision(), record.key()) >= (start.0, &start.1[..]);
        if is_kept || record.revision() > kv.numbers.compacted {
            kv.log.insert(record.clone());
        }
    }
    kv
}

/// Whoever knows how the digest is made can make one of anything.
#[test]
fn whatever_a_patch_takes_can_be_restored() {
    let mut refusals = BTreeMap::new();
    let mut taken = 0;
    for seed in 0..6_000 {
        let mut random = Random::new(seed);
        let mut base = Kv::new();
        let commands = random.below(40);
        live(&mut base, &mut random, commands);
        let mut now = base.clone();
        let commands = random.below(12);
        live(&mut now, &mut random, commands);
        let honest = KvDelta::between(&base.snapshot(), &now.snapshot());
        let mut lists = honest
            .lists
            .clone()
            .map(|list| list.iter().cloned().collect::<Vec<_>>());
        for _ in 0..1 + random.below(2) {
            forge(&mut random, &base, &now, &mut lists);
        }
        for list in List::ALL {
            let records = &mut lists[list as usize];
            records.sort_by(|a, b| list.by().compare(a, b.place()));
            records.dedup_by(|next, last| !list.by().rises(last, next));
        }
        let forged = applied(&mut random, &base, &now, &lists);
        let delta = KvDelta::new(&base.snapshot(), &forged.snapshot(), &lists);
        match patched(&base, &stream(&delta)) {
            Ok(patched) => {
                let whole = restored(&patched).map_err(|why| (seed, why));
                assert_eq!(whole.as_ref().map(trees), Ok(trees(&patched)), "{seed}");
                taken += 1;
            }
            Err(BadSnapshot(reason)) => *refusals.entry(reason).or_insert(0) += 1,
        }
    }
    assert!(taken > 100, "{taken} of {refusals:?}");
    for reason in [
        super::NO_HISTORY,
        super::NO_LEASE,
        super::DAMAGED,
        super::TOO_NEW,
        super::NOT_THERE,
        super::BACKWARD,
    ] {
        assert!(refusals.contains_key(reason.0), "{reason:?}, {refusals:?}");
    }
}

/// Versions go from the past, as many as must, but others: no sum shows it.
#[test]
fn a_version_that_is_asked_for_stays_in_the_past() {
    let delete = Command::Delete {
        key: Bytes::from_static(b"a"),
    };
    let refused = |commands: &[Command], compacted: u64, (key, revision): (&[u8], u64)| {
        let base = store(commands);
        let goes = Record::new(key, Meta::deleted(revision), [&[], &[]]);
        let mut forged = base.clone();
        forged.numbers.compacted = compacted;
        forged.past.remove(goes.place());
        forged.log = forged.log.split_off(Place::new(&[], compacted + 1));
        let mut lists: [Vec<Record>; LISTS] = Default::default();
        lists[List::PastRemoved as usize].push(goes);
        let delta = KvDelta::new(&base.snapshot(), &forged.snapshot(), &lists);
        patched(&base, &stream(&delta)).err()
    };
    // Revision 3 replaced what revision 1 made.
    let replaced = [put(b"b"), put(b"a"), put(b"b"), put(b"a")];
    assert_eq!(refused(&replaced, 3, (b"b", 1)), None);
    assert_eq!(refused(&replaced, 3, (b"a", 2)), Some(super::NO_HISTORY));
    // Revision 4 is a deletion that is kept.
    let deleted = [put(b"b"), put(b"b"), put(b"a"), delete, put(b"a")];
    assert_eq!(refused(&deleted, 2, (b"b", 1)), None);
    assert_eq!(refused(&deleted, 2, (b"a", 4)), Some(super::NO_HISTORY));
}

#[test]
fn records_come_in_order() {
    let delta = |commands: &[Command]| {
        let kv = store(commands);
        stream(&KvDelta::between(&Kv::new().snapshot(), &kv.snapshot()))
    };
    let two = delta(&[put(b"a"), put(b"b")]);
    assert!(patched(&Kv::new(), &two).is_ok());
    // Both records have one length, and are the end.
    let len = two.len() - delta(&[put(b"a")]).len();
    let (header, records) = two.split_at(two.len() - 2 * len);
    let (one, other) = records.split_at(len);
    for records in [[other, one], [one, one]] {
        let disordered = [header, &records.concat()].concat().into();
        let refused = patched(&Kv::new(), &disordered).err();
        assert_eq!(refused, Some(super::DISORDERED));
    }
}
