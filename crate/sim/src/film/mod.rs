//! What a world looked like, and what happened in it, for those who watch: rows that say all that changed, event by event. A world that
//! nobody watches has no film, and pays nothing; one that is filmed lives exactly the same life.
//!
//! Messages are told one by one, though several may travel in one frame. One that comes to a node that is paused or busy has landed, and
//! waits: when it is taken is told by another line. A node that does not run is shown as its disk would let it begin again.

pub mod board;
pub(crate) mod dialect;
pub(crate) mod reel;
pub mod rows;
pub mod why;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_raft::{ConfState, Message, NodeId};

use crate::network::{Address, Payload};
use crate::rules::Tampered;
use dialect::Dialect;
use rows::{Chunk, FlightRow, LandingRow, LinkPicture, NodePicture, OperationRow};

/// So many lines are kept of what nobody took: what comes after them is not told. Fewer in tests, which would take long.
pub(crate) const LINES_MAX: usize = if cfg!(test) { 20_000 } else { 400_000 };

/// How the way of a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody gets it.
    Lost,
    /// Its node does something else, or nothing.
    Waits,
    /// Whoever it is for has it.
    Taken,
}

/// What is kept between two events, and the rows that nobody took yet.
#[derive(Debug, Default)]
pub struct Film {
    /// The event under way.
    pub(crate) event: u64,
    /// Rows.
    pub(crate) chunk: Chunk,
    /// Messages so far.
    flights: u64,
    /// Those under way between nodes.
    open: BTreeMap<u64, Message>,
    /// The first message of each frame of which a line of this event tells, in their order; and whether it waits.
    pub(crate) told: VecDeque<(u64, bool)>,
    /// The first message of each frame that waits at its node.
    waiting: BTreeSet<u64>,
    /// Frames that a busy node took in this event: its number, their first message, and what is in them.
    pub(crate) taken: Vec<(NodeId, u64, String)>,
    /// What nodes took in this event.
    pub(crate) heard: Vec<Message>,
    /// The nodes as they were told last.
    pub(crate) pictures: BTreeMap<NodeId, NodePicture>,
    /// When election timers fire, and when they were set, in microseconds.
    pub(crate) timers: BTreeMap<NodeId, (u64, u64)>,
    /// The membership, as the latest leader has it.
    pub(crate) members: Option<Arc<ConfState>>,
    /// The links with a fault, as they were told last.
    pub(crate) links: Vec<LinkPicture>,
    /// Delays and losses that somebody asked for.
    pub(crate) tampered: Tampered,
    /// The language of the machine.
    pub(crate) dialect: Dialect,
    /// Clients with smaller numbers call by themselves; the others do what they are told.
    pub(crate) told_from: u64,
    /// All calls.
    pub(crate) operations: Vec<OperationRow>,
    /// When the store came to its revisions.
    revisions: Vec<(u64, u64)>,
}

impl Film {
    /// Whether nobody took anything for long.
    pub(crate) fn is_full(&self) -> bool {
        self.chunk.events.len() >= LINES_MAX
    }

    /// A frame is sent. The numbers of its messages: the first, and how many.
    pub(crate) fn sent(
        &mut self,
        now: u64,
        (from, to): (Address, Address),
        payload: &Payload,
        (arrives, lost): (u64, bool),
    ) -> (u64, u64) {
        let first = self.flights + 1;
        let dialect = &self.dialect;
        let mut rows: Vec<FlightRow> = match payload {
            Payload::Messages(messages) => messages
                .iter()
                .map(|it| words::message(it, dialect))
                .collect(),
            Payload::Requests(requests) => requests
                .iter()
                .map(|it| words::request(it, dialect))
                .collect(),
            Payload::Replies(replies) => replies
                .iter()
                .map(|it| words::answer(it, dialect))
                .collect(),
        };
        let node = |address| match address {
            Address::Node(id) => id.0,
            Address::Client(id) => (dialect.host)(id).map_or(0, |host| host.0),
        };
        for row in &mut rows {
            self.flights += 1;
            (row.id, row.event) = (self.flights, self.event);
            (row.from, row.to) = (node(from), node(to));
            (row.sent_at, row.arrives_at) = (millis(now), millis(arrives));
            row.lost = lost;
        }
        if let (Payload::Messages(messages), false) = (payload, lost) {
            self.open.extend((first..).zip(messages.iter().cloned()));
        }
        if lost {
            self.told.push_back((first, false));
        }
        let count = rows.len() as u64;
        // Messages have their numbers whether or not they are told.
        if !self.is_full() {
            self.chunk.flights.extend(rows);
        }
        (first, count)
    }

    /// A frame comes to its end, or once more to that of a node where it waited.
    pub(crate) fn landed(&mut self, now: u64, flights: (u64, u64), end: End) {
        let (first, count) = flights;
        self.told.push_back((first, end == End::Waits));
        if !self.waiting.remove(&first) {
            let landing = |flight| LandingRow {
                flight,
                event: self.event,
                at: millis(now),
                fate: if end == End::Lost { "lost" } else { "arrived" },
            };
            self.chunk
                .landings
                .extend((first..first + count).map(landing));
        }
        match end {
            End::Lost => self.forget(flights),
            End::Waits => {
                self.waiting.insert(first);
            }
            End::Taken => self.hear(flights),
        }
    }

