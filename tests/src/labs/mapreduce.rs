//! MapReduce (lab 1): the scenarios of the testers, and what happens to coordinators that the labs have
//! none of. Each job's outputs must be those of a sequential run, byte for byte.

use quorate_mapreduce::coordinator::{Coordinator, Kind, Phase, What};
use quorate_raft::Random;

use crate::lab::mapreduce::data::{Inputs, Poison, Program};
use crate::lab::mapreduce::{Faults, Shop};
use crate::lab::{Failure, Lab, Report};
use crate::labs::Scenario;

/// In the labs' order; then those of our own.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "1",
        name: "WordCount",
        run: |seed| plain(seed, Program::WordCount),
    },
    Scenario {
        lab: "1",
        name: "Indexer",
        run: |seed| plain(seed, Program::Indexer),
    },
    Scenario {
        lab: "1",
        name: "MapParallelism",
        run: |seed| parallelism(seed, Kind::Map),
    },
    Scenario {
        lab: "1",
        name: "ReduceParallelism",
        run: |seed| parallelism(seed, Kind::Reduce),
    },
    Scenario {
        lab: "1",
        name: "JobCount",
        run: job_count,
    },
    Scenario {
        lab: "1",
        name: "EarlyExit",
        run: early_exit,
    },
    Scenario {
        lab: "1",
        name: "Crash",
        run: crash,
    },
    Scenario {
        lab: "MapReduce",
        name: "Stragglers",
        run: stragglers,
    },
    Scenario {
        lab: "MapReduce",
        name: "LeaderCrash",
        run: leader_crash,
    },
    Scenario {
        lab: "MapReduce",
        name: "AllRestart",
        run: all_restart,
    },
    Scenario {
        lab: "MapReduce",
        name: "UnreliableCrash",
        run: unreliable_crash,
    },
    Scenario {
        lab: "MapReduce",
        name: "RecordsThatThrow",
        run: |seed| poison(seed, Poison::Throws),
    },
    Scenario {
        lab: "MapReduce",
        name: "RecordsThatKill",
        run: |seed| poison(seed, Poison::Kills),
    },
    Scenario {
        lab: "MapReduce",
        name: "PoisonFailsTheJob",
        run: poison_fails_the_job,
    },
    Scenario {
        lab: "MapReduce",
        name: "LostFiles",
        run: lost_files,
    },
];

/// As many workers as in the testers.
const WORKERS: usize = 3;

/// A cluster of coordinators, and a job of some ten map tasks and four reduce tasks.
fn open(seed: u64, nodes: u64, program: Program) -> Result<(Lab<Coordinator>, Shop), Failure> {
    let mut lab = Lab::coordinators(seed, nodes)?;
    let inputs = Inputs::new(program, &mut lab.random, 3, 20);
    let shop = Shop::new(&mut lab, WORKERS, inputs);
    Ok((lab, shop))
}

/// Either program, by the seed.
fn any(seed: u64) -> Program {
    match seed % 2 {
        0 => Program::WordCount,
        _ => Program::Indexer,
    }
}

fn finish(mut lab: Lab<Coordinator>, mut shop: Shop) -> Result<Report, Failure> {
    let status = shop.run(&mut lab)?;
    lab.set_unreliable(false);
    shop.check(&mut lab, &status)?;
    lab.finish()
}

fn plain(seed: u64, program: Program) -> Result<Report, Failure> {
    let (lab, shop) = open(seed, 3, program)?;
    finish(lab, shop)
}

/// All workers are at tasks of one kind at the same time.
fn parallelism(seed: u64, kind: Kind) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 3, any(seed))?;
    // So many and so long that whoever waits for a second still finds some.
    shop.inputs.partitions = 8;
    shop.spec.partitions = 8;
    shop.pace_ms = [500, 700];
    let status = shop.run(&mut lab)?;
    shop.check(&mut lab, &status)?;
    let peak = shop.peak[kind as usize];
    if peak != WORKERS {
        return Err(lab.fail(&format!(
            "{peak} of {WORKERS} workers were at work together"
        )));
    }
    lab.finish()
}

/// Where nothing fails, each task is carried out once, by one attempt.
fn job_count(seed: u64) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 3, any(seed))?;
    let status = shop.run(&mut lab)?;
    shop.check(&mut lab, &status)?;
    let events = shop.events(&mut lab)?;
    let begun = |what| matches!(what, What::Given | What::Backup | What::Probe);
    let begun = events.iter().filter(|event| begun(event.what)).count();
    let tasks = shop.inputs.splits.len() + shop.inputs.partitions as usize;
    if begun != tasks + 1 || shop.executed.len() != tasks {
        return Err(lab.fail(&format!("{begun} attempts at {tasks} tasks")));
    }
    if let Some((task, times)) = shop.executed.iter().find(|(_, times)| **times != 1) {
        return Err(lab.fail(&format!("{task:?} was carried out {times} times")));
    }
    lab.finish()
}

