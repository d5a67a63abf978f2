//! The normalized message id, and the octets to store it as.

use alloc::vec::Vec;
use core::fmt;

use super::digest::digest;

/// The maximum octets of a message id (SMPP 3.4 §5.2.23).
pub(super) const MAX_OCTETS: usize = 64;

/// The octets of a longer id that a key has; the last 8 of 64 are a digest.
const PREFIX: usize = 56;

/// The first octet of the key of a longer id. Below it is the length of a shorter id, above it [`NUMBER`].
const LONG: u8 = 65;

/// The first octet of the key of a number, plus how many octets the number has.
const NUMBER: u8 = 0x80;

/// The most octets of a key: that of a longer id.
const MAX_KEY: usize = 1 + 8 + MAX_OCTETS;

/// A normalized message id: two ids match if their keys are equal. Use it as the key of a map, or store its
/// [octets](Self::to_octets) in a database.
///
/// Compare only keys of the same [policy](super::MessageIdPolicy). An id of more than 64 octets, which a tolerated peer
/// may send, is reduced to its length, its first 56 octets and a digest of all octets; it never equals a shorter id. The
/// empty id has a key too, but identifies no message: do not insert it into a map.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageIdKey {
    /// The octets of [`MessageIdKey::to_octets`], padded with zeros. The first octet determines how many they are.
    octets: [u8; MAX_KEY],
}

impl MessageIdKey {
    /// The most octets of an id whose key is made of its length and its octets, if it is compared exactly.
    pub(crate) const MAX_EXACT: usize = MAX_OCTETS;

    /// Returns the key of a number below 2^256, most significant limb first.
    pub(super) fn number(limbs: [u64; 4]) -> Self {
        let mut number = [0; 32];
        let octets = limbs.into_iter().flat_map(u64::to_be_bytes);
        number.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        // A number has 32 octets at most.
        Self::new(NUMBER + digits.len() as u8, [digits])
    }

    /// Returns the key of octets that are not compared as a number.
    pub(super) fn text(id: &[u8], ignore_case: bool) -> Self {
        let fold = |octet: &u8| if ignore_case { octet.to_ascii_lowercase() } else { *octet };
        let mut key = match u8::try_from(id.len()) {
            Ok(length) if length < LONG => Self::new(length, [id]),
            _ => {
                let length = (id.len() as u64).to_be_bytes();
                let digest = digest(id.iter().map(fold)).to_be_bytes();
                Self::new(LONG, [&length, id.get(..PREFIX).unwrap_or(id), &digest])
            }
        };
        if ignore_case {
            let folded = match id.len() {
                0..=MAX_OCTETS => key.octets.get_mut(1..=id.len()),
                _ => key.octets.get_mut(9..9 + PREFIX),
            };
            folded.unwrap_or_default().make_ascii_lowercase();
        }
        key
    }

    /// Returns the key with these octets; those that are too many are left out.
    fn new<const N: usize>(first: u8, parts: [&[u8]; N]) -> Self {
        let mut octets = [0; MAX_KEY];
        let [to, rest @ ..] = &mut octets;
        *to = first;
        let mut rest = &mut rest[..];
        for part in parts {
            let (to, after) = rest.split_at_mut(part.len().min(rest.len()));
            to.copy_from_slice(part.get(..to.len()).unwrap_or_default());
            rest = after;
        }
        Self { octets }
    }

    /// Returns how many octets a key with this first octet has; `None` if no key has it.
    fn length(first: u8) -> Option<usize> {
        match first {
            0..LONG => Some(1 + usize::from(first)),
            LONG => Some(MAX_KEY),
            NUMBER..=0xA0 => Some(1 + usize::from(first - NUMBER)),
            _ => None,
        }
    }

    /// Returns the key as octets to store: at most 73, usually one more than the id has.
    ///
    /// **They never change**: equal keys have equal octets in every version of this library and on every platform. So a
    /// database can find a message by them. The order of the octets is the order of the keys.
    ///
    /// | first octet | rest |
    /// | --- | --- |
    /// | 0 to 64: the length | the octets of the id, ASCII letters in lower case if the policy ignores the case |
    /// | 65 | the id is longer: its length (8 octets, most significant first), its first 56 octets, and the 64-bit FNV-1a hash of all octets |
    /// | 128 to 160: the length, plus 128 | the id as a number, most significant octet first, without leading zeros |
    ///
    /// ```
    /// use smpp_proto::sms::{MessageIdKey, MessageIdPolicy};
    ///
    /// let key = MessageIdPolicy::EXACT.submitted_key(b"4711");
    /// assert_eq!(key.to_octets(), b"\x044711");
    /// assert_eq!(MessageIdKey::from_octets(b"\x044711"), Some(key));
    ///
    /// let policy = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    /// assert_eq!(policy.submitted_key(b"7f00A1B2").to_octets(), b"\x84\x7F\x00\xA1\xB2");
    /// assert_eq!(policy.receipted_key(b"02130747826").to_octets(), b"\x84\x7F\x00\xA1\xB2");
    /// ```
    pub fn to_octets(&self) -> Vec<u8> {
        self.as_octets().into()
    }

    /// Returns the octets of [`to_octets`](Self::to_octets) without copying them.
    pub fn as_octets(&self) -> &[u8] {
        let [first, ..] = self.octets;
        Self::length(first).and_then(|length| self.octets.get(..length)).unwrap_or(&self.octets)
    }

