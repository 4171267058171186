//! The other end: a client of a machine, for a page, a process or another worker. Commands, queries
//! and replies are bytes here; what they mean is between the machine and the caller.
//!
//! Requests made in one turn leave together at its end, as one frame for each node. Answers come
//! through one handler; it is called when nothing is borrowed, so it may call back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use js_sys::Uint8Array;
use quorate_raft::{NodeId, Table};
use quorate_rsm::{
    Call, CallError, CallId, Client as Core, ClientInput, ClientOutput, Outcome, ReadAt, codec,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::config::ClientConfig;
use crate::convert::whole;
use crate::entropy;
use crate::error::{Failure, get};
use crate::timer::{self, Alarm};
use crate::transport::{Port, Sender};

/// The longest timeout of a call.
const MAX_TIMEOUT_MS: f64 = 86_400_000.0;

#[wasm_bindgen]
extern "C" {
    /// Whom answers are given to.
    #[wasm_bindgen(typescript_type = "ClientHandler")]
    pub type ClientHandler;

    #[wasm_bindgen(method, structural, catch)]
    pub(crate) fn done(this: &ClientHandler, call: f64, reply: Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, structural, catch)]
    pub(crate) fn failed(this: &ClientHandler, call: f64, error: &JsValue) -> Result<(), JsValue>;
}

/// A client: one session, many calls at a time.
#[wasm_bindgen]
pub struct Client {
    shared: Rc<Shared>,
}

