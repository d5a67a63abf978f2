//! The ids of the tracked segments, each in 44 octets.

use super::node::IdKey;
use super::tracked_message::SegmentId;
use crate::account::outcome::MessageId;
use crate::sms::{MessageIdKey, MessageIdPolicy, digest};

/// The most octets of an id that is stored as it is: a UUID has 36.
const WHOLE: usize = 42;

/// The most octets of an id that is stored as numbers of its characters.
const PACKED: usize = 39;

/// How many octets of the beginning of other ids are stored.
const BEGINNING: usize = 22;

/// The most octets of an id that a peer may send (SMPP 3.4 §5.2.23).
const LONGEST: usize = 64;

/// The characters of longer ids. The number of a character is its position.
#[derive(Clone, Copy)]
pub(super) enum Alphabet {
    /// Digits of numbers and digests, with letters of one case.
    LowerHexadecimal,
    UpperHexadecimal,
    /// Letters, digits and two other characters, whatever they are: for example Base64.
    Alphanumeric([u8; 2]),
}

impl Alphabet {
    /// Returns how many bits the number of a character takes.
    const fn bits(self) -> usize {
        match self {
            Self::LowerHexadecimal | Self::UpperHexadecimal => 4,
            Self::Alphanumeric(_) => 6,
        }
    }

    /// Returns the number of a character; `None` if it is no character of the alphabet.
    fn number(self, character: u8) -> Option<u8> {
        match (self, character) {
            (_, b'0'..=b'9') => Some(character - b'0'),
            (Self::LowerHexadecimal, b'a'..=b'f') => Some(character - b'a' + 10),
            (Self::UpperHexadecimal, b'A'..=b'F') | (Self::Alphanumeric(_), b'A'..=b'Z') => {
                Some(character - b'A' + 10)
            }
            (Self::Alphanumeric(_), b'a'..=b'z') => Some(character - b'a' + 36),
            (Self::Alphanumeric([other, _]), _) if character == other => Some(62),
            (Self::Alphanumeric([_, other]), _) if character == other => Some(63),
            _ => None,
        }
    }

    /// Returns the character with this number.
    const fn character(self, number: u8) -> u8 {
        match (self, number) {
            (_, 0..=9) => b'0' + number,
            (Self::LowerHexadecimal, _) => b'a' + (number - 10),
            (Self::UpperHexadecimal | Self::Alphanumeric(_), 10..=35) => b'A' + (number - 10),
            (Self::Alphanumeric(_), 36..=61) => b'a' + (number - 36),
            (Self::Alphanumeric([other, _]), 62) | (Self::Alphanumeric([_, other]), _) => other,
            (Self::UpperHexadecimal, _) => b'F',
        }
    }
}

/// The id of a segment. Whatever an SMSC sends, it allocates nothing.
pub(super) enum StoredId {
    Whole {
        length: u8,
        octets: [u8; WHOLE],
    },
    /// An id of at most 64 octets, as the numbers of its characters.
    Packed {
        alphabet: Alphabet,
        length: u8,
        octets: [u8; PACKED],
    },
    /// The beginning of an id, its length, its digest, and the digest of its key.
    Cut {
        octets: [u8; BEGINNING],
        length: [u8; 4],
        digest: [u8; 8],
        key: [u8; 8],
    },
    /// The octets of a key whose id is not known.
    Key {
        length: u8,
        octets: [u8; WHOLE],
    },
    /// The digest of a longer key.
    CutKey([u8; 8]),
}

impl Default for StoredId {
    fn default() -> Self {
        Self::Whole { length: 0, octets: [0; WHOLE] }
    }
}

impl StoredId {
    /// Stores what identifies a segment.
    #[inline]
    pub(super) fn of(policy: MessageIdPolicy, id: SegmentId<'_>) -> Self {
        match id {
            SegmentId::Id(id) => Self::new(policy, id),
            SegmentId::Key(key) => Self::keyed(&key),
        }
    }

