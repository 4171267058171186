//! Which groups a node is to have, as its replica of the controller knows it.

use std::sync::Arc;

use quorate_raft::{ConfState, NodeId};

use super::{Controller, founders};
use crate::config::GroupId;

/// What a node has to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosting {
    /// Groups of the latest configuration that begin here, with the members that each begins with.
    /// Whether the node is one of them, by the storage that it has, is Raft's to tell.
    pub found: Vec<(GroupId, Arc<ConfState>)>,
    /// Groups of which nobody needs anything any more.
    pub forget: Vec<GroupId>,
}

impl Controller {
    /// What `node` has to change, if it has these groups, ascending, beside the controller, and was told
    /// that the store was founded with these: with none if it came later, and then it waits to be
    /// added to groups that began with them.
    ///
    /// A replica of the controller may be behind. What is too old leaves a node with a group too few or
    /// too many, for a while: a group is forgotten only once the controller knows that it is drained,
    /// and that stays so, for ids are not used again. Nor is a group founded again that was forgotten
    /// here, after a restart, provided that what is stored when a group is forgotten shows a commit index
    /// beyond the configuration that it left with. It does: its leader said that it is drained after
    /// that, in an entry behind it.
    #[must_use]
    pub fn hosting(&self, node: NodeId, hosted: &[GroupId], store: &ConfState) -> Hosting {
        let Some(state) = &self.state else {
            return Hosting::default();
        };
        let is_hosted = |group: &GroupId| hosted.binary_search(group).is_ok();
        let wanted = state.latest.groups.iter();
        let found = wanted
            .filter(|(group, info)| info.nodes.contains(&node) && !is_hosted(group))
            .map(|(group, info)| {
                let known = state.founders.iter().find(|(id, _)| *id == group);
                let founders = match known {
                    Some((_, founders)) => founders.clone(),
                    None => Arc::new(founders::among(store, &info.nodes)),
                };
                (group, founders)
            });
        let drained = state.drained.iter().map(|(group, _)| *group);
        Hosting {
            found: found.collect(),
            forget: drained.filter(is_hosted).collect(),
        }
    }
}
