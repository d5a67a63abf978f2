//! The thread of one connection: it resolves the host, connects, and reads until the session has ended.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{self, Duration};

use smpp_proto::Endpoint;
use smpp_proto::account::{Action, ConnectFailure, LinkId};
use smpp_proto::session::Instant;

use super::connector::connect_error;
use super::link_task::{Connection, LinkTransport};
use super::shared::{Guard, Shared, max_read};
use super::state::AccountState;
use crate::dial::tcp;
use crate::error::ConnectErrorKind;
use crate::halves::{Read, Reader, WRITE_TIMEOUT, try_take};
use crate::stream::Stream;
use crate::sync::{Mutex, thread};
use crate::transport::{Duplex, MIN_WAIT};

/// How often the thread lets those run that it has woken before it writes.
const YIELDS: u32 = 2;

const NO_ENDPOINT: &str = "the options name no endpoint for it";

/// Starts the thread. It runs while there is something to do for the connection.
pub(super) fn start(shared: &Arc<Shared>, link: LinkId) -> io::Result<()> {
    let link_thread = LinkThread { shared: Arc::clone(shared), link };
    thread::Builder::new().name(format!("smpp link {link}")).spawn(move || link_thread.run())?;
    Ok(())
}

/// What the thread does next for its session.
enum Turn {
    /// It reads, for so long.
    Read(Duration),
    /// It passes the input on that was left over.
    PassInput,
    /// It advances the clock: the session wants no input.
    AdvanceClock,
}

struct LinkThread {
    shared: Arc<Shared>,
    link: LinkId,
}

