//! [`Tag`], and the lengths that the specification allows for each tag.

use core::fmt;
use core::ops::RangeInclusive;

use super::table::tag_table;
use crate::wire::{DecodeErrorKind, Quirks};

/// The tag of an optional parameter (SMPP 3.4 §5.3.2). Every value is kept. Vendors use `0x1400..=0x3FFF`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Tag(
    /// The number on the wire.
    pub u16,
);

/// The rules of the specification for one tag.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    min: u16,
    max: u16,
    kind: Kind,
    /// Whether every value of the right length is valid.
    any_value: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The entry belongs to no tag.
    Unused,
    /// An integer or octets.
    Octets,
    /// Text that ends with NUL.
    Text,
}

/// The number of slots: one for each value of the upper octet of a product.
const SLOTS: usize = 256;

/// A perfect hash table: each entry has the slot of its tag for itself.
struct Table {
    multiplier: u16,
    slots: [Entry; SLOTS],
}

impl Entry {
    /// The content of an unused slot. It allows any length, in case tag 0 is looked up.
    const UNUSED: Self = Self { tag: 0, min: 0, max: u16::MAX, kind: Kind::Unused, any_value: true };

    const fn new(tag: Tag, min: u16, max: u16, kind: Kind) -> Self {
        let any_value =
            !matches!(kind, Kind::Text) && !matches!(tag, Tag::MS_VALIDITY | Tag::MESSAGE_PAYLOAD);
        Self { tag: tag.0, min, max, kind, any_value }
    }
}

impl Table {
    /// Tries multipliers until each tag has its own slot. This runs at compile time.
    const fn new() -> Self {
        let mut multiplier = 1;
        loop {
            if let Some(slots) = place_entries(multiplier) {
                return Self { multiplier, slots };
            }
            multiplier += 2;
        }
    }
}

/// Places the entries into slots. Returns `None` if two of them would share a slot.
const fn place_entries(multiplier: u16) -> Option<[Entry; SLOTS]> {
    let mut slots = [Entry::UNUSED; SLOTS];
    let mut rest = ENTRIES.as_slice();
    while let [entry, after @ ..] = rest {
        match slots.split_at_mut_checked(slot(entry.tag, multiplier)) {
            Some((_, [slot, ..])) if matches!(slot.kind, Kind::Unused) => *slot = *entry,
            _ => return None,
        }
        rest = after;
    }
    Some(slots)
}

#[inline]
const fn slot(tag: u16, multiplier: u16) -> usize {
    (tag.wrapping_mul(multiplier) >> 8) as usize
}

const TABLE: Table = Table::new();
const MULTIPLIER: u16 = TABLE.multiplier;
static ENTRIES_BY_SLOT: [Entry; SLOTS] = TABLE.slots;

/// Returns the entry in the slot of `tag`, which belongs to another tag if `tag` has none. It takes a multiplication
/// and a load.
#[inline]
fn entry(tag: u16) -> Entry {
    ENTRIES_BY_SLOT.get(slot(tag, MULTIPLIER)).copied().unwrap_or(Entry::UNUSED)
}

/// Returns whether the specification allows a value of `length` octets for `tag`. It allows any length for a tag that
/// it does not define.
#[inline]
pub(super) fn length_allowed(tag: u16, length: usize) -> bool {
    let Entry { tag: found, min, max, .. } = entry(tag);
    // One comparison checks both limits: a length below `min` wraps to a large number.
    found != tag || length.wrapping_sub(min.into()) <= usize::from(max.wrapping_sub(min))
}

/// Returns whether a value has no deviation, in a PDU whose `short_message` has text or not. The fast path calls this
/// for each TLV.
#[inline]
pub(super) fn is_valid(tag: Tag, value: &[u8], has_text: bool) -> bool {
    let Entry { tag: found, min, max, any_value, .. } = entry(tag.0);
    if found != tag.0 {
        return true;
    }
    let length_allowed = value.len().wrapping_sub(min.into()) <= usize::from(max.wrapping_sub(min));
    length_allowed
        && (any_value
            || match tag {
                Tag::MESSAGE_PAYLOAD => !has_text || value.is_empty(),
                Tag::MS_VALIDITY => value.len() == 1 || value.len() == 4,
                Tag::BROADCAST_END_TIME => true,
                _ => value.ends_with(&[0]),
            })
}

/// Returns the deviation of a value, or `None` if it has none.
pub(super) fn deviation(tag: Tag, value: &[u8]) -> Option<(Quirks, DecodeErrorKind)> {
    let unterminated = ends_with_nul(tag) && !value.ends_with(&[0]);
    // The table allows 1 to 4 octets for ms_validity, but only 1 and 4 are valid.
    let between = tag == Tag::MS_VALIDITY && !matches!(value.len(), 1 | 4);
    // A missing NUL counts as present in the length, since it is reported as a deviation of its own.
    if between || !length_allowed(tag.0, value.len() + usize::from(unterminated)) {
        return Some((Quirks::TLV_LENGTH, DecodeErrorKind::TlvLength));
    }
    unterminated.then_some((Quirks::UNTERMINATED_TLV, DecodeErrorKind::TlvUnterminated))
}

