//! Machines of the simulator: [`Probe`] around the machine under test, which notes what is applied,
//! and [`Journal`], which keeps every command.

use core::cell::RefCell;
use core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{ConfState, Index, Term};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};

use crate::digest::Digest;

/// One command that a machine executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where in the log.
    pub index: Index,
    /// In which term it was made.
    pub term: Term,
    /// The command's name, given once per call of a client; `None` for a tick.
    pub tag: Option<u64>,
    /// Log time.
    pub time_ms: u64,
    /// A fingerprint of command and reply, and of when a tick is due.
    pub digest: u64,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag {
            Some(tag) => write!(f, "call {tag}")?,
            None => write!(f, "a tick")?,
        }
        let Self {
            term,
            index,
            time_ms,
            digest,
            ..
        } = self;
        write!(f, " at {term}/{index} ({time_ms} ms, {digest:016x})")
    }
}

/// Puts the name `tag` before a command, as [`Probe`] expects it.
#[must_use]
pub fn tagged(tag: u64, command: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(8 + command.len());
    bytes.extend_from_slice(&tag.to_le_bytes());
    bytes.extend_from_slice(command);
    Bytes::from(bytes)
}

/// Before a command that may be executed more than once.
const UNNAMED: u64 = u64::MAX;

/// Puts no name before a command, as [`Probe`] expects it: it may be executed more than once.
#[must_use]
pub fn unnamed(command: &[u8]) -> Bytes {
    tagged(UNNAMED, command)
}

/// A machine whose every command carries a name, so that a checker can tell executions apart.
#[derive(Debug, Default)]
pub struct Probe<M> {
    machine: M,
    /// Not yet seen by the checker.
    applied: RefCell<Vec<Applied>>,
}

impl<M> Probe<M> {
    /// The machine inside.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Replaces what is in `applied` by what was applied since this was asked last.
    pub fn take_applied(&self, applied: &mut Vec<Applied>) {
        applied.clear();
        core::mem::swap(applied, &mut self.applied.borrow_mut());
    }
}

impl<M: StateMachine> StateMachine for Probe<M> {
    type Snapshot = M::Snapshot;
    type Restore = ProbeRestore<M>;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        let (tag, inner) = match command.split_first_chunk::<8>() {
            Some((tag, _)) => (u64::from_le_bytes(*tag), command.slice(8..)),
            None => (0, command.clone()),
        };
        let reply = self.machine.apply(context, &inner);
        let tag = Some(tag).filter(|tag| *tag != UNNAMED);
        self.note(context, tag, [&inner, &reply]);
        reply
    }

    fn query(&self, query: &Bytes) -> Bytes {
        self.machine.query(query)
    }

    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        self.machine.poll(query)
    }

    fn due_ms(&self) -> Option<u64> {
        self.machine.due_ms()
    }

    fn tick(&mut self, context: &ApplyContext) {
        self.machine.tick(context);
        self.note(context, None, []);
    }

    fn membership_changed(&mut self, members: &Arc<ConfState>) {
        self.machine.membership_changed(members);
    }

    fn snapshot(&self) -> M::Snapshot {
        self.machine.snapshot()
    }

    fn restore() -> Self::Restore {
        ProbeRestore(M::restore())
    }
}

impl<M: StateMachine> Probe<M> {
    fn note<const N: usize>(
        &mut self,
        context: &ApplyContext,
        tag: Option<u64>,
        bytes: [&Bytes; N],
    ) {
        let mut digest = Digest::new();
        bytes.iter().for_each(|bytes| digest.bytes(bytes));
        digest.number(self.machine.due_ms().unwrap_or(u64::MAX));
        let ApplyContext {
            index,
            term,
            time_ms,
        } = *context;
        self.applied.get_mut().push(Applied {
            index,
            term,
            tag,
            time_ms,
            digest: digest.value(),
        });
    }
}

/// A [`Probe`] being built.
#[derive(Debug)]
pub struct ProbeRestore<M: StateMachine>(M::Restore);

