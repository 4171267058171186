//! How far groups are, what is kept for them, and what is forgotten.

use super::*;

/// Moves one shard to and fro, so that so many configurations are made.
fn pass(controller: &mut Controller, times: u64) {
    for _ in 0..times {
        let owner = 3 - shards(controller)[0];
        change(controller, move_shard(0, owner));
    }
}

fn two() -> Controller {
    let mut controller = Controller::new(2);
    change(&mut controller, join(&[1, 2]));
    controller
}

fn noted(controller: &mut Controller, group: u32, number: u64) -> u64 {
    match controller.execute(progress(group, number)) {
        Ok(ControllerReply::Progress { number }) => number,
        other => panic!("{other:?}"),
    }
}

fn ask(controller: &Controller, number: u64) -> Result {
    controller.answer(&ControllerQuery::Query {
        number: Some(number),
    })
}

#[test]
fn progress_never_goes_back() {
    let mut controller = two();
    pass(&mut controller, 5);
    assert_eq!(noted(&mut controller, 1, 4), 4);
    let before = state(&controller);
    for number in [0, 3, 4] {
        assert_eq!(noted(&mut controller, 1, number), 4);
        assert_eq!(state(&controller), before);
    }
    assert_eq!(noted(&mut controller, 1, 6), 6);
    let progress = |id| {
        status(&controller)
            .groups
            .get(GroupId(id))
            .map(|g| g.progress)
    };
    assert_eq!((progress(1), progress(2)), (Some(6), Some(0)));
}

#[test]
fn a_group_begins_before_the_configuration_it_joins() {
    let mut controller = two();
    pass(&mut controller, 5);
    change(&mut controller, join(&[3]));
    let joined = status(&controller).groups.get(GroupId(3)).cloned();
    let expected = GroupStatus {
        progress: 6,
        left: None,
    };
    assert_eq!(joined, Some(expected));
}

#[test]
fn a_group_that_left_is_waited_for_and_then_forgotten() {
    let mut controller = two();
    change(&mut controller, leave(&[1]));
    let (left, nodes) = (number(&controller), group(1).1.nodes);
    pass_by_weight(&mut controller, 3);
    let leaving = |controller: &Controller| status(controller).groups.get(GroupId(1)).cloned();
    let expected = Some(Left {
        number: left,
        nodes,
    });
    assert_eq!(noted(&mut controller, 1, left - 1), left - 1);
    assert_eq!(leaving(&controller).map(|group| group.left), Some(expected));
    assert_eq!(status(&controller).drained, []);

    assert_eq!(noted(&mut controller, 1, left), left);
    assert_eq!(leaving(&controller), None);
    assert_eq!(status(&controller).drained, [(GroupId(1), left)]);
    // It may not have heard that it was heard.
    let before = state(&controller);
    assert_eq!(noted(&mut controller, 1, left), left);
    assert_eq!(state(&controller), before);

    change(&mut controller, join(&[1]));
    let begins = number(&controller) - 1;
    assert_eq!(status(&controller).drained, []);
    assert_eq!(
        leaving(&controller).map(|group| group.progress),
        Some(begins)
    );
}

/// The same where one group is left.
fn pass_by_weight(controller: &mut Controller, times: u32) {
    (2..2 + times).for_each(|to| change(controller, weight(2, to)));
}

#[test]
fn a_group_that_left_comes_back_with_its_nodes_or_when_it_is_drained() {
    let mut controller = two();
    noted(&mut controller, 1, 1);
    change(&mut controller, leave(&[1]));
    let left = number(&controller);
    let elsewhere = || {
        let info = GroupInfo::new(vec![NodeId(99)]);
        let groups = vec![(GroupId(1), info)];
        ControllerCommand::Join { groups }
    };
    let leaving = ControllerError::GroupLeaving { group: GroupId(1) };
    refuse(&mut controller, elsewhere(), leaving);
    change(&mut controller, join(&[1]));
    let back = status(&controller).groups.get(GroupId(1)).cloned();
    let expected = GroupStatus {
        progress: 1,
        left: None,
    };
    assert_eq!(back, Some(expected), "it still has to go through all");

    change(&mut controller, leave(&[1]));
    noted(&mut controller, 1, left);
    assert_eq!(
        status(&controller).drained,
        [],
        "it is done with its first leave alone"
    );
    let latest = number(&controller);
    noted(&mut controller, 1, latest);
    change(&mut controller, elsewhere());
}

