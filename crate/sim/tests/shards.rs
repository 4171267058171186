//! Worlds of sharded stores: equal seeds are equal worlds, and what must come up does.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::time::Duration;

use quorate_sim::shards::{ShardShape, ShardSummary, ShardWorld, Sight};

const TORMENT: Duration = Duration::from_secs(5);

fn run(seed: u64) -> ShardSummary {
    let mut world = ShardWorld::new(ShardShape::draw(seed, TORMENT));
    world
        .run()
        .unwrap_or_else(|failure| panic!("seed {seed}: {failure}"))
}

#[test]
fn a_seed_gives_the_same_world_of_shards_twice() {
    for seed in 1..=10 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn shards_move_and_are_asked_for_while_workers_crash() {
    let mut total = ShardSummary::default();
    for seed in 11..=30 {
        total.add(&run(seed));
    }
    assert_eq!(total.worlds, 20);
    assert!(total.answered * 10 > total.calls * 8, "{total}");
    let counts = [total.moves, total.crashes, total.step_crashes];
    assert!(counts.iter().all(|count| *count > 0), "{total}");
    assert!(total.events > 0 && total.leases > 0, "{total}");
    for sight in [
        Sight::MovedBack,
        Sight::MarkLost,
        Sight::WholeInPieces,
        Sight::DifferenceInPieces,
        Sight::AnsweredWhileLeaving,
        Sight::RefusedWhileFrozen,
        Sight::LeaseMoved,
    ] {
        assert!(total.count(sight) > 0, "{sight:?}: {total}");
    }
}
