//! One shard: a store of its own, with its sessions and its clock, so that all of it moves together.
//!
//! ```text
//!            adopt           freeze            the taker has it
//!   Serving ───────▶ Leaving ───────▶ Frozen ──────────────────▶ (deleted)
//!      ▲               serves on
//!      └── Arriving ◀─ adopt, as the taker: filled by pieces, served with the last one
//! ```

use core::cell::Cell;

use bytes::Bytes;
use quorate_kv::{self as kv, Kv, KvDelta, KvSnapshot};
use quorate_rsm::wire::{Reader, Writer};
use quorate_rsm::{Admission, ApplyContext, SessionId, SessionLimits, Sessions, StateMachine};

use crate::arrival::{Arrival, Arrived};
use crate::config::GroupId;
use crate::protocol::{Body, Reply};
use crate::stream::{Part, Stream};

/// A shard of a group.
pub(crate) struct Shard {
    pub(crate) kv: Kv,
    pub(crate) clients: Clients,
    /// The shard's time less the group's, in milliseconds: each group counts from another beginning.
    pub(crate) offset_ms: i64,
    pub(crate) phase: Phase,
    /// Not part of the state: each node counts for itself.
    pub(crate) load: Cell<Load>,
}

/// What clients had a shard do on this node, since it arrived, the node started, or a snapshot came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Executed from the log, repetitions and what sessions ask for included.
    pub commands: u64,
    /// Answered here. Of a watch each answer, not the wait for it.
    pub queries: u64,
}

/// The sessions of a shard.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) sessions: Sessions,
    /// Of the last session that was opened: no two of a shard are equal, wherever it goes.
    pub(crate) last: u64,
}

/// Where a shard stands between groups.
pub(crate) enum Phase {
    /// It is served here, and stays.
    Serving,
    /// It is served here, while another group copies it.
    Leaving { to: GroupId, marks: Vec<Mark> },
    /// It is served nowhere, until the other group has the rest.
    Frozen(Box<Frozen>),
    /// It is not served yet.
    Arriving(Box<Arrival>),
}

pub(crate) struct Frozen {
    pub(crate) to: GroupId,
    /// The shard's time, which stands still.
    pub(crate) time_ms: u64,
    pub(crate) mark: u64,
    /// The shard's time and sessions, as they travel.
    pub(crate) head: Bytes,
    /// What the taker lacks, if it has the mark that is named. Not part of the state: a node that
    /// comes from a snapshot has it no more, and gives the whole shard instead.
    pub(crate) since: Option<(u64, KvDelta)>,
}

/// The shard as of one entry. Not part of the state: a node that comes from a snapshot has none.
pub(crate) struct Mark {
    id: u64,
    state: KvSnapshot,
    since: Option<(u64, KvDelta)>,
}

/// What a shard keeps of the past at least, where there are many.
const PAST_BYTES_MIN: u64 = 256 << 10;

/// Bounds on the sessions of a shard.
const LIMITS: SessionLimits = SessionLimits {
    max_sessions: 4_096,
    ttl_ms: 3_600_000,
    window: 1_024,
    window_bytes: 4 << 20,
    max_bytes: 16 << 20,
};

impl Shard {
    /// A shard that nobody has had before, one of so many: what all keep of the past is bounded together.
    pub(crate) fn first(context: &ApplyContext, shards: usize) -> Self {
        let mut shard = Self::new(Phase::Serving);
        let retention = kv::Command::SetRetention {
            revisions: kv::RETENTION_REVISIONS,
            ms: 0,
            bytes: (kv::RETENTION_BYTES / shards.max(1) as u64).max(PAST_BYTES_MIN),
        };
        shard.kv.apply(context, &retention.encode());
        shard
    }

    /// A shard of which nothing is here yet.
    pub(crate) fn new(phase: Phase) -> Self {
        Self {
            kv: Kv::new(),
            clients: Clients::default(),
            offset_ms: 0,
            phase,
            load: Cell::default(),
        }
    }

    pub(crate) fn is_served(&self) -> bool {
        matches!(self.phase, Phase::Serving | Phase::Leaving { .. })
    }

