//! What looks on at an account for `tracing` and `metrics`: nothing, and of no size, without these features.

use smpp_core::account::Event;
#[cfg(feature = "tracing")]
use smpp_core::account::{LinkEvent, LinkId};

#[cfg(feature = "metrics")]
use crate::metrics::Tally;

/// Is told what the account tells.
pub(crate) struct Watch {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "metrics")]
    pub(crate) tally: Tally,
}

#[cfg_attr(
    not(any(feature = "tracing", feature = "metrics")),
    expect(clippy::unused_self, reason = "there is nobody to be told")
)]
impl Watch {
    pub(super) fn new(system_id: &str) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = system_id;
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(target: "smpp_io_tokio", "smpp_account", system_id),
            #[cfg(feature = "metrics")]
            tally: Tally::default(),
        }
    }

    /// What the account tells.
    pub(super) fn note(&mut self, event: &Event) {
        #[cfg(feature = "tracing")]
        self.trace(event);
        #[cfg(feature = "metrics")]
        self.tally.note(event);
        #[cfg(not(any(feature = "tracing", feature = "metrics")))]
        let _ = event;
    }

    #[cfg(feature = "tracing")]
    fn trace(&self, event: &Event) {
        use tracing::{debug, error, info};
        let span = &self.span;
        match event {
            Event::Link { link, event: change } => self.trace_link(*link, *change),
            Event::Stopped { status } => {
                error!(target: "smpp_io_tokio", parent: span, ?status, "the SMSC refuses the account");
            }
            Event::Outcome { message, outcome } if outcome.result().is_err() => {
                debug!(target: "smpp_io_tokio", parent: span, number = %message, "not all of the message was accepted");
            }
            Event::ReceiptsExpired { message, ids } if !ids.is_empty() => {
                debug!(target: "smpp_io_tokio", parent: span, number = %message, "receipts have not come in time");
            }
            Event::Closed { unresolved } => {
                info!(target: "smpp_io_tokio", parent: span, unresolved = unresolved.len(), "the account is closed");
            }
            _ => {}
        }
    }

    #[cfg(feature = "tracing")]
    fn trace_link(&self, link: LinkId, change: LinkEvent) {
        use tracing::{info, warn};
        let span = &self.span;
        match change {
            LinkEvent::Bound { mode, address } => {
                info!(target: "smpp_io_tokio", parent: span, %link, ?mode, %address, "bound");
            }
            LinkEvent::PeerUnbind => info!(target: "smpp_io_tokio", parent: span, %link, "the peer unbinds"),
            LinkEvent::ResolveFailed { .. } => {
                warn!(target: "smpp_io_tokio", parent: span, %link, "the host has no address");
            }
            LinkEvent::ConnectFailed { address, failure, .. } => {
                warn!(target: "smpp_io_tokio", parent: span, %link, %address, %failure, "no connection");
            }
            LinkEvent::BindRefused { address, error } => {
                warn!(target: "smpp_io_tokio", parent: span, %link, %address, %error, "bind refused");
            }
            LinkEvent::Closed { address, reason, .. } => {
                info!(target: "smpp_io_tokio", parent: span, %link, %address, %reason, "the bind is over");
            }
            _ => {}
        }
    }
}
