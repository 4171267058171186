//! Stored records: what is written comes back, and damage is named, never accepted.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::raft::{
    ConfState, CorruptState, Entry, EntryId, HardState, Index, NodeId, Payload, PersistBatch,
    Random, SnapshotChunk, SnapshotManifest, SnapshotMeta, StorageId, Term,
};
use quorate_rsm::storage::{
    Damage, Ident, Layout, Loaded, LoadedGroup, Round, StorageError, load, scan, seal_round,
};

const GROUP: u32 = 0;

/// The dumbest store: a map.
#[derive(Clone, Default)]
struct Store(BTreeMap<String, Vec<u8>>);

impl Store {
    fn write(&mut self, round: &Round) {
        for (from, to) in &round.deletes {
            self.0.retain(|key, _| key < from || key >= to);
        }
        self.0.extend(round.puts.iter().cloned());
    }

    fn load(&self) -> Result<Loaded, StorageError> {
        load(
            self.0
                .iter()
                .map(|(key, value)| (key.clone(), Bytes::copy_from_slice(value))),
        )
    }

    fn group(&self) -> LoadedGroup {
        self.load()
            .expect("an intact store")
            .groups
            .get(GROUP)
            .expect("the group")
            .clone()
    }

    fn damage(&self) -> (String, Damage) {
        let error = self.load().expect_err("a damaged store");
        (error.place, error.damage)
    }
}

/// A store with its writer.
struct Writer {
    store: Store,
    layout: Layout,
    rounds: Vec<Round>,
}

impl Writer {
    fn new() -> Self {
        let mut writer = Self {
            store: Store::default(),
            layout: Layout::new(GROUP),
            rounds: Vec::new(),
        };
        let ident = Ident {
            cluster: "shop".into(),
            node: NodeId(2),
            storage: StorageId(7 << 60),
            cluster_id: 9 << 50,
            founders: ConfState::new([1, 2, 3].map(NodeId)),
            machine: 0,
        };
        let mut round = Round::default();
        ident.put(&mut round);
        writer.store.write(&round);
        writer.rounds.push(round);
        writer
    }

    fn write(&mut self, batch: &PersistBatch) {
        let mut round = Round::default();
        self.layout.round(batch, &mut round);
        self.store.write(&round);
        self.rounds.push(round);
    }
}

fn entry(term: u64, index: u64) -> Entry {
    let id = EntryId::new(Term(term), Index(index));
    Entry {
        id,
        payload: Payload::Command(Bytes::from(format!("{term}/{index}"))),
    }
}

fn entries(term: u64, range: std::ops::RangeInclusive<u64>) -> PersistBatch {
    let hard_state = Some(HardState {
        term: Term(term),
        vote: Some(NodeId(1)),
    });
    let entries = range.map(|index| entry(term, index)).collect();
    PersistBatch {
        hard_state,
        entries,
        ..PersistBatch::default()
    }
}

fn chunk(snapshot: u64, number: u32) -> SnapshotChunk {
    let data = Bytes::from(format!("chunk {number} of {snapshot}"));
    SnapshotChunk {
        snapshot: Index(snapshot),
        number,
        data,
    }
}

fn manifest(last: EntryId, chunks: u32, log_start: EntryId, clear_log: bool) -> PersistBatch {
    let conf_state = Arc::new(ConfState::new([1, 2, 3].map(NodeId)));
    let meta = SnapshotMeta { last, conf_state };
    let snapshot = Some(Box::new(SnapshotManifest {
        meta,
        chunks,
        log_start,
        clear_log,
    }));
    let chunks = (0..chunks)
        .map(|number| chunk(last.index.0, number))
        .collect();
    PersistBatch {
        chunks,
        snapshot,
        ..PersistBatch::default()
    }
}

fn id(term: u64, index: u64) -> EntryId {
    EntryId::new(Term(term), Index(index))
}

fn log(group: &LoadedGroup) -> Vec<EntryId> {
    group
        .restored
        .entries
        .iter()
        .map(|entry| entry.id)
        .collect()
}

