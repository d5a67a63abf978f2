//! 8x8: [`Provider::EIGHT_BY_EIGHT`], the error codes of its delivery receipts, and its vendor TLVs.
//!
//! ```
//! use smpp_proto::provider::eight_by_eight::{self, ErrorCode};
//! use smpp_proto::sms::Receipt;
//! use smpp_proto::{Tlv, Tlvs};
//!
//! let receipt = Receipt::parse(b"id:1 stat:UNDELIV err:21")?;
//! let code = receipt.err.and_then(ErrorCode::parse);
//! assert_eq!(code, Some(ErrorCode::MEMORY_FULL));
//! assert_eq!(code.map(|code| code.to_string()).as_deref(), Some("memory full"));
//!
//! let list = [Tlv::new(eight_by_eight::DESTINATION_MCC, b"525").unwrap()];
//! assert_eq!(eight_by_eight::destination_mcc(&Tlvs::list(&list)), Some("525"));
//! # Ok::<(), smpp_proto::sms::ReceiptError>(())
//! ```

use core::fmt;
use core::ops::RangeInclusive;

use super::{HostStatus, Provider, ReceiptDialect, ReceiptRoute, Region, StatusTable, TlsVersion};
use crate::header::InterfaceVersion;
use crate::open_enum::open_enum;
use crate::pdu::BindMode;
use crate::session::{Operations, Rate};
use crate::sms::{Alphabet, Codings};
use crate::tlv::{Tag, Tlvs};
use crate::values::{DataCoding, MessageState};
use crate::wire::Quirks;

impl Provider {
    /// 8x8, SMPP 3.4: four binds per sub-account and 50 messages per second and bind; both limits are higher on
    /// request. Delivery receipts arrive on any bind of the account.
    ///
    /// The source is <https://developer.8x8.com/connect/docs/smpp-connection> and
    /// <https://developer.8x8.com/connect/docs/smpp-delivery-receipts>. The first page required TLS 1.2 until 2025
    /// and requires TLS 1.3 since then: offer both. An earlier version of it listed the host of Indonesia. The host
    /// of North America is inferred from the naming scheme of the hosts.
    ///
    /// Texts are sent in GSM 7-bit or UCS-2. 8x8 also accepts Latin-1, but does not publish how it converts Latin-1 for
    /// the network.
    ///
    /// 8x8 does not publish these values, so they are `None`:
    ///
    /// - how to send long messages (every SMSC accepts segments with a user data header),
    /// - the window,
    /// - the interval of enquire_link,
    /// - the length of message ids (other interfaces of 8x8 use UUIDs of 36 characters),
    /// - the `registered_delivery` that requests a receipt,
    /// - the time zone of the dates in receipts,
    /// - what it does when it refuses a message for now: the usual [meanings](StatusTable::DEFAULT) apply.
    pub const EIGHT_BY_EIGHT: Self = Self {
        name: "8x8",
        host: "smpp.8x8.com",
        regions: &[
            Region { name: "Asia Pacific", host: "smpp.8x8.com", status: HostStatus::Documented },
            Region { name: "Europe", host: "smpp.8x8.uk", status: HostStatus::Documented },
            Region { name: "Indonesia", host: "smpp.8x8.id", status: HostStatus::FormerlyDocumented },
            Region { name: "North America", host: "smpp.us.8x8.com", status: HostStatus::Inferred },
        ],
        plain_port: Some(2775),
        tls_port: Some(2776),
        tls_versions: &[TlsVersion::V1_3, TlsVersion::V1_2],
        interface_version: InterfaceVersion::V3_4,
        bind_quirks: Quirks::empty(),
        max_binds: Some(4),
        recommended_binds: &[BindMode::Transmitter, BindMode::Receiver],
        rate: Some(Rate::per_second(50)),
        window: None,
        enquire_link_interval: None,
        operations: Operations::BINDS.union(Operations::SUBMIT_SM),
        codings: Codings::GSM7,
        data_codings: &[DataCoding::SMSC_DEFAULT, DataCoding::IA5, DataCoding::LATIN1, DataCoding::UCS2],
        alphabets: &[Alphabet::Gsm7, Alphabet::Ucs2],
        long_messages: None,
        max_message_id: None,
        receipts: ReceiptDialect {
            states: &[
                MessageState::DELIVERED,
                MessageState::EXPIRED,
                MessageState::UNDELIVERABLE,
                MessageState::ACCEPTED,
                MessageState::UNKNOWN,
                MessageState::ENROUTE,
                MessageState::REJECTED,
            ],
            route: Some(ReceiptRoute::AnyBind),
            ..ReceiptDialect::UNSTATED
        },
        statuses: StatusTable::UNSTATED,
    };
}

