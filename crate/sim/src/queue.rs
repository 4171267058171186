//! What happens next: events in the order of their time, and of their making where times are equal.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A queue of events in virtual time, in microseconds. The heap holds places, and not events, so
/// that it moves little.
#[derive(Debug)]
pub struct Queue<E> {
    now: u64,
    sequence: u64,
    heap: BinaryHeap<Scheduled>,
    events: Vec<Option<E>>,
    /// Places in `events` that hold none.
    free: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Scheduled {
    at: u64,
    sequence: u64,
    place: u32,
}

impl<E> Queue<E> {
    /// An empty queue at time zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: 0,
            sequence: 0,
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The time of the last event taken.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Adds an event; one in the past comes now.
    pub fn push(&mut self, at: u64, event: E) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() as u32 - 1
        });
        self.events[place as usize] = Some(event);
        self.heap.push(Scheduled {
            at: at.max(self.now),
            sequence: self.sequence,
            place,
        });
    }

    /// When the next event comes.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|next| next.at)
    }

    /// Takes the next event, and moves time to it.
    pub fn pop(&mut self) -> Option<E> {
        let next = self.heap.pop()?;
        self.now = next.at;
        self.free.push(next.place);
        self.events[next.place as usize].take()
    }

    /// The events to come, in no order.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.events.iter_mut().flatten()
    }

    /// Moves time forward to `at`, where no event lies in between.
    pub fn pass_to(&mut self, at: u64) {
        assert!(
            self.next_at().is_none_or(|next| next >= at),
            "an event would be skipped"
        );
        self.now = self.now.max(at);
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl Ord for Scheduled {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_made() {
        let mut queue = Queue::new();
        for (at, event) in [(20, 'c'), (10, 'a'), (20, 'd'), (10, 'b')] {
            queue.push(at, event);
        }
        let mut order = String::new();
        while let Some(event) = queue.pop() {
            order.push(event);
        }
        assert_eq!((order.as_str(), queue.now()), ("abcd", 20));
        queue.push(5, 'e');
        assert_eq!((queue.pop(), queue.now()), (Some('e'), 20));
    }
}
