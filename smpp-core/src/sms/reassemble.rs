//! Reassembling concatenated messages.

mod key;
mod message;
mod store;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;

use super::user_data::{SegmentInfo, UserData};
use crate::pdu::Address;
use crate::time::Instant;

use key::MessageKey;
use message::{Digests, MISSING, StoredSegment, StoredSegments};
pub use message::{MessageIdentity, ReassembledMessage, ReceivedSegment};
use store::{MemoryCost, MessageStore};

/// The limits of a [`Reassembler`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReassemblyLimits {
    /// The maximum number of incomplete messages. Default: 1,000.
    ///
    /// The reassembler remembers at most as many completed messages, in order to detect duplicate segments. If there are
    /// more, the sender with the most forgets its oldest.
    pub max_messages: usize,
    /// The maximum memory of all stored segments in octets, including the overhead of storing them. Default: 1 MiB.
    ///
    /// The record of completed messages takes at most as many octets again.
    pub max_octets: usize,
    /// The maximum number of incomplete messages of one sender, so that a sender of many first segments does not keep out
    /// the others. Default: 50.
    pub max_messages_per_sender: usize,
    /// The maximum memory of the stored segments of one sender in octets, including the overhead of storing them.
    /// Default: 128 KiB. One message of 255 segments takes about 52 KiB.
    pub max_octets_per_sender: usize,
    /// How long to wait for the missing segments of a message, counted from its first segment. Default: 10 minutes.
    pub max_age: Duration,
    /// How long to remember a completed message in order to detect duplicate segments. Default: 2 minutes.
    ///
    /// Keep it short. If a sender reuses a reference within this time, and a segment of the new message equals the
    /// segment of the same number in the old one, the reassembler cannot distinguish it from a segment that the SMSC
    /// sends again, and reports it as a duplicate. Zero disables the detection: a repeated segment then starts a
    /// message that is never completed.
    pub duplicate_window: Duration,
}

impl ReassemblyLimits {
    /// The default, for constants.
    pub const DEFAULT: Self = Self {
        max_messages: 1_000,
        max_octets: 1024 * 1024,
        max_messages_per_sender: 50,
        max_octets_per_sender: 128 * 1024,
        max_age: Duration::from_secs(600),
        duplicate_window: Duration::from_secs(120),
    };

    crate::setters! {
        const max_messages: usize,
        const max_octets: usize,
        const max_messages_per_sender: usize,
        const max_octets_per_sender: usize,
        const max_age: Duration,
        const duplicate_window: Duration,
    }
}

/// Reassembles concatenated messages (long SMS) from segments that arrive in any order, repeatedly, and mixed with
/// those of other messages.
///
/// Segments belong to the same message if they have the same source, destination, reference and total number of
/// segments (3GPP TS 23.040 §9.2.3.24.1); [`UserData::segment`] has the last two.
///
/// No segment is dropped silently. [`push`](Self::push) stores a segment or returns an error with the reason;
/// [`handle_timeout`](Self::handle_timeout) returns messages that have waited too long. The caller passes a tag `T`
/// with each segment. The reassembler returns the tag with the completed message, with the message that timed out or
/// was evicted, or at once.
///
/// # When a limit is reached
///
/// [`push`](Self::push) stores nothing then and returns [`PushError`]. Either let the SMSC keep the segment, or make room:
/// [`evict_for`](Self::evict_for) returns the oldest incomplete message of the same sender if the limits of one sender
/// are reached, and the oldest of all senders otherwise. Respond to its segments with an error, so that the SMSC keeps
/// them, or use what is there; then push the segment again.
///
/// # When to acknowledge segments
///
/// By default, acknowledge each `deliver_sm` as soon as its segment is stored.
///
/// To make the SMSC keep all segments until the message is complete, pass the token that responds to the `deliver_sm`
/// as the tag, and respond with the tags of the completed message. This works only with an SMSC that sends the next
/// segment before the previous one is acknowledged. It also needs a [`max_age`](ReassemblyLimits::max_age) below the
/// SMSC's response timeout.
///
/// # Example
///
/// ```
/// use smpp_proto::session::Instant;
/// use smpp_proto::sms::{Codings, Pushed, Reassembler, ReassemblyLimits, Text};
/// use smpp_proto::sms::udh::ConcatRef;
/// use smpp_proto::{Address, SubmitSm};
///
/// let (source, destination) = (Address::international("6591234567")?, Address::alphanumeric("8x8")?);
/// let text = "A long text is split into segments. ".repeat(8);
/// let mut segments: Vec<_> =
///     Text::new(&text).segments(ConcatRef::Wide(7))?.submissions(SubmitSm::default()).collect();
/// segments.reverse();
///
/// let mut reassembler = Reassembler::new(ReassemblyLimits::default());
/// for (tag, segment) in segments.iter().enumerate() {
///     let user_data = segment.submit_sm().user_data()?;
///     match reassembler.push(Instant::ZERO, source, destination, &user_data, tag)? {
///         Pushed::Complete(message) => {
///             assert_eq!(message.text(Codings::default()).as_deref(), Some(&text[..]));
///             assert_eq!(message.into_tags().collect::<Vec<_>>(), [1, 0], "in the order of the segments");
///         }
///         other => assert!(matches!(other, Pushed::Stored { segments: 1, total: 2, .. })),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reassembler<T = ()> {
    limits: ReassemblyLimits,
    incomplete: MessageStore<StoredSegments<T>>,
    completed: MessageStore<CompletedMessage>,
}

