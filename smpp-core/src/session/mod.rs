//! One bind: the state machine of a session, ESME or SMSC.
//!
//! Bytes and time go in through `handle_*`; bytes and the next deadline come out of `poll_*`; what the
//! caller wants is a plain verb. See the [crate documentation](crate) for the run loop, and for the states.
//!
//! # Time
//!
//! The session has no clock: every call that can depend on the time takes it. [`poll_timeout`](Session::poll_timeout)
//! says when to call [`handle_timeout`](Session::handle_timeout), and for which [`Timer`]. Hand in what has come before
//! you tell the time: a response and its time-out at the same instant is a response then.
//!
//! # What becomes of a request
//!
//! | [`Outcome`] | the peer | to send it again |
//! | --- | --- | --- |
//! | `Accepted` | has taken it | makes a second message |
//! | `Refused` | has not, and says why | may help, if the status is of the passing kind |
//! | `Nacked` | does not understand it | does not help |
//! | `NeverSent` | has never seen all of it: its last octet was not handed to the transport | is safe |
//! | `Unanswered` | may have taken it | may make a second message |

mod answer;
mod config;
mod ending;
mod event;
mod inbound;
#[cfg(test)]
mod model;
mod observer;
mod operations;
mod outbound;
mod rate_limiter;
mod rate_meter;
mod role;
mod state;
mod stats;
mod timers;
mod window;

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

pub use crate::time::Instant;
pub use answer::{NotSentReason, RequestError, Response, ResponseBuf};
pub use config::Config;
pub use event::{CloseReason, Event, Outcome, Refusal, Refused, Reply, Request, UnansweredReason};
pub use observer::{Direction, ObservedPdu, Observer};
pub use operations::Operations;
pub use rate_limiter::{Rate, RateLimiter};
pub use rate_meter::RateMeter;
pub use role::{Esme, Notification, Role, SentBy, Side, Smsc};
pub use state::State;
pub use stats::{Count, Kind, ResponseTimes, Stats, Traffic};
pub use timers::Timer;

use crate::frame::SequenceNumber;
use crate::pdu::{CommandId, InterfaceVersion};
use timers::Timers;
use window::Window;

/// One SMPP session of role `R`; each request carries a tag `T`, which its outcome gives back.
///
/// Nothing is queued on anyone's behalf: a request is encoded at once, or refused. Each request that is
/// taken has exactly one [`Event::Outcome`], each session exactly one [`Event::Closed`]. An [`Observer`] `O` sees
/// every PDU; the usual one is none.
pub struct Session<R, T, O = ()> {
    config: Config,
    state: State,
    ending: Ending,
    window: Window<T>,
    pace: RateLimiter,
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
    own_version: Option<InterfaceVersion>,
    peer_version: Option<InterfaceVersion>,
    /// The version that both sides speak once they are bound; before that nothing is left out.
    version: InterfaceVersion,
    last_heard: Instant,
    last_message: Instant,
    /// The latest time that was passed in.
    now: Instant,
    /// Whether answers were given since then: that is when they are taken to have been given.
    answered: bool,
    stats: Stats,
    observer: O,
    role: PhantomData<R>,
}

/// Without the output, which may hold a password.
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

/// How far the end of the session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is not in sight.
    No,
    /// Waiting for what is in flight, then for the unbind; at the end stands the reason.
    Draining(CloseReason),
    /// Our unbind is sent.
    Unbinding(CloseReason),
    /// The peer has sent unbind; its answer waits for the replies we owe.
    PeerUnbinding(SequenceNumber),
    /// The peer's unbind is answered; responses may still come.
    PeerUnbound,
    /// The last octets are on their way.
    Flushing(CloseReason),
    /// Over; outcomes may be left to tell.
    Ended(CloseReason),
    /// Over, and told.
    Told,
}

