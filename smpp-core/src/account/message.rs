//! What is sent, and what becomes of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::options::Options;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, Pdu, SubmitSm};
use crate::session::{NotSentReason, RequestError, UnansweredReason};
use crate::sms::{SegmentError, Text, TextError};
use crate::wire::{Quirks, Tolerance};

/// A message to send: a `submit_sm`, and a text or octets of any length to go with it.
///
/// ```
/// use core::time::Duration;
/// use smpp_core::account::{Message, Priority};
/// use smpp_core::{Address, RegisteredDelivery, SubmitSm};
///
/// let template = SubmitSm {
///     source: Address::alphanumeric("8x8")?,
///     destination: Address::international("6591234567")?,
///     registered_delivery: RegisteredDelivery::RECEIPT,
///     ..SubmitSm::default()
/// };
/// let code = Message::text(&template, "Your code is 123456")
///     .priority(Priority::High)
///     .deadline(Duration::from_secs(60));
/// assert!(!format!("{code:?}").contains("123456"), "texts are nobody's business");
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone)]
pub struct Message {
    template: Frame<Vec<u8>>,
    content: Content,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Duration>,
    pub(super) in_order: bool,
    pub(super) unanswered: Option<UnansweredPolicy>,
}

#[derive(Clone)]
enum Content {
    /// What the template has.
    AsIs,
    Text(String),
    Octets(Vec<u8>),
}

/// Which messages go first. Among those of one priority, the older ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After all others: newsletters.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before all others: one-time passwords.
    High,
}

/// What to do about a part that was sent and not answered: the SMSC may have accepted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnansweredPolicy {
    /// Say so, and leave it to the caller.
    #[default]
    Report,
    /// Send it again, so many times: **it may arrive twice**. If none of them is accepted, the part counts as unanswered
    /// whatever the later ones are answered: the SMSC may have accepted the first.
    Resend(u16),
}

/// The account's own number of a message, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub(super) u64);

/// The SMSC's id of a part of a message, as it sent it (SMPP 3.4 §5.2.23).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Vec<u8>);

/// How a message ended, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// One for each part, in the order of the text.
    pub segments: Vec<SegmentOutcome>,
}

/// How a part of a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentOutcome {
    /// The SMSC has taken it.
    Accepted(MessageId),
    /// The SMSC has not, and says why.
    Refused(CommandStatus),
    /// The SMSC does not understand it: generic_nack (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// It was never sent as a whole: safe to send again.
    NeverSent(SegmentNotSentReason),
    /// It was sent and not answered: the SMSC may have accepted it.
    Unanswered(UnansweredReason),
}

/// Why a part of a message was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentNotSentReason {
    /// No session can send it: it is too long, or needs what the SMSC does not offer.
    Request(NotSentReason),
    /// Its [deadline](Message::deadline) passed.
    Expired,
    /// Another part of the message was not accepted.
    Abandoned,
    /// It was [cancelled](super::Account::cancel).
    Cancelled,
    /// The account was shut down first.
    ShutDown,
    /// The SMSC refuses the account: there is no bind, and there will be none.
    Stopped,
}

/// Why a message was not taken. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// The queue has no room for all its parts now. Try again after the next outcome.
    Full,
    /// It has more parts than the queue will ever have room for.
    TooManySegments {
        /// How many it has.
        segments: usize,
    },
    /// The text cannot be sent in any alphabet of [`Options::text`].
    Text(TextError),
    /// The text cannot be cut into parts.
    Segments(SegmentError),
    /// The account is being shut down.
    ShutDown,
    /// The SMSC refuses the account.
    Stopped,
}

impl Message {
    fn new(template: &SubmitSm<'_>, content: Content) -> Self {
        Self {
            template: frame(template),
            content,
            priority: Priority::default(),
            deadline: None,
            in_order: false,
            unanswered: None,
        }
    }

    /// A `submit_sm` that goes as it is.
    pub fn submit_sm(message: &SubmitSm<'_>) -> Self {
        Self::new(message, Content::AsIs)
    }

    /// A text of any length. What `template` says of the text itself is not looked at: see
    /// [`Segments::submissions`](crate::sms::Segments::submissions).
    pub fn text(template: &SubmitSm<'_>, text: impl Into<String>) -> Self {
        Self::new(template, Content::Text(text.into()))
    }

    /// Eight-bit data of any length, with the `data_coding` [`OCTETS`](crate::DataCoding::OCTETS), cut like a text.
    pub fn octets(template: &SubmitSm<'_>, octets: impl Into<Vec<u8>>) -> Self {
        Self::new(template, Content::Octets(octets.into()))
    }

    /// Which messages it goes before.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// How long it may wait to be sent, from when the account has taken it. What is in flight then still gets its
    /// answer, and is not sent again.
    #[must_use]
    pub fn deadline(self, within: Duration) -> Self {
        Self { deadline: Some(within), ..self }
    }

    /// In order with the other messages to the same destination that say so: each is answered before the next is
    /// sent, whatever their priorities. It costs a round trip for each message.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// What to do about a part that was sent and not answered, instead of [`Options::unanswered_policy`].
    #[must_use]
    pub fn unanswered_policy(self, policy: UnansweredPolicy) -> Self {
        Self { unanswered: Some(policy), ..self }
    }

