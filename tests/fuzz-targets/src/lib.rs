//! Fuzz targets: each takes any bytes, and panics if something does not hold that must.
//!
//! Plain functions, so that the same bodies are run by libFuzzer (`tests/fuzz`) and, over the corpus,
//! by an ordinary test. The decoders get the bytes as they are, and once more behind what would
//! stop a fuzzer: checksums are made right. A node gets them as a sequence of inputs.
//! `docs/fuzzing.md` says how to run them.

use std::alloc::System;

use cap::Cap;

mod commands;
mod controller;
mod coordinator;
mod deltas;
mod disk;
mod envelope;
mod messages;
mod node;
mod peer;
mod raft;
mod records;
mod requests;
mod runs;
mod seeds;
mod segments;
mod shards;
mod snapshots;
mod source;

pub use seeds::seeds;

/// More than any target needs at once, with its corpus and with what the fuzzer keeps.
const MEMORY_BYTES_MAX: usize = 64 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_BYTES_MAX);

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 13] = [
    ("messages", messages::run),
    ("requests", requests::run),
    ("commands", commands::run),
    ("records", records::run),
    ("segments", segments::run),
    ("snapshots", snapshots::run),
    ("deltas", deltas::run),
    ("controller", controller::run),
    ("coordinator", coordinator::run),
    ("shards", shards::run),
    ("runs", runs::run),
    ("raft", raft::run),
    ("node", node::run),
];

/// Longest input of a target. The fuzzer is told the same.
pub const INPUT_BYTES_MAX: usize = 4 << 10;

/// Gives bytes to the target of this name.
///
/// # Panics
/// If there is no such target, or something does not hold that must.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("the name of a target");
    target(&data[..data.len().min(INPUT_BYTES_MAX)]);
}
