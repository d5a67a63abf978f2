//! Sends one message through a SOCKS5 proxy, which resolves the host's name.
//!
//! ```sh
//! cargo run -p smpp-tokio --example socks_proxy -- smpps://shop:s3cret@smpp.example.com 127.0.0.1:1080 6591234567 "Hello"
//! ```

use std::error::Error;
use std::io;
use std::time::Duration;

use smpp_tokio::account::AccountConnector;
use smpp_tokio::smpp_proto::account::{Credentials, Message, Options};
use smpp_tokio::smpp_proto::provider::Provider;
use smpp_tokio::smpp_proto::{Address, SubmitSm};
use tokio_socks::tcp::Socks5Stream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [url, proxy, to, text] = arguments("socks_proxy URL PROXY TO TEXT")?;
    let options = Options::new(Credentials::default(), &Provider::UNSTATED);
    // `dial_by_name` does not resolve the host's name. TLS runs over the returned stream, from here to the SMSC: the proxy
    // sees neither the password nor the messages.
    let connector = AccountConnector::new(&url.parse()?, options).dial_by_name(move |target| {
        let proxy = proxy.clone();
        async move {
            let host = (target.endpoint.host.as_str(), target.endpoint.port);
            // `connect_with_password` also authenticates at the proxy.
            Socks5Stream::connect(proxy.as_str(), host).await.map_err(io::Error::other)
        }
    });
    let (account, arrivals) = connector.connect().await?;
    drop(arrivals);

    let template = SubmitSm { destination: Address::international(&to)?, ..SubmitSm::default() };
    let sent = account.send(&Message::text(&template, text)).await?;
    println!("accepted, message ids {:?}", sent.ids());
    account.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

fn arguments<const N: usize>(usage: &str) -> Result<[String; N], String> {
    <[String; N]>::try_from(std::env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| format!("usage: {usage}"))
}
