//! Requests of the peer, copied out of the receive buffer so that they can be kept.

use std::fmt;

use smpp_proto::session::{Observer, Reply, Request, RequestError, Response, Role, Session};
use smpp_proto::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm, DeliverSm, Frame, Operation, QueryBroadcastSm,
    QuerySm, Quirks, ReplaceSm, SequenceNumber, SubmitMulti, SubmitSm, Tolerance,
};

/// The session has parsed the PDU before it emitted the event. So parsing it again tolerates every deviation.
const TOLERATE_ALL: Tolerance = Tolerance(Quirks::all());

/// How the response to a request reaches the session: through the [`Connection`](crate::Connection) that the request came
/// from, `()`; or directly, [`HandleRoute`](crate::HandleRoute).
pub trait ReplyRoute: sealed::ReplyRoute {}

pub(crate) mod sealed {
    use smpp_proto::Operation;
    use smpp_proto::session::Reply;

    pub trait ReplyRoute {
        /// Handles a request that was dropped without a response.
        fn respond_unanswered<O: Operation>(&self, reply: Reply<O>);
    }
}

impl ReplyRoute for () {}

impl sealed::ReplyRoute for () {
    fn respond_unanswered<O: Operation>(&self, _: Reply<O>) {}
}

/// The requests that have a response.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// A request, a notification or a late response of the peer. A request waits for a response.
        ///
        /// From an [`Inbox`](crate::Inbox) it is an `Inbound<HandleRoute<R>>`, and each request carries the methods to
        /// respond. From a [`Connection`](crate::Connection) it is an `Inbound`, and the connection has these methods.
        ///
        /// ```no_run
        /// use smpp_proto::session::Esme;
        /// use smpp_std::{Inbound, Inbox};
        ///
        /// fn receive(mut inbox: Inbox<Esme>) {
        ///     while let Some(inbound) = inbox.recv() {
        ///         match inbound {
        ///             Inbound::DeliverSm(message) => {
        ///                 println!("{}", message.get().text().escape_ascii());
        ///                 let _ = message.accept();
        ///             }
        ///             Inbound::Notification(frame) => println!("{}", frame.header().command),
        ///             // Dropped without a response, a request is refused with a temporary error.
        ///             other => drop(other),
        ///         }
        ///     }
        /// }
        /// ```
        #[derive(Debug)]
        #[non_exhaustive]
        #[must_use = "a request must be answered"]
        pub enum Inbound<L: ReplyRoute = ()> {
            $($(#[$meta])* $name(InboundRequest<$name<'static>, L>),)+
            /// A PDU that has no response: outbind or alert_notification. It is dropped if
            /// [`max_unanswered`](smpp_proto::session::Config::max_unanswered) entries wait to be fetched.
            Notification(Frame<Vec<u8>>),
            /// The peer responded to a request of this side after its timeout. The request has ended as
            /// [`Unanswered`](smpp_proto::session::RequestError::Unanswered); now its result is known. It is dropped if
            /// [`max_unanswered`](smpp_proto::session::Config::max_unanswered) entries wait to be fetched.
            LateResponse {
                /// The sequence number of the request. `submit` does not return it: register an
                /// [`Observer`](smpp_proto::session::Observer) to see it. An [`Account`](crate::account::Account) matches late
                /// responses to its messages itself.
                sequence: SequenceNumber,
                /// The result of the request.
                result: Result<Response, RequestError>,
            },
        }

        impl Inbound {
            /// Copies the request out of the receive buffer.
            pub(crate) fn new(request: Request<'_>, frame: Frame<&[u8]>) -> Option<Self> {
                let frame = Frame::new(frame.octets().to_vec())?;
                match request {
                    $(Request::$name(_, reply) => {
                        Some(Self::$name(InboundRequest { frame, reply: PendingReply { reply: Some(reply), route: () } }))
                    })+
                    _ => None,
                }
            }

            /// Refuses the request with the status for a request that the application does not respond to. Returns
            /// whether there was a request to refuse.
            pub(crate) fn refuse<R: Role, T, V: Observer>(self, session: &mut Session<R, T, V>) -> bool {
                match self {
                    $(Self::$name(mut request) => {
                        if let Some(reply) = request.take_reply() {
                            // If the session has ended, the caller sees it from the session.
                            let _ = session.respond(reply, Err($name::UNANSWERED));
                        }
                        true
                    })+
                    Self::Notification(_) | Self::LateResponse { .. } => false,
                }
            }

            /// Gives the request a route of its own to the session.
            pub(crate) fn with_route<L: ReplyRoute>(self, route: L) -> Inbound<L> {
                match self {
                    $(Self::$name(request) => Inbound::$name(request.with_route(route)),)+
                    Self::Notification(frame) => Inbound::Notification(frame),
                    Self::LateResponse { sequence, result } => Inbound::LateResponse { sequence, result },
                }
            }
        }
    };
}

