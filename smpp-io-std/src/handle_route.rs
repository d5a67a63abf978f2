//! Responding to a request of the peer from any thread, through the session of a [`Handle`](crate::Handle).

use std::fmt;
use std::sync::Arc;

use smpp_proto::session::{Refusal, Reply, Role};
use smpp_proto::{CommandStatus, Operation};

use crate::inbound::{InboundRequest, ReplyRoute, sealed};
use crate::shared::Shared;

/// The route from a request to the session of its [`Handle`](crate::Handle). A request that has one can respond in any
/// thread.
pub struct HandleRoute<R: Role>(pub(crate) Arc<Shared<R>>);

impl<R: Role> ReplyRoute for HandleRoute<R> {}

impl<R: Role> sealed::ReplyRoute for HandleRoute<R> {
    fn respond_unanswered<O: Operation>(&self, reply: Reply<O>) {
        // If the session has ended, the peer sees no response and keeps the message.
        let _ = self.0.with(|state, _| state.session.respond(reply, Err(O::UNANSWERED)));
    }
}

impl<R: Role> fmt::Debug for HandleRoute<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandleRoute").field(&R::SIDE).finish()
    }
}

/// Each method queues the response and writes it before it returns, unless another thread is writing, or more requests
/// wait in the inbox: then several responses leave in one write, within 5 ms. It blocks while the peer takes nothing, at
/// most until the session closes for that reason: after twice
/// [`Config::response_timeout`](smpp_proto::session::Config::response_timeout).
impl<O: Operation, R: Role> InboundRequest<O, HandleRoute<R>> {
    /// Responds with a response body, or with a status other than `ESME_ROK`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] or [`Refusal::Closing`] if the session has ended or only writes its last output: the peer has
    /// received no response and may send the message again.
    /// [`Refusal::TooLong`] if the response is longer than
    /// [`Config::max_pdu`](smpp_proto::session::Config::max_pdu): the session responds `ESME_RSYSERR` instead.
    pub fn respond(mut self, result: Result<O::Response<'_>, CommandStatus>) -> Result<(), Refusal> {
        let Some(reply) = self.take_reply() else { return Ok(()) };
        let shared = &self.route().0;
        shared.with_deferred_write(|state, _| (state.session.respond(reply, result), !state.inbox.is_empty()))
    }

    /// Responds with an error status and a body whose TLVs give the reason. Only data_sm_resp has such a body.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_with_reason(
        mut self,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), Refusal> {
        let Some(reply) = self.take_reply() else { return Ok(()) };
        let shared = &self.route().0;
        shared.with(|state, _| state.session.respond_with_reason(reply, status, body))
    }

    /// Responds `ESME_ROK` with an empty body. For a message: acknowledges it, so that the peer forgets it.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn accept(self) -> Result<(), Refusal> {
        self.respond(Ok(Default::default()))
    }

    /// Responds with a status other than `ESME_ROK`.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn refuse(self, status: CommandStatus) -> Result<(), Refusal> {
        self.respond(Err(status))
    }
}
