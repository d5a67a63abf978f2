//! What the threads of a server share.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use smpp_core::InterfaceVersion;
use smpp_core::session::Observer;

use super::registry::{ConnectionRegistry, ServerLimits};
use super::service::Service;
use crate::handle::Peer;

/// Creates the observer of a connection from the address of the client.
pub(super) type ObserverFactory = Box<dyn Fn(SocketAddr) -> Box<dyn Observer + Send> + Send + Sync>;

pub(super) struct Shared {
    pub(super) service: Box<dyn Service>,
    pub(super) limits: ServerLimits,
    pub(super) system_id: Vec<u8>,
    /// The version that bind responses state.
    pub(super) version: Option<InterfaceVersion>,
    pub(super) observer: Option<ObserverFactory>,
    pub(super) stopping: AtomicBool,
    registry: Mutex<ConnectionRegistry>,
    /// Notified when a connection has ended.
    pub(super) connection_ended: Condvar,
}

impl Shared {
    pub(super) fn new(
        service: Box<dyn Service>,
        limits: ServerLimits,
        (system_id, version): (Vec<u8>, Option<InterfaceVersion>),
        observer: Option<ObserverFactory>,
    ) -> Self {
        Self {
            service,
            limits,
            system_id,
            version,
            observer,
            stopping: AtomicBool::new(false),
            registry: Mutex::default(),
            connection_ended: Condvar::new(),
        }
    }

    /// Locks the registry. Ignores poisoning: a panic of the service leaves the registry consistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, ConnectionRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peers(&self) -> Vec<Peer> {
        self.lock().all.values().filter_map(|connection| connection.peer.clone()).collect()
    }

    /// Waits until all connections have ended, at most until `deadline`.
    pub(super) fn wait_for_end(&self, deadline: Instant) {
        let mut registry = self.lock();
        while !registry.all.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.connection_ended.wait_timeout(registry, left);
            registry = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
