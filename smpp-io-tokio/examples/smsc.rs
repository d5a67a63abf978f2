//! An SMSC to test any SMPP client against, with the rules of 8x8.
//!
//! ```text
//! cargo run --release --example smsc -- --listen 127.0.0.1:2775 --account shop:s3cret
//! ```

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/smsc.rs"]
mod smsc;

use std::path::PathBuf;

use clap::Parser;
use smpp_core::session::Config;
use smpp_io_tokio::{Listener, tls};

/// An SMSC with the rules of 8x8: four binds an account, fifty messages a second a bind, receipts on any bind.
///
/// It runs until it is interrupted.
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:2775", value_name = "ADDRESS:PORT")]
    listen: String,
    /// An account; may be given several times
    #[arg(long, value_name = "SYSTEM_ID:PASSWORD", default_value = "demo_shop:s3cret")]
    account: Vec<String>,
    /// Speak TLS with a certificate for localhost made at start, and write its authority to this PEM file
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { listen, account, tls_ca } = Arguments::parse();
    let mut listener = match Listener::bind(&listen, Config::default()).await {
        Ok(listener) => listener,
        Err(error) => return Err(format!("cannot listen on {listen}: {error}").into()),
    };
    if let Some(path) = &tls_ca {
        let made = certificate::for_localhost()?;
        std::fs::write(path, made.authority.pem()).map_err(|error| format!("{}: {error}", path.display()))?;
        listener = listener.tls(tls::server(made.chain, made.key)?);
    }
    let accounts: Option<Vec<_>> = account.iter().map(|account| account.split_once(':')).collect();
    let accounts = accounts.ok_or("--account: expected SYSTEM_ID:PASSWORD")?;
    let names: Vec<_> = accounts.iter().map(|(system_id, _)| *system_id).collect();
    println!("listening on {} for {}", smsc::serve(listener, &accounts)?, names.join(", "));
    std::future::pending().await
}
