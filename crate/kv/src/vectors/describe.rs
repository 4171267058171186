//! Commands, queries and replies as JSON: bytes in hex, what is not there as null, and signed
//! numbers as text, for they may exceed what JavaScript's numbers hold.

use std::fmt;

use bytes::Bytes;

use crate::command::{Command, Expected};
use crate::query::{Changes, Query, RangeOptions, Watch};
use crate::range::KeyRange;
use crate::record::{KeyValue, Meta};
use crate::reply::{Event, Reply};
use crate::txn::{Compare, Op, Target, Txn};

pub(super) enum Json {
    Null,
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
}

pub(super) trait Describe {
    fn describe(&self) -> Json;
}

pub(super) fn hex(bytes: &[u8]) -> Json {
    Json::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => write!(f, "null"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            // No text here has a control character, and Rust escapes the others as JSON does.
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                write!(f, "[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
                }
                write!(f, "]")
            }
            Self::Object(fields) => {
                write!(f, "{{ ")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}\"{name}\": {value}", if at > 0 { ", " } else { "" })?;
                }
                write!(f, " }}")
            }
        }
    }
}

impl Describe for Bytes {
    fn describe(&self) -> Json {
        hex(self)
    }
}

impl Describe for u64 {
    fn describe(&self) -> Json {
        Json::Number(*self)
    }
}

impl Describe for i64 {
    fn describe(&self) -> Json {
        Json::Text(self.to_string())
    }
}

impl Describe for bool {
    fn describe(&self) -> Json {
        Json::Flag(*self)
    }
}

impl<T: Describe> Describe for Option<T> {
    fn describe(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::describe)
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn describe(&self) -> Json {
        Json::List(self.iter().map(T::describe).collect())
    }
}

/// `{ field: value, … }`, with the Rust fields' values under the names given.
macro_rules! object {
    ($type:literal $(, $name:literal: $value:expr)* $(,)?) => {
        Json::Object(vec![
            ("type", Json::Text($type.into())),
            $(($name, $value.describe()),)*
        ])
    };
    ($($name:literal: $value:expr),* $(,)?) => {
        Json::Object(vec![$(($name, $value.describe())),*])
    };
}

/// The name of a variant without fields.
macro_rules! named {
    ($type:ty) => {
        impl Describe for $type {
            fn describe(&self) -> Json {
                Json::Text(format!("{self:?}"))
            }
        }
    };
}

named!(crate::query::Order);
named!(crate::query::Projection);
named!(crate::txn::Relation);

impl Describe for KeyRange {
    fn describe(&self) -> Json {
        object! { "start": self.start, "end": self.end }
    }
}

impl Describe for Expected {
    fn describe(&self) -> Json {
        match self {
            Self::Absent => object! { "Absent" },
            Self::Revision(revision) => object! { "Revision", "revision": revision },
            Self::Value(value) => object! { "Value", "value": value },
        }
    }
}

impl Describe for Command {
    fn describe(&self) -> Json {
        match self {
            Self::Put { key, value } => object! { "Put", "key": key, "value": value },
            Self::Delete { key } => object! { "Delete", "key": key },
            Self::DeleteRange { range } => object! { "DeleteRange", "range": range },
            Self::Append { key, value } => object! { "Append", "key": key, "value": value },
            Self::CompareAndSwap { key, expected, new } => {
                object! { "CompareAndSwap", "key": key, "expected": expected, "new": new }
            }
            Self::Increment { key, by } => object! { "Increment", "key": key, "by": by },
            Self::PutWith {
                key,
                value,
                lease,
                previous,
            } => object! {
                "PutWith", "key": key, "value": value, "lease": lease, "previous": previous,
            },
            Self::RemoveRange { range } => object! { "RemoveRange", "range": range },
            Self::Txn(txn) => txn.describe(),
            Self::LeaseGrant { id, ttl_ms } => object! { "LeaseGrant", "id": id, "ttlMs": ttl_ms },
            Self::LeaseKeepAlive { id } => object! { "LeaseKeepAlive", "id": id },
            Self::LeaseRevoke { id } => object! { "LeaseRevoke", "id": id },
            Self::Compact { revision } => object! { "Compact", "revision": revision },
            Self::SetRetention {
                revisions,
                ms,
                bytes,
            } => {
                object! { "SetRetention", "revisions": revisions, "ms": ms, "bytes": bytes }
            }
        }
    }
}

impl Describe for Txn {
    fn describe(&self) -> Json {
        object! {
            "Txn",
            "compares": self.compares,
            "then": self.then,
            "otherwise": self.otherwise,
        }
    }
}

