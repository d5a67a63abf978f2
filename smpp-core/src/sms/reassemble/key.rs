//! The key of a concatenated message.

use alloc::boxed::Box;

use crate::pdu::{Address, Npi, Ton};
use crate::sms::user_data::{MessageReference, SegmentInfo};
use crate::wire::COctets;

/// What identifies a concatenated message (3GPP TS 23.040 §9.2.3.24.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MessageKey {
    pub(super) source: OwnedAddress,
    pub(super) destination: OwnedAddress,
    pub(super) reference: MessageReference,
    pub(super) total: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnedAddress {
    ton: Ton,
    npi: Npi,
    digits: Box<[u8]>,
}

impl MessageKey {
    pub(super) fn new<const N: usize, const M: usize>(
        source: Address<'_, N>,
        destination: Address<'_, M>,
        segment: SegmentInfo,
    ) -> Self {
        let SegmentInfo { reference, total, .. } = segment;
        Self {
            source: OwnedAddress::new(source),
            destination: OwnedAddress::new(destination),
            reference,
            total,
        }
    }

    /// Returns the octets that the key takes besides itself.
    pub(super) fn heap_octets(&self) -> usize {
        self.source.heap_octets() + self.destination.heap_octets()
    }
}

impl OwnedAddress {
    pub(super) fn new<const N: usize>(address: Address<'_, N>) -> Self {
        Self { ton: address.ton, npi: address.npi, digits: address.digits.as_bytes().into() }
    }

    /// Returns the octets that the address takes besides itself.
    pub(super) fn heap_octets(&self) -> usize {
        self.digits.len()
    }

    pub(super) fn as_address(&self) -> Address<'_, 65> {
        Address { ton: self.ton, npi: self.npi, digits: COctets::from_valid(&self.digits) }
    }
}
