//! Walking a tree from a place or a byte on.

use std::slice;

use crate::record::Record;

use super::node::{Child, Node, position, route};
use super::place::{By, Place};

/// Records in order.
pub(crate) struct Iter<'a> {
    leaf: slice::Iter<'a, Record>,
    /// What is to the right of the leaf, from the root down.
    above: Vec<slice::Iter<'a, Child>>,
}

impl<'a> Iter<'a> {
    pub(super) fn from_place(mut node: &'a Node, place: Place<'_>, by: By) -> Self {
        let mut above = Vec::new();
        loop {
            match node {
                Node::Leaf(records) => {
                    let at = position(records, place, by).unwrap_or_else(|at| at);
                    let leaf = records[at..].iter();
                    return Self { leaf, above };
                }
                Node::Inner(children) => {
                    let at = route(children, place, by);
                    above.push(children[at + 1..].iter());
                    node = &children[at].node;
                }
            }
        }
    }

    pub(super) fn from_offset(mut node: &'a Node, mut offset: u64) -> (Self, usize) {
        let mut above = Vec::new();
        loop {
            match node {
                Node::Leaf(records) => {
                    let len = |record: &Record| record.encoded().len() as u64;
                    let at = pass(records, len, &mut offset);
                    let leaf = records[at..].iter();
                    return (Self { leaf, above }, offset as usize);
                }
                Node::Inner(children) => {
                    let at = pass(children, |child| child.total.bytes, &mut offset);
                    let Some(child) = children.get(at) else {
                        let leaf = [].iter();
                        return (
                            Self {
                                leaf,
                                above: Vec::new(),
                            },
                            0,
                        );
                    };
                    above.push(children[at + 1..].iter());
                    node = &child.node;
                }
            }
        }
    }

    /// Goes down the left edge.
    fn descend(&mut self, mut node: &'a Node) {
        loop {
            match node {
                Node::Leaf(records) => {
                    self.leaf = records.iter();
                    return;
                }
                Node::Inner(children) => {
                    let mut children = children.iter();
                    node = &children.next().expect("an inner node has children").node;
                    self.above.push(children);
                }
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Record;

    fn next(&mut self) -> Option<&'a Record> {
        loop {
            if let Some(record) = self.leaf.next() {
                return Some(record);
            }
            match self.above.last_mut()?.next() {
                Some(child) => self.descend(&child.node),
                None => drop(self.above.pop()),
            }
        }
    }
}

/// How many items end at or before `offset`, which is then from the next one on.
fn pass<T>(items: &[T], len: impl Fn(&T) -> u64, offset: &mut u64) -> usize {
    let mut reaches = |item: &T| {
        let len = len(item);
        let passed = len <= *offset;
        if passed {
            *offset -= len;
        }
        !passed
    };
    items.iter().position(&mut reaches).unwrap_or(items.len())
}