#[test]
fn the_last_drained_groups_are_remembered() {
    let mut controller = Controller::new(1);
    change(&mut controller, join(&[1]));
    let count = DRAINED_MAX as u32 + 5;
    for id in 2..2 + count {
        change(&mut controller, join(&[id]));
        change(&mut controller, leave(&[id]));
        let latest = number(&controller);
        noted(&mut controller, id, latest);
        noted(&mut controller, 1, latest);
    }
    let drained = status(&controller).drained;
    assert_eq!(drained.len(), DRAINED_MAX);
    assert_eq!(drained.last().map(|(id, _)| *id), Some(GroupId(1 + count)));
    assert_eq!(drained.first().map(|(id, _)| *id), Some(GroupId(7)));
    let unknown = ControllerError::UnknownGroup { group: GroupId(6) };
    refuse(&mut controller, progress(6, 1), unknown);
    assert!(restored(&state(&controller)).is_ok());
}

#[test]
fn the_last_configurations_are_kept_and_those_that_a_group_needs() {
    let mut controller = two();
    pass(&mut controller, 2 * HISTORY_KEPT);
    let latest = number(&controller);
    assert_eq!(
        status(&controller).oldest,
        0,
        "nobody said that he is done with any"
    );
    noted(&mut controller, 1, latest);
    assert_eq!(status(&controller).oldest, 0);
    noted(&mut controller, 2, latest - HISTORY_KEPT - 7);
    assert_eq!(status(&controller).oldest, latest - HISTORY_KEPT - 7);
    noted(&mut controller, 2, latest);
    let oldest = latest - HISTORY_KEPT;
    assert_eq!(status(&controller).oldest, oldest);
    assert!(matches!(
        ask(&controller, oldest),
        Ok(ControllerReply::Configuration { .. })
    ));
    let compacted = Err(ControllerError::ConfigCompacted { oldest });
    assert_eq!(ask(&controller, oldest - 1), compacted);
    let changes = ControllerQuery::Changes { after: oldest - 2 };
    assert_eq!(controller.answer(&changes), compacted);
    let future = Err(ControllerError::FutureConfig { latest });
    assert_eq!(ask(&controller, latest + 1), future);
    pass(&mut controller, 1);
    assert_eq!(status(&controller).oldest, oldest + 1);
}

#[test]
fn a_group_that_is_too_far_behind_stops_changes_until_it_goes_on() {
    let mut controller = two();
    noted(&mut controller, 1, 1);
    pass(&mut controller, HISTORY_MAX - 1);
    let behind = ControllerError::GroupBehind { group: GroupId(2) };
    refuse(&mut controller, leave(&[1]), behind);
    refuse(&mut controller, move_shard(1, 1), behind);
    refuse(&mut controller, join(&[3]), behind);
    let latest = number(&controller);
    noted(&mut controller, 1, latest);
    refuse(&mut controller, join(&[3]), behind);
    noted(&mut controller, 2, 1);
    change(&mut controller, join(&[3]));
    refuse(&mut controller, leave(&[3]), behind);
}

/// Groups with long ids, between which nearly all shards pass when the heavier one changes.
const LARGE: [u32; 2] = [u32::MAX - 1, u32::MAX];

/// Makes one of the groups the heavier, or the other. How often that was refused, of twice.
fn swing(controller: &mut Controller, round: u32) -> u32 {
    let mut ids = LARGE;
    ids.rotate_left(round as usize % 2);
    let commands = [weight(ids[0], 1), weight(ids[1], WEIGHT_MAX)];
    let refused = commands.map(|command| match controller.execute(command) {
        Ok(_) => 0,
        Err(error) => {
            assert_eq!(error.code(), "GROUP_BEHIND");
            1
        }
    });
    refused.iter().sum()
}

#[test]
fn history_is_bounded_in_bytes_too() {
    let mut controller = Controller::new(SHARDS_MAX);
    change(&mut controller, join(&LARGE));
    // Where groups go on, what is old makes room.
    let kept = |controller: &Controller| number(controller) - status(controller).oldest;
    let mut rounds = 0..HISTORY_KEPT as u32 / 2;
    while kept(&controller) == number(&controller) {
        let round = rounds.next().expect("changes are large");
        assert_eq!(swing(&mut controller, round), 0);
        let latest = number(&controller);
        for id in LARGE {
            noted(&mut controller, id, latest);
        }
    }
    // Where they do not, changes come to an end.
    rounds
        .find(|round| swing(&mut controller, *round) > 0)
        .expect("there is an end to changes");
    assert!(kept(&controller) < HISTORY_KEPT);
    let bytes = state(&controller);
    assert!((HISTORY_BYTES_MAX / 2..HISTORY_BYTES_MAX + (64 << 10)).contains(&bytes.len()));
    assert!(restored(&bytes).is_ok());
}
