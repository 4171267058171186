//! A store that follows another one by differences is the one that the whole snapshot makes.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod random;

use bytes::Bytes;
use quorate_kv::{
    Changes, Command, KeyRange, Kv, KvDelta, KvPatch, KvSnapshot, Projection, Query, RangeOptions,
    Watch,
};
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};

use random::Random;

fn context(time_ms: u64) -> ApplyContext {
    ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms,
    }
}

fn stream(snapshot: &KvSnapshot) -> Bytes {
    let mut out = Vec::new();
    snapshot.write(0, usize::MAX, &mut out);
    assert_eq!(out.len() as u64, snapshot.len());
    out.into()
}

fn restored(snapshot: &KvSnapshot) -> Kv {
    let mut restore = Kv::restore();
    restore.chunk(&stream(snapshot)).expect("it is whole");
    restore.finish().expect("it is whole")
}

fn pieces(delta: &KvDelta, size: usize) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < delta.len() {
        let mut piece = Vec::new();
        delta.write(from, size, &mut piece);
        assert_eq!(piece.len() as u64, (size as u64).min(delta.len() - from));
        from += piece.len() as u64;
        pieces.push(piece.into());
    }
    pieces
}

fn patched(base: &Kv, pieces: &[Bytes]) -> Result<Kv, BadSnapshot> {
    let mut patch = KvPatch::new(base.clone());
    for piece in pieces {
        patch.chunk(piece)?;
    }
    patch.finish()
}

/// What a client can ask of the past and of the leases: all that a store keeps beside what its
/// snapshot carries shows there.
fn told(kv: &Kv, random: &mut Random) -> Vec<Bytes> {
    let mut queries = vec![Query::Leases { start: 0 }];
    let (compacted, revision) = (kv.compacted(), kv.revision());
    for from in [
        compacted,
        compacted + 1,
        compacted.midpoint(revision),
        revision + 1,
    ] {
        queries.push(Query::Changes(Changes {
            watches: vec![Watch {
                range: KeyRange::all(),
                previous: true,
                ..Watch::default()
            }],
            from,
            ..Changes::default()
        }));
        queries.push(Query::RangeWith {
            range: KeyRange::all(),
            options: RangeOptions {
                at: from,
                ..RangeOptions::default()
            },
        });
    }
    queries.extend((0..8).map(|id| Query::Lease {
        id,
        keys: Some(Bytes::new()),
    }));
    queries.push(Query::Range {
        range: KeyRange::all(),
        limit: 0,
        projection: Projection::Records,
    });
    queries.extend((0..20).map(|_| random.query(revision)));
    let replies = queries.iter().map(|query| kv.query(&query.encode()));
    let due = kv.due_ms().map(u64::to_be_bytes);
    let due = due.map(|due| Bytes::copy_from_slice(&due));
    replies.chain(due).collect()
}

/// Many keys of which some share a prefix, large values, and bounds on the past of each kind: what
/// the small commands have not.
fn wide(random: &mut Random) -> Command {
    let number = random.below(1_500);
    let key = Bytes::from(format!("{}/{number}", number % 9));
    let retention = |revisions, ms, bytes| Command::SetRetention {
        revisions,
        ms,
        bytes,
    };
    match random.below(200) {
        0 => Command::DeleteRange {
            range: KeyRange::prefix(format!("{}/{}", random.below(9), random.below(9))),
        },
        1 => retention(0, 0, 0),
        2 => retention(1 + random.below(900), 0, 0),
        3 => retention(0, 1 + random.below(2_000), 0),
        4 => retention(0, 0, 1 + random.below(200_000)),
        5..20 => Command::Delete { key },
        20..30 => Command::PutWith {
            key,
            value: Some(random.value()),
            lease: Some(random.below(8)),
            previous: false,
        },
        30 => Command::Put {
            key,
            value: vec![b'v'; random.below(100_000) as usize].into(),
        },
        _ => Command::Put {
            key,
            value: vec![b'v'; random.below(60) as usize].into(),
        },
    }
}

