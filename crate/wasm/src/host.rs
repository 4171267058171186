//! The worker's side of a node, as JavaScript sees it.

use std::rc::Rc;

use js_sys::{Function, Promise};
use quorate_raft::NodeId;
use quorate_rsm::ClientId;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use crate::config::HostConfig;
use crate::convert::{self, whole};
use crate::link::LinkRule;
use crate::opening;
use crate::shared::Shared;

/// One node, with all its groups. Dropping it is a crash: what was durable stays, nothing is said.
#[wasm_bindgen]
pub struct Host {
    shared: Rc<Shared>,
}

#[wasm_bindgen]
impl Host {
    /// Takes the lock, opens the storage, reads it, and starts the node.
    #[wasm_bindgen(unchecked_return_type = "Host")]
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "HostConfig")] config: JsValue,
        #[wasm_bindgen(js_name = onEvent, unchecked_param_type = "(event: HostEvent) => void")]
        on_event: Function,
    ) -> Result<Host, JsValue> {
        let config = HostConfig::read(config)?;
        Ok(Self {
            shared: opening::open(config, on_event).await?,
        })
    }

    /// Opens the way to a peer, in place of an earlier one.
    #[wasm_bindgen(js_name = connectPeer)]
    pub fn connect_peer(
        &self,
        id: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self.shared.connect_peer(node_id(id)?, port)?)
    }

    /// The peer is gone; what was on the way to it is lost.
    #[wasm_bindgen(js_name = disconnectPeer)]
    pub fn disconnect_peer(&self, id: f64) -> Result<(), JsValue> {
        Ok(self.shared.disconnect_peer(node_id(id)?)?)
    }

    /// Opens the way to a client. The caller numbers its clients.
    #[wasm_bindgen(js_name = connectClient)]
    pub fn connect_client(
        &self,
        id: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self.shared.connect_client(client_id(id)?, port)?)
    }

    /// The client is gone.
    #[wasm_bindgen(js_name = disconnectClient)]
    pub fn disconnect_client(&self, id: f64) -> Result<(), JsValue> {
        Ok(self.shared.disconnect_client(client_id(id)?)?)
    }

    /// Replaces the faults of the link to a peer; `{}` heals it.
    #[wasm_bindgen(js_name = setLink)]
    pub fn set_link(
        &self,
        peer: f64,
        #[wasm_bindgen(unchecked_param_type = "LinkRule")] rule: JsValue,
    ) -> Result<(), JsValue> {
        Ok(self
            .shared
            .set_link(node_id(peer)?, LinkRule::read(rule)?)?)
    }

    /// A picture of the node.
    #[wasm_bindgen(unchecked_return_type = "HostStatus")]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        Ok(convert::write(&self.shared.status()?))
    }

    /// Ends the node in order: waits for the write under way, closes the storage, gives the lock
    /// back. Later calls throw `CLOSED`.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn close(&self) -> Promise {
        let shared = self.shared.clone();
        future_to_promise(async move {
            shared.close().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

fn node_id(id: f64) -> Result<NodeId, JsValue> {
    Ok(NodeId(whole(id, "a node id")?))
}

fn client_id(id: f64) -> Result<ClientId, JsValue> {
    Ok(ClientId(whole(id, "a client id")?))
}
