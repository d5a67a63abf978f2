//! The thread of one connection: it resolves the host, connects, and reads until the session has ended.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{self, Duration};
use std::{io, thread};

use smpp_core::account::{Action, ConnectFailure, LinkId};
use smpp_core::session::Instant;

use super::link_task::LinkTransport;
use super::shared::Shared;
use crate::connect::{client_config, tcp};
use crate::error::TlsError;
use crate::halves::{MIN_WAIT, Read, Reader, WRITE_TIMEOUT};
use crate::stream::Stream;
use crate::tls_stream::TlsStream;
use crate::transport::Duplex;

/// Starts the thread. It runs while there is something to do for the connection.
pub(super) fn start(shared: &Arc<Shared>, link: LinkId) -> io::Result<()> {
    let link_thread = LinkThread { shared: Arc::clone(shared), link };
    thread::Builder::new().name(format!("smpp link {link}")).spawn(move || link_thread.run())?;
    Ok(())
}

struct LinkThread {
    shared: Arc<Shared>,
    link: LinkId,
}

impl LinkThread {
    fn run(&self) {
        while let Some(action) = self.next() {
            if panics(|| self.perform(action)) {
                // The subscriber may panic again when it receives the event. The thread goes on for its connection.
                panics(|| self.shared.with(|state, now| state.handle_panic(now, self.link)));
            }
        }
    }

