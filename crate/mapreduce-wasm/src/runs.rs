//! What a host must know of runs and partitions.

use js_sys::{Array, Float64Array, Uint8Array};
use quorate_mapreduce::data::{self, Index, RUN_VERSION, TRAILER_BYTES};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{index, list, object, partitions, whole};
use crate::error::Failure;

/// How many bytes before the trailer the index of a run begins. The trailer is its last `trailerBytes`
/// bytes.
#[wasm_bindgen(js_name = indexBytes)]
pub fn index_bytes(trailer: &[u8]) -> Result<usize, JsValue> {
    Ok(Index::bytes(trailer).map_err(Failure::from)?)
}

/// Where the sections of a run are: partition, offset, bytes and pairs of each. The index begins at
/// `offset` of the run.
#[wasm_bindgen(js_name = readIndex)]
pub fn read_index(bytes: &[u8], offset: f64) -> Result<Float64Array, JsValue> {
    let offset = whole(offset, "offset")?;
    let found = Index::read(bytes, offset).map_err(Failure::from)?;
    Ok(index(&found))
}

/// Which neighbours are to be made one before all can be merged at once, given their sizes in bytes, as
/// first and end, exclusive; `undefined` if there are few enough.
#[wasm_bindgen(js_name = nextMerge, unchecked_return_type = "[first: number, end: number] | undefined")]
pub fn next_merge(sizes: &[f64], fan_in: usize) -> JsValue {
    let sizes: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
    match data::next_merge(&sizes, fan_in) {
        None => JsValue::UNDEFINED,
        Some(range) => Array::of2(&(range.start as f64).into(), &(range.end as f64).into()).into(),
    }
}

/// The partition of a key, by its hash.
#[wasm_bindgen(js_name = partitionOf)]
pub fn partition_of(key: &[u8], partition_count: u32) -> Result<u32, JsValue> {
    Ok(data::by_hash(key, partitions(partition_count)?))
}

/// Boundaries for a sort, from samples of its records.
#[wasm_bindgen(js_name = sortBoundaries, unchecked_return_type = "Uint8Array[]")]
pub fn sort_boundaries(
    #[wasm_bindgen(unchecked_param_type = "(Uint8Array | string)[]")] samples: &JsValue,
    partition_count: u32,
) -> Result<Array, JsValue> {
    let samples = list(samples, "samples")?;
    let boundaries = data::boundaries(samples, partitions(partition_count)?);
    Ok(boundaries
        .iter()
        .map(|it| Uint8Array::from(&it[..]))
        .collect())
}

/// The version of runs, and the bounds of the engine.
#[wasm_bindgen(
    unchecked_return_type = "{ runVersion: number; trailerBytes: number; pairHeaderBytes: number; recordBytesMax: number; pairBytesMax: number; partitionsMax: number; fanInMax: number; byHash: number; sameKey: number }"
)]
pub fn limits() -> JsValue {
    let limits = [
        ("runVersion", u32::from(RUN_VERSION)),
        ("trailerBytes", TRAILER_BYTES as u32),
        ("pairHeaderBytes", data::PAIR_HEADER_BYTES as u32),
        ("recordBytesMax", data::RECORD_BYTES_MAX as u32),
        ("pairBytesMax", data::PAIR_BYTES_MAX as u32),
        ("partitionsMax", data::PARTITIONS_MAX),
        ("fanInMax", data::FAN_IN_MAX as u32),
        ("byHash", data::BY_HASH),
        ("sameKey", data::SAME_KEY),
    ]
    .map(|(name, value)| (name, JsValue::from(value)));
    object(&limits.each_ref().map(|(name, value)| (*name, value)))
}
