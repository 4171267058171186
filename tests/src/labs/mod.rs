//! The scenarios of the labs' testers, by name, with their limits. Each is a function of a seed.

pub mod election;
pub mod log;
pub mod persistence;
pub mod snapshot;

use crate::lab::{Failure, Report};

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Which lab.
    pub lab: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(u64) -> Result<Report, Failure>,
}

/// All scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        election::SCENARIOS,
        log::SCENARIOS,
        persistence::SCENARIOS,
        snapshot::SCENARIOS,
    ]
    .concat()
}

/// Runs the scenario `name` on several seeds: `QUORATE_LAB_SEEDS`, or three.
///
/// # Panics
/// If it fails on one.
pub fn check(name: &str) {
    let scenario = all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.expect("the scenario exists");
    let seeds = std::env::var("QUORATE_LAB_SEEDS")
        .ok()
        .map(|count| count.parse().expect("QUORATE_LAB_SEEDS is a number"));
    for seed in 1..=seeds.unwrap_or(3) {
        if let Err(failure) = (scenario.run)(seed) {
            panic!("{name}, seed {seed}, {failure}");
        }
    }
}