    fn next(&self) -> Option<Action> {
        self.shared.lock().next_action(self.link)
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Resolve { .. } => self.resolve(),
            Action::Connect { address, .. } => match self.connect(address) {
                Ok(stream) => self.run_session(stream),
                Err((failure, error)) => self.report_failure(failure, format!("{address}: {error}")),
            },
            Action::Close { .. } => {}
        }
    }

    /// Resolves the host.
    fn resolve(&self) {
        let connector = &self.shared.connector;
        let resolved = (connector.resolver)(&connector.endpoint);
        self.shared.with(|state, now| {
            if !state.is_wanted(self.link) {
                return;
            }
            let host = &connector.endpoint.host;
            match &resolved {
                Ok(addresses) if addresses.is_empty() => {
                    state.last_error = Some(format!("cannot resolve {host}: it has no address"));
                }
                Ok(_) => {}
                Err(error) => state.last_error = Some(format!("cannot resolve {host}: {error}")),
            }
            state.account.handle_resolved(now, self.link, &resolved.unwrap_or_default());
        });
    }

    fn report_failure(&self, failure: ConnectFailure, error: String) {
        self.shared.with(|state, now| {
            if state.is_wanted(self.link) {
                state.last_error = Some(error);
                state.account.handle_connect_failed(now, self.link, failure);
            }
        });
    }

    /// Makes the TCP connection and the TLS handshake.
    fn connect(&self, address: SocketAddr) -> Result<Stream, (ConnectFailure, TlsError)> {
        let network = |error| (ConnectFailure::Network, TlsError::Io(error));
        let connector = &self.shared.connector;
        // To a socket, zero means no timeout.
        let timeout = connector.options.connect_timeout.max(MIN_WAIT);
        let began = time::Instant::now();
        let tcp = tcp(address, timeout).map_err(network)?;
        let clone = tcp.try_clone().map_err(network)?;
        if !self.shared.lock().register_tcp(self.link, clone) {
            return Err(network(io::ErrorKind::ConnectionAborted.into()));
        }
        let stream = if connector.endpoint.tls {
            let left = timeout.saturating_sub(began.elapsed());
            let tls = client_config(connector.tls.as_ref())
                .and_then(|config| TlsStream::connect(tcp, &connector.endpoint.host, config, left));
            Stream::Tls(Box::new(tls.map_err(|error| (failure_kind(&error), error))?))
        } else {
            Stream::Tcp(tcp)
        };
        stream.set_transmit_timeout(Some(WRITE_TIMEOUT)).map_err(network)?;
        Ok(stream)
    }

    /// Runs the session over the stream until it has ended, then closes the stream.
    fn run_session(&self, stream: Stream) {
        let shared = &self.shared;
        let observer = shared.connector.observer.as_ref().map(|observer| observer(self.link));
        let transport = Arc::new(LinkTransport { stream, writer: Mutex::default() });
        if !shared.with(|state, now| state.open_session(now, self.link, observer, Arc::clone(&transport))) {
            return;
        }
        self.read(&transport);
        // With the writer role, no thread is writing, and every written octet is counted.
        let writer = transport.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // The session has ended, with or without an error here.
        let _ = transport.stream.close();
        shared.with(|state, now| state.handle_closed(now, self.link));
        drop(writer);
    }

    /// Reads until the session has ended.
    fn read(&self, transport: &LinkTransport) {
        let mut reader = Reader::new(self.shared.connector.options.session.max_pdu);
        while let Some((now, wait)) = self.wait_for_turn(reader.held) {
            let read = if let Some(wait) = wait {
                reader.read(&transport.stream, now, wait)
            } else {
                reader.catch_up(now);
                Read::Pause
            };
            self.drive_session(transport, &mut reader, read);
        }
    }

    /// Waits until the session wants input, or has a deadline. Returns the time, and how long to read, if at all. Returns
    /// `None` once the session has ended.
    fn wait_for_turn(&self, held: bool) -> Option<(Instant, Option<Duration>)> {
        let (shared, link) = (&self.shared, self.link);
        let mut state = shared.lock();
        while state.is_open(link) {
            let now = shared.now();
            let deadline = state.account.poll_link_timeout(link).map(|(at, _)| at);
            let wait = deadline.map_or(shared.max_read, |at| shared.max_read.min(at - now));
            let wants_input = state.account.wants_input(link);
            if wants_input || wait.is_zero() || state.has_write_failed(link) {
                return Some((now, (wants_input && !held).then_some(wait)));
            }
            state.set_paused(link, true);
            state = shared.wait(&shared.resumed, state, Some(now + wait));
            state.set_paused(link, false);
        }
        None
    }

    /// Passes the input and the time to the session.
    fn drive_session(&self, transport: &LinkTransport, reader: &mut Reader, read: Read) {
        let (shared, link) = (&self.shared, self.link);
        let lost = match read {
            Read::Lost(error) => Some(error),
            Read::Octets | Read::Pause => None,
        };
        let mut state = shared.lock();
        // The session wants no input until its output has left, which is no longer possible.
        let is_stuck = state.has_write_failed(link) && !state.account.wants_input(link);
        let lost = lost.or(is_stuck.then_some(None));
        let may_end = lost.is_some() || state.is_due(link, reader.caught_up) || state.is_unbinding(link);
        let writer = if may_end {
            state.set_wants_writer(link, true);
            drop(state);
            let writer = transport.writer.lock().unwrap_or_else(PoisonError::into_inner);
            state = shared.lock();
            state.set_wants_writer(link, false);
            Some(writer)
        } else {
            None
        };
        let now = shared.now();
        let mut input = reader.received.received();
        state.account.handle_input(now, link, &mut input);
        let remaining = input.len();
        reader.received.keep_last(remaining);
        reader.held = remaining > 0 && !state.account.wants_input(link);
        if let Some(error) = lost {
            state.last_error = error.map(|error| error.to_string()).or(state.last_error.take());
            state.account.handle_eof(now, link);
        }
        if writer.is_some() && state.is_due(link, reader.caught_up) {
            state.account.handle_link_timeout(reader.caught_up, link);
        }
        // Give up the role before writing: other threads have left their output to this thread.
        drop(writer);
        shared.process_and_unlock(state);
    }
}

/// Returns whether the function has panicked.
fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

fn failure_kind(error: &TlsError) -> ConnectFailure {
    match error {
        TlsError::Certificate(_) | TlsError::ServerName | TlsError::NoRoots => ConnectFailure::Untrusted,
        _ => ConnectFailure::Network,
    }
}
