//! How many simulated seconds pass in one second of the processor: five nodes, a hundred calls a
//! second, all faults, all checkers.

use std::time::Duration;

use quorate_sim::shape::Shape;
use quorate_sim::world::World;

/// The same as that of the simulator's program.
#[cfg(not(target_arch = "wasm32"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated seconds of faults in each world.
const SECONDS: u64 = 60;

fn main() {
    let worlds: u64 = std::env::args()
        .nth(1)
        .map_or(10, |text| text.parse().expect("a number of worlds"));
    let begun = processor_micros();
    let (mut simulated, mut answered, mut events) = (0, 0, 0);
    for seed in 1..=worlds {
        let summary = World::new(Shape::bench(seed, Duration::from_secs(SECONDS)))
            .run()
            .unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        simulated += summary.time;
        answered += summary.answered + summary.failed;
        events += summary.events;
    }
    let passed = (processor_micros() - begun).max(1);
    println!(
        "{} simulated s in {} ms: {} simulated s/s, {} calls a simulated s, {} events, {} ns each",
        simulated / 1_000_000,
        passed / 1_000,
        simulated / passed,
        answered * 1_000_000 / simulated,
        events,
        passed * 1_000 / events.max(1),
    );
}

/// What this process has had of processors, in microseconds. On Linux alone.
fn processor_micros() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("only Linux tells");
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    nanos.unwrap_or(0_u64) / 1_000
}
