//! Values of the tables: optional ones, rates, lists that live as long as the program.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::number::Positive;
use crate::session::Rate;

/// What a file states for a field.
pub(super) trait Value {
    /// The type of the field.
    type Field;

    fn value(self) -> Self::Field;
}

macro_rules! plain {
    ($($type:ty)+) => {
        $(impl Value for $type {
            type Field = Self;

            fn value(self) -> Self {
                self
            }
        })+
    };
}

plain! { bool }

/// A value, or `"none"`.
pub(super) struct OrNone<T>(Option<T>);

impl<T: Value> Value for OrNone<T> {
    type Field = Option<T::Field>;

    fn value(self) -> Option<T::Field> {
        self.0.map(T::value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = OrNone<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or \"none\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OrNone<T>, E> {
                if text == "none" {
                    return Ok(OrNone(None));
                }
                T::deserialize(text.into_deserializer()).map(|value| OrNone(Some(value)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<OrNone<T>, E> {
                T::deserialize(number.into_deserializer()).map(|value| OrNone(Some(value)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<OrNone<T>, E> {
                T::deserialize(number.into_deserializer()).map(|value| OrNone(Some(value)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<OrNone<T>, E> {
                T::deserialize(number.into_deserializer()).map(|value| OrNone(Some(value)))
            }

            fn visit_unit<E: de::Error>(self) -> Result<OrNone<T>, E> {
                Ok(OrNone(None))
            }

            fn visit_none<E: de::Error>(self) -> Result<OrNone<T>, E> {
                Ok(OrNone(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrNone<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|value| OrNone(Some(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OrNone<T>, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(list)).map(|value| OrNone(Some(value)))
            }
        }

        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// Messages per second, with or without a burst.
pub(super) struct RateTable {
    per_second: u32,
    burst: u32,
}

impl<'de> Deserialize<'de> for RateTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            per_second: Positive<u32>,
            burst: Option<Positive<u32>>,
        }

        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = RateTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "messages per second from 1 to {}, such as 50 or {{ per_second = 50, burst = 10 }}",
                    u32::MAX
                )
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RateTable, E> {
                match u32::try_from(number) {
                    Ok(per_second @ 1..) => Ok(RateTable { per_second, burst: 1 }),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<RateTable, E> {
                let unsigned = u64::try_from(number);
                self.visit_u64(unsigned.map_err(|_| E::invalid_value(Unexpected::Signed(number), &Any))?)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RateTable, A::Error> {
                let Table { per_second, burst } = Table::deserialize(MapAccessDeserializer::new(map))?;
                let (per_second, burst) = (per_second.get(), burst.map_or(1, Positive::get));
                if burst > per_second {
                    return Err(de::Error::custom(format_args!(
                        "burst is {burst}, more than per_second, {per_second}: set it to 1 to {per_second}"
                    )));
                }
                Ok(RateTable { per_second, burst })
            }
        }

        deserializer.deserialize_any(Any)
    }
}

impl Value for RateTable {
    type Field = Rate;

    fn value(self) -> Rate {
        Rate::per_second(self.per_second).with_burst(self.burst)
    }
}

/// A text of a provider.
#[derive(Deserialize)]
pub(super) struct Text(String);

impl Value for Text {
    type Field = &'static str;

    fn value(self) -> &'static str {
        // A provider is a constant that can be copied: see the documentation of the module.
        Box::leak(self.0.into_boxed_str())
    }
}

/// A list of a provider.
#[derive(Deserialize)]
pub(super) struct Items<T>(pub(super) Vec<T>);

impl<T: Value> Value for Items<T>
where
    T::Field: 'static,
{
    type Field = &'static [T::Field];

    fn value(self) -> Self::Field {
        Box::leak(self.0.into_iter().map(T::value).collect())
    }
}

/// A list with at least one item.
pub(super) struct SomeItems<T>(Items<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for SomeItems<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Items::deserialize(deserializer)?;
        if items.0.is_empty() {
            return Err(de::Error::invalid_length(0, &"a list with one value or more"));
        }
        Ok(Self(items))
    }
}

impl<T: Value> Value for SomeItems<T>
where
    T::Field: 'static,
{
    type Field = &'static [T::Field];

    fn value(self) -> Self::Field {
        self.0.value()
    }
}

/// A set of flags, as the list of their names.
#[derive(Deserialize)]
pub(super) struct Flags<T>(Vec<T>);

impl<T: Value> Value for Flags<T>
where
    T::Field: bitflags::Flags,
{
    type Field = T::Field;

    fn value(self) -> T::Field {
        self.0.into_iter().map(T::value).fold(<T::Field as bitflags::Flags>::empty(), bitflags::Flags::union)
    }
}
