//! Which groups a node is to have, as its replica of the controller knows it.

use quorate_raft::NodeId;

use super::Controller;
use crate::config::GroupId;

/// What a node has to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosting {
    /// Groups of the latest configuration that begin here, with the nodes of each.
    pub found: Vec<(GroupId, Vec<NodeId>)>,
    /// Groups of which nobody needs anything any more.
    pub forget: Vec<GroupId>,
}

impl Controller {
    /// What `node` has to change, if it has these groups, ascending, beside the controller.
    ///
    /// A replica of the controller may be behind. What is too old leaves a node with a group too few or
    /// too many, for a while: a group is forgotten only once the controller knows that it is drained,
    /// and that stays so, for ids are not used again. Nor is a group founded again that was forgotten
    /// here, after a restart, provided that what is stored when a group is forgotten shows a commit index
    /// beyond the configuration that it left with. It does: its leader said that it is drained after
    /// that, in an entry behind it.
    #[must_use]
    pub fn hosting(&self, node: NodeId, hosted: &[GroupId]) -> Hosting {
        let Some(state) = &self.state else {
            return Hosting::default();
        };
        let is_hosted = |group: &GroupId| hosted.binary_search(group).is_ok();
        let wanted = state.latest.groups.iter();
        let found = wanted
            .filter(|(group, info)| info.nodes.contains(&node) && !is_hosted(group))
            .map(|(group, info)| (group, info.nodes.clone()));
        let drained = state.drained.iter().map(|(group, _)| *group);
        Hosting {
            found: found.collect(),
            forget: drained.filter(is_hosted).collect(),
        }
    }
}