    /// The group's time from which on [`Shard::tick`] has something to do.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let due = self.kv.due_ms().filter(|_| self.is_served())?;
        Some(shift(due, self.offset_ms.saturating_neg()))
    }

    pub(crate) fn tick(&mut self, context: &ApplyContext) {
        if self.is_served() {
            self.kv.tick(&self.here(context));
        }
    }

    /// Does what a client asks, of a shard that is served.
    pub(crate) fn request(&mut self, context: &ApplyContext, body: Body) -> Reply {
        self.load.get_mut().commands += 1;
        let context = self.here(context);
        let Clients { sessions, last } = &mut self.clients;
        match body {
            Body::Open => {
                *last += 1;
                sessions.open(SessionId(*last), context.time_ms, &LIMITS);
                Reply::Done(Bytes::copy_from_slice(&last.to_le_bytes()))
            }
            Body::Close { session } => {
                sessions.close(session);
                Reply::Done(Bytes::new())
            }
            Body::Write {
                session,
                sequence,
                acknowledged,
                command,
            } => match sessions.admit(session, sequence, acknowledged, context.time_ms, &LIMITS) {
                Admission::Repeated(reply) => Reply::Done(reply),
                Admission::Refused(error) => Reply::Refused(error),
                Admission::Apply => {
                    let reply = self.kv.apply(&context, &command);
                    sessions.record(session, sequence, reply.clone(), &LIMITS);
                    Reply::Done(reply)
                }
            },
        }
    }

    /// Answers a query of the store, of a shard that is served.
    pub(crate) fn query(&self, query: &Bytes) -> Reply {
        self.answered(self.kv.query(query))
    }

    /// The same, of one that waits: `None` until there is something to say.
    pub(crate) fn poll(&self, query: &Bytes) -> Option<Reply> {
        Some(self.answered(self.kv.poll(query)?))
    }

    fn answered(&self, reply: Bytes) -> Reply {
        let mut load = self.load.get();
        load.queries += 1;
        self.load.set(load);
        Reply::Done(reply)
    }

    /// Remembers the shard as of now, for a taker that has it up to `base`.
    pub(crate) fn mark(&mut self, id: u64, base: Option<u64>) {
        let state = self.kv.snapshot();
        if let Phase::Leaving { marks, .. } = &mut self.phase {
            let since = since(marks, base, &state);
            // The taker has no other than this one; a mark that was asked for twice is not used.
            marks.retain(|mark| Some(mark.id) == base);
            marks.push(Mark { id, state, since });
        }
    }

    /// Serves no longer. It moves as it is now, and its time stands still.
    pub(crate) fn freeze(&mut self, context: &ApplyContext, base: Option<u64>) {
        let time_ms = self.here(context).time_ms;
        if let Phase::Leaving { to, marks } = &self.phase {
            self.phase = Phase::Frozen(Box::new(Frozen {
                to: *to,
                time_ms,
                mark: context.index.0,
                head: self.clients.written(time_ms),
                since: since(marks, base, &self.kv.snapshot()),
            }));
        }
    }

    /// What leads a taker to a mark, if this node still holds it.
    pub(crate) fn copy(&self, mark: u64, base: Option<u64>) -> Option<Stream> {
        let (head, state, since) = match &self.phase {
            Phase::Leaving { marks, .. } => {
                let mark = marks.iter().find(|it| it.id == mark)?;
                (Bytes::new(), mark.state.clone(), &mark.since)
            }
            Phase::Frozen(frozen) if frozen.mark == mark => {
                (frozen.head.clone(), self.kv.snapshot(), &frozen.since)
            }
            Phase::Frozen(_) | Phase::Serving | Phase::Arriving(_) => return None,
        };
        let part = match (base, since) {
            (None, _) => Part::State(Box::new(state)),
            (Some(base), Some((from, change))) if base == *from => {
                Part::Change(Box::new(change.clone()))
            }
            (Some(_), _) => return None,
        };
        let mut stream = Stream::default();
        stream.push(Part::Bytes(head));
        stream.push(part);
        Some(stream)
    }

    /// It has arrived, and is served from now on.
    pub(crate) fn arrive(&mut self, context: &ApplyContext, arrived: Arrived) {
        let Arrived {
            kv,
            clients,
            time_ms,
        } = arrived;
        *self = Self {
            kv,
            clients,
            offset_ms: time_ms.cast_signed() - context.time_ms.cast_signed(),
            phase: Phase::Serving,
            load: Cell::default(),
        };
    }

    /// The same moment by the shard's clock.
    fn here(&self, context: &ApplyContext) -> ApplyContext {
        ApplyContext {
            time_ms: shift(context.time_ms, self.offset_ms),
            ..*context
        }
    }
}

impl Clients {
    /// What travels at the end, before the store: the shard's time, and its sessions.
    pub(crate) fn written(&self, time_ms: u64) -> Bytes {
        let mut body = Writer::new();
        body.number(time_ms);
        body.number(self.last);
        self.sessions.encode(&mut body);
        let body = body.finish();
        let mut writer = Writer::with_capacity(body.len() + 4);
        writer.raw(&(body.len() as u32).to_le_bytes());
        writer.raw(&body);
        Bytes::from(writer.finish())
    }

    /// Reads what follows the length; none if that is not what was written.
    pub(crate) fn read(body: &Bytes) -> Option<(u64, Self)> {
        let mut reader = Reader::new(body);
        let (time_ms, last) = (reader.number(), reader.number());
        let sessions = Sessions::decode(&mut reader);
        reader.end().ok()?;
        // As log time, of which differences are taken.
        let is_possible = time_ms <= i64::MAX as u64;
        is_possible.then_some((time_ms, Self { sessions, last }))
    }
}

/// What has changed since the mark that a taker has, if it is known.
fn since(marks: &[Mark], base: Option<u64>, now: &KvSnapshot) -> Option<(u64, KvDelta)> {
    let base = marks.iter().find(|mark| Some(mark.id) == base)?;
    Some((base.id, KvDelta::between(&base.state, now)))
}

fn shift(time_ms: u64, by: i64) -> u64 {
    time_ms.saturating_add_signed(by)
}
