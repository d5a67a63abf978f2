//! PDUs as `serde` sees them. Feature `serde`.
//!
//! For logs and tools: strings are text, with escapes for what is not printable ASCII; texts, which have an alphabet of
//! their own, and values of TLVs are hexadecimal digits; numbers are numbers; passwords are hidden.

use core::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::pdu::{EsmClass, RegisteredDelivery};
use crate::tlv::{Tlv, Tlvs};
use crate::wire::{COctets, Item, List, Octets, Password, Quirks, Time};

/// Lower-case digits, two for each octet.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl<const MAX: usize> Serialize for COctets<'_, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Time<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<const MAX: usize> Serialize for Octets<'_, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(self.as_bytes()))
    }
}

impl Serialize for Password<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.reveal().is_empty() { "" } else { "***" })
    }
}

/// The tag, its name if it has one, and the octets of the value.
impl Serialize for Tlv<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tlv", 3)?;
        fields.serialize_field("tag", &self.tag)?;
        fields.serialize_field("name", &self.tag.name())?;
        fields.serialize_field("value", &format_args!("{}", Hex(self.value())))?;
        fields.end()
    }
}

impl Serialize for Tlvs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'a, T: Item<'a> + Serialize> Serialize for List<'a, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

/// Bit fields are their number.
macro_rules! bits {
    ($($name:ident)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.bits().serialize(serializer)
            }
        }
    )+};
}

bits! {
    EsmClass
    RegisteredDelivery
}

/// The names of the deviations.
impl Serialize for Quirks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter_names().map(|(name, _)| name))
    }
}
