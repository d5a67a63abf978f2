//! Messages that come in parts, put together again.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Codings;
use super::udh::{self, ConcatRef};
use super::user_data::{MessagePart, Reference, UserData};
use crate::pdu::{Address, DataCoding, Npi, Ton};
use crate::time::Instant;
use crate::wire::COctets;

/// What a [`Reassembler`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages that are not complete: 1,000 unless said otherwise. So many complete ones are remembered, to tell a
    /// part that comes again.
    pub messages: usize,
    /// Octets of all parts held, what it takes to hold them included: 1 MiB unless said otherwise. At most as many
    /// again remember complete messages.
    pub octets: usize,
    /// How long to wait for the rest of a message, from its first part on: 10 minutes unless said otherwise.
    pub age: Duration,
}

/// Puts messages together whose parts come in any order, repeated, and mixed with others', as
/// [`UserData::part`] tells them apart: by source, destination, reference and total (3GPP TS 23.040 §9.2.3.24.1).
///
/// Nothing is dropped in silence. A part is kept, or it is handed back with the reason; what has waited too long comes
/// out of [`handle_timeout`](Self::handle_timeout). Each part brings a tag `T` of the caller's, the token to answer the
/// deliver_sm with, say: it comes back with the whole, with what is dropped, or at once.
///
/// ```
/// use smpp_core::session::Instant;
/// use smpp_core::sms::{Codings, ConcatRef, Limits, Pushed, Reassembler, Text};
/// use smpp_core::{Address, SubmitSm};
///
/// let (source, destination) = (Address::international("6591234567")?, Address::alphanumeric("8x8")?);
/// let text = "A long text is cut into parts. ".repeat(8);
/// let mut parts: Vec<_> = Text::new(&text).segments(ConcatRef::Wide(7))?.submissions(SubmitSm::default()).collect();
/// parts.reverse();
///
/// let mut reassembler = Reassembler::new(Limits::default());
/// for (number, part) in parts.iter().enumerate() {
///     let user_data = part.submit_sm().user_data()?;
///     match reassembler.push(Instant::ZERO, source, destination, &user_data, number)? {
///         Pushed::Complete(message) => {
///             assert_eq!(message.text(Codings::default()).as_deref(), Some(&text[..]));
///             assert_eq!(message.into_tags().collect::<Vec<_>>(), [1, 0], "in the order of the text");
///         }
///         other => assert!(matches!(other, Pushed::Kept { parts: 1, total: 2, .. })),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reassembler<T = ()> {
    limits: Limits,
    messages: BTreeMap<Key, Message<T>>,
    /// The messages in the order they began: the next to grow too old comes first.
    by_age: BTreeMap<u64, Key>,
    /// Complete ones, the latest last.
    complete: VecDeque<Complete>,
    begun: u64,
    octets: usize,
    /// Octets that `complete` takes.
    remembered: usize,
}

/// What became of a part.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pushed<T> {
    /// It is no part of a longer message: the caller has all of it.
    Alone(T),
    /// It is kept until the others come.
    Kept {
        /// Parts that are there now.
        parts: u8,
        /// Parts that there will be.
        total: u8,
        /// An unfinished message with the same reference, which can never be completed: this part is another message's,
        /// as it differs from that of the same number.
        superseded: Option<Message<T>>,
    },
    /// It was here already, octet for octet: in a message that waits for others, or in one that became complete within
    /// [`Limits::age`]. Answer it as the first time: the SMSC has missed that answer.
    Duplicate(T),
    /// It was the last that was missing.
    Complete(Message<T>),
}

/// A part that was not taken, with the caller's tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unkept<T> {
    /// The tag given.
    pub tag: T,
    /// Why.
    pub why: WhyUnkept,
}

/// Why a part was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyUnkept {
    /// The limit of messages or octets is reached. Let the SMSC keep it (`ESME_RX_T_APPN`), or make room with
    /// [`evict`](Reassembler::evict) and try again.
    Full,
    /// The part alone has more octets than may be held.
    TooLarge,
}

/// The parts of a message: all of them if it is complete.
#[derive(Clone)]
pub struct Message<T> {
    source: Party,
    destination: Party,
    reference: Reference,
    total: u8,
    began: Instant,
    /// When it began among the others.
    serial: u64,
    /// By number.
    parts: Vec<Held<T>>,
}

/// A part of a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Which one it is, from 1.
    pub number: u8,
    /// Its user data header, if it had one.
    pub header: Option<udh::Header<'a>>,
    /// What followed the header.
    pub octets: &'a [u8],
    /// How it is coded.
    pub data_coding: DataCoding,
}

/// All that tells a message from others, as octets: no allocation is needed to compare.
type Key = Box<[u8]>;

#[derive(Clone)]
struct Party {
    ton: Ton,
    npi: Npi,
    digits: Box<[u8]>,
}

#[derive(Clone)]
struct Held<T> {
    number: u8,
    data_coding: DataCoding,
    /// Octets of the header at the start of `user_data`; 0 for none.
    header: usize,
    user_data: Box<[u8]>,
    tag: T,
}

