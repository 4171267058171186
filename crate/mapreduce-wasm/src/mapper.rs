//! The whole map side of a job that comes with the package.

use js_sys::Float64Array;
use quorate_mapreduce::data::{Merge, Records};
use quorate_mapreduce::jobs::{
    Grep, InvertedIndex, Job, MapSide, MapTask, ReduceSide, ReduceTask, Sort, WordCount,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{bytes, format, get, index, list, partitions, whole};
use crate::error::Failure;

/// What is made of a job, whichever it is.
pub(crate) trait With {
    type Made;

    fn job<J: Job + 'static>(self, job: J) -> Self::Made;
}

/// Makes something of the job that is described.
pub(crate) fn with_job<W: With>(
    job: &JsValue,
    partition_count: u32,
    with: W,
) -> Result<W::Made, Failure> {
    let name = get(job, "job").and_then(|name| name.as_string());
    let fold = get(job, "fold").is_some_and(|fold| fold.is_truthy());
    let given = |what: &str| get(job, what).map(|value| bytes(&value, what)).transpose();
    Ok(match name.as_deref() {
        Some("wordCount") => with.job(WordCount::new(fold)),
        Some("invertedIndex") => {
            let document = given("document")?.unwrap_or_default();
            with.job(InvertedIndex::new(fold, document))
        }
        Some("grep") => {
            let source = get(job, "source").and_then(|source| source.as_f64());
            let source = whole(source.unwrap_or_default(), "source")?;
            let literal = given("literal")?.unwrap_or_default();
            with.job(Grep::new(&literal, source as u32, partition_count))
        }
        Some("sort") => {
            let boundaries = get(job, "boundaries").map(|value| list(&value, "boundaries"));
            let boundaries = boundaries.transpose()?.unwrap_or_default();
            if boundaries.len() >= partition_count as usize || !boundaries.is_sorted() {
                return Err(Failure::argument(
                    "boundaries must be in order, and fewer than partitions",
                ));
            }
            with.job(Sort::new(boundaries))
        }
        _ => return Err(Failure::argument("there is no such job")),
    })
}

struct MapOf {
    records: Records,
    partitions: u32,
    budget: usize,
}

impl With for MapOf {
    type Made = Box<dyn MapSide>;

    fn job<J: Job + 'static>(self, job: J) -> Self::Made {
        Box::new(MapTask::new(
            job,
            self.records,
            self.partitions,
            self.budget,
        ))
    }
}

pub(crate) struct ReduceOf(pub(crate) Merge);

impl With for ReduceOf {
    type Made = Box<dyn ReduceSide>;

    fn job<J: Job + 'static>(self, job: J) -> Self::Made {
        Box::new(ReduceTask::new(job, self.0))
    }
}

/// A map task.
#[wasm_bindgen]
pub struct Mapper(Box<dyn MapSide>);

#[wasm_bindgen]
impl Mapper {
    /// One that reads the records that begin in `start..end` of an input.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Job")] job: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "Format")] how: &JsValue,
        start: f64,
        end: f64,
        partition_count: u32,
        budget_bytes: u32,
    ) -> Result<Mapper, JsValue> {
        let (start, end) = (whole(start, "start")?, whole(end, "end")?);
        let partitions = partitions(partition_count)?;
        let map = MapOf {
            records: Records::new(format(how)?, start, end).map_err(Failure::from)?,
            partitions,
            budget: budget_bytes as usize,
        };
        Ok(Self(with_job(job, partitions, map)?))
    }

    /// Where in the input the next byte to be fed stands.
    #[wasm_bindgen(getter)]
    pub fn position(&self) -> f64 {
        self.0.position() as f64
    }

    /// Takes the next bytes of the input, and returns how many were taken. Where those are fewer than were
    /// given, it must spill before it gets the rest, or is done.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<usize, JsValue> {
        Ok(self.0.feed(chunk).map_err(Failure::from)?)
    }

    /// The input has ended.
    pub fn finish(&mut self) -> Result<(), JsValue> {
        Ok(self.0.finish().map_err(Failure::from)?)
    }

    /// Whether all records of the split are read. What is left must be spilled.
    #[wasm_bindgen(getter, js_name = isDone)]
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Whether there is nothing to spill.
    #[wasm_bindgen(getter, js_name = isEmpty)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many records were read.
    #[wasm_bindgen(getter)]
    pub fn records(&self) -> f64 {
        self.0.records() as f64
    }

    /// The next bytes of a run; `undefined` when it is complete. The first call begins one.
    pub fn spill(&mut self) -> Result<Option<Vec<u8>>, JsValue> {
        Ok(self.0.spill().map_err(Failure::from)?)
    }

    /// Where the sections of the last complete run are: partition, offset, bytes and pairs of each.
    pub fn index(&self) -> Option<Float64Array> {
        self.0.index().map(index)
    }
}
