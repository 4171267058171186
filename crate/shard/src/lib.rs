//! A store that spreads over groups, each a Raft cluster of its own.
//!
//! Keys belong to shards ([`shard_of`]), and shards to groups. Which group has which shard says a
//! [`Configuration`]. A group beside the others, the controller, makes configurations and numbers
//! them: its machine is [`Controller`].
//!
//! A group that has shards runs a [`ShardStore`]: each shard is a whole store, with its sessions and its
//! clock, so that all of it moves together. What its leader does beside the log, to have configurations
//! adopted and shards fetched and given up, is a [`Mover`]; what finds the group of a key, and follows
//! it, is a [`ShardClient`]; by which keys a call finds its shard says [`route_command`]. `docs/ARCHITECTURE.md` has the steps of a migration.
//!
//! Everything here is pure: no clock, no chance, no order but that of ids. All bytes from outside are
//! decoded without panic.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

mod arrival;
mod balance;
mod client;
mod config;
mod controller;
mod key;
mod mover;
mod protocol;
mod route;
mod shard;
mod store;
mod stream;

pub use arrival::checksum;
pub use client::{ShardClient, ShardClientConfig, ShardOutput};
pub use config::{
    Configuration, GROUP_NODES_MAX, GROUPS_MAX, GroupId, GroupInfo, SHARDS_MAX, ShardId, WEIGHT_MAX,
};
pub use controller::{
    Controller, ControllerCommand, ControllerError, ControllerQuery, ControllerReply,
    ControllerRestore, ControllerSnapshot, ControllerStatus, DRAINED_MAX, GroupStatus,
    HISTORY_BYTES_MAX, HISTORY_KEPT, HISTORY_MAX, Hosting, Left,
};
pub use key::{shard_of, shard_of_range};
pub use mover::{Arriving, CONTROLLER, Mover, MoverConfig, Outgoing, Step};
pub use protocol::{Body, Command, Elsewhere, Query, Reply, Stage, StoreError};
pub use route::{Route, route_command, route_query, strays_of_command, strays_of_query};
pub use shard::Load;
pub use store::{Copied, Place, Progress, ShardRestore, ShardSnapshot, ShardStore};
