//! Addresses: type of number (TON), numbering plan indicator (NPI), digits (SMPP 3.4 §5.2.5 to §5.2.9).

use crate::wire::{
    COctets, Emit, FieldName, FieldVisitor, IntoField, InvalidOctets, OctetRef, Parse, Parsed, PendingOctets,
    Reader, Sink, octet_field, open_enum,
};

open_enum! {
    /// Type of number, TON (SMPP 3.4 §5.2.5).
    pub struct Ton(u8) {
        /// Unknown.
        UNKNOWN = 0,
        /// An international number, without `+` or `00`.
        INTERNATIONAL = 1,
        /// A national number.
        NATIONAL = 2,
        /// A network-specific number.
        NETWORK_SPECIFIC = 3,
        /// A subscriber number.
        SUBSCRIBER = 4,
        /// An alphanumeric name: at most 11 characters on GSM.
        ALPHANUMERIC = 5,
        /// A short code.
        ABBREVIATED = 6,
    }
}

open_enum! {
    /// Numbering plan indicator, NPI (SMPP 3.4 §5.2.6).
    pub struct Npi(u8) {
        /// Unknown.
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

/// The address of a subscriber or an ESME. `MAX` is the maximum length of `digits` in octets, including the NUL: 21 in
/// most PDUs.
///
/// ```
/// use smpp_proto::{Address, Npi, Ton};
/// let to = Address::international("+6591234567")?;
/// assert_eq!((to.ton, to.npi, to.digits.to_str()), (Ton::INTERNATIONAL, Npi::ISDN, Some("6591234567")));
/// let from = Address::alphanumeric("8x8")?;
/// assert_eq!(from.ton, Ton::ALPHANUMERIC);
/// assert!(Address::international("65 9123 4567").is_err());
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Address<'a, const MAX: usize = 21> {
    /// Type of number (TON).
    pub ton: Ton,
    /// Numbering plan indicator (NPI).
    pub npi: Npi,
    /// The digits, or the text of an alphanumeric address. May be empty: the SMSC then inserts a default.
    pub digits: COctets<'a, MAX>,
}

impl<'a> Address<'a> {
    /// The maximum length of an alphanumeric address on GSM, in characters (3GPP TS 23.040 §9.1.2.5).
    pub const ALPHANUMERIC_LIMIT: usize = 11;

    /// Returns the address of an international number: country code and digits. A leading `+` is removed, since SMPP
    /// does not use it.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets`] unless the rest is 1 to 20 digits.
    pub fn international(number: &'a str) -> Result<Self, InvalidOctets> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let dropped = number.len() - digits.len();
        match digits.bytes().position(|octet| !octet.is_ascii_digit()) {
            Some(at) => Err(InvalidOctets::Character { at: at + dropped }),
            None if digits.is_empty() => Err(InvalidOctets::Empty),
            None => Ok(Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: digits.try_into()? }),
        }
    }

    /// Returns an alphanumeric sender address: 1 to 11 characters of printable ASCII.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets`] for any other text.
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

    /// Returns the sender address for a text, with the type by its form: `+` and digits, or seven digits and more,
    /// are an international number, fewer digits are a short code, any other text is an alphanumeric name.
    ///
    /// # Errors
    ///
    /// As for [`international`](Self::international) and [`alphanumeric`](Self::alphanumeric).
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

/// Every address of at most 20 characters also fits a field of 64.
impl<'a> From<Address<'a>> for Address<'a, 65> {
    fn from(address: Address<'a>) -> Self {
        Self { ton: address.ton, npi: address.npi, digits: address.digits.into() }
    }
}

impl<const MAX: usize> Emit for Address<'_, MAX> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        self.emit_after(PendingOctets::default(), out).flush(out);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        let pending = pending.octet(self.ton.0, out).octet(self.npi.0, out);
        self.digits.emit_after(pending, out)
    }
}

impl<'a, const MAX: usize> Parse<'a> for Address<'a, MAX> {
    type Located = (OctetRef<'a>, OctetRef<'a>, COctets<'a, MAX>);

    /// `ton npi digits`
    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self::Located> {
        let (input, ton) = Ton::locate(reader, name, input)?;
        let (input, npi) = Npi::locate(reader, name.part(1), input)?;
        let (input, digits) = COctets::locate(reader, name.part(2), input)?;
        Ok((input, (ton, npi, digits)))
    }
}

impl<'a, const MAX: usize> IntoField<Address<'a, MAX>> for (OctetRef<'a>, OctetRef<'a>, COctets<'a, MAX>) {
    #[inline(always)]
    fn into_field(self) -> Address<'a, MAX> {
        let (ton, npi, digits) = self;
        Address { ton: ton.into_field(), npi: npi.into_field(), digits }
    }
}
