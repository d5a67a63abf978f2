//! Requests about messages: what the application asks, and a model of what becomes of it.

use std::collections::BTreeMap;

use smpp_proto::account::{
    MessageRequest, MessageRequestError, RequestNotSentReason, RequestNumber, SegmentOutcome,
};
use smpp_proto::session::{Instant, NotSentReason, Response};
use smpp_proto::{Address, COctets, CancelSm, QuerySm, ReplaceSm};

use super::harness::span;
use super::log::ConnectionId;
use super::simulation::AccountSimulation;
use super::smsc::RequestAnswer;

struct Request {
    is_query: bool,
    message_id: String,
    /// The connection that sent the message, if the account knows it and the request names no bind.
    sender: Option<ConnectionId>,
    /// The connection of the bind that it names.
    named: Option<ConnectionId>,
    /// Until when it may be sent.
    until: Instant,
    /// How often a session has encoded it.
    sent: usize,
    /// How often the SMSC has received it.
    received: usize,
    /// What the SMSC has answered.
    answer: Option<RequestAnswer>,
    withdrawn: bool,
    result: Option<Result<(), MessageRequestError>>,
}

#[derive(Default)]
pub(crate) struct Requests {
    all: Vec<Request>,
    numbers: BTreeMap<RequestNumber, usize>,
}

impl Requests {
    pub(crate) fn pending(&self) -> usize {
        self.all.iter().filter(|request| request.result.is_none()).count()
    }

    /// Records that the account sends a request on a connection.
    pub(crate) fn record_sent(
        &mut self,
        at: Instant,
        index: usize,
        connection: ConnectionId,
        bound: &[ConnectionId],
    ) {
        let request = &mut self.all[index];
        assert!(request.result.is_none(), "request {index} is sent after its outcome");
        assert!(at < request.until, "request {index} is sent after its deadline");
        assert!(!request.withdrawn, "request {index} is sent after it was withdrawn");
        assert!(
            request.named.is_none_or(|named| named == connection),
            "request {index} goes on another bind"
        );
        let sender = request.sender.filter(|sender| bound.contains(sender));
        assert!(
            sender.is_none_or(|sender| sender == connection),
            "request {index} goes on {connection}, and the message went on {sender:?}"
        );
        request.sent += 1;
    }

    pub(crate) fn record_received(&mut self, index: usize, answer: Option<RequestAnswer>) {
        let request = &mut self.all[index];
        request.received += 1;
        request.answer = answer;
        assert!(request.received <= request.sent.min(1), "request {index} arrives twice");
    }

    /// Checks that every request has an outcome that agrees with what the SMSC has received.
    pub(crate) fn check_end(&self) {
        for (index, request) in self.all.iter().enumerate() {
            let result = request.result.as_ref().expect("an outcome of each request");
            match result {
                Ok(()) => assert_eq!(request.received, 1, "request {index}"),
                Err(MessageRequestError::NeverSent(_)) => assert_eq!(request.received, 0, "request {index}"),
                Err(_) => {}
            }
        }
    }
}

impl AccountSimulation {
    /// Returns the id of one of the last accepted messages, and the connection that sent it, if that is bound and the account
    /// certainly tracks the message.
    fn known_id(&mut self) -> Option<(String, Option<ConnectionId>)> {
        let count = self.messages.all.len();
        let back = self.context.rng.index(count.clamp(1, 10));
        let index = count.checked_sub(1 + back)?;
        let message = &self.messages.all[index];
        let outcome = message.outcome.as_ref().filter(|outcome| outcome.result().is_ok())?;
        let segment = self.context.rng.index(outcome.segments.len());
        let SegmentOutcome::Accepted { id, bind, .. } = &outcome.segments[segment] else { return None };
        let deliveries = &self.smsc.deliveries;
        let is_unique = self.scenario.fixed_id.is_none() && !self.scenario.has_shared_ids();
        let is_tracked = self.scenario.ample_limits
            && is_unique
            && !message.registered_delivery.is_empty()
            && !message.was_answered_too_late
            && deliveries.count(index, &self.messages) > 0
            && !deliveries.may_be_forgotten(self.context.now, index);
        let connection = self.connection_of(*bind);
        let sender = connection.filter(|sender| is_tracked && self.messages.bound.contains(sender));
        let id = id.to_string();
        if sender.is_some() {
            self.context.count(|| "request about a message that is tracked".into());
        }
        Some((id, sender))
    }

