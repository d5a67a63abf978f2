//! When messages leave that are submitted, and whose outcome no thread waits for.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smpp_proto::SubmitSm;
use smpp_proto::account::{Binds, Message};
use smpp_proto::session::Config;
use smpp_std::Duplex;
use smpp_std::account::{Account, AccountConnector};

use super::smsc::Server;
use super::{alone, options, until};

/// How many messages leave in one write at most.
const BATCH: u64 = 32;

/// How long a message waits at most for others that leave in the same write.
const DELAY: Duration = Duration::from_millis(5);

/// Counts the writes.
struct Counting(TcpStream, Arc<AtomicU64>);

impl Duplex for Counting {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.0.receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::SeqCst);
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

/// Returns an SMSC that answers no message, an account that is bound to it, and how often the account has written.
fn bound() -> (Server, Account, Arc<AtomicU64>) {
    let server = Server::start("127.0.0.1:0");
    server.shared.mute.store(true, Ordering::SeqCst);
    let writes = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&writes);
    let options = options(Binds::transceivers(1)).session(Config::default().window(200).rate(None));
    let connector = AccountConnector::new(&server.endpoint(), options)
        .dial(move |target| Ok(Counting(TcpStream::connect(target.address)?, Arc::clone(&counting))));
    let (account, _) = connector.connect().unwrap();
    (server, account, writes)
}

fn message() -> Message {
    Message::submit_sm(&SubmitSm::default())
}

#[test]
fn messages_whose_outcome_nobody_waits_for_leave_in_few_writes() {
    alone(|| {
        let (server, account, writes) = bound();
        let (before, began) = (writes.load(Ordering::SeqCst), Instant::now());
        let tickets: Vec<_> = (0..200).map(|_| account.submit(&message()).unwrap()).collect();
        until(|| server.shared.received.load(Ordering::SeqCst) == 200);
        let delays = began.elapsed().as_millis() / DELAY.as_millis();
        let most = 200 / BATCH + delays as u64 + 3;
        let writes = writes.load(Ordering::SeqCst) - before;
        assert!(writes <= most, "{writes} writes, at most {most}");
        drop(tickets);
        account.shutdown(Duration::ZERO);
    });
}
