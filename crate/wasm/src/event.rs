//! What a host tells its owner, at human rate.

use quorate_raft::{ConfState, Index, RoleKind};
use serde::Serialize;

use crate::error::Failure;
use crate::status::Members;

/// One event, as it goes to JavaScript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum HostEvent {
    /// Role, term or known leader changed.
    Role {
        /// In this group.
        group: u32,
        /// See [`role_name`].
        role: &'static str,
        /// The term now.
        term: u64,
        /// The leader, if known.
        leader: Option<u64>,
    },
    /// Where a group's log stands. At most one for each progress interval.
    Progress {
        /// Which group.
        group: u32,
        /// Current term.
        term: u64,
        /// Commit index.
        commit: u64,
        /// Applied index.
        applied: u64,
        /// Last index.
        last: u64,
    },
    /// A step of a change of the membership was committed.
    Membership {
        /// In this group.
        group: u32,
        /// Where it stands in the log.
        index: u64,
        /// The membership.
        members: Members,
    },
    /// A leader's snapshot replaced the state.
    Restored {
        /// In this group.
        group: u32,
        /// What it covers.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// The node, or one group of it, says nothing more.
    Halted {
        /// `None`: the whole node.
        group: Option<u32>,
        /// Stable.
        code: String,
        /// For a person.
        message: String,
        /// The damaged place.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
    /// Opening waits for another page that holds the database.
    StorageBlocked,
}

impl HostEvent {
    /// A membership was committed at `index`.
    pub fn membership(group: u32, index: Index, conf_state: &ConfState) -> Self {
        Self::Membership {
            group,
            index: index.0,
            members: Members::new(conf_state),
        }
    }

    /// A group, or with `None` the whole node, has stopped.
    pub fn halted(group: Option<u32>, failure: Failure) -> Self {
        Self::Halted {
            group,
            code: failure.code.into_owned(),
            message: failure.message,
            place: failure.place,
        }
    }
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
