//! Receives mobile-originated (MO) messages and delivery receipts, and acknowledges each after it is stored.
//!
//! Here each is appended to a file and flushed to disk first. A program that is killed in between acknowledges nothing
//! that is not on disk: the SMSC delivers it again.
//!
//! ```sh
//! cargo run -p smpp-std --example blocking_receive -- smpp://shop:s3cret@127.0.0.1:2775 inbox.txt
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Write;

use smpp_std::account::{Account, Arrival};
use smpp_std::smpp_proto::account::{Credentials, Options};
use smpp_std::smpp_proto::provider::Provider;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("usage: blocking_receive URL FILE".into()) };
    let mut file = File::options().append(true).create(true).open(path)?;
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (_account, mut arrivals) = Account::connect(url, options)?;

    // Waits for the next delivery; `None` once the account has ended.
    while let Some(arrival) = arrivals.recv() {
        match arrival {
            Arrival::Message(message) => {
                let (from, text) = (message.get().source(), message.get().text().unwrap_or_default());
                writeln!(file, "message from {}: {text}", from.digits)?;
                file.sync_data()?;
                // An error means that the bind is gone: the SMSC will deliver the message again.
                let _ = message.accept();
            }
            Arrival::Receipt(receipt) => {
                let (dlr, _) = receipt.get();
                writeln!(file, "receipt for {}: {:?}", dlr.id, dlr.state)?;
                file.sync_data()?;
                let _ = receipt.accept();
            }
            _ => {}
        }
    }
    Ok(())
}
