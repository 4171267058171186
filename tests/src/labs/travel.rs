//! What travels with a shard: the table of sessions, so that a write takes effect once wherever it is
//! repeated; revisions, so that a watch goes on; leases, so that they neither end early nor live on. And
//! what does not stay behind. The labs have the first; the others are our own.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::Random;
use quorate_rsm::{Call, ReadAt};
use quorate_shard::ShardId;
use quorate_sim::checker::linearizability::{Action, Answer};
use quorate_sim::network::{Address, Packet, RuleId, Verdict};

use crate::lab::control::SHARDS;
use crate::lab::shards::ShardLab;
use crate::lab::shards::clerk::ClerkId;
use crate::lab::{Failure, MS, Report, SECOND};
use crate::labs::Scenario;
use crate::labs::shards::{PAUSE_MAX, Pairs};

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        lab: "once",
        name: "DuplicateAfterMove",
        run: |seed| duplicate_after_move(seed, Then::Nothing),
    },
    Scenario {
        lab: "once",
        name: "DuplicateAfterMoveBack",
        run: |seed| duplicate_after_move(seed, Then::Back),
    },
    Scenario {
        lab: "once",
        name: "DuplicateAfterMoveAndRestart",
        run: |seed| duplicate_after_move(seed, Then::Restart),
    },
    Scenario {
        lab: "shards",
        name: "WatchAcrossMoves",
        run: watch_across_moves,
    },
    Scenario {
        lab: "shards",
        name: "LeaseAcrossMoves",
        run: lease_across_moves,
    },
    Scenario {
        lab: "shards",
        name: "ManyMoves",
        run: many_moves,
    },
];

/// What happens to the shard when it has moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// It moves back.
    Back,
    /// All servers of the group where it is now restart, with nothing of it in their logs.
    Restart,
}

/// Answers to a clerk are lost, wherever from.
struct Deaf {
    rules: Vec<(u32, RuleId)>,
    lost: Rc<Cell<u64>>,
}

impl Deaf {
    fn begin(lab: &mut ShardLab, clerk: ClerkId, groups: u32) -> Self {
        let lost = Rc::new(Cell::new(0));
        let name = Address::Client(clerk.client());
        let rule = |group| {
            let counter = Rc::clone(&lost);
            let rule = move |packet: &Packet, _: &mut Random| {
                if packet.to != name {
                    return Verdict::Pass;
                }
                counter.set(counter.get() + 1);
                Verdict::Drop
            };
            (group, lab.add(group, rule))
        };
        let rules = (1..=groups).map(rule).collect();
        Self { rules, lost }
    }

    fn end(self, lab: &mut ShardLab) {
        for (group, rule) in self.rules {
            lab.remove(group, rule);
        }
    }
}

/// An append is done and its answers are lost; its shard moves, and the retry meets another group.
fn duplicate_after_move(seed: u64, then: Then) -> Result<Report, Failure> {
    let state_max = (then == Then::Restart).then_some(1);
    let mut lab = ShardLab::new(seed, 2, state_max)?;
    lab.join(&[1])?;
    lab.join(&[2])?;
    let (key, clerk, other) = (lab.key(0), lab.clerk(), lab.clerk());
    let shard = lab.shard(key);
    lab.put(clerk, key, "a")?;
    let (from, to) = if lab.serves(1, shard) { (1, 2) } else { (2, 1) };
    let deaf = Deaf::begin(&mut lab, clerk, 2);
    let tag = lab.begin_call(clerk, key, Action::Append("x".into()))?;
    while lab.get(other, key)?.is_none_or(|(value, _)| value != "ax") {
        lab.sleep(MS)?;
    }
    lab.move_to(shard, to)?;
    match then {
        Then::Nothing => {}
        Then::Back => lab.move_to(shard, from)?,
        Then::Restart => {
            // Snapshots come with what is written.
            for _ in 0..20 {
                lab.put(other, key, "more")?;
            }
            lab.put(other, key, "ax")?;
            lab.restart_groups(&[to])?;
        }
    }
    let lost = deaf.lost.get();
    if !lab.wait(10 * SECOND, |_| deaf.lost.get() > lost + 1)? {
        return Err(lab.fail("the clerk does not ask where the shard is now"));
    }
    if lab.history.has_ended(tag) {
        return Err(lab.fail("the append ended without an answer"));
    }
    deaf.end(&mut lab);
    let answer = lab.await_call(tag, 10 * SECOND)?;
    if answer != Answer::Written(2) {
        return Err(lab.fail(&format!("the append was answered {answer:?}")));
    }
    lab.check(clerk, key, "ax")?;
    // Its session goes on.
    lab.append(clerk, key, "y")?;
    lab.check(clerk, key, "axy")?;
    lab.finish()
}

