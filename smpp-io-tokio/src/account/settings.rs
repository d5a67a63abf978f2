//! The settings of an account that its connections use.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use smpp_core::Endpoint;
use smpp_core::account::{Expected, LinkEvent, LinkId, Options};
use smpp_core::session::Observer;

use crate::dial::{ClientTls, Dialer};
use crate::error::{ConnectError, ConnectErrorKind};

/// The observer of the PDUs of one bind.
pub(super) type BoxedObserver = Box<dyn Observer + Send>;

/// Resolves the addresses of an endpoint.
pub(super) type Resolver = Box<dyn Fn(&Endpoint) -> ResolveFuture + Send + Sync>;

pub(super) type ResolveFuture = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

pub(crate) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) options: Options,
    pub(super) tls: ClientTls,
    pub(super) dialer: Option<Dialer>,
    pub(super) arrivals_capacity: usize,
    /// The messages of an earlier process, until the account has them.
    pub(super) expected: Vec<Expected>,
    pub(super) resolver: Resolver,
    /// Creates the observer of a bind.
    pub(super) observer: Option<Box<dyn Fn(LinkId) -> BoxedObserver + Send + Sync>>,
    pub(super) subscriber: Option<Box<dyn Fn(LinkId, LinkEvent) + Send + Sync>>,
}

impl Settings {
    pub(super) fn connect_error(&self, kind: ConnectErrorKind) -> ConnectError {
        ConnectError { endpoint: self.endpoint.to_string(), kind }
    }
}
