//! `smpp smsc --web`: the page, and what it asks the SMSC.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use smpp_proto::Address;
use smpp_tokio::testing::{StreamEnd, TestSmsc, TestSmscBuilder};
use smpp_tokio::{BoundSession, Listener};
use tokio::sync::mpsc;

use super::Arguments;
use super::events::EventPrinter;
use super::settings::Settings;
use crate::failure::Failure;
use crate::web::{Call, Captures, Limits, Log, LogObserver, Page, PageOptions, Request};

/// The PDUs that the page keeps.
const LIMITS: Limits = Limits { entries: 10_000, octets: 16 << 20 };

/// Binds that the page lists.
const MAX_BINDS: usize = 200;

/// The page, if there is one.
pub(super) struct Web(Option<Live>);

struct Live {
    page: Page,
    calls: mpsc::Receiver<Call>,
    log: Arc<Log>,
    captures: Captures,
    start: Instant,
    /// An address of the SMSC.
    local: SocketAddr,
    settings: Settings,
    accounts: Vec<String>,
}

impl Web {
    /// Listens for browsers, if the arguments say so.
    pub(super) async fn listen(arguments: &Arguments, listeners: &[Listener]) -> Result<Self, Failure> {
        let Some(listen) = &arguments.web else { return Ok(Self(None)) };
        let (log, start) = (Log::new(LIMITS), Instant::now());
        let options = PageOptions { listen, remote: arguments.web_remote };
        let mut page = Page::listen(options, Arc::clone(&log), start).await?;
        let captures = Captures::new();
        let calls = page.live(captures.clone());
        // A Unix socket has the port 0.
        let mut addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok());
        let local = addresses.find(|address| address.port() != 0);
        let local = local.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 2775).into());
        let settings = arguments.settings();
        let accounts = arguments.account.iter().map(|(system_id, _)| system_id.clone()).collect();
        Ok(Self(Some(Live { page, calls, log, captures, start, local, settings, accounts })))
    }

    /// Adds the observer of the sessions.
    pub(super) fn observe(&mut self, builder: TestSmscBuilder) -> TestSmscBuilder {
        let Some(Live { log, captures, start, local, .. }) = &self.0 else { return builder };
        let (log, captures, start, local) = (Arc::clone(log), captures.clone(), *start, *local);
        builder.observe(move |peer| LogObserver::new(&log, &captures, start, local, peer))
    }

    /// Prints where the page is.
    pub(super) fn print(&self, printer: &EventPrinter) {
        if let Some(live) = &self.0 {
            printer.page(live.page.address(), live.page.url());
        }
    }

    /// Serves the page. Never returns.
    pub(super) async fn serve(self, smsc: &TestSmsc) {
        let Some(Live { page, mut calls, mut settings, accounts, .. }) = self.0 else {
            return std::future::pending().await;
        };
        let answers = async {
            while let Some((request, answer)) = calls.recv().await {
                // The browser may have gone.
                let _ = answer.send(respond(smsc, &accounts, &mut settings, &request));
            }
        };
        tokio::join!(page.serve(), answers);
    }
}

/// Does what the page asks for.
fn respond(
    smsc: &TestSmsc,
    accounts: &[String],
    settings: &mut Settings,
    request: &Request,
) -> Result<Value, String> {
    match request {
        Request::State => {
            let binds = smsc.binds().list();
            let listed: Vec<_> = binds.iter().take(MAX_BINDS).map(describe).collect();
            Ok(json!({
                "accounts": accounts,
                "binds": listed,
                "bound": binds.len(),
                "connections": smsc.binds().connections(),
                "pending": smsc.pending(),
                "settings": settings.json(),
            }))
        }
        Request::Message(message) => {
            let field = |name: &str| message[name].as_str().ok_or_else(|| format!("{name}: write a text"));
            let number = |name: &str| {
                let digits = field(name)?;
                Address::international(digits).map_err(|error| {
                    format!("{name}: give country code and number, such as 6591234567: {error}")
                })
            };
            let (account, text) = (field("account")?, field("text")?);
            let segments = smsc
                .originate(account, number("from")?, number("to")?, text)
                .map_err(|error| error.to_string())?;
            Ok(json!({ "segments": segments }))
        }
        Request::End(how) => {
            let end = match how["how"].as_str() {
                Some("reset") => StreamEnd::Reset,
                Some("close") => StreamEnd::Close,
                Some("half-close") => StreamEnd::HalfClose,
                _ => return Err("how: write reset, close or half-close".into()),
            };
            smsc.end_connections(end);
            Ok(json!({ "connections": smsc.binds().connections() }))
        }
        Request::Settings(changes) => {
            let updated = settings.with(changes)?;
            smsc.set_faults(updated.faults.faults).map_err(|error| error.to_string())?;
            smsc.change_rules(|rules| updated.apply(rules)).map_err(|error| error.to_string())?;
            *settings = updated;
            Ok(settings.json())
        }
    }
}

fn describe(bound: &BoundSession) -> Value {
    let stats = bound.stats();
    json!({
        "id": bound.id().to_string(),
        "system_id": bound.system_id().escape_ascii().to_string(),
        "mode": bound.mode().to_string(),
        "peer": bound.peer_addr(),
        "tls": bound.is_tls(),
        "seconds": bound.since().elapsed().as_secs(),
        "received": stats.received.total().requests,
        "sent": stats.sent.total().requests,
        "quirks": stats.quirks,
        "malformed": stats.malformed,
    })
}
