//! Exactly once: a lost answer, and retries after whatever may happen meanwhile.

use quorate_tests::labs::check;

#[test]
fn lost_reply() {
    check("LostReply");
}

#[test]
fn duplicate_after_leader_change() {
    check("DuplicateAfterLeaderChange");
}

#[test]
fn duplicate_in_log() {
    check("DuplicateInLog");
}

#[test]
fn duplicate_after_restart() {
    check("DuplicateAfterRestart");
}

#[test]
fn duplicate_after_snapshot() {
    check("DuplicateAfterSnapshot");
}
