//! What comes from the peer, in a form that can be kept.

use std::fmt;

use smpp_core::session::{Reply, Request};
use smpp_core::{Bind, DeliverSm, Frame, Operation, Quirks, SubmitSm, Tolerance};

/// The session has read the PDU before it told of it: reading it again takes whatever deviations it took.
const AS_THE_SESSION: Tolerance = Tolerance(Quirks::all());

/// A request of the peer that waits for an answer.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "a request must be answered"]
pub enum Inbound {
    /// A bind, to an SMSC.
    Bind(Incoming<Bind<'static>>),
    /// A message, to an SMSC.
    SubmitSm(Incoming<SubmitSm<'static>>),
    /// A message or a receipt, to an ESME.
    DeliverSm(Incoming<DeliverSm<'static>>),
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

impl Inbound {
    /// Copies the request out of the receive buffer.
    pub(crate) fn new(request: Request<'_>, frame: Frame<&[u8]>) -> Option<Self> {
        let frame = Frame::new(frame.octets().to_vec())?;
        match request {
            Request::Bind(_, reply) => Some(Self::Bind(Incoming { frame, reply })),
            Request::SubmitSm(_, reply) => Some(Self::SubmitSm(Incoming { frame, reply })),
            Request::DeliverSm(_, reply) => Some(Self::DeliverSm(Incoming { frame, reply })),
            _ => None,
        }
    }
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
