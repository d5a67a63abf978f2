//! What the system itself takes: the octets of the messages and of their responses over bare sockets, not parsed.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use smpp_proto::{CommandStatus, Pdu, SequenceNumber, SubmitSm, Tlvs};

use super::client::nanos;
use crate::failure::Failure;
use crate::load::results::Results;
use crate::load::{Arguments, message};
use crate::options;

/// The largest number of octets of messages that get their responses together.
const BUFFER: usize = 64 * 1024;

/// Responds to each message with the octets of a response. The client sends the length of a message first.
pub(super) fn serve(address: &str) -> Result<bool, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| Failure::listen(address, &error))?;
    println!("listening on {}", listener.local_addr().map_err(Failure::other)?);
    for stream in listener.incoming() {
        let stream = stream.map_err(Failure::other)?;
        // The client ends the connection.
        thread::spawn(move || answer(stream));
    }
    Ok(true)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    let response = response();
    let mut requests = vec![0; BUFFER];
    let mut responses = Vec::new();
    let mut unanswered = 0;
    loop {
        let read = stream.read(&mut requests)?;
        if read == 0 {
            return Ok(());
        }
        unanswered += read;
        responses.clear();
        (0..unanswered / length).for_each(|_| responses.extend_from_slice(&response));
        unanswered %= length;
        stream.write_all(&responses)?;
    }
}

/// Sends a window of messages at once, waits for as many responses, and repeats. Returns whether all arrived.
pub(super) fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = options::endpoint(url)?;
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).map_err(Failure::other)?;
    let start = Instant::now();
    let mut results = Results::new()?;
    exchange(stream, arguments, &mut results).map_err(Failure::other)?;
    Ok(results.print(arguments.messages(), start.elapsed(), &[], arguments.json))
}

fn exchange(mut stream: TcpStream, arguments: &Arguments, results: &mut Results) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let text = message::text(arguments.length);
    let mut request = Vec::new();
    let payload = message::payload(&text);
    let message = SubmitSm { tlvs: Tlvs::list(&payload), ..message::submit_sm(&text, arguments.to()) };
    let pdu = Pdu::SubmitSm(message);
    pdu.encode(CommandStatus::ROK, SequenceNumber(1), &mut request);
    stream.write_all(&(request.len() as u32).to_be_bytes())?;
    let window = u64::from(arguments.window);
    let requests = request.repeat(arguments.window.into());
    let mut responses = vec![0; response().len() * usize::from(arguments.window)];
    let mut now = Instant::now();
    while results.total() < arguments.messages() {
        let round = window.min(arguments.messages() - results.total()) as usize;
        stream.write_all(&requests[..request.len() * round])?;
        stream.read_exact(&mut responses[..response().len() * round])?;
        let took = now.elapsed();
        now += took;
        (0..round).for_each(|_| results.accept(nanos(took)));
    }
    Ok(())
}

fn response() -> Vec<u8> {
    let mut response = Vec::new();
    let pdu = Pdu::SubmitSmResp(Some(message::response(b"0123456789")));
    pdu.encode(CommandStatus::ROK, SequenceNumber(1), &mut response);
    response
}
