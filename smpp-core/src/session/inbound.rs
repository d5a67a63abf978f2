//! What the peer sends.

use core::time::Duration;

use super::answer::Response;
use super::event::{CloseReason, Event, Outcome, Request, UnansweredReason};
use super::observer::{Direction, ObservedPdu, Observer};
use super::rate_limiter::Load;
use super::role::{Role, Side};
use super::timers::Timer;
use super::window::Entry;
use super::{Ending, Session};
use crate::frame::{self, Frame, Header, SequenceNumber};
use crate::pdu::{BindMode, CommandId, CommandStatus, Pdu};
use crate::time::Instant;
use crate::tlv::Tlvs;
use crate::wire::{DecodeError, DecodeErrorKind};

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Reads PDUs off the front of `input` until one has something to tell, and moves `input` past what was
    /// read.
    ///
    /// Call it until it gives `None`; what is left in `input` then is the beginning of a PDU (keep it, add to
    /// it), or waits for [`wants_input`](Self::wants_input).
    pub fn handle_input<'b>(&mut self, now: Instant, input: &mut &'b [u8]) -> Option<Event<'b, T>> {
        self.advance_clock(now);
        loop {
            if let Ending::Ended(_) = self.ending {
                return self.poll_end();
            }
            if !self.wants_input() {
                return None;
            }
            match frame::split(input, self.config.max_pdu) {
                Ok(None) => return None,
                Ok(Some((frame, rest))) => {
                    *input = rest;
                    if let Some(event) = self.handle_frame(frame) {
                        return Some(event);
                    }
                }
                Err(error) => {
                    *input = &[];
                    // The number cannot be known: the position is lost (SMPP 3.4 §4.3.1).
                    self.nack(CommandStatus::RINVCMDLEN, SequenceNumber(0));
                    self.flush(CloseReason::Framing(error));
                }
            }
        }
    }

    fn nack(&mut self, status: CommandStatus, sequence: SequenceNumber) {
        self.encode::<u8>(CommandId::GENERIC_NACK, status, sequence, None);
    }

    fn handle_frame<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        self.stats.received.count(header.command, header.length as usize);
        self.observer.observe(self.now, Direction::In, ObservedPdu(frame));
        self.last_heard = self.now;
        if self.is_activity(header.command) {
            self.last_message = self.now;
        }
        if self.enquire_link.is_some() {
            // Any PDU shows that the link lives (SMPP 3.4 §7.2); the answer itself may come later.
            self.timers.set(Timer::EnquireLinkResponse, None);
            let idle = self.config.enquire_link_interval.filter(|_| self.state.is_bound());
            self.timers.set(Timer::EnquireLink, idle.map(|idle| self.now + idle));
        }
        if header.command.is_response() { self.handle_response(frame) } else { self.handle_request(frame) }
    }

    #[inline(never)]
    fn handle_request<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        let (pdu, quirks) = match frame.into_pdu(self.config.tolerance) {
            Ok(read) => read,
            Err(error) if error.kind == DecodeErrorKind::UnknownCommand => {
                // Not malformed, as far as anyone can tell: another version's, or a vendor's own.
                self.nack(error.status(), header.sequence);
                return Some(Event::Malformed { frame, error });
            }
            Err(error) => {
                let status = self.objection(header.command).unwrap_or_else(|| error.status());
                self.answer(header.command, status, header.sequence);
                return Some(self.malformed(frame, error));
            }
        };
        self.stats.quirks += u64::from(!quirks.is_empty());
        if let Some(status) = self.objection(header.command) {
            self.answer(header.command, status, header.sequence);
            self.stats.refused += 1;
            return Some(Event::Refused { frame, status });
        }
        match pdu {
            Pdu::EnquireLink => {
                self.answer(header.command, CommandStatus::ROK, header.sequence);
                return None;
            }
            Pdu::Unbind => return self.handle_unbind(header.sequence),
            Pdu::Bind(bind) => {
                self.binding = Some(header.command);
                self.peer_version = Some(bind.interface_version);
            }
            Pdu::Outbind(_) => self.outbound(),
            _ => {}
        }
        match Request::new(header, pdu) {
            Some(request) => {
                self.unanswered += 1;
                Some(Event::Request { request, frame, quirks })
            }
            None => Some(Event::Notification { pdu, frame, quirks }),
        }
    }

    /// Why a request of the peer is refused without asking anyone.
    fn objection(&self, command: CommandId) -> Option<CommandStatus> {
        let allowed = self.state.allows(R::SIDE.peer(), command);
        if command.is_bind() && R::SIDE == Side::Smsc && (!allowed || self.binding.is_some()) {
            return Some(CommandStatus::RALYBND);
        }
        let asks_application =
            command.has_response() && !matches!(command, CommandId::ENQUIRE_LINK | CommandId::UNBIND);
        if !allowed {
            Some(CommandStatus::RINVBNDSTS)
        } else if asks_application && self.unanswered >= self.config.max_unanswered.max(1) {
            Some(CommandStatus::RTHROTTLED)
        } else {
            None
        }
    }

    fn handle_unbind<'b>(&mut self, sequence: SequenceNumber) -> Option<Event<'b, T>> {
        match self.ending {
            // Crossed with ours, which waits for its own answer; or repeated.
            Ending::Unbinding(_) | Ending::PeerUnbinding(_) | Ending::PeerUnbound => {
                self.answer(CommandId::UNBIND, CommandStatus::ROK, sequence);
                None
            }
            _ => {
                self.ending = Ending::PeerUnbinding(sequence);
                self.timers.set(Timer::Ending, Some(self.now + self.config.drain_timeout));
                self.advance();
                Some(Event::PeerUnbind)
            }
        }
    }

    fn handle_response<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        if !frame.is_plain_message_id() {
            return self.handle_other_response(frame);
        }
        let Some(entry) = self.take(frame.header()) else { return Some(self.stray(frame, None)) };
        self.advance();
        let outcome = Outcome::Accepted(Response::new(frame));
        Some(Event::Outcome { tag: entry.tag, sequence: entry.sequence, outcome })
    }

    /// A response that is more than the id of a message, or less.
    #[inline(never)]
    fn handle_other_response<'b>(&mut self, frame: Frame<&'b [u8]>) -> Option<Event<'b, T>> {
        let header = frame.header();
        let nack = header.command == CommandId::GENERIC_NACK;
        let answers = |request: CommandId| nack || header.command == request.response();
        let read = frame.into_pdu(self.config.tolerance);
        self.stats.quirks += u64::from(read.is_ok_and(|(_, quirks)| !quirks.is_empty()));
        if self.enquire_link == Some(header.sequence) && answers(CommandId::ENQUIRE_LINK) {
            self.enquire_link = None;
            return Some(self.malformed(frame, read.err()?));
        }
        if self.unbind == Some(header.sequence) && answers(CommandId::UNBIND) {
            return self.handle_unbind_resp(frame, read.err());
        }
        let Some(entry) = self.take(header) else { return Some(self.stray(frame, read.err())) };
        let tlvs = read.map_or(Tlvs::EMPTY, |(pdu, _)| pdu.tlvs());
        self.learn(&entry, header.status, tlvs);
        let bind = self.binding.take_if(|bind| *bind == entry.command);
        let (status, response) = (header.status, Response::new(frame));
        let outcome = match read {
            // Whatever stands behind its header, it says no.
            _ if nack => Outcome::Nacked(status),
            Ok(_) if status.is_ok() => {
                if let (Some(mode), Ending::No) = (bind.and_then(BindMode::from_command), self.ending) {
                    self.peer_version = tlvs.sc_interface_version();
                    self.bound(mode);
                }
                Outcome::Accepted(response)
            }
            Ok(_) => Outcome::Refused { status, response },
            Err(error) => {
                self.count_malformed();
                // The header is whole and may say no; a damaged body takes nothing from that.
                if status.is_ok() {
                    Outcome::Unanswered(UnansweredReason::Unreadable(error))
                } else {
                    Outcome::Refused { status, response }
                }
            }
        };
        self.advance();
        Some(Event::Outcome { tag: entry.tag, sequence: entry.sequence, outcome })
    }

    /// The request that the response answers. How long that took is counted.
    #[inline(always)]
    fn take(&mut self, Header { command, sequence, .. }: Header) -> Option<Entry<T>> {
        let nack = command == CommandId::GENERIC_NACK;
        let entry = self.window.take(sequence, |request| nack || command == request.response())?;
        self.stats.response_times.count_response(self.time_of(&entry));
        Some(entry)
    }

    /// How long a request has been in flight, in nanoseconds.
    fn time_of(&self, entry: &Entry<T>) -> u64 {
        self.now.as_nanos().saturating_sub(entry.sent.as_nanos())
    }

    /// A response that nothing waits for.
    #[cold]
    fn stray<'b>(&mut self, frame: Frame<&'b [u8]>, error: Option<DecodeError>) -> Event<'b, T> {
        match error {
            Some(error) if error.kind == DecodeErrorKind::UnknownCommand => Event::Malformed { frame, error },
            Some(error) => self.malformed(frame, error),
            None => {
                self.stats.unexpected_responses += 1;
                Event::UnexpectedResponse { frame }
            }
        }
    }

    #[cold]
    fn handle_unbind_resp<'b>(
        &mut self,
        frame: Frame<&'b [u8]>,
        error: Option<DecodeError>,
    ) -> Option<Event<'b, T>> {
        self.unbind = None;
        if let Ending::Unbinding(reason) = self.ending {
            self.flush(reason);
        }
        match error {
            Some(error) => Some(self.malformed(frame, error)),
            None => self.poll_end(),
        }
    }

    /// What a response tells about the peer's load.
    fn learn(&mut self, entry: &Entry<T>, status: CommandStatus, tlvs: Tlvs<'_>) {
        let refused = matches!(status, CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL);
        self.stats.throttled += u64::from(refused);
        let load = match tlvs.congestion_state() {
            _ if refused => Load::Full,
            Some(state) if state.0 >= 100 => Load::Full,
            Some(state) if state.0 >= 90 => Load::NearlyFull,
            _ => return,
        };
        if self.config.slow_down_when_throttled && entry.command.is_message() {
            // So many requests were under way in the time that this one took (Little's law).
            let company = entry.company.max(self.window.len() as u16 + 1);
            let apart = Duration::from_nanos(self.time_of(entry) / u64::from(company));
            self.pace.slow_down(self.now, entry.sent, apart, load);
        }
    }

    #[cold]
    fn malformed<'b>(&mut self, frame: Frame<&'b [u8]>, error: DecodeError) -> Event<'b, T> {
        self.count_malformed();
        Event::Malformed { frame, error }
    }

    fn count_malformed(&mut self) {
        self.stats.malformed += 1;
        let over = self.stats.malformed > u64::from(self.config.max_malformed);
        if over && !matches!(self.ending, Ending::Ended(_) | Ending::Told | Ending::Flushing(_)) {
            self.flush(CloseReason::TooManyMalformed);
        }
    }
}
