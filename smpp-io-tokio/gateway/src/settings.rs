//! The settings of the command: options, environment variables, a TOML file.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, value_parser};
use smpp_proto::Endpoint;
use smpp_proto::account::{Backoff, Binds, Credentials, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::Rate;
use smpp_proto::sms::ReassemblyLimits;

use crate::nats::StreamSettings;
use crate::node;

/// How to reach NATS.
#[derive(Args, Clone)]
pub struct NatsSettings {
    /// The servers of NATS, separated by commas: nats://HOST or tls://HOST; with USER:PASSWORD@ or TOKEN@ before the host,
    /// these count and no --nats-token
    #[arg(
        long = "nats",
        env = "SMPP_GATEWAY_NATS",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222",
        value_name = "URL"
    )]
    pub servers: String,
    /// A file with the credentials of NATS (JWT and seed), as `nsc` writes it
    #[arg(long = "nats-credentials", env = "SMPP_GATEWAY_NATS_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey
    #[arg(long = "nats-nkey", env = "SMPP_GATEWAY_NATS_NKEY", value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// The token of NATS
    #[arg(
        long = "nats-token",
        env = "SMPP_GATEWAY_NATS_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<String>,
    /// A file with the certificates that NATS is trusted by; TLS is required then
    #[arg(id = "nats_ca", long = "nats-ca", env = "SMPP_GATEWAY_NATS_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A file with the certificate of this client
    #[arg(
        id = "nats_certificate",
        long = "nats-certificate",
        env = "SMPP_GATEWAY_NATS_CERTIFICATE",
        value_name = "FILE",
        requires = "nats_key"
    )]
    pub certificate: Option<PathBuf>,
    /// A file with the key of that certificate
    #[arg(
        id = "nats_key",
        long = "nats-key",
        env = "SMPP_GATEWAY_NATS_KEY",
        value_name = "FILE",
        requires = "nats_certificate"
    )]
    pub key: Option<PathBuf>,
}

/// Omits users, passwords and the token.
impl std::fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsSettings").field("servers", &self.shown_servers()).finish_non_exhaustive()
    }
}

impl NatsSettings {
    /// Returns the servers without users and passwords, for messages.
    pub fn shown_servers(&self) -> String {
        let shown = |server: &str| {
            let (scheme, rest) = server.split_once("://").unwrap_or(("nats", server));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        };
        self.servers.split(',').map(|server| shown(server.trim())).collect::<Vec<_>>().join(",")
    }
}

