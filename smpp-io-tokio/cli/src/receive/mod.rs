//! `smpp receive`: receives messages and delivery receipts, and acknowledges each one after it is safe on disk.
//!
//! No message is lost if the process or the machine stops at any time: a message that was not stored was not
//! acknowledged, and the SMSC redelivers it. If the acknowledgement of a stored message is lost, the message arrives
//! and is stored twice; the second line is marked `again`: a line before it has the same octets. A text that was sent
//! twice is marked the same way.
//!
//! Ctrl-C and SIGTERM unbind and stop it; being killed loses nothing either. Only one process may write to a file.

mod blocking;
mod client;
mod content;
mod printer;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use smpp_proto::{BindMode, Endpoint};

use crate::failure::{Failure, finish};
use crate::output::printable;
use crate::{options, runtime};
use printer::Printer;
use store::Store;

/// Receives messages and delivery receipts, and acknowledges each one once it is in a file
///
/// The password comes from the URL or, if that has none, from the environment variable SMPP_PASSWORD. The program
/// ends, with exit status 1, when the session does: run it under a supervisor that starts it again. Ctrl-C and
/// SIGTERM unbind, or stop it before it is bound; the exit status is then 0. One process may write to a file.
///
/// Each line of the file has the fields: from, to (the addresses), receipt (true for a delivery receipt), data_coding
/// (the number), text (the octets of the text, in hexadecimal, not decoded), decoded (the text; null if it cannot be
/// decoded), octets (the whole body of the PDU, in hexadecimal), again (true if one of the million lines before
/// has the same octets: most likely a redelivery). A segment of a long message has also: segment, segments (its number, and how
/// many there are). A receipt has also: message_id, state (null for an unknown word), final, stat, err, submit_date,
/// done_date (as the SMSC states them; null if it does not), or receipt_error if it cannot be read.
///
/// The standard output shows a line for people for each: the text of a message, the id and the state of a receipt. If nobody
/// reads it, lines are left out and counted; the messages are stored and acknowledged all the same.
#[derive(Parser)]
#[command(after_help = "Examples:
  SMPP_PASSWORD=... smpp receive --url smpps://SYSTEM_ID@smpp.8x8.com --file received.jsonl
      appends each message and receipt that a provider delivers
  smpp receive --url smpp://shop:s3cret@127.0.0.1:2775 --file received.jsonl --blocking
      does the same without tokio")]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long)]
    url: String,
    /// Where to append what arrives: one JSON object a line, the octets in hexadecimal
    #[arg(long)]
    file: PathBuf,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print no line for each message and receipt: a line has the text, which may be a one-time code, and the phone numbers
    #[arg(long)]
    quiet: bool,
    /// Use blocking sockets instead of tokio
    #[arg(long)]
    blocking: bool,
}

/// The end after a signal that comes before the bind.
const NOT_BOUND: &str = "not bound yet";

/// The bind of both variants: it only receives.
const MODE: BindMode = BindMode::Receiver;

/// Receives until the session ends or the file cannot be written.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let received = if arguments.blocking {
        blocking::receive(arguments)
    } else {
        runtime::multi_threaded().and_then(|runtime| runtime::run(runtime, client::receive(arguments)))
    };
    finish(received.map(|()| true))
}

impl Arguments {
    /// Returns the account of --url.
    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let endpoint = options::endpoint(&self.url)?;
        options::system_id(&endpoint)?;
        Ok(endpoint)
    }

    /// Starts what prints the lines; `None` with --quiet.
    fn printer(&self) -> Result<Option<Printer>, Failure> {
        if self.quiet { Ok(None) } else { Printer::start().map(Some) }
    }
}

/// Reports the end after a signal.
fn report_stopped(end: impl std::fmt::Display) {
    eprintln!("stopped: {}", printable(end));
}

/// Reports what is on disk.
fn report_stored(printer: Option<&Printer>, what: String) {
    if let Some(printer) = printer {
        printer.line(printable(what));
    }
}

/// Reports the bind.
fn report_bound(arguments: &Arguments, store: &Store) {
    eprintln!("bound; {} messages are in {}", store.messages(), arguments.file.display());
}
