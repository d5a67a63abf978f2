//! Logs the events of one server.

use smpp_proto::server::Event;
#[cfg(feature = "tracing")]
use smpp_proto::server::NotBoundReason;
#[cfg(feature = "tracing")]
use smpp_proto::session::CloseReason;
use smpp_proto::session::Instant;
#[cfg(feature = "tracing")]
use tracing::{Level, debug, field, info, warn};

#[cfg(feature = "tracing")]
use super::limiter::LogLimiter;

/// The span of one server, and the limits of its log.
#[derive(Debug)]
pub struct ServerTelemetry {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "tracing")]
    limiter: LogLimiter,
}

impl Default for ServerTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerTelemetry {
    /// Creates the span of a server.
    pub fn new() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(target: super::TARGET, "smpp_server"),
            #[cfg(feature = "tracing")]
            limiter: LogLimiter::default(),
        }
    }

    /// Logs an event with the text of its `Display`, unless there are too many of its kind.
    pub fn record(&mut self, now: Instant, event: &Event) {
        #[cfg(feature = "tracing")]
        self.trace(now, event);
        #[cfg(not(feature = "tracing"))]
        let _ = (now, event);
    }

    #[cfg(feature = "tracing")]
    fn trace(&mut self, now: Instant, event: &Event) {
        let Some(level) = level(event) else { return };
        let kind = event.kind();
        let Some(suppressed) = self.limiter.pass(now, kind) else { return };
        let suppressed = (suppressed > 0).then_some(suppressed);
        let connection = event.connection().map(field::display);
        let span = &self.span;
        macro_rules! log {
            ($log:ident) => {
                $log!(target: super::TARGET, parent: span, kind, connection, suppressed, "{event}")
            };
        }
        match level {
            Level::WARN => log!(warn),
            Level::INFO => log!(info),
            _ => log!(debug),
        }
    }
}

/// Returns the level of an event; `None` if it is not logged.
#[cfg(feature = "tracing")]
const fn level(event: &Event) -> Option<Level> {
    Some(match event {
        Event::Rejected { .. }
        | Event::BindRefused { .. }
        | Event::Throttled { .. }
        | Event::NotBound { reason: NotBoundReason::Replaced | NotBoundReason::Octets, .. } => Level::WARN,
        Event::Ended { reason, .. } => match reason {
            CloseReason::Unbound | CloseReason::PeerUnbound | CloseReason::Aborted => Level::INFO,
            _ => Level::WARN,
        },
        Event::Bound { .. } | Event::Closed => Level::INFO,
        Event::Connected { .. } | Event::NotBound { .. } => Level::DEBUG,
        // There is one for each message.
        _ => return None,
    })
}
