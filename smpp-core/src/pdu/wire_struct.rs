//! `wire_struct!`: defines a PDU, its parser and its encoder from one list of fields.

use crate::tlv::Tlvs;

/// A response body that can be built from TLVs alone, as some peers send it in error responses.
pub(crate) trait FromTlvs<'a> {
    /// Returns a body with these TLVs. Every other field has its default.
    fn from_tlvs(tlvs: Tlvs<'a>) -> Self;
}

/// Defines a struct from a list of fields in wire order (SMPP 3.4 §4), and derives its parser and its encoder.
/// `requires` names the TLVs that must be among its `tlvs`.
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident<$lt:lifetime> $(requires [$($tag:ident),+ $(,)?])? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name<$lt> { $($(#[$field_meta])* pub $field: $type,)+ }

        impl<$lt> $crate::wire::Parse<$lt> for $name<$lt> {
            type Located = Self;

            #[inline(always)]
            fn locate<V: $crate::wire::FieldVisitor>(
                reader: &mut $crate::wire::Reader<'_, V>,
                _: $crate::wire::FieldName,
                input: &$lt [u8],
            ) -> $crate::wire::Parsed<$lt, Self> {
                $(let (input, $field) = <$type as $crate::wire::Parse>::locate(
                    reader,
                    $crate::wire::field_name!(stringify!($field)),
                    input,
                )?;)+
                let value = Self { $($field: $crate::wire::IntoField::into_field($field)),+ };
                $(value.tlvs.require(reader, &[$($crate::tlv::Tag::$tag),+], input)?;)?
                Ok((input, value))
            }
        }

        impl<$lt> $crate::pdu::wire_struct::FromTlvs<$lt> for $name<$lt> {
            fn from_tlvs(tlvs: $crate::tlv::Tlvs<$lt>) -> Self {
                Self { tlvs, ..Self::default() }
            }
        }

        impl $crate::wire::Emit for $name<'_> {
            #[inline]
            fn emit<S: $crate::wire::Sink>(&self, out: &mut S) {
                let pending = $crate::wire::PendingOctets::default();
                $(let pending = $crate::wire::Emit::emit_after(&self.$field, pending, out);)+
                pending.flush(out);
            }
        }
    };
}
pub(super) use wire_struct;
