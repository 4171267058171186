//! Key-value store with snapshots (labs 3B, 4C), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn snapshot_rpc() {
    check("3B/4C SnapshotRPC");
}

#[test]
fn snapshot_size() {
    check("3B/4C SnapshotSize");
}

#[test]
fn speed_snapshot() {
    check("3B/4C SpeedSnapshot");
}

#[test]
fn snapshot_recover() {
    check("3B/4C SnapshotRecover");
}

#[test]
fn snapshot_recover_many_clients() {
    check("3B/4C SnapshotRecoverManyClients");
}

#[test]
fn snapshot_unreliable() {
    check("3B/4C SnapshotUnreliable");
}

#[test]
fn snapshot_unreliable_recover() {
    check("3B/4C SnapshotUnreliableRecover");
}

#[test]
fn snapshot_unreliable_recover_concurrent_partition() {
    check("3B/4C SnapshotUnreliableRecoverConcurrentPartition");
}

#[test]
fn snapshot_unreliable_recover_concurrent_partition_linearizable() {
    check("3B/4C SnapshotUnreliableRecoverConcurrentPartitionLinearizable");
}
