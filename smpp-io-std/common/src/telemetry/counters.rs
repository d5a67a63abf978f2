//! Counters of a session for `crate::metrics` that the session of the core does not keep.

use std::time::Duration;

use smpp_proto::session::{Event, Histogram, RequestCounts, ResponseTimes};

/// The requests of one session by outcome, and how long their responses took.
#[derive(Clone, Debug, Default)]
pub struct SessionCounters {
    /// The requests by outcome.
    pub requests: RequestCounts,
    /// Allocated with the first response: the sessions of a server may have none.
    histogram: Option<Box<Histogram>>,
    /// The number and the sum of the response times that the histogram has counted.
    counted: (u64, Duration),
}

impl SessionCounters {
    /// Counts an event; `times` are the response times of the session, which counts one response at a time.
    #[inline]
    pub fn record<T>(&mut self, event: &Event<'_, T>, times: &ResponseTimes) {
        match event {
            Event::Outcome { outcome, .. } => self.requests.record(outcome),
            Event::LateResponse { .. } => {}
            _ => return,
        }
        let (count, total) = (times.count(), times.total());
        let (counted, before) = std::mem::replace(&mut self.counted, (count, total));
        if count > counted {
            self.histogram.get_or_insert_default().record(total.saturating_sub(before));
        }
    }

    /// Returns the histogram of the response times.
    pub fn histogram(&self) -> Histogram {
        self.histogram.as_deref().copied().unwrap_or_default()
    }
}
