//! What comes from the peer, in a form that can be kept.

use std::fmt;

use std::sync::Arc;

use smpp_core::session::{Refusal, Reply, Request, Role};
use smpp_core::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandStatus, DataSm, DeliverSm, Frame, Operation,
    QueryBroadcastSm, QuerySm, Quirks, ReplaceSm, SubmitMulti, SubmitSm, Tolerance,
};

use crate::connection::Connection;
use crate::error::End;
use crate::shared::Shared;
use crate::stream::Transport;

/// The session has read the PDU before it told of it: reading it again takes whatever deviations it took.
const AS_THE_SESSION: Tolerance = Tolerance(Quirks::all());

/// How a request gets its answer: by the [`Connection`] that it came from, `()`; or by itself, [`HandleRoute`].
pub trait ReplyRoute: sealed::ReplyRoute {}

mod sealed {
    use smpp_core::Operation;
    use smpp_core::session::Reply;

    pub trait ReplyRoute {
        /// The request was dropped.
        fn unanswered<O: Operation>(&self, reply: Reply<O>);
    }
}

impl ReplyRoute for () {}

impl sealed::ReplyRoute for () {
    fn unanswered<O: Operation>(&self, _: Reply<O>) {}
}

/// The session of a [`Handle`](crate::Handle), as what came from it knows it.
pub struct HandleRoute<R: Role>(Arc<Shared<R>>);

impl<R: Role> ReplyRoute for HandleRoute<R> {}

impl<R: Role> sealed::ReplyRoute for HandleRoute<R> {
    fn unanswered<O: Operation>(&self, reply: Reply<O>) {
        // If the session has ended, the peer knows that nothing was taken.
        let _ = self.0.with(|core, _| core.session.respond(reply, Err(O::UNANSWERED)));
    }
}

impl<R: Role> fmt::Debug for HandleRoute<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandleRoute").field(&R::SIDE).finish()
    }
}

/// The requests that have a response.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// What the peer asks or tells. A request waits for an answer.
        #[derive(Debug)]
        #[non_exhaustive]
        #[must_use = "a request must be answered"]
        pub enum Inbound<L: ReplyRoute = ()> {
            $($(#[$meta])* $name(InboundRequest<$name<'static>, L>),)+
            /// What has no response: outbind or alert_notification. What comes while
            /// [`max_unanswered`](smpp_core::session::Config::max_unanswered) wait to be fetched is dropped.
            Notification(Frame<Vec<u8>>),
        }

        impl Inbound {
            /// Copies the request out of the receive buffer.
            pub(crate) fn new(request: Request<'_>, frame: Frame<&[u8]>) -> Option<Self> {
                let frame = Frame::new(frame.octets().to_vec())?;
                match request {
                    $(Request::$name(_, reply) => {
                        Some(Self::$name(InboundRequest { frame, owed: Owed { reply: Some(reply), line: () } }))
                    })+
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

            /// The same, able to answer by itself.
            pub(crate) fn threaded<R: Role>(self, shared: &Arc<Shared<R>>) -> Inbound<HandleRoute<R>> {
                match self {
                    $(Self::$name(incoming) => Inbound::$name(incoming.threaded(shared)),)+
                    Self::Notification(frame) => Inbound::Notification(frame),
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

/// One request, its octets, and the right to answer it once.
///
/// What came from a [`Handle`](crate::Handle)'s inbox answers by itself, in any thread; dropped unanswered, it answers
/// a temporary error, so that the peer keeps the message and tries again. What came from a [`Connection`] is answered
/// with [`Connection::respond`]; dropped, it leaves the peer without an answer and holds one place of
/// [`max_unanswered`](smpp_core::session::Config::max_unanswered) for good.
#[must_use = "a request must be answered"]
pub struct InboundRequest<O: Operation, L: ReplyRoute = ()> {
    frame: Frame<Vec<u8>>,
    owed: Owed<O, L>,
}

/// The answer, until it is given.
struct Owed<O: Operation, L: ReplyRoute> {
    reply: Option<Reply<O>>,
    line: L,
}

impl<O: Operation, L: ReplyRoute> InboundRequest<O, L> {
    /// The PDU as it came.
    pub fn frame(&self) -> &Frame<Vec<u8>> {
        &self.frame
    }

    /// The fields.
    pub fn get(&self) -> O::View<'_> {
        let pdu = self.frame.pdu(AS_THE_SESSION);
        pdu.ok().and_then(|(pdu, _)| O::view(pdu)).unwrap_or_default()
    }

    pub(crate) fn take_reply(&mut self) -> Option<Reply<O>> {
        self.owed.reply.take()
    }
}

impl<O: Operation> InboundRequest<O> {
    fn threaded<R: Role>(mut self, shared: &Arc<Shared<R>>) -> InboundRequest<O, HandleRoute<R>> {
        let owed = Owed { reply: self.take_reply(), line: HandleRoute(Arc::clone(shared)) };
        InboundRequest { frame: self.frame, owed }
    }
}

/// Each call writes the answer before it returns, unless another thread is writing, or more requests wait in the
/// inbox: their answers leave together, within 5 ms. It blocks while the peer takes nothing, and at most until the
/// session is given up for that: twice [`Config::response_timeout`](smpp_core::session::Config::response_timeout).
///
/// The error is [`Refusal::State`] if the session has ended: the peer has seen no answer and may send the message
/// again. It is [`Refusal::TooLong`] for a response longer than
/// [`Config::max_pdu`](smpp_core::session::Config::max_pdu): the peer is answered `ESME_RSYSERR` then.
impl<O: Operation, R: Role> InboundRequest<O, HandleRoute<R>> {
    /// Answers, with a response or with a status.
    pub fn respond(mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        let Some(reply) = self.take_reply() else { return Ok(()) };
        self.owed.line.0.with_company(|core, _| (core.session.respond(reply, result), !core.inbox.is_empty()))
    }

    /// Answers with an error that has more to say than its status, as TLVs in a data_sm_resp.
    pub fn respond_with_reason(
        mut self,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), Refusal> {
        let Some(reply) = self.take_reply() else { return Ok(()) };
        self.owed.line.0.with(|core, _| core.session.respond_with_reason(reply, status, body))
    }

    /// Answers `ESME_ROK` with an empty body.
    pub fn accept(self) -> Result<(), Refusal> {
        self.respond(Ok(Default::default()))
    }

    /// Answers with a status other than `ESME_ROK`.
    pub fn refuse(self, status: CommandStatus) -> Result<(), Refusal> {
        self.respond(Err(status))
    }
}

impl<O: Operation, L: ReplyRoute> Drop for Owed<O, L> {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            self.line.unanswered(reply);
        }
    }
}

/// The header alone: a bind holds a password.
impl<O: Operation, L: ReplyRoute> fmt::Debug for InboundRequest<O, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}
