//! The arguments of `smpp smsc`.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use smpp_proto::session::Rate;
use smpp_proto::simulator::{Dialect, ReceiptTiming, Rules, StateWeights};
use smpp_proto::{Address, COctets, Password};
use smpp_tokio::Network;
use smpp_tokio::testing::Faults;

use super::faults::FaultSettings;
use crate::failure::Failure;

/// Runs an SMSC to test clients against
///
/// It has the rules of 8x8: four binds an account, fifty messages a second a bind, receipts on any bind. Options change
/// them, and inject faults.
///
/// It runs until it is interrupted; then it unbinds every session and prints a summary. A second interrupt stops it at
/// once.
#[derive(Parser)]
#[command(after_help = "Examples:
  smpp smsc --listen 127.0.0.1:2775 --account shop:s3cret
      listens without TLS for one account
  smpp smsc --tls-listen 127.0.0.1:2776 --tls-ca ca.pem
      speaks TLS with a certificate made at start; clients trust it with --ca ca.pem
  smpp smsc --receipts DELIVRD=90,UNDELIV=10 --fault slow=200 --fault drop=5 --mo demo_shop
      fails one message in ten, responds late or not at all, and sends messages from a phone
  smpp smsc --dialect ids=hex8 --dialect text-ids=dec10 --dialect segments=last --dialect bind-status=RBINDFAIL
      writes message ids in two notations, reports a long message once, and has its own status for too many binds
  smpp smsc --web 127.0.0.1:8080
      shows binds, messages and PDUs on a page, which also sends messages and switches faults (feature web)")]
