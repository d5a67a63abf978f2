//! The thread of one connection: its addresses, its transport, what comes in.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{self, Duration};
use std::{io, thread};

use smpp_core::account::{Action, ConnectFailure, LinkId};
use smpp_core::session::Instant;

use super::shared::Shared;
use crate::connect::{tcp, trusted};
use crate::error::TlsError;
use crate::link::{Read, Reader, TICK, WRITE_SLICE, Writer};
use crate::stream::{Duplex, Stream};
use crate::tls_stream::TlsStream;

/// What carries the octets of one session.
pub(super) struct Wire {
    pub(super) stream: Stream,
    /// The office of writing.
    pub(super) writer: Mutex<Writer>,
}

/// Starts the thread. It runs for as long as there is something to do for the connection.
pub(super) fn start(shared: &Arc<Shared>, link: LinkId) -> io::Result<()> {
    let carrier = Carrier { shared: Arc::clone(shared), link };
    thread::Builder::new().name(format!("smpp link {link}")).spawn(move || carrier.run())?;
    Ok(())
}

struct Carrier {
    shared: Arc<Shared>,
    link: LinkId,
}

impl Carrier {
    fn run(&self) {
        while let Some(action) = self.next() {
            if caught(|| self.act(action)) {
                // What comes of that is told as well, and may panic again: the thread goes on for its connection.
                caught(|| self.shared.with(|inner, now| inner.panicked(now, self.link)));
            }
        }
    }

    fn next(&self) -> Option<Action> {
        self.shared.lock().next_action(self.link)
    }

    fn act(&self, action: Action) {
        match action {
            Action::Resolve { .. } => self.resolve(),
            Action::Connect { address, .. } => match self.dial(address) {
                Ok(stream) => self.carry(stream),
                Err((failure, error)) => self.failed(failure, format!("{address}: {error}")),
            },
            Action::Close { .. } => {}
        }
    }

    /// Asks for the addresses of the host.
    fn resolve(&self) {
        let connector = &self.shared.connector;
        let found = (connector.resolver)(&connector.endpoint);
        self.shared.with(|inner, now| {
            if !inner.is_wanted(self.link) {
                return;
            }
            let host = &connector.endpoint.host;
            match &found {
                Ok(addresses) if addresses.is_empty() => {
                    inner.failure = Some(format!("{host} has no address"));
                }
                Ok(_) => {}
                Err(error) => inner.failure = Some(format!("cannot resolve {host}: {error}")),
            }
            inner.account.handle_resolved(now, self.link, &found.unwrap_or_default());
        });
    }

    fn failed(&self, failure: ConnectFailure, error: String) {
        self.shared.with(|inner, now| {
            if inner.is_wanted(self.link) {
                inner.failure = Some(error);
                inner.account.handle_connect_failed(now, self.link, failure);
            }
        });
    }

    /// Connects, TLS included.
    fn dial(&self, address: SocketAddr) -> Result<Stream, (ConnectFailure, TlsError)> {
        let network = |error| (ConnectFailure::Network, TlsError::Io(error));
        let connector = &self.shared.connector;
        // Zero is no time-out to a socket.
        let limit = connector.options.connect_timeout.max(TICK);
        let began = time::Instant::now();
        let tcp = tcp(address, limit).map_err(network)?;
        let handle = tcp.try_clone().map_err(network)?;
        if !self.shared.lock().dialed(self.link, handle) {
            return Err(network(io::ErrorKind::ConnectionAborted.into()));
        }
        let stream = if connector.endpoint.tls {
            let left = limit.saturating_sub(began.elapsed());
            let tls = trusted(connector.tls.as_ref())
                .and_then(|config| TlsStream::connect(tcp, &connector.endpoint.host, config, left));
            Stream::Tls(Box::new(tls.map_err(|error| (kind(&error), error))?))
        } else {
            Stream::Tcp(tcp)
        };
        stream.set_transmit_timeout(Some(WRITE_SLICE)).map_err(network)?;
        Ok(stream)
    }

