//! `smpp send`: sends messages and waits for their delivery receipts.

mod blocking;
mod client;
mod message;
mod observer;
mod tracker;

use std::num::ParseIntError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Response};
use smpp_proto::{BindMode, DataCoding, Endpoint};

use crate::failure::Failure;
use crate::report::Report;
use crate::{options, runtime};

/// Sends messages and waits for their delivery receipts
///
/// Without --url, an SMSC inside this process takes them. The password comes from the URL or, if that has none,
/// from the environment variable SMPP_PASSWORD.
///
/// The exit status is 0 if every message was accepted and every receipt that was asked for has the state DELIVERED,
/// 2 if an argument is wrong, 1 otherwise.
#[derive(Parser)]
#[command(after_help = "Examples:
  smpp send
      sends three messages to an SMSC inside this process, over TLS
  SMPP_PASSWORD=... smpp send --url smpps://SYSTEM_ID@smpp.8x8.com --from 8x8 --to 6591234567 --text \"Hello\"
      sends one message through a provider
  smpp send --url smpp://shop:s3cret@127.0.0.1:2775 --to 6591234567 --text \"Hello\" --json --trace
      prints a JSON object for each step, and each PDU to the standard error")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without [required: --to
    /// and --text with --url]
    #[arg(long, requires_all = ["to", "text"])]
    url: Option<String>,
    /// The sender: a number, a short code, or up to 11 characters of text
    #[arg(long, default_value = "8x8")]
    from: String,
    /// The recipient: an international number (country code first); + is allowed
    #[arg(long)]
    to: Option<String>,
    /// The text, of any length
    #[arg(long)]
    text: Option<String>,
    /// Show the text at once on the phone's display: --class 0
    #[arg(long, conflicts_with = "class")]
    flash: bool,
    /// The message class: 0 flash, 1 device, 2 SIM, 3 terminal
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    class: Option<u8>,
    /// The data_coding: the text is sent in its alphabet, for example 8 (UCS-2), 3 (Latin-1), 0x10 (flash, GSM 7-bit)
    #[arg(long, value_name = "NUMBER", value_parser = data_coding)]
    data_coding: Option<DataCoding>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// Do not ask for delivery receipts
    #[arg(long)]
    no_receipt: bool,
    /// Seconds to wait for the receipts; 0 for no wait
    // Narrower than a clock's range: no deadline can overflow.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u32,
    /// Use blocking sockets and one thread instead of tokio
    #[arg(long)]
    blocking: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print a line for each PDU to the standard error; for all fields, `smpp decode` the file of --pcap
    #[arg(long)]
    trace: bool,
    /// Write each PDU to this pcap file, for Wireshark; also what goes over TLS, but no password
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// Reads a `data_coding`: decimal, or hexadecimal with `0x`.
fn data_coding(text: &str) -> Result<DataCoding, ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map(DataCoding)
}

/// Sends the messages.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let report = Report { json: arguments.json };
    let sent = if arguments.blocking {
        blocking::send(arguments, report)
    } else {
        runtime::multi_threaded().and_then(|runtime| runtime.block_on(client::send(arguments, report)))
    };
    match sent {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            report.failure(&failure);
            failure.exit_code()
        }
    }
}

impl Arguments {
    /// Returns how long to wait for the receipts.
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }

    /// Returns the account of --url; `None` without --url.
    fn endpoint(&self) -> Result<Option<Endpoint>, Failure> {
        let Some(url) = &self.url else { return Ok(None) };
        let endpoint = options::endpoint(url)?;
        options::system_id(&endpoint)?;
        if endpoint.password.is_none() {
            return Err(Failure::usage("no password", "Set the environment variable SMPP_PASSWORD."));
        }
        Ok(Some(endpoint))
    }
}

/// Returns the session settings: no faster than the provider allows, so that the SMSC need not throttle.
fn config() -> Config {
    Provider::EIGHT_BY_EIGHT.config()
}

/// Reports the SMSC inside this process.
fn report_local_smsc(report: Report, endpoint: &Endpoint) {
    report.explain(format_args!(
        "An SMSC with the rules of {} listens on port {}, TLS, with a certificate made just now.",
        Provider::EIGHT_BY_EIGHT.name,
        endpoint.port
    ));
}

/// Reports a connection that is not bound yet.
fn report_connected(report: Report, endpoint: &Endpoint) {
    let how = if endpoint.tls { "TLS, certificate verified" } else { "plain TCP" };
    let url = endpoint.to_string();
    report.step("connected", json!({ "url": url }), format_args!("connected   {url} ({how})"));
}

/// Reports that the SMSC accepted the bind.
fn report_bound(report: Report, endpoint: &Endpoint, response: &Response) {
    let system_id = endpoint.system_id.as_deref().unwrap_or_default();
    let smsc = response.bind_resp().system_id.to_string();
    report.step(
        "bound",
        json!({ "mode": "transceiver", "system_id": system_id, "smsc": smsc }),
        format_args!("bound       bind_transceiver as \"{system_id}\", the SMSC calls itself \"{smsc}\""),
    );
}

/// The bind of both variants: it sends and receives.
const MODE: BindMode = BindMode::Transceiver;
