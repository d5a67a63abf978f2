//! The command `smpp-gateway`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};
use smpp_gateway::settings::{NatsSettings, Settings, with_file};
use smpp_gateway::{bench, demo, driver, json, status};

/// One SMPP account on many machines, with NATS JetStream.
#[derive(Parser)]
#[command(version, args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(args_override_self = true)]
enum Command {
    /// Run a node until SIGTERM or SIGINT
    #[command(args_override_self = true)]
    Run {
        #[command(flatten)]
        settings: Box<Settings>,
        /// A TOML file with settings: `max_binds = 4` for --max-binds 4. Options and variables override it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show the nodes, the binds and the queues of an account
    Status {
        #[command(flatten)]
        nats: Box<NatsSettings>,
        /// The system_id of the account
        #[arg(long, value_name = "SYSTEM_ID")]
        account: String,
    },
    /// Start an SMSC, a NATS server and two nodes, send messages, kill a node, and show what becomes of them
    Demo {
        /// How many messages to send
        #[arg(long, default_value_t = 500, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        messages: usize,
        /// The program of the NATS server
        #[arg(long, default_value = "nats-server", value_name = "FILE")]
        nats_server: PathBuf,
    },
    /// Measure how many messages a node carries on this machine, and what NATS alone does for the same stored operations
    Bench {
        /// How many messages to send without limits
        #[arg(long, default_value_t = 20_000, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        messages: usize,
        /// How many messages to send with the limits of 8x8, 150 a second
        #[arg(long, default_value_t = 1_500, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        paced: usize,
        /// The program of the NATS server
        #[arg(long, default_value = "nats-server", value_name = "FILE")]
        nats_server: PathBuf,
        /// Options of the node without limits, after `--`
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Print the JSON schema of the messages to publish
    Schema {
        /// That of the events to read instead
        #[arg(long)]
        events: bool,
    },
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let arguments = match with_file(arguments, |name| std::env::var_os(name).is_some()) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    let command = Arguments::parse_from(arguments).command;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Run { settings, .. } => {
                Box::pin(driver::run(&settings, stopped())).await.map_err(|error| error.to_string())
            }
            Command::Status { nats, account } => status::show(&nats, &account).await,
            Command::Demo { messages, nats_server } => demo::run(messages, &nats_server).await,
            Command::Bench { messages, paced, nats_server, options } => {
                Box::pin(bench::run(messages, paced, &options, &nats_server)).await
            }
            Command::Schema { events } => {
                print!("{}", if events { json::EVENT_SCHEMA } else { json::SCHEMA });
                Ok(())
            }
        }
    });
    // A thread may still resolve a host name.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("smpp-gateway: {error}");
    ExitCode::FAILURE
}

/// Completes on SIGTERM or SIGINT.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
