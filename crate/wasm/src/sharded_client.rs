//! A client of a sharded store. A call goes to the shard of its keys, which are read here, or to one that
//! the caller names: so a range or a watch over all of them is asked of each, and a lease is one of a
//! shard.

use std::rc::Rc;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Call, ClientInput, Reply};
use quorate_shard::{
    Configuration, GroupId, Outgoing, Route, ShardClient, ShardId, ShardOutput, route_command,
    route_query, shard_of, shard_of_range, strays_of_command, strays_of_query,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calling::{Caller, Calling, ClientHandler, Effect};
use crate::client::read_call;
use crate::config::read_sharded_client;
use crate::convert::{Plain, list, numbers, whole};
use crate::entropy;
use crate::error::Failure;
use crate::timer;

/// A client of a sharded store: a session in each shard that it has called.
#[wasm_bindgen]
pub struct ShardedClient {
    shards: u32,
    shared: Rc<Calling<ShardClient>>,
}

#[wasm_bindgen]
impl ShardedClient {
    /// A client that waits for its first port.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "ShardedClientConfig")] config: JsValue,
        handler: ClientHandler,
    ) -> Result<ShardedClient, JsValue> {
        let config = read_sharded_client(config)?;
        let (nodes, shards) = (config.controllers.clone(), config.shards);
        let mut client = ShardClient::new(config, entropy::seed()?);
        for node in nodes {
            client.notice(timer::now(), node, false);
        }
        let shared = Calling::new(client, handler)?;
        Ok(Self { shards, shared })
    }

    /// Opens the way to a node, in place of an earlier one.
    pub fn connect(
        &self,
        node: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        self.shared.check_open()?;
        let node = NodeId(whole(node, "a node id")?);
        Ok(self.shared.connect(node, port)?)
    }

    /// The node is gone: it is not tried until it is connected again.
    pub fn disconnect(&self, node: f64) -> Result<(), JsValue> {
        self.shared.check_open()?;
        self.shared.disconnect(NodeId(whole(node, "a node id")?));
        Ok(())
    }

    /// Executes a command, once, in the shard of its keys, or in `shard`. Throws `CROSS_SHARD` if it has
    /// keys in several, or not in that one, with the keys at `place`, and `SHARD_NEEDED` if it has none.
    pub fn write(
        &self,
        command: Vec<u8>,
        timeout_ms: f64,
        shard: Option<f64>,
    ) -> Result<f64, JsValue> {
        let command = command.into();
        let shard = match shard {
            Some(shard) => {
                let shard = self.shard(shard)?;
                within(&strays_of_command(&command, shard, self.shards))?;
                shard
            }
            None => only(route_command(&command, self.shards))?,
        };
        self.call(shard, Call::Write(command), timeout_ms)
    }

    /// Answers a query, as `Client.read` does, in the shard of its keys, or in `shard`. Throws
    /// `SHARD_NEEDED` if each shard has its own answer, and `CROSS_SHARD` if its key is not in `shard`.
    pub fn read(
        &self,
        query: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "0 | 1 | 2")] at: f64,
        timeout_ms: f64,
        shard: Option<f64>,
    ) -> Result<f64, JsValue> {
        let query = Bytes::from(query);
        let shard = match shard {
            Some(shard) => {
                let shard = self.shard(shard)?;
                within(&strays_of_query(&query, shard, self.shards))?;
                shard
            }
            None => only(route_query(&query, self.shards))?,
        };
        self.call(shard, read_call(query, at)?, timeout_ms)
    }

    /// The shard of a key.
    #[wasm_bindgen(js_name = shardOf)]
    pub fn shard_of(&self, key: &[u8]) -> u32 {
        shard_of(key, self.shards).0
    }

    /// The shard of all keys from `start` up to but without `end`; none if they may be in several.
    #[wasm_bindgen(js_name = shardOfRange)]
    pub fn shard_of_range(&self, start: &[u8], end: Option<Vec<u8>>) -> Option<u32> {
        let end = end.map(Bytes::from);
        shard_of_range(start, end.as_deref(), self.shards).map(|shard| shard.0)
    }

    /// The newest configuration that the client knows; number 0 before it knows one.
    #[wasm_bindgen(unchecked_return_type = "ShardConfiguration")]
    pub fn configuration(&self) -> JsValue {
        self.shared
            .look(|client| written(client.configuration()))
            .into()
    }

    /// Ends a call; whether it took effect is told to the handler.
    pub fn cancel(&self, call: f64) -> Result<(), JsValue> {
        Ok(self.shared.cancel(call)?)
    }

    /// Ends every call, and closes the ports. A second time it does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    fn shard(&self, shard: f64) -> Result<ShardId, Failure> {
        let shard = whole(shard, "a shard")?;
        if shard < u64::from(self.shards) {
            Ok(ShardId(shard as u32))
        } else {
            let message = format!("there are {} shards, from 0 on", self.shards);
            Err(Failure::argument(message))
        }
    }

    fn call(&self, shard: ShardId, call: Call, timeout_ms: f64) -> Result<f64, JsValue> {
        let begin = |it: &mut ShardClient, now, deadline| it.call(now, shard, call, deadline);
        Ok(self.shared.call(timeout_ms, begin)?)
    }
}

