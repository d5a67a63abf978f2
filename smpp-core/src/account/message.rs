//! The messages that an account sends.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::error::SubmitError;
use super::options::{Options, UnansweredPolicy};
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, Pdu, RegisteredDelivery, SubmitSm};
use crate::sms::{Submission, Text};
use crate::wire::{Quirks, Tolerance};

/// A message to send: a `submit_sm`, with a text or octets of any length.
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
/// assert!(!format!("{code:?}").contains("123456"), "Debug does not show the text");
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone)]
pub struct Message {
    template: Frame<Vec<u8>>,
    content: Content,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Duration>,
    pub(super) in_order: bool,
    pub(super) unanswered_policy: Option<UnansweredPolicy>,
}

#[derive(Clone)]
enum Content {
    /// The template's own content.
    Template,
    Text(String),
    Octets(Vec<u8>),
}

/// Which messages the account sends first. Within one priority, the older message goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After all others, for example newsletters.
    Low,
    /// The usual priority.
    #[default]
    Normal,
    /// Before all others, for example one-time passwords.
    High,
}

impl Message {
    fn new(template: &SubmitSm<'_>, content: Content) -> Self {
        Self {
            template: encode(template),
            content,
            priority: Priority::default(),
            deadline: None,
            in_order: false,
            unanswered_policy: None,
        }
    }

    /// Creates a message of one `submit_sm` that is sent as it is.
    pub fn submit_sm(message: &SubmitSm<'_>) -> Self {
        Self::new(message, Content::Template)
    }

    /// Creates a message with a text of any length. The text replaces the template's own content: see
    /// [`Segments::submissions`](crate::sms::Segments::submissions).
    pub fn text(template: &SubmitSm<'_>, text: impl Into<String>) -> Self {
        Self::new(template, Content::Text(text.into()))
    }

    /// Creates a message with eight-bit data of any length, with the `data_coding`
    /// [`OCTETS`](crate::DataCoding::OCTETS). It is split into segments like a text.
    pub fn octets(template: &SubmitSm<'_>, octets: impl Into<Vec<u8>>) -> Self {
        Self::new(template, Content::Octets(octets.into()))
    }

    /// Sets the priority. Default [`Priority::Normal`].
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Limits how long the message waits to be sent, from when the account accepted it. A segment that is in flight at
    /// the deadline still gets its response, and is not resent. Default no deadline.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Sends the message in order with the other in-order messages to the same destination, regardless of their
    /// priorities: each ends before the next is sent. It costs a round trip for each message.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// Sets what the account does about a segment that was sent and got no response, instead of
    /// [`Options::unanswered_policy`].
    #[must_use]
    pub fn unanswered_policy(self, policy: UnansweredPolicy) -> Self {
        Self { unanswered_policy: Some(policy), ..self }
    }

    /// Returns the `submit_sm` that the message was made from.
    pub fn template(&self) -> SubmitSm<'_> {
        decode(&self.template)
    }

    /// Returns whether the message requests delivery receipts, final or intermediate (SMPP 3.4 §5.2.17).
    pub fn asks_for_receipts(&self) -> bool {
        asks_for_receipts(&self.template())
    }

    /// Splits the message into segments, and encodes a PDU for each.
    pub(super) fn segments(
        &self,
        options: &Options,
        reference: u16,
    ) -> Result<Vec<Frame<Vec<u8>>>, SubmitError> {
        let text = match &self.content {
            Content::Template => return Ok(alloc::vec![self.template.clone()]),
            Content::Text(text) => options.text.text(text).map_err(SubmitError::Text)?,
            Content::Octets(octets) => Text::octets(octets),
        };
        let segments =
            text.segments(options.long_messages.segmentation(reference)).map_err(SubmitError::Segments)?;
        let on_last = options.receipts.dialect.request_on_last_segment;
        let frame = |submission: Submission<'_>| {
            let mut submit_sm = submission.submit_sm();
            if on_last && submission.segment().number() < submission.segment().total() {
                submit_sm.registered_delivery.remove(RECEIPT_REQUEST);
            }
            encode(&submit_sm)
        };
        Ok(segments.submissions(self.template()).map(frame).collect())
    }
}

/// Omits addresses and text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("priority", &self.priority)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The bits that request a final receipt or intermediate notifications.
const RECEIPT_REQUEST: RegisteredDelivery = RegisteredDelivery::from_bits_retain(0b1_0011);

pub(super) fn asks_for_receipts(message: &SubmitSm<'_>) -> bool {
    message.registered_delivery.intersects(RECEIPT_REQUEST)
}

/// Encodes a `submit_sm`. The session sets the sequence number later.
fn encode(message: &SubmitSm<'_>) -> Frame<Vec<u8>> {
    Frame::encode(&Pdu::SubmitSm(*message), CommandStatus::ROK, SequenceNumber::FIRST)
}

/// Decodes the `submit_sm` that [`encode`] encoded.
pub(super) fn decode(frame: &Frame<Vec<u8>>) -> SubmitSm<'_> {
    match frame.pdu(Tolerance(Quirks::all())) {
        Ok((Pdu::SubmitSm(message), _)) => message,
        // Unreachable: the frame was encoded from a submit_sm.
        _ => SubmitSm::default(),
    }
}
