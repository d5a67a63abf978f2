//! `smpp decode`: shows PDUs field by field, from hex digits, from a capture, or from a file of PDUs.
//!
//! Passwords are never shown, nor the octets that hold them.

mod capture;
#[cfg(test)]
mod capture_tests;
mod connections;
mod dump;
mod message;
mod pdus;
mod stream;
#[cfg(feature = "web")]
mod web;

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
#[cfg(feature = "web")]
use smpp_proto::Frame;
use smpp_proto::{Tolerance, frame};

use crate::failure::{Failure, finish};
use crate::output::printable;
use connections::Options;
use dump::{Dump, Output, Place};
#[cfg(feature = "web")]
pub(crate) use message::explain;
use pdus::Pdus;

/// Shows PDUs field by field, from hex digits, a capture (pcap, pcapng) or standard input
///
/// Passwords are never shown, nor the octets that hold them.
///
/// The exit status is 0 if everything was decoded, 1 if a PDU is malformed or a stream could not be decoded to its end,
/// 2 if an argument is wrong.
#[derive(Parser)]
#[command(after_help = "Examples:
  smpp decode 00000010 00000015 00000000 00000001
      decodes an enquire_link
  smpp decode capture.pcap --port 2775
      follows the TCP connections of a capture
  smpp decode capture.pcap --web
      shows a capture in a browser (feature web)
  tcpdump -U -i any -w - port 2775 | smpp decode -
      decodes live traffic")]
pub(crate) struct Arguments {
    /// Hex digits of PDUs; a file (pcap, pcapng, hex digits or the octets themselves); or - for standard input
    ///
    /// Spaces, colons, commas and 0x may stand between hex digits; in a file, # begins a comment.
    #[arg(required = true, value_name = "HEX|FILE|-")]
    input: Vec<String>,
    /// Decode only this TCP port of a capture, and treat every stream on it as SMPP
    ///
    /// Without it, the ports 2775 and 2776 are decoded, and all streams that begin like SMPP.
    #[arg(long)]
    port: Option<u16>,
    /// Treat each known deviation from SMPP 3.4 as malformed
    #[arg(long)]
    strict: bool,
    /// The longest PDU that is accepted, in octets
    #[arg(
        long,
        value_name = "OCTETS",
        default_value_t = frame::DEFAULT_MAX_LENGTH,
        value_parser = RangedU64ValueParser::<usize>::new().range(frame::HEADER_LENGTH as u64..)
    )]
    max_pdu: usize,
    /// Look for the next plausible header after missing octets or an impossible length
    #[arg(long)]
    resync: bool,
    /// Show the PDUs on a page for a browser instead of printing them, until interrupted [address: 127.0.0.1:8080]
    #[cfg(feature = "web")]
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:8080")]
    web: Option<String>,
    /// Let --web listen on an address that other machines can reach; the page then requires the token in its URL
    #[cfg(feature = "web")]
    #[arg(long, requires = "web")]
    web_remote: bool,
}

/// The source of the PDUs.
enum Input {
    Octets(Vec<u8>),
    Reader(Box<dyn Read + Send>),
}

/// Decodes the input and prints it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let input = match input(&arguments.input) {
        Ok(input) => input,
        Err(what) => return finish(Err(Failure::usage(what, "See smpp decode --help."))),
    };
    let Arguments { port, max_pdu, resync, .. } = *arguments;
    let options = Options { port, max_pdu, resync };
    #[cfg(feature = "web")]
    if let Some(listen) = &arguments.web {
        return web::run(listen, arguments.web_remote, |recording| show(input, options, recording));
    }
    let stdout = io::stdout();
    // A terminal shows each line at once.
    let out: Box<dyn Write> =
        if stdout.is_terminal() { Box::new(stdout) } else { Box::new(BufWriter::new(stdout)) };
    let tolerance = if arguments.strict { Tolerance::STRICT } else { Tolerance::LENIENT };
    let mut dump = Dump::new(out, tolerance);
    let shown = show(input, options, &mut dump);
    if let Err(error) = shown.and_then(|()| Ok(dump.flush()?)) {
        // A closed pipe (`| head`) is no error.
        if error.downcast_ref().is_none_or(|error: &io::Error| error.kind() != io::ErrorKind::BrokenPipe) {
            eprintln!("error: {}", printable(error));
            return ExitCode::FAILURE;
        }
    }
    if dump.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns a PDU field by field, without passwords.
