//! MapReduce for JavaScript: the machine of the coordinator, and what workers do with records.
//!
//! Pure, like what it wraps, but for panics, which are reported as the host reports them: chunks of bytes go
//! in, chunks and tables of numbers come out. Reading, writing, and a user's own `map` and `reduce` are
//! the affair of `pkg/src/mapreduce`.

pub mod collector;
mod convert;
pub mod coordinator;
mod error;
pub mod mapper;
pub mod merger;
#[path = "../../wasm/src/panic.rs"]
pub mod panic;
pub mod records;
pub mod reducer;
pub mod runs;
mod typescript;