/// The settings of a node.
#[derive(Args, Clone)]
pub struct Settings {
    /// How to reach NATS.
    #[command(flatten)]
    pub nats: NatsSettings,
    /// The SMSC and the account: smpps://SYSTEM_ID@HOST:PORT (the port may be left out), or smpp:// without TLS
    #[arg(long, env = "SMPP_GATEWAY_URL", hide_env_values = true, value_name = "URL")]
    pub url: String,
    /// The password of the account, if it is not in the URL
    #[arg(long, env = "SMPP_GATEWAY_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// A file with the certificates that the SMSC is trusted by, instead of those of the system
    #[arg(long, env = "SMPP_GATEWAY_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// How many binds the account may hold on all nodes together
    #[arg(long, env = "SMPP_GATEWAY_MAX_BINDS", default_value_t = 4, value_name = "COUNT", value_parser = value_parser!(u16).range(1..))]
    pub max_binds: u16,
    /// Messages a second on each bind; 0 for no limit
    #[arg(long, env = "SMPP_GATEWAY_RATE", default_value_t = 50, value_name = "COUNT")]
    pub rate: u32,
    /// Messages in flight on each bind
    #[arg(long, env = "SMPP_GATEWAY_WINDOW", default_value_t = 10, value_name = "COUNT", value_parser = value_parser!(u16).range(1..))]
    pub window: u16,
    /// Messages of each priority that a node takes from the queue ahead
    #[arg(long, env = "SMPP_GATEWAY_PREFETCH", default_value_t = 200, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub prefetch: usize,
    /// The name of this node in events and logs; each start adds a random part
    #[arg(long, env = "SMPP_GATEWAY_NODE", default_value = "node", value_name = "NAME")]
    pub node: String,
    /// Where /healthz and /metrics are served
    #[arg(long, env = "SMPP_GATEWAY_HTTP", value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// How many servers of a NATS cluster have each message: 1 or 3
    #[arg(long, env = "SMPP_GATEWAY_REPLICAS", default_value_t = 1, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub replicas: usize,
    /// MiB of messages that may wait to be sent; NATS refuses further ones at their publisher
    #[arg(long, env = "SMPP_GATEWAY_SEND_MIB", default_value_t = 1024, value_name = "MIB", value_parser = value_parser!(u32).range(1..))]
    pub send_mib: u32,
    /// MiB of events; when they are full, no message is taken from the queue
    #[arg(long, env = "SMPP_GATEWAY_EVENT_MIB", default_value_t = 4096, value_name = "MIB", value_parser = value_parser!(u32).range(1..))]
    pub event_mib: u32,
    /// MiB of keys that are remembered, or 0 for no limit; when they are full, no message is sent
    #[arg(long, env = "SMPP_GATEWAY_KEY_MIB", default_value_t = 0, value_name = "MIB")]
    pub key_mib: u32,
    /// MiB of ids that are remembered, or 0 for no limit; when they are full, outcomes wait
    #[arg(long, env = "SMPP_GATEWAY_RECEIPT_MIB", default_value_t = 0, value_name = "MIB")]
    pub receipt_mib: u32,
    /// Hours that events are kept
    #[arg(long, env = "SMPP_GATEWAY_EVENT_HOURS", default_value_t = 168, value_name = "HOURS", value_parser = value_parser!(u32).range(1..))]
    pub event_hours: u32,
    /// Hours that a message's id is remembered, so that a receipt finds its key
    #[arg(long, env = "SMPP_GATEWAY_RECEIPT_HOURS", default_value_t = 72, value_name = "HOURS", value_parser = value_parser!(u32).range(1..))]
    pub receipt_hours: u32,
    /// Hours that the key of a message with an outcome is remembered, so that it is not sent again
    #[arg(long, env = "SMPP_GATEWAY_KEY_HOURS", default_value_t = 24, value_name = "HOURS", value_parser = value_parser!(u32).range(1..))]
    pub key_hours: u32,
    /// Seconds that a part of a message from a phone waits for the next one; then what there is of the message is told
    #[arg(long, env = "SMPP_GATEWAY_PART_SECONDS", default_value_t = 3_600, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub part_seconds: u32,
    /// Seconds that NATS remembers the ids of published messages
    #[arg(long, env = "SMPP_GATEWAY_DUPLICATE_SECONDS", default_value_t = 120, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub duplicate_seconds: u32,
    /// Seconds that a lease of a bind lives; a node without NATS gives up its binds after two thirds of it
    #[arg(long, env = "SMPP_GATEWAY_LEASE_SECONDS", default_value_t = 9, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub lease_seconds: u32,
    /// Seconds until NATS delivers a message of a node that has died to another
    #[arg(long, env = "SMPP_GATEWAY_ACK_SECONDS", default_value_t = 30, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub ack_seconds: u32,
    /// Seconds that a node looks for the message of a receipt before it is told as unmatched; less than the SMSC waits for
    /// the answer
    #[arg(long, env = "SMPP_GATEWAY_LOOKUP_SECONDS", default_value_t = 5, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub lookup_seconds: u32,
    /// Seconds that a graceful stop may take
    #[arg(long, env = "SMPP_GATEWAY_STOP_SECONDS", default_value_t = 30, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub stop_seconds: u32,
}

