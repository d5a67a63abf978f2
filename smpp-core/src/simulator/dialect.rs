//! The dialect of the simulated SMSC: what SMSCs do differently and no manual states.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::id_form::IdForm;
use crate::header::InterfaceVersion;
use crate::pdu::{CommandStatus, EsmClass, MessageState};
use crate::sms::time::UtcOffset;
use crate::sms::{Alphabet, Receipt};
use crate::tlv::{Tag, Tlv};

/// What an SMSC does in its own way: the notation of its message ids, the shape of its receipts, the statuses of its
/// limits. The default is a plain SMPP 3.4 SMSC.
///
/// A test sets the fields, or parses `NAME=VALUE` as `smpp smsc --dialect` does:
///
/// ```
/// use smpp_proto::CommandStatus;
/// use smpp_proto::simulator::{Dialect, IdForm, Rules};
///
/// let mut dialect = Dialect::default().text_ids(IdForm::Decimal { digits: 12 });
/// dialect.set("ids", "hex")?;
/// dialect.set("bind-status", "RBINDFAIL")?;
/// assert_eq!(dialect.response_ids, IdForm::Hexadecimal { digits: 1, uppercase: false });
/// assert_eq!(dialect.bind_status, CommandStatus::RBINDFAIL);
/// let rules = Rules::default().dialect(dialect);
/// # let _ = rules;
/// # Ok::<(), smpp_proto::simulator::DialectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// The `sc_interface_version` in an accepted bind response (SMPP 3.4 §5.3.2.25); `None` to leave it out. Default 3.4.
    pub sc_interface_version: Option<InterfaceVersion>,
    /// The message ids in `submit_sm_resp`. Default: UUIDs.
    pub response_ids: IdForm,
    /// The message ids in the text of receipts. Default: UUIDs.
    pub text_ids: IdForm,
    /// The message ids in `receipted_message_id`. Default: UUIDs.
    pub tlv_ids: IdForm,
    /// Where the contents of a receipt are. Default: the text, and the state as a TLV.
    pub receipt_content: ReceiptContent,
    /// The ids and the receipts of a message in several segments. Default [`SegmentReceipts::Each`].
    pub segment_receipts: SegmentReceipts,
    /// The `esm_class` of receipts. Default 0x04.
    pub receipt_esm_class: EsmClass,
    /// The state of a receipt that precedes the final one, halfway to it. Default `None`.
    pub intermediate: Option<MessageState>,
    /// The `esm_class` of that receipt. Default 0x20, an intermediate notification.
    pub intermediate_esm_class: EsmClass,
    /// The state of another receipt that follows the final one after [`Rules::receipt_delay`](super::Rules::receipt_delay).
    /// Default `None`.
    pub correction: Option<MessageState>,
    /// Whether the text of a receipt begins with a NUL. Default false.
    pub leading_nul: bool,
    /// The time zone of the dates in receipts. Default UTC.
    pub receipt_offset: UtcOffset,
    /// The bind that a receipt or an MO message is delivered on. Default [`DeliveryRoute::Any`].
    pub route: DeliveryRoute,
    /// Whether the next receipt or MO message of an account is sent only after the ESME has accepted the one before
    /// ([`Simulator::accepted`](super::Simulator::accepted)). Default false.
    pub one_at_a_time: bool,
    /// What happens to a `submit_sm` with TLVs. Default [`SubmitTlvs::Accept`].
    pub submit_tlvs: SubmitTlvs,
    /// The TLVs of an accepting `submit_sm_resp`. Default none.
    pub response_tlvs: Vec<(Tag, Vec<u8>)>,
    /// The status of a bind beyond [`Rules::max_binds`](super::Rules::max_binds). Default `ESME_RALYBND`.
    pub bind_status: CommandStatus,
    /// The status of a message beyond [`Rules::rate`](super::Rules::rate) and of one that
    /// [`Rules::throttled_percent`](super::Rules::throttled_percent) selects. Default `ESME_RTHROTTLED`.
    pub rate_status: CommandStatus,
    /// How many messages of a bind may be unanswered ([`Simulator::responded`](super::Simulator::responded)), at least 1; `None`
    /// for no limit. Default `None`.
    pub window: Option<u16>,
    /// The status of a message beyond [`window`](Self::window). Default `ESME_RTHROTTLED`.
    pub window_status: CommandStatus,
    /// Destinations whose messages are refused, each with the status: `ESME_RMSGQFUL` for a subscriber whose queue is full,
    /// for example. Default none.
    pub refused_destinations: Vec<(String, CommandStatus)>,
    /// The alphabet that `data_coding` 0 means, in both directions. Default GSM 7-bit.
    pub default_alphabet: Alphabet,
    /// Whether each accepted message comes back as an MO message, from its source to its destination, as if the destination
    /// were a number of the account. Default `None`.
    pub echo: Option<Echo>,
    /// How long a bind may be idle before the SMSC unbinds it, above zero; `None` for ever. enquire_link counts as activity.
    /// Default `None`.
    pub idle_timeout: Option<Duration>,
}

