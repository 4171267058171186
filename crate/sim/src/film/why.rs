//! Why something came out as it did: a reason by name, and its facts. The sentences are the page's.
//!
//! | reason | facts | source |
//! | --- | --- | --- |
//! | `voteGranted` | candidate, term | §5.2 |
//! | `voteRefusedTerm` | candidate, term, own | §5.1: a candidate of an earlier term is told the later one |
//! | `voteRefusedVoted` | candidate, term, voted | §5.2: one vote in a term |
//! | `voteRefusedLog` | candidate, lastTerm, lastIndex, ownTerm, ownIndex | §5.4.1 |
//! | `voteRefusedLeader` | candidate, leader | thesis §4.2.3: who hears a leader does not listen |
//! | `preVoteGranted` | candidate, term | thesis §9.6 |
//! | `preVoteRefusedTerm`, `preVoteRefusedLog`, `preVoteRefusedLeader` | as for votes | thesis §9.6 |
//! | `appendAccepted` | leader, matched | §5.3 |
//! | `appendRejectedTerm` | leader, term, own | §5.1 |
//! | `appendRejectedPrev` | leader, prevTerm, prevIndex, ownLast | §5.3 |
//! | `messageStale` | from, term, own | §5.1 |
//! | `termLearned` | from, term, before | §5.1 |
//! | `committed` | index, before | §5.3, §5.4.2 |
//! | `electionTimedOut` | term | §5.2 |
//! | `becameLeader` | term, votes | §5.2 |
//! | `steppedDown` | term, before | §5.1 |
//! | `snapshotInstalled` | index | §7 |
//! | `waitsForDisk` | persisted, last | §5.2, Figure 2: "updated on stable storage before responding" |

use std::collections::BTreeMap;

use quorate_raft::{Body, EntryId, Message};

use super::rows::{NodePicture, Why};

/// A reason with its facts.
fn why<const N: usize>(reason: &'static str, facts: [(&'static str, u64); N]) -> Option<Why> {
    let facts = BTreeMap::from(facts);
    Some(Why { reason, facts })
}

/// The last entry of a log.
fn last(node: &NodePicture) -> EntryId {
    let term = node.log.runs.last().map_or(0, |run| run.term);
    EntryId {
        term: quorate_raft::Term(term),
        index: quorate_raft::Index(node.log.last),
    }
}

/// Why a node did what it did with a message; `granted`: it gave a pre-vote.
pub(crate) fn heard(
    message: &Message,
    granted: bool,
    before: &NodePicture,
    after: &NodePicture,
) -> Option<Why> {
    let (from, term, own) = (message.from.0, message.term.0, before.term);
    let candidate = ("candidate", from);
    let leader = ("leader", before.leader.unwrap_or_default());
    let older = |asked: &EntryId| *asked < last(before);
    let logs = |asked: &EntryId| {
        let mine = last(before);
        [
            candidate,
            ("lastTerm", asked.term.0),
            ("lastIndex", asked.index.0),
            ("ownTerm", mine.term.0),
            ("ownIndex", mine.index.0),
        ]
    };
    match &message.body {
        // How it was answered is known at once.
        Body::PreVote { .. } if granted => why("preVoteGranted", [candidate, ("term", term)]),
        Body::PreVote { .. } if term <= own => why(
            "preVoteRefusedTerm",
            [candidate, ("term", term), ("own", own)],
        ),
        Body::PreVote { last: asked } if older(asked) => why("preVoteRefusedLog", logs(asked)),
        Body::PreVote { .. } => why("preVoteRefusedLeader", [candidate, leader]),
        Body::RequestVote { last: asked, .. } => {
            if after.vote == Some(from) && after.term == term {
                why("voteGranted", [candidate, ("term", term)])
            } else if term < own {
                why("voteRefusedTerm", [candidate, ("term", term), ("own", own)])
            } else if after.term < term {
                why("voteRefusedLeader", [candidate, leader])
            } else if older(asked) {
                why("voteRefusedLog", logs(asked))
            } else {
                let voted = ("voted", after.vote.unwrap_or_default());
                why("voteRefusedVoted", [candidate, ("term", term), voted])
            }
        }
        _ if term < own => why(
            match message.body {
                Body::AppendEntries { .. } => "appendRejectedTerm",
                _ => "messageStale",
            },
            [
                ("leader", from),
                ("from", from),
                ("term", term),
                ("own", own),
            ],
        ),
        Body::AppendEntries { prev, entries, .. } => {
            let matched = prev.index.0 + entries.len() as u64;
            // What is in a snapshot is committed, and so the same everywhere.
            let known = prev.index.0 < after.log.start.max(after.log.snapshot);
            let agrees = known || term_at(after, prev.index.0) == prev.term.0;
            let fits = after.log.last >= matched && agrees;
            if !fits {
                let prev = [("prevTerm", prev.term.0), ("prevIndex", prev.index.0)];
                let facts = [
                    ("leader", from),
                    prev[0],
                    prev[1],
                    ("ownLast", before.log.last),
                ];
                why("appendRejectedPrev", facts)
            } else if after.log.persisted < matched {
                let persisted = ("persisted", after.log.persisted);
                why("waitsForDisk", [persisted, ("last", matched)])
            } else {
                why("appendAccepted", [("leader", from), ("matched", matched)])
            }
        }
        _ if term > own && after.term >= term => why(
            "termLearned",
            [("from", from), ("term", term), ("before", own)],
        ),
        _ if after.log.commit > before.log.commit => committed(before, after),
        _ => None,
    }
}

/// Of which term the entry at an index is; 0 for the beginning, and for what is not known.
fn term_at(node: &NodePicture, index: u64) -> u64 {
    let runs = node.log.runs.iter().rev();
    let mut run = runs.filter(|run| run.first <= index && index <= node.log.last);
    run.next().map_or(0, |run| run.term)
}

/// Why a commit index moved.
pub(crate) fn committed(before: &NodePicture, after: &NodePicture) -> Option<Why> {
    if after.log.commit <= before.log.commit {
        return None;
    }
    let facts = [("index", after.log.commit), ("before", before.log.commit)];
    why("committed", facts)
}

/// Why a node has another role or term.
pub(crate) fn role(before: &NodePicture, after: &NodePicture) -> Option<Why> {
    match (before.role, after.role) {
        (old, "leader") if old != "leader" => {
            let votes = ("votes", before.votes.len().max(after.votes.len()) as u64);
            why("becameLeader", [("term", after.term), votes])
        }
        ("leader", _) => why(
            "steppedDown",
            [("term", after.term), ("before", before.term)],
        ),
        ("follower", "preCandidate" | "candidate") => {
            why("electionTimedOut", [("term", after.term)])
        }
        _ if after.term > before.term => why(
            "termLearned",
            [("from", 0), ("term", after.term), ("before", before.term)],
        ),
        _ => None,
    }
}

/// Why a node's machine was replaced.
pub(crate) fn restored(after: &NodePicture) -> Option<Why> {
    why(
        "snapshotInstalled",
        [("index", after.log.snapshot.max(after.log.applied))],
    )
}
