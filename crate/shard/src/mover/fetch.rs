//! One shard that a group fetches: a mark at the giver, the pieces of the copy that leads to it, each
//! through the taker's log; then the next copy, or the final one.

use quorate_raft::{NodeId, Table};
use quorate_rsm::{Call, ReadAt};

use super::{GroupId, Mover, ShardId, Task};
use crate::protocol::{Command, Query, Reply, Stage};
use crate::store::{Copied, Progress};

/// What is under way. Whatever of it is lost is found again in the group's state.
#[derive(Default)]
pub(super) struct Fetch {
    config: u64,
    /// The giver, and where it is.
    from: GroupId,
    nodes: Vec<NodeId>,
    /// A mark is asked for, with this base.
    asking: Option<Option<u64>>,
    copy: Option<Copying>,
    /// A node did not hold a mark: ask the leader, who does if anyone.
    at_leader: bool,
    /// Nor did the leader: the next copy is a whole one.
    whole: bool,
}

struct Copying {
    mark: u64,
    base: Option<u64>,
    is_final: bool,
    /// The next piece to ask for, to propose, and to hear of from the log.
    next: u32,
    proposed: u32,
    staged: u32,
    /// How many there are, once the last one has come.
    end: Option<u32>,
    /// Pieces that came out of order.
    pieces: Table<u32, Stage>,
    /// Bytes that have come, and how many there are, once that is known.
    bytes: u64,
    total: Option<u64>,
}

impl Copying {
    fn begin(mark: u64, base: Option<u64>, is_final: bool) -> Self {
        let copied = Copied {
            mark,
            base,
            is_final,
            pieces: 0,
            bytes: 0,
        };
        Self::go_on(&copied)
    }

    /// Goes on with what is there.
    fn go_on(copied: &Copied) -> Self {
        Self {
            mark: copied.mark,
            base: copied.base,
            is_final: copied.is_final,
            next: copied.pieces,
            proposed: copied.pieces,
            staged: copied.pieces,
            end: None,
            pieces: Table::default(),
            bytes: copied.bytes,
            total: None,
        }
    }

    /// From where to where.
    fn leads(&self) -> (u64, Option<u64>) {
        (self.mark, self.base)
    }
}

impl Mover {
    /// The next steps of one shard.
    pub(super) fn fetch(
        &mut self,
        group: GroupId,
        shard: ShardId,
        config: u64,
        fetch: &mut Fetch,
        progress: &Progress,
        nodes: &[NodeId],
    ) {
        if fetch.config != config {
            *fetch = Fetch {
                config,
                from: progress.from,
                nodes: nodes.to_vec(),
                ..Fetch::default()
            };
        }
        if fetch.copy.is_none() && fetch.asking.is_none() {
            match progress.copy.filter(|_| !fetch.whole) {
                Some(copied) => fetch.copy = Some(Copying::go_on(&copied)),
                None => return self.ask_mark(group, shard, fetch, progress),
            }
        }
        self.ask_pieces(group, shard, fetch);
    }

    fn ask_mark(&mut self, group: GroupId, shard: ShardId, fetch: &mut Fetch, progress: &Progress) {
        let config = fetch.config;
        let base = progress.base.filter(|_| !fetch.whole);
        let command = if self.is_to_freeze(fetch, progress) {
            Command::Freeze {
                shard,
                config,
                base,
            }
        } else {
            Command::Mark {
                shard,
                config,
                base,
            }
        };
        fetch.asking = Some(base);
        let call = Call::Propose(command.encode());
        self.ask(fetch.from, &fetch.nodes, Task::Mark(group, shard), call);
    }

    /// Whether the next copy is the final one.
    pub(super) fn is_to_freeze(&self, fetch: &Fetch, progress: &Progress) -> bool {
        let is_small = progress.last_bytes <= self.config.small_bytes;
        let is_enough = is_small || progress.copies >= self.config.copies;
        progress.base.is_some() && !fetch.whole && is_enough
    }

    fn ask_pieces(&mut self, group: GroupId, shard: ShardId, fetch: &mut Fetch) {
        let Some(copy) = &mut fetch.copy else {
            return;
        };
        while copy.end.is_none_or(|end| copy.next < end)
            && copy.next < copy.staged + self.config.window
        {
            let number = copy.next;
            copy.next += 1;
            let query = Query::Chunk {
                shard,
                config: fetch.config,
                mark: copy.mark,
                base: copy.base,
                number,
                max_bytes: self.config.chunk_bytes,
            };
            let query = query.encode();
            let call = match fetch.at_leader {
                true => Call::Read(query),
                false => Call::ReadAt {
                    query,
                    at: ReadAt::Local,
                },
            };
            let task = Task::Chunk(group, shard, number, copy.leads());
            self.ask(fetch.from, &fetch.nodes, task, call);
        }
    }

