//! Whether what clients saw can be explained by one store that does one thing at a time, each
//! between its call and its answer: Wing and Gong's search, with Lowe's cache, one key at a time.
//!
//! Keys are independent, so a history is linearizable if it is for each key. A call whose outcome is
//! not known may have taken effect at any time after it, or never: it ends after everything. A world
//! knows more, and says so, which keeps the search short: [`End::Executed`] forbids orders, and so
//! never makes a bad history good, and [`Operation::hint`] says only which order to try first.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// What a client asked of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read it.
    Get,
    /// Store a value.
    Put(Bytes),
    /// Add to the end.
    Append(Bytes),
    /// Store `new`, if the value is `expected`.
    Swap {
        /// What must be there; `None` for nothing.
        expected: Option<Bytes>,
        /// What is stored; `None` removes the key.
        new: Option<Bytes>,
    },
    /// Add to a decimal integer.
    Increment(i64),
    /// Remove it.
    Delete,
}

/// A value and how often it changed since it was created.
pub type Versioned = (Bytes, u64);

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The key's value.
    Value(Option<Versioned>),
    /// Stored; the version is now this.
    Written(u64),
    /// The sum, and the version.
    Sum(i64, u64),
    /// How many keys were removed.
    Removed(u64),
    /// A swap found this instead.
    Mismatch(Option<Versioned>),
    /// It cannot be done, and nothing changed.
    Refused,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Of which key.
    pub key: u64,
    /// What was asked.
    pub action: Action,
    /// Its place in the order of all calls and answers.
    pub called: u64,
    /// How it ended.
    pub end: End,
    /// Where it is thought to stand in the order that explains everything.
    pub hint: u64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With this answer, at this place in the order of all calls and answers.
    Answered(u64, Answer),
    /// Without an answer, but it had taken effect at this place.
    Executed(u64),
    /// Without an answer: it may have taken effect, or may yet.
    Unknown,
}

impl End {
    fn at(&self) -> u64 {
        match self {
            Self::Answered(at, _) | Self::Executed(at) => *at,
            Self::Unknown => u64::MAX,
        }
    }

    fn allows(&self, answer: &Answer) -> bool {
        match self {
            Self::Answered(_, told) => told == answer,
            Self::Executed(_) | Self::Unknown => true,
        }
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains everything.
    Linearizable,
    /// There is none, for this key.
    Illegal {
        /// Which one.
        key: u64,
    },
    /// The search for this key was given up.
    Undecided {
        /// Which one.
        key: u64,
    },
}

/// Steps of the search for one key before it is given up.
pub const STEPS_MAX: u64 = 4_000_000;

/// Checks a history.
#[must_use]
pub fn check(history: &[Operation]) -> Verdict {
    let mut keys: BTreeMap<u64, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        keys.entry(operation.key).or_default().push(operation);
    }
    let mut verdict = Verdict::Linearizable;
    for (key, operations) in keys {
        match search(&operations, STEPS_MAX) {
            Some(true) => {}
            Some(false) => return Verdict::Illegal { key },
            None => verdict = Verdict::Undecided { key },
        }
    }
    verdict
}

type State = Option<Versioned>;

/// What a correct key does.
fn apply(state: &State, action: &Action) -> (State, Answer) {
    let version = state.as_ref().map_or(0, |(_, version)| *version) + 1;
    let refused = || (state.clone(), Answer::Refused);
    match action {
        Action::Get => (state.clone(), Answer::Value(state.clone())),
        Action::Put(value) => (Some((value.clone(), version)), Answer::Written(version)),
        Action::Append(more) => {
            let mut value = state
                .as_ref()
                .map_or_else(Vec::new, |(value, _)| value.to_vec());
            value.extend_from_slice(more);
            (
                Some((Bytes::from(value), version)),
                Answer::Written(version),
            )
        }
        Action::Swap { expected, new } => {
            if state.as_ref().map(|(value, _)| value) != expected.as_ref() {
                return (state.clone(), Answer::Mismatch(state.clone()));
            }
            match new {
                Some(new) => (Some((new.clone(), version)), Answer::Written(version)),
                None => (None, Answer::Removed(u64::from(state.is_some()))),
            }
        }
        Action::Increment(by) => {
            let text = state.as_ref().map_or(&b"0"[..], |(value, _)| value);
            let number = core::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<i64>().ok());
            match number.and_then(|number| number.checked_add(*by)) {
                Some(sum) => {
                    let value = Bytes::from(sum.to_string());
                    (Some((value, version)), Answer::Sum(sum, version))
                }
                None => refused(),
            }
        }
        Action::Delete => (None, Answer::Removed(u64::from(state.is_some()))),
    }
}

