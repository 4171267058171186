//! What clerks asked of the store and were told, for the checker of linearizability.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_rsm::Outcome;
use quorate_sim::checker::linearizability::{self, Action, Answer, End, Operation, Verdict};
use quorate_sim::workload::answer;

use crate::lab::report::Agreement;

/// All calls, by tag: the first has tag 1.
#[derive(Debug, Default)]
pub struct History {
    /// Calls, executions and answers so far.
    events: u64,
    calls: Vec<Recorded>,
    /// When commands were executed, by tag.
    executed: BTreeMap<u64, u64>,
    /// Executions that were seen.
    seen: usize,
    /// None is seen: whatever has no answer may have been executed.
    unseen: bool,
}

#[derive(Debug)]
struct Recorded {
    operation: Operation,
    began: u64,
    end: Option<Ended>,
}

#[derive(Debug)]
enum Ended {
    Answered { time: u64 },
    NotApplied,
    Unknown,
}

impl History {
    /// A history of which no execution is noted: of commands that have no names.
    #[must_use]
    pub fn unseen() -> Self {
        Self {
            unseen: true,
            ..Self::default()
        }
    }

    /// Begins a call at virtual time `now`; its tag.
    pub fn begin(&mut self, now: u64, key: u64, action: Action) -> u64 {
        let called = self.tick();
        let operation = Operation {
            key,
            action,
            called,
            end: End::Unknown,
            hint: u64::MAX,
        };
        self.calls.push(Recorded {
            operation,
            began: now,
            end: None,
        });
        self.calls.len() as u64
    }

    /// Notes the executions from the one that was not seen yet.
    pub fn note_executed(&mut self, news: impl FnOnce(usize) -> Vec<u64>) {
        for tag in news(self.seen) {
            let at = self.tick();
            self.executed.insert(tag, at);
            self.seen += 1;
        }
    }

    /// The call `tag` ended with the bytes of a reply, or without.
    ///
    /// # Errors
    /// As no call may.
    pub fn end(
        &mut self,
        now: u64,
        tag: u64,
        result: Result<&Bytes, Outcome>,
    ) -> Result<(), String> {
        let at = self.tick();
        let recorded = &mut self.calls[tag as usize - 1];
        if recorded.end.is_some() {
            return Err(format!("call {tag} ended twice"));
        }
        recorded.end = Some(match result {
            Ok(reply) => {
                let told = kv::Reply::decode(reply).ok();
                let told = told.as_ref().and_then(answer);
                let told = told.ok_or_else(|| format!("call {tag} was answered {reply:?}"))?;
                recorded.operation.end = End::Answered(at, told);
                let time = now - recorded.began;
                Ended::Answered { time }
            }
            Err(Outcome::NotApplied) => Ended::NotApplied,
            Err(Outcome::Unknown) => Ended::Unknown,
        });
        Ok(())
    }

    /// Whether there is a call `tag`.
    #[must_use]
    pub fn knows(&self, tag: u64) -> bool {
        (1..=self.calls.len() as u64).contains(&tag)
    }

    /// Whether the call `tag` has ended.
    #[must_use]
    pub fn has_ended(&self, tag: u64) -> bool {
        self.calls[tag as usize - 1].end.is_some()
    }

    /// Whether the call `tag` took effect.
    #[must_use]
    pub fn was_executed(&self, tag: u64) -> bool {
        self.executed.contains_key(&tag)
    }

    /// What the call `tag` was told.
    #[must_use]
    pub fn answer(&self, tag: u64) -> Option<&Answer> {
        match &self.calls[tag as usize - 1].operation.end {
            End::Answered(_, told) => Some(told),
            End::Executed(_) | End::Unknown => None,
        }
    }

    /// What was asked by the call `tag`, and of which key.
    #[must_use]
    pub fn asked(&self, tag: u64) -> (u64, &Action) {
        let operation = &self.calls[tag as usize - 1].operation;
        (operation.key, &operation.action)
    }

    /// How long the calls that were answered took.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        let mut agreement = Agreement::default();
        for recorded in &self.calls {
            if let Some(Ended::Answered { time }) = recorded.end {
                agreement.add(time);
            }
        }
        agreement
    }

    /// Whether one store that does one thing at a time explains what was seen.
    ///
    /// # Errors
    /// It does not.
    pub fn judge(&self) -> Result<(), String> {
        let mut operations = Vec::new();
        for (tag, recorded) in (1..).zip(&self.calls) {
            let executed = self.executed.get(&tag);
            let mut operation = recorded.operation.clone();
            operation.hint = match self.unseen {
                true => 0,
                false => executed.copied().unwrap_or(u64::MAX),
            };
            match (&recorded.end, executed) {
                (Some(Ended::Answered { .. }), _) => operations.push(operation),
                (Some(Ended::NotApplied), Some(_)) => {
                    return Err(format!("call {tag} ended as not applied, and took effect"));
                }
                (Some(Ended::Unknown) | None, Some(at)) => {
                    operation.end = End::Executed(*at);
                    operations.push(operation);
                }
                (Some(Ended::Unknown) | None, None) if self.unseen => operations.push(operation),
                // It took no effect, and explains nothing.
                (Some(Ended::NotApplied | Ended::Unknown) | None, None) => {}
            }
        }
        match linearizability::check(&operations) {
            Verdict::Linearizable => Ok(()),
            Verdict::Illegal { key } => {
                Err(format!("no order explains what was seen of key {key}"))
            }
            // The order of execution was tried first, and must be one that explains everything.
            Verdict::Undecided { key } => Err(format!(
                "what was seen of key {key} is not the order of execution"
            )),
        }
    }

    fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}