/// A watch of a key hears of each revision once, in order, while the shard goes from group to group.
fn watch_across_moves(seed: u64) -> Result<Report, Failure> {
    const PUTS: usize = 100;
    let mut lab = ShardLab::new(seed, 3, Some(1_000))?;
    lab.join(&[1, 2, 3])?;
    let (key, clerk, watcher) = (lab.key(0), lab.clerk(), lab.clerk());
    let shard = lab.shard(key);
    let range = kv::KeyRange::single(Bytes::from(format!("key/{key}")));
    let mut heard: Vec<(u64, Bytes)> = Vec::new();
    let mut next = 1;
    let mut question = None;
    let mut put = None;
    let mut puts = 0;
    let mut moves = 0;
    while heard.len() < PUTS {
        if question.is_none() {
            let changes = kv::Changes {
                watches: vec![kv::Watch {
                    range: range.clone(),
                    ..kv::Watch::default()
                }],
                from: next,
                ..kv::Changes::default()
            };
            let query = kv::Query::Changes(changes).encode();
            let at = ReadAt::Watch;
            question = Some(lab.ask(watcher, shard, Call::ReadAt { query, at })?);
        }
        if put.is_none_or(|tag| lab.history.has_ended(tag)) && puts < PUTS {
            let value = Bytes::from(puts.to_string());
            put = Some(lab.begin_call(clerk, key, Action::Put(value))?);
            puts += 1;
            if puts % 10 == 0 {
                moves += 1;
                let (to, admin) = (1 + moves % 3, lab.admin());
                lab.begin_move(admin, shard, to)?;
            }
        }
        lab.sleep(5 * MS)?;
        let Some(reply) = question
            .map(|number| lab.told(number))
            .transpose()?
            .flatten()
        else {
            if lab.now() > 100 * SECOND {
                return Err(lab.fail(&format!("{} events were heard", heard.len())));
            }
            continue;
        };
        question = None;
        let kv::Reply::Changes {
            events, next: from, ..
        } = reply
        else {
            return Err(lab.fail(&format!("a watch was answered {reply:?}")));
        };
        next = from;
        let records = events.into_iter().map(|event| event.record);
        heard.extend(records.map(|it| (it.meta.mod_revision, it.value)));
    }
    let values = (0..PUTS).map(|number| number.to_string());
    if !heard
        .iter()
        .map(|(_, value)| value.clone())
        .eq(values.map(Bytes::from))
    {
        return Err(lab.fail(&format!("a watch heard {heard:?}")));
    }
    if !heard.is_sorted_by(|one, other| one.0 < other.0) {
        return Err(lab.fail("revisions do not rise"));
    }
    lab.await_settled(20 * SECOND)?;
    if lab.store.moves < 5 {
        return Err(lab.fail(&format!("the shard moved {} times", lab.store.moves)));
    }
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}

