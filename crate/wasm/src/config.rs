//! What a host and a client are told once, as JavaScript says it.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_raft::NodeId;
use quorate_rsm::{ClientConfig, NodeConfig};
use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::convert::{self, NUMBER_MAX};
use crate::error::Failure;

/// Nodes that one cluster can have.
const MAX_VOTERS: usize = 63;
/// Groups that one host can have.
const MAX_GROUPS: usize = 1_024;
const MAX_NAME_CHARS: usize = 128;

/// Settings of a host.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostConfig {
    /// Name of the cluster, part of the names of database and lock.
    pub cluster: String,
    /// This node.
    pub node: u64,
    /// The founding membership.
    pub voters: Vec<u64>,
    /// The groups this worker takes part in.
    #[serde(default = "one_group")]
    pub groups: Vec<u32>,
    /// A storage of the user's; without one it is IndexedDB.
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    pub storage: JsValue,
    /// Whether to hold the Web Lock.
    pub lock: Option<bool>,
    /// How long to wait for the lock.
    #[serde(default = "lock_wait_ms")]
    pub lock_wait_ms: u32,
    /// How long opening the database may take.
    #[serde(default = "open_timeout_ms")]
    pub open_timeout_ms: u32,
    /// Shortest time between two progress events; zero for none.
    #[serde(default = "progress_interval_ms")]
    pub progress_interval_ms: u32,
    election_timeout_ms: Option<u32>,
    heartbeat_interval_ms: Option<u32>,
    snapshot_entries: Option<u64>,
    snapshot_bytes: Option<u64>,
    keep_entries: Option<u64>,
    keep_bytes: Option<usize>,
    snapshot_chunk_bytes: Option<usize>,
    max_waiting: Option<usize>,
    max_command_bytes: Option<usize>,
    max_sessions: Option<usize>,
    session_ttl_ms: Option<u64>,
    session_window: Option<u64>,
}

impl HostConfig {
    const FIELDS: [&str; 21] = [
        "cluster",
        "node",
        "voters",
        "groups",
        "storage",
        "lock",
        "lockWaitMs",
        "openTimeoutMs",
        "progressIntervalMs",
        "electionTimeoutMs",
        "heartbeatIntervalMs",
        "snapshotEntries",
        "snapshotBytes",
        "keepEntries",
        "keepBytes",
        "snapshotChunkBytes",
        "maxWaiting",
        "maxCommandBytes",
        "maxSessions",
        "sessionTtlMs",
        "sessionWindow",
    ];

