//! What a mover does about a shard that has left: it asks whether that arrived, and lets go of it.

use core::time::Duration;

use quorate_raft::{Instant, NodeId, Table};
use quorate_rsm::{Reply as NodeReply, Request, RequestBody};
use quorate_shard::{
    CONTROLLER, Command, ControllerQuery, ControllerReply, ControllerStatus, Elsewhere, GroupId,
    GroupInfo, GroupStatus, Mover, MoverConfig, Reply,
};

use super::groups::{A, B, Group, configuration};
use super::{SHARD, pair};

const TAKERS: [NodeId; 2] = [NodeId(2), NodeId(3)];

/// The mover of a node that leads the first group, which has frozen a shard for the second.
struct World {
    now: Instant,
    mover: Mover,
    giver: Group,
    sent: Vec<(GroupId, NodeId, Request)>,
}

impl World {
    fn new() -> Self {
        let [mut giver, _] = pair();
        let mut next = configuration(2, [A, B, A]);
        next.groups.insert(B, GroupInfo::new(TAKERS.to_vec()));
        assert_eq!(giver.adopt(&next), Reply::Ok);
        let (mark, _) = giver.mark(SHARD, 2, None);
        giver.freeze(SHARD, 2, Some(mark));
        let now = Instant::default();
        let mut mover = Mover::new(MoverConfig::new(vec![NodeId(9)]), NodeId(1), 1);
        mover.touch(now, A, true);
        Self {
            now,
            mover,
            giver,
            sent: Vec::new(),
        }
    }

    /// The next request until then.
    fn next(&mut self, end: Instant) -> (GroupId, NodeId, Request) {
        while self.sent.is_empty() {
            while let Some(group) = self.mover.next_group() {
                self.mover.look(self.now, group, &self.giver.store);
            }
            while let Some(output) = self.mover.poll_output() {
                let of = |request| (output.group, output.to, request);
                self.sent.extend(output.requests.into_iter().map(of));
            }
            if self.sent.is_empty() {
                self.now = self.mover.next_timeout();
                assert!(self.now < end, "it goes on");
                self.mover.timer(self.now);
            }
        }
        self.sent.remove(0)
    }

    fn answer(&mut self, (group, node, request): &(GroupId, NodeId, Request), reply: bytes::Bytes) {
        let (id, result) = (request.id, Ok(reply));
        let reply = NodeReply { id, result };
        self.mover.reply(self.now, *group, *node, reply);
    }

    /// What a host says that has no such group.
    fn refuse(&mut self, asked: &(GroupId, NodeId, Request)) {
        let elsewhere = Elsewhere {
            config: 0,
            owner: GroupId::NONE,
            nodes: Vec::new(),
        };
        self.answer(asked, Reply::Elsewhere(elsewhere).encode());
    }

    /// Answers for the controller, which knows these groups, and for the giver, for half a minute or
    /// until the shard is gone. The taker's nodes do not have it.
    fn run(&mut self, known: &[GroupId]) {
        let end = self.now.after(Duration::from_secs(30));
        while !self.giver.store.is_settled() && self.now < end {
            let asked = self.next(Instant::NEVER);
            match (asked.0, &asked.2.body) {
                (B, _) => self.refuse(&asked),
                (CONTROLLER, RequestBody::Read { query, .. }) => {
                    if ControllerQuery::decode(query) == Ok(ControllerQuery::Status) {
                        self.answer(&asked, status(known).encode());
                    }
                }
                (_, RequestBody::Propose { command }) => {
                    let command = Command::decode(command).expect("a command");
                    let reply = self.giver.apply(&command).encode();
                    self.answer(&asked, reply);
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

/// The controller's word that these groups are known, at configuration 3.
fn status(known: &[GroupId]) -> ControllerReply {
    let status = GroupStatus {
        progress: 2,
        left: None,
    };
    let groups: Table<_, _> = known.iter().map(|id| (*id, status.clone())).collect();
    ControllerReply::Status(ControllerStatus {
        number: 3,
        oldest: 0,
        groups,
        drained: Vec::new(),
    })
}

#[test]
fn a_node_without_the_group_is_passed_over() {
    let mut world = World::new();
    let end = world.now.after(Duration::from_secs(1));
    let mut asked = Vec::new();
    while asked.len() < 2 {
        let request = world.next(end);
        if request.0 == B {
            world.refuse(&request);
            asked.push(request.1);
        }
    }
    asked.sort_unstable();
    assert_eq!(asked, TAKERS);
}

#[test]
fn a_shard_is_let_go_of_when_its_taker_was_drained_and_forgotten() {
    let mut world = World::new();
    world.run(&[A, B]);
    assert!(!world.giver.store.is_settled(), "it may still arrive");
    world.run(&[A]);
    assert!(world.giver.store.is_settled());
    assert_eq!(world.giver.store.fingerprint(SHARD), None);
}
