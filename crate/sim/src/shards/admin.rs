//! Who makes configurations: groups join and leave, and shards are moved by hand.

use core::time::Duration;

use quorate_raft::Instant;
use quorate_rsm::{Call, ClientOutput};
use quorate_shard::{
    CONTROLLER, Configuration, ControllerCommand, ControllerReply, GroupId, GroupInfo, Outgoing,
    ShardId,
};

use super::places::Seen;
use super::{ADMIN, ShardWorld, Wake};
use crate::checker::Violation;
use crate::machine::tagged;
use crate::streams::chance;

impl ShardWorld {
    /// Some change of the configuration, mostly one that makes sense.
    pub(super) fn change(&mut self) -> ControllerCommand {
        let latest = self.latest();
        let joined = |group: GroupId| latest.as_ref().is_some_and(|it| it.groups.has(group));
        let all = (1..=self.shape.groups).map(GroupId);
        let sensible = !chance(&mut self.random, 100);
        let mut any = |groups: Vec<GroupId>| {
            let groups = match groups.is_empty() || !sensible {
                true => all.clone().collect(),
                false => groups,
            };
            groups[self.random.below(groups.len() as u64) as usize]
        };
        let inside: Vec<GroupId> = all.clone().filter(|it| joined(*it)).collect();
        let outside: Vec<GroupId> = all.clone().filter(|it| !joined(*it)).collect();
        let (enters, other) = (any(outside.clone()), any(inside.clone()));
        let shard = ShardId(self.random.below(u64::from(self.shape.shards)) as u32);
        let kind = self.random.below(10);
        if !outside.is_empty() && (inside.is_empty() || kind < 4) {
            ControllerCommand::Join {
                groups: vec![(enters, GroupInfo::new(self.workers()))],
            }
        } else if inside.len() > 1 && kind < 7 {
            ControllerCommand::Leave {
                groups: vec![other],
                discard: false,
            }
        } else {
            ControllerCommand::Move {
                shard,
                group: other,
            }
        }
    }

    /// The newest configuration that a node of the controller has.
    pub(super) fn latest(&self) -> Option<Configuration> {
        let machines = self.workers().into_iter();
        let machines = machines.filter_map(|id| self.store.controller().machine(id)?.latest());
        machines.max_by_key(|it| it.number).cloned()
    }

    /// By how many configurations the slowest group is behind.
    pub(super) fn behind(&self) -> u64 {
        let reached = |seen: &Seen| seen.number;
        let slowest = self.store.seen.values().map(reached).min().unwrap_or(0);
        self.summary.configurations.saturating_sub(slowest)
    }

    pub(super) fn decide(&mut self, command: &ControllerCommand) -> Result<(), Violation> {
        self.names += 1;
        let command = tagged(self.names, &command.encode());
        let deadline = Instant(self.store.now).after(Duration::from_secs(5));
        let call = self
            .admin
            .call(Instant(self.store.now), Call::Write(command), deadline);
        self.admin_busy = call.is_ok();
        self.drain_admin();
        Ok(())
    }

    pub(super) fn drain_admin(&mut self) {
        let mut sends = Vec::new();
        while let Some(output) = self.admin.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => sends.push((to, requests)),
                ClientOutput::Done { result, .. } => {
                    self.admin_busy = false;
                    let reply = result.ok().and_then(|it| ControllerReply::decode(&it).ok());
                    if let Some(ControllerReply::Changed { number }) = reply {
                        self.summary.configurations = number;
                    }
                }
            }
        }
        for (to, requests) in sends {
            let outgoing = Outgoing {
                group: CONTROLLER,
                to,
                requests,
            };
            self.store.send(ADMIN, outgoing);
        }
        let next = self.admin.next_timeout();
        if next != Instant::NEVER {
            self.store
                .plan_at(next.0.max(self.store.now + 1_000), Wake::Admin);
        }
    }
}
