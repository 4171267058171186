//! Which groups have something to do: those that an event touched, and those whose time has come.
//!
//! An event costs by the groups that it touches, however many there are. Of deadlines only the nearest
//! is known, or one before it: a deadline moves with every message, mostly later. When that time has
//! come all are looked at, which for a thousand is a thousand numbers.
//!
//! A turn is fair. Who is ready waits in line; each is served for a bounded while, [`QUANTUM`], and who
//! has more goes to the end. After [`TURN`] the rest waits for the next turn, in the same line, so that
//! the worker hears of other events in between.

use quorate_raft::{Instant, Table};

/// Outputs of a group, one after another, before the next group has its turn.
pub const QUANTUM: usize = 64;

/// Outputs of all groups in one turn.
pub const TURN: usize = 1_024;

/// Which groups have something to do.
pub struct Schedule {
    slots: Table<u32, Slot>,
    /// In the order in which they came.
    ready: Vec<u32>,
    /// No deadline is before this.
    nearest: Instant,
}

struct Slot {
    is_ready: bool,
    deadline: Instant,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            slots: Table::default(),
            ready: Vec::new(),
            nearest: Instant::NEVER,
        }
    }
}

impl Schedule {
    /// There is something to do for a group, maybe. A group that is not known is one now.
    pub fn touch(&mut self, group: u32) {
        match self.slots.get_mut(group) {
            Some(slot) if slot.is_ready => return,
            Some(slot) => slot.is_ready = true,
            None => {
                let slot = Slot {
                    is_ready: true,
                    deadline: Instant::NEVER,
                };
                self.slots.insert(group, slot);
            }
        }
        self.ready.push(group);
    }

    /// Whether a group has something to do.
    #[cfg(feature = "shards")]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The group is gone.
    #[cfg(feature = "shards")]
    pub fn remove(&mut self, group: u32) {
        self.slots.remove(group);
        self.ready.retain(|ready| *ready != group);
    }

    /// Serves who is ready, each up to [`QUANTUM`] and all up to [`TURN`]. `serve` does that much for a
    /// group at most; it says how much it did, and the group's deadline, which counts if that was all.
    pub fn turn(&mut self, mut serve: impl FnMut(u32, usize) -> (usize, Instant)) {
        let mut served = 0;
        let mut at = 0;
        while served < TURN
            && let Some(&group) = self.ready.get(at)
        {
            at += 1;
            let (outputs, deadline) = serve(group, QUANTUM);
            served += outputs;
            if outputs >= QUANTUM {
                self.ready.push(group);
            } else if let Some(slot) = self.slots.get_mut(group) {
                slot.is_ready = false;
                slot.deadline = deadline;
                self.nearest = self.nearest.min(deadline);
            }
        }
        self.ready.drain(..at);
    }

    /// The groups whose deadline has passed.
    pub fn due(&mut self, now: Instant) -> Vec<u32> {
        let mut due = Vec::new();
        if now < self.nearest {
            return due;
        }
        self.nearest = Instant::NEVER;
        for (group, slot) in self.slots.iter() {
            self.nearest = self.nearest.min(slot.deadline);
            if slot.deadline <= now {
                due.push(group);
            }
        }
        due
    }

    /// When the next turn is due, or some time before that.
    pub fn next(&self) -> Instant {
        match self.ready.is_empty() {
            true => self.nearest,
            false => Instant(0),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Takes a turn in which group `g` has `work[g]` outputs; who was served, and how much.
    fn turn(schedule: &mut Schedule, work: &mut [usize]) -> Vec<(u32, usize)> {
        let mut served = Vec::new();
        schedule.turn(|group, most| {
            let left = &mut work[group as usize];
            let done = most.min(*left);
            *left -= done;
            served.push((group, done));
            (done, Instant(1_000 + u64::from(group)))
        });
        served
    }

    #[test]
    fn an_event_costs_by_the_groups_that_it_touches() {
        let mut schedule = Schedule::default();
        (0..1_000).for_each(|group| schedule.touch(group));
        let mut work = vec![1; 1_000];
        assert_eq!(turn(&mut schedule, &mut work).len(), 1_000);
        schedule.touch(7);
        schedule.touch(3);
        schedule.touch(7);
        assert_eq!(
            turn(&mut schedule, &mut work),
            [(7, 0), (3, 0)],
            "once, as they came"
        );
        assert!(turn(&mut schedule, &mut work).is_empty());
    }

    #[test]
    fn a_hot_group_delays_another_by_a_quantum_at_most() {
        let mut schedule = Schedule::default();
        (0..3).for_each(|group| schedule.touch(group));
        let mut work = [10 * TURN, 1, QUANTUM + 1];
        let served = turn(&mut schedule, &mut work);
        assert_eq!(served[..3], [(0, QUANTUM), (1, 1), (2, QUANTUM)]);
        assert_eq!(served[3..5], [(0, QUANTUM), (2, 1)]);
        let all: usize = served.iter().map(|(_, done)| done).sum();
        assert!((TURN..TURN + QUANTUM).contains(&all), "{all}");
        assert_eq!(schedule.next(), Instant(0), "it goes on at once");

        // Who came while it was away is served before it has another turn for itself.
        schedule.touch(1);
        work[1] = 1;
        assert_eq!(turn(&mut schedule, &mut work)[..2], [(0, QUANTUM), (1, 1)]);
    }

    #[test]
    fn a_group_is_due_when_its_own_deadline_has_passed() {
        let mut schedule = Schedule::default();
        (0..3).for_each(|group| schedule.touch(group));
        let mut work = [0; 3];
        turn(&mut schedule, &mut work);
        assert_eq!(schedule.next(), Instant(1_000));
        assert!(schedule.due(Instant(999)).is_empty());
        assert_eq!(schedule.due(Instant(1_001)), [0, 1]);

        // Their deadlines moved: the nearest is that of the third, and it is known when looked for.
        for group in [0, 1] {
            schedule.touch(group);
        }
        schedule.turn(|_, _| (0, Instant(5_000)));
        assert!(schedule.due(Instant(1_001)).is_empty());
        assert_eq!(schedule.next(), Instant(1_002));
        assert_eq!(schedule.due(Instant(6_000)), [0, 1, 2]);
    }

    #[cfg(feature = "shards")]
    #[test]
    fn a_group_that_is_gone_is_served_no_more() {
        let mut schedule = Schedule::default();
        (0..2).for_each(|group| schedule.touch(group));
        schedule.remove(0);
        assert_eq!(turn(&mut schedule, &mut [1, 1]), [(1, 1)]);
        schedule.remove(1);
        assert!(schedule.due(Instant(9_000)).is_empty());
        assert_eq!(schedule.next(), Instant::NEVER);
    }
}
