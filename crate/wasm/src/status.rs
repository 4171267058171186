//! A picture of a host, for pages and tests. Made on request; `typescript.rs` says what it shows.

use quorate_raft::{ConfState, NodeId, PeerStatus, ProgressMode};
use quorate_rsm::Node;
#[cfg(feature = "shards")]
use quorate_shard::{Arriving, GroupId, Place, ShardStore, Step};

use crate::convert::{Plain, list, numbers};
use crate::event::role_name;
use crate::link::Link;
use crate::machine::Machine;
#[cfg(feature = "shards")]
use crate::sharded::Sharded;
use crate::writer::Writer;

/// One group.
pub fn group(id: u32, node: &Node<Machine>) -> Plain {
    let status = node.status();
    let raft = status.raft;
    let kv = node.machine().kv();
    let picture = Plain::new();
    #[cfg(feature = "shards")]
    let picture = match node.machine().sharded() {
        Some(Sharded::Store(store)) => places(picture, store),
        Some(Sharded::Controller(_)) | None => picture,
    };
    picture
        .number("group", id.into())
        .text("role", role_name(raft.role))
        .number("term", raft.term.0)
        .number_or_null("vote", raft.vote.map(|node| node.0))
        .number_or_null("leader", raft.leader.map(|node| node.0))
        .number("commit", raft.commit.0)
        .number("applied", raft.applied.0)
        .number("lastIndex", raft.last.index.0)
        .number("lastTerm", raft.last.term.0)
        .number("persisted", raft.persisted.0)
        .number("logStart", raft.log_start.index.0)
        .number("snapshotIndex", raft.snapshot.index.0)
        .number("snapshotTerm", raft.snapshot.term.0)
        .with("members", &members(&raft.conf_state).into())
        .number("membersIndex", raft.conf_index.0)
        .number_or_null("transferring", raft.transferring.map(|node| node.0))
        .number("sessions", status.sessions as u64)
        .number("waiting", status.waiting as u64)
        .number("parked", status.parked as u64)
        .number("leases", kv.lease_count())
        .number("storeBytes", kv.bytes())
        .number("logBytes", status.log_bytes as u64)
        .flag("halted", raft.halted)
        .flag("asleep", raft.asleep)
        .number("revision", kv.revision())
        .number("keys", kv.len())
        .with("peers", &list(raft.peers.iter().map(follower)))
}

/// The shards of a group, and how each stands.
#[cfg(feature = "shards")]
fn places(picture: Plain, store: &ShardStore) -> Plain {
    let shards = store.places().map(|(shard, place)| {
        let (stands, other) = match place {
            Place::Serving => ("serving", GroupId::NONE),
            Place::Leaving(to) => ("leaving", to),
            Place::Frozen(to) => ("frozen", to),
            Place::Arriving(progress) => ("arriving", progress.from),
        };
        let load = store.load(shard);
        let calls = load.commands + load.queries;
        let other = Some(u64::from(other.0)).filter(|other| *other > 0);
        Plain::new()
            .number("shard", shard.0.into())
            .text("stands", stands)
            .number_or_null("other", other)
            .number("calls", calls)
    });
    picture
        .number("configuration", store.configuration().number)
        .number("shardBytes", store.bytes())
        .with("shards", &list(shards))
}

/// A shard on its way to a group that this node leads.
#[cfg(feature = "shards")]
pub fn arriving(group: u32, arriving: &Arriving) -> Plain {
    let step = match arriving.step {
        Step::Waiting => "waiting",
        Step::Copying { .. } => "copying",
        Step::Freezing => "freezing",
        Step::Installing => "installing",
    };
    Plain::new()
        .number("shard", arriving.shard.0.into())
        .number("from", arriving.from.0.into())
        .number("to", group.into())
        .text("step", step)
        .number("staged", arriving.staged)
        .number_or_null("total", arriving.total)
}

/// A leader's view of one follower.
fn follower(peer: &PeerStatus) -> Plain {
    Plain::new()
        .number("id", peer.id.0)
        .number("matched", peer.matched.0)
        .number("next", peer.next.0)
        .text("mode", mode_name(peer.mode))
        .number("inflight", peer.inflight as u64)
        .flag("amnesiac", peer.amnesiac.is_some())
}

/// Who takes part. `outgoing` are voters of the outgoing half, none unless it is joint; `joining`
/// those of the learners that are to have a vote.
pub fn members(conf_state: &ConfState) -> Plain {
    let ids = |nodes: &[NodeId]| numbers(nodes.iter().map(|node| node.0));
    let learners = [&conf_state.learners[..], &conf_state.learners_next[..]].concat();
    Plain::new()
        .with("voters", &ids(&conf_state.voters))
        .with("outgoing", &ids(&conf_state.voters_outgoing))
        .with("learners", &ids(&learners))
        .with("joining", &ids(&conf_state.joining))
}

/// The way to one peer.
pub fn peer(id: NodeId, link: &Link) -> Plain {
    let traffic = link.traffic;
    Plain::new()
        .number("id", id.0)
        .flag("connected", link.port.is_some())
        .number("sentFrames", traffic.sent_frames)
        .number("sentBytes", traffic.sent_bytes)
        .number("receivedFrames", traffic.received_frames)
        .number("receivedBytes", traffic.received_bytes)
        .number("rejectedFrames", traffic.rejected_frames)
        .number("droppedFrames", traffic.dropped_frames)
        .number("delayedFrames", link.delayed_frames() as u64)
        .with("rule", &link.rule().written().into())
}

/// What went over the way to one client.
#[derive(Clone, Copy, Default)]
pub struct ClientTraffic {
    /// Frames taken in.
    pub received_frames: u64,
    /// Frames given to the port.
    pub sent_frames: u64,
    /// What arrived and was no frame of ours.
    pub rejected_frames: u64,
}

/// The way to one client.
pub fn client(id: u64, traffic: &ClientTraffic) -> Plain {
    Plain::new()
        .number("id", id)
        .number("receivedFrames", traffic.received_frames)
        .number("sentFrames", traffic.sent_frames)
        .number("rejectedFrames", traffic.rejected_frames)
}

/// The storage.
pub fn storage(writer: &Writer) -> Plain {
    let written = writer.written();
    Plain::new()
        .number("rounds", written.rounds)
        .number("records", written.records)
        .number("bytes", written.bytes)
        .with("writeMs", &written.write_ms.into())
        .flag("writing", writer.is_writing())
}

fn mode_name(mode: ProgressMode) -> &'static str {
    match mode {
        ProgressMode::Probe => "probe",
        ProgressMode::Replicate => "replicate",
        ProgressMode::Snapshot => "snapshot",
    }
}
