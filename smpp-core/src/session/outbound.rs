//! PDUs that this side sends.

use alloc::vec::Vec;

use super::Session;
use super::observer::{Direction, ObservedPdu, Observer};
use super::operations::Operations;
use super::refusal::{Refusal, Refused};
use super::request::{Reply, Request};
use super::role::{Notification, Role, SentBy, Smsc};
use super::shutdown::Shutdown;
use super::timers::Timer;
use super::window::Entry;
use crate::frame::{self, Frame, SequenceNumber};
use crate::pdu::{
    BindMode, CommandId, CommandStatus, DeliverSm, DeliverSmResp, InterfaceVersion, Operation, Pdu,
    ResponseBody as _, encode,
};
use crate::time::Instant;
use crate::tlv::{Tag, Tlvs};
use crate::wire::{Emit, Tolerance};

/// Above this size the output buffer grows by this many octets at a time. Doubling it would exceed its limit by much.
const OUTPUT_GROWTH: usize = 64 * 1024;

/// How many octets a deliver_sm_resp has: its header, and an empty message_id.
const ACKNOWLEDGEMENT: usize = frame::HEADER_LENGTH + 1;

/// Free octets that suffice for most PDUs.
const TYPICAL_PDU: usize = 512;

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Sends a request and returns its sequence number. [`Event::Outcome`](super::Event::Outcome) later reports how it
    /// ended, with the `tag`.
    ///
    /// An ESME also binds with this method: `session.request(now, &Bind { .. }, tag)`.
    ///
    /// # Errors
    ///
    /// [`Refused`] returns the tag and the [`Refusal`] if the session does not accept the request. Nothing is queued and
    /// nothing is sent. For [`WindowFull`](Refusal::WindowFull), [`RateLimited`](Refusal::RateLimited) and
    /// [`OutputFull`](Refusal::OutputFull) the caller can retry later.
    ///
    /// ```
    /// use smpp_proto::session::{Config, Esme, Instant, Refusal, Session, State};
    /// use smpp_proto::{Bind, SubmitSm};
    ///
    /// let now = Instant::ZERO;
    /// let mut session = Session::<Esme, &str>::new(Config::default(), now);
    /// let refused = session.request(now, &SubmitSm::default(), "message").unwrap_err();
    /// assert_eq!((refused.tag, refused.reason), ("message", Refusal::State(State::Open)));
    /// session.request(now, &Bind::default(), "bind")?;
    /// # Ok::<(), smpp_proto::session::Refused<&str>>(())
    /// ```
    pub fn request<P>(&mut self, now: Instant, operation: &P, tag: T) -> Result<SequenceNumber, Refused<T>>
    where
        P: Operation + SentBy<R>,
    {
        self.request_body(now, operation.command(), operation.recipients(), operation, tag)
    }

    /// As [`request`](Self::request), with a body that is encoded already or not: that of a request which this side sends.
    #[inline(always)]
    pub(crate) fn request_body<B: Emit>(
        &mut self,
        now: Instant,
        command: CommandId,
        recipients: u32,
        body: &B,
        tag: T,
    ) -> Result<SequenceNumber, Refused<T>> {
        // `self.now` never goes back, so that the deadlines have the order of the requests.
        self.advance_clock(now);
        let start = self.output.len();
        let sequence = match self.send_request(command, recipients, body) {
            Ok(sequence) => sequence,
            Err(reason) => return Err(Refused { tag, reason }),
        };
        if command.is_bind() {
            self.bind_in_progress = Some(command);
            self.own_version = self.output.get(start..).and_then(stated_version);
        }
        let in_flight = self.window.len() as u16 + 1;
        self.window.push(Entry {
            sequence,
            command,
            sent: self.now,
            in_flight,
            end: self.encoded,
            tag: Some(tag),
        });
        Ok(sequence)
    }

    #[inline(always)]
    fn send_request<B: Emit>(
        &mut self,
        command: CommandId,
        recipients: u32,
        body: &B,
    ) -> Result<SequenceNumber, Refusal> {
        self.check_allowed(command)?;
        let tlvs = self.check_version(command, body)?;
        self.check_capacity()?;
        if command.is_message() {
            self.check_rate(recipients)?;
        }
        let sequence = self.next_sequence();
        if !self.encode_with(command, CommandStatus::ROK, sequence, Some(body), tlvs) {
            return Err(Refusal::TooLong);
        }
        if command.is_message() {
            self.rate_limiter.take_many(self.now, recipients);
        }
        if self.is_activity(command) {
            self.last_activity = self.now;
        }
        Ok(sequence)
    }

    /// Responds to a request of the peer: with `Ok` of the response body, or with `Err` of a `command_status`.
    ///
    /// `Err(ESME_ROK)` would claim success without a response body; the session sends `ESME_RSYSERR` instead. The session
    /// leaves out TLVs for a peer of version 3.3 or older.
    ///
    /// This method takes no time. The response counts as given at the time of the next call that takes one, so make such
    /// a call soon.
    ///
    /// # Errors
    ///
    /// - [`Refusal::Closed`]: the session has ended. [`Refusal::Closing`]: it only transmits its last output. The peer got
    ///   no response.
    /// - [`Refusal::TooLong`]: the response is longer than [`max_pdu`](super::Config::max_pdu). The session has responded
    ///   with `ESME_RSYSERR` instead.
    ///
    /// ```
    /// use smpp_proto::session::{Event, Instant, Request, Session, Smsc};
    /// use smpp_proto::{COctets, SubmitSmResp};
    ///
    /// fn receive(smsc: &mut Session<Smsc, ()>, now: Instant, mut input: &[u8]) {
    ///     while let Some(event) = smsc.handle_input(now, &mut input) {
    ///         let Event::Request { request, .. } = event else { continue };
    ///         let result = match request {
    ///             Request::SubmitSm(message, reply) if !message.short_message.is_empty() => {
    ///                 let message_id = COctets::new(b"id-1").expect("a short identifier");
    ///                 smsc.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
    ///             }
    ///             other => smsc.refuse(other),
    ///         };
    ///         result.expect("the session has not ended");
    ///     }
    /// }
    /// ```
    pub fn respond<P: Operation>(
        &mut self,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        match &result {
            Ok(response) => self.send_response(reply, CommandStatus::ROK, Some(response)),
            &Err(status) => {
                let body = P::Response::BODY_ON_ERROR.then(P::Response::default);
                self.send_response(reply, error_status(status), body.as_ref())
            }
        }
    }

    /// Acknowledges a deliver_sm that [`take_delivery`](Self::take_delivery) has just returned: as [`respond`](Self::respond) with
    /// the default response, at the time of that call.
    #[inline]
    pub(crate) fn acknowledge(&mut self, reply: Reply<DeliverSm<'static>>) -> Result<(), Refusal> {
        let before = self.output.len();
        let is_usual = self.shutdown == Shutdown::NotStarted
            && !self.is_overloaded
            && !self.timers.is_set(Timer::Backpressure)
            && self.pending_output() > 0
            && self.config.max_pdu >= ACKNOWLEDGEMENT
            && self.output.capacity() - before >= ACKNOWLEDGEMENT;
        if !is_usual {
            return self.respond(reply, Ok(DeliverSmResp::default()));
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        self.last_activity = self.now;
        let mut octets = [0; ACKNOWLEDGEMENT];
        let fields = [ACKNOWLEDGEMENT as u32, CommandId::DELIVER_SM_RESP.0, 0, reply.sequence.0];
        for (octets, field) in octets.as_chunks_mut().0.iter_mut().zip(fields) {
            *octets = field.to_be_bytes();
        }
        self.output.extend_from_slice(&octets);
        self.encoded += ACKNOWLEDGEMENT as u64;
        self.stats.sent.count(CommandId::DELIVER_SM_RESP, ACKNOWLEDGEMENT);
        let frame = Frame::from_valid(self.output.get(before..).unwrap_or_default());
        self.observer.observe(self.now, Direction::Out, ObservedPdu(frame));
        self.responses_end = self.encoded;
        Ok(())
    }

    /// Refuses a request of the peer with a status and a response body. The body can carry TLVs such as
    /// `delivery_failure_reason` or `additional_status_info_text` in a data_sm_resp (SMPP 3.4 §4.7.2).
    ///
    /// The error responses to a bind and to submit_sm have no body (SMPP 3.4 §4.1, §4.4.2): for those the session sends
    /// only the status. In all else this method is like [`respond`](Self::respond).
    ///
    /// # Errors
    ///
    /// The same as those of [`respond`](Self::respond).
    pub fn respond_with_reason<P: Operation>(
        &mut self,
        reply: Reply<P>,
        status: CommandStatus,
        body: &P::Response<'_>,
    ) -> Result<(), Refusal> {
        let bare = reply.command.is_bind() || reply.command == CommandId::SUBMIT_SM;
        self.send_response(reply, error_status(status), (!bare).then_some(body))
    }

    /// Refuses a request that the application does not support, with the
    /// [`UNANSWERED`](Operation::UNANSWERED) status of its operation. Use it in the last arm of a `match` on
    /// [`Request`].
    ///
    /// # Errors
    ///
    /// The same as those of [`respond`](Self::respond).
    pub fn refuse(&mut self, request: Request<'_>) -> Result<(), Refusal> {
        match request {
            Request::Bind(_, reply) => self.refuse_reply(reply),
            Request::SubmitSm(_, reply) => self.refuse_reply(reply),
            Request::DeliverSm(_, reply) => self.refuse_reply(reply),
            Request::DataSm(_, reply) => self.refuse_reply(reply),
            Request::SubmitMulti(_, reply) => self.refuse_reply(reply),
            Request::QuerySm(_, reply) => self.refuse_reply(reply),
            Request::CancelSm(_, reply) => self.refuse_reply(reply),
            Request::ReplaceSm(_, reply) => self.refuse_reply(reply),
            Request::BroadcastSm(_, reply) => self.refuse_reply(reply),
            Request::QueryBroadcastSm(_, reply) => self.refuse_reply(reply),
            Request::CancelBroadcastSm(_, reply) => self.refuse_reply(reply),
        }
    }

    fn refuse_reply<P: Operation>(&mut self, reply: Reply<P>) -> Result<(), Refusal> {
        self.respond(reply, Err(P::UNANSWERED))
    }

    #[expect(clippy::needless_pass_by_value, reason = "a token answers one request")]
    fn send_response<P: Operation>(
        &mut self,
        reply: Reply<P>,
        status: CommandStatus,
        body: Option<&P::Response<'_>>,
    ) -> Result<(), Refusal> {
        let Reply { command, sequence, .. } = reply;
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.timers.is_set(Timer::Backpressure) || self.is_overloaded {
            self.is_overloaded = false;
            self.timers.set(Timer::Backpressure, None);
        }
        match self.shutdown {
            Shutdown::Flushing(reason) => return Err(Refusal::Closing(reason)),
            Shutdown::Reporting(reason) | Shutdown::Done(reason) => return Err(Refusal::Closed(reason)),
            _ => {}
        }
        self.begin_undated();
        let before = command.is_bind().then_some((self.state, self.version, self.timers));
        if command.is_bind() {
            self.bind_in_progress = None;
            if let (Some(mode), true, Shutdown::NotStarted) =
                (BindMode::from_command(command), status.is_ok(), self.shutdown)
            {
                self.enter_bound(mode);
            }
        }
        self.last_activity = self.now;
        let encoded = self.encode(command.response(), status, sequence, body);
        if !encoded {
            if let Some(before) = before {
                // The peer gets an error instead of the bind response: restore the state from before the bind.
                (self.state, self.version, self.timers) = before;
            }
            self.respond_empty(command, CommandStatus::RSYSERR, sequence);
        }
        self.responses_end = self.encoded;
        self.advance();
        self.timers.undated = false;
        if encoded { Ok(()) } else { Err(Refusal::TooLong) }
    }

    /// Checks that the state and the configured operations allow a request.
    #[inline(always)]
    pub(super) fn check_allowed(&self, command: CommandId) -> Result<(), Refusal> {
        if let Some(refusal) = self.shutdown.refusal() {
            return Err(refusal);
        }
        let is_repeated_bind = command.is_bind() && self.bind_in_progress.is_some();
        if is_repeated_bind || !self.state.allows(R::SIDE, command) {
            return Err(Refusal::State(self.state));
        }
        if !self.config.operations.contains(Operations::of(command)) {
            return Err(Refusal::Unsupported(command));
        }
        Ok(())
    }

    /// Checks that the window and the output have capacity for one more request.
    pub(super) fn check_capacity(&self) -> Result<(), Refusal> {
        if self.window.is_full() || self.is_suspended {
            return Err(Refusal::WindowFull);
        }
        if self.has_output_capacity() { Ok(()) } else { Err(Refusal::OutputFull) }
    }

    /// Checks that the output has capacity after `reserved` requests of average length, and that the rate limit allows the
    /// request after as many messages.
    pub(super) fn check_reserved(
        &self,
        now: Instant,
        reserved: u32,
        command: CommandId,
    ) -> Result<(), Refusal> {
        if reserved > 0 {
            let sent = self.stats.sent.total();
            let average = sent.octets / sent.pdus().max(1);
            let output = (self.pending_output() as u64).saturating_add(average * u64::from(reserved));
            if output >= self.config.max_output.max(1) as u64 {
                return Err(Refusal::OutputFull);
            }
        }
        if !command.is_message() {
            return Ok(());
        }
        let at = self.rate_limiter.ready_after(now, reserved);
        if at > now { Err(Refusal::RateLimited(at)) } else { Ok(()) }
    }

    /// Checks that the rate limit allows a message to this many recipients. If not, and if there are several, later messages
    /// wait until it is allowed: otherwise they could delay it forever.
    #[inline]
    fn check_rate(&mut self, recipients: u32) -> Result<(), Refusal> {
        let at = self.rate_limiter.ready_for(self.now, recipients);
        if at <= self.now {
            return Ok(());
        }
        if recipients > 1 {
            self.rate_limiter.hold_until(at);
        }
        Err(Refusal::RateLimited(at))
    }

    /// Checks that the peer's version has the operation, and that it reads TLVs if the request has any. Returns whether to
    /// send TLVs.
    ///
    /// A request is sent without its TLVs only if it is a deliver_sm that says the same without them, such as a delivery
    /// receipt: in others a TLV may be the text.
    fn check_version<B: Emit>(&self, command: CommandId, body: &B) -> Result<bool, Refusal> {
        let version = self.version;
        if version.reads_tlvs() {
            return Ok(true);
        }
        if command.since().reads_tlvs() {
            return Err(Refusal::Version(version));
        }
        if has_tlvs(command, body) && (command != CommandId::DELIVER_SM || has_content_tlvs(command, body)) {
            return Err(Refusal::TlvsUnsupported);
        }
        Ok(false)
    }

    /// Encodes a PDU, and returns whether it is no longer than `max_pdu`. A longer PDU is discarded.
    pub(super) fn encode<B: Emit>(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
        body: Option<&B>,
    ) -> bool {
        self.encode_with(command, status, sequence, body, self.version.reads_tlvs())
    }

    /// As [`encode`](Self::encode), with TLVs only if `tlvs`.
    #[inline(always)]
    fn encode_with<B: Emit>(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
        body: Option<&B>,
        tlvs: bool,
    ) -> bool {
        let before = self.output.len();
        if before > OUTPUT_GROWTH && self.output.capacity() - before < TYPICAL_PDU {
            self.output.reserve_exact(OUTPUT_GROWTH);
        }
        encode(command, status, sequence, body, tlvs, &mut self.output);
        let length = self.output.len() - before;
        if length > self.config.max_pdu.max(frame::HEADER_LENGTH) {
            self.output.truncate(before);
            return false;
        }
        if self.pending_output() == 0 {
            // In `respond`, `self.now` may be an old time. The flag makes the timer run for one more interval.
            self.has_progress = true;
            self.timers.set(Timer::Transmit, Some(self.now + self.config.response_timeout));
        }
        self.encoded += length as u64;
        self.stats.sent.count(command, length);
        let frame = Frame::from_valid(self.output.get(before..).unwrap_or_default());
        self.observer.observe(self.now, Direction::Out, ObservedPdu(frame));
        true
    }

    /// Returns whether requests are sent with their TLVs.
    pub(crate) fn reads_tlvs(&self) -> bool {
        self.version.reads_tlvs()
    }

    /// Returns the next sequence number that no request in flight has, including enquire_link and unbind of the session.
    #[inline(always)]
    pub(super) fn next_sequence(&mut self) -> SequenceNumber {
        loop {
            let sequence = self.window.next_sequence();
            if self.enquire_link != Some(sequence) && self.unbind != Some(sequence) {
                return sequence;
            }
        }
    }

    /// Sends a response without a body, or with the empty body that an error response to deliver_sm has. Sends nothing if
    /// the request has no response.
    pub(super) fn respond_empty(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
    ) {
        if !command.has_response() {
            return;
        }
        let empty = (command == CommandId::DELIVER_SM).then_some(0_u8);
        self.encode(command.response(), status, sequence, empty.as_ref());
    }

    /// Returns whether fewer than `max_output` octets wait for the transport.
    pub(super) fn has_output_capacity(&self) -> bool {
        self.pending_output() < self.config.max_output.max(1)
    }
}

