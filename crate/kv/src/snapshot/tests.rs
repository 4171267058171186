use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};

use super::{FORMAT, KvRestore};
use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX, VALUE_BYTES_MAX};
use crate::machine::{Kv, Numbers, digest};
use crate::record::{Meta, Record};
use crate::testing::Random;
use crate::tree::Tree;
use crate::wire::{put_bytes, put_varint};

fn store(tree: Tree, revision: u64) -> Kv {
    let mut kv = Kv::new();
    kv.live = tree;
    kv.numbers = numbers(revision);
    kv
}

/// Of a store that keeps no past.
fn numbers(revision: u64) -> Numbers {
    Numbers {
        revision,
        compacted: revision,
        ..Numbers::default()
    }
}

fn numbered(number: u64) -> Record {
    let key = format!("{number:04}");
    let value = "v".repeat(number as usize % 50);
    Record::new(
        key.as_bytes(),
        Meta::created(number + 1),
        [value.as_bytes(), &[]],
    )
}

fn chunks(store: &Kv, max_bytes: usize) -> Vec<Bytes> {
    let mut snapshot = store.snapshot();
    let mut chunks = Vec::new();
    loop {
        let (chunk, last) = snapshot.chunk(chunks.len() as u32, max_bytes);
        chunks.push(chunk);
        if last {
            return chunks;
        }
    }
}

fn restore(chunks: &[Bytes]) -> Result<Kv, BadSnapshot> {
    let mut restore = KvRestore::default();
    for chunk in chunks {
        restore.chunk(chunk)?;
    }
    restore.finish()
}

fn same(left: &Kv, right: &Kv) -> bool {
    left.iter().eq(right.iter())
        && left.revision() == right.revision()
        && left.digest() == right.digest()
}

/// A stream that says of itself what it should, except for what the caller changes.
struct Forged {
    format: u8,
    revision: u64,
    count: u64,
    bytes: u64,
    records: Vec<u8>,
    digest: u64,
}

impl Forged {
    /// The digest is right if a tree can hold the records.
    fn new(revision: u64, records: &[Record]) -> Self {
        let mut tree = Tree::default();
        for record in records {
            tree.insert(record.clone());
        }
        let empty = Tree::default();
        let digest = digest([&empty, &tree, &empty], numbers(revision), None);
        Self {
            format: FORMAT,
            revision,
            count: records.len() as u64,
            bytes: records
                .iter()
                .map(|record| record.encoded().len() as u64)
                .sum(),
            records: records.iter().flat_map(Record::encoded).copied().collect(),
            digest,
        }
    }

    fn stream(&self) -> Bytes {
        let mut out = vec![self.format];
        let of_trees = [0, 0, self.count, self.bytes, 0, 0];
        for number in numbers(self.revision).list().into_iter().chain(of_trees) {
            put_varint(&mut out, number);
        }
        put_varint(&mut out, 0);
        put_bytes(&mut out, &[]);
        out.extend_from_slice(&self.digest.to_le_bytes());
        out.extend_from_slice(&self.records);
        out.into()
    }

    fn restore(&self) -> Result<Kv, BadSnapshot> {
        restore(&[self.stream()])
    }
}

#[test]
fn every_chunk_size_gives_the_state_back() {
    for len in [0, 1, 5, 6, 300] {
        let mut tree = Tree::default();
        (0..len).for_each(|number| drop(tree.insert(numbered(number))));
        let store = store(tree, len);
        let stream = chunks(&store, usize::MAX);
        assert_eq!(stream.len(), 1);
        for size in [
            1,
            2,
            13,
            14,
            100,
            4096,
            stream[0].len(),
            stream[0].len() + 1,
        ] {
            let chunks = chunks(&store, size);
            assert_eq!(chunks.concat(), stream[0], "chunks of {size}");
            let (last, others) = chunks.split_last().expect("there is at least one");
            assert!(others.iter().all(|chunk| chunk.len() == size));
            assert!(last.len() <= size);
            let restored = restore(&chunks).expect("it is whole");
            assert!(same(&restored, &store), "chunks of {size}");
        }
    }
}

