//! Sessions: what makes a write take effect exactly once (thesis §6.3).
//!
//! The table is part of the replicated state and of every snapshot, and it changes only by what the
//! log says: commands, and the log's own time. So a retry is recognized by any leader, after any
//! restart, and a session expires at the same entry everywhere.
//!
//! A client may have several commands under way; it tells with each up to where it has the answers.
//! Replies above that are kept, within a window.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::Table;

use crate::request::{RequestError, SessionId};
use crate::varint::{Reader, Writer};

/// Bounds on the session table. The same on all nodes of a cluster, or their states part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Sessions kept; opening one more ends the one that was silent longest. Default 4,096.
    pub max_sessions: usize,
    /// A session silent for this long, in log time, ends. Default one hour.
    pub ttl_ms: u64,
    /// How far a sequence may be ahead of what the client acknowledged. Default 1,024.
    pub window: u64,
    /// Bytes of kept replies from which a session takes no further write, until its client has
    /// acknowledged some. Default 4 MiB.
    pub window_bytes: usize,
    /// Bytes of kept replies, and one reply more, of all sessions together: beyond them the session
    /// that was silent longest ends. Default 64 MiB.
    pub max_bytes: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 4_096,
            ttl_ms: 3_600_000,
            window: 1_024,
            window_bytes: 4 << 20,
            max_bytes: 64 << 20,
        }
    }
}

/// What to do with a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is new: apply it, and record the reply.
    Apply,
    /// It was applied before, with this reply.
    Repeated(Bytes),
    /// It must not be applied.
    Refused(RequestError),
}

/// The replicated table. Cloning shares the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    table: Table<SessionId, Arc<Session>>,
    /// Bytes of all replies kept.
    bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Session {
    /// Log time of its last command.
    active_ms: u64,
    /// The client has the answers up to here.
    acknowledged: u64,
    /// Answers above that. Invariant: keys in `(acknowledged, acknowledged + window]`.
    replies: Table<u64, Bytes>,
    /// Their sum.
    bytes: usize,
}

impl Sessions {
    /// Open sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Begins a session, at the cost of those that have expired, and of the most silent where there are too many.
    pub fn open(&mut self, id: SessionId, time_ms: u64, limits: &SessionLimits) {
        let expired = |session: &Session| session.is_expired(time_ms, limits);
        self.table.retain(|_, session| !expired(session));
        self.bytes = self.table.iter().map(|(_, session)| session.bytes).sum();
        while self.table.len() >= limits.max_sessions.max(1) {
            self.end_most_silent(|_, _| true);
        }
        self.table.insert(
            id,
            Arc::new(Session {
                active_ms: time_ms,
                ..Session::default()
            }),
        );
    }

    /// Ends a session.
    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.table.remove(id) {
            self.bytes -= session.bytes;
        }
    }

    /// Ends the session that was silent longest, of those that `may` end; whether there was one.
    fn end_most_silent(&mut self, may: impl Fn(SessionId, &Session) -> bool) -> bool {
        let silent = self
            .table
            .iter()
            .filter(|(id, session)| may(*id, session))
            .min_by_key(|(id, session)| (session.active_ms, *id));
        let id = silent.map(|(id, _)| id);
        if let Some(id) = id {
            self.close(id);
        }
        id.is_some()
    }

    /// Decides on a write, and forgets what `acknowledged` allows to forget.
    pub fn admit(
        &mut self,
        id: SessionId,
        sequence: u64,
        acknowledged: u64,
        time_ms: u64,
        limits: &SessionLimits,
    ) -> Admission {
        let live = self
            .table
            .get_mut(id)
            .filter(|session| !session.is_expired(time_ms, limits));
        let Some(session) = live.map(Arc::make_mut) else {
            self.close(id);
            return Admission::Refused(RequestError::SessionExpired);
        };
        session.active_ms = session.active_ms.max(time_ms);
        if acknowledged > session.acknowledged && acknowledged < sequence {
            session.acknowledged = acknowledged;
            let before = session.bytes;
            session.forget_to(acknowledged);
            self.bytes -= before - session.bytes;
        }
        if sequence <= session.acknowledged || sequence - session.acknowledged > limits.window {
            return Admission::Refused(RequestError::WindowExceeded);
        }
        match session.replies.get(sequence) {
            Some(reply) => Admission::Repeated(reply.clone()),
            // The write that the client waits for most must pass: its reply lets it acknowledge.
            None if session.bytes >= limits.window_bytes && sequence > session.acknowledged + 1 => {
                Admission::Refused(RequestError::WindowExceeded)
            }
            None => Admission::Apply,
        }
    }

    /// Keeps the reply to a write that was just admitted.
    pub fn record(&mut self, id: SessionId, sequence: u64, reply: Bytes, limits: &SessionLimits) {
        let Some(session) = self.table.get_mut(id).map(Arc::make_mut) else {
            return;
        };
        session.bytes += reply.len();
        self.bytes += reply.len();
        session.replies.insert(sequence, reply);
        while self.bytes > limits.max_bytes
            && self.end_most_silent(|other, session| other != id && session.bytes > 0)
        {}
    }

    /// The reply to a write that was applied before.
    #[must_use]
    pub fn reply(&self, id: SessionId, sequence: u64) -> Option<&Bytes> {
        self.table.get(id)?.replies.get(sequence)
    }

    /// Writes the table down.
    pub fn encode(&self, writer: &mut Writer) {
        writer.number(self.table.len() as u64);
        for (id, session) in self.table.iter() {
            writer.number(id.0);
            writer.number(session.active_ms);
            writer.number(session.acknowledged);
            writer.number(session.replies.len() as u64);
            for (sequence, reply) in session.replies.iter() {
                writer.number(sequence);
                writer.bytes(reply);
            }
        }
    }

    /// Reads what [`Sessions::encode`] wrote. Whether it was there is known at the reader's end.
    pub fn decode(reader: &mut Reader<'_>) -> Self {
        let mut sessions = Self::default();
        for _ in 0..reader.count(4) {
            let id = SessionId(reader.number());
            let mut session = Session {
                active_ms: reader.number(),
                acknowledged: reader.number(),
                ..Session::default()
            };
            for _ in 0..reader.count(2) {
                let sequence = reader.number();
                let reply = reader.bytes();
                session.bytes += reply.len();
                session.replies.insert(sequence, reply);
            }
            sessions.bytes += session.bytes;
            sessions.table.insert(id, Arc::new(session));
        }
        sessions
    }
}

