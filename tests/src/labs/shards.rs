//! Sharded store (lab 4B): the shipped nodes, movers, controller and client.

use quorate_kv as kv;
use quorate_shard::{GroupId, ShardId};
use quorate_sim::checker::linearizability::Action;

use crate::lab::control::SHARDS;
use crate::lab::shards::clerk::ClerkId;
use crate::lab::shards::{ShardLab, leaving};
use crate::lab::worker::{Keys, Worker};
use crate::lab::{Failure, MS, Report, SECOND};
use crate::labs::Scenario;

/// In the labs' order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "4B/5",
        name: "StaticShards",
        run: static_shards,
    },
    Scenario {
        lab: "4B/5",
        name: "JoinLeave",
        run: join_leave,
    },
    Scenario {
        lab: "4B/5",
        name: "Snapshot",
        run: snapshot,
    },
    Scenario {
        lab: "4B/5",
        name: "MissChange",
        run: miss_change,
    },
    Scenario {
        lab: "4B/5",
        name: "Concurrent1",
        run: concurrent1,
    },
    Scenario {
        lab: "4B/5",
        name: "Concurrent2",
        run: concurrent2,
    },
    Scenario {
        lab: "4B/5",
        name: "Concurrent3",
        run: concurrent3,
    },
    Scenario {
        lab: "4B/5",
        name: "Unreliable1",
        run: unreliable1,
    },
    Scenario {
        lab: "4B/5",
        name: "Unreliable2",
        run: |seed| unreliable23(seed, Keys::One(0)),
    },
    Scenario {
        lab: "4B/5",
        name: "Unreliable3",
        run: |seed| unreliable23(seed, Keys::Any(TEN as u64)),
    },
    Scenario {
        lab: "4B/5",
        name: "Challenge1Delete",
        run: challenge1_delete,
    },
    Scenario {
        lab: "4B/5",
        name: "Challenge1Concurrent",
        run: challenge1_concurrent,
    },
    Scenario {
        lab: "4B/5",
        name: "Challenge2Unaffected",
        run: challenge2_unaffected,
    },
    Scenario {
        lab: "4B/5",
        name: "Challenge2Partial",
        run: challenge2_partial,
    },
];

/// Keys of most scenarios, one in each shard; and clerks at work.
pub(super) const TEN: usize = 10;
/// In a calm network no shard that moves may be served nowhere for longer. In milliseconds.
pub(super) const PAUSE_MAX: u64 = 100;
/// The same where requests and answers get lost, which is noticed by silence.
pub(super) const PAUSE_LOSSY: u64 = 30_000;

/// Keys and what they must hold.
pub(super) struct Pairs {
    pub(super) clerk: ClerkId,
    pub(super) pairs: Vec<(u64, String)>,
}

impl Pairs {
    /// Puts random values of so many letters in so many keys.
    pub(super) fn put(lab: &mut ShardLab, keys: usize, letters: usize) -> Result<Self, Failure> {
        let clerk = lab.clerk();
        let mut pairs = Vec::new();
        for number in 0..keys {
            let (key, value) = (lab.key(number), lab.letters(letters));
            lab.put(clerk, key, &value)?;
            pairs.push((key, value));
        }
        Ok(Self { clerk, pairs })
    }

    /// All hold what they must.
    pub(super) fn check(&self, lab: &mut ShardLab) -> Result<(), Failure> {
        self.check_first(lab, self.pairs.len())
    }

    fn check_first(&self, lab: &mut ShardLab, count: usize) -> Result<(), Failure> {
        let mut pairs = self.pairs.iter().take(count);
        pairs.try_for_each(|(key, value)| lab.check(self.clerk, *key, value))
    }

    /// All hold what they must, and get so many letters more.
    pub(super) fn check_append(
        &mut self,
        lab: &mut ShardLab,
        letters: usize,
    ) -> Result<(), Failure> {
        for (key, value) in &mut self.pairs {
            lab.check(self.clerk, *key, value)?;
            let more = lab.letters(letters);
            lab.append(self.clerk, *key, &more)?;
            value.push_str(&more);
        }
        Ok(())
    }

