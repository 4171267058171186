//! A job of MapReduce on a stage: a group of coordinators, and workers that count words.
//!
//! A worker computes at once and takes its time for it. What it stores is in one place that all reach, by the names of attempts, as files
//! are. What the coordinator gives out, to whom, and whose attempt counts, is the shipped machine's doing.

mod text;
mod worker;

use core::time::Duration;
use std::collections::BTreeMap;

use quorate_mapreduce::coordinator::{
    AttemptId, Command, Coordinator, Event, JobId, Kind, Phase, Query, Reply, Spec, Split, What,
};
use quorate_raft::{Instant, Random};
use quorate_rsm::{Call, Client, ClientConfig, ClientId, ClientInput, ClientOutput};

use crate::checker::Violation;
use crate::cluster::{Cluster, ClusterConfig, Occurrence};
use crate::film::board::{AttemptBoard, Board, JobBoard, TaskBoard};
use crate::film::dialect::Dialect;
use crate::film::reel::Reel;
use crate::film::rows::Chunk;
use crate::machine::tagged;
use crate::stage::{Act, Watched};
use crate::streams::{Concern, Streams};
use crate::trace;
use crate::world::Failure;

use text::{LINES, Words};
use worker::Worker;

/// Reduce tasks.
const PARTITIONS: u32 = 3;
/// So many workers are there at the beginning, and at most.
const WORKERS: u64 = 3;
const WORKERS_MAX: u64 = 8;
/// For so long a worker need not be heard, in milliseconds.
const LEASE_MS: u64 = 1_000;
/// A call has so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who submits, on connections; workers have their own numbers.
const BOSS: u64 = 100;

/// Who may be woken, and what for.
#[derive(Clone, Copy)]
enum Wake {
    /// Its client.
    Client(u64),
    /// The next thing of its plan.
    Plan(u64),
}

impl Wake {
    fn token(self) -> u64 {
        match self {
            Self::Client(id) => id << 1,
            Self::Plan(id) => id << 1 | 1,
        }
    }

    fn of(token: u64) -> Self {
        match token & 1 {
            0 => Self::Client(token >> 1),
            _ => Self::Plan(token >> 1),
        }
    }
}

/// A connection to the coordinators.
struct Line {
    client: Client,
    /// The earliest time at which it is woken.
    armed: Instant,
}

/// The scene.
pub(crate) struct JobScene {
    cluster: Cluster<Coordinator>,
    random: Random,
    lines: BTreeMap<u64, Line>,
    workers: BTreeMap<u64, Worker>,
    job: Option<JobId>,
    /// Commands so far.
    named: u64,
    /// What attempts stored: of a map task by partition, of a reduce task alone.
    stored: BTreeMap<AttemptId, Vec<Words>>,
    published: Words,
    reel: Reel,
    board: JobBoard,
    events: u64,
    refused: Option<String>,
}

impl JobScene {
    /// Coordinators on such a cluster, before their first event.
    pub(crate) fn new(config: ClusterConfig) -> Self {
        let random = Streams::new(config.seed).stream(Concern::Workload, 1);
        let mut cluster = Cluster::new(config);
        cluster.watch();
        if let Some(film) = &mut cluster.film {
            film.dialect = Dialect::COORDINATOR;
            film.told_from = 1;
        }
        let mut scene = Self {
            cluster,
            random,
            lines: BTreeMap::new(),
            workers: BTreeMap::new(),
            job: None,
            named: 0,
            stored: BTreeMap::new(),
            published: Words::new(),
            reel: Reel::default(),
            board: JobBoard::default(),
            events: 0,
            refused: None,
        };
        scene.connect(BOSS);
        for _ in 0..WORKERS {
            scene.hire();
        }
        scene
    }

