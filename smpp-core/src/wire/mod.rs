//! Octets to fields and back, with `nom` combinators on an exact frame.
//!
//! Every field type implements [`Parse`] and [`Emit`]; `wire_struct!` strings fields together, so that a PDU's layout
//! is written exactly once, in wire order (SMPP 3.4 §4).
//!
//! Parsers are small and inlined into one function per PDU, which writes the struct once, where the caller wants it.
//! What that takes: until then no field is copied ([`Found`]), the error on the way up has no size ([`Stop`]), and a
//! PDU is read as if nothing were odd about it ([`Hasty`]); one that is odd is read a second time, by a function that
//! can say in what.

mod error;
mod list;
mod octets;
mod open;
mod quirks;
mod reader;
mod sink;
mod time;

pub use error::{DecodeError, DecodeErrorKind};
pub(crate) use error::{Fault, Name, Parsed, Stop};
pub(crate) use list::{Item, reread};
pub use list::{List, ListIter};
pub(crate) use octets::check as check_text;
pub use octets::{COctets, InvalidOctets, Octets, Password};
pub(crate) use open::{octet_field, open_enum};
pub use quirks::{Quirks, Tolerance};
pub(crate) use reader::{Found, Hasty, Octet, OfTlvs, Parse, Reader, Watch, octet, word};
pub(crate) use sink::{Emit, Run, Sink, SliceSink, WithoutTlvs};
pub use time::Time;

/// The [`Name`] of a field, as a constant.
macro_rules! name {
    ($field:expr) => {{
        const PARTS: [&str; 3] = $crate::wire::Name::parts($field);
        $crate::wire::Name::new(&PARTS)
    }};
}
pub(crate) use name;

/// A sequence of fields, given once, becomes the struct, its parser and its encoder. `needs` names TLVs that have
/// to be among its `tlvs`.
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident<$lt:lifetime> $(needs [$($tag:ident),+ $(,)?])? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name<$lt> { $($(#[$field_meta])* pub $field: $type,)+ }

        impl<$lt> $crate::wire::Parse<$lt> for $name<$lt> {
            type Found = Self;

            #[inline(always)]
            fn find<W: $crate::wire::Watch>(
                reader: &mut $crate::wire::Reader<'_, W>,
                _: $crate::wire::Name,
                input: &$lt [u8],
            ) -> $crate::wire::Parsed<$lt, Self> {
                $(let (input, $field) = <$type as $crate::wire::Parse>::find(
                    reader,
                    $crate::wire::name!(stringify!($field)),
                    input,
                )?;)+
                let value = Self { $($field: $crate::wire::Found::take($field)),+ };
                $(value.tlvs.need(reader, &[$($crate::tlv::Tag::$tag),+], input)?;)?
                Ok((input, value))
            }
        }

        impl<$lt> $crate::wire::OfTlvs<$lt> for $name<$lt> {
            fn of_tlvs(tlvs: $crate::tlv::Tlvs<$lt>) -> Self {
                Self { tlvs, ..Self::default() }
            }
        }

        impl $crate::wire::Emit for $name<'_> {
            #[inline]
            fn emit<S: $crate::wire::Sink>(&self, out: &mut S) {
                let run = $crate::wire::Run::default();
                $(let run = $crate::wire::Emit::emit_behind(&self.$field, run, out);)+
                run.flush(out);
            }
        }
    };
}
pub(crate) use wire_struct;
