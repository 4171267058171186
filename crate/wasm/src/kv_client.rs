//! The other end: a client of the key-value store, for a page, a process or another worker.
//!
//! Requests made in one turn leave together at its end, as one frame for each node. Answers come
//! through one handler with flat values; it is called when nothing is borrowed, so it may call back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use quorate_kv::{Command, Expected, KeyRange, KeyValue, Projection, Query, Reply};
use quorate_raft::{NodeId, Table};
use quorate_rsm::{Call, CallError, CallId, Client, ClientInput, ClientOutput, Outcome, codec};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::config::KvClientConfig;
use crate::convert::{NUMBER_MAX, whole};
use crate::entropy;
use crate::error::{Failure, get};
use crate::timer::{self, Alarm};
use crate::transport::{Port, Sender};

/// The longest timeout of a call.
const MAX_TIMEOUT_MS: f64 = 86_400_000.0;

#[wasm_bindgen]
extern "C" {
    /// Whom answers are given to.
    #[wasm_bindgen(typescript_type = "KvHandler")]
    pub type KvHandler;

    #[wasm_bindgen(method, structural, catch)]
    fn done(
        this: &KvHandler,
        call: f64,
        revision: f64,
        number: f64,
        more: bool,
        entries: &Array,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, structural, catch)]
    fn failed(this: &KvHandler, call: f64, error: &JsValue) -> Result<(), JsValue>;
}

/// A client of the key-value store: one session, many calls at a time.
#[wasm_bindgen]
pub struct KvClient {
    shared: Rc<Shared>,
}

struct Shared {
    group: u32,
    handler: KvHandler,
    client: RefCell<Client>,
    ports: RefCell<Table<NodeId, Port>>,
    alarm: Rc<Alarm>,
    flush_queued: Cell<bool>,
    closed: Cell<bool>,
}

