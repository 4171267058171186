//! The way to one peer: its port, the faults a user asked for, and what went over it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use quorate_raft::{Instant, Random};
use wasm_bindgen::JsValue;

use crate::convert::{Plain, Settings};
use crate::error::Failure;
use crate::transport::{Port, Sender};

/// Frames held back by a delay, at most; further ones are dropped.
const MAX_DELAYED_FRAMES: usize = 4_096;
/// Bytes held back by a delay, at most.
const MAX_DELAYED_BYTES: usize = 64 << 20;

/// What happens to frames on a link. The default lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkRule {
    /// Nothing is sent, and nothing that arrives is taken.
    pub blocked: bool,
    /// The share of frames that is lost on sending, from 0 to 1.
    pub drop: f64,
    /// How long a frame is held back before it is sent.
    pub delay_ms: f64,
    /// At most this much more, at random for each frame: frames overtake one another.
    pub jitter_ms: f64,
}

impl LinkRule {
    /// Reads and checks a rule.
    pub fn read(value: JsValue) -> Result<Self, Failure> {
        let settings = Settings::new(value, "the rule")?;
        let rule = Self {
            blocked: settings.flag("blocked")?.unwrap_or(false),
            drop: settings.number("drop")?.unwrap_or(0.0),
            delay_ms: settings.number("delayMs")?.unwrap_or(0.0),
            jitter_ms: settings.number("jitterMs")?.unwrap_or(0.0),
        };
        settings.finish()?;
        rule.validate().map_err(Failure::argument)?;
        Ok(rule)
    }

    /// As JavaScript says it.
    pub fn written(&self) -> Plain {
        Plain::new()
            .flag("blocked", self.blocked)
            .with("drop", &self.drop.into())
            .with("delayMs", &self.delay_ms.into())
            .with("jitterMs", &self.jitter_ms.into())
    }

    /// Whether the numbers make sense; the sentence says which one does not.
    fn validate(&self) -> Result<(), &'static str> {
        let delays = 0.0..=3_600_000.0;
        if !(0.0..=1.0).contains(&self.drop) {
            Err("drop must be between 0 and 1")
        } else if !delays.contains(&self.delay_ms) || !delays.contains(&self.jitter_ms) {
            Err("delayMs and jitterMs must be between 0 and 3600000")
        } else {
            Ok(())
        }
    }
}

/// What went over a link since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames given to the port.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames taken in.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// What arrived and was no frame of ours.
    pub rejected_frames: u64,
    /// Frames lost to a rule, to a missing port, or to a bound.
    pub dropped_frames: u64,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is to be sent at once.
    Now(Vec<u8>),
    /// It is held back.
    Later,
    /// Nobody gets it.
    Lost(Vec<u8>),
}

/// The way to one peer.
#[derive(Default)]
pub struct Link {
    /// Its end of the channel, while connected.
    pub port: Option<Port>,
    /// What went over it.
    pub traffic: Traffic,
    rule: LinkRule,
    delayed: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    delayed_bytes: usize,
    delayed_count: u64,
}

impl Link {
    /// The faults in force.
    pub fn rule(&self) -> LinkRule {
        self.rule
    }

    /// Whether it leads nowhere, and nobody asked for faults on it.
    pub fn is_idle(&self) -> bool {
        self.port.is_none() && self.rule == LinkRule::default()
    }

    /// Replaces the faults. Frames held back already keep their time, unless the link is blocked.
    pub fn set_rule(&mut self, rule: LinkRule) {
        self.rule = rule;
        if rule.blocked {
            self.forget_delayed();
        }
    }

    /// How many frames are held back.
    pub fn delayed_frames(&self) -> usize {
        self.delayed.len()
    }

    /// Replaces the port, or takes it away; what was on the way over the earlier one is lost.
    pub fn connect(&mut self, port: Option<Port>) -> Option<Port> {
        self.forget_delayed();
        std::mem::replace(&mut self.port, port)
    }

    /// What becomes of `frame` now.
    pub fn admit(&mut self, now: Instant, frame: Vec<u8>, random: &mut Random) -> Admitted {
        if self.port.is_none() || self.rule.blocked || chance(random) < self.rule.drop {
            self.traffic.dropped_frames += 1;
            return Admitted::Lost(frame);
        }
        let wait_ms = self.rule.delay_ms + self.rule.jitter_ms * chance(random);
        if wait_ms <= 0.0 {
            return Admitted::Now(frame);
        }
        if self.delayed.len() >= MAX_DELAYED_FRAMES
            || self.delayed_bytes + frame.len() > MAX_DELAYED_BYTES
        {
            self.traffic.dropped_frames += 1;
            return Admitted::Lost(frame);
        }
        self.delayed_bytes += frame.len();
        self.delayed_count += 1;
        let due = now.after(Duration::from_micros((wait_ms * 1_000.0) as u64));
        self.delayed.push(Reverse((due, self.delayed_count, frame)));
        Admitted::Later
    }

