//! The job of the two examples that send: what is asked for, and what is told. Everything but the I/O, so that
//! what is left in each `main.rs` is the adapter.

#[path = "ledger.rs"]
mod ledger;
#[path = "report.rs"]
mod report;

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser;
use smpp_core::pcap::Capture;
use smpp_core::provider::Provider;
use smpp_core::session::{
    CloseReason, Config, Direction, Instant, NotSentReason, ObservedPdu, Observer, RequestError,
    UnansweredReason,
};
use smpp_core::sms::{ConcatRef, Submission, Text};
use smpp_core::{Address, Bind, COctets, CommandStatus, Endpoint, Password, RegisteredDelivery, SubmitSm};

pub(crate) use ledger::Ledger;
pub(crate) use report::Report;

/// Sends messages over SMPP 3.4 and waits for their delivery receipts.
///
/// Without --url, an SMSC inside this process takes them. The password comes from the URL or, if that has none,
/// from the environment variable SMPP_PASSWORD.
///
/// The exit status is 0 if every message was accepted and every receipt that was asked for says "delivered",
/// 2 if the arguments are at fault, 1 otherwise.
#[derive(Parser)]
pub(crate) struct Arguments {
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
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) ca: Option<PathBuf>,
    /// Do not ask for delivery receipts
    #[arg(long)]
    no_receipt: bool,
    /// Seconds to wait for the receipts
    // Narrower than a clock's range: no deadline can overflow.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u32,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print each PDU to the standard error
    #[arg(long)]
    trace: bool,
    /// Write each PDU to this pcap file, for Wireshark; also what goes over TLS, but no password
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// Why nothing more can be done.
pub(crate) struct Stop {
    what: String,
    advice: &'static str,
    /// The exit status.
    pub(crate) status: u8,
}

/// Where to bind, as whom.
pub(crate) struct Account {
    pub(crate) endpoint: Endpoint,
    password: String,
}

/// One text, cut into what fits on the air.
pub(crate) struct Message<'a> {
    number: u16,
    text: Text<'a>,
    characters: usize,
    pub(crate) parts: Vec<Part<'a>>,
}

/// One submit_sm.
pub(crate) struct Part<'a> {
    message: u16,
    submission: Submission<'a>,
}

impl Arguments {
    pub(crate) fn report(&self) -> Report {
        Report { json: self.json }
    }

    /// How long to wait for the receipts.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }

    /// The texts to send: the one that was given, or three that show what becomes of a text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let long = "A long text is cut into parts, each with a header that says which part it is. ";
        match &self.text {
            Some(text) => vec![text.clone()],
            None => vec![
                "Hello from Rust: plain GSM text".into(),
                "Text with an emoji \u{1F44B} goes as UTF-16".into(),
                long.chars().cycle().take(400).collect(),
            ],
        }
    }

    /// The messages, ready to be submitted.
    pub(crate) fn messages<'a>(&'a self, texts: &'a [String]) -> Result<Vec<Message<'a>>, Stop> {
        let receipt = if self.no_receipt { RegisteredDelivery::empty() } else { RegisteredDelivery::RECEIPT };
        let template = SubmitSm {
            source: self.source()?,
            destination: self.destination()?,
            registered_delivery: receipt,
            ..SubmitSm::default()
        };
        (1..).zip(texts).map(|(number, text)| Message::new(number, text, template)).collect()
    }

    fn source(&self) -> Result<Address<'_>, Stop> {
        Address::sender(&self.from).map_err(|error| {
            let what = format!("--from \"{}\": {error}", self.from);
            Stop::usage(what, "Give a number, a short code, or up to 11 letters, digits and spaces.")
        })
    }

    fn destination(&self) -> Result<Address<'_>, Stop> {
        let to = self.to.as_deref().unwrap_or("6591234567");
        let address = Address::international(to).map_err(|error| error.to_string()).and_then(|address| {
            let digits = address.digits.as_bytes().len();
            // ITU-T E.164 §6.1: at most 15 digits; no country's numbers have fewer than 7 with its code.
            if (7..=15).contains(&digits) { Ok(address) } else { Err(format!("{digits} digits")) }
        });
        address.map_err(|error| {
            let what = format!("--to \"{to}\" is no phone number: {error}");
            Stop::usage(
                what,
                "Give country code and number, 7 to 15 digits without spaces, such as 6591234567.",
            )
        })
    }

    /// Who looks on at the session, which has just begun.
    pub(crate) fn observer(&self, account: &Account) -> Result<impl Observer + Send + 'static, Stop> {
        let trace = self.trace.then_some(Trace);
        let capture = self.pcap.as_ref().map(File::create).transpose();
        let file = capture.map_err(|error| Stop::usage(format_args!("--pcap: {error}"), ""))?.map(Arc::new);
        let capture = file.map(|file| {
            Capture::new(move |octets: &[u8]| {
                if let Err(error) = (&*file).write_all(octets) {
                    eprintln!("--pcap: {error}");
                }
            })
        });
        // The addresses are made up where they are not known; the port is the SMSC's.
        let unknown = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let host = account.endpoint.host.parse().unwrap_or(unknown);
        let (local, peer) = (SocketAddr::new(unknown, 49152), SocketAddr::new(host, account.endpoint.port));
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok((trace, capture.map(|capture| capture.stream(local, peer, Direction::Out, epoch))))
    }

    /// The account of --url; `None` without one.
    pub(crate) fn account(&self) -> Result<Option<Account>, Stop> {
        let Some(url) = &self.url else { return Ok(None) };
        let endpoint: Endpoint = url.parse().map_err(|error| {
            Stop::usage(
                format_args!("--url: {error}"),
                "Characters such as @ : / ? # in an id or a password are written %40 %3A %2F %3F %23.",
            )
        })?;
        if endpoint.system_id.is_none() {
            return Err(Stop::usage(
                "--url has no SYSTEM_ID",
                "Write it before the host: smpps://SYSTEM_ID@HOST:2776. At 8x8 it is the sub-account id.",
            ));
        }
        if self.ca.is_some() && !endpoint.tls {
            return Err(Stop::usage("--ca with smpp://, which is without TLS", "Write smpps:// for TLS."));
        }
        let password = endpoint.password.clone().or_else(|| env::var("SMPP_PASSWORD").ok());
        let password = password
            .ok_or_else(|| Stop::usage("no password", "Set the environment variable SMPP_PASSWORD."))?;
        Ok(Some(Account { endpoint, password }))
    }
}

