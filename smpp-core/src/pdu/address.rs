//! Addresses: type of number, numbering plan, digits (SMPP 3.4 §5.2.5 to §5.2.9).

use crate::wire::{
    COctets, Emit, Found, InvalidOctets, Name, Octet, Parse, Parsed, Reader, Run, Sink, Watch, octet_field,
    open_enum,
};

open_enum! {
    /// Type of number (SMPP 3.4 §5.2.5).
    pub struct Ton(u8) {
        /// Not known.
        UNKNOWN = 0,
        /// An international number, without `+` or `00`.
        INTERNATIONAL = 1,
        /// A national number.
        NATIONAL = 2,
        /// A number of the network's own.
        NETWORK_SPECIFIC = 3,
        /// A subscriber number.
        SUBSCRIBER = 4,
        /// Text: at most 11 characters on GSM.
        ALPHANUMERIC = 5,
        /// A short code.
        ABBREVIATED = 6,
    }
}

open_enum! {
    /// Numbering plan indicator (SMPP 3.4 §5.2.6).
    pub struct Npi(u8) {
        /// Not known.
        UNKNOWN = 0,
        /// E.163 and E.164: telephone numbers.
        ISDN = 1,
        /// X.121.
        DATA = 3,
        /// F.69.
        TELEX = 4,
        /// E.212.
        LAND_MOBILE = 6,
        /// A national plan.
        NATIONAL = 8,
        /// A private plan.
        PRIVATE = 9,
        /// ERMES paging.
        ERMES = 10,
        /// An IP address.
        INTERNET = 14,
        /// A WAP client id.
        WAP_CLIENT_ID = 18,
    }
}

octet_field! {
    Ton = Ton, |ton: Ton| ton.0;
    Npi = Npi, |npi: Npi| npi.0;
}

/// An address of a subscriber or an ESME, at most `MAX` octets with its NUL: 21 in most PDUs.
///
/// ```
/// use smpp_core::{Address, Npi, Ton};
/// let to = Address::international("+6591234567")?;
/// assert_eq!((to.ton, to.npi, to.digits.to_str()), (Ton::INTERNATIONAL, Npi::ISDN, Some("6591234567")));
/// let from = Address::alphanumeric("8x8")?;
/// assert_eq!(from.ton, Ton::ALPHANUMERIC);
/// assert!(Address::international("65 9123 4567").is_err());
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Address<'a, const MAX: usize = 21> {
    /// Type of number.
    pub ton: Ton,
    /// Numbering plan.
    pub npi: Npi,
    /// The digits, or the text of an alphanumeric address. May be empty: the SMSC then supplies it.
    pub digits: COctets<'a, MAX>,
}

impl<'a> Address<'a> {
    /// The longest alphanumeric address that GSM carries, in characters (3GPP TS 23.040 §9.1.2.5).
    pub const ALPHANUMERIC_LIMIT: usize = 11;

    /// A number with its country code; a leading `+` is dropped, as SMPP wants it.
    pub fn international(number: &'a str) -> Result<Self, InvalidOctets> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let dropped = number.len() - digits.len();
        match digits.bytes().position(|octet| !octet.is_ascii_digit()) {
            Some(at) => Err(InvalidOctets::Character { at: at + dropped }),
            None if digits.is_empty() => Err(InvalidOctets::Empty),
            None => Ok(Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: digits.try_into()? }),
        }
    }

    /// A sender's name: 1 to 11 characters of printable ASCII.
    pub fn alphanumeric(name: &'a str) -> Result<Self, InvalidOctets> {
        if name.is_empty() {
            return Err(InvalidOctets::Empty);
        }
        if name.len() > Self::ALPHANUMERIC_LIMIT {
            return Err(InvalidOctets::TooLong { length: name.len(), limit: Self::ALPHANUMERIC_LIMIT });
        }
        if let Some(at) = name.bytes().position(|octet| octet != b' ' && !octet.is_ascii_graphic()) {
            return Err(InvalidOctets::Character { at });
        }
        Ok(Self { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: name.try_into()? })
    }

    /// A sender as people write it: `+6591234567` or seven digits and more are an international number,
    /// fewer digits a short code, anything else a name.
    pub fn sender(text: &'a str) -> Result<Self, InvalidOctets> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return Self::alphanumeric(text);
        }
        if digits.len() >= 7 || text.len() > digits.len() {
            return Self::international(text);
        }
        Ok(Self { ton: Ton::ABBREVIATED, npi: Npi::UNKNOWN, digits: digits.try_into()? })
    }
}

/// The two sizes of addresses: what fits 20 characters fits 64.
impl<'a> From<Address<'a>> for Address<'a, 65> {
    fn from(address: Address<'a>) -> Self {
        Self { ton: address.ton, npi: address.npi, digits: address.digits.into() }
    }
}

impl<const MAX: usize> Emit for Address<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_behind(Run::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        let run = run.octet(self.ton.0, out).octet(self.npi.0, out);
        self.digits.emit_behind(run, out)
    }
}

impl<'a, const MAX: usize> Parse<'a> for Address<'a, MAX> {
    type Found = (Octet<'a>, Octet<'a>, COctets<'a, MAX>);

    /// `ton npi digits`
    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self::Found> {
        let (input, ton) = Ton::find(reader, name, input)?;
        let (input, npi) = Npi::find(reader, name.part(1), input)?;
        let (input, digits) = COctets::find(reader, name.part(2), input)?;
        Ok((input, (ton, npi, digits)))
    }
}

impl<'a, const MAX: usize> Found<Address<'a, MAX>> for (Octet<'a>, Octet<'a>, COctets<'a, MAX>) {
    #[inline(always)]
    fn take(self) -> Address<'a, MAX> {
        let (ton, npi, digits) = self;
        Address { ton: ton.take(), npi: npi.take(), digits }
    }
}
