//! Requests of a [`Connection`] with a deadline for the whole exchange.

use std::sync::mpsc;
use std::time;

use smpp_proto::session::{Esme, Instant, RequestError, Role, SentBy, Smsc};
use smpp_proto::{DeliverSm, Operation, SubmitSm};

use super::{Connection, SubmitError};
use crate::pending_requests::RequestResult;
use crate::pending_response::DeadlineError;
use crate::sent_request::SentRequest;
use crate::transport::Transport;

impl<R: Role, S: Transport> Connection<R, S> {
    /// Sends a request and waits for its outcome, at most until `deadline`. The deadline covers the wait for the window or
    /// the rate limit, the write, and the wait for the response. A write that the peer does not take delays the return by
    /// up to 50 ms.
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    /// use smpp_proto::SubmitSm;
    /// use smpp_proto::session::Esme;
    /// use smpp_std::{Connection, DeadlineError, Stream};
    ///
    /// fn submit(connection: &mut Connection<Esme, Stream>, message: &SubmitSm<'_>) {
    ///     match connection.request_until(message, Instant::now() + Duration::from_secs(2)) {
    ///         Ok(Ok(response)) => println!("message id {}", response.message_id().escape_ascii()),
    ///         Ok(Err(error)) => println!("{error}"),
    ///         Err(DeadlineError::NeverSent) => println!("not sent: retry it later"),
    ///         Err(DeadlineError::InFlight(sent)) => println!("late: {:?}", connection.wait(sent)),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The outer error is a [`DeadlineError`] if there is no outcome by then: `NeverSent`, or `InFlight` with the
    /// [`SentRequest`] if the request was sent. The inner one is that of [`request`](Self::request).
    pub fn request_until<O>(
        &mut self,
        operation: &O,
        deadline: time::Instant,
    ) -> Result<RequestResult, DeadlineError<SentRequest>>
    where
        O: Operation + SentBy<R>,
    {
        let (sender, receiver) = mpsc::channel();
        match self.submit_request(operation, Some(sender), Some(self.session_time(deadline))) {
            Ok(()) => self.wait_until(SentRequest(receiver), deadline).map_err(DeadlineError::InFlight),
            Err(SubmitError::Deadline) => Err(DeadlineError::NeverSent),
            Err(SubmitError::Never(reason)) => Ok(Err(RequestError::NeverSent(reason))),
        }
    }

    /// Waits for the outcome of a request that this connection has sent, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// The outer error returns the `SentRequest` if there is no outcome by then. The inner one is the outcome, as that of
    /// [`request`](Self::request).
    pub fn wait_until(
        &mut self,
        sent: SentRequest,
        deadline: time::Instant,
    ) -> Result<RequestResult, SentRequest> {
        let until = self.session_time(deadline);
        self.wait_for_outcome(sent, Some(until))
    }

    /// Converts a time to the session's clock. A time before the start of the session becomes its start.
    fn session_time(&self, at: time::Instant) -> Instant {
        Instant::after(at.saturating_duration_since(self.start))
    }
}

impl<S: Transport> Connection<Esme, S> {
    /// Submits a message and waits for the response, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn submit_until(
        &mut self,
        message: &SubmitSm<'_>,
        deadline: time::Instant,
    ) -> Result<RequestResult, DeadlineError<SentRequest>> {
        self.request_until(message, deadline)
    }
}

impl<S: Transport> Connection<Smsc, S> {
    /// Delivers a message or a delivery receipt and waits for the response, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn deliver_until(
        &mut self,
        message: &DeliverSm<'_>,
        deadline: time::Instant,
    ) -> Result<RequestResult, DeadlineError<SentRequest>> {
        self.request_until(message, deadline)
    }
}