    /// How many of the keys are read within two seconds, each by a clerk of its own.
    pub(super) fn read_at_once(&self, lab: &mut ShardLab) -> Result<usize, Failure> {
        let mut tags = Vec::new();
        for (key, _) in &self.pairs {
            let clerk = lab.clerk();
            tags.push(lab.begin_call(clerk, *key, Action::Get)?);
        }
        lab.sleep(2 * SECOND)?;
        Ok(tags
            .iter()
            .filter(|tag| lab.history.has_ended(**tag))
            .count())
    }
}

impl ShardLab {
    /// So many random letters.
    pub(super) fn letters(&mut self, count: usize) -> String {
        let letter = |_| char::from(b'a' + self.random.below(26) as u8);
        (0..count).map(letter).collect()
    }

    /// Ten clerks append to keys of their own, or to shared ones, and read them.
    pub(super) fn hire_ten(&mut self, keys: Keys, pause: u64) -> Result<Vec<ClerkId>, Failure> {
        let own = |lab: &Self, number: usize| match keys {
            Keys::One(_) => Keys::One(lab.key(number)),
            any => any,
        };
        let hire = |number| {
            let keys = own(self, number);
            self.hire(number as u64, keys, pause)
        };
        (0..TEN).map(hire).collect()
    }

    /// The clerks stop; each key of one clerk holds exactly what it was told.
    pub(super) fn dismiss_all(&mut self, clerks: &[ClerkId]) -> Result<(), Failure> {
        let workers = self.dismiss(clerks, 20 * SECOND)?;
        let judge = self.clerk();
        for (number, own) in workers.iter().map(Worker::own).enumerate() {
            if let Some(own) = own {
                let key = self.key(number);
                self.check(judge, key, &String::from_utf8_lossy(own))?;
            }
        }
        if self.history.agreement().count < 10 * clerks.len() as u64 {
            return Err(self.fail("the clerks got nothing done"));
        }
        Ok(())
    }

    /// No shard keeps what was: the testers' stores have no past.
    pub(super) fn forget_past(&mut self) -> Result<(), Failure> {
        let clerk = self.clerk();
        let forget = kv::Command::SetRetention {
            revisions: 1,
            ms: 0,
            bytes: 0,
        };
        let mut shards = (0..SHARDS).map(ShardId);
        shards.try_for_each(|shard| self.execute_in(clerk, shard, &forget).map(drop))
    }

    /// Shuts all groups down, and starts them.
    pub(super) fn restart_groups(&mut self, groups: &[u32]) -> Result<(), Failure> {
        groups.iter().try_for_each(|it| self.shutdown_group(*it))?;
        groups.iter().try_for_each(|it| self.start_group(*it))
    }
}

/// Half of the shards answer while one of two groups is down.
fn static_shards(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, None)?;
    lab.join(&[1])?;
    lab.join(&[2])?;
    let pairs = Pairs::put(&mut lab, TEN, 20)?;
    pairs.check(&mut lab)?;
    lab.shutdown_group(2)?;
    let read = pairs.read_at_once(&mut lab)?;
    if read != TEN / 2 {
        return Err(lab.fail(&format!(
            "{read} of 10 shards answer with half of them dead"
        )));
    }
    lab.start_group(2)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

fn join_leave(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, None)?;
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, 5)?;
    pairs.check(&mut lab)?;
    lab.join(&[2])?;
    pairs.check_append(&mut lab, 5)?;
    lab.leave(&[1])?;
    pairs.check_append(&mut lab, 5)?;
    // Time for the shards to move.
    lab.sleep(SECOND)?;
    lab.shutdown_group(1)?;
    pairs.check(&mut lab)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}

