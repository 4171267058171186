//! Frames in words, for the trace.

use core::fmt::Write;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, HardState, Message, NodeId, SnapshotOutcome, StateDigest,
};
use quorate_rsm::codec;
use quorate_rsm::{Reply, Request, RequestBody};

use crate::network::Address;

/// What a frame from `from` says.
#[must_use]
pub fn describe(from: Address, frame: &Bytes) -> String {
    let mut text = from.to_string();
    if let Ok((_, _, messages)) = codec::decode_messages(frame) {
        messages
            .iter()
            .for_each(|message| describe_message(&mut text, message));
    } else if let Ok((_, requests)) = codec::decode_requests(frame) {
        requests
            .iter()
            .for_each(|request| describe_request(&mut text, request));
    } else if let Ok((_, replies)) = codec::decode_replies(frame) {
        replies
            .iter()
            .for_each(|reply| describe_reply(&mut text, reply));
    }
    text
}

fn describe_message(text: &mut String, message: &Message) {
    let said = body(&message.body);
    write!(text, "; {} {said}", message.term).expect("writing to a string never fails");
}

/// A message in one line.
#[must_use]
pub fn body(body: &Body) -> String {
    match body {
        Body::PreVote { last } => format!("PreVote last {last}"),
        Body::PreVoteResponse { granted } => format!("PreVoteResponse {}", yes(*granted)),
        Body::RequestVote { last, transfer } => {
            format!(
                "RequestVote last {last}{}",
                if *transfer { " transfer" } else { "" }
            )
        }
        Body::RequestVoteResponse { granted } => format!("RequestVoteResponse {}", yes(*granted)),
        Body::AppendEntries {
            prev,
            commit,
            entries,
        } => {
            let last = entries.last().map_or(*prev, |entry| entry.id);
            format!(
                "AppendEntries prev {prev} commit {commit} entries {} to {last}",
                entries.len()
            )
        }
        Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => {
            format!("AppendEntriesResponse matched {matched}")
        }
        Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint }) => {
            format!("AppendEntriesResponse rejected {prev} hint {hint}")
        }
        Body::Heartbeat { commit, round } => match round {
            Some(round) => format!("Heartbeat commit {commit} round {round}"),
            None => format!("Heartbeat commit {commit}"),
        },
        Body::HeartbeatResponse { round } => format!("HeartbeatResponse round {round}"),
        Body::InstallSnapshot {
            meta,
            number,
            done,
            data,
        } => {
            let end = if *done { " last" } else { "" };
            format!(
                "InstallSnapshot {} chunk {number}{end} bytes {}",
                meta.last,
                data.len()
            )
        }
        Body::InstallSnapshotResponse { snapshot, outcome } => match outcome {
            SnapshotOutcome::Continue { next } => {
                format!("InstallSnapshotResponse {snapshot} next {next}")
            }
            SnapshotOutcome::Installed { matched } => {
                format!("InstallSnapshotResponse {snapshot} matched {matched}")
            }
        },
        Body::TimeoutNow => "TimeoutNow".to_owned(),
        Body::ReadIndex { ctx } => format!("ReadIndex {ctx}"),
        Body::ReadIndexResponse { ctx, index } => format!("ReadIndexResponse {ctx} index {index}"),
        Body::Digest(StateDigest {
            index,
            format,
            hash,
        }) => format!("Digest {hash:016x} format {format} index {index}"),
        Body::Sleep { last, round } => format!("Sleep last {last} round {round}"),
        Body::SleepResponse { round } => format!("SleepResponse round {round}"),
    }
}

fn describe_request(text: &mut String, request: &Request) {
    let id = request.id.0;
    let said = match &request.body {
        RequestBody::OpenSession => "OpenSession".to_owned(),
        RequestBody::CloseSession { session } => format!("CloseSession {}", session.0),
        RequestBody::Write {
            session,
            sequence,
            acknowledged,
            ..
        } => {
            format!("Write {}/{sequence} acknowledged {acknowledged}", session.0)
        }
        RequestBody::Propose { command } => format!("Propose bytes {}", command.len()),
        RequestBody::Read { .. } => "Read".to_owned(),
    };
    write!(text, "; request {id} {said}").expect("writing to a string never fails");
}

fn describe_reply(text: &mut String, reply: &Reply) {
    let said = match &reply.result {
        Ok(bytes) => format!("ok bytes {}", bytes.len()),
        Err(error) => error.to_string(),
    };
    write!(text, "; reply {} {said}", reply.id.0).expect("writing to a string never fails");
}

/// A membership in one line; what is empty is left out.
#[must_use]
pub fn membership(conf_state: &ConfState) -> String {
    let ids = |ids: &[NodeId]| {
        ids.iter()
            .map(NodeId::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lists = [
        ("voters", &conf_state.voters),
        ("outgoing", &conf_state.voters_outgoing),
        ("learners", &conf_state.learners),
        ("learners next", &conf_state.learners_next),
        ("joining", &conf_state.joining),
        ("leaving", &conf_state.leaving),
    ];
    let said = lists.iter().filter(|(_, list)| !list.is_empty());
    said.map(|(name, list)| format!("{name} {}", ids(list)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Nodes by name.
#[must_use]
pub fn names(ids: &[NodeId]) -> String {
    if ids.is_empty() {
        return "no node".to_owned();
    }
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// A term, and the vote in it.
#[must_use]
pub fn vote(hard: &HardState) -> String {
    let HardState { term, vote } = hard;
    vote.map_or_else(
        || format!("{term} without a vote"),
        |vote| format!("{term} with a vote for {vote}"),
    )
}

fn yes(granted: bool) -> &'static str {
    if granted { "granted" } else { "refused" }
}
