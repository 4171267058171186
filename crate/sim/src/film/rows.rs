//! The rows of a film: what a page is told of a world. `www/src/sim/chunk.ts` has the same shapes, and says what they mean.

#[cfg(feature = "serde")]
use serde::Serialize;

use super::board::Board;

/// What happened between two moments.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct Chunk {
    /// Virtual time of the last event, in microseconds.
    pub at: u64,
    /// Its number.
    pub count: u64,
    /// A hash of all that happened, as 16 hexadecimal digits.
    pub hash: String,
    /// Lines of the trace.
    pub events: Vec<EventRow>,
    /// Nodes that are otherwise than before.
    pub nodes: Vec<NodeRow>,
    /// Messages that were sent.
    pub flights: Vec<FlightRow>,
    /// Messages that ended.
    pub landings: Vec<LandingRow>,
    /// Calls of clients that began or ended.
    pub operations: Vec<OperationRow>,
    /// All links with a fault, when that changed.
    pub links: Vec<LinksRow>,
    /// What stands beside the nodes, where it is otherwise than before.
    pub boards: Vec<BoardRow>,
    /// What was violated.
    pub failure: Option<FailureRow>,
    /// Nothing will happen any more.
    pub ended: bool,
}

/// A line of the trace.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct EventRow {
    /// The number of the event.
    pub event: u64,
    /// When, in microseconds.
    pub at: u64,
    /// Its kind, as in the trace.
    pub kind: &'static str,
    /// Whose: a node, or 0.
    pub node: u64,
    /// Whose: a client, or 0.
    pub client: u64,
    /// Which message.
    pub flight: Option<u64>,
    /// In words.
    pub text: String,
    /// The reason, where there is one to give.
    pub why: Option<Why>,
}

/// A reason with its facts: see `why.rs`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct Why {
    /// Its name.
    pub reason: &'static str,
    /// Numbers by name.
    pub facts: std::collections::BTreeMap<&'static str, u64>,
}

/// A node after an event.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct NodeRow {
    /// The number of the event.
    pub event: u64,
    /// The node.
    pub node: NodePicture,
}

/// A node as it is drawn.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct NodePicture {
    /// Its id.
    pub id: u64,
    /// What it is doing.
    pub state: &'static str,
    /// Its role.
    pub role: &'static str,
    /// Its part in the cluster.
    pub part: &'static str,
    /// Its term.
    pub term: u64,
    /// For whom it voted in it.
    pub vote: Option<u64>,
    /// The leader it knows.
    pub leader: Option<u64>,
    /// Whose votes a candidate has.
    pub votes: Vec<u64>,
    /// Its election timer.
    pub timer: Option<TimerPicture>,
    /// Whether it sleeps.
    pub asleep: bool,
    /// Its log.
    pub log: LogPicture,
    /// The others, as a leader sees them.
    pub peers: Vec<PeerPicture>,
}

/// An election timer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct TimerPicture {
    /// When it was set.
    pub from: f64,
    /// When it fires.
    pub to: f64,
}

/// A log.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct LogPicture {
    /// The entry before the first one kept.
    pub start: u64,
    /// The last one.
    pub last: u64,
    /// The last one on disk.
    pub persisted: u64,
    /// Commit index.
    pub commit: u64,
    /// The last one applied.
    pub applied: u64,
    /// The last one in the latest snapshot.
    pub snapshot: u64,
    /// Terms, by runs.
    pub runs: Vec<TermRun>,
    /// The newest entries in words.
    pub entries: Vec<EntryPicture>,
}

/// From `first` on the entries are of `term`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct TermRun {
    /// An index.
    pub first: u64,
    /// A term.
    pub term: u64,
}

/// An entry in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct EntryPicture {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What it does.
    pub text: String,
}

/// A leader's view of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct PeerPicture {
    /// Which one.
    pub id: u64,
    /// How far it is known to match.
    pub matched: u64,
    /// The next entry to send.
    pub next: u64,
    /// How it is sent entries.
    pub mode: &'static str,
}

/// A message. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(rename_all = "camelCase"))]
pub struct FlightRow {
    /// Its number: they count from 1.
    pub id: u64,
    /// By which event it was sent.
    pub event: u64,
    /// A node, or 0 for a client.
    pub from: u64,
    /// A node, or 0 for a client.
    pub to: u64,
    /// What it is about.
    pub kind: &'static str,
    /// It is the answer to one of its kind.
    pub answer: bool,
    /// An answer that says no.
    pub refuses: bool,
    /// Entries in it.
    pub entries: u64,
    /// When it was sent.
    pub sent_at: f64,
    /// When it arrives, or would have.
    pub arrives_at: f64,
    /// It vanishes on its way, and no landing tells when.
    pub lost: bool,
    /// Its term; 0 for those of clients.
    pub term: u64,
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub fields: Vec<(&'static str, String)>,
}

/// A message ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct LandingRow {
    /// Which one.
    pub flight: u64,
    /// By which event.
    pub event: u64,
    /// When, in milliseconds.
    pub at: f64,
    /// `arrived` or `lost`.
    pub fate: &'static str,
}

/// A call of a client. Times in microseconds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(rename_all = "camelCase"))]
pub struct OperationRow {
    /// Its number: they count from 1.
    pub id: u64,
    /// Whose.
    pub client: u64,
    /// Of which key; empty if of many.
    pub key: String,
    /// What it asks.
    pub text: String,
    /// What it was answered.
    pub answer: Option<String>,
    /// `open`, `answered`, `unknown` or `notApplied`.
    pub state: &'static str,
    /// When it began.
    pub called_at: u64,
    /// By which event.
    pub called_event: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// By which event.
    pub ended_event: Option<u64>,
    /// When it took effect.
    pub point: Option<u64>,
    /// The event after which it is so.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub event: u64,
}

/// The directed links with a fault, after an event.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct LinksRow {
    /// The number of the event.
    pub event: u64,
    /// All of them.
    pub links: Vec<LinkPicture>,
}

/// A directed link with a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct LinkPicture {
    /// Who sends.
    pub from: u64,
    /// Who does not get it, or gets it later.
    pub to: u64,
    /// Nothing passes.
    pub cut: bool,
    /// Milliseconds on top.
    pub delay: u64,
    /// Probability of loss.
    pub loss: f64,
}

/// What stands beside the nodes, after an event.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct BoardRow {
    /// The number of the event.
    pub event: u64,
    /// All of it.
    pub board: Board,
}

/// What was violated.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct FailureRow {
    /// `safety` or `liveness`.
    pub kind: &'static str,
    /// The property.
    pub property: String,
    /// What was seen.
    pub text: String,
    /// By which event.
    pub event: u64,
    /// For linearizability: the calls that contradict each other.
    pub operations: Vec<u64>,
}