/// The result of [`Reassembler::push`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Pushed<T> {
    /// The user data is not a segment of a concatenated message, or its segment number is not in `1..=total`. Nothing
    /// was stored: treat the user data as the whole message.
    Standalone(T),
    /// The segment was stored. Other segments of the message are still missing.
    Stored {
        /// The number of segments stored so far.
        segments: u8,
        /// The number of segments of the message.
        total: u8,
        /// An incomplete message with the same reference that this segment has replaced. Either it had waited too long,
        /// or it had a different segment of the same number and could never be completed.
        superseded: Option<ReassembledMessage<T>>,
    },
    /// The same segment, octet for octet, was received before: for an incomplete message, or for one that was completed
    /// within [`ReassemblyLimits::duplicate_window`].
    ///
    /// Respond to it as before: the SMSC has not received the first response.
    Duplicate {
        /// The caller's tag of the repeated segment.
        tag: T,
        /// The message. [`Reassembler::tag`] returns the tag of the first copy while the message is incomplete.
        message: MessageIdentity,
        /// The segment number.
        number: u8,
    },
    /// The segment was the last missing one.
    Complete(ReassembledMessage<T>),
}

/// The error of [`Reassembler::push`]: the segment was not stored, and the reassembler is unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct PushError<T> {
    /// The caller's tag of the segment.
    pub tag: T,
    /// Why the segment was not stored.
    pub reason: PushErrorReason,
    message: MessageIdentity,
}

/// Why a segment was not stored. The segment that completes a message is always accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushErrorReason {
    /// [`max_messages`](ReassemblyLimits::max_messages) or [`max_octets`](ReassemblyLimits::max_octets) is reached.
    ///
    /// Respond with `ESME_RX_T_APPN` so that the SMSC sends the segment again later, or call
    /// [`evict_for`](Reassembler::evict_for) and push it again.
    Full,
    /// [`max_messages_per_sender`](ReassemblyLimits::max_messages_per_sender) or
    /// [`max_octets_per_sender`](ReassemblyLimits::max_octets_per_sender) is reached. Respond as to [`Full`](Self::Full).
    SenderFull,
    /// The segments of this message alone would exceed [`max_octets`](ReassemblyLimits::max_octets) or
    /// [`max_octets_per_sender`](ReassemblyLimits::max_octets_per_sender). Pushing the segment again cannot succeed.
    TooLarge,
}

/// How many completed messages are forgotten in one call, so that no call takes long: more than one call records.
const FORGOTTEN_AT_ONCE: usize = 64;

