//! Conversion between the octets of a parameter and its typed value.

use core::fmt;

use crate::header::{CommandStatus, InterfaceVersion};
use crate::values::MessageState;

/// The typed value of a parameter.
pub trait Value<'a>: fmt::Debug + Sized {
    /// Reads the value from its octets. Returns `None` if there are too few or too many.
    fn read(octets: &'a [u8]) -> Option<Self>;

    /// Writes the value in its `Debug` form. Octets and text are written as an escaped string.
    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt(f)
    }
}

/// At most four octets, stored inline: the first `length` of `octets`.
#[derive(Clone, Copy)]
pub(super) struct Short {
    octets: [u8; 4],
    length: u8,
}

/// A typed value of at most four octets.
pub(super) trait ToShort {
    /// Returns the octets of the value.
    fn to_short(self) -> Short;
}

impl Short {
    pub(super) const EMPTY: Self = Self { octets: [0; 4], length: 0 };

    pub(super) const fn u8(value: u8) -> Self {
        Self { octets: [value, 0, 0, 0], length: 1 }
    }

    pub(super) const fn u16(value: u16) -> Self {
        let [high, low] = value.to_be_bytes();
        Self { octets: [high, low, 0, 0], length: 2 }
    }

    /// One octet and a two-octet integer.
    pub(super) const fn u8_u16(first: u8, second: u16) -> Self {
        let [high, low] = second.to_be_bytes();
        Self { octets: [first, high, low, 0], length: 3 }
    }

    pub(super) const fn u32(value: u32) -> Self {
        Self { octets: value.to_be_bytes(), length: 4 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Big-endian integers.
macro_rules! integers {
    ($($name:ident;)+) => {$(
        impl Value<'_> for $name {
            #[inline]
            fn read(octets: &[u8]) -> Option<Self> {
                octets.try_into().ok().map(Self::from_be_bytes)
            }
        }

        impl ToShort for $name {
            #[inline]
            fn to_short(self) -> Short {
                Short::$name(self)
            }
        }
    )+};
}

integers! {
    u8;
    u16;
    u32;
}

/// Implements the traits for newtypes over an integer: `Type, integer = from integer, to integer;`.
macro_rules! integer_values {
    ($($name:ty, $repr:ident = $from:expr, $to:expr;)+) => {$(
        impl $crate::tlv::value::Value<'_> for $name {
            #[inline]
            fn read(octets: &[u8]) -> Option<Self> {
                <$repr as $crate::tlv::value::Value<'_>>::read(octets).map($from)
            }
        }

        impl $crate::tlv::value::ToShort for $name {
            #[inline]
            fn to_short(self) -> $crate::tlv::value::Short {
                $crate::tlv::value::Short::$repr($to(self))
            }
        }
    )+};
}
pub(super) use integer_values;

integer_values! {
    MessageState, u8 = MessageState, |state: MessageState| state.0;
    InterfaceVersion, u8 = InterfaceVersion, |version: InterfaceVersion| version.0;
    CommandStatus, u32 = CommandStatus, |status: CommandStatus| status.0;
}

/// Octets and text.
impl<'a> Value<'a> for &'a [u8] {
    #[inline]
    fn read(octets: &'a [u8]) -> Option<Self> {
        Some(octets)
    }

    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// Defines an `open_enum!` of one octet that is the value of a parameter, or a part of it.
macro_rules! octet_enum {
    ($(#[$meta:meta])* pub struct $name:ident $($rest:tt)*) => {
        $crate::wire::open_enum! { $(#[$meta])* pub struct $name(u8) $($rest)* }

        $crate::tlv::value::integer_values! { $name, u8 = $name, |value: $name| value.0; }

        impl From<u8> for $name {
            fn from(octet: u8) -> Self {
                Self(octet)
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}
pub(super) use octet_enum;

/// Defines a struct of parts of one octet each, followed by octets to the end, and derives its decoder and its encoder.
macro_rules! parts_and_octets {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$part_meta:meta])* pub $part:ident: $type:ty,)+
        ..
        $(#[$rest_meta:meta])* pub $rest:ident
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name<'a> {
            $($(#[$part_meta])* pub $part: $type,)+
            $(#[$rest_meta])*
            pub $rest: &'a [u8],
        }

        impl $name<'_> {
            /// Returns the encoded octets, to pass to [`Tlv::new`](crate::Tlv::new).
            pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
                [&[$(u8::from(self.$part)),+], self.$rest].concat()
            }
        }

        impl<'a> $crate::tlv::value::Value<'a> for $name<'a> {
            #[inline]
            fn read(octets: &'a [u8]) -> Option<Self> {
                let [$($part,)+ $rest @ ..] = octets else { return None };
                Some(Self { $($part: (*$part).into(),)+ $rest })
            }
        }

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($part), &self.$part))+
                    .field(stringify!($rest), &format_args!("\"{}\"", self.$rest.escape_ascii()))
                    .finish()
            }
        }
    };
}
pub(super) use parts_and_octets;

/// Defines a struct of one octet and a two-octet integer, and derives its decoder and its encoder.
macro_rules! octet_and_u16 {
    ($(#[$meta:meta])* pub struct $name:ident {
        $(#[$first_meta:meta])* pub $first:ident: $first_type:ty,
        $(#[$second_meta:meta])* pub $second:ident: $second_type:ty,
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            $(#[$first_meta])*
            pub $first: $first_type,
            $(#[$second_meta])*
            pub $second: $second_type,
        }

        impl $crate::tlv::value::Value<'_> for $name {
            fn read(octets: &[u8]) -> Option<Self> {
                let [first, high, low] = octets else { return None };
                Some(Self { $first: (*first).into(), $second: u16::from_be_bytes([*high, *low]).into() })
            }
        }

        impl $crate::tlv::value::ToShort for $name {
            fn to_short(self) -> $crate::tlv::value::Short {
                $crate::tlv::value::Short::u8_u16(self.$first.into(), self.$second.into())
            }
        }
    };
}
pub(super) use octet_and_u16;