/// Returns whether the specification requires a NUL at the end. For `broadcast_end_time` it contradicts itself
/// (SMPP 5.0 §4.8.4), so a NUL is optional there.
#[inline]
fn ends_with_nul(tag: Tag) -> bool {
    tag.is_text() && tag != Tag::BROADCAST_END_TIME
}

impl Tag {
    /// Returns how many octets SMPP 3.4 or 5.0 allows for the value, including the NUL of a text. `None` for a tag that
    /// neither version defines.
    pub fn lengths(self) -> Option<RangeInclusive<usize>> {
        let Entry { tag, min, max, kind, .. } = entry(self.0);
        (tag == self.0 && kind != Kind::Unused).then_some(min.into()..=max.into())
    }

    /// Returns whether the value is text that ends with NUL. Some peers omit the NUL: the accessors of
    /// [`Tlvs`](super::Tlvs) read both forms.
    pub fn is_text(self) -> bool {
        let Entry { tag, kind, .. } = entry(self.0);
        tag == self.0 && kind == Kind::Text
    }
}

/// Shows the name in the specification, or `Tag(0x1501)`.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Tag({:#06x})", self.0),
        }
    }
}

/// Returns the octets before the NUL, or all if there is none. Returns `None` unless their number is within
/// `min..=max`.
pub(super) fn text(octets: &[u8], min: usize, max: usize) -> Option<&[u8]> {
    let text = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    (min..=max).contains(&text.len()).then_some(text)
}

/// Returns the octets to read a typed value of this tag from, or `None` if their number is wrong. For a text these are
/// the octets before the NUL.
pub(super) fn value_octets(tag: Tag, octets: &[u8]) -> Option<&[u8]> {
    let Entry { tag: found, min, max, kind, .. } = entry(tag.0);
    if found == tag.0 && kind == Kind::Text {
        return text(octets, usize::from(min).saturating_sub(1), usize::from(max).saturating_sub(1));
    }
    length_allowed(tag.0, octets.len()).then_some(octets)
}

/// The kind of a row of the table, as the lookup distinguishes it.
macro_rules! kind {
    (text) => {
        Kind::Text
    };
    (time) => {
        Kind::Text
    };
    ($kind:ident) => {
        Kind::Octets
    };
}

macro_rules! tags {
    ($($(#[$doc:meta])* $tag:ident $name:ident = $number:literal, $min:literal..=$max:literal,
        $kind:ident $(($type:ty))?;)+) => {
        /// The entries in tag order.
        const ENTRIES: [Entry; Tag::ALL.len()] = [
            $(Entry::new(Tag::$tag, $min, $max, kind!($kind)),)+
        ];

        #[cfg(test)]
        const CONSTANTS: [&str; Tag::ALL.len()] = [$(stringify!($tag)),+];

        impl Tag {
            $($(#[$doc])* pub const $tag: Self = Self($number);)+

            /// Every tag that SMPP 3.4 or 5.0 defines, in ascending order.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$tag),+];

            /// Returns the name in the specification, such as `message_state`. `None` for any other tag.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$tag => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

tag_table!(tags);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_the_names_of_their_tags() {
        for (constant, tag) in CONSTANTS.iter().zip(Tag::ALL) {
            assert_eq!(Some(constant.to_lowercase().as_str()), tag.name());
        }
        assert!(Tag::ALL.is_sorted());
    }

    #[test]
    fn every_defined_tag_and_no_other_has_limits() {
        let mut found = 0;
        for number in 0..=u16::MAX {
            let listed = ENTRIES.iter().find(|entry| entry.tag == number);
            let (tag, limits) = (Tag(number), listed.map(|entry| (entry.min.into(), entry.max.into())));
            assert_eq!(tag.lengths().map(RangeInclusive::into_inner), limits, "{tag:?}");
            assert_eq!(tag.is_text(), listed.is_some_and(|entry| entry.kind == Kind::Text), "{tag:?}");
            assert_eq!(tag.name().is_some(), listed.is_some(), "{tag:?}");
            let (min, max) = limits.unwrap_or((0, 0xFFFF));
            assert!(length_allowed(number, min) && length_allowed(number, max), "{tag:?}");
            assert!(listed.is_none() || !length_allowed(number, max + 1), "{tag:?}");
            assert!(min == 0 || !length_allowed(number, min - 1), "{tag:?}");
            for value in [&[1; 4096][..], &[1], &[], &[0], &[0; 3], &[0; 65], &[1; 65], &[1; 2], &[1; 4]] {
                assert_eq!(
                    is_valid(tag, value, false),
                    deviation(tag, value).is_none(),
                    "{tag:?}: {} octets",
                    value.len()
                );
            }
            found += usize::from(listed.is_some());
        }
        assert_eq!(found, Tag::ALL.len());
    }
}
