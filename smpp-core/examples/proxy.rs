//! A TCP proxy that prints each PDU that passes: command, status, sequence number, and deviations from the specification.
//!
//! `cargo run -p smpp-proto --example proxy -- 127.0.0.1:2776 127.0.0.1:2775` listens on the first address and connects to
//! the second. It shows the use of the codec alone: octets pass unchanged, and no session is involved.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use smpp_proto::Tolerance;
use smpp_proto::frame::{self, DEFAULT_MAX_LENGTH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [listen, upstream] = &arguments[..] else { return Err("usage: proxy LISTEN UPSTREAM".into()) };
    for client in TcpListener::bind(listen)?.incoming() {
        let (client, server) = (client?, TcpStream::connect(upstream)?);
        let (client_copy, server_copy) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || pass("ESME -> SMSC", client, server_copy));
        thread::spawn(move || pass("SMSC -> ESME", server, client_copy));
    }
    Ok(())
}

/// Copies octets until the end of the stream, and prints the PDUs among them.
fn pass(direction: &str, mut from: TcpStream, mut to: TcpStream) {
    let (mut input, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(octets @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..octets]).is_err() {
            break;
        }
        input.extend_from_slice(&chunk[..octets]);
        let consumed = print_pdus(direction, &input);
        input.drain(..consumed);
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Prints the complete PDUs at the start of the input and returns how many octets they are.
fn print_pdus(direction: &str, input: &[u8]) -> usize {
    let mut rest = input;
    loop {
        let (frame, after) = match frame::split(rest, DEFAULT_MAX_LENGTH) {
            Ok(Some(split)) => split,
            Ok(None) => return input.len() - rest.len(),
            Err(error) => {
                println!("{direction}: {error}");
                return input.len();
            }
        };
        match frame.pdu(Tolerance::LENIENT) {
            Ok((_, quirks)) if quirks.is_empty() => println!("{direction}: {frame:?}"),
            Ok((_, quirks)) => println!("{direction}: {frame:?}, deviations: {quirks:?}"),
            Err(error) => println!("{direction}: {frame:?}, malformed: {error}"),
        }
        rest = after;
    }
}
