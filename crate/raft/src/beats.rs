//! Whether peers are there, where groups sleep: a beat to each peer in a heartbeat interval, however many
//! groups there are.
//!
//! Who sleeps does not find out that its leader's node has ended, hangs, or is cut off. The host does: it
//! sends beats, hears those of its peers, and tells its groups ([`Input::Unreachable`],
//! [`Input::Reachable`]). What it tells them decides how soon they act, and nothing that safety rests on.
//!
//! ```text
//!            a frame, of this run or of another
//!   ┌──────┐ ─────────────────────────────────▶ ┌───────┐
//!   │ gone │                                    │ there │ ── a beat of another run: replaced
//!   └──────┘ ◀───────────────────────────────── └───────┘
//!              silent for an election timeout
//! ```
//! A beat carries a number of its sender's run: who ended and began again between two beats knows of no
//! leader, and leads nothing. Silence is counted in own intervals: who stood still has missed nothing by
//! that. And any frame counts, so that whoever is put to sleep by a peer will hear that it is gone.
//!
//! [`Input::Unreachable`]: crate::Input::Unreachable
//! [`Input::Reachable`]: crate::Input::Reachable

use crate::config::Config;
use crate::table::Table;
use crate::types::{Instant, NodeId, micros};

/// What a host knows of the hosts that it is connected to.
#[derive(Clone, Debug)]
pub struct Beats {
    interval_micros: u64,
    /// Own intervals without a frame after which a peer is gone.
    patience: u64,
    next: Instant,
    peers: Table<NodeId, Contact>,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default)]
struct Contact {
    /// Of its latest beat.
    run: Option<u64>,
    /// Own intervals since its latest frame, or since there is a way.
    silent: u64,
}

/// What is news about a peer from which a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It was gone.
    Found,
    /// It has ended, and begun again.
    Replaced,
}

impl Beats {
    /// Of a host whose nodes have these timeouts, and which is connected to nobody.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let interval_micros = micros(config.heartbeat_interval).max(1);
        let timeout_micros = micros(config.election_timeout);
        Self {
            interval_micros,
            // The first may end just after the frame.
            patience: timeout_micros.div_ceil(interval_micros) + 1,
            next: Instant(0),
            peers: Table::default(),
        }
    }

    /// There is a way to a peer, in place of an earlier one. It is taken to be there, as long as it may be.
    pub fn connect(&mut self, peer: NodeId) {
        self.peers.insert(peer, Contact::default());
    }

    /// There is no way to a peer any more.
    pub fn disconnect(&mut self, peer: NodeId) {
        self.peers.remove(peer);
    }

    /// A frame of a peer came; with the number of its run, if it was a beat.
    pub fn hear(&mut self, peer: NodeId, run: Option<u64>) -> Option<Sight> {
        let contact = self.peers.get_mut(peer)?;
        let was_gone = core::mem::take(&mut contact.silent) >= self.patience;
        let before = contact.run;
        contact.run = run.or(before);
        if before.is_some() && contact.run != before {
            Some(Sight::Replaced)
        } else {
            was_gone.then_some(Sight::Found)
        }
    }

    /// Ends an interval, if it is over: a beat is due to each of [`Beats::peers`]. Those that are gone from
    /// now on.
    pub fn turn(&mut self, now: Instant) -> Option<Vec<NodeId>> {
        if now < self.next_timeout() {
            return None;
        }
        // At multiples of the interval, as heartbeats may be: one timeout serves both.
        let latest = now.0.saturating_add(self.interval_micros);
        self.next = Instant(latest - latest % self.interval_micros);
        let mut gone = Vec::new();
        for (peer, contact) in self.peers.iter_mut() {
            if contact.silent < self.patience {
                contact.silent += 1;
                gone.extend((contact.silent == self.patience).then_some(peer));
            }
        }
        Some(gone)
    }

    /// When [`Beats::turn`] is next due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        match self.peers.is_empty() {
            true => Instant::NEVER,
            false => self.next,
        }
    }

    /// Whom this host is connected to.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId(2);

    /// Connected to [`PEER`], with an interval of 60 ms, and a timeout of five.
    fn connected() -> Beats {
        let mut beats = Beats::new(&Config::new(NodeId(1)));
        beats.connect(PEER);
        beats
    }

    /// Ends intervals, at the times of [`Beats::next_timeout`], until a peer is gone: so many.
    fn intervals_until_gone(beats: &mut Beats) -> usize {
        for count in 1..100 {
            let now = beats.next_timeout();
            if beats.turn(now).expect("it is due") == [PEER] {
                return count;
            }
        }
        panic!("nobody is gone");
    }

    #[test]
    fn a_peer_is_gone_when_it_was_silent_for_an_election_timeout() {
        let mut beats = connected();
        // Five whole intervals, and the one in which it was heard.
        assert_eq!(intervals_until_gone(&mut beats), 6, "it said nothing");
        assert_eq!(beats.hear(PEER, Some(7)), Some(Sight::Found));
        assert_eq!(intervals_until_gone(&mut beats), 6);
        assert_eq!(beats.turn(beats.next_timeout()), Some(vec![]), "told once");
        assert_eq!(beats.hear(PEER, Some(7)), Some(Sight::Found));
        for _ in 0..100 {
            assert_eq!(beats.turn(beats.next_timeout()), Some(vec![]));
            assert_eq!(beats.hear(PEER, Some(7)), None);
        }
    }

    #[test]
    fn any_frame_shows_that_a_peer_is_there() {
        let mut beats = connected();
        intervals_until_gone(&mut beats);
        assert_eq!(beats.hear(PEER, None), Some(Sight::Found));
        assert_eq!(beats.hear(PEER, Some(7)), None, "its first beat");
        for _ in 0..3 {
            beats.turn(beats.next_timeout());
        }
        assert_eq!(beats.hear(PEER, None), None);
        assert_eq!(intervals_until_gone(&mut beats), 6);
    }

    #[test]
    fn a_peer_that_began_again_is_another() {
        let mut beats = connected();
        beats.hear(PEER, Some(7));
        assert_eq!(beats.hear(PEER, Some(8)), Some(Sight::Replaced));
        assert_eq!(beats.hear(PEER, Some(8)), None);
        intervals_until_gone(&mut beats);
        assert_eq!(beats.hear(PEER, Some(9)), Some(Sight::Replaced));
        // Over another way it is known no more.
        beats.connect(PEER);
        assert_eq!(beats.hear(PEER, Some(10)), None);
    }

    #[test]
    fn who_stood_still_itself_has_missed_nothing_by_that() {
        let mut beats = connected();
        beats.hear(PEER, Some(7));
        assert_eq!(beats.turn(Instant(10_000)), Some(vec![]));
        assert_eq!(beats.turn(Instant(59_999)), None);
        assert_eq!(beats.turn(Instant(3_600_000_000)), Some(vec![]));
        assert_eq!(beats.next_timeout(), Instant(3_600_060_000));
    }

    #[test]
    fn nothing_is_due_or_heard_where_nobody_is_connected() {
        let mut beats = connected();
        beats.disconnect(PEER);
        assert_eq!(beats.next_timeout(), Instant::NEVER);
        assert_eq!(beats.turn(Instant(1_000_000)), None);
        assert_eq!(beats.hear(PEER, Some(7)), None);
        assert_eq!(beats.peers().count(), 0);
    }
}
