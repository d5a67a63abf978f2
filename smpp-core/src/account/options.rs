//! What an account may do, wait for and hold.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::message::UnansweredPolicy;
use crate::pdu::{Address, Bind, BindMode, InterfaceVersion, Npi, Ton};
use crate::provider::{LongMessages, Provider, ReceiptDialect};
use crate::session::Config;
use crate::sms::{ReassemblyLimits, TextOptions};
use crate::wire::{InvalidOctets, Password};

/// Who the account is: what each of its binds says (SMPP 3.4 §4.1).
///
/// `Debug` does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The ESME's name: 1 to 15 octets of ASCII. At 8x8, the sub-account id.
    pub system_id: String,
    /// Its password: at most 8 octets by the specification; longer ones that fit the PDU are sent as they are.
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
    /// An account by its name and password.
    pub fn new(system_id: impl Into<String>, password: impl Into<String>) -> Self {
        Self { system_id: system_id.into(), password: password.into(), ..Self::default() }
    }

    /// The bind that says so.
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

/// How many binds an account keeps, and of which modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binds {
    /// So many transceivers, at least 1.
    Transceivers(u16),
    /// So many transmitters and as many receivers, at least 1 of each: receipts do not queue behind submissions.
    Pairs(u16),
}

impl Binds {
    /// How many connections that takes.
    pub const fn count(self) -> u16 {
        match self {
            Self::Transceivers(count) => count,
            Self::Pairs(count) => count.saturating_mul(2),
        }
    }

    /// The mode of the bind with this number, from 0: a transmitter first, so that a pair begins with it.
    pub(super) const fn mode(self, index: u16) -> BindMode {
        match self {
            Self::Transceivers(_) => BindMode::Transceiver,
            Self::Pairs(_) if index.is_multiple_of(2) => BindMode::Transmitter,
            Self::Pairs(_) => BindMode::Receiver,
        }
    }
}

/// How long to wait before the next try: twice as long after each failure, a random half of it left out, so that many
/// clients of a server that comes back do not come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure; less than 2 ms counts as that. Default 1 s.
    pub initial: Duration,
    /// The longest wait. Default 60 s.
    pub max: Duration,
    /// A bind that has lived so long was no failure: the wait after it is [`first`](Self::initial) again. Default 10 s.
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

/// How the receipts of what was sent are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptOptions {
    /// What is taken for a receipt, and how ids are compared.
    pub dialect: ReceiptDialect,
    /// Parts that wait for their last receipt, at most. Beyond it the oldest message is given up:
    /// [`Event::ReceiptsExpired`](super::Event::ReceiptsExpired). Default 100,000.
    pub capacity: usize,
    /// How long a message waits for its receipts from when it was accepted. Default 72 h.
    pub max_age: Duration,
    /// How many receipts about unknown messages are kept in case their `submit_sm_resp` is still to come: for as long as
    /// something is in flight that was so when they came. Beyond it the oldest is told as unmatched. Default 64.
    pub early_capacity: usize,
}

impl Default for ReceiptOptions {
    fn default() -> Self {
        Self {
            dialect: ReceiptDialect::UNSTATED,
            capacity: 100_000,
            max_age: Duration::from_secs(72 * 3600),
            early_capacity: 64,
        }
    }
}

/// What an [`Account`](super::Account) may do, wait for and hold. Every queue and table has its bound here.
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
    /// Who the account is.
    pub credentials: Credentials,
    /// The version of SMPP to bind with.
    pub interface_version: InterfaceVersion,
    /// The binds to keep. One transceiver unless said otherwise.
    pub binds: Binds,
    /// The most binds that the account may hold at once, those that are being made or ended included.
    pub max_binds: u16,
    /// From the start of one bind to that of the next, at least. Default 200 ms.
    pub connect_interval: Duration,
    /// How long to wait before the next try.
    pub backoff: Backoff,
    /// What each bind's session may do: its window, its rate.
    pub session: Config,
    /// How long one address may take to connect, TLS included: the adapter's to keep. Default 10 s.
    pub connect_timeout: Duration,
    /// What texts may be sent in.
    pub text: TextOptions<'static>,
    /// How a text that needs several messages is sent.
    pub long_messages: LongMessages,
    /// Parts of messages that wait or are in flight, at most. Default 1,000.
    pub queue_capacity: usize,
    /// What becomes of a message that was sent and not answered, unless it says otherwise itself.
    pub unanswered_policy: UnansweredPolicy,
    /// How often a part is sent again that was refused with `ESME_RTHROTTLED`, `ESME_RMSGQFUL` or `ESME_RINVBNDSTS`;
    /// after that it is refused. Default 10.
    pub throttle_retries: u16,
    /// How long a bind sends nothing after such a refusal. Default 1 s.
    pub throttle_pause: Duration,
    /// How receipts are waited for.
    pub receipts: ReceiptOptions,
    /// What may be held of messages from phones that come in parts.
    pub reassembly: ReassemblyLimits,
    /// How long the answer to a part may wait for the others and for the application; then it is answered `ESME_ROK`,
    /// and kept here alone. An SMSC that sends the next part only after that would wait for ever otherwise.
    /// Default 5 s.
    pub segment_ack_timeout: Duration,
    /// What the random share of each wait is made from: another number for each process.
    pub seed: u64,
}

impl Options {
    /// What the provider states, and defaults for the rest. A provider that states no
    /// [`max_binds`](Provider::max_binds) is taken to allow one.
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

    /// Whether an account can run with them.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.credentials.system_id.is_empty() {
            return Err(OptionsError::NoSystemId);
        }
        self.credentials
            .bind(BindMode::Transceiver, self.interface_version)
            .map_err(OptionsError::Credentials)?;
        self.check_binds(self.binds)
    }

    /// Whether so many binds may be kept.
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
    /// There is no system_id.
    NoSystemId,
    /// Something in the credentials does not fit its field.
    Credentials(InvalidOctets),
    /// No binds at all.
    NoBinds,
    /// More binds than the account may hold.
    TooManyBinds {
        /// Asked for.
        count: u16,
        /// [`Options::max_binds`].
        max: u16,
    },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemId => f.write_str("no system_id: at 8x8 it is the sub-account id"),
            Self::Credentials(error) => {
                write!(f, "system_id, password, system_type or address_range: {error}")
            }
            Self::NoBinds => f.write_str("an account needs at least one bind"),
            Self::TooManyBinds { count, max } => {
                write!(f, "{count} binds asked for, and the account may hold {max}")
            }
        }
    }
}

impl core::error::Error for OptionsError {}
