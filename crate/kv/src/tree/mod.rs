//! A persistent ordered tree of records: a B+tree whose nodes are shared until they are changed.
//!
//! A clone is one pointer, and stays as it is whatever happens to the other: a change copies the
//! nodes above it that anyone else can see, and works in place in the others. Every inner node knows
//! how many records and encoded bytes are under each child, so that the count of a range and the
//! record at a byte offset cost one descent.
//!
//! `node` has the shape and the change of one record, `path` the way to it, `join` cuts trees apart
//! and puts them together (a range is removed by two cuts and one join, a tree is loaded by joining
//! leaves), `iter` walks, `diff` says what differs between two, `reclaim` frees, `place` says by what
//! records are ordered: one record can stand in several trees.

mod diff;
mod iter;
mod join;
mod node;
mod path;
mod place;
pub(crate) mod reclaim;
#[cfg(test)]
mod tests;

use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::record::Record;

use iter::Iter;
use node::{Child, Node, Stored};
use place::Divider;

pub(crate) use diff::Change;
pub(crate) use node::LEAF_MAX;
pub(crate) use path::Path;
pub(crate) use place::{By, Place};

/// Records in order.
#[derive(Clone)]
pub(crate) struct Tree {
    by: By,
    root: Child,
    /// Of the root; leaves have 0.
    height: u32,
}

/// What is under a node. A sum over its records, and so independent of its shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Records.
    pub(crate) count: u64,
    /// Their encoded bytes.
    pub(crate) bytes: u64,
    /// The sum of their hashes. A place is taken once, so this names the set, and the set its order.
    pub(crate) hash: u64,
}

impl Tree {
    /// A tree of nothing.
    pub(crate) fn new(by: By) -> Self {
        Self::from_leaf(by, Vec::new())
    }

    /// A tree of at most [`LEAF_MAX`] records in order.
    pub(crate) fn from_leaf(by: By, records: Vec<Record>) -> Self {
        assert!(records.len() <= LEAF_MAX);
        Self {
            by,
            root: Child::leaf(Divider::default(), records),
            height: 0,
        }
    }

    /// A tree of records in order.
    pub(crate) fn from_rising(by: By, records: &[Record]) -> Self {
        let mut tree = Self::new(by);
        for leaf in records.chunks(LEAF_MAX) {
            tree.append(Self::from_leaf(by, leaf.to_vec()));
        }
        tree
    }

    /// By what it is ordered.
    pub(crate) fn by(&self) -> By {
        self.by
    }

    /// What is in it.
    pub(crate) fn total(&self) -> Summary {
        self.root.total
    }

    pub(crate) fn get<'a>(&self, place: impl Into<Place<'a>>) -> Option<&Record> {
        self.find(place).1
    }

    /// The last record before a place.
    pub(crate) fn below<'a>(&self, place: impl Into<Place<'a>>) -> Option<&Record> {
        self.find_below(place).map(|(_, record)| record)
    }

    /// The first record from a place on.
    pub(crate) fn next<'a>(&self, place: impl Into<Place<'a>>) -> Option<&Record> {
        let (place, by) = (place.into(), self.by);
        let mut node = &*self.root.node;
        let mut right = None;
        loop {
            match node {
                Node::Leaf(records) => {
                    let at = node::position(records, place, by).unwrap_or_else(|at| at);
                    return records.get(at).or_else(|| right.and_then(Child::first));
                }
                Node::Inner(children) => {
                    let at = node::route(children, place, by);
                    right = children.get(at + 1).or(right);
                    node = &children[at].node;
                }
            }
        }
    }

    /// The record at the beginning.
    pub(crate) fn first(&self) -> Option<&Record> {
        self.root.first()
    }

    /// The record at the end.
    pub(crate) fn last(&self) -> Option<&Record> {
        self.root.last()
    }

    /// Stores a record in place of the one at its place, which comes back.
    pub(crate) fn insert(&mut self, record: Record) -> Option<Record> {
        let (path, _) = self.find(record.place());
        self.put(path, record)
    }

    /// The same, where the way to its place is known.
    pub(crate) fn put(&mut self, path: Path, record: Record) -> Option<Record> {
        let height = self.height as usize;
        match node::insert(&mut self.root, height, &path, record, self.by, true) {
            Stored::Replaced(old) => return Some(old),
            Stored::Added => {}
            Stored::Split(right) => {
                let left = std::mem::take(&mut self.root);
                self.root = Child::inner(vec![left, right]);
                self.height += 1;
            }
        }
        None
    }

    /// Removes the record of a place.
    pub(crate) fn remove<'a>(&mut self, place: impl Into<Place<'a>>) -> Option<Record> {
        // Nothing may be copied for what is not there.
        let (path, found) = self.find(place);
        found?;
        Some(self.take(path))
    }

    /// Removes the record to which a way leads.
    pub(crate) fn take(&mut self, path: Path) -> Record {
        let removed = node::remove(&mut self.root, self.height as usize, &path, self.by);
        if let Some(only) = self.root.only_child() {
            self.root = only;
            self.height -= 1;
        }
        removed
    }

    /// How many keys are in a range.
    pub(crate) fn count(&self, start: &[u8], end: Option<&[u8]>) -> u64 {
        let end = end.map_or(self.total().count, |end| self.count_before(end));
        end.saturating_sub(self.count_before(start))
    }

    fn count_before(&self, key: &[u8]) -> u64 {
        let (place, by) = (Place::from(key), self.by);
        let mut before = 0;
        let mut node = &*self.root.node;
        loop {
            match node {
                Node::Leaf(records) => {
                    let at = node::position(records, place, by).unwrap_or_else(|at| at);
                    return before + at as u64;
                }
                Node::Inner(children) => {
                    let at = node::route(children, place, by);
                    before += children[..at]
                        .iter()
                        .map(|child| child.total.count)
                        .sum::<u64>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// All records.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter::from_offset(&self.root.node, 0).0
    }

    /// The records from a place on.
    pub(crate) fn iter_from<'a>(&self, place: impl Into<Place<'a>>) -> Iter<'_> {
        Iter::from_place(&self.root.node, place.into(), self.by)
    }

    /// The records from the one that has the byte at `offset` of all encodings in a row, and how
    /// many of its bytes come before.
    pub(crate) fn iter_at(&self, offset: u64) -> (Iter<'_>, usize) {
        Iter::from_offset(&self.root.node, offset)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new(By::default())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        reclaim::release(&mut self.root);
    }
}

impl Summary {
    #[inline]
    fn of(record: &Record) -> Self {
        Self {
            count: 1,
            bytes: record.encoded().len() as u64,
            hash: record.hash(),
        }
    }
}

impl Add for Summary {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            bytes: self.bytes + other.bytes,
            hash: self.hash.wrapping_add(other.hash),
        }
    }
}

impl Sub for Summary {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            count: self.count - other.count,
            bytes: self.bytes - other.bytes,
            hash: self.hash.wrapping_sub(other.hash),
        }
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Summary {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Summary {
    fn sum<I: Iterator<Item = Self>>(summaries: I) -> Self {
        summaries.fold(Self::default(), Self::add)
    }
}
