//! Connectors and accounts over a transport that a function of the application makes.

mod common;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{message, watched};
use smpp_core::account::{Binds, Credentials, Message, Options};
use smpp_core::provider::Provider;
use smpp_core::session::{CloseReason, Config};
use smpp_io_std::account::AccountConnector;
use smpp_io_std::testing::{ACCOUNT, TestSmsc};
use smpp_io_std::{ConnectErrorKind, Connector, Duplex};

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

fn dialer() -> (Counter, impl Fn(SocketAddr) -> io::Result<Counting> + Send + Sync + 'static) {
    let count = Counter::default();
    let counting = Arc::clone(&count);
    (count, move |address| Ok(Counting(TcpStream::connect(address)?, Arc::clone(&counting))))
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
    let refused = |_| Err::<TcpStream, _>(io::Error::other("the proxy is closed"));
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
            let options = Options {
                binds: Binds::Transceivers(1),
                session: Config { drain_timeout: Duration::from_secs(20), ..Config::default() },
                ..Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), &Provider::UNSTATED)
            };
            let connector =
                AccountConnector::new(&smsc.endpoint(), options).tls(smsc.client_tls()).dial(dialer);
            let (account, _arrivals) = connector.connect().unwrap();
            account.send(&Message::text(&message(), "Hello")).unwrap();
            let began = Instant::now();
            account.shutdown(Duration::from_secs(1));
            assert!(began.elapsed() < Duration::from_secs(3), "the threads do not wait in their reads");
            assert!(received.load(Ordering::SeqCst) > 40);
        }
    });
}
