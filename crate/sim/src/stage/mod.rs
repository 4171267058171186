//! A world on a stage: it is lived event by event, and what happens in it is told to whoever watches.
//!
//! A scene goes on for ever; there are such of one group, of a store of shards, and of a job of MapReduce. A campaign, as a hunt lives it,
//! goes through phases to its end.

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
    /// Does something. What cannot be done is a refusal, and an event where trying it has changed something.
    fn act(&mut self, act: &Act) -> Result<(), Failure>;
    /// What the last act could not do, if it could not.
    fn take_refusal(&mut self) -> Option<String>;
    /// What happened since this was asked last.
    fn take_chunk(&mut self) -> Chunk;
    /// The shortest contradiction in what clients saw so far, as numbers of calls: leaving out any of them, the rest can be explained, as far
    /// as was searched. `None` if all can be explained.
    fn contradiction(&self) -> Option<Vec<u64>>;
    /// The call whose end broke a property.
    fn broke(&self) -> Option<u64> {
        None
    }
}

/// So many events are skipped at a time.
const SKIPPED_AT_ONCE: u64 = 2_000;

/// A world, and how far it has been told.
pub struct Stage {
    spec: Spec,
    world: Box<dyn Watched>,
    acts: Vec<PlacedAct>,
    failure: Option<FailureRow>,
    ended: bool,
    /// Nothing happens until then, as far as is known; in microseconds.
    lived: u64,
}

impl Stage {
    /// The world of `spec`, before its first event.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let seed = spec.seed;
        let (world, result): (Box<dyn Watched>, _) = match &spec.kind {
            Kind::Campaign { torment } => {
                begun(World::new(spec::campaign(seed, *torment)), |world| {
                    world.watch();
                    world.set_out()
                })
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
        }
    }

    /// Goes on by at most `events` events, and not beyond `until` (microseconds): what happened.
    pub fn advance(&mut self, events: u64, until: u64) -> Chunk {
        self.live(events, until);
        self.chunk()
    }

    /// The same, and nothing is told.
    pub fn skip(&mut self, events: u64) {
        let end = self.world.events().saturating_add(events);
        loop {
            let before = self.world.events();
            // What is told of a piece is dropped: a film that nobody takes would be full in the end.
            self.live(SKIPPED_AT_ONCE.min(end - before), u64::MAX);
            self.world.take_chunk();
            if self.world.events() == before {
                return;
            }
        }
    }

    /// Does something between two events: what came of it at once.
    ///
    /// # Errors
    /// It cannot be done: a sentence. Nothing has changed.
    pub fn act(&mut self, act: Act) -> Result<Chunk, String> {
        if self.is_over() {
            return Err("this world has come to its end".to_owned());
        }
        let after = self.world.events();
        let planned = PlacedAct { after, act };
        let result = self.world.act(&planned.act);
        if let Some(sentence) = self.world.take_refusal() {
            // If trying it has changed something, the world is lived anew.
            if self.world.events() > after {
                self.relive(after);
            }
            return Err(sentence);
        }
        self.acts.push(planned);
        self.ended = false;
        self.note(result);
        Ok(self.chunk())
    }

    fn relive(&mut self, count: u64) {
        let mut other = Self::new(self.spec.clone());
        for placed in &self.acts {
            other.skip(placed.after - other.world.events());
            // It was possible before.
            let _ = other.world.act(&placed.act);
        }
        other.skip(count - other.world.events());
        other.world.take_chunk();
        other.acts = core::mem::take(&mut self.acts);
        *self = other;
    }

    /// Checks what clients saw so far: the shortest contradiction, if one order does not explain it.
    #[must_use]
    pub fn judge(&self) -> Option<FailureRow> {
        let operations = self.world.contradiction()?;
        Some(FailureRow {
            kind: "safety",
            property: "Linearizability".to_owned(),
            text: "no order explains what clients saw".to_owned(),
            event: self.world.events(),
            operations,
        })
    }

    /// A scene in which nothing would happen any more goes on with what is done to it; a campaign has an end.
    fn is_over(&self) -> bool {
        let ends = matches!(self.spec.kind, Kind::Campaign { .. });
        self.failure.is_some() || ends && self.ended
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
        self.ended = self.failure.is_none() && self.world.next_at().is_none();
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
            operations: self.operations_in_question(),
        });
    }

    /// The calls that contradict each other; or the one that was told what it should not have been, where nothing else does.
    fn operations_in_question(&self) -> Vec<u64> {
        let contradiction = self.world.contradiction();
        contradiction.unwrap_or_else(|| self.world.broke().into_iter().collect())
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

#[cfg(test)]
mod tests;
