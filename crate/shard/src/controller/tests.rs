use quorate_raft::{Index, NodeId, Random, Term};
use quorate_rsm::{MachineRestore, MachineSnapshot};

use super::*;
use crate::config::WEIGHT_MAX;

mod history;
mod hosting;
mod sequences;

fn group(id: u32) -> (GroupId, GroupInfo) {
    let nodes = (1..=3)
        .map(|node| NodeId(u64::from(id) * 10 + node))
        .collect();
    (GroupId(id), GroupInfo::new(nodes))
}

fn join(ids: &[u32]) -> ControllerCommand {
    let groups = ids.iter().map(|id| group(*id)).collect();
    ControllerCommand::Join { groups }
}

fn leave(ids: &[u32]) -> ControllerCommand {
    ControllerCommand::Leave {
        groups: ids.iter().map(|id| GroupId(*id)).collect(),
        discard: false,
    }
}

fn discard(ids: &[u32]) -> ControllerCommand {
    ControllerCommand::Leave {
        groups: ids.iter().map(|id| GroupId(*id)).collect(),
        discard: true,
    }
}

fn move_shard(shard: u32, group: u32) -> ControllerCommand {
    ControllerCommand::Move {
        shard: ShardId(shard),
        group: GroupId(group),
    }
}

fn weight(group: u32, weight: u32) -> ControllerCommand {
    let group = GroupId(group);
    ControllerCommand::SetWeight { group, weight }
}

fn progress(group: u32, number: u64) -> ControllerCommand {
    let group = GroupId(group);
    ControllerCommand::Progress { group, number }
}

/// The state, as the bytes of its snapshot.
fn state(controller: &Controller) -> Bytes {
    let (bytes, done) = controller.snapshot().chunk(0, usize::MAX);
    assert!(done);
    bytes
}

fn restored(bytes: &Bytes) -> core::result::Result<Controller, quorate_rsm::BadSnapshot> {
    let mut restore = Controller::restore();
    restore.chunk(bytes)?;
    restore.finish()
}

fn number(controller: &Controller) -> u64 {
    controller.latest().expect("it was created").number
}

fn shards(controller: &Controller) -> Vec<u32> {
    let latest = controller.latest().expect("it was created");
    latest.shards.iter().map(|owner| owner.0).collect()
}

fn status(controller: &Controller) -> ControllerStatus {
    match controller.answer(&ControllerQuery::Status) {
        Ok(ControllerReply::Status(status)) => status,
        other => panic!("{other:?}"),
    }
}

/// Executes what must make the next configuration.
fn change(controller: &mut Controller, command: ControllerCommand) {
    let (what, number) = (format!("{command:?}"), number(controller) + 1);
    let changed = Ok(ControllerReply::Changed { number });
    assert_eq!(controller.execute(command), changed, "{what}");
    assert_eq!(self::number(controller), number);
}

/// Executes what must be refused, and change nothing.
fn refuse(controller: &mut Controller, command: ControllerCommand, error: ControllerError) {
    let (what, before) = (format!("{command:?}"), state(controller));
    assert_eq!(controller.execute(command), Err(error), "{what}");
    assert_eq!(state(controller), before, "{what}");
}

/// Executes what must do nothing.
fn idle(controller: &mut Controller, command: ControllerCommand) {
    let (what, before) = (format!("{command:?}"), state(controller));
    let number = number(controller);
    let unchanged = Ok(ControllerReply::Unchanged { number });
    assert_eq!(controller.execute(command), unchanged, "{what}");
    assert_eq!(state(controller), before, "{what}");
}

fn apply(controller: &mut Controller, command: &Bytes) -> ControllerReply {
    let context = ApplyContext {
        index: Index(1),
        term: Term(1),
        time_ms: 0,
    };
    ControllerReply::decode(&controller.apply(&context, command)).expect("a reply")
}

