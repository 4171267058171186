//! Commands and queries of the controller of a sharded store, well-formed or not; then its snapshot.
//!
//! Every answer can be read, what fails changes nothing, each configuration is one more than the last
//! and can be one, and what is decoded is encoded to the same again.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{Change, ConfState, Index, NodeId, StorageId, Term};
use quorate_rsm::{ApplyContext, StateMachine};
use quorate_shard::{
    Controller, ControllerCommand, ControllerQuery, ControllerReply, GroupId, GroupInfo, ShardId,
};

use crate::shards::{restore, stream};
use crate::source::Source;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(8) {
        0 => run_snapshot(&mut source),
        1 => run_codecs(&Bytes::copy_from_slice(source.rest())),
        _ => run_commands(&mut source),
    }
}

/// Any bytes, as everything that they may be.
fn run_codecs(data: &Bytes) {
    if let Ok(command) = ControllerCommand::decode(data) {
        assert_eq!(ControllerCommand::decode(&command.encode()), Ok(command));
    }
    if let Ok(query) = ControllerQuery::decode(data) {
        assert_eq!(ControllerQuery::decode(&query.encode()), Ok(query));
    }
    if let Ok(reply) = ControllerReply::decode(data) {
        assert_eq!(ControllerReply::decode(&reply.encode()), Ok(reply));
    }
}

/// A stream, in chunks of one size.
fn run_snapshot(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    if let Some(controller) = restore::<Controller>(source.rest(), size) {
        check_snapshot(&controller, size);
    }
}

fn run_commands(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let mut controller = Controller::default();
    let mut index = Index(0);
    while !source.is_empty() {
        match source.below(16) {
            0 | 4 | 8 | 12 => {
                let reply = ControllerReply::decode(&controller.query(&query(source)));
                assert!(!matches!(
                    reply.expect("a reply can be read"),
                    ControllerReply::Changed { .. } | ControllerReply::Progress { .. }
                ));
            }
            1 => controller.membership_changed(&Arc::new(members(source))),
            _ => {
                index = index.next();
                apply(&mut controller, index, &command(source));
            }
        }
    }
    check_founders(&controller);
    check_snapshot(&controller, size);
}

fn apply(controller: &mut Controller, index: Index, command: &Bytes) {
    let context = ApplyContext {
        index,
        term: Term(1),
        time_ms: index.0,
    };
    let number = |it: &Controller| it.latest().map_or(0, |it| it.number);
    let (before, at) = (stream(controller), number(controller));
    let reply = ControllerReply::decode(&controller.apply(&context, command));
    match reply.expect("a reply can be read") {
        ControllerReply::Failed(_) => assert_eq!(stream(controller), before),
        ControllerReply::Changed { number: made } => {
            assert_eq!((made, number(controller)), (at + 1, at + 1));
            let latest = controller.latest().expect("it was just made");
            let has = |owner: &GroupId| latest.groups.has(*owner);
            let is_empty = latest.groups.is_empty();
            let owned = latest.shards.iter();
            assert!(owned.into_iter().all(|it| match is_empty {
                true => *it == GroupId::NONE,
                false => has(it),
            }));
        }
        ControllerReply::Unchanged { .. } | ControllerReply::Progress { .. } => {
            assert_eq!(number(controller), at);
        }
        ControllerReply::Configuration { .. } | ControllerReply::Status(_) => {
            panic!("a command is no query")
        }
    }
}

/// A group begins with voters alone, on nodes that it has.
fn check_founders(controller: &Controller) {
    for node in (0..6).map(NodeId) {
        for (group, founders) in controller.hosting(node, &[], &ConfState::default()).found {
            let info = controller.latest().and_then(|it| it.groups.get(group));
            let nodes = &info.expect("it joined").nodes;
            assert!(founders.is_sound() && founders.members() == founders.voters);
            assert!(founders.voters.iter().all(|id| nodes.contains(id)));
        }
    }
}

/// Chunks of `size` make the same again.
fn check_snapshot(controller: &Controller, size: usize) {
    let whole = stream(controller);
    let restored = restore::<Controller>(&whole, size).expect("its own snapshot");
    assert_eq!(stream(&restored), whole);
}

/// A command, or any bytes.
fn command(source: &mut Source<'_>) -> Bytes {
    let command = match source.below(12) {
        0 => return source.bytes(),
        1 | 2 => ControllerCommand::Create {
            shards: source.near(8) as u32,
        },
        3..=5 => ControllerCommand::Join {
            groups: (0..source.below(4))
                .map(|_| (group(source), info(source)))
                .collect(),
        },
        6 => ControllerCommand::Leave {
            groups: (0..source.below(4)).map(|_| group(source)).collect(),
            discard: source.flag(),
        },
        7 => ControllerCommand::Move {
            shard: ShardId(source.near(4) as u32),
            group: group(source),
        },
        8 => ControllerCommand::SetWeight {
            group: group(source),
            weight: source.near(4) as u32,
        },
        _ => ControllerCommand::Progress {
            group: group(source),
            number: source.near(4),
        },
    };
    command.encode()
}

/// A query, or any bytes.
fn query(source: &mut Source<'_>) -> Bytes {
    let query = match source.below(5) {
        0 => return source.bytes(),
        1 => ControllerQuery::Status,
        2 => ControllerQuery::Changes {
            after: source.near(4),
        },
        _ => ControllerQuery::Query {
            number: source.flag().then(|| source.near(4)),
        },
    };
    query.encode()
}

fn group(source: &mut Source<'_>) -> GroupId {
    GroupId(source.below(6) as u32)
}

/// Members as a change leaves them, or is about to.
fn members(source: &mut Source<'_>) -> ConfState {
    let id = |source: &mut Source<'_>| NodeId(1 + source.below(5));
    let voters: Vec<_> = (0..=source.below(5)).map(|_| id(source)).collect();
    let mut members = ConfState::new(voters);
    for id in members.voters.clone() {
        if source.flag() {
            members.storages.insert(id, StorageId(source.number()));
        }
    }
    let (id, storage) = (id(source), StorageId(source.number()));
    let rebound = members.change(&[Change::Rebind { id, storage }]);
    rebound.unwrap_or(members)
}

fn info(source: &mut Source<'_>) -> GroupInfo {
    let nodes = (0..source.below(5)).map(|_| NodeId(source.below(6)));
    GroupInfo {
        nodes: nodes.collect(),
        weight: source.near(4) as u32,
    }
}
