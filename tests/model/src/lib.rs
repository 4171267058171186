//! Every interleaving of small clusters.
//!
//! A model checker drives the shipped [`quorate_raft::Raft`], not a copy of it: from every state it
//! takes every step that the world allows (a message arrives, a timer fires, a write becomes
//! durable, a node crashes, a client proposes), up to the bounds of a configuration. What is
//! explored and what is left out: `docs/model.md`. Read [`world`] first.

pub mod action;
pub mod bounds;
pub mod clock;
pub mod configurations;
pub mod digest;
pub mod disk;
pub mod history;
pub mod law;
pub mod model;
pub mod network;
pub mod process;
pub mod reads;
pub mod report;
pub mod world;