/// Where the contents of a receipt are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptContent {
    /// Only in the text (SMPP 3.4 Appendix B).
    Text,
    /// In the text, and the state also as the TLV `message_state`.
    #[default]
    TextAndState,
    /// Only in the TLVs `receipted_message_id` and `message_state`: the text is empty.
    Tlvs,
    /// In the text, and also in the TLVs `receipted_message_id` and `message_state`.
    TextAndTlvs,
}

/// The ids and the receipts of a message in several segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentReceipts {
    /// Each segment has an id and a receipt.
    #[default]
    Each,
    /// Each segment has an id; only the first segment gets a receipt.
    First,
    /// Each segment has an id; only the last segment gets a receipt.
    Last,
    /// All segments have the same id; each gets a receipt.
    SharedId,
    /// All segments have the same id; the last one gets the receipt of the message.
    SharedIdOnce,
}

/// The bind that a receipt or an MO message is delivered on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryRoute {
    /// Any receiving bind of the account, as the server chooses.
    #[default]
    Any,
    /// The bind that submitted the message, if it still receives; otherwise any.
    SubmittingBind,
    /// The receiving binds of the account in turn: each receipt on another one than the receipt before, and each MO message
    /// on another one than the message before.
    InTurn,
}

/// What happens to a `submit_sm` with TLVs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubmitTlvs {
    /// It is accepted.
    #[default]
    Accept,
    /// It is accepted, and its `user_message_reference` is in its receipts.
    Echo,
    /// It is refused with this status.
    Refuse(CommandStatus),
}

/// The encoding of a message that comes back to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Echo {
    /// `data_coding` 0 if the alphabet of the SMSC has all its characters, otherwise UCS-2.
    Default,
    /// UCS-2.
    Ucs2,
}

