//! What a client learns of the controller: who has which shard, and, where nothing comes of that group, who
//! had it before and may serve it still.

use quorate_rsm::{Call, ClientOutput};

use crate::config::{Configuration, ShardId};
use crate::controller::{ControllerQuery, ControllerReply};
use crate::mover::{CONTROLLER, Outgoing};

use super::route::NOWHERE;
use super::{ShardClient, ShardOutput};

/// So many configurations back it is looked for a group that may have the shard still.
const LOOK_BACK_MAX: u64 = 16;

impl ShardClient {
    /// Asks the controller for the newest configuration, not too often.
    pub(super) fn refresh(&mut self) {
        if self.asking.is_some() || self.closed || self.now < self.ask_from {
            return;
        }
        self.ask_from = self.now.after(self.config.refresh);
        let query = ControllerQuery::Query { number: None }.encode();
        let deadline = self.now.after(self.config.client.attempt_timeout * 4);
        self.asking = self
            .controller
            .call(self.now, Call::Read(query), deadline)
            .ok();
        self.drain_controller();
    }

    pub(super) fn drain_controller(&mut self) {
        while let Some(output) = self.controller.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => {
                    self.outputs.push_back(ShardOutput::Send(Outgoing {
                        group: CONTROLLER,
                        to,
                        requests,
                    }));
                }
                ClientOutput::Done { call, result } => {
                    let is_past = self.looking_back == Some(call);
                    let reply = result.ok().and_then(|it| ControllerReply::decode(&it).ok());
                    let found = match reply {
                        Some(ControllerReply::Configuration { configuration, .. }) => {
                            Some(configuration)
                        }
                        _ => None,
                    };
                    match is_past {
                        true => self.looking_back = None,
                        false => self.asking = None,
                    }
                    match found {
                        Some(past) if is_past => self.remember(&past),
                        Some(newest) => self.learn(newest),
                        // It may be kept no more: what is before it is not, either.
                        None if is_past => self.begin_anew(),
                        None => {}
                    }
                }
            }
        }
    }

    /// Turns the ways that a newer configuration says otherwise of, if they have led nowhere of late, and
    /// those to groups of which nothing is heard: one of them may have been asked for what it gave away
    /// since. A group that answers is stayed with: it may serve the shard until the next one has it, and
    /// then says so.
    fn learn(&mut self, configuration: Configuration) {
        let number = configuration.number;
        if number < self.configuration.number
            || configuration.shards.len() != self.config.shards as usize
        {
            return;
        }
        self.configuration = configuration;
        // What is known of groups is forgotten with them; the others tell it anew.
        if self.leaders.len() + self.gone.len() > 2 * self.configuration.groups.len() {
            (self.leaders, self.gone) = Default::default();
        }
        for shard in self.routed() {
            let group = self.configuration.owner(shard);
            let info = self.configuration.groups.get(group);
            let (Some(route), Some(info)) = (self.routes.get_mut(shard), info) else {
                continue;
            };
            if route.back == 1 || route.back + LOOK_BACK_MAX <= number {
                route.back = NOWHERE;
            }
            let is_lost = route.is_gone() && route.group != group;
            let is_served = !route.is_gone()
                && route.bounces == 0
                && self.configuration.groups.has(route.group);
            if number > route.config && !is_served || number == route.config && is_lost {
                let nodes = info.nodes.clone();
                route.lead_to(self.now, group, nodes, number, &self.down);
                self.go_on(shard);
            }
        }
        self.look_back();
    }

    /// The configuration before, in which it is to be looked for the group of a shard: nothing comes of the
    /// one that shall have it by the newest, and another may serve it still. 0 if that is not so, or there
    /// is none.
    fn before(&self, shard: ShardId) -> u64 {
        let newest = self.configuration.number;
        let owner = self.configuration.owner(shard);
        let route = self.routes.get(shard);
        let route = route.filter(|it| it.is_gone() && it.client.pending() > 0 && it.group == owner);
        route.map_or(0, |route| match route.back {
            NOWHERE => newest.saturating_sub(1),
            back if back + LOOK_BACK_MAX <= newest => 0,
            back => back - 1,
        })
    }

    /// Asks the controller for a configuration that was, if that helps anybody.
    fn look_back(&mut self) {
        let shards = self.routed().into_iter();
        let number = shards.map(|shard| self.before(shard)).max();
        let number = number.filter(|number| *number > 0);
        if number.is_none() || self.looking_back.is_some() || self.closed {
            return;
        }
        let query = ControllerQuery::Query { number }.encode();
        let deadline = self.now.after(self.config.client.attempt_timeout * 4);
        let begun = self.controller.call(self.now, Call::Read(query), deadline);
        self.looking_back = begun.ok();
    }

    /// When it is looked back next, then from the newest configuration on.
    fn begin_anew(&mut self) {
        for shard in self.routed() {
            if let Some(route) = self.routes.get_mut(shard) {
                route.back = NOWHERE;
            }
        }
    }

    /// Turns the ways to groups of which nothing comes to those that had the shards before.
    fn remember(&mut self, past: &Configuration) {
        for shard in self.routed() {
            if self.before(shard) != past.number {
                continue;
            }
            let giver = past.owner(shard);
            let number = self.configuration.number;
            let Some(route) = self.routes.get_mut(shard) else {
                continue;
            };
            route.back = past.number;
            if let Some(info) = past.groups.get(giver)
                && route.group != giver
            {
                route.lead_to(self.now, giver, info.nodes.clone(), number, &self.down);
                self.go_on(shard);
            }
        }
        self.look_back();
    }
}
