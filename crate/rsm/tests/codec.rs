//! Frames: they come back, they keep their bytes, and any bytes are survived.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::codec::{
    FrameError, decode_beat, decode_messages, decode_replies, decode_requests, encode_beat,
    encode_messages, encode_replies, encode_requests,
};
use quorate_rsm::raft::{
    AppendOutcome, Body, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, Random,
    SnapshotMeta, SnapshotOutcome, StateDigest, StorageId, Term,
};
use quorate_rsm::{ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId};

const CLUSTER: u64 = 0x0102_0304_0506_0708;
const STORAGE: StorageId = StorageId(0x1112_1314_1516_1718);

fn id(term: u64, index: u64) -> EntryId {
    EntryId::new(Term(term), Index(index))
}

fn command(id: EntryId, data: &[u8]) -> Entry {
    Entry {
        id,
        payload: Payload::Command(Bytes::copy_from_slice(data)),
    }
}

fn noop(id: EntryId) -> Entry {
    Entry {
        id,
        payload: Payload::Noop,
    }
}

fn membership(id: EntryId) -> Entry {
    Entry {
        id,
        payload: Payload::Membership(Arc::new(ConfState::new([1, 2, 3].map(NodeId)))),
    }
}

fn meta() -> SnapshotMeta {
    let conf_state = ConfState {
        voters_outgoing: vec![NodeId(1), NodeId(4)],
        learners: vec![NodeId(9)],
        learners_next: vec![NodeId(4)],
        joining: vec![NodeId(4), NodeId(9)],
        storages: [(NodeId(1), StorageId(0x0102_0304_0506_0708))]
            .into_iter()
            .collect(),
        storages_next: [(NodeId(4), StorageId(5))].into_iter().collect(),
        ..ConfState::new([1, 2, 3].map(NodeId))
    };
    SnapshotMeta {
        last: id(5, 300),
        conf_state: Arc::new(conf_state),
    }
}

/// One body of each kind, and the bytes of its message from node 2 to node 1 in term 7.
fn golden() -> Vec<(Body, &'static str)> {
    let entries = vec![
        command(id(5, 301), b"ab"),
        noop(id(7, 302)),
        command(id(7, 303), b""),
    ];
    let accepted = AppendOutcome::Accepted {
        matched: Index(303),
    };
    let rejected = AppendOutcome::Rejected {
        prev: Index(303),
        hint: id(4, 200),
    };
    let chunk = |done| Body::InstallSnapshot {
        meta: Box::new(meta()),
        number: 2,
        done,
        data: Bytes::from_static(b"xyz"),
    };
    let answer = |outcome| Body::InstallSnapshotResponse {
        snapshot: Index(300),
        outcome,
    };
    vec![
        (Body::PreVote { last: id(5, 300) }, "0102010705ac02"),
        (Body::PreVoteResponse { granted: true }, "02020107"),
        (Body::PreVoteResponse { granted: false }, "03020107"),
        (
            Body::RequestVote {
                last: id(5, 300),
                transfer: false,
            },
            "0402010705ac02",
        ),
        (
            Body::RequestVote {
                last: id(5, 300),
                transfer: true,
            },
            "0502010705ac02",
        ),
        (Body::RequestVoteResponse { granted: true }, "06020107"),
        (Body::RequestVoteResponse { granted: false }, "07020107"),
        (
            Body::AppendEntries {
                prev: id(5, 300),
                commit: Index(299),
                entries,
            },
            "0802010705ac02ab020306616201020002",
        ),
        (
            Body::AppendEntries {
                prev: id(5, 300),
                commit: Index(299),
                entries: vec![membership(id(5, 301))],
            },
            "0802010705ac02ab020100010301020300000000000000",
        ),
        (Body::AppendEntriesResponse(accepted), "09020107af02"),
        (Body::AppendEntriesResponse(rejected), "0a020107af0204c801"),
        (
            Body::Heartbeat {
                commit: Index(299),
                round: Some(6),
            },
            "0b020107ab0206",
        ),
        (
            Body::Heartbeat {
                commit: Index(299),
                round: None,
            },
            "0c020107ab02",
        ),
        (Body::HeartbeatResponse { round: 6 }, "0d02010706"),
        (
            chunk(false),
            "0e02010705ac02030102030201040109010402040900010108070605040302010104050000000000000002",
        ),
        (
            chunk(true),
            "0f02010705ac02030102030201040109010402040900010108070605040302010104050000000000000002",
        ),
        (
            answer(SnapshotOutcome::Continue { next: 3 }),
            "10020107ac0203",
        ),
        (
            answer(SnapshotOutcome::Installed {
                matched: Index(301),
            }),
            "11020107ac02ad02",
        ),
        (Body::TimeoutNow, "12020107"),
        (Body::ReadIndex { ctx: 300 }, "13020107ac02"),
        (
            Body::ReadIndexResponse {
                ctx: 300,
                index: Index(301),
            },
            "14020107ac02ad02",
        ),
        (
            Body::Digest(StateDigest {
                index: Index(300),
                format: 257,
                hash: 0x0123_4567_89ab_cdef,
            }),
            "15020107ac028102efcdab8967452301",
        ),
        (
            Body::Sleep {
                last: Index(300),
                round: 6,
            },
            "16020107ac0206",
        ),
        (Body::SleepResponse { round: 6 }, "1702010706"),
    ]
}

