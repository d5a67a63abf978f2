//! What happens on a connection, for `tracing`: the crate's documentation lists it.

use std::io;
use std::net::SocketAddr;

use smpp_core::session::{CloseReason, Event, Outcome, Request, Response, Side, UnansweredReason};
use smpp_core::{COctets, CommandStatus};
use tracing::{Span, debug, field, info, info_span, warn};

const TARGET: &str = "smpp_io_tokio";

/// The span of one connection. It is never entered: events name it as their parent.
pub(crate) struct Trace(Span);

impl Trace {
    pub(crate) fn new(side: Side) -> Self {
        let role = match side {
            Side::Esme => "esme",
            Side::Smsc => "smsc",
        };
        Self(info_span!(target: TARGET, "smpp", role, peer = field::Empty, system_id = field::Empty))
    }

    pub(crate) fn connected(&self, peer: SocketAddr) {
        self.0.record("peer", field::display(peer));
        debug!(target: TARGET, parent: &self.0, "connected");
    }

    pub(crate) fn binds(&self, system_id: COctets<'_, 16>) {
        self.0.record("system_id", field::display(system_id));
    }

    pub(crate) fn answered(&self, status: CommandStatus) {
        if status.is_ok() {
            info!(target: TARGET, parent: &self.0, "bound");
        } else {
            warn!(target: TARGET, parent: &self.0, ?status, "bind refused");
        }
    }

    /// Nothing is told of what goes well, message by message.
    #[inline]
    pub(crate) fn note<T>(&self, event: &Event<'_, T>, failure: Option<&io::Error>) {
        match event {
            Event::Request { request: Request::Bind(bind, _), .. } => self.binds(bind.system_id),
            Event::Request { .. } | Event::Notification { .. } => {}
            Event::Outcome { outcome: Outcome::Accepted(response), .. } if !answers_bind(response) => {}
            other => self.tell(other, failure),
        }
    }

    /// What is rare, kept out of the way of what is not.
    #[cold]
    fn tell<T>(&self, event: &Event<'_, T>, failure: Option<&io::Error>) {
        let span = &self.0;
        match event {
            Event::Outcome { outcome, sequence, .. } => match outcome {
                Outcome::Accepted(_) => self.answered(CommandStatus::ROK),
                Outcome::Refused { status, response } if answers_bind(response) => self.answered(*status),
                Outcome::Refused {
                    status: status @ (CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL),
                    ..
                } => {
                    debug!(target: TARGET, parent: span, ?status, sequence = sequence.0, "throttled by the peer");
                }
                Outcome::Nacked(status) => {
                    warn!(target: TARGET, parent: span, ?status, sequence = sequence.0, "not understood by the peer");
                }
                Outcome::Unanswered(UnansweredReason::Timeout) => {
                    warn!(target: TARGET, parent: span, sequence = sequence.0, "not answered in time");
                }
                Outcome::Unanswered(UnansweredReason::Unreadable(error)) => {
                    warn!(target: TARGET, parent: span, sequence = sequence.0, %error, "the answer cannot be read");
                }
                // The application is told, as of each of its requests.
                _ => {}
            },
            Event::Refused { frame, status } => {
                let command = frame.header().command;
                debug!(target: TARGET, parent: span, %command, ?status, "refused by the session");
            }
            Event::Malformed { frame, error } => {
                let command = frame.header().command;
                warn!(target: TARGET, parent: span, %command, %error, "malformed PDU");
            }
            Event::UnexpectedResponse { frame } => {
                let header = frame.header();
                let (command, sequence) = (header.command, header.sequence.0);
                debug!(target: TARGET, parent: span, %command, sequence, "a response to nothing");
            }
            Event::PeerUnbind => info!(target: TARGET, parent: span, "the peer unbinds"),
            Event::Closed(reason) => {
                let error = failure.map(field::display);
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

fn answers_bind(response: &Response<&[u8]>) -> bool {
    response.frame().header().command.is_bind()
}
