//! Sends messages over SMPP and waits for their delivery receipts, with blocking sockets and one thread.
//!
//! Without arguments it starts an SMSC of its own, which follows 8x8's rules, and sends it three messages:
//!
//! ```text
//! cargo run --release --example send_blocking
//! ```
//!
//! Against a real SMSC, the password in `SMPP_PASSWORD`:
//!
//! ```text
//! cargo run --release --example send_blocking -- \
//!     --url smpps://SYSTEM_ID@smpp.8x8.com:2776 --from 8x8 --to 6591234567 --text "Hello"
//! ```

mod report;
mod smsc;

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use smpp_core::provider::Provider;
use smpp_core::session::{Config, Esme};
use smpp_core::sms::{ConcatRef, Receipt, Text};
use smpp_core::{
    Address, Bind, COctets, CommandStatus, DeliverSm, Endpoint, MessageState, Password, RegisteredDelivery,
    ShortMessage, SubmitSm,
};
use smpp_io_std::{
    ConnectError, Connection, Connector, End, Failure, Inbound, RequestError, Stream, TlsError, tls,
};

use report::Report;

/// Sends messages over SMPP 3.4 and waits for their delivery receipts.
///
/// Without --url, an SMSC inside this process takes them. The password comes from the URL or, if that has none,
/// from the environment variable SMPP_PASSWORD.
#[derive(Parser)]
struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long, requires_all = ["to", "text"])]
    url: Option<String>,
    /// The sender: a number, a short code, or up to 11 characters of text
    #[arg(long, default_value = "8x8")]
    from: String,
    /// The recipient: country code and number, digits only
    #[arg(long)]
    to: Option<String>,
    /// The text, of any length
    #[arg(long)]
    text: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Do not ask for delivery receipts
    #[arg(long)]
    no_receipt: bool,
    /// Seconds to wait for the receipts
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Why nothing more can be done: what, the advice, and the exit status.
struct Stop {
    what: String,
    advice: &'static str,
    status: u8,
}

impl Stop {
    /// The arguments are at fault.
    fn usage(what: impl Display, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice, status: 2 }
    }

    /// Something else is.
    fn failed(what: impl Display, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice, status: 1 }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = Report { json: arguments.json };
    match run(&arguments, report) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop { what, advice, status }) => {
            report.error(what, advice);
            status.into()
        }
    }
}

/// Binds, sends, waits, unbinds. Whether every message was accepted, and every receipt that was asked for
/// came and says "delivered".
fn run(arguments: &Arguments, report: Report) -> Result<bool, Stop> {
    let (source, destination) = addresses(arguments)?;
    let (endpoint, password, connector) = target(arguments, report)?;
    let system_id = endpoint.system_id.clone().unwrap_or_default();
    let invalid = |field: &'static str| {
        move |error| Stop::usage(format!("{field}: {error}"), "Use it as the provider gave it.")
    };
    let bind = Bind {
        system_id: COctets::new(system_id.as_bytes()).map_err(invalid("system_id"))?,
        password: Password::new(password.as_bytes()).map_err(invalid("password"))?,
        ..Bind::default()
    };

    let mut connection = connector.connect(&endpoint).map_err(|error| connect_stop(&error))?;
    let how = if endpoint.tls { "TLS, certificate verified" } else { "plain TCP" };
    report.step(
        "connected",
        json!({ "url": endpoint.to_string() }),
        format_args!("connected   {endpoint} ({how})"),
    );
    let answer = connection.bind(&bind).map_err(|error| {
        let failure = Failure::Bind(error);
        connect_stop(&ConnectError { endpoint: endpoint.to_string(), failure })
    })?;
    let smsc = answer.bind_resp().system_id;
    report.step(
        "bound",
        json!({ "mode": "transceiver", "system_id": system_id, "smsc": smsc.to_string() }),
        format_args!("bound       bind_transceiver as \"{system_id}\", the SMSC calls itself \"{smsc}\""),
    );

    let mut sender =
        Sender { connection, report, receipts: !arguments.no_receipt, pending: HashMap::new(), well: true };
    for (number, text) in (1..).zip(texts(arguments)) {
        let message = SubmitSm { source, destination, ..SubmitSm::default() };
        sender.send(number, &text, message)?;
    }
    if sender.receipts {
        sender.await_receipts(Duration::from_secs(arguments.timeout))?;
    }
    sender.connection.unbind().map_err(|end| ended(&end))?;
    report.step(
        "unbound",
        json!({}),
        "\nunbound     the SMSC has answered the unbind, the connection is closed",
    );
    Ok(sender.well)
}

