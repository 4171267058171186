//! How a client finds the group of a shard, and finds it again.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod together;

use core::time::Duration;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Call, Reply as NodeReply, Request, RequestBody, RequestError};
use quorate_shard::{
    CONTROLLER, Configuration, ControllerQuery, ControllerReply, Elsewhere, GroupId, GroupInfo,
    Outgoing, Reply, ShardClient, ShardClientConfig, ShardId, ShardOutput,
};

const CONTROLLERS: NodeId = NodeId(1);
const A: GroupId = GroupId(1);
const B: GroupId = GroupId(2);
const C: GroupId = GroupId(3);

/// The node of a group.
fn node(group: GroupId) -> NodeId {
    NodeId(u64::from(group.0) * 10)
}

/// A client of one shard, and the time.
struct World {
    client: ShardClient,
    now: Instant,
}

impl World {
    /// A client that has begun a read.
    fn new() -> Self {
        let config = ShardClientConfig::new(vec![CONTROLLERS], 1);
        let mut client = ShardClient::new(config, 1);
        let now = Instant::default();
        let call = Call::Read(Bytes::from_static(b"?"));
        let deadline = now.after(Duration::from_secs(60));
        let begun = client.call(now, ShardId(0), call, deadline);
        begun.expect("nothing is open");
        Self { client, now }
    }

    /// The next request to a group, within ten seconds; others get no answer.
    fn asked(&mut self, group: GroupId) -> Option<Request> {
        let end = self.now.after(Duration::from_secs(10));
        loop {
            let (to, request) = self.sent(end)?;
            if to == group {
                return Some(request);
            }
        }
    }

    /// The next request to any group until then.
    fn sent(&mut self, end: Instant) -> Option<(GroupId, Request)> {
        loop {
            while let Some(output) = self.client.poll_output() {
                if let ShardOutput::Send(Outgoing {
                    group, requests, ..
                }) = output
                {
                    let request = requests.into_iter().next();
                    return request.map(|request| (group, request));
                }
            }
            self.now = self.client.next_timeout();
            if self.now > end {
                return None;
            }
            self.client.timer(self.now);
        }
    }

    fn answer(&mut self, group: GroupId, request: &Request, reply: Bytes) {
        let from = if group == CONTROLLER {
            CONTROLLERS
        } else {
            node(group)
        };
        let id = request.id;
        let result = Ok(reply);
        let reply = NodeReply { id, result };
        self.client.reply(self.now, group, from, reply);
    }

    /// The controller is asked, and says that a group has the shard.
    fn say(&mut self, number: u64, owner: GroupId) {
        let request = self.asked(CONTROLLER).expect("the controller is asked");
        self.say_so(&request, number, owner);
    }

    /// The controller is asked for a configuration that was.
    fn say_of_before(&mut self, number: u64, owner: GroupId) {
        let request = self.asked(CONTROLLER).expect("the controller is asked");
        let RequestBody::Read { query, .. } = &request.body else {
            panic!("{request:?}");
        };
        let asked = ControllerQuery::decode(query);
        let wanted = ControllerQuery::Query {
            number: Some(number),
        };
        assert_eq!(asked, Ok(wanted));
        self.say_so(&request, number, owner);
    }

    fn say_so(&mut self, request: &Request, number: u64, owner: GroupId) {
        let info = |group| (group, GroupInfo::new(vec![node(group)]));
        let configuration = Configuration {
            number,
            shards: vec![owner],
            groups: [info(A), info(B), info(C)].into_iter().collect(),
        };
        let latest = number;
        let reply = ControllerReply::Configuration {
            configuration,
            latest,
        };
        self.answer(CONTROLLER, request, reply.encode());
    }

    /// A group is asked, and says that it has no leader, until another one is asked, within ten seconds.
    fn ask_without_leader(&mut self, group: GroupId, number: u64, owners: &[GroupId]) -> GroupId {
        let end = self.now.after(Duration::from_secs(10));
        loop {
            let (to, request) = self.sent(end).expect("somebody is asked");
            match to {
                CONTROLLER => self.say_configuration(&request, number, owners),
                to if to == group => self.say_without_leader(group, &request),
                other => return other,
            }
        }
    }

    /// The controller, asked for any configuration, says who has the shard by that one.
    fn say_configuration(&mut self, request: &Request, newest: u64, owners: &[GroupId]) {
        let RequestBody::Read { query, .. } = &request.body else {
            panic!("{request:?}");
        };
        let number = match ControllerQuery::decode(query) {
            Ok(ControllerQuery::Query { number }) => number.unwrap_or(newest),
            other => panic!("{other:?}"),
        };
        self.say_so(request, number, owners[number as usize]);
    }

    fn say_without_leader(&mut self, group: GroupId, request: &Request) {
        let id = request.id;
        let result = Err(RequestError::NotLeader { hint: None });
        let reply = NodeReply { id, result };
        self.client.reply(self.now, group, node(group), reply);
    }

    /// A group is asked, and says that another one has the shard.
    fn send_elsewhere(&mut self, from: GroupId, owner: GroupId, config: u64) {
        let request = self.asked(from).expect("the group is asked");
        self.say_elsewhere(from, &request, owner, config);
    }

    fn say_elsewhere(&mut self, from: GroupId, request: &Request, owner: GroupId, config: u64) {
        let nodes = vec![node(owner)];
        let reply = Reply::Elsewhere(Elsewhere {
            config,
            owner,
            nodes,
        });
        self.answer(from, request, reply.encode());
    }
}

