//! What a host and a client are told once, as JavaScript says it.

use quorate_kv::COMMAND_BYTES_MAX;
use quorate_raft::{NodeId, Table};
use quorate_rsm::{self as rsm, NodeConfig, ReadAt};
#[cfg(feature = "shards")]
use quorate_shard::{SHARDS_MAX, ShardClientConfig};
use wasm_bindgen::{JsCast, JsValue};

use crate::convert::Settings;
use crate::error::Failure;
use crate::machine::MachineObject;
use crate::probe::Probe;

/// Nodes that one cluster can have.
const MAX_VOTERS: usize = 63;
/// Groups that one host can have.
const MAX_GROUPS: usize = 1_024;
const MAX_NAME_CHARS: usize = 128;
/// Groups of a sharded store sleep when they were idle for so many election timeouts.
#[cfg(feature = "shards")]
const IDLE_TIMEOUTS: u32 = 3;

/// Settings of a host.
pub struct HostConfig {
    /// Name of the cluster, part of the names of database and lock.
    pub cluster: String,
    /// This node.
    pub node: NodeId,
    /// The founding membership, ascending, if the caller vouches for their storages; else the node
    /// waits to be told.
    pub voters: Vec<NodeId>,
    /// The groups this worker takes part in, ascending.
    pub groups: Vec<u32>,
    /// A storage of the user's; without one it is IndexedDB.
    pub storage: Option<JsValue>,
    /// A state machine of the user's; without one it is the key-value store.
    pub machine: Option<MachineObject>,
    /// Whether the groups are those of a sharded store: group 0 is its controller, and which others
    /// there are, that says.
    #[cfg(feature = "shards")]
    pub sharded: bool,
    /// Who is told of everything that happens.
    pub probe: Option<Probe>,
    /// Whether to hold the Web Lock.
    pub lock: bool,
    /// How long to wait for the lock.
    pub lock_wait_ms: u32,
    /// How long opening the database may take.
    pub open_timeout_ms: u32,
    /// Shortest time between two progress events; zero for none.
    pub progress_interval_ms: u32,
    /// What each group's node is told.
    pub node_config: NodeConfig,
}

impl HostConfig {
    /// Reads and checks the settings.
    pub fn read(value: JsValue) -> Result<Self, Failure> {
        let settings = Settings::new(value, "the node's settings")?;
        let cluster = settings.text("cluster")?;
        let node = settings.whole("node")?.unwrap_or(0);
        let voters = match settings.list("voters")? {
            None => Vec::new(),
            Some(ids) => set(ids, MAX_VOTERS)
                .filter(|ids| ids.first() != Some(&0) && ids.contains(&node))
                .ok_or_else(|| {
                    let wanted = "1 to 63 different ids from 1, the node's among them";
                    settings.wrong("voters", wanted)
                })?,
        };
        let groups = set(
            settings.list("groups")?.unwrap_or_else(|| vec![0]),
            MAX_GROUPS,
        )
        .filter(|ids| ids.last().is_some_and(|id| *id <= u64::from(u16::MAX)))
        .ok_or_else(|| settings.wrong("groups", "1 to 1024 different ids from 0 to 65535"))?;
        let storage = settings.value("storage");
        let machine = settings.value("machine");
        if machine.is_some() && groups.len() > 1 {
            return Err(settings.wrong("groups", "one, beside a machine"));
        }
        #[cfg(feature = "shards")]
        let sharded = settings.flag("sharded")?.unwrap_or(false);
        #[cfg(feature = "shards")]
        if sharded && (machine.is_some() || groups != [0]) {
            return Err(settings.wrong("sharded", "without groups and without a machine"));
        }
        let mut config = Self {
            cluster,
            node: NodeId(node),
            voters: voters.iter().copied().map(NodeId).collect(),
            groups: groups.iter().map(|id| *id as u32).collect(),
            lock: settings.flag("lock")?.unwrap_or(storage.is_none()),
            storage,
            machine: machine.map(JsCast::unchecked_into),
            #[cfg(feature = "shards")]
            sharded,
            probe: settings.value("probe").map(JsCast::unchecked_into),
            // Longer than it takes a browser to end a worker that does not listen.
            lock_wait_ms: 5_000,
            open_timeout_ms: 10_000,
            progress_interval_ms: 100,
            node_config: NodeConfig {
                max_command_bytes: COMMAND_BYTES_MAX,
                ..NodeConfig::new(NodeId(node))
            },
        };
        settings.count("lockWaitMs", &mut config.lock_wait_ms)?;
        settings.count("openTimeoutMs", &mut config.open_timeout_ms)?;
        settings.count("progressIntervalMs", &mut config.progress_interval_ms)?;
        read_node_config(&settings, &mut config.node_config)?;
        #[cfg(feature = "shards")]
        if sharded {
            go_quiet(&mut config.node_config.raft);
        }

        if !(1..=MAX_NAME_CHARS).contains(&config.cluster.chars().count()) {
            return Err(settings.wrong("cluster", "a name of 1 to 128 characters"));
        } else if node == 0 {
            return Err(settings.wrong("node", "an id from 1 to 2^53 - 1"));
        }
        settings.finish()?;
        config
            .node_config
            .raft
            .validate()
            .map_err(Failure::argument)?;
        Ok(config)
    }

