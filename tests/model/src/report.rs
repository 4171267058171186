//! Runs one exploration, and tells what came of it.

use core::fmt;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::law::Situation;
use crate::model::{Exploration, LAWS};
use crate::world::World;

/// What an exploration found.
#[derive(Debug)]
pub struct Report {
    /// What was explored.
    pub bounds: Bounds,
    /// Steps of the longest path taken.
    pub depth: usize,
    /// States reached, over all paths; with a depth, also those one step beyond it.
    pub states: usize,
    /// Different ones among them.
    pub distinct: usize,
    /// How long it took.
    pub seconds: f64,
    /// The law that was broken, and the shortest way there.
    pub violation: Option<String>,
    /// What should have been seen, and was not.
    pub unseen: Vec<Situation>,
    /// How many steps it took to see each expected situation.
    pub seen: Vec<(Situation, usize)>,
}

/// Explores all that `bounds` allow, breadth first.
#[must_use]
pub fn explore(bounds: &Bounds) -> Report {
    let start = Instant::now();
    let mut builder = Exploration::new(bounds.clone())
        .checker()
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = bounds.depth {
        // The checker counts worlds, not steps, and does not look at those of the last layer.
        builder = builder.target_max_depth(depth + 2);
    }
    let checker = builder.spawn_bfs().join();
    let seconds = start.elapsed().as_secs_f64();
    let discoveries = checker.discoveries();
    let violation = discoveries.get(LAWS).cloned();
    let violation = violation.map(|path| tell(&path.into_vec()));
    let steps = |situation: Situation| {
        let path = discoveries.get(situation.name())?.clone();
        Some((situation, path.into_vec().len() - 1))
    };
    Report {
        bounds: bounds.clone(),
        depth: (checker.max_depth() - 1).min(bounds.depth.unwrap_or(usize::MAX)),
        states: checker.state_count(),
        distinct: checker.unique_state_count(),
        seconds,
        violation,
        unseen: bounds
            .expected
            .iter()
            .copied()
            .filter(|situation| steps(*situation).is_none())
            .collect(),
        seen: bounds.expected.iter().copied().filter_map(steps).collect(),
    }
}

impl Report {
    /// Whether every law holds, and all that should be seen was.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violation.is_none() && self.unseen.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.bounds.depth.is_some() {
            ""
        } else {
            " (all)"
        };
        write!(
            f,
            "{:<16} depth {:>3}{end:<6} states {:>10} distinct {:>9} seconds {:>6.1}",
            self.bounds.name, self.depth, self.states, self.distinct, self.seconds
        )?;
        for (situation, steps) in &self.seen {
            write!(f, "\n  after {steps} steps {}", situation.name())?;
        }
        for situation in &self.unseen {
            write!(f, "\n  never seen: {}", situation.name())?;
        }
        if let Some(violation) = &self.violation {
            write!(f, "\n{violation}")?;
        }
        Ok(())
    }
}

/// A path in readable lines: each step, and the node that it happened to.
fn tell(path: &[(World, Option<crate::action::Action>)]) -> String {
    let mut lines = String::new();
    for (number, pair) in path.windows(2).enumerate() {
        if let [(_, Some(action)), (world, _)] = pair {
            lines.push_str(&format!("{:>3}. {action}\n", number + 1));
            if let Some(node) = action.node() {
                lines.push_str(&format!("     {}\n", world.line(node)));
            }
        }
    }
    let end = path.last().and_then(|(world, _)| world.broken());
    if let Some(violation) = end {
        lines.push_str(&format!(
            "broken after {} steps: {violation}",
            path.len() - 1
        ));
    }
    lines
}