    /// Returns the key with these octets; `None` if [`to_octets`](Self::to_octets) returns them for no key.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (&first, rest) = octets.split_first()?;
        let is_whole = Self::length(first) == Some(octets.len());
        let is_canonical = match first {
            LONG => {
                let length = rest.first_chunk().map(|length| u64::from_be_bytes(*length));
                length.is_some_and(|length| length >= u64::from(LONG))
            }
            NUMBER.. => rest.first() != Some(&0),
            _ => true,
        };
        (is_whole && is_canonical).then(|| Self::new(first, [rest]))
    }

    /// Returns whether it is the key of the empty id, which identifies no message.
    pub fn is_empty(&self) -> bool {
        self.as_octets() == [0]
    }
}

/// Formats octets as `"abc"` and a number as `0x7f`.
impl fmt::Debug for MessageIdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((&first, octets)) = self.as_octets().split_first() else { return Ok(()) };
        match first {
            NUMBER.. => {
                f.write_str("0x")?;
                match octets.split_first() {
                    None => f.write_str("0"),
                    Some((first, rest)) => {
                        write!(f, "{first:x}")?;
                        rest.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
                    }
                }
            }
            LONG => {
                let (length, rest) = octets.split_at_checked(8).unwrap_or((&[], octets));
                let text = rest.get(..PREFIX).unwrap_or(rest);
                let length = length.iter().fold(0_u64, |length, octet| length << 8 | u64::from(*octet));
                write!(f, "\"{}\"... ({length} octets)", text.escape_ascii())
            }
            _ => write!(f, "\"{}\"", octets.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;
    use crate::sms::MessageIdPolicy;

    const EXACT: MessageIdPolicy = MessageIdPolicy::EXACT;
    const NUMBERS: MessageIdPolicy = MessageIdPolicy::IGNORE_LEADING_ZEROS;

    /// Databases hold these octets: they must never change.
    #[test]
    fn the_octets_of_a_key_are_stable() {
        let uuid = b"BDA7B1BD-4c04-4c1c-9b2e-1b2c3d4e5f60";
        for (policy, id, octets) in [
            (EXACT, &b""[..], &b"\x00"[..]),
            (EXACT, b"4711", b"\x044711"),
            (EXACT, b"a\0\xFF", b"\x03a\0\xFF"),
            (EXACT, uuid, b"\x24BDA7B1BD-4c04-4c1c-9b2e-1b2c3d4e5f60"),
            (MessageIdPolicy::IGNORE_CASE, uuid, b"\x24bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60"),
            (NUMBERS, b"0", b"\x80"),
            (NUMBERS, b"000", b"\x80"),
            (NUMBERS, b"255", b"\x81\xFF"),
            (NUMBERS, b"0256", b"\x82\x01\x00"),
            (NUMBERS, b"18446744073709551617", b"\x89\x01\0\0\0\0\0\0\0\x01"),
            (NUMBERS, b"msg-1", b"\x05msg-1"),
            (MessageIdPolicy::HEXADECIMAL_TO_DECIMAL, &[b'f'; 64], &[&[0xA0][..], &[0xFF; 32]].concat()),
            (EXACT, &[b'x'; 64], &[&[64][..], &[b'x'; 64]].concat()),
            (
                EXACT,
                &[b'x'; 65],
                &[&[65, 0, 0, 0, 0, 0, 0, 0, 65][..], &[b'x'; 56], b"\x7D\x70\xA5\x25\x49\x70\x46\x07"]
                    .concat(),
            ),
        ] {
            let key = policy.submitted_key(id);
            assert_eq!(key.to_octets(), octets, "{:?}", id.escape_ascii());
            assert_eq!(MessageIdKey::from_octets(octets), Some(key), "{:?}", id.escape_ascii());
        }
    }

    #[test]
    fn other_octets_are_no_key() {
        for octets in [
            &b""[..],
            b"\x00a",
            b"\x01",
            b"\x02a",
            &[65; 65],
            &[&[65][..], &[0; 72]].concat(),
            &[66; 67],
            &[0x7F; 128],
            b"\x80\x00",
            b"\x81\x00",
            b"\x82\x01",
            &[&[0xA1][..], &[1; 33]].concat(),
        ] {
            assert_eq!(MessageIdKey::from_octets(octets), None, "{:?}", octets.escape_ascii());
        }
    }

    #[test]
    fn only_the_key_of_the_empty_id_is_empty() {
        assert!(EXACT.submitted_key(b"").is_empty());
        assert!(!NUMBERS.submitted_key(b"0").is_empty());
        assert!(!EXACT.submitted_key(b"\0").is_empty());
    }

    #[test]
    fn keys_are_readable_in_debug_output() {
        assert_eq!(format!("{:?}", EXACT.submitted_key(b"a\xFF")), r#""a\xff""#);
        assert_eq!(format!("{:?}", NUMBERS.submitted_key(b"0")), "0x0");
        assert_eq!(format!("{:?}", NUMBERS.submitted_key(b"18446744073709551617")), "0x10000000000000001");
        let long = format!("{:?}", EXACT.submitted_key(&alloc::vec![b'x'; 71_000]));
        assert_eq!(long, format!("\"{}\"... (71000 octets)", "x".repeat(56)));
    }

    proptest! {
        #[test]
        fn octets_keep_equality_and_order(
            ids in prop::array::uniform2(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..70),
                "[0-9]{1,66}".prop_map(alloc::string::String::into_bytes),
            ]),
            ignore_case: bool,
            as_numbers: bool,
        ) {
            let policy = MessageIdPolicy { ignore_case, ..if as_numbers { NUMBERS } else { EXACT } };
            let [one, other] = ids.map(|id| policy.submitted_key(&id));
            prop_assert_eq!(one.cmp(&other), one.to_octets().cmp(&other.to_octets()));
            prop_assert_eq!(MessageIdKey::from_octets(&one.to_octets()), Some(one));
        }

        #[test]
        fn octets_that_are_read_are_written_the_same(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(key) = MessageIdKey::from_octets(&octets) {
                prop_assert_eq!(key.to_octets(), octets);
            }
        }
    }
}
