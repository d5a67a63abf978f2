//! What a session may do, wait for and hold.

use core::time::Duration;

use super::operations::Operations;
use super::rate_limiter::Rate;
use crate::frame;
use crate::pdu::InterfaceVersion;
use crate::wire::Tolerance;

/// The limits and times of one session. Every buffer and table that a peer can make grow has its bound here.
///
/// ```
/// use smpp_core::session::{Config, Rate};
/// let config = Config { window: 64, rate: Some(Rate::per_second(50)), ..Config::default() };
/// # assert_eq!(config.max_unanswered, 256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Requests of ours that may be unanswered at once, `1..=65535`; 0 counts as 1. Default 16.
    pub window: u16,
    /// Requests of the peer that may be unanswered at once; beyond it the session itself answers
    /// `ESME_RTHROTTLED`. Default 256.
    pub max_unanswered: u16,
    /// The largest PDU accepted, in octets; a larger `command_length` ends the session.
    /// Default [`frame::DEFAULT_MAX_LENGTH`].
    pub max_pdu: usize,
    /// Octets that may wait to be transmitted before requests are refused; 0 counts as 1. Answers may take as
    /// much again, and nothing is read from there on. Default 256 KiB.
    pub max_output: usize,
    /// PDUs that cannot be read and are answered before the session ends; unknown commands do not count.
    /// Default 1,000.
    pub max_malformed: u32,
    /// Which deviations of the peer are read. Default [`Tolerance::LENIENT`].
    pub tolerance: Tolerance,
    /// The requests that the other side offers: others are refused here. Default all.
    pub operations: Operations,
    /// What an SMSC speaks that states no version in its bind response. The specification says 3.3 (SMPP 3.4
    /// §3.4.2); many that speak 3.4 leave it out. Default 3.4.
    pub assumed_version: InterfaceVersion,
    /// How many messages a second may be sent; `None` for no limit. A message is a submit_sm, deliver_sm, data_sm,
    /// submit_multi or broadcast_sm; other requests are not counted. It counts when it is encoded: what then waits for a
    /// transport that takes nothing leaves at once when it does, `window` messages at most. Default none.
    pub rate: Option<Rate>,
    /// Whether to send more slowly for a while when the peer answers `ESME_RTHROTTLED` or `ESME_RMSGQFUL`, or states
    /// a `congestion_state` of 90 or more. Default true.
    pub slow_down_when_throttled: bool,
    /// From the start to a completed bind, SMSC side, and from an outbind to the bind, both sides. Default 10 s.
    pub session_init_timeout: Duration,
    /// ESME side: the SMSC has opened the connection and is to send outbind, within
    /// [`session_init`](Self::session_init_timeout). Default false.
    pub awaits_outbind: bool,
    /// From the last PDU of the peer to an enquire_link of ours; `None` for never. Default 30 s.
    pub enquire_link_interval: Option<Duration>,
    /// From a request to its response, enquire_link and unbind included; and how long the transport may take
    /// nothing of what waits. Default 10 s.
    pub response_timeout: Duration,
    /// From the last PDU in either direction that is no enquire_link to an unbind of ours; `None` for never.
    /// Default none.
    pub inactivity_timeout: Option<Duration>,
    /// Whether enquire_link and its response count as activity, as they do for some servers. Default false.
    pub enquire_link_is_activity: bool,
    /// How long an unbind waits for what is in flight. Default 5 s.
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: 16,
            max_unanswered: 256,
            max_pdu: frame::DEFAULT_MAX_LENGTH,
            max_output: 256 * 1024,
            max_malformed: 1000,
            tolerance: Tolerance::LENIENT,
            operations: Operations::all(),
            assumed_version: InterfaceVersion::V3_4,
            rate: None,
            slow_down_when_throttled: true,
            session_init_timeout: Duration::from_secs(10),
            awaits_outbind: false,
            enquire_link_interval: Some(Duration::from_secs(30)),
            response_timeout: Duration::from_secs(10),
            inactivity_timeout: None,
            enquire_link_is_activity: false,
            drain_timeout: Duration::from_secs(5),
        }
    }
}