impl Drop for ShardedClient {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// The one shard that a call goes to.
fn only(route: Route) -> Result<ShardId, Failure> {
    match route {
        Route::One(shard) => Ok(shard),
        Route::All => {
            let message = "each shard has its own answer: say which one is asked";
            Err(Failure::new("SHARD_NEEDED", message).with_outcome("notApplied"))
        }
        Route::Across { keys } => Err(across("these keys are in different shards", &keys)),
    }
}

/// That no key is in another shard than the one that is meant.
fn within(strays: &[Bytes]) -> Result<(), Failure> {
    match strays.is_empty() {
        true => Ok(()),
        false => Err(across("these keys are in another shard", strays)),
    }
}

fn across(what: &str, keys: &[Bytes]) -> Failure {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| key.escape_ascii().to_string())
        .collect();
    let keys = keys.join(", ");
    let failure = Failure::new("CROSS_SHARD", format!("{what}: {keys}"));
    failure.with_outcome("notApplied").at(keys)
}

fn written(configuration: &Configuration) -> Plain {
    let shards = configuration.shards.iter().map(|group| group.0.into());
    let groups = configuration.groups.iter().map(|(id, info)| {
        Plain::new()
            .number("group", id.0.into())
            .number("weight", info.weight.into())
            .with("nodes", &numbers(info.nodes.iter().map(|node| node.0)))
    });
    Plain::new()
        .number("number", configuration.number)
        .with("shards", &numbers(shards))
        .with("groups", &list(groups))
}

impl Caller for ShardClient {
    fn reply(&mut self, now: Instant, group: u32, from: NodeId, reply: Reply) {
        self.reply(now, GroupId(group), from, reply);
    }

    fn handle(&mut self, now: Instant, input: ClientInput) {
        match input {
            ClientInput::NodeUp { node } => self.notice(now, node, true),
            ClientInput::NodeDown { node } => self.notice(now, node, false),
            ClientInput::Cancel { call } => self.cancel(now, call),
            ClientInput::TimerFired => self.timer(now),
            ClientInput::Close => self.close(now),
            // Who leads a group, it finds out; answers come with their group.
            ClientInput::Leads { .. } | ClientInput::Reply { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Option<Effect> {
        Some(match self.poll_output()? {
            ShardOutput::Send(Outgoing {
                group,
                to,
                requests,
            }) => Effect::Send(group.0, to, requests),
            ShardOutput::Done { call, result } => Effect::Done(call, result),
        })
    }

    fn next_timeout(&self) -> Instant {
        self.next_timeout()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_call_beside_its_shard_is_refused_by_its_keys() {
        assert!(within(&[]).is_ok());
        let failure = within(&["a".into()]).expect_err("another shard");
        assert_eq!(failure.code, "CROSS_SHARD");
        assert_eq!(failure.place.as_deref(), Some("a"));
    }

    #[test]
    fn a_call_across_shards_is_refused_by_its_keys() {
        assert_eq!(only(Route::One(ShardId(3))), Ok(ShardId(3)));
        let failure = only(Route::All).expect_err("no shard");
        assert_eq!(failure.code, "SHARD_NEEDED");
        let keys = vec!["a".into(), vec![0xff, b'b'].into()];
        let failure = only(Route::Across { keys }).expect_err("two shards");
        assert_eq!(failure.code, "CROSS_SHARD");
        assert_eq!(failure.place.as_deref(), Some("a, \\xffb"));
        assert_eq!(failure.outcome, Some("notApplied"));
    }
}
