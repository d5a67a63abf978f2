//! The SMSC inside this process, on a loopback port of its own choice.

#[path = "certificate.rs"]
pub(crate) mod certificate;
#[expect(dead_code, reason = "what happens in it is not watched")]
#[path = "smsc.rs"]
mod smsc;

use std::net::SocketAddr;
use std::time::Duration;

use rustls::RootCertStore;
use smpp_core::session::Config;
use smpp_core::simulator::Rules;
use smpp_io_tokio::{Listener, tls};

use smsc::{Faults, Setup};

/// The account that it knows: system_id and password.
pub(crate) const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// A running SMSC.
pub(crate) struct Smsc {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The certificate authority that was made for it.
    pub(crate) roots: RootCertStore,
}

/// Starts it, with TLS. It runs as long as its runtime.
pub(crate) async fn start() -> Result<Smsc, Box<dyn std::error::Error>> {
    let made = certificate::for_localhost()?;
    let mut roots = RootCertStore::empty();
    roots.add(made.authority.der().clone())?;
    let server = tls::server(made.chain, made.key)?;
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await?.tls(server);
    let address = listener.local_addr()?;
    let (system_id, password) = ACCOUNT;
    let smsc = smsc::Smsc::start(Setup {
        rules: Rules { receipt_delay: Duration::from_millis(500), ..Rules::default() },
        accounts: vec![(system_id.into(), password.into())],
        faults: Faults::default(),
        connections: 1000,
        listeners: vec![listener],
        watcher: Box::new(|_| {}),
    })?;
    tokio::spawn(async move { smsc.run().await });
    Ok(Smsc { address, roots })
}
