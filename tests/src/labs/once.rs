//! Exactly once: a command takes effect one time, however often its client had to send it.
//!
//! A clerk's answers are lost until the scenario lets them through, so that what it asked is done and it
//! does not know; its retries must find the first answer, wherever they arrive.

use std::cell::Cell;
use std::rc::Rc;

use crate::lab::forgetful::Forgetful;
use quorate_raft::{NodeId, Random};
use quorate_sim::checker::linearizability::{Action, Answer};
use quorate_sim::network::{Address, Packet, RuleId, Verdict};
use quorate_sim::rules::{Filter, MessageKind};

use crate::lab::clerk::ClerkId;
use crate::lab::{Failure, Lab, MS, Report, SECOND};
use crate::labs::Scenario;

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "once",
        name: "LostReply",
        run: lost_reply,
    },
    Scenario {
        lab: "once",
        name: "DuplicateAfterLeaderChange",
        run: duplicate_after_leader_change,
    },
    Scenario {
        lab: "once",
        name: "DuplicateInLog",
        run: duplicate_in_log,
    },
    Scenario {
        lab: "once",
        name: "DuplicateAfterRestart",
        run: duplicate_after_restart,
    },
    Scenario {
        lab: "once",
        name: "DuplicateAfterSnapshot",
        run: duplicate_after_snapshot,
    },
];

/// The key that is appended to.
const KEY: u64 = 0;

/// A clerk whose append was executed, and whose answers are lost.
struct Doubt {
    clerk: ClerkId,
    tag: u64,
    rule: RuleId,
    /// Answers that were lost.
    lost: Rc<Cell<u64>>,
}

impl Doubt {
    fn begin(lab: &mut Lab<Forgetful>) -> Result<Self, Failure> {
        let doubt = Self::ask(lab)?;
        if !lab.wait(10 * SECOND, |lab| lab.history.was_executed(doubt.tag))? {
            return Err(lab.fail("the append is not executed"));
        }
        Ok(doubt)
    }

    /// What is asked may be executed or not.
    fn ask(lab: &mut Lab<Forgetful>) -> Result<Self, Failure> {
        let clerk = lab.clerk();
        lab.put(clerk, KEY, "a")?;
        let lost = Rc::new(Cell::new(0));
        let (counter, name) = (Rc::clone(&lost), Address::Client(clerk.client()));
        let rule = move |packet: &Packet, _: &mut Random| {
            if packet.to != name {
                return Verdict::Pass;
            }
            counter.set(counter.get() + 1);
            Verdict::Drop
        };
        let rule = lab.cluster.network.add(rule);
        let tag = lab.begin(clerk, KEY, Action::Append("x".into()))?;
        Ok(Self {
            clerk,
            tag,
            rule,
            lost,
        })
    }

    /// Answers come through again: the append must be answered, and there once.
    fn end(self, lab: &mut Lab<Forgetful>) -> Result<(), Failure> {
        if lab.history.has_ended(self.tag) {
            return Err(lab.fail("the append ended without an answer"));
        }
        lab.cluster.network.remove(self.rule);
        let answer = lab.await_call(self.tag, 10 * SECOND)?;
        if answer != Answer::Written(2) {
            return Err(lab.fail(&format!("the append was answered {answer:?}")));
        }
        lab.check_get(self.clerk, KEY, "ax")?;
        // Its session goes on.
        let action = Action::Append("y".into());
        lab.call(self.clerk, KEY, action)?;
        lab.check_get(self.clerk, KEY, "axy")
    }
}

fn lost_reply(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let doubt = Doubt::begin(&mut lab)?;
    lab.sleep(5 * SECOND)?;
    if doubt.lost.get() < 2 {
        return Err(lab.fail("the clerk did not ask again"));
    }
    doubt.end(&mut lab)?;
    lab.finish()
}

fn duplicate_after_leader_change(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let doubt = Doubt::begin(&mut lab)?;
    let leader = lab.check_one_leader()?;
    lab.crash(leader)?;
    lab.check_one_leader()?;
    doubt.end(&mut lab)?;
    lab.restart(leader)?;
    lab.finish()
}

/// The retry reaches a leader that has the command in its log, and does not know yet that it is
/// committed: the log comes to hold it twice.
fn duplicate_in_log(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let leader = lab.check_one_leader()?;
    let clerk = lab.clerk();
    lab.put(clerk, 1, "before")?;
    let rule = lab.cluster.network.add(Filter {
        kind: MessageKind::AppendResponses,
        from: None,
    });
    let tag = lab.begin(clerk, KEY, Action::Append("x".into()))?;
    lab.sleep(100 * MS)?;
    let first = lab
        .cluster
        .raft(leader)
        .map(|raft| raft.status().last.index);
    lab.crash(leader)?;
    let second = lab.check_one_leader()?;
    lab.sleep(5 * SECOND)?;
    let last = lab
        .cluster
        .raft(second)
        .map(|raft| raft.status().last.index);
    // Behind the command come the new leader's own entry and the retry.
    if lab.history.was_executed(tag) || last < first.map(|first| first.next().next()) {
        return Err(lab.fail("the retry did not find the command in the log"));
    }
    lab.cluster.network.remove(rule);
    let answer = lab.await_call(tag, 10 * SECOND)?;
    if answer != Answer::Written(1) {
        return Err(lab.fail(&format!("the append was answered {answer:?}")));
    }
    lab.check_get(clerk, KEY, "x")?;
    lab.restart(leader)?;
    lab.finish()
}

fn duplicate_after_restart(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, None)?;
    let doubt = Doubt::begin(&mut lab)?;
    lab.crash_all()?;
    lab.sleep(SECOND)?;
    lab.start_all()?;
    doubt.end(&mut lab)?;
    lab.finish()
}

/// The log no longer has the command: only the snapshot says that it took effect. The retry comes to
/// a node that got the snapshot from another one.
fn duplicate_after_snapshot(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::store(seed, 3, Some(1_000))?;
    let leader = lab.check_one_leader()?;
    let away = lab.after(leader, 1);
    lab.disconnect(away);
    let doubt = Doubt::begin(&mut lab)?;
    let other = lab.clerk();
    for _ in 0..100 {
        lab.put(other, 1, "more")?;
    }
    lab.connect(away);
    if !lab.wait(5 * SECOND, |lab| lab.cluster.restores() > 0)? {
        return Err(lab.fail("no snapshot was installed"));
    }
    make_leader(&mut lab, away)?;
    doubt.end(&mut lab)?;
    lab.finish()
}

/// Lets leaders pause until `id` leads.
fn make_leader(lab: &mut Lab<Forgetful>, id: NodeId) -> Result<(), Failure> {
    for _ in 0..50 {
        let leader = lab.check_one_leader()?;
        if leader == id {
            return Ok(());
        }
        lab.crash(leader)?;
        lab.check_one_leader()?;
        lab.restart(leader)?;
    }
    Err(lab.fail("the node never leads"))
}
