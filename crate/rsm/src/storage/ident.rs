//! Whose storage this is: written once, before anything is said to anyone.

use bytes::Bytes;
use quorate_raft::NodeId;

use super::record::{Kind, seal, unseal};
use super::{Damage, Round, StorageError};
use crate::codec::safe;
use crate::varint::{Malformed, Reader, Writer};

/// The identity of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The cluster's name.
    pub cluster: String,
    /// The node it belongs to.
    pub node: NodeId,
    /// Drawn when the store was made: tells it from one that was made again after a loss.
    pub storage_id: u128,
    /// The voters that the cluster began with, ascending.
    pub voters: Vec<NodeId>,
}

pub(super) const KEY: &str = "ident";

impl Ident {
    /// Adds the record to a round; it must be durable before the node takes part.
    pub fn put(&self, round: &mut Round) {
        let mut writer = Writer::new();
        writer.bytes(self.cluster.as_bytes());
        writer.number(self.node.0);
        writer.raw(&self.storage_id.to_le_bytes());
        writer.number(self.voters.len() as u64);
        for voter in &self.voters {
            writer.number(voter.0);
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
        const BAD: Malformed = Malformed("no identity");
        let mut reader = Reader::new(Bytes::copy_from_slice(payload));
        let cluster = String::from_utf8(reader.bytes()?.to_vec()).map_err(|_| BAD)?;
        let node = NodeId(safe(&mut reader).map_err(|_| BAD)?);
        let storage_id = <[u8; 16]>::try_from(&reader.take(16)?[..]).map_err(|_| BAD)?;
        let mut voters = Vec::new();
        for _ in 0..reader.count(1)? {
            voters.push(NodeId(safe(&mut reader).map_err(|_| BAD)?));
        }
        reader.end()?;
        Ok(Self {
            cluster,
            node,
            storage_id: u128::from_le_bytes(storage_id),
            voters,
        })
    }
}
