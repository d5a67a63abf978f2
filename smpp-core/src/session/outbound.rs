//! What we send.

use alloc::vec::Vec;

use super::event::{Refusal, Refused, Reply, Request};
use super::observer::{Direction, ObservedPdu, Observer};
use super::role::{Notification, Role, SentBy, Smsc};
use super::state::State;
use super::timers::Timer;
use super::window::Entry;
use super::{Ending, Instant, Operations, Session};
use crate::frame::{self, Frame, SequenceNumber};
use crate::pdu::{
    BindMode, CommandId, CommandStatus, InterfaceVersion, Operation, Pdu, ResponseBody as _, encode,
};
use crate::wire::{Emit, Tolerance};

/// What waits for a transport that takes nothing grows by so many octets: twice of much is more than its bound.
const STEP: usize = 64 * 1024;

/// More octets than most PDUs have.
const PLENTY: usize = 512;

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Sends a request, or refuses it and hands the tag back. The outcome comes as an event.
    ///
    /// An ESME binds with this too: `session.request(now, &Bind { .. }, tag)`.
    pub fn request<P>(&mut self, now: Instant, operation: &P, tag: T) -> Result<SequenceNumber, Refused<T>>
    where
        P: Operation + SentBy<R>,
    {
        // Not before a time that was passed in earlier: deadlines stand in the order of the requests.
        self.advance_clock(now);
        let start = self.output.len();
        let sequence = match self.send_request(operation) {
            Ok(sequence) => sequence,
            Err(why) => return Err(Refused { tag, reason: why }),
        };
        let command = operation.command();
        if command.is_bind() {
            self.binding = Some(command);
            self.own_version = self.output.get(start..).and_then(stated_version);
        }
        let company = self.window.len() as u16 + 1;
        self.window.push(Entry { sequence, command, sent: self.now, company, end: self.encoded, tag });
        Ok(sequence)
    }

    fn send_request<P: Operation>(&mut self, operation: &P) -> Result<SequenceNumber, Refusal> {
        let command = operation.command();
        self.admit(command)?;
        self.reads(command, operation)?;
        self.room()?;
        if command.is_message() {
            self.paced(self.now)?;
        }
        let sequence = self.next_sequence();
        // TLVs that would have to be left out have been refused.
        if !self.put(command, CommandStatus::ROK, sequence, Some(operation), true) {
            return Err(Refusal::TooLong);
        }
        if command.is_message() {
            self.pace.take(self.now);
        }
        if self.is_activity(command) {
            self.last_message = self.now;
        }
        Ok(sequence)
    }

    /// Answers a request of the peer: with a response, or with a status other than `ESME_ROK`, which would
    /// claim a success without a response and is sent as `ESME_RSYSERR`.
    ///
    /// It passes no time in: the answer counts as given when time is passed in next, so let that be soon.
    ///
    /// TLVs are left out for a peer of version 3.3 or older. Refused once the session is over: the peer has
    /// seen no answer. Refused if the response is longer than [`max_pdu`](super::Config::max_pdu): the peer is answered
    /// `ESME_RSYSERR` then.
    pub fn respond<P: Operation>(
        &mut self,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        match result {
            Ok(response) => self.conclude(reply, CommandStatus::ROK, Some(&response)),
            Err(status) => {
                let body = P::Response::BODY_ON_ERROR.then(P::Response::default);
                self.conclude(reply, no_success(status), body.as_ref())
            }
        }
    }

    /// Answers a request of the peer with an error that has more to say than its status: TLVs as
    /// `delivery_failure_reason` or `additional_status_info_text` in a data_sm_resp (SMPP 3.4 §4.7.2).
    ///
    /// Otherwise as [`respond`](Self::respond). The error responses to a bind and to submit_sm have no body
    /// (SMPP 3.4 §4.1, §4.4.2): of those the status alone is sent.
    pub fn respond_with_reason<P: Operation>(
        &mut self,
        reply: Reply<P>,
        status: CommandStatus,
        body: &P::Response<'_>,
    ) -> Result<(), Refusal> {
        let bare = reply.command.is_bind() || reply.command == CommandId::SUBMIT_SM;
        self.conclude(reply, no_success(status), (!bare).then_some(body))
    }

    /// Answers a request that the application does not offer with its
    /// [`UNANSWERED`](Operation::UNANSWERED) status: for the rest of a `match` on [`Request`].
    pub fn refuse(&mut self, request: Request<'_>) -> Result<(), Refusal> {
        request.refuse(self)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a reply is good for one answer")]
    fn conclude<P: Operation>(
        &mut self,
        reply: Reply<P>,
        status: CommandStatus,
        body: Option<&P::Response<'_>>,
    ) -> Result<(), Refusal> {
        let Reply { command, sequence, .. } = reply;
        self.unanswered = self.unanswered.saturating_sub(1);
        if matches!(self.ending, Ending::Flushing(_) | Ending::Ended(_) | Ending::Told) {
            return Err(Refusal::State(State::Closed));
        }
        self.answered = true;
        self.timers.answering = true;
        let before = command.is_bind().then_some((self.state, self.version, self.timers));
        if command.is_bind() {
            self.binding = None;
            if let (Some(mode), true, Ending::No) =
                (BindMode::from_command(command), status.is_ok(), self.ending)
            {
                self.bound(mode);
            }
        }
        self.last_message = self.now;
        let encoded = self.encode(command.response(), status, sequence, body);
        if !encoded {
            if let Some(before) = before {
                // Bound too early, if at all: the peer learns of an error.
                (self.state, self.version, self.timers) = before;
            }
            self.answer(command, CommandStatus::RSYSERR, sequence);
        }
        self.advance();
        self.timers.answering = false;
        if encoded { Ok(()) } else { Err(Refusal::TooLong) }
    }

    /// Whether a request of ours may go in this state at all.
    pub(super) fn admit(&self, command: CommandId) -> Result<(), Refusal> {
        let state = match self.ending {
            Ending::No => self.state(),
            Ending::Ended(_) | Ending::Told => State::Closed,
            _ => State::Unbinding,
        };
        if self.ending != Ending::No
            || !state.allows(R::SIDE, command)
            || (command.is_bind() && self.binding.is_some())
        {
            return Err(Refusal::State(state));
        }
        if !self.config.operations.contains(Operations::of(command)) {
            return Err(Refusal::Unsupported(command));
        }
        Ok(())
    }

    /// Whether there is a place for one more request.
    pub(super) fn room(&self) -> Result<(), Refusal> {
        if self.window.is_full() {
            return Err(Refusal::WindowFull);
        }
        if self.has_room() { Ok(()) } else { Err(Refusal::OutputFull) }
    }

    /// Whether the pace lets a message go.
    pub(super) fn paced(&self, now: Instant) -> Result<(), Refusal> {
        let at = self.pace.ready_at(now);
        if at > now { Err(Refusal::RateLimited(at)) } else { Ok(()) }
    }

    /// Whether the peer's version has the operation, and reads its TLVs if there are any. Left out of a request, a
    /// TLV would be missed: it may be the text.
    fn reads<B: Emit>(&self, command: CommandId, body: &B) -> Result<(), Refusal> {
        let version = self.version;
        if !version.reads_tlvs() {
            if command.since().reads_tlvs() {
                return Err(Refusal::Version(version));
            }
            let (status, first) = (CommandStatus::ROK, SequenceNumber::FIRST);
            if !encode(command, status, first, Some(body), false, &mut Vec::new()) {
                return Err(Refusal::TlvsUnsupported);
            }
        }
        Ok(())
    }

    /// Encodes a PDU. Whether it is no longer than those that are accepted; if it is, nothing is left of it.
    pub(super) fn encode<B: Emit>(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
        body: Option<&B>,
    ) -> bool {
        self.put(command, status, sequence, body, self.version.reads_tlvs())
    }

    /// As [`encode`](Self::encode), its TLVs only if `tlvs`.
    #[inline]
    fn put<B: Emit>(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
        body: Option<&B>,
        tlvs: bool,
    ) -> bool {
        let before = self.output.len();
        if before > STEP && self.output.capacity() - before < PLENTY {
            self.output.reserve_exact(STEP);
        }
        encode(command, status, sequence, body, tlvs, &mut self.output);
        let length = self.output.len() - before;
        if length > self.config.max_pdu.max(frame::HEADER_LENGTH) {
            self.output.truncate(before);
            return false;
        }
        if self.pending_output() == 0 {
            // In `respond` the time may be an old one: what has moved since is looked at when it is due.
            self.moved = true;
            self.timers.set(Timer::Transmit, Some(self.now + self.config.response_timeout));
        }
        self.encoded += length as u64;
        self.stats.sent.count(command, length);
        let frame = Frame::from_valid(self.output.get(before..).unwrap_or_default());
        self.observer.observe(self.now, Direction::Out, ObservedPdu(frame));
        true
    }

    /// The next number that is not in flight, the session's own requests included.
    #[inline(always)]
    pub(super) fn next_sequence(&mut self) -> SequenceNumber {
        loop {
            let sequence = self.window.next_sequence();
            if self.enquire_link != Some(sequence) && self.unbind != Some(sequence) {
                return sequence;
            }
        }
    }

    /// Answers without a body, or with the empty one that the operation's error response has. Nothing, where there
    /// is no response.
    pub(super) fn answer(&mut self, command: CommandId, status: CommandStatus, sequence: SequenceNumber) {
        if !command.has_response() {
            return;
        }
        let empty = (command == CommandId::DELIVER_SM).then_some(0_u8);
        self.encode(command.response(), status, sequence, empty.as_ref());
    }

    /// Whether more may be encoded; what empties the output always makes room.
    pub(super) fn has_room(&self) -> bool {
        self.pending_output() < self.config.max_output.max(1)
    }
}