    /// Reads and checks the settings.
    pub fn read(value: JsValue) -> Result<Self, Failure> {
        let config: Self = convert::read(value, "the node's settings", &Self::FIELDS)?;
        config.validate().map_err(Failure::argument)?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), &'static str> {
        let voters: BTreeSet<u64> = self.voters.iter().copied().collect();
        let groups: BTreeSet<u32> = self.groups.iter().copied().collect();
        let is_id = |id: &u64| (1..=NUMBER_MAX).contains(id);
        if !(1..=MAX_NAME_CHARS).contains(&self.cluster.chars().count()) {
            Err("cluster must be a name of 1 to 128 characters")
        } else if !is_id(&self.node) || !voters.iter().all(is_id) {
            Err("node ids must be whole numbers from 1 to 2^53 - 1")
        } else if voters.len() != self.voters.len() || voters.len() > MAX_VOTERS {
            Err("voters must be at most 63 different ids")
        } else if !voters.contains(&self.node) {
            Err("voters must contain the node itself")
        } else if groups.len() != self.groups.len() || !(1..=MAX_GROUPS).contains(&groups.len()) {
            Err("groups must be 1 to 1024 different ids")
        } else if groups
            .last()
            .is_some_and(|last| *last > u32::from(u16::MAX))
        {
            Err("group ids must be at most 65535")
        } else {
            self.node_config().raft.validate()
        }
    }

    /// The founding membership.
    pub fn voters(&self) -> Vec<NodeId> {
        let voters: BTreeSet<u64> = self.voters.iter().copied().collect();
        voters.into_iter().map(NodeId).collect()
    }

    /// The name of the node's database and of its lock.
    pub fn place(&self) -> String {
        format!("quorate/{}/{}", self.cluster, self.node)
    }

    /// The settings of each group's node.
    pub fn node_config(&self) -> NodeConfig {
        let mut config = NodeConfig::new(NodeId(self.node));
        let millis = |ms: u32| Duration::from_millis(ms.into());
        replace(
            &mut config.raft.election_timeout,
            self.election_timeout_ms.map(millis),
        );
        replace(
            &mut config.raft.heartbeat_interval,
            self.heartbeat_interval_ms.map(millis),
        );
        replace(&mut config.snapshot_entries, self.snapshot_entries);
        replace(&mut config.snapshot_bytes, self.snapshot_bytes);
        replace(&mut config.keep_entries, self.keep_entries);
        replace(&mut config.keep_bytes, self.keep_bytes);
        replace(&mut config.snapshot_chunk_bytes, self.snapshot_chunk_bytes);
        replace(&mut config.max_waiting, self.max_waiting);
        replace(&mut config.max_command_bytes, self.max_command_bytes);
        replace(&mut config.sessions.max_sessions, self.max_sessions);
        replace(&mut config.sessions.ttl_ms, self.session_ttl_ms);
        replace(&mut config.sessions.window, self.session_window);
        config
    }
}

/// Settings of a client.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KvClientConfig {
    nodes: Vec<u64>,
    /// The group that holds the store.
    #[serde(default)]
    pub group: u32,
    max_pending: Option<usize>,
    window: Option<u64>,
    attempt_timeout_ms: Option<u32>,
    backoff_min_ms: Option<u32>,
    backoff_max_ms: Option<u32>,
}

impl KvClientConfig {
    const FIELDS: [&str; 7] = [
        "nodes",
        "group",
        "maxPending",
        "window",
        "attemptTimeoutMs",
        "backoffMinMs",
        "backoffMaxMs",
    ];

    /// Reads and checks the settings.
    pub fn read(value: JsValue) -> Result<Self, Failure> {
        let config: Self = convert::read(value, "the client's settings", &Self::FIELDS)?;
        config.validate().map_err(Failure::argument)?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), &'static str> {
        let nodes: BTreeSet<u64> = self.nodes.iter().copied().collect();
        if nodes.len() != self.nodes.len() || !(1..=MAX_VOTERS).contains(&nodes.len()) {
            Err("nodes must be 1 to 63 different ids")
        } else if !nodes.iter().all(|id| (1..=NUMBER_MAX).contains(id)) {
            Err("node ids must be whole numbers from 1 to 2^53 - 1")
        } else if self.max_pending == Some(0) || self.window == Some(0) {
            Err("maxPending and window must be above zero")
        } else if self.attempt_timeout_ms == Some(0) {
            Err("attemptTimeoutMs must be above zero")
        } else {
            Ok(())
        }
    }

    /// The settings of the client proper.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.nodes.iter().copied().map(NodeId).collect());
        let millis = |ms: u32| Duration::from_millis(ms.into());
        replace(&mut config.max_pending, self.max_pending);
        replace(&mut config.window, self.window);
        replace(
            &mut config.attempt_timeout,
            self.attempt_timeout_ms.map(millis),
        );
        replace(&mut config.backoff_min, self.backoff_min_ms.map(millis));
        replace(&mut config.backoff_max, self.backoff_max_ms.map(millis));
        config
    }
}

fn replace<T>(slot: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *slot = given;
    }
}

fn one_group() -> Vec<u32> {
    vec![0]
}

fn lock_wait_ms() -> u32 {
    2_000
}

fn open_timeout_ms() -> u32 {
    10_000
}

fn progress_interval_ms() -> u32 {
    100
}
