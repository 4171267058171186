//! A cluster that is watched: what a film is told after each event.

use quorate_raft::{
    ConfState, Entry, EntryId, Index, Instant, NodeId, ProgressMode, Raft, RoleKind,
};
use quorate_rsm::{ClientId, StateMachine};

use super::{Cluster, Delivery, Event, Occurrence};
use crate::checker::Violation;
use crate::describe::describe;
use crate::digest::Digest;
use crate::film::dialect::Dialect;
use crate::film::rows::{
    EntryPicture, EventRow, LinkPicture, LinksRow, LogPicture, NodePicture, NodeRow, PeerPicture,
    TermRun, TimerPicture,
};
use crate::film::{End, Film, millis, why, words};
use crate::network::Address;
use crate::rules::Tampering;
use crate::trace::{self, Line};
use crate::workload::User;

/// A node before an event, and after it.
type Change = (NodeId, NodePicture, NodePicture);

/// So many of a log's entries are told in words.
const ENTRIES_TOLD: u64 = 24;

impl<M: StateMachine + Default> Cluster<M> {
    /// From now on there is a film.
    pub(crate) fn watch(&mut self) {
        self.trace.keep_parts();
        self.film = Some(Box::default());
    }

    /// What comes now is of this event.
    pub(crate) fn at_event(&mut self, event: u64) {
        if let Some(film) = &mut self.film {
            film.event = event;
        }
    }

    /// A message under way is taken out of the network; the frame that it travels in goes with it.
    fn withdraw(&mut self, flight: u64) -> Option<Delivery> {
        let is_it = |event: &&mut Event| match event {
            Event::Deliver(Delivery {
                flights: (first, count),
                ..
            }) => (*first..first + count).contains(&flight),
            _ => false,
        };
        let event = self.queue.events_mut().find(is_it)?;
        match core::mem::replace(event, Event::Gone) {
            Event::Deliver(delivery) => Some(delivery),
            _ => unreachable!("it was found as a delivery"),
        }
    }

    /// A message under way arrives now. `None` if there is none of this number.
    pub(crate) fn hasten(&mut self, flight: u64) -> Result<Option<Occurrence>, Violation> {
        let delivery = self.withdraw(flight);
        delivery.map(|delivery| self.deliver(delivery)).transpose()
    }

    /// A message under way is lost. Whether there is one of this number.
    pub(crate) fn lose_flight(&mut self, flight: u64) -> bool {
        let Some(delivery) = self.withdraw(flight) else {
            return false;
        };
        let (now, from, to) = (self.now(), delivery.from, delivery.to);
        if let Some(place) = delivery.place {
            self.network.arrives(from, to, place);
        }
        let digest = Digest::of(&delivery.frame);
        self.trace.event(now, &to, trace::Event::Lose, digest, || {
            describe(from, &delivery.frame)
        });
        if let Some(film) = &mut self.film {
            film.landed(now, delivery.flights, End::Lost);
        }
        true
    }

    /// The election timer of a node fires now. Whether it has one.
    pub(crate) fn time_out(&mut self, id: NodeId) -> bool {
        let now = self.now();
        let Some(running) = &self.processes[id].running else {
            return false;
        };
        let raft = running.node.raft();
        let (local, deadline) = (running.clock.local(now), raft.next_timeout());
        if raft.is_leader() || deadline == Instant::NEVER {
            return false;
        }
        self.jump_clock(id, deadline.0.saturating_sub(local.0));
        true
    }

    /// An event is over: what it changed is told.
    pub(crate) fn tell(&mut self) {
        let Some(mut film) = self.film.take() else {
            return;
        };
        let lines = self.trace.take_parts();
        if !film.is_full() {
            self.tell_nodes(&mut film, &lines);
            self.tell_links(&mut film);
        }
        film.heard.clear();
        film.told.clear();
        film.taken.clear();
        film.chunk.at = self.now();
        film.chunk.count = film.event;
        self.film = Some(film);
    }

