//! Octets, time and the ends of connections go in; requests of the ESMEs come out.

use super::connection::{BindRefusal, ConnectionId};
use super::event::Inbound;
use super::state::{Connection, Server};
use crate::pdu::{CommandStatus, Operation};
use crate::session::{CloseReason, Event as SessionEvent, Observer, Refusal, Reply, Request};
use crate::time::Instant;

/// How many undecided binds one call of [`Server::handle_timeout`] refuses at most.
const SLICE: usize = 256;

impl<O: Observer> Server<O> {
    /// Reads PDUs of a connection from the front of `input` until one is for the application, and advances `input` past what
    /// it has read.
    ///
    /// Call it until it returns `None`. Keep what is then left in `input`: see
    /// [`Session::handle_input`](crate::session::Session::handle_input).
    pub fn handle_input<'b>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        input: &mut &'b [u8],
    ) -> Option<Inbound<'b>> {
        if self.registry.is_unidentified(connection) {
            return None;
        }
        loop {
            let Some(open) = self.find(connection) else {
                *input = &[];
                return None;
            };
            match open.session.handle_input(now, input) {
                Some(SessionEvent::Request { request: Request::Bind(bind, reply), frame, .. }) => {
                    self.begin_decision(now, connection, &bind, reply);
                    return Some(Inbound::Bind { bind, frame });
                }
                Some(SessionEvent::Request { request, frame, quirks }) => {
                    let is_metered = open.meter.is_some() || self.registry.has_account_rates();
                    if is_metered && !self.take_rate(now, connection, &request) {
                        self.throttle(connection, request);
                        continue;
                    }
                    return Some(Inbound::Request { request, frame, quirks });
                }
                Some(event) => {
                    if let Some(other) = self.handle_session_event(now, connection, event) {
                        self.settle(now, connection, false);
                        return Some(Inbound::Other(other));
                    }
                }
                None => {
                    self.record_input(connection, input.len());
                    self.settle(now, connection, false);
                    return None;
                }
            }
        }
    }

    /// Counts a request against the rate limits. Returns whether it is within them.
    fn take_rate(&mut self, now: Instant, connection: ConnectionId, request: &Request<'_>) -> bool {
        let messages = match request {
            Request::SubmitMulti(message, _) => message.recipients(),
            Request::SubmitSm(..) | Request::DataSm(..) | Request::BroadcastSm(..) => 1,
            _ => return true,
        };
        let slot = self.connections.get_mut(connection.index());
        let Some(open) = slot.and_then(|slot| slot.as_deref_mut()) else { return true };
        let is_within = self.registry.take_rate(now, connection, open.meter.as_deref_mut(), messages);
        if is_within {
            open.is_throttled = false;
        }
        is_within
    }

    /// Refuses a message above a rate limit.
    #[cold]
    fn throttle(&mut self, connection: ConnectionId, request: Request<'_>) {
        let status = self.registry.options().rate_status;
        let Some(open) = self.find(connection) else { return };
        refuse_with(open, request, status);
        if !core::mem::replace(&mut open.is_throttled, true) {
            self.registry.throttled(connection);
        }
    }

    /// Responds to a request, now or later: see [`Session::respond`](crate::session::Session::respond).
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] if the session has ended. The ESME has no response, and may send the request again.
    pub fn respond<P: Operation>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        let open = self.find(connection).ok_or(Refusal::Closed(CloseReason::Disconnected))?;
        let responded = open.session.at(now, |session| session.respond(reply, result));
        let is_settled = open.is_settled() && !self.registry.has_assignments();
        if !is_settled {
            self.settle(now, connection, false);
        }
        responded
    }

    /// Refuses a request with a status and a body: see
    /// [`Session::respond_with_reason`](crate::session::Session::respond_with_reason).
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_with_reason<P: Operation>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reply: Reply<P>,
        status: CommandStatus,
        body: &P::Response<'_>,
    ) -> Result<(), Refusal> {
        let open = self.find(connection).ok_or(Refusal::Closed(CloseReason::Disconnected))?;
        let responded = open.session.at(now, |session| session.respond_with_reason(reply, status, body));
        self.settle(now, connection, false);
        responded
    }

    /// Refuses a request that the application does not support: see
    /// [`Session::refuse`](crate::session::Session::refuse).
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn refuse(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: Request<'_>,
    ) -> Result<(), Refusal> {
        let open = self.find(connection).ok_or(Refusal::Closed(CloseReason::Disconnected))?;
        let responded = open.session.at(now, |session| session.refuse(request));
        self.settle(now, connection, false);
        responded
    }

    /// Reports that the transport has accepted `octets`: see
    /// [`Session::handle_transmitted`](crate::session::Session::handle_transmitted).
    pub fn handle_transmitted(&mut self, now: Instant, connection: ConnectionId, octets: usize) {
        let Some(open) = self.find(connection) else { return };
        open.session.handle_transmitted(octets);
        self.settle(now, connection, false);
    }

    /// Reports that the ESME has closed its side of the connection: see
    /// [`Session::handle_eof`](crate::session::Session::handle_eof).
    pub fn handle_eof(&mut self, now: Instant, connection: ConnectionId) {
        let Some(open) = self.find(connection) else { return };
        open.session.handle_eof();
        self.handle_connection_timeout(now, connection);
    }

    /// Reports that a connection is closed: after [`Action::Close`](super::Action::Close), or because its transport has failed.
    pub fn handle_closed(&mut self, now: Instant, connection: ConnectionId) {
        let Some(open) = self.find(connection) else { return };
        open.session.handle_disconnect();
        self.handle_connection_timeout(now, connection);
        self.forget(connection);
        self.advance_shutdown();
    }

    /// Acts on the timers of a session that are due. Call it only once the octets that have arrived have been passed in.
    pub fn handle_connection_timeout(&mut self, now: Instant, connection: ConnectionId) {
        while let Some(event) = self.find(connection).and_then(|open| open.session.handle_timeout(now)) {
            self.handle_session_event(now, connection, event);
        }
        self.settle(now, connection, false);
        self.advance_shutdown();
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout); `None` if no timer runs. Each call of another method may
    /// change it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.registry.poll_timeout(), self.shutdown_timeout()].into_iter().flatten().min()
    }

    /// Runs the timers that are due: binds without a decision, deliveries, the shutdown. It handles a limited number; call it
    /// until [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..SLICE {
            let Some(connection) = self.registry.poll_undecided(now) else { break };
            // It returns the refusal.
            let _ = self.decide_for(now, connection, Err(BindRefusal::Undecided));
        }
        self.registry.handle_timeout(now);
        self.dispatch(now, None);
        self.continue_shutdown(now);
    }
}

/// Refuses a message with a status. It fails if the session has ended: then no response is needed.
fn refuse_with<O: Observer>(open: &mut Connection<O>, request: Request<'_>, status: CommandStatus) {
    let session = &mut open.session;
    let _ = match request {
        Request::SubmitSm(_, reply) => session.respond(reply, Err(status)),
        Request::SubmitMulti(_, reply) => session.respond(reply, Err(status)),
        Request::DataSm(_, reply) => session.respond(reply, Err(status)),
        Request::BroadcastSm(_, reply) => session.respond(reply, Err(status)),
        other => session.refuse(other),
    };
}
