//! A transport that reports its reads, so that a test can wait until a session waits in a read.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use smpp_std::Duplex;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadState {
    /// The octets that were read.
    pub(crate) received: usize,
    /// Whether a read waits for more.
    pub(crate) is_waiting: bool,
    /// Whether the end of the stream was read.
    pub(crate) is_ended: bool,
}

#[derive(Default)]
pub(crate) struct Reads {
    state: Mutex<ReadState>,
    changed: Condvar,
}

impl Reads {
    fn update(&self, change: impl FnOnce(&mut ReadState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until the condition holds.
    pub(crate) fn wait_until(&self, condition: impl Fn(&ReadState) -> bool) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !condition(state)).unwrap());
    }
}

pub(crate) struct Reported<S>(pub(crate) S, pub(crate) Arc<Reads>);

impl<S: Duplex> Duplex for Reported<S> {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.1.update(|state| state.is_waiting = true);
        let received = self.0.receive(octets);
        self.1.update(|state| {
            state.is_waiting = false;
            state.received += received.as_ref().map_or(0, |received| *received);
            state.is_ended |= matches!(received, Ok(0));
        });
        received
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        self.0.transmit(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.0.transmit_held()
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn stop_receiving(&self) -> io::Result<()> {
        self.0.stop_receiving()
    }
}