/// A message that was complete: its key, and a digest of each part.
#[derive(Debug)]
struct Complete {
    key: Key,
    at: Instant,
    digests: Box<[u64]>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 1_000, octets: 1024 * 1024, age: Duration::from_secs(600) }
    }
}

impl<T> Reassembler<T> {
    /// Nothing held yet.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: BTreeMap::new(),
            by_age: BTreeMap::new(),
            complete: VecDeque::new(),
            begun: 0,
            octets: 0,
            remembered: 0,
        }
    }

    /// Takes the user data of a message.
    ///
    /// Take what is too old out of [`handle_timeout`](Self::handle_timeout) first: it is found here like any other.
    pub fn push<const N: usize, const M: usize>(
        &mut self,
        now: Instant,
        source: Address<'_, N>,
        destination: Address<'_, M>,
        user_data: &UserData<'_>,
        tag: T,
    ) -> Result<Pushed<T>, Unkept<T>> {
        let Some(part) = user_data.part else { return Ok(Pushed::Alone(tag)) };
        let (source, destination) = (Party::new(source), Party::new(destination));
        let key = key(part, &source, &destination);
        let held = Held::new(part.number, user_data, tag);
        self.forget(now);
        if self.was_complete(&key, &held) {
            return Ok(Pushed::Duplicate(held.tag));
        }
        let mut superseded = None;
        if let Some(message) = self.messages.get(&key)
            && let Ok(at) = message.find(part.number)
        {
            if message.parts.get(at).is_some_and(|same| same.user_data == held.user_data) {
                return Ok(Pushed::Duplicate(held.tag));
            }
            superseded = self.remove(&key);
        }
        if let Err(why) = self.room(&key, held.cost()) {
            if let Some(message) = superseded {
                self.insert(key, message);
            }
            return Err(Unkept { tag: held.tag, why });
        }
        let mut message = self.remove(&key).unwrap_or_else(|| {
            self.begun += 1;
            let MessagePart { reference, total, .. } = part;
            Message {
                source,
                destination,
                reference,
                total,
                began: now,
                serial: self.begun,
                parts: Vec::new(),
            }
        });
        if let Err(at) = message.find(part.number) {
            message.parts.insert(at, held);
        }
        if message.is_complete() {
            self.remember(now, key, &message);
            return Ok(Pushed::Complete(message));
        }
        let parts = message.parts.len() as u8;
        self.insert(key, message);
        Ok(Pushed::Kept { parts, total: part.total, superseded })
    }

    /// A message that has waited too long for its other parts. Call again until it gives none.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Message<T>> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.evict()
    }

    /// When the oldest message will have waited too long.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (_, key) = self.by_age.first_key_value()?;
        self.messages.get(key).map(|message| message.began + self.limits.age)
    }

    /// The oldest message, given up to make room: it is the least likely to be completed.
    pub fn evict(&mut self) -> Option<Message<T>> {
        let key = self.by_age.first_key_value()?.1.clone();
        self.remove(&key)
    }

    /// Messages that wait for parts.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether no message waits for parts.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Octets held, as [`Limits::octets`] counts them.
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// Whether a part that costs so much can be kept.
    fn room(&self, key: &Key, cost: usize) -> Result<(), WhyUnkept> {
        let is_new = !self.messages.contains_key(key);
        let cost = cost + if is_new { Message::<T>::cost_of_key(key) } else { 0 };
        if cost > self.limits.octets || self.limits.messages == 0 {
            return Err(WhyUnkept::TooLarge);
        }
        let full = is_new && self.messages.len() >= self.limits.messages;
        if full || self.octets + cost > self.limits.octets { Err(WhyUnkept::Full) } else { Ok(()) }
    }

    fn insert(&mut self, key: Key, message: Message<T>) {
        self.octets += message.cost(&key);
        self.by_age.insert(message.serial, key.clone());
        self.messages.insert(key, message);
    }

    fn remove(&mut self, key: &Key) -> Option<Message<T>> {
        let message = self.messages.remove(key)?;
        self.by_age.remove(&message.serial);
        self.octets -= message.cost(key);
        Some(message)
    }

    /// Whether the part is one of a message that was complete.
    fn was_complete(&self, key: &Key, part: &Held<T>) -> bool {
        // The latest with this reference counts: references are used again.
        let message = self.complete.iter().rev().find(|complete| complete.key == *key);
        let digest = message.and_then(|complete| complete.digests.get(usize::from(part.number) - 1));
        // Once a new message has begun under the reference, its parts are its own.
        digest == Some(&digest_of(&part.user_data)) && !self.messages.contains_key(key)
    }

    fn remember(&mut self, now: Instant, key: Key, message: &Message<T>) {
        let digests = message.parts.iter().map(|part| digest_of(&part.user_data)).collect();
        let complete = Complete { key, at: now, digests };
        self.remembered += complete.cost();
        self.complete.push_back(complete);
        while self.complete.len() > self.limits.messages || self.remembered > self.limits.octets {
            self.forget_oldest();
        }
    }

    /// Complete messages are remembered as long as one would wait for them.
    fn forget(&mut self, now: Instant) {
        while self.complete.front().is_some_and(|complete| now - complete.at >= self.limits.age) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(complete) = self.complete.pop_front() {
            self.remembered -= complete.cost();
        }
    }
}