    /// Stores an id from a `submit_sm_resp`.
    #[inline]
    pub(super) fn new(policy: MessageIdPolicy, id: &[u8]) -> Self {
        match padded(id) {
            Some((length, octets)) => Self::Whole { length, octets },
            None => pack(id).unwrap_or_else(|| Self::cut(policy, id)),
        }
    }

    #[cold]
    fn cut(policy: MessageIdPolicy, id: &[u8]) -> Self {
        Self::Cut {
            octets: id.first_chunk().copied().unwrap_or_default(),
            // A PDU has less than 2^32 octets.
            length: (id.len() as u32).to_be_bytes(),
            digest: digest(id.iter().copied()).to_be_bytes(),
            key: IdKey::submitted(policy, id).digest().to_be_bytes(),
        }
    }

    /// Stores the key of an id that is not known.
    pub(super) fn keyed(key: &MessageIdKey) -> Self {
        match padded(key.as_octets()) {
            Some((length, octets)) => Self::Key { length, octets },
            None => Self::CutKey(IdKey::Key(*key).digest().to_be_bytes()),
        }
    }

    /// Returns whether the id has this key. Of an id or a key that is cut, the key is that by the policy at the time when it was
    /// stored.
    #[inline(always)]
    pub(super) fn has_key(&self, policy: MessageIdPolicy, key: &IdKey<'_>) -> bool {
        match (self, key) {
            (Self::Whole { length, octets }, IdKey::Exact(id)) if id.len() >= 8 => {
                usize::from(*length) == id.len() && starts_with(octets, id)
            }
            _ => self.has_other_key(policy, key),
        }
    }

    #[inline(never)]
    fn has_other_key(&self, policy: MessageIdPolicy, key: &IdKey<'_>) -> bool {
        match (self, key) {
            (Self::Whole { length, octets }, IdKey::Exact(id)) => {
                octets.get(..usize::from(*length)).is_some_and(|octets| octets == *id)
            }
            // The key is made of the length and the octets.
            (Self::Whole { length, octets }, IdKey::Key(key)) if policy == MessageIdPolicy::EXACT => {
                let id = octets.get(..usize::from(*length));
                key.as_octets().split_first().is_some_and(|(first, key)| first == length && id == Some(key))
            }
            (Self::Key { length, octets }, IdKey::Key(key)) => {
                octets.get(..usize::from(*length)) == Some(key.as_octets())
            }
            (Self::Whole { length, octets }, IdKey::Key(key)) => {
                octets.get(..usize::from(*length)).is_some_and(|id| policy.submitted_key(id) == *key)
            }
            (Self::Packed { alphabet, length, octets }, IdKey::Key(key)) => {
                let (unpacked, length) = unpack(*alphabet, *length, octets);
                unpacked.get(..length).is_some_and(|id| policy.submitted_key(id) == *key)
            }
            (Self::Packed { alphabet, length, octets }, IdKey::Exact(id)) => {
                let (unpacked, length) = unpack(*alphabet, *length, octets);
                unpacked.get(..length) == Some(id)
            }
            _ => self.key(policy).digest() == key.digest(),
        }
    }