    /// A frame whose delay is over.
    pub fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_due() > now {
            return None;
        }
        let Reverse((.., frame)) = self.delayed.pop()?;
        self.delayed_bytes -= frame.len();
        Some(frame)
    }

    /// When the next delay is over.
    pub fn next_due(&self) -> Instant {
        self.delayed
            .peek()
            .map_or(Instant::NEVER, |Reverse((due, ..))| *due)
    }

    /// Counts a frame about to be sent, and gives the handle that sends it.
    pub fn sender(&mut self, frame: &[u8]) -> Option<Sender> {
        let sender = self.port.as_ref()?.sender();
        self.traffic.sent_frames += 1;
        self.traffic.sent_bytes += frame.len() as u64;
        Some(sender)
    }

    fn forget_delayed(&mut self) {
        self.traffic.dropped_frames += self.delayed.len() as u64;
        self.delayed.clear();
        self.delayed_bytes = 0;
    }
}

/// A number in `[0, 1)`.
fn chance(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn rules_outside_their_range_are_refused() {
        for rule in [
            LinkRule {
                drop: 1.5,
                ..LinkRule::default()
            },
            LinkRule {
                drop: f64::NAN,
                ..LinkRule::default()
            },
            LinkRule {
                delay_ms: -1.0,
                ..LinkRule::default()
            },
            LinkRule {
                jitter_ms: f64::INFINITY,
                ..LinkRule::default()
            },
        ] {
            assert!(rule.validate().is_err(), "{rule:?}");
        }
        assert!(LinkRule::default().validate().is_ok());
    }

    fn connected(rule: LinkRule) -> Link {
        let channel = web_sys::MessageChannel::new().expect("a channel");
        let port = Port::open(channel.port1().into(), |_| ()).ok();
        let mut link = Link::default();
        link.connect(port);
        link.set_rule(rule);
        link
    }

    fn delaying(delay_ms: f64) -> Link {
        connected(LinkRule {
            delay_ms,
            ..LinkRule::default()
        })
    }

    #[test]
    fn a_delayed_frame_leaves_when_its_time_has_come() {
        let mut random = Random::new(1);
        let mut link = delaying(10.0);
        for (at, byte) in [(0, 1), (500, 2)] {
            let admitted = link.admit(Instant(at), vec![byte], &mut random);
            assert_eq!(admitted, Admitted::Later);
        }
        assert_eq!(link.next_due(), Instant(10_000));
        assert_eq!(link.pop_due(Instant(9_999)), None);
        assert_eq!(link.pop_due(Instant(10_000)), Some(vec![1]));
        assert_eq!(link.pop_due(Instant(10_000)), None);
        assert_eq!(link.delayed_frames(), 1);

        link.set_rule(LinkRule {
            blocked: true,
            ..LinkRule::default()
        });
        assert_eq!(link.pop_due(Instant(20_000)), None, "blocking forgets");
        assert_eq!(link.traffic.dropped_frames, 1);
    }

    #[test]
    fn delayed_frames_are_bounded_in_number_and_bytes() {
        let mut random = Random::new(1);
        for (frame, room) in [
            (vec![0; 1], MAX_DELAYED_FRAMES),
            (vec![0; 16 << 20], MAX_DELAYED_BYTES >> 24),
        ] {
            let mut link = delaying(1_000.0);
            for _ in 0..room {
                let admitted = link.admit(Instant(0), frame.clone(), &mut random);
                assert_eq!(admitted, Admitted::Later);
            }
            let admitted = link.admit(Instant(0), frame.clone(), &mut random);
            assert_eq!(admitted, Admitted::Lost(frame));
            assert_eq!(link.delayed_frames(), room);
            assert_eq!(link.traffic.dropped_frames, 1);
        }
    }

    #[test]
    fn a_link_without_port_drops_and_counts() {
        let mut link = Link::default();
        let admitted = link.admit(Instant(0), vec![1], &mut Random::new(1));
        assert_eq!(admitted, Admitted::Lost(vec![1]));
        assert_eq!(link.traffic.dropped_frames, 1);
    }
}
