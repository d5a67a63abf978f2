//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4, §5.3).
//!
//! [`Tlvs`] has an accessor for every parameter that SMPP 3.4 or 5.0 names, [`Tlv`] a constructor; both are
//! called what the specification calls the parameter. Others, such as a vendor's, go by [`Tag`] and octets:
//! [`Tlvs::get`], [`Tlv::new`].
//!
//! ```
//! use smpp_core::tlv::{NetworkErrorCode, NetworkErrorType, Tlv, Tlvs};
//! use smpp_core::MessageState;
//!
//! let error = NetworkErrorCode { network: NetworkErrorType::GSM, code: 27 };
//! let list = [
//!     Tlv::receipted_message_id(b"id-1")?,
//!     Tlv::message_state(MessageState::UNDELIVERABLE),
//!     Tlv::network_error_code(error),
//! ];
//! let tlvs = Tlvs::list(&list);
//! assert_eq!(tlvs.receipted_message_id(), Some(&b"id-1"[..]));
//! assert_eq!(tlvs.network_error_code(), Some(error));
//! assert_eq!(
//!     format!("{tlvs:?}"),
//!     "[receipted_message_id: \"id-1\", message_state: UNDELIVERABLE, \
//!      network_error_code: NetworkErrorCode { network: GSM, code: 27 }]"
//! );
//! # Ok::<(), smpp_core::InvalidOctets>(())
//! ```

mod broadcast;
mod numbers;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod typed;
mod values;

use core::fmt;

use crate::wire::{Emit, InvalidOctets, Sink, check_text};

pub use broadcast::{
    BroadcastAreaFormat, BroadcastAreaIdentifier, BroadcastAreaSuccess, BroadcastChannelIndicator,
    BroadcastContent, BroadcastContentType, BroadcastFrequencyInterval, BroadcastFrequencyUnit,
    BroadcastMessageClass, BroadcastNetworkType,
};
pub use numbers::{
    BillingIdentification, CallbackNum, CallbackNumAtag, CallbackNumPresInd, DestAddrNpResolution, DigitMode,
    Subaddress, SubaddressTag,
};
pub use table::Tag;

use typed::{Short, Value};
pub use values::{
    AddrSubunit, AlertOnMessageDelivery, BearerType, CongestionState, DeliveryFailureReason, DisplayTime,
    DpfResult, ItsReplyType, ItsSessionInfo, LanguageIndicator, Load, MoreMessagesToSend,
    MsAvailabilityStatus, MsMsgWaitFacilities, MsValidity, MsValidityBehaviour, MsValidityPeriod,
    MsValidityUnit, NetworkErrorCode, NetworkErrorType, NetworkType, PayloadType, PrivacyIndicator, SetDpf,
    UssdServiceOp,
};

/// One optional parameter: borrowed octets, or a small value held in place.
///
/// Two are equal if they are the same octets on the wire.
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    /// Which parameter it is.
    pub tag: Tag,
    content: Content<'a>,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Octets(&'a [u8]),
    /// Text whose NUL is on the wire alone.
    Text(&'a [u8]),
    Short(Short),
}

impl<'a> Tlv<'a> {
    /// A parameter with these octets. `None` if they are more than a TLV can count (65,535).
    pub const fn new(tag: Tag, value: &'a [u8]) -> Option<Self> {
        if value.len() > 0xFFFF {
            return None;
        }
        Some(Self { tag, content: Content::Octets(value) })
    }

    /// A parameter whose value is one octet.
    pub const fn u8(tag: Tag, value: u8) -> Self {
        Self::short(tag, Short::u8(value))
    }

    /// A parameter whose value is a two-octet integer.
    pub const fn u16(tag: Tag, value: u16) -> Self {
        Self::short(tag, Short::u16(value))
    }

    /// A parameter whose value is a four-octet integer.
    pub const fn u32(tag: Tag, value: u32) -> Self {
        Self::short(tag, Short::u32(value))
    }

    const fn short(tag: Tag, value: Short) -> Self {
        Self { tag, content: Content::Short(value) }
    }

