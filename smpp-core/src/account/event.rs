//! The account's output: the actions for the adapter, and the events.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::ack::Ack;
use super::inbound_message::InboundMessage;
use super::link::{BindId, LinkEvent, LinkId};
use super::message_key::MessageKey;
use super::message_request::{MessageRequestError, RequestNumber};
use super::outcome::{MessageId, MessageNumber, MessageOutcome, SegmentOutcome, Unresolved};
use super::receipt::{DeliveryReceipt, ReceiptMatch};
use crate::frame::Frame;
use crate::pdu::CommandStatus;
use crate::session::{RefusedResponse, Response, UnansweredReason};

/// What the adapter must do next. It reports the result with the method that the variant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Resolve the host's name of [`Account::endpoint`](super::Account::endpoint) anew, and pass all its addresses, or the
    /// error, to [`handle_resolved`](super::Account::handle_resolved).
    Resolve {
        /// The connection slot.
        link: LinkId,
    },
    /// Connect to this address of [`Account::endpoint`](super::Account::endpoint), TLS included, within
    /// [`Options::connect_timeout`](super::Options::connect_timeout). Then call
    /// [`handle_connected`](super::Account::handle_connected) or
    /// [`handle_connect_failed`](super::Account::handle_connect_failed).
    Connect {
        /// The connection slot.
        link: LinkId,
        /// The server's address.
        address: SocketAddr,
    },
    /// Stop resolving or connecting, or close the open connection. Once the connection is closed, so that the peer sees
    /// its end, call [`handle_closed`](super::Account::handle_closed).
    Close {
        /// The connection slot.
        link: LinkId,
    },
}

/// What the SMSC refused with a status that stops the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopCause {
    /// A bind. The account makes no further bind; those that it has still send.
    Bind,
    /// A message. The account makes no further bind and sends no further message; its binds stay, and receive.
    Message,
}

/// What happened in the account.
///
/// [`AccountEvent::new`](super::AccountEvent::new) returns what an operator wants to see of it, with `Display`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A segment was handed to the transport: its octets may leave the process from now on, and until its outcome is known
    /// it is in doubt whether the SMSC has accepted it. Emitted for each attempt, before
    /// [`poll_transmit`](super::Account::poll_transmit) returns the octets; an adapter that fetches the events before it
    /// transmits reports each segment before the SMSC can have it. At most
    /// [`window`](crate::session::Config::window) segments of each bind are handed over and have no outcome.
    ///
    /// A message for which no such event has been emitted was never sent. After
    /// [`report_handed_over(false)`](super::Account::report_handed_over) the account emits none.
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
    /// A message ended. The account emits exactly one for each message that it accepted.
    #[non_exhaustive]
    Outcome {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// How it ended, segment by segment.
        outcome: MessageOutcome,
    },
    /// A segment was sent and got no response: the SMSC may have accepted it. Emitted for each such attempt, before the
    /// message's [`Outcome`](Self::Outcome).
    #[non_exhaustive]
    InDoubt {
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
        /// Whether the account resends it: [`UnansweredPolicy::Resend`](super::UnansweredPolicy::Resend).
        resend: bool,
    },
    /// A request about a message ended: a query_sm, cancel_sm or replace_sm. The account emits exactly one for each request
    /// that it accepted.
    #[non_exhaustive]
    RequestOutcome {
        /// The request: see [`Account::request`](super::Account::request).
        request: RequestNumber,
        /// The response with `ESME_ROK`, or why there is none.
        result: Result<Response, MessageRequestError>,
    },
    /// The SMSC responded to a segment after its timeout: the message's [`Outcome`](Self::Outcome) has reported it as
    /// [`Unanswered`](SegmentOutcome::Unanswered). Now it is known how it ended. Receipts of a segment that was
    /// accepted are matched as always.
    ///
    /// A segment that was resent may get several late responses. Refusals are reported one by one; after the first acceptance
    /// the account waits for no further response.
    #[non_exhaustive]
    LateOutcome {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The segment, from 0.
        segment: u8,
        /// How it ended: [`Accepted`](SegmentOutcome::Accepted), [`Refused`](SegmentOutcome::Refused) or
        /// [`Nacked`](SegmentOutcome::Nacked).
        outcome: SegmentOutcome,
    },
    /// A delivery receipt (DLR) arrived.
    #[non_exhaustive]
    Receipt {
        /// The receipt.
        receipt: DeliveryReceipt,
        /// The message that it belongs to; `None` if the account waits for no such receipt.
        matched: Option<ReceiptMatch>,
        /// Acknowledges it, once the application has stored it.
        ack: Ack,
    },
    /// The account no longer waits for receipts of a message: they did not arrive within
    /// [`max_age`](super::ReceiptOptions::max_age), or the account exceeded
    /// [`capacity`](super::ReceiptOptions::capacity). Or the SMSC has accepted a `submit_multi` and refused all its recipients:
    /// then this follows the outcome at once, without ids.
    #[non_exhaustive]
    ReceiptsExpired {
        /// The message.
        message: MessageNumber,
        /// The caller's own key of the message.
        key: Option<MessageKey>,
        /// The ids of its segments without a final receipt. Empty if the message requested receipts only for some final
        /// states, such as failures: then perhaps none was due. [Some](MessageId) are not whole.
        ids: Vec<MessageId>,
    },
    /// A mobile-originated (MO) message arrived: complete, or the segments that are there if the others did not arrive
    /// in time.
    #[non_exhaustive]
    Message {
        /// The message.
        message: InboundMessage,
        /// Acknowledges it, once the application has stored it.
        ack: Ack,
    },
    /// The SMSC sent an alert_notification. It has no response.
    #[non_exhaustive]
    Notification {
        /// The bind that it arrived on.
        bind: BindId,
        /// The PDU.
        frame: Frame<Vec<u8>>,
    },
    /// The state of a connection changed.
    #[non_exhaustive]
    Link {
        /// The connection slot.
        link: LinkId,
        /// What happened on it.
        event: LinkEvent,
    },
    /// The account has stopped, and makes no further bind: the SMSC refused a bind or a message with a status that
    /// [`Options::statuses`](super::Options::statuses) says stops it. By default these are the statuses of a bind that refuse
    /// credentials which the SMSC has never accepted. It makes binds again after [`resume`](super::Account::resume), or after
    /// [`reconfigure`](super::Account::reconfigure) with other credentials.
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
        /// The messages that were not accepted since [`shutdown`](super::Account::shutdown), and those without their
        /// final receipts.
        unresolved: Vec<Unresolved>,
    },
}