/// Whether a request would be taken now, and if not, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Requests are taken, so many before the window is full.
    Ready {
        /// Free places in the window.
        capacity: u16,
    },
    /// Not now.
    Refusing(Refusal),
}

impl<R: Role, T> Session<R, T> {
    /// A session on a fresh connection.
    pub fn new(config: Config, now: Instant) -> Self {
        Self::with_observer(config, now, ())
    }
}

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// A session on a fresh connection, every PDU of which is shown to `observer`.
    pub fn with_observer(config: Config, now: Instant, observer: O) -> Self {
        let mut timers = Timers::default();
        if R::SIDE == Side::Smsc || config.awaits_outbind {
            timers.set(Timer::SessionInit, Some(now + config.session_init_timeout));
        }
        Self {
            config,
            state: State::Open,
            ending: Ending::No,
            window: Window::new(config.window),
            pace: config.rate.map_or(RateLimiter::unlimited(), RateLimiter::new),
            timers,
            output: Vec::new(),
            encoded: 0,
            transmitted: 0,
            moved: false,
            binding: None,
            enquire_link: None,
            unbind: None,
            unanswered: 0,
            own_version: None,
            peer_version: None,
            version: InterfaceVersion(u8::MAX),
            last_heard: now,
            last_message: now,
            now,
            answered: false,
            stats: Stats::default(),
            observer,
            role: PhantomData,
        }
    }

    /// So many octets, of those that [`poll_transmit`](Self::poll_transmit) gave, have been handed to the
    /// transport. This is what tells a request that was sent from one that never left.
    pub fn handle_transmitted(&mut self, octets: usize) {
        self.transmitted = self.encoded.min(self.transmitted.saturating_add(octets as u64));
        self.moved |= octets > 0;
        if self.pending_output() == 0 {
            self.timers.set(Timer::Transmit, None);
        }
        self.advance();
    }

    /// Appends what is to be transmitted to `out`, and says whether there was anything. An empty `out` is
    /// exchanged, not copied into.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.wants_transmit() {
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
        let response =
            self.window.first().map(|entry| (entry.sent + self.config.response_timeout, Timer::Response));
        [response, self.timers.first()].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Acts on the time. Call it until it gives `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event<'static, T>> {
        self.advance_clock(now);
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
                    outcome: Outcome::Unanswered(UnansweredReason::Timeout),
                });
            }
            self.expire(timer);
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something to give.
    pub fn wants_transmit(&self) -> bool {
        !self.output.is_empty() && !matches!(self.ending, Ending::Ended(_) | Ending::Told)
    }

    /// Whether the session wants to read. If not, leave the input where it is until something was
    /// transmitted, so that the peer is pushed back.
    ///
    /// Ask once [`handle_input`](Self::handle_input) has given `None`, and again after each write: then read no more
    /// before what was left has been handed in.
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

    /// Whether a submit_sm of an ESME, or a deliver_sm of an SMSC, would be taken now.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let command = if R::SIDE == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
        let room = self.config.window.max(1) - self.window.len() as u16;
        match self.admit(command).and_then(|()| self.room()).and_then(|()| self.paced(now.max(self.now))) {
            Ok(()) => Readiness::Ready { capacity: room },
            Err(refusal) => Readiness::Refusing(refusal),
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

    /// The counters, at this moment.
    pub fn stats(&self) -> Stats {
        Stats {
            transmitted: self.transmitted,
            in_flight: self.window.len() as u16,
            unanswered: self.unanswered,
            ..self.stats
        }
    }

    /// Who looks on.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Who looks on, to be told something else.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Time is passed in.
    pub(crate) fn advance_clock(&mut self, now: Instant) {
        let passed = now - self.now;
        self.now = self.now.max(now);
        if core::mem::take(&mut self.answered) {
            self.last_message = self.now;
            self.timers.postpone(passed);
        }
    }

    fn pending_output(&self) -> usize {
        (self.encoded - self.transmitted) as usize
    }
}
