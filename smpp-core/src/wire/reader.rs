//! What travels along while one PDU is read.

use core::fmt::Debug;

use nom::Parser;
use nom::number::complete::be_u32;

use super::{DecodeError, DecodeErrorKind, Fault, Name, Parsed, Quirks, Stop, Tolerance};
use crate::frame::{HEADER_LENGTH, Header};
use crate::tlv::Tlvs;

/// How a field, or a sequence of fields, is read.
///
/// The fields of a PDU are found one after the other, and taken when all were found. Until then a few pointers are
/// all that is kept, and the octets are copied once, neighbours together.
pub(crate) trait Parse<'a>: Sized {
    /// The field where it stands.
    type Found: Found<Self>;

    /// Finds the field at the start of `input`; `name` is what an error calls it.
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self::Found>;

    /// Finds it and takes it.
    #[inline(always)]
    fn parse<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, found) = Self::find(reader, name, input)?;
        Ok((rest, found.take()))
    }
}

/// A field that was found.
pub(crate) trait Found<T> {
    /// The field.
    fn take(self) -> T;
}

/// What is a pointer by itself.
impl<T> Found<T> for T {
    #[inline(always)]
    fn take(self) -> T {
        self
    }
}

/// One octet where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Octet<'a>(pub(crate) &'a u8);

impl<T: From<u8>> Found<T> for Octet<'_> {
    #[inline(always)]
    fn take(self) -> T {
        T::from(*self.0)
    }
}

/// A body that is TLVs alone, as some error responses have it.
pub(crate) trait OfTlvs<'a> {
    /// These TLVs; every other field has its default.
    fn of_tlvs(tlvs: Tlvs<'a>) -> Self;
}

/// Is shown each field that was read: between `before` and `after`, which both end where the PDU does.
pub(crate) trait Watch {
    /// Whether anyone does watch.
    const WATCHES: bool = true;
    /// Whether the reading ends at the first deviation, tolerated or not, and nothing is noted.
    const HASTY: bool = false;

    fn field(&mut self, name: &'static str, value: &dyn Debug, before: &[u8], after: &[u8]);
}

/// Nobody watches: it costs nothing.
impl Watch for () {
    const WATCHES: bool = false;

    #[inline(always)]
    fn field(&mut self, _: &'static str, _: &dyn Debug, _: &[u8], _: &[u8]) {}
}

/// Nobody watches, and nothing is kept but the fields: they stay in registers. Whoever is stopped, by whatever it was,
/// reads the PDU again with patience.
#[derive(Debug)]
pub(crate) struct Hasty;

impl Watch for Hasty {
    const WATCHES: bool = false;
    const HASTY: bool = true;

    #[inline(always)]
    fn field(&mut self, _: &'static str, _: &dyn Debug, _: &[u8], _: &[u8]) {}
}

/// One PDU, and what was found in it so far.
#[derive(Debug)]
pub(crate) struct Reader<'p, W = ()> {
    pdu: &'p [u8],
    pub(crate) quirks: Quirks,
    /// `short_message` was read, and is not empty.
    pub(crate) has_text: bool,
    pub(crate) watch: W,
    tolerance: Tolerance,
    fault: Option<Fault>,
}

impl<'p, W> Reader<'p, W> {
    /// A reader of the PDU, and the body that it is to read.
    #[inline]
    pub(crate) fn new(pdu: &'p [u8], tolerance: Tolerance, watch: W) -> (Self, &'p [u8]) {
        let reader = Self { pdu, quirks: Quirks::empty(), has_text: false, watch, tolerance, fault: None };
        (reader, pdu.get(HEADER_LENGTH..).unwrap_or_default())
    }

    /// The PDU's header. It is not kept: what is read again from the octets need not be stored.
    #[inline]
    pub(crate) fn header(&self) -> Header {
        Header::of(self.pdu)
    }

    /// What stopped the reading, and where in the PDU.
    #[cold]
    pub(crate) fn error(&self) -> DecodeError {
        let end = Fault { field: "body", left: 0, kind: DecodeErrorKind::Truncated };
        self.fault.unwrap_or(end).locate(self.header().command, self.pdu.len())
    }

    /// Notes where in the PDU the reading stops.
    #[cold]
    #[inline(never)]
    fn note(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Notes `quirk` if it is tolerated; says whether it is.
    #[cold]
    #[inline(never)]
    fn note_if_tolerated(&mut self, quirk: Quirks) -> bool {
        let tolerated = self.tolerance.0.contains(quirk);
        self.quirks.set(quirk, tolerated || self.quirks.contains(quirk));
        tolerated
    }
}

impl<W: Watch> Reader<'_, W> {
    /// Stops the reading at `input`, the rest of the PDU.
    #[inline(always)]
    pub(crate) fn stop(
        &mut self,
        field: &'static str,
        input: &[u8],
        kind: DecodeErrorKind,
    ) -> nom::Err<Stop> {
        if !W::HASTY {
            self.note(Fault { field, left: input.len(), kind });
        }
        nom::Err::Error(Stop)
    }

    /// Notes `quirk` if it is tolerated; says whether it is.
    #[inline(always)]
    pub(crate) fn tolerates(&mut self, quirk: Quirks) -> bool {
        !W::HASTY && self.note_if_tolerated(quirk)
    }

    /// Notes `quirk` if it is tolerated; stops the reading if not.
    #[inline(always)]
    pub(crate) fn deviation(
        &mut self,
        quirk: Quirks,
        field: &'static str,
        input: &[u8],
        kind: DecodeErrorKind,
    ) -> Result<(), nom::Err<Stop>> {
        if self.tolerates(quirk) { Ok(()) } else { Err(self.stop(field, input, kind)) }
    }

    /// As [`deviation`](Self::deviation), for a field of the header.
    #[inline(always)]
    pub(crate) fn header_deviation(
        &mut self,
        quirk: Quirks,
        field: &'static str,
        offset: usize,
        kind: DecodeErrorKind,
    ) -> Result<(), nom::Err<Stop>> {
        if self.tolerates(quirk) {
            return Ok(());
        }
        Err(self.stop(field, self.pdu.get(offset..).unwrap_or_default(), kind))
    }
}

/// One octet.
#[inline(always)]
pub(crate) fn octet<'a, W: Watch>(
    reader: &mut Reader<'_, W>,
    name: Name,
    input: &'a [u8],
) -> Parsed<'a, &'a u8> {
    match input {
        [octet, rest @ ..] => Ok((rest, octet)),
        [] => Err(reader.stop(name.get(), input, DecodeErrorKind::Truncated)),
    }
}

/// Four octets, the most significant first.
#[inline(always)]
pub(crate) fn word<'a, W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, u32> {
    match be_u32::<_, Stop>.parse(input) {
        Ok(read) => Ok(read),
        Err(_) => Err(reader.stop(name.get(), input, DecodeErrorKind::Truncated)),
    }
}

impl<'a> Parse<'a> for u8 {
    type Found = Octet<'a>;

    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Octet<'a>> {
        let (rest, octet) = octet(reader, name, input)?;
        reader.watch.field(name.get(), octet, input, rest);
        Ok((rest, Octet(octet)))
    }
}
