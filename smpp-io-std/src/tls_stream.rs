//! TLS over TCP, for one thread or for two at once.
//!
//! A rustls connection does no input or output of its own. So the lock on it is held while octets are turned into
//! records or back, and never while TCP is waited for: one thread may wait for records to come while another sends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use crate::error::TlsError;
use crate::stream::{Duplex, Transport, is_pause};

/// What one record carries at most: so much is encrypted at once, that no more than one record is ever between what was
/// taken and what has left.
const RECORD: usize = 16 * 1024;

/// Octets of records read at once.
const READ: usize = 18 * 1024;

/// TLS over TCP, either side, its handshake completed.
///
/// A read makes one system call at most, and so does a write, so that a peer that sends or takes a record octet by octet
/// cannot hold it for longer than the timeout.
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    tls: Mutex<rustls::Connection>,
    /// Records that came, and are not decrypted yet. Locked by who reads, before `tls`.
    received: Mutex<Records>,
    /// Records on their way out. Locked by who writes, before `tls`: they leave in the order in which they were made.
    records: Mutex<Records>,
}

/// Octets, of which the first `done` have been dealt with.
#[derive(Debug, Default)]
struct Records {
    octets: Vec<u8>,
    done: usize,
}

impl Records {
    fn left(&self) -> &[u8] {
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
    /// The client's side: verifies that the server's certificate is for `host`, a DNS name or an IP address.
    ///
    /// The whole handshake takes `timeout` at most.
    pub fn connect(
        tcp: TcpStream,
        host: &str,
        config: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName)?;
        handshake(tcp, ClientConnection::new(config, name)?.into(), timeout)
    }

    /// The server's side. The whole handshake takes `timeout` at most.
    pub fn accept(tcp: TcpStream, config: Arc<ServerConfig>, timeout: Duration) -> Result<Self, TlsError> {
        handshake(tcp, ServerConnection::new(config)?.into(), timeout)
    }

    /// What is decrypted already, or can be from records that have come. `WouldBlock` if that takes more records.
    fn decrypt(&self, received: &mut Records, octets: &mut [u8]) -> io::Result<usize> {
        let mut tls = lock(&self.tls);
        let (read, talks) = loop {
            match tls.reader().read(octets) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !received.left().is_empty() => {}
                done => break (done, tls.wants_write()),
            }
            let taken = tls.read_tls(&mut received.left())?;
            received.advance(taken);
            if let Err(error) = tls.process_new_packets() {
                drop(tls);
                // The alert is a courtesy: this error is the one to report.
                self.answer();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        };
        drop(tls);
        if talks {
            self.answer();
        }
        read
    }

    /// Sends what TLS itself has to say. If another thread is writing, it goes with what is written next.
    fn answer(&self) {
        let records = match self.records.try_lock() {
            Ok(records) => records,
            Err(TryLockError::Poisoned(records)) => records.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // A failure shows when something is written.
        let _ = self.send(records);
    }

    /// Hands all records to TCP. `WouldBlock` if TCP has not taken all of them in the time that a write has.
    fn send(&self, mut records: MutexGuard<'_, Records>) -> io::Result<()> {
        collect(&mut lock(&self.tls), &mut records.octets)?;
        if records.left().is_empty() {
            return Ok(());
        }
        let sent = (&self.tcp).write(records.left())?;
        records.advance(sent);
        match (sent, records.left()) {
            (0, _) => Err(io::ErrorKind::WriteZero.into()),
            (_, []) => Ok(()),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Moves the records that are made to `out`.
fn collect(tls: &mut rustls::Connection, out: &mut Vec<u8>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(out)?;
    }
    Ok(())
}

fn handshake(tcp: TcpStream, mut tls: rustls::Connection, timeout: Duration) -> Result<TlsStream, TlsError> {
    let began = Instant::now();
    while tls.is_handshaking() || tls.wants_write() {
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into());
        }
        tcp.set_write_timeout(Some(left))?;
        tcp.set_read_timeout(Some(left))?;
        match exchange(&tcp, &mut tls) {
            // The loop looks at the time.
            Err(TlsError::Io(error)) if is_pause(&error) => {}
            done => done?,
        }
    }
    Ok(TlsStream { tcp, tls: Mutex::new(tls), received: Mutex::default(), records: Mutex::default() })
}

/// One step of the handshake: all that is to be sent, then one read.
fn exchange(mut tcp: &TcpStream, tls: &mut rustls::Connection) -> Result<(), TlsError> {
    send(tcp, tls)?;
    if tls.is_handshaking() {
        if tls.read_tls(&mut tcp)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        tls.process_new_packets().map(drop).inspect_err(|_| {
            // The alert is a courtesy: the first error is the one to report.
            let _ = send(tcp, tls);
        })?;
    }
    Ok(())
}

fn send(mut tcp: &TcpStream, tls: &mut rustls::Connection) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(&mut tcp)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// A panic elsewhere leaves the records as they were: each call completes or has not begun.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Duplex for TlsStream {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        let mut received = lock(&self.received);
        match self.decrypt(&mut received, octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        // All that had come is decrypted: `received` is empty.
        received.octets.resize(READ, 0);
        let read = (&self.tcp).read(&mut received.octets);
        received.octets.truncate(*read.as_ref().unwrap_or(&0));
        if read? == 0 {
            let mut tls = lock(&self.tls);
            tls.read_tls(&mut io::empty())?;
            return tls.reader().read(octets);
        }
        // Nothing yet if the record is not complete: the caller looks at the time and reads again.
        self.decrypt(&mut received, octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        // What was taken before comes first, so that no more than one record is ever in between.
        self.send(lock(&self.records))?;
        let octets = octets.get(..RECORD).unwrap_or(octets);
        lock(&self.tls).writer().write(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.send(lock(&self.records))
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_write_timeout(timeout)
    }

    /// Says close_notify first, unless a thread is writing.
    fn close(&self) -> io::Result<()> {
        lock(&self.tls).send_close_notify();
        self.answer();
        self.tcp.shutdown(Shutdown::Both)
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

    /// Says close_notify first.
    fn shutdown(&mut self) -> io::Result<()> {
        self.close()
    }
}
