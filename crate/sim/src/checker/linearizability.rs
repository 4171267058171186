//! Whether what clients saw can be explained by one store that does one thing at a time, each
//! between its call and its answer: Wing and Gong's search, with Lowe's cache, one key at a time.
//!
//! Keys are independent, so a history is linearizable if it is for each key. A call whose outcome is
//! not known may take effect at any time after it, or never. A world knows more, and says so, which
//! keeps the search short: [`End::Executed`] forbids orders, and so never makes a bad history good,
//! and [`Operation::hint`] says only which order to try first.
//!
//! A few thoughts keep a search short that finds nothing:
//!
//! - What fits, and changes nothing wherever it comes, comes at once.
//! - Where the search stands is said by the first answer that is not explained yet, by what was done
//!   ahead of it, and by the state. It is never searched twice from one place.
//! - Nor from a place that differs from an earlier one only in that more calls of unknown outcome
//!   were used up.
//! - Nor where somebody has read what can no longer be written, nor after a guess that nobody could
//!   tell (`needs`).
//! - Of calls that ask the same and were told the same, the one that was answered first comes first.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub use super::history::{Action, Answer, Detail, End, Operation, State, Versioned, apply};
use super::needs::{Before, Needs};
use crate::digest::Digest;

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
    /// The search for this key was given up, and none is known to be bad.
    Undecided {
        /// Which one.
        key: u64,
    },
}

/// Work of the search for one key before it is given up.
pub const WORK_MAX: u64 = 1_000_000;

/// Checks a history.
#[must_use]
pub fn check(history: &[Operation]) -> Verdict {
    check_within(history, WORK_MAX)
}

/// Checks a history, with a bound on the places that the search for one key looks at.
#[must_use]
pub fn check_within(history: &[Operation], work_max: u64) -> Verdict {
    let mut keys: BTreeMap<u64, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        keys.entry(operation.key).or_default().push(operation);
    }
    let mut verdict = Verdict::Linearizable;
    for (key, operations) in keys {
        match search(operations, work_max) {
            Some(true) => {}
            Some(false) => return Verdict::Illegal { key },
            None => verdict = Verdict::Undecided { key },
        }
    }
    verdict
}

/// The operation with whose answer a bad history becomes bad, counted from zero: what was answered
/// earlier can still be explained. `None` if the history is good, or that takes too long.
#[must_use]
pub fn culprit(history: &[Operation], key: u64, work_max: u64) -> Option<usize> {
    let mut answers: Vec<(u64, usize)> = (0..history.len())
        .filter(|&number| history[number].key == key)
        .filter_map(|number| Some((history[number].end.at()?, number)))
        .collect();
    answers.sort_unstable();
    // What is answered later is open until then, and may have taken effect or not.
    let is_good = |&(until, _): &(u64, usize)| {
        let cut = |operation: &Operation| match operation.end.at() {
            Some(at) if at > until => Operation {
                end: End::Unknown,
                ..operation.clone()
            },
            _ => operation.clone(),
        };
        let begun = |o: &&Operation| o.key == key && o.called <= until;
        let prefix: Vec<Operation> = history.iter().filter(begun).map(cut).collect();
        search(prefix.iter().collect(), work_max) != Some(false)
    };
    let first_bad = answers.partition_point(is_good);
    answers.get(first_bad).map(|&(_, number)| number)
}

/// Whether there is an order for these operations of one key; `None` if that takes too long.
fn search(operations: Vec<&Operation>, work_max: u64) -> Option<bool> {
    // A read without an answer explains nothing and needs no explanation.
    let matters = |o: &&Operation| o.action != Action::Get || o.end.told().is_some();
    Search::new(operations.into_iter().filter(matters).collect()).run(work_max)
}

/// A place of the search, but for the calls of unknown outcome that were used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Where the first answer stands that is not explained.
    frontier: usize,
    state: usize,
    /// Operations that were done although their answers come later.
    ahead: Vec<usize>,
}

/// A choice of the search: what can come next, in the order of trying from the back.
struct Choice {
    place: Place,
    /// Calls of unknown outcome that took effect.
    used: Vec<usize>,
    /// Event of the call, and the state after it, where that has been looked at.
    candidates: Vec<(usize, Option<usize>)>,
    /// Whether these are only the best hinted ones.
    more: bool,
    /// The event of what was chosen.
    lifted: Option<usize>,
}

