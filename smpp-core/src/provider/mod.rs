//! Providers as data: hosts, ports, limits and dialects.

use core::time::Duration;

use crate::pdu::{BindMode, DataCoding, InterfaceVersion, MessageState, RegisteredDelivery};
use crate::session::{Config, Operations, Rate};
use crate::sms::time::UtcOffset;
use crate::sms::{Alphabet, Codings, ConcatRef, Detection, MessageIdPolicy, Segmentation, TextOptions};

pub mod eight_by_eight;

/// What a provider of SMPP publishes about its service.
///
/// `None`, or an empty list, is what a provider does not state: ask it, or make it a setting. Define another
/// provider as a constant of your own:
///
/// ```
/// use core::time::Duration;
/// use smpp_core::provider::{LongMessages, Provider, ReceiptDialect, TlsVersion};
/// use smpp_core::session::{Operations, Rate};
/// use smpp_core::sms::{Alphabet, Codings, MessageIdPolicy};
///
/// const ACME: Provider = Provider {
///     name: "Acme",
///     host: "smpp.acme.example",
///     tls_port: Some(3550),
///     tls_versions: &[TlsVersion::V1_2],
///     max_binds: Some(2),
///     rate: Some(Rate::per_second(20)),
///     window: Some(10),
///     enquire_link_interval: Some(Duration::from_secs(60)),
///     operations: Operations::BINDS.union(Operations::SUBMIT_SM).union(Operations::QUERY_SM),
///     codings: Codings { smsc_default: Alphabet::Latin1, ia5: Alphabet::Ascii },
///     alphabets: &[Alphabet::Latin1, Alphabet::Ucs2],
///     long_messages: Some(LongMessages::Sar),
///     receipts: ReceiptDialect {
///         message_ids: MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
///         ..ReceiptDialect::UNSTATED
///     },
///     ..Provider::UNSTATED
/// };
/// let config = ACME.config();
/// assert_eq!((config.window, config.enquire_link_interval), (10, Some(Duration::from_secs(60))));
/// assert_eq!(ACME.text_options().text("naïve")?.alphabet(), Alphabet::Latin1);
/// # Ok::<(), smpp_core::sms::TextError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The provider's name.
    pub name: &'static str,
    /// The host that clients connect to unless told another.
    pub host: &'static str,
    /// The hosts by region, that of [`host`](Self::host) among them; empty if there is only that.
    pub regions: &'static [Region],
    /// TCP port without TLS.
    pub plain_port: Option<u16>,
    /// TCP port with TLS from the first octet.
    pub tls_port: Option<u16>,
    /// The versions of TLS to offer, the preferred one first; empty if not stated.
    pub tls_versions: &'static [TlsVersion],
    /// The version of SMPP to bind with.
    pub interface_version: InterfaceVersion,
    /// Binds that one account may hold at once.
    pub max_binds: Option<u16>,
    /// The binds that the provider advises for much traffic; empty if not stated.
    pub recommended_binds: &'static [BindMode],
    /// Messages that one bind may send.
    pub rate: Option<Rate>,
    /// Requests that one bind may have unanswered.
    pub window: Option<u16>,
    /// How long a bind may be silent before an enquire_link is due.
    pub enquire_link_interval: Option<Duration>,
    /// The requests that it takes.
    pub operations: Operations,
    /// What data_coding 0 and 1 stand for.
    pub codings: Codings,
    /// The values of data_coding that it takes; empty if not stated.
    pub data_codings: &'static [DataCoding],
    /// The alphabets to send texts in, the best first: see [`TextOptions`].
    pub alphabets: &'static [Alphabet],
    /// How to send a text that needs several messages.
    pub long_messages: Option<LongMessages>,
    /// The most octets of a message id; the field has room for 64 (SMPP 3.4 §4.4.2).
    pub max_message_id: Option<usize>,
    /// What its receipts are like, and how to get them.
    pub receipts: ReceiptDialect,
}

/// A host for a part of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// The region, as the provider names it.
    pub name: &'static str,
    /// Its host.
    pub host: &'static str,
    /// How sure that is.
    pub status: HostStatus,
}

/// Where the name of a [`Region`]'s host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostStatus {
    /// The provider's documentation of SMPP has it.
    Documented,
    /// An earlier version of that documentation had it. Ask the provider.
    Earlier,
    /// It follows from how the provider names the hosts of its services; no page has it. Ask the provider.
    Pattern,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// What a provider states of its delivery receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptDialect {
    /// What asks for a receipt. If it is not stated, [`RECEIPT`](RegisteredDelivery::RECEIPT) asks for one by the
    /// specification.
    pub registered_delivery: Option<RegisteredDelivery>,
    /// The states that receipts are listed with; empty if not stated.
    pub states: &'static [MessageState],
    /// The binds of the account that receipts come on.
    pub route: Option<ReceiptRoute>,
    /// Which messages are receipts. If it is not stated, those whose `esm_class` says so.
    pub detection: Detection,
    /// When the id in a receipt means the id in a `submit_sm_resp`. If it is not stated, when they are equal.
    pub message_ids: MessageIdPolicy,
    /// How far the dates are ahead of UTC: see [`ReportedTime::to_unix`](crate::sms::time::ReportedTime::to_unix).
    pub offset: Option<UtcOffset>,
}

/// The binds that the receipt of a message may come on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptRoute {
    /// The one that submitted the message.
    SubmittingBind,
    /// Any that receives and has the same system_id, from another place, perhaps.
    AnyBind,
}

/// How a text that needs several messages is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LongMessages {
    /// Segments with a user data header, the reference of 8 bits.
    Udh8,
    /// Segments with a user data header, the reference of 16 bits.
    Udh16,
    /// Segments with the sar_ parameters.
    Sar,
    /// One `message_payload`.
    Payload,
}

impl LongMessages {
    /// The form with this reference, of which the lower 8 bits may be all that is used.
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
    /// Nothing is stated: a base for a provider of your own. It takes every request, and texts in GSM 7-bit, packed if
    /// `codings` say so, and UCS-2; list other [`alphabets`](Self::alphabets) where `data_coding` 0 is something else.
    pub const UNSTATED: Self = Self {
        name: "",
        host: "",
        regions: &[],
        plain_port: None,
        tls_port: None,
        tls_versions: &[],
        interface_version: InterfaceVersion::V3_4,
        max_binds: None,
        recommended_binds: &[],
        rate: None,
        window: None,
        enquire_link_interval: None,
        operations: Operations::all(),
        codings: Codings { smsc_default: Alphabet::Gsm7, ia5: Alphabet::Ascii },
        data_codings: &[],
        alphabets: &[Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ucs2],
        long_messages: None,
        max_message_id: None,
        receipts: ReceiptDialect::UNSTATED,
    };

    /// What texts may be sent in. National tables are not among it: no SMSC is known to take them unless it says so.
    pub const fn text_options(&self) -> TextOptions<'static> {
        TextOptions { codings: self.codings, alphabets: self.alphabets, languages: &[] }
    }

    /// How an ESME's session runs with this provider: no faster than it allows, and with no request that it does not
    /// take. What is not stated is as in [`Config::default`].
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
}

impl ReceiptDialect {
    /// Nothing is stated.
    pub const UNSTATED: Self = Self {
        registered_delivery: None,
        states: &[],
        route: None,
        detection: Detection::ByEsmClass,
        message_ids: MessageIdPolicy::EXACT,
        offset: None,
    };
}
