//! Snapshots (labs 2D, 3D): one every ten commands.

use crate::lab::{Failure, Lab, Report};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "2D/3D",
        name: "SnapshotBasic",
        run: |seed| snapshots(seed, Victim::Stays, true),
    },
    Scenario {
        lab: "2D/3D",
        name: "SnapshotInstall",
        run: |seed| snapshots(seed, Victim::Away, true),
    },
    Scenario {
        lab: "2D/3D",
        name: "InstallUnreliable",
        run: |seed| snapshots(seed, Victim::Away, false),
    },
    Scenario {
        lab: "2D/3D",
        name: "InstallCrash",
        run: |seed| snapshots(seed, Victim::Crashed, true),
    },
    Scenario {
        lab: "2D/3D",
        name: "InstallUnreliableCrash",
        run: |seed| snapshots(seed, Victim::Crashed, false),
    },
    Scenario {
        lab: "2D/3D",
        name: "AllCrash",
        run: all_crash,
    },
    Scenario {
        lab: "2D/3D",
        name: "SnapshotInit",
        run: snapshot_init,
    },
];

/// Commands between two snapshots.
const INTERVAL: u64 = 10;
/// The log kept may not exceed this.
const LOG_BYTES_MAX: u64 = 2_000;

/// What becomes of one node in every round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Stays,
    Away,
    Crashed,
}

/// Thirty rounds of commands, in which one node misses so much that it needs a snapshot.
fn snapshots(seed: u64, fate: Victim, reliable: bool) -> Result<Report, Failure> {
    let mut lab = Lab::with_snapshots(seed, 3)?;
    lab.session()?;
    lab.set_unreliable(!reliable);
    lab.one(3, true)?;
    let mut leader = lab.check_one_leader()?;
    for round in 0..30 {
        let next = lab.after(leader, 1);
        let (sender, victim) = if round % 3 == 1 {
            (next, leader)
        } else {
            (leader, next)
        };
        let expected = if fate == Victim::Stays { 3 } else { 2 };
        match fate {
            Victim::Stays => {}
            Victim::Away => lab.disconnect(victim),
            Victim::Crashed => lab.crash(victim)?,
        }
        if fate != Victim::Stays {
            lab.one(expected, true)?;
        }
        let count = INTERVAL / 2 + lab.random.below(INTERVAL);
        for _ in 0..count {
            lab.start_any(sender)?;
        }
        lab.one(expected, true)?;
        check_log(&mut lab)?;
        match fate {
            Victim::Stays => {}
            Victim::Away => lab.connect(victim),
            Victim::Crashed => lab.restart(victim)?,
        }
        if fate != Victim::Stays {
            lab.one(3, true)?;
            leader = lab.check_one_leader()?;
        }
    }
    if fate != Victim::Stays && lab.cluster.restores() == 0 {
        return Err(lab.fail("no snapshot was ever installed"));
    }
    lab.finish()
}

fn check_log(lab: &mut Lab) -> Result<(), Failure> {
    lab.at_most("bytes of log", lab.log_bytes() as u64, LOG_BYTES_MAX)
}

fn all_crash(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::with_snapshots(seed, 3)?;
    lab.one(3, true)?;
    for _ in 0..5 {
        let count = INTERVAL / 2 + lab.random.below(INTERVAL);
        for _ in 0..count {
            lab.one(3, true)?;
        }
        let before = lab.one(3, true)?;
        crash_and_restart_all(&mut lab)?;
        let after = lab.one(3, true)?;
        if after <= before {
            return Err(lab.fail(&format!("index {after} after {before}")));
        }
    }
    check_log(&mut lab)?;
    lab.finish()
}

/// A node that starts from a snapshot and crashes again has lost nothing.
fn snapshot_init(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::with_snapshots(seed, 3)?;
    lab.one(3, true)?;
    for _ in 0..=INTERVAL {
        lab.one(3, true)?;
    }
    crash_and_restart_all(&mut lab)?;
    lab.one(3, true)?;
    crash_and_restart_all(&mut lab)?;
    lab.one(3, true)?;
    check_log(&mut lab)?;
    lab.finish()
}

fn crash_and_restart_all(lab: &mut Lab) -> Result<(), Failure> {
    for id in lab.nodes() {
        lab.crash(id)?;
    }
    for id in lab.nodes() {
        lab.restart(id)?;
    }
    Ok(())
}
