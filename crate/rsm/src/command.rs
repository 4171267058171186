//! What `rsm` writes into an entry: who asks, when, and the machine's command.

use bytes::Bytes;

use crate::request::SessionId;
use crate::varint::{Reader, Writer};

/// The payload of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The leader's log time when it took the request.
    pub(crate) time_ms: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OpenSession,
    CloseSession {
        session: SessionId,
    },
    Write {
        session: SessionId,
        sequence: u64,
        acknowledged: u64,
        command: Bytes,
    },
    /// A command outside of all sessions.
    Propose {
        command: Bytes,
    },
    /// Here all nodes take a snapshot, so that they can compare what it comes to.
    Checkpoint,
    /// By now the machine has something to do.
    Tick,
}

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const WRITE: u8 = 3;
const CHECKPOINT: u8 = 4;
const TICK: u8 = 5;
const PROPOSE: u8 = 6;

impl Command {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match &self.kind {
            Kind::OpenSession => {
                writer.byte(OPEN);
                writer.number(self.time_ms);
            }
            Kind::CloseSession { session } => {
                writer.byte(CLOSE);
                writer.number(self.time_ms);
                writer.number(session.0);
            }
            Kind::Checkpoint => {
                writer.byte(CHECKPOINT);
                writer.number(self.time_ms);
            }
            Kind::Tick => {
                writer.byte(TICK);
                writer.number(self.time_ms);
            }
            Kind::Write {
                session,
                sequence,
                acknowledged,
                command,
            } => {
                writer.reserve(command.len() + 24);
                writer.byte(WRITE);
                writer.number(self.time_ms);
                writer.number(session.0);
                writer.number(*sequence);
                // Behind the sequence by a few at most: one byte instead of many.
                writer.number(sequence.saturating_sub(*acknowledged));
                writer.raw(command);
            }
            Kind::Propose { command } => {
                writer.reserve(command.len() + 8);
                writer.byte(PROPOSE);
                writer.number(self.time_ms);
                writer.raw(command);
            }
        }
        Bytes::from(writer.finish())
    }

    /// `None` if this is nothing that `encode` makes. The machine's command shares the buffer.
    pub(crate) fn decode(data: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(data);
        let tag = reader.byte();
        let time_ms = reader.number();
        let kind = match tag {
            OPEN => Kind::OpenSession,
            CLOSE => Kind::CloseSession {
                session: SessionId(reader.number()),
            },
            WRITE => {
                let session = SessionId(reader.number());
                let sequence = reader.number();
                let acknowledged = sequence.checked_sub(reader.number())?;
                let command = reader.rest();
                Kind::Write {
                    session,
                    sequence,
                    acknowledged,
                    command,
                }
            }
            PROPOSE => Kind::Propose {
                command: reader.rest(),
            },
            CHECKPOINT => Kind::Checkpoint,
            TICK => Kind::Tick,
            _ => return None,
        };
        reader.end().ok()?;
        Some(Self { time_ms, kind })
    }
}

/// What an entry's command is, for tools that show a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// A session begins.
    OpenSession,
    /// A session ends.
    CloseSession,
    /// A command of the machine.
    Command(Bytes),
    /// All nodes take a snapshot.
    Checkpoint,
    /// By now the machine has something to do.
    Tick,
}

/// What the payload of an entry says; `None` if it is nothing that a node writes.
#[must_use]
pub fn logged(payload: &Bytes) -> Option<Logged> {
    Some(match Command::decode(payload)?.kind {
        Kind::OpenSession => Logged::OpenSession,
        Kind::CloseSession { .. } => Logged::CloseSession,
        Kind::Write { command, .. } | Kind::Propose { command } => Logged::Command(command),
        Kind::Checkpoint => Logged::Checkpoint,
        Kind::Tick => Logged::Tick,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_their_encoding_and_nonsense_is_none() {
        let write = Kind::Write {
            session: SessionId(9),
            sequence: 12,
            acknowledged: 10,
            command: Bytes::from_static(b"put"),
        };
        let close = Kind::CloseSession {
            session: SessionId(1 << 40),
        };
        let propose = Kind::Propose {
            command: Bytes::from_static(b"freeze"),
        };
        let plain = [Kind::OpenSession, Kind::Checkpoint, Kind::Tick];
        for kind in plain.into_iter().chain([close, write, propose]) {
            let command = Command {
                time_ms: 1_234_567,
                kind,
            };
            assert_eq!(Command::decode(&command.encode()), Some(command));
        }
        for nonsense in [
            &b""[..],
            b"\x00",
            b"\x01",
            b"\x01\x05\x05",
            b"\x04\x05\x05",
            b"\x05",
            b"\x05\x05\x05",
            b"\x07\x05",
            b"\x03\x05\x01\x01\x02",
            b"\xff\xff",
        ] {
            assert_eq!(
                Command::decode(&Bytes::copy_from_slice(nonsense)),
                None,
                "{nonsense:?}"
            );
        }
    }

    #[test]
    fn bytes_of_what_holds_only_the_time_are_as_documented() {
        let bytes = |kind| Command { time_ms: 300, kind }.encode();
        assert_eq!(bytes(Kind::OpenSession), &b"\x01\xac\x02"[..]);
        assert_eq!(bytes(Kind::Checkpoint), &b"\x04\xac\x02"[..]);
        assert_eq!(bytes(Kind::Tick), &b"\x05\xac\x02"[..]);
    }

    #[test]
    fn overhead_of_a_write_is_small() {
        let kind = Kind::Write {
            session: SessionId(1_000),
            sequence: 100_000,
            acknowledged: 99_990,
            command: Bytes::from_static(&[0; 16]),
        };
        assert!(
            Command {
                time_ms: 3_600_000,
                kind
            }
            .encode()
            .len()
                <= 16 + 12
        );
    }
}
