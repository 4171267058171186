//! What pages give: checked once, so that nothing that comes from a link can do harm.

use quorate_sim::raft::NodeId;
use quorate_sim::rsm::ReadAt;
use quorate_sim::stage::{Act, Asked, Kind, Op, Scene, Spec, TOLD};
use serde::Deserialize;
use wasm_bindgen::JsError;

/// Milliseconds of faults.
pub(crate) const TORMENT_MAX: f64 = 600_000.0;
/// The largest whole number of which each smaller one is a number of JavaScript.
pub(crate) const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
const NODES_MAX: f64 = 7.0;
/// Three groups of them are to be seen at once.
const GROUP_NODES_MAX: f64 = 3.0;
const CLIENTS_MAX: f64 = 8.0;
const GROUPS_MAX: f64 = 2.0;
const WORKERS_MAX: f64 = 8.0;
const MS_MAX: f64 = 600_000.0;
const KEY_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 256;

/// A sentence for whoever gave it.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);

impl From<Problem> for JsError {
    fn from(problem: Problem) -> Self {
        Self::new(&problem.0)
    }
}

/// A whole number from 0 to `max`.
pub(crate) fn count(value: f64, name: &str, max: f64) -> Result<u64, Problem> {
    whole(value, name, 0.0, max)
}

/// A time, of which parts of a microsecond do not count.
pub(crate) fn time(value: f64, name: &str) -> Result<u64, Problem> {
    let problem = || Problem(format!("{name} is a time from 0 on, not {value}"));
    let is_time = value.is_finite() && value >= 0.0;
    is_time.then_some(value as u64).ok_or_else(problem)
}

/// A seed.
pub(crate) fn seed(value: f64) -> Result<u64, Problem> {
    count(value, "seed", WHOLE_MAX)
}

fn whole(value: f64, name: &str, min: f64, max: f64) -> Result<u64, Problem> {
    let fits = value.fract() == 0.0 && (min..=max).contains(&value);
    let problem = || {
        Problem(format!(
            "{name} is a whole number from {min} to {max}, not {value}"
        ))
    };
    fits.then_some(value as u64).ok_or_else(problem)
}

/// `Spec` of `chunk.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GivenSpec {
    seed: f64,
    world: String,
    torment: f64,
    nodes: f64,
    clients: f64,
    think: f64,
    election: f64,
    heartbeat: f64,
    delay: f64,
    loss: f64,
    disk: f64,
    snapshot_entries: f64,
    batch: f64,
    faults: f64,
    reads: String,
    pub(crate) bug: Option<String>,
}

impl GivenSpec {
    pub(crate) fn checked(self) -> Result<Spec, Problem> {
        let seed = seed(self.seed)?;
        let kind = match self.world.as_str() {
            "campaign" => Kind::Campaign {
                torment: count(self.torment, "torment", TORMENT_MAX)?,
            },
            "scene" => Kind::Scene(self.scene()?),
            "shards" => {
                whole(self.nodes, "nodes of a group", 1.0, GROUP_NODES_MAX)?;
                Kind::Shards(self.scene()?)
            }
            "job" => Kind::Job(self.scene()?),
            other => {
                return Err(Problem(format!(
                    "a world is a scene, a campaign, shards or a job, not {other:?}"
                )));
            }
        };
        Ok(Spec { seed, kind })
    }

    fn scene(&self) -> Result<Scene, Problem> {
        let election = whole(self.election, "election", 10.0, 60_000.0)?;
        let heartbeat = whole(self.heartbeat, "heartbeat", 1.0, 30_000.0)?;
        if heartbeat * 2 > election {
            let sentence = "heartbeat is at most half of election: or no leader would last";
            return Err(Problem(sentence.to_owned()));
        }
        Ok(Scene {
            nodes: whole(self.nodes, "nodes", 1.0, NODES_MAX)?,
            clients: count(self.clients, "clients", CLIENTS_MAX)?,
            think: whole(self.think, "think", 1.0, MS_MAX)?,
            election,
            heartbeat,
            delay: count(self.delay, "delay", 60_000.0)?,
            loss_permille: count(self.loss, "loss", 1_000.0)?,
            disk: count(self.disk, "disk", 60_000.0)?,
            snapshot_entries: whole(self.snapshot_entries, "snapshotEntries", 1.0, 10_000.0)?,
            batch: whole(self.batch, "batch", 1.0, 1_000.0)?,
            faults: count(self.faults, "faults", MS_MAX)?,
            reads: match self.reads.as_str() {
                "leader" => ReadAt::Leader,
                "lease" => ReadAt::Lease,
                "here" => ReadAt::Here,
                other => {
                    let sentence = format!("reads are by leader, lease or here, not {other:?}");
                    return Err(Problem(sentence));
                }
            },
        })
    }
}

