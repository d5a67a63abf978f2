//! Sending requests about messages, each once, until it has an outcome.

use core::cmp::Reverse;

use super::event::Event;
use super::link::{BindId, LinkId};
use super::link_slot::Tag;
use super::message_request::{MessageRequest, MessageRequestError, RequestNotSentReason, RequestNumber};
use super::state::{Account, Shutdown};
use crate::pdu::{CancelSm, CommandId, Pdu, QuerySm, ReplaceSm};
use crate::session::{self, NotSentReason, Observer, Operations, Readiness, Response, State};
use crate::time::Instant;

/// Before all requests that wait.
const FIRST: (Option<BindId>, RequestNumber) = (None, RequestNumber(0));

impl<O: Observer> Account<O> {
    /// Accepts a request about a message that the SMSC has, and sends it as soon as a bind has a free place in its window:
    /// before the messages that wait, and also while they are throttled.
    ///
    /// The account emits one [`Event::RequestOutcome`] for it. It sends the request once; only a request that was never
    /// transmitted, because its bind ended first, goes to another bind.
    ///
    /// A request that names no bind goes on the bind that sent its message, as long as the account tracks the receipts of the
    /// message and that bind is bound. Otherwise any bind sends it.
    ///
    /// ```
    /// use smpp_proto::account::{Account, Credentials, MessageRequest, Options, RequestNotSentReason};
    /// use smpp_proto::provider::Provider;
    /// use smpp_proto::session::{Instant, NotSentReason};
    /// use smpp_proto::{COctets, CommandId, QuerySm};
    ///
    /// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
    /// let mut account = Account::<()>::new(options, Instant::ZERO)?;
    /// let query = QuerySm { message_id: COctets::new(b"2130747826")?, ..QuerySm::default() };
    /// let refused = account.request(Instant::ZERO, &MessageRequest::query_sm(&query)).unwrap_err();
    /// let unsupported = NotSentReason::Unsupported(CommandId::QUERY_SM);
    /// assert_eq!(refused, RequestNotSentReason::Request(unsupported), "8x8 takes no query_sm");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestNotSentReason`] says why the account did not accept the request. There is no event then.
    pub fn request(
        &mut self,
        now: Instant,
        request: &MessageRequest,
    ) -> Result<RequestNumber, RequestNotSentReason> {
        let command = request.command();
        if !matches!(self.shutdown, Shutdown::Running) {
            return Err(RequestNotSentReason::ShutDown);
        }
        if self.stopped.is_some() && self.cannot_send() {
            return Err(RequestNotSentReason::Stopped);
        }
        if !self.options.session.operations.contains(Operations::of(command)) {
            return Err(RequestNotSentReason::Request(NotSentReason::Unsupported(command)));
        }
        if self.requests.is_full() {
            return Err(RequestNotSentReason::Full);
        }
        let bind = request.bind.or_else(|| self.bind_of_message(&request.pdu()));
        let number = self.requests.push(now, request.clone(), bind);
        self.advance(now);
        Ok(number)
    }

    /// Withdraws a request that was not sent: it ends with [`RequestNotSentReason::Withdrawn`]. A request that is in flight gets
    /// its response, or none, as always.
    pub fn withdraw_request(&mut self, now: Instant, request: RequestNumber) {
        if self.requests.waiting(request).is_some() {
            self.end_request(request, RequestNotSentReason::Withdrawn);
        }
        self.advance(now);
    }

    /// Sends the requests that wait, and ends those that cannot be sent any more. Once a bind can send none, or no bind can, the
    /// others that wait for it wait on.
    pub(super) fn dispatch_requests(&mut self, now: Instant) {
        if !self.requests.any_waits() {
            return;
        }
        if self.stopped.is_some() && self.cannot_send() {
            return self.end_waiting_requests(RequestNotSentReason::Stopped);
        }
        while let Some(number) = self.requests.next_expired(now) {
            self.end_request(number, RequestNotSentReason::Expired);
        }
        let mut last = FIRST;
        while let Some((bind, number)) = self.requests.next_waiting(last) {
            match self.send_request(now, number) {
                Ok(true) => last = (bind, number),
                Ok(false) => last = (bind, RequestNumber(u64::MAX)),
                Err(reason) => self.end_request(number, reason),
            }
        }
    }

    /// Sends a request that waits, if a bind can send it now. Returns whether the next one for the same bind can perhaps be sent, and
    /// an error if no bind can send this one any more.
    fn send_request(&mut self, now: Instant, number: RequestNumber) -> Result<bool, RequestNotSentReason> {
        let Some(pending) = self.requests.waiting(number) else { return Ok(true) };
        let command = pending.request.command();
        let is_named = pending.request.bind.is_some();
        let link = match pending.bind.map(|bind| self.link_of(now, bind, command)) {
            Some(Err(reason)) if is_named => return Err(reason),
            Some(Ok(link)) => link,
            Some(Err(_)) => {
                self.requests.allow_any_bind(number);
                self.requesting_link(now, command)
            }
            None => self.requesting_link(now, command),
        };
        let Some(pending) = self.requests.waiting(number) else { return Ok(true) };
        let Some(session) = link.and_then(|link| {
            let slot = self.links.get_mut(link.index())?;
            self.touched.add(link, &mut slot.touched);
            slot.session_mut()
        }) else {
            // Perhaps it waits only because the provider does not take it any more.
            return Ok(!self.options.session.operations.contains(Operations::of(command)));
        };
        let tag = Tag::Request(number);
        let sent = match pending.request.pdu() {
            Pdu::QuerySm(request) => session.request(now, &request, tag),
            Pdu::CancelSm(request) => session.request(now, &request, tag),
            Pdu::ReplaceSm(request) => session.request(now, &request, tag),
            // Unreachable: a request has no other constructor.
            _ => return Err(RequestNotSentReason::Request(NotSentReason::Unsupported(command))),
        };
        match sent.map_err(|refused| refused.reason.permanent()) {
            Ok(_) => {
                self.requests.set_in_flight(number, true);
                Ok(true)
            }
            // The refusal concerns the bind, not the request: it waits for another one.
            Err(
                None | Some(NotSentReason::State(_) | NotSentReason::Closing(_) | NotSentReason::Closed(_)),
            ) => Ok(false),
            Err(Some(reason)) => Err(RequestNotSentReason::Request(reason)),
        }
    }

