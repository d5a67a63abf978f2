//! The configuration of an account: credentials, binds, limits and timeouts.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::pdu::{Address, Bind, BindMode, InterfaceVersion, Npi, Ton};
use crate::provider::{LongMessages, Provider, ReceiptDialect};
use crate::session::Config;
use crate::sms::{ReassemblyLimits, TextOptions};
use crate::wire::{InvalidOctets, Password};

/// The configuration of an [`Account`](super::Account). Every queue and table has its bound here.
///
/// ```
/// use smpp_core::account::{Binds, Credentials, Options};
/// use smpp_core::provider::Provider;
///
/// let options = Options {
///     binds: Binds::Pairs(2),
///     ..Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT)
/// };
/// assert_eq!((options.max_binds, options.check()), (4, Ok(())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The system_id, password and other fields of each bind. No default.
    pub credentials: Credentials,
    /// The SMPP version that each bind states. Default: the provider's.
    pub interface_version: InterfaceVersion,
    /// How many binds the account keeps, and in which modes; at least 1 and at most [`max_binds`](Self::max_binds)
    /// connections. Default one transceiver.
    pub binds: Binds,
    /// The most connections that the account holds at once, including those that are being made or closed. Default: the
    /// provider's limit, or 1 if it states none.
    pub max_binds: u16,
    /// The shortest time between the starts of two connection attempts. Default 200 ms.
    pub connect_interval: Duration,
    /// How long the account waits before it reconnects. See [`Backoff`] for its defaults.
    pub backoff: Backoff,
    /// The configuration of each bind's session: window, rate limit, keep-alive and timeouts. Default: the provider's.
    pub session: Config,
    /// How long the adapter may take to connect to one address, TLS included. The account itself runs no timer for it.
    /// Default 10 s.
    pub connect_timeout: Duration,
    /// The alphabets and character sets of texts. Default: the provider's.
    pub text: TextOptions<'static>,
    /// How a text that exceeds one message is sent: as concatenated segments, or in message_payload. Default: the
    /// provider's, or [`LongMessages::Udh16`] if it states none.
    pub long_messages: LongMessages,
    /// The most segments that wait in the queue or are in flight. Beyond it
    /// [`submit`](super::Account::submit) returns [`SubmitError::Full`](super::SubmitError::Full). Default 1,000.
    pub queue_capacity: usize,
    /// What the account does about a segment that was sent and got no response, unless the message states
    /// [its own policy](super::Message::unanswered_policy). Default [`UnansweredPolicy::Report`].
    pub unanswered_policy: UnansweredPolicy,
    /// How many times the account resends a segment that the SMSC refused with `ESME_RTHROTTLED`, `ESME_RMSGQFUL` or
    /// `ESME_RINVBNDSTS`. After that the segment is refused. Default 10.
    pub throttle_retries: u16,
    /// How long a bind sends no messages after such a refusal. Default 1 s.
    pub throttle_pause: Duration,
    /// How the account matches delivery receipts. See [`ReceiptOptions`] for its defaults.
    pub receipts: ReceiptOptions,
    /// The limits of the segments of MO messages that the account holds for reassembly. Default
    /// [`ReassemblyLimits::default`].
    pub reassembly: ReassemblyLimits,
    /// How long the account delays the acknowledgement of an MO segment while the other segments are missing. After
    /// this time it responds with `ESME_ROK`, and the segment exists only in memory. Without a limit, an SMSC that
    /// sends the next segment only after the acknowledgement of the previous one would wait forever. Default 5 s.
    pub segment_ack_timeout: Duration,
    /// The seed of the random part of each reconnect delay (jitter), and of the reference numbers of long messages. Give
    /// each process its own. Default 0.
    pub seed: u64,
}

impl Options {
    /// Creates options with what the provider states, and the defaults above for the rest.
    pub fn new(credentials: Credentials, provider: &Provider) -> Self {
        Self {
            credentials,
            interface_version: provider.interface_version,
            binds: Binds::Transceivers(1),
            max_binds: provider.max_binds.unwrap_or(1),
            connect_interval: Duration::from_millis(200),
            backoff: Backoff::default(),
            session: provider.config(),
            connect_timeout: Duration::from_secs(10),
            text: provider.text_options(),
            long_messages: provider.long_messages.unwrap_or(LongMessages::Udh16),
            queue_capacity: 1_000,
            unanswered_policy: UnansweredPolicy::Report,
            throttle_retries: 10,
            throttle_pause: Duration::from_secs(1),
            receipts: ReceiptOptions { dialect: provider.receipts, ..ReceiptOptions::default() },
            reassembly: ReassemblyLimits::default(),
            segment_ack_timeout: Duration::from_secs(5),
            seed: 0,
        }
    }

