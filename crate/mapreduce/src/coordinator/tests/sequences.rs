//! Any sequence of commands: what must hold after each, whatever came before.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::Random;

use super::*;

/// What workers were told of jobs, kept as simply as can be.
#[derive(Default)]
struct Seen {
    /// Attempts that were given, with their workers.
    given: BTreeMap<(JobId, AttemptId), WorkerId>,
    /// Who won.
    winners: BTreeMap<(JobId, TaskId), u32>,
    published: BTreeSet<JobId>,
    won: u32,
    submitted: u64,
}

fn run(seed: u64, steps: u32) -> Seen {
    let mut random = Random::new(seed);
    let mut world = World::default();
    let mut seen = Seen::default();
    for _ in 0..steps {
        if random.below(6) == 0 {
            let ms = random.below(LEASE);
            world.pass(ms);
        }
        let command = command(&mut random, &seen);
        let Ok(reply) = world.try_tell(command.clone()) else {
            continue;
        };
        seen.take(&command, &reply);
        check(&world.coordinator);
    }
    seen
}

fn command(random: &mut Random, seen: &Seen) -> Command {
    let worker = WorkerId(1 + random.below(6));
    // One of the last.
    let job = JobId((seen.submitted + 1).saturating_sub(random.below(4)));
    let count = 1 + random.below(4) as u32;
    let last = seen.given.len().min(20) as u64;
    let one = (last > 0).then(|| random.below(last) as usize);
    let known = one.and_then(|place| seen.given.iter().rev().nth(place));
    match random.below(40) {
        0 => Command::Submit {
            spec: Spec {
                partitions: 1 + random.below(3) as u32,
                attempts_max: 1 + random.below(8) as u32,
                backup: random.below(2) == 0,
                skip_max: random.below(3) as u32,
                ..spec(1)
            },
        },
        1 => Command::AddSplits {
            job,
            first: 0,
            splits: splits(count),
        },
        2 => Command::Start { job },
        3 if random.below(8) == 0 => Command::Cancel { job },
        4 if random.below(8) == 0 => Command::Forget { job },
        5 => Command::Left {
            worker,
            died: random.below(2) == 0,
        },
        6..=19 => Command::Ask {
            worker,
            job: Some(job).filter(|_| random.below(2) == 0),
        },
        choice => {
            let Some((&(job, attempt), &owner)) = known else {
                return Command::Ask { worker, job: None };
            };
            let worker = if random.below(20) == 0 { worker } else { owner };
            let at = random.below(400);
            match choice {
                20..=22 => Command::Fail {
                    worker,
                    job,
                    attempt,
                    failure: failed((random.below(2) == 0).then_some(at % 4)),
                },
                23 => Command::Lost {
                    worker,
                    job,
                    attempt,
                },
                24..=28 => Command::Renew {
                    worker,
                    job,
                    attempt,
                    progress: Progress {
                        at,
                        next: at + random.below(50),
                        ..Progress::default()
                    },
                },
                _ => Command::Complete {
                    worker,
                    job,
                    attempt,
                    outcome: sizes(&vec![random.below(3); 1 + random.below(3) as usize]),
                },
            }
        }
    }
}

impl Seen {
    fn take(&mut self, command: &Command, reply: &Reply) {
        let (job, attempt) = match (command, reply) {
            (_, Reply::Submitted { job }) => {
                self.submitted = job.0;
                return;
            }
            (Command::Ask { worker, .. }, _) => {
                self.begin(*worker, reply);
                return;
            }
            (Command::Lost { job, attempt, .. }, _) => {
                let winner = self.winners.get(&(*job, attempt.task)).copied();
                // Runs that go after all is reduced still count, so this forgets too much there.
                if winner == Some(attempt.attempt) {
                    self.winners.remove(&(*job, attempt.task));
                }
                return;
            }
            (Command::Complete { job, attempt, .. }, _) => (*job, *attempt),
            _ => return,
        };
        match reply {
            Reply::Won => {
                let winner = self.winners.insert((job, attempt.task), attempt.attempt);
                assert!(winner.is_none_or(|winner| winner == attempt.attempt));
                self.won += u32::from(winner.is_none());
                if attempt.task == TaskId::PUBLISH {
                    assert!(self.published.insert(job), "published once");
                }
            }
            Reply::Lost { winner } => {
                let known = self.winners.get(&(job, attempt.task));
                assert!(known.is_none_or(|known| known == winner));
                assert_ne!(*winner, attempt.attempt);
            }
            _ => {}
        }
    }

    /// A worker was given something: a name that nobody had before.
    fn begin(&mut self, worker: WorkerId, reply: &Reply) {
        let (job, attempt) = match reply {
            Reply::Map(work) => (work.job, work.attempt),
            Reply::Reduce(work) => {
                for (index, winner) in &work.maps {
                    let known = self.winners.get(&(work.job, TaskId::map(*index)));
                    assert!(known.is_none_or(|known| known == winner));
                }
                (work.job, work.attempt)
            }
            Reply::Publish(work) => (work.job, work.attempt),
            _ => return,
        };
        let before = self.given.insert((job, attempt), worker);
        assert_eq!(before, None, "{attempt:?} was given twice");
    }
}

/// What is kept for quickness says what the tasks say.
fn check(coordinator: &Coordinator) {
    for (id, job) in &coordinator.running {
        assert_eq!(*id, job.id);
        assert!(!job.phase.is_over());
        let mut leases = BTreeSet::new();
        let mut held = BTreeSet::new();
        for kind in [Kind::Map, Kind::Reduce, Kind::Publish] {
            let table = job.table(kind);
            let mut completed = 0;
            let mut has_idle = false;
            for (index, task) in table.iter() {
                completed += u32::from(task.winner().is_some());
                has_idle |= task.is_idle();
                assert!(task.live().count() <= 6);
                for attempt in task.live() {
                    let id = AttemptId::new(TaskId { kind, index }, attempt.number);
                    leases.extend(attempt.until_ms.map(|until_ms| (until_ms, id)));
                    held.insert((attempt.worker, id));
                }
            }
            assert_eq!(table.completed(), completed);
            assert_eq!(table.has_idle(), has_idle);
        }
        assert_eq!(job.leases, leases);
        assert_eq!(job.held, held);
        assert!(job.poisonous <= job.spec.skip_max);
    }
    let over = coordinator.over.iter();
    assert!(
        over.into_iter()
            .all(|job| job.phase.is_over() && job.leases.is_empty())
    );
}

#[test]
fn laws_hold_after_every_command_of_any_sequence() {
    let (mut won, mut published) = (0, 0);
    for seed in 0..20 {
        let seen = run(seed, 1_000);
        won += seen.won;
        published += seen.published.len();
    }
    assert!(
        won > 150 && published > 15,
        "{won} won, {published} published"
    );
}
