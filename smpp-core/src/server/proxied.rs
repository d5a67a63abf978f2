//! Connections through a proxy that states the address of the client: the PROXY protocol.

use core::net::SocketAddr;

use super::connection::{ConnectionId, NotBoundReason, RejectReason};
use super::connection_table::{Entry, Group};
use super::event::Event;
use super::registry::Registry;
use super::state::Server;
use crate::session::{Config, Observer};
use crate::time::Instant;

impl Registry {
    /// Accepts a connection from a proxy. The adapter then reads the PROXY protocol header, and calls
    /// [`identify`](Self::identify) or [`reject`](Self::reject).
    ///
    /// Until then the connection counts for [`Options::connections`](super::Options::connections) and
    /// [`unbound_connections`](super::Options::unbound_connections), and for no address. It has no event but
    /// [`Rejected`](Event::Rejected).
    ///
    /// ```
    /// use smpp_proto::server::{Event, Options, Registry};
    ///
    /// let mut registry = Registry::new(Options::default());
    /// let connection = registry.accept_proxied(([10, 0, 0, 1], 40_000).into())?;
    /// assert_eq!(registry.poll_event(), None);
    /// let address = ([192, 0, 2, 1], 50_000).into();
    /// registry.identify(connection, address)?;
    /// assert!(matches!(registry.poll_event(), Some(Event::Connected { address: client, .. }) if client == address));
    /// # Ok::<(), smpp_proto::server::RejectReason>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn accept_proxied(&mut self, proxy: SocketAddr) -> Result<ConnectionId, RejectReason> {
        self.make_room(proxy, Group::Unidentified)?;
        Ok(self.connections.insert(proxy, true))
    }

    /// Records the address of the client that a proxy has stated, or that of the proxy itself if the connection is its own.
    /// From here on the connection is as one that was [accepted](Self::accept) from this address.
    ///
    /// # Errors
    ///
    /// Returns why the connection is not accepted: close it. If the address has as many connections as it may,
    /// [`Event::Rejected`] reports it with this address.
    pub fn identify(&mut self, connection: ConnectionId, client: SocketAddr) -> Result<(), RejectReason> {
        if !self.is_unidentified(connection) {
            // Its event is emitted.
            return Err(if self.stopping { RejectReason::Stopping } else { RejectReason::Replaced });
        }
        let replaced = if self.stopping {
            Err(RejectReason::Stopping)
        } else {
            self.connections.replaced_in(&self.options, Group::of(client))
        };
        match replaced {
            Ok(Some(oldest)) => self.close_unbound(oldest, NotBoundReason::Replaced),
            Ok(None) => {}
            Err(reason) => {
                self.connections.close(connection);
                self.emit(Event::Rejected { address: client, reason });
                return Err(reason);
            }
        }
        self.connections.identify(connection, client);
        self.emit(Event::Connected { connection, address: client });
        Ok(())
    }

    /// Records that a connection from a proxy has sent no usable header: close it. Does nothing if the connection is
    /// [identified](Self::identify) or rejected already.
    ///
    /// Returns whether it has closed the connection.
    pub fn reject(&mut self, connection: ConnectionId, reason: RejectReason) -> bool {
        let entry = self.connections.get(connection).filter(|entry| entry.is_unidentified());
        let Some(address) = entry.map(|entry| entry.address) else { return false };
        self.connections.close(connection);
        self.emit(Event::Rejected { address, reason });
        true
    }

    /// Returns whether the connection waits for the address of its client.
    pub(super) fn is_unidentified(&self, connection: ConnectionId) -> bool {
        self.connections.get(connection).is_some_and(Entry::is_unidentified)
    }

    /// Reports a connection that is closed at once because its address is not trusted to speak the PROXY protocol.
    pub fn reject_untrusted(&mut self, address: SocketAddr) {
        self.emit(Event::Rejected { address, reason: RejectReason::UntrustedProxy });
    }
}

impl<O: Observer> Server<O> {
    /// Accepts a connection from a proxy: see [`Registry::accept_proxied`]. The adapter reads the PROXY protocol header, calls
    /// [`identify`](Self::identify), and passes the octets after the header to [`handle_input`](Self::handle_input), which
    /// reads nothing before. The session's [`session_init_timeout`](Config::session_init_timeout) begins here.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn accept_proxied(
        &mut self,
        now: Instant,
        proxy: SocketAddr,
        config: Config,
        observer: O,
    ) -> Result<ConnectionId, RejectReason> {
        let accepted = self.registry.accept_proxied(proxy);
        self.open(now, accepted, config, observer)
    }

    /// Records the address of the client that a proxy has stated: see [`Registry::identify`].
    ///
    /// # Errors
    ///
    /// Returns why the connection is not accepted: it is closed. A connection that does not wait for an address stays as it is.
    pub fn identify(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        client: SocketAddr,
    ) -> Result<(), RejectReason> {
        let was_waiting = self.registry.is_unidentified(connection);
        let identified = self.registry.identify(connection, client);
        self.close_replaced(now);
        if identified.is_err() && was_waiting {
            self.abort(now, connection);
        }
        identified
    }

    /// Closes a connection from a proxy that has sent no usable header: see [`Registry::reject`].
    pub fn reject(&mut self, now: Instant, connection: ConnectionId, reason: RejectReason) {
        if self.registry.reject(connection, reason) {
            self.abort(now, connection);
        }
    }
}