struct Shared {
    group: u32,
    handler: ClientHandler,
    client: RefCell<Core>,
    ports: RefCell<Table<NodeId, Port>>,
    alarm: Rc<Alarm>,
    flush_queued: Cell<bool>,
    closed: Cell<bool>,
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
        for method in ["done", "failed"] {
            if !get(&handler, method).is_some_and(|it| it.is_function()) {
                return Err(Failure::argument(format!("handler has no method {method}()")).into());
            }
        }
        let nodes = config.client.nodes.clone();
        let mut client = Core::new(config.client, entropy::seed()?);
        for node in nodes {
            client.handle(timer::now(), ClientInput::NodeDown { node });
        }
        let shared = Rc::new_cyclic(|weak: &Weak<Shared>| {
            let on_timer = weak.clone();
            Shared {
                group: config.group,
                handler,
                client: RefCell::new(client),
                ports: RefCell::new(Table::default()),
                alarm: Alarm::new(move || {
                    if let Some(shared) = on_timer.upgrade() {
                        shared.handle(ClientInput::TimerFired);
                    }
                }),
                flush_queued: Cell::new(false),
                closed: Cell::new(false),
            }
        });
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
        let query = Bytes::from(query);
        let call = match whole(at, "at")? {
            0 => Call::Read(query),
            1 => Call::ReadAt {
                query,
                at: ReadAt::Local,
            },
            2 => Call::ReadAt {
                query,
                at: ReadAt::Watch,
            },
            _ => return Err(Failure::argument("a query is answered at 0, 1 or 2").into()),
        };
        self.call(call, timeout_ms)
    }

    /// Ends a call; whether it took effect is told to the handler.
    pub fn cancel(&self, call: f64) -> Result<(), JsValue> {
        let call = CallId(whole(call, "a call id")?);
        self.shared
            .client
            .borrow_mut()
            .handle(timer::now(), ClientInput::Cancel { call });
        self.shared.queue_flush();
        Ok(())
    }

    /// Calls that have not ended.
    pub fn pending(&self) -> usize {
        self.shared.client.borrow().pending()
    }

    /// Ends every call, and closes the ports. A second time it does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    fn call(&self, call: Call, timeout_ms: f64) -> Result<f64, JsValue> {
        if !(0.0..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
            let message = "a timeout must be between 0 and 86400000 ms";
            return Err(Failure::argument(message).into());
        }
        let now = timer::now();
        let deadline = now.after(Duration::from_micros((timeout_ms * 1_000.0) as u64));
        let begun = self.shared.client.borrow_mut().call(now, call, deadline);
        let CallId(id) = begun.map_err(|error| call_failure(&error))?;
        self.shared.queue_flush();
        Ok(id as f64)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Without this a client that is freed unclosed would leave its calls without an end.
        self.shared.close();
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), Failure> {
        if self.closed.get() {
            Err(Failure::closed("client"))
        } else {
            Ok(())
        }
    }

    fn connect(self: &Rc<Self>, node: NodeId, port: JsValue) -> Result<(), Failure> {
        let weak = Rc::downgrade(self);
        let port = Port::open(port, move |frame| {
            if let Some(shared) = weak.upgrade() {
                shared.receive(node, frame);
            }
        })?;
        let earlier = self.ports.borrow_mut().insert(node, port);
        if earlier.is_some() {
            self.handle(ClientInput::NodeDown { node });
        }
        self.handle(ClientInput::NodeUp { node });
        Ok(())
    }

    fn disconnect(&self, node: NodeId) {
        let port = self.ports.borrow_mut().remove(node);
        drop(port);
        self.handle(ClientInput::NodeDown { node });
    }

    fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.handle(ClientInput::Close);
        let ports = std::mem::take(&mut *self.ports.borrow_mut());
        drop(ports);
        self.alarm.disarm();
    }

    /// The answers of one frame. What is no frame of this group is nothing.
    fn receive(&self, from: NodeId, frame: Option<Bytes>) {
        let Some(Ok((group, replies))) = frame.map(|frame| codec::decode_replies(&frame)) else {
            return;
        };
        if group != self.group {
            return;
        }
        let now = timer::now();
        for reply in replies {
            self.client
                .borrow_mut()
                .handle(now, ClientInput::Reply { from, reply });
        }
        self.drain();
    }

    fn handle(&self, input: ClientInput) {
        self.client.borrow_mut().handle(timer::now(), input);
        self.drain();
    }

    /// Drains at the end of this turn, once, however many calls it makes.
    fn queue_flush(self: &Rc<Self>) {
        if !self.flush_queued.replace(true) {
            let shared = self.clone();
            spawn_local(async move {
                shared.flush_queued.set(false);
                shared.drain();
            });
        }
    }

    fn drain(&self) {
        let now = timer::now();
        let mut frames: Vec<(Sender, Vec<u8>)> = Vec::new();
        let mut done: Vec<(CallId, Result<Bytes, CallError>)> = Vec::new();
        let deadline = {
            let mut client = self.client.borrow_mut();
            let ports = self.ports.borrow();
            while let Some(output) = client.poll_output() {
                match output {
                    ClientOutput::Send { to, requests } => {
                        if let Some(port) = ports.get(to) {
                            let frame = codec::encode_requests(self.group, &requests);
                            frames.push((port.sender(), frame));
                        }
                    }
                    ClientOutput::Done { call, result } => done.push((call, result)),
                }
            }
            client.next_timeout()
        };
        for (sender, frame) in frames {
            sender.send(&frame);
        }
        if !self.closed.get() {
            self.alarm.arm(now, deadline);
        }
        for (call, result) in done {
            finish(&self.handler, call, &result);
        }
    }
}

/// A handler that throws is its owner's affair; the other answers still come.
pub(crate) fn finish(handler: &ClientHandler, call: CallId, result: &Result<Bytes, CallError>) {
    let id = call.0 as f64;
    let _ = match result {
        Ok(reply) => handler.done(id, Uint8Array::from(&reply[..])),
        Err(error) => handler.failed(id, &call_failure(error).into()),
    };
}

pub(crate) fn call_failure(error: &CallError) -> Failure {
    let (code, outcome) = match *error {
        CallError::DeadlineExceeded { outcome } => ("DEADLINE_EXCEEDED", outcome),
        CallError::SessionExpired { outcome } => ("SESSION_EXPIRED", outcome),
        CallError::Cancelled { outcome } => ("CANCELLED", outcome),
        CallError::Closed { outcome } => ("CLOSED", outcome),
        CallError::TooManyCalls => ("TOO_MANY_CALLS", Outcome::NotApplied),
        CallError::TooLarge { outcome, .. } => ("TOO_LARGE", outcome),
    };
    let failure = Failure::new(code, error.to_string()).with_outcome(match outcome {
        Outcome::NotApplied => "notApplied",
        Outcome::Unknown => "unknown",
    });
    if let CallError::TooLarge { limit, .. } = *error {
        failure.with_limit(limit.into())
    } else {
        failure
    }
}
