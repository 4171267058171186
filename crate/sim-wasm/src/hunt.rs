//! One world of a hunt: from its seed to its verdict.

use core::time::Duration;

use quorate_sim::shape::Shape;
use quorate_sim::stage::TOLD;
use quorate_sim::world::{Failure, World};
use serde::Serialize;

/// What a world came to.
#[derive(Serialize)]
pub(crate) struct HuntResult {
    seed: u64,
    events: u64,
    faults: u64,
    time: u64,
    failure: Option<Found>,
}

/// Why it failed.
#[derive(Serialize)]
struct Found {
    kind: &'static str,
    property: &'static str,
    text: String,
}

/// Lives the world of `seed`, with faults for `torment` milliseconds.
pub(crate) fn hunt(seed: u64, torment: u64) -> HuntResult {
    let mut world = World::new(Shape {
        told: TOLD,
        ..Shape::draw(seed, Duration::from_millis(torment))
    });
    let failure = world.run().err().map(|failure| match failure {
        Failure::Safety(violation) => Found {
            kind: "safety",
            property: violation.property,
            text: violation.seen,
        },
        Failure::Liveness(text) => Found {
            kind: "liveness",
            property: "Liveness",
            text,
        },
    });
    let summary = world.summary();
    HuntResult {
        seed,
        events: world.events(),
        faults: summary.faults.values().sum(),
        time: summary.time,
        failure,
    }
}
