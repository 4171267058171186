//! What all clients have in common, whatever they call: ports, one timeout, and a drain at the end of
//! a turn.
//!
//! Requests made in one turn leave together at its end, as one frame for each node and group. Answers
//! come through one handler; it is called when nothing is borrowed, so it may call back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use js_sys::Uint8Array;
use quorate_raft::{Instant, NodeId, Table};
use quorate_rsm::{CallError, CallId, ClientInput, Outcome, Reply, Request, codec};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::convert::whole;
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

/// What decides whom to ask.
pub(crate) trait Caller: 'static {
    /// A node of a group answered.
    fn reply(&mut self, now: Instant, group: u32, from: NodeId, reply: Reply);
    /// Anything else happened.
    fn handle(&mut self, now: Instant, input: ClientInput);
    /// The next effect.
    fn poll_output(&mut self) -> Option<Effect>;
    /// When `TimerFired` is next due.
    fn next_timeout(&self) -> Instant;
}

/// An effect of a caller.
pub(crate) enum Effect {
    /// To a group's node.
    Send(u32, NodeId, Vec<Request>),
    /// A call has ended.
    Done(CallId, Result<Bytes, CallError>),
}

/// A caller with its ports.
pub(crate) struct Calling<C> {
    handler: ClientHandler,
    caller: RefCell<C>,
    ports: RefCell<Table<NodeId, Port>>,
    alarm: Rc<Alarm>,
    flush_queued: Cell<bool>,
    closed: Cell<bool>,
}

impl<C: Caller> Calling<C> {
    /// Waits for its first port.
    pub(crate) fn new(caller: C, handler: ClientHandler) -> Result<Rc<Self>, Failure> {
        for method in ["done", "failed"] {
            if !get(&handler, method).is_some_and(|it| it.is_function()) {
                return Err(Failure::argument(format!(
                    "handler has no method {method}()"
                )));
            }
        }
        Ok(Rc::new_cyclic(|weak: &Weak<Self>| {
            let on_timer = weak.clone();
            Self {
                handler,
                caller: RefCell::new(caller),
                ports: RefCell::new(Table::default()),
                alarm: Alarm::new(move || {
                    if let Some(shared) = on_timer.upgrade() {
                        shared.handle(ClientInput::TimerFired);
                    }
                }),
                flush_queued: Cell::new(false),
                closed: Cell::new(false),
            }
        }))
    }

    pub(crate) fn check_open(&self) -> Result<(), Failure> {
        if self.closed.get() {
            Err(Failure::closed("client"))
        } else {
            Ok(())
        }
    }

    pub(crate) fn connect(self: &Rc<Self>, node: NodeId, port: JsValue) -> Result<(), Failure> {
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

    pub(crate) fn disconnect(&self, node: NodeId) {
        let port = self.ports.borrow_mut().remove(node);
        drop(port);
        self.handle(ClientInput::NodeDown { node });
    }

    pub(crate) fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.handle(ClientInput::Close);
        let ports = std::mem::take(&mut *self.ports.borrow_mut());
        drop(ports);
        self.alarm.disarm();
    }

    /// Begins a call, which `what` does with the time and its deadline; effects come at the end of this
    /// turn.
    pub(crate) fn call(
        self: &Rc<Self>,
        timeout_ms: f64,
        what: impl FnOnce(&mut C, Instant, Instant) -> Result<CallId, CallError>,
    ) -> Result<f64, Failure> {
        if !(0.0..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
            let message = "a timeout must be between 0 and 86400000 ms";
            return Err(Failure::argument(message));
        }
        let now = timer::now();
        let deadline = now.after(Duration::from_micros((timeout_ms * 1_000.0) as u64));
        let begun = what(&mut self.caller.borrow_mut(), now, deadline);
        let CallId(id) = begun.map_err(|error| call_failure(&error))?;
        self.queue_flush();
        Ok(id as f64)
    }

    /// Ends a call; effects come at the end of this turn.
    pub(crate) fn cancel(self: &Rc<Self>, call: f64) -> Result<(), Failure> {
        let call = CallId(whole(call, "a call id")?);
        self.caller
            .borrow_mut()
            .handle(timer::now(), ClientInput::Cancel { call });
        self.queue_flush();
        Ok(())
    }

    /// The caller, to be looked at.
    pub(crate) fn look<T>(&self, what: impl FnOnce(&C) -> T) -> T {
        what(&self.caller.borrow())
    }

    /// Gives the caller something, and takes what comes of it.
    pub(crate) fn handle(&self, input: ClientInput) {
        self.caller.borrow_mut().handle(timer::now(), input);
        self.drain();
    }

    /// The answers of one frame. What is no frame is nothing.
    fn receive(&self, from: NodeId, frame: Option<Bytes>) {
        let Some(Ok((group, replies))) = frame.map(|frame| codec::decode_replies(&frame)) else {
            return;
        };
        let now = timer::now();
        for reply in replies {
            self.caller.borrow_mut().reply(now, group, from, reply);
        }
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
            let mut caller = self.caller.borrow_mut();
            let ports = self.ports.borrow();
            while let Some(effect) = caller.poll_output() {
                match effect {
                    Effect::Send(group, to, requests) => {
                        if let Some(port) = ports.get(to) {
                            let frame = codec::encode_requests(group, &requests);
                            frames.push((port.sender(), frame));
                        }
                    }
                    Effect::Done(call, result) => done.push((call, result)),
                }
            }
            caller.next_timeout()
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
