//! Shards that move between two groups, step by step: what is served where, and what travels.

// On wasm32 `#[test]` is the one that wasm-bindgen's runner sees.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod groups;
mod leaving;
mod mover;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_rsm::{SessionId, StateMachine};
use quorate_shard::{
    Body, Command, Configuration, GroupId, Load, Query, Reply, SHARDS_MAX, ShardId, ShardStore,
    Stage, StoreError, shard_of,
};

use groups::{A, B, Group, SHARDS, configuration, copy, key, kv_reply, move_shard, put, serving};

const SHARD: ShardId = ShardId(1);

/// Both groups at configuration 1, in which the first has all shards.
fn pair() -> [Group; 2] {
    let mut groups = [Group::new(A), Group::new(B)];
    for group in &mut groups {
        assert_eq!(group.adopt(&configuration(1, [A; 3])), Reply::Ok);
    }
    groups
}

/// The same, and at configuration 2, in which the shard is the second's.
fn moving() -> [Group; 2] {
    let mut groups = pair();
    for group in &mut groups {
        assert_eq!(group.adopt(&configuration(2, [A, B, A])), Reply::Ok);
    }
    groups
}

#[test]
fn a_group_is_told_once_which_one_it_is() {
    let mut group = Group::new(A);
    assert_eq!(group.found(A, SHARDS), Reply::Ok, "again");
    for (id, shards) in [(B, SHARDS), (A, SHARDS + 1)] {
        assert_eq!(group.found(id, shards), Reply::Failed(StoreError::Foreign));
    }
    let mut group = Group::unfounded();
    let command = Command::Delete {
        shard: SHARD,
        config: 1,
    };
    let refused = Reply::Failed(StoreError::NotFounded);
    assert_eq!(group.apply(&command), refused);
    for (id, shards) in [(GroupId::NONE, 3), (A, 0), (A, SHARDS_MAX + 1)] {
        assert_eq!(group.found(id, shards), Reply::Failed(StoreError::Foreign));
    }
}

#[test]
fn configurations_are_taken_one_after_the_other() {
    let [mut a, _] = pair();
    let early = Reply::Failed(StoreError::TooEarly);
    assert_eq!(
        a.adopt(&configuration(3, [A, B, A])),
        early,
        "one is left out"
    );
    assert_eq!(a.adopt(&configuration(2, [A, B, A])), Reply::Ok);
    assert_eq!(a.adopt(&configuration(2, [A, B, A])), Reply::Ok, "again");
    assert_eq!(
        a.adopt(&configuration(1, [B; 3])),
        Reply::Ok,
        "an old one does nothing"
    );
    assert_eq!(a.store.configuration().number, 2);
    assert_eq!(
        a.adopt(&configuration(3, [A; 3])),
        early,
        "a shard still leaves"
    );
    let foreign = Configuration {
        shards: vec![A; 4],
        ..configuration(3, [A; 3])
    };
    assert_eq!(a.adopt(&foreign), Reply::Failed(StoreError::Foreign));
}

#[test]
fn a_shard_is_served_by_the_giver_until_it_is_frozen_and_by_the_taker_from_the_last_piece_on() {
    let [mut a, mut b] = moving();
    let session = a.open(SHARD);
    assert!(matches!(
        put(&mut a, SHARD, session, 1, "x"),
        Reply::Done(_)
    ));
    let Reply::Elsewhere(elsewhere) = put(&mut b, SHARD, session, 2, "y") else {
        panic!("it has not arrived");
    };
    assert_eq!(
        (elsewhere.owner, elsewhere.config),
        (A, 2),
        "where it is still served"
    );

    let mark = a.mark(SHARD, 2, None);
    copy(&mut a, &mut b, SHARD, 2, mark, None, 50);
    assert!(!b.store.serves(SHARD), "a copy is not the shard");
    assert!(matches!(
        put(&mut a, SHARD, session, 2, "y"),
        Reply::Done(_)
    ));

    let last = a.freeze(SHARD, 2, Some(mark.0));
    let Reply::Elsewhere(elsewhere) = put(&mut a, SHARD, session, 3, "z") else {
        panic!("it is frozen");
    };
    assert_eq!(elsewhere.owner, B);
    copy(&mut a, &mut b, SHARD, 2, last, Some(mark.0), 50);
    assert!(b.store.serves(SHARD) && !a.store.serves(SHARD));
    assert_eq!(
        b.get(SHARD),
        Some(Bytes::from_static(b"y")),
        "what was written between"
    );
    assert!(matches!(
        put(&mut b, SHARD, session, 3, "z"),
        Reply::Done(_)
    ));
    assert!(
        a.store.places().any(|(shard, _)| shard == SHARD),
        "not deleted yet"
    );
    let delete = Command::Delete {
        shard: SHARD,
        config: 2,
    };
    assert_eq!(a.apply(&delete), Reply::Ok);
    assert!(a.store.is_settled() && b.store.is_settled());
    assert_eq!(a.apply(&delete), Reply::Gone, "again");
}

