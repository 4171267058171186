//! How long things take on a node's clock.

use std::time::Duration;

use quorate_raft::Ages;

use crate::bounds::Clocks;

/// Far more often than elections: see [`Ages::Coarse`].
pub const HEARTBEAT: Duration = Duration::from_micros(1);
/// After so long an election is due.
pub const ELECTION: Duration = Duration::from_secs(1);

/// Ages are counted in these: clocks that differ by a tenth agree on whole ones.
const UNIT: Duration = Duration::from_millis(50);

impl Clocks {
    /// Whether clocks go on together, as leases need.
    #[must_use]
    pub fn are_together(self) -> bool {
        matches!(self, Self::Together { .. })
    }

    /// How exactly nodes remember when something was.
    #[must_use]
    pub fn ages(self) -> Ages {
        match self {
            Self::Together { .. } => Ages::Units(UNIT),
            Self::Any | Self::Slow | Self::Still => Ages::Coarse,
        }
    }
}

/// Half an election timeout, on the clock of a leader or of another node.
#[must_use]
pub fn tick(leads: bool) -> Duration {
    UNIT * if leads { 9 } else { 11 }
}
