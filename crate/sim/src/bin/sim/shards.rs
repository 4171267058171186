//! Worlds of sharded stores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use quorate_sim::replay::exit;
use quorate_sim::shards::{ShardShape, ShardSummary, ShardWorld, TAUGHT};
use quorate_sim::world::Failure;

/// How long faults come in each, simulated.
const TORMENT: Duration = Duration::from_secs(20);

pub(crate) fn run(first: u64, count: u64) -> u8 {
    let mut total = ShardSummary::default();
    let range = first..first.saturating_add(count);
    let taught = TAUGHT.iter().map(|(seed, _)| *seed);
    // One world is one that somebody wants to see again.
    let taught = taught.filter(|seed| count > 1 && !range.contains(seed));
    for seed in range.clone().chain(taught) {
        let world = || ShardWorld::new(ShardShape::draw(seed, TORMENT)).run();
        let (what, code) = match catch_unwind(AssertUnwindSafe(world)) {
            Ok(Ok(summary)) => {
                total.add(&summary);
                continue;
            }
            Ok(Err(failure)) => {
                let code = match failure {
                    Failure::Safety(_) => exit::SAFETY,
                    Failure::Liveness(_) => exit::LIVENESS,
                };
                (failure.to_string(), code)
            }
            Err(_) => ("a panic".to_owned(), exit::PANIC),
        };
        eprintln!("seed {seed}: {what}\n  again: npm run sim -- shards --from {seed} --seeds 1");
        return code;
    }
    println!("{} seeds passed: {total}", total.worlds);
    match total.complaint() {
        None => 0,
        Some(complaint) => {
            eprintln!("{complaint}");
            exit::MISSING
        }
    }
}