/// Why [`Dialect::set`] did not change the dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialectError {
    /// No setting has this name.
    Name(String),
    /// The setting has no such value.
    Value {
        /// The name of the setting.
        name: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

impl Default for Dialect {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The settings of [`Dialect::set`], with their values.
const SETTINGS: [(&str, &str); 24] = [
    ("version", "3.3, 3.4, 5.0 or none"),
    ("ids", ID_FORMS),
    ("text-ids", ID_FORMS),
    ("tlv-ids", ID_FORMS),
    ("receipt", "text, text+state, tlvs or text+tlvs"),
    ("segments", "each, first, last, shared or shared-once"),
    ("esm-class", "a number such as 0x04"),
    ("intermediate", "a state such as ENROUTE, or none"),
    ("intermediate-esm-class", "a number such as 0x20"),
    ("correction", "a state such as DELIVRD, or none"),
    ("leading-nul", "yes or no"),
    ("utc-offset", "hours and minutes such as +05:30"),
    ("route", "any, submitting or in-turn"),
    ("one-at-a-time", "yes or no"),
    ("tlvs", "accept, echo, or the status to refuse with"),
    ("response-tlv", "TAG:HEX such as 0x1400:3031; each adds one"),
    ("bind-status", STATUSES),
    ("rate-status", STATUSES),
    ("window", "a number from 1, or none"),
    ("window-status", STATUSES),
    ("refuse", "DESTINATION:STATUS; each adds one"),
    ("alphabet", "gsm7, gsm7-packed, ascii, latin1 or ucs2"),
    ("echo", "default, ucs2 or none"),
    ("idle", "milliseconds from 1, or none"),
];

const ID_FORMS: &str =
    "uuid, dec, hex, text; upper case for capital letters; with the fewest digits, as in hex8";
const STATUSES: &str = "a status such as RBINDFAIL or 0x0000000D";

impl Dialect {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        sc_interface_version: Some(InterfaceVersion::V3_4),
        response_ids: IdForm::DEFAULT,
        text_ids: IdForm::DEFAULT,
        tlv_ids: IdForm::DEFAULT,
        receipt_content: ReceiptContent::TextAndState,
        segment_receipts: SegmentReceipts::Each,
        receipt_esm_class: EsmClass::DELIVERY_RECEIPT,
        intermediate: None,
        intermediate_esm_class: EsmClass::INTERMEDIATE_NOTIFICATION,
        correction: None,
        leading_nul: false,
        receipt_offset: UtcOffset::UTC,
        route: DeliveryRoute::Any,
        one_at_a_time: false,
        submit_tlvs: SubmitTlvs::Accept,
        response_tlvs: Vec::new(),
        bind_status: CommandStatus::RALYBND,
        rate_status: CommandStatus::RTHROTTLED,
        window: None,
        window_status: CommandStatus::RTHROTTLED,
        refused_destinations: Vec::new(),
        default_alphabet: Alphabet::Gsm7,
        echo: None,
        idle_timeout: None,
    };

    /// Sets one property by its name, as `smpp smsc --dialect NAME=VALUE` does. [`settings`](Self::settings) lists them.
    ///
    /// # Errors
    ///
    /// [`DialectError`] if there is no such name or value. The dialect is unchanged then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), DialectError> {
        let known = SETTINGS.iter().find(|(known, _)| *known == name);
        let (name, expected) = known.copied().ok_or_else(|| DialectError::Name(name.to_string()))?;
        self.try_set(name, value).ok_or(DialectError::Value { name, expected })
    }

    /// Returns the names of [`set`](Self::set), each with what is expected as its value.
    pub fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
        SETTINGS.into_iter()
    }

    /// Returns the TLVs of an accepting `submit_sm_resp`.
    pub fn tlvs_of_response(&self) -> Vec<Tlv<'_>> {
        self.response_tlvs.iter().filter_map(|(tag, value)| Tlv::new(*tag, value)).collect()
    }

    /// Returns the status that messages to this destination are refused with.
    pub(super) fn refusal(&self, destination: &[u8]) -> Option<CommandStatus> {
        let refused = self.refused_destinations.iter();
        refused.filter(|(digits, _)| digits.as_bytes() == destination).map(|(_, status)| *status).next()
    }

    fn try_set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "version" => self.sc_interface_version = or_none(value, version).ok()?,
            "ids" => self.response_ids = value.parse().ok()?,
            "text-ids" => self.text_ids = value.parse().ok()?,
            "tlv-ids" => self.tlv_ids = value.parse().ok()?,
            "receipt" => {
                self.receipt_content = match value {
                    "text" => ReceiptContent::Text,
                    "text+state" => ReceiptContent::TextAndState,
                    "tlvs" => ReceiptContent::Tlvs,
                    "text+tlvs" => ReceiptContent::TextAndTlvs,
                    _ => return None,
                }
            }
            "segments" => {
                self.segment_receipts = match value {
                    "each" => SegmentReceipts::Each,
                    "first" => SegmentReceipts::First,
                    "last" => SegmentReceipts::Last,
                    "shared" => SegmentReceipts::SharedId,
                    "shared-once" => SegmentReceipts::SharedIdOnce,
                    _ => return None,
                }
            }
            "esm-class" => self.receipt_esm_class = esm_class(value)?,
            "intermediate" => self.intermediate = or_none(value, state).ok()?,
            "intermediate-esm-class" => self.intermediate_esm_class = esm_class(value)?,
            "correction" => self.correction = or_none(value, state).ok()?,
            "leading-nul" => self.leading_nul = yes(value)?,
            "utc-offset" => self.receipt_offset = offset(value)?,
            "route" => {
                self.route = match value {
                    "any" => DeliveryRoute::Any,
                    "submitting" => DeliveryRoute::SubmittingBind,
                    "in-turn" => DeliveryRoute::InTurn,
                    _ => return None,
                }
            }
            "one-at-a-time" => self.one_at_a_time = yes(value)?,
            "tlvs" => {
                self.submit_tlvs = match value {
                    "accept" => SubmitTlvs::Accept,
                    "echo" => SubmitTlvs::Echo,
                    _ => SubmitTlvs::Refuse(status(value)?),
                }
            }
            "response-tlv" => self.response_tlvs.push(tlv(value)?),
            "bind-status" => self.bind_status = status(value)?,
            "rate-status" => self.rate_status = status(value)?,
            "window" => {
                let from_one = |value: &str| value.parse().ok().filter(|window| *window > 0);
                self.window = or_none(value, from_one).ok()?;
            }
            "window-status" => self.window_status = status(value)?,
            "refuse" => {
                let (digits, refusal) = value.split_once(':')?;
                self.refused_destinations.push((digits.into(), status(refusal)?));
            }
            "alphabet" => {
                self.default_alphabet = match value {
                    "gsm7" => Alphabet::Gsm7,
                    "gsm7-packed" => Alphabet::Gsm7Packed,
                    "ascii" => Alphabet::Ascii,
                    "latin1" => Alphabet::Latin1,
                    "ucs2" => Alphabet::Ucs2,
                    _ => return None,
                }
            }
            "echo" => {
                self.echo = match value {
                    "default" => Some(Echo::Default),
                    "ucs2" => Some(Echo::Ucs2),
                    "none" => None,
                    _ => return None,
                }
            }
            "idle" => {
                let from_one = |value: &str| value.parse().ok().filter(|millis: &u32| *millis > 0);
                let millis = or_none(value, from_one).ok()?;
                self.idle_timeout = millis.map(|millis| Duration::from_millis(millis.into()));
            }
            _ => return None,
        }
        Some(())
    }

    crate::setters! {
        sc_interface_version: impl Into<Option<InterfaceVersion>>,
        response_ids: IdForm,
        text_ids: IdForm,
        tlv_ids: IdForm,
        receipt_content: ReceiptContent,
        segment_receipts: SegmentReceipts,
        receipt_esm_class: EsmClass,
        intermediate: impl Into<Option<MessageState>>,
        intermediate_esm_class: EsmClass,
        correction: impl Into<Option<MessageState>>,
        leading_nul: bool,
        receipt_offset: UtcOffset,
        route: DeliveryRoute,
        one_at_a_time: bool,
        submit_tlvs: SubmitTlvs,
        response_tlvs: impl Into<Vec<(Tag, Vec<u8>)>>,
        bind_status: CommandStatus,
        rate_status: CommandStatus,
        window: impl Into<Option<u16>>,
        window_status: CommandStatus,
        refused_destinations: impl Into<Vec<(String, CommandStatus)>>,
        default_alphabet: Alphabet,
        echo: impl Into<Option<Echo>>,
        idle_timeout: impl Into<Option<Duration>>,
    }
}

