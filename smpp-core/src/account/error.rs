//! The errors of sending a message and waiting for its receipts.

use alloc::string::String;
use core::fmt;

use super::message_key::MessageKey;
use super::outcome::{MessageNumber, MessageOutcome};
use crate::pdu::{CommandId, CommandStatus, DataCoding, MessageClass, MessageState};
use crate::session::{Refusal, RefusedResponse};
use crate::sms::{SegmentError, TextError, Unencodable};

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
    /// The text cannot be split into segments, or [`Message::header`](super::Message::header) does not fit.
    Segments(SegmentError),
    /// The `data_coding` or the message class that the message states cannot be sent.
    DataCoding(DataCodingError),
    /// The template of a text has a field that the text replaces.
    Template(TemplateField),
    /// The message is a whole PDU, which is sent as it is, and states a class, ports or a header beside it.
    SentAsItIs,
    /// The provider does not take this operation:
    /// [`Config::operations`](crate::session::Config::operations) of [`Options::session`](super::Options::session).
    Unsupported(CommandId),
    /// The account is being shut down.
    ShutDown,
    /// The account has stopped ([`Event::Stopped`](super::Event::Stopped)): the SMSC refuses its credentials and no bind is
    /// left that could send, or the SMSC refused a message with a status that stops the account.
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
            Self::DataCoding(error) => return error.fmt(f),
            Self::Template(field) => return field.fmt(f),
            Self::SentAsItIs => {
                "a message made of a whole PDU is sent as it is: state the class in its data_coding, and write ports \
                 and other header elements into its own user data header"
            }
            Self::Unsupported(command) => {
                return write!(
                    f,
                    "the provider does not take {command}: send another operation, or add it to \
                     Options::session.operations"
                );
            }
            Self::ShutDown => "the account is being shut down: send the message with another account",
            Self::Stopped => {
                "the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it"
            }
        })
    }
}

impl core::error::Error for SubmitError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Text(error) => Some(error),
            Self::Segments(error) => Some(error),
            Self::DataCoding(error) => Some(error),
            Self::Template(field) => Some(field),
            _ => None,
        }
    }
}

/// Why the `data_coding` or the message class that a message states cannot be sent. A `data_coding` of 0 states nothing: the
/// account chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataCodingError {
    /// The template of a text states a `data_coding` of binary data, or a reserved one.
    NotText {
        /// The `data_coding`.
        data_coding: DataCoding,
    },
    /// The text has a character that the alphabet of its `data_coding` lacks.
    Unencodable {
        /// The `data_coding`: of the template, with the class of the message.
        data_coding: DataCoding,
        /// The first such character.
        unencodable: Unencodable,
    },
    /// The template and the prepared text state different values.
    Conflict {
        /// That of the template.
        template: DataCoding,
        /// That of the text.
        text: DataCoding,
    },
    /// [`Message::class`](super::Message::class) contradicts the `data_coding`, or no value means its alphabet and a class:
    /// a class goes with GSM 7-bit, UCS-2 and octets.
    Class {
        /// The `data_coding` of the template or of the prepared text.
        data_coding: DataCoding,
        /// The class of the message.
        class: MessageClass,
    },
    /// The octets are text by the template's `data_coding`, and need several segments: one could end inside a character.
    Split {
        /// The `data_coding`.
        data_coding: DataCoding,
        /// How many segments the octets need.
        segments: usize,
    },
}

impl fmt::Display for DataCodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText { data_coding } => write!(
                f,
                "data_coding {:#04x} of the template is not for text: leave it at 0, so that the account chooses it, or \
                 send Message::octets",
                data_coding.0
            ),
            Self::Unencodable { data_coding, unencodable: Unencodable { character, position } } => write!(
                f,
                "data_coding {:#04x} has no {character:?}, at byte {position} of the text: replace the character, or \
                 leave data_coding at 0, so that the account chooses it",
                data_coding.0
            ),
            Self::Conflict { template, text } => write!(
                f,
                "the template states data_coding {:#04x}, and the prepared text {:#04x}: leave that of the template at 0",
                template.0, text.0
            ),
            Self::Class { data_coding, class } => write!(
                f,
                "no data_coding states class {} and means what {:#04x} does: leave data_coding at 0, so that the account \
                 chooses it, or do not call Message::class",
                *class as u8, data_coding.0
            ),
            Self::Split { data_coding, segments } => write!(
                f,
                "octets with data_coding {:#04x} are text and need {segments} segments, which could cut a character: send \
                 Message::text, or Message::prepared with the segments' data_coding",
                data_coding.0
            ),
        }
    }
}

