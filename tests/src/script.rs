//! Conversations with nodes, as text that a reviewer can read: a script is a list of commands, each
//! followed by what it made the nodes do. No clients, no machine, no chance: Raft alone.
//!
//! ```text
//! timeout n1
//! ----
//! n1 becomes PreCandidate in t0
//! n1 → n2 t1 PreVote last t0/0
//! ```
//! Commands: `cluster N`; `restore nX term T [vote nY] log 1,1,2` (terms of the entries);
//! `timeout nX`; `propose nX text`; `read nX number`; `deliver` (everything, until nothing is under
//! way), `deliver nX nY` (what is under way from one to the other), `drop nX nY`; `cut nX`, `heal`;
//! `writes held`, `writes flow`, `write nX` (the write under way is done); `crash nX`, `start nX`;
//! `snapshot nX index`; `pass MS`; `append nX nY tT prev T/I commit I [entries T,T]` (a message made
//! by hand); `vote nX nY tT last T/I`; `status`; `log`; `new nX` (a node that knows of no cluster);
//! `change nX add nY remove nZ` (or `demote`, `promote`), `transfer nX nY`, `members`; `quiet MS` (nodes that start
//! from now on sleep when idle for so long), `gone nX nY` (a host says that a peer is). Lines with `#` are comments.

use core::fmt::Write;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_raft::{
    Body, Change, ConfState, Config, Entry, EntryId, HardState, Index, Input, Instant, Message,
    NodeId, Output, Payload, PersistBatch, Raft, Restored, SnapshotChunk, StorageId, Term,
};
use quorate_sim::describe;

/// What separates a command from what it did.
const RULE: &str = "----";

