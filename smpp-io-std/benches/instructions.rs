//! What a message costs a blocking account in instructions, counted by `.ci/instructions`: one thread submits a window of 64
//! messages, awaits all of them, and submits the next window. The SMSC, in another process, does as little as it can, and
//! responds to a whole window in one write.
//!
//! The thread goes on only when the account's reading thread waits in its next read. So which thread does what does not depend
//! on which thread runs when, and the count is the same on every machine within 2 %: up to 32 messages leave in one write, by the
//! thread that submits; if they take more than 5 ms, the background thread writes them.
//!
//! | arguments | the client |
//! | --- | --- |
//! | `account ADDRESS MESSAGES` | a whole submit_sm, its outcome awaited |
//! | `account-receipts ADDRESS MESSAGES` | a text of one part, its outcome and then its receipt awaited |
//!
//! MESSAGES is a multiple of 64. Without arguments it does both, with the SMSC in the same process.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use smpp_common::in_place_smsc::InPlaceSmsc;
use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::{Address, Endpoint, MessageState, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_std::Duplex;
use smpp_std::account::{AccountConnector, Sent, Ticket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WINDOW: u32 = 64;

/// The text: with its addresses the submit_sm has 60 octets.
const TEXT: &str = "The quick brown f";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let [how, address, messages] = arguments[..] {
        return submit(how, address.parse()?, messages.parse()?);
    }
    // The arguments of `cargo bench`.
    for how in ["account", "account-receipts"] {
        submit(how, InPlaceSmsc::in_batches_of(WINDOW as usize).start()?, 16 * WINDOW)?;
    }
    Ok(())
}

/// Whether the account's reading thread is in a read.
#[derive(Default)]
struct ReadingThread {
    is_reading: Mutex<bool>,
    changed: Condvar,
}

impl ReadingThread {
    fn set(&self, is_reading: bool) {
        *self.is_reading.lock().unwrap_or_else(PoisonError::into_inner) = is_reading;
        self.changed.notify_one();
    }

    /// Waits until the thread is in a read: it has done all that what it read last has caused.
    fn wait(&self) {
        let is_reading = self.is_reading.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(is_reading, |is_reading| !*is_reading);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// TCP that says when it is read.
struct Watched {
    tcp: TcpStream,
    thread: Arc<ReadingThread>,
}

impl Duplex for Watched {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.thread.set(true);
        let read = self.tcp.receive(octets);
        self.thread.set(false);
        read
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        self.tcp.transmit(octets)
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

/// Sends so many messages through an account with one bind. The message is built once.
fn submit(how: &str, address: SocketAddr, messages: u32) -> Result<()> {
    let receipts = how == "account-receipts";
    if !receipts && how != "account" {
        return Err(format!("no such client: {how}").into());
    }
    if !messages.is_multiple_of(WINDOW) {
        return Err(format!("{messages} messages: it must be a multiple of {WINDOW}").into());
    }
    let endpoint: Endpoint = format!("smpp://{address}").parse()?;
    let mut options = Options::new(Credentials::new("bench", ""), &Provider::UNSTATED);
    options.session.window = WINDOW as u16;
    let thread = Arc::new(ReadingThread::default());
    let reading_thread = Arc::clone(&thread);
    let connector = AccountConnector::new(&endpoint, options).dial(move |target| {
        let tcp = TcpStream::connect(target.address)?;
        tcp.set_nodelay(true)?;
        Ok(Watched { tcp, thread: Arc::clone(&reading_thread) })
    });
    let (account, _) = connector.connect()?;
    let whole = SubmitSm {
        destination: Address::international("6591234567")?,
        short_message: ShortMessage::new(TEXT.as_bytes())?,
        ..SubmitSm::default()
    };
    let template = SubmitSm {
        short_message: ShortMessage::default(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..whole
    };
    let message = if receipts { Message::text(&template, TEXT) } else { Message::submit_sm(&whole) };
    let mut accepted = 0;
    let mut tickets: Vec<Ticket> = Vec::with_capacity(WINDOW as usize);
    let mut window: Vec<Sent> = Vec::with_capacity(WINDOW as usize);
    thread.wait();
    for _ in 0..messages / WINDOW {
        for _ in 0..WINDOW {
            tickets.push(account.submit(&message)?);
        }
        // The SMSC has sent everything at once: with the last outcome all is there.
        if let Some(last) = tickets.pop() {
            window.push(last.outcome()?);
        }
        thread.wait();
        for ticket in tickets.drain(..) {
            window.push(ticket.outcome()?);
        }
        for mut sent in window.drain(..) {
            accepted += u32::from(!receipts || sent.receipt() == Ok(MessageState::DELIVERED));
        }
    }
    account.shutdown(Duration::from_secs(1));
    if accepted == messages { Ok(()) } else { Err(format!("{accepted} of {messages} accepted").into()) }
}
