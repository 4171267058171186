//! The other end of a [`crate::Node`]: finds the leader, retries, and makes each write take effect
//! once. As pure as the node.
//!
//! A call ends by its deadline, always. Until then it is retried: after a refusal, after the loss
//! of a node, after a silence. A write keeps its session and sequence number over all attempts, so
//! that it takes effect once; a call that ends without an answer says whether it may have.

mod open;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use quorate_raft::{Instant, MAX_MEMBERS, NodeId, Random, Table};

use crate::call::{Call, CallError, CallId, ClientConfig, ClientInput, ClientOutput, Outcome};
use crate::request::{Reply, Request, RequestBody, RequestError, RequestId, SessionId};

use open::{Attempt, Open, OpenKind};

/// A client of one cluster.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    now: Instant,
    random: Random,
    closed: bool,
    up: Table<NodeId, ()>,
    /// When each node last answered.
    heard: Table<NodeId, Instant>,
    /// Who is believed to lead, or worth a try.
    target: Option<NodeId>,
    /// Refusals and silences since the last success.
    failures: u32,
    /// Nothing is sent before this.
    pause_until: Instant,
    session: Session,
    calls: Table<CallId, Open>,
    /// Bytes of all open calls, and of those with an attempt under way.
    open_bytes: usize,
    sent_bytes: usize,
    /// Calls to be sent, oldest first.
    queue: Table<CallId, ()>,
    /// When calls end, and when attempts do: apart, each comes mostly in order.
    deadlines: Table<(Instant, CallId), ()>,
    expiries: Table<(Instant, CallId), ()>,
    /// The latest attempts of every open call.
    requests: Table<RequestId, CallId>,
    next_call: u64,
    next_request: u64,
    outputs: VecDeque<ClientOutput>,
}

#[derive(Debug)]
enum Session {
    Closed,
    Opening,
    Open(Numbers),
}

/// Sequence numbers of a session.
#[derive(Debug)]
struct Numbers {
    id: SessionId,
    next: u64,
    /// Given out and not answered.
    open: Table<u64, ()>,
}

impl Session {
    /// What to ask for a call, if it can be asked now.
    fn request(&mut self, kind: &mut OpenKind, window: u64) -> Option<RequestBody> {
        match kind {
            OpenKind::OpenSession => Some(RequestBody::OpenSession),
            OpenKind::Read { query, at } => Some(RequestBody::Read {
                query: query.clone(),
                at: *at,
            }),
            OpenKind::Propose { command } => Some(RequestBody::Propose {
                command: command.clone(),
            }),
            OpenKind::Write { command, number } => {
                let Self::Open(numbers) = self else {
                    return None;
                };
                let (session, sequence) = match *number {
                    Some(number) => number,
                    None if numbers.next - numbers.acknowledged() > window => return None,
                    None => {
                        numbers.open.insert(numbers.next, ());
                        numbers.next += 1;
                        (numbers.id, numbers.next - 1)
                    }
                };
                *number = Some((session, sequence));
                Some(RequestBody::Write {
                    session,
                    sequence,
                    acknowledged: numbers.acknowledged(),
                    command: command.clone(),
                })
            }
        }
    }
}

impl Numbers {
    /// Everything up to here was answered.
    fn acknowledged(&self) -> u64 {
        self.open.first().map_or(self.next, |(first, ())| first) - 1
    }
}

/// The client's own call for a session.
const OPEN_SESSION: CallId = CallId(0);

/// Of so many attempts of a call, the latest, a late answer is taken: a call may last for days, and
/// where nobody leads it makes ten attempts in a second.
const ATTEMPTS_KNOWN: usize = 64;

