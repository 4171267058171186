//! What the machines executed: the same commands at the same places everywhere (State Machine
//! Safety), and each command once, however often it was sent.

use std::collections::BTreeMap;

use quorate_raft::{Index, NodeId, Term};

use crate::by_node::ByNode;
use crate::checker::Violation;
use crate::machine::Applied;

/// Tags up to this one are kept in a vector.
const SMALL_TAG: u64 = 1 << 20;

/// Every command that any machine executed.
#[derive(Debug, Default)]
pub struct AppliedLog {
    /// By index − 1.
    by_index: Vec<Option<Applied>>,
    /// By tag, for those that are small, as names given in order are.
    by_tag: Vec<Index>,
    by_large_tag: BTreeMap<u64, Index>,
    /// In the order of their first execution, which is that of the log.
    order: Vec<Applied>,
    /// How far each node has come.
    nodes: ByNode<Index>,
}

impl AppliedLog {
    /// Where the command `tag` was executed, if it was.
    #[must_use]
    pub fn index_of(&self, tag: u64) -> Option<Index> {
        match self.by_tag.get(tag as usize) {
            Some(index) => Some(*index).filter(|index| index.0 > 0),
            None => self.by_large_tag.get(&tag).copied(),
        }
    }

    /// The last command executed by `node` or covered by its snapshot.
    #[must_use]
    pub fn reached(&self, node: NodeId) -> Index {
        self.nodes.get(node).copied().unwrap_or_default()
    }

    /// How many commands and ticks were executed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// What was executed for the first time, from the `first`th on.
    #[must_use]
    pub fn news(&self, first: usize) -> &[Applied] {
        self.order.get(first..).unwrap_or_default()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The machine of `node` now covers everything up to `index`.
    pub fn restored(&mut self, node: NodeId, index: Index) {
        self.nodes.insert(node, index);
    }

    /// The machine of `node` executed a command.
    ///
    /// # Errors
    /// Another did otherwise, or the command was executed before.
    pub fn executed(&mut self, node: NodeId, applied: &Applied) -> Result<(), Violation> {
        let Applied { index, tag, .. } = *applied;
        let reached = self.reached(node);
        let violation = |property, seen| Err(Violation::new(property, seen));
        if index <= reached {
            let seen = format!("{node} executed {index} after {reached}");
            return violation("State Machine Safety", seen);
        }
        let skipped = (reached.0 + 1..index.0)
            .map(Index)
            .find(|&index| self.at(index).is_some());
        if let Some(skipped) = skipped {
            let seen = format!("{node} executed {index} and left out {skipped}");
            return violation("State Machine Safety", seen);
        }
        self.nodes.insert(node, index);
        let place = index.0 as usize - 1;
        if self.by_index.len() <= place {
            self.by_index.resize(place + 1, None);
        }
        if self.by_index[place].is_none() {
            self.order.push(*applied);
        }
        let first = *self.by_index[place].get_or_insert(*applied);
        if first != *applied {
            let seen = format!("{node} executed {applied}, others {first}");
            return violation("State Machine Safety", seen);
        }
        let earlier = self.by_index[..place].iter().rev().flatten().next();
        if let Some(earlier) = earlier
            && earlier.time_ms > applied.time_ms
        {
            let seen = format!("{earlier} comes before {applied}");
            return violation("Log time never falls", seen);
        }
        let Some(tag) = tag else {
            return Ok(());
        };
        let first = self.index_of(tag).unwrap_or_else(|| {
            self.put_tag(tag, index);
            index
        });
        if first != index {
            let seen = format!("command {tag} was executed at {first} and at {index}");
            return violation("Exactly once", seen);
        }
        Ok(())
    }

    /// The term of the entry executed at `index`.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.at(index).map(|applied| applied.term)
    }

    fn at(&self, index: Index) -> Option<&Applied> {
        self.by_index
            .get((index.0 as usize).checked_sub(1)?)?
            .as_ref()
    }

    fn put_tag(&mut self, tag: u64, index: Index) {
        if tag > SMALL_TAG {
            self.by_large_tag.insert(tag, index);
            return;
        }
        let place = tag as usize;
        if self.by_tag.len() <= place {
            self.by_tag.resize(place + 1, Index(0));
        }
        self.by_tag[place] = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn applied(index: u64, tag: u64) -> Applied {
        Applied {
            index: Index(index),
            term: Term(1),
            tag: Some(tag),
            time_ms: index,
            digest: tag,
        }
    }

    fn property(result: Result<(), Violation>) -> &'static str {
        result.expect_err("the checker must object").property
    }

    #[test]
    fn equal_sequences_pass_also_after_a_snapshot() {
        let mut log = AppliedLog::default();
        for index in [2, 3, 5] {
            log.executed(A, &applied(index, index)).unwrap();
        }
        log.executed(B, &applied(2, 2)).unwrap();
        log.restored(B, Index(4));
        log.executed(B, &applied(5, 5)).unwrap();
        assert_eq!((log.len(), log.index_of(5)), (3, Some(Index(5))));
    }

    #[test]
    fn another_command_at_the_same_place_is_found() {
        let mut log = AppliedLog::default();
        log.executed(A, &applied(2, 7)).unwrap();
        assert_eq!(
            property(log.executed(B, &applied(2, 8))),
            "State Machine Safety"
        );
    }

    #[test]
    fn a_command_left_out_or_repeated_is_found() {
        let mut log = AppliedLog::default();
        log.executed(A, &applied(2, 7)).unwrap();
        assert_eq!(
            property(log.executed(A, &applied(2, 7))),
            "State Machine Safety"
        );
        assert_eq!(
            property(log.executed(B, &applied(3, 8))),
            "State Machine Safety"
        );
    }

    #[test]
    fn a_time_that_falls_is_found() {
        let mut log = AppliedLog::default();
        log.executed(A, &applied(2, 7)).unwrap();
        let earlier = Applied {
            time_ms: 1,
            ..applied(3, 8)
        };
        assert_eq!(property(log.executed(A, &earlier)), "Log time never falls");
    }

    #[test]
    fn a_command_executed_at_two_places_is_found() {
        let mut log = AppliedLog::default();
        log.executed(A, &applied(2, 7)).unwrap();
        assert_eq!(property(log.executed(A, &applied(3, 7))), "Exactly once");
    }
}
