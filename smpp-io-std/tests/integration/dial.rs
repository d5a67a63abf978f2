//! Connectors and accounts over a transport that a function of the application makes.

use std::io;
#[cfg(unix)]
use std::net::SocketAddr;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{message, watched};
use smpp_proto::account::{Backoff, Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{CloseReason, Config};
use smpp_proto::{RegisteredDelivery, SubmitSm};
use smpp_std::account::AccountConnector;
use smpp_std::testing::{ACCOUNT, TestSmsc};
use smpp_std::{ConnectErrorKind, Connector, DialTarget, Duplex};

/// Counts the octets that a transport has received.
struct Counting(TcpStream, Arc<AtomicU64>);

impl Duplex for Counting {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        let received = self.0.receive(octets)?;
        self.1.fetch_add(received as u64, Ordering::SeqCst);
        Ok(received)
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
}

type Counter = Arc<AtomicU64>;

fn dialer() -> (Counter, impl Fn(DialTarget) -> io::Result<Counting> + Send + Sync + 'static) {
    let count = Counter::default();
    let counting = Arc::clone(&count);
    (count, move |target| Ok(Counting(TcpStream::connect(target.address)?, Arc::clone(&counting))))
}

fn smsc(secure: bool) -> TestSmsc {
    let builder = TestSmsc::builder();
    if secure { builder.tls() } else { builder }.start().unwrap()
}

#[test]
fn a_connector_uses_the_transport_of_the_application() {
    watched(|| {
        for secure in [false, true] {
            let smsc = smsc(secure);
            let (received, dialer) = dialer();
            let connector = Connector::new().tls(smsc.client_tls()).dial(dialer);
            let mut connection = connector.bind(&smsc.endpoint(), &smsc.bind()).unwrap();
            connection.submit(&message()).unwrap();
            assert!(connection.recv(Some(Duration::ZERO)).is_ok());
            assert_eq!(connection.unbind().reason, CloseReason::Unbound);
            let before = received.load(Ordering::SeqCst);
            assert!(before > 40);
            let (client, _inbox) = connector.start(&smsc.endpoint()).unwrap();
            client.bind(&smsc.bind()).unwrap();
            client.submit(&message()).unwrap();
            assert_eq!(client.unbind().reason, CloseReason::Unbound);
            assert!(received.load(Ordering::SeqCst) > before + 40);
        }
    });
}

#[test]
fn a_failed_dial_is_an_address_that_accepts_no_connection() {
    let refused = |_: DialTarget| Err::<TcpStream, _>(io::Error::other("the proxy is closed"));
    let endpoint = "smpp://127.0.0.1:2775".parse().unwrap();
    let error = Connector::new().dial(refused).connect(&endpoint).unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Connect(_)));
    assert!(error.to_string().contains("127.0.0.1:2775: the proxy is closed"), "{error}");
}

#[test]
fn an_account_uses_the_transport_of_the_application() {
    watched(|| {
        for secure in [false, true] {
            let smsc = smsc(secure);
            let (received, dialer) = dialer();
            let options = Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), &Provider::UNSTATED)
                .binds(Binds::transceivers(1))
                .session(Config::default().drain_timeout(Duration::from_secs(20)));
            let connector =
                AccountConnector::new(&smsc.endpoint(), options).tls(smsc.client_tls()).dial(dialer);
            let (account, _arrivals) = connector.connect().unwrap();
            account.send(&Message::submit_sm(&message())).unwrap();
            let began = Instant::now();
            account.shutdown(Duration::from_secs(1));
            assert!(began.elapsed() < Duration::from_secs(3), "the threads do not wait in their reads");
            assert!(received.load(Ordering::SeqCst) > 40);
        }
    });
}

/// A transport whose reads wait for octets without limit, and whose writes fail from the first one after `breaks` is set.
struct Breaking {
    tcp: TcpStream,
    breaks: Arc<AtomicBool>,
    broken: AtomicBool,
    stopped: Arc<AtomicBool>,
}

impl Duplex for Breaking {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.tcp.receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        self.broken.fetch_or(self.breaks.swap(false, Ordering::SeqCst), Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the proxy is gone"));
        }
        self.tcp.transmit(octets)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.tcp.transmit_held()
    }

    fn set_receive_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.tcp.close()
    }

    fn stop_receiving(&self) -> io::Result<()> {
        self.stopped.store(true, Ordering::SeqCst);
        self.tcp.stop_receiving()
    }
}

type Flags = (Arc<AtomicBool>, Arc<AtomicBool>);

