//! The events of an account as an operator sees them: one type with `Display`.

use core::fmt;

use super::event::{Event, StopCause};
use super::link::{BindId, LinkEvent, LinkId};
use super::message_key::MessageKey;
use super::outcome::{MessageNumber, SegmentOutcome};
use crate::diagnosis::refused_bind_advice;
use crate::pdu::CommandStatus;
use crate::session::{RefusedResponse, RequestError, UnansweredReason, fmt_refused};

/// What an operator wants to see of an account: an entry of its event stream.
///
/// An adapter's `Account::events()` returns a receiver of the stream. The stream has the events of all connections and of
/// the account in the order in which they happened. It has an event for each message that fails or is in doubt, and none for
/// a message that goes well.
///
/// `Display` is one line for a log: what happened, where, and what the account does next. Neither `Display` nor `Debug` shows
/// passwords, texts or phone numbers. Both show what the SMSC says with a refusal. `Debug` shows the keys of messages.
///
/// ```
/// use smpp_proto::account::{AccountEvent, LinkEvent};
///
/// fn alert(event: &AccountEvent) {
///     match event {
///         AccountEvent::Link { link, event: LinkEvent::Closed { retry_in: Some(delay), .. }, .. } => {
///             println!("link {link} is down for {delay:?} at least");
///         }
///         AccountEvent::MessageInDoubt { message, .. } => println!("message {message} may have been accepted"),
///         AccountEvent::Lagged { lost, .. } => println!("{lost} events were lost"),
///         other => println!("{other}"),
///     }
/// }
/// # alert(&AccountEvent::Resumed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountEvent {
    /// Something happened on a connection: binding, bound, refused, throttled, paused, closed.
    #[non_exhaustive]
    Link {
        /// The connection slot.
        link: LinkId,
        /// What happened on it.
        event: LinkEvent,
    },
    /// A segment was handed to the transport: its octets may leave from now on, and until its outcome is known it is in doubt
    /// whether the SMSC has accepted it. For each attempt. Only receivers of the detailed stream get it: an adapter's
    /// `Account::detailed_events()`.
    #[non_exhaustive]
    HandedToTransport {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// The bind that sends it.
        bind: BindId,
    },
    /// A segment was sent and got no response: the SMSC may have accepted it.
    #[non_exhaustive]
    MessageInDoubt {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// The connection on which it was sent.
        link: LinkId,
        /// Why there is no response.
        reason: UnansweredReason,
        /// Whether the account resends it.
        resend: bool,
    },
    /// A message ended, and the SMSC did not accept all of it: refused, expired, cancelled, in doubt.
    #[non_exhaustive]
    MessageFailed {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The most severe outcome of its segments.
        outcome: SegmentOutcome,
        /// Whether resending the message cannot duplicate a segment.
        is_safe_to_resend: bool,
    },
    /// The SMSC responded to a segment after the message had ended as in doubt.
    #[non_exhaustive]
    LateOutcome {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// How the segment ended.
        outcome: SegmentOutcome,
    },
    /// An MO message is lost: the SMSC has an acknowledgement for some of its segments (see
    /// [`SegmentAckMode`](super::SegmentAckMode)) and delivers them no more, and no caller takes the message. Twice as many
    /// arrivals wait as the adapter may hold, or its arrivals are dropped.
    #[non_exhaustive]
    InboundMessageLost {
        /// The bind on which its last segment arrived.
        bind: BindId,
        /// How many of its segments had arrived.
        segments: usize,
    },
    /// The account no longer waits for delivery receipts of a message.
    #[non_exhaustive]
    ReceiptsExpired {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// How many segments have no final receipt.
        segments: usize,
    },
    /// The SMSC refused a bind or a message with a status that stops the account: it makes no further bind. See
    /// [`Event::Stopped`].
    #[non_exhaustive]
    Stopped {
        /// What the SMSC refused.
        cause: StopCause,
        /// The status of the response.
        status: CommandStatus,
        /// The response, with its TLVs.
        response: RefusedResponse,
    },
    /// After [`Stopped`](Self::Stopped), the account makes binds and sends messages again.
    Resumed,
    /// The account is shut down. This is the last event.
    #[non_exhaustive]
    Closed {
        /// How many messages are unresolved.
        unresolved: usize,
    },
    /// The receiver was too slow: the oldest events were dropped. The events that follow are the newer ones.
    #[non_exhaustive]
    Lagged {
        /// How many events this receiver has lost here.
        lost: u64,
    },
}

