//! Frames: what no node can say is refused, up to the last number that is possible; and a frame is
//! one allocation.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::codec::{
    FrameError, decode_groups_in, decode_messages, encode_groups, encode_messages,
    encode_messages_in, encode_replies, encode_requests,
};
use quorate_rsm::raft::{
    Body, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, SnapshotMeta, StorageId, Term,
};
use quorate_rsm::{ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId};

const CLUSTER: u64 = 9;
/// The largest number that there is.
const MOST: u64 = (1 << 53) - 1;

fn id(term: u64, index: u64) -> EntryId {
    EntryId::new(Term(term), Index(index))
}

fn message(term: u64, body: Body) -> Message {
    Message {
        from: NodeId(2),
        to: NodeId(1),
        storage: StorageId(5),
        term: Term(term),
        body,
    }
}

fn command(id: EntryId, data: &Bytes) -> Entry {
    let payload = Payload::Command(data.clone());
    Entry { id, payload }
}

fn append(prev: EntryId, entries: Vec<Entry>) -> Body {
    Body::AppendEntries {
        prev,
        commit: Index(0),
        entries,
    }
}

fn chunk(last: EntryId, conf_state: ConfState, data: Bytes) -> Body {
    let conf_state = Arc::new(conf_state);
    Body::InstallSnapshot {
        meta: Box::new(SnapshotMeta { last, conf_state }),
        number: 0,
        done: true,
        data,
    }
}

fn three() -> ConfState {
    ConfState::new([1, 2, 3].map(NodeId))
}

/// Whether a frame with this message is one, for its reader.
fn is_taken(term: u64, body: &Body) -> bool {
    let message = message(term, body.clone());
    let frame = Bytes::from(encode_messages(CLUSTER, 0, core::slice::from_ref(&message)));
    match decode_messages(&frame) {
        Ok(decoded) => {
            assert_eq!(decoded, (CLUSTER, 0, vec![message]));
            true
        }
        Err(error) => {
            assert!(matches!(error, FrameError::Malformed(_)));
            false
        }
    }
}

#[test]
fn nothing_is_newer_than_the_term_of_who_says_it() {
    let vote = |transfer| Body::RequestVote {
        last: id(4, 9),
        transfer,
    };
    let entry = |term| command(id(term, 10), &Bytes::new());
    // What is said, and the first term in which it can be.
    let sayings = [
        (append(id(4, 9), vec![]), 4),
        (append(id(4, 9), vec![entry(4)]), 4),
        (append(id(4, 9), vec![entry(5)]), 5),
        (append(id(0, 0), vec![]), 1),
        (chunk(id(4, 9), three(), Bytes::new()), 4),
        (chunk(id(0, 0), three(), Bytes::new()), 1),
        // Who runs does so in a term of its own.
        (Body::PreVote { last: id(4, 9) }, 5),
        (Body::PreVote { last: id(0, 0) }, 1),
        (vote(false), 5),
        (vote(true), 5),
        (Body::TimeoutNow, 1),
        (
            Body::Heartbeat {
                commit: Index(3),
                round: None,
            },
            1,
        ),
        (
            Body::ReadIndexResponse {
                ctx: 1,
                index: Index(3),
            },
            1,
        ),
        (
            Body::Sleep {
                last: Index(3),
                round: 1,
            },
            1,
        ),
        // Who has yet to hear of any term may say this.
        (Body::ReadIndex { ctx: 1 }, 0),
        (Body::HeartbeatResponse { round: 1 }, 0),
        (Body::SleepResponse { round: 1 }, 0),
        (Body::PreVoteResponse { granted: true }, 0),
    ];
    for (body, first) in sayings {
        for term in 0..8 {
            assert_eq!(is_taken(term, &body), term >= first, "{term}: {body:?}");
        }
        assert!(is_taken(MOST, &body));
    }
}

#[test]
fn numbers_end_where_those_of_javascript_do() {
    let heartbeat = |commit, round| Body::Heartbeat {
        commit: Index(commit),
        round,
    };
    assert!(is_taken(7, &heartbeat(MOST, Some(MOST))));
    assert!(!is_taken(7, &heartbeat(MOST + 1, None)));
    assert!(!is_taken(7, &heartbeat(0, Some(MOST + 1))));
    let entry = |index| command(id(MOST, index), &Bytes::new());
    let to_the_end = append(id(0, MOST - 2), vec![entry(MOST - 1), entry(MOST)]);
    assert!(is_taken(MOST, &to_the_end));
    let beyond = append(id(0, MOST - 1), vec![entry(MOST), entry(MOST + 1)]);
    assert!(!is_taken(MOST, &beyond));
}

