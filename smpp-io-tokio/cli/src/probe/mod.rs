//! `smpp probe`: finds out what no manual of a provider states, and writes it down as a provider.
//!
//! The modules without I/O: `plan` (what is allowed and what will be done), `messages` (what is sent), `record` (what was
//! observed), `receipts`, `ids`, `alphabet`, `limits`, `submissions` and `dialect` (what follows from it), `findings` (all
//! conclusions), `document`, `toml` and `rust` (the output). `client` does the I/O.

mod alphabet;
mod client;
mod dialect;
mod document;
mod finding;
mod findings;
mod ids;
mod limits;
mod messages;
mod plan;
mod receipts;
mod record;
mod rust;
#[cfg(test)]
mod simulation;
mod submissions;
#[cfg(test)]
mod tests;
mod toml;

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use smpp_proto::sms::time::{LocalTime, UnixTime, UtcOffset};
use smpp_proto::{Address, Endpoint};

use crate::failure::{Failure, finish};
use crate::output::line;
use crate::{options, runtime};
use client::Target;
use document::Document;
use findings::Findings;
use plan::{Limits, Plan};
use record::Record;

/// Finds out how a provider behaves, and writes it down as a provider
///
/// It sends a few messages to a number of yours and observes ids, receipts and limits. Best is a number of the account:
/// then the messages come back, and show the alphabet as well. Before it starts, it says what it will do. It sends no
/// more than --budget messages and requests no more than --max-binds binds. What is delivered about other numbers it
/// refuses with a temporary error, so that the SMSC delivers it again.
///
/// The result is a provider for smpp-proto as TOML and as Rust source, each value with its evidence; what was not found
/// out is named. The password comes from the URL or, if that has none, from the environment variable SMPP_PASSWORD.
///
/// The exit status is 0 if the probe ran, 2 if an argument is wrong or you did not agree, 1 otherwise.
#[derive(Parser)]
#[command(after_help = "Examples:
  SMPP_PASSWORD=... smpp probe --url smpps://SYSTEM_ID@HOST:2776 --to 6591234567
      asks before it sends 10 messages to this number; prints the provider as TOML
  smpp probe --url smpp://shop:s3cret@127.0.0.1:2775 --to 6591234567 --budget 80 --exceed-rate --max-binds 5 --idle 120 --yes
      tests the limits of rate, binds and idle time as well
  smpp probe --url smpps://SYSTEM_ID@HOST --to 6591234567 --toml provider.toml --rust provider.rs
      writes files")]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long)]
    url: String,
    /// A number of yours: an international number (country code first)
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The sender: a number, a short code, or up to 11 characters of text [default: the number of --to]
    #[arg(long, value_name = "SENDER")]
    from: Option<String>,
    /// The most messages to send; each segment counts. 0 sends none, and finds out what the binds alone show
    #[arg(long, value_name = "MESSAGES", default_value_t = 10)]
    budget: u16,
    /// The most binds to request
    #[arg(long, value_name = "BINDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    max_binds: u16,
    /// Seconds to wait for receipts and messages; 0 for no wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u32,
    /// Send what is left of --budget as fast as possible, to find the rate limit
    #[arg(long)]
    exceed_rate: bool,
    /// Leave a bind idle for up to so many seconds, to find out when the SMSC ends it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    idle: Option<u32>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Write the provider as TOML to this file; "-" is the standard output [default: -, without --rust]
    #[arg(long, value_name = "FILE")]
    toml: Option<PathBuf>,
    /// Write the provider as Rust source to this file; "-" is the standard output
    #[arg(long, value_name = "FILE")]
    rust: Option<PathBuf>,
    /// Start without asking
    #[arg(long)]
    yes: bool,
}

/// Probes a provider.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    finish(probe(arguments).map(|()| true))
}

