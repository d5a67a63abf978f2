//! How messages and their segments end.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use core::{fmt, slice};

use super::link::BindId;
use super::message_key::MessageKey;
use super::per_segment::PerSegment;
use crate::pdu::CommandStatus;
use crate::session::{
    AcceptedResponse, NotSentReason, RefusedResponse, RequestError, Response, UnansweredReason, fmt_refused,
};
use crate::sms::digest;

/// The account's own number of a message. It is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub(super) u64);

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The SMSC's id of a segment, as the SMSC sent it (SMPP 3.4 §5.2.23).
///
/// A peer that follows the specification sends at most 64 octets. Of a longer id the account keeps the first 64 octets,
/// the length, and a digest of all octets (FNV-1a of 64 bits). Two ids of more than 38 octets are equal if their lengths and
/// digests are.
///
/// While the account waits for the receipts of a message, it keeps less of some ids: an id from
/// [`Event::ReceiptsExpired`](super::Event::ReceiptsExpired) or [`Unresolved`] has only its first 22 octets unless
/// [`is_whole`](Self::is_whole). It is whole if it has
///
/// - at most 42 octets,
/// - at most 52 letters and digits of ASCII with up to two other characters, each as often as it likes (a UUID with a suffix, Base64
///   without padding), or
/// - at most 64 digits, also hexadecimal with letters of one case.
///
/// So store ids from the [outcome](MessageOutcome), never from these two.
///
/// Ids of at most 38 octets have the order of their octets; longer ones follow, in no particular order.
#[derive(Clone)]
pub struct MessageId(IdOctets);

/// The octets: an id like a UUID (36 octets) needs no allocation.
#[derive(Clone)]
enum IdOctets {
    Inline {
        length: u8,
        octets: [u8; IdOctets::MAX_INLINE],
    },
    /// All octets of a longer id.
    Allocated(Box<[u8]>),
    Cut(Box<CutId>),
}

impl IdOctets {
    const MAX_INLINE: usize = 38;
}

/// An id of which only the first octets are kept.
#[derive(Clone)]
struct CutId {
    octets: Box<[u8]>,
    /// How many octets it had.
    length: u32,
    /// The digest of all of them.
    digest: u64,
}

/// What ids are compared by.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identity<'a> {
    Octets(&'a [u8]),
    /// The length and the digest of a longer id, all of which may be kept or not.
    Digest(u32, u64),
}

impl MessageId {
    /// The most octets of an id that are kept.
    const MAX_OCTETS: usize = 64;

    #[inline]
    pub(super) fn new(id: &[u8]) -> Self {
        let mut octets = [0; IdOctets::MAX_INLINE];
        if let Some(inline) = octets.get_mut(..id.len()) {
            inline.copy_from_slice(id);
            return Self(IdOctets::Inline { length: id.len() as u8, octets });
        }
        Self::long(id)
    }

    #[cold]
    fn long(id: &[u8]) -> Self {
        match id.get(..Self::MAX_OCTETS) {
            // A PDU has less than 2^32 octets.
            Some(first) if id.len() > Self::MAX_OCTETS => {
                Self::cut(first, id.len() as u32, digest(id.iter().copied()))
            }
            _ => Self(IdOctets::Allocated(id.into())),
        }
    }

    /// Makes an id of its first octets, its length and the digest of all octets, when it has more.
    pub(super) fn cut(octets: &[u8], length: u32, digest: u64) -> Self {
        Self(IdOctets::Cut(Box::new(CutId { octets: octets.into(), length, digest })))
    }

    fn identity(&self) -> Identity<'_> {
        match &self.0 {
            IdOctets::Inline { .. } => Identity::Octets(self.as_bytes()),
            IdOctets::Allocated(octets) => {
                Identity::Digest(octets.len() as u32, digest(octets.iter().copied()))
            }
            IdOctets::Cut(id) => Identity::Digest(id.length, id.digest),
        }
    }

    /// Returns the octets that are kept: if they are fewer than [`sent_length`](Self::sent_length), the first ones.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            IdOctets::Inline { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            IdOctets::Allocated(octets) => octets,
            IdOctets::Cut(id) => &id.octets,
        }
    }

    /// Returns whether all octets are kept: then it is the id that the SMSC gave.
    pub fn is_whole(&self) -> bool {
        self.as_bytes().len() == self.sent_length()
    }

    /// Returns how many octets the SMSC sent: more than [`as_bytes`](Self::as_bytes) has if only the first ones are kept.
    pub fn sent_length(&self) -> usize {
        match &self.0 {
            IdOctets::Cut(id) => id.length as usize,
            _ => self.as_bytes().len(),
        }
    }
}

