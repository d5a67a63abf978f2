//! The requests of the peer, each with its one response.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use smpp_proto::session::{Refusal, Reply, RequestError, Response, Role, Smsc};
use smpp_proto::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandStatus, DataSm, DeliverSm, Frame, Operation,
    QueryBroadcastSm, QuerySm, Quirks, ReplaceSm, SequenceNumber, SubmitMulti, SubmitSm, Tolerance,
};

use crate::handle::Handle;
use crate::inbound_queue::{Fetched, Queued};
use crate::macros::with_requests;
use crate::shared::Shared;

/// Receives the requests of the peer, in the order of their arrival.
///
/// While [`max_unanswered`](smpp_proto::session::Config::max_unanswered) requests have no response yet, in the inbox or in
/// the application, the session reads no further ones (backpressure). After
/// [`backpressure_timeout`](smpp_proto::session::Config::backpressure_timeout) it reads on, and refuses requests with
/// `ESME_RTHROTTLED`, so that the peer sends them later. If the
/// inbox is dropped, the requests in it and all later ones are refused with a temporary error, so that the peer redelivers
/// them. With the feature `stream` it is a `Stream`.
///
/// ```no_run
/// use smpp_proto::session::Esme;
/// use smpp_tokio::{Inbound, Inbox};
///
/// # async fn example(mut inbox: Inbox<Esme>) {
/// while let Some(inbound) = inbox.recv().await {
///     match inbound {
///         // A delivery receipt or a mobile-originated message.
///         Inbound::DeliverSm(message) => {
///             println!("{}", message.get().text().escape_ascii());
///             let _ = message.accept();
///         }
///         // Dropped: refused with a temporary error.
///         _ => {}
///     }
/// }
/// # }
/// ```
pub struct Inbox<R: Role> {
    handle: Handle<R>,
    /// `None` until the first request, and while the session is quiet.
    fetched: Option<Box<Fetched>>,
    max_unanswered: usize,
}

