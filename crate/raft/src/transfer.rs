//! Handing leadership over (thesis §3.10): the leader takes no more proposals, waits until the
//! target has its whole log, and tells it to campaign at once.

use crate::error::TransferError;
use crate::message::Body;
use crate::raft::Raft;
use crate::role::Role;
use crate::types::{Instant, NodeId};

/// A transfer under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Transfer {
    pub(crate) to: NodeId,
    /// When the leader gives up and goes on leading.
    pub(crate) deadline: Instant,
    /// The target was told; once more after each answered heartbeat.
    pub(crate) told: bool,
}

impl Raft {
    /// Hands leadership over to `to`. It is done when [`crate::Output::RoleChanged`] says so; after
    /// an election timeout the leader goes on. Handing over to oneself ends a transfer.
    ///
    /// # Errors
    /// This node does not lead, or the target cannot. Nothing changed.
    pub fn transfer_leadership(&mut self, now: Instant, to: NodeId) -> Result<(), TransferError> {
        let hint = self.leader();
        self.now = self.now.max(now);
        let conf_state = self.membership.current();
        let Role::Leader(leader) = &mut self.role else {
            return Err(TransferError::NotLeader { hint });
        };
        if to == self.config.id {
            leader.transfer = None;
            return Ok(());
        }
        if !conf_state.voters.contains(&to) {
            return Err(TransferError::NotVoter(to));
        }
        if let Some(transfer) = &leader.transfer {
            return match transfer.to == to {
                true => Ok(()),
                false => Err(TransferError::Pending(transfer.to)),
            };
        }
        leader.transfer = Some(Transfer {
            to,
            deadline: self.now.after(self.config.election_timeout),
            told: false,
        });
        self.flush_due = true;
        self.rouse();
        Ok(())
    }

    /// Tells the target, once it has everything durably.
    pub(crate) fn advance_transfer(&mut self) {
        let last = self.log.last().index;
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(transfer) = &mut leader.transfer else {
            return;
        };
        let to = transfer.to;
        let ready = leader
            .progress
            .get(to)
            .is_some_and(|progress| progress.matched == last);
        if ready && !core::mem::replace(&mut transfer.told, true) {
            leader.abdicated = true;
            self.send(to, Body::TimeoutNow);
        }
    }

    /// The target answers, and leads not yet: it may not have heard.
    pub(crate) fn repeat_transfer(&mut self, from: NodeId) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(transfer) = leader
                .transfer
                .as_mut()
                .filter(|transfer| transfer.to == from)
        {
            transfer.told = false;
        }
    }

    /// A transfer that takes too long is off.
    pub(crate) fn end_late_transfer(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            let now = self.now;
            leader.transfer = leader
                .transfer
                .take()
                .filter(|transfer| now < transfer.deadline);
            self.flush_due = true;
        }
    }
}