/// Omits the URL and the password.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("nats", &self.nats)
            .field("node", &self.node)
            .field("max_binds", &self.max_binds)
            .field("lease_seconds", &self.lease_seconds)
            .field("ack_seconds", &self.ack_seconds)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Returns the endpoint of the SMSC.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL.
    pub fn endpoint(&self) -> Result<Endpoint, String> {
        let endpoint: Endpoint = self.url.parse().map_err(|error| format!("--url: {error}"))?;
        if endpoint.system_id.is_none() {
            return Err("--url names no account: smpps://SYSTEM_ID@HOST".into());
        }
        Ok(endpoint)
    }

    /// Returns the system_id of the account.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL.
    pub fn system_id(&self) -> Result<String, String> {
        Ok(self.endpoint()?.system_id.unwrap_or_default())
    }

    /// Returns the options of the account: those of 8x8, without binds. The node's leases decide about them.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL.
    pub fn account(&self) -> Result<Options, String> {
        let endpoint = self.endpoint()?;
        let password = self.password.clone().or(endpoint.password).unwrap_or_default();
        let credentials = Credentials::new(&*endpoint.system_id.unwrap_or_default(), &*password);
        let provider = Provider::EIGHT_BY_EIGHT;
        let mut options = Options::new(credentials, &provider);
        options.binds = Binds::NONE;
        options.max_binds = self.max_binds;
        options.session.rate = (self.rate > 0).then(|| Rate::per_second(self.rate));
        options.session.window = self.window;
        // The node submits no more than the windows take; a message may have 255 segments.
        options.queue_capacity = 1_000_000;
        // Parts of a message may arrive on other nodes: each is passed on as it is.
        options.reassembly = ReassemblyLimits::default().max_messages(0);
        // Receipts that this process does not know are looked up in NATS.
        options.receipts.max_age = Duration::from_secs(3_600);
        options.backoff = Backoff::default().max(Duration::from_secs(10));
        Ok(options)
    }

    /// Checks what depends on each other.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn check(&self) -> Result<(), String> {
        if hours(self.event_hours) > hours(self.key_hours) {
            return Ok(());
        }
        let (events, keys) = (self.event_hours, self.key_hours);
        Err(format!(
            "--event-hours {events} must be more than --key-hours {keys}: a message that is published again under a key that is \
             remembered would be told again"
        ))
    }

    /// Returns the settings of the node's logic.
    pub fn node_options(&self) -> node::Options {
        node::Options {
            max_binds: self.max_binds,
            lease: seconds(self.lease_seconds),
            ack_wait: seconds(self.ack_seconds),
            prefetch: self.prefetch,
            window: usize::from(self.window),
            rate: (self.rate > 0).then_some(self.rate),
            lookup: seconds(self.lookup_seconds),
            answer: seconds(self.lookup_seconds) + Duration::from_secs(15),
            remember: hours(self.key_hours),
            part_age: seconds(self.part_seconds),
            housekeeping: (seconds(self.part_seconds) / 4).min(Duration::from_secs(60)),
            ..node::Options::default()
        }
    }

    /// Returns how the streams are created.
    pub fn streams(&self) -> StreamSettings {
        StreamSettings {
            max_binds: self.max_binds,
            replicas: self.replicas,
            send_octets: i64::from(self.send_mib) << 20,
            event_octets: i64::from(self.event_mib) << 20,
            key_octets: i64::from(self.key_mib) << 20,
            receipt_octets: i64::from(self.receipt_mib) << 20,
            event_age: hours(self.event_hours),
            receipt_age: hours(self.receipt_hours),
            key_age: hours(self.key_hours),
            duplicate_window: seconds(self.duplicate_seconds),
            lease: seconds(self.lease_seconds),
            ack_wait: seconds(self.ack_seconds),
        }
    }
}

/// How long a part of a message from a phone is remembered that was told, so that it is not told again.
pub const TOLD_AGE: Duration = Duration::from_secs(3_600);

/// Returns this many seconds, at least one.
pub fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.max(1).into())
}

/// Returns this many hours, at least one.
pub fn hours(count: u32) -> Duration {
    Duration::from_secs(3_600 * u64::from(count.max(1)))
}