    /// All coordinators start; workers wait for a job.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        for id in self.cluster.voters().to_vec() {
            self.cluster.start(id)?;
        }
        self.tell();
        Ok(())
    }

    fn connect(&mut self, id: u64) {
        let config = ClientConfig::new(self.cluster.voters().to_vec());
        let line = Line {
            client: Client::new(config, self.random.next_u64()),
            armed: Instant::NEVER,
        };
        self.lines.insert(id, line);
    }

    fn hire(&mut self) {
        let id = self.workers.len() as u64 + 1;
        self.connect(id);
        self.workers.insert(id, Worker::new(id));
        if self.job.is_some() {
            self.wake_at(0, Wake::Plan(id));
        }
    }

    fn wake_at(&mut self, pause_ms: u64, wake: Wake) {
        let at = self.cluster.now() + pause_ms * 1_000;
        self.cluster.wake_at(at, wake.token());
    }

    /// Says something to the coordinators; what they answer comes to [`JobScene::answered`].
    fn order(&mut self, id: u64, command: &Command) -> Result<(), Violation> {
        self.named += 1;
        let command = tagged(self.named, &command.encode());
        let now = Instant(self.cluster.now());
        if let Some(line) = self.lines.get_mut(&id) {
            // One at a time: there is room.
            let _ = line
                .client
                .call(now, Call::Write(command), now.after(PATIENCE));
        }
        self.drain(id)
    }

    fn drain(&mut self, id: u64) -> Result<(), Violation> {
        let mut replies = Vec::new();
        if let Some(line) = self.lines.get_mut(&id) {
            while let Some(output) = line.client.poll_output() {
                match output {
                    ClientOutput::Send { to, requests } => {
                        self.cluster.send_requests(ClientId(id), to, requests);
                    }
                    ClientOutput::Done { result, .. } => replies.extend(result),
                }
            }
            let next = line.client.next_timeout();
            if next < line.armed {
                line.armed = next;
                self.cluster.wake_at(next.0, Wake::Client(id).token());
            }
        }
        for bytes in replies {
            let reply = Reply::decode(&bytes).map_err(|_| {
                let seen = "an answer of a coordinator that is none".to_owned();
                Violation::new("Replies are the coordinator's", seen)
            })?;
            self.answered(id, reply)?;
        }
        Ok(())
    }

    fn answered(&mut self, id: u64, reply: Reply) -> Result<(), Violation> {
        if id != BOSS {
            return self.told(id, reply);
        }
        match reply {
            Reply::Submitted { job } => {
                self.job = Some(job);
                let splits = (0..).zip(text::splits());
                let splits = splits.map(|(source, (start, end))| Split { source, start, end });
                self.order(
                    BOSS,
                    &Command::AddSplits {
                        job,
                        first: 0,
                        splits: splits.collect(),
                    },
                )
            }
            Reply::Splits { .. } => match self.job {
                Some(job) => self.order(BOSS, &Command::Start { job }),
                None => Ok(()),
            },
            _ => {
                for id in self.workers.keys().copied().collect::<Vec<_>>() {
                    self.wake_at(0, Wake::Plan(id));
                }
                Ok(())
            }
        }
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Violation> {
        match wake {
            Wake::Client(id) => {
                let now = Instant(self.cluster.now());
                if let Some(line) = self.lines.get_mut(&id) {
                    line.armed = Instant::NEVER;
                    line.client.handle(now, ClientInput::TimerFired);
                }
                self.drain(id)
            }
            Wake::Plan(id) => self.work(id),
        }
    }

    fn live(&mut self) -> Result<(), Failure> {
        match self.cluster.step()? {
            Some(Occurrence::Wake(token)) => self.wake(Wake::of(token))?,
            Some(Occurrence::Replies {
                client,
                from,
                replies,
            }) => {
                let (id, now) = (client.0, Instant(self.cluster.now()));
                if let Some(line) = self.lines.get_mut(&id) {
                    for reply in replies {
                        line.client.handle(now, ClientInput::Reply { from, reply });
                    }
                }
                self.drain(id)?;
            }
            Some(Occurrence::Internal) | None => {}
        }
        self.cluster.take_own_answers();
        Ok(())
    }

    /// A sentence if it cannot be done.
    fn perform(&mut self, act: &Act) -> Result<Option<String>, Failure> {
        let cluster = &mut self.cluster;
        if let Some(id) = act.nodes().iter().find(|id| !cluster.voters().contains(id)) {
            return Ok(Some(format!("there is no {id} in this world")));
        }
        Ok(match act {
            Act::Crash(id) if !cluster.is_running(*id) => Some(format!("{id} does not run")),
            Act::Start(id) if cluster.is_running(*id) => Some(format!("{id} runs already")),
            Act::Crash(id) => {
                cluster.crash(*id)?;
                None
            }
            Act::Start(id) => {
                cluster.restart(*id)?;
                None
            }
            Act::TimeOut(id) => {
                let fired = cluster.time_out(*id);
                (!fired).then(|| "it has no election timer now".to_owned())
            }
            Act::Submit if self.board.phase != NONE => Some("the job is there already".to_owned()),
            Act::Submit => {
                let spec = Spec {
                    partitions: PARTITIONS,
                    lease_ms: LEASE_MS,
                    attempts_max: 10,
                    backup: true,
                    ..Spec::default()
                };
                self.board.phase = "waiting";
                self.order(BOSS, &Command::Submit { spec })?;
                None
            }
            Act::Hire if self.workers.len() as u64 >= WORKERS_MAX => {
                Some(format!("there have been {WORKERS_MAX} workers"))
            }
            Act::Hire => {
                self.hire();
                None
            }
            Act::Kill(id) | Act::Tire(id) if !self.workers.get(id).is_some_and(Worker::lives) => {
                Some(format!("worker {id} is not at work"))
            }
            Act::Kill(id) => {
                self.lines.remove(id);
                self.workers.entry(*id).and_modify(Worker::die);
                None
            }
            Act::Tire(id) => {
                self.workers.entry(*id).and_modify(Worker::tire);
                None
            }
            _ => Some(
                "here coordinators crash, start and time out, and workers come, grow slow and die"
                    .to_owned(),
            ),
        })
    }

    /// What an event changed.
    fn tell(&mut self) {
        self.cluster.tell();
        if let Some(film) = &mut self.cluster.film {
            self.reel.add(0, core::mem::take(&mut film.chunk));
        }
        self.look();
        self.reel.show(self.events, Board::Job(self.board.clone()));
    }

    fn look(&mut self) {
        if self.board.phase.is_empty() {
            self.board.phase = NONE;
        }
        let nodes = self.cluster.voters().iter();
        let applied = nodes.filter_map(|id| Some((self.cluster.raft(*id)?.applied().index, *id)));
        let machine = applied.max().and_then(|(_, id)| self.cluster.machine(id));
        if let (Some(job), Some(machine)) = (self.job, machine) {
            let events = Query::Events {
                job,
                after: 0,
                limit: u32::MAX,
            };
            let status = machine.answer(Query::Status { job });
            // One that has not heard of it yet says nothing.
            if let (Ok(Reply::Status(status)), Ok(Reply::Events { events, .. })) =
                (status, machine.answer(events))
            {
                self.board.phase = phase_name(status.phase);
                self.board.tasks = tasks(status.maps.total, &events);
            }
        }
        self.board.workers = self.workers.values().map(Worker::board).collect();
        let mut result: Vec<(String, u64)> = self.published.clone().into_iter().collect();
        result.sort_by(|(one, few), (other, many)| many.cmp(few).then(one.cmp(other)));
        self.board.result = result;
    }
}

