//! Values that have names.

use core::fmt;
use core::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::value::Value;
use crate::account::SegmentAckMode;
use crate::header::{CommandStatus, InterfaceVersion};
use crate::pdu::BindMode;
use crate::provider::{LongMessages, ReceiptRoute, ReceiptScope, TlsVersion};
use crate::session::Operations;
use crate::sms::gsm7::Language;
use crate::sms::time::UtcOffset;
use crate::sms::{Alphabet, Detection, IdFallback, IdNotation};
use crate::values::{DataCoding, EsmClass, MessageState, Npi, RegisteredDelivery, Ton};
use crate::wire::{Quirks, Tolerance};

/// A type whose values have names, numbers, or both.
pub(super) trait Name: Sized {
    /// What a user may write.
    const EXPECTED: &'static str;

    fn from_name(name: &str) -> Option<Self>;

    fn from_number(_: u32) -> Option<Self> {
        None
    }
}

/// A value by its name.
pub(super) struct Named<T>(T);

impl<T> Value for Named<T> {
    type Field = T;

    fn value(self) -> T {
        self.0
    }
}

impl<'de, T: Name> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);

        impl<T: Name> Visitor<'_> for Any<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Named<T>, E> {
                T::from_name(name).map(Named).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Named<T>, E> {
                let value = u32::try_from(number).ok().and_then(T::from_number);
                value.map(Named).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Named<T>, E> {
                let value = u32::try_from(number).ok().and_then(T::from_number);
                value.map(Named).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// Implements `Name` for an enumeration.
macro_rules! names {
    ($($type:ty { $($name:literal => $value:expr,)+ })+) => {
        $(impl Name for $type {
            const EXPECTED: &'static str = concat!("one of" $(, " \"", $name, "\"")+);

            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some($value),)+
                    _ => None,
                }
            }
        })+
    };
}

names! {
    BindMode {
        "transceiver" => Self::Transceiver,
        "transmitter" => Self::Transmitter,
        "receiver" => Self::Receiver,
    }
    TlsVersion {
        "1.2" => Self::V1_2,
        "1.3" => Self::V1_3,
    }
    InterfaceVersion {
        "3.3" => Self::V3_3,
        "3.4" => Self::V3_4,
        "5.0" => Self::V5_0,
    }
    LongMessages {
        "udh8" => Self::Udh8,
        "udh16" => Self::Udh16,
        "sar" => Self::Sar,
        "payload" => Self::Payload,
    }
    ReceiptScope {
        "segment" => Self::Segment,
        "message" => Self::Message,
    }
    ReceiptRoute {
        "any_bind" => Self::AnyBind,
        "submitting_bind" => Self::SubmittingBind,
    }
    Detection {
        "by_esm_class" => Self::ByEsmClass,
        "by_tlvs" => Self::ByTlvs,
        "by_content" => Self::ByContent,
    }
    IdFallback {
        "none" => Self::None,
        "other_id" => Self::OtherId,
        "other_notation" => Self::OtherNotation,
    }
    IdNotation {
        "decimal" => Self::Decimal,
        "hexadecimal" => Self::Hexadecimal,
    }
    SegmentAckMode {
        "adaptive" => Self::Adaptive,
        "strict" => Self::Strict,
    }
    Tolerance {
        "lenient" => Self::LENIENT,
        "faithful" => Self::FAITHFUL,
        "strict" => Self::STRICT,
    }
}

impl Name for Alphabet {
    #[cfg(not(feature = "charsets"))]
    const EXPECTED: &'static str =
        "one of \"gsm7\", \"gsm7_packed\", \"ascii\", \"latin1\", \"ucs2\", \"octets\"";
    #[cfg(feature = "charsets")]
    const EXPECTED: &'static str = "one of \"gsm7\", \"gsm7_packed\", \"ascii\", \"latin1\", \"ucs2\", \"octets\", or the label of a character set";

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "gsm7" => Self::Gsm7,
            "gsm7_packed" => Self::Gsm7Packed,
            "ascii" => Self::Ascii,
            "latin1" => Self::Latin1,
            "ucs2" => Self::Ucs2,
            "octets" => Self::Octets,
            #[cfg(feature = "charsets")]
            label => return encoding_rs::Encoding::for_label(label.as_bytes()).map(Self::Charset),
            #[cfg(not(feature = "charsets"))]
            _ => return None,
        })
    }
}

/// Implements `Name` for numbers of the protocol: their names in any case, or the number.
macro_rules! numbers {
    ($($type:ident($repr:ty), $expected:literal;)+) => {
        $(impl Name for $type {
            const EXPECTED: &'static str = $expected;

            fn from_name(name: &str) -> Option<Self> {
                $type::from_name(name)
            }

            fn from_number(number: u32) -> Option<Self> {
                <$repr>::try_from(number).ok().map($type)
            }
        })+
    };
}

numbers! {
    CommandStatus(u32), "a command_status: its name, such as \"ESME_RTHROTTLED\", or its number";
    MessageState(u8), "a message state: its name, such as \"delivered\", or its number";
    Ton(u8), "a type of number: its name, such as \"international\", or its number";
    Npi(u8), "a numbering plan indicator: its name, such as \"isdn\", or its number";
    Language(u8), "a language of national tables: \"turkish\", \"spanish\", \"portuguese\", or its number";
}

/// Implements `Name` for octets that have no names.
macro_rules! octets {
    ($($type:ty, $new:expr;)+) => {
        $(impl Name for $type {
            const EXPECTED: &'static str = "a number from 0 to 255";

            fn from_name(_: &str) -> Option<Self> {
                None
            }

            fn from_number(number: u32) -> Option<Self> {
                u8::try_from(number).ok().map($new)
            }
        })+
    };
}

octets! {
    DataCoding, DataCoding;
    EsmClass, EsmClass::from_bits_retain;
    RegisteredDelivery, RegisteredDelivery::from_bits_retain;
}

/// Implements `Name` for a set of flags: each name is a set of its own.
macro_rules! flags {
    ($($type:ty, $what:literal;)+) => {
        $(impl Name for $type {
            const EXPECTED: &'static str = concat!("the name of ", $what, " in lower case");

            fn from_name(name: &str) -> Option<Self> {
                <$type as bitflags::Flags>::FLAGS
                    .iter()
                    .find(|flag| flag.name().eq_ignore_ascii_case(name))
                    .map(|flag| *flag.value())
            }
        })+
    };
}

flags! {
    Operations, "an operation, such as \"submit_sm\",";
    Quirks, "a quirk, such as \"long_string\",";
}

impl Name for UtcOffset {
    const EXPECTED: &'static str = "an offset from UTC in quarters of an hour, from \"-12:00\" to \"+12:00\"";

    fn from_name(name: &str) -> Option<Self> {
        (-48..=48)
            .filter_map(|quarters| Self::from_quarters(quarters).ok())
            .find(|offset| alloc::format!("{offset}") == name)
    }
}
