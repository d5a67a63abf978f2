//! Observability: events, PDUs, counters and logs of an account while it sends one message.
//!
//! ```sh
//! cargo run -p smpp-tokio --features tracing --example observe -- smpp://shop:s3cret@127.0.0.1:2775
//! ```

use std::error::Error;
use std::time::Duration;

use smpp_tokio::account::AccountConnector;
use smpp_tokio::smpp_proto::account::{Credentials, Message, Options};
use smpp_tokio::smpp_proto::provider::Provider;
use smpp_tokio::smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
use smpp_tokio::smpp_proto::{Address, Endpoint, SubmitSm};
use tracing_subscriber::filter::LevelFilter;

/// Prints each PDU of one bind. The session calls it while it is locked: keep it short. Passwords are already hidden.
struct Printer(String);

impl Observer for Printer {
    fn observe(&mut self, now: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        println!("{} {now:?} {direction:?} {:?}", self.0, pdu.header());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Logs: the feature `tracing` emits spans and events without texts, numbers or passwords.
    tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).with_writer(std::io::stderr).init();
    let endpoint: Endpoint = std::env::args().nth(1).ok_or("usage: observe URL")?.parse()?;
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (account, arrivals) = AccountConnector::new(&endpoint, options)
        // PDUs: one observer for each bind.
        .observe(|link| Printer(format!("link {link}")))
        .connect()
        .await?;
    // Events: bound, refused, reconnecting, messages in doubt. The first receiver also gets those since the start.
    let mut events = account.events();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            println!("{event}");
        }
    });
    // Only a program that just sends and requests no receipts may drop it: MO messages and receipts of other processes are
    // refused, and the SMSC sends them again.
    drop(arrivals);

    let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
    account.send(&Message::text(&template, "Hello")).await?;

    // Counters of the account's life: requests by outcome, PDUs, response times, of each connection and summed.
    let stats = account.stats();
    println!("{:?}, response times {:?}", stats.total.requests, stats.total.response_histogram);
    account.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
