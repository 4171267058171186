//! Messages, requests and entries in words, for those who look closely.

use core::fmt::Display;

use bytes::Bytes;
use quorate_kv::{Command, Expected, KeyRange, Query, Reply};
use quorate_raft::{AppendOutcome, Body, Entry, Message, Payload, SnapshotOutcome};
use quorate_rsm::{Logged, Request, RequestBody, logged};

use super::dialect::Dialect;
use super::rows::FlightRow;

/// A value is shown up to so many characters.
const SHOWN: usize = 24;

/// What cannot be read.
pub(crate) const UNKNOWN: &str = "?";

/// What an entry does.
pub(crate) fn entry(entry: &Entry, dialect: &Dialect) -> String {
    match &entry.payload {
        Payload::Noop => "no-op".to_owned(),
        Payload::Membership(_) => "members".to_owned(),
        Payload::Command(payload) => match logged(payload) {
            Some(Logged::OpenSession) => "open session".to_owned(),
            Some(Logged::CloseSession) => "close session".to_owned(),
            Some(Logged::Checkpoint) => "checkpoint".to_owned(),
            Some(Logged::Tick) => "tick".to_owned(),
            Some(Logged::Command(command)) => tagged(&command, dialect),
            None => UNKNOWN.to_owned(),
        },
    }
}

/// What a command does, as briefly as it can be said.
pub(crate) fn command(command: &Command) -> String {
    match command {
        Command::Put { key, value } => format!("{}={}", text(key), text(value)),
        Command::Append { key, value } => format!("{}+={}", text(key), text(value)),
        Command::Delete { key } => format!("delete {}", text(key)),
        Command::DeleteRange { range } => format!("delete {}", span(range)),
        Command::Increment { key, by } => format!("{}+{by}", text(key)),
        Command::CompareAndSwap { key, expected, new } => {
            let expected = match expected {
                Expected::Absent => "none".to_owned(),
                Expected::Value(value) => text(value),
                Expected::Revision(revision) => format!("revision {revision}"),
            };
            let new = new.as_ref().map_or("none".to_owned(), text);
            format!("cas {} {expected}→{new}", text(key))
        }
        Command::Txn(_) => "txn".to_owned(),
        other => {
            let name = format!("{other:?}");
            let end = name.find(|c: char| !c.is_alphanumeric());
            name[..end.unwrap_or(name.len())].to_owned()
        }
    }
}

/// What a query asks.
pub(crate) fn query(query: &Query) -> String {
    match query {
        Query::Get { key } => format!("get {}", text(key)),
        Query::Range { range, .. } => format!("range {}", span(range)),
        other => {
            let name = format!("{other:?}");
            let end = name.find(|c: char| !c.is_alphanumeric());
            name[..end.unwrap_or(name.len())].to_owned()
        }
    }
}

/// What was answered.
pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Written { .. } | Reply::Put { .. } => "ok".to_owned(),
        Reply::Incremented { value, .. } => value.to_string(),
        Reply::Deleted { count, .. } => format!("{count} deleted"),
        Reply::Removed { records, .. } => format!("{} deleted", records.len()),
        Reply::Mismatch { current, .. } => {
            let current = current.as_ref().map(|record| text(&record.value));
            format!("mismatch: {}", current.unwrap_or("none".to_owned()))
        }
        Reply::Got { record, .. } => {
            let value = record.as_ref().map(|record| text(&record.value));
            value.unwrap_or("none".to_owned())
        }
        Reply::Range { records, .. } => format!("{} records", records.len()),
        Reply::Failed(code) => format!("{code:?}"),
        _ => "ok".to_owned(),
    }
}

fn span(range: &KeyRange) -> String {
    let end = range.end.as_ref().map_or("the end".to_owned(), text);
    format!("{} to {end}", text(&range.start))
}

/// Bytes as text, shortened.
pub(crate) fn text(bytes: &Bytes) -> String {
    let all = String::from_utf8_lossy(bytes);
    if all.chars().count() <= SHOWN {
        return all.into_owned();
    }
    let mut some: String = all.chars().take(SHOWN - 1).collect();
    some.push('…');
    some
}

