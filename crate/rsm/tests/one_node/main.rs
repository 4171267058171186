//! Node 1 with a machine, and a test that is its clients, its disk, its clock and all its peers.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod follower;
mod host;
mod requests;