impl PartialEq for MessageId {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for MessageId {}

impl PartialOrd for MessageId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MessageId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for MessageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Escapes octets that are not printable ASCII.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)?;
        if self.is_whole() { Ok(()) } else { write!(f, "... ({} octets)", self.sent_length()) }
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// How a message ended, segment by segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageOutcome {
    /// One outcome for each segment, in the order of the text.
    pub segments: PerSegment<SegmentOutcome>,
}

impl MessageOutcome {
    /// Returns the ids of all segments if the SMSC accepted all of them.
    ///
    /// # Errors
    ///
    /// The most severe outcome of a segment: [`Unanswered`](SegmentOutcome::Unanswered) before
    /// [`Refused`](SegmentOutcome::Refused) and [`Nacked`](SegmentOutcome::Nacked) before
    /// [`NeverSent`](SegmentOutcome::NeverSent).
    pub fn result(&self) -> Result<Vec<&MessageId>, &SegmentOutcome> {
        match self.segments.iter().max_by_key(|outcome| outcome.severity()) {
            Some(outcome) if outcome.severity() > 0 => Err(outcome),
            _ => Ok(self.ids().collect()),
        }
    }

    /// Returns the ids of the segments that the SMSC accepted.
    pub fn ids(&self) -> impl Iterator<Item = &MessageId> {
        self.segments.iter().filter_map(SegmentOutcome::id)
    }

    /// Returns the responses to the segments that the SMSC accepted: their TLVs, such as a price.
    pub fn responses(&self) -> impl Iterator<Item = &AcceptedResponse> {
        self.segments.iter().filter_map(SegmentOutcome::response)
    }

    /// Returns the binds that sent the segments that the SMSC accepted.
    pub fn binds(&self) -> impl Iterator<Item = BindId> {
        self.segments.iter().filter_map(SegmentOutcome::bind)
    }

    /// Creates the outcome of a message of one segment that was accepted with this id and nothing else.
    #[inline(always)]
    pub(super) fn accepted(id: &[u8], bind: BindId) -> Self {
        let (id, response) = (MessageId::new(id), AcceptedResponse::default());
        Self { segments: PerSegment::one(SegmentOutcome::Accepted { id, bind, response }) }
    }

    /// Returns whether the SMSC accepted all segments.
    #[inline]
    pub(super) fn is_accepted(&self) -> bool {
        self.segments.iter().all(SegmentOutcome::is_accepted)
    }

    /// Converts to the ids, binds and responses if the SMSC accepted all segments; otherwise returns the outcome.
    #[inline]
    pub(super) fn into_accepted(self) -> Result<AcceptedMessage, Self> {
        match self.segments.into_one() {
            Ok(SegmentOutcome::Accepted { id, bind, response }) => {
                Ok(AcceptedMessage(Segments::One { id, bind, response }))
            }
            Ok(other) => Err(Self { segments: PerSegment::one(other) }),
            Err(segments) => Self { segments }.into_several_accepted(),
        }
    }

    #[cold]
    fn into_several_accepted(self) -> Result<AcceptedMessage, Self> {
        if !self.is_accepted() {
            return Err(self);
        }
        Ok(AcceptedMessage(Segments::Several {
            binds: self.binds().collect(),
            ids: self.ids().cloned().collect(),
            responses: self.responses().cloned().collect(),
        }))
    }

    /// Returns whether resending the message cannot duplicate a segment: the SMSC accepted none, and left none
    /// unanswered.
    pub fn is_safe_to_resend(&self) -> bool {
        let may_be_accepted = |outcome: &SegmentOutcome| {
            outcome.is_accepted() || matches!(outcome, SegmentOutcome::Unanswered(_))
        };
        !self.segments.iter().any(may_be_accepted)
    }
}

/// What the SMSC returned for a message of which it accepted all segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMessage(Segments);

/// Most messages have one segment. They need no allocation, and are moved with their ticket: so it is small.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segments {
    One { id: MessageId, bind: BindId, response: AcceptedResponse },
    Several { ids: Box<[MessageId]>, binds: Box<[BindId]>, responses: Box<[AcceptedResponse]> },
}

