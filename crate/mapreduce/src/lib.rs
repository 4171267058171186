//! MapReduce (Dean and Ghemawat, 2004): jobs of map and reduce tasks, which workers carry out and a replicated
//! coordinator gives out.
//!
//! Everything here is pure: no clock, no chance, no files. All bytes from outside are decoded without panic.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

pub mod coordinator;
pub mod data;
pub mod jobs;
#[cfg(test)]
mod testing;
