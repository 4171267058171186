//! What a cluster that loses nodes for good must still have. With no more than f = ⌊(n−1)/2⌋ of n
//! lost, every committed entry is intact on a survivor, and the survivors are a quorum: nothing may
//! be lost, and the cluster must become live again. Beyond that nothing is promised.

use quorate_raft::{Index, NodeId};

use crate::checker::Violation;
use crate::checker::state::State;
use crate::describe::names;

/// Looks at what is left.
///
/// # Errors
/// A committed entry is nowhere intact.
pub fn check(state: &State, voters: &[NodeId], survivors: &[NodeId]) -> Result<(), Violation> {
    if !must_recover(voters, survivors) {
        return Ok(());
    }
    let kept = |index: &Index| survivors.iter().any(|&id| state.has_stored(id, *index));
    let lost = (1..=state.committed().0)
        .map(Index)
        .find(|index| !kept(index));
    match lost {
        Some(index) => {
            let survivors = names(survivors);
            let seen = format!("{index} is committed, and none of {survivors} has it");
            Err(Violation::new("Committed entries survive", seen))
        }
        None => Ok(()),
    }
}

/// Whether the survivors must become live when faults stop.
#[must_use]
pub fn must_recover(voters: &[NodeId], survivors: &[NodeId]) -> bool {
    survivors.len() > voters.len() / 2
}
