//! The whole reduce side of a job that comes with the package, and merging to have fewer sections.

use js_sys::{Float64Array, Uint8Array};
use quorate_mapreduce::data::{Compaction, DataError, Merge, Progress};
use quorate_mapreduce::jobs::ReduceSide;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{index, partitions};
use crate::error::Failure;
use crate::mapper::{ReduceOf, with_job};

/// What the host is to do: bytes are to be written, or the section of this number needs more, or
/// nothing (`undefined`).
fn wanted(
    progress: Result<Progress, DataError>,
    take: impl FnOnce() -> Vec<u8>,
) -> Result<JsValue, JsValue> {
    if let Progress::Need(section) = progress.map_err(Failure::from)? {
        return Ok((section as f64).into());
    }
    let output = take();
    Ok(match output.is_empty() {
        true => JsValue::UNDEFINED,
        false => Uint8Array::from(&output[..]).into(),
    })
}

/// A reduce task.
#[wasm_bindgen]
pub struct Reducer(Box<dyn ReduceSide>);

#[wasm_bindgen]
impl Reducer {
    /// One that reads so many sections of a partition, at most 64.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Job")] job: &JsValue,
        partition: u32,
        sections: usize,
    ) -> Result<Reducer, JsValue> {
        let merge = Merge::new(partition, sections).map_err(Failure::from)?;
        Ok(Self(with_job(job, 1, ReduceOf(merge))?))
    }

    /// Takes the next bytes of a section, as many as one likes; none if there are none.
    pub fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), JsValue> {
        Ok(self.0.feed(section, bytes).map_err(Failure::from)?)
    }

    /// Goes on: gives output to be written, or the number of the section of which more must be fed first,
    /// or `undefined` at the end.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array | number | undefined")]
    pub fn run(&mut self) -> Result<JsValue, JsValue> {
        let progress = self.0.run();
        wanted(progress, || self.0.take())
    }

    /// How many groups have begun.
    #[wasm_bindgen(getter)]
    pub fn groups(&self) -> f64 {
        self.0.groups() as f64
    }
}

/// Makes one section of many.
#[wasm_bindgen]
pub struct Compactor(Compaction);

#[wasm_bindgen]
impl Compactor {
    /// One that reads so many sections of a partition, at most 64, and writes a run for so many partitions.
    #[wasm_bindgen(constructor)]
    pub fn new(
        partition: u32,
        sections: usize,
        partition_count: u32,
    ) -> Result<Compactor, JsValue> {
        let merge = Merge::new(partition, sections).map_err(Failure::from)?;
        Ok(Self(Compaction::new(merge, partitions(partition_count)?)))
    }

    /// Takes the next bytes of a section, as many as one likes; none if there are none.
    pub fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), JsValue> {
        Ok(self.0.feed(section, bytes).map_err(Failure::from)?)
    }

    /// Goes on: gives bytes of the run to be written, or the number of the section of which more must be fed
    /// first, or `undefined` at the end.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array | number | undefined")]
    pub fn run(&mut self) -> Result<JsValue, JsValue> {
        let progress = self.0.run();
        wanted(progress, || self.0.take())
    }

    /// Where the section is, once the run is complete: partition, offset, bytes and pairs.
    pub fn index(&self) -> Option<Float64Array> {
        self.0.index().map(index)
    }
}