impl AccountEvent {
    /// Returns what an operator wants to see of an event; `None` for a message that goes well, also for
    /// [`Event::HandedToTransport`], a receipt or an arrival.
    pub fn new(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Link { link, event } => Self::Link { link: *link, event: event.clone() },
            Event::InDoubt { message, key, segment, link, reason, resend } => Self::MessageInDoubt {
                message: *message,
                key: key.clone(),
                segment: *segment,
                link: *link,
                reason: *reason,
                resend: *resend,
            },
            Event::Outcome { message, key, outcome, .. } => {
                let most_severe = outcome.segments.iter().max_by_key(|segment| segment.severity())?;
                if most_severe.is_accepted() {
                    return None;
                }
                Self::MessageFailed {
                    message: *message,
                    key: key.clone(),
                    outcome: most_severe.clone(),
                    is_safe_to_resend: outcome.is_safe_to_resend(),
                }
            }
            Event::LateOutcome { message, key, segment, outcome } => Self::LateOutcome {
                message: *message,
                key: key.clone(),
                segment: *segment,
                outcome: outcome.clone(),
            },
            // Without ids, perhaps no receipt was due.
            Event::ReceiptsExpired { message, key, ids } if !ids.is_empty() => {
                Self::ReceiptsExpired { message: *message, key: key.clone(), segments: ids.len() }
            }
            Event::Stopped { cause, status, response } => {
                Self::Stopped { cause: *cause, status: *status, response: response.clone() }
            }
            Event::Resumed => Self::Resumed,
            Event::Closed { unresolved } => Self::Closed { unresolved: unresolved.len() },
            Event::HandedToTransport { .. }
            | Event::RequestOutcome { .. }
            | Event::ReceiptsExpired { .. }
            | Event::Receipt { .. }
            | Event::Message { .. }
            | Event::Notification { .. } => return None,
        })
    }

    /// Returns a short name in `snake_case`, the same for all events of a variant, for filters and counters: `bound`,
    /// `link_closed`, `message_in_doubt`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Link { event, .. } => event.kind(),
            Self::HandedToTransport { .. } => "handed_to_transport",
            Self::MessageInDoubt { .. } => "message_in_doubt",
            Self::MessageFailed { .. } => "message_failed",
            Self::LateOutcome { .. } => "late_outcome",
            Self::InboundMessageLost { .. } => "inbound_message_lost",
            Self::ReceiptsExpired { .. } => "receipts_expired",
            Self::Stopped { .. } => "stopped",
            Self::Resumed => "account_resumed",
            Self::Closed { .. } => "closed",
            Self::Lagged { .. } => "lagged",
        }
    }

    /// Returns the connection slot; `None` if the event belongs to none.
    pub const fn link(&self) -> Option<LinkId> {
        match self {
            Self::Link { link, .. } | Self::MessageInDoubt { link, .. } => Some(*link),
            Self::HandedToTransport { bind, .. } | Self::InboundMessageLost { bind, .. } => Some(bind.link()),
            _ => None,
        }
    }

    /// Returns the message; `None` if the event belongs to none.
    pub const fn message(&self) -> Option<MessageNumber> {
        match self {
            Self::HandedToTransport { message, .. }
            | Self::MessageInDoubt { message, .. }
            | Self::MessageFailed { message, .. }
            | Self::LateOutcome { message, .. }
            | Self::ReceiptsExpired { message, .. } => Some(*message),
            _ => None,
        }
    }

    /// Returns the caller's own key of the message; `None` if the message has none, or the event belongs to no message.
    pub const fn key(&self) -> Option<&MessageKey> {
        match self {
            Self::HandedToTransport { key, .. }
            | Self::MessageInDoubt { key, .. }
            | Self::MessageFailed { key, .. }
            | Self::LateOutcome { key, .. }
            | Self::ReceiptsExpired { key, .. } => key.as_ref(),
            _ => None,
        }
    }

    /// Returns how many octets the event holds outside of itself, also of a key that others share.
    pub(super) fn heap_octets(&self) -> usize {
        self.response_octets() + self.key().map_or(0, |key| key.as_bytes().len())
    }

    fn response_octets(&self) -> usize {
        let response = |response: &RefusedResponse| response.frame().map_or(0, |frame| frame.octets().len());
        match self {
            Self::Link { event, .. } => match event {
                LinkEvent::BindRefused { error: RequestError::Refused { response: refused, .. }, .. } => {
                    response(refused)
                }
                LinkEvent::ResolveFailed { detail, .. } | LinkEvent::ConnectFailed { detail, .. } => {
                    detail.len()
                }
                _ => 0,
            },
            Self::MessageFailed { outcome, .. } | Self::LateOutcome { outcome, .. } => outcome.heap_octets(),
            Self::Stopped { response: refused, .. } => response(refused),
            _ => 0,
        }
    }
}

