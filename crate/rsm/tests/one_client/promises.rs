//! What a client promises, whatever it hears and in whatever order: a write that it calls not applied was refused wherever it
//! had been asked for; and as long as one attempt of a write may take effect, every other one bears the same number.

use core::mem::take;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{NodeId, Random};
use quorate_rsm::{
    Call, CallError, CallId, ClientInput, Outcome, RequestBody, RequestError, RequestId,
};

use crate::caller::{Caller, Sent};

const NODES: u64 = 3;

/// A caller to whom anything may happen.
struct Fate {
    random: Random,
    caller: Caller,
    /// Requests without an answer: a node may have taken each of them, or may yet.
    asked: Vec<Sent>,
    /// Writes that have not ended, by their tags.
    open: BTreeMap<CallId, u64>,
    /// Of each write that was sent, the attempts that were not refused, with session and sequence.
    attempts: BTreeMap<u64, BTreeMap<RequestId, (u64, u64)>>,
    /// Which write has which session and sequence.
    owners: BTreeMap<(u64, u64), u64>,
    sessions: u64,
    tags: u64,
    /// Writes that were sent and ended without an answer.
    not_applied: u64,
    unknown: u64,
}

impl Fate {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            caller: Caller::new(NODES, seed, |_| {}),
            asked: Vec::new(),
            open: BTreeMap::new(),
            attempts: BTreeMap::new(),
            owners: BTreeMap::new(),
            sessions: 0,
            tags: 0,
            not_applied: 0,
            unknown: 0,
        }
    }

    fn step(&mut self) {
        let node = NodeId(1 + self.random.below(NODES));
        match self.random.below(20) {
            0..=4 => self.write(),
            5..=12 => self.answer(node),
            13 => self.caller.input(ClientInput::Leads { node }),
            14 => self.caller.down(node),
            15..=16 => self.caller.up(node),
            17 => self.cancel(),
            _ => {
                let pause = Duration::from_micros(self.random.below(400_000));
                self.caller.at(self.caller.now.after(pause));
            }
        }
        self.look();
    }

    fn write(&mut self) {
        self.tags += 1;
        let call = Call::Write(Bytes::copy_from_slice(&self.tags.to_le_bytes()));
        let timeout = Duration::from_micros(self.random.below(4_000_000));
        let deadline = self.caller.now.after(timeout);
        let call = self.caller.client.call(self.caller.now, call, deadline);
        self.open.insert(call.expect("there is room"), self.tags);
        self.caller.drain();
    }

    /// Some request is answered, of an attempt that is under way or of one that was given up.
    fn answer(&mut self, node: NodeId) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.random.below(self.asked.len() as u64) as usize;
        let asked = self.asked.swap_remove(at);
        let hint = Some(node).filter(|_| self.random.below(2) == 0);
        let is_write = matches!(asked.body, RequestBody::Write { .. });
        // The last few are said of writes alone.
        let result = match self.random.below(if is_write { 16 } else { 12 }) {
            0..=3 => {
                self.sessions += 1;
                Ok(Bytes::copy_from_slice(&self.sessions.to_le_bytes()))
            }
            4..=7 => Err(RequestError::NotLeader { hint }),
            8..=9 => Err(RequestError::LeadershipLost { hint }),
            10..=11 => Err(RequestError::Overloaded),
            12..=13 => Err(RequestError::WindowExceeded),
            14 => Err(RequestError::SessionExpired),
            _ => Err(RequestError::TooLarge { limit: 1 }),
        };
        if !matches!(result, Ok(_) | Err(RequestError::LeadershipLost { .. })) {
            for attempts in self.attempts.values_mut() {
                attempts.remove(&asked.id);
            }
        }
        self.caller.answer(&asked, result);
    }

    fn cancel(&mut self) {
        let at = self.random.below(self.open.len() as u64) as usize;
        if let Some(&call) = self.open.keys().nth(at) {
            self.caller.input(ClientInput::Cancel { call });
        }
    }

    /// Holds what was sent and what was told against the promises.
    fn look(&mut self) {
        for sent in self.caller.sent() {
            if let RequestBody::Write { command, .. } = &sent.body {
                let tag = u64::from_le_bytes(command[..].try_into().expect("a tag"));
                let (session, sequence, _) = sent.numbers();
                let number = (session, sequence);
                assert_eq!(*self.owners.entry(number).or_insert(tag), tag, "{number:?}");
                let attempts = self.attempts.entry(tag).or_default();
                let differs = attempts.values().find(|earlier| **earlier != number);
                assert_eq!(differs, None, "{tag} is asked for as {number:?}");
                attempts.insert(sent.id, number);
            }
            self.asked.push(sent);
        }
        for (call, result) in take(&mut self.caller.done) {
            let tag = self.open.remove(&call).expect("a call ends once");
            let attempts = self.attempts.remove(&tag);
            let outcome = match result {
                Ok(_) => continue,
                Err(
                    CallError::DeadlineExceeded { outcome }
                    | CallError::SessionExpired { outcome }
                    | CallError::TooLarge { outcome, .. }
                    | CallError::Cancelled { outcome }
                    | CallError::Closed { outcome },
                ) => outcome,
                Err(CallError::TooManyCalls) => panic!("it was begun"),
            };
            match (outcome, attempts) {
                (Outcome::NotApplied, None) => {}
                (Outcome::NotApplied, Some(attempts)) => {
                    assert!(attempts.is_empty(), "{tag} may take effect: {attempts:?}");
                    self.not_applied += 1;
                }
                (Outcome::Unknown, _) => self.unknown += 1,
            }
        }
    }
}

#[test]
fn what_is_not_applied_was_refused_wherever_it_was_asked_for() {
    let (mut not_applied, mut unknown) = (0, 0);
    for seed in 0..300 {
        let mut fate = Fate::new(seed);
        (0..400).for_each(|_| fate.step());
        fate.caller.input(ClientInput::Close);
        fate.look();
        assert!(fate.open.is_empty(), "all have ended");
        not_applied += fate.not_applied;
        unknown += fate.unknown;
    }
    assert!(
        not_applied > 1_000 && unknown > 1_000,
        "{not_applied} {unknown}"
    );
}
