//! A node and a client without a platform: time, chance and bytes are arguments, and effects are
//! given to an object, which must not call back. For worlds that are simulated in JavaScript,
//! `pkg/src/testing`: what runs there is the module that runs everywhere.

use std::time::Duration;

use bytes::Bytes;
use js_sys::Array;
use quorate_raft::{ConfState, Instant, NodeId, Random, StorageId};
use quorate_rsm::storage::{Ident, Loaded, Round, load};
use quorate_rsm::{Call, Client as Core, ClientId, ClientInput, ClientOutput, Input, codec};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calling::{ClientHandler, call_failure, finish};
use crate::config::{ClientConfig, HostConfig};
use crate::error::Failure;
use crate::groups::{Drained, Groups};
use crate::js_storage::{arrays, parse_record};
use crate::opening::open_groups;

#[wasm_bindgen]
extern "C" {
    /// Whom effects are given to.
    #[wasm_bindgen(typescript_type = "BareEffects")]
    pub type BareEffects;

    #[wasm_bindgen(method, structural)]
    fn frame(this: &BareEffects, to_client: bool, to: f64, frame: Vec<u8>);

    #[wasm_bindgen(method, structural)]
    fn write(this: &BareEffects, seq: f64, deletes: Array, puts: Array);

    #[wasm_bindgen(method, structural)]
    fn event(this: &BareEffects, event: &JsValue);
}

impl BareEffects {
    fn round(&self, seq: u64, round: &Round) {
        let (deletes, puts) = arrays(round);
        self.write(seq as f64, deletes, puts);
    }
}

/// A node with one group and a machine of the user's own.
#[wasm_bindgen]
pub struct BareNode {
    node: NodeId,
    groups: Groups,
    effects: BareEffects,
}

#[wasm_bindgen]
impl BareNode {
    /// Starts on what its storage holds. A storage that holds nothing gets its identity, as round 0,
    /// which is durable at once. The cluster's `voters` are its founders, each with the first storage
    /// that it had; who has `lost` some waits for a leader's word.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "HostConfig")] config: JsValue,
        lost: u32,
        #[wasm_bindgen(unchecked_param_type = "[key: string, value: Uint8Array][]")]
        records: &Array,
        now: f64,
        seed: f64,
        effects: BareEffects,
    ) -> Result<BareNode, JsValue> {
        let config = HostConfig::read(config)?;
        let records = records.iter().map(|record| parse_record(&record));
        let loaded = load(records.collect::<Result<Vec<_>, _>>()?);
        let Loaded { ident, mut groups } = loaded.map_err(Failure::from)?;
        let ident = ident.unwrap_or_else(|| {
            let storage = |node: NodeId, lost| StorageId(node.0 << 32 | u64::from(lost));
            let voters = config.voters.iter().copied().filter(|_| lost == 0);
            let mut founders = ConfState::new(voters);
            founders.storages = founders
                .voters
                .iter()
                .map(|id| (*id, storage(*id, 1)))
                .collect();
            let ident = Ident {
                cluster: config.cluster.clone(),
                node: config.node,
                storage: storage(config.node, lost + 1),
                cluster_id: 1,
                founders,
                machine: 1,
            };
            let mut round = Round::default();
            ident.put(&mut round);
            effects.round(0, &round);
            ident
        });
        let (now, mut random) = (Instant(now as u64), Random::new(seed as u64));
        let groups = open_groups(&config, &ident, &mut groups, now, &mut random)?;
        Ok(Self {
            node: config.node,
            groups,
            effects,
        })
    }

    /// Takes an event at local time `now`, in microseconds, and gives out its effects; when the
    /// timer must fire next. Throws if the machine cannot go on: nothing of it was given out.
    ///
    /// 0: a frame of the peer `from`; 1: of the client `from`; 2: the round `from` is durable;
    /// 3: it failed; 4: the timer fired; 5: the clock had stopped; 6: the peer `from` is
    /// unreachable; 7: it is to tell where its log stands.
    pub fn handle(
        &mut self,
        now: f64,
        what: u32,
        from: f64,
        frame: Vec<u8>,
    ) -> Result<f64, JsValue> {
        let (now, id) = (Instant(now as u64), from as u64);
        let groups = &mut self.groups;
        match what {
            0 => drop(groups.handle_peer(now, NodeId(id), self.node, &frame.into(), None)),
            1 => drop(groups.handle_client(now, ClientId(id), &frame.into(), None)),
            2 => groups.handle(now, 0, Input::Persisted { seq: id }),
            3 => groups.handle_all(now, &Input::PersistFailed),
            4 => groups.handle_timers(now),
            5 => groups.handle_all(now, &Input::ClockStopped),
            6 => groups.handle_all(now, &Input::Unreachable { peer: NodeId(id) }),
            _ => {}
        }
        let Drained {
            to_peers,
            to_clients,
            batches,
            mut events,
            ..
        } = groups.drain(None);
        if let Some(failure) = groups.take_failure() {
            return Err(failure.into());
        }
        for (group, batch) in batches {
            let mut round = Round::default();
            if let Some(layout) = groups.layout(group) {
                layout.round(&batch, &mut round);
            }
            self.effects.round(batch.seq, &round);
        }
        for (to, frame) in to_peers {
            self.effects.frame(false, to.0 as f64, frame);
        }
        for (to, frame) in to_clients {
            self.effects.frame(true, to.0 as f64, frame);
        }
        if what == 7 {
            events.extend(groups.take_progress());
        }
        for event in events {
            self.effects.event(event.value());
        }
        Ok(groups.next_timeout().0 as f64)
    }
}

