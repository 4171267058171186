//! The core alone: three nodes and a client in one thread. All that a host does with bytes is done
//! (messages become frames, rounds become sealed records), but ports and disks take no time, so what
//! is left is what the core itself costs.

mod cluster;

pub use cluster::Cluster;

/// Commits `count` puts of `value_bytes` each, `in_flight` at a time; the rounds that the leader
/// wrote. A caller takes the time around it.
#[must_use]
#[cfg_attr(
    target_arch = "wasm32",
    wasm_bindgen::prelude::wasm_bindgen(js_name = commit)
)]
pub fn commit(count: u32, in_flight: u32, value_bytes: u32) -> u32 {
    let mut cluster = Cluster::elected();
    cluster.commit(count, in_flight, value_bytes as usize)
}