    /// The giver or the own log answered about a shard that is fetched.
    pub(super) fn fetched(&mut self, task: Task, group: GroupId, shard: ShardId, reply: Reply) {
        let Some(led) = self.led.get_mut(group) else {
            return;
        };
        let Some(mut fetch) = led.fetches.remove(shard) else {
            return;
        };
        if !fetch.take(task, shard, reply) {
            led.fetches.insert(shard, fetch);
            return self.failed(task);
        }
        let stages = fetch.ready();
        self.ask_pieces(group, shard, &mut fetch);
        if let Some(led) = self.led.get_mut(group) {
            led.fetches.insert(shard, fetch);
            self.dirty.insert(group, ());
        }
        for stage in stages {
            let leads = (stage.mark, stage.base);
            let task = Task::Stage(group, shard, stage.number, leads);
            self.propose(group, task, &Command::Stage(stage));
        }
    }
}

impl Fetch {
    /// Whether the copy under way, if any, is the final one.
    pub(super) fn is_final(&self) -> Option<bool> {
        self.copy.as_ref().map(|copy| copy.is_final)
    }

    /// Whether this is the copy under way.
    pub(super) fn is_of(&self, copied: &Copied) -> bool {
        let copy = self.copy.as_ref();
        copy.is_some_and(|copy| copy.leads() == (copied.mark, copied.base))
    }

    /// Bytes of it that have come, and how many there are, if that is known.
    pub(super) fn bytes(&self) -> (u64, Option<u64>) {
        let copy = self.copy.as_ref();
        copy.map_or((0, None), |copy| (copy.bytes, copy.total))
    }

    /// Takes an answer; whether it helps.
    fn take(&mut self, task: Task, shard: ShardId, reply: Reply) -> bool {
        match (task, reply) {
            (Task::Mark(..), Reply::Marked { mark, is_final }) => {
                if let Some(base) = self.asking.take() {
                    self.copy = Some(Copying::begin(mark, base, is_final));
                    self.whole = false;
                }
                true
            }
            (
                Task::Chunk(_, _, number, leads),
                Reply::Chunk {
                    done,
                    crc,
                    total,
                    data,
                },
            ) => {
                let Some(copy) = self.copy.as_mut().filter(|copy| copy.leads() == leads) else {
                    return true;
                };
                copy.total = Some(total);
                // Behind the end they are empty.
                let end = number + u32::from(number == 0 || !data.is_empty());
                if done && copy.end.is_none_or(|known| end < known) {
                    copy.end = Some(end);
                }
                let stage = Stage {
                    shard,
                    config: self.config,
                    mark: copy.mark,
                    base: copy.base,
                    is_final: copy.is_final,
                    number,
                    done,
                    crc,
                    data,
                };
                if number >= copy.proposed && copy.end.is_none_or(|end| number < end) {
                    copy.bytes += stage.data.len() as u64;
                    copy.pieces.insert(number, stage);
                }
                true
            }
            (Task::Chunk(.., leads), Reply::MarkLost) => {
                if let Some(copy) = self.copy.take_if(|copy| copy.leads() == leads) {
                    if self.at_leader && copy.is_final {
                        // What is frozen can be had whole from anyone.
                        self.copy = Some(Copying::begin(copy.mark, None, true));
                    } else {
                        self.whole = self.at_leader;
                    }
                    self.at_leader = true;
                }
                true
            }
            (Task::Stage(_, _, number, leads), Reply::Ok) => {
                if let Some(copy) = self.copy.as_mut().filter(|copy| copy.leads() == leads) {
                    copy.staged = copy.staged.max(number + 1);
                    if copy.end.is_some_and(|end| copy.staged >= end) {
                        self.copy = None;
                        self.at_leader = false;
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// A call has no answer, or none that helps. What it was for is begun again, with what is known of
    /// marks; a late call of another copy is not missed.
    pub(super) fn fail(&mut self, task: Task) {
        match task {
            Task::Chunk(.., leads) | Task::Stage(.., leads) => {
                self.copy.take_if(|copy| copy.leads() == leads);
            }
            _ => self.asking = None,
        }
    }

    /// The pieces whose turn it is.
    fn ready(&mut self) -> Vec<Stage> {
        let mut stages = Vec::new();
        if let Some(copy) = &mut self.copy {
            while let Some(stage) = copy.pieces.remove(copy.proposed) {
                copy.proposed += 1;
                stages.push(stage);
            }
        }
        stages
    }
}
