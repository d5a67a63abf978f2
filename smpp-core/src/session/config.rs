//! The configuration of a session.

use core::time::Duration;

use super::invalid_option::InvalidOption;
use super::operations::Operations;
use super::rate_limiter::Rate;
use crate::frame;
use crate::pdu::InterfaceVersion;
use crate::wire::Tolerance;

/// The limits and timeouts of one session: window, rate limit, backpressure, keep-alive, graceful shutdown.
///
/// Every buffer and table that a peer can make grow has its bound here. The defaults suit most providers;
/// [`Provider`](crate::provider::Provider) holds the values that a provider publishes.
///
/// [`check`](Self::check) refuses values that cannot work. Accounts, connectors, and the listeners that open a socket call it; a
/// program that drives a session by itself, or hands the adapters a transport or a socket that it has opened, may.
///
/// ```
/// use smpp_proto::session::{Config, Rate};
/// let config = Config::default().window(64).rate(Rate::per_second(50));
/// assert_eq!(config.check(), Ok(()));
///
/// // In a constant, start from `DEFAULT`.
/// const SMALL: Config = Config::DEFAULT.window(4).max_unanswered(16);
/// # assert_eq!((SMALL.window, SMALL.max_unanswered), (4, 16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The window: how many requests of this side may be in flight, that is, sent and without a response. `1..=65535`.
    /// Beyond it [`request`](super::Session::request) returns
    /// [`Refusal::WindowFull`](super::Refusal::WindowFull). enquire_link and unbind that the session sends by itself do
    /// not count. Default 16.
    pub window: u16,
    /// Backpressure: how many requests of the peer may wait for the application's response. `1..=65535`.
    /// From there on the session reads no input ([`wants_input`](super::Session::wants_input)), so that TCP slows the
    /// peer down, until the application has responded to one. Default 256.
    pub max_unanswered: u16,
    /// How long the session reads no input because of [`max_unanswered`](Self::max_unanswered). Then it reads on,
    /// refuses further requests with `ESME_RTHROTTLED` and emits [`Event::Refused`](super::Event::Refused), until the
    /// application has responded to a request. So an application that waits for a response of the peer before it
    /// responds does not wait for ever: the response may be behind requests. Keep it shorter than the response timeout
    /// of both sides. Default 5 s.
    pub backpressure_timeout: Duration,
    /// The largest PDU in octets, header included; at least 16. A larger `command_length` from the peer ends the session with
    /// [`CloseReason::Framing`](super::CloseReason::Framing). A larger PDU of the caller is refused with
    /// [`Refusal::TooLong`](super::Refusal::TooLong). Default [`frame::DEFAULT_MAX_LENGTH`], 70 KiB.
    pub max_pdu: usize,
    /// Backpressure: how many octets may wait for the transport; at least 1. From there on the session refuses
    /// requests with [`Refusal::OutputFull`](super::Refusal::OutputFull). Responses may take as much again, and one PDU
    /// more; from there on the session reads no input ([`wants_input`](super::Session::wants_input)). Default 256 KiB.
    pub max_output: usize,
    /// How many malformed PDUs the session responds to. One more ends it with
    /// [`CloseReason::TooManyMalformed`](super::CloseReason::TooManyMalformed). Unknown commands count as well. Default
    /// 1,000.
    pub max_malformed: u32,
    /// Which deviations from the specification the session accepts in PDUs of the peer. `None` for the default of the role:
    /// an ESME reads everything that it can ([`Tolerance::LENIENT`]); an SMSC refuses messages that it cannot deliver as they
    /// were meant ([`Tolerance::FAITHFUL`]), with the status of the field, and reads everything else. Default `None`.
    pub tolerance: Option<Tolerance>,
    /// The requests that the peer offers. The session refuses others with
    /// [`Refusal::Unsupported`](super::Refusal::Unsupported). An account may always bind in the modes of its binds. Default all.
    pub operations: Operations,
    /// The protocol version of a peer that states none, or a value that names no version
    /// ([`InterfaceVersion::known`]). For an SMSC that states none in its bind response the specification says 3.3 (SMPP
    /// 3.4 §3.4.2), but many SMSCs that speak 3.4 leave it out, and many ESMEs state 0 or other values. Default 3.4.
    pub assumed_version: InterfaceVersion,
    /// The protocol version of the peer, whatever it states; `None` to believe what it states. Default `None`.
    pub peer_version: Option<InterfaceVersion>,
    /// The rate limit: how many messages per second this side sends; `None` for no limit. A message is a submit_sm,
    /// deliver_sm, data_sm, submit_multi or broadcast_sm; other requests do not count. A submit_multi counts as many messages
    /// as it has destinations. Above the limit [`request`](super::Session::request) returns
    /// [`Refusal::RateLimited`](super::Refusal::RateLimited) with the time to retry. The session sustains 99.2 % of the limit
    /// although timers are late: see [`Rate`]. A message counts when it is encoded, and again when
    /// [`poll_transmit`](super::Session::poll_transmit) takes it if that is later than the limit assumes. Messages that wait
    /// for a transport that does not accept octets leave together when it does, `window` messages at most; later ones wait
    /// for longer then. Default `None`.
    pub rate: Option<Rate>,
    /// Whether the session sends more slowly for a while after the peer throttled: `ESME_RTHROTTLED`
    /// or a `congestion_state` of 100 or more halves the rate; a `congestion_state` of 90 or more lowers it to 8/9, never
    /// below one message per second. The rate recovers linearly within 10 s. Without a rate limit the session estimates
    /// its rate from the requests in flight and the response time. Default true.
    pub slow_down_when_throttled: bool,
    /// How long the session waits for an accepted bind: on an SMSC from the start, on both sides from an outbind. Then it
    /// ends with [`CloseReason::SessionInit`](super::CloseReason::SessionInit). Above zero. Default 10 s.
    pub session_init_timeout: Duration,
    /// ESME only: the SMSC opened the connection and must send outbind within
    /// [`session_init_timeout`](Self::session_init_timeout). Default false.
    pub awaits_outbind: bool,
    /// Keep-alive: how long the peer may be silent before a bound session sends enquire_link; `None` or zero for never. Any PDU
    /// of the peer restarts the interval. If the peer sends nothing for [`response_timeout`](Self::response_timeout)
    /// after the transport has taken the enquire_link (one to two of them if it did not take it at once), the session ends with
    /// [`CloseReason::LinkDead`](super::CloseReason::LinkDead). Default 20 s, because some servers disconnect a bind that is
    /// silent for 30 s.
    #[doc(alias = "keepalive")]
    #[doc(alias = "heartbeat")]
    pub enquire_link_interval: Option<Duration>,
    /// How long the session waits for a response to a request. Then the request ends with
    /// [`UnansweredReason::Timeout`](super::UnansweredReason::Timeout), and the session continues. It also limits the wait
    /// for the response to enquire_link and unbind, for a transport that takes no octet of waiting output
    /// ([`CloseReason::Stalled`](super::CloseReason::Stalled)), and for the last octets before the end. Above zero. Default
    /// 10 s.
    ///
    /// A timeout makes the session slow down as a throttled message does, send enquire_link (unless keep-alive is off), and
    /// refuse requests with [`Refusal::WindowFull`](super::Refusal::WindowFull) until the peer has sent something.
    pub response_timeout: Duration,
    /// How long a request that has timed out keeps its place in the window, from its timeout: the peer may still work on it.
    /// A response within this time is reported as [`Event::LateResponse`](super::Event::LateResponse); a later one as
    /// [`Event::UnexpectedResponse`](super::Event::UnexpectedResponse). Zero frees the place at once. Default 60 s.
    pub late_response_timeout: Duration,
    /// After how many response timeouts without a response to any request the session ends with
    /// [`CloseReason::Unresponsive`](super::CloseReason::Unresponsive), although the peer responds to enquire_link. It
    /// counts from the first request that timed out. 0 for never. Default 6: one minute with the default
    /// `response_timeout`.
    pub max_response_timeouts: u16,
    /// How long a bound session may be idle before it unbinds, with
    /// [`CloseReason::Inactive`](super::CloseReason::Inactive); `None` for ever. Above zero. Any PDU in either direction restarts
    /// it, except enquire_link and its response. Default `None`.
    pub inactivity_timeout: Option<Duration>,
    /// Whether enquire_link and its response count as activity for [`inactivity_timeout`](Self::inactivity_timeout), as
    /// on some servers. Default false.
    pub enquire_link_is_activity: bool,
    /// Graceful shutdown: how long [`unbind`](super::Session::unbind) waits for requests in flight, in both directions,
    /// before the session sends unbind nevertheless. After an unbind of the peer: how long the session waits for the
    /// application's responses before it responds, and for the peer's responses; the latter get
    /// [`response_timeout`](Self::response_timeout) more if the application did not respond in time. After the peer has
    /// closed its side of the connection: how long the session still transmits responses of the application. Default
    /// 5 s.
    pub drain_timeout: Duration,
}

