//! Admins: shipped clients of the controller, who make configurations and ask for them.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Call, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Reply};
use quorate_shard::{
    CONTROLLER, Configuration, ControllerCommand, ControllerQuery, ControllerReply, Outgoing,
};
use quorate_sim::machine::tagged;

use crate::lab::shards::{ShardLab, Wake, connection};
use crate::lab::{Failure, TIME_MAX};

/// Names an admin of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminId(pub(super) usize);

/// The connection of the first; clerks are below.
const FIRST: u64 = 800;
/// An order may take as long as a test.
const PATIENCE: Duration = Duration::from_secs(120);

/// The admin with this connection.
pub(super) fn of(client: ClientId) -> Option<AdminId> {
    Some(AdminId(client.0.checked_sub(FIRST)? as usize))
}

pub(super) struct Admin {
    client: Client,
    armed: Instant,
    open: BTreeMap<CallId, usize>,
}

/// Something asked of the controller.
pub(super) struct Order {
    reply: Option<Bytes>,
}

impl ShardLab {
    /// A new admin.
    pub fn admin(&mut self) -> AdminId {
        let config = ClientConfig::new(self.store.nodes(CONTROLLER));
        self.admins.push(Admin {
            client: Client::new(config, self.random.next_u64()),
            armed: Instant::NEVER,
            open: BTreeMap::new(),
        });
        AdminId(self.admins.len() - 1)
    }

    /// Begins a change; its number.
    pub fn begin(&mut self, admin: AdminId, command: &ControllerCommand) -> Result<usize, Failure> {
        // Its name, by which the checkers see that it is executed once.
        let tag = self.orders.len() as u64 + 1;
        self.order(admin, Call::Write(tagged(tag, &command.encode())))
    }

    fn order(&mut self, admin: AdminId, call: Call) -> Result<usize, Failure> {
        let now = Instant(self.now());
        let Admin { client, open, .. } = &mut self.admins[admin.0];
        match client.call(now, call, now.after(PATIENCE)) {
            Ok(call) => open.insert(call, self.orders.len()),
            Err(error) => return Err(self.fail(&error.to_string())),
        };
        self.orders.push(Order { reply: None });
        self.drain_admin(admin)?;
        Ok(self.orders.len() - 1)
    }

    /// What an order was answered, if it was.
    pub fn answer(&self, order: usize) -> Result<Option<ControllerReply>, Failure> {
        let reply = self.orders[order].reply.as_ref();
        let reply = reply.map(ControllerReply::decode).transpose();
        reply.map_err(|malformed| self.fail(malformed.0))
    }

    fn await_order(&mut self, order: usize) -> Result<ControllerReply, Failure> {
        self.wait(TIME_MAX, |lab| lab.orders[order].reply.is_some())?;
        let reply = self.answer(order)?;
        reply.ok_or_else(|| self.fail("an order is not answered"))
    }

    /// Executes a command.
    pub fn execute(
        &mut self,
        admin: AdminId,
        command: &ControllerCommand,
    ) -> Result<ControllerReply, Failure> {
        let order = self.begin(admin, command)?;
        self.await_order(order)
    }

    /// Executes a command of the first admin that must make a configuration.
    pub fn change(&mut self, command: &ControllerCommand) -> Result<(), Failure> {
        match self.execute(AdminId(0), command)? {
            ControllerReply::Changed { .. } => Ok(()),
            other => Err(self.fail(&format!("{command:?} was answered {other:?}"))),
        }
    }

    /// A configuration by its number, or the latest.
    pub fn query(&mut self, admin: AdminId, number: Option<u64>) -> Result<Configuration, Failure> {
        let query = ControllerQuery::Query { number }.encode();
        let order = self.order(admin, Call::Read(query))?;
        match self.await_order(order)? {
            ControllerReply::Configuration { configuration, .. } => Ok(configuration),
            other => Err(self.fail(&format!("configuration {number:?} is {other:?}"))),
        }
    }

    /// The latest configuration.
    pub fn latest(&mut self) -> Result<Configuration, Failure> {
        self.query(AdminId(0), None)
    }

    pub(super) fn wake_admin(&mut self, admin: AdminId) -> Result<(), Failure> {
        let now = Instant(self.now());
        let Admin { client, armed, .. } = &mut self.admins[admin.0];
        *armed = Instant::NEVER;
        client.handle(now, ClientInput::TimerFired);
        self.drain_admin(admin)
    }

    pub(super) fn admin_told(
        &mut self,
        admin: AdminId,
        from: NodeId,
        replies: Vec<Reply>,
    ) -> Result<(), Failure> {
        let now = Instant(self.now());
        for reply in replies {
            let input = ClientInput::Reply { from, reply };
            self.admins[admin.0].client.handle(now, input);
        }
        self.drain_admin(admin)
    }

    fn drain_admin(&mut self, admin: AdminId) -> Result<(), Failure> {
        while let Some(output) = self.admins[admin.0].client.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => {
                    let group = CONTROLLER;
                    let outgoing = Outgoing {
                        group,
                        to,
                        requests,
                    };
                    self.store.send(connection(FIRST, admin.0), outgoing);
                }
                ClientOutput::Done { call, result } => {
                    let order = self.admins[admin.0].open.remove(&call);
                    let order = order.ok_or("a call ended twice")?;
                    match result {
                        Ok(reply) => self.orders[order].reply = Some(reply),
                        Err(error) => return Err(self.fail(&format!("an order ended: {error}"))),
                    }
                }
            }
        }
        let Admin { client, armed, .. } = &mut self.admins[admin.0];
        let next = client.next_timeout();
        if next < *armed {
            *armed = next;
            self.store.plan_at(next.0, Wake::Admin(admin.0));
        }
        Ok(())
    }
}
