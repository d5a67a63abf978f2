//! Measures an SMSC, and this crate: submits messages as fast as they are answered, each awaited for itself.
//!
//! Without arguments it measures an SMSC of its own, in another process:
//!
//! ```text
//! cargo run --release --example load_blocking
//! ```
//!
//! The same by hand:
//!
//! ```text
//! cargo run --release --example load_blocking -- --serve 127.0.0.1:2775
//! cargo run --release --example load_blocking -- --url smpp://shop:s3cret@127.0.0.1:2775 --messages 1000000
//! ```
//!
//! With `--raw`, on both sides if they are started by hand, the same octets go over the same sockets, and nothing looks at them: that is what the
//! system itself takes.

mod raw;
mod report;
mod serve;
mod submit;

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Parser;

/// Submits messages as fast as the SMSC answers them, and reports what became of them and how long it took.
///
/// Without --url, an SMSC in a process of its own takes them. The password comes from the URL or, if that has none, from the environment variable SMPP_PASSWORD. The exit
/// status is 0 if every message was accepted, 2 if the arguments are at fault, 1 otherwise.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long, conflicts_with = "serve")]
    url: Option<String>,
    /// Connections, each with a bind and a thread of its own
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
    /// Threads that submit on each connection, each one message at a time; without it, one that submits all of the
    /// window
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Use no thread but the one that submits, one message at a time; with --serve, one for each connection
    #[arg(long, conflicts_with = "threads")]
    alone: bool,
    /// The recipient: country code and number, digits only
    #[arg(long, default_value = "6591234567")]
    to: String,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Be the SMSC instead: accept every bind and every message
    #[arg(long, value_name = "ADDRESS:PORT")]
    serve: Option<String>,
    /// End once so many sessions have ended, instead of never
    #[arg(long, requires = "serve")]
    sessions: Option<usize>,
    /// Exchange the same octets over bare sockets, both sides with this option
    #[arg(long)]
    raw: bool,
}

/// Why nothing can be measured.
#[derive(Debug)]
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
    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
    pub(crate) fn failed(what: impl ToString) -> Self {
        Self { what: what.to_string(), status: 1 }
    }
}

fn main() -> ExitCode {
    let done = run(&Arguments::parse());
    match done {
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
    if let Some(address) = &arguments.serve {
        return match (arguments.raw, arguments.alone) {
            (true, _) => raw::serve(address),
            (false, true) => serve::serve_alone(address),
            (false, false) => serve::serve(address, arguments.sessions),
        };
    }
    let own = arguments.url.is_none().then(|| OwnSmsc::start(arguments)).transpose()?;
    let url = arguments.url.clone().or(own.as_ref().map(|own| own.url.clone())).unwrap_or_default();
    if arguments.raw { raw::submit(arguments, &url) } else { submit::submit(arguments, &url) }
}

/// An SMSC in another process, which ends with this one.
struct OwnSmsc {
    process: Child,
    url: String,
}

impl OwnSmsc {
    fn start(arguments: &Arguments) -> Result<Self, Stop> {
        let program = env::current_exe().map_err(Stop::failed)?;
        let mut command = Command::new(program);
        command.args(["--serve", "127.0.0.1:0"]).stdout(Stdio::piped());
        command.args(arguments.raw.then_some("--raw")).args(arguments.alone.then_some("--alone"));
        let mut process = command.spawn().map_err(Stop::failed)?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(Stop::failed)?;
        }
        let address = line.trim_end().strip_prefix("listening on ");
        let url = format!("smpp://load:load@{}", address.ok_or_else(|| Stop::failed("no SMSC was started"))?);
        Ok(Self { process, url })
    }
}

impl Drop for OwnSmsc {
    fn drop(&mut self) {
        // If it has ended already, all the better.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
