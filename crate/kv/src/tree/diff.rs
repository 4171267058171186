//! What a tree has that another has not, and the other way round.
//!
//! Trees of which one came from the other share every node that no change touched. Both are walked at
//! once, and a node that both have is passed by with all that is under it: so the walk costs the nodes
//! that only one has, whatever the trees have in common. Trees that share nothing are read whole, and
//! equal records are no difference wherever they stand.

use std::cmp::Ordering;
use std::slice;
use std::sync::Arc;

use crate::record::Record;

use super::Tree;
use super::node::{Child, Node};
use super::place::By;

/// How a place differs.
pub(crate) enum Change<'a> {
    /// It has no record any more; it had this one.
    Removed(&'a Record),
    /// It has this record, and had another one or none.
    Added(&'a Record),
}

impl Tree {
    /// What leads from another tree to this one, in order.
    pub(crate) fn changes_since<'a>(&'a self, base: &'a Self) -> Diff<'a> {
        Diff {
            by: self.by,
            base: Cursor::new(base),
            now: Cursor::new(self),
        }
    }
}

/// Differences in order.
pub(crate) struct Diff<'a> {
    by: By,
    base: Cursor<'a>,
    now: Cursor<'a>,
}

impl<'a> Diff<'a> {
    /// Passes a record or a shared node, or opens a node: each once, so that steps are what a walk
    /// costs. None within is no difference.
    ///
    /// No shared node is opened. It is at the front of both at one time, for what is before it goes
    /// first; until then the other's front begins earlier, or is a higher node that has it.
    pub(super) fn step(&mut self) -> Option<Option<Change<'a>>> {
        let order = match (self.base.front(), self.now.front()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => {
                if old.is_node_of(&new) {
                    self.base.pass();
                    self.now.pass();
                    return Some(None);
                }
                let order = self.by.compare(old.first, new.first.place());
                order.then(new.height.cmp(&old.height))
            }
        };
        Some(match order {
            Ordering::Less => self.base.take().map(Change::Removed),
            Ordering::Greater => self.now.take().map(Change::Added),
            Ordering::Equal => match (self.base.take(), self.now.take()) {
                (Some(old), Some(new)) if old != new => Some(Change::Added(new)),
                _ => None,
            },
        })
    }
}

impl<'a> Iterator for Diff<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Change<'a>> {
        loop {
            if let Some(change) = self.step()? {
                return Some(change);
            }
        }
    }
}

/// What of a tree is to come.
struct Cursor<'a> {
    leaf: &'a [Record],
    /// What is to the right of the leaf, from the root down.
    above: Vec<&'a [Child]>,
    /// Of the root.
    height: usize,
}

/// What comes next: a record, or a node that is not opened.
struct Front<'a> {
    first: &'a Record,
    node: Option<&'a Arc<Node>>,
    /// Records have 0, leaves 1.
    height: usize,
}

impl Front<'_> {
    fn is_node_of(&self, other: &Self) -> bool {
        let same = |(one, other)| Arc::ptr_eq(one, other);
        self.node.zip(other.node).is_some_and(same)
    }
}

impl<'a> Cursor<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self {
            leaf: &[],
            above: vec![slice::from_ref(&tree.root)],
            height: tree.height as usize,
        }
    }

    fn front(&mut self) -> Option<Front<'a>> {
        if let Some(first) = self.leaf.first() {
            return Some(Front {
                first,
                node: None,
                height: 0,
            });
        }
        while self.above.last()?.is_empty() {
            self.above.pop();
        }
        let child = self.above.last()?.first()?;
        Some(Front {
            first: child.first()?,
            node: Some(&child.node),
            height: self.height + 2 - self.above.len(),
        })
    }

    /// Takes the record at the front, or opens the node there.
    fn take(&mut self) -> Option<&'a Record> {
        if let Some((first, rest)) = self.leaf.split_first() {
            self.leaf = rest;
            return Some(first);
        }
        match &*self.pass()?.node {
            Node::Leaf(records) => self.leaf = records,
            Node::Inner(children) => self.above.push(children),
        }
        None
    }

    /// Takes the node at the front as it is.
    fn pass(&mut self) -> Option<&'a Child> {
        let children = self.above.last_mut()?;
        let (child, rest) = children.split_first()?;
        *children = rest;
        Some(child)
    }
}
