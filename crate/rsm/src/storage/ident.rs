//! Whose storage this is: written when it is made, and once more when its node is told of a cluster.
//! Before that it takes part in nothing, so a storage that was made again cannot pass for the one
//! that was lost.

use bytes::Bytes;
use quorate_raft::{ConfState, NodeId, StorageId};

use super::record::{Kind, seal, unseal};
use super::{Damage, Round, StorageError};
use crate::codec::{read_conf, safe, write_conf};
use crate::varint::{Malformed, Reader, Writer};

/// The identity of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The cluster's name.
    pub cluster: String,
    /// The node it belongs to.
    pub node: NodeId,
    /// Drawn when the store was made: tells it from one that was made again after a loss.
    pub storage: StorageId,
    /// Drawn when the cluster was founded; zero as long as the node knows of none.
    pub cluster_id: u64,
    /// The membership that the cluster began with; empty for a node that came later.
    pub founders: ConfState,
    /// What kind of machine these commands and snapshots are for, by a number of the host's; 0 is the
    /// key-value store.
    pub machine: u64,
}

pub(super) const KEY: &str = "ident";

impl Ident {
    /// Adds the record to a round; it must be durable before the node takes part.
    pub fn put(&self, round: &mut Round) {
        let mut writer = Writer::new();
        writer.bytes(self.cluster.as_bytes());
        writer.number(self.node.0);
        writer.raw(&self.storage.0.to_le_bytes());
        writer.raw(&self.cluster_id.to_le_bytes());
        write_conf(&mut writer, &self.founders);
        if self.machine > 0 {
            writer.number(self.machine);
        }
        round.puts.push((
            KEY.into(),
            seal(Kind::Ident, KEY.as_bytes(), &writer.finish()),
        ));
    }

    pub(super) fn read(record: &[u8]) -> Result<Self, StorageError> {
        let payload = unseal(Kind::Ident, KEY.as_bytes(), record)
            .map_err(|damage| StorageError::new(KEY, damage))?;
        let malformed = StorageError::new(KEY, Damage::Malformed("no identity"));
        Self::decode(payload).map_err(|_| malformed)
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let payload = Bytes::copy_from_slice(payload);
        let mut reader = Reader::new(&payload);
        let cluster = reader.text();
        let node = NodeId(safe(&mut reader));
        let storage = StorageId(reader.fixed());
        let cluster_id = reader.fixed();
        let founders = read_conf(&mut reader);
        // One spelling: of the key-value store nothing is said.
        let machine = match reader.is_empty() {
            true => 0,
            false => match reader.number() {
                0 => reader.fail("the key-value store is named"),
                kind => kind,
            },
        };
        reader.end()?;
        Ok(Self {
            cluster,
            node,
            storage,
            cluster_id,
            founders,
            machine,
        })
    }
}
