//! The configuration of an account: credentials, binds, limits and timeouts.

use alloc::vec::Vec;
use core::time::Duration;

use super::binds::{BindGroup, Binds};
use super::credentials::Credentials;
use super::options_error::{MAX_LONG_FIELD, OptionsError};
use super::statuses::Statuses;
use crate::endpoint::Endpoint;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{Address, Bind, BindMode, CommandStatus, InterfaceVersion, Pdu};
use crate::provider::{LongMessages, Provider, ReceiptDialect};
use crate::session::{Config, InvalidOption, Rate};
use crate::sms::{Alphabet, ReassemblyLimits, TextOptions};
use crate::tlv::{Tlv, Tlvs};
use crate::wire::{COctets, Password, Quirks};

/// The configuration of an [`Account`](super::Account). Every queue and table has its bound here.
///
/// ```
/// use smpp_proto::account::{Binds, Credentials, Options};
/// use smpp_proto::provider::Provider;
///
/// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT).binds(Binds::pairs(2));
/// assert_eq!((options.max_binds, options.check()), (4, Ok(())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The system_id, password, addresses and TLVs of each bind. No default.
    pub credentials: Credentials,
    /// The SMPP version that each bind states. Default: the provider's.
    pub interface_version: InterfaceVersion,
    /// Which deviations from the specification the account may use in its binds. With
    /// [`Quirks::LONG_STRING`] a system_id of more than 15 octets, a system_type of more than 12 and an address_range of
    /// more than 40 are sent as they are, up to 255 octets each; without it they are errors. Other quirks have no effect.
    /// Default: the provider's.
    pub bind_quirks: Quirks,
    /// Where the connections go, in the order in which they are tried, unless a group of [`binds`](Self::binds) has
    /// endpoints of its own. Their system_id and password are not used here. A connector of an adapter puts the endpoint
    /// of its URL first. Default empty: then [`Account::endpoint`](super::Account::endpoint) returns `None`, and the
    /// adapter connects to a host of its own.
    pub endpoints: Vec<Endpoint>,
    /// How many binds the account keeps, in which modes, and at which endpoints: at most [`max_binds`](Self::max_binds)
    /// connections. With [`Binds::NONE`] it keeps what it has accepted, and sends nothing. Default one transceiver.
    pub binds: Binds,
    /// The most connections that the account holds at once, including those that are being made or closed. Default: the
    /// provider's limit, or 1 if it states none.
    pub max_binds: u16,
    /// The shortest time between the starts of two connection attempts. Default 200 ms.
    pub connect_interval: Duration,
    /// How long the account waits before it reconnects. See [`Backoff`] for its defaults.
    pub backoff: Backoff,
    /// The configuration of each bind's session: window, rate limit, keep-alive and timeouts. Default: the provider's. To keep what
    /// the provider states, change fields of it, as in `options.session.window = 32`; [`Config::default`] states none of that.
    pub session: Config,
    /// How long the adapter may take to connect to one address, TLS included. The account itself runs no timer for it. Above
    /// zero. Default 10 s.
    pub connect_timeout: Duration,
    /// The alphabets and character sets of texts. At least one alphabet has a `data_coding`. Default: the provider's.
    pub text: TextOptions<'static>,
    /// How a text that exceeds one message is sent: as concatenated segments, or in message_payload. Default: the
    /// provider's, or [`LongMessages::Udh16`] if it states none.
    pub long_messages: LongMessages,
    /// The most segments that wait in the queue or are in flight; at least 1. Beyond it
    /// [`submit`](super::Account::submit) returns [`SubmitError::Full`](super::SubmitError::Full). Default 1,000.
    pub queue_capacity: usize,
    /// The most requests about messages (query_sm, cancel_sm, replace_sm) without an outcome. Beyond it
    /// [`request`](super::Account::request) returns [`RequestNotSentReason::Full`](super::RequestNotSentReason::Full).
    /// Default 100.
    pub request_capacity: usize,
    /// What the account does about a segment that was sent and got no response, unless the message states
    /// [its own policy](super::Message::unanswered_policy). Default [`UnansweredPolicy::Report`].
    pub unanswered_policy: UnansweredPolicy,
    /// What the account does about each status with which the SMSC refuses a message or a bind: refuse, retry, pause, rebind
    /// or stop. Default: the provider's, or [`StatusTable::DEFAULT`](crate::provider::StatusTable::DEFAULT).
    pub statuses: Statuses,
    /// The rate limit of all binds together, across reconnects; `None` for no limit beside that of each bind
    /// ([`session.rate`](crate::session::Config::rate)). Each segment counts when its bind takes it, and again from when
    /// its octets leave if that is later. Late timers cost nothing
    /// of it: see [`Rate`]. Default `None`.
    pub rate: Option<Rate>,
    /// Whether the segments of one message may go on several binds, in any order: a long message is sent faster, but some
    /// SMSCs and phones lose or confuse its segments. If not, the first segment chooses the bind and the others follow on
    /// it in order; when the bind ends or pauses, the rest moves to another one. Default false.
    pub spread_segments: bool,
    /// How the account matches delivery receipts. See [`ReceiptOptions`] for its defaults.
    pub receipts: ReceiptOptions,
    /// The limits of the segments of MO messages that the account holds for reassembly. Default
    /// [`ReassemblyLimits::default`].
    ///
    /// [`max_messages`](ReassemblyLimits::max_messages) and [`duplicate_window`](ReassemblyLimits::duplicate_window) also
    /// limit how many single PDUs whose bind has ended the account remembers, at about 200 octets each, and for how long
    /// after the application has accepted them: see
    /// [*Redelivery*](super#redelivery-what-the-application-gets-once).
    pub reassembly: ReassemblyLimits,
    /// How long the account delays the acknowledgement of an MO segment at most, while the other segments are missing.
    /// After this time it responds with `ESME_ROK`, and the segment exists only in memory. Default 5 s.
    pub segment_ack_timeout: Duration,
    /// How long [`shutdown`](super::Account::shutdown) waits at least for the responses to requests in flight and to the
    /// unbinds, even if its own timeout has passed: two thirds of it for the requests, the rest for the unbinds. Then it ends
    /// the sessions without them. Default 3 s.
    pub unbind_timeout: Duration,
    /// Whether the account acknowledges an MO segment earlier if the SMSC may wait for it. Default
    /// [`SegmentAckMode::Adaptive`].
    pub segment_ack_mode: SegmentAckMode,
    /// The seed of the random part of each reconnect delay (jitter), and of the reference numbers of long messages. It also keys
    /// the table of message ids against ids that an SMSC chooses to slow it down.
    ///
    /// With the same seed and the same inputs an account does the same. `None`: the adapters `smpp-tokio` and
    /// `smpp-std` take a random seed from the system for each account, so that two processes neither reconnect in step
    /// nor use the same references. The core has no source of random numbers, and uses the seed 0. Default `None`.
    pub seed: Option<u64>,
}

