//! Key-value store without snapshots (labs 3A, 4B): the shipped client, node and store.

use quorate_sim::checker::linearizability::{Action, Answer};

use crate::lab::{ELECTION, Failure, Lab, Report, SECOND};
use crate::labs::Scenario;
use crate::labs::load::{self, CALM, Load};

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "3A/4B",
        name: "Basic",
        run: |seed| CALM.run(seed),
    },
    Scenario {
        lab: "3A/4B",
        name: "Speed",
        run: |seed| load::speed(seed, None),
    },
    Scenario {
        lab: "3A/4B",
        name: "Concurrent",
        run: |seed| MANY.run(seed),
    },
    Scenario {
        lab: "3A/4B",
        name: "Unreliable",
        run: |seed| {
            let load = Load {
                unreliable: true,
                ..MANY
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "UnreliableOneKey",
        run: unreliable_one_key,
    },
    Scenario {
        lab: "3A/4B",
        name: "OnePartition",
        run: one_partition,
    },
    Scenario {
        lab: "3A/4B",
        name: "ManyPartitionsOneClient",
        run: |seed| {
            let load = Load {
                partitions: true,
                ..CALM
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "ManyPartitionsManyClients",
        run: |seed| {
            let load = Load {
                partitions: true,
                ..MANY
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistOneClient",
        run: |seed| {
            let load = Load {
                crash: true,
                ..CALM
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistConcurrent",
        run: |seed| {
            let load = Load {
                crash: true,
                ..MANY
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistConcurrentUnreliable",
        run: |seed| {
            let load = Load {
                crash: true,
                unreliable: true,
                ..MANY
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistPartition",
        run: |seed| {
            let load = Load {
                crash: true,
                partitions: true,
                ..MANY
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistPartitionUnreliable",
        run: |seed| ALL.run(seed),
    },
    Scenario {
        lab: "3A/4B",
        name: "PersistPartitionUnreliableLinearizable",
        run: |seed| {
            let load = Load {
                clerks: 15,
                nodes: 7,
                many_keys: true,
                ..ALL
            };
            load.run(seed)
        },
    },
];

const MANY: Load = Load { clerks: 5, ..CALM };

/// All trouble at once.
const ALL: Load = Load {
    unreliable: true,
    crash: true,
    partitions: true,
    ..MANY
};

/// Five clerks append ten times each to one key: each piece is there once, those of a clerk in order.
fn unreliable_one_key(seed: u64) -> Result<Report, Failure> {
    const CLERKS: u64 = 5;
    const PIECES: u64 = 10;
    let mut lab = Lab::store(seed, 3, None)?;
    lab.set_unreliable(true);
    let judge = lab.clerk();
    lab.put(judge, 0, "")?;
    let clerks: Vec<_> = (0..CLERKS).map(|_| lab.clerk()).collect();
    for piece in 0..PIECES {
        let mut tags = Vec::new();
        for (number, clerk) in clerks.iter().enumerate() {
            let value = format!("x {number} {piece} y");
            tags.push(lab.begin(*clerk, 0, Action::Append(value.into()))?);
        }
        for tag in tags {
            lab.await_call(tag, 20 * SECOND)?;
        }
    }
    let (value, _) = lab.get(judge, 0)?.ok_or("the key is gone")?;
    let value = String::from_utf8_lossy(&value).into_owned();
    for number in 0..CLERKS {
        let mut before = None;
        for piece in 0..PIECES {
            let places: Vec<_> = value
                .match_indices(&format!("x {number} {piece} y"))
                .collect();
            let &[(place, _)] = &places[..] else {
                let times = places.len();
                return Err(lab.fail(&format!("piece {piece} of {number} is there {times} times")));
            };
            if before.replace(place).is_some_and(|before| before > place) {
                return Err(lab.fail(&format!("the pieces of {number} are out of order")));
            }
        }
    }
    lab.finish()
}

/// The leader is left with the minority: there nothing moves until the partition ends, and then
/// everything does.
fn one_partition(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 5, None)?;
    let clerk = lab.clerk();
    lab.put(clerk, 1, "13")?;
    let leader = lab.check_one_leader()?;
    let minority = [leader, lab.after(leader, 1)];
    let majority = [2, 3, 4].map(|steps| lab.after(leader, steps));
    lab.partition([&minority, &majority]);
    let first = lab.clerk_to(&majority);
    let (second, third) = (lab.clerk_to(&minority), lab.clerk_to(&minority));
    lab.put(first, 1, "14")?;
    lab.check_get(first, 1, "14")?;

    let put = lab.begin(second, 1, Action::Put("15".into()))?;
    let get = lab.begin(third, 1, Action::Get)?;
    lab.sleep(SECOND)?;
    if lab.history.has_ended(put) || lab.history.has_ended(get) {
        return Err(lab.fail("a call to the minority has ended"));
    }
    lab.check_get(first, 1, "14")?;
    lab.put(first, 1, "16")?;
    lab.check_get(first, 1, "16")?;

    lab.heal();
    lab.sleep(ELECTION)?;
    let done = |lab: &Lab<_>| lab.history.has_ended(put) && lab.history.has_ended(get);
    let healed = lab.cluster.now();
    if !lab.wait(3 * SECOND, done)? {
        return Err(lab.fail("a call does not end after the partition"));
    }
    let time = (lab.cluster.now() - healed) / 1_000;
    lab.at_most("ms to the last answer, a second after healing", time, 3_000)?;
    if !matches!(lab.history.answer(put), Some(Answer::Written(_))) {
        return Err(lab.fail("the put failed"));
    }
    lab.check_get(clerk, 1, "15")?;
    lab.finish()
}
