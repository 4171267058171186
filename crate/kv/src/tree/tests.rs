use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::node::{Child, Node};
use super::place::Divider;
use super::{By, Change, LEAF_MAX, Place, Summary, Tree, reclaim};
use crate::record::{Meta, Record};
use crate::testing::Random;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn record(key: &[u8], value: &[u8]) -> Record {
    Record::new(key, Meta::created(1), [value, &[]])
}

fn numbered(number: usize) -> Record {
    record(
        format!("{number:06}").as_bytes(),
        &number.to_string().into_bytes(),
    )
}

fn numbers(range: std::ops::Range<usize>) -> Tree {
    let mut tree = Tree::default();
    for number in range {
        tree.insert(numbered(number));
    }
    tree
}

fn contents(tree: &Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = |record: &Record| (record.key().to_vec(), record.value().to_vec());
    tree.iter().map(own).collect()
}

fn model_contents(model: &Model) -> Vec<(Vec<u8>, Vec<u8>)> {
    model
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Every invariant that `node` states.
fn check(tree: &Tree) {
    let root = Spot {
        by: tree.by,
        height: tree.height,
        is_root: true,
        is_right_edge: true,
    };
    check_child(&tree.root, root, (None, None));
}

/// Where in a tree a node is.
#[derive(Clone, Copy)]
struct Spot {
    by: By,
    height: u32,
    is_root: bool,
    is_right_edge: bool,
}

fn check_child(child: &Child, spot: Spot, (low, high): (Option<&Divider>, Option<&Divider>)) {
    let check_fill = |len: usize, least_at_edge: usize| {
        let least = if spot.is_root || (spot.is_right_edge && spot.by == By::Revision) {
            least_at_edge
        } else {
            LEAF_MAX / 2
        };
        assert!((least..=LEAF_MAX).contains(&len), "{len} in a node");
    };
    let total: Summary = match &*child.node {
        Node::Leaf(records) => {
            assert_eq!(spot.height, 0, "a leaf has another depth");
            check_fill(records.len(), usize::from(!spot.is_root));
            for pair in records.windows(2) {
                assert!(spot.by.compare(&pair[0], pair[1].place()).is_lt());
            }
            for record in records {
                let place = record.place();
                let is_behind = |divider: &Divider| spot.by.order(divider.place(), place).is_le();
                assert!(low.is_none_or(is_behind), "a record is below its divider");
                assert!(
                    !high.is_some_and(is_behind),
                    "a record is above its divider"
                );
            }
            records.iter().map(Summary::of).sum()
        }
        Node::Inner(children) => {
            assert!(spot.height > 0, "a leaf has another depth");
            check_fill(children.len(), if spot.is_root { 2 } else { LEAF_MAX / 2 });
            for (at, child) in children.iter().enumerate() {
                let low = if at == 0 { low } else { Some(&child.low) };
                let high = children.get(at + 1).map_or(high, |next| Some(&next.low));
                let spot = Spot {
                    height: spot.height - 1,
                    is_root: false,
                    is_right_edge: spot.is_right_edge && at + 1 == children.len(),
                    ..spot
                };
                check_child(child, spot, (low, high));
            }
            children.iter().map(|child| child.total).sum()
        }
    };
    assert_eq!(child.total, total);
}

/// The nodes of a tree, by address.
fn nodes(tree: &Tree) -> BTreeSet<*const Node> {
    fn collect(node: &Arc<Node>, found: &mut BTreeSet<*const Node>) {
        found.insert(Arc::as_ptr(node));
        if let Node::Inner(children) = &**node {
            children
                .iter()
                .for_each(|child| collect(&child.node, found));
        }
    }
    let mut found = BTreeSet::new();
    collect(&tree.root.node, &mut found);
    found
}

#[test]
fn random_changes_agree_with_a_map_and_leave_clones_alone() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let (mut tree, mut model) = (Tree::default(), Model::new());
        let mut clones: Vec<(Tree, Model)> = Vec::new();
        // Phases of growth and of decay, so that trees of all heights come and go.
        for step in 0..2_000 {
            let grows = (step / 400) % 2 == 0;
            // Few letters and varied lengths: keys that are prefixes of others, and repeats.
            let len = 1 + random.below(6);
            let key: Vec<u8> = (0..len).map(|_| b"ab\xff"[random.below(3)]).collect();
            match random.below(if grows { 20 } else { 12 }) {
                0..8 => {
                    let removed = tree.remove(&key);
                    assert_eq!(removed.map(|old| old.value().to_vec()), model.remove(&key));
                }
                8 => {
                    let len = random.below(40);
                    let end = [&key[..], &random.bytes(len)[..]].concat();
                    let end = (random.below(8) > 0).then_some(end);
                    let removed = tree.remove_range(&key, end.as_deref());
                    check(&removed);
                    let beyond = end.map(|end| model.split_off(&end));
                    let expected = model.split_off(&key);
                    model.extend(beyond.unwrap_or_default());
                    assert_eq!(contents(&removed), model_contents(&expected));
                }
                9 if random.below(10) == 0 => clones.push((tree.clone(), model.clone())),
                _ => {
                    let len = random.below(20);
                    let value = random.bytes(len);
                    tree.insert(record(&key, &value));
                    model.insert(key.clone(), value);
                }
            }
            check(&tree);
            assert_eq!(tree.total().count, model.len() as u64);
            assert_eq!(
                tree.get(&key).map(Record::value),
                model.get(&key).map(Vec::as_slice)
            );
            assert_eq!(
                tree.last().map(Record::key),
                model.keys().last().map(Vec::as_slice)
            );
        }
        assert_eq!(contents(&tree), model_contents(&model));
        assert!(!clones.is_empty());
        for (clone, model) in &clones {
            check(clone);
            assert_eq!(contents(clone), model_contents(model));
        }
    }
}