/// Calls and answers in their order, as a list from which a call and its answer can be lifted and
/// put back.
struct Events {
    /// Of each event, the operation, and whether it is its call.
    events: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Of each operation, where its answer stands.
    answer_at: Vec<usize>,
}

impl Events {
    /// The list's head is element zero.
    const HEAD: usize = 0;

    fn new(operations: &[&Operation]) -> Self {
        let mut order: Vec<(u64, usize, bool)> = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            order.push((operation.called, number, true));
            order.push((operation.end.at(), number, false));
        }
        order.sort_by_key(|&(at, number, is_call)| (at, !is_call, number));
        // The head counts as an answer, so that every walk ends there.
        let mut events = vec![(usize::MAX, false)];
        let mut answer_at = vec![0; operations.len()];
        for (_, number, is_call) in order {
            if !is_call {
                answer_at[number] = events.len();
            }
            events.push((number, is_call));
        }
        let len = events.len();
        Self {
            events,
            next: (1..=len).map(|next| next % len).collect(),
            previous: (0..len).map(|at| (at + len - 1) % len).collect(),
            answer_at,
        }
    }

    fn is_empty(&self) -> bool {
        self.next[Self::HEAD] == Self::HEAD
    }

    /// What can come next: every call before the first answer. A read that fits comes at once, since
    /// it can do so without loss whenever it can.
    fn choice(&self, operations: &[&Operation], state: State) -> Choice {
        let mut candidates = Vec::new();
        let mut at = self.next[Self::HEAD];
        while self.events[at].1 {
            let operation = operations[self.events[at].0];
            let reads = operation.action == Action::Get;
            if reads && operation.end.allows(&Answer::Value(state.clone())) {
                return Choice {
                    candidates: vec![at],
                    state,
                    lifted: None,
                };
            }
            if !reads {
                candidates.push(at);
            }
            at = self.next[at];
        }
        candidates.sort_by_key(|&at| core::cmp::Reverse(operations[self.events[at].0].hint));
        Choice {
            candidates,
            state,
            lifted: None,
        }
    }

    fn lift(&mut self, call: usize) {
        self.unlink(call);
        self.unlink(self.answer_at[self.events[call].0]);
    }

    /// Undoes the last [`Events::lift`]; the operation that was lifted.
    fn put_back(&mut self, call: usize) -> usize {
        let number = self.events[call].0;
        self.link(self.answer_at[number]);
        self.link(call);
        number
    }

    fn unlink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = next;
        self.previous[next] = previous;
    }

    fn link(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = at;
        self.previous[next] = at;
    }
}

/// A choice of the search: what can come next, in the order of trying from the back.
struct Choice {
    candidates: Vec<usize>,
    /// The state before the choice.
    state: State,
    /// What was chosen.
    lifted: Option<usize>,
}

