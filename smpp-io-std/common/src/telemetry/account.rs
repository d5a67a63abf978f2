//! Logs the events of one account.

#[cfg(feature = "tracing")]
use smpp_proto::account::LinkEvent;
use smpp_proto::account::{AccountEvent, Event};
#[cfg(feature = "tracing")]
use smpp_proto::session::CloseReason;
use smpp_proto::session::Instant;
#[cfg(feature = "tracing")]
use tracing::{Level, debug, error, field, info, warn};

#[cfg(feature = "tracing")]
use super::limiter::LogLimiter;

/// The span of one account, and the limits of its log.
#[derive(Debug)]
pub struct AccountTelemetry {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "tracing")]
    limiter: LogLimiter,
}

impl AccountTelemetry {
    /// Creates the span of an account with this system_id.
    pub fn new(system_id: &str) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = system_id;
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(target: super::TARGET, "smpp_account", system_id),
            #[cfg(feature = "tracing")]
            limiter: LogLimiter::default(),
        }
    }

    /// Logs an event of the account; `error` is the text of the last failure of a connection.
    pub fn record(&mut self, now: Instant, event: &Event, error: Option<&str>) {
        #[cfg(feature = "tracing")]
        if let Some(event) = AccountEvent::new(event) {
            self.trace(now, &event, error);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (now, event, error);
    }

    /// Logs an event that is none of the core's account.
    pub fn record_event(&mut self, now: Instant, event: &AccountEvent) {
        #[cfg(feature = "tracing")]
        self.trace(now, event, None);
        #[cfg(not(feature = "tracing"))]
        let _ = (now, event);
    }

    /// Logs an event with the text of its `Display`, unless there are too many of its kind.
    #[cfg(feature = "tracing")]
    fn trace(&mut self, now: Instant, event: &AccountEvent, error: Option<&str>) {
        let kind = event.kind();
        let Some(suppressed) = self.limiter.pass(now, kind) else { return };
        let suppressed = (suppressed > 0).then_some(suppressed);
        let link = event.link().map(field::display);
        let number = event.message().map(field::display);
        let error = error.filter(|_| is_failure(event));
        let span = &self.span;
        macro_rules! log {
            ($log:ident) => {
                $log!(target: super::TARGET, parent: span, kind, link, number, suppressed, error, "{event}")
            };
        }
        match level(event) {
            Level::ERROR => log!(error),
            Level::WARN => log!(warn),
            Level::INFO => log!(info),
            _ => log!(debug),
        }
    }
}

/// Returns whether the text of the last failure of a connection belongs to the event.
#[cfg(feature = "tracing")]
const fn is_failure(event: &AccountEvent) -> bool {
    let AccountEvent::Link { event, .. } = event else { return false };
    matches!(
        event,
        LinkEvent::BindRefused { .. } | LinkEvent::ConnectFailed { .. } | LinkEvent::ResolveFailed { .. }
    )
}

#[cfg(feature = "tracing")]
const fn level(event: &AccountEvent) -> Level {
    match event {
        AccountEvent::Stopped { .. } => Level::ERROR,
        AccountEvent::MessageInDoubt { .. } | AccountEvent::InboundMessageLost { .. } => Level::WARN,
        AccountEvent::Closed { .. } | AccountEvent::Resumed => Level::INFO,
        AccountEvent::Link { event, .. } => match event {
            LinkEvent::BindRefused { .. }
            | LinkEvent::ConnectFailed { .. }
            | LinkEvent::ResolveFailed { .. } => Level::WARN,
            LinkEvent::Closed { reason, .. } => match reason {
                CloseReason::Unbound | CloseReason::PeerUnbound | CloseReason::Aborted => Level::INFO,
                _ => Level::WARN,
            },
            LinkEvent::Bound { .. }
            | LinkEvent::Paused { .. }
            | LinkEvent::Retrying { .. }
            | LinkEvent::PeerUnbind => Level::INFO,
            _ => Level::DEBUG,
        },
        _ => Level::DEBUG,
    }
}
