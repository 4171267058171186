//! The films of several clusters, which live in one time, as one.

use std::collections::BTreeMap;

use super::board::Board;
use super::rows::{BoardRow, Chunk, EventRow, LinkPicture, LinksRow, OperationRow};
use crate::stage::TOLD;

/// What was told of all of them, and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Reel {
    chunk: Chunk,
    /// Messages so far.
    flights: u64,
    clusters: BTreeMap<u32, Part>,
    board: Option<Board>,
}

/// What is known of one cluster's film.
#[derive(Debug, Default)]
struct Part {
    /// The numbers here of messages, by their numbers there.
    flights: BTreeMap<u64, u64>,
    links: Vec<LinkPicture>,
}

impl Reel {
    /// An event of a cluster.
    pub(crate) fn add(&mut self, cluster: u32, told: Chunk) {
        let part = self.clusters.entry(cluster).or_default();
        for mut flight in told.flights {
            self.flights += 1;
            part.flights.insert(flight.id, self.flights);
            flight.id = self.flights;
            self.chunk.flights.push(flight);
        }
        // What waits at its node is told of once more.
        let waits = |row: &EventRow| row.flight.filter(|_| row.kind == "wait");
        let waiting: Vec<u64> = told.events.iter().filter_map(waits).collect();
        for mut row in told.events {
            row.flight = row.flight.and_then(|id| part.flights.get(&id).copied());
            // Whoever is none of those that are told what to do has no number that says anything.
            if row.client > TOLD {
                row.client = 0;
            }
            self.chunk.events.push(row);
        }
        for mut landing in told.landings {
            let id = if waiting.contains(&landing.flight) {
                part.flights.get(&landing.flight).copied()
            } else {
                part.flights.remove(&landing.flight)
            };
            if let Some(id) = id {
                landing.flight = id;
                self.chunk.landings.push(landing);
            }
        }
        self.chunk.nodes.extend(told.nodes);
        if let Some(last) = told.links.into_iter().last() {
            part.links = last.links;
            let links = self.clusters.values().flat_map(|part| &part.links);
            self.chunk.links.push(LinksRow {
                event: last.event,
                links: links.copied().collect(),
            });
        }
    }

    /// A call began or ended.
    pub(crate) fn tell(&mut self, row: OperationRow) {
        self.chunk.operations.push(row);
    }

    /// What stands beside the nodes after an event.
    pub(crate) fn show(&mut self, event: u64, board: Board) {
        if self.board.as_ref() != Some(&board) {
            self.board = Some(board.clone());
            self.chunk.boards.push(BoardRow { event, board });
        }
    }

    /// All that was told since this was asked last.
    pub(crate) fn take(&mut self) -> Chunk {
        core::mem::take(&mut self.chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::film::rows::{FlightRow, LandingRow};

    fn sent(id: u64) -> FlightRow {
        FlightRow {
            id,
            event: 1,
            from: 1,
            to: 2,
            kind: "heartbeat",
            answer: false,
            refuses: false,
            entries: 0,
            sent_at: 0.0,
            arrives_at: 1.0,
            lost: false,
            term: 1,
            name: "Heartbeat",
            fields: Vec::new(),
        }
    }

    fn told(flights: &[u64], landings: &[u64]) -> Chunk {
        let landed = |flight: &u64| LandingRow {
            flight: *flight,
            event: 2,
            at: 1.0,
            fate: "arrived",
        };
        Chunk {
            flights: flights.iter().copied().map(sent).collect(),
            landings: landings.iter().map(landed).collect(),
            ..Chunk::default()
        }
    }

    #[test]
    fn messages_of_several_clusters_are_counted_through_and_keep_their_ends() {
        let mut reel = Reel::default();
        reel.add(0, told(&[1, 2], &[]));
        reel.add(1, told(&[1], &[]));
        reel.add(0, told(&[3], &[2, 9]));
        reel.add(1, told(&[], &[1, 1]));
        let chunk = reel.take();
        let ids: Vec<u64> = chunk.flights.iter().map(|flight| flight.id).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
        let ends: Vec<u64> = chunk
            .landings
            .iter()
            .map(|landing| landing.flight)
            .collect();
        assert_eq!(ends, [2, 3]);
        assert_eq!(reel.take(), Chunk::default());
    }

    #[test]
    fn faults_on_links_of_all_clusters_are_told_together() {
        let link = |from| LinkPicture {
            from,
            to: from + 1,
            cut: true,
            delay: 0,
            loss: 0.0,
        };
        let faults = |links: Vec<LinkPicture>| Chunk {
            links: vec![LinksRow { event: 1, links }],
            ..Chunk::default()
        };
        let mut reel = Reel::default();
        reel.add(0, faults(vec![link(1)]));
        reel.add(1, faults(vec![link(11)]));
        reel.add(0, faults(Vec::new()));
        let told: Vec<Vec<u64>> = reel
            .take()
            .links
            .into_iter()
            .map(|row| row.links.iter().map(|link| link.from).collect())
            .collect();
        assert_eq!(told, [vec![1], vec![1, 11], vec![11]]);
    }
}
