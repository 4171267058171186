//! What all worlds of a campaign were together, and what they were not: a kind of fault that never
//! came, or a situation that never came up, is an error of a long campaign.

use core::fmt;

use crate::fault::{Counts, FaultKind};
use crate::situation::{Sightings, Situation};
use crate::world::Summary;

/// Worlds from which on a campaign is long: everything must have come up.
pub const LONG: u64 = 2_000;

/// Sums over worlds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many worlds.
    pub worlds: u64,
    /// Faults, by kind.
    pub faults: Counts,
    /// Situations.
    pub sightings: Sightings,
}

impl Census {
    /// Adds a world.
    pub fn add(&mut self, summary: &Summary) {
        self.worlds += 1;
        for (kind, count) in &summary.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.sightings.add(&summary.sightings);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        self.worlds += other.worlds;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.sightings.add(&other.sightings);
    }

    /// Kinds of faults that never came.
    #[must_use]
    pub fn missing_faults(&self) -> Vec<FaultKind> {
        let all = FaultKind::ALL.iter().copied();
        all.filter(|kind| !self.faults.contains_key(kind)).collect()
    }

    /// Situations that never came up.
    #[must_use]
    pub fn missing_situations(&self) -> Vec<Situation> {
        self.sightings.missing()
    }

    /// What a long campaign must not lack, in one sentence; `None` if it lacks nothing, or is short.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let (faults, situations) = (self.missing_faults(), self.missing_situations());
        if self.worlds < LONG || (faults.is_empty() && situations.is_empty()) {
            return None;
        }
        let worlds = self.worlds;
        Some(format!(
            "never in {worlds} worlds: faults {faults:?}, situations {situations:?}"
        ))
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |kind| self.faults.get(kind).copied().unwrap_or_default();
        let faults = FaultKind::ALL
            .iter()
            .map(|kind| format!("{kind:?} {}", count(kind)));
        let situations = Situation::ALL
            .iter()
            .map(|&situation| format!("{situation:?} {}", self.sightings.count(situation)));
        let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
        let (faults, situations) = (
            list(&mut faults.into_iter()),
            list(&mut situations.into_iter()),
        );
        write!(f, "faults: {faults}\nsituations: {situations}")
    }
}