/// Random records, most of them of late revisions; what goes is mostly the oldest.
#[test]
fn versions_and_revisions_agree_with_a_map_in_their_order() {
    let order = |by, place: Place<'_>| match by {
        By::Version => (0, place.key.to_vec(), place.revision),
        By::Key | By::Revision => (place.revision, place.key.to_vec(), 0),
    };
    for (seed, by) in (0..20).zip([By::Version, By::Revision].into_iter().cycle()) {
        let mut random = Random::new(seed);
        let (mut tree, mut model) = (Tree::new(by), BTreeMap::new());
        let mut highest = 0;
        for step in 0..2_000 {
            let grows = (step / 400) % 2 == 0;
            let len = 1 + random.below(3);
            let key: Vec<u8> = (0..len).map(|_| b"\0ab\xff"[random.below(4)]).collect();
            let late = 1 + step as u64 / 3 - random.below(3).min(step / 3) as u64;
            let place = Place::new(&key, late);
            match random.below(if grows { 20 } else { 7 }) {
                0 => {
                    let removed = tree.remove(place).map(|old| old.value().to_vec());
                    assert_eq!(removed, model.remove(&order(by, place)));
                }
                1..5 => {
                    let oldest = tree.iter().next().cloned();
                    assert_eq!(
                        oldest.as_ref().map(|oldest| order(by, oldest.place())),
                        model.keys().next().cloned()
                    );
                    if let Some(oldest) = oldest {
                        assert!(tree.remove(oldest.place()).is_some());
                        model.pop_first();
                    }
                }
                _ => {
                    let meta = Meta::created(late);
                    let value = random.bytes(3);
                    let replaced = tree.insert(Record::new(&key, meta, [&value, &[]]));
                    let expected = model.insert(order(by, place), value);
                    assert_eq!(replaced.map(|old| old.value().to_vec()), expected);
                }
            }
            highest = highest.max(tree.height);
            check(&tree);
            let found = tree.get(place).map(Record::value);
            assert_eq!(found, model.get(&order(by, place)).map(Vec::as_slice));
            let at = order(by, place);
            let below = tree.below(place).map(Record::value);
            let expected = model.range(..at.clone()).next_back();
            assert_eq!(below, expected.map(|(_, value)| value.as_slice()));
            let next = tree.next(place).map(Record::value);
            let expected = model.range(at.clone()..).next();
            assert_eq!(next, expected.map(|(_, value)| value.as_slice()));
            let rest = tree.iter_from(place).map(Record::value);
            assert!(rest.eq(model.range(at..).map(|(_, value)| value.as_slice())));
        }
        assert!(highest > 1, "the trees are low");
    }
}

#[test]
fn a_tree_by_revision_has_full_leaves() {
    let mut tree = Tree::new(By::Revision);
    for revision in 1..=700 {
        tree.insert(Record::new(b"key", Meta::created(revision), [b"", b""]));
        check(&tree);
    }
    let leaves = nodes(&tree).len();
    assert!(leaves <= 700 / LEAF_MAX * 4 / 3, "{leaves} nodes");
}

#[test]
fn counts_and_walks_start_anywhere() {
    let tree = numbers(0..700);
    for at in (0..700).step_by(3) {
        for (key, from) in [(format!("{at:06}"), at), (format!("{at:06}+"), at + 1)] {
            let rest: Vec<_> = tree.iter_from(key.as_bytes()).map(Record::key).collect();
            assert_eq!(rest.len(), 700 - from);
            assert_eq!(
                rest.first().copied(),
                numbers(from..700).iter().next().map(Record::key)
            );
            assert_eq!(tree.count(key.as_bytes(), None), 700 - from as u64);
            assert_eq!(tree.count(b"", Some(key.as_bytes())), from as u64);
        }
    }
    assert_eq!(tree.count(b"000100", Some(b"000350")), 250);
    assert_eq!(tree.count(b"000350", Some(b"000100")), 0);
}