impl Inbound {
    /// Copies a submit_sm out of the receive buffer that the session has taken without an event.
    pub(crate) fn submit_sm(frame: Frame<&[u8]>, reply: Reply<SubmitSm<'static>>) -> Option<Self> {
        let frame = Frame::new(frame.octets().to_vec())?;
        Some(Self::SubmitSm(InboundRequest { frame, reply: PendingReply { reply: Some(reply), route: () } }))
    }
}

requests! {
    /// bind_transmitter, bind_receiver or bind_transceiver, sent to an SMSC.
    Bind,
    /// submit_sm: a message, sent to an SMSC.
    SubmitSm,
    /// deliver_sm: a mobile-originated (MO) message or a delivery receipt (DLR), sent to an ESME.
    DeliverSm,
    /// data_sm: a message or a delivery receipt, sent in either direction.
    DataSm,
    /// submit_multi: a message to several destinations, sent to an SMSC.
    SubmitMulti,
    /// query_sm: asks for the state of a message.
    QuerySm,
    /// cancel_sm: cancels a message.
    CancelSm,
    /// replace_sm: replaces a message.
    ReplaceSm,
    /// broadcast_sm: a cell broadcast (SMPP 5.0).
    BroadcastSm,
    /// query_broadcast_sm: asks for the state of a cell broadcast (SMPP 5.0).
    QueryBroadcastSm,
    /// cancel_broadcast_sm: cancels a cell broadcast (SMPP 5.0).
    CancelBroadcastSm,
}

/// One request of the peer: its octets, and the right to respond to it once.
///
/// - From an [`Inbox`](crate::Inbox): [`respond`](Self::respond), [`accept`](Self::accept) or [`refuse`](Self::refuse) it,
///   in any thread. If you drop it without a response, it refuses itself with a temporary error, so that the peer keeps
///   the message and sends it again.
/// - From a [`Connection`](crate::Connection): respond with [`Connection::respond`](crate::Connection::respond). If you
///   drop it, the peer gets no response, and the request counts towards
///   [`max_unanswered`](smpp_proto::session::Config::max_unanswered) until the end of the session.
///
/// ```no_run
/// use smpp_proto::session::Smsc;
/// use smpp_proto::{CommandStatus, SubmitSm, SubmitSmResp};
/// use smpp_std::{HandleRoute, InboundRequest};
///
/// fn respond(message: InboundRequest<SubmitSm<'static>, HandleRoute<Smsc>>) {
///     let result = if message.get().short_message.as_bytes().is_empty() {
///         message.refuse(CommandStatus::RINVMSGLEN)
///     } else {
///         let message_id = "1".try_into().unwrap_or_default();
///         message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
///     };
///     if let Err(refusal) = result {
///         println!("no response: {refusal}");
///     }
/// }
/// ```
#[must_use = "a request must be answered"]
pub struct InboundRequest<O: Operation, L: ReplyRoute = ()> {
    frame: Frame<Vec<u8>>,
    reply: PendingReply<O, L>,
}

/// The right to respond to a request. Dropped with a reply, it responds by its route.
struct PendingReply<O: Operation, L: ReplyRoute> {
    reply: Option<Reply<O>>,
    route: L,
}

impl<O: Operation, L: ReplyRoute> InboundRequest<O, L> {
    /// Returns the PDU as it was received.
    pub fn frame(&self) -> &Frame<Vec<u8>> {
        &self.frame
    }

    /// Returns the fields of the request.
    pub fn get(&self) -> O::View<'_> {
        let pdu = self.frame.pdu(TOLERATE_ALL);
        pdu.ok().and_then(|(pdu, _)| O::view(pdu)).unwrap_or_default()
    }

    pub(crate) fn take_reply(&mut self) -> Option<Reply<O>> {
        self.reply.reply.take()
    }

    pub(crate) const fn route(&self) -> &L {
        &self.reply.route
    }
}

impl<O: Operation> InboundRequest<O> {
    fn with_route<L: ReplyRoute>(mut self, route: L) -> InboundRequest<O, L> {
        let reply = PendingReply { reply: self.take_reply(), route };
        InboundRequest { frame: self.frame, reply }
    }
}

impl<O: Operation, L: ReplyRoute> Drop for PendingReply<O, L> {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            self.route.respond_unanswered(reply);
        }
    }
}

/// Shows the header only: a bind holds a password.
impl<O: Operation, L: ReplyRoute> fmt::Debug for InboundRequest<O, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}
