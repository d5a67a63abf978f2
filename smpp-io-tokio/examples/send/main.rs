//! Sends messages over SMPP and waits for their delivery receipts.
//!
//! Without arguments it starts an SMSC of its own, which follows 8x8's rules, and sends it three messages:
//!
//! ```text
//! cargo run --release --example send
//! ```
//!
//! Against a real SMSC, the password in `SMPP_PASSWORD`:
//!
//! ```text
//! cargo run --release --example send -- \
//!     --url smpps://SYSTEM_ID@smpp.8x8.com:2776 --from 8x8 --to 6591234567 --text "Hello"
//! ```

#[path = "../support/embedded.rs"]
mod embedded;
mod report;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use smpp_core::provider::Provider;
use smpp_core::session::{Cause, Closed, Config, Esme};
use smpp_core::sms::{ConcatRef, Receipt, Text};
use smpp_core::{
    Address, Bind, COctets, CommandStatus, Endpoint, MessageState, Password, RegisteredDelivery,
    ShortMessage, SubmitSm,
};
use smpp_io_tokio::{Client, ConnectError, Connector, Inbound, Inbox, RequestError, TlsError, tls};
use tokio::sync::mpsc;
use tokio::time;

use report::Report;

/// Sends messages over SMPP 3.4 and waits for their delivery receipts.
///
/// Without --url, an SMSC inside this process takes them. The password comes from the URL or from the
/// environment variable SMPP_PASSWORD.
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
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What went wrong, and what to do about it.
struct Failure {
    what: String,
    advice: &'static str,
}

impl Failure {
    fn new(what: impl std::fmt::Display, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = Report { json: arguments.json };
    match run(&arguments, report).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure { what, advice }) => {
            report.error(what, advice);
            ExitCode::FAILURE
        }
    }
}

/// Binds, sends, waits, unbinds. Whether every message was accepted, and every receipt that was asked for
/// came and says "delivered".
async fn run(arguments: &Arguments, report: Report) -> Result<bool, Failure> {
    let (source, to) = addresses(arguments)?;
    let (endpoint, password, connector) = target(arguments, report).await?;
    let system_id = endpoint.system_id.clone().unwrap_or_default();

    let (client, inbox) = connector.connect(&endpoint).await.map_err(|error| connect_failure(&error))?;
    let how = if endpoint.tls { "TLS, certificate verified" } else { "plain TCP" };
    report.step(
        "connected",
        json!({ "url": endpoint.to_string() }),
        format_args!("connected   {endpoint} ({how})"),
    );

    let invalid = |field: &'static str| {
        move |error| {
            Failure::new(format!("{field}: {error}"), "Use the credentials as the provider gave them.")
        }
    };
    let bind = Bind {
        system_id: COctets::new(system_id.as_bytes()).map_err(invalid("system_id"))?,
        password: Password::new(password.as_bytes()).map_err(invalid("password"))?,
        ..Bind::default()
    };
    let answer = client.bind(&bind).await.map_err(|error| bind_failure(&error))?;
    let smsc = answer.bind_resp().system_id;
    report.step(
        "bound",
        json!({ "mode": "transceiver", "system_id": system_id, "smsc": smsc.to_string() }),
        format_args!("bound       bind_transceiver as \"{system_id}\", the SMSC calls itself \"{smsc}\""),
    );

    let (receipts, mut arriving) = mpsc::channel(64);
    let reader = tokio::spawn(read_inbox(inbox, receipts, report));
    let mut pending = HashMap::new();
    let mut all_well = true;
    for (number, text) in (1..).zip(texts(arguments)) {
        let message = SubmitSm { source, destination: to, ..SubmitSm::default() };
        all_well &= send(&client, arguments, report, number, &text, message, &mut pending).await?;
    }
    if !arguments.no_receipt && !pending.is_empty() {
        report.explain("\nEach accepted part is reported on by a deliver_sm when its fate is known:");
        let deadline = time::Instant::now() + Duration::from_secs(arguments.timeout);
        while !pending.is_empty() {
            let Ok(Some((id, state, text))) = time::timeout_at(deadline, arriving.recv()).await else {
                break;
            };
            let Some(what) = pending.get(&id).cloned() else { continue };
            let is_final = Receipt::parse(text.as_bytes()).is_ok_and(|receipt| receipt.is_final());
            report.step(
                "receipt",
                json!({ "message_id": id, "state": format!("{state:?}"), "final": is_final, "text": text }),
                format_args!("receipt     {what}: {state:?}\n            {text}"),
            );
            if is_final {
                pending.remove(&id);
                all_well &= state == MessageState::DELIVERED;
            }
        }
        for (id, what) in &pending {
            all_well = false;
            report.error(
                format_args!("no receipt for {what} ({id}) within {} s", arguments.timeout),
                "The message was accepted; wait longer with --timeout, or look it up at the provider.",
            );
        }
    }
    let end = client.unbind().await;
    drop(client);
    // The reader ends with the session.
    let _ = reader.await;
    report.step("unbound", json!({ "reason": end.to_string() }), format_args!("\nended       {end}"));
    Ok(all_well)
}