/// `Act` of `chunk.ts`.
#[derive(Deserialize)]
pub(crate) struct GivenAct {
    r#do: String,
    node: Option<f64>,
    from: Option<f64>,
    to: Option<f64>,
    ms: Option<f64>,
    loss: Option<f64>,
    flight: Option<f64>,
    client: Option<f64>,
    op: Option<String>,
    key: Option<String>,
    value: Option<String>,
    expected: Option<String>,
    timeout: Option<f64>,
    group: Option<f64>,
    worker: Option<f64>,
}

impl GivenAct {
    /// The act, in a world of these nodes.
    pub(crate) fn checked(self, nodes: &[u64]) -> Result<Act, Problem> {
        let last = nodes.last().map_or(0.0, |last| *last as f64);
        let id = |given: Option<f64>, name: &str| {
            let id = whole(given.unwrap_or(0.0), name, 1.0, last)?;
            let problem = || Problem(format!("there is no n{id} in this world"));
            nodes
                .contains(&id)
                .then_some(NodeId(id))
                .ok_or_else(problem)
        };
        let group = || whole(self.group.unwrap_or(0.0), "group", 1.0, GROUPS_MAX);
        let worker = || whole(self.worker.unwrap_or(0.0), "worker", 1.0, WORKERS_MAX);
        let node = || id(self.node, "node");
        let (from, to) = (|| id(self.from, "from"), || id(self.to, "to"));
        let flight = || whole(self.flight.unwrap_or(0.0), "flight", 1.0, WHOLE_MAX);
        Ok(match self.r#do.as_str() {
            "crash" => Act::Crash(node()?),
            "start" => Act::Start(node()?),
            "pause" => Act::Pause(node()?),
            "resume" => Act::Resume(node()?),
            "freeze" => Act::Freeze(node()?),
            "thaw" => Act::Thaw(node()?),
            "evict" => Act::Evict(node()?),
            "timeout" => Act::TimeOut(node()?),
            "transfer" => Act::Transfer(node()?),
            "remove" => Act::Remove(node()?),
            "demote" => Act::Demote(node()?),
            "restore" => Act::Restore,
            "cut" => Act::Cut {
                from: from()?,
                to: to()?,
            },
            "mend" => Act::Mend {
                from: from()?,
                to: to()?,
            },
            "slow" => Act::Slow {
                from: from()?,
                to: to()?,
                ms: count(self.ms.unwrap_or(-1.0), "ms", 60_000.0)?,
            },
            "lossy" => {
                let loss = self.loss.filter(|loss| (0.0..=1.0).contains(loss));
                let problem = || Problem("loss is a number from 0 to 1".to_owned());
                Act::Lossy {
                    from: from()?,
                    to: to()?,
                    permille: (loss.ok_or_else(problem)? * 1_000.0).round() as u64,
                }
            }
            "heal" => Act::Heal,
            "lose" => Act::Lose(flight()?),
            "deliver" => Act::Deliver(flight()?),
            "call" => Act::Call(self.asked()?),
            "join" => Act::Join(group()? as u32),
            "leave" => Act::Leave(group()? as u32),
            "submit" => Act::Submit,
            "kill" => Act::Kill(worker()?),
            "hire" => Act::Hire,
            "tire" => Act::Tire(worker()?),
            other => return Err(Problem(format!("nobody can {other:?}"))),
        })
    }

    fn asked(self) -> Result<Asked, Problem> {
        let op = match self.op.as_deref().unwrap_or_default() {
            "get" => Op::Get,
            "put" => Op::Put,
            "append" => Op::Append,
            "increment" => Op::Increment,
            "delete" => Op::Delete,
            "cas" => Op::Cas,
            other => return Err(Problem(format!("nobody can ask to {other:?}"))),
        };
        let key = self.key.unwrap_or_default();
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Problem(format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let texts = [&self.value, &self.expected].into_iter().flatten();
        if texts.map(String::len).any(|bytes| bytes > VALUE_BYTES_MAX) {
            return Err(Problem(format!(
                "a value has at most {VALUE_BYTES_MAX} bytes"
            )));
        }
        let by = self.value.as_deref().unwrap_or("1");
        if op == Op::Increment && by.parse::<i64>().is_err() {
            return Err(Problem(format!(
                "increment takes a whole number, not {by:?}"
            )));
        }
        if matches!(op, Op::Put | Op::Append) && self.value.is_none() {
            return Err(Problem("what is to be stored is missing".to_owned()));
        }
        Ok(Asked {
            client: whole(self.client.unwrap_or(0.0), "client", 1.0, TOLD as f64)?,
            op,
            key,
            value: self.value,
            expected: self.expected,
            timeout_ms: whole(self.timeout.unwrap_or(0.0), "timeout", 1.0, 60_000.0)?,
        })
    }
}
