//! Random sequences, against all that a controller promises.

use super::*;

/// Everything that was, remembered without any cleverness.
struct Model {
    configurations: Vec<Configuration>,
}

fn draw(random: &mut Random, ids: u64, shards: u64, latest: u64) -> ControllerCommand {
    let mut id = || random.below(ids) as u32;
    let pair = [id(), id()];
    let some = &pair[..1 + random.below(2) as usize];
    match random.below(10) {
        0..3 => join(some),
        3..5 => leave(some),
        5 => discard(some),
        6 => move_shard(random.below(shards + 1) as u32, pair[0]),
        7 => weight(pair[0], random.below(4) as u32),
        _ => progress(
            pair[0],
            latest.saturating_sub(random.below(4)) + random.below(2),
        ),
    }
}

impl Model {
    fn latest(&self) -> &Configuration {
        self.configurations.last().expect("there is the first")
    }

    /// Notes a configuration that is new, and checks that it can follow the last one.
    fn take(&mut self, command: &ControllerCommand, next: &Configuration) {
        let last = self.latest();
        assert_eq!(next.number, last.number + 1);
        let mut bytes = quorate_rsm::wire::Writer::new();
        next.encode(&mut bytes);
        let bytes = bytes.finish().into();
        let mut reader = quorate_rsm::wire::Reader::new(&bytes);
        assert_eq!(&Configuration::decode(&mut reader), next);
        assert_eq!(reader.end(), Ok(()));
        let moved = last.shards.iter().zip(&next.shards).filter(|(a, b)| a != b);
        if matches!(command, ControllerCommand::Move { .. }) {
            assert_eq!((moved.count(), &next.groups), (1, &last.groups));
        } else {
            assert_eq!(balance::assign(&last.shards, &next.groups), next.shards);
            let weights: u64 = next
                .groups
                .iter()
                .map(|(_, info)| u64::from(info.weight))
                .sum();
            for (id, info) in next.groups.iter() {
                let held = next.shards.iter().filter(|owner| **owner == id).count() as u64;
                let quota = next.shards.len() as u64 * u64::from(info.weight);
                assert!(held * weights < quota + weights && held * weights + weights > quota);
            }
        }
        self.configurations.push(next.clone());
    }

    fn check(&self, controller: &Controller) {
        let status = status(controller);
        assert_eq!(status.number, self.latest().number);
        assert_eq!(status.oldest, 0, "so few are all kept");
        for configuration in &self.configurations {
            let number = Some(configuration.number);
            let expected = ControllerReply::Configuration {
                configuration: configuration.clone(),
                latest: status.number,
            };
            assert_eq!(
                controller.answer(&ControllerQuery::Query { number }),
                Ok(expected)
            );
        }
    }
}

/// Members, and who left, are what the configuration says; all that they need is there.
fn check_status(controller: &Controller) {
    let status = status(controller);
    let latest = controller.latest().expect("it was created");
    for (id, group) in status.groups.iter() {
        assert!((status.oldest..=status.number).contains(&group.progress));
        assert_eq!(group.left.is_none(), latest.groups.has(id));
        let due = group
            .left
            .as_ref()
            .map_or(status.number, |left| left.number);
        assert!(due <= status.number);
        assert!(group.left.is_none() || group.progress < due);
    }
    assert!(latest.groups.keys().all(|id| status.groups.has(id)));
    let is_gone = |(id, _): &(GroupId, u64)| !status.groups.has(*id);
    assert!(status.drained.iter().all(is_gone));
    let all = &controller.state.as_ref().expect("it was created").founders;
    for (at, (id, founders)) in all.iter().enumerate() {
        let left = status.groups.get(*id).and_then(|it| it.left.as_ref());
        let nodes = latest.groups.get(*id).map(|it| &it.nodes);
        let nodes = nodes.or(left.map(|left| &left.nodes));
        let nodes = nodes.expect("founders of a group that is there");
        assert_eq!(**founders, founders::among(founders, nodes));
        assert!(all[..at].iter().all(|(other, _)| other != id));
    }
}

/// The same controller out of chunks of any size.
fn copied(controller: &Controller, random: &mut Random) -> Controller {
    let (mut snapshot, mut restore) = (controller.snapshot(), Controller::restore());
    let size = random.below(300) as usize + 1;
    for number in 0.. {
        let (data, done) = snapshot.chunk(number, size);
        assert!(data.len() <= size);
        restore.chunk(&data).expect("it is not too large");
        if done {
            break;
        }
    }
    restore.finish().expect("it is a controller")
}

