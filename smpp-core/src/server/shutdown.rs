//! Graceful shutdown of a server.

use core::time::Duration;

use super::connection::ConnectionId;
use super::state::{Server, Shutdown};
use crate::session::Observer;
use crate::time::Instant;

/// How many connections one call of [`Server::handle_timeout`] handles at most.
const SLICE: u32 = 256;

impl<O: Observer> Server<O> {
    /// Shuts the server down gracefully: rejects new connections, binds and deliveries, closes the connections without a bind,
    /// and unbinds the others. Requests in flight may complete within the first half of `timeout`, and within
    /// [`drain_timeout`](crate::session::Config::drain_timeout).
    ///
    /// The last event is [`Event::Closed`](super::Event::Closed). Whatever the ESMEs and the application do, it arrives after `timeout`: the sessions
    /// that are left are then aborted. The connections are asked in [`handle_timeout`](Self::handle_timeout), some at a time.
    /// Of several calls the earliest deadline counts.
    pub fn shutdown(&mut self, now: Instant, timeout: Duration) {
        let (half, whole) = (now + timeout / 2, now + timeout);
        match &mut self.shutdown {
            Shutdown::Running => {
                self.registry.stop();
                self.shutdown = Shutdown::Unbinding { next: 0, drained_by: half, deadline: whole };
            }
            Shutdown::Unbinding { drained_by, deadline, .. } => {
                (*drained_by, *deadline) = (half.min(*drained_by), whole.min(*deadline));
            }
            Shutdown::Aborting { .. } | Shutdown::Closed => {}
        }
        self.continue_shutdown(now);
    }

    pub(super) fn shutdown_timeout(&self) -> Option<Instant> {
        match self.shutdown {
            Shutdown::Unbinding { next, deadline, .. } => {
                let (open, _) = self.registry.connections.len();
                let is_waiting = next >= self.connections.len() as u32 && open > 0;
                Some(if is_waiting { deadline } else { Instant::ZERO })
            }
            Shutdown::Aborting { .. } => Some(Instant::ZERO),
            Shutdown::Running | Shutdown::Closed => None,
        }
    }

    /// Asks some connections to end, and moves the shutdown to its next stage if this one is finished.
    pub(super) fn continue_shutdown(&mut self, now: Instant) {
        let slots = self.connections.len() as u32;
        match self.shutdown {
            Shutdown::Unbinding { next, drained_by, deadline } if now < deadline => {
                if self.registry.close_all_unbound(SLICE as usize) {
                    return self.close_replaced(now);
                }
                self.close_replaced(now);
                let end = next.saturating_add(SLICE).min(slots);
                self.shutdown = Shutdown::Unbinding { next: end, drained_by, deadline };
                self.for_each_in(next, end, |server, connection| {
                    if let Some(open) = server.find(connection) {
                        open.session.unbind_by(now, drained_by);
                    }
                    server.handle_connection_timeout(now, connection);
                    server.wake(connection);
                });
            }
            Shutdown::Unbinding { .. } => self.shutdown = Shutdown::Aborting { next: 0 },
            Shutdown::Aborting { next } => {
                let end = next.saturating_add(SLICE).min(slots);
                self.shutdown = Shutdown::Aborting { next: end };
                self.for_each_in(next, end, |server, connection| server.abort(now, connection));
            }
            Shutdown::Running | Shutdown::Closed => return,
        }
        self.advance_shutdown();
    }

    fn for_each_in(&mut self, first: u32, end: u32, mut act: impl FnMut(&mut Self, ConnectionId)) {
        for index in first..end {
            if let Some(connection) = self.registry.connections.id(index) {
                act(self, connection);
            }
        }
    }

    /// Ends the shutdown once every session and every delivery has ended.
    pub(super) fn advance_shutdown(&mut self) {
        let is_closing = match self.shutdown {
            Shutdown::Unbinding { next, .. } | Shutdown::Aborting { next } => {
                next >= self.connections.len() as u32
            }
            Shutdown::Running | Shutdown::Closed => false,
        };
        let (open, _) = self.registry.connections.len();
        if is_closing && open == 0 && !self.registry.end_deliveries() {
            self.shutdown = Shutdown::Closed;
            self.registry.close();
        }
    }
}
