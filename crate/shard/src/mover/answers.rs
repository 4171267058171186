//! What a mover makes of the answers of the controller and of groups, and of calls that have none.

use bytes::Bytes;
use quorate_raft::Table;

use super::task::Task;
use super::{KNOWN_MAX, Mover};
use crate::config::{Configuration, GroupId, ShardId};
use crate::controller::{ControllerError, ControllerQuery, ControllerReply};
use crate::protocol::{Command, Reply};

impl Mover {
    pub(super) fn done(&mut self, task: Task, reply: &Bytes) {
        match task {
            Task::Watch
            | Task::Configuration(_)
            | Task::Status(_)
            | Task::Report(..)
            | Task::Drained(..) => match ControllerReply::decode(reply) {
                Ok(reply) => self.controller_answered(task, reply),
                Err(_) => self.failed(task),
            },
            _ => match Reply::decode(reply) {
                Ok(reply) => self.group_answered(task, reply),
                Err(_) => self.failed(task),
            },
        }
    }

    fn controller_answered(&mut self, task: Task, reply: ControllerReply) {
        match (task, reply) {
            (
                Task::Watch,
                ControllerReply::Configuration {
                    configuration,
                    latest,
                },
            ) => {
                self.is_watching = false;
                self.know(configuration, latest);
                if !self.led.is_empty() {
                    self.watch();
                }
            }
            (Task::Watch, ControllerReply::Unchanged { .. }) => {
                self.is_watching = false;
                if !self.led.is_empty() {
                    self.watch();
                }
            }
            (Task::Watch, ControllerReply::Failed(ControllerError::ConfigCompacted { oldest })) => {
                self.is_watching = false;
                self.compacted = oldest.saturating_sub(1);
                self.known = Table::default();
                self.watch();
            }
            (Task::Configuration(group), ControllerReply::Configuration { configuration, .. }) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.is_fetching = false;
                    led.next = Some(configuration);
                    self.dirty.insert(group, ());
                }
            }
            (
                Task::Configuration(group),
                ControllerReply::Failed(ControllerError::ConfigCompacted { .. }),
            ) => self.ask_controller(Task::Status(group), &ControllerQuery::Status),
            (Task::Status(group), ControllerReply::Status(status)) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.is_fetching = false;
                    // A group that is in no configuration has nothing to go through.
                    let known = status.groups.get(group).map(|it| it.progress);
                    led.skip = Some(known.unwrap_or(status.number));
                    self.dirty.insert(group, ());
                }
            }
            (Task::Report(group, number), ControllerReply::Progress { .. }) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.is_reporting = false;
                    led.reported = led.reported.max(number);
                    self.dirty.insert(group, ());
                }
            }
            // A group that never joined, or has left for good: nobody waits for it.
            (
                Task::Report(group, number),
                ControllerReply::Failed(ControllerError::UnknownGroup { .. }),
            ) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.is_reporting = false;
                    led.reported = led.reported.max(number);
                }
            }
            (Task::Drained(group, shard, config, to), ControllerReply::Status(status))
                if !status.groups.has(to) =>
            {
                self.delete(group, shard, config);
            }
            _ => self.failed(task),
        }
    }

    /// Lets go of a shard that has arrived where it went.
    fn delete(&mut self, group: GroupId, shard: ShardId, config: u64) {
        if self.led.has(group) {
            let delete = Command::Delete { shard, config };
            self.propose(group, Task::Delete(group, shard), &delete);
        }
    }

    /// Keeps the newest configurations, and has all groups looked at when there is a new one.
    fn know(&mut self, configuration: Configuration, latest: u64) {
        self.known.insert(configuration.number, configuration);
        while self.known.len() > KNOWN_MAX {
            self.known.pop_first();
        }
        if latest > self.latest {
            self.latest = latest;
            for group in self.led.keys().collect::<Vec<_>>() {
                self.dirty.insert(group, ());
            }
        }
    }

    fn group_answered(&mut self, task: Task, reply: Reply) {
        match (task, reply) {
            (Task::Arrived(group, shard, config, _), Reply::Ok) => {
                self.delete(group, shard, config);
            }
            (Task::Tell(group), Reply::Ok) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.is_told = false;
                    self.dirty.insert(group, ());
                }
            }
            (Task::Delete(group, shard), Reply::Ok | Reply::Gone) => {
                if let Some(led) = self.led.get_mut(group) {
                    led.leaving.remove(shard);
                    self.dirty.insert(group, ());
                }
            }
            (Task::Mark(group, shard), reply) => self.fetched(task, group, shard, reply),
            (Task::Chunk(group, shard, ..) | Task::Stage(group, shard, ..), reply) => {
                self.fetched(task, group, shard, reply);
            }
            _ => self.failed(task),
        }
    }

    /// A call has no answer, or one that does not help: its step is taken again after a pause, if the
    /// state still asks for it.
    pub(super) fn failed(&mut self, task: Task) {
        let Some(group) = task.group() else {
            self.is_watching = false;
            for group in self.led.keys().collect::<Vec<_>>() {
                self.pause(group);
            }
            return;
        };
        let Some(led) = self.led.get_mut(group) else {
            return;
        };
        match task {
            Task::Watch => {}
            Task::Configuration(_) | Task::Status(_) => led.is_fetching = false,
            Task::Report(..) => led.is_reporting = false,
            Task::Tell(_) => led.is_told = false,
            Task::Mark(_, shard) | Task::Chunk(_, shard, ..) | Task::Stage(_, shard, ..) => {
                if let Some(fetch) = led.fetches.get_mut(shard) {
                    fetch.fail(task);
                }
            }
            // Nobody may be left to say so: a group that is drained is forgotten.
            Task::Arrived(_, shard, config, to) => {
                let task = Task::Drained(group, shard, config, to);
                return self.ask_controller(task, &ControllerQuery::Status);
            }
            Task::Drained(_, shard, ..) | Task::Delete(_, shard) => {
                led.leaving.remove(shard);
            }
        }
        self.pause(group);
    }

    fn pause(&mut self, group: GroupId) {
        let until = self.now.after(self.config.pause);
        self.paused.insert((until, group), ());
    }
}
