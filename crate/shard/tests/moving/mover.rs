//! What a mover does about a shard that arrives, in a group that applies what it proposes at once.

use core::time::Duration;

use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Reply as NodeReply, Request, RequestBody};
use quorate_shard::{
    Arriving, CONTROLLER, Command, GroupId, Mover, MoverConfig, Query, Reply, ShardId, Step,
};

use super::groups::{A, B, Group, configuration, put};
use super::{SHARD, moving, pair};

const CHUNK_BYTES: u32 = 100;

/// The mover of a node that leads the second group.
fn leader(now: Instant, fetches: usize) -> Mover {
    let config = MoverConfig {
        chunk_bytes: CHUNK_BYTES,
        fetches,
        ..MoverConfig::new(vec![NodeId(9)])
    };
    let mut mover = Mover::new(config, NodeId(2), 1);
    mover.touch(now, B, true);
    mover
}

/// The second group's mover, and the first that gives it shards.
struct World {
    now: Instant,
    mover: Mover,
    giver: Group,
    taker: Group,
    /// Requests that were sent, and not looked at yet.
    sent: Vec<(GroupId, Request)>,
}

impl World {
    /// The shard has some pieces. By configuration 2 these are the second group's.
    fn new(shards: [GroupId; 3], fetches: usize) -> Self {
        let [mut giver, mut taker] = pair();
        let session = giver.open(SHARD);
        for sequence in 1..20 {
            put(&mut giver, SHARD, session, sequence, &"value ".repeat(20));
        }
        for group in [&mut giver, &mut taker] {
            group.adopt(&configuration(2, shards));
        }
        let now = Instant::default();
        Self {
            now,
            mover: leader(now, fetches),
            giver,
            taker,
            sent: Vec::new(),
        }
    }

    /// The next request to one of the groups; time passes until there is one.
    fn next(&mut self) -> (GroupId, Request) {
        let end = self.now.after(Duration::from_secs(60));
        while self.sent.is_empty() {
            while let Some(group) = self.mover.next_group() {
                self.mover.look(self.now, group, &self.taker.store);
            }
            while let Some(output) = self.mover.poll_output() {
                let of = |request| (output.group, request);
                self.sent.extend(output.requests.into_iter().map(of));
            }
            self.sent.retain(|(group, _)| *group != CONTROLLER);
            if self.sent.is_empty() {
                self.now = self.mover.next_timeout();
                assert!(self.now < end, "the mover does nothing");
                self.mover.timer(self.now);
            }
        }
        self.sent.remove(0)
    }

