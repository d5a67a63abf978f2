//! SMS providers as data: hosts, ports, limits, encodings and the format of delivery receipts.
//!
//! A [`Provider`] holds what a provider publishes about its SMPP service. [`Provider::EIGHT_BY_EIGHT`] is one; define
//! others as constants in your application, from the documentation of the provider or from what `smpp probe` writes. No
//! behaviour of the library depends on the name of a provider: everything that differs between providers is a field here.
//!
//! [`Provider::config`] makes the configuration of a session, [`account::Options::new`](crate::account::Options::new)
//! the options of an account.

use core::time::Duration;

use crate::header::InterfaceVersion;
use crate::pdu::BindMode;
use crate::session::{Config, Operations, Rate};
use crate::sms::{Alphabet, Codings, ConcatRef, Segmentation, TextOptions};
use crate::values::DataCoding;
use crate::wire::Quirks;

pub mod eight_by_eight;
mod receipt_dialect;
mod status_table;

pub use receipt_dialect::{ReceiptDialect, ReceiptRoute, ReceiptScope, StateWord};
pub use status_table::{BindAction, StatusTable, SubmitAction};

/// What an SMS provider publishes about its SMPP service.
///
/// `None` or an empty list means that the provider does not publish the value: ask the provider, or make the value a
/// setting of your application. Define a provider as a constant, starting from [`UNSTATED`](Self::UNSTATED):
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::provider::{LongMessages, Provider, ReceiptDialect, TlsVersion};
/// use smpp_proto::session::{Operations, Rate};
/// use smpp_proto::sms::{Alphabet, Codings, MessageIdPolicy};
///
/// const ACME: Provider = Provider::UNSTATED
///     .name("Acme")
///     .host("smpp.acme.example")
///     .tls_port(3550)
///     .tls_versions(&[TlsVersion::V1_2])
///     .max_binds(2)
///     .rate(Rate::per_second(20))
///     .window(10)
///     .enquire_link_interval(Duration::from_secs(60))
///     .operations(Operations::BINDS.union(Operations::SUBMIT_SM).union(Operations::QUERY_SM))
///     .codings(Codings::DEFAULT.smsc_default(Alphabet::Latin1))
///     .alphabets(&[Alphabet::Latin1, Alphabet::Ucs2])
///     .long_messages(LongMessages::Sar)
///     .receipts(ReceiptDialect::UNSTATED.message_ids(MessageIdPolicy::HEXADECIMAL_TO_DECIMAL));
/// let config = ACME.config();
/// assert_eq!((config.window, config.enquire_link_interval), (10, Some(Duration::from_secs(60))));
/// assert_eq!(ACME.text_options().text("naïve")?.alphabet(), Alphabet::Latin1);
/// # Ok::<(), smpp_proto::sms::TextError>(())
/// ```
///
/// The setters are `const fn`s, so those of optional values take the value itself. To clear a value that the base states, assign
/// `None` to the field, in a constant as well:
///
/// ```
/// use smpp_proto::provider::Provider;
///
/// /// 8x8 behind a proxy that limits the rate.
/// const PROXIED: Provider = {
///     let mut provider = Provider::EIGHT_BY_EIGHT.host("proxy.example");
///     provider.rate = None;
///     provider
/// };
/// assert_eq!(PROXIED.config().rate, None);
/// ```
///
/// `name`, [`host`](Self::host), `regions`, `plain_port`, `tls_port`, `tls_versions`, `recommended_binds`, `data_codings` and
/// `max_message_id` are information for people and programs: no part of the library reads them. State where to connect as a URL or
/// in [`Options::endpoints`](crate::account::Options::endpoints).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provider {
    /// The name of the provider, for logs and user interfaces.
    pub name: &'static str,
    /// The default host name to connect to. For information: an account and the connectors of the adapters get theirs as an
    /// [`Endpoint`](crate::Endpoint).
    pub host: &'static str,
    /// The hosts by region, including [`host`](Self::host). Empty if there is only one host.
    pub regions: &'static [Region],
    /// The TCP port for connections without TLS. `None` if the provider publishes none. For information, as
    /// [`host`](Self::host).
    pub plain_port: Option<u16>,
    /// The TCP port for connections with TLS from the first octet. `None` if the provider publishes none. For information, as
    /// [`host`](Self::host).
    pub tls_port: Option<u16>,
    /// The TLS versions of the provider, the preferred version first. Empty if not published. For information: the TLS
    /// configuration of an adapter decides which are offered.
    pub tls_versions: &'static [TlsVersion],
    /// The SMPP version to state in a bind.
    pub interface_version: InterfaceVersion,
    /// Which deviations from the specification the provider requires in a bind:
    /// [`Quirks::LONG_STRING`] for a system_id, system_type or address_range longer than its field. See
    /// [`Options::bind_quirks`](crate::account::Options::bind_quirks).
    pub bind_quirks: Quirks,
    /// The maximum number of simultaneous binds of one account. `None` if not published: an account then uses one.
    pub max_binds: Option<u16>,
    /// The bind modes that the provider recommends for high traffic. Empty if not published. For information.
    pub recommended_binds: &'static [BindMode],
    /// The rate limit of one bind, in messages per second. `None` if not published: the session then has no rate limit.
    pub rate: Option<Rate>,
    /// The maximum window of one bind: requests in flight. `None` if not published: the session then uses the default
    /// of [`Config::window`].
    pub window: Option<u16>,
    /// The keep-alive interval: how long a bind may be idle before an enquire_link. `None` if not published: the
    /// session then uses the default of [`Config::enquire_link_interval`].
    pub enquire_link_interval: Option<Duration>,
    /// The requests that the provider accepts. The session refuses all others before sending.
    pub operations: Operations,
    /// The alphabets that `data_coding` 0 and 1 mean.
    pub codings: Codings,
    /// The accepted values of `data_coding`. Empty if not published. For information.
    pub data_codings: &'static [DataCoding],
    /// The alphabets for texts, the preferred alphabet first: see [`TextOptions`]. At least one: an account refuses an empty list.
    pub alphabets: &'static [Alphabet],
    /// How to send a text that needs several segments. `None` if not published: an account then uses
    /// [`LongMessages::Udh16`].
    pub long_messages: Option<LongMessages>,
    /// The maximum length of a message id, in octets. `None` if not published: the field allows 64
    /// (SMPP 3.4 §4.4.2). For information.
    pub max_message_id: Option<usize>,
    /// The delivery receipts (DLRs): how to request them, and their format.
    pub receipts: ReceiptDialect,
    /// What each `command_status` means, where it differs from [`StatusTable::DEFAULT`].
    pub statuses: StatusTable,
}

