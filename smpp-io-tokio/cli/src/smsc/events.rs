//! The events of the SMSC: lines for people and a live status line, or one JSON object a line.

use std::fmt::Display;
use std::io::{self, IsTerminal};
#[cfg(feature = "web")]
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use smpp_proto::CommandStatus;
use smpp_proto::session::CloseReason;
use smpp_tokio::testing::TestSmscEvent;
use smpp_tokio::{AcceptError, BoundSession, End, ProxyHeaderError, RejectReason, ServerEvent, Shutdown};

use super::listeners::ListenAddress;
use crate::output;

/// Prints and counts events.
pub(super) struct EventPrinter {
    json: bool,
    /// The live status line; `None` unless the standard error is a terminal.
    status: Option<ProgressBar>,
    accepted: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
    delivered: AtomicU64,
    undelivered: AtomicU64,
    not_bound: AtomicU64,
}

impl EventPrinter {
    pub(super) fn new(json: bool) -> Self {
        let status = (!json && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        let zero = AtomicU64::default;
        let (accepted, refused, throttled) = (zero(), zero(), zero());
        let (delivered, undelivered, not_bound) = (zero(), zero(), zero());
        Self { json, status, accepted, refused, throttled, delivered, undelivered, not_bound }
    }

    /// Prints the addresses, which of them speak TLS, and the accounts.
    pub(super) fn listening(&self, addresses: &[ListenAddress<'_>], names: &[&str]) {
        let text: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let listed: Vec<_> = addresses.iter().map(ListenAddress::json).collect();
        self.line(
            "listening",
            json!({ "listen": listed, "accounts": names }),
            format_args!("listening on {} for {}", text.join(", "), names.join(", ")),
        );
    }

    /// Prints where the page is. The URL may have a token: it is printed once.
    #[cfg(feature = "web")]
    pub(super) fn page(&self, address: SocketAddr, url: &str) {
        self.line("web", json!({ "listen": address, "url": url }), format_args!("page on {url}"));
    }

    /// Prints that the certificate was read again, or why not.
    #[cfg(unix)]
    pub(super) fn certificate_reloaded(&self, error: Option<&str>) {
        let fields = json!({ "error": error });
        match error {
            None => self.line("certificate_reloaded", fields, "certificate reloaded: new connections use it"),
            Some(error) => {
                self.line("certificate_reloaded", fields, format_args!("certificate not reloaded: {error}"));
            }
        }
    }

    /// Prints and counts an event.
    pub(super) fn event(&self, event: TestSmscEvent<'_>) {
        match event {
            TestSmscEvent::Server(event) => self.server_event(event),
            TestSmscEvent::Submitted { bound, outcome, .. } => {
                count(match outcome {
                    Ok(_) => &self.accepted,
                    Err(CommandStatus::RTHROTTLED) => &self.throttled,
                    Err(_) => &self.refused,
                });
                self.detail("submit_sm", || {
                    let (key, value) = match outcome {
                        Ok(id) => ("message_id", id.into()),
                        Err(status) => ("status", status.to_string()),
                    };
                    let mut fields = describe(bound);
                    fields[key] = value.into();
                    fields
                });
            }
            TestSmscEvent::Delivered { system_id, state, outcome, .. } => {
                count(if outcome.is_ok() { &self.delivered } else { &self.undelivered });
                self.detail("deliver_sm", || {
                    let state = state.map(|state| format!("{state:?}"));
                    let error = outcome.err().map(ToString::to_string);
                    json!({ "system_id": system_id, "receipt": state, "error": error })
                });
            }
            _ => {}
        }
    }

    fn server_event(&self, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Connected { address, tls, .. } => {
                self.detail("connected", || json!({ "peer": address, "tls": tls }));
            }
            ServerEvent::ConnectionRejected { address, reason, .. } => {
                count(&self.not_bound);
                if self.json || is_wrong_proxy(reason) {
                    let fields = json!({ "peer": address, "reason": reason.to_string() });
                    self.line("connection_rejected", fields, format_args!("rejected    {address}: {reason}"));
                }
            }
            ServerEvent::NotBound { address, error, .. } => {
                count(&self.not_bound);
                let reason =
                    error.map_or_else(|| "closed for a newer connection".into(), ToString::to_string);
                if self.json || error.is_some_and(is_misconfigured) {
                    let fields = json!({ "peer": address, "reason": reason });
                    self.line("not_bound", fields, format_args!("not bound   {address}: {reason}"));
                }
            }
            ServerEvent::BindRefused { address, system_id, status, .. } => {
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
                self.line("bound", describe(bound), format_args!("bound       {}{tls}", Named(bound)));
            }
            ServerEvent::Throttled(bound) => {
                count(&self.throttled);
                self.detail("throttled", || describe(bound));
            }
            ServerEvent::Ended { bound, end, .. } => {
                let mut fields = describe(bound);
                fields["reason"] = end.to_string().into();
                self.line("ended", fields, format_args!("ended       {}: {end}", Named(bound)));
            }
            ServerEvent::AcceptFailed { listener, error, .. } => {
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

    /// Updates the live status line.
    pub(super) fn update_status(&self, binds: usize, connections: usize, pending: usize) {
        let Some(status) = &self.status else { return };
        status.set_message(format!("{binds} binds, {connections} connections, {pending} to deliver; {self}"));
        status.tick();
    }

    /// Prints that the shutdown begins.
    pub(super) fn stopping(&self) {
        if let Some(status) = &self.status {
            status.finish_and_clear();
        }
        self.line("stopping", json!({}), "stopping: interrupt again to stop at once");
    }

    /// Prints the result of the shutdown and the counters.
    pub(super) fn stopped(&self, shutdown: &Shutdown) {
        let (aborted, not_bound) = (shutdown.aborted(), shutdown.not_bound);
        let unbound = shutdown.ended.len() - aborted;
        let fields = json!({
            "unbound": unbound,
            "aborted": aborted,
            "not_bound": not_bound,
            "accepted": get(&self.accepted),
            "refused": get(&self.refused),
            "throttled": get(&self.throttled),
            "delivered": get(&self.delivered),
        });
        let text = format_args!(
            "stopped: {unbound} sessions unbound, {aborted} aborted, {not_bound} connections without a bind; {self}"
        );
        self.line("stopped", fields, text);
    }

    /// Prints one line for people, or an object.
    fn line(&self, event: &str, fields: Value, text: impl Display) {
        if self.json {
            return output::object(event, fields);
        }
        let print = || output::line(output::printable(text));
        match &self.status {
            Some(status) => status.suspend(print),
            None => print(),
        }
    }

    /// Prints an object; nothing for people, who read the counters.
    fn detail(&self, event: &str, fields: impl FnOnce() -> Value) {
        if self.json {
            output::object(event, fields());
        }
    }
}

/// The counters.
impl Display for EventPrinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} messages accepted, {} refused, {} throttled, {} delivered, {} deliveries failed, {} connections not bound",
            get(&self.accepted),
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

/// Returns the fields of a bind.
fn describe(bound: &BoundSession) -> Value {
    json!({
        "bind": bound.id().to_string(),
        "system_id": bound.system_id().escape_ascii().to_string(),
        "mode": bound.mode().to_string(),
        "peer": bound.peer_addr(),
        "tls": bound.is_tls(),
    })
}

/// Displays a bind.
struct Named<'a>(&'a BoundSession);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(bound) = self;
        let system_id = bound.system_id().escape_ascii();
        write!(f, "{} {} \"{system_id}\" from {}", bound.mode(), bound.id(), bound.peer_addr())
    }
}

/// Returns whether a proxy, or who connects without one, is not what --proxy-protocol expects.
const fn is_wrong_proxy(reason: RejectReason) -> bool {
    matches!(reason, RejectReason::UntrustedProxy | RejectReason::ProxyHeader(ProxyHeaderError::Malformed))
}

/// Returns whether the client failed in TLS, or does not speak SMPP on this port: its user has to change something.
const fn is_misconfigured(error: &AcceptError) -> bool {
    matches!(error, AcceptError::Tls(_) | AcceptError::Ended(End { reason: CloseReason::Framing(_), .. }))
}
