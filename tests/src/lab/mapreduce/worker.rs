//! A simulated worker: it asks for a task, makes a plan of what it will do when, and follows it.

use std::collections::{BTreeMap, VecDeque};

use quorate_mapreduce::coordinator::{
    AttemptId, Command, Coordinator, Failure as TaskFailure, MapWork, Outcome, Progress,
    PublishWork, Query, Range, ReduceWork, Reply, TaskId, WorkerId,
};
use quorate_rsm::ReadAt;

use super::{LEASE_MS, Shop};
use crate::lab::clerk::ClerkId;
use crate::lab::mapreduce::data::{Pair, Poison};
use crate::lab::{Failure, Lab, MS};

/// One worker.
pub(super) struct JobWorker {
    id: WorkerId,
    clerk: ClerkId,
    /// What it has asked, and what for.
    asked: Option<(u64, Act)>,
    /// When it does the next thing.
    at: u64,
    plan: VecDeque<(u64, Act)>,
    /// What it is at.
    attempt: Option<AttemptId>,
    /// How its first word on an attempt's end was answered.
    ended: Option<Reply>,
    has_left: bool,
}

/// A kind of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Submit,
    Start,
    Ask,
    Renew,
    Complete,
    Fail,
    Lost,
    Left,
}

#[derive(Clone, Debug)]
enum Act {
    Ask,
    /// Waits until there is something to ask for.
    Watch,
    Renew(Progress),
    Store(Stored),
    Publish(u32, String),
    Complete(Outcome),
    Fail(u64),
    Lost(AttemptId),
    Die,
    /// Says of a worker that it is gone.
    Left(WorkerId),
}

#[derive(Clone, Debug)]
enum Stored {
    Runs(Vec<Vec<Pair>>),
    Output(String),
}

/// What an attempt is to do: how long each thing takes, in microseconds.
type Plan = VecDeque<(u64, Act)>;

