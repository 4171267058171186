//! A store that spreads over groups, each a Raft cluster of its own.
//!
//! Keys belong to shards ([`shard_of`]), and shards to groups. Which group has which shard says a
//! [`Configuration`]. A group beside the others, the controller, makes configurations and numbers
//! them: its machine is [`Controller`].
//!
//! Everything here is pure: no clock, no chance, no order but that of ids. All bytes from outside are
//! decoded without panic.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

mod balance;
mod config;
mod controller;
mod key;

pub use config::{
    Configuration, GROUP_NODES_MAX, GROUPS_MAX, GroupId, GroupInfo, SHARDS_MAX, ShardId, WEIGHT_MAX,
};
pub use controller::{
    Controller, ControllerCommand, ControllerError, ControllerQuery, ControllerReply,
    ControllerRestore, ControllerSnapshot, ControllerStatus, DRAINED_MAX, GroupStatus,
    HISTORY_BYTES_MAX, HISTORY_KEPT, HISTORY_MAX, Left,
};
pub use key::{shard_of, shard_of_range};