    /// The `submit_sm` that it was made from.
    pub fn template(&self) -> SubmitSm<'_> {
        submit_sm(&self.template)
    }

    /// Whether it asks for delivery receipts, final or intermediate (SMPP 3.4 §5.2.17).
    pub fn asks_for_receipts(&self) -> bool {
        asks_for_receipts(&self.template())
    }

    /// A PDU for each part.
    pub(super) fn parts(
        &self,
        options: &Options,
        reference: u16,
    ) -> Result<Vec<Frame<Vec<u8>>>, SubmitError> {
        let text = match &self.content {
            Content::AsIs => return Ok(alloc::vec![self.template.clone()]),
            Content::Text(text) => options.text.text(text).map_err(SubmitError::Text)?,
            Content::Octets(octets) => Text::octets(octets),
        };
        let segments =
            text.segments(options.long_messages.segmentation(reference)).map_err(SubmitError::Segments)?;
        Ok(segments.submissions(self.template()).map(|part| frame(&part.submit_sm())).collect())
    }
}

pub(super) fn asks_for_receipts(message: &SubmitSm<'_>) -> bool {
    message.registered_delivery.bits() & 0b1_0011 != 0
}

/// A PDU without a number.
fn frame(message: &SubmitSm<'_>) -> Frame<Vec<u8>> {
    Frame::encode(&Pdu::SubmitSm(*message), CommandStatus::ROK, SequenceNumber::FIRST)
}

/// What such a PDU was made from.
pub(super) fn submit_sm(frame: &Frame<Vec<u8>>) -> SubmitSm<'_> {
    match frame.pdu(Tolerance(Quirks::all())) {
        Ok((Pdu::SubmitSm(message), _)) => message,
        // It was encoded from one.
        _ => SubmitSm::default(),
    }
}

/// Addresses and text are somebody's.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("priority", &self.priority)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl MessageId {
    pub(super) fn new(octets: &[u8]) -> Self {
        Self(octets.into())
    }

    /// The octets, at most 64 of a peer that keeps to the specification.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What is not printable ASCII is escaped.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MessageOutcome {
    /// The ids of all parts if all were accepted. Otherwise the gravest that happened to a part: unanswered before
    /// refused before never sent.
    pub fn result(&self) -> Result<Vec<&MessageId>, &SegmentOutcome> {
        match self.segments.iter().max_by_key(|fate| fate.gravity()) {
            Some(fate) if fate.gravity() > 0 => Err(fate),
            _ => Ok(self.ids().collect()),
        }
    }

    /// The ids of the parts that were accepted.
    pub fn ids(&self) -> impl Iterator<Item = &MessageId> {
        self.segments.iter().filter_map(|fate| match fate {
            SegmentOutcome::Accepted(id) => Some(id),
            _ => None,
        })
    }

    /// Whether sending the message again cannot make any part of it go twice: none was accepted, none may have been.
    pub fn is_safe_to_resend(&self) -> bool {
        !self
            .segments
            .iter()
            .any(|fate| matches!(fate, SegmentOutcome::Accepted(_) | SegmentOutcome::Unanswered(_)))
    }
}

impl SegmentOutcome {
    pub(super) const fn gravity(&self) -> u8 {
        match self {
            Self::Accepted(_) => 0,
            Self::NeverSent(_) => 1,
            Self::Refused(_) | Self::Nacked(_) => 2,
            Self::Unanswered(_) => 3,
        }
    }

    /// Whether the SMSC has taken it.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

impl From<RequestError> for SegmentOutcome {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(status) => Self::Refused(status),
            RequestError::Nacked(status) => Self::Nacked(status),
            RequestError::NeverSent(why) => Self::NeverSent(SegmentNotSentReason::Request(why)),
            RequestError::Unanswered(cause) => Self::Unanswered(cause),
        }
    }
}

impl fmt::Display for SegmentOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(id) => write!(f, "accepted as {id}"),
            Self::Refused(status) => RequestError::Refused(*status).fmt(f),
            Self::Nacked(status) => RequestError::Nacked(*status).fmt(f),
            Self::NeverSent(why) => write!(f, "not sent: {why}"),
            Self::Unanswered(cause) => RequestError::Unanswered(*cause).fmt(f),
        }
    }
}

impl core::error::Error for SegmentOutcome {}

impl fmt::Display for SegmentNotSentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(why) => return why.fmt(f),
            Self::Expired => "its deadline passed",
            Self::Abandoned => "another part of the message was not accepted",
            Self::Cancelled => "it was cancelled",
            Self::ShutDown => "the account was shut down",
            Self::Stopped => "the SMSC refuses the account",
        })
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the queue is full: try again after the next outcome",
            Self::TooManySegments { segments: parts } => {
                return write!(f, "the message has {parts} parts, more than the queue has room for");
            }
            Self::Text(error) => return error.fmt(f),
            Self::Segments(error) => return error.fmt(f),
            Self::ShutDown => "the account is being shut down",
            Self::Stopped => "the SMSC refuses the account",
        })
    }
}

impl core::error::Error for SubmitError {}

/// Why a message was not sent, or not all of it: what an adapter tells who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The account did not take it: nothing was sent.
    NotAccepted(SubmitError),
    /// Not all parts were accepted: what became of each.
    Failed {
        /// Which message.
        message: MessageNumber,
        /// How it ended, part by part.
        outcome: MessageOutcome,
    },
    /// What drove the account is gone, a runtime or a thread: the message may have been sent.
    DriverGone,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAccepted(why) => write!(f, "not taken: {why}"),
            Self::Failed { outcome, .. } => match outcome.result() {
                Err(fate) => fate.fmt(f),
                Ok(_) => f.write_str("accepted"),
            },
            Self::DriverGone => f.write_str("what drove the account is gone; the message may have been sent"),
        }
    }
}

impl core::error::Error for SendError {}