impl core::error::Error for DataCodingError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unencodable { unencodable, .. } => Some(unencodable),
            _ => None,
        }
    }
}

/// A field of a template that describes another content than the text or octets of the message. The account does not drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateField {
    /// `short_message` is not empty.
    ShortMessage,
    /// `sm_default_msg_id` selects a canned message.
    SmDefaultMsgId,
    /// There is a `message_payload`.
    MessagePayload,
    /// There are sar_ parameters.
    Sar,
    /// `esm_class` has UDHI: the content begins with a user data header.
    UserDataHeader,
    /// `replace_if_present_flag` is set, and the text has several segments: each would replace the one before.
    ReplaceIfPresent,
}

impl fmt::Display for TemplateField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShortMessage => {
                "the template has a short_message beside the text: leave it empty, or send it with Message::submit_sm"
            }
            Self::SmDefaultMsgId => {
                "the template selects a canned message beside the text: set sm_default_msg_id to 0, or send it with \
                 Message::submit_sm"
            }
            Self::MessagePayload => {
                "the template has a message_payload beside the text: remove it, or send it with Message::submit_sm"
            }
            Self::Sar => {
                "the template has sar_ parameters, which the account writes itself: remove them, or send each segment \
                 with Message::submit_sm"
            }
            Self::UserDataHeader => {
                "the template states a user data header: clear UDHI in its esm_class, and add the elements with \
                 Message::header"
            }
            Self::ReplaceIfPresent => {
                "replace_if_present_flag is set and the text has several segments, each of which would replace the one \
                 before: shorten the text, or clear the flag"
            }
        })
    }
}

impl core::error::Error for TemplateField {}

/// Why a message was not accepted, or not all of it. Adapters return it to the caller that waits for the outcome.
///
/// ```
/// use smpp_proto::account::{SendError, SubmitError};
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
    #[non_exhaustive]
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

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotAccepted(error) => Some(error),
            Self::Failed { outcome, .. } => outcome.result().err().map(|outcome| outcome as _),
            Self::DriverGone => None,
        }
    }
}

/// Why no further receipt of a message will arrive. Adapters return it to the caller that waits for receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMoreReceipts {
    /// The message did not request any.
    NotRequested,
    /// They arrive through the adapter's `Arrivals`: [`Message::receipts_to`](super::Message::receipts_to). The receipts of a
    /// [`submit_multi`](super::Message::submit_multi) do if the account cannot match them.
    ToArrivals,
    /// The final receipt has been returned. One that changes the final state may still arrive: see
    /// [`EventRouter::poll_receipt`](super::EventRouter::poll_receipt).
    AllReceived,
    /// It did not arrive within [`max_age`](super::ReceiptOptions::max_age), the account exceeded
    /// [`capacity`](super::ReceiptOptions::capacity), or the SMSC accepted a segment without an id that a receipt could
    /// name, or refused every recipient of a submit_multi. A receipt that arrives later comes out of the adapter's `Arrivals`.
    NotReceived,
    /// The account ended before it arrived.
    Closed,
}

impl fmt::Display for NoMoreReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRequested => "the message requested no receipts: set registered_delivery",
            Self::ToArrivals => {
                "the receipts of the message arrive through Arrivals: it says so with Message::receipts_to, or it is a \
                 submit_multi whose receipts cannot be matched"
            }
            Self::AllReceived => "all receipts have been returned",
            Self::NotReceived => "the receipt did not arrive in time",
            Self::Closed => "the account ended before the receipt arrived",
        })
    }
}

impl core::error::Error for NoMoreReceipts {}

/// What is known of the receipts of a message when its outcome is returned:
/// [`EventRouter::poll_last_outcome`](super::EventRouter::poll_last_outcome).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedReceipts {
    /// Some may still arrive, or have arrived and do not report the state of the message yet.
    Open,
    /// The first receipt that the caller has not fetched reports this state of the message: what
    /// [`poll_message_state`](super::EventRouter::poll_message_state) would return now.
    State(MessageState),
    /// None will arrive, and the message is released.
    None(NoMoreReceipts),
}

/// Why the account has no first bind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstBindError {
    /// The SMSC refuses the account's credentials. The account has stopped.
    #[non_exhaustive]
    Refused {
        /// Where the SMSC is: scheme, host and port. `None` if the group of the bind has no endpoint.
        endpoint: Option<String>,
        /// The system_id that it refuses.
        system_id: String,
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

impl core::error::Error for AckError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::BindEnded(refusal) => Some(refusal),
            _ => None,
        }
    }
}
