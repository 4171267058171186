//! Two openers of one database, where the lock keeps nobody away: the later one wins.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use quorate_raft::{Body, EntryId, Message, NodeId, StorageId, Term};
use quorate_rsm::codec;
use quorate_rsm::storage::Round;
use quorate_wasm::indexed_db::{DATABASE_VERSION, IndexedDb};
use quorate_wasm::storage::StorageEvent;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::halting::tag;
use crate::support::*;

const TIMEOUT_MS: u32 = 60_000;

fn put(key: &str, value: &[u8]) -> Round {
    Round {
        puts: vec![(key.into(), value.to_vec())],
        ..Round::default()
    }
}

async fn open_database(name: &str) -> (IndexedDb, Heard<StorageEvent>) {
    let (sink, heard) = hear_storage();
    let database = IndexedDb::open(name, DATABASE_VERSION, TIMEOUT_MS, &sink).await;
    (database.expect("the database opens"), heard)
}

/// How the last round ended: none, or the code of what went wrong.
async fn ended(heard: &Heard<StorageEvent>, rounds: usize) -> Option<String> {
    until("the rounds end", || heard.all().len() >= rounds).await;
    match &heard.all()[rounds - 1] {
        StorageEvent::Written => None,
        StorageEvent::Failed(failure) => Some(failure.code.to_string()),
        event => panic!("no end of a round: {event:?}"),
    }
}

async fn keys(database: &IndexedDb) -> Vec<String> {
    let records = database.load().await.expect("the records load");
    records.into_iter().map(|(key, _)| key).collect()
}

#[wasm_bindgen_test]
async fn the_later_opener_wins_and_of_the_earlier_one_nothing_is_stored() {
    let name = unique("later");
    let (first, first_heard) = open_database(&name).await;
    first.write(&put("a", b"1")).unwrap();
    assert_eq!(ended(&first_heard, 1).await, None);

    let (second, second_heard) = open_database(&name).await;
    let round = Round {
        deletes: vec![("a".into(), "b".into())],
        ..put("c", b"1")
    };
    first.write(&round).unwrap();
    let fenced = Some("STORAGE_FENCED".into());
    assert_eq!(ended(&first_heard, 2).await, fenced);
    assert_eq!(keys(&second).await, ["a"]);
    second.write(&put("b", b"2")).unwrap();
    assert_eq!(ended(&second_heard, 1).await, None);

    let (third, third_heard) = open_database(&name).await;
    first.write(&put("d", b"1")).unwrap();
    assert_eq!(ended(&first_heard, 3).await, fenced, "still");
    second.write(&put("e", b"2")).unwrap();
    assert_eq!(ended(&second_heard, 2).await, fenced);
    third.write(&put("f", b"3")).unwrap();
    assert_eq!(ended(&third_heard, 1).await, None);
    assert_eq!(keys(&third).await, ["a", "b", "f"]);
}

#[wasm_bindgen_test]
async fn what_was_told_to_be_durable_is_seen_by_whoever_opens() {
    let mut outcomes = [0, 0];
    for attempt in 0..24 {
        let name = unique("seen");
        let (first, heard) = open_database(&name).await;
        let (other, opened) = (name.clone(), Rc::new(RefCell::new(None)));
        let slot = opened.clone();
        spawn_local(async move { *slot.borrow_mut() = Some(open_database(&other).await) });
        // The round begins before the other opener does, in the midst of its opening, or behind it.
        match attempt {
            0 => {}
            23 => until("the other one is open", || opened.borrow().is_some()).await,
            ms => sleep(ms).await,
        }
        first.write(&put("a", b"1")).unwrap();
        let was_written = ended(&heard, 1).await.is_none();
        until("the other one is open", || opened.borrow().is_some()).await;
        let (second, _) = opened.take().expect("until waits for it");
        let expected: &[&str] = if was_written { &["a"] } else { &[] };
        assert_eq!(keys(&second).await, expected, "attempt {attempt}");
        outcomes[usize::from(was_written)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[wasm_bindgen_test]
async fn a_database_of_an_earlier_version_has_no_number() {
    let name = unique("unfenced");
    raw_put(&name, "a", &Uint8Array::from(&b"1"[..])).await;
    let (database, heard) = open_database(&name).await;
    assert_eq!(keys(&database).await, ["a"]);
    database.write(&put("b", b"2")).unwrap();
    assert_eq!(ended(&heard, 1).await, None);
}

#[wasm_bindgen_test]
async fn an_opener_that_gives_up_takes_nothing_over() {
    let name = unique("hasty");
    let (first, heard) = open_database(&name).await;
    let other = raw_open(&name, DATABASE_VERSION, false).await;
    // A transaction that goes on for as long as it is told to holds all others up.
    let hold = script(
        "const store = a.transaction('records', 'readwrite').objectStore('records');
         const hold = { on: true };
         const again = () => { if (hold.on) store.get('none').onsuccess = again; };
         again();
         return hold;",
        &[&other],
    );
    let (sink, _) = hear_storage();
    let refused = IndexedDb::open(&name, DATABASE_VERSION, 300, &sink).await;
    assert_eq!(
        refused.err().map(|failure| failure.code.clone()),
        Some("STORAGE_BLOCKED".into())
    );
    script("a.on = false", &[&hold]);
    first.write(&put("a", b"1")).unwrap();
    assert_eq!(ended(&heard, 1).await, None);
    other.close();
}

#[wasm_bindgen_test]
async fn a_fenced_node_halts_and_says_nothing_that_rests_on_the_write() {
    let cluster = unique("fenced");
    let settings = with(&config(&cluster, 1, 2), "lock", &false.into());
    let (first, heard) = open(&settings).await;
    let (ours, theirs) = channel();
    first.connect_peer(2.0, ours).expect("an open node");
    let frames = script(
        "const frames = []; a.onmessage = (event) => frames.push(event.data); return frames;",
        &[&theirs],
    );
    let (second, _) = open(&settings).await;
    // A vote for the other node needs a write.
    let vote = codec::encode_messages(
        tag(&cluster),
        0,
        &[Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId(0),
            term: Term(1_000),
            body: Body::RequestVote {
                last: EntryId::ZERO,
                transfer: true,
            },
        }],
    );
    script(
        "a.postMessage(b.buffer)",
        &[&theirs, &Uint8Array::from(&vote[..])],
    );
    let event = heard.of_type("halted").await;
    assert_eq!(text(&event, "code"), "STORAGE_FENCED");
    assert!(property(&event, "group").is_null(), "the whole node");
    assert_eq!(text(&status(&first), "halted.code"), "STORAGE_FENCED");
    sleep(500).await;
    let frames: js_sys::Array = frames.into();
    for frame in frames.iter() {
        let frame = Uint8Array::new(&frame).to_vec();
        let (_, _, messages) = codec::decode_messages(&frame.into()).expect("a frame");
        assert!(messages.iter().all(|message| message.term < Term(1_000)));
    }
    assert!(property(&status(&second), "halted").is_null());
    assert!(number(&status(&second), "groups.0.term") < 1_000.0);
    close(&first).await;
    close(&second).await;
}