/// Some commands and ticks, as one store and others get them alike.
fn live(stores: &mut [&mut Kv], random: &mut Random, time_ms: &mut u64, commands: u64) {
    for _ in 0..commands {
        *time_ms += random.below(12);
        let command = match random.below(2) {
            0 => random.command(stores[0].revision()),
            _ => wide(random),
        };
        let command = command.encode();
        let is_tick = random.below(20) == 0;
        let replies = stores.iter_mut().map(|store| {
            if is_tick {
                store.tick(&context(*time_ms));
            }
            let reply = store.apply(&context(*time_ms), &command);
            (reply, store.digest(), store.due_ms())
        });
        let replies: Vec<_> = replies.collect();
        assert!(replies.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

#[test]
fn a_store_that_follows_by_differences_is_the_one_of_the_snapshot() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut time_ms = 0;
        let mut giver = Kv::new();
        live(
            &mut [&mut giver],
            &mut random,
            &mut time_ms,
            [0, 40, 900][seed as usize % 3],
        );
        let mut marked = giver.snapshot();
        // One copy shares its records with the giver, one came by bytes.
        let mut near = giver.clone();
        let mut far = restored(&marked);
        for round in 0..10 {
            let commands = [0, 1, 7, 60, 400][random.below(5) as usize];
            live(&mut [&mut giver], &mut random, &mut time_ms, commands);
            let now = giver.snapshot();
            let delta = KvDelta::between(&marked, &now);
            let size = 1 + random.below(900) as usize;
            let pieces = pieces(&delta, size);
            for base in [far.snapshot(), near.snapshot()] {
                let other = KvDelta::between(&base, &now);
                assert_eq!(
                    self::pieces(&other, size),
                    pieces,
                    "it depends on content alone"
                );
            }
            far = patched(&far, &pieces).expect("it is whole");
            near = patched(&near, &pieces).expect("it is whole");
            let whole = restored(&now);
            let told_by = |kv: &Kv| told(kv, &mut Random(seed));
            for follower in [&far, &near] {
                assert_eq!(
                    stream(&follower.snapshot()),
                    stream(&now),
                    "{seed}, {round}"
                );
                assert_eq!(follower.digest(), giver.digest());
                assert_eq!(told_by(follower), told_by(&giver), "{seed}, {round}");
                assert_eq!(told_by(follower), told_by(&whole), "{seed}, {round}");
            }
            // Whatever comes next, they do the same.
            let mut later = [far.clone(), near.clone(), giver.clone(), whole];
            let mut all: Vec<&mut Kv> = later.iter_mut().collect();
            live(&mut all, &mut random, &mut { time_ms }, 60);
            assert!(later.windows(2).all(|pair| {
                let [one, other] = pair else { return false };
                stream(&one.snapshot()) == stream(&other.snapshot())
            }));
            marked = now;
        }
        assert!(giver.revision() > 20);
    }
}

#[test]
fn a_store_grows_from_nothing_by_one_difference() {
    let mut random = Random(5);
    let mut kv = Kv::new();
    let empty = kv.snapshot();
    live(&mut [&mut kv], &mut random, &mut 0, 1_000);
    let delta = KvDelta::between(&empty, &kv.snapshot());
    let grown = patched(&Kv::new(), &pieces(&delta, 1_000)).expect("it is whole");
    assert_eq!(stream(&grown.snapshot()), stream(&kv.snapshot()));
    assert_eq!(told(&grown, &mut Random(1)), told(&kv, &mut Random(1)));
}

fn put(kv: &mut Kv, key: usize, value: &[u8]) {
    let command = Command::Put {
        key: Bytes::from(format!("{key:08}")),
        value: Bytes::copy_from_slice(value),
    };
    kv.apply(&context(0), &command.encode());
}

#[test]
fn a_difference_is_as_large_as_what_changed() {
    let mut kv = Kv::new();
    (0..20_000).for_each(|key| put(&mut kv, key, &[b'v'; 100]));
    let base = kv.snapshot();
    let header = KvDelta::between(&base, &base).len();
    assert!(header < 100, "{header} bytes for no difference");
    let whole = patched(&kv, &pieces(&KvDelta::between(&base, &base), 7));
    assert_eq!(whole.map(|kv| kv.digest()), Ok(kv.digest()));

    (0..100).for_each(|key| put(&mut kv, key * 7, &[b'w'; 100]));
    let len = KvDelta::between(&base, &kv.snapshot()).len() - header;
    // The new values, and of the old ones only where they were.
    assert!((100 * 100..100 * 150).contains(&len), "{len} bytes");
}

#[test]
fn pieces_can_be_asked_again_and_beyond_the_end() {
    let mut kv = Kv::new();
    (0..300).for_each(|key| put(&mut kv, key, b"value"));
    let base = kv.snapshot();
    (200..500).for_each(|key| put(&mut kv, key, b"other"));
    let now = kv.snapshot();
    let delta = KvDelta::between(&base, &now);
    let whole = pieces(&delta, usize::MAX).concat();
    for (from, len) in [(0, 0), (0, 1), (1, 50), (500, 1_000), (whole.len() - 3, 9)] {
        let mut piece = b"before".to_vec();
        delta.write(from as u64, len, &mut piece);
        let end = whole.len().min(from + len);
        assert_eq!(piece, [b"before", &whole[from..end]].concat());
    }
    for from in [whole.len() as u64, u64::MAX] {
        let mut piece = Vec::new();
        delta.write(from, usize::MAX, &mut piece);
        assert!(piece.is_empty());
    }
    // A snapshot's pieces are its chunks.
    let whole = stream(&now);
    let mut piece = Vec::new();
    now.write(40, 100, &mut piece);
    assert_eq!(piece, whole[40..140]);
    let (chunk, _) = now.clone().chunk(3, 20);
    assert_eq!(chunk, whole[60..80]);
}

fn refused(base: &Kv, stream: &[u8]) -> Option<&'static str> {
    let refused = patched(base, &[Bytes::copy_from_slice(stream)]).err();
    refused.map(|BadSnapshot(reason)| reason)
}