#[test]
fn a_silent_group_is_not_asked_for_ever() {
    let mut world = World::new();
    world.say(1, A);
    assert!(world.asked(A).is_some());
    world.say(2, B);
    assert!(world.asked(B).is_some());
}

#[test]
fn a_giver_that_fell_silent_after_the_move_is_left() {
    let mut world = World::new();
    world.say(2, B);
    // On its way, by that configuration.
    world.send_elsewhere(B, A, 2);
    assert!(world.asked(A).is_some());
    world.say(2, B);
    assert!(world.asked(B).is_some());
}

#[test]
fn a_giver_that_was_forgotten_after_the_move_is_left() {
    let mut world = World::new();
    world.say(2, B);
    // On its way, by that configuration; by now it has arrived, and the giver's nodes have no such group.
    world.send_elsewhere(B, A, 2);
    let end = world.now.after(Duration::from_secs(1));
    let mut refusals = 0;
    loop {
        let (group, request) = world.sent(end).expect("B is asked within a second");
        match group {
            A => world.say_elsewhere(A, &request, GroupId::NONE, 0),
            B => break,
            _ => world.say_so(&request, 2, B),
        }
        refusals += u32::from(group == A);
        assert!(refusals < 10, "A is asked in a circle");
    }
}

#[test]
fn a_taker_that_is_silent_is_left_for_the_giver() {
    let mut world = World::new();
    world.say(3, B);
    assert!(world.asked(B).is_some());
    // It is still so; and of the two before, one was as well.
    world.say(3, B);
    world.say_of_before(2, B);
    world.say_of_before(1, A);
    assert!(world.asked(A).is_some());
    // If that one says nothing either, it is the taker's turn again.
    world.say(3, B);
    assert!(world.asked(B).is_some());
}

#[test]
fn a_taker_without_a_leader_is_left_for_those_that_had_the_shard() {
    let mut world = World::new();
    let owners = [GroupId::NONE, A, B, C];
    world.say(3, C);
    let began = world.now;
    assert_eq!(world.ask_without_leader(C, 3, &owners), B);
    let second = began.after(Duration::from_secs(1));
    assert!(world.now >= second, "an election is waited for");
    // One after the other; between two of them it is the taker's turn.
    assert_eq!(world.ask_without_leader(B, 3, &owners), C);
    assert_eq!(world.ask_without_leader(C, 3, &owners), A);
    assert_eq!(world.ask_without_leader(A, 3, &owners), C);
    assert_eq!(world.ask_without_leader(C, 3, &owners), B);
}

#[test]
fn a_shard_that_shall_go_on_from_a_taker_without_a_leader_is_found_where_it_is() {
    let mut world = World::new();
    // From A to B, which has no leader, and from there to C, which waits for it.
    let owners = [GroupId::NONE, A, B, C];
    world.say(3, C);
    world.send_elsewhere(C, B, 3);
    assert_eq!(world.ask_without_leader(B, 3, &owners), C);
    let end = world.now.after(Duration::from_secs(20));
    loop {
        let (group, request) = world.sent(end).expect("A is asked");
        match group {
            A => break,
            C => world.say_elsewhere(C, &request, B, 3),
            CONTROLLER => world.say_configuration(&request, 3, &owners),
            group => world.say_without_leader(group, &request),
        }
    }
}

#[test]
fn a_taker_whose_nodes_are_down_is_left_for_the_giver() {
    let mut world = World::new();
    world.client.notice(world.now, node(B), false);
    world.say(2, B);
    let owners = [GroupId::NONE, A, B];
    assert_eq!(world.ask_without_leader(B, 2, &owners), A);
    // The same if it is told later.
    let mut world = World::new();
    world.say(2, B);
    world.client.notice(world.now, node(B), false);
    assert_eq!(world.ask_without_leader(B, 2, &owners), A);
}

#[test]
fn who_asks_where_nobody_leads_does_not_burden_the_controller() {
    let mut world = World::new();
    let owners = [B; 40];
    world.say(39, B);
    let end = world.now.after(Duration::from_secs(30));
    let mut asked = 0;
    while let Some((group, request)) = world.sent(end) {
        match group {
            CONTROLLER => {
                asked += 1;
                world.say_configuration(&request, 39, &owners);
            }
            group => world.say_without_leader(group, &request),
        }
    }
    // After 1, 3, 7, 11 seconds and so on, the newest and sixteen before it.
    assert!((17..=9 * 17).contains(&asked), "{asked} questions");
}

#[test]
fn a_group_that_answers_is_stayed_with_until_it_says_otherwise() {
    let mut world = World::new();
    world.say(1, A);
    let request = world.asked(A).expect("A is asked");
    // It cannot say now, and so the controller is asked: there is another configuration.
    world.answer(A, &request, Reply::Gone.encode());
    let end = world.now.after(Duration::from_secs(1));
    loop {
        let (group, request) = world.sent(end).expect("A is asked within a second");
        match group {
            CONTROLLER => world.say_so(&request, 2, B),
            A if world.client.configuration().number == 2 => break,
            A => world.answer(A, &request, Reply::Gone.encode()),
            _ => panic!("{group:?} is asked, and A serves the shard"),
        }
    }
    world.send_elsewhere(A, B, 2);
    assert!(world.asked(B).is_some());
}
