//! A world on a stage: it is lived event by event, and what happens in it is told to whoever watches.
//!
//! A scene goes on for ever; there are such of one group, of a store of shards, and of a job of MapReduce. A campaign, as a hunt lives it, goes through phases to its end; it is lived at once, and told bit by bit.

mod act;
mod calls;
mod spec;

pub use act::{Act, Asked, Op, PlacedAct};
pub(crate) use calls::{Calls, contradiction};
pub use spec::{Kind, Scene, Spec, TOLD};

use crate::film::rows::{Chunk, FailureRow};
use crate::job::JobScene;
use crate::shards::scene::ShardScene;
use crate::world::{Failure, World};

/// A world that can be told event by event.
pub(crate) trait Watched {
    /// Steps and acts so far.
    fn events(&self) -> u64;
    /// When the next event comes; `None` if none will.
    fn next_at(&self) -> Option<u64>;
    /// Lives through one event.
    fn advance(&mut self) -> Result<(), Failure>;
    /// Does something. What cannot be done is a refusal, and still an event.
    fn act(&mut self, act: &Act) -> Result<(), Failure>;
    /// What the last act could not do, if it could not.
    fn take_refusal(&mut self) -> Option<String>;
    /// What happened since this was asked last.
    fn take_chunk(&mut self) -> Chunk;
    /// The shortest contradiction in what clients saw so far, as numbers of calls: leaving out any of them, the rest can be explained, as far
    /// as was searched. `None` if all can be explained.
    fn contradiction(&self) -> Option<Vec<u64>>;
}

/// A world, and how far it has been told.
pub struct Stage {
    spec: Spec,
    world: Box<dyn Watched>,
    acts: Vec<PlacedAct>,
    failure: Option<FailureRow>,
    ended: bool,
    /// Nothing happens until then, as far as is known; in microseconds.
    lived: u64,
    /// Of a campaign: all that happened in it, and how much of it was told.
    told: Option<Told>,
}

impl Stage {
    /// The world of `spec`, before its first event.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let seed = spec.seed;
        let (world, result): (Box<dyn Watched>, _) = match &spec.kind {
            Kind::Campaign { torment } => {
                return Self::campaign(spec.clone(), Vec::new(), *torment).0;
            }
            Kind::Scene(scene) => begun(World::new(scene.shape(seed)), |world| {
                world.watch();
                world.begin()
            }),
            Kind::Shards(scene) => begun(ShardScene::new(scene.cluster(seed)), ShardScene::begin),
            Kind::Job(scene) => begun(JobScene::new(scene.cluster(seed)), JobScene::begin),
        };
        let mut stage = Self::of(spec, world);
        stage.note(result);
        stage
    }

    fn of(spec: Spec, world: Box<dyn Watched>) -> Self {
        Self {
            spec,
            world,
            acts: Vec::new(),
            failure: None,
            ended: false,
            lived: 0,
            told: None,
        }
    }

    /// Goes on by at most `events` events, and not beyond `until` (microseconds): what happened.
    pub fn advance(&mut self, events: u64, until: u64) -> Chunk {
        if let Some(told) = &mut self.told {
            return told.advance(events, until);
        }
        self.live(events, until);
        self.chunk()
    }

    /// The same, and nothing is told.
    pub fn skip(&mut self, events: u64) {
        self.advance(events, u64::MAX);
    }

    /// Does something between two events: what came of it at once.
    ///
    /// # Errors
    /// It cannot be done: a sentence. Nothing has changed.
    pub fn act(&mut self, act: Act) -> Result<Chunk, String> {
        if self.is_over() {
            return Err("this world has come to its end".to_owned());
        }
        let after = self.count();
        let planned = PlacedAct { after, act };
        if let Kind::Campaign { torment } = self.spec.kind {
            let acts = self.acts.iter().cloned().chain([planned]).collect();
            let (stage, refusal) = Self::campaign(self.spec.clone(), acts, torment);
            if let Some(sentence) = refusal {
                return Err(sentence);
            }
            *self = stage;
            self.skip(after);
            return Ok(self.advance(1, u64::MAX));
        }
        let result = self.world.act(&planned.act);
        if let Some(sentence) = self.world.take_refusal() {
            // Whether it can be done is known when it was tried: the world is lived anew.
            let mut other = Self::new(self.spec.clone());
            for placed in &self.acts {
                other.live(placed.after - other.world.events(), u64::MAX);
                // It was possible before.
                let _ = other.world.act(&placed.act);
            }
            other.live(after - other.world.events(), u64::MAX);
            other.world.take_chunk();
            other.acts = core::mem::take(&mut self.acts);
            *self = other;
            return Err(sentence);
        }
        self.acts.push(planned);
        self.ended = false;
        self.note(result);
        Ok(self.chunk())
    }

    /// Checks what clients saw so far: the shortest contradiction, if one order does not explain it.
    #[must_use]
    pub fn judge(&self) -> Option<FailureRow> {
        let operations = self.world.contradiction()?;
        Some(FailureRow {
            kind: "safety",
            property: "Linearizability".to_owned(),
            text: "no order explains what clients saw".to_owned(),
            event: self.count(),
            operations,
        })
    }

    /// Events told so far.
    fn count(&self) -> u64 {
        let told = self.told.as_ref();
        told.map_or_else(|| self.world.events(), |told| told.count)
    }

    fn is_over(&self) -> bool {
        match &self.told {
            Some(told) => told.is_over(),
            // A scene in which nothing would happen any more goes on with what is done to it.
            None => self.failure.is_some(),
        }
    }

    /// A campaign with these acts, lived to its end, of which nothing was told yet; and a sentence if the last one cannot be done.
    fn campaign(spec: Spec, acts: Vec<PlacedAct>, torment: u64) -> (Self, Option<String>) {
        let mut world = World::new(spec::campaign(spec.seed, torment));
        world.watch();
        world.plan_acts(acts.iter().cloned());
        let result = world.run().map(drop);
        let mut stage = Self::of(spec, Box::new(world));
        stage.acts = acts;
        stage.note(result);
        stage.ended = true;
        let all = stage.chunk();
        stage.told = Some(Told::new(all));
        let refusal = stage.world.take_refusal();
        (stage, refusal)
    }

    fn live(&mut self, events: u64, until: u64) {
        let end = self.world.events().saturating_add(events);
        while self.world.events() < end && self.failure.is_none() {
            match self.world.next_at() {
                None => {
                    self.ended = true;
                    return;
                }
                Some(at) if at > until => {
                    self.lived = until;
                    return;
                }
                Some(_) => {
                    let result = self.world.advance();
                    self.note(result);
                }
            }
        }
    }

    fn note(&mut self, result: Result<(), Failure>) {
        let Err(failure) = result else { return };
        let (kind, property, text) = match failure {
            Failure::Safety(violation) => ("safety", violation.property.to_owned(), violation.seen),
            Failure::Liveness(what) => ("liveness", "Liveness".to_owned(), what),
        };
        self.failure = Some(FailureRow {
            kind,
            property,
            text,
            event: self.world.events(),
            operations: self.world.contradiction().unwrap_or_default(),
        });
    }

    fn chunk(&mut self) -> Chunk {
        let chunk = self.world.take_chunk();
        Chunk {
            at: chunk.at.max(self.lived),
            failure: self.failure.clone(),
            ended: self.ended,
            ..chunk
        }
    }
}