fn probe(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = options::endpoint(&arguments.url)?;
    options::system_id(&endpoint)?;
    if endpoint.password.is_none() {
        return Err(Failure::usage("no password", "Set the environment variable SMPP_PASSWORD."));
    }
    let destination = number(&arguments.to)?;
    let source = match &arguments.from {
        Some(from) => Address::sender(from).map_err(|error| {
            let advice = "Give a number, a short code, or up to 11 letters, digits and spaces.";
            Failure::usage(format_args!("--from \"{from}\": {error}"), advice)
        })?,
        None => destination,
    };
    let limits = arguments.limits();
    let plan = Plan::new(&limits);
    let connector = client::connector(&plan);
    let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    eprintln!("smpp probe at {endpoint}, to {}: {plan}", arguments.to);
    agree(arguments.yes)?;
    // Messages may cost money: what they show must not be lost because of a wrong path.
    for (option, path) in arguments.files() {
        check_file(option, path)?;
    }

    let target = Target { endpoint: &endpoint, source, destination };
    let now = now();
    let record = Record::new(&arguments.to, now.as_secs());
    let running = async { client::run(&target, &connector, (&limits, &plan), record).await };
    let record = runtime::run(runtime::multi_threaded()?, running)?;
    let document = Document::new(&endpoint, title(&endpoint, now), &Findings::of(&record));
    write(arguments, &document)
}

impl Arguments {
    /// Returns the files to write, each with its option.
    fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let files = [("--toml", self.toml.as_deref()), ("--rust", self.rust.as_deref())];
        files.into_iter().filter_map(|(option, path)| Some((option, path?)))
    }

    fn limits(&self) -> Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Limits {
            messages: self.budget,
            binds: self.max_binds,
            exceed_rate: self.exceed_rate,
            idle: self.idle.map(seconds),
            wait: seconds(self.wait),
        }
    }
}

fn number(to: &str) -> Result<Address<'_>, Failure> {
    let address = Address::international(to).map_err(|error| error.to_string());
    let address = address.and_then(|address| match address.digits.as_bytes().len() {
        7..=15 => Ok(address),
        digits => Err(format!("{digits} digits")),
    });
    address.map_err(|error| {
        let advice = "Give country code and number, 7 to 15 digits without spaces, such as 6591234567.";
        Failure::usage(format_args!("--to \"{to}\" is no phone number: {error}"), advice)
    })
}

/// Asks the user, unless --yes was given.
fn agree(yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nothing was sent: the standard input is no terminal to agree on",
            "Read the plan above, and start it with --yes.",
        ));
    }
    eprint!("Start? [y/N] ");
    // Without it the question might not be seen; the answer decides anyway.
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::usage("nothing was sent: you did not agree", ""))
}

fn now() -> UnixTime {
    UnixTime::from_duration(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Returns the lines at the beginning of the output.
fn title(endpoint: &Endpoint, now: UnixTime) -> Vec<String> {
    let date = match LocalTime::from_unix(now, UtcOffset::UTC) {
        Ok(date) => format!(" on {}-{:02}-{:02}", date.year(), date.month(), date.day()),
        Err(_) => String::new(),
    };
    let version = env!("CARGO_PKG_VERSION");
    vec![
        format!("A provider for smpp-proto, found out by `smpp probe` {version} at {endpoint}{date}."),
        "Each value has its evidence before it. Check what the provider's manual says otherwise.".into(),
    ]
}

fn write(arguments: &Arguments, document: &Document) -> Result<(), Failure> {
    let (toml, rust) = (toml::Toml(document), rust::Rust(document));
    if arguments.files().next().is_none() {
        return write_file(Path::new("-"), "--toml", &toml.to_string());
    }
    if let Some(path) = &arguments.toml {
        write_file(path, "--toml", &toml.to_string())?;
    }
    if let Some(path) = &arguments.rust {
        write_file(path, "--rust", &rust.to_string())?;
    }
    Ok(())
}

fn write_file(path: &Path, option: &str, text: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        line(text.trim_end());
        return Ok(());
    }
    fs::write(path, text).map_err(|error| {
        line(text.trim_end());
        let advice = "What would be in the file is on the standard output.";
        Failure::failed(format_args!("{option} {}: {error}", path.display()), advice)
    })?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// Checks that a file can be written. Leaves its content as it is.
fn check_file(option: &str, path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Ok(());
    }
    let exists = path.exists();
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let checked = if exists { opened.map(drop) } else { opened.and_then(|_| fs::remove_file(path)) };
    checked.map_err(|error| {
        let advice = "Nothing was sent. Give a path in a directory that exists and can be written.";
        Failure::usage(format_args!("{option} {}: {error}", path.display()), advice)
    })
}
