//! The SMSC inside this process, on a loopback port of its own choice.

#[path = "certificate.rs"]
pub(crate) mod certificate;
#[path = "smsc.rs"]
mod smsc;

use std::net::SocketAddr;

use rustls::RootCertStore;
use smpp_core::session::Config;
use smpp_io_tokio::{Listener, tls};

/// The account that it knows: system_id and password.
pub(crate) const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// A running SMSC.
pub(crate) struct Smsc {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The certificate authority that was made for it.
    pub(crate) roots: RootCertStore,
}

/// Starts it, with TLS.
pub(crate) async fn start() -> Result<Smsc, Box<dyn std::error::Error>> {
    let made = certificate::for_localhost()?;
    let mut roots = RootCertStore::empty();
    roots.add(made.authority.der().clone())?;
    let server = tls::server(made.chain, made.key)?;
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await?.tls(server);
    Ok(Smsc { address: smsc::serve(listener, &[ACCOUNT])?, roots })
}