/// A lease lives on in each group as long as there are signs of life, and ends when they end: no sooner
/// than it may, and later by no more than the shard was served nowhere.
fn lease_across_moves(seed: u64) -> Result<Report, Failure> {
    const LEASE: u64 = 7;
    const TTL_MS: u64 = 3_000;
    let mut lab = ShardLab::new(seed, 3, Some(1_000))?;
    lab.join(&[1, 2, 3])?;
    let (key, clerk) = (lab.key(0), lab.clerk());
    let shard = lab.shard(key);
    lab.execute_in(
        clerk,
        shard,
        &kv::Command::LeaseGrant {
            id: LEASE,
            ttl_ms: TTL_MS,
        },
    )?;
    let put = kv::Command::PutWith {
        key: Bytes::from(format!("key/{key}")),
        value: Some(Bytes::from_static(b"alive")),
        lease: Some(LEASE),
        previous: false,
    };
    lab.execute_in(clerk, shard, &put)?;
    let mut last = 0;
    for round in 0..6 {
        let alive = kv::Command::LeaseKeepAlive { id: LEASE };
        last = lab.now();
        match lab.execute_in(clerk, shard, &alive)? {
            kv::Reply::Lease { id: LEASE, .. } => {}
            other => return Err(lab.fail(&format!("a sign of life was answered {other:?}"))),
        }
        if !lab.serves(1 + round % 3, shard) {
            lab.move_to(shard, 1 + round % 3)?;
        }
        let until = last + 2 * SECOND;
        lab.sleep(until - lab.now())?;
        if lab.is_gone(shard, key) {
            return Err(lab.fail("a key is gone before its lease"));
        }
    }
    for group in [1, 2, 3, 1] {
        if !lab.serves(group, shard) {
            lab.move_to(shard, group)?;
        }
    }
    let early = last + TTL_MS * MS;
    lab.wait(20 * SECOND, |lab| lab.is_gone(shard, key))?;
    if lab.now() < early {
        return Err(lab.fail("a key is gone before its lease"));
    }
    let late = (lab.now() - early).div_ceil(MS);
    lab.at_most("ms that a lease lived on", late, 1_000)?;
    if lab.get(clerk, key)?.is_some() {
        return Err(lab.fail("a key is there whose lease has ended"));
    }
    lab.finish()
}

impl ShardLab {
    /// Whether a group serves a shard, and has no such key there.
    fn is_gone(&self, shard: ShardId, key: u64) -> bool {
        let query = kv::Query::Get {
            key: Bytes::from(format!("key/{key}")),
        };
        let query = quorate_shard::Query::Ask {
            shard,
            query: query.encode(),
        };
        (1..=3).any(|group| {
            let reply = self.answer_of(group, &query);
            let reply = reply.and_then(|it| kv::Reply::decode(&it).ok());
            matches!(reply, Some(kv::Reply::Got { record: None, .. }))
        })
    }
}

/// Thirty values of a thousand bytes, half of which change in between, go to and fro twenty times: no
/// group holds more of them than there is.
fn many_moves(seed: u64) -> Result<Report, Failure> {
    const VALUES: usize = 30;
    const LETTERS: usize = 1_000;
    let mut lab = ShardLab::new(seed, 2, Some(1))?;
    lab.join(&[1])?;
    lab.forget_past()?;
    let mut pairs = Pairs::put(&mut lab, VALUES, LETTERS)?;
    let held = lab.held();
    for round in 0..20 {
        let (to, from) = if round % 2 == 0 { (2, 1) } else { (1, 2) };
        lab.join(&[to])?;
        lab.leave(&[from])?;
        for number in 0..VALUES / 2 {
            let (key, value) = (lab.key(number), lab.letters(LETTERS));
            lab.put(pairs.clerk, key, &value)?;
            pairs.pairs[number] = (key, value);
        }
        lab.await_settled(20 * SECOND)?;
        // Each shard keeps one value that was replaced.
        let allowed = held + u64::from(SHARDS) * (LETTERS as u64 + 100);
        lab.at_most("bytes in the stores after each round", lab.held(), allowed)?;
    }
    // On three servers: a snapshot, a log as large, and the next snapshot beside; the group without
    // shards has its last ones.
    let stored = lab.stored(1).0 + lab.stored(2).0;
    let allowed = 2 * 3 * 3 * (VALUES * LETTERS) as u64;
    lab.at_most("bytes stored after all moves", stored, allowed)?;
    pairs.check(&mut lab)?;
    lab.check_pauses(PAUSE_MAX)?;
    lab.finish()
}