impl<T, O: Observer> Session<Smsc, T, O> {
    /// Sends the ESME a PDU that has no response: outbind or alert_notification.
    ///
    /// A notification takes no place in the window and has no outcome, so the SMSC cannot find out whether it arrived.
    /// After an outbind the ESME must bind within
    /// [`session_init_timeout`](super::Config::session_init_timeout) (SMPP 3.4 §2.2.1).
    ///
    /// # Errors
    ///
    /// Returns the [`Refusal`] if the session does not accept the notification. Nothing is sent.
    pub fn notify<N: Notification>(&mut self, now: Instant, notification: &N) -> Result<(), Refusal> {
        self.advance_clock(now);
        self.check_allowed(N::COMMAND)?;
        if self.bind_in_progress.is_some() {
            // The bind that the outbind would ask for has arrived.
            return Err(Refusal::State(self.state));
        }
        self.check_version(N::COMMAND, notification)?;
        if !self.has_output_capacity() {
            return Err(Refusal::OutputFull);
        }
        let sequence = self.next_sequence();
        if !self.encode(N::COMMAND, CommandStatus::ROK, sequence, Some(notification)) {
            return Err(Refusal::TooLong);
        }
        self.last_activity = self.now;
        if N::COMMAND == CommandId::OUTBIND {
            self.enter_outbound();
        }
        Ok(())
    }
}