/// Some tasks take long, and many workers find nothing to do: none of them goes home before the job is
/// over, and then all outputs are there. (Whoever is told that it is over looks.)
fn early_exit(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::coordinators(seed, 3)?;
    let inputs = Inputs::new(any(seed), &mut lab.random, 1, 8);
    let mut shop = Shop::new(&mut lab, 3 * WORKERS, inputs);
    shop.pace_ms = [10, 900];
    finish(lab, shop)
}

/// A third of the attempts die, and a third stall, as in the testers.
fn crash(seed: u64) -> Result<Report, Failure> {
    let (lab, mut shop) = open(seed, 3, any(seed))?;
    shop.faults = Faults {
        deaths: 33,
        stalls: 33,
        ..Faults::default()
    };
    shop.spec.attempts_max = 100;
    shop.spec.backup = seed.is_multiple_of(3);
    finish(lab, shop)
}

/// A worker is so slow that others begin its tasks once more, and end before it. It is late, then, and
/// some say twice that they are done.
fn stragglers(seed: u64) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 3, any(seed))?;
    shop.faults = Faults {
        slow: true,
        echoes: 30,
        ..Faults::default()
    };
    shop.pace_ms = [20, 100];
    // Nobody tells that a task is slow.
    shop.watches = false;
    shop.spec.backup = true;
    // It is slow, and not given up.
    shop.spec.lease_ms = 10_000;
    let status = shop.run(&mut lab)?;
    shop.check(&mut lab, &status)?;
    let events = shop.events(&mut lab)?;
    let count = |what| events.iter().filter(|event| event.what == what).count();
    if count(What::Backup) == 0 || count(What::Beaten) == 0 {
        return Err(lab.fail("no task was begun once more beside a slow attempt"));
    }
    let tasks = shop.inputs.splits.len() + shop.inputs.partitions as usize + 1;
    if count(What::Given) != tasks || count(What::Expired) > 0 {
        return Err(lab.fail("a task was begun once more for no reason"));
    }
    lab.finish()
}

/// The leader of the coordinators ends at the first step of each kind, as it is asked, replicates or
/// answers.
fn leader_crash(seed: u64) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 5, any(seed))?;
    shop.faults = Faults {
        deaths: 5,
        leaders: true,
        ..Faults::default()
    };
    shop.pace_ms = [200, 1_200];
    shop.spec.attempts_max = 100;
    let status = shop.run(&mut lab)?;
    shop.check(&mut lab, &status)?;
    // To submit and to start; to ask for the first; to ask again, renew and complete at map tasks, …
    let ended = shop.leaders_ended();
    if ended < 6 {
        return Err(lab.fail(&format!("the leader ended at {ended} kinds of steps")));
    }
    lab.finish()
}

/// All coordinators end, and start again, every now and then.
fn all_restart(seed: u64) -> Result<Report, Failure> {
    let (lab, mut shop) = open(seed, 3, any(seed))?;
    shop.faults = Faults {
        deaths: 5,
        blackouts: Some(9),
        ..Faults::default()
    };
    shop.spec.attempts_max = 100;
    finish(lab, shop)
}

/// Everything at once, over an unreliable network.
fn unreliable_crash(seed: u64) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 5, any(seed))?;
    lab.set_unreliable(true);
    shop.faults = Faults {
        deaths: 10,
        stalls: 10,
        echoes: 10,
        damage: 5,
        leaders: true,
        ..Faults::default()
    };
    shop.spec.backup = true;
    shop.spec.attempts_max = 100;
    finish(lab, shop)
}

/// Some records cannot be mapped, and a key cannot be reduced: they are left out, and nothing else.
fn poison(seed: u64, poison: Poison) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 3, any(seed))?;
    for _ in 0..3 {
        shop.inputs.spoil(&mut lab.random, poison);
    }
    if poison == Poison::Throws {
        shop.inputs.bad_key = Some("word0".to_owned());
    }
    shop.spec.skip_max = 4;
    shop.spec.attempts_max = 4;
    finish(lab, shop)
}

/// A record that may not be skipped fails the job, which says where it is; nothing is published.
fn poison_fails_the_job(seed: u64) -> Result<Report, Failure> {
    let (mut lab, mut shop) = open(seed, 3, any(seed))?;
    let poison = match Random::new(seed).below(2) {
        0 => Poison::Throws,
        _ => Poison::Kills,
    };
    shop.inputs.spoil(&mut lab.random, poison);
    let status = shop.run(&mut lab)?;
    let at = shop.inputs.poison.keys().next().copied();
    let failure = status
        .failure
        .as_ref()
        .filter(|_| status.phase == Phase::Failed);
    let named = failure.and_then(|failure| {
        let split = shop.inputs.splits[failure.attempt.task.index as usize];
        Some((split.source, failure.failure.offset?))
    });
    if named.is_none() || named != at {
        return Err(lab.fail(&format!("{named:?} is named by {status:?}")));
    }
    if shop.has_published() {
        return Err(lab.fail("a job that failed has published something"));
    }
    lab.finish()
}

/// What winners stored is damaged before it is read.
fn lost_files(seed: u64) -> Result<Report, Failure> {
    let (lab, mut shop) = open(seed, 3, any(seed))?;
    shop.faults = Faults {
        damage: 25,
        ..Faults::default()
    };
    finish(lab, shop)
}
