//! The kinds of faults, each counted: one that never came in a long campaign is a defect of the
//! simulator, not good luck.

use std::collections::BTreeMap;

/// How often each kind came.
pub type Counts = BTreeMap<FaultKind, u64>;

macro_rules! kinds {
    ($($(#[doc = $doc:expr])+ $name:ident,)+) => {
        /// The kinds of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FaultKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

kinds! {
    // What the nemesis plans.
    /// One node crashes, and comes back later.
    Crash,
    /// The leader does.
    CrashLeader,
    /// As many as may fail do, at once.
    CrashMinority,
    /// All nodes do, at once.
    CrashAll,
    /// One node crashes again and again while it starts.
    CrashLoop,
    /// One node crashes between two effects of one step: after a send and before a write, or
    /// between two sends.
    CrashMidStep,
    /// One node crashes, and comes back with other settings: windows, chunks, thresholds.
    RestartOtherwise,
    /// All nodes, one after another, crash and come back with software that writes frames of the next
    /// version, and refuses those of any other.
    Upgrade,
    /// A node is started a second time while it runs or is paused: its lock refuses.
    StartTwice,
    /// One node stops for a while: its clock goes on, and what comes waits.
    Pause,
    /// The leader does.
    PauseLeader,
    /// One node freezes, its clock too; when it goes on, the clock jumps or goes on where it stood.
    Freeze,
    /// One node takes long for everything.
    SlowNode,
    /// A node's clock stands still while the node goes on.
    StopClock,
    /// The leader's clock stands still, and it is cut off from the other nodes, not from clients:
    /// it cannot tell that another leads.
    LeaderOutOfTime,
    /// A node's clock jumps forward.
    JumpClock,
    /// A node's timers fire up to a minute late.
    LateTimers,
    /// A node's timers fire at full seconds only, or once a minute, all together: a hidden tab.
    ThrottleTimers,
    /// Two nodes lose their connection, and are told.
    Disconnect,
    /// Each node falls on one of two sides.
    Partition,
    /// A number of nodes, drawn first, is parted from the others.
    PartitionSize,
    /// The leader is left with one node too few for a quorum.
    QuorumMinusOne,
    /// One node, mostly the leader, is cut off, from clients too.
    Isolate,
    /// The leader is cut off from the other nodes, not from clients.
    CutLeader,
    /// Some directed links are cut.
    OneWay,
    /// A partition, of any kind, that stops one direction only.
    OneWayPartition,
    /// The nodes stand in a line: each reaches its neighbors only.
    Chain,
    /// One node reaches all and the rest only it, or the other way around.
    Star,
    /// The nodes stand in a ring, of which an edge may lack one direction.
    Ring,
    /// Two sides, and one node that reaches both.
    Bridge,
    /// Links come and go, about as fast as elections time out.
    Flap,
    /// A node's packets are held and then come in a burst.
    Clog,
    /// The packets of one directed link are.
    ClogLink,
    /// The nodes are clogged one after another, and let go in another order.
    Swizzle,
    /// What clients ask of a node comes late.
    LateRequests,
    /// One kind of message is lost, everywhere or from one node.
    Filter,
    /// A node's answers to clients are lost, of what is committed too.
    LoseReplies,
    /// A disk is slow.
    SlowDisk,
    /// A disk's next write takes seconds.
    StallDisk,
    /// A disk's next write fails: the node stops, and is started again later.
    FailDisk,
    /// A disk is full: writes fail until there is room.
    FullDisk,
    /// One node crashes; when it comes back, its disk is misread once, by one bit.
    Misread,
    /// A bit of what a disk holds changes for good. The node that finds it never starts again.
    Rot,
    /// A node crashes and loses its storage: it comes back as one that knows of nothing.
    Evict,
    /// A member is taken out, and added again later.
    RemoveMember,
    /// A voter loses its vote, and gets it back later.
    DemoteMember,
    /// The leader hands over.
    TransferLeadership,

    // What the network does by itself.
    /// A packet is lost.
    Loss,
    /// A packet comes twice.
    Duplicate,
    /// A packet comes again up to a minute later.
    Replay,
    /// A packet comes to a later run of a node than the one it was sent to.
    FromBeforeRestart,
    /// A packet takes a hundred times as long as others.
    HeavyTail,
    /// A link's queue is full: the oldest packet in it is lost.
    QueueOldest,
    /// A link's queue is full: the packet that comes is lost.
    QueueNewest,
    /// A link's queue is full: one packet in it is lost.
    QueueRandom,
    /// A frame comes with a bit flipped, and is decoded to see that nothing panics.
    FlippedBit,
    /// A frame comes without its end: it must be refused.
    CutFrame,
    /// A frame comes with another version: it must be refused.
    OtherVersion,
    /// A frame of another cluster comes: it must be refused.
    OtherCluster,
    /// A node gets messages for another: it must not hear them.
    OtherDestination,
    /// A frame comes with a megabyte of nothing behind it: it must be refused.
    Oversize,

    // What clocks and disks do by themselves.
    /// A clock is too fast or too slow all the time.
    DriftLinear,
    /// A clock is too fast and too slow by turns.
    DriftPeriodic,
    /// A clock's rate changes once in a while.
    DriftStep,
    /// A clock's rate changes all the time.
    DriftNoisy,
    /// A crash loses the round of writes under way.
    RoundLost,
    /// A crash keeps the round of writes under way, which nobody hears of.
    RoundKept,
    /// A part of a lost round is found at the end of a file.
    TornRound,
}

impl FaultKind {
    /// Those that a nemesis plans.
    #[must_use]
    pub fn planned() -> &'static [Self] {
        let ambient = Self::ALL.iter().position(|kind| *kind == Self::Loss);
        &Self::ALL[..ambient.expect("it is one of them")]
    }
}