/// When the account acknowledges a segment of a mobile-originated (MO) message whose other segments are missing.
///
/// A segment that is acknowledged exists only in memory until the message is complete and the application has stored it: it
/// is lost if the process is killed. A segment that is not acknowledged stays at the SMSC. But an SMSC that sends one
/// segment at a time waits for the acknowledgement before it sends the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentAckMode {
    /// Delays the acknowledgement by 50 ms if the SMSC may wait for it, otherwise until
    /// [`Options::segment_ack_timeout`].
    ///
    /// The account learns from the SMSC: it may wait until it has once completed a message while an earlier segment was
    /// unacknowledged; later it may wait on a bind that has as many unanswered requests as ever before, and on which nothing
    /// has arrived for 50 ms.
    #[default]
    Adaptive,
    /// Delays each acknowledgement until [`Options::segment_ack_timeout`], so that the SMSC keeps the segments for that
    /// time. An SMSC that sends one segment at a time then needs that time for each segment but the last. Delayed segments
    /// count against [`max_unanswered`](crate::session::Config::max_unanswered) of their bind.
    Strict,
}

impl Options {
    /// Creates options with what the provider states, and the defaults above for the rest.
    pub fn new(credentials: Credentials, provider: &Provider) -> Self {
        Self {
            credentials,
            interface_version: provider.interface_version,
            bind_quirks: provider.bind_quirks,
            endpoints: Vec::new(),
            binds: Binds::transceivers(1),
            max_binds: provider.max_binds.unwrap_or(1),
            connect_interval: Duration::from_millis(200),
            backoff: Backoff::default(),
            session: provider.config(),
            connect_timeout: Duration::from_secs(10),
            text: provider.text_options(),
            long_messages: provider.long_messages.unwrap_or(LongMessages::Udh16),
            queue_capacity: 1_000,
            request_capacity: 100,
            unanswered_policy: UnansweredPolicy::Report,
            statuses: Statuses::new(&provider.statuses),
            rate: None,
            spread_segments: false,
            receipts: ReceiptOptions { dialect: provider.receipts, ..ReceiptOptions::default() },
            reassembly: ReassemblyLimits::default(),
            segment_ack_timeout: Duration::from_secs(5),
            unbind_timeout: Duration::from_secs(3),
            segment_ack_mode: SegmentAckMode::default(),
            seed: None,
        }
    }

