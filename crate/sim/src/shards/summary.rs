//! What a sharded world was, and which situations came up in it.

use core::fmt;

macro_rules! sights {
    ($($(#[doc = $doc:expr])+ $name:ident,)+) => {
        /// Something that must come up once in a while: worlds without it find no bug in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sight {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Sight {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];
        }
    };
}

sights! {
    /// A shard comes back to a group that had it before.
    MovedBack,
    /// A node of the giver does not hold a mark that a piece is asked of.
    MarkLost,
    /// A shard is copied whole though it is frozen.
    WholeAfterFreeze,
    /// A whole copy has several pieces.
    WholeInPieces,
    /// So has a difference.
    DifferenceInPieces,
    /// And the final copy.
    FinalInPieces,
    /// A copy gives way to another before it is complete.
    CopyBegunAnew,
    /// Another node leads the giver than when the shard began to leave or was frozen.
    GiverLedAnew,
    /// Another node leads the taker while the shard arrives.
    TakerLedAnew,
    /// All workers are down while a shard moves.
    AllDown,
    /// A write is answered by a group that gives the shard away.
    AnsweredWhileLeaving,
    /// A client is sent elsewhere while the shard is frozen.
    RefusedWhileFrozen,
    /// A write that took effect before a move is repeated after it, and answered.
    RepeatedAfterMove,
    /// A watch goes on in another group.
    WatchResumedElsewhere,
    /// A shard arrives with a lease.
    LeaseMoved,
    /// A lease ends after its shard moved.
    LeaseEndedElsewhere,
    /// Who comes while a shard waits for a taker whose nodes run without a leader is served by its giver.
    FoundWhileTakerLeaderless,
    /// And who comes while nothing is heard of the taker.
    FoundWhileTakerSilent,
    /// A group, or the controller, falls asleep.
    GroupSlept,
    /// A node that sleeps is told that its leader's host is gone.
    SleeperLostLeader,
}

/// Seeds that failed once, and what they taught.
pub const TAUGHT: &[(u64, &str)] = &[(
    2_861,
    "a late failure of a copy that was given up made the mover forget that its mark was lost",
)];

/// Worlds from which on everything must have come up.
pub const LONG: u64 = 1_000;

/// What a world was, or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSummary {
    /// Worlds.
    pub worlds: u64,
    /// Virtual time, in microseconds.
    pub time: u64,
    /// Calls that ended with an answer.
    pub answered: u64,
    /// Calls in all.
    pub calls: u64,
    /// The last configuration.
    pub configurations: u64,
    /// Shards that arrived.
    pub moves: u64,
    /// Workers that crashed.
    pub crashes: u64,
    /// Of these, in a step of a migration.
    pub step_crashes: u64,
    /// What watchers were told.
    pub events: u64,
    /// Leases that were granted.
    pub leases: u64,
    /// Worlds in which what clients saw of a key could not be explained in time, and may be right.
    pub undecided: u64,
    sights: [u64; Sight::ALL.len()],
}

impl ShardSummary {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        let Self {
            worlds,
            time,
            answered,
            calls,
            configurations,
            moves,
            crashes,
            step_crashes,
            events,
            leases,
            undecided,
            sights,
        } = other;
        self.worlds += worlds;
        self.time += time;
        self.answered += answered;
        self.calls += calls;
        self.configurations += configurations;
        self.moves += moves;
        self.crashes += crashes;
        self.step_crashes += step_crashes;
        self.events += events;
        self.leases += leases;
        self.undecided += undecided;
        for (count, more) in self.sights.iter_mut().zip(sights) {
            *count += more;
        }
    }

    /// How often something came up.
    #[must_use]
    pub fn count(&self, sight: Sight) -> u64 {
        self.sights[sight as usize]
    }

    pub(super) fn note(&mut self, sight: Sight) {
        self.note_many(1, sight);
    }

    pub(super) fn note_many(&mut self, count: u64, sight: Sight) {
        self.sights[sight as usize] += count;
    }

    pub(super) fn note_if(&mut self, is_so: bool, sight: Sight) {
        if is_so {
            self.note(sight);
        }
    }

    /// What never came up.
    #[must_use]
    pub fn missing(&self) -> Vec<Sight> {
        let all = Sight::ALL.into_iter();
        all.filter(|sight| self.count(*sight) == 0).collect()
    }

    /// What is wrong with many worlds, in one sentence: something never came up, or too much was left
    /// undecided. `None` if nothing is, or they are few.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let (worlds, undecided, missing) = (self.worlds, self.undecided, self.missing());
        if worlds < LONG {
            return None;
        }
        if undecided * 20 > worlds {
            return Some(format!("{undecided} of {worlds} worlds are undecided"));
        }
        (!missing.is_empty()).then(|| format!("never in {worlds} worlds: {missing:?}"))
    }
}

impl fmt::Display for ShardSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            worlds: _,
            time,
            answered,
            calls,
            configurations,
            moves,
            crashes,
            step_crashes,
            events,
            leases,
            undecided,
            sights: _,
        } = self;
        let seconds = time / 1_000_000;
        write!(
            f,
            "{seconds} s, {answered} of {calls} calls answered, {configurations} \
             configurations, {moves} moves, {crashes} crashes, {step_crashes} of them at a step of a \
             migration, {events} events watched, {leases} leases, {undecided} undecided\nsituations: "
        )?;
        let sights = Sight::ALL.map(|sight| format!("{sight:?} {}", self.count(sight)));
        f.write_str(&sights.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_worlds_in_which_something_never_came_up_are_complained_of() {
        let few = ShardSummary {
            worlds: LONG - 1,
            ..ShardSummary::default()
        };
        assert_eq!(few.complaint(), None);
        let many = ShardSummary {
            worlds: LONG,
            ..few
        };
        let complaint = many.complaint().expect("nothing came up");
        assert!(complaint.contains("MovedBack"), "{complaint}");
        let undecided = ShardSummary {
            undecided: LONG,
            ..many
        };
        let complaint = undecided.complaint().expect("nothing was decided");
        assert!(complaint.contains("undecided"), "{complaint}");
    }
}
