//! What a message costs a blocking account in instructions, counted by `.ci/instructions`: one thread keeps a window of 64
//! messages in flight. The SMSC, in another process, does as little as it can.
//!
//! | arguments | the client |
//! | --- | --- |
//! | `account ADDRESS MESSAGES` | a whole submit_sm, its outcome awaited |
//! | `account-receipts ADDRESS MESSAGES` | a text of one part, its outcome and then its receipt awaited |
//!
//! Without arguments it does both, with the SMSC in the same process.

use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use smpp_core::account::{Credentials, Message, Options};
use smpp_core::provider::Provider;
use smpp_core::session::Config;
use smpp_core::{Address, Endpoint, MessageState, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_io_common::in_place_smsc::InPlaceSmsc;
use smpp_io_std::account::{AccountConnector, Ticket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WINDOW: u16 = 64;

/// The text: with its addresses the submit_sm has 60 octets.
const TEXT: &str = "The quick brown f";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [how, address, messages] = &arguments[..] {
        return submit(how, address.parse()?, messages.parse()?);
    }
    // The arguments of `cargo bench`.
    submit("account", InPlaceSmsc::default().start()?, 1_000)?;
    submit("account-receipts", InPlaceSmsc::default().start()?, 1_000)
}

/// Sends so many messages through an account with one bind. The message is built once.
fn submit(how: &str, address: SocketAddr, messages: u32) -> Result<()> {
    let receipts = how == "account-receipts";
    if !receipts && how != "account" {
        return Err(format!("no such client: {how}").into());
    }
    let endpoint: Endpoint = format!("smpp://{address}").parse()?;
    let options = Options::new(Credentials::new("bench", ""), &Provider::UNSTATED);
    let options = Options { session: Config { window: WINDOW, ..options.session }, ..options };
    let (account, _) = AccountConnector::new(&endpoint, options).connect()?;
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
    let mut in_flight: VecDeque<Ticket> = VecDeque::with_capacity(WINDOW.into());
    let (mut submitted, mut accepted) = (0, 0);
    loop {
        while submitted < messages && in_flight.len() < WINDOW.into() {
            in_flight.push_back(account.submit(&message)?);
            submitted += 1;
        }
        let Some(ticket) = in_flight.pop_front() else { break };
        let mut sent = ticket.outcome()?;
        accepted += u32::from(!receipts || sent.receipt() == Ok(MessageState::DELIVERED));
    }
    account.shutdown(Duration::from_secs(1));
    if accepted == messages { Ok(()) } else { Err(format!("{accepted} of {messages} accepted").into()) }
}
