//! The shapes of what crosses, for TypeScript. Kept beside the Rust that reads and writes them.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(typescript_custom_section)]
const SHAPES: &str = r#"
/** How an input is cut into records. */
export type Format = "lines" | "whole" | { delimiter: Uint8Array | string } | { length: number };

/** A job that comes with the package. A reduce task needs only its name. */
export type Job =
  | { job: "wordCount"; fold?: boolean }
  | { job: "invertedIndex"; fold?: boolean; document?: Uint8Array | string }
  | { job: "grep"; literal?: Uint8Array | string; source?: number }
  | { job: "sort"; boundaries?: (Uint8Array | string)[] };

/** Records that end in a chunk. */
export interface RecordBatch {
  /** The first of them, if it began before the chunk; then `headAt` is where in the input. */
  head: Uint8Array | undefined;
  headAt: number;
  /** First byte and end, exclusive, in the chunk, of each of the others. Their offset in the input: the position before the chunk was fed, plus the first byte. */
  bounds: Uint32Array;
}

/** Values with their keys. */
export interface Groups {
  /** Keys and values, one after another. */
  bytes: Uint8Array;
  /** For each value: its partition, the length of its key, and its own. A key that is the one before has the length 0xffffffff, and no bytes. */
  table: Uint32Array;
}
"#;
