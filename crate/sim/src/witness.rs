//! What a few seeds must give on every machine: natively and on wasm32, in debug and in release
//! builds. A change of behavior changes it too, and then it is written anew.

use core::time::Duration;

use crate::shape::Shape;
use crate::world::{Failure, World};

/// What [`observed`] gives.
pub const EXPECTED: u64 = 0xe673_a06f_1599_5011;

/// Seeds 1 to this one are witnesses.
const SEEDS: u64 = 8;

/// The traces of the witnesses, as one hash.
///
/// # Errors
/// One of them fails.
pub fn observed() -> Result<u64, Failure> {
    let mut hash: u64 = 0;
    for seed in 1..=SEEDS {
        let summary = World::new(Shape::draw(seed, Duration::from_secs(3))).run()?;
        hash = hash.rotate_left(7) ^ summary.hash;
    }
    Ok(hash)
}
