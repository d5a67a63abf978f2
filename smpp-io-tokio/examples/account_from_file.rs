//! Reads the options of an account from a TOML file, binds, and sends one message.
//!
//! ```sh
//! cargo run -p smpp-tokio --example account_from_file -- smpp-io-tokio/examples/account.toml 6591234567 "Hello"
//! ```
//!
//! The format is that of the module `settings` of `smpp-proto`, with its feature `serde`.

use std::error::Error;
use std::time::Duration;

use smpp_tokio::account::AccountConnector;
use smpp_tokio::smpp_proto::account::{Message, Options};
use smpp_tokio::smpp_proto::{Address, SubmitSm};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [file, to, text] = arguments.try_into().map_err(|_| "usage: account_from_file FILE TO TEXT")?;
    let settings = std::fs::read_to_string(&file)?;
    let options: Options = toml::from_str(&settings).map_err(|error| {
        // Not the error itself: it shows the line, which may hold the password.
        let before = error.span().and_then(|span| settings.get(..span.start)).unwrap_or_default();
        format!("{file}, line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    let (account, arrivals) = AccountConnector::with_options(options).connect().await?;
    drop(arrivals);

    let template = SubmitSm { destination: Address::international(&to)?, ..SubmitSm::default() };
    let sent = account.send(&Message::text(&template, text)).await?;
    println!("accepted, message ids {:?}", sent.ids());
    drop(sent);
    account.shutdown(Duration::from_secs(10)).await;
    Ok(())
}