#[test]
fn chunks_depend_on_content_alone() {
    let mut rising = Tree::default();
    (0..400).for_each(|number| drop(rising.insert(numbered(number))));
    let mut falling = Tree::default();
    (0..400)
        .rev()
        .for_each(|number| drop(falling.insert(numbered(number))));
    let mut cut = Tree::default();
    (0..600)
        .rev()
        .step_by(2)
        .for_each(|number| drop(cut.insert(numbered(number))));
    (0..600)
        .step_by(2)
        .for_each(|number| drop(cut.insert(numbered(number))));
    cut.remove_range(b"0400", None);
    let loaded = restore(&chunks(&store(rising.clone(), 700), 99)).expect("it is whole");

    let expected = chunks(&store(rising, 700), 1000);
    for other in [store(falling, 700), store(cut, 700), loaded] {
        assert_eq!(chunks(&other, 1000), expected);
    }
}

#[test]
fn chunks_can_be_asked_again_and_beyond_the_end() {
    let mut tree = Tree::default();
    (0..100).for_each(|number| drop(tree.insert(numbered(number))));
    let store = store(tree, 100);
    let expected = chunks(&store, 64);
    let mut snapshot = store.snapshot();
    for number in (0..expected.len()).rev() {
        let is_last = number + 1 == expected.len();
        assert_eq!(
            snapshot.chunk(number as u32, 64),
            (expected[number].clone(), is_last)
        );
    }
    assert_eq!(snapshot.chunk(u32::MAX, usize::MAX), (Bytes::new(), true));
    assert_eq!(snapshot.chunk(u32::MAX, 64), (Bytes::new(), true));
    assert_eq!(snapshot.chunk(2, usize::MAX / 2 + 1), (Bytes::new(), true));
    assert_eq!(snapshot.chunk(1, 0).0.len(), 1);
}

#[test]
fn a_snapshot_stays_while_the_store_goes_on() {
    let mut tree = Tree::default();
    (0..300).for_each(|number| drop(tree.insert(numbered(number))));
    let before = store(tree.clone(), 300);
    let mut live = store(tree, 300);
    let mut snapshot = live.snapshot();
    let (first, _) = snapshot.chunk(0, 2000);
    live = store(Tree::default(), live.revision() + 1);
    assert!(live.is_empty());
    let mut restore = Kv::restore();
    restore.chunk(&first).expect("it is whole");
    restore
        .chunk(&snapshot.chunk(1, 2000).0)
        .expect("it is whole");
    let mut number = 2;
    loop {
        let (chunk, last) = snapshot.chunk(number, 2000);
        restore.chunk(&chunk).expect("it is whole");
        number += 1;
        if last {
            break;
        }
    }
    assert!(same(&restore.finish().expect("it is whole"), &before));
}