    /// The name of the node's database and of its lock.
    pub fn place(&self) -> String {
        format!("quorate/{}/{}", self.cluster, self.node.0)
    }
}

/// Groups that are idle sleep, and the heartbeats of the others share frames: there are many.
#[cfg(feature = "shards")]
pub fn go_quiet(raft: &mut quorate_raft::Config) {
    raft.quiesce_after = Some(raft.election_timeout * IDLE_TIMEOUTS);
    raft.align_heartbeats = true;
}

fn read_node_config(settings: &Settings, config: &mut NodeConfig) -> Result<(), Failure> {
    settings.millis("electionTimeoutMs", &mut config.raft.election_timeout)?;
    settings.millis("heartbeatIntervalMs", &mut config.raft.heartbeat_interval)?;
    if let Some(lease_reads) = settings.flag("leaseReads")? {
        config.raft.lease_reads = lease_reads;
    }
    if let Some(relaxed) = settings.flag("relaxed")? {
        config.raft.relaxed = relaxed;
    }
    settings.count("snapshotEntries", &mut config.snapshot_entries)?;
    settings.count("snapshotBytes", &mut config.snapshot_bytes)?;
    settings.count("keepEntries", &mut config.keep_entries)?;
    settings.count("keepBytes", &mut config.keep_bytes)?;
    settings.count("snapshotChunkBytes", &mut config.snapshot_chunk_bytes)?;
    settings.count("maxWaiting", &mut config.max_waiting)?;
    settings.count("maxCommandBytes", &mut config.max_command_bytes)?;
    settings.count("maxSessions", &mut config.sessions.max_sessions)?;
    settings.count("sessionTtlMs", &mut config.sessions.ttl_ms)?;
    settings.count("sessionWindow", &mut config.sessions.window)
}

/// Settings of a client.
pub struct ClientConfig {
    /// The group that holds the machine.
    pub group: u32,
    /// What the client proper is told.
    pub client: rsm::ClientConfig,
}

impl ClientConfig {
    /// Reads and checks the settings.
    pub fn read(value: JsValue) -> Result<Self, Failure> {
        let settings = Settings::new(value, "the client's settings")?;
        let mut group = 0;
        settings.count("group", &mut group)?;
        let client = read_client(&settings)?;
        settings.finish()?;
        Ok(Self { group, client })
    }
}

fn read_client(settings: &Settings) -> Result<rsm::ClientConfig, Failure> {
    let nodes = set(settings.list("nodes")?.unwrap_or_default(), MAX_VOTERS)
        .filter(|ids| ids.first() != Some(&0))
        .ok_or_else(|| settings.wrong("nodes", "1 to 63 different ids from 1"))?;
    let mut client = rsm::ClientConfig::new(nodes.iter().copied().map(NodeId).collect());
    client.read_at = match settings.value("readAt").map(|at| at.as_string()) {
        None => ReadAt::Leader,
        Some(Some(at)) if at == "leader" => ReadAt::Leader,
        Some(Some(at)) if at == "here" => ReadAt::Here,
        Some(Some(at)) if at == "lease" => ReadAt::Lease,
        Some(_) => return Err(settings.wrong("readAt", "\"leader\", \"here\" or \"lease\"")),
    };
    settings.count("maxPending", &mut client.max_pending)?;
    settings.count("window", &mut client.window)?;
    settings.millis("attemptTimeoutMs", &mut client.attempt_timeout)?;
    settings.millis("parkTimeoutMs", &mut client.park_timeout)?;
    settings.millis("backoffMinMs", &mut client.backoff_min)?;
    settings.millis("backoffMaxMs", &mut client.backoff_max)?;
    if client.max_pending == 0 || client.window == 0 {
        return Err(settings.wrong("maxPending and window", "above zero"));
    } else if client.attempt_timeout.is_zero() {
        return Err(settings.wrong("attemptTimeoutMs", "above zero"));
    }
    Ok(client)
}

/// Reads and checks the settings of a client of a sharded store: those of a client, with `nodes` those of
/// the controller, and `shards`.
#[cfg(feature = "shards")]
pub fn read_sharded_client(value: JsValue) -> Result<ShardClientConfig, Failure> {
    let settings = Settings::new(value, "the client's settings")?;
    let mut shards = 0;
    settings.count("shards", &mut shards)?;
    if !(1..=SHARDS_MAX).contains(&shards) {
        return Err(settings.wrong("shards", "1 to 4096"));
    }
    let client = read_client(&settings)?;
    settings.finish()?;
    let config = ShardClientConfig::new(client.nodes.clone(), shards);
    Ok(ShardClientConfig {
        max_pending: client.max_pending,
        client: rsm::ClientConfig {
            nodes: Vec::new(),
            ..client
        },
        ..config
    })
}

/// The ids in order; `None` if one stands there twice, or there are none or too many.
fn set(ids: Vec<u64>, limit: usize) -> Option<Vec<u64>> {
    let mut set = Table::default();
    let different = ids.into_iter().all(|id| set.insert(id, ()).is_none());
    let fits = different && (1..=limit).contains(&set.len());
    fits.then(|| set.into_iter().map(|(id, ())| id).collect())
}
