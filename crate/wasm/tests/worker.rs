//! What only a browser can tell: IndexedDB, ports, timers, locks, and whole nodes on them, in a
//! dedicated worker. `wasm-pack test --headless --chrome --firefox crate/wasm` runs it.

#![cfg(target_arch = "wasm32")]
#![expect(unreachable_pub, reason = "modules of one test share by `pub`")]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[path = "worker/client.rs"]
mod client;
#[path = "worker/cluster.rs"]
mod cluster;
#[path = "worker/database.rs"]
mod database;
#[path = "worker/fencing.rs"]
mod fencing;
#[path = "worker/halting.rs"]
mod halting;
#[cfg(feature = "shards")]
#[path = "worker/idle.rs"]
mod idle;
#[path = "worker/locking.rs"]
mod locking;
#[path = "worker/opening.rs"]
mod opening;
#[path = "worker/ports.rs"]
mod ports;
#[path = "worker/segments.rs"]
mod segments;
#[cfg(feature = "shards")]
#[path = "worker/shards.rs"]
mod shards;
#[cfg(feature = "shards")]
#[path = "worker/sleeping.rs"]
mod sleeping;
#[path = "worker/support.rs"]
mod support;
#[path = "worker/timers.rs"]
mod timers;
