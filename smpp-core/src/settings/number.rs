//! Numbers, with their ranges.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::value::Value;

/// A whole number from `MIN` to the largest of its type. An error states the range.
pub(super) struct Whole<T, const MIN: u64>(T);

/// A whole number, 0 included.
pub(super) type AnyNumber<T> = Whole<T, 0>;

/// A whole number above 0.
pub(super) type Positive<T> = Whole<T, 1>;

/// An unsigned integer.
pub(super) trait Unsigned: Copy + TryFrom<u64> + fmt::Display {
    /// The largest number, if people would write it.
    const MAX: Option<Self>;
}

impl Unsigned for u16 {
    const MAX: Option<Self> = Some(Self::MAX);
}

impl Unsigned for u32 {
    const MAX: Option<Self> = Some(Self::MAX);
}

impl Unsigned for u64 {
    const MAX: Option<Self> = None;
}

impl Unsigned for usize {
    const MAX: Option<Self> = None;
}

impl<T, const MIN: u64> Whole<T, MIN> {
    pub(super) fn get(self) -> T {
        self.0
    }
}

impl<T, const MIN: u64> Value for Whole<T, MIN> {
    type Field = T;

    fn value(self) -> T {
        self.0
    }
}

impl<'de, T: Unsigned, const MIN: u64> Deserialize<'de> for Whole<T, MIN> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<T, const MIN: u64>(PhantomData<T>);

        impl<T: Unsigned, const MIN: u64> Visitor<'_> for Number<T, MIN> {
            type Value = Whole<T, MIN>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match T::MAX {
                    Some(max) => write!(f, "a whole number from {MIN} to {max}"),
                    None => write!(f, "a whole number, {MIN} or more"),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole<T, MIN>, E> {
                let value = T::try_from(number).ok().filter(|_| number >= MIN);
                value.map(Whole).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole<T, MIN>, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }

        deserializer.deserialize_u64(Number(PhantomData))
    }
}
