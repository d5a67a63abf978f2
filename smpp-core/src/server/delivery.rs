//! A message or a receipt to deliver, and how its delivery ended.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandStatus, DataSm, DeliverSm, Pdu};
use crate::session::{
    CloseReason, NotSentReason, RefusedResponse, RequestError, Response, UnansweredReason, fmt_refused,
};
use crate::wire::{Quirks, Tolerance};

/// Identifies a delivery. A server never uses an id twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(super) u64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mobile-originated (MO) message or a delivery receipt (DLR) for an account.
///
/// ```
/// use smpp_proto::server::Delivery;
/// use smpp_proto::{DeliverSm, EsmClass, ShortMessage};
///
/// let receipt = DeliverSm {
///     esm_class: EsmClass::DELIVERY_RECEIPT,
///     short_message: ShortMessage::new(b"id:1 stat:DELIVRD")?,
///     ..DeliverSm::default()
/// };
/// let delivery = Delivery::deliver_sm(&receipt).key(7);
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "pass it to deliver"]
pub struct Delivery {
    pub(super) pdu: Arc<[u8]>,
    pub(super) key: u64,
    pub(super) max_age: Option<Duration>,
    pub(super) max_attempts: Option<u16>,
    pub(super) at_most_once: bool,
    pub(super) only_if_bound: bool,
}

/// The request that delivers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DeliveryPdu<'a> {
    /// deliver_sm.
    DeliverSm(DeliverSm<'a>),
    /// data_sm.
    DataSm(DataSm<'a>),
}

impl Delivery {
    /// Delivers a deliver_sm.
    pub fn deliver_sm(message: &DeliverSm<'_>) -> Self {
        Self::new(&Pdu::DeliverSm(*message))
    }

    /// Delivers a data_sm.
    pub fn data_sm(message: &DataSm<'_>) -> Self {
        Self::new(&Pdu::DataSm(*message))
    }

    fn new(pdu: &Pdu<'_>) -> Self {
        let frame = Frame::encode(pdu, CommandStatus::ROK, SequenceNumber::FIRST);
        let pdu = frame.into_inner().into();
        Self { pdu, key: 0, max_age: None, max_attempts: None, at_most_once: false, only_if_bound: false }
    }

    /// Sets a number of the caller that the outcome returns. Default 0.
    pub fn key(self, key: u64) -> Self {
        Self { key, ..self }
    }

    /// Sets how long it may wait. Default [`DeliveryOptions::max_age`](super::DeliveryOptions::max_age).
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// Sets how often it is sent at most. Default
    /// [`DeliveryOptions::max_attempts`](super::DeliveryOptions::max_attempts). With 1, a temporary error ends it.
    pub fn max_attempts(self, max_attempts: u16) -> Self {
        Self { max_attempts: Some(max_attempts), ..self }
    }

    /// Does not risk that the ESME gets it twice: if it has left and the ESME does not respond, it ends as [`Unanswered`](DeliveryOutcome::Unanswered). By
    /// default it is sent again, as SMSCs do, so the ESME may receive it twice.
    pub fn at_most_once(self) -> Self {
        Self { at_most_once: true, ..self }
    }

    /// Does not keep it while the account has no receiving bind: it ends with [`NotSentReason::NoBind`].
    pub fn only_if_bound(self) -> Self {
        Self { only_if_bound: true, ..self }
    }
}

/// The PDU of a delivery. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeliveryFrame(pub(super) Arc<[u8]>);

impl DeliveryFrame {
    /// Returns the request to send.
    pub fn pdu(&self) -> DeliveryPdu<'_> {
        decode(&self.0)
    }
}

/// A deliver_sm with the defaults of [`Delivery`].
impl From<&DeliverSm<'_>> for Delivery {
    fn from(message: &DeliverSm<'_>) -> Self {
        Self::deliver_sm(message)
    }
}

/// A data_sm with the defaults of [`Delivery`].
impl From<&DataSm<'_>> for Delivery {
    fn from(message: &DataSm<'_>) -> Self {
        Self::data_sm(message)
    }
}

