//! One bind: the state machine of a session, ESME or SMSC.
//!
//! Bytes and time go in through `handle_*`; bytes and the next deadline come out of `poll_*`; what the
//! caller wants is a plain verb. See the [crate documentation](crate) for the run loop.
//!
//! ```text
//!            request(Bind)            unbind()
//!   Open ───────────────────▶ Bound ───────────▶ Bound, draining ──▶ Unbinding ──▶ Closed
//!    │    accepted            │  │ peer's unbind                         ▲             ▲
//!    │                        │  └───────────────────────────────────────┘             │
//!    └── session_init ────────┴── end of stream, dead link, broken framing, abort ─────┘
//! ```

mod answer;
mod config;
mod event;
mod inbound;
mod pace;
mod role;
mod state;
mod stats;
mod time;
mod timers;
mod window;

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

pub use answer::{NotSent, RequestError, Response};
pub use config::Config;
pub use event::{Cause, Closed, Event, Outcome, Refusal, Refused, Reply, Request};
pub use pace::{Pace, Rate};
pub use role::{Esme, Role, SentBy, Side, Smsc};
pub use state::State;
pub use stats::Stats;
pub use time::Instant;
pub use timers::Timer;

use crate::frame::{self, SequenceNumber};
use crate::pdu::Response as _;
use crate::pdu::encode;
use crate::pdu::{BindMode, CommandId, CommandStatus, EnquireLink, InterfaceVersion, Operation, Unbind};
use crate::wire::Emit;
use timers::Timers;
use window::{Entry, Window};

/// One SMPP session of role `R`; each request carries a tag `T`, which its outcome gives back.
///
/// Nothing is queued on anyone's behalf: a request is encoded at once, or refused. Each request that is
/// taken has exactly one [`Event::Outcome`], each session exactly one [`Event::Closed`].
pub struct Session<R, T> {
    config: Config,
    state: State,
    ending: Ending,
    window: Window<T>,
    pace: Option<Pace>,
    timers: Timers,
    /// Encoded and not yet taken by [`poll_transmit`](Self::poll_transmit).
    output: Vec<u8>,
    /// Octets ever encoded, and octets ever handed to the transport.
    encoded: u64,
    transmitted: u64,
    /// Whether the transport has taken anything since that was last looked at.
    moved: bool,
    /// The bind request that is being answered.
    binding: Option<CommandId>,
    enquire_link: Option<SequenceNumber>,
    unbind: Option<SequenceNumber>,
    /// Requests of the peer that the application has not answered yet.
    unanswered: u16,
    peer_version: Option<InterfaceVersion>,
    last_heard: Instant,
    last_message: Instant,
    /// The latest time that was passed in.
    now: Instant,
    stats: Stats,
    role: PhantomData<R>,
}

/// Without the output, which may hold a password.
impl<R: Role, T> fmt::Debug for Session<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("side", &R::SIDE)
            .field("state", &self.state())
            .field("in_flight", &self.window.len())
            .field("pending_output", &self.pending_output())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// How far the end of the session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is not in sight.
    No,
    /// Waiting for what is in flight, then for the unbind; at the end stands the reason.
    Draining(Closed),
    /// Our unbind is sent.
    Unbinding(Closed),
    /// The peer has sent unbind; its answer waits for the replies we owe.
    PeerUnbinding(SequenceNumber),
    /// The peer's unbind is answered; responses may still come.
    PeerUnbound,
    /// The last octets are on their way.
    Flushing(Closed),
    /// Over; outcomes may be left to tell.
    Ended(Closed),
    /// Over, and told.
    Told,
}

/// Whether a request would be taken now, and if not, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Requests are taken, so many before the window is full.
    Ready {
        /// Free places in the window.
        room: u16,
    },
    /// Not now.
    Refusing(Refusal),
}

