//! Requests of the peer, and the tokens that respond to them.

use core::fmt;
use core::marker::PhantomData;

use super::event::Event;
use crate::frame::{Frame, Header, SequenceNumber};
use crate::pdu::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, DataSm, DeliverSm, Operation, Pdu,
    QueryBroadcastSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm,
};
use crate::wire::Quirks;

/// Lists the requests that the application responds to, each with its token.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// A request of the peer, with the token that responds to it.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Request<'b> {
            $($(#[$meta])* $name($name<'b>, Reply<$name<'static>>),)+
        }

        impl<'b, T> Event<'b, T> {
            /// Returns the event of a PDU that is no response: a request, if the application responds to such PDUs.
            ///
            /// Inlined, so that the fields of the PDU are moved once.
            #[inline(always)]
            pub(super) fn of_request(frame: Frame<&'b [u8]>, pdu: Pdu<'b>, quirks: Quirks) -> Self {
                match pdu {
                    $(Pdu::$name(body) => {
                        let request = Request::$name(body, Reply::new(frame.header()));
                        Self::Request { request, frame, quirks }
                    })+
                    pdu => Self::Notification { pdu, frame, quirks },
                }
            }
        }
    };
}

requests! {
    /// A bind in any mode.
    Bind,
    /// submit_sm.
    SubmitSm,
    /// deliver_sm: a mobile-originated (MO) message or a delivery receipt (DLR).
    DeliverSm,
    /// data_sm.
    DataSm,
    /// submit_multi.
    SubmitMulti,
    /// query_sm.
    QuerySm,
    /// cancel_sm.
    CancelSm,
    /// replace_sm.
    ReplaceSm,
    /// broadcast_sm (SMPP 5.0).
    BroadcastSm,
    /// query_broadcast_sm (SMPP 5.0).
    QueryBroadcastSm,
    /// cancel_broadcast_sm (SMPP 5.0).
    CancelBroadcastSm,
}

/// A token to respond to one request of the peer, once. Its type fixes the type of the response.
///
/// Pass it to [`respond`](super::Session::respond). If the caller drops the token, the peer gets no response, and the
/// request occupies one place of [`max_unanswered`](super::Config::max_unanswered) until the session ends.
#[must_use = "the peer waits for a response"]
pub struct Reply<O> {
    pub(super) command: CommandId,
    pub(super) sequence: SequenceNumber,
    operation: PhantomData<fn(O)>,
}

/// A deliver_sm that the session has taken without an event, and what was read in it.
pub(crate) struct TakenDelivery<'b, F> {
    pub(crate) read: F,
    pub(crate) frame: Frame<&'b [u8]>,
    pub(crate) reply: Reply<DeliverSm<'static>>,
}

/// Reads what the caller needs of a deliver_sm: see [`Session::take_usual`](super::Session::take_usual). No closure, so that the
/// function can be inlined: what it does not read of the PDU is not stored.
pub(crate) trait ReadDelivery<'b> {
    type Read;

    /// Returns `None` if the deliver_sm is to be an event.
    fn read(&self, message: &DeliverSm<'b>) -> Option<Self::Read>;
}

/// The acceptance of a submit_sm that the session has taken without an event: a response with nothing but a message id.
pub(crate) struct TakenAcceptance<'b, T> {
    pub(crate) tag: T,
    pub(crate) sequence: SequenceNumber,
    pub(crate) id: &'b [u8],
    pub(crate) frame: Frame<&'b [u8]>,
}

/// A PDU that the session has taken without an event.
pub(crate) enum Taken<'b, T, F> {
    Delivery(TakenDelivery<'b, F>),
    Acceptance(TakenAcceptance<'b, T>),
}

impl<O: Operation> Reply<O> {
    pub(super) fn new(header: Header) -> Self {
        Self { command: header.command, sequence: header.sequence, operation: PhantomData }
    }

    /// Returns the sequence number of the request.
    pub(crate) const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }
}

impl<O> fmt::Debug for Reply<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} {})", self.command, self.sequence.0)
    }
}