/// What a message from node to node is: all that does not depend on its journey.
pub(crate) fn message(message: &Message, dialect: &Dialect) -> FlightRow {
    let mut fields = Fields(Vec::new());
    let mut row = FlightRow {
        from: message.from.0,
        to: message.to.0,
        term: message.term.0,
        ..plain("", "other")
    };
    match &message.body {
        Body::PreVote { last } => {
            (row.name, row.kind) = ("PreVote", "preVote");
            fields.add("last", last);
        }
        Body::PreVoteResponse { granted } => {
            (row.name, row.kind) = ("PreVoteResponse", "preVote");
            (row.answer, row.refuses) = (true, !granted);
            fields.add("granted", granted);
        }
        Body::RequestVote { last, transfer } => {
            (row.name, row.kind) = ("RequestVote", "vote");
            fields.add("last", last);
            fields.add("transfer", transfer);
        }
        Body::RequestVoteResponse { granted } => {
            (row.name, row.kind) = ("RequestVoteResponse", "vote");
            (row.answer, row.refuses) = (true, !granted);
            fields.add("granted", granted);
        }
        Body::AppendEntries {
            prev,
            commit,
            entries,
        } => {
            (row.name, row.kind) = ("AppendEntries", "append");
            row.entries = entries.len() as u64;
            fields.add("prev", prev);
            fields.add("commit", commit);
            let said = entries
                .iter()
                .take(8)
                .map(|e| format!("{} {}", e.id, entry(e, dialect)));
            let said: Vec<_> = said.collect();
            fields.add("entries", &said.join(", "));
            fields.add("number of entries", &entries.len());
        }
        Body::AppendEntriesResponse(outcome) => {
            (row.name, row.kind, row.answer) = ("AppendEntriesResponse", "append", true);
            match outcome {
                AppendOutcome::Accepted { matched } => fields.add("matched", matched),
                AppendOutcome::Rejected { prev, hint } => {
                    row.refuses = true;
                    fields.add("rejected", prev);
                    fields.add("hint", hint);
                }
            }
        }
        Body::Heartbeat { commit, round } => {
            (row.name, row.kind) = ("Heartbeat", "heartbeat");
            fields.add("commit", commit);
            if let Some(round) = round {
                fields.add("round", round);
            }
        }
        Body::HeartbeatResponse { round } => {
            (row.name, row.kind, row.answer) = ("HeartbeatResponse", "heartbeat", true);
            fields.add("round", round);
        }
        Body::InstallSnapshot {
            meta,
            number,
            done,
            data,
        } => {
            (row.name, row.kind) = ("InstallSnapshot", "snapshot");
            fields.add("last", &meta.last);
            fields.add("chunk", number);
            fields.add("done", done);
            fields.add("bytes", &data.len());
        }
        Body::InstallSnapshotResponse { snapshot, outcome } => {
            (row.name, row.kind, row.answer) = ("InstallSnapshotResponse", "snapshot", true);
            fields.add("snapshot", snapshot);
            match outcome {
                SnapshotOutcome::Continue { next } => fields.add("next", next),
                SnapshotOutcome::Installed { matched } => fields.add("matched", matched),
            }
        }
        Body::TimeoutNow => (row.name, row.kind) = ("TimeoutNow", "vote"),
        Body::ReadIndex { ctx } => {
            (row.name, row.kind) = ("ReadIndex", "read");
            fields.add("read", ctx);
        }
        Body::ReadIndexResponse { ctx, index } => {
            (row.name, row.kind, row.answer) = ("ReadIndexResponse", "read", true);
            fields.add("read", ctx);
            fields.add("index", index);
        }
        Body::Digest(digest) => {
            row.name = "Digest";
            fields.add("index", &digest.index);
            fields.add("hash", &format!("{:016x}", digest.hash));
        }
        Body::Sleep { last, round } => {
            row.name = "Sleep";
            fields.add("last", last);
            fields.add("round", round);
        }
        Body::SleepResponse { round } => {
            (row.name, row.answer) = ("SleepResponse", true);
            fields.add("round", round);
        }
    }
    row.fields = fields.0;
    row
}

/// A request of a client.
pub(crate) fn request(request: &Request, dialect: &Dialect) -> FlightRow {
    let mut fields = Fields(Vec::new());
    fields.add("request", &request.id.0);
    let name = match &request.body {
        RequestBody::OpenSession => "OpenSession",
        RequestBody::CloseSession { session } => {
            fields.add("session", &session.0);
            "CloseSession"
        }
        RequestBody::Write {
            session,
            sequence,
            acknowledged,
            command,
        } => {
            fields.add("session", &session.0);
            fields.add("sequence", sequence);
            fields.add("acknowledged", acknowledged);
            fields.add("command", &tagged(command, dialect));
            "Write"
        }
        RequestBody::Propose { command } => {
            fields.add("command", &tagged(command, dialect));
            "Propose"
        }
        RequestBody::Read { query: asked, .. } => {
            fields.add("query", &(dialect.query)(asked));
            "Read"
        }
    };
    FlightRow {
        fields: fields.0,
        ..plain(name, "client")
    }
}

fn tagged(command: &Bytes, dialect: &Dialect) -> String {
    match command.len() {
        0..8 => UNKNOWN.to_owned(),
        _ => (dialect.command)(&command.slice(8..)),
    }
}

/// An answer to a client.
pub(crate) fn answer(answer: &quorate_rsm::Reply, dialect: &Dialect) -> FlightRow {
    let mut fields = Fields(Vec::new());
    fields.add("request", &answer.id.0);
    match &answer.result {
        Ok(bytes) => fields.add("answer", &(dialect.reply)(bytes)),
        Err(error) => fields.add("error", error),
    }
    FlightRow {
        answer: true,
        refuses: answer.result.is_err(),
        fields: fields.0,
        ..plain("Reply", "client")
    }
}

/// A message of which nothing is known but what it is.
fn plain(name: &'static str, kind: &'static str) -> FlightRow {
    FlightRow {
        id: 0,
        event: 0,
        from: 0,
        to: 0,
        kind,
        answer: false,
        refuses: false,
        entries: 0,
        sent_at: 0.0,
        arrives_at: 0.0,
        lost: false,
        term: 0,
        name,
        fields: Vec::new(),
    }
}

struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn add(&mut self, name: &'static str, value: &impl Display) {
        self.0.push((name, value.to_string()));
    }
}
