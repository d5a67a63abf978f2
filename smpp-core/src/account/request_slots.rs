//! The outcomes of requests about messages, until the callers that wait for them fetch them.

use alloc::collections::BTreeMap;
use core::mem;
use core::task::Poll;

use super::message_request::{MessageRequestError, RequestNumber};
use crate::session::Response;

/// Buffers the outcome of each request from the request to [`release`](Self::release): as many slots as callers wait.
pub(super) struct RequestSlots<W>(BTreeMap<RequestNumber, RequestSlot<W>>);

struct RequestSlot<W> {
    result: Option<Result<Response, MessageRequestError>>,
    waiter: Option<W>,
}

impl<W> RequestSlots<W> {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn open(&mut self, request: RequestNumber) {
        self.0.insert(request, RequestSlot { result: None, waiter: None });
    }

    /// Records an outcome, and returns the waiter to wake.
    pub(super) fn record(
        &mut self,
        request: RequestNumber,
        result: Result<Response, MessageRequestError>,
    ) -> Option<W> {
        let slot = self.0.get_mut(&request)?;
        slot.result = Some(result);
        slot.waiter.take()
    }

    /// Returns the outcome of a request, once. `is_over`: no outcome will follow.
    pub(super) fn poll(
        &mut self,
        request: RequestNumber,
        is_over: bool,
        waiter: &mut Option<W>,
    ) -> Poll<Result<Response, MessageRequestError>> {
        let Some(slot) = self.0.get_mut(&request) else {
            return Poll::Ready(Err(MessageRequestError::DriverGone));
        };
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None if is_over => Poll::Ready(Err(MessageRequestError::DriverGone)),
            None => {
                mem::swap(&mut slot.waiter, waiter);
                Poll::Pending
            }
        }
    }

    /// Removes a slot, and returns its waiter.
    pub(super) fn release(&mut self, request: RequestNumber) -> Option<W> {
        self.0.remove(&request)?.waiter
    }

    /// Returns all waiters.
    pub(super) fn take_waiters(&mut self) -> impl Iterator<Item = W> {
        self.0.values_mut().filter_map(|slot| slot.waiter.take())
    }
}
