//! Node 1, and a test that is its network, its disk, its clock and all its peers: what it says in
//! answer to what it hears, by its public interface alone. How several of them talk is in
//! `tests/scripts`.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod digest;
mod election;
mod host;
mod membership;
mod persistence;
mod reads;
mod relaxed;
mod replication;
mod restart;
mod sleep;
mod snapshot;
mod transfer;