fn snapshot(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(1_000))?;
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, 30, 20)?;
    pairs.check(&mut lab)?;
    lab.join(&[2])?;
    lab.join(&[3])?;
    lab.leave(&[1])?;
    pairs.check_append(&mut lab, 20)?;
    lab.leave(&[2])?;
    lab.join(&[1])?;
    pairs.check_append(&mut lab, 20)?;
    lab.sleep(SECOND)?;
    pairs.check(&mut lab)?;
    lab.sleep(SECOND)?;
    lab.restart_groups(&[1, 2, 3])?;
    pairs.check(&mut lab)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}

/// A server of each group is down while configurations change, then another one.
fn miss_change(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(1_000))?;
    let server = |lab: &ShardLab, number: usize| [1, 2, 3].map(|it| lab.servers(it)[number]);
    let (first, second) = (server(&lab, 0), server(&lab, 1));
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, 20)?;
    pairs.check(&mut lab)?;
    lab.join(&[2])?;
    first.iter().try_for_each(|it| lab.shutdown(*it))?;
    lab.join(&[3])?;
    lab.leave(&[2])?;
    lab.leave(&[1])?;
    pairs.check_append(&mut lab, 20)?;
    lab.join(&[2])?;
    pairs.check_append(&mut lab, 20)?;
    first.iter().try_for_each(|it| lab.start(*it))?;
    pairs.check_append(&mut lab, 20)?;
    lab.sleep(2 * SECOND)?;
    second.iter().try_for_each(|it| lab.shutdown(*it))?;
    lab.join(&[1])?;
    lab.leave(&[3])?;
    pairs.check_append(&mut lab, 20)?;
    second.iter().try_for_each(|it| lab.start(*it))?;
    pairs.check(&mut lab)?;
    lab.finish()
}

fn concurrent1(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(100))?;
    lab.join(&[1])?;
    let clerks = lab.hire_ten(Keys::One(0), 10 * MS)?;
    lab.sleep(150 * MS)?;
    lab.join(&[2])?;
    lab.sleep(500 * MS)?;
    lab.join(&[3])?;
    lab.sleep(500 * MS)?;
    lab.leave(&[1])?;
    lab.sleep(500 * MS)?;
    lab.shutdown_group(1)?;
    lab.sleep(100 * MS)?;
    lab.shutdown_group(2)?;
    lab.sleep(100 * MS)?;
    lab.shutdown_group(3)?;
    lab.leave(&[3])?;
    lab.sleep(100 * MS)?;
    [1, 2, 3].iter().try_for_each(|it| lab.start_group(*it))?;
    lab.sleep(100 * MS)?;
    lab.join(&[1])?;
    lab.leave(&[2])?;
    lab.sleep(500 * MS)?;
    lab.join(&[2])?;
    lab.sleep(SECOND)?;
    lab.dismiss_all(&clerks)?;
    lab.finish()
}

fn concurrent2(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, None)?;
    lab.join(&[2])?;
    lab.join(&[1])?;
    lab.join(&[3])?;
    let clerks = lab.hire_ten(Keys::One(0), 50 * MS)?;
    lab.leave(&[1])?;
    lab.leave(&[3])?;
    lab.sleep(3 * SECOND)?;
    lab.join(&[1])?;
    lab.join(&[3])?;
    lab.leave(&[2])?;
    lab.sleep(3 * SECOND)?;
    lab.join(&[2])?;
    lab.leave(&[1])?;
    lab.leave(&[3])?;
    lab.sleep(3 * SECOND)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.shutdown_group(2)?;
    lab.shutdown_group(3)?;
    lab.sleep(SECOND)?;
    lab.start_group(2)?;
    lab.start_group(3)?;
    lab.sleep(2 * SECOND)?;
    lab.dismiss_all(&clerks)?;
    lab.finish()
}

fn concurrent3(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(300))?;
    changes_and_restarts(&mut lab)?;
    lab.finish()
}