impl Describe for Op {
    fn describe(&self) -> Json {
        match self {
            Self::Do(command) => command.describe(),
            Self::Ask(query) => query.describe(),
        }
    }
}

impl Describe for Compare {
    fn describe(&self) -> Json {
        object! { "range": self.range, "relation": self.relation, "target": self.target }
    }
}

impl Describe for Target {
    fn describe(&self) -> Json {
        match self {
            Self::Version(number) => object! { "Version", "number": number },
            Self::CreateRevision(number) => object! { "CreateRevision", "number": number },
            Self::ModRevision(number) => object! { "ModRevision", "number": number },
            Self::Lease(number) => object! { "Lease", "number": number },
            Self::Value(value) => object! { "Value", "value": value },
        }
    }
}

impl Describe for Query {
    fn describe(&self) -> Json {
        match self {
            Self::Get { key } => object! { "Get", "key": key },
            Self::Range {
                range,
                limit,
                projection,
            } => object! { "Range", "range": range, "limit": limit, "projection": projection },
            Self::RangeWith { range, options } => {
                object! { "RangeWith", "range": range, "options": options }
            }
            Self::Changes(changes) => changes.describe(),
            Self::Lease { id, keys } => object! { "Lease", "id": id, "keys": keys },
            Self::Leases { start } => object! { "Leases", "start": start },
        }
    }
}

impl Describe for RangeOptions {
    fn describe(&self) -> Json {
        object! {
            "at": self.at,
            "limit": self.limit,
            "projection": self.projection,
            "order": self.order,
            "descending": self.descending,
            "minMod": self.min_mod,
            "maxMod": self.max_mod,
            "minCreate": self.min_create,
            "maxCreate": self.max_create,
        }
    }
}

impl Describe for Changes {
    fn describe(&self) -> Json {
        object! {
            "Changes",
            "watches": self.watches,
            "from": self.from,
            "key": self.key,
            "limit": self.limit,
            "bytes": self.bytes,
        }
    }
}

impl Describe for Watch {
    fn describe(&self) -> Json {
        object! {
            "range": self.range,
            "noPut": self.no_put,
            "noDelete": self.no_delete,
            "previous": self.previous,
        }
    }
}

impl Describe for Meta {
    fn describe(&self) -> Json {
        object! {
            "createRevision": self.create_revision,
            "modRevision": self.mod_revision,
            "version": self.version,
            "lease": self.lease,
        }
    }
}

impl Describe for KeyValue {
    fn describe(&self) -> Json {
        object! { "key": self.key, "value": self.value, "meta": self.meta }
    }
}

impl Describe for Event {
    fn describe(&self) -> Json {
        object! { "deleted": self.deleted, "record": self.record, "previous": self.previous }
    }
}

impl Describe for Reply {
    fn describe(&self) -> Json {
        match self {
            Self::Written { meta } => object! { "Written", "meta": meta },
            Self::Incremented { value, meta } => {
                object! { "Incremented", "value": value, "meta": meta }
            }
            Self::Deleted { count, revision } => {
                object! { "Deleted", "count": count, "revision": revision }
            }
            Self::Mismatch { current, revision } => {
                object! { "Mismatch", "current": current, "revision": revision }
            }
            Self::Got { record, revision } => {
                object! { "Got", "record": record, "revision": revision }
            }
            Self::Range {
                records,
                count,
                next,
                revision,
            } => object! {
                "Range", "records": records, "count": count, "next": next, "revision": revision,
            },
            Self::Put { meta, previous } => object! { "Put", "meta": meta, "previous": previous },
            Self::Removed { records, revision } => {
                object! { "Removed", "records": records, "revision": revision }
            }
            Self::Txn {
                succeeded,
                replies,
                revision,
            } => object! {
                "Txn", "succeeded": succeeded, "replies": replies, "revision": revision,
            },
            Self::Lease {
                id,
                ttl_ms,
                left_ms,
                keys,
                next,
            } => object! {
                "Lease", "id": id, "ttlMs": ttl_ms, "leftMs": left_ms, "keys": keys, "next": next,
            },
            Self::Leases { ids, next } => object! { "Leases", "ids": ids, "next": next },
            Self::Compacted {
                compacted,
                revision,
            } => object! { "Compacted", "compacted": compacted, "revision": revision },
            Self::Changes {
                events,
                next,
                key,
                revision,
            } => object! {
                "Changes", "events": events, "next": next, "key": key, "revision": revision,
            },
            Self::Failed(code) => object! { "Failed", "code": code.name().to_owned() },
        }
    }
}

impl Describe for String {
    fn describe(&self) -> Json {
        Json::Text(self.clone())
    }
}
