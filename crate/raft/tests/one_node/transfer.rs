//! Leadership handed over (thesis §3.10), and lost to a stalled disk.

use bytes::Bytes;
use quorate_raft::{
    Body, Change, Config, Input, MembershipError, NodeId, ProposeError, RoleKind, TransferError,
};

use crate::host::{Host, id};

fn told(host: &mut Host) -> Vec<u64> {
    let sent = host.sent().into_iter();
    sent.filter(|(.., body)| *body == Body::TimeoutNow)
        .map(|(to, ..)| to)
        .collect()
}

fn transfer(host: &mut Host, to: u64) -> Result<(), TransferError> {
    let result = host.raft.transfer_leadership(host.now, NodeId(to));
    host.input(Input::TimerFired);
    result
}

#[test]
fn target_that_has_everything_is_told_at_once() {
    let mut host = Host::new(3);
    host.lead_in_step();
    assert_eq!(transfer(&mut host, 2), Ok(()));
    assert_eq!(told(&mut host), [2]);
    assert_eq!(host.raft.status().transferring, Some(NodeId(2)));
    host.hear(
        2,
        2,
        Body::RequestVote {
            last: id(1, 1),
            transfer: true,
        },
    );
    assert_eq!(host.role(), (RoleKind::Follower, 2));
    assert_eq!(
        host.sent_to(2),
        [Body::RequestVoteResponse { granted: true }]
    );
}

#[test]
fn target_is_brought_up_to_date_first_and_told_again_if_it_did_not_hear() {
    let mut host = Host::new(3);
    host.lead_in_step();
    let last = host.propose(5).index.0;
    assert_eq!(transfer(&mut host, 2), Ok(()));
    assert_eq!(told(&mut host), Vec::<u64>::new());
    host.accept(2, last);
    assert_eq!(told(&mut host), [2]);
    host.hear(3, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(told(&mut host), Vec::<u64>::new());
    host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(told(&mut host), [2]);
}

#[test]
fn nothing_is_proposed_while_leadership_moves_and_everything_after_it_did_not() {
    let mut host = Host::new(3);
    host.lead_in_step();
    assert_eq!(transfer(&mut host, 3), Ok(()));
    let refused = host.raft.propose(host.now, Bytes::new());
    assert_eq!(refused, Err(ProposeError::Transferring { to: NodeId(3) }));
    let remove = Change::Remove { id: NodeId(2) };
    let refused = host.raft.propose_membership(host.now, &[remove]);
    assert_eq!(refused, Err(MembershipError::Pending));
    assert_eq!(
        transfer(&mut host, 2),
        Err(TransferError::Pending(NodeId(3)))
    );
    assert_eq!(
        transfer(&mut host, 3),
        Ok(()),
        "asked again, it is the same"
    );
    // The target does not come: after an election timeout the leader goes on.
    for _ in 0..5 {
        host.pass(60);
        host.input(Input::TimerFired);
        host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    }
    assert_eq!(host.raft.status().transferring, None);
    host.propose(5);
    assert_eq!(transfer(&mut host, 2), Ok(()));
    assert_eq!(transfer(&mut host, 1), Ok(()), "to oneself is to stay");
    host.propose(5);
}

#[test]
fn transfer_goes_on_for_an_election_timeout_and_then_the_leader_does() {
    let mut host = Host::new(3);
    host.lead_in_step();
    assert_eq!(transfer(&mut host, 2), Ok(()));
    let timeout = Config::new(NodeId(1)).election_timeout.as_millis() as u64;
    for third in 1..=3 {
        host.pass(timeout / 3);
        host.hear(3, 1, Body::HeartbeatResponse { round: 0 });
        host.input(Input::TimerFired);
        let to = (third < 3).then_some(NodeId(2));
        assert_eq!(host.raft.status().transferring, to, "{third}");
    }
    assert!(host.raft.is_leader());
}

#[test]
fn only_a_leader_hands_over_and_only_to_a_voter() {
    let mut host = Host::new(3);
    assert_eq!(
        transfer(&mut host, 2),
        Err(TransferError::NotLeader { hint: None })
    );
    host.lead_in_step();
    assert_eq!(
        transfer(&mut host, 9),
        Err(TransferError::NotVoter(NodeId(9)))
    );
}

#[test]
fn transfer_to_one_that_loses_its_vote_is_off() {
    let mut host = Host::new(3);
    host.lead_in_step();
    let demote = Change::Demote { id: NodeId(2) };
    host.raft
        .propose_membership(host.now, &[demote])
        .expect("a voter");
    // In the joint configuration it has no vote that lasts.
    assert_eq!(
        transfer(&mut host, 2),
        Err(TransferError::NotVoter(NodeId(2)))
    );
    // Whoever is to take over waits for the configuration to be left.
    assert_eq!(transfer(&mut host, 3), Ok(()));
    assert_eq!(told(&mut host), Vec::<u64>::new());
    let joint = host.raft.status().last.index.0;
    host.accept(3, joint);
    assert!(!host.raft.status().conf_state.is_joint());
    assert_eq!(host.raft.status().last.index.0, joint + 1);
    host.forget();
    host.accept(3, joint + 1);
    assert_eq!(told(&mut host), [3]);
}

#[test]
fn leader_whose_disk_stalls_for_an_election_timeout_gives_way() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.prompt = false;
    let last = host.propose(5).index.0;
    for step in 1..=5 {
        host.accept(2, last);
        host.accept(3, last);
        assert_eq!(host.raft.commit().0, last, "the others have it");
        assert!(host.raft.is_leader(), "after {} ms", (step - 1) * 60);
        host.pass(60);
        host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
        host.hear(3, 1, Body::HeartbeatResponse { round: 0 });
        host.input(Input::TimerFired);
    }
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    // Nor does it run again before its disk moves: what it asks for rests on that.
    host.forget();
    host.time_out();
    assert_eq!(host.sent(), vec![]);
    assert_eq!(host.role().0, RoleKind::PreCandidate);
}
