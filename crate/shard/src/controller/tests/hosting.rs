use quorate_raft::{Change, StorageId};

use super::*;

/// The founders of the store: the nodes of groups 1 to 3, each with a storage of its own number.
fn store() -> ConfState {
    let nodes = (1..=3).flat_map(|id| group(id).1.nodes);
    let mut store = ConfState::new(nodes.clone());
    store.storages = nodes.map(|id| (id, StorageId(id.0))).collect();
    store
}

/// A node goes on with another storage, as the controller's group tells in two steps.
fn rebind(controller: &mut Controller, members: &mut ConfState, node: u64, storage: u64) {
    let change = Change::Rebind {
        id: NodeId(node),
        storage: StorageId(storage),
    };
    *members = members.change(&[change]).expect("a member");
    controller.membership_changed(&Arc::new(members.clone()));
    *members = members.leave().promote().leave();
    controller.membership_changed(&Arc::new(members.clone()));
}

/// With which storages a group begins on one of its nodes.
fn storages(controller: &Controller, node: u64) -> Vec<u64> {
    let Hosting { found, .. } = controller.hosting(NodeId(node), &[], &store());
    let [(_, founders)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(**founders, founders::among(founders, &founders.voters));
    let storages = founders
        .voters
        .iter()
        .map(|id| founders.storages.get(*id).map_or(0, |it| it.0));
    storages.collect()
}

fn hosting(controller: &Controller, node: u64, hosted: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let hosted: Vec<_> = hosted.iter().map(|id| GroupId(*id)).collect();
    let Hosting { found, forget } = controller.hosting(NodeId(node), &hosted, &store());
    for (id, founders) in &found {
        assert_eq!(founders.voters, group(id.0).1.nodes);
    }
    let found = found.iter().map(|(id, _)| id.0);
    (found.collect(), forget.iter().map(|id| id.0).collect())
}

#[test]
fn a_node_founds_the_groups_that_it_is_listed_for_and_has_not() {
    assert_eq!(hosting(&Controller::default(), 11, &[7]), (vec![], vec![]));
    let mut controller = Controller::new(4);
    assert_eq!(hosting(&controller, 11, &[]), (vec![], vec![]));
    controller.execute(join(&[1, 2])).expect("new groups");
    assert_eq!(hosting(&controller, 11, &[]), (vec![1], vec![]));
    assert_eq!(hosting(&controller, 21, &[]), (vec![2], vec![]));
    assert_eq!(hosting(&controller, 21, &[2]), (vec![], vec![]));
    assert_eq!(hosting(&controller, 31, &[]), (vec![], vec![]), "elsewhere");
}

#[test]
fn a_node_forgets_a_group_once_it_is_drained_and_not_before() {
    let mut controller = Controller::new(4);
    controller.execute(join(&[1, 2])).expect("new groups");
    // A group that the controller has not heard of may be one that it will hear of.
    assert_eq!(hosting(&controller, 11, &[1, 7]), (vec![], vec![]));
    controller.execute(leave(&[1])).expect("the other stays");
    assert_eq!(
        hosting(&controller, 11, &[1]),
        (vec![], vec![]),
        "it gives its shards away"
    );
    controller
        .execute(progress(1, 1))
        .expect("one of its configurations");
    assert_eq!(
        hosting(&controller, 11, &[1]),
        (vec![], vec![]),
        "it has the shards still"
    );
    controller
        .execute(progress(1, 2))
        .expect("the one without it");
    assert_eq!(hosting(&controller, 11, &[1]), (vec![], vec![1]));
    assert_eq!(
        hosting(&controller, 11, &[]),
        (vec![], vec![]),
        "nor is it founded again"
    );
}

#[test]
fn a_group_begins_with_the_storages_that_its_nodes_have_when_it_joins() {
    let (mut controller, mut members) = (Controller::new(4), store());
    controller.execute(join(&[1])).expect("a new group");
    // Both have another storage before the next joins, one of them a third one later.
    rebind(&mut controller, &mut members, 11, 111);
    rebind(&mut controller, &mut members, 21, 121);
    rebind(&mut controller, &mut members, 22, 122);
    controller.execute(join(&[2])).expect("a new group");
    rebind(&mut controller, &mut members, 21, 221);
    let mut controllers = vec![controller];
    controllers.push(restored(&state(&controllers[0])).expect("its own"));
    for controller in &mut controllers {
        assert_eq!(storages(controller, 11), [11, 12, 13], "the founders'");
        assert_eq!(storages(controller, 21), [121, 122, 23]);
        // One that came later does not know the founders, and waits to be taken in.
        let late = controller.hosting(NodeId(11), &[], &ConfState::default());
        assert_eq!(late.found, [(GroupId(1), Arc::new(ConfState::default()))]);
        controller.execute(join(&[3])).expect("a new group");
        assert_eq!(storages(controller, 31), [31, 32, 33]);
    }
}

#[test]
fn a_group_that_comes_back_before_it_is_drained_is_the_one_that_it_was() {
    let (mut controller, mut members) = (Controller::new(4), store());
    rebind(&mut controller, &mut members, 21, 121);
    controller.execute(join(&[1, 2])).expect("new groups");
    controller.execute(leave(&[2])).expect("the other stays");
    rebind(&mut controller, &mut members, 21, 221);
    rebind(&mut controller, &mut members, 11, 111);
    controller.execute(join(&[2])).expect("it is there still");
    assert_eq!(storages(&controller, 21), [121, 22, 23]);
    // Drained it is another one, and nothing of it stays.
    controller.execute(leave(&[2])).expect("the other stays");
    let latest = number(&controller);
    controller.execute(progress(2, latest)).expect("it left");
    controller.execute(join(&[2])).expect("a new group");
    assert_eq!(storages(&controller, 21), [221, 22, 23]);
    // Nor does one get other founders that joined before the members changed.
    let mut controller = Controller::new(4);
    controller.execute(join(&[1, 2])).expect("new groups");
    controller.execute(leave(&[2])).expect("the other stays");
    controller.membership_changed(&Arc::new(members));
    controller.execute(join(&[2])).expect("it is there still");
    assert_eq!(storages(&controller, 21), [21, 22, 23]);
}
