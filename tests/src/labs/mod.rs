//! The scenarios of the labs' testers, by name, with their limits. Each is a function of a seed.

pub mod election;
pub mod kv;
pub mod kv_snapshots;
pub mod load;
pub mod log;
pub mod machine;
pub mod once;
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
        machine::SCENARIOS,
        kv::SCENARIOS,
        kv_snapshots::SCENARIOS,
        once::SCENARIOS,
    ]
    .concat()
}

/// Those with this name, or this lab, or this lab and name: "Persist1", "4A", "4A Snapshot".
#[must_use]
pub fn find(text: &str) -> Vec<Scenario> {
    let mut found = all();
    found.retain(|scenario| {
        let title = format!("{} {}", scenario.lab, scenario.name);
        [scenario.name, scenario.lab, &title].contains(&text)
    });
    found
}

/// Runs the one scenario that [`find`] finds on several seeds: `QUORATE_LAB_SEEDS`, or three.
///
/// # Panics
/// If it fails on one.
pub fn check(text: &str) {
    let found = find(text);
    let [scenario] = found[..] else {
        panic!("{} scenarios are called {text}", found.len());
    };
    let seeds = std::env::var("QUORATE_LAB_SEEDS")
        .ok()
        .map(|count| count.parse().expect("QUORATE_LAB_SEEDS is a number"));
    for seed in 1..=seeds.unwrap_or(3) {
        if let Err(failure) = (scenario.run)(seed) {
            panic!("{text}, seed {seed}, {failure}");
        }
    }
}
