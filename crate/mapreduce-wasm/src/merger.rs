//! Sections of one partition, merged for a `reduce` in JavaScript.

use quorate_mapreduce::data::{Groups, Merge, Step};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::groups;
use crate::error::Failure;

/// Merges sections.
#[wasm_bindgen]
pub struct Merger {
    merge: Merge,
    groups: Groups,
}

#[wasm_bindgen]
impl Merger {
    /// Merges so many sections of a partition, at most 64.
    #[wasm_bindgen(constructor)]
    pub fn new(partition: u32, sections: usize) -> Result<Merger, JsValue> {
        Ok(Self {
            merge: Merge::new(partition, sections).map_err(Failure::from)?,
            groups: Groups::default(),
        })
    }

    /// Takes the next bytes of a section, as many as one likes; none if there are none.
    pub fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), JsValue> {
        Ok(self.merge.feed(section, bytes).map_err(Failure::from)?)
    }

    /// The next values, about so many bytes of them; or the number of the section of which more must be fed
    /// first; or `undefined` at the end.
    #[wasm_bindgen(unchecked_return_type = "Groups | number | undefined")]
    pub fn next(&mut self, max_bytes: u32) -> Result<JsValue, JsValue> {
        self.groups.clear();
        let max_bytes = max_bytes.max(1) as usize;
        while self.groups.len() < max_bytes {
            match self.merge.step().map_err(Failure::from)? {
                Step::Pair(pair) => self.groups.push(&pair),
                Step::Need(section) if self.groups.is_empty() => {
                    return Ok((section as f64).into());
                }
                Step::Need(_) | Step::End => break,
            }
        }
        Ok(match self.groups.is_empty() {
            true => JsValue::UNDEFINED,
            false => groups(&self.groups),
        })
    }

    /// How much memory is in use, in bytes.
    #[wasm_bindgen(getter)]
    pub fn memory(&self) -> usize {
        self.merge.memory()
    }
}
