//! Nodes, and the change of one record.
//!
//! Invariants: all leaves have the same depth; every node but the root is at least half full, and an
//! inner root has two children; records rise; a child's records are at or above its `low` and those of
//! the child before it below, except that the first child's `low` means nothing.
//!
//! In a tree by revision the leaves at the right edge may have fewer records: most records come
//! there, and a full leaf is left full, not cut in halves that never grow.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::record::Record;

use super::Summary;
use super::path::Path;
use super::place::{By, Divider, Place};

/// Records in a full leaf. The fan-out was measured (docs/kv.md). Unit tests have small nodes, so
/// that few records make a high tree; the tests in `tests/` have these.
pub(crate) const LEAF_MAX: usize = if cfg!(test) { 7 } else { 31 };
/// Children of a full inner node.
pub(super) const INNER_MAX: usize = if cfg!(test) { 7 } else { 31 };

#[derive(Clone)]
pub(super) enum Node {
    Leaf(Vec<Record>),
    Inner(Vec<Child>),
}

/// A node, as its parent knows it.
#[derive(Clone)]
pub(super) struct Child {
    /// Divides it from the child before it. Seldom a whole key.
    pub(super) low: Divider,
    pub(super) total: Summary,
    pub(super) node: Arc<Node>,
}

impl Child {
    pub(super) fn leaf(low: Divider, records: Vec<Record>) -> Self {
        Self {
            low,
            total: records.iter().map(Summary::of).sum(),
            node: Arc::new(Node::Leaf(records)),
        }
    }

    /// Its `low` is the first child's.
    pub(super) fn inner(children: Vec<Self>) -> Self {
        Self {
            low: children[0].low.clone(),
            total: children.iter().map(|child| child.total).sum(),
            node: Arc::new(Node::Inner(children)),
        }
    }

    pub(super) fn last(&self) -> Option<&Record> {
        let mut node = &*self.node;
        loop {
            match node {
                Node::Leaf(records) => return records.last(),
                Node::Inner(children) => node = &children.last()?.node,
            }
        }
    }

    pub(super) fn first(&self) -> Option<&Record> {
        let mut node = &*self.node;
        loop {
            match node {
                Node::Leaf(records) => return records.first(),
                Node::Inner(children) => node = &children.first()?.node,
            }
        }
    }

    /// The children of a node that is known to be an inner one.
    pub(super) fn children_mut(&mut self) -> &mut Vec<Self> {
        match Arc::make_mut(&mut self.node) {
            Node::Inner(children) => children,
            Node::Leaf(_) => unreachable!("it has height"),
        }
    }

    /// The child of an inner node that has but one.
    pub(super) fn only_child(&self) -> Option<Self> {
        match &*self.node {
            Node::Inner(children) if children.len() == 1 => Some(children[0].clone()),
            Node::Inner(_) | Node::Leaf(_) => None,
        }
    }

    fn is_underfull(&self) -> bool {
        match &*self.node {
            Node::Leaf(records) => records.len() < LEAF_MAX / 2,
            Node::Inner(children) => children.len() < INNER_MAX / 2,
        }
    }

    fn is_overfull(&self) -> bool {
        match &*self.node {
            Node::Leaf(records) => records.len() > LEAF_MAX,
            Node::Inner(children) => children.len() > INNER_MAX,
        }
    }

    /// Gives up its upper half if it is more than full.
    pub(super) fn split_if_overfull(&mut self, by: By) -> Option<Self> {
        self.split_if_overfull_at(by, None)
    }

    /// A leaf keeps so many records, if that is said.
    fn split_if_overfull_at(&mut self, by: By, kept: Option<usize>) -> Option<Self> {
        if !self.is_overfull() {
            return None;
        }
        let right = match Arc::make_mut(&mut self.node) {
            Node::Leaf(records) => {
                let right = records.split_off(kept.unwrap_or(records.len() / 2));
                let low = by.divider(&records[records.len() - 1], &right[0]);
                Self::leaf(low, right)
            }
            Node::Inner(children) => Self::inner(children.split_off(children.len() / 2)),
        };
        self.total -= right.total;
        Some(right)
    }
}

impl Default for Child {
    fn default() -> Self {
        Self::leaf(Divider::default(), Vec::new())
    }
}

