//! A cluster of the shard controller, and what clerks order of it.

use bytes::Bytes;
use quorate_raft::NodeId;
use quorate_rsm::{Call, CallError, StateMachine};
use quorate_shard::{
    Configuration, Controller, ControllerCommand, ControllerQuery, ControllerReply, GroupId,
};
use quorate_sim::cluster::ClusterConfig;
use quorate_sim::machine::tagged;

use crate::lab::clerk::ClerkId;
use crate::lab::{Failure, Lab, TIME_MAX};

/// As many shards as in the testers.
pub const SHARDS: u32 = 10;

/// Tags above those of the history.
const FIRST: u64 = 1 << 40;

/// Something asked of a machine that is no store.
pub(super) struct Order {
    began: u64,
    reply: Option<Bytes>,
}

impl<M: StateMachine + Default> Lab<M> {
    /// Begins something that the call made of its tag asks; the tag.
    pub(super) fn order(
        &mut self,
        clerk: ClerkId,
        call: impl FnOnce(u64) -> Call,
    ) -> Result<u64, Failure> {
        let tag = FIRST + self.orders.len() as u64;
        self.orders.push(Order {
            began: self.cluster.now(),
            reply: None,
        });
        self.begin_order(clerk, tag, call(tag))?;
        Ok(tag)
    }

    /// Notes how a call ended, if it is an order; they have time enough to be answered.
    pub(super) fn end_order(
        &mut self,
        tag: u64,
        result: &Result<Bytes, CallError>,
    ) -> Option<Result<(), String>> {
        let order = self.orders.get_mut(tag.checked_sub(FIRST)? as usize)?;
        match result {
            Ok(reply) => {
                self.agreement.add(self.cluster.now() - order.began);
                order.reply = Some(reply.clone());
                Some(Ok(()))
            }
            Err(error) => Some(Err(format!("an order ended with {error:?}"))),
        }
    }

    /// How an order was answered, if it was.
    pub(super) fn told(&self, tag: u64) -> Option<&Bytes> {
        self.orders[(tag - FIRST) as usize].reply.as_ref()
    }
}

impl Lab<Controller> {
    /// A running cluster whose controller has [`SHARDS`] shards. A snapshot is taken every
    /// `snapshot_entries` commands.
    pub fn controller(seed: u64, nodes: u64, snapshot_entries: u64) -> Result<Self, Failure> {
        let mut config = ClusterConfig::fair(seed, nodes);
        config.node.snapshot_entries = snapshot_entries;
        config.node.keep_entries = 0;
        let mut lab = Self::with(config)?;
        let clerk = lab.clerk();
        match lab.execute(clerk, &ControllerCommand::Create { shards: SHARDS })? {
            ControllerReply::Unchanged { number: 0 } => Ok(lab),
            other => Err(lab.fail(&format!("the first command was answered {other:?}"))),
        }
    }

    /// Begins a command; its tag.
    pub fn begin_command(
        &mut self,
        clerk: ClerkId,
        command: &ControllerCommand,
    ) -> Result<u64, Failure> {
        self.order(clerk, |tag| Call::Write(tagged(tag, &command.encode())))
    }

    /// What a command or query was answered, if it was.
    pub fn answer(&self, tag: u64) -> Result<Option<ControllerReply>, Failure> {
        let reply = self.told(tag).map(ControllerReply::decode).transpose();
        reply.map_err(|malformed| self.fail(malformed.0))
    }

    fn await_order(&mut self, tag: u64) -> Result<ControllerReply, Failure> {
        self.wait(TIME_MAX, |lab| lab.told(tag).is_some())?;
        let reply = self.answer(tag)?;
        reply.ok_or_else(|| self.fail("an order is not answered"))
    }

    /// Executes a command.
    pub fn execute(
        &mut self,
        clerk: ClerkId,
        command: &ControllerCommand,
    ) -> Result<ControllerReply, Failure> {
        let tag = self.begin_command(clerk, command)?;
        self.await_order(tag)
    }

    /// Executes a command that must make the configuration after the latest.
    pub fn change(&mut self, clerk: ClerkId, command: &ControllerCommand) -> Result<(), Failure> {
        let number = self.query(clerk, None)?.number + 1;
        match self.execute(clerk, command)? {
            ControllerReply::Changed { number: made } if made == number => Ok(()),
            other => Err(self.fail(&format!("{other:?} in place of configuration {number}"))),
        }
    }

    /// A configuration by its number, or the latest.
    pub fn query(&mut self, clerk: ClerkId, number: Option<u64>) -> Result<Configuration, Failure> {
        let query = ControllerQuery::Query { number }.encode();
        let tag = self.order(clerk, |_| Call::Read(query))?;
        match self.await_order(tag)? {
            ControllerReply::Configuration { configuration, .. } => Ok(configuration),
            other => Err(self.fail(&format!("configuration {number:?} is {other:?}"))),
        }
    }

    /// The latest configuration must have these groups, and each of them its part of the shards: as many
    /// as any other, or one more.
    pub fn check_groups(&mut self, clerk: ClerkId, groups: &[u32]) -> Result<(), Failure> {
        let latest = self.query(clerk, None)?;
        let mut expected = groups.to_vec();
        expected.sort_unstable();
        if !latest.groups.keys().eq(expected.into_iter().map(GroupId)) {
            return Err(self.fail(&format!("there shall be groups {groups:?}: {latest:?}")));
        }
        let held = |id| latest.shards.iter().filter(|owner| **owner == id).count();
        let held: Vec<usize> = latest.groups.keys().map(held).collect();
        let uneven = held.iter().max() > held.iter().min().map(|least| least + 1).as_ref();
        let all = if groups.is_empty() {
            0
        } else {
            latest.shards.len()
        };
        if uneven || held.iter().sum::<usize>() != all {
            return Err(self.fail(&format!("the shards are not balanced: {latest:?}")));
        }
        Ok(())
    }

    /// Every node that runs must come to have this configuration.
    pub fn check_nodes(&mut self, latest: &Configuration) -> Result<(), Failure> {
        let has = |lab: &Self, id: NodeId| {
            let machine = lab.cluster.machine(id);
            machine.is_none_or(|machine| machine.latest() == Some(latest))
        };
        let all = |lab: &Self| lab.nodes().into_iter().all(|id| has(lab, id));
        if self.wait(TIME_MAX, all)? {
            return Ok(());
        }
        Err(self.fail("a node has another configuration"))
    }
}
