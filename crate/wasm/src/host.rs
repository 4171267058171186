//! The worker's side of a node, as JavaScript sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Promise};
use quorate_raft::{ConfState, NodeId};
use quorate_rsm::ClientId;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use crate::config::HostConfig;
use crate::convert::whole;
use crate::error::Failure;
use crate::link::LinkRule;
use crate::members::{parse_hex, read_changes, read_founders, write_identity};
use crate::opening::{self, Opened};
use crate::shared::Shared;

/// One node, with all its groups. Dropping it is a crash: what was durable stays, nothing is said.
#[wasm_bindgen]
pub struct Host {
    state: RefCell<State>,
}

enum State {
    /// Its storage is open, and knows of no cluster.
    Waiting(Box<Opened>),
    /// Its cluster is being written to it; who closes it meanwhile leaves word, and waits for the end.
    Beginning {
        is_closed: Rc<Cell<bool>>,
        ended: Promise,
    },
    Running(Rc<Shared>),
    /// It was closed before it ran, or could not begin.
    Over,
}

#[wasm_bindgen]
impl Host {
    /// Takes the lock, opens the storage, reads it, and starts the node, if it knows its cluster: see
    /// `identity` and `begin`.
    #[wasm_bindgen(unchecked_return_type = "Host")]
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "HostConfig")] config: JsValue,
        #[wasm_bindgen(js_name = onEvent, unchecked_param_type = "(event: HostEvent) => void")]
        on_event: Function,
    ) -> Result<Host, JsValue> {
        let config = HostConfig::read(config)?;
        let opened = opening::open(config, on_event).await?;
        let state = match opened.is_founded() {
            true => State::Running(opened.start().await?),
            false => State::Waiting(Box::new(opened)),
        };
        Ok(Self {
            state: RefCell::new(state),
        })
    }

    /// Whose storage this is: its own name, and the cluster's, or `null` if the node waits for
    /// `begin`.
    #[wasm_bindgen(unchecked_return_type = "Identity")]
    pub fn identity(&self) -> Result<JsValue, JsValue> {
        match &*self.state.borrow() {
            State::Waiting(opened) => {
                let storage = opened.ident().storage;
                Ok(write_identity(storage, None, &ConfState::default(), None).into())
            }
            State::Beginning { .. } | State::Over => Err(Failure::closed("node").into()),
            State::Running(shared) => Ok(shared.identity().into()),
        }
    }

    /// Tells a node that waits its cluster, durably, and starts it. `cluster` is sixteen hexadecimal
    /// digits, the same for all; `founders` are the members it is founded with, or none if this node
    /// comes later and waits to be added by a leader.
    pub async fn begin(
        &self,
        cluster: String,
        #[wasm_bindgen(unchecked_param_type = "Founder[]")] founders: JsValue,
    ) -> Result<(), JsValue> {
        let wrong = || Failure::argument("cluster must be sixteen hexadecimal digits");
        let cluster = parse_hex(&cluster).ok_or_else(wrong)?;
        let founders = read_founders(&founders)?;
        let is_closed = Rc::new(Cell::new(false));
        let mut end = None;
        let ended = Promise::new(&mut |resolve, _| end = Some(resolve));
        let beginning = State::Beginning {
            is_closed: is_closed.clone(),
            ended,
        };
        let opened = match self.state.replace(beginning) {
            State::Waiting(opened) => opened,
            state => {
                self.state.replace(state);
                return Err(Failure::argument("this node knows its cluster").into());
            }
        };
        let (state, result) = match begin(opened, cluster, founders, &is_closed).await {
            Ok(shared) => (State::Running(shared), Ok(())),
            Err(failure) => (State::Over, Err(failure.into())),
        };
        self.state.replace(state);
        if let Some(end) = end {
            let _ = end.call0(&JsValue::UNDEFINED);
        }
        result
    }

    /// Begins a change of a group's membership; the index of its entry. Events tell of each step.
    #[wasm_bindgen(js_name = changeMembers)]
    pub fn change_members(
        &self,
        group: u32,
        #[wasm_bindgen(unchecked_param_type = "MemberChange[]")] changes: &JsValue,
    ) -> Result<f64, JsValue> {
        let index = self
            .shared()?
            .change_members(group, &read_changes(changes)?)?;
        Ok(index as f64)
    }

    /// Hands a group's leadership over to another node. Events tell when it is done.
    #[wasm_bindgen(js_name = transferLeadership)]
    pub fn transfer_leadership(&self, group: u32, to: f64) -> Result<(), JsValue> {
        Ok(self.shared()?.transfer_leadership(group, node_id(to)?)?)
    }

    /// Opens the way to a peer, in place of an earlier one.
    #[wasm_bindgen(js_name = connectPeer)]
    pub fn connect_peer(
        &self,
        id: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self.shared()?.connect_peer(node_id(id)?, port)?)
    }

    /// The peer is gone; what was on the way to it is lost.
    #[wasm_bindgen(js_name = disconnectPeer)]
    pub fn disconnect_peer(&self, id: f64) -> Result<(), JsValue> {
        Ok(self.shared()?.disconnect_peer(node_id(id)?)?)
    }

    /// Opens the way to a client. The caller numbers its clients.
    #[wasm_bindgen(js_name = connectClient)]
    pub fn connect_client(
        &self,
        id: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self.shared()?.connect_client(client_id(id)?, port)?)
    }

    /// The client is gone.
    #[wasm_bindgen(js_name = disconnectClient)]
    pub fn disconnect_client(&self, id: f64) -> Result<(), JsValue> {
        Ok(self.shared()?.disconnect_client(client_id(id)?)?)
    }

    /// Replaces the faults of the link to a peer; `{}` heals it.
    #[wasm_bindgen(js_name = setLink)]
    pub fn set_link(
        &self,
        peer: f64,
        #[wasm_bindgen(unchecked_param_type = "LinkRule")] rule: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self
            .shared()?
            .set_link(node_id(peer)?, LinkRule::read(rule)?)?)
    }

    /// A picture of the node.
    #[wasm_bindgen(unchecked_return_type = "HostStatus")]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        Ok(self.shared()?.status()?.into())
    }

    /// Ends the node in order: waits for the write under way, closes the storage, gives the lock
    /// back. Later calls throw `CLOSED`.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn close(&self) -> Promise {
        let mut state = self.state.borrow_mut();
        let closing = match &*state {
            State::Beginning { is_closed, ended } => {
                is_closed.set(true);
                return ended.clone();
            }
            State::Running(shared) => State::Running(shared.clone()),
            State::Waiting(_) | State::Over => std::mem::replace(&mut *state, State::Over),
        };
        future_to_promise(async move {
            match closing {
                State::Running(shared) => shared.close().await,
                State::Waiting(opened) => opened.close().await,
                State::Beginning { .. } | State::Over => {}
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    fn shared(&self) -> Result<Rc<Shared>, Failure> {
        match &*self.state.borrow() {
            State::Running(shared) => Ok(shared.clone()),
            State::Waiting(_) => Err(Failure::new("NOT_BEGUN", "this node waits for begin()")),
            State::Beginning { .. } | State::Over => Err(Failure::closed("node")),
        }
    }
}

/// Tells a node its cluster and starts it, unless it was closed meanwhile.
async fn begin(
    mut opened: Box<Opened>,
    cluster: u64,
    founders: ConfState,
    is_closed: &Cell<bool>,
) -> Result<Rc<Shared>, Failure> {
    let told = match opened.found(cluster, founders).await {
        Ok(()) if is_closed.get() => Err(Failure::closed("node")),
        told => told,
    };
    match told {
        Ok(()) => opened.start().await,
        Err(failure) => {
            opened.close().await;
            Err(failure)
        }
    }
}

fn node_id(id: f64) -> Result<NodeId, JsValue> {
    Ok(NodeId(whole(id, "a node id")?))
}

fn client_id(id: f64) -> Result<ClientId, JsValue> {
    Ok(ClientId(whole(id, "a client id")?))
}
