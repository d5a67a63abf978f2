//! What the system itself takes: the octets of the messages and of their responses over bare sockets, unread.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use smpp_core::{COctets, CommandStatus, Endpoint, Pdu, SequenceNumber, SubmitSmResp};

use super::report::{self, Tally};
use super::{Arguments, Stop, submit};

/// Messages that are answered at once are at most so many octets.
const LARGE: usize = 64 * 1024;

/// Answers each message with as many octets as its response has; its length is told first, then the window.
pub(crate) fn serve(address: &str) -> Result<bool, Stop> {
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|error| Stop::failed(format!("cannot listen on {address}: {error}")))?;
    println!("listening on {}", listener.local_addr().map_err(Stop::failed)?);
    for stream in listener.incoming() {
        let stream = stream.map_err(Stop::failed)?;
        // An end is how the other side leaves.
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
    let mut requests = vec![0; LARGE];
    let mut responses = Vec::new();
    let mut part = 0;
    loop {
        let read = stream.read(&mut requests)?;
        if read == 0 {
            return Ok(());
        }
        part += read;
        responses.clear();
        (0..part / length).for_each(|_| responses.extend_from_slice(&response));
        part %= length;
        stream.write_all(&responses)?;
    }
}

/// Sends as many messages at once as fit into the window, and waits for as many responses.
pub(crate) fn submit(arguments: &Arguments, url: &str) -> Result<bool, Stop> {
    let endpoint: Endpoint = url.parse().map_err(|error| Stop::usage(format!("--url: {error}")))?;
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).map_err(Stop::failed)?;
    let began = Instant::now();
    let tally = exchange(stream, arguments).map_err(Stop::failed)?;
    Ok(report::print(&tally, arguments.messages, began.elapsed(), &[], arguments.json))
}

fn exchange(mut stream: TcpStream, arguments: &Arguments) -> io::Result<Tally> {
    stream.set_nodelay(true)?;
    let text = submit::text(arguments.length);
    let mut request = Vec::new();
    let pdu = Pdu::SubmitSm(submit::message(&text, &arguments.to));
    pdu.encode(CommandStatus::ROK, SequenceNumber(1), &mut request);
    stream.write_all(&(request.len() as u32).to_be_bytes())?;
    let window = u64::from(arguments.window);
    let requests = request.repeat(arguments.window.into());
    let mut responses = vec![0; response().len() * usize::from(arguments.window)];
    let mut tally = Tally::new();
    let mut now = Instant::now();
    while tally.all() < arguments.messages {
        let round = window.min(arguments.messages - tally.all()) as usize;
        stream.write_all(&requests[..request.len() * round])?;
        stream.read_exact(&mut responses[..response().len() * round])?;
        let took = now.elapsed();
        now += took;
        (0..round).for_each(|_| tally.accept(took));
    }
    Ok(tally)
}

fn response() -> Vec<u8> {
    let mut response = Vec::new();
    let message_id = COctets::new(b"0123456789").unwrap_or_default();
    let pdu = Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
    pdu.encode(CommandStatus::ROK, SequenceNumber(1), &mut response);
    response
}