/// Parses a value, or the word `none`.
fn or_none<T>(value: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Invalid> {
    if value == "none" { Ok(None) } else { parse(value).map(Some).ok_or(Invalid) }
}

/// The value is none that the setting has.
struct Invalid;

fn yes(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn version(value: &str) -> Option<InterfaceVersion> {
    match value {
        "3.3" => Some(InterfaceVersion::V3_3),
        "3.4" => Some(InterfaceVersion::V3_4),
        "5.0" => Some(InterfaceVersion::V5_0),
        _ => None,
    }
}

fn state(value: &str) -> Option<MessageState> {
    Receipt { stat: value.as_bytes(), ..Receipt::default() }.state()
}

/// Parses a number, hexadecimal after `0x`.
fn number(value: &str) -> Option<u32> {
    match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

fn esm_class(value: &str) -> Option<EsmClass> {
    number(value).and_then(|bits| u8::try_from(bits).ok()).map(EsmClass::from_bits_retain)
}

/// Parses the name of a status, with or without `ESME_`, or its number. `ESME_ROK` refuses nothing.
fn status(value: &str) -> Option<CommandStatus> {
    let named = |status: &CommandStatus| {
        status.name().is_some_and(|name| name == value || name.strip_prefix("ESME_") == Some(value))
    };
    let status = (1..=0x400).map(CommandStatus).find(named).or_else(|| number(value).map(CommandStatus))?;
    (status != CommandStatus::ROK).then_some(status)
}

fn offset(value: &str) -> Option<UtcOffset> {
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let fits = (0..=12).contains(&hours) && (0..60).contains(&minutes) && minutes % 15 == 0;
    fits.then(|| UtcOffset::from_quarters(sign * (4 * hours + minutes / 15)).ok()).flatten()
}

fn tlv(value: &str) -> Option<(Tag, Vec<u8>)> {
    let (tag, octets) = value.split_once(':')?;
    let tag = u16::try_from(number(tag)?).ok()?;
    let pairs = octets.as_bytes().chunks(2).map(|pair| {
        let pair = core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    Some((Tag(tag), pairs.collect::<Option<_>>()?))
}

/// Parses `NAME=VALUE` settings, separated by commas: see [`Dialect::set`].
impl FromStr for Dialect {
    type Err = DialectError;

    fn from_str(text: &str) -> Result<Self, DialectError> {
        let mut dialect = Self::default();
        for setting in text.split(',').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            dialect.set(name.trim(), value.trim())?;
        }
        Ok(dialect)
    }
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(f, "the dialect has no setting \"{name}\": use one of ")?;
                for (at, (known, _)) in SETTINGS.iter().enumerate() {
                    write!(f, "{}{known}", if at > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::Value { name, expected } => write!(f, "{name}: give {expected}"),
        }
    }
}

impl core::error::Error for DialectError {}
