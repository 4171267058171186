//! Cutting trees apart and putting them together, in O(log n) whatever their sizes.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Tree;
use super::node::{Child, Node, balance, position, route};
use super::place::{By, Divider, Place};

impl Tree {
    /// Takes out the records from `start`, up to but without `end`, as a tree of their own.
    pub(crate) fn remove_range(&mut self, start: &[u8], end: Option<&[u8]>) -> Self {
        // Nothing may be copied for an empty range.
        if self.count(start, end) == 0 {
            return Self::new(self.by);
        }
        let mut removed = self.split_off(start.into());
        if let Some(end) = end {
            let beyond = removed.split_off(end.into());
            self.append(beyond);
        }
        removed
    }

    /// Puts a tree of greater keys to the end.
    pub(crate) fn append(&mut self, mut other: Self) {
        let Some(first) = other.root.first() else {
            return;
        };
        let Some(last) = self.last() else {
            *self = other;
            return;
        };
        other.root.low = self.by.divider(last, first);
        let joined = join(self.take_all(), other.take_all(), self.by);
        self.set(joined);
    }

    /// Takes out the records from `place` on.
    pub(crate) fn split_off(&mut self, place: Place<'_>) -> Self {
        let (left, right) = split(self.take_all(), place, self.by);
        self.set(left.unwrap_or_default());
        let mut beyond = Self::new(self.by);
        beyond.set(right.unwrap_or_default());
        beyond
    }

    fn take_all(&mut self) -> Part {
        Part {
            root: std::mem::take(&mut self.root),
            height: std::mem::take(&mut self.height),
        }
    }

    fn set(&mut self, part: Part) {
        self.root = part.root;
        self.height = part.height;
    }
}

/// A tree in the works. Its root may have any number of records, but not a single child.
#[derive(Default)]
struct Part {
    root: Child,
    height: u32,
}

/// Of two trees with records, one. `right.root.low` must divide them.
fn join(mut left: Part, mut right: Part, by: By) -> Part {
    let (low, spilled, height) = match left.height.cmp(&right.height) {
        Ordering::Equal => {
            let spilled = balance(&mut left.root, right.root, by);
            (left.root, spilled, left.height)
        }
        Ordering::Greater => {
            let height = left.height;
            let spilled = attach_right(&mut left.root, height, right, by);
            (left.root, spilled, height)
        }
        Ordering::Less => {
            let height = right.height;
            let spilled = attach_left(left, &mut right.root, height, by);
            (right.root, spilled, height)
        }
    };
    match spilled {
        None => Part { root: low, height },
        Some(high) => Part {
            root: Child::inner(vec![low, high]),
            height: height + 1,
        },
    }
}

/// Puts a lower tree under the right edge of a node. What comes back is a new right neighbor.
fn attach_right(child: &mut Child, height: u32, right: Part, by: By) -> Option<Child> {
    child.total += right.root.total;
    let children = child.children_mut();
    let last = children.last_mut().expect("an inner node has children");
    let spilled = if right.height + 1 == height {
        balance(last, right.root, by)
    } else {
        attach_right(last, height - 1, right, by)
    };
    children.extend(spilled);
    child.split_if_overfull(by)
}

/// Puts a lower tree under the left edge of a node whose `low` divides them. What comes back is a
/// new right neighbor.
fn attach_left(left: Part, child: &mut Child, height: u32, by: By) -> Option<Child> {
    child.total += left.root.total;
    let divider = std::mem::replace(&mut child.low, left.root.low.clone());
    let children = child.children_mut();
    children[0].low = divider;
    let spilled = if left.height + 1 == height {
        let first = std::mem::replace(&mut children[0], left.root);
        balance(&mut children[0], first, by)
    } else {
        attach_left(left, &mut children[0], height - 1, by)
    };
    if let Some(spilled) = spilled {
        children.insert(1, spilled);
    }
    child.split_if_overfull(by)
}

/// What is below a place, and the rest.
fn split(part: Part, place: Place<'_>, by: By) -> (Option<Part>, Option<Part>) {
    let Part { root, height } = part;
    match Arc::unwrap_or_clone(root.node) {
        Node::Leaf(mut below) => {
            let at = position(&below, place, by).unwrap_or_else(|at| at);
            let rest = below.split_off(at);
            let leaf = |low, records: Vec<_>| {
                (!records.is_empty()).then(|| Part {
                    root: Child::leaf(low, records),
                    height,
                })
            };
            (leaf(root.low, below), leaf(Divider::default(), rest))
        }
        Node::Inner(mut below) => {
            below[0].low = root.low;
            let rest = below.split_off(route(&below, place, by) + 1);
            let middle = below.pop().expect("the key has a child");
            let middle = Part {
                root: middle,
                height: height - 1,
            };
            let (left, right) = split(middle, place, by);
            (
                join_some(siblings(below, height), left, by),
                join_some(right, siblings(rest, height), by),
            )
        }
    }
}

/// The tree of some children of a node.
fn siblings(mut children: Vec<Child>, height: u32) -> Option<Part> {
    match children.len() {
        0 => None,
        1 => Some(Part {
            root: children.pop().expect("it has one"),
            height: height - 1,
        }),
        _ => Some(Part {
            root: Child::inner(children),
            height,
        }),
    }
}

fn join_some(left: Option<Part>, right: Option<Part>, by: By) -> Option<Part> {
    match (left, right) {
        (Some(left), Some(right)) => Some(join(left, right, by)),
        (left, right) => left.or(right),
    }
}
