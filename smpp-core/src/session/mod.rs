//! One SMPP session (one bind): the sans-IO state machine, for the ESME and the SMSC side.
//!
//! The caller passes octets and time to the `handle_*` methods, and takes octets and the next deadline from the `poll_*`
//! methods. Plain verbs are commands: [`request`](Session::request), [`respond`](Session::respond),
//! [`unbind`](Session::unbind). See the [crate documentation](crate) for the run loop and the state diagram.
//!
//! # Time, timeouts and keep-alive
//!
//! The session has no clock: each call that depends on the time takes an [`Instant`].
//! [`poll_timeout`](Session::poll_timeout) returns the next deadline and its [`Timer`]. At that time call
//! [`handle_timeout`](Session::handle_timeout). Pass octets that have arrived before you pass the time: a response that
//! arrives at the instant of its timeout then still counts.
//!
//! The session sends enquire_link by itself and responds to the peer's; see
//! [`enquire_link_interval`](Config::enquire_link_interval).
//!
//! # Window, rate limit and backpressure
//!
//! The session queues no requests. [`request`](Session::request) encodes a request at once, or returns [`Refused`] if the
//! window is full, the rate limit is reached, or too much output waits. [`readiness`](Session::readiness) returns the
//! same without sending. While the peer does not read, [`wants_input`](Session::wants_input) returns false and the caller
//! stops reading: TCP then slows the peer down.
//!
//! # Graceful shutdown
//!
//! [`unbind`](Session::unbind) drains the session: it refuses new requests, waits for those in flight, sends unbind, and
//! waits for the response. [`Event::Closed`] reports the end.
//!
//! # Results and errors
//!
//! These types say how a request or a message ended, and whether it is safe to resend. All layers use the same words:
//! *refused* means not accepted, *never sent* means that the peer cannot have accepted it, *unanswered* means that the
//! peer may have accepted it.
//!
//! | type | returned by | meaning | safe to resend? |
//! | --- | --- | --- | --- |
//! | [`Refused<T>`](Refused) with a [`Refusal`] | [`Session::request`] | The session did not accept the request. Nothing was sent and no outcome follows. | yes; it helps if [`permanent`](Refusal::permanent) returns `None` |
//! | [`Outcome::Accepted`] | [`Event::Outcome`] | The peer accepted the request. | no: the peer would accept it twice |
//! | [`Outcome::Refused`] | [`Event::Outcome`] | The peer refused the request with a status. The response may say more: [`additional_status_info_text`](Response::additional_status_info_text), other [TLVs](Response::tlv). | yes; it helps if the status is temporary, as `ESME_RTHROTTLED` |
//! | [`Outcome::Nacked`] | [`Event::Outcome`] | The peer does not understand the request. | yes, but it does not help |
//! | [`Outcome::NeverSent`] | [`Event::Outcome`] | The session ended before the last octet of the request was transmitted. | yes |
//! | [`Outcome::Unanswered`] with an [`UnansweredReason`] | [`Event::Outcome`] | The request was transmitted and has no readable response. | no: it may arrive twice |
//! | [`RequestError`] | [`Outcome::into_result`], `request` of the adapters | An [`Outcome`] other than `Accepted`; in the adapters also a permanent [`Refusal`]. | [`is_safe_to_resend`](RequestError::is_safe_to_resend): all but `Unanswered` |
//! | [`NotSentReason`] | [`RequestError::NeverSent`] | Why the request was never sent. | yes, once the reason is gone |
//! | [`CloseReason`] | [`Event::Closed`], [`Outcome::NeverSent`], [`UnansweredReason::Closed`] | Why the session ended. | - |
//! | [`SubmitError`](crate::account::SubmitError) | [`Account::submit`](crate::account::Account::submit) | The account did not accept the message. Nothing was sent. | yes |
//! | [`MessageOutcome`](crate::account::MessageOutcome) | [`account::Event::Outcome`](crate::account::Event::Outcome) | How a message ended: one [`SegmentOutcome`](crate::account::SegmentOutcome) per segment. | [`is_safe_to_resend`](crate::account::MessageOutcome::is_safe_to_resend): no segment is `Accepted` or `Unanswered` |
//! | [`SegmentOutcome`](crate::account::SegmentOutcome) | [`MessageOutcome::segments`](crate::account::MessageOutcome::segments) | How one segment ended; the variants are those of [`Outcome`]. | all but `Accepted` and `Unanswered` |
//! | [`SegmentNotSentReason`](crate::account::SegmentNotSentReason) | [`SegmentOutcome::NeverSent`](crate::account::SegmentOutcome::NeverSent) | Why a segment was never sent: a [`NotSentReason`], or a decision of the account. | yes |
//! | [`SendError`](crate::account::SendError) | `send` of the adapters | A [`SubmitError`](crate::account::SubmitError), a [`MessageOutcome`](crate::account::MessageOutcome) in which a segment was not accepted, or the driver is gone. | see its parts; no if the driver is gone |

