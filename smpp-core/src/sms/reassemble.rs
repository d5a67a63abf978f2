//! Messages that come in parts, put together again.

mod message;
mod shelf;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use super::user_data::{SegmentInfo, UserData};
use crate::pdu::Address;
use crate::time::Instant;

use message::{Held, Key, Parts};
pub use message::{MessageIdentity, ReassembledMessage, ReceivedSegment};
use shelf::{Shelf, Weigh};

/// What a [`Reassembler`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReassemblyLimits {
    /// Messages that are not complete: 1,000 unless said otherwise. So many complete ones are remembered, to tell a
    /// part that comes again.
    pub max_messages: usize,
    /// Octets of all parts held, what it takes to hold them included: 1 MiB unless said otherwise. At most as many
    /// again remember complete messages.
    pub max_octets: usize,
    /// How long to wait for the rest of a message, from its first part on: 10 minutes unless said otherwise.
    pub max_age: Duration,
    /// How long a complete message is remembered, to tell a part that comes again: 2 minutes unless said otherwise.
    ///
    /// Within that time a sender who uses the reference again, for a message that has a part in common with the one
    /// before, cannot be told from an SMSC that repeats it: the part counts as a duplicate. So keep it short; none at
    /// all if a part that comes again may as well start a message that is never complete.
    pub duplicate_window: Duration,
}

/// Puts messages together whose parts come in any order, repeated, and mixed with others', as
/// [`UserData::segment`] tells them apart: by source, destination, reference and total (3GPP TS 23.040 §9.2.3.24.1).
///
/// Nothing is dropped in silence. A part is kept, or handed back with the reason; what has waited too long comes out of
/// [`handle_timeout`](Self::handle_timeout). Each part brings a tag `T` of the caller's: it comes back with the whole,
/// with what is dropped, or at once.
///
/// A token to answer the deliver_sm with can be the tag: the SMSC then keeps each part until the whole is taken. That
/// is for an SMSC that sends the next part before the one before is answered, and for an [`age`](ReassemblyLimits::max_age) below
/// the time that it waits for an answer. With others, answer each part as it is kept.
///
/// ```
/// use smpp_core::session::Instant;
/// use smpp_core::sms::{Codings, ConcatRef, ReassemblyLimits, Pushed, Reassembler, Text};
/// use smpp_core::{Address, SubmitSm};
///
/// let (source, destination) = (Address::international("6591234567")?, Address::alphanumeric("8x8")?);
/// let text = "A long text is cut into parts. ".repeat(8);
/// let mut parts: Vec<_> = Text::new(&text).segments(ConcatRef::Wide(7))?.submissions(SubmitSm::default()).collect();
/// parts.reverse();
///
/// let mut reassembler = Reassembler::new(ReassemblyLimits::default());
/// for (number, part) in parts.iter().enumerate() {
///     let user_data = part.submit_sm().user_data()?;
///     match reassembler.push(Instant::ZERO, source, destination, &user_data, number)? {
///         Pushed::Complete(message) => {
///             assert_eq!(message.text(Codings::default()).as_deref(), Some(&text[..]));
///             assert_eq!(message.into_tags().collect::<Vec<_>>(), [1, 0], "in the order of the text");
///         }
///         other => assert!(matches!(other, Pushed::Stored { segments: 1, total: 2, .. })),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reassembler<T = ()> {
    limits: ReassemblyLimits,
    waiting: Shelf<Parts<T>>,
    complete: Shelf<Complete>,
}

/// What became of a part.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pushed<T> {
    /// It is no part of a longer message, or one of a number that there cannot be: the caller has all of it.
    Standalone(T),
    /// It is kept until the others come.
    Stored {
        /// Parts that are there now.
        segments: u8,
        /// Parts that there will be.
        total: u8,
        /// An unfinished message with the same reference, of which this part is not: it has waited too long, or has
        /// another part of this number and can never be completed. The part has begun a new one.
        superseded: Option<ReassembledMessage<T>>,
    },
    /// It was here already, octet for octet: in a message that waits for others, or that became complete within
    /// [`ReassemblyLimits::duplicate_window`]. Answer it as the first time: the SMSC has missed that answer.
    Duplicate(T),
    /// It was the last that was missing.
    Complete(ReassembledMessage<T>),
}

