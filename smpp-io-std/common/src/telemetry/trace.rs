//! The `tracing` span and events of one session. The documentation of the crate lists them.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use smpp_proto::session::{CloseReason, Event, Outcome, Request, Response, Side, UnansweredReason};
use smpp_proto::{COctets, CommandStatus};
use tracing::{Span, debug, field, info, info_span, warn};

use super::TARGET;

/// The octets of a system_id that are shown: its maximal length in the protocol.
const MAX_SYSTEM_ID: usize = 16;

/// The characters of the SMSC's `additional_status_info_text` that are shown: its maximal length in the protocol.
const MAX_STATUS_TEXT: usize = 256;

/// The span of one session, and how often the peer has caused an event. The span is never entered: events name it as their
/// parent.
#[derive(Debug)]
pub(super) struct SessionTrace {
    span: Span,
    malformed: Repeated,
    refused: Repeated,
    unexpected: Repeated,
}

/// Counts the events of a kind that a peer can repeat without a bound. The first is emitted, then the second, the fourth,
/// the eighth and so on, with their number.
#[derive(Debug, Default)]
struct Repeated(u64);

impl Repeated {
    /// Counts an event, and returns its number if it is to be emitted.
    fn count(&mut self) -> Option<u64> {
        self.0 += 1;
        self.0.is_power_of_two().then_some(self.0)
    }
}

/// Shows a system_id, cut to its maximal length.
struct ShownSystemId<'a>(&'a [u8]);

impl fmt::Display for ShownSystemId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..MAX_SYSTEM_ID) {
            Some(start) if self.0.len() > MAX_SYSTEM_ID => write!(f, "{}…", start.escape_ascii()),
            _ => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

impl SessionTrace {
    pub(super) fn new(side: Side) -> Self {
        let role = match side {
            Side::Esme => "esme",
            Side::Smsc => "smsc",
        };
        Self {
            span: info_span!(target: TARGET, "smpp", role, peer = field::Empty, system_id = field::Empty),
            malformed: Repeated::default(),
            refused: Repeated::default(),
            unexpected: Repeated::default(),
        }
    }

    pub(super) fn connected(&self, peer: SocketAddr) {
        self.span.record("peer", field::display(peer));
        debug!(target: TARGET, parent: &self.span, "connected");
    }

    pub(super) fn bind_requested(&self, system_id: COctets<'_, 16>) {
        self.span.record("system_id", field::display(ShownSystemId(system_id.as_bytes())));
    }

    pub(super) fn bind_answered(&self, status: CommandStatus) {
        if status.is_ok() {
            info!(target: TARGET, parent: &self.span, "bound");
        } else {
            warn!(target: TARGET, parent: &self.span, ?status, "bind refused");
        }
    }

    /// Emits an event, but none for a request or notification that arrives or for a request that is accepted.
    #[inline]
    pub(super) fn record<T>(&mut self, event: &Event<'_, T>, error: Option<&io::Error>) {
        match event {
            Event::Request { request: Request::Bind(bind, _), .. } => self.bind_requested(bind.system_id),
            Event::Request { .. } | Event::Notification { .. } => {}
            Event::Outcome { outcome: Outcome::Accepted(response), .. } if !is_bind_response(response) => {}
            other => self.emit(other, error),
        }
    }

    /// Emits the rare events, out of line.
    #[cold]
    fn emit<T>(&mut self, event: &Event<'_, T>, error: Option<&io::Error>) {
        let span = &self.span;
        match event {
            Event::Outcome { outcome, sequence, .. } => match outcome {
                Outcome::Accepted(_) => self.bind_answered(CommandStatus::ROK),
                Outcome::Refused { status, response } if is_bind_response(response) => {
                    let text = response.additional_status_info_text();
                    let escaped = |text: &str| {
                        text.chars().flat_map(char::escape_debug).take(MAX_STATUS_TEXT).collect()
                    };
                    let text = text.filter(|text| !text.is_empty());
                    let text = text.map(|text| -> String { escaped(&text) });
                    warn!(target: TARGET, parent: span, ?status, text, "bind refused");
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
            Event::Refused { frame, status, .. } => {
                let command = frame.header().command;
                let Some(count) = self.refused.count() else { return };
                debug!(target: TARGET, parent: span, %command, ?status, count = later(count), "request refused");
            }
            Event::Malformed { frame, error, .. } => {
                let command = frame.header().command;
                let Some(count) = self.malformed.count() else { return };
                warn!(target: TARGET, parent: span, %command, %error, count = later(count), "malformed PDU");
            }
            Event::UnexpectedResponse { frame, .. } => {
                let header = frame.header();
                let (command, sequence) = (header.command, header.sequence.0);
                let Some(count) = self.unexpected.count() else { return };
                debug!(target: TARGET, parent: span, %command, sequence, count = later(count), "unexpected response");
            }
            Event::LateResponse { sequence, .. } => {
                debug!(target: TARGET, parent: span, sequence = sequence.0, "late response");
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

/// Returns the number of an event, unless it is the first.
fn later(count: u64) -> Option<u64> {
    (count > 1).then_some(count)
}

fn is_bind_response(response: &Response<&[u8]>) -> bool {
    response.frame().header().command.is_bind()
}
