//! Shard controller (lab 4A, 5A since 2024). What needs no cluster, how few shards move among them, is
//! tested in `crate/shard`.

use std::collections::BTreeSet;

use quorate_raft::NodeId;
use quorate_shard::{
    Configuration, Controller, ControllerCommand, ControllerReply, GroupId, GroupInfo, ShardId,
};

use crate::lab::clerk::ClerkId;
use crate::lab::control::SHARDS;
use crate::lab::{Failure, Lab, MS, Report, SECOND, TIME_MAX};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "4A/5A",
        name: "Basic",
        run: basic,
    },
    Scenario {
        lab: "4A/5A",
        name: "HistoricalQueries",
        run: historical_queries,
    },
    Scenario {
        lab: "4A/5A",
        name: "Move",
        run: move_shards,
    },
    Scenario {
        lab: "4A/5A",
        name: "Concurrent",
        run: |seed| concurrent(seed, &one_by_one, Trouble::None),
    },
    Scenario {
        lab: "4A/5A",
        name: "Multi",
        run: multi,
    },
    Scenario {
        lab: "4A/5A",
        name: "ConcurrentMulti",
        run: |seed| concurrent(seed, &many_at_once, Trouble::None),
    },
    Scenario {
        lab: "4A/5A",
        name: "ConcurrentUnreliable",
        run: |seed| concurrent(seed, &one_by_one, Trouble::Unreliable),
    },
    Scenario {
        lab: "4A/5A",
        name: "ConcurrentCrash",
        run: |seed| concurrent(seed, &many_at_once, Trouble::Crashes),
    },
    Scenario {
        lab: "4A/5A",
        name: "SameConfiguration",
        run: same_configuration,
    },
];

/// As many clerks as in the testers.
const CLERKS: u32 = 10;

fn info(id: u32) -> GroupInfo {
    let nodes = (1..=3).map(|node| NodeId(u64::from(id) * 10 + node));
    GroupInfo::new(nodes.collect())
}

fn join(ids: &[u32]) -> ControllerCommand {
    let groups = ids.iter().map(|id| (GroupId(*id), info(*id)));
    ControllerCommand::Join {
        groups: groups.collect(),
    }
}

fn leave(ids: &[u32]) -> ControllerCommand {
    ControllerCommand::Leave {
        groups: ids.iter().map(|id| GroupId(*id)).collect(),
        // The testers let the last group leave.
        discard: true,
    }
}

/// Groups come and go, and have the nodes that were said.
fn come_and_go(
    lab: &mut Lab<Controller>,
    clerk: ClerkId,
    steps: &[(ControllerCommand, &[u32])],
) -> Result<Vec<Configuration>, Failure> {
    let mut seen = vec![lab.query(clerk, None)?];
    for (command, groups) in steps {
        lab.change(clerk, command)?;
        lab.check_groups(clerk, groups)?;
        let latest = lab.query(clerk, None)?;
        if latest.groups.iter().any(|(id, has)| *has != info(id.0)) {
            return Err(lab.fail(&format!("a group has other nodes: {latest:?}")));
        }
        seen.push(latest);
    }
    Ok(seen)
}

fn basic_steps() -> [(ControllerCommand, &'static [u32]); 4] {
    [
        (join(&[1]), &[1]),
        (join(&[2]), &[1, 2]),
        (leave(&[1]), &[2]),
        (leave(&[2]), &[]),
    ]
}

fn basic(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, u64::MAX)?;
    let clerk = lab.clerk();
    lab.check_groups(clerk, &[])?;
    come_and_go(&mut lab, clerk, &basic_steps())?;
    lab.finish()
}

/// Each configuration is what it was, whichever node is down.
fn historical_queries(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, 4)?;
    let clerk = lab.clerk();
    let mut seen = come_and_go(&mut lab, clerk, &basic_steps())?;
    for id in lab.nodes() {
        lab.crash(id)?;
        for expected in &seen {
            let found = lab.query(clerk, Some(expected.number))?;
            if found != *expected {
                return Err(lab.fail(&format!("{found:?} was {expected:?}")));
            }
        }
        lab.restart(id)?;
        seen.extend(come_and_go(&mut lab, clerk, &basic_steps())?);
    }
    lab.finish()
}

fn move_shards(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, u64::MAX)?;
    let clerk = lab.clerk();
    lab.change(clerk, &join(&[503]))?;
    lab.change(clerk, &join(&[504]))?;
    let expected: Vec<GroupId> = (0..SHARDS)
        .map(|shard| GroupId(if shard < SHARDS / 2 { 503 } else { 504 }))
        .collect();
    for (shard, &group) in (0..).map(ShardId).zip(&expected) {
        let had = lab.query(clerk, None)?;
        let reply = lab.execute(clerk, &ControllerCommand::Move { shard, group })?;
        let number = had.number;
        let right = match had.owner(shard) == group {
            true => ControllerReply::Unchanged { number },
            false => ControllerReply::Changed { number: number + 1 },
        };
        if reply != right {
            return Err(lab.fail(&format!("a move was answered {reply:?}, not {right:?}")));
        }
        let owner = lab.query(clerk, None)?.owner(shard);
        if owner != group {
            return Err(lab.fail(&format!("{shard} is at {owner}, not {group}")));
        }
    }
    if lab.query(clerk, None)?.shards != expected {
        return Err(lab.fail("moves did not stay"));
    }
    lab.change(clerk, &leave(&[503]))?;
    lab.change(clerk, &leave(&[504]))?;
    lab.finish()
}