impl<T, O: Observer> Session<Smsc, T, O> {
    /// Tells the ESME something that has no response: outbind, alert_notification.
    ///
    /// It takes no place in the window and has no outcome: whether it arrives is never known. After an outbind the
    /// ESME has [`session_init`](super::Config::session_init_timeout) to bind (SMPP 3.4 §2.2.1).
    pub fn notify<N: Notification>(&mut self, now: Instant, notification: &N) -> Result<(), Refusal> {
        self.advance_clock(now);
        self.admit(N::COMMAND)?;
        if self.binding.is_some() {
            // The bind that it would ask for has come.
            return Err(Refusal::State(self.state));
        }
        self.reads(N::COMMAND, notification)?;
        if !self.has_room() {
            return Err(Refusal::OutputFull);
        }
        let sequence = self.next_sequence();
        if !self.encode(N::COMMAND, CommandStatus::ROK, sequence, Some(notification)) {
            return Err(Refusal::TooLong);
        }
        self.last_message = self.now;
        if N::COMMAND == CommandId::OUTBIND {
            self.outbound();
        }
        Ok(())
    }
}

/// The version in a bind.
fn stated_version(bind: &[u8]) -> Option<InterfaceVersion> {
    match Frame::new(bind)?.into_pdu(Tolerance::LENIENT).ok()?.0 {
        Pdu::Bind(bind) => Some(bind.interface_version),
        _ => None,
    }
}

/// An error that says success would leave the peer without a response.
fn no_success(status: CommandStatus) -> CommandStatus {
    if status.is_ok() { CommandStatus::RSYSERR } else { status }
}