    /// Checks the credentials, the number of binds, and that no limit or timeout has a value with which nothing could work. The
    /// account calls it when it is created and [reconfigured](super::Account::reconfigure).
    ///
    /// # Errors
    ///
    /// [`OptionsError`] says which of them is wrong.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.credentials.system_id.is_empty() {
            return Err(OptionsError::NoSystemId);
        }
        let tlvs = self.credentials.tlv_list()?;
        let bind = self.bind(BindMode::Transceiver, &tlvs)?;
        let length =
            Frame::encode(&Pdu::Bind(bind), CommandStatus::ROK, SequenceNumber::FIRST).octets().len();
        if length > self.session.max_pdu {
            return Err(OptionsError::BindTooLong { length, max: self.session.max_pdu });
        }
        self.check_binds(&self.binds)?;
        self.session.check().map_err(OptionsError::Session)?;
        self.check_values().map_err(OptionsError::Invalid)
    }

    /// Checks the limits and timeouts of the account itself.
    fn check_values(&self) -> Result<(), InvalidOption> {
        let check = InvalidOption::check;
        Rate::check(self.rate, "rate")?;
        check(
            !self.connect_timeout.is_zero(),
            "connect_timeout",
            "is zero, so every connection would take too long: set a longer time, such as 10 s",
        )?;
        check(
            self.queue_capacity > 0,
            "queue_capacity",
            "is 0, so no message could be sent: set it to 1 or more",
        )?;
        check(
            !self.text.alphabets.is_empty(),
            "text.alphabets",
            "is empty, so no text without a data_coding of its own could be sent: name one or more",
        )?;
        let has_coding = |alphabet: &Alphabet| self.text.codings.data_coding(*alphabet).is_some();
        check(
            self.text.alphabets.iter().any(has_coding),
            "text.alphabets",
            "names no alphabet that a data_coding of text.codings means, so no text without a data_coding of its own could be sent: add one, or change the codings",
        )
    }

    /// Checks that each group of binds has an endpoint. An adapter that knows no other host calls it.
    ///
    /// # Errors
    ///
    /// [`OptionsError::NoEndpoint`] if one has none.
    pub fn check_endpoints(&self) -> Result<(), OptionsError> {
        let lacks_one = |group: &BindGroup| group.endpoints().is_empty() && group.count() > 0;
        if self.endpoints.is_empty() && self.binds.groups().iter().any(lacks_one) {
            return Err(OptionsError::NoEndpoint);
        }
        Ok(())
    }

    /// Checks that a bind is requested, so that a caller can wait for the first.
    ///
    /// # Errors
    ///
    /// [`OptionsError::NoBinds`].
    pub fn check_waits_for_bind(&self) -> Result<(), OptionsError> {
        if self.binds.count() == 0 { Err(OptionsError::NoBinds) } else { Ok(()) }
    }

    pub(super) fn check_binds(&self, binds: &Binds) -> Result<(), OptionsError> {
        let count = binds.groups().iter().fold(0_u32, |count, group| count + u32::from(group.count()));
        if count > u32::from(self.max_binds) {
            return Err(OptionsError::TooManyBinds { count: binds.count(), max: self.max_binds });
        }
        Ok(())
    }

    /// Returns the bind request with these TLVs.
    pub(super) fn bind<'a>(&'a self, mode: BindMode, tlvs: &'a [Tlv<'a>]) -> Result<Bind<'a>, OptionsError> {
        let Credentials { system_id, password, system_type, addr_ton, addr_npi, address_range, .. } =
            &self.credentials;
        let password = Password::new(password.as_bytes())
            .map_err(|error| OptionsError::BindField { field: "password", error })?;
        Ok(Bind {
            mode,
            system_id: self.bind_field("system_id", system_id)?,
            password,
            system_type: self.bind_field("system_type", system_type)?,
            interface_version: self.interface_version,
            address_range: Address {
                ton: *addr_ton,
                npi: *addr_npi,
                digits: self.bind_field("address_range", address_range)?,
            },
            tlvs: Tlvs::list(tlvs),
        })
    }

    fn bind_field<'a, const MAX: usize>(
        &self,
        field: &'static str,
        value: &'a str,
    ) -> Result<COctets<'a, MAX>, OptionsError> {
        let octets = value.as_bytes();
        let checked = if self.bind_quirks.contains(Quirks::LONG_STRING) {
            COctets::<{ MAX_LONG_FIELD + 1 }>::new(octets).map(|_| COctets::from_valid(octets))
        } else {
            COctets::new(octets)
        };
        checked.map_err(|error| OptionsError::BindField { field, error })
    }

    crate::setters! {
        credentials: Credentials,
        interface_version: InterfaceVersion,
        bind_quirks: Quirks,
        endpoints: impl Into<Vec<Endpoint>>,
        binds: Binds,
        max_binds: u16,
        connect_interval: Duration,
        backoff: Backoff,
        session: Config,
        connect_timeout: Duration,
        text: TextOptions<'static>,
        long_messages: LongMessages,
        queue_capacity: usize,
        request_capacity: usize,
        unanswered_policy: UnansweredPolicy,
        statuses: Statuses,
        rate: impl Into<Option<Rate>>,
        spread_segments: bool,
        receipts: ReceiptOptions,
        reassembly: ReassemblyLimits,
        segment_ack_timeout: Duration,
        unbind_timeout: Duration,
        segment_ack_mode: SegmentAckMode,
        seed: impl Into<Option<u64>>,
    }
}

