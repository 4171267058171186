//! Where a node's records live: an ordered map from string keys to bytes, written in atomic rounds.
//!
//! Two real kinds, so an enum and no trait. Neither awaits anything while a round is written: a
//! round is begun in one synchronous turn, and the [`Sink`] hears how it ended.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use quorate_rsm::storage::Round;

use crate::error::Failure;
use crate::indexed_db::IndexedDb;
use crate::js_storage::JsStorage;

/// What a storage says by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum StorageEvent {
    /// Opening waits for another page that holds the storage.
    Blocked,
    /// The round under way is durable.
    Written,
    /// The round under way was not written, or may not have been. Nothing more may be written.
    Failed(Failure),
    /// The storage has gone, with or without a round under way.
    Gone(Failure),
}

/// Whom a storage tells. The listener can change, so that opening and running differ.
#[derive(Clone, Default)]
pub struct Sink {
    listener: Rc<RefCell<Option<Listener>>>,
}

type Listener = Rc<dyn Fn(StorageEvent)>;

impl Sink {
    /// Replaces the listener.
    pub fn listen(&self, listener: impl Fn(StorageEvent) + 'static) {
        *self.listener.borrow_mut() = Some(Rc::new(listener));
    }

    /// Nobody listens any more.
    pub fn mute(&self) {
        self.listener.borrow_mut().take();
    }

    pub(crate) fn send(&self, event: StorageEvent) {
        let listener = self.listener.borrow().clone();
        if let Some(listener) = listener {
            listener(event);
        }
    }
}

/// An open storage.
pub enum Storage {
    /// A database of the browser.
    IndexedDb(IndexedDb),
    /// An object of the user.
    Js(JsStorage),
}

impl Storage {
    /// Every record.
    pub async fn load(&self) -> Result<Vec<(String, Bytes)>, Failure> {
        match self {
            Self::IndexedDb(database) => database.load().await,
            Self::Js(object) => object.load().await,
        }
    }

    /// Rounds need no longer survive a power cut. What is the user's own knows best itself.
    pub fn relax(&self) {
        if let Self::IndexedDb(database) = self {
            database.relax();
        }
    }

    /// Starts to write a round; never while another one is under way.
    pub fn write(&self, round: &Round) -> Result<(), Failure> {
        match self {
            Self::IndexedDb(database) => database.write(round),
            Self::Js(object) => object.write(round),
        }
    }

    /// Ends the use of the storage.
    pub async fn close(&self) {
        match self {
            Self::IndexedDb(database) => database.close(),
            Self::Js(object) => object.close().await,
        }
    }
}
