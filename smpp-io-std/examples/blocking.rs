//! One session in one thread, without a runtime: binds, submits, waits for the delivery receipt, unbinds.
//!
//! ```sh
//! cargo run -p smpp-std --example blocking -- smpp://shop:s3cret@127.0.0.1:2775 6591234567 "Hello"
//! ```

use std::error::Error;
use std::time::{Duration, Instant};

use smpp_std::smpp_proto::sms::{Detection, Receipt};
use smpp_std::smpp_proto::{Address, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_std::{Connector, Inbound};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, to, text] = &arguments[..] else { return Err("usage: blocking URL TO TEXT".into()) };
    let endpoint: Endpoint = url.parse()?;
    let mut connection = Connector::new().bind(&endpoint, &endpoint.bind()?)?;

    let submit_sm = SubmitSm {
        source: Address::alphanumeric("Example")?,
        destination: Address::international(to)?,
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text.as_bytes())?,
        ..SubmitSm::default()
    };
    match connection.submit(&submit_sm) {
        Ok(response) => println!("accepted, message id {}", response.message_id().escape_ascii()),
        // No receipt will come: refused, not sent, or in doubt.
        Err(error) => {
            println!("cannot arrive twice if sent again: {}", error.is_safe_to_resend());
            connection.unbind();
            return Err(error.into());
        }
    }

    // The session answers enquire_link while the program is in one of its methods.
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Some(inbound) = connection.recv(Some(left))? else { break };
        let Inbound::DeliverSm(deliver_sm) = inbound else {
            connection.refuse(inbound)?;
            continue;
        };
        if let Some(Ok(receipt)) = Receipt::of(&deliver_sm.get(), Detection::ByEsmClass) {
            println!("receipt: {} {}", receipt.id.escape_ascii(), receipt.stat.escape_ascii());
            connection.accept(deliver_sm)?;
            break;
        }
        connection.accept(deliver_sm)?;
    }
    println!("session ended: {}", connection.unbind());
    Ok(())
}
