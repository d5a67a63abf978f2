//! The connection, the streams and the buckets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
use smpp_tokio::tls;
use smpp_tokio::tls::rustls::crypto::CryptoProvider;

use super::NatsError;
use crate::json::from_hex;
use crate::log;
use crate::names::Names;
use crate::node::Priority;
use crate::settings::NatsSettings;

/// The most octets of parts of messages from phones. Beyond it further ones are refused, and the SMSC keeps them. Before that the
/// oldest are told without those that are missing.
pub(super) const PART_OCTETS: i64 = 64 << 20;

/// What a bucket says in its metadata about options that must be the same on all nodes: names as in the file of settings.
const MAX_BINDS: &str = "max_binds";
const KEY_HOURS: &str = "key_hours";

/// How the streams are created. Those that exist must have the same times; their sizes stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// How many binds the account may hold on all nodes together.
    pub max_binds: u16,
    /// How many servers of a cluster have each message: 1 or 3.
    pub replicas: usize,
    /// The most octets of messages that wait to be sent. Beyond it NATS refuses further ones at the publisher.
    pub send_octets: i64,
    /// The most octets of events. Beyond it no event is stored, and nodes stop taking messages.
    pub event_octets: i64,
    /// The most octets of keys that are remembered, 0 for no limit. Beyond it no message is sent.
    pub key_octets: i64,
    /// The most octets of ids that are remembered, 0 for no limit. Beyond it outcomes wait.
    pub receipt_octets: i64,
    /// How long events are kept.
    pub event_age: Duration,
    /// How long the id of a message is remembered, so that a receipt finds its key.
    pub receipt_age: Duration,
    /// How long a key is remembered after its outcome.
    pub key_age: Duration,
    /// How long NATS remembers ids of published messages.
    pub duplicate_window: Duration,
    /// How long a lease lives.
    pub lease: Duration,
    /// How long the queue waits for an acknowledgement.
    pub ack_wait: Duration,
}

/// Connects to NATS, and waits until it is there.
///
/// # Errors
///
/// [`NatsError`] if the settings are wrong.
pub async fn connect(settings: &NatsSettings, name: &str) -> Result<Client, NatsError> {
    choose_cryptography()?;
    let mut options = ConnectOptions::new()
        .name(name)
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(3))
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|attempts| Duration::from_millis(50 * attempts.min(20) as u64))
        .request_timeout(Some(Duration::from_secs(5)))
        .event_callback(log_errors(name, settings.shown_servers()));
    if let Some(path) = &settings.credentials {
        options = options
            .credentials_file(path)
            .await
            .map_err(|error| NatsError::new("the credentials of NATS", error))?;
    }
    if let Some(path) = &settings.nkey {
        let seed =
            std::fs::read_to_string(path).map_err(|error| NatsError::new("the nkey of NATS", error))?;
        // Lines that are no seed are comments.
        let seed = seed.lines().map(str::trim).find(|line| is_seed(line));
        let seed = seed.ok_or_else(|| NatsError::new("the nkey of NATS", "the file has no seed"))?;
        options = options.nkey(seed.to_owned());
    }
    if let Some(token) = &settings.token {
        options = options.token(token.clone());
    }
    // The client ignores what the URL says about the user.
    match settings.servers.split(',').find_map(|server| user_info(server.trim())) {
        Some((user, Some(password))) => options = options.user_and_password(user, password),
        Some((token, None)) => options = options.token(token),
        None => {}
    }
    if let Some(path) = &settings.ca {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    if let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    let servers: Vec<&str> = settings.servers.split(',').map(str::trim).collect();
    options.connect(servers).await.map_err(|error| NatsError::new("NATS", error))
}

/// Makes the cryptography library of the SMPP connections the default of the process, unless the process has one.
///
/// The NATS client uses the default for TLS. Without one it panics if the program contains two libraries: this package turns on
/// `ring`, and another package in the same build may turn on `aws-lc-rs`.
fn choose_cryptography() -> Result<(), NatsError> {
    if CryptoProvider::get_default().is_none() {
        let provider = tls::provider().map_err(|error| NatsError::new("TLS to NATS", error))?;
        // It fails only if another thread has installed one meanwhile.
        let _ = (*provider).clone().install_default();
    }
    Ok(())
}

/// Returns whether a line is the seed of a user: `SU`, then base 32.
fn is_seed(line: &str) -> bool {
    line.starts_with("SU") && line.bytes().all(|octet| matches!(octet, b'A'..=b'Z' | b'2'..=b'7'))
}

/// Returns the user and the password of a URL, or the token and nothing: `nats://USER:PASSWORD@HOST`, `nats://TOKEN@HOST`.
fn user_info(server: &str) -> Option<(String, Option<String>)> {
    let (_, rest) = server.split_once("://").unwrap_or(("", server));
    let (info, _) = rest.rsplit_once('@')?;
    let (user, password) =
        info.split_once(':').map_or((info, None), |(user, password)| (user, Some(password)));
    Some((percent_decoded(user), password.map(percent_decoded)))
}

