//! The reads that one node was asked for and has not answered, as its host keeps them.

use quorate_raft::Index;

use crate::law::{Law, Violation};

/// Open reads, each with what was committed when it was asked for.
#[derive(Clone, Debug, Default, Hash)]
pub struct Reads {
    open: Vec<(u64, Index)>,
}

impl Reads {
    /// A client asks for read `ctx` when all up to `committed` is known to be so by someone.
    pub fn ask(&mut self, ctx: u64, committed: Index) {
        self.open.push((ctx, committed));
    }

    /// The node will answer none of them.
    pub fn void(&mut self) {
        self.open.clear();
    }

    /// The node, which has `applied`, says that `ctx` may be answered once `index` is applied: what
    /// the read had to see.
    ///
    /// # Errors
    /// It sees less, or nobody asks.
    pub fn answer(&mut self, ctx: u64, index: Index, applied: Index) -> Result<Index, Violation> {
        let stale = |seen| Violation::new(Law::ReadsSeeCommitted, seen);
        let Some(at) = self.open.iter().position(|(asked, _)| *asked == ctx) else {
            return Err(stale(format!("read {ctx} is answered and not open")));
        };
        let (_, committed) = self.open.remove(at);
        if committed <= index && index <= applied {
            return Ok(committed);
        }
        Err(stale(format!(
            "read {ctx} is answered at {index} by a machine at {applied}, and {committed} was committed"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_sees_what_was_committed_is_given_once_and_not_after_it_is_void() {
        let mut reads = Reads::default();
        reads.ask(1, Index(2));
        assert_eq!(reads.answer(1, Index(2), Index(3)), Ok(Index(2)));
        let refused = |reads: &mut Reads, index, applied| {
            let answer = reads.answer(1, Index(index), Index(applied));
            assert_eq!(
                answer.map_err(|broken| broken.law),
                Err(Law::ReadsSeeCommitted)
            );
        };
        refused(&mut reads, 2, 2);
        reads.ask(1, Index(2));
        reads.void();
        refused(&mut reads, 2, 2);
        for (index, applied) in [(1, 2), (2, 1), (1, 1), (3, 2)] {
            reads.ask(1, Index(2));
            refused(&mut reads, index, applied);
        }
    }
}