/// A bound connection, and what is known of the messages sent on it.
struct Sender {
    connection: Connection<Esme, Stream>,
    report: Report,
    /// Whether receipts are asked for.
    receipts: bool,
    /// Message id to what it stands for: accepted, its final receipt not yet here.
    pending: HashMap<String, String>,
    well: bool,
}

impl Sender {
    /// One message, as one submit_sm for each segment.
    fn send(&mut self, number: u16, text: &str, template: SubmitSm<'_>) -> Result<(), Stop> {
        let parts = Text::new(text);
        let segments = parts
            .segments(ConcatRef::Wide(number))
            .map_err(|error| Stop::usage(error, "Send it as several messages."))?;
        self.report.explain(format_args!(
            "\nmessage {number}   {} characters as {:?}, data_coding {}, in {} part(s)",
            text.chars().count(),
            parts.alphabet(),
            parts.data_coding().0,
            segments.len()
        ));
        for segment in segments {
            let (part, of, octets) = (segment.number(), segment.total(), segment.as_bytes().len());
            let wanted =
                if self.receipts { RegisteredDelivery::RECEIPT } else { RegisteredDelivery::empty() };
            let message = SubmitSm {
                esm_class: segment.esm_class(),
                data_coding: segment.data_coding(),
                registered_delivery: wanted,
                short_message: ShortMessage::new(segment.as_bytes()).unwrap_or_default(),
                ..template
            };
            match self.connection.submit(&message) {
                Ok(response) => {
                    let id = String::from_utf8_lossy(response.message_id()).into_owned();
                    self.report.step(
                        "accepted",
                        json!({ "message": number, "part": part, "parts": of, "message_id": id }),
                        format_args!("submit_sm   part {part}/{of}: {octets} octets -> message_id {id}"),
                    );
                    self.pending.insert(id, format!("message {number} part {part}/{of}"));
                }
                Err(error) => {
                    self.well = false;
                    let what = format_args!("message {number} part {part}/{of}: {error}");
                    self.report.error(what, submit_advice(&error));
                }
            }
            // The SMSC may send receipts already: they are answered in between.
            while let Some(inbound) = self.connection.recv(Some(Duration::ZERO)).map_err(|end| ended(&end))? {
                self.receive(inbound)?;
            }
        }
        Ok(())
    }

    /// Waits until each accepted part has its final receipt, or the time is over.
    fn await_receipts(&mut self, timeout: Duration) -> Result<(), Stop> {
        self.report.explain("\nEach accepted part is reported on by a deliver_sm when its fate is known:");
        let deadline = Instant::now() + timeout;
        while !self.pending.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.recv(Some(left)).map_err(|end| ended(&end))? {
                Some(inbound) => self.receive(inbound)?,
                None => break,
            }
        }
        let mut missing: Vec<_> = self.pending.iter().collect();
        missing.sort_by_key(|(_, what)| *what);
        for (id, what) in missing {
            self.well = false;
            self.report.error(
                format_args!("no receipt for {what} ({id}) within {} s", timeout.as_secs()),
                "The message was accepted; wait longer with --timeout, or look it up at the provider.",
            );
        }
        Ok(())
    }

    /// Takes note of what the SMSC sends, and answers it: what is not answered comes again.
    fn receive(&mut self, inbound: Inbound) -> Result<(), Stop> {
        let Inbound::DeliverSm(message) = inbound else { return Ok(()) };
        self.note(&message.get());
        self.connection.accept(message).map_err(|end| ended(&end))
    }

    fn note(&mut self, sm: &DeliverSm<'_>) {
        let receipt = Receipt::parse_with(sm.text(), sm.tlvs.receipted_message_id(), sm.tlvs.message_state());
        let Some(receipt) = receipt.ok().filter(|_| sm.esm_class.is_receipt()) else {
            let alphabet = Provider::EIGHT_BY_EIGHT.codings.alphabet(sm.data_coding);
            let text = alphabet.and_then(|alphabet| alphabet.decode(sm.text())).unwrap_or_default();
            let from = sm.source.digits;
            return self.report.step(
                "message",
                json!({ "from": from.to_string(), "text": text }),
                format_args!("deliver_sm  a message from {from}: {text}"),
            );
        };
        let id = String::from_utf8_lossy(receipt.id);
        // The account's other messages have receipts too.
        let Some(what) = self.pending.get(id.as_ref()) else { return };
        let state = receipt.state().unwrap_or(MessageState::UNKNOWN);
        let text = String::from_utf8_lossy(sm.text());
        let last = receipt.is_final();
        self.report.step(
            "receipt",
            json!({ "message_id": id, "state": format!("{state:?}"), "final": last, "text": text }),
            format_args!("receipt     {what}: {state:?}\n            {text}"),
        );
        if last {
            self.pending.remove(id.as_ref());
            self.well &= state == MessageState::DELIVERED;
        }
    }
}

