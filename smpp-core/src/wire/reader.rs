//! The state that parsers share while one PDU is read.

use core::fmt::Debug;

use nom::Parser;
use nom::number::complete::be_u32;

use super::error::{DecodeError, DecodeErrorKind, Fault, ParseFailed, Parsed};
use super::name::FieldName;
use super::quirks::{Quirks, Tolerance};
use crate::header::{HEADER_LENGTH, Header};

/// How to read a field, or a sequence of fields.
///
/// A PDU is read in two steps: first each field is located, then all fields are copied into the struct. Between the
/// steps only a few pointers are kept, and neighbouring octets are copied together.
pub(crate) trait Parse<'a>: Sized {
    /// The field inside the input, not copied yet.
    type Located: IntoField<Self>;

    /// Locates the field at the start of `input`. Errors and visitors use `name`.
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self::Located>;

    /// Locates and copies the field at the start of `input`.
    #[inline(always)]
    fn parse<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (rest, located) = Self::locate(reader, name, input)?;
        Ok((rest, located.into_field()))
    }
}

/// A located field.
pub(crate) trait IntoField<T> {
    /// Copies the field out of the input.
    fn into_field(self) -> T;
}

/// A field that is only a pointer into the input needs no copy.
impl<T> IntoField<T> for T {
    #[inline(always)]
    fn into_field(self) -> T {
        self
    }
}

/// A located field of one octet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OctetRef<'a>(pub(crate) &'a u8);

impl<T: From<u8>> IntoField<T> for OctetRef<'_> {
    #[inline(always)]
    fn into_field(self) -> T {
        T::from(*self.0)
    }
}

/// Receives each field that is read.
pub(crate) trait FieldVisitor {
    /// Whether `visit` does anything.
    const VISITS: bool = true;
    /// Whether reading stops at the first deviation, tolerated or not, and records nothing.
    const FAST_PATH: bool = false;

    /// Receives one field: the octets between the slices `before` and `after`, which both end where the PDU ends.
    fn visit(&mut self, name: &'static str, value: &dyn Debug, before: &[u8], after: &[u8]);
}

/// The slow path without a visitor.
impl FieldVisitor for () {
    const VISITS: bool = false;

    #[inline(always)]
    fn visit(&mut self, _: &'static str, _: &dyn Debug, _: &[u8], _: &[u8]) {}
}

/// The fast path: it has no visitor and records neither quirks nor errors, so that the fields stay in registers.
/// After a failure the caller reads the PDU again on the slow path.
#[derive(Debug)]
pub(crate) struct FastPath;

impl FieldVisitor for FastPath {
    const VISITS: bool = false;
    const FAST_PATH: bool = true;

    #[inline(always)]
    fn visit(&mut self, _: &'static str, _: &dyn Debug, _: &[u8], _: &[u8]) {}
}

/// The PDU that is being read, and the findings so far.
#[derive(Debug)]
pub(crate) struct Reader<'p, V = ()> {
    pdu: &'p [u8],
    pub(crate) quirks: Quirks,
    /// Whether a `short_message` that is not empty was read.
    pub(crate) has_text: bool,
    pub(crate) visitor: V,
    tolerance: Tolerance,
    fault: Option<Fault>,
}

impl<'p, V> Reader<'p, V> {
    /// Returns a reader for the PDU, and the body to read.
    #[inline]
    pub(crate) fn new(pdu: &'p [u8], tolerance: Tolerance, visitor: V) -> (Self, &'p [u8]) {
        let reader = Self { pdu, quirks: Quirks::empty(), has_text: false, visitor, tolerance, fault: None };
        (reader, pdu.get(HEADER_LENGTH..).unwrap_or_default())
    }

    /// Returns the header of the PDU. It is decoded on each call, which is cheaper than storing it.
    #[inline]
    pub(crate) fn header(&self) -> Header {
        Header::of(self.pdu)
    }

    /// Returns the error that stopped the reading.
    #[cold]
    pub(crate) fn error(&self) -> DecodeError {
        let end = Fault { field: "body", remaining: 0, kind: DecodeErrorKind::Truncated };
        self.fault.unwrap_or(end).locate(self.header().command, self.pdu.len())
    }

    #[cold]
    #[inline(never)]
    fn record_fault(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Records `quirk` if it is tolerated. Returns whether it is.
    #[cold]
    #[inline(never)]
    fn record_if_tolerated(&mut self, quirk: Quirks) -> bool {
        let tolerated = self.tolerance.0.contains(quirk);
        self.quirks.set(quirk, tolerated || self.quirks.contains(quirk));
        tolerated
    }
}

impl<V: FieldVisitor> Reader<'_, V> {
    /// Records an error at `input`, the remaining octets of the PDU, and returns the parser error.
    #[inline(always)]
    pub(crate) fn fail(
        &mut self,
        field: &'static str,
        input: &[u8],
        kind: DecodeErrorKind,
    ) -> nom::Err<ParseFailed> {
        if !V::FAST_PATH {
            self.record_fault(Fault { field, remaining: input.len(), kind });
        }
        nom::Err::Error(ParseFailed)
    }

    /// Records `quirk` if it is tolerated. Returns whether it is; on the fast path no quirk is.
    #[inline(always)]
    pub(crate) fn tolerate(&mut self, quirk: Quirks) -> bool {
        !V::FAST_PATH && self.record_if_tolerated(quirk)
    }

    /// Records `quirk` if it is tolerated, and fails otherwise.
    #[inline(always)]
    pub(crate) fn tolerate_or_fail(
        &mut self,
        quirk: Quirks,
        field: &'static str,
        input: &[u8],
        kind: DecodeErrorKind,
    ) -> Result<(), nom::Err<ParseFailed>> {
        if self.tolerate(quirk) { Ok(()) } else { Err(self.fail(field, input, kind)) }
    }

    /// As [`tolerate_or_fail`](Self::tolerate_or_fail), for a header field at `offset`.
    #[inline(always)]
    pub(crate) fn tolerate_header_or_fail(
        &mut self,
        quirk: Quirks,
        field: &'static str,
        offset: usize,
        kind: DecodeErrorKind,
    ) -> Result<(), nom::Err<ParseFailed>> {
        if self.tolerate(quirk) {
            return Ok(());
        }
        Err(self.fail(field, self.pdu.get(offset..).unwrap_or_default(), kind))
    }
}

/// Reads one octet.
#[inline(always)]
pub(crate) fn octet<'a, V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    name: FieldName,
    input: &'a [u8],
) -> Parsed<'a, &'a u8> {
    match input {
        [octet, rest @ ..] => Ok((rest, octet)),
        [] => Err(reader.fail(name.get(), input, DecodeErrorKind::Truncated)),
    }
}

/// Reads four octets, the most significant first.
#[inline(always)]
pub(crate) fn word<'a, V: FieldVisitor>(
    reader: &mut Reader<'_, V>,
    name: FieldName,
    input: &'a [u8],
) -> Parsed<'a, u32> {
    match be_u32::<_, ParseFailed>.parse(input) {
        Ok(parsed) => Ok(parsed),
        Err(_) => Err(reader.fail(name.get(), input, DecodeErrorKind::Truncated)),
    }
}

impl<'a> Parse<'a> for u8 {
    type Located = OctetRef<'a>;

    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, OctetRef<'a>> {
        let (rest, octet) = octet(reader, name, input)?;
        reader.visitor.visit(name.get(), octet, input, rest);
        Ok((rest, OctetRef(octet)))
    }
}
