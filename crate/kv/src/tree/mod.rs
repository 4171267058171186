//! A persistent ordered tree of records: a B+tree whose nodes are shared until they are changed.
//!
//! A clone is one pointer, and stays as it is whatever happens to the other: a change copies the
//! nodes above it that anyone else can see, and works in place in the others. Every inner node knows
//! how many records and encoded bytes are under each child, so that the count of a range and the
//! record at a byte offset cost one descent.
//!
//! `node` has the shape and the change of one record, `join` cuts trees apart and puts them together
//! (a range is removed by two cuts and one join, a tree is loaded by joining leaves), `iter` walks,
//! `reclaim` frees.

mod iter;
mod join;
mod node;
pub(crate) mod reclaim;
#[cfg(test)]
mod tests;

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::Arc;

use crate::record::Record;

use iter::Iter;
use node::{Child, Node};

pub(crate) use node::LEAF_MAX;

/// Records in the order of their keys.
#[derive(Clone)]
pub(crate) struct Tree {
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
    /// The sum of their hashes. A key is in it once, so this names the set, and the set its order.
    pub(crate) hash: u64,
}

impl Tree {
    /// A tree of at most [`LEAF_MAX`] records in order.
    pub(crate) fn from_leaf(records: Vec<Record>) -> Self {
        assert!(records.len() <= LEAF_MAX);
        Self {
            root: Child::leaf(Arc::default(), records),
            height: 0,
        }
    }

    /// What is in it.
    pub(crate) fn total(&self) -> Summary {
        self.root.total
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Record> {
        let mut node = &*self.root.node;
        loop {
            match node {
                Node::Leaf(records) => {
                    return node::position(records, key).ok().map(|at| &records[at]);
                }
                Node::Inner(children) => node = &children[node::route(children, key)].node,
            }
        }
    }

    /// The record of the greatest key below one.
    pub(crate) fn below(&self, key: &[u8]) -> Option<&Record> {
        let mut node = &*self.root.node;
        let mut left = None;
        loop {
            match node {
                Node::Leaf(records) => {
                    let at = node::position(records, key).unwrap_or_else(|at| at);
                    return match at {
                        0 => left.and_then(Child::last),
                        _ => Some(&records[at - 1]),
                    };
                }
                Node::Inner(children) => {
                    let at = node::route(children, key);
                    if at > 0 {
                        left = Some(&children[at - 1]);
                    }
                    node = &children[at].node;
                }
            }
        }
    }

    /// The record of the greatest key.
    pub(crate) fn last(&self) -> Option<&Record> {
        self.root.last()
    }

    /// Stores a record in place of the one with its key.
    pub(crate) fn insert(&mut self, record: Record) {
        if let (_, Some(right)) = node::insert(&mut self.root, record) {
            let left = std::mem::take(&mut self.root);
            self.root = Child::inner(vec![left, right]);
            self.height += 1;
        }
    }

    /// Removes the record of a key.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Record> {
        // Nothing may be copied for a key that is not there.
        self.get(key)?;
        let removed = node::remove(&mut self.root, key);
        if let Some(only) = self.root.only_child() {
            self.root = only;
            self.height -= 1;
        }
        Some(removed)
    }

    /// How many keys are in a range.
    pub(crate) fn count(&self, start: &[u8], end: Option<&[u8]>) -> u64 {
        let end = end.map_or(self.total().count, |end| self.count_before(end));
        end.saturating_sub(self.count_before(start))
    }

    fn count_before(&self, key: &[u8]) -> u64 {
        let mut before = 0;
        let mut node = &*self.root.node;
        loop {
            match node {
                Node::Leaf(records) => {
                    let at = node::position(records, key).unwrap_or_else(|at| at);
                    return before + at as u64;
                }
                Node::Inner(children) => {
                    let at = node::route(children, key);
                    before += children[..at]
                        .iter()
                        .map(|child| child.total.count)
                        .sum::<u64>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The records from a key on.
    pub(crate) fn iter_from(&self, key: &[u8]) -> Iter<'_> {
        Iter::from_key(&self.root.node, key)
    }

    /// The records from the one that has the byte at `offset` of all encodings in a row, and how
    /// many of its bytes come before.
    pub(crate) fn iter_at(&self, offset: u64) -> (Iter<'_>, usize) {
        Iter::from_offset(&self.root.node, offset)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::from_leaf(Vec::new())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        reclaim::release(&mut self.root);
    }
}

impl Summary {
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