fn addresses(arguments: &Arguments) -> Result<(Address<'_>, Address<'_>), Stop> {
    let to = arguments.to.as_deref().unwrap_or("6591234567");
    let source = Address::sender(&arguments.from).map_err(|error| {
        let what = format!("--from \"{}\": {error}", arguments.from);
        Stop::usage(what, "Give a number, a short code, or up to 11 letters, digits and spaces.")
    })?;
    let destination = Address::international(to).map_err(|error| error.to_string()).and_then(|address| {
        let digits = address.digits.as_bytes().len();
        // ITU-T E.164 §6.1: at most 15 digits; no country's numbers have fewer than 7 with its code.
        if (7..=15).contains(&digits) { Ok(address) } else { Err(format!("{digits} digits")) }
    });
    let destination = destination.map_err(|error| {
        let what = format!("--to \"{to}\" is no phone number: {error}");
        Stop::usage(what, "Give country code and number, 7 to 15 digits without spaces, such as 6591234567.")
    })?;
    Ok((source, destination))
}

fn texts(arguments: &Arguments) -> Vec<String> {
    let long = "A long text is cut into parts, each with a header that says which part it is. ";
    match &arguments.text {
        Some(text) => vec![text.clone()],
        None => vec![
            "Hello from Rust: plain GSM text".into(),
            "Text with an emoji \u{1F44B} goes as UTF-16".into(),
            long.chars().cycle().take(400).collect(),
        ],
    }
}

/// Where to connect, with which password, trusting whom.
fn target(arguments: &Arguments, report: Report) -> Result<(Endpoint, String, Connector), Stop> {
    let provider = Provider::EIGHT_BY_EIGHT;
    let mut connector = Connector::new().config(Config { rate: Some(provider.rate), ..Config::default() });
    let Some(url) = &arguments.url else {
        let (system_id, password) = smsc::ACCOUNT;
        let (address, ca_pem) =
            smsc::start().map_err(|error| Stop::failed(error, "The SMSC could not be started."))?;
        let trust = tls::ca_pem(ca_pem.as_bytes()).map_err(|error| Stop::failed(error, ""))?;
        let port = address.port();
        report.explain(format_args!(
            "An SMSC with the rules of {} listens on port {port}, TLS, with a certificate made just now.",
            provider.name
        ));
        let (host, system_id) = ("localhost".into(), Some(system_id.into()));
        let endpoint = Endpoint { tls: true, host, port, system_id, password: None };
        return Ok((endpoint, password.into(), connector.tls(trust)));
    };
    let endpoint: Endpoint = url.parse().map_err(|error| Stop::usage(format!("--url: {error}"), ""))?;
    if endpoint.system_id.is_none() {
        return Err(Stop::usage(
            "--url has no SYSTEM_ID",
            "Write it before the host: smpps://SYSTEM_ID@HOST:2776. At 8x8 it is the sub-account id.",
        ));
    }
    let password = endpoint.password.clone().or_else(|| std::env::var("SMPP_PASSWORD").ok());
    let password =
        password.ok_or_else(|| Stop::usage("no password", "Set the environment variable SMPP_PASSWORD."))?;
    if let Some(ca) = &arguments.ca {
        connector = connector.tls(tls::ca_file(ca).map_err(|error| {
            Stop::usage(format!("--ca: {error}"), "Give a PEM file with the authority's certificate.")
        })?);
    }
    Ok((endpoint, password, connector))
}

/// The error brings its own advice; what concerns this program's arguments is added.
fn connect_stop(error: &ConnectError) -> Stop {
    let advice = match &error.failure {
        Failure::Handshake(_, TlsError::Certificate(_)) => "Name the authority's PEM file with --ca.",
        Failure::Bind(RequestError::Refused(CommandStatus::RINVPASWD)) => {
            "The password is in SMPP_PASSWORD, unless --url has one."
        }
        _ => "",
    };
    Stop::failed(error, advice)
}

fn ended(end: &End) -> Stop {
    Stop::failed(
        format_args!("the connection ended: {end}"),
        "What has a message_id was accepted; its receipts come on the next bind.",
    )
}

fn submit_advice(error: &RequestError) -> &'static str {
    match error {
        RequestError::Refused(CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL) => "Send it again, later.",
        RequestError::Refused(CommandStatus::RINVDSTADR) => "Check --to.",
        RequestError::Refused(CommandStatus::RINVSRCADR) => {
            "Check --from: the account may not use this sender."
        }
        RequestError::NeverSent(_) => "It is safe to send it again.",
        RequestError::Unanswered(_) => "It may have been accepted: sending it again may make two of it.",
        _ => "",
    }
}
