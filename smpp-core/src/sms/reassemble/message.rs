//! A message whose parts are put together, and what tells it from others.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::shelf::Weigh;
use crate::pdu::{Address, DataCoding, EsmClass, Npi, Ton};
use crate::sms::Codings;
use crate::sms::digest::digest;
use crate::sms::udh;
use crate::sms::user_data::{MessageReference, SegmentInfo, UserData};
use crate::time::Instant;
use crate::wire::COctets;

/// The parts of a message: all of them if it is complete.
#[derive(Clone)]
pub struct ReassembledMessage<T> {
    key: Key,
    parts: Parts<T>,
}

/// A part of a [`ReassembledMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedSegment<'a> {
    /// Which one it is, from 1.
    pub number: u8,
    /// Its user data header, if it had one.
    pub header: Option<udh::Header<'a>>,
    /// What followed the header.
    pub octets: &'a [u8],
    /// Its mode, type and features.
    pub esm_class: EsmClass,
    /// How it is coded.
    pub data_coding: DataCoding,
}

/// Which message it is, for [`Reassembler::forget_completed`](super::Reassembler::forget_completed).
#[derive(Clone, PartialEq, Eq)]
pub struct MessageIdentity(pub(super) Key);

/// All that tells a message from others (3GPP TS 23.040 §9.2.3.24.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    source: Party,
    destination: Party,
    reference: MessageReference,
    total: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Party {
    ton: Ton,
    npi: Npi,
    digits: Box<[u8]>,
}

/// The parts that are there.
#[derive(Clone)]
pub(super) struct Parts<T> {
    pub(super) began: Instant,
    /// By number.
    held: Vec<Held<T>>,
    /// Of all that is held.
    weight: usize,
}

#[derive(Clone)]
pub(super) struct Held<T> {
    pub(super) number: u8,
    esm_class: EsmClass,
    data_coding: DataCoding,
    /// Whether `user_data` starts with a header.
    has_header: bool,
    pub(super) user_data: Box<[u8]>,
    pub(super) tag: T,
}

impl<T> ReassembledMessage<T> {
    /// The sender.
    pub fn source(&self) -> Address<'_, 65> {
        self.key.source.address()
    }

    /// The recipient.
    pub fn destination(&self) -> Address<'_, 65> {
        self.key.destination.address()
    }

    /// What its parts share.
    pub const fn reference(&self) -> MessageReference {
        self.key.reference
    }

    /// How many parts it has: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.key.total
    }

    /// When its first part came.
    pub const fn started_at(&self) -> Instant {
        self.parts.began
    }

    /// Whether all parts are there.
    pub const fn is_complete(&self) -> bool {
        self.parts.count() == self.key.total
    }

    /// The parts that are there, in order.
    pub fn segments(&self) -> impl Iterator<Item = ReceivedSegment<'_>> {
        self.parts.held.iter().map(Held::part)
    }

    /// The octets of the parts that are there, without their headers.
    pub fn octets(&self) -> Vec<u8> {
        self.segments().flat_map(|part| part.octets).copied().collect()
    }

    /// The text of the parts that are there: see [`Codings::decode_segments`].
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

    /// Which message it is.
    pub fn identity(&self) -> MessageIdentity {
        MessageIdentity(self.key.clone())
    }

    /// The tags of the parts that are there, in the parts' order.
    pub fn tags(&self) -> impl Iterator<Item = &T> {
        self.parts.held.iter().map(|part| &part.tag)
    }

    /// The tags of the parts that are there, in the parts' order.
    pub fn into_tags(self) -> impl Iterator<Item = T> {
        self.parts.held.into_iter().map(|part| part.tag)
    }
}

impl<T> From<(Key, Parts<T>)> for ReassembledMessage<T> {
    fn from((key, parts): (Key, Parts<T>)) -> Self {
        Self { key, parts }
    }
}

impl Key {
    pub(super) fn new<const N: usize, const M: usize>(
        source: Address<'_, N>,
        destination: Address<'_, M>,
        part: SegmentInfo,
    ) -> Self {
        let SegmentInfo { reference, total, .. } = part;
        Self { source: Party::new(source), destination: Party::new(destination), reference, total }
    }
}

impl Weigh for Key {
    fn weight(&self) -> usize {
        self.source.digits.len() + self.destination.digits.len()
    }
}

impl Party {
    fn new<const N: usize>(address: Address<'_, N>) -> Self {
        Self { ton: address.ton, npi: address.npi, digits: address.digits.as_bytes().into() }
    }

    fn address(&self) -> Address<'_, 65> {
        Address { ton: self.ton, npi: self.npi, digits: COctets::kept(&self.digits) }
    }
}

impl<T> Parts<T> {
    /// None there yet.
    pub(super) const fn new(began: Instant) -> Self {
        Self { began, held: Vec::new(), weight: 0 }
    }

    /// At most 255, one of each number.
    pub(super) const fn count(&self) -> u8 {
        self.held.len() as u8
    }

    pub(super) fn get(&self, number: u8) -> Option<&Held<T>> {
        self.held.get(self.find(number).ok()?)
    }

    /// Adds a part of a number that is not there.
    pub(super) fn add(&mut self, part: Held<T>) {
        if let Err(at) = self.find(part.number) {
            self.weight += part.weight();
            // No more than is weighed.
            self.held.reserve_exact(1);
            self.held.insert(at, part);
        }
    }

    pub(super) fn digests(&self) -> Box<[u64]> {
        self.held.iter().map(Held::digest).collect()
    }

    /// Where the part with the number is, or would be.
    fn find(&self, number: u8) -> Result<usize, usize> {
        self.held.binary_search_by_key(&number, |part| part.number)
    }
}

impl<T> Weigh for Parts<T> {
    fn weight(&self) -> usize {
        self.weight
    }
}

impl<T> Held<T> {
    pub(super) fn new(number: u8, user_data: &UserData<'_>, tag: T) -> Self {
        let UserData { header, octets, esm_class, data_coding, .. } = *user_data;
        let mut user_data = Vec::with_capacity(header.map_or(0, |header| header.octets()) + octets.len());
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

    fn part(&self) -> ReceivedSegment<'_> {
        let Self { number, esm_class, data_coding, ref user_data, .. } = *self;
        let (header, octets) = match udh::split(user_data) {
            Ok((header, octets)) if self.has_header => (Some(header), octets),
            _ => (None, &**user_data),
        };
        ReceivedSegment { number, header, octets, esm_class, data_coding }
    }

    /// Octets that it takes, itself included.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.user_data.len()
    }

    pub(super) fn digest(&self) -> u64 {
        digest(self.user_data.iter().copied())
    }
}

/// Addresses are somebody's.
impl fmt::Debug for MessageIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageIdentity").field(&self.0.reference).finish()
    }
}

/// Addresses and text are somebody's: what kind of message it is, and no more.
impl<T> fmt::Debug for ReassembledMessage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.segments().map(|part| part.number).collect();
        f.debug_struct("ReassembledMessage")
            .field("reference", &self.reference())
            .field("total", &self.total())
            .field("numbers", &numbers)
            .finish_non_exhaustive()
    }
}
