//! Counters of a session for `crate::metrics` that the session of the core does not keep.

use smpp_core::session::{Event, Histogram, RequestCounts, ResponseTimes};

/// The requests of one session by outcome, and how long their responses took.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionCounters {
    pub(crate) requests: RequestCounts,
    /// Allocated with the first response: most sessions of a server send no requests.
    histogram: Option<Box<Histogram>>,
    /// The response times that the histogram has counted.
    counted: ResponseTimes,
}

impl SessionCounters {
    /// Returns the histogram of the response times.
    pub(crate) fn histogram(&self) -> Histogram {
        self.histogram.as_deref().copied().unwrap_or_default()
    }

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
            self.histogram.get_or_insert_default().record(times.total().saturating_sub(before.total()));
        }
    }
}