/// Returns the text with `%40` and the like decoded. What is no such escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.split_at_checked(2).filter(|_| *first == b'%');
        let decoded = escape.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((from_hex(digits)?, after))
        });
        if let Some((decoded, after)) = decoded {
            octets.extend(decoded);
            rest = after;
        } else {
            octets.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Logs why there is no connection, each reason once until there is one.
fn log_errors(
    name: &str,
    servers: String,
) -> impl Fn(Event) -> std::future::Ready<()> + Send + Sync + 'static {
    let (name, last) = (name.to_owned(), Mutex::new(String::new()));
    move |event| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Connected => last.clear(),
            Event::ServerError(_) | Event::ClientError(_) => {
                let text = event.to_string();
                if *last != text {
                    log(&name, &format!("NATS: {text} (at {servers})"));
                    *last = text;
                }
            }
            _ => {}
        }
        std::future::ready(())
    }
}

/// Returns the JetStream context. A request fails if it has no reply within `timeout`.
pub(crate) fn context(client: Client, timeout: Duration) -> Context {
    ContextBuilder::new()
        .timeout(timeout)
        .ack_timeout(timeout)
        .max_ack_inflight(50_000)
        .backpressure_on_inflight(false)
        .build(client)
}

/// Creates the streams and buckets that do not exist, and compares the times of those that do.
///
/// # Errors
///
/// [`NatsError`] if NATS does not allow it, or has no JetStream; a final one if a stream was created with other times.
pub async fn create_streams(
    client: &Client,
    names: &Names,
    settings: &StreamSettings,
) -> Result<(), NatsError> {
    let context = context(client.clone(), Duration::from_secs(5));
    let base = || Config {
        storage: StorageType::File,
        num_replicas: settings.replicas,
        discard: DiscardPolicy::New,
        duplicate_window: settings.duplicate_window,
        ..Config::default()
    };
    let send = create(
        &context,
        Config {
            name: names.stream("SEND"),
            // No others: what is published to them has no reader.
            subjects: ["high", "normal", "low"].map(|priority| names.send(priority)).into(),
            retention: RetentionPolicy::WorkQueue,
            max_bytes: settings.send_octets,
            ..base()
        },
    )
    .await?;
    create(
        &context,
        Config {
            name: names.stream("EVENT"),
            subjects: vec![names.events()],
            max_age: settings.event_age,
            max_bytes: settings.event_octets,
            ..base()
        },
    )
    .await?;
    create(
        &context,
        Config {
            name: names.stream("PARTS"),
            subjects: vec![names.group("*")],
            max_messages_per_subject: 1,
            max_bytes: PART_OCTETS,
            allow_message_ttl: true,
            ..base()
        },
    )
    .await?;
    let limit = |octets: i64| if octets > 0 { octets } else { -1 };
    for (part, max_age, max_bytes) in [
        ("BINDS", settings.lease, -1),
        ("NODES", settings.lease, -1),
        ("ATTEMPTS", Duration::ZERO, limit(settings.key_octets)),
        ("IDS", settings.receipt_age, limit(settings.receipt_octets)),
    ] {
        let window = Duration::from_secs(1);
        let mut metadata = HashMap::new();
        if part == "BINDS" {
            metadata.insert(MAX_BINDS.to_owned(), settings.max_binds.to_string());
        } else if part == "ATTEMPTS" {
            metadata.insert(KEY_HOURS.to_owned(), (settings.key_age.as_secs() / 3_600).to_string());
        }
        create(
            &context,
            Config {
                metadata,
                name: names.bucket_stream(part),
                subjects: vec![names.key(part, ">")],
                max_messages_per_subject: 1,
                max_age,
                max_bytes,
                duplicate_window: window,
                allow_rollup: true,
                allow_message_ttl: true,
                ..base()
            },
        )
        .await?;
    }
    for priority in Priority::ALL {
        let config = pull::Config {
            durable_name: Some(priority.name().into()),
            filter_subject: names.send(priority.name()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.ack_wait,
            max_ack_pending: 100_000,
            ..pull::Config::default()
        };
        let consumer = send
            .get_or_create_consumer(priority.name(), config)
            .await
            .map_err(|error| NatsError::new("a consumer of the queue", error))?;
        let what = format!("the consumer {} of the stream {}", priority.name(), names.stream("SEND"));
        compare(&what, "ack_wait", consumer.cached_info().config.ack_wait, settings.ack_wait)?;
    }
    Ok(())
}

async fn create(context: &Context, config: Config) -> Result<Stream, NatsError> {
    let what = format!("the stream {}", config.name);
    let stream = context.get_or_create_stream(config.clone()).await;
    let stream = stream.map_err(|error| NatsError::new(&what, error))?;
    compare_subjects(&what, &stream.cached_info().config, &config)?;
    compare_times(&what, &stream.cached_info().config, &config)?;
    compare_options(&what, &stream.cached_info().config, &config)?;
    Ok(stream)
}

/// Compares the subjects. Without the right ones nothing is stored.
fn compare_subjects(what: &str, found: &Config, wanted: &Config) -> Result<(), NatsError> {
    if found.subjects == wanted.subjects {
        return Ok(());
    }
    let (found, wanted) = (found.subjects.join(", "), wanted.subjects.join(", "));
    Err(NatsError::settings(format!(
        "{what} has the subjects {found}, and this version needs {wanted}. Stop all nodes, change it with the command `nats`, \
         and start them again"
    )))
}

/// Compares what must be the same on all nodes.
fn compare_times(what: &str, found: &Config, wanted: &Config) -> Result<(), NatsError> {
    compare(what, "max_age", found.max_age, wanted.max_age)?;
    compare(what, "duplicate_window", found.duplicate_window, wanted.duplicate_window)
}

/// Compares the options that a bucket knows. One that an earlier version has created says nothing about them.
fn compare_options(what: &str, found: &Config, wanted: &Config) -> Result<(), NatsError> {
    for (name, wanted) in &wanted.metadata {
        let option = name.replace('_', "-");
        if let Some(known) = found.metadata.get(name).filter(|known| *known != wanted) {
            return Err(NatsError::settings(format!(
                "{what} was created with --{option} {known}, and this node has --{option} {wanted}: with different numbers the SMSC would see \
                 more binds than allowed, or keys would be forgotten too early. Start the node with the number of the others, or stop \
                 all nodes, change it with `nats stream edit {} --metadata {name}={wanted}`, and start them with the new one",
                found.name
            )));
        }
    }
    Ok(())
}

fn compare(what: &str, field: &str, found: Duration, wanted: Duration) -> Result<(), NatsError> {
    if found == wanted {
        return Ok(());
    }
    Err(NatsError::settings(format!(
        "{what} was created with the {field} {found:?}, and the settings of this node make it {wanted:?}. Start the node with \
         the settings of the others (--lease-seconds, --ack-seconds, --duplicate-seconds, --event-hours, --receipt-hours), or \
         stop all nodes, change {what} with the command `nats`, and start them with the new ones"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_user() {
        let user = |server| user_info(server).map(|(user, password)| (user, password.unwrap_or_default()));
        let found = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(user("tls://shop:p%40ss%zz@host:4222"), found("shop", "p@ss%zz"));
        assert_eq!(user("nats://t0ken@host"), found("t0ken", ""));
        assert_eq!(user("nats://host"), None);
    }

    #[tokio::test]
    async fn a_connection_to_nats_finds_a_cryptography_library_whatever_the_program_contains() {
        // Nothing listens there: the client tries again later.
        let servers = "tls://127.0.0.1:1".to_owned();
        let (credentials, nkey, token, ca, certificate, key) = (None, None, None, None, None, None);
        let settings = NatsSettings { servers, credentials, nkey, token, ca, certificate, key };
        let client = connect(&settings, "test").await.unwrap();
        // Without a default, TLS panics in a program that contains two libraries.
        assert!(CryptoProvider::get_default().is_some());
        drop(client);
    }

    #[test]
    fn another_number_of_binds_is_refused() {
        let config = |binds: Option<&str>| Config {
            metadata: binds.map(|binds| (MAX_BINDS.to_owned(), binds.to_owned())).into_iter().collect(),
            ..Config::default()
        };
        assert!(compare_options("the stream S", &config(Some("4")), &config(Some("4"))).is_ok());
        assert!(compare_options("the stream S", &config(None), &config(Some("4"))).is_ok());
        let error = compare_options("the stream S", &config(Some("4")), &config(Some("5"))).unwrap_err();
        assert!(error.is_final() && error.to_string().contains("--max-binds 4"), "{error}");
    }

    #[test]
    fn a_stream_with_other_subjects_is_refused() {
        let config = |subject: &str| Config { subjects: vec![subject.to_owned()], ..Config::default() };
        assert!(compare_subjects("the stream S", &config("a.>"), &config("a.>")).is_ok());
        let error = compare_subjects("the stream S", &config("a.*"), &config("a.>")).unwrap_err();
        assert!(error.is_final() && error.to_string().contains("a.>"), "{error}");
    }

    #[test]
    fn a_stream_with_other_times_is_refused() {
        let config = |max_age, window| Config {
            max_age: Duration::from_secs(max_age),
            duplicate_window: Duration::from_secs(window),
            ..Config::default()
        };
        assert!(compare_times("the stream S", &config(3, 1), &config(3, 1)).is_ok());
        for (found, field) in [(config(3, 1), "max_age 3s"), (config(30, 2), "duplicate_window 2s")] {
            let error = compare_times("the stream S", &found, &config(30, 1)).unwrap_err();
            assert!(error.is_final() && error.to_string().contains(field), "{error}");
        }
    }
}
