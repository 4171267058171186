//! What a leader's entries, snapshots and digests make of a node, and what it tells the leader of its
//! state; and the other way round.

use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::raft::{
    Body, Change, ConfState, Entry, EntryId, Index, Instant, NodeId, Payload, Restored,
    SnapshotMeta, StateDigest, StorageId, Term,
};
use quorate_rsm::{HaltCause, Input, Node, NodeConfig, OpenError, RequestBody};

use crate::host::{CLIENT, Host, LEADER, ME, Text};

/// The machine's format before the node's.
const FORMAT: u64 = 0x301;

fn command(bytes: &[u8]) -> Payload {
    Payload::Command(Bytes::copy_from_slice(bytes))
}

/// Opens session 1, if it is the first entry.
fn open() -> Payload {
    command(&[1, 0])
}

/// The write `sequence` in session 1, when all before were answered.
fn write(sequence: u8, text: &[u8]) -> Payload {
    command(&[&[3, 0, 1, sequence, 1], text].concat())
}

const CHECKPOINT: [u8; 2] = [4, 0];

fn at(index: u64) -> EntryId {
    EntryId::new(Term(5), Index(index))
}

fn snapshot(host: &Host) -> u64 {
    host.node.raft().snapshot().last.index.0
}

fn digests(host: &mut Host) -> Vec<(NodeId, StateDigest)> {
    let said = core::mem::take(&mut host.said);
    let digest = |message: &quorate_rsm::raft::Message| match message.body {
        Body::Digest(digest) => Some((message.to, digest)),
        _ => None,
    };
    said.iter().filter_map(digest).collect()
}

/// FNV-1a, in the numbers of its authors.
fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash: u64 = 14_695_981_039_346_656_037;
    for byte in bytes {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(1_099_511_628_211);
    }
    hash
}

/// One that has executed "ab" at log time 2, and a checkpoint at 3; and what that comes to.
fn at_a_checkpoint() -> (Host, StateDigest) {
    let mut host = Host::following(|_| {});
    let commands: [&[u8]; 3] = [&[1, 1], &[3, 2, 1, 1, 1, b'a', b'b'], &[4, 3]];
    host.hear(EntryId::default(), commands.map(command).to_vec());
    // Log time; one session: 1, active at 2, nothing acknowledged, one reply, that to 1, of two bytes.
    // Then the machine.
    let state = [3, 1, 1, 2, 0, 1, 1, 2, b'a', b'b', b'a', b'b'];
    let digest = StateDigest {
        index: Index(3),
        format: FORMAT,
        hash: hash_of(&state),
    };
    (host, digest)
}

#[test]
fn at_a_checkpoint_the_leader_is_told_what_the_state_comes_to() {
    let (mut host, digest) = at_a_checkpoint();
    assert_eq!(snapshot(&host), 3);
    assert_eq!(digests(&mut host), [(LEADER, digest)]);
}

#[test]
fn a_node_halts_when_its_leader_has_another_state_of_the_same_entry_and_format() {
    let other = |digest: StateDigest| digest.hash + 1;
    let halts = |from, change: &dyn Fn(&mut StateDigest)| {
        let (mut host, mut digest) = at_a_checkpoint();
        digest.hash = other(digest);
        change(&mut digest);
        host.message(NodeId(from), Body::Digest(digest));
        host.halted
    };
    let diverged = Some(HaltCause::Diverged(Index(3)));
    assert_eq!(halts(LEADER.0, &|_| {}), diverged);
    assert_eq!(halts(3, &|_| {}), None, "who does not lead is not heard");
    assert_eq!(halts(LEADER.0, &|digest| digest.hash -= 1), None);
    assert_eq!(halts(LEADER.0, &|digest| digest.index = Index(2)), None);
    assert_eq!(halts(LEADER.0, &|digest| digest.format += 1), None);
}

#[test]
fn without_checkpoints_a_node_takes_its_own_snapshot_when_two_are_due() {
    let mut host = Host::following(|config| config.snapshot_entries = 4);
    for (heard, taken) in [(7, 0), (8, 8), (15, 8), (16, 16)] {
        let applied = host.node.raft().applied().index.0;
        let noops = vec![Payload::Noop; (heard - applied) as usize];
        let prev = host.node.raft().applied();
        host.hear(prev, noops);
        assert_eq!((heard, snapshot(&host)), (heard, taken));
    }
    // Nobody else has one of the same entry.
    assert_eq!(digests(&mut host), []);
}

#[test]
fn bytes_of_commands_make_snapshots_due_as_entries_do() {
    let mut host = Host::following(|config| config.snapshot_bytes = 10);
    let ten = || command(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]);
    let nine = || command(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]);
    host.hear(EntryId::default(), vec![ten(), nine()]);
    assert_eq!(snapshot(&host), 0);
    host.hear(at(2), vec![ten()]);
    assert_eq!(snapshot(&host), 3);
    host.hear(at(3), vec![ten()]);
    assert_eq!(snapshot(&host), 3, "what is in it no longer counts");
}