/// A part that was not taken, with the caller's tag. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PushError<T> {
    /// The tag given.
    pub tag: T,
    /// Why.
    pub reason: PushErrorReason,
}

/// Why a part was not taken. One that completes its message always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushErrorReason {
    /// The limit of messages or octets is reached. Let the SMSC keep it (`ESME_RX_T_APPN`), or make room with
    /// [`evict`](Reassembler::evict) and try again.
    Full,
    /// The message would have more octets than may be held, with this part and nothing else. Trying again is no use.
    TooLarge,
}

/// A message that was complete: a digest of each part.
#[derive(Debug)]
struct Complete {
    at: Instant,
    digests: Box<[u64]>,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self {
            max_messages: 1_000,
            max_octets: 1024 * 1024,
            max_age: Duration::from_secs(600),
            duplicate_window: Duration::from_secs(120),
        }
    }
}

impl<T> Reassembler<T> {
    /// Nothing held yet.
    pub const fn new(limits: ReassemblyLimits) -> Self {
        Self { limits, waiting: Shelf::new(), complete: Shelf::new() }
    }

    /// Takes the user data of a message.
    ///
    /// Take what is too old out of [`handle_timeout`](Self::handle_timeout) first: here it still takes room.
    pub fn push<const N: usize, const M: usize>(
        &mut self,
        now: Instant,
        source: Address<'_, N>,
        destination: Address<'_, M>,
        user_data: &UserData<'_>,
        tag: T,
    ) -> Result<Pushed<T>, PushError<T>> {
        let makes_sense = |part: &SegmentInfo| (1..=part.total).contains(&part.number);
        let Some(part) = user_data.segment.filter(makes_sense) else { return Ok(Pushed::Standalone(tag)) };
        let key = Key::new(source, destination, part);
        let held = Held::new(part.number, user_data, tag);
        self.forget(now);
        let waiting = self.waiting.get(&key);
        let same = waiting.and_then(|parts| parts.get(part.number));
        let is_too_old = waiting.is_some_and(|parts| self.deadline(parts) <= now);
        let is_repeated = match (waiting, same) {
            (Some(_), Some(same)) => !is_too_old && same.user_data == held.user_data,
            (Some(_), None) => false,
            (None, _) => self.complete.get(&key).is_some_and(|complete| complete.has(&held)),
        };
        if is_repeated {
            return Ok(Pushed::Duplicate(held.tag));
        }
        let begins_anew = is_too_old || same.is_some();
        let parts = 1 + waiting.filter(|_| !begins_anew).map_or(0, Parts::count);
        // Whoever is the last needs no room: it ends the wait of the others.
        if parts < part.total
            && let Err(why) = self.room(&key, begins_anew, held.weight())
        {
            return Err(PushError { tag: held.tag, reason: why });
        }
        let removed = if begins_anew || parts == part.total { self.waiting.remove(&key) } else { None };
        // The latest message under a reference counts: references are used again.
        self.complete.remove(&key);
        if parts < part.total {
            self.keep(now, key, held);
            let superseded = removed.map(ReassembledMessage::from);
            return Ok(Pushed::Stored { segments: parts, total: part.total, superseded });
        }
        let (key, mut whole) = removed.unwrap_or_else(|| (key, Parts::new(now)));
        whole.add(held);
        self.remember(now, key.clone(), &whole);
        Ok(Pushed::Complete((key, whole).into()))
    }

