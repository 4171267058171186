//! Processor time.

use std::time::Duration;

/// How long this thread has been on a processor; zero where the system does not tell.
pub(crate) fn busy_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