#[test]
fn the_number_of_shards_is_said_first_and_once() {
    let create = |shards| ControllerCommand::Create { shards };
    let mut controller = Controller::default();
    for command in [
        join(&[1]),
        leave(&[1]),
        move_shard(0, 1),
        weight(1, 1),
        progress(1, 0),
    ] {
        refuse(&mut controller, command, ControllerError::NotCreated);
    }
    for query in [
        ControllerQuery::Query { number: None },
        ControllerQuery::Status,
    ] {
        assert_eq!(controller.answer(&query), Err(ControllerError::NotCreated));
    }
    for shards in [0, SHARDS_MAX + 1] {
        let command = create(shards);
        refuse(&mut controller, command, ControllerError::BadShardCount);
    }
    assert_eq!(
        controller.execute(create(10)),
        Ok(ControllerReply::Unchanged { number: 0 })
    );
    assert_eq!(controller.latest(), Some(&Configuration::empty(10)));
    change(&mut controller, join(&[1]));
    idle(&mut controller, create(10));
    let other = ControllerError::ShardCount { shards: 10 };
    refuse(&mut controller, create(11), other);
    refuse(&mut controller, create(0), ControllerError::BadShardCount);
}

#[test]
fn groups_join_and_leave_and_share_the_shards() {
    let mut controller = Controller::new(10);
    assert_eq!(shards(&controller), [0; 10]);
    change(&mut controller, join(&[7]));
    assert_eq!(shards(&controller), [7; 10]);
    change(&mut controller, join(&[3, 5]));
    assert_eq!(shards(&controller), [7, 7, 7, 7, 3, 3, 3, 5, 5, 5]);
    change(&mut controller, leave(&[3]));
    assert_eq!(shards(&controller), [7, 7, 7, 7, 5, 5, 7, 5, 5, 5]);
    change(&mut controller, weight(5, 4));
    assert_eq!(shards(&controller), [7, 7, 5, 5, 5, 5, 5, 5, 5, 5]);
    idle(&mut controller, weight(5, 4));
    idle(&mut controller, join(&[]));
    idle(&mut controller, leave(&[]));
}

#[test]
fn the_order_of_groups_in_a_command_does_not_matter() {
    let mut controllers = [[4, 9, 2, 7], [9, 7, 4, 2]].map(|ids| {
        let mut controller = Controller::new(10);
        change(&mut controller, join(&ids));
        controller
    });
    for (controller, ids) in controllers.iter_mut().zip([[9, 4], [4, 9]]) {
        change(controller, leave(&ids));
    }
    assert_eq!(state(&controllers[0]), state(&controllers[1]));
}

#[test]
fn a_move_stays_until_groups_or_weights_change() {
    let mut controller = Controller::new(4);
    change(&mut controller, join(&[1, 2]));
    assert_eq!(shards(&controller), [1, 1, 2, 2]);
    change(&mut controller, move_shard(0, 2));
    assert_eq!(shards(&controller), [2, 1, 2, 2]);
    idle(&mut controller, move_shard(0, 2));
    change(&mut controller, move_shard(1, 2));
    assert_eq!(shards(&controller), [2; 4]);
    idle(&mut controller, weight(1, 1));
    assert_eq!(shards(&controller), [2; 4]);
    change(&mut controller, join(&[3]));
    assert_eq!(shards(&controller), [2, 2, 1, 3]);
}

#[test]
fn what_cannot_be_changes_nothing() {
    let mut controller = Controller::new(10);
    refuse(
        &mut controller,
        move_shard(0, 1),
        ControllerError::UnknownGroup { group: GroupId(1) },
    );
    change(&mut controller, join(&[1, 2]));
    let [one, three] = [1, 3].map(GroupId);
    let mut refuse = |command, error| refuse(&mut controller, command, error);
    refuse(join(&[3, 1]), ControllerError::GroupExists { group: one });
    refuse(join(&[3, 3]), ControllerError::GroupExists { group: three });
    refuse(join(&[0]), ControllerError::BadGroup);
    refuse(leave(&[3]), ControllerError::UnknownGroup { group: three });
    refuse(leave(&[1, 1]), ControllerError::UnknownGroup { group: one });
    refuse(
        leave(&[0]),
        ControllerError::UnknownGroup {
            group: GroupId::NONE,
        },
    );
    refuse(leave(&[1, 2]), ControllerError::LastGroup);
    refuse(
        move_shard(10, 1),
        ControllerError::UnknownShard { shard: ShardId(10) },
    );
    refuse(
        move_shard(0, 3),
        ControllerError::UnknownGroup { group: three },
    );
    refuse(
        move_shard(0, 0),
        ControllerError::UnknownGroup {
            group: GroupId::NONE,
        },
    );
    refuse(weight(3, 1), ControllerError::UnknownGroup { group: three });
    refuse(weight(1, 0), ControllerError::BadWeight { group: one });
    refuse(weight(1, 1_001), ControllerError::BadWeight { group: one });
    refuse(
        progress(3, 0),
        ControllerError::UnknownGroup { group: three },
    );
    refuse(progress(1, 2), ControllerError::FutureConfig { latest: 1 });
    for nodes in [
        vec![],
        vec![1, 2, 1],
        vec![0],
        vec![1 << 53],
        (1..=16).collect(),
    ] {
        let nodes = nodes.into_iter().map(NodeId).collect();
        let groups = vec![(three, GroupInfo::new(nodes))];
        let join = ControllerCommand::Join { groups };
        refuse(join, ControllerError::BadNodes { group: three });
    }
    for weight in [0, WEIGHT_MAX + 1] {
        let mut group = group(3);
        group.1.weight = weight;
        let groups = vec![group];
        let join = ControllerCommand::Join { groups };
        refuse(join, ControllerError::BadWeight { group: three });
    }
}