mod close_reason;
mod config;
mod event;
mod histogram;
mod inbound;
mod invalid_option;
mod lifecycle;
#[cfg(test)]
mod model_tests;
mod observer;
mod operations;
mod outbound;
mod outcome;
mod password;
mod rate_limiter;
mod rate_meter;
mod reconfigure;
mod refusal;
mod rejected;
mod request;
mod response;
mod role;
mod shutdown;
mod state;
mod stats;
mod timers;
mod window;

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

pub use crate::time::Instant;
pub use close_reason::CloseReason;
pub use config::Config;
pub use event::Event;
pub use histogram::Histogram;
pub use invalid_option::InvalidOption;
pub use observer::{Direction, ObservedPdu, Observer};
pub use operations::Operations;
pub(crate) use outcome::fmt_refused;
pub use outcome::{NotSentReason, Outcome, RequestError, UnansweredReason};
pub use rate_limiter::{Rate, RateLimiter};
pub use rate_meter::RateMeter;
pub use refusal::{Readiness, Refusal, Refused};
pub use rejected::{RejectedPdu, RejectedPduReason};
pub(crate) use request::{ReadDelivery, Taken, TakenAcceptance, TakenDelivery};
pub use request::{Reply, Request};
pub use response::{AcceptedResponse, RefusedResponse, Response, ResponseBuf};
pub use role::{Esme, Notification, Role, SentBy, Side, Smsc};
pub use state::State;
pub use stats::{Count, Kind, RequestCounts, ResponseTimes, Stats, Traffic};
pub use timers::Timer;

use crate::diagnosis::ReceivedInstead;
use crate::frame::SequenceNumber;
use crate::pdu::{CommandId, InterfaceVersion};
use shutdown::Shutdown;
use timers::Timers;
use window::Window;