impl Config {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        window: 16,
        max_unanswered: 256,
        backpressure_timeout: Duration::from_secs(5),
        max_pdu: frame::DEFAULT_MAX_LENGTH,
        max_output: 256 * 1024,
        max_malformed: 1000,
        tolerance: None,
        operations: Operations::all(),
        assumed_version: InterfaceVersion::V3_4,
        peer_version: None,
        rate: None,
        slow_down_when_throttled: true,
        session_init_timeout: Duration::from_secs(10),
        awaits_outbind: false,
        enquire_link_interval: Some(Duration::from_secs(20)),
        response_timeout: Duration::from_secs(10),
        late_response_timeout: Duration::from_secs(60),
        max_response_timeouts: 6,
        inactivity_timeout: None,
        enquire_link_is_activity: false,
        drain_timeout: Duration::from_secs(5),
    };

    /// Checks that a session can work with these values.
    ///
    /// A session that is created with others nevertheless counts a window, a `max_unanswered`, a `max_output` or a rate of 0 as
    /// 1. A `response_timeout`, `session_init_timeout` or `inactivity_timeout` of zero passes at once.
    ///
    /// ```
    /// use smpp_proto::session::Config;
    /// let error = Config::default().window(0).check().unwrap_err();
    /// assert_eq!(error.to_string(), "window is 0, so no request could be sent: set it to 1 or more");
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidOption`] names the first field that cannot work.
    pub fn check(&self) -> Result<(), InvalidOption> {
        let check = InvalidOption::check;
        check(self.window > 0, "window", "is 0, so no request could be sent: set it to 1 or more")?;
        check(
            self.max_unanswered > 0,
            "max_unanswered",
            "is 0, so no request could be received: set it to 1 or more",
        )?;
        check(
            self.max_pdu >= frame::HEADER_LENGTH,
            "max_pdu",
            "is shorter than a header, so no PDU could pass: set it to 16 octets or more",
        )?;
        check(
            self.max_output > 0,
            "max_output",
            "is 0, so nothing could be sent: set it to 1 octet or more",
        )?;
        Rate::check(self.rate, "rate")?;
        check(
            !self.session_init_timeout.is_zero(),
            "session_init_timeout",
            "is zero, so a session that waits for a bind would end at once: set a longer time, such as 10 s",
        )?;
        check(
            !self.response_timeout.is_zero(),
            "response_timeout",
            "is zero, so every response would come too late: set a longer time, such as 10 s",
        )?;
        check(
            self.inactivity_timeout.is_none_or(|timeout| !timeout.is_zero()),
            "inactivity_timeout",
            "is zero, so a bind would end at once: set a longer time, or None to keep it",
        )
    }

    /// Returns the interval of the keep-alive, if there is one.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        self.enquire_link_interval.filter(|interval| !interval.is_zero())
    }

    crate::setters! {
        const window: u16,
        const max_unanswered: u16,
        const backpressure_timeout: Duration,
        const max_pdu: usize,
        const max_output: usize,
        const max_malformed: u32,
        tolerance: impl Into<Option<Tolerance>>,
        const operations: Operations,
        const assumed_version: InterfaceVersion,
        peer_version: impl Into<Option<InterfaceVersion>>,
        rate: impl Into<Option<Rate>>,
        const slow_down_when_throttled: bool,
        const session_init_timeout: Duration,
        const awaits_outbind: bool,
        enquire_link_interval: impl Into<Option<Duration>>,
        const response_timeout: Duration,
        const late_response_timeout: Duration,
        const max_response_timeouts: u16,
        inactivity_timeout: impl Into<Option<Duration>>,
        const enquire_link_is_activity: bool,
        const drain_timeout: Duration,
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
