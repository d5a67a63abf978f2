//! Sends one message from a local IP address of your choice, for example the one that the provider has on its allow list.
//!
//! ```sh
//! cargo run -p smpp-tokio --example local_address -- smpp://shop:s3cret@127.0.0.1:2775 127.0.0.2 6591234567 "Hello"
//! ```

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smpp_tokio::account::AccountConnector;
use smpp_tokio::smpp_proto::account::{Credentials, Message, Options};
use smpp_tokio::smpp_proto::provider::Provider;
use smpp_tokio::smpp_proto::{Address, SubmitSm};
use tokio::net::TcpSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [url, local, to, text] = arguments("local_address URL LOCAL_ADDRESS TO TEXT")?;
    let local: IpAddr = local.parse()?;
    let options = Options::new(Credentials::default(), &Provider::UNSTATED);
    // The account resolves the host, and calls this for one address after the other. TLS runs over the returned stream.
    let connector = AccountConnector::new(&url.parse()?, options).dial(move |target| async move {
        let socket = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(local, 0))?;
        let stream = socket.connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
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