impl AcceptedMessage {
    /// Returns the bind that sent the last segment. [`MessageRequest::bind`](super::MessageRequest::bind) asks about the message
    /// on the same bind.
    pub fn bind(&self) -> Option<BindId> {
        self.binds().last().copied()
    }

    /// Returns the bind that sent each segment, in the order of the text.
    pub fn binds(&self) -> &[BindId] {
        match &self.0 {
            Segments::One { bind, .. } => slice::from_ref(bind),
            Segments::Several { binds, .. } => binds,
        }
    }

    /// Returns the SMSC's ids of the segments, in the order of the text.
    pub fn ids(&self) -> &[MessageId] {
        match &self.0 {
            Segments::One { id, .. } => slice::from_ref(id),
            Segments::Several { ids, .. } => ids,
        }
    }

    /// Returns the response to each segment, in the order of the text: its TLVs, such as a price, and for a submit_multi
    /// the recipients that the SMSC refused.
    pub fn responses(&self) -> impl Iterator<Item = &AcceptedResponse> {
        match &self.0 {
            Segments::One { response, .. } => slice::from_ref(response),
            Segments::Several { responses, .. } => responses,
        }
        .iter()
    }
}

/// How a segment ended.
///
/// ```
/// use smpp_proto::account::SegmentOutcome;
///
/// use smpp_proto::tlv::Tag;
///
/// fn explain(outcome: &SegmentOutcome) {
///     match outcome {
///         SegmentOutcome::Accepted { id, response, .. } => println!("{id}, price {:?}", response.tlv(Tag(0x1400))),
///         SegmentOutcome::Refused { status, response } => {
///             println!("{status}: {:?}", response.additional_status_info_text());
///         }
///         other => println!("{other}"),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentOutcome {
    /// The SMSC accepted it.
    Accepted {
        /// The id that the SMSC gave it.
        id: MessageId,
        /// The bind that sent it. [`MessageRequest::bind`](super::MessageRequest::bind) asks about it on the same bind.
        bind: BindId,
        /// What else the response says: its TLVs, such as a price, and for a submit_multi the recipients that the SMSC
        /// refused.
        response: AcceptedResponse,
    },
    /// The SMSC refused it.
    Refused {
        /// The `command_status`, never `ESME_ROK`.
        status: CommandStatus,
        /// The response, with its TLVs.
        response: RefusedResponse,
    },
    /// The SMSC responded with generic_nack: it did not understand the PDU (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// It was never sent as a whole: resending it is safe.
    NeverSent(SegmentNotSentReason),
    /// It was sent and got no response: the SMSC may have accepted it, and resending it may duplicate it.
    Unanswered(UnansweredReason),
}

impl SegmentOutcome {
    /// Returns how many octets of PDUs it holds, its id included.
    pub(super) fn heap_octets(&self) -> usize {
        match self {
            Self::Accepted { id, response, .. } => {
                id.as_bytes().len() + response.frame().map_or(0, |frame| frame.octets().len())
            }
            Self::Refused { response, .. } => response.frame().map_or(0, |frame| frame.octets().len()),
            _ => 0,
        }
    }

    /// Returns the outcome of a segment that was accepted with this response, and the whole id.
    pub(super) fn accepted(bind: BindId, response: Response<&[u8]>) -> (&[u8], Self) {
        let (id, response) = response.into_accepted();
        (id, Self::Accepted { id: MessageId::new(id), bind, response })
    }

    /// Orders outcomes: 0 is accepted, 3 is in doubt.
    pub(super) const fn severity(&self) -> u8 {
        match self {
            Self::Accepted { .. } => 0,
            Self::NeverSent(_) => 1,
            Self::Refused { .. } | Self::Nacked(_) => 2,
            Self::Unanswered(_) => 3,
        }
    }

    /// Returns whether the SMSC accepted the segment.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }

