//! The shipped store as the testers have it: without a past.

use bytes::Bytes;
use quorate_kv::{Command, Kv, KvRestore, KvSnapshot};
use quorate_raft::{Index, Term};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, StateMachine};

/// A store that keeps the last revision alone.
#[derive(Clone)]
pub struct Forgetful(Kv);

impl Default for Forgetful {
    fn default() -> Self {
        let mut kv = Kv::new();
        let context = ApplyContext {
            index: Index(0),
            term: Term(0),
            time_ms: 0,
        };
        let forget = Command::SetRetention {
            revisions: 1,
            ms: 0,
            bytes: 0,
        };
        kv.apply(&context, &forget.encode());
        Self(kv)
    }
}

impl StateMachine for Forgetful {
    type Snapshot = KvSnapshot;
    type Restore = ForgetfulRestore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        self.0.apply(context, command)
    }

    fn query(&self, query: &Bytes) -> Bytes {
        self.0.query(query)
    }

    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        self.0.poll(query)
    }

    fn due_ms(&self) -> Option<u64> {
        self.0.due_ms()
    }

    fn tick(&mut self, context: &ApplyContext) {
        self.0.tick(context);
    }

    fn snapshot(&self) -> KvSnapshot {
        self.0.snapshot()
    }

    fn restore() -> ForgetfulRestore {
        ForgetfulRestore(Kv::restore())
    }
}

/// Such a store in the making; what it keeps is in its snapshot.
pub struct ForgetfulRestore(KvRestore);

impl MachineRestore for ForgetfulRestore {
    type Machine = Forgetful;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.0.chunk(data)
    }

    fn finish(self) -> Result<Forgetful, BadSnapshot> {
        self.0.finish().map(Forgetful)
    }
}
