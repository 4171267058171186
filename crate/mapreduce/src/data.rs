//! What workers do with records: inputs are cut into records, pairs are collected, sorted and merged.