#[test]
fn every_byte_offset_finds_its_record() {
    let tree = numbers(0..300);
    let mut offset = 0;
    for (at, record) in tree.iter().enumerate() {
        for skip in 0..record.encoded().len() {
            let (mut walk, skipped) = tree.iter_at(offset);
            assert_eq!(skipped, skip);
            assert_eq!(walk.next().map(Record::key), Some(record.key()));
            assert_eq!(walk.count(), 299 - at);
            offset += 1;
        }
    }
    assert_eq!(offset, tree.total().bytes);
    assert!(tree.iter_at(offset).0.next().is_none());
    assert!(tree.iter_at(u64::MAX).0.next().is_none());
    assert!(Tree::default().iter_at(0).0.next().is_none());
}

#[test]
fn trees_of_any_two_heights_join_and_part() {
    let sizes = [0, 1, 2, 3, 5, 6, 7, 12, 30, 31, 100, 160, 700];
    for left in sizes {
        for right in sizes {
            let mut tree = numbers(0..left);
            tree.append(numbers(left..left + right));
            check(&tree);
            assert_eq!(contents(&tree), contents(&numbers(0..left + right)));

            let untouched = tree.clone();
            let key = format!("{left:06}");
            let removed = tree.remove_range(key.as_bytes(), None);
            check(&tree);
            check(&removed);
            check(&untouched);
            assert_eq!(contents(&tree), contents(&numbers(0..left)));
            assert_eq!(contents(&removed), contents(&numbers(left..left + right)));
            assert_eq!(untouched.total(), tree.total() + removed.total());
        }
    }
}

#[test]
fn a_sole_owner_changes_in_place() {
    let mut tree = numbers(0..300);
    let before = nodes(&tree);
    tree.insert(record(b"000100", b"another value"));
    assert_eq!(nodes(&tree), before);
}

#[test]
fn a_change_beside_a_clone_copies_one_path() {
    let mut tree = numbers(0..700);
    let clone = tree.clone();
    let before = nodes(&clone);
    tree.insert(record(b"000100", b"another value"));
    let copied = nodes(&tree).difference(&before).count();
    assert_eq!(copied, tree.height as usize + 1);
    assert_eq!(nodes(&clone), before);
    // What is not there is looked for before anything is copied.
    let mut tree = clone.clone();
    assert!(tree.remove(b"000100+").is_none());
    assert_eq!(
        tree.remove_range(b"000100+", Some(b"000101")).total().count,
        0
    );
    assert_eq!(nodes(&tree), before);
}

/// Frees what earlier tests of this thread left.
fn drain() {
    reclaim::free(usize::MAX);
    assert_eq!(reclaim::waiting(), 0);
}

#[test]
fn a_large_tree_is_freed_by_later_calls() {
    drain();
    let mut tree = numbers(0..2_000);
    let snapshot = tree.clone();
    for number in 0..1_000 {
        tree.insert(numbered(number));
    }
    let before = nodes(&snapshot).difference(&nodes(&tree)).count();
    let replaced = snapshot.get(b"000007").cloned().expect("it is there");
    let shared = snapshot.get(b"001900").cloned().expect("it is there");
    drop(snapshot);
    assert_eq!(replaced.owners(), 2, "it was freed at once");

    let mut steps = 0;
    while reclaim::waiting() > 0 && steps < before {
        reclaim::free(reclaim::AT_COMMAND);
        steps += 1;
    }
    assert_eq!(replaced.owners(), 1);
    assert_eq!(shared.owners(), 2, "the tree still has it");
    let least = (before - reclaim::AT_CHUNK) / reclaim::AT_COMMAND;
    assert!(
        (least..least + 5).contains(&steps),
        "{steps} steps for {before} nodes"
    );
    check(&tree);
}

#[test]
fn garbage_does_not_pile_up_however_often_snapshots_are_taken() {
    drain();
    let mut random = Random::new(5);
    let mut tree = numbers(0..5_000);
    for commands in [1, 3, 10, 30, 100, 300, 1_000] {
        let mut snapshot = tree.clone();
        for _ in 0..100 {
            for _ in 0..commands {
                reclaim::free(reclaim::AT_COMMAND);
                tree.insert(numbered(random.below(5_000)));
            }
            snapshot.clone_from(&tree);
        }
        drop(snapshot);
        let mut left = 0;
        while reclaim::waiting() > 0 {
            reclaim::free(1);
            left += 1;
        }
        // What the last snapshot alone had, and no more.
        let most = (8 * commands).min(nodes(&tree).len());
        assert!(
            left <= most,
            "{left} nodes with a snapshot every {commands} commands"
        );
    }
}

