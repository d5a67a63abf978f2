//! What comes from the peer, in a form that can be kept.

use std::fmt;

use smpp_core::session::{Reply, Request, Role};
use smpp_core::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm, DeliverSm, Frame, Operation, QueryBroadcastSm,
    QuerySm, Quirks, ReplaceSm, SubmitMulti, SubmitSm, Tolerance,
};

use crate::connection::Connection;
use crate::error::End;
use crate::stream::Transport;

/// The session has read the PDU before it told of it: reading it again takes whatever deviations it took.
const AS_THE_SESSION: Tolerance = Tolerance(Quirks::all());

/// The requests that have a response.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// What the peer asks or tells. A request waits for an answer.
        #[derive(Debug)]
        #[non_exhaustive]
        #[must_use = "a request must be answered"]
        pub enum Inbound {
            $($(#[$meta])* $name(Incoming<$name<'static>>),)+
            /// What has no response: outbind or alert_notification. What comes while
            /// [`max_unanswered`](smpp_core::session::Config::max_unanswered) wait to be fetched is dropped.
            Notification(Frame<Vec<u8>>),
        }

        impl Inbound {
            /// Copies the request out of the receive buffer.
            pub(crate) fn new(request: Request<'_>, frame: Frame<&[u8]>) -> Option<Self> {
                let frame = Frame::new(frame.octets().to_vec())?;
                match request {
                    $(Request::$name(_, reply) => Some(Self::$name(Incoming { frame, reply })),)+
                    _ => None,
                }
            }

            /// Answers a request that nobody will look at.
            pub(crate) fn refuse<R: Role, S: Transport>(
                self,
                connection: &mut Connection<R, S>,
            ) -> Result<(), End> {
                match self {
                    $(Self::$name(incoming) => connection.respond(incoming, Err($name::UNANSWERED)),)+
                    Self::Notification(_) => Ok(()),
                }
            }
        }
    };
}

requests! {
    /// A bind, to an SMSC.
    Bind,
    /// A message, to an SMSC.
    SubmitSm,
    /// A message or a receipt, to an ESME.
    DeliverSm,
    /// A message in either direction.
    DataSm,
    /// A message to many, to an SMSC.
    SubmitMulti,
    /// The question what became of a message.
    QuerySm,
    /// A message is to be cancelled.
    CancelSm,
    /// A message is to be replaced.
    ReplaceSm,
    /// A cell broadcast (SMPP 5.0).
    BroadcastSm,
    /// The question what became of a broadcast (SMPP 5.0).
    QueryBroadcastSm,
    /// A broadcast is to be cancelled (SMPP 5.0).
    CancelBroadcastSm,
}

/// One request, its octets, and the right to answer it once:
/// [`Connection::respond`](crate::Connection::respond).
///
/// One that is dropped leaves the peer without an answer and holds one place of
/// [`max_unanswered`](smpp_core::session::Config::max_unanswered) for good.
#[must_use = "a request must be answered"]
pub struct Incoming<O> {
    frame: Frame<Vec<u8>>,
    pub(crate) reply: Reply<O>,
}

impl<O: Operation> Incoming<O> {
    /// The PDU as it came.
    pub fn frame(&self) -> &Frame<Vec<u8>> {
        &self.frame
    }

    /// The fields.
    pub fn get(&self) -> O::View<'_> {
        let pdu = self.frame.pdu(AS_THE_SESSION);
        pdu.ok().and_then(|(pdu, _)| O::view(pdu)).unwrap_or_default()
    }
}

/// The header alone: a bind holds a password.
impl<O> fmt::Debug for Incoming<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}
