//! `smpp load`: submits messages as fast as the SMSC responds to them, and measures throughput and response times.
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod account;
mod blocking;
mod client;
mod message;
mod results;
mod server;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use smpp_proto::session::{Config, Rate};
use smpp_proto::{Address, BindMode, Endpoint};

use crate::failure::{Failure, finish};
use crate::{options, runtime};

/// Submits messages as fast as the SMSC responds to them, and reports outcomes and response times
///
/// Without --url, an SMSC that accepts everything takes them: in a thread of this process or, with --blocking, in
/// another process, and with --account in threads of this process. The password comes from the URL or, if that has none, from the environment variable
/// SMPP_PASSWORD.
///
/// The exit status is 0 if every message was accepted, 2 if an argument is wrong, 1 otherwise.
#[derive(Parser)]
#[command(after_help = "Examples:
  smpp load --messages 1000000 --connections 4
      measures client and server in one process
  smpp load --serve 127.0.0.1:2775 --sessions 4
  smpp load --url smpp://a:b@127.0.0.1:2775 --messages 1000000 --connections 4
      the same in two processes, each with its own CPU time
  smpp load --blocking --threads 8
      eight threads submit one message at a time each, over blocking sockets
  smpp load --account --receipts --connections 4 --threads 2
      an account with four binds on two threads: each receipt is awaited and matched
  smpp load --serve 127.0.0.1:2775 --receipts
  smpp load --url smpp://a:b@127.0.0.1:2775 --account --receipts
      the same in two processes
  smpp load --blocking --raw
      exchanges the same octets over bare sockets: what the system itself takes")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long, conflicts_with = "serve")]
    url: Option<String>,
    /// Connections, each with a bind of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// The window: messages in flight on each connection
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Messages on all connections together [default: 100000; required if the host of --url is another machine, as each message
    /// may cost money]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Octets of each message's text; more than 254 go into message_payload
    #[arg(long, default_value_t = 60)]
    length: u16,
    /// The rate limit of each connection, in messages a second [default: none]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// The recipient: an international number (country code first); + is allowed [default: 6591234567; required if the host of
    /// --url is another machine]
    #[arg(long)]
    to: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// Threads of the tokio runtime [default: 1]; with --blocking, threads that submit on each connection, each one
    /// message at a time [default: one thread that keeps the window full]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Send through an account with a bind on each connection, instead of a session for each: whole submit_sm, or texts
    /// with --receipts
    #[arg(long, conflicts_with_all = ["serve", "queued", "alone", "raw"])]
    account: bool,
    /// With --account: request a receipt for each message and wait for it; the response times last until the receipt. With
    /// --serve: be an SMSC that sends the receipts that are requested, each right behind the response
    #[arg(long, conflicts_with_all = ["queued", "alone", "raw", "sessions"])]
    receipts: bool,
    /// Receipts that are outstanding while more messages are sent; the SMSC sends each so many messages later, or when the
    /// client is quiet for 100 ms
    #[arg(long, default_value_t = 0, requires = "receipts")]
    outstanding: usize,
    /// Tasks that wait, each for one message at a time; with --blocking and --threads they are threads [default: as many as
    /// all windows together, with --blocking and --threads as many as these]
    #[arg(long, requires = "account", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: Option<u32>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Be the SMSC instead: accept every bind and every message
    #[arg(long, value_name = "ADDRESS:PORT")]
    serve: Option<String>,
    /// End after so many sessions have ended [default: never]
    #[arg(long, requires = "serve", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    sessions: Option<usize>,
    /// Take requests out of the inbox and respond to them there, instead of inline where they are read; not with
    /// --blocking
    #[arg(long, conflicts_with = "url")]
    queued: bool,
    /// Use blocking sockets instead of tokio
    #[arg(long)]
    blocking: bool,
    /// Submit one message at a time on the thread of the connection, which no other thread helps; with --serve, one
    /// thread for each connection; only with --blocking
    #[arg(long, conflicts_with = "threads")]
    alone: bool,
    /// Exchange the same octets over bare sockets, on both sides; only with --blocking
    #[arg(long)]
    raw: bool,
}

/// The bind of each connection.
const MODE: BindMode = BindMode::Transceiver;

/// Measures, or serves.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    finish(arguments.check().map_err(|what| Failure::usage(what, "See smpp load --help.")).and_then(|()| {
        match &arguments.serve {
            Some(address) if arguments.receipts => account::serve(arguments, address),
            _ if arguments.blocking => blocking::run(arguments),
            _ => run_tokio(arguments),
        }
    }))
}

fn run_tokio(arguments: &Arguments) -> Result<bool, Failure> {
    let runtime = runtime::with_threads(arguments.threads.unwrap_or(1))?;
    if arguments.account {
        return runtime.block_on(account::tokio::submit(arguments, &account::url(arguments)?));
    }
    if let Some(address) = &arguments.serve {
        return runtime.block_on(async {
            let listener = server::listen(address).await?;
            println!("listening on {}", listener.local_addr().map_err(Failure::other)?);
            server::serve(listener, arguments.sessions, arguments.queued).await;
            Ok(true)
        });
    }
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => start_server(arguments.queued)?,
    };
    runtime.block_on(client::submit(arguments, &url))
}

