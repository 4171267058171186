//! Sessions: what makes a write take effect exactly once (thesis §6.3).
//!
//! The table is part of the replicated state and of every snapshot, and it changes only by what the
//! log says: commands, and the log's own time. So a retry is recognized by any leader, after any
//! restart, and a session expires at the same entry everywhere.
//!
//! A client may have several commands under way; it tells with each up to where it has the answers.
//! Replies above that are kept, within a window.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::machine::BadSnapshot;
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
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 4_096,
            ttl_ms: 3_600_000,
            window: 1_024,
        }
    }
}

/// What to do with a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is new: apply it, and record the reply.
    Apply,
    /// It was applied before, with this reply.
    Repeated(Bytes),
    /// It must not be applied.
    Refused(RequestError),
}

/// The replicated table. Cloning shares the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    table: BTreeMap<SessionId, Arc<Session>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Session {
    /// Log time of its last command.
    active_ms: u64,
    /// The client has the answers up to here.
    acknowledged: u64,
    /// Answers above that. Invariant: keys in `(acknowledged, acknowledged + window]`.
    replies: BTreeMap<u64, Bytes>,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn open(&mut self, id: SessionId, time_ms: u64, limits: &SessionLimits) {
        self.table
            .retain(|_, session| !session.is_expired(time_ms, limits));
        while self.table.len() >= limits.max_sessions.max(1) {
            let silent = self
                .table
                .iter()
                .min_by_key(|(id, session)| (session.active_ms, **id));
            let id = *silent.expect("the table is not empty").0;
            self.table.remove(&id);
        }
        self.table.insert(
            id,
            Arc::new(Session {
                active_ms: time_ms,
                ..Session::default()
            }),
        );
    }

    pub(crate) fn close(&mut self, id: SessionId) {
        self.table.remove(&id);
    }

    /// Decides on a write, and forgets what `acknowledged` allows to forget.
    pub(crate) fn admit(
        &mut self,
        id: SessionId,
        sequence: u64,
        acknowledged: u64,
        time_ms: u64,
        limits: &SessionLimits,
    ) -> Admission {
        if self
            .table
            .get(&id)
            .is_none_or(|session| session.is_expired(time_ms, limits))
        {
            self.table.remove(&id);
            return Admission::Refused(RequestError::SessionExpired);
        }
        let session = self
            .table
            .get_mut(&id)
            .map(Arc::make_mut)
            .expect("looked up above");
        session.active_ms = session.active_ms.max(time_ms);
        if acknowledged > session.acknowledged && acknowledged < sequence {
            session.acknowledged = acknowledged;
            session.replies = session.replies.split_off(&(acknowledged + 1));
        }
        if sequence <= session.acknowledged || sequence - session.acknowledged > limits.window {
            return Admission::Refused(RequestError::WindowExceeded);
        }
        match session.replies.get(&sequence) {
            Some(reply) => Admission::Repeated(reply.clone()),
            None => Admission::Apply,
        }
    }

    /// Keeps the reply to a write that was just admitted.
    pub(crate) fn record(&mut self, id: SessionId, sequence: u64, reply: Bytes) {
        if let Some(session) = self.table.get_mut(&id).map(Arc::make_mut) {
            session.replies.insert(sequence, reply);
        }
    }

    /// The reply to a write that was applied before.
    pub(crate) fn reply(&self, id: SessionId, sequence: u64) -> Option<&Bytes> {
        self.table.get(&id)?.replies.get(&sequence)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.number(self.table.len() as u64);
        for (id, session) in &self.table {
            writer.number(id.0);
            writer.number(session.active_ms);
            writer.number(session.acknowledged);
            writer.number(session.replies.len() as u64);
            for (sequence, reply) in &session.replies {
                writer.number(*sequence);
                writer.bytes(reply);
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, BadSnapshot> {
        const BAD: BadSnapshot = BadSnapshot("the session table is malformed");
        let number = |reader: &mut Reader| reader.number().map_err(|_| BAD);
        let mut table = BTreeMap::new();
        for _ in 0..number(reader)? {
            let id = SessionId(number(reader)?);
            let mut session = Session {
                active_ms: number(reader)?,
                acknowledged: number(reader)?,
                replies: BTreeMap::new(),
            };
            for _ in 0..number(reader)? {
                let sequence = number(reader)?;
                session
                    .replies
                    .insert(sequence, reader.bytes().map_err(|_| BAD)?);
            }
            table.insert(id, Arc::new(session));
        }
        Ok(Self { table })
    }
}

impl Session {
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
        sessions.record(ID, 1, Bytes::from_static(b"one"));
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
            sessions.record(ID, sequence, Bytes::new());
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
    fn table_survives_its_encoding() {
        let mut sessions = opened();
        assert_eq!(admit(&mut sessions, 2, 1, 150), Admission::Apply);
        sessions.record(ID, 2, Bytes::from_static(b"two"));
        sessions.open(SessionId(300), 200, &LIMITS);
        let mut writer = Writer::new();
        sessions.encode(&mut writer);
        let bytes = Bytes::from(writer.finish());
        assert_eq!(
            Sessions::decode(&mut Reader::new(bytes.clone())),
            Ok(sessions)
        );
        for cut in 0..bytes.len() {
            assert!(Sessions::decode(&mut Reader::new(bytes.slice(..cut))).is_err());
        }
    }
}
