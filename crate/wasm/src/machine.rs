//! The machine of a group: the key-value store, or one of the user's own, which lives in JavaScript.
//!
//! One type for both, so that there is one [`Node`](quorate_rsm::Node) in the module. What a machine
//! of one's own means (its values, its errors, its context) is the affair of the object that is given
//! to the host, `pkg/src/machine/adapter.ts`; bytes cross here. Whatever that object throws is no
//! reply of the machine: the node cannot go on, and [`Machine::failure`] says why.

use bytes::Bytes;
use quorate_kv::{Kv, KvRestore, KvSnapshot};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::Failure;

#[wasm_bindgen]
extern "C" {
    /// A machine in JavaScript.
    #[wasm_bindgen(typescript_type = "MachineObject")]
    #[derive(Clone)]
    pub type MachineObject;

    #[wasm_bindgen(method, structural, catch)]
    fn call(
        this: &MachineObject,
        what: u32,
        bytes: &[u8],
        index: f64,
        term: f64,
        time_ms: f64,
    ) -> Result<Vec<u8>, JsValue>;

    #[wasm_bindgen(method, structural, getter)]
    fn due(this: &MachineObject) -> f64;

    #[wasm_bindgen(method, structural, getter)]
    fn failure(this: &MachineObject) -> JsValue;
}

/// What is asked of a machine in JavaScript.
#[derive(Clone, Copy)]
enum What {
    Apply,
    Query,
    Snapshot,
    Restore,
    Tick,
}

impl MachineObject {
    /// Why it cannot go on.
    pub fn failed(&self) -> Option<Failure> {
        Failure::given(&self.failure())
    }

    /// Nothing where it fails: [`Machine::failure`] is asked before anything leaves the node.
    fn ask(&self, what: What, bytes: &[u8], context: Option<&ApplyContext>) -> Option<Bytes> {
        let [index, term, time_ms] =
            context.map_or([0; 3], |it| [it.index.0, it.term.0, it.time_ms]);
        let answer = self.call(
            what as u32,
            bytes,
            index as f64,
            term as f64,
            time_ms as f64,
        );
        answer.ok().map(Bytes::from)
    }
}

/// The machine of a group.
pub enum Machine {
    /// The key-value store.
    Kv(Kv),
    /// The user's own, and the snapshot that it was just restored from.
    Own(MachineObject, Bytes),
}

impl Machine {
    /// A machine in its first state.
    pub fn new(own: Option<&MachineObject>) -> Self {
        match own {
            None => Self::Kv(Kv::new()),
            Some(object) => Self::Own(object.clone(), Bytes::new()),
        }
    }

    /// Why it cannot go on: what the node did since is not to leave it.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Kv(_) => None,
            Self::Own(object, _) => object.failed(),
        }
    }

    /// The store, if it is one.
    pub fn kv(&self) -> Option<&Kv> {
        match self {
            Self::Kv(kv) => Some(kv),
            Self::Own(..) => None,
        }
    }
}

impl StateMachine for Machine {
    type Snapshot = Snapshot;
    type Restore = Restore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        match self {
            Self::Kv(kv) => kv.apply(context, command),
            Self::Own(object, restored) => {
                *restored = Bytes::new();
                object
                    .ask(What::Apply, command, Some(context))
                    .unwrap_or_default()
            }
        }
    }

    fn query(&self, query: &Bytes) -> Bytes {
        match self {
            Self::Kv(kv) => kv.query(query),
            Self::Own(object, _) => object.ask(What::Query, query, None).unwrap_or_default(),
        }
    }

    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        match self {
            Self::Kv(kv) => kv.poll(query),
            Self::Own(..) => Some(self.query(query)),
        }
    }

    fn due_ms(&self) -> Option<u64> {
        match self {
            Self::Kv(kv) => kv.due_ms(),
            Self::Own(object, _) => Some(object.due())
                .filter(|due| *due >= 0.0)
                .map(|due| due as u64),
        }
    }

    fn tick(&mut self, context: &ApplyContext) {
        match self {
            Self::Kv(kv) => kv.tick(context),
            Self::Own(object, restored) => {
                *restored = Bytes::new();
                object.ask(What::Tick, &[], Some(context));
            }
        }
    }

    /// A machine in JavaScript cannot share its state: it is written down here and now.
    fn snapshot(&self) -> Snapshot {
        match self {
            Self::Kv(kv) => Snapshot::Kv(kv.snapshot()),
            Self::Own(_, restored) if !restored.is_empty() => Snapshot::Own(restored.clone()),
            Self::Own(object, _) => {
                Snapshot::Own(object.ask(What::Snapshot, &[], None).unwrap_or_default())
            }
        }
    }

    fn restore() -> Restore {
        Restore::Kv(Kv::restore())
    }

    fn restore_in_place(&self) -> Restore {
        match self {
            Self::Kv(_) => Self::restore(),
            Self::Own(object, _) => Restore::Own(object.clone(), Vec::new()),
        }
    }
}

/// A state.
pub enum Snapshot {
    /// The store's.
    Kv(KvSnapshot),
    /// Of the user's own machine, as that wrote it down.
    Own(Bytes),
}

impl MachineSnapshot for Snapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        match self {
            Self::Kv(kv) => kv.chunk(number, max_bytes),
            Self::Own(bytes) => {
                let cut = |number| bytes.len().min(max_bytes.saturating_mul(number));
                let (from, to) = (cut(number as usize), cut(number as usize + 1));
                (bytes.slice(from..to), to == bytes.len())
            }
        }
    }

    fn format(&self) -> u32 {
        match self {
            Self::Kv(kv) => kv.format(),
            Self::Own(_) => 0,
        }
    }
}

/// A machine being built.
pub enum Restore {
    /// The store.
    Kv(KvRestore),
    /// The user's own, and what came so far. Until all is there, it stays as it is.
    Own(MachineObject, Vec<u8>),
}

impl MachineRestore for Restore {
    type Machine = Machine;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        match self {
            Self::Kv(kv) => kv.chunk(data),
            Self::Own(_, bytes) => {
                bytes.extend_from_slice(data);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Machine, BadSnapshot> {
        match self {
            Self::Kv(kv) => kv.finish().map(Machine::Kv),
            Self::Own(object, bytes) => {
                let restored = object.ask(What::Restore, &bytes, None);
                restored.ok_or(BadSnapshot("the machine refuses it"))?;
                Ok(Machine::Own(object, bytes.into()))
            }
        }
    }
}
