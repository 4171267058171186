//! The second store is held against the first: both do the same and say the same, whatever is asked.

use quorate_kv::Kv;
use quorate_raft::{Index, Random, Term};
use quorate_rsm::{ApplyContext, StateMachine};

use super::*;
use crate::workload::{Habits, Wish, draw};

const CLOCKS: Clocks = Clocks {
    drift_ppm: 0,
    are_true: false,
};

fn context(time_ms: u64) -> ApplyContext {
    ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms,
    }
}

fn habits(compacts: bool) -> Habits {
    Habits {
        other_permille: 900,
        compacts,
        keys: 4,
        ttl_ms: 300,
        ..Habits::QUIET
    }
}

/// Both, and how much time has passed.
struct Pair {
    real: Kv,
    store: Store,
    time_ms: u64,
    tag: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            real: Kv::new(),
            store: Store::new(CLOCKS),
            time_ms: 0,
            tag: 0,
        }
    }

    fn write(&mut self, command: &Command) {
        self.tag += 1;
        let times = (0, self.time_ms * 1_000);
        let executed = self.store.execute(self.tag, self.time_ms, times, command);
        executed.unwrap();
        let reply = self.real.apply(&context(self.time_ms), &command.encode());
        let reply = Reply::decode(&reply).unwrap();
        self.store.check_write(self.tag, &reply).unwrap();
    }

    fn tick(&mut self) {
        self.store.tick(self.time_ms, self.time_ms * 1_000).unwrap();
        self.real.tick(&context(self.time_ms));
    }

    fn ask(&self, query: &Query) -> Reply {
        Reply::decode(&self.real.query(&query.encode())).unwrap()
    }

    fn read(&mut self, query: &Query) {
        let reply = self.ask(query);
        let told = self.store.told();
        self.store.check_read(query, told, &reply).unwrap();
        let now = self.store.moments.len() - 1;
        let answer = self.store.answer(now, query);
        assert!(answer.is_none_or(|answer| answer == reply), "{query:?}");
    }
}

#[test]
fn both_stores_do_the_same_and_say_the_same() {
    for seed in 0..6 {
        let (mut random, mut pair) = (Random::new(seed), Pair::new());
        let habits = habits(seed % 2 == 0);
        for _ in 0..2_000 {
            if random.below(3) == 0 {
                pair.time_ms += random.below(200);
            }
            if random.below(4) == 0 {
                pair.tick();
            }
            match draw::draw(&mut random, &habits, &pair.store).0 {
                Wish::Write(command) => pair.write(&command),
                Wish::Read(query) | Wish::Ask { query, .. } => pair.read(&query),
            }
        }
        let (store, real) = (&mut pair.store, &pair.real);
        store
            .check_whole(|query| real.query(&query.encode()))
            .unwrap();
        let seen: Vec<Situation> = pair.store.seen.take().collect();
        for situation in [
            Situation::TxnElse,
            Situation::TxnFailed,
            Situation::LeaseEndedByTick,
            Situation::LeaseEndedByCommand,
            Situation::LeaseTookKeys,
            Situation::PastRead,
        ] {
            assert!(seen.contains(&situation), "{seed}: {situation:?}");
        }
        assert_eq!(seen.contains(&Situation::Compacted), seed % 2 == 0);
        assert!(pair.store.revision() > 300);
    }
}

fn put(key: &'static [u8]) -> Command {
    Command::Put {
        key: Bytes::from_static(key),
        value: Bytes::from_static(b"v"),
    }
}

fn property(result: Result<(), Violation>) -> &'static str {
    result.expect_err("must object").property
}

#[test]
fn what_was_not_so_is_found() {
    let mut pair = Pair::new();
    pair.write(&put(b"1"));
    let first = pair.store.replies[&1].1.clone();
    let query = Query::Get {
        key: Bytes::from_static(b"2"),
    };
    let old = pair.ask(&query);
    pair.write(&put(b"2"));
    let new = pair.ask(&query);
    let store = &mut pair.store;
    for tag in [2, 3] {
        assert_eq!(
            property(store.check_write(tag, &first)),
            "The store does what it was told"
        );
    }
    let told = store.told();
    assert_eq!(
        property(store.check_read(&query, told, &old)),
        "Reads are not stale"
    );
    store.check_read(&query, 1, &old).unwrap();
    store.check_read(&query, told, &new).unwrap();
    for revision in [1, 2, 3] {
        let mixed = Reply::Got {
            record: None,
            revision,
        };
        let result = store.check_read(&query, 0, &mixed);
        assert_eq!(result.is_ok(), revision == 1, "{revision}");
    }
}

