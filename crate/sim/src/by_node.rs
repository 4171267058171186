//! What belongs to each node, found by the node's number without a search: nodes of a simulated
//! cluster are numbered from one, and few.

use core::ops::Index;

use quorate_raft::NodeId;

/// A map whose keys are small numbers of nodes, in their order.
#[derive(Clone, Debug)]
pub(crate) struct ByNode<T> {
    /// By number.
    places: Vec<Option<T>>,
}

impl<T> ByNode<T> {
    /// Nothing for any node.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// What is there for `id`.
    #[must_use]
    pub(crate) fn get(&self, id: NodeId) -> Option<&T> {
        self.places.get(id.0 as usize)?.as_ref()
    }

    /// What is there for `id`, to be changed.
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut T> {
        self.places.get_mut(id.0 as usize)?.as_mut()
    }

    /// Replaces what is there for `id`.
    pub(crate) fn insert(&mut self, id: NodeId, value: T) {
        *self.place(id) = Some(value);
    }

    /// Takes what is there for `id`.
    pub(crate) fn remove(&mut self, id: NodeId) -> Option<T> {
        self.places.get_mut(id.0 as usize)?.take()
    }

    /// What is there for `id`; a default one is put there first if need be.
    pub(crate) fn or_default(&mut self, id: NodeId) -> &mut T
    where
        T: Default,
    {
        self.place(id).get_or_insert_default()
    }

    /// What is there for `id`; if nothing is, what `make` gives is put there first.
    pub(crate) fn or_insert_with(&mut self, id: NodeId, make: impl FnOnce() -> T) -> &mut T {
        self.place(id).get_or_insert_with(make)
    }

    /// All there is, by node.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &T)> {
        let all = (0..).map(NodeId).zip(&self.places);
        all.filter_map(|(id, place)| Some((id, place.as_ref()?)))
    }

    /// All there is, in the order of the nodes.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    fn place(&mut self, id: NodeId) -> &mut Option<T> {
        let at = id.0 as usize;
        assert!(at < NODES_MAX, "{id} is no node of a simulated cluster");
        if self.places.len() <= at {
            self.places.resize_with(at + 1, || None);
        }
        &mut self.places[at]
    }
}

/// Nodes have lower numbers than this.
const NODES_MAX: usize = 1 << 10;

impl<T> Default for ByNode<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<NodeId> for ByNode<T> {
    type Output = T;

    fn index(&self, id: NodeId) -> &T {
        self.get(id).expect("a node that is known")
    }
}

impl<T> FromIterator<(NodeId, T)> for ByNode<T> {
    fn from_iter<I: IntoIterator<Item = (NodeId, T)>>(all: I) -> Self {
        let mut map = Self::new();
        for (id, value) in all {
            map.insert(id, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_raft::Random;

    use super::*;

    #[test]
    fn it_behaves_like_a_tree() {
        let (mut random, mut map, mut tree) = (Random::new(1), ByNode::new(), BTreeMap::new());
        for step in 0..1_000_u64 {
            let id = NodeId(random.below(9));
            match random.below(4) {
                0 => {
                    map.insert(id, step);
                    tree.insert(id, step);
                }
                1 => assert_eq!(map.remove(id), tree.remove(&id)),
                2 => assert_eq!(map.or_default(id), tree.entry(id).or_default()),
                _ => assert_eq!(map.get_mut(id), tree.get_mut(&id)),
            }
            assert_eq!(map.get(id), tree.get(&id));
            assert!(map.iter().eq(tree.iter().map(|(id, value)| (*id, value))));
            assert!(map.values().eq(tree.values()));
        }
    }
}
