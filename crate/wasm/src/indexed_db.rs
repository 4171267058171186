//! Records in IndexedDB: one database per node, one object store, string keys kept out of line.
//!
//! A round is one transaction, of `durability: "strict"` unless it is relaxed, begun and filled in one synchronous turn, so
//! that it can neither commit half-filled nor go inactive in an `await`. Its first request looks at
//! the [fence](crate::fence), and aborts it if that fails; otherwise it commits by itself. It counts when `complete` fires. Anything else
//! ends the node (fail-stop): after a failed write nobody knows what the disk holds, and retrying
//! would only hide that.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use quorate_rsm::storage::Round;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Event, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest,
    IdbTransaction,
};

use crate::error::{Failure, get};
use crate::fence::Fence;
use crate::heap;
use crate::storage::{Sink, StorageEvent};
use crate::timer;

/// The version of the database's own layout; what the records say is versioned in each of them.
pub const DATABASE_VERSION: u32 = 1;

const STORE: &str = "records";
/// How often an open that failed for no stated reason is tried again.
const OPEN_ATTEMPTS: u32 = 3;
/// A page of records should stay about this large, so that loading never blocks for long.
const PAGE_BYTES: usize = 4 << 20;
const MAX_PAGE_RECORDS: u32 = 1_024;

#[wasm_bindgen]
extern "C" {
    /// `IDBDatabase`, for the one call whose options web-sys still calls unstable.
    #[wasm_bindgen(extends = Object)]
    type StrictDatabase;

    #[wasm_bindgen(method, structural, catch, js_name = transaction)]
    fn transaction(
        this: &StrictDatabase,
        store: &str,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// An open database.
pub struct IndexedDb {
    database: IdbDatabase,
    fence: Rc<Fence>,
    options: Object,
    latest: RefCell<Option<IdbTransaction>>,
    complete: Closure<dyn Fn()>,
    abort: Closure<dyn Fn(Event)>,
    // Held, because the database calls them.
    _version_change: Closure<dyn Fn()>,
    _lost: Closure<dyn Fn()>,
}

impl IndexedDb {
    /// Opens, or makes, the database `name`, and takes it over from whoever has it open. Whatever
    /// happens, each of the two ends within `timeout_ms`.
    pub async fn open(
        name: &str,
        version: u32,
        timeout_ms: u32,
        sink: &Sink,
    ) -> Result<Self, Failure> {
        let mut attempt = 1;
        let database = loop {
            match open_once(name, version, timeout_ms, sink).await {
                Err((_, "UnknownError")) if attempt < OPEN_ATTEMPTS => attempt += 1,
                Err((failure, _)) => return Err(failure),
                Ok(database) => break database,
            }
        };
        let this = Self::adopt(database, sink);
        match this.raise_fence(timeout_ms).await {
            Ok(true) => Ok(this),
            Ok(false) => Err(blocked()),
            Err(reason) => Err(unavailable(&reason)),
        }
    }

    async fn raise_fence(&self, timeout_ms: u32) -> Result<bool, JsValue> {
        let (transaction, store) = self.begin()?;
        self.fence.raise(&transaction, store, timeout_ms).await
    }

    /// From now on a round is done when the system has it: the last ones do not survive a power cut.
    pub fn relax(&self) {
        set_durability(&self.options, "relaxed");
    }

    /// A transaction that writes, and survives a power cut once it is complete.
    fn begin(&self) -> Result<(IdbTransaction, IdbObjectStore), JsValue> {
        let database: &StrictDatabase = self.database.unchecked_ref();
        let transaction = database.transaction(STORE, "readwrite", &self.options)?;
        let store = transaction.object_store(STORE)?;
        Ok((transaction, store))
    }

    fn adopt(database: IdbDatabase, sink: &Sink) -> Self {
        let (on_complete, on_abort) = (sink.clone(), sink.clone());
        let (on_change, on_lost, closing) = (sink.clone(), sink.clone(), database.clone());
        let fence = Rc::<Fence>::default();
        let passed = fence.clone();
        let options = Object::new();
        set_durability(&options, "strict");
        let this = Self {
            fence,
            options,
            latest: RefCell::new(None),
            complete: Closure::new(move || on_complete.send(StorageEvent::Written)),
            abort: Closure::new(move |event: Event| {
                let failure = passed.failure().unwrap_or_else(|| aborted(&event));
                on_abort.send(StorageEvent::Failed(failure));
            }),
            _version_change: Closure::new(move || {
                // Another tab upgrades or deletes the database, and waits until we let go.
                closing.close();
                on_change.send(StorageEvent::Gone(Failure::new(
                    "STORAGE_TAKEN_AWAY",
                    "another page upgrades or deletes this node's database",
                )));
            }),
            _lost: Closure::new(move || {
                on_lost.send(StorageEvent::Gone(Failure::new(
                    "STORAGE_LOST",
                    "the browser closed this node's database; its site data may have been cleared",
                )));
            }),
            database,
        };
        this.database
            .set_onversionchange(Some(this._version_change.as_ref().unchecked_ref()));
        this.database
            .set_onclose(Some(this._lost.as_ref().unchecked_ref()));
        this
    }

    /// Every record, in the order of their keys, read page by page.
    pub async fn load(&self) -> Result<Vec<(String, Bytes)>, Failure> {
        let mut records = Vec::new();
        let mut limit = 16;
        loop {
            let after = records
                .last()
                .map(|(key, _): &(String, Bytes)| key.as_str());
            let (keys, values) = self.page(after, limit).await.map_err(|reason| {
                Failure::storage(
                    "STORAGE_READ_FAILED",
                    "the storage could not be read",
                    &reason,
                )
            })?;
            let mut page_bytes = 0;
            for (key, value) in keys.iter().zip(values.iter()) {
                let (key, value) = parse_record(&key, value)?;
                page_bytes += value.len();
                records.push((key, value));
            }
            if keys.length() < limit {
                return Ok(records);
            }
            limit = if page_bytes > PAGE_BYTES {
                limit.div_ceil(2)
            } else {
                limit * 2
            };
            limit = limit.min(MAX_PAGE_RECORDS);
        }
    }

    async fn page(&self, after: Option<&str>, limit: u32) -> Result<(Array, Array), JsValue> {
        let range = match after {
            Some(key) => IdbKeyRange::lower_bound_with_open(&key.into(), true)?,
            None => IdbKeyRange::lower_bound(&"".into())?,
        };
        let store = self
            .database
            .transaction_with_str(STORE)?
            .object_store(STORE)?;
        let keys = store.get_all_keys_with_key_and_limit(&range, limit)?;
        let values = store.get_all_with_key_and_limit(&range, limit)?;
        // Requests of one transaction succeed in order, so the second speaks for both.
        JsFuture::from(settled(&values))
            .await
            .map_err(|_| error_of(&values))?;
        Ok((
            keys.result()?.unchecked_into(),
            values.result()?.unchecked_into(),
        ))
    }

    /// Starts to write a round; the sink hears how it ended.
    pub fn write(&self, round: &Round) -> Result<(), Failure> {
        let failure = |reason: JsValue| {
            Failure::storage(
                "STORAGE_WRITE_FAILED",
                "a round could not be written",
                &reason,
            )
        };
        let (transaction, store) = self.begin().map_err(failure)?;
        let filled = self.fence.guard(&store).and_then(|()| fill(&store, round));
        if let Err(reason) = filled {
            // All or nothing, so nothing. The abort event finds no listener yet.
            let _ = transaction.abort();
            return Err(failure(reason));
        }
        transaction.set_oncomplete(Some(self.complete.as_ref().unchecked_ref()));
        transaction.set_onabort(Some(self.abort.as_ref().unchecked_ref()));
        *self.latest.borrow_mut() = Some(transaction);
        Ok(())
    }

    /// Lets go of the database. A round that has not passed the fence yet is not stored.
    pub fn close(&self) {
        self.database.set_onversionchange(None);
        self.database.set_onclose(None);
        if let Some(transaction) = self.latest.borrow_mut().take() {
            transaction.set_oncomplete(None);
            transaction.set_onabort(None);
            let _ = transaction.abort();
        }
        self.database.close();
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        self.close();
    }
}

/// One attempt. The name of the error tells the caller whether another one may help.
async fn open_once(
    name: &str,
    version: u32,
    timeout_ms: u32,
    sink: &Sink,
) -> Result<IdbDatabase, (Failure, &'static str)> {
    let request = factory()
        .and_then(|factory| factory.open_with_u32(name, version))
        .map_err(|reason| (unavailable(&reason), ""))?;
    let upgrade = request.clone();
    // Called at most once, perhaps after this function has given up: it belongs to the request.
    let upgrade = Closure::once_into_js(move || create_store(&upgrade));
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    let on_blocked = sink.clone();
    let waits: Closure<dyn Fn()> = Closure::new(move || on_blocked.send(StorageEvent::Blocked));
    request.set_onblocked(Some(waits.as_ref().unchecked_ref()));

    let ended = timer::within(timeout_ms, |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
    .await;
    request.set_onblocked(None);
    match ended {
        Ok(Some(_)) => {
            let database = request
                .result()
                .map_err(|reason| (unavailable(&reason), ""))?;
            Ok(database.unchecked_into())
        }
        Ok(None) => {
            close_when_late(&request);
            Err((blocked(), ""))
        }
        Err(_) => {
            let reason = error_of(&request);
            let name = get(&reason, "name")
                .and_then(|name| name.as_string())
                .unwrap_or_default();
            Err(match name.as_str() {
                "VersionError" => {
                    let message = "the database was made by a newer version of this software";
                    (Failure::new("STORAGE_VERSION", message), "")
                }
                "UnknownError" => (unavailable(&reason), "UnknownError"),
                _ => (unavailable(&reason), ""),
            })
        }
    }
}

fn unavailable(reason: &JsValue) -> Failure {
    let what = "the database could not be opened";
    Failure::storage("STORAGE_UNAVAILABLE", what, reason)
}

fn blocked() -> Failure {
    let message = "another tab or a pending deletion holds the database; close it";
    Failure::new("STORAGE_BLOCKED", message)
}

fn factory() -> Result<IdbFactory, JsValue> {
    let found = Reflect::get(&js_sys::global(), &"indexedDB".into())?;
    if found.is_undefined() || found.is_null() {
        return Err(js_sys::Error::new("this platform has no IndexedDB").into());
    }
    Ok(found.unchecked_into())
}

fn create_store(request: &IdbOpenDbRequest) {
    let Ok(database) = request.result() else {
        return;
    };
    let database: IdbDatabase = database.unchecked_into();
    // Fails only where the store exists already, made by an older layout.
    let _ = database.create_object_store(STORE);
}

/// Nobody waits for this request any more: a database that still opens is closed at once.
fn close_when_late(request: &IdbOpenDbRequest) {
    let late = request.clone();
    let close = Closure::once_into_js(move || {
        if let Ok(database) = late.result() {
            database.unchecked_into::<IdbDatabase>().close();
        }
    });
    request.set_onsuccess(Some(close.unchecked_ref()));
    request.set_onerror(None);
}

fn fill(store: &IdbObjectStore, round: &Round) -> Result<(), JsValue> {
    for (from, to) in &round.deletes {
        delete_range(store, from, to)?;
    }
    for (key, value) in &round.puts {
        store.put_with_key(&Uint8Array::from(value.as_slice()), &key.as_str().into())?;
    }
    Ok(())
}

fn delete_range(store: &IdbObjectStore, from: &str, to: &str) -> Result<(), JsValue> {
    // An empty range is lawful here, and an error there.
    if from < to {
        let range = IdbKeyRange::bound_with_lower_open_and_upper_open(
            &from.into(),
            &to.into(),
            false,
            true,
        )?;
        store.delete(&range)?;
    }
    Ok(())
}

fn parse_record(key: &JsValue, value: JsValue) -> Result<(String, Bytes), Failure> {
    heap::look();
    let corrupt =
        |place: String| Failure::new("STORAGE_CORRUPT", "a stored record is not of ours").at(place);
    let Some(key) = key.as_string() else {
        return Err(corrupt("a key that is no string".into()));
    };
    match value.dyn_into::<Uint8Array>() {
        Ok(value) => Ok((key, value.to_vec().into())),
        Err(_) => Err(corrupt(key)),
    }
}

fn settled(request: &IdbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
}

fn error_of(request: &IdbRequest) -> JsValue {
    get(request, "error").unwrap_or(JsValue::UNDEFINED)
}

fn aborted(event: &Event) -> Failure {
    // A quota that is reached shows here alone: no request fails, the transaction aborts.
    let transaction = event.target().map(JsValue::from).unwrap_or_default();
    let reason = get(&transaction, "error").unwrap_or(JsValue::UNDEFINED);
    Failure::storage(
        "STORAGE_WRITE_FAILED",
        "a round of writes was aborted",
        &reason,
    )
}

fn set_durability(options: &Object, durability: &str) {
    // Cannot fail: the object is ours and extensible. Engines that do not know it ignore it.
    let _ = Reflect::set(options, &"durability".into(), &durability.into());
}
