//! What passes between users and groups, seen from outside: which writes were repeated, and where.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_rsm::{ClientId, Reply as NodeReply, Request, RequestBody, RequestId, SessionId};
use quorate_shard::{Body, Command, GroupId, Reply, ShardId};

use super::places::Stand;
use super::summary::Sight;
use super::user::Role;
use super::{MOVERS, ShardWorld};
use crate::checker::Violation;

/// Requests that are out, and what became of writes.
#[derive(Default)]
pub(super) struct Calls {
    /// By whom each was made, and its name.
    out: BTreeMap<(ClientId, RequestId), Write>,
    /// Who answered a write first, and what.
    done: BTreeMap<Write, (GroupId, Bytes)>,
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
        if client.0 >= MOVERS {
            let is_lost = matches!(told, Ok(Reply::MarkLost));
            self.summary.note_if(is_lost, Sight::MarkLost);
            return Ok(());
        }
        let write = self.calls.out.get(&(client, reply.id)).copied();
        match (told, write) {
            (Ok(Reply::Done(answer)), Some(write)) => self.written(group, write, answer),
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
        self.seen.get(&group)?.stand(shard)
    }

    fn written(&mut self, group: GroupId, write: Write, answer: Bytes) -> Result<(), Violation> {
        let leaves = self.stand(group, write.0) == Some(Stand::Leaving);
        self.summary.note_if(leaves, Sight::AnsweredWhileLeaving);
        let Some((first, before)) = self.calls.done.get(&write) else {
            self.calls.done.insert(write, (group, answer));
            return Ok(());
        };
        if *before != answer {
            let seen = format!("{write:?} has one answer of {first} and another of {group}");
            return Err(Violation::new("A write has one answer", seen));
        }
        let is_other = *first != group;
        self.summary.note_if(is_other, Sight::RepeatedAfterMove);
        Ok(())
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