/// A message that was returned: when, and a digest of each of its segments.
#[derive(Debug)]
struct CompletedMessage {
    at: Instant,
    digests: Digests,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<T> Reassembler<T> {
    /// Creates an empty reassembler.
    pub const fn new(limits: ReassemblyLimits) -> Self {
        Self::with_seed(limits, 0)
    }

    /// As [`new`](Self::new), with a random number for the hash table of messages: a sender that does not know it cannot
    /// choose references that slow the reassembler down. That matters for limits far above the default ones.
    pub const fn with_seed(limits: ReassemblyLimits, seed: u64) -> Self {
        Self { limits, incomplete: MessageStore::new(seed), completed: MessageStore::new(seed) }
    }

    /// Changes the limits for the segments that arrive from now on. Those that are held stay, even if they exceed the new
    /// limits, but no longer than the new [`max_age`](ReassemblyLimits::max_age).
    pub const fn set_limits(&mut self, limits: ReassemblyLimits) {
        self.limits = limits;
    }

    /// Adds the user data of one PDU, and returns the message if it is complete now.
    ///
    /// Call [`handle_timeout`](Self::handle_timeout) first: until then, messages that have waited too long still count
    /// against the limits.
    ///
    /// # Errors
    ///
    /// [`PushError`] if the segment does not complete a message and exceeds a limit.
    pub fn push<const N: usize, const M: usize>(
        &mut self,
        now: Instant,
        source: Address<'_, N>,
        destination: Address<'_, M>,
        user_data: &UserData<'_>,
        tag: T,
    ) -> Result<Pushed<T>, PushError<T>> {
        let is_valid = |info: &SegmentInfo| (1..=info.total).contains(&info.number);
        let Some(info) = user_data.segment.filter(is_valid) else { return Ok(Pushed::Standalone(tag)) };
        let key = MessageKey::new(source, destination, info);
        let segment = StoredSegment::new(info.number, user_data, tag);
        self.expire_completed(now);
        let message = self.incomplete.get(&key);
        let same_number = message.and_then(|message| message.get(info.number));
        let is_expired = message.is_some_and(|message| self.deadline(message) <= now);
        let is_duplicate = match (message, same_number) {
            (Some(_), Some(same)) => !is_expired && same.user_data == segment.user_data,
            (Some(_), None) => false,
            (None, _) => self.completed.get(&key).is_some_and(|completed| {
                now - completed.at < self.limits.duplicate_window && completed.contains(&segment)
            }),
        };
        if is_duplicate {
            return Ok(Pushed::Duplicate {
                tag: segment.tag,
                message: MessageIdentity(key),
                number: info.number,
            });
        }
        let starts_anew = is_expired || same_number.is_some();
        let segments = 1 + message.filter(|_| !starts_anew).map_or(0, StoredSegments::count);
        // The last missing segment needs no memory: its message leaves the store.
        if segments < info.total
            && let Err(reason) = self.check_limits(&key, starts_anew, segment.memory_octets())
        {
            return Err(PushError { tag: segment.tag, reason, message: MessageIdentity(key) });
        }
        let removed = if starts_anew || segments == info.total { self.incomplete.remove(&key) } else { None };
        // Senders reuse references: only the latest message with a reference counts.
        self.completed.remove(&key);
        if segments < info.total {
            self.store(now, key, segment);
            let superseded = removed.map(ReassembledMessage::from);
            return Ok(Pushed::Stored { segments, total: info.total, superseded });
        }
        let (key, message) = match removed {
            Some((key, mut message)) => {
                message.add(segment);
                (key, message)
            }
            None => (key, StoredSegments::new(now, segment)),
        };
        self.record_completed(now, &key, &message);
        Ok(Pushed::Complete((key, message).into()))
    }

    /// Removes and returns a message that has waited longer than [`max_age`](ReassemblyLimits::max_age) for its missing
    /// segments. Call it until it returns `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ReassembledMessage<T>> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.evict()
    }

