//! What the machines executed: the same commands at the same places everywhere (State Machine
//! Safety), and each command once, however often it was sent.

use std::collections::BTreeMap;

use quorate_raft::{Index, NodeId, Term};

use crate::checker::Violation;
use crate::machine::Applied;

/// Every command that any machine executed.
#[derive(Debug, Default)]
pub struct AppliedLog {
    by_index: BTreeMap<Index, Applied>,
    by_tag: BTreeMap<u64, Index>,
    /// Tags in the order of their first execution.
    order: Vec<u64>,
    /// How far each node has come.
    nodes: BTreeMap<NodeId, Index>,
}

impl AppliedLog {
    /// Where the command `tag` was executed, if it was.
    #[must_use]
    pub fn index_of(&self, tag: u64) -> Option<Index> {
        self.by_tag.get(&tag).copied()
    }

    /// The last command executed by `node` or covered by its snapshot.
    #[must_use]
    pub fn reached(&self, node: NodeId) -> Index {
        self.nodes.get(&node).copied().unwrap_or_default()
    }

    /// How many commands were executed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_index.len()
    }

    /// The tags executed for the first time, from the `first`th on.
    #[must_use]
    pub fn news(&self, first: usize) -> &[u64] {
        self.order.get(first..).unwrap_or_default()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty()
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
        if let Some((skipped, _)) = self.by_index.range(reached.next()..index).next() {
            let seen = format!("{node} executed {index} and left out {skipped}");
            return violation("State Machine Safety", seen);
        }
        self.nodes.insert(node, index);
        let first = *self.by_index.entry(index).or_insert(*applied);
        if first != *applied {
            let seen = format!("{node} executed {applied:?}, others {first:?}");
            return violation("State Machine Safety", seen);
        }
        if let Some((_, earlier)) = self.by_index.range(..index).next_back()
            && earlier.time_ms > applied.time_ms
        {
            let seen = format!("{earlier:?} comes before {applied:?}");
            return violation("Log time never falls", seen);
        }
        let first = *self.by_tag.entry(tag).or_insert_with(|| {
            self.order.push(tag);
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
        self.by_index.get(&index).map(|applied| applied.term)
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
            tag,
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