/// The search for one key.
struct Search<'a> {
    operations: Vec<&'a Operation>,
    events: Events,
    needs: Needs,
    states: States,
    /// Of each operation, the number of its action and of what it was told: equal ones are one.
    actions: Vec<usize>,
    alike: Vec<usize>,
    /// Where the search has been, with the least sets of calls of unknown outcome.
    seen: BTreeMap<Place, Vec<Vec<usize>>>,
    work: u64,
    /// Every operation has a hint, and must have taken effect.
    hinted: bool,
}

/// So many of the best hinted candidates are tried first: the others are seldom wanted, and in a world of long
/// outages there are thousands of them.
const FEW: usize = 8;

impl<'a> Search<'a> {
    fn new(operations: Vec<&'a Operation>) -> Self {
        let mut actions = Numbers::default();
        let mut alike = Numbers::default();
        Self {
            events: Events::new(&operations),
            needs: Needs::new(&operations),
            states: States::new(Detail::of(operations.iter().copied())),
            actions: operations.iter().map(|o| actions.of(&o.action)).collect(),
            alike: operations
                .iter()
                .map(|o| alike.of((&o.action, o.end.told(), o.end.at().is_some())))
                .collect(),
            seen: BTreeMap::new(),
            work: 0,
            hinted: operations
                .iter()
                .all(|o| o.hint > 0 && o.end.at().is_some()),
            operations,
        }
    }

    fn run(mut self, work_max: u64) -> Option<bool> {
        let Some(first) = self.enter(States::NOTHING, Vec::new(), Vec::new()) else {
            return Some(true);
        };
        let mut choices = vec![first];
        while let Some(choice) = choices.last_mut() {
            self.work += 1;
            if self.work > work_max {
                return None;
            }
            if let Some(call) = choice.lifted.take() {
                let number = self.events.operation(call);
                self.events.put_back(call);
                self.needs.put_back(number, self.operations[number]);
            }
            if choice.candidates.is_empty() && core::mem::take(&mut choice.more) {
                let (mut all, _) = self.hinted_candidates(choice.place.state, usize::MAX);
                all.truncate(all.len() - FEW);
                choice.candidates = all;
            }
            let Some((call, state)) = choice.candidates.pop() else {
                choices.pop();
                continue;
            };
            let number = self.events.operation(call);
            let Some(state) = state.or_else(|| self.leads_to(choice.place.state, number)) else {
                continue;
            };
            let (mut ahead, mut used) = (choice.place.ahead.clone(), choice.used.clone());
            let done = if self.events.answer_at[number].is_some() {
                &mut ahead
            } else {
                &mut used
            };
            let slot = done.partition_point(|&other| other < number);
            done.insert(slot, number);
            self.events.lift(call);
            self.needs.take(number, self.operations[number]);
            choice.lifted = Some(call);
            let (before, after) = (choice.place.state, state);
            if self
                .needs
                .is_hopeless(number, self.states.value(before), self.states.value(after))
            {
                continue;
            }
            let Some(next) = self.enter(state, ahead, used) else {
                return Some(true);
            };
            if self.is_new(&next) {
                choices.push(next);
            }
        }
        Some(false)
    }

    /// The choice at this place; `None` when no answer is left to explain.
    fn enter(&mut self, state: usize, mut ahead: Vec<usize>, used: Vec<usize>) -> Option<Choice> {
        let at = self.events.open_calls().last().map_or_else(
            || self.events.next[Events::HEAD],
            |call| self.events.next[call],
        );
        if at == Events::HEAD {
            return None;
        }
        let answers = &self.events.answer_at;
        ahead.retain(|&number| answers[number] > Some(at));
        let (candidates, more) = if self.hinted {
            self.hinted_candidates(state, FEW)
        } else {
            (self.candidates(state), false)
        };
        Some(Choice {
            candidates,
            more,
            place: Place {
                frontier: at,
                state,
                ahead,
            },
            used,
            lifted: None,
        })
    }