#[test]
fn each_node_counts_what_clients_have_a_shard_do() {
    let mut groups = moving();
    let load = |commands, queries| Load { commands, queries };
    let session = groups[0].open(SHARD);
    put(&mut groups[0], SHARD, session, 1, "x");
    put(&mut groups[0], SHARD, session, 1, "x");
    put(&mut groups[1], SHARD, session, 2, "refused");
    groups[0].get(SHARD);
    let watch = |from| {
        let query = kv::Query::Changes(kv::Changes {
            watches: vec![kv::Watch {
                range: kv::KeyRange::all(),
                ..kv::Watch::default()
            }],
            from,
            ..kv::Changes::default()
        });
        let query = query.encode();
        let shard = SHARD;
        Query::Ask { shard, query }.encode()
    };
    assert!(groups[0].store.poll(&watch(1)).is_some());
    assert_eq!(groups[0].store.poll(&watch(100)), None, "it waits");
    assert_eq!(groups[0].store.load(SHARD), load(3, 2));
    assert_eq!(groups[0].store.load(ShardId(0)), load(0, 0));
    assert_eq!(groups[1].store.load(SHARD), load(0, 0));
    let restarted = groups[0].restarted();
    assert_eq!(restarted.store.load(SHARD), load(0, 0));
    assert_eq!(restarted.snapshot(), groups[0].snapshot(), "no state");

    groups::finish(&mut groups, 0, 1, SHARD, 2);
    put(&mut groups[1], SHARD, session, 2, "y");
    assert_eq!(groups[1].store.load(SHARD), load(1, 0));
    assert_eq!(groups[0].store.load(SHARD), load(0, 0), "it is gone");
}

#[test]
fn a_write_takes_effect_once_wherever_it_is_repeated() {
    let mut groups = pair();
    let session = groups[0].open(SHARD);
    let first = put(&mut groups[0], SHARD, session, 1, "once");
    let mut config = 1;
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        config += 1;
        move_shard(&mut groups, from, to, SHARD, config);
        assert_eq!(
            put(&mut groups[to], SHARD, session, 1, "once"),
            first,
            "to {to}"
        );
    }
    let Reply::Done(reply) = put(&mut groups[1], SHARD, session, 2, "twice") else {
        panic!("it is served");
    };
    let kv::Reply::Written { meta } = kv_reply(&reply) else {
        panic!("a put");
    };
    assert_eq!(meta.version, 2);
    let other = groups[1].open(SHARD);
    assert_ne!(other, session, "no two sessions of a shard are equal");
}

#[test]
fn a_refusal_is_not_kept_as_the_answer() {
    let mut groups = moving();
    let session = groups[0].open(SHARD);
    let refused = put(&mut groups[1], SHARD, session, 1, "x");
    assert!(matches!(refused, Reply::Elsewhere(_)));
    let mut groups = {
        let [a, b] = groups;
        let mut groups = [a, b];
        groups::finish(&mut groups, 0, 1, SHARD, 2);
        groups
    };
    assert!(matches!(
        put(&mut groups[1], SHARD, session, 1, "x"),
        Reply::Done(_)
    ));
}

