//! Sharded store (labs 5A, 5B and 5C, of 2025): groups come and go, and whoever moves shards fails.
//!
//! There a *controller* is a program that an admin runs: it freezes, copies and deletes shards itself, and
//! may die in between. Here an admin has a configuration made, and who moves shards are the groups'
//! leaders. So where a controller crashes there, here the whole controller's group does, and with it the
//! leaders that are in the midst of a migration. Where two controllers run at once, here several admins
//! do, and in a group a leader that is cut off from it goes on beside the next one. Where a partitioned
//! controller returns, here such a leader does, and what it asked of another group arrives late.

use quorate_raft::{NodeId, Random};
use quorate_shard::{CONTROLLER, ControllerReply, GroupId};
use quorate_sim::network::{Address, Packet, Payload, Rule, Verdict};
use quorate_sim::rules::Isolate;
use quorate_sim::shards::mover_of;

use crate::lab::control::SHARDS;
use crate::lab::shards::admin::AdminId;
use crate::lab::shards::{ShardLab, leaving};
use crate::lab::worker::Keys;
use crate::lab::{Failure, MS, Report, SECOND};
use crate::labs::Scenario;
use crate::labs::shards::{PAUSE_LOSSY, PAUSE_MAX, Pairs, TEN};

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "5A",
        name: "InitQuery",
        run: init_query,
    },
    Scenario {
        lab: "5A",
        name: "StaticOneShardGroup",
        run: static_one_shard_group,
    },
    Scenario {
        lab: "5A",
        name: "JoinBasic",
        run: join_basic,
    },
    Scenario {
        lab: "5A",
        name: "DeleteBasic",
        run: delete_basic,
    },
    Scenario {
        lab: "5A",
        name: "JoinLeaveBasic",
        run: join_leave_basic,
    },
    Scenario {
        lab: "5A",
        name: "ManyJoinLeave",
        run: |seed| many_join_leave(seed, false),
    },
    Scenario {
        lab: "5A",
        name: "ManyJoinLeaveUnreliable",
        run: |seed| many_join_leave(seed, true),
    },
    Scenario {
        lab: "5A",
        name: "Shutdown",
        run: shutdown,
    },
    Scenario {
        lab: "5A",
        name: "ProgressShutdown",
        run: progress_shutdown,
    },
    Scenario {
        lab: "5A",
        name: "ProgressJoin",
        run: progress_join,
    },
    Scenario {
        lab: "5A",
        name: "ProgressTakerDown",
        run: |seed| progress_taker(seed, Away::Down),
    },
    Scenario {
        lab: "5A",
        name: "ProgressTakerLeaderless",
        run: |seed| progress_taker(seed, Away::Leaderless),
    },
    Scenario {
        lab: "5B",
        name: "JoinLeave",
        run: join_leave,
    },
    Scenario {
        lab: "5B",
        name: "RecoverController",
        run: recover_controller,
    },
    Scenario {
        lab: "5C",
        name: "ConcurrentControllers",
        run: |seed| concurrent_controllers(seed, false),
    },
    Scenario {
        lab: "5C",
        name: "ConcurrentControllersUnreliable",
        run: |seed| concurrent_controllers(seed, true),
    },
    Scenario {
        lab: "5C",
        name: "PartitionedController",
        run: |seed| partitioned_controller(seed, false),
    },
    Scenario {
        lab: "5C",
        name: "PartitionedControllerUnreliable",
        run: |seed| partitioned_controller(seed, true),
    },
];

/// Keys of these testers.
const KEYS: usize = 60;
/// Letters of a value.
const LETTERS: usize = 20;

