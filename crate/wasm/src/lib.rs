//! Quorate for JavaScript: the host that runs a node in a worker, and the client that talks to it.
//!
//! Everything that decides is pure and lives below; here is what touches the platform. A [`Host`]
//! drives the nodes of many groups: one port per peer, one timeout, one write at a time. A
//! [`Client`] drives the client. Events of the platform go in, effects come out, and
//! nothing is borrowed while JavaScript runs.
//!
//! One home for each browser package: `gloo-timers` in [`timer`], `web-sys` in [`transport`],
//! [`indexed_db`] and [`fence`], `getrandom` in [`entropy`]. Read [`shared`] first. The modules are public for this crate's own tests; JavaScript sees only
//! what is exported to it.

pub mod bare;
pub mod calling;
pub mod client;
pub mod config;
pub mod convert;
pub mod entropy;
pub mod error;
pub mod event;
pub mod fence;
pub mod freeze;
pub mod groups;
pub mod heap;
pub mod host;
#[cfg(feature = "shards")]
pub mod hosting;
pub mod indexed_db;
pub mod js_storage;
pub mod link;
pub mod lock;
pub mod machine;
pub mod members;
pub mod opening;
pub mod panic;
pub mod probe;
pub mod schedule;
pub mod segments;
#[cfg(feature = "shards")]
pub mod sharded;
#[cfg(feature = "shards")]
pub mod sharded_client;
pub mod shared;
pub mod status;
pub mod storage;
pub mod timer;
pub mod transport;
mod typescript;
pub mod writer;

pub use bare::{BareClient, BareNode};
pub use client::Client;
pub use host::Host;
#[cfg(feature = "shards")]
pub use sharded_client::ShardedClient;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this software.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The versions of what leaves this software: frames, stored records, and the database's layout.
#[wasm_bindgen(unchecked_return_type = "{ frame: number; storage: number; database: number }")]
pub fn formats() -> JsValue {
    let formats = convert::Plain::new()
        .number("frame", quorate_rsm::codec::FRAME_VERSION.into())
        .number("storage", quorate_rsm::storage::STORAGE_VERSION.into())
        .number("database", indexed_db::DATABASE_VERSION.into());
    formats.into()
}

// The unit tests run in a browser too, with the others.
#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
