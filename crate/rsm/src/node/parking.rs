//! Queries that any node answers from its own state: at once, or when that has something to say.
//!
//! A query that waits is asked again after each batch of applied entries, and after a leader's
//! snapshot replaced the state: a batch costs one [`StateMachine::poll`] for each. It belongs to no
//! leadership. But a node that knows no leader has no news, and may have none for long: it lets
//! nothing wait, so that others are asked.

use bytes::Bytes;
use quorate_raft::Instant;

use super::Node;
use crate::machine::StateMachine;
use crate::request::{ClientId, Reply, RequestError, RequestId};

/// A query that waits.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) client: ClientId,
    id: RequestId,
    query: Bytes,
    deadline: Instant,
}

impl<M: StateMachine> Node<M> {
    pub(super) fn read_local(
        &mut self,
        client: ClientId,
        id: RequestId,
        query: &Bytes,
    ) -> Result<(), RequestError> {
        if self.halted {
            return Err(RequestError::NotLeader { hint: None });
        }
        let reply = self.machine.query(query);
        self.reply(client, id, Ok(reply));
        Ok(())
    }

    pub(super) fn watch(
        &mut self,
        client: ClientId,
        id: RequestId,
        query: Bytes,
    ) -> Result<(), RequestError> {
        if self.halted || self.raft.leader().is_none() {
            return Err(RequestError::NotLeader { hint: None });
        }
        if let Some(reply) = self.machine.poll(&query) {
            self.reply(client, id, Ok(reply));
            return Ok(());
        }
        self.check_waiting()?;
        let deadline = self.now.after(self.config.park_timeout);
        self.parked.push_back(Parked {
            client,
            id,
            query,
            deadline,
        });
        Ok(())
    }

    /// The state has changed: answers those that waited for that.
    pub(super) fn poll_parked(&mut self) {
        let (machine, replies) = (&self.machine, &mut self.replies);
        self.parked.retain(|parked| {
            let Some(reply) = machine.poll(&parked.query) else {
                return true;
            };
            replies.or_default(parked.client).push(Reply {
                id: parked.id,
                result: Ok(reply),
            });
            false
        });
    }

    /// When the oldest has waited long enough. All wait equally long, so it is the first.
    pub(super) fn parking_ends(&self) -> Instant {
        let first = self.parked.front();
        first.map_or(Instant::NEVER, |parked| parked.deadline)
    }

    /// Answers those that have waited long enough, with what there is.
    pub(super) fn end_parking(&mut self) {
        let now = self.now;
        while let Some(parked) = self.parked.pop_front_if(|parked| parked.deadline <= now) {
            let reply = self.machine.query(&parked.query);
            self.reply(parked.client, parked.id, Ok(reply));
        }
    }

    /// The node has halted, or knows no leader: others can be asked.
    pub(super) fn refuse_parked(&mut self) {
        for parked in core::mem::take(&mut self.parked) {
            let refused = Err(RequestError::NotLeader { hint: None });
            self.reply(parked.client, parked.id, refused);
        }
    }
}
