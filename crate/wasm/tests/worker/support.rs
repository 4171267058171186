//! What the tests share: names that never meet, patience, raw access to databases, and nodes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use quorate_wasm::Host;
use quorate_wasm::storage::{Sink, StorageEvent};
use quorate_wasm::timer;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbRequest, MessageChannel};

/// Longer than anything takes, on any machine; nothing passes because it was fast.
const PATIENCE_MS: u32 = 60_000;

/// A name that no other test, and no earlier run, has used.
pub fn unique(what: &str) -> String {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    COUNT.set(COUNT.get() + 1);
    format!("{what}-{}-{}", COUNT.get(), js_sys::Date::now())
}

pub async fn sleep(ms: u32) {
    timer::within(ms, |_, _| ())
        .await
        .expect("a timeout rejects nothing");
}

/// Waits until the condition holds; the failure names it.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = js_sys::Date::now();
    while !condition() {
        let waited = js_sys::Date::now() - start;
        assert!(
            waited < f64::from(PATIENCE_MS),
            "waited in vain until {what}"
        );
        sleep(5).await;
    }
}

/// Waits for a promise that resolves, as long as anything may take.
pub async fn resolved(promise: Promise) -> JsValue {
    let settled = timer::within(PATIENCE_MS, |resolve, reject| {
        script("a.then(b, c)", &[&promise, &resolve, &reject]);
    });
    let value = settled.await.expect("the promise resolves");
    value.expect("the promise settles in time")
}

/// Runs JavaScript; `arguments` are `a`, `b` and `c` in it.
pub fn script(body: &str, arguments: &[&JsValue]) -> JsValue {
    let function = Function::new_with_args("a, b, c", body);
    let list: Array = arguments.iter().copied().collect();
    Reflect::apply(&function, &JsValue::UNDEFINED, &list).expect("the script runs")
}

pub fn property(object: &JsValue, path: &str) -> JsValue {
    path.split('.')
        .fold(object.clone(), |value, name| match name.parse::<u32>() {
            Ok(index) => Reflect::get_u32(&value, index).expect("an array"),
            Err(_) => Reflect::get(&value, &name.into()).expect("an object"),
        })
}

pub fn number(object: &JsValue, path: &str) -> f64 {
    property(object, path)
        .as_f64()
        .unwrap_or_else(|| panic!("{path} is no number"))
}

pub fn text(object: &JsValue, path: &str) -> String {
    property(object, path)
        .as_string()
        .unwrap_or_else(|| panic!("{path} is no string"))
}

/// A plain object from JSON.
pub fn json(source: &str) -> JsValue {
    js_sys::JSON::parse(source).expect("JSON")
}

/// A copy of `object` with one more property.
pub fn with(object: &JsValue, name: &str, value: &JsValue) -> JsValue {
    let copy = Object::assign(&Object::new(), object.unchecked_ref());
    Reflect::set(&copy, &name.into(), value).expect("a fresh object");
    copy.into()
}

/// What a storage or a node said.
#[derive(Clone)]
pub struct Heard<T> {
    events: Rc<RefCell<Vec<T>>>,
}

impl<T: Clone + 'static> Heard<T> {
    pub fn all(&self) -> Vec<T> {
        self.events.borrow().clone()
    }

    /// Waits for an event that `choose` wants.
    pub async fn next<U>(&self, what: &str, choose: impl Fn(&T) -> Option<U>) -> U {
        let mut found = None;
        until(what, || {
            found = self.events.borrow().iter().find_map(&choose);
            found.is_some()
        })
        .await;
        found.expect("until waits for it")
    }
}

/// Listens to a storage.
pub fn hear_storage() -> (Sink, Heard<StorageEvent>) {
    let sink = Sink::default();
    let heard = Heard {
        events: Rc::new(RefCell::new(Vec::new())),
    };
    let events = heard.events.clone();
    sink.listen(move |event| events.borrow_mut().push(event));
    (sink, heard)
}

/// A listener for a node, and what it hears.
pub fn hear_host() -> (Function, Heard<JsValue>) {
    let heard = Heard {
        events: Rc::new(RefCell::new(Vec::new())),
    };
    let events = heard.events.clone();
    let listener: Closure<dyn Fn(JsValue)> =
        Closure::new(move |event| events.borrow_mut().push(event));
    (listener.into_js_value().unchecked_into(), heard)
}

impl Heard<JsValue> {
    /// Waits for an event of this type.
    pub async fn of_type(&self, name: &str) -> JsValue {
        let is = |event: &JsValue| (text(event, "type") == name).then(|| event.clone());
        self.next(name, is).await
    }
}

/// Settings of a node, quick and with little to say.
pub fn config(cluster: &str, node: u32, voters: u32) -> JsValue {
    let voters: Vec<String> = (1..=voters).map(|id| id.to_string()).collect();
    json(&format!(
        r#"{{ "cluster": "{cluster}", "node": {node}, "voters": [{}], "lockWaitMs": 200 }}"#,
        voters.join(",")
    ))
}

