//! The world as the model checker sees it: states, actions, properties.

use std::sync::OnceLock;

use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::Bounds;
use crate::law::{Law, Situation};
use crate::world::World;

/// One exploration.
#[derive(Debug)]
pub struct Exploration {
    bounds: Bounds,
    /// The first state that broke each law, and the first that showed each situation. The search
    /// goes breadth first, so the way there is the shortest; later ones are not told.
    broke: [OnceLock<u64>; Law::ALL.len()],
    showed: [OnceLock<u64>; Situation::ALL.len()],
}

impl Exploration {
    /// Of all that `bounds` allow.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            broke: Default::default(),
            showed: Default::default(),
        }
    }

    /// The bounds.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn is_kept(&self, law: Law, world: &World) -> bool {
        let broke = world.broken().is_some_and(|seen| seen.law == law);
        !broke || *self.broke[law as usize].get_or_init(|| world.digest()) != world.digest()
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
macro_rules! always {
    ($($law:ident),*) => {
        [$(Property::<Exploration>::always(Law::$law.name(), |it, world| {
            it.is_kept(Law::$law, world)
        })),*]
    };
}

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
        let laws: [_; Law::ALL.len()] = always![
            ElectionSafety,
            OneVote,
            LogMatching,
            LeaderCompleteness,
            StateMachineSafety,
            DurableOnQuorum,
            AcknowledgedKept,
            PromisesDurable,
            OwnTermCommits,
            NothingTakenBack,
            NoPanic
        ];
        let situations: [_; Situation::ALL.len()] = sometimes![
            Elected,
            CommittedByAll,
            SecondLeaderCommits,
            Installed,
            Changed
        ];
        let expected = situations
            .into_iter()
            .filter(|(situation, _)| self.bounds.expected.contains(situation))
            .map(|(_, property)| property);
        laws.into_iter().chain(expected).collect()
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
