//! Raft as a pure function of its inputs.
//!
//! Events go in through [`Raft::handle`], [`Raft::propose`] and [`Raft::read_index`]; effects come
//! out of [`Raft::poll_output`]. There is no clock, no random source, no callback and no I/O: time
//! is an argument, chance comes from a seed, bytes are opaque.
//!
//! The law of use: after one or more inputs, drain `poll_output` until it is empty, and report each
//! [`Output::Persist`] back once, as [`Input::Persisted`], when it is durable. Whatever must wait
//! for that (votes, append acknowledgements, the leader's own match) waits inside.
//!
//! "§" refers to *In Search of an Understandable Consensus Algorithm* (extended version), "thesis"
//! to *Consensus: Bridging Theory and Practice*. Read [`raft`](Raft) first, then `election` and
//! `replication`.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate wasm_bindgen_test;

mod beats;
mod config;
mod digest;
mod doubt;
mod election;
mod entry;
mod error;
mod log;
mod membership;
mod message;
#[cfg(feature = "model")]
mod model;
mod output;
mod persistence;
mod progress;
mod quorum;
mod raft;
mod random;
mod read_index;
mod reconfigure;
mod replication;
mod role;
mod sleep;
mod snapshot;
mod status;
mod table;
mod transfer;
mod types;

pub use beats::{Beats, Sight};
pub use config::Config;
pub use digest::StateDigest;
pub use entry::{
    Entry, HardState, Payload, PersistBatch, Restored, SnapshotChunk, SnapshotManifest,
    SnapshotMeta,
};
pub use error::{CorruptState, InputError, ProposeError, ReadError, TransferError};
pub use membership::{Change, MAX_MEMBERS, MembershipError};
pub use message::{AppendOutcome, Body, Message, SnapshotOutcome};
#[cfg(feature = "model")]
pub use model::Ages;
pub use output::{Input, Output, RoleKind};
pub use quorum::{ConfState, VoteResult};
pub use raft::Raft;
pub use random::Random;
pub use status::{PeerStatus, ProgressMode, Status};
pub use table::Table;
pub use types::{EntryId, Index, Instant, NodeId, StorageId, Term};
