//! A message with the segments that were received.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::slice;

use super::key::MessageKey;
use super::store::MemoryCost;
use crate::pdu::{Address, DataCoding, EsmClass};
use crate::sms::coding::Codings;
use crate::sms::digest::digest;
use crate::sms::udh;
use crate::sms::user_data::{MessageReference, UserData};
use crate::time::Instant;

/// A concatenated message with its received segments.
///
/// It is complete in [`Pushed::Complete`](super::Pushed::Complete). A message that timed out, was evicted or superseded
/// lacks at least one segment.
#[derive(Clone)]
pub struct ReassembledMessage<T> {
    pub(super) key: MessageKey,
    pub(super) stored: StoredSegments<T>,
}

/// A segment of a [`ReassembledMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedSegment<'a> {
    /// The segment number, from 1.
    pub number: u8,
    /// The user data header, if the segment has one.
    pub header: Option<udh::UserDataHeader<'a>>,
    /// The octets after the header.
    pub octets: &'a [u8],
    /// The `esm_class` of the PDU.
    pub esm_class: EsmClass,
    /// The `data_coding` of the PDU.
    pub data_coding: DataCoding,
}

/// Identifies a message for the duplicate detection of a [`Reassembler`](super::Reassembler): its addresses, its reference
/// and its number of segments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageIdentity(pub(super) MessageKey);

/// Takes the place of the digest of a segment that was not received. A received segment with this digest, one in 2^64, is
/// not recognised when it comes again.
pub(super) const MISSING: u64 = 0;

/// The most digests that need no allocation.
const FEW: usize = 3;

/// The digests of the segments of a message, in the order of their numbers; [`MISSING`] for one that was not received.
#[derive(Debug)]
pub(super) enum Digests {
    Few([u64; FEW]),
    Many(Box<[u64]>),
}

impl Digests {
    pub(super) fn get(&self, number: u8) -> Option<u64> {
        let digests = match self {
            Self::Few(digests) => &digests[..],
            Self::Many(digests) => digests,
        };
        digests.get(usize::from(number).checked_sub(1)?).copied()
    }
}

impl MemoryCost for Digests {
    fn memory_octets(&self) -> usize {
        match self {
            Self::Few(_) => 0,
            Self::Many(digests) => size_of_val(&**digests),
        }
    }
}

/// The segments of one message that were received so far.
#[derive(Clone)]
pub(super) struct StoredSegments<T> {
    /// When the first segment was received.
    pub(super) started_at: Instant,
    segments: Segments<T>,
    /// The memory of all segments: at most 255, each with at most 64 KiB.
    octets: u32,
}

/// The first segment needs no allocation.
#[derive(Clone)]
enum Segments<T> {
    Only(StoredSegment<T>),
    /// Sorted by number.
    Several(Box<[StoredSegment<T>]>),
}

#[derive(Clone)]
pub(super) struct StoredSegment<T> {
    pub(super) number: u8,
    esm_class: EsmClass,
    data_coding: DataCoding,
    /// Whether `user_data` starts with a header.
    has_header: bool,
    pub(super) user_data: Box<[u8]>,
    pub(super) tag: T,
}

impl<T> ReassembledMessage<T> {
    /// Returns the sender.
    pub fn source(&self) -> Address<'_, 65> {
        self.key.source()
    }

    /// Returns the recipient.
    pub fn destination(&self) -> Address<'_, 65> {
        self.key.destination()
    }

    /// Returns the reference that all segments share.
    pub fn reference(&self) -> MessageReference {
        self.key.reference()
    }

    /// Returns the number of segments of the whole message: 1 to 255.
    pub fn total(&self) -> u8 {
        self.key.total()
    }

    /// Returns when the first segment was received.
    pub const fn started_at(&self) -> Instant {
        self.stored.started_at
    }

    /// Returns whether all segments were received.
    pub fn is_complete(&self) -> bool {
        self.stored.count() == self.key.total()
    }

    /// Returns the received segments in the order of their numbers.
    pub fn segments(&self) -> impl Iterator<Item = ReceivedSegment<'_>> {
        self.stored.as_slice().iter().map(StoredSegment::received)
    }

    /// Returns the octets of the received segments without their headers.
    pub fn octets(&self) -> Vec<u8> {
        self.segments().flat_map(|segment| segment.octets).copied().collect()
    }

    /// Decodes the text of the received segments. `None` if they are not text: see [`Codings::decode_segments`].
    pub fn text(&self, codings: Codings) -> Option<String> {
        codings.decode_segments(self.segments().map(
            |ReceivedSegment { header, octets, esm_class, data_coding, .. }| UserData {
                header,
                octets,
                esm_class,
                data_coding,
                segment: None,
            },
        ))
    }

    /// Returns the identity of the message.
    pub fn identity(&self) -> MessageIdentity {
        MessageIdentity(self.key.clone())
    }

    /// Returns the tags of the received segments in the order of the segment numbers.
    pub fn tags(&self) -> impl Iterator<Item = &T> {
        self.stored.as_slice().iter().map(|segment| &segment.tag)
    }

    /// Consumes the message and returns the tags in the order of the segment numbers.
    pub fn into_tags(self) -> impl Iterator<Item = T> {
        let (only, all) = match self.stored.segments {
            Segments::Only(segment) => (Some(segment), Vec::new()),
            Segments::Several(segments) => (None, segments.into_vec()),
        };
        only.into_iter().chain(all).map(|segment| segment.tag)
    }
}