/// Returns whether the request has TLVs.
fn has_tlvs<B: Emit>(command: CommandId, body: &B) -> bool {
    !encode(command, CommandStatus::ROK, SequenceNumber::FIRST, Some(body), false, &mut Vec::new())
}

/// Returns whether the request has a TLV that carries the text, or says how to read it.
fn has_content_tlvs<B: Emit>(command: CommandId, body: &B) -> bool {
    const CONTENT: [Tag; 8] = [
        Tag::MESSAGE_PAYLOAD,
        Tag::SAR_MSG_REF_NUM,
        Tag::SAR_TOTAL_SEGMENTS,
        Tag::SAR_SEGMENT_SEQNUM,
        Tag::SOURCE_PORT,
        Tag::DESTINATION_PORT,
        Tag::PAYLOAD_TYPE,
        Tag::USSD_SERVICE_OP,
    ];
    let mut octets = Vec::new();
    encode(command, CommandStatus::ROK, SequenceNumber::FIRST, Some(body), true, &mut octets);
    let tlvs = Frame::from_valid(&octets[..])
        .into_pdu(Tolerance::LENIENT)
        .map_or(Tlvs::EMPTY, |(pdu, _)| pdu.tlvs());
    tlvs.iter().any(|tlv| CONTENT.contains(&tlv.tag))
}

/// Returns the version that an encoded bind states.
fn stated_version(bind: &[u8]) -> Option<InterfaceVersion> {
    match Frame::new(bind)?.into_pdu(Tolerance::LENIENT).ok()?.0 {
        Pdu::Bind(bind) => Some(bind.interface_version),
        _ => None,
    }
}

/// Replaces `ESME_ROK`: an error response must not claim success.
fn error_status(status: CommandStatus) -> CommandStatus {
    if status.is_ok() { CommandStatus::RSYSERR } else { status }
}