/// A client.
#[wasm_bindgen]
pub struct BareClient {
    core: Core,
    effects: BareEffects,
    handler: ClientHandler,
}

#[wasm_bindgen]
impl BareClient {
    /// All nodes of the settings are up.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "ClientConfig")] config: JsValue,
        seed: f64,
        effects: BareEffects,
        handler: ClientHandler,
    ) -> Result<BareClient, JsValue> {
        let config = ClientConfig::read(config)?;
        Ok(Self {
            core: Core::new(config.client, seed as u64),
            effects,
            handler,
        })
    }

    /// Begins a call, of a query or a command. Effects come with the next `handle`.
    pub fn call(
        &mut self,
        now: f64,
        is_query: bool,
        bytes: Vec<u8>,
        timeout_ms: u32,
    ) -> Result<f64, JsValue> {
        let now = Instant(now as u64);
        let deadline = now.after(Duration::from_millis(timeout_ms.into()));
        let bytes = Bytes::from(bytes);
        let call = match is_query {
            true => Call::Read(bytes),
            false => Call::Write(bytes),
        };
        let begun = self.core.call(now, call, deadline);
        Ok(begun.map_err(|error| call_failure(&error))?.0 as f64)
    }

    /// Takes a frame of `node`, or with 0 hears that the timer fired, and gives out the effects; when
    /// the timer must fire next.
    pub fn handle(&mut self, now: f64, node: f64, frame: Vec<u8>) -> f64 {
        let (now, from) = (Instant(now as u64), NodeId(node as u64));
        if from.0 == 0 {
            self.core.handle(now, ClientInput::TimerFired);
        } else if let Ok((_, replies)) = codec::decode_replies(&Bytes::from(frame)) {
            for reply in replies {
                self.core.handle(now, ClientInput::Reply { from, reply });
            }
        }
        while let Some(output) = self.core.poll_output() {
            match output {
                ClientOutput::Send { to, requests } => {
                    let frame = codec::encode_requests(0, &requests);
                    self.effects.frame(false, to.0 as f64, frame);
                }
                ClientOutput::Done { call, result } => finish(&self.handler, call, &result),
            }
        }
        self.core.next_timeout().0 as f64
    }
}