fn breaking() -> (Flags, impl Fn(DialTarget) -> io::Result<Breaking> + Send + Sync + 'static) {
    let flags = Flags::default();
    let (breaks, stopped) = flags.clone();
    (flags, move |target| {
        let (breaks, stopped) = (Arc::clone(&breaks), Arc::clone(&stopped));
        Ok(Breaking {
            tcp: TcpStream::connect(target.address)?,
            breaks,
            broken: AtomicBool::default(),
            stopped,
        })
    })
}

/// The SMSC keeps the connection open: without an interruption the read would never return.
#[test]
fn a_failed_write_ends_the_session_at_once_although_a_thread_reads() {
    for secure in [false, true] {
        watched(move || {
            let smsc = smsc(secure);
            let ((breaks, stopped), dialer) = breaking();
            let connector = Connector::new().tls(smsc.client_tls()).dial(dialer);
            let (client, mut inbox) = connector.start(&smsc.endpoint()).unwrap();
            client.bind(&smsc.bind()).unwrap();
            // This thread reads from here on.
            let receiving = std::thread::spawn(move || inbox.recv().is_none());
            breaks.store(true, Ordering::SeqCst);
            let error = client.submit(&message()).unwrap_err();
            // TLS takes the octets before its transport fails.
            assert!(secure || error.is_safe_to_resend(), "{error}");
            let end = client.closed();
            assert_eq!(end.reason, CloseReason::Disconnected);
            assert_eq!(end.error.unwrap().to_string(), "the proxy is gone");
            assert!(receiving.join().unwrap());
            assert!(stopped.load(Ordering::SeqCst));
        });
    }
}

#[test]
fn an_account_reconnects_at_once_after_a_failed_write() {
    for secure in [false, true] {
        watched(move || {
            let smsc = smsc(secure);
            let ((breaks, stopped), dialer) = breaking();
            // The next connection follows after this delay, not after that of a read.
            let delay = Duration::from_millis(20);
            let options = options().backoff(Backoff::default().initial(delay).max(delay));
            let connector =
                AccountConnector::new(&smsc.endpoint(), options).tls(smsc.client_tls()).dial(dialer);
            let (account, _arrivals) = connector.connect().unwrap();
            breaks.store(true, Ordering::SeqCst);
            let first = account.send(&Message::submit_sm(&message()));
            assert!(secure || first.is_ok(), "sent on the next connection");
            account.send(&Message::submit_sm(&message())).unwrap();
            assert!(stopped.load(Ordering::SeqCst));
            account.shutdown(Duration::from_secs(1));
        });
    }
}

/// The application keeps the transport and closes it.
#[test]
fn the_owner_of_a_transport_ends_the_session() {
    watched(|| {
        let smsc = smsc(false);
        let (sender, transports) = std::sync::mpsc::channel();
        let connector = Connector::new().dial(move |target| {
            let (_, dialer) = breaking();
            let transport = Arc::new(dialer(target)?);
            sender.send(Arc::clone(&transport)).map_err(io::Error::other)?;
            Ok(transport)
        });
        let (client, _inbox) = connector.start(&smsc.endpoint()).unwrap();
        client.bind(&smsc.bind()).unwrap();
        transports.recv().unwrap().close().unwrap();
        assert_eq!(client.closed().reason, CloseReason::Disconnected);
    });
}

/// A transport that, once, does something before a write returns: after the response to what it wrote was delivered.
struct Pausing {
    tcp: TcpStream,
    pauses: Arc<AtomicBool>,
    is_reading: Arc<AtomicBool>,
    /// Whether a write waits, and whether octets have come meanwhile.
    waits: AtomicBool,
    has_come: AtomicBool,
    delivered: (SyncSender<()>, Mutex<Receiver<()>>),
    then: Arc<dyn Fn() + Send + Sync>,
}

impl Duplex for Pausing {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        // The thread reads again: it has woken the thread that waits for the octets.
        if self.has_come.swap(false, Ordering::SeqCst) {
            self.delivered.0.send(()).map_err(io::Error::other)?;
        }
        self.is_reading.store(true, Ordering::SeqCst);
        let received = self.tcp.receive(octets);
        self.is_reading.store(false, Ordering::SeqCst);
        let received = received?;
        self.has_come.store(self.waits.swap(false, Ordering::SeqCst), Ordering::SeqCst);
        Ok(received)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        if !self.pauses.swap(false, Ordering::SeqCst) {
            return self.tcp.transmit(octets);
        }
        self.waits.store(true, Ordering::SeqCst);
        let transmitted = self.tcp.transmit(octets)?;
        self.delivered.1.lock().unwrap().recv().map_err(io::Error::other)?;
        (self.then)();
        // The channel may have consumed the wake-up of the thread already. Now it certainly is consumed.
        std::thread::park_timeout(Duration::ZERO);
        Ok(transmitted)
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.tcp.transmit_held()
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.tcp.close()
    }
}

