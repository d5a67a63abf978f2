//! What the peer asks, each with the right to answer it once.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use smpp_core::session::{Refusal, Reply, Request, Role, Smsc};
use smpp_core::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandStatus, DataSm, DeliverSm, Frame, Operation,
    QueryBroadcastSm, QuerySm, Quirks, ReplaceSm, SubmitMulti, SubmitSm, Tolerance,
};

use crate::client::Handle;
use crate::driver::{Core, Shared};

/// The requests of the peer, in the order they came.
///
/// Bounded by `Config::max_unanswered`: the session throttles the peer beyond it. Once the inbox is dropped,
/// what comes or is left is answered with a temporary error, so that the peer keeps it.
pub struct Inbox<R: Role> {
    handle: Handle<R>,
    /// Taken out all at once, and not yet given.
    fetched: VecDeque<Queued>,
}

/// The requests that have a response.
macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// What waits for the application.
        pub(crate) enum Queued {
            $($name(Frame<Bytes>, Reply<$name<'static>>),)+
            Notification(Frame<Bytes>),
        }

        /// What the peer asks or tells.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Inbound<R: Role> {
            $($(#[$meta])* $name(InboundRequest<R, $name<'static>>),)+
            /// What has no response: outbind or alert_notification. What comes while
            /// [`max_unanswered`](smpp_core::session::Config::max_unanswered) wait to be fetched is dropped.
            Notification(Frame<Bytes>),
        }

        impl Queued {
            fn into_inbound<R: Role>(self, shared: &Arc<Shared<R>>) -> Inbound<R> {
                match self {
                    $(Self::$name(frame, reply) => Inbound::$name(InboundRequest::new(frame, reply, shared)),)+
                    Self::Notification(frame) => Inbound::Notification(frame),
                }
            }
        }

        impl<R: Role> Core<R> {
            /// Keeps the request for the application, or answers it where there is none to ask.
            pub(crate) fn keep(&mut self, request: Request<'_>, frame: Frame<&[u8]>) {
                match request {
                    $(Request::$name(_, reply) => self.queue(frame, reply, Queued::$name),)+
                    // If the session has ended, the peer knows that nothing was taken.
                    other => drop(self.session.refuse(other)),
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

/// One request, its octets, and the right to answer it. Dropped unanswered, it answers a temporary error by
/// itself, so that the peer keeps the message and tries again.
pub struct InboundRequest<R: Role, O: Operation> {
    frame: Frame<Bytes>,
    reply: Option<Reply<O>>,
    shared: Arc<Shared<R>>,
}

impl<R: Role> fmt::Debug for Inbox<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl<R: Role> Inbox<R> {
    pub(crate) fn new(handle: Handle<R>) -> Self {
        Self { handle, fetched: VecDeque::new() }
    }

    /// The next request; `None` once the session has ended and none is left.
    ///
    /// Cancel-safe: a request is taken only by a call that returns it.
    pub async fn recv(&mut self) -> Option<Inbound<R>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Inbound<R>>> {
        let shared = &self.handle.shared;
        if self.fetched.is_empty() {
            let mut core = shared.lock();
            if core.inbox.is_empty() {
                if core.end.is_some() {
                    return Poll::Ready(None);
                }
                let old = core.fetching.replace(cx.waker().clone());
                drop(core);
                drop(old);
                return Poll::Pending;
            }
            std::mem::swap(&mut core.inbox, &mut self.fetched);
        }
        Poll::Ready(self.fetched.pop_front().map(|queued| queued.into_inbound(shared)))
    }

    /// Gives back the memory that holds nothing.
    pub(crate) fn shrink(&mut self) {
        self.fetched.shrink_to_fit();
    }
}

impl<R: Role> Drop for Inbox<R> {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let left = {
            let mut core = shared.lock();
            core.inbox_open = false;
            std::mem::take(&mut core.inbox)
        };
        for queued in self.fetched.drain(..).chain(left) {
            drop(queued.into_inbound(shared));
        }
    }
}

impl<R: Role, O: Operation> InboundRequest<R, O> {
    fn new(frame: Frame<Bytes>, reply: Reply<O>, shared: &Arc<Shared<R>>) -> Self {
        Self { frame, reply: Some(reply), shared: Arc::clone(shared) }
    }

    /// The PDU as it came.
    pub fn frame(&self) -> &Frame<Bytes> {
        &self.frame
    }

    /// The fields.
    pub fn get(&self) -> O::View<'_> {
        // The session read them before it told of the request, so they can be read.
        let pdu = self.frame.pdu(Tolerance(Quirks::all()));
        pdu.ok().and_then(|(pdu, _)| O::view(pdu)).unwrap_or_default()
    }

    /// Answers, with a response or with a status. Refused if the session has ended: the peer has seen no
    /// answer and may send the message again.
    pub fn respond(mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        self.answer(result)
    }

    /// Answers with an error that has more to say than its status, as TLVs in a data_sm_resp.
    pub fn respond_with_reason(
        mut self,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), Refusal> {
        let Some(reply) = self.reply.take() else { return Ok(()) };
        self.shared.with(|core, _| core.session.respond_with_reason(reply, status, body))
    }

    /// Answers `ESME_ROK` with an empty body.
    pub fn accept(self) -> Result<(), Refusal> {
        self.respond(Ok(Default::default()))
    }

    /// Answers with a status other than `ESME_ROK`.
    pub fn refuse(self, status: CommandStatus) -> Result<(), Refusal> {
        self.respond(Err(status))
    }

    fn answer(&mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        let Some(reply) = self.reply.take() else { return Ok(()) };
        self.shared.with(|core, _| core.session.respond(reply, result))
    }
}

impl<R: Role, O: Operation> Drop for InboundRequest<R, O> {
    fn drop(&mut self) {
        // If the session has ended, the peer knows that nothing was taken.
        let _ = self.answer(Err(O::UNANSWERED));
    }
}

impl<R: Role, O: Operation> fmt::Debug for InboundRequest<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}

impl Inbox<Smsc> {
    pub(crate) fn handle(&self) -> &Handle<Smsc> {
        &self.handle
    }
}
