//! The errors of sending a message and waiting for its receipts.

use core::fmt;

use super::message_key::MessageKey;
use super::outcome::{MessageNumber, MessageOutcome};
use crate::pdu::CommandStatus;
use crate::session::{Refusal, RefusedResponse};
use crate::sms::{SegmentError, TextError};

/// Why the account did not accept a message. Nothing was sent: resending is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// The queue has no capacity for all its segments now. Retry after the next outcome.
    Full,
    /// It has more segments than [`Options::queue_capacity`](super::Options::queue_capacity).
    TooManySegments {
        /// How many segments it has.
        segments: usize,
    },
    /// Its [key](super::Message::key) has more than [`MessageKey::MAX_OCTETS`].
    KeyTooLong {
        /// How many octets it has.
        octets: usize,
    },
    /// No alphabet of [`Options::text`](super::Options::text) can express the text.
    Text(TextError),
    /// The text cannot be split into segments.
    Segments(SegmentError),
    /// The account is being shut down.
    ShutDown,
    /// The SMSC refuses the account's credentials ([`Event::Stopped`](super::Event::Stopped)), and no bind is left that
    /// could send.
    Stopped,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the queue is full: retry after the next outcome",
            Self::TooManySegments { segments } => {
                return write!(
                    f,
                    "the message has {segments} segments, more than queue_capacity: shorten it or raise the limit"
                );
            }
            Self::KeyTooLong { octets } => {
                return write!(f, "the key has {octets} octets, more than {}: shorten it", MessageKey::MAX_OCTETS);
            }
            Self::Text(error) => return error.fmt(f),
            Self::Segments(error) => return error.fmt(f),
            Self::ShutDown => "the account is being shut down: send the message with another account",
            Self::Stopped => {
                "the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it"
            }
        })
    }
}

impl core::error::Error for SubmitError {}

/// Why a message was not accepted, or not all of it. Adapters return it to the caller that waits for the outcome.
///
/// ```
/// use smpp_core::account::{SendError, SubmitError};
///
/// assert!(SendError::NotAccepted(SubmitError::ShutDown).is_safe_to_resend());
/// assert!(!SendError::DriverGone.is_safe_to_resend());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The account did not accept it: nothing was sent.
    NotAccepted(SubmitError),
    /// The SMSC did not accept all its segments.
    Failed {
        /// The message. [`Event::LateOutcome`](super::Event::LateOutcome) has the same number if an unanswered segment gets
        /// its response late.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// How it ended, segment by segment.
        outcome: MessageOutcome,
    },
    /// The runtime or thread that drove the account is gone, or the message was
    /// [released](super::EventRouter::release): the SMSC may have accepted it.
    DriverGone,
}

impl SendError {
    /// Returns whether resending the message cannot duplicate a segment: the account did not accept the message, or its
    /// [outcome](MessageOutcome::is_safe_to_resend) says so. `DriverGone` is not safe.
    #[doc(alias = "retry")]
    pub fn is_safe_to_resend(&self) -> bool {
        match self {
            Self::NotAccepted(_) => true,
            Self::Failed { outcome, .. } => outcome.is_safe_to_resend(),
            Self::DriverGone => false,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAccepted(error) => write!(f, "the account did not accept the message: {error}"),
            Self::Failed { outcome, .. } => match outcome.result() {
                Err(outcome) => outcome.fmt(f),
                Ok(_) => f.write_str("accepted"),
            },
            Self::DriverGone => f.write_str(
                "the runtime or thread that drove the account is gone; the SMSC may have accepted the message",
            ),
        }
    }
}

impl core::error::Error for SendError {}

/// Why no further receipt of a message will arrive. Adapters return it to the caller that waits for receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMoreReceipts {
    /// The message did not request any.
    NotRequested,
    /// They arrive through the adapter's `Arrivals`: [`Message::receipts_to`](super::Message::receipts_to).
    ToArrivals,
    /// The final receipt has been returned.
    AllReceived,
    /// It did not arrive within [`max_age`](super::ReceiptOptions::max_age), the account exceeded
    /// [`capacity`](super::ReceiptOptions::capacity), or the SMSC accepted a segment without an id that a receipt could
    /// name. A receipt that arrives later comes out of the adapter's `Arrivals`.
    NotReceived,
    /// The account ended before it arrived.
    Closed,
}

impl fmt::Display for NoMoreReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRequested => "the message requested no receipts: set registered_delivery",
            Self::ToArrivals => "the receipts of the message arrive through Arrivals: see Message::receipts_to",
            Self::AllReceived => "all receipts have been returned",
            Self::NotReceived => "the receipt did not arrive in time",
            Self::Closed => "the account ended before the receipt arrived",
        })
    }
}

impl core::error::Error for NoMoreReceipts {}

/// Why the account has no first bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstBindError {
    /// The SMSC refuses the account's credentials. The account has stopped.
    Refused {
        /// The status of the bind response.
        status: CommandStatus,
        /// The bind response, with its TLVs.
        response: RefusedResponse,
    },
    /// The server's certificate is not trusted, and the host has no further address to try. The account keeps retrying.
    Untrusted,
}

/// Why a delivery was not acknowledged or refused as the caller requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// A bind on which it arrived has ended. The SMSC has received no response there, and redelivers it.
    BindEnded(Refusal),
    /// It has been acknowledged before: **the SMSC does not redeliver it**, and this process has the only copy. Returned
    /// for a receipt that was acknowledged when it arrived, because the message's [`ReceiptDestination`] is its `Sent`,
    /// and for a concatenated message that is refused, if a segment of it was acknowledged after
    /// [`Options::segment_ack_timeout`].
    ///
    /// [`ReceiptDestination`]: super::ReceiptDestination
    /// [`Options::segment_ack_timeout`]: super::Options::segment_ack_timeout
    AlreadyAcknowledged,
}

impl From<Refusal> for AckError {
    fn from(refusal: Refusal) -> Self {
        Self::BindEnded(refusal)
    }
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BindEnded(refusal) => write!(f, "no response was sent, and the SMSC redelivers it: {refusal}"),
            Self::AlreadyAcknowledged => f.write_str(
                "it has been acknowledged before, and the SMSC does not redeliver it: store it, or refuse only what is \
                 not acknowledged yet (Message::receipts_to, Options::segment_ack_timeout)",
            ),
        }
    }
}

impl core::error::Error for AckError {}