/// Sends a message over a transport that calls `then` before its write returns, after the response was delivered.
fn send_while_the_response_is_delivered(smsc: &TestSmsc, then: impl Fn() + Send + Sync + 'static) {
    let (pauses, is_reading) = Flags::default();
    let (pausing, reading) = (Arc::clone(&pauses), Arc::clone(&is_reading));
    let then: Arc<dyn Fn() + Send + Sync> = Arc::new(then);
    let dialer = move |target: DialTarget| {
        let (sender, receiver) = sync_channel(1);
        Ok(Pausing {
            tcp: TcpStream::connect(target.address)?,
            pauses: Arc::clone(&pausing),
            is_reading: Arc::clone(&reading),
            waits: AtomicBool::new(false),
            has_come: AtomicBool::new(false),
            delivered: (sender, Mutex::new(receiver)),
            then: Arc::clone(&then),
        })
    };
    let (account, _arrivals) =
        AccountConnector::new(&smsc.endpoint(), options()).dial(dialer).connect().unwrap();
    // Without a receipt, and while the thread of the connection reads, the thread that sends writes.
    let message = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..message() };
    for _ in 0..3 {
        while !is_reading.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        pauses.store(true, Ordering::SeqCst);
        account.send(&Message::submit_sm(&message)).unwrap();
        assert!(!pauses.load(Ordering::SeqCst));
    }
    account.shutdown(Duration::from_secs(1));
}

fn options() -> Options {
    let options = Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), &Provider::UNSTATED);
    options.binds(Binds::transceivers(1))
}

#[test]
fn a_transport_that_parks_consumes_no_wake_up_of_its_account() {
    watched(|| send_while_the_response_is_delivered(&smsc(false), || ()));
}

#[test]
fn a_transport_that_waits_for_another_account_consumes_no_wake_up_of_its_own() {
    watched(|| {
        let smsc = smsc(false);
        let other = AccountConnector::new(&smsc.endpoint(), options()).connect().unwrap();
        let arrivals = Mutex::new(other.1);
        send_while_the_response_is_delivered(&smsc, move || {
            assert!(
                arrivals.lock().unwrap().recv_until(Instant::now()).is_ok_and(|arrival| arrival.is_none())
            );
        });
        other.0.shutdown(Duration::from_secs(1));
    });
}

/// Passes connections of a Unix socket on to the SMSC.
#[cfg(unix)]
fn relay(listener: &UnixListener, to: SocketAddr) {
    for near in listener.incoming() {
        let (near, far) = (near.unwrap(), TcpStream::connect(to).unwrap());
        let (mut near_reader, mut far_writer) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = io::copy(&mut near_reader, &mut far_writer);
            let _ = far_writer.shutdown(std::net::Shutdown::Write);
        });
        std::thread::spawn(move || {
            let _ = io::copy(&mut &far, &mut &near);
            let _ = near.shutdown(std::net::Shutdown::Write);
        });
    }
}

#[cfg(unix)]
#[test]
fn connectors_and_accounts_bind_over_a_unix_socket() {
    watched(|| {
        for secure in [false, true] {
            let smsc = smsc(secure);
            let path = std::env::temp_dir().join(format!("smpp-std-{}-{secure}.sock", std::process::id()));
            let _ = std::fs::remove_file(&path);
            let (listener, to) = (UnixListener::bind(&path).unwrap(), smsc.local_addr());
            std::thread::spawn(move || relay(&listener, to));
            // The name is that of the certificate. The port is not that of the SMSC.
            let endpoint = smsc.endpoint().host("localhost").port(4711);
            let socket = path.clone();
            let dialer = move |target: DialTarget| {
                assert_eq!((target.endpoint.host.as_str(), target.endpoint.port), ("localhost", 4711));
                assert_eq!(target.endpoint.password, None);
                assert!(target.address.ip().is_unspecified());
                UnixStream::connect(&socket)
            };
            let connector = Connector::new().tls(smsc.client_tls()).dial_by_name(dialer.clone());
            let mut connection = connector.bind(&endpoint, &smsc.bind()).unwrap();
            connection.submit(&message()).unwrap();
            assert_eq!(connection.unbind().reason, CloseReason::Unbound);
            let options = Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), &Provider::UNSTATED);
            let connector = AccountConnector::new(&endpoint, options).tls(smsc.client_tls());
            let (account, _arrivals) = connector.dial_by_name(dialer).connect().unwrap();
            account.send(&Message::submit_sm(&message())).unwrap();
            account.shutdown(Duration::from_secs(1));
            std::fs::remove_file(path).unwrap();
        }
    });
}