    /// Returns the key. Of an id that is cut, it is [`IdKey::Digest`].
    pub(super) fn key(&self, policy: MessageIdPolicy) -> IdKey<'_> {
        match self {
            Self::Whole { length, octets } => {
                IdKey::submitted(policy, octets.get(..usize::from(*length)).unwrap_or_default())
            }
            Self::Packed { alphabet, length, octets } => {
                let (unpacked, length) = unpack(*alphabet, *length, octets);
                IdKey::Key(policy.submitted_key(unpacked.get(..length).unwrap_or_default()))
            }
            Self::Key { length, octets } => {
                let key = octets.get(..usize::from(*length)).and_then(MessageIdKey::from_octets);
                key.map_or(IdKey::Exact(&[]), IdKey::Key)
            }
            Self::Cut { key, .. } | Self::CutKey(key) => IdKey::Digest(u64::from_be_bytes(*key)),
        }
    }

    /// Returns whether it is the empty id, which no receipt can name.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Whole { length, .. } => *length == 0,
            // The key of the empty id is one octet.
            Self::Key { length, octets: [first, ..] } => (*length, *first) == (1, 0),
            _ => false,
        }
    }

    /// Returns the id to report; `None` if it is empty or not known.
    pub(super) fn to_message_id(&self) -> Option<MessageId> {
        let id = match self {
            Self::Whole { length, octets } => MessageId::new(octets.get(..usize::from(*length))?),
            Self::Packed { alphabet, length, octets } => {
                let (unpacked, length) = unpack(*alphabet, *length, octets);
                MessageId::new(unpacked.get(..length)?)
            }
            Self::Cut { octets, length, digest, .. } => {
                MessageId::cut(octets, u32::from_be_bytes(*length), u64::from_be_bytes(*digest))
            }
            Self::Key { .. } | Self::CutKey(_) => return None,
        };
        (!id.as_bytes().is_empty()).then_some(id)
    }
}

/// Returns whether the octets start with an id of at least 8 octets: it compares 8 at once, and the last 8 again.
#[inline(always)]
fn starts_with(octets: &[u8; WHOLE], id: &[u8]) -> bool {
    let (words, _) = id.as_chunks::<8>();
    let (stored, _) = octets.as_chunks::<8>();
    let end = octets.get(..id.len()).and_then(|octets| octets.last_chunk::<8>());
    end == id.last_chunk() && words.iter().zip(stored).all(|(word, stored)| word == stored)
}

/// Returns the length and the octets, followed by zeros; `None` if there are too many.
#[inline]
fn padded(from: &[u8]) -> Option<(u8, [u8; WHOLE])> {
    let mut octets = [0; WHOLE];
    octets.get_mut(..from.len())?.copy_from_slice(from);
    Some((from.len() as u8, octets))
}

/// Stores the numbers of the characters; `None` if no alphabet has all of them, or there are too many.
#[cold]
fn pack(id: &[u8]) -> Option<StoredId> {
    let length = u8::try_from(id.len()).ok().filter(|_| id.len() <= LONGEST)?;
    let mut others = id.iter().copied().filter(|octet| !octet.is_ascii_alphanumeric());
    let first = others.next().unwrap_or(0);
    let second = others.find(|other| *other != first).unwrap_or(first);
    let alphabets =
        [Alphabet::LowerHexadecimal, Alphabet::UpperHexadecimal, Alphabet::Alphanumeric([first, second])];
    alphabets.into_iter().find_map(|alphabet| {
        let (bits, mut octets) = (alphabet.bits(), [0; PACKED]);
        if id.len() * bits > octets.len() * 8 {
            return None;
        }
        for (at, character) in (0..).step_by(bits).zip(id) {
            let number = u16::from(alphabet.number(*character)?);
            let two = (number << (16 - bits - at % 8)).to_be_bytes();
            for (octet, bits) in octets.iter_mut().skip(at / 8).zip(two) {
                *octet |= bits;
            }
        }
        Some(StoredId::Packed { alphabet, length, octets })
    })
}

