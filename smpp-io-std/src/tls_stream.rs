//! TLS over TCP or another transport, for one thread, or for one thread that reads and one that writes.
//!
//! A rustls connection does no input or output of its own. So a thread holds the lock on it only while it encrypts or
//! decrypts, and never while it waits for the transport: one thread can wait for records while another thread sends.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::error::no_answer;
use crate::tls::rustls::pki_types::ServerName;
use crate::tls::rustls::{self, ClientConnection, ServerConnection};
use crate::tls::{ClientConfig, ClientTls, ServerTls, TlsError, TlsInfo};
use crate::transport::{Duplex, MIN_WAIT, Transport, is_pause};

/// The most octets that one record carries. A write takes no more, so that at most one record is ever taken from the
/// session but not yet written.
const RECORD: usize = 16 * 1024;

/// The most octets that one read takes from TCP.
const READ: usize = 18 * 1024;

/// TLS over TCP or another transport, client or server side, with a completed handshake.
///
/// A [`Connector`](crate::Connector) and a [`Server`](crate::Server) make one for `smpps://`. Make one yourself to run a
/// [`Connection`](crate::Connection) or a [`Handle`](crate::Handle) over it:
///
/// ```no_run
/// use std::net::TcpStream;
/// use std::path::Path;
/// use std::time::Duration;
/// use smpp_proto::session::{Config, Esme};
/// use smpp_std::{Connection, TlsStream, tls};
///
/// let tcp = TcpStream::connect("localhost:2776")?;
/// tcp.set_nodelay(true)?;
/// let stream = TlsStream::connect(tcp, "localhost", tls::ca_file(Path::new("ca.pem"))?, Duration::from_secs(10))?;
/// let connection = Connection::<Esme, _>::new(stream, Config::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A read makes at most one system call that waits, and so does a write. So a peer that sends or takes a record octet by
/// octet cannot hold a call for longer than its timeout.
///
/// Dropping a `TlsStream` closes the transport without a close_notify; [`Duplex::close`] and [`Transport::shutdown`] send one.
pub struct TlsStream {
    transport: Box<dyn Duplex>,
    tls: Mutex<rustls::Connection>,
    /// Records that were read and are not decrypted yet. The reading thread locks it, and `tls` after it.
    received: Mutex<Records>,
    /// Records that wait to be written. The writing thread locks it, and `tls` after it: records leave in the order in
    /// which they were encrypted.
    records: Mutex<Records>,
}

/// Octets, of which the first `done` are decrypted or written.
#[derive(Debug, Default)]
struct Records {
    octets: Vec<u8>,
    done: usize,
}

impl Records {
    fn remaining(&self) -> &[u8] {
        self.octets.get(self.done..).unwrap_or_default()
    }

    fn advance(&mut self, octets: usize) {
        self.done += octets;
        if self.done >= self.octets.len() {
            self.octets.clear();
            self.done = 0;
        }
    }
}

impl TlsStream {
    /// Makes the client's handshake, and verifies that the server's certificate is for `host`, a DNS name or an IP
    /// address.
    ///
    /// The whole handshake takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TlsError::ServerName`] if `host` is neither a DNS name nor an IP address, [`TlsError::Certificate`] if the
    /// certificate was rejected, [`TlsError::Protocol`] if the peer does not speak TLS or offers nothing in common, and
    /// [`TlsError::Io`] if the connection failed or `timeout` passed. [`ClientTls::config`] has those of a default configuration.
    pub fn connect(
        transport: impl Duplex + 'static,
        host: &str,
        tls: impl Into<ClientTls>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        Self::connect_boxed(Box::new(transport), host, tls.into().config()?, timeout)
    }

    pub(crate) fn connect_boxed(
        transport: Box<dyn Duplex>,
        host: &str,
        config: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
        handshake(transport, ClientConnection::new(config, name)?.into(), timeout)
    }

    /// Makes the server's handshake. The whole handshake takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TlsError::Protocol`] if the peer does not speak TLS or offers nothing in common, and [`TlsError::Io`] if the
    /// connection failed or `timeout` passed.
    pub fn accept(
        transport: impl Duplex + 'static,
        tls: impl Into<ServerTls>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        handshake(Box::new(transport), ServerConnection::new(tls.into().config())?.into(), timeout)
    }

    /// Returns what the handshake with a client has agreed on; `None` on the client side.
    pub(crate) fn server_info(&self) -> Option<TlsInfo> {
        match &*lock(&self.tls) {
            rustls::Connection::Server(server) => Some(TlsInfo::of(server)),
            rustls::Connection::Client(_) => None,
        }
    }

    /// Returns octets that are decrypted already, or decrypts records that were received. `WouldBlock` if more records are
    /// needed.
    fn decrypt(&self, received: &mut Records, octets: &mut [u8]) -> io::Result<usize> {
        let mut tls = lock(&self.tls);
        let (read, has_records) = loop {
            match tls.reader().read(octets) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && !received.remaining().is_empty() => {}
                done => break (done, tls.wants_write()),
            }
            let taken = tls.read_tls(&mut received.remaining())?;
            received.advance(taken);
            if let Err(error) = tls.process_new_packets() {
                drop(tls);
                // The alert is optional: this error is the one to report.
                self.send_pending();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        };
        drop(tls);
        if has_records {
            self.send_pending();
        }
        read
    }