/// Defines the error codes, each with its meaning.
macro_rules! error_codes {
    ($($name:ident = $code:literal, $meaning:literal;)+) => {
        open_enum! {
            /// Why delivery failed: the field `err` of a delivery receipt from 8x8. The operator may report more
            /// detail.
            ///
            /// The source is <https://developer.8x8.com/connect/docs/delivery-receipts-error-codes>. There is no code
            /// 6. The default is [`NO_REASON`](Self::NO_REASON).
            pub struct ErrorCode(u16) {
                $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] $name = $code,)+
            }
        }

        impl ErrorCode {
            /// Returns the meaning of a published code, and `None` for any other.
            pub const fn meaning(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($meaning),)+
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    NO_REASON = 0, "no reason";
    ABSENT_SUBSCRIBER = 1, "absent subscriber";
    CONTENT = 2, "content";
    DATA_MISSING = 3, "data missing";
    DEFERRED = 4, "deferred";
    PENDING_UPSTREAM = 5, "pending upstream";
    DELIVERY_FAILURE = 7, "delivery failure";
    DENIED = 8, "denied";
    EQUIPMENT_PROTOCOL = 9, "equipment protocol";
    ESME_EXTERNAL = 10, "ESME external";
    FLOODING = 11, "flooding";
    HLR = 12, "HLR";
    ILLEGAL_SUBSCRIBER_OR_EQUIPMENT = 13, "illegal subscriber or equipment";
    INTERNAL = 14, "internal";
    INVALID_DESTINATION = 15, "invalid destination";
    INVALID_FORMAT = 16, "invalid format";
    INVALID_MESSAGE_LENGTH = 17, "invalid message length";
    INVALID_PARAMETER = 18, "invalid parameter";
    INVALID_SOURCE = 19, "invalid source";
    CANCELLED_LOCALLY = 20, "cancelled locally";
    MEMORY_FULL = 21, "memory full";
    BEING_RETRIED = 22, "being retried";
    NETWORK_FAILURE = 23, "network failure";
    AGE_VERIFICATION = 24, "age verification";
    ABORTED_BY_NETWORK_OR_USER = 25, "aborted by network or user";
    BARRED = 26, "barred";
    PERMANENT_OPERATOR = 27, "permanent, operator";
    PERMANENT_PHONE = 28, "permanent, phone";
    PHONE = 29, "phone";
    PORTABILITY = 30, "portability";
    PREMIUM_SMS = 31, "premium SMS";
    ROAMING = 32, "roaming";
    ROUTE = 33, "route";
    SCREENING = 34, "screening";
    SERVICE_CENTRE_CONGESTED = 35, "service centre congested";
    EXPIRED = 36, "expired";
    SMS_FACILITY_NOT_SUPPORTED = 37, "SMS facility not supported";
    MALFORMED = 38, "malformed";
    CANCELLED_BY_SMSC = 39, "cancelled by SMSC";
    SMSC_ERROR = 40, "SMSC error";
    REJECTED_BY_SMSC = 41, "rejected by SMSC";
    NO_CREDIT = 42, "no credit";
    SPAM_FILTER = 43, "spam filter";
    SUBSCRIBER_BILLING = 44, "subscriber billing";
    SUBSCRIBER_BUSY = 45, "subscriber busy";
    NOT_REACHABLE = 46, "not reachable";
    TEMPORARILY_UNAVAILABLE = 47, "temporarily unavailable";
    SYSTEM_FAILURE = 48, "system failure";
    TCAP = 49, "TCAP";
    THROTTLING = 50, "throttling";
    TIME_OUT = 51, "time-out";
    RESPONSE_NOT_DECODABLE = 52, "response not decodable";
    UNEXPECTED_DATA = 53, "unexpected data";
    UNEXPECTED = 54, "unexpected";
    UNIDENTIFIED_SUBSCRIBER = 55, "unidentified subscriber";
    UNKNOWN_DELIVERY_STATE = 56, "unknown delivery state";
    UNKNOWN_ERROR = 57, "unknown error";
    UNKNOWN_SERVICE_CENTRE = 58, "unknown service centre";
    UNKNOWN_SUBSCRIBER = 59, "unknown subscriber";
    CONTENT_FILTERED = 60, "content filtered";
    SESSION_EXPIRED = 61, "session expired";
}