#[test]
fn a_small_tree_is_freed_at_once() {
    drain();
    let tree = numbers(0..100);
    let kept = tree.get(b"000007").cloned().expect("it is there");
    drop(tree);
    assert_eq!(kept.owners(), 1);
    assert_eq!(reclaim::waiting(), 0);
}

/// Random records for a tree of any order: most are new, some are in the tree already.
fn drawn(random: &mut Random, step: usize) -> Record {
    let len = 1 + random.below(3);
    let key: Vec<u8> = (0..len).map(|_| b"\0ab\xff"[random.below(4)]).collect();
    let revision = 1 + step as u64 / 3 - random.below(9).min(step / 3) as u64;
    let value = random.bytes(step % 2);
    Record::new(&key, Meta::created(revision), [&value, &[]])
}

/// What differs, by a look at every record.
fn expected_changes(base: &Tree, now: &Tree) -> Vec<(bool, Record)> {
    let mut changes: Vec<(bool, Record)> = Vec::new();
    changes.extend(
        base.iter()
            .filter(|old| now.get(old.place()).is_none())
            .map(|old| (false, old.clone())),
    );
    changes.extend(
        now.iter()
            .filter(|new| base.get(new.place()) != Some(new))
            .map(|new| (true, new.clone())),
    );
    changes.sort_by(|(_, a), (_, b)| now.by.compare(a, b.place()));
    changes
}

fn changes(base: &Tree, now: &Tree) -> Vec<(bool, Record)> {
    let own = |change| match change {
        Change::Removed(record) => (false, Record::clone(record)),
        Change::Added(record) => (true, Record::clone(record)),
    };
    now.changes_since(base).map(own).collect()
}

#[test]
fn the_difference_of_two_trees_is_that_of_their_records() {
    for (seed, by) in (0..30).zip([By::Key, By::Version, By::Revision].into_iter().cycle()) {
        let mut random = Random::new(seed);
        let mut tree = Tree::new(by);
        let mut olds = vec![tree.clone()];
        for step in 0..1_500 {
            match random.below(if (step / 500) % 2 == 0 { 12 } else { 4 }) {
                0 => drop(tree.remove(drawn(&mut random, step).place())),
                1 => drop(
                    tree.first()
                        .cloned()
                        .map(|first| tree.remove(first.place())),
                ),
                2 if random.below(8) == 0 => {
                    let (from, to) = (drawn(&mut random, step), drawn(&mut random, step));
                    let mut beyond = tree.split_off(from.place());
                    if by.rises(&from, &to) {
                        tree.append(beyond.split_off(to.place()));
                    }
                    check(&tree);
                }
                _ => drop(tree.insert(drawn(&mut random, step))),
            }
            if random.below(20) == 0 {
                olds.push(tree.clone());
            }
        }
        for _ in 0..300 {
            let (base, now) = (random.below(olds.len()), random.below(olds.len()));
            let (base, now) = (&olds[base], &olds[now]);
            let expected = expected_changes(base, now);
            assert_eq!(changes(base, now), expected);
            // The same records in nodes of their own.
            let records: Vec<Record> = now.iter().cloned().collect();
            let other = Tree::from_rising(by, &records);
            check(&other);
            assert_eq!(changes(base, &other), expected);
            assert!(changes(&other, now).is_empty());
        }
    }
}

#[test]
fn a_difference_costs_what_one_tree_alone_has() {
    let mut random = Random::new(3);
    let base = numbers(0..7_000);
    for changed in [0, 1, 10, 100] {
        let mut now = base.clone();
        for _ in 0..changed {
            // Some split nodes, some merge them: what is shared stands elsewhere.
            match random.below(4) {
                0 => drop(now.remove(format!("{:06}", random.below(7_000)).as_bytes())),
                1 => drop(now.insert(record(&random.bytes(5), b""))),
                _ => drop(now.insert(numbered(random.below(9_000)))),
            }
        }
        let (old, new) = (nodes(&base), nodes(&now));
        let apart = old.symmetric_difference(&new).count();
        let mut diff = now.changes_since(&base);
        let steps = std::iter::from_fn(|| diff.step()).count();
        // Each of them is opened, and what is in it passed.
        let most = 1 + apart * (1 + LEAF_MAX);
        assert!(steps <= most, "{steps} steps for {apart} nodes");
        assert!(apart <= 2 * 6 * changed, "{apart} nodes");
    }
}
