//! Which groups have something to do: those that an event touched, and those whose time has come.
//!
//! An event costs by the groups that it touches, however many there are. Of deadlines only the nearest
//! is known, or one before it: a deadline moves with every message, mostly later. When that time has
//! come all are looked at, which for a thousand is a thousand numbers.
//!
//! A turn is fair. Who is ready waits in line; each is served for a bounded while, [`QUANTUM`], and who
//! has more goes to the end. After [`TURN`] the rest waits for the next turn, in the same line, so that
//! the worker hears of other events in between.

use quorate_raft::Instant;

/// Outputs of a group, one after another, before the next group has its turn.
pub const QUANTUM: usize = 64;

/// Outputs of all groups in one turn.
pub const TURN: usize = 1_024;

/// Which groups have something to do.
pub struct Schedule {
    /// In the order in which they came.
    ready: Vec<u32>,
    /// No deadline is before this.
    nearest: Instant,
}

/// What a group keeps of it.
#[derive(Clone, Copy)]
pub struct Slot {
    is_ready: bool,
    deadline: Instant,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            is_ready: false,
            deadline: Instant::NEVER,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            ready: Vec::new(),
            nearest: Instant::NEVER,
        }
    }
}

impl Schedule {
    /// There is something to do for a group, maybe.
    pub fn touch(&mut self, group: u32, slot: &mut Slot) {
        if !slot.is_ready {
            slot.is_ready = true;
            self.ready.push(group);
        }
    }

    /// Whether a group has something to do.
    #[cfg(feature = "shards")]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Serves who is ready, each up to [`QUANTUM`] and all up to [`TURN`]. `serve` does that much for a
    /// group at most, and says how much it did; if that was all, it leaves it to [`Self::settle`] before.
    pub fn turn(&mut self, mut serve: impl FnMut(&mut Self, u32) -> usize) {
        let mut served = 0;
        let mut at = 0;
        while served < TURN
            && let Some(&group) = self.ready.get(at)
        {
            at += 1;
            let outputs = serve(self, group);
            served += outputs;
            if outputs >= QUANTUM {
                self.ready.push(group);
            }
        }
        self.ready.drain(..at);
    }

    /// Nothing is left to do for a group until its deadline.
    pub fn settle(&mut self, slot: &mut Slot, deadline: Instant) {
        *slot = Slot {
            is_ready: false,
            deadline,
        };
        self.nearest = self.nearest.min(deadline);
    }

    /// The groups whose deadline has passed.
    pub fn due<'a>(
        &mut self,
        now: Instant,
        slots: impl Iterator<Item = (u32, &'a Slot)>,
    ) -> Vec<u32> {
        let mut due = Vec::new();
        if now < self.nearest {
            return due;
        }
        self.nearest = Instant::NEVER;
        for (group, slot) in slots {
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

    /// Groups from 0 on, with so much to do each.
    struct Line {
        schedule: Schedule,
        slots: Vec<Slot>,
        work: Vec<usize>,
    }

    impl Line {
        fn new(work: &[usize]) -> Self {
            let mut line = Self {
                schedule: Schedule::default(),
                slots: vec![Slot::default(); work.len()],
                work: work.to_vec(),
            };
            (0..work.len()).for_each(|group| line.touch(group));
            line
        }

        fn touch(&mut self, group: usize) {
            self.schedule.touch(group as u32, &mut self.slots[group]);
        }

        /// Takes a turn; who was served, and how much. Deadlines come `later`, in order.
        fn turn(&mut self, later: u64) -> Vec<(usize, usize)> {
            let mut served = Vec::new();
            self.schedule.turn(|schedule, group| {
                let group = group as usize;
                let done = QUANTUM.min(self.work[group]);
                self.work[group] -= done;
                if done < QUANTUM {
                    let deadline = Instant(later + group as u64);
                    schedule.settle(&mut self.slots[group], deadline);
                }
                served.push((group, done));
                done
            });
            served
        }

        fn due(&mut self, now: u64) -> Vec<u32> {
            let slots = self.slots.iter().enumerate();
            let slots = slots.map(|(group, slot)| (group as u32, slot));
            self.schedule.due(Instant(now), slots)
        }
    }

    #[test]
    fn an_event_costs_by_the_groups_that_it_touches() {
        let mut line = Line::new(&[1; 1_000]);
        assert_eq!(line.turn(1_000).len(), 1_000);
        line.touch(7);
        line.touch(3);
        line.touch(7);
        assert_eq!(line.turn(1_000), [(7, 0), (3, 0)], "once, as they came");
        assert!(line.turn(1_000).is_empty());
    }

    #[test]
    fn a_hot_group_delays_another_by_a_quantum_at_most() {
        let mut line = Line::new(&[10 * TURN, 1, QUANTUM + 1]);
        let served = line.turn(1_000);
        assert_eq!(served[..3], [(0, QUANTUM), (1, 1), (2, QUANTUM)]);
        assert_eq!(served[3..5], [(0, QUANTUM), (2, 1)]);
        let all: usize = served.iter().map(|(_, done)| done).sum();
        assert!((TURN..TURN + QUANTUM).contains(&all), "{all}");
        assert_eq!(line.schedule.next(), Instant(0), "it goes on at once");

        // Who came while it was away is served before it has another turn for itself.
        line.touch(1);
        line.work[1] = 1;
        assert_eq!(line.turn(1_000)[..2], [(0, QUANTUM), (1, 1)]);
    }

    #[test]
    fn a_group_is_due_when_its_own_deadline_has_passed() {
        let mut line = Line::new(&[0; 3]);
        line.turn(1_000);
        assert_eq!(line.schedule.next(), Instant(1_000));
        assert!(line.due(999).is_empty());
        assert_eq!(line.due(1_001), [0, 1]);

        // Their deadlines moved: the nearest is that of the third, and it is known when looked for.
        line.touch(0);
        line.touch(1);
        line.turn(5_000);
        assert!(line.due(1_001).is_empty());
        assert_eq!(line.schedule.next(), Instant(1_002));
        assert_eq!(line.due(6_000), [0, 1, 2]);
    }
}