#[wasm_bindgen]
impl KvClient {
    /// A client that waits for its first port.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "KvClientConfig")] config: JsValue,
        handler: KvHandler,
    ) -> Result<KvClient, JsValue> {
        let config = KvClientConfig::read(config)?;
        for method in ["done", "failed"] {
            if !get(&handler, method).is_some_and(|it| it.is_function()) {
                return Err(Failure::argument(format!("handler has no method {method}()")).into());
            }
        }
        let nodes = config.client.nodes.clone();
        let mut client = Client::new(config.client, entropy::seed()?);
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

    /// Stores a value.
    pub fn put(&self, key: Vec<u8>, value: Vec<u8>, timeout_ms: f64) -> Result<f64, JsValue> {
        self.write(
            &Command::Put {
                key: key.into(),
                value: value.into(),
            },
            timeout_ms,
        )
    }

    /// Asks for one key.
    pub fn get(&self, key: Vec<u8>, timeout_ms: f64) -> Result<f64, JsValue> {
        self.read(&Query::Get { key: key.into() }, timeout_ms)
    }

    /// Asks for the keys in `[start, end)`, at most `limit` of them; zero is no limit. Projection 0
    /// gives whole records, 1 only keys (values are empty), 2 only their number.
    pub fn range(
        &self,
        start: Vec<u8>,
        end: Option<Vec<u8>>,
        limit: f64,
        #[wasm_bindgen(unchecked_param_type = "0 | 1 | 2")] projection: f64,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        let range = key_range(start, end);
        let limit = whole(limit, "limit")?;
        let projection = match whole(projection, "projection")? {
            0 => Projection::Records,
            1 => Projection::Keys,
            2 => Projection::Count,
            _ => return Err(Failure::argument("a projection must be 0, 1 or 2").into()),
        };
        self.read(
            &Query::Range {
                range,
                limit,
                projection,
            },
            timeout_ms,
        )
    }

    /// Removes a key.
    pub fn delete(&self, key: Vec<u8>, timeout_ms: f64) -> Result<f64, JsValue> {
        self.write(&Command::Delete { key: key.into() }, timeout_ms)
    }

    /// Removes the keys in `[start, end)`.
    #[wasm_bindgen(js_name = deleteRange)]
    pub fn delete_range(
        &self,
        start: Vec<u8>,
        end: Option<Vec<u8>>,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        self.write(
            &Command::DeleteRange {
                range: key_range(start, end),
            },
            timeout_ms,
        )
    }

    /// Adds to the end of a value.
    pub fn append(&self, key: Vec<u8>, value: Vec<u8>, timeout_ms: f64) -> Result<f64, JsValue> {
        self.write(
            &Command::Append {
                key: key.into(),
                value: value.into(),
            },
            timeout_ms,
        )
    }

    /// Stores `value`, or removes the key without one, if the key has the value `expected`, or
    /// without that does not exist.
    #[wasm_bindgen(js_name = compareAndSwap)]
    pub fn compare_and_swap(
        &self,
        key: Vec<u8>,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        if expected.is_none() && value.is_none() {
            let message = "a swap of nothing for nothing changes nothing; ask for the key instead";
            return Err(Failure::argument(message).into());
        }
        let expected = expected.map_or(Expected::Absent, |expected| {
            Expected::Value(expected.into())
        });
        let new = value.map(Bytes::from);
        self.write(
            &Command::CompareAndSwap {
                key: key.into(),
                expected,
                new,
            },
            timeout_ms,
        )
    }

    /// Adds to a whole number.
    pub fn increment(&self, key: Vec<u8>, by: f64, timeout_ms: f64) -> Result<f64, JsValue> {
        if by.fract() != 0.0 || by.abs() > NUMBER_MAX as f64 {
            let message = "an increment must be a whole number between -(2^53 - 1) and 2^53 - 1";
            return Err(Failure::argument(message).into());
        }
        self.write(
            &Command::Increment {
                key: key.into(),
                by: by as i64,
            },
            timeout_ms,
        )
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

    fn write(&self, command: &Command, timeout_ms: f64) -> Result<f64, JsValue> {
        self.call(Call::Write(command.encode()), timeout_ms)
    }

    fn read(&self, query: &Query, timeout_ms: f64) -> Result<f64, JsValue> {
        self.call(Call::Read(query.encode()), timeout_ms)
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

impl Drop for KvClient {
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
            self.finish(call, result);
        }
    }

    fn finish(&self, call: CallId, result: Result<Bytes, CallError>) {
        let id = call.0 as f64;
        let answered = match result {
            Ok(data) => Answer::read(&data),
            Err(error) => Err(call_failure(&error)),
        };
        // A handler that throws is its owner's affair; the other answers still come.
        let _ = match answered {
            Ok(answer) => {
                let Answer {
                    revision,
                    number,
                    more,
                    entries,
                } = answer;
                self.handler
                    .done(id, revision as f64, number as f64, more, &entries)
            }
            Err(failure) => self.handler.failed(id, &failure.into()),
        };
    }
}

/// A reply of the store, flat.
struct Answer {
    revision: u64,
    number: i64,
    more: bool,
    entries: Array,
}

impl Answer {
    fn read(data: &Bytes) -> Result<Self, Failure> {
        let reply = Reply::decode(data)
            .map_err(|_| Failure::new("MALFORMED", "the node's answer cannot be read"))?;
        let answer = match reply {
            Reply::Written { meta } => Self::new(meta.mod_revision, 1),
            Reply::Incremented { value, meta } => {
                if value.unsigned_abs() > NUMBER_MAX {
                    let message = format!("the result {value} is beyond what a number holds");
                    return Err(Failure::new("NUMBER_TOO_LARGE", message).with_outcome("applied"));
                }
                Self {
                    number: value,
                    ..Self::new(meta.mod_revision, 0)
                }
            }
            Reply::Deleted { count, revision } => Self::new(revision, count),
            Reply::Mismatch { current, revision } => Self {
                entries: flatten(current.as_slice()),
                ..Self::new(revision, 0)
            },
            Reply::Got { record, revision } => Self {
                entries: flatten(record.as_slice()),
                ..Self::new(revision, 0)
            },
            Reply::Range {
                records,
                count,
                next,
                revision,
            } => Self {
                more: next.is_some(),
                entries: flatten(&records),
                ..Self::new(revision, count)
            },
            Reply::Put { .. }
            | Reply::Removed { .. }
            | Reply::Txn { .. }
            | Reply::Lease { .. }
            | Reply::Leases { .. }
            | Reply::Compacted { .. }
            | Reply::Changes { .. } => {
                let message = "the node answered something that was not asked";
                return Err(Failure::new("MALFORMED", message));
            }
            Reply::Failed(code) => {
                return Err(Failure::new(code.name(), code.to_string()).with_outcome("notApplied"));
            }
        };
        Ok(answer)
    }

    fn new(revision: u64, count: u64) -> Self {
        // Counts and revisions stay below 2^53.
        Self {
            revision,
            number: count as i64,
            more: false,
            entries: Array::new(),
        }
    }
}

/// Five values for each record.
fn flatten(records: &[KeyValue]) -> Array {
    let entries = Array::new();
    for KeyValue { key, value, meta } in records {
        entries.push(&Uint8Array::from(&key[..]));
        entries.push(&Uint8Array::from(&value[..]));
        for number in [meta.create_revision, meta.mod_revision, meta.version] {
            entries.push(&(number as f64).into());
        }
    }
    entries
}

fn key_range(start: Vec<u8>, end: Option<Vec<u8>>) -> KeyRange {
    KeyRange {
        start: start.into(),
        end: end.map(Bytes::from),
    }
}

/// First key after all keys that begin with `prefix`; none if there is no such key.
#[wasm_bindgen(js_name = prefixEnd)]
pub fn prefix_end(prefix: Vec<u8>) -> Option<Vec<u8>> {
    KeyRange::prefix(prefix).end.map(|end| end.to_vec())
}

fn call_failure(error: &CallError) -> Failure {
    let (code, outcome) = match *error {
        CallError::DeadlineExceeded { outcome } => ("DEADLINE_EXCEEDED", outcome),
        CallError::SessionExpired { outcome } => ("SESSION_EXPIRED", outcome),
        CallError::Cancelled { outcome } => ("CANCELLED", outcome),
        CallError::Closed { outcome } => ("CLOSED", outcome),
        CallError::TooManyCalls => ("TOO_MANY_CALLS", Outcome::NotApplied),
        CallError::TooLarge { limit } => {
            let failure = Failure::new("TOO_LARGE", error.to_string()).with_outcome("notApplied");
            return Failure {
                limit: Some(limit.into()),
                ..failure
            };
        }
    };
    Failure::new(code, error.to_string()).with_outcome(match outcome {
        Outcome::NotApplied => "notApplied",
        Outcome::Unknown => "unknown",
    })
}
