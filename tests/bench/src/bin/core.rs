//! `core COUNT IN_FLIGHT VALUE_BYTES`: commits, and prints seconds and rounds.

use std::time::Instant;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"));
    let mut next = || numbers.next().expect("COUNT IN_FLIGHT VALUE_BYTES");
    let (count, in_flight, value_bytes) = (next(), next(), next());
    let began = Instant::now();
    let rounds = quorate_bench::commit(count, in_flight, value_bytes);
    println!("{} {rounds}", began.elapsed().as_secs_f64());
}