impl<R: Role, T> Session<R, T> {
    /// A session on a fresh connection.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut timers = Timers::default();
        if R::SIDE == Side::Smsc {
            timers.set(Timer::SessionInit, Some(now + config.session_init));
        }
        Self {
            config,
            state: State::Open,
            ending: Ending::No,
            window: Window::new(config.window),
            pace: config.rate.map(Pace::new),
            timers,
            output: Vec::new(),
            encoded: 0,
            transmitted: 0,
            moved: false,
            binding: None,
            enquire_link: None,
            unbind: None,
            unanswered: 0,
            peer_version: None,
            last_heard: now,
            last_message: now,
            now,
            stats: Stats::default(),
            role: PhantomData,
        }
    }

    /// Sends a request, or refuses it and hands the tag back. The outcome comes as an event.
    ///
    /// An ESME binds with this too: `session.request(now, &Bind { .. }, tag)`.
    pub fn request<O>(&mut self, now: Instant, operation: &O, tag: T) -> Result<SequenceNumber, Refused<T>>
    where
        O: Operation + SentBy<R>,
    {
        // Not before a time that was passed in earlier: deadlines stand in the order of the requests.
        self.now = self.now.max(now);
        let now = self.now;
        let command = operation.command();
        if let Err(why) = self.admit(command) {
            return Err(Refused { tag, why });
        }
        // Left out of a request, a TLV would be missed: it may be the text.
        let (status, first) = (CommandStatus::ROK, SequenceNumber::FIRST);
        if !self.peer_reads_tlvs() && !encode(command, status, first, Some(operation), false, &mut Vec::new())
        {
            return Err(Refused { tag, why: Refusal::Tlvs });
        }
        let is_message = command != CommandId::ENQUIRE_LINK && !command.is_bind();
        if is_message {
            if let Some(Err(at)) = self.pace.as_mut().map(|pace| pace.take(now)) {
                return Err(Refused { tag, why: Refusal::Paced(at) });
            }
            self.last_message = now;
        }
        let sequence = self.window.next_sequence([self.enquire_link, self.unbind]);
        if !self.encode(command, CommandStatus::ROK, sequence, Some(operation)) {
            return Err(Refused { tag, why: Refusal::TooLong });
        }
        let deadline = now + self.config.response;
        self.window.push(Entry { sequence, command, deadline, end: self.encoded, tag });
        if command.is_bind() {
            self.binding = Some(command);
        }
        Ok(sequence)
    }

    /// Answers a request of the peer: with a response, or with a status other than `ESME_ROK`, which would
    /// claim a success without a response and is sent as `ESME_RSYSERR`.
    ///
    /// TLVs are left out for a peer of version 3.3 or older. Refused once the session is over: the peer has
    /// seen no answer. Refused if the response is longer than [`max_pdu`](Config::max_pdu): the peer is answered
    /// `ESME_RSYSERR` then.
    #[expect(clippy::needless_pass_by_value, reason = "a reply is good for one answer")]
    pub fn respond<O: Operation>(
        &mut self,
        reply: Reply<O>,
        result: Result<O::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        let Reply { command, sequence, .. } = reply;
        self.unanswered = self.unanswered.saturating_sub(1);
        if matches!(self.ending, Ending::Flushing(_) | Ending::Ended(_) | Ending::Told) {
            return Err(Refusal::State(State::Closed));
        }
        if command.is_bind() {
            self.binding = None;
            if let (Some(mode), true, Ending::No) = (BindMode::of(command), result.is_ok(), self.ending) {
                self.bound(mode);
            }
        }
        self.last_message = self.now;
        match result {
            Ok(response) => {
                if !self.encode(command.response(), CommandStatus::ROK, sequence, Some(&response)) {
                    self.answer(command, CommandStatus::RSYSERR, sequence);
                    self.advance();
                    return Err(Refusal::TooLong);
                }
            }
            Err(status) => {
                let status = if status.is_ok() { CommandStatus::RSYSERR } else { status };
                let body = O::Response::BODY_ON_ERROR.then(O::Response::default);
                self.encode(command.response(), status, sequence, body.as_ref());
            }
        }
        self.advance();
        Ok(())
    }

    /// Answers a request that the application does not offer with its
    /// [`UNANSWERED`](Operation::UNANSWERED) status: for the rest of a `match` on [`Request`].
    pub fn refuse(&mut self, request: Request<'_>) -> Result<(), Refusal> {
        request.refuse(self)
    }

    /// Ends the session in good order: takes no more requests, lets what is in flight finish until
    /// [`drain`](Config::drain) is over, unbinds. An unbound session just ends.
    pub fn unbind(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.leave(Closed::Unbound);
    }

    /// Ends the session at once, without a word to the peer.
    pub fn abort(&mut self) {
        self.end(Closed::Aborted);
    }

    /// The connection has ended, or failed: nothing more comes in or goes out.
    pub fn handle_eof(&mut self) {
        self.end(match self.ending {
            // Our unbind has to have left for that.
            Ending::Unbinding(Closed::Unbound) if self.pending_output() > 0 => Closed::Disconnected,
            Ending::Unbinding(reason) | Ending::Flushing(reason) => reason,
            Ending::PeerUnbinding(_) | Ending::PeerUnbound => Closed::PeerUnbound,
            _ => Closed::Disconnected,
        });
    }

    /// So many octets, of those that [`poll_transmit`](Self::poll_transmit) gave, have been handed to the
    /// transport. This is what tells a request that was sent from one that never left.
    pub fn handle_transmitted(&mut self, octets: usize) {
        self.transmitted = self.encoded.min(self.transmitted.saturating_add(octets as u64));
        self.stats.octets_out = self.transmitted;
        self.moved |= octets > 0;
        if self.pending_output() == 0 {
            self.timers.set(Timer::Transmit, None);
        }
        self.advance();
    }

    /// Appends what is to be transmitted to `out`, and says whether there was anything. An empty `out` is
    /// exchanged, not copied into.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if self.output.is_empty() || matches!(self.ending, Ending::Ended(_) | Ending::Told) {
            return false;
        }
        if out.is_empty() {
            core::mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        true
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, and why. `None`: never, as things
    /// stand. Ask again after each call of another method.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        match self.ending {
            Ending::Told => return None,
            Ending::Ended(_) => return Some((self.now, Timer::Ended)),
            _ => {}
        }
        let response = self.window.first().map(|entry| (entry.deadline, Timer::Response));
        [response, self.timers.first()].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Acts on the time. Call it until it gives `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event<'static, T>> {
        self.now = self.now.max(now);
        loop {
            if let Some(event) = self.poll_end() {
                return Some(event);
            }
            let (_, timer) = self.poll_timeout().filter(|(at, _)| *at <= now)?;
            if timer == Timer::Response {
                let entry = self.window.take_first()?;
                if entry.command.is_bind() {
                    self.binding = None;
                }
                self.stats.timeouts += 1;
                self.advance();
                return Some(Event::Outcome {
                    tag: entry.tag,
                    sequence: entry.sequence,
                    outcome: Outcome::Unanswered(Cause::Timeout),
                });
            }
            self.expire(timer);
        }
    }

    /// Whether the session wants to read. If not, leave the input where it is until something was
    /// transmitted, so that the peer is pushed back.
    pub fn wants_input(&self) -> bool {
        match self.ending {
            Ending::Flushing(_) | Ending::Ended(_) | Ending::Told => false,
            // Requests of ours take no more than `max_output` and one PDU: what is above that are answers. A side
            // that stopped reading for its own requests' sake would wait for a peer that does the same.
            _ => {
                let answers = self.pending_output().saturating_sub(self.config.max_pdu);
                answers / 2 < self.config.max_output.max(1)
            }
        }
    }

    /// Whether so much waits to be transmitted that requests are refused: [`Refusal::OutputFull`].
    pub fn is_full(&self) -> bool {
        !self.has_room()
    }

    /// Whether a message would be taken now.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let command = if R::SIDE == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
        if let Err(why) = self.admit(command) {
            return Readiness::Refusing(why);
        }
        match self.pace.as_ref().map(|pace| pace.ready_at(now)) {
            Some(at) if at > now => Readiness::Refusing(Refusal::Paced(at)),
            _ => Readiness::Ready { room: self.config.window.max(1) - self.window.len() as u16 },
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        match self.ending {
            Ending::Ended(_) | Ending::Told => State::Closed,
            _ => self.state,
        }
    }

    /// The version the peer stated in its bind, or in its answer to ours.
    pub fn peer_version(&self) -> Option<InterfaceVersion> {
        self.peer_version
    }

    /// Requests of ours that are not answered yet.
    pub fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether more may be encoded; what empties the output always makes room.
    fn has_room(&self) -> bool {
        self.pending_output() < self.config.max_output.max(1)
    }

    fn pending_output(&self) -> usize {
        (self.encoded - self.transmitted) as usize
    }

    /// Whether a request of ours may go, its pace aside.
    fn admit(&self, command: CommandId) -> Result<(), Refusal> {
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
        if self.window.is_full() {
            return Err(Refusal::WindowFull);
        }
        if !self.has_room() {
            return Err(Refusal::OutputFull);
        }
        Ok(())
    }

    /// Whether the PDU is no longer than those that are accepted; if it is, nothing is left of it.
    fn encode<B: Emit>(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
        body: Option<&B>,
    ) -> bool {
        let before = self.output.len();
        let tlvs = self.peer_reads_tlvs();
        encode(command, status, sequence, body, tlvs, &mut self.output);
        let length = self.output.len() - before;
        if length > self.config.max_pdu.max(frame::HEADER_LENGTH) {
            self.output.truncate(before);
            return false;
        }
        if self.pending_output() == 0 {
            // In `respond` the time may be an old one: what has moved since is looked at when it is due.
            self.moved = true;
            self.timers.set(Timer::Transmit, Some(self.now + self.config.response));
        }
        self.encoded += length as u64;
        self.stats.pdus_out += 1;
        true
    }

    /// A peer of version 3.3 or older gets no TLVs (SMPP 3.4 §3.4); one that states no version counts as 3.4.
    fn peer_reads_tlvs(&self) -> bool {
        self.peer_version.is_none_or(InterfaceVersion::reads_tlvs)
    }

    /// Answers without a body, or with the empty one that the operation's error response has. Nothing, where there
    /// is no response.
    fn answer(&mut self, command: CommandId, status: CommandStatus, sequence: SequenceNumber) {
        if !command.has_response() {
            return;
        }
        let empty = (command == CommandId::DELIVER_SM).then_some(0_u8);
        self.encode(command.response(), status, sequence, empty.as_ref());
    }

    fn bound(&mut self, mode: BindMode) {
        self.state = State::Bound(mode);
        self.last_heard = self.now;
        self.last_message = self.now;
        self.timers.set(Timer::SessionInit, None);
        self.timers.set(Timer::EnquireLink, self.config.enquire_link.map(|idle| self.now + idle));
        self.timers.set(Timer::Inactivity, self.config.inactivity.map(|idle| self.now + idle));
    }

    /// Begins the end that is ours to begin.
    fn leave(&mut self, reason: Closed) {
        if self.ending != Ending::No {
            return;
        }
        if self.state.is_bound() {
            self.ending = Ending::Draining(reason);
            self.timers.set(Timer::Ending, Some(self.now + self.config.drain));
            self.advance();
        } else {
            self.flush(reason);
        }
    }

    /// The session is over, unless it was before.
    fn end(&mut self, reason: Closed) {
        if !matches!(self.ending, Ending::Ended(_) | Ending::Told) {
            self.ending = Ending::Ended(reason);
            self.timers = Timers::default();
        }
    }

    /// The session is over once what is encoded has been transmitted, or `response` has passed.
    fn flush(&mut self, reason: Closed) {
        self.ending = Ending::Flushing(reason);
        self.state = State::Unbinding;
        self.timers = Timers::default();
        self.timers.set(Timer::Ending, Some(self.now + self.config.response));
        self.advance();
    }

    /// Takes the end a step further if what it waits for has come.
    fn advance(&mut self) {
        let idle = self.window.len() == 0 && self.unanswered == 0;
        match self.ending {
            Ending::Draining(reason) if idle => self.send_unbind(reason),
            Ending::PeerUnbinding(sequence) if self.unanswered == 0 => self.answer_unbind(sequence),
            Ending::PeerUnbound if self.window.len() == 0 => self.flush(Closed::PeerUnbound),
            Ending::Flushing(reason) if self.pending_output() == 0 => self.end(reason),
            _ => {}
        }
    }

    fn send_unbind(&mut self, reason: Closed) {
        let sequence = self.window.next_sequence([self.enquire_link, None]);
        self.unbind = Some(sequence);
        self.encode(CommandId::UNBIND, CommandStatus::ROK, sequence, Some(&Unbind));
        self.state = State::Unbinding;
        self.ending = Ending::Unbinding(reason);
        self.timers.set(Timer::Ending, Some(self.now + self.config.response));
    }

    fn answer_unbind(&mut self, sequence: SequenceNumber) {
        self.answer(CommandId::UNBIND, CommandStatus::ROK, sequence);
        self.state = State::Unbinding;
        self.ending = Ending::PeerUnbound;
        self.advance();
    }

    /// A timer other than that of a response is due.
    fn expire(&mut self, timer: Timer) {
        self.timers.set(timer, None);
        match timer {
            Timer::SessionInit => self.end(Closed::SessionInit),
            Timer::EnquireLinkResponse => self.end(Closed::LinkDead),
            Timer::EnquireLink => self.probe(),
            Timer::Inactivity => self.check_activity(),
            Timer::Transmit if core::mem::take(&mut self.moved) => {
                self.timers.set(Timer::Transmit, Some(self.now + self.config.response));
            }
            Timer::Transmit => self.end(Closed::Stalled),
            Timer::Ending => match self.ending {
                Ending::Draining(reason) => self.send_unbind(reason),
                Ending::PeerUnbinding(sequence) => {
                    // What is still owed will not be answered.
                    self.timers.set(Timer::Ending, Some(self.now + self.config.response));
                    self.answer_unbind(sequence);
                }
                Ending::PeerUnbound => self.flush(Closed::PeerUnbound),
                Ending::Unbinding(Closed::Unbound) => self.end(Closed::UnbindTimeout),
                Ending::Unbinding(reason) | Ending::Flushing(reason) => self.end(reason),
                Ending::No | Ending::Ended(_) | Ending::Told => {}
            },
            Timer::Response | Timer::Ended => {}
        }
    }

    /// Sends an enquire_link if the peer has been silent for the whole time. Traffic does not touch the
    /// timer: it is looked at when it fires.
    fn probe(&mut self) {
        let Some(idle) = self.config.enquire_link else { return };
        let due = self.last_heard + idle;
        if due > self.now {
            return self.timers.set(Timer::EnquireLink, Some(due));
        }
        let sequence = self.window.next_sequence([self.enquire_link, self.unbind]);
        self.enquire_link = Some(sequence);
        self.encode(CommandId::ENQUIRE_LINK, CommandStatus::ROK, sequence, Some(&EnquireLink));
        self.timers.set(Timer::EnquireLinkResponse, Some(self.now + self.config.response));
    }

    fn check_activity(&mut self) {
        let Some(limit) = self.config.inactivity else { return };
        let due = self.last_message + limit;
        if due > self.now {
            return self.timers.set(Timer::Inactivity, Some(due));
        }
        self.leave(Closed::Inactive);
    }

    /// What is left to tell of a session that is over: an outcome for each request, then the end.
    fn poll_end(&mut self) -> Option<Event<'static, T>> {
        let Ending::Ended(reason) = self.ending else { return None };
        let Some(Entry { tag, sequence, end, .. }) = self.window.take_first() else {
            self.ending = Ending::Told;
            self.output = Vec::new();
            return Some(Event::Closed(reason));
        };
        let outcome = if end > self.transmitted {
            Outcome::NeverSent(reason)
        } else {
            Outcome::Unanswered(Cause::Closed(reason))
        };
        Some(Event::Outcome { tag, sequence, outcome })
    }
}
