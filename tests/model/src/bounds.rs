//! What a configuration lets happen, and how often: without bounds there would be no end.

use quorate_raft::Change;

use crate::law::Situation;

/// The bounds of one exploration.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// How many nodes, numbered from one.
    pub nodes: u64,
    /// The first of them are the voters; others know of no cluster.
    pub voters: u64,
    /// The greatest term.
    pub terms: u64,
    /// How it begins.
    pub start: Start,
    /// Commands proposed.
    pub proposals: u8,
    /// Crashes, each with a restart.
    pub crashes: u8,
    /// Snapshots made by nodes of their own state.
    pub snapshots: u8,
    /// Changes of the membership that are asked for, each at most once and in this order.
    pub changes: &'static [&'static [Change]],
    /// Transfers of leadership.
    pub transfers: u8,
    /// Reads asked of leaders, and of followers that know one.
    pub reads: u8,
    /// What the network does.
    pub network: Delivery,
    /// How long writes take.
    pub writes: Writes,
    /// How a follower comes to ask for votes.
    pub elections: Elections,
    /// What the clocks do.
    pub clocks: Clocks,
    /// Heartbeats sent. If there are any, leaders also step down when no one answers.
    pub heartbeats: u8,
    /// What must be seen.
    pub expected: &'static [Situation],
    /// Steps from the start; `None`: until there is nothing new.
    pub depth: Option<usize>,
}

/// How it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// No node has ever run.
    Empty,
    /// Node 1 was elected and committed the entry that opened its term; all know that, and nothing is
    /// under way. It was long ago, or where clocks go on together just now, and node 1 has a lease.
    /// More can happen in fewer steps.
    Led,
}

/// What becomes of messages. In any case they overtake each other, and one that never arrives is
/// lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message that was ever sent may arrive any number of times, at any time.
    Any,
    /// A message arrives once, but for so many in all that arrive and stay. When more than
    /// `in_flight` are under way, those of the earliest terms are lost.
    Once {
        /// Arrivals that leave a copy.
        duplicates: u8,
        /// Messages under way.
        in_flight: usize,
    },
}

/// When a round of writes is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// At once.
    Prompt,
    /// Some steps later, or never if the node crashes before.
    Slow,
    /// Never, though the node is told so at once. For tests of the checker: no Raft survives it.
    Lying,
}

/// How a follower comes to ask for votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elections {
    /// Its timer fires, and it asks first whether it could win.
    Asked,
    /// The same, so many times in all.
    Few(u8),
    /// Someone tells it to campaign now: no pre-vote, and no leader is too fresh. More can go wrong
    /// in fewer steps.
    Forced,
}

/// What the clocks do between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// An election timeout may pass between any two events, or not.
    Any,
    /// An election timeout passes between any two events: no leader is ever fresh.
    Slow,
    /// No time passes but with timers.
    Still,
    /// All go on together, a step of half an election timeout so many times: those of leaders a tenth
    /// too slow and all others a tenth too fast, which is the worst that leases are for. Reads are
    /// asked of leaders, and may rest on leases.
    Together {
        /// How many times.
        ticks: u8,
        /// How many of them one clock misses, and its node is told so.
        freezes: u8,
    },
}