    /// Carries octets until the session is over, then takes leave.
    fn carry(&self, stream: Stream) {
        let shared = &self.shared;
        let observer = shared.connector.observer.as_ref().map(|observer| observer(self.link));
        let wire = Arc::new(Wire { stream, writer: Mutex::default() });
        if !shared.with(|inner, now| inner.open(now, self.link, observer, Arc::clone(&wire))) {
            return;
        }
        self.read(&wire);
        // Nobody writes any more, and what was written is counted.
        let writer = wire.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // The session is over whether or not the transport takes its leave.
        let _ = wire.stream.close();
        shared.with(|inner, now| inner.closed(now, self.link));
        drop(writer);
    }

    /// Reads until the session is over.
    fn read(&self, wire: &Wire) {
        let mut reader = Reader::new(self.shared.connector.options.session.max_pdu);
        while let Some((now, wait)) = self.await_turn(reader.held) {
            let read = if let Some(wait) = wait {
                reader.read(&wire.stream, now, wait)
            } else {
                reader.catch_up(now);
                Read::Pause
            };
            self.turn(wire, &mut reader, read);
        }
    }

    /// Waits until the session wants to read, or the time. What time it is, and how long to read, if at all; `None` once
    /// the session is over.
    fn await_turn(&self, held: bool) -> Option<(Instant, Option<Duration>)> {
        let (shared, link) = (&self.shared, self.link);
        let mut inner = shared.lock();
        while inner.is_open(link) {
            let now = shared.now();
            let deadline = inner.account.poll_link_timeout(link).map(|(at, _)| at);
            let wait = deadline.map_or(shared.look, |at| shared.look.min(at - now));
            let wants_input = inner.account.wants_input(link);
            if wants_input || wait.is_zero() || inner.has_failed(link) {
                return Some((now, (wants_input && !held).then_some(wait)));
            }
            inner.hold(link, true);
            inner = shared.wait(&shared.unheld, inner, Some(now + wait));
            inner.hold(link, false);
        }
        None
    }

    /// The session's turn: what was read, what time it is.
    fn turn(&self, wire: &Wire, reader: &mut Reader, read: Read) {
        let (shared, link) = (&self.shared, self.link);
        let lost = match read {
            Read::Lost(error) => Some(error),
            Read::Octets | Read::Pause => None,
        };
        let mut inner = shared.lock();
        // What keeps the session from reading never leaves then.
        let is_stuck = inner.has_failed(link) && !inner.account.wants_input(link);
        let lost = lost.or(is_stuck.then_some(None));
        let ends = lost.is_some() || inner.is_due(link, reader.caught_up) || inner.is_unbinding(link);
        let writer = if ends {
            inner.want_office(link, true);
            drop(inner);
            let writer = wire.writer.lock().unwrap_or_else(PoisonError::into_inner);
            inner = shared.lock();
            inner.want_office(link, false);
            Some(writer)
        } else {
            None
        };
        let now = shared.now();
        let mut input = reader.received.received();
        inner.account.handle_input(now, link, &mut input);
        let left = input.len();
        reader.received.keep(left);
        reader.held = left > 0 && !inner.account.wants_input(link);
        if let Some(error) = lost {
            inner.failure = error.map(|error| error.to_string()).or(inner.failure.take());
            inner.account.handle_eof(now, link);
        }
        if writer.is_some() && inner.is_due(link, reader.caught_up) {
            inner.account.handle_link_timeout(reader.caught_up, link);
        }
        // Before the output is looked at: others have left theirs to this thread.
        drop(writer);
        shared.see_to(inner);
    }
}

/// Whether it panicked.
fn caught(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

fn kind(error: &TlsError) -> ConnectFailure {
    match error {
        TlsError::Certificate(_) | TlsError::ServerName | TlsError::NoRoots => ConnectFailure::Untrusted,
        _ => ConnectFailure::Network,
    }
}