impl Pairs {
    /// With a group down exactly the keys of the others can be read: the data is really spread.
    fn check_spread(&self, lab: &mut ShardLab, down: u32) -> Result<(), Failure> {
        lab.await_settled(20 * SECOND)?;
        let latest = lab.latest()?;
        let keys = self.pairs.iter().map(|(key, _)| lab.shard(*key));
        let expected = keys.filter(|it| latest.owner(*it) != GroupId(down)).count();
        lab.shutdown_group(down)?;
        let read = self.read_at_once(lab)?;
        if read != expected || read == self.pairs.len() {
            let all = self.pairs.len();
            return Err(lab.fail(&format!("{read} of {all} keys are read, not {expected}")));
        }
        lab.start_group(down)
    }
}

/// What one admin made another sees.
fn init_query(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 1, None)?;
    if lab.latest()?.number != 0 {
        return Err(lab.fail("there is a configuration before the first"));
    }
    lab.join(&[1])?;
    let other = lab.admin();
    let seen = lab.query(other, None)?;
    let right = seen.number == 1 && seen.shards == [GroupId(1); SHARDS as usize];
    if !right || seen.groups.keys().ne([GroupId(1)]) {
        return Err(lab.fail(&format!("the first configuration is {seen:?}")));
    }
    lab.finish()
}

fn static_one_shard_group(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 1, None)?;
    lab.join(&[1])?;
    let pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    pairs.check(&mut lab)?;
    let leader = lab.leader(1).ok_or("a group that answers has a leader")?;
    let rule = lab.add(1, Isolate(leader));
    pairs.check(&mut lab)?;
    lab.remove(1, rule);
    lab.finish()
}

fn join_basic(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, None)?;
    lab.join(&[1])?;
    let pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    lab.join(&[2])?;
    let latest = lab.latest()?;
    if latest.groups.keys().ne([GroupId(1), GroupId(2)]) {
        return Err(lab.fail(&format!("a group is missing: {latest:?}")));
    }
    pairs.check(&mut lab)?;
    pairs.check_spread(&mut lab, 2)?;
    pairs.check_spread(&mut lab, 1)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}

/// Servers of two groups together store what the tester allows: no more than is held, and ten thousand
/// bytes. Twice, for logs here may grow as large as the snapshots.
fn delete_basic(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, Some(1_000))?;
    lab.join(&[1])?;
    lab.forget_past()?;
    let mut pairs = Pairs::put(&mut lab, KEYS, 500)?;
    pairs.check(&mut lab)?;
    let held = lab.held();
    lab.join(&[2])?;
    lab.await_settled(20 * SECOND)?;
    // So that all servers take a snapshot of what they have now.
    for _ in 0..2 {
        for number in 0..KEYS {
            let (key, value) = (lab.key(number), lab.letters(500));
            lab.put(pairs.clerk, key, &value)?;
            pairs.pairs[number] = (key, value);
        }
    }
    pairs.check(&mut lab)?;
    let both = lab.stored(1).1 + lab.stored(2).1;
    lab.at_most("bytes stored by two groups", both, 2 * (held + 10_000))?;
    // Each shard keeps one value that was replaced.
    let allowed = held + u64::from(SHARDS) * 600;
    lab.at_most("bytes in the stores of two groups", lab.held(), allowed)?;
    lab.finish()
}

fn join_leave_basic(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, None)?;
    lab.join(&[1])?;
    let pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    lab.join(&[2])?;
    pairs.check_spread(&mut lab, 1)?;
    lab.leave(&[1])?;
    lab.await_settled(20 * SECOND)?;
    lab.shutdown_group(1)?;
    pairs.check(&mut lab)?;
    lab.start_group(1)?;
    lab.join(&[1])?;
    pairs.check(&mut lab)?;
    pairs.check_spread(&mut lab, 2)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}

fn many_join_leave(seed: u64, unreliable: bool) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 4, None)?;
    lab.set_unreliable(unreliable);
    lab.join(&[1])?;
    let keys = if unreliable { TEN } else { KEYS };
    let pairs = Pairs::put(&mut lab, keys, LETTERS)?;
    (2..=4).try_for_each(|group| lab.join(&[group]))?;
    pairs.check(&mut lab)?;
    (1..=3).try_for_each(|group| lab.leave(&[group]))?;
    pairs.check(&mut lab)?;
    (1..=3).try_for_each(|group| lab.join(&[group]))?;
    pairs.check(&mut lab)?;
    lab.check_pauses(if unreliable { PAUSE_LOSSY } else { PAUSE_MAX })?;
    lab.finish()
}