pub(crate) struct Arguments {
    /// Where to listen; may be given several times [default: 127.0.0.1:2775, without --tls-listen and --unix]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,
    /// Where to listen for TLS; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) tls_listen: Vec<String>,
    /// The path of a Unix socket to listen on without TLS; may be given several times
    ///
    /// The file must not exist, unless it is left over from a process that has ended. It is removed at the end.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH")]
    pub(super) unix: Vec<PathBuf>,
    /// Expect a PROXY protocol header, version 1 or 2, on each connection from this network; may be given several times
    ///
    /// NETWORK is an address, or ADDRESS/PREFIX such as 10.0.0.0/8. The client's address that a proxy states is then the one
    /// that is shown and counted. Connections from elsewhere are closed; Unix sockets are always trusted.
    #[arg(long, value_name = "NETWORK")]
    pub(super) proxy_protocol: Vec<Network>,
    /// The certificate for TLS and its chain, PEM; read again at SIGHUP [default: one for localhost, made at start]
    #[arg(long, value_name = "FILE", requires = "key", requires = "tls_listen")]
    pub(super) cert: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Write the authority of the certificate made at start to this PEM file, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls_listen", conflicts_with = "cert")]
    pub(super) tls_ca: Option<PathBuf>,
    /// An account; may be given several times
    #[arg(long, value_name = "SYSTEM_ID:PASSWORD", default_value = "demo_shop:s3cret", value_parser = account)]
    pub(super) account: Vec<(String, String)>,
    /// Binds that an account may hold at once
    #[arg(long, value_name = "NUMBER", default_value_t = Rules::default().max_binds, value_parser = clap::value_parser!(u16).range(1..))]
    max_binds: u16,
    /// Connections at once, bound or not
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) max_connections: usize,
    /// Messages a second that a bind may submit; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = Rules::default().rate.map_or(0, Rate::limit))]
    rate: u32,
    /// States in receipts, each with its weight, or "none" for no receipts
    #[arg(long, value_name = "STATE[=WEIGHT],..", default_value = "DELIVRD", value_parser = states)]
    receipts: States,
    /// Milliseconds from the response to the receipt, or "before-response" to send the receipt first
    #[arg(long, value_name = "MS", default_value = "500", value_parser = delay)]
    receipt_delay: Delay,
    /// A fault to inject; may be given several times: slow=MS (delays each response), throttle=PERCENT (refuses messages
    /// with ESME_RTHROTTLED), reorder (sends responses out of order), drop=PERCENT (accepts messages and does not respond),
    /// reset=PERCENT (accepts messages and resets the connection), wrong-sequence=PERCENT, cut=PERCENT (half a response, then
    /// the end), corrupt-length=PERCENT, corrupt-body=PERCENT, half-close=PERCENT (faults of responses), coalesce (sends many
    /// PDUs at once), max-write=OCTETS (sends PDUs in pieces), silent (sends nothing at all), refuse-binds=STATUS,
    /// no-unbind-resp
    #[arg(long, value_name = "FAULT", value_parser = fault, verbatim_doc_comment)]
    fault: Vec<String>,
    /// What the SMSC does in its own way, as NAME=VALUE; may be given several times. Names: version, ids, text-ids, tlv-ids
    /// (uuid, dec10, HEX8, text20), receipt (text, text+state, tlvs, text+tlvs), segments (each, first, last, shared,
    /// shared-once), esm-class, intermediate, intermediate-esm-class, correction, leading-nul, utc-offset, route (any,
    /// submitting, in-turn), one-at-a-time, tlvs (accept, echo, STATUS), response-tlv (TAG:HEX), bind-status, rate-status,
    /// window, window-status, refuse (DESTINATION:STATUS), alphabet, echo (default, ucs2), idle (MS)
    #[arg(long, value_name = "NAME=VALUE", value_parser = dialect, verbatim_doc_comment)]
    dialect: Vec<(String, String)>,
    /// Deliver messages from a phone (mobile-originated) to this account; may be given once
    #[arg(long, value_name = "SYSTEM_ID")]
    pub(super) mo: Option<String>,
    /// Their text, of any length: a long text is delivered in segments
    #[arg(long, value_name = "TEXT", requires = "mo", default_value = "Hello from a phone")]
    pub(super) mo_text: String,
    /// How many of them [default: no limit]
    #[arg(long, value_name = "NUMBER", requires = "mo", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) mo_count: Option<u64>,
    /// How many of them a second
    #[arg(long, value_name = "NUMBER", requires = "mo", default_value = "1")]
    mo_rate: NonZeroU32,
    /// The phone's number
    #[arg(long, value_name = "NUMBER", requires = "mo", default_value = "6591234567", value_parser = number)]
    pub(super) mo_from: String,
    /// The number that it sends to
    #[arg(long, value_name = "NUMBER", requires = "mo", default_value = "6580000000", value_parser = number)]
    pub(super) mo_to: String,
    /// The seed of random decisions and message ids: the same seed repeats them [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Serve a page for browsers there: binds, messages, PDUs field by field, plots, faults, messages from a phone
    ///
    /// Everyone who can connect to the address can use the page: on a loopback address, the users of this machine.
    #[cfg(feature = "web")]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) web: Option<String>,
    /// Let --web listen on an address that other machines can reach; the page then requires the token in its URL
    ///
    /// The page is not encrypted: in a network that you do not trust, use an SSH tunnel instead.
    #[cfg(feature = "web")]
    #[arg(long, requires = "web")]
    pub(super) web_remote: bool,
    /// Print one JSON object a line for each event
    #[arg(long)]
    pub(super) json: bool,
}

/// `None` for no receipts; otherwise the weights and their text.
type States = Option<(String, StateWeights)>;

/// `None` for before the response.
type Delay = Option<Duration>;

impl Arguments {
    /// Returns the addresses to listen on without TLS.
    pub(super) fn listen(&self) -> Vec<String> {
        #[cfg(unix)]
        let has_unix = !self.unix.is_empty();
        #[cfg(not(unix))]
        let has_unix = false;
        if self.listen.is_empty() && self.tls_listen.is_empty() && !has_unix {
            return vec!["127.0.0.1:2775".into()];
        }
        self.listen.clone()
    }