#[test]
fn a_large_state_is_written_anew_only_for_a_log_as_large() {
    let grown = |change: &dyn Fn(&mut NodeConfig)| {
        let mut host = Host::following(change);
        // With a session and its reply, 2,570 bytes or some more: twenty entries.
        host.hear(EntryId::default(), vec![open(), write(1, &[7; 1_280])]);
        host.hear(at(2), vec![command(&CHECKPOINT)]);
        assert_eq!(snapshot(&host), 3);
        host
    };
    let mut host = grown(&|config| config.snapshot_entries = 1);
    host.hear(at(3), vec![Payload::Noop; 39]);
    assert_eq!(snapshot(&host), 3);
    host.hear(at(42), vec![Payload::Noop]);
    assert_eq!(snapshot(&host), 43);

    // The same of one that came from the leader, or from storage.
    let mut host = Host::following(|config| config.snapshot_entries = 1);
    install(&mut host, 100, &[HEAD, &[7; 2_560]]);
    host.hear(at(100), vec![Payload::Noop; 39]);
    assert_eq!(snapshot(&host), 100);
    host.hear(at(139), vec![Payload::Noop]);
    assert_eq!(snapshot(&host), 140);

    let mut host = grown(&|config| config.snapshot_bytes = 1);
    host.hear(at(3), vec![write(2, &[7; 2_500]), write(3, &[7; 2_500])]);
    assert_eq!(snapshot(&host), 3);
    host.hear(at(5), vec![write(4, &[7; 200])]);
    assert_eq!(snapshot(&host), 6);
}

/// The leader sends chunks of its snapshot of the entries up to `index`.
fn send(host: &mut Host, index: u64, chunks: &[&[u8]], done: bool) {
    for (number, data) in (0..).zip(chunks) {
        let meta = SnapshotMeta {
            last: at(index),
            conf_state: Arc::new(ConfState::new([1, 2, 3].map(NodeId))),
        };
        let body = Body::InstallSnapshot {
            meta: Box::new(meta),
            number,
            done: done && number as usize + 1 == chunks.len(),
            data: Bytes::copy_from_slice(data),
        };
        host.message(LEADER, body);
    }
}

fn install(host: &mut Host, index: u64, chunks: &[&[u8]]) {
    send(host, index, chunks, true);
    host.settle();
}

/// Log time 300; session 1, active at 200, 4 acknowledged, and the reply to 5.
const HEAD: &[u8] = &[0xac, 2, 1, 1, 0xc8, 1, 4, 1, 5, 2, b'o', b'k'];

#[test]
fn a_leaders_snapshot_brings_the_state_the_sessions_and_log_time() {
    let mut host = Host::following(|config| config.snapshot_entries = 4);
    host.hear(EntryId::default(), vec![open(), write(1, b"old")]);
    install(&mut host, 50, &[HEAD, b"abc"]);
    assert_eq!(host.restored, [at(50)]);
    assert_eq!(host.node.machine().0, b"abc");
    let status = host.node.status();
    assert_eq!((status.sessions, status.time_ms), (1, 300));
    // What is repeated is answered and not executed again; what is new is.
    host.hear(at(50), vec![write(5, b"d"), write(6, b"e")]);
    assert_eq!(host.node.machine().0, b"abce");
    assert_eq!(host.node.status().time_ms, 300, "it never falls");
    // Own snapshots are due from there on.
    assert_eq!(snapshot(&host), 50);
    host.hear(at(52), vec![Payload::Noop; 6]);
    assert_eq!(snapshot(&host), 58);
}

#[test]
fn a_snapshot_that_is_overtaken_by_a_newer_one_is_forgotten() {
    let mut host = Host::following(|_| {});
    send(&mut host, 40, &[HEAD, b"lost"], false);
    install(&mut host, 50, &[HEAD, b"a", b"bc"]);
    assert_eq!(host.restored, [at(50)]);
    assert_eq!(host.node.machine().0, b"abc");
}