/// Whether an order exists; `None` if the search took too long.
fn search(operations: &[&Operation], steps_max: u64) -> Option<bool> {
    let mut list = Events::new(operations);
    let mut done = vec![0_u64; operations.len().div_ceil(64)];
    let mut tried: BTreeSet<(Vec<u64>, State)> = BTreeSet::new();
    let mut choices = vec![list.choice(operations, None)];
    for _ in 0..steps_max {
        if list.is_empty() {
            return Some(true);
        }
        let Some(choice) = choices.last_mut() else {
            return Some(false);
        };
        if let Some(call) = choice.lifted.take() {
            let number = list.put_back(call);
            done[number / 64] &= !(1 << (number % 64));
        }
        let Some(call) = choice.candidates.pop() else {
            choices.pop();
            continue;
        };
        let number = list.events[call].0;
        let operation = operations[number];
        let (after, answer) = apply(&choice.state, &operation.action);
        if !operation.end.allows(&answer) {
            continue;
        }
        done[number / 64] |= 1 << (number % 64);
        if tried.insert((done.clone(), after.clone())) {
            choice.lifted = Some(call);
            list.lift(call);
            choices.push(list.choice(operations, after));
        } else {
            done[number / 64] &= !(1 << (number % 64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use quorate_raft::Random;

    use super::*;

    fn operation(called: u64, answered: u64, action: Action, answer: Answer) -> Operation {
        Operation {
            key: 1,
            action,
            called,
            end: End::Answered(answered, answer),
            hint: 0,
        }
    }

    fn value(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn got(text: &'static str, version: u64) -> Answer {
        Answer::Value(Some((value(text), version)))
    }

    const ILLEGAL: Verdict = Verdict::Illegal { key: 1 };

    #[test]
    fn stale_read_is_illegal() {
        let mut history = vec![
            operation(0, 1, Action::Put(value("a")), Answer::Written(1)),
            operation(2, 3, Action::Put(value("b")), Answer::Written(2)),
            operation(4, 5, Action::Get, got("a", 1)),
        ];
        assert_eq!(check(&history), ILLEGAL);
        // Had it been asked before "b" was answered, it would be fine.
        history[2].called = 2;
        history[1].called = 1;
        assert_eq!(check(&history), Verdict::Linearizable);
    }

    #[test]
    fn values_that_go_back_are_illegal() {
        let mut history = vec![
            operation(0, 9, Action::Put(value("a")), Answer::Written(1)),
            operation(1, 2, Action::Get, got("a", 1)),
            operation(3, 4, Action::Get, Answer::Value(None)),
        ];
        assert_eq!(check(&history), ILLEGAL);
        history.swap(1, 2);
        (history[1].called, history[1].end) = (1, End::Answered(2, Answer::Value(None)));
        (history[2].called, history[2].end) = (3, End::Answered(4, got("a", 1)));
        assert_eq!(check(&history), Verdict::Linearizable);
    }

    #[test]
    fn unknown_outcome_may_take_effect_late_or_never_but_not_before_its_call() {
        let mut put = operation(2, 0, Action::Put(value("a")), Answer::Written(1));
        put.end = End::Unknown;
        let read = |called, answer| operation(called, called + 1, Action::Get, answer);
        let legal = vec![
            put.clone(),
            read(3, Answer::Value(None)),
            read(5, got("a", 1)),
        ];
        assert_eq!(check(&legal), Verdict::Linearizable);
        let never = vec![put.clone(), read(3, Answer::Value(None))];
        assert_eq!(check(&never), Verdict::Linearizable);
        let early = vec![put.clone(), read(0, got("a", 1))];
        assert_eq!(check(&early), ILLEGAL);
        let back = vec![put, read(3, got("a", 1)), read(5, Answer::Value(None))];
        assert_eq!(check(&back), ILLEGAL);
    }

    #[test]
    fn executed_call_without_an_answer_took_effect_by_then() {
        let mut put = operation(0, 0, Action::Put(value("a")), Answer::Written(1));
        put.end = End::Executed(3);
        let read = |called, answer| operation(called, called + 1, Action::Get, answer);
        let history = |answer| vec![put.clone(), read(4, answer)];
        assert_eq!(check(&history(Answer::Value(None))), ILLEGAL);
        assert_eq!(check(&history(got("a", 1))), Verdict::Linearizable);
    }

    #[test]
    fn append_twice_is_illegal() {
        let history = vec![
            operation(0, 1, Action::Append(value("x")), Answer::Written(1)),
            operation(2, 3, Action::Get, got("xx", 2)),
        ];
        assert_eq!(check(&history), ILLEGAL);
    }

    #[test]
    fn lost_increment_and_double_swap_are_illegal() {
        let history = vec![
            operation(0, 5, Action::Increment(1), Answer::Sum(1, 1)),
            operation(1, 6, Action::Increment(1), Answer::Sum(1, 1)),
        ];
        assert_eq!(check(&history), ILLEGAL);
        let swap = |called, answered, new| {
            let action = Action::Swap {
                expected: None,
                new: Some(value(new)),
            };
            operation(called, answered, action, Answer::Written(1))
        };
        assert_eq!(check(&[swap(0, 5, "a"), swap(1, 6, "b")]), ILLEGAL);
    }

    #[test]
    fn keys_are_independent_and_the_bad_one_is_named() {
        let mut history = vec![operation(0, 1, Action::Put(value("a")), Answer::Written(1))];
        history.push(Operation {
            key: 2,
            ..operation(2, 3, Action::Get, got("a", 1))
        });
        assert_eq!(check(&history), Verdict::Illegal { key: 2 });
    }

    #[test]
    fn search_that_takes_too_long_is_given_up() {
        let operations: Vec<Operation> = (0..20)
            .map(|n| {
                operation(
                    n,
                    100 + n,
                    Action::Put(Bytes::from(vec![n as u8])),
                    Answer::Refused,
                )
            })
            .collect();
        let borrowed: Vec<&Operation> = operations.iter().collect();
        assert_eq!(search(&borrowed, 3), None);
        assert_eq!(search(&borrowed, 1_000), Some(false));
    }

    /// The dumb oracle: try every order.
    fn permutations_explain(operations: &[Operation], state: &State, done: u32) -> bool {
        if done.count_ones() as usize == operations.len() {
            return true;
        }
        let open = |n: usize| done & (1 << n) == 0;
        let first_answer = (0..operations.len())
            .filter(|&n| open(n))
            .map(|n| operations[n].end.at())
            .min();
        (0..operations.len()).any(|n| {
            let operation = &operations[n];
            if !open(n) || first_answer.is_some_and(|at| operation.called > at) {
                return false;
            }
            let (after, answer) = apply(state, &operation.action);
            operation.end.allows(&answer) && permutations_explain(operations, &after, done | 1 << n)
        })
    }

    #[test]
    fn agrees_with_trying_every_order() {
        let mut random = Random::new(3);
        let mut verdicts = [0; 2];
        for _ in 0..4_000 {
            // Answers come from a true execution, and some of them are then exchanged.
            let mut state = None;
            let mut operations = Vec::new();
            for n in 0..2 + random.below(5) {
                let text = Bytes::from(vec![b'1' + random.below(2) as u8]);
                let action = match random.below(6) {
                    0 | 1 => Action::Get,
                    2 => Action::Put(text),
                    3 => Action::Append(text),
                    4 => Action::Increment(1),
                    _ => Action::Swap {
                        expected: None,
                        new: Some(text),
                    },
                };
                let (after, answer) = apply(&state, &action);
                state = after;
                let called = (n * 4).saturating_sub(random.below(9));
                let at = n * 4 + 2 + random.below(9);
                let end = match random.below(8) {
                    0 => End::Unknown,
                    1 => End::Executed(at),
                    _ => End::Answered(at, answer),
                };
                operations.push(Operation {
                    key: 1,
                    action,
                    called,
                    end,
                    hint: random.below(9),
                });
            }
            if random.below(2) == 0 {
                let (a, b) = (
                    random.below(operations.len() as u64),
                    random.below(operations.len() as u64),
                );
                if let End::Answered(_, answer) = operations[b as usize].end.clone()
                    && let End::Answered(_, told) = &mut operations[a as usize].end
                {
                    *told = answer;
                }
            }
            let expected = permutations_explain(&operations, &None, 0);
            verdicts[usize::from(expected)] += 1;
            let verdict = if expected {
                Verdict::Linearizable
            } else {
                ILLEGAL
            };
            assert_eq!(check(&operations), verdict, "{operations:#?}");
        }
        assert!(verdicts.iter().all(|&count| count > 400), "{verdicts:?}");
    }
}