    /// A busy node takes a frame that waited.
    pub(crate) fn took(&mut self, id: NodeId, flights: (u64, u64), text: String) {
        self.waiting.remove(&flights.0);
        self.taken.push((id, flights.0, text));
        self.hear(flights);
    }

    fn hear(&mut self, (first, count): (u64, u64)) {
        let messages = (first..first + count).filter_map(|flight| self.open.remove(&flight));
        self.heard.extend(messages);
    }

    fn forget(&mut self, (first, count): (u64, u64)) {
        for flight in first..first + count {
            self.open.remove(&flight);
        }
    }

    /// Whether a node gives another a pre-vote in this event.
    pub(crate) fn grants(&self, from: NodeId, to: NodeId) -> bool {
        let sent = self.chunk.flights.iter().rev();
        let mut sent = sent.take_while(|flight| flight.event == self.event);
        let ends = (from.0, to.0);
        sent.any(|flight| {
            let gives = flight.kind == "preVote" && flight.answer && !flight.refuses;
            gives && (flight.from, flight.to) == ends
        })
    }

    /// A client begins a call.
    pub(crate) fn called(&mut self, now: u64, id: u64, client: u64, key: String, text: String) {
        let row = OperationRow {
            id,
            client,
            key,
            text,
            answer: None,
            state: "open",
            called_at: now,
            called_event: self.event,
            ended_at: None,
            ended_event: None,
            point: None,
            event: self.event,
        };
        self.operations.push(row);
        self.tell(id);
    }

    /// A command took effect.
    pub(crate) fn executed(&mut self, now: u64, id: u64) {
        let event = self.event;
        if let Some(row) = self.operation(id).filter(|row| row.point.is_none()) {
            row.point = Some(now);
            // One that was given up is known to have taken effect from now on.
            let late = row.ended_event.is_some_and(|ended| ended < event);
            row.point = row.point.filter(|_| !late);
            self.tell(id);
        }
    }

    /// The store has come to a revision.
    pub(crate) fn revised(&mut self, now: u64, revision: u64) {
        if self
            .revisions
            .last()
            .is_none_or(|(last, _)| *last < revision)
        {
            self.revisions.push((revision, now));
        }
    }

    /// A call ends; `revision` is the one at which a read looked.
    pub(crate) fn ended(
        &mut self,
        now: u64,
        id: u64,
        state: &'static str,
        answer: Option<String>,
        revision: Option<u64>,
    ) {
        let event = self.event;
        let since = revision.and_then(|revision| self.since(revision));
        if let Some(row) = self.operation(id) {
            (row.state, row.answer) = (state, answer);
            (row.ended_at, row.ended_event) = (Some(now), Some(event));
            if let Some((from, to)) = since {
                let point = from.max(row.called_at);
                // A read that is stale looked at what was over before it began.
                row.point = (to > row.called_at && point <= now).then_some(point);
            }
            self.tell(id);
        }
    }

    /// From when to when the store was at a revision.
    fn since(&self, revision: u64) -> Option<(u64, u64)> {
        let at = self
            .revisions
            .partition_point(|(known, _)| *known < revision);
        let from = match self.revisions.get(at) {
            Some((known, at)) if *known == revision => *at,
            _ if revision == 0 => 0,
            _ => return None,
        };
        let next = self.revisions.get(at + usize::from(revision > 0));
        Some((from, next.map_or(u64::MAX, |(_, at)| *at)))
    }

    fn operation(&mut self, id: u64) -> Option<&mut OperationRow> {
        self.operations
            .get_mut(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// A call is otherwise than before. Each is told once in a chunk, as it is then.
    fn tell(&mut self, id: u64) {
        let event = self.event;
        if let Some(row) = self.operation(id) {
            row.event = event;
            let row = row.clone();
            self.chunk.operations.push(row);
        }
    }
}

/// Microseconds in milliseconds.
pub(crate) fn millis(at: u64) -> f64 {
    at as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use quorate_raft::NodeId;

    use super::*;
    use crate::film::rows::EventRow;

    #[test]
    fn a_full_film_counts_messages_all_the_same() {
        let line = EventRow {
            event: 1,
            at: 0,
            kind: "timer",
            node: 1,
            client: 0,
            flight: None,
            text: String::new(),
            why: None,
        };
        let ends = (Address::Node(NodeId(1)), Address::Node(NodeId(2)));
        let message = Message {
            from: NodeId(1),
            to: NodeId(2),
            term: quorate_raft::Term(1),
            storage: crate::process::storage_of(NodeId(1)),
            body: quorate_raft::Body::TimeoutNow,
        };
        let payload = Payload::Messages(vec![message.clone(), message]);
        let mut film = Film::default();
        assert_eq!(film.sent(0, ends, &payload, (1, false)), (1, 2));
        film.chunk.events = vec![line; LINES_MAX];
        assert_eq!(film.sent(0, ends, &payload, (1, false)), (3, 2));
        assert_eq!(film.chunk.flights.len(), 2, "and tells of none");
        film.landed(0, (3, 2), End::Taken);
        assert_eq!(film.heard.len(), 2);
        film.chunk.events.clear();
        assert_eq!(film.sent(0, ends, &payload, (1, false)), (5, 2));
    }
}
