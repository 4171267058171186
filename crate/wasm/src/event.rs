//! What a host tells its owner, at human rate.

use quorate_raft::{ConfState, EntryId, Index, NodeId, RoleKind, Term};
use wasm_bindgen::JsValue;

use crate::convert::Plain;
use crate::error::Failure;
use crate::status::members;

/// One event, as it goes to JavaScript.
pub struct HostEvent(JsValue);

impl HostEvent {
    /// Role, term or known leader changed.
    pub fn role(group: u32, role: RoleKind, term: Term, leader: Option<NodeId>) -> Self {
        let event = of_group("role", group)
            .text("role", role_name(role))
            .number("term", term.0)
            .number_or_null("leader", leader.map(|leader| leader.0));
        Self(event.into())
    }

    /// Where a group's log stands. At most one for each progress interval.
    pub fn progress(group: u32, progress: &Progress) -> Self {
        let event = of_group("progress", group)
            .number("term", progress.term.0)
            .number("commit", progress.commit.0)
            .number("applied", progress.applied.0)
            .number("last", progress.last.0);
        Self(event.into())
    }

    /// A step of a change of the membership was committed at `index`.
    pub fn membership(group: u32, index: Index, conf_state: &ConfState) -> Self {
        let event = of_group("membership", group)
            .number("index", index.0)
            .with("members", &members(conf_state).into());
        Self(event.into())
    }

    /// A leader's snapshot replaced the state.
    pub fn restored(group: u32, snapshot: EntryId) -> Self {
        let event = of_group("restored", group)
            .number("index", snapshot.index.0)
            .number("term", snapshot.term.0);
        Self(event.into())
    }

    /// A group begins here, or is forgotten.
    #[cfg(feature = "shards")]
    pub fn hosting(group: u32, begins: bool) -> Self {
        let event = of_group("hosting", group).flag("begins", begins);
        Self(event.into())
    }

    /// A group, or with `None` the whole node, says nothing more.
    pub fn halted(group: Option<u32>, failure: &Failure) -> Self {
        let mut event = Plain::new()
            .text("type", "halted")
            .number_or_null("group", group.map(u64::from))
            .text("code", &failure.code)
            .text("message", &failure.message);
        if let Some(place) = &failure.place {
            event = event.text("place", place);
        }
        Self(event.into())
    }

    /// Opening waits for another page that holds the database.
    pub fn storage_blocked() -> Self {
        Self(Plain::new().text("type", "storageBlocked").into())
    }

    /// The event itself.
    pub fn value(&self) -> &JsValue {
        &self.0
    }
}

fn of_group(kind: &str, group: u32) -> Plain {
    Plain::new()
        .text("type", kind)
        .number("group", group.into())
}

/// Where a group's log stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Current term.
    pub term: Term,
    /// Commit index.
    pub commit: Index,
    /// Applied index.
    pub applied: Index,
    /// Last index.
    pub last: Index,
}

/// The name of a role at the JavaScript edge.
pub fn role_name(role: RoleKind) -> &'static str {
    match role {
        RoleKind::Follower => "follower",
        RoleKind::PreCandidate => "preCandidate",
        RoleKind::Candidate => "candidate",
        RoleKind::Leader => "leader",
    }
}
