//! `octet_field!`: makes a newtype over one octet a field of a PDU.

/// Implements the conversions, [`Parse`](crate::wire::Parse) and [`Emit`](crate::wire::Emit) for newtypes over one
/// octet: `Type = from octet, to octet;`.
macro_rules! octet_field {
    ($($name:ty = $from:expr, $to:expr;)+) => {$(
        impl From<u8> for $name {
            #[inline]
            fn from(octet: u8) -> Self {
                $from(octet)
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                $to(value)
            }
        }

        impl<'a> $crate::wire::Parse<'a> for $name {
            type Located = $crate::wire::OctetRef<'a>;

            #[inline(always)]
            fn locate<V: $crate::wire::FieldVisitor>(
                reader: &mut $crate::wire::Reader<'_, V>,
                name: $crate::wire::FieldName,
                input: &'a [u8],
            ) -> $crate::wire::Parsed<'a, Self::Located> {
                let (rest, octet) = $crate::wire::octet(reader, name, input)?;
                reader.visitor.visit(name.get(), &Self::from(*octet), input, rest);
                Ok((rest, $crate::wire::OctetRef(octet)))
            }
        }

        impl $crate::wire::Emit for $name {
            #[inline]
            fn emit<S: $crate::wire::Sink>(&self, out: &mut S) {
                out.octet((*self).into());
            }

            #[inline(always)]
            fn emit_after<S: $crate::wire::Sink>(
                &self,
                pending: $crate::wire::PendingOctets,
                out: &mut S,
            ) -> $crate::wire::PendingOctets {
                pending.octet((*self).into(), out)
            }
        }
    )+};
}
pub(crate) use octet_field;
