//! The checker of histories: against histories that were judged by hand, against a second checker
//! that tries every order, and against long ones.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use bytes::Bytes;
use quorate_raft::Random;
use quorate_sim::checker::history::{Action, Answer, Detail, End, Operation, apply};
use quorate_sim::checker::linearizability::{Verdict, WORK_MAX, check, check_within, culprit};
use quorate_sim::checker::synthetic::{Damage, Load, history};

/// One operation a line: `call-answer action`, with `?` for an answer that never came. After a `get`
/// stands what it gave, `nil` for nothing; a version is told after an `@`.
fn read(text: &str) -> Vec<Operation> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(read_line)
        .collect()
}

fn read_line(line: &str) -> Operation {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (called, answered) = words[0].split_once('-').expect("call-answer");
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let maybe = |text: &str| (text != "nil").then(|| bytes(text));
    let versioned = |text: &str| match text.split_once('@') {
        Some((value, version)) => Answer::Value(Some((bytes(value), version.parse().unwrap()))),
        None => Answer::Text(maybe(text)),
    };
    let (key, words) = match words[1].strip_prefix("key=") {
        Some(key) => (key.parse().unwrap(), &words[2..]),
        None => (1, &words[1..]),
    };
    let swap = |expected, new| Action::Swap {
        expected: maybe(expected),
        new: maybe(new),
    };
    let (action, told) = match *words {
        ["get", value] => (Action::Get, versioned(value)),
        ["put", value] => (Action::Put(bytes(value)), Answer::Done),
        ["put", value, version] => {
            let version = version.strip_prefix('@').unwrap().parse().unwrap();
            (Action::Put(bytes(value)), Answer::Written(version))
        }
        ["append", value] => (Action::Append(bytes(value)), Answer::Done),
        ["append", value, version] => {
            let version = version.strip_prefix('@').unwrap().parse().unwrap();
            (Action::Append(bytes(value)), Answer::Written(version))
        }
        ["add", by, "=", sum] => {
            let (sum, version) = sum.split_once('@').unwrap();
            let told = Answer::Sum(sum.parse().unwrap(), version.parse().unwrap());
            (Action::Increment(by.parse().unwrap()), told)
        }
        ["swap", expected, new, "ok"] => (swap(expected, new), Answer::Done),
        ["swap", expected, new, "no"] => (swap(expected, new), Answer::Failed),
        ["delete"] => (Action::Delete, Answer::Done),
        ["delete", count] => (Action::Delete, Answer::Removed(count.parse().unwrap())),
        _ => panic!("what is {line:?}?"),
    };
    let end = match answered.strip_prefix('!') {
        _ if answered == "?" => End::Unknown,
        Some(at) => End::Executed(at.parse().unwrap()),
        None => End::Answered(answered.parse().unwrap(), told),
    };
    Operation {
        key,
        action,
        called: called.parse().unwrap(),
        end,
        hint: 0,
    }
}

const GOOD: &[(&str, &str)] = &[
    ("nothing happened", ""),
    ("a new key is empty", "0-1 get nil"),
    ("a read after a write sees it", "0-1 put a\n2-3 get a"),
    (
        "a read beside a write sees the old",
        "0-1 put a\n2-5 put b\n3-4 get a",
    ),
    (
        "a read beside a write sees the new",
        "0-1 put a\n2-5 put b\n3-4 get b",
    ),
    (
        "two reads beside a write see the old, then the new",
        "0-9 put a\n1-2 get nil\n3-4 get a",
    ),
    (
        "two writes side by side, in the one order or the other",
        "0-5 put a\n0-5 put b\n6-7 get a",
    ),
    (
        "answers may come in another order than calls",
        "0-9 put a\n1-3 put b\n4-5 get b\n6-7 get a",
    ),
    (
        "an answer and a call at one instant are side by side",
        "0-2 put a\n2-3 get nil",
    ),
    (
        "an unknown write never took effect",
        "0-? put a\n1-2 get nil\n3-4 get nil",
    ),
    (
        "an unknown write took effect late",
        "0-? put a\n1-2 get nil\n3-4 get a",
    ),
    (
        "an unknown write took effect after later writes",
        "0-? put a\n1-2 put b\n3-4 get b\n5-6 get a",
    ),
    (
        "two unknown writes took effect in the order of the reads",
        "0-? put a\n0-? put b\n1-2 get b\n3-4 get a",
    ),
    (
        "an unknown append between two known ones",
        "0-1 append x\n2-? append y\n3-4 append z\n5-6 get xyz",
    ),
    (
        "one swap of two wins",
        "0-5 swap nil a ok\n0-5 swap nil b no\n6-7 get a",
    ),
    (
        "a swap is refused by what another wrote",
        "0-1 put a\n2-3 swap b c no\n4-5 get a",
    ),
    (
        "a swap that removes lets the next one create",
        "0-1 put a\n2-3 swap a nil ok\n4-5 swap nil b ok\n6-7 get b",
    ),
    (
        "an unknown swap explains a failed one",
        "0-1 put a\n2-? swap a b ok\n3-4 swap a c no\n5-6 get b",
    ),
    ("sums side by side", "0-5 add 1 = 2@2\n0-5 add 1 = 1@1"),
    (
        "versions begin again after a removal",
        "0-1 put a @1\n2-3 delete 1\n4-5 put a @1",
    ),
    (
        "nothing is removed twice",
        "0-1 put a\n2-5 delete 1\n2-5 delete 0",
    ),
    (
        "a command that was executed needs no answer",
        "0-!3 put a\n4-5 get a",
    ),
    (
        "of two that ask the same, the one that was told more comes first",
        "0-!3 append x\n0-9 append x @1",
    ),
    (
        "each key has its own order",
        "0-1 key=1 put a\n2-3 key=2 put b\n4-5 key=1 get a",
    ),
    (
        "a slow write goes where the reads want it",
        "0-20 put a\n1-2 put b\n3-4 get b\n5-6 put c\n7-8 get a\n9-10 get a",
    ),
    (
        "many guesses, one of them right",
        "0-? append a\n0-? append b\n0-? append c\n0-? append d\n1-2 get nil\n3-4 get ca\n5-6 get cadb",
    ),
];

