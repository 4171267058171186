//! A user who wants a lock, and does something with it: a lease, a key on it that is created if there
//! is none, and the revision that created it as the token.
//!
//! It holds until its own clock says that the lease may have ended, counted from when it asked for
//! the last sign of life that was confirmed, with as much off as clocks may differ.

use bytes::Bytes;
use quorate_kv::{Command, Compare, KeyRange, Op, Query, Relation, Reply, Target, Txn};
use quorate_raft::{Instant, Random};

use super::Wish;
use super::history::History;
use crate::checker::Violation;
use crate::clock::Clock;
use crate::situation::Situation;
use crate::streams::between;

const LOCK: Bytes = Bytes::from_static(b"lock");

/// Holders name their leases themselves, apart from those of others.
const FIRST_LEASE: u64 = 1_000_000;
const LEASES_EACH: u64 = 1_000_000;

/// Where a holder stands.
#[derive(Debug)]
pub(super) struct Holder {
    number: u64,
    ttl_ms: u64,
    clock: Clock,
    /// How long it believes after a sign of life, by its own clock, in microseconds.
    span: u64,
    leases: u64,
    stage: Stage,
    doing: Doing,
    /// When it asked, by its own clock.
    asked: Instant,
    /// Until when its last change of what is locked takes, in virtual time.
    changing: u64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Nothing,
    Leased {
        lease: u64,
        until: Instant,
    },
    Holds {
        lease: u64,
        until: Instant,
        token: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Doing {
    Grant,
    Take,
    KeepAlive,
    Release,
}

impl Holder {
    pub(super) fn new(number: u64, ttl_ms: u64, drift_ppm: u64, random: &mut Random) -> Self {
        let drift = between(random, 0, 2 * drift_ppm) as i64 - drift_ppm as i64;
        // The leader's clock may be the fastest, its own the slowest; log time is in milliseconds.
        let least = (ttl_ms - 1) * 1_000;
        Self {
            number,
            ttl_ms,
            clock: Clock::new(0, random.below(1 << 40), drift),
            span: least * (1_000_000 - drift_ppm) / (1_000_000 + drift_ppm),
            leases: 0,
            stage: Stage::Nothing,
            doing: Doing::Grant,
            asked: Instant(0),
            changing: 0,
        }
    }

    /// What it asks next, if anything.
    pub(super) fn next(
        &mut self,
        now: u64,
        random: &mut Random,
        history: &mut History,
    ) -> Result<Option<Wish>, Violation> {
        let History { lock, store, .. } = history;
        lock.arrive(now, &mut store.seen)?;
        self.asked = self.clock.local(now);
        match self.stage {
            Stage::Holds { until, .. } if until <= self.asked => {
                history.store.seen.note(Situation::LockTimeOver);
                self.lose(history);
            }
            Stage::Leased { until, .. } if until <= self.asked => self.stage = Stage::Nothing,
            Stage::Nothing | Stage::Leased { .. } | Stage::Holds { .. } => {}
        }
        let (doing, command) = match self.stage {
            Stage::Nothing => {
                self.leases += 1;
                let id = FIRST_LEASE + self.number * LEASES_EACH + self.leases;
                let ttl_ms = self.ttl_ms;
                (Doing::Grant, Command::LeaseGrant { id, ttl_ms })
            }
            Stage::Leased { lease, .. } if random.below(4) > 0 => (Doing::Take, take(lease)),
            Stage::Holds { token, .. } if self.changing <= now && random.below(2) == 0 => {
                let long = self.ttl_ms * 2_000;
                let takes = (random.below(long), random.below(long));
                history.lock.change(now, token, takes);
                self.changing = now + takes.0 + takes.1 + 1;
                return Ok(None);
            }
            Stage::Holds { lease, token, .. } if random.below(6) == 0 => {
                self.lose(history);
                let command = match random.below(2) {
                    0 => Command::LeaseRevoke { id: lease },
                    _ => release(token),
                };
                (Doing::Release, command)
            }
            Stage::Leased { lease: id, .. } | Stage::Holds { lease: id, .. } => {
                (Doing::KeepAlive, Command::LeaseKeepAlive { id })
            }
        };
        self.doing = doing;
        Ok(Some(Wish::Write(command)))
    }

    /// What it asked was answered.
    pub(super) fn answered(
        &mut self,
        now: u64,
        reply: &Reply,
        history: &mut History,
    ) -> Result<(), Violation> {
        let fresh = Instant(self.asked.0 + self.span);
        match (self.doing, self.stage, reply) {
            (Doing::Grant, _, Reply::Lease { id, .. }) => {
                let (lease, until) = (*id, fresh);
                self.stage = Stage::Leased { lease, until };
            }
            (Doing::KeepAlive, Stage::Leased { lease, .. }, Reply::Lease { .. }) => {
                let until = fresh;
                self.stage = Stage::Leased { lease, until };
            }
            (Doing::KeepAlive, Stage::Holds { lease, token, .. }, Reply::Lease { .. }) => {
                self.hold(now, (lease, fresh, token), history)?;
            }
            (Doing::Take, Stage::Leased { lease, until }, Reply::Txn { replies, .. }) => {
                let token = match &replies[..] {
                    [Reply::Put { meta, .. }] => Some(meta.create_revision),
                    // An earlier try, of which nothing was heard.
                    [
                        Reply::Got {
                            record: Some(record),
                            ..
                        },
                    ] if record.meta.lease == lease => Some(record.meta.create_revision),
                    _ => None,
                };
                match token {
                    Some(token) => {
                        self.changing = 0;
                        history.store.seen.note(Situation::LockTaken);
                        self.hold(now, (lease, until, token), history)?;
                    }
                    None => history.store.seen.note(Situation::LockHeldByAnother),
                }
            }
            (Doing::Release, ..) => {}
            // There is no such lease any more.
            (..) => self.lose(history),
        }
        Ok(())
    }

    fn hold(
        &mut self,
        now: u64,
        (lease, until, token): (u64, Instant, u64),
        history: &mut History,
    ) -> Result<(), Violation> {
        self.stage = Stage::Holds {
            lease,
            until,
            token,
        };
        let (belief, seen) = ((self.clock, until), &mut history.store.seen);
        history
            .lock
            .believe(now, (self.number, token), belief, seen)
    }

    fn lose(&mut self, history: &mut History) {
        self.stage = Stage::Nothing;
        history.lock.give_up(self.number);
    }
}

fn is_created_by(revision: u64) -> Vec<Compare> {
    vec![Compare {
        range: KeyRange::single(LOCK),
        relation: Relation::Equal,
        target: Target::CreateRevision(revision),
    }]
}

fn take(lease: u64) -> Command {
    Command::Txn(Box::new(Txn {
        compares: is_created_by(0),
        then: vec![Op::Do(Command::PutWith {
            key: LOCK,
            value: Some(Bytes::new()),
            lease: Some(lease),
            previous: false,
        })],
        otherwise: vec![Op::Ask(Query::Get { key: LOCK })],
    }))
}

fn release(token: u64) -> Command {
    Command::Txn(Box::new(Txn {
        compares: is_created_by(token),
        then: vec![Op::Do(Command::Delete { key: LOCK })],
        otherwise: Vec::new(),
    }))
}
