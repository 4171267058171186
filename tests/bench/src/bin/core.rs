//! `core COUNT IN_FLIGHT VALUE_BYTES`: commits, and prints seconds, median and 99th percentile of the
//! latencies in milliseconds, and rounds.

use std::sync::OnceLock;
use std::time::Instant;

static BEGAN: OnceLock<Instant> = OnceLock::new();

fn now_ms() -> f64 {
    BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64() * 1_000.0
}

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let [count, in_flight, value_bytes] = numbers[..] else {
        eprintln!("usage: core COUNT IN_FLIGHT VALUE_BYTES");
        std::process::exit(2);
    };
    let [seconds, p50, p99, rounds] = quorate_bench::measure(count, in_flight, value_bytes, now_ms);
    println!("{seconds} {p50} {p99} {rounds}");
}