const BAD: &[(&str, &str)] = &[
    ("a value out of nowhere", "0-1 get a"),
    ("a stale read", "0-1 put a\n2-3 put b\n4-5 get a"),
    ("a write that is not seen", "0-1 put a\n2-3 get nil"),
    ("values that go back", "0-9 put a\n1-2 get a\n3-4 get nil"),
    (
        "two readers who see two orders",
        "0-9 put a\n0-9 put b\n1-2 get a\n3-4 get b\n5-6 get a",
    ),
    ("a read from the future", "0-1 get a\n2-3 put a"),
    ("an unknown write before its call", "2-? put a\n0-1 get a"),
    (
        "an unknown write that is undone",
        "0-? put a\n1-2 get a\n3-4 get nil",
    ),
    (
        "an unknown write that took effect twice",
        "0-? put a\n1-2 get a\n3-4 put b\n5-6 get a",
    ),
    (
        "an append that took effect twice",
        "0-1 append x\n2-3 get xx",
    ),
    (
        "an unknown append that took effect twice",
        "0-? append x\n1-2 get x\n3-4 get xx",
    ),
    (
        "an append that was lost",
        "0-1 append x\n2-3 append y\n4-5 get x",
    ),
    (
        "appends in the wrong order",
        "0-1 append x\n2-3 append y\n4-5 get yx",
    ),
    (
        "two swaps that both won",
        "0-5 swap nil a ok\n0-5 swap nil b ok",
    ),
    (
        "a swap that won against a later value",
        "0-1 put a\n2-3 put b\n4-5 swap a c ok",
    ),
    (
        "a swap that lost for no reason",
        "0-1 put a\n2-3 swap a b no\n4-5 get a",
    ),
    ("a lost increment", "0-5 add 1 = 1@1\n0-5 add 1 = 1@1"),
    (
        "an increment that took effect twice",
        "0-1 add 1 = 1@1\n2-3 add 1 = 3@3",
    ),
    ("a version that skips", "0-1 put a @1\n2-3 put b @3"),
    (
        "a version that does not begin again",
        "0-1 put a @1\n2-3 delete 1\n4-5 put a @2",
    ),
    (
        "a removed value that is read",
        "0-1 put a\n2-3 delete\n4-5 get a",
    ),
    ("a removal of what was not there", "0-1 delete 1"),
    (
        "an executed command that is not seen",
        "0-!3 put a\n4-5 get nil",
    ),
    (
        "a key that shows another's value",
        "0-1 key=1 put a\n2-3 key=2 get a",
    ),
    (
        "a slow write that is needed in two places",
        "0-20 put a\n1-2 get a\n3-4 put b\n5-6 get b\n7-8 get a",
    ),
    (
        "a read during a partition",
        "0-1 put a\n2-9 put b\n3-4 get b\n5-6 get a\n10-11 get b",
    ),
    (
        "guesses that contradict each other",
        "0-? append a\n0-? append b\n1-2 get a\n3-4 get ba",
    ),
];

#[test]
fn good_histories_are_explained() {
    for (name, text) in GOOD {
        assert_eq!(check(&read(text)), Verdict::Linearizable, "{name}");
        assert!(is_explained(&read(text)), "{name}, by the dumb checker");
    }
}

#[test]
fn bad_histories_are_found() {
    for (name, text) in BAD {
        let verdict = check(&read(text));
        assert!(
            matches!(verdict, Verdict::Illegal { .. }),
            "{name}: {verdict:?}"
        );
        assert!(!is_explained(&read(text)), "{name}, by the dumb checker");
    }
}