/// A host for one region of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Region {
    /// The name of the region, as the provider uses it.
    pub name: &'static str,
    /// The host name.
    pub host: &'static str,
    /// The source of the host name, and so its reliability.
    pub status: HostStatus,
}

impl Region {
    /// Creates a region whose host the documentation of the provider lists.
    pub const fn new(name: &'static str, host: &'static str) -> Self {
        Self { name, host, status: HostStatus::Documented }
    }

    crate::setters! {
        const status: HostStatus,
    }
}

/// The source of the host name of a [`Region`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostStatus {
    /// The SMPP documentation of the provider lists the host.
    Documented,
    /// Only an earlier version of the documentation listed the host. Ask the provider before use.
    FormerlyDocumented,
    /// No documentation lists the host. It is inferred from the naming scheme of the provider. Ask the provider before
    /// use.
    Inferred,
}

/// A TLS version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// How to send a text that is too long for one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LongMessages {
    /// Segments with a user data header (UDH) and an 8-bit reference.
    Udh8,
    /// Segments with a user data header (UDH) and a 16-bit reference.
    Udh16,
    /// Segments with the TLVs `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum`.
    Sar,
    /// One message with the whole text in `message_payload`.
    Payload,
}

impl LongMessages {
    /// Returns the form of the segments of a message with this reference. [`Udh8`](Self::Udh8) uses its lower 8 bits,
    /// [`Payload`](Self::Payload) does not use it.
    pub const fn segmentation(self, reference: u16) -> Segmentation {
        match self {
            Self::Udh8 => Segmentation::Udh(ConcatRef::Narrow(reference as u8)),
            Self::Udh16 => Segmentation::Udh(ConcatRef::Wide(reference)),
            Self::Sar => Segmentation::Sar(reference),
            Self::Payload => Segmentation::Payload,
        }
    }
}

impl Provider {
    /// A provider that publishes nothing: the base for your own providers. It accepts every request. Its texts are in
    /// GSM 7-bit (packed, if [`codings`](Self::codings) say so) and UCS-2. Set [`alphabets`](Self::alphabets) if
    /// `data_coding` 0 means another alphabet.
    pub const UNSTATED: Self = Self {
        name: "",
        host: "",
        regions: &[],
        plain_port: None,
        tls_port: None,
        tls_versions: &[],
        interface_version: InterfaceVersion::V3_4,
        bind_quirks: Quirks::empty(),
        max_binds: None,
        recommended_binds: &[],
        rate: None,
        window: None,
        enquire_link_interval: None,
        operations: Operations::all(),
        codings: Codings::DEFAULT,
        data_codings: &[],
        alphabets: &[Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ucs2],
        long_messages: None,
        max_message_id: None,
        receipts: ReceiptDialect::UNSTATED,
        statuses: StatusTable::UNSTATED,
    };

    /// Returns the options for encoding texts. National language tables are not included, since an SMSC may not support
    /// them.
    pub const fn text_options(&self) -> TextOptions<'static> {
        TextOptions { codings: self.codings, alphabets: self.alphabets, languages: &[] }
    }

    /// Returns the configuration of an ESME session with this provider: its rate limit, window, keep-alive interval and
    /// accepted operations. Values that are not published are those of [`Config::default`].
    pub fn config(&self) -> Config {
        let default = Config::default();
        Config {
            rate: self.rate,
            operations: self.operations,
            window: self.window.unwrap_or(default.window),
            enquire_link_interval: self.enquire_link_interval.or(default.enquire_link_interval),
            ..default
        }
    }

    crate::setters! {
        const name: &'static str,
        const host: &'static str,
        const regions: &'static [Region],
        const plain_port: Some(u16),
        const tls_port: Some(u16),
        const tls_versions: &'static [TlsVersion],
        const interface_version: InterfaceVersion,
        const bind_quirks: Quirks,
        const max_binds: Some(u16),
        const recommended_binds: &'static [BindMode],
        const rate: Some(Rate),
        const window: Some(u16),
        const enquire_link_interval: Some(Duration),
        const operations: Operations,
        const codings: Codings,
        const data_codings: &'static [DataCoding],
        const alphabets: &'static [Alphabet],
        const long_messages: Some(LongMessages),
        const max_message_id: Some(usize),
        const receipts: ReceiptDialect,
        const statuses: StatusTable,
    }
}
