//! Replicated state machine (lab 4A), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn basic() {
    check("4A Basic");
}

#[test]
fn concurrent() {
    check("4A Concurrent");
}

#[test]
fn leader_failure() {
    check("4A LeaderFailure");
}

#[test]
fn leader_partition() {
    check("4A LeaderPartition");
}

#[test]
fn restart_replay() {
    check("4A RestartReplay");
}

#[test]
fn shutdown() {
    check("4A Shutdown");
}

#[test]
fn restart_submit() {
    check("4A RestartSubmit");
}

#[test]
fn snapshot() {
    check("4A Snapshot");
}