macro_rules! inbound {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// A request, a notification or a late response of the peer, from [`Inbox::recv`].
        ///
        /// ```no_run
        /// use smpp_proto::CommandStatus;
        /// use smpp_proto::session::Smsc;
        /// use smpp_tokio::Inbound;
        ///
        /// fn respond(inbound: Inbound<Smsc>) {
        ///     let _ = match inbound {
        ///         Inbound::SubmitSm(message) => message.accept(),
        ///         Inbound::QuerySm(query) => query.refuse(CommandStatus::RQUERYFAIL),
        ///         _ => return, // dropped: refused with a temporary error
        ///     };
        /// }
        /// ```
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Inbound<R: Role> {
            $($(#[$meta])* $name(InboundRequest<R, $name<'static>>),)+
            /// A PDU that has no response: outbind or alert_notification. It is dropped if
            /// [`max_unanswered`](smpp_proto::session::Config::max_unanswered) entries have arrived since the inbox has taken over
            /// those before: at most twice as many wait.
            Notification(Frame<Bytes>),
            /// The peer responded to a request of this side after its timeout. The request has ended as
            /// [`Unanswered`](smpp_proto::session::RequestError::Unanswered); now its result is known. It is dropped if
            /// [`max_unanswered`](smpp_proto::session::Config::max_unanswered) entries are in the inbox.
            LateResponse {
                /// The sequence number of the request. `submit` does not return it: register an
                /// [`Observer`](smpp_proto::session::Observer) to see it. An [`Account`](crate::account::Account) matches late
                /// responses to its messages itself.
                sequence: SequenceNumber,
                /// The result of the request.
                result: Result<Response, RequestError>,
            },
        }

        impl<R: Role> Inbound<R> {
            /// Returns the next of the entries.
            ///
            /// Inlined, so that it is built where the caller wants it.
            #[inline(always)]
            fn next(fetched: &mut Fetched, shared: &Arc<Shared<R>>) -> Option<Self> {
                Some(match fetched.pop()? {
                    $(Queued::$name(octets, reply) => Self::$name(InboundRequest {
                        frame: fetched.pop_frame(octets)?,
                        reply: Some(reply),
                        shared: Arc::clone(shared),
                    }),)+
                    Queued::Notification(octets) => Self::Notification(fetched.pop_frame(octets)?),
                    Queued::LateResponse(sequence, result) => Self::LateResponse { sequence, result: *result },
                })
            }
        }
    };
}

with_requests!(inbound);

/// One request of the peer, and its response. If it is dropped without a response, it sends a temporary error, so that the
/// peer keeps the message and redelivers it.
///
/// ```no_run
/// use smpp_proto::session::Smsc;
/// use smpp_proto::{COctets, CommandStatus, SubmitSm, SubmitSmResp};
/// use smpp_tokio::InboundRequest;
///
/// # fn store(_: &SubmitSm<'_>) -> bool { true }
/// fn respond(request: InboundRequest<Smsc, SubmitSm<'static>>) {
///     let result = if store(&request.get()) {
///         let message_id = COctets::new(b"5f0c4c5e").unwrap_or_default();
///         Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })
///     } else {
///         Err(CommandStatus::RSYSERR)
///     };
///     if let Err(refusal) = request.respond(result) {
///         eprintln!("the peer has received no response: {refusal}");
///     }
/// }
/// ```
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
        let max_unanswered = handle.shared.lock().max_unanswered;
        Self { handle, fetched: None, max_unanswered }
    }

    /// Waits for the next request. Returns `None` once the session has ended and the inbox is empty.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped takes no request.
    pub async fn recv(&mut self) -> Option<Inbound<R>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Inbound<R>>> {
        loop {
            if let Some(fetched) = &mut self.fetched
                && let Some(inbound) = Inbound::next(fetched, &self.handle.shared)
            {
                return Poll::Ready(Some(inbound));
            }
            if !ready!(self.poll_fetch(cx)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Fetches entries. Returns `false` once the session has ended and the inbox is empty.
    #[inline(never)]
    fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut core = self.handle.shared.lock();
        if !core.inbox.is_empty() {
            core.inbox.fetch(self.fetched.get_or_insert_default());
            return Poll::Ready(true);
        }
        if core.end.is_some() {
            return Poll::Ready(false);
        }
        if std::mem::take(&mut core.inbox_shrunk) {
            self.fetched = None;
        }
        let old = core.inbox_waker.replace(cx.waker().clone());
        drop(core);
        drop(old);
        Poll::Pending
    }

    /// Returns how many requests can be without a response at once.
    pub(crate) const fn max_unanswered(&self) -> usize {
        self.max_unanswered
    }

    /// Returns whether it has no memory: no request has arrived, or none since the session was quiet.
    pub(crate) const fn is_shrunk(&self) -> bool {
        self.fetched.is_none()
    }

    /// Frees unused memory.
    pub(crate) fn shrink(&mut self) {
        self.fetched.take_if(|fetched| fetched.is_empty());
    }
}

/// With the feature `stream`: a stream of the requests, as [`recv`](Inbox::recv) returns them. It ends once the session has
/// ended and the inbox is empty. A dropped future of a combinator takes no request.
#[cfg(feature = "stream")]
impl<R: Role> futures_core::Stream for Inbox<R> {
    type Item = Inbound<R>;

    fn poll_next(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Inbound<R>>> {
        self.get_mut().poll_recv(cx)
    }
}

impl<R: Role> Drop for Inbox<R> {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let mut queued = Fetched::default();
        {
            let mut core = shared.lock();
            core.inbox_open = false;
            core.inbox.fetch(&mut queued);
        }
        // Those that are dropped are refused, in their order.
        for fetched in self.fetched.as_deref_mut().into_iter().chain([&mut queued]) {
            while Inbound::next(fetched, shared).is_some() {}
        }
    }
}

impl<R: Role, O: Operation> InboundRequest<R, O> {
    /// Returns the PDU as it was received. The octets may share an allocation of 1 KiB with other requests: it is
    /// freed with the last of them.
    pub fn frame(&self) -> &Frame<Bytes> {
        &self.frame
    }

    /// Returns the fields of the request.
    pub fn get(&self) -> O::View<'_> {
        // The session has decoded the PDU before, so that this cannot fail.
        let pdu = self.frame.pdu(Tolerance(Quirks::all()));
        pdu.ok().and_then(|(pdu, _)| O::view(pdu)).unwrap_or_default()
    }

    /// Sends a response with `ESME_ROK`, or a status. To read the request after the response, for a receipt for example, keep a
    /// clone of [`frame`](Self::frame): it shares the octets, and [`Frame::pdu`] reads them.
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] if the session has ended. The peer has received no response and may send the request again.
    pub fn respond(mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        self.send_response(result)
    }

    /// Sends an error status together with a response body, for example with the reason as a TLV of a data_sm_resp.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_with_reason(
        mut self,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), Refusal> {
        let Some(reply) = self.reply.take() else { return Ok(()) };
        self.shared.with(|core, _| core.session.respond_with_reason(reply, status, body))
    }

    /// Sends `ESME_ROK` with an empty body.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn accept(self) -> Result<(), Refusal> {
        self.respond(Ok(Default::default()))
    }

    /// Sends a status other than `ESME_ROK`.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn refuse(self, status: CommandStatus) -> Result<(), Refusal> {
        self.respond(Err(status))
    }

    fn send_response(&mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        let Some(reply) = self.reply.take() else { return Ok(()) };
        self.shared.with(|core, _| core.session.respond(reply, result))
    }
}

impl<R: Role, O: Operation> Drop for InboundRequest<R, O> {
    fn drop(&mut self) {
        if self.reply.is_some() {
            // Fails if the session has ended: then no response is needed.
            let _ = self.send_response(Err(O::UNANSWERED));
        }
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
