//! Measures an SMSC, and this crate: submits messages as fast as they are answered, each awaited for itself.
//!
//! Without arguments it measures an SMSC of its own, in a thread that does nothing else:
//!
//! ```text
//! cargo run --release --example load
//! ```
//!
//! Two processes, and what each costs:
//!
//! ```text
//! cargo run --release --example load -- --serve 127.0.0.1:2775
//! cargo run --release --example load -- --url smpp://shop:s3cret@127.0.0.1:2775 --window 64 --messages 1000000
//! ```
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod report;
mod serve;
mod submit;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

/// Submits messages as fast as the SMSC answers them, and reports what became of them and how long it took.
///
/// Without --url, an SMSC inside this process takes them. The password comes from the URL or, if that has none, from the environment variable SMPP_PASSWORD. The exit
/// status is 0 if every message was accepted, 2 if the arguments are at fault, 1 otherwise.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long, conflicts_with = "serve")]
    url: Option<String>,
    /// Connections, each with a bind of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Messages that may be unanswered at once on each connection
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Messages on all connections together
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Octets of each message's text
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u8).range(..=254))]
    length: u8,
    /// Messages a second on each connection at most
    #[arg(long)]
    rate: Option<u32>,
    /// The recipient: country code and number, digits only
    #[arg(long, default_value = "6591234567")]
    to: String,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// Threads of the runtime
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Be the SMSC instead: accept every bind and every message
    #[arg(long, value_name = "ADDRESS:PORT")]
    serve: Option<String>,
    /// Answer what comes out of the inbox, as an SMSC does that has to ask others first, instead of at once
    #[arg(long, conflicts_with = "url")]
    queued: bool,
    /// End once so many sessions have ended, instead of never
    #[arg(long, requires = "serve")]
    sessions: Option<usize>,
}

/// Why nothing can be measured.
pub(crate) struct Stop {
    what: String,
    /// The exit status.
    status: u8,
}

impl Stop {
    /// The arguments are at fault.
    pub(crate) fn usage(what: String) -> Self {
        Self { what, status: 2 }
    }

    /// Something else is.
    pub(crate) fn failed(what: String) -> Self {
        Self { what, status: 1 }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop { what, status }) => {
            eprintln!("error: {what}");
            status.into()
        }
    }
}

/// Whether all went well.
fn run(arguments: &Arguments) -> Result<bool, Stop> {
    let runtime = runtime(arguments.threads)?;
    if let Some(address) = &arguments.serve {
        return runtime.block_on(async {
            let listener = serve::listen(address).await?;
            println!("listening on {}", serve::address(&listener)?);
            serve::serve(listener, arguments.sessions, arguments.queued).await;
            Ok(true)
        });
    }
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => own_smsc(arguments.queued)?,
    };
    runtime.block_on(submit::submit(arguments, &url))
}

/// Starts an SMSC in a thread of this process. Gives its URL.
fn own_smsc(queued: bool) -> Result<String, Stop> {
    let runtime = runtime(1)?;
    let listener = runtime.block_on(serve::listen("127.0.0.1:0"))?;
    let url = format!("smpp://load:load@{}", serve::address(&listener)?);
    thread::spawn(move || runtime.block_on(serve::serve(listener, None, queued)));
    Ok(url)
}

fn runtime(threads: u16) -> Result<Runtime, Stop> {
    let runtime = match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads.into()).enable_all().build(),
    };
    runtime.map_err(|error| Stop::failed(format!("no runtime: {error}")))
}
