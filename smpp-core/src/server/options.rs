//! The configuration of a server: limits of connections, binds, rates and deliveries.

use alloc::boxed::Box;
use core::time::Duration;

use super::connection::AccountName;
use crate::pdu::{BindMode, CommandStatus, InterfaceVersion};
use crate::session::{Config, InvalidOption, Rate};
use crate::wire::Tolerance;

/// The configuration of a [`Server`](super::Server). Every table, queue and counter that a client can make grow has its bound
/// here, or in the [`Config`] of its session.
///
/// When a limit of connections is reached, a new connection replaces the oldest one that is not bound: connections without a
/// bind cannot keep an ESME out. Bound connections are never closed for others.
///
/// ```
/// use smpp_proto::server::{BindLimits, Options};
/// use smpp_proto::session::Rate;
/// let options = Options::default().binds(BindLimits::total(4)).rate(Rate::per_second(50));
/// assert_eq!(options.connections, 1000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Open connections, bound or not. Connections that are being closed do not count; with them there may be twice as many.
    /// Default 1,000.
    pub connections: usize,
    /// As `connections`, for one IP address; for IPv6, for one /64 network. Default 100.
    pub connections_per_address: usize,
    /// Open connections without a bind. Above it a new connection replaces the oldest of them. 0 counts as 1. Default 1,000.
    pub unbound_connections: usize,
    /// The octets that all connections without a bind hold together: input that is no whole PDU, and output that has not left.
    /// Above it the oldest of them is closed. Default 1 MiB.
    pub unbound_octets: usize,
    /// The largest PDU in octets that a connection may send before it is bound; never more than
    /// [`Config::max_pdu`]. A bind has at most 103 octets without TLVs. Default 1,024.
    pub unbound_pdu: usize,
    /// Simultaneous binds of an account. Further ones are refused with [`binds_status`](Self::binds_status). Only binds that
    /// the application has accepted count. Default 10 in all, in any mode.
    pub binds: BindLimits,
    /// The status of a bind above the limit: `ESME_RALYBND`, `ESME_RBINDFAIL` or `ESME_RSYSERR` are usual. Default
    /// `ESME_RALYBND`.
    pub binds_status: CommandStatus,
    /// The rate limit of a bind: messages in any sliding second, with a tolerance for network jitter (see
    /// [`RateMeter`](crate::session::RateMeter)). A submit_multi counts as many messages as it has destinations. Messages
    /// above it are refused with [`rate_status`](Self::rate_status). Default none.
    pub rate: Option<Rate>,
    /// As `rate`, for all binds of an account together. Messages also count after their bind has ended (for up to 1,024 accounts
    /// without a bind). Default none.
    pub account_rate: Option<Rate>,
    /// The status of a message above a rate limit. Default `ESME_RTHROTTLED`.
    pub rate_status: CommandStatus,
    /// How long the application may take to decide on a bind. Then it is refused with `ESME_RBINDFAIL`. Default 5 s.
    pub decision_timeout: Duration,
    /// The system_id of the SMSC, which is in its bind responses: at most 15 octets, more are left out. Default empty.
    pub system_id: Box<[u8]>,
    /// The `sc_interface_version` of bind responses (SMPP 3.4 §5.3.2.25); `None` to leave it out, as some SMSCs do. Default
    /// 3.4.
    pub interface_version: Option<InterfaceVersion>,
    /// The delivery queues.
    pub deliveries: DeliveryOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_per_address: 100,
            unbound_connections: 1000,
            unbound_octets: 1024 * 1024,
            unbound_pdu: 1024,
            binds: BindLimits::total(10),
            binds_status: CommandStatus::RALYBND,
            rate: None,
            account_rate: None,
            rate_status: CommandStatus::RTHROTTLED,
            decision_timeout: Duration::from_secs(5),
            system_id: Box::default(),
            interface_version: Some(InterfaceVersion::V3_4),
            deliveries: DeliveryOptions::default(),
        }
    }
}

impl Options {
    /// Checks that the rate limits are not 0. The adapters call it when a server starts.
    ///
    /// # Errors
    ///
    /// [`InvalidOption`] names the first field that cannot work.
    pub fn check(&self) -> Result<(), InvalidOption> {
        Rate::check(self.rate, "rate")?;
        Rate::check(self.account_rate, "account_rate")
    }

    /// The output before a bind: some responses. A client that does not read them is not read either.
    const UNBOUND_OUTPUT: usize = 1024;

    /// The malformed PDUs and unknown commands before a bind.
    const UNBOUND_MALFORMED: u32 = 10;