/// Runs a script; the same script with what really happened.
///
/// # Panics
/// If a command makes no sense.
#[must_use]
pub fn run(script: &str) -> String {
    let mut play = Play::default();
    let mut text = String::new();
    for block in script.split("\n\n") {
        let mut commands = Vec::new();
        for line in block.lines().take_while(|line| *line != RULE) {
            writeln!(text, "{line}").expect("writing to a string never fails");
            if !line.starts_with('#') && !line.is_empty() {
                commands.push(line);
            }
        }
        if commands.is_empty() {
            text.push('\n');
            continue;
        }
        for command in commands {
            let words: Vec<&str> = command.split_whitespace().collect();
            play.perform(&words);
        }
        writeln!(text, "{RULE}\n{}", core::mem::take(&mut play.said)).expect("never fails");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// A node, and its disk.
struct Member {
    raft: Option<Raft>,
    stored: Restored,
    writing: Option<PersistBatch>,
}

#[derive(Default)]
struct Play {
    members: BTreeMap<NodeId, Member>,
    /// Messages under way, oldest first.
    messages: Vec<Message>,
    cut: BTreeSet<NodeId>,
    hold_writes: bool,
    quiet: Option<Duration>,
    now: Instant,
    said: String,
}

impl Play {
    fn perform(&mut self, words: &[&str]) {
        match *words {
            ["cluster", count] => self.cluster(number(count)),
            ["restore", id, "term", term, "log", terms] => {
                self.restore(node(id), number(term), None, terms);
            }
            ["restore", id, "term", term, "vote", vote, "log", terms] => {
                self.restore(node(id), number(term), Some(node(vote)), terms);
            }
            ["timeout", id] => self.timeout(node(id)),
            ["propose", id, text] => self.propose(node(id), text),
            ["read", id, ctx] => {
                let now = self.now;
                let result = self.raft(node(id)).read_index(now, number(ctx));
                self.say(&format!("read: {result:?}"));
                self.drain(node(id));
            }
            ["deliver"] => self.deliver_all(),
            ["deliver", from, to] => self.deliver(node(from), node(to)),
            ["drop", from, to] => {
                let (from, to) = (node(from), node(to));
                self.messages
                    .retain(|message| (message.from, message.to) != (from, to));
            }
            ["cut", id] => {
                self.cut.insert(node(id));
            }
            ["heal"] => self.cut.clear(),
            ["writes", "held"] => self.hold_writes = true,
            ["writes", "flow"] => {
                self.hold_writes = false;
                for id in self.members.keys().copied().collect::<Vec<_>>() {
                    self.write(id);
                }
            }
            ["write", id] => self.write(node(id)),
            ["crash", id] => {
                let member = self
                    .members
                    .get_mut(&node(id))
                    .expect("a node of the cluster");
                (member.raft, member.writing) = (None, None);
            }
            ["start", id] => self.start(node(id)),
            ["snapshot", id, index] => self.snapshot(node(id), Index(number(index))),
            ["pass", ms] => self.now = Instant(self.now.0 + number(ms) * 1_000),
            ["append", from, to, term, "prev", prev, "commit", commit] => {
                self.append(from, to, term, prev, commit, "");
            }
            [
                "append",
                from,
                to,
                term,
                "prev",
                prev,
                "commit",
                commit,
                "entries",
                terms,
            ] => {
                self.append(from, to, term, prev, commit, terms);
            }
            ["vote", from, to, term, "last", last] => {
                let body = Body::RequestVote {
                    last: entry_id(last),
                    transfer: false,
                };
                self.forge(from, to, term, body);
            }
            ["new", id] => self.enlist(node(id), ConfState::default()),
            ["change", id, ref changes @ ..] => self.change(node(id), changes),
            ["transfer", from, to] => {
                let now = self.now;
                let result = self.raft(node(from)).transfer_leadership(now, node(to));
                self.say(&format!("transfer: {result:?}"));
                self.drain(node(from));
            }
            ["members"] => self.members(),
            ["quiet", ms] => self.quiet = Some(Duration::from_millis(number(ms))),
            ["gone", id, peer] => self.input(node(id), Input::Unreachable { peer: node(peer) }),
            ["status"] => self.status(),
            ["log"] => self.log(),
            _ => panic!("no such command: {words:?}"),
        }
    }

    fn cluster(&mut self, count: u64) {
        *self = Self {
            said: core::mem::take(&mut self.said),
            now: self.now,
            quiet: self.quiet,
            ..Self::default()
        };
        let voters = ConfState::new((1..=count).map(NodeId));
        for id in (1..=count).map(NodeId) {
            self.enlist(id, voters.clone());
        }
    }

    fn enlist(&mut self, id: NodeId, conf_state: ConfState) {
        let member = Member {
            raft: None,
            stored: Restored::fresh(conf_state),
            writing: None,
        };
        self.members.insert(id, member);
        self.start(id);
    }

    fn change(&mut self, id: NodeId, words: &[&str]) {
        let change = |pair: &[&str]| {
            let (what, id, storage) = (pair[0], node(pair[1]), StorageId(0));
            match what {
                "add" => Change::AddVoter { id, storage },
                "remove" => Change::Remove { id },
                "demote" => Change::Demote { id },
                "promote" => Change::Promote { id },
                _ => panic!("no such change: {what}"),
            }
        };
        let changes: Vec<Change> = words.chunks(2).map(change).collect();
        let now = self.now;
        match self.raft(id).propose_membership(now, &changes) {
            Ok(entry) => self.say(&format!("{id} appends {entry} {}", words.join(" "))),
            Err(error) => self.say(&format!("{id} refuses: {error:?}")),
        }
        self.drain(id);
    }

    /// The membership in force on each node.
    fn members(&mut self) {
        let mut lines = Vec::new();
        for (id, member) in &self.members {
            let Some(raft) = &member.raft else { continue };
            lines.push(format!("{id}: {}", describe::membership(raft.conf_state())));
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn restore(&mut self, id: NodeId, term: u64, vote: Option<NodeId>, terms: &str) {
        let member = self.members.get_mut(&id).expect("a node of the cluster");
        member.stored.hard_state = HardState {
            term: Term(term),
            vote,
        };
        member.stored.entries = entries(EntryId::ZERO, terms);
        self.start(id);
    }

    fn start(&mut self, id: NodeId) {
        let now = self.now;
        let member = self.members.get_mut(&id).expect("a node of the cluster");
        let restored = member.stored.clone();
        let config = Config {
            quiesce_after: self.quiet,
            ..Config::new(id)
        };
        let raft = Raft::new(config, restored, now, id.0);
        member.raft = Some(raft.expect("what was stored can be read"));
        self.drain(id);
    }

    fn raft(&mut self, id: NodeId) -> &mut Raft {
        let member = self.members.get_mut(&id).expect("a node of the cluster");
        member.raft.as_mut().expect("the node runs")
    }

    fn input(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        if let Err(error) = self.raft(id).handle(now, input) {
            self.say(&format!("{id} refuses: {error:?}"));
        }
        self.drain(id);
    }

    fn timeout(&mut self, id: NodeId) {
        let due = self.raft(id).next_timeout();
        self.now = self.now.max(due);
        self.input(id, Input::TimerFired);
    }

    fn propose(&mut self, id: NodeId, text: &str) {
        let (now, data) = (self.now, Bytes::copy_from_slice(text.as_bytes()));
        match self.raft(id).propose(now, data) {
            Ok(entry) => self.say(&format!("{id} appends {entry} {text}")),
            Err(error) => self.say(&format!("{id} refuses: {error:?}")),
        }
        self.drain(id);
    }

    /// The machine's state as of `index` is the index in words, in one chunk.
    fn snapshot(&mut self, id: NodeId, index: Index) {
        let chunk = SnapshotChunk {
            snapshot: index,
            number: 0,
            data: state(index),
        };
        self.input(id, Input::SnapshotChunk(chunk));
        self.input(
            id,
            Input::SnapshotReady {
                index,
                chunks: 1,
                compact_to: index,
            },
        );
    }

    fn append(&mut self, from: &str, to: &str, term: &str, prev: &str, commit: &str, terms: &str) {
        let prev = entry_id(prev);
        let (commit, entries) = (Index(number(commit)), entries(prev, terms));
        self.forge(
            from,
            to,
            term,
            Body::AppendEntries {
                prev,
                commit,
                entries,
            },
        );
    }

    fn forge(&mut self, from: &str, to: &str, term: &str, body: Body) {
        let (from, to, term) = (node(from), node(to), Term(number(term)));
        self.input(
            to,
            Input::Message(Message {
                from,
                to,
                storage: StorageId(0),
                term,
                body,
            }),
        );
    }

    fn deliver_all(&mut self) {
        for _ in 0..1_000 {
            if self.messages.is_empty() {
                return;
            }
            let message = self.messages.remove(0);
            self.hand_over(message);
        }
        panic!("the conversation does not end");
    }

    fn deliver(&mut self, from: NodeId, to: NodeId) {
        let (due, rest) = core::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| (message.from, message.to) == (from, to));
        self.messages = rest;
        let due: Vec<Message> = due;
        due.into_iter().for_each(|message| self.hand_over(message));
    }

    fn hand_over(&mut self, message: Message) {
        let runs = self
            .members
            .get(&message.to)
            .is_some_and(|member| member.raft.is_some());
        if runs && !self.cut.contains(&message.from) && !self.cut.contains(&message.to) {
            self.input(message.to, Input::Message(message));
        }
    }

    /// The write under way is done.
    fn write(&mut self, id: NodeId) {
        let member = self.members.get_mut(&id).expect("a node of the cluster");
        if let Some(batch) = member.writing.take() {
            store(&mut member.stored, &batch);
            self.input(id, Input::Persisted { seq: batch.seq });
        }
    }

    fn drain(&mut self, id: NodeId) {
        while let Some(output) = self.raft(id).poll_output() {
            self.output(id, output);
        }
        if !self.hold_writes && self.members[&id].writing.is_some() {
            self.write(id);
        }
    }

    fn output(&mut self, id: NodeId, output: Output) {
        match output {
            Output::Persist(batch) => {
                if self.hold_writes {
                    self.say(&format!("{id} writes {}", describe_batch(&batch)));
                }
                self.members.get_mut(&id).expect("known").writing = Some(batch);
            }
            Output::Send(message) => {
                let (to, term, body) = (message.to, message.term, describe::body(&message.body));
                self.say(&format!("{id} → {to} {term} {body}"));
                self.messages.push(message);
            }
            Output::Apply { first, last } => {
                let name = |entry: &Entry| match &entry.payload {
                    Payload::Membership(conf) => {
                        format!("{} ({})", entry.id, describe::membership(conf))
                    }
                    Payload::Noop | Payload::Command(_) => entry.id.to_string(),
                };
                let raft = self.raft(id);
                let names: Vec<String> = (first.0..=last.0)
                    .filter_map(|index| raft.entry(Index(index)).map(name))
                    .collect();
                self.say(&format!("{id} applies {}", names.join(" ")));
            }
            Output::RoleChanged { role, term, leader } => {
                let leader = leader.map_or(String::new(), |leader| format!(", leader {leader}"));
                self.say(&format!("{id} becomes {role:?} in {term}{leader}"));
            }
            Output::SendSnapshot {
                to,
                snapshot,
                number,
            } => {
                let data = state(snapshot);
                let input = Input::SnapshotData {
                    to,
                    snapshot,
                    number,
                    done: true,
                    data,
                };
                self.input(id, input);
            }
            Output::ReceiveSnapshot(chunk) => {
                self.say(&format!(
                    "{id} receives chunk {} of {}",
                    chunk.number, chunk.snapshot
                ));
            }
            Output::Restore(meta) => self.say(&format!("{id} restores {}", meta.last)),
            Output::Digest { from, digest } => self.say(&format!("{id} has {digest:?} of {from}")),
            Output::ReadReady { ctx, index } => {
                self.say(&format!("{id} answers read {ctx} at {index}"));
            }
        }
    }

    fn status(&mut self) {
        let mut lines = Vec::new();
        for (id, member) in &self.members {
            let Some(raft) = &member.raft else {
                lines.push(format!("{id} is down"));
                continue;
            };
            let status = raft.status();
            lines.push(format!(
                "{id} {:?} in {}, last {}, commit {}, applied {}{}",
                status.role,
                status.term,
                status.last,
                status.commit,
                status.applied,
                if status.asleep { ", asleep" } else { "" }
            ));
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn log(&mut self) {
        let mut lines = Vec::new();
        for (id, member) in &self.members {
            let Some(raft) = &member.raft else { continue };
            let terms: Vec<String> = raft
                .entries_from(Index(0))
                .map(|entry| entry.id.term.0.to_string())
                .collect();
            lines.push(format!(
                "{id} after {}: {}",
                raft.log_start(),
                terms.join(" ")
            ));
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn say(&mut self, line: &str) {
        writeln!(self.said, "{}", line.trim_end()).expect("writing to a string never fails");
    }
}

/// What the disk holds after `batch`.
fn store(stored: &mut Restored, batch: &PersistBatch) {
    if let Some(hard_state) = batch.hard_state {
        stored.hard_state = hard_state;
    }
    stored.commit = batch.commit;
    if let Some(manifest) = &batch.snapshot {
        stored.snapshot = manifest.meta.clone();
        stored.log_start = manifest.log_start;
        let keeps =
            |entry: &Entry| !manifest.clear_log && entry.id.index > manifest.log_start.index;
        stored.entries.retain(keeps);
    }
    if let Some(first) = batch.entries.first() {
        stored
            .entries
            .retain(|entry| entry.id.index < first.id.index);
        stored.entries.extend(batch.entries.iter().cloned());
    }
}

fn describe_batch(batch: &PersistBatch) -> String {
    let mut parts = Vec::new();
    if let Some(HardState { term, vote }) = batch.hard_state {
        parts.push(vote.map_or(term.to_string(), |vote| format!("{term} vote {vote}")));
    }
    parts.extend(batch.entries.iter().map(|entry| entry.id.to_string()));
    parts.extend(
        batch
            .chunks
            .iter()
            .map(|chunk| format!("chunk {} of {}", chunk.number, chunk.snapshot)),
    );
    parts.extend(
        batch
            .snapshot
            .iter()
            .map(|manifest| format!("snapshot {}", manifest.meta.last)),
    );
    parts.join(", ")
}

fn state(index: Index) -> Bytes {
    Bytes::from(format!("the state as of {index}"))
}

/// Entries of these terms, after `prev`.
fn entries(prev: EntryId, terms: &str) -> Vec<Entry> {
    let terms = terms
        .split(',')
        .filter(|term| !term.is_empty() && *term != "-");
    terms
        .zip(prev.index.0 + 1..)
        .map(|(term, index)| Entry {
            id: EntryId::new(Term(number(term)), Index(index)),
            payload: Payload::Command(Bytes::from(format!("{term}/{index}"))),
        })
        .collect()
}

fn entry_id(text: &str) -> EntryId {
    let (term, index) = text.split_once('/').expect("an entry is term/index");
    EntryId::new(Term(number(term)), Index(number(index)))
}

fn node(text: &str) -> NodeId {
    NodeId(number(
        text.strip_prefix('n').expect("a node is n and a number"),
    ))
}

fn number(text: &str) -> u64 {
    let digits = text.strip_prefix('t').unwrap_or(text);
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{text:?} is no number"))
}