    /// Returns the id that the SMSC gave the segment, if it accepted it.
    pub const fn id(&self) -> Option<&MessageId> {
        match self {
            Self::Accepted { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Returns the bind that sent the segment, if the SMSC accepted it.
    pub const fn bind(&self) -> Option<BindId> {
        match self {
            Self::Accepted { bind, .. } => Some(*bind),
            _ => None,
        }
    }

    /// Returns the response to the segment, if the SMSC accepted it.
    pub const fn response(&self) -> Option<&AcceptedResponse> {
        match self {
            Self::Accepted { response, .. } => Some(response),
            _ => None,
        }
    }

    /// Returns the `command_status` with which the SMSC refused the segment, if it did.
    pub const fn status(&self) -> Option<CommandStatus> {
        match self {
            Self::Refused { status, .. } | Self::Nacked(status) => Some(*status),
            Self::Accepted { .. } | Self::NeverSent(_) | Self::Unanswered(_) => None,
        }
    }
}

impl From<RequestError> for SegmentOutcome {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused { status, response } => Self::Refused { status, response },
            RequestError::Nacked(status) => Self::Nacked(status),
            RequestError::NeverSent(reason) => Self::NeverSent(SegmentNotSentReason::Request(reason)),
            RequestError::Unanswered(reason) => Self::Unanswered(reason),
        }
    }
}

impl fmt::Display for SegmentOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { id, .. } => write!(f, "accepted as {id}"),
            Self::Refused { status, response } => fmt_refused(*status, response, f),
            Self::Nacked(status) => RequestError::Nacked(*status).fmt(f),
            Self::NeverSent(reason) => write!(f, "not sent: {reason}"),
            Self::Unanswered(reason) => RequestError::Unanswered(*reason).fmt(f),
        }
    }
}

impl core::error::Error for SegmentOutcome {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NeverSent(reason) => Some(reason),
            Self::Unanswered(reason) => Some(reason),
            Self::Accepted { .. } | Self::Refused { .. } | Self::Nacked(_) => None,
        }
    }
}

/// Why the account never sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentNotSentReason {
    /// No session can send it: it is too long, or needs an operation or a version that the SMSC does not offer.
    Request(NotSentReason),
    /// Its [deadline](super::Message::deadline) passed.
    Expired,
    /// Another segment of the message was not accepted, or not in time.
    Abandoned,
    /// The caller [cancelled](super::Account::cancel) the message.
    Cancelled,
    /// The caller [shut the account down](super::Account::shutdown) before it was sent.
    ShutDown,
    /// The account has stopped ([`Event::Stopped`](super::Event::Stopped)): the SMSC refuses its credentials and it has no
    /// bind, or refused a message with a status that stops it.
    Stopped,
    /// The [bind that the message names](super::Message::bind) ended before the segment was sent.
    BindEnded,
}

impl fmt::Display for SegmentNotSentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(reason) => return reason.fmt(f),
            Self::Expired => "the message's deadline passed",
            Self::Abandoned => "another segment of the message was not accepted",
            Self::Cancelled => "the message was cancelled",
            Self::ShutDown => "the account was shut down",
            Self::Stopped => "the account has stopped: the SMSC refuses its credentials, or its messages",
            Self::BindEnded => "the bind that the message names has ended",
        })
    }
}

impl core::error::Error for SegmentNotSentReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(reason) => Some(reason),
            _ => None,
        }
    }
}

/// A message that the account left unresolved when it was shut down.
///
/// Messages that had ended before the shutdown began are not among them: their outcomes were reported earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unresolved {
    /// It ended after the shutdown began, and the SMSC did not accept all of it. The account emitted the same outcome in
    /// [`Event::Outcome`](super::Event::Outcome).
    #[non_exhaustive]
    NotAccepted {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// How it ended, segment by segment.
        outcome: MessageOutcome,
    },
    /// The SMSC accepted it, and its final receipts have not arrived. The SMSC delivers them on the next bind that
    /// receives.
    #[non_exhaustive]
    NoReceipt {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The ids of its segments without a final receipt. [Some](MessageId) are not whole: do not pass these to
        /// [`Expected::id`](super::Expected::id).
        ids: Vec<MessageId>,
    },
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotAccepted { message, key, .. } | Self::NoReceipt { message, key, .. }) = self;
        write!(f, "message {message}")?;
        if let Some(key) = key {
            write!(f, " (key {key})")?;
        }
        match self {
            Self::NotAccepted { outcome, .. } => {
                let (accepted, all) = (outcome.ids().count(), outcome.segments.len());
                if accepted > 0 {
                    write!(f, ": {accepted} of {all} segments accepted")?;
                }
                match outcome.result() {
                    Ok(_) => Ok(()),
                    Err(outcome) => write!(f, ": {outcome}"),
                }
            }
            Self::NoReceipt { ids, .. } => {
                f.write_str(" was accepted; without a final receipt: ")?;
                match &ids[..] {
                    [] => f.write_str("no segment"),
                    [only] => only.fmt(f),
                    [first, _] => write!(f, "{first} and one more"),
                    [first, others @ ..] => write!(f, "{first} and {} more", others.len()),
                }
            }
        }
    }
}