/// Starts an SMSC in a thread of this process. Returns its URL.
fn start_server(queued: bool) -> Result<String, Failure> {
    let runtime = runtime::with_threads(1)?;
    let listener = runtime.block_on(server::listen("127.0.0.1:0"))?;
    let url = format!("smpp://load:load@{}", listener.local_addr().map_err(Failure::other)?);
    thread::spawn(move || runtime.block_on(server::serve(listener, None, queued)));
    Ok(url)
}

impl Arguments {
    /// Checks which options apply to tokio and to blocking sockets.
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self { blocking: true, queued: true, .. } => Err("--queued does not apply with --blocking"),
            Self { blocking: false, alone: true, .. } => Err("--alone applies only with --blocking"),
            Self { blocking: false, raw: true, .. } => Err("--raw applies only with --blocking"),
            Self { account: false, serve: None, receipts: true, .. } => {
                Err("--receipts applies only with --account or --serve")
            }
            Self { blocking: true, account: true, threads: None, tasks: Some(_), .. } => {
                Err("--tasks applies with --blocking only if there are --threads")
            }
            _ => Ok(()),
        }
    }

    /// Returns how many messages are in flight through the account at once at most.
    fn in_flight(&self) -> usize {
        match (self.tasks, self.threads) {
            (Some(tasks), _) => tasks as usize,
            (None, Some(threads)) if self.blocking => threads.into(),
            _ => usize::from(self.window) * usize::from(self.connections),
        }
    }

    /// Returns how many receipts a task leaves outstanding.
    fn outstanding_of(&self, task: usize) -> usize {
        let tasks = self.in_flight();
        self.outstanding / tasks + usize::from(task < self.outstanding % tasks)
    }

    fn messages(&self) -> u64 {
        self.messages.unwrap_or(100_000)
    }

    fn to(&self) -> &str {
        self.to.as_deref().unwrap_or("6591234567")
    }

    /// Returns the account, after a check of the recipient. On another machine nothing is sent that is not asked for.
    fn endpoint(&self, url: &str) -> Result<Endpoint, Failure> {
        Address::international(self.to()).map_err(|error| {
            Failure::usage(format_args!("--to: {error}"), "Give country code and number, such as 6591234567.")
        })?;
        let endpoint = options::endpoint(url)?;
        let is_local = endpoint.host == "localhost"
            || endpoint.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !is_local && (self.to.is_none() || self.messages.is_none()) {
            let what =
                format_args!("{} is another machine, and each message to it may cost money", endpoint.host);
            return Err(Failure::usage(
                what,
                "State --to and --messages; --rate limits the messages a second.",
            ));
        }
        Ok(endpoint)
    }

    /// Returns the settings of each session.
    fn config(&self) -> Config {
        Config::default().window(self.window).rate(self.rate.map(Rate::per_second))
    }

    fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Returns a progress bar, hidden unless the standard error is a terminal.
    fn progress(&self) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len}  {per_sec}  {eta} left");
        ProgressBar::new(self.messages()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_to_another_machine_that_is_not_asked_for() {
        let endpoint = |url: &str, arguments: &[&str]| {
            let all = [&["load", "--url", url], arguments].concat();
            Arguments::try_parse_from(all).unwrap_or_else(|error| panic!("{error}")).endpoint(url).is_ok()
        };
        for url in ["smpp://a:b@127.0.0.1:2775", "smpps://a:b@localhost", "smpp://a:b@[::1]:2775"] {
            assert!(endpoint(url, &[]), "{url}");
        }
        let url = "smpps://a:b@smpp.8x8.com";
        assert!(!endpoint(url, &[]));
        assert!(!endpoint(url, &["--to", "6591234567"]));
        assert!(!endpoint(url, &["--messages", "10"]));
        assert!(endpoint(url, &["--to", "6591234567", "--messages", "10"]));
    }

    #[test]
    fn options_of_the_other_adapter_are_refused_by_name() {
        let check = |arguments: &[&str]| {
            let arguments = Arguments::try_parse_from([&["load"], arguments].concat());
            arguments.unwrap_or_else(|error| panic!("{error}")).check()
        };
        assert_eq!(check(&["--blocking", "--alone"]), Ok(()));
        assert_eq!(check(&["--queued"]), Ok(()));
        assert_eq!(check(&["--queued", "--blocking"]), Err("--queued does not apply with --blocking"));
        assert_eq!(check(&["--alone"]), Err("--alone applies only with --blocking"));
        assert_eq!(check(&["--raw"]), Err("--raw applies only with --blocking"));
        assert_eq!(check(&["--receipts"]), Err("--receipts applies only with --account or --serve"));
        assert_eq!(check(&["--receipts", "--serve", "127.0.0.1:0"]), Ok(()));
        assert_eq!(
            check(&["--blocking", "--account", "--tasks", "4"]),
            Err("--tasks applies with --blocking only if there are --threads")
        );
    }

    #[test]
    fn outstanding_receipts_are_shared_among_the_tasks() {
        let arguments = ["load", "--account", "--receipts", "--tasks", "4", "--outstanding", "10"];
        let arguments = Arguments::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!([0, 1, 2, 3].map(|task| arguments.outstanding_of(task)), [3, 3, 2, 2]);
    }
}
