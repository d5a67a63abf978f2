//! From a parameter's octets to its typed value and back.

use core::fmt;

use crate::pdu::{CommandStatus, InterfaceVersion, MessageState};

/// What the octets of a parameter mean.
pub trait Value<'a>: fmt::Debug + Sized {
    /// The value; `None` if its octets are too few or too many.
    fn read(octets: &'a [u8]) -> Option<Self>;

    /// Writes the value into a log line.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt(f)
    }
}

/// At most four octets, held in place: the first `length` of `octets`.
#[derive(Clone, Copy)]
pub(super) struct Short {
    octets: [u8; 4],
    length: u8,
}

/// A value of at most four octets.
pub(super) trait Write {
    /// Its octets.
    fn write(self) -> Short;
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

    /// An octet and two octets.
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

        impl Write for $name {
            #[inline]
            fn write(self) -> Short {
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

/// Newtypes over an integer: `Type, integer = from it, to it;`.
macro_rules! values {
    ($($name:ty, $repr:ident = $from:expr, $to:expr;)+) => {$(
        impl $crate::tlv::typed::Value<'_> for $name {
            #[inline]
            fn read(octets: &[u8]) -> Option<Self> {
                <$repr as $crate::tlv::typed::Value<'_>>::read(octets).map($from)
            }
        }

        impl $crate::tlv::typed::Write for $name {
            #[inline]
            fn write(self) -> $crate::tlv::typed::Short {
                $crate::tlv::typed::Short::$repr($to(self))
            }
        }
    )+};
}
pub(super) use values;

values! {
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

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// An `open_enum!` of one octet that is the value of a parameter, or a part of one.
macro_rules! octet_enum {
    ($(#[$meta:meta])* pub struct $name:ident $($rest:tt)*) => {
        $crate::wire::open_enum! { $(#[$meta])* pub struct $name(u8) $($rest)* }

        $crate::tlv::typed::values! { $name, u8 = $name, |value: $name| value.0; }

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

/// Parts of one octet each and then octets to the end, given once, become the struct, its reader and its
/// octets.
macro_rules! parts {
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
            /// The octets, for [`Tlv::new`](crate::Tlv::new).
            pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
                [&[$(u8::from(self.$part)),+], self.$rest].concat()
            }
        }

        impl<'a> $crate::tlv::typed::Value<'a> for $name<'a> {
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
pub(super) use parts;

/// A part of one octet and one of two, given once, become the struct, its reader and its writer.
macro_rules! octet_and_pair {
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

        impl $crate::tlv::typed::Value<'_> for $name {
            fn read(octets: &[u8]) -> Option<Self> {
                let [first, high, low] = octets else { return None };
                Some(Self { $first: (*first).into(), $second: u16::from_be_bytes([*high, *low]).into() })
            }
        }

        impl $crate::tlv::typed::Write for $name {
            fn write(self) -> $crate::tlv::typed::Short {
                $crate::tlv::typed::Short::u8_u16(self.$first.into(), self.$second.into())
            }
        }
    };
}
pub(super) use octet_and_pair;