/// Adds the settings of the file that `--config` names to the arguments, before the others, so that these override them.
/// Environment variables override the file too.
///
/// # Errors
///
/// The file cannot be read, or is no TOML of names and values.
pub fn with_file(
    arguments: Vec<OsString>,
    has_variable: impl Fn(&str) -> bool,
) -> Result<Vec<OsString>, String> {
    // `--config FILE` or `--config=FILE`.
    let is_config =
        |argument: &OsString| argument == "--config" || argument.as_encoded_bytes().starts_with(b"--config=");
    let Some(at) = arguments.iter().position(is_config) else { return Ok(arguments) };
    if arguments.iter().skip(at + 1).any(is_config) {
        return Err("--config may be stated once".into());
    }
    let show = arguments.get(at).map(|argument| argument.to_string_lossy());
    let (path, end) = match show.as_deref().and_then(|argument| argument.strip_prefix("--config=")) {
        Some(path) => (OsString::from(path), at + 1),
        None => (arguments.get(at + 1).cloned().ok_or("--config needs the name of a file")?, at + 2),
    };
    let show = path.to_string_lossy();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{show}: {error}"))?;
    // Not the error itself: it shows the line, and with it perhaps a password.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("{show}, line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    let mut added = Vec::new();
    for (name, value) in table {
        let option = name.replace('_', "-");
        if has_variable(&format!("SMPP_GATEWAY_{}", option.replace('-', "_").to_uppercase())) {
            continue;
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            other => return Err(format!("{show}: {name} is {}, not a text or a number", other.type_str())),
        };
        added.push(OsString::from(format!("--{option}={value}")));
    }
    // The name of the program and of the command stay in front.
    let mut all: Vec<OsString> = arguments.iter().take(2).cloned().collect();
    all.extend(added);
    let rest = arguments.iter().enumerate().skip(2).filter(|(index, _)| !(at..end).contains(index));
    all.extend(rest.map(|(_, argument)| argument.clone()));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_first_and_variables_override_it() {
        let path = std::env::temp_dir().join(format!("smpp-gateway-{}.toml", std::process::id()));
        std::fs::write(&path, "url = \"smpp://shop@localhost\"\nmax_binds = 2\nrate = 10\n").unwrap();
        let path = path.into_os_string();
        let arguments = ["smpp-gateway", "run", "--rate", "20", "--config"].map(OsString::from);
        let arguments: Vec<OsString> = arguments.into_iter().chain([path.clone()]).collect();
        let all = with_file(arguments, |name| name == "SMPP_GATEWAY_MAX_BINDS").unwrap();
        let expected = ["smpp-gateway", "run", "--rate=10", "--url=smpp://shop@localhost", "--rate", "20"]
            .map(OsString::from);
        let (mut all, mut expected) = (all, expected.to_vec());
        all[2..4].sort();
        expected[2..4].sort();
        assert_eq!(all, expected);
        std::fs::write(&path, "rate = true").unwrap();
        let arguments =
            ["smpp-gateway", "run", "--config"].map(OsString::from).into_iter().chain([path.clone()]);
        assert!(with_file(arguments.collect(), |_| false).unwrap_err().contains("rate is boolean"));
        let joined = OsString::from(format!("--config={}", path.to_string_lossy()));
        std::fs::write(&path, "rate = 10").unwrap();
        let arguments = ["smpp-gateway", "run"].map(OsString::from).into_iter().chain([joined.clone()]);
        let all = with_file(arguments.collect(), |_| false).unwrap();
        assert_eq!(all, ["smpp-gateway", "run", "--rate=10"].map(OsString::from));
        let twice = ["smpp-gateway", "run"].map(OsString::from).into_iter().chain([joined.clone(), joined]);
        assert!(with_file(twice.collect(), |_| false).unwrap_err().contains("once"));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_error_in_the_file_shows_no_password() {
        let path = std::env::temp_dir().join(format!("smpp-gateway-bad-{}.toml", std::process::id()));
        std::fs::write(&path, "rate = 10\npassword = \"s3cret\" x\n").unwrap();
        let arguments = ["smpp-gateway", "run", "--config"].map(OsString::from).into_iter();
        let error = with_file(arguments.chain([path.clone().into()]).collect(), |_| false).unwrap_err();
        std::fs::remove_file(path).unwrap();
        assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn events_are_kept_for_longer_than_keys() {
        let settings = |hours: &str| {
            let command = Settings::augment_args(clap::Command::new("run"));
            let arguments = ["run", "--url=smpp://shop@localhost", "--event-hours", hours];
            <Settings as clap::FromArgMatches>::from_arg_matches(&command.get_matches_from(arguments))
                .unwrap()
        };
        assert_eq!(settings("25").check(), Ok(()));
        assert!(settings("24").check().unwrap_err().contains("--event-hours 24"));
    }

    #[test]
    fn a_count_of_zero_that_cannot_work_is_refused_at_once() {
        let parse = |option: &str, count: &str| {
            let command = Settings::augment_args(clap::Command::new("run"));
            command.try_get_matches_from(["run", "--url=smpp://shop@localhost", option, count])
        };
        for option in [
            "--window",
            "--max-binds",
            "--prefetch",
            "--replicas",
            "--send-mib",
            "--event-mib",
            "--event-hours",
            "--receipt-hours",
            "--key-hours",
            "--part-seconds",
            "--duplicate-seconds",
            "--lease-seconds",
            "--ack-seconds",
            "--lookup-seconds",
            "--stop-seconds",
        ] {
            let error = parse(option, "0").unwrap_err().to_string();
            assert!(error.contains(&format!("invalid value '0' for '{option} ")), "{error}");
            assert!(parse(option, "1").is_ok(), "{option}");
        }
        for option in ["--rate", "--key-mib", "--receipt-mib"] {
            assert!(parse(option, "0").is_ok(), "{option}: no limit");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let command = Settings::augment_args(clap::Command::new("run"));
        for id in ["servers", "token", "url", "password"] {
            let argument = command.get_arguments().find(|it| it.get_id() == id).unwrap();
            assert!(argument.is_hide_env_values_set(), "the help shows {id}");
        }
        let matches = command.get_matches_from([
            "run",
            "--nats=nats://user:s3cret@a:4222, tls://s3cret@b,c",
            "--nats-token=s3cret",
            "--url=smpp://shop:s3cret@localhost",
            "--password=s3cret",
        ]);
        let settings = <Settings as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
        assert_eq!(settings.nats.shown_servers(), "nats://a:4222,tls://b,nats://c");
        let shown = format!("{settings:?}");
        assert!(shown.contains("tls://b") && !shown.contains("s3cret"), "{shown}");
    }
}