    /// Returns when the oldest incomplete message times out; `None` if there is none.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.incomplete.oldest().map(|message| self.deadline(message))
    }

    /// Removes and returns the oldest incomplete message, whatever its sender.
    pub fn evict(&mut self) -> Option<ReassembledMessage<T>> {
        self.incomplete.remove_oldest().map(ReassembledMessage::from)
    }

    /// Removes and returns the incomplete message that makes room for a segment that was not stored: the oldest of the same
    /// sender after [`SenderFull`](PushErrorReason::SenderFull), the oldest of all after [`Full`](PushErrorReason::Full),
    /// but never the message that the segment belongs to. Then push the segment again, until it is stored: a long segment
    /// may need the room of several messages. `None` after [`TooLarge`](PushErrorReason::TooLarge).
    ///
    /// ```
    /// use smpp_proto::session::Instant;
    /// use smpp_proto::sms::{MessageReference, PushErrorReason, Reassembler, ReassemblyLimits, SegmentInfo, UserData};
    /// use smpp_proto::Address;
    ///
    /// let limits = ReassemblyLimits::default().max_messages_per_sender(2);
    /// let mut reassembler = Reassembler::new(limits);
    /// let mut push = |reassembler: &mut Reassembler<u16>, sender, reference| {
    ///     let source = Address::international(sender).unwrap();
    ///     let segment = SegmentInfo { reference: MessageReference::Sar(reference), total: 2, number: 1 };
    ///     let user_data = UserData::default().octets(b"Hi").segment(segment);
    ///     reassembler.push(Instant::ZERO, source, source, &user_data, reference)
    /// };
    /// for reference in 1..=2 {
    ///     push(&mut reassembler, "6591234567", reference)?;
    /// }
    /// assert!(push(&mut reassembler, "6587654321", 3).is_ok(), "another sender");
    /// let error = push(&mut reassembler, "6591234567", 4).unwrap_err();
    /// assert_eq!(error.reason, PushErrorReason::SenderFull);
    /// let evicted = reassembler.evict_for(&error).unwrap();
    /// assert_eq!(evicted.into_tags().collect::<Vec<_>>(), [1], "the oldest of this sender");
    /// assert!(push(&mut reassembler, "6591234567", 4).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evict_for(&mut self, error: &PushError<T>) -> Option<ReassembledMessage<T>> {
        let MessageIdentity(key) = &error.message;
        let removed = match error.reason {
            PushErrorReason::Full => self.incomplete.remove_oldest_but(key),
            PushErrorReason::SenderFull => self.incomplete.remove_oldest_of_sender_but(key),
            PushErrorReason::TooLarge => None,
        };
        removed.map(ReassembledMessage::from)
    }

    /// Returns the tag of a segment of an incomplete message; `None` if the message is not incomplete or the segment was
    /// not received.
    pub fn tag(&self, message: &MessageIdentity, number: u8) -> Option<&T> {
        self.incomplete.get(&message.0)?.get(number).map(|segment| &segment.tag)
    }

    /// Records an incomplete message that the caller has used, so that its segments count as duplicates for
    /// [`duplicate_window`](ReassemblyLimits::duplicate_window), as those of a completed message do. A segment that was
    /// missing starts the message anew. Does nothing if a later message with the same reference is incomplete.
    pub fn record_incomplete(&mut self, now: Instant, message: &ReassembledMessage<T>) {
        if self.incomplete.get(&message.key).is_none() {
            self.record_completed(now, &message.key, &message.stored);
        }
    }

    /// Restarts the [`duplicate_window`](ReassemblyLimits::duplicate_window) of a completed message: it then counts from
    /// `now`, for example from the time at which the application has stored the message.
    pub fn renew_completed(&mut self, now: Instant, message: &MessageIdentity) {
        if let Some((key, completed)) = self.completed.remove(&message.0) {
            self.completed.insert(key, CompletedMessage { at: now, ..completed });
        }
    }

    /// Removes a completed message from the duplicate detection.
    ///
    /// Call it if the application rejects a completed message: when the SMSC sends the segments again, they start the
    /// message anew instead of counting as duplicates.
    ///
    /// ```
    /// use smpp_proto::session::Instant;
    /// use smpp_proto::sms::{Pushed, Reassembler, ReassemblyLimits, Text};
    /// use smpp_proto::sms::udh::ConcatRef;
    /// use smpp_proto::{Address, SubmitSm};
    ///
    /// let sender = Address::international("6591234567")?;
    /// let text = "A long text is split into segments. ".repeat(8);
    /// let segments: Vec<_> =
    ///     Text::new(&text).segments(ConcatRef::Wide(7))?.submissions(SubmitSm::default()).collect();
    /// let mut reassembler = Reassembler::new(ReassemblyLimits::default());
    /// let mut push = |reassembler: &mut Reassembler, index: usize| {
    ///     let submit_sm = segments[index].submit_sm();
    ///     reassembler.push(Instant::ZERO, sender, sender, &submit_sm.user_data().unwrap(), ()).unwrap()
    /// };
    /// push(&mut reassembler, 0);
    /// let Pushed::Complete(message) = push(&mut reassembler, 1) else { unreachable!() };
    /// assert!(matches!(push(&mut reassembler, 0), Pushed::Duplicate { number: 1, .. }));
    /// reassembler.forget_completed(&message.identity());
    /// assert!(matches!(push(&mut reassembler, 0), Pushed::Stored { segments: 1, .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forget_completed(&mut self, message: &MessageIdentity) {
        self.completed.remove(&message.0);
    }

    /// Returns the number of incomplete messages.
    pub fn len(&self) -> usize {
        self.incomplete.len()
    }

    /// Returns whether there is no incomplete message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the memory of all stored segments in octets, as [`ReassemblyLimits::max_octets`] counts it.
    pub const fn octets(&self) -> usize {
        self.incomplete.memory_octets()
    }

    fn deadline(&self, message: &StoredSegments<T>) -> Instant {
        message.started_at + self.limits.max_age
    }

    /// Checks whether a segment of `segment_octets` fits the limits: in addition to the stored segments of its message,
    /// or in their place if the message starts anew.
    fn check_limits(
        &self,
        key: &MessageKey,
        starts_anew: bool,
        segment_octets: usize,
    ) -> Result<(), PushErrorReason> {
        let limits = &self.limits;
        let stored = self.incomplete.get(key).map(|message| MessageStore::entry_octets(key, message));
        let needed = segment_octets
            + match stored {
                Some(stored) if !starts_anew => stored,
                _ => MessageStore::<StoredSegments<T>>::empty_entry_octets(key),
            };
        let max_messages = limits.max_messages.min(limits.max_messages_per_sender);
        if needed > limits.max_octets.min(limits.max_octets_per_sender) || max_messages == 0 {
            return Err(PushErrorReason::TooLarge);
        }
        let is_full = |messages: usize, octets: usize, max_messages: usize, max_octets: usize| {
            (stored.is_none() && messages >= max_messages)
                || octets - stored.unwrap_or(0) + needed > max_octets
        };
        let sender = self.incomplete.usage(key);
        let (messages, octets) = (limits.max_messages_per_sender, limits.max_octets_per_sender);
        if is_full(sender.messages, sender.octets, messages, octets) {
            Err(PushErrorReason::SenderFull)
        } else if is_full(self.len(), self.octets(), limits.max_messages, limits.max_octets) {
            Err(PushErrorReason::Full)
        } else {
            Ok(())
        }
    }

    fn store(&mut self, now: Instant, key: MessageKey, segment: StoredSegment<T>) {
        if let Err(segment) = self.incomplete.update(&key, segment, StoredSegments::add) {
            self.incomplete.insert(key, StoredSegments::new(now, segment));
        }
    }

    fn record_completed(&mut self, now: Instant, key: &MessageKey, message: &StoredSegments<T>) {
        let completed = CompletedMessage { at: now, digests: message.digests(key.total()) };
        self.completed.insert(key.clone(), completed);
        let ReassemblyLimits { max_messages, max_octets, .. } = self.limits;
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.completed.len() <= max_messages && self.completed.memory_octets() <= max_octets {
                break;
            }
            self.completed.remove_oldest_of_busiest();
        }
    }

    fn expire_completed(&mut self, now: Instant) {
        let window = self.limits.duplicate_window;
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.completed.oldest().is_none_or(|completed| now - completed.at < window) {
                break;
            }
            self.completed.remove_oldest();
        }
    }
}

impl CompletedMessage {
    fn contains<T>(&self, segment: &StoredSegment<T>) -> bool {
        let digest = segment.digest();
        digest != MISSING && self.digests.get(segment.number) == Some(digest)
    }
}

impl MemoryCost for CompletedMessage {
    fn memory_octets(&self) -> usize {
        self.digests.memory_octets()
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            PushErrorReason::Full => {
                "the segment was not stored: the limit of incomplete messages or octets is reached; \
                 evict a message or let the SMSC send the segment again later"
            }
            PushErrorReason::SenderFull => {
                "the segment was not stored: the limit of incomplete messages or octets of one sender is reached; \
                 evict a message of this sender or let the SMSC send the segment again later"
            }
            PushErrorReason::TooLarge => {
                "the segment was not stored: its message alone would exceed the limit of octets"
            }
        })
    }
}

impl<T> core::error::Error for PushError<T> {}
