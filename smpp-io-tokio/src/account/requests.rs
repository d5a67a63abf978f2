//! Requests about messages that the SMSC has: query_sm, cancel_sm, replace_sm.

use smpp_proto::account::{MessageRequest, MessageRequestError, RequestNumber};
use smpp_proto::session::Response;
use smpp_proto::{CancelSm, QuerySm, ReplaceSm};

use super::handle::Account;
use super::shared::{Inner, Shared};

/// The registration of a request for its outcome. When it is dropped, a request that was not sent is withdrawn.
struct Registration<'a> {
    request: RequestNumber,
    shared: &'a Shared,
}

impl Account {
    /// Asks for the state of a message that the SMSC has accepted: [`request`](Self::request) with a `query_sm`.
    ///
    /// ```no_run
    /// use smpp_proto::{COctets, QuerySm};
    /// use smpp_tokio::account::Account;
    ///
    /// # async fn example(account: Account, id: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// // The source address must be exactly that of the submit_sm.
    /// let query = QuerySm { message_id: COctets::new(id)?, ..QuerySm::default() };
    /// let response = account.query_sm(&query).await?;
    /// println!("{:?}", response.query_sm_resp().map(|response| response.message_state));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn query_sm(&self, request: &QuerySm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::query_sm(request)).await
    }

    /// Cancels a message that the SMSC has accepted and not delivered: [`request`](Self::request) with a `cancel_sm`.
    /// [`Ticket::cancel`](super::Ticket::cancel) withdraws a message that waits in the account's own queue instead.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn cancel_sm(&self, request: &CancelSm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::cancel_sm(request)).await
    }

    /// Replaces the text of a message that the SMSC has accepted and not delivered: [`request`](Self::request) with a
    /// `replace_sm`.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As [`request`](Self::request).
    pub async fn replace_sm(&self, request: &ReplaceSm<'_>) -> Result<Response, MessageRequestError> {
        self.request(&MessageRequest::replace_sm(request)).await
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
    /// use smpp_tokio::account::{Account, Sent};
    ///
    /// # async fn example(account: Account, sent: Sent) -> Result<(), Box<dyn std::error::Error>> {
    /// let message_id = COctets::new(sent.ids()[0].as_bytes())?;
    /// let mut request = MessageRequest::query_sm(&QuerySm { message_id, ..QuerySm::default() });
    /// if let Some(bind) = sent.bind() {
    ///     request = request.bind(bind);
    /// }
    /// println!("{:?}", account.request(&request).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MessageRequestError`] says whether the SMSC refused the request, or why there is no response. If no bind could send the
    /// request, it is `NeverSent`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the request was sent, it is not sent. Later, its response is discarded.
    pub async fn request(&self, request: &MessageRequest) -> Result<Response, MessageRequestError> {
        let shared = self.shared();
        let request = shared
            .with(|Inner { router, account, .. }, now| router.request(now, account, request))
            .map_err(MessageRequestError::NeverSent)?;
        let registration = Registration { request, shared };
        shared.wait(|router, waker| router.poll_request(registration.request, waker)).await
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let request = self.request;
        self.shared.with(|Inner { router, account, .. }, now| router.release_request(now, account, request));
    }
}
