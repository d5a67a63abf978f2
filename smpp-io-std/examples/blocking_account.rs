//! Sends messages through an account from several threads, and waits for their delivery receipts. No runtime.
//!
//! ```sh
//! cargo run -p smpp-std --example blocking_account -- smpp://shop:s3cret@127.0.0.1:2775 6591234567 "Hello" "Bye"
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use smpp_std::account::Account;
use smpp_std::smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_std::smpp_proto::provider::Provider;
use smpp_std::smpp_proto::{Address, RegisteredDelivery, SubmitSm};

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    // Its text says what to check; an error that `main` returns is printed by its Debug form.
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, to, texts @ ..] = &arguments[..] else {
        return Err("usage: blocking_account URL TO TEXT...".into());
    };
    // system_id and password in the URL replace these credentials.
    let options =
        Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT).binds(Binds::transceivers(2));
    let (account, arrivals) = Account::connect(url, options)?;
    // Only a program that just sends, and waits for each receipt with `Sent` or requests none, may drop it: MO messages and
    // receipts of other processes are refused, and the SMSC sends them again. See the example `blocking_receive`.
    drop(arrivals);

    let template = SubmitSm {
        source: Address::alphanumeric("Example")?,
        destination: Address::international(to)?,
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    };
    thread::scope(|threads| {
        for text in texts {
            let (account, template) = (&account, &template);
            threads.spawn(move || send(account, &Message::text(template, text)));
        }
    });

    for unresolved in account.shutdown(Duration::from_secs(10)) {
        println!("unresolved at shutdown: {unresolved}");
    }
    Ok(())
}

fn send(account: &Account, message: &Message) {
    let mut sent = match account.send(message) {
        Ok(sent) => sent,
        Err(error) => return println!("not accepted: {error}"),
    };
    match sent.receipt_until(Instant::now() + Duration::from_secs(60)) {
        Ok(Some(state)) => println!("{:?}: final state {state:?}", sent.ids()),
        Ok(None) => println!("{:?}: no delivery receipt within 60 s", sent.ids()),
        Err(reason) => println!("{:?}: {reason}", sent.ids()),
    }
}