impl Client {
    /// A client that has nothing to do yet. `seed` decides whom it tries first and how long it pauses.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64) -> Self {
        let up = config.nodes.iter().map(|node| (*node, ())).collect();
        Self {
            config,
            now: Instant::default(),
            random: Random::new(seed),
            closed: false,
            up,
            heard: Table::default(),
            target: None,
            failures: 0,
            pause_until: Instant::default(),
            session: Session::Closed,
            calls: Table::default(),
            open_bytes: 0,
            sent_bytes: 0,
            queue: Table::default(),
            deadlines: Table::default(),
            expiries: Table::default(),
            requests: Table::default(),
            next_call: 1,
            next_request: 1,
            outputs: VecDeque::new(),
        }
    }

    /// Begins a call; [`ClientOutput::Done`] ends it, at the latest at `deadline`.
    ///
    /// # Errors
    /// `TooManyCalls`, or `Closed`: nothing was begun.
    pub fn call(
        &mut self,
        now: Instant,
        call: Call,
        deadline: Instant,
    ) -> Result<CallId, CallError> {
        self.now = self.now.max(now);
        if self.closed {
            return Err(CallError::Closed {
                outcome: Outcome::NotApplied,
            });
        }
        let (Call::Write(body)
        | Call::Propose(body)
        | Call::Read(body)
        | Call::ReadAt { query: body, .. }) = &call;
        let room = self
            .config
            .max_pending_bytes
            .saturating_sub(self.open_bytes);
        if self.calls.len() >= self.config.max_pending || self.open_bytes > 0 && body.len() > room {
            return Err(CallError::TooManyCalls);
        }
        let id = CallId(self.next_call);
        self.next_call += 1;
        let kind = match call {
            Call::Write(command) => OpenKind::Write {
                command,
                number: None,
            },
            Call::Propose(command) => OpenKind::Propose { command },
            Call::Read(query) => OpenKind::Read {
                query,
                at: self.config.read_at,
            },
            Call::ReadAt { query, at } => OpenKind::Read { query, at },
        };
        self.begin(id, kind, deadline);
        Ok(id)
    }

    /// Takes one event. Drain [`Client::poll_output`] afterwards.
    pub fn handle(&mut self, now: Instant, input: ClientInput) {
        self.now = self.now.max(now);
        match input {
            ClientInput::Reply { from, reply } => self.handle_reply(from, reply),
            ClientInput::NodeUp { node } => {
                if self.up.len() < MAX_MEMBERS && self.up.insert(node, ()).is_none() {
                    self.pause_until = self.now;
                }
            }
            ClientInput::NodeDown { node } => self.handle_node_down(node),
            ClientInput::Leads { node } => {
                if self.up.has(node) {
                    self.target = Some(node);
                    self.failures = 0;
                    self.pause_until = self.now;
                }
            }
            ClientInput::Cancel { call } => {
                self.fail(call, |outcome| CallError::Cancelled { outcome });
            }
            ClientInput::TimerFired => self.handle_timer(),
            ClientInput::Close => self.close(),
        }
    }

    /// The next effect; `None` when drained.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front().or_else(|| self.poll_send())
    }

    /// When [`ClientInput::TimerFired`] is next due. A later or an earlier one does no harm.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let timer = self.next_timer().map_or(Instant::NEVER, |(at, _)| at);
        // With no node up there is nothing to wake for but the deadlines.
        if self.queue.is_empty() || self.up.is_empty() || self.pause_until <= self.now {
            timer
        } else {
            timer.min(self.pause_until)
        }
    }

    /// Calls that have not ended.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.calls.len() - usize::from(self.calls.has(OPEN_SESSION))
    }

    fn begin(&mut self, id: CallId, kind: OpenKind, deadline: Instant) {
        self.open_bytes += kind.bytes();
        let open = Open {
            kind,
            deadline,
            attempt: None,
            requests: Vec::new(),
            uncertain: false,
        };
        self.calls.insert(id, open);
        self.deadlines.insert((deadline, id), ());
        self.queue.insert(id, ());
    }

    fn poll_send(&mut self) -> Option<ClientOutput> {
        if self.queue.is_empty() || self.now < self.pause_until {
            return None;
        }
        let to = self.choose_target()?;
        let (timeout, park_timeout) = (self.config.attempt_timeout, self.config.park_timeout);
        let queued: Vec<CallId> = self.queue.keys().collect();
        let mut requests = Vec::new();
        for call in queued {
            let open = self.calls.get_mut(call).expect("what is queued is open");
            let bytes = open.kind.bytes();
            if self.sent_bytes > 0
                && self.sent_bytes.saturating_add(bytes) > self.config.window_bytes
            {
                break; // In order, so that small calls do not hold up a large one for ever.
            }
            let Some(body) = self.session.request(&mut open.kind, self.config.window) else {
                continue; // A write that waits for the session or the window.
            };
            let request = RequestId(self.next_request);
            self.next_request += 1;
            self.queue.remove(call);
            self.requests.insert(request, call);
            let parked = if open.kind.is_watch() {
                park_timeout
            } else {
                Duration::ZERO
            };
            let expires = self.now.after(timeout.saturating_add(parked));
            self.expiries.insert((expires, call), ());
            open.attempt = Some(Attempt {
                request,
                to,
                began: self.now,
                expires,
            });
            self.sent_bytes += bytes;
            if open.requests.len() == ATTEMPTS_KNOWN {
                self.requests.remove(open.requests.remove(0));
            }
            open.requests.push(request);
            requests.push(Request { id: request, body });
        }
        if matches!(self.session, Session::Closed) && !self.queue.is_empty() {
            self.session = Session::Opening;
            self.begin(OPEN_SESSION, OpenKind::OpenSession, Instant::NEVER);
            if requests.is_empty() {
                return self.poll_send();
            }
        }
        (!requests.is_empty()).then_some(ClientOutput::Send { to, requests })
    }

    fn handle_reply(&mut self, from: NodeId, reply: Reply) {
        self.heard.insert(from, self.now);
        let Some(&call) = self.requests.get(reply.id) else {
            return; // Of a call that has ended.
        };
        let open = self
            .calls
            .get_mut(call)
            .expect("a known request is of an open call");
        let error = match reply.result {
            Ok(data) => {
                if !open.kind.is_for_any_node() {
                    self.failures = 0;
                    self.target = Some(from);
                }
                return self.succeed(call, data);
            }
            Err(error) => error,
        };
        if open
            .attempt
            .is_none_or(|attempt| attempt.request != reply.id)
        {
            return; // A late refusal of an earlier attempt.
        }
        match error {
            RequestError::NotLeader { hint } => self.redirect(call, from, hint),
            RequestError::LeadershipLost { hint } => {
                open.uncertain = true;
                self.redirect(call, from, hint);
            }
            RequestError::Overloaded | RequestError::WindowExceeded => {
                self.requeue(call);
                self.pause();
            }
            RequestError::SessionExpired => self.handle_session_expired(call),
            RequestError::TooLarge { limit } => {
                self.requeue(call);
                self.fail(call, |outcome| CallError::TooLarge { limit, outcome });
            }
        }
    }

    fn succeed(&mut self, call: CallId, data: Bytes) {
        if call != OPEN_SESSION {
            return self.finish(call, Ok(data));
        }
        self.forget(call);
        self.session = match <[u8; 8]>::try_from(&data[..]) {
            Ok(id) => Session::Open(Numbers {
                id: SessionId(u64::from_le_bytes(id)),
                next: 1,
                open: Table::default(),
            }),
            Err(_) => Session::Closed,
        };
    }

    /// `from` does not lead. The first to say so moves the target; the rest follow.
    fn redirect(&mut self, call: CallId, from: NodeId, hint: Option<NodeId>) {
        self.requeue(call);
        if self.target != Some(from) {
            return;
        }
        let hint = hint.filter(|node| *node != from && self.up.has(*node));
        self.target = hint.or_else(|| self.next_after(from));
        self.failures += 1;
        // A hint is worth following at once; a second one in a row may be a circle.
        if hint.is_none() || self.failures > 1 {
            self.pause();
        }
    }

    fn handle_session_expired(&mut self, call: CallId) {
        let Some(Open {
            kind: OpenKind::Write { number, .. },
            uncertain,
            ..
        }) = self.calls.get_mut(call)
        else {
            return;
        };
        let expired = number.take().map(|(session, _)| session);
        let uncertain = *uncertain;
        if let Session::Open(numbers) = &self.session
            && expired == Some(numbers.id)
        {
            self.session = Session::Closed;
        }
        if uncertain {
            let outcome = Outcome::Unknown;
            self.finish(call, Err(CallError::SessionExpired { outcome }));
        } else {
            self.requeue(call);
        }
    }

    fn handle_node_down(&mut self, node: NodeId) {
        self.up.remove(node);
        if self.target == Some(node) {
            self.target = None;
        }
        let lost: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, open)| open.attempt.is_some_and(|attempt| attempt.to == node))
            .map(|(call, _)| call)
            .collect();
        for call in lost {
            self.give_up_attempt(call);
        }
    }

    fn next_timer(&self) -> Option<(Instant, CallId)> {
        let firsts = [self.deadlines.first(), self.expiries.first()];
        firsts.into_iter().flatten().map(|(timer, ())| timer).min()
    }

    fn handle_timer(&mut self) {
        while let Some((at, call)) = self.next_timer().filter(|(at, _)| *at <= self.now) {
            self.deadlines.remove((at, call));
            self.expiries.remove((at, call));
            let Some(open) = self.calls.get(call) else {
                continue;
            };
            if open.deadline <= self.now {
                let attempt = open.attempt;
                self.fail(call, |outcome| CallError::DeadlineExceeded { outcome });
                self.leave_silent(attempt);
            } else if let Some(attempt) = open.attempt.filter(|attempt| attempt.expires <= at) {
                if self.extend(call, attempt) {
                    continue;
                }
                self.give_up_attempt(call);
                if self.target == Some(attempt.to) {
                    self.target = self.next_after(attempt.to);
                }
            }
        }
    }

    /// Calls may end before attempts do: a node that said nothing to one meanwhile is not asked again,
    /// or a client with short calls would ask it for ever.
    fn leave_silent(&mut self, attempt: Option<Attempt>) {
        if let Some(Attempt { to, began, .. }) = attempt
            && self.target == Some(to)
            && self.heard.get(to).is_none_or(|heard| *heard < began)
        {
            self.target = self.next_after(to);
        }
    }

    /// A node that answers others is slow rather than gone, and more of the same would make it
    /// slower: an attempt there may take up to four times as long. Whether this one may.
    fn extend(&mut self, call: CallId, attempt: Attempt) -> bool {
        let timeout = self.config.attempt_timeout;
        let heard = self.heard.get(attempt.to).copied().unwrap_or_default();
        let expires = heard.after(timeout).min(attempt.began.after(4 * timeout));
        if expires > self.now {
            let open = self
                .calls
                .get_mut(call)
                .expect("an attempt is of an open call");
            open.attempt = Some(Attempt { expires, ..attempt });
            self.expiries.insert((expires, call), ());
        }
        expires > self.now
    }

    fn close(&mut self) {
        self.closed = true;
        let open: Vec<CallId> = self.calls.keys().filter(|id| *id != OPEN_SESSION).collect();
        for call in open {
            self.fail(call, |outcome| CallError::Closed { outcome });
        }
        self.forget(OPEN_SESSION);
        if let (Session::Open(numbers), Some(to)) = (&self.session, self.target) {
            // A courtesy: a session that is not closed expires.
            let body = RequestBody::CloseSession {
                session: numbers.id,
            };
            let requests = vec![Request {
                id: RequestId(self.next_request),
                body,
            }];
            self.outputs.push_back(ClientOutput::Send { to, requests });
        }
        self.session = Session::Closed;
    }

    /// An attempt got no answer; what it did is unknown.
    fn give_up_attempt(&mut self, call: CallId) {
        if let Some(open) = self.calls.get_mut(call) {
            open.uncertain = true;
        }
        self.requeue(call);
    }

    fn requeue(&mut self, call: CallId) {
        if let Some(open) = self.calls.get_mut(call) {
            if let Some(attempt) = open.attempt.take() {
                self.expiries.remove((attempt.expires, call));
                self.sent_bytes -= open.kind.bytes();
            }
            self.queue.insert(call, ());
        }
    }

    fn fail(&mut self, call: CallId, error: impl FnOnce(Outcome) -> CallError) {
        if let Some(open) = self.calls.get(call) {
            let is_write = matches!(open.kind, OpenKind::Write { .. } | OpenKind::Propose { .. });
            let unknown = is_write && (open.uncertain || open.attempt.is_some());
            let outcome = if unknown {
                Outcome::Unknown
            } else {
                Outcome::NotApplied
            };
            self.finish(call, Err(error(outcome)));
        }
    }

    fn finish(&mut self, call: CallId, result: Result<Bytes, CallError>) {
        if self.forget(call) {
            self.outputs.push_back(ClientOutput::Done { call, result });
        }
    }

    /// Removes every trace of a call; whether there was one.
    fn forget(&mut self, call: CallId) -> bool {
        let Some(open) = self.calls.remove(call) else {
            return false;
        };
        self.queue.remove(call);
        self.deadlines.remove((open.deadline, call));
        self.open_bytes -= open.kind.bytes();
        if let Some(attempt) = open.attempt {
            self.sent_bytes -= open.kind.bytes();
            self.expiries.remove((attempt.expires, call));
        }
        for request in open.requests {
            self.requests.remove(request);
        }
        if let (
            OpenKind::Write {
                number: Some((id, sequence)),
                ..
            },
            Session::Open(numbers),
        ) = (open.kind, &mut self.session)
            && id == numbers.id
        {
            numbers.open.remove(sequence);
        }
        true
    }

    fn choose_target(&mut self) -> Option<NodeId> {
        if self.target.is_none_or(|node| !self.up.has(node)) {
            let skip = self.random.below(self.up.len() as u64) as usize;
            self.target = self.up.keys().nth(skip);
        }
        self.target
    }

    /// The next node that is up, around the circle; `node` itself if it is the only one.
    fn next_after(&self, node: NodeId) -> Option<NodeId> {
        let later = self.up.keys().find(|id| *id > node);
        later.or_else(|| self.up.keys().next())
    }

    /// Waits a while: longer with every failure, and with jitter, so that clients do not march in
    /// step.
    fn pause(&mut self) {
        let min = u64::try_from(self.config.backoff_min.as_micros()).unwrap_or(u64::MAX);
        let max = u64::try_from(self.config.backoff_max.as_micros()).unwrap_or(u64::MAX);
        let pause = min
            .saturating_mul(1 << self.failures.min(16))
            .clamp(1, max.max(1));
        let jittered = pause / 2 + self.random.below(pause / 2 + 1);
        self.pause_until = Instant(self.now.0.saturating_add(jittered));
    }
}
