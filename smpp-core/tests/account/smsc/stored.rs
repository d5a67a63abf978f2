//! The messages that the SMSC has accepted, and its answers to the requests about them.

use smpp_proto::session::{Instant, Request};
use smpp_proto::{COctets, CommandStatus, MessageState, Pdu};

use super::super::answers::ReplyTo;
use super::super::context::Context;
use super::super::harness::span;
use super::super::log::{ConnectionId, request_index};
use super::super::scenario::Fault;
use super::{ScheduledAnswer, Smsc};

/// The statuses with which the SMSC refuses a request, whatever message it is about.
const REFUSALS: [CommandStatus; 2] = [CommandStatus::RSYSERR, CommandStatus::RTHROTTLED];

/// A message that the SMSC has accepted.
pub(crate) struct StoredMessage {
    /// On which connection it came.
    pub(crate) connection: ConnectionId,
    /// Its final states, and when it reaches each.
    final_states: Vec<(Instant, MessageState)>,
    is_cancelled: bool,
}

/// What the SMSC answers to a request about a message: the state, or a status.
pub(crate) type RequestAnswer = Result<MessageState, CommandStatus>;

impl Smsc {
    pub(super) fn store(&mut self, id: &str, connection: ConnectionId) {
        let stored = StoredMessage { connection, final_states: Vec::new(), is_cancelled: false };
        self.stored.entry(id.to_owned()).or_insert(stored);
    }

    /// Records that a message reaches a final state.
    pub(super) fn store_final_state(&mut self, id: &str, at: Instant, state: MessageState) {
        if let Some(stored) = self.stored.get_mut(id) {
            stored.final_states.push((at, state));
        }
    }

    /// Handles a request about a message.
    pub(super) fn requested(
        &mut self,
        context: &mut Context,
        connection: ConnectionId,
        request: Request<'_>,
    ) {
        let pdu = match request {
            Request::QuerySm(request, _) => Pdu::QuerySm(request),
            Request::CancelSm(request, _) => Pdu::CancelSm(request),
            Request::ReplaceSm(request, _) => Pdu::ReplaceSm(request),
            _ => return,
        };
        let (id, fails) = match pdu {
            Pdu::QuerySm(request) => (request.message_id.to_string(), None),
            Pdu::CancelSm(request) => (request.message_id.to_string(), Some(CommandStatus::RCANCELFAIL)),
            Pdu::ReplaceSm(request) => (request.message_id.to_string(), Some(CommandStatus::RREPLACEFAIL)),
            _ => return,
        };
        let Some(index) = request_index(&pdu) else { return };
        if self.is(Fault::Forgetful) && context.rng.chance(300) {
            self.requested.push((index, None));
            return;
        }
        let refuses = context.rng.chance(100);
        let answer = if refuses {
            Err(context.rng.pick(&REFUSALS))
        } else {
            self.answer_about(context.now, &id, connection, fails)
        };
        if let (Ok(_), Request::CancelSm(..), Some(stored)) = (answer, &request, self.stored.get_mut(&id)) {
            stored.is_cancelled = true;
        }
        context.trace(|| format!("  SMSC: request {index} about {id} on {connection}: {answer:?}"));
        context.count(|| match answer {
            Ok(state) => format!("SMSC {:?} of a message that is {state:?}", pdu.command()),
            Err(status) => format!("SMSC {:?} refused, {status:?}", pdu.command()),
        });
        self.requested.push((index, Some(answer)));
        let to = match request {
            Request::QuerySm(_, reply) => ReplyTo::Query(reply, id, answer),
            Request::CancelSm(_, reply) => ReplyTo::Cancel(reply, answer.map(drop)),
            Request::ReplaceSm(_, reply) => ReplyTo::Replace(reply, answer.map(drop)),
            _ => return,
        };
        let due = context.now + span(&mut context.rng, 0, self.behaviour.smsc_delay);
        self.answers.push(ScheduledAnswer { due, connection, to });
    }

    /// Returns the state of a message, or why the SMSC refuses the request. `fails`: with this status, once the message has a
    /// final state.
    fn answer_about(
        &self,
        now: Instant,
        id: &str,
        connection: ConnectionId,
        fails: Option<CommandStatus>,
    ) -> RequestAnswer {
        let on_other_bind = |stored: &&StoredMessage| self.asks_same_bind && stored.connection != connection;
        let stored = self.stored.get(id).filter(|stored| !on_other_bind(stored));
        let stored = stored.ok_or(CommandStatus::RINVMSGID)?;
        let reached = stored.final_states.iter().filter(|(at, _)| *at <= now).max_by_key(|(at, _)| *at);
        let state = match reached {
            _ if stored.is_cancelled => MessageState::DELETED,
            Some((_, state)) => *state,
            None => MessageState::ENROUTE,
        };
        match fails {
            Some(status) if state != MessageState::ENROUTE => Err(status),
            _ => Ok(state),
        }
    }

    /// Returns on which connection a message came.
    pub(crate) fn connection_of(&self, id: &[u8]) -> Option<ConnectionId> {
        let id = COctets::<65>::new(id).ok()?.to_string();
        self.stored.get(&id).map(|stored| stored.connection)
    }
}
