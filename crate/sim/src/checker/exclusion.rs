//! Mutual exclusion: of those who hold a lock no two believe so at once, and what the lock protects
//! is never spoiled.
//!
//! A holder believes as long as its own clock says, counted from when it asked for the last sign of
//! life that was confirmed. That is enough where clocks keep what is stated of them. Where they do
//! not, two may believe; then the token saves what they hold the lock for: it accepts none that is
//! less than the greatest it has seen. What they do there takes two steps, and either may arrive
//! late: read, then write what was read and one more. An update that is lost is a violation.

use std::collections::BTreeMap;

use quorate_raft::Instant;

use crate::checker::Violation;
use crate::checker::store::Seen;
use crate::clock::Clock;
use crate::situation::Situation;

/// The holders of one lock, and what it protects.
#[derive(Debug, Default)]
pub struct Exclusion {
    /// Whether clocks keep what is stated of them.
    clocks_are_true: bool,
    /// Until when each holder believes, by its own clock.
    beliefs: BTreeMap<u64, (Clock, Instant)>,
    /// Of the one who believed last.
    last_token: u64,
    protected: Protected,
    /// On their way, by when they arrive.
    steps: BTreeMap<(u64, u64), Step>,
    sent: u64,
}

/// What may be changed by whoever holds the lock.
#[derive(Debug, Default)]
struct Protected {
    value: u64,
    greatest_token: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read { token: u64, then_takes: u64 },
    Write { token: u64, read: u64 },
}

impl Exclusion {
    /// Nobody holds it.
    #[must_use]
    pub fn new(clocks_are_true: bool) -> Self {
        Self {
            clocks_are_true,
            ..Self::default()
        }
    }

    /// From `now` on, in virtual time, a holder with `token` believes until its clock shows `until`.
    ///
    /// # Errors
    /// Another does so, too, or one did so before it with a greater token.
    pub fn believe(
        &mut self,
        now: u64,
        (holder, token): (u64, u64),
        (clock, until): (Clock, Instant),
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        if clock.local(now) >= until {
            return Ok(());
        }
        if self.clocks_are_true && token < self.last_token {
            let text = format!("{holder} holds with {token} after {}", self.last_token);
            return Err(Violation::new("A later holder has a greater token", text));
        }
        self.last_token = token;
        self.beliefs.insert(holder, (clock, until));
        let believes = |clock: &Clock, until: Instant| clock.local(now) < until;
        let other = self
            .beliefs
            .iter()
            .find(|(id, (clock, until))| **id != holder && believes(clock, *until));
        let Some((other, _)) = other else {
            return Ok(());
        };
        seen.note(Situation::TwoBelieveToHold);
        if !self.clocks_are_true {
            return Ok(());
        }
        let text = format!("{holder} and {other} hold the lock at {now} µs");
        Err(Violation::new("One at a time holds a lock", text))
    }

    /// A holder lets go.
    pub fn give_up(&mut self, holder: u64) {
        self.beliefs.remove(&holder);
    }

    /// One with `token` begins to change what is protected; its first step takes so long, and its
    /// second so long again.
    pub fn change(&mut self, now: u64, token: u64, (first, second): (u64, u64)) {
        let then_takes = second;
        self.send(now + first, Step::Read { token, then_takes });
    }

    /// What has arrived by `now` is done.
    ///
    /// # Errors
    /// A change is lost.
    pub fn arrive(&mut self, now: u64, seen: &mut Seen) -> Result<(), Violation> {
        while let Some(first) = self.steps.first_entry().filter(|step| step.key().0 <= now) {
            let ((at, _), step) = first.remove_entry();
            let (Step::Read { token, .. } | Step::Write { token, .. }) = step;
            let protected = &mut self.protected;
            if token < protected.greatest_token {
                seen.note(Situation::OldTokenRefused);
                continue;
            }
            protected.greatest_token = token;
            match step {
                Step::Read { token, then_takes } => {
                    let read = protected.value;
                    self.send(at + then_takes, Step::Write { token, read });
                }
                Step::Write { token, read } if protected.value != read => {
                    let seen = format!("{token} writes over what it has not seen");
                    return Err(Violation::new("A token protects what is locked", seen));
                }
                Step::Write { .. } => protected.value += 1,
            }
        }
        Ok(())
    }

    fn send(&mut self, at: u64, step: Step) {
        self.sent += 1;
        self.steps.insert((at, self.sent), step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::new(0, 500, 0)
    }

    #[test]
    fn two_that_believe_at_once_are_found() {
        for clocks_are_true in [true, false] {
            let (mut lock, mut seen) = (Exclusion::new(clocks_are_true), Seen::default());
            let until = |at: u64| (clock(), Instant(500 + at));
            lock.believe(0, (1, 4), until(100), &mut seen).unwrap();
            lock.believe(100, (2, 5), until(200), &mut seen).unwrap();
            assert_eq!(seen.take().count(), 0, "the first one's time is over");
            // It was late with an answer that says no more than it believed.
            lock.believe(150, (1, 4), until(120), &mut seen).unwrap();
            let both = lock.believe(150, (1, 6), until(160), &mut seen);
            assert_eq!(both.is_err(), clocks_are_true);
            assert_eq!(seen.take().count(), 1);
            lock.give_up(1);
            lock.believe(199, (2, 7), until(300), &mut seen).unwrap();
            let old = lock.believe(250, (1, 6), until(300), &mut seen);
            let property = old.map_err(|violation| violation.property);
            let expected = Err("A later holder has a greater token");
            assert_eq!(property, if clocks_are_true { expected } else { Ok(()) });
        }
    }

    #[test]
    fn an_update_that_an_equal_token_loses_is_found_and_a_lesser_one_is_refused() {
        let (mut lock, mut seen) = (Exclusion::new(false), Seen::default());
        lock.change(0, 7, (10, 100));
        lock.change(0, 8, (20, 10));
        lock.arrive(1_000, &mut seen).unwrap();
        assert_eq!(lock.protected.value, 1, "the later holder's");
        assert_eq!(seen.take().count(), 1);
        lock.change(1_000, 8, (10, 100));
        lock.change(1_000, 8, (20, 10));
        let violation = lock.arrive(2_000, &mut seen).unwrap_err();
        assert_eq!(violation.property, "A token protects what is locked");
    }
}