/// Decodes the PDU of a delivery.
pub(super) fn decode(pdu: &[u8]) -> DeliveryPdu<'_> {
    let decoded = Frame::new(pdu).map(|frame| frame.into_pdu(Tolerance(Quirks::all())));
    match decoded {
        Some(Ok((Pdu::DataSm(message), _))) => DeliveryPdu::DataSm(message),
        Some(Ok((Pdu::DeliverSm(message), _))) => DeliveryPdu::DeliverSm(message),
        // Unreachable: `Delivery::new` encodes no other PDU.
        _ => DeliveryPdu::DeliverSm(DeliverSm::default()),
    }
}

/// Why the server did not accept a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliverError {
    /// The queue of the account is full: [`DeliveryOptions`](super::DeliveryOptions).
    Full,
    /// It exceeds the bounds of an empty queue: [`DeliveryOptions`](super::DeliveryOptions). To retry it does not help.
    TooLarge,
    /// The account has no receiving bind, and the delivery is [only for one](Delivery::only_if_bound).
    NoBind,
    /// The server is shutting down.
    ShutDown,
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the delivery queue is full: retry after some deliveries have an outcome",
            Self::TooLarge => "the delivery exceeds the bounds of the delivery queue",
            Self::NoBind => "the account has no bind that receives: retry when one is bound",
            Self::ShutDown => "the server is shutting down",
        })
    }
}

impl core::error::Error for DeliverError {}

/// How a delivery ended. Each accepted delivery has exactly one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The ESME accepted it.
    Accepted(Response),
    /// The ESME refused it for good, or with a temporary error until the delivery expired or had
    /// [`max_attempts`](super::DeliveryOptions::max_attempts).
    Refused {
        /// The last status.
        status: CommandStatus,
        /// The last response.
        response: RefusedResponse,
    },
    /// The ESME responded with generic_nack: it did not understand the request (SMPP 3.4 §4.3).
    Nacked(CommandStatus),
    /// It was sent and got no response: the ESME may have it. Further attempts, if there were any, did not get
    /// [`Accepted`](Self::Accepted) either.
    Unanswered(UnansweredReason),
    /// It was never sent.
    NeverSent(DeliveryNotSentReason),
}

/// Why a delivery was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryNotSentReason {
    /// No bind took it within its [`max_age`](Delivery::max_age).
    Expired,
    /// The server was shut down.
    ShutDown,
    /// The session refused it for good, for example because it is too long; or no bind receives.
    Refused(NotSentReason),
}

impl DeliveryOutcome {
    /// Returns whether delivering it again cannot give it to the ESME twice.
    pub const fn is_safe_to_resend(&self) -> bool {
        !matches!(self, Self::Accepted(_) | Self::Unanswered(_))
    }

    /// Converts the outcome to that of a request. An expired delivery counts as one without a bind.
    pub fn into_result(self) -> Result<Response, RequestError> {
        Err(match self {
            Self::Accepted(response) => return Ok(response),
            Self::Refused { status, response } => RequestError::Refused { status, response },
            Self::Nacked(status) => RequestError::Nacked(status),
            Self::Unanswered(reason) => RequestError::Unanswered(reason),
            Self::NeverSent(DeliveryNotSentReason::Expired) => RequestError::NeverSent(NotSentReason::NoBind),
            Self::NeverSent(DeliveryNotSentReason::ShutDown) => {
                RequestError::NeverSent(NotSentReason::Closing(CloseReason::Unbound))
            }
            Self::NeverSent(DeliveryNotSentReason::Refused(reason)) => RequestError::NeverSent(reason),
        })
    }
}

impl fmt::Display for DeliveryOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(_) => f.write_str("accepted"),
            Self::Refused { status, response } => fmt_refused(*status, response, f),
            Self::Nacked(status) => write!(f, "not understood by the ESME (generic_nack): {status}"),
            Self::Unanswered(reason) => {
                write!(f, "sent but not answered, the ESME may have it: {reason}")
            }
            Self::NeverSent(DeliveryNotSentReason::Expired) => f.write_str("not sent: no bind in time"),
            Self::NeverSent(DeliveryNotSentReason::ShutDown) => f.write_str("not sent: the server shut down"),
            Self::NeverSent(DeliveryNotSentReason::Refused(reason)) => write!(f, "not sent: {reason}"),
        }
    }
}