fn shutdown(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 4, None)?;
    lab.join(&[1])?;
    let pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    (2..=4).try_for_each(|group| lab.join(&[group]))?;
    pairs.check(&mut lab)?;
    lab.restart_groups(&[1, 2, 3, 4])?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// Two seconds of a clerk's reads and puts on the keys of these groups that do not move: they never
/// take long.
fn progresses(
    lab: &mut ShardLab,
    pairs: &mut Pairs,
    stays: impl Fn(&ShardLab, u64) -> bool,
) -> Result<(), Failure> {
    let mut longest = 0;
    let mut operations = 0;
    let end = lab.now() + 2 * SECOND;
    while lab.now() < end {
        for (key, value) in &mut pairs.pairs {
            if !stays(lab, *key) {
                continue;
            }
            let began = lab.now();
            lab.check(pairs.clerk, *key, value)?;
            *value = lab.letters(LETTERS);
            lab.put(pairs.clerk, *key, value)?;
            operations += 2;
            longest = longest.max(lab.now() - began);
        }
    }
    if operations < 100 {
        return Err(lab.fail(&format!("{operations} operations in two seconds")));
    }
    lab.at_most("ms for a read and a put beside", longest / MS, 500)
}

/// One of four groups is down: the shards of the others are served.
fn progress_shutdown(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 4, None)?;
    lab.join(&[1, 2, 3, 4])?;
    let mut pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    lab.await_settled(20 * SECOND)?;
    let latest = lab.latest()?;
    lab.shutdown_group(3)?;
    progresses(&mut lab, &mut pairs, |lab, key| {
        latest.owner(lab.shard(key)) != GroupId(3)
    })?;
    lab.start_group(3)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// A group joins while one that shall give to it is down: what does not move is served, and what moves
/// from the others moves.
fn progress_join(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 5, None)?;
    lab.join(&[1, 2])?;
    let mut pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    lab.await_settled(20 * SECOND)?;
    let before = lab.latest()?;
    lab.shutdown_group(1)?;
    lab.join(&[3])?;
    let after = lab.latest()?;
    progresses(&mut lab, &mut pairs, |lab, key| {
        let shard = lab.shard(key);
        before.owner(shard) == GroupId(2) && after.owner(shard) == GroupId(2)
    })?;
    let of = |from: u32| {
        let shards = before.shards.iter().zip(&after.shards);
        shards
            .filter(|(had, has)| **had == GroupId(from) && **has == GroupId(3))
            .count()
    };
    if lab.arriving(3) != of(1) || of(1) == 0 || of(2) == 0 {
        return Err(lab.fail("what can arrive does not, or what cannot does"));
    }
    lab.start_group(1)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// Why a group can take nothing.
#[derive(Clone, Copy)]
enum Away {
    /// Its nodes are down.
    Down,
    /// They run, and do not reach each other.
    Leaderless,
}

/// Nothing passes between the servers of a group.
struct Scattered(Vec<NodeId>);

impl Rule for Scattered {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        let is_server = |it| matches!(it, Address::Node(node) if self.0.contains(&node));
        is_server(from) && is_server(to)
    }
}