#[cfg(feature = "web")]
pub(crate) fn describe(frame: &Frame<Vec<u8>>) -> String {
    dump::describe(frame)
}

/// Returns whether the strings of a bind are shifted, so that any of them may be the password.
#[cfg(feature = "web")]
pub(crate) fn is_shifted(frame: &Frame<Vec<u8>>) -> bool {
    dump::is_shifted(frame)
}

/// Opens the input that the arguments name.
fn input(arguments: &[String]) -> Result<Input, String> {
    if let [path] = arguments {
        if path == "-" {
            return Ok(Input::Reader(Box::new(io::stdin())));
        }
        if Path::new(path).exists() {
            let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
            return Ok(Input::Reader(Box::new(file)));
        }
    }
    let text = arguments.join(" ");
    let octets = hex(&text).map_err(|error| match arguments {
        [name] if name.chars().any(|c| !c.is_ascii_hexdigit() && !" :,xX".contains(c)) => {
            format!("no file {name}, and not hex digits")
        }
        _ => error,
    })?;
    Ok(Input::Octets(octets))
}

/// Prints the PDUs of the input.
fn show(input: Input, options: Options, dump: &mut impl Output) -> Result<(), Box<dyn Error>> {
    let octets = match input {
        Input::Octets(octets) => octets,
        Input::Reader(mut reader) => {
            let mut content = capture::head(&mut reader)?;
            if capture::is_capture(&content) {
                return capture::read(&content, reader, options, dump);
            }
            reader.read_to_end(&mut content)?;
            match str::from_utf8(&content) {
                // The length of a PDU has a NUL.
                Ok(text) if !text.contains('\0') => hex(text)
                    .map_err(|error| format!("neither a capture nor PDUs nor hex digits: {error}"))?,
                _ => content,
            }
        }
    };
    if octets.is_empty() {
        return Err("the input is empty".into());
    }
    let mut pdus = Pdus::new(options.max_pdu, options.resync);
    pdus.push(&octets);
    dump.pdus(Place::Input, &mut pdus)?;
    Ok(dump.rest(Place::Input, &pdus)?)
}

/// Parses hex digits.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(digits, _)| digits));
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || ":,".contains(c)));
    let digits = words
        .flat_map(|word| word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word).chars());
    let digits = digits.map(|c| c.to_digit(16).ok_or_else(|| format!("{c:?} is not a hex digit")));
    let digits = digits.collect::<Result<Vec<_>, _>>()?;
    let (pairs, odd) = digits.as_chunks();
    if !odd.is_empty() {
        return Err(format!("{} hex digits: the number must be even", digits.len()));
    }
    // Each digit is less than 16.
    Ok(pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_as_people_write_them() {
        let octets = Ok(vec![0x00, 0x1F, 0xA0, 0xFF]);
        for text in
            ["001fa0ff", "00 1F A0 FF", "0x00,0x1f,0xa0,0xff", "0x001FA0FF", "00:1f:a0:ff", "0 01fa0 ff"]
        {
            assert_eq!(hex(text), octets, "{text}");
        }
        assert_eq!(hex("00 1f # a PDU\r\n\n# the rest\na0 ff\n"), octets);
        assert!(hex("001").is_err());
        assert!(hex("00 fg").is_err());
    }

    #[test]
    fn an_argument_is_hex_or_names_a_file() {
        let arguments = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(matches!(input(&arguments(&["00", "10"])), Ok(Input::Octets(octets)) if octets == [0, 16]));
        assert!(matches!(input(&arguments(&["-"])), Ok(Input::Reader(_))));
        assert!(input(&arguments(&["no-such-file.pcap"])).is_err());
    }
}
