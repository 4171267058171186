//! What must come true once the faults have stopped: one leader, everything answered, everything
//! applied everywhere, and then quiet.

use core::time::Duration;

use quorate_raft::{NodeId, RoleKind, Status};

use crate::describe::names;

/// How long a fair world may take, from its last fault to the point where every client has had an
/// answer and every node the same state: time for an attempt and a backoff of a client, for twenty
/// elections, and for each of `backlog` entries to travel alone.
#[must_use]
pub fn bound(election_timeout: Duration, backlog: u64) -> Duration {
    let travels = Duration::from_millis(5 * backlog);
    Duration::from_secs(5) + election_timeout * 20 + travels
}

/// How much longer it may take where leases live for `longest_ms` and watches wait for
/// `park_timeout`: each lease must end, each watch be told that nothing else comes, and clocks that
/// count it may be slow.
#[must_use]
pub fn store_bound(longest_ms: u64, park_timeout: Duration) -> Duration {
    let longest = Duration::from_millis(longest_ms) + park_timeout;
    longest + longest / 4
}

/// Entries that some node has and some other has not applied.
#[must_use]
pub fn backlog(nodes: &[Option<Status>]) -> u64 {
    let nodes = nodes.iter().flatten();
    let last = nodes.clone().map(|status| status.last.index).max();
    let applied = nodes.map(|status| status.applied).min();
    last.zip(applied)
        .map_or(0, |(last, applied)| last - applied)
}

/// How long it must then stay as it is.
#[must_use]
pub fn quiet(election_timeout: Duration) -> Duration {
    election_timeout * 5
}

/// How long it may take until all sleep, where they do when idle for `patience`: clocks may be slow, and
/// a word that comes late wakes them once or twice.
#[must_use]
pub fn asleep(patience: Duration, election_timeout: Duration) -> Duration {
    patience * 4 + election_timeout * 10
}

/// What still differs between the nodes, in words; `None` if they agree.
#[must_use]
pub fn disagreement(nodes: &[Option<Status>]) -> Option<String> {
    let mut running = Vec::new();
    for status in nodes {
        match status {
            Some(status) => running.push(status),
            None => return Some("a node does not run".to_owned()),
        }
    }
    let leaders: Vec<NodeId> = running
        .iter()
        .filter(|s| s.role == RoleKind::Leader)
        .map(|s| s.id)
        .collect();
    let [leader] = leaders[..] else {
        return Some(format!("{} leads, and one should", names(&leaders)));
    };
    let first = running.first()?;
    for status in &running {
        if status.leader != Some(leader) || status.term != first.term {
            let known: Vec<NodeId> = status.leader.into_iter().collect();
            let (id, term) = (status.id, status.term);
            return Some(format!("{id} follows {} in {term}", names(&known)));
        }
        if status.last != first.last {
            return Some(format!(
                "{} ends with {}, {} with {}",
                first.id, first.last, status.id, status.last
            ));
        }
        if status.commit != status.last.index || status.applied != status.commit {
            return Some(format!(
                "{}: last {} commit {} applied {}",
                status.id, status.last, status.commit, status.applied
            ));
        }
        if status.persisted != status.last.index {
            return Some(format!(
                "{}: last {}, durable up to {}",
                status.id, status.last, status.persisted
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use quorate_raft::{ConfState, Config, EntryId, Index, Instant, Raft, Restored, Term};

    use super::*;

    fn pair() -> Vec<Option<Status>> {
        let conf_state = ConfState::new([NodeId(1), NodeId(2)]);
        let restored = Restored::fresh(conf_state);
        let status = |id| {
            let raft = Raft::new(Config::new(NodeId(id)), restored.clone(), Instant(0), id);
            let mut status = raft.unwrap().status();
            (status.term, status.leader) = (Term(3), Some(NodeId(1)));
            status.last = EntryId::new(Term(3), Index(5));
            (status.commit, status.applied, status.persisted) = (Index(5), Index(5), Index(5));
            status
        };
        let mut leader = status(1);
        leader.role = RoleKind::Leader;
        vec![Some(leader), Some(status(2))]
    }

    #[test]
    fn backlog_is_what_the_last_has_not_applied() {
        let mut nodes = pair();
        assert_eq!(backlog(&nodes), 0);
        nodes[1].as_mut().unwrap().applied = Index(2);
        assert_eq!(backlog(&nodes), 3);
        assert_eq!(backlog(&[None, None]), 0);
    }

    #[test]
    fn every_difference_between_nodes_is_found() {
        assert_eq!(disagreement(&pair()), None);
        let broken: [fn(&mut Status); 8] = [
            |s| s.persisted = Index(4),
            |s| s.role = RoleKind::Leader,
            |s| s.leader = None,
            |s| s.term = Term(2),
            |s| s.last = EntryId::new(Term(2), Index(5)),
            |s| s.commit = Index(4),
            |s| s.applied = Index(4),
            |s| s.last.index = Index(6),
        ];
        for (number, change) in broken.into_iter().enumerate() {
            let mut nodes = pair();
            change(nodes[1].as_mut().unwrap());
            assert!(disagreement(&nodes).is_some(), "change {number}");
        }
        assert!(disagreement(&[pair()[0].clone(), None]).is_some());
        assert!(disagreement(&[pair()[1].clone(), pair()[1].clone()]).is_some());
    }
}
