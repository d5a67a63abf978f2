//! Responses that are given inside the driver, where the request is read.

use smpp_proto::session::{Observer, Refusal, Reply, Request, Role, Session};
use smpp_proto::{CommandStatus, Operation};

/// The session inside the driver. The tag of a request is its slot in `PendingRequests`.
pub(crate) type DriverSession<R> = Session<R, u32, Option<Box<dyn Observer + Send>>>;

/// Responds to a request, or returns it.
pub(crate) type InlineHandler<R> =
    Box<dyn for<'r> FnMut(Request<'r>, Responder<'_, R>) -> Option<Request<'r>> + Send>;

/// Responds to one request inside the closure of [`Handle::respond_inline`](crate::Handle::respond_inline), which has
/// an example.
pub struct Responder<'s, R: Role> {
    pub(crate) session: &'s mut DriverSession<R>,
}

impl<R: Role> Responder<'_, R> {
    /// Sends a response with `ESME_ROK`, or a status: see [`Session::respond`].
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] if the session has ended. The peer has received no response and may send the request again.
    pub fn respond<O: Operation>(
        self,
        reply: Reply<O>,
        result: Result<O::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        self.session.respond(reply, result)
    }

    /// Sends an error status together with a response body, for example with the reason as a TLV of a data_sm_resp: see
    /// [`Session::respond_with_reason`].
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_with_reason<O: Operation>(
        self,
        reply: Reply<O>,
        status: CommandStatus,
        body: &O::Response<'_>,
    ) -> Result<(), Refusal> {
        self.session.respond_with_reason(reply, status, body)
    }
}

impl<R: Role> std::fmt::Debug for Responder<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}
