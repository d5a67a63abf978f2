//! Records the events of one session.

use std::io;
use std::net::SocketAddr;

use smpp_proto::session::{Event, ResponseTimes, Side};
use smpp_proto::{COctets, CommandStatus};

#[cfg(feature = "metrics")]
use super::counters::SessionCounters;
#[cfg(feature = "tracing")]
use super::trace::SessionTrace;

/// The span and the counters of one session.
#[derive(Debug)]
pub struct SessionTelemetry {
    #[cfg(feature = "tracing")]
    trace: SessionTrace,
    #[cfg(feature = "metrics")]
    /// The counters that the session does not keep.
    pub counters: SessionCounters,
}

impl SessionTelemetry {
    /// Creates the span of a session of this side.
    pub fn new(side: Side) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = side;
        Self {
            #[cfg(feature = "tracing")]
            trace: SessionTrace::new(side),
            #[cfg(feature = "metrics")]
            counters: SessionCounters::default(),
        }
    }

    /// Records the address of the peer.
    pub fn connected(&self, peer: SocketAddr) {
        #[cfg(feature = "tracing")]
        self.trace.connected(peer);
        #[cfg(not(feature = "tracing"))]
        let _ = peer;
    }

    /// Records the system_id of a bind.
    pub fn bind_requested(&self, system_id: COctets<'_, 16>) {
        #[cfg(feature = "tracing")]
        self.trace.bind_requested(system_id);
        #[cfg(not(feature = "tracing"))]
        let _ = system_id;
    }

    /// Records the status of a bind response.
    pub fn bind_answered(&self, status: CommandStatus) {
        #[cfg(feature = "tracing")]
        self.trace.bind_answered(status);
        #[cfg(not(feature = "tracing"))]
        let _ = status;
    }

    /// Records an event of the session; `times` are its response times, and `error` is the error of the transport, if it has
    /// failed.
    #[inline]
    pub fn record<T>(&mut self, event: &Event<'_, T>, times: &ResponseTimes, error: Option<&io::Error>) {
        #[cfg(feature = "tracing")]
        self.trace.record(event, error);
        #[cfg(feature = "metrics")]
        self.counters.record(event, times);
        #[cfg(not(all(feature = "tracing", feature = "metrics")))]
        let _ = (event, times, error);
    }
}
