//! A list with an element for each segment of a message.

use alloc::vec::{self, Vec};
use core::fmt;
use core::ops::Deref;
use core::slice;

/// A list with an element for each segment of a message, in the order of the text: it is a slice. Most messages have one
/// segment; their list needs no allocation.
///
/// ```
/// use smpp_proto::CommandStatus;
/// use smpp_proto::account::{PerSegment, SegmentOutcome};
///
/// let outcomes = PerSegment::from(vec![SegmentOutcome::Nacked(CommandStatus::RINVCMDID)]);
/// assert_eq!((outcomes.len(), outcomes[0].status()), (1, Some(CommandStatus::RINVCMDID)));
/// ```
#[derive(Clone)]
pub struct PerSegment<T>(List<T>);

#[derive(Clone)]
enum List<T> {
    One([T; 1]),
    /// Any other number.
    Several(Vec<T>),
}

impl<T> PerSegment<T> {
    /// Creates the list of a message of one segment.
    pub(super) const fn one(element: T) -> Self {
        Self(List::One([element]))
    }

    /// Creates a list without elements.
    pub(super) const fn empty() -> Self {
        Self(List::Several(Vec::new()))
    }

    /// Returns the element of a message of one segment, otherwise the list.
    #[inline]
    pub(super) fn into_one(self) -> Result<T, Self> {
        match self.0 {
            List::One([one]) => Ok(one),
            several @ List::Several(_) => Err(Self(several)),
        }
    }
}

impl<T> Deref for PerSegment<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            List::One(one) => one,
            List::Several(all) => all,
        }
    }
}

impl<T> FromIterator<T> for PerSegment<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all = all.into_iter();
        Self(match (all.next(), all.next()) {
            (Some(one), None) => List::One([one]),
            (first, second) => List::Several(first.into_iter().chain(second).chain(all).collect()),
        })
    }
}

impl<T> From<Vec<T>> for PerSegment<T> {
    fn from(all: Vec<T>) -> Self {
        all.into_iter().collect()
    }
}

impl<T> From<PerSegment<T>> for Vec<T> {
    fn from(all: PerSegment<T>) -> Self {
        match all.0 {
            List::One(one) => one.into(),
            List::Several(all) => all,
        }
    }
}

impl<T> IntoIterator for PerSegment<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(self).into_iter()
    }
}

impl<'a, T> IntoIterator for &'a PerSegment<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for PerSegment<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for PerSegment<T> {}

impl<T: PartialEq, const N: usize> PartialEq<[T; N]> for PerSegment<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        **self == *other
    }
}

impl<T: PartialEq> PartialEq<Vec<T>> for PerSegment<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for PerSegment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