#[test]
fn a_membership_in_disorder_is_refused() {
    let storages = [(NodeId(1), StorageId(0)), (NodeId(2), StorageId(0))];
    let conf_state = ConfState {
        storages: storages.into_iter().collect(),
        ..three()
    };
    let body = chunk(id(1, 1), conf_state, Bytes::new());
    let mut frame = encode_messages(CLUSTER, 0, &[message(1, body)]);
    // Behind it: eight bytes of its storage, no storages to come, the number and no data.
    let second = frame.len() - 8 - 1 - 1 - 1 - 1;
    let refused = |frame: &[u8]| decode_messages(&Bytes::copy_from_slice(frame)).is_err();
    assert_eq!((frame[second], refused(&frame)), (2, false));
    frame[second] = 3;
    assert!(!refused(&frame));
    frame[second] = 1;
    assert!(refused(&frame), "one node twice");
    frame[second - 9] = 3;
    assert!(refused(&frame), "one behind a later one");
}

#[test]
fn a_frame_that_says_nothing_is_of_no_storage() {
    let mut frame = encode_messages(CLUSTER, 3, &[]);
    let decoded = decode_messages(&Bytes::copy_from_slice(&frame));
    assert_eq!(decoded, Ok((CLUSTER, 3, vec![])));
    // Version, kind and cluster come before it.
    frame[2 + 8] = 1;
    assert!(decode_messages(&Bytes::from(frame)).is_err());
}

fn groups_in(frame: &[u8]) -> Result<(u64, Vec<(u32, Message)>), FrameError> {
    // Used before: what is in it does not count.
    let mut messages = vec![(9, message(1, Body::TimeoutNow))];
    let frame = Bytes::copy_from_slice(frame);
    let cluster = decode_groups_in(&mut messages, &frame)?;
    Ok((cluster, messages))
}

fn at_term(term: u64) -> Message {
    let body = Body::Heartbeat {
        commit: Index(1),
        round: None,
    };
    message(term, body)
}

#[test]
fn a_frame_of_groups_has_what_each_says() {
    let said = [(7, 1), (7, 2), (0, 3), (70_000, 4), (7, 5)];
    let said = said.map(|(group, term)| (group, at_term(term)));
    let frame = encode_groups(CLUSTER, &said);
    assert_eq!(groups_in(&frame), Ok((CLUSTER, said.to_vec())));
    assert_eq!((frame[1], frame[2 + 8 + 8]), (4, 4), "four parts");
    let alone = decode_messages(&Bytes::from(frame.clone()));
    assert_eq!(alone, Err(FrameError::Kind { found: 4 }), "not of one");
    for len in 0..frame.len() {
        assert!(groups_in(&frame[..len]).is_err(), "up to {len}");
    }
    let longer = [&frame[..], &[0]].concat();
    assert!(groups_in(&longer).is_err());
}

#[test]
fn what_one_group_says_is_a_frame_of_messages() {
    let said = [at_term(1), at_term(2)];
    let frame = encode_messages(CLUSTER, 3, &said);
    let said = said.map(|message| (3, message));
    assert_eq!(encode_groups(CLUSTER, &said), frame);
    assert_eq!(groups_in(&frame), Ok((CLUSTER, said.to_vec())));
}

#[test]
fn parts_that_no_drain_has_are_refused() {
    let said = [(3, at_term(1)), (4, at_term(1))];
    let frame = encode_groups(CLUSTER, &said);
    assert!(groups_in(&frame).is_ok());
    let count = 2 + 8 + 8;
    let part = (frame.len() - count - 1) / 2;
    assert_eq!(frame[count..count + 3], [2, 3, 1]);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = frame.clone();
        change(&mut frame);
        groups_in(&frame)
    };
    let same = changed(&|frame| frame[count + 1] = 4);
    assert!(same.is_err(), "one that goes on in another part");
    let silent = changed(&|frame| {
        frame[count] = 3;
        frame.extend([5, 0]);
    });
    assert!(silent.is_err(), "one that says nothing");
    let one = changed(&|frame| {
        frame[count] = 1;
        frame.truncate(count + 1 + part);
    });
    assert!(one.is_err(), "one, spelled as several");
    let alone = changed(&|frame| {
        frame[1] = 1;
        frame.remove(count);
        frame.truncate(count + part);
    });
    assert!(alone.is_ok(), "but for that it is a frame");
    let none = changed(&|frame| {
        frame[count] = 0;
        frame.truncate(count + 1);
        frame[10..count].fill(0);
    });
    assert!(none.is_err(), "none");
}

