//! What must be true, one family per file: [`state`], [`bounds`], [`membership`] and [`sleep`] after every step,
//! [`store`] with every answer, [`recovery`] when a node is lost, [`linearizability`] of what clients
//! saw, [`liveness`] when the faults have stopped.

pub mod applied;
pub mod bounds;
pub mod durable;
pub mod exclusion;
pub mod history;
pub mod json;
pub mod lease;
pub mod linearizability;
pub mod lines;
pub mod liveness;
pub mod membership;
pub mod mirror;
mod needs;
pub mod recovery;
pub mod sleep;
pub mod state;
pub mod store;
pub mod synthetic;
pub mod taken;
mod watch;

use core::fmt;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which property, as the paper or the documents name it.
    pub property: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    pub(crate) fn new(property: &'static str, seen: impl Into<String>) -> Self {
        Self {
            property,
            seen: seen.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.seen)
    }
}

impl core::error::Error for Violation {}
