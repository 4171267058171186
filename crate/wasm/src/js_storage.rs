//! A storage that lives in JavaScript: a directory on Node, memory, or a user's own.
//!
//! The object has `load()`, `write(deletes, puts)` and `close()`; each returns a promise. `write`
//! must be atomic, and resolves when the round is durable.

use bytes::Bytes;
use js_sys::{Array, Promise, Uint8Array};
use quorate_rsm::storage::Round;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::error::{Failure, get};
use crate::heap;
use crate::storage::{Sink, StorageEvent};

#[wasm_bindgen]
extern "C" {
    /// What the user gave.
    type StorageObject;

    #[wasm_bindgen(method, structural, catch)]
    fn load(this: &StorageObject) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, structural, catch)]
    fn write(this: &StorageObject, deletes: &Array, puts: &Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, structural, catch)]
    fn close(this: &StorageObject) -> Result<JsValue, JsValue>;
}

/// The JavaScript object, and whom to tell how its writes end.
pub struct JsStorage {
    object: StorageObject,
    sink: Sink,
}

impl JsStorage {
    /// Takes any object that has the three methods.
    pub fn new(object: JsValue, sink: &Sink) -> Result<Self, Failure> {
        for method in ["load", "write", "close"] {
            if !get(&object, method).is_some_and(|it| it.is_function()) {
                return Err(Failure::argument(format!(
                    "storage has no method {method}()"
                )));
            }
        }
        Ok(Self {
            object: object.unchecked_into(),
            sink: sink.clone(),
        })
    }

    /// Every record.
    pub async fn load(&self) -> Result<Vec<(String, Bytes)>, Failure> {
        let failure = |reason: JsValue| {
            Failure::storage(
                "STORAGE_READ_FAILED",
                "the storage could not be read",
                &reason,
            )
        };
        let promise = Promise::resolve(&self.object.load().map_err(failure)?);
        let records = JsFuture::from(promise).await.map_err(failure)?;
        let records = records
            .dyn_into::<Array>()
            .map_err(|_| Failure::argument("storage.load() must give an array of [key, bytes]"))?;
        records.iter().map(|record| parse_record(&record)).collect()
    }

    /// Starts to write a round; the sink hears how it ended.
    pub fn write(&self, round: &Round) -> Result<(), Failure> {
        let (deletes, puts) = arrays(round);
        let promise = self
            .object
            .write(&deletes, &puts)
            .map_err(|reason| write_failure(&reason))?;
        let (written, sink) = (
            JsFuture::from(Promise::resolve(&promise)),
            self.sink.clone(),
        );
        spawn_local(async move {
            sink.send(match written.await {
                Ok(_) => StorageEvent::Written,
                Err(reason) => StorageEvent::Failed(write_failure(&reason)),
            });
        });
        Ok(())
    }

    /// Closes the storage. A failure of that harms nobody: everything reported was durable.
    pub async fn close(&self) {
        if let Ok(promise) = self.object.close() {
            let _ = JsFuture::from(Promise::resolve(&promise)).await;
        }
    }
}

/// A round's deletes and puts, as `write` takes them.
pub(crate) fn arrays(round: &Round) -> (Array, Array) {
    let pair = |key: &str, value: &JsValue| Array::of2(&key.into(), value);
    let deletes = round
        .deletes
        .iter()
        .map(|(from, to)| pair(from, &to.as_str().into()));
    let puts = round
        .puts
        .iter()
        .map(|(key, value)| pair(key, &Uint8Array::from(value.as_slice())));
    (deletes.collect(), puts.collect())
}

pub(crate) fn parse_record(record: &JsValue) -> Result<(String, Bytes), Failure> {
    heap::look();
    let wrong = || Failure::argument("storage.load() must give an array of [string, Uint8Array]");
    let pair = record.dyn_ref::<Array>().ok_or_else(wrong)?;
    let key = pair.get(0).as_string().ok_or_else(wrong)?;
    let value = pair.get(1).dyn_into::<Uint8Array>().map_err(|_| wrong())?;
    Ok((key, value.to_vec().into()))
}

fn write_failure(reason: &JsValue) -> Failure {
    Failure::storage(
        "STORAGE_WRITE_FAILED",
        "a round could not be written",
        reason,
    )
}