impl<M: StateMachine> MachineRestore for ProbeRestore<M> {
    type Machine = Probe<M>;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.0.chunk(data)
    }

    fn finish(self) -> Result<Probe<M>, BadSnapshot> {
        Ok(Probe {
            machine: self.0.finish()?,
            applied: RefCell::default(),
        })
    }
}

/// A machine that keeps every command and answers with how many there are. A query is answered with
/// their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    commands: Vec<Bytes>,
}

impl Journal {
    /// All commands, oldest first.
    #[must_use]
    pub fn commands(&self) -> &[Bytes] {
        &self.commands
    }

    fn count(&self) -> Bytes {
        Bytes::copy_from_slice(&(self.commands.len() as u64).to_le_bytes())
    }
}

impl StateMachine for Journal {
    type Snapshot = JournalSnapshot;
    type Restore = Journal;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        self.commands.push(command.clone());
        self.count()
    }

    fn query(&self, _: &Bytes) -> Bytes {
        self.count()
    }

    fn snapshot(&self) -> JournalSnapshot {
        JournalSnapshot {
            journal: self.clone(),
            cuts: Vec::new(),
        }
    }

    fn restore() -> Journal {
        Journal::default()
    }
}

/// A [`Journal`] as of one index.
#[derive(Clone, Debug)]
pub struct JournalSnapshot {
    journal: Journal,
    /// For each chunk already cut, the first command after it.
    cuts: Vec<usize>,
}

impl MachineSnapshot for JournalSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let number = number as usize;
        let first = number.checked_sub(1).map_or(0, |before| self.cuts[before]);
        let mut bytes = Vec::new();
        let mut end = first;
        for command in &self.journal.commands[first..] {
            if !bytes.is_empty() && bytes.len() + 4 + command.len() > max_bytes {
                break;
            }
            bytes.extend_from_slice(&(command.len() as u32).to_le_bytes());
            bytes.extend_from_slice(command);
            end += 1;
        }
        self.cuts.truncate(number);
        self.cuts.push(end);
        (Bytes::from(bytes), end == self.journal.commands.len())
    }
}

impl MachineRestore for Journal {
    type Machine = Self;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        const BAD: BadSnapshot = BadSnapshot("a journal's chunk is cut");
        let mut at = 0;
        while at < data.len() {
            let len = data
                .get(at..)
                .and_then(|rest| rest.first_chunk::<4>())
                .ok_or(BAD)?;
            let end = at + 4 + u32::from_le_bytes(*len) as usize;
            if end > data.len() {
                return Err(BAD);
            }
            self.commands.push(data.slice(at + 4..end));
            at = end;
        }
        Ok(())
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_survives_its_chunks_whatever_their_size() {
        let mut journal = Journal::default();
        let context = ApplyContext {
            index: Index(1),
            term: Term(1),
            time_ms: 0,
        };
        for len in [0, 3, 100, 1, 7] {
            journal.apply(&context, &Bytes::from(vec![len; len as usize]));
        }
        for size in [1, 10, 50, 1_000] {
            let (mut snapshot, mut restored) = (journal.snapshot(), Journal::restore());
            for number in 0.. {
                let (data, done) = snapshot.chunk(number, size);
                restored.chunk(&data).unwrap();
                if done {
                    break;
                }
            }
            assert_eq!(restored, journal);
        }
    }

    #[test]
    fn probe_notes_each_command_once_with_its_name() {
        let mut probe = Probe::<Journal>::default();
        let context = ApplyContext {
            index: Index(4),
            term: Term(2),
            time_ms: 0,
        };
        probe.apply(&context, &tagged(9, b"x"));
        let mut seen = Vec::new();
        probe.take_applied(&mut seen);
        assert_eq!(
            (seen.len(), seen[0].index, seen[0].tag),
            (1, Index(4), Some(9))
        );
        probe.take_applied(&mut seen);
        assert!(seen.is_empty());
        assert_eq!(probe.machine().commands(), [Bytes::from_static(b"x")]);
    }
}
