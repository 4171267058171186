//! What must always hold, and what must be seen to happen.

use core::fmt;

/// A property of every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// At most one leader in a term (figure 3).
    ElectionSafety,
    /// A node gives one vote in a term, whatever it lives through.
    OneVote,
    /// Two logs that share an entry share all before it (figure 3).
    LogMatching,
    /// A leader has what earlier leaders committed (figure 3).
    LeaderCompleteness,
    /// No two nodes commit or apply different entries at one index (figure 3).
    StateMachineSafety,
    /// What is committed is, from then on, durable on a quorum.
    DurableOnQuorum,
    /// What a follower has acknowledged it keeps, at least until there is a later leader.
    AcknowledgedKept,
    /// Votes and acknowledgements rest on what is durable.
    PromisesDurable,
    /// A leader first commits an entry of its own term (§5.4.2).
    OwnTermCommits,
    /// Stored terms, votes and snapshots are never taken back.
    NothingTakenBack,
    /// A read sees all that was committed when it was asked for, and is answered once, unless the
    /// node said that it will not be.
    ReadsSeeCommitted,
    /// No assertion in the core fails, and it refuses nothing that a host may do.
    NoPanic,
}

impl Law {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ElectionSafety => "Election Safety",
            Self::OneVote => "One vote in a term",
            Self::LogMatching => "Log Matching",
            Self::LeaderCompleteness => "Leader Completeness",
            Self::StateMachineSafety => "State Machine Safety",
            Self::DurableOnQuorum => "What is committed is durable on a quorum",
            Self::AcknowledgedKept => "What is acknowledged is kept",
            Self::PromisesDurable => "Nothing is promised before it is durable",
            Self::OwnTermCommits => "Commit by counting own-term entries only",
            Self::NothingTakenBack => "What is stored is not taken back",
            Self::ReadsSeeCommitted => "A read sees what was committed when it was asked",
            Self::NoPanic => "No assertion fails",
        }
    }
}

/// What should be seen at least once, or the exploration is too small to say much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// A leader is elected.
    Elected,
    /// A command is committed on all nodes.
    CommittedByAll,
    /// Leaders of two terms have committed something.
    SecondLeaderCommits,
    /// A node has taken over a leader's snapshot.
    Installed,
    /// A change of the membership is committed, and no step of it is left.
    Changed,
    /// A leader answers a read that a quorum confirmed.
    Answered,
    /// A follower answers a read.
    AnsweredByFollower,
    /// A leader answers a read and asks nobody.
    AnsweredUnderLease,
    /// A read is answered that must see what a second leader committed.
    AnsweredAfterSecond,
}

impl Situation {
    /// All of them; a situation's number is its place here.
    pub const ALL: [Self; 9] = [
        Self::Elected,
        Self::CommittedByAll,
        Self::SecondLeaderCommits,
        Self::Installed,
        Self::Changed,
        Self::Answered,
        Self::AnsweredByFollower,
        Self::AnsweredUnderLease,
        Self::AnsweredAfterSecond,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Elected => "a leader is elected",
            Self::CommittedByAll => "a command is committed on all nodes",
            Self::SecondLeaderCommits => "a second leader commits",
            Self::Installed => "a snapshot is installed",
            Self::Changed => "a change of the membership is done",
            Self::Answered => "a leader answers a read",
            Self::AnsweredByFollower => "a follower answers a read",
            Self::AnsweredUnderLease => "a lease answers a read",
            Self::AnsweredAfterSecond => "a read sees what a second leader committed",
        }
    }
}

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// Which one.
    pub law: Law,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    /// `law` was broken, as `seen` tells.
    #[must_use]
    pub fn new(law: Law, seen: String) -> Self {
        Self { law, seen }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law.name(), self.seen)
    }
}
