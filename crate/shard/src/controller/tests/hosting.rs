use super::*;

fn hosting(controller: &Controller, node: u64, hosted: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let hosted: Vec<_> = hosted.iter().map(|id| GroupId(*id)).collect();
    let Hosting { found, forget } = controller.hosting(NodeId(node), &hosted);
    for (id, nodes) in &found {
        assert_eq!(*nodes, group(id.0).1.nodes);
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
