//! The machine of a group: the key-value store, one of the user's own, which lives in JavaScript, or,
//! where groups hold shards, what they are there.
//!
//! One type for all, so that there is one [`Node`](quorate_rsm::Node) in the module. What a machine
//! of one's own means (its values, its errors, its context) is the affair of the object that is given
//! to the host, `pkg/src/machine/adapter.ts`; bytes cross here. Whatever that object throws is no
//! reply of the machine: the node cannot go on, and [`Machine::failure`] says why.

#[cfg(feature = "shards")]
use std::sync::Arc;

use bytes::Bytes;
use quorate_kv::{Kv, KvRestore, KvSnapshot};
#[cfg(feature = "shards")]
use quorate_raft::ConfState;
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::Failure;
use crate::heap;
#[cfg(feature = "shards")]
use crate::sharded::{Sharded, ShardedRestore, ShardedSnapshot};

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
pub struct Machine {
    /// Empty where the machine is another one.
    kv: Kv,
    own: Option<Own>,
    #[cfg(feature = "shards")]
    sharded: Option<Sharded>,
}

struct Own {
    object: MachineObject,
    /// What it was restored from, as long as nothing was applied since.
    restored: Bytes,
}

impl Own {
    fn change(&mut self, what: What, bytes: &[u8], context: &ApplyContext) -> Bytes {
        self.restored = Bytes::new();
        self.object
            .ask(what, bytes, Some(context))
            .unwrap_or_default()
    }
}

impl Machine {
    /// A machine in its first state.
    pub fn new(own: Option<&MachineObject>) -> Self {
        let own = own.map(|object| Own {
            object: object.clone(),
            restored: Bytes::new(),
        });
        Self {
            kv: Kv::new(),
            own,
            #[cfg(feature = "shards")]
            sharded: None,
        }
    }

    /// The machine of a group of a sharded store, in its first state.
    #[cfg(feature = "shards")]
    pub fn of_group(group: u32) -> Self {
        Self {
            sharded: Some(Sharded::of_group(group)),
            ..Self::new(None)
        }
    }

    /// What it is in a sharded store.
    #[cfg(feature = "shards")]
    pub fn sharded(&self) -> Option<&Sharded> {
        self.sharded.as_ref()
    }

    /// Why it cannot go on: what the node did since is not to leave it.
    pub fn failure(&self) -> Option<Failure> {
        self.own.as_ref()?.object.failed()
    }

    /// The store.
    pub fn kv(&self) -> &Kv {
        &self.kv
    }
}

impl StateMachine for Machine {
    type Snapshot = Snapshot;
    type Restore = Restore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        heap::look();
        #[cfg(feature = "shards")]
        if let Some(sharded) = &mut self.sharded {
            return sharded.apply(context, command);
        }
        match &mut self.own {
            None => self.kv.apply(context, command),
            Some(own) => own.change(What::Apply, command, context),
        }
    }

    fn query(&self, query: &Bytes) -> Bytes {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &self.sharded {
            return sharded.query(query);
        }
        match &self.own {
            None => self.kv.query(query),
            Some(own) => own.object.ask(What::Query, query, None).unwrap_or_default(),
        }
    }

    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &self.sharded {
            return sharded.poll(query);
        }
        match &self.own {
            None => self.kv.poll(query),
            Some(_) => Some(self.query(query)),
        }
    }

    fn due_ms(&self) -> Option<u64> {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &self.sharded {
            return sharded.due_ms();
        }
        match &self.own {
            None => self.kv.due_ms(),
            Some(own) => Some(own.object.due())
                .filter(|due| *due >= 0.0)
                .map(|due| due as u64),
        }
    }

    fn tick(&mut self, context: &ApplyContext) {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &mut self.sharded {
            return sharded.tick(context);
        }
        match &mut self.own {
            None => self.kv.tick(context),
            Some(own) => drop(own.change(What::Tick, &[], context)),
        }
    }

    #[cfg(feature = "shards")]
    fn membership_changed(&mut self, members: &Arc<ConfState>) {
        if let Some(sharded) = &mut self.sharded {
            sharded.membership_changed(members);
        }
    }

    /// A machine in JavaScript cannot share its state: it is written down here and now.
    fn snapshot(&self) -> Snapshot {
        let own = self.own.as_ref().map(|own| match own.restored.is_empty() {
            true => own
                .object
                .ask(What::Snapshot, &[], None)
                .unwrap_or_default(),
            false => own.restored.clone(),
        });
        Snapshot {
            kv: self.kv.snapshot(),
            own,
            #[cfg(feature = "shards")]
            sharded: self.sharded.as_ref().map(Sharded::snapshot),
        }
    }

    fn restore() -> Restore {
        Restore {
            kv: Kv::restore(),
            own: None,
            #[cfg(feature = "shards")]
            sharded: None,
        }
    }

    fn restore_in_place(&self) -> Restore {
        let own = self.own.as_ref();
        Restore {
            own: own.map(|own| (own.object.clone(), Vec::new())),
            #[cfg(feature = "shards")]
            sharded: self.sharded.as_ref().map(Sharded::restore_in_place),
            ..Self::restore()
        }
    }
}

/// A state.
pub struct Snapshot {
    kv: KvSnapshot,
    /// As the user's own machine wrote it down.
    own: Option<Bytes>,
    #[cfg(feature = "shards")]
    sharded: Option<ShardedSnapshot>,
}

impl MachineSnapshot for Snapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &mut self.sharded {
            return sharded.chunk(number, max_bytes);
        }
        let Some(bytes) = &self.own else {
            return self.kv.chunk(number, max_bytes);
        };
        let cut = |number| bytes.len().min(max_bytes.saturating_mul(number));
        let (from, to) = (cut(number as usize), cut(number as usize + 1));
        (bytes.slice(from..to), to == bytes.len())
    }

    fn format(&self) -> u32 {
        #[cfg(feature = "shards")]
        if let Some(sharded) = &self.sharded {
            return sharded.format();
        }
        self.kv.format()
    }
}

/// A machine being built.
pub struct Restore {
    kv: KvRestore,
    /// Of the user's own what came so far: until all is there, it stays as it is.
    own: Option<(MachineObject, Vec<u8>)>,
    #[cfg(feature = "shards")]
    sharded: Option<ShardedRestore>,
}

impl MachineRestore for Restore {
    type Machine = Machine;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        heap::look();
        #[cfg(feature = "shards")]
        if let Some(sharded) = &mut self.sharded {
            return sharded.chunk(data);
        }
        let Some((_, bytes)) = &mut self.own else {
            return self.kv.chunk(data);
        };
        bytes.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Machine, BadSnapshot> {
        #[cfg(feature = "shards")]
        if let Some(sharded) = self.sharded {
            return Ok(Machine {
                sharded: Some(sharded.finish()?),
                ..Machine::new(None)
            });
        }
        let Some((object, bytes)) = self.own else {
            let mut machine = Machine::new(None);
            machine.kv = self.kv.finish()?;
            return Ok(machine);
        };
        let restored = object.ask(What::Restore, &bytes, None);
        restored.ok_or(BadSnapshot("the machine refuses it"))?;
        let mut machine = Machine::new(Some(&object));
        if let Some(own) = &mut machine.own {
            own.restored = bytes.into();
        }
        Ok(machine)
    }
}