    /// Which open calls can come next, and to what state they lead; tried from the back.
    fn candidates(&mut self, state: usize) -> Vec<(usize, Option<usize>)> {
        let mut candidates = Vec::new();
        let before = self.needs.before(self.states.value(state));
        for call in self.events.open_calls().collect::<Vec<_>>() {
            let number = self.events.operation(call);
            let known = self.events.answer_at[number].is_some();
            if !known && !self.is_worth_a_guess(state, &before, number) {
                continue;
            }
            let Some(after) = self.leads_to(state, number) else {
                continue;
            };
            if self.operations[number].changes_nothing() {
                return vec![(call, Some(after))];
            }
            if known || after != state {
                candidates.push((call, Some(after)));
            }
        }
        // As hinted, then what was answered first, and guesses last.
        let rank = |&(call, _): &(usize, Option<usize>)| {
            let number = self.events.operation(call);
            let answer = self.events.answer_at[number].unwrap_or(usize::MAX);
            let hint = self.operations[number].hint;
            (answer == usize::MAX, hint, answer, call)
        };
        candidates.sort_by_key(|candidate| core::cmp::Reverse(rank(candidate)));
        self.drop_alike(&mut candidates);
        candidates
    }

    /// The best of them where all have hints, and whether there are more. Where they lead is found out when
    /// they are tried.
    fn hinted_candidates(
        &mut self,
        state: usize,
        most: usize,
    ) -> (Vec<(usize, Option<usize>)>, bool) {
        let mut candidates = Vec::new();
        for call in self.events.open_calls().collect::<Vec<_>>() {
            let number = self.events.operation(call);
            let operation = self.operations[number];
            if !operation.changes_nothing() {
                candidates.push((operation.hint, call));
            } else if let Some(after) = self.leads_to(state, number) {
                return (vec![(call, Some(after))], false);
            }
        }
        let more = candidates.len() > most;
        if more {
            candidates.select_nth_unstable(most);
            candidates.truncate(most);
        }
        candidates.sort_unstable_by(|one, other| other.cmp(one));
        let unseen = candidates.into_iter().map(|(_, call)| (call, None));
        (unseen.collect(), more)
    }

    /// The state after an operation, if what was told of it is true here.
    fn leads_to(&mut self, state: usize, number: usize) -> Option<usize> {
        let operation = self.operations[number];
        let (after, truth) = self
            .states
            .apply(state, self.actions[number], &operation.action);
        operation.end.allows(truth).then_some(after)
    }

    /// Whether a call that need not have been is worth trying: it changes something, and somebody could
    /// tell.
    fn is_worth_a_guess(&self, state: usize, before: &Before, number: usize) -> bool {
        let value = self.states.value(state);
        let changes = match &self.operations[number].action {
            Action::Get => false,
            Action::Swap { expected, new } => value == expected.as_ref() && expected != new,
            Action::Put(new) => value != Some(new),
            Action::Delete => value.is_some(),
            Action::Append(_) | Action::Increment(_) => true,
        };
        let versions = self.states.detail == Detail::Versions;
        versions || changes && self.needs.can_be_told(number, before)
    }

    /// Of those that ask the same and were told the same, the one answered first stands for all; and
    /// what must have happened stands for what only may have. Where there are hints, they know better.
    fn drop_alike(&self, candidates: &mut Vec<(usize, Option<usize>)>) {
        let answer = |number: usize| self.events.answer_at[number];
        let (mut asked, mut alike) = (BTreeSet::new(), BTreeSet::new());
        // What is tried first stands at the back.
        for place in (0..candidates.len()).rev() {
            let number = self.events.operation(candidates[place].0);
            let (action, like) = (self.actions[number], self.alike[number]);
            let stands_for_itself = if self.operations[number].hint > 0 {
                true
            } else if answer(number).is_some() {
                asked.insert(action);
                alike.insert(like)
            } else {
                asked.insert(action)
            };
            if !stands_for_itself {
                candidates.remove(place);
            }
        }
    }

