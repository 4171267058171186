//! Sharded store (labs 4B, 5A, 5B and 5C), by the names of the labs' testers, and what travels with a
//! shard.

use quorate_tests::labs::check;

#[test]
fn static_shards() {
    check("4B/5 StaticShards");
}

#[test]
fn join_leave() {
    check("4B/5 JoinLeave");
}

#[test]
fn snapshot() {
    check("4B/5 Snapshot");
}

#[test]
fn miss_change() {
    check("4B/5 MissChange");
}

#[test]
fn concurrent1() {
    check("4B/5 Concurrent1");
}

#[test]
fn concurrent2() {
    check("4B/5 Concurrent2");
}

#[test]
fn concurrent3() {
    check("4B/5 Concurrent3");
}

#[test]
fn unreliable1() {
    check("4B/5 Unreliable1");
}

#[test]
fn unreliable2() {
    check("4B/5 Unreliable2");
}

#[test]
fn unreliable3() {
    check("4B/5 Unreliable3");
}

#[test]
fn challenge1_delete() {
    check("4B/5 Challenge1Delete");
}

#[test]
fn challenge1_concurrent() {
    check("4B/5 Challenge1Concurrent");
}

#[test]
fn challenge2_unaffected() {
    check("4B/5 Challenge2Unaffected");
}

#[test]
fn challenge2_partial() {
    check("4B/5 Challenge2Partial");
}

#[test]
fn lab_5a_init_query() {
    check("5A InitQuery");
}

#[test]
fn lab_5a_static_one_shard_group() {
    check("5A StaticOneShardGroup");
}

#[test]
fn lab_5a_join_basic() {
    check("5A JoinBasic");
}

#[test]
fn lab_5a_delete_basic() {
    check("5A DeleteBasic");
}

#[test]
fn lab_5a_join_leave_basic() {
    check("5A JoinLeaveBasic");
}

#[test]
fn lab_5a_many_join_leave() {
    check("5A ManyJoinLeave");
}

#[test]
fn lab_5a_many_join_leave_unreliable() {
    check("5A ManyJoinLeaveUnreliable");
}

#[test]
fn lab_5a_shutdown() {
    check("5A Shutdown");
}

#[test]
fn lab_5a_progress_shutdown() {
    check("5A ProgressShutdown");
}

#[test]
fn lab_5a_progress_join() {
    check("5A ProgressJoin");
}

#[test]
fn lab_5a_progress_taker_down() {
    check("5A ProgressTakerDown");
}

#[test]
fn lab_5a_progress_taker_leaderless() {
    check("5A ProgressTakerLeaderless");
}

#[test]
fn lab_5b_join_leave() {
    check("5B JoinLeave");
}

#[test]
fn lab_5b_recover_controller() {
    check("5B RecoverController");
}

#[test]
fn lab_5c_concurrent_controllers() {
    check("5C ConcurrentControllers");
}

#[test]
fn lab_5c_concurrent_controllers_unreliable() {
    check("5C ConcurrentControllersUnreliable");
}

#[test]
fn lab_5c_partitioned_controller() {
    check("5C PartitionedController");
}

#[test]
fn lab_5c_partitioned_controller_unreliable() {
    check("5C PartitionedControllerUnreliable");
}

#[test]
fn duplicate_after_move() {
    check("once DuplicateAfterMove");
}

#[test]
fn duplicate_after_move_back() {
    check("once DuplicateAfterMoveBack");
}

#[test]
fn duplicate_after_move_and_restart() {
    check("once DuplicateAfterMoveAndRestart");
}

#[test]
fn watch_across_moves() {
    check("shards WatchAcrossMoves");
}

#[test]
fn lease_across_moves() {
    check("shards LeaseAcrossMoves");
}

#[test]
fn many_moves() {
    check("shards ManyMoves");
}
