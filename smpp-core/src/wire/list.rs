//! Counted lists: one octet says how many items follow.

use core::fmt;
use core::ops::RangeInclusive;

use super::{
    DecodeErrorKind, Emit, InvalidOctets, Name, Parse, Parsed, Quirks, Reader, Sink, Tolerance, Watch, name,
    octet,
};

/// What a [`List`] holds.
pub trait Item<'a>: Emit + Copy + fmt::Debug + PartialEq {
    /// How many the specification allows.
    const COUNT: RangeInclusive<u8>;

    /// Reads one off the front of octets that were checked.
    fn read(octets: &'a [u8]) -> Option<(&'a [u8], Self)>;
}

/// How an [`Item`] is read: as when it was checked, with every tolerance.
pub(crate) fn reread<'a, T: Parse<'a>>(octets: &'a [u8]) -> Option<(&'a [u8], T)> {
    let (mut reader, _) = Reader::new(&[], Tolerance::LENIENT, ());
    T::parse(&mut reader, name!(""), octets).ok()
}

/// Items counted by one octet: what the peer sent, octet for octet, or a list of one's own.
///
/// What came over the wire was checked when its PDU was read, and is read again, item by item, by
/// [`iter`](Self::iter): nothing is collected.
#[derive(Clone, Copy)]
pub struct List<'a, T>(Source<'a, T>);

#[derive(Clone, Copy, Debug)]
enum Source<'a, T> {
    Wire { count: u8, octets: &'a [u8] },
    Own(&'a [T]),
}

impl<'a, T> List<'a, T> {
    /// No items.
    pub const EMPTY: Self = Self(Source::Own(&[]));

    /// These items, to be sent in this order: at most 255.
    pub const fn new(items: &'a [T]) -> Result<Self, InvalidOctets> {
        if items.len() > 255 {
            return Err(InvalidOctets::TooLong { length: items.len(), limit: 255 });
        }
        Ok(Self(Source::Own(items)))
    }

    /// How many items there are.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count as usize,
            Source::Own(items) => items.len(),
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Item<'a>> List<'a, T> {
    /// Each item, in wire order.
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter(self.0)
    }
}

/// Iterates over the items of a [`List`].
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
            Source::Own(items) => {
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
    type Found = Self;

    /// `count count*item`
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (octets, &count) = octet(reader, name, input)?;
        reader.watch.field(name.get(), &count, input, octets);
        if !T::COUNT.contains(&count) {
            let kind = DecodeErrorKind::DestinationCount;
            reader.deviation(Quirks::DESTINATION_COUNT, name.get(), input, kind)?;
        }
        let mut rest = octets;
        for _ in 0..count {
            if rest.is_empty() {
                return Err(reader.stop(name.get(), rest, DecodeErrorKind::Truncated));
            }
            (rest, _) = T::parse(reader, name, rest)?;
        }
        let octets = octets.get(..octets.len() - rest.len()).unwrap_or_default();
        Ok((rest, Self(Source::Wire { count, octets })))
    }
}

impl<'a, T: Item<'a>> Emit for List<'a, T> {
    fn emit<S: Sink>(&self, out: &mut S) {
        // At most 255 items: `new` checks it, and a parsed list was counted by one octet.
        out.octet(self.len() as u8);
        match self.0 {
            Source::Wire { octets, .. } => out.put(octets),
            Source::Own(items) => items.iter().for_each(|item| item.emit(out)),
        }
    }
}
