//! A request that a [`Connection`](crate::Connection) has sent.

use std::sync::mpsc;

use smpp_proto::session::{CloseReason, RequestError, Response, UnansweredReason};

use crate::pending_requests::RequestResult;

/// Where the outcome of a request goes; `None` is the call of [`Connection::request`](crate::Connection::request) that is
/// running.
pub(crate) type Tag = Option<mpsc::Sender<RequestResult>>;

/// A request that [`Connection::send`](crate::Connection::send) has sent and whose outcome was not fetched yet.
///
/// ```no_run
/// use smpp_proto::{Bind, SubmitSm};
/// use smpp_std::Connector;
///
/// let bind = Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() };
/// let mut connection = Connector::new().bind(&"smpps://smpp.8x8.com".parse()?, &bind)?;
/// let first = connection.send(&SubmitSm::default())?;
/// let second = connection.send(&SubmitSm::default())?;
/// for sent in [first, second] {
///     println!("message id {}", connection.wait(sent)?.message_id().escape_ascii());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If you drop it, the request stays in flight and its outcome is dropped when it comes.
#[derive(Debug)]
#[must_use = "the outcome says whether the request succeeded"]
pub struct SentRequest(pub(crate) mpsc::Receiver<RequestResult>);

impl SentRequest {
    /// Returns the outcome if there is one. Does not block, and does not read: the connection reads in its own methods,
    /// such as [`recv`](crate::Connection::recv).
    ///
    /// # Errors
    ///
    /// The outer error returns the `SentRequest` if there is no outcome yet. The inner one is the outcome, as that of
    /// [`Connection::request`](crate::Connection::request).
    pub fn try_outcome(self) -> Result<Result<Response, RequestError>, Self> {
        match self.0.try_recv() {
            Ok(answer) => Ok(answer),
            Err(mpsc::TryRecvError::Empty) => Err(self),
            // The session emits an outcome for each request. Without one, the connection was dropped.
            Err(mpsc::TryRecvError::Disconnected) => {
                let reason = UnansweredReason::Closed(CloseReason::Aborted);
                Ok(Err(RequestError::Unanswered(reason)))
            }
        }
    }
}
