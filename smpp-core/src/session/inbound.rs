//! PDUs that the peer sends.

use core::time::Duration;

use super::Session;
use super::close_reason::CloseReason;
use super::event::Event;
use super::observer::{Direction, ObservedPdu, Observer};
use super::outcome::{Outcome, UnansweredReason};
use super::rate_limiter::Load;
use super::rejected::{RejectedPdu, RejectedPduReason};
use super::request::{ReadDelivery, Reply, Taken, TakenAcceptance, TakenDelivery};
use super::response::Response;
use super::role::{Role, Side};
use super::shutdown::Shutdown;
use super::timers::Timer;
use super::window::Entry;
use crate::diagnosis::ReceivedInstead;
use crate::frame::{self, Frame, Header, SequenceNumber};
use crate::pdu::{BindMode, CommandId, CommandStatus, Pdu, SubmitSm};
use crate::time::Instant;
use crate::tlv::Tlvs;
use crate::wire::{DecodeError, DecodeErrorKind, Tolerance};

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Reads PDUs from the front of `input` until one causes an event, and advances `input` past what it has read.
    ///
    /// Call it until it returns `None`. Keep what is then left in `input`: it is the beginning of a PDU and needs more
    /// octets, or the session does not read now ([`wants_input`](Self::wants_input)).
    pub fn handle_input<'b>(&mut self, now: Instant, input: &mut &'b [u8]) -> Option<Event<'b, T>> {
        self.advance_clock(now);
        self.has_input = false;
        loop {
            if let Shutdown::Reporting(_) = self.shutdown {
                return self.poll_end();
            }
            if !self.wants_input() {
                self.has_input = !input.is_empty();
                return None;
            }
            match frame::split(input, self.config.max_pdu) {
                Ok(None) => {
                    self.unframed = if input.is_empty() {
                        ReceivedInstead::Nothing
                    } else {
                        ReceivedInstead::IncompletePdu
                    };
                    return None;
                }
                Ok(Some((frame, rest))) => {
                    *input = rest;
                    if let Some(event) = self.handle_frame(frame) {
                        return Some(event);
                    }
                }
                Err(error) => {
                    // Before the bind is accepted, a password may be there.
                    let is_shown = self.state.is_bound() || self.stats.received.total().pdus() == 0;
                    self.observer.rejected(self.now, RejectedPdu::framing(input, is_shown, error));
                    *input = &[];
                    self.unframed = error.received_instead();
                    // The sequence number is unknown, because the position in the stream is lost (SMPP 3.4 §4.3.1).
                    self.nack(CommandStatus::RINVCMDLEN, SequenceNumber(0));
                    self.flush(CloseReason::Framing(error));
                }
            }
        }
    }

    fn nack(&mut self, status: CommandStatus, sequence: SequenceNumber) {
        self.encode::<u8>(CommandId::GENERIC_NACK, status, sequence, None);
    }

    /// Takes the next PDU from the front of `input`, if it has no deviations and is a deliver_sm that `reader` reads something of,
    /// or an accepting submit_sm_resp in time with nothing but a message id: as [`handle_input`](Self::handle_input), without an
    /// [`Event`]. Otherwise it changes nothing.
    #[inline(always)]
    pub(crate) fn take_usual<'b, F: ReadDelivery<'b>>(
        &mut self,
        now: Instant,
        input: &mut &'b [u8],
        reader: &F,
    ) -> Option<Taken<'b, T, F::Read>> {
        let (frame, rest) = frame::split(input, self.config.max_pdu).ok()??;
        if self.shutdown != Shutdown::NotStarted || !self.wants_input() {
            return None;
        }
        let header = frame.header();
        match header.command {
            CommandId::DELIVER_SM if self.refusal_status(CommandId::DELIVER_SM).is_none() => {
                let read = reader.read(&frame.plain_deliver_sm()?)?;
                *input = rest;
                self.take_frame(now, frame, header);
                self.count_unanswered();
                Some(Taken::Delivery(TakenDelivery { read, frame, reply: Reply::new(header) }))
            }
            CommandId::SUBMIT_SM_RESP if header.status.is_ok() => {
                let id = frame.plain_message_id()?;
                if !self.window.is_waiting(header.sequence, CommandId::SUBMIT_SM) {
                    return None;
                }
                *input = rest;
                // The observer may panic: then the request has no response.
                self.take_frame(now, frame, header);
                let Entry { sequence, tag, sent, .. } = self.window.take(header.sequence, |_| true)?;
                self.count_response_time(sent);
                Some(Taken::Acceptance(TakenAcceptance { tag: tag?, sequence, id, frame }))
            }
            _ => None,
        }
    }

    /// Records the arrival of a PDU that is taken.
    #[inline(always)]
    fn take_frame(&mut self, now: Instant, frame: Frame<&[u8]>, header: Header) {
        self.advance_clock(now);
        self.has_input = false;
        self.count_frame(frame, header);
    }

    fn handle_frame<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        self.count_frame(frame, header);
        if header.command.is_response() { self.handle_response(frame) } else { self.handle_request(frame) }
    }

    /// Records that a PDU has arrived.
    #[inline(always)]
    fn count_frame(&mut self, frame: Frame<&[u8]>, header: Header) {
        self.stats.received.count(header.command, header.length as usize);
        self.observer.observe(self.now, Direction::In, ObservedPdu(frame));
        self.last_received = self.now;
        self.is_suspended = false;
        if self.is_activity(header.command) {
            self.last_activity = self.now;
        }
        if self.enquire_link.is_some() {
            // Any PDU proves that the link works (SMPP 3.4 §7.2). The enquire_link_resp may arrive later.
            self.timers.set(Timer::EnquireLinkResponse, None);
            let idle = self.config.keep_alive().filter(|_| self.state.is_bound());
            self.timers.set(Timer::EnquireLink, idle.map(|idle| self.now + idle));
        }
    }

    /// Records a request of the peer that the application is to respond to.
    #[inline]
    fn count_unanswered(&mut self) {
        self.unanswered += 1;
        if self.is_full_of_requests() && !self.timers.is_set(Timer::Backpressure) {
            let due = self.now + self.config.backpressure_timeout;
            self.timers.set(Timer::Backpressure, Some(due));
        }
    }

    /// Takes the next PDU from the front of `input` if it is a submit_sm without deviations that the session of an SMSC accepts.
    /// Returns it with the token that responds to it: as [`handle_input`](Self::handle_input), for a caller that stores the PDU and
    /// decodes it later. The session checks the fields and does not return them, so it costs less than an [`Event`].
    ///
    /// Returns `None` and changes nothing for everything else: then call [`handle_input`](Self::handle_input).
    ///
    /// ```
    /// use smpp_proto::session::{Config, Event, Instant, Request, Session, Smsc};
    /// use smpp_proto::{Bind, BindResp, CommandId, CommandStatus, Frame, Pdu, SequenceNumber, SubmitSm, SubmitSmResp};
    ///
    /// let now = Instant::ZERO;
    /// let mut smsc = Session::<Smsc, ()>::new(Config::default(), now);
    /// let pdus = [Pdu::Bind(Bind::default()), Pdu::SubmitSm(SubmitSm::default())];
    /// let [bind, submit] = [1, 2].map(|number| {
    ///     Frame::encode(&pdus[number - 1], CommandStatus::ROK, SequenceNumber(number as u32)).into_inner()
    /// });
    /// assert!(smsc.take_submit_sm(now, &mut &bind[..]).is_none());
    /// let Some(Event::Request { request: Request::Bind(_, reply), .. }) = smsc.handle_input(now, &mut &bind[..]) else {
    ///     panic!()
    /// };
    /// smsc.respond(reply, Ok(BindResp::default()))?;
    ///
    /// let mut input = &submit[..];
    /// let Some((frame, reply)) = smsc.take_submit_sm(now, &mut input) else { panic!() };
    /// assert!(frame.header().command == CommandId::SUBMIT_SM && input.is_empty());
    /// smsc.respond(reply, Ok(SubmitSmResp::default()))?;
    /// # Ok::<(), smpp_proto::session::Refusal>(())
    /// ```
    #[inline(always)]
    pub fn take_submit_sm<'b>(
        &mut self,
        now: Instant,
        input: &mut &'b [u8],
    ) -> Option<(Frame<&'b [u8]>, Reply<SubmitSm<'static>>)> {
        if R::SIDE != Side::Smsc {
            return None;
        }
        let (frame, rest) = frame::split(input, self.config.max_pdu).ok()??;
        if frame.header().command != CommandId::SUBMIT_SM
            || self.shutdown != Shutdown::NotStarted
            || !self.wants_input()
            || self.refusal_status(CommandId::SUBMIT_SM).is_some()
            || !frame.is_plain_submit_sm()
        {
            return None;
        }
        self.advance_clock(now);
        self.has_input = false;
        *input = rest;
        // Known at compile time, unlike that of the frame.
        let header = Header { command: CommandId::SUBMIT_SM, ..frame.header() };
        self.count_frame(frame, header);
        self.count_unanswered();
        Some((frame, Reply::new(header)))
    }

    #[inline(never)]
    fn handle_request<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        // Moved once, at the end: the fields of a message are many.
        let decoded = frame.into_pdu(self.tolerance(header.command));
        let (pdu, quirks) = match &decoded {
            Ok(decoded) => decoded,
            Err(error) => return Some(self.refuse_undecoded(frame, *error)),
        };
        self.stats.quirks += u64::from(!quirks.is_empty());
        if let Some(status) = self.refusal_status(header.command) {
            self.observe_rejected(frame, RejectedPduReason::Refused(status));
            self.respond_empty(header.command, status, header.sequence);
            self.stats.refused += 1;
            return Some(Event::Refused { frame, status });
        }
        match pdu {
            Pdu::EnquireLink => {
                self.respond_empty(header.command, CommandStatus::ROK, header.sequence);
                return None;
            }
            Pdu::Unbind => return self.handle_unbind(header.sequence),
            Pdu::Bind(bind) => {
                self.bind_in_progress = Some(header.command);
                self.peer_version = Some(bind.interface_version);
            }
            Pdu::Outbind(_) => self.enter_outbound(),
            _ => {}
        }
        if header.command.has_response() {
            self.count_unanswered();
        }
        let Ok((pdu, quirks)) = decoded else { return None };
        Some(Event::of_request(frame, pdu, quirks))
    }

    /// Refuses a request that cannot be decoded.
    #[cold]
    fn refuse_undecoded<'b>(&mut self, frame: Frame<&'b [u8]>, error: DecodeError) -> Event<'b, T> {
        let Header { command, sequence, .. } = frame.header();
        self.observe_rejected(frame, error.into());
        if error.kind == DecodeErrorKind::UnknownCommand {
            self.nack(error.status(), sequence);
        } else {
            let status = self.refusal_status(command).unwrap_or_else(|| error.status());
            self.respond_empty(command, status, sequence);
        }
        self.malformed(frame, error)
    }

    /// Returns which deviations a PDU of this command may have.
    fn tolerance(&self, command: CommandId) -> Tolerance {
        let is_content = command.is_message() || command == CommandId::REPLACE_SM;
        match self.config.tolerance {
            Some(tolerance) => tolerance,
            None if R::SIDE == Side::Smsc && is_content => Tolerance::FAITHFUL,
            None => Tolerance::LENIENT,
        }
    }

    /// Returns the `command_status` with which the session itself refuses a request of the peer, if it does.
    #[inline(always)]
    fn refusal_status(&self, command: CommandId) -> Option<CommandStatus> {
        let allowed = self.state.allows(R::SIDE.peer(), command);
        if command.is_bind() && R::SIDE == Side::Smsc && (!allowed || self.bind_in_progress.is_some()) {
            return Some(CommandStatus::RALYBND);
        }
        let needs_application =
            command.has_response() && !matches!(command, CommandId::ENQUIRE_LINK | CommandId::UNBIND);
        if !allowed {
            Some(CommandStatus::RINVBNDSTS)
        } else if needs_application && self.is_full_of_requests() {
            Some(CommandStatus::RTHROTTLED)
        } else {
            None
        }
    }

    fn handle_unbind<'b>(&mut self, sequence: SequenceNumber) -> Option<Event<'b, T>> {
        match self.shutdown {
            // It crossed our own unbind, which still waits for its response, or the peer repeats it.
            Shutdown::Unbinding(_) | Shutdown::PeerUnbinding(_) | Shutdown::PeerUnbound => {
                self.respond_empty(CommandId::UNBIND, CommandStatus::ROK, sequence);
                None
            }
            _ => {
                self.shutdown = Shutdown::PeerUnbinding(sequence);
                self.timers.set(Timer::Shutdown, Some(self.now + self.config.drain_timeout));
                self.advance();
                Some(Event::PeerUnbind)
            }
        }
    }

    fn handle_response<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        if !frame.is_plain_message_id() {
            return self.handle_other_response(frame);
        }
        let Some(entry) = self.take_request(frame.header()) else {
            return Some(self.unexpected_response(frame, None));
        };
        self.advance();
        Some(self.outcome(entry, Outcome::Accepted(Response::new(frame))))
    }

    /// Reports how a request ended: in time, or late.
    #[inline(always)]
    fn outcome<'b>(&mut self, entry: Entry<T>, outcome: Outcome<'b>) -> Event<'b, T> {
        let Entry { sequence, tag, .. } = entry;
        match tag {
            Some(tag) => Event::Outcome { tag, sequence, outcome },
            None => self.late_response(sequence, outcome),
        }
    }

    #[cold]
    fn late_response<'b>(&mut self, sequence: SequenceNumber, outcome: Outcome<'b>) -> Event<'b, T> {
        self.stats.late_responses += 1;
        Event::LateResponse { sequence, outcome }
    }

    /// Handles a response other than the common one: a submit_sm_resp or deliver_sm_resp with `ESME_ROK`, a message_id
    /// and no TLVs.
    #[inline(never)]
    fn handle_other_response<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        let nack = header.command == CommandId::GENERIC_NACK;
        let answers = |request: CommandId| nack || header.command == request.response();
        let decoded = frame.into_pdu(self.tolerance(header.command));
        self.stats.quirks += u64::from(decoded.is_ok_and(|(_, quirks)| !quirks.is_empty()));
        if let Err(error) = decoded {
            self.observe_rejected(frame, error.into());
        }
        if self.enquire_link == Some(header.sequence) && answers(CommandId::ENQUIRE_LINK) {
            self.enquire_link = None;
            return Some(self.malformed(frame, decoded.err()?));
        }
        if self.unbind == Some(header.sequence) && answers(CommandId::UNBIND) {
            return self.handle_unbind_resp(frame, decoded.err());
        }
        let Some(entry) = self.take_request(header) else {
            return Some(self.unexpected_response(frame, decoded.err()));
        };
        let tlvs = decoded.map_or(Tlvs::EMPTY, |(pdu, _)| pdu.tlvs());
        self.update_load(&entry, header.status, tlvs);
        let bind = self.bind_in_progress.take_if(|bind| *bind == entry.command);
        let (status, response) = (header.status, Response::new(frame));
        let outcome = match decoded {
            // The header alone decides. The body does not matter.
            _ if nack => Outcome::Nacked(status),
            Ok(_) if status.is_ok() => {
                if let (Some(mode), Shutdown::NotStarted) =
                    (bind.and_then(BindMode::from_command), self.shutdown)
                {
                    self.peer_version = tlvs.sc_interface_version();
                    self.enter_bound(mode);
                }
                Outcome::Accepted(response)
            }
            Ok(_) => Outcome::Refused { status, response },
            Err(error) => {
                self.count_malformed();
                // The header is intact: an error status is a refusal, even with a malformed body.
                if status.is_ok() {
                    Outcome::Unanswered(UnansweredReason::Unreadable(error))
                } else {
                    Outcome::Refused { status, response }
                }
            }
        };
        self.advance();
        Some(self.outcome(entry, outcome))
    }

    /// Removes from the window the request that the response belongs to, and records the response time.
    #[inline(always)]
    fn take_request(&mut self, Header { command, sequence, .. }: Header) -> Option<Entry<T>> {
        let nack = command == CommandId::GENERIC_NACK;
        let entry = self.window.take(sequence, |request| nack || command == request.response())?;
        self.count_response_time(entry.sent);
        Some(entry)
    }

    /// Records the response to a request that was sent at this time.
    #[inline(always)]
    fn count_response_time(&mut self, sent: Instant) {
        if self.timers.is_set(Timer::Unresponsive) {
            self.timers.set(Timer::Unresponsive, None);
        }
        self.stats.response_times.count_response(self.time_since(sent));
    }

    /// Returns how long a request has been in flight that was sent at this time, in nanoseconds.
    const fn time_since(&self, sent: Instant) -> u64 {
        self.now.as_nanos().saturating_sub(sent.as_nanos())
    }

    /// Reports a response that matches no request in flight.
    #[cold]
    fn unexpected_response<'b>(
        &mut self,
        frame: Frame<&'b [u8]>,
        error: Option<DecodeError>,
    ) -> Event<'b, T> {
        if let Some(error) = error {
            return self.malformed(frame, error);
        }
        self.stats.unexpected_responses += 1;
        self.observe_rejected(frame, RejectedPduReason::UnexpectedResponse);
        Event::UnexpectedResponse { frame }
    }

    #[cold]
    fn handle_unbind_resp<'b>(
        &mut self,
        frame: Frame<&'b [u8]>,
        error: Option<DecodeError>,
    ) -> Option<Event<'b, T>> {
        self.unbind = None;
        if let Shutdown::Unbinding(reason) = self.shutdown {
            self.flush(reason);
        }
        match error {
            Some(error) => Some(self.malformed(frame, error)),
            None => self.poll_end(),
        }
    }

    /// Slows down if the response says that the peer is overloaded.
    fn update_load(&mut self, entry: &Entry<T>, status: CommandStatus, tlvs: Tlvs<'_>) {
        let is_throttled = status == CommandStatus::RTHROTTLED;
        // ESME_RMSGQFUL may be about the queue of one subscriber: it says nothing about the rate.
        self.stats.throttled += u64::from(is_throttled || status == CommandStatus::RMSGQFUL);
        let load = match tlvs.congestion_state() {
            _ if is_throttled => Load::Full,
            Some(state) if state.0 >= 100 => Load::Full,
            Some(state) if state.0 >= 90 => Load::NearlyFull,
            _ => return,
        };
        self.slow_down(entry, load);
    }

    /// Slows down because of what happened to this request.
    fn slow_down<U>(&mut self, entry: &Entry<U>, load: Load) {
        if self.config.slow_down_when_throttled && entry.command.is_message() {
            // Little's law: the time in flight divided by the requests in flight is the interval between messages.
            // A request that has timed out is still among them: then the window may be full.
            let in_flight = entry.in_flight.max((self.window.len() as u16).saturating_add(1));
            let interval = Duration::from_nanos(self.time_since(entry.sent) / u64::from(in_flight));
            self.rate_limiter.slow_down(self.now, entry.sent, interval, load);
        }
    }

    /// Lets the oldest request time out. It keeps its place in the window, because the peer may still respond to it.
    ///
    /// The peer may be overloaded: the session slows down. The link may be dead: the session sends enquire_link, and
    /// suspends requests until the peer has sent something.
    pub(super) fn time_out_request(&mut self) -> Option<(T, SequenceNumber)> {
        let (tag, entry) = self.window.time_out_first()?;
        self.stats.timeouts += 1;
        if entry.command.is_bind() {
            self.bind_in_progress = None;
            self.window.take(entry.sequence, |_| true);
        }
        self.slow_down(&entry, Load::Full);
        if self.state.is_bound() && self.shutdown == Shutdown::NotStarted {
            if self.config.keep_alive().is_some() {
                self.is_suspended = true;
                if !self.timers.is_set(Timer::EnquireLinkResponse) {
                    self.send_enquire_link();
                }
            }
            if self.config.max_response_timeouts > 0 && !self.timers.is_set(Timer::Unresponsive) {
                let timeouts = u32::from(self.config.max_response_timeouts);
                let patience = self.config.response_timeout.saturating_mul(timeouts);
                self.timers.set(Timer::Unresponsive, Some(entry.sent + patience));
            }
        }
        self.advance();
        Some((tag, entry.sequence))
    }

    #[cold]
    fn malformed<'b>(&mut self, frame: Frame<&'b [u8]>, error: DecodeError) -> Event<'b, T> {
        if error.kind == DecodeErrorKind::UnknownCommand {
            self.stats.unknown_commands += 1;
            self.check_malformed();
        } else {
            self.count_malformed();
        }
        Event::Malformed { frame, error }
    }

    #[cold]
    fn observe_rejected(&mut self, frame: Frame<&[u8]>, reason: RejectedPduReason) {
        self.observer.rejected(self.now, RejectedPdu::new(frame, reason));
    }

    fn count_malformed(&mut self) {
        self.stats.malformed += 1;
        self.check_malformed();
    }

    fn check_malformed(&mut self) {
        let malformed = self.stats.malformed + self.stats.unknown_commands;
        let too_many = malformed > u64::from(self.config.max_malformed);
        if too_many
            && !matches!(self.shutdown, Shutdown::Reporting(_) | Shutdown::Done(_) | Shutdown::Flushing(_))
        {
            self.flush(CloseReason::TooManyMalformed);
        }
    }
}
