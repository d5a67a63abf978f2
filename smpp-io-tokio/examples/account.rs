//! Sends one message through an account and waits for its delivery receipt.
//!
//! The account binds, reconnects with back-off, keeps the provider's rate limit, splits long texts and matches delivery
//! receipts (DLR) to messages. Run it against the SMSC of the tool (`smpp smsc`) or a real one:
//!
//! ```sh
//! cargo run -p smpp-tokio --example account -- smpp://shop:s3cret@127.0.0.1:2775 6591234567 "Hello"
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use smpp_tokio::account::{Account, SendError};
use smpp_tokio::smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_tokio::smpp_proto::provider::Provider;
use smpp_tokio::smpp_proto::{Address, RegisteredDelivery, SubmitSm};

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    // Its text says what to check; an error that `main` returns is printed by its Debug form.
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let [url, to, text] = arguments("account URL TO TEXT")?;
    // system_id and password in the URL replace these credentials.
    let options =
        Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT).binds(Binds::transceivers(2));
    let (account, arrivals) = Account::connect(&url, options).await?;
    // Only a program that just sends, and waits for each receipt with `Sent` or requests none, may drop it: MO messages and
    // receipts of other processes are refused, and the SMSC sends them again. See the example `receive`.
    drop(arrivals);

    let template = SubmitSm {
        source: Address::alphanumeric("Example")?,
        destination: Address::international(&to)?,
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    };
    match account.send(&Message::text(&template, text)).await {
        Ok(mut sent) => {
            println!("accepted, message ids {:?}", sent.ids());
            match tokio::time::timeout(Duration::from_secs(60), sent.receipt()).await {
                Ok(state) => println!("final state {:?}", state?),
                Err(_) => println!("no delivery receipt within 60 s"),
            }
        }
        Err(SendError::Failed { outcome, .. }) if outcome.is_safe_to_resend() => {
            println!("refused or not sent, cannot arrive twice: {:?}", outcome.segments);
        }
        Err(error) => println!("in doubt, or not queued: {error}"),
    }

    for unresolved in account.shutdown(Duration::from_secs(10)).await {
        println!("unresolved at shutdown: {unresolved}");
    }
    Ok(())
}

fn arguments<const N: usize>(usage: &str) -> Result<[String; N], String> {
    <[String; N]>::try_from(std::env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| format!("usage: {usage}"))
}