impl Session {
    /// Drops the replies up to `acknowledged`.
    fn forget_to(&mut self, acknowledged: u64) {
        while let Some((sequence, reply)) = self.replies.first()
            && sequence <= acknowledged
        {
            self.bytes -= reply.len();
            self.replies.pop_first();
        }
    }

    fn is_expired(&self, time_ms: u64, limits: &SessionLimits) -> bool {
        time_ms.saturating_sub(self.active_ms) > limits.ttl_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SessionLimits = SessionLimits {
        max_sessions: 2,
        ttl_ms: 1_000,
        window: 4,
        window_bytes: 8,
        max_bytes: 12,
    };
    const ID: SessionId = SessionId(7);

    fn opened() -> Sessions {
        let mut sessions = Sessions::default();
        sessions.open(ID, 100, &LIMITS);
        sessions
    }

    fn admit(sessions: &mut Sessions, sequence: u64, acknowledged: u64, time_ms: u64) -> Admission {
        sessions.admit(ID, sequence, acknowledged, time_ms, &LIMITS)
    }

    #[test]
    fn retry_gets_the_first_reply() {
        let mut sessions = opened();
        assert_eq!(admit(&mut sessions, 1, 0, 100), Admission::Apply);
        sessions.record(ID, 1, Bytes::from_static(b"one"), &LIMITS);
        assert_eq!(
            admit(&mut sessions, 1, 0, 200),
            Admission::Repeated(Bytes::from_static(b"one"))
        );
        assert_eq!(admit(&mut sessions, 2, 0, 200), Admission::Apply);
    }

    #[test]
    fn acknowledged_replies_are_forgotten_and_their_commands_never_applied_again() {
        let mut sessions = opened();
        for sequence in 1..=3 {
            assert_eq!(admit(&mut sessions, sequence, 0, 100), Admission::Apply);
            sessions.record(ID, sequence, Bytes::new(), &LIMITS);
        }
        assert_eq!(admit(&mut sessions, 4, 2, 100), Admission::Apply);
        assert!(sessions.reply(ID, 2).is_none() && sessions.reply(ID, 3).is_some());
        let refused = Admission::Refused(RequestError::WindowExceeded);
        assert_eq!(admit(&mut sessions, 2, 0, 100), refused);
    }

    #[test]
    fn window_bounds_what_a_session_holds() {
        let mut sessions = opened();
        assert_eq!(admit(&mut sessions, 4, 0, 100), Admission::Apply);
        let refused = Admission::Refused(RequestError::WindowExceeded);
        assert_eq!(admit(&mut sessions, 5, 0, 100), refused);
        assert_eq!(admit(&mut sessions, 5, 1, 100), Admission::Apply);
        // Nonsense from a client: it acknowledges what it has not sent.
        assert_eq!(admit(&mut sessions, 5, u64::MAX, 100), Admission::Apply);
        assert_eq!(admit(&mut sessions, 5, 5, 100), Admission::Apply);
    }

    #[test]
    fn sessions_expire_by_log_time_and_by_number() {
        let expired = Admission::Refused(RequestError::SessionExpired);
        let mut sessions = opened();
        assert_eq!(admit(&mut sessions, 1, 0, 1_100), Admission::Apply);
        assert_eq!(admit(&mut sessions, 2, 0, 2_101), expired);
        assert_eq!(sessions.len(), 0);

        let mut sessions = opened();
        sessions.open(SessionId(8), 200, &LIMITS);
        sessions.open(SessionId(9), 300, &LIMITS);
        assert_eq!(sessions.len(), 2);
        assert_eq!(admit(&mut sessions, 1, 0, 300), expired);
    }

    #[test]
    fn replies_are_bounded_in_bytes_and_the_lowest_write_always_passes() {
        let mut sessions = opened();
        for sequence in [2, 3] {
            assert_eq!(admit(&mut sessions, sequence, 0, 100), Admission::Apply);
            sessions.record(ID, sequence, Bytes::from_static(b"12345"), &LIMITS);
        }
        let full = Admission::Refused(RequestError::WindowExceeded);
        assert_eq!(admit(&mut sessions, 4, 0, 100), full);
        assert_eq!(admit(&mut sessions, 1, 0, 100), Admission::Apply);
        sessions.record(ID, 1, Bytes::new(), &LIMITS);
        assert_eq!(admit(&mut sessions, 4, 2, 100), Admission::Apply);
    }

    #[test]
    fn replies_of_all_are_bounded_in_bytes_at_the_cost_of_the_silent() {
        let mut sessions = opened();
        let (silent, other) = (ID, SessionId(8));
        sessions.open(other, 200, &LIMITS);
        sessions.record(silent, 1, Bytes::from_static(b"1234567"), &LIMITS);
        sessions.record(other, 1, Bytes::from_static(b"12345"), &LIMITS);
        assert_eq!(sessions.len(), 2);
        sessions.record(other, 2, Bytes::from_static(b"1"), &LIMITS);
        assert!(sessions.reply(silent, 1).is_none());
        // One session is never ended by its own replies.
        sessions.record(other, 3, Bytes::from_static(b"1234567890"), &LIMITS);
        assert!(sessions.reply(other, 3).is_some());
    }

    #[test]
    fn what_is_acknowledged_or_closed_no_longer_counts() {
        let limits = SessionLimits {
            max_sessions: 4,
            ..LIMITS
        };
        let [empty, silent, busy, closed] = [6, 7, 8, 9].map(SessionId);
        let mut sessions = Sessions::default();
        for (id, time_ms) in [(empty, 50), (silent, 100), (busy, 200), (closed, 300)] {
            sessions.open(id, time_ms, &limits);
        }
        sessions.record(silent, 1, Bytes::from_static(b"1"), &limits);
        for sequence in 1..=5 {
            let admitted = sessions.admit(busy, sequence, sequence - 1, 200, &limits);
            assert_eq!(admitted, Admission::Apply);
            sessions.record(busy, sequence, Bytes::from_static(b"123456"), &limits);
        }
        sessions.record(closed, 1, Bytes::from_static(b"12345"), &limits);
        sessions.close(closed);
        sessions.record(busy, 6, Bytes::from_static(b"12345"), &limits);
        assert_eq!(sessions.len(), 3, "twelve bytes in all");
        sessions.record(busy, 7, Bytes::from_static(b"1"), &limits);
        assert!(sessions.reply(silent, 1).is_none());
        assert_eq!(sessions.len(), 2, "to end the empty one would free nothing");
    }

    #[test]
    fn table_survives_its_encoding() {
        let mut sessions = opened();
        assert_eq!(admit(&mut sessions, 2, 1, 150), Admission::Apply);
        sessions.record(ID, 2, Bytes::from_static(b"two"), &LIMITS);
        sessions.open(SessionId(300), 200, &LIMITS);
        let mut writer = Writer::new();
        sessions.encode(&mut writer);
        let bytes = Bytes::from(writer.finish());
        let mut reader = Reader::new(&bytes);
        assert_eq!(Sessions::decode(&mut reader), sessions);
        assert_eq!(reader.end(), Ok(()));
        for cut in 0..bytes.len() {
            let bytes = bytes.slice(..cut);
            let mut reader = Reader::new(&bytes);
            Sessions::decode(&mut reader);
            assert!(reader.end().is_err(), "{cut}");
        }
    }
}
