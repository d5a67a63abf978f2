//! The smallest useful client: it binds, submits one message and unbinds. `.ci/scale program` measures how long it takes to
//! compile, and how large it is.
//!
//! ```sh
//! cargo run -p smpp-tokio --example minimal -- smpp://demo_shop:s3cret@127.0.0.1:2775 6591234567 Hello
//! ```

use std::error::Error;

use smpp_tokio::Connector;
use smpp_tokio::smpp_proto::{Address, Endpoint, ShortMessage, SubmitSm};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, to, text] = &arguments[..] else { return Err("usage: minimal URL TO TEXT".into()) };
    let endpoint: Endpoint = url.parse()?;
    let (client, _) = Connector::new().connect(&endpoint).await?;
    client.bind(&endpoint.bind()?).await?;
    let message = SubmitSm {
        destination: Address::international(to)?,
        short_message: ShortMessage::new(text.as_bytes())?,
        ..SubmitSm::default()
    };
    let response = client.submit(&message).await?;
    println!("accepted as {}", response.message_id().escape_ascii());
    client.unbind().await;
    Ok(())
}
