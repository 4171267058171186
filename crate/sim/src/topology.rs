//! The shapes in which a network falls apart, as the directed links that are cut.

use quorate_raft::{NodeId, Random};

use crate::streams::between;

/// Directed links, from the first of each pair to the second.
pub type Links = Vec<(NodeId, NodeId)>;

/// All directed links between nodes.
#[must_use]
pub fn all(nodes: &[NodeId]) -> Links {
    let from = |&a| nodes.iter().filter(move |&&b| b != a).map(move |&b| (a, b));
    nodes.iter().flat_map(from).collect()
}

/// Those between nodes of two sides, `is_left` telling them apart.
#[must_use]
pub fn between_sides(nodes: &[NodeId], is_left: impl Fn(NodeId) -> bool) -> Links {
    let mut links = all(nodes);
    links.retain(|&(a, b)| is_left(a) != is_left(b));
    links
}

/// Each node falls on one of two sides.
pub fn halves(nodes: &[NodeId], random: &mut Random) -> Links {
    let left: Vec<NodeId> = nodes
        .iter()
        .copied()
        .filter(|_| random.below(2) == 0)
        .collect();
    between_sides(nodes, |id| left.contains(&id))
}

/// A number of nodes, drawn first, is parted from the others.
pub fn sized(nodes: &[NodeId], random: &mut Random) -> Links {
    let size = between(random, 1, (nodes.len() as u64 - 1).max(1)) as usize;
    let left = &shuffled(nodes, random)[..size.min(nodes.len())];
    between_sides(nodes, |id| left.contains(&id))
}

/// `leader` keeps one node too few for a quorum.
pub fn quorum_minus_one(nodes: &[NodeId], leader: NodeId, random: &mut Random) -> Links {
    let others: Vec<NodeId> = nodes.iter().copied().filter(|&id| id != leader).collect();
    let kept = nodes.len() / 2 + 1 - 2.min(nodes.len() / 2 + 1);
    let with = shuffled(&others, random)[..kept].to_vec();
    between_sides(nodes, |id| id == leader || with.contains(&id))
}

/// The nodes stand in a line: each reaches its neighbors only.
pub fn chain(nodes: &[NodeId], random: &mut Random) -> Links {
    let line = shuffled(nodes, random);
    let neighbors = |a, b| line.windows(2).any(|pair| pair == [a, b] || pair == [b, a]);
    let mut links = all(&line);
    links.retain(|&(a, b)| !neighbors(a, b));
    links
}

/// Only links with `hub` are whole, or all others are.
#[must_use]
pub fn star(nodes: &[NodeId], hub: NodeId, inverted: bool) -> Links {
    let mut links = all(nodes);
    links.retain(|&(a, b)| (a == hub || b == hub) == inverted);
    links
}

/// The nodes stand in a ring: each reaches two neighbors only; `open` takes one direction of one
/// edge away.
pub fn ring(nodes: &[NodeId], open: bool, random: &mut Random) -> Links {
    let order = shuffled(nodes, random);
    let place = |id| order.iter().position(|&other| other == id).unwrap_or(0);
    let count = nodes.len();
    let mut links = all(&order);
    links.retain(|&(a, b)| {
        let distance = (place(a) + count - place(b)) % count;
        distance != 1 && distance != count - 1
    });
    if let (true, [first, second, ..]) = (open, &order[..]) {
        links.push((*first, *second));
    }
    links
}

/// Two sides, and one node that reaches both.
pub fn bridge(nodes: &[NodeId], random: &mut Random) -> Links {
    let order = shuffled(nodes, random);
    let middle = order.len() / 2;
    let side = |id| order.iter().position(|&other| other == id).unwrap_or(0) < middle;
    let mut links = between_sides(nodes, side);
    links.retain(|&(a, b)| a != order[middle] && b != order[middle]);
    links
}

/// The nodes in another order.
pub fn shuffled(nodes: &[NodeId], random: &mut Random) -> Vec<NodeId> {
    let mut nodes = nodes.to_vec();
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, random.below(last as u64 + 1) as usize);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u64) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    /// How many others each node can send to.
    fn reached(nodes: &[NodeId], cut: &Links) -> Vec<usize> {
        let mut counts: Vec<usize> = nodes
            .iter()
            .map(|&a| {
                all(nodes)
                    .iter()
                    .filter(|link| link.0 == a && !cut.contains(link))
                    .count()
            })
            .collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn five_nodes_fall_apart_as_named() {
        let (five, mut random) = (nodes(5), Random::new(1));
        for _ in 0..20 {
            let random = &mut random;
            assert_eq!(reached(&five, &chain(&five, random)), [1, 1, 2, 2, 2]);
            assert_eq!(reached(&five, &ring(&five, false, random)), [2; 5]);
            assert_eq!(reached(&five, &ring(&five, true, random)), [1, 2, 2, 2, 2]);
            assert_eq!(reached(&five, &bridge(&five, random)), [2, 2, 2, 2, 4]);
            let minority = quorum_minus_one(&five, NodeId(3), random);
            assert_eq!(reached(&five, &minority), [1, 1, 2, 2, 2]);
        }
        let hub = NodeId(2);
        assert_eq!(reached(&five, &star(&five, hub, false)), [1, 1, 1, 1, 4]);
        assert_eq!(reached(&five, &star(&five, hub, true)), [0, 3, 3, 3, 3]);
    }

    #[test]
    fn no_shape_needs_many_nodes() {
        let mut random = Random::new(1);
        for count in 1..=7 {
            let (nodes, random) = (nodes(count), &mut random);
            drop(halves(&nodes, random));
            drop(sized(&nodes, random));
            drop(quorum_minus_one(&nodes, NodeId(1), random));
            drop(chain(&nodes, random));
            drop(ring(&nodes, true, random));
            drop(bridge(&nodes, random));
        }
    }
}