fn message(body: Body) -> Message {
    Message {
        from: NodeId(2),
        to: NodeId(1),
        storage: STORAGE,
        term: Term(7),
        body,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bytes_of_every_message_are_as_documented() {
    for (body, bytes) in golden() {
        let frame = encode_messages(CLUSTER, 3, &[message(body.clone())]);
        let tail = if matches!(body, Body::InstallSnapshot { .. }) {
            "0378797a"
        } else {
            ""
        };
        assert_eq!(
            hex(&frame),
            format!("0201080706050403020118171615141312110301{bytes}{tail}"),
            "{body:?}"
        );
        let decoded = decode_messages(&Bytes::from(frame));
        assert_eq!(decoded, Ok((CLUSTER, 3, vec![message(body)])));
    }
}

#[test]
fn bytes_of_a_beat_are_as_documented() {
    let (from, run) = (NodeId(300), 0x1112_1314_1516_1718);
    let frame = encode_beat(CLUSTER, from, run);
    assert_eq!(hex(&frame), "02050807060504030201ac021817161514131211");
    assert_eq!(decode_beat(&Bytes::from(frame)), Ok((CLUSTER, from, run)));
    let far = Bytes::from(encode_beat(CLUSTER, NodeId(1 << 53), run));
    assert!(decode_beat(&far).is_err());
}

fn requests() -> Vec<Request> {
    let write = RequestBody::Write {
        session: SessionId(300),
        sequence: 5,
        acknowledged: 3,
        command: Bytes::from_static(b"put"),
    };
    let read = |at| RequestBody::Read {
        query: Bytes::from_static(b"get"),
        at,
    };
    let bodies = [
        RequestBody::OpenSession,
        RequestBody::CloseSession {
            session: SessionId(300),
        },
        write,
        read(ReadAt::Leader),
        read(ReadAt::Here),
        read(ReadAt::Lease),
        read(ReadAt::Local),
        read(ReadAt::Watch),
    ];
    bodies
        .into_iter()
        .zip(1..)
        .map(|(body, id)| Request {
            id: RequestId(id),
            body,
        })
        .collect()
}

fn replies() -> Vec<Reply> {
    let results = [
        Ok(Bytes::from_static(b"done")),
        Err(RequestError::NotLeader { hint: None }),
        Err(RequestError::NotLeader {
            hint: Some(NodeId(3)),
        }),
        Err(RequestError::LeadershipLost {
            hint: Some(NodeId(2)),
        }),
        Err(RequestError::Overloaded),
        Err(RequestError::SessionExpired),
        Err(RequestError::TooLarge { limit: 4096 }),
        Err(RequestError::WindowExceeded),
    ];
    results
        .into_iter()
        .zip(1..)
        .map(|(result, id)| Reply {
            id: RequestId(id),
            result,
        })
        .collect()
}

#[test]
fn bytes_of_requests_and_replies_are_as_documented() {
    let frame = encode_requests(3, &requests());
    assert_eq!(
        hex(&frame),
        "0202030801010202ac020303ac02050303707574040403676574050503676574060603676574070703676574080803676574"
    );
    assert_eq!(decode_requests(&Bytes::from(frame)), Ok((3, requests())));

    let frame = encode_replies(3, &replies());
    assert_eq!(
        hex(&frame),
        "02030308010004646f6e6502010003010304020205030604070580200806"
    );
    assert_eq!(decode_replies(&Bytes::from(frame)), Ok((3, replies())));
}

/// Frames of all three kinds.
fn frames() -> Vec<Bytes> {
    let messages: Vec<_> = golden()
        .into_iter()
        .map(|(body, _)| message(body))
        .collect();
    let mut frames: Vec<Vec<u8>> = messages
        .iter()
        .map(|one| encode_messages(CLUSTER, 3, core::slice::from_ref(one)))
        .collect();
    frames.push(encode_messages(CLUSTER, 70_000, &messages));
    frames.push(encode_requests(0, &requests()));
    frames.push(encode_replies(0, &replies()));
    frames.push(encode_beat(CLUSTER, NodeId(300), 7));
    frames.into_iter().map(Bytes::from).collect()
}

/// Whatever decodes is what would be encoded: a frame has one spelling.
fn survives(bytes: Vec<u8>) -> bool {
    let frame = Bytes::from(bytes);
    if let Ok((cluster, group, messages)) = decode_messages(&frame) {
        assert_eq!(encode_messages(cluster, group, &messages), frame);
        return true;
    }
    if let Ok((group, requests)) = decode_requests(&frame) {
        assert_eq!(encode_requests(group, &requests), frame);
        return true;
    }
    if let Ok((group, replies)) = decode_replies(&frame) {
        assert_eq!(encode_replies(group, &replies), frame);
        return true;
    }
    if let Ok((cluster, from, run)) = decode_beat(&frame) {
        assert_eq!(encode_beat(cluster, from, run), frame);
        return true;
    }
    false
}

#[test]
fn every_cut_of_every_frame_is_refused() {
    for frame in frames() {
        assert!(survives(frame.to_vec()));
        for cut in 0..frame.len() {
            assert!(
                !survives(frame[..cut].to_vec()),
                "{} of {}",
                cut,
                hex(&frame)
            );
        }
        assert!(!survives([&frame[..], &[0]].concat()), "a byte too much");
    }
}

#[test]
fn every_changed_byte_of_every_frame_is_survived() {
    for frame in frames() {
        for at in 0..frame.len() {
            for value in 0..=255 {
                let mut changed = frame.to_vec();
                changed[at] = value;
                survives(changed);
            }
        }
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut random = Random::new(11);
    for _ in 0..50_000 {
        let len = random.below(80) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| random.next_u64() as u8).collect();
        if len > 2 {
            // Most would fail at the first byte, which teaches little.
            bytes[0] = 2;
            bytes[1] = 1 + random.below(5) as u8;
        }
        survives(bytes);
    }
}

#[test]
fn other_versions_and_kinds_are_told_apart() {
    let frame = encode_requests(0, &requests());
    let mut newer = frame.clone();
    newer[0] = 3;
    assert_eq!(
        decode_requests(&Bytes::from(newer)),
        Err(FrameError::Version { found: 3 })
    );
    assert_eq!(
        decode_replies(&Bytes::from(frame)),
        Err(FrameError::Kind { found: 2 })
    );
}

#[test]
fn huge_counts_and_numbers_are_refused_before_anything_is_reserved() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let head = [[2, 1].as_slice(), &[0; 17]].concat();
    assert!(!survives([&head[..], &huge].concat()));
    // 2^53 would not survive JavaScript.
    let frame = |term| {
        encode_messages(
            0,
            0,
            &[Message {
                term: Term(term),
                ..message(Body::TimeoutNow)
            }],
        )
    };
    assert!(decode_messages(&Bytes::from(frame((1 << 53) - 1))).is_ok());
    assert!(decode_messages(&Bytes::from(frame(1 << 53))).is_err());
}

#[test]
fn entries_cost_little_and_share_the_frame() {
    let entries: Vec<_> = (1..=256)
        .map(|index| command(id(7, index), &[7; 16]))
        .collect();
    let body = Body::AppendEntries {
        prev: id(7, 0),
        commit: Index(0),
        entries,
    };
    let frame = Bytes::from(encode_messages(CLUSTER, 0, &[message(body)]));
    assert!(frame.len() <= 256 * 17 + 32, "{} bytes", frame.len());
    let (_, _, messages) = decode_messages(&frame).expect("a frame");
    let Body::AppendEntries { entries, .. } = &messages[0].body else {
        panic!("an append")
    };
    let Payload::Command(data) = &entries[9].payload else {
        panic!("a command")
    };
    assert!(frame.as_ptr_range().contains(&data.as_ptr()), "no copy");
    let heartbeat = message(Body::Heartbeat {
        commit: Index(1 << 30),
        round: Some(1 << 20),
    });
    assert!(encode_messages(CLUSTER, 0, &[heartbeat]).len() < 38);
}