const NONE: &str = "none";

impl Watched for JobScene {
    fn events(&self) -> u64 {
        self.events
    }

    fn next_at(&self) -> Option<u64> {
        self.cluster.next_at()
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.events += 1;
        self.cluster.at_event(self.events);
        let result = self.live();
        self.tell();
        result
    }

    fn act(&mut self, act: &Act) -> Result<(), Failure> {
        self.events += 1;
        self.cluster.at_event(self.events);
        let now = self.cluster.now();
        let trace = &mut self.cluster.trace;
        trace.event(now, &"-", trace::Event::Act, act.digest(), || {
            act.to_string()
        });
        let result = self.perform(act);
        self.tell();
        self.refused = result?;
        Ok(())
    }

    fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    fn take_chunk(&mut self) -> Chunk {
        Chunk {
            at: self.cluster.now(),
            count: self.events,
            hash: format!("{:016x}", self.cluster.trace.hash()),
            ..self.reel.take()
        }
    }

    /// Workers are no clients of a store: what they do is in the result.
    fn contradiction(&self) -> Option<Vec<u64>> {
        None
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Mapping => "mapping",
        Phase::Reducing => "reducing",
        Phase::Publishing => "publishing",
        Phase::Completed => "completed",
        Phase::Failed => "failed",
        Phase::Cancelled => "cancelled",
    }
}

/// All tasks of a job with so many splits, by what happened in it.
fn tasks(maps: u32, events: &[Event]) -> Vec<TaskBoard> {
    let kinds = [
        (Kind::Map, "map", maps),
        (Kind::Reduce, "reduce", PARTITIONS),
        (Kind::Publish, "publish", 1),
    ];
    let all = kinds.into_iter().flat_map(|(kind, name, count)| {
        (0..count).map(move |index| {
            let of_task = events.iter().filter_map(move |event| {
                let task = event
                    .attempt
                    .filter(|it| it.task.kind == kind && it.task.index == index);
                Some((task?, event))
            });
            let mut attempts: BTreeMap<u32, AttemptBoard> = BTreeMap::new();
            for (attempt, event) in of_task {
                let state = match event.what {
                    What::Given | What::Backup | What::Probe => "running",
                    What::Won => "won",
                    What::Beaten => "beaten",
                    _ => "ended",
                };
                let board = attempts.entry(attempt.attempt).or_insert(AttemptBoard {
                    worker: event.worker.0,
                    state,
                });
                board.state = state;
            }
            TaskBoard {
                kind: name,
                index,
                attempts: attempts.into_values().collect(),
            }
        })
    });
    all.collect()
}