    /// Asks about a message.
    pub(crate) fn ask(&mut self) {
        let now = self.context.now;
        let index = self.requests.all.len();
        let digits = index.to_string();
        let source = Address::international(&digits).expect("digits");
        let (id, sender) = self.known_id().unwrap_or_else(|| (format!("no-such-{index}"), None));
        let message_id = COctets::new(id.as_bytes()).expect("short");
        let operation = self.context.rng.index(3);
        let mut request = match operation {
            0 => MessageRequest::query_sm(&QuerySm { message_id, source, ..QuerySm::default() }),
            1 => MessageRequest::cancel_sm(&CancelSm { message_id, source, ..CancelSm::default() }),
            _ => MessageRequest::replace_sm(&ReplaceSm { message_id, source, ..ReplaceSm::default() }),
        };
        let within = span(&mut self.context.rng, 0, 300);
        request = request.deadline(within);
        let mut named = None;
        if self.context.rng.chance(400)
            && let Some((bind, connection)) = self.recent_bind()
        {
            named = Some(connection);
            request = request.bind(bind);
        }
        let pending = self.requests.pending();
        self.requests.all.push(Request {
            is_query: operation == 0,
            message_id: id,
            sender: sender.filter(|_| named.is_none()),
            named,
            until: now + within,
            sent: 0,
            received: 0,
            answer: None,
            withdrawn: false,
            result: None,
        });
        let accepted = self.account.request(now, &request);
        self.context.trace(|| format!("the application asks {index} on {named:?}: {accepted:?}"));
        let capacity = self.scenario.options.request_capacity;
        match accepted {
            Ok(number) => {
                assert!(pending < capacity, "more requests than the capacity");
                self.requests.numbers.insert(number, index);
            }
            Err(reason) => {
                self.context.count(|| format!("request not accepted, {reason:?}"));
                match reason {
                    RequestNotSentReason::Full => assert_eq!(pending, capacity, "there was a free place"),
                    RequestNotSentReason::ShutDown => assert!(self.is_shutting_down()),
                    RequestNotSentReason::Stopped => assert!(self.is_stopped()),
                    other => panic!("{other:?}"),
                }
                let refused = self.requests.all.pop().expect("it was added");
                assert_eq!(refused.sent, 0, "refused and sent");
            }
        }
        if let Ok(number) = accepted
            && self.context.rng.chance(100)
        {
            // The request may be in flight: then it still gets its response.
            self.process_log();
            let request = &mut self.requests.all[index];
            request.withdrawn = request.sent == 0;
            self.account.withdraw_request(now, number);
        }
        self.after();
    }

    pub(crate) fn record_request_outcome(
        &mut self,
        number: RequestNumber,
        result: Result<Response, MessageRequestError>,
    ) {
        let now = self.context.now;
        let index = self.requests.numbers[&number];
        let (is_shutting_down, is_stopped) = (self.is_shutting_down(), self.is_stopped());
        let request = &mut self.requests.all[index];
        assert!(request.result.is_none(), "a second outcome of request {index}");
        let kind = match &result {
            Ok(response) => {
                let response = response.query_sm_resp();
                let answered =
                    response.map(|response| (response.message_id.to_string(), Ok(response.message_state)));
                let expected = request.answer.map(|answer| (request.message_id.clone(), answer));
                let expected = expected.filter(|_| request.is_query);
                assert_eq!(answered, expected, "the response to request {index}");
                assert!(matches!(request.answer, Some(Ok(_))), "{:?} is not accepted", request.answer);
                "Ok".to_owned()
            }
            Err(MessageRequestError::NeverSent(reason)) => {
                let is_reason = match reason {
                    RequestNotSentReason::Expired => request.until <= now,
                    RequestNotSentReason::BindEnded
                    | RequestNotSentReason::Request(NotSentReason::State(_)) => request.named.is_some(),
                    RequestNotSentReason::Withdrawn => request.withdrawn,
                    RequestNotSentReason::ShutDown => is_shutting_down,
                    RequestNotSentReason::Stopped => is_stopped,
                    _ => false,
                };
                assert!(is_reason, "{reason:?} for request {index}");
                format!("NeverSent {}", format!("{reason:?}").split('(').next().unwrap())
            }
            Err(error) => {
                assert!(request.sent > 0, "{error:?} for request {index}");
                if let Some(status) = error.status()
                    && !self.smsc.corrupted.has_changed(index)
                {
                    assert_eq!(request.answer, Some(Err(status)), "the refusal of request {index}");
                }
                format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned()
            }
        };
        request.result = Some(result.map(drop));
        self.context.count(|| format!("request {kind}"));
    }
}
