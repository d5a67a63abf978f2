//! Connecting, binding and reconnecting, and the octets of each connection.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::event::{Action, Event};
use super::link::{BindId, ConnectFailure, LinkEvent, LinkId};
use super::link_slot::{LinkSlot, OpenLink, Phase, Tag};
use super::options::{Binds, OptionsError};
use super::state::{Account, Shutdown, UnboundBackoff};
use crate::frame::Frame;
use crate::pdu::BindMode;
use crate::provider::BindAction;
use crate::session::{self, CloseReason, Esme, Observer, RequestError, Session, State};
use crate::time::Instant;

/// How long the SMSC may count the messages of a closed bind against the rate limit of the next.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// The most octets of the text in [`LinkEvent::ConnectFailed`] and [`LinkEvent::ResolveFailed`].
const MAX_DETAIL: usize = 200;

impl<O: Observer> Account<O> {
    /// Changes how many binds the account keeps. It makes more, or unbinds those with the highest ids once the SMSC has
    /// responded to what they have in flight.
    ///
    /// A change between transceivers and pairs ends the binds whose mode differs.
    ///
    /// # Errors
    ///
    /// [`OptionsError::NoBinds`] and [`OptionsError::TooManyBinds`]; the account then keeps its binds.
    pub fn set_binds(&mut self, now: Instant, binds: Binds) -> Result<(), OptionsError> {
        self.options.check_binds(binds)?;
        self.options.binds = binds;
        self.advance(now);
        Ok(())
    }

    pub(super) fn session(&mut self, link: LinkId) -> Option<&mut Session<Esme, Tag, O>> {
        self.links.get_mut(link.index())?.session_mut()
    }

    pub(super) fn generation(&self, link: LinkId) -> Option<u64> {
        Some(self.links.get(link.index())?.generation)
    }

    /// Returns the session with this generation, unless it has ended.
    pub(super) fn session_of(&mut self, link: LinkId, generation: u64) -> Option<&mut Session<Esme, Tag, O>> {
        self.links.get_mut(link.index()).filter(|link| link.generation == generation)?.session_mut()
    }

    /// Returns whether the account keeps a bind in this slot.
    fn is_wanted(&self, link: LinkId) -> bool {
        let is_open = matches!(self.shutdown, Shutdown::Running | Shutdown::Draining { .. });
        is_open && self.stopped.is_none() && link.0 < self.options.binds.count()
    }

    fn configured_mode(&self, link: LinkId) -> BindMode {
        self.options.binds.mode(link.0)
    }

    fn any_bound(&self) -> bool {
        self.links.iter().any(LinkSlot::is_bound)
    }

    /// Returns whether the account has stopped and no bind is left that could send.
    pub(super) fn cannot_send(&self) -> bool {
        let may_send = |link: &LinkSlot<O>| matches!(&link.phase, Phase::Open(open) if open.mode.transmits());
        self.stopped.is_some() && !self.links.iter().any(may_send)
    }

    fn link_ids(&self) -> impl Iterator<Item = LinkId> + use<O> {
        (0..self.options.max_binds).map(LinkId)
    }

    /// Ends the connections that are not wanted, and starts those that are due.
    pub(super) fn start_links(&mut self, now: Instant) {
        for link in self.link_ids() {
            self.end_unwanted(now, link);
        }
        self.handle_ended_sessions(now);
        while let Some((at, link)) = self.next_start()
            && at <= now
        {
            if let Some(link) = self.links.get_mut(link.index()) {
                link.phase = Phase::Resolving;
            }
            self.next_start = now + self.options.connect_interval;
            self.actions.push_back(Action::Resolve { link });
        }
    }

    fn end_unwanted(&mut self, now: Instant, id: LinkId) {
        let (wanted, mode) = (self.is_wanted(id), self.configured_mode(id));
        let is_shut_down = matches!(self.shutdown, Shutdown::Unbinding { .. } | Shutdown::Closed);
        // Existing binds stay when the SMSC refuses the credentials of a new one.
        let is_stopped = self.stopped.is_some() && id.0 < self.options.binds.count();
        let Some(link) = self.links.get_mut(id.index()) else { return };
        match &mut link.phase {
            Phase::Resolving | Phase::Connecting { .. } if !wanted => {
                link.phase = Phase::Closing { untried: VecDeque::new() };
                self.actions.push_back(Action::Close { link: id });
            }
            Phase::Open(open) if is_shut_down || !(is_stopped || wanted && open.mode == mode) => {
                open.untried.clear();
                if open.session.state() != State::Unbinding && open.session.state() != State::Closed {
                    open.session.unbind(now);
                }
            }
            _ => {}
        }
    }

