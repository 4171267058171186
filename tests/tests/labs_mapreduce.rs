//! MapReduce (lab 1), by what the labs' testers do, and scenarios of our own.

use quorate_tests::labs::check;

#[test]
fn word_count() {
    check("1 WordCount");
}

#[test]
fn indexer() {
    check("1 Indexer");
}

#[test]
fn map_parallelism() {
    check("1 MapParallelism");
}

#[test]
fn reduce_parallelism() {
    check("1 ReduceParallelism");
}

#[test]
fn job_count() {
    check("1 JobCount");
}

#[test]
fn early_exit() {
    check("1 EarlyExit");
}

#[test]
fn crash() {
    check("1 Crash");
}

#[test]
fn stragglers() {
    check("MapReduce Stragglers");
}

#[test]
fn leader_crash() {
    check("MapReduce LeaderCrash");
}

#[test]
fn all_restart() {
    check("MapReduce AllRestart");
}

#[test]
fn unreliable_crash() {
    check("MapReduce UnreliableCrash");
}

#[test]
fn records_that_throw() {
    check("MapReduce RecordsThatThrow");
}

#[test]
fn records_that_kill() {
    check("MapReduce RecordsThatKill");
}

#[test]
fn poison_fails_the_job() {
    check("MapReduce PoisonFailsTheJob");
}

#[test]
fn lost_files() {
    check("MapReduce LostFiles");
}