/// One SMPP session of role `R`, [`Esme`] or [`Smsc`]. Each request carries a tag `T`; its outcome returns the tag.
///
/// The session queues nothing for the caller: it encodes a request at once, or refuses it. It emits exactly one
/// [`Event::Outcome`] for each accepted request, and exactly one [`Event::Closed`]. An [`Observer`] `O` sees every PDU;
/// the default `()` sees none.
///
/// The [crate documentation](crate) shows the run loop.
///
/// ```
/// use smpp_proto::Bind;
/// use smpp_proto::session::{Config, Esme, Instant, Session, State, Timer};
///
/// let config = Config::default();
/// let mut session = Session::<Esme, &str>::new(config, Instant::ZERO);
/// session.request(Instant::ZERO, &Bind::default(), "bind")?;
///
/// let mut output = Vec::new();
/// assert!(session.poll_transmit(&mut output), "the bind is to be sent");
/// session.handle_transmitted(output.len());
/// let deadline = Instant::ZERO + config.response_timeout;
/// assert_eq!(session.poll_timeout(), Some((deadline, Timer::Response)));
/// assert_eq!(session.state(), State::Open);
/// # Ok::<(), smpp_proto::session::Refused<&str>>(())
/// ```
#[expect(clippy::struct_excessive_bools, reason = "each is true or false independently of the others")]
pub struct Session<R, T, O = ()> {
    config: Config,
    state: State,
    shutdown: Shutdown,
    window: Window<T>,
    rate_limiter: RateLimiter,
    timers: Timers,
    /// Octets that are encoded and not yet taken by [`poll_transmit`](Self::poll_transmit).
    output: Vec<u8>,
    /// Octets encoded since the start.
    encoded: u64,
    /// Octets handed to the transport since the start.
    transmitted: u64,
    /// Octets encoded up to the end of the application's last response.
    responses_end: u64,
    /// Octets encoded up to the end of the session's last enquire_link.
    enquire_link_end: u64,
    /// When it was encoded.
    enquire_link_at: Instant,
    /// Whether it has not left within `response_timeout`.
    enquire_link_is_late: bool,
    /// Whether the transport has taken octets since the stall timer was last checked.
    has_progress: bool,
    /// The bind request that waits for its response, in either direction.
    bind_in_progress: Option<CommandId>,
    /// The session's own enquire_link that waits for its response.
    enquire_link: Option<SequenceNumber>,
    /// The session's own unbind that waits for its response.
    unbind: Option<SequenceNumber>,
    /// Requests of the peer that the application has not responded to yet.
    unanswered: u16,
    /// Whether the application has responded to none of them within `backpressure_timeout`.
    is_overloaded: bool,
    /// Whether input was left over because the session does not read.
    has_input: bool,
    /// What was received that is not a whole PDU.
    unframed: ReceivedInstead,
    /// Whether the peer has closed its side of the connection.
    eof: bool,
    /// Whether a request has timed out, and the peer has sent nothing since.
    is_suspended: bool,
    own_version: Option<InterfaceVersion>,
    peer_version: Option<InterfaceVersion>,
    /// The version that both sides speak once they are bound. Until then it is the highest possible, so that no TLV is
    /// left out.
    version: InterfaceVersion,
    /// When the last PDU of the peer arrived.
    last_received: Instant,
    /// When the last PDU passed that counts as activity.
    last_activity: Instant,
    /// The latest time that the caller has passed.
    now: Instant,
    /// Whether a call that takes no time has acted since `now`: a response of the application, or the end of the stream.
    /// The next call that takes a time dates it.
    undated: bool,
    stats: Stats,
    observer: O,
    role: PhantomData<R>,
}

