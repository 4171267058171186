//! The coordinator as a state machine of one's own: bytes in, bytes out.

use bytes::Bytes;
use quorate_mapreduce::coordinator;
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::whole;
use crate::error::Failure;

/// The coordinator.
#[wasm_bindgen]
#[derive(Default)]
pub struct Coordinator(coordinator::Coordinator);

#[wasm_bindgen]
impl Coordinator {
    /// One that knows of no job.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Executes a command; the reply.
    pub fn apply(
        &mut self,
        command: Vec<u8>,
        index: f64,
        term: f64,
        time_ms: f64,
    ) -> Result<Vec<u8>, JsValue> {
        let context = context(index, term, time_ms)?;
        Ok(self.0.apply(&context, &command.into()).into())
    }

    /// Answers a query.
    pub fn query(&self, query: Vec<u8>) -> Vec<u8> {
        self.0.query(&query.into()).into()
    }

    /// The same, but `undefined` if it waits and there is nothing to say yet.
    pub fn poll(&self, query: Vec<u8>) -> Option<Vec<u8>> {
        self.0.poll(&query.into()).map(Vec::from)
    }

    /// The log time from which on [`Coordinator::tick`] has something to do; `NaN` for none.
    #[wasm_bindgen(js_name = dueAt)]
    pub fn due_at(&self) -> f64 {
        self.0.due_ms().map_or(f64::NAN, |due| due as f64)
    }

    /// Does what is due.
    pub fn tick(&mut self, index: f64, term: f64, time_ms: f64) -> Result<(), JsValue> {
        self.0.tick(&context(index, term, time_ms)?);
        Ok(())
    }

    /// The state, all of it.
    pub fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot().chunk(0, usize::MAX).0.into()
    }

    /// Replaces the state by that of a snapshot.
    pub fn restore(&mut self, snapshot: Vec<u8>) -> Result<(), JsValue> {
        let mut restore = <coordinator::Coordinator as StateMachine>::restore();
        let restored = restore
            .chunk(&Bytes::from(snapshot))
            .and_then(|()| restore.finish());
        self.0 = restored.map_err(Failure::from)?;
        Ok(())
    }
}

fn context(index: f64, term: f64, time_ms: f64) -> Result<ApplyContext, Failure> {
    Ok(ApplyContext {
        index: Index(whole(index, "index")?),
        term: Term(whole(term, "term")?),
        time_ms: whole(time_ms, "timeMs")?,
    })
}
