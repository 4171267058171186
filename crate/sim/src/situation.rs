//! Situations that a campaign must have seen: a simulator that never brings them about finds no bug
//! in them. Each is noted where it can be seen from outside; how often is in a world's summary.

macro_rules! situations {
    ($($(#[doc = $doc:expr])+ $name:ident,)+) => {
        /// Something that must come up once in a while.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Situation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

situations! {
    // Elections.
    /// A pre-vote is refused by a node that hears from a leader.
    PreVoteRefusedWhileLed,
    /// A pre-vote is refused for an older log.
    PreVoteRefusedForStaleLog,
    /// One who asked for pre-votes hears from the leader after all.
    PreCandidateGaveWay,
    /// A vote is refused for an older log.
    VoteRefusedForStaleLog,
    /// A vote is refused, as another has it.
    VoteRefusedAlreadyGiven,
    /// A vote is asked for again by the one who has it.
    VoteAskedTwice,
    /// A vote is asked of a node that hears from a leader, and there is no answer.
    VoteNotHeard,
    /// A vote is asked in an earlier term.
    VoteAskedTooLate,
    /// A vote is given, and not told before it is durable.
    VoteWaitsForDisk,
    /// A vote arrives in a later term.
    VoteAfterItsTerm,
    /// A vote arrives at one who leads already.
    VoteAfterWinning,
    /// Two candidates in one term.
    TwoCandidates,
    /// An election ends without a winner.
    ElectionWithoutWinner,
    /// A candidate hears from the winner.
    CandidateGaveWay,
    /// A candidate hears of a later term.
    CandidateOvertaken,
    /// A node learns of a term three or more beyond its own.
    TermsMissed,
    /// A node alone leads.
    LeadsAlone,
    /// The last leader leads again.
    LeadsAgain,
    /// A leader comes while another still believes to lead.
    TwoLeaders,
    /// A leader begins with entries that are not committed.
    LeaderInheritsUncommitted,
    /// A leader comes whose log is shorter than another's.
    LeaderWithShorterLog,
    /// A leader hears of a later term.
    LeaderDeposed,
    /// A leader hears of no quorum any more.
    LeaderWithoutQuorum,
    /// A leader goes while its write is under way.
    LeaderDeposedWhileWriting,
    /// A leader goes on after a pause, and still believes to lead.
    LeaderResumes,
    /// And meanwhile another leads.
    DeposedLeaderResumes,

    // Replication.
    /// A tail that conflicts is cut off.
    TailCut,
    /// A tail is cut off while it is being written.
    WriteOvertaken,
    /// An append is refused.
    AppendRejected,
    /// The hint of a refusal skips more than one entry.
    HintSkips,
    /// An append is refused while appends are pipelined.
    RejectedWhilePipelining,
    /// A follower is found, and pipelining begins.
    ProbeFound,
    /// Pipelining ends.
    PipelineBroken,
    /// As many appends are under way as may be.
    WindowFull,
    /// A follower is a hundred entries behind.
    FollowerFarBehind,
    /// An empty append looks for what was lost.
    EmptyAppend,
    /// An append arrives beyond the end of the log.
    AppendBeyondTheLog,
    /// An append of a prefix of the log arrives.
    AppendOfAPrefix,
    /// An append arrives of what is committed already.
    AppendBelowCommit,
    /// An append arrives of what is compacted already.
    AppendBelowTheLog,
    /// An append of an earlier term arrives.
    AppendAfterItsTerm,
    /// Entries of earlier terms are sent.
    EarlierTermsSent,
    /// An append is answered later, when it is durable.
    AnswerWaitsForDisk,
    /// An acknowledgement arrives after a later one.
    AcknowledgementOvertaken,
    /// An answer of an earlier term arrives.
    AnswerAfterItsTerm,
    /// A follower learns from a heartbeat what is committed.
    CommitLearnedFromHeartbeat,
    /// Entries of earlier terms are committed with one of the leader's own.
    EarlierTermsCommitted,
    /// An entry is committed before its leader has it on disk.
    CommittedBeforeOwnDisk,
    /// Fifty or more entries are committed at once.
    ManyCommittedAtOnce,

    // Reads and requests.
    /// A read is asked before the leader has committed in its term.
    ReadWaitsForFirstCommit,
    /// A read is asked of a leader, while a later one leads.
    DeposedLeaderAskedToRead,
    /// A write is asked of a leader, while a later one leads.
    DeposedLeaderAskedToWrite,
    /// One node answers several requests together.
    AnswersTogether,
    /// A request is refused, with the leader's name.
    RedirectedWithHint,
    /// A request is refused by a node that knows no leader.
    RedirectedWithoutHint,
    /// A request is answered with lost leadership.
    LeadershipLost,
    /// A request is refused, as too many wait.
    Overloaded,
    /// A write is sent again to another node.
    RetriedElsewhere,
    /// A write is sent again after it took effect.
    RetriedAfterExecution,
    /// A session has expired.
    SessionExpired,
    /// A call ends without an answer, and took effect.
    ExecutedUnheard,
    /// A call ends without an answer, and takes effect later.
    ExecutedAfterItsDeadline,
    /// A call ends, and is known to have no effect.
    KnownNotApplied,
    /// A client hears who leads.
    HeardOfLeader,
    /// And that one does not.
    HeardOfWrongLeader,

    // Snapshots.
    /// A node takes a snapshot.
    SnapshotTaken,
    /// And keeps no entry behind it.
    LogEmptied,
    /// A follower tells its leader what its state comes to.
    StateReported,
    /// A follower needs a snapshot.
    SnapshotNeeded,
    /// A snapshot takes three chunks or more.
    ManyChunks,
    /// A chunk comes that came before.
    ChunkRepeated,
    /// A chunk comes to a node that has none before it: it restarted, or followed another.
    ChunkWithoutBeginning,
    /// A snapshot comes while another's chunks were coming.
    SnapshotSuperseded,
    /// A snapshot comes from another leader than its first chunks.
    SnapshotOfAnotherLeader,
    /// A snapshot comes of what is known already.
    SnapshotOfWhatIsKnown,
    /// A snapshot replaces a log.
    SnapshotInstalled,
    /// Which went further than it.
    SnapshotReplacesLongerLog,

    // Idle groups.
    /// A leader that has nothing to do falls asleep.
    LeaderFellAsleep,
    /// A leader wakes by what it is asked.
    WokenByRequest,
    /// A follower wakes because its host says that the leader is gone.
    WokenByUnreachable,
    /// A node starts while others sleep.
    RestartedWhileOthersSlept,

    // Crashes, restarts and disks.
    /// A node is told that the run of its leader is over, or its connection lost.
    LostSightOfLeader,
    /// A node starts with a vote of its term.
    RestartWithVote,
    /// A node starts from a snapshot.
    RestartFromSnapshot,
    /// A node starts with entries that are not committed.
    RestartWithUncommitted,
    /// A node finds a torn write.
    RestartAfterTornWrite,
    /// A node crashes while it writes.
    CrashedWhileWriting,
    /// A node crashes while an installed snapshot is being written.
    CrashedWhileInstalling,
    /// A leader crashes while requests wait.
    LeaderCrashedWithRequests,
    /// Too few nodes run.
    NoQuorumRuns,
    /// No node runs.
    NoNodeRuns,
    /// A node halts, as it must not go on.
    NodeHaltedItself,
    /// A node is lost for good.
    NodeLostForGood,
    /// A node hears from one whose software has another version, and refuses.
    OtherVersionRefused,
    /// A second process of a node is refused.
    SecondProcessRefused,

    // Membership: joint configurations, learners, transfers, amnesia.
    /// Two halves decide together.
    JointConfiguration,
    /// A leader comes to lead under a joint configuration that an earlier one began.
    JointInherited,
    /// A snapshot is taken that holds a joint configuration.
    SnapshotWhileJoint,
    /// A configuration is cut from a log, and the one before it is in force again.
    ConfigurationCut,
    /// A leader leads that has no vote any more.
    LeaderWithoutVote,
    /// A leader that is out hands over.
    LeaderResigns,
    /// A learner becomes a voter.
    LearnerPromoted,
    /// A member without anything gets a snapshot.
    SnapshotToLearner,
    /// A node loses its storage.
    StorageLost,
    /// A member gets a new start with another storage.
    MemberRebound,
    /// A leader is told to hand over.
    TransferBegun,
    /// A leader goes on, because the other did not take over in time.
    TransferGivenUp,
    /// A node campaigns because its leader told it to.
    CampaignByTransfer,

    // The store: transactions, the past, leases, watches, and what is built on them.
    /// A transaction does what is to be done otherwise.
    TxnElse,
    /// A transaction fails, and changes nothing.
    TxnFailed,
    /// A state of the past is read.
    PastRead,
    /// A state of the past is asked for, and compacted.
    PastReadCompacted,
    /// A command compacts.
    Compacted,
    /// The retention compacts.
    RetentionCompacted,
    /// A node shows its own state, and somebody knows a later one.
    OldStateRead,
    /// A lease ends by a tick.
    LeaseEndedByTick,
    /// A tick ends several.
    LeasesEndedTogether,
    /// A lease ends before a command that came late enough.
    LeaseEndedByCommand,
    /// A lease is ended by hand.
    LeaseRevoked,
    /// An end takes several keys with it.
    LeaseTookKeys,
    /// A sign of life comes for a lease that has ended.
    KeepAliveTooLate,
    /// A tick finds nothing to do: the lease was put off, or another leader's tick was before it.
    TickFoundNothing,
    /// A watch waits, and is told in the end that there is nothing.
    WatchWithoutNews,
    /// A watch goes on at another node.
    WatchResumedElsewhere,
    /// A watch goes on over another connection.
    WatchReconnected,
    /// A watch comes too late for what is compacted.
    WatchFoundCompacted,
    /// A watch is told of a part of a revision.
    RevisionDivided,
    /// A lock is taken.
    LockTaken,
    /// A lock is held by another.
    LockHeldByAnother,
    /// A holder's own clock says that it holds no more.
    LockTimeOver,
    /// Two believe to hold a lock, because of bad clocks.
    TwoBelieveToHold,
    /// What is locked refuses an old token.
    OldTokenRefused,
    /// An item is taken from a queue.
    ItemTaken,
    /// Another was quicker.
    ItemTakenByAnother,
    /// An item was taken by a call whose end was not known.
    ItemTakenUnheard,
}

/// How often each situation came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sightings([u64; Situation::ALL.len()]);

impl Sightings {
    /// Notes one.
    pub fn note(&mut self, situation: Situation) {
        self.0[situation as usize] += 1;
    }

    /// How often `situation` came up.
    #[must_use]
    pub fn count(&self, situation: Situation) -> u64 {
        self.0[situation as usize]
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    /// What never came up.
    #[must_use]
    pub fn missing(&self) -> Vec<Situation> {
        let all = Situation::ALL.iter().copied();
        all.filter(|situation| self.count(*situation) == 0)
            .collect()
    }
}

impl Default for Sightings {
    fn default() -> Self {
        Self([0; Situation::ALL.len()])
    }
}