    /// Returns the configuration of a session until it is bound: it holds little.
    pub fn unbound_config(&self, config: &Config) -> Config {
        Config {
            max_pdu: config.max_pdu.min(self.unbound_pdu.max(crate::frame::HEADER_LENGTH)),
            max_output: config.max_output.min(Self::UNBOUND_OUTPUT),
            max_malformed: config.max_malformed.min(Self::UNBOUND_MALFORMED),
            ..*config
        }
    }

    crate::setters! {
        connections: usize,
        connections_per_address: usize,
        unbound_connections: usize,
        unbound_octets: usize,
        unbound_pdu: usize,
        binds: BindLimits,
        binds_status: CommandStatus,
        rate: impl Into<Option<Rate>>,
        account_rate: impl Into<Option<Rate>>,
        rate_status: CommandStatus,
        decision_timeout: Duration,
        system_id: impl Into<Box<[u8]>>,
        interface_version: impl Into<Option<InterfaceVersion>>,
        deliveries: DeliveryOptions,
    }
}

/// How many binds an account may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BindLimits {
    /// In all modes together.
    pub total: u16,
    /// Transmitters.
    pub transmitters: u16,
    /// Receivers.
    pub receivers: u16,
    /// Transceivers.
    pub transceivers: u16,
}

impl BindLimits {
    /// Limits only the sum of all modes.
    pub const fn total(total: u16) -> Self {
        Self { total, transmitters: u16::MAX, receivers: u16::MAX, transceivers: u16::MAX }
    }

    /// Returns the limit of binds of this mode.
    pub(super) const fn of(self, mode: BindMode) -> u16 {
        match mode {
            BindMode::Receiver => self.receivers,
            BindMode::Transmitter => self.transmitters,
            BindMode::Transceiver => self.transceivers,
        }
    }

    crate::setters! {
        const transmitters: u16,
        const receivers: u16,
        const transceivers: u16,
    }
}

/// The bounds of the delivery queues. Each account has a queue of messages and receipts that wait for one of its binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryOptions {
    /// The most deliveries of an account without an outcome, waiting or in flight. Default 1,000.
    pub capacity: usize,
    /// The most octets of the PDUs of these deliveries. Default 1 MiB.
    pub octets: usize,
    /// The most octets of the PDUs of all accounts. Default 64 MiB.
    pub total_octets: usize,
    /// How long a delivery may wait for its outcome, unless it states another time. Default 24 h.
    pub max_age: Duration,
    /// How often a delivery is sent at most, if the ESME refuses it with a temporary error or does not respond. 0 counts as 1.
    /// Default 100.
    pub max_attempts: u16,
    /// How long a delivery waits after a temporary error that no other bind can help with. A delivery that one bind refuses is
    /// tried on another at once. At least 1 ms. Default 1 s.
    pub retry_interval: Duration,
}

impl DeliveryOptions {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        capacity: 1000,
        octets: 1024 * 1024,
        total_octets: 64 * 1024 * 1024,
        max_age: Duration::from_secs(24 * 3600),
        max_attempts: 100,
        retry_interval: Duration::from_secs(1),
    };

    crate::setters! {
        const capacity: usize,
        const octets: usize,
        const total_octets: usize,
        const max_age: Duration,
        const max_attempts: u16,
        const retry_interval: Duration,
    }
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The decision that a bind is accepted. `None` means the value of the server's [`Options`] or of the session's [`Config`].
///
/// ```
/// use smpp_proto::server::{AccountName, Admission, BindLimits};
/// use smpp_proto::session::Rate;
///
/// fn admit(system_id: &[u8]) -> Admission {
///     Admission::default()
///         .account(AccountName::new(&system_id.to_ascii_lowercase()))
///         .binds(BindLimits::total(4).receivers(1))
///         .account_rate(Rate::per_second(200))
/// }
/// # assert_eq!(admit(b"Shop"), admit(b"SHOP"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// The account that the bind counts for; `None` for the system_id of the bind as it is.
    pub account: Option<AccountName>,
    /// Simultaneous binds of the account, this one included. With 0 the bind is refused.
    pub binds: Option<BindLimits>,
    /// The rate limit of this bind.
    pub rate: Option<Rate>,
    /// The rate limit of all binds of the account. The last bind that states one sets it for all.
    pub account_rate: Option<Rate>,
    /// Which deviations from the specification this ESME may use.
    pub tolerance: Option<Tolerance>,
    /// The version to speak with this ESME, whatever it states.
    pub peer_version: Option<InterfaceVersion>,
}

impl Admission {
    crate::setters! {
        account: impl Into<Option<AccountName>>,
        binds: impl Into<Option<BindLimits>>,
        rate: impl Into<Option<Rate>>,
        account_rate: impl Into<Option<Rate>>,
        tolerance: impl Into<Option<Tolerance>>,
        peer_version: impl Into<Option<InterfaceVersion>>,
    }
}