/// A group joins that cannot take its shards: whoever comes only now, and so never heard of another group,
/// is served by the one that has them still.
fn progress_taker(seed: u64, away: Away) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, None)?;
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, LETTERS)?;
    let rule = match away {
        Away::Down => {
            lab.shutdown_group(2)?;
            None
        }
        Away::Leaderless => {
            let servers = lab.servers(2);
            let rule = lab.add(2, Scattered(servers));
            lab.wait(20 * SECOND, |lab| lab.leader(2).is_none())?;
            Some(rule)
        }
    };
    lab.join(&[2])?;
    pairs.clerk = lab.clerk();
    let began = lab.now();
    pairs.check_append(&mut lab, 5)?;
    let longest = lab.now() - began;
    if lab.leader(2).is_some() || lab.arriving(2) > 0 {
        return Err(lab.fail("the taker takes"));
    }
    lab.at_most(
        "ms until all shards are found where they were",
        longest / MS,
        5_000,
    )?;
    match rule {
        Some(rule) => lab.remove(2, rule),
        None => lab.start_group(2)?,
    }
    lab.await_settled(20 * SECOND)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// Ends the runs of the whole controller's group, and of all that lead a group.
fn crash_movers(lab: &mut ShardLab) -> Result<Vec<NodeId>, Failure> {
    let groups: Vec<u32> = lab.store.groups().keys().map(|group| group.0).collect();
    let mut crashed = lab.servers(CONTROLLER.0);
    crashed.extend(groups.into_iter().filter_map(|group| lab.leader(group)));
    crashed
        .iter()
        .try_for_each(|server| lab.shutdown(*server))?;
    Ok(crashed)
}

/// A group joins and another leaves that is down, and who drives it crashes meanwhile.
fn join_leave(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, None)?;
    lab.join(&[1])?;
    let pairs = Pairs::put(&mut lab, KEYS, LETTERS)?;
    lab.join(&[2])?;
    lab.await_settled(20 * SECOND)?;
    lab.shutdown_group(1)?;
    lab.join(&[3])?;
    lab.leave(&[1])?;
    lab.sleep_below(SECOND)?;
    let crashed = crash_movers(&mut lab)?;
    lab.sleep(SECOND)?;
    lab.start_group(1)?;
    crashed.iter().try_for_each(|server| lab.start(*server))?;
    pairs.check(&mut lab)?;
    lab.await_settled(20 * SECOND)?;
    lab.shutdown_group(1)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// Ten times a change is begun, and who drives it crashes in the midst of it.
fn recover_controller(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(300))?;
    lab.join(&[1])?;
    let clerks = lab.hire_ten(Keys::One(0), 50 * MS)?;
    let admin = lab.admin();
    for round in 0..10 {
        let change = match round % 4 {
            0 => lab.joining(&[2]),
            1 => lab.joining(&[3]),
            2 => leaving(&[2]),
            _ => leaving(&[3]),
        };
        let order = lab.begin(admin, &change)?;
        lab.sleep_below(60 * MS)?;
        let crashed = crash_movers(&mut lab)?;
        lab.sleep_below(500 * MS)?;
        crashed.iter().try_for_each(|server| lab.start(*server))?;
        lab.await_changed(order)?;
    }
    let began = lab.now();
    lab.await_settled(40 * SECOND)?;
    let time = (lab.now() - began) / MS;
    lab.at_most("ms from the last restart until all is done", time, 20_000)?;
    lab.sleep(2 * SECOND)?;
    lab.dismiss_all(&clerks)?;
    lab.finish()
}

impl ShardLab {
    /// An order must come to make a configuration.
    fn await_changed(&mut self, order: usize) -> Result<(), Failure> {
        self.wait(20 * SECOND, |lab| lab.answer(order) != Ok(None))?;
        match self.answer(order)? {
            Some(ControllerReply::Changed { .. }) => Ok(()),
            other => Err(self.fail(&format!("a change was answered {other:?}"))),
        }
    }
}

/// Nothing passes between a worker, its mover included, and the other servers of its group.
struct CutOff {
    worker: NodeId,
    others: Vec<NodeId>,
}

impl Rule for CutOff {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        let is_worker = |it| match it {
            Address::Node(node) => node == self.worker,
            Address::Client(client) => mover_of(client) == Some(self.worker),
        };
        let is_other = |it| matches!(it, Address::Node(node) if self.others.contains(&node));
        is_worker(from) && is_other(to) || is_other(from) && is_worker(to)
    }
}

