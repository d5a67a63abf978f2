//! What the peer asks, each with the right to answer it once.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use smpp_core::session::{Refusal, Reply, Role, Smsc};
use smpp_core::{Bind, CommandStatus, DeliverSm, Frame, Operation, Quirks, SubmitSm, Tolerance};

use crate::client::Handle;
use crate::driver::Shared;

/// A request that waits for the application.
pub(crate) enum Queued {
    Bind(Frame<Bytes>, Reply<Bind<'static>>),
    SubmitSm(Frame<Bytes>, Reply<SubmitSm<'static>>),
    DeliverSm(Frame<Bytes>, Reply<DeliverSm<'static>>),
}

/// The requests of the peer, in the order they came.
///
/// Bounded by `Config::max_unanswered`: the session throttles the peer beyond it. Once the inbox is dropped,
/// what comes or is left is answered with a temporary error, so that the peer keeps it.
#[derive(Debug)]
pub struct Inbox<R: Role> {
    handle: Handle<R>,
}

/// A request of the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Inbound<R: Role> {
    /// A bind, to an SMSC.
    Bind(Incoming<R, Bind<'static>>),
    /// A message, to an SMSC.
    SubmitSm(Incoming<R, SubmitSm<'static>>),
    /// A message or a receipt, to an ESME.
    DeliverSm(Incoming<R, DeliverSm<'static>>),
}

/// One request, its octets, and the right to answer it. Dropped unanswered, it answers a temporary error by
/// itself, so that the peer keeps the message and tries again.
pub struct Incoming<R: Role, O: Operation> {
    frame: Frame<Bytes>,
    reply: Option<Reply<O>>,
    shared: Arc<Shared<R>>,
}

impl<R: Role> Inbox<R> {
    pub(crate) fn new(handle: Handle<R>) -> Self {
        Self { handle }
    }

    /// The next request; `None` once the session has ended and none is left.
    ///
    /// Cancel-safe: a request is taken only by a call that returns it.
    pub async fn recv(&mut self) -> Option<Inbound<R>> {
        let shared = &self.handle.shared;
        loop {
            {
                let mut core = shared.lock();
                if let Some(queued) = core.inbox.pop_front() {
                    return Some(queued.into_inbound(shared));
                }
                if core.end.is_some() {
                    return None;
                }
            }
            // A request that came since then has left its permit.
            shared.arrived.notified().await;
        }
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
        for queued in left {
            drop(queued.into_inbound(shared));
        }
    }
}

impl Queued {
    fn into_inbound<R: Role>(self, shared: &Arc<Shared<R>>) -> Inbound<R> {
        match self {
            Self::Bind(frame, reply) => Inbound::Bind(Incoming::new(frame, reply, shared)),
            Self::SubmitSm(frame, reply) => Inbound::SubmitSm(Incoming::new(frame, reply, shared)),
            Self::DeliverSm(frame, reply) => Inbound::DeliverSm(Incoming::new(frame, reply, shared)),
        }
    }
}

impl<R: Role, O: Operation> Incoming<R, O> {
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

impl<R: Role, O: Operation> Drop for Incoming<R, O> {
    fn drop(&mut self) {
        // If the session has ended, the peer knows that nothing was taken.
        let _ = self.answer(Err(O::UNANSWERED));
    }
}

impl<R: Role, O: Operation> fmt::Debug for Incoming<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}

impl Inbox<Smsc> {
    pub(crate) fn handle(&self) -> &Handle<Smsc> {
        &self.handle
    }
}
