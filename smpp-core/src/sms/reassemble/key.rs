//! The key of a concatenated message.

use alloc::boxed::Box;
use core::cmp::Ordering;

use crate::pdu::{Address, Npi, Ton};
use crate::sms::udh::ConcatRef;
use crate::sms::user_data::{MessageReference, SegmentInfo};
use crate::wire::COctets;

/// The most octets of a key that needs no allocation: that of two addresses of 14 characters.
const INLINE: usize = 38;

/// The most octets of a key: that of two addresses of 64 characters.
const MAX_OCTETS: usize = 2 * (3 + 64) + TAIL;

/// The octets after the addresses.
const TAIL: usize = 4;

/// What identifies a concatenated message (3GPP TS 23.040 §9.2.3.24.1).
///
/// The octets are those of the source and of the destination (TON, NPI, length, characters), the kind of the reference, the
/// reference and the total number of segments.
#[derive(Clone)]
pub(super) enum MessageKey {
    Inline { length: u8, octets: [u8; INLINE] },
    Long(Box<[u8]>),
}

/// Writes the octets of a key.
struct Writer {
    octets: [u8; MAX_OCTETS],
    length: usize,
}

impl Writer {
    fn put(&mut self, octets: &[u8]) {
        if let Some(to) = self.octets.get_mut(self.length..self.length + octets.len()) {
            to.copy_from_slice(octets);
            self.length += octets.len();
        }
    }

    fn address<const N: usize>(&mut self, address: Address<'_, N>) {
        let characters = address.digits.as_bytes();
        let characters = characters.get(..64).unwrap_or(characters);
        self.put(&[address.ton.0, address.npi.0, characters.len() as u8]);
        self.put(characters);
    }
}

impl MessageKey {
    pub(super) fn new<const N: usize, const M: usize>(
        source: Address<'_, N>,
        destination: Address<'_, M>,
        segment: SegmentInfo,
    ) -> Self {
        let mut writer = Writer { octets: [0; MAX_OCTETS], length: 0 };
        writer.address(source);
        writer.address(destination);
        let (kind, reference) = match segment.reference {
            MessageReference::Udh(ConcatRef::Narrow(reference)) => (0, reference.into()),
            MessageReference::Udh(ConcatRef::Wide(reference)) => (1, reference),
            MessageReference::Sar(reference) => (2, reference),
        };
        let [high, low] = u16::to_be_bytes(reference);
        writer.put(&[kind, high, low, segment.total]);
        match (writer.octets.first_chunk(), u8::try_from(writer.length)) {
            (Some(octets), Ok(length)) if writer.length <= INLINE => Self::Inline { length, octets: *octets },
            _ => Self::Long(writer.octets.get(..writer.length).unwrap_or_default().into()),
        }
    }

    /// Returns all octets.
    pub(super) fn octets(&self) -> &[u8] {
        match self {
            Self::Inline { length, octets } => octets.get(..usize::from(*length)).unwrap_or(octets),
            Self::Long(octets) => octets,
        }
    }

    /// Returns the octets of the source, and those of the destination.
    fn addresses(&self) -> (&[u8], &[u8]) {
        let octets = self.octets();
        let source = 3 + octets.get(2).map_or(0, |length| usize::from(*length));
        let addresses = octets.get(..octets.len().saturating_sub(TAIL)).unwrap_or_default();
        addresses.split_at_checked(source).unwrap_or_default()
    }

    /// Returns the octets of the source.
    pub(super) fn sender(&self) -> &[u8] {
        self.addresses().0
    }

    pub(super) fn source(&self) -> Address<'_, 65> {
        address(self.addresses().0)
    }

    pub(super) fn destination(&self) -> Address<'_, 65> {
        address(self.addresses().1)
    }

    pub(super) fn reference(&self) -> MessageReference {
        match self.octets().last_chunk() {
            Some([0, _, low, _]) => MessageReference::Udh(ConcatRef::Narrow(*low)),
            Some([1, high, low, _]) => {
                MessageReference::Udh(ConcatRef::Wide(u16::from_be_bytes([*high, *low])))
            }
            Some([_, high, low, _]) => MessageReference::Sar(u16::from_be_bytes([*high, *low])),
            // A key has at least these octets.
            None => MessageReference::Sar(0),
        }
    }

    /// Returns the number of segments of the message.
    pub(super) fn total(&self) -> u8 {
        self.octets().last().copied().unwrap_or_default()
    }

    /// Returns the octets that the key takes besides itself.
    pub(super) fn heap_octets(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Long(octets) => octets.len(),
        }
    }
}

fn address(octets: &[u8]) -> Address<'_, 65> {
    match octets {
        [ton, npi, _, characters @ ..] => {
            Address { ton: Ton(*ton), npi: Npi(*npi), digits: COctets::from_valid(characters) }
        }
        // A key has both addresses.
        _ => Address::default(),
    }
}

impl PartialEq for MessageKey {
    fn eq(&self, other: &Self) -> bool {
        self.octets() == other.octets()
    }
}

impl Eq for MessageKey {}

impl PartialOrd for MessageKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MessageKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.octets().cmp(other.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digits: &str, reference: MessageReference) -> MessageKey {
        let digits = COctets::new(digits.as_bytes()).unwrap();
        let source = Address::<65> { digits, ..Address::default() };
        let destination = Address::<21>::international("6580001").unwrap();
        MessageKey::new(source, destination, SegmentInfo { reference, number: 1, total: 3 })
    }

    #[test]
    fn a_key_has_the_kind_of_its_reference() {
        for reference in [
            MessageReference::Udh(ConcatRef::Narrow(7)),
            MessageReference::Udh(ConcatRef::Wide(0x0107)),
            MessageReference::Sar(0x0107),
        ] {
            assert_eq!(key("6591234567", reference).reference(), reference);
        }
    }

    #[test]
    fn keys_have_one_order() {
        let (low, high) =
            (key("6591234567", MessageReference::Sar(1)), key("6591234567", MessageReference::Sar(2)));
        assert_eq!(low.partial_cmp(&high), Some(Ordering::Less));
        assert_eq!(high.partial_cmp(&low), Some(Ordering::Greater));
        assert_eq!(low.partial_cmp(&low.clone()), Some(Ordering::Equal));
    }

    #[test]
    fn keys_of_up_to_38_octets_need_no_memory_of_their_own() {
        // The digits of the source, beside 7 of the destination and 10 other octets.
        for (digits, octets) in [(20, 0), (21, 0), (22, 39)] {
            let key = key(&"1234567890123456789012"[..digits], MessageReference::Sar(1));
            assert_eq!((key.octets().len(), key.heap_octets()), (digits + 17, octets));
        }
    }
}
