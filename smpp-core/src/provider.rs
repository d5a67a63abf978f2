//! Providers as data: ports, limits and dialects.

use crate::session::{Config, Operations, Rate};
use crate::sms::Codings;

/// What a provider of SMPP publishes about its service. Define another one as a constant of your own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The provider's name.
    pub name: &'static str,
    /// The host that clients connect to unless told another.
    pub host: &'static str,
    /// TCP port without TLS.
    pub plain_port: u16,
    /// TCP port with TLS from the first octet.
    pub tls_port: u16,
    /// Binds that one account may hold at once.
    pub max_binds: u16,
    /// Messages that one bind may send.
    pub rate: Rate,
    /// The requests that it takes.
    pub operations: Operations,
    /// What data_coding 0 and 1 stand for.
    pub codings: Codings,
}

impl Provider {
    /// 8x8, SMPP 3.4: four binds for each sub-account, fifty messages a second for each bind, receipts on any
    /// bind of the account.
    ///
    /// As 8x8 publishes it on <https://developer.8x8.com/connect/docs/smpp-connection>.
    pub const EIGHT_BY_EIGHT: Self = Self {
        name: "8x8",
        host: "smpp.8x8.com",
        plain_port: 2775,
        tls_port: 2776,
        max_binds: 4,
        rate: Rate::per_second(50),
        operations: Operations::BINDS.union(Operations::SUBMIT_SM),
        codings: Codings::GSM7,
    };

    /// How an ESME's session runs with this provider: no faster than it allows, and with no request that it does not
    /// take.
    pub fn config(&self) -> Config {
        Config { rate: Some(self.rate), operations: self.operations, ..Config::default() }
    }
}

/// The optional parameters of 8x8's own, as it publishes them; `None` where the peer sent something else.
///
/// ```
/// use smpp_core::provider::eight_by_eight;
/// use smpp_core::{Tlv, Tlvs};
/// let list = [Tlv::new(eight_by_eight::DESTINATION_MCC, b"525").unwrap()];
/// assert_eq!(eight_by_eight::destination_mcc(&Tlvs::list(&list)), Some("525"));
/// ```
pub mod eight_by_eight {
    use core::ops::RangeInclusive;

    use crate::tlv::{Tag, Tlvs};

    /// The id of a message from a subscriber: 36 characters, a UUID.
    pub const MO_MESSAGE_ID: Tag = Tag(0x1502);
    /// The mobile country code of the recipient, in receipts of delivered messages: 3 digits.
    pub const DESTINATION_MCC: Tag = Tag(0x1503);
    /// The mobile network code of the recipient, in receipts of delivered messages: 1 to 3 digits.
    pub const DESTINATION_MNC: Tag = Tag(0x1504);

    /// The id of a message from a subscriber ([`MO_MESSAGE_ID`]).
    pub fn mo_message_id<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
        text(tlvs, MO_MESSAGE_ID, 36..=36)
    }

    /// The mobile country code of the recipient ([`DESTINATION_MCC`]).
    pub fn destination_mcc<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
        text(tlvs, DESTINATION_MCC, 1..=3)
    }

    /// The mobile network code of the recipient ([`DESTINATION_MNC`]).
    pub fn destination_mnc<'a>(tlvs: &Tlvs<'a>) -> Option<&'a str> {
        text(tlvs, DESTINATION_MNC, 1..=3)
    }

    /// ASCII of a length in the range. 8x8 sends no NUL; one at the end is dropped.
    fn text<'a>(tlvs: &Tlvs<'a>, tag: Tag, lengths: RangeInclusive<usize>) -> Option<&'a str> {
        let octets = tlvs.get(tag)?;
        let text = core::str::from_utf8(octets.strip_suffix(&[0]).unwrap_or(octets)).ok()?;
        (text.is_ascii() && lengths.contains(&text.len())).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::eight_by_eight::{
        DESTINATION_MCC, DESTINATION_MNC, MO_MESSAGE_ID, destination_mcc, destination_mnc, mo_message_id,
    };
    use crate::tlv::{Tlv, Tlvs};

    #[test]
    fn parameters_of_8x8_are_read_with_a_nul_or_without() {
        let id = b"bda71b1d-c304-4c1c-9b2e-1b2c34e56f70";
        let list = [(MO_MESSAGE_ID, &id[..]), (DESTINATION_MCC, b"525"), (DESTINATION_MNC, b"01\0")];
        let list = list.map(|(tag, octets)| Tlv::new(tag, octets).unwrap());
        let tlvs = Tlvs::list(&list);
        assert_eq!(mo_message_id(&tlvs).map(str::as_bytes), Some(&id[..]));
        assert_eq!((destination_mcc(&tlvs), destination_mnc(&tlvs)), (Some("525"), Some("01")));
    }

    #[test]
    fn another_vendors_parameters_under_the_same_tags_are_none() {
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
