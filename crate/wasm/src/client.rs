//! The other end: a client of a machine, for a page, a process or another worker. Commands, queries
//! and replies are bytes here; what they mean is between the machine and the caller.

use std::rc::Rc;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Call, Client as Core, ClientInput, ClientOutput, ReadAt, Reply};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calling::{Caller, Calling, ClientHandler, Effect};
use crate::config::ClientConfig;
use crate::convert::whole;
use crate::entropy;
use crate::error::Failure;
use crate::timer;

/// A client: one session, many calls at a time.
#[wasm_bindgen]
pub struct Client {
    shared: Rc<Calling<OfGroup>>,
}

/// The client of one group.
struct OfGroup {
    group: u32,
    core: Core,
}

#[wasm_bindgen]
impl Client {
    /// A client that waits for its first port.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "ClientConfig")] config: JsValue,
        handler: ClientHandler,
    ) -> Result<Client, JsValue> {
        let config = ClientConfig::read(config)?;
        let nodes = config.client.nodes.clone();
        let mut core = Core::new(config.client, entropy::seed()?);
        for node in nodes {
            core.handle(timer::now(), ClientInput::NodeDown { node });
        }
        let group = config.group;
        let shared = Calling::new(OfGroup { group, core }, handler)?;
        Ok(Self { shared })
    }

    /// Opens the way to a node, in place of an earlier one.
    pub fn connect(
        &self,
        node: f64,
        #[wasm_bindgen(unchecked_param_type = "Port")] port: JsValue,
    ) -> Result<(), JsValue> {
        self.shared.check_open()?;
        Ok(self
            .shared
            .connect(NodeId(whole(node, "a node id")?), port)?)
    }

    /// The node is gone: it is not tried until it is connected again.
    pub fn disconnect(&self, node: f64) -> Result<(), JsValue> {
        self.shared.check_open()?;
        self.shared.disconnect(NodeId(whole(node, "a node id")?));
        Ok(())
    }

    /// The node leads, as its owner heard: it is asked next, without a pause.
    pub fn leads(&self, node: f64) -> Result<(), JsValue> {
        self.shared.check_open()?;
        let node = NodeId(whole(node, "a node id")?);
        self.shared.handle(ClientInput::Leads { node });
        Ok(())
    }

    /// Executes a command, once.
    pub fn write(&self, command: Vec<u8>, timeout_ms: f64) -> Result<f64, JsValue> {
        self.call(Call::Write(command.into()), timeout_ms)
    }

    /// Answers a query: at 0 in the way of the settings, at 1 from the asked node's own state, at 2
    /// from there, too, once that has something to say.
    pub fn read(
        &self,
        query: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "0 | 1 | 2")] at: f64,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        self.call(read_call(query, at)?, timeout_ms)
    }

    /// Ends a call; whether it took effect is told to the handler.
    pub fn cancel(&self, call: f64) -> Result<(), JsValue> {
        Ok(self.shared.cancel(call)?)
    }

    /// Calls that have not ended.
    pub fn pending(&self) -> usize {
        self.shared.look(|it| it.core.pending())
    }

    /// Ends every call, and closes the ports. A second time it does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    fn call(&self, call: Call, timeout_ms: f64) -> Result<f64, JsValue> {
        let begin = |it: &mut OfGroup, now, deadline| it.core.call(now, call, deadline);
        Ok(self.shared.call(timeout_ms, begin)?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Without this a client that is freed unclosed would leave its calls without an end.
        self.shared.close();
    }
}

/// A query at 0, 1 or 2, as [`Client::read`] has it.
pub(crate) fn read_call(query: impl Into<Bytes>, at: f64) -> Result<Call, Failure> {
    let query = query.into();
    match whole(at, "at")? {
        0 => Ok(Call::Read(query)),
        1 => Ok(Call::ReadAt {
            query,
            at: ReadAt::Local,
        }),
        2 => Ok(Call::ReadAt {
            query,
            at: ReadAt::Watch,
        }),
        _ => Err(Failure::argument("a query is answered at 0, 1 or 2")),
    }
}

impl Caller for OfGroup {
    fn reply(&mut self, now: Instant, group: u32, from: NodeId, reply: Reply) {
        if group == self.group {
            self.core.handle(now, ClientInput::Reply { from, reply });
        }
    }

    fn handle(&mut self, now: Instant, input: ClientInput) {
        self.core.handle(now, input);
    }

    fn poll_output(&mut self) -> Option<Effect> {
        Some(match self.core.poll_output()? {
            ClientOutput::Send { to, requests } => Effect::Send(self.group, to, requests),
            ClientOutput::Done { call, result } => Effect::Done(call, result),
        })
    }

    fn next_timeout(&self) -> Instant {
        self.core.next_timeout()
    }
}
