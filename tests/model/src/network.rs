//! Messages under way, in no order: any of them may be the next to arrive.

use std::sync::Arc;

use quorate_raft::{Body, Message, NodeId, Term};

use crate::bounds::Delivery;
use crate::digest::digest;

/// What was sent and may still arrive.
#[derive(Clone, Debug, Default)]
pub struct Network {
    messages: Vec<(u64, Arc<Message>)>,
    /// The sum of the messages' fingerprints: the same whatever their order.
    sum: u64,
}

impl Network {
    /// All messages under way.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.iter().map(|(_, message)| message)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The same for networks with the same messages.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.sum
    }

    /// A message is sent. Where each may arrive many times, it is kept once.
    pub fn send(&mut self, message: Message, delivery: Delivery) {
        let key = digest(&message);
        let known = delivery == Delivery::Any && self.messages.iter().any(|(of, _)| *of == key);
        if !known {
            self.messages.push((key, Arc::new(message)));
            self.sum = self.sum.wrapping_add(key);
        }
    }

    /// Takes any one of them.
    pub fn pop(&mut self) -> Option<Arc<Message>> {
        let (key, message) = self.messages.pop()?;
        self.sum = self.sum.wrapping_sub(key);
        Some(message)
    }

    /// A message is no longer under way.
    pub fn remove(&mut self, message: &Arc<Message>) {
        let at = self.messages.iter().position(|(_, of)| of == message);
        if let Some(at) = at {
            let (key, _) = self.messages.remove(at);
            self.sum = self.sum.wrapping_sub(key);
        }
    }

    /// Loses messages of the earliest terms until there are at most `count`. Which ones does not
    /// depend on the order in which they were sent.
    pub fn lose_beyond(&mut self, count: usize) {
        while self.messages.len() > count {
            let ages = self.messages.iter().enumerate();
            let oldest = ages.min_by_key(|(_, (key, message))| (message.term, *key));
            if let Some((at, (key, _))) = oldest {
                self.sum = self.sum.wrapping_sub(*key);
                self.messages.remove(at);
            }
        }
    }

    /// Forgets what `node` would not hear, now that `term` is durable there and it can never be in
    /// an earlier one.
    pub fn forget_void(&mut self, node: NodeId, term: Term) {
        let sum = &mut self.sum;
        self.messages.retain(|(key, message)| {
            let keep = message.to != node || !is_void(message, term);
            if !keep {
                *sum = sum.wrapping_sub(*key);
            }
            keep
        });
    }
}

/// Whether one whose term is `term` or later does nothing when it hears `message`.
fn is_void(message: &Message, term: Term) -> bool {
    match &message.body {
        Body::RequestVoteResponse { .. }
        | Body::AppendEntriesResponse(_)
        | Body::HeartbeatResponse { .. }
        | Body::SleepResponse { .. }
        | Body::InstallSnapshotResponse { .. }
        | Body::ReadIndex { .. }
        | Body::ReadIndexResponse { .. }
        | Body::Digest(_)
        | Body::TimeoutNow => message.term < term,
        // A grant carries the term asked for.
        Body::PreVoteResponse { granted } => *granted && message.term <= term,
        // These are answered, and the answer tells the term.
        Body::PreVote { .. }
        | Body::RequestVote { .. }
        | Body::AppendEntries { .. }
        | Body::Heartbeat { .. }
        | Body::Sleep { .. }
        | Body::InstallSnapshot { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_raft::StorageId;

    const ONCE: Delivery = Delivery::Once {
        duplicates: 0,
        in_flight: 9,
    };

    fn message(term: u64, body: Body) -> Message {
        Message {
            from: NodeId(1),
            to: NodeId(2),
            storage: StorageId(0),
            term: Term(term),
            body,
        }
    }

    fn network(terms: &[u64], delivery: Delivery) -> Network {
        let mut network = Network::default();
        for &term in terms {
            network.send(message(term, Body::TimeoutNow), delivery);
        }
        network
    }

    #[test]
    fn order_does_not_tell_networks_apart_and_number_does() {
        let digest = |terms: &[u64]| network(terms, ONCE).digest();
        assert_eq!(digest(&[1, 2, 2]), digest(&[2, 1, 2]));
        assert_ne!(digest(&[1, 2, 2]), digest(&[1, 1, 2]));
        assert_ne!(digest(&[1, 2, 2]), digest(&[1, 2]));
    }

    #[test]
    fn what_may_come_again_is_kept_once_and_what_arrives_once_is_gone() {
        assert_eq!(network(&[1, 1, 2], Delivery::Any).len(), 2);
        let mut once = network(&[1, 1, 2], ONCE);
        assert_eq!(once.len(), 3);
        once.remove(&Arc::new(message(1, Body::TimeoutNow)));
        assert_eq!(once.digest(), network(&[1, 2], ONCE).digest());
    }

    #[test]
    fn when_there_are_too_many_the_earliest_terms_go_whatever_their_order() {
        let lost = |terms: &[u64]| {
            let mut network = network(terms, ONCE);
            network.lose_beyond(2);
            network.digest()
        };
        assert_eq!(lost(&[1, 3, 2, 4]), network(&[3, 4], ONCE).digest());
        assert_eq!(lost(&[4, 2, 1, 3]), network(&[3, 4], ONCE).digest());
    }

    #[test]
    fn only_what_nobody_would_hear_is_forgotten() {
        let granted = Body::PreVoteResponse { granted: true };
        let refused = Body::PreVoteResponse { granted: false };
        let vote = Body::RequestVoteResponse { granted: true };
        let heartbeat = Body::HeartbeatResponse { round: 0 };
        for (body, term, kept) in [
            (granted.clone(), 2, false),
            (granted, 3, true),
            (refused, 1, true),
            (vote.clone(), 1, false),
            (vote, 2, true),
            (heartbeat, 1, false),
            (Body::TimeoutNow, 1, false),
        ] {
            let mut network = Network::default();
            network.send(message(term, body.clone()), Delivery::Any);
            network.forget_void(NodeId(1), Term(2));
            assert_eq!(network.len(), 1, "not to that node");
            network.forget_void(NodeId(2), Term(2));
            assert_eq!(network.is_empty(), !kept, "{body:?} of {term}");
        }
    }
}