/// For twelve seconds groups join and leave, and all servers restart.
fn changes_and_restarts(lab: &mut ShardLab) -> Result<(), Failure> {
    lab.join(&[1])?;
    let clerks = lab.hire_ten(Keys::One(0), 20 * MS)?;
    let end = lab.now() + 12 * SECOND;
    while lab.now() < end {
        lab.join(&[3])?;
        lab.join(&[2])?;
        lab.sleep_below(900 * MS)?;
        lab.restart_groups(&[1, 2, 3])?;
        lab.sleep_below(900 * MS)?;
        lab.leave(&[2])?;
        lab.leave(&[3])?;
        lab.sleep_below(900 * MS)?;
    }
    lab.sleep(2 * SECOND)?;
    lab.dismiss_all(&clerks)
}

fn unreliable1(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(100))?;
    lab.set_unreliable(true);
    lab.join(&[1])?;
    let mut pairs = Pairs::put(&mut lab, TEN, 5)?;
    lab.join(&[2])?;
    lab.join(&[3])?;
    lab.leave(&[1])?;
    pairs.check_append(&mut lab, 5)?;
    pairs.check_append(&mut lab, 5)?;
    lab.join(&[1])?;
    lab.leave(&[2])?;
    pairs.check(&mut lab)?;
    pairs.check(&mut lab)?;
    lab.check_pauses(PAUSE_LOSSY)?;
    lab.finish()
}

/// Configurations change below ten clerks where much is lost: each on a key of its own, or all on the
/// same, judged by the checker of linearizability.
fn unreliable23(seed: u64, keys: Keys) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(100))?;
    lab.set_unreliable(true);
    lab.join(&[1])?;
    let clerks = lab.hire_ten(keys, 0)?;
    lab.sleep(150 * MS)?;
    for step in [
        lab.joining(&[2]),
        lab.joining(&[3]),
        leaving(&[1]),
        leaving(&[2]),
    ] {
        lab.change(&step)?;
        lab.sleep(500 * MS)?;
    }
    lab.join(&[2])?;
    lab.join(&[1])?;
    lab.sleep(20 * SECOND)?;
    lab.set_unreliable(false);
    lab.dismiss_all(&clerks)?;
    lab.finish()
}

/// Shards go round twice. What left is deleted: of thirty values of a thousand bytes the servers store
/// what the tester allows.
fn challenge1_delete(seed: u64) -> Result<Report, Failure> {
    const VALUES: usize = 30;
    let mut lab = ShardLab::new(seed, 3, Some(1))?;
    lab.join(&[1])?;
    lab.forget_past()?;
    let mut pairs = Pairs::put(&mut lab, VALUES, 1_000)?;
    pairs.check_first(&mut lab, 3)?;
    for _ in 0..2 {
        lab.join(&[2])?;
        lab.leave(&[1])?;
        lab.join(&[3])?;
        lab.sleep(3 * SECOND)?;
        pairs.check_first(&mut lab, 3)?;
        lab.leave(&[2])?;
        lab.join(&[1])?;
        lab.leave(&[3])?;
        lab.sleep(3 * SECOND)?;
        pairs.check_first(&mut lab, 3)?;
    }
    lab.join(&[2])?;
    lab.join(&[3])?;
    for _ in 0..3 {
        lab.sleep(SECOND)?;
        pairs.check_first(&mut lab, 3)?;
    }
    // Some more is written, so that every server comes to take a snapshot of what it has now.
    for number in 0..10 * TEN {
        let (key, value) = (lab.key(number % TEN), lab.letters(1_000));
        lab.put(pairs.clerk, key, &value)?;
        pairs.pairs[number % TEN] = (key, value);
    }
    // Each shard keeps one value that was replaced.
    let values = (VALUES + TEN) as u64;
    let held = lab.held();
    lab.at_most(
        "bytes in the stores after all moves",
        held,
        values * 1_000 + 2_000,
    )?;
    let stored = [1, 2, 3].map(|group| lab.stored(group).0).iter().sum();
    // What the tester allows, on three servers each: the values, three of them also in tables of
    // sessions, and some more. Twice, for logs here may grow as large as the snapshots.
    let allowed = 3 * ((values - 3) * 1_000 + 2 * 3 * 1_000 + 6_000);
    lab.at_most("bytes stored after all moves", stored, 2 * allowed)?;
    pairs.check(&mut lab)?;
    lab.finish()
}

