//! What the peer asks, in the order it came.

use std::mem;
use std::time::Instant;

use smpp_core::session::Role;

use crate::error::End;
use crate::handle::Handle;
use crate::incoming::{HandleRoute, Inbound};
use crate::waiters::Part;

/// The requests of the peer, in the order they came.
///
/// Bounded by `Config::max_unanswered`: the session throttles the peer beyond it. Once the inbox is dropped,
/// what comes or is left is answered with a temporary error, so that the peer keeps it.
///
/// One thread fetches at a time; the requests answer in any thread.
#[derive(Debug)]
pub struct Inbox<R: Role> {
    handle: Handle<R>,
}

impl<R: Role> Inbox<R> {
    pub(crate) fn new(handle: Handle<R>) -> Self {
        Self { handle }
    }

    /// The next request; `None` once the session has ended and none is left. It blocks until then.
    pub fn recv(&mut self) -> Option<Inbound<HandleRoute<R>>> {
        self.next(None).and_then(Result::ok)
    }

    /// The next request, if one comes until `deadline`; `None` if none does. Once the session has ended and none is
    /// left, the error says how it ended.
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Inbound<HandleRoute<R>>>, End> {
        self.next(Some(deadline)).transpose()
    }

    fn next(&mut self, deadline: Option<Instant>) -> Option<Result<Inbound<HandleRoute<R>>, End>> {
        let shared = &self.handle.shared;
        let until = deadline.map(|deadline| shared.moment(deadline));
        let next = shared.wait(Part::Helps, until, |core, waiter| {
            core.receiver = None;
            if let Some(inbound) = core.inbox.pop_front() {
                return Ok(Ok(inbound));
            }
            if let Some(end) = &core.end {
                return Ok(Err(end.clone()));
            }
            core.receiver = *waiter;
            Err(None)
        })?;
        Some(next.map(|inbound| inbound.threaded(shared)))
    }
}

impl<R: Role> Drop for Inbox<R> {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let left = {
            let mut core = shared.lock();
            core.inbox_open = false;
            mem::take(&mut core.inbox)
        };
        for inbound in left {
            drop(inbound.threaded(shared));
        }
    }
}