    fn tell_nodes(&self, film: &mut Film, lines: &[Line]) {
        let leader = self
            .leaders()
            .into_iter()
            .max_by_key(|id| self.raft(*id).map(Raft::term));
        let members = leader
            .and_then(|id| self.raft(id))
            .map(|raft| raft.status().conf_state);
        let moved = members.is_some() && members != film.members;
        if moved {
            film.members = members;
        }
        // Faults may touch anybody; other lines name whom they are about.
        let all = moved
            || film.pictures.is_empty()
            || lines.iter().any(|line| {
                let named = line.who != "-" && line.event != trace::Event::Act;
                !named || matches!(line.event, trace::Event::Start | trace::Event::Crash)
            });
        let names: Vec<(String, NodeId)> =
            self.voters.iter().map(|id| (id.to_string(), *id)).collect();
        let mut changes: Vec<Change> = Vec::new();
        for (name, id) in &names {
            let takes = film.taken.iter().any(|(taker, ..)| taker == id);
            if !all && !takes && !lines.iter().any(|line| line.who == *name) {
                continue;
            }
            let after = self.node_picture(*id, film);
            let before = film.pictures.insert(*id, after.clone());
            if before.as_ref() != Some(&after) {
                film.chunk.nodes.push(NodeRow {
                    event: film.event,
                    node: after.clone(),
                });
            }
            changes.push((*id, before.unwrap_or_else(|| after.clone()), after));
        }
        let why_heard = |film: &Film, (id, before, after): &Change| {
            let mut heard = film.heard.iter().filter(|message| message.to == *id);
            heard.find_map(|message| {
                let granted = film.grants(*id, message.from);
                why::heard(message, granted, before, after)
            })
        };
        for (id, flight, text) in core::mem::take(&mut film.taken) {
            let change = changes.iter().find(|(known, ..)| *known == id);
            let why = change.and_then(|change| why_heard(film, change));
            film.chunk.events.push(EventRow {
                event: film.event,
                at: self.now(),
                kind: trace::Event::Deliver.name(),
                node: id.0,
                client: 0,
                flight: Some(flight),
                text,
                why,
            });
        }
        for line in lines {
            let node = names
                .iter()
                .find(|(name, _)| *name == line.who)
                .map(|(_, id)| *id);
            let change = changes.iter().find(|(id, ..)| Some(*id) == node);
            let tells = matches!(line.event, trace::Event::Deliver | trace::Event::Lose);
            let told = if tells { film.told.pop_front() } else { None };
            let waits = told.is_some_and(|(_, waits)| waits);
            let why = change.and_then(|change| match line.event {
                trace::Event::Deliver if waits => None,
                trace::Event::Deliver => why_heard(film, change),
                trace::Event::Role => why::role(&change.1, &change.2),
                trace::Event::Durable => why::committed(&change.1, &change.2),
                trace::Event::Restore => why::restored(&change.2),
                _ => None,
            });
            film.chunk.events.push(EventRow {
                event: film.event,
                at: line.at,
                kind: if waits { "wait" } else { line.event.name() },
                node: node.map_or(0, |id| id.0),
                client: client(&line.who, film),
                flight: told.map(|(flight, _)| flight),
                text: line.text.clone(),
                why,
            });
        }
    }

    fn tell_links(&self, film: &mut Film) {
        let mut links = Vec::new();
        if self.network.has_rules() {
            let now = self.now();
            for &from in &self.voters {
                for &to in self.voters.iter().filter(|to| **to != from) {
                    let cut = self
                        .network
                        .is_cut(now, Address::Node(from), Address::Node(to));
                    let known = film.tampered.links.get(&(from, to));
                    let Tampering {
                        delay,
                        loss_permille,
                        ..
                    } = known.copied().unwrap_or_default();
                    if cut || delay + loss_permille > 0 {
                        links.push(LinkPicture {
                            from: from.0,
                            to: to.0,
                            cut,
                            delay: delay / 1_000,
                            loss: loss_permille as f64 / 1_000.0,
                        });
                    }
                }
            }
        }
        if links != film.links {
            film.links.clone_from(&links);
            film.chunk.links.push(LinksRow {
                event: film.event,
                links,
            });
        }
    }

