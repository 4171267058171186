//! Chance from the platform: seeds and storage ids. The only user of `getrandom`.

use quorate_raft::StorageId;

use crate::error::Failure;

/// A seed for one node or client, so that no two time out in lock-step.
pub fn seed() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| unavailable(&error))
}

/// A new storage's name, equal to no other's, and never zero.
pub fn storage_id() -> Result<StorageId, Failure> {
    Ok(StorageId(seed()? | 1))
}

fn unavailable(error: &getrandom::Error) -> Failure {
    Failure::new(
        "ENTROPY_UNAVAILABLE",
        format!("the platform gives no random numbers: {error}"),
    )
}