#[test]
fn damage_of_any_bit_is_found() {
    let mut tree = Tree::default();
    (0..40).for_each(|number| drop(tree.insert(numbered(number))));
    let stream = chunks(&store(tree, 40), usize::MAX)[0].to_vec();
    for at in 0..stream.len() {
        for bit in 0..8 {
            let mut damaged = stream.clone();
            damaged[at] ^= 1 << bit;
            assert!(
                restore(&[damaged.into()]).is_err(),
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn missing_repeated_swapped_and_added_chunks_are_found() {
    let mut tree = Tree::default();
    (0..40).for_each(|number| drop(tree.insert(numbered(number))));
    let whole = chunks(&store(tree, 40), 50);
    for at in 0..whole.len() {
        let mut missing = whole.clone();
        let chunk = missing.remove(at);
        assert!(restore(&missing).is_err(), "without chunk {at}");
        let mut repeated = whole.clone();
        repeated.insert(at, chunk.clone());
        assert!(restore(&repeated).is_err(), "with chunk {at} twice");
        if at > 0 {
            let mut swapped = whole.clone();
            swapped.swap(at - 1, at);
            assert!(
                restore(&swapped).is_err(),
                "with chunk {at} before its time"
            );
        }
    }
    let stream = whole.concat();
    for len in 0..stream.len() {
        assert!(
            restore(&[stream[..len].to_vec().into()]).is_err(),
            "up to {len}"
        );
    }
    let longer = [&stream[..], b"\0"].concat();
    let reason = restore(&[longer.into()]).err();
    assert_eq!(
        reason,
        Some(BadSnapshot("the store is longer than it says"))
    );
}

#[test]
fn arbitrary_bytes_are_refused() {
    let mut random = Random::new(7);
    for _ in 0..20_000 {
        let len = random.below(80);
        let mut bytes = random.bytes(len);
        // Often enough, let it begin as it should.
        if let Some(first) = bytes.first_mut() {
            *first &= FORMAT;
        }
        assert!(restore(&[bytes.into()]).is_err());
    }
}

#[test]
fn streams_that_contradict_themselves_are_refused() {
    let records: Vec<Record> = (0..9).map(numbered).collect();
    let whole = || Forged::new(9, &records);
    let refused = |forged: &Forged| forged.restore().err().map(|BadSnapshot(reason)| reason);
    assert_eq!(refused(&whole()), None);

    let backward: Vec<Record> = (0..9).rev().map(numbered).collect();
    let order = Some("the records are not in order");
    assert_eq!(refused(&Forged::new(9, &backward)), order);
    assert_eq!(refused(&Forged::new(9, &[numbered(0), numbered(0)])), order);
    // At the seam between two leaves, too.
    let leaf: Vec<Record> = (1..8).chain([7]).map(numbered).collect();
    assert_eq!(refused(&Forged::new(9, &leaf)), order);

    let header = Some("the store's header is damaged");
    assert_eq!(
        refused(&Forged {
            format: FORMAT + 1,
            ..whole()
        }),
        header
    );
    assert_eq!(refused(&Forged::new(NUMBER_MAX, &records)), None);
    assert_eq!(refused(&Forged::new(NUMBER_MAX + 1, &records)), header);

    let newer = Some("a record is newer than the store");
    assert_eq!(refused(&Forged::new(8, &records)), newer);
    let longer = Some("the store is longer than it says");
    assert_eq!(
        refused(&Forged {
            bytes: whole().bytes - 1,
            ..whole()
        }),
        longer
    );
    let short = Some("the store is cut short");
    assert_eq!(
        refused(&Forged {
            bytes: whole().bytes + 1,
            ..whole()
        }),
        short
    );
    let number = Some("the store has another number of records than it says");
    assert_eq!(
        refused(&Forged {
            count: 8,
            ..whole()
        }),
        longer
    );
    assert_eq!(
        refused(&Forged {
            count: 10,
            ..whole()
        }),
        number
    );
    let other = Some("the store's digest differs");
    assert_eq!(
        refused(&Forged {
            digest: whole().digest ^ 1,
            ..whole()
        }),
        other
    );
    assert_eq!(
        restore(&[]).err(),
        Some(BadSnapshot("the store's header is cut short"))
    );
}

#[test]
fn impossible_records_are_refused() {
    let meta = |create_revision, mod_revision, version, lease| Meta {
        create_revision,
        mod_revision,
        version,
        lease,
    };
    let possible = meta(2, 5, 4, 0);
    let largest = (vec![b'k'; KEY_BYTES_MAX], vec![b'v'; VALUE_BYTES_MAX]);
    let refused = |key: &[u8], meta, value: &[u8]| {
        let record = Record::new(key, meta, [value, &[]]);
        Forged::new(9, &[record])
            .restore()
            .err()
            .map(|BadSnapshot(reason)| reason)
    };
    assert_eq!(refused(&largest.0, possible, &largest.1), None);
    let damaged = Some("a record of the store is damaged");
    assert_eq!(refused(b"", possible, b"value"), damaged);
    assert_eq!(
        refused(&[&largest.0[..], b"k"].concat(), possible, b"value"),
        damaged
    );
    assert_eq!(
        refused(b"key", possible, &[&largest.1[..], b"v"].concat()),
        damaged
    );
    for impossible in [
        meta(0, 5, 4, 0),
        meta(2, 5, 5, 0),
        meta(2, 5, 0, 0),
        meta(2, 5, 4, NUMBER_MAX + 1),
    ] {
        assert_eq!(
            refused(b"key", impossible, b"value"),
            damaged,
            "{impossible:?}"
        );
    }
}

#[test]
fn a_lease_must_be_there() {
    let meta = Meta {
        lease: 1,
        ..Meta::created(1)
    };
    let record = Record::new(b"key", meta, [b"", b""]);
    assert_eq!(
        Forged::new(9, &[record]).restore().err(),
        Some(BadSnapshot("a key hangs on a lease that is not there"))
    );
}

/// A record that never ends must not be collected: its length is refused when it is read.
#[test]
fn what_is_kept_between_chunks_is_bounded() {
    let mut endless = vec![];
    let forged = Forged {
        bytes: u64::MAX,
        count: u64::MAX,
        ..Forged::new(9, &[])
    };
    endless.extend_from_slice(&forged.stream());
    put_varint(&mut endless, 1 << 40);
    let mut restore = KvRestore::default();
    let refused = restore.chunk(&endless.into());
    assert_eq!(
        refused,
        Err(BadSnapshot("a record of the store is damaged"))
    );
}

/// A version of a key, or its deletion.
fn version(key: &[u8], create_revision: u64, mod_revision: u64, version: u64) -> Record {
    let meta = Meta {
        create_revision,
        mod_revision,
        version,
        lease: 0,
    };
    Record::new(key, meta, [b"", b""])
}

#[test]
fn a_past_that_leads_elsewhere_is_refused() {
    let refused = |compacted, live: &[Record], past: &[Record]| {
        let mut kv = Kv::new();
        kv.numbers = Numbers {
            revision: 9,
            compacted,
            ..Numbers::default()
        };
        for record in past {
            kv.past.insert(record.clone());
        }
        for record in live {
            kv.live.insert(record.clone());
        }
        for record in live.iter().chain(past) {
            if record.revision() > compacted {
                kv.log.insert(record.clone());
            }
        }
        let reason = restore(&chunks(&kv, 20)).err();
        reason.map(|BadSnapshot(reason)| reason)
    };
    let first = || version(b"k", 1, 1, 1);
    let second = || version(b"k", 1, 3, 2);
    let third = || version(b"k", 1, 5, 3);
    let gone = |revision| version(b"k", 0, revision, 0);
    let again = || version(b"k", 7, 7, 1);
    let other = || version(b"z", 8, 8, 1);
    let whole = [first(), second(), third(), gone(6)];
    assert_eq!(refused(0, &[third()], &[first(), second()]), None);
    assert_eq!(refused(0, &[again(), other()], &whole), None);
    assert_eq!(refused(0, &[other()], &whole), None);
    // What ended at or before the compacted revision need not be there.
    assert_eq!(refused(3, &[third()], &[second()]), None);
    assert_eq!(refused(5, &[third()], &[]), None);

    let elsewhere = Some("the past of a key does not lead to what it is");
    for (compacted, live, past) in [
        (0, vec![], vec![first()]),
        (0, vec![], vec![first(), second(), other()]),
        (0, vec![second()], vec![]),
        (0, vec![third()], vec![second()]),
        (0, vec![third()], vec![first()]),
        (0, vec![again()], vec![first()]),
        (0, vec![first()], vec![second(), gone(6)]),
        (0, vec![], vec![gone(6)]),
        (0, vec![other()], vec![first(), gone(3), gone(6)]),
        (0, vec![version(b"k", 7, 8, 1)], vec![first(), gone(6)]),
        (0, vec![version(b"k", 7, 8, 2)], vec![first(), gone(6)]),
        (0, vec![version(b"k", 2, 3, 2)], vec![first()]),
        (0, vec![again(), other()], vec![first(), gone(6), other()]),
        // Nothing would ever drop them.
        (5, vec![third()], vec![second()]),
        (6, vec![], vec![third(), gone(6)]),
    ] {
        assert_eq!(refused(compacted, &live, &past), elsewhere, "{past:?}");
    }
    let valued = Record::new(b"k", Meta::deleted(6), [b"v", b""]);
    assert_eq!(
        refused(0, &[], &[first(), valued]),
        Some("a record of the store is damaged")
    );
    assert_eq!(
        refused(0, &[gone(6)], &[]),
        Some("a record of the store is damaged")
    );
}
