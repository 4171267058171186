//! A picture of a host, for pages and tests. Made on request.

use quorate_raft::{ConfState, NodeId, ProgressMode};
use quorate_rsm::Node;
use serde::Serialize;

use crate::event::role_name;
use crate::link::{Link, LinkRule};
use crate::machine::Machine;
use crate::writer::Writer;

/// The whole picture.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStatus {
    /// Name of the cluster.
    pub cluster: String,
    /// This node.
    pub node: u64,
    /// The storage's own name.
    pub storage_id: String,
    /// The cluster's own name.
    pub cluster_id: String,
    /// Whether a Web Lock is held.
    pub locked: bool,
    /// Why the whole node stopped, if it did.
    pub halted: Option<Halted>,
    /// Every group.
    pub groups: Vec<GroupStatus>,
    /// Every peer that was ever connected, or has a rule.
    pub peers: Vec<PeerStatus>,
    /// Every client connected now.
    pub clients: Vec<ClientStatus>,
    /// The storage.
    pub storage: StorageStatus,
}

/// Why a node stopped.
#[derive(Serialize)]
pub struct Halted {
    /// Stable.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// One group.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    group: u32,
    role: &'static str,
    term: u64,
    vote: Option<u64>,
    leader: Option<u64>,
    commit: u64,
    applied: u64,
    last_index: u64,
    last_term: u64,
    persisted: u64,
    log_start: u64,
    snapshot_index: u64,
    snapshot_term: u64,
    members: Members,
    members_index: u64,
    transferring: Option<u64>,
    sessions: usize,
    waiting: usize,
    parked: usize,
    leases: u64,
    store_bytes: u64,
    log_bytes: usize,
    halted: bool,
    revision: u64,
    keys: u64,
    peers: Vec<FollowerStatus>,
}

/// A leader's view of one follower.
#[derive(Serialize)]
struct FollowerStatus {
    id: u64,
    matched: u64,
    next: u64,
    mode: &'static str,
    inflight: usize,
    amnesiac: bool,
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Members {
    voters: Vec<u64>,
    /// Voters of the outgoing half; empty unless joint.
    outgoing: Vec<u64>,
    learners: Vec<u64>,
    /// Those of the learners that are to have a vote.
    joining: Vec<u64>,
}

impl Members {
    /// The picture of a membership.
    pub fn new(conf_state: &ConfState) -> Self {
        let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
        let learners = [&conf_state.learners[..], &conf_state.learners_next[..]].concat();
        Self {
            voters: ids(&conf_state.voters),
            outgoing: ids(&conf_state.voters_outgoing),
            learners: ids(&learners),
            joining: ids(&conf_state.joining),
        }
    }
}

/// The way to one peer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerStatus {
    id: u64,
    connected: bool,
    sent_frames: u64,
    sent_bytes: u64,
    received_frames: u64,
    received_bytes: u64,
    rejected_frames: u64,
    dropped_frames: u64,
    delayed_frames: usize,
    rule: LinkRule,
}

/// The way to one client.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientStatus {
    /// Its number.
    pub id: u64,
    /// Frames taken in.
    pub received_frames: u64,
    /// Frames given to the port.
    pub sent_frames: u64,
    /// What arrived and was no frame of ours.
    pub rejected_frames: u64,
}

/// The storage.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatus {
    rounds: u64,
    records: u64,
    bytes: u64,
    write_ms: f64,
    writing: bool,
}

impl StorageStatus {
    /// The picture of what was written.
    pub fn new(writer: &Writer) -> Self {
        let written = writer.written();
        Self {
            rounds: written.rounds,
            records: written.records,
            bytes: written.bytes,
            write_ms: written.write_ms,
            writing: writer.is_writing(),
        }
    }
}

impl GroupStatus {
    /// The picture of one group.
    pub fn new(group: u32, node: &Node<Machine>) -> Self {
        let status = node.status();
        let raft = status.raft;
        let kv = node.machine().kv();
        Self {
            group,
            role: role_name(raft.role),
            term: raft.term.0,
            vote: raft.vote.map(|node| node.0),
            leader: raft.leader.map(|node| node.0),
            commit: raft.commit.0,
            applied: raft.applied.0,
            last_index: raft.last.index.0,
            last_term: raft.last.term.0,
            persisted: raft.persisted.0,
            log_start: raft.log_start.index.0,
            snapshot_index: raft.snapshot.index.0,
            snapshot_term: raft.snapshot.term.0,
            members: Members::new(&raft.conf_state),
            members_index: raft.conf_index.0,
            transferring: raft.transferring.map(|node| node.0),
            sessions: status.sessions,
            waiting: status.waiting,
            parked: status.parked,
            leases: kv.lease_count(),
            store_bytes: kv.bytes(),
            log_bytes: status.log_bytes,
            halted: raft.halted,
            revision: kv.revision(),
            keys: kv.len(),
            peers: raft
                .peers
                .iter()
                .map(|peer| FollowerStatus {
                    id: peer.id.0,
                    matched: peer.matched.0,
                    next: peer.next.0,
                    mode: mode_name(peer.mode),
                    inflight: peer.inflight,
                    amnesiac: peer.amnesiac.is_some(),
                })
                .collect(),
        }
    }
}

impl PeerStatus {
    /// The picture of one link.
    pub fn new(id: NodeId, link: &Link) -> Self {
        let traffic = link.traffic;
        Self {
            id: id.0,
            connected: link.port.is_some(),
            sent_frames: traffic.sent_frames,
            sent_bytes: traffic.sent_bytes,
            received_frames: traffic.received_frames,
            received_bytes: traffic.received_bytes,
            rejected_frames: traffic.rejected_frames,
            dropped_frames: traffic.dropped_frames,
            delayed_frames: link.delayed_frames(),
            rule: link.rule(),
        }
    }
}

fn mode_name(mode: ProgressMode) -> &'static str {
    match mode {
        ProgressMode::Probe => "probe",
        ProgressMode::Replicate => "replicate",
        ProgressMode::Snapshot => "snapshot",
    }
}
