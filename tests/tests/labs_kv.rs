//! Key-value store (labs 3A, 4B), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn basic() {
    check("3A/4B Basic");
}

#[test]
fn speed() {
    check("3A/4B Speed");
}

#[test]
fn concurrent() {
    check("3A/4B Concurrent");
}

#[test]
fn unreliable() {
    check("3A/4B Unreliable");
}

#[test]
fn unreliable_one_key() {
    check("3A/4B UnreliableOneKey");
}

#[test]
fn one_partition() {
    check("3A/4B OnePartition");
}

#[test]
fn many_partitions_one_client() {
    check("3A/4B ManyPartitionsOneClient");
}

#[test]
fn many_partitions_many_clients() {
    check("3A/4B ManyPartitionsManyClients");
}

#[test]
fn persist_one_client() {
    check("3A/4B PersistOneClient");
}

#[test]
fn persist_concurrent() {
    check("3A/4B PersistConcurrent");
}

#[test]
fn persist_concurrent_unreliable() {
    check("3A/4B PersistConcurrentUnreliable");
}

#[test]
fn persist_partition() {
    check("3A/4B PersistPartition");
}

#[test]
fn persist_partition_unreliable() {
    check("3A/4B PersistPartitionUnreliable");
}

#[test]
fn persist_partition_unreliable_linearizable() {
    check("3A/4B PersistPartitionUnreliableLinearizable");
}