impl ErrorCode {
    /// Parses the field `err` of a [`Receipt`](crate::sms::Receipt): decimal digits up to 65535, with or without
    /// leading zeros. Returns `None` for any other text.
    pub fn parse(err: &[u8]) -> Option<Self> {
        let (first, rest) = err.split_first()?;
        let digit = |octet: u8| octet.checked_sub(b'0').filter(|digit| *digit < 10).map(u16::from);
        rest.iter()
            .try_fold(digit(*first)?, |code, octet| code.checked_mul(10)?.checked_add(digit(*octet)?))
            .map(Self)
    }
}

/// Shows the meaning, or the number of a code that is not published.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => f.write_str(meaning),
            None => write!(f, "error {}", self.0),
        }
    }
}

/// The id of a mobile-originated (MO) message: a UUID of 36 characters.
///
/// The source of this and the other vendor TLVs is <https://developer.8x8.com/connect/docs/smpp-tlvs>. Another vendor
/// uses this tag for another parameter.
pub const MO_MESSAGE_ID: Tag = Tag(0x1502);
/// The mobile country code (MCC) of the recipient, in receipts of delivered messages: 3 digits.
pub const DESTINATION_MCC: Tag = Tag(0x1503);
/// The mobile network code (MNC) of the recipient, in receipts of delivered messages: 1 to 3 digits.
pub const DESTINATION_MNC: Tag = Tag(0x1504);

/// Returns the id of a mobile-originated (MO) message: [`MO_MESSAGE_ID`]. `None` if it is absent or not 36 ASCII
/// characters.
pub fn mo_message_id<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
    text(tlvs, MO_MESSAGE_ID, 36..=36)
}

/// Returns the mobile country code of the recipient: [`DESTINATION_MCC`]. `None` if it is absent or not 1 to 3 ASCII
/// characters.
pub fn destination_mcc<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
    text(tlvs, DESTINATION_MCC, 1..=3)
}

/// Returns the mobile network code of the recipient: [`DESTINATION_MNC`]. `None` if it is absent or not 1 to 3 ASCII
/// characters.
pub fn destination_mnc<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
    text(tlvs, DESTINATION_MNC, 1..=3)
}