    /// Octets of a length between the two.
    const fn octets(tag: Tag, octets: &'a [u8], least: usize, most: usize) -> Result<Self, InvalidOctets> {
        let length = octets.len();
        if length < least {
            return Err(InvalidOctets::TooShort { length, least });
        }
        if length > most {
            return Err(InvalidOctets::TooLong { length, limit: most });
        }
        Ok(Self { tag, content: Content::Octets(octets) })
    }

    /// Text without NUL of a length between the two.
    pub(crate) const fn text(
        tag: Tag,
        text: &'a [u8],
        least: usize,
        most: usize,
    ) -> Result<Self, InvalidOctets> {
        match (check_text(text, most), Self::octets(tag, text, least, most)) {
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(()), Ok(_)) => Ok(Self { tag, content: Content::Text(text) }),
        }
    }

    /// The value's octets. The NUL of a text is among them if the peer sent it: a text given to a constructor,
    /// such as [`receipted_message_id`](Self::receipted_message_id), is told without.
    pub fn value(&self) -> &[u8] {
        match &self.content {
            Content::Octets(octets) | Content::Text(octets) => octets,
            Content::Short(short) => short.as_bytes(),
        }
    }

    /// What follows the value on the wire and is counted with it.
    #[inline]
    fn terminator(&self) -> &'static [u8] {
        if let Content::Text(_) = self.content { &[0] } else { &[] }
    }

    /// One that was read.
    const fn read(tag: Tag, value: &'a [u8]) -> Self {
        Self { tag, content: Content::Octets(value) }
    }
}

/// The first TLV, `tag length value`, and what follows it.
#[inline(always)]
fn split(input: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let (header, rest) = input.split_first_chunk()?;
    let header = u32::from_be_bytes(*header);
    let (value, rest) = rest.split_at_checked((header & 0xFFFF) as usize)?;
    Some((Tag((header >> 16) as u16), value, rest))
}

impl PartialEq for Tlv<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |text: &Self, wire: &Self| wire.value().strip_suffix(text.terminator()) == Some(text.value());
        self.tag == other.tag
            && match (self.content, other.content) {
                (Content::Text(_), Content::Text(_)) => self.value() == other.value(),
                (Content::Text(_), _) => same(self, other),
                _ => same(other, self),
            }
    }
}

impl Eq for Tlv<'_> {}

/// `message_state: DELIVERED`, `receipted_message_id: "abc"`, `0x1501: "\x01"`: the typed value of a known
/// parameter, the octets of others.
impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag.name() {
            Some(name) => write!(f, "{name}: ")?,
            None => write!(f, "{:#06x}: ", self.tag.0)?,
        }
        Shown(*self).fmt(f)
    }
}

/// The value of a parameter as what its tag says it is.
struct Shown<'a>(Tlv<'a>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tlv) = self;
        if let Some(shown) = table::show(tlv.tag, &Tlvs::list(core::slice::from_ref(tlv)), f) {
            return shown;
        }
        tlv.value().show(f)?;
        if tlv.tag.name().is_some() {
            f.write_str(" (wrong length)")?;
        }
        Ok(())
    }
}

