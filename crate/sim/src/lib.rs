//! A deterministic world for the shipped code: the nodes and clients of `quorate-rsm` on a simulated
//! network, with simulated disks and clocks, tormented by faults and watched by checkers, all from
//! one seed. Equal seeds give equal worlds, to the bit.
//!
//! There is no clock, no random source and no thread here. [`world::World`] is the whole;
//! [`cluster::Cluster`] is the part that scripted scenarios use, with a network whose faults are
//! [`network::Rule`]s. What is checked is in [`checker`].

#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

pub use quorate_raft as raft;
pub use quorate_rsm as rsm;

mod by_node;
pub mod census;
pub mod checker;
pub mod clock;
pub mod cluster;
pub mod connectivity;
pub mod describe;
pub mod digest;
pub mod disk;
pub mod fault;
pub mod film;
mod job;
pub mod machine;
pub mod nemesis;
pub mod network;
pub mod observer;
pub mod plan;
pub mod process;
pub mod queue;
mod records;
pub mod reduce;
pub mod replay;
pub mod rules;
pub mod shape;
pub mod shards;
pub mod shrink;
pub mod situation;
pub mod stage;
pub mod streams;
pub mod taught;
pub mod topology;
pub mod trace;
pub mod witness;
pub mod workload;
pub mod world;