#[test]
fn all_groups_leave_when_what_they_hold_may_be_lost() {
    let mut controller = Controller::new(3);
    change(&mut controller, join(&[1, 2]));
    change(&mut controller, discard(&[2, 1]));
    assert_eq!(shards(&controller), [0; 3]);
    change(&mut controller, join(&[3]));
    assert_eq!(shards(&controller), [3; 3]);
}

#[test]
fn there_are_no_more_groups_than_can_be() {
    let mut controller = Controller::new(2);
    let ids: Vec<u32> = (1..=GROUPS_MAX as u32).collect();
    refuse(
        &mut controller,
        join(&[&ids[..], &[2_000]].concat()),
        ControllerError::TooManyGroups,
    );
    change(&mut controller, join(&ids));
    refuse(
        &mut controller,
        join(&[2_000]),
        ControllerError::TooManyGroups,
    );
    change(&mut controller, leave(&[7]));
    let latest = number(&controller);
    refuse(
        &mut controller,
        join(&[2_000]),
        ControllerError::TooManyGroups,
    );
    controller.execute(progress(7, latest)).expect("it left");
    change(&mut controller, join(&[2_000]));
}

#[test]
fn bytes_that_are_no_command_get_an_answer_and_change_nothing() {
    let mut random = Random::new(5);
    let mut controller = Controller::new(10);
    change(&mut controller, join(&[1, 2]));
    let before = state(&controller);
    let malformed = ControllerReply::Failed(ControllerError::Malformed);
    for _ in 0..20_000 {
        let len = random.below(12) as usize;
        let bytes: Bytes = (0..len).map(|_| random.below(256) as u8).collect();
        if ControllerCommand::decode(&bytes).is_err() {
            assert_eq!(apply(&mut controller, &bytes), malformed, "{bytes:?}");
            assert_eq!(state(&controller), before);
        }
        if ControllerQuery::decode(&bytes).is_err() {
            let reply = ControllerReply::decode(&controller.query(&bytes));
            assert_eq!(reply.as_ref(), Ok(&malformed));
            assert_eq!(controller.poll(&bytes), Some(malformed.encode()));
        }
    }
}

#[test]
fn a_query_for_changes_waits_for_the_next_configuration() {
    let ask = |after| ControllerQuery::Changes { after }.encode();
    let mut controller = Controller::default();
    assert_eq!(controller.poll(&ask(0)), None);
    controller = Controller::new(2);
    assert_eq!(controller.poll(&ask(0)), None);
    let nothing_new = ControllerReply::Unchanged { number: 0 }.encode();
    assert_eq!(controller.query(&ask(0)), nothing_new);
    assert_eq!(controller.query(&ask(u64::MAX)), nothing_new);
    change(&mut controller, join(&[1]));
    change(&mut controller, join(&[2]));
    for (after, shards) in [(0, [1, 1]), (1, [1, 2])] {
        let reply = controller.poll(&ask(after)).expect("it has come");
        let Ok(ControllerReply::Configuration {
            configuration,
            latest: 2,
        }) = ControllerReply::decode(&reply)
        else {
            panic!("{reply:?}");
        };
        assert_eq!(configuration.number, after + 1);
        assert_eq!(configuration.shards, shards.map(GroupId));
    }
    assert_eq!(controller.poll(&ask(2)), None);
    assert_eq!(controller.poll(&ask(3)), None);
    assert!(controller.poll(&ControllerQuery::Status.encode()).is_some());
}
