//! Lets the plain `#[test]` functions of the pure crates run on wasm32, unchanged.
//!
//! The built-in test harness cannot print or catch a panic there. A crate that depends on this one under the name
//! `wasm_bindgen_test` and says `#[macro_use] extern crate wasm_bindgen_test;` gets a `#[test]` that shadows the built-in
//! one and registers the function with wasm-bindgen's runner. On other targets this crate is empty and unused.

#[cfg(target_arch = "wasm32")]
pub use wasm_bindgen_test::{wasm_bindgen_test as test, *};
