//! What looks on at a connection for `tracing` and `metrics`: nothing, and of no size, without these features.

use std::io;
use std::net::SocketAddr;

use smpp_core::session::{Config, Event, Role, Side};
use smpp_core::{COctets, CommandStatus};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::{self, Handle};
use crate::driver::Driver;
use crate::inbox::Inbox;
#[cfg(feature = "metrics")]
use crate::metrics::Outcomes;
#[cfg(feature = "tracing")]
use crate::trace::Trace;

/// Is told what happens on one connection, PDU by PDU where it concerns more than the application.
pub(crate) struct Watch {
    #[cfg(feature = "tracing")]
    trace: Trace,
    #[cfg(feature = "metrics")]
    pub(crate) outcomes: Outcomes,
}

/// Runs a session on a connection with this address, in a task of its own.
pub(crate) fn start<R, S>(io: S, peer: SocketAddr, config: Config) -> (Handle<R>, Inbox<R>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (handle, inbox, driver) = open(io, peer, config);
    tokio::spawn(driver);
    (handle, inbox)
}

/// A session on a connection with this address, to be driven by whoever opens it.
pub(crate) fn open<R, S>(io: S, peer: SocketAddr, config: Config) -> (Handle<R>, Inbox<R>, Driver<R, S>)
where
    R: Role,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (handle, inbox, driver) = client::open(io, config);
    handle.shared.lock().watch.connected(peer);
    (handle, inbox, driver)
}

#[cfg_attr(not(feature = "tracing"), expect(clippy::unused_self, reason = "there is nobody to be told"))]
impl Watch {
    pub(crate) fn new(side: Side) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = side;
        Self {
            #[cfg(feature = "tracing")]
            trace: Trace::new(side),
            #[cfg(feature = "metrics")]
            outcomes: Outcomes::default(),
        }
    }

    fn connected(&self, peer: SocketAddr) {
        #[cfg(feature = "tracing")]
        self.trace.connected(peer);
        #[cfg(not(feature = "tracing"))]
        let _ = peer;
    }

    /// Who binds.
    pub(crate) fn binds(&self, system_id: COctets<'_, 16>) {
        #[cfg(feature = "tracing")]
        self.trace.binds(system_id);
        #[cfg(not(feature = "tracing"))]
        let _ = system_id;
    }

    /// How we have answered a bind.
    pub(crate) fn answered(&self, status: CommandStatus) {
        #[cfg(feature = "tracing")]
        self.trace.answered(status);
        #[cfg(not(feature = "tracing"))]
        let _ = status;
    }

    /// What the session tells; `failure` is what the transport has reported.
    #[inline]
    pub(crate) fn note<T>(&mut self, event: &Event<'_, T>, failure: Option<&io::Error>) {
        #[cfg(feature = "tracing")]
        self.trace.note(event, failure);
        #[cfg(feature = "metrics")]
        self.outcomes.note(event);
        #[cfg(not(all(feature = "tracing", feature = "metrics")))]
        let _ = (event, failure);
    }
}
