//! Who takes part, as JavaScript says it: founders, changes of the membership, and why one is refused.

use js_sys::Array;
use quorate_raft::{
    Change, ConfState, MembershipError, NodeId, Status, StorageId, Table, TransferError,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use wasm_bindgen::{JsCast, JsValue};

use crate::convert::{self, Plain, Settings};
use crate::error::Failure;
use crate::status::members;

/// A name of 64 bits: sixteen lower-case digits, because numbers in JavaScript end at 2^53.
pub fn hex(name: u64) -> String {
    format!("{name:016x}")
}

/// Reads what [`hex`] writes.
pub fn parse_hex(text: &str) -> Option<u64> {
    let name = u64::from_str_radix(text, 16).ok()?;
    (hex(name) == text && name != 0).then_some(name)
}

/// A member that founded the cluster.
struct Founder {
    node: u64,
    storage: String,
}

/// As a map: for the names of a struct's fields `serde` brings along a hash table.
impl Serialize for Founder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("node", &self.node)?;
        map.serialize_entry("storage", &self.storage)?;
        map.end()
    }
}

/// Whose storage this is. `cluster` is `None` while the node waits to be told, `raft` is where the
/// first group stands.
pub fn write_identity(
    storage: StorageId,
    cluster: Option<u64>,
    founders: &ConfState,
    raft: Option<&Status>,
) -> Plain {
    let founder = |(node, storage): (NodeId, &StorageId)| Founder {
        node: node.0,
        storage: hex(storage.0),
    };
    let founders: Vec<_> = founders.storages.iter().map(founder).collect();
    let cluster = cluster.map_or(JsValue::NULL, |cluster| hex(cluster).into());
    let none = ConfState::default();
    let (conf_state, index) =
        raft.map_or((&none, 0), |raft| (&*raft.conf_state, raft.conf_index.0));
    Plain::new()
        .text("storage", &hex(storage.0))
        .with("cluster", &cluster)
        .with("founders", &convert::write(&founders))
        .with("members", &members(conf_state).into())
        .number("membersIndex", index)
}

/// The members that found a cluster, each with its storage; none for a node that comes later.
pub fn read_founders(value: &JsValue) -> Result<ConfState, Failure> {
    let wrong = || Failure::argument("founders must be a list of { node, storage }");
    let list = value.dyn_ref::<Array>().ok_or_else(wrong)?;
    let mut storages = Table::default();
    for value in list.iter() {
        let settings = Settings::new(value, "a founder's settings")?;
        let (node, storage) = (read_node(&settings)?, read_storage(&settings)?);
        settings.finish()?;
        if storages.insert(node, storage).is_some() {
            return Err(wrong());
        }
    }
    let founders = ConfState {
        storages: storages.clone(),
        ..ConfState::new(storages.keys())
    };
    Some(founders).filter(ConfState::is_sound).ok_or_else(wrong)
}

/// The parts of a change.
pub fn read_changes(value: &JsValue) -> Result<Vec<Change>, Failure> {
    let list = value.dyn_ref::<Array>();
    let list = list.ok_or_else(|| Failure::argument("changes must be a list"))?;
    list.iter().map(read_change).collect()
}

fn read_change(value: JsValue) -> Result<Change, Failure> {
    let settings = Settings::new(value, "a change's settings")?;
    let (kind, id) = (settings.text("change")?, read_node(&settings)?);
    let change = match kind.as_str() {
        "addVoter" => Change::AddVoter {
            id,
            storage: read_storage(&settings)?,
        },
        "addLearner" => Change::AddLearner {
            id,
            storage: read_storage(&settings)?,
        },
        "rebind" => Change::Rebind {
            id,
            storage: read_storage(&settings)?,
        },
        "promote" => Change::Promote { id },
        "demote" => Change::Demote { id },
        "remove" => Change::Remove { id },
        _ => return Err(settings.wrong("change", "one that exists")),
    };
    settings.finish()?;
    Ok(change)
}

fn read_node(settings: &Settings) -> Result<NodeId, Failure> {
    let node = settings.whole("node")?.filter(|node| *node > 0);
    let node = node.ok_or_else(|| settings.wrong("node", "an id from 1 to 2^53 - 1"))?;
    Ok(NodeId(node))
}

fn read_storage(settings: &Settings) -> Result<StorageId, Failure> {
    let storage = parse_hex(&settings.text("storage")?);
    let storage = storage.ok_or_else(|| settings.wrong("storage", "sixteen hexadecimal digits"))?;
    Ok(StorageId(storage))
}

impl From<MembershipError> for Failure {
    fn from(error: MembershipError) -> Self {
        let code = match error {
            MembershipError::NotLeader { .. } => "NOT_LEADER",
            MembershipError::NotReady => "LEADER_NOT_READY",
            MembershipError::Pending => "MEMBERSHIP_PENDING",
            MembershipError::NoVoterLeft => "NO_VOTER_LEFT",
            MembershipError::UnknownMember(_) => "UNKNOWN_MEMBER",
            MembershipError::AlreadyMember(_) => "ALREADY_MEMBER",
            MembershipError::Malformed => "INVALID_ARGUMENT",
            MembershipError::TooMany => "TOO_MANY_MEMBERS",
        };
        Self::new(code, error.to_string())
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotLeader { .. } => Self::new("NOT_LEADER", "not the leader"),
            TransferError::NotVoter(id) => Self::new(
                "UNKNOWN_MEMBER",
                format!("node {} is no voter that could lead", id.0),
            ),
            TransferError::Pending(id) => Self::new(
                "TRANSFER_PENDING",
                format!("leadership is on its way to node {}", id.0),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[wasm_bindgen_test::wasm_bindgen_test]
    fn names_have_one_spelling() {
        for name in [1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(parse_hex(&hex(name)), Some(name));
        }
        for text in [
            "",
            "1",
            "0000000000000000",
            "0123456789ABCDEF",
            "+123456789abcdef0",
        ] {
            assert_eq!(parse_hex(text), None, "{text}");
        }
    }
}
