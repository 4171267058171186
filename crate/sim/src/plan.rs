//! A fault as a plan: what is done to the cluster, one action after another. A kind of fault is
//! drawn once, with all its times; carrying it out takes no further chance.

use core::fmt::Debug;
use std::collections::VecDeque;

use quorate_raft::NodeId;
use quorate_rsm::StateMachine;

use crate::checker::Violation;
use crate::cluster::Cluster;
use crate::disk::DiskProfile;
use crate::fault::FaultKind;
use crate::network::{Rule, RuleId};
use crate::process::{READABLE, Timers};
use crate::trace;

/// A rule that can be read in a trace.
pub trait NamedRule: Rule + Debug {}

impl<R: Rule + Debug> NamedRule for R {}

/// One thing that is done to a cluster.
#[derive(Debug)]
pub enum Action {
    /// A node crashes.
    Crash(NodeId),
    /// A node starts, if it does not run.
    Start(NodeId),
    /// A node crashes after so many effects.
    CrashMidStep(NodeId, u64),
    /// A node's settings are others from the next start on: the nth.
    ChangeSettings(NodeId, u64),
    /// A node's software is the next version from the next start on.
    Upgrade(NodeId),
    /// A second process is started for a node.
    StartTwice(NodeId),
    /// A node stops.
    Pause(NodeId),
    /// And goes on.
    Resume(NodeId),
    /// A node and its clock stop.
    Freeze(NodeId),
    /// And go on; whether the clock makes good what it lost.
    Thaw(NodeId, bool),
    /// Each event keeps a node busy for so long.
    Slow(NodeId, Option<u64>),
    /// A clock stands still.
    StopClock(NodeId),
    /// And goes on; whether it makes good what it lost.
    StartClock(NodeId, bool),
    /// A clock jumps forward.
    JumpClock(NodeId, u64),
    /// How timers fire.
    SetTimers(NodeId, Option<Timers>),
    /// Two nodes lose their connection.
    Disconnect(NodeId, NodeId),
    /// A rule is in force until the plan ends.
    Impose(Box<dyn NamedRule>),
    /// A rule that ends earlier ends.
    Lift,
    /// How a disk behaves.
    SetDisk(NodeId, DiskProfile),
    /// A disk's next round takes so much longer.
    StallDisk(NodeId, u64),
    /// A disk's next round fails.
    FailDisk(NodeId),
    /// There is room for so many bytes.
    SetRoom(NodeId, Option<u64>),
    /// A node starts, and its disk is misread the first time.
    StartMisread(NodeId),
    /// A bit of a disk changes for good.
    Rot(NodeId),
    /// A node loses its storage.
    Evict(NodeId),
    /// A member is taken out.
    Remove(NodeId),
    /// A voter loses its vote.
    Demote(NodeId),
    /// Whoever has no vote gets it back.
    RestoreMembers,
    /// A node is to lead.
    Transfer(NodeId),
}

/// A fault under way.
#[derive(Debug)]
pub struct Plan {
    /// Which kind it is.
    pub kind: FaultKind,
    /// What is left to be done, and when, in virtual time.
    pub actions: VecDeque<(u64, Action)>,
    /// Rules in force.
    rules: Vec<RuleId>,
}

impl Plan {
    /// Nothing is to be done yet.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            actions: VecDeque::new(),
            rules: Vec::new(),
        }
    }

    /// Adds an action; those with equal times are done in the order in which they were added.
    #[must_use]
    pub fn then(mut self, at: u64, action: Action) -> Self {
        let place = self.actions.partition_point(|(other, _)| *other <= at);
        self.actions.insert(place, (at, action));
        self
    }

    /// Does what is due at `now`; when it goes on.
    ///
    /// # Errors
    /// What happens breaks a property.
    pub fn advance<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
    ) -> Result<Option<u64>, Violation> {
        let now = cluster.now();
        while let Some((_, action)) = self.actions.pop_front_if(|(at, _)| *at <= now) {
            cluster
                .trace
                .event(now, &"-", trace::Event::Fault, self.kind as u64, || {
                    format!("{:?}: {action:?}", self.kind)
                });
            self.act(cluster, action)?;
        }
        let next = self.actions.front().map(|(at, _)| *at);
        if next.is_none() {
            for rule in self.rules.drain(..) {
                cluster.network.remove(rule);
            }
        }
        Ok(next)
    }

    fn act<M: StateMachine + Default>(
        &mut self,
        cluster: &mut Cluster<M>,
        action: Action,
    ) -> Result<(), Violation> {
        match action {
            Action::Crash(id) => return cluster.crash(id),
            Action::Start(id) => return cluster.restart(id),
            Action::CrashMidStep(id, effects) => cluster.crash_mid_step(id, effects),
            Action::ChangeSettings(id, nth) => cluster.change_settings(id, nth),
            Action::Upgrade(id) => cluster.upgrade(id),
            Action::StartTwice(id) => return cluster.start_twice(id),
            Action::Pause(id) => cluster.pause(id),
            Action::Resume(id) => cluster.resume(id),
            Action::Freeze(id) => cluster.freeze(id),
            Action::Thaw(id, catch_up) => return cluster.thaw(id, catch_up),
            Action::Slow(id, busy) => cluster.slow(id, busy),
            Action::StopClock(id) => cluster.stop_clock(id),
            Action::StartClock(id, catch_up) => return cluster.start_clock(id, catch_up),
            Action::JumpClock(id, by) => cluster.jump_clock(id, by),
            Action::SetTimers(id, timers) => cluster.set_timers(id, timers),
            Action::Disconnect(a, b) => return cluster.disconnect(a, b),
            Action::Impose(rule) => self.rules.push(cluster.network.add_boxed(rule)),
            Action::Lift => {
                if !self.rules.is_empty() {
                    cluster.network.remove(self.rules.remove(0));
                }
            }
            Action::SetDisk(id, profile) => cluster.disk_mut(id).profile = profile,
            Action::StallDisk(id, by) => cluster.disk_mut(id).stall = by,
            Action::FailDisk(id) => cluster.disk_mut(id).failing = true,
            Action::SetRoom(id, room) => cluster.disk_mut(id).room = room,
            Action::StartMisread(id) => return start_misread(cluster, id),
            Action::Rot(id) => {
                cluster.rot(id);
            }
            Action::Evict(id) => {
                cluster.evict(id)?;
            }
            Action::Remove(id) => {
                cluster.remove_member(id)?;
            }
            Action::Demote(id) => {
                cluster.demote_member(id)?;
            }
            Action::RestoreMembers => cluster.restore_members()?,
            Action::Transfer(id) => {
                cluster.transfer_leadership(id)?;
            }
        }
        Ok(())
    }
}

fn start_misread<M: StateMachine + Default>(
    cluster: &mut Cluster<M>,
    id: NodeId,
) -> Result<(), Violation> {
    let disk = cluster.disk(id);
    if disk.is_rotten() || disk.is_empty() || cluster.is_running(id) {
        return cluster.restart(id);
    }
    cluster.disk_mut(id).misread();
    match cluster.start(id) {
        Err(violation) if violation.property == READABLE => cluster.restart(id),
        Err(violation) => Err(violation),
        Ok(()) => {
            let seen = format!("{id} started from a disk with a flipped bit");
            Err(Violation::new(READABLE, seen))
        }
    }
}
