//! What commands, queries and answers of a machine are in words.

use bytes::Bytes;
use quorate_kv as kv;
use quorate_mapreduce::coordinator;
use quorate_raft::NodeId;
use quorate_rsm::ClientId;
use quorate_shard::{self as shard, Body, ControllerCommand};

use super::words;
use crate::shards::mover_of;

/// The language of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// A command in words.
    pub(crate) command: fn(&Bytes) -> String,
    /// A query.
    pub(crate) query: fn(&Bytes) -> String,
    /// An answer.
    pub(crate) reply: fn(&Bytes) -> String,
    /// The node on which a client lives, if it is a part of one.
    pub(crate) host: fn(ClientId) -> Option<NodeId>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self::KV
    }
}

impl Dialect {
    /// A store of keys.
    pub(crate) const KV: Self = Self {
        command: kv_command,
        query: |bytes| read(kv::Query::decode(bytes).as_ref().map(words::query)),
        // A session's number is an answer, too.
        reply: |bytes| {
            kv::Reply::decode(bytes).map_or("ok".to_owned(), |reply| words::reply(&reply))
        },
        host: |_| None,
    };

    /// A group that holds shards.
    pub(crate) const SHARDS: Self = Self {
        command: |bytes| read(shard::Command::decode(bytes).as_ref().map(shard_command)),
        query: |bytes| read(shard::Query::decode(bytes).as_ref().map(shard_query)),
        reply: |bytes| read(shard::Reply::decode(bytes).as_ref().map(shard_reply)),
        host: mover_of,
    };

    /// The controller of shards.
    pub(crate) const CONTROLLER: Self = Self {
        command: |bytes| read(ControllerCommand::decode(bytes).as_ref().map(decision)),
        query: |_| "configuration".to_owned(),
        reply: |_| "configuration".to_owned(),
        host: mover_of,
    };

    /// The coordinator of jobs.
    pub(crate) const COORDINATOR: Self = Self {
        command: |bytes| read(coordinator::Command::decode(bytes).as_ref().map(order)),
        query: |_| "job".to_owned(),
        reply: |bytes| read(coordinator::Reply::decode(bytes).as_ref().map(work)),
        host: |_| None,
    };
}

/// What was read, or the sign that it could not be.
fn read<E>(text: Result<String, E>) -> String {
    text.unwrap_or_else(|_| words::UNKNOWN.to_owned())
}

fn kv_command(bytes: &Bytes) -> String {
    read(kv::Command::decode(bytes).as_ref().map(words::command))
}

fn shard_command(command: &shard::Command) -> String {
    match command {
        shard::Command::Found { group, .. } => format!("g{}", group.0),
        shard::Command::Adopt(next) | shard::Command::Skip(next) => {
            format!("configuration {}", next.number)
        }
        shard::Command::Request { shard, body } => match body {
            Body::Open => format!("s{}: open session", shard.0),
            Body::Close { .. } => format!("s{}: close session", shard.0),
            Body::Write { command, .. } => format!("s{}: {}", shard.0, kv_command(command)),
        },
        shard::Command::Mark { shard, .. } => format!("s{}: mark", shard.0),
        shard::Command::Freeze { shard, .. } => format!("s{}: freeze", shard.0),
        shard::Command::Stage(stage) => format!("s{}: piece {}", stage.shard.0, stage.number + 1),
        shard::Command::Delete { shard, .. } => format!("s{}: delete", shard.0),
    }
}

fn shard_query(query: &shard::Query) -> String {
    match query {
        shard::Query::Ask { shard, query } => {
            let asked = read(kv::Query::decode(query).as_ref().map(words::query));
            format!("s{}: {asked}", shard.0)
        }
        shard::Query::Chunk { shard, number, .. } => format!("s{}: piece {}", shard.0, number + 1),
        shard::Query::Arrived { shard, .. } => format!("s{}: arrived?", shard.0),
    }
}

fn shard_reply(reply: &shard::Reply) -> String {
    match reply {
        shard::Reply::Done(bytes) => (Dialect::KV.reply)(bytes),
        shard::Reply::Elsewhere(_) => "not here".to_owned(),
        _ => "ok".to_owned(),
    }
}

fn decision(command: &ControllerCommand) -> String {
    let names = |ids: &mut dyn Iterator<Item = u32>| {
        let names: Vec<String> = ids.map(|id| format!("g{id}")).collect();
        names.join(" ")
    };
    match command {
        ControllerCommand::Create { shards } => format!("{shards} shards"),
        ControllerCommand::Join { groups } => {
            format!("join {}", names(&mut groups.iter().map(|(id, _)| id.0)))
        }
        ControllerCommand::Leave { groups, .. } => {
            format!("leave {}", names(&mut groups.iter().map(|id| id.0)))
        }
        ControllerCommand::Move { shard, group } => format!("s{} to g{}", shard.0, group.0),
        ControllerCommand::SetWeight { group, weight } => format!("g{} weighs {weight}", group.0),
        ControllerCommand::Progress { group, number } => format!("g{} at {number}", group.0),
    }
}

fn order(command: &coordinator::Command) -> String {
    use coordinator::Command;
    match command {
        Command::Submit { .. } => "submit".to_owned(),
        Command::AddSplits { splits, .. } => format!("{} splits", splits.len()),
        Command::Start { .. } => "begin".to_owned(),
        Command::Cancel { .. } => "cancel".to_owned(),
        Command::Forget { .. } => "forget".to_owned(),
        Command::Ask { worker, .. } => format!("w{} asks", worker.0),
        Command::Renew {
            worker, attempt, ..
        } => format!("w{} at {}", worker.0, task(*attempt)),
        Command::Complete {
            worker, attempt, ..
        } => {
            format!("w{} did {}", worker.0, task(*attempt))
        }
        Command::Fail {
            worker, attempt, ..
        } => format!("w{} failed {}", worker.0, task(*attempt)),
        Command::Lost { attempt, .. } => format!("{} is lost", task(*attempt)),
        Command::Left { worker, .. } => format!("w{} left", worker.0),
    }
}

fn work(reply: &coordinator::Reply) -> String {
    use coordinator::Reply;
    match reply {
        Reply::Map(work) => task(work.attempt),
        Reply::Reduce(work) => task(work.attempt),
        Reply::Publish(work) => task(work.attempt),
        Reply::Wait { .. } => "wait".to_owned(),
        Reply::Over { .. } => "over".to_owned(),
        Reply::Won => "won".to_owned(),
        Reply::Lost { .. } => "lost".to_owned(),
        Reply::Stop { .. } => "stop".to_owned(),
        Reply::Failed(error) => error.to_string(),
        _ => "ok".to_owned(),
    }
}

fn task(attempt: coordinator::AttemptId) -> String {
    use coordinator::Kind;
    match attempt.task.kind {
        Kind::Map => format!("map {}", attempt.task.index + 1),
        Kind::Reduce => format!("reduce {}", attempt.task.index + 1),
        Kind::Publish => "publish".to_owned(),
    }
}
