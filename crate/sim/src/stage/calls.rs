//! What clients of a scene asked and were told: as rows, and as a history that must be explained.

use std::collections::BTreeMap;

use quorate_kv as kv;
use quorate_rsm::Outcome;

use super::Asked;
use crate::checker::linearizability::{self, Action, End, Operation, Verdict};
use crate::film::rows::OperationRow;
use crate::film::words;
use crate::workload::{Wish, answer};

/// Searches of the shortest contradiction: each leaves out one operation.
const SEARCHES_MAX: usize = 400;
/// Places that one of them looks at.
const WORK_MAX: u64 = 20_000;

/// When something happened: in virtual microseconds, and by which event.
type At = (u64, u64);

/// The calls, each by the name that its client has for it.
#[derive(Debug)]
pub(crate) struct Calls<K> {
    /// Calls and answers so far.
    ticks: u64,
    open: BTreeMap<K, usize>,
    rows: Vec<OperationRow>,
    history: Vec<Operation>,
    keys: BTreeMap<String, u64>,
}

impl<K> Default for Calls<K> {
    fn default() -> Self {
        Self {
            ticks: 0,
            open: BTreeMap::new(),
            rows: Vec::new(),
            history: Vec::new(),
            keys: BTreeMap::new(),
        }
    }
}

impl<K: Ord> Calls<K> {
    /// A call begins.
    pub(crate) fn begin(
        &mut self,
        name: K,
        (at, event): At,
        asked: &Asked,
        wish: &Wish,
        action: Action,
    ) -> OperationRow {
        self.ticks += 1;
        let next = self.keys.len() as u64;
        let key = *self.keys.entry(asked.key.clone()).or_insert(next);
        self.open.insert(name, self.rows.len());
        self.history.push(Operation {
            key,
            action,
            called: self.ticks,
            end: End::Unknown,
            hint: 0,
        });
        let row = OperationRow {
            id: self.rows.len() as u64 + 1,
            client: asked.client,
            key: asked.key.clone(),
            text: match wish {
                Wish::Write(command) => words::command(command),
                Wish::Read(query) | Wish::Ask { query, .. } => words::query(query),
            },
            answer: None,
            state: "open",
            called_at: at,
            called_event: event,
            ended_at: None,
            ended_event: None,
            point: None,
            event,
        };
        self.rows.push(row.clone());
        row
    }

    /// A call ends with an answer, or without one. `None` if there is no such call.
    pub(crate) fn end(
        &mut self,
        name: &K,
        (at, event): At,
        told: Result<kv::Reply, Outcome>,
    ) -> Option<OperationRow> {
        let place = self.open.remove(name)?;
        self.ticks += 1;
        let (row, operation) = (&mut self.rows[place], &mut self.history[place]);
        (row.ended_at, row.ended_event, row.event) = (Some(at), Some(event), event);
        match told {
            Ok(reply) => {
                row.state = "answered";
                row.answer = Some(words::reply(&reply));
                if let Some(answer) = answer(&reply) {
                    operation.end = End::Answered(self.ticks, answer);
                }
            }
            Err(Outcome::Unknown) => row.state = "unknown",
            Err(Outcome::NotApplied) => {
                row.state = "notApplied";
                // Had it taken effect, nothing would explain what others see of it.
                operation.action = Action::Get;
            }
        }
        Some(row.clone())
    }

    /// The shortest contradiction so far, as numbers of calls.
    pub(crate) fn contradiction(&self) -> Option<Vec<u64>> {
        contradiction((1..).zip(self.history.iter().cloned()).collect())
    }
}

/// The shortest contradiction in a history whose operations have numbers: leaving out any of them, the rest can be explained, as far as was
/// searched. `None` if all can be explained.
pub(crate) fn contradiction(history: Vec<(u64, Operation)>) -> Option<Vec<u64>> {
    let all = operations(&history);
    let Verdict::Illegal { key } = linearizability::check(&all) else {
        return None;
    };
    // What was answered after the first answer that cannot be explained has no part in it.
    let last = linearizability::culprit(&all, key, WORK_MAX);
    let until = last.and_then(|at| all[at].end.at()).unwrap_or(u64::MAX);
    let mut rest: Vec<(u64, Operation)> = history
        .into_iter()
        .filter(|(_, operation)| operation.key == key && operation.called <= until)
        .collect();
    let mut at = rest.len();
    for _ in 0..SEARCHES_MAX {
        let Some(next) = at.checked_sub(1) else { break };
        at = next;
        let left_out = rest.remove(at);
        let verdict = linearizability::check_within(&operations(&rest), WORK_MAX);
        if !matches!(verdict, Verdict::Illegal { .. }) {
            rest.insert(at, left_out);
        }
    }
    Some(rest.into_iter().map(|(tag, _)| tag).collect())
}

fn operations(history: &[(u64, Operation)]) -> Vec<Operation> {
    history
        .iter()
        .map(|(_, operation)| operation.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Op;

    fn asked(op: Op, value: Option<&str>) -> Asked {
        Asked {
            client: 1,
            op,
            key: "x".to_owned(),
            value: value.map(str::to_owned),
            expected: None,
            timeout_ms: 1_000,
        }
    }

    fn begin(calls: &mut Calls<u64>, name: u64, asked: &Asked) {
        let (wish, action) = asked.wish();
        calls.begin(name, (name, name), asked, &wish, action);
    }

    #[test]
    fn a_read_that_sees_nothing_of_what_was_written_before_contradicts_it() {
        let mut calls = Calls::default();
        begin(&mut calls, 1, &asked(Op::Put, Some("1")));
        let meta = kv::Meta {
            create_revision: 1,
            mod_revision: 1,
            version: 1,
            lease: 0,
        };
        calls.end(&1, (2, 2), Ok(kv::Reply::Written { meta }));
        begin(&mut calls, 2, &asked(Op::Get, None));
        assert_eq!(calls.contradiction(), None);
        let nothing = kv::Reply::Got {
            record: None,
            revision: 0,
        };
        let row = calls.end(&2, (3, 3), Ok(nothing)).expect("it was open");
        assert_eq!(
            (row.state, row.answer.as_deref()),
            ("answered", Some("none"))
        );
        assert_eq!(calls.contradiction(), Some(vec![1, 2]));
    }
}