/// A world that has begun, and what came of that.
fn begun<W: Watched + 'static>(
    mut world: W,
    begin: impl FnOnce(&mut W) -> Result<(), Failure>,
) -> (Box<dyn Watched>, Result<(), Failure>) {
    let result = begin(&mut world);
    (Box::new(world), result)
}

/// All that happened in a campaign, and how much of it was told.
struct Told {
    all: Chunk,
    count: u64,
    at: u64,
}

impl Told {
    fn new(all: Chunk) -> Self {
        Self {
            all,
            count: 0,
            at: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.count >= self.all.count
    }

    fn advance(&mut self, events: u64, until: u64) -> Chunk {
        let all = &mut self.all;
        let mut end = self.count.saturating_add(events).min(all.count);
        // The last event by that time.
        let late = all.events.partition_point(|row| row.at <= until);
        if let Some(row) = all.events.get(late) {
            let reached = row.event.saturating_sub(1).max(self.count);
            if end >= reached {
                (end, self.at) = (reached, self.at.max(until.min(row.at)));
            }
        }
        let mut chunk = Chunk {
            events: split(&mut all.events, |row| row.event <= end),
            nodes: split(&mut all.nodes, |row| row.event <= end),
            flights: split(&mut all.flights, |row| row.event <= end),
            landings: split(&mut all.landings, |row| row.event <= end),
            links: split(&mut all.links, |row| row.event <= end),
            operations: split(&mut all.operations, |row| row.event <= end),
            ..Chunk::default()
        };
        self.at = chunk
            .events
            .last()
            .map_or(self.at, |row| row.at.max(self.at));
        self.count = end;
        (chunk.at, chunk.count) = (self.at, end);
        if self.is_over() {
            (chunk.at, chunk.ended) = (self.all.at, true);
            chunk.failure.clone_from(&self.all.failure);
        }
        chunk.hash.clone_from(&self.all.hash);
        chunk
    }
}

/// Takes the rows from the front that `is_told`.
fn split<T>(rows: &mut Vec<T>, is_told: impl Fn(&T) -> bool) -> Vec<T> {
    let end = rows.partition_point(is_told);
    let rest = rows.split_off(end);
    core::mem::replace(rows, rest)
}