    /// Returns which connection starts next, and when.
    fn next_start(&self) -> Option<(Instant, LinkId)> {
        let is_busy = |link: &LinkSlot<O>| !link.is_idle() && !link.is_bound();
        if !self.any_bound() && self.links.iter().any(is_busy) {
            // Without a bind, only one connection at a time probes the host.
            return None;
        }
        let wanted =
            self.link_ids().zip(&self.links).filter(|(id, link)| link.is_idle() && self.is_wanted(*id));
        let earliest =
            if self.any_bound() { self.next_start } else { self.next_start.max(self.unbound_backoff.until) };
        wanted.map(|(id, link)| (link.ready_at.max(earliest), id)).min()
    }

    pub(super) fn next_link_start(&self) -> Option<Instant> {
        self.next_start().map(|(at, _)| at)
    }

    /// Handles the result of [`Action::Resolve`]: the host's addresses, or the error in words. Without an address the account
    /// backs off. The event has the first 200 octets of the error.
    pub fn handle_resolved(&mut self, now: Instant, link: LinkId, resolved: Result<&[SocketAddr], &str>) {
        if self.is_in_phase(link, |phase| matches!(phase, Phase::Resolving)) {
            let (addresses, detail) = match resolved {
                Ok(addresses) => (addresses, "it has no address"),
                Err(detail) => (&[][..], detail),
            };
            let mut untried = VecDeque::new();
            // The address of the last accepted bind goes first.
            let good = addresses.iter().filter(|address| Some(**address) == self.last_good_address);
            for address in good.chain(addresses) {
                if !untried.contains(address) {
                    untried.push_back(*address);
                }
            }
            if !self.connect(link, untried) {
                let retry_at = self.back_off(now, link);
                self.emit(Event::Link {
                    link,
                    event: LinkEvent::ResolveFailed { detail: shorten(detail), retry_at },
                });
            }
        }
        self.advance(now);
    }

    /// Connects to the first of the addresses. Without one, makes the slot idle and returns false.
    fn connect(&mut self, id: LinkId, mut untried: VecDeque<SocketAddr>) -> bool {
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let Some(address) = untried.pop_front() else {
            link.phase = Phase::Idle;
            return false;
        };
        link.phase = Phase::Connecting { address, untried };
        self.actions.push_back(Action::Connect { link: id, address });
        true
    }

    /// Handles an open connection, TLS included: the account sends its bind. The observer sees every PDU of it.
    ///
    /// Returns `false` if the account does not need the connection any more: close it, then call
    /// [`handle_closed`](Self::handle_closed).
    pub fn handle_connected(&mut self, now: Instant, id: LinkId, observer: O) -> bool {
        let mode = self.configured_mode(id);
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let Phase::Connecting { address, untried } = &mut link.phase else { return false };
        let mut session = Session::with_observer(self.options.session, now, observer);
        if let Ok(bind) = self.options.credentials.bind(mode, self.options.interface_version) {
            // A new session accepts a bind. If it did not, the end of the session would report it.
            let _ = session.request(now, &bind, Tag::Bind);
        }
        let (address, untried) = (*address, core::mem::take(untried));
        link.generation += 1;
        link.phase = Phase::Open(Box::new(OpenLink {
            session,
            mode,
            address,
            untried,
            bound_at: None,
            bind_failed: false,
            timed_out: VecDeque::new(),
        }));
        self.advance(now);
        true
    }

