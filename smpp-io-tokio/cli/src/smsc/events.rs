//! What is told: lines for people and one that lives, or one JSON object a line.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use smpp_core::BindMode;
use smpp_io_tokio::{AcceptError, BoundSession, ServerEvent, Shutdown};

use crate::smsc::Told;

/// Tells what happens, and counts it.
pub(crate) struct Report {
    json: bool,
    live: Option<ProgressBar>,
    taken: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
    delivered: AtomicU64,
    undelivered: AtomicU64,
    not_bound: AtomicU64,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let live = (!json && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        let zero = AtomicU64::default;
        let (taken, refused, throttled) = (zero(), zero(), zero());
        let (delivered, undelivered, not_bound) = (zero(), zero(), zero());
        Self { json, live, taken, refused, throttled, delivered, undelivered, not_bound }
    }

    /// Where it listens, which of that with TLS, for whom.
    pub(crate) fn listening(&self, addresses: &[(SocketAddr, bool)], names: &[&str]) {
        let text: Vec<_> = addresses
            .iter()
            .map(|(address, tls)| if *tls { format!("{address} (TLS)") } else { address.to_string() })
            .collect();
        let listed: Vec<_> =
            addresses.iter().map(|(address, tls)| json!({ "address": address, "tls": tls })).collect();
        self.line(
            "listening",
            json!({ "listen": listed, "accounts": names }),
            format_args!("listening on {} for {}", text.join(", "), names.join(", ")),
        );
    }

    /// Something has happened.
    pub(crate) fn told(&self, told: Told<'_>) {
        match told {
            Told::Server(event) => self.event(event),
            Told::Submitted { bound, outcome } => {
                count(if outcome.is_ok() { &self.taken } else { &self.refused });
                self.detail("submit_sm", || {
                    let (key, value) = match outcome {
                        Ok(id) => ("message_id", id.into()),
                        Err(status) => ("status", status.to_string()),
                    };
                    let mut fields = of(bound);
                    fields[key] = value.into();
                    fields
                });
            }
            Told::Delivered { system_id, state, outcome } => {
                count(if outcome.is_ok() { &self.delivered } else { &self.undelivered });
                self.detail("deliver_sm", || {
                    let state = state.map(|state| format!("{state:?}"));
                    let error = outcome.err().map(|error| error.to_string());
                    json!({ "system_id": system_id, "receipt": state, "error": error })
                });
            }
        }
    }

    fn event(&self, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Connected { address, tls } => {
                self.detail("connected", || json!({ "peer": address, "tls": tls }));
            }
            ServerEvent::ConnectionRejected { address, reason: cap } => {
                count(&self.not_bound);
                self.detail("turned_away", || json!({ "peer": address, "why": cap.to_string() }));
            }
            ServerEvent::NotBound { address, error } => {
                count(&self.not_bound);
                let why = error.map_or_else(|| "it had to make room".into(), ToString::to_string);
                if self.json || matches!(error, Some(AcceptError::Tls(_))) {
                    let fields = json!({ "peer": address, "why": why });
                    self.line("not_bound", fields, format_args!("not bound   {address}: {why}"));
                }
            }
            ServerEvent::BindRefused { address, system_id, status } => {
                count(&self.not_bound);
                let system_id = system_id.escape_ascii().to_string();
                self.line(
                    "bind_refused",
                    json!({ "peer": address, "system_id": system_id, "status": status.to_string() }),
                    format_args!("refused     \"{system_id}\" from {address}: {status}"),
                );
            }
            ServerEvent::Bound(bound) => {
                let tls = if bound.is_tls() { ", TLS" } else { "" };
                self.line("bound", of(bound), format_args!("bound       {}{tls}", Named(bound)));
            }
            ServerEvent::Throttled(bound) => {
                count(&self.throttled);
                self.detail("throttled", || of(bound));
            }
            ServerEvent::Ended { bound, end } => {
                let mut fields = of(bound);
                fields["why"] = end.to_string().into();
                self.line("ended", fields, format_args!("ended       {}: {end}", Named(bound)));
            }
            ServerEvent::AcceptFailed { listener, error } => {
                let fields = json!({ "listen": listener, "error": error.to_string() });
                self.line(
                    "accept_failed",
                    fields,
                    format_args!("cannot accept connections on {listener}: {error}"),
                );
            }
            _ => {}
        }
    }

    /// The line that lives.
    pub(crate) fn live(&self, binds: usize, connections: usize, pending: usize) {
        let Some(live) = &self.live else { return };
        live.set_message(format!("{binds} binds, {connections} connections, {pending} to deliver; {self}"));
        live.tick();
    }

    /// It stops, or has stopped.
    pub(crate) fn stopping(&self) {
        if let Some(live) = &self.live {
            live.finish_and_clear();
        }
        self.line("stopping", json!({}), "stopping: once more to stop at once");
    }

    pub(crate) fn stopped(&self, shutdown: &Shutdown) {
        let (aborted, not_bound) = (shutdown.aborted(), shutdown.not_bound);
        let unbound = shutdown.ended.len() - aborted;
        let fields = json!({
            "unbound": unbound,
            "aborted": aborted,
            "not_bound": not_bound,
            "taken": get(&self.taken),
            "refused": get(&self.refused),
            "throttled": get(&self.throttled),
            "delivered": get(&self.delivered),
        });
        let text = format_args!(
            "stopped: {unbound} sessions ended in good order, {aborted} aborted, {not_bound} had no bind; {self}"
        );
        self.line("stopped", fields, text);
    }

    /// One line for people, or an object.
    fn line(&self, event: &str, fields: Value, text: impl Display) {
        if self.json {
            return object(event, fields);
        }
        let print = || drop(writeln!(io::stdout(), "{text}"));
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }

    /// What people count and do not read.
    fn detail(&self, event: &str, fields: impl FnOnce() -> Value) {
        if self.json {
            object(event, fields());
        }
    }
}

/// `{"event": event, ...fields}`. If nobody reads it any more, the SMSC goes on.
fn object(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    let _ = writeln!(io::stdout(), "{fields}");
}

/// The counters.
impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} messages taken, {} refused, {} throttled, {} delivered, {} not, {} came to no bind",
            get(&self.taken),
            get(&self.refused),
            get(&self.throttled),
            get(&self.delivered),
            get(&self.undelivered),
            get(&self.not_bound),
        )
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Which bind.
fn of(bound: &BoundSession) -> Value {
    json!({
        "bind": bound.id().to_string(),
        "system_id": bound.system_id().escape_ascii().to_string(),
        "mode": mode(bound),
        "peer": bound.peer_addr(),
        "tls": bound.is_tls(),
    })
}

fn mode(bound: &BoundSession) -> &'static str {
    match bound.mode() {
        BindMode::Transmitter => "transmitter",
        BindMode::Receiver => "receiver",
        BindMode::Transceiver => "transceiver",
    }
}

/// A bind as people call it.
struct Named<'a>(&'a BoundSession);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(bound) = self;
        let system_id = bound.system_id().escape_ascii();
        write!(f, "{} {} \"{system_id}\" from {}", mode(bound), bound.id(), bound.peer_addr())
    }
}
