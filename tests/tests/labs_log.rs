//! Log (labs 2B, 3B), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn basic_agree() {
    check("BasicAgree");
}

#[test]
fn rpc_bytes() {
    check("RPCBytes");
}

#[test]
fn follower_failure() {
    check("FollowerFailure");
}

#[test]
fn leader_failure() {
    check("2B/3B LeaderFailure");
}

#[test]
fn fail_agree() {
    check("FailAgree");
}

#[test]
fn fail_no_agree() {
    check("FailNoAgree");
}

#[test]
fn concurrent_starts() {
    check("ConcurrentStarts");
}

#[test]
fn rejoin() {
    check("Rejoin");
}

#[test]
fn backup() {
    check("Backup");
}

#[test]
fn count() {
    check("Count");
}
