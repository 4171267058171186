//! What a scenario cost, beside what the testers allow, and why it failed.

use core::fmt;

use quorate_sim::checker::Violation;
use quorate_sim::cluster::Traffic;

/// Why a scenario failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self(violation.to_string())
    }
}

impl From<&str> for Failure {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a scenario cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Virtual time in microseconds.
    pub time: u64,
    /// Nodes.
    pub nodes: u64,
    /// What they sent each other.
    pub traffic: Traffic,
    /// Commands executed.
    pub commands: u64,
    /// How long agreement took.
    pub agreement: Agreement,
    /// What a tester limits.
    pub limits: Vec<Limit>,
}

/// From the moment when something is asked to the moment when it is done, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// How often.
    pub count: u64,
    /// All times together.
    pub total: u64,
    /// The longest.
    pub longest: u64,
}

impl Agreement {
    /// One more.
    pub fn add(&mut self, time: u64) {
        self.join(Self {
            count: 1,
            total: time,
            longest: time,
        });
    }

    /// Those of another as well.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.total.checked_div(self.count).unwrap_or_default()
    }
}

/// Something that a tester limits, and the most that was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What.
    pub what: &'static str,
    /// The most that was seen.
    pub seen: u64,
    /// The most that is allowed.
    pub allowed: u64,
}

impl Limit {
    /// Adds this one to `limits`, or to the one of its name.
    pub fn note(self, limits: &mut Vec<Self>) {
        match limits.iter_mut().find(|limit| limit.what == self.what) {
            Some(limit) => limit.seen = limit.seen.max(self.seen),
            None => limits.push(self),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.seen, self.allowed, self.what)
    }
}