    /// Notes where the search stands; `false` if it was there before with as much left to use.
    fn is_new(&mut self, choice: &Choice) -> bool {
        let before = self.seen.entry(choice.place.clone()).or_default();
        self.work += before.len() as u64;
        if before.iter().any(|used| is_subset(used, &choice.used)) {
            return false;
        }
        before.retain(|used| !is_subset(&choice.used, used));
        before.push(choice.used.clone());
        true
    }
}

/// Whether all of `few` is in `many`; both are sorted.
fn is_subset(few: &[usize], many: &[usize]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|one| rest.any(|other| other == one))
}

/// Gives equal things equal numbers.
struct Numbers<T>(BTreeMap<T, usize>);

impl<T: Ord> Numbers<T> {
    fn of(&mut self, thing: T) -> usize {
        let next = self.0.len();
        *self.0.entry(thing).or_insert(next)
    }
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Every state that the search has met, once, and what leads from one to another.
struct States {
    detail: Detail,
    states: Vec<State>,
    /// By fingerprint, so that long values are seldom compared.
    numbers: BTreeMap<u64, Vec<usize>>,
    /// By state and action.
    steps: BTreeMap<(usize, usize), (usize, Answer)>,
}

impl States {
    const NOTHING: usize = 0;

    fn new(detail: Detail) -> Self {
        let mut states = Self {
            detail,
            states: Vec::new(),
            numbers: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        states.number(None);
        states
    }

    fn number(&mut self, state: State) -> usize {
        let mut digest = Digest::new();
        if let Some((value, version)) = &state {
            digest.bytes(value);
            digest.number(*version);
        }
        let same = self.numbers.entry(digest.value()).or_default();
        if let Some(&known) = same.iter().find(|&&known| self.states[known] == state) {
            return known;
        }
        same.push(self.states.len());
        self.states.push(state);
        self.states.len() - 1
    }

    fn value(&self, state: usize) -> Option<&Bytes> {
        self.states[state].as_ref().map(|(value, _)| value)
    }

    fn apply(&mut self, state: usize, number: usize, action: &Action) -> (usize, &Answer) {
        if !self.steps.contains_key(&(state, number)) {
            let (after, answer) = apply(self.detail, &self.states[state], action);
            let after = self.number(after);
            self.steps.insert((state, number), (after, answer));
        }
        let (after, answer) = &self.steps[&(state, number)];
        (*after, answer)
    }
}

/// Calls and answers in their order, as a list from which a call and its answer can be lifted and
/// put back.
struct Events {
    /// Of each event, the operation, and whether it is its call.
    events: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Of each operation, where its answer stands, if it has one.
    answer_at: Vec<Option<usize>>,
}

impl Events {
    /// The list's head is element zero.
    const HEAD: usize = 0;

    fn new(operations: &[&Operation]) -> Self {
        let mut order: Vec<(u64, bool, usize)> = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            order.push((operation.called, false, number));
            order.extend(operation.end.at().map(|at| (at, true, number)));
        }
        order.sort_unstable();
        // The head counts as an answer, so that every walk ends there.
        let mut events = vec![(usize::MAX, false)];
        let mut answer_at = vec![None; operations.len()];
        for (_, is_answer, number) in order {
            if is_answer {
                answer_at[number] = Some(events.len());
            }
            events.push((number, !is_answer));
        }
        let len = events.len();
        Self {
            events,
            next: (1..=len).map(|next| next % len).collect(),
            previous: (0..len).map(|at| (at + len - 1) % len).collect(),
            answer_at,
        }
    }

    /// The calls before the first answer.
    fn open_calls(&self) -> impl Iterator<Item = usize> {
        let after = |&at: &usize| Some(self.next[at]);
        let first = self.next[Self::HEAD];
        core::iter::successors(Some(first), after).take_while(|&at| self.is_call(at))
    }

    fn operation(&self, at: usize) -> usize {
        self.events[at].0
    }

    fn is_call(&self, at: usize) -> bool {
        self.events[at].1
    }

    fn lift(&mut self, call: usize) {
        self.unlink(call);
        if let Some(answer) = self.answer_at[self.operation(call)] {
            self.unlink(answer);
        }
    }

    /// Undoes the last [`Events::lift`].
    fn put_back(&mut self, call: usize) {
        if let Some(answer) = self.answer_at[self.operation(call)] {
            self.link(answer);
        }
        self.link(call);
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
