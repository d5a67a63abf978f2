//! Requests about messages: what the application asks, and a model of what becomes of it.

use std::collections::BTreeMap;

use smpp_core::account::{MessageRequest, MessageRequestError, RequestNotSentReason, RequestNumber};
use smpp_core::session::{Instant, NotSentReason, Response};
use smpp_core::{COctets, CancelSm, CommandStatus, QuerySm, ReplaceSm};

use super::harness::span;
use super::log::ConnectionId;
use super::simulation::AccountSimulation;

/// The statuses with which the SMSC refuses requests.
pub(crate) const REFUSALS: [CommandStatus; 3] =
    [CommandStatus::RQUERYFAIL, CommandStatus::RINVMSGID, CommandStatus::RTHROTTLED];

struct Request {
    is_query: bool,
    /// The connection of the bind that it names.
    named: Option<ConnectionId>,
    /// Until when it may be sent.
    until: Instant,
    /// How often a session has encoded it.
    sent: usize,
    /// How often the SMSC has received it.
    received: usize,
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
    pub(crate) fn record_sent(&mut self, at: Instant, index: usize, connection: ConnectionId) {
        let request = &mut self.all[index];
        assert!(request.result.is_none(), "request {index} is sent after its outcome");
        assert!(at < request.until, "request {index} is sent after its deadline");
        assert!(!request.withdrawn, "request {index} is sent after it was withdrawn");
        assert!(
            request.named.is_none_or(|named| named == connection),
            "request {index} goes on another bind"
        );
        request.sent += 1;
    }

    pub(crate) fn record_received(&mut self, index: usize) {
        let request = &mut self.all[index];
        request.received += 1;
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
    /// Asks about a message.
    pub(crate) fn ask(&mut self) {
        let now = self.context.now;
        let index = self.requests.all.len();
        let id = index.to_string();
        let message_id = COctets::new(id.as_bytes()).expect("short");
        let operation = self.context.rng.index(3);
        let mut request = match operation {
            0 => MessageRequest::query_sm(&QuerySm { message_id, ..QuerySm::default() }),
            1 => MessageRequest::cancel_sm(&CancelSm { message_id, ..CancelSm::default() }),
            _ => MessageRequest::replace_sm(&ReplaceSm { message_id, ..ReplaceSm::default() }),
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
            named,
            until: now + within,
            sent: 0,
            received: 0,
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
                let id = response.query_sm_resp().map(|response| response.message_id.to_string());
                assert_eq!(
                    id,
                    request.is_query.then(|| index.to_string()),
                    "the response to request {index}"
                );
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
                format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned()
            }
        };
        request.result = Some(result.map(drop));
        self.context.count(|| format!("request {kind}"));
    }
}
