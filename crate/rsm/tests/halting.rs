//! A node that cannot read what is committed stops there.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::sync::Arc;

use bytes::Bytes;
use quorate_rsm::raft::{
    ConfState, Entry, EntryId, Index, Instant, NodeId, Payload, Restored, Term,
};
use quorate_rsm::{
    ApplyContext, BadSnapshot, HaltCause, MachineRestore, MachineSnapshot, Node, NodeConfig,
    Output, StateMachine,
};

struct Empty;

impl StateMachine for Empty {
    type Snapshot = Self;
    type Restore = Self;

    fn apply(&mut self, _: &ApplyContext, _: &Bytes) -> Bytes {
        Bytes::new()
    }

    fn query(&self, _: &Bytes) -> Bytes {
        Bytes::new()
    }

    fn snapshot(&self) -> Self {
        Self
    }

    fn restore() -> Self {
        Self
    }
}

impl MachineSnapshot for Empty {
    fn chunk(&mut self, _: u32, _: usize) -> (Bytes, bool) {
        (Bytes::new(), true)
    }
}

impl MachineRestore for Empty {
    type Machine = Self;

    fn chunk(&mut self, _: &Bytes) -> Result<(), BadSnapshot> {
        Ok(())
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        Ok(self)
    }
}

#[test]
fn nothing_behind_an_unreadable_entry_is_applied() {
    let entry = |index, payload| Entry {
        id: EntryId::new(Term(1), Index(index)),
        payload,
    };
    let conf_state = ConfState::new([1, 2, 3].map(NodeId));
    let mut restored = Restored::fresh(conf_state.clone());
    restored.hard_state.term = Term(1);
    restored.commit = Index(3);
    restored.entries = vec![
        entry(1, Payload::Command(Bytes::from_static(b"from the future"))),
        // It opens a session.
        entry(2, Payload::Command(Bytes::from_static(&[1, 0]))),
        entry(3, Payload::Membership(Arc::new(conf_state))),
    ];
    let config = NodeConfig::new(NodeId(1));
    let mut node = Node::new(config, restored, [], Empty, Instant(0), 1).expect("it opens");
    let mut outputs = Vec::new();
    while let Some(output) = node.poll_output() {
        outputs.push(output);
    }
    let cause = HaltCause::BadEntry(EntryId::new(Term(1), Index(1)));
    assert!(outputs.contains(&Output::Halted(cause)));
    let told = |output: &Output| matches!(output, Output::MembershipChanged { .. });
    assert!(!outputs.iter().any(told));
    assert_eq!(node.status().sessions, 0);
}
