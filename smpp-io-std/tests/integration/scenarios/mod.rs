//! Runs one list of scenarios with every driver: the session in memory, this crate with one thread and with several, and
//! tokio. The peer must see the same PDUs, and the application must receive the same events.

mod drivers;
mod list;
mod pdus;

use std::time::Duration;
use std::{iter, thread};

use crate::common::watched;
use drivers::{Driver, memory, one_thread, threads, tokio};
use smpp_proto::session::{Config, RequestError};
use smpp_proto::{CommandStatus, Frame};

/// One step of a scenario.
enum Step {
    /// The application binds, as its next request.
    Bind,
    /// The application submits a message, as its next request, and does not wait for its outcome.
    Submit,
    /// The application waits for the outcome of the request with this number.
    Outcome(usize),
    /// The application receives the next request of the peer, and responds to it or drops it.
    Receive(Option<Result<(), CommandStatus>>),
    /// The application unbinds, and does not wait for the end.
    Unbind,
    /// The application aborts the session.
    Abort,
    /// The application waits for the end of the session.
    End,
    /// The peer sends octets.
    Peer(Vec<u8>),
    /// The peer reads the next PDU.
    Expect,
    /// The peer closes the connection without an unbind.
    Disconnect,
}

struct Scenario {
    name: &'static str,
    config: Config,
    steps: Vec<Step>,
    /// The PDUs that the peer sees, and the events that the application receives.
    expected: &'static [&'static str],
}

/// The default configuration of a scenario. None of its timeouts fires in a test.
fn config() -> Config {
    let long = Duration::from_secs(30);
    Config::default()
        .response_timeout(long)
        .drain_timeout(long)
        .backpressure_timeout(long)
        .enquire_link_interval(None)
}

/// Performs the steps, and returns what the peer sees and the application receives.
fn run(scenario: &Scenario, mut driver: impl Driver) -> Vec<String> {
    let mut events = Vec::new();
    for step in &scenario.steps {
        match step {
            Step::Bind => driver.bind(),
            Step::Submit => driver.submit(),
            Step::Outcome(number) => events.push(match driver.outcome(*number) {
                Ok(response) => format!("{number}: {}", response.frame().header().command),
                Err(RequestError::Refused { status, .. }) => format!("{number}: refused {}", name(status)),
                Err(RequestError::Nacked(status)) => format!("{number}: nacked {}", name(status)),
                Err(error) => format!("{number}: {error:?}"),
            }),
            Step::Receive(answer) => events.push(format!("received {}", driver.receive(*answer))),
            Step::Unbind => driver.unbind(),
            Step::Abort => driver.abort(),
            Step::End => events.push(format!("end: {:?}", driver.end())),
            Step::Peer(octets) => driver.peer_sends(octets),
            Step::Expect => events.push(match driver.peer_reads() {
                Some(octets) => seen(&octets),
                None => "the peer sees the end".into(),
            }),
            Step::Disconnect => driver.peer_disconnects(),
        }
    }
    // Also return what else the peer sees.
    if !scenario.steps.iter().any(|step| matches!(step, Step::Unbind | Step::Abort | Step::End)) {
        driver.abort();
    }
    events.extend(iter::from_fn(|| driver.peer_reads()).map(|octets| seen(&octets)));
    events
}

fn seen(octets: &[u8]) -> String {
    let header = Frame::new(octets).expect("a PDU").header();
    let status = if header.command.is_response() { name(header.status) } else { "" };
    format!("the peer sees {} {} {status}", header.command, header.sequence.0).trim_end().into()
}

fn name(status: CommandStatus) -> &'static str {
    status.name().expect("a status of the specification")
}

/// Runs the scenarios side by side: some of them wait for a timeout.
fn all(drive: fn(&Scenario) -> Vec<String>) {
    watched(move || {
        thread::scope(|scope| {
            for scenario in list::all() {
                scope.spawn(move || assert_eq!(drive(&scenario), scenario.expected, "{}", scenario.name));
            }
        });
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