impl<T> From<(MessageKey, StoredSegments<T>)> for ReassembledMessage<T> {
    fn from((key, stored): (MessageKey, StoredSegments<T>)) -> Self {
        Self { key, stored }
    }
}

impl<T> StoredSegments<T> {
    pub(super) fn new(started_at: Instant, segment: StoredSegment<T>) -> Self {
        let octets = segment.memory_octets() as u32;
        Self { started_at, segments: Segments::Only(segment), octets }
    }

    fn as_slice(&self) -> &[StoredSegment<T>] {
        match &self.segments {
            Segments::Only(segment) => slice::from_ref(segment),
            Segments::Several(segments) => segments,
        }
    }

    /// Returns the number of segments: at most 255, because their numbers differ.
    pub(super) fn count(&self) -> u8 {
        self.as_slice().len() as u8
    }

    pub(super) fn get(&self, number: u8) -> Option<&StoredSegment<T>> {
        self.as_slice().get(self.find(number).ok()?)
    }

    /// Adds a segment, unless there is one with its number.
    pub(super) fn add(&mut self, segment: StoredSegment<T>) {
        if let Err(index) = self.find(segment.number) {
            self.octets += segment.memory_octets() as u32;
            let (only, mut segments) =
                match mem::replace(&mut self.segments, Segments::Several(Box::default())) {
                    Segments::Only(only) => (Some(only), Vec::new()),
                    Segments::Several(segments) => (None, segments.into_vec()),
                };
            // The box has no spare capacity.
            segments.reserve_exact(1 + usize::from(only.is_some()));
            segments.extend(only);
            segments.insert(index, segment);
            self.segments = Segments::Several(segments.into());
        }
    }

    /// Returns the digest of each of the `total` segments.
    pub(super) fn digests(&self, total: u8) -> Digests {
        let digests = (1..=total).map(|number| self.get(number).map_or(MISSING, StoredSegment::digest));
        if usize::from(total) > FEW {
            return Digests::Many(digests.collect());
        }
        let mut few = [MISSING; FEW];
        few.iter_mut().zip(digests).for_each(|(to, digest)| *to = digest);
        Digests::Few(few)
    }

    /// Returns the index of the segment with the number, or as an error the index where it would be inserted.
    fn find(&self, number: u8) -> Result<usize, usize> {
        self.as_slice().binary_search_by_key(&number, |segment| segment.number)
    }
}

impl<T> MemoryCost for StoredSegments<T> {
    fn memory_octets(&self) -> usize {
        self.octets as usize
    }
}

impl<T> StoredSegment<T> {
    pub(super) fn new(number: u8, user_data: &UserData<'_>, tag: T) -> Self {
        let UserData { header, octets, esm_class, data_coding, .. } = *user_data;
        let header_len = header.map_or(0, |header| header.encoded_len());
        let mut user_data = Vec::with_capacity(header_len + octets.len());
        if let Some(header) = header {
            user_data.push(header.as_bytes().len() as u8);
            user_data.extend_from_slice(header.as_bytes());
        }
        user_data.extend_from_slice(octets);
        Self {
            number,
            esm_class,
            data_coding,
            has_header: header.is_some(),
            user_data: user_data.into(),
            tag,
        }
    }

    fn received(&self) -> ReceivedSegment<'_> {
        let Self { number, esm_class, data_coding, ref user_data, .. } = *self;
        let (header, octets) = match udh::split(user_data) {
            Ok((header, octets)) if self.has_header => (Some(header), octets),
            _ => (None, &**user_data),
        };
        ReceivedSegment { number, header, octets, esm_class, data_coding }
    }

    /// Returns the memory of the segment, itself included.
    pub(super) fn memory_octets(&self) -> usize {
        size_of::<Self>() + self.user_data.len()
    }

    pub(super) fn digest(&self) -> u64 {
        digest(self.user_data.iter().copied())
    }
}

/// Omits the addresses, which are personal data.
impl fmt::Debug for MessageIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageIdentity").field(&self.0.reference()).finish()
    }
}

/// Omits the addresses and the text, which are personal data.
impl<T> fmt::Debug for ReassembledMessage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.segments().map(|segment| segment.number).collect();
        f.debug_struct("ReassembledMessage")
            .field("reference", &self.reference())
            .field("total", &self.total())
            .field("numbers", &numbers)
            .finish_non_exhaustive()
    }
}