impl Node {
    /// How many records or children it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(records) => records.len(),
            Self::Inner(children) => children.len(),
        }
    }
}

/// The child that has the record of a place, if any has.
pub(super) fn route(children: &[Child], place: Place<'_>, by: By) -> usize {
    let others = &children[1..];
    let is_before = |last: &Child| last.low.place().revision < place.revision;
    if by == By::Revision && others.last().is_some_and(is_before) {
        return others.len();
    }
    match search(others, |child| by.order(child.low.place(), place)) {
        Ok(at) => at + 1,
        Err(at) => at,
    }
}

/// What became of a record that was stored.
pub(super) enum Stored {
    /// It stands in place of this one.
    Replaced(Record),
    /// It is one more.
    Added,
    /// It is one more, and the node has a new right neighbor.
    Split(Child),
}

/// Stores a record where its path leads.
pub(super) fn insert(
    child: &mut Child,
    height: usize,
    path: &Path,
    record: Record,
    by: By,
    is_right_edge: bool,
) -> Stored {
    let at = path.at(height);
    let mut kept = None;
    child.total += Summary::of(&record);
    let stored = match Arc::make_mut(&mut child.node) {
        Node::Leaf(records) if path.is_found() => {
            Stored::Replaced(std::mem::replace(&mut records[at], record))
        }
        Node::Leaf(records) => {
            if is_right_edge && at == LEAF_MAX && by == By::Revision {
                kept = Some(LEAF_MAX);
            }
            records.insert(at, record);
            Stored::Added
        }
        Node::Inner(children) => {
            let is_right_edge = is_right_edge && at + 1 == children.len();
            match insert(
                &mut children[at],
                height - 1,
                path,
                record,
                by,
                is_right_edge,
            ) {
                Stored::Split(right) => {
                    children.insert(at + 1, right);
                    Stored::Added
                }
                stored => stored,
            }
        }
    };
    if let Stored::Replaced(old) = &stored {
        child.total -= Summary::of(old);
        return stored;
    }
    child
        .split_if_overfull_at(by, kept)
        .map_or(stored, Stored::Split)
}

/// Removes the record to which a path leads.
pub(super) fn remove(child: &mut Child, height: usize, path: &Path, by: By) -> Record {
    let at = path.at(height);
    let removed = match Arc::make_mut(&mut child.node) {
        Node::Leaf(records) => records.remove(at),
        Node::Inner(children) => {
            let removed = remove(&mut children[at], height - 1, path, by);
            if children[at].is_underfull() {
                // The first has no left neighbor, and takes its right one.
                let left = at.saturating_sub(1);
                let right = children.remove(left + 1);
                if let Some(right) = balance(&mut children[left], right, by) {
                    children.insert(left + 1, right);
                }
            }
            removed
        }
    };
    child.total -= Summary::of(&removed);
    removed
}

/// Makes neighbors of one height full enough: one node if they fit, else two. `right.low` must
/// divide them.
pub(super) fn balance(left: &mut Child, right: Child, by: By) -> Option<Child> {
    if !left.is_underfull() && !right.is_underfull() {
        return Some(right);
    }
    left.total += right.total;
    match (
        Arc::make_mut(&mut left.node),
        Arc::unwrap_or_clone(right.node),
    ) {
        (Node::Leaf(records), Node::Leaf(more)) => records.extend(more),
        (Node::Inner(children), Node::Inner(mut more)) => {
            more[0].low = right.low;
            children.extend(more);
        }
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {
            unreachable!("neighbors have one height")
        }
    }
    left.split_if_overfull(by)
}

/// Where the record of a place is, or where it would be.
pub(super) fn position(records: &[Record], place: Place<'_>, by: By) -> Result<usize, usize> {
    let is_before = |last: &Record| by.compare(last, place).is_lt();
    if by == By::Revision && records.last().is_some_and(is_before) {
        return Err(records.len());
    }
    search(records, |record| by.compare(record, place))
}

/// Where the equal one is, or would be. A plain loop asks in one place, so what is asked stands there:
/// half the work of the library's.
fn search<T>(items: &[T], compare: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
    let (mut low, mut high) = (0, items.len());
    while low < high {
        let middle = low.midpoint(high);
        match compare(&items[middle]) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => high = middle,
        }
    }
    Err(low)
}