impl Complete {
    fn cost(&self) -> usize {
        size_of::<Self>() + self.key.len() + size_of_val(&*self.digests)
    }
}

impl<T> Message<T> {
    /// The sender.
    pub fn source(&self) -> Address<'_, 65> {
        self.source.address()
    }

    /// The recipient.
    pub fn destination(&self) -> Address<'_, 65> {
        self.destination.address()
    }

    /// What its parts share.
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// How many parts it has: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// When its first part came.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Whether all parts are there.
    pub fn is_complete(&self) -> bool {
        self.parts.len() == usize::from(self.total)
    }

    /// The parts that are there, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.parts.iter().map(Held::part)
    }

    /// The octets of the parts that are there, without their headers.
    pub fn octets(&self) -> Vec<u8> {
        self.parts().flat_map(|part| part.octets).copied().collect()
    }

    /// The text of the parts that are there: see [`Codings::decode_parts`]. The `data_coding` is that of the first.
    pub fn text(&self, codings: Codings) -> Option<String> {
        let data_coding = self.parts.first()?.data_coding;
        codings.decode_parts(data_coding, self.parts().map(|part| (part.header, part.octets)))
    }

    /// The tags of the parts that are there, in the parts' order.
    pub fn into_tags(self) -> impl Iterator<Item = T> {
        self.parts.into_iter().map(|part| part.tag)
    }

    /// Where the part with the number is, or would be.
    fn find(&self, number: u8) -> Result<usize, usize> {
        self.parts.binary_search_by_key(&number, |part| part.number)
    }

    fn cost(&self, key: &Key) -> usize {
        Self::cost_of_key(key) + self.parts.iter().map(Held::cost).sum::<usize>()
    }

    /// What it takes to hold a message without its parts. The key is in both maps, the addresses in the message.
    fn cost_of_key(key: &Key) -> usize {
        size_of::<Self>() + 2 * size_of::<Key>() + size_of::<u64>() + 3 * key.len()
    }
}

impl<T> Held<T> {
    fn new(number: u8, user_data: &UserData<'_>, tag: T) -> Self {
        let UserData { header, octets, data_coding, .. } = *user_data;
        let header_octets = header.map(|header| (header.octets() as u8 - 1, header.as_bytes()));
        let mut user_data = Vec::with_capacity(header.map_or(0, |header| header.octets()) + octets.len());
        if let Some((length, elements)) = header_octets {
            user_data.push(length);
            user_data.extend_from_slice(elements);
        }
        let header = user_data.len();
        user_data.extend_from_slice(octets);
        Self { number, data_coding, header, user_data: user_data.into(), tag }
    }

    fn part(&self) -> Part<'_> {
        let Self { number, data_coding, header, user_data, .. } = self;
        let (header, octets) = match udh::split(user_data) {
            Ok((header, octets)) if self.header > 0 => (Some(header), octets),
            _ => (None, user_data.get(*header..).unwrap_or_default()),
        };
        Part { number: *number, header, octets, data_coding: *data_coding }
    }

    fn cost(&self) -> usize {
        size_of::<Self>() + self.user_data.len()
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

fn key(part: MessagePart, source: &Party, destination: &Party) -> Key {
    let (kind, reference) = match part.reference {
        Reference::Udh(ConcatRef::Narrow(reference)) => (0, reference.into()),
        Reference::Udh(ConcatRef::Wide(reference)) => (1, reference),
        Reference::Sar(reference) => (2, reference),
    };
    let [high, low] = reference.to_be_bytes();
    let mut key = Vec::with_capacity(10 + source.digits.len() + destination.digits.len());
    key.extend_from_slice(&[kind, high, low, part.total]);
    for Party { ton, npi, digits } in [source, destination] {
        key.extend_from_slice(&[ton.0, npi.0]);
        key.extend_from_slice(digits);
        // Digits contain none.
        key.push(0);
    }
    key.into()
}

/// FNV-1a of 64 bits: whoever makes two parts collide loses a part of their own message.
fn digest_of(octets: &[u8]) -> u64 {
    octets.iter().fold(0xCBF2_9CE4_8422_2325, |digest, octet| {
        (digest ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Addresses and text are somebody's: what kind of message it is, and no more.
impl<T> fmt::Debug for Message<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.parts.iter().map(|part| part.number).collect();
        f.debug_struct("Message")
            .field("reference", &self.reference)
            .field("total", &self.total)
            .field("numbers", &numbers)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Unkept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unkept").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Unkept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            WhyUnkept::Full => "the part was not taken: no more messages or octets may be held",
            WhyUnkept::TooLarge => "the part was not taken: it alone has more octets than may be held",
        })
    }
}

impl<T> core::error::Error for Unkept<T> {}

#[cfg(test)]
mod tests;