impl JobWorker {
    pub(super) fn new(number: u64, clerk: ClerkId) -> Self {
        Self {
            id: WorkerId(1_000 * (number + 1)),
            clerk,
            asked: None,
            at: 0,
            plan: [(0, Act::Ask)].into(),
            attempt: None,
            ended: None,
            has_left: false,
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    pub(super) fn open(&self) -> Option<u64> {
        self.asked.as_ref().map(|(tag, _)| *tag)
    }

    pub(super) fn wakes_at(&self) -> Option<u64> {
        (self.asked.is_none() && !self.has_left).then_some(self.at)
    }

    fn then(&mut self, now: u64, plan: Plan) {
        self.plan = plan;
        self.next(now);
    }

    /// Goes on to the next thing of the plan.
    fn next(&mut self, now: u64) {
        if self.plan.is_empty() {
            self.attempt = None;
            self.plan.push_back((0, Act::Ask));
        }
        self.at = now + self.plan.front().map_or(0, |(pause, _)| *pause);
    }
}

impl Shop {
    /// Lets a worker do what it is time for.
    pub(super) fn step(&mut self, lab: &mut Lab<Coordinator>, place: usize) -> Result<(), Failure> {
        if let Some(tag) = self.workers[place].open() {
            let Some(reply) = lab.replied(tag)? else {
                return Ok(());
            };
            if let Some((_, act)) = self.workers[place].asked.take() {
                self.take(lab, place, &act, reply)?;
            }
        }
        let now = lab.cluster.now();
        while self.workers[place].wakes_at().is_some_and(|at| at <= now) {
            let Some((_, act)) = self.workers[place].plan.pop_front() else {
                break;
            };
            self.act(lab, place, act)?;
        }
        Ok(())
    }

    fn act(&mut self, lab: &mut Lab<Coordinator>, place: usize, act: Act) -> Result<(), Failure> {
        let (job, now) = (self.job, lab.cluster.now());
        let (worker, clerk) = (self.workers[place].id, self.workers[place].clerk);
        let attempt = self.workers[place].attempt;
        let at = |what| attempt.ok_or_else(|| lab.fail(what));
        let (step, command) = match act.clone() {
            Act::Ask => {
                let job = Some(job);
                (Step::Ask, Command::Ask { worker, job })
            }
            Act::Watch => {
                let query = Query::Ready { job: Some(job) };
                let tag = lab.question(clerk, query, ReadAt::Watch)?;
                self.workers[place].asked = Some((tag, act));
                return Ok(());
            }
            Act::Renew(progress) => {
                let attempt = at("nothing is renewed")?;
                let renew = Command::Renew {
                    worker,
                    job,
                    attempt,
                    progress,
                };
                (Step::Renew, renew)
            }
            Act::Store(stored) => {
                let attempt = at("nothing is stored")?;
                *self.executed.entry(attempt.task).or_default() += 1;
                match stored {
                    Stored::Runs(runs) => drop(self.runs.insert(attempt, runs)),
                    Stored::Output(output) => drop(self.outputs.insert(attempt, output)),
                }
                self.workers[place].next(now);
                return Ok(());
            }
            Act::Publish(partition, output) => {
                if let Some(other) = self.published.insert(partition, output)
                    && Some(&other) != self.published.get(&partition)
                {
                    return Err(lab.fail(&format!("output {partition} is published twice")));
                }
                self.workers[place].next(now);
                return Ok(());
            }
            Act::Complete(outcome) => {
                let attempt = at("nothing is completed")?;
                let complete = Command::Complete {
                    worker,
                    job,
                    attempt,
                    outcome,
                };
                (Step::Complete, complete)
            }
            Act::Fail(offset) => {
                let failure = TaskFailure {
                    offset: Some(offset),
                    code: "THROWN".to_owned(),
                    message: "the record cannot be read".to_owned(),
                };
                let attempt = at("nothing fails")?;
                let fail = Command::Fail {
                    worker,
                    job,
                    attempt,
                    failure,
                };
                (Step::Fail, fail)
            }
            Act::Lost(attempt) => {
                let lost = Command::Lost {
                    worker,
                    job,
                    attempt,
                };
                (Step::Lost, lost)
            }
            Act::Die => {
                // Another comes in its place, and may know what became of it.
                let pause = (50 + self.random.below(500)) * MS;
                let knows = self.random.below(2) == 0;
                let left = knows.then_some((pause, Act::Left(worker)));
                let one = &mut self.workers[place];
                one.id.0 += 1;
                one.attempt = None;
                one.then(now, left.into_iter().chain([(pause, Act::Ask)]).collect());
                return Ok(());
            }
            Act::Left(worker) => (Step::Left, Command::Left { worker, died: true }),
        };
        let tag = lab.command(clerk, &command)?;
        self.workers[place].asked = Some((tag, act));
        self.disturb(lab, step, attempt.map(|attempt| attempt.task.kind))
    }

    fn take(
        &mut self,
        lab: &mut Lab<Coordinator>,
        place: usize,
        act: &Act,
        reply: Reply,
    ) -> Result<(), Failure> {
        let now = lab.cluster.now();
        match (act, reply) {
            (Act::Ask, Reply::Map(work)) => {
                let plan = self.plan_map(&work);
                self.begin(lab, place, work.attempt, plan);
            }
            (Act::Ask, Reply::Reduce(work)) => {
                let plan = self.plan_reduce(lab, &work)?;
                self.begin(lab, place, work.attempt, plan);
            }
            (Act::Ask, Reply::Publish(work)) => {
                let plan = self.plan_publish(lab, &work)?;
                self.begin(lab, place, work.attempt, plan);
            }
            (Act::Ask, Reply::Wait { ms }) => {
                let plan = match self.watches && place.is_multiple_of(2) {
                    true => [(0, Act::Watch)].into(),
                    false => [(ms * MS, Act::Ask)].into(),
                };
                self.workers[place].then(now, plan);
            }
            (Act::Watch, Reply::Ready(_)) => {
                self.workers[place].then(now, [(10 * MS, Act::Ask)].into());
            }
            (Act::Ask | Act::Renew(_) | Act::Complete(_), Reply::Over { phase }) => {
                if !phase.is_over() {
                    return Err(lab.fail("a worker goes home before the job is over"));
                }
                self.drop_files(place);
                self.workers[place].has_left = true;
            }
            (Act::Renew(_), Reply::Continue { .. })
            | (Act::Fail(_) | Act::Lost(_), Reply::Phase { .. })
            | (Act::Left(_), Reply::Done) => self.workers[place].next(now),
            (Act::Renew(_), Reply::Stop { .. }) => {
                self.drop_files(place);
                self.workers[place].then(now, Plan::new());
            }
            (Act::Complete(_), reply) => self.ended(lab, place, reply)?,
            (act, reply) => {
                return Err(lab.fail(&format!("{act:?} was answered {reply:?}")));
            }
        }
        Ok(())
    }

    /// A worker has a task.
    fn begin(&mut self, lab: &Lab<Coordinator>, place: usize, attempt: AttemptId, plan: Plan) {
        let plan = self.spoil_plan(plan, self.faults.slow && place == 0);
        let worker = &mut self.workers[place];
        worker.attempt = Some(attempt);
        worker.ended = None;
        worker.then(lab.cluster.now(), plan);
        let kind = attempt.task.kind;
        let busy = self.workers.iter().filter_map(|worker| worker.attempt);
        let busy = busy.filter(|attempt| attempt.task.kind == kind).count();
        let peak = &mut self.peak[kind as usize];
        *peak = busy.max(*peak);
    }

    /// A worker was told how its attempt has ended; a second time it must be told the same, unless what it
    /// stored was lost meanwhile. A probe is forgotten when it has ended.
    fn ended(&mut self, lab: &Lab<Coordinator>, place: usize, reply: Reply) -> Result<(), Failure> {
        let attempt = self.workers[place].attempt;
        let attempt = attempt.ok_or_else(|| lab.fail("nothing has ended"))?;
        let first = self.workers[place].ended.replace(reply.clone());
        let is_same = first.as_ref().is_none_or(|first| *first == reply);
        if !is_same && first != Some(Reply::Probed) && self.damaged.is_empty() {
            return Err(lab.fail(&format!("{first:?}, and then {reply:?}")));
        }
        if reply == Reply::Won
            && let Some(other) = self.won.insert(attempt.task, attempt)
            && other != attempt
            && !self.damaged.contains(&other)
        {
            return Err(lab.fail(&format!("{attempt:?} won after {other:?}")));
        }
        match reply {
            Reply::Won if attempt.task == TaskId::PUBLISH => {}
            Reply::Won if first.is_none() && self.random.below(100) < self.faults.damage => {
                self.damaged.insert(attempt);
                self.runs.remove(&attempt);
                self.outputs.remove(&attempt);
            }
            Reply::Won | Reply::Probed => {}
            Reply::Lost { .. } | Reply::Stop { .. } => self.drop_files(place),
            other => return Err(lab.fail(&format!("an end was answered {other:?}"))),
        }
        self.workers[place].next(lab.cluster.now());
        Ok(())
    }

    /// A worker deletes what its attempt stored, unless it won.
    fn drop_files(&mut self, place: usize) {
        let worker = &self.workers[place];
        let won = worker.ended == Some(Reply::Won);
        if let Some(attempt) = worker.attempt.filter(|_| !won) {
            self.runs.remove(&attempt);
            self.outputs.remove(&attempt);
        }
    }

    /// How long a task takes, in microseconds.
    fn pace(&mut self) -> u64 {
        let [least, most] = self.pace_ms;
        (least + self.random.below(most - least + 1)) * MS
    }

    fn plan_map(&mut self, work: &MapWork) -> Plan {
        let split = work.split;
        let range = work.probe.unwrap_or(Range {
            start: split.start,
            end: split.end,
        });
        let pace = self.pace();
        let mut records = self.inputs.records(split.source, range);
        records.retain(|record| work.skip.binary_search(&record.at).is_err());
        let each = pace / (1 + records.len() as u64);
        let mut plan = Plan::new();
        let mut unheard = 0;
        let mut runs = vec![Vec::new(); self.inputs.partitions as usize];
        let mut pairs = 0;
        for (done, record) in records.into_iter().enumerate() {
            unheard += each;
            // A probe says what the first record is before it tries it.
            if unheard > LEASE_MS * MS / 3 || (work.probe.is_some() && done == 0) {
                let progress = Progress {
                    records: done as u64,
                    bytes: record.at - range.start,
                    at: record.at,
                    next: record.next,
                };
                plan.push_back((unheard, Act::Renew(progress)));
                unheard = 0;
            }
            match self.inputs.poison.get(&(split.source, record.at)) {
                Some(Poison::Throws) => {
                    plan.push_back((unheard, Act::Fail(record.at)));
                    return plan;
                }
                Some(Poison::Kills) => {
                    plan.push_back((unheard, Act::Die));
                    return plan;
                }
                None => {}
            }
            for pair in self.inputs.map(split.source, record) {
                pairs += 1;
                runs[self.inputs.partition(&pair.0) as usize].push(pair);
            }
        }
        if work.probe.is_some() {
            plan.push_back((unheard, Act::Complete(Outcome::default())));
            return plan;
        }
        let sizes = runs.iter().map(|run| run.len() as u64).collect();
        let counters = vec![("pairs".to_owned(), pairs)];
        plan.push_back((unheard + each, Act::Store(Stored::Runs(runs))));
        plan.push_back((0, Act::Complete(Outcome { sizes, counters })));
        plan
    }

    fn plan_reduce(&mut self, lab: &Lab<Coordinator>, work: &ReduceWork) -> Result<Plan, Failure> {
        let pace = self.pace();
        let partition = work.attempt.task.index;
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, attempt) in &work.maps {
            let attempt = AttemptId {
                task: TaskId::map(*index),
                attempt: *attempt,
            };
            let Some(runs) = self.runs.get(&attempt) else {
                return self.plan_lost(lab, attempt);
            };
            for (key, value) in &runs[partition as usize] {
                groups.entry(key).or_default().push(value.clone());
            }
        }
        let (mut output, mut keys) = (String::new(), 0);
        for (index, (key, values)) in (0..).zip(&groups) {
            if work.skip.contains(&index) {
                continue;
            }
            if self.inputs.bad_key.as_deref() == Some(*key) {
                return Ok([(pace, Act::Fail(index))].into());
            }
            keys += 1;
            output.push_str(&self.inputs.reduce(key, values));
        }
        let outcome = Outcome {
            sizes: vec![output.len() as u64],
            counters: vec![("keys".to_owned(), keys)],
        };
        let store = Act::Store(Stored::Output(output));
        Ok([(pace, store), (0, Act::Complete(outcome))].into())
    }

    fn plan_publish(
        &mut self,
        lab: &Lab<Coordinator>,
        work: &PublishWork,
    ) -> Result<Plan, Failure> {
        let mut plan = Plan::new();
        for (index, attempt) in (0..).zip(&work.outputs) {
            let attempt = AttemptId {
                task: TaskId::reduce(index),
                attempt: *attempt,
            };
            let Some(output) = self.outputs.get(&attempt).cloned() else {
                return self.plan_lost(lab, attempt);
            };
            plan.push_back((10 * MS, Act::Publish(index, output)));
        }
        let sizes = vec![plan.len() as u64];
        let counters = Vec::new();
        plan.push_back((10 * MS, Act::Complete(Outcome { sizes, counters })));
        Ok(plan)
    }

    /// What a winner stored is not there: only damage may have done that.
    fn plan_lost(&self, lab: &Lab<Coordinator>, attempt: AttemptId) -> Result<Plan, Failure> {
        match self.damaged.contains(&attempt) {
            true => Ok([(0, Act::Lost(attempt))].into()),
            false => Err(lab.fail(&format!("the files of the winner {attempt:?} are gone"))),
        }
    }

    /// Draws what goes wrong with an attempt.
    fn spoil_plan(&mut self, mut plan: Plan, is_slow: bool) -> Plan {
        let mut draws = |percent| self.random.below(100) < percent;
        let [dies, stalls, echoes] =
            [self.faults.deaths, self.faults.stalls, self.faults.echoes].map(&mut draws);
        if echoes && let Some((_, Act::Complete(outcome))) = plan.back() {
            let again = Act::Complete(outcome.clone());
            plan.push_back((50 * MS, again));
        }
        let place = self.random.below(plan.len() as u64) as usize;
        if is_slow {
            plan[0].0 += 3 * LEASE_MS * MS;
        } else if stalls {
            plan[place].0 += (LEASE_MS + self.random.below(2 * LEASE_MS)) * MS;
        }
        if dies {
            plan.truncate(place);
            plan.push_back((20 * MS, Act::Die));
        }
        plan
    }
}
