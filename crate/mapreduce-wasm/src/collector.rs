//! The pairs of a `map` in JavaScript: batches come in, sorted runs go out, combined on the way or not.

use js_sys::Float64Array;
use quorate_mapreduce::data::{Collector, Combining, Drain, Index, Sink, take_pair};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{groups, index, partitions};
use crate::error::Failure;

/// Collects pairs up to a budget.
#[wasm_bindgen]
pub struct PairCollector {
    collector: Collector,
    spill: Option<Spill>,
    /// Of the last complete run.
    index: Option<Index>,
}

enum Spill {
    Plain(Drain),
    /// `true` once its run has its end.
    Combined(Combining, bool),
}

#[wasm_bindgen]
impl PairCollector {
    /// One for so many partitions, which is full at so many bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(partition_count: u32, budget_bytes: u32) -> Result<PairCollector, JsValue> {
        Ok(Self {
            collector: Collector::new(partitions(partition_count)?, budget_bytes as usize),
            spill: None,
            index: None,
        })
    }

    /// Takes the pairs of a batch until it is full, and returns how many bytes of it were taken: the rest
    /// is to be given again after a spill.
    pub fn add(&mut self, batch: &[u8]) -> Result<usize, JsValue> {
        if self.spill.is_some() {
            return Err(Failure::argument("a spill must be taken away whole").into());
        }
        let mut rest = batch;
        while !self.collector.is_full() {
            let next = take_pair(rest, self.collector.partitions()).map_err(Failure::from)?;
            let Some((pair, after)) = next else {
                break;
            };
            self.collector.push(pair).map_err(Failure::from)?;
            rest = after;
        }
        Ok(batch.len() - rest.len())
    }

    /// Whether it must be spilled before it takes more.
    #[wasm_bindgen(getter, js_name = isFull)]
    pub fn is_full(&self) -> bool {
        self.collector.is_full()
    }

    /// Whether there is nothing to spill.
    #[wasm_bindgen(getter, js_name = isEmpty)]
    pub fn is_empty(&self) -> bool {
        self.collector.is_empty()
    }

    /// How many bytes are kept; this counts against the budget.
    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> usize {
        self.collector.bytes()
    }

    /// The next values to be combined, about so many bytes of them; `undefined` when there are no more.
    /// The first call begins a spill.
    #[wasm_bindgen(unchecked_return_type = "Groups | undefined")]
    pub fn groups(&mut self, max_bytes: u32) -> Result<JsValue, JsValue> {
        let Self {
            collector, spill, ..
        } = self;
        let spill =
            spill.get_or_insert_with(|| Spill::Combined(Combining::begin(collector), false));
        let Spill::Combined(combining, false) = spill else {
            return Err(Failure::argument("this spill is not combined, or complete").into());
        };
        let batch = combining.groups(collector, max_bytes.max(1) as usize);
        Ok(match batch.is_empty() {
            true => JsValue::UNDEFINED,
            false => groups(batch),
        })
    }

    /// Takes what came of groups: a batch of pairs in the order of the groups. Returns bytes of the run, to be
    /// written; may be none.
    pub fn combined(&mut self, batch: &[u8]) -> Result<Vec<u8>, JsValue> {
        let Some(Spill::Combined(combining, false)) = &mut self.spill else {
            return Err(Failure::argument("nothing is being combined").into());
        };
        let partitions = self.collector.partitions();
        combining
            .combined(batch, partitions)
            .map_err(Failure::from)?;
        Ok(combining.take())
    }

    /// The next bytes of a run; `undefined` when it is complete. The first call, if groups were not asked
    /// for, begins a spill.
    pub fn spill(&mut self) -> Result<Option<Vec<u8>>, JsValue> {
        let Self {
            collector, spill, ..
        } = self;
        let chunk = match spill.get_or_insert_with(|| Spill::Plain(Drain::begin(collector))) {
            Spill::Plain(drain) => {
                let chunk = drain.chunk(collector).map_err(Failure::from)?;
                self.index = drain.index().cloned();
                chunk
            }
            Spill::Combined(_, true) => None,
            Spill::Combined(combining, is_complete) => {
                if !combining.is_exhausted(collector) {
                    return Err(Failure::argument("first all groups must be combined").into());
                }
                self.index = Some(combining.finish(collector));
                *is_complete = true;
                Some(combining.take())
            }
        };
        if chunk.is_none() {
            self.spill = None;
        }
        Ok(chunk)
    }

    /// Where the sections of the last complete run are: partition, offset, bytes and pairs of each.
    pub fn index(&self) -> Option<Float64Array> {
        self.index.as_ref().map(index)
    }
}
