//! The way to a record.
//!
//! To find it takes comparisons, to walk it none: a change goes the way that a look has found.

use crate::record::Record;

use super::Tree;
use super::node::{Node, position, route};
use super::place::Place;

/// Above any tree: there is no memory for fifteen children to the sixteenth.
const HEIGHTS: usize = 16;

/// From the root to a record, or to where it would be. It is of a tree as it is: a change ends it.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// By height: at 0 which record of the leaf, above which child.
    slots: [u8; HEIGHTS],
    is_found: bool,
}

impl Path {
    /// To the record at the beginning.
    pub(crate) const FIRST: Self = Self {
        slots: [0; HEIGHTS],
        is_found: true,
    };

    /// Whether there is a record.
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Which record or child at a height.
    pub(super) fn at(&self, height: usize) -> usize {
        usize::from(self.slots[height])
    }

    fn set(&mut self, height: usize, at: usize) {
        self.slots[height] = at as u8;
    }
}

impl Tree {
    /// The way to a place, and the record there.
    pub(crate) fn find<'a>(&self, place: impl Into<Place<'a>>) -> (Path, Option<&Record>) {
        let place = place.into();
        let mut path = Path::FIRST;
        let mut height = self.height as usize;
        let mut node = &*self.root.node;
        loop {
            match node {
                Node::Leaf(records) => {
                    let found = position(records, place, self.by);
                    path.is_found = found.is_ok();
                    let (Ok(at) | Err(at)) = found;
                    path.set(0, at);
                    return (path, found.ok().map(|at| &records[at]));
                }
                Node::Inner(children) => {
                    let at = route(children, place, self.by);
                    path.set(height, at);
                    node = &children[at].node;
                    height -= 1;
                }
            }
        }
    }

    /// The way to the last record before a place, and that record.
    pub(crate) fn find_below<'a>(&self, place: impl Into<Place<'a>>) -> Option<(Path, &Record)> {
        let (mut path, _) = self.find(place);
        let heights = 0..=self.height as usize;
        // Where the ways part; from there on the right edge is the nearest.
        let parting = heights.clone().find(|height| path.at(*height) > 0)?;
        path.set(parting, path.at(parting) - 1);
        path.is_found = true;
        let mut node = &*self.root.node;
        for height in heights.rev() {
            if height < parting {
                path.set(height, node.len() - 1);
            }
            match node {
                Node::Leaf(records) => return records.get(path.at(0)).map(|record| (path, record)),
                Node::Inner(children) => node = &children[path.at(height)].node,
            }
        }
        None
    }
}