impl Account {
    /// An account at the SMSC inside this process, which has just begun to listen.
    pub(crate) fn local(port: u16, (system_id, password): (&str, &str), report: Report) -> Self {
        report.explain(format_args!(
            "An SMSC with the rules of {} listens on port {port}, TLS, with a certificate made just now.",
            Provider::EIGHT_BY_EIGHT.name
        ));
        let (host, system_id) = ("localhost".into(), Some(system_id.into()));
        let endpoint = Endpoint { tls: true, host, port, system_id, password: None };
        Self { endpoint, password: password.into() }
    }

    pub(crate) fn system_id(&self) -> &str {
        self.endpoint.system_id.as_deref().unwrap_or_default()
    }

    /// The request to bind: as a transceiver, which sends and receives.
    pub(crate) fn bind(&self) -> Result<Bind<'_>, Stop> {
        let invalid = |field: &'static str| {
            move |error| Stop::usage(format_args!("{field}: {error}"), "Use it as the provider gave it.")
        };
        Ok(Bind {
            system_id: COctets::new(self.system_id().as_bytes()).map_err(invalid("system_id"))?,
            password: Password::new(self.password.as_bytes()).map_err(invalid("password"))?,
            ..Bind::default()
        })
    }
}

/// Prints each PDU: which way it goes, and what its header says.
struct Trace;

impl Observer for Trace {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let arrow = match direction {
            Direction::In => "<-",
            Direction::Out => "->",
        };
        eprintln!("{:>10.6} {arrow} {pdu}", (at - Instant::ZERO).as_secs_f64());
    }
}

/// How the session runs: no faster than the provider allows, so that it need not throttle.
pub(crate) fn config() -> Config {
    Provider::EIGHT_BY_EIGHT.config()
}

impl<'a> Message<'a> {
    fn new(number: u16, content: &'a str, template: SubmitSm<'a>) -> Result<Self, Stop> {
        let text = Text::new(content);
        // The number is the reference that the parts of one message share.
        let segments = text
            .segments(ConcatRef::Wide(number))
            .map_err(|error| Stop::usage(format_args!("--text: {error}"), "Send it as several messages."))?;
        let submissions = segments.submissions(template);
        let parts = submissions.map(|submission| Part { message: number, submission }).collect();
        Ok(Self { number, text, characters: content.chars().count(), parts })
    }

    /// Says what the text has become.
    pub(crate) fn explain(&self, report: Report) {
        report.explain(format_args!(
            "\nmessage {}   {} characters as {:?}, data_coding {}, in {} part(s)",
            self.number,
            self.characters,
            self.text.alphabet(),
            self.text.data_coding().0,
            self.parts.len()
        ));
    }
}

impl Part<'_> {
    /// What is sent.
    pub(crate) fn submit_sm(&self) -> SubmitSm<'_> {
        self.submission.submit_sm()
    }
}

impl Stop {
    /// The arguments are at fault.
    pub(crate) fn usage(what: impl Display, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice, status: 2 }
    }

    /// Something else is.
    pub(crate) fn failed(what: impl Display, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice, status: 1 }
    }

    /// The file of --ca cannot be used.
    pub(crate) fn ca(error: impl Display) -> Self {
        Self::usage(format_args!("--ca: {error}"), "Give a PEM file with the authority's certificate.")
    }

    /// The SMSC inside this process does not run.
    pub(crate) fn local(error: impl Display) -> Self {
        Self::failed(error, "The SMSC inside this process could not be started: give another with --url.")
    }

    /// The bind was not accepted.
    pub(crate) fn bind(error: &RequestError) -> Self {
        let advice = match error {
            RequestError::Refused(CommandStatus::RINVPASWD) => {
                "Check the password: the one in --url or, if that has none, in SMPP_PASSWORD."
            }
            RequestError::Refused(CommandStatus::RINVSYSID) => {
                "Check the system_id: at 8x8, the sub-account id."
            }
            RequestError::Refused(CommandStatus::RALYBND) => {
                "The account holds all the binds it may (4 at 8x8): end one, or wait until a dead one is noticed."
            }
            RequestError::Refused(_) => {
                "Check credentials, the provider's address allow-list, and how many binds the account holds."
            }
            RequestError::Unanswered(UnansweredReason::Timeout) => {
                "The server takes connections but does not answer SMPP: check the port, and smpp or smpps."
            }
            RequestError::NeverSent(NotSentReason::Closed(CloseReason::Disconnected))
            | RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)) => {
                "The server closed the connection: check smpp or smpps, the port, and the address allow-list."
            }
            _ => "Check that the port speaks SMPP 3.4, and smpp or smpps in the URL.",
        };
        Self::failed(format_args!("bind_transceiver {error}"), advice)
    }
}
