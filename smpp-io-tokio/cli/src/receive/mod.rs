//! Receives messages and delivery receipts over SMPP, and acknowledges each one only once it is safe on disk.
//!
//! ```text
//! cargo run --release --example receive_blocking -- \
//!     --url smpps://SYSTEM_ID@smpp.8x8.com:2776 --file received.jsonl
//! ```
//!
//! Whatever happens to the process, no message is lost: one that was not stored was not acknowledged, and the SMSC
//! sends it again. One that was stored and whose acknowledgement was lost comes twice; it is stored twice, and the
//! second line is marked `again`: the same octets are in the file already, as they also are where somebody has sent the
//! same text twice.
//!
//! Nothing has to be done in good order at the end, so Ctrl-C simply stops it. One process writes to a file, no more.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use smpp_core::frame::HEADER_LENGTH;
use smpp_core::{Bind, BindMode, CommandStatus, DeliverSm, Endpoint};
use smpp_io_std::{ConnectError, ConnectErrorKind, Connector, Inbound, tls};

/// Receives messages and delivery receipts, and acknowledges each one once it is in the file.
///
/// The password comes from the URL or, if that has none, from the environment variable SMPP_PASSWORD. It ends, with
/// exit status 1, when the session does: run it under a supervisor that starts it again.
#[derive(Parser)]
struct Arguments {
    /// Where to bind: smpps://SYSTEM_ID@HOST[:2776] with TLS, smpp://SYSTEM_ID@HOST[:2775] without
    #[arg(long)]
    url: String,
    /// Where to append what comes: one JSON object a line, the octets in hexadecimal
    #[arg(long)]
    file: PathBuf,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Err(error) = run(&Arguments::parse());
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

enum Never {}

fn run(arguments: &Arguments) -> Result<Never, Box<dyn Error>> {
    let mut endpoint: Endpoint = arguments.url.parse().map_err(|error| format!("--url: {error}"))?;
    if endpoint.password.is_none() {
        endpoint.password = std::env::var("SMPP_PASSWORD").ok();
    }
    let connector = match &arguments.ca {
        Some(ca) => Connector::new().tls(tls::ca_file(ca)?),
        None => Connector::new(),
    };
    let system_id = endpoint.system_id.as_deref().ok_or("--url: the SYSTEM_ID is missing")?;
    let bind = Bind {
        mode: BindMode::Receiver,
        system_id: system_id.try_into().map_err(|error| format!("--url: system_id: {error}"))?,
        password: endpoint.password.as_deref().unwrap_or_default().try_into()?,
        ..Bind::default()
    };
    let mut store =
        Store::open(&arguments.file).map_err(|error| format!("{}: {error}", arguments.file.display()))?;
    // The session is kept alive by a thread of its own, however long the disk takes.
    let (client, mut inbox) = connector.start(&endpoint)?;
    let refused =
        |error| ConnectError { endpoint: endpoint.to_string(), kind: ConnectErrorKind::Bind(error) };
    client.bind(&bind).map_err(refused)?;
    eprintln!("bound; {} messages are in {}", store.messages, arguments.file.display());
    while let Some(inbound) = inbox.recv() {
        // What else comes is refused by being dropped.
        let Inbound::DeliverSm(message) = inbound else { continue };
        let body = message.frame().octets().get(HEADER_LENGTH..).unwrap_or_default();
        match store.append(body, &message.get()) {
            // If the session has ended, the message comes again.
            Ok(()) => drop(message.accept()),
            Err(error) => {
                // The SMSC keeps it, and those that wait behind it.
                let _ = message.refuse(CommandStatus::RX_T_APPN);
                drop(inbox);
                client.unbind();
                return Err(format!("{}: {error}", arguments.file.display()).into());
            }
        }
    }
    Err(client.closed().into())
}

/// The file, and what is in it.
struct Store {
    file: File,
    messages: usize,
    /// The octets of each, in hexadecimal: what comes again is known by them.
    known: HashSet<String>,
}

impl Store {
    /// Opens the file, or makes it. The last line may be cut off, or garbage if the machine itself has stopped: that
    /// message was never acknowledged.
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        // A file that is new has to be found again as well.
        file.sync_all()?;
        sync_directory(path)?;
        let mut store = Self { file, messages: 0, known: HashSet::new() };
        let mut whole = 0;
        let mut reader = BufReader::new(&store.file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let Some(octets) = octets(&line) else {
                if reader.fill_buf()?.is_empty() {
                    break;
                }
                return Err(format!("line {} is not of this program", store.messages + 1).into());
            };
            whole += line.len() as u64;
            store.known.insert(octets);
            store.messages += 1;
            line.clear();
        }
        store.file.set_len(whole)?;
        store.file.seek(SeekFrom::Start(whole))?;
        Ok(store)
    }

    /// Returns once the message is on disk.
    fn append(&mut self, body: &[u8], message: &DeliverSm<'_>) -> io::Result<()> {
        let octets = hexadecimal(body);
        let again = self.known.contains(&octets);
        let object = json!({
            "from": message.source.digits.as_bytes().escape_ascii().to_string(),
            "to": message.destination.digits.as_bytes().escape_ascii().to_string(),
            "receipt": message.esm_class.is_receipt(),
            "data_coding": message.data_coding.0,
            "text": hexadecimal(message.text()),
            "octets": octets,
            "again": again,
        });
        // One write, so that a line is cut off at its end if at all.
        self.file.write_all(format!("{object}\n").as_bytes())?;
        self.file.sync_data()?;
        self.known.insert(octets);
        self.messages += 1;
        Ok(())
    }
}

/// The name of a new file is on disk once its directory is; elsewhere than on Unix the system sees to that.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// The octets of the message in a line that is whole.
fn octets(line: &[u8]) -> Option<String> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    line["octets"].as_str().map(String::from)
}

fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}
