//! One session without an account: connects, binds, submits, waits for the delivery receipt, unbinds.
//!
//! A session gives every PDU and every status to the application and does not reconnect. Use it for a test, a gateway, or
//! when you keep the binds yourself.
//!
//! ```sh
//! cargo run -p smpp-tokio --example session -- smpp://shop:s3cret@127.0.0.1:2775 6591234567 "Hello"
//! ```

use std::error::Error;

use smpp_tokio::smpp_proto::sms::{Detection, Receipt};
use smpp_tokio::smpp_proto::{Address, Endpoint, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_tokio::{Connector, Inbound};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, to, text] = &arguments[..] else { return Err("usage: session URL TO TEXT".into()) };
    let endpoint: Endpoint = url.parse()?;
    let (client, mut inbox) = Connector::new().connect(&endpoint).await?;
    client.bind(&endpoint.bind()?).await?;

    let submit_sm = SubmitSm {
        source: Address::alphanumeric("Example")?,
        destination: Address::international(to)?,
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text.as_bytes())?,
        ..SubmitSm::default()
    };
    match client.submit(&submit_sm).await {
        Ok(response) => println!("accepted, message id {}", response.message_id().escape_ascii()),
        // No receipt will come: refused, not sent, or in doubt.
        Err(error) => {
            println!("cannot arrive twice if sent again: {}", error.is_safe_to_resend());
            client.unbind().await;
            return Err(error.into());
        }
    }

    while let Some(inbound) = inbox.recv().await {
        // A request that is dropped without a response is refused with a temporary error.
        let Inbound::DeliverSm(deliver_sm) = inbound else { continue };
        if let Some(Ok(receipt)) = Receipt::of(&deliver_sm.get(), Detection::ByEsmClass) {
            println!("receipt: {} {}", receipt.id.escape_ascii(), receipt.stat.escape_ascii());
            deliver_sm.accept()?;
            break;
        }
    }
    println!("session ended: {}", client.unbind().await);
    Ok(())
}
