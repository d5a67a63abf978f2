//! The ESME that measures.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use smpp_core::session::{Config, Rate};
use smpp_core::{Address, Bind, COctets, Endpoint, Password, ShortMessage, SubmitSm};
use smpp_io_std::{Client, Connector, PendingResponse, RequestError, tls};

use super::report::{self, Tally};
use super::{Arguments, Stop};

/// What the threads share.
struct Load {
    messages: u64,
    /// Messages that a thread has taken.
    taken: AtomicU64,
    /// Messages with an outcome.
    done: AtomicU64,
    text: Vec<u8>,
    to: String,
}

/// A session, and how it is used.
enum Lane {
    Alone(Box<smpp_io_std::Connection<smpp_core::session::Esme, smpp_io_std::Stream>>),
    Blocking(Client),
    Pipelined(Client),
}

/// Binds, submits, unbinds, reports. Whether every message was accepted.
pub(crate) fn submit(arguments: &Arguments, url: &str) -> Result<bool, Stop> {
    let (endpoint, connector) = target(arguments, url)?;
    Address::international(&arguments.to).map_err(|error| Stop::usage(format!("--to: {error}")))?;
    let mut clients = Vec::new();
    let mut lanes = Vec::new();
    for _ in 0..arguments.connections {
        if arguments.alone {
            let connection = connector.bind(&endpoint, &bind(&endpoint)?).map_err(Stop::failed)?;
            lanes.push(Lane::Alone(Box::new(connection)));
            continue;
        }
        let (client, _) = connector.start(&endpoint).map_err(Stop::failed)?;
        client.bind(&bind(&endpoint)?).map_err(|error| Stop::failed(format!("bind: {error}")))?;
        match arguments.threads {
            Some(threads) => lanes.extend((0..threads).map(|_| Lane::Blocking(client.clone()))),
            None => lanes.push(Lane::Pipelined(client.clone())),
        }
        clients.push(client);
    }
    let load = Load {
        messages: arguments.messages,
        taken: AtomicU64::new(0),
        done: AtomicU64::new(0),
        text: text(arguments.length),
        to: arguments.to.clone(),
    };
    let progress = progress(arguments);
    let began = Instant::now();
    let mut tally = Tally::new();
    let mut ended = Vec::new();
    let took = thread::scope(|scope| {
        let lanes: Vec<_> = lanes
            .into_iter()
            .map(|lane| {
                let load = &load;
                scope.spawn(move || load.run(lane, arguments.window.into()))
            })
            .collect();
        while !progress.is_hidden() && lanes.iter().any(|lane| !lane.is_finished()) {
            progress.set_position(load.done.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(100));
        }
        for lane in lanes {
            let (counted, end) = lane.join().map_err(|_| Stop::failed("a thread has panicked"))?;
            tally.add(&counted);
            ended.extend(end);
        }
        Ok(began.elapsed())
    })?;
    progress.finish_and_clear();
    ended.extend(clients.iter().map(|client| client.unbind().to_string()));
    Ok(report::print(&tally, arguments.messages, took, &ended, arguments.json))
}

impl Load {
    /// Submits until no message is left, or the session has ended.
    fn run(&self, lane: Lane, window: usize) -> (Tally, Option<String>) {
        let mut tally = Tally::new();
        let message = message(&self.text, &self.to);
        match lane {
            Lane::Alone(mut connection) => {
                self.one_by_one(&mut tally, || connection.submit(&message));
                return (tally, Some(connection.unbind().to_string()));
            }
            Lane::Blocking(client) => self.one_by_one(&mut tally, || client.submit(&message)),
            Lane::Pipelined(client) => self.pipelined(&mut tally, &client, &message, window),
        }
        (tally, None)
    }

    /// Whether there is one more to submit.
    fn take(&self) -> bool {
        self.taken.fetch_add(1, Ordering::Relaxed) < self.messages
    }

    fn one_by_one(
        &self,
        tally: &mut Tally,
        mut submit: impl FnMut() -> Result<smpp_io_std::Response, RequestError>,
    ) {
        let mut began = Instant::now();
        while self.take() {
            let outcome = submit();
            let now = Instant::now();
            tally.count(&outcome, now - began);
            began = now;
            self.done.store(tally.all(), Ordering::Relaxed);
            if matches!(outcome, Err(RequestError::NeverSent(_))) {
                return;
            }
        }
    }

    /// Keeps the window full, and waits for each outcome in turn.
    fn pipelined(&self, tally: &mut Tally, client: &Client, message: &SubmitSm<'_>, window: usize) {
        let mut tickets: VecDeque<(PendingResponse<_>, Instant)> = VecDeque::with_capacity(window);
        let mut now = Instant::now();
        loop {
            while tickets.len() < window && self.take() {
                match client.submit_pipelined(message) {
                    Ok(ticket) => tickets.push_back((ticket, now)),
                    Err(error) => return tally.count(&Err(error), Duration::ZERO),
                }
            }
            let Some((ticket, began)) = tickets.pop_front() else { return };
            let outcome = ticket.wait();
            now = Instant::now();
            tally.count(&outcome, now - began);
            self.done.store(tally.all(), Ordering::Relaxed);
        }
    }
}

/// So many octets of text.
pub(crate) fn text(length: u8) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. ".iter().copied().cycle().take(length.into()).collect()
}

pub(crate) fn message<'a>(text: &'a [u8], to: &'a str) -> SubmitSm<'a> {
    SubmitSm {
        destination: Address::international(to).unwrap_or_default(),
        short_message: ShortMessage::new(text).unwrap_or_default(),
        ..SubmitSm::default()
    }
}

/// Where to bind, trusting whom.
fn target(arguments: &Arguments, url: &str) -> Result<(Endpoint, Connector), Stop> {
    let mut endpoint: Endpoint = url.parse().map_err(|error| Stop::usage(format!("--url: {error}")))?;
    if endpoint.password.is_none() {
        endpoint.password = std::env::var("SMPP_PASSWORD").ok();
    }
    let rate = arguments.rate.map(Rate::per_second);
    let connector = Connector::new().config(Config { window: arguments.window, rate, ..Config::default() });
    match &arguments.ca {
        Some(ca) => {
            let trust = tls::ca_file(ca).map_err(|error| Stop::usage(format!("--ca: {error}")))?;
            Ok((endpoint, connector.tls(trust)))
        }
        None => Ok((endpoint, connector)),
    }
}

fn bind(endpoint: &Endpoint) -> Result<Bind<'_>, Stop> {
    let system_id = endpoint.system_id.as_deref().unwrap_or_default().as_bytes();
    let password = endpoint.password.as_deref().unwrap_or_default().as_bytes();
    Ok(Bind {
        system_id: COctets::new(system_id).map_err(|error| Stop::usage(format!("system_id: {error}")))?,
        password: Password::new(password).map_err(|error| Stop::usage(format!("password: {error}")))?,
        ..Bind::default()
    })
}

/// A progress bar, where someone can see it.
fn progress(arguments: &Arguments) -> ProgressBar {
    if arguments.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {per_sec}, {eta} left");
    let bar = ProgressBar::new(arguments.messages);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
