//! Counted lists: one octet states how many items follow.

use core::fmt;
use core::ops::RangeInclusive;

use super::error::{DecodeErrorKind, Parsed};
use super::name::{FieldName, field_name};
use super::octets::InvalidOctets;
use super::quirks::{Quirks, Tolerance};
use super::reader::{FieldVisitor, Parse, Reader, octet};
use super::sink::{Emit, Sink};

/// An item of a [`List`].
pub trait Item<'a>: Emit + Copy + fmt::Debug + PartialEq {
    /// How many items the specification allows.
    const COUNT: RangeInclusive<u8>;

    /// Reads one item from the start of octets that were checked before. Returns the remaining octets and the item.
    fn read(octets: &'a [u8]) -> Option<(&'a [u8], Self)>;
}

/// Parses an [`Item`] from octets that were checked before. It tolerates every deviation, since the check already
/// reported them.
pub(crate) fn parse_item<'a, T: Parse<'a>>(octets: &'a [u8]) -> Option<(&'a [u8], T)> {
    let (mut reader, _) = Reader::new(&[], Tolerance::LENIENT, ());
    T::parse(&mut reader, field_name!(""), octets).ok()
}

/// A list whose items are counted by one octet: borrowed octets of a received PDU, or a slice of items to send.
///
/// A received list is checked when its PDU is decoded. [`iter`](Self::iter) decodes it again, item by item, so the
/// list needs no allocation.
#[derive(Clone, Copy)]
pub struct List<'a, T>(Source<'a, T>);

#[derive(Clone, Copy, Debug)]
enum Source<'a, T> {
    Wire { count: u8, octets: &'a [u8] },
    Slice(&'a [T]),
}

impl<'a, T> List<'a, T> {
    /// No items.
    pub const EMPTY: Self = Self(Source::Slice(&[]));

    /// Returns a list of these items, to be sent in this order.
    ///
    /// # Errors
    ///
    /// [`InvalidOctets::TooLong`] if there are more than 255.
    pub const fn new(items: &'a [T]) -> Result<Self, InvalidOctets> {
        if items.len() > 255 {
            return Err(InvalidOctets::TooLong { length: items.len(), limit: 255 });
        }
        Ok(Self(Source::Slice(items)))
    }

    /// Returns the number of items.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count as usize,
            Source::Slice(items) => items.len(),
        }
    }

    /// Returns whether the list has no items.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Item<'a>> List<'a, T> {
    /// Returns an iterator over the items, in wire order.
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter(self.0)
    }
}

/// An iterator over the items of a [`List`].
#[derive(Clone, Debug)]
pub struct ListIter<'a, T>(Source<'a, T>);

impl<'a, T: Item<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Source::Wire { count, octets } => {
                *count = count.checked_sub(1)?;
                let (rest, item) = T::read(octets)?;
                *octets = rest;
                Some(item)
            }
            Source::Slice(items) => {
                let (item, rest) = items.split_first()?;
                *items = rest;
                Some(*item)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let length = List(self.0).len();
        (length, Some(length))
    }
}

impl<'a, T: Item<'a>> ExactSizeIterator for ListIter<'a, T> {}

impl<'a, T: Item<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Item<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a, T: Item<'a>> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(*other)
    }
}

impl<'a, T: Item<'a> + Eq> Eq for List<'a, T> {}

impl<'a, T: Item<'a>> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl<'a, T: Item<'a> + Parse<'a>> Parse<'a> for List<'a, T> {
    type Located = Self;

    /// `count count*item`
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (octets, &count) = octet(reader, name, input)?;
        reader.visitor.visit(name.get(), &count, input, octets);
        if !T::COUNT.contains(&count) {
            let kind = DecodeErrorKind::DestinationCount;
            reader.tolerate_or_fail(Quirks::DESTINATION_COUNT, name.get(), input, kind)?;
        }
        let mut rest = octets;
        for _ in 0..count {
            if rest.is_empty() {
                return Err(reader.fail(name.get(), rest, DecodeErrorKind::Truncated));
            }
            (rest, _) = T::parse(reader, name, rest)?;
        }
        let octets = octets.get(..octets.len() - rest.len()).unwrap_or_default();
        Ok((rest, Self(Source::Wire { count, octets })))
    }
}

impl<'a, T: Item<'a>> Emit for List<'a, T> {
    fn emit<S: Sink>(&self, out: &mut S) {
        // There are at most 255 items: `new` checks it, and one octet counts the items of a received list.
        out.octet(self.len() as u8);
        match self.0 {
            Source::Wire { octets, .. } => out.put(octets),
            Source::Slice(items) => items.iter().for_each(|item| item.emit(out)),
        }
    }
}