    /// Handles a connection attempt that failed: the account tries the host's next address, or backs off. `detail` is the
    /// error in words, for example that of the operating system. The event has its first 200 octets.
    pub fn handle_connect_failed(&mut self, now: Instant, id: LinkId, failure: ConnectFailure, detail: &str) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        if let Phase::Connecting { address, untried } = &mut link.phase {
            let (address, untried) = (*address, core::mem::take(untried));
            let retry_at = if self.connect(id, untried) { None } else { Some(self.back_off(now, id)) };
            self.emit(Event::Link {
                link: id,
                event: LinkEvent::ConnectFailed { address, failure, detail: shorten(detail), retry_at },
            });
        }
        self.advance(now);
    }

    fn is_in_phase(&self, link: LinkId, phase: impl Fn(&Phase<O>) -> bool) -> bool {
        self.links.get(link.index()).is_some_and(|link| phase(&link.phase))
    }

    /// Handles octets from the peer, and removes what it has read from `input`: an incomplete PDU stays there. It reads
    /// nothing while the connection does not [want input](Self::wants_input).
    pub fn handle_input(&mut self, now: Instant, link: LinkId, input: &mut &[u8]) {
        while let Some(event) = self.session(link).and_then(|session| session.handle_input(now, input)) {
            self.handle_session_event(now, link, event);
        }
        self.expire_receipts(now);
        self.advance(now);
    }

    /// Runs the timers of one connection. Call it once all octets that have arrived have been passed in: otherwise a
    /// response that is there already may count as a timeout.
    pub fn handle_link_timeout(&mut self, now: Instant, link: LinkId) {
        while let Some(event) = self.session(link).and_then(|session| session.handle_timeout(now)) {
            self.handle_session_event(now, link, event);
        }
        self.advance(now);
    }

    /// Frees the memory of empty buffers and tables: of one connection, see [`Session::shrink`], and of the account.
    pub fn shrink(&mut self, link: LinkId) {
        self.actions.shrink_to_fit();
        self.events.shrink_to_fit();
        if let Some(session) = self.session(link) {
            session.shrink();
        }
    }

    /// Records that the transport has taken this many of the octets that [`poll_transmit`](Self::poll_transmit) returned.
    pub fn handle_transmitted(&mut self, now: Instant, link: LinkId, octets: usize) {
        if let Some(session) = self.session(link) {
            session.handle_transmitted(octets);
        }
        self.advance(now);
    }

    /// Handles the end of the stream: the SMSC has closed its side of the connection. Responses of the application are still
    /// transmitted: see [`Session::handle_eof`].
    pub fn handle_eof(&mut self, now: Instant, link: LinkId) {
        if let Some(session) = self.session(link) {
            session.advance_clock(now);
            session.handle_eof();
            // Dates the end of the stream, as in a response.
            session.advance_clock(now);
        }
        self.advance(now);
    }

    /// Handles the failure of a connection: no more octets arrive or leave.
    pub fn handle_disconnect(&mut self, now: Instant, link: LinkId) {
        if let Some(session) = self.session(link) {
            session.handle_disconnect();
        }
        self.advance(now);
    }

    /// Handles a connection that has been closed, after [`Action::Close`] or without it: the slot is free for the next
    /// connection.
    pub fn handle_closed(&mut self, now: Instant, id: LinkId) {
        // Without a preceding `Action::Close` the connection was lost: the action is not needed any more.
        self.handle_disconnect(now, id);
        self.actions.retain(|action| *action != Action::Close { link: id });
        let wanted = self.is_wanted(id);
        if let Some(link) = self.links.get_mut(id.index())
            && let Phase::Closing { untried } = &mut link.phase
        {
            let untried = core::mem::take(untried);
            self.connect(id, if wanted { untried } else { VecDeque::new() });
        }
        self.advance(now);
    }

    /// Appends the octets to transmit to `out`, and returns whether there were any.
    pub fn poll_transmit(&mut self, link: LinkId, out: &mut Vec<u8>) -> bool {
        self.session(link).is_some_and(|session| session.poll_transmit(out))
    }

    /// Returns whether there are octets to transmit.
    pub fn wants_transmit(&self, link: LinkId) -> bool {
        let session = self.links.get(link.index()).and_then(LinkSlot::session);
        session.is_some_and(Session::wants_transmit)
    }

    /// Returns whether the adapter should read from the connection: see [`Session::wants_input`].
    pub fn wants_input(&self, link: LinkId) -> bool {
        self.links.get(link.index()).and_then(LinkSlot::session).is_some_and(Session::wants_input)
    }

    /// Handles the last events of the sessions that have ended.
    fn handle_ended_sessions(&mut self, now: Instant) {
        for link in self.link_ids() {
            while let Some(event) = self
                .session(link)
                .filter(|session| session.state() == State::Closed)
                .and_then(|session| session.handle_timeout(now))
            {
                self.handle_session_event(now, link, event);
            }
        }
    }

    fn handle_session_event(&mut self, now: Instant, link: LinkId, event: session::Event<'_, Tag>) {
        match event {
            session::Event::Outcome { tag: Tag::Segment(segment), sequence, outcome } => {
                self.handle_submit_outcome(now, (link, sequence), segment, outcome);
            }
            session::Event::Outcome { tag: Tag::Request(request), outcome, .. } => {
                self.handle_request_outcome(request, outcome);
            }
            session::Event::LateResponse { sequence, outcome } => {
                self.handle_late_outcome(now, (link, sequence), outcome);
            }
            session::Event::Outcome { tag: Tag::Bind, outcome, .. } => match outcome {
                session::Outcome::Accepted(_) => self.handle_bound(now, link),
                other => {
                    if let Err(error) = other.into_result() {
                        self.handle_bind_failed(now, link, error);
                    }
                }
            },
            session::Event::Request { request, frame, .. } => self.handle_request(now, link, request, frame),
            session::Event::Notification { frame, .. } => {
                if let Some(frame) = Frame::new(frame.octets().to_vec()) {
                    self.emit(Event::Notification { frame });
                }
            }
            session::Event::PeerUnbind => self.emit(Event::Link { link, event: LinkEvent::PeerUnbind }),
            session::Event::Closed(reason) => self.handle_session_closed(now, link, reason),
            // The session has responded to it, and counts it in its statistics.
            _ => {}
        }
    }

    fn handle_bound(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let bind = BindId::new(id, link.generation);
        let Phase::Open(open) = &mut link.phase else { return };
        open.bound_at = Some(now);
        open.untried.clear();
        let event = LinkEvent::Bound { bind, mode: open.mode, address: open.address };
        self.last_good_address = Some(open.address);
        self.emit(Event::Link { link: id, event });
    }

    fn handle_bind_failed(&mut self, now: Instant, id: LinkId, error: RequestError) {
        let Some(Phase::Open(open)) = self.links.get_mut(id.index()).map(|link| &mut link.phase) else {
            return;
        };
        open.bind_failed = true;
        let address = open.address;
        let received = open.session.diagnose_bind(&error);
        match error {
            // Another address of the host may answer.
            RequestError::Unanswered(_) | RequestError::NeverSent(_) => open.session.abort(),
            RequestError::Refused { .. } | RequestError::Nacked(_) => {
                open.untried.clear();
                open.session.unbind(now);
            }
        }
        self.emit(Event::Link {
            link: id,
            event: LinkEvent::BindRefused { address, error: error.clone(), received },
        });
        if let RequestError::Refused { status, response } = error
            && self.options.statuses.bind_action(status) == BindAction::Stop
            && self.stopped.is_none()
        {
            self.stopped = Some(status);
            self.emit(Event::Stopped { status, response });
        }
    }

    fn handle_session_closed(&mut self, now: Instant, id: LinkId, reason: CloseReason) {
        let wanted = self.is_wanted(id);
        let reset_after = self.options.backoff.reset_after;
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let Phase::Open(open) = &mut link.phase else { return };
        let (address, untried) = (open.address, core::mem::take(&mut open.untried));
        if open.bound_at.is_some_and(|since| now - since >= reset_after) {
            link.failures = 0;
            self.unbound_backoff.failures = 0;
        }
        let (reconnects, is_planned) =
            (wanted && untried.is_empty(), reason == CloseReason::Unbound && !open.bind_failed);
        if self.options.session.rate.is_some() {
            link.paused_until = link.paused_until.max(now + RATE_PERIOD);
        }
        link.last_end = reason;
        link.phase = Phase::Closing { untried };
        let bind = BindId::new(id, link.generation);
        let retry_at = match reconnects {
            true if is_planned => Some(now),
            true => Some(self.back_off(now, id)),
            false => None,
        };
        self.end_named(now, bind);
        self.actions.push_back(Action::Close { link: id });
        self.emit(Event::Link { link: id, event: LinkEvent::Closed { address, reason, retry_at } });
    }

    /// Records a failure, and returns when the slot reconnects. While the account has no bind, all slots wait: what made
    /// one of them fail probably affects the others too.
    fn back_off(&mut self, now: Instant, id: LinkId) -> Instant {
        let random = self.next_random();
        let backoff = self.options.backoff;
        let is_unbound = !self.any_bound();
        let shared = self.unbound_backoff.failures;
        let Some(link) = self.links.get_mut(id.index()) else { return now };
        let failures = if is_unbound { link.failures.max(shared) } else { link.failures };
        link.failures = failures.saturating_add(1);
        link.ready_at = now + backoff.delay(link.failures, random);
        if is_unbound {
            self.unbound_backoff = UnboundBackoff { until: link.ready_at, failures: link.failures };
        }
        link.ready_at
    }

    /// Returns the next random number (splitmix64).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let number = self.random;
        let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }
}

/// Returns at most the first [`MAX_DETAIL`] octets of the text, up to the end of a character.
fn shorten(text: &str) -> Box<str> {
    let end = (0..=MAX_DETAIL).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().into()
}
