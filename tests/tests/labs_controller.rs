//! Shard controller (lab 4A, 5A since 2024), by the names of the labs' testers and by what they do.

use quorate_tests::labs::check;

#[test]
fn basic() {
    check("4A/5A Basic");
}

#[test]
fn historical_queries() {
    check("4A/5A HistoricalQueries");
}

#[test]
fn move_shards() {
    check("4A/5A Move");
}

#[test]
fn concurrent() {
    check("4A/5A Concurrent");
}

#[test]
fn multi() {
    check("4A/5A Multi");
}

#[test]
fn concurrent_multi() {
    check("ConcurrentMulti");
}

#[test]
fn concurrent_unreliable() {
    check("ConcurrentUnreliable");
}

#[test]
fn concurrent_crash() {
    check("ConcurrentCrash");
}

#[test]
fn same_configuration() {
    check("SameConfiguration");
}
