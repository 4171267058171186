//! The fence of a database: a number that every opener raises, and that every round must find as its
//! writer left it.
//!
//! The lock keeps a second opener away. But locks are stolen, are missing in some webviews, and have
//! bugs; then the later opener wins here. It raises the number before it reads a record, so it sees
//! all that the earlier one was told is durable, and whatever that one writes from then on is
//! aborted. A transaction compares and writes in one, so there is no moment between the two.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, IdbObjectStore, IdbRequest, IdbTransaction};

use crate::error::{Failure, get};
use crate::timer;

/// Where the number is. The keys of records are strings, and numbers sort before all strings.
const KEY: f64 = 0.0;

/// The right to write to a database, until somebody else opens it.
pub struct Fence {
    epoch: Rc<Cell<f64>>,
    is_taken_over: Rc<Cell<bool>>,
    check: Closure<dyn Fn(Event)>,
}

impl Default for Fence {
    /// Not raised yet: no round passes.
    fn default() -> Self {
        let (epoch, is_taken_over) = (Rc::new(Cell::new(f64::NAN)), Rc::new(Cell::new(false)));
        let (mine, noted) = (epoch.clone(), is_taken_over.clone());
        let check = Closure::new(move |event: Event| {
            let request = event.target().map(JsCast::unchecked_into::<IdbRequest>);
            let Some((number, transaction)) =
                request.and_then(|request| Some((number(&request), request.transaction()?)))
            else {
                return;
            };
            // Not committed here, behind the requests that follow: Firefox would not abort it for one of
            // them that fails.
            if number != Some(mine.get()) {
                noted.set(true);
                let _ = transaction.abort();
            }
        });
        Self {
            epoch,
            is_taken_over,
            check,
        }
    }
}

impl Fence {
    /// Raises the number in `transaction`, which is fresh, and waits until that is durable. Whether
    /// it was within `timeout_ms`; if not, it never will be. No number, as earlier versions left it,
    /// counts as zero.
    pub async fn raise(
        &self,
        transaction: &IdbTransaction,
        store: IdbObjectStore,
        timeout_ms: u32,
    ) -> Result<bool, JsValue> {
        let found = store.get(&KEY.into())?;
        let (raised, request) = (self.epoch.clone(), found.clone());
        let raise = Closure::once_into_js(move || {
            raised.set(number(&request).unwrap_or(0.0) + 1.0);
            // Where it fails, so does the transaction.
            let _ = store.put_with_key(&raised.get().into(), &KEY.into());
        });
        found.set_onsuccess(Some(raise.unchecked_ref()));
        let ended = timer::within(timeout_ms, |resolve, reject| {
            transaction.set_oncomplete(Some(&resolve));
            transaction.set_onabort(Some(&reject));
        })
        .await;
        match ended {
            Ok(Some(_)) => Ok(true),
            Ok(None) => {
                // Who gives up takes nothing over, not even later.
                let _ = transaction.abort();
                Ok(false)
            }
            Err(_) => Err(get(transaction, "error").unwrap_or(JsValue::UNDEFINED)),
        }
    }

    /// The first request of a round: what the transaction is asked for after it is stored if nobody
    /// else has opened the database, and aborted otherwise.
    pub fn guard(&self, store: &IdbObjectStore) -> Result<(), JsValue> {
        let request = store.get(&KEY.into())?;
        request.set_onsuccess(Some(self.check.as_ref().unchecked_ref()));
        Ok(())
    }

    /// Why the transaction aborted, if it did because of the fence.
    pub fn failure(&self) -> Option<Failure> {
        let message = "another opener took this node's storage over";
        self.is_taken_over
            .get()
            .then(|| Failure::new("STORAGE_FENCED", message))
    }
}

fn number(request: &IdbRequest) -> Option<f64> {
    request.result().ok()?.as_f64()
}
