//! Octets to fields and back, with `nom` combinators on an exact frame.
//!
//! Every field type implements [`Parse`] and [`Emit`]; `wire_struct!` strings fields together, so that a PDU's layout
//! is written exactly once, in wire order (SMPP 3.4 §4).

mod error;
mod octets;
mod open;
mod tlv;

use alloc::vec::Vec;

use nom::Parser;
use nom::number::complete::be_u8;

use crate::pdu::CommandId;

pub use error::{DecodeError, DecodeErrorKind};
pub(crate) use error::{Fault, Parsed};
pub use octets::{COctets, InvalidOctets, Octets, Password};
pub(crate) use open::{octet_field, open_enum};
pub use tlv::{Tag, Tlv, TlvIter, Tlvs};

bitflags::bitflags! {
    /// Known deviations from the specification that were read all the same, reported with the PDU.
    ///
    /// Real peers do all of these; a tolerant reader tells instead of refusing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Quirks: u32 {
        /// A response with status `ESME_ROK` came without its mandatory body (SMPP 3.4 §4.4.2).
        const ABSENT_BODY = 1;
        /// A string is longer than its field allows, for example a password of ten characters.
        const LONG_STRING = 1 << 1;
        /// The string that ends a response, `message_id` or `system_id`, lacks its NUL.
        const UNTERMINATED_STRING = 1 << 2;
        /// A bind ended before `address_range`, as some 3.3 clients send it.
        const ABSENT_ADDRESS_RANGE = 1 << 3;
        /// One NUL followed `short_message`.
        const TRAILING_NUL = 1 << 4;
        /// One to three octets after the last TLV cannot be a TLV header; they were dropped.
        const TRUNCATED_TLV = 1 << 5;
        /// Octets followed a PDU that has no body.
        const TRAILING_OCTETS = 1 << 6;
        /// `short_message` has 255 octets: allowed by SMPP 5.0, not by 3.4.
        const LONG_SHORT_MESSAGE = 1 << 7;
        /// The sequence number is 0 or above `0x7FFF_FFFF` (SMPP 3.4 §3.2).
        const SEQUENCE_RANGE = 1 << 8;
        /// A request carries a `command_status` other than 0.
        const STATUS_IN_REQUEST = 1 << 9;
    }
}

/// Which [`Quirks`] a reader accepts. The others become errors.
///
/// Never tolerated, whatever is set here: a field that crosses its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(pub Quirks);

impl Tolerance {
    /// Reads everything that can be read without guessing. The default.
    ///
    /// Half a TLV header is refused even so: it is what a wrong `sm_length` looks like, and reading on
    /// would cut a text short in silence.
    pub const LENIENT: Self = Self(Quirks::all().difference(Quirks::TRUNCATED_TLV));
    /// Refuses every known deviation.
    pub const STRICT: Self = Self(Quirks::empty());
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::LENIENT
    }
}

/// What travels along while one PDU is read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) command: CommandId,
    pub(crate) quirks: Quirks,
    tolerance: Tolerance,
}

impl Reader {
    pub(crate) fn new(command: CommandId, tolerance: Tolerance) -> Self {
        Self { command, quirks: Quirks::empty(), tolerance }
    }

    /// Notes `quirk` if it is tolerated; says whether it is.
    #[cold]
    pub(crate) fn tolerates(&mut self, quirk: Quirks) -> bool {
        let tolerated = self.tolerance.0.contains(quirk);
        self.quirks.set(quirk, tolerated || self.quirks.contains(quirk));
        tolerated
    }
}

/// Where octets go. A `Vec` grows; a slice says when it is full.
pub trait Sink {
    /// Appends `octets`.
    fn put(&mut self, octets: &[u8]);

    /// Whether TLVs are to be appended too.
    #[inline]
    fn takes_tlvs(&mut self) -> bool {
        true
    }
}

/// A sink for a peer of version 3.3 or older: without TLVs, and it tells whether any were left out.
#[derive(Debug)]
pub(crate) struct WithoutTlvs<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) left_out: bool,
}

impl Sink for WithoutTlvs<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out.put(octets);
    }

    fn takes_tlvs(&mut self) -> bool {
        self.left_out = true;
        false
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// A sink over borrowed memory. It counts on past the end, so that the caller learns what was needed.
#[derive(Debug)]
pub(crate) struct SliceSink<'a> {
    free: &'a mut [u8],
    needed: usize,
}

impl<'a> SliceSink<'a> {
    pub(crate) fn new(free: &'a mut [u8]) -> Self {
        Self { free, needed: 0 }
    }

    /// How many octets were put, whether they found room or not.
    pub(crate) fn needed(&self) -> usize {
        self.needed
    }
}

impl Sink for SliceSink<'_> {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        self.needed += octets.len();
        match core::mem::take(&mut self.free).split_at_mut_checked(octets.len()) {
            Some((head, tail)) => {
                head.copy_from_slice(octets);
                self.free = tail;
            }
            None => self.free = &mut [],
        }
    }
}

/// How a field, or a sequence of fields, is written.
pub trait Emit {
    /// Appends the octets.
    fn emit<S: Sink>(&self, out: &mut S);
}

/// How a field, or a sequence of fields, is read.
pub(crate) trait Parse<'a>: Sized {
    /// Reads the octets at the start of `input`; `field` is the name an error gives.
    fn parse(reader: &mut Reader, field: &'static str, input: &'a [u8]) -> Parsed<'a, Self>;
}

impl Emit for u8 {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.put(&[*self]);
    }
}

impl<'a> Parse<'a> for u8 {
    #[inline]
    fn parse(_: &mut Reader, field: &'static str, input: &'a [u8]) -> Parsed<'a, Self> {
        be_u8.parse(input).map_err(|error| Fault::rename(error, field))
    }
}

/// A sequence of fields, given once, becomes the struct, its parser and its encoder.
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident<$lt:lifetime> {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name<$lt> { $($(#[$field_meta])* pub $field: $type,)+ }

        impl<$lt> $crate::wire::Parse<$lt> for $name<$lt> {
            #[inline]
            fn parse(
                reader: &mut $crate::wire::Reader,
                _: &'static str,
                input: &$lt [u8],
            ) -> $crate::wire::Parsed<$lt, Self> {
                $(let (input, $field) = $crate::wire::Parse::parse(reader, stringify!($field), input)?;)+
                Ok((input, Self { $($field),+ }))
            }
        }

        impl $crate::wire::Emit for $name<'_> {
            #[inline]
            fn emit<S: $crate::wire::Sink>(&self, out: &mut S) {
                $($crate::wire::Emit::emit(&self.$field, out);)+
            }
        }
    };
}
pub(crate) use wire_struct;
