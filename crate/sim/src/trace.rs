//! What happened: one line per event in fixed columns, and a 64-bit hash of all of it. Two runs of
//! one seed by one build have equal hashes, or something in them was not deterministic.
//!
//! ```text
//!  time in µs   node  event     what
//!     1204411  n2    deliver   n1 t3 AppendEntries prev t2/7 commit 7 entries 1
//! ```

use core::fmt::Write;

use crate::digest::Digest;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A node begins a run.
    Start,
    /// A node's run ends without farewell.
    Crash,
    /// A node stops itself.
    Halt,
    /// A frame arrives.
    Deliver,
    /// A frame is lost.
    Lose,
    /// A frame that is not for the node is refused.
    Refuse,
    /// A frame is sent.
    Send,
    /// A timer fires.
    Timer,
    /// A round of writes is handed out.
    Write,
    /// A round of writes is durable.
    Durable,
    /// A round of writes failed.
    Fail,
    /// A node's role, term or leader changed.
    Role,
    /// A membership was committed, as far as a node knows.
    Members,
    /// A node's machine was replaced by a snapshot.
    Restore,
    /// A client begins a call.
    Call,
    /// A client's call ends.
    Done,
    /// A fault begins or ends.
    Fault,
    /// A client hears who leads.
    Hint,
    /// Somebody who watches the world does something to it.
    Act,
}

impl Event {
    /// Its name in a line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Crash => "crash",
            Self::Halt => "halt",
            Self::Deliver => "deliver",
            Self::Lose => "lose",
            Self::Refuse => "refuse",
            Self::Send => "send",
            Self::Timer => "timer",
            Self::Write => "write",
            Self::Durable => "durable",
            Self::Fail => "fail",
            Self::Role => "role",
            Self::Members => "members",
            Self::Restore => "restore",
            Self::Call => "call",
            Self::Done => "done",
            Self::Fault => "fault",
            Self::Hint => "hint",
            Self::Act => "act",
        }
    }
}

/// A line in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in microseconds.
    pub at: u64,
    /// Whose: a node as `n1`, a client as `c1`, or `-`.
    pub who: String,
    /// Its kind.
    pub event: Event,
    /// What happened.
    pub text: String,
}

/// The hash of a run so far, and its lines if they are wanted.
#[derive(Debug)]
pub struct Trace {
    hash: Digest,
    events: u64,
    lines: Option<String>,
    /// For a film.
    parts: Option<Vec<Line>>,
}

impl Trace {
    /// An empty trace, which keeps lines if `keep` says so.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self {
            hash: Digest::new(),
            events: 0,
            lines: keep.then(String::new),
            parts: None,
        }
    }

    /// From now on lines are kept in their parts, too, until they are taken.
    pub fn keep_parts(&mut self) {
        self.parts.get_or_insert_default();
    }

    /// Takes the lines that were kept in their parts.
    pub fn take_parts(&mut self) -> Vec<Line> {
        self.parts.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Adds an event of `who`. `value` stands in the hash for what `text` says in words.
    pub fn event(
        &mut self,
        now: u64,
        who: &dyn core::fmt::Display,
        event: Event,
        value: u64,
        text: impl FnOnce() -> String,
    ) {
        self.events += 1;
        self.hash.number(now);
        self.hash.number(event as u64);
        self.hash.number(value);
        if self.lines.is_none() && self.parts.is_none() {
            return;
        }
        let (who, text) = (who.to_string(), text());
        if let Some(lines) = &mut self.lines {
            writeln!(lines, "{now:>12}  {who:<5} {:<8} {text}", event.name())
                .expect("writing to a string never fails");
        }
        if let Some(parts) = &mut self.parts {
            parts.push(Line {
                at: now,
                who,
                event,
                text,
            });
        }
    }

    /// Where it stands, for [`Trace::take_back`].
    #[must_use]
    pub(crate) fn mark(&self) -> (Digest, u64, usize) {
        (
            self.hash,
            self.events,
            self.parts.as_ref().map_or(0, Vec::len),
        )
    }

    /// What came after a mark never was. Only for a trace whose lines are not kept, but in their parts.
    pub(crate) fn take_back(&mut self, (hash, events, parts): (Digest, u64, usize)) {
        (self.hash, self.events) = (hash, events);
        if let Some(lines) = &mut self.parts {
            lines.truncate(parts);
        }
    }

    /// The hash of all events.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// How many events.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Takes the lines kept so far.
    pub fn take_lines(&mut self) -> String {
        self.lines.as_mut().map(core::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_does_not_depend_on_whether_lines_are_kept_but_on_every_field() {
        let run = |keep, now, value| {
            let mut trace = Trace::new(keep);
            trace.event(now, &"n1", Event::Timer, value, || "at 7".to_owned());
            (trace.hash(), trace.take_lines())
        };
        assert_eq!(run(true, 5, 7).0, run(false, 5, 7).0);
        assert_ne!(run(true, 5, 7).0, run(true, 6, 7).0);
        assert_ne!(run(true, 5, 7).0, run(true, 5, 8).0);
        assert_eq!(run(true, 5, 7).1, "           5  n1    timer    at 7\n");
    }
}
