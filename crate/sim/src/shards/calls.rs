//! What passes between users and groups, seen from outside: which writes were repeated, and where.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::NodeId;
use quorate_rsm::{
    ClientId, Reply as NodeReply, Request, RequestBody, RequestId, SessionId, StateMachine,
};
use quorate_shard::{Body, Command, GroupId, Query, Reply, ShardId, ShardStore};

use super::ShardWorld;
use super::places::Stand;
use super::summary::Sight;
use super::user::Role;
use crate::checker::Violation;

/// Requests that are out, and what became of writes.
#[derive(Default)]
pub(super) struct Calls {
    /// By whom each was made, and its name.
    out: BTreeMap<(ClientId, RequestId), Write>,
    /// Who answered a write first, and what.
    done: BTreeMap<Write, (GroupId, Bytes)>,
    /// The revision with which a shard arrived last.
    arrived: BTreeMap<(GroupId, ShardId), u64>,
    /// Where each user's watch was answered last.
    watched: BTreeMap<ClientId, GroupId>,
}

/// A write of a client: it may have been asked for any number of times.
type Write = (ShardId, SessionId, u64);

impl ShardWorld {
    /// A user asks something of a group.
    pub(super) fn asked(&mut self, client: ClientId, request: &Request) {
        if let RequestBody::Propose { command } = &request.body
            && let Ok(Command::Request { shard, body }) = Command::decode(command)
            && let Body::Write {
                session, sequence, ..
            } = body
        {
            let write = (shard, session, sequence);
            self.calls.out.insert((client, request.id), write);
        }
    }

    /// A group answers.
    pub(super) fn told(
        &mut self,
        group: GroupId,
        client: ClientId,
        reply: &NodeReply,
    ) -> Result<(), Violation> {
        let Some(told) = reply.result.as_ref().ok().map(Reply::decode) else {
            return Ok(());
        };
        let write = self.calls.out.get(&(client, reply.id)).copied();
        match (told, write) {
            (Ok(Reply::Done(answer)), Some(write)) => self.written(group, write, &answer),
            (Ok(Reply::Done(_)), None) => {
                self.watched(group, client);
                Ok(())
            }
            (Ok(Reply::Elsewhere(_)), Some((shard, ..))) => {
                let is_frozen = self.stand(group, shard) == Some(Stand::Frozen);
                self.summary.note_if(is_frozen, Sight::RefusedWhileFrozen);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn stand(&self, group: GroupId, shard: ShardId) -> Option<Stand> {
        self.store.seen.get(&group)?.stand(shard)
    }

    fn written(&mut self, group: GroupId, write: Write, answer: &Bytes) -> Result<(), Violation> {
        let leaves = self.stand(group, write.0) == Some(Stand::Leaving);
        self.summary.note_if(leaves, Sight::AnsweredWhileLeaving);
        let since = self.calls.arrived.get(&(group, write.0));
        let is_earlier = revision(answer).is_some_and(|made| since.is_some_and(|it| made <= *it));
        self.summary.note_if(is_earlier, Sight::RepeatedAfterMove);
        let (first, before) = self
            .calls
            .done
            .entry(write)
            .or_insert_with(|| (group, answer.clone()));
        if before != answer {
            let seen = format!("{write:?} has one answer of {first} and another of {group}");
            return Err(Violation::new("A write has one answer", seen));
        }
        Ok(())
    }

    /// A shard has just arrived, as it is on this node.
    pub(super) fn note_arrival(&mut self, group: GroupId, node: NodeId, shard: ShardId) {
        let key = Bytes::from_static(b"key/0");
        let store = self.store.groups[&group].machine(node).expect("it runs");
        if let Some(kv::Reply::Got { revision, .. }) = ask(store, shard, &kv::Query::Get { key }) {
            self.calls.arrived.insert((group, shard), revision);
        }
    }

    fn watched(&mut self, group: GroupId, client: ClientId) {
        let user = &self.users[client.0 as usize - 1];
        if matches!(user.role(), Role::Watcher(..)) {
            let before = self.calls.watched.insert(client, group);
            let is_other = before.is_some_and(|before| before != group);
            self.summary.note_if(is_other, Sight::WatchResumedElsewhere);
        }
    }
}

/// What a group says of a shard that it serves.
pub(super) fn ask(store: &ShardStore, shard: ShardId, query: &kv::Query) -> Option<kv::Reply> {
    let query = query.encode();
    let reply = store.query(&Query::Ask { shard, query }.encode());
    match Reply::decode(&reply) {
        Ok(Reply::Done(reply)) => kv::Reply::decode(&reply).ok(),
        _ => None,
    }
}

/// By which revision a write took effect, if its answer says so.
fn revision(answer: &Bytes) -> Option<u64> {
    match kv::Reply::decode(answer).ok()? {
        kv::Reply::Written { meta } | kv::Reply::Incremented { meta, .. } => {
            Some(meta.mod_revision)
        }
        _ => None,
    }
}
