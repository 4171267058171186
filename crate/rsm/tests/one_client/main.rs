//! A client, and a test that is its clock and all the nodes that it asks.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod attempts;
mod caller;
mod calls;
mod promises;
