//! Requests about messages that the SMSC has: query_sm, cancel_sm, replace_sm.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use smpp_proto::account::{MessageRequest, MessageRequestError, RequestNumber};
use smpp_proto::session::{Response, UnansweredReason};
use smpp_proto::{CancelSm, QuerySm, ReplaceSm};

use super::handle::Account;
use super::shared::Shared;
use super::state::AccountState;

/// The registration of a request for its outcome. When it is dropped, a request that was not sent is withdrawn.
struct Registration<'a> {
    request: RequestNumber,
    shared: &'a Arc<Shared>,
}

impl Account {
    /// Asks for the state of a message that the SMSC has accepted: [`request`](Self::request) with a `query_sm`.
    ///
    /// ```no_run
    /// use smpp_proto::{COctets, QuerySm};
    /// use smpp_std::account::Account;
    ///
    /// # fn example(account: Account, id: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// // The source address must be exactly that of the submit_sm.
    /// let query = QuerySm { message_id: COctets::new(id)?, ..QuerySm::default() };
    /// let response = account.query_sm(&query)?;
    /// println!("{:?}", response.query_sm_resp().map(|response| response.message_state));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn query_sm(&self, request: &QuerySm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::query_sm(request))
    }

    /// As [`query_sm`](Self::query_sm), and waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn query_sm_until(
        &self,
        request: &QuerySm<'_>,
        deadline: Instant,
    ) -> Result<Response, MessageRequestError> {
        self.request_until(&MessageRequest::query_sm(request), deadline)
    }

    /// Cancels a message that the SMSC has accepted and not delivered: [`request`](Self::request) with a `cancel_sm`.
    /// [`Ticket::cancel`](super::Ticket::cancel) withdraws a message that waits in the account's own queue instead.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn cancel_sm(&self, request: &CancelSm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::cancel_sm(request))
    }

    /// As [`cancel_sm`](Self::cancel_sm), and waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn cancel_sm_until(
        &self,
        request: &CancelSm<'_>,
        deadline: Instant,
    ) -> Result<Response, MessageRequestError> {
        self.request_until(&MessageRequest::cancel_sm(request), deadline)
    }

    /// Replaces the text of a message that the SMSC has accepted and not delivered: [`request`](Self::request) with a
    /// `replace_sm`.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn replace_sm(&self, request: &ReplaceSm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::replace_sm(request))
    }

    /// As [`replace_sm`](Self::replace_sm), and waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request_until`](Self::request_until).
    pub fn replace_sm_until(
        &self,
        request: &ReplaceSm<'_>,
        deadline: Instant,
    ) -> Result<Response, MessageRequestError> {
        self.request_until(&MessageRequest::replace_sm(request), deadline)
    }

    /// Sends a request about a message once, and waits for the response: at most for its
    /// [deadline](MessageRequest::deadline) (10 s) and the session's
    /// [`response_timeout`](smpp_proto::session::Config::response_timeout) (10 s).
    ///
    /// The account sends it on the bind that sent the message, while it tracks the receipts of the message. For an SMSC that
    /// knows a message only on that bind, name the bind of a message that requests no receipts:
    ///
    /// ```no_run
    /// use smpp_proto::account::MessageRequest;
    /// use smpp_proto::{COctets, QuerySm};
    /// use smpp_std::account::{Account, Sent};
    ///
    /// # fn example(account: Account, sent: Sent) -> Result<(), Box<dyn std::error::Error>> {
    /// let message_id = COctets::new(sent.ids()[0].as_bytes())?;
    /// let mut request = MessageRequest::query_sm(&QuerySm { message_id, ..QuerySm::default() });
    /// if let Some(bind) = sent.bind() {
    ///     request = request.bind(bind);
    /// }
    /// println!("{:?}", account.request(&request)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MessageRequestError`] says whether the SMSC refused the request, or why there is no response. If no bind could send the
    /// request, it is `NeverSent`.
    pub fn request(&self, request: &MessageRequest) -> Result<Response, MessageRequestError> {
        self.request_at_most(request, None)
    }

    /// As [`request`](Self::request), and waits at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request). If there is no outcome by then, a request that was not sent is withdrawn: `NeverSent` with
    /// [`Withdrawn`](smpp_proto::account::RequestNotSentReason::Withdrawn). One that was sent is `Unanswered`, and a later
    /// response is discarded.
    pub fn request_until(
        &self,
        request: &MessageRequest,
        deadline: Instant,
    ) -> Result<Response, MessageRequestError> {
        self.request_at_most(request, Some(deadline))
    }

    fn request_at_most(
        &self,
        request: &MessageRequest,
        deadline: Option<Instant>,
    ) -> Result<Response, MessageRequestError> {
        let shared = self.shared();
        let registration = shared
            .with(|AccountState { router, account, .. }, now| {
                let request = router.request(now, account, request)?;
                // Before the events are emitted, because a subscriber may panic.
                Ok(Registration { request, shared })
            })
            .map_err(MessageRequestError::NeverSent)?;
        let number = registration.request;
        if let Some(result) =
            shared.wait_until(deadline, |router, waiter| router.poll_request(number, waiter))
        {
            return result;
        }
        shared.with(|state, now| state.account.withdraw_request(now, number));
        match shared.lock().router.poll_request(number, &mut None) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(MessageRequestError::Unanswered(UnansweredReason::Timeout)),
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let request = self.request;
        self.shared
            .with(|AccountState { router, account, .. }, now| router.release_request(now, account, request));
    }
}
