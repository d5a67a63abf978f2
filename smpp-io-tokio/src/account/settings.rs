//! The settings of an account that its connections use.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use smpp_common::LastFailure;
use smpp_proto::Endpoint;
use smpp_proto::account::{Expected, LinkId, Options};
use smpp_proto::session::Observer;

use crate::dial::Dialer;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::tls::ClientTls;

/// The observer of the PDUs of one bind.
pub(super) type BoxedObserver = Box<dyn Observer + Send>;

/// Resolves the addresses of an endpoint.
pub(super) type Resolver = Box<dyn Fn(&Endpoint) -> ResolveFuture + Send + Sync>;

pub(super) type ResolveFuture = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

pub(crate) struct Settings {
    /// The options at the start.
    pub(super) options: Options,
    pub(super) tls: ClientTls,
    pub(super) dialer: Option<Dialer>,
    pub(super) arrivals_capacity: usize,
    /// The messages of an earlier process, until the account has them.
    pub(super) expected: Vec<Expected>,
    pub(super) events_capacity: usize,
    pub(super) resolver: Resolver,
    /// Creates the observer of a bind.
    pub(super) observer: Option<Box<dyn Fn(LinkId) -> BoxedObserver + Send + Sync>>,
}

/// Returns the failure of a connection to this endpoint.
pub(super) fn connect_error(endpoint: &Endpoint, kind: ConnectErrorKind) -> LastFailure {
    ConnectError::new(endpoint, kind).into()
}

/// Returns the failure of a bind to this endpoint.
pub(super) fn bind_error(endpoint: &Endpoint, kind: ConnectErrorKind, system_id: &str) -> LastFailure {
    ConnectError::bind(endpoint, system_id, kind).into()
}
