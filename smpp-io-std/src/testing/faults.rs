//! The transport of a connection, with the faults that the simulator decides on.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use smpp_proto::SequenceNumber;
use smpp_proto::simulator::{FaultFilter, Faults, ResponseFault, Rng, StreamEnd};

use super::socket;
use crate::{Duplex, ServerStream};

/// How long [`Faults::coalesce`] holds output back.
const COALESCE_DELAY: Duration = Duration::from_millis(50);

/// The faults of all connections. They may change at any time.
#[derive(Debug)]
pub(super) struct FaultSwitch(Mutex<Faults>);

impl FaultSwitch {
    pub(super) const fn new(faults: Faults) -> Self {
        Self(Mutex::new(faults))
    }

    pub(super) fn set(&self, faults: Faults) {
        *lock(&self.0) = faults;
    }

    pub(super) fn get(&self) -> Faults {
        *lock(&self.0)
    }
}

/// The faults of one connection, which its transport and the SMSC share.
pub(super) struct ConnectionFaults {
    filter: Mutex<FaultFilter>,
    socket: Arc<ServerStream>,
}

impl ConnectionFaults {
    pub(super) fn new(socket: Arc<ServerStream>, rng: Rng) -> Self {
        Self { filter: Mutex::new(FaultFilter::new(rng)), socket }
    }

    /// Plans a fault of the response with this sequence number.
    pub(super) fn plan(&self, sequence: SequenceNumber, fault: ResponseFault) {
        lock(&self.filter).plan(sequence, fault);
    }

    /// Ends the connection.
    pub(super) fn end(&self, end: StreamEnd) {
        lock(&self.filter).end(end);
        match end {
            StreamEnd::Reset => {
                socket::reset_at_end(&self.socket);
                let _ = self.socket.stop_receiving();
            }
            StreamEnd::HalfClose => socket::half_close(&self.socket),
            _ => drop(self.socket.close()),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection with injected faults.
pub(super) struct FaultyTransport {
    io: Arc<ServerStream>,
    switch: Arc<FaultSwitch>,
    connection: Arc<ConnectionFaults>,
    /// PDUs that wait to be written.
    output: Mutex<Vec<u8>>,
}

impl FaultyTransport {
    /// Returns a transport that injects the faults of the switch, and those that are planned for the connection.
    pub(super) fn new(
        io: Arc<ServerStream>,
        switch: Arc<FaultSwitch>,
        connection: Arc<ConnectionFaults>,
    ) -> Self {
        Self { io, switch, connection, output: Mutex::default() }
    }

    fn stream_end(&self) -> Option<StreamEnd> {
        lock(&self.connection.filter).stream_end()
    }

    /// Writes the output, and then ends the connection if a fault does.
    fn drain(&self, output: &mut Vec<u8>) -> io::Result<()> {
        let end = self.stream_end();
        if end == Some(StreamEnd::Reset) {
            self.connection.end(StreamEnd::Reset);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let max_write = self.switch.get().max_write;
        while !output.is_empty() {
            match self.io.transmit(first(output, max_write))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => drop(output.drain(..written)),
            }
        }
        self.io.transmit_held()?;
        match end {
            Some(StreamEnd::HalfClose) => socket::half_close(&self.connection.socket),
            Some(_) => {
                let _ = self.io.close();
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            None => {}
        }
        Ok(())
    }
}

/// Returns at most `max` of the first octets; all if it is 0.
fn first(octets: &[u8], max: usize) -> &[u8] {
    octets.get(..max).filter(|first| !first.is_empty()).unwrap_or(octets)
}

impl Duplex for FaultyTransport {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.io.receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        let faults = self.switch.get();
        let mut output = lock(&self.output);
        let mut filter = lock(&self.connection.filter);
        let unchanged = if output.is_empty() { filter.unchanged(&faults, octets) } else { 0 };
        if unchanged > 0 {
            // Not under the lock: the write may block, and the test may end the connection meanwhile.
            drop(filter);
            let octets = first(octets.get(..unchanged).unwrap_or(octets), faults.max_write);
            let written = self.io.transmit(octets)?;
            lock(&self.connection.filter).advance(octets.get(..written).unwrap_or(octets));
            return Ok(written);
        }
        filter.filter(&faults, octets, &mut output);
        Ok(octets.len())
    }

    fn transmit_held(&self) -> io::Result<()> {
        if self.switch.get().coalesce && !lock(&self.output).is_empty() {
            thread::sleep(COALESCE_DELAY);
        }
        let mut output = lock(&self.output);
        if output.is_empty() && self.stream_end().is_none() {
            return self.io.transmit_held();
        }
        self.drain(&mut output)
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        match self.stream_end() {
            // The socket is reset when it is dropped. A shutdown would send its end first.
            Some(StreamEnd::Reset) => self.connection.socket.stop_receiving(),
            _ if lock(&self.connection.filter).is_unbind_unanswered() => Ok(()),
            _ => self.io.close(),
        }
    }

    fn stop_receiving(&self) -> io::Result<()> {
        self.io.stop_receiving()
    }
}