/// Returns the octets of a packed id, followed by zeros, and how many they are.
fn unpack(alphabet: Alphabet, length: u8, packed: &[u8; PACKED]) -> ([u8; LONGEST], usize) {
    let (mut octets, bits) = ([0; LONGEST], alphabet.bits());
    for (at, octet) in (0..).step_by(bits).zip(octets.iter_mut().take(usize::from(length))) {
        let octet_at = |index: usize| packed.get(index).copied().unwrap_or(0);
        let two = u16::from_be_bytes([octet_at(at / 8), octet_at(at / 8 + 1)]);
        // At most 6 bits.
        let number = (two << (at % 8) >> (16 - bits)) as u8;
        *octet = alphabet.character(number);
    }
    (octets, length.into())
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::provider::ReceiptDialect;

    const POLICIES: [MessageIdPolicy; 4] = [
        MessageIdPolicy::EXACT,
        MessageIdPolicy::IGNORE_CASE,
        MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
        ReceiptDialect::UNSTATED.message_ids,
    ];

    fn id() -> impl Strategy<Value = Vec<u8>> {
        let any = prop::collection::vec(any::<u8>(), 0..80);
        let text = "[0-9a-f]{0,66}|[0-9A-F]{0,66}|[0-9A-Fa-f]{0,66}|[0-9]{0,66}|[A-Za-z0-9_-]{0,66}|[A-Za-z0-9+/=]{0,66}|[A-Za-z0-9.:]{0,66}|[ -~]{0,66}";
        prop_oneof![any, text.prop_map(String::into_bytes)]
    }

    /// All characters are kept of ids of these kinds, and what is not kept is not forgotten: the length and the digest.
    #[test]
    fn which_ids_are_kept_whole() {
        let kept = |id: &str| {
            let stored = StoredId::new(MessageIdPolicy::EXACT, id.as_bytes()).to_message_id().unwrap();
            assert_eq!(stored, MessageId::new(id.as_bytes()));
            assert_eq!(stored.sent_length(), id.len());
            assert!(id.as_bytes().starts_with(stored.as_bytes()));
            stored.as_bytes().len()
        };
        assert_eq!(kept(&"~".repeat(42)), 42);
        assert_eq!(kept(&"0123456789abcdef".repeat(4)), 64, "SHA-256 in hexadecimal");
        assert_eq!(kept(&"0123456789ABCDEF".repeat(4)), 64);
        assert_eq!(kept(&"9".repeat(64)), 64, "a number");
        assert_eq!(kept("bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60@smsc1"), 42);
        assert_eq!(kept("bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60.smsc1-01"), 45);
        assert_eq!(kept("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU="), 22, "three other characters");
        assert_eq!(kept("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"), 43, "SHA-256 in Base64");
        assert_eq!(kept(&"Z.:9".repeat(13)), 52);
        assert_eq!(kept(&"Z".repeat(53)), 22);
        assert_eq!(kept(&"~".repeat(43)), 43, "one other character");
        assert_eq!(kept(&"~!?".repeat(15)), 22);
        assert_eq!(kept(&"9".repeat(65)), 22);
        assert_eq!((size_of::<StoredId>(), size_of::<super::super::node::Node>()), (44, 128));
    }

    proptest! {
        #[test]
        fn a_stored_id_has_the_key_of_its_octets_and_no_other(ids in prop::array::uniform2(id()), policy in 0..4_usize) {
            let policy = POLICIES[policy];
            let [id, other] = &ids;
            let stored = StoredId::new(policy, id);
            let keyed = StoredId::keyed(&policy.submitted_key(id));
            for asked in [id, other] {
                let has = policy.submitted_key(id) == policy.submitted_key(asked);
                for key in [IdKey::submitted(policy, asked), IdKey::Key(policy.submitted_key(asked))] {
                    prop_assert_eq!(stored.has_key(policy, &key), has);
                    prop_assert_eq!(keyed.has_key(policy, &key), has);
                }
                let asked = StoredId::new(policy, asked);
                prop_assert_eq!(stored.has_key(policy, &asked.key(policy)), has);
            }
            prop_assert_eq!(stored.is_empty(), id.is_empty());
            prop_assert_eq!(keyed.is_empty(), id.is_empty());
            prop_assert_eq!(stored.to_message_id(), (!id.is_empty()).then(|| MessageId::new(id)));
        }

        #[test]
        fn the_case_does_not_count_where_it_is_ignored(id in id()) {
            let policy = MessageIdPolicy::IGNORE_CASE;
            let stored = StoredId::new(policy, &id.to_ascii_uppercase());
            prop_assert!(stored.has_key(policy, &IdKey::submitted(policy, &id.to_ascii_lowercase())));
        }
    }
}
