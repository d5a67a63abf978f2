//! A request that is in flight: waiting for its outcome, with or without a deadline.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::session::{self, RequestError, Response, Role, UnansweredReason};

use crate::pending_requests::RequestResult;
use crate::shared::Shared;
use crate::waiting_threads::WaitRole;

/// A request that is in flight, or whose outcome was not fetched yet.
///
/// [`Handle::request_pipelined`](crate::Handle::request_pipelined) returns it:
///
/// ```no_run
/// use smpp_proto::SubmitSm;
/// use smpp_std::{Client, RequestError};
///
/// fn submit_all(client: &Client, messages: &[SubmitSm<'_>]) -> Result<(), RequestError> {
///     let pending = messages.iter().map(|message| client.submit_pipelined(message));
///     for pending in pending.collect::<Result<Vec<_>, _>>()? {
///         println!("message id {}", pending.wait()?.message_id().escape_ascii());
///     }
///     Ok(())
/// }
/// ```
///
/// If you drop it, the request stays in flight and its outcome is dropped when it comes. It does not keep the session
/// alive: when the last handle is dropped, the peer has
/// [`Config::drain_timeout`](smpp_proto::session::Config::drain_timeout) to respond to the requests in flight.
#[must_use = "the outcome says whether the request succeeded"]
pub struct PendingResponse<R: Role> {
    shared: Arc<Shared<R>>,
    number: u32,
    fetched: bool,
}

/// The deadline of a request has passed.
///
/// ```no_run
/// use std::time::{Duration, Instant};
/// use smpp_proto::SubmitSm;
/// use smpp_std::{Client, DeadlineError};
///
/// fn submit(client: &Client, message: &SubmitSm<'_>) {
///     match client.submit_until(message, Instant::now() + Duration::from_secs(2)) {
///         Ok(Ok(response)) => println!("message id {}", response.message_id().escape_ascii()),
///         Ok(Err(error)) => println!("{error}"),
///         Err(DeadlineError::NeverSent) => println!("not sent: retry it later"),
///         Err(DeadlineError::InFlight(pending)) => println!("late: {:?}", pending.wait()),
///     }
/// }
/// ```
pub enum DeadlineError<P> {
    /// The request was not sent: the window was full, or the rate limit was reached. It is safe to send it again.
    NeverSent,
    /// The request was sent and got no response. The peer may still accept it: the [`PendingResponse`] of a
    /// [`Handle`](crate::Handle), or the [`SentRequest`](crate::SentRequest) of a [`Connection`](crate::Connection),
    /// has the outcome later.
    InFlight(P),
}

impl<R: Role> PendingResponse<R> {
    /// Waits for the outcome: at most [`Config::response_timeout`](smpp_proto::session::Config::response_timeout) after the
    /// request was sent.
    ///
    /// # Errors
    ///
    /// As [`Handle::request`](crate::Handle::request).
    pub fn wait(mut self) -> Result<Response, RequestError> {
        let answer = self.outcome(None);
        // There is an outcome: without a deadline, the wait ends only with one.
        answer.unwrap_or(Err(RequestError::Unanswered(UnansweredReason::Timeout)))
    }

    /// Waits for the outcome until `deadline`.
    ///
    /// # Errors
    ///
    /// The outer error returns the `PendingResponse` if there is no outcome by then. The inner one is the outcome, as that
    /// of [`wait`](Self::wait).
    pub fn wait_until(mut self, deadline: Instant) -> Result<RequestResult, Self> {
        let until = self.shared.session_time(deadline);
        self.outcome(Some(until)).ok_or(self)
    }

    /// Returns the outcome if there is one. Does not block.
    ///
    /// If no thread waits on the session, the background thread reads a response within about 10 ms after it has come.
    ///
    /// # Errors
    ///
    /// The outer error returns the `PendingResponse` if there is no outcome yet. The inner one is the outcome, as that of
    /// [`wait`](Self::wait).
    pub fn try_outcome(mut self) -> Result<RequestResult, Self> {
        let answer = self.shared.lock().pending.take(self.number, None);
        self.fetched = answer.is_some();
        answer.ok_or(self)
    }

    fn outcome(&mut self, until: Option<session::Instant>) -> Option<RequestResult> {
        let Self { shared, number, fetched } = self;
        shared.wait(WaitRole::MayLead, until, |state, waiter| {
            let answer = state.pending.take(*number, *waiter).ok_or(None);
            *fetched = answer.is_ok();
            answer
        })
    }
}

impl<R: Role> Drop for PendingResponse<R> {
    fn drop(&mut self) {
        if !self.fetched {
            self.shared.lock().pending.abandon(self.number);
        }
    }
}

/// The slot of a request, as long as the thread that sends it has it. If an observer panics in this thread, the slot is given
/// up.
pub(crate) struct SlotGuard<'a, R: Role> {
    shared: &'a Arc<Shared<R>>,
    /// The slot, once the request is sent, until the outcome is fetched.
    pub(crate) number: Option<u32>,
}

impl<'a, R: Role> SlotGuard<'a, R> {
    pub(crate) const fn new(shared: &'a Arc<Shared<R>>) -> Self {
        Self { shared, number: None }
    }

    /// Passes the slot on; `None` if the request was not sent.
    pub(crate) fn into_response(mut self) -> Option<PendingResponse<R>> {
        let number = self.number.take()?;
        Some(PendingResponse { shared: Arc::clone(self.shared), number, fetched: false })
    }
}

impl<R: Role> Drop for SlotGuard<'_, R> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.lock().pending.abandon(number);
        }
    }
}

impl<R: Role> fmt::Debug for PendingResponse<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingResponse").finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for DeadlineError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => "NeverSent",
            Self::InFlight(_) => "InFlight",
        })
    }
}

impl<P> fmt::Display for DeadlineError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => {
                "the request was not sent before the deadline: the window was full or the rate limit was reached; \
                 it is safe to send it again"
            }
            Self::InFlight(_) => {
                "the request was sent, but the peer did not answer before the deadline; \
                 it may still accept it, so wait for the outcome before sending it again"
            }
        })
    }
}

impl<P> Error for DeadlineError<P> {}
