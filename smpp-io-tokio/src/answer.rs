//! Answers given where the request is read.

use smpp_core::session::{Observer, Refusal, Reply, Request, Role, Session};
use smpp_core::{CommandStatus, Operation};

/// The session inside the driver: outcomes are told to places among the waiters.
pub(crate) type DriverSession<R> = Session<R, u32, Option<Box<dyn Observer + Send>>>;

/// Answers a request, or gives it back.
pub(crate) type Answerer<R> =
    Box<dyn for<'r> FnMut(Request<'r>, Responder<'_, R>) -> Option<Request<'r>> + Send>;

/// The right to answer the request that [`Handle::respond_inline`](crate::Handle::respond_inline) has passed on.
pub struct Responder<'s, R: Role> {
    pub(crate) session: &'s mut DriverSession<R>,
}

impl<R: Role> Responder<'_, R> {
    /// Answers, with a response or with a status: see [`Session::respond`].
    pub fn respond<O: Operation>(
        self,
        reply: Reply<O>,
        result: Result<O::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        self.session.respond(reply, result)
    }

    /// Answers with an error that has more to say than its status: see [`Session::respond_with_reason`].
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
