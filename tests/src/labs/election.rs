//! Election (labs 2A, 3A).

use crate::lab::{Failure, Lab, MS, Report, SECOND};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "2A/3A",
        name: "InitialElection",
        run: initial_election,
    },
    Scenario {
        lab: "2A/3A",
        name: "ReElection",
        run: re_election,
    },
    Scenario {
        lab: "2A/3A",
        name: "ManyElections",
        run: many_elections,
    },
];

fn initial_election(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    let leader = lab.check_one_leader()?;
    lab.sleep(50 * MS)?;
    let term = lab.check_terms()?;
    lab.sleep(2 * SECOND)?;
    if lab.check_terms()? != term || lab.check_one_leader()? != leader {
        return Err(lab.fail("the term or the leader changed without a fault"));
    }
    lab.finish()
}

fn re_election(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 3)?;
    let first = lab.check_one_leader()?;
    lab.disconnect(first);
    let second = lab.check_one_leader()?;
    // The old leader returns, and must not disturb the new one.
    lab.connect(first);
    if lab.check_one_leader()? != second {
        return Err(lab.fail("the old leader's return unseated the new one"));
    }
    lab.disconnect(second);
    let other = lab.after(second, 1);
    lab.disconnect(other);
    lab.sleep(2 * SECOND)?;
    lab.check_no_leader()?;
    lab.connect(other);
    lab.check_one_leader()?;
    lab.connect(second);
    lab.check_one_leader()?;
    lab.finish()
}

fn many_elections(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::new(seed, 7)?;
    lab.check_one_leader()?;
    for _ in 0..10 {
        let away = [lab.any(), lab.any(), lab.any()];
        away.into_iter().for_each(|id| lab.disconnect(id));
        // Four or more remain: there is a leader, or there will be one.
        lab.check_one_leader()?;
        away.into_iter().for_each(|id| lab.connect(id));
    }
    lab.check_one_leader()?;
    lab.finish()
}