/// One message, as one submit_sm for each segment.
async fn send(
    client: &Client,
    arguments: &Arguments,
    report: Report,
    number: u16,
    text: &str,
    template: SubmitSm<'_>,
    pending: &mut HashMap<String, String>,
) -> Result<bool, Failure> {
    let parts = Text::new(text);
    let segments = parts
        .segments(ConcatRef::Wide(number))
        .map_err(|error| Failure::new(error, "Send it as several messages."))?;
    report.explain(format_args!(
        "\nmessage {number}   {} characters as {:?}, data_coding {}, in {} part(s)",
        text.chars().count(),
        parts.alphabet(),
        parts.data_coding().0,
        segments.len()
    ));
    let mut accepted = true;
    for segment in segments {
        let message = SubmitSm {
            esm_class: segment.esm_class(),
            data_coding: segment.data_coding(),
            registered_delivery: if arguments.no_receipt {
                RegisteredDelivery::empty()
            } else {
                RegisteredDelivery::RECEIPT
            },
            short_message: ShortMessage::new(segment.as_bytes()).unwrap_or_default(),
            ..template
        };
        let what = format!("message {number} part {}/{}", segment.number(), segment.total());
        match client.submit(&message).await {
            Ok(response) => {
                let id = String::from_utf8_lossy(response.message_id()).into_owned();
                report.step(
                    "accepted",
                    json!({ "message": number, "part": segment.number(), "parts": segment.total(), "message_id": id }),
                    format_args!(
                        "submit_sm   part {}/{}: {} octets -> message_id {id}",
                        segment.number(),
                        segment.total(),
                        segment.as_bytes().len()
                    ),
                );
                pending.insert(id, what);
            }
            Err(error) => {
                accepted = false;
                report.error(format_args!("{what}: {error}"), submit_advice(&error));
            }
        }
    }
    Ok(accepted)
}

/// Answers what the SMSC sends, and passes receipts on: id, state, text.
async fn read_inbox(
    mut inbox: Inbox<Esme>,
    receipts: mpsc::Sender<(String, MessageState, String)>,
    report: Report,
) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound::DeliverSm(message) = inbound else { continue };
        let sm = message.get();
        let receipt = Receipt::parse_with(sm.text(), sm.tlvs.receipted_message_id(), sm.tlvs.message_state());
        match receipt {
            Ok(receipt) if sm.esm_class.is_receipt() => {
                let id = String::from_utf8_lossy(receipt.id).into_owned();
                let state = receipt.state().unwrap_or(MessageState::UNKNOWN);
                let text = String::from_utf8_lossy(sm.text()).into_owned();
                // Nobody waits any more: the receipt is still acknowledged.
                let _ = receipts.send((id, state, text)).await;
            }
            _ => {
                let alphabet = Provider::EIGHT_BY_EIGHT.codings.alphabet(sm.data_coding);
                let text = alphabet.and_then(|alphabet| alphabet.decode(sm.text())).unwrap_or_default();
                let from = sm.source.digits;
                report.step(
                    "message",
                    json!({ "from": from.to_string(), "text": text }),
                    format_args!("deliver_sm  a message from {from}: {text}"),
                );
            }
        }
        // If the session has ended meanwhile, the SMSC keeps the message and sends it again.
        let _ = message.accept();
    }
}

fn addresses(arguments: &Arguments) -> Result<(Address<'_>, Address<'_>), Failure> {
    let to = arguments.to.as_deref().unwrap_or("6591234567");
    let source = Address::sender(&arguments.from).map_err(|error| {
        let what = format!("--from \"{}\": {error}", arguments.from);
        Failure::new(what, "Give a number, a short code, or up to 11 letters, digits and spaces.")
    })?;
    let destination = Address::international(to).map_err(|error| error.to_string()).and_then(|address| {
        let digits = address.digits.as_bytes().len();
        // ITU-T E.164 §6.1: at most 15 digits; no country's numbers have fewer than 7 with its code.
        if (7..=15).contains(&digits) { Ok(address) } else { Err(format!("{digits} digits")) }
    });
    let destination = destination.map_err(|error| {
        let what = format!("--to \"{to}\" is no phone number: {error}");
        Failure::new(what, "Give country code and number, 7 to 15 digits without spaces, such as 6591234567.")
    })?;
    Ok((source, destination))
}