    /// A message that has waited too long for its other parts. Call again until it gives none.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ReassembledMessage<T>> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.evict()
    }

    /// When the oldest message will have waited too long.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.oldest().map(|parts| self.deadline(parts))
    }

    /// The oldest message, given up to make room: it is the least likely to be completed.
    ///
    /// Without it, whoever sends enough first parts keeps out all others until these are too old.
    pub fn evict(&mut self) -> Option<ReassembledMessage<T>> {
        self.waiting.remove_oldest().map(ReassembledMessage::from)
    }

    /// A complete message was not taken after all: parts of it that come again are not repeated ones, but begin it
    /// anew.
    ///
    /// ```
    /// use smpp_core::session::Instant;
    /// use smpp_core::sms::{ConcatRef, ReassemblyLimits, Pushed, Reassembler, Text};
    /// use smpp_core::{Address, SubmitSm};
    ///
    /// let sender = Address::international("6591234567")?;
    /// let text = "A long text is cut into parts. ".repeat(8);
    /// let parts: Vec<_> = Text::new(&text).segments(ConcatRef::Wide(7))?.submissions(SubmitSm::default()).collect();
    /// let mut reassembler = Reassembler::new(ReassemblyLimits::default());
    /// let mut push = |reassembler: &mut Reassembler, part: usize| {
    ///     let part = parts[part].submit_sm();
    ///     reassembler.push(Instant::ZERO, sender, sender, &part.user_data().unwrap(), ()).unwrap()
    /// };
    /// push(&mut reassembler, 0);
    /// let Pushed::Complete(message) = push(&mut reassembler, 1) else { unreachable!() };
    /// assert!(matches!(push(&mut reassembler, 0), Pushed::Duplicate(())));
    /// reassembler.forget_completed(&message.identity());
    /// assert!(matches!(push(&mut reassembler, 0), Pushed::Stored { segments: 1, .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forget_completed(&mut self, message: &MessageIdentity) {
        self.complete.remove(&message.0);
    }

    /// Messages that wait for parts.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no message waits for parts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets held, as [`ReassemblyLimits::max_octets`] counts them.
    pub const fn octets(&self) -> usize {
        self.waiting.weight()
    }

    fn deadline(&self, parts: &Parts<T>) -> Instant {
        parts.began + self.limits.max_age
    }

    /// Whether a part of this weight can be kept, with the others of its message or instead of them.
    fn room(&self, key: &Key, begins_anew: bool, part: usize) -> Result<(), PushErrorReason> {
        let ReassemblyLimits { max_messages: messages, max_octets: octets, .. } = self.limits;
        let waiting = self.waiting.get(key).map(|parts| Shelf::weight_of(key, parts));
        let message = part
            + match waiting {
                Some(others) if !begins_anew => others,
                _ => Shelf::<Parts<T>>::overhead(key),
            };
        if message > octets || messages == 0 {
            return Err(PushErrorReason::TooLarge);
        }
        let full = waiting.is_none() && self.len() >= messages;
        if full || self.octets() - waiting.unwrap_or(0) + message > octets {
            Err(PushErrorReason::Full)
        } else {
            Ok(())
        }
    }

    fn keep(&mut self, now: Instant, key: Key, part: Held<T>) {
        if let Err(part) = self.waiting.change(&key, part, Parts::add) {
            let mut parts = Parts::new(now);
            parts.add(part);
            self.waiting.insert(key, parts);
        }
    }

    fn remember(&mut self, now: Instant, key: Key, whole: &Parts<T>) {
        self.complete.insert(key, Complete { at: now, digests: whole.digests() });
        while self.complete.len() > self.limits.max_messages
            || self.complete.weight() > self.limits.max_octets
        {
            self.complete.remove_oldest();
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.complete.oldest().is_some_and(|complete| now - complete.at >= self.limits.duplicate_window)
        {
            self.complete.remove_oldest();
        }
    }
}

impl Complete {
    fn has<T>(&self, part: &Held<T>) -> bool {
        self.digests.get(usize::from(part.number) - 1) == Some(&part.digest())
    }
}

impl Weigh for Complete {
    fn weight(&self) -> usize {
        size_of_val(&*self.digests)
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("why", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            PushErrorReason::Full => "the part was not taken: no more messages or octets may be held",
            PushErrorReason::TooLarge => {
                "the part was not taken: its message would have more octets than may be held"
            }
        })
    }
}

impl<T> core::error::Error for PushError<T> {}
