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

use std::panic;

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
    let mut differences = Vec::new();
    for scenario in list::all().filter(|scenario| scenario.name.contains(&filter)) {
        println!("{}", scenario.name);
        let play = scenario.play;
        let log = panic::catch_unwind(move || {
            crate::common::watched(move || {
                let mut stage = Stage::new(start());
                play(&mut stage);
                stage.into_log()
            })
        });
        match log {
            Ok(log) if log == scenario.expected => {}
            Ok(log) => differences.push(format!("{}:\n{}", scenario.name, as_source(&log))),
            Err(_) => differences.push(format!("{}: panicked, see above", scenario.name)),
        }
    }
    assert!(differences.is_empty(), "other logs than expected:\n\n{}", differences.join("\n\n"));
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