#[test]
fn a_frame_of_groups_is_one_allocation() {
    let said: Vec<_> = (0..42)
        .map(|group| (u32::MAX - group, message(MOST, Body::TimeoutNow)))
        .collect();
    // Equal steps: what was reserved at first was enough, or it would have doubled.
    let reserved = |count| encode_groups(CLUSTER, &said[..count]).capacity();
    let step = reserved(3) - reserved(2);
    for count in 3..42 {
        assert_eq!(reserved(count + 1) - reserved(count), step, "{count}");
    }
}

/// How much is reserved for one thing more, by the first, the second, the third of them. Equal
/// steps: what was reserved at first was enough, or it would have doubled.
fn is_one_allocation(encode: impl Fn(usize) -> Vec<u8>, spare: usize) {
    let frames: Vec<_> = (0..40).map(encode).collect();
    let steps = |size: fn(&Vec<u8>) -> usize| -> Vec<usize> {
        let pairs = frames.windows(2);
        pairs.map(|pair| size(&pair[1]) - size(&pair[0])).collect()
    };
    let (reserved, used) = (steps(Vec::capacity), steps(Vec::len));
    assert!(
        reserved.iter().all(|step| *step == reserved[0]),
        "grown: {reserved:?}"
    );
    assert!(
        reserved[0] >= used[0] && reserved[0] <= used[0] + spare,
        "{} for {}",
        reserved[0],
        used[0]
    );
    let none = &frames[0];
    assert!(none.capacity() <= none.len() + 16);
}

#[test]
fn frames_of_messages_are_one_allocation() {
    let data = Bytes::from(vec![7; 200]);
    let large = |n| NodeId(MOST - n);
    let nodes = ConfState {
        learners: (20..40).rev().map(large).collect(),
        ..ConfState::new((0..20).map(large))
    };
    let storages = || {
        let storage = |n| (large(n), StorageId(n));
        (0..40).rev().map(storage).collect()
    };
    let bound = ConfState {
        storages: storages(),
        storages_next: storages(),
        ..nodes.clone()
    };
    let membership = |conf_state: &ConfState| Entry {
        id: id(MOST, 1),
        payload: Payload::Membership(Arc::new(conf_state.clone())),
    };
    let noop = |index| Entry {
        id: id(MOST, index),
        payload: Payload::Noop,
    };
    let commands = (1..=30).map(|index| command(id(MOST, index), &data));
    let bodies = [
        (Body::TimeoutNow, 64),
        (append(id(MOST, 0), commands.collect()), 64 + 30 * 8),
        (
            append(id(MOST, 0), (1..=30).map(noop).collect()),
            64 + 30 * 8,
        ),
        (
            append(id(MOST, 0), vec![membership(&nodes)]),
            64 + 8 + 80 + 40 * 2,
        ),
        (
            append(id(MOST, 0), vec![membership(&bound)]),
            64 + 8 + 80 + 40 * 2 + 80 * 2,
        ),
        (
            chunk(id(MOST, 1), three(), data.clone()),
            64 + 16 + 80 + 3 * 10,
        ),
        (
            chunk(id(MOST, 1), bound, data),
            64 + 16 + 80 + 40 * 2 + 80 * 2,
        ),
    ];
    for (body, spare) in bodies {
        let messages = vec![message(MOST, body); 40];
        is_one_allocation(
            |count| encode_messages(CLUSTER, 0, &messages[..count]),
            spare,
        );
    }
}

#[test]
fn frames_of_requests_and_replies_are_one_allocation() {
    let data = Bytes::from(vec![7; 1_000]);
    let session = SessionId(MOST);
    let write = RequestBody::Write {
        session,
        sequence: MOST,
        acknowledged: 0,
        command: data.clone(),
    };
    let read = RequestBody::Read {
        query: data.clone(),
        at: ReadAt::Leader,
    };
    let close = RequestBody::CloseSession { session };
    for body in [RequestBody::OpenSession, close, write, read] {
        let id = RequestId(MOST);
        let requests = vec![Request { id, body }; 40];
        is_one_allocation(|count| encode_requests(0, &requests[..count]), 24);
    }
    for result in [Ok(data), Err(RequestError::Overloaded)] {
        let id = RequestId(MOST);
        let replies = vec![Reply { id, result }; 40];
        is_one_allocation(|count| encode_replies(0, &replies[..count]), 24);
    }
}

#[test]
fn a_buffer_that_was_used_is_used_again() {
    let messages = [message(1, Body::TimeoutNow)];
    let fresh = encode_messages(CLUSTER, 0, &messages);
    let used = vec![9; 5_000];
    let begins_at = used.as_ptr();
    let frame = encode_messages_in(used, CLUSTER, 0, &messages);
    assert_eq!(frame, fresh);
    assert_eq!(frame.as_ptr(), begins_at);
}
