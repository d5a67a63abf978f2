//! Records the events of one account.

use smpp_core::account::Event;
#[cfg(feature = "tracing")]
use smpp_core::account::{LinkEvent, LinkId};

#[cfg(feature = "metrics")]
use super::counters::AccountCounters;

/// The span and the counters of one account.
pub(crate) struct AccountTelemetry {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "metrics")]
    pub(crate) counters: AccountCounters,
}

#[cfg_attr(
    not(any(feature = "tracing", feature = "metrics")),
    expect(clippy::unused_self, reason = "only the features use it")
)]
impl AccountTelemetry {
    pub(crate) fn new(system_id: &str) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = system_id;
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(target: "smpp_io_tokio", "smpp_account", system_id),
            #[cfg(feature = "metrics")]
            counters: AccountCounters::default(),
        }
    }

    /// Records an event of the account; `error` is the text of the last failure of a connection.
    pub(crate) fn record(&mut self, event: &Event, error: Option<&str>) {
        #[cfg(feature = "tracing")]
        self.trace(event, error);
        #[cfg(feature = "metrics")]
        self.counters.record(event);
        #[cfg(not(any(feature = "tracing", feature = "metrics")))]
        let _ = event;
        #[cfg(not(feature = "tracing"))]
        let _ = error;
    }

    #[cfg(feature = "tracing")]
    fn trace(&self, event: &Event, error: Option<&str>) {
        use tracing::{debug, error, info};
        let span = &self.span;
        match event {
            Event::Link { link, event } => self.trace_link(*link, event, error),
            Event::Stopped { status, .. } => {
                error!(target: "smpp_io_tokio", parent: span, ?status, "account stopped");
            }
            Event::Resumed => info!(target: "smpp_io_tokio", parent: span, "account resumed"),
            Event::Outcome { message, outcome } if outcome.result().is_err() => {
                debug!(target: "smpp_io_tokio", parent: span, number = %message, "message not accepted");
            }
            Event::ReceiptsExpired { message, ids } if !ids.is_empty() => {
                debug!(target: "smpp_io_tokio", parent: span, number = %message, "receipts expired");
            }
            Event::Closed { unresolved } => {
                info!(target: "smpp_io_tokio", parent: span, unresolved = unresolved.len(), "account closed");
            }
            _ => {}
        }
    }

    #[cfg(feature = "tracing")]
    fn trace_link(&self, link: LinkId, event: &LinkEvent, error: Option<&str>) {
        use tracing::{field, info, warn};
        let span = &self.span;
        match event {
            LinkEvent::Bound { mode, address } => {
                info!(target: "smpp_io_tokio", parent: span, %link, %mode, %address, "bound");
            }
            LinkEvent::PeerUnbind => info!(target: "smpp_io_tokio", parent: span, %link, "peer unbind"),
            LinkEvent::ResolveFailed { .. } => {
                warn!(target: "smpp_io_tokio", parent: span, %link, error, "resolve failed");
            }
            LinkEvent::ConnectFailed { address, failure, .. } => {
                warn!(target: "smpp_io_tokio", parent: span, %link, %address, %failure, error, "connect failed");
            }
            LinkEvent::BindRefused { address, error, received } => {
                let received = received.map(field::display);
                warn!(target: "smpp_io_tokio", parent: span, %link, %address, %error, received, "bind refused");
            }
            LinkEvent::Closed { address, reason, .. } => {
                info!(target: "smpp_io_tokio", parent: span, %link, %address, %reason, "link closed");
            }
            _ => {}
        }
    }
}