#[test]
fn a_difference_is_for_one_state_and_leads_forward() {
    let mut kv = Kv::new();
    (0..50).for_each(|key| put(&mut kv, key, b"value"));
    let base = kv.clone();
    (0..5).for_each(|key| put(&mut kv, key, b"other"));
    let between = |base: &Kv, now: &Kv| {
        let delta = KvDelta::between(&base.snapshot(), &now.snapshot());
        pieces(&delta, usize::MAX).concat()
    };
    assert_eq!(refused(&base, &between(&base, &kv)), None);

    let other = Some("the difference is of another state");
    assert_eq!(refused(&kv, &between(&base, &kv)), other);
    assert_eq!(refused(&Kv::new(), &between(&base, &kv)), other);
    let backward = Some("the difference does not lead to a later state");
    assert_eq!(refused(&kv, &between(&kv, &base)), backward);
    let header = Some("the difference's header is damaged");
    assert_eq!(refused(&base, &stream(&kv.snapshot())), header);
    assert_eq!(refused(&base, &[]), Some("the difference is cut short"));
    // Another store's state is none of this one's, though it is as late.
    let mut foreign = Kv::new();
    (0..60).for_each(|key| put(&mut foreign, key % 3, b"foreign"));
    assert!(refused(&base, &between(&base, &foreign)).is_some());
}

#[test]
fn damage_of_any_bit_and_any_cut_is_found() {
    let mut random = Random(11);
    let (mut kv, mut time_ms) = (Kv::new(), 0);
    let small = |kv: &mut Kv, random: &mut Random, time_ms: &mut u64| {
        for _ in 0..60 {
            *time_ms += random.below(12);
            let command = random.command(kv.revision());
            kv.apply(&context(*time_ms), &command.encode());
        }
    };
    small(&mut kv, &mut random, &mut time_ms);
    let base = kv.clone();
    small(&mut kv, &mut random, &mut time_ms);
    let delta = KvDelta::between(&base.snapshot(), &kv.snapshot());
    let whole = pieces(&delta, usize::MAX).concat();
    assert_eq!(refused(&base, &whole), None);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            assert!(refused(&base, &damaged).is_some(), "bit {bit} of byte {at}");
        }
        assert!(refused(&base, &whole[..at]).is_some(), "up to {at}");
    }
    assert!(refused(&base, &[&whole[..], b"\0"].concat()).is_some());

    let pieces = pieces(&delta, 50);
    for at in 0..pieces.len() {
        let mut others = pieces.clone();
        let piece = others.remove(at);
        assert!(patched(&base, &others).is_err(), "without piece {at}");
        others.insert(at, piece.clone());
        others.insert(at, piece);
        assert!(patched(&base, &others).is_err(), "piece {at} twice");
        if at > 0 {
            let mut swapped = pieces.clone();
            swapped.swap(at - 1, at);
            assert!(patched(&base, &swapped).is_err(), "piece {at} too early");
        }
    }
}
