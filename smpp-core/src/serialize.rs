//! Serialization of PDUs with `serde`, for logs and tools. Feature `serde`.
//!
//! - A string is serialized as text. Octets outside printable ASCII are escaped.
//! - A message text, whose encoding depends on other fields, and the value of a TLV are serialized as hexadecimal
//!   digits.
//! - A number and a bit field are serialized as a number.
//! - A password is serialized as `***`.

use core::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::pdu::{EsmClass, RegisteredDelivery};
use crate::tlv::{Tlv, Tlvs};
use crate::wire::{COctets, Item, List, Octets, Password, Quirks, Time};

/// Octets as lower-case hexadecimal digits, two for each octet.
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

/// Serializes the tag, the name of the tag or none, and the octets of the value.
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

/// Serializes bit fields as numbers.
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

/// Serializes the names of the deviations.
impl Serialize for Quirks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter_names().map(|(name, _)| name))
    }
}