#[test]
fn every_sequence_keeps_what_the_controller_promises() {
    let (mut changed, mut unchanged, mut refused) = (0, 0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let (ids, count) = (2 + random.below(6), 1 + random.below(12));
        let mut controller = Controller::new(count as u32);
        let mut model = Model {
            configurations: vec![Configuration::empty(count as u32)],
        };
        for _ in 0..60 {
            let command = draw(&mut random, ids, count, number(&controller));
            let before = state(&controller);
            match controller.execute(command.clone()) {
                Ok(ControllerReply::Changed { number }) => {
                    let latest = controller.latest().expect("it was created");
                    assert_eq!(latest.number, number);
                    model.take(&command, latest);
                    changed += 1;
                }
                Ok(ControllerReply::Unchanged { number }) => {
                    assert_eq!(number, model.latest().number);
                    assert_eq!(state(&controller), before, "{command:?}");
                    unchanged += 1;
                }
                Ok(ControllerReply::Progress { .. }) => {}
                Ok(other) => panic!("{command:?} was answered {other:?}"),
                Err(_) => {
                    assert_eq!(state(&controller), before, "{command:?}");
                    refused += 1;
                }
            }
            if random.below(10) == 0 {
                let copy = copied(&controller, &mut random);
                assert_eq!(state(&copy), state(&controller));
                controller = copy;
            }
        }
        model.check(&controller);
        check_status(&controller);
    }
    assert!(
        changed > 500 && unchanged > 50 && refused > 500,
        "{changed} {unchanged} {refused}"
    );
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut controller = Controller::new(10);
    change(&mut controller, join(&[1, 2]));
    let (before, mut snapshot) = (state(&controller), controller.snapshot());
    change(&mut controller, join(&[3]));
    assert_eq!(snapshot.chunk(0, usize::MAX).0, before);
    assert_ne!(state(&controller), before);
    assert!(restored(&state(&Controller::default())).is_ok_and(|none| none.latest().is_none()));
}

#[test]
fn a_snapshot_that_is_cut_or_altered_is_refused() {
    let mut controller = Controller::new(5);
    change(&mut controller, join(&[1, 2]));
    change(&mut controller, leave(&[1]));
    change(&mut controller, weight(2, 3));
    let bytes = state(&controller);
    for len in 0..bytes.len() {
        assert!(restored(&bytes.slice(..len)).is_err(), "up to {len}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            assert!(restored(&changed.into()).is_err(), "bit {bit} at {at}");
        }
    }
    let mut restore = Controller::restore();
    let piece = Bytes::from(vec![0; 1 << 20]);
    assert!(
        (0..20).any(|_| restore.chunk(&piece).is_err()),
        "it takes all that comes"
    );
}

/// Whatever is in a snapshot, where its checksum is right.
#[test]
fn no_snapshot_makes_a_controller_that_cannot_be() {
    let mut plain = Controller::new(5);
    change(&mut plain, join(&[1, 2, 3]));
    change(&mut plain, move_shard(4, 2));
    let mut left = plain.clone();
    change(&mut left, leave(&[1]));
    change(&mut left, leave(&[3]));
    left.execute(progress(3, 4)).expect("it left");
    let mut members = Controller::new(2);
    members.membership_changed(&Arc::new(ConfState::new([11, 13, 42].map(NodeId))));
    change(&mut members, join(&[1, 2, 4]));
    change(&mut members, leave(&[4]));
    for controller in [plain, left, members] {
        let bytes = state(&controller);
        let body = &bytes[..bytes.len() - 8];
        let mut restored = 0;
        for at in 0..body.len() {
            for value in 0..=u8::MAX {
                let mut changed = body.to_vec();
                changed[at] = value;
                let sum = crate::key::fnv1a(&changed);
                changed.extend_from_slice(&sum.to_le_bytes());
                let changed = Bytes::from(changed);
                if let Ok(controller) = self::restored(&changed) {
                    restored += 1;
                    assert_eq!(state(&controller), changed);
                    use_up(controller);
                }
            }
        }
        assert!(restored > body.len(), "most numbers can be others");
    }
}

/// Does everything with a controller.
fn use_up(mut controller: Controller) {
    check_status(&controller);
    let status = status(&controller);
    for number in status.oldest..=status.number {
        let query = ControllerQuery::Query {
            number: Some(number),
        };
        controller.answer(&query).expect("it is kept");
    }
    for command in [join(&[9]), leave(&[2]), progress(1, 4), move_shard(0, 2)] {
        _ = controller.execute(command);
    }
}
