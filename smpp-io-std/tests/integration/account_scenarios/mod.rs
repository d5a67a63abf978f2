//! Runs one list of scenarios with both forms of an account: `smpp_std::account` and `smpp_tokio::account`. The SMSC
//! must see the same PDUs, and the application must get the same outcomes, receipts, arrivals, events and errors.
//!
//! The [`list`] is also a documentation of what an account does: each scenario is a short play of an application and an SMSC,
//! with the log that it leaves. `SCENARIO=text` runs those whose names contain the text.

mod describe;
mod drivers;
mod list;
mod smsc;
mod stage;

use std::sync::Mutex;
use std::{panic, thread};

use drivers::{Start, blocking, tokio};
use stage::Stage;

/// A play of an application and an SMSC, and the lines that it leaves in the log.
struct Scenario {
    name: &'static str,
    play: fn(&mut Stage),
    expected: &'static [&'static str],
}

fn run(start: fn() -> Start) {
    let filter = std::env::var("SCENARIO").unwrap_or_default();
    let scenarios = Mutex::new(list::all().filter(|scenario| scenario.name.contains(&filter)));
    let next = || scenarios.lock().unwrap().next();
    let differences = Mutex::new(Vec::new());
    // Side by side: some of them wait for a timeout.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(scenario) = next() {
                    println!("{}", scenario.name);
                    if let Some(difference) = difference(start, scenario) {
                        differences.lock().unwrap().push(difference);
                    }
                }
            });
        }
    });
    let differences = differences.into_inner().unwrap();
    assert!(differences.is_empty(), "other logs than expected:\n\n{}", differences.join("\n\n"));
}

/// Runs a scenario. Returns its log if that is another one than expected.
fn difference(start: fn() -> Start, scenario: &Scenario) -> Option<String> {
    let play = scenario.play;
    let log = panic::catch_unwind(move || {
        crate::common::watched(move || {
            let mut stage = Stage::new(start());
            play(&mut stage);
            stage.into_log()
        })
    });
    match log {
        Ok(log) if log == scenario.expected => None,
        Ok(log) => Some(format!("{}:\n{}", scenario.name, as_source(&log))),
        Err(_) => Some(format!("{}: panicked, see above", scenario.name)),
    }
}

/// Shows a log in the form of a scenario's.
fn as_source(log: &[String]) -> String {
    let lines: Vec<_> = log.iter().map(|line| format!("            {line:?},")).collect();
    lines.join("\n")
}

#[test]
fn blocking_account() {
    run(blocking::start);
}

#[test]
fn tokio_account() {
    run(tokio::start);
}

#[test]
fn the_names_of_the_scenarios_differ() {
    let mut names: Vec<_> = list::all().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:#?}");
}
