//! A replicated state machine: Raft, a deterministic machine, client sessions that make each write
//! exactly-once, waiting replies that always end, batched reads, compaction. Still pure.
//!
//! [`Node`] is what a host drives; [`Client`] is the other end, as pure as the node, so that the
//! simulator tests the retry logic that ships. [`storage`] says what durable records look like, and
//! [`codec`] what frames look like; both decode any bytes without panic.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

mod call;
mod client;
pub mod codec;
mod command;
mod divergence;
mod interface;
mod log_clock;
mod machine;
mod node;
mod request;
mod session;
mod snapshot;
pub mod storage;
mod varint;

/// Numbers, byte strings and memberships, for the machines' own encodings.
pub mod wire {
    pub use crate::codec::{read_conf, write_conf};
    pub use crate::varint::{Malformed, Reader, Writer};
}

pub use call::{Call, CallError, CallId, ClientConfig, ClientInput, ClientOutput, Outcome};
pub use client::Client;
pub use command::{Logged, logged};
pub use interface::{HaltCause, Input, NodeConfig, NodeStatus, OpenError, Output};
pub use machine::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};
pub use node::Node;
pub use quorate_raft as raft;
pub use request::{
    ClientId, ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId,
};
pub use session::{Admission, SessionLimits, Sessions};
