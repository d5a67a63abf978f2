//! The state of one connection: what its thread does, and which thread writes its output.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use smpp_proto::account::{Action, LinkId};
use smpp_proto::session::Instant;

use crate::halves::Writer;
use crate::stream::Stream;
use crate::sync::Mutex;
use crate::transport::Duplex;

/// The transport of one session. The connection's thread reads it; the thread that holds `writer` writes it.
pub(super) struct LinkTransport {
    pub(super) stream: Stream,
    /// The writer role.
    pub(super) writer: Mutex<Writer>,
}

/// The connection under the TLS of a link, if it has TLS.
#[derive(Clone)]
pub(super) enum Connection {
    Tcp(Arc<TcpStream>),
    /// A transport that the application has made.
    Dialed(Arc<dyn Duplex>),
}

impl Connection {
    pub(super) fn duplex(&self) -> &dyn Duplex {
        match self {
            Self::Tcp(tcp) => tcp.as_ref(),
            Self::Dialed(transport) => transport,
        }
    }
}

/// The state of one connection and its thread.
pub(super) struct LinkTask {
    pub(super) link: LinkId,
    /// What the thread does next.
    pub(super) next: Option<Action>,
    pub(super) thread: ThreadState,
    /// Until when to wait for the resolver.
    pub(super) resolve_deadline: Option<Instant>,
    /// The connection, to interrupt the thread that waits for it.
    pub(super) connection: Option<Connection>,
    /// The transport, once the session has begun.
    pub(super) transport: Option<Arc<LinkTransport>>,
    /// The first error of the transport.
    pub(super) transport_error: Option<Arc<io::Error>>,
    pub(super) output: OutputMode,
    /// Whether it is in [`AccountState::unwritten`](super::state::AccountState).
    pub(super) is_unwritten: bool,
    /// Whether it is in the list of those with deferred output.
    pub(super) is_listed: bool,
    /// Whether the connection's thread waits for the writer role. Then no other thread takes it.
    pub(super) wants_writer: bool,
    /// Until when the thread waits at most if the session wants no input before; `None` if it does not wait for that.
    pub(super) paused_until: Option<Instant>,
}

/// The thread of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadState {
    None,
    Running,
    /// The thread is running, and its result will be dropped.
    Abandoned,
}

/// Which thread writes the output of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputMode {
    /// The thread that causes the output.
    Immediate,
    /// The background thread: the transport takes nothing at present, or there is too much output for one call.
    Deferred,
    /// None: the transport has failed.
    Failed,
}

impl LinkTask {
    pub(super) const fn new(link: LinkId) -> Self {
        Self {
            link,
            next: None,
            thread: ThreadState::None,
            resolve_deadline: None,
            connection: None,
            transport: None,
            transport_error: None,
            output: OutputMode::Immediate,
            is_unwritten: false,
            is_listed: false,
            wants_writer: false,
            paused_until: None,
        }
    }

    /// Makes a read return in which the thread waits. On a system where this has no effect, the read returns after
    /// [`max_read`](super::shared::max_read). Under the account's lock: the call into the transport must not block.
    pub(super) fn stop_receiving(&self) {
        // It fails only if the transport is no longer connected, and then no read waits.
        let _ = self.connection.as_ref().map(|connection| connection.duplex().stop_receiving());
    }

    /// Returns what makes a read return in which the thread waits, once the session has ended.
    pub(super) fn interrupt(&self) -> Option<Interrupt> {
        Some(Interrupt { connection: self.connection.clone()?, transport: self.transport.clone() })
    }
}

/// Makes the thread of a connection return from its read. [`run`](Self::run) calls the transport: call it without the
/// account's lock.
pub(super) struct Interrupt {
    connection: Connection,
    transport: Option<Arc<LinkTransport>>,
}

impl Interrupt {
    /// Makes a read return in which the thread waits.
    pub(super) fn run(&self) {
        match (&self.connection, &self.transport) {
            // Octets that TLS holds back leave before the transport is closed.
            (Connection::Dialed(_), Some(transport)) => drop(transport.stream.close()),
            // It fails only if the transport is no longer connected, and then no read waits.
            _ => drop(self.connection.duplex().stop_receiving()),
        }
    }
}