#[test]
fn a_lease_loses_no_time_and_gains_none_but_that_of_the_pause() {
    for (at_a, at_b) in [(1_000_000, 2_000), (2_000, 1_000_000)] {
        let mut groups = pair();
        groups[0].time_ms = at_a;
        groups[1].time_ms = at_b;
        let session = groups[0].open(SHARD);
        let grant = kv::Command::LeaseGrant { id: 7, ttl_ms: 100 };
        groups[0].write(SHARD, session, 1, &grant);
        let with = kv::Command::PutWith {
            key: key(SHARD),
            value: Some(Bytes::from_static(b"held")),
            lease: Some(7),
            previous: false,
        };
        groups[0].write(SHARD, session, 2, &with);
        groups[0].time_ms += 60;
        move_shard(&mut groups, 0, 1, SHARD, 2);
        let due = groups[1].store.due_ms();
        assert_eq!(due, Some(at_b + 40), "what was left of it");
        assert_eq!(groups[0].store.due_ms(), None);
        groups[1].time_ms += 39;
        groups[1].tick();
        assert!(groups[1].get(SHARD).is_some());
        groups[1].time_ms += 1;
        groups[1].tick();
        assert!(groups[1].get(SHARD).is_none());
    }
}

#[test]
fn a_frozen_shard_stands_still() {
    let [mut a, _] = moving();
    let session = a.open(SHARD);
    a.write(
        SHARD,
        session,
        1,
        &kv::Command::LeaseGrant { id: 7, ttl_ms: 100 },
    );
    a.freeze(SHARD, 2, None);
    assert_eq!(a.store.due_ms(), None);
    let before = a.store.bytes();
    a.time_ms += 1_000;
    a.tick();
    assert_eq!(a.store.bytes(), before);
}

#[test]
fn other_shards_are_served_all_the_time() {
    let mut groups = pair();
    let other = ShardId(0);
    let session = groups[0].open(other);
    let mut sequence = 0;
    let mut check = |group: &mut Group| {
        sequence += 1;
        let reply = put(group, other, session, sequence, "still");
        assert!(matches!(reply, Reply::Done(_)));
    };
    check(&mut groups[0]);
    for group in &mut groups {
        group.adopt(&configuration(2, [A, B, A]));
    }
    check(&mut groups[0]);
    let mark = groups[0].mark(SHARD, 2, None);
    check(&mut groups[0]);
    let [a, b] = &mut groups;
    copy(a, b, SHARD, 2, mark, None, 1_000);
    let last = a.freeze(SHARD, 2, Some(mark.0));
    check(a);
    copy(a, b, SHARD, 2, last, Some(mark.0), 1_000);
    check(a);
}

#[test]
fn each_shard_is_served_as_soon_as_it_has_arrived() {
    let mut groups = pair();
    for group in &mut groups {
        group.adopt(&configuration(2, [B, B, A]));
    }
    groups::finish(&mut groups, 0, 1, SHARD, 2);
    assert_eq!(serving(&groups[1]), [SHARD]);
    assert!(
        groups[0].store.serves(ShardId(0)),
        "the other one has not left yet"
    );
    assert!(!groups[1].store.is_settled());
}

#[test]
fn what_is_cut_altered_or_out_of_order_is_refused_and_changes_nothing() {
    let [mut a, mut b] = moving();
    let session = a.open(SHARD);
    for sequence in 1..40 {
        put(
            &mut a,
            SHARD,
            session,
            sequence,
            "some value of some length",
        );
    }
    let mark = a.mark(SHARD, 2, None);
    let stages = a.stages(SHARD, 2, mark, None, 100);
    assert!(stages.len() > 4);
    let out_of_order = Reply::Failed(StoreError::OutOfOrder);
    assert_eq!(b.apply(&Command::Stage(stages[1].clone())), out_of_order);
    assert_eq!(b.apply(&Command::Stage(stages[0].clone())), Reply::Ok);
    assert_eq!(b.apply(&Command::Stage(stages[2].clone())), out_of_order);
    let before = b.snapshot();
    let bad = Reply::Failed(StoreError::BadChunk);
    let cut = Stage {
        data: stages[1].data.slice(1..),
        ..stages[1].clone()
    };
    assert_eq!(b.apply(&Command::Stage(cut)), bad);
    let mut data = stages[1].data.to_vec();
    data[7] ^= 1;
    let altered = Stage {
        data: data.into(),
        ..stages[1].clone()
    };
    assert_eq!(b.apply(&Command::Stage(altered)), bad);
    let other = Stage {
        mark: stages[1].mark + 1,
        ..stages[1].clone()
    };
    assert_eq!(b.apply(&Command::Stage(other)), out_of_order);
    let foreign = Stage {
        shard: ShardId(SHARDS),
        ..stages[1].clone()
    };
    let unknown = Reply::Failed(StoreError::UnknownShard);
    assert_eq!(b.apply(&Command::Stage(foreign)), unknown);
    assert_eq!(b.snapshot(), before);
    for stage in &stages[1..] {
        assert_eq!(b.apply(&Command::Stage(stage.clone())), Reply::Ok);
    }
    groups::finish(&mut [a, b], 0, 1, SHARD, 2);
}

