//! The world as the model checker sees it: states, actions, properties.

use std::sync::OnceLock;

use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::Bounds;
use crate::law::Situation;
use crate::world::World;

/// The property that a world without a broken law has.
pub const LAWS: &str = "laws";

/// One exploration.
#[derive(Debug)]
pub struct Exploration {
    bounds: Bounds,
    /// The first state that broke a law, and the first that showed each situation. The search goes
    /// breadth first, so the way there is the shortest; later ones are not told.
    broke: OnceLock<u64>,
    showed: [OnceLock<u64>; Situation::ALL.len()],
}

impl Exploration {
    /// Of all that `bounds` allow.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            broke: OnceLock::new(),
            showed: Default::default(),
        }
    }

    /// The bounds.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn keeps_laws(&self, world: &World) -> bool {
        world.broken().is_none() || *self.broke.get_or_init(|| world.digest()) != world.digest()
    }

    fn is_shown(&self, situation: Situation, world: &World) -> bool {
        let first = &self.showed[situation as usize];
        match first.get() {
            Some(first) => *first == world.digest(),
            None => {
                world.shows(situation) && *first.get_or_init(|| world.digest()) == world.digest()
            }
        }
    }
}

/// A property's condition is a function without surroundings, so there is one for each.
macro_rules! sometimes {
    ($($situation:ident),*) => {
        [$((
            Situation::$situation,
            Property::<Exploration>::sometimes(Situation::$situation.name(), |it, world| {
                it.is_shown(Situation::$situation, world)
            }),
        )),*]
    };
}

impl Model for Exploration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.bounds)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(&self.bounds, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.after(&action, &self.bounds)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let laws = Property::<Self>::always(LAWS, Self::keeps_laws);
        let situations: [_; Situation::ALL.len()] = sometimes![
            Elected,
            CommittedByAll,
            SecondLeaderCommits,
            Installed,
            Changed,
            Answered,
            AnsweredByFollower,
            AnsweredUnderLease,
            AnsweredAfterSecond
        ];
        let expected = situations
            .into_iter()
            .filter(|(situation, _)| self.bounds.expected.contains(situation))
            .map(|(_, property)| property);
        core::iter::once(laws).chain(expected).collect()
    }
}

/// Panics in explorations are findings, told with the way that leads there: nothing is printed when
/// they happen.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if thread
            .name()
            .is_none_or(|name| !name.starts_with("checker"))
        {
            usual(panic);
        }
    }));
}
