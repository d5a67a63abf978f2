//! Matching the message id of a delivery receipt with that of a `submit_sm_resp`.
//!
//! SMPP calls a message id opaque (SMPP 3.4 §5.2.23) and the text of a receipt vendor specific. Some SMSCs write the
//! same id differently in the two: in another case, padded with zeros, or hexadecimal in one and decimal in the other.
//! A policy describes what the provider does. An id that is not a number is compared exactly, except for its case if
//! the policy ignores it. The same applies to a UUID: an id of 32 hexadecimal digits counts as a UUID without hyphens.

use super::message_id_key::MessageIdKey;
use super::receipt::{IdSource, Receipt};

/// The digits of a UUID without hyphens.
const UUID_DIGITS: usize = 32;

/// How to match the message id of a delivery receipt with the one of a `submit_sm_resp`.
///
/// Use [`is_about`](Self::is_about) to compare one pair. To find the message of a receipt in a map, use
/// [`submitted_key`](Self::submitted_key) and [`receipt_key`](Self::receipt_key).
///
/// ```
/// use std::collections::HashMap;
/// use smpp_proto::sms::MessageIdPolicy;
///
/// let policy = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
/// assert!(policy.same(b"7f00A1B2", b"2130747826"));
/// assert!(!policy.same(b"7f00A1B2", b"7f00A1B2"), "not a decimal number");
///
/// let mut submitted = HashMap::new();
/// submitted.insert(policy.submitted_key(b"7f00A1B2"), "Hello");
/// assert_eq!(submitted.get(&policy.receipted_key(b"02130747826")), Some(&"Hello"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MessageIdPolicy {
    /// Whether to ignore the case of ASCII letters.
    pub ignore_case: bool,
    /// Compares ids as numbers, if both are numbers in these notations: case and leading zeros are ignored then. `None`
    /// compares no ids as numbers.
    pub numbers: Option<NumericIds>,
}

/// The notations of numeric ids in a [`MessageIdPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NumericIds {
    /// The notation in a `submit_sm_resp`.
    pub submitted: IdNotation,
    /// The notation in the text of a delivery receipt.
    pub receipted: IdNotation,
}

impl NumericIds {
    /// Creates the notations in a `submit_sm_resp` and in the text of a delivery receipt.
    pub const fn new(submitted: IdNotation, receipted: IdNotation) -> Self {
        Self { submitted, receipted }
    }
}

/// The notation of a numeric id: only digits, without sign or prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdNotation {
    /// `0` to `9`.
    Decimal,
    /// `0` to `9`, `a` to `f`, `A` to `F`.
    Hexadecimal,
}

/// Which other ids of a receipt are tried if its id matches no message.
///
/// A receipt may have an id in its text, another in the TLV `receipted_message_id`, or the same in two notations.
/// Without a fallback the TLV counts if there is one, otherwise the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdFallback {
    /// No other id.
    #[default]
    None,
    /// The id in the text, if that of the TLV matches no message: for SMSCs that put another number into the TLV.
    OtherId,
    /// Also both ids in the other notation: the id of the TLV in the notation of the text, that of the text in the
    /// notation of the `submit_sm_resp`.
    ///
    /// If both notations are numbers, a receipt of another application may match a message of this one by chance.
    OtherNotation,
}

impl MessageIdPolicy {
    /// The ids match if they have the same octets.
    pub const EXACT: Self = Self { ignore_case: false, numbers: None };

    /// The ids match if they differ only in the case of ASCII letters.
    pub const IGNORE_CASE: Self = Self { ignore_case: true, ..Self::EXACT };

    /// Decimal on both sides, with optional leading zeros: `0012` matches `12`.
    pub const IGNORE_LEADING_ZEROS: Self = Self::of_numbers(IdNotation::Decimal, IdNotation::Decimal);

    /// Hexadecimal in the `submit_sm_resp`, decimal in the receipt.
    pub const HEXADECIMAL_TO_DECIMAL: Self = Self::of_numbers(IdNotation::Hexadecimal, IdNotation::Decimal);

    /// Decimal in the `submit_sm_resp`, hexadecimal in the receipt.
    pub const DECIMAL_TO_HEXADECIMAL: Self = Self::of_numbers(IdNotation::Decimal, IdNotation::Hexadecimal);

    const fn of_numbers(submitted: IdNotation, receipted: IdNotation) -> Self {
        Self { ignore_case: false, numbers: Some(NumericIds { submitted, receipted }) }
    }

