//! One list of scenarios over every driver: the state machine in memory, this crate with one thread and with several,
//! tokio. What the peer sees and what the program is told must be the same.

#[path = "../common/mod.rs"]
mod common;
mod drivers;
mod list;
mod pdus;

use std::iter;
use std::time::Duration;

use common::watched;
use drivers::{Driver, memory, one_thread, threads, tokio};
use smpp_core::session::{Config, RequestError};
use smpp_core::{CommandStatus, Frame};

/// One thing that happens.
enum Step {
    /// The program binds, as its next request.
    Bind,
    /// The program submits a message, as its next request, and does not wait for its outcome.
    Submit,
    /// The outcome of a request, by its number.
    Outcome(usize),
    /// The next request of the peer comes to the program, which answers it, or drops it.
    Receive(Option<Result<(), CommandStatus>>),
    /// The program unbinds, and does not wait for the end.
    Unbind,
    /// The program ends the session at once.
    Abort,
    /// The end of the session.
    End,
    /// The peer sends octets.
    Peer(Vec<u8>),
    /// The peer reads the next PDU.
    Expect,
    /// The peer cuts the connection.
    Cut,
}

struct Scenario {
    name: &'static str,
    config: Config,
    steps: Vec<Step>,
    /// What comes of it.
    told: &'static [&'static str],
}

/// What every scenario runs with, unless it says otherwise: nothing of it passes in a test.
fn config() -> Config {
    let long = Duration::from_secs(30);
    Config { response_timeout: long, drain_timeout: long, enquire_link_interval: None, ..Config::default() }
}

/// Takes the steps; what the peer sees and what the program is told.
fn run(scenario: &Scenario, mut driver: impl Driver) -> Vec<String> {
    let mut told = Vec::new();
    for step in &scenario.steps {
        match step {
            Step::Bind => driver.bind(),
            Step::Submit => driver.submit(),
            Step::Outcome(number) => told.push(match driver.outcome(*number) {
                Ok(response) => format!("{number}: {}", response.frame().header().command),
                Err(RequestError::Refused(status)) => format!("{number}: refused {}", name(status)),
                Err(RequestError::Nacked(status)) => format!("{number}: nacked {}", name(status)),
                Err(error) => format!("{number}: {error:?}"),
            }),
            Step::Receive(answer) => told.push(format!("received {}", driver.receive(*answer))),
            Step::Unbind => driver.unbind(),
            Step::Abort => driver.abort(),
            Step::End => told.push(format!("end: {:?}", driver.end())),
            Step::Peer(octets) => driver.peer_sends(octets),
            Step::Expect => told.push(match driver.peer_reads() {
                Some(octets) => seen(&octets),
                None => "the peer sees the end".into(),
            }),
            Step::Cut => driver.peer_cuts(),
        }
    }
    // Whatever else the peer sees is told too.
    if !scenario.steps.iter().any(|step| matches!(step, Step::Unbind | Step::Abort | Step::End)) {
        driver.abort();
    }
    told.extend(iter::from_fn(|| driver.peer_reads()).map(|octets| seen(&octets)));
    told
}

fn seen(octets: &[u8]) -> String {
    let header = Frame::new(octets).expect("a PDU").header();
    let status = if header.command.is_response() { name(header.status) } else { "" };
    format!("the peer sees {} {} {status}", header.command, header.sequence.0).trim_end().into()
}

fn name(status: CommandStatus) -> &'static str {
    status.name().expect("a status of the specification")
}

fn all(drive: impl Fn(&Scenario) -> Vec<String> + Send + 'static) {
    watched(move || {
        for scenario in list::all() {
            assert_eq!(drive(&scenario), scenario.told, "{}", scenario.name);
        }
    });
}

#[test]
fn in_memory() {
    all(|scenario| run(scenario, memory::Memory::new(scenario.config)));
}

#[test]
fn one_thread() {
    all(|scenario| run(scenario, one_thread::OneThread::new(scenario.config)));
}

#[test]
fn several_threads() {
    all(|scenario| run(scenario, threads::Threads::new(scenario.config)));
}

#[test]
fn over_tokio() {
    all(|scenario| run(scenario, tokio::Tokio::new(scenario.config)));
}