    /// Lets a group do what it is asked.
    fn execute(&mut self, group: GroupId, request: &Request) -> Reply {
        let store = match group {
            A => &mut self.giver,
            _ => &mut self.taker,
        };
        match &request.body {
            RequestBody::Propose { command } => {
                store.apply(&Command::decode(command).expect("a command"))
            }
            RequestBody::Read { query, .. } => store.ask(&Query::decode(query).expect("a query")),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, group: GroupId, request: &Request, reply: &Reply) {
        let node = NodeId(u64::from(group.0));
        let (id, result) = (request.id, Ok(reply.encode()));
        self.mover
            .reply(self.now, group, node, NodeReply { id, result });
        self.mover.touch(self.now, B, true);
    }

    /// One request, and its answer.
    fn step(&mut self) {
        let (group, request) = self.next();
        let reply = self.execute(group, &request);
        self.answer(group, &request, &reply);
    }

    fn arriving(&self) -> Vec<Arriving> {
        self.mover.arriving(B, &self.taker.store)
    }
}

#[test]
fn a_host_sees_how_far_a_shard_is() {
    let mut world = World::new([A, B, A], 4);
    assert_eq!(world.mover.arriving(A, &world.giver.store), []);
    let mut seen: Vec<Arriving> = Vec::new();
    while !world.taker.store.serves(SHARD) {
        seen.extend(world.arriving());
        world.step();
    }
    assert_eq!(world.arriving(), []);
    assert!(seen.iter().all(|it| (it.shard, it.from) == (SHARD, A)));
    let mut steps: Vec<Step> = seen.iter().map(|it| it.step).collect();
    steps.dedup();
    let round = 1;
    let expected = [
        Step::Waiting,
        Step::Copying { round },
        Step::Freezing,
        Step::Installing,
    ];
    assert_eq!(steps, expected);
    for it in &seen {
        let total = it.total.unwrap_or(0);
        assert!(it.staged <= it.fetched && it.fetched <= total, "{it:?}");
    }
    let copying = seen
        .iter()
        .filter(|it| it.step == Step::Copying { round } && it.total.is_some());
    let copying: Vec<_> = copying.collect();
    let last = copying.last().expect("it was copied");
    assert_eq!(last.fetched, last.total.unwrap_or(0), "all of it");
    assert_eq!(
        last.fetched - last.staged,
        last.fetched % u64::from(CHUNK_BYTES),
        "but for the last piece"
    );
    assert!(copying.windows(2).all(|it| it[0].staged <= it[1].staged));
}

#[test]
fn a_next_leader_goes_on_with_what_is_in_the_log() {
    let mut world = World::new([A, B, A], 4);
    while world.arriving().iter().all(|it| it.staged == 0) {
        world.step();
    }
    world.mover.touch(world.now, B, false);
    assert_eq!(world.arriving(), []);
    world.mover = leader(world.now, 4);
    world.sent.clear();
    let request = world.next();
    let [before] = world.arriving()[..] else {
        panic!("one shard arrives");
    };
    assert_eq!(before.step, Step::Copying { round: 1 });
    assert!(before.staged > 0 && before.fetched == before.staged);
    assert_eq!(before.total, None, "this leader was not told");
    world.sent.insert(0, request);
    world.step();
    let now = world.arriving()[0];
    assert_eq!(now.staged, before.staged);
    assert_eq!(now.fetched, before.staged + u64::from(CHUNK_BYTES));
    assert!(now.total.is_some());
}

#[test]
fn shards_wait_for_one_another() {
    let mut world = World::new([B, B, A], 1);
    let request = world.next();
    let steps = |world: &World| {
        world
            .arriving()
            .iter()
            .map(|it| it.step)
            .collect::<Vec<_>>()
    };
    let round = 1;
    assert_eq!(steps(&world), [Step::Copying { round }, Step::Waiting]);
    world.sent.insert(0, request);
    while !world.taker.store.serves(ShardId(0)) {
        world.step();
    }
    world.next();
    assert_eq!(steps(&world), [Step::Copying { round }]);
}

#[test]
fn a_late_failure_of_a_copy_that_was_given_up_does_not_bring_it_back() {
    let mut world = World::new([A, B, A], 4);
    while world.arriving().iter().all(|it| it.staged == 0) {
        world.step();
    }
    // Nobody answers one question for a piece, and the giver forgets its marks.
    let begun = world.now;
    let late = loop {
        let (group, request) = world.next();
        if matches!(request.body, RequestBody::Read { .. }) {
            break request.body;
        }
        let reply = world.execute(group, &request);
        world.answer(group, &request, &reply);
    };
    world.giver = world.giver.restarted();
    world.now = begun.after(Duration::from_secs(3));
    // Whether another mark was asked for.
    let step = |world: &mut World| {
        let (group, request) = world.next();
        if request.body != late {
            let reply = world.execute(group, &request);
            world.answer(group, &request, &reply);
        }
        let RequestBody::Propose { command } = &request.body else {
            return false;
        };
        matches!(Command::decode(command), Ok(Command::Mark { .. }))
    };
    // All of it is to be copied anew.
    while !step(&mut world) {}
    // The question for the piece is given up.
    world.now = begun.after(Duration::from_secs(6));
    world.mover.timer(world.now);
    while !world.taker.store.serves(SHARD) {
        assert!(!step(&mut world), "one mark is enough");
    }
}

/// How long it takes until a group is asked again that said nothing, and whether it is another node.
fn asked_again(mover: &mut Mover, group: GroupId) -> (Duration, bool) {
    let mut asked: Vec<(Instant, NodeId)> = Vec::new();
    let mut now = Instant::default();
    while asked.len() < 2 {
        while let Some(output) = mover.poll_output() {
            if output.group == group {
                asked.push((now, output.to));
            }
        }
        now = mover.next_timeout();
        mover.timer(now);
    }
    (asked[1].0.since(asked[0].0), asked[1].1 != asked[0].1)
}

#[test]
fn whoever_waits_for_news_asks_another_when_a_node_is_silent() {
    let [mut giver, mut taker] = moving();
    for (group, from, store) in [(B, CONTROLLER, &mut taker), (A, B, &mut giver)] {
        if group == A {
            store.freeze(SHARD, 2, None);
        }
        let config = MoverConfig::new(vec![NodeId(7), NodeId(8)]);
        let mut mover = Mover::new(config, NodeId(u64::from(group.0)), 1);
        mover.touch(Instant::default(), group, true);
        assert_eq!(mover.next_group(), Some(group));
        mover.look(Instant::default(), group, &store.store);
        let (after, is_another) = asked_again(&mut mover, from);
        assert_eq!(after, Duration::from_secs(1), "{from}");
        assert_eq!(is_another, from == CONTROLLER, "there is one node of {B}");
    }
}