    /// Returns the bind that sent the message of a request, if the account tracks the message and the bind is bound.
    fn bind_of_message(&self, request: &Pdu<'_>) -> Option<BindId> {
        let (Pdu::QuerySm(QuerySm { message_id, .. })
        | Pdu::CancelSm(CancelSm { message_id, .. })
        | Pdu::ReplaceSm(ReplaceSm { message_id, .. })) = request
        else {
            return None;
        };
        let short = self.receipts.bind(message_id.as_bytes())?;
        let slot = self.links.get(short.link().index())?;
        let bind = BindId::new(short.link(), slot.generation);
        slot.transmitter().filter(|_| bind.short() == short).map(|_| bind)
    }

    /// Returns the link of a bind if it can send a request now; an error if it never can.
    fn link_of(
        &self,
        now: Instant,
        bind: BindId,
        command: CommandId,
    ) -> Result<Option<LinkId>, RequestNotSentReason> {
        let slot = self.links.get(bind.link().index()).filter(|link| link.holds(bind));
        let Some(session) = slot.and_then(|link| link.session()) else {
            return Err(RequestNotSentReason::BindEnded);
        };
        match session.state() {
            state @ State::Bound(mode) if !mode.transmits() => {
                Err(RequestNotSentReason::Request(NotSentReason::State(state)))
            }
            State::Bound(_) => {
                let is_ready = matches!(session.readiness_after(now, 0, command), Readiness::Ready { .. });
                Ok(is_ready.then_some(bind.link()))
            }
            _ => Err(RequestNotSentReason::BindEnded),
        }
    }

    /// Returns the bind that can send a request now and has the most capacity in its window; of several, the first. It looks at the
    /// one that has the most capacity for messages, and at those that send no messages for now because of a pause or a rate limit.
    fn requesting_link(&mut self, now: Instant, command: CommandId) -> Option<LinkId> {
        self.refresh_links(now);
        let takes_messages = self.options.session.operations.contains(Operations::of(self.message_command()));
        let capacity = |link: LinkId| {
            #[cfg(test)]
            self.link_index.visits.set(self.link_index.visits.get() + 1);
            match self.links.get(link.index())?.session()?.readiness_after(now, 0, command) {
                Readiness::Ready { capacity } => Some((capacity, Reverse(link))),
                Readiness::Refusing(_) => None,
            }
        };
        let best = if takes_messages {
            let paused = self.wakes.iter().map(|(_, link)| *link);
            self.queue.ready().least_loaded().into_iter().chain(paused).filter_map(capacity).max()
        } else {
            self.link_ids().filter_map(capacity).max()
        };
        best.map(|(_, Reverse(link))| link)
    }

    /// Handles the outcome of a request that was in flight.
    pub(super) fn handle_request_outcome(&mut self, number: RequestNumber, outcome: session::Outcome<'_>) {
        let result = match outcome {
            session::Outcome::Accepted(response) => Ok(response.into_owned()),
            session::Outcome::Refused { status, response } => {
                Err(MessageRequestError::Refused { status, response: response.into_refused() })
            }
            session::Outcome::Nacked(status) => Err(MessageRequestError::Nacked(status)),
            session::Outcome::Unanswered(reason) => Err(MessageRequestError::Unanswered(reason)),
            session::Outcome::NeverSent(_) => {
                self.requests.set_in_flight(number, false);
                if !matches!(self.shutdown, Shutdown::Running | Shutdown::Draining { .. }) {
                    self.end_request(number, RequestNotSentReason::ShutDown);
                }
                // Otherwise it waits for another bind, or ends because the bind that it names has ended.
                return;
            }
        };
        self.finish_request(number, result);
    }

    /// Ends all requests that wait to be sent.
    pub(super) fn end_waiting_requests(&mut self, reason: RequestNotSentReason) {
        while let Some((_, number)) = self.requests.next_waiting(FIRST) {
            self.end_request(number, reason);
        }
    }

    fn end_request(&mut self, number: RequestNumber, reason: RequestNotSentReason) {
        self.finish_request(number, Err(MessageRequestError::NeverSent(reason)));
    }

    fn finish_request(&mut self, request: RequestNumber, result: Result<Response, MessageRequestError>) {
        if self.requests.remove(request).is_some() {
            self.emit(Event::RequestOutcome { request, result });
        }
    }
}