    fn node_picture(&self, id: NodeId, film: &mut Film) -> NodePicture {
        let process = &self.processes[id];
        let before = film.pictures.get(&id);
        let part = film
            .members
            .as_deref()
            .map_or("voter", |members| part(members, id));
        let Some(running) = &process.running else {
            film.timers.remove(&id);
            return self.resting_picture(id, part, before, &film.dialect);
        };
        let raft = running.node.raft();
        let status = raft.status();
        let role = role(status.role);
        let deadline = match status.role {
            RoleKind::Leader => None,
            _ => running.clock.global(raft.next_timeout()),
        };
        let timer = deadline.map(|to| {
            let timer = film.timers.entry(id).or_insert((to, self.now()));
            // A clock that drifts moves a deadline by a little all the time.
            if timer.0.abs_diff(to) > 1_000 {
                *timer = (to, self.now());
            }
            TimerPicture {
                from: millis(timer.1),
                to: millis(timer.0),
            }
        });
        if timer.is_none() {
            film.timers.remove(&id);
        }
        let wins = |before: &&NodePicture| role == "leader" && before.role == "candidate";
        let same = before
            .filter(|before| before.term == status.term.0 && (before.role == role || wins(before)));
        let mut votes = same.map_or_else(Vec::new, |before| before.votes.clone());
        if status.role != RoleKind::Follower {
            if votes.is_empty() {
                votes.push(id.0);
            }
            for message in film.heard.iter().filter(|message| message.to == id) {
                let row = words::message(message, &film.dialect);
                let asked = match status.role {
                    RoleKind::PreCandidate => "preVote",
                    _ => "vote",
                };
                let counts = row.kind == asked && row.answer && !row.refuses;
                if counts && !votes.contains(&row.from) {
                    votes.push(row.from);
                }
            }
        } else {
            votes.clear();
        }
        NodePicture {
            id: id.0,
            state: match (status.halted, process.frozen, process.paused) {
                (true, ..) => "halted",
                (_, true, _) => "frozen",
                (_, _, true) => "paused",
                _ => "running",
            },
            role,
            part,
            term: status.term.0,
            vote: status.vote.map(|id| id.0),
            leader: status.leader.map(|id| id.0),
            votes,
            timer,
            asleep: status.asleep,
            peers: status
                .peers
                .iter()
                .map(|peer| PeerPicture {
                    id: peer.id.0,
                    matched: peer.matched.0,
                    next: peer.next.0,
                    mode: match peer.mode {
                        ProgressMode::Probe => "probe",
                        ProgressMode::Replicate => "replicate",
                        ProgressMode::Snapshot => "snapshot",
                    },
                })
                .collect(),
            log: log_picture(raft, before, &film.dialect),
        }
    }

    /// A node that does not run: it is what its disk holds, from which it would begin again.
    fn resting_picture(
        &self,
        id: NodeId,
        part: &'static str,
        before: Option<&NodePicture>,
        dialect: &Dialect,
    ) -> NodePicture {
        let process = &self.processes[id];
        let resting = NodePicture {
            id: id.0,
            state: if process.lost { "lost" } else { "down" },
            role: "follower",
            part,
            term: 0,
            vote: None,
            leader: None,
            votes: Vec::new(),
            timer: None,
            asleep: false,
            log: LogPicture::default(),
            peers: Vec::new(),
        };
        if process.disk.is_empty() {
            return resting;
        }
        // While it does not run nothing is written.
        let same = before.filter(|before| matches!(before.state, "down" | "lost"));
        if let Some(NodePicture {
            term, vote, log, ..
        }) = same
        {
            let (term, vote, log) = (*term, *vote, log.clone());
            return NodePicture {
                term,
                vote,
                log,
                ..resting
            };
        }
        let Some(found) = process.durable() else {
            return resting;
        };
        let last = found.entries.last().map_or(found.log_start, |last| last.id);
        let marks = LogPicture {
            start: found.log_start.index.0,
            last: last.index.0,
            persisted: last.index.0,
            commit: found.commit.0,
            applied: found.snapshot.last.index.0,
            snapshot: found.snapshot.last.index.0,
            ..LogPicture::default()
        };
        NodePicture {
            term: found.hard_state.term.0,
            vote: found.hard_state.vote.map(|id| id.0),
            log: entries_told(marks, found.log_start, &found.entries, dialect),
            ..resting
        }
    }
}