impl fmt::Display for AccountEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { link, event } => write!(f, "link {link}: {event}"),
            Self::HandedToTransport { message, segment, bind, .. } => {
                write!(
                    f,
                    "message {message}, segment {segment}: handed to the transport on link {}",
                    bind.link()
                )
            }
            Self::MessageInDoubt { message, segment, link, reason, resend, .. } => {
                let next = if *resend { "it is sent again" } else { "it is not sent again" };
                write!(
                    f,
                    "message {message}, segment {segment}: sent on link {link} without a response, the SMSC may have \
                     accepted it: {reason}; {next}"
                )
            }
            Self::MessageFailed { message, outcome, is_safe_to_resend, .. } => {
                let next =
                    if *is_safe_to_resend { "a resend is safe" } else { "a resend may deliver it twice" };
                write!(f, "message {message} failed: {outcome}; {next}")
            }
            Self::LateOutcome { message, segment, outcome, .. } => {
                write!(f, "message {message}, segment {segment}: late response: {outcome}")
            }
            Self::InboundMessageLost { bind, segments } => write!(
                f,
                "bind {bind}: {} of an inbound message lost: acknowledged in part, and no caller takes it; fetch the \
                 arrivals faster, or keep them",
                Counted(*segments as u64, "segment")
            ),
            Self::ReceiptsExpired { message, segments, .. } => {
                let segments = Counted(*segments as u64, "segment");
                write!(
                    f,
                    "message {message}: no final delivery receipt for {segments}; the account waits no longer"
                )
            }
            Self::Stopped { cause: StopCause::Bind, status, response } => {
                f.write_str("stopped, the account binds no more: bind ")?;
                fmt_refused(*status, response, f)?;
                write!(f, "; {}", refused_bind_advice(*status))
            }
            Self::Stopped { cause: StopCause::Message, status, response } => {
                f.write_str("stopped, the account sends no more: message ")?;
                fmt_refused(*status, response, f)?;
                f.write_str("; resume the account once the provider takes its messages")
            }
            Self::Resumed => f.write_str("resumed: the account binds and sends again"),
            Self::Closed { unresolved } => {
                write!(f, "the account is shut down, {} unresolved", Counted(*unresolved as u64, "message"))
            }
            Self::Lagged { lost } => {
                write!(f, "{} lost: the receiver reads too slowly", Counted(*lost, "event"))
            }
        }
    }
}

/// A number and its noun, in the plural if needed.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}
