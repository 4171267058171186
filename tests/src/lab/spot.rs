//! Commands given to a node on the spot, as the labs' testers start them in their own process: past
//! the network, and to this node whether it leads or not.

use bytes::Bytes;
use quorate_raft::{Index, NodeId, Raft};
use quorate_rsm::{
    ClientId, Outcome, Reply, Request, RequestBody, RequestError, RequestId, SessionId,
    StateMachine,
};
use quorate_sim::machine::tagged;

use crate::lab::{Failure, Lab, MS, SECOND};

/// The tester's own connection.
pub(super) const TESTER: ClientId = ClientId(1);
/// The tester's request for a session; others have the tag of their command.
const OPEN_SESSION: RequestId = RequestId(0);

impl<M: StateMachine + Default> Lab<M> {
    /// Gives a command to `id` if it believes that it leads; the command's number.
    pub fn start(&mut self, id: NodeId, value: &[u8]) -> Result<Option<u64>, Failure> {
        let session = self.session()?;
        if !self.cluster.raft(id).is_some_and(Raft::is_leader) {
            return Ok(None);
        }
        let tag = self.begun + 1;
        self.give(id, session, tag, tagged(tag, value))?;
        Ok(Some(tag))
    }

    /// Gives the command `tag` to `id`, whatever it believes.
    pub(super) fn give(
        &mut self,
        id: NodeId,
        session: SessionId,
        tag: u64,
        command: Bytes,
    ) -> Result<(), Failure> {
        self.begun += 1;
        let body = RequestBody::Write {
            session,
            sequence: self.begun,
            acknowledged: self.begun - 1,
            command,
        };
        let request = Request {
            id: RequestId(tag),
            body,
        };
        Ok(self.cluster.request(id, TESTER, request)?)
    }

    /// Gives a random command to `id`, as [`Lab::start`].
    pub fn start_any(&mut self, id: NodeId) -> Result<Option<u64>, Failure> {
        let value = self.random.next_u64().to_le_bytes();
        self.start(id, &value)
    }

    /// On how many running nodes the tester's command number `tag` was executed.
    #[must_use]
    pub fn count_executed(&self, tag: u64) -> usize {
        let applied = self.cluster.state.applied();
        let Some(index) = applied.index_of(tag) else {
            return 0;
        };
        let executed =
            |id: &&NodeId| self.cluster.is_running(**id) && applied.reached(**id) >= index;
        self.cluster.voters().iter().filter(executed).count()
    }

    /// Gets a random command executed on `expected` nodes within ten seconds; its index.
    pub fn one(&mut self, expected: usize, retry: bool) -> Result<Index, Failure> {
        let value = self.random.next_u64().to_le_bytes();
        self.agree(&value, expected, retry)
    }

    /// Gets a command executed on `expected` nodes within ten seconds; its index. An attempt that
    /// takes more than two is repeated, if it may be.
    pub fn agree(&mut self, value: &[u8], expected: usize, retry: bool) -> Result<Index, Failure> {
        let began = self.cluster.now();
        while self.cluster.now() < began + 10 * SECOND {
            let mut tag = None;
            for id in self.nodes() {
                if tag.is_none() && self.is_connected(id) {
                    tag = self.start(id, value)?;
                }
            }
            let Some(tag) = tag else {
                self.sleep(50 * MS)?;
                continue;
            };
            if self.wait(2 * SECOND, |lab| lab.count_executed(tag) >= expected)? {
                self.agreement.add(self.cluster.now() - began);
                let index = self.cluster.state.applied().index_of(tag);
                return Ok(index.expect("what is executed has an index"));
            }
            if !retry {
                return Err(self.fail(&format!(
                    "command {tag} was not executed on {expected} nodes"
                )));
            }
        }
        Err(self.fail("no agreement within ten seconds"))
    }

    /// Whether the command `tag` was ever executed.
    #[must_use]
    pub fn was_executed(&self, tag: u64) -> bool {
        self.cluster.state.applied().index_of(tag).is_some()
    }

    /// The tester's session, opened with the first command.
    pub fn session(&mut self) -> Result<SessionId, Failure> {
        let end = self.cluster.now() + 10 * SECOND;
        while self.cluster.now() < end {
            if let Some(session) = self.session {
                return Ok(session);
            }
            if let Some(leader) = self.leader() {
                let request = Request {
                    id: OPEN_SESSION,
                    body: RequestBody::OpenSession,
                };
                self.cluster.request(leader, TESTER, request)?;
            }
            self.wait(100 * MS, |lab| lab.session.is_some())?;
        }
        Err(self.fail("no session within ten seconds"))
    }

    pub(super) fn take_spot_replies(&mut self, replies: Vec<Reply>) -> Result<(), Failure> {
        for reply in replies {
            if reply.id != OPEN_SESSION {
                self.end_spot_call(&reply)?;
            } else if let (Ok(id), None) = (reply.result, self.session) {
                let id = <[u8; 8]>::try_from(&id[..]).map_err(|_| "a session has no number")?;
                self.session = Some(SessionId(u64::from_le_bytes(id)));
            }
        }
        Ok(())
    }

    /// Notes the answer to a command of which the history knows.
    fn end_spot_call(&mut self, reply: &Reply) -> Result<(), Failure> {
        let (now, tag) = (self.cluster.now(), reply.id.0);
        if !self.history.knows(tag) {
            return Ok(());
        }
        let result = reply.result.as_ref().map_err(|error| match error {
            RequestError::LeadershipLost { .. } => Outcome::Unknown,
            RequestError::NotLeader { .. }
            | RequestError::Overloaded
            | RequestError::SessionExpired
            | RequestError::TooLarge { .. }
            | RequestError::WindowExceeded => Outcome::NotApplied,
        });
        let ended = self.history.end(now, tag, result);
        ended.map_err(|what| self.fail(&what))
    }
}
