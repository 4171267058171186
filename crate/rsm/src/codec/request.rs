//! What clients ask and nodes answer, as bytes.

use quorate_raft::NodeId;

use super::{safe, small};
use crate::request::{ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId};
use crate::varint::{Reader, Writer};

const OPEN_SESSION: u8 = 1;
const CLOSE_SESSION: u8 = 2;
const WRITE: u8 = 3;
const READ: u8 = 4;
const READ_HERE: u8 = 5;
const READ_LEASE: u8 = 6;
const READ_LOCAL: u8 = 7;
const WATCH: u8 = 8;
const PROPOSE: u8 = 9;

pub(super) fn write_request(writer: &mut Writer, request: &Request) {
    writer.number(request.id.0);
    match &request.body {
        RequestBody::OpenSession => writer.byte(OPEN_SESSION),
        RequestBody::CloseSession { session } => {
            writer.byte(CLOSE_SESSION);
            writer.number(session.0);
        }
        RequestBody::Write {
            session,
            sequence,
            acknowledged,
            command,
        } => {
            writer.byte(WRITE);
            writer.number(session.0);
            writer.number(*sequence);
            writer.number(*acknowledged);
            writer.bytes(command);
        }
        RequestBody::Propose { command } => {
            writer.byte(PROPOSE);
            writer.bytes(command);
        }
        RequestBody::Read { query, at } => {
            writer.byte(match at {
                ReadAt::Leader => READ,
                ReadAt::Here => READ_HERE,
                ReadAt::Lease => READ_LEASE,
                ReadAt::Local => READ_LOCAL,
                ReadAt::Watch => WATCH,
            });
            writer.bytes(query);
        }
    }
}

pub(super) fn read_request(reader: &mut Reader<'_>) -> Request {
    let id = RequestId(safe(reader));
    let body = match reader.byte() {
        CLOSE_SESSION => RequestBody::CloseSession {
            session: SessionId(safe(reader)),
        },
        WRITE => RequestBody::Write {
            session: SessionId(safe(reader)),
            sequence: safe(reader),
            acknowledged: safe(reader),
            command: reader.bytes(),
        },
        PROPOSE => RequestBody::Propose {
            command: reader.bytes(),
        },
        tag @ (READ | READ_HERE | READ_LEASE | READ_LOCAL | WATCH) => RequestBody::Read {
            query: reader.bytes(),
            at: match tag {
                READ_HERE => ReadAt::Here,
                READ_LEASE => ReadAt::Lease,
                READ_LOCAL => ReadAt::Local,
                WATCH => ReadAt::Watch,
                _ => ReadAt::Leader,
            },
        },
        tag => {
            if tag != OPEN_SESSION {
                reader.refuse("an unknown request");
            }
            RequestBody::OpenSession
        }
    };
    Request { id, body }
}

const DONE: u8 = 0;
const NOT_LEADER: u8 = 1;
const LEADERSHIP_LOST: u8 = 2;
const OVERLOADED: u8 = 3;
const SESSION_EXPIRED: u8 = 4;
const TOO_LARGE: u8 = 5;
const WINDOW_EXCEEDED: u8 = 6;

pub(super) fn write_reply(writer: &mut Writer, reply: &Reply) {
    // Node ids start at 1, so zero can say "unknown".
    let hinted = |writer: &mut Writer, tag, hint: &Option<NodeId>| {
        writer.byte(tag);
        writer.number(hint.map_or(0, |node| node.0));
    };
    writer.number(reply.id.0);
    match &reply.result {
        Ok(data) => {
            writer.byte(DONE);
            writer.bytes(data);
        }
        Err(RequestError::NotLeader { hint }) => hinted(writer, NOT_LEADER, hint),
        Err(RequestError::LeadershipLost { hint }) => hinted(writer, LEADERSHIP_LOST, hint),
        Err(RequestError::Overloaded) => writer.byte(OVERLOADED),
        Err(RequestError::SessionExpired) => writer.byte(SESSION_EXPIRED),
        Err(RequestError::TooLarge { limit }) => {
            writer.byte(TOO_LARGE);
            writer.number(u64::from(*limit));
        }
        Err(RequestError::WindowExceeded) => writer.byte(WINDOW_EXCEEDED),
    }
}

pub(super) fn read_reply(reader: &mut Reader<'_>) -> Reply {
    let id = RequestId(safe(reader));
    let hint = |reader: &mut Reader<'_>| Some(NodeId(safe(reader))).filter(|node| node.0 > 0);
    let result = match reader.byte() {
        DONE => Ok(reader.bytes()),
        NOT_LEADER => Err(RequestError::NotLeader { hint: hint(reader) }),
        LEADERSHIP_LOST => Err(RequestError::LeadershipLost { hint: hint(reader) }),
        OVERLOADED => Err(RequestError::Overloaded),
        SESSION_EXPIRED => Err(RequestError::SessionExpired),
        TOO_LARGE => Err(RequestError::TooLarge {
            limit: small(reader),
        }),
        tag => {
            if tag != WINDOW_EXCEEDED {
                reader.refuse("an unknown reply");
            }
            Err(RequestError::WindowExceeded)
        }
    };
    Reply { id, result }
}
