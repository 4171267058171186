//! What is told of a world: all of it, once, and as it was at its moment.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::NodeId;
use quorate_rsm::ReadAt;

use super::*;
use crate::film::LINES_MAX;
use crate::film::rows::{EventRow, NodePicture, OperationRow};

const SCENE: Scene = Scene {
    nodes: 3,
    clients: 3,
    think: 20,
    election: 300,
    heartbeat: 60,
    delay: 4,
    loss_permille: 0,
    disk: 4,
    snapshot_entries: 30,
    batch: 1_000,
    faults: 0,
    reads: ReadAt::Leader,
};

fn scene(seed: u64, scene: Scene) -> Stage {
    let kind = Kind::Scene(scene);
    Stage::new(Spec { seed, kind })
}

fn campaign(seed: u64) -> Stage {
    let kind = Kind::Campaign { torment: 2_000 };
    Stage::new(Spec { seed, kind })
}

/// All that is told from now on, until the world has come to its end or to so many events.
fn rest(stage: &mut Stage, events: u64, piece: u64) -> Chunk {
    let mut all = Chunk::default();
    loop {
        let told = stage.advance(piece, u64::MAX);
        assert_eq!(told.failure, None);
        all.events.extend(told.events);
        all.landings.extend(told.landings);
        all.operations.extend(told.operations);
        (all.count, all.hash, all.ended) = (told.count, told.hash, told.ended);
        if all.ended || all.count >= events {
            return all;
        }
    }
}

fn picture(chunk: &Chunk, id: u64) -> NodePicture {
    let rows = chunk.nodes.iter().rev();
    let row = rows.map(|row| &row.node).find(|node| node.id == id);
    row.expect("it is told of this node").clone()
}

#[test]
fn what_comes_to_a_paused_node_lands_once_and_has_its_reason_when_it_is_taken() {
    let mut stage = scene(1, SCENE);
    let before = stage.advance(1_500, u64::MAX);
    let follows = |id: &u64| picture(&before, *id).role == "follower";
    let id = (1..=3).find(follows).expect("most follow");
    stage.act(Act::Pause(NodeId(id))).expect("it runs");
    let mut told = stage.advance(300, u64::MAX);
    let resumed = stage.act(Act::Resume(NodeId(id))).expect("it is paused");
    told.landings.extend(resumed.landings);
    let after = stage.advance(1_500, u64::MAX);
    told.landings.extend(after.landings);
    let landed: BTreeSet<u64> = told.landings.iter().map(|row| row.flight).collect();
    assert_eq!(landed.len(), told.landings.len(), "each lands once");
    let rows = |rows: &[EventRow], kind: &str| -> BTreeMap<u64, EventRow> {
        let of = |row: &&EventRow| row.kind == kind && row.node == id;
        let with_flight = |row: &EventRow| Some((row.flight?, row.clone()));
        rows.iter().filter(of).filter_map(with_flight).collect()
    };
    let waited = rows(&told.events, "wait");
    assert!(waited.len() > 20);
    assert!(waited.values().all(|row| row.why.is_none()));
    assert!(rows(&told.events, "deliver").is_empty());
    let taken = rows(&after.events, "deliver");
    assert!(waited.keys().all(|flight| taken.contains_key(flight)));
    let mut appended = waited
        .iter()
        .filter(|(_, row)| row.text.contains("AppendEntries"))
        .map(|(flight, _)| &taken[flight]);
    assert!(appended.clone().count() > 5);
    assert!(
        appended.all(|row| row.why.is_some()),
        "as if none had waited"
    );
}

