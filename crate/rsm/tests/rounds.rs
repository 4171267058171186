//! Rounds of records, at their edges. They ask for no more than they must: each delete is work for a
//! store, and a record that stays behind is there for ever.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::ops::RangeInclusive;
use std::sync::Arc;

use quorate_rsm::raft::{
    ConfState, Entry, EntryId, HardState, Index, NodeId, Payload, PersistBatch, SnapshotManifest,
    SnapshotMeta, Term,
};
use quorate_rsm::storage::{Damage, Layout, Round, scan, seal_round};

fn id(index: u64) -> EntryId {
    EntryId::new(Term(1), Index(index))
}

fn entries(range: RangeInclusive<u64>) -> PersistBatch {
    let entry = |index| Entry {
        id: id(index),
        payload: Payload::Noop,
    };
    PersistBatch {
        entries: range.map(entry).collect(),
        ..PersistBatch::default()
    }
}

/// An own snapshot of all up to 100, when the log is kept behind `log_start`.
fn snapshot(log_start: u64) -> PersistBatch {
    let manifest = SnapshotManifest {
        meta: SnapshotMeta {
            last: id(100),
            conf_state: Arc::new(ConfState::new([NodeId(1)])),
        },
        chunks: 0,
        log_start: id(log_start),
        clear_log: false,
    };
    PersistBatch {
        snapshot: Some(Box::new(manifest)),
        ..PersistBatch::default()
    }
}

/// The ranges of the log that a round with this deletes, by index.
fn deleted(layout: &mut Layout, batch: &PersistBatch) -> Vec<(u64, u64)> {
    let mut round = Round::default();
    layout.round(batch, &mut round);
    let index = |key: &str| {
        let digits = key.strip_prefix("0000/log/")?;
        u64::from_str_radix(digits, 16).ok()
    };
    let ranges = round.deletes.iter();
    ranges
        .filter_map(|(from, to)| Some((index(from)?, index(to)?)))
        .collect()
}

/// A group with the records 1 to 3, 4 to 6, and 7 to 9.
fn three_records() -> Layout {
    let mut layout = Layout::new(0);
    for first in [1, 4, 7] {
        assert_eq!(deleted(&mut layout, &entries(first..=first + 2)), []);
    }
    layout
}

#[test]
fn a_round_is_empty_when_it_neither_deletes_nor_puts() {
    let mut round = Round::default();
    assert!(round.is_empty());
    let hard_state = PersistBatch {
        hard_state: Some(HardState::default()),
        ..PersistBatch::default()
    };
    Layout::new(0).round(&hard_state, &mut round);
    assert!(round.deletes.is_empty() && !round.is_empty());
    let (deletes, puts) = (vec![("a".into(), "b".into())], Vec::new());
    assert!(!Round { deletes, puts }.is_empty());
}

#[test]
fn a_snapshot_deletes_the_records_before_the_one_that_is_still_needed() {
    // Up to where the log is no longer kept, and what of it goes.
    let cases = [
        (0, vec![]),
        (2, vec![]),
        (3, vec![(0, 4)]),
        (5, vec![(0, 4)]),
        (6, vec![(0, 7)]),
        (8, vec![(0, 7)]),
        (100, vec![(0, 7)]),
    ];
    for (log_start, gone) in cases {
        let mut layout = three_records();
        let snapshot = snapshot(log_start);
        assert_eq!(deleted(&mut layout, &snapshot), gone, "{log_start}");
        assert_eq!(deleted(&mut layout, &snapshot), [], "they are gone");
    }
}

#[test]
fn entries_that_replace_others_delete_the_records_that_begin_behind_them() {
    for (first, gone) in [
        (10, vec![]),
        (9, vec![]),
        (8, vec![]),
        (7, vec![(7, u64::MAX)]),
        (5, vec![(5, u64::MAX)]),
    ] {
        let mut layout = three_records();
        assert_eq!(deleted(&mut layout, &entries(first..=first)), gone);
        let next = first + 1;
        assert_eq!(deleted(&mut layout, &entries(next..=next)), []);
    }
}

/// A round that puts so many bytes besides the number.
fn put(bytes: usize, number: u64) -> Round {
    let value = [&number.to_le_bytes()[..], &vec![9; bytes]].concat();
    Round {
        puts: vec![("key".into(), value)],
        ..Round::default()
    }
}

/// How many bytes a round must put to fill so many of a file.
fn filling(size: usize) -> usize {
    let fits = |bytes: &usize| seal_round(1, &put(*bytes, 0)).len() == size;
    (0..size).find(fits).expect("a size")
}

#[test]
fn a_checksum_that_ends_with_a_zero_in_the_next_sector_was_written() {
    let bytes = filling(512 + 1);
    let mut files = (0..).map(|number| seal_round(1, &put(bytes, number)));
    let ends_with_zero = |file: &Vec<u8>| file.last() == Some(&0);
    let mut file = files.find(ends_with_zero).expect("one of 256");
    assert!(scan(&file).is_ok_and(|scan| !scan.torn));
    file[100] ^= 1;
    let damage = scan(&file).map_err(|error| error.damage);
    assert_eq!(damage, Err(Damage::Checksum));
}

#[test]
fn a_header_that_is_whole_is_no_torn_one() {
    // It ends with a sector.
    let first = seal_round(1, &put(filling(512 - 12), 0));
    let second = seal_round(2, &put(1_000, 0));
    let header = [&first[..], &second[..12]].concat();
    let torn = scan(&header).expect("the rest was not written");
    assert_eq!((torn.valid_bytes, torn.torn), (first.len(), true));
    let mut flipped = header.clone();
    flipped[first.len()] ^= 1;
    let room = [&header[..], &[0; 2_000]].concat();
    for damaged in [flipped, room] {
        let error = scan(&damaged).expect_err("damage");
        assert_eq!(error.damage, Damage::Checksum);
        assert_eq!(error.place, first.len().to_string());
    }
}