/// Opens a node that must open.
pub async fn open(config: &JsValue) -> (Host, Heard<JsValue>) {
    let (listener, heard) = hear_host();
    let host = match Host::open(config.clone(), listener).await {
        Ok(host) => host,
        Err(error) => panic!("the node does not open: {}", describe(&error)),
    };
    (host, heard)
}

/// Tries to open a node that must not open, and gives the error.
pub async fn refused(config: &JsValue) -> JsValue {
    let (listener, _) = hear_host();
    match Host::open(config.clone(), listener).await {
        Ok(_) => panic!("the node opens"),
        Err(error) => error,
    }
}

pub fn describe(error: &JsValue) -> String {
    let text = |name| property(error, name).as_string().unwrap_or_default();
    format!("{} {} at {}", text("code"), text("message"), text("place"))
}

/// The status of a node.
pub fn status(host: &Host) -> JsValue {
    host.status().expect("an open node has a status")
}

pub async fn close(host: &Host) {
    resolved(host.close()).await;
}

/// Waits until a group of a single node leads.
pub async fn leading(host: &Host) {
    until("the node leads", || {
        text(&status(host), "groups.0.role") == "leader"
    })
    .await;
}

/// Both ends of a channel.
pub fn channel() -> (JsValue, JsValue) {
    let channel = MessageChannel::new().expect("a channel");
    (channel.port1().into(), channel.port2().into())
}

/// Connects two nodes.
pub fn connect(a: (&Host, u32), b: (&Host, u32)) {
    let (left, right) = channel();
    a.0.connect_peer(b.1.into(), left).expect("an open node");
    b.0.connect_peer(a.1.into(), right).expect("an open node");
}

/// A storage in memory with switches, as JavaScript sees it: `records`, `writes` (each the keys it
/// put), `fail` (what the next write rejects with), `closed`.
pub fn memory_storage() -> JsValue {
    script(
        r#"
        const records = new Map();
        return {
            records, writes: [], fail: undefined, closed: 0, gate: undefined,
            async load() { return [...records]; },
            async write(deletes, puts) {
                if (this.fail) throw this.fail;
                if (this.gate) await this.gate;
                for (const [from, to] of deletes)
                    for (const key of [...records.keys()])
                        if (key >= from && key < to) records.delete(key);
                for (const [key, value] of puts) records.set(key, value.slice());
                this.writes.push(puts.map(([key]) => key));
            },
            async close() { this.closed += 1; },
        };"#,
        &[],
    )
}

fn factory() -> IdbFactory {
    property(&js_sys::global(), "indexedDB").unchecked_into()
}

fn settled(request: &IdbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
}

/// Opens a database as a stranger would: no handlers, no store made unless `store`.
pub async fn raw_open(name: &str, version: u32, store: bool) -> IdbDatabase {
    let request: IdbOpenDbRequest = factory().open_with_u32(name, version).expect("a request");
    let upgraded = request.clone();
    let upgrade: Closure<dyn Fn()> = Closure::new(move || {
        let database: IdbDatabase = upgraded.result().expect("a result").unchecked_into();
        if store {
            database
                .create_object_store("records")
                .expect("a new store");
        }
    });
    request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
    resolved(settled(&request)).await;
    request.result().expect("an open database").unchecked_into()
}

/// One value of a database that nobody else has open.
pub async fn raw_get(name: &str, key: &str) -> JsValue {
    let database = raw_open(name, 1, false).await;
    let store = database
        .transaction_with_str("records")
        .expect("a transaction");
    let store = store.object_store("records").expect("the store");
    let request = store.get(&key.into()).expect("a request");
    resolved(settled(&request)).await;
    database.close();
    request.result().expect("a result")
}

/// All keys of a database that nobody else has open.
pub async fn raw_keys(name: &str) -> Vec<String> {
    let database = raw_open(name, 1, false).await;
    let store = database
        .transaction_with_str("records")
        .expect("a transaction");
    let store = store.object_store("records").expect("the store");
    let request = store.get_all_keys().expect("a request");
    resolved(settled(&request)).await;
    database.close();
    let keys: Array = request.result().expect("a result").unchecked_into();
    keys.iter().filter_map(|key| key.as_string()).collect()
}

/// Replaces one value of a database that nobody else has open.
pub async fn raw_put(name: &str, key: &str, value: &JsValue) {
    let database = raw_open(name, 1, true).await;
    let mode = web_sys::IdbTransactionMode::Readwrite;
    let transaction = database
        .transaction_with_str_and_mode("records", mode)
        .expect("one");
    let store = transaction.object_store("records").expect("the store");
    store.put_with_key(value, &key.into()).expect("a request");
    let complete = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    resolved(complete).await;
    database.close();
}

/// Changes one byte of a stored record.
pub async fn raw_flip(name: &str, key: &str, at: impl Fn(&[u8]) -> usize) {
    let value: Uint8Array = raw_get(name, key).await.dyn_into().expect("a record");
    let mut bytes = value.to_vec();
    let place = at(&bytes);
    bytes[place] ^= 0x40;
    raw_put(name, key, &Uint8Array::from(&bytes[..])).await;
}

/// Asks for a database to be deleted; resolves when it is.
pub fn raw_delete(name: &str) -> Promise {
    settled(&factory().delete_database(name).expect("a request"))
}
