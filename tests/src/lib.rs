//! Whole-system tests in Rust: the scenarios of the MIT 6.5840 labs by name and with their limits
//! ([`labs`]), and conversations with single nodes ([`script`]).

pub mod lab;
pub mod labs;
pub mod script;
