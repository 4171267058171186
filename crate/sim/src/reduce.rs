//! Making a world smaller than its seed gives it: fewer kinds of faults, single faults left out, fewer
//! clients and nodes, plain settings, less time. A failure that stays is easier to understand.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;

use crate::cluster::ClusterConfig;
use crate::fault::FaultKind;
use crate::shape::Shape;

/// What is taken away from a world; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reduction {
    /// How long faults come.
    pub torment: Option<Duration>,
    /// Kinds of faults that do not come.
    pub without: BTreeSet<FaultKind>,
    /// The faults, by number, that are carried out; all of them if `None`.
    pub faults: Option<BTreeSet<u64>>,
    /// How many times more rarely calls and faults come.
    pub slower: Option<u64>,
    /// How many clients.
    pub clients: Option<u64>,
    /// How many nodes.
    pub nodes: Option<u64>,
    /// Settings that are as in a fair world.
    pub plain: BTreeSet<Setting>,
}

macro_rules! settings {
    ($($(#[doc = $doc:expr])+ $name:ident $text:literal,)+) => {
        /// Settings that can be made plain.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Setting {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Setting {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is written on a command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

settings! {
    /// Links delay little and lose nothing.
    Link "link",
    /// Disks are fast.
    Disk "disk",
    /// Records are written together or not at all.
    Medium "medium",
    /// Clocks are good.
    Clock "clock",
    /// The node's settings are those that it has by default, but for its timeouts.
    Node "node",
    /// Messages of one drain travel together.
    Frames "frames",
    /// A client has one call open at a time.
    Pipeline "pipeline",
    /// There is one key.
    Keys "keys",
    /// Clients are not told which nodes went or came, nor who leads.
    Notices "notices",
    /// Clients ask for one key at a time, and nobody watches, locks, or queues.
    Store "store",
}

/// Faults of one world that can be told apart by number.
const FAULTS_MAX: u64 = 10_000;

impl Reduction {
    /// The world of `seed`, reduced. `torment` holds where nothing else is said.
    #[must_use]
    pub fn draw(&self, seed: u64, torment: Duration) -> Shape {
        let mut shape = Shape::draw(seed, self.torment.unwrap_or(torment));
        self.apply(&mut shape);
        shape
    }

    fn apply(&self, shape: &mut Shape) {
        if let Some(times) = self.slower {
            shape.slow_down(times);
        }
        let cluster = &mut shape.cluster;
        shape.clients = self.clients.unwrap_or(shape.clients);
        cluster.voters = self.nodes.unwrap_or(cluster.voters);
        let all = shape.faults.clone();
        shape.faults.retain(|kind| !self.without.contains(kind));
        if let Some(kept) = &self.faults {
            shape.mute = (1..=FAULTS_MAX).filter(|n| !kept.contains(n)).collect();
        }
        if shape.faults.is_empty() {
            shape.faults = all;
            shape.mute = (1..=FAULTS_MAX).collect();
        }
        let fair = ClusterConfig::fair(cluster.seed, cluster.voters);
        for setting in &self.plain {
            match setting {
                Setting::Link => cluster.link = fair.link,
                Setting::Disk => cluster.disk = fair.disk,
                Setting::Medium => cluster.medium = fair.medium,
                Setting::Clock => cluster.clock = fair.clock,
                Setting::Node => {
                    let mut node = fair.node.clone();
                    node.raft.election_timeout = cluster.node.raft.election_timeout;
                    node.raft.heartbeat_interval = cluster.node.raft.heartbeat_interval;
                    cluster.node = node;
                    cluster.others.clear();
                }
                Setting::Frames => cluster.split_frames = fair.split_frames,
                Setting::Pipeline => shape.pipeline = 1,
                Setting::Keys => shape.keys = 1,
                Setting::Notices => (shape.notices, shape.hints_permille) = (false, 0),
                Setting::Store => {
                    (shape.watchers, shape.holders, shape.takers) = (0, 0, 0);
                    shape.other_permille = 0;
                }
            }
        }
    }

    /// Takes an option of a command line. `false` if it is not one of a reduction.
    ///
    /// # Errors
    /// The value is none.
    pub fn parse(&mut self, option: &str, value: &str) -> Result<bool, String> {
        match option {
            "--seconds" => self.torment = Some(seconds(value)?),
            "--without" => {
                for name in value.split(',') {
                    let same = |kind: &&FaultKind| spelled(**kind) == name;
                    let kind = FaultKind::ALL.iter().find(same);
                    self.without
                        .insert(*kind.ok_or(format!("there is no fault {name:?}"))?);
                }
            }
            "--faults" if value == "none" => self.faults = Some(BTreeSet::new()),
            "--faults" => {
                let numbers = value.split(',').map(|text| positive(option, text));
                self.faults = Some(numbers.collect::<Result<_, _>>()?);
            }
            "--slower" => self.slower = Some(positive(option, value)?),
            "--clients" => self.clients = Some(positive(option, value)?),
            "--nodes" => self.nodes = Some(positive(option, value)?),
            "--plain" => {
                for name in value.split(',') {
                    let same = |setting: &&Setting| setting.name() == name;
                    let setting = Setting::ALL.iter().find(same);
                    self.plain
                        .insert(*setting.ok_or(format!("there is no setting {name:?}"))?);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The options that give the reduction again, each after a blank.
impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |names: Vec<String>| names.join(",");
        if let Some(torment) = self.torment {
            let text = format!("{}.{:06}", torment.as_secs(), torment.subsec_micros());
            write!(
                f,
                " --seconds {}",
                text.trim_end_matches('0').trim_end_matches('.')
            )?;
        }
        if !self.without.is_empty() {
            let kinds = self.without.iter().map(|kind| spelled(*kind)).collect();
            write!(f, " --without {}", join(kinds))?;
        }
        match &self.faults {
            Some(faults) if faults.is_empty() => write!(f, " --faults none")?,
            Some(faults) => {
                let numbers = faults.iter().map(u64::to_string).collect();
                write!(f, " --faults {}", join(numbers))?;
            }
            None => {}
        }
        if let Some(times) = self.slower {
            write!(f, " --slower {times}")?;
        }
        if let Some(clients) = self.clients {
            write!(f, " --clients {clients}")?;
        }
        if let Some(nodes) = self.nodes {
            write!(f, " --nodes {nodes}")?;
        }
        if !self.plain.is_empty() {
            let names = self.plain.iter().map(|s| s.name().to_owned()).collect();
            write!(f, " --plain {}", join(names))?;
        }
        Ok(())
    }
}

/// A kind of fault as it is written on a command line: `crash-leader`.
#[must_use]
pub fn spelled(kind: FaultKind) -> String {
    let mut text = String::new();
    for c in format!("{kind:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// Seconds with up to six digits behind the point.
///
/// # Errors
/// They are none, or zero, or more than a year.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no number of seconds");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 6 {
        return Err(wrong());
    }
    let micros: u32 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let duration = Duration::new(whole.min(u64::from(u32::MAX)), micros * 1_000);
    let year = Duration::from_secs(365 * 24 * 3_600);
    if duration.is_zero() || duration > year {
        return Err(wrong());
    }
    Ok(duration)
}

fn positive(option: &str, text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or(format!("{option} needs a number above zero, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = " --seconds 2.35 --without crash-leader,pause --faults 3,7 --slower 9 \
                        --clients 2 \
                        --nodes 3 --plain link,keys";

    fn parsed(text: &str) -> Result<Reduction, String> {
        let mut reduction = Reduction::default();
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.chunks(2) {
            assert!(reduction.parse(pair[0], pair[1])?, "{pair:?}");
        }
        Ok(reduction)
    }

    #[test]
    fn command_line_gives_the_reduction_again() {
        let reduction = parsed(TEXT).unwrap();
        assert_eq!(reduction.to_string(), TEXT);
        assert_eq!(reduction.torment, Some(Duration::from_millis(2_350)));
        let none = parsed("--faults none").unwrap();
        assert_eq!(none.to_string(), " --faults none");
        assert_eq!(Reduction::default().to_string(), "");
        for setting in Setting::ALL {
            assert!(parsed(&format!("--plain {}", setting.name())).is_ok());
        }
        FaultKind::ALL.iter().for_each(|kind| {
            assert!(parsed(&format!("--without {}", spelled(*kind))).is_ok());
        });
    }

    #[test]
    fn nonsense_is_refused() {
        let bad = [
            "--seconds 0",
            "--seconds 1.",
            "--seconds -1",
            "--seconds 1.1234567",
            "--seconds x",
            "--seconds 99999999999999999999",
            "--without fire",
            "--faults 0",
            "--faults 1,,2",
            "--slower 0",
            "--clients 0",
            "--nodes two",
            "--plain everything",
        ];
        for text in bad {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn world_is_what_the_reduction_says() {
        let full = Shape::draw(3, Duration::from_secs(20));
        let shape = parsed(TEXT).unwrap().draw(3, Duration::from_secs(20));
        assert_eq!((shape.clients, shape.cluster.voters), (2, 3));
        assert_eq!((shape.torment, shape.keys), (2_350_000, 1));
        assert!(!shape.faults.contains(&FaultKind::Pause));
        assert!(!shape.mute.contains(&3) && shape.mute.contains(&4));
        assert_eq!(shape.cluster.disk, full.cluster.disk);
        assert_eq!(shape.fault_mean, 9 * full.fault_mean);
        assert_eq!(shape.think_mean, 9 * full.think_mean);
        // A seed without faults is one in which none is carried out.
        let kinds: Vec<String> = FaultKind::ALL.iter().map(|kind| spelled(*kind)).collect();
        let calm = parsed(&format!("--without {}", kinds.join(","))).unwrap();
        assert!(calm.draw(3, Duration::from_secs(20)).mute.contains(&1));
        let same = Reduction::default().draw(3, Duration::from_secs(20));
        assert_eq!(format!("{same:?}"), format!("{full:?}"));
    }
}
