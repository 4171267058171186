//! The state as a stream of bytes, cut into chunks, and back: a format, the members, the state, and a
//! checksum.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::ConfState;
use quorate_rsm::wire::{Reader, Writer, read_conf, write_conf};
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot};

use super::command::{take_flag, take_group};
use super::history::History;
use super::reply::{put_drained, put_groups, take_drained, take_groups};
use super::{Controller, DRAINED_MAX, GroupStatus, HISTORY_BYTES_MAX, State, founders};
use crate::config::{Configuration, GROUPS_MAX, GroupId};
use crate::key::fnv1a;

const FORMAT: u8 = 2;

/// More than any state takes: the history, and beside it 4,096 shards of 5 bytes, 1,024 groups of 280
/// with founders of 370, and as many that are drained.
const BYTES_MAX: usize = HISTORY_BYTES_MAX + (1 << 20);

/// The controller as of one index.
#[derive(Debug)]
pub struct ControllerSnapshot {
    controller: Controller,
    /// Written with the first chunk.
    encoded: Option<Bytes>,
}

impl ControllerSnapshot {
    pub(super) fn new(controller: Controller) -> Self {
        Self {
            controller,
            encoded: None,
        }
    }
}

impl MachineSnapshot for ControllerSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let controller = &self.controller;
        let encoded = self.encoded.get_or_insert_with(|| encode(controller));
        let start = max_bytes
            .max(1)
            .saturating_mul(number as usize)
            .min(encoded.len());
        let end = start.saturating_add(max_bytes.max(1)).min(encoded.len());
        (encoded.slice(start..end), end == encoded.len())
    }

    fn format(&self) -> u32 {
        FORMAT.into()
    }
}

/// A controller in the making.
#[derive(Debug, Default)]
pub struct ControllerRestore(Vec<u8>);

impl MachineRestore for ControllerRestore {
    type Machine = Controller;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        if self.0.len() + data.len() > BYTES_MAX {
            return Err(BadSnapshot("the controller is larger than one can be"));
        }
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Controller, BadSnapshot> {
        let Some((bytes, sum)) = self.0.split_last_chunk() else {
            return Err(BadSnapshot("the controller is cut short"));
        };
        if fnv1a(bytes) != u64::from_le_bytes(*sum) {
            return Err(BadSnapshot("the controller's checksum differs"));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        let mut reader = Reader::new(&bytes);
        if reader.byte() != FORMAT {
            reader.refuse("the controller has another format");
        }
        let members = take_flag(&mut reader).then(|| Arc::new(read_conf(&mut reader)));
        if members.as_ref().is_some_and(|it| it.voters.is_empty()) {
            reader.refuse("the controller's group has no members");
        }
        let state = take_flag(&mut reader).then(|| decode(&mut reader));
        reader.end().map_err(|why| BadSnapshot(why.0))?;
        Ok(Controller {
            members,
            state: state.map(Arc::new),
        })
    }
}

fn encode(controller: &Controller) -> Bytes {
    let Controller { members, state } = controller;
    let mut writer = Writer::new();
    writer.byte(FORMAT);
    writer.byte(members.is_some().into());
    if let Some(members) = members {
        write_conf(&mut writer, members);
    }
    writer.byte(state.is_some().into());
    if let Some(state) = state {
        state.latest.encode(&mut writer);
        state.history.encode(&mut writer);
        put_groups(&mut writer, &state.groups);
        writer.number(state.founders.len() as u64);
        for (id, founders) in &state.founders {
            writer.number(id.0.into());
            write_conf(&mut writer, founders);
        }
        put_drained(&mut writer, state.drained.iter());
    }
    let mut bytes = writer.finish();
    let sum = fnv1a(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.into()
}

fn decode(reader: &mut Reader<'_>) -> State {
    let latest = Configuration::decode(reader);
    let history = History::decode(reader, &latest);
    let state = State {
        groups: take_groups(reader),
        founders: reader.list(9, |reader| {
            (take_group(reader), Arc::new(read_conf(reader)))
        }),
        drained: take_drained(reader).into(),
        latest,
        history,
    };
    if !is_valid(&state) {
        reader.refuse("the controller's groups are not those of its configuration");
    }
    state
}

/// Whether a controller can have come there.
fn is_valid(state: &State) -> bool {
    let number = state.latest.number;
    let members = state
        .groups
        .iter()
        .filter(|(_, status)| status.left.is_none());
    let is_possible = |status: &GroupStatus| match &status.left {
        None => status.progress <= number,
        Some(left) => status.progress < left.number && left.number <= number,
    };
    state.groups.len() <= GROUPS_MAX
        && state.groups.iter().all(|(_, status)| is_possible(status))
        && members.map(|(id, _)| id).eq(state.latest.groups.keys())
        && (1..).zip(&state.founders).all(|(next, (group, founders))| {
            let is_other = |(other, _): &(GroupId, _)| other != group;
            is_founding(state, *group, founders) && state.founders[next..].iter().all(is_other)
        })
        && state.needed() <= state.history.len()
        && state.drained.len() <= DRAINED_MAX
        && state
            .drained
            .iter()
            .all(|(id, done)| !state.groups.has(*id) && *done <= number)
}

/// Whether a group can have begun with these: voters alone, on its nodes.
fn is_founding(state: &State, group: GroupId, founders: &ConfState) -> bool {
    let info = state.latest.groups.get(group);
    let left = state.groups.get(group).and_then(|it| it.left.as_ref());
    let nodes = info.map(|it| &it.nodes).or(left.map(|it| &it.nodes));
    nodes.is_some_and(|nodes| founders::among(founders, nodes) == *founders)
}
