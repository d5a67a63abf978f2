//! Integers from the network stay open.

/// A newtype over an integer, with named constants: any value survives, known ones have names. The default
/// is zero, or the constant after `default`.
macro_rules! open_enum {
    (@default) => {
        Self(0)
    };
    (@default $default:ident) => {
        Self::$default
    };
    ($(#[$meta:meta])* pub struct $name:ident($repr:ty) $(default $default:ident)? {
        $($(#[$value_meta:meta])* $value:ident = $number:expr,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
        pub struct $name(
            /// The number on the wire.
            pub $repr,
        );

        impl $name {
            $($(#[$value_meta])* pub const $value: Self = Self($number);)+

            /// The name of a known value.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$value => Some(stringify!($value)),)+
                    _ => None,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $crate::wire::open_enum!(@default $($default)?)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({:#x})"), self.0),
                }
            }
        }
    };
}
pub(crate) use open_enum;

/// Makes one-octet newtypes fields: `Type = from octet, to octet;`.
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
            type Found = $crate::wire::Octet<'a>;

            #[inline(always)]
            fn find<W: $crate::wire::Watch>(
                reader: &mut $crate::wire::Reader<'_, W>,
                name: $crate::wire::Name,
                input: &'a [u8],
            ) -> $crate::wire::Parsed<'a, Self::Found> {
                let (rest, octet) = $crate::wire::octet(reader, name, input)?;
                reader.watch.field(name.get(), &Self::from(*octet), input, rest);
                Ok((rest, $crate::wire::Octet(octet)))
            }
        }

        impl $crate::wire::Emit for $name {
            #[inline]
            fn emit<S: $crate::wire::Sink>(&self, out: &mut S) {
                out.octet((*self).into());
            }

            #[inline(always)]
            fn emit_behind<S: $crate::wire::Sink>(
                &self,
                run: $crate::wire::Run,
                out: &mut S,
            ) -> $crate::wire::Run {
                run.octet((*self).into(), out)
            }
        }
    )+};
}
pub(crate) use octet_field;