/// Leaves out the output, because it may hold a password.
impl<R: Role, T, O: Observer> fmt::Debug for Session<R, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("side", &R::SIDE)
            .field("state", &self.state())
            .field("pending_output", &self.pending_output())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<R: Role, T> Session<R, T> {
    /// Creates the session of a new connection.
    pub fn new(config: Config, now: Instant) -> Self {
        Self::with_observer(config, now, ())
    }
}

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Creates the session of a new connection. `observer` sees every PDU.
    pub fn with_observer(config: Config, now: Instant, observer: O) -> Self {
        let mut timers = Timers::default();
        if R::SIDE == Side::Smsc || config.awaits_outbind {
            timers.set(Timer::SessionInit, Some(now + config.session_init_timeout));
        }
        Self {
            config,
            state: State::Open,
            shutdown: Shutdown::NotStarted,
            window: Window::new(config.window),
            rate_limiter: config.rate.map_or(RateLimiter::unlimited(), RateLimiter::new),
            timers,
            output: Vec::new(),
            encoded: 0,
            transmitted: 0,
            responses_end: 0,
            enquire_link_end: 0,
            enquire_link_at: now,
            enquire_link_is_late: false,
            has_progress: false,
            bind_in_progress: None,
            enquire_link: None,
            unbind: None,
            unanswered: 0,
            is_overloaded: false,
            has_input: false,
            unframed: ReceivedInstead::Nothing,
            eof: false,
            is_suspended: false,
            own_version: None,
            peer_version: None,
            version: InterfaceVersion(u8::MAX),
            last_received: now,
            last_activity: now,
            now,
            undated: false,
            stats: Stats::default(),
            observer,
            role: PhantomData,
        }
    }

    /// Reports that the transport has accepted `octets` of those that [`poll_transmit`](Self::poll_transmit) returned.
    ///
    /// Call this only for octets that have left: it decides whether a request ends as [`Outcome::NeverSent`], which is
    /// safe to resend, or as [`Outcome::Unanswered`].
    pub fn handle_transmitted(&mut self, octets: usize) {
        let before = self.transmitted;
        self.transmitted = self.encoded.min(before.saturating_add(octets as u64));
        self.has_progress |= octets > 0;
        if before < self.enquire_link_end && self.enquire_link_end <= self.transmitted {
            self.extend_enquire_link_timeout();
        }
        if self.pending_output() == 0 {
            self.timers.set(Timer::Transmit, None);
        }
        self.advance();
    }

    /// Returns the position in the output at which the last response ends, counted in octets since the session began.
    pub(crate) const fn responses_end(&self) -> u64 {
        self.responses_end
    }

    /// Returns how many octets of the output the transport has accepted since the session began.
    pub(crate) const fn transmitted(&self) -> u64 {
        self.transmitted
    }

    /// Returns how many requests of the peer wait for the response of the application.
    pub(crate) const fn unanswered(&self) -> u16 {
        self.unanswered
    }

    /// Appends the octets to transmit to `out`, and returns whether there were any. If `out` is empty, the session swaps
    /// the buffers instead of copying.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.poll_transmit_messages(self.now, out).is_some()
    }

    /// As [`poll_transmit`](Self::poll_transmit). Returns how many messages leave, and when; `None` if there is no output.
    /// `now`: the time, which may be later than that of the call that has encoded them.
    pub(crate) fn poll_transmit_messages(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<(Instant, u32)> {
        if !self.wants_transmit() {
            return None;
        }
        self.now = self.now.max(now);
        let messages = self.unsent_messages();
        self.rate_limiter.leave(self.now, messages);
        if out.is_empty() {
            core::mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        Some((self.now, messages))
    }

    /// Returns how many messages are encoded and not taken by [`poll_transmit`](Self::poll_transmit).
    pub(crate) const fn unsent_messages(&self) -> u32 {
        self.rate_limiter.unsent()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next, and for which timer. `None` means that no
    /// timer runs. Any other method can change the result, so call this again afterwards.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        match self.shutdown {
            Shutdown::Done(_) => return None,
            Shutdown::Reporting(_) => return Some((self.now, Timer::Closed)),
            _ => {}
        }
        if self.has_input && self.wants_input() {
            return Some((self.now, Timer::Input));
        }
        self.next_timer()
    }

    fn next_timer(&self) -> Option<(Instant, Timer)> {
        let timeout = self.config.response_timeout;
        let response = self.window.first_waiting().map(|entry| (entry.sent + timeout, Timer::Response));
        let late = self
            .window
            .first_timed_out()
            .map(|entry| (entry.sent + timeout + self.config.late_response_timeout, Timer::LateResponse));
        // Of the same time, `Timer::Unresponsive` before the places are freed that it looks at.
        [response, self.timers.first(), late].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Acts on timers that are due at `now`, and returns an event if one occurs. Call it until it returns `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event<'static, T>> {
        self.advance_clock(now);
        loop {
            if let Some(event) = self.poll_end() {
                return Some(event);
            }
            let (_, timer) = self.next_timer().filter(|(at, _)| *at <= now)?;
            match timer {
                Timer::Response => {
                    let (tag, sequence) = self.time_out_request()?;
                    let outcome = Outcome::Unanswered(UnansweredReason::Timeout);
                    return Some(Event::Outcome { tag, sequence, outcome });
                }
                Timer::LateResponse => drop(self.window.take_first()),
                timer => self.expire(timer),
            }
        }
    }

    /// Frees the memory of buffers and tables that are empty. Call it when the session is quiet, for example after a timeout;
    /// they grow again when they are needed.
    pub fn shrink(&mut self) {
        self.window.shrink();
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    /// Returns whether [`poll_transmit`](Self::poll_transmit) has octets to transmit.
    pub fn wants_transmit(&self) -> bool {
        !self.output.is_empty() && !matches!(self.shutdown, Shutdown::Reporting(_) | Shutdown::Done(_))
    }

    /// Returns whether the session reads input. If it does not, keep the input and stop reading from the transport: this
    /// backpressure slows the peer down. The session does not read while
    /// [`max_unanswered`](Config::max_unanswered) requests wait for the application, while too much output waits for the
    /// transport, and after the peer has closed its side.
    ///
    /// Ask once [`handle_input`](Self::handle_input) has returned `None`, and again after each write, response and timeout.
    /// When the result turns true, first pass the input that was left over, and only then read more;
    /// [`poll_timeout`](Self::poll_timeout) reminds with [`Timer::Input`].
    pub fn wants_input(&self) -> bool {
        match self.shutdown {
            Shutdown::Flushing(_) | Shutdown::Reporting(_) | Shutdown::Done(_) => false,
            _ if self.eof || (self.is_full_of_requests() && !self.is_overloaded) => false,
            // Requests of this side take at most `max_output` octets and one PDU; the rest of the output is responses.
            // A side that stopped reading because of its own requests could deadlock with a peer that does the same.
            _ => {
                let responses = self.pending_output().saturating_sub(self.config.max_pdu);
                responses / 2 < self.config.max_output.max(1)
            }
        }
    }

    /// Returns whether so much output waits that the session refuses requests with [`Refusal::OutputFull`].
    pub fn is_full(&self) -> bool {
        !self.has_output_capacity()
    }

    /// Returns whether the session accepts a message now: a submit_sm of an ESME, or a deliver_sm of an SMSC.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let command = if R::SIDE == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
        self.readiness_after(now, 0, command)
    }

    /// Returns whether the session accepts a request with this command now, after `reserved` other requests: messages, as
    /// long as the average PDU sent so far. An adapter calls this to reserve capacity for tasks that send their requests
    /// later. The capacity is that beside the reserved requests.
    ///
    /// ```
    /// use smpp_proto::CommandId;
    /// use smpp_proto::session::{Config, Esme, Instant, Readiness, Session};
    /// let session = Session::<Esme, ()>::new(Config::default().window(2), Instant::ZERO);
    /// let readiness = |reserved| session.readiness_after(Instant::ZERO, reserved, CommandId::BIND_TRANSCEIVER);
    /// assert_eq!(readiness(0), Readiness::Ready { capacity: 2 });
    /// assert_eq!(readiness(1), Readiness::Ready { capacity: 1 });
    /// assert!(matches!(readiness(2), Readiness::Refusing(_)));
    /// ```
    pub fn readiness_after(&self, now: Instant, reserved: u32, command: CommandId) -> Readiness {
        let used = self.window.len() + reserved as usize;
        let capacity = usize::from(self.config.window.max(1)).saturating_sub(used) as u16;
        let checked = self
            .check_allowed(command)
            .and_then(|()| if capacity == 0 { Err(Refusal::WindowFull) } else { self.check_capacity() })
            .and_then(|()| self.check_reserved(now.max(self.now), reserved, command));
        match checked {
            Ok(()) => Readiness::Ready { capacity },
            Err(refusal) => Readiness::Refusing(refusal),
        }
    }

    /// Returns how many further requests the window takes that are allowed as the last one was; `None` if something else may be in
    /// their way: the rate limit, or the output.
    #[inline]
    pub(crate) fn window_after_request(&self) -> Option<u16> {
        let is_limited = self.config.rate.is_some() || self.rate_limiter.ready_at(self.now) > self.now;
        let is_limited = is_limited || self.check_capacity().is_err();
        // The window is a `u16`.
        (!is_limited).then(|| self.window_capacity() as u16)
    }

    /// Returns the state of the session.
    pub fn state(&self) -> State {
        match self.shutdown {
            Shutdown::Reporting(_) | Shutdown::Done(_) => State::Closed,
            _ => self.state,
        }
    }

    /// Returns the version that the peer stated in its bind or bind response.
    pub fn peer_version(&self) -> Option<InterfaceVersion> {
        self.peer_version
    }

    /// Returns what the peer sent instead of the response to a bind that ended with `error`. Returns `None` if the peer
    /// responded, or the session did not accept the bind.
    pub fn diagnose_bind(&self, error: &RequestError) -> Option<ReceivedInstead> {
        match error {
            RequestError::Unanswered(UnansweredReason::Timeout | UnansweredReason::Closed(_))
            | RequestError::NeverSent(NotSentReason::Closed(_)) => {}
            _ => return None,
        }
        let has_pdus = self.stats.received.total().pdus() > 0;
        Some(match self.unframed {
            ReceivedInstead::Nothing | ReceivedInstead::IncompletePdu if has_pdus => {
                ReceivedInstead::OtherPdus
            }
            unframed => unframed,
        })
    }

    /// Returns how many more requests fit in the [`window`](Config::window): that many can be in flight at once.
    pub fn window_capacity(&self) -> usize {
        usize::from(self.config.window.max(1)).saturating_sub(self.window.len())
    }

    /// Returns how many requests of this side are in flight: accepted and without an outcome.
    pub fn in_flight(&self) -> usize {
        self.window.waiting()
    }

    /// Returns the current counters.
    pub fn stats(&self) -> Stats {
        Stats {
            transmitted: self.transmitted,
            in_flight: self.window.waiting() as u16,
            timed_out: (self.window.len() - self.window.waiting()) as u16,
            unanswered: self.unanswered,
            ..self.stats
        }
    }

    /// Returns how long the peer takes to respond: the same as in [`stats`](Self::stats), without a copy of the other counters.
    pub const fn response_times(&self) -> &ResponseTimes {
        &self.stats.response_times
    }

    /// Returns the observer.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Returns the observer for modification.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Advances the session's clock to `now`, and dates what the calls without a time have done since the last time.
    pub(crate) fn advance_clock(&mut self, now: Instant) {
        let passed = now - self.now;
        self.now = self.now.max(now);
        if core::mem::take(&mut self.undated) {
            self.last_activity = self.now;
            self.timers.postpone(passed);
        }
    }

    /// Makes calls that take no time, such as [`respond`](Self::respond), at `now`.
    pub(crate) fn at<V>(&mut self, now: Instant, act: impl FnOnce(&mut Self) -> V) -> V {
        self.advance_clock(now);
        let value = act(self);
        // Dates the calls: otherwise what they have started counts from the next call with a time.
        self.advance_clock(now);
        value
    }

    /// Begins a call that takes no time. The caller resets `timers.undated` at its end.
    fn begin_undated(&mut self) {
        self.undated = true;
        self.timers.undated = true;
    }

    /// Returns whether as many requests of the peer wait for the application as may.
    fn is_full_of_requests(&self) -> bool {
        self.unanswered >= self.config.max_unanswered.max(1)
    }

    /// Returns how many octets of the output the transport has not accepted, including those that
    /// [`poll_transmit`](Self::poll_transmit) has returned.
    pub fn pending_output(&self) -> usize {
        (self.encoded - self.transmitted) as usize
    }
}