#[test]
fn what_is_written_comes_back() {
    let mut writer = Writer::new();
    writer.write(&PersistBatch {
        commit: Index(1),
        ..entries(3, 1..=2)
    });
    writer.write(&PersistBatch {
        commit: Index(2),
        ..entries(4, 3..=3)
    });
    let loaded = writer.store.load().expect("an intact store");
    let ident = loaded.ident.expect("an identity");
    assert_eq!(
        (&*ident.cluster, ident.node, ident.storage, ident.cluster_id),
        ("shop", NodeId(2), StorageId(7 << 60), 9 << 50)
    );
    let group = &loaded.groups.get(GROUP).expect("the group");
    assert_eq!(log(group), [id(3, 1), id(3, 2), id(4, 3)]);
    assert_eq!(group.restored.commit, Index(2));
    assert_eq!(group.restored.hard_state.vote, Some(NodeId(1)));
    assert_eq!(group.layout, writer.layout);
    assert_eq!(Store::default().load(), Ok(Loaded::default()));
}

#[test]
fn a_group_with_founders_of_its_own_comes_back_and_goes_without_a_trace() {
    let mut writer = Writer::new();
    let before = writer.store.clone();
    let layout = Layout::new;
    let founders = |nodes: [u64; 2]| {
        let mut founders = ConfState::new(nodes.map(NodeId));
        founders.storages = nodes
            .map(|id| (NodeId(id), StorageId(7 * id)))
            .into_iter()
            .collect();
        founders
    };
    for (group, nodes) in [(0xabcd, [1, 3]), (0xa_bcde, [1, 4])] {
        let mut round = Round::default();
        layout(group).found(&founders(nodes), &mut round);
        writer.store.write(&round);
        let mut loaded = writer.store.load().expect("an intact store");
        let fresh = LoadedGroup::fresh(group, &founders(nodes));
        assert_eq!(loaded.groups.remove(group), Some(fresh));
    }
    for (group, left) in [(0xabcd, 1), (0xa_bcde, 0)] {
        let mut round = Round::default();
        layout(group).clear(&mut round);
        writer.store.write(&round);
        let records = writer.store.0.keys();
        let of_groups = records.filter(|key| !before.0.contains_key(*key)).count();
        assert_eq!(of_groups, 2 * left, "after {group:x}");
    }
    assert_eq!(writer.store.0, before.0);
}

#[test]
fn later_record_cuts_an_earlier_one() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=5));
    writer.write(&entries(1, 6..=7));
    writer.write(&entries(2, 3..=3));
    assert_eq!(log(&writer.store.group()), [id(1, 1), id(1, 2), id(2, 3)]);
    writer.write(&entries(2, 4..=4));
    assert_eq!(
        log(&writer.store.group()),
        [id(1, 1), id(1, 2), id(2, 3), id(2, 4)]
    );
}

#[test]
fn snapshot_drops_what_it_replaces_and_keeps_the_tail() {
    let mut writer = Writer::new();
    for index in 1..=6 {
        writer.write(&entries(1, index..=index));
    }
    writer.write(&manifest(id(1, 5), 2, id(1, 3), false));
    let group = writer.store.group();
    assert_eq!(log(&group), [id(1, 4), id(1, 5), id(1, 6)]);
    assert_eq!(
        (group.restored.log_start, group.restored.snapshot.last),
        (id(1, 3), id(1, 5))
    );
    assert_eq!(group.chunks, [chunk(5, 0).data, chunk(5, 1).data]);
    assert_eq!(writer.layout.clone(), group.layout);
    assert_eq!(
        writer
            .store
            .0
            .keys()
            .filter(|key| key.contains("/log/"))
            .count(),
        3
    );
}

#[test]
fn installed_snapshot_clears_a_log_it_does_not_share() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=9));
    writer.write(&manifest(id(3, 7), 1, id(3, 7), true));
    let group = writer.store.group();
    assert_eq!((log(&group), group.restored.log_start), (vec![], id(3, 7)));
    writer.write(&entries(3, 8..=8));
    assert_eq!(log(&writer.store.group()), [id(3, 8)]);
}