    /// Checks the credentials and the number of binds.
    ///
    /// # Errors
    ///
    /// [`OptionsError`] says which of them is wrong.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.credentials.system_id.is_empty() {
            return Err(OptionsError::NoSystemId);
        }
        self.credentials
            .bind(BindMode::Transceiver, self.interface_version)
            .map_err(OptionsError::Credentials)?;
        self.check_binds(self.binds)
    }

    /// Checks a number of binds against `max_binds`.
    pub(super) fn check_binds(&self, binds: Binds) -> Result<(), OptionsError> {
        match binds.count() {
            0 => Err(OptionsError::NoBinds),
            count if count > self.max_binds => Err(OptionsError::TooManyBinds { count, max: self.max_binds }),
            _ => Ok(()),
        }
    }
}

/// Why an account cannot run with its [`Options`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// The system_id is empty.
    NoSystemId,
    /// One of the credentials does not fit its field.
    Credentials(InvalidOctets),
    /// The number of binds is 0.
    NoBinds,
    /// The number of binds exceeds [`Options::max_binds`].
    TooManyBinds {
        /// How many binds were requested.
        count: u16,
        /// The limit.
        max: u16,
    },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemId => {
                f.write_str("the system_id is empty: set it (at 8x8 it is the sub-account id)")
            }
            Self::Credentials(error) => {
                write!(f, "system_id, password, system_type or address_range does not fit its field: {error}")
            }
            Self::NoBinds => f.write_str("the number of binds is 0: an account needs at least one"),
            Self::TooManyBinds { count, max } => {
                write!(f, "{count} binds exceed the limit of {max}: request fewer, or raise max_binds")
            }
        }
    }
}

impl core::error::Error for OptionsError {}

/// The credentials of the account: what each of its binds states (SMPP 3.4 §4.1).
///
/// `Debug` does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the ESME: 1 to 15 octets of ASCII. At 8x8, the sub-account id.
    pub system_id: String,
    /// The password: at most 8 octets by the specification. A longer one that fits the PDU is sent as it is.
    pub password: String,
    /// The kind of ESME: at most 12 octets, usually empty.
    pub system_type: String,
    /// The addresses that the ESME serves: at most 40 octets, usually empty.
    pub address_range: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("system_id", &self.system_id).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Creates credentials of a name and a password.
    pub fn new(system_id: impl Into<String>, password: impl Into<String>) -> Self {
        Self { system_id: system_id.into(), password: password.into(), ..Self::default() }
    }

    /// Returns the bind request with these credentials.
    pub(super) fn bind(&self, mode: BindMode, version: InterfaceVersion) -> Result<Bind<'_>, InvalidOctets> {
        Ok(Bind {
            mode,
            system_id: self.system_id.as_str().try_into()?,
            password: Password::new(self.password.as_bytes())?,
            system_type: self.system_type.as_str().try_into()?,
            interface_version: version,
            address_range: Address {
                ton: Ton::UNKNOWN,
                npi: Npi::UNKNOWN,
                digits: self.address_range.as_str().try_into()?,
            },
            ..Bind::default()
        })
    }
}

/// How many binds an account keeps, and in which modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binds {
    /// This many transceivers, at least 1.
    Transceivers(u16),
    /// This many transmitters and as many receivers, at least 1 of each: receipts do not queue behind submissions.
    Pairs(u16),
}

impl Binds {
    /// Returns the number of connections.
    pub const fn count(self) -> u16 {
        match self {
            Self::Transceivers(count) => count,
            Self::Pairs(count) => count.saturating_mul(2),
        }
    }

    /// Returns the mode of the bind with this index, from 0. A pair begins with its transmitter.
    pub(super) const fn mode(self, index: u16) -> BindMode {
        match self {
            Self::Transceivers(_) => BindMode::Transceiver,
            Self::Pairs(_) if index.is_multiple_of(2) => BindMode::Transmitter,
            Self::Pairs(_) => BindMode::Receiver,
        }
    }
}

/// How long the account waits before it reconnects: exponential back-off with jitter.
///
/// The delay doubles after each failure. A random value between half of it and all of it is used, so that many clients
/// of a server that restarts do not reconnect at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "reconnect")]
#[doc(alias = "retry")]
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
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            reset_after: Duration::from_secs(10),
        }
    }
}

impl Backoff {
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
}

/// What the account does about a segment that was sent and got no response: the SMSC may have accepted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
pub struct ReceiptOptions {
    /// Which PDUs count as receipts, what they mean, and how message ids are compared. Default [`ReceiptDialect::UNSTATED`];
    /// [`Options::new`] takes the provider's.
    pub dialect: ReceiptDialect,
    /// The most segments that the account remembers while they wait for their final receipt. Beyond it the account
    /// gives up the oldest message: [`Event::ReceiptsExpired`](super::Event::ReceiptsExpired). Each takes about 145 octets
    /// with an id of up to 38 octets, and at most 400 with a longer one. Default 100,000.
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

impl Default for ReceiptOptions {
    fn default() -> Self {
        Self {
            dialect: ReceiptDialect::UNSTATED,
            capacity: 100_000,
            max_age: Duration::from_secs(72 * 3600),
            remember_completed: Duration::from_secs(120),
            early_capacity: 64,
        }
    }
}