impl CutOff {
    fn new(lab: &ShardLab, group: u32, worker: NodeId) -> Self {
        let mut others = lab.servers(group);
        others.retain(|server| *server != worker);
        Self { worker, others }
    }
}

/// Three admins join and take out groups of their own at once. Beside, leaders are cut off from their
/// groups, not from others, so that two drive one change.
fn concurrent_controllers(seed: u64, unreliable: bool) -> Result<Report, Failure> {
    const ADMINS: u32 = 3;
    let rounds = if unreliable { 2 } else { 4 };
    let mut lab = ShardLab::new(seed, 1 + ADMINS, None)?;
    lab.set_unreliable(unreliable);
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, LETTERS)?;
    let admins: Vec<AdminId> = (0..ADMINS).map(|_| lab.admin()).collect();
    let mut changes = 1;
    for _ in 0..rounds {
        for is_join in [true, false] {
            let mut orders = Vec::new();
            for (group, admin) in (2..).zip(&admins) {
                let change = match is_join {
                    true => lab.joining(&[group]),
                    false => leaving(&[group]),
                };
                orders.push(lab.begin(*admin, &change)?);
                changes += 1;
            }
            lab.sleep_below(30 * MS)?;
            let group = 1 + lab.random.below(u64::from(ADMINS) + 1) as u32;
            let cut = lab.leader(group).map(|leader| {
                let rule = CutOff::new(&lab, group, leader);
                lab.add(group, rule)
            });
            lab.sleep(500 * MS)?;
            orders
                .into_iter()
                .try_for_each(|order| lab.await_changed(order))?;
            match is_join {
                true => pairs.check_append(&mut lab, 5)?,
                false => pairs.check(&mut lab)?,
            }
            cut.into_iter().for_each(|rule| lab.remove(group, rule));
        }
    }
    let number = lab.latest()?.number;
    if number != changes {
        return Err(lab.fail(&format!("{changes} changes made {number} configurations")));
    }
    lab.finish()
}

/// What a worker's mover asks comes late.
struct Late(NodeId);

impl Rule for Late {
    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        let is_movers = match packet.from {
            Address::Client(client) => mover_of(client) == Some(self.0),
            Address::Node(_) => false,
        };
        match packet.payload {
            Payload::Requests(_) if is_movers => Verdict::Delay(random.below(4 * SECOND)),
            _ => Verdict::Pass,
        }
    }
}

/// A leader that fetches shards is cut off from its group in the midst of it, and what it asks of the
/// giver arrives seconds later: when the next leader is done, and when the shards have gone back and come
/// again. Then it returns.
fn partitioned_controller(seed: u64, unreliable: bool) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, Some(1_000))?;
    lab.set_unreliable(unreliable);
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, LETTERS)?;
    let knows = |lab: &ShardLab| lab.leader(2).is_some();
    lab.wait(10 * SECOND, knows)?;
    let admin = lab.admin();
    for _ in 0..2 {
        // Where the answer is lost, all shards may have arrived when it is asked for again.
        let join = lab.joining(&[2]);
        let order = lab.begin(admin, &join)?;
        if !lab.wait(40 * SECOND, |lab| lab.arriving(2) > 0)? {
            return Err(lab.fail("no shard arrives"));
        }
        let leader = lab.leader(2).ok_or("who fetches leads")?;
        let late = lab.add(1, Late(leader));
        lab.sleep_below(10 * MS)?;
        let rule = CutOff::new(&lab, 2, leader);
        let cut = lab.add(2, rule);
        lab.await_changed(order)?;
        pairs.check_append(&mut lab, 5)?;
        lab.leave(&[2])?;
        lab.join(&[2])?;
        pairs.check_append(&mut lab, 5)?;
        lab.remove(2, cut);
        lab.remove(1, late);
        lab.leave(&[2])?;
        pairs.check(&mut lab)?;
    }
    lab.finish()
}