#[test]
fn a_piece_altered_before_it_had_its_checksum_makes_no_shard() {
    let [mut a, mut b] = moving();
    let session = a.open(SHARD);
    put(&mut a, SHARD, session, 1, "value");
    let mark = a.freeze(SHARD, 2, None);
    let stages = a.stages(SHARD, 2, mark, None, 1_000);
    let [stage] = &stages[..] else {
        panic!("it is small");
    };
    for at in 0..stage.data.len() {
        let mut data = stage.data.to_vec();
        data[at] ^= 0x15;
        let altered = groups::sealed(Stage {
            data: data.into(),
            ..stage.clone()
        });
        let reply = b.apply(&Command::Stage(altered));
        // A reply that a session keeps, and its time, are bytes like others.
        if b.store.serves(SHARD) {
            assert_eq!(reply, Reply::Ok);
            [a, b] = moving();
            let session = a.open(SHARD);
            put(&mut a, SHARD, session, 1, "value");
            a.freeze(SHARD, 2, None);
        } else {
            assert!(
                matches!(reply, Reply::Failed(StoreError::BadChunk) | Reply::Ok),
                "{at}"
            );
        }
    }
}

#[test]
fn a_shard_that_is_served_or_arrives_is_not_deleted() {
    let [mut a, mut b] = moving();
    let delete = |shard, config| Command::Delete { shard, config };
    let not_moving = Reply::Failed(StoreError::NotMoving);
    let not_frozen = Reply::Failed(StoreError::NotFrozen);
    assert_eq!(a.apply(&delete(SHARD, 2)), not_frozen);
    assert_eq!(a.apply(&delete(ShardId(0), 2)), not_moving);
    assert_eq!(b.apply(&delete(SHARD, 2)), not_moving);
    let early = a.apply(&delete(SHARD, 3));
    assert_eq!(
        early,
        Reply::NotYet { config: 2 },
        "of a configuration to come"
    );
    assert_eq!(
        a.apply(&delete(SHARD, 1)),
        Reply::Gone,
        "of one that is over"
    );
    assert!(a.store.serves(SHARD) && a.store.serves(ShardId(0)));
}

#[test]
fn a_later_group_confirms_at_once_and_an_earlier_one_refuses() {
    let mut groups = pair();
    let ask = Query::Arrived {
        shard: SHARD,
        config: 2,
    };
    assert_eq!(groups[1].ask(&ask), Reply::NotYet { config: 1 });
    assert_eq!(groups[1].store.poll(&ask.encode()), None, "it waits");
    move_shard(&mut groups, 0, 1, SHARD, 2);
    assert_eq!(groups[1].ask(&ask), Reply::Ok);
    move_shard(&mut groups, 1, 0, SHARD, 3);
    assert_eq!(groups[1].ask(&ask), Reply::Ok, "it had it");
    let mark = Command::Mark {
        shard: SHARD,
        config: 2,
        base: None,
    };
    assert_eq!(groups[0].apply(&mark), Reply::Gone);
    let mark = Command::Mark {
        shard: SHARD,
        config: 4,
        base: None,
    };
    assert_eq!(groups[0].apply(&mark), Reply::NotYet { config: 3 });
}

#[test]
fn a_giver_that_lost_its_marks_says_so_and_gives_the_whole_once_frozen() {
    let [mut a, mut b] = moving();
    let session = a.open(SHARD);
    put(&mut a, SHARD, session, 1, "x");
    let mark = a.mark(SHARD, 2, None);
    copy(&mut a, &mut b, SHARD, 2, mark, None, 1_000);
    put(&mut a, SHARD, session, 2, "y");
    let mut a = a.restarted();
    let chunk = |mark: (u64, bool), base| Query::Chunk {
        shard: SHARD,
        config: 2,
        mark: mark.0,
        base,
        number: 0,
        max_bytes: 1_000,
    };
    assert_eq!(a.ask(&chunk(mark, None)), Reply::MarkLost);
    let last = a.freeze(SHARD, 2, Some(mark.0));
    assert_eq!(a.ask(&chunk(last, Some(mark.0))), Reply::MarkLost);
    let mut a = a.restarted();
    copy(&mut a, &mut b, SHARD, 2, last, None, 1_000);
    assert_eq!(b.get(SHARD), Some(Bytes::from_static(b"y")));
}

