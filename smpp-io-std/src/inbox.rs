//! The requests of the peer, for the application to fetch.

use std::iter::FusedIterator;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use smpp_proto::session::Role;

use crate::error::End;
use crate::handle::Handle;
use crate::handle_route::HandleRoute;
use crate::inbound::Inbound;
use crate::waiting_threads::WaitRole;

/// Receives the requests of the peer, in the order in which they came.
///
/// One thread at a time fetches requests; any thread may respond to them.
///
/// ```no_run
/// use std::thread;
/// use smpp_std::{Connector, Inbound};
///
/// let (client, mut inbox) = Connector::new().start(&"smpps://smpp.8x8.com".parse()?)?;
/// let receiving = thread::spawn(move || {
///     while let Some(inbound) = inbox.recv() {
///         if let Inbound::DeliverSm(message) = inbound {
///             println!("{}", message.get().text().escape_ascii());
///             let _ = message.accept(); // acknowledged: the SMSC forgets the message
///         }
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Backpressure: while [`Config::max_unanswered`](smpp_proto::session::Config::max_unanswered) requests have no
/// response, the session does not read, so that TCP slows the peer down. If none gets a response within
/// [`Config::backpressure_timeout`](smpp_proto::session::Config::backpressure_timeout), the session reads on and refuses
/// further requests with `ESME_RTHROTTLED`.
///
/// If you drop the inbox, the session refuses the requests in it, and all later ones, with a temporary error, so that the
/// peer keeps the messages.
#[derive(Debug)]
pub struct Inbox<R: Role> {
    handle: Handle<R>,
}

impl<R: Role> Inbox<R> {
    pub(crate) fn new(handle: Handle<R>) -> Self {
        Self { handle }
    }

    /// Waits for the next request. Returns `None` once the session has ended and the inbox is empty.
    pub fn recv(&mut self) -> Option<Inbound<HandleRoute<R>>> {
        self.receive(None).and_then(Result::ok)
    }

    /// Waits for the next request, at most until `deadline`. Returns `Ok(None)` if none came by then.
    ///
    /// # Errors
    ///
    /// Once the session has ended and the inbox is empty, the error says how the session ended.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Inbound<HandleRoute<R>>>, End> {
        self.receive(Some(deadline)).transpose()
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Option<Result<Inbound<HandleRoute<R>>, End>> {
        let shared = &self.handle.shared;
        let until = deadline.map(|deadline| shared.session_time(deadline));
        let next = shared.wait(WaitRole::Helper, until, |state, waiter| {
            state.inbox_waiter = None;
            if let Some(inbound) = state.inbox.pop_front() {
                return Ok(Ok(inbound));
            }
            if let Some(end) = &state.end {
                return Ok(Err(end.clone()));
            }
            state.inbox_waiter = *waiter;
            Err(None)
        })?;
        Some(next.map(|inbound| inbound.with_route(HandleRoute(Arc::clone(shared)))))
    }
}

/// Iterates over the requests, as [`recv`](Inbox::recv) returns them: each step waits.
///
/// ```no_run
/// use smpp_proto::session::Esme;
/// use smpp_std::{Inbound, Inbox};
///
/// fn receive(inbox: Inbox<Esme>) {
///     for inbound in inbox {
///         if let Inbound::DeliverSm(message) = inbound {
///             println!("{}", message.get().text().escape_ascii());
///             let _ = message.accept();
///         }
///     }
///     println!("the session has ended");
/// }
/// ```
impl<R: Role> Iterator for Inbox<R> {
    type Item = Inbound<HandleRoute<R>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl<R: Role> FusedIterator for Inbox<R> {}

impl<R: Role> Drop for Inbox<R> {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let unfetched = {
            let mut state = shared.lock();
            state.inbox_open = false;
            mem::take(&mut state.inbox)
        };
        for inbound in unfetched {
            // Refuses the request.
            drop(inbound.with_route(HandleRoute(Arc::clone(shared))));
        }
    }
}
