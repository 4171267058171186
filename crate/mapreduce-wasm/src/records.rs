//! The records of a split, for a `map` in JavaScript.

use core::ops::ControlFlow;

use js_sys::{Uint8Array, Uint32Array};
use quorate_mapreduce::data;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{format, object, whole};
use crate::error::Failure;

/// Reads the records of a split.
#[wasm_bindgen]
pub struct Records(data::Records);

#[wasm_bindgen]
impl Records {
    /// Those that begin in `start..end` of an input.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Format")] how: &JsValue,
        start: f64,
        end: f64,
    ) -> Result<Records, JsValue> {
        let (start, end) = (whole(start, "start")?, whole(end, "end")?);
        let records = data::Records::new(format(how)?, start, end).map_err(Failure::from)?;
        Ok(Self(records))
    }

    /// Where in the input the next byte to be fed stands.
    #[wasm_bindgen(getter)]
    pub fn position(&self) -> f64 {
        self.0.position() as f64
    }

    /// Whether all records were given: nothing more needs to be fed.
    #[wasm_bindgen(getter, js_name = isDone)]
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Takes the next bytes of the input, and gives the records that end in them.
    #[wasm_bindgen(unchecked_return_type = "RecordBatch")]
    pub fn feed(&mut self, chunk: &[u8]) -> Result<JsValue, JsValue> {
        let base = self.0.position();
        let mut batch = Batch::default();
        let each = |record: data::Record<'_>| {
            match record.offset.checked_sub(base) {
                None => batch.head = Some((record.offset, record.bytes.to_vec())),
                Some(from) => {
                    let from = from as u32;
                    batch
                        .bounds
                        .extend([from, from + record.bytes.len() as u32]);
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        self.0.feed(chunk, each).map_err(Failure::from)?;
        Ok(batch.into())
    }

    /// The input has ended: gives the last record, if that has no other end.
    #[wasm_bindgen(unchecked_return_type = "RecordBatch")]
    pub fn finish(&mut self) -> Result<JsValue, JsValue> {
        let mut batch = Batch::default();
        let each = |record: data::Record<'_>| {
            batch.head = Some((record.offset, record.bytes.to_vec()));
            Ok(())
        };
        self.0.finish(each).map_err(Failure::from)?;
        Ok(batch.into())
    }
}

#[derive(Default)]
struct Batch {
    /// The record that began in an earlier chunk, and where.
    head: Option<(u64, Vec<u8>)>,
    bounds: Vec<u32>,
}

impl From<Batch> for JsValue {
    fn from(batch: Batch) -> Self {
        let (at, head) = match batch.head {
            Some((at, head)) => (at as f64, Uint8Array::from(&head[..]).into()),
            None => (0.0, JsValue::UNDEFINED),
        };
        let bounds = Uint32Array::from(&batch.bounds[..]).into();
        object(&[("head", &head), ("headAt", &at.into()), ("bounds", &bounds)])
    }
}