#[test]
fn a_group_goes_on_from_its_snapshot_at_every_step() {
    let mut groups = pair();
    let session = groups[0].open(SHARD);
    for sequence in 1..20 {
        put(&mut groups[0], SHARD, session, sequence, "value");
    }
    for group in &mut groups {
        group.adopt(&configuration(2, [A, B, A]));
    }
    let [mut a, mut b] = groups;
    let check = |a: &mut Group, b: &mut Group| {
        for group in [a, b] {
            let twin = group.restarted_at_sizes();
            assert_eq!(twin.snapshot(), group.snapshot());
            group.store = twin.store;
        }
    };
    // The taker alone: a giver that restarts has lost its marks.
    let mark = a.mark(SHARD, 2, None);
    for stage in a.stages(SHARD, 2, mark, None, 60) {
        assert_eq!(b.apply(&Command::Stage(stage)), Reply::Ok);
        let twin = b.restarted_at_sizes();
        assert_eq!(twin.snapshot(), b.snapshot());
        b.store = twin.store;
    }
    put(&mut a, SHARD, session, 20, "another");
    let last = a.freeze(SHARD, 2, Some(mark.0));
    for stage in a.stages(SHARD, 2, last, Some(mark.0), 60) {
        assert_eq!(b.apply(&Command::Stage(stage)), Reply::Ok);
        check(&mut a, &mut b);
    }
    assert_eq!(b.get(SHARD), Some(Bytes::from_static(b"another")));
    let before = put(&mut b, SHARD, session, 20, "another");
    assert!(matches!(before, Reply::Done(_)), "it is repeated");
}

#[test]
fn a_group_without_shards_skips_what_it_missed_and_no_other_does() {
    let mut b = Group::new(B);
    let far = configuration(9, [A; 3]);
    assert_eq!(
        b.apply(&Command::Skip(configuration(9, [A, B, A]))),
        Reply::Failed(StoreError::TooEarly)
    );
    assert_eq!(b.apply(&Command::Skip(far.clone())), Reply::Ok);
    assert_eq!(b.store.configuration().number, 9);
    let [mut a, _] = pair();
    for to in [far, configuration(9, [B; 3])] {
        assert_eq!(
            a.apply(&Command::Skip(to)),
            Reply::Failed(StoreError::TooEarly)
        );
    }
    assert_eq!(
        b.apply(&Command::Skip(configuration(3, [A; 3]))),
        Reply::Ok,
        "an old one"
    );
    assert_eq!(b.store.configuration().number, 9);
}

#[test]
fn shards_given_to_nobody_are_dropped() {
    let [mut a, _] = pair();
    let session = a.open(SHARD);
    put(&mut a, SHARD, session, 1, "x");
    let none = Configuration {
        groups: Default::default(),
        ..configuration(2, [GroupId::NONE; 3])
    };
    assert_eq!(a.adopt(&none), Reply::Ok);
    assert_eq!(a.store.places().count(), 0);
    assert_eq!(a.store.bytes(), 0);
}

#[test]
fn bytes_that_are_no_command_are_refused() {
    let [mut a, _] = pair();
    let before = a.snapshot();
    for bytes in [&b""[..], b"\0", b"\x0b\x01", b"\x05\x01", b"\x08"] {
        let reply = a.store.apply(&a.context(), &Bytes::copy_from_slice(bytes));
        assert_eq!(
            Reply::decode(&reply),
            Ok(Reply::Failed(StoreError::Malformed))
        );
        let reply = a.store.query(&Bytes::copy_from_slice(bytes));
        assert_eq!(
            Reply::decode(&reply),
            Ok(Reply::Failed(StoreError::Malformed))
        );
    }
    assert_eq!(a.snapshot(), before);
}

#[test]
fn keys_of_the_tests_are_in_their_shards() {
    for shard in 0..SHARDS {
        assert_eq!(shard_of(&key(ShardId(shard)), SHARDS), ShardId(shard));
    }
    let _ = (SessionId(0), Body::Open, ShardStore::default());
}
