//! `smpp`: sends and receives messages over SMPP 3.4, runs an SMSC to test against, measures throughput and response
//! times, finds out how a provider behaves, and decodes PDUs. `smpp --help` lists the subcommands, `smpp SUBCOMMAND --help` shows examples of each.

mod completions;
mod connecting;
mod decode;
mod delivered;
mod failure;
mod interrupts;
mod load;
mod options;
mod output;
mod probe;
mod receive;
mod report;
mod runtime;
mod send;
mod smsc;
#[cfg(feature = "web")]
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sends, receives, measures and decodes SMPP 3.4, probes providers, and runs an SMSC to test against.
#[derive(Parser)]
#[command(name = "smpp", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Send(send::Arguments),
    Receive(receive::Arguments),
    Smsc(Box<smsc::Arguments>),
    Load(load::Arguments),
    Probe(probe::Arguments),
    Decode(decode::Arguments),
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Send(arguments) => send::run(&arguments),
        Command::Receive(arguments) => receive::run(&arguments),
        Command::Smsc(arguments) => smsc::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