/// How long the account waits before it reconnects: exponential back-off with jitter.
///
/// The delay doubles after each failure. A random value between half of it and all of it is used, so that many clients
/// of a server that restarts do not reconnect at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "reconnect")]
#[doc(alias = "retry")]
#[non_exhaustive]
pub struct Backoff {
    /// The delay after the first failure; less than 2 ms counts as 2 ms. Default 1 s.
    pub initial: Duration,
    /// The longest delay; less than 2 ms counts as 2 ms. Default 60 s.
    pub max: Duration,
    /// How long a bind must live to reset the back-off to [`initial`](Self::initial). Default 10 s.
    pub reset_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Backoff {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(60),
        reset_after: Duration::from_secs(10),
    };

    /// The shortest delay after a failure. It prevents a busy loop if the configured delay is 0.
    const MIN: Duration = Duration::from_millis(2);

    /// Returns the delay after this many failures, at least 1: between half of the doubled delay and all of it.
    pub(super) fn delay(self, failures: u32, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.initial.saturating_mul(doubled).min(self.max).max(Self::MIN);
        let half = whole / 2;
        let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(random.checked_rem(nanos).unwrap_or_default())
    }

    crate::setters! {
        const initial: Duration,
        const max: Duration,
        const reset_after: Duration,
    }
}

/// What the account does about a segment that was sent and got no response: the SMSC may have accepted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnansweredPolicy {
    /// Reports it as [`SegmentOutcome::Unanswered`](super::SegmentOutcome::Unanswered).
    #[default]
    Report,
    /// Resends it up to this many times: **the phone may receive it twice**. If no attempt is accepted, the segment stays
    /// [`Unanswered`](super::SegmentOutcome::Unanswered), even if the SMSC refuses the later attempts: it may have
    /// accepted the first.
    Resend(u16),
}

/// How the account matches delivery receipts (DLRs) to the messages that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiptOptions {
    /// Which PDUs count as receipts, what they mean, and how message ids are compared. Default [`ReceiptDialect::UNSTATED`];
    /// [`Options::new`] takes the provider's.
    pub dialect: ReceiptDialect,
    /// The most segments that the account remembers while they wait for their final receipt. Beyond it the account
    /// gives up the oldest message: [`Event::ReceiptsExpired`](super::Event::ReceiptsExpired). Each takes at
    /// most 160 octets, however long its id is. Default 100,000.
    pub capacity: usize,
    /// How long a message waits for its receipts, from when the SMSC accepted its first segment. If the application
    /// refuses its last receipt, from then. Default 72 h.
    pub max_age: Duration,
    /// How long the account remembers a message after its last receipt. For so long it recognises a receipt that the SMSC
    /// redelivers, and reports a final state that [changes](super::ReceiptMatch::previous); later receipts of the message
    /// are unmatched. The message counts against [`capacity`](Self::capacity) meanwhile, but is the first to make room.
    /// Default 120 s.
    pub remember_completed: Duration,
    /// The most receipts with an unknown id that the account holds because their `submit_sm_resp` may still arrive.
    /// Each is held until every request that was in flight when it arrived has a response. Beyond the limit, or if their
    /// PDUs have more than 1,024 octets for each on average, the account emits the oldest as unmatched. Default 64.
    pub early_capacity: usize,
}

impl ReceiptOptions {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        dialect: ReceiptDialect::UNSTATED,
        capacity: 100_000,
        max_age: Duration::from_secs(72 * 3600),
        remember_completed: Duration::from_secs(120),
        early_capacity: 64,
    };

    crate::setters! {
        const dialect: ReceiptDialect,
        const capacity: usize,
        const max_age: Duration,
        const remember_completed: Duration,
        const early_capacity: usize,
    }
}

impl Default for ReceiptOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