/// As Concurrent3, and what left is deleted (of the same load; every scenario looks for that).
fn challenge1_concurrent(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(300))?;
    changes_and_restarts(&mut lab)?;
    lab.await_settled(20 * SECOND)?;
    lab.store.check_settled()?;
    lab.finish()
}

/// A shard that has arrived is served, although others of the same configuration never come: the group
/// that has them is down.
fn challenge2_unaffected(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 2, Some(100))?;
    lab.set_unreliable(true);
    lab.join(&[1])?;
    let clerk = lab.clerk();
    let keys: Vec<u64> = (0..TEN).map(|number| lab.key(number)).collect();
    for key in &keys {
        lab.put(clerk, *key, "100")?;
    }
    lab.join(&[2])?;
    let owned = owned_by(&mut lab, &keys, 2)?;
    // The testers give this a second. There a lost call fails at once, here it is noticed by its
    // silence.
    let shards: Vec<_> = owned.iter().map(|key| lab.shard(*key)).collect();
    let moved = |lab: &ShardLab| shards.iter().all(|it| lab.serves(2, *it));
    if !lab.wait(60 * SECOND, moved)? {
        return Err(lab.fail("the shards do not move"));
    }
    for key in &owned {
        lab.put(clerk, *key, "101")?;
    }
    lab.shutdown_group(1)?;
    lab.leave(&[1])?;
    lab.sleep(SECOND)?;
    serves_on(&mut lab, clerk, &owned, "101")?;
    lab.finish()
}

/// Of a change that needs two groups, one of which is down, what the other one has arrives.
fn challenge2_partial(seed: u64) -> Result<Report, Failure> {
    let mut lab = ShardLab::new(seed, 3, Some(100))?;
    lab.set_unreliable(true);
    lab.join(&[1, 2, 3])?;
    lab.sleep(SECOND)?;
    let clerk = lab.clerk();
    let keys: Vec<u64> = (0..TEN).map(|number| lab.key(number)).collect();
    for key in &keys {
        lab.put(clerk, *key, "100")?;
    }
    let owned = owned_by(&mut lab, &keys, 3)?;
    lab.shutdown_group(1)?;
    lab.leave(&[1, 3])?;
    lab.sleep(SECOND)?;
    serves_on(&mut lab, clerk, &owned, "100")?;
    // Until they have moved the group that leaves serves them: that they do is looked for.
    let shards: Vec<_> = owned.iter().map(|key| lab.shard(*key)).collect();
    let moved = |lab: &ShardLab| shards.iter().all(|it| lab.serves(2, *it));
    if !lab.wait(60 * SECOND, moved)? || lab.arriving(2) == 0 {
        return Err(lab.fail("what can arrive does not, or what cannot does"));
    }
    serves_on(&mut lab, clerk, &owned, "100-1")?;
    lab.finish()
}

/// The keys whose shards the latest configuration gives to a group.
fn owned_by(lab: &mut ShardLab, keys: &[u64], group: u32) -> Result<Vec<u64>, Failure> {
    let latest = lab.latest()?;
    let mut owned = keys.to_vec();
    owned.retain(|key| latest.owner(lab.shard(*key)) == GroupId(group));
    match owned.is_empty() {
        true => Err(lab.fail("the group has no shard")),
        false => Ok(owned),
    }
}

/// These keys can be read and put.
fn serves_on(lab: &mut ShardLab, clerk: ClerkId, keys: &[u64], value: &str) -> Result<(), Failure> {
    for key in keys {
        lab.check(clerk, *key, value)?;
        let new = format!("{value}-1");
        lab.put(clerk, *key, &new)?;
        lab.check(clerk, *key, &new)?;
    }
    Ok(())
}