impl LinkThread {
    fn run(&self) {
        while let Some(action) = self.next() {
            if panics(|| self.perform(action)) {
                // An observer may panic again. The thread goes on for its connection.
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
            Action::Connect { address, .. } => {
                let Some((endpoint, timeout)) = self.attempt() else { return self.report_no_endpoint() };
                match self.connect(&endpoint, address, timeout) {
                    Ok(stream) => self.run_session(stream),
                    Err(kind) => self.report_failure(&endpoint, kind),
                }
            }
            Action::Close { .. } => {}
        }
    }

    /// Resolves the host.
    fn resolve(&self) {
        let Some((endpoint, _)) = self.attempt() else { return self.report_no_endpoint() };
        let resolved = match (self.shared.connector.resolver)(&endpoint) {
            Ok(addresses) if addresses.is_empty() => Err(ConnectErrorKind::no_address()),
            resolved => resolved.map_err(ConnectErrorKind::Resolve),
        };
        self.shared.with(|state, now| {
            if !state.is_wanted(self.link) {
                return;
            }
            match resolved {
                Ok(addresses) => state.account.handle_resolved(now, self.link, Ok(&addresses)),
                Err(failure) => {
                    let detail = failure.detail();
                    state.last_error = Some(connect_error(&endpoint, failure));
                    state.account.handle_resolved(now, self.link, Err(&detail));
                }
            }
        });
    }

    fn attempt(&self) -> Option<(Endpoint, Duration)> {
        self.shared.lock().attempt(self.link)
    }

    /// A change of the binds has taken the endpoint.
    fn report_no_endpoint(&self) {
        self.shared.with(|state, now| {
            if state.is_wanted(self.link) {
                state.last_error = None;
                // Each call does nothing unless the connection is in that state.
                state.account.handle_resolved(now, self.link, Err(NO_ENDPOINT));
                state.account.handle_connect_failed(now, self.link, ConnectFailure::Network, NO_ENDPOINT);
            }
        });
    }

    fn report_failure(&self, endpoint: &Endpoint, kind: ConnectErrorKind) {
        let (failure, detail) = (kind.failure(), kind.detail());
        let error = connect_error(endpoint, kind);
        self.shared.with(|state, now| {
            if state.is_wanted(self.link) {
                state.last_error = Some(error);
                state.account.handle_connect_failed(now, self.link, failure, &detail);
            }
        });
    }

    /// Makes the TCP connection and the TLS handshake.
    fn connect(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<Stream, ConnectErrorKind> {
        let network = |error: io::Error| ConnectErrorKind::Connect(vec![(address, error)]);
        let connector = &self.shared.connector;
        // Before connecting, so that the error about a missing authority does not depend on the network.
        let tls = endpoint.tls.then(|| connector.tls.config());
        let tls = tls.transpose().map_err(ConnectErrorKind::Tls)?;
        // To a socket, zero means no timeout.
        let timeout = timeout.max(MIN_WAIT);
        let began = time::Instant::now();
        let (mut stream, connection) = if let Some(dialer) = &connector.dialer {
            let transport: Arc<dyn Duplex> = Arc::from(dialer.dial(endpoint, address).map_err(network)?);
            (Stream::Dialed(Box::new(Arc::clone(&transport))), Connection::Dialed(transport))
        } else {
            let tcp = tcp(address, timeout).map_err(network)?;
            let clone = tcp.try_clone().map_err(ConnectErrorKind::Socket)?;
            (Stream::Tcp(tcp), Connection::Tcp(Arc::new(clone)))
        };
        if !self.shared.lock().register_connection(self.link, connection) {
            return Err(network(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Some(config) = tls {
            let left = timeout.saturating_sub(began.elapsed());
            let secured = stream.connect_tls(&endpoint.host, &config, left);
            stream = secured.map_err(|error| ConnectErrorKind::Handshake(address, error))?;
        }
        stream.set_transmit_timeout(Some(WRITE_TIMEOUT)).map_err(ConnectErrorKind::Socket)?;
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
        let config = self.shared.lock().account.options().session;
        let mut reader = Reader::new(&config);
        while let Some((now, turn)) = self.wait_for_turn(reader.held) {
            let read = match turn {
                Turn::Read(wait) => reader.read(&transport.stream, now, wait),
                Turn::PassInput => Read::Pause,
                Turn::AdvanceClock => {
                    reader.catch_up(now);
                    Read::Pause
                }
            };
            self.drive_session(transport, &mut reader, read);
        }
    }

    /// Waits until the session wants input, or has a deadline. Returns the time, and what to do. Returns `None` once the
    /// session has ended.
    fn wait_for_turn(&self, held: bool) -> Option<(Instant, Turn)> {
        let (shared, link) = (&self.shared, self.link);
        let mut state = shared.lock();
        while state.is_open(link) {
            let now = shared.now();
            let deadline = state.account.poll_link_timeout(link).map(|(at, _)| at);
            let max_read = max_read(state.account.options());
            let wait = deadline.map_or(max_read, |at| max_read.min(at - now));
            if state.account.wants_input(link) {
                return Some((now, if held { Turn::PassInput } else { Turn::Read(wait) }));
            }
            if wait.is_zero() || state.has_write_failed(link) {
                return Some((now, Turn::AdvanceClock));
            }
            state.set_paused(link, Some(now + wait));
            state = shared.wait(&shared.resumed, state, Some(now + wait));
            state.set_paused(link, None);
        }
        None
    }

    /// Wakes the threads that wait for what was read, and lets them run before the output is written: what they send leaves
    /// with the same write. They leave it to this thread, which has the writer role meanwhile. Returns the time as well: they
    /// have advanced that of the account.
    fn wake_before_write<'a>(
        &'a self,
        transport: &LinkTransport,
        mut state: Guard<'a>,
        now: Instant,
    ) -> (Guard<'a>, Instant) {
        let shared = &self.shared;
        let Some(writer) = try_take(&transport.writer) else { return (state, now) };
        shared.dispatch(&mut state, now);
        if shared.unlock(state) {
            for _ in 0..YIELDS {
                thread::yield_now();
            }
        }
        state = shared.lock();
        state.add_unwritten(self.link.index());
        drop(writer);
        (state, shared.now())
    }

    /// Passes the input and the time to the session.
    fn drive_session(&self, transport: &LinkTransport, reader: &mut Reader, read: Read) {
        let (shared, link) = (&self.shared, self.link);
        let mut state = shared.lock();
        let has_write_failed = state.has_write_failed(link);
        let is_finished = matches!(read, Read::EndOfStream);
        let is_lost = match &read {
            Read::Failed(_) => true,
            Read::EndOfStream => has_write_failed,
            // The session wants no input until its output has left, which is no longer possible.
            Read::Octets | Read::Pause => has_write_failed && !state.account.wants_input(link),
        };
        let may_end =
            is_finished || is_lost || state.is_due(link, reader.caught_up) || state.is_unbinding(link);
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
        let AccountState { router, account, .. } = &mut *state;
        router.handle_input(now, account, link, &mut input);
        let remaining = input.len();
        reader.received.keep_last(remaining);
        reader.held = remaining > 0 && !state.account.wants_input(link);
        if let Read::Failed(error) = read {
            state.set_transport_error(link, error);
        }
        if is_lost {
            state.account.handle_disconnect(now, link);
        } else if is_finished {
            // The session reads no more. It still transmits the responses of the application.
            state.account.handle_eof(now, link);
        }
        if writer.is_some() && state.is_due(link, reader.caught_up) {
            state.account.handle_link_timeout(reader.caught_up, link);
        }
        // Give up the role before writing: other threads have left their output to this thread.
        if writer.is_some() {
            state.add_unwritten(link.index());
        }
        drop(writer);
        if reader.is_shrink_due(now) {
            state.account.shrink(link);
            state.router.shrink();
            reader.received.shrink();
            // A thread that is writing has output.
            if let Some(mut writer) = try_take(&transport.writer) {
                writer.shrink();
            }
        }
        let (state, now) = self.wake_before_write(transport, state, now);
        shared.process_and_unlock(state, now);
    }
}

/// Returns whether the function has panicked.
fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}