fn texts(arguments: &Arguments) -> Vec<String> {
    match &arguments.text {
        Some(text) => vec![text.clone()],
        None => vec![
            "Hello from Rust: plain GSM text".into(),
            "Text with an emoji \u{1F44B} goes as UTF-16".into(),
            "A long text is cut into parts, each with a header that says which part it is. "
                .chars()
                .cycle()
                .take(400)
                .collect(),
        ],
    }
}

/// Where to connect, with which password, trusting whom.
async fn target(arguments: &Arguments, report: Report) -> Result<(Endpoint, String, Connector), Failure> {
    let provider = Provider::EIGHT_BY_EIGHT;
    let config = Config { rate: Some(provider.rate), ..Config::default() };
    let mut connector = Connector::new().config(config);
    let Some(url) = &arguments.url else {
        let (system_id, password) = embedded::ACCOUNT;
        let smsc =
            embedded::start().await.map_err(|error| Failure::new(error, "The SMSC could not be started."))?;
        let trusted = tls::client(smsc.roots).map_err(|error| Failure::new(error, ""))?;
        report.explain(format_args!(
            "An SMSC with the rules of {} listens on port {}, TLS, with a certificate made just now.",
            provider.name,
            smsc.address.port()
        ));
        let endpoint = Endpoint {
            tls: true,
            host: "localhost".into(),
            port: smsc.address.port(),
            system_id: Some(system_id.into()),
            password: None,
        };
        return Ok((endpoint, password.into(), connector.tls(trusted)));
    };
    let endpoint: Endpoint = url.parse().map_err(|error| Failure::new(format!("--url: {error}"), ""))?;
    if endpoint.system_id.is_none() {
        return Err(Failure::new(
            "--url has no SYSTEM_ID",
            "Write it before the host: smpps://SYSTEM_ID@HOST:2776. At 8x8 it is the sub-account id.",
        ));
    }
    let password = endpoint.password.clone().or_else(|| std::env::var("SMPP_PASSWORD").ok());
    let password =
        password.ok_or_else(|| Failure::new("no password", "Set the environment variable SMPP_PASSWORD."))?;
    if let Some(ca) = &arguments.ca {
        let tls = tls::ca_file(ca).map_err(|error| {
            Failure::new(format!("--ca: {error}"), "Give a PEM file with the CA's certificate.")
        })?;
        connector = connector.tls(tls);
    }
    Ok((endpoint, password, connector))
}

fn connect_failure(error: &ConnectError) -> Failure {
    let advice = match error {
        ConnectError::Resolve { .. } => "Check the host name, and that this machine can resolve names.",
        ConnectError::Connect { .. } => {
            "Check host and port (2775 plain, 2776 TLS) and that no firewall is in the way."
        }
        ConnectError::Tls { error: TlsError::Certificate(_), .. } => {
            "If the server's certificate authority is your own, name its PEM file with --ca; and use the host \
             name that the certificate is for."
        }
        ConnectError::Tls { .. } => "Check that the port speaks TLS (2776 at 8x8); smpp:// is without TLS.",
        _ => "Check that the port speaks TLS, and that your address is on the provider's allow-list.",
    };
    Failure::new(error, advice)
}

fn bind_failure(error: &RequestError) -> Failure {
    let advice = match error {
        RequestError::Refused(CommandStatus::RINVPASWD) => {
            "Check the password: SMPP_PASSWORD, or in the URL."
        }
        RequestError::Refused(CommandStatus::RINVSYSID) => "Check the system_id: at 8x8, the sub-account id.",
        RequestError::Refused(CommandStatus::RALYBND) => {
            "The account holds all the binds it may (4 at 8x8): end one, or wait until a dead one is noticed."
        }
        RequestError::Refused(CommandStatus::RBINDFAIL) => {
            "Check credentials, the provider's address allow-list, and how many binds the account holds."
        }
        RequestError::Unanswered(Cause::Timeout) => {
            "The server takes connections but does not answer SMPP: check the port, and TLS (smpps) or not (smpp)."
        }
        RequestError::Unanswered(Cause::Closed(Closed::Disconnected)) => {
            "The server closed the connection: check smpp or smpps, the port, and the address allow-list."
        }
        _ => "Check that the port speaks SMPP, and smpp or smpps in the URL.",
    };
    Failure::new(format!("bind_transceiver {error}"), advice)
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
