//! The key-value machine: bytes keys in order, bytes values, and a revision for every change, as in
//! etcd's data model.
//!
//! [`Kv`] executes [`Command`]s and answers [`Query`]s; both get a [`Reply`]. It reads no clock,
//! draws no random number, and decodes any bytes without panic. `docs/kv.md` lists every command,
//! reply, error and limit, and what they cost. Taking a snapshot is one pointer
//! copy, and no call frees a large state at once: see [`Kv`] for what each thing costs.
//!
//! # What is to come, and where it goes
//!
//! The state is one persistent tree of immutable records ([`Kv`] holds the *live* ones), so that a
//! record can stand in several trees for the price of a pointer, and a whole tree in several places.
//! Old revisions, watches, compaction and leases are therefore more trees beside this one, not
//! another structure:
//!
//! * **Old revisions**: `past`, ordered by (key, mod revision), holds each record that was replaced
//!   or deleted, with the revision that ended it. A read at revision R takes the live record if its
//!   mod revision is at most R, and otherwise the last in `past` that began at or before R, if it
//!   ended after R; a range merges the two trees. Reads of the present never wade through history,
//!   and the live count stays a subtraction.
//! * **Watches**: `changes`, ordered by revision, holds what each revision did. A watch that resumes
//!   from R iterates from R; it keeps a clone of the tree or its last revision, as it likes. What a
//!   range deletion removed is a tree already (`Tree::remove_range`), and becomes one element.
//! * **Compaction** at C cuts `changes` at C, which is O(log n), and drops from `past` what the part
//!   cut off names, a bounded piece for each command; the memory goes back through `reclaim`.
//! * **Leases**: a record has its lease's field already; a tree ordered by (lease, key) finds the keys
//!   of an expired one. Time comes from `ApplyContext`.
//! * **Transactions** run on the clone of a tree and keep it, or drop it.

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
#[cfg(test)]
mod testing;
mod tree;
mod wire;

pub use command::{Command, Expected};
pub use error::{Code, Malformed};
pub use limits::{COMMAND_BYTES_MAX, KEY_BYTES_MAX, RANGE_BYTES_MAX, VALUE_BYTES_MAX};
pub use machine::Kv;
pub use query::{Projection, Query};
pub use range::KeyRange;
pub use record::{KeyValue, Meta};
pub use reply::Reply;
pub use snapshot::{KvRestore, KvSnapshot};
