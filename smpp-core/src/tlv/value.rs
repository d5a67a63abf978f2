//! Values of fixed size.

use crate::pdu::CommandStatus;

/// What the value of a TLV is read as.
pub trait Value<'a>: Sized {
    /// The value in these octets. `None`: their number is not the type's.
    fn read(octets: &'a [u8]) -> Option<Self>;
}

/// A value of at most four octets, which a [`Tlv`](super::Tlv) holds in place.
pub(super) trait Inline {
    fn inline(self) -> Octets;
}

/// The last `length` octets of `octets`.
#[derive(Clone, Copy)]
pub(super) struct Octets {
    pub(super) octets: [u8; 4],
    pub(super) length: u8,
}

impl Octets {
    pub(super) const fn new(number: u32, length: u8) -> Self {
        Self { octets: number.to_be_bytes(), length }
    }

    pub(super) fn get(&self) -> &[u8] {
        self.octets.get(self.octets.len().saturating_sub(usize::from(self.length))..).unwrap_or_default()
    }
}

impl Value<'_> for u8 {
    fn read(octets: &[u8]) -> Option<Self> {
        if let [octet] = octets { Some(*octet) } else { None }
    }
}

impl Value<'_> for u16 {
    fn read(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Value<'_> for u32 {
    fn read(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Value<'_> for CommandStatus {
    fn read(octets: &[u8]) -> Option<Self> {
        u32::read(octets).map(Self)
    }
}

impl Inline for u8 {
    fn inline(self) -> Octets {
        Octets::new(self.into(), 1)
    }
}

impl Inline for u16 {
    fn inline(self) -> Octets {
        Octets::new(self.into(), 2)
    }
}

impl Inline for u32 {
    fn inline(self) -> Octets {
        Octets::new(self, 4)
    }
}

impl Inline for CommandStatus {
    fn inline(self) -> Octets {
        self.0.inline()
    }
}