fn multi(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, u64::MAX)?;
    let clerk = lab.clerk();
    lab.check_groups(clerk, &[])?;
    let steps: [(ControllerCommand, &[u32]); 4] = [
        (join(&[1, 2]), &[1, 2]),
        (join(&[3]), &[1, 2, 3]),
        (leave(&[1, 3]), &[2]),
        (leave(&[2]), &[]),
    ];
    come_and_go(&mut lab, clerk, &steps)?;
    lab.finish()
}

/// What a clerk orders, one after another, and the group that stays of it.
type Script = dyn Fn(u32) -> (Vec<ControllerCommand>, u32);

fn one_by_one(clerk: u32) -> (Vec<ControllerCommand>, u32) {
    let stays = 100 + 10 * clerk;
    let goes = stays + 1_000;
    (vec![join(&[goes]), join(&[stays]), leave(&[goes])], stays)
}

fn many_at_once(clerk: u32) -> (Vec<ControllerCommand>, u32) {
    let stays = 1 + clerk;
    let [one, two] = [stays + 1_000, stays + 2_000];
    let script = [join(&[stays, one]), join(&[two]), leave(&[one, two])];
    (script.to_vec(), stays)
}

/// What goes on beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Unreliable,
    /// Leaders end, and come back.
    Crashes,
}

/// Clerks change the groups at once. Each command makes one configuration, whatever is lost and
/// repeated, and what is left is even.
fn concurrent(seed: u64, script: &Script, trouble: Trouble) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, 10)?;
    lab.set_unreliable(trouble == Trouble::Unreliable);
    let mut clerks = Vec::new();
    let mut stay = Vec::new();
    for number in 0..CLERKS {
        let (commands, stays) = script(number);
        stay.push(stays);
        clerks.push((lab.clerk(), commands.into_iter(), None));
    }
    let mut numbers = BTreeSet::new();
    let mut commands = 0;
    loop {
        for (clerk, script, open) in &mut clerks {
            if let Some(reply) = open.map(|tag| lab.answer(tag)).transpose()?.flatten() {
                let ControllerReply::Changed { number } = reply else {
                    return Err(lab.fail(&format!("a change was answered {reply:?}")));
                };
                numbers.insert(number);
                *open = None;
            }
            if open.is_none()
                && let Some(command) = script.next()
            {
                commands += 1;
                *open = Some(lab.begin_command(*clerk, &command)?);
            }
        }
        let open: Vec<u64> = clerks.iter().filter_map(|(.., open)| *open).collect();
        if open.is_empty() {
            break;
        }
        if trouble == Trouble::Crashes && lab.random.below(4) == 0 {
            crash_leader(&mut lab)?;
        }
        let told = |lab: &Lab<_>| open.iter().any(|tag| lab.answer(*tag) != Ok(None));
        if !lab.wait(TIME_MAX, told)? {
            return Err(lab.fail("no order is answered"));
        }
    }
    lab.set_unreliable(false);
    let clerk = clerks[0].0;
    lab.check_groups(clerk, &stay)?;
    let latest = lab.query(clerk, None)?;
    if latest.number != commands || !numbers.into_iter().eq(1..=commands) {
        return Err(lab.fail("a command made another number of configurations than one"));
    }
    lab.check_nodes(&latest)?;
    lab.finish()
}

/// Ends the leader, if there is one, and starts it a while later.
fn crash_leader(lab: &mut Lab<Controller>) -> Result<(), Failure> {
    let Some(leader) = lab.leader() else {
        return Ok(());
    };
    lab.crash(leader)?;
    let pause = lab.random.below(SECOND);
    lab.sleep(pause)?;
    lab.restart(leader)
}

/// A configuration is the same on every node, before and after leaders change, all nodes restart, and a
/// node comes back from another's snapshot.
fn same_configuration(seed: u64) -> Result<Report, Failure> {
    let mut lab = Lab::controller(seed, 3, 8)?;
    let clerk = lab.clerk();
    let many: Vec<u32> = (1..=25).map(|id| 10_000 - 7 * id).collect();
    let rounds = [
        join(&many),
        leave(&many[3..20]),
        join(&many[5..12]),
        leave(&many[5..9]),
    ];
    for command in &rounds {
        lab.change(clerk, command)?;
        let latest = lab.query(clerk, None)?;
        lab.check_nodes(&latest)?;

        let leader = lab.check_one_leader()?;
        lab.crash(leader)?;
        let others = lab.query(clerk, None)?;
        // Meanwhile the log goes beyond what the node that is down will find of it.
        for shard in 0..SHARDS {
            let (shard, groups) = (ShardId(shard), &latest.groups);
            let next = groups.keys().find(|id| *id > latest.owner(shard));
            let first = groups.keys().next();
            let group = next.or(first).unwrap_or(GroupId::NONE);
            lab.change(clerk, &ControllerCommand::Move { shard, group })?;
        }
        lab.restart(leader)?;
        let moved = lab.query(clerk, None)?;
        lab.check_nodes(&moved)?;

        lab.crash_all()?;
        lab.sleep(100 * MS)?;
        lab.start_all()?;
        let restarted = lab.query(clerk, None)?;
        lab.check_nodes(&restarted)?;
        if others != latest || restarted != moved {
            return Err(lab.fail("a configuration is another than it was"));
        }
    }
    if lab.cluster.restores() == 0 {
        return Err(lab.fail("no snapshot was ever installed"));
    }
    lab.finish()
}
