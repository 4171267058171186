//! The key-value machine: bytes keys in order, bytes values, and a revision for every change, as in
//! etcd's data model.
//!
//! [`Kv`] executes [`Command`]s and answers [`Query`]s; both get a [`Reply`]. It reads no clock,
//! draws no random number, and decodes any bytes without panic. `docs/kv.md` lists every command,
//! reply, error and limit, and what they cost. Taking a snapshot is one pointer
//! copy, and no call frees a large state at once: see [`Kv`] for what each thing costs.
//!
//! # Where what is
//!
//! The state is a few persistent trees of immutable records, all of one type, so that a snapshot is a
//! few pointers, and a record can stand in several trees:
//!
//! * `live`: each key as it is now. Reads of the present never wade through history, and the count of
//!   a range stays a subtraction.
//! * `past`, ordered by (key, revision): what was replaced, and every deletion. A read at revision R
//!   takes of each key the last version of both trees that is at or before R.
//! * `log`, ordered by (revision, key): what each revision made, the very records of `live` and `past`.
//! * `system`: leases, and which revision was the last at a log time (`system.rs`).
//! * `index`: the leases by deadline, the keys by lease.
//!
//! `log` and `index` follow from the others, and are not in a snapshot. Compaction at C hides what is
//! older at once; what no revision from C on shows is dropped by the commands that follow, a piece each.
//!
//! A copy of the store follows it by what changed: [`KvDelta`] finds it by what two states do not share,
//! and [`KvPatch`] makes the later state of the earlier one.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

mod command;
mod error;
mod limits;
mod machine;
mod query;
mod range;
mod record;
mod reply;
mod snapshot;
mod system;
#[cfg(test)]
mod testing;
mod tree;
mod txn;
#[cfg(test)]
mod vectors;
mod wire;

pub use command::{Command, Expected};
pub use error::{Code, Malformed};
pub use limits::{
    COMMAND_BYTES_MAX, KEY_BYTES_MAX, RANGE_BYTES_MAX, REPLY_BYTES_MAX, RETENTION_BYTES,
    RETENTION_REVISIONS, TTL_MS_MAX, VALUE_BYTES_MAX,
};
pub use machine::Kv;
pub use query::{Changes, Order, Projection, Query, RangeOptions, Watch};
pub use range::KeyRange;
pub use record::{KeyValue, Meta};
pub use reply::{Event, Reply};
pub use snapshot::{KvDelta, KvPatch, KvRestore, KvSnapshot};
pub use txn::{Compare, Op, Relation, TXN_DEPTH_MAX, TXN_OPS_MAX, Target, Txn};