#[test]
fn key_and_operation_that_cannot_be_explained_are_named() {
    let text =
        "0-1 key=4 put a\n2-3 key=7 put b\n4-5 key=7 get b\n6-7 key=7 get a\n8-9 key=7 get b";
    assert_eq!(check(&read(text)), Verdict::Illegal { key: 7 });
    assert_eq!(culprit(&read(text), 7, WORK_MAX), Some(3));
    assert_eq!(culprit(&read(text), 4, WORK_MAX), None);
}

#[test]
fn search_that_takes_too_long_is_given_up() {
    // No order gives each its answer, and all orders are open.
    let lines: Vec<String> = (0..12).map(|n| format!("0-99 append {n}x")).collect();
    let history = read(&format!("{}\n100-101 get nonsense", lines.join("\n")));
    assert_eq!(check_within(&history, 5_000), Verdict::Undecided { key: 1 });
}

#[test]
fn what_is_bad_counts_for_more_than_what_is_undecided() {
    let lines: Vec<String> = (0..12).map(|n| format!("0-99 append {n}x")).collect();
    let history = format!(
        "{}\n100-101 get nonsense\n0-1 key=2 get a",
        lines.join("\n")
    );
    let verdict = check_within(&read(&history), 5_000);
    assert!(
        matches!(verdict, Verdict::Illegal { key: 2 }),
        "{verdict:?}"
    );
}