#[test]
fn an_own_snapshot_that_comes_too_early_is_taken_later_as_a_whole() {
    let mut host = Host::following(|config| config.snapshot_entries = 4);
    send(&mut host, 50, &[HEAD, b"abc"], true);
    // Due before the leader's is durable, and refused.
    let entries = (51..=58).map(|index| Entry {
        id: at(index),
        payload: Payload::Noop,
    });
    let body = Body::AppendEntries {
        prev: at(50),
        commit: Index(58),
        entries: entries.collect(),
    };
    host.message(LEADER, body);
    assert_eq!(host.node.raft().applied(), at(58));
    let (mut chunks, mut complete) = (Vec::new(), Vec::new());
    let mut write_all = |host: &mut Host| {
        while let Some(batch) = host.writing.take() {
            let written = batch.chunks.iter();
            chunks.extend(written.map(|chunk| (chunk.snapshot.0, chunk.number)));
            complete.extend(batch.snapshot.map(|it| (it.meta.last.index.0, it.chunks)));
            host.input(Input::Persisted { seq: batch.seq });
        }
    };
    write_all(&mut host);
    assert_eq!(snapshot(&host), 50);
    let body = Body::AppendEntries {
        prev: at(58),
        commit: Index(59),
        entries: vec![Entry {
            id: at(59),
            payload: Payload::Noop,
        }],
    };
    host.message(LEADER, body);
    write_all(&mut host);
    assert_eq!(snapshot(&host), 59);
    assert_eq!(complete, [(50, 2), (59, 2)]);
    assert!(chunks.ends_with(&[(59, 0), (59, 1)]), "{chunks:?}");
}

#[test]
fn a_snapshot_that_cannot_be_read_halts_the_node() {
    let heads: [(&[u8], &str); 4] = [
        (b"", "the head is malformed"),
        (&[0xac], "the head is malformed"),
        (&HEAD[..5], "the head is malformed"),
        (&[HEAD, &[0]].concat(), "the head is malformed"),
    ];
    for (head, what) in heads {
        let mut host = Host::following(|_| {});
        install(&mut host, 50, &[head]);
        assert_eq!(host.halted, Some(HaltCause::BadSnapshot(what)));
        assert_eq!(host.node.machine().0, b"");
    }
}

#[test]
fn a_stored_snapshot_that_cannot_be_read_opens_no_node() {
    let opened = |chunks: &[&'static [u8]]| {
        let conf_state = ConfState::new([ME]);
        let mut restored = Restored::fresh(conf_state);
        restored.hard_state.term = Term(5);
        restored.snapshot.last = at(50);
        restored.log_start = at(50);
        restored.commit = Index(50);
        let chunks = chunks.iter().map(|data| Bytes::from_static(data));
        let (config, machine) = (NodeConfig::new(ME), Text::default());
        let node = Node::new(config, restored, chunks, machine, Instant(0), 1);
        node.map(|node| (node.machine().0.clone(), node.status().time_ms))
    };
    assert_eq!(opened(&[HEAD, b"ab", b"c"]), Ok((b"abc".to_vec(), 300)));
    let bad = |what| Err(OpenError::BadSnapshot(what));
    assert_eq!(opened(&[]), bad("the head is missing"));
    assert_eq!(opened(&[b"\xac"]), bad("the head is malformed"));
}

/// Leads a cluster of itself and a learner, and has taken a snapshot at the last entry that is
/// committed, a checkpoint.
fn leader_at_a_checkpoint() -> (Host, Index) {
    let mut host = Host::leading(|config| config.snapshot_entries = 3);
    let (id, storage) = (LEADER, StorageId(0));
    let learner = [Change::AddLearner { id, storage }];
    let changed = host.node.change_membership(host.now, &learner);
    assert!(changed.is_ok());
    host.drain();
    host.settle();
    host.ask(CLIENT, RequestBody::OpenSession);
    host.settle();
    let commit = host.node.raft().commit();
    assert_eq!(snapshot(&host), commit.0);
    assert_eq!(digests(&mut host), [], "nobody leads it");
    (host, commit)
}

#[test]
fn a_leader_names_the_member_whose_state_is_not_its_own_and_tells_it() {
    let (mut host, index) = leader_at_a_checkpoint();
    let digest = |index, format| {
        Body::Digest(StateDigest {
            index,
            format,
            hash: 1,
        })
    };
    // What is not committed cannot have been applied: it must not take the place of what was.
    host.message(LEADER, digest(index.next(), FORMAT));
    host.message(NodeId(9), digest(index, FORMAT));
    host.message(LEADER, digest(index.prev(), FORMAT));
    assert_eq!(host.diverged, []);
    host.message(LEADER, digest(index, FORMAT));
    assert_eq!(host.diverged, [(LEADER, index)]);
    let told = digests(&mut host);
    assert!(
        matches!(told[..], [(LEADER, StateDigest { index: of, hash, .. })] if of == index && hash != 1)
    );
    assert_eq!(host.halted, None);
}

#[test]
fn states_of_other_formats_are_not_compared() {
    let (mut host, index) = leader_at_a_checkpoint();
    let format = FORMAT + 0x100;
    host.message(
        LEADER,
        Body::Digest(StateDigest {
            index,
            format,
            hash: 1,
        }),
    );
    assert_eq!(host.diverged, []);
}
