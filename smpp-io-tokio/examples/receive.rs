//! Receives mobile-originated (MO) messages and delivery receipts until Ctrl-C, then shuts down gracefully.
//!
//! Each delivery is acknowledged after this program has stored it; here it is printed. A delivery that is dropped without
//! `accept` stays with the SMSC, which delivers it again.
//!
//! ```sh
//! cargo run -p smpp-tokio --example receive -- smpp://shop:s3cret@127.0.0.1:2775
//! ```

use std::error::Error;
use std::time::Duration;

use smpp_tokio::account::{Account, Arrival};
use smpp_tokio::smpp_proto::account::{Credentials, Options};
use smpp_tokio::smpp_proto::provider::Provider;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: receive URL")?;
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (account, mut arrivals) = Account::connect(&url, options).await?;
    let stop = account.clone();
    tokio::spawn(async move {
        // Without a signal handler the program runs until it is killed: the SMSC keeps what is not acknowledged.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.shutdown(Duration::from_secs(10)).await;
        }
    });

    // `None` after the shutdown, when all that arrived has been returned.
    while let Some(arrival) = arrivals.recv().await {
        match arrival {
            Arrival::Message(message) => {
                let (from, text) = (message.get().source(), message.get().text());
                println!("message from {}: {}", from.digits, text.as_deref().unwrap_or("(not a text)"));
                // An error means that the bind is gone: the SMSC will deliver the message again.
                let _ = message.accept();
            }
            Arrival::Receipt(receipt) => {
                let (dlr, matched) = receipt.get();
                println!("receipt for {}: {:?}, of message {matched:?}", dlr.id, dlr.state);
                let _ = receipt.accept();
            }
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