    /// Returns whether the receipt is about the message with the id `submitted`, that is whether their keys are equal.
    pub fn is_about(&self, receipt: &Receipt<'_>, submitted: &[u8]) -> bool {
        self.submitted_key(submitted) == self.receipt_key(receipt)
    }

    /// Returns the key of a receipt's id. The TLV `receipted_message_id` has the notation of the `submit_sm_resp`:
    /// SMSCs use another notation only in the text.
    ///
    /// ```
    /// use smpp_proto::sms::{MessageIdPolicy, Receipt};
    /// use smpp_proto::{Tlv, Tlvs};
    ///
    /// let policy = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    /// let list = [Tlv::receipted_message_id(b"7F00A1B2")?];
    /// let text = b"id:2130747826 stat:DELIVRD";
    /// let receipts = [Receipt::parse(text), Receipt::parse_with(text, Tlvs::list(&list))];
    /// assert!(receipts.into_iter().flatten().all(|receipt| policy.is_about(&receipt, b"7f00a1b2")));
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub fn receipt_key(&self, receipt: &Receipt<'_>) -> MessageIdKey {
        match receipt.id_source {
            IdSource::Text => self.receipted_key(receipt.id),
            IdSource::Tlv { .. } => self.submitted_key(receipt.id),
        }
    }

    /// Returns the further keys that a receipt's id may have, to try if [`receipt_key`](Self::receipt_key) matches no
    /// message: see [`IdFallback`]. Those of empty ids and those that were returned before are left out.
    ///
    /// ```
    /// use smpp_proto::sms::{IdFallback, MessageIdPolicy, Receipt};
    /// use smpp_proto::{Tlv, Tlvs};
    ///
    /// // The SMSC writes decimal numbers also into the TLV.
    /// let policy = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    /// let list = [Tlv::receipted_message_id(b"2130747826")?];
    /// let receipt = Receipt::parse_with(b"stat:DELIVRD", Tlvs::list(&list))?;
    /// let submitted = policy.submitted_key(b"7f00a1b2");
    /// assert_ne!(policy.receipt_key(&receipt), submitted);
    /// assert!(policy.fallback_keys(&receipt, IdFallback::OtherNotation).any(|key| key == submitted));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fallback_keys(
        self,
        receipt: &Receipt<'_>,
        fallback: IdFallback,
    ) -> impl Iterator<Item = MessageIdKey> + use<> {
        let (tlv, text) = match receipt.id_source {
            IdSource::Text => (&[][..], receipt.id),
            IdSource::Tlv { in_text } => (receipt.id, in_text),
        };
        let all = [
            self.receipt_key(receipt),
            self.receipted_key(text),
            self.receipted_key(tlv),
            self.submitted_key(text),
        ];
        let count = match fallback {
            IdFallback::None => 1,
            IdFallback::OtherId => 2,
            IdFallback::OtherNotation => all.len(),
        };
        let is_new = move |index: &usize| {
            let (before, rest) = all.split_at_checked(*index).unwrap_or_default();
            rest.first().is_some_and(|key| !key.is_empty() && !before.contains(key))
        };
        (1..count).filter(is_new).filter_map(move |index| all.get(index).copied())
    }

    /// Returns whether the id `receipted` in the text of a receipt matches the id `submitted` of a `submit_sm_resp`,
    /// that is whether their keys are equal.
    pub fn same(self, submitted: &[u8], receipted: &[u8]) -> bool {
        self.submitted_key(submitted) == self.receipted_key(receipted)
    }

    /// Returns the key of an id from a `submit_sm_resp`.
    pub fn submitted_key(self, id: &[u8]) -> MessageIdKey {
        self.key(id, self.numbers.map(|numbers| numbers.submitted))
    }

    /// Returns the key of an id from the text of a receipt.
    pub fn receipted_key(self, id: &[u8]) -> MessageIdKey {
        self.key(id, self.numbers.map(|numbers| numbers.receipted))
    }

    fn key(self, id: &[u8], notation: Option<IdNotation>) -> MessageIdKey {
        if let Some(number) = notation.and_then(|notation| notation.parse(id)) {
            return MessageIdKey::number(number);
        }
        MessageIdKey::text(id, self.ignore_case)
    }

    crate::setters! {
        const ignore_case: bool,
        const numbers: Some(NumericIds),
    }
}