#[test]
fn unfinished_snapshots_are_ignored_and_removed_by_the_next() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=4));
    writer.write(&PersistBatch {
        chunks: vec![chunk(2, 0)],
        ..PersistBatch::default()
    });
    // A leader's, of which the first chunk arrives while the own one completes.
    writer.write(&PersistBatch {
        chunks: vec![chunk(9, 0)],
        ..PersistBatch::default()
    });
    assert_eq!(log(&writer.store.group()).len(), 4);
    writer.write(&manifest(id(1, 3), 1, id(1, 3), false));
    let kept: Vec<_> = writer
        .store
        .0
        .keys()
        .filter(|key| key.contains("/snap/"))
        .collect();
    assert_eq!(
        kept,
        [
            "0000/snap/0000000000000003/00000000",
            "0000/snap/0000000000000009/00000000"
        ]
    );
    assert_eq!(writer.store.group().chunks, [chunk(3, 0).data]);
}

#[test]
fn every_flipped_bit_of_every_record_is_named() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=2));
    writer.write(&manifest(id(1, 2), 1, id(1, 1), false));
    for (key, record) in &writer.store.0 {
        for bit in 0..record.len() * 8 {
            let mut store = writer.store.clone();
            store.0.get_mut(key).expect("a record")[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(store.damage(), (key.clone(), Damage::Checksum), "bit {bit}");
        }
    }
}

#[test]
fn swapped_records_are_noticed() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=1));
    writer.write(&entries(1, 2..=2));
    let mut store = writer.store.clone();
    let [a, b] = ["0000/log/0000000000000001", "0000/log/0000000000000002"];
    let first = store.0[a].clone();
    store.0.insert(b.into(), first);
    assert_eq!(store.damage(), (b.into(), Damage::Checksum));
}

#[test]
fn missing_records_are_noticed() {
    let mut writer = Writer::new();
    for index in 1..=3 {
        writer.write(&entries(1, index..=index));
    }
    writer.write(&manifest(id(1, 1), 2, EntryId::ZERO, false));
    let without = |key: &str| {
        let mut store = writer.store.clone();
        assert!(store.0.remove(key).is_some());
        store.damage()
    };
    assert_eq!(
        without("ident"),
        ("ident".into(), Damage::Missing("the identity"))
    );
    assert_eq!(
        without("0000/hard"),
        ("0000/hard".into(), Damage::Missing("the hard state"))
    );
    let chunk = "0000/snap/0000000000000001/00000001";
    assert_eq!(
        without(chunk),
        (chunk.into(), Damage::Missing("a chunk of the snapshot"))
    );
    let gap = CorruptState::Gap {
        expected: Index(2),
        found: Index(3),
    };
    let after_the_gap = "0000/log/0000000000000003".into();
    assert_eq!(
        without("0000/log/0000000000000002"),
        (after_the_gap, Damage::Inconsistent(gap))
    );
}

#[test]
fn without_term_and_vote_there_is_neither_a_log_nor_a_snapshot() {
    for batch in [entries(1, 1..=2), manifest(id(1, 2), 1, id(1, 2), true)] {
        let mut writer = Writer::new();
        writer.write(&batch);
        writer.store.0.remove("0000/hard");
        let missing = Damage::Missing("the hard state");
        assert_eq!(writer.store.damage(), ("0000/hard".into(), missing));
    }
}

#[test]
fn who_has_not_voted_comes_back_so() {
    for vote in [None, Some(NodeId(1))] {
        let (term, mut writer) = (Term(3), Writer::new());
        let hard_state = Some(HardState { term, vote });
        writer.write(&PersistBatch {
            hard_state,
            ..PersistBatch::default()
        });
        let restored = writer.store.group().restored;
        assert_eq!(Some(restored.hard_state), hard_state);
    }
}

#[test]
fn no_log_begins_at_zero() {
    let mut writer = Writer::new();
    writer.write(&entries(1, 0..=1));
    let (_, damage) = writer.store.damage();
    assert_eq!(
        damage,
        Damage::Malformed("its index is not that of its key")
    );
}