#[test]
fn a_node_that_goes_back_in_one_run_is_found() {
    let query = Query::Get {
        key: Bytes::from_static(b"1"),
    };
    let mut pair = Pair::new();
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(pair.real.query(&query.encode()));
        pair.write(&put(b"1"));
    }
    let own = |run, at: usize| OwnAnswer {
        node: NodeId(1),
        run,
        query: query.encode(),
        reply: answers[at].clone(),
        hurried: false,
    };
    pair.store.check_own(&[own(1, 1), own(1, 0)]).unwrap();
    assert_eq!(
        property(pair.store.check_own(&[own(1, 0)])),
        "A node never goes back"
    );
    pair.store.check_own(&[own(2, 0)]).unwrap();
}

#[test]
fn a_watch_that_loses_repeats_or_hurries_is_found() {
    let mut pair = Pair::new();
    for key in [b"1", b"2", b"1"] {
        pair.write(&put(key));
    }
    let remove = KeyRange::all();
    pair.write(&Command::RemoveRange { range: remove });
    let ask = |from, key: Option<&'static [u8]>, limit| {
        Query::Changes(Changes {
            watches: vec![Watch {
                previous: true,
                ..Watch::default()
            }],
            from,
            key: key.map(Bytes::from_static),
            limit,
            bytes: 0,
        })
    };
    let exactly = "A watch tells exactly what happened";
    let queries = [
        ask(1, None, 0),
        ask(1, None, 3),
        ask(4, None, 1),
        ask(4, Some(b"2"), 0),
        ask(5, None, 0),
        ask(9, None, 0),
    ];
    for query in &queries {
        let good = pair.ask(query);
        pair.store.check_read(query, 0, &good).unwrap();
        let Reply::Changes {
            events,
            next,
            key,
            revision,
        } = good
        else {
            panic!("{good:?}")
        };
        let changed = |change: &dyn Fn(&mut Vec<quorate_kv::Event>, &mut u64)| {
            let (mut events, mut next) = (events.clone(), next);
            change(&mut events, &mut next);
            Reply::Changes {
                events,
                next,
                key: key.clone(),
                revision,
            }
        };
        let mut bad = vec![
            changed(&|_, next| *next += 1),
            changed(&|_, next| *next -= 1),
        ];
        if !events.is_empty() {
            bad.extend([
                changed(&|events, _| drop(events.remove(0))),
                changed(&|events, _| drop(events.pop())),
                changed(&|events, _| events.push(events[0].clone())),
                changed(&|events, _| events[0].deleted ^= true),
                changed(&|events, _| events.last_mut().unwrap().previous = None),
            ]);
        }
        for bad in &bad {
            // The first event of all has nothing before it.
            if *bad != changed(&|_, _| {}) {
                let checked = pair.store.check_read(query, 0, bad);
                assert_eq!(property(checked), exactly, "{query:?} {bad:?}");
            }
        }
    }
    pair.write(&Command::Compact { revision: 2 });
    let gone = Reply::Compacted {
        compacted: 2,
        revision: 4,
    };
    for (from, is_gone) in [(1, true), (2, true), (3, false)] {
        let query = ask(from, None, 0);
        assert_eq!(pair.ask(&query) == gone, is_gone);
        let checked = pair.store.check_read(&query, pair.store.told(), &gone);
        assert_eq!(checked.is_ok(), is_gone);
    }
    let query = ask(5, None, 0);
    let nothing = OwnAnswer {
        node: NodeId(1),
        run: 1,
        query: query.encode(),
        reply: pair.real.query(&query.encode()),
        hurried: false,
    };
    pair.store
        .check_own(core::slice::from_ref(&nothing))
        .unwrap();
    let hurried = OwnAnswer {
        hurried: true,
        ..nothing
    };
    assert_eq!(
        property(pair.store.check_own(&[hurried])),
        "A watch waits for news"
    );
}