/// The dumb checker: for each key, every order.
fn is_explained(history: &[Operation]) -> bool {
    let mut keys: Vec<u64> = history.iter().map(|operation| operation.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().all(|key| {
        let operations: Vec<&Operation> = history.iter().filter(|o| o.key == key).collect();
        some_order_explains(&operations, &mut Vec::new())
    })
}

/// Whether `order` can be continued to one that explains everything. Each order is executed from its
/// beginning, by a model of its own.
fn some_order_explains(operations: &[&Operation], order: &mut Vec<usize>) -> bool {
    let (mut value, mut version) = (None::<Vec<u8>>, 0);
    if !order
        .iter()
        .all(|&n| is_true(operations[n], &mut value, &mut version))
    {
        return false;
    }
    let open: Vec<usize> = (0..operations.len())
        .filter(|n| !order.contains(n))
        .collect();
    if open.iter().all(|&n| operations[n].end.at().is_none()) {
        return true;
    }
    open.iter().any(|&next| {
        let must_be_earlier = |&other: &usize| {
            operations[other]
                .end
                .at()
                .is_some_and(|at| at < operations[next].called)
        };
        if open.iter().any(must_be_earlier) {
            return false;
        }
        order.push(next);
        let explains = some_order_explains(operations, order);
        order.pop();
        explains
    })
}

/// Does one operation, and whether its client was told what came out.
fn is_true(operation: &Operation, value: &mut Option<Vec<u8>>, version: &mut u64) -> bool {
    let old = value.clone();
    let mut set = |new: Option<Vec<u8>>| {
        *version = if new.is_some() { *version + 1 } else { 0 };
        *value = new;
    };
    let number = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok()?.parse::<i64>().ok();
    let mut swapped = true;
    let mut sum = None;
    match &operation.action {
        Action::Get => {}
        Action::Put(new) => set(Some(new.to_vec())),
        Action::Append(more) => set(Some(
            [old.clone().unwrap_or_default(), more.to_vec()].concat(),
        )),
        Action::Increment(by) => {
            sum = old.as_deref().map_or(Some(0), number).map(|old| old + by);
            if let Some(sum) = sum {
                set(Some(sum.to_string().into_bytes()));
            }
        }
        Action::Swap { expected, new } => {
            swapped = old.as_deref() == expected.as_deref();
            if swapped {
                set(new.as_ref().map(|new| new.to_vec()));
            }
        }
        Action::Delete => set(None),
    }
    let End::Answered(_, told) = &operation.end else {
        return true;
    };
    let fails = matches!(operation.action, Action::Increment(_)) && sum.is_none();
    let reads = operation.action == Action::Get;
    let is_now = |told: &Option<(Bytes, u64)>| match told {
        Some((text, at)) => value.as_deref() == Some(&text[..]) && version == at,
        None => value.is_none(),
    };
    match told {
        Answer::Value(told) => reads && is_now(told),
        Answer::Text(told) => reads && told.as_deref() == value.as_deref(),
        Answer::Written(at) => {
            !reads && swapped && !fails && sum.is_none() && value.is_some() && version == at
        }
        Answer::Sum(told, at) => sum == Some(*told) && version == at,
        Answer::Removed(count) => {
            !reads && swapped && !fails && value.is_none() && *count == u64::from(old.is_some())
        }
        Answer::Mismatch(told) => !swapped && is_now(told),
        Answer::Failed => !swapped,
        Answer::Refused => fails,
        Answer::Done => !reads && swapped && !fails,
    }
}

/// A small history: answers come from a true execution, and some are then exchanged or dropped.
fn small(random: &mut Random) -> Vec<Operation> {
    let mut state = None;
    let mut operations = Vec::new();
    let vague = random.below(2) == 0;
    for n in 0..2 + random.below(5) {
        let text = |random: &mut Random| Bytes::from(vec![b'1' + random.below(2) as u8]);
        let maybe = |random: &mut Random| (random.below(2) == 0).then(|| text(random));
        let action = match random.below(8) {
            0..3 => Action::Get,
            3 => Action::Put(text(random)),
            4 => Action::Append(text(random)),
            5 => Action::Increment(1),
            6 => Action::Delete,
            _ => Action::Swap {
                expected: maybe(random),
                new: maybe(random),
            },
        };
        let (after, truth) = apply(Detail::Versions, &state, &action);
        state = after;
        let called = (n * 4).saturating_sub(random.below(12));
        let at = n * 4 + 2 + random.below(12);
        let told = match truth {
            Answer::Value(hit) if vague => Answer::Text(hit.map(|(value, _)| value)),
            Answer::Mismatch(_) if vague => Answer::Failed,
            Answer::Refused => Answer::Refused,
            _ if vague => Answer::Done,
            truth => truth,
        };
        let end = match random.below(8) {
            0 | 1 => End::Unknown,
            2 => End::Executed(at),
            _ => End::Answered(at, told),
        };
        operations.push(Operation {
            key: 1,
            action,
            called,
            end,
            hint: random.below(9),
        });
    }
    if random.below(3) > 0 {
        let one = |random: &mut Random| random.below(operations.len() as u64) as usize;
        let (a, b) = (one(random), one(random));
        if let End::Answered(_, answer) = operations[b].end.clone()
            && let End::Answered(_, told) = &mut operations[a].end
        {
            *told = answer;
        }
    }
    operations
}

#[test]
fn agrees_with_trying_every_order() {
    let mut random = Random::new(3);
    let mut verdicts = [0; 2];
    for _ in 0..10_000 {
        let operations = small(&mut random);
        let explained = is_explained(&operations);
        verdicts[usize::from(explained)] += 1;
        match check(&operations) {
            Verdict::Linearizable => assert!(explained, "{operations:#?}"),
            Verdict::Illegal { key: 1 } => assert!(!explained, "{operations:#?}"),
            other => panic!("{other:?} of {operations:#?}"),
        }
    }
    assert!(verdicts.iter().all(|&count| count > 1_000), "{verdicts:?}");
}

#[test]
fn hints_change_no_verdict() {
    let mut random = Random::new(4);
    let mut verdicts = [0; 2];
    for _ in 0..10_000 {
        let mut operations = small(&mut random);
        operations.retain(|operation| operation.end.at().is_some());
        let explained = check(&operations) == Verdict::Linearizable;
        verdicts[usize::from(explained)] += 1;
        for operation in &mut operations {
            operation.hint = 1 + random.below(8);
        }
        let hinted = check(&operations) == Verdict::Linearizable;
        assert_eq!(hinted, explained, "{operations:#?}");
    }
    assert!(verdicts.iter().all(|&count| count > 1_000), "{verdicts:?}");
}

/// More calls side by side than are tried first, in the one order that their answers tell, which is not that
/// of the hints.
#[test]
fn hints_that_mislead_are_given_up() {
    let history = |last: &str| {
        let writes = (1..=12).map(|version| format!("0-99 append x @{version}"));
        let get = format!("100-101 get {last}");
        let lines: Vec<String> = writes.chain([get]).collect();
        let mut operations = read(&lines.join("\n"));
        let hints = (1..=12).rev().chain([99]);
        for (operation, hint) in operations.iter_mut().zip(hints) {
            operation.hint = hint;
        }
        check(&operations)
    };
    assert_eq!(
        history(&format!("{}@12", "x".repeat(12))),
        Verdict::Linearizable
    );
    assert_eq!(
        history(&format!("{}@12", "x".repeat(11))),
        Verdict::Illegal { key: 1 }
    );
}

#[test]
fn long_histories_are_decided() {
    for load in Load::ALL {
        for damage in Damage::ALL {
            let operations = history(&load.with(1_500), damage, 1);
            let verdict = check(&operations);
            match damage {
                Damage::None => assert_eq!(verdict, Verdict::Linearizable, "{load:?}"),
                Damage::Early | Damage::Late => assert!(
                    matches!(verdict, Verdict::Illegal { .. }),
                    "{load:?} {damage:?}: {verdict:?}"
                ),
            }
        }
    }
}