#[test]
fn unknown_keys_are_refused() {
    for key in [
        "hello",
        "0000/log/1",
        "0000/log/000000000000000A",
        "00000/hard",
        "0000/hard/x",
    ] {
        let mut store = Writer::new().store;
        store.0.insert(key.into(), Vec::new());
        assert_eq!(
            store.damage(),
            (key.into(), Damage::Malformed("an unknown key"))
        );
    }
}

/// Random batches as a node would write them, against a list of entries.
#[test]
fn log_equals_a_simple_model_at_every_step() {
    let mut random = Random::new(3);
    for _ in 0..100 {
        let mut writer = Writer::new();
        writer.write(&PersistBatch {
            hard_state: Some(HardState {
                term: Term(1),
                vote: None,
            }),
            ..Default::default()
        });
        let (mut start, mut model): (EntryId, Vec<Entry>) = (EntryId::ZERO, Vec::new());
        let (mut term, mut snapshot) = (1, 0);
        for _ in 0..60 {
            let last = start.index.0 + model.len() as u64;
            if random.below(8) == 0 && last > snapshot {
                // Compact up to somewhere, or install beyond the end.
                let install = random.below(3) == 0;
                let id = if install {
                    id(term, last + 1 + random.below(5))
                } else {
                    model.last().map_or(start, |entry| entry.id)
                };
                snapshot = id.index.0;
                if install {
                    (start, model) = (id, Vec::new());
                } else {
                    let keep = random.below(1 + model.len() as u64) as usize;
                    let dropped = model.drain(..model.len() - keep);
                    start = dropped.last().map_or(start, |entry| entry.id);
                }
                writer.write(&manifest(id, 2, start, install));
            } else {
                let cut = if random.below(4) == 0 {
                    random.below(1 + last - snapshot)
                } else {
                    0
                };
                term += u64::from(cut > 0);
                model.truncate(model.len() - (cut as usize).min(model.len()));
                let first = start.index.0 + model.len() as u64 + 1;
                let batch = entries(term, first..=first + random.below(4));
                model.extend(batch.entries.iter().cloned());
                writer.write(&batch);
            }
            let group = writer.store.group();
            assert_eq!(
                (group.restored.log_start, &group.restored.entries),
                (start, &model)
            );
            assert_eq!(
                group.layout, writer.layout,
                "a restart knows the same records"
            );
            assert!(
                writer.store.0.len() <= 64 + 2 * model.len(),
                "nothing is left behind"
            );
        }
    }
}

fn file(rounds: &[Round]) -> (Vec<u8>, Vec<usize>) {
    let mut file = Vec::new();
    let mut ends = vec![0];
    for (round, sequence) in rounds.iter().zip(5..) {
        file.extend(seal_round(sequence, round));
        ends.push(file.len());
    }
    (file, ends)
}

fn three_rounds() -> Vec<Round> {
    let mut writer = Writer::new();
    writer.write(&entries(1, 1..=2));
    writer.write(&manifest(id(1, 2), 1, id(1, 1), false));
    writer.rounds
}

#[test]
fn file_of_rounds_comes_back() {
    let rounds = three_rounds();
    let (file, _) = file(&rounds);
    let scanned = scan(&file).expect("an intact file");
    assert_eq!((scanned.valid_bytes, scanned.torn), (file.len(), false));
    assert_eq!(
        scanned
            .rounds
            .iter()
            .map(|r| r.sequence)
            .collect::<Vec<_>>(),
        [5, 6, 7]
    );
    assert!(
        scanned
            .rounds
            .into_iter()
            .map(|scanned| scanned.round)
            .eq(rounds)
    );
    assert_eq!(scan(&[]), Ok(quorate_rsm::storage::Scan::default()));
}

#[test]
fn every_cut_of_a_file_is_a_torn_tail_and_loses_the_last_round_only() {
    let (file, ends) = file(&three_rounds());
    for cut in 0..file.len() {
        let scanned = scan(&file[..cut]).expect("a torn tail");
        let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(
            (scanned.rounds.len(), scanned.valid_bytes),
            (whole, ends[whole])
        );
        assert_eq!(scanned.torn, ends[whole] != cut);
    }
}

