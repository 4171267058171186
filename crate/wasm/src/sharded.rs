//! The machines of a sharded store: in group 0 the controller, in every other one a store of shards.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::ConfState;
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};
use quorate_shard::{
    CONTROLLER, Controller, ControllerRestore, ControllerSnapshot, ShardRestore, ShardSnapshot,
    ShardStore,
};

/// The machine of a group.
pub enum Sharded {
    /// Of group 0.
    Controller(Controller),
    /// Of any other.
    Store(Box<ShardStore>),
}

impl Sharded {
    /// The machine of a group, in its first state.
    pub fn of_group(group: u32) -> Self {
        if group == CONTROLLER.0 {
            Self::Controller(Controller::default())
        } else {
            Self::Store(Box::default())
        }
    }

    /// What [`StateMachine::apply`] does.
    pub fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        match self {
            Self::Controller(controller) => controller.apply(context, command),
            Self::Store(store) => store.apply(context, command),
        }
    }

    /// What [`StateMachine::query`] does.
    pub fn query(&self, query: &Bytes) -> Bytes {
        match self {
            Self::Controller(controller) => controller.query(query),
            Self::Store(store) => store.query(query),
        }
    }

    /// What [`StateMachine::poll`] does.
    pub fn poll(&self, query: &Bytes) -> Option<Bytes> {
        match self {
            Self::Controller(controller) => controller.poll(query),
            Self::Store(store) => store.poll(query),
        }
    }

    /// What [`StateMachine::due_ms`] does.
    pub fn due_ms(&self) -> Option<u64> {
        match self {
            Self::Controller(controller) => controller.due_ms(),
            Self::Store(store) => store.due_ms(),
        }
    }

    /// What [`StateMachine::tick`] does.
    pub fn tick(&mut self, context: &ApplyContext) {
        match self {
            Self::Controller(controller) => controller.tick(context),
            Self::Store(store) => store.tick(context),
        }
    }

    /// What [`StateMachine::membership_changed`] does.
    pub fn membership_changed(&mut self, members: &Arc<ConfState>) {
        match self {
            Self::Controller(controller) => controller.membership_changed(members),
            Self::Store(store) => store.membership_changed(members),
        }
    }

    /// What [`StateMachine::snapshot`] does.
    pub fn snapshot(&self) -> ShardedSnapshot {
        match self {
            Self::Controller(controller) => ShardedSnapshot::Controller(controller.snapshot()),
            Self::Store(store) => ShardedSnapshot::Store(store.snapshot()),
        }
    }

    /// What makes a machine of this kind.
    pub fn restore_in_place(&self) -> ShardedRestore {
        match self {
            Self::Controller(_) => ShardedRestore::Controller(Controller::restore()),
            Self::Store(_) => ShardedRestore::Store(Box::new(ShardStore::restore())),
        }
    }
}

/// A state.
pub enum ShardedSnapshot {
    /// Of a controller.
    Controller(ControllerSnapshot),
    /// Of a store.
    Store(ShardSnapshot),
}

impl MachineSnapshot for ShardedSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        match self {
            Self::Controller(snapshot) => snapshot.chunk(number, max_bytes),
            Self::Store(snapshot) => snapshot.chunk(number, max_bytes),
        }
    }

    fn format(&self) -> u32 {
        match self {
            Self::Controller(snapshot) => snapshot.format(),
            Self::Store(snapshot) => snapshot.format(),
        }
    }
}

/// A machine being built.
pub enum ShardedRestore {
    /// A controller.
    Controller(ControllerRestore),
    /// A store.
    Store(Box<ShardRestore>),
}

impl MachineRestore for ShardedRestore {
    type Machine = Sharded;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        match self {
            Self::Controller(restore) => restore.chunk(data),
            Self::Store(restore) => restore.chunk(data),
        }
    }

    fn finish(self) -> Result<Sharded, BadSnapshot> {
        Ok(match self {
            Self::Controller(restore) => Sharded::Controller(restore.finish()?),
            Self::Store(restore) => Sharded::Store(Box::new(restore.finish()?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use quorate_raft::{Index, NodeId, Term};
    use quorate_shard::{Command, ControllerCommand, GroupId, GroupInfo};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The machine of a group after a command, and one that was made of its snapshot.
    fn restored(group: u32, commands: &[Bytes]) -> (Sharded, Sharded) {
        let mut machine = Sharded::of_group(group);
        for (number, command) in commands.iter().enumerate() {
            let context = ApplyContext {
                index: Index(number as u64 + 1),
                term: Term(1),
                time_ms: 0,
            };
            machine.apply(&context, command);
        }
        let (mut snapshot, mut restore) = (machine.snapshot(), machine.restore_in_place());
        let mut number = 0;
        loop {
            let (chunk, is_last) = snapshot.chunk(number, 16);
            restore.chunk(&chunk).expect("its own");
            number += 1;
            if is_last {
                break;
            }
        }
        let restored = restore.finish().expect("all of it is there");
        (machine, restored)
    }

    #[test]
    fn a_snapshot_makes_a_machine_of_the_same_kind() {
        let join = ControllerCommand::Join {
            groups: vec![(GroupId(1), GroupInfo::new(vec![NodeId(1)]))],
        };
        let commands = [
            ControllerCommand::Create { shards: 4 }.encode(),
            join.encode(),
        ];
        let (Sharded::Controller(before), Sharded::Controller(after)) = restored(0, &commands)
        else {
            panic!("group 0 has the controller");
        };
        assert_eq!(after.latest(), before.latest());
        assert_eq!(after.latest().map(|it| it.number), Some(1));

        let (group, shards) = (GroupId(7), 4);
        let commands = [Command::Found { group, shards }.encode()];
        let (Sharded::Store(before), Sharded::Store(after)) = restored(7, &commands) else {
            panic!("others have stores");
        };
        assert_eq!(after.configuration(), before.configuration());
        assert_eq!(after.group(), group);
    }
}
