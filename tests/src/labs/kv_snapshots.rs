//! Key-value store with snapshots (labs 3B, 4C): the log may grow to eight times what is set.

use quorate_raft::NodeId;

use crate::lab::{ELECTION, Failure, Lab, Report};
use crate::labs::Scenario;
use crate::labs::load::{self, CALM, Load};

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "3B/4C",
        name: "SnapshotRPC",
        run: snapshot_rpc,
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotSize",
        run: snapshot_size,
    },
    Scenario {
        lab: "3B/4C",
        name: "SpeedSnapshot",
        run: |seed| load::speed(seed, Some(STATE_MAX)),
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotRecover",
        run: |seed| {
            let load = Load { crash: true, ..ONE };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotRecoverManyClients",
        run: |seed| {
            let load = Load {
                clerks: 20,
                crash: true,
                ..ONE
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotUnreliable",
        run: |seed| UNRELIABLE.run(seed),
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotUnreliableRecover",
        run: |seed| {
            let load = Load {
                crash: true,
                ..UNRELIABLE
            };
            load.run(seed)
        },
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotUnreliableRecoverConcurrentPartition",
        run: |seed| ALL.run(seed),
    },
    Scenario {
        lab: "3B/4C",
        name: "SnapshotUnreliableRecoverConcurrentPartitionLinearizable",
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

/// To what the log may grow before a snapshot.
const STATE_MAX: u64 = 1_000;
/// The log may never be larger.
const LOG_BYTES_MAX: u64 = 8 * STATE_MAX;
/// Nor the snapshot of a store with one small value.
const SNAPSHOT_BYTES_MAX: u64 = 500;

const ONE: Load = Load {
    state_max: Some(STATE_MAX),
    ..CALM
};

const UNRELIABLE: Load = Load {
    clerks: 5,
    unreliable: true,
    ..ONE
};

/// All trouble at once.
const ALL: Load = Load {
    crash: true,
    partitions: true,
    ..UNRELIABLE
};

/// Keys that have names in the tester.
const A: u64 = 100;
const B: u64 = 101;
const C: u64 = 102;
const D: u64 = 103;
const E: u64 = 104;

/// A node that missed what the others no longer have in their logs catches up by a snapshot, also
/// when it is needed for a majority at once.
fn snapshot_rpc(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, Some(STATE_MAX))?;
    let clerk = lab.clerk();
    lab.put(clerk, A, "A")?;
    lab.check_get(clerk, A, "A")?;
    let [first, second, third] = [1, 2, 3].map(NodeId);

    lab.partition([&[first, second], &[third]]);
    let clerk = lab.clerk_to(&[first, second]);
    for key in 0..50 {
        lab.put(clerk, key, &key.to_string())?;
    }
    lab.sleep(ELECTION)?;
    lab.put(clerk, B, "B")?;
    lab.at_most("bytes of log", lab.stored_log(), LOG_BYTES_MAX)?;

    lab.partition([&[first, third], &[second]]);
    let clerk = lab.clerk_to(&[first, third]);
    lab.put(clerk, C, "C")?;
    lab.put(clerk, D, "D")?;
    lab.check_get(clerk, A, "A")?;
    lab.check_get(clerk, B, "B")?;
    lab.check_get(clerk, 1, "1")?;
    lab.check_get(clerk, 49, "49")?;
    if lab.cluster.restores() == 0 {
        return Err(lab.fail("no snapshot was ever installed"));
    }

    lab.heal();
    lab.put(clerk, E, "E")?;
    lab.check_get(clerk, C, "C")?;
    lab.check_get(clerk, E, "E")?;
    lab.check_get(clerk, 1, "1")?;
    lab.finish()
}

fn snapshot_size(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, Some(STATE_MAX))?;
    let clerk = lab.clerk();
    for _ in 0..200 {
        for value in ["0", "1"] {
            lab.put(clerk, 0, value)?;
            lab.check_get(clerk, 0, value)?;
        }
        lab.at_most("bytes of log", lab.stored_log(), LOG_BYTES_MAX)?;
        lab.at_most(
            "bytes of snapshot",
            lab.stored_snapshot(),
            SNAPSHOT_BYTES_MAX,
        )?;
    }
    if lab.stored_snapshot() == 0 {
        return Err(lab.fail("no snapshot was taken"));
    }
    lab.finish()
}
