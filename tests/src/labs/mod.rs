//! The scenarios of the labs' testers, by name, with their limits. Each is a function of a seed.

pub mod controller;
pub mod election;
pub mod kv;
pub mod kv_snapshots;
pub mod load;
pub mod log;
pub mod machine;
pub mod mapreduce;
pub mod once;
pub mod persistence;
pub mod regroup;
pub mod shards;
pub mod snapshot;
pub mod travel;

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
        controller::SCENARIOS,
        shards::SCENARIOS,
        regroup::SCENARIOS,
        travel::SCENARIOS,
        mapreduce::SCENARIOS,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What every test of scenarios checks.
    fn checked() -> Vec<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
        let mut checked = Vec::new();
        for file in std::fs::read_dir(folder).expect("the tests are beside the sources") {
            let path = file.expect("a folder can be read").path();
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let calls = source.split("check(\"").skip(1);
            checked.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
        }
        checked
    }

    #[test]
    fn every_scenario_is_a_test_of_its_own() {
        let checked = checked();
        for Scenario { lab, name, .. } in all() {
            let is_this = |text: &&String| {
                let found = find(text);
                matches!(found[..], [one] if one.lab == lab && one.name == name)
            };
            let tests = checked.iter().filter(is_this).count();
            assert_eq!(tests, 1, "{lab} {name}");
        }
        assert_eq!(checked.len(), all().len());
    }
}