/// The optional parameters of a PDU: what the peer sent, octet for octet, or a list of one's own.
///
/// Order, duplicates, unknown and vendor tags are kept. An accessor gives the first parameter with its tag,
/// and `None` if the length of that is wrong; [`all`](Self::all) gives each.
///
/// ```
/// use smpp_core::{Tag, Tlv, Tlvs};
/// let list = [Tlv::user_message_reference(7), Tlv::new(Tag(0x1401), b"mine").unwrap()];
/// let tlvs = Tlvs::list(&list);
/// assert_eq!(tlvs.user_message_reference(), Some(7));
/// assert_eq!(tlvs.get(Tag(0x1401)), Some(&b"mine"[..]));
/// ```
#[derive(Clone, Copy)]
pub struct Tlvs<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Wire(&'a [u8]),
    List(&'a [Tlv<'a>]),
}

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const EMPTY: Self = Self(Source::Wire(&[]));

    /// These parameters, to be sent in this order.
    pub const fn list(list: &'a [Tlv<'a>]) -> Self {
        Self(Source::List(list))
    }

    /// These octets, which are parameters written before.
    pub(crate) const fn wire(octets: &'a [u8]) -> Self {
        Self(Source::Wire(octets))
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Source::Wire(octets) => octets.is_empty(),
            Source::List(list) => list.is_empty(),
        }
    }

    /// Each parameter, in wire order.
    pub const fn iter(&self) -> TlvIter<'a> {
        TlvIter(self.0)
    }

    /// The octets of the first parameter with this tag, as [`Tlv::value`] tells them.
    pub fn get(&self, tag: Tag) -> Option<&'a [u8]> {
        self.octets_of(tag).next()
    }

    /// The values of all parameters with this tag, in wire order: `None` for one of a wrong length.
    ///
    /// ```
    /// use smpp_core::tlv::{CongestionState, Tag, Tlv, Tlvs};
    /// let list = [80, 99].map(|load| Tlv::congestion_state(CongestionState(load)));
    /// let loads = Tlvs::list(&list).all::<CongestionState>(Tag::CONGESTION_STATE);
    /// assert!(loads.eq([Some(CongestionState(80)), Some(CongestionState(99))]));
    /// ```
    pub fn all<T: Value<'a>>(&self, tag: Tag) -> impl Iterator<Item = Option<T>> + use<'a, T> {
        self.octets_of(tag).map(move |octets| table::content(tag, octets).and_then(T::read))
    }

    fn octets_of(&self, tag: Tag) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut source = self.0;
        let each = core::iter::from_fn(move || source.next());
        each.filter_map(move |(found, octets)| (found == tag).then_some(octets))
    }
}

impl<'a> Source<'a> {
    /// The tag and the octets of the next parameter.
    #[inline]
    fn next(&mut self) -> Option<(Tag, &'a [u8])> {
        match self {
            Source::Wire(octets) => {
                let (tag, value, rest) = split(octets)?;
                *octets = rest;
                Some((tag, value))
            }
            Source::List(list) => {
                let (tlv, rest) = list.split_first()?;
                *list = rest;
                Some((tlv.tag, tlv.value()))
            }
        }
    }
}

impl Default for Tlvs<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Tlvs<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Source::Wire(mine), Source::Wire(theirs)) => mine == theirs,
            _ => self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Tlvs<'_> {}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = TlvIter<'a>;

    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = TlvIter<'a>;

    fn into_iter(self) -> TlvIter<'a> {
        self.iter()
    }
}

/// Iterates over the parameters of a [`Tlvs`].
#[derive(Clone, Debug)]
pub struct TlvIter<'a>(Source<'a>);

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Tlvs(*self).fmt(f)
    }
}

impl<'a> Iterator for TlvIter<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        match &mut self.0 {
            Source::Wire(octets) => {
                let (tag, value, rest) = split(octets)?;
                *octets = rest;
                Some(Tlv::read(tag, value))
            }
            Source::List(list) => {
                let (tlv, rest) = list.split_first()?;
                *list = rest;
                Some(*tlv)
            }
        }
    }
}

impl Emit for Tlvs<'_> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        // Most PDUs have none: they are not to pay for the others.
        if !self.is_empty() && out.takes_tlvs() {
            self.emit_all(out);
        }
    }
}

impl Tlvs<'_> {
    #[inline(never)]
    fn emit_all<S: Sink>(&self, out: &mut S) {
        if let Source::Wire(octets) = self.0 {
            return out.put(octets);
        }
        for tlv in self {
            let (value, terminator) = (tlv.value(), tlv.terminator());
            out.put(&tlv.tag.0.to_be_bytes());
            // At most 65,535 octets: whatever makes a `Tlv` checks it.
            out.put(&((value.len() + terminator.len()) as u16).to_be_bytes());
            out.put(value);
            out.put(terminator);
        }
    }
}