#[test]
fn a_node_that_does_not_run_is_shown_as_it_begins_again() {
    let slow = Scene { disk: 60, ..SCENE };
    let (mut undone, mut many) = (0, 0);
    for times in 1..=60 {
        let mut stage = scene(times, slow.clone());
        stage.skip(35 * times);
        // Some terms and votes are not durable yet.
        let _ = stage.act(Act::Transfer(NodeId(1 + times % 3)));
        let before = stage.advance(1 + times % 24, u64::MAX);
        for id in 1..=3 {
            let Ok(crashed) = stage.act(Act::Crash(NodeId(id))) else {
                continue;
            };
            let resting = picture(&crashed, id);
            let log = &resting.log;
            assert_eq!(log.persisted, log.last);
            assert!(log.commit <= log.last);
            let told = log.entries.len() as u64;
            assert_eq!(told, (log.last - log.start).min(24));
            let begun = stage.act(Act::Start(NodeId(id))).expect("it is down");
            let begun = picture(&begun, id);
            assert_eq!((begun.term, begun.vote), (resting.term, resting.vote));
            assert_eq!(
                (begun.log.start, begun.log.last, &begun.log.runs),
                (log.start, log.last, &log.runs)
            );
            assert_eq!(begun.log.entries, log.entries);
            let ran = before.nodes.iter().rev().find(|row| row.node.id == id);
            let knew = ran.is_some_and(|row| row.node.term > resting.term);
            undone += u64::from(knew && resting.term > 0);
            many += u64::from(told == 24);
        }
    }
    assert!(undone > 0, "some knew a term that was not durable");
    assert!(many > 0);
}

#[test]
fn a_campaign_is_lived_as_far_as_it_is_told() {
    let mut world = World::new(spec::campaign(3, 2_000));
    let summary = world.run().expect("it holds");
    let all = rest(&mut campaign(3), u64::MAX, 3_000);
    assert_eq!(all.count, world.events());
    assert_eq!(all.hash, format!("{:016x}", summary.hash));
    let mut stage = campaign(3);
    let first = rest(&mut stage, 100, 100);
    assert_eq!(first.count, 100);
    let later = rest(&mut stage, 200, 7);
    assert_ne!(first.hash, later.hash, "the hash of what was told");
    let pieces = rest(&mut stage, u64::MAX, 500);
    assert_eq!((pieces.count, pieces.hash), (all.count, all.hash));
    let end = first.events.len() + later.events.len() + pieces.events.len();
    assert_eq!(end, all.events.len());
}

#[test]
fn each_answer_in_a_campaign_is_told() {
    let answered = |row: &&OperationRow| row.state == "answered";
    for seed in 1..=12 {
        let all = rest(&mut campaign(seed), u64::MAX, 2_000);
        let mut answers = all.operations.iter().filter(answered);
        assert!(answers.all(|row| row.answer.is_some()), "world {seed}");
    }
}

#[test]
fn a_long_time_that_is_skipped_is_as_if_it_were_told() {
    // More lines than a film keeps.
    let events = 24_000;
    let (mut told, mut skipping) = (scene(1, SCENE), scene(1, SCENE));
    let mut lines = 0;
    for _ in 0..10 {
        lines += told.advance(events / 10, u64::MAX).events.len();
    }
    assert!(lines > LINES_MAX);
    skipping.skip(events);
    assert_eq!(skipping.advance(200, u64::MAX), told.advance(200, u64::MAX));
}

#[test]
fn a_refusal_leaves_the_world_as_it_is() {
    for kind in [Kind::Scene(SCENE), Kind::Campaign { torment: 2_000 }] {
        let spec = Spec { seed: 2, kind };
        let (mut one, mut other) = (Stage::new(spec.clone()), Stage::new(spec));
        one.skip(300);
        other.skip(300);
        let refused = [
            Act::Resume(NodeId(1)),
            Act::Start(NodeId(1)),
            Act::Transfer(NodeId(9)),
            Act::Lose(1 << 40),
            Act::Join(1),
        ];
        for act in refused {
            assert!(one.act(act.clone()).is_err(), "{act}");
            assert_eq!(one.world.events(), 300, "{act}");
        }
        let (one, other) = (one.advance(300, u64::MAX), other.advance(300, u64::MAX));
        assert_eq!(one, other);
    }
}