    /// Sends the records of TLS itself: alerts, new keys. If another thread is writing, they leave with the next write.
    fn send_pending(&self) {
        let records = match self.records.try_lock() {
            Ok(records) => records,
            Err(TryLockError::Poisoned(records)) => records.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // The next write reports a failure.
        let _ = self.send(records);
    }

    /// Writes all records with one call. `WouldBlock` if the transport did not take all of them within the write timeout.
    fn send(&self, mut records: MutexGuard<'_, Records>) -> io::Result<()> {
        collect(&mut lock(&self.tls), &mut records.octets)?;
        if records.remaining().is_empty() {
            return self.transport.transmit_held();
        }
        let sent = self.transport.transmit(records.remaining())?;
        records.advance(sent);
        match (sent, records.remaining()) {
            (0, _) => Err(io::ErrorKind::WriteZero.into()),
            (_, []) => self.transport.transmit_held(),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Moves the encrypted records from the TLS connection to `out`.
fn collect(tls: &mut rustls::Connection, out: &mut Vec<u8>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(out)?;
    }
    Ok(())
}

fn handshake(
    transport: Box<dyn Duplex>,
    mut tls: rustls::Connection,
    timeout: Duration,
) -> Result<TlsStream, TlsError> {
    let began = Instant::now();
    while tls.is_handshaking() || tls.wants_write() {
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(no_answer(timeout).into());
        }
        transport.set_transmit_timeout(Some(left))?;
        transport.set_receive_timeout(Some(left))?;
        match exchange(&mut Octets(&*transport), &mut tls) {
            // The loop checks the timeout.
            Err(TlsError::Io(error)) if is_pause(&error) => {}
            done => done?,
        }
    }
    Ok(TlsStream { transport, tls: Mutex::new(tls), received: Mutex::default(), records: Mutex::default() })
}

/// Makes one step of the handshake: sends all records, then reads once.
fn exchange(transport: &mut Octets<'_>, tls: &mut rustls::Connection) -> Result<(), TlsError> {
    send(transport, tls)?;
    if tls.is_handshaking() {
        if tls.read_tls(transport)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        tls.process_new_packets().map(drop).inspect_err(|_| {
            // The alert is optional: the first error is the one to report.
            let _ = send(transport, tls);
        })?;
    }
    Ok(())
}

fn send(transport: &mut Octets<'_>, tls: &mut rustls::Connection) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(transport)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    transport.flush()
}

/// A transport as rustls reads and writes it.
struct Octets<'a>(&'a dyn Duplex);

impl Read for Octets<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.0.receive(octets)
    }
}

impl Write for Octets<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.transmit(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.transmit_held()
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// Ignores poisoning: a panic of another thread leaves the records consistent, as each call completes or has not begun.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TlsStream {
    /// Returns octets that are decrypted, or reads once from the transport with `read`.
    fn receive_with(
        &self,
        octets: &mut [u8],
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut received = lock(&self.received);
        match self.decrypt(&mut received, octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        // Every received record is decrypted: `received` is empty.
        received.octets.resize(READ, 0);
        let read = read(&mut received.octets);
        received.octets.truncate(*read.as_ref().unwrap_or(&0));
        if read? == 0 {
            let mut tls = lock(&self.tls);
            tls.read_tls(&mut io::empty())?;
            return tls.reader().read(octets);
        }
        // `WouldBlock` if the record is not complete: the caller checks the time and reads again.
        self.decrypt(&mut received, octets)
    }
}

impl Duplex for TlsStream {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive_with(octets, |space| self.transport.receive(space))
    }

    fn receive_available(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive_with(octets, |space| self.transport.receive_available(space))
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        // Earlier octets leave first, so that at most one record is ever taken but not yet written.
        self.send(lock(&self.records))?;
        let octets = octets.get(..RECORD).unwrap_or(octets);
        lock(&self.tls).writer().write(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.send(lock(&self.records))
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport.set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport.set_transmit_timeout(timeout)
    }

    /// Sends close_notify first, unless another thread is writing or the transport takes nothing.
    fn close(&self) -> io::Result<()> {
        lock(&self.tls).send_close_notify();
        // The alert is optional, and so is its timeout.
        let _ = self.transport.set_transmit_timeout(Some(MIN_WAIT));
        self.send_pending();
        self.transport.close()
    }

    fn stop_receiving(&self) -> io::Result<()> {
        self.transport.stop_receiving()
    }
}

impl Read for TlsStream {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive(octets)
    }
}

impl Write for TlsStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.transmit(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transmit_held()
    }
}

impl Transport for TlsStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_receive_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_transmit_timeout(timeout)
    }

    /// Sends close_notify first.
    fn shutdown(&mut self) -> io::Result<()> {
        self.close()
    }

    fn read_available(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.receive_available(octets)
    }
}
