//! `open_enum!`: integers from the network that may hold any value.

/// Defines a newtype over an integer with named constants. Every value is kept, so a value that has no name
/// survives decoding and encoding. The default is zero, or the constant after `default`.
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

            /// Returns the name of a known value, and `None` for any other.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$value => Some(stringify!($value)),)+
                    _ => None,
                }
            }

            /// Returns the value with this name, in any case.
            #[cfg(feature = "serde")]
            #[allow(dead_code, reason = "only some of these types are read from files")]
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                [$((stringify!($value), Self::$value),)+]
                    .into_iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $crate::open_enum::open_enum!(@default $($default)?)
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