#[test]
fn every_flipped_bit_of_a_file_is_damage_at_its_round() {
    let (file, ends) = file(&three_rounds());
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = scan(&flipped).expect_err("damage");
        let start = ends.iter().rfind(|end| **end <= bit / 8).expect("a round");
        assert_eq!(
            (error.place, error.damage),
            (start.to_string(), Damage::Checksum),
            "{bit}"
        );
    }
}

#[test]
fn pages_that_were_never_written_are_a_torn_tail_only_at_the_end() {
    let big = Round {
        puts: vec![("0000/log/0000000000000001".into(), vec![9; 4_000])],
        ..Round::default()
    };
    let (file, ends) = file(&[three_rounds()[0].clone(), big.clone()]);
    let mut torn = file.clone();
    torn[1_024..1_536].fill(0);
    let scanned = scan(&torn).expect("a torn tail");
    assert_eq!(
        (scanned.rounds.len(), scanned.valid_bytes, scanned.torn),
        (1, ends[1], true)
    );
    // The same hole with a valid record after it.
    torn.extend(seal_round(7, &big));
    assert_eq!(
        scan(&torn).map_err(|error| error.place),
        Err(ends[1].to_string())
    );
    // Space that was reserved and never written.
    let mut reserved = file.clone();
    reserved.extend([0; 700]);
    let scanned = scan(&reserved).expect("a torn tail");
    assert_eq!((scanned.valid_bytes, scanned.torn), (file.len(), true));
    reserved.extend([1]);
    assert!(scan(&reserved).is_err());
}

#[test]
fn rounds_out_of_order_and_of_newer_software_are_refused() {
    let rounds = three_rounds();
    let swapped = [seal_round(6, &rounds[0]), seal_round(5, &rounds[1])].concat();
    assert!(matches!(
        scan(&swapped).map_err(|e| e.damage),
        Err(Damage::Malformed(_))
    ));
    let mut newer = seal_round(5, &rounds[0]);
    newer[2] = 3;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&newer[..8]);
    newer[8..12].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(
        scan(&newer).map_err(|e| e.damage),
        Err(Damage::Version { found: 3 })
    );
}

#[test]
fn a_record_that_ends_in_unwritten_sectors_is_torn_wherever_it_begins() {
    // The last record begins at every place in a sector, its header across two included.
    for filler in 0..600 {
        let put = |len| Round {
            puts: vec![("0000/log/0000000000000001".into(), vec![9; len])],
            ..Round::default()
        };
        let (file, ends) = file(&[put(filler), put(1_000)]);
        let begin = ends[1];
        let sectors = (begin.next_multiple_of(512)..file.len() - 3).step_by(512);
        for sector in sectors {
            let mut torn = file.clone();
            torn[sector..].fill(0);
            let scanned = scan(&torn).expect("a torn tail");
            assert_eq!(
                (scanned.valid_bytes, scanned.torn),
                (begin, true),
                "{sector}"
            );
        }
    }
}

#[test]
fn damage_in_a_last_record_full_of_zeros_is_no_torn_tail() {
    let mut round = Round::default();
    round.puts.push(("zeros".into(), vec![0; 4_096]));
    let file = seal_round(1, &round);
    assert!(scan(&file).is_ok_and(|scan| scan.rounds[0].round == round));
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x20;
        assert!(scan(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn an_identity_names_a_machine_that_is_no_store() {
    let ident = |machine| Ident {
        cluster: "shop".into(),
        node: NodeId(2),
        storage: StorageId(7 << 60),
        cluster_id: 9 << 50,
        founders: ConfState::new([1, 2, 3].map(NodeId)),
        machine,
    };
    let record = |machine| {
        let mut round = Round::default();
        ident(machine).put(&mut round);
        round.puts.remove(0)
    };
    for machine in [0, 1, 300] {
        let (key, record) = record(machine);
        let loaded = load([(key, record.into())]).expect("an intact store");
        assert_eq!(loaded.ident, Some(ident(machine)));
    }
    // Of a store nothing is said: its records are what they were before there were other machines.
    assert_eq!(record(1).1.len(), record(0).1.len() + 1);
}
