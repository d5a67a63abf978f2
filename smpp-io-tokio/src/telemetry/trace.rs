//! The `tracing` span and events of one session. The documentation of the crate lists them.

use std::io;
use std::net::SocketAddr;

use smpp_core::session::{CloseReason, Event, Outcome, Request, Response, Side, UnansweredReason};
use smpp_core::{COctets, CommandStatus};
use tracing::{Span, debug, field, info, info_span, warn};

const TARGET: &str = "smpp_io_tokio";

/// The span of one session. It is never entered: events name it as their parent.
pub(super) struct SessionTrace(Span);

impl SessionTrace {
    pub(super) fn new(side: Side) -> Self {
        let role = match side {
            Side::Esme => "esme",
            Side::Smsc => "smsc",
        };
        Self(info_span!(target: TARGET, "smpp", role, peer = field::Empty, system_id = field::Empty))
    }

    pub(super) fn connected(&self, peer: SocketAddr) {
        self.0.record("peer", field::display(peer));
        debug!(target: TARGET, parent: &self.0, "connected");
    }

    pub(super) fn bind_requested(&self, system_id: COctets<'_, 16>) {
        self.0.record("system_id", field::display(system_id));
    }

    pub(super) fn bind_answered(&self, status: CommandStatus) {
        if status.is_ok() {
            info!(target: TARGET, parent: &self.0, "bound");
        } else {
            warn!(target: TARGET, parent: &self.0, ?status, "bind refused");
        }
    }

    /// Emits an event, but none for a request or notification that arrives or for a request that is accepted.
    #[inline]
    pub(super) fn record<T>(&self, event: &Event<'_, T>, error: Option<&io::Error>) {
        match event {
            Event::Request { request: Request::Bind(bind, _), .. } => self.bind_requested(bind.system_id),
            Event::Request { .. } | Event::Notification { .. } => {}
            Event::Outcome { outcome: Outcome::Accepted(response), .. } if !is_bind_response(response) => {}
            other => self.emit(other, error),
        }
    }

    /// Emits the rare events, out of line.
    #[cold]
    fn emit<T>(&self, event: &Event<'_, T>, error: Option<&io::Error>) {
        let span = &self.0;
        match event {
            Event::Outcome { outcome, sequence, .. } => match outcome {
                Outcome::Accepted(_) => self.bind_answered(CommandStatus::ROK),
                Outcome::Refused { status, response } if is_bind_response(response) => {
                    self.bind_answered(*status);
                }
                Outcome::Refused {
                    status: status @ (CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL),
                    ..
                } => {
                    debug!(target: TARGET, parent: span, ?status, sequence = sequence.0, "throttled");
                }
                Outcome::Nacked(status) => {
                    warn!(target: TARGET, parent: span, ?status, sequence = sequence.0, "request nacked");
                }
                Outcome::Unanswered(UnansweredReason::Timeout) => {
                    warn!(target: TARGET, parent: span, sequence = sequence.0, "response timeout");
                }
                Outcome::Unanswered(UnansweredReason::Unreadable(error)) => {
                    warn!(target: TARGET, parent: span, sequence = sequence.0, %error, "unreadable response");
                }
                // The caller of the request gets these outcomes, and `closed` is emitted for the session.
                _ => {}
            },
            Event::Refused { frame, status } => {
                let command = frame.header().command;
                debug!(target: TARGET, parent: span, %command, ?status, "request refused");
            }
            Event::Malformed { frame, error } => {
                let command = frame.header().command;
                warn!(target: TARGET, parent: span, %command, %error, "malformed PDU");
            }
            Event::UnexpectedResponse { frame } => {
                let header = frame.header();
                let (command, sequence) = (header.command, header.sequence.0);
                debug!(target: TARGET, parent: span, %command, sequence, "unexpected response");
            }
            Event::PeerUnbind => info!(target: TARGET, parent: span, "peer unbind"),
            Event::Closed(reason) => {
                let error = error.map(field::display);
                if matches!(reason, CloseReason::Unbound | CloseReason::PeerUnbound | CloseReason::Aborted) {
                    info!(target: TARGET, parent: span, %reason, error, "closed");
                } else {
                    warn!(target: TARGET, parent: span, %reason, error, "closed");
                }
            }
            _ => {}
        }
    }
}

fn is_bind_response(response: &Response<&[u8]>) -> bool {
    response.frame().header().command.is_bind()
}