    /// Returns the rules.
    pub(super) fn rules(&self) -> Rules {
        let receipts = match (&self.receipts, self.receipt_delay) {
            (None, _) => ReceiptTiming::Never,
            (_, None) => ReceiptTiming::BeforeResponse,
            _ => ReceiptTiming::Delayed,
        };
        let mut dialect = Dialect::default();
        for (name, value) in &self.dialect {
            // Cannot fail: the value was parsed before.
            let _ = dialect.set(name, value);
        }
        let mut rules = Rules::default()
            .max_binds(self.max_binds)
            .rate((self.rate > 0).then(|| Rate::per_second(self.rate)))
            .throttled_percent(self.all_faults().throttled_percent)
            .receipt_timing(receipts)
            .seed(self.seed.unwrap_or_else(random_seed))
            .dialect(dialect);
        if let Some(delay) = self.receipt_delay {
            rules.receipt_delay = delay;
        }
        if let Some((_, weights)) = &self.receipts {
            rules.states = weights.clone();
        }
        rules
    }

    /// Returns the faults.
    pub(super) fn faults(&self) -> Faults {
        self.all_faults().faults
    }

    fn all_faults(&self) -> FaultSettings {
        let mut all = FaultSettings::default();
        for fault in &self.fault {
            // Cannot fail: the text was parsed before.
            let _ = all.set_text(fault);
        }
        all
    }

    /// Returns the rules and faults that the page can change.
    #[cfg(feature = "web")]
    pub(super) fn settings(&self) -> super::settings::Settings {
        let rules = self.rules();
        super::settings::Settings {
            states: self.receipts.as_ref().map_or_else(|| "DELIVRD".into(), |(text, _)| text.clone()),
            weights: rules.states,
            timing: rules.receipt_timing,
            delay: rules.receipt_delay,
            faults: self.all_faults(),
        }
    }

    /// Returns the time between two messages from the phone.
    pub(super) fn mo_interval(&self) -> Duration {
        Duration::from_secs(1) / self.mo_rate.get()
    }

    /// Checks the arguments against each other.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let mut names: Vec<_> = self.account.iter().map(|(system_id, _)| system_id).collect();
        names.sort();
        if let Some([name, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Failure::usage(
                format_args!("--account {name} is given twice"),
                "An account has one password.",
            ));
        }
        let known = |mo: &String| self.account.iter().any(|(system_id, _)| system_id == mo);
        match &self.mo {
            Some(mo) if !known(mo) => Err(Failure::usage(
                format_args!("--mo {mo}: there is no such account"),
                "Add it with --account SYSTEM_ID:PASSWORD.",
            )),
            _ => Ok(()),
        }
    }
}

fn account(text: &str) -> Result<(String, String), String> {
    let (system_id, password) = text.split_once(':').ok_or("write SYSTEM_ID:PASSWORD")?;
    let fits = !system_id.is_empty() && COctets::<16>::new(system_id.as_bytes()).is_ok();
    if !fits {
        return Err("a SYSTEM_ID has 1 to 15 characters".into());
    }
    if Password::new(password.as_bytes()).is_err() {
        return Err(format!("a PASSWORD has at most {} characters", Password::LIMIT));
    }
    Ok((system_id.into(), password.into()))
}

fn states(text: &str) -> Result<States, String> {
    if text == "none" {
        return Ok(None);
    }
    let weights =
        text.parse().map_err(|error: smpp_proto::simulator::StateWeightsError| error.to_string())?;
    Ok(Some((text.into(), weights)))
}

fn delay(text: &str) -> Result<Delay, String> {
    if text == "before-response" {
        return Ok(None);
    }
    millis(text).map(Some).ok_or_else(|| "write milliseconds, or before-response".into())
}

fn millis(text: &str) -> Option<Duration> {
    text.parse::<u32>().ok().map(|millis| Duration::from_millis(millis.into()))
}

fn fault(text: &str) -> Result<String, String> {
    FaultSettings::default().set_text(text)?;
    Ok(text.into())
}

fn dialect(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Dialect::default().set(name, value).map_err(|error| error.to_string())?;
    Ok((name.into(), value.into()))
}

fn number(text: &str) -> Result<String, String> {
    match Address::<21>::international(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(format!("give country code and number, such as 6591234567: {error}")),
    }
}

/// Returns another number in each process.
fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
