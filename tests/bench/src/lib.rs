//! The core alone: three nodes and a client in one thread. All that a host does with bytes is done
//! (messages become frames, rounds become sealed records), but ports and disks take no time, so what
//! is left is what the core itself costs.

mod cluster;

pub use cluster::Cluster;

/// Commits `count` puts of `value_bytes` each, `in_flight` at a time. Answers with the seconds it
/// took, median and 99th percentile of the latencies in milliseconds, and the rounds that the leader
/// wrote.
#[must_use]
pub fn measure(count: u32, in_flight: u32, value_bytes: u32, now_ms: fn() -> f64) -> [f64; 4] {
    let mut cluster = Cluster::elected();
    // Buffers grow, caches fill.
    cluster.commit(count / 10 + 1, in_flight, value_bytes, now_ms);
    let began = now_ms();
    let (mut latencies, rounds) = cluster.commit(count, in_flight, value_bytes, now_ms);
    let seconds = (now_ms() - began) / 1_000.0;
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    [seconds, at(50), at(99), f64::from(rounds)]
}

/// For a host in JavaScript.
#[cfg(target_arch = "wasm32")]
pub mod wasm {
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance)]
        fn now() -> f64;
    }

    /// [`crate::measure`], timed by the host.
    #[wasm_bindgen(js_name = measure)]
    pub fn measure(count: u32, in_flight: u32, value_bytes: u32) -> Vec<f64> {
        crate::measure(count, in_flight, value_bytes, now).to_vec()
    }
}