/// Returns the value as ASCII text with a length in the range. 8x8 sends no NUL; a NUL at the end is removed.
fn text<'a>(tlvs: &Tlvs<'a>, tag: Tag, lengths: RangeInclusive<usize>) -> Option<&'a str> {
    let octets = tlvs.get(tag)?;
    let text = core::str::from_utf8(octets.strip_suffix(&[0]).unwrap_or(octets)).ok()?;
    (text.is_ascii() && lengths.contains(&text.len())).then_some(text)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::*;
    use crate::session::Config;
    use crate::sms::{Alphabet, Receipt};
    use crate::tlv::Tlv;

    /// The published table of codes: `code,meaning`, with quotes if the meaning contains a comma.
    fn published() -> Vec<(u16, &'static str)> {
        let table = include_str!("../../tests/data/eight_by_eight_errors.csv");
        let row = |line: &'static str| {
            let (code, meaning) = line.split_once(',').unwrap();
            (code.parse().unwrap(), meaning.trim_matches('"'))
        };
        table.lines().skip(1).map(row).collect()
    }

    #[test]
    fn exactly_the_published_error_codes_have_a_meaning() {
        let table = published();
        assert_eq!(table.len(), 61);
        for code in 0..=u16::MAX {
            let meaning = table.iter().find(|row| row.0 == code).map(|row| row.1);
            assert_eq!(ErrorCode(code).meaning(), meaning, "{code}");
            let name = meaning.map(|meaning| {
                let words =
                    meaning.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
                words.map(str::to_uppercase).collect::<Vec<String>>().join("_")
            });
            assert_eq!(ErrorCode(code).name().map(ToString::to_string), name, "{code}");
            let shown = ErrorCode(code).to_string();
            assert_eq!(shown, meaning.map_or_else(|| format!("error {code}"), ToString::to_string));
        }
    }

    #[test]
    fn an_error_code_is_parsed_with_and_without_leading_zeros() {
        for (err, code) in [
            ("0", Some(ErrorCode::NO_REASON)),
            ("000", Some(ErrorCode::NO_REASON)),
            ("27", Some(ErrorCode::PERMANENT_OPERATOR)),
            ("027", Some(ErrorCode::PERMANENT_OPERATOR)),
            ("0000000000000027", Some(ErrorCode::PERMANENT_OPERATOR)),
            ("6", Some(ErrorCode(6))),
            ("65535", Some(ErrorCode(65_535))),
            ("65536", None),
            ("99999999999999999999", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("0x1B", None),
            ("27 ", None),
            ("Absent", None),
        ] {
            assert_eq!(ErrorCode::parse(err.as_bytes()), code, "{err}");
        }
    }

    #[test]
    fn receipt_states_match_the_published_words() {
        let words = ["DELIVRD", "EXPIRED", "UNDELIV", "ACCEPTD", "UNKNOWN", "ENROUTE", "REJECTD"];
        let states =
            words.map(|stat| Receipt { stat: stat.as_bytes(), ..Receipt::default() }.state().unwrap());
        assert_eq!(Provider::EIGHT_BY_EIGHT.receipts.states, states);
    }

    #[test]
    fn unpublished_values_are_the_defaults_of_config() {
        let expected = Config {
            rate: Some(Rate::per_second(50)),
            operations: Operations::BINDS | Operations::SUBMIT_SM,
            ..Config::default()
        };
        assert_eq!(Provider::EIGHT_BY_EIGHT.config(), expected);
    }

    #[test]
    fn every_accepted_data_coding_has_an_alphabet() {
        let Provider { codings, data_codings, .. } = Provider::EIGHT_BY_EIGHT;
        let alphabets: Vec<_> =
            data_codings.iter().map(|&coding| (coding.0, codings.alphabet(coding).unwrap())).collect();
        let gsm7 = Alphabet::Gsm7;
        assert_eq!(alphabets, [(0, gsm7), (1, gsm7), (3, Alphabet::Latin1), (8, Alphabet::Ucs2)]);
    }

    #[test]
    fn the_default_host_is_a_documented_region() {
        let Provider { host, regions, .. } = Provider::EIGHT_BY_EIGHT;
        let region = regions.iter().find(|region| region.host == host);
        assert_eq!(region.map(|region| region.status), Some(HostStatus::Documented));
    }

    #[test]
    fn vendor_tlvs_are_read_with_and_without_nul() {
        let id = b"bda71b1d-c304-4c1c-9b2e-1b2c34e56f70";
        let list = [(MO_MESSAGE_ID, &id[..]), (DESTINATION_MCC, b"525"), (DESTINATION_MNC, b"01\0")];
        let list = list.map(|(tag, octets)| Tlv::new(tag, octets).unwrap());
        let tlvs = Tlvs::list(&list);
        assert_eq!(mo_message_id(&tlvs).map(str::as_bytes), Some(&id[..]));
        assert_eq!((destination_mcc(&tlvs), destination_mnc(&tlvs)), (Some("525"), Some("01")));
    }

    #[test]
    fn other_values_under_the_same_tags_are_none() {
        let list =
            [(MO_MESSAGE_ID, &b"6591234567"[..]), (DESTINATION_MCC, b"5250"), (DESTINATION_MNC, b"\xFF")];
        let list = list.map(|(tag, octets)| Tlv::new(tag, octets).unwrap());
        for tlvs in [Tlvs::list(&list), Tlvs::EMPTY] {
            assert_eq!(
                (mo_message_id(&tlvs), destination_mcc(&tlvs), destination_mnc(&tlvs)),
                (None, None, None)
            );
        }
    }
}
