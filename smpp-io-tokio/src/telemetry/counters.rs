//! Counters of a session for `crate::metrics` that the session of the core does not keep.

use smpp_core::session::{Event, Histogram, RequestCounts, ResponseTimes};

/// The requests of one session by outcome, and how long their responses took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionCounters {
    pub(crate) requests: RequestCounts,
    pub(crate) histogram: Histogram,
    /// The response times that the histogram has counted.
    counted: ResponseTimes,
}

impl SessionCounters {
    /// Counts an event; `times` are the response times of the session, which counts one response at a time.
    #[inline]
    pub(crate) fn record<T>(&mut self, event: &Event<'_, T>, times: &ResponseTimes) {
        match event {
            Event::Outcome { outcome, .. } => self.requests.record(outcome),
            Event::LateResponse { .. } => {}
            _ => return,
        }
        let before = std::mem::replace(&mut self.counted, *times);
        if times.count() > before.count() {
            self.histogram.record(times.total().saturating_sub(before.total()));
        }
    }
}