fn role(role: RoleKind) -> &'static str {
    match role {
        RoleKind::Follower => "follower",
        RoleKind::PreCandidate => "preCandidate",
        RoleKind::Candidate => "candidate",
        RoleKind::Leader => "leader",
    }
}

fn part(members: &ConfState, id: NodeId) -> &'static str {
    if members.leaving.contains(&id)
        || members.voters_outgoing.contains(&id) && !members.voters.contains(&id)
    {
        "leaving"
    } else if members.joining.contains(&id) {
        "joining"
    } else if members.voters.contains(&id) {
        "voter"
    } else if members.learners.contains(&id) || members.learners_next.contains(&id) {
        "learner"
    } else {
        "none"
    }
}

/// The log of a node that runs. Where it ends as before, only the marks on it moved.
fn log_picture(raft: &Raft, before: Option<&NodePicture>, dialect: &Dialect) -> LogPicture {
    let status = raft.status();
    let marks = LogPicture {
        start: status.log_start.index.0,
        last: status.last.index.0,
        persisted: status.persisted.0,
        commit: status.commit.0,
        applied: status.applied.0,
        snapshot: status.snapshot.index.0,
        ..LogPicture::default()
    };
    let same = before.map(|before| &before.log).filter(|log| {
        let term = log.runs.last().map_or(0, |run| run.term);
        (log.start, log.last, term) == (marks.start, marks.last, status.last.term.0)
    });
    if let Some(log) = same {
        return LogPicture {
            runs: log.runs.clone(),
            entries: log.entries.clone(),
            ..marks
        };
    }
    let entries = raft.entries_from(Index(marks.start + 1));
    entries_told(marks, status.log_start, entries, dialect)
}

/// A log with these marks, and these entries after `start`.
fn entries_told<'a>(
    mut marks: LogPicture,
    start: EntryId,
    entries: impl IntoIterator<Item = &'a Entry>,
    dialect: &Dialect,
) -> LogPicture {
    let mut runs: Vec<TermRun> = Vec::new();
    if marks.start > 0 {
        runs.push(TermRun {
            first: marks.start,
            term: start.term.0,
        });
    }
    let mut told = Vec::new();
    for entry in entries {
        let (index, term) = (entry.id.index.0, entry.id.term.0);
        if runs.last().is_none_or(|run| run.term != term) {
            runs.push(TermRun { first: index, term });
        }
        if index + ENTRIES_TOLD > marks.last {
            let text = words::entry(entry, dialect);
            told.push(EntryPicture { index, term, text });
        }
    }
    (marks.runs, marks.entries) = (runs, told);
    marks
}

/// The number of a client that is named in a line; 0 if none is.
fn client(who: &str, film: &Film) -> u64 {
    let number = who.strip_prefix('c').and_then(|number| number.parse().ok());
    let id = number
        .map(ClientId)
        .filter(|id| (film.dialect.host)(*id).is_none());
    id.map_or(0, |id| client_number(User::number(id), film.told_from))
}

/// Who does what it is told is one of 1 to 9; who calls by itself, one from 11 on.
pub(crate) fn client_number(user: u64, told_from: u64) -> u64 {
    match user.checked_sub(told_from) {
        Some(told) => told + 1,
        None => user + 10,
    }
}