impl IdNotation {
    /// Parses `digits` as a number. `None` if they are not all digits, need more than 256 bits, or may be a UUID
    /// without hyphens.
    fn parse(self, digits: &[u8]) -> Option<[u64; 4]> {
        let radix = match self {
            Self::Decimal => 10,
            Self::Hexadecimal => 16,
        };
        if digits.is_empty() || (self == Self::Hexadecimal && digits.len() == UUID_DIGITS) {
            return None;
        }
        // As many digits at once as fit into 64 bits in both notations.
        digits.chunks(15).try_fold([0; 4], |number, digits| {
            let mut value = 0;
            for &digit in digits {
                value = value * u64::from(radix) + u64::from(char::from(digit).to_digit(radix)?);
            }
            multiply_add(number, u64::from(radix).pow(digits.len() as u32), value)
        })
    }
}

/// Returns `number * factor + summand`; `None` if that needs more than 256 bits.
fn multiply_add(mut number: [u64; 4], factor: u64, summand: u64) -> Option<[u64; 4]> {
    let mut carry = u128::from(summand);
    for limb in number.iter_mut().rev() {
        carry += u128::from(*limb) * u128::from(factor);
        *limb = carry as u64;
        carry >>= 64;
    }
    (carry == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::sms::message_id_key::MAX_OCTETS;

    const EXACT: MessageIdPolicy = MessageIdPolicy::EXACT;
    const IGNORE_CASE: MessageIdPolicy = MessageIdPolicy::IGNORE_CASE;
    const ZEROS: MessageIdPolicy = MessageIdPolicy::IGNORE_LEADING_ZEROS;
    const HEX_TO_DEC: MessageIdPolicy = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    const DEC_TO_HEX: MessageIdPolicy = MessageIdPolicy::DECIMAL_TO_HEXADECIMAL;
    const HEX: MessageIdPolicy = MessageIdPolicy {
        ignore_case: false,
        numbers: Some(NumericIds { submitted: IdNotation::Hexadecimal, receipted: IdNotation::Hexadecimal }),
    };
    const ALL: [MessageIdPolicy; 6] = [EXACT, IGNORE_CASE, ZEROS, HEX_TO_DEC, DEC_TO_HEX, HEX];

    const HYPHENS: &str = "bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60";
    const HYPHENS_UPPER: &str = "BDA7B1BD-4C04-4C1C-9B2E-1B2C3D4E5F60";
    const UUID_PLAIN: &str = "bda7b1bd4c044c1c9b2e1b2c3d4e5f60";
    /// 2^128.
    const WIDE_HEX: &str = "100000000000000000000000000000000";
    const WIDE_DEC: &str = "340282366920938463463374607431768211456";
    /// 2^256 - 1, the largest number of 64 hexadecimal digits.
    const MOST_HEX: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const MOST_DEC: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    /// 10^64 - 1, the largest number of 64 decimal digits.
    const NINES_DEC: &str = "9999999999999999999999999999999999999999999999999999999999999999";
    const NINES_HEX: &str = "184f03e93ff9f4daa797ed6e38ed64bf6a1f00ffffffffffffffff";

    #[test]
    fn every_policy_matches_as_documented() {
        for (policy, submitted, receipted, same) in [
            (EXACT, "7F00A1B2", "7F00A1B2", true),
            (EXACT, "7F00A1B2", "7f00a1b2", false),
            (EXACT, "12", "0012", false),
            (EXACT, HYPHENS, HYPHENS, true),
            (EXACT, HYPHENS, HYPHENS_UPPER, false),
            (EXACT, "", "", true),
            (EXACT, "1", "", false),
            (EXACT, "1", "1\0", false),
            (IGNORE_CASE, "7F00A1B2", "7f00a1b2", true),
            (IGNORE_CASE, HYPHENS, HYPHENS_UPPER, true),
            (IGNORE_CASE, "12", "0012", false),
            (IGNORE_CASE, "\u{E4}", "\u{C4}", false),
            (ZEROS, "12", "0012", true),
            (ZEROS, "0000000000000000000012", "12", true),
            (ZEROS, "0", "000", true),
            (ZEROS, "12", "120", false),
            (ZEROS, "00A", "A", false),
            (ZEROS, "00A", "00A", true),
            (ZEROS, HYPHENS, HYPHENS, true),
            (ZEROS, HYPHENS, HYPHENS_UPPER, false),
            (HEX, "7F00A1B2", "007f00a1b2", true),
            (HEX, "7F00A1B2", "7f00a1b", false),
            (HEX, HYPHENS, HYPHENS_UPPER, false),
            (HEX_TO_DEC, "7F00A1B2", "2130747826", true),
            (HEX_TO_DEC, "7f00a1b2", "02130747826", true),
            (HEX_TO_DEC, "0", "0", true),
            (HEX_TO_DEC, "10", "16", true),
            (HEX_TO_DEC, "10", "10", false),
            (HEX_TO_DEC, "ffffffffffffffff", "18446744073709551615", true),
            (HEX_TO_DEC, "10000000000000000", "18446744073709551616", true),
            (HEX_TO_DEC, WIDE_HEX, WIDE_DEC, true),
            (HEX_TO_DEC, WIDE_HEX, "340282366920938463463374607431768211457", false),
            (HEX_TO_DEC, MOST_HEX, MOST_DEC, true),
            (HEX_TO_DEC, HYPHENS, HYPHENS, true),
            (HEX_TO_DEC, HYPHENS, HYPHENS_UPPER, false),
            (HEX_TO_DEC, UUID_PLAIN, UUID_PLAIN, true),
            (
                HEX_TO_DEC,
                "10000000000000000000000000000000",
                "170141183460469231731687303715884105728",
                false,
            ),
            (ZEROS, "12", "00000000000000000000000000000012", true),
            (HEX_TO_DEC, "7E37BE2022C0914B2680000000", "10000000000000000000000000000000", true),
            (HEX_TO_DEC, "msg-1", "msg-1", true),
            (HEX_TO_DEC, "0x10", "16", false),
            (HEX_TO_DEC, "+10", "16", false),
            (HEX_TO_DEC, "-1", "-1", true),
            (DEC_TO_HEX, "2130747826", "7F00A1B2", true),
            (DEC_TO_HEX, "2130747826", "007f00a1b2", true),
            (DEC_TO_HEX, NINES_DEC, NINES_HEX, true),
            (DEC_TO_HEX, NINES_DEC, MOST_HEX, false),
            (DEC_TO_HEX, "16", "16", false),
            (DEC_TO_HEX, HYPHENS, HYPHENS, true),
        ] {
            assert_eq!(
                policy.same(submitted.as_bytes(), receipted.as_bytes()),
                same,
                "{submitted} and {receipted}: {policy:?}"
            );
        }
    }

    #[test]
    fn ignore_case_and_numbers_can_be_combined() {
        let policy = MessageIdPolicy { ignore_case: true, ..HEX_TO_DEC };
        assert!(policy.same(b"7F00A1B2", b"2130747826"));
        assert!(policy.same(HYPHENS.as_bytes(), HYPHENS_UPPER.as_bytes()));
        assert!(!policy.same(b"10", b"10"));
    }

    #[test]
    fn fallback_keys_are_those_of_the_other_id_and_notation() {
        use crate::tlv::{Tlv, Tlvs};
        let (hex, dec) = (&b"7f00a1b2"[..], &b"2130747826"[..]);
        let [hex_id, as_hex] = [hex, dec].map(|id| HEX_TO_DEC.submitted_key(id));
        let [text_4711, text_hex] = [b"4711", hex].map(|id| EXACT.submitted_key(id));
        for (policy, text, tlv, other_id, other_notation) in [
            (EXACT, &b"4711"[..], None, &[][..], &[][..]),
            (EXACT, b"4711", Some(&b"A-99"[..]), &[text_4711], &[text_4711]),
            (EXACT, b"4711", Some(b"4711"), &[], &[]),
            (EXACT, b"", Some(b"4711"), &[], &[]),
            (HEX_TO_DEC, dec, Some(hex), &[], &[text_hex, as_hex]),
            (HEX_TO_DEC, dec, Some(dec), &[hex_id], &[hex_id]),
            (HEX_TO_DEC, b"", Some(dec), &[], &[hex_id]),
            (HEX_TO_DEC, hex, None, &[], &[hex_id]),
        ] {
            let list: Vec<_> = tlv.map(|id| Tlv::receipted_message_id(id).unwrap()).into_iter().collect();
            let text = [b"id:", text, b" stat:DELIVRD"].concat();
            let receipt = Receipt::parse_with(&text, Tlvs::list(&list)).unwrap();
            let keys = |fallback| policy.fallback_keys(&receipt, fallback).collect::<Vec<_>>();
            assert_eq!(keys(IdFallback::None), []);
            assert_eq!(keys(IdFallback::OtherId), other_id, "{receipt:?}");
            assert_eq!(keys(IdFallback::OtherNotation), other_notation, "{receipt:?}");
        }
    }

    #[test]
    fn a_number_above_256_bits_is_compared_as_octets() {
        let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        let hex = format!("1{}", "0".repeat(64));
        assert!(!HEX_TO_DEC.same(hex.as_bytes(), above.as_bytes()));
        assert!(ZEROS.same(above.as_bytes(), above.as_bytes()));
        assert!(!ZEROS.same(above.as_bytes(), format!("0{above}").as_bytes()));
    }

    #[test]
    fn an_id_above_64_octets_never_equals_a_shorter_one() {
        let (fits, longer) = ([b'x'; 64], [b'x'; 65]);
        for policy in ALL {
            assert!(!policy.same(&fits, &longer));
            assert!(policy.same(&longer, &longer));
            let mut other = longer;
            other[64] = b'y';
            assert!(!policy.same(&longer, &other), "they differ after 64 octets");
            assert_eq!(policy.same(&longer, &[b'X'; 65]), policy.ignore_case);
        }
    }

    fn policy() -> impl Strategy<Value = MessageIdPolicy> {
        (any::<bool>(), prop::sample::select(&ALL[..]))
            .prop_map(|(ignore_case, policy)| MessageIdPolicy { ignore_case, ..policy })
    }

    /// Ids in the formats of SMSCs, and arbitrary ones.
    fn id() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<Vec<u8>>(),
            "0{0,3}[0-9]{1,64}".prop_map(String::into_bytes),
            "0{0,3}[0-9a-fA-F]{1,64}".prop_map(String::into_bytes),
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
                .prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn hexadecimal_and_decimal_agree_with_arithmetic(
            (number, other) in any::<[u128; 2]>().prop_map(|[number, other]| (number >> 4, other >> 4)),
            zeros in 0..20_usize,
        ) {
            let zeros = "0".repeat(zeros);
            let lengths = [number, other].map(|number| [format!("{number}").len(), format!("{number:x}").len()]);
            let all = lengths.iter().flatten().flat_map(|length| [*length, length + zeros.len()]);
            prop_assume!(!all.into_iter().any(|length| length == UUID_DIGITS));
            for (policy, submitted, receipted) in [
                (HEX_TO_DEC, format!("{zeros}{number:X}"), format!("{number}")),
                (HEX_TO_DEC, format!("{number:x}"), format!("{zeros}{number}")),
                (DEC_TO_HEX, format!("{zeros}{number}"), format!("{number:x}")),
                (DEC_TO_HEX, format!("{number}"), format!("{zeros}{number:X}")),
                (ZEROS, format!("{zeros}{number}"), format!("{number}")),
                (HEX, format!("{zeros}{number:X}"), format!("{number:x}")),
            ] {
                prop_assert!(policy.same(submitted.as_bytes(), receipted.as_bytes()));
            }
            prop_assert_eq!(
                HEX_TO_DEC.same(format!("{number:x}").as_bytes(), format!("{other}").as_bytes()),
                number == other
            );
            prop_assert_eq!(
                DEC_TO_HEX.submitted_key(format!("{number}").as_bytes())
                    < DEC_TO_HEX.submitted_key(format!("{other}").as_bytes()),
                number < other
            );
        }

        #[test]
        fn every_id_matches_itself_if_both_notations_are_equal(policy in policy(), id in id(), other in id()) {
            if policy.numbers.is_none_or(|numbers| numbers.submitted == numbers.receipted) {
                prop_assert!(policy.same(&id, &id));
                prop_assert_eq!(policy.same(&id, &other), policy.same(&other, &id));
            }
        }

        #[test]
        fn an_exact_match_means_equal_octets(id in id(), other in id()) {
            prop_assume!(id.len().max(other.len()) <= MAX_OCTETS);
            prop_assert_eq!(EXACT.same(&id, &other), id == other);
            prop_assert_eq!(IGNORE_CASE.same(&id, &other), id.eq_ignore_ascii_case(&other));
        }

        #[test]
        fn different_uuids_never_match(number: u128, flipped in 0..128_u32, policy in policy()) {
            let uuid = |number: u128| {
                let digits = format!("{number:032x}");
                [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
            };
            let (one, other) = (uuid(number), uuid(number ^ 1 << flipped));
            prop_assert!(policy.same(one.as_bytes(), one.as_bytes()));
            prop_assert!(!policy.same(one.as_bytes(), other.as_bytes()));
            let upper = one.to_ascii_uppercase();
            prop_assert_eq!(
                policy.same(one.as_bytes(), upper.as_bytes()),
                policy.ignore_case || one == upper
            );
        }
    }
}
